/* Elementwise operations on known operands: integers and truth values exactly, and of real numbers what IEEE arithmetic
 * rounds once. */
#include <math.h>

#include "onnx/emit.h"

static bool fold_integer(ad_op op, const int64_t *a, int64_t *v) {
  switch (op) {
    case AD_OP_NEG:
      return !__builtin_sub_overflow((int64_t)0, a[0], v);
    case AD_OP_ABS:
      return a[0] < 0 ? !__builtin_sub_overflow((int64_t)0, a[0], v) : (*v = a[0], true);
    case AD_OP_SIGN:
      *v = (a[0] > 0) - (a[0] < 0);
      return true;
    case AD_OP_FLOOR:
    case AD_OP_CEIL:
    case AD_OP_ROUND:
    case AD_OP_TRUNC:
      *v = a[0];
      return true;
    case AD_OP_RELU:
      *v = a[0] > 0 ? a[0] : 0;
      return true;
    case AD_OP_ADD:
      return !__builtin_add_overflow(a[0], a[1], v);
    case AD_OP_SUB:
      return !__builtin_sub_overflow(a[0], a[1], v);
    case AD_OP_MUL:
      return !__builtin_mul_overflow(a[0], a[1], v);
    case AD_OP_DIV:
      if (!a[1] || (a[0] == INT64_MIN && a[1] == -1)) return false;
      *v = a[0] / a[1];
      return true;
    case AD_OP_REM:
      if (!a[1] || (a[0] == INT64_MIN && a[1] == -1)) return false;
      *v = a[0] % a[1];
      return true;
    case AD_OP_POW:
      *v = 1;
      if (a[1] < 0 || a[1] > 4096) return false;
      for (int64_t i = 0; i < a[1]; i++)
        if (__builtin_mul_overflow(*v, a[0], v)) return false;
      return true;
    case AD_OP_MAX:
      *v = a[0] > a[1] ? a[0] : a[1];
      return true;
    case AD_OP_MIN:
      *v = a[0] < a[1] ? a[0] : a[1];
      return true;
    case AD_OP_CLIP:
      *v = a[0] > a[1] ? a[0] : a[1];
      *v = *v < a[2] ? *v : a[2];
      return true;
    default:
      return false;
  }
}

static bool fold_real(ad_op op, const double *a, double *v) {
  switch (op) {
    case AD_OP_NEG:
      *v = -a[0];
      return true;
    case AD_OP_ABS:
      *v = fabs(a[0]);
      return true;
    case AD_OP_FLOOR:
      *v = floor(a[0]);
      return true;
    case AD_OP_CEIL:
      *v = ceil(a[0]);
      return true;
    case AD_OP_TRUNC:
      *v = trunc(a[0]);
      return true;
    case AD_OP_ROUND:
      *v = rint(a[0]);
      return true;
    case AD_OP_RELU:
      *v = a[0] <= 0 ? 0 : a[0];
      return true;
    case AD_OP_MAX:
      *v = a[0] >= a[1] || isnan(a[0]) ? a[0] : a[1];
      return true;
    case AD_OP_MIN:
      *v = a[0] <= a[1] || isnan(a[0]) ? a[0] : a[1];
      return true;
    case AD_OP_SQRT:
      *v = sqrt(a[0]);
      return true;
    case AD_OP_RECIP:
      *v = 1 / a[0];
      return true;
    case AD_OP_ADD:
      *v = a[0] + a[1];
      return true;
    case AD_OP_SUB:
      *v = a[0] - a[1];
      return true;
    case AD_OP_MUL:
      *v = a[0] * a[1];
      return true;
    case AD_OP_DIV:
      *v = a[0] / a[1];
      return true;
    default:
      return false;
  }
}

static bool compare(ad_op op, double x, double y) {
  switch (op) {
    case AD_OP_LESS:
      return x < y;
    case AD_OP_LESS_EQUAL:
      return x <= y;
    case AD_OP_GREATER:
      return x > y;
    case AD_OP_GREATER_EQUAL:
      return x >= y;
    case AD_OP_EQUAL:
      return x == y;
    default:
      return x != y;
  }
}

static bool compare_integers(ad_op op, int64_t x, int64_t y) {
  return compare(op, x < y ? -1 : x > y, 0);
}

typedef struct operand {
  const ad_onnx_value *value;
  int64_t stride[AD_MAX_RANK];
} operand;

/* Element o of the result; false: not to be folded. */
static bool fold_one(ad_op op, size_t count, const ad_onnx_element *a, bool real, bool real_result,
                     ad_onnx_element *v) {
  int64_t i[3] = {0};
  double r[3] = {0};
  for (size_t k = 0; k < count; k++)
    if (real)
      r[k] = a[k].r;
    else
      i[k] = a[k].i;
  if (op == AD_OP_WHERE) {
    *v = a[0].i ? a[1] : a[2];
    return true;
  }
  if (op >= AD_OP_LESS && op <= AD_OP_NOT_EQUAL) {
    v->i = real ? compare(op, r[0], r[1]) : compare_integers(op, i[0], i[1]);
    return true;
  }
  return real && real_result ? fold_real(op, r, &v->r) : !real && fold_integer(op, i, &v->i);
}

bool ad_onnx_fold(ad_onnx_build *b, ad_onnx_value *out, ad_op op, size_t count, const ad_onnx_value *args) {
  const ad_shape *shapes[3];
  operand x[3];
  ad_shape shape;
  int64_t lo, hi;
  const bool comparison = op >= AD_OP_LESS && op <= AD_OP_NOT_EQUAL;
  const ad_onnx_value *first = &args[op == AD_OP_WHERE];
  const bool real = ad_onnx_is_real(first->type);
  const int type = comparison ? AD_ONNX_BOOL : first->type;
  if (op == AD_OP_WHERE && ad_onnx_is_real(args[0].type)) return false;
  for (size_t k = op == AD_OP_WHERE; k < count; k++)
    if (ad_onnx_is_real(args[k].type) != real) return false;
  for (size_t k = 0; k < count; k++) shapes[k] = &args[k].shape;
  ad_onnx_check(b, ad_infer_broadcast_shapes(&shape, shapes, count, ad_op_get(op)->name, b->e));
  if (b->status) return true;
  { /* whether it can be done at all, before there is room for it */
    ad_onnx_element probe[3] = {{.i = 1}, {.i = 1}, {.i = 1}}, v;
    for (int k = 0; k < 3 && real; k++) probe[k].r = 1;
    if (op == AD_OP_WHERE) probe[0].i = 1;
    if (!fold_one(op, count, probe, real, real, &v)) return false;
  }
  ad_onnx_type_range(type, &lo, &hi);
  *out = ad_onnx_known(b, type, &shape);
  for (size_t k = 0; out->data && k < count; k++) {
    int64_t own[AD_MAX_RANK];
    const int more = shape.rank - args[k].shape.rank;
    ad_onnx_strides(&args[k].shape, own);
    for (int d = 0; d < shape.rank; d++)
      x[k].stride[d] = d < more || args[k].shape.dim[d - more] == 1 ? 0 : own[d - more];
    x[k].value = &args[k];
  }
  for (int64_t o = 0, n = out->data ? ad_shape_size(&shape) : 0; o < n; o++) {
    int64_t index[AD_MAX_RANK];
    ad_onnx_element a[3] = {{0}}, *v = &out->data->v[o];
    ad_onnx_unravel(&shape, o, index);
    for (size_t k = 0; k < count; k++) {
      int64_t at = 0;
      for (int d = 0; d < shape.rank; d++) at += index[d] * x[k].stride[d];
      a[k] = x[k].value->data->v[at];
    }
    const bool done = fold_one(op, count, a, real, real, v);
    if (real && !comparison && type != AD_ONNX_DOUBLE) v->r = (double)(float)v->r;
    if (!done || (ad_onnx_is_integer(type) && (v->i < lo || v->i > hi))) {
      ad_onnx_fail(b, "%s of integers has no result that %s can hold", ad_op_get(op)->name, ad_onnx_type_name(type));
      return true;
    }
  }
  return true;
}
