#include "ulps.h"

#include <math.h>
#include <stdlib.h>

enum { DOUBLE_BITS = 53, DOUBLE_EMAX = 1024, DOUBLE_EMIN = -1074 };

/* The exponent of the ulp of `want` rounded to double; an overflowing `want` takes the largest ulp. */
static long ulp_exponent(double rounded) {
  if (isinf(rounded)) return DOUBLE_EMAX - DOUBLE_BITS;
  int e;
  frexp(rounded, &e);
  long ulp = rounded == 0 ? DOUBLE_EMIN : (long)e - DOUBLE_BITS;
  return ulp < DOUBLE_EMIN ? DOUBLE_EMIN : ulp;
}

double ulps(double got, mpfr_srcptr want) {
  double rounded = mpfr_get_d(want, MPFR_RNDN);
  if (isnan(got) || isnan(rounded)) return isnan(got) && isnan(rounded) ? 0 : (double)INFINITY;
  if (isinf(rounded) && got == rounded) return 0;
  if (mpfr_inf_p(want) || (isinf(rounded) && isinf(got))) return (double)INFINITY;
  mpfr_t gap;
  mpfr_init2(gap, mpfr_get_prec(want) + 128);
  if (isinf(got))
    mpfr_set_si_2exp(gap, got > 0 ? 1 : -1, DOUBLE_EMAX, MPFR_RNDN);
  else
    mpfr_set_d(gap, got, MPFR_RNDN);
  mpfr_sub(gap, gap, want, MPFR_RNDN);
  mpfr_mul_2si(gap, gap, -ulp_exponent(rounded), MPFR_RNDN);
  double distance = fabs(mpfr_get_d(gap, MPFR_RNDU));
  mpfr_clear(gap);
  return distance;
}

uint64_t ulps_random_bits(ulps_random *r) {
  uint64_t z = r->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double ulps_random_uniform(ulps_random *r, double lo, double hi) {
  double u = (double)(ulps_random_bits(r) >> 11) * 0x1p-53;
  double x = lo + u * (hi - lo);
  return x < lo ? lo : x > hi ? hi : x;
}

double ulps_random_log(ulps_random *r, double lo, double hi) {
  double x = exp2(ulps_random_uniform(r, log2(lo), log2(hi)));
  return x < lo ? lo : x > hi ? hi : x;
}

uint64_t ulps_seed(void) {
  const char *s = getenv("ADTOOL_TEST_SEED");
  return s && *s ? strtoull(s, NULL, 0) : 20240229u;
}

double ulps_multiplier(void) {
  const char *s = getenv("ADTOOL_TEST_MULTIPLIER");
  double m = s && *s ? strtod(s, NULL) : 1;
  return m > 0 && m < 1e6 ? m : 1;
}

bool ulps_tries(size_t i) {
  const double part = fmin(1, ulps_multiplier());
  return floor((double)(i + 1) * part) > floor((double)i * part);
}
