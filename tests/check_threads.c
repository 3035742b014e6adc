/* Large tensors by several threads: the same bits for any number of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exec/share.h"
#include "graphs.h"
#include "suite.h"
#include "ulps.h"

/* More elements than threads share out at least, in pieces that don't fill up. */
enum { N = 5 * AD_SHARE + 1234, ROWS = 300, INNER = 170, COLUMNS = 261 };

static ad_node input(ad_graph *g, const char *name, ad_shape shape) {
  ulps_random random = {ulps_seed() + (unsigned char)*name};
  const size_t n = (size_t)ad_shape_size(&shape);
  double *v = malloc(n * sizeof *v);
  ck_assert_ptr_nonnull(v);
  for (size_t i = 0; i < n; i++) v[i] = ulps_random_uniform(&random, 0.1, 2);
  const ad_node x = graphs_input(g, name, shape, v, n);
  free(v);
  return x;
}

static ad_node unary(ad_graph *g, const char *op, ad_node x) {
  return graphs_unary(g, op, x);
}

static ad_node total(ad_graph *g, ad_node x) {
  return unary(g, "sum", x);
}

static ad_node range(ad_graph *g, ad_node x, int64_t from, int64_t to) {
  return graphs_apply(g, "slice", NODES(x), ATTRS(INTS_ATTR("start", from), INTS_ATTR("stop", to)));
}

/* Each builds a scalar output. */
static ad_node chain(ad_graph *g) {
  ad_node x = input(g, "x", SHAPE(N));
  ad_node y = graphs_binary(g, "mul", unary(g, "sin", x), x);
  return total(g, unary(g, "tanh", graphs_binary(g, "add", y, graphs_constant(g, 0.5))));
}

static ad_node scalar_of_interest(ad_graph *g) { /* a share of every element goes to one adjoint */
  ad_node x = input(g, "x", SHAPE(N)), a = input(g, "a", SCALAR);
  return total(g, unary(g, "exp", graphs_binary(g, "mul", graphs_binary(g, "sub", x, a), a)));
}

static ad_node neighbours(ad_graph *g) { /* an element's adjoint gets shares from two pieces */
  ad_node x = input(g, "x", SHAPE(N + 1)), left = range(g, x, 0, N), right = range(g, x, 1, N + 1);
  return total(g, unary(g, "sqr", graphs_binary(g, "sub", unary(g, "log", left), unary(g, "sqrt", right))));
}

static ad_node one_operation(ad_graph *g) {
  ad_node x = input(g, "x", SHAPE(N)), y = input(g, "y", SHAPE(N));
  return unary(g, "mean", graphs_binary(g, "hypot", x, y));
}

static ad_node one_operation_on_neighbours(ad_graph *g) {
  ad_node x = input(g, "x", SHAPE(N + 1));
  return total(g, graphs_binary(g, "mul", range(g, x, 0, N), range(g, x, 1, N + 1)));
}

static ad_node two_readers(ad_graph *g) { /* a fused value that is read outside as well */
  ad_node x = input(g, "x", SHAPE(N)), y = unary(g, "cos", unary(g, "sqrt", x));
  return graphs_binary(g, "add", total(g, graphs_binary(g, "mul", y, y)), unary(g, "reduce_max", y));
}

static ad_node normalised(ad_graph *g) {
  ad_node x = input(g, "x", SHAPE(N));
  return unary(g, "logsumexp", graphs_binary(g, "div", x, graphs_constant(g, 3)));
}

static ad_node products(ad_graph *g) { /* split by rows, by columns, and with transposed factors on the way back */
  ad_node a = input(g, "a", SHAPE(ROWS, INNER)), b = input(g, "b", SHAPE(INNER, COLUMNS));
  ad_node c = input(g, "c", SHAPE(COLUMNS, 2 * ROWS));
  return total(g, unary(g, "sin", graphs_binary(g, "matmul", graphs_binary(g, "matmul", a, b), c)));
}

static ad_node (*const builders[])(ad_graph *g) = {
    chain,       scalar_of_interest, neighbours, one_operation, one_operation_on_neighbours,
    two_readers, normalised,         products};
enum { BUILDERS = sizeof builders / sizeof builders[0] };

/* The value, the gradient, and the tangent along the all-ones direction; returns how many numbers. */
static size_t run(const ad_graph *g, ad_node f, unsigned threads, double *out) {
  const ad_workspace_options o = {.reverse = true, .directions = 1, .threads = threads};
  graphs_run r = graphs_start(g, "tape", o);
  size_t n = 0;
  ad_span s = ad_workspace_value(r.w, f);
  out[n++] = ad_span_double(&s, 0);
  must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = f}, &graphs_error));
  s = ad_workspace_gradients(r.w);
  memcpy(out + n, s.data, s.count * sizeof *out);
  n += s.count;
  for (ad_node i = 0; i < ad_graph_input_count(g); i++)
    for (int64_t j = 0; j < ad_shape_size(ad_graph_node_shape(g, i)); j++)
      must(ad_workspace_seed_tangent(r.w, 0, i, (size_t)j, 1, &graphs_error));
  must(ad_workspace_forward(r.w, &graphs_error));
  s = ad_workspace_tangent(r.w, 0, f);
  out[n++] = ad_span_double(&s, 0);
  graphs_end(&r);
  return n;
}

START_TEST(same_bits) {
  static const unsigned threads[] = {2, 3, 7};
  const size_t most = 2 * N + 10 + (size_t)COLUMNS * 2 * ROWS + (size_t)ROWS * INNER + (size_t)INNER * COLUMNS;
  double *one = malloc(most * sizeof *one), *many = malloc(most * sizeof *many);
  ck_assert(one && many);
  ad_graph *g = graphs_new();
  const ad_node f = builders[_i](g);
  must(ad_graph_output(g, "f", f, &graphs_error));
  const size_t n = run(g, f, 1, one);
  ck_assert_uint_le(n, most);
  ck_assert(isfinite(one[0]));
  for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
    ck_assert_uint_eq(run(g, f, threads[t], many), n);
    for (size_t i = 0; i < n; i++)
      ck_assert_msg(!memcmp(&one[i], &many[i], sizeof *one), "number %zu of %zu is %a by one thread, %a by %u", i, n,
                    one[i], many[i], threads[t]);
  }
  ad_graph_free(g);
  free(one);
  free(many);
}
END_TEST

int main(void) {
  Suite *s = suite_create("threads");
  TCase *t = tcase_create("large tensors");
  tcase_set_timeout(t, 120);
  tcase_add_loop_test(t, same_bits, 0, BUILDERS);
  suite_add_tcase(s, t);
  return suite_run(s);
}
