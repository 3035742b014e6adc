/* The graph's columns.  Passes and derivatives as graphs read them directly; everyone else calls the functions of
 * adtool.h, or ad_graph_args where many nodes are gone through. */
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

  ad_names meta_keys; /* ids are positions in meta_text */
  size_t meta_capacity;
  char **meta_text;
  size_t note_count, note_capacity;
  char **note;
};

/* Sections that another program wrote into an .adg file live in the metadata under this and the tag, in hexadecimal. */
#define AD_META_SECTION "adg.section."
enum { AD_MAX_META_SECTIONS = 1011 };

/* What a reader found odd in a file and read all the same, for people: not part of the graph, and in no copy of it. */
ad_status ad_graph_add_note(ad_graph *g, ad_error *e, const char *format, ...) AD_PRINTF(3, 4);
/* NULL after the last. */
const char *ad_graph_note(const ad_graph *g, size_t i);

/* Whether a word follows the arguments. */
static inline bool ad_has_payload(ad_op op) {
  return op <= AD_OP_CONSTANT || ad_op_rule_get(op)->attrs;
}

/* Whether a graph can have such a name; `what` has it, for the message. */
ad_status ad_graph_check_name(const char *what, const char *name, ad_error *e);

/* ad_graph_node_args in place. */
static inline size_t ad_graph_args(const ad_graph *g, ad_node n, const ad_node **args) {
  *args = g->arg + g->first_arg[n];
  return g->first_arg[n + 1] - g->first_arg[n] - ad_has_payload(g->op[n]);
}

/* Appends a node; there must be room. */
static inline ad_node ad_graph_put_node(ad_graph *g, ad_op op, uint32_t shape, size_t nargs, const ad_node *args,
                                        bool payload, uint32_t word) {
  uint32_t *a = g->arg + g->arg_count;
  for (size_t i = 0; i < nargs; i++) a[i] = args[i];
  if (payload) a[nargs] = word;
  g->arg_count += nargs + payload;
  g->op[g->count] = (uint8_t)op;
  g->shape[g->count] = shape;
  g->first_arg[g->count + 1] = (uint32_t)g->arg_count;
  return (ad_node)g->count++;
}

/* ad_graph_apply for most nodes of large graphs: an elementwise operation with all its one or two arguments, which
 * exist (args[1] is any node where there is one).  False, and nothing is done, unless they are scalars and there is
 * room. */
static inline bool ad_graph_apply_scalar(ad_graph *g, ad_op op, size_t nargs, const ad_node args[2]) {
  if (g->count + 1 >= g->node_capacity || g->count >= g->limits.max_nodes || g->arg_count + 2 > g->arg_capacity ||
      g->arg_count + 2 > UINT32_MAX)
    return false;
  if (g->shape_count > 1 && (g->shape[args[0]] | g->shape[args[nargs - 1]])) return false; /* that of scalars is 0 */
  g->arg[g->arg_count] = args[0]; /* both: without a branch on their number */
  g->arg[g->arg_count + 1] = args[1];
  g->arg_count += nargs;
  g->op[g->count] = (uint8_t)op;
  g->shape[g->count] = 0;
  g->first_arg[++g->count] = (uint32_t)g->arg_count;
  return true;
}

/* ---- What a graph is made of when it is made from another one, which was checked (copy.c, graph.c) */

ad_status ad_graph_intern_shape(ad_graph *g, const ad_shape *s, uint32_t *id, ad_error *e);
/* Adds an operation.  attr: all of the row's, normalised. */
ad_status ad_graph_put(ad_graph *g, ad_node *out, ad_op op, uint32_t shape, size_t nargs, const ad_node *args,
                       const ad_attr *attr, ad_error *e);
/* Adds an input, which gets no name and is not counted yet, or a constant, whose numbers are in the pool. */
ad_status ad_graph_put_leaf(ad_graph *g, ad_node *out, ad_op op, uint32_t shape, const ad_literal *l, ad_error *e);

/* A graph without nodes that is otherwise like g: name, metadata, policy, limits, and its shapes by their numbers. */
ad_status ad_graph_new_like(ad_graph **out, const ad_graph *g, ad_error *e);
/* Adds a copy of leaf n of another graph with the same shape numbers; an input with its name. */
ad_status ad_graph_copy_leaf(ad_graph *g, ad_node *out, const ad_graph *from, ad_node n, ad_error *e);

/* Adds copies of all inputs of another graph to one that has no nodes yet: their numbers are the same. */
ad_status ad_graph_copy_inputs(ad_graph *g, const ad_graph *from, ad_error *e);
/* Adds all outputs of another graph whose node n is node to[n] of g. */
ad_status ad_graph_copy_outputs(ad_graph *g, const ad_graph *from, const ad_node *to, ad_error *e);
/* Drops the nodes that don't have all bits of `flag`; inputs and outputs have it, and only inputs have names.  to[n]
 * becomes the new number of node n, or AD_NO_NODE. */
ad_status ad_graph_drop(ad_graph *g, ad_node *to, const uint8_t *flags, uint8_t flag, ad_error *e);

/* How far the columns are filled; cutting takes back what was added since, which must have neither names nor outputs.
 */
typedef struct ad_graph_mark {
  size_t nodes, args, literals, numbers, exact, text, slots, ints;
} ad_graph_mark;
ad_graph_mark ad_graph_mark_end(const ad_graph *g);
void ad_graph_cut(ad_graph *g, const ad_graph_mark *m);

#endif
