#include "bench/build.h"

ad_graph *build_graph(void) {
  ad_graph *g;
  bench_must(ad_graph_new(&g, NULL, &bench_error));
  return g;
}

ad_node build_input(ad_graph *g, const char *name, ad_shape shape, bool fixed) {
  ad_node n;
  bench_must(ad_graph_input(g, &n, &(ad_input_spec){.name = name, .shape = shape, .fixed = fixed}, &bench_error));
  return n;
}

ad_node build_number(ad_graph *g, double v) {
  ad_node n;
  bench_must(ad_graph_constant_double(g, &n, v, &bench_error));
  return n;
}

ad_node build_zeros(ad_graph *g, ad_shape shape) {
  ad_node n;
  ad_numbers *zero = ad_numbers_new();
  if (!zero) bench_fail("out of memory");
  bench_must(ad_numbers_push_double(zero, 0, &bench_error));
  bench_must(ad_graph_constant(g, &n, &shape, zero, AD_EXACT, &bench_error));
  ad_numbers_free(zero);
  return n;
}

static ad_node apply(ad_graph *g, const char *op, size_t nargs, const ad_node *args, size_t nattrs,
                     const ad_attr *attrs) {
  ad_node n;
  bench_must(ad_graph_apply(g, &n, ad_op_find(op), nargs, args, nattrs, attrs, &bench_error));
  return n;
}

ad_node build_unary(ad_graph *g, const char *op, ad_node x) {
  return apply(g, op, 1, &x, 0, NULL);
}

ad_node build_binary(ad_graph *g, const char *op, ad_node x, ad_node y) {
  return apply(g, op, 2, (const ad_node[]){x, y}, 0, NULL);
}

ad_node build_with(ad_graph *g, const char *op, ad_node x, const char *attr, int count, const int64_t *values) {
  return apply(g, op, 1, &x, 1, &(ad_attr){attr, {1, {count}}, values});
}

ad_node build_table(ad_graph *g, const char *op, int nargs, const ad_node *args, ad_shape shape, const int64_t *indices,
                    int64_t axis) {
  return apply(g, op, (size_t)nargs, args, 2, (const ad_attr[]){{"indices", shape, indices}, {"axis", {0}, &axis}});
}

ad_node build_slice(ad_graph *g, ad_node x, int64_t start, int64_t stop, bool squeeze) {
  ad_node n;
  const ad_shape *shape = ad_graph_node_shape(g, x);
  int64_t from[AD_MAX_RANK] = {start}, to[AD_MAX_RANK] = {stop};
  for (int i = 1; i < shape->rank; i++) to[i] = shape->dim[i];
  const ad_attr attrs[] = {{"start", {1, {shape->rank}}, from},
                           {"stop", {1, {shape->rank}}, to},
                           {"squeeze", {1, {1}}, (const int64_t[]){0}}};
  bench_must(ad_graph_apply(g, &n, ad_op_find("slice"), 1, &x, squeeze ? 3 : 2, attrs, &bench_error));
  return n;
}

ad_graph *build_saved(ad_graph *g) {
  void *bytes;
  size_t size;
  ad_graph *loaded;
  bench_must(ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = "adg"}, &bench_error));
  ad_graph_free(g);
  bench_must(ad_graph_read(&loaded, bytes, size, "memory", NULL, &bench_error));
  ad_free(bytes);
  return loaded;
}

void build_random(double *x, size_t n, double low, double high, uint32_t seed) {
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = low + (high - low) * (seed * 0x1p-32);
  }
}

bench_tool *build_tool(ad_graph *g, const double *x, size_t count, bool gradient) {
  bench_tool *t = bench_alloc(1, sizeof *t);
  t->g = g;
  t->outputs_only = true;
  bench_tool_open(t, &(ad_workspace_options){.reverse = gradient});
  bench_must(ad_workspace_set_inputs(t->w, x, count, &bench_error));
  return t;
}
