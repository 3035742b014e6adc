/* Where the elements of a move come from: of the operations that compute nothing. */
#ifndef AD_MOVE_H
#define AD_MOVE_H

#include "ir/ops.h"

static inline bool ad_is_move(ad_op op) {
  return ad_op_rule_get(op)->kernel == AD_KERNEL_MOVE || op == AD_OP_GATHER;
}

/* The number of an element. */
static inline size_t ad_position(const ad_shape *s, const int64_t *index) {
  int64_t at = 0;
  for (int i = 0; i < s->rank; i++) at = at * s->dim[i] + index[i];
  return (size_t)at;
}

/* From one element to the next. */
static inline void ad_next_index(const ad_shape *s, int64_t *index) {
  for (int d = s->rank - 1; d >= 0 && ++index[d] == s->dim[d]; d--) index[d] = 0;
}

/* Element `index` of `shape` of an operand that broadcasts to it. */
size_t ad_broadcast_element(const ad_shape *x, const ad_shape *shape, const int64_t *index);

typedef struct ad_move {
  const ad_graph *g;
  ad_node z;
  ad_op op;
  size_t nargs;
  const ad_node *args;
  int64_t *ends; /* concat: of each operand on the axis */
} ad_move;

ad_status ad_move_open(ad_move *m, const ad_graph *g, ad_node z, ad_error *e);
void ad_move_close(ad_move *m);
/* The operand and its element that the move takes to `index`, the element number i, of the result. */
size_t ad_move_source(const ad_move *m, const int64_t *index, size_t i, size_t *element);

#endif
