/* Which nodes share a box in a picture.  The first that has few enough boxes is taken:
 *   1. each node has its own;
 *   2. a node without a name goes into the one box that uses it, unless it is an input or an output: so each definition
 *      is one box, as a logic network is cut into fanout-free cones; what only moves elements of an input stays in the
 *      input's box;
 *   3. the same with names; all but the first inputs share a box, and all but the first outputs;
 *   4. what is left is cut into bands by its distance from the inputs.
 * Where 2 and 3 leave room for more boxes, the operations next to the value that leaves a box get their own, to the
 * same depth everywhere. Boxes never form a cycle. */
#ifndef AD_DOT_GROUP_H
#define AD_DOT_GROUP_H

#include "dot/dot.h"

#define AD_DOT_HIDDEN UINT32_MAX /* a constant that stands in the boxes that use it */

typedef enum ad_dot_kind { AD_DOT_CONE, AD_DOT_MORE_INPUTS, AD_DOT_MORE_OUTPUTS, AD_DOT_BAND } ad_dot_kind;

typedef struct ad_dot_group {
  ad_dot_kind kind;
  ad_node root;       /* the node of a cone whose value leaves it */
  size_t nodes;       /* without hidden ones */
  uint32_t low, high; /* levels of its nodes: the distance from the inputs */
} ad_dot_group;

typedef struct ad_dot_groups {
  size_t count;
  ad_dot_group *group;
  uint32_t *of;    /* each node's; or AD_DOT_HIDDEN */
  uint32_t *cone;  /* where each node has its own box: the root of the definition that it belongs to; else NULL */
  uint8_t *output; /* whether a node is one */
} ad_dot_groups;

ad_status ad_dot_group_nodes(ad_dot_groups *s, const ad_graph *g, size_t max_shown, ad_error *e);
void ad_dot_groups_clear(ad_dot_groups *s);

#endif
