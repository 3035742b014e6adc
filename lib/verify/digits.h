/* How many digits double keeps. */
#ifndef AD_DIGITS_H
#define AD_DIGITS_H

#include "verify/compare.h"

/* |d - x| in ulps of the double nearest to x, and the decimal digits that agree, 0 to 17; nothing where x is not
 * finite. */
void ad_digits_measure(double d, mpfr_srcptr x, double *ulps, double *digits);

/* Of each entry, in arrays of c->entries: nan where the truth is not finite, and ulps where it is 0; and r->output and
 * r->min_digits.  The truth is the midpoint of a ball that is small enough, at the precision that this takes; where no
 * precision does, what MPFR gives. */
ad_status ad_digits_kept(ad_check_report *r, const ad_comparison *c, double *ulps, double *digits, ad_error *e);

#endif
