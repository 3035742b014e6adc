/* The graph's columns.  Only lib/ir reads them directly; everyone else calls the functions of adtool.h. */
#ifndef AD_GRAPH_H
#define AD_GRAPH_H

#include "adtool.h"
#include "ir/names.h"
#include "ir/number.h"
#include "ir/ops.h"

/* Numbers of inputs and constants live in one pool: `count` from `first` on (0 none, 1 for all elements, or each). */
typedef struct ad_literal {
  size_t first, count;
  uint8_t dtype;
  bool fixed;
} ad_literal;

typedef struct ad_attr_slot {
  size_t first; /* in `ints`; SIZE_MAX: absent */
  uint32_t shape;
} ad_attr_slot;

struct ad_graph {
  ad_limits limits;
  ad_kinks kinks;
  char *name;

  /* One entry a node.  arg[first_arg[n]] .. arg[first_arg[n+1]-1] are the arguments, followed by one payload word:
   * for leaves the literal's index, for operations with attributes the first attr slot. */
  size_t count, node_capacity;
  uint8_t *op;
  uint32_t *first_arg;
  uint32_t *shape;
  size_t arg_count, arg_capacity;
  uint32_t *arg;

  size_t shape_count, shape_capacity;
  ad_shape *shapes;      /* distinct; 0 is the scalar */
  uint32_t *shape_slots; /* hash of them: index + 1 */
  size_t shape_slot_count;

  size_t literal_count, literal_capacity;
  ad_literal *literal;
  size_t number_count, number_capacity;
  double *number;
  size_t exact_count, exact_capacity;
  ad_exact *exact;
  size_t text_size, text_capacity;
  char *text;

  size_t slot_count, slot_capacity;
  ad_attr_slot *slot;
  size_t int_count, int_capacity;
  int64_t *ints;

  size_t input_count;
  ad_names names;        /* nodes */
  ad_names output_names; /* ids are positions in output_node */
  size_t output_count, output_capacity;
  ad_node *output_node;

  size_t meta_count, meta_capacity;
  char **meta; /* key, text, key, text ... */
};

#endif
