/* Which element depends on which, block by block of a program: what sparsity structures are propagated along. */
#ifndef AD_WALK_H
#define AD_WALK_H

#include "exec/program.h"

typedef ad_status ad_element_fn(void *context, unsigned op, unsigned active, uint32_t out, const uint32_t *arg,
                                ad_error *e);

/* Calls f for each element of a block of elementwise operations that depends on an input of wrt; `active` are the
 * arguments that it depends on by a derivative that is not zero everywhere.  Scalars come in order, or backwards. */
ad_status ad_walk_elements(const ad_program *p, const ad_block *b, bool backwards, ad_element_fn *f, void *context,
                           ad_error *e);

/* One element depends on another; elements from p->size + 1 on stand for partial results of the block. */
typedef struct ad_edge {
  uint32_t to, from;
} ad_edge;

typedef struct ad_edges {
  size_t count, capacity;
  ad_edge *edge; /* in topological order; owned */
  uint32_t temporaries;
} ad_edges;

/* The edges of a structured operation, by the arguments that depend on an input. */
ad_status ad_walk_kernel(ad_edges *edges, const ad_program *p, const ad_block *b, ad_error *e);

#endif
