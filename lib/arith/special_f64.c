#include "arith/special_f64.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "arith/dd.h"
#include "arith/special_tables.h"

static const dd SQRT_HALF = {0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55};
static const dd RSQRT_2PI = {0x1.9884533d43651p-2, -0x1.cbc0d30ebfd15p-56};
static const double TWO_RSQRT_PI = 0x1.20dd750429b6dp+0;

/* c[0] + c[1] t + ... */
static double polynomial(const double *c, int count, double t) {
  double p = c[count - 1];
  for (int i = count - 2; i >= 0; i--) p = p * t + c[i];
  return p;
}

/* n / d with one rounding of its own: the first quotient's residual corrects it. */
static double quotient(double n, dd d) {
  double inverse = 1 / d.hi;
  double q = n * inverse;
  double residual = fma(-q, d.hi, n) - q * d.lo;
  return fma(residual, inverse, q);
}

double ad_times_exp(dd factor, double hi, double lo) {
  if (hi < -1500) return factor.hi * 0.0;
  /* hi +- TAIL_SHIFT is exact: a multiple of 2^-43 that gets smaller. */
  double shift = hi < -700 ? TAIL_SHIFT : hi > 700 ? -TAIL_SHIFT : 0;
  double e = exp(hi + shift);
  if (isinf(e)) return factor.hi * e;
  dd p = dd_product(e, factor.hi);
  dd r = dd_fast_sum(p.hi, p.lo + e * fma(lo, factor.hi, factor.lo));
  return shift > 0 ? fma(r.hi, TAIL_SCALE, r.lo * TAIL_SCALE) : shift < 0 ? r.hi / TAIL_SCALE : r.hi;
}

/* -- powers and roots */

double ad_powi(double x, long n) {
  switch (n) {
    case 0:
      return 1;
    case 1:
      return x;
    case 2:
      return x * x;
    case 3:
      return x * x * x;
    case 4:
      return (x * x) * (x * x);
    case -1:
      return 1 / x;
    default:
      break;
  }
  /* n = high + low exactly; high may be 2^63, which no long holds. */
  double high = (double)n, low = high < -(double)LONG_MIN ? (double)(n - (long)high) : (double)(n - LONG_MAX) - 1;
  if (low == 0) return pow(x, high);
  /* |n| > 2^53: high is even, so low alone carries the sign. */
  if (x == 0 || isinf(x)) return pow(x, fmod(low, 2) == 0 ? high : copysign(3, high));
  return pow(x, high) * pow(x, low);
}

double ad_cbrt(double x) {
  if (x == 0 || !isfinite(x)) return cbrt(x);
  double scale = 1;
  if (fabs(x) < 0x1p-900) {
    x *= 0x1p300;
    scale = 0x1p-100;
  }
  /* One Newton step; x - y^3 to about the rounding of its own size. */
  double y = cbrt(x);
  dd square = dd_product(y, y);
  double residual = fma(-square.hi, y, x) - square.lo * y;
  return (y + residual / (3 * square.hi)) * scale;
}

/* -- hyperbolic */

double ad_sech(double x) {
  double a = fabs(x);
  if (a > 700) return ad_times_exp(dd_of(2), -a, 0);
  double e = exp(-a);
  dd square = dd_product(e, e);
  dd d = dd_fast_sum(1, square.hi);
  d.lo += square.lo;
  return quotient(2 * e, d);
}

double ad_tanh_small(double x) {
  const double a = fabs(x), s = a * a;
  return copysign(a + a * (s * polynomial(TANH_Q, sizeof TANH_Q / sizeof *TANH_Q, s)), x);
}

double ad_tanh(double x) {
  double a = fabs(x);
  if (a < AD_TANH_SMALL) return ad_tanh_small(x);
  if (a > 22) return copysign(1, x);
  double t = expm1(2 * a);
  return copysign(quotient(t, dd_sum(t, 2)), x);
}

double ad_acosh(double x) {
  if (!(x > 1 && x <= 2)) return acosh(x);
  /* log1p(u), u = t + sqrt(t (t + 2)) in double-double */
  double t = x - 1;
  dd t2 = dd_sum(t, 2), w = dd_product(t, t2.hi);
  w.lo += t * t2.lo;
  double s = sqrt(w.hi);
  dd u = dd_fast_sum(s, t);
  u.lo += (fma(-s, s, w.hi) + w.lo) / (2 * s);
  return log1p(u.hi) + u.lo / (1 + u.hi);
}

double ad_acosh_partial(double x) {
  return 1 / (sqrt(x - 1) * sqrt(x + 1));
}

/* -- the error function's family */

/* exp(x^2) erfc(x) for 1/4 <= x < 32, to a tenth of an ulp. */
static dd erfcx(double x) {
  const uint64_t quarter = UINT64_C(1) << 50;
  const uint64_t first = UINT64_C(0x3fd0000000000000) / quarter;
  uint64_t bits, middle;
  memcpy(&bits, &x, sizeof bits);
  middle = (bits & ~(quarter - 1)) | quarter / 2;
  double t;
  memcpy(&t, &middle, sizeof t);
  t = x - t;
  const double *c = ERFCX[bits / quarter - first];
  return dd_fast_sum(c[0], fma(t, polynomial(c + 1, ERFCX_COEFFICIENTS - 1, t), c[ERFCX_COEFFICIENTS]));
}

/* erfcx(-x/sqrt 2): what rounding the argument lost comes back by the derivative 2 v erfcx(v) - 2/sqrt(pi). */
static dd erfcx_normal(double x) {
  double v = -x * SQRT_HALF.hi;
  double lost = fma(-x, SQRT_HALF.hi, -v) - x * SQRT_HALF.lo;
  dd e = erfcx(v);
  e.lo += lost * (2 * v * e.hi - TWO_RSQRT_PI);
  return e;
}

double ad_gauss(double x) {
  if (fabs(x) > 28) return 0;
  dd s = dd_product(x, x);
  return ad_times_exp(dd_of(1), -s.hi, -s.lo);
}

/* factor * exp(-x^2/2), |x| < 2^500. */
static double times_gauss_half(dd factor, double x) {
  dd s = dd_product(x, x);
  return ad_times_exp(factor, -0.5 * s.hi, -0.5 * s.lo);
}

double ad_erfc(double x) {
  if (!(x >= 0.25)) return 1 - erf(x);
  if (x > 28) return 0;
  dd s = dd_product(x, x);
  return ad_times_exp(erfcx(x), -s.hi, -s.lo);
}

/* -- activations */

double ad_sigmoid(double x) {
  double e = exp(-fabs(x));
  return quotient(x < 0 ? e : 1, dd_fast_sum(1, e));
}

double ad_softplus(double x) {
  return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

double ad_silu(double x) {
  if (x < -800) return -0.0;
  if (x < -700) return ad_times_exp(dd_of(x), x, 0);
  return x * ad_sigmoid(x);
}

double ad_silu_partial(double x) {
  if (x > 800) return 1;
  if (x < -800) return -0.0;
  if (x < -700) return ad_times_exp(dd_sum(1, x), x, 0);
  double e = exp(-fabs(x));
  dd s = dd_fast_sum(1, e), square = dd_mul(s, s);
  if (x >= 0) return quotient(fma(e, 1 + x, 1), square);
  /* e (1 + x + e) / (1 + e)^2.  Around the zero x0 of 1 + x + e^x, with d = x - x0, that is d + e^x0 (e^d - 1): two
   * terms of one sign. */
  double d = (x - SILU_ROOT.hi) - SILU_ROOT.lo;
  double h = x > -2.5 && x < -0.25 ? fma(SILU_ROOT_EXP.hi, expm1(d), d) : s.hi + (x + s.lo);
  return quotient(e * h, square);
}

double ad_normal(double x) {
  return fabs(x) > 40 ? 0 : times_gauss_half(RSQRT_2PI, x);
}

double ad_gelu(double x) {
  if (x < -40) return -0.0;
  if (x < -0.5) return times_gauss_half(dd_mul(dd_of(0.5 * x), erfcx_normal(x)), x);
  return x * (0.5 + 0.5 * erf(x * SQRT_HALF.hi));
}

/* exp(-x^2/2) (erfcx(-x/sqrt 2)/2 + x/sqrt(2 pi)) on the left; the bracket has its zero divided out where it is near.
 */
double ad_gelu_partial(double x) {
  if (x > 40) return 1;
  if (x < -40) return -0.0;
  if (x < -1.5) {
    dd half = erfcx_normal(x);
    half = (dd){0.5 * half.hi, 0.5 * half.lo};
    return times_gauss_half(dd_add(dd_mul(dd_of(x), RSQRT_2PI), half), x);
  }
  if (x < -0.25) {
    dd gap = dd_sum(GELU_ROOT.hi, x);
    gap.lo += GELU_ROOT.lo;
    double q = polynomial(GELU_Q, sizeof GELU_Q / sizeof *GELU_Q, -x - 0.75);
    return times_gauss_half(dd_mul(gap, dd_of(q)), x);
  }
  return 0.5 + 0.5 * erf(x * SQRT_HALF.hi) + times_gauss_half(dd_of(x * RSQRT_2PI.hi), x);
}
