/* The functions of ops.def in double that libm lacks or has with too large an error.
 *
 * All are reentrant, leave signgam alone and give nan for nan.  The number in brackets bounds the error in ulps of the
 * correctly rounded result, over all doubles: near zeros, near overflow and in the subnormals too.
 * tests/check_special.c holds them, and the libm functions that ops.def uses as they are, to these bounds against MPFR.
 * They rest on glibc's exp, log, expm1, log1p and pow being good to 1.1 ulps and erf to 1.5. */
#ifndef AD_SPECIAL_F64_H
#define AD_SPECIAL_F64_H

#include "arith/dd.h"

/* [2] (factor.hi + factor.lo) exp(hi + lo), |lo| <= ulp(hi); rounded once where the result is subnormal though exp
 * alone would be too.  A zero has the sign of factor. */
double ad_times_exp(dd factor, double hi, double lo);

/* Powers and roots. */
double ad_powi(double x, long n); /* [2] x^n as IEEE 754 pown: x^0 = 1, also for nan */
double ad_cbrt(double x);         /* [1] */

/* Hyperbolic. */
double ad_sech(double x); /* [2] 1/cosh(x) */
#define AD_TANH_SMALL 0.375
double ad_tanh_small(double x);    /* |x| < AD_TANH_SMALL */
double ad_tanh(double x);          /* [2] */
double ad_acosh(double x);         /* [2] */
double ad_acosh_partial(double x); /* [3] 1/(sqrt(x-1) sqrt(x+1)): inf at 1, nan below */

/* The error function's family. */
double ad_gauss(double x);  /* [2] exp(-x^2) */
double ad_erfc(double x);   /* [2] 1 - erf(x) */
double ad_normal(double x); /* [2] exp(-x^2/2) / sqrt(2 pi) */

/* Activations. */
double ad_sigmoid(double x);      /* [2] 1/(1 + exp(-x)) */
double ad_softplus(double x);     /* [2] log(1 + exp(x)) */
double ad_silu(double x);         /* [3] x sigmoid(x) */
double ad_silu_partial(double x); /* [4] its derivative, also near its zero at -1.278 */
double ad_gelu(double x);         /* [3] x Phi(x), Phi the normal distribution function */
double ad_gelu_partial(double x); /* [4] its derivative, also near its zero at -0.752 */

/* The gamma function's family.
 *
 * Relative accuracy holds near every zero of digamma and polygamma; at the few doubles next to a negative zero, where
 * all digits that a double holds cancel, the bound is 16 for n < 10 and 64 beyond.  lgamma is libm's, and has it near
 * 1, 2 and the zeros between -50 and -2; farther left the zeros are less than an ulp from the integers.
 *
 * polygamma: n is an integer held in a double; n < 0 or not an integer gives nan, n = 0 is digamma.  For n > 2^20 the
 * bound grows as n log(n) 2^-50 (few digits of x then decide whether the result is finite at all).
 *
 * Poles: digamma(+-0) is -+inf, polygamma(n, +-0) is inf for odd n and -+inf for even n; negative integers and -inf
 * give nan; lgamma is +inf at all of them. */
double ad_lgamma(double x);              /* [16] log|gamma(x)| */
double ad_digamma(double x);             /* [5] */
double ad_polygamma(double n, double x); /* [4 for n <= 3, else 16] */
/* polygamma(n, x) / m! for an integer m from 0 to n, which overflows later. */
double ad_polygamma_over_factorial(double n, double m, double x); /* [as polygamma] */

#endif
