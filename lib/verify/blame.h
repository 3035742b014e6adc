/* Finding the operation whose partials are wrong: each node alone, at the values at hand. */
#ifndef AD_BLAME_H
#define AD_BLAME_H

#include "verify/compare.h"

/* Finds nodes of c's program whose partials are proved wrong by differences of that node alone (ad_segment), leaving
 * out nodes whose entry in `flags` (ad_workspace_diagnose) says kink, edge or worse.  Adds to r->blame. */
ad_status ad_blame_nodes(ad_check_report *r, const ad_comparison *c, const uint8_t *flags, ad_error *e);

#endif
