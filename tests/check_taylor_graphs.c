/* Taylor series through whole graphs: identities between functions, structured and fused operations, curves, kinks
 * and powers at 0. */
#include <math.h>
#include <mpfr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curves.h"
#include "random_graph.h"
#include "suite.h"

static double coefficient(const ad_workspace *w, uint32_t j, ad_node n, size_t element) {
  const ad_span s = ad_workspace_coefficient(w, j, n);
  ck_assert_uint_lt(element, s.count);
  return ad_span_double(&s, element);
}

static ad_graph *read_graph(const char *inputs, const char *output) {
  char text[1000];
  ad_graph *g;
  int n = snprintf(text, sizeof text, "adtool: 1\ninputs: {%s}\noutputs: {f: '%s'}\n", inputs, output);
  must(ad_graph_read(&g, text, (size_t)n, "test", NULL, &graphs_error));
  return g;
}

/* ---- Identities */

enum { ORDER = 30, BITS = 700, AGREE_BITS = 500 };

/* What is 0 for all x, y > 0 near (0.7, 1.3). */
static const char *const zeros[] = {
    "exp(log(x)) - x",
    "log(exp(x)) - x",
    "sin(x)^2 + cos(x)^2 - 1",
    "sin(2*x) - 2*sin(x)*cos(x)",
    "tan(x)*cos(x) - sin(x)",
    "x/y*y - x",
    "recip(x) - 1/x",
    "x^y - exp(y*log(x))",
    "x^-3*x*x*x - 1",
    "x^7 - x*x*x*x*x*x*x",
    "sqrt(x)^2 - x",
    "cbrt(x)^3 - x",
    "sqr(x) - x*x",
    "hypot(x, y)^2 - x^2 - y^2",
    "asin(sin(x)) - x",
    "acos(cos(x)) - x",
    "atan(tan(x)) - x",
    "atan2(x, y) - atan(x/y)",
    "cosh(x)^2 - sinh(x)^2 - 1",
    "tanh(x) - sinh(x)/cosh(x)",
    "sech(x)*cosh(x) - 1",
    "asinh(sinh(x)) - x",
    "acosh(cosh(x)) - x",
    "atanh(tanh(x)) - x",
    "expm1(x) - exp(x) + 1",
    "log1p(expm1(x)) - x",
    "exp2(log2(x)) - x",
    "log10(x)*log(10) - log(x)",
    "xlogy(x, y) - x*log(y)",
    "erf(x) + erfc(x) - 1",
    "gauss(x) - exp(-x^2)",
    "gelu(x) - x*erfc(-x/sqrt(2))/2",
    "silu(x) - x*sigmoid(x)",
    "sigmoid(x) - 1/(1 + exp(-x))",
    "softplus(x) - log(1 + exp(x))",
    "lgamma(x + 1) - lgamma(x) - log(x)",
    "digamma(x + 1) - digamma(x) - 1/x",
    "polygamma(3, x + 1) - polygamma(3, x) + 6/x^4",
    "logsumexp(stack(x, y, x*y)) - log(exp(x) + exp(y) + exp(x*y))",
    "sum(softmax(stack(x, y, x*y))) - 1",
    "softmax(stack(x, y))[0] - exp(x)/(exp(x) + exp(y))",
    "prod(stack(x, y, sin(x))) - x*y*sin(x)",
    "dot(stack(x, y), stack(y, x)) - 2*x*y",
    "sum(cumsum(stack(x, y, x))) - 4*x - 2*y",
    "max(x, y) + min(x, y) - x - y",
    "abs(-x) - x",
    "leaky_relu(-x, y) + x*y",
    "where(less(x, y), x, y) - x",
    "clip(x*y, x, 2)/x - y",
};
enum { ZEROS = sizeof zeros / sizeof zeros[0] };

START_TEST(identities_between_functions) {
  ad_graph *g = read_graph("x: 0.7, y: 1.3", zeros[_i]);
  const ad_node f = ad_graph_output_node(g, 0);
  graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.precision = BITS, .order = ORDER});
  ulps_random random = {ulps_seed()};
  for (uint32_t j = 1; j <= ORDER; j++)
    for (ad_node x = 0; x < 2; x++)
      must(ad_workspace_seed_coefficient(r.w, j, x, 0, ulps_random_uniform(&random, -1, 1), &graphs_error));
  must(ad_workspace_taylor(r.w, &graphs_error));
  for (uint32_t j = 0; j <= ORDER; j++) {
    mpfr_srcptr c = curves_coefficient(r.w, j, f, 0);
    ck_assert_msg(mpfr_zero_p(c) || (mpfr_number_p(c) && mpfr_get_exp(c) < -AGREE_BITS), "%s: coefficient %u is %g",
                  zeros[_i], j, mpfr_get_d(c, MPFR_RNDN));
  }
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* f(x + t^2) has the coefficients of f(x + t) at even places, and nothing in between, also on edges and outside; but
 * f may depend on t itself where its slope is infinite, as sqrt(t^2) does; what comes behind a nan is nan. */
START_TEST(powers_of_t_may_be_missing) {
  static const double at[] = {-2, -1, -0.5, 0, 0.25, 1, 3, INFINITY};
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT || info->max_args != 1) return;
  for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
    ad_graph *g = graphs_new();
    ad_node x = graphs_input(g, "x", SCALAR, &at[k], 1), z = graphs_unary(g, info->name, x);
    must(ad_graph_output(g, "z", z, &graphs_error));
    graphs_run a = graphs_start(g, "mpfr", (ad_workspace_options){.order = 5}),
               b = graphs_start(g, "mpfr", (ad_workspace_options){.order = 11});
    must(ad_workspace_seed_coefficient(a.w, 1, x, 0, 1, &graphs_error));
    must(ad_workspace_seed_coefficient(b.w, 2, x, 0, 1, &graphs_error));
    must(ad_workspace_taylor(a.w, &graphs_error));
    must(ad_workspace_taylor(b.w, &graphs_error));
    for (uint32_t j = 0; j <= 11; j++) {
      const double got = coefficient(b.w, j, z, 0), want = j % 2 ? 0 : coefficient(a.w, j / 2, z, 0);
      if (j && isnan(coefficient(a.w, 0, z, 0))) continue; /* all are nan where the value is */
      if ((j == 1 && !isfinite(coefficient(a.w, 1, z, 0))) || (j && isnan(coefficient(b.w, j - 1, z, 0)))) {
        ck_assert_msg(isnan(got), "%s at %g: coefficient %u is %g", info->name, at[k], j, got);
        continue;
      }
      ck_assert_msg(
          (j % 2 == 0 && !isfinite(got) && !isfinite(want)) || got == want || fabs(got - want) < 0x1p-52 * fabs(want),
          "%s at %g: coefficient %u is %g, not %g", info->name, at[k], j, got, want);
    }
    graphs_end(&a);
    graphs_end(&b);
    ad_graph_free(g);
  }
}
END_TEST

/* ---- Graphs */

START_TEST(random_graphs_against_differences) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  const int rounds = (int)(12 * ulps_multiplier());
  for (int k = 0; k < rounds; k++) {
    const uint64_t seed = ulps_seed() + 1000 * (uint64_t)k;
    random_graph r = random_graph_new(seed, k % 2 ? 25 : 60, k % 2, used);
    char what[60];
    snprintf(what, sizeof what, "random graph %llu", (unsigned long long)seed);
    const size_t f = ad_graph_find_output(r.g, "f");
    curves_check_differences(r.g, ad_graph_output_node(r.g, f), seed, what);
    curves_check_double(r.g, ad_graph_output_node(r.g, f), seed, what);
    random_graph_free(&r);
  }
  free(used);
}
END_TEST

/* Each structured operation on tensors, by differences and in double. */
static const char *const structured[] = {
    "matmul(A, B)",
    "matmul(A, v)",
    "matmul(v, B)",
    "matmul(A, A)",
    "dot(v, v)",
    "transpose(A)",
    "reshape(A, shape=[9])",
    "broadcast_to(v, shape=[2, 3])",
    "A[::-1, 1]",
    "concat(A, B, axis=1)",
    "stack(v, v*v)",
    "gather(v, indices=[2, 0, 2])",
    "scatter_add(v, v, indices=[1, 1, 0])",
    "sum(A, axis=0)",
    "mean(A*B, axis=1)",
    "prod(A, axis=0)",
    "prod(A)",
    "reduce_max(A, axis=1)",
    "reduce_min(A)",
    "logsumexp(A, axis=0)",
    "softmax(A)",
    "softmax(40*A, axis=0)",
    "softmax(400*A, axis=0)",
    "logsumexp(400*A, axis=1)",
    "cumsum(A, axis=1)",
};
enum { STRUCTURED = sizeof structured / sizeof structured[0] };

START_TEST(structured_operations) {
  ad_graph *g = read_graph(
      "A: [[0.5, -1.25, 2], [1.5, 0.75, -0.25], [3, 1, -2]], B: [[1, 2, -1], [0.5, 0.25, 3], [-2, 1, 4]], "
      "v: [0.3, 1.7, -0.9]",
      structured[_i]);
  curves_check_differences(g, ad_graph_output_node(g, 0), ulps_seed(), structured[_i]);
  curves_check_double(g, ad_graph_output_node(g, 0), ulps_seed(), structured[_i]);
  ad_graph_free(g);
}
END_TEST

/* A zero among the factors is no division. */
START_TEST(products_with_zeros) {
  ad_graph *g = read_graph("x: [0, 2, 0]", "prod(x)");
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.order = 4});
  for (size_t i = 0; i < 3; i++) must(ad_workspace_seed_coefficient(r.w, 1, 0, i, 1, &graphs_error));
  must(ad_workspace_taylor(r.w, &graphs_error));
  static const double want[] = {0, 0, 2, 1, 0}; /* t (2 + t) t */
  for (uint32_t j = 0; j <= 4; j++) ck_assert_double_eq(coefficient(r.w, j, ad_graph_output_node(g, 0), 0), want[j]);
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* What does not move multiplies nothing, not even an infinity: along 1 + t + t^3. */
START_TEST(zeros_beside_infinities) {
  static const char *const graphs[] = {"x*y", "y*x", "matmul(stack(x, 0), stack(y, 0))", "prod(stack(x, y))"};
  static const double want[][4] = {{INFINITY, INFINITY, 0, INFINITY},
                                   {INFINITY, INFINITY, 0, INFINITY},
                                   {INFINITY, INFINITY, 0, INFINITY},
                                   {INFINITY, INFINITY, 0, INFINITY}};
  static const char *const backends[] = {"tape", "mpfr"};
  for (size_t k = 0; k < 8; k++) {
    ad_graph *g = read_graph("x: 1, y: inf", graphs[k / 2]);
    graphs_run r = graphs_start(g, backends[k % 2], (ad_workspace_options){.order = 3});
    must(ad_workspace_seed_coefficient(r.w, 1, 0, 0, 1, &graphs_error));
    must(ad_workspace_seed_coefficient(r.w, 3, 0, 0, 1, &graphs_error));
    must(ad_workspace_taylor(r.w, &graphs_error));
    for (uint32_t j = 0; j <= 3; j++)
      ck_assert_msg(coefficient(r.w, j, ad_graph_output_node(g, 0), 0) == want[k / 2][j], "%s, coefficient %u is %g",
                    graphs[k / 2], j, coefficient(r.w, j, ad_graph_output_node(g, 0), 0));
    graphs_end(&r);
    ad_graph_free(g);
  }
}
END_TEST

/* Strip by strip, by one thread or after several, as all at once, bit for bit. */
START_TEST(fused_operations) {
  enum { N = 200000, K = 4 };
  ad_graph *g = read_graph("x: {shape: [200000], value: 0.25}, y: {shape: [200000], value: 0.5, diff: no}",
                           "sum(exp(sin(x)*y)/(1 + x^2) + max(x, y)) + sum(sin(exp(y))*x)");
  const ad_node f = ad_graph_output_node(g, 0);
  double got[3][K + 1];
  for (int way = 0; way < 3; way++) {
    ad_program *p;
    ad_workspace *w;
    ulps_random random = {ulps_seed()};
    must(ad_program_new(&p, g, &(ad_program_options){.keep_all = way == 1}, &graphs_error));
    const ad_workspace_options o = {.order = K, .threads = way == 2 ? 3 : 1};
    must(ad_workspace_new(&w, p, ad_backend_find("tape"), &o, &graphs_error));
    double *x = malloc(N * sizeof *x);
    for (size_t i = 0; i < N; i++) x[i] = ulps_random_uniform(&random, -1, 1);
    must(ad_workspace_set_input(w, 0, x, N, &graphs_error));
    free(x);
    must(ad_workspace_primal(w, &graphs_error));
    curves_seed(w, ulps_seed());
    must(ad_workspace_taylor(w, &graphs_error));
    for (uint32_t j = 0; j <= K; j++) got[way][j] = coefficient(w, j, f, 0);
    ad_workspace_free(w);
    ad_program_free(p);
  }
  for (int j = 0; j <= K; j++) {
    ck_assert_double_eq(got[0][j], got[1][j]);
    ck_assert_double_eq(got[0][j], got[2][j]);
    ck_assert(got[0][j] != 0 && isfinite(got[0][j]));
  }
  ad_graph_free(g);
}
END_TEST

/* Tensors that share memory give what they give apart, bit for bit, also beside those that don't move. */
START_TEST(shared_memory) {
  enum { K = 3 };
  ad_graph *g = read_graph("x: {shape: [40], value: 0.25}, y: {shape: [40], value: 0.5, diff: no}",
                           "sum(concat(sin(exp(sin(x) + x) + 1)*x, cos(exp(y) + 1))^2 + 1) + "
                           "sum(concat(cos(y) + 1, x + 1) + concat(exp(x), cos(cos(y) + 2)))");
  const ad_node f = ad_graph_output_node(g, 0);
  double got[2][K + 1];
  for (int packed = 0; packed < 2; packed++) {
    ad_program *p;
    ad_workspace *w;
    must(ad_program_new(&p, g, &(ad_program_options){.outputs_only = packed}, &graphs_error));
    must(ad_workspace_new(&w, p, ad_backend_find("tape"), &(ad_workspace_options){.order = K}, &graphs_error));
    for (int twice = 0; twice < 2; twice++) {
      must(ad_workspace_primal(w, &graphs_error));
      curves_seed(w, ulps_seed());
      must(ad_workspace_taylor(w, &graphs_error));
      for (uint32_t j = 0; j <= K; j++) got[packed][j] = coefficient(w, j, f, 0);
      if (packed)
        for (int j = 0; j <= K; j++) ck_assert_double_eq(got[0][j], got[1][j]);
    }
    ad_workspace_free(w);
    ad_program_free(p);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- Powers at 0 and kinks: f along x = x_0 + t + 2 t^2, y = y_0 + 3 t */

typedef struct local {
  const char *f, *inputs, *kinks;
  double want[7];
} local;

static const local locals[] = {
    {"x^3", "x: 0, y: 0", "", {0, 0, 0, 1, 6, 12, 8}},
    {"x^2", "x: 0, y: 0", "", {0, 0, 1, 4, 4}},
    {"x^1", "x: 0, y: 0", "", {0, 1, 2}},
    {"x^0", "x: 0, y: 0", "", {1}},
    {"x^100", "x: 0, y: 0", "", {0}},
    {"x^1e300", "x: 0, y: 0", "", {0}},
    {"x^3", "x: -2, y: 0", "", {-8, 12, 18, -23, -18, 12, 8}},
    {"pow(x, 0*y + 3)", "x: 0, y: 0", "", {0, 0, 0, 1, 6, 12, 8}},
    {"x^2.5", "x: 0, y: 0", "", {0, 0, 0, INFINITY, -INFINITY, INFINITY, -INFINITY}},
    {"(x^2)^1.5", "x: 0, y: 0", "", {0, 0, 0, NAN, NAN, NAN, NAN}},       /* the cube of |t| */
    {"x^(2 + y)", "x: 0, y: 0", "", {0, 0, 1, -INFINITY, NAN, NAN, NAN}}, /* t^2 + 3 t^3 log(t) + ... */
    {"x^(2 + y*y)", "x: 0, y: 0", "", {0, 0, 1, 4, -INFINITY, NAN, NAN}},
    {"(x*x)^(1.25 + y)", "x: 0, y: 0", "", {0, 0, 0, NAN, NAN, NAN, NAN}},
    {"x^(0.5 + y)", "x: 0, y: 0", "", {0, INFINITY, NAN, NAN, NAN, NAN, NAN}},
    {"x*x*y", "x: 0, y: 0", "", {0, 0, 0, 3, 12, 12}},
    {"abs(x)", "x: 0, y: 0", "", {0}},
    {"abs(x)", "x: 0, y: 0", "abs: 1", {0, 1, 2}},
    {"abs(x)", "x: 0, y: 0", "abs: -1", {0, -1, -2}},
    {"abs(x)", "x: -1, y: 0", "", {1, -1, -2}},
    {"relu(x)", "x: 0, y: 0", "", {0}},
    {"relu(x)", "x: 0, y: 0", "relu: 0.5", {0, 0.5, 1}},
    {"relu(x)", "x: 1, y: 0", "", {1, 1, 2}},
    {"max(x, y)", "x: 1, y: 1", "", {1, 2, 1}},
    {"max(x, y)", "x: 1, y: 1", "ties: first", {1, 1, 2}},
    {"min(x, y)", "x: 1, y: 1", "ties: last", {1, 3}},
    {"reduce_max(stack(x, y, x))", "x: 1, y: 2", "", {2, 3}},
    {"reduce_min(stack(x, y))", "x: 1, y: 1", "ties: last", {1, 3}},
    {"rem(x, y)", "x: 7, y: 4", "", {3, -2, 2}},
    {"floor(x) + sign(x) + less(x, y)", "x: 0.5, y: 4", "", {2}},
    {"hypot(x, y)", "x: 0, y: 0", "", {0, 0, NAN, NAN, NAN, NAN, NAN}},
    {"hypot(x, y)^2", "x: 0, y: 0", "", {0, 0, NAN, NAN, NAN, NAN, NAN}},
    {"sqrt(x)", "x: 0, y: 0", "", {0, INFINITY, -INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY}},
};
enum { LOCALS = sizeof locals / sizeof locals[0] };

START_TEST(powers_at_0_and_kinks) {
  const local *l = &locals[_i];
  static const char *const backends[] = {"tape", "mpfr"};
  char text[400];
  ad_graph *g;
  int n = snprintf(text, sizeof text, "adtool: 1\n%s%s%sinputs: {%s}\noutputs: {f: '%s'}\n",
                   *l->kinks ? "kinks: {" : "", l->kinks, *l->kinks ? "}\n" : "", l->inputs, l->f);
  must(ad_graph_read(&g, text, (size_t)n, "test", NULL, &graphs_error));
  const ad_node f = ad_graph_output_node(g, 0);
  for (int b = 0; b < 2; b++) {
    graphs_run r = graphs_start(g, backends[b], (ad_workspace_options){.order = 6});
    must(ad_workspace_seed_coefficient(r.w, 1, 0, 0, 1, &graphs_error));
    must(ad_workspace_seed_coefficient(r.w, 2, 0, 0, 2, &graphs_error));
    must(ad_workspace_seed_coefficient(r.w, 1, 1, 0, 3, &graphs_error));
    must(ad_workspace_taylor(r.w, &graphs_error));
    for (uint32_t j = 0; j <= 6; j++) {
      const double got = coefficient(r.w, j, f, 0), want = l->want[j];
      ck_assert_msg(got == want || fabs(got - want) <= 0x1p-50 * fabs(want) || (isinf(want) && !isfinite(got)) ||
                        (isnan(want) && isnan(got)),
                    "%s (%s; %s): coefficient %u is %g, not %g", l->f, l->inputs, l->kinks, j, got, want);
    }
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- Coefficient 1 is the tangent, also where tangents on the way are infinite */

static const char *const firsts[] = {
    "cbrt(x)^3",
    "cbrt(x)*cbrt(x)*cbrt(x)",
    "sqr(sqrt(x))",
    "sqrt(x)^2",
    "sqrt(x)^1",
    "sqrt(x)^0",
    "exp(log(x))",
    "sqrt(x*x)",
    "1/(1/x)",
    "x^0.5*x^0.5",
    "acos(1 - x)^2",
    "(1 + x)/x",
    "cbrt(x^3)",
    "x*log(x)",
    "xlogy(x, x)",
    "log(x)/x",
    "sqrt(x) + 1/x",
    "recip(recip(x))",
    "atan2(x, x)",
    "hypot(x, x)",
    "x^x",
    "sqrt(x)/sqrt(x)",
    "exp(-1/x^2)",
    "max(sqrt(x), x)",
    "prod(stack(cbrt(x), cbrt(x), cbrt(x)))",
    "logsumexp(stack(sqrt(x), 1/x))",
    "dot(stack(cbrt(x), x), stack(x, x))",
};
enum { FIRSTS = sizeof firsts / sizeof firsts[0] };

START_TEST(first_coefficients) {
  static const char *const backends[] = {"dual", "mpfr"};
  ad_graph *g = read_graph("x: 0", firsts[_i]);
  const ad_node f = ad_graph_output_node(g, 0);
  for (int b = 0; b < 2; b++) {
    graphs_run r = graphs_start(g, backends[b], (ad_workspace_options){.order = 4, .directions = 1});
    must(ad_workspace_seed_tangent(r.w, 0, 0, 0, 1, &graphs_error));
    must(ad_workspace_seed_coefficient(r.w, 1, 0, 0, 1, &graphs_error));
    must(ad_workspace_forward(r.w, &graphs_error));
    must(ad_workspace_taylor(r.w, &graphs_error));
    const ad_span d = ad_workspace_tangent(r.w, 0, f);
    const double want = ad_span_double(&d, 0), got = coefficient(r.w, 1, f, 0);
    ck_assert_msg(got == want || (isnan(got) && isnan(want)), "%s, %s: coefficient 1 is %g, the tangent %g", firsts[_i],
                  backends[b], got, want);
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- What can't be done */

/* Elements of inputs that may move but have no seed stand still, whatever slope is there: sqrt(1/4 + t) alone. */
static const char *const stills[] = {"sum(sqrt(x)) + sum(y)", "sqrt(x[0]) + sqrt(x[1]) + y[0]",
                                     "sum(sqrt(stack(x[0], 0, y[1])))", "sqrt(x[0]) + sum(sqrt(sqrt(y)*1.5))",
                                     "sqrt(x[0]) + sum(cbrt(y)*sqrt(y))"};
enum { STILLS = sizeof stills / sizeof stills[0] };

START_TEST(what_has_no_seed_stands_still) {
  static const char *const backends[] = {"dual", "mpfr"};
  static const double want[] = {0.5, 1, -1, 2};
  ad_graph *g = read_graph("x: [0.25, 0], y: {shape: [3000], fill: 0}", stills[_i]);
  for (int b = 0; b < 2; b++) {
    graphs_run r = graphs_start(g, backends[b], (ad_workspace_options){.order = 3});
    must(ad_workspace_seed_coefficient(r.w, 1, 0, 0, 1, &graphs_error));
    must(ad_workspace_taylor(r.w, &graphs_error));
    for (uint32_t j = 0; j <= 3; j++)
      ck_assert_msg(coefficient(r.w, j, ad_graph_output_node(g, 0), 0) == want[j], "%s, %s: coefficient %u is %g",
                    stills[_i], backends[b], j, coefficient(r.w, j, ad_graph_output_node(g, 0), 0));
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

START_TEST(wrong_use) {
  ad_graph *g = read_graph("x: 1, y: [1, 2]", "x*y"), *other = read_graph("x: 1", "x");
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.order = 2});
  const ad_backend *tape = ad_backend_find("tape");
  ad_workspace *w;
  ad_point *p;
  must_fail(AD_EUSAGE, "one point",
            ad_workspace_new(&w, r.p, tape, &(ad_workspace_options){.order = 1, .points = 2}, &graphs_error));
  must_fail(AD_ELIMIT, "order 4294967295",
            ad_workspace_new(&w, r.p, tape, &(ad_workspace_options){.order = UINT32_MAX}, &graphs_error));
  must_fail(AD_EUSAGE, "coefficient 3", ad_workspace_seed_coefficient(r.w, 3, 0, 0, 1, &graphs_error));
  must_fail(AD_EUSAGE, "coefficient 0", ad_workspace_seed_coefficient(r.w, 0, 0, 0, 1, &graphs_error));
  must_fail(AD_EUSAGE, "not an input", ad_workspace_seed_coefficient(r.w, 1, 7, 0, 1, &graphs_error));
  must(ad_point_new(&p, other, &graphs_error));
  must_fail(AD_EUSAGE, "another graph", ad_workspace_set_direction(r.w, p, &graphs_error));
  ad_point_free(p);
  must(ad_workspace_new(&w, r.p, tape, &(ad_workspace_options){.order = 1}, &graphs_error));
  must_fail(AD_EUSAGE, "primal run first", ad_workspace_taylor(w, &graphs_error));
  ad_workspace_free(w);
  must(ad_workspace_new(&w, r.p, tape, NULL, &graphs_error));
  must_fail(AD_EUSAGE, "without", ad_workspace_taylor(w, &graphs_error));
  ck_assert_uint_eq(ad_workspace_coefficient(w, 1, 0).count, 0);
  ad_workspace_free(w);
  graphs_end(&r);
  ad_graph_free(other);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("Taylor series of graphs");
  TCase *t = tcase_create("graphs");
  tcase_set_timeout(t, 600);
  tcase_add_loop_test(t, identities_between_functions, 0, ZEROS);
  tcase_add_loop_test(t, powers_of_t_may_be_missing, 0, (int)ad_op_count());
  tcase_add_test(t, random_graphs_against_differences);
  tcase_add_loop_test(t, structured_operations, 0, STRUCTURED);
  tcase_add_test(t, products_with_zeros);
  tcase_add_test(t, zeros_beside_infinities);
  tcase_add_test(t, fused_operations);
  tcase_add_test(t, shared_memory);
  tcase_add_loop_test(t, powers_at_0_and_kinks, 0, LOCALS);
  tcase_add_loop_test(t, first_coefficients, 0, FIRSTS);
  tcase_add_loop_test(t, what_has_no_seed_stands_still, 0, STILLS);
  tcase_add_test(t, wrong_use);
  suite_add_tcase(s, t);
  return suite_run(s);
}
