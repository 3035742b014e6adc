/* Operators that move elements about. */
#include <string.h>

#include "ir/ops.h"
#include "onnx/operators.h"

/* Sizes or axes that are an attribute in old versions and an operand in new ones; NULL: neither, or a failure. */
static const int64_t *sizes(ad_onnx_build *b, ad_onnx_call *c, size_t operand, const char *attribute, const char *what,
                            int64_t *count) {
  *count = 0;
  if (ad_onnx_given(c, operand)) return ad_onnx_operand_ints(b, c, operand, what, count);
  return ad_onnx_ints(b, c, attribute, count);
}

static const int64_t *needed_sizes(ad_onnx_build *b, ad_onnx_call *c, size_t operand, const char *attribute,
                                   const char *what, int64_t *count) {
  const int64_t *v = sizes(b, c, operand, attribute, what, count);
  if (!v) ad_onnx_fail(b, "%s is missing", what);
  return b->status ? NULL : v;
}

void ad_onnx_lower_reshape(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  const int64_t *size = needed_sizes(b, c, 1, "shape", "the shape", &count);
  const ad_shape *x = &c->in[0].shape;
  const bool zero = ad_onnx_int(b, c, "allowzero", 0) != 0;
  if (!size) return;
  if (count > AD_MAX_RANK) ad_onnx_refuse(b, "a tensor of rank %lld; the limit is %d", (long long)count, AD_MAX_RANK);
  ad_shape shape = ad_onnx_shape((int)count, size);
  int open = -1;
  for (int i = 0; i < shape.rank && !b->status; i++) {
    if (size[i] == 0 && !zero) {
      if (i >= x->rank) ad_onnx_fail(b, "size %d is 0, but the operand has no such axis", i);
      shape.dim[i] = x->dim[i];
    } else if (size[i] == -1 && open < 0) {
      open = i;
      shape.dim[i] = 1;
    } else if (size[i] < 0) {
      ad_onnx_fail(b, "size %d is %lld", i, (long long)size[i]);
    }
  }
  const int64_t have = ad_shape_size(x), want = ad_shape_size(&shape);
  if (open >= 0 && !b->status && (want <= 0 || have % want)) ad_onnx_fail(b, "no size fits for axis %d", open);
  if (open >= 0 && !b->status) shape.dim[open] = have / want;
  c->out[0] = ad_onnx_reshape(b, c->in[0], &shape);
}

void ad_onnx_lower_flatten(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *x = &c->in[0].shape;
  int64_t axis = ad_onnx_int(b, c, "axis", 1);
  if (axis != x->rank) axis = ad_onnx_axis(b, axis, x->rank);
  ad_shape shape = {2, {1, 1}};
  for (int i = 0; i < x->rank; i++) shape.dim[i >= axis] *= x->dim[i];
  c->out[0] = ad_onnx_reshape(b, c->in[0], &shape);
}

void ad_onnx_lower_squeeze(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  const ad_shape *x = &c->in[0].shape;
  const int64_t *axes = sizes(b, c, 1, "axes", "the axes", &count);
  const unsigned mask = axes ? ad_onnx_axes(b, axes, count, x->rank) : 0;
  ad_shape shape = {0};
  for (int i = 0; i < x->rank; i++) {
    if (axes ? !(mask >> i & 1) : x->dim[i] != 1)
      shape.dim[shape.rank++] = x->dim[i];
    else if (x->dim[i] != 1)
      ad_onnx_fail(b, "axis %d has size %lld, not 1", i, (long long)x->dim[i]);
  }
  c->out[0] = ad_onnx_reshape(b, c->in[0], &shape);
}

void ad_onnx_lower_unsqueeze(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  const ad_shape *x = &c->in[0].shape;
  const int64_t *axes = needed_sizes(b, c, 1, "axes", "the axes", &count);
  if (!axes) return;
  if (x->rank + count > AD_MAX_RANK) {
    ad_onnx_refuse(b, "a tensor of rank %lld; the limit is %d", (long long)(x->rank + count), AD_MAX_RANK);
    return;
  }
  ad_shape shape = {.rank = x->rank + (int)count};
  const unsigned mask = ad_onnx_axes(b, axes, count, shape.rank);
  for (int i = 0, k = 0; i < shape.rank && !b->status; i++) shape.dim[i] = mask >> i & 1 ? 1 : x->dim[k++];
  c->out[0] = ad_onnx_reshape(b, c->in[0], &shape);
}

void ad_onnx_lower_transpose(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, all[AD_MAX_RANK];
  const int rank = c->in[0].shape.rank;
  const int64_t *perm = ad_onnx_ints(b, c, "perm", &count);
  if (perm && count != rank) ad_onnx_fail(b, "perm has %lld axes, the operand %d", (long long)count, rank);
  for (int i = 0; i < rank && !b->status; i++) all[i] = perm ? ad_onnx_axis(b, perm[i], rank) : rank - 1 - i;
  if (!b->status) ad_onnx_axes(b, all, rank, rank);
  if (!b->status) c->out[0] = ad_onnx_transpose(b, c->in[0], all);
}

void ad_onnx_lower_expand(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  const int64_t *size = ad_onnx_operand_ints(b, c, 1, "the shape", &count);
  if (!size) return;
  if (count > AD_MAX_RANK) {
    ad_onnx_refuse(b, "a tensor of rank %lld", (long long)count);
    return;
  }
  const ad_shape want = ad_onnx_shape((int)count, size), *both[] = {&c->in[0].shape, &want};
  ad_shape shape;
  if (ad_shape_size(&want) < 0) ad_onnx_fail(b, "the shape has a size that is negative or too large");
  if (!b->status) ad_onnx_check(b, ad_infer_broadcast_shapes(&shape, both, 2, "Expand", b->e));
  if (!b->status) c->out[0] = ad_onnx_broadcast(b, c->in[0], &shape);
}

/* The axis repeated as a table says. */
static ad_onnx_value take(ad_onnx_build *b, ad_onnx_value x, int axis, const int64_t *index, int64_t count) {
  return ad_onnx_gather(b, x, axis, &(ad_shape){1, {count}}, index);
}

void ad_onnx_lower_tile(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  ad_onnx_value x = c->in[0];
  const int64_t *repeats = ad_onnx_operand_ints(b, c, 1, "the repeats", &count);
  if (!repeats) return;
  if (b->opset < 6) ad_onnx_refuse(b, "Tile before version 6");
  if (count != x.shape.rank) ad_onnx_fail(b, "%lld repeats for %d axes", (long long)count, x.shape.rank);
  ad_shape shape = x.shape;
  for (int i = 0; i < count && !b->status; i++)
    if (repeats[i] < 0 || __builtin_mul_overflow(shape.dim[i], repeats[i], &shape.dim[i]))
      ad_onnx_fail(b, "the repeats are out of range");
  if (b->status || !ad_onnx_shape_fits(b, &shape)) return;
  for (int i = 0; i < count; i++) {
    ad_shape rows = {3, {1, 1, 1}}, more;
    if (repeats[i] == 1) continue;
    for (int k = 0; k < x.shape.rank; k++) rows.dim[k < i ? 0 : 2] *= x.shape.dim[k];
    more = rows;
    more.dim[1] = repeats[i];
    shape = x.shape;
    shape.dim[i] *= repeats[i];
    x = ad_onnx_reshape(b, ad_onnx_broadcast(b, ad_onnx_reshape(b, x, &rows), &more), &shape);
  }
  c->out[0] = x;
}

void ad_onnx_lower_concat(ad_onnx_build *b, ad_onnx_call *c) {
  const int64_t axis = ad_onnx_int(b, c, "axis", 1); /* required from version 4 on */
  const int a = ad_onnx_axis(b, axis, c->in[0].shape.rank);
  for (size_t i = 0; i < c->inputs; i++)
    if (!c->in[i].type) ad_onnx_fail(b, "operand %zu is missing", i);
  c->out[0] = ad_onnx_concat(b, c->inputs, c->in, a);
}

void ad_onnx_lower_split(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, at = 0;
  const int axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 0), c->in[0].shape.rank);
  const int64_t n = b->status ? 0 : c->in[0].shape.dim[axis], parts = (int64_t)c->outputs;
  const int64_t *split = sizes(b, c, 1, "split", "the sizes", &count);
  const bool uneven = ad_onnx_has(c, "num_outputs"); /* the last part may be smaller */
  const int64_t each = uneven && n ? 1 + (n - 1) / parts : n / parts, last = n - (parts - 1) * each;
  if (split ? count != parts : last < 0 || (!uneven && n % parts) || ad_onnx_int(b, c, "num_outputs", parts) != parts)
    ad_onnx_fail(b, "the axis can't be split into %lld parts", (long long)parts);
  for (int64_t i = 0; i < parts && !b->status; i++) {
    const int64_t size = split ? split[i] : i + 1 < parts ? each : last;
    if (size < 0 || size > n - at)
      ad_onnx_fail(b, "the parts are larger than the axis");
    else
      c->out[i] = ad_onnx_part(b, c->in[0], axis, at, size);
    at += size;
  }
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) {
  return v < lo ? lo : v > hi ? hi : v;
}

void ad_onnx_lower_slice(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *x = &c->in[0].shape;
  int64_t n, ends, axes, steps, start[AD_MAX_RANK] = {0}, count[AD_MAX_RANK], step[AD_MAX_RANK];
  const int64_t *from = needed_sizes(b, c, 1, "starts", "starts", &n);
  const int64_t *to = needed_sizes(b, c, 2, "ends", "ends", &ends);
  const int64_t *axis = sizes(b, c, 3, "axes", "the axes", &axes);
  const int64_t *by = ad_onnx_given(c, 4) ? ad_onnx_operand_ints(b, c, 4, "the steps", &steps) : NULL;
  if (b->status) return;
  if (ends != n || (axis && axes != n) || (by && steps != n) || n > x->rank)
    ad_onnx_fail(b, "starts, ends, axes and steps differ in length, or there are too many");
  for (int i = 0; i < x->rank; i++) count[i] = x->dim[i], step[i] = 1;
  if (axis) ad_onnx_axes(b, axis, n, x->rank);
  for (int i = 0; i < n && !b->status; i++) {
    const int a = axis ? ad_onnx_axis(b, axis[i], x->rank) : i;
    const int64_t size = x->dim[a], s = by ? clamp(by[i], -size - 1, size + 1) : 1;
    if (s == 0) {
      ad_onnx_fail(b, "the step of axis %d is 0", a);
      return;
    }
    const int64_t lo = s > 0 ? 0 : -1, hi = s > 0 ? size : size - 1;
    start[a] = clamp(from[i] < 0 ? clamp(from[i], -size - 1, 0) + size : from[i], s > 0 ? 0 : lo, hi);
    const int64_t stop = clamp(to[i] < 0 ? clamp(to[i], -size - 1, 0) + size : to[i], lo, hi);
    const int64_t span = s > 0 ? stop - start[a] : start[a] - stop;
    count[a] = span > 0 ? 1 + (span - 1) / (s > 0 ? s : -s) : 0;
    step[a] = s;
    if (!count[a]) start[a] = 0, step[a] = 1;
  }
  c->out[0] = ad_onnx_slice(b, c->in[0], start, count, step);
}

/* ---- Padding */

/* A block of one value beside x along an axis. */
static ad_onnx_value block(ad_onnx_build *b, ad_onnx_value fill, const ad_onnx_value *x, int axis, int64_t size) {
  ad_shape shape = x->shape;
  shape.dim[axis] = size;
  return ad_onnx_broadcast(b, ad_onnx_reshape(b, fill, &(ad_shape){0}), &shape);
}

/* Where element i of the padded axis comes from: mirrored at both ends, from the other end, or the nearest. */
static int64_t source(int64_t i, int64_t n, const char *mode) {
  if (!strcmp(mode, "wrap")) return (i % n + n) % n;
  if (strcmp(mode, "reflect") != 0 || n == 1) return clamp(i, 0, n - 1);
  const int64_t period = 2 * (n - 1), k = (i % period + period) % period;
  return k < n ? k : period - k;
}

static ad_onnx_value pad_axis(ad_onnx_build *b, ad_onnx_value x, int axis, int64_t before, int64_t after,
                              const char *mode, ad_onnx_value fill) {
  const int64_t most = INT64_C(1) << 40;
  const bool constant = !strcmp(mode, "constant");
  if (b->status || (!before && !after)) return x;
  const int64_t n = x.shape.dim[axis];
  if (before > most || after > most || before < -n || after < -n || n + before + after < 0 || (!constant && n == 0)) {
    ad_onnx_fail(b, "the pads of axis %d are out of range", axis);
    return x;
  }
  if (!constant) {
    const int64_t size = n + before + after;
    int64_t *index = ad_onnx_room(b, (uint64_t)size, sizeof *index);
    for (int64_t i = 0; index && i < size; i++) index[i] = source(i - before, n, mode);
    return index ? take(b, x, axis, index, size) : x;
  }
  if (before < 0 || after < 0)
    x = ad_onnx_part(b, x, axis, before < 0 ? -before : 0, n + (before < 0 ? before : 0) + (after < 0 ? after : 0));
  ad_onnx_value parts[3];
  size_t count = 0;
  if (before > 0) parts[count++] = block(b, fill, &x, axis, before);
  parts[count++] = x;
  if (after > 0) parts[count++] = block(b, fill, &x, axis, after);
  return ad_onnx_concat(b, count, parts, axis);
}

void ad_onnx_lower_pad(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, some = c->in[0].shape.rank;
  ad_onnx_value x = c->in[0], fill = c->in[2];
  const char *mode = ad_onnx_word(b, c, "mode", "constant");
  const int64_t *pads = needed_sizes(b, c, 1, ad_onnx_has(c, "pads") ? "pads" : "paddings", "the pads", &count);
  if (!fill.type) fill = ad_onnx_float_number(b, x.type, ad_onnx_float(b, c, "value", 0));
  const int64_t *axes = ad_onnx_given(c, 3) ? ad_onnx_operand_ints(b, c, 3, "the axes", &some) : NULL;
  if (axes) ad_onnx_axes(b, axes, some, x.shape.rank);
  if (b->status) return;
  if (count != 2 * some) ad_onnx_fail(b, "%lld pads for %lld axes", (long long)count, (long long)some);
  if (strcmp(mode, "constant") != 0 && strcmp(mode, "reflect") != 0 && strcmp(mode, "edge") != 0 &&
      strcmp(mode, "wrap") != 0)
    ad_onnx_refuse(b, "the mode '%.40s'", mode);
  if (!b->status && ad_shape_size(&fill.shape) != 1) ad_onnx_fail(b, "the value must be one number");
  for (int64_t i = 0; i < some && !b->status; i++)
    x = pad_axis(b, x, axes ? ad_onnx_axis(b, axes[i], x.shape.rank) : (int)i, pads[i], pads[i + some], mode, fill);
  c->out[0] = x;
}

/* Of an odd difference the larger half is cut off or put at the end. */
void ad_onnx_lower_center_crop_pad(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count, axes;
  ad_onnx_value x = c->in[0];
  const int64_t *size = ad_onnx_operand_ints(b, c, 1, "the shape", &count);
  const int64_t *axis = ad_onnx_ints(b, c, "axes", &axes);
  const ad_onnx_value zero = ad_onnx_number(b, x.type, 0);
  if (!b->status && count != (axis ? axes : x.shape.rank)) ad_onnx_fail(b, "the shape doesn't fit the axes");
  if (axis) ad_onnx_axes(b, axis, axes, x.shape.rank);
  for (int64_t i = 0; i < count && !b->status; i++) {
    const int a = axis ? ad_onnx_axis(b, axis[i], x.shape.rank) : (int)i;
    const int64_t n = x.shape.dim[a];
    if (size[i] < 0)
      ad_onnx_fail(b, "size %lld is negative", (long long)i);
    else if (size[i] < n)
      x = ad_onnx_part(b, x, a, (n - size[i]) / 2, size[i]);
    else
      x = pad_axis(b, x, a, (size[i] - n) / 2, size[i] - n - (size[i] - n) / 2, "constant", zero);
  }
  c->out[0] = x;
}

/* ---- Blocks of pixels and channels */

static int64_t block_size(ad_onnx_build *b, const ad_onnx_call *c) {
  const int64_t n = ad_onnx_int(b, c, "blocksize", 0);
  if (c->in[0].shape.rank != 4) ad_onnx_fail(b, "the operand must have rank 4");
  if (n < 1 || n > (1 << 20)) ad_onnx_fail(b, "the block size %lld is out of range", (long long)n);
  return n;
}

void ad_onnx_lower_depth_to_space(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
  const int64_t n = block_size(b, c), *d = c->in[0].shape.dim;
  const bool columns = !strcmp(ad_onnx_word(b, c, "mode", "DCR"), "CRD");
  if (!b->status && d[1] % (n * n)) ad_onnx_fail(b, "the channels are no multiple of the block");
  if (b->status) return;
  const int64_t k = d[1] / (n * n);
  const ad_shape split =
      columns ? (ad_shape){6, {d[0], k, n, n, d[2], d[3]}} : (ad_shape){6, {d[0], n, n, k, d[2], d[3]}};
  ad_onnx_value x = ad_onnx_transpose(b, ad_onnx_reshape(b, c->in[0], &split), columns ? crd : dcr);
  c->out[0] = ad_onnx_reshape(b, x, &(ad_shape){4, {d[0], k, d[2] * n, d[3] * n}});
}

void ad_onnx_lower_space_to_depth(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t perm[] = {0, 3, 5, 1, 2, 4};
  const int64_t n = block_size(b, c), *d = c->in[0].shape.dim;
  if (!b->status && (d[2] % n || d[3] % n)) ad_onnx_fail(b, "the image is no multiple of the block");
  if (b->status) return;
  const ad_shape split = {6, {d[0], d[1], d[2] / n, n, d[3] / n, n}};
  ad_onnx_value x = ad_onnx_transpose(b, ad_onnx_reshape(b, c->in[0], &split), perm);
  c->out[0] = ad_onnx_reshape(b, x, &(ad_shape){4, {d[0], d[1] * n * n, d[2] / n, d[3] / n}});
}

void ad_onnx_lower_trilu(ad_onnx_build *b, ad_onnx_call *c) {
  const bool upper = ad_onnx_int(b, c, "upper", 1) != 0;
  const int64_t k = ad_onnx_given(c, 1) ? ad_onnx_operand_int(b, c, 1, "k") : 0;
  ad_onnx_need_rank(b, c, 0, 2);
  if (b->status) return;
  const ad_shape *x = &c->in[0].shape;
  const int64_t rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1], shift = clamp(k, -rows - 1, columns + 1);
  ad_onnx_value keep = ad_onnx_known(b, AD_ONNX_BOOL, &(ad_shape){2, {rows, columns}});
  for (int64_t i = 0; !b->status && i < rows; i++)
    for (int64_t j = 0; j < columns; j++) keep.data->v[i * columns + j].i = upper ? j >= i + shift : j <= i + shift;
  c->out[0] = ad_onnx_where(b, keep, c->in[0], ad_onnx_number(b, c->in[0].type, 0));
}
