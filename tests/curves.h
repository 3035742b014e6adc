/* Taylor series along random curves against what knows no derivatives, and double against MPFR. */
#ifndef AD_TESTS_CURVES_H
#define AD_TESTS_CURVES_H

#include <mpfr.h>

#include "graphs.h"
#include "ulps.h"

/* A coefficient of a workspace in MPFR. */
mpfr_srcptr curves_coefficient(const ad_workspace *w, uint32_t j, ad_node n, size_t element);

/* Seeds random first, second and third coefficients of every element of every input of wrt (as far as the order goes);
 * the same for the same seed. */
void curves_seed(ad_workspace *w, uint64_t seed);

/* Coefficients 0 to 4 of a node along that curve, in MPFR, are Newton's divided differences of its values at 0, h, 2h
 * ... for h = 2^-150, to 70 bits.  Nothing is tested where an operation stands on a kink or an edge. */
void curves_check_differences(const ad_graph *g, ad_node z, uint64_t seed, const char *what);

/* Coefficients 0 to 6 in double along that curve are off MPFR's by no more than rounding makes of them: MPFR at a few
 * bits less than 53 shows how much that is. */
void curves_check_double(const ad_graph *g, ad_node z, uint64_t seed, const char *what);

#endif
