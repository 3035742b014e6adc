/* Any bytes as a graph, for libFuzzer: `make fuzz` (doc/design.md).  What was read is the same graph after it was
 * written and read again in every lossless format, can be read again from the others that took it, and is evaluated,
 * differentiated and simplified. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adtool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_NODES = 20000, MOST_ELEMENTS = 20000 };

static ad_error err;

_Noreturn static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, err.message);
  abort();
}

static void round_trip(const ad_graph *g, const char *hash, const ad_format_info *f) {
  char name[40], again[65];
  void *bytes;
  size_t size;
  ad_graph *back;
  snprintf(name, sizeof name, "again%s", f->extension);
  if (!f->can_write) return;
  if (ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = f->name}, &err)) {
    if (f->lossless) fail(f->name);
    return;
  }
  if (f->can_read) {
    if (ad_graph_read(&back, bytes, size, name, NULL, &err)) fail(f->name);
    if (ad_graph_hash(back, again, &err)) fail("hash");
    if (f->lossless && strcmp(hash, again)) fail("another graph came back");
    ad_graph_free(back);
  }
  ad_free(bytes);
}

static void differentiate(const ad_graph *g) {
  ad_program *p = NULL;
  ad_workspace *w = NULL;
  ad_point *x = NULL;
  if (!ad_program_new(&p, g, NULL, &err) &&
      !ad_workspace_new(&w, p, ad_backend_find("tape"), &(ad_workspace_options){.reverse = true}, &err) &&
      !ad_point_new(&x, g, &err) && !ad_workspace_set_point(w, x, &err) && !ad_workspace_primal(w, &err))
    for (size_t i = 0; i < ad_graph_output_count(g); i++)
      ad_workspace_run_gradient(w, &(ad_gradient_request){.output = ad_graph_output_node(g, i)}, &err);
  ad_point_free(x);
  ad_workspace_free(w);
  ad_program_free(p);
}

static bool is_small(const ad_graph *g) {
  uint64_t elements = 0;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) elements += (uint64_t)ad_shape_size(ad_graph_node_shape(g, n));
  return elements < MOST_ELEMENTS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const ad_limits limits = {.max_nodes = MOST_NODES, .max_elements = MOST_ELEMENTS};
  char hash[65];
  ad_graph *g, *simple;
  if (ad_graph_read(&g, data, size, "fuzz", &limits, &err)) return 0;
  if (ad_graph_hash(g, hash, &err)) fail("hash");
  for (size_t i = 0; i < ad_format_count(); i++) round_trip(g, hash, ad_format_get(i));
  if (is_small(g)) {
    differentiate(g);
    if (!ad_graph_optimize(&simple, g, NULL, &err)) ad_graph_free(simple);
  }
  ad_graph_free(g);
  return 0;
}
