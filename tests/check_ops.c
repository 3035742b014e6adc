/* Every elementwise row of the table, over all doubles: value and partials by dual and tape, as scalars, in runs of
 * each instruction set and in blocks of points, against MPFR within the row's own bounds.  A new row is tested as it
 * stands. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "op_points.h"
#include "suite.h"
#include "ulps.h"

enum { BITS = 300, BLOCK = 512 };

/* What is tested: a row, or powi, which lowering makes of pow where the exponent is a constant integer. */
typedef struct subject {
  const ad_op_info *info;
  const double *exponent; /* NULL: the row itself */
} subject;

/* z = op(x, y, w) with inputs of `count` elements (0: scalars) at the points from `first` on. */
static ad_graph *graph_of(subject t, const op_points *p, size_t first, size_t count, ad_node *z) {
  static const char *const names[] = {"x", "y", "w"};
  ad_graph *g = graphs_new();
  ad_node args[3];
  for (size_t k = 0; k < p->nargs; k++)
    args[k] = graphs_input(g, names[k], count ? SHAPE((int64_t)count) : SCALAR, p->arg[k] + first, count ? count : 1);
  if (t.exponent)
    *z = graphs_binary(g, "pow", args[0], graphs_constant(g, *t.exponent));
  else
    *z = graphs_apply(g, t.info->name, p->nargs, args, 0, NULL);
  must(ad_graph_output(g, "z", *z, &graphs_error));
  return g;
}

/* Value and partials at every point; the ways to compute in double each fill one. */
typedef struct results {
  size_t nargs, count;
  double *value, *partial[3];
} results;

static results new_results(const op_points *p) {
  results r = {.nargs = p->nargs, .count = p->count, .value = calloc(p->count, sizeof *r.value)};
  for (size_t k = 0; k < p->nargs; k++) r.partial[k] = calloc(p->count, sizeof *r.partial[k]);
  return r;
}

static void free_results(results *r) {
  free(r->value);
  for (size_t k = 0; k < r->nargs; k++) free(r->partial[k]);
}

static void copy_span(double *to, ad_span s, size_t stride, size_t count) {
  ck_assert_uint_ge(s.count, count * stride);
  for (size_t i = 0; i < count; i++) to[i] = ad_span_double(&s, i * stride);
}

/* After a primal run: all partials at once, by either mode, `count` points from `first` on. */
static void differentiate(results *out, ad_workspace *w, ad_node z, bool forward, size_t elements, size_t first,
                          size_t count) {
  copy_span(out->value + first, ad_workspace_value(w, z), 1, count);
  ad_workspace_clear_seeds(w);
  for (size_t i = 0; i < elements; i++) {
    for (uint32_t k = 0; forward && k < out->nargs; k++) must(ad_workspace_seed_tangent(w, k, k, i, 1, &graphs_error));
    if (!forward) must(ad_workspace_seed_adjoint(w, z, i, 1, &graphs_error));
  }
  must(forward ? ad_workspace_forward(w, &graphs_error) : ad_workspace_reverse(w, &graphs_error));
  for (uint32_t k = 0; k < out->nargs; k++)
    copy_span(out->partial[k] + first, forward ? ad_workspace_tangent(w, k, z) : ad_workspace_adjoint(w, k), 1, count);
}

/* One tensor with all points. */
static results by_tensor(subject t, const op_points *p, const char *simd, bool forward) {
  ad_node z;
  graphs_use_simd(simd);
  ad_graph *g = graph_of(t, p, 0, p->count, &z);
  graphs_run r = graphs_start(g, forward ? "dual" : "tape",
                              (ad_workspace_options){.directions = forward ? 3 : 0, .reverse = !forward});
  results out = new_results(p);
  differentiate(&out, r.w, z, forward, p->count, 0, p->count);
  graphs_end(&r);
  ad_graph_free(g);
  return out;
}

/* A scalar graph, in blocks of points, or point by point (block 1). */
static results by_blocks(subject t, const op_points *p, const char *simd, bool forward, uint32_t block) {
  ad_node z;
  graphs_use_simd(simd);
  ad_graph *g = graph_of(t, p, 0, 0, &z);
  graphs_run r =
      graphs_start(g, forward ? "dual" : "tape",
                   (ad_workspace_options){.directions = forward ? 3 : 0, .reverse = !forward, .points = block});
  results out = new_results(p);
  for (size_t at = 0; at < p->count; at += block) {
    const size_t n = p->count - at < block ? p->count - at : block;
    for (uint32_t k = 0; k < p->nargs; k++) must(ad_workspace_set_points(r.w, k, p->arg[k] + at, 1, n, &graphs_error));
    must(ad_workspace_primal(r.w, &graphs_error));
    differentiate(&out, r.w, z, forward, 1, at, n);
  }
  graphs_end(&r);
  ad_graph_free(g);
  return out;
}

/* ---- Against MPFR */

static mpfr_srcptr number(ad_span s, size_t i) {
  return (const __mpfr_struct *)s.data + i;
}

/* The worst error of one quantity. */
typedef struct worst {
  const char *what;
  double bound, ulps, got, want;
  size_t at, over; /* points over the bound */
} worst;

/* The relative spacing of the coarsest subnormal among the arguments and the exact value; 0 where none is subnormal. */
static double carried_spacing(const op_points *p, mpfr_srcptr value, size_t at) {
  double spacing = 0;
  for (size_t k = 0; k < p->nargs; k++) {
    const double v = fabs(p->arg[k][at]);
    if (v > 0 && v < DBL_MIN) spacing = fmax(spacing, 0x1p-1074 / v);
  }
  if (mpfr_regular_p(value) && mpfr_get_exp(value) <= DBL_MIN_EXP - 1) {
    long e;
    const double m = fabs(mpfr_get_d_2exp(&e, value, MPFR_RNDN));
    spacing = fmax(spacing, e < -4000 ? (double)INFINITY : ldexp(1 / m, (int)(-1074 - e)));
  }
  return spacing;
}

/* Ulps of the result.  A partial is made of the arguments and the value, so where one of them is subnormal, or the
 * value underflows, its own spacing, carried over, is the unit instead if that is larger: rule "carried spacing" of
 * ops.def. */
static double error_of(double got, mpfr_srcptr want, double carried) {
  const double off = ulps(got, want);
  if (off == 0 || carried == 0 || !isfinite(off)) return off;
  const double exact = mpfr_get_d(want, MPFR_RNDN);
  return fmin(off, fabs(got - exact) / (carried * fabs(exact)));
}

static void measure(worst *w, double got, mpfr_srcptr want, size_t at, double carried) {
  const double off = error_of(got, want, carried);
  w->over += off > w->bound;
  if (off <= w->ulps) return;
  w->ulps = off;
  w->at = at;
  w->got = got;
  w->want = mpfr_get_d(want, MPFR_RNDN);
}

static void say(char *text, size_t size, subject t, const op_points *p, const worst *w, const char *how) {
  char args[200] = "";
  for (size_t k = 0; k < p->nargs; k++) {
    size_t used = strlen(args);
    snprintf(args + used, sizeof args - used, "%s%a", k ? ", " : "", p->arg[k][w->at]);
  }
  size_t used = strlen(args);
  if (t.exponent) snprintf(args + used, sizeof args - used, ", %g", *t.exponent);
  snprintf(text, size, "%s, %s of %s(%s): %.17g, not %.17g: %.4g ulps, the bound is %g; %zu of %zu points over it\n",
           how, w->what, t.info->name, args, w->got, w->want, w->ulps, w->bound, w->over, p->count);
}

/* Which points lie outside the domain, where partials mean nothing. */
static void note_unbounded(void *context, ad_node n, size_t element, unsigned flags) {
  bool *unbounded = context;
  (void)n;
  if (flags & (AD_OUTSIDE | AD_MADE_NAN)) unbounded[element] = true;
}

/* Adds to `report` what is over its bound. */
static void judge(char *report, size_t size, subject t, const op_points *p, const results *r, graphs_run *exact,
                  ad_node z, const char *how) {
  static const char *const partials[] = {"first partial", "second partial", "third partial"};
  bool *unbounded = calloc(p->count, sizeof *unbounded);
  ad_workspace_diagnose(exact->w, note_unbounded, unbounded);
  ad_span value = ad_workspace_value(exact->w, z);
  for (uint32_t k = 0; k <= p->nargs; k++) {
    worst w = {
        .what = k ? partials[k - 1] : "value", .bound = k ? t.info->partial_ulps : t.info->value_ulps, .ulps = -1};
    ad_span want = k ? ad_workspace_tangent(exact->w, k - 1, z) : value;
    for (size_t i = 0; i < p->count; i++) {
      if (!k)
        measure(&w, r->value[i], number(want, i), i, 0);
      else if (!unbounded[i])
        measure(&w, r->partial[k - 1][i], number(want, i), i, carried_spacing(p, number(value, i), i));
    }
    char line[600];
    say(line, sizeof line, t, p, &w, how);
    if (getenv("ADTOOL_TEST_VERBOSE")) fputs(line, stdout);
    if (w.over) strncat(report, line, size - strlen(report) - 1);
  }
  free(unbounded);
}

static bool same(double a, double b) {
  return a == b || (isnan(a) && isnan(b));
}

/* Where a derivative came out as nan, the whole point is computed once more by the C library's functions, in those
 * ways that saw the nan: its other numbers keep within the operation's bound only. */
static bool same_within(const results *a, const results *b, size_t nargs, size_t i, size_t k, double bound) {
  bool finite = true;
  for (size_t j = 0; j < nargs; j++) finite = finite && isfinite(a->partial[j][i]);
  const double x = a->partial[k][i], y = b->partial[k][i];
  return same(x, y) || (!finite && fabs(x - y) <= 2 * bound * 0x1p-52 * fabs(y));
}

/* Two ways to compute the same thing give the same bits. */
static void expect_same(subject t, const op_points *p, const results *a, const results *b, const char *how) {
  for (size_t i = 0; i < p->count; i++) {
    const double y = p->nargs > 1 ? p->arg[1][i] : 0, w = p->nargs > 2 ? p->arg[2][i] : 0;
    ck_assert_msg(same(a->value[i], b->value[i]), "%s: %s(%a, %a, %a): %a and %a", how, t.info->name, p->arg[0][i], y,
                  w, a->value[i], b->value[i]);
    for (size_t k = 0; k < p->nargs; k++)
      ck_assert_msg(same_within(a, b, p->nargs, i, k, t.info->partial_ulps),
                    "%s: partial %zu of %s(%a, %a, %a): %a and %a", how, k, t.info->name, p->arg[0][i], y, w,
                    a->partial[k][i], b->partial[k][i]);
  }
}

static void check_subject(subject t, const op_points *p) {
  ad_node z;
  ad_graph *g = graph_of(t, p, 0, p->count, &z);
  graphs_run exact = graphs_start(g, "mpfr", (ad_workspace_options){.precision = BITS, .directions = 3});
  for (size_t i = 0; i < p->count; i++)
    for (uint32_t k = 0; k < p->nargs; k++) must(ad_workspace_seed_tangent(exact.w, k, k, i, 1, &graphs_error));
  must(ad_workspace_forward(exact.w, &graphs_error));
  char report[8000] = "";
  for (int s = 0; s < GRAPHS_SIMD; s++) {
    char how[64];
    results dual = by_tensor(t, p, graphs_simd[s], true), tape = by_tensor(t, p, graphs_simd[s], false);
    snprintf(how, sizeof how, "%s, SIMD %s", "dual", graphs_simd[s]);
    judge(report, sizeof report, t, p, &dual, &exact, z, how);
    expect_same(t, p, &dual, &tape, "dual and tape");
    for (int forward = 0; forward < 2; forward++) {
      results block = by_blocks(t, p, graphs_simd[s], forward, BLOCK);
      expect_same(t, p, &tape, &block, forward ? "tensor and block, dual" : "tensor and block, tape");
      free_results(&block);
      if (s) continue;
      results one = by_blocks(t, p, graphs_simd[s], forward, 1);
      expect_same(t, p, &tape, &one, forward ? "tensor and scalar, dual" : "tensor and scalar, tape");
      free_results(&one);
    }
    free_results(&dual);
    free_results(&tape);
  }
  ck_assert_msg(!*report, "seed %llu\n%s", (unsigned long long)ulps_seed(), report);
  graphs_end(&exact);
  ad_graph_free(g);
}

START_TEST(double_within_the_bounds) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  op_points p = op_points_everywhere(info);
  check_subject((subject){info, NULL}, &p);
  op_points_free(&p);
}
END_TEST

/* ---- Special arguments: also outside of domains, and signs of zeros */

static void push_special(char *report, size_t size, const ad_op_info *info, const op_points *p, size_t i,
                         const char *what, double got, mpfr_srcptr want, double bound, double carried) {
  const double exact = mpfr_get_d(want, MPFR_RNDN);
  const bool sign = got == 0 && mpfr_zero_p(want) && !signbit(got) != !signbit(exact);
  if (error_of(got, want, carried) <= bound && !sign) return;
  const size_t used = strlen(report);
  snprintf(report + used, size - used, "%s of %s(%g, %g, %g): %.17g, not %.17g\n", what, info->name, p->arg[0][i],
           p->nargs > 1 ? p->arg[1][i] : 0, p->nargs > 2 ? p->arg[2][i] : 0, got, exact);
}

START_TEST(special_arguments) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  op_points p = op_points_special(info);
  const subject t = {info, NULL};
  ad_node z;
  ad_graph *g = graph_of(t, &p, 0, p.count, &z);
  graphs_run exact = graphs_start(g, "mpfr", (ad_workspace_options){.precision = BITS, .directions = 3});
  for (size_t i = 0; i < p.count; i++)
    for (uint32_t k = 0; k < p.nargs; k++) must(ad_workspace_seed_tangent(exact.w, k, k, i, 1, &graphs_error));
  must(ad_workspace_forward(exact.w, &graphs_error));
  static char report[400000];
  *report = 0;
  const ad_span value = ad_workspace_value(exact.w, z);
  for (int s = 0; s < GRAPHS_SIMD; s++) {
    results r = by_tensor(t, &p, graphs_simd[s], true);
    for (uint32_t k = 0; k <= p.nargs; k++) {
      const ad_span want = k ? ad_workspace_tangent(exact.w, k - 1, z) : value;
      for (size_t i = 0; i < p.count; i++)
        push_special(report, sizeof report, info, &p, i, k ? k > 1 ? "2nd" : "1st" : "value",
                     k ? r.partial[k - 1][i] : r.value[i], number(want, i), k ? info->partial_ulps : info->value_ulps,
                     k ? carried_spacing(&p, number(value, i), i) : 0);
    }
    free_results(&r);
  }
  ck_assert_msg(!*report, "%s", report);
  graphs_end(&exact);
  ad_graph_free(g);
  op_points_free(&p);
}
END_TEST

static const double exponents[] = {0, 1, 2, 3, 4, 7, 20, 1023, 2147483647, -1, -2, -3, -8, -1075, -2147483647};
enum { EXPONENTS = sizeof exponents / sizeof exponents[0] };

START_TEST(constant_powers_within_the_bounds) {
  const subject t = {ad_op_get(ad_op_find("powi")), &exponents[_i]};
  op_points p = op_points_everywhere(ad_op_get(ad_op_find("sqr"))); /* of one argument */
  check_subject(t, &p);
  op_points_free(&p);
}
END_TEST

/* Every row that only lowering makes has a test of its own here. */
START_TEST(lowered_rows_are_covered) {
  for (ad_op op = 0; op < ad_op_count(); op++)
    if (ad_op_get(op)->cls == AD_CLASS_LOWERED) ck_assert_str_eq(ad_op_get(op)->name, "powi");
}
END_TEST

int main(void) {
  Suite *s = suite_create("elementwise operations");
  TCase *t = tcase_create("double against MPFR");
  tcase_set_timeout(t, 600);
  tcase_add_loop_test(t, double_within_the_bounds, 0, (int)ad_op_count());
  tcase_add_loop_test(t, constant_powers_within_the_bounds, 0, EXPONENTS);
  tcase_add_test(t, lowered_rows_are_covered);
  suite_add_tcase(s, t);
  t = tcase_create("special arguments");
  tcase_set_timeout(t, 600);
  tcase_add_loop_test(t, special_arguments, 0, (int)ad_op_count());
  suite_add_tcase(s, t);
  return suite_run(s);
}
