/* What colourings share, and how entries come back out of compressed products. */
#ifndef AD_COLOUR_H
#define AD_COLOUR_H

#include "adtool.h"

/* Whether an entry of the structure is read from its column's sweep; else it is from its row's. */
static inline bool ad_colour_takes_column(const ad_colouring *c, size_t row, uint32_t column) {
  if (!c->row || c->row[row] == AD_NO_COLOUR) return true;
  return c->column && c->column[column] != AD_NO_COLOUR && !c->rows_first;
}

/* The structure with rows and columns exchanged. */
ad_status ad_sparsity_transpose(ad_sparsity *out, const ad_sparsity *s, ad_error *e);
/* The number of each entry's mirror image in a symmetric structure; AD_EUSAGE where one is missing. */
ad_status ad_sparsity_mirror(size_t **mirror, const ad_sparsity *s, ad_error *e); /* owned by the caller */

/* Orders in which to colour: count vertices into `order`. */
typedef enum ad_order_kind {
  AD_ORDER_NATURAL,
  AD_ORDER_LARGEST,
  AD_ORDER_SMALLEST_LAST,
  AD_ORDER_INCIDENCE
} ad_order_kind;
enum { AD_ORDER_KINDS = 4 };

/* Star or acyclic colours of a symmetric structure (colour_symmetric.c). */
ad_status ad_colour_symmetric(ad_colouring *c, const ad_sparsity *s, ad_colour_kind kind, ad_error *e);

/* How the entries of a symmetric matrix follow from its products with seeds, one seed a colour with 1 for each of its
 * vertices (Gebremedhin, Tarafdar, Pothen and Walther, Efficient computation of sparse Hessians using coloring and
 * automatic differentiation, INFORMS Journal on Computing 21, 2009).  Product (i, c) is number i * colours + c. */
typedef struct ad_recovery {
  uint32_t colours;
  size_t count;
  size_t *from;       /* the product that an entry is read from, in this order, */
  size_t *to, *other; /* the entry, and its mirror image */
  size_t *reduce;     /* the product that it is subtracted from then; NULL: a star colouring, nothing is */
} ad_recovery;
ad_status ad_recovery_new(ad_recovery *r, const ad_sparsity *s, const ad_colouring *c, ad_error *e);
void ad_recovery_clear(ad_recovery *r);
/* Planes of w's engine.  value: one number an entry of the structure.  The products are used up where entries are
 * subtracted. */
void ad_recovery_run(const ad_recovery *r, ad_workspace *w, void *value, void *product);

#endif
