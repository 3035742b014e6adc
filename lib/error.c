#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int ad_exit_status(ad_status s) {
  return s == AD_ENOMEM ? AD_ELIMIT : (int)s;
}

size_t ad_character(const char *s, const char *end) {
  const unsigned char *u = (const unsigned char *)s;
  if (s == end || *u < 32 || *u == 127 || (*u >= 0x80 && *u < 0xC2)) return 0;
  size_t n = *u < 0x80 ? 1 : *u >= 0xF0 ? 4 : *u >= 0xE0 ? 3 : 2;
  if (n > (size_t)(end - s) || *u > 0xF4) return 0;
  for (size_t i = 1; i < n; i++)
    if ((u[i] & 0xC0) != 0x80) return 0;
  const bool longer = (*u == 0xE0 && u[1] < 0xA0) || (*u == 0xF0 && u[1] < 0x90); /* than it need be */
  const bool none = (*u == 0xED && u[1] >= 0xA0) || (*u == 0xF4 && u[1] >= 0x90); /* surrogates, beyond U+10FFFF */
  const bool control = *u == 0xC2 && u[1] < 0xA0;
  const bool direction = *u == 0xE2 && ((u[1] == 0x80 && u[2] >= 0xAA && u[2] <= 0xAE) || /* U+202A to U+202E */
                                        (u[1] == 0x81 && u[2] >= 0xA6 && u[2] <= 0xA9));  /* U+2066 to U+2069 */
  return longer || none || control || direction ? 0 : n;
}

void ad_clean(char *s) {
  const char *end = s + strlen(s);
  for (const char *from = s; from < end;) {
    size_t n = ad_character(from, end);
    if (!n && ((unsigned char)*from & 0xC0) != 0x80) *s++ = '?';
    if (!n) from++;
    for (; n; n--) *s++ = *from++;
  }
  *s = '\0';
}

ad_status ad_fail(ad_error *e, ad_status code, const char *format, ...) {
  if (!e) return code;
  *e = (ad_error){.code = code, .offset = -1};
  va_list ap;
  va_start(ap, format);
  vsnprintf(e->message, sizeof e->message, format, ap);
  va_end(ap);
  ad_clean(e->message);
  return code;
}

ad_status ad_fail_memory(ad_error *e) {
  return ad_fail(e, AD_ENOMEM, "out of memory");
}

ad_status ad_fail_given(ad_error *e, const char *function, const char *given) {
  return ad_fail(e, AD_EUSAGE, "%s was called with arguments that don't satisfy %s", function, given);
}

ad_status ad_fail_errno(ad_error *e, const char *doing, const char *path) {
  return ad_fail(e, errno == ENOMEM ? AD_ENOMEM : AD_EIO, "can't %s '%s': %s", doing, path, strerror(errno));
}

void ad_error_place(ad_error *e, const char *file, int64_t line, int64_t column) {
  if (!e || e->line > 0) return;
  snprintf(e->file, sizeof e->file, "%s", file);
  e->line = line;
  e->column = column;
}

/* Optimal string alignment distance (Damerau 1964 without overlapping edits); 99 where a word is too long to bother. */
static int distance(const char *a, const char *b) {
  enum { LONGEST = 40 };
  size_t n = strlen(a), m = strlen(b);
  if (n > LONGEST || m > LONGEST) return 99;
  int d[LONGEST + 1][LONGEST + 1];
  for (size_t i = 0; i <= n; i++) d[i][0] = (int)i;
  for (size_t j = 0; j <= m; j++) d[0][j] = (int)j;
  for (size_t i = 1; i <= n; i++)
    for (size_t j = 1; j <= m; j++) {
      int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
        best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  return d[n][m];
}

static int common_prefix(const char *a, const char *b) {
  int n = 0;
  while (a[n] && a[n] == b[n]) n++;
  return n;
}

/* The nearest; of several, the one that starts most alike.  A word whose every letter would change is not near. */
const char *ad_suggest(const char *word, ad_candidate_fn *next, const void *context) {
  int limit = 1 + (int)(strlen(word) / 4), best = limit + 1;
  const char *found = NULL, *c;
  for (size_t i = 0; (c = next(context, i)); i++) {
    int d = distance(word, c);
    if (d >= (int)strlen(word) && strcasecmp(word, c)) continue;
    if (d > limit || d > best || (d == best && common_prefix(word, c) <= common_prefix(word, found))) continue;
    best = d;
    found = c;
  }
  return found;
}
