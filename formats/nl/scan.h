/* The tokens of an .nl file, in text and in binary.  Each function that fails leaves an error at the token's place:
 * line and column in text, the byte's offset in binary. */
#ifndef AD_NL_SCAN_H
#define AD_NL_SCAN_H

#include "source.h"

typedef struct ad_nl_scan {
  ad_source source;
  const char *p, *end;
  const char *token; /* where the last one started */
  bool binary, swap; /* swap: the other byte order */
  ad_error *e;
} ad_nl_scan;

/* An error at the last token. */
ad_status ad_nl_fail(const ad_nl_scan *s, const char *format, ...) AD_PRINTF(2, 3);
/* Gives an error of the graph's functions that place. */
ad_status ad_nl_place(const ad_nl_scan *s, ad_status status);

static inline size_t ad_nl_left(const ad_nl_scan *s) {
  return (size_t)(s->end - s->p);
}

/* The next character that says what follows; -1 at the end. */
int ad_nl_key(ad_nl_scan *s);
/* An integer from lo to hi; `what` names it in an error. */
ad_status ad_nl_integer(ad_nl_scan *s, int64_t lo, int64_t hi, const char *what, int64_t *v);
/* How many of something follow, each of at least `least` bytes. */
ad_status ad_nl_count(ad_nl_scan *s, size_t least, const char *what, size_t *v);
ad_status ad_nl_real(ad_nl_scan *s, double *v);
/* A constant of an expression behind its key n, s or l. */
ad_status ad_nl_constant(ad_nl_scan *s, int key, double *v);
/* A word; not terminated by a zero. */
ad_status ad_nl_word(ad_nl_scan *s, const char **word, size_t *length);

#endif
