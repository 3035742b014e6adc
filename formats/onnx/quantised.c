/* Linear quantisation: steps, whose derivative is 0, and back. */
#include "onnx/operators.h"

/* A scale or zero point that belongs to the whole operand, to places of an axis, or to blocks along it. */
static ad_onnx_value spread(ad_onnx_build *b, const ad_onnx_call *c, ad_onnx_value v) {
  const ad_shape *x = &c->in[0].shape;
  const int64_t block = ad_onnx_int(b, c, "block_size", 0);
  if (b->status || !v.type) return v;
  if (!block && ad_shape_size(&v.shape) == 1) return ad_onnx_reshape(b, v, &(ad_shape){0});
  const int axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", 1), x->rank);
  ad_shape shape = {.rank = x->rank};
  for (int i = 0; i < x->rank; i++) shape.dim[i] = i == axis || block ? x->dim[i] : 1;
  if (b->status) return v;
  if (!block) {
    if (v.shape.rank != 1 || v.shape.dim[0] != x->dim[axis])
      ad_onnx_fail(b, "the scale or zero point doesn't fit axis %d", axis);
    return b->status ? v : ad_onnx_reshape(b, v, &shape);
  }
  const int64_t n = x->dim[axis];
  shape.dim[axis] = block > 0 && n ? 1 + (n - 1) / block : 0;
  if (block < 0 || !ad_shape_equal(&shape, &v.shape)) {
    ad_onnx_fail(b, "the scale or zero point doesn't fit blocks of %lld along axis %d", (long long)block, axis);
    return v;
  }
  int64_t *index = ad_onnx_room(b, (uint64_t)n + 1, sizeof *index);
  for (int64_t i = 0; index && i < n; i++) index[i] = i / block;
  return index ? ad_onnx_gather(b, v, axis, &(ad_shape){1, {n}}, index) : v;
}

/* round(x / scale) + zero, within the range of the type; halves go to even. */
static ad_onnx_value quantised(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value scale, ad_onnx_value zero, int type) {
  int64_t lo, hi;
  ad_onnx_type_range(type, &lo, &hi);
  x = ad_onnx_unary(b, AD_OP_ROUND, ad_onnx_binary(b, AD_OP_DIV, x, scale));
  if (zero.type) x = ad_onnx_binary(b, AD_OP_ADD, x, ad_onnx_cast(b, zero, x.type));
  x = ad_onnx_elementwise(
      b, AD_OP_CLIP, 3,
      (ad_onnx_value[]){x, ad_onnx_number(b, x.type, (double)lo), ad_onnx_number(b, x.type, (double)hi)});
  return ad_onnx_cast(b, x, type);
}

void ad_onnx_lower_quantize(ad_onnx_build *b, ad_onnx_call *c) {
  const int64_t said = ad_onnx_int(b, c, "output_dtype", 0);
  const int usual = said > 0 && said < INT32_MAX ? (int)said : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
  const int type = ad_onnx_given(c, 2) ? c->in[2].type : usual;
  int64_t lo, hi;
  ad_onnx_type_range(type, &lo, &hi);
  if (!ad_onnx_is_integer(type) || hi > UINT16_MAX) ad_onnx_refuse(b, "quantisation to %s", ad_onnx_type_name(type));
  if (!ad_onnx_is_real(c->in[0].type)) c->in[0] = ad_onnx_cast(b, c->in[0], c->in[1].type);
  c->out[0] = quantised(b, c->in[0], spread(b, c, c->in[1]), spread(b, c, c->in[2]), type);
}

void ad_onnx_lower_dequantize(ad_onnx_build *b, ad_onnx_call *c) {
  const int64_t said = ad_onnx_int(b, c, "output_dtype", 0);
  const int type = c->in[1].type;
  if (said && !ad_onnx_is_real(said > 0 && said < INT32_MAX ? (int)said : 0))
    ad_onnx_refuse(b, "output_dtype = %lld", (long long)said);
  ad_onnx_value x = ad_onnx_cast(b, c->in[0], type), zero = spread(b, c, c->in[2]);
  if (zero.type) x = ad_onnx_binary(b, AD_OP_SUB, x, ad_onnx_cast(b, zero, type));
  x = ad_onnx_binary(b, AD_OP_MUL, x, spread(b, c, c->in[1]));
  c->out[0] = said ? ad_onnx_cast(b, x, (int)said) : x;
}

/* To uint8, by a scale from the range of the operand and 0. */
void ad_onnx_lower_dynamic_quantize(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_onnx_value x = c->in[0];
  const unsigned all = (1u << x.shape.rank) - 1;
  const int type = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
  const ad_onnx_value most = ad_onnx_with(b, AD_OP_MAX, ad_onnx_reduce(b, AD_OP_REDUCE_MAX, x, all, false), 0);
  const ad_onnx_value least = ad_onnx_with(b, AD_OP_MIN, ad_onnx_reduce(b, AD_OP_REDUCE_MIN, x, all, false), 0);
  c->out[1] = ad_onnx_with(b, AD_OP_DIV, ad_onnx_binary(b, AD_OP_SUB, most, least), 255);
  c->out[2] = quantised(b, ad_onnx_unary(b, AD_OP_NEG, least), c->out[1], (ad_onnx_value){0}, type);
  c->out[0] = quantised(b, x, c->out[1], c->out[2], type);
}
