#include "arith/special_f64.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "arith/dd.h"
#include "arith/special_tables.h"

static const double SQRT_HALF = 0x1.6a09e667f3bcdp-1, RSQRT_2PI = 0x1.9884533d43651p-2;

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

double ad_times_exp(double factor, double hi, double lo) {
  if (hi < -1500) return factor * 0.0;
  /* hi +- TAIL_SHIFT is exact: a multiple of 2^-43 that gets smaller. */
  double shift = hi < -700 ? TAIL_SHIFT : hi > 700 ? -TAIL_SHIFT : 0;
  double e = exp(hi + shift);
  if (isinf(e)) return factor * e;
  e = fma(e, lo, e) * factor;
  return shift > 0 ? e * TAIL_SCALE : shift < 0 ? e / TAIL_SCALE : e;
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
  double high = (double)n;
  /* high may be 2^63, which no long holds: take the remainder in parts that fit. */
  double low = (double)(n - (long)(high / 2)) - high / 2;
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
  if (a > 700) return ad_times_exp(2, -a, 0);
  double e = exp(-a);
  dd square = dd_product(e, e);
  dd d = dd_fast_sum(1, square.hi);
  d.lo += square.lo;
  return quotient(2 * e, d);
}

double ad_tanh(double x) {
  double a = fabs(x);
  if (a < 0.375) {
    double s = x * x;
    return x + x * (s * polynomial(TANH_Q, sizeof TANH_Q / sizeof *TANH_Q, s));
  }
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

/* exp(x^2) erfc(x) for 1/4 <= x < 32. */
static double erfcx(double x) {
  const uint64_t quarter = UINT64_C(1) << 50;
  const uint64_t first = UINT64_C(0x3fd0000000000000) / quarter;
  uint64_t bits, middle;
  memcpy(&bits, &x, sizeof bits);
  middle = (bits & ~(quarter - 1)) | quarter / 2;
  double t;
  memcpy(&t, &middle, sizeof t);
  t = x - t;
  const double *c = ERFCX[bits / quarter - first];
  return c[0] + fma(t, polynomial(c + 1, ERFCX_COEFFICIENTS - 1, t), c[ERFCX_COEFFICIENTS]);
}

double ad_gauss(double x) {
  if (fabs(x) > 28) return 0;
  dd s = dd_product(x, x);
  return ad_times_exp(1, -s.hi, -s.lo);
}

/* factor * exp(-x^2/2), |x| < 2^500. */
static double times_gauss_half(double factor, double x) {
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
  if (x < -700) return ad_times_exp(x, x, 0);
  return x * ad_sigmoid(x);
}

double ad_silu_partial(double x) {
  if (x > 800) return 1;
  if (x < -800) return -0.0;
  if (x < -700) return ad_times_exp(1 + x, x, 0);
  if (x >= 0) {
    double e = exp(-x), s = 1 + e;
    return fma(e, 1 + x, 1) / (s * s);
  }
  /* e (1 + x + e) / (1 + e)^2.  Around the zero x0 of 1 + x + e^x, with d = x - x0, that is d + e^x0 (e^d - 1): two
   * terms of one sign. */
  double e = exp(x), s = 1 + e;
  double d = (x - SILU_ROOT.hi) - SILU_ROOT.lo;
  double h = x > -2.5 ? d + SILU_ROOT_EXP.hi * expm1(d) : 1 + x + e;
  return e * h / (s * s);
}

double ad_gelu(double x) {
  if (x < -40) return -0.0;
  if (x < -0.5) return times_gauss_half(0.5 * x * erfcx(-x * SQRT_HALF), x);
  return x * (0.5 + 0.5 * erf(x * SQRT_HALF));
}

/* exp(-x^2/2) (erfcx(-x/sqrt 2)/2 + x/sqrt(2 pi)) on the left; the bracket has its zero divided out where it is near.
 */
double ad_gelu_partial(double x) {
  if (x > 40) return 1;
  if (x < -40) return -0.0;
  if (x < -1.5) return times_gauss_half(fma(x, RSQRT_2PI, 0.5 * erfcx(-x * SQRT_HALF)), x);
  if (x < -0.25) {
    double gap = (GELU_ROOT.hi + x) + GELU_ROOT.lo;
    return times_gauss_half(gap * polynomial(GELU_Q, sizeof GELU_Q / sizeof *GELU_Q, -x - 0.75), x);
  }
  return 0.5 + 0.5 * erf(x * SQRT_HALF) + times_gauss_half(x * RSQRT_2PI, x);
}
