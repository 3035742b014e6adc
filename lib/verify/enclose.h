/* What balls prove of the entries of a comparison. */
#ifndef AD_ENCLOSE_H
#define AD_ENCLOSE_H

#include "verify/compare.h"

enum { AD_UNSEEN_EXPONENT = -1100 }; /* a double shows what is below 2^this as 0 */
bool ad_enclosed_nothing(arb_srcptr x);

/* Every entry enclosed, at c's precision, by the modes for which there is room; indeterminate where the workspace of
 * balls would not stay within the graph's limit of memory. */
ad_status ad_enclose(const ad_comparison *c, arb_ptr forward, arb_ptr reverse, ad_error *e);

/* A workspace of balls at c's precision after a primal run; NULL where it would not stay within that limit. */
ad_status ad_enclose_open(ad_workspace **w, const ad_comparison *c, bool forward, bool reverse, ad_error *e);

/* *proved: for some entry the enclosures of both modes have no number in common, so that one of them is wrong. */
ad_status ad_enclose_contradiction(const ad_comparison *c, bool *proved, ad_error *e);

/* Along one direction v, for every weight: (f(x + hv) - f(x - hv)) / 2h, and the derivative at every point between.
 * Where both are finite, no condition was undecided and they have no number in common, the derivative is wrong, by the
 * mean value theorem. */
typedef struct ad_segment {
  arb_ptr difference, forward, reverse; /* of each weight */
  bool decided;                         /* no condition was undecided, and the ends are exact */
} ad_segment;
/* w: a workspace of balls, with tangents and reverse mode, whose inputs are exact; they are moved and put back. */
ad_status ad_enclose_segment(ad_segment *out, const ad_comparison *c, ad_workspace *w, size_t direction, ad_error *e);

#endif
