/* Exact numbers: doubles, and texts where a double is not exact. */
#ifndef AD_NUMBER_H
#define AD_NUMBER_H

#include <mpfr.h>

#include "adtool.h"

typedef struct ad_exact {
  size_t index; /* which number of the list */
  size_t text;  /* offset of its text */
} ad_exact;

struct ad_numbers {
  size_t count, capacity;
  double *value; /* nearest doubles */
  size_t exact_count, exact_capacity;
  ad_exact *exact; /* those that a double does not hold, by rising index */
  size_t text_size, text_capacity;
  char *text;
};

/* Rounds a valid number text to r's precision, to nearest; returns MPFR's ternary value. */
int ad_number_mpfr(mpfr_ptr r, const char *text);

/* Rounds a valid number text to the nearest value of a dtype (AD_EXACT as AD_F64); *exact says whether it is equal. */
double ad_number_round(const char *text, ad_dtype type, bool *exact);

/* Writes a decimal of at most 15 digits, the common case, when v is the nearest double to one and is not below 1e-4,
 * where printf turns to exponents; it is the shortest decimal then.  Returns the length, 0 otherwise. */
size_t ad_number_plain_text(char *buf, double v);

/* The text of entry i of a sorted list, or NULL. */
const char *ad_exact_find(const ad_exact *list, size_t count, const char *text, size_t i);

/* Appends number i of src to dst; a double where src has no text. */
ad_status ad_numbers_push_from(ad_numbers *dst, const ad_numbers *src, size_t i, ad_error *e);

#endif
