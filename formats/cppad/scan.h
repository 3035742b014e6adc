/* The tokens of a CppAD graph.  Each function that fails leaves an error with the token's line and column. */
#ifndef AD_CPPAD_SCAN_H
#define AD_CPPAD_SCAN_H

#include "source.h"

typedef struct ad_cppad_scan {
  ad_source source;
  const char *p, *end;
  const char *token; /* where the last one started */
  ad_error *e;
} ad_cppad_scan;

/* An error at the last token. */
ad_status ad_cppad_fail(const ad_cppad_scan *s, const char *format, ...) AD_PRINTF(2, 3);
/* Gives an error of the graph's functions that place. */
ad_status ad_cppad_place(const ad_cppad_scan *s, ad_status status);

/* The next character that is no white space, without taking it; 0 at the end. */
char ad_cppad_peek(ad_cppad_scan *s);
/* One of {}[],: */
ad_status ad_cppad_mark(ad_cppad_scan *s, char c);
/* Between quotes, without escapes; not terminated by a zero. */
ad_status ad_cppad_string(ad_cppad_scan *s, const char *what, const char **text, size_t *length);
/* "name": */
ad_status ad_cppad_key(ad_cppad_scan *s, const char *name);
ad_status ad_cppad_integer(ad_cppad_scan *s, const char *what, uint64_t lo, uint64_t hi, uint64_t *v);
ad_status ad_cppad_real(ad_cppad_scan *s, const char *what, double *v);

#endif
