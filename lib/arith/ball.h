/* From a formula in balls (Arb) to a correctly rounded mpfr_t. */
#ifndef AD_BALL_H
#define AD_BALL_H

#include <mpfr.h>
#ifdef HAVE_FLINT_ARB_H
#include <flint/arb.h>
#include <flint/arb_hypgeom.h>
#else
#include <arb.h>
#include <arb_hypgeom.h>
#endif

/* z = f(x, y) with about `bits` bits; n is a parameter.  z is none of the arguments. */
typedef void ad_ball_function(arb_t z, const arb_t x, const arb_t y, ulong n, slong bits);

/* r = f(x, y) rounded to nearest; x and y are finite, y may be NULL, r may be either.  The working precision rises
 * until the ball proves the rounding, at most to ad_ball_most_bits; there the middle of the ball is rounded. */
void ad_ball_round(mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y, ulong n, ad_ball_function *f);
slong ad_ball_most_bits(mpfr_srcptr r, mpfr_srcptr x, mpfr_srcptr y);

/* log|gamma(x)| and the n-th derivative of digamma, for balls right of 0 or between two integers left of it. */
void ad_ball_lgamma(arb_t z, const arb_t x, slong bits);
void ad_ball_polygamma(arb_t z, const arb_t x, ulong n, slong bits);

#endif
