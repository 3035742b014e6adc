#include "ir/number.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mem.h"

typedef enum kind { BAD, DECIMAL, HEX, RATIONAL, PI, E, INF, NOT_A_NUMBER } kind;

static size_t digits(const char *s, size_t i, size_t n, bool hex) {
  while (i < n && (hex ? isxdigit((unsigned char)s[i]) : isdigit((unsigned char)s[i]))) i++;
  return i;
}

/* Our own spelling, that of YAML 1.1, and those of JSON as other programs write it. */
static const char *const infinities[] = {"inf", ".inf", ".Inf", ".INF", "Infinity", NULL};
static const char *const nans[] = {"nan", ".nan", ".NaN", ".NAN", "NaN", NULL};

static bool is_one_of(const char *word, size_t n, const char *const *list) {
  for (; *list; list++)
    if (strlen(*list) == n && !memcmp(*list, word, n)) return true;
  return false;
}

/* The grammar, in one place: which kind of number s[0..n) is. */
static kind classify(const char *s, size_t n) {
  size_t i = n && (s[0] == '-' || s[0] == '+');
  if (i == n) return BAD;
  const char *word = s + i;
  size_t left = n - i;
  if (left == 2 && !memcmp(word, "pi", 2)) return PI;
  if (left == 1 && word[0] == 'e') return E;
  if (is_one_of(word, left, infinities)) return INF;
  if (is_one_of(word, left, nans)) return NOT_A_NUMBER;
  bool hex = left > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
  if (hex) i += 2;
  size_t start = i, whole = digits(s, i, n, hex);
  size_t count = whole - start;
  if (!hex && count && whole < n && s[whole] == '/') {
    size_t end = digits(s, whole + 1, n, false);
    if (end != n || end == whole + 1) return BAD;
    for (i = whole + 1; i < n && s[i] == '0'; i++) continue;
    return i == n ? BAD : RATIONAL; /* no zero denominators */
  }
  i = whole;
  if (i < n && s[i] == '.') {
    size_t end = digits(s, i + 1, n, hex);
    count += end - i - 1;
    i = end;
  }
  if (!count) return BAD;
  if (i < n && (hex ? s[i] == 'p' || s[i] == 'P' : s[i] == 'e' || s[i] == 'E')) {
    i++;
    if (i < n && (s[i] == '-' || s[i] == '+')) i++;
    size_t end = digits(s, i, n, false);
    if (end == i) return BAD;
    i = end;
  }
  return i == n ? hex ? HEX : DECIMAL : BAD;
}

bool ad_number_valid(const char *text, size_t length) {
  return text && classify(text, length) != BAD;
}

static int set_number(mpfr_ptr r, const char *text, mpfr_rnd_t rnd) {
  size_t n = strlen(text);
  bool negative = text[0] == '-';
  const char *s = text + (text[0] == '-' || text[0] == '+');
  int ternary = 0;
  switch (classify(text, n)) {
    case DECIMAL:
      return mpfr_strtofr(r, text, NULL, 10, rnd);
    case HEX:
      return mpfr_strtofr(r, text, NULL, 16, rnd);
    case RATIONAL: {
      mpq_t q;
      mpq_init(q);
      mpq_set_str(q, s, 10); /* can't fail: classify() let only such texts through */
      if (negative) mpq_neg(q, q);
      mpq_canonicalize(q);
      ternary = mpfr_set_q(r, q, rnd);
      mpq_clear(q);
      return ternary;
    }
    case PI:
      ternary = mpfr_const_pi(r, rnd);
      break;
    case E: {
      mpfr_t one;
      mpfr_init2(one, 2);
      mpfr_set_ui(one, 1, MPFR_RNDN);
      ternary = mpfr_exp(r, one, rnd);
      mpfr_clear(one);
      break;
    }
    case INF:
      mpfr_set_inf(r, 1);
      break;
    case NOT_A_NUMBER:
    case BAD:
      mpfr_set_nan(r);
      return 0;
  }
  if (negative) {
    mpfr_neg(r, r, MPFR_RNDN);
    return -ternary;
  }
  return ternary;
}

int ad_number_mpfr(mpfr_ptr r, const char *text) {
  return set_number(r, text, MPFR_RNDN);
}

/* Decimals of at most 15 digits and small exponents: one correctly rounded operation on exact doubles
 * (Clinger, How to read floating point numbers accurately, PLDI 1990). */
static bool round_quickly(const char *s, size_t n, double *v, bool *exact) {
  static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  size_t i = 0;
  bool negative = false;
  if (s[0] == '-' || s[0] == '+') negative = s[i++] == '-';
  int64_t mantissa = 0;
  int count = 0, scale = 0;
  bool point = false;
  for (; i < n; i++) {
    if (s[i] == '.') {
      point = true;
      continue;
    }
    if (!isdigit((unsigned char)s[i])) break;
    if (++count > 15) return false;
    mantissa = 10 * mantissa + (s[i] - '0');
    scale -= point;
  }
  if (i < n) {
    i++; /* the e */
    bool down = false;
    if (s[i] == '-' || s[i] == '+') down = s[i++] == '-';
    int exponent = 0;
    for (; i < n; i++) {
      exponent = 10 * exponent + (s[i] - '0');
      if (exponent > 100) return false;
    }
    scale += down ? -exponent : exponent;
  }
  if (scale < -22 || scale > 22) return false;
  double m = (double)mantissa, r = scale < 0 ? m / power[-scale] : m * power[scale];
  /* The remainder of that one operation is exact in an fma, and zero when the operation was. */
  *exact = scale < 0 ? fma(r, power[-scale], -m) == 0 : fma(m, power[scale], -r) == 0;
  *v = negative ? -r : r;
  return true;
}

double ad_number_round(const char *text, ad_dtype type, bool *exact) {
  size_t n = strlen(text);
  kind k = classify(text, n);
  *exact = true;
  if (k == INF) return text[0] == '-' ? -INFINITY : INFINITY;
  if (k == NOT_A_NUMBER || k == BAD) return NAN;
  double v;
  if (k == DECIMAL && type != AD_F32 && round_quickly(text, n, &v, exact)) return v;
  int bits = type == AD_F32 ? FLT_MANT_DIG : DBL_MANT_DIG, lowest = type == AD_F32 ? FLT_MIN_EXP : DBL_MIN_EXP;
  int highest = type == AD_F32 ? FLT_MAX_EXP : DBL_MAX_EXP;
  mpfr_t r;
  mpfr_init2(r, bits);
  int ternary = ad_number_mpfr(r, text);
  if (mpfr_regular_p(r) && mpfr_get_exp(r) < lowest) { /* subnormal: fewer bits, and rounded once all the same */
    mpfr_exp_t left = bits - (lowest - mpfr_get_exp(r));
    if (left >= 1) {
      mpfr_set_prec(r, left);
      ternary = ad_number_mpfr(r, text);
    } else {
      mpfr_t half;
      mpfr_init2(half, 2);
      mpfr_set_ui_2exp(half, 1, lowest - bits - 1, MPFR_RNDN);
      mpfr_set_prec(r, 64);
      set_number(r, text, MPFR_RNDA); /* away from zero: above half only if the number is */
      bool up = mpfr_cmpabs(r, half) > 0;
      mpfr_set_prec(r, bits);
      mpfr_set_si_2exp(r, up ? text[0] == '-' ? -1 : 1 : 0, lowest - bits, MPFR_RNDN);
      if (!up && text[0] == '-') mpfr_neg(r, r, MPFR_RNDN);
      ternary = 1;
      mpfr_clear(half);
    }
  }
  v = mpfr_get_d(r, MPFR_RNDN);
  *exact = ternary == 0;
  if (mpfr_number_p(r) && !mpfr_zero_p(r) && mpfr_get_exp(r) > highest) {
    v = mpfr_sgn(r) < 0 ? -INFINITY : INFINITY;
    *exact = false;
  }
  if (mpfr_zero_p(r) && ternary != 0) *exact = false;
  mpfr_clear(r);
  return v;
}

ad_numbers *ad_numbers_new(void) {
  return ad_calloc(1, sizeof(ad_numbers));
}

void ad_numbers_free(ad_numbers *n) {
  if (!n) return;
  ad_free(n->value);
  ad_free(n->exact);
  ad_free(n->text);
  ad_free(n);
}

void ad_numbers_clear(ad_numbers *n) {
  if (!n) return;
  n->count = n->exact_count = n->text_size = 0;
}

ad_status ad_numbers_push_double(ad_numbers *n, double v, ad_error *e) {
  AD_GIVEN(n, e);
  if (!ad_reserve(&n->value, &n->capacity, n->count + 1, sizeof *n->value)) return ad_fail_memory(e);
  n->value[n->count++] = v;
  return AD_OK;
}

ad_status ad_numbers_push_text(ad_numbers *n, const char *text, size_t length, ad_error *e) {
  AD_GIVEN(n && text, e);
  if (!ad_number_valid(text, length))
    return ad_fail(e, AD_EINPUT,
                   "'%.*s' is not a number; write 0.1, -2.5e-3, 0x1.8p+0, 1/3 (denominator not 0), pi, e, inf or nan",
                   length > 60 ? 60 : (int)length, text);
  if (!ad_reserve(&n->text, &n->text_capacity, n->text_size + length + 1, 1) ||
      !ad_reserve(&n->exact, &n->exact_capacity, n->exact_count + 1, sizeof *n->exact) ||
      !ad_reserve(&n->value, &n->capacity, n->count + 1, sizeof *n->value))
    return ad_fail_memory(e);
  if (text[0] == '+') text++, length--;
  char *copy = n->text + n->text_size;
  memcpy(copy, text, length);
  copy[length] = '\0';
  bool exact;
  double v = ad_number_round(copy, AD_EXACT, &exact);
  if (!exact) {
    n->exact[n->exact_count++] = (ad_exact){n->count, n->text_size};
    n->text_size += length + 1;
  }
  n->value[n->count++] = v;
  return AD_OK;
}

ad_status ad_numbers_push_from(ad_numbers *dst, const ad_numbers *src, size_t i, ad_error *e) {
  const char *text = ad_numbers_text(src, i);
  return text ? ad_numbers_push_text(dst, text, strlen(text), e) : ad_numbers_push_double(dst, src->value[i], e);
}

size_t ad_numbers_count(const ad_numbers *n) {
  return n ? n->count : 0;
}

double ad_numbers_double(const ad_numbers *n, size_t i) {
  return i < ad_numbers_count(n) ? n->value[i] : NAN;
}

const char *ad_exact_find(const ad_exact *list, size_t count, const char *text, size_t i) {
  size_t lo = 0, hi = count;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (list[mid].index < i)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < count && list[lo].index == i ? text + list[lo].text : NULL;
}

const char *ad_numbers_text(const ad_numbers *n, size_t i) {
  return n ? ad_exact_find(n->exact, n->exact_count, n->text, i) : NULL;
}

/* strtod and printf follow the locale; these texts do not. */
static void plain_point(char *s) {
  for (; *s; s++)
    if (*s == ',') *s = '.';
}

static double read_back(const char *s) {
  bool exact;
  return ad_number_round(s, AD_F64, &exact);
}

static size_t put_text(char *buf, const char *text) {
  const size_t n = strlen(text);
  memcpy(buf, text, n + 1);
  return n;
}

size_t ad_number_plain_text(char *buf, double v) {
  enum { PLACES = 15, ROOM = 24 };
  static const double power[PLACES + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const double size = fabs(v);
  if (!isfinite(v)) return 0;
  int places = 0;
  double m = nearbyint(size);
  while (m < 1e15 && places < PLACES && m / power[places] != size) places++, m = nearbyint(size * power[places]);
  if (m >= 1e15 || m / power[places] != size || (size < 1e-4 && size > 0)) return 0;
  char text[ROOM], *p = text + ROOM;
  uint64_t digits = (uint64_t)m;
  for (int i = 0; digits || i <= places; i++) {
    if (i == places && i) *--p = '.';
    *--p = (char)('0' + digits % 10);
    digits /= 10;
  }
  if (signbit(v)) *--p = '-';
  const size_t n = (size_t)(text + ROOM - p);
  memcpy(buf, p, n);
  buf[n] = '\0';
  return n;
}

size_t ad_number_short_text(char *buf, double v) {
  if (!buf) return 0;
  if (isnan(v)) return put_text(buf, "nan");
  if (isinf(v)) return put_text(buf, v < 0 ? "-inf" : "inf");
  const size_t plain = ad_number_plain_text(buf, v);
  if (plain) return plain;
  /* Every decimal of up to 15 digits survives a normal double, so "%.15g", which drops trailing zeros, already is the
   * shortest of those; subnormals hold fewer digits. */
  for (int p = fabs(v) < DBL_MIN ? 1 : 15; p <= 17; p++) {
    snprintf(buf, AD_NUMBER_TEXT, "%.*g", p, v);
    plain_point(buf);
    if (p == 17 || read_back(buf) == v) break;
  }
  return strlen(buf);
}

size_t ad_number_exact_text(char *buf, double v) {
  size_t n = ad_number_short_text(buf, v);
  if (!n || !isfinite(v)) return n;
  bool exact;
  ad_number_round(buf, AD_EXACT, &exact);
  if (exact) return n;
  n = (size_t)snprintf(buf, AD_NUMBER_TEXT, "%a", v);
  plain_point(buf);
  return n;
}
