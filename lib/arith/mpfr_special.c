#include "arith/mpfr_special.h"

#include <stdbool.h>

#include "arith/ball.h"

/* Beyond 2^EXP_RANGE, exp(-|x|) is below MPFR's least exponent; beyond 2^GAUSS_RANGE, exp(-x^2) and exp(-x^2/2) are. */
enum { EXP_RANGE = 63, GAUSS_RANGE = 34 };

/* -- special values */

static bool beyond(mpfr_srcptr x, mpfr_exp_t range) {
  return mpfr_inf_p(x) || (mpfr_regular_p(x) && mpfr_get_exp(x) > range);
}

/* Where |x| is so large that f takes its limits: right of 0 it is `right` (x itself if NULL), left of it a zero. */
static bool at_limit(mpfr_ptr r, mpfr_srcptr x, mpfr_exp_t range, const int *right, int left_sign) {
  if (mpfr_nan_p(x)) {
    mpfr_set_nan(r);
    return true;
  }
  if (!beyond(x, range)) return false;
  if (mpfr_sgn(x) < 0)
    mpfr_set_zero(r, left_sign);
  else if (right)
    mpfr_set_si(r, *right, MPFR_RNDN);
  else
    mpfr_set(r, x, MPFR_RNDN);
  return true;
}

static const int ZERO = 0, ONE = 1;

/* -- exponentials */

static void gauss_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_sqr(z, x, ARF_PREC_EXACT);
  arb_neg(z, z);
  arb_exp(z, z, bits);
}

void ad_mpfr_gauss(mpfr_ptr r, mpfr_srcptr x) {
  if (!at_limit(r, x, GAUSS_RANGE, &ZERO, 1)) ad_ball_round(r, x, NULL, 0, gauss_ball);
}

/* e = exp(-|x|), s = 1 + e */
static void exp_pair(arb_t e, arb_t s, const arb_t x, slong bits) {
  arb_abs(e, x);
  arb_neg(e, e);
  arb_exp(e, e, bits);
  arb_add_ui(s, e, 1, bits);
}

static void sigmoid_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_t e, s;
  arb_init(e);
  arb_init(s);
  exp_pair(e, s, x, bits);
  if (arb_is_negative(x))
    arb_div(z, e, s, bits);
  else
    arb_inv(z, s, bits);
  arb_clear(s);
  arb_clear(e);
}

void ad_mpfr_sigmoid(mpfr_ptr r, mpfr_srcptr x) {
  if (!at_limit(r, x, EXP_RANGE, &ONE, 1)) ad_ball_round(r, x, NULL, 0, sigmoid_ball);
}

static void softplus_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_t e, s;
  arb_init(e);
  arb_init(s);
  exp_pair(e, s, x, bits);
  arb_log1p(z, e, bits);
  if (arb_is_positive(x)) arb_add(z, z, x, bits);
  arb_clear(s);
  arb_clear(e);
}

void ad_mpfr_softplus(mpfr_ptr r, mpfr_srcptr x) {
  if (!at_limit(r, x, EXP_RANGE, NULL, 1)) ad_ball_round(r, x, NULL, 0, softplus_ball);
}

static void silu_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  sigmoid_ball(z, x, y, n, bits);
  arb_mul(z, z, x, bits);
}

void ad_mpfr_silu(mpfr_ptr r, mpfr_srcptr x) {
  if (mpfr_zero_p(x))
    mpfr_set(r, x, MPFR_RNDN);
  else if (!at_limit(r, x, EXP_RANGE, NULL, -1))
    ad_ball_round(r, x, NULL, 0, silu_ball);
}

/* (1 + e (1 + x))/s^2 for x >= 0, e (1 + x + e)/s^2 for x < 0 */
static void silu_partial_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_t e, s, t;
  arb_init(e);
  arb_init(s);
  arb_init(t);
  exp_pair(e, s, x, bits);
  if (arb_is_negative(x)) {
    arb_add(t, s, x, bits);
    arb_mul(t, t, e, bits);
  } else {
    arb_add_ui(t, x, 1, bits);
    arb_mul(t, t, e, bits);
    arb_add_ui(t, t, 1, bits);
  }
  arb_sqr(s, s, bits);
  arb_div(z, t, s, bits);
  arb_clear(t);
  arb_clear(s);
  arb_clear(e);
}

void ad_mpfr_silu_partial(mpfr_ptr r, mpfr_srcptr x) {
  if (!at_limit(r, x, EXP_RANGE, &ONE, -1)) ad_ball_round(r, x, NULL, 0, silu_partial_ball);
}

/* -- error functions */

static void erf_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_hypgeom_erf(z, x, bits);
}

void ad_mpfr_erf(mpfr_ptr r, mpfr_srcptr x) {
  if (!mpfr_regular_p(x) && !mpfr_inf_p(x))
    mpfr_set(r, x, MPFR_RNDN);
  else if (beyond(x, GAUSS_RANGE))
    mpfr_set_si(r, mpfr_sgn(x), MPFR_RNDN);
  else
    ad_ball_round(r, x, NULL, 0, erf_ball);
}

static void erfc_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_hypgeom_erfc(z, x, bits);
}

void ad_mpfr_erfc(mpfr_ptr r, mpfr_srcptr x) {
  if (beyond(x, GAUSS_RANGE))
    mpfr_set_si(r, mpfr_sgn(x) < 0 ? 2 : 0, MPFR_RNDN);
  else if (mpfr_nan_p(x))
    mpfr_set_nan(r);
  else
    ad_ball_round(r, x, NULL, 0, erfc_ball);
}

/* -- the normal distribution: Phi(x) = erfc(-x/sqrt 2)/2 */

static void phi_ball(arb_t z, const arb_t x, slong bits) {
  arb_t h;
  arb_init(h);
  arb_set_ui(h, 2);
  arb_rsqrt(h, h, bits);
  arb_mul(h, h, x, bits);
  arb_neg(h, h);
  arb_hypgeom_erfc(z, h, bits);
  arb_mul_2exp_si(z, z, -1);
  arb_clear(h);
}

static void gelu_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  phi_ball(z, x, bits);
  arb_mul(z, z, x, bits);
}

void ad_mpfr_gelu(mpfr_ptr r, mpfr_srcptr x) {
  if (mpfr_zero_p(x))
    mpfr_set(r, x, MPFR_RNDN);
  else if (!at_limit(r, x, GAUSS_RANGE, NULL, -1))
    ad_ball_round(r, x, NULL, 0, gelu_ball);
}

static void normal_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_t root;
  arb_init(root);
  arb_sqr(z, x, ARF_PREC_EXACT);
  arb_mul_2exp_si(z, z, -1);
  arb_neg(z, z);
  arb_exp(z, z, bits);
  arb_const_pi(root, bits);
  arb_mul_2exp_si(root, root, 1);
  arb_rsqrt(root, root, bits);
  arb_mul(z, z, root, bits);
  arb_clear(root);
}

void ad_mpfr_normal(mpfr_ptr r, mpfr_srcptr x) {
  if (!at_limit(r, x, GAUSS_RANGE, &ZERO, 1)) ad_ball_round(r, x, NULL, 0, normal_ball);
}

/* Phi(x) + x exp(-x^2/2)/sqrt(2 pi) */
static void gelu_partial_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  arb_t g;
  arb_init(g);
  normal_ball(g, x, y, n, bits);
  arb_mul(g, g, x, bits);
  phi_ball(z, x, bits);
  arb_add(z, z, g, bits);
  arb_clear(g);
}

void ad_mpfr_gelu_partial(mpfr_ptr r, mpfr_srcptr x) {
  if (!at_limit(r, x, GAUSS_RANGE, &ONE, -1)) ad_ball_round(r, x, NULL, 0, gelu_partial_ball);
}

/* -- functions of two */

static void xlogy_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)n;
  arb_log(z, y, bits);
  arb_mul(z, z, x, bits);
}

void ad_mpfr_xlogy(mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y) {
  if (mpfr_zero_p(x) && !mpfr_nan_p(y)) {
    mpfr_set_zero(r, 1);
    return;
  }
  if (mpfr_regular_p(x) && mpfr_regular_p(y) && mpfr_sgn(y) > 0 && mpfr_cmp_ui(y, 1) != 0) {
    ad_ball_round(r, x, y, 0, xlogy_ball);
    return;
  }
  mpfr_t log; /* 0, infinite or nan, or times such an x: any precision tells the sign */
  mpfr_init2(log, 64);
  mpfr_log(log, y, MPFR_RNDN);
  mpfr_mul(r, x, log, MPFR_RNDN);
  mpfr_clear(log);
}

/* x >= y: x + log1p(exp(y - x)) */
static void logaddexp_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)n;
  arb_t d;
  arb_init(d);
  arb_sub(d, y, x, bits);
  arb_exp(d, d, bits);
  arb_log1p(d, d, bits);
  arb_add(z, x, d, bits);
  arb_clear(d);
}

void ad_mpfr_logaddexp(mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y) {
  mpfr_srcptr high = mpfr_greater_p(y, x) ? y : x, low = high == x ? y : x;
  if (mpfr_nan_p(x) || mpfr_nan_p(y)) {
    mpfr_set_nan(r);
    return;
  }
  mpfr_t gap;
  mpfr_init2(gap, 64);
  mpfr_sub(gap, high, low, MPFR_RNDU);
  if (!mpfr_number_p(high) || beyond(gap, EXP_RANGE))
    mpfr_set(r, high, MPFR_RNDN);
  else
    ad_ball_round(r, high, low, 0, logaddexp_ball);
  mpfr_clear(gap);
}

void ad_mpfr_free_caches(void) {
  mpfr_free_cache();
  flint_cleanup();
}
