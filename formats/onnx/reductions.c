/* Reductions, and running sums. */
#include "onnx/operators.h"

/* Over the axes of the attribute or operand; without any, over all.  What is to be reduced may have been made of the
 * operand; whether that is still done when nothing is reduced, versions of the definition don't agree. */
static ad_onnx_value reduce(ad_onnx_build *b, ad_onnx_call *c, ad_op op, ad_onnx_value x) {
  int64_t count = 0;
  const int rank = x.shape.rank;
  const int64_t *axes =
      ad_onnx_given(c, 1) ? ad_onnx_operand_ints(b, c, 1, "the axes", &count) : ad_onnx_ints(b, c, "axes", &count);
  unsigned mask = axes ? ad_onnx_axes(b, axes, count, rank) : 0;
  if (!count && ad_onnx_int(b, c, "noop_with_empty_axes", 0)) {
    if (c->row->op == AD_OP_INPUT) ad_onnx_refuse(b, "noop_with_empty_axes without axes");
    return x;
  }
  if (!count) mask = (1u << rank) - 1;
  return ad_onnx_reduce(b, op, x, mask, ad_onnx_int(b, c, "keepdims", 1) != 0);
}

void ad_onnx_lower_reduce(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = reduce(b, c, c->row->op, c->in[0]);
}

void ad_onnx_lower_reduce_l1(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = reduce(b, c, AD_OP_SUM, ad_onnx_unary(b, AD_OP_ABS, c->in[0]));
}

void ad_onnx_lower_reduce_sum_square(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = reduce(b, c, AD_OP_SUM, ad_onnx_binary(b, AD_OP_MUL, c->in[0], c->in[0]));
}

void ad_onnx_lower_reduce_l2(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_lower_reduce_sum_square(b, c);
  c->out[0] = ad_onnx_unary(b, AD_OP_SQRT, c->out[0]);
}

void ad_onnx_lower_reduce_log_sum(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_unary(b, AD_OP_LOG, reduce(b, c, AD_OP_SUM, c->in[0]));
}

static ad_onnx_value reversed(ad_onnx_build *b, ad_onnx_value x, int axis) {
  int64_t start[AD_MAX_RANK] = {0}, step[AD_MAX_RANK];
  if (b->status || !x.shape.dim[axis]) return x;
  for (int i = 0; i < x.shape.rank; i++) step[i] = i == axis ? -1 : 1;
  start[axis] = x.shape.dim[axis] - 1;
  return ad_onnx_slice(b, x, start, x.shape.dim, step);
}

void ad_onnx_lower_cum_sum(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value x = c->in[0];
  const int axis = ad_onnx_axis(b, ad_onnx_operand_int(b, c, 1, "the axis"), x.shape.rank);
  const bool exclusive = ad_onnx_int(b, c, "exclusive", 0) != 0, reverse = ad_onnx_int(b, c, "reverse", 0) != 0;
  if (reverse) x = reversed(b, x, axis);
  x = ad_onnx_along(b, AD_OP_CUMSUM, x, axis);
  if (exclusive && !b->status && x.shape.dim[axis]) {
    ad_shape first = x.shape;
    first.dim[axis] = 1;
    const ad_onnx_value parts[] = {ad_onnx_broadcast(b, ad_onnx_number(b, x.type, 0), &first),
                                   ad_onnx_part(b, x, axis, 0, x.shape.dim[axis] - 1)};
    x = ad_onnx_concat(b, 2, parts, axis);
  }
  c->out[0] = reverse ? reversed(b, x, axis) : x;
}
