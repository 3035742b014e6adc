#include "decimal.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "error.h"
#include "ir/number.h"
#include "mem.h"

/* Decimals of up to 19 digits and small exponents: one operation on integers that an 80-bit number holds exactly,
 * rounded to its 64 bits; rounding that again gives the nearest double unless the first result looks like the middle of
 * two (Clinger, How to read floating point numbers accurately, PLDI 1990). */
static bool quick_decimal(const char *p, const char *end, double *v) {
#if LDBL_MANT_DIG == 64 && defined __x86_64__
  static const long double power[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                      1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                      1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
  enum { MOST_DIGITS = 19, MOST_POWER = 27, LOST_BITS = 11 };
  const bool negative = p < end && *p == '-';
  uint64_t m = 0;
  int digits = 0, scale = 0;
  bool point = false;
  for (p += negative; p < end; p++) {
    if (*p == '.' && !point) {
      point = true;
    } else if (*p >= '0' && *p <= '9') {
      if (++digits > MOST_DIGITS) return false;
      m = 10 * m + (uint64_t)(*p - '0');
      scale -= point;
    } else {
      break;
    }
  }
  if (!digits) return false;
  if (p < end) {
    if (*p++ != 'e' && p[-1] != 'E') return false;
    const bool down = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (end - p < 1 || end - p > 3) return false;
    int exponent = 0;
    for (; p < end; p++) {
      if (*p < '0' || *p > '9') return false;
      exponent = 10 * exponent + (*p - '0');
    }
    scale += down ? -exponent : exponent;
  }
  if (scale < -MOST_POWER || scale > MOST_POWER) return false;
  const long double r = scale < 0 ? (long double)m / power[-scale] : (long double)m * power[scale];
  uint64_t bits;
  memcpy(&bits, &r, sizeof bits);
  const uint64_t lost = bits & ((1u << LOST_BITS) - 1), middle = 1u << (LOST_BITS - 1);
  if (lost >= middle - 1 && lost <= middle + 1) return false;
  *v = negative ? -(double)r : (double)r;
  return true;
#else
  return false;
#endif
}

ad_status ad_decimal_read(const char *p, size_t n, double *v, bool *valid, ad_error *e) {
  enum { SHORT = 64 };
  if (quick_decimal(p, p + n, v)) return *valid = true, AD_OK;
  bool digits = false, exact;
  for (size_t i = 0; i < n; i++) {
    if (!memchr("0123456789.eE+-", p[i], 15)) return *valid = false, AD_OK;
    digits = digits || (p[i] >= '0' && p[i] <= '9');
  }
  *valid = digits && ad_number_valid(p, n); /* e is a number, too */
  if (!*valid) return AD_OK;
  char small[SHORT], *copy = small;
  if (n >= SHORT && !(copy = ad_malloc(n + 1, 1))) return ad_fail_memory(e);
  memcpy(copy, p, n);
  copy[n] = '\0';
  *v = ad_number_round(copy, AD_F64, &exact);
  if (copy != small) ad_free(copy);
  return AD_OK;
}

ad_dtype ad_decimal_dtype(double v) {
  const double scaled = 0x1p10 * v;
  return fabs(v) < 0x1p40 && scaled == (double)(int64_t)scaled ? AD_EXACT : AD_F64;
}
