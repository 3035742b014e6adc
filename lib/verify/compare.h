/* Every derivative by every method: a table of weights' * Jacobian * direction. */
#ifndef AD_COMPARE_H
#define AD_COMPARE_H

#include <mpfr.h>

#include "adtool.h"
#include "arith/ball.h"

/* A sparse vector over the elements of all inputs of interest, or of all outputs, laid end to end. */
typedef struct ad_vector {
  size_t count;
  size_t *index;
  double *value;
} ad_vector;

/* The gaps of an entry at one precision: reverse to forward, reverse to difference. */
typedef struct ad_gaps {
  double relative[2], absolute[2];
  bool blind; /* the outputs on both sides are equal: the derivative is wrong, or drowns in their rounding */
  bool bent; /* the two sides' slopes differ by as much: the derivative is wrong, or a kink or jump lies within the step
              */
  double bend; /* as in ad_comparison */
} ad_gaps;

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
  size_t entries;          /* entry k is direction k / weight_count, weight k % weight_count */
  uint32_t precision, top; /* of the last run, 0: none; and the highest allowed */
  __mpfr_struct *forward, *reverse, *difference;
  __mpfr_struct *middle; /* of each weight: f(x) */
  double *bend;          /* of each entry: log2 of what f(x + h) - 2 f(x) + f(x - h) is over 2 h */
  bool on_kink;          /* an operation stands on a kink or an edge */
  ad_gaps *gaps;         /* of each entry at the last precision */
  uint8_t *zero;         /* of each entry: its zero is believed */
  uint8_t *cls;          /* ad_entry_class; KINK and EDGE are told apart later */
  uint8_t *two_sided;    /* of each entry that agrees: the slopes on its sides stay apart, so that it is on a kink */
  double *dual, *tape;
} ad_comparison;

/* The program, directions and weights. */
ad_status ad_compare_prepare(ad_comparison *c, const ad_graph *g, const ad_point *p, const ad_check_options *o,
                             ad_error *e);
/* Runs the MPFR methods at rising precision, beginning above that of the last run, until every entry is decided or the
 * highest precision is done. */
ad_status ad_compare_settle(ad_comparison *c, ad_error *e);
static inline bool ad_compare_can_rise(const ad_comparison *c) {
  return c->precision <= c->top / 2;
}
/* The same entries in double. */
ad_status ad_compare_double(ad_comparison *c, ad_error *e);
void ad_compare_clear(ad_comparison *c);

/* Which element of which input (or output) position k of the laid-out elements is. */
void ad_compare_locate(const ad_comparison *c, bool input, size_t k, size_t *which, size_t *element);

/* One for each entry, of the kind that the workspace holds. */
typedef struct ad_results {
  __mpfr_struct *big;
  double *small;
  arb_ptr ball;
} ad_results;
/* All entries by either mode, after a primal run. */
ad_status ad_compare_forward(const ad_comparison *c, ad_workspace *w, ad_results r, ad_error *e);
ad_status ad_compare_reverse(const ad_comparison *c, ad_workspace *w, ad_results r, ad_error *e);

/* Central finite differences of all outputs along direction number `direction`, contracted with every weight, into its
 * entries of c->difference, and c->bend (difference.c). */
ad_status ad_compare_difference(ad_comparison *c, ad_workspace *w, size_t direction, ad_error *e);
/* Adds sign times the outputs, contracted with every weight; t is room. */
void ad_compare_add_outputs(const ad_comparison *c, const ad_workspace *w, int sign, __mpfr_struct *result, mpfr_ptr t);

#endif
