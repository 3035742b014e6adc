#include "cppad/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "error.h"

ad_status ad_cppad_place(const ad_cppad_scan *s, ad_status status) {
  if (!status || status == AD_ENOMEM) return status;
  if (s->e->code == AD_EUSAGE) s->e->code = status = AD_EINPUT;
  return ad_source_place_byte(&s->source, (size_t)(s->token - s->source.text), status, s->e);
}

ad_status ad_cppad_fail(const ad_cppad_scan *s, const char *format, ...) {
  char message[sizeof s->e->message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  return ad_cppad_place(s, ad_fail(s->e, AD_EINPUT, "%s", message));
}

char ad_cppad_peek(ad_cppad_scan *s) {
  while (s->p < s->end && (*s->p == ' ' || (*s->p >= '\t' && *s->p <= '\r'))) s->p++;
  s->token = s->p;
  return s->p < s->end ? *s->p : '\0';
}

/* What stands there, up to the next mark or white space. */
static ad_status not_a(ad_cppad_scan *s, const char *what) {
  enum { SHOWN = 40 };
  int n = 0;
  if (s->token == s->end) return ad_cppad_fail(s, "%s is expected here, but the file ends", what);
  while (s->token + n < s->end && n < SHOWN && (unsigned char)s->token[n] > ' ' &&
         (!n || !strchr("{}[],:", s->token[n])))
    n++;
  return ad_cppad_fail(s, "%s is expected here, not '%.*s'", what, n, s->token);
}

ad_status ad_cppad_mark(ad_cppad_scan *s, char c) {
  char what[] = "'?'";
  what[1] = c;
  if (ad_cppad_peek(s) != c || s->p == s->end) return not_a(s, what);
  s->p++;
  return AD_OK;
}

ad_status ad_cppad_string(ad_cppad_scan *s, const char *what, const char **text, size_t *length) {
  if (ad_cppad_peek(s) != '"') return not_a(s, what);
  const char *quote = memchr(s->p + 1, '"', (size_t)(s->end - s->p) - 1);
  if (!quote) return ad_cppad_fail(s, "this string has no end");
  *text = s->p + 1;
  *length = (size_t)(quote - *text);
  s->p = quote + 1;
  return AD_OK;
}

ad_status ad_cppad_key(ad_cppad_scan *s, const char *name) {
  char what[40];
  const char *text;
  size_t length;
  snprintf(what, sizeof what, "\"%s\"", name);
  ad_status status = ad_cppad_string(s, what, &text, &length);
  if (!status && (length != strlen(name) || memcmp(text, name, length) != 0)) status = not_a(s, what);
  return status ? status : ad_cppad_mark(s, ':');
}

ad_status ad_cppad_integer(ad_cppad_scan *s, const char *what, uint64_t lo, uint64_t hi, uint64_t *v) {
  uint64_t n = 0;
  bool fits = true;
  ad_cppad_peek(s);
  for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
    fits = fits && !__builtin_mul_overflow(n, 10, &n) && !__builtin_add_overflow(n, (uint64_t)(*s->p - '0'), &n);
  if (s->p == s->token || (s->p < s->end && strchr(".eE+-", *s->p) && *s->p)) return not_a(s, what);
  if (!fits || n < lo || n > hi) {
    if (hi == lo) return ad_cppad_fail(s, "%s must be %llu here", what, (unsigned long long)lo);
    return ad_cppad_fail(s, "%s is at least %llu and at most %llu", what, (unsigned long long)lo,
                         (unsigned long long)hi);
  }
  *v = n;
  return AD_OK;
}

ad_status ad_cppad_real(ad_cppad_scan *s, const char *what, double *v) {
  ad_cppad_peek(s);
  const char *end = s->p;
  bool valid;
  while (end < s->end && *end && strchr("0123456789+-eE.", *end)) end++;
  const char *first = s->p + (end > s->p && *s->p == '+');
  ad_status status = ad_decimal_read(first, (size_t)(end - first), v, &valid, s->e);
  if (!status && !valid) status = not_a(s, what);
  if (!status) s->p = end;
  return status;
}
