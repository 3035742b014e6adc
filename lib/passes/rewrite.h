/* A graph on its way into another one. */
#ifndef AD_REWRITE_H
#define AD_REWRITE_H

#include "ir/graph.h"

/* Of a node of the old graph. */
enum {
  AD_NEEDED = 1,
  AD_KEPT = 2, /* copied as it is, whatever the rules say */
  AD_EXPONENT =
      4 /* a pow's second argument that is no constant, and must not become one: x^2 is another function then */
};

/* Nodes of g by what they compute (common.c). */
typedef struct ad_common {
  size_t slots, found; /* a hash table */
  struct ad_common_slot {
    uint32_t hash, node; /* node + 1; 0: free */
  } * slot;
  uint64_t seed;
  uint32_t *last; /* of each node of g: the last one in its list + 1, and of each in a list: the one before it + 1 */
  uint32_t *before;
} ad_common;

typedef struct ad_rewrite {
  const ad_graph *from;
  ad_graph *g;
  ad_node *to;          /* of each node of `from`: its node in g; AD_NO_NODE: none */
  uint8_t *flags;       /* of each node of `from` */
  size_t nodes;         /* g has no more */
  ad_graph_mark before; /* of g, before its last node */
  uint8_t last;         /* flags of that node */
  bool again;           /* it was rewritten as another operation */
  uint64_t room;        /* so many numbers, or bytes of text for them, may folding still add */
  size_t arg_capacity;
  ad_node *arg;
  ad_common common;
} ad_rewrite;

/* Starts a graph like `from`. */
ad_status ad_rewrite_open(ad_rewrite *r, const ad_graph *from, ad_error *e);
void ad_rewrite_close(ad_rewrite *r); /* frees g too, unless it was taken */

/* Copies one node: to[n] is then the last node of g. */
ad_status ad_rewrite_copy(ad_rewrite *r, ad_node n, ad_error *e);
/* A name goes to the node that replaces its own, unless that is an input or has one already. */
ad_status ad_rewrite_names(ad_rewrite *r, ad_error *e);

/* Replaces the last node of g by another operation with the same shape. */
ad_status ad_rewrite_as(ad_rewrite *r, ad_op op, size_t nargs, const ad_node *args, const ad_attr *attr, ad_error *e);
/* By a constant. */
ad_status ad_rewrite_constant(ad_rewrite *r, const ad_numbers *value, ad_dtype dtype, ad_error *e);

#endif
