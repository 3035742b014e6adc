/* Derivatives as graphs: the rules of all operations as builders of nodes, and what they share.  The graph that is made
 * holds a copy of each node that the outputs need, then the derivative's. */
#ifndef AD_SYMBOLIC_H
#define AD_SYMBOLIC_H

#include "arith/emit.h"

/* A part of an adjoint that is given to a few elements of a tensor. */
typedef struct ad_part {
  ad_node consumer; /* a slice or gather of the tensor; AD_NO_NODE: element `element` of it */
  size_t element;
  ad_sym value;
  uint32_t next; /* of the same tensor, in order, round to the first */
} ad_part;

typedef struct ad_symbolic {
  ad_emit emit;
  const ad_graph *from; /* borrows */
  ad_graph *to;
  ad_node *map;    /* of each node of `from`: its copy */
  uint8_t *active; /* of each: depends on an input of interest by a path on which derivatives are not 0 */
  ad_sym *d; /* of each: its adjoint or tangent: NONE where it is 0, a number where all elements are that number */
  uint32_t *parts; /* of each: its last part; AD_NO_NODE: none.  Reverse mode only */
  size_t part_count, part_capacity;
  ad_part *part;
} ad_symbolic;

/* Adds to a node's adjoint; the value has its shape, or is a number.  Or a part of it. */
void ad_symbolic_add(ad_symbolic *s, ad_node n, ad_sym value);
void ad_symbolic_add_part(ad_symbolic *s, ad_node n, ad_part part);
/* From the outputs' adjoints to those of the inputs, and from the inputs' tangents to those of the outputs. */
void ad_symbolic_back(ad_symbolic *s);
void ad_symbolic_forward(ad_symbolic *s);

/* One node as a rule sees it. */
typedef struct ad_rule {
  ad_symbolic *s;
  ad_emit *cx;
  ad_node n; /* in `from`; so are args */
  ad_op op;  /* as it is lowered */
  size_t nargs;
  const ad_node *args;
  const ad_shape *shape;
  ad_node x, z; /* in `to`: the first argument, the node */
} ad_rule;

const ad_shape *ad_rule_shape(const ad_rule *r, size_t k); /* of argument k */
ad_node ad_rule_arg(const ad_rule *r, size_t k);           /* in `to` */
bool ad_rule_active(const ad_rule *r, size_t k);
ad_sym ad_rule_tangent(const ad_rule *r, size_t k);

/* Adds to the adjoint of argument k; the value has its shape, or is a number. */
void ad_rule_give(const ad_rule *r, size_t k, ad_sym value);
/* The same where the value has the shape of the node or one that broadcasts to it: sums over what was broadcast. */
void ad_rule_give_broadcast(const ad_rule *r, size_t k, ad_sym value);
/* The same for an argument of which the node takes a part. */
void ad_rule_give_part(const ad_rule *r, ad_sym value);

/* The rules, by kernel: adjoints give d, the node's adjoint, on; tangents return that of the node. */
typedef void ad_adjoint_rule(const ad_rule *r, ad_sym d);
typedef ad_sym ad_tangent_rule(const ad_rule *r);
ad_adjoint_rule ad_element_adjoint, ad_matmul_adjoint, ad_move_adjoint, ad_gather_adjoint, ad_scatter_add_adjoint,
    ad_reduce_adjoint, ad_along_adjoint;
ad_tangent_rule ad_element_tangent, ad_matmul_tangent, ad_move_tangent, ad_gather_tangent, ad_scatter_add_tangent,
    ad_reduce_tangent, ad_along_tangent;

/* The adjoint of a tensor from that of a slice or gather of it, on zeros. */
ad_sym ad_move_spread(const ad_rule *r, ad_sym d);
/* The elements of the tensor that a slice or gather takes, in order; `index` has room for all. */
void ad_move_elements(const ad_rule *r, int64_t *index);

/* A partial times an adjoint or tangent: where that is 0, or where a partial of a BRANCH row is 0, it is 0 whatever the
 * other is, and so it stays when it is differentiated. */
ad_sym ad_times(ad_emit *cx, ad_sym partial, ad_sym d, bool branch);

/* Operations with attributes; those that would change nothing add nothing.  s has shape `from` where that is said. */
const ad_shape *ad_sym_shape(ad_emit *cx, ad_sym s);                /* makes it a node; a scalar after a failure */
ad_sym ad_sym_tensor(ad_emit *cx, ad_sym s, const ad_shape *shape); /* numbers become constants of that shape */
ad_sym ad_sym_reshape(ad_emit *cx, ad_sym s, const ad_shape *to);
ad_sym ad_sym_broadcast(ad_emit *cx, ad_sym s, const ad_shape *to);
ad_sym ad_sym_transpose(ad_emit *cx, ad_sym s, const int64_t *perm);
ad_sym ad_sym_sum(ad_emit *cx, ad_sym s, size_t count, const int64_t *axes);
ad_sym ad_sym_slice(ad_emit *cx, ad_sym s, int axis, int64_t start, int64_t stop, int64_t step);
ad_sym ad_sym_join(ad_emit *cx, ad_op op, size_t count, const ad_sym *s, int64_t axis); /* concat or stack */
ad_sym ad_sym_with_axis(ad_emit *cx, ad_op op, ad_sym s, int64_t axis);                 /* softmax, cumsum */
ad_sym ad_sym_scatter(ad_emit *cx, ad_sym base, ad_sym updates, int64_t count, const int64_t *index, int64_t axis);

#endif
