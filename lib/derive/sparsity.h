/* Structures for plans that keep more of an entry than its column. */
#ifndef AD_SPARSITY_H
#define AD_SPARSITY_H

#include "adtool.h"

enum { AD_ENTRY_LISTS = 2 * sizeof(size_t) }; /* bytes an entry: where it is read and where it goes */

/* As those of adtool.h; a structure whose entries would take more than the limit of memory, so many bytes each beside
 * their column, is refused before it is written out. */
ad_status ad_sparsity_jacobian_for(ad_sparsity *s, const ad_program *p, double entry_bytes, ad_error *e);
ad_status ad_sparsity_hessian_for(ad_sparsity *s, const ad_program *p, double entry_bytes, ad_error *e);

#endif
