/* What the segments of an .nl file become: nodes for its variables, constants, linear forms and operations. */
#ifndef AD_NL_BUILD_H
#define AD_NL_BUILD_H

#include "ir/ops.h"
#include "nl/header.h"
#include "nl/scan.h"

/* A growable list of nodes: a stack of operands. */
typedef struct ad_nl_nodes {
  ad_node *v;
  size_t count, capacity;
} ad_nl_nodes;

/* One term of a linear form. */
typedef struct ad_nl_term {
  int64_t column;
  double coefficient;
} ad_nl_term;

typedef struct ad_nl_build {
  ad_nl_scan scan;
  ad_nl_header head;
  ad_graph *g;
  ad_node x;         /* the input */
  ad_node *variable; /* x[i], then the defined variables; AD_NO_NODE: not yet made */
  ad_node *constant; /* open addressing by value: node + 1, 0 is empty */
  double *key;       /* of each slot */
  size_t slots, constants;
  ad_nl_nodes operands;
  struct ad_nl_frame *frame; /* operators whose operands are being read */
  size_t frame_count, frame_capacity;
  double *piece; /* the numbers of piecewise linear functions that are being read */
  size_t piece_count, piece_capacity;
  ad_nl_term *term; /* of the linear form at hand */
  size_t term_capacity;
} ad_nl_build;

void ad_nl_build_clear(ad_nl_build *b);

ad_status ad_nl_apply(ad_nl_build *b, ad_node *out, ad_op op, size_t nargs, const ad_node *args);
ad_status ad_nl_apply_1(ad_nl_build *b, ad_node *out, ad_op op, ad_node x);
ad_status ad_nl_apply_2(ad_nl_build *b, ad_node *out, ad_op op, ad_node x, ad_node y);
/* The node of a number: one for each that is different.  A double that is no short decimal is marked as one. */
ad_status ad_nl_number(ad_nl_build *b, ad_node *out, double v);
/* A node's number, where it is one; else false. */
bool ad_nl_is_number(const ad_nl_build *b, ad_node n, double *v);
/* A vector of doubles; only reads v. */
ad_status ad_nl_vector(ad_nl_build *b, ad_node *out, double *v, size_t count);
/* The node of variable i; one that is defined must have been by now. */
ad_status ad_nl_variable(ad_nl_build *b, ad_node *out, size_t i);
/* Adds neighbours in pairs until one is left, so that few sums wait for each other; uses the list up. */
ad_status ad_nl_sum(ad_nl_build *b, ad_node *out, ad_node *list, size_t count);
/* base + the `count` terms in b->term; base may be AD_NO_NODE. */
ad_status ad_nl_add_terms(ad_nl_build *b, ad_node *out, ad_node base, size_t count);
/* x[column], as a vector. */
ad_status ad_nl_columns(ad_nl_build *b, ad_node *out, const int64_t *column, size_t count);

/* Reads one expression (expr.c). */
ad_status ad_nl_expression(ad_nl_build *b, ad_node *out);
/* An operator applied to operands (operators.c); the list may be used up. */
struct ad_nl_operator;
ad_status ad_nl_operate(ad_nl_build *b, ad_node *out, const struct ad_nl_operator *op, ad_node *args, size_t count);
/* A piecewise linear function of args[0]: slope, breakpoint, slope ... */
ad_status ad_nl_pieces(ad_nl_build *b, ad_node *out, ad_node x, const double *numbers, size_t count);

#endif
