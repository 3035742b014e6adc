/* Graphs as scalar operations: the same values and derivatives in MPFR, and nothing but scalars. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "graphs.h"
#include "ir/ops.h"
#include "passes/scalars.h"
#include "random_graph.h"
#include "suite.h"

#define ERR (&graphs_error)

enum { BITS = 1000, LOST = 300 };

static mpfr_srcptr number(const ad_span *s, size_t i) {
  return (const __mpfr_struct *)s->data + i;
}

static void expect_near(mpfr_srcptr a, mpfr_srcptr b, const char *what) {
  mpfr_t d, scale;
  mpfr_inits2(BITS, d, scale, (mpfr_ptr)0);
  mpfr_sub(d, a, b, MPFR_RNDN);
  mpfr_abs(scale, a, MPFR_RNDN);
  if (mpfr_cmp_ui(scale, 1) < 0) mpfr_set_ui(scale, 1, MPFR_RNDN);
  mpfr_div(d, d, scale, MPFR_RNDN);
  ck_assert_msg(mpfr_zero_p(d) || (mpfr_number_p(d) && mpfr_get_exp(d) < LOST - BITS), "%s: %.17g is %.17g", what,
                mpfr_get_d(a, MPFR_RNDN), mpfr_get_d(b, MPFR_RNDN));
  mpfr_clears(d, scale, (mpfr_ptr)0);
}

static void expect_scalars(const ad_graph *g, const char *what) {
  size_t *used = calloc(ad_graph_node_count(g), sizeof *used);
  ck_assert_ptr_nonnull(used);
  for (ad_node n = (ad_node)ad_graph_input_count(g); n < ad_graph_node_count(g); n++) {
    const ad_op op = ad_graph_node_op(g, n);
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, n, &args);
    for (size_t i = 0; i < count; i++) used[args[i]]++;
    const bool over = op == AD_OP_SUM || op == AD_OP_REDUCE_MAX || op == AD_OP_REDUCE_MIN;
    ck_assert_msg((op == AD_OP_STACK) == (ad_graph_node_shape(g, n)->rank == 1), "%s: %s is no scalar", what,
                  ad_op_get(op)->name);
    ck_assert_msg(!over || (ad_graph_node_op(g, args[0]) == AD_OP_STACK && used[args[0]] == 1), "%s: %s", what,
                  ad_op_get(op)->name);
    ck_assert_msg(over || op == AD_OP_STACK || op == AD_OP_SLICE || op == AD_OP_CONSTANT ||
                      ad_op_get(op)->cls == AD_CLASS_ELEMENT,
                  "%s: %s", what, ad_op_get(op)->name);
  }
  free(used);
}

/* Each element of each output, and its derivatives by all elements of the inputs. */
static void same_results(const ad_graph *g, const ad_graph *scalar, const char *what) {
  const ad_workspace_options o = {.precision = BITS, .reverse = true};
  graphs_run a = graphs_start(g, "mpfr", o), b = graphs_start(scalar, "mpfr", o);
  size_t k = 0;
  for (size_t i = 0; i < ad_graph_output_count(g); i++) {
    const ad_node n = ad_graph_output_node(g, i);
    for (size_t element = 0; element < (size_t)ad_shape_size(ad_graph_node_shape(g, n)); element++, k++) {
      const ad_node other = ad_graph_output_node(scalar, k);
      const ad_span x = ad_workspace_value(a.w, n), y = ad_workspace_value(b.w, other);
      expect_near(number(&x, element), number(&y, 0), what);
      must(ad_workspace_run_gradient(a.w, &(ad_gradient_request){.output = n, .seed_count = 1, .element = &element},
                                     ERR));
      must(ad_workspace_run_gradient(b.w, &(ad_gradient_request){.output = other}, ERR));
      for (ad_node input = 0; input < ad_graph_input_count(g); input++) {
        const ad_span dx = ad_workspace_gradient(a.w, input), dy = ad_workspace_gradient(b.w, input);
        ck_assert_uint_eq(dx.count, dy.count);
        for (size_t j = 0; j < dx.count; j++) expect_near(number(&dx, j), number(&dy, j), what);
      }
    }
  }
  ck_assert_uint_eq(k, ad_graph_output_count(scalar));
  graphs_end(&a);
  graphs_end(&b);
}

static bool check_graph(const ad_graph *g, const char *what) {
  ad_scalars s;
  const ad_status status = ad_scalars_make(&s, g, ERR);
  if (status) {
    ck_assert_msg(strstr(ERR->message, "scalar form") != NULL, "%s: %s", what, ERR->message);
    return false;
  }
  expect_scalars(s.g, what);
  for (size_t i = 0; i < s.count; i++) {
    char name[24];
    snprintf(name, sizeof name, "y%zu", i);
    must(ad_graph_output(s.g, name, s.output[i], ERR));
  }
  same_results(g, s.g, what);
  ad_scalars_clear(&s);
  return true;
}

START_TEST(random_graphs_have_a_scalar_form) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  ck_assert_ptr_nonnull(used);
  int done = 0;
  for (int i = 0; i < 40 * ulps_multiplier(); i++) {
    const uint64_t seed = ulps_seed() + (uint64_t)i;
    char what[60];
    snprintf(what, sizeof what, "ADTOOL_TEST_SEED=%llu", (unsigned long long)seed);
    random_graph r = random_graph_new(seed, 3 + seed % 25, true, used);
    done += check_graph(r.g, what);
    random_graph_free(&r);
  }
  ck_assert_double_ge(done, 10 * ulps_multiplier());
  free(used);
}
END_TEST

/* Products of matrices and vectors with and without leading axes, reductions over every axis, updates, and moves. */
START_TEST(structured_operations_have_a_scalar_form) {
  static const char *const expressions[] = {"A @ B",
                                            "w @ B",
                                            "A @ w",
                                            "w @ w",
                                            "dot(w, w)",
                                            "T @ B",
                                            "u @ T",
                                            "T @ w",
                                            "reshape(T, shape=[2, 1, 2, 3]) @ B",
                                            "matmul_no_nan(A, B)",
                                            "matmul_no_nan(A, B, zeros=0)",
                                            "matmul_no_nan(T, B - 1, zeros=[1])",
                                            "mul_no_nan(w, w) + mul_or_zero(w, w)",
                                            "sum(T)",
                                            "sum(T, axis=1)",
                                            "sum(T, axis=[0, 2], keepdims=yes)",
                                            "mean(T, axis=2)",
                                            "prod(T, axis=0)",
                                            "reduce_max(T, axis=1) - reduce_min(T, axis=2)[:, 0:1]",
                                            "cumsum(T, axis=1) + cumsum(T, axis=-1)",
                                            "scatter_add(T, 2*T, axis=1, indices=[1, -1])",
                                            "scatter_add(w, u, indices=[0, 0])",
                                            "gather(T, axis=2, indices=[[2, 0], [-1, 1]]) * transpose(A)[0, :2]",
                                            "concat(T, T*T, axis=1)[:, ::-2, 1:]",
                                            "stack(w, w/3, axis=1) + broadcast_to(u, shape=[3, 2])",
                                            "transpose(T, perm=[2, 0, 1])^2 + pi + 0.1*s"};
  for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
    char text[900];
    snprintf(text, sizeof text,
             "adtool: 1\ninputs: {A: [[1, 2, 3], [4, 5, 6]], B: [[0.5, 1], [-1, 2], [3, 0.25]], u: [1.5, -2], "
             "w: [1, 0.3, -0.7], T: [[[1, 2, 3], [4, 7, 6]], [[-1, 0.5, 8], [9, 2.5, -3]]], s: 2}\n"
             "outputs: {y: \"%s\"}\n",
             expressions[i]);
    ad_graph *g;
    must(ad_graph_read(&g, text, strlen(text), expressions[i], NULL, ERR));
    ck_assert_msg(check_graph(g, expressions[i]), "%s: %s", expressions[i], ERR->message);
    ad_graph_free(g);
  }
}
END_TEST

START_TEST(limits_hold) {
  static const char text[] =
      "adtool: 1\ninputs: {x: {shape: [1000], fill: 1}}\nnodes: {y: \"x*x\"}\noutputs: {z: sum(y)}\n";
  ad_graph *g;
  ad_scalars s;
  must(ad_graph_read(&g, text, sizeof text - 1, "text", &(ad_limits){.max_nodes = 1500}, ERR));
  ck_assert_int_eq(ad_scalars_make(&s, g, ERR), AD_ELIMIT);
  ck_assert_ptr_null(s.g);
  ad_graph_free(g);
  must(ad_graph_read(&g, text, sizeof text - 1, "text", &(ad_limits){.max_nodes = 2500}, ERR));
  ck_assert_int_eq(ad_scalars_make(&s, g, ERR), AD_OK);
  ad_scalars_clear(&s);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("scalars");
  TCase *c = tcase_create("scalars");
  tcase_add_test(c, random_graphs_have_a_scalar_form);
  tcase_add_test(c, structured_operations_have_a_scalar_form);
  tcase_add_test(c, limits_hold);
  tcase_set_timeout(c, 120);
  suite_add_tcase(s, c);
  return suite_run(s);
}
