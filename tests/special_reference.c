#include "special_reference.h"

/* More than any cancellation here costs: an argument of 1000 bits lies at most 1000 bits near a zero. */
static mpfr_prec_t working(mpfr_srcptr r, mpfr_srcptr x) {
  return mpfr_get_prec(r) + 3 * mpfr_get_prec(x) + 300;
}

/* 1/cosh x */
void reference_sech(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x));
  mpfr_cosh(t, x, MPFR_RNDN);
  mpfr_ui_div(r, 1, t, MPFR_RNDN);
  mpfr_clear(t);
}

void reference_gauss(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x));
  mpfr_sqr(t, x, MPFR_RNDN);
  mpfr_neg(t, t, MPFR_RNDN);
  mpfr_exp(r, t, MPFR_RNDN);
  mpfr_clear(t);
}

void reference_acosh_partial(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x) + 2048);
  mpfr_sqr(t, x, MPFR_RNDN);
  mpfr_sub_ui(t, t, 1, MPFR_RNDN);
  mpfr_rec_sqrt(r, t, MPFR_RNDN);
  mpfr_clear(t);
}

/* 1/(1 + exp(-x)) */
void reference_sigmoid(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x));
  mpfr_neg(t, x, MPFR_RNDN);
  mpfr_exp(t, t, MPFR_RNDN);
  mpfr_add_ui(t, t, 1, MPFR_RNDN);
  mpfr_ui_div(r, 1, t, MPFR_RNDN);
  mpfr_clear(t);
}

void reference_softplus(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x));
  if (mpfr_cmp_ui(x, 1000000) > 0) { /* exp(-10^6) is far below any ulp */
    mpfr_set(r, x, MPFR_RNDN);
  } else {
    mpfr_exp(t, x, MPFR_RNDN);
    mpfr_log1p(r, t, MPFR_RNDN);
  }
  mpfr_clear(t);
}

void reference_silu(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x));
  reference_sigmoid(t, x);
  mpfr_mul(r, t, x, MPFR_RNDN);
  mpfr_clear(t);
}

/* s + x s (1 - s), 1 - s = s(-x) */
void reference_silu_partial(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t s, t;
  mpfr_init2(s, working(r, x));
  mpfr_init2(t, working(r, x));
  mpfr_neg(t, x, MPFR_RNDN);
  reference_sigmoid(t, t);
  reference_sigmoid(s, x);
  mpfr_mul(t, t, x, MPFR_RNDN);
  mpfr_mul(t, t, s, MPFR_RNDN);
  mpfr_add(r, s, t, MPFR_RNDN);
  mpfr_clears(s, t, (mpfr_ptr)0);
}

static void normal_distribution(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x));
  mpfr_sqrt_ui(t, 2, MPFR_RNDN);
  mpfr_div(t, x, t, MPFR_RNDN);
  mpfr_neg(t, t, MPFR_RNDN);
  mpfr_erfc(r, t, MPFR_RNDN);
  mpfr_div_2ui(r, r, 1, MPFR_RNDN);
  mpfr_clear(t);
}

void reference_gelu(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t t;
  mpfr_init2(t, working(r, x));
  normal_distribution(t, x);
  mpfr_mul(r, t, x, MPFR_RNDN);
  mpfr_clear(t);
}

void reference_normal(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t s, t;
  mpfr_init2(s, working(r, x));
  mpfr_init2(t, working(r, x));
  mpfr_sqr(t, x, MPFR_RNDN);
  mpfr_div_si(t, t, -2, MPFR_RNDN);
  mpfr_exp(t, t, MPFR_RNDN);
  mpfr_const_pi(s, MPFR_RNDN);
  mpfr_mul_2ui(s, s, 1, MPFR_RNDN);
  mpfr_rec_sqrt(s, s, MPFR_RNDN);
  mpfr_mul(r, t, s, MPFR_RNDN);
  mpfr_clears(s, t, (mpfr_ptr)0);
}

void reference_gelu_partial(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_t s, t;
  mpfr_init2(s, working(r, x));
  mpfr_init2(t, working(r, x));
  reference_normal(t, x);
  mpfr_mul(t, t, x, MPFR_RNDN);
  normal_distribution(s, x);
  mpfr_add(r, s, t, MPFR_RNDN);
  mpfr_clears(s, t, (mpfr_ptr)0);
}

void reference_lgamma(mpfr_ptr r, mpfr_srcptr x) {
  int sign;
  mpfr_lgamma(r, &sign, x, MPFR_RNDN);
}

void reference_digamma(mpfr_ptr r, mpfr_srcptr x) {
  mpfr_digamma(r, x, MPFR_RNDN);
}

/* -- polygamma */

/* r += sum over k >= 0 of (x + k)^-(n+1), or minus it, for x > 0: terms up to `far`, then Euler-Maclaurin with
 * B_2k/(2k)! = (-1)^(k+1) 2 zeta(2k)/(2 pi)^2k until its terms vanish or `count` of them are used. */
static void add_tail(mpfr_ptr r, long n, mpfr_srcptr x, int sign) {
  const mpfr_prec_t p = mpfr_get_prec(r);
  const unsigned long far = (unsigned long)p / 2 + (unsigned long)n, count = (unsigned long)p / 2;
  mpfr_t y, power, term, rising, step, sum;
  mpfr_inits2(p + 64, y, power, term, rising, step, sum, (mpfr_ptr)0);
  mpfr_set(y, x, MPFR_RNDN);
  mpfr_set_zero(sum, 1);
  for (; mpfr_cmp_ui(y, far) < 0; mpfr_add_ui(y, y, 1, MPFR_RNDN)) {
    mpfr_pow_si(power, y, -n - 1, MPFR_RNDN);
    mpfr_add(sum, sum, power, MPFR_RNDN);
  }
  mpfr_pow_si(power, y, -n, MPFR_RNDN);
  mpfr_div_si(term, power, n, MPFR_RNDN);
  mpfr_add(sum, sum, term, MPFR_RNDN);
  mpfr_div(power, power, y, MPFR_RNDN);
  mpfr_div_2ui(term, power, 1, MPFR_RNDN);
  mpfr_add(sum, sum, term, MPFR_RNDN);
  /* rising = 2 (-1)^(k+1) (n+1) ... (n+2k-1) y^(-n-2k) / (2 pi)^2k */
  mpfr_const_pi(step, MPFR_RNDN);
  mpfr_mul(step, step, y, MPFR_RNDN);
  mpfr_mul_2ui(step, step, 1, MPFR_RNDN);
  mpfr_sqr(step, step, MPFR_RNDN);
  mpfr_mul(rising, power, y, MPFR_RNDN);
  mpfr_mul_si(rising, rising, 2 * (n + 1), MPFR_RNDN);
  mpfr_div(rising, rising, step, MPFR_RNDN);
  for (unsigned long k = 1; k <= count; k++) {
    mpfr_zeta_ui(term, 2 * k, MPFR_RNDN);
    mpfr_mul(term, term, rising, MPFR_RNDN);
    mpfr_add(sum, sum, term, MPFR_RNDN);
    if (mpfr_get_exp(term) < mpfr_get_exp(sum) - (mpfr_exp_t)p - 8) break;
    mpfr_mul_ui(rising, rising, ((unsigned long)n + 2 * k) * ((unsigned long)n + 2 * k + 1), MPFR_RNDN);
    mpfr_div(rising, rising, step, MPFR_RNDN);
    mpfr_neg(rising, rising, MPFR_RNDN);
  }
  (sign > 0 ? mpfr_add : mpfr_sub)(r, r, sum, MPFR_RNDN);
  mpfr_clears(y, power, term, rising, step, sum, (mpfr_ptr)0);
}

/* (-1)^(n+1) n! (Z(f) + (-1)^(n+1) (Z(1 - f) - Z(1 - x))), f = x - floor(x); for x > 0 only Z(x) */
void reference_polygamma(mpfr_ptr r, long n, mpfr_srcptr x) {
  mpfr_t sum, y;
  mpfr_init2(sum, working(r, x));
  mpfr_init2(y, working(r, x));
  mpfr_set_zero(sum, 1);
  const int odd = n % 2 != 0;
  if (mpfr_sgn(x) > 0) {
    add_tail(sum, n, x, 1);
  } else {
    mpfr_floor(y, x);
    mpfr_sub(y, x, y, MPFR_RNDN);
    add_tail(sum, n, y, 1);
    mpfr_ui_sub(y, 1, y, MPFR_RNDN);
    add_tail(sum, n, y, odd ? 1 : -1);
    mpfr_ui_sub(y, 1, x, MPFR_RNDN);
    add_tail(sum, n, y, odd ? -1 : 1);
  }
  mpfr_fac_ui(y, (unsigned long)n, MPFR_RNDN);
  mpfr_mul(r, sum, y, MPFR_RNDN);
  if (!odd) mpfr_neg(r, r, MPFR_RNDN);
  mpfr_clears(sum, y, (mpfr_ptr)0);
}
