#include "nl/scan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "error.h"

ad_status ad_nl_place(const ad_nl_scan *s, ad_status status) {
  ad_error *e = s->e;
  if (!status || status == AD_ENOMEM) return status;
  if (e->code == AD_EUSAGE) e->code = status = AD_EINPUT;
  const size_t at = (size_t)(s->token - s->source.text);
  if (!s->binary) return ad_source_place_byte(&s->source, at, status, e);
  if (e->offset < 0) e->offset = (int64_t)at;
  return status;
}

ad_status ad_nl_fail(const ad_nl_scan *s, const char *format, ...) {
  char message[sizeof s->e->message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  return ad_nl_place(s, ad_fail(s->e, AD_EINPUT, "%s", message));
}

static ad_status cut_off(ad_nl_scan *s) {
  s->token = s->end;
  return ad_nl_fail(s, "the file ends too soon");
}

/* ---- Text: tokens between white space; a # hides the rest of its line. */

static inline bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline void skip_space(ad_nl_scan *s) {
  for (; s->p < s->end; s->p++) {
    if (is_space(*s->p)) continue;
    if (*s->p != '#') return;
    while (s->p + 1 < s->end && s->p[1] != '\n') s->p++;
  }
}

static const char *token_end(const ad_nl_scan *s) {
  const char *p = s->p;
  while (p < s->end && !is_space(*p)) p++;
  return p;
}

/* What stands there, for a message. */
static ad_status not_a(ad_nl_scan *s, const char *what) {
  enum { SHOWN = 40 };
  if (s->token == s->end) return cut_off(s);
  s->p = s->token;
  const size_t n = (size_t)(token_end(s) - s->token);
  return ad_nl_fail(s, "%s is expected here, not '%.*s'", what, n > SHOWN ? SHOWN : (int)n, s->token);
}

static ad_status text_integer(ad_nl_scan *s, const char *what, int64_t *v) {
  skip_space(s);
  s->token = s->p;
  const bool negative = s->p < s->end && *s->p == '-';
  const char *first = s->p += negative;
  int64_t n = 0;
  for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s->p - '0', &n)) return not_a(s, what);
  if (s->p == first || (s->p < s->end && !is_space(*s->p))) return not_a(s, what);
  *v = negative ? -n : n;
  return AD_OK;
}

static bool infinity(const char *p, size_t n, double *v) {
  static const char *const words[] = {"inf", "-inf", "Infinity", "-Infinity"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (strlen(words[i]) != n || memcmp(words[i], p, n) != 0) continue;
    *v = words[i][0] == '-' ? -INFINITY : INFINITY;
    return true;
  }
  return false;
}

static ad_status text_real(ad_nl_scan *s, double *v) {
  skip_space(s);
  s->token = s->p;
  const char *end = token_end(s);
  const size_t n = (size_t)(end - s->p);
  bool valid = infinity(s->p, n, v);
  ad_status status = valid ? AD_OK : ad_decimal_read(s->p, n, v, &valid, s->e);
  if (!status && !valid) status = not_a(s, "a number");
  if (!status) s->p = end;
  return status;
}

/* ---- Binary: integers of 4 bytes, doubles, shorts, and texts behind their length. */

static inline ad_status raw(ad_nl_scan *s, void *v, size_t size) {
  s->token = s->p;
  if (ad_nl_left(s) < size) return cut_off(s);
  memcpy(v, s->p, size);
  s->p += size;
  return AD_OK;
}

static inline ad_status binary_integer(ad_nl_scan *s, int64_t *v) {
  uint32_t i = 0;
  ad_status status = raw(s, &i, sizeof i);
  *v = (int32_t)(s->swap ? __builtin_bswap32(i) : i);
  return status;
}

static ad_status binary_real(ad_nl_scan *s, double *v) {
  uint64_t i = 0;
  ad_status status = raw(s, &i, sizeof i);
  if (s->swap) i = __builtin_bswap64(i);
  memcpy(v, &i, sizeof i);
  return status;
}

static ad_status binary_short(ad_nl_scan *s, double *v) {
  uint16_t i = 0;
  ad_status status = raw(s, &i, sizeof i);
  *v = (int16_t)(s->swap ? __builtin_bswap16(i) : i);
  return status;
}

/* ---- Both */

int ad_nl_key(ad_nl_scan *s) {
  if (!s->binary) skip_space(s);
  s->token = s->p;
  return s->p < s->end ? (unsigned char)*s->p++ : -1;
}

ad_status ad_nl_integer(ad_nl_scan *s, int64_t lo, int64_t hi, const char *what, int64_t *v) {
  ad_status status = s->binary ? binary_integer(s, v) : text_integer(s, what, v);
  if (status || (*v >= lo && *v <= hi)) return status;
  if (hi < lo) return ad_nl_fail(s, "%s is %lld, but there are none", what, (long long)*v);
  return ad_nl_fail(s, "%s is %lld; it is at least %lld and at most %lld", what, (long long)*v, (long long)lo,
                    (long long)hi);
}

ad_status ad_nl_count(ad_nl_scan *s, size_t least, const char *what, size_t *v) {
  int64_t n = 0;
  ad_status status = ad_nl_integer(s, 0, INT32_MAX, what, &n);
  if (!status && (uint64_t)n > ad_nl_left(s) / least)
    status = ad_nl_fail(s, "%s is %lld, more than the rest of the file can hold", what, (long long)n);
  *v = (size_t)n;
  return status;
}

ad_status ad_nl_real(ad_nl_scan *s, double *v) {
  return s->binary ? binary_real(s, v) : text_real(s, v);
}

ad_status ad_nl_constant(ad_nl_scan *s, int key, double *v) {
  int64_t i = 0;
  if (key == 'n') return ad_nl_real(s, v);
  if (key == 's' && s->binary) return binary_short(s, v);
  ad_status status = ad_nl_integer(s, INT32_MIN, INT32_MAX, "an integer", &i);
  *v = (double)i;
  return status;
}

ad_status ad_nl_word(ad_nl_scan *s, const char **word, size_t *length) {
  if (s->binary) {
    ad_status status = ad_nl_count(s, 1, "the length of a name", length);
    if (status) return status;
    s->token = s->p;
  } else {
    skip_space(s);
    s->token = s->p;
    *length = (size_t)(token_end(s) - s->p);
    if (!*length) return not_a(s, "a name");
  }
  *word = s->p;
  s->p += *length;
  return AD_OK;
}
