/* Powers and partials in double, shared by the scalar and the SIMD words: what the formulas of ops.def would lose to
 * underflow, to overflow and to exponents that are no integers less one. */
#ifndef AD_POW_F64_H
#define AD_POW_F64_H

#include <float.h>
#include <math.h>

#include "adtool.h"
#include "arith/special_f64.h"

static inline double ad_pow_by_policy(const ad_kinks *k, double a, double b) {
  return k->pow00_nan && a == 0 && b == 0 ? (double)NAN : pow(a, b);
}

static inline double ad_powi_by_policy(const ad_kinks *k, double a, double b) {
  return k->pow00_nan && a == 0 && b == 0 ? (double)NAN : ad_powi(a, (long)b);
}

/* y p for p = x^(y-1): where p is subnormal but y p need not be, it is made of two halves, (y q) q with
 * q = |x|^((y-1)/2), so that only the last product is rounded in the subnormals. */
static inline double ad_scale_power(double x, double y, double p) {
  if (fabs(p) >= DBL_MIN || x == 0 || isnan(p)) return y * p;
  double q = pow(fabs(x), 0.5 * (y - 1)), r = fabs(y) * q * q;
  return signbit(p) == signbit(y) ? r : -r;
}

/* y x^(y-1).  y - 1 is exact from y = 1/2 to 2^53; below, y z / x is as good; from 2^53 on, all doubles are even, and
 * the power has the sign of x. */
static inline double ad_pow_partial(const ad_kinks *k, double x, double y, double z) {
  if (y == 0) return k->pow00_nan && x == 0 ? (double)NAN : 0;
  if (y < 0.5 && isfinite(y) && x != 0 && fabs(z) >= DBL_MIN && isfinite(z) && isfinite(x)) return y * z / x;
  if (y != floor(y) || isinf(y)) { /* y - 1 may round to an integer, which would take x below and see the sign of -0 */
    if (x < 0) return (double)NAN;
    x = fabs(x);
  }
  double p = pow(x, y - 1);
  return ad_scale_power(x, y, fabs(y) >= 0x1p53 ? copysign(p, x) : p);
}

static inline double ad_powi_partial(double x, double y) {
  if (y == 2) return x + x;
  return y == 0 ? 0 : ad_scale_power(x, y, ad_powi(x, (long)y - 1));
}

/* a / z for z = hypot(a, b); where z overflowed, of halves. */
static inline double ad_hypot_partial(double a, double b, double z) {
  return isinf(z) ? 0.5 * a / hypot(0.5 * a, 0.5 * b) : a / z;
}

/* c / (a^2 + b^2), c one of them: halved first where a square might overflow. */
static inline double ad_over_squared_norm(double c, double a, double b) {
  if (fabs(a) > 1 || fabs(b) > 1) {
    double h = hypot(0.5 * a, 0.5 * b);
    return 0.5 * (0.5 * c / h / h);
  }
  double h = hypot(a, b);
  return c / h / h;
}

#endif
