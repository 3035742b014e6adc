/* Double-double numbers: the unevaluated sum hi + lo with |lo| <= ulp(hi)/2, about 104 bits.  Only what the special
 * functions need; results are good to a few 2^-104 relative as long as nothing overflows or turns subnormal.
 * Dekker 1971, Knuth 4.2.2, Joldes, Muller and Popescu 2017. */
#ifndef AD_DD_H
#define AD_DD_H

#include <math.h>

typedef struct dd {
  double hi, lo;
} dd;

/* Exact: a + b where |a| >= |b| or a = 0. */
static inline dd dd_fast_sum(double a, double b) {
  double s = a + b;
  return (dd){s, b - (s - a)};
}

/* Exact: a + b. */
static inline dd dd_sum(double a, double b) {
  double s = a + b, t = s - a;
  return (dd){s, (a - (s - t)) + (b - t)};
}

/* Exact: a * b. */
static inline dd dd_product(double a, double b) {
  double p = a * b;
  return (dd){p, fma(a, b, -p)};
}

static inline dd dd_add(dd a, dd b) {
  dd s = dd_sum(a.hi, b.hi), t = dd_sum(a.lo, b.lo);
  s = dd_fast_sum(s.hi, s.lo + t.hi);
  return dd_fast_sum(s.hi, s.lo + t.lo);
}

static inline dd dd_neg(dd a) {
  return (dd){-a.hi, -a.lo};
}

static inline dd dd_mul(dd a, dd b) {
  dd p = dd_product(a.hi, b.hi);
  return dd_fast_sum(p.hi, p.lo + fma(a.hi, b.lo, a.lo * b.hi));
}

static inline dd dd_div(dd a, dd b) {
  double q = a.hi / b.hi;
  double r = fma(-q, b.hi, a.hi);
  return dd_fast_sum(q, (r + (a.lo - q * b.lo)) / b.hi);
}

static inline dd dd_of(double a) {
  return (dd){a, 0};
}

/* log(a) for a normal a > 0. */
dd dd_log(dd a);

#endif
