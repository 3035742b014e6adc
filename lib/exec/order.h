/* The order of scalars: within a window of the graph, those of one level (none an argument of another) that do the same
 * operation come side by side, so that large irregular graphs run in SIMD and the branch predictor sees few branches;
 * what has no company stays in a tape of mixed operations.  A window bounds how far values that are used together are
 * torn apart in memory. */
#ifndef AD_ORDER_H
#define AD_ORDER_H

#include "exec/program.h"

enum { AD_WINDOW = 4096 };

/* In p->offset: a node that waits in the window. */
#define AD_WAITING (UINT32_MAX - 1 - AD_WINDOW)

typedef struct ad_waiting {
  ad_node node;
  uint8_t op, active;
  uint16_t level;
} ad_waiting;

typedef struct ad_order {
  uint32_t count;
  ad_waiting waiting[AD_WINDOW];
  uint32_t sorted[2][AD_WINDOW]; /* positions in waiting */
} ad_order;

/* The node, a scalar elementwise operation whose arguments lie in the buffer or wait, waits from now on; the window
 * must not be full. */
void ad_order_push(ad_order *o, ad_program *p, ad_node n, ad_op op, uint8_t active);
/* Cuts sums and products, one scalar a step, out of the MIXED blocks as chains of their own. */
ad_status ad_order_chains(ad_program *p, ad_error *e);
/* Gives offsets from p->size on to all that wait, and puts them into blocks. */
ad_status ad_order_flush(ad_order *o, ad_program *p, ad_error *e);

#endif
