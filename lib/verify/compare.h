/* Every derivative by every method: a table of weights' * Jacobian * direction. */
#ifndef AD_COMPARE_H
#define AD_COMPARE_H

#include <mpfr.h>

#include "adtool.h"

/* A sparse vector over the elements of all inputs of interest, or of all outputs, laid end to end. */
typedef struct ad_vector {
  size_t count;
  size_t *index;
  double *value;
} ad_vector;

typedef struct ad_comparison {
  const ad_graph *graph; /* borrows */
  const ad_point *point; /* borrows; may be NULL */
  ad_program *program;
  size_t output_count;
  ad_node *output;
  size_t rows, columns;             /* elements of the outputs, of the inputs */
  size_t *row_start, *column_start; /* of each output and input, and the end */
  bool probed;
  size_t weight_count, direction_count;
  ad_vector *weight, *direction;
  size_t entries; /* entry k is direction k / weight_count, weight k % weight_count */
  uint32_t precision;
  __mpfr_struct *forward, *reverse, *difference;
  __mpfr_struct *middle; /* of each weight: f(x) */
  double *bend;          /* of each entry: log2 of what f(x + h) - 2 f(x) + f(x - h) is over 2 h */
  bool on_kink;          /* an operation stands on a kink or an edge */
  uint8_t *cls;          /* ad_entry_class; KINK and EDGE are told apart later */
  double *dual, *tape;
} ad_comparison;

/* Chooses directions and weights and runs the MPFR methods at rising precision until every entry is decided. */
ad_status ad_compare(ad_comparison *c, const ad_graph *g, const ad_point *p, const ad_check_options *o, ad_error *e);
/* The same entries in double. */
ad_status ad_compare_double(ad_comparison *c, ad_error *e);
void ad_compare_clear(ad_comparison *c);

/* Which element of which input (or output) position k of the laid-out elements is. */
void ad_compare_locate(const ad_comparison *c, bool input, size_t k, size_t *which, size_t *element);

/* Central finite differences of all outputs along direction number `direction`, contracted with every weight, into its
 * entries of c->difference, and c->bend (difference.c). */
ad_status ad_compare_difference(ad_comparison *c, ad_workspace *w, size_t direction, ad_error *e);
/* Adds sign times the outputs, contracted with every weight; t is room. */
void ad_compare_add_outputs(const ad_comparison *c, const ad_workspace *w, int sign, __mpfr_struct *result, mpfr_ptr t);

/* Whether differences say anything about entry k: they do not where the output is infinite or not a number. */
static inline bool ad_compare_has_difference(const ad_comparison *c, size_t k) {
  return mpfr_number_p(c->difference + k) != 0;
}

#endif
