/* The functions of ops.def in double that libm lacks or has with too large an error.
 *
 * All are reentrant, set no errno that matters and no signgam, and give nan for nan.  The bound on the right is in ulps of
 * the correctly rounded result, over all doubles, near zeros, overflow and in the subnormals included; tests/check_special.c
 * holds them (and the libm functions that ops.def uses as they are) to these bounds against MPFR.  They rest on glibc's
 * exp, log, expm1, log1p, erf and pow being good to 1.1 ulps. */
#ifndef AD_SPECIAL_F64_H
#define AD_SPECIAL_F64_H

#include "arith/dd.h"

/* (factor.hi + factor.lo) exp(hi + lo), |lo| <= ulp(hi), to 1.1 ulps; rounded once where the result is subnormal though exp
 * alone would be too.  A zero has the sign of factor. */
double ad_times_exp(dd factor, double hi, double lo);

/* Powers and roots.                                                                                             ulps */
double ad_powi(double x, long n);       /* x^n as IEEE 754 pown: x^0 = 1, also for nan                            2    */
double ad_cbrt(double x);               /*                                                                        1    */

/* Hyperbolic. */
double ad_sech(double x);               /* 1/cosh(x)                                                              2    */
double ad_tanh(double x);               /*                                                                        2    */
double ad_acosh(double x);              /*                                                                        2    */
double ad_acosh_partial(double x);      /* 1/(sqrt(x-1) sqrt(x+1)); inf at 1, nan below                           3    */

/* The error function's family. */
double ad_gauss(double x);              /* exp(-x^2)                                                              2    */
double ad_erfc(double x);               /* 1 - erf(x)                                                             2    */

/* Activations. */
double ad_sigmoid(double x);            /* 1/(1 + exp(-x))                                                        2    */
double ad_softplus(double x);           /* log(1 + exp(x))                                                        2    */
double ad_silu(double x);               /* x sigmoid(x)                                                           3    */
double ad_silu_partial(double x);       /* its derivative, also near its zero at -1.278                           4    */
double ad_gelu(double x);               /* x Phi(x), Phi the normal distribution function                         4    */
double ad_gelu_partial(double x);       /* its derivative, also near its zero at -0.752                           4    */

/* The gamma function's family.
 * Relative accuracy holds near every zero of digamma and polygamma, the negative ones included.  lgamma is libm's; it holds
 * near 1, 2 and the negative zeros that are farther than an ulp from an integer.
 * polygamma: n is an integer held in a double; n < 0 or not an integer gives nan, n = 0 is digamma.  For n > 2^20 the
 * bound grows as n log(n) 2^-50 (which result is still finite is then a matter of few digits of x).
 * Poles: digamma(+-0) is -+inf, polygamma(n, +-0) is inf for odd n and -+inf for even n; negative integers, which have no
 * limit from one side that is also one from the other, and -inf give nan; lgamma is +inf at all of them. */
double ad_lgamma(double x);             /* log|gamma(x)|                                                         16    */
double ad_digamma(double x);            /*                                                                        4    */
double ad_polygamma(double n, double x); /*                                               4 for n <= 3, else     16    */

#endif
