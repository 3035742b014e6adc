/* The functions of ops.def in MPFR that MPFR lacks or computes too slowly.
 *
 * Each writes f(x) into r at r's precision; r may be x.  Ball arithmetic (Arb) proves the rounding: the working
 * precision rises until the ball around the result rounds one way, so the result is the nearest number.  It stops
 * rising at four times the bits of r and of the arguments together (plus a constant); what is still open there (f(x)
 * nearer to a tie than all those bits can tell, as for a very small x) is faithful.  nan gives nan; infinities and
 * poles give what the functions of special_f64.h give, signs of zeros included; results beyond MPFR's exponents are
 * infinite or zero.
 *
 * MPFR and FLINT keep caches of constants for each thread: ad_mpfr_free_caches frees this thread's, at the price of
 * computing them again. */
#ifndef AD_MPFR_SPECIAL_H
#define AD_MPFR_SPECIAL_H

#include <mpfr.h>

void ad_mpfr_gauss(mpfr_ptr r, mpfr_srcptr x);        /* exp(-x^2) */
void ad_mpfr_sigmoid(mpfr_ptr r, mpfr_srcptr x);      /* 1/(1 + exp(-x)) */
void ad_mpfr_softplus(mpfr_ptr r, mpfr_srcptr x);     /* log(1 + exp(x)) */
void ad_mpfr_silu(mpfr_ptr r, mpfr_srcptr x);         /* x sigmoid(x) */
void ad_mpfr_silu_partial(mpfr_ptr r, mpfr_srcptr x); /* its derivative */
void ad_mpfr_erf(mpfr_ptr r, mpfr_srcptr x);          /* MPFR up to 4.2.0 aborts in its own where x^2 rounds to 3 */
void ad_mpfr_erfc(mpfr_ptr r, mpfr_srcptr x);
void ad_mpfr_normal(mpfr_ptr r, mpfr_srcptr x);       /* exp(-x^2/2) / sqrt(2 pi) */
void ad_mpfr_gelu(mpfr_ptr r, mpfr_srcptr x);         /* x Phi(x), Phi the normal distribution function */
void ad_mpfr_gelu_partial(mpfr_ptr r, mpfr_srcptr x); /* its derivative */

void ad_mpfr_lgamma(mpfr_ptr r, mpfr_srcptr x); /* log|gamma(x)|; mpfr_lgamma takes minutes from 30,000 bits on */
void ad_mpfr_digamma(mpfr_ptr r, mpfr_srcptr x);
void ad_mpfr_polygamma(mpfr_ptr r, long n, mpfr_srcptr x); /* n-th derivative of digamma; nan for n < 0 */

void ad_mpfr_xlogy(mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y);     /* x log(y), 0 where x = 0 unless y is nan */
void ad_mpfr_logaddexp(mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y); /* log(exp(x) + exp(y)) */

void ad_mpfr_free_caches(void);

#endif
