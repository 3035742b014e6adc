/* lgamma, digamma and polygamma in MPFR, by Arb. */
#include <stdbool.h>

#include "arith/ball.h"
#include "arith/mpfr_special.h"

/* x = 0, -1, -2, ... */
static bool is_pole(mpfr_srcptr x) {
  return mpfr_zero_p(x) || (mpfr_sgn(x) < 0 && mpfr_integer_p(x));
}

/* So near 0 that only the pole's own term counts: what follows is smaller by |x| or more. */
static bool pole_alone(mpfr_srcptr r, mpfr_srcptr x) {
  return mpfr_get_exp(x) < -(mpfr_exp_t)ad_ball_most_bits(r, x, NULL);
}

/* -- lgamma */

/* z = 1 - x */
static void one_minus(arb_t z, const arb_t x, slong bits) {
  arb_sub_ui(z, x, 1, bits);
  arb_neg(z, z);
}

static void lgamma_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  if (arb_is_positive(x)) {
    arb_lgamma(z, x, bits);
    return;
  }
  /* log pi - log|sin(pi x)| - lgamma(1 - x), the sine of x less its integer part */
  arb_t t, s;
  arb_init(t);
  arb_init(s);
  arb_floor(t, x, ARF_PREC_EXACT);
  arb_sub(t, x, t, bits);
  arb_sin_pi(s, t, bits);
  arb_const_pi(t, bits);
  arb_div(s, t, s, bits);
  arb_log(s, s, bits);
  one_minus(t, x, bits);
  arb_lgamma(z, t, bits);
  arb_sub(z, s, z, bits);
  arb_clear(s);
  arb_clear(t);
}

void ad_ball_lgamma(arb_t z, const arb_t x, slong bits) {
  lgamma_ball(z, x, NULL, 0, bits);
}

static void log_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_abs(z, x);
  arb_log(z, z, bits);
  arb_neg(z, z);
}

void ad_mpfr_lgamma(mpfr_ptr r, mpfr_srcptr x) {
  if (mpfr_nan_p(x))
    mpfr_set_nan(r);
  else if (mpfr_inf_p(x) || is_pole(x))
    mpfr_set_inf(r, 1);
  else if (mpfr_cmp_ui(x, 1) == 0 || mpfr_cmp_ui(x, 2) == 0)
    mpfr_set_zero(r, 1);
  else
    ad_ball_round(r, x, NULL, 0, pole_alone(r, x) ? log_ball : lgamma_ball);
}

/* -- digamma */

static void digamma_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y, (void)n;
  arb_digamma(z, x, bits);
}

void ad_mpfr_digamma(mpfr_ptr r, mpfr_srcptr x) {
  if (mpfr_zero_p(x))
    mpfr_set_inf(r, mpfr_signbit(x) ? 1 : -1);
  else if (mpfr_nan_p(x) || is_pole(x) || (mpfr_inf_p(x) && mpfr_sgn(x) < 0))
    mpfr_set_nan(r);
  else if (mpfr_inf_p(x))
    mpfr_set_inf(r, 1);
  else if (pole_alone(r, x))
    mpfr_si_div(r, -1, x, MPFR_RNDN);
  else
    ad_ball_round(r, x, NULL, 0, digamma_ball);
}

/* -- polygamma: (-1)^(n+1) n! Z(x), Z(x) = sum over k >= 0 of (x + k)^-(n+1), the Hurwitz zeta function of n + 1 */

/* z = x^-(n+1) */
static void power_ball(arb_t z, const arb_t x, ulong n, slong bits) {
  arb_inv(z, x, bits);
  arb_pow_ui(z, z, n + 1, bits);
}

/* Z(x) for x > 0. */
static void zeta_ball(arb_t z, const arb_t x, ulong n, slong bits) {
  arb_t s;
  arb_init(s);
  if (arf_cmpabs_2exp_si(arb_midref(x), 2 * bits + FLINT_BITS) > 0 && arb_rel_accuracy_bits(x) > 1) {
    /* x^-n/n times 1 + n/(2x) + ..., which is less than 1 + n/x */
    arb_inv(z, x, bits);
    arb_pow_ui(z, z, n, bits);
    arb_div_ui(z, z, n, bits);
    mag_t error;
    mag_init(error);
    arb_get_mag(error, z);
    mag_mul_2exp_si(error, error, -2 * bits);
    mag_add(arb_radref(z), arb_radref(z), error);
    mag_clear(error);
  } else {
    arb_set_ui(s, n);
    arb_add_ui(s, s, 1, bits);
    arb_hurwitz_zeta(z, s, x, bits);
  }
  arb_clear(s);
}

/* Z(x) for x < 0, no integer: its terms right of 0, Z(f) with f = x - floor(x), and those left of 0, which are
 * (-1)^(n+1) times Z(1 - f) - Z(1 - x), or a sum where they are few.  Where f = 1/2 and n is even, only Z(1 - x)
 * remains.
 */
static void zeta_negative_ball(arb_t z, const arb_t x, ulong n, slong bits) {
  const slong few = 64;
  arb_t floor, f, c, t, left;
  arb_init(floor);
  arb_init(f);
  arb_init(c);
  arb_init(t);
  arb_init(left);
  arb_floor(floor, x, ARF_PREC_EXACT);
  arb_sub(f, x, floor, bits);
  one_minus(c, f, bits);
  if (!arb_is_exact(floor)) {
    arb_indeterminate(z);
    goto done;
  }
  if (n % 2 == 0 && arb_is_exact(f) && arb_equal(f, c)) {
    one_minus(t, x, bits);
    zeta_ball(z, t, n, bits);
    goto done;
  }
  if (arf_cmpabs_ui(arb_midref(floor), (ulong)few) <= 0) {
    slong count = -arf_get_si(arb_midref(floor), ARF_RND_DOWN);
    for (slong k = 0; k < count; k++) {
      arb_add_si(t, c, k, bits);
      power_ball(t, t, n, bits);
      arb_add(left, left, t, bits);
    }
  } else {
    zeta_ball(left, c, n, bits);
    one_minus(c, x, bits);
    zeta_ball(t, c, n, bits);
    arb_sub(left, left, t, bits);
  }
  zeta_ball(z, f, n, bits);
  if (n % 2)
    arb_add(z, z, left, bits);
  else
    arb_sub(z, z, left, bits);
done:
  arb_clear(left);
  arb_clear(t);
  arb_clear(c);
  arb_clear(f);
  arb_clear(floor);
}

/* z times (-1)^(n+1) n! */
static void times_factorial(arb_t z, ulong n, slong bits) {
  arb_t t;
  arb_init(t);
  arb_set_ui(t, n);
  arb_add_ui(t, t, 1, bits);
  arb_gamma(t, t, bits);
  arb_mul(z, z, t, bits);
  if (n % 2 == 0) arb_neg(z, z);
  arb_clear(t);
}

static void polygamma_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y;
  if (arb_is_positive(x))
    zeta_ball(z, x, n, bits);
  else
    zeta_negative_ball(z, x, n, bits);
  times_factorial(z, n, bits);
}

void ad_ball_polygamma(arb_t z, const arb_t x, ulong n, slong bits) {
  if (n)
    polygamma_ball(z, x, NULL, n, bits);
  else
    arb_digamma(z, x, bits);
}

static void polygamma_pole_ball(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits) {
  (void)y;
  power_ball(z, x, n, bits);
  times_factorial(z, n, bits);
}

void ad_mpfr_polygamma(mpfr_ptr r, long n, mpfr_srcptr x) {
  const int sign = n % 2 ? 1 : -1;
  if (n == 0)
    ad_mpfr_digamma(r, x);
  else if (n > 0 && mpfr_zero_p(x))
    mpfr_set_inf(r, n % 2 || mpfr_signbit(x) ? 1 : -1);
  else if (n < 0 || mpfr_nan_p(x) || is_pole(x) || (mpfr_inf_p(x) && mpfr_sgn(x) < 0))
    mpfr_set_nan(r);
  else if (mpfr_inf_p(x))
    mpfr_set_zero(r, sign);
  else
    ad_ball_round(r, x, NULL, (ulong)n, pole_alone(r, x) ? polygamma_pole_ball : polygamma_ball);
}
