#include "onnx/emit.h"

#include <math.h>
#include <string.h>

#include "error.h"

static const ad_onnx_value none;

/* ---- Shapes */

ad_shape ad_onnx_shape(int rank, const int64_t *dim) {
  ad_shape s = {.rank = rank};
  for (int i = 0; i < rank && i < AD_MAX_RANK; i++) s.dim[i] = dim[i];
  return s;
}

ad_shape ad_onnx_shape_insert(const ad_shape *s, int axis, int64_t size) {
  ad_shape r = {.rank = s->rank + 1};
  for (int i = 0; i < r.rank && i < AD_MAX_RANK; i++)
    r.dim[i] = i < axis ? s->dim[i] : i == axis ? size : s->dim[i - 1];
  return r;
}

ad_shape ad_onnx_shape_remove(const ad_shape *s, int axis) {
  ad_shape r = {.rank = s->rank - 1};
  for (int i = 0; i < r.rank; i++) r.dim[i] = s->dim[i < axis ? i : i + 1];
  return r;
}

void ad_onnx_strides(const ad_shape *s, int64_t *stride) {
  int64_t n = 1;
  for (int i = s->rank; i-- > 0; n *= s->dim[i]) stride[i] = n;
}

void ad_onnx_unravel(const ad_shape *s, int64_t at, int64_t *index) {
  for (int i = s->rank; i-- > 0; at /= s->dim[i]) index[i] = at % s->dim[i];
}

/* ---- Nodes */

static ad_onnx_value apply(ad_onnx_build *b, ad_op op, int type, size_t count, const ad_onnx_value *args, size_t attrs,
                           const ad_attr *attr) {
  enum { FEW = 8 };
  ad_node few[FEW], out = AD_NO_NODE;
  if (b->status) return none;
  ad_node *node = count > FEW ? ad_onnx_room(b, count, sizeof *node) : few;
  for (size_t i = 0; node && i < count; i++) {
    if (!args[i].type) ad_onnx_fail(b, "an operand is missing");
    node[i] = ad_onnx_node(b, &args[i]);
  }
  if (b->status) return none;
  ad_onnx_check(b, ad_graph_apply(b->g, &out, op, count, node, attrs, attr, b->e));
  if (b->status || !ad_onnx_shape_fits(b, ad_graph_node_shape(b->g, out))) return none;
  return ad_onnx_node_value(type, ad_graph_node_shape(b->g, out), out);
}

/* ---- Elementwise */

static bool is_comparison(ad_op op) {
  return op >= AD_OP_LESS && op <= AD_OP_NOT_EQUAL;
}

ad_onnx_value ad_onnx_elementwise(ad_onnx_build *b, ad_op op, size_t count, const ad_onnx_value *args) {
  ad_onnx_value r;
  bool known = true;
  if (b->status) return none;
  for (size_t i = 0; i < count; i++) known = known && args[i].data;
  if (known && ad_onnx_fold(b, &r, op, count, args)) return b->status ? none : r;
  const int type = is_comparison(op) ? AD_ONNX_BOOL : args[op == AD_OP_WHERE].type;
  r = apply(b, op, type, count, args, 0, NULL);
  return op == AD_OP_DIV && ad_onnx_is_integer(type) ? apply(b, AD_OP_TRUNC, type, 1, &r, 0, NULL) : r;
}

ad_onnx_value ad_onnx_unary(ad_onnx_build *b, ad_op op, ad_onnx_value x) {
  return ad_onnx_elementwise(b, op, 1, &x);
}

ad_onnx_value ad_onnx_binary(ad_onnx_build *b, ad_op op, ad_onnx_value x, ad_onnx_value y) {
  return ad_onnx_elementwise(b, op, 2, (ad_onnx_value[]){x, y});
}

ad_onnx_value ad_onnx_where(ad_onnx_build *b, ad_onnx_value c, ad_onnx_value x, ad_onnx_value y) {
  return ad_onnx_elementwise(b, AD_OP_WHERE, 3, (ad_onnx_value[]){c, x, y});
}

ad_onnx_value ad_onnx_with(ad_onnx_build *b, ad_op op, ad_onnx_value x, double exact) {
  return ad_onnx_binary(b, op, x, ad_onnx_number(b, x.type, exact));
}

ad_onnx_value ad_onnx_with_float(ad_onnx_build *b, ad_op op, ad_onnx_value x, double from_file) {
  return ad_onnx_binary(b, op, x, ad_onnx_float_number(b, x.type, from_file));
}

/* Of an integer, as one from lo to hi. */
static int64_t lowest_bits(int64_t v, int64_t lo, int64_t hi) {
  if (hi == INT64_MAX || (v >= lo && v <= hi)) return v;
  const int64_t n = hi - lo + 1, r = (v % n - lo) % n;
  return r + (r < 0 ? n : 0) + lo;
}

/* A known value of another type. */
static ad_onnx_value convert(ad_onnx_build *b, const ad_onnx_value *x, int type) {
  ad_onnx_value r = ad_onnx_known(b, type, &x->shape);
  int64_t lo, hi;
  if (!r.data) return none;
  ad_onnx_type_range(type, &lo, &hi);
  for (int64_t i = 0, n = ad_shape_size(&x->shape); i < n; i++) {
    const double v = ad_onnx_element_double(x, i);
    ad_onnx_element *to = &r.data->v[i];
    if (ad_onnx_is_real(type))
      to->r = type == AD_ONNX_DOUBLE ? v : (double)(float)v;
    else if (type == AD_ONNX_BOOL)
      to->i = v != 0;
    else if (!ad_onnx_is_real(x->type))
      to->i = lowest_bits(x->data->v[i].i, lo, hi);
    else if (v > -0x1p63 && v < 0x1p63)
      to->i = (int64_t)v;
    else
      ad_onnx_fail(b, "%g is no integer that %s can hold", v, ad_onnx_type_name(type));
    if (ad_onnx_is_integer(type) && (to->i < lo || to->i > hi))
      ad_onnx_fail(b, "%lld is no integer that %s can hold", (long long)to->i, ad_onnx_type_name(type));
  }
  return b->status ? none : r;
}

/* Integers keep their lowest bits: x - n floor((x - lo) / n) for a type of n integers from lo on.  The half keeps
 * whole numbers off the steps. */
static ad_onnx_value narrowed(ad_onnx_build *b, ad_onnx_value x, int type) {
  int64_t lo, hi, from, to;
  ad_onnx_type_range(type, &lo, &hi);
  ad_onnx_type_range(x.type, &from, &to);
  if ((lo <= from && to <= hi) || hi == INT64_MAX) return x; /* 64 bits hold what a double does */
  const double n = (double)hi - (double)lo + 1;
  x.type = AD_ONNX_DOUBLE;
  ad_onnx_value turns = ad_onnx_with(b, AD_OP_SUB, x, (double)lo - 0.5);
  turns = ad_onnx_unary(b, AD_OP_FLOOR, ad_onnx_with(b, AD_OP_DIV, turns, n));
  return ad_onnx_binary(b, AD_OP_SUB, x, ad_onnx_with(b, AD_OP_MUL, turns, n));
}

ad_onnx_value ad_onnx_cast(ad_onnx_build *b, ad_onnx_value x, int type) {
  if (b->status || x.type == type) return x;
  if (x.data) return convert(b, &x, type);
  if (ad_onnx_is_real(type)) { /* rounding is no operation of a graph */
    x.type = type;
    x.tensor = NULL;
    return x;
  }
  if (type == AD_ONNX_BOOL) return ad_onnx_with(b, AD_OP_NOT_EQUAL, x, 0);
  if (!ad_onnx_is_integer(type)) {
    ad_onnx_refuse(b, "a conversion from %s to %s of what is computed from inputs", ad_onnx_type_name(x.type),
                   ad_onnx_type_name(type));
    return none;
  }
  ad_onnx_value r = ad_onnx_is_real(x.type)      ? ad_onnx_unary(b, AD_OP_TRUNC, x)
                    : ad_onnx_is_integer(x.type) ? narrowed(b, x, type)
                                                 : x;
  r.type = type;
  return r;
}

/* ---- Moves */

/* Element o of the result is that of x at offset + sum index * stride. */
static ad_onnx_value strided(ad_onnx_build *b, const ad_onnx_value *x, const ad_shape *shape, int64_t offset,
                             const int64_t *stride) {
  ad_onnx_value r = ad_onnx_known(b, x->type, shape);
  int64_t index[AD_MAX_RANK] = {0};
  if (!r.data) return none;
  r.data->dtype = x->data->dtype;
  for (int64_t o = 0, n = ad_shape_size(shape); o < n; o++) {
    r.data->v[o] = x->data->v[offset];
    for (int i = shape->rank; i-- > 0;) {
      offset += stride[i];
      if (++index[i] < shape->dim[i]) break;
      offset -= stride[i] * shape->dim[i];
      index[i] = 0;
    }
  }
  return r;
}

static ad_attr list_attr(const char *name, int64_t count, const int64_t *v) {
  return (ad_attr){name, {1, {count}}, v};
}

ad_onnx_value ad_onnx_reshape(ad_onnx_build *b, ad_onnx_value x, const ad_shape *shape) {
  if (b->status || ad_shape_equal(&x.shape, shape)) return x;
  if (shape->rank > AD_MAX_RANK) {
    ad_onnx_refuse(b, "a tensor of rank %d; the limit is %d", shape->rank, AD_MAX_RANK);
    return none;
  }
  if (ad_shape_size(shape) != ad_shape_size(&x.shape)) {
    char from[AD_SHAPE_TEXT], to[AD_SHAPE_TEXT];
    ad_shape_text(from, &x.shape);
    ad_shape_text(to, shape);
    ad_onnx_fail(b, "a tensor of shape %s can't become %s", from, to);
    return none;
  }
  if (x.data) {
    int64_t stride[AD_MAX_RANK];
    ad_onnx_strides(shape, stride);
    return strided(b, &x, shape, 0, stride);
  }
  const ad_attr attr = list_attr("shape", shape->rank, shape->dim);
  return apply(b, AD_OP_RESHAPE, x.type, 1, &x, 1, &attr);
}

ad_onnx_value ad_onnx_transpose(ad_onnx_build *b, ad_onnx_value x, const int64_t *perm) {
  bool same = true;
  for (int i = 0; i < x.shape.rank; i++) same = same && perm[i] == i;
  if (b->status || same) return x;
  if (x.data) {
    int64_t stride[AD_MAX_RANK], to[AD_MAX_RANK];
    ad_shape shape = {.rank = x.shape.rank};
    ad_onnx_strides(&x.shape, stride);
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = x.shape.dim[perm[i]], to[i] = stride[perm[i]];
    return strided(b, &x, &shape, 0, to);
  }
  const ad_attr attr = list_attr("perm", x.shape.rank, perm);
  return apply(b, AD_OP_TRANSPOSE, x.type, 1, &x, 1, &attr);
}

ad_onnx_value ad_onnx_slice(ad_onnx_build *b, ad_onnx_value x, const int64_t *start, const int64_t *count,
                            const int64_t *step) {
  int64_t stride[AD_MAX_RANK], stop[AD_MAX_RANK], offset = 0;
  const ad_shape shape = ad_onnx_shape(x.shape.rank, count);
  bool all = true;
  if (b->status) return none;
  for (int i = 0; i < shape.rank; i++) all = all && count[i] == x.shape.dim[i] && start[i] == 0 && step[i] == 1;
  if (all) return x;
  if (x.data) {
    ad_onnx_strides(&x.shape, stride);
    for (int i = 0; i < shape.rank; i++) offset += start[i] * stride[i], stride[i] *= step[i];
    return strided(b, &x, &shape, offset, stride);
  }
  for (int i = 0; i < shape.rank; i++) {
    const int64_t last = start[i] + (count[i] - 1) * step[i];
    stop[i] = !count[i] ? start[i] : step[i] > 0 ? last + 1 : last ? last - 1 : -1 - x.shape.dim[i];
  }
  const ad_attr attrs[] = {list_attr("start", shape.rank, start), list_attr("stop", shape.rank, stop),
                           list_attr("step", shape.rank, step)};
  return apply(b, AD_OP_SLICE, x.type, 1, &x, 3, attrs);
}

ad_onnx_value ad_onnx_part(ad_onnx_build *b, ad_onnx_value x, int axis, int64_t start, int64_t count) {
  int64_t from[AD_MAX_RANK] = {0}, size[AD_MAX_RANK], step[AD_MAX_RANK];
  if (b->status) return none;
  for (int i = 0; i < x.shape.rank; i++) size[i] = x.shape.dim[i], step[i] = 1;
  from[axis] = start;
  size[axis] = count;
  return ad_onnx_slice(b, x, from, size, step);
}

/* Outer blocks of all parts, one behind the other. */
static ad_onnx_value join(ad_onnx_build *b, size_t count, const ad_onnx_value *args, int axis) {
  ad_shape shape = args[0].shape;
  int64_t outer = 1, inner = 1, at = 0;
  for (int i = 0; i < shape.rank; i++) *(i < axis ? &outer : &inner) *= i == axis ? 1 : shape.dim[i];
  for (size_t k = 1; k < count; k++)
    if (__builtin_add_overflow(shape.dim[axis], args[k].shape.dim[axis], &shape.dim[axis])) shape.dim[axis] = -1;
  ad_onnx_value r = ad_onnx_known(b, args[0].type, &shape);
  if (!r.data) return none;
  for (int64_t o = 0; o < outer; o++)
    for (size_t k = 0; k < count; k++) {
      const int64_t n = args[k].shape.dim[axis] * inner;
      if (n) memcpy(r.data->v + at, args[k].data->v + o * n, (size_t)n * sizeof r.data->v[0]);
      at += n;
    }
  return r;
}

ad_onnx_value ad_onnx_concat(ad_onnx_build *b, size_t count, const ad_onnx_value *args, int axis) {
  bool known = true;
  if (b->status || count == 1) return b->status ? none : args[0];
  for (size_t i = 0; i < count; i++) {
    ad_shape like = args[i].shape;
    if (like.rank == args[0].shape.rank && axis < like.rank) like.dim[axis] = args[0].shape.dim[axis];
    if (axis >= like.rank || !ad_shape_equal(&like, &args[0].shape)) {
      char first[AD_SHAPE_TEXT], other[AD_SHAPE_TEXT];
      ad_shape_text(first, &args[0].shape);
      ad_shape_text(other, &args[i].shape);
      ad_onnx_fail(b, "tensors of shapes %s and %s can't be joined along axis %d", first, other, axis);
      return none;
    }
    known = known && args[i].data;
  }
  if (known) return join(b, count, args, axis);
  const int64_t v = axis;
  return apply(b, AD_OP_CONCAT, args[0].type, count, args, 1, &(ad_attr){"axis", {0}, &v});
}

ad_onnx_value ad_onnx_broadcast(ad_onnx_build *b, ad_onnx_value x, const ad_shape *shape) {
  if (b->status || ad_shape_equal(&x.shape, shape)) return x;
  if (x.data && shape->rank >= x.shape.rank && shape->rank <= AD_MAX_RANK) {
    int64_t own[AD_MAX_RANK], stride[AD_MAX_RANK] = {0};
    const int more = shape->rank - x.shape.rank;
    bool fits = true;
    ad_onnx_strides(&x.shape, own);
    for (int i = more; i < shape->rank; i++) {
      const int64_t n = x.shape.dim[i - more];
      fits = fits && (n == 1 || n == shape->dim[i]);
      stride[i] = n == 1 ? 0 : own[i - more];
    }
    if (fits) return strided(b, &x, shape, 0, stride);
  }
  const ad_attr attr = list_attr("shape", shape->rank, shape->dim);
  return apply(b, AD_OP_BROADCAST_TO, x.type, 1, &x, 1, &attr);
}

ad_onnx_value ad_onnx_gather(ad_onnx_build *b, ad_onnx_value x, int axis, const ad_shape *table, const int64_t *index) {
  if (b->status) return none;
  if (axis >= x.shape.rank || x.shape.rank - 1 + table->rank > AD_MAX_RANK) {
    ad_onnx_refuse(b, "a tensor of rank %d; the limit is %d", x.shape.rank - 1 + table->rank, AD_MAX_RANK);
    return none;
  }
  const int64_t v = axis, size = x.shape.dim[axis], count = ad_shape_size(table);
  const ad_attr attrs[] = {{"indices", *table, index}, {"axis", {0}, &v}};
  if (!x.data) return apply(b, AD_OP_GATHER, x.type, 1, &x, 2, attrs);
  ad_shape shape = {0};
  int64_t outer = 1, inner = 1, at = 0;
  for (int i = 0; i < axis; i++) shape.dim[shape.rank++] = x.shape.dim[i], outer *= x.shape.dim[i];
  for (int i = 0; i < table->rank; i++) shape.dim[shape.rank++] = table->dim[i];
  for (int i = axis + 1; i < x.shape.rank; i++) shape.dim[shape.rank++] = x.shape.dim[i], inner *= x.shape.dim[i];
  ad_onnx_value r = ad_onnx_known(b, x.type, &shape);
  if (!r.data) return none;
  for (int64_t i = 0; i < count; i++)
    if (index[i] < 0 || index[i] >= size) {
      ad_onnx_fail(b, "the index %lld is out of range for an axis of size %lld", (long long)index[i], (long long)size);
      return none;
    }
  r.data->dtype = x.data->dtype;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < count; i++, at += inner)
      memcpy(r.data->v + at, x.data->v + (o * size + index[i]) * inner, (size_t)inner * sizeof r.data->v[0]);
  return r;
}

ad_onnx_value ad_onnx_pick(ad_onnx_build *b, ad_onnx_value x, const ad_shape *shape, int64_t *from,
                           ad_onnx_value fill) {
  const int64_t size = ad_shape_size(&x.shape), count = ad_shape_size(shape);
  bool filled = false;
  if (b->status) return none;
  ad_onnx_value flat = ad_onnx_reshape(b, x, &(ad_shape){1, {size}});
  for (int64_t i = 0; i < count; i++)
    if (from[i] < 0) from[i] = size, filled = true;
  if (filled) {
    const ad_onnx_value parts[] = {flat, ad_onnx_reshape(b, fill, &(ad_shape){1, {1}})};
    flat = ad_onnx_concat(b, 2, parts, 0);
  }
  return ad_onnx_gather(b, flat, 0, shape, from);
}

ad_onnx_value ad_onnx_scatter_add(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value updates, int axis,
                                  const ad_shape *table, const int64_t *index) {
  const int64_t v = axis;
  const ad_attr attrs[] = {{"indices", *table, index}, {"axis", {0}, &v}};
  return apply(b, AD_OP_SCATTER_ADD, x.type, 2, (ad_onnx_value[]){x, updates}, 2, attrs);
}

/* ---- Reductions and products */

/* Integers at once: products and sums of sizes. */
static bool reduce_integers(ad_onnx_build *b, ad_onnx_value *out, ad_op op, const ad_onnx_value *x,
                            const ad_shape *kept, unsigned axes) {
  int64_t index[AD_MAX_RANK], stride[AD_MAX_RANK], lo, hi;
  if (!x->data || ad_onnx_is_real(x->type) || op == AD_OP_MEAN || op == AD_OP_LOGSUMEXP) return false;
  ad_onnx_value r = ad_onnx_known(b, x->type, kept);
  bool bad = false;
  ad_onnx_charge(b, (uint64_t)ad_shape_size(&x->shape));
  if (b->status) return true;
  ad_onnx_type_range(x->type, &lo, &hi);
  ad_onnx_strides(kept, stride);
  for (int64_t i = 0, n = ad_shape_size(kept); i < n; i++)
    r.data->v[i].i = op == AD_OP_PROD ? 1 : op == AD_OP_REDUCE_MAX ? lo : op == AD_OP_REDUCE_MIN ? hi : 0;
  for (int64_t i = 0, n = ad_shape_size(&x->shape); i < n; i++) {
    int64_t at = 0;
    ad_onnx_unravel(&x->shape, i, index);
    for (int k = 0; k < x->shape.rank; k++) at += axes >> k & 1 ? 0 : index[k] * stride[k];
    int64_t *to = &r.data->v[at].i;
    const int64_t v = x->data->v[i].i;
    if (op == AD_OP_REDUCE_MAX || op == AD_OP_REDUCE_MIN)
      *to = (op == AD_OP_REDUCE_MAX) == (v > *to) ? v : *to;
    else
      bad |= op == AD_OP_PROD ? __builtin_mul_overflow(*to, v, to) : __builtin_add_overflow(*to, v, to);
  }
  if (bad) ad_onnx_fail(b, "a sum or product of integers overflows");
  *out = r;
  return true;
}

/* Of no elements at all. */
static ad_onnx_value reduce_nothing(ad_onnx_build *b, ad_op op, int type, const ad_shape *shape) {
  if (op == AD_OP_MEAN) ad_onnx_refuse(b, "the mean of no elements");
  return ad_onnx_full(b, type, shape,
                      op == AD_OP_SUM          ? 0
                      : op == AD_OP_PROD       ? 1
                      : op == AD_OP_REDUCE_MIN ? (double)INFINITY
                                               : -(double)INFINITY);
}

ad_onnx_value ad_onnx_reduce(ad_onnx_build *b, ad_op op, ad_onnx_value x, unsigned axes, bool keep) {
  int64_t axis[AD_MAX_RANK], count = 0;
  const int64_t keepdims = keep;
  ad_shape kept = x.shape, left = {0};
  ad_onnx_value r;
  if (b->status) return none;
  for (int i = 0; i < x.shape.rank; i++) {
    if (axes >> i & 1) axis[count++] = i, kept.dim[i] = 1;
    if (keep || !(axes >> i & 1)) left.dim[left.rank++] = kept.dim[i];
  }
  if (!count) return x;
  if (reduce_integers(b, &r, op, &x, &kept, axes)) return ad_onnx_reshape(b, r, &left);
  for (int i = 0; i < x.shape.rank; i++)
    if (axes >> i & 1 && !x.shape.dim[i] && ad_onnx_is_real(x.type)) return reduce_nothing(b, op, x.type, &left);
  const ad_attr attrs[] = {list_attr("axis", count, axis), {"keepdims", {0}, &keepdims}};
  return apply(b, op, x.type, 1, &x, 2, attrs);
}

ad_onnx_value ad_onnx_along(ad_onnx_build *b, ad_op op, ad_onnx_value x, int axis) {
  const int64_t v = axis;
  return apply(b, op, x.type, 1, &x, 1, &(ad_attr){"axis", {0}, &v});
}

ad_onnx_value ad_onnx_weigh(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value y, int weights) {
  const int64_t zeros = weights;
  const ad_attr attr = list_attr("zeros", 1, &zeros);
  return apply(b, AD_OP_MATMUL_NO_NAN, x.type, 2, (ad_onnx_value[]){x, y}, 1, &attr);
}

ad_onnx_value ad_onnx_matmul(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value y) {
  return apply(b, AD_OP_MATMUL, x.type, 2, (ad_onnx_value[]){x, y}, 0, NULL);
}
