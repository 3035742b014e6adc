/* A graph from a file, with what --bind says. */
#include <string.h>

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

static ad_status read_npy(ad_numbers *n, const char *path, ad_error *e) {
  ad_npy npy = {0};
  ad_status s = ad_npy_load(&npy, path, e);
  for (int64_t i = 0; !s && i < ad_shape_size(&npy.shape); i++) s = ad_numbers_push_double(n, npy.value[i], e);
  ad_npy_clear(&npy);
  return s;
}

static ad_status read_binding(ad_binding *b, const assignment *a, ad_error *e) {
  ad_numbers *n = ad_numbers_new();
  *b = (ad_binding){a->name, n};
  if (!n) return ad_fail_memory(e);
  if (a->value[0] == '@') return read_npy(n, a->value + 1, e);
  ad_status s = read_list(n, a->value, e);
  if (s == AD_EINPUT) s = AD_EUSAGE; /* the command line is wrong, no file */
  if (s && e) e->code = s, snprintf(e->file, sizeof e->file, "--bind %.200s", a->name);
  return s;
}

ad_status load_graph(ad_graph **g, const options *o, const char *path, ad_error *e) {
  ad_binding *b = ad_calloc(o->bind_count + 1, sizeof *b);
  ad_status s = b ? AD_OK : ad_fail_memory(e);
  for (size_t i = 0; !s && i < o->bind_count; i++) s = read_binding(&b[i], &o->bind[i], e);
  if (!s) s = ad_graph_load_bound(g, path, o->bind_count, b, &o->limits, e);
  const char *odd;
  for (size_t i = 0; !s && (odd = ad_graph_note(*g, i)); i++)
    note(o, "%s: %s", strcmp(path, "-") ? path : "standard input", odd);
  for (size_t i = 0; b && i < o->bind_count; i++) ad_numbers_free((ad_numbers *)b[i].value);
  ad_free(b);
  return s;
}
