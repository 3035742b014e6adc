/* Hessians and their products: closed forms in MPFR and in double, and differences of gradients that know nothing of
 * the gradient's graph. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "exec/workspace.h"
#include "graphs.h"
#include "problems.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

#define ERR (&graphs_error)
enum { BITS = 300, AGREE_BITS = 270, ULPS = 64 };

static mpfr_srcptr number(ad_span s, size_t i) {
  ck_assert_uint_lt(i, s.count);
  return (const __mpfr_struct *)s.data + i;
}

static ad_hessian *plan(const ad_graph *g, const char *backend, ad_mode mode, const ad_derivative_request *r) {
  ad_hessian *h;
  ad_hessian_options o = {.mode = mode, .precision = BITS};
  if (r) o.of = *r;
  must(ad_hessian_new(&h, g, ad_backend_find(backend), &o, ERR));
  return h;
}

/* ---- Closed forms */

/* An entry into r, whose precision is BITS. */
typedef void closed_form(mpfr_ptr r, const double *x, size_t n, size_t i, size_t j);

/* By dual, tape and the gradient's gradient's graph within ULPS, in MPFR by both modes to nearly all bits. */
static void expect_closed_form(ad_graph *g, const double *x, size_t n, closed_form *entry) {
  static const struct {
    const char *backend;
    ad_mode mode;
  } ways[] = {
      {"dual", AD_MODE_FORWARD}, {"tape", AD_MODE_REVERSE}, {"mpfr", AD_MODE_FORWARD}, {"mpfr", AD_MODE_REVERSE}};
  mpfr_t want, gap;
  mpfr_inits2(BITS, want, gap, (mpfr_ptr)0);
  for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
    ad_hessian *h = plan(g, ways[k].backend, ways[k].mode, NULL);
    must(ad_hessian_run(h, ERR));
    const ad_span v = ad_hessian_values(h);
    ck_assert_uint_eq(v.count, n * n);
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) {
        entry(want, x, n, i, j);
        if (v.kind == AD_KIND_F64) {
          const double got = ad_span_double(&v, i * n + j);
          ck_assert_msg(ulps(got, want) <= ULPS, "%s: entry %zu, %zu is %.17g, not %.17g", ways[k].backend, i, j, got,
                        mpfr_get_d(want, MPFR_RNDN));
          ck_assert_double_eq(got, ad_span_double(&v, j * n + i));
          continue;
        }
        mpfr_sub(gap, number(v, i * n + j), want, MPFR_RNDN);
        ck_assert_msg(mpfr_zero_p(gap) || mpfr_get_exp(gap) < (mpfr_zero_p(want) ? 0 : mpfr_get_exp(want)) - AGREE_BITS,
                      "mpfr, mode %d: entry %zu, %zu is %.17g, not %.17g", (int)ways[k].mode, i, j,
                      mpfr_get_d(number(v, i * n + j), MPFR_RNDN), mpfr_get_d(want, MPFR_RNDN));
      }
    ad_hessian_free(h);
  }
  ad_graph *d, *dd;
  must(ad_graph_gradient(&d, g, NULL, ERR));
  for (size_t i = 0; i < n; i++) {
    const size_t output = 1;
    must(ad_graph_gradient(
        &dd, d, &(ad_derivative_request){.output_count = 1, .output = &output, .seed_count = 1, .element = &i}, ERR));
    for (size_t j = 0; j < n; j++) {
      const double got = graphs_value(dd, "tape", ad_graph_output_node(dd, 1), j);
      entry(want, x, n, i, j);
      ck_assert_msg(ulps(got, want) <= ULPS, "graph of the gradient's gradient: entry %zu, %zu is %.17g, not %.17g", i,
                    j, got, mpfr_get_d(want, MPFR_RNDN));
    }
    ad_graph_free(dd);
  }
  ad_graph_free(d);
  ad_graph_free(g);
  mpfr_clears(want, gap, (mpfr_ptr)0);
}

static ad_node at(ad_graph *g, ad_node x, size_t i) {
  const int64_t k = (int64_t)i;
  return graphs_apply(g, "slice", NODES(x),
                      ATTRS(INTS_ATTR("start", k), INTS_ATTR("stop", k + 1), INTS_ATTR("squeeze", 0)));
}

/* sum_i 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, by scalars. */
static ad_graph *rosenbrock(const double *x, size_t n) {
  ad_graph *g = graphs_new();
  const ad_node in = graphs_input(g, "x", SHAPE((int64_t)n), x, n);
  ad_node f = AD_NO_NODE;
  for (size_t i = 0; i + 1 < n; i++) {
    const ad_node a = at(g, in, i), b = at(g, in, i + 1);
    const ad_node c = graphs_unary(g, "sqr", graphs_binary(g, "sub", b, graphs_binary(g, "mul", a, a)));
    const ad_node e = graphs_unary(g, "sqr", graphs_binary(g, "sub", graphs_constant(g, 1), a));
    const ad_node term = graphs_binary(g, "add", graphs_binary(g, "mul", graphs_constant(g, 100), c), e);
    f = i ? graphs_binary(g, "add", f, term) : term;
  }
  must(ad_graph_output(g, "f", f, ERR));
  return g;
}

static void rosenbrock_entry(mpfr_ptr r, const double *x, size_t n, size_t i, size_t j) {
  double v = 0; /* exact: x is a short binary fraction */
  if (i == j && i + 1 < n) v += 1200 * x[i] * x[i] - 400 * x[i + 1] + 2;
  if (i == j && i > 0) v += 200;
  if (i + 1 == j) v = -400 * x[i];
  if (j + 1 == i) v = -400 * x[j];
  mpfr_set_d(r, v, MPFR_RNDN);
}

static void product_entry(mpfr_ptr r, const double *x, size_t n, size_t i, size_t j) {
  mpfr_set_ui(r, i != j, MPFR_RNDN);
  for (size_t k = 0; k < n; k++)
    if (k != i && k != j) mpfr_mul_d(r, r, x[k], MPFR_RNDN);
}

/* p_i (i == j) - p_i p_j, where 1 - p_i is the sum of the others: nothing cancels. */
static void logsumexp_entry(mpfr_ptr r, const double *x, size_t n, size_t i, size_t j) {
  mpfr_t all, others, e;
  mpfr_inits2(BITS + 60, all, others, e, (mpfr_ptr)0);
  mpfr_set_zero(all, 1);
  mpfr_set_zero(others, 1);
  for (size_t k = 0; k < n; k++) {
    mpfr_set_d(e, x[k], MPFR_RNDN);
    mpfr_exp(e, e, MPFR_RNDN);
    mpfr_add(all, all, e, MPFR_RNDN);
    if (k != i) mpfr_add(others, others, e, MPFR_RNDN);
  }
  mpfr_set_d(e, x[i], MPFR_RNDN);
  mpfr_exp(e, e, MPFR_RNDN);
  mpfr_div(e, e, all, MPFR_RNDN);
  if (i == j) {
    mpfr_mul(e, e, others, MPFR_RNDN);
    mpfr_div(r, e, all, MPFR_RNDN);
  } else {
    mpfr_neg(e, e, MPFR_RNDN);
    mpfr_set_d(others, x[j], MPFR_RNDN);
    mpfr_exp(others, others, MPFR_RNDN);
    mpfr_mul(e, e, others, MPFR_RNDN);
    mpfr_div(r, e, all, MPFR_RNDN);
  }
  mpfr_clears(all, others, e, (mpfr_ptr)0);
}

/* sum_i sin x[i]: partials of the sines, which the gradient does not read, could be kept, too. */
static ad_graph *waves(const double *x, size_t n) {
  ad_graph *g = graphs_new();
  const ad_node sines = graphs_unary(g, "sin", graphs_input(g, "x", SHAPE((int64_t)n), x, n));
  must(ad_graph_output(g, "f", graphs_unary(g, "sum", sines), ERR));
  return g;
}

static void waves_entry(mpfr_ptr r, const double *x, size_t n, size_t i, size_t j) {
  (void)n;
  mpfr_set_d(r, x[i], MPFR_RNDN);
  mpfr_sin(r, r, MPFR_RNDN);
  mpfr_neg(r, r, MPFR_RNDN);
  if (i != j) mpfr_set_zero(r, 1);
}

static ad_graph *of_one(const char *op, const double *x, size_t n) {
  ad_graph *g = graphs_new();
  must(ad_graph_output(g, "f", graphs_unary(g, op, graphs_input(g, "x", SHAPE((int64_t)n), x, n)), ERR));
  return g;
}

START_TEST(closed_forms) {
  static const double x[] = {1.5, -0.75, 2, 0.125, -1.25, 3, 0.5, -2.5, 1, 0.25, 4}, zeros[] = {2, 0, -1.5, 3, 0, 7};
  for (size_t n = 1; n <= sizeof x / sizeof *x; n++) { /* more and fewer columns than tangents at once */
    if (n > 1) expect_closed_form(rosenbrock(x, n), x, n, rosenbrock_entry);
    expect_closed_form(of_one("prod", x, n), x, n, product_entry);
    expect_closed_form(of_one("logsumexp", x, n), x, n, logsumexp_entry);
    expect_closed_form(waves(x, n), x, n, waves_entry);
  }
  expect_closed_form(of_one("prod", zeros, 4), zeros, 4, product_entry);
  expect_closed_form(of_one("prod", zeros, 6), zeros, 6, product_entry);
}
END_TEST

/* ---- Products, requests, points */

static ad_graph *graph(const char *inputs, const char *outputs) {
  char text[600];
  ad_graph *g;
  const int n = snprintf(text, sizeof text, "adtool: 1\ninputs: {%s}\noutputs: {%s}\n", inputs, outputs);
  must(ad_graph_read(&g, text, (size_t)n, "test", NULL, ERR));
  return g;
}

/* The values of the last run are these, exactly. */
static void expect_values(const ad_hessian *h, size_t count, const double *want) {
  const ad_span v = ad_hessian_values(h);
  ck_assert_uint_eq(v.count, count);
  for (size_t i = 0; i < count; i++)
    ck_assert_msg(ad_span_double(&v, i) == want[i], "number %zu is %.17g, not %.17g", i, ad_span_double(&v, i),
                  want[i]);
}
#define EXPECT(h, ...) expect_values(h, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (const double[]){__VA_ARGS__})

static const char *const backends[] = {"dual", "tape", "mpfr"};
enum { BACKENDS = 3 };

START_TEST(products_and_requests) {
  ad_graph *g = graph("w: 2, x: [1, 3], c: {value: 5, diff: no}", "f: 'w^3*c + w*x[0]*x[1]', v: x*x*w");
  for (int b = 0; b < BACKENDS; b++) {
    const size_t f = 0, v = 1, one = 1;
    /* 6 w c, x[1], x[0] over w */
    ad_hessian *h = plan(g, backends[b], AD_MODE_DEFAULT, &(ad_derivative_request){.output_count = 1, .output = &f});
    ck_assert_uint_eq(ad_hessian_size(h), 3);
    ck_assert_uint_eq(ad_hessian_wrt_count(h), 2);
    ck_assert_uint_eq(ad_hessian_wrt(h, 1), 1);
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 60, 3, 1, 3, 0, 2, 1, 2, 0);
    ad_span s = ad_hessian_output(h);
    ck_assert_double_eq(ad_span_double(&s, 0), 46);
    s = ad_hessian_gradient(h, 1);
    ck_assert(s.count == 2 && ad_span_double(&s, 0) == 6 && ad_span_double(&s, 1) == 2);
    must(ad_hessian_products(h, (const double[]){1, 0, -1, 0, 0, 2}, 2, ERR));
    EXPECT(h, 57, 2, 3, 4, -1, 0);
    must(ad_hessian_products(h, (const double[]){0, 0, 0}, 1, ERR));
    EXPECT(h, 0, 0, 0);
    must_fail(AD_EUSAGE, "4 columns of a Hessian that was planned for 3",
              ad_hessian_products(h, (const double[12]){0}, 4, ERR));
    /* Another point: the whole again, and after a point that says less. */
    must(ad_workspace_set_input(ad_hessian_workspace(h), 1, (const double[]){-1, 2}, 2, ERR));
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 60, 2, -1, 2, 0, 2, -1, 2, 0);
    ad_point *p;
    must(ad_point_new(&p, g, ERR));
    must(ad_point_set_text(p, "w", "3", ERR));
    must(ad_hessian_set_point(h, p, ERR));
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 90, 3, 1, 3, 0, 3, 1, 3, 0);
    ad_point_free(p);
    ad_hessian_free(h);
    /* By some inputs, also a fixed one; of one element, of a weighted sum. */
    h = plan(g, backends[b], AD_MODE_DEFAULT,
             &(ad_derivative_request){.output_count = 1, .output = &f, .wrt_count = 2, .wrt = (ad_node[]){2, 0}});
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 0, 12, 12, 60);
    ad_hessian_free(h);
    h = plan(g, backends[b], AD_MODE_DEFAULT,
             &(ad_derivative_request){.output_count = 1, .output = &v, .seed_count = 1, .element = &one});
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 0, 0, 6, 0, 0, 0, 6, 0, 4);
    ad_hessian_free(h);
    h = plan(g, backends[b], AD_MODE_DEFAULT,
             &(ad_derivative_request){.output_count = 1, .output = &v, .seed_count = 2, .weight = (double[]){10, -1}});
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 0, 20, -6, 20, 40, 0, -6, 0, -4);
    ad_hessian_free(h);
  }
  ad_hessian *h = NULL;
  must_fail(AD_EUSAGE, "choose one", ad_hessian_new(&h, g, NULL, NULL, ERR));
  must_fail(
      AD_EUSAGE, "has no reverse mode",
      ad_hessian_new(&h, g, ad_backend_find("dual"),
                     &(ad_hessian_options){.of = {.output_count = 1, .output = &(size_t){0}}, .mode = AD_MODE_REVERSE},
                     ERR));
  ad_graph_free(g);
  /* Gradients that are inputs, constants, zero, or one and the same node. */
  g = graph("x: 2, y: 3, z: [1, 2]", "f: (x + y)^2 + x*y");
  for (int b = 0; b < BACKENDS; b++) {
    h = plan(g, backends[b], AD_MODE_DEFAULT, NULL);
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 2, 3, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    must(ad_hessian_products(h, (const double[]){1, -2, 5, 7}, 1, ERR));
    EXPECT(h, -4, -1, 0, 0);
    ad_hessian_free(h);
  }
  ad_graph_free(g);
  g = graph("x: 2, y: 3", "f: (x + y)^2");
  for (int b = 0; b < BACKENDS; b++) {
    h = plan(g, backends[b], AD_MODE_DEFAULT, NULL);
    must(ad_hessian_products(h, (const double[]){1, 10}, 1, ERR));
    EXPECT(h, 22, 22);
    ad_hessian_free(h);
  }
  ad_graph_free(g);
  g = graph("x: [1, 2, 3]", "f: sum(2*x)");
  for (int b = 0; b < BACKENDS; b++) {
    h = plan(g, backends[b], AD_MODE_DEFAULT, NULL);
    must(ad_hessian_run(h, ERR));
    EXPECT(h, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ad_hessian_free(h);
  }
  ad_graph_free(g);
  must(ad_graph_new(&g, &(ad_limits){.max_bytes = 1 << 20}, ERR));
  graphs_input(g, "x", SHAPE(1000), &(double){1}, 1);
  must(ad_graph_output(g, "f", graphs_unary(g, "prod", 0), ERR));
  must_fail(AD_ELIMIT, "1000 x 1000", ad_hessian_new(&h, g, NULL, NULL, ERR));
  ad_hessian *few;
  must(ad_hessian_new(&few, g, NULL, &(ad_hessian_options){.columns = 1}, ERR));
  ad_hessian_free(few);
  ad_graph_free(g);
}
END_TEST

/* k-means: each of 40 points has the next centre's number, 0, 1, 2, 0, ..., and is nearer to it than to any other.  The
 * diagonal is twice the number of points; comparisons and the output itself take no part in it. */
START_TEST(nearest_centres) {
  enum { POINTS = 40, CENTRES = 3 };
  double x[POINTS][2], c[CENTRES][2], want[2 * CENTRES][2 * CENTRES] = {{0}}, once[2 * CENTRES], ones[2 * CENTRES];
  for (int j = 0; j < CENTRES; j++) c[j][0] = 8 * j, c[j][1] = -j;
  for (int i = 0; i < POINTS; i++)
    for (int k = 0; k < 2; k++) x[i][k] = c[i % CENTRES][k] + (i % 5) / 4.0 - k;
  for (int i = 0; i < 2 * CENTRES; i++) {
    ones[i] = 1;
    once[i] = want[i][i] = 2 * ((POINTS - i / 2 + CENTRES - 1) / CENTRES);
  }
  ad_graph *g = graphs_new();
  const ad_node centres = graphs_input(g, "c", SHAPE(1, CENTRES, 2), &c[0][0], 2 * CENTRES);
  const ad_node points = graphs_tensor(g, SHAPE(POINTS, 1, 2), &x[0][0], 2 * POINTS);
  const ad_node squares = graphs_unary(g, "sqr", graphs_binary(g, "sub", points, centres));
  const ad_node far = graphs_apply(g, "sum", NODES(squares), ATTRS(INTS_ATTR("axis", 2)));
  const ad_node near = graphs_apply(g, "reduce_min", NODES(far), ATTRS(INTS_ATTR("axis", 1)));
  must(ad_graph_output(g, "f", graphs_apply(g, "sum", NODES(near), 0, NULL), ERR));
  for (int b = 0; b < BACKENDS; b++) {
    ad_hessian *h = plan(g, backends[b], AD_MODE_DEFAULT, NULL);
    must(ad_hessian_run(h, ERR));
    expect_values(h, 4 * CENTRES * CENTRES, &want[0][0]);
    must(ad_hessian_products(h, ones, 1, ERR));
    expect_values(h, 2 * CENTRES, once);
    ad_hessian_free(h);
    must(ad_hessian_new(&h, g, ad_backend_find(backends[b]), &(ad_hessian_options){.columns = 1}, ERR));
    for (int again = 0; again < 2; again++) {
      must(ad_hessian_products(h, ones, 1, ERR));
      expect_values(h, 2 * CENTRES, once);
    }
    ad_hessian_free(h);
  }
  ad_graph_free(g);
}
END_TEST

/* Exact seeds are rounded once, by the arithmetic at hand. */
START_TEST(exact_seeds) {
  ad_graph *g = graph("x: 2", "f: x^3");
  ad_hessian *h = plan(g, "mpfr", AD_MODE_FORWARD, NULL);
  ad_numbers *n = ad_numbers_new();
  must(ad_numbers_push_text(n, "1/3", 3, ERR));
  must(ad_hessian_products_exact(h, n, 1, ERR));
  ad_span v = ad_hessian_values(h);
  mpfr_t gap;
  mpfr_init2(gap, BITS);
  mpfr_sub_ui(gap, number(v, 0), 4, MPFR_RNDN);
  ck_assert(mpfr_zero_p(gap) || mpfr_get_exp(gap) < -AGREE_BITS);
  mpfr_clear(gap);
  must(ad_numbers_push_text(n, "1/3", 3, ERR));
  must_fail(AD_EUSAGE, "2 seeds for 1 rows of 1 columns", ad_hessian_products_exact(h, n, 1, ERR));
  ad_numbers_free(n);
  ad_hessian_free(h);
  ad_graph_free(g);
}
END_TEST

/* ---- Sparse */

/* The sparse form has the dense one's entries, and what it leaves out is 0. */
static void expect_same_sparse(const ad_graph *g, const char *backend, const ad_derivative_request *of, ad_mode mode) {
  const ad_backend *b = ad_backend_find(backend);
  ad_hessian *dense, *sparse;
  must(ad_hessian_new(&dense, g, b, &(ad_hessian_options){.of = *of, .mode = mode, .precision = BITS}, ERR));
  must(ad_hessian_new(&sparse, g, b, &(ad_hessian_options){.of = *of, .mode = mode, .precision = BITS, .sparse = true},
                      ERR));
  must(ad_hessian_run(dense, ERR));
  must(ad_hessian_run(sparse, ERR));
  must(ad_hessian_run(sparse, ERR)); /* it leaves nothing behind */
  const ad_sparsity *s = ad_hessian_sparsity(sparse);
  const ad_span v = ad_hessian_values(sparse), w = ad_hessian_values(dense);
  const size_t n = ad_hessian_size(sparse);
  ck_assert_ptr_null(ad_hessian_sparsity(dense));
  ck_assert(s && s->rows == n && s->columns == n && v.count == s->start[n] && w.count == n * n);
  mpfr_t gap;
  mpfr_init2(gap, BITS);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0, k = s->start[i]; j < n; j++) {
      const bool in = k < s->start[i + 1] && s->column[k] == j;
      mpfr_srcptr want = number(w, i * n + j);
      ck_assert_msg(in || mpfr_zero_p(want), "entry %zu, %zu is not in the structure", i, j);
      if (!in) continue;
      mpfr_sub(gap, number(v, k++), want, MPFR_RNDN);
      ck_assert_msg(mpfr_zero_p(gap) || mpfr_get_exp(gap) < fmax((double)mpfr_get_exp(want), 0) - BITS / 2,
                    "entry %zu, %zu is %.17g in the sparse form, not %.17g", i, j, ad_span_double(&v, k - 1),
                    mpfr_get_d(want, MPFR_RNDN));
    }
  mpfr_clear(gap);
  ad_hessian_free(dense);
  ad_hessian_free(sparse);
}

/* Of a sum of squares of neighbours, at a size where the dense form would not fit. */
START_TEST(sparse_rosenbrock) {
  enum { N = 20000 };
  ad_graph *g = problems_rosenbrock(N);
  for (int b = 0; b < BACKENDS; b++) {
    ad_hessian *h;
    must(ad_hessian_new(&h, g, ad_backend_find(backends[b]), &(ad_hessian_options){.sparse = true}, ERR));
    ck_assert_uint_eq(ad_hessian_colours(h), 3);
    must(ad_hessian_run(h, ERR));
    const ad_sparsity *s = ad_hessian_sparsity(h);
    const ad_span v = ad_hessian_values(h);
    ck_assert_uint_eq(v.count, 3 * N - 2);
    double *x = malloc(N * sizeof *x);
    for (size_t i = 0; i < N; i++) x[i] = problems_x(i);
    mpfr_t want;
    mpfr_init2(want, BITS);
    for (size_t i = 0; i < N; i++)
      for (size_t k = s->start[i]; k < s->start[i + 1]; k++) {
        rosenbrock_entry(want, x, N, i, s->column[k]);
        ck_assert_msg(ad_span_double(&v, k) == mpfr_get_d(want, MPFR_RNDN), "entry %zu, %u", i, s->column[k]);
      }
    mpfr_clear(want);
    /* A product in between, which is the sum of each row, leaves nothing behind. */
    for (size_t i = 0; i < N; i++) x[i] = 1;
    must(ad_hessian_products(h, x, 1, ERR));
    const ad_span product = ad_hessian_values(h);
    ck_assert_uint_eq(product.count, N);
    for (size_t i = 0; i < N; i++) x[i] = ad_span_double(&product, i);
    must(ad_hessian_run(h, ERR));
    for (size_t i = 0; i < N; i++) {
      double sum = 0;
      for (size_t k = s->start[i]; k < s->start[i + 1]; k++) sum += ad_span_double(&v, k);
      ck_assert_double_eq(x[i], sum);
    }
    free(x);
    ad_hessian_free(h);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- Random graphs: both modes in MPFR, and differences of the tape's gradients */

static void read_gradient(const ad_workspace *w, __mpfr_struct *to, size_t count) {
  size_t k = 0;
  for (ad_node n = 0; n < ad_graph_input_count(w->p->graph); n++) {
    const ad_span s = ad_workspace_gradient(w, n);
    for (size_t i = 0; i < s.count; i++) mpfr_set(&to[k++], number(s, i), MPFR_RNDN);
  }
  ck_assert_uint_eq(k, count);
}

static void check_random(uint64_t seed, size_t operations, bool tensors, size_t *used) {
  enum { STEP = 200, HIGH = 900 };
  random_graph r = random_graph_new(seed, operations, tensors, used);
  const size_t f = 0;
  const ad_derivative_request of = {.output_count = 1, .output = &f};
  ad_hessian *a = plan(r.g, "mpfr", AD_MODE_FORWARD, &of), *b = plan(r.g, "mpfr", AD_MODE_REVERSE, &of);
  must(ad_hessian_run(a, ERR));
  must(ad_hessian_run(b, ERR));
  const size_t n = ad_hessian_size(a);
  const ad_span va = ad_hessian_values(a), vb = ad_hessian_values(b);
  graphs_run w = graphs_start(r.g, "mpfr", (ad_workspace_options){.precision = HIGH, .reverse = true});
  const ad_gradient_request q = {.output = ad_graph_output_node(r.g, 0)};
  __mpfr_struct *up = malloc((n + 1) * sizeof *up), *down = malloc((n + 1) * sizeof *down);
  for (size_t i = 0; i < n; i++) mpfr_init2(&up[i], HIGH), mpfr_init2(&down[i], HIGH);
  mpfr_t x, scale;
  mpfr_inits2(HIGH, x, scale, (mpfr_ptr)0);
  size_t column = 0;
  for (ad_node in = 0; in < ad_graph_input_count(r.g); in++)
    for (size_t k = 0; k < (size_t)ad_shape_size(ad_graph_node_shape(r.g, in)); k++, column++) {
      mpfr_ptr here = (__mpfr_struct *)ad_workspace_input_data(w.w, in) + k;
      mpfr_set(x, here, MPFR_RNDN);
      for (int side = 1; side >= -1; side -= 2) {
        mpfr_set_si_2exp(here, side, -STEP, MPFR_RNDN);
        mpfr_add(here, here, x, MPFR_RNDN);
        must(ad_workspace_primal(w.w, ERR));
        must(ad_workspace_run_gradient(w.w, &q, ERR));
        read_gradient(w.w, side > 0 ? up : down, n);
        ad_workspace_input_data(w.w, in);
      }
      mpfr_set(here, x, MPFR_RNDN);
      mpfr_set_ui(scale, 1, MPFR_RNDN); /* third derivatives may be larger than the entries */
      for (size_t i = 0; i < n; i++)
        if (mpfr_cmpabs(number(va, i * n + column), scale) > 0) mpfr_abs(scale, number(va, i * n + column), MPFR_RNDN);
      for (size_t i = 0; i < n; i++) {
        mpfr_sub(&up[i], &up[i], &down[i], MPFR_RNDN);
        mpfr_mul_2si(&up[i], &up[i], STEP - 1, MPFR_RNDN);
        mpfr_srcptr ours = number(va, i * n + column);
        mpfr_sub(&up[i], &up[i], ours, MPFR_RNDN);
        mpfr_div(&up[i], &up[i], scale, MPFR_RNDN);
        ck_assert_msg(mpfr_zero_p(&up[i]) || mpfr_get_exp(&up[i]) < -STEP,
                      "graph %llu, entry %zu, %zu: %.17g, off by %.3g of the column from differences",
                      (unsigned long long)seed, i, column, mpfr_get_d(ours, MPFR_RNDN), mpfr_get_d(&up[i], MPFR_RNDN));
        mpfr_sub(&up[i], number(vb, i * n + column), ours, MPFR_RNDN);
        mpfr_div(&up[i], &up[i], scale, MPFR_RNDN);
        ck_assert_msg(mpfr_zero_p(&up[i]) || mpfr_get_exp(&up[i]) < -BITS / 2,
                      "graph %llu, entry %zu, %zu: the modes differ by %.3g of the column", (unsigned long long)seed, i,
                      column, mpfr_get_d(&up[i], MPFR_RNDN));
      }
    }
  ck_assert_uint_eq(column, n);
  mpfr_clears(x, scale, (mpfr_ptr)0);
  for (size_t i = 0; i < n; i++) mpfr_clear(&up[i]), mpfr_clear(&down[i]);
  free(up);
  free(down);
  graphs_end(&w);
  ad_hessian_free(a);
  ad_hessian_free(b);
  expect_same_sparse(r.g, "mpfr", &of, seed % 2 ? AD_MODE_FORWARD : AD_MODE_REVERSE);
  random_graph_free(&r);
}

START_TEST(random_graphs) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  for (int i = 0; i < 20 * ulps_multiplier(); i++) {
    check_random(ulps_seed() + (uint64_t)i, 12, false, used);
    check_random(ulps_seed() + (uint64_t)i, 100, false, used);
    if (i % 4 == 0) check_random(ulps_seed() + (uint64_t)i, 25, true, used);
  }
  free(used);
}
END_TEST

int main(void) {
  Suite *s = suite_create("Hessians");
  TCase *t = tcase_create("all");
  printf("seed %llu (ADTOOL_TEST_SEED), multiplier %g (ADTOOL_TEST_MULTIPLIER)\n", (unsigned long long)ulps_seed(),
         ulps_multiplier());
  fflush(stdout);
  tcase_set_timeout(t, 120 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, closed_forms);
  tcase_add_test(t, products_and_requests);
  tcase_add_test(t, nearest_centres);
  tcase_add_test(t, exact_seeds);
  tcase_add_test(t, sparse_rosenbrock);
  tcase_add_test(t, random_graphs);
  suite_add_tcase(s, t);
  return suite_run(s);
}
