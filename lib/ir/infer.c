/* Shape rules: the shape of each operation's result, and its attributes normalised (defaults filled in, axes and
 * indices counted from 0), so that a graph has one form only. */
#include <string.h>

#include "error.h"
#include "ir/ops.h"

static const char *op_name(const ad_infer *in) {
  return ad_op_get(in->op)->name;
}

static ad_status broadcast_two(ad_shape *acc, const ad_shape *s, const char *op, ad_error *e) {
  ad_shape r = {.rank = acc->rank > s->rank ? acc->rank : s->rank};
  for (int i = 0; i < r.rank; i++) { /* from the last axis backwards */
    int64_t a = i < acc->rank ? acc->dim[acc->rank - 1 - i] : 1, b = i < s->rank ? s->dim[s->rank - 1 - i] : 1;
    if (a != b && a != 1 && b != 1) {
      char left[AD_SHAPE_TEXT], right[AD_SHAPE_TEXT];
      ad_shape_text(left, acc);
      ad_shape_text(right, s);
      return ad_fail(
          e, AD_EINPUT,
          "%s: shapes %s and %s don't broadcast: sizes %lld and %lld, counted from the last axis, differ and "
          "neither is 1",
          op, left, right, (long long)a, (long long)b);
    }
    r.dim[r.rank - 1 - i] = a == 1 ? b : a;
  }
  *acc = r;
  return AD_OK;
}

ad_status ad_infer_broadcast_shapes(ad_shape *out, const ad_shape *const *arg, size_t nargs, const char *op,
                                    ad_error *e) {
  *out = *arg[0];
  for (size_t i = 1; i < nargs; i++) {
    ad_status s = broadcast_two(out, arg[i], op, e);
    if (s) return s;
  }
  return AD_OK;
}

/* Counts a negative axis from the end. */
static ad_status axis_from_zero(const ad_infer *in, int64_t *axis, int rank, ad_error *e) {
  if (*axis >= -rank && *axis < rank) {
    if (*axis < 0) *axis += rank;
    return AD_OK;
  }
  return ad_fail(e, AD_EINPUT, "%s: axis %lld is out of range for rank %d", op_name(in), (long long)*axis, rank);
}

/* Attribute k becomes a list that lives in the rule's own room. */
static int64_t *own_list(ad_infer *in, int k, int count) {
  in->attr[k].name = ad_op_get(in->op)->attr[k].name;
  in->attr[k].shape = (ad_shape){1, {count}};
  in->attr[k].value = in->room[k];
  return in->room[k];
}

static ad_status own_axis(ad_infer *in, int k, int64_t dflt, int rank, ad_error *e) {
  int64_t axis = in->attr[k].value ? in->attr[k].value[0] : dflt;
  ad_status s = axis_from_zero(in, &axis, rank, e);
  if (s) return s;
  *own_list(in, k, 1) = axis;
  in->attr[k].shape = (ad_shape){0};
  return AD_OK;
}

ad_status ad_infer_matmul(ad_infer *in, ad_error *e) {
  const ad_shape *x = in->arg[0], *y = in->arg[1];
  if (!x->rank || !y->rank) return ad_fail(e, AD_EINPUT, "matmul: a scalar has no rows or columns; use * for scalars");
  int64_t inner_x = x->dim[x->rank - 1], inner_y = y->rank == 1 ? y->dim[0] : y->dim[y->rank - 2];
  char left[AD_SHAPE_TEXT], right[AD_SHAPE_TEXT];
  ad_shape_text(left, x);
  ad_shape_text(right, y);
  if (inner_x != inner_y)
    return ad_fail(e, AD_EINPUT, "matmul: shapes %s and %s don't fit: the inner sizes %lld and %lld differ", left,
                   right, (long long)inner_x, (long long)inner_y);
  ad_shape bx = {.rank = x->rank > 2 ? x->rank - 2 : 0}, by = {.rank = y->rank > 2 ? y->rank - 2 : 0};
  memcpy(bx.dim, x->dim, sizeof bx.dim);
  memcpy(by.dim, y->dim, sizeof by.dim);
  ad_status s = broadcast_two(&bx, &by, "matmul, leading axes", e);
  if (s) return s;
  if (x->rank > 1) bx.dim[bx.rank++] = x->dim[x->rank - 2];
  if (y->rank > 1) bx.dim[bx.rank++] = y->dim[y->rank - 1];
  in->shape = bx;
  return AD_OK;
}

ad_status ad_infer_matmul_no_nan(ad_infer *in, ad_error *e) {
  const int64_t count = in->attr[0].value ? in->attr[0].shape.dim[0] : 2;
  bool skips[2] = {false, false};
  for (int64_t i = 0; i < count; i++) {
    const int64_t factor = in->attr[0].value ? in->attr[0].value[i] : i;
    if (factor != 0 && factor != 1)
      return ad_fail(e, AD_EINPUT, "matmul_no_nan: 'zeros' lists factors, 0 and 1, not %lld", (long long)factor);
    skips[factor] = true;
  }
  int64_t *zeros = own_list(in, 0, skips[0] + skips[1]);
  if (skips[0]) *zeros++ = 0;
  if (skips[1]) *zeros = 1;
  return ad_infer_matmul(in, e);
}

ad_status ad_infer_dot(ad_infer *in, ad_error *e) {
  const ad_shape *x = in->arg[0], *y = in->arg[1];
  if (x->rank != 1 || y->rank != 1 || x->dim[0] != y->dim[0]) {
    char left[AD_SHAPE_TEXT], right[AD_SHAPE_TEXT];
    ad_shape_text(left, x);
    ad_shape_text(right, y);
    return ad_fail(e, AD_EINPUT, "dot: shapes %s and %s are not two vectors of one length; matmul takes matrices", left,
                   right);
  }
  in->shape = (ad_shape){0};
  return AD_OK;
}

ad_status ad_infer_transpose(ad_infer *in, ad_error *e) {
  const ad_shape *x = in->arg[0];
  const int64_t *said = in->attr[0].value;
  int64_t given = said ? in->attr[0].shape.dim[0] : 0;
  if (said && given != x->rank)
    return ad_fail(e, AD_EINPUT, "transpose: perm has %lld axes, the argument %d", (long long)given, x->rank);
  int64_t perm[AD_MAX_RANK];
  unsigned seen = 0;
  in->shape.rank = x->rank;
  for (int i = 0; i < x->rank; i++) {
    perm[i] = said ? said[i] : x->rank - 1 - i;
    ad_status s = axis_from_zero(in, &perm[i], x->rank, e);
    if (s) return s;
    if (seen & 1u << perm[i]) return ad_fail(e, AD_EINPUT, "transpose: perm has axis %lld twice", (long long)perm[i]);
    seen |= 1u << perm[i];
    in->shape.dim[i] = x->dim[perm[i]];
  }
  memcpy(own_list(in, 0, x->rank), perm, sizeof perm);
  return AD_OK;
}

ad_status ad_infer_reshape(ad_infer *in, ad_error *e) {
  const int64_t *want = in->attr[0].value;
  int rank = (int)in->attr[0].shape.dim[0], open = -1;
  int64_t have = ad_shape_size(in->arg[0]);
  ad_shape r = {.rank = rank};
  for (int i = 0; i < rank; i++) {
    if (want[i] == -1) {
      if (open >= 0) return ad_fail(e, AD_EINPUT, "reshape: only one size may be -1");
      open = i;
      r.dim[i] = 1;
    } else {
      r.dim[i] = want[i];
    }
  }
  int64_t size = ad_shape_size(&r);
  if (open >= 0 && size > 0 && have % size == 0) {
    r.dim[open] = have / size;
    size = have;
  } else if (open >= 0) {
    size = -1; /* no size, or any, would do */
  }
  if (size != have) {
    char from[AD_SHAPE_TEXT], to[AD_SHAPE_TEXT];
    ad_shape_text(from, in->arg[0]);
    if (open >= 0) r.dim[open] = -1;
    ad_shape_text(to, &r);
    return ad_fail(e, AD_EINPUT, "reshape: %s has %lld elements and can't become %s", from, (long long)have, to);
  }
  in->shape = r;
  memcpy(own_list(in, 0, rank), r.dim, sizeof r.dim);
  return AD_OK;
}

ad_status ad_infer_broadcast(ad_infer *in, ad_error *e) {
  ad_shape want = {.rank = (int32_t)in->attr[0].shape.dim[0]}, r;
  memcpy(want.dim, in->attr[0].value, (size_t)want.rank * sizeof want.dim[0]);
  r = want;
  ad_status s = AD_OK;
  if (ad_shape_size(&want) >= 0) s = broadcast_two(&r, in->arg[0], "broadcast_to", e);
  if (s) return s;
  if (ad_shape_size(&want) < 0 || !ad_shape_equal(&r, &want)) {
    char from[AD_SHAPE_TEXT], to[AD_SHAPE_TEXT];
    ad_shape_text(from, in->arg[0]);
    ad_shape_text(to, &want);
    return ad_fail(e, AD_EINPUT, "broadcast_to: %s can't become %s", from, to);
  }
  in->shape = want;
  memcpy(own_list(in, 0, want.rank), want.dim, sizeof want.dim);
  return AD_OK;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) {
  return v < lo ? lo : v > hi ? hi : v;
}

/* Python's slice.indices() for each axis.  A place before the first element is kept as -1 - size, which means the same
 * when it is read again. */
ad_status ad_infer_slice(ad_infer *in, ad_error *e) {
  const ad_shape *x = in->arg[0];
  const int64_t *said[3];
  for (int k = 0; k < 3; k++) {
    said[k] = in->attr[k].value;
    if (said[k] && in->attr[k].shape.dim[0] > x->rank)
      return ad_fail(e, AD_EINPUT, "slice: '%s' speaks of %lld axes, the argument has %d", in->attr[k].name,
                     (long long)in->attr[k].shape.dim[0], x->rank);
  }
  int64_t axes[3];
  for (int k = 0; k < 3; k++) axes[k] = said[k] ? in->attr[k].shape.dim[0] : 0;
  int64_t copy[3][AD_MAX_RANK] = {{0}};
  for (int k = 0; k < 3; k++)
    if (axes[k]) memcpy(copy[k], said[k], (size_t)axes[k] * sizeof copy[k][0]);
  int64_t drop[AD_MAX_RANK];
  int drops = in->attr[3].value ? (int)in->attr[3].shape.dim[0] : 0;
  if (drops) memcpy(drop, in->attr[3].value, (size_t)drops * sizeof drop[0]);

  int64_t *start = own_list(in, 0, x->rank), *stop = own_list(in, 1, x->rank), *step = own_list(in, 2, x->rank);
  int64_t size[AD_MAX_RANK];
  for (int i = 0; i < x->rank; i++) {
    int64_t n = x->dim[i];
    step[i] = i < axes[2] ? copy[2][i] : 1;
    if (step[i] == 0 || step[i] == INT64_MIN) return ad_fail(e, AD_EINPUT, "slice: the step of axis %d is 0", i);
    int64_t lo = step[i] > 0 ? 0 : -1, hi = step[i] > 0 ? n : n - 1;
    int64_t a = i < axes[0] ? copy[0][i] : step[i] > 0 ? 0 : n - 1;
    int64_t b = i < axes[1] ? copy[1][i] : step[i] > 0 ? n : -1 - n;
    a = clamp(a < 0 ? clamp(a, -n - 1, 0) + n : a, lo, hi);
    b = clamp(b < 0 ? clamp(b, -n - 1, 0) + n : b, lo, hi);
    int64_t span = step[i] > 0 ? b - a : a - b, width = step[i] > 0 ? step[i] : -step[i];
    size[i] = span > 0 ? 1 + (span - 1) / width : 0;
    start[i] = a < 0 ? -1 - n : a;
    stop[i] = b < 0 ? -1 - n : b;
  }
  bool gone[AD_MAX_RANK] = {false};
  for (int d = 0; d < drops; d++) {
    ad_status s = axis_from_zero(in, &drop[d], x->rank, e);
    if (s) return s;
    if (size[drop[d]] != 1) {
      char text[AD_SHAPE_TEXT];
      ad_shape_text(text, x);
      return ad_fail(e, AD_EINPUT, "slice: the index of axis %lld is out of range for shape %s", (long long)drop[d],
                     text);
    }
    gone[drop[d]] = true;
  }
  int64_t *squeeze = own_list(in, 3, 0);
  in->shape = (ad_shape){0};
  for (int i = 0, k = 0; i < x->rank; i++) {
    if (gone[i]) {
      squeeze[k++] = i;
      in->attr[3].shape.dim[0] = k;
    } else {
      in->shape.dim[in->shape.rank++] = size[i];
    }
  }
  return AD_OK;
}

static ad_status differ(const ad_infer *in, size_t i, ad_error *e) {
  char first[AD_SHAPE_TEXT], other[AD_SHAPE_TEXT];
  ad_shape_text(first, in->arg[0]);
  ad_shape_text(other, in->arg[i]);
  return ad_fail(e, AD_EINPUT, "%s: argument %zu of shape %s doesn't fit the first, of shape %s", op_name(in), i + 1,
                 other, first);
}

ad_status ad_infer_concat(ad_infer *in, ad_error *e) {
  if (!in->arg[0]->rank) return ad_fail(e, AD_EINPUT, "concat: scalars have no axis; use stack");
  ad_status s = own_axis(in, 0, 0, in->arg[0]->rank, e);
  if (s) return s;
  int64_t axis = in->attr[0].value[0];
  in->shape = *in->arg[0];
  for (size_t i = 1; i < in->nargs; i++) {
    ad_shape like = *in->arg[i];
    if (like.rank != in->shape.rank) return differ(in, i, e);
    int64_t more = like.dim[axis];
    like.dim[axis] = in->shape.dim[axis];
    if (!ad_shape_equal(&like, &in->shape)) return differ(in, i, e);
    if (__builtin_add_overflow(in->shape.dim[axis], more, &in->shape.dim[axis]))
      return ad_fail(e, AD_ELIMIT, "concat: the result is too large");
  }
  return AD_OK;
}

ad_status ad_infer_stack(ad_infer *in, ad_error *e) {
  const ad_shape *x = in->arg[0];
  if (x->rank == AD_MAX_RANK) return ad_fail(e, AD_EINPUT, "stack: the result would have rank %d", x->rank + 1);
  ad_status s = own_axis(in, 0, 0, x->rank + 1, e);
  if (s) return s;
  for (size_t i = 1; i < in->nargs; i++)
    if (!ad_shape_equal(x, in->arg[i])) return differ(in, i, e);
  int axis = (int)in->attr[0].value[0];
  in->shape.rank = x->rank + 1;
  for (int i = 0; i <= x->rank; i++)
    in->shape.dim[i] = i < axis ? x->dim[i] : i == axis ? (int64_t)in->nargs : x->dim[i - 1];
  return AD_OK;
}

/* The shape of x with `axis` replaced by the axes of the index table. */
static ad_status gathered(ad_infer *in, ad_shape *out, ad_error *e) {
  const ad_shape *x = in->arg[0], *table = &in->attr[0].shape;
  if (!x->rank) return ad_fail(e, AD_EINPUT, "%s: a scalar has no axis", op_name(in));
  ad_status s = own_axis(in, 1, 0, x->rank, e);
  if (s) return s;
  int axis = (int)in->attr[1].value[0];
  if (x->rank - 1 + table->rank > AD_MAX_RANK)
    return ad_fail(e, AD_EINPUT, "%s: the result would have rank %d", op_name(in), x->rank - 1 + table->rank);
  int64_t n = ad_shape_size(table);
  for (int64_t i = 0; i < n; i++) {
    int64_t v = in->attr[0].value[i];
    if (v < -x->dim[axis] || v >= x->dim[axis])
      return ad_fail(e, AD_EINPUT, "%s: index %lld is out of range for axis %d of size %lld", op_name(in), (long long)v,
                     axis, (long long)x->dim[axis]);
  }
  *out = (ad_shape){0};
  for (int i = 0; i < axis; i++) out->dim[out->rank++] = x->dim[i];
  for (int i = 0; i < table->rank; i++) out->dim[out->rank++] = table->dim[i];
  for (int i = axis + 1; i < x->rank; i++) out->dim[out->rank++] = x->dim[i];
  return AD_OK;
}

ad_status ad_infer_gather(ad_infer *in, ad_error *e) {
  return gathered(in, &in->shape, e);
}

ad_status ad_infer_scatter_add(ad_infer *in, ad_error *e) {
  ad_shape want;
  ad_status s = gathered(in, &want, e);
  if (s) return s;
  if (!ad_shape_equal(&want, in->arg[1])) {
    char have[AD_SHAPE_TEXT], text[AD_SHAPE_TEXT];
    ad_shape_text(have, in->arg[1]);
    ad_shape_text(text, &want);
    return ad_fail(e, AD_EINPUT, "scatter_add: updates of shape %s, but the indices want %s", have, text);
  }
  in->shape = *in->arg[0];
  return AD_OK;
}

ad_status ad_infer_reduce(ad_infer *in, ad_error *e) {
  const ad_shape *x = in->arg[0];
  bool over[AD_MAX_RANK] = {false}, keep = in->attr[1].value && in->attr[1].value[0];
  int64_t count = in->attr[0].value ? in->attr[0].shape.dim[0] : x->rank;
  for (int64_t i = 0; i < count; i++) {
    int64_t axis = in->attr[0].value ? in->attr[0].value[i] : i;
    ad_status s = axis_from_zero(in, &axis, x->rank, e);
    if (s) return s;
    if (over[axis]) return ad_fail(e, AD_EINPUT, "%s: axis %lld is given twice", op_name(in), (long long)axis);
    over[axis] = true;
  }
  int64_t *axes = own_list(in, 0, 0), n = 1;
  in->shape = (ad_shape){0};
  for (int i = 0, k = 0; i < x->rank; i++) {
    if (over[i]) {
      axes[k++] = i;
      in->attr[0].shape.dim[0] = k;
      n = n && x->dim[i];
    }
    if (!over[i] || keep) in->shape.dim[in->shape.rank++] = over[i] ? 1 : x->dim[i];
  }
  *own_list(in, 1, 1) = keep;
  in->attr[1].shape = (ad_shape){0};
  if (!n && in->op != AD_OP_SUM && in->op != AD_OP_PROD)
    return ad_fail(e, AD_EINPUT, "%s: nothing to reduce, an axis has size 0", op_name(in));
  return AD_OK;
}

ad_status ad_infer_along(ad_infer *in, ad_error *e) {
  const ad_shape *x = in->arg[0];
  if (!x->rank) return ad_fail(e, AD_EINPUT, "%s: a scalar has no axis", op_name(in));
  in->shape = *x;
  return own_axis(in, 0, in->op == AD_OP_SOFTMAX ? -1 : 0, x->rank, e);
}
