/* Derivatives where a zero may have met an infinity (see exec/element.inc), and those of outputs that are nan: nan,
 * too, by each input that the output depends on. */
#ifndef AD_CAREFUL_H
#define AD_CAREFUL_H

#include "exec/workspace.h"

/* Each does once more, in marked numbers, what the workspace's engine did, for those points and directions that came
 * out as nan, and puts the results in place of the others.  The workspace's own sweep has just run; for reverse mode
 * ad_careful_keep_seeds was called before. */
ad_status ad_careful_primal(ad_workspace *w, ad_error *e);
/* Where the values were computed once more by the fast code. */
void ad_careful_restore(ad_workspace *w);
ad_status ad_careful_forward(ad_workspace *w, ad_error *e);
ad_status ad_careful_reverse(ad_workspace *w, ad_error *e);

ad_status ad_careful_series(ad_workspace *w, ad_error *e);

/* The seeds of the outputs, or of all nodes where others were seeded, too. */
ad_status ad_careful_keep_seeds(ad_workspace *w, ad_error *e);
/* To be told of a node that is seeded. */
ad_status ad_careful_seeds(ad_workspace *w, ad_node node, ad_error *e);

/* A sweep of the engine over a bundle, with the same care. */
ad_status ad_careful_bundle(ad_workspace *w, ad_bundle *b, bool forward, ad_error *e);

/* ad_workspace_undetermined. */
bool ad_careful_lost(const ad_workspace *w, ad_node *n, size_t *element);

void ad_careful_free(ad_workspace *w);

#endif
