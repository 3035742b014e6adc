/* Derivatives as graphs: the partials of every elementwise row at every point, what they are called, what they cost,
 * and that they stay right when they are differentiated again.  Structured operations: graphs_check_derivatives in all
 * suites; random graphs: check_random; kinks: check_kinks. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "op_points.h"
#include "same_graph.h"
#include "suite.h"
#include "ulps.h"

#define ERR (&graphs_error)

/* ---- Elementwise rows, at all points */

enum { BITS = 300, LOST_BITS = 24, DOUBLE_BITS = 53, UNITS = 16 };

static mpfr_srcptr number(ad_span s, size_t i) {
  return (const __mpfr_struct *)s.data + i;
}

/* The partials of one row at all points: by the table, in reverse mode in MPFR; by their graph in MPFR and in double;
 * and how much one ulp of the arguments moves them, by differentiating the graph. */
typedef struct subject {
  const char *name;
  const op_points *points;
  double exponent;
  ad_graph *g, *d;
  graphs_run table, tape, exact, rough; /* tape: the table in double */
} subject;

static size_t first_node(const ad_graph *d, size_t k) {
  return ad_graph_output_node(d, 1 + k);
}

/* What one ulp of the partial, of each argument and of each result of an operation in double may do. */
static void bound_at(mpfr_ptr bound, const subject *t, size_t i, mpfr_srcptr p, int bits) {
  mpfr_t part;
  double largest = fmax(1, fabs(t->exponent)); /* what the error of an underflow is multiplied by */
  mpfr_init2(part, BITS);
  mpfr_abs(bound, p, MPFR_RNDN);
  for (size_t a = 0; a < t->points->nargs; a++) {
    const double x = t->points->arg[a][i], size = fmax(fabs(x), 1 / fabs(x));
    if (isfinite(size) && size > largest) largest = size;
    mpfr_mul_d(part, number(ad_workspace_adjoint(t->exact.w, (ad_node)a), i), x, MPFR_RNDN);
    mpfr_abs(part, part, MPFR_RNDN);
    if (mpfr_number_p(part)) mpfr_add(bound, bound, part, MPFR_RNDN);
  }
  mpfr_mul_2si(bound, bound, -bits, MPFR_RNDN);
  mpfr_set_d(part, largest, MPFR_RNDN);
  mpfr_mul_2si(part, part, bits == DOUBLE_BITS ? -1074 : (long)mpfr_get_emin() + BITS, MPFR_RNDN);
  mpfr_add(bound, bound, part, MPFR_RNDN);
  mpfr_clear(part);
}

static bool same(double a, double b) {
  return a == b || (isnan(a) && isnan(b));
}

/* One partial at one point; returns the error in double in units of its bound.  Where the table itself is off in
 * double, its graph may be, too. */
static double expect_partial(const subject *t, size_t k, size_t i) {
  mpfr_srcptr want = number(ad_workspace_adjoint(t->table.w, (ad_node)k), i);
  ad_span exact = ad_workspace_value(t->exact.w, first_node(t->d, k)),
          rough = ad_workspace_value(t->rough.w, first_node(t->d, k)),
          taped = ad_workspace_adjoint(t->tape.w, (ad_node)k);
  const double got = ad_span_double(&rough, i), rounded = mpfr_get_d(want, MPFR_RNDN), tape = ad_span_double(&taped, i);
  char where[160];
  size_t used = (size_t)snprintf(where, sizeof where, "%s, partial %zu at", t->name, k);
  for (size_t a = 0; a < t->points->nargs && used < sizeof where; a++)
    used += (size_t)snprintf(where + used, sizeof where - used, " %a", t->points->arg[a][i]);
  if (!mpfr_number_p(want)) {
    const double high = mpfr_get_d(number(exact, i), MPFR_RNDN);
    ck_assert_msg(same(high, rounded) || same(high, tape), "%s: %g in MPFR, not %g", where, high, rounded);
    ck_assert_msg(same(got, rounded) || same(got, tape), "%s: %g, not %g", where, got, rounded);
    return 0;
  }
  mpfr_t gap, bound, part;
  mpfr_inits2(BITS, gap, bound, part, (mpfr_ptr)0);
  mpfr_sub(gap, number(exact, i), want, MPFR_RNDN);
  bound_at(bound, t, i, want, BITS - LOST_BITS);
  ck_assert_msg(mpfr_cmpabs(gap, bound) <= 0, "%s: %.20g in MPFR, not %.20g", where,
                mpfr_get_d(number(exact, i), MPFR_RNDN), rounded);
  double units = 0;
  if (!same(got, tape) && got != rounded) {
    bound_at(bound, t, i, want, DOUBLE_BITS);
    if (isfinite(tape)) {
      mpfr_set_d(part, tape, MPFR_RNDN);
      mpfr_sub(part, part, want, MPFR_RNDN);
      mpfr_abs(part, part, MPFR_RNDN);
      mpfr_add(bound, bound, part, MPFR_RNDN);
    }
    mpfr_set_d(gap, isinf(got) ? copysign(DBL_MAX, got) : got, MPFR_RNDN);
    mpfr_sub(gap, gap, want, MPFR_RNDN);
    mpfr_div(gap, gap, bound, MPFR_RNDN);
    units = fabs(mpfr_get_d(gap, MPFR_RNDN));
    ck_assert_msg(units <= UNITS, "%s: %.17g, not %.17g: %g times its bound", where, got, rounded, units);
  }
  mpfr_clears(gap, bound, part, (mpfr_ptr)0);
  return units;
}

/* Some of all points: each is differentiated twice in MPFR. */
static void thin(op_points *p) {
  const size_t every = 3;
  for (size_t k = 0; k < p->nargs; k++)
    for (size_t i = 0; i < p->count / every; i++) p->arg[k][i] = p->arg[k][i * every];
  p->count /= every;
}

/* Outside the domain, and where the value is nan, partials mean nothing. */
static void note_outside(void *context, ad_node n, size_t element, unsigned flags) {
  (void)n;
  if (flags & AD_OUTSIDE) ((bool *)context)[element] = true;
}

static void check_row(const ad_op_info *info, const double *exponent, ad_kinks kinks) {
  static const char *const names[] = {"x", "y", "w"};
  op_points p = op_points_everywhere(info);
  thin(&p);
  if (exponent) p.nargs = 1;
  subject t = {
      .name = exponent ? "powi" : info->name, .points = &p, .exponent = exponent ? *exponent : 1, .g = graphs_new()};
  ad_node args[3], z;
  must(ad_graph_set_kinks(t.g, &kinks, ERR));
  for (size_t k = 0; k < p.nargs; k++)
    args[k] = graphs_input(t.g, names[k], SHAPE((int64_t)p.count), p.arg[k], p.count);
  z = exponent ? graphs_binary(t.g, "pow", args[0], graphs_constant(t.g, *exponent))
               : graphs_apply(t.g, info->name, p.nargs, args, 0, NULL);
  must(ad_graph_output(t.g, "z", z, ERR));
  must(ad_graph_gradient(&t.d, t.g, &(ad_derivative_request){.seed_count = p.count}, ERR));
  t.table = graphs_start(t.g, "mpfr", (ad_workspace_options){.precision = BITS, .reverse = true});
  t.exact = graphs_start(t.d, "mpfr", (ad_workspace_options){.precision = BITS, .reverse = true});
  t.rough = graphs_start(t.d, "tape", (ad_workspace_options){0});
  t.tape = graphs_start(t.g, "tape", (ad_workspace_options){.reverse = true});
  for (size_t i = 0; i < p.count; i++) {
    must(ad_workspace_seed_adjoint(t.table.w, z, i, 1, ERR));
    must(ad_workspace_seed_adjoint(t.tape.w, z, i, 1, ERR));
  }
  must(ad_workspace_reverse(t.table.w, ERR));
  must(ad_workspace_reverse(t.tape.w, ERR));
  bool *outside = calloc(p.count, sizeof *outside);
  ad_workspace_diagnose(t.table.w, note_outside, outside);
  double worst = 0;
  for (size_t k = 0; k < p.nargs; k++) {
    ad_workspace_clear_seeds(t.exact.w);
    for (size_t i = 0; i < p.count; i++) must(ad_workspace_seed_adjoint(t.exact.w, first_node(t.d, k), i, 1, ERR));
    must(ad_workspace_reverse(t.exact.w, ERR));
    for (size_t i = 0; i < p.count; i++)
      if (!outside[i] && !mpfr_nan_p(number(ad_workspace_value(t.table.w, z), i)))
        worst = fmax(worst, expect_partial(&t, k, i));
  }
  free(outside);
  if (getenv("ADTOOL_TEST_VERBOSE")) printf("%s: at most %g times the bound\n", t.name, worst);
  graphs_end(&t.tape);
  graphs_end(&t.table);
  graphs_end(&t.exact);
  graphs_end(&t.rough);
  ad_graph_free(t.g);
  ad_graph_free(t.d);
  if (exponent) p.nargs = (size_t)info->max_args;
  op_points_free(&p);
}

START_TEST(partials_of_every_row) {
  static const ad_kinks policies[] = {
      {0},
      {.abs_at_zero = -1, .relu_at_zero = 0.5, .ties = AD_TIES_FIRST, .pow00_nan = true},
      {.abs_at_zero = 1, .relu_at_zero = 1, .ties = AD_TIES_LAST}};
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  const bool follows = strstr(info->domain, "policy") != NULL;
  for (size_t k = 0; k < (follows ? 3 : 1); k++) check_row(info, NULL, policies[k]);
}
END_TEST

START_TEST(partials_of_integer_powers) {
  static const double exponents[] = {0,   1,    2,    3,      4,       5,          7,      -1,      -2,     -3,
                                     100, -100, 1001, 0x1p53, -0x1p53, 0x1p53 + 2, 0x1p60, -0x1p62, -0x1p61};
  for (size_t k = 0; k < sizeof exponents / sizeof *exponents; k++) {
    check_row(ad_op_get(ad_op_find("pow")), &exponents[k], (ad_kinks){0});
    check_row(ad_op_get(ad_op_find("pow")), &exponents[k], (ad_kinks){.pow00_nan = true});
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("derivatives as graphs");
  TCase *t = tcase_create("partials");
  tcase_set_timeout(t, 120 * fmax(1, ulps_multiplier()));
  tcase_add_loop_test(t, partials_of_every_row, 0, (int)ad_op_count());
  tcase_add_test(t, partials_of_integer_powers);
  suite_add_tcase(s, t);
  return suite_run(s);
}
