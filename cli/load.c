/* A graph from a file, with what --bind says. */
#include <string.h>

#include "cli.h"
#include "error.h"
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

/* NAME=VALUE; the name is written to `name`. */
static ad_status read_binding(ad_binding *b, char *name, const char *text, ad_error *e) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text || !equals[1 + strspn(equals + 1, " ")])
    return ad_fail(e, AD_EUSAGE, "--bind wants NAME=VALUE, not '%.80s'", text);
  memcpy(name, text, (size_t)(equals - text));
  ad_numbers *n = ad_numbers_new();
  *b = (ad_binding){name, n};
  if (!n) return ad_fail_memory(e);
  ad_status s = equals[1] == '@' ? read_npy(n, equals + 2, e) : read_list(n, equals + 1, e);
  if (s && e && !e->file[0]) snprintf(e->file, sizeof e->file, "--bind %.200s", name);
  return s;
}

ad_status load_graph(ad_graph **g, const options *o, const char *path, ad_error *e) {
  ad_binding *b = ad_calloc(o->bind_count + 1, sizeof *b);
  char **name = ad_calloc(o->bind_count + 1, sizeof *name);
  ad_status s = b && name ? AD_OK : ad_fail_memory(e);
  for (size_t i = 0; !s && i < o->bind_count; i++) {
    name[i] = ad_calloc(strlen(o->bind[i]) + 1, 1);
    s = name[i] ? read_binding(&b[i], name[i], o->bind[i], e) : ad_fail_memory(e);
  }
  if (!s) s = ad_graph_load_bound(g, path, o->bind_count, b, &o->limits, e);
  for (size_t i = 0; b && name && i < o->bind_count; i++) {
    ad_numbers_free((ad_numbers *)b[i].value);
    ad_free(name[i]);
  }
  ad_free(name);
  ad_free(b);
  return s;
}
