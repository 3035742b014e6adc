/* Large tensors: fused operations and the fast ways of structured ones give what the plain ways give. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "suite.h"
#include "ulps.h"

/* A program of what the outputs need, in which operations are fused; graphs_start's has every node. */
static graphs_run start_fused(const ad_graph *g, const char *backend, ad_workspace_options o) {
  graphs_run r;
  must(ad_program_new(&r.p, g, NULL, &graphs_error));
  must(ad_workspace_new(&r.w, r.p, ad_backend_find(backend), &o, &graphs_error));
  must(ad_workspace_primal(r.w, &graphs_error));
  return r;
}

static void expect_same(const char *what, ad_span a, ad_span b, double ulps) {
  ck_assert_uint_eq(a.count, b.count);
  for (size_t i = 0; i < a.count; i++) {
    const double x = ad_span_double(&a, i), y = ad_span_double(&b, i);
    const double scale = fabs(y) > 0x1p-1000 ? fabs(y) : 0x1p-1000;
    ck_assert_msg(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= ulps * 0x1p-52 * scale,
                  "%s, element %zu: %.17g, not %.17g (seed %llu)", what, i, x, y, (unsigned long long)ulps_seed());
  }
}

/* ---- Fusion */

enum { ELEMENTS = 16 * 1024 + 777 }; /* more than the smallest that is fused, and no multiple of a strip */

/* Chains with a diamond, two scalars, an output in the middle, a view of a member and a kink. */
static ad_graph *chains(void) {
  ad_graph *g = graphs_new();
  ulps_random random = {ulps_seed()};
  double *v = malloc(2 * ELEMENTS * sizeof *v);
  for (size_t i = 0; i < 2 * ELEMENTS; i++) v[i] = ulps_random_uniform(&random, -2, 2);
  const ad_node x = graphs_input(g, "x", SHAPE(ELEMENTS), v, ELEMENTS);
  const ad_node y = graphs_input(g, "y", SHAPE(ELEMENTS), v + ELEMENTS, ELEMENTS);
  const ad_node a = graphs_input(g, "a", SCALAR, &(double){1.25}, 1);
  free(v);
  const ad_node s = graphs_unary(g, "sin", graphs_binary(g, "mul", x, a));
  const ad_node t = graphs_unary(g, "tanh", graphs_binary(g, "add", s, y));
  const ad_node u =
      graphs_apply(g, "where", NODES(graphs_binary(g, "less", s, y), graphs_binary(g, "mul", s, t), t), 0, NULL);
  must(ad_graph_output(g, "u", u, &graphs_error));
  const ad_node view = graphs_apply(g, "slice", NODES(t), ATTRS(INTS_ATTR("start", 5), INTS_ATTR("stop", 1005)));
  const ad_node abs = graphs_unary(g, "abs", graphs_binary(g, "sub", u, graphs_constant(g, 0.5)));
  const ad_node e = graphs_unary(g, "exp", graphs_unary(g, "neg", graphs_binary(g, "mul", abs, abs)));
  const ad_node sum = graphs_apply(g, "sum", NODES(e), 0, NULL);
  const ad_node other = graphs_apply(g, "sum", NODES(view), 0, NULL);
  must(ad_graph_output(g, "f", graphs_binary(g, "add", sum, graphs_binary(g, "mul", other, a)), &graphs_error));
  return g;
}

static void compare_fused(const ad_graph *g, const char *backend, ad_workspace_options o, const char *what) {
  graphs_run fused = start_fused(g, backend, o), plain = graphs_start(g, backend, o);
  const ad_node f = ad_graph_output_node(g, 1);
  for (size_t i = 0; i < ad_graph_output_count(g); i++) {
    const ad_node n = ad_graph_output_node(g, i);
    expect_same(what, ad_workspace_value(fused.w, n), ad_workspace_value(plain.w, n), 0);
  }
  must(ad_workspace_run_gradient(fused.w, &(ad_gradient_request){.output = f}, &graphs_error));
  must(ad_workspace_run_gradient(plain.w, &(ad_gradient_request){.output = f}, &graphs_error));
  for (ad_node n = 0; n < ad_graph_input_count(g); n++) {
    /* that of a scalar is a sum over all elements, in another order */
    const double ulps = ad_shape_size(ad_graph_node_shape(g, n)) == 1 ? ELEMENTS : 0;
    expect_same(what, ad_workspace_gradient(fused.w, n), ad_workspace_gradient(plain.w, n), ulps);
  }
  graphs_end(&fused);
  graphs_end(&plain);
}

START_TEST(fused_as_plain) {
  ad_graph *g = chains();
  for (int k = 0; k < GRAPHS_SIMD; k++) {
    graphs_use_simd(graphs_simd[k]);
    compare_fused(g, "tape", (ad_workspace_options){.reverse = true}, "tape");
    compare_fused(g, "tape", (ad_workspace_options){.reverse = true, .points = 5}, "tape at five points");
  }
  compare_fused(g, "mpfr", (ad_workspace_options){.reverse = true, .precision = 80}, "mpfr");
  ad_graph_free(g);
}
END_TEST

/* Adjoint identity: weights' (J direction) = (J' weights) direction. */
START_TEST(fused_forward_and_reverse) {
  ad_graph *g = chains();
  const ad_node u = ad_graph_output_node(g, 0);
  ulps_random random = {ulps_seed()};
  for (int k = 0; k < GRAPHS_SIMD; k++) {
    graphs_use_simd(graphs_simd[k]);
    graphs_run r = start_fused(g, "tape", (ad_workspace_options){.reverse = true, .directions = 2});
    for (ad_node n = 0; n < 2; n++)
      for (size_t i = 0; i < ELEMENTS; i++)
        must(ad_workspace_seed_tangent(r.w, 1, n, i, ulps_random_uniform(&random, -1, 1), &graphs_error));
    must(ad_workspace_forward(r.w, &graphs_error));
    const ad_span t = ad_workspace_tangent(r.w, 1, u);
    for (size_t i = 0; i < ELEMENTS; i++)
      must(ad_workspace_seed_adjoint(r.w, u, i, (double)(i % 7) - 3, &graphs_error));
    must(ad_workspace_reverse(r.w, &graphs_error));
    double forward = 0, reverse = 0, size = 0;
    for (size_t i = 0; i < ELEMENTS; i++) {
      const double term = ad_span_double(&t, i) * ((double)(i % 7) - 3);
      forward += term;
      size += fabs(term);
    }
    for (ad_node n = 0; n < 2; n++) {
      const ad_span d = ad_workspace_tangent(r.w, 1, n), b = ad_workspace_adjoint(r.w, n);
      for (size_t i = 0; i < ELEMENTS; i++) reverse += ad_span_double(&d, i) * ad_span_double(&b, i);
    }
    ck_assert_msg(fabs(forward - reverse) <= 4 * ELEMENTS * 0x1p-53 * size, "%.17g and %.17g (seed %llu)", forward,
                  reverse, (unsigned long long)ulps_seed());
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

typedef struct tally {
  size_t kinks, nans;
} tally;

static void count(void *context, ad_node n, size_t element, unsigned flags) {
  tally *t = context;
  (void)n, (void)element;
  t->kinks += (flags & AD_AT_KINK) != 0;
  t->nans += (flags & AD_MADE_NAN) != 0;
}

/* What happens inside of a fused block is noticed. */
START_TEST(fused_notices) {
  ad_graph *g = graphs_new();
  double *v = malloc(ELEMENTS * sizeof *v);
  for (size_t i = 0; i < ELEMENTS; i++) v[i] = (double)(i % 5) - 1; /* a fifth is -1, a fifth 0 */
  const ad_node x = graphs_input(g, "x", SHAPE(ELEMENTS), v, ELEMENTS);
  free(v);
  const ad_node y = graphs_binary(g, "add", graphs_unary(g, "abs", x), graphs_unary(g, "sqrt", x));
  must(ad_graph_output(g, "f", graphs_apply(g, "sum", NODES(y), 0, NULL), &graphs_error));
  graphs_run r = start_fused(g, "tape", (ad_workspace_options){.reverse = true});
  ck_assert_uint_eq(ad_workspace_value(r.w, y - 1).count, 0); /* it is fused */
  tally t = {0};
  ad_workspace_diagnose(r.w, count, &t);
  ck_assert_uint_eq(t.kinks, (ELEMENTS + 3) / 5);
  ck_assert_uint_eq(t.nans, (ELEMENTS + 4) / 5);
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* ---- Structured operations: double in every instruction set against MPFR */

static void compare_with_mpfr(ad_graph *g, ad_node y, const char *what, double ulps) {
  const ad_shape *shape = ad_graph_node_shape(g, y);
  const size_t size = (size_t)ad_shape_size(shape);
  double *weight = malloc(size * sizeof *weight);
  for (size_t i = 0; i < size; i++) weight[i] = (double)(i % 11) - 4;
  const ad_gradient_request q = {.output = y, .seed_count = size, .weight = weight};
  must(ad_graph_output(g, "y", y, &graphs_error));
  graphs_run exact = graphs_start(g, "mpfr", (ad_workspace_options){.precision = 120, .reverse = true});
  must(ad_workspace_run_gradient(exact.w, &q, &graphs_error));
  for (int k = 0; k < GRAPHS_SIMD; k++) {
    graphs_use_simd(graphs_simd[k]);
    graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .directions = 2});
    expect_same(what, ad_workspace_value(r.w, y), ad_workspace_value(exact.w, y), ulps);
    must(ad_workspace_run_gradient(r.w, &q, &graphs_error));
    for (ad_node n = 0; n < ad_graph_input_count(g); n++)
      expect_same(what, ad_workspace_gradient(r.w, n), ad_workspace_gradient(exact.w, n), ulps);
    graphs_end(&r);
  }
  graphs_end(&exact);
  free(weight);
  ad_graph_free(g);
}

static ad_node input_of(ad_graph *g, const char *name, ad_shape shape) {
  const size_t n = (size_t)ad_shape_size(&shape);
  double *v = malloc(n * sizeof *v);
  for (size_t i = 0; i < n; i++) v[i] = (double)((i * 37 + 11) % 64) / 16 + 0.25; /* positive: sums keep their digits */
  const ad_node x = graphs_input(g, name, shape, v, n);
  free(v);
  return x;
}

START_TEST(moves) {
  int64_t perms[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {0, 2, 1, 3}, {2, 3, 0, 1}, {0, 3, 2, 1}};
  for (size_t k = 0; k < sizeof perms / sizeof *perms; k++) {
    ad_graph *g = graphs_new();
    const ad_node x = input_of(g, "x", SHAPE(3, 17, 5, 19));
    compare_with_mpfr(g, graphs_apply(g, "transpose", NODES(x), ATTRS(LIST_ATTR("perm", 4, perms[k]))), "transpose", 0);
  }
  ad_graph *g = graphs_new();
  const ad_node x = input_of(g, "x", SHAPE(5, 1, 3));
  compare_with_mpfr(g, graphs_apply(g, "broadcast_to", NODES(x), ATTRS(INTS_ATTR("shape", 2, 5, 40, 3))),
                    "broadcast_to", 8);
  g = graphs_new();
  const ad_node z = input_of(g, "z", SHAPE(7, 1));
  compare_with_mpfr(g, graphs_apply(g, "broadcast_to", NODES(z), ATTRS(INTS_ATTR("shape", 7, 300))), "broadcast_to",
                    64);
}
END_TEST

START_TEST(reductions) {
  static const char *const ops[] = {"sum", "mean", "reduce_max", "logsumexp", "prod"};
  for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
    for (int64_t axis = 0; axis < 3; axis++)
      for (int64_t length = 1; length < 300; length = length * 3 + 1) {
        ad_graph *g = graphs_new();
        const ad_node x =
            input_of(g, "x", SHAPE(axis == 0 ? length : 3, axis == 1 ? length : 2, axis == 2 ? length : 9));
        const ad_node small = graphs_binary(g, "div", x, graphs_constant(g, 4)); /* products stay in range */
        compare_with_mpfr(g, graphs_apply(g, ops[k], NODES(small), ATTRS(INTS_ATTR("axis", axis))), ops[k], 4 * 300);
      }
}
END_TEST

START_TEST(softmax_along) {
  for (int64_t axis = 0; axis < 2; axis++) {
    ad_graph *g = graphs_new();
    const ad_node x = input_of(g, "x", SHAPE(21, 35));
    const ad_node y = graphs_apply(g, "softmax", NODES(x), ATTRS(INT_ATTR("axis", axis)));
    compare_with_mpfr(g, y, "softmax", 1 << 16); /* its gradient cancels */
  }
}
END_TEST

/* The numbers of a, to the last bit, are those of b's first point of two. */
static void expect_first(ad_span a, ad_span b) {
  ck_assert_uint_eq(2 * a.count, b.count);
  for (size_t i = 0; i < a.count; i++)
    ck_assert_msg(ad_span_double(&a, i) == ad_span_double(&b, 2 * i),
                  "of %zu, element %zu: %.17g, not %.17g (seed %llu)", a.count, i, ad_span_double(&a, i),
                  ad_span_double(&b, 2 * i), (unsigned long long)ulps_seed());
}

START_TEST(products) {
  const int64_t sizes[][3] = {{1, 40, 30}, {30, 40, 1}, {1, 400, 1}, {13, 17, 19}, {40, 1, 40}};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    ad_graph *g = graphs_new();
    const ad_node x = input_of(g, "x", SHAPE(2, sizes[k][0], sizes[k][1]));
    const ad_node y = input_of(g, "y", SHAPE(sizes[k][1], sizes[k][2]));
    compare_with_mpfr(g, graphs_binary(g, "matmul", x, y), "matmul", 1 << 16);
  }
}
END_TEST

/* Products with few columns are one sum an element, in order, in every instruction set and without. */
START_TEST(narrow_products) {
  const int64_t sizes[][3] = {{100, 10, 10}, {7, 130, 16}, {5, 64, 9}, {130, 3, 2}, {16, 65, 5}};
  ulps_random random = {ulps_seed()};
  double v[2][3 * 130 * 16], weight[3 * 130 * 16];
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    const size_t m = (size_t)sizes[k][0], depth = (size_t)sizes[k][1], n = (size_t)sizes[k][2];
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
      for (int side = 0; side < 2; side++) v[side][i] = ulps_random_uniform(&random, -2, 2);
      weight[i] = ulps_random_uniform(&random, -2, 2);
    }
    ad_graph *g = graphs_new();
    const ad_node x = graphs_input(g, "x", SHAPE(3, sizes[k][0], sizes[k][1]), v[0], 3 * m * depth);
    const ad_node y = graphs_input(g, "y", SHAPE(3, sizes[k][1], sizes[k][2]), v[1], 3 * depth * n);
    const ad_node z = graphs_binary(g, "matmul", x, y);
    const ad_gradient_request q = {.output = z, .seed_count = 3 * m * n, .weight = weight};
    must(ad_graph_output(g, "z", z, &graphs_error));
    graphs_use_simd("none");
    graphs_run plain = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .points = 2});
    must(ad_workspace_run_gradient(plain.w, &q, &graphs_error));
    for (int simd = 0; simd < GRAPHS_SIMD; simd++) {
      if (!strcmp(graphs_simd[simd], "none")) continue;
      graphs_use_simd(graphs_simd[simd]);
      graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true});
      must(ad_workspace_run_gradient(r.w, &q, &graphs_error));
      expect_first(ad_workspace_value(r.w, z), ad_workspace_value(plain.w, z));
      if (depth <= 16) expect_first(ad_workspace_gradient(r.w, x), ad_workspace_gradient(plain.w, x));
      expect_first(ad_workspace_gradient(r.w, y), ad_workspace_gradient(plain.w, y));
      graphs_end(&r);
    }
    graphs_end(&plain);
    ad_graph_free(g);
  }
}
END_TEST

/* A zero adjoint multiplies no infinite weight. */
START_TEST(zero_times_infinity) {
  enum { N = 24 };
  double w[N * N];
  for (size_t i = 0; i < N * N; i++) w[i] = 1;
  w[3 * N + 5] = INFINITY;
  for (int k = 0; k < GRAPHS_SIMD; k++) {
    graphs_use_simd(graphs_simd[k]);
    ad_graph *g = graphs_new();
    const ad_node x = input_of(g, "x", SHAPE(N, N)), y = graphs_input(g, "w", SHAPE(N, N), w, N * N);
    const ad_node z = graphs_binary(g, "matmul", x, y);
    const ad_node column = graphs_apply(g, "slice", NODES(z), ATTRS(INTS_ATTR("start", 0, 6), INTS_ATTR("stop", N, 7)));
    must(ad_graph_output(g, "f", graphs_apply(g, "sum", NODES(column), 0, NULL), &graphs_error));
    graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true});
    must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = ad_graph_output_node(g, 0)}, &graphs_error));
    const ad_span d = ad_workspace_gradient(r.w, x);
    for (size_t i = 0; i < N * N; i++) ck_assert_double_eq(ad_span_double(&d, i), 1);
    graphs_end(&r);
    ad_graph_free(g);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("dense");
  TCase *t = tcase_create("large tensors");
  printf("seed %llu (ADTOOL_TEST_SEED)\n", (unsigned long long)ulps_seed());
  fflush(stdout);
  tcase_set_timeout(t, 120);
  tcase_add_test(t, fused_as_plain);
  tcase_add_test(t, fused_forward_and_reverse);
  tcase_add_test(t, fused_notices);
  tcase_add_test(t, moves);
  tcase_add_test(t, reductions);
  tcase_add_test(t, softmax_along);
  tcase_add_test(t, products);
  tcase_add_test(t, narrow_products);
  tcase_add_test(t, zero_times_infinity);
  suite_add_tcase(s, t);
  return suite_run(s);
}
