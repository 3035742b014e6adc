/* Reductions, norms, and running sums. */
#include "onnx/reductions.h"

#include "onnx/operators.h"

/* The axes of the attribute or operand as a mask; without any, all, or none where noop_with_empty_axes says so. */
static unsigned axes_of(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count = 0;
  const int rank = c->in[0].shape.rank;
  const int64_t *axes =
      ad_onnx_given(c, 1) ? ad_onnx_operand_ints(b, c, 1, "the axes", &count) : ad_onnx_ints(b, c, "axes", &count);
  if (count) return ad_onnx_axes(b, axes, count, rank);
  return ad_onnx_int(b, c, "noop_with_empty_axes", 0) ? 0 : (1u << rank) - 1;
}

static ad_onnx_value reduce(ad_onnx_build *b, ad_onnx_call *c, ad_op op, ad_onnx_value x) {
  const unsigned axes = axes_of(b, c);
  return ad_onnx_reduce(b, op, x, axes, ad_onnx_int(b, c, "keepdims", 1) != 0);
}

/* Means, roots and logarithms of integers are cut off. */
static ad_onnx_value whole(ad_onnx_build *b, ad_onnx_value x) {
  return ad_onnx_is_integer(x.type) ? ad_onnx_unary(b, AD_OP_TRUNC, x) : x;
}

void ad_onnx_lower_reduce(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_onnx_value r = reduce(b, c, c->row->op, c->in[0]);
  c->out[0] = c->row->op == AD_OP_MEAN || c->row->op == AD_OP_LOGSUMEXP ? whole(b, r) : r;
}

void ad_onnx_lower_reduce_l1(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = reduce(b, c, AD_OP_SUM, ad_onnx_unary(b, AD_OP_ABS, c->in[0]));
}

void ad_onnx_lower_reduce_sum_square(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = reduce(b, c, AD_OP_SUM, ad_onnx_binary(b, AD_OP_MUL, c->in[0], c->in[0]));
}

void ad_onnx_lower_reduce_l2(ad_onnx_build *b, ad_onnx_call *c) {
  const unsigned axes = axes_of(b, c);
  c->out[0] = ad_onnx_norm(b, c->in[0], 2, axes, ad_onnx_int(b, c, "keepdims", 1) != 0);
}

void ad_onnx_lower_reduce_log_sum(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = whole(b, ad_onnx_unary(b, AD_OP_LOG, reduce(b, c, AD_OP_SUM, c->in[0])));
}

/* ---- Norms.  Squares neither overflow nor vanish, since x is multiplied by a power of 2 before; comparisons decide
 * which one, so that derivatives don't see it.  What is 0 throughout has the norm 0, with 0 as its derivative and the
 * notice of a kink. */

static ad_onnx_value number(ad_onnx_build *b, ad_onnx_value like, double v) {
  return ad_onnx_number(b, like.type, v);
}

static ad_onnx_value squares(ad_onnx_build *b, ad_onnx_value x, unsigned axes) {
  return ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_binary(b, AD_OP_MUL, x, x), axes, true);
}

/* How many elements are beyond a limit on either side. */
static ad_onnx_value beyond(ad_onnx_build *b, ad_onnx_value x, double limit, unsigned axes) {
  const ad_onnx_value above = ad_onnx_cast(b, ad_onnx_with(b, AD_OP_GREATER, x, limit), AD_ONNX_DOUBLE),
                      below = ad_onnx_cast(b, ad_onnx_with(b, AD_OP_LESS, x, -limit), AD_ONNX_DOUBLE);
  return ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_binary(b, AD_OP_ADD, above, below), axes, true);
}

/* The power of 2 for each sum. */
static ad_onnx_value power_for(ad_onnx_build *b, ad_onnx_value x, unsigned axes) {
  const ad_onnx_value large = beyond(b, x, 0x1p450, axes), some = beyond(b, x, 0x1p-450, axes);
  const ad_onnx_value up = ad_onnx_where(b, some, number(b, x, 1), number(b, x, 0x1p600));
  return ad_onnx_where(b, large, number(b, x, 0x1p-600), up);
}

static ad_onnx_value is_zero(ad_onnx_build *b, ad_onnx_value x) {
  return ad_onnx_with(b, AD_OP_EQUAL, x, 0);
}

/* The sum of |x|^p. */
static ad_onnx_value powers(ad_onnx_build *b, ad_onnx_value x, int64_t p, unsigned axes) {
  if (p == 2) return squares(b, x, axes);
  if (p % 2) x = ad_onnx_unary(b, AD_OP_ABS, x);
  return ad_onnx_reduce(b, AD_OP_SUM, p == 1 ? x : ad_onnx_with(b, AD_OP_POW, x, (double)p), axes, true);
}

static ad_onnx_value root(ad_onnx_build *b, ad_onnx_value x, int64_t p) {
  if (p == 1) return x;
  if (p == 2) return ad_onnx_unary(b, AD_OP_SQRT, x);
  const ad_onnx_value exponent = ad_onnx_with(b, AD_OP_DIV, ad_onnx_number(b, AD_ONNX_DOUBLE, 1), (double)p);
  return ad_onnx_binary(b, AD_OP_POW, x, exponent);
}

ad_onnx_value ad_onnx_norm(ad_onnx_build *b, ad_onnx_value x, int64_t p, unsigned axes, bool keep) {
  ad_shape left = {0};
  if (p < 1 || p > 1024) ad_onnx_refuse(b, "p = %lld", (long long)p);
  if (!axes) return ad_onnx_unary(b, AD_OP_ABS, x);
  if (p == 1) return ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_unary(b, AD_OP_ABS, x), axes, keep);
  if (!ad_onnx_is_real(x.type))
    return whole(b, root(b, ad_onnx_reduce(b, AD_OP_SUM, powers(b, x, p, 0), axes, keep), p));
  for (int i = 0; i < x.shape.rank && !b->status; i++)
    if (keep || !(axes >> i & 1)) left.dim[left.rank++] = axes >> i & 1 ? 1 : x.shape.dim[i];
  ad_onnx_value scale = power_for(b, x, axes), y = squares(b, ad_onnx_binary(b, AD_OP_MUL, x, scale), axes);
  const ad_onnx_value zero = is_zero(b, y), one = number(b, x, 1);
  y = ad_onnx_binary(b, AD_OP_DIV, root(b, ad_onnx_where(b, zero, one, y), 2), scale);
  if (p > 2) { /* that is a good scale for other powers */
    const ad_onnx_value sum = powers(b, ad_onnx_binary(b, AD_OP_DIV, x, y), p, axes);
    y = ad_onnx_binary(b, AD_OP_MUL, y, root(b, ad_onnx_where(b, zero, one, sum), p));
  }
  return ad_onnx_reshape(b, ad_onnx_where(b, zero, number(b, x, 0), y), &left);
}

ad_onnx_value ad_onnx_normalised(ad_onnx_build *b, ad_onnx_value x, int64_t p, unsigned axes) {
  x = ad_onnx_binary(b, AD_OP_MUL, x, power_for(b, x, axes));
  const ad_onnx_value sum = powers(b, x, p, axes), zero = is_zero(b, sum);
  const ad_onnx_value norm = root(b, ad_onnx_where(b, zero, number(b, x, 1), sum), p);
  return ad_onnx_where(b, zero, number(b, x, 0), ad_onnx_binary(b, AD_OP_DIV, x, norm));
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
