/* Mixed derivatives: closed forms, zeros by structure, digits where other derivatives are huge, and gradients of
 * gradients of gradients. */
#include <math.h>
#include <mpfr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

static mpfr_srcptr value(const ad_workspace *w, ad_node n) {
  return ad_workspace_value(w, n).data;
}

static ad_graph *read_graph(const char *inputs, const char *output) {
  char text[1000];
  ad_graph *g;
  int n = snprintf(text, sizeof text, "adtool: 1\ninputs: {%s}\noutputs: {f: '%s'}\n", inputs, output);
  must(ad_graph_read(&g, text, (size_t)n, "test", NULL, &graphs_error));
  return g;
}

/* ---- Closed forms */

/* All derivatives of exp(x/2 - y + 2 z) of one order: (1/2)^i (-1)^j 2^k f; the curves are as many as they. */
static void check_exponential(uint32_t order, const char *backend, double most_ulps) {
  ad_graph *g = read_graph("x: 0.25, y: 0.5, z: -0.125", "exp(x/2 - y + 2*z)");
  const ad_node f = ad_graph_output_node(g, 0);
  graphs_run r = graphs_start(g, backend, (ad_workspace_options){.precision = 400});
  ad_variable v[1000];
  double factor[200];
  size_t count = 0;
  for (uint32_t i = 0; i <= order; i++)
    for (uint32_t j = 0; i + j <= order; j++, count++) {
      for (uint32_t k = 0; k < order; k++) /* in falling order of the variables */
        v[count * order + k] = (ad_variable){k < order - i - j ? 2 : k < order - i ? 1 : 0, 0};
      factor[count] = ldexp(j % 2 ? -1 : 1, (int)(order - i - j) - (int)i);
    }
  ad_mixed *m;
  const ad_mixed_request request = {.order = order, .count = count, .variable = v};
  must(ad_mixed_new(&m, r.w, &request, &graphs_error));
  ck_assert_uint_eq(ad_mixed_directions(m), count);
  mpfr_t want;
  mpfr_init2(want, 400);
  for (int twice = 0; twice < 2; twice++) {
    must(ad_mixed_run(m, &graphs_error));
    for (size_t i = 0; i < count; i++) {
      const ad_span d = ad_mixed_derivative(m, i, 0);
      ck_assert_uint_eq(d.count, 1);
      if (d.kind == AD_KIND_MPFR) {
        mpfr_mul_d(want, value(r.w, f), factor[i], MPFR_RNDN);
        mpfr_sub(want, want, d.data, MPFR_RNDN);
        ck_assert(mpfr_zero_p(want) || mpfr_get_exp(want) < -300);
      } else {
        mpfr_set_d(want, -0.625, MPFR_RNDN); /* 1/8 - 1/2 - 1/4 */
        mpfr_exp(want, want, MPFR_RNDN);
        mpfr_mul_d(want, want, factor[i], MPFR_RNDN);
        const double off = ulps(ad_span_double(&d, 0), want);
        ck_assert_msg(off <= most_ulps, "derivative %zu of order %u: %g, %g ulps off", i, order, ad_span_double(&d, 0),
                      off);
      }
    }
  }
  mpfr_clear(want);
  ad_mixed_free(m);
  graphs_end(&r);
  ad_graph_free(g);
}

START_TEST(mixed_derivatives_of_an_exponential) {
  for (uint32_t order = 1; order <= 9; order++) check_exponential(order, "mpfr", 0);
  for (uint32_t order = 1; order <= 9; order++) check_exponential(order, "tape", 64);
}
END_TEST

/* Only the monomial's own derivative survives at 0, with its factorials; elements and tensors. */
START_TEST(mixed_derivatives_of_a_monomial) {
  ad_graph *g = read_graph("a: [0, 0, 0]", "stack(a[0]^3*a[1]^2*a[2], a[0]*a[1])");
  graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){0});
  static const ad_variable v[] = {{0, 0}, {0, 1}, {0, 0}, {0, 2}, {0, 1}, {0, 0}, /* 3! 2! 1! */
                                  {0, 0}, {0, 1}, {0, 0}, {0, 1}, {0, 1}, {0, 0},
                                  {0, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 2}};
  ad_mixed *m;
  must(ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 6, .count = 3, .variable = v}, &graphs_error));
  must(ad_mixed_run(m, &graphs_error));
  for (size_t i = 0; i < 3; i++) {
    const ad_span d = ad_mixed_derivative(m, i, 0);
    ck_assert_uint_eq(d.count, 2);
    ck_assert_double_eq(ad_span_double(&d, 0), i ? 0 : 12);
    ck_assert_double_eq(ad_span_double(&d, 1), 0);
  }
  ad_mixed_free(m);
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* The 150-th derivative of exp(x) is no problem though 150^150 overflows. */
START_TEST(high_orders_do_not_overflow) {
  enum { K = 150 };
  ad_graph *g = read_graph("x: 0", "exp(x)");
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){0});
  ad_variable v[K] = {{0, 0}};
  ad_mixed *m;
  must(ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = K, .count = 1, .variable = v}, &graphs_error));
  must(ad_mixed_run(m, &graphs_error));
  const ad_span d = ad_mixed_derivative(m, 0, 0);
  ck_assert_double_eq_tol(ad_span_double(&d, 0), 1, K * 0x1p-50);
  ad_mixed_free(m);
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* ---- Zeros and cancellation */

/* `by` names scalar inputs x, y, z, and u, v: elements of a vector a. */
typedef struct single {
  const char *f, *by;
  double want;
} single;

static size_t variables_of(const char *by, ad_variable *v) {
  size_t n = 0;
  for (; *by; by++)
    v[n++] = *by >= 'x' ? (ad_variable){(ad_node)(*by - 'x'), 0} : (ad_variable){3, (size_t)(*by - 'u')};
  return n;
}

/* At x = 0.5, y = 2, z = 0, a = [3, 4]. */
static const single singles[] = {
    {"exp(10*x) + sin(y)", "xxy", 0},
    {"exp(10*x) + sin(y)", "xy", 0},
    {"exp(700*x)*exp(700*x) + sin(y)", "xy", 0},
    {"1/z + 0*y", "yz", 0},
    {"1/z + x*y", "yz", 0},
    {"1/z + x*y", "xy", 1},
    {"x*y + y*z + x*z", "xyz", 0},
    {"x*y", "xxy", 0},
    {"x*y*z", "xyz", 1},
    {"x*y*z", "xxyz", 0},
    {"sqrt(z) + y*x", "xyz", 0},
    {"sqrt(z) + y*x", "yz", 0},
    {"sqrt(z) + y^2", "yy", 2},
    {"cbrt(z)*x + y", "yz", 0},
    {"log(z) + y*z", "yz", 1},
    {"log1p(z - 1) + y*z", "yz", 1},
    {"acos(1 - z) + x*z", "xz", 1},
    {"acosh(1 + z)*y + x*z", "xz", 1},
    {"z^2.5 + z^0.5 + y", "yz", 0},
    {"z^y + x", "xz", 0},
    {"lgamma(z) + x*y", "xz", 0},
    {"lgamma(z) + x*y", "xyz", 0},
    {"polygamma(1, z) + y", "yz", 0},
    {"xlogy(x, z) + y*z", "yz", 1},
    {"hypot(z, 0*z) + y*z*z", "yzz", 2},
    {"atan2(z, 0*z) + y*x", "xz", 0},
    {"abs(z)*y + x*z", "xz", 1},
    {"max(z, 0)*y + x*z", "xz", 1},
    {"where(z, 1/z, x*y)", "xy", 1},
    {"sum(exp(a))", "uv", 0},
    {"sum(exp(a)) + x*y", "ux", 0},
    {"dot(a, a)", "uv", 0},
    {"dot(a, a)", "uu", 2},
    {"prod(a)*x", "uvx", 1},
    {"prod(a)*x", "uux", 0},
    {"logsumexp(stack(x, 1/z)) + y*y", "xy", 0},
    {"logsumexp(a) + exp(x)", "ux", 0},
    {"sum(matmul(stack(a, a), a)) + x", "ux", 0},
    {"exp(40*x) + cos(300*y) + 5e-12*x^2*y/2", "xxy", 5e-12},
    {"exp(40*x) + cos(300*y) + exp(30*x)*z*5e-12/exp(15)", "xz", 1.5e-10},
    {"sin(1e4*x) + sin(1e4*y) + x^3*y^2", "xxxyy", 12},
    {"sum(exp(40*a)) + prod(a)*1e-5", "uv", 1e-5},
};
enum { SINGLES = sizeof singles / sizeof singles[0] };

START_TEST(single_derivatives) {
  const single *c = &singles[_i];
  static const char *const backends[] = {"tape", "mpfr"};
  ad_graph *g = read_graph("x: 0.5, y: 2, z: 0, a: [3, 4]", c->f);
  ad_variable v[8];
  const size_t order = variables_of(c->by, v);
  for (int b = 0; b < 2; b++) {
    graphs_run r = graphs_start(g, backends[b], (ad_workspace_options){0});
    ad_mixed *m;
    must(
        ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = (uint32_t)order, .count = 1, .variable = v}, &graphs_error));
    must(ad_mixed_run(m, &graphs_error));
    const ad_span d = ad_mixed_derivative(m, 0, 0);
    const double got = ad_span_double(&d, 0);
    ck_assert_msg(got == c->want || (c->want != 0 && fabs(got - c->want) <= 64 * 0x1p-53 * c->want),
                  "%s by %s, %s: %.17g, not %.17g", c->f, c->by, backends[b], got, c->want);
    ad_mixed_free(m);
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

/* (x + 1)^-p (y + 2)^-q ... of six variables by all of them, up to the order of each. */
START_TEST(many_variables) {
  enum { MOST = 6 };
  char inputs[200] = "", f[400] = "1", *i = inputs, *o = f + 1;
  ad_variable v[4 * MOST];
  uint32_t order = 0;
  mpfr_t want;
  mpfr_init2(want, 200);
  mpfr_set_ui(want, 1, MPFR_RNDN);
  for (int k = 0; k < MOST; k++) {
    const int times = _i == 0 ? 1 : k < 3 ? (k + _i) % 3 + 1 : 0;
    i += sprintf(i, "%sx%d: %d", k ? ", " : "", k, k + 1);
    o += sprintf(o, "*(x%d + 1)^-%d", k, k + 1);
    for (int t = 0; t < times; t++) {
      v[order++] = (ad_variable){(ad_node)k, 0};
      mpfr_mul_si(want, want, -(k + 1 + t), MPFR_RNDN);
    }
    for (int t = 0; t < k + 1 + times; t++) mpfr_div_ui(want, want, (unsigned)k + 2, MPFR_RNDN);
  }
  ad_graph *g = read_graph(inputs, f);
  for (int b = 0; b < 2; b++) {
    graphs_run r = graphs_start(g, b ? "mpfr" : "tape", (ad_workspace_options){0});
    ad_mixed *m;
    must(ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = order, .count = 1, .variable = v}, &graphs_error));
    must(ad_mixed_run(m, &graphs_error));
    const ad_span d = ad_mixed_derivative(m, 0, 0);
    ck_assert_msg(ulps(ad_span_double(&d, 0), want) <= (b ? 1 : 200), "%.17g, not %.17g", ad_span_double(&d, 0),
                  mpfr_get_d(want, MPFR_RNDN));
    ad_mixed_free(m);
    graphs_end(&r);
  }
  mpfr_clear(want);
  ad_graph_free(g);
}
END_TEST

/* ---- Random graphs: third derivatives as graphs of gradients, in MPFR; and double against MPFR */

static ad_graph *gradient_by(const ad_graph *g, size_t output, const ad_variable *x, const ad_variable *next) {
  ad_graph *d;
  const ad_derivative_request q = {.output_count = 1,
                                   .output = &output,
                                   .wrt_count = 1,
                                   .wrt = &next->input,
                                   .seed_count = 1,
                                   .element = x ? &x->element : &(const size_t){0}};
  must(ad_graph_gradient(&d, g, &q, &graphs_error));
  return d;
}

START_TEST(third_derivatives_of_random_graphs) {
  enum { BITS = 400, COUNT = 6 };
  size_t *used = calloc(ad_op_count(), sizeof *used);
  random_graph r = random_graph_new(ulps_seed() + 500 + (uint64_t)_i, 10, _i % 2, used);
  const ad_node f = ad_graph_output_node(r.g, 0);
  ad_variable v[3 * COUNT];
  for (size_t k = 0; k < 3 * COUNT; k++) {
    v[k].input = (ad_node)(ulps_random_bits(&r.random) % ad_graph_input_count(r.g));
    v[k].element = ulps_random_bits(&r.random) % (uint64_t)ad_shape_size(ad_graph_node_shape(r.g, v[k].input));
    if (k % 3 && k % 2) v[k] = v[k - 1];
  }
  graphs_run exact = graphs_start(r.g, "mpfr", (ad_workspace_options){.precision = BITS}),
             tape = graphs_start(r.g, "tape", (ad_workspace_options){0});
  ad_mixed *m, *d;
  const ad_mixed_request q = {3, COUNT, v, 1, &f};
  must(ad_mixed_new(&m, exact.w, &q, &graphs_error));
  must(ad_mixed_new(&d, tape.w, &q, &graphs_error));
  must(ad_mixed_run(m, &graphs_error));
  must(ad_mixed_run(d, &graphs_error));
  mpfr_t gap;
  mpfr_init2(gap, BITS);
  for (size_t k = 0; k < COUNT; k++) {
    const ad_variable *x = &v[3 * k];
    ad_graph *one = gradient_by(r.g, 0, NULL, &x[0]), *two = gradient_by(one, 1, &x[0], &x[1]),
             *three = gradient_by(two, 1, &x[1], &x[2]);
    graphs_run t = graphs_start(three, "mpfr", (ad_workspace_options){.precision = BITS});
    const ad_span got = ad_mixed_derivative(m, k, 0), rounded = ad_mixed_derivative(d, k, 0),
                  all = ad_workspace_value(t.w, ad_graph_output_node(three, 1));
    mpfr_srcptr want = (const __mpfr_struct *)all.data + x[2].element, have = got.data;
    mpfr_sub(gap, want, have, MPFR_RNDN);
    ck_assert_msg(
        mpfr_zero_p(gap) || (mpfr_nan_p(want) && mpfr_nan_p(have)) || (mpfr_number_p(gap) && mpfr_get_exp(gap) < -300),
        "derivative %zu is %g, not %g", k, mpfr_get_d(have, MPFR_RNDN), mpfr_get_d(want, MPFR_RNDN));
    const double size = fabs(mpfr_get_d(have, MPFR_RNDN));
    ck_assert_msg(!(fabs(ad_span_double(&rounded, 0) - mpfr_get_d(have, MPFR_RNDN)) > 1e-8 * (1 + size)),
                  "derivative %zu in double is %g, not %g", k, ad_span_double(&rounded, 0),
                  mpfr_get_d(have, MPFR_RNDN));
    if (mpfr_zero_p(want)) ck_assert(mpfr_get_exp(have) < -300 || mpfr_zero_p(have));
    graphs_end(&t);
    ad_graph_free(three);
    ad_graph_free(two);
    ad_graph_free(one);
  }
  mpfr_clear(gap);
  ad_mixed_free(m);
  ad_mixed_free(d);
  graphs_end(&exact);
  graphs_end(&tape);
  random_graph_free(&r);
  free(used);
}
END_TEST

/* ---- Where partials are singled out: one Hessian by all ways */

typedef struct edge {
  const char *f, *kinks;
  double x, y, want[3]; /* xx, xy, yy; NO: none is right but the same by all ways */
} edge;
#define NO 12345.0

static const edge edges[] = {
    {"x^y", "{}", 0, 1, {0, -INFINITY, 0}},
    {"x^y", "{}", 0, 2, {2, 0, 0}},
    {"x^y", "{}", 0, 3, {0, 0, 0}},
    {"x^y", "{}", 0, 2.5, {0, 0, 0}},
    {"leaky_relu(x, y)", "{}", 0, 0.25, {0, 1, 0}},
    {"leaky_relu(x, y)", "{relu: 0.5}", 0, 0.25, {0, 0.5, 0}},
    {"leaky_relu(x, y)", "{relu: 1}", 0, 0.25, {0, 0, 0}},
    {"leaky_relu(x, y)", "{}", -1, 0.25, {0, 1, 0}},
    {"xlogy(x, y)", "{}", 0, 0, {0, INFINITY, NO}},
    {"xlogy(x, y)", "{}", 0, 2, {0, 0.5, 0}},
    {"max(x, y)*x", "{}", 1, 1, {1, 0.5, 0}},
    {"clip(x, 0, y)*y", "{}", 1, 1, {NO, NO, NO}},
    {"abs(x)*y", "{abs: 1}", 0, 1, {0, 1, 0}},
};
enum { EDGES = sizeof edges / sizeof edges[0] };

static bool equal_or_nan(double a, double b) {
  return a == b || (isnan(a) && isnan(b));
}

static void expect_edge(const edge *c, const char *way, size_t i, size_t j, double got, double *seen) {
  double *first = &seen[i + j];
  if (c->want[i + j] != NO)
    ck_assert_msg(equal_or_nan(got, c->want[i + j]), "%s at (%g, %g), %s, entry %zu, %zu: %g, not %g", c->f, c->x, c->y,
                  way, i, j, got, c->want[i + j]);
  if (*first == NO) *first = got;
  ck_assert_msg(equal_or_nan(got, *first), "%s at (%g, %g), %s, entry %zu, %zu: %g, otherwise %g", c->f, c->x, c->y,
                way, i, j, got, *first);
}

START_TEST(one_hessian_at_edges) {
  const edge *c = &edges[_i];
  char text[400];
  ad_graph *g;
  double seen[3] = {NO, NO, NO};
  const int n = snprintf(text, sizeof text, "adtool: 1\nkinks: %s\ninputs: {x: %.17g, y: %.17g}\noutputs: {f: '%s'}\n",
                         c->kinks, c->x, c->y, c->f);
  must(ad_graph_read(&g, text, (size_t)n, "test", NULL, &graphs_error));
  for (int way = 0; way < 16; way++) {
    const bool mpfr = way & 1, reverse = way & 2, sparse = way & 4, swapped = way & 8;
    char name[80];
    snprintf(name, sizeof name, "%s %s %s%s", mpfr ? "mpfr" : "double", reverse ? "reverse" : "forward",
             sparse ? "sparse" : "dense", swapped ? " by y, x" : "");
    ad_hessian *h;
    const ad_hessian_options o = {.of = {.wrt_count = 2, .wrt = (ad_node[]){swapped, !swapped}},
                                  .mode = reverse ? AD_MODE_REVERSE : AD_MODE_FORWARD,
                                  .sparse = sparse,
                                  .columns = 2};
    must(ad_hessian_new(&h, g, mpfr ? ad_backend_find("mpfr") : NULL, &o, &graphs_error));
    must(ad_hessian_run(h, &graphs_error));
    ad_span v = ad_hessian_values(h);
    const ad_sparsity *s = ad_hessian_sparsity(h);
    for (size_t i = 0; i < 2; i++)
      for (size_t k = s ? s->start[i] : 0; k < (s ? s->start[i + 1] : 2); k++) {
        const size_t j = s ? s->column[k] : k;
        expect_edge(c, name, i ^ swapped, j ^ swapped, ad_span_double(&v, s ? k : 2 * i + k), seen);
      }
    for (size_t j = 0; j < 2 && !sparse; j++) {
      must(ad_hessian_products(h, (double[]){j == 0, j == 1}, 1, &graphs_error));
      v = ad_hessian_values(h);
      strcat(name, ", product");
      for (size_t i = 0; i < 2; i++) expect_edge(c, name, i ^ swapped, j ^ swapped, ad_span_double(&v, i), seen);
    }
    ad_hessian_free(h);
  }
  static const ad_variable by[] = {{0, 0}, {0, 0}, {0, 0}, {1, 0}, {1, 0}, {1, 0}};
  for (int b = 0; b < 2; b++) {
    graphs_run r = graphs_start(g, b ? "mpfr" : "tape", (ad_workspace_options){0});
    ad_mixed *m;
    must(ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 2, .count = 3, .variable = by}, &graphs_error));
    must(ad_mixed_run(m, &graphs_error));
    for (size_t i = 0; i < 3; i++) {
      const ad_span d = ad_mixed_derivative(m, i, 0);
      expect_edge(c, b ? "taylor mpfr" : "taylor", i / 2, (i + 1) / 2, ad_span_double(&d, 0), seen);
    }
    ad_mixed_free(m);
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- What can't be done */

START_TEST(wrong_use) {
  ad_graph *g = read_graph("x: 1, y: [1, 2]", "x*y");
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){0});
  ad_mixed *m;
  ad_variable v[40] = {{0, 0}, {1, 1}, {1, 0}};
  must_fail(AD_EUSAGE, "no mixed", ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 2}, &graphs_error));
  must_fail(AD_EUSAGE, "no mixed",
            ad_mixed_new(&m, r.w, &(ad_mixed_request){.count = 1, .variable = v}, &graphs_error));
  v[1].element = 2;
  must_fail(AD_EUSAGE, "no element 2",
            ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 2, .count = 1, .variable = v}, &graphs_error));
  v[1] = (ad_variable){9, 0};
  must_fail(AD_EUSAGE, "not an input",
            ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 2, .count = 1, .variable = v}, &graphs_error));
  v[1] = (ad_variable){1, 1};
  must(ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 3, .count = 1, .variable = v}, &graphs_error));
  must(ad_workspace_set_input(r.w, 0, &(double){2}, 1, &graphs_error));
  must_fail(AD_EUSAGE, "primal run first", ad_mixed_run(m, &graphs_error));
  ad_mixed_free(m);
  graphs_end(&r);
  ad_graph_free(g);
  g = read_graph("a: {shape: [40], value: 1}", "prod(a)");
  r = graphs_start(g, "tape", (ad_workspace_options){0});
  for (size_t i = 0; i < 40; i++) v[i] = (ad_variable){0, i};
  must_fail(AD_ELIMIT, "order 40",
            ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 40, .count = 1, .variable = v}, &graphs_error));
  must_fail(AD_ELIMIT, "series of order",
            ad_mixed_new(&m, r.w, &(ad_mixed_request){.order = 26, .count = 1, .variable = v}, &graphs_error));
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("mixed derivatives");
  TCase *t = tcase_create("mixed");
  tcase_set_timeout(t, 600);
  tcase_add_test(t, mixed_derivatives_of_an_exponential);
  tcase_add_test(t, mixed_derivatives_of_a_monomial);
  tcase_add_test(t, high_orders_do_not_overflow);
  tcase_add_loop_test(t, single_derivatives, 0, SINGLES);
  tcase_add_loop_test(t, many_variables, 0, 3);
  tcase_add_loop_test(t, third_derivatives_of_random_graphs, 0, 12);
  tcase_add_loop_test(t, one_hessian_at_edges, 0, EDGES);
  tcase_add_test(t, wrong_use);
  suite_add_tcase(s, t);
  return suite_run(s);
}
