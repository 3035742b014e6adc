/* Where a derivative does not exist: the graph's policy decides, every backend the same; what is not taken never makes
 * a NaN; and every evaluation can say where it stood. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "graphs.h"
#include "suite.h"

static ad_node node(ad_graph *g, const char *op, size_t nargs, const ad_node *args) {
  return graphs_apply(g, op, nargs, args, 0, NULL);
}

/* The same by the gradient's graph. */
static void expect_gradient_graph(ad_graph *g, ad_node n, const double *want) {
  const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(g, n)), position = ad_graph_output_count(g);
  ad_graph *d;
  must(ad_graph_output(g, "the node", n, &graphs_error));
  must(ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &position, .seed_count = size},
                         &graphs_error));
  for (size_t b = 0; b < ad_backend_count(); b++) {
    graphs_run r = graphs_start(d, ad_backend_name(ad_backend_get(b)), (ad_workspace_options){0});
    size_t at = 0;
    for (size_t k = 1; k < ad_graph_output_count(d); k++) {
      ad_span s = ad_workspace_value(r.w, ad_graph_output_node(d, k));
      for (size_t i = 0; i < s.count; i++, at++) {
        double got = ad_span_double(&s, i);
        ck_assert_msg(got == want[at] || (isnan(got) && isnan(want[at])), "%s: %s[%zu] of %s is %g, not %g",
                      ad_backend_name(ad_backend_get(b)), ad_graph_output_name(d, k), i,
                      ad_op_get(ad_graph_node_op(g, n))->name, got, want[at]);
      }
    }
    graphs_end(&r);
  }
  ad_graph_free(d);
}

/* The gradient of the sum of the node's elements by every input, input after input: `want`, in every backend,
 * instruction set and mode, at one point and in blocks.  Frees the graph. */
static void expect_gradient(ad_graph *g, ad_node n, const double *want) {
  const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(g, n));
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (int simd = 0; simd < GRAPHS_SIMD; simd++)
      for (uint32_t points = 1; points <= 5; points += 4)
        for (ad_mode mode = AD_MODE_FORWARD; mode <= AD_MODE_REVERSE; mode++) {
          const ad_backend *backend = ad_backend_get(b);
          if (!ad_backend_supports(backend, mode) || (ad_backend_kind(backend) != AD_KIND_F64 && points > 1)) continue;
          graphs_use_simd(graphs_simd[simd]);
          graphs_run r = graphs_start(g, ad_backend_name(backend),
                                      (ad_workspace_options){.directions = 2, .reverse = true, .points = points});
          must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = n, .seed_count = size, .mode = mode},
                                         &graphs_error));
          size_t at = 0;
          for (size_t k = 0; k < ad_program_wrt_count(r.p); k++) {
            ad_span s = ad_workspace_gradient(r.w, ad_program_wrt(r.p, k));
            for (size_t i = 0; i < s.count; i++) {
              double got = ad_span_double(&s, i), wanted = want[at + i / points];
              ck_assert_msg(got == wanted || (isnan(got) && isnan(wanted)),
                            "%s, %s, %s, %u points: the gradient of %s by '%s'[%zu] is %g, not %g",
                            ad_backend_name(backend), mode == AD_MODE_FORWARD ? "forward" : "reverse",
                            graphs_simd[simd], points, ad_op_get(ad_graph_node_op(g, n))->name,
                            ad_graph_node_name(g, ad_program_wrt(r.p, k)), i / points, got, wanted);
            }
            at += s.count / points;
          }
          graphs_end(&r);
        }
  expect_gradient_graph(g, n, want);
  ad_graph_free(g);
}
#define WANT(...) ((const double[]){__VA_ARGS__})

/* `count` copies of x as one tensor, so that SIMD sees them; a scalar for 0. */
static ad_node spread(ad_graph *g, const char *name, double x, int64_t count) {
  return graphs_input(g, name, count ? SHAPE(count) : SCALAR, &x, 1);
}

static ad_graph *with(ad_kinks k) {
  ad_graph *g = graphs_new();
  must(ad_graph_set_kinks(g, &k, &graphs_error));
  return g;
}

/* One partial of an operation at a point, as a scalar and as a run of SIMD code. */
static void expect_partials(ad_kinks k, const char *op, size_t nargs, const double *at, const double *want) {
  static const char *const names[] = {"x", "y", "w"};
  for (int64_t count = 0; count <= 5; count += 5) {
    ad_graph *g = with(k);
    ad_node args[3];
    double all[15];
    for (size_t i = 0; i < nargs; i++) args[i] = spread(g, names[i], at[i], count);
    for (size_t i = 0; i < 15; i++) all[i] = want[count ? i / 5 < nargs ? i / 5 : 0 : i < nargs ? i : 0];
    expect_gradient(g, node(g, op, nargs, args), all);
  }
}

START_TEST(abs_and_relu_by_policy) {
  for (int v = -1; v <= 1; v++) {
    expect_partials((ad_kinks){.abs_at_zero = v}, "abs", 1, WANT(0.0), WANT(v));
    expect_partials((ad_kinks){.abs_at_zero = v}, "abs", 1, WANT(-0.0), WANT(v));
    expect_partials((ad_kinks){.abs_at_zero = v}, "abs", 1, WANT(0x1p-1074), WANT(1));
  }
  for (double v = 0; v <= 1; v += 0.5) {
    const ad_kinks k = {.relu_at_zero = v};
    expect_partials(k, "relu", 1, WANT(0), WANT(v));
    expect_partials(k, "relu", 1, WANT(-0x1p-1074), WANT(0));
    expect_partials(k, "leaky_relu", 2, WANT(0, 0.25), WANT(0.25 + 0.75 * v, 0));
    expect_partials(k, "clip", 3, WANT(1, 1, 2), WANT(v, 1 - v, 0));
    expect_partials(k, "clip", 3, WANT(2, 1, 2), WANT(v, 0, 1 - v));
  }
}
END_TEST

/* clip(x + t, lo + t, hi + t) = clip(x, lo, hi) + t: whatever the policy, the partials add up to 1. */
START_TEST(clip_partials_add_up) {
  static const double points[] = {-1, 0, 1};
  for (double v = 0; v <= 1; v += 0.5)
    for (int i = 0; i < 27; i++) {
      ad_graph *g = with((ad_kinks){.relu_at_zero = v});
      double at[3] = {points[i % 3], points[i / 3 % 3], points[i / 9]};
      ad_node t = graphs_input(g, "t", SCALAR, WANT(0), 1), args[3];
      for (int k = 0; k < 3; k++) args[k] = graphs_binary(g, "add", graphs_constant(g, at[k]), t);
      ad_node z = node(g, "clip", 3, args);
      double sum = graphs_derivative(g, "tape", z, 0, t, 0);
      ck_assert_msg(sum == 1, "clip(%g, %g, %g), policy %g: the partials add up to %g", at[0], at[1], at[2], v, sum);
      ad_graph_free(g);
    }
}
END_TEST

START_TEST(ties_by_policy) {
  static const double first[] = {0.5, 1, 0};
  for (int ties = AD_TIES_SHARE; ties <= AD_TIES_LAST; ties++) {
    const ad_kinks k = {.ties = (ad_ties)ties};
    expect_partials(k, "max", 2, WANT(3, 3), WANT(first[ties], 1 - first[ties]));
    expect_partials(k, "min", 2, WANT(3, 3), WANT(first[ties], 1 - first[ties]));
    expect_partials(k, "max", 2, WANT(0.0, -0.0), WANT(first[ties], 1 - first[ties]));
    expect_partials(k, "max", 2, WANT(3, 2), WANT(1, 0));
    expect_partials(k, "min", 2, WANT(3, 2), WANT(0, 1));
    ad_graph *g = with(k); /* max(x, x) is x */
    ad_node x = spread(g, "x", 3, 0);
    expect_gradient(g, graphs_binary(g, "max", x, x), WANT(1));
  }
}
END_TEST

START_TEST(ties_of_reductions_by_policy) {
  static const double x[] = {1, 7, 7, 2, 7, 0, 3, 3}; /* rows [1 7 7 2], [7 0 3 3] */
  static const double all[3][8] = {
      {0, 1.0 / 3, 1.0 / 3, 0, 1.0 / 3, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 1, 0, 0, 0}};
  static const double rows[3][8] = {{0, 0.5, 0.5, 0, 1, 0, 0, 0}, {0, 1, 0, 0, 1, 0, 0, 0}, {0, 0, 1, 0, 1, 0, 0, 0}};
  for (int ties = AD_TIES_SHARE; ties <= AD_TIES_LAST; ties++)
    for (int sign = 1; sign >= -1; sign -= 2) {
      const char *op = sign > 0 ? "reduce_max" : "reduce_min";
      double signed_x[8];
      for (int i = 0; i < 8; i++) signed_x[i] = sign * x[i];
      ad_graph *g = with((ad_kinks){.ties = (ad_ties)ties});
      ad_node in = graphs_input(g, "x", SHAPE(2, 4), signed_x, 8);
      expect_gradient(g, graphs_unary(g, op, in), all[ties]);
      g = with((ad_kinks){.ties = (ad_ties)ties});
      in = graphs_input(g, "x", SHAPE(2, 4), signed_x, 8);
      expect_gradient(g, graphs_apply(g, op, 1, &in, ATTRS(INTS_ATTR("axis", 1))), rows[ties]);
    }
}
END_TEST

/* pow(0, 0), with an exponent that varies and with the constant 0, which is another program. */
START_TEST(pow_of_zeros_by_policy) {
  for (int undefined = 0; undefined < 2; undefined++)
    for (int constant = 0; constant < 2; constant++)
      for (int64_t count = 0; count <= 5; count += 5) {
        ad_graph *g = with((ad_kinks){.pow00_nan = undefined});
        ad_node x = spread(g, "x", 0, count), y = constant ? graphs_constant(g, 0) : spread(g, "y", 0, count);
        ad_node z = graphs_binary(g, "pow", x, y);
        for (size_t b = 0; b < ad_backend_count(); b++)
          for (int simd = 0; simd < GRAPHS_SIMD; simd++) {
            graphs_use_simd(graphs_simd[simd]);
            double got = graphs_value(g, ad_backend_name(ad_backend_get(b)), z, 0);
            ck_assert_msg(undefined ? isnan(got) : got == 1, "pow(0, 0), %s exponent, policy %s, %s, %s: %g",
                          constant ? "constant" : "variable", undefined ? "nan" : "1",
                          ad_backend_name(ad_backend_get(b)), graphs_simd[simd], got);
          }
        ad_graph_free(g);
      }
}
END_TEST

/* Powers with a constant integer exponent are smooth at 0. */
START_TEST(constant_powers_at_zero) {
  for (int n = 0; n < 4; n++)
    for (int64_t count = 0; count <= 5; count += 5) {
      ad_graph *g = graphs_new();
      ad_node x = spread(g, "x", 0, count);
      const double slope = n == 1;
      expect_gradient(g, graphs_binary(g, "pow", x, graphs_constant(g, n)), WANT(slope, slope, slope, slope, slope));
    }
}
END_TEST

/* ---- What is not taken makes no NaN */

START_TEST(untaken_branches) {
  static const double x[] = {-1, 0, 1, 4, 16, -3, 0.25};
  ad_graph *g = graphs_new(); /* where(x > 0, log(x), 0) */
  ad_node in = graphs_input(g, "x", SHAPE(7), x, 7), zero = graphs_constant(g, 0);
  ad_node positive = graphs_binary(g, "greater", in, zero);
  expect_gradient(g, node(g, "where", NODES(positive, graphs_unary(g, "log", in), zero)),
                  WANT(0, 0, 1, 0.25, 0.0625, 0, 4));
  g = graphs_new(); /* where(c, sqrt(x), x) with c = 0 at the edge of sqrt */
  in = graphs_input(g, "x", SHAPE(7), x, 7);
  positive = graphs_binary(g, "greater", in, graphs_constant(g, 0));
  expect_gradient(g, node(g, "where", NODES(positive, graphs_unary(g, "sqrt", in), in)),
                  WANT(1, 1, 0.5, 0.25, 0.125, 1, 1));
  g = graphs_new(); /* min(x, exp(y)) where exp(y) is infinite */
  ad_node a = spread(g, "a", 1, 5), b = spread(g, "b", 1000, 5);
  expect_gradient(g, graphs_binary(g, "min", a, graphs_unary(g, "exp", b)), WANT(1, 1, 1, 1, 1, 0, 0, 0, 0, 0));
  g = graphs_new(); /* reduce_max(sqrt(x)) with x = 0 not the largest */
  in = graphs_input(g, "x", SHAPE(2), WANT(0, 4), 2);
  expect_gradient(g, graphs_unary(g, "reduce_max", graphs_unary(g, "sqrt", in)), WANT(0, 0.25));
  g = graphs_new(); /* sqrt(x)[1] */
  in = graphs_input(g, "x", SHAPE(2), WANT(0, 4), 2);
  expect_gradient(g, graphs_apply(g, "slice", NODES(graphs_unary(g, "sqrt", in)), ATTRS(INTS_ATTR("start", 1))),
                  WANT(0, 0.25));
  g = graphs_new(); /* relu(log(x)) at x = 0, a long way down */
  in = spread(g, "x", 0, 5);
  expect_gradient(g, graphs_unary(g, "relu", graphs_unary(g, "log", in)), WANT(0, 0, 0, 0, 0));
  g = graphs_new();
  a = spread(g, "a", 0, 5), b = spread(g, "b", 0, 5);
  expect_gradient(g, graphs_binary(g, "hypot", a, b), WANT(0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  g = graphs_new(); /* floor has slope 0 wherever log stands */
  in = spread(g, "x", 0, 5);
  expect_gradient(g, graphs_unary(g, "floor", graphs_unary(g, "log", in)), WANT(0, 0, 0, 0, 0));
}
END_TEST

START_TEST(products_with_zeros) {
  ad_graph *g = graphs_new();
  ad_node in = graphs_input(g, "x", SHAPE(3), WANT(0, 2, 3), 3);
  expect_gradient(g, graphs_unary(g, "prod", in), WANT(6, 0, 0));
  g = graphs_new();
  in = graphs_input(g, "x", SHAPE(3), WANT(0, 0, 3), 3);
  expect_gradient(g, graphs_unary(g, "prod", in), WANT(0, 0, 0));
  g = graphs_new();
  in = graphs_input(g, "x", SHAPE(2, 2), WANT(0, 5, 7, 0), 4);
  expect_gradient(g, graphs_apply(g, "prod", 1, &in, ATTRS(INTS_ATTR("axis", 0))), WANT(7, 0, 0, 5));
  g = graphs_new(); /* a tangent of one factor meets only its own partial */
  in = graphs_input(g, "x", SHAPE(2), WANT(INFINITY, 2), 2);
  expect_gradient(g, graphs_unary(g, "prod", in), WANT(2, INFINITY));
}
END_TEST

/* Exponentials of huge numbers neither overflow nor turn to NaN. */
START_TEST(huge_exponentials) {
  static const struct {
    double x[3], softmax[3], logsumexp;
  } rows[] = {{{1000, -1000, 1000}, {0.5, 0, 0.5}, 1000 + 0x1.62e42fefa39efp-1},
              {{1e300, -1e300, 0}, {1, 0, 0}, 1e300},
              {{-1e300, -1e300, -1e308}, {0.5, 0.5, 0}, -1e300},
              {{-INFINITY, 0, 0}, {0, 0.5, 0.5}, 0x1.62e42fefa39efp-1},
              {{-INFINITY, -INFINITY, 3}, {0, 0, 1}, 3}};
  for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
    ad_graph *g = graphs_new();
    ad_node in = graphs_input(g, "x", SHAPE(3), rows[k].x, 3);
    ad_node soft = graphs_unary(g, "softmax", in), sum = graphs_unary(g, "logsumexp", in);
    for (size_t b = 0; b < ad_backend_count(); b++) {
      const char *name = ad_backend_name(ad_backend_get(b));
      ck_assert_double_eq(graphs_value(g, name, sum, 0), rows[k].logsumexp);
      for (size_t i = 0; i < 3; i++) ck_assert_double_eq(graphs_value(g, name, soft, i), rows[k].softmax[i]);
    }
    /* The slopes of logsumexp are softmax's values; those of softmax's elements together are 0. */
    expect_gradient(g, sum, rows[k].softmax);
    g = graphs_new();
    in = graphs_input(g, "x", SHAPE(3), rows[k].x, 3);
    expect_gradient(g, graphs_unary(g, "softmax", in), WANT(0, 0, 0));
  }
}
END_TEST

/* Directions that are zero meet no infinite factor. */
START_TEST(zero_tangents_in_products) {
  ad_graph *g = graphs_new();
  ad_node a = graphs_input(g, "a", SHAPE(2), WANT(1, 2), 2);
  ad_node b = graphs_tensor(g, SHAPE(2), WANT(INFINITY, 3), 2);
  expect_gradient(g, graphs_binary(g, "dot", a, b), WANT(INFINITY, 3));
  g = graphs_new();
  a = graphs_input(g, "a", SHAPE(4), WANT(1, 2, 3, 4), 4);
  b = graphs_tensor(g, SHAPE(4), WANT(INFINITY, 3, 2, -INFINITY), 4);
  expect_gradient(g, graphs_binary(g, "mul", a, b), WANT(INFINITY, 3, 2, -INFINITY));
}
END_TEST

/* ---- Saying where */

typedef struct seen {
  ad_node node;
  unsigned flags[8];
} seen;

static void note(void *context, ad_node n, size_t element, unsigned flags) {
  seen *s = context;
  if (n == s->node) s->flags[element] |= flags;
}

static void expect_flags(const char *op, const double *x, size_t count, const unsigned *want) {
  ad_graph *g = graphs_new();
  ad_node in = graphs_input(g, "x", SHAPE((int64_t)count), x, count);
  ad_node n = graphs_unary(g, op, in);
  for (size_t b = 0; b < ad_backend_count(); b++) {
    graphs_run r = graphs_start(g, ad_backend_name(ad_backend_get(b)), (ad_workspace_options){0});
    seen s = {.node = n};
    ad_workspace_diagnose(r.w, note, &s);
    for (size_t i = 0; i < count; i++)
      ck_assert_msg(s.flags[i] == want[i], "%s, %s(%g): flags %u, not %u", ad_backend_name(ad_backend_get(b)), op, x[i],
                    s.flags[i], want[i]);
    graphs_end(&r);
  }
  ad_graph_free(g);
}
#define FLAGS(...) ((const unsigned[]){__VA_ARGS__})

START_TEST(diagnosis_says_where) {
  enum { NO_NAN = AD_OUTSIDE | AD_MADE_NAN };
  expect_flags("abs", WANT(0, 1, -0.0, NAN), 4, FLAGS(AD_AT_KINK, 0, AD_AT_KINK, 0));
  expect_flags("sqrt", WANT(0, 1, -1, NAN), 4, FLAGS(AD_AT_EDGE, 0, NO_NAN, 0));
  expect_flags("log", WANT(0, 1, -1, INFINITY), 4, FLAGS(AD_AT_EDGE | AD_MADE_INF, 0, NO_NAN, 0));
  expect_flags("log1p", WANT(-1, 0, -2), 3, FLAGS(AD_AT_EDGE | AD_MADE_INF, 0, NO_NAN));
  expect_flags("asin", WANT(1, -1, 0.5, 1.5), 4, FLAGS(AD_AT_EDGE, AD_AT_EDGE, 0, NO_NAN));
  expect_flags("acosh", WANT(1, 2, 0.5), 3, FLAGS(AD_AT_EDGE, 0, NO_NAN));
  expect_flags("recip", WANT(0, 1), 2, FLAGS(AD_OUTSIDE | AD_MADE_INF, 0));
  expect_flags("floor", WANT(2, 2.5), 2, FLAGS(AD_AT_KINK, 0));
  expect_flags("round", WANT(2, 2.5, 3.25), 3, FLAGS(0, AD_AT_KINK, 0));
  expect_flags("cbrt", WANT(0, 1), 2, FLAGS(AD_AT_EDGE, 0));
  expect_flags("sin", WANT(INFINITY, 1), 2, FLAGS(AD_MADE_NAN, 0));
  expect_flags("relu", WANT(0, 1, -1), 3, FLAGS(AD_AT_KINK, 0, 0));
}
END_TEST

START_TEST(ties_are_kinks) {
  for (size_t b = 0; b < ad_backend_count(); b++) {
    ad_graph *g = graphs_new();
    ad_node in = graphs_input(g, "x", SHAPE(2, 3), WANT(1, 5, 5, 1, 2, 3), 6);
    ad_node m = graphs_apply(g, "reduce_max", 1, &in, ATTRS(INTS_ATTR("axis", 1)));
    graphs_run r = graphs_start(g, ad_backend_name(ad_backend_get(b)), (ad_workspace_options){0});
    seen s = {.node = m};
    ad_workspace_diagnose(r.w, note, &s);
    ck_assert_uint_eq(s.flags[0], AD_AT_KINK);
    ck_assert_uint_eq(s.flags[1], 0);
    graphs_end(&r);
    ad_graph_free(g);
  }
}
END_TEST

/* ---- Products in which a zero that is one all around the point multiplies nothing: not that of an input */

START_TEST(products_that_skip_zeros) {
  static const double at[] = {0, -0.0, 1, -2, INFINITY, -INFINITY, NAN, 0x1p-1074};
  enum { COUNT = sizeof at / sizeof *at };
  for (size_t i = 0; i < COUNT; i++)
    for (size_t j = 0; j < COUNT; j++)
      for (size_t b = 0; b < ad_backend_count(); b++)
        for (int simd = 0; simd < GRAPHS_SIMD; simd++)
          for (int64_t count = 0; count <= 5; count += 5) {
            graphs_use_simd(graphs_simd[simd]);
            ad_graph *g = graphs_new();
            const ad_node x = spread(g, "x", at[i], count), y = spread(g, "y", at[j], count);
            const ad_node one = graphs_binary(g, "mul_no_nan", x, y), both = graphs_binary(g, "mul_or_zero", x, y);
            const double product = at[i] * at[j];
            for (int k = 0; k < 2; k++) {
              const double got = graphs_value(g, ad_backend_name(ad_backend_get(b)), k ? both : one, 0);
              const double want = k && at[i] == 0 ? 0 : product;
              ck_assert_msg(got == want || (isnan(got) && isnan(want)) || fabs(want) < 0x1p-1000,
                            "%g times %g is %g, not %g", at[i], at[j], got, want);
            }
            ad_graph_free(g);
          }
  for (size_t i = 0; i < COUNT; i++)
    for (size_t b = 0; b < ad_backend_count(); b++) {
      ad_graph *g = graphs_new();
      const ad_node x = spread(g, "x", at[i], 0), zero = graphs_constant(g, 0);
      ck_assert(graphs_value(g, ad_backend_name(ad_backend_get(b)), graphs_binary(g, "mul_no_nan", x, zero), 0) == 0);
      ck_assert(graphs_value(g, ad_backend_name(ad_backend_get(b)), graphs_binary(g, "mul_no_nan", zero, x), 0) == 0);
      ck_assert(graphs_value(g, ad_backend_name(ad_backend_get(b)), graphs_binary(g, "mul_or_zero", x, zero), 0) == 0);
      ad_graph_free(g);
    }
  expect_partials((ad_kinks){0}, "mul_or_zero", 2, WANT(0, NAN), WANT(NAN, 0));
  expect_partials((ad_kinks){0}, "mul_no_nan", 2, WANT(0, 3), WANT(3, 0));
}
END_TEST

/* Small, and large enough for BLAS; a column of y and a row of x with what is not finite, beside zeros. */
START_TEST(matrix_products_that_skip_zeros) {
  for (int64_t n = 3; n <= 20; n += 17)
    for (int fixed = 0; fixed < 2; fixed++)
      for (size_t b = 0; b < ad_backend_count(); b++) {
        double x[400], y[400], z[400] = {0};
        for (int64_t i = 0; i < n * n; i++) x[i] = (double)(i * 7 % 5) - 2, y[i] = (double)(i * 5 % 7) - 3;
        x[1] = INFINITY, x[n + 1] = NAN, y[n] = NAN, y[n + 1] = 0, y[2 * n + 2] = -INFINITY;
        for (int64_t i = 0; i < n; i++)
          for (int64_t k = 0; k < n; k++)
            for (int64_t j = 0; j < n; j++) {
              const double a = x[i * n + k], c = y[k * n + j];
              if (!(fixed && (a == 0 || c == 0))) z[i * n + j] += a * c;
            }
        ad_graph *g = graphs_new();
        const ad_node xn = fixed ? graphs_tensor(g, SHAPE(n, n), x, (size_t)(n * n))
                                 : graphs_input(g, "x", SHAPE(n, n), x, (size_t)(n * n)),
                      yn = fixed ? graphs_tensor(g, SHAPE(n, n), y, (size_t)(n * n))
                                 : graphs_input(g, "y", SHAPE(n, n), y, (size_t)(n * n));
        const ad_node p = graphs_apply(g, "matmul_no_nan", NODES(xn, yn), 0, NULL);
        for (int64_t i = 0; i < n * n; i++) {
          const double got = graphs_value(g, ad_backend_name(ad_backend_get(b)), p, (size_t)i);
          ck_assert_msg(got == z[i] || (isnan(got) && isnan(z[i])), "n %d, fixed %d: %d is %g, not %g", (int)n, fixed,
                        (int)i, got, z[i]);
        }
        ad_graph_free(g);
      }
}
END_TEST

int main(void) {
  Suite *s = suite_create("kinks");
  TCase *t = tcase_create("policies and branches");
  tcase_set_timeout(t, 120);
  tcase_add_test(t, abs_and_relu_by_policy);
  tcase_add_test(t, clip_partials_add_up);
  tcase_add_test(t, ties_by_policy);
  tcase_add_test(t, ties_of_reductions_by_policy);
  tcase_add_test(t, pow_of_zeros_by_policy);
  tcase_add_test(t, constant_powers_at_zero);
  tcase_add_test(t, untaken_branches);
  tcase_add_test(t, products_with_zeros);
  tcase_add_test(t, huge_exponentials);
  tcase_add_test(t, zero_tangents_in_products);
  tcase_add_test(t, diagnosis_says_where);
  tcase_add_test(t, ties_are_kinks);
  tcase_add_test(t, products_that_skip_zeros);
  tcase_add_test(t, matrix_products_that_skip_zeros);
  suite_add_tcase(s, t);
  return suite_run(s);
}
