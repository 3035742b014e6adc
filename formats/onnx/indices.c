/* Operators that pick and put elements by indices that are known; where others are possible, see selection.c. */
#include <math.h>
#include <string.h>

#include "onnx/operators.h"
#include "onnx/selection.h"

/* The indices of an operand counted from 0, for an axis of this size. */
static int64_t *places(ad_onnx_build *b, ad_onnx_call *c, size_t operand, int64_t size, int64_t *count) {
  const int64_t *v = ad_onnx_operand_ints(b, c, operand, "the indices", count);
  int64_t *r = v ? ad_onnx_room(b, (uint64_t)*count + 1, sizeof *r) : NULL;
  for (int64_t i = 0; r && i < *count; i++) {
    r[i] = v[i] < 0 ? v[i] + size : v[i];
    if (v[i] < -size || v[i] >= size) {
      ad_onnx_fail(b, "the index %lld is out of range for an axis of size %lld", (long long)v[i], (long long)size);
      return NULL;
    }
  }
  return r;
}

void ad_onnx_lower_gather(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  const int axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 0), c->in[0].shape.rank);
  if (ad_onnx_is_computed(&c->in[1])) {
    c->out[0] = ad_onnx_take(b, c->in[0], axis, c->in[1]);
    return;
  }
  const int64_t *index = b->status ? NULL : places(b, c, 1, c->in[0].shape.dim[axis], &count);
  if (index) c->out[0] = ad_onnx_gather(b, c->in[0], axis, &c->in[1].shape, index);
}

/* For each element of a table of indices along an axis: its row-major place in x. */
static int64_t *element_places(ad_onnx_build *b, ad_onnx_call *c, int64_t *count) {
  const ad_shape *x = &c->in[0].shape, *table = &c->in[1].shape;
  const int axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 0), x->rank);
  int64_t stride[AD_MAX_RANK], index[AD_MAX_RANK];
  if (!b->status && table->rank != x->rank) ad_onnx_fail(b, "the indices have another rank than the operand");
  for (int i = 0; i < x->rank && !b->status; i++)
    if (i != axis && table->dim[i] > x->dim[i]) ad_onnx_fail(b, "the indices reach beyond axis %d", i);
  int64_t *r = b->status ? NULL : places(b, c, 1, x->dim[axis], count);
  if (!r) return NULL;
  ad_onnx_strides(x, stride);
  for (int64_t o = 0; o < *count; o++) {
    int64_t at = r[o] * stride[axis];
    ad_onnx_unravel(table, o, index);
    for (int i = 0; i < x->rank; i++) at += i == axis ? 0 : index[i] * stride[i];
    r[o] = at;
  }
  return r;
}

void ad_onnx_lower_gather_elements(ad_onnx_build *b, ad_onnx_call *c) {
  if (ad_onnx_is_computed(&c->in[1])) {
    ad_onnx_lower_gather_elements_computed(b, c);
    return;
  }
  int64_t count, *from = element_places(b, c, &count);
  if (from) c->out[0] = ad_onnx_pick(b, c->in[0], &c->in[1].shape, from, c->in[0]);
}

/* Tuples of indices, the last axis of operand 1: the row-major places of what they name, blocks of *inner elements,
 * counted in blocks.  The first `batch` axes are the same in both. */
static int64_t *tuple_places(ad_onnx_build *b, ad_onnx_call *c, int batch, int64_t *count, int64_t *inner, int *depth) {
  const ad_shape *x = &c->in[0].shape, *table = &c->in[1].shape;
  int64_t all;
  ad_onnx_need_rank(b, c, 1, 1);
  const int64_t *v = ad_onnx_operand_ints(b, c, 1, "the indices", &all);
  if (!v) return NULL;
  const int64_t n = table->dim[table->rank - 1];
  bool fits = batch >= 0 && batch < table->rank && n >= 1 && n <= x->rank - batch;
  for (int i = 0; fits && i < batch; i++) fits = x->dim[i] == table->dim[i];
  if (!fits) {
    ad_onnx_fail(b, "the indices don't fit the operand");
    return NULL;
  }
  *depth = batch + (int)n;
  *inner = 1;
  for (int i = *depth; i < x->rank; i++) *inner *= x->dim[i];
  *count = all / n;
  int64_t *r = ad_onnx_room(b, (uint64_t)*count + 1, sizeof *r), blocks = 1, batches = 1;
  for (int i = 0; i < batch; i++) batches *= x->dim[i];
  for (int i = batch; i < *depth; i++) blocks *= x->dim[i];
  const int64_t each = batches ? *count / batches : 0;
  for (int64_t o = 0; r && o < *count; o++) {
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
      const int64_t size = x->dim[batch + i], k = v[o * n + i];
      if (k < -size || k >= size) {
        ad_onnx_fail(b, "the index %lld is out of range for an axis of size %lld", (long long)k, (long long)size);
        return NULL;
      }
      at = at * size + (k < 0 ? k + size : k);
    }
    r[o] = o / each * blocks + at;
  }
  return r;
}

void ad_onnx_lower_gather_nd(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, inner;
  int depth;
  const ad_shape *x = &c->in[0].shape, *table = &c->in[1].shape;
  const int64_t batch = ad_onnx_int(b, c, "batch_dims", 0);
  int64_t *from = tuple_places(b, c, batch < 0 || batch > AD_MAX_RANK ? -1 : (int)batch, &count, &inner, &depth);
  if (!from) return;
  ad_shape shape = ad_onnx_shape(table->rank - 1, table->dim), rows = {2, {1, inner}};
  if (shape.rank + x->rank - depth > AD_MAX_RANK) {
    ad_onnx_refuse(b, "a result of rank %d", shape.rank + x->rank - depth);
    return;
  }
  for (int i = 0; i < depth; i++) rows.dim[0] *= x->dim[i];
  for (int i = depth; i < x->rank; i++) shape.dim[shape.rank++] = x->dim[i];
  ad_onnx_value r = ad_onnx_reshape(b, c->in[0], &rows);
  c->out[0] = ad_onnx_reshape(b, ad_onnx_gather(b, r, 0, &(ad_shape){1, {count}}, from), &shape);
}

/* ---- Scatter: `to` are places in x, one for each element of the updates */

/* For each of the `count` places in x of size `size`, and with it the updates that go there, one reduced element; `to`
 * becomes the number of its place among those, *places of them. */
static ad_onnx_value combine(ad_onnx_build *b, ad_op op, ad_onnx_value x, ad_onnx_value updates, int64_t *to,
                             int64_t count, int64_t *places) {
  const int64_t size = ad_shape_size(&x.shape);
  int64_t *row = ad_onnx_room(b, (uint64_t)size + 1, sizeof *row); /* of a place, from 1 */
  int64_t *used = ad_onnx_room(b, (uint64_t)count + 1, sizeof *used);
  int64_t *own = ad_onnx_room(b, (uint64_t)count + 1, sizeof *own);
  int64_t most = 1, cells, lo, hi;
  *places = 0;
  if (b->status) return x;
  for (int64_t i = 0; i < count; i++) {
    if (!row[to[i]]) own[(*places)++] = to[i], row[to[i]] = *places;
    to[i] = row[to[i]] - 1;
    if (++used[to[i]] > most) most = used[to[i]];
  }
  if (__builtin_mul_overflow(*places, most + 1, &cells)) ad_onnx_fail(b, "the updates are too large");
  int64_t *table = b->status ? NULL : ad_onnx_room(b, (uint64_t)cells + 1, sizeof *table);
  if (!table) return x;
  for (int64_t i = 0; i < cells; i++) table[i] = i % (most + 1) ? -1 : own[i / (most + 1)];
  for (int64_t i = 0; i < count; i++) table[to[i] * (most + 1) + used[to[i]]--] = size + i;
  ad_onnx_value nothing = ad_onnx_number(b, x.type, 1);
  ad_onnx_type_range(x.type, &lo, &hi);
  if (nothing.data && op != AD_OP_PROD) {
    if (ad_onnx_is_real(x.type))
      nothing.data->v[0].r = op == AD_OP_REDUCE_MAX ? -(double)INFINITY : (double)INFINITY;
    else
      nothing.data->v[0].i = op == AD_OP_REDUCE_MAX ? lo : hi;
  }
  x = ad_onnx_concat(b, 2, (ad_onnx_value[]){x, updates}, 0);
  x = ad_onnx_pick(b, x, &(ad_shape){2, {*places, most + 1}}, table, nothing);
  return ad_onnx_reduce(b, op, x, 1u << 1, false);
}

static ad_onnx_value scatter(ad_onnx_build *b, ad_onnx_call *c, int64_t *to, int64_t count) {
  const char *how = ad_onnx_word(b, c, "reduction", "none");
  ad_onnx_value x = c->in[0], updates = c->in[2];
  const ad_shape shape = x.shape, row = {1, {count}};
  const int64_t size = ad_shape_size(&shape);
  if (b->status || !to) return (ad_onnx_value){0};
  if (ad_shape_size(&updates.shape) != count) ad_onnx_fail(b, "the updates don't fit the indices");
  x = ad_onnx_reshape(b, x, &(ad_shape){1, {size}});
  updates = ad_onnx_reshape(b, updates, &row);
  if (!strcmp(how, "add")) return ad_onnx_reshape(b, ad_onnx_scatter_add(b, x, updates, 0, &row, to), &shape);
  if (strcmp(how, "none") != 0) {
    const ad_op op = !strcmp(how, "mul") ? AD_OP_PROD : !strcmp(how, "max") ? AD_OP_REDUCE_MAX : AD_OP_REDUCE_MIN;
    int64_t *number = ad_onnx_room(b, (uint64_t)count + 1, sizeof *number), places;
    if (op == AD_OP_REDUCE_MIN && strcmp(how, "min") != 0) ad_onnx_refuse(b, "the reduction '%.40s'", how);
    if (b->status) return (ad_onnx_value){0};
    memcpy(number, to, (size_t)count * sizeof *to);
    updates = combine(b, op, x, updates, number, count, &places);
    for (int64_t i = 0; i < count && !b->status; i++) to[number[i]] = to[i]; /* number[i] <= i */
    count = places;
  }
  int64_t *from = ad_onnx_room(b, (uint64_t)size + 1, sizeof *from);
  if (!from) return (ad_onnx_value){0};
  for (int64_t i = 0; i < size; i++) from[i] = i;
  for (int64_t i = 0; i < count; i++) from[to[i]] = size + i;
  const ad_onnx_value both = ad_onnx_concat(b, 2, (ad_onnx_value[]){x, updates}, 0);
  return ad_onnx_gather(b, both, 0, &shape, from);
}

void ad_onnx_lower_scatter_elements(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, *to = element_places(b, c, &count);
  c->out[0] = scatter(b, c, to, count);
}

void ad_onnx_lower_scatter_nd(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, inner, size;
  int depth;
  const int64_t *block = tuple_places(b, c, 0, &count, &inner, &depth);
  if (!block) return;
  if (__builtin_mul_overflow(count, inner, &size)) ad_onnx_fail(b, "the updates are too large");
  int64_t *to = ad_onnx_room(b, (uint64_t)size + 1, sizeof *to);
  for (int64_t i = 0; to && i < count; i++)
    for (int64_t k = 0; k < inner; k++) to[i * inner + k] = block[i] * inner + k;
  c->out[0] = scatter(b, c, to, size);
}

/* ---- Others */

void ad_onnx_lower_compress(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, kept = 0;
  ad_onnx_value x = c->in[0];
  int axis = 0;
  if (ad_onnx_has(c, "axis"))
    axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 0), x.shape.rank);
  else
    x = ad_onnx_reshape(b, x, &(ad_shape){1, {ad_shape_size(&x.shape)}});
  const int64_t *condition = ad_onnx_operand_ints(b, c, 1, "the condition", &count);
  int64_t *index = condition ? ad_onnx_room(b, (uint64_t)count + 1, sizeof *index) : NULL;
  for (int64_t i = 0; index && i < count; i++)
    if (condition[i]) index[kept++] = i;
  if (index && kept && index[kept - 1] >= x.shape.dim[axis]) ad_onnx_fail(b, "the condition is longer than the axis");
  if (index) c->out[0] = ad_onnx_gather(b, x, axis, &(ad_shape){1, {kept}}, index);
}

void ad_onnx_lower_reverse_sequence(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *x = &c->in[0].shape;
  const int64_t batch = ad_onnx_int(b, c, "batch_axis", 1), time = ad_onnx_int(b, c, "time_axis", 0);
  int64_t count, index[AD_MAX_RANK], stride[AD_MAX_RANK];
  ad_onnx_need_rank(b, c, 0, 2);
  const int64_t *length = ad_onnx_operand_ints(b, c, 1, "the lengths", &count);
  if (!length) return;
  if (batch < 0 || batch > 1 || time != 1 - batch || count != x->dim[batch]) {
    ad_onnx_fail(b, "the axes or the number of lengths are wrong");
    return;
  }
  int64_t n = ad_shape_size(x), *from = ad_onnx_room(b, (uint64_t)n + 1, sizeof *from);
  ad_onnx_strides(x, stride);
  for (int64_t o = 0; from && o < n; o++) {
    ad_onnx_unravel(x, o, index);
    const int64_t t = index[time], l = length[index[batch]];
    if (l < 0 || l > x->dim[time]) {
      ad_onnx_fail(b, "the length %lld is out of range", (long long)l);
      return;
    }
    from[o] = o + (t < l ? l - 1 - 2 * t : 0) * stride[time];
  }
  if (from) c->out[0] = ad_onnx_pick(b, c->in[0], x, from, c->in[0]);
}

void ad_onnx_lower_one_hot(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *x = &c->in[0].shape;
  int64_t index[AD_MAX_RANK];
  const bool computed = ad_onnx_is_computed(&c->in[0]);
  if (!computed) ad_onnx_need_known(b, &c->in[0], "the indices");
  ad_onnx_need_known(b, &c->in[1], "the depth");
  if (b->status) return;
  if (ad_shape_size(&c->in[1].shape) != 1 || ad_shape_size(&c->in[2].shape) != 2 || x->rank == AD_MAX_RANK) {
    ad_onnx_fail(b, "the depth must be one number, and the values two");
    return;
  }
  const double depth = ad_onnx_element_double(&c->in[1], 0);
  const int axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", -1), x->rank + 1);
  if (!(depth >= 0 && depth < 0x1p40)) ad_onnx_fail(b, "the depth is out of range");
  if (computed) {
    if (!b->status) ad_onnx_lower_one_hot_computed(b, c, axis, (int64_t)depth);
    return;
  }
  const ad_shape shape = ad_onnx_shape_insert(x, axis, (int64_t)depth);
  if (ad_shape_size(&shape) < 0) ad_onnx_fail(b, "the result is too large");
  int64_t n = ad_shape_size(&shape), *on = b->status ? NULL : ad_onnx_room(b, (uint64_t)n + 1, sizeof *on),
          stride[AD_MAX_RANK];
  ad_onnx_strides(x, stride);
  for (int64_t o = 0; on && o < n; o++) {
    int64_t at = 0;
    ad_onnx_unravel(&shape, o, index);
    for (int i = 0; i < x->rank; i++) at += index[i < axis ? i : i + 1] * stride[i];
    const double v = ad_onnx_element_double(&c->in[0], at);
    on[o] = v == (double)index[axis] || v + depth == (double)index[axis];
  }
  if (on) c->out[0] = ad_onnx_gather(b, ad_onnx_reshape(b, c->in[2], &(ad_shape){1, {2}}), 0, &shape, on);
}

void ad_onnx_lower_arg_max(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape x = c->in[0].shape;
  const int axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 0), x.rank);
  const bool last = ad_onnx_int(b, c, "select_last_index", 0) != 0, keep = ad_onnx_int(b, c, "keepdims", 1) != 0;
  int64_t index[AD_MAX_RANK], stride[AD_MAX_RANK];
  if (!b->status && !x.dim[axis]) ad_onnx_fail(b, "the axis is empty");
  if (ad_onnx_is_computed(&c->in[0])) {
    ad_onnx_lower_arg_max_computed(b, c, axis, last, keep);
    return;
  }
  ad_onnx_need_known(b, &c->in[0], "the operand");
  if (b->status) return;
  ad_onnx_charge(b, (uint64_t)ad_shape_size(&c->in[0].shape));
  if (b->status) return;
  ad_shape kept = x;
  kept.dim[axis] = 1;
  const ad_shape shape = keep ? kept : ad_onnx_shape_remove(&x, axis);
  ad_onnx_strides(&x, stride);
  c->out[0] = ad_onnx_known(b, AD_ONNX_INT64, &shape);
  for (int64_t o = 0; !b->status && o < ad_shape_size(&kept); o++) {
    int64_t at = 0, best = 0;
    ad_onnx_unravel(&kept, o, index);
    for (int i = 0; i < x.rank; i++) at += index[i] * stride[i];
    for (int64_t k = 1; k < x.dim[axis]; k++) {
      const double v = ad_onnx_element_double(&c->in[0], at + k * stride[axis]);
      const double w = ad_onnx_element_double(&c->in[0], at + best * stride[axis]);
      if (v == w ? last : (v > w) == (c->row->op == AD_OP_REDUCE_MAX)) best = k;
    }
    c->out[0].data->v[o].i = best;
  }
}

void ad_onnx_lower_non_zero(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *x = &c->in[0].shape;
  int64_t index[AD_MAX_RANK], count = 0, at = 0;
  ad_onnx_need_known(b, &c->in[0], "the operand");
  if (c->in[0].data) ad_onnx_charge(b, (uint64_t)ad_shape_size(&c->in[0].shape));
  const int64_t n = b->status ? 0 : ad_shape_size(x);
  for (int64_t i = 0; i < n; i++) count += ad_onnx_element_double(&c->in[0], i) != 0;
  c->out[0] = ad_onnx_known(b, AD_ONNX_INT64, &(ad_shape){2, {x->rank, count}});
  for (int64_t i = 0; !b->status && i < n; i++) {
    if (ad_onnx_element_double(&c->in[0], i) == 0) continue;
    ad_onnx_unravel(x, i, index);
    for (int k = 0; k < x->rank; k++) c->out[0].data->v[k * count + at].i = index[k];
    at++;
  }
}
