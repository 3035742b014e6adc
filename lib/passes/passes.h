/* Passes: graph in, graph out.  A pass is a rule, asked at each node of the new graph when all its arguments are made;
 * so one walk is enough for all of them, whatever one makes possible for another. */
#ifndef AD_PASSES_H
#define AD_PASSES_H

#include "passes/rewrite.h"

/* *z is an operation, or for `common` also a constant, and the last node of r->g.  The rule leaves it, rewrites it in
 * place (ad_rewrite_as, ad_rewrite_constant), or sets *z to an earlier node that replaces it: of the same shape, with
 * the same values, and with derivatives that are the same where both have one place only to go to. */
typedef ad_status ad_rule(ad_rewrite *r, ad_node *z, ad_error *e);
ad_rule ad_fold_constants, ad_simplify, ad_find_common;

/* Marks what outputs and nodes marked AD_KEPT need (dead.c). */
void ad_mark_needed(const ad_graph *g, uint8_t *flags);

#endif
