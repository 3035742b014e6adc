/* A graph as scalar operations, for formats that have no tensors.  Not a pass of the table: it makes graphs larger. */
#ifndef AD_SCALARS_H
#define AD_SCALARS_H

#include "adtool.h"

/* g has the inputs of the original graph, elements of them by slices, scalar constants, elementwise operations on
 * scalars, and sum, reduce_max and reduce_min of a stack of scalars, which is used by nothing else.  It has no outputs,
 * names or metadata.  Each operation gives the bits that it gave in the original, but for prod and matmul, which may
 * round otherwise. */
typedef struct ad_scalars {
  ad_graph *g;
  size_t count;
  ad_node *output; /* the elements of the outputs, in order, one behind the other */
} ad_scalars;

/* Only what the outputs need.  AD_EINPUT: an operation that has no scalar form, softmax and logsumexp; AD_ELIMIT: more
 * nodes than the graph's limits allow. */
ad_status ad_scalars_make(ad_scalars *s, const ad_graph *g, ad_error *e);
void ad_scalars_clear(ad_scalars *s);

#endif
