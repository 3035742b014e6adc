/* Building operations into a graph from expressions.  A symbol is a node, a number that becomes a constant node when
 * one is needed, or an expression over symbols that becomes nodes, arguments from left to right, when it is needed: the
 * order of nodes never depends on the order in which a compiler evaluates arguments, and what is not used leaves
 * nothing. */
#ifndef AD_EMIT_H
#define AD_EMIT_H

#include "adtool.h"
#include "ir/ops.h"

typedef uint32_t ad_sym;
#define AD_SYM_NONE UINT32_MAX /* nothing: a zero, or what comes of a failure */

typedef struct ad_emit_number {
  double value;
  ad_node node; /* AD_NO_NODE: not yet */
} ad_emit_number;

typedef struct ad_emit_expr {
  ad_op op;
  uint8_t nargs;
  ad_sym arg[3];
  ad_node node; /* AD_NO_NODE: not yet */
} ad_emit_expr;

typedef struct ad_emit {
  ad_graph *g; /* borrows */
  ad_kinks kinks;
  ad_status status; /* the first failure; nothing happens after one */
  ad_error *e;
  size_t number_count, number_capacity;
  ad_emit_number *number;
  size_t expr_count, expr_capacity;
  ad_emit_expr *expr;
  ad_node pi;
} ad_emit;

void ad_emit_start(ad_emit *cx, ad_graph *g, ad_error *e);
void ad_emit_clear(ad_emit *cx);
/* Forgets the expressions; nodes and numbers stay. */
void ad_emit_forget(ad_emit *cx);
/* Keeps the first failure and returns it. */
ad_status ad_emit_fail(ad_emit *cx, ad_status s);

ad_sym ad_emit_num(ad_emit *cx, double v); /* exact */
ad_sym ad_emit_pi(ad_emit *cx);
ad_sym ad_emit_1(ad_emit *cx, ad_op op, ad_sym x);
ad_sym ad_emit_2(ad_emit *cx, ad_op op, ad_sym x, ad_sym y);
ad_sym ad_emit_3(ad_emit *cx, ad_op op, ad_sym x, ad_sym y, ad_sym w);
/* The operation at once, with attributes. */
ad_sym ad_emit_apply(ad_emit *cx, ad_op op, size_t nargs, const ad_sym *args, size_t nattrs, const ad_attr *attrs);
/* A constant with one number for all elements. */
ad_sym ad_emit_fill(ad_emit *cx, const ad_shape *shape, double v);

/* Makes it a node; AD_NO_NODE after a failure, or of nothing. */
ad_node ad_emit_node(ad_emit *cx, ad_sym s);
/* Whether it is a number, or an expression of this operation. */
bool ad_emit_is_number(const ad_emit *cx, ad_sym s, double *v);
const ad_emit_expr *ad_emit_is(const ad_emit *cx, ad_sym s, ad_op op);

#endif
