/* How far a double is from a number known in MPFR, for all test suites. */
#ifndef AD_TESTS_ULPS_H
#define AD_TESTS_ULPS_H

#include <mpfr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* |got - want| in ulps of `want` rounded to double.  The ulp of zeros and subnormals is 2^-1074.  An infinite `got`
 * stands for +-2^1024, so that a result is held to the same bound on both sides of the overflow threshold; where
 * `want` itself rounds to infinity, the same infinity is 0 away.  nan for nan is 0; any other pair with a nan, and
 * infinities of different sign, are infinitely far.  The sign of a zero does not count.  `want` needs more than 53
 * bits to tell fractions of an ulp. */
double ulps(double got, mpfr_srcptr want);

/* A small random generator for tests (splitmix64): the same points on every machine for the same seed. */
typedef struct ulps_random {
  uint64_t state;
} ulps_random;
uint64_t ulps_random_bits(ulps_random *r);
double ulps_random_uniform(ulps_random *r, double lo, double hi);
/* Log-uniform magnitude in [lo, hi], 0 < lo <= hi, positive. */
double ulps_random_log(ulps_random *r, double lo, double hi);

/* The seed from ADTOOL_TEST_SEED, else a fixed one; printed once by the caller.  The multiplier that scales how many
 * random points a suite tries, from ADTOOL_TEST_MULTIPLIER, else 1. */
uint64_t ulps_seed(void);
double ulps_multiplier(void);
/* Of all cases that a suite goes through, whether number i is tried: every one, or where the multiplier is below 1 that
 * part of them. */
bool ulps_tries(size_t i);

#endif
