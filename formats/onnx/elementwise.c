/* Elementwise operators: rows of the operation table, and what becomes of types and old ways to broadcast. */
#include <math.h>
#include <string.h>

#include "onnx/operators.h"

void ad_onnx_lower_unary(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_unary(b, c->row->op, c->in[0]);
}

/* Before version 7 only the second operand was broadcast, where an attribute said so, and from an axis on. */
static void broadcast_second(ad_onnx_build *b, ad_onnx_call *c) {
  if (b->opset >= 7 || !ad_onnx_int(b, c, "broadcast", 0)) return;
  const int rank = c->in[0].shape.rank, own = c->in[1].shape.rank;
  const int axis = ad_onnx_has(c, "axis") ? ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 0), rank) : rank - own;
  ad_shape shape = {.rank = rank};
  if (!b->status && (axis < 0 || axis + own > rank)) ad_onnx_fail(b, "the second operand has too many axes");
  for (int i = 0; i < rank && !b->status; i++)
    shape.dim[i] = i < axis || i >= axis + own ? 1 : c->in[1].shape.dim[i - axis];
  c->in[1] = ad_onnx_reshape(b, c->in[1], &shape);
}

void ad_onnx_lower_binary(ad_onnx_build *b, ad_onnx_call *c) {
  broadcast_second(b, c);
  c->out[0] = ad_onnx_binary(b, c->row->op, c->in[0], c->in[1]);
}

void ad_onnx_lower_pow(ad_onnx_build *b, ad_onnx_call *c) {
  broadcast_second(b, c);
  const bool real = ad_onnx_is_real(c->in[0].type), whole = !ad_onnx_is_real(c->in[1].type);
  c->out[0] = ad_onnx_binary(b, AD_OP_POW, c->in[0], c->in[1]);
  if (real || c->out[0].data) return;
  /* an integer again; powers with integers as exponents are integers already, but for the last bit */
  c->out[0] = ad_onnx_unary(b, whole ? AD_OP_ROUND : AD_OP_TRUNC, c->out[0]);
}

/* Without fmod the result has the sign of the divisor. */
void ad_onnx_lower_mod(ad_onnx_build *b, ad_onnx_call *c) {
  const int64_t fmod = ad_onnx_int(b, c, "fmod", 0);
  if (!fmod && ad_onnx_is_real(c->in[0].type)) ad_onnx_fail(b, "real operands need fmod = 1");
  c->out[0] = ad_onnx_binary(b, AD_OP_REM, c->in[0], c->in[1]);
  if (fmod) return;
  c->out[0] = ad_onnx_binary(b, AD_OP_ADD, c->out[0], c->in[1]);
  c->out[0] = ad_onnx_binary(b, AD_OP_REM, c->out[0], c->in[1]);
}

/* Truth values are 0 and 1. */
void ad_onnx_lower_logical(ad_onnx_build *b, ad_onnx_call *c) {
  broadcast_second(b, c);
  if (c->in[0].type != AD_ONNX_BOOL || c->in[1].type != AD_ONNX_BOOL) ad_onnx_fail(b, "the operands must be of bool");
  c->out[0] = ad_onnx_binary(b, c->row->op, c->in[0], c->in[1]);
}

void ad_onnx_lower_not(ad_onnx_build *b, ad_onnx_call *c) {
  if (c->in[0].type != AD_ONNX_BOOL) ad_onnx_fail(b, "the operand must be of bool");
  c->out[0] = ad_onnx_binary(b, AD_OP_SUB, ad_onnx_number(b, AD_ONNX_BOOL, 1), c->in[0]);
}

void ad_onnx_lower_where(ad_onnx_build *b, ad_onnx_call *c) {
  if (c->in[0].type != AD_ONNX_BOOL) ad_onnx_fail(b, "the condition must be of bool");
  c->out[0] = ad_onnx_where(b, c->in[0], c->in[1], c->in[2]);
}

void ad_onnx_lower_variadic(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = c->in[0];
  for (size_t i = 1; i < c->inputs; i++) c->out[0] = ad_onnx_binary(b, c->row->op, c->out[0], c->in[i]);
}

void ad_onnx_lower_mean(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_lower_variadic(b, c);
  if (c->inputs > 1) c->out[0] = ad_onnx_with(b, AD_OP_DIV, c->out[0], (double)c->inputs);
}

void ad_onnx_lower_clip(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value x = c->in[0], lo = c->in[1], hi = c->in[2];
  if (ad_onnx_has(c, "min")) lo = ad_onnx_float_number(b, x.type, ad_onnx_float(b, c, "min", 0));
  if (ad_onnx_has(c, "max")) hi = ad_onnx_float_number(b, x.type, ad_onnx_float(b, c, "max", 0));
  if (lo.type && hi.type)
    x = ad_onnx_elementwise(b, AD_OP_CLIP, 3, (ad_onnx_value[]){x, lo, hi});
  else if (lo.type)
    x = ad_onnx_binary(b, AD_OP_MAX, x, lo);
  else if (hi.type)
    x = ad_onnx_binary(b, AD_OP_MIN, x, hi);
  c->out[0] = x;
}

void ad_onnx_lower_cast(ad_onnx_build *b, ad_onnx_call *c) {
  const int64_t to = ad_onnx_int(b, c, "to", 0);
  if (!b->status && (to < 0 || to > INT32_MAX || !strcmp(ad_onnx_type_name((int)to), "string")))
    ad_onnx_refuse(b, "a conversion to text");
  c->out[0] = ad_onnx_cast(b, c->in[0], (int)to);
}

void ad_onnx_lower_cast_like(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_cast(b, c->in[0], c->in[1].type);
}

/* Tensors are optional values that are there. */
void ad_onnx_lower_has_element(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_number(b, AD_ONNX_BOOL, ad_onnx_given(c, 0));
}

void ad_onnx_lower_identity(ad_onnx_build *b, ad_onnx_call *c) {
  (void)b;
  c->out[0] = c->in[0];
}

/* Dropout does nothing but in training. */
void ad_onnx_lower_dropout(ad_onnx_build *b, ad_onnx_call *c) {
  double ratio = ad_onnx_float(b, c, "ratio", 0.5);
  bool training = b->opset < 7 && !ad_onnx_int(b, c, "is_test", 0);
  if (ad_onnx_given(c, 1)) {
    ad_onnx_need_known(b, &c->in[1], "the ratio");
    ratio = b->status ? 0 : ad_onnx_element_double(&c->in[1], 0);
  }
  if (ad_onnx_given(c, 2)) training = ad_onnx_operand_int(b, c, 2, "training_mode") != 0;
  if (training && ratio != 0) ad_onnx_refuse(b, "Dropout in training: its result is random");
  c->out[0] = c->in[0];
  if (!ad_onnx_wanted(c, 1)) return;
  c->out[1] = ad_onnx_known(b, b->opset < 10 ? c->in[0].type : AD_ONNX_BOOL, &c->in[0].shape);
  for (int64_t i = 0; c->out[1].data && i < ad_shape_size(&c->in[0].shape); i++) ad_onnx_set(&c->out[1], i, 1);
}

void ad_onnx_lower_is_inf(ad_onnx_build *b, ad_onnx_call *c) {
  const bool negative = ad_onnx_int(b, c, "detect_negative", 1), positive = ad_onnx_int(b, c, "detect_positive", 1);
  ad_onnx_value x = c->in[0];
  if (negative && positive) x = ad_onnx_unary(b, AD_OP_ABS, x);
  if (negative || positive)
    c->out[0] = ad_onnx_with(b, AD_OP_EQUAL, x, positive ? INFINITY : -INFINITY);
  else
    c->out[0] = ad_onnx_known(b, AD_ONNX_BOOL, &x.shape);
}

void ad_onnx_lower_is_nan(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_binary(b, AD_OP_NOT_EQUAL, c->in[0], c->in[0]);
}
