/* lgamma, digamma and polygamma in double. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* lgamma_r */
#endif
#include <math.h>
#include <stdbool.h>

#include "arith/dd.h"
#include "arith/special_f64.h"
#include "arith/special_tables.h"

enum { BERNOULLI_COUNT = sizeof BERNOULLI_OVER_FACTORIAL / sizeof *BERNOULLI_OVER_FACTORIAL };

double ad_lgamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

/* With m = a / 2^e in [sqrt(1/2), sqrt 2), log a = e log 2 + 2 atanh((m - 1)/(m + 1)), of whose series 22 terms leave
 * 2^-107. */
dd dd_log(dd a) {
  int e;
  dd m = {frexp(a.hi, &e), 0};
  m.lo = ldexp(a.lo, -e);
  if (m.hi < 0x1.6a09e667f3bcdp-1) {
    m = (dd){m.hi * 2, m.lo * 2};
    e--;
  }
  dd s = dd_div(dd_add(m, dd_of(-1)), dd_add(m, dd_of(1))), s2 = dd_mul(s, s);
  dd sum = dd_of(0);
  for (int k = 21; k >= 0; k--) sum = dd_add(dd_mul(sum, s2), dd_div(dd_of(2), dd_of(2 * k + 1)));
  return dd_add(dd_mul(DD_LN2, dd_of(e)), dd_mul(s, sum));
}

/* -- digamma */

/* 1 <= x <= 2 */
static double digamma_near_root(double x) {
  const int count = sizeof DIGAMMA_Q / sizeof *DIGAMMA_Q;
  double t = x - 1.5, p = DIGAMMA_Q[count - 1];
  for (int i = count - 2; i >= 0; i--) p = p * t + DIGAMMA_Q[i];
  return ((x - DIGAMMA_ROOT.hi) - DIGAMMA_ROOT.lo) * p;
}

/* x >= 10: log x - 1/(2x) - sum B_2k / (2k x^2k) */
static double digamma_asymptotic(double x) {
  static const double c[] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                             1.0 / 132, -691.0 / 32760, 1.0 / 12,  -3617.0 / 8160};
  double inverse = 1 / x, s = inverse * inverse, p = c[7];
  for (int i = 6; i >= 0; i--) p = p * s + c[i];
  return log(x) - fma(0.5, inverse, s * p);
}

static double digamma_positive(double x) {
  if (x >= 10) return digamma_asymptotic(x);
  if (x < 1) return digamma_near_root(1 + x) - 1 / x;
  /* the recurrence down to [1, 2], exactly */
  double sum = 0;
  while (x > 2) {
    x -= 1;
    sum += 1 / x;
  }
  return digamma_near_root(x) + sum;
}

/* y > 0, to about 2^-100 of the larger of 1 and 1/y: the recurrence up to 20, then the asymptotic series. */
static dd digamma_dd(dd y) {
  dd sum = dd_of(0);
  for (; y.hi < 20; y = dd_add(y, dd_of(1))) sum = dd_add(sum, dd_div(dd_of(-1), y));
  dd inverse = dd_div(dd_of(1), y), s = dd_mul(inverse, inverse);
  sum = dd_add(sum, dd_mul(inverse, dd_of(-0.5)));
  dd power = s; /* (2k - 1)! / y^2k */
  for (int k = 1; k <= BERNOULLI_COUNT; k++) {
    dd term = dd_mul(power, BERNOULLI_OVER_FACTORIAL[k - 1]);
    sum = dd_add(sum, dd_neg(term));
    if (fabs(term.hi) < 0x1p-110) break;
    power = dd_mul(dd_mul(power, s), dd_of((2.0 * k) * (2.0 * k + 1)));
  }
  return dd_add(dd_log(y), sum);
}

/* A negative x that is no integer lies g from the nearest integer; f and c are its distances from the integers below
 * and above. */
typedef struct place {
  double g;
  dd f, c, one_minus_x;
} place;

static place place_of(double x) {
  double nearest = rint(x), g = fabs(x - nearest);
  dd near = dd_of(g), far = dd_sum(1, -g);
  bool above = x > nearest;
  return (place){g, above ? near : far, above ? far : near, dd_sum(1, -x)};
}

double ad_digamma(double x) {
  if (isnan(x)) return x;
  if (fabs(x) < 0x1p-60) return -1 / x;
  if (isinf(x)) return x > 0 ? x : (double)NAN;
  if (x > 0) return digamma_positive(x);
  if (x == floor(x)) return (double)NAN;
  /* psi(x) = psi(1 - x) - pi cot(pi x), and pi cot(pi x) = pi cot(pi f) = psi(1 - f) - psi(f). */
  place p = place_of(x);
  return dd_add(digamma_dd(p.one_minus_x), dd_add(digamma_dd(p.f), dd_neg(digamma_dd(p.c)))).hi;
}

/* -- polygamma: (-1)^(n+1) n! Z(x), Z(x) = sum over k >= 0 of 1/(x + k)^(n+1) */

/* b^m for an integer m >= 1, |b| <= 1. */
static dd dd_power(dd b, double m) {
  dd r = dd_of(1);
  for (; m >= 1 && b.hi != 0; m = floor(m / 2)) {
    if (fmod(m, 2) != 0) r = dd_mul(r, b);
    b = dd_mul(b, b);
  }
  return m >= 1 ? dd_of(0) : r;
}

/* g^(n+1) Z(y) for 0 < g <= y in double-double: terms until they no longer count or y >= n + 24, where Euler-Maclaurin
 * takes over; 16 of its terms leave less than 2^-104. */
static dd zeta_dd(double n, double g, dd y) {
  dd sum = dd_of(0);
  for (;; y = dd_add(y, dd_of(1))) {
    dd ratio = y.hi == g && y.lo == 0 ? dd_of(1) : dd_div(dd_of(g), y);
    dd power = dd_mul(dd_power(ratio, n), ratio);
    if (y.hi < n + 24) {
      sum = dd_add(sum, power);
      if (!(power.hi * (y.hi + n) >= 0x1p-110 * n * sum.hi) || power.hi == 0) return sum;
      continue;
    }
    dd inverse = dd_div(dd_of(1), y), s = dd_mul(inverse, inverse);
    dd tail = dd_add(dd_div(y, dd_of(n)), dd_of(0.5));
    dd rising = dd_mul(inverse, dd_sum(n, 1)); /* (n+1) (n+2) ... (n+2k-1) / y^(2k-1) */
    for (int k = 1; k <= BERNOULLI_COUNT; k++) {
      tail = dd_add(tail, dd_mul(rising, BERNOULLI_OVER_FACTORIAL[k - 1]));
      if (rising.hi < 0x1p-110) break;
      rising = dd_mul(dd_mul(rising, s), dd_mul(dd_sum(n, 2 * k), dd_sum(n, 2 * k + 1)));
    }
    return dd_add(sum, dd_mul(power, tail));
  }
}

/* (x/(x+k))^(n+1) to a few ulps for any n: what rounding x/(x+k) loses is put back in the exponent. */
static double ratio_power(double n, double x, double k) {
  if (k == 0) return 1;
  dd y = dd_sum(x, k);
  double q = x / y.hi;
  double lost = (fma(-q, y.hi, x) - q * y.lo) / x;
  if (n <= 3) {
    double r = q * q;
    for (int i = 1; i < (int)n; i++) r *= q;
    return r;
  }
  double r = pow(q, n + 1);
  return r == 0 ? r : r * exp((n + 1) * lost);
}

/* x^(n+1) Z(x) for x > 0, to a few ulps: as zeta_dd, from n + 10 on. */
static double zeta_scaled(double n, double x) {
  dd sum = {0, 0};
  for (double k = 0;; k++) {
    double y = x + k, power = ratio_power(n, x, k);
    if (y < n + 10) {
      dd next = k == 0 ? dd_of(power) : dd_fast_sum(sum.hi, power);
      sum = (dd){next.hi, sum.lo + next.lo};
      if (!(power * (y + n) >= 0x1p-57 * n * sum.hi)) return sum.hi + sum.lo;
      continue;
    }
    double inverse = 1 / y, rising = (n + 1) * inverse, small = 0;
    for (int i = 1; i <= BERNOULLI_COUNT; i++) {
      double term = rising * BERNOULLI_OVER_FACTORIAL[i - 1].hi;
      small += term;
      if (fabs(term) < 0x1p-57 * y / n) break;
      rising *= (n + 2 * i) * inverse * ((n + 2 * i + 1) * inverse);
    }
    return sum.hi + (sum.lo + power * (y / n + (0.5 + small)));
  }
}

/* log(n!) */
static dd log_factorial(double n) {
  if (n <= 20) {
    double factorial = 1;
    for (int i = 2; i <= (int)n; i++) factorial *= i;
    return dd_log(dd_of(factorial));
  }
  dd z = dd_sum(n, 1);
  double inverse = 1 / z.hi, s = inverse * inverse;
  double small = inverse * (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s / 1188))));
  dd main = dd_add(dd_mul(dd_add(z, dd_of(-0.5)), dd_log(z)), dd_neg(z));
  return dd_add(main, dd_add(HALF_LOG_2PI, dd_of(small)));
}

/* n! t / (m! x^(n+1)) for x > 0 and m <= n, rounded once into the subnormals. */
static double times_leading(double n, double m, double x, double t) {
  if (t == 0) return t;
  int et, ex;
  t = frexp(t, &et);
  if (n <= 20) {
    dd power = dd_power(dd_of(frexp(x, &ex)), n + 1);
    double factorial = 1;
    for (int i = (int)m + 1; i <= (int)n; i++) factorial *= i;
    return ldexp(dd_div(dd_product(factorial, t), power).hi, et - ex * ((int)n + 1));
  }
  if (n > 0x1p900) return t * exp(n * (log(n) - 1 - log(x)) - log_factorial(m).hi);
  dd exponent = dd_add(log_factorial(n), dd_neg(dd_mul(dd_sum(n, 1), dd_log(dd_of(x)))));
  if (m > 1) exponent = dd_add(exponent, dd_neg(log_factorial(m)));
  exponent = dd_add(exponent, dd_mul(DD_LN2, dd_of(et)));
  return ad_times_exp(dd_of(t), exponent.hi, exponent.lo);
}

double ad_polygamma(double n, double x) {
  return ad_polygamma_over_factorial(n, 0, x);
}

double ad_polygamma_over_factorial(double n, double m, double x) {
  if (!(n >= 0) || isinf(n) || n != floor(n)) return (double)NAN;
  if (n == 0) return ad_digamma(x);
  if (isnan(x)) return x;
  bool odd = fmod(n, 2) != 0;
  double sign = odd ? 1 : -1;
  if (x == 0) return odd ? (double)INFINITY : -copysign((double)INFINITY, x);
  if (isinf(x)) return x > 0 ? sign * 0.0 : (double)NAN;
  if (x > 0) return times_leading(n, m, x, sign * zeta_scaled(n, x));
  if (x == floor(x)) return (double)NAN;
  /* The terms left of zero are those from c up to 1 - x, with the sign of (-1)^(n+1). */
  place p = place_of(x);
  /* At half-integers the two sides cancel for even n but for the terms from 1 - x on. */
  if (!odd && p.g == 0.5) return times_leading(n, m, 1 - x, sign * zeta_scaled(n, 1 - x));
  dd f = zeta_dd(n, p.g, p.f), c = zeta_dd(n, p.g, p.c), beyond = zeta_dd(n, p.g, p.one_minus_x);
  dd sum = odd ? dd_add(dd_add(f, c), dd_neg(beyond)) : dd_add(dd_add(f, dd_neg(c)), beyond);
  return times_leading(n, m, p.g, sign * sum.hi);
}
