/* One number of a folded constant. */
#ifndef AD_FOLD_ELEMENT_H
#define AD_FOLD_ELEMENT_H

#include <gmp.h>

#include "ir/graph.h"

typedef struct ad_folding {
  mpq_t x, y, exact;
} ad_folding;
void ad_folding_init(ad_folding *f);
void ad_folding_clear(ad_folding *f);

/* A number of an operand: text NULL when the double is exact. */
typedef struct ad_operand_number {
  double value;
  const char *text;
} ad_operand_number;

bool ad_folds_element(ad_op op); /* whether there are operands on which it folds */

/* Appends op(a[0], ...) to `out`.  *folds becomes false, and nothing is appended, unless every arithmetic of at least
 * 53 bits computes the bits that it would round from the number appended.  That holds
 *   - for + - * / sqr recip on finite doubles, which are correctly rounded in double and in MPFR: the exact result,
 *     rounded once, is the result.  Another operation on a result that a double does not hold would round twice, so a
 *     text is no operand;
 *   - for pow with an integer exponent, correctly rounded in MPFR only, where a double holds the result and double
 *     finds it;
 *   - for pieces and comparisons of finite doubles, which have no rounding, but where the sign of a zero is at stake;
 *   - for neg of anything, as rounding is symmetric.
 * few: whether results that a double does not hold may be appended. */
ad_status ad_fold_element(ad_folding *f, ad_op op, const ad_operand_number *a, bool few, ad_numbers *out, bool *folds,
                          ad_error *e);

#endif
