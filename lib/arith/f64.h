/* The words of ops.def in double.  Included by exec/exec_f64.c only: the names are short. */
#ifndef AD_F64_H
#define AD_F64_H

#include <math.h>

#include "adtool.h"
#include "arith/pow_f64.h"
#include "arith/special_f64.h"

typedef double T;
typedef double V;
#define FN(name) f64_##name

#define LD(p, i) ((p)[i])
#define ST(p, i, v) ((p)[i] = (v))
#define ACC(p, i, v) ((p)[i] += (v))
#define KEEP(k, v) (v)

/* Constants, and the policies of the graph. */
#define ZERO 0.0
#define ONE 1.0
#define HALF 0.5
#define NUM(n) ((double)(n))
#define LN2 0x1.62e42fefa39efp-1
#define LN10 0x1.26bb1bbb55516p+1
#define TWO_OVER_SQRT_PI 0x1.20dd750429b6dp+0
#define NAN_VALUE ((double)NAN)
#define NONE NAN_VALUE
#define KINK_ABS (cx->kinks.abs_at_zero)
#define KINK_RELU (cx->kinks.relu_at_zero)
#define TIES(cx) ((cx)->kinks.ties)
#define TIE_FIRST (cx->kinks.ties == AD_TIES_SHARE ? 0.5 : cx->kinks.ties == AD_TIES_FIRST ? 1.0 : 0.0)

/* Conditions. */
#define LT(a, b) ((a) < (b))
#define LE(a, b) ((a) <= (b))
#define GT(a, b) ((a) > (b))
#define GE(a, b) ((a) >= (b))
#define EQ(a, b) ((a) == (b))
#define NE(a, b) ((a) != (b))
#define IS_ZERO(a) ((a) == 0)
#define IS_NAN(a) isnan(a)
#define IS_FINITE(a) isfinite(a)
#define IS_INTEGER(a) ((a) == floor(a) && isfinite(a))
#define AND(a, b) ((a) && (b))
#define OR(a, b) ((a) || (b))
#define NOT(a) (!(a))
#define SELECT(c, a, b) ((c) ? (a) : (b))

/* Arithmetic. */
#define NEG(a) (-(a))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define MUL_NO_NAN(a, b) MUL(a, b) /* the fast arithmetics just multiply: see exec/element.inc */
#define MUL_OR_ZERO(a, b) SELECT(EQ(a, ZERO), ZERO, MUL(a, b))
#define CORNER(a) ZERO
#define DIV(a, b) ((a) / (b))
#define RECIP(a) (1.0 / (a))
#define SQR(a) f64_sqr(a)
#define POW(a, b) ad_pow_by_policy(&cx->kinks, a, b)
#define POW_PARTIAL(a, b, z) ad_pow_partial(&cx->kinks, a, b, z)
#define POWI(a, b) ad_powi_by_policy(&cx->kinks, a, b)
#define POWI_PARTIAL(a, b) ad_powi_partial(a, b)
#define SQRT(a) sqrt(a)
#define CBRT(a) ad_cbrt(a)
#define HYPOT(a, b) hypot(a, b)
#define HYPOT_PARTIAL(a, b, z) ad_hypot_partial(a, b, z)
#define ABS(a) fabs(a)
#define SIGN(a) f64_sign(a)
#define FLOOR(a) floor(a)
#define CEIL(a) ceil(a)
#define ROUND(a) nearbyint(a)
#define TRUNC(a) trunc(a)
#define REM(a, b) fmod(a, b)
#define MAX(a, b) f64_max(a, b)
#define MIN(a, b) f64_min(a, b)
#define EXP(a) exp(a)
#define EXPM1(a) expm1(a)
#define EXP2(a) exp2(a)
#define LOG(a) log(a)
#define LOG1P(a) log1p(a)
#define LOG2(a) log2(a)
#define LOG10(a) log10(a)
#define XLOGY(a, b) f64_xlogy(a, b)
#define SIN(a) sin(a)
#define COS(a) cos(a)
#define TAN(a) tan(a)
#define ASIN(a) asin(a)
#define ACOS(a) acos(a)
#define ATAN(a) atan(a)
#define ATAN2(a, b) atan2(a, b)
#define OVER_SQUARED_NORM(c, a, b) ad_over_squared_norm(c, a, b)
#define SINH(a) sinh(a)
#define COSH(a) cosh(a)
#define TANH(a) f64_tanh(a)
#define SECH(a) ad_sech(a)
#define SECH_SQUARED(a) f64_sech_squared(a)
#define SECH_PARTIAL(a, z) (-(z)*ad_tanh(a))
#define ASINH(a) asinh(a)
#define ACOSH(a) ad_acosh(a)
#define ATANH(a) atanh(a)
#define ERF(a) erf(a)
#define ERFC(a) ad_erfc(a)
#define GAUSS(a) ad_gauss(a)
#define NORMAL(a) ad_normal(a)
#define LGAMMA(a) ad_lgamma(a)
#define DIGAMMA(a) ad_digamma(a)
#define POLYGAMMA(n, a) f64_polygamma(n, a)
#define POLYGAMMA_OVER_FACTORIAL(n, m, a) f64_polygamma_over_factorial(n, (double)(m), a)
#define SIGMOID(a) ad_sigmoid(a)
#define SOFTPLUS(a) ad_softplus(a)
#define SILU(a) ad_silu(a)
#define SILU_PARTIAL(a) ad_silu_partial(a)
#define GELU(a) ad_gelu(a)
#define GELU_PARTIAL(a) ad_gelu_partial(a)

/* Of orders from 2^53 on the next one, a partial's, may be no double: they give nan, in all arithmetics. */
static inline double f64_polygamma(double n, double a) {
  return n < 0x1p53 ? ad_polygamma(n, a) : (double)NAN;
}

/* polygamma(n + m, a) / m! */
static inline double f64_polygamma_over_factorial(double n, double m, double a) {
  return n >= 0 && n + m < 0x1p53 ? ad_polygamma_over_factorial(n + m, m, a) : (double)NAN;
}

static inline double f64_sqr(double a) {
  return a * a;
}

/* (1 - u)/(1 + u) and 4 u/(1 + u)^2 with u = exp(-2|x|): the compiler sees that a value and its partial share u.  Where
 * |x| is small the first cancels. */
static inline double f64_tanh(double a) {
  const double u = exp(-2 * fabs(a));
  return fabs(a) < AD_TANH_SMALL ? ad_tanh_small(a) : copysign((1 - u) / (1 + u), a);
}

static inline double f64_sech_squared(double a) {
  const double u = exp(-2 * fabs(a));
  return 4 * u / ((1 + u) * (1 + u));
}

static inline double f64_sign(double a) {
  return a > 0 ? 1.0 : a < 0 ? -1.0 : a;
}

/* NumPy's maximum and minimum: nan if either is. */
static inline double f64_max(double a, double b) {
  return a > b || isnan(a) ? a : b;
}

static inline double f64_min(double a, double b) {
  return a < b || isnan(a) ? a : b;
}

static inline double f64_xlogy(double a, double b) {
  return a == 0 && !isnan(b) ? 0.0 : a * log(b);
}

#endif
