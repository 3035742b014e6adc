#include "onnx/selection.h"

#include <math.h>
#include <string.h>

#include "onnx/operators.h"

ad_onnx_value ad_onnx_iota(ad_onnx_build *b, int type, int64_t n) {
  ad_onnx_value r = ad_onnx_known(b, type, &(ad_shape){1, {n}});
  for (int64_t i = 0; r.data && i < n; i++) ad_onnx_set(&r, i, (double)i);
  if (r.data) r.data->dtype = AD_EXACT;
  return r;
}

ad_onnx_value ad_onnx_offsets(ad_onnx_build *b, ad_onnx_value x, int64_t n) {
  const ad_shape column = ad_onnx_shape_insert(&x.shape, x.shape.rank, 1);
  return ad_onnx_binary(b, AD_OP_SUB, ad_onnx_reshape(b, x, &column), ad_onnx_iota(b, x.type, n));
}

/* `zero` where d is 0, else `other`: without the kink that a comparison has. */
static ad_onnx_value where_zero(ad_onnx_build *b, ad_onnx_value d, ad_onnx_value zero, ad_onnx_value other) {
  return ad_onnx_elementwise(b, AD_OP_WHERE, 3, (ad_onnx_value[]){d, other, zero});
}

static ad_onnx_value real(ad_onnx_build *b, double v) {
  return ad_onnx_number(b, AD_ONNX_DOUBLE, v);
}

ad_onnx_value ad_onnx_first(ad_onnx_build *b, ad_onnx_value condition, int axis, bool last) {
  const ad_onnx_value one = ad_onnx_cast(b, condition, AD_ONNX_DOUBLE);
  ad_onnx_value count = ad_onnx_along(b, AD_OP_CUMSUM, one, axis), which = real(b, 1);
  if (last) which = ad_onnx_reduce(b, AD_OP_SUM, one, 1u << axis, true);
  const ad_onnx_value there = ad_onnx_binary(b, AD_OP_SUB, count, which);
  return ad_onnx_binary(b, AD_OP_MUL, one, where_zero(b, there, real(b, 1), real(b, 0)));
}

/* Indices as reals, counted from 0. */
static ad_onnx_value from_zero(ad_onnx_build *b, ad_onnx_value index, int64_t n) {
  index = ad_onnx_cast(b, index, AD_ONNX_DOUBLE);
  const ad_onnx_value negative = ad_onnx_with(b, AD_OP_LESS, index, -0.5);
  return ad_onnx_where(b, negative, ad_onnx_with(b, AD_OP_ADD, index, (double)n), index);
}

/* [..., n] of indices [...]: 1 where the last axis is the index. */
static ad_onnx_value one_hot(ad_onnx_build *b, ad_onnx_value index, int64_t n) {
  return where_zero(b, ad_onnx_offsets(b, from_zero(b, index, n), n), real(b, 1), real(b, 0));
}

/* Sums of chosen elements, divided by 1, or by 0 where nothing was chosen. */
static ad_onnx_value checked(ad_onnx_build *b, ad_onnx_value sum, ad_onnx_value weights) {
  const unsigned last = 1u << (weights.shape.rank - 1);
  return ad_onnx_binary(b, AD_OP_DIV, sum, ad_onnx_reduce(b, AD_OP_SUM, weights, last, true));
}

ad_onnx_value ad_onnx_take(ad_onnx_build *b, ad_onnx_value x, int axis, ad_onnx_value index) {
  ad_shape shape = {0};
  int64_t outer = 1, inner = 1;
  if (b->status) return x;
  if (x.shape.rank - 1 + index.shape.rank > AD_MAX_RANK) {
    ad_onnx_refuse(b, "a tensor of rank %d; the limit is %d", x.shape.rank - 1 + index.shape.rank, AD_MAX_RANK);
    return x;
  }
  const int64_t n = x.shape.dim[axis], count = ad_shape_size(&index.shape);
  for (int i = 0; i < axis; i++) shape.dim[shape.rank++] = x.shape.dim[i], outer *= x.shape.dim[i];
  for (int i = 0; i < index.shape.rank; i++) shape.dim[shape.rank++] = index.shape.dim[i];
  for (int i = axis + 1; i < x.shape.rank; i++) shape.dim[shape.rank++] = x.shape.dim[i], inner *= x.shape.dim[i];
  const ad_onnx_value w = one_hot(b, ad_onnx_reshape(b, index, &(ad_shape){1, {count}}), n);
  ad_onnx_value r = ad_onnx_reshape(b, x, &(ad_shape){3, {outer, n, inner}});
  r = checked(b, ad_onnx_weigh(b, w, r, 0), w);
  r.type = x.type;
  return ad_onnx_reshape(b, r, &shape);
}

/* x and indices with the axis last, flattened before it; `shape` becomes that of the indices with the axis last. */
static void axis_last(ad_onnx_build *b, ad_onnx_value *x, int axis, ad_shape *shape, int64_t *back) {
  int64_t perm[AD_MAX_RANK], k = 0;
  const int rank = x->shape.rank;
  for (int i = 0; i < rank; i++)
    if (i != axis) perm[k++] = i;
  perm[rank - 1] = axis;
  for (int i = 0; i < rank; i++) back[perm[i]] = i;
  *x = ad_onnx_transpose(b, *x, perm);
  *shape = x->shape;
  const int64_t n = b->status ? 1 : shape->dim[rank - 1], size = ad_shape_size(shape);
  *x = ad_onnx_reshape(b, *x, &(ad_shape){2, {n ? size / n : 0, n}});
}

void ad_onnx_lower_gather_elements_computed(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value x = c->in[0], index = c->in[1];
  int64_t back[AD_MAX_RANK], start[AD_MAX_RANK] = {0}, step[AD_MAX_RANK], size[AD_MAX_RANK];
  ad_shape shape;
  const int rank = x.shape.rank, axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 0), rank);
  if (!b->status && index.shape.rank != rank) ad_onnx_fail(b, "the indices have another rank than the operand");
  for (int i = 0; i < rank && !b->status; i++) {
    step[i] = 1;
    size[i] = i == axis ? x.shape.dim[i] : index.shape.dim[i];
    if (size[i] > x.shape.dim[i]) ad_onnx_fail(b, "the indices reach beyond axis %d", i);
  }
  if (b->status) return;
  const int type = x.type;
  x = ad_onnx_slice(b, x, start, size, step);
  axis_last(b, &x, axis, &shape, back);
  axis_last(b, &index, axis, &shape, back);
  if (b->status) return;
  const ad_onnx_value w = one_hot(b, index, x.shape.dim[1]);
  const ad_shape column = ad_onnx_shape_insert(&x.shape, 2, 1);
  x = checked(b, ad_onnx_weigh(b, w, ad_onnx_reshape(b, x, &column), 0), w);
  x = ad_onnx_transpose(b, ad_onnx_reshape(b, x, &shape), back);
  x.type = type;
  c->out[0] = x;
}

void ad_onnx_lower_one_hot_computed(ad_onnx_build *b, ad_onnx_call *c, int axis, int64_t depth) {
  int64_t perm[AD_MAX_RANK];
  const ad_onnx_value both = ad_onnx_reshape(b, c->in[2], &(ad_shape){1, {2}});
  const ad_onnx_value off = ad_onnx_reshape(b, ad_onnx_part(b, both, 0, 0, 1), &(ad_shape){0});
  const ad_onnx_value on = ad_onnx_reshape(b, ad_onnx_part(b, both, 0, 1, 1), &(ad_shape){0});
  ad_onnx_value d = ad_onnx_offsets(b, from_zero(b, c->in[0], depth), depth);
  const int rank = d.shape.rank;
  for (int i = 0; i < rank; i++) perm[i] = i < axis ? i : i == axis ? rank - 1 : i - 1;
  c->out[0] = where_zero(b, ad_onnx_transpose(b, d, perm), on, off);
}

/* Positions of ones along an axis, of which there is one in each line. */
static ad_onnx_value positions(ad_onnx_build *b, ad_onnx_value ones, int axis, bool keep) {
  ad_shape line = {.rank = ones.shape.rank - axis};
  if (b->status) return ones;
  for (int i = 0; i < line.rank; i++) line.dim[i] = i ? 1 : ones.shape.dim[axis];
  ad_onnx_value k = ad_onnx_reshape(b, ad_onnx_iota(b, AD_ONNX_DOUBLE, line.dim[0]), &line);
  k = ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_binary(b, AD_OP_MUL, ones, k), 1u << axis, keep);
  k.type = AD_ONNX_INT64;
  return k;
}

void ad_onnx_lower_arg_max_computed(ad_onnx_build *b, ad_onnx_call *c, int axis, bool last, bool keep) {
  const ad_onnx_value x = c->in[0], most = ad_onnx_reduce(b, c->row->op, x, 1u << axis, true);
  const ad_onnx_value ones = ad_onnx_first(b, ad_onnx_binary(b, AD_OP_EQUAL, x, most), axis, last);
  c->out[0] = positions(b, ones, axis, keep);
}

/* The largest of those that are left, one after the other. */
void ad_onnx_lower_top_k(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_onnx_value x = c->in[0];
  const int axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", -1), x.shape.rank);
  const bool largest = ad_onnx_int(b, c, "largest", 1) != 0;
  const int64_t k = ad_onnx_given(c, 1) ? ad_onnx_operand_int(b, c, 1, "k") : ad_onnx_int(b, c, "k", 0);
  if (!ad_onnx_is_real(x.type)) ad_onnx_refuse(b, "an order of integers");
  if (!b->status && (k < 1 || k > x.shape.dim[axis])) ad_onnx_fail(b, "k = %lld is out of range", (long long)k);
  const double least = largest ? -(double)INFINITY : (double)INFINITY;
  ad_onnx_value *v = b->status ? NULL : ad_onnx_room(b, (uint64_t)k, sizeof *v);
  ad_onnx_value *at = b->status ? NULL : ad_onnx_room(b, (uint64_t)k, sizeof *at), taken = real(b, 0);
  for (int64_t i = 0; i < k && !b->status; i++) {
    ad_onnx_value left = where_zero(b, taken, x, ad_onnx_number(b, x.type, least));
    if (!i) left = x;
    const ad_onnx_value most = ad_onnx_reduce(b, largest ? AD_OP_REDUCE_MAX : AD_OP_REDUCE_MIN, left, 1u << axis, true);
    ad_onnx_value equal = ad_onnx_cast(b, ad_onnx_binary(b, AD_OP_EQUAL, left, most), AD_ONNX_DOUBLE);
    if (i) equal = where_zero(b, taken, equal, real(b, 0));
    const ad_onnx_value ones = ad_onnx_first(b, equal, axis, false);
    v[i] = ad_onnx_where(b, ones, x, ad_onnx_number(b, x.type, 0));
    v[i] = ad_onnx_reduce(b, AD_OP_SUM, v[i], 1u << axis, true);
    at[i] = positions(b, ones, axis, true);
    taken = i ? ad_onnx_binary(b, AD_OP_ADD, taken, ones) : ones;
  }
  if (b->status) return;
  c->out[0] = ad_onnx_concat(b, (size_t)k, v, axis);
  if (ad_onnx_wanted(c, 1)) c->out[1] = ad_onnx_concat(b, (size_t)k, at, axis);
}
