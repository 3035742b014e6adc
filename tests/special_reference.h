/* Slow, plain formulas in MPFR for what check_special.c tests: written apart from lib/arith, without Arb.  Each writes
 * f(x) into r with an error below 2^-60 of r's ulp, for finite x within a double's range that is no pole. */
#ifndef AD_TESTS_SPECIAL_REFERENCE_H
#define AD_TESTS_SPECIAL_REFERENCE_H

#include <mpfr.h>

typedef void reference_function(mpfr_ptr r, mpfr_srcptr x);

reference_function reference_sech, reference_gauss, reference_acosh_partial;
reference_function reference_sigmoid, reference_softplus, reference_silu, reference_silu_partial;
reference_function reference_normal, reference_gelu, reference_gelu_partial;
reference_function reference_lgamma, reference_digamma;

/* n >= 1, at most 1000 bits */
void reference_polygamma(mpfr_ptr r, long n, mpfr_srcptr x);

#endif
