/* A graph from a file, with what --bind says, and where sizes are open, the arrays of --at. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "error.h"
#include "ir/graph.h"
#include "npy/npy.h"

/* The numbers of a list; brackets may nest as they like. */
static ad_status read_list(ad_numbers *n, const char *text, ad_error *e) {
  ad_status s = AD_OK;
  while (!s && *(text += strspn(text, "[], "))) {
    const size_t length = strcspn(text, "[], ");
    s = ad_numbers_push_text(n, text, length, e);
    text += length;
  }
  return s;
}

static ad_status read_npy(ad_numbers *n, const char *path, uint64_t most, ad_error *e) {
  ad_npy npy = {0};
  ad_status s = ad_npy_load(&npy, path, most, e);
  for (int64_t i = 0; !s && i < ad_shape_size(&npy.shape); i++) s = ad_numbers_push_double(n, npy.value[i], e);
  ad_npy_clear(&npy);
  return s;
}

static ad_status read_binding(ad_binding *b, const assignment *a, uint64_t most, ad_error *e) {
  ad_numbers *n = ad_numbers_new();
  *b = (ad_binding){.name = a->name, .value = n};
  if (!n) return ad_fail_memory(e);
  if (a->value[0] == '@') return read_npy(n, a->value + 1, most, e);
  ad_status s = read_list(n, a->value, e);
  if (s == AD_EINPUT) s = AD_EUSAGE; /* the command line is wrong, no file */
  if (s && e) e->code = s, snprintf(e->file, sizeof e->file, "--bind %.200s", a->name);
  return s;
}

/* The sizes of nested lists, by the first at each depth; false: no list. */
static bool shape_of_text(ad_shape *shape, const char *text) {
  bool closed[AD_MAX_RANK] = {false}, some[AD_MAX_RANK] = {false};
  int depth = 0;
  *shape = (ad_shape){0};
  for (; *text; text++) {
    if (*text == ' ') continue;
    if (*text == ']') {
      if (!depth--) return false;
      if (!closed[depth]) shape->dim[depth] += some[depth];
      closed[depth] = true;
      continue;
    }
    if (!depth && *text != '[') return false;
    if (depth) some[depth - 1] = true;
    if (depth && *text == ',' && !closed[depth - 1]) shape->dim[depth - 1]++;
    if (*text == '[' && ++depth > AD_MAX_RANK) return false;
    if (depth > shape->rank) shape->rank = depth;
  }
  return !depth && shape->rank;
}

/* The shape of an array in a file that can be read once more. */
static bool shape_of_file(ad_shape *shape, const char *path) {
  unsigned char start[AD_NPY_START];
  struct stat st;
  size_t length, at;
  ad_npy_header h;
  const char *problem;
  if (stat(path, &st) || !S_ISREG(st.st_mode)) return false;
  FILE *f = fopen(path, "rb");
  unsigned char *bytes = NULL;
  bool known = f && fread(start, 1, sizeof start, f) == sizeof start &&
               !ad_npy_header_size(start, sizeof start, &length, &at) && length <= (size_t)st.st_size &&
               (bytes = ad_malloc(length, 1));
  known = known && !fseek(f, 0, SEEK_SET) && fread(bytes, 1, length, f) == length &&
          !ad_npy_header_read(&h, bytes, length, &problem);
  if (known) *shape = h.shape;
  ad_free(bytes);
  if (f) fclose(f);
  return known;
}

ad_status load_graph(ad_graph **g, const options *o, const char *path, ad_error *e) {
  ad_binding *b = ad_calloc(o->bind_count + o->at_count + 1, sizeof *b);
  ad_shape *shape = ad_calloc(o->at_count + 1, sizeof *shape);
  ad_status s = b && shape ? AD_OK : ad_fail_memory(e);
  size_t count = o->bind_count;
  for (size_t i = 0; !s && i < o->bind_count; i++) s = read_binding(&b[i], &o->bind[i], o->limits.max_bytes, e);
  for (size_t i = 0; !s && i < o->at_count; i++) { /* what is wrong with them is said when they are set */
    const char *v = o->at[i].value;
    if (*v == '@' ? shape_of_file(&shape[i], v + 1) : shape_of_text(&shape[i], v))
      b[count++] = (ad_binding){.name = o->at[i].name, .shape = &shape[i]};
  }
  if (!s) s = ad_graph_load_bound(g, path, count, b, &o->limits, e);
  const char *odd;
  for (size_t i = 0; !s && (odd = ad_graph_note(*g, i)); i++)
    note(o, "%s: %s", strcmp(path, "-") ? path : "standard input", odd);
  for (size_t i = 0; b && i < o->bind_count; i++) ad_numbers_free((ad_numbers *)b[i].value);
  ad_free(shape);
  ad_free(b);
  return s;
}
