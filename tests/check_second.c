/* Second derivatives three ways: forward over reverse, Taylor series along directions, and the graph of the gradient's
 * gradient; in double and in MPFR. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <mpfr.h>

#include "graphs.h"
#include "problems.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

#define ERR (&graphs_error)
enum { BITS = 300, ULPS = 64 };

static mpfr_srcptr number(ad_span s, size_t i) {
  ck_assert_uint_lt(i, s.count);
  return (const __mpfr_struct *)s.data + i;
}

typedef struct second {
  const ad_graph *g;
  ad_graph *gradient;
  size_t n, count;
  ad_variable *variable;  /* of each row */
  ad_hessian *h;          /* in MPFR, by forward over reverse */
  __mpfr_struct *largest; /* of each row */
  size_t *pair;           /* `count` entries, their rows and columns */
  __mpfr_struct *got;     /* those, one way or another */
} second;

static const ad_derivative_request first_output = {.output_count = 1, .output = &(const size_t){0}};

static __mpfr_struct *numbers(size_t count) {
  __mpfr_struct *x = malloc((count + 1) * sizeof *x);
  for (size_t i = 0; i < count; i++) {
    mpfr_init2(&x[i], BITS);
    mpfr_set_zero(&x[i], 1);
  }
  return x;
}

static void free_numbers(__mpfr_struct *x, size_t count) {
  for (size_t i = 0; i < count; i++) mpfr_clear(&x[i]);
  free(x);
}

/* Whole rows of the Hessian, all of them or as many as make a test quick. */
static void choose_entries(second *s, ulps_random *random) {
  enum { ENTRIES = 250 };
  const size_t rows = s->n * s->n <= ENTRIES ? s->n : ENTRIES / s->n;
  s->count = rows * s->n;
  s->pair = malloc((2 * s->count + 1) * sizeof *s->pair);
  for (size_t i = 0; i < rows; i++) {
    const size_t row = rows == s->n ? i : ulps_random_bits(random) % s->n;
    for (size_t j = 0; j < s->n; j++) s->pair[2 * (i * s->n + j)] = row, s->pair[2 * (i * s->n + j) + 1] = j;
  }
}

static void second_start(second *s, const ad_graph *g, ulps_random *random) {
  *s = (second){.g = g};
  const ad_hessian_options o = {.of = first_output, .mode = AD_MODE_FORWARD, .precision = BITS};
  must(ad_hessian_new(&s->h, g, ad_backend_find("mpfr"), &o, ERR));
  must(ad_hessian_run(s->h, ERR));
  must(ad_graph_gradient(&s->gradient, g, &first_output, ERR));
  s->n = ad_hessian_size(s->h);
  s->variable = malloc((s->n + 1) * sizeof *s->variable);
  size_t row = 0;
  for (size_t k = 0; k < ad_hessian_wrt_count(s->h); k++) {
    const ad_node x = ad_hessian_wrt(s->h, k);
    const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(g, x));
    for (size_t i = 0; i < size; i++) s->variable[row++] = (ad_variable){x, i};
  }
  ck_assert_uint_eq(row, s->n);
  s->largest = numbers(s->n);
  const ad_span v = ad_hessian_values(s->h);
  for (size_t i = 0; i < s->n; i++)
    for (size_t j = 0; j < s->n; j++)
      if (mpfr_cmpabs(number(v, i * s->n + j), &s->largest[i]) > 0)
        mpfr_abs(&s->largest[i], number(v, i * s->n + j), MPFR_RNDN);
  choose_entries(s, random);
  s->got = numbers(s->count);
}

static void second_end(second *s) {
  free_numbers(s->got, s->count);
  free_numbers(s->largest, s->n);
  free(s->variable);
  free(s->pair);
  ad_graph_free(s->gradient);
  ad_hessian_free(s->h);
}

static void take(second *s, size_t to, const ad_span *v, size_t from) {
  if (v->kind == AD_KIND_F64)
    mpfr_set_d(&s->got[to], ad_span_double(v, from), MPFR_RNDN);
  else
    mpfr_set(&s->got[to], number(*v, from), MPFR_RNDN);
}

/* A way to the entries, in double or, where bits are named, in MPFR. */
typedef void way(second *s, uint32_t bits);

static void forward_over_reverse(second *s, uint32_t bits) {
  ad_hessian *h;
  const ad_hessian_options o = {.of = first_output, .mode = AD_MODE_FORWARD, .precision = bits};
  must(ad_hessian_new(&h, s->g, ad_backend_find(bits ? "mpfr" : "dual"), &o, ERR));
  must(ad_hessian_run(h, ERR));
  const ad_span v = ad_hessian_values(h);
  for (size_t k = 0; k < s->count; k++) take(s, k, &v, s->pair[2 * k] * s->n + s->pair[2 * k + 1]);
  ad_hessian_free(h);
}

static void taylor_series(second *s, uint32_t bits) {
  if (!s->count) return;
  ad_variable *variable = malloc(2 * s->count * sizeof *variable);
  for (size_t k = 0; k < 2 * s->count; k++) variable[k] = s->variable[s->pair[k]];
  const ad_node f = ad_graph_output_node(s->g, 0);
  graphs_run r = graphs_start(s->g, bits ? "mpfr" : "dual", (ad_workspace_options){.precision = bits, .order = 2});
  ad_mixed *m;
  const ad_mixed_request q = {2, s->count, variable, 1, &f};
  must(ad_mixed_new(&m, r.w, &q, ERR));
  must(ad_mixed_run(m, ERR));
  for (size_t k = 0; k < s->count; k++) {
    const ad_span v = ad_mixed_derivative(m, k, 0);
    take(s, k, &v, 0);
  }
  ad_mixed_free(m);
  graphs_end(&r);
  free(variable);
}

static void gradients_gradient(second *s, uint32_t bits) {
  for (size_t k = 0; k < s->count;) {
    const ad_variable *x = &s->variable[s->pair[2 * k]];
    size_t output = 1;
    while (ad_hessian_wrt(s->h, output - 1) != x->input) output++;
    ad_graph *d;
    const ad_derivative_request q = {.output_count = 1, .output = &output, .seed_count = 1, .element = &x->element};
    must(ad_graph_gradient(&d, s->gradient, &q, ERR));
    graphs_run r = graphs_start(d, bits ? "mpfr" : "tape", (ad_workspace_options){.precision = bits});
    const size_t end = k + s->n;
    for (size_t i = 1; i < ad_graph_output_count(d); i++) {
      const ad_span v = ad_workspace_value(r.w, ad_graph_output_node(d, i));
      for (size_t e = 0; e < v.count; e++) take(s, k++, &v, e);
    }
    ck_assert_uint_eq(k, end);
    graphs_end(&r);
    ad_graph_free(d);
  }
}

static const struct {
  const char *name;
  way *way;
} ways[] = {{"forward over reverse", forward_over_reverse},
            {"Taylor series", taylor_series},
            {"the graph of the gradient's gradient", gradients_gradient}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static double gap_of(const second *s, size_t k) {
  mpfr_t gap;
  mpfr_init2(gap, BITS);
  mpfr_sub(gap, &s->got[k], number(ad_hessian_values(s->h), s->pair[2 * k] * s->n + s->pair[2 * k + 1]), MPFR_RNDN);
  const double d = fabs(mpfr_get_d(gap, MPFR_RNDN));
  mpfr_clear(gap);
  return d;
}

/* The larger of row i's and row j's largest: a series along both is made of both diagonals. */
static double scale_of(const second *s, size_t k) {
  return fmax(mpfr_get_d(&s->largest[s->pair[2 * k]], MPFR_RNDN),
              mpfr_get_d(&s->largest[s->pair[2 * k + 1]], MPFR_RNDN));
}

/* In MPFR to nearly all bits, in double to ULPS of the row's largest.  Where intermediate numbers cancel no arithmetic
 * of 53 bits has those: such an entry may be off by a few ulps of 1, the size of a graph's numbers, or by a few times
 * what MPFR of 53 to 60 bits loses, as ulps of 53. */
static void check_way(second *s, const char *what, int w) {
  enum { FEW = 16, LOW = 53, STEPS = 8, SAFE_BITS = 60 };
  double *allowed = malloc((s->count + 1) * sizeof *allowed), *off = malloc((s->count + 1) * sizeof *off);
  bool lost = false;
  ways[w].way(s, 0);
  for (size_t k = 0; k < s->count; k++) {
    allowed[k] = ULPS * 0x1p-53 * scale_of(s, k);
    off[k] = gap_of(s, k);
    lost = lost || !(off[k] <= allowed[k]);
  }
  for (uint32_t bits = LOW; lost && bits < LOW + STEPS; bits++) {
    ways[w].way(s, bits);
    for (size_t k = 0; k < s->count; k++)
      allowed[k] = fmax(allowed[k], FEW * fmax(0x1p-53, ldexp(gap_of(s, k), (int)bits - LOW)));
  }
  for (size_t k = 0; k < s->count; k++)
    ck_assert_msg(off[k] <= allowed[k], "%s, %s in double: entry %zu, %zu is off by %.3g, allowed are %.3g", what,
                  ways[w].name, s->pair[2 * k], s->pair[2 * k + 1], off[k], allowed[k]);
  ways[w].way(s, BITS);
  for (size_t k = 0; k < s->count; k++)
    ck_assert_msg(gap_of(s, k) <= ldexp(fmax(scale_of(s, k), 1), SAFE_BITS - BITS),
                  "%s, %s in MPFR: entry %zu, %zu is off by %.3g", what, ways[w].name, s->pair[2 * k],
                  s->pair[2 * k + 1], gap_of(s, k));
  free(allowed);
  free(off);
}

static void check_three_ways(const ad_graph *g, const char *what, ulps_random *random) {
  second s;
  second_start(&s, g, random);
  for (int w = 0; w < WAYS; w++) check_way(&s, what, w);
  second_end(&s);
}

static ad_graph *of_one(const char *op, const double *x, size_t n) {
  ad_graph *g = graphs_new();
  must(ad_graph_output(g, "f", graphs_unary(g, op, graphs_input(g, "x", SHAPE((int64_t)n), x, n)), ERR));
  return g;
}

START_TEST(three_ways) {
  static const double x[] = {1.5, -0.75, 2, 0.125, -1.25, 3};
  ulps_random random = {ulps_seed()};
  ad_graph *closed[] = {problems_rosenbrock(6), of_one("prod", x, 6), of_one("logsumexp", x, 6),
                        problems_minimal_surface(5)};
  for (size_t k = 0; k < sizeof closed / sizeof closed[0]; k++) {
    char what[40];
    snprintf(what, sizeof what, "closed form %zu", k);
    check_three_ways(closed[k], what, &random);
    ad_graph_free(closed[k]);
  }
  static const size_t operations[] = {12, 60, 20}; /* the last on tensors */
  size_t *used = calloc(ad_op_count(), sizeof *used);
  for (int i = 0; i < 30 * ulps_multiplier(); i++)
    for (int kind = 0; kind < 3; kind++) {
      const uint64_t seed = ulps_seed() + 7919 * (uint64_t)i;
      random_graph r = random_graph_new(seed, operations[kind], kind == 2, used);
      char what[60];
      snprintf(what, sizeof what, "random graph %llu of %zu", (unsigned long long)seed, operations[kind]);
      check_three_ways(r.g, what, &r.random);
      random_graph_free(&r);
    }
  free(used);
}
END_TEST

int main(void) {
  Suite *s = suite_create("Second derivatives");
  TCase *t = tcase_create("all");
  printf("seed %llu (ADTOOL_TEST_SEED), multiplier %g (ADTOOL_TEST_MULTIPLIER)\n", (unsigned long long)ulps_seed(),
         ulps_multiplier());
  fflush(stdout);
  tcase_set_timeout(t, 120 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, three_ways);
  suite_add_tcase(s, t);
  return suite_run(s);
}
