/* Taylor series of single operations: closed forms to order 50 at 200 digits, and every elementwise row against forward
 * mode, against divided differences along a curve, and double against MPFR. */
#include <math.h>
#include <mpfr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curves.h"
#include "op_points.h"
#include "suite.h"
#include "ulps.h"

/* ---- Closed forms */

enum { ORDER = 50, BITS_200_DIGITS = 665, BITS = 720 };

typedef void closed_form(mpfr_ptr c, unsigned j, mpfr_srcptr x); /* coefficient j at x */

static void exp_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  mpfr_t f;
  mpfr_init2(f, BITS);
  mpfr_fac_ui(f, j, MPFR_RNDN);
  mpfr_exp(c, x, MPFR_RNDN);
  mpfr_div(c, c, f, MPFR_RNDN);
  mpfr_clear(f);
}

static void sin_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  mpfr_t f;
  mpfr_init2(f, BITS);
  mpfr_fac_ui(f, j, MPFR_RNDN);
  if (j % 2)
    mpfr_cos(c, x, MPFR_RNDN);
  else
    mpfr_sin(c, x, MPFR_RNDN);
  if (j % 4 > 1) mpfr_neg(c, c, MPFR_RNDN);
  mpfr_div(c, c, f, MPFR_RNDN);
  mpfr_clear(f);
}

/* 1/(1 - x) */
static void geometric_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  mpfr_ui_sub(c, 1, x, MPFR_RNDN);
  mpfr_pow_si(c, c, -(long)j - 1, MPFR_RNDN);
}

static void log1p_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  if (!j) {
    mpfr_log1p(c, x, MPFR_RNDN);
    return;
  }
  mpfr_add_ui(c, x, 1, MPFR_RNDN);
  mpfr_pow_si(c, c, -(long)j, MPFR_RNDN);
  mpfr_div_si(c, c, j % 2 ? (long)j : -(long)j, MPFR_RNDN);
}

/* (1 + x)^(5/8) */
static void power_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  mpfr_t a;
  mpfr_init2(a, BITS);
  mpfr_set_d(a, 0.625 - j, MPFR_RNDN);
  mpfr_add_ui(c, x, 1, MPFR_RNDN);
  mpfr_pow(c, c, a, MPFR_RNDN);
  for (unsigned i = 0; i < j; i++) {
    mpfr_mul_d(c, c, 0.625 - i, MPFR_RNDN);
    mpfr_div_ui(c, c, i + 1, MPFR_RNDN);
  }
  mpfr_clear(a);
}

/* At 0: 2^2n (2^2n - 1) B_2n / (2n)! t^(2n-1), with |B_2n| = 2 (2n)! zeta(2n) / (2 pi)^2n. */
static void tanh_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  ck_assert(mpfr_zero_p(x));
  mpfr_set_zero(c, 1);
  if (j % 2 == 0) return;
  const unsigned n = (j + 1) / 2;
  mpfr_t t;
  mpfr_init2(t, BITS);
  mpfr_zeta_ui(c, 2 * n, MPFR_RNDN);
  mpfr_const_pi(t, MPFR_RNDN);
  mpfr_pow_ui(t, t, 2 * n, MPFR_RNDN);
  mpfr_div(c, c, t, MPFR_RNDN);
  mpfr_set_ui_2exp(t, 1, 2 * n, MPFR_RNDN);
  mpfr_sub_ui(t, t, 1, MPFR_RNDN);
  mpfr_mul(c, c, t, MPFR_RNDN);
  mpfr_mul_si(c, c, n % 2 ? 2 : -2, MPFR_RNDN);
  mpfr_clear(t);
}

/* At 0: 2/sqrt(pi) (-1)^m / (m! (2m + 1)) t^(2m+1). */
static void erf_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  ck_assert(mpfr_zero_p(x));
  mpfr_set_zero(c, 1);
  if (j % 2 == 0) return;
  const unsigned m = j / 2;
  mpfr_t t;
  mpfr_init2(t, BITS);
  mpfr_const_pi(t, MPFR_RNDN);
  mpfr_rec_sqrt(c, t, MPFR_RNDN);
  mpfr_fac_ui(t, m, MPFR_RNDN);
  mpfr_mul_si(t, t, m % 2 ? -(long)j : (long)j, MPFR_RNDN);
  mpfr_div(c, c, t, MPFR_RNDN);
  mpfr_mul_2ui(c, c, 1, MPFR_RNDN);
  mpfr_clear(t);
}

/* At 1: 0, -gamma, then (-1)^j zeta(j) / j. */
static void lgamma_form(mpfr_ptr c, unsigned j, mpfr_srcptr x) {
  ck_assert(!mpfr_cmp_ui(x, 1));
  if (j < 2) {
    mpfr_set_zero(c, 1);
    if (j) mpfr_const_euler(c, MPFR_RNDN);
    if (j) mpfr_neg(c, c, MPFR_RNDN);
    return;
  }
  mpfr_zeta_ui(c, j, MPFR_RNDN);
  mpfr_div_si(c, c, j % 2 ? -(long)j : (long)j, MPFR_RNDN);
}

static const struct closed {
  const char *op;
  double shift, sign; /* the operation's argument is shift + sign * x */
  double exponent;    /* of pow; 0: no second argument */
  double x;
  closed_form *form;
} closed[] = {
    {"exp", 0, 1, 0, 0, exp_form},          {"exp", 0, 1, 0, -1.75, exp_form},
    {"sin", 0, 1, 0, 0, sin_form},          {"sin", 0, 1, 0, 2.5, sin_form},
    {"recip", 1, -1, 0, 0, geometric_form}, {"recip", 1, -1, 0, 0.375, geometric_form},
    {"tanh", 0, 1, 0, 0, tanh_form},        {"log", 1, 1, 0, 0.5, log1p_form},
    {"log1p", 0, 1, 0, 0, log1p_form},      {"log1p", 0, 1, 0, -0.25, log1p_form},
    {"pow", 1, 1, 0.625, 0, power_form},    {"pow", 1, 1, 0.625, 0.75, power_form},
    {"erf", 0, 1, 0, 0, erf_form},          {"lgamma", 0, 1, 0, 1, lgamma_form},
};
enum { CLOSED = sizeof closed / sizeof closed[0] };

START_TEST(closed_forms_to_order_50) {
  const struct closed *c = &closed[_i];
  ad_graph *g = graphs_new();
  ad_node x = graphs_input(g, "x", SCALAR, &c->x, 1), z = x;
  if (c->shift != 0 || c->sign != 1)
    z = graphs_binary(g, c->sign == 1 ? "add" : "sub", graphs_constant(g, c->shift), x);
  z = c->exponent != 0 ? graphs_binary(g, c->op, z, graphs_constant(g, c->exponent)) : graphs_unary(g, c->op, z);
  must(ad_graph_output(g, "z", z, &graphs_error));
  graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.precision = BITS, .order = ORDER});
  must(ad_workspace_seed_coefficient(r.w, 1, x, 0, 1, &graphs_error));
  must(ad_workspace_taylor(r.w, &graphs_error));
  mpfr_t want, at, gap;
  mpfr_inits2(BITS, want, at, gap, NULL);
  mpfr_set_d(at, c->x, MPFR_RNDN);
  for (unsigned j = 0; j <= ORDER; j++) {
    mpfr_srcptr got = curves_coefficient(r.w, j, z, 0);
    c->form(want, j, at);
    if (mpfr_zero_p(want)) {
      ck_assert_msg(mpfr_zero_p(got), "%s at %g: coefficient %u is not 0", c->op, c->x, j);
      continue;
    }
    mpfr_reldiff(gap, want, got, MPFR_RNDN);
    ck_assert_msg(mpfr_zero_p(gap) || mpfr_get_exp(gap) < -BITS_200_DIGITS, "%s at %g: coefficient %u is off by 2^%ld",
                  c->op, c->x, j, (long)mpfr_get_exp(gap));
  }
  mpfr_clears(want, at, gap, NULL);
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* Where plain derivatives, 170! and more, would have overflowed long ago. */
START_TEST(gamma_in_double_to_order_400) {
  enum { K = 400 };
  ad_graph *g = graphs_new();
  ad_node x = graphs_input(g, "x", SCALAR, &(double){1}, 1), z = graphs_unary(g, "lgamma", x);
  must(ad_graph_output(g, "z", z, &graphs_error));
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.order = K});
  must(ad_workspace_seed_coefficient(r.w, 1, x, 0, 1, &graphs_error));
  must(ad_workspace_taylor(r.w, &graphs_error));
  mpfr_t want, at;
  mpfr_inits2(BITS, want, at, NULL);
  mpfr_set_ui(at, 1, MPFR_RNDN);
  for (unsigned j = 0; j <= K; j++) {
    const ad_span c = ad_workspace_coefficient(r.w, j, z);
    lgamma_form(want, j, at);
    const double off = ulps(ad_span_double(&c, 0), want);
    ck_assert_msg(off <= 16 + 2, "coefficient %u is %.17g, %g ulps off", j, ad_span_double(&c, 0), off);
  }
  mpfr_clears(want, at, NULL);
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* ---- Rows of the table */

/* z = op(x, y, w) at one point; an argument called "n" is a constant. */
static ad_graph *graph_at(const ad_op_info *info, const op_points *p, size_t at, ad_node *z) {
  static const char *const names[] = {"x", "y", "w"};
  ad_graph *g = graphs_new();
  const bool integer = !strncmp(info->arg_names, "n,", 2);
  ad_node args[3];
  for (size_t k = integer; k < p->nargs; k++) args[k] = graphs_input(g, names[k], SCALAR, &p->arg[k][at], 1);
  if (integer) args[0] = graphs_constant(g, p->arg[0][at]);
  *z = graphs_apply(g, info->name, p->nargs, args, 0, NULL);
  must(ad_graph_output(g, "z", *z, &graphs_error));
  return g;
}

START_TEST(rows_against_differences_and_mpfr) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  op_points p = op_points_ordinary(info, (size_t)(24 * ulps_multiplier()));
  for (size_t i = 0; i < p.count; i++) {
    ad_node z;
    char what[200];
    ad_graph *g = graph_at(info, &p, i, &z);
    snprintf(what, sizeof what, "%s(%a, %a, %a)", info->name, p.arg[0][i], p.nargs > 1 ? p.arg[1][i] : 0,
             p.nargs > 2 ? p.arg[2][i] : 0);
    curves_check_differences(g, z, ulps_seed() + i, what);
    curves_check_double(g, z, ulps_seed() + i, what);
    ad_graph_free(g);
  }
  op_points_free(&p);
}
END_TEST

/* Many elements at once: a tensor, whose last elements fill no vector, and scalars, in order and in none; an argument
 * that does not move beside one that does. */
START_TEST(rows_side_by_side) {
  enum { COUNT = 45, ORDERED = 20 }; /* scalars that do one operation go side by side from 32 on */
  const ad_op_info *info = ad_op_get((ad_op)(_i / GRAPHS_SIMD));
  if (info->cls != AD_CLASS_ELEMENT) return;
  if (ulps_multiplier() < 1 && _i % GRAPHS_SIMD != _i / GRAPHS_SIMD % GRAPHS_SIMD) return; /* in turn */
  graphs_use_simd(graphs_simd[_i % GRAPHS_SIMD]);
  op_points p = op_points_ordinary(info, COUNT);
  const unsigned nargs = (unsigned)p.nargs, constant = !strncmp(info->arg_names, "n,", 2);
  const size_t from = p.count - COUNT;
  for (unsigned fixed = 0; fixed < (1u << nargs) - 1; fixed++) {
    if ((fixed & constant) != constant) continue;
    char what[200], name[24];
    snprintf(what, sizeof what, "%s by %s, fixed arguments %u", info->name, graphs_simd[_i % GRAPHS_SIMD], fixed);
    ad_graph *g = graphs_new();
    ad_node arg[3][COUNT], tensor[3], one[3], z[COUNT], all[2];
    for (int constants = 0; constants < 2; constants++)
      for (size_t k = 0; k < nargs; k++) {
        const double *v = p.arg[k] + from;
        if ((int)(fixed >> k & 1) != constants) continue;
        snprintf(name, sizeof name, "tensor%zu", k);
        tensor[k] =
            constants ? graphs_tensor(g, SHAPE(COUNT), v, COUNT) : graphs_input(g, name, SHAPE(COUNT), v, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
          snprintf(name, sizeof name, "scalar%zu.%zu", k, i);
          arg[k][i] = constants ? graphs_constant(g, v[i]) : graphs_input(g, name, SCALAR, &v[i], 1);
        }
      }
    all[0] = graphs_apply(g, info->name, nargs, tensor, 0, NULL);
    for (size_t i = 0; i < COUNT; i++) {
      for (size_t k = 0; k < nargs; k++) one[k] = arg[k][i < ORDERED ? i : ORDERED + i * 7 % (COUNT - ORDERED)];
      z[i] = graphs_apply(g, info->name, nargs, one, 0, NULL);
    }
    all[1] = graphs_apply(g, "stack", COUNT, z, 0, NULL);
    const ad_node both = graphs_apply(g, "concat", 2, all, 0, NULL);
    must(ad_graph_output(g, "z", both, &graphs_error));
    curves_check_double(g, both, ulps_seed() + fixed, what);
    ad_graph_free(g);
  }
  op_points_free(&p);
}
END_TEST

/* ---- Coefficient 1 is the tangent */

static bool same_exactly(mpfr_srcptr a, mpfr_srcptr b, mpfr_prec_t bits) {
  if (mpfr_nan_p(a) || mpfr_nan_p(b)) return mpfr_nan_p(a) && mpfr_nan_p(b);
  if (mpfr_equal_p(a, b)) return true;
  return mpfr_regular_p(a) && mpfr_regular_p(b) && mpfr_eq(a, b, (unsigned long)bits);
}

static void check_first(const ad_op_info *info, const op_points *p, const char *backend) {
  static const char *const names[] = {"x", "y", "w"};
  const bool exact = !strcmp(backend, "mpfr");
  ad_graph *g = graphs_new();
  ad_node args[3];
  for (size_t k = 0; k < p->nargs; k++)
    args[k] = graphs_input(g, names[k], SHAPE((int64_t)p->count), p->arg[k], p->count);
  const ad_node z = graphs_apply(g, info->name, p->nargs, args, 0, NULL);
  must(ad_graph_output(g, "z", z, &graphs_error));
  graphs_run r = graphs_start(g, backend, (ad_workspace_options){.precision = 300, .order = 2, .directions = 1});
  double *shares = calloc(p->count + 1, sizeof *shares);        /* the sum of the arguments' tangents' sizes */
  for (size_t k = 0; k <= (p->nargs > 1 ? p->nargs : 0); k++) { /* each argument, then all of them */
    ad_workspace_clear_seeds(r.w);
    for (size_t a = k < p->nargs ? k : 0; a < (k < p->nargs ? k + 1 : p->nargs); a++)
      for (size_t i = 0; i < p->count; i++) {
        must(ad_workspace_seed_tangent(r.w, 0, args[a], i, 1, &graphs_error));
        must(ad_workspace_seed_coefficient(r.w, 1, args[a], i, 1, &graphs_error));
      }
    must(ad_workspace_forward(r.w, &graphs_error));
    must(ad_workspace_taylor(r.w, &graphs_error));
    const ad_span want = ad_workspace_tangent(r.w, 0, z), got = ad_workspace_coefficient(r.w, 1, z);
    mpfr_t reference;
    mpfr_init2(reference, 53);
    for (size_t i = 0; i < p->count; i++) {
      const double d = ad_span_double(&want, i), c = ad_span_double(&got, i);
      bool same;
      if (k < p->nargs) shares[i] += fabs(d);
      if (k == p->nargs) { /* recurrences may be finite where partials overflow and cancel */
        same = (isinf(shares[i]) && isfinite(c)) || (isnan(d) && isnan(c)) || d == c ||
               fabs(d - c) <= 0x1p-40 * shares[i] || (fabs(d) < 0x1p-1020 && fabs(c) < 0x1p-1020);
      } else if (exact) {
        same = same_exactly((const __mpfr_struct *)want.data + i, (const __mpfr_struct *)got.data + i, 290);
      } else {
        mpfr_set_d(reference, d, MPFR_RNDN);
        same = (fabs(d) < 0x1p-1020 && fabs(c) < 0x1p-1020) || ulps(c, reference) <= 2 * info->partial_ulps;
      }
      ck_assert_msg(same, "%s, %s(%a, %a, %a) by argument %zu: coefficient 1 is %a, the tangent %a", backend,
                    info->name, p->arg[0][i], p->nargs > 1 ? p->arg[1][i] : 0, p->nargs > 2 ? p->arg[2][i] : 0, k, c,
                    d);
    }
    mpfr_clear(reference);
  }
  free(shares);
  graphs_end(&r);
  ad_graph_free(g);
}

START_TEST(coefficient_1_is_the_tangent) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  op_points p = op_points_everywhere(info), few = op_points_ordinary(info, 300);
  check_first(info, &p, "dual");
  check_first(info, &few, "mpfr");
  op_points_free(&few);
  op_points_free(&p);
}
END_TEST

int main(void) {
  Suite *s = suite_create("Taylor series");
  TCase *t = tcase_create("series");
  tcase_set_timeout(t, 600);
  tcase_add_loop_test(t, closed_forms_to_order_50, 0, CLOSED);
  tcase_add_test(t, gamma_in_double_to_order_400);
  tcase_add_loop_test(t, rows_against_differences_and_mpfr, 0, (int)ad_op_count());
  tcase_add_loop_test(t, rows_side_by_side, 0, (int)ad_op_count() * GRAPHS_SIMD);
  tcase_add_loop_test(t, coefficient_1_is_the_tangent, 0, (int)ad_op_count());
  suite_add_tcase(s, t);
  return suite_run(s);
}
