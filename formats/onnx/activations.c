/* Activations and the softmax family, as formulas of operations. */
#include <string.h>

#include "onnx/operators.h"
#include "onnx/selection.h"

static ad_onnx_value zero_of(ad_onnx_build *b, const ad_onnx_value *x) {
  return ad_onnx_number(b, x->type, 0);
}

/* x where x > 0, else y */
static ad_onnx_value where_positive(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value y) {
  return ad_onnx_where(b, ad_onnx_with(b, AD_OP_GREATER, x, 0), x, y);
}

static ad_onnx_value elu(ad_onnx_build *b, ad_onnx_value x, double alpha) {
  ad_onnx_value y = ad_onnx_unary(b, AD_OP_EXPM1, x);
  if (alpha != 1) y = ad_onnx_with_float(b, AD_OP_MUL, y, alpha);
  return where_positive(b, x, y);
}

void ad_onnx_lower_elu(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = elu(b, c->in[0], ad_onnx_float(b, c, "alpha", 1));
}

void ad_onnx_lower_selu(ad_onnx_build *b, ad_onnx_call *c) {
  const bool old = b->opset < 6; /* the constants had fewer digits */
  const double alpha = ad_onnx_float(b, c, "alpha", old ? (double)1.6732f : (double)1.67326319217681884765625f);
  const double gamma = ad_onnx_float(b, c, "gamma", old ? (double)1.0507f : (double)1.05070102214813232421875f);
  c->out[0] = ad_onnx_with_float(b, AD_OP_MUL, elu(b, c->in[0], alpha), gamma);
}

void ad_onnx_lower_celu(ad_onnx_build *b, ad_onnx_call *c) {
  const double alpha = ad_onnx_float(b, c, "alpha", 1);
  ad_onnx_value y = ad_onnx_with_float(b, AD_OP_DIV, c->in[0], alpha);
  y = ad_onnx_with_float(b, AD_OP_MUL, ad_onnx_unary(b, AD_OP_EXPM1, y), alpha);
  c->out[0] = where_positive(b, c->in[0], y);
}

static ad_onnx_value clip01(ad_onnx_build *b, ad_onnx_value x) {
  return ad_onnx_elementwise(b, AD_OP_CLIP, 3, (ad_onnx_value[]){x, zero_of(b, &x), ad_onnx_number(b, x.type, 1)});
}

void ad_onnx_lower_hard_sigmoid(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value y = ad_onnx_with_float(b, AD_OP_MUL, c->in[0], ad_onnx_float(b, c, "alpha", (double)0.2f));
  c->out[0] = clip01(b, ad_onnx_with_float(b, AD_OP_ADD, y, ad_onnx_float(b, c, "beta", 0.5)));
}

void ad_onnx_lower_hard_swish(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value y = ad_onnx_with(b, AD_OP_DIV, c->in[0], 6);
  y = clip01(b, ad_onnx_with(b, AD_OP_ADD, y, 0.5));
  c->out[0] = ad_onnx_binary(b, AD_OP_MUL, c->in[0], y);
}

void ad_onnx_lower_leaky_relu(ad_onnx_build *b, ad_onnx_call *c) {
  const double alpha = ad_onnx_float(b, c, "alpha", (double)0.01f);
  c->out[0] = ad_onnx_with_float(b, AD_OP_LEAKY_RELU, c->in[0], alpha);
}

/* Before version 7 a slope of one axis belonged to channels. */
void ad_onnx_lower_prelu(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value slope = c->in[1];
  const int rank = c->in[0].shape.rank;
  if (b->opset < 7 && slope.shape.rank == 1 && slope.shape.dim[0] != 1 && rank > 1) {
    ad_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++) shape.dim[i] = i == 1 ? slope.shape.dim[0] : 1;
    slope = ad_onnx_reshape(b, slope, &shape);
  }
  c->out[0] = ad_onnx_binary(b, AD_OP_LEAKY_RELU, c->in[0], slope);
}

void ad_onnx_lower_gelu(ad_onnx_build *b, ad_onnx_call *c) {
  const char *how = ad_onnx_word(b, c, "approximate", "none");
  const ad_onnx_value x = c->in[0];
  if (!strcmp(how, "none")) {
    c->out[0] = ad_onnx_unary(b, AD_OP_GELU, x);
    return;
  }
  if (strcmp(how, "tanh") != 0) ad_onnx_refuse(b, "the approximation '%.40s'", how);
  const double slope = 1.595769121605730711759784239738; /* 2 sqrt(2 / pi) */
  ad_onnx_value y = ad_onnx_with(b, AD_OP_MUL, ad_onnx_with(b, AD_OP_POW, x, 3), 0.044715);
  y = ad_onnx_with(b, AD_OP_MUL, ad_onnx_binary(b, AD_OP_ADD, x, y), slope);
  /* (1 + tanh(y / 2)) / 2 is sigmoid(y), where nothing cancels */
  c->out[0] = ad_onnx_binary(b, AD_OP_MUL, x, ad_onnx_unary(b, AD_OP_SIGMOID, y));
}

void ad_onnx_lower_mish(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_onnx_value y = ad_onnx_unary(b, AD_OP_TANH, ad_onnx_unary(b, AD_OP_SOFTPLUS, c->in[0]));
  c->out[0] = ad_onnx_binary(b, AD_OP_MUL, c->in[0], y);
}

void ad_onnx_lower_softsign(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value y = ad_onnx_with(b, AD_OP_ADD, ad_onnx_unary(b, AD_OP_ABS, c->in[0]), 1);
  c->out[0] = ad_onnx_binary(b, AD_OP_DIV, c->in[0], y);
}

void ad_onnx_lower_thresholded_relu(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_value above = ad_onnx_with_float(b, AD_OP_GREATER, c->in[0], ad_onnx_float(b, c, "alpha", 1));
  c->out[0] = ad_onnx_where(b, above, c->in[0], zero_of(b, &c->in[0]));
}

void ad_onnx_lower_shrink(ad_onnx_build *b, ad_onnx_call *c) {
  const double lambda = ad_onnx_float(b, c, "lambd", 0.5), bias = ad_onnx_float(b, c, "bias", 0);
  const ad_onnx_value x = c->in[0], below = ad_onnx_with_float(b, AD_OP_LESS, x, -lambda);
  const ad_onnx_value above = ad_onnx_with_float(b, AD_OP_GREATER, x, lambda);
  ad_onnx_value y = ad_onnx_where(b, above, ad_onnx_with_float(b, AD_OP_SUB, x, bias), zero_of(b, &x));
  c->out[0] = ad_onnx_where(b, below, ad_onnx_with_float(b, AD_OP_ADD, x, bias), y);
}

/* ---- The softmax family: along one axis, before version 13 along all from one on */

typedef struct rows {
  ad_onnx_value x;
  int axis;
  ad_shape shape; /* as it was */
} rows;

static rows rows_of(ad_onnx_build *b, const ad_onnx_call *c) {
  const ad_shape *s = &c->in[0].shape;
  rows r = {c->in[0], 0, *s};
  int64_t axis = ad_onnx_int(b, c, "axis", b->opset < 13 ? 1 : -1);
  if (b->opset < 13 && axis == s->rank) { /* rows of one element */
    r.x = ad_onnx_reshape(b, r.x, &(ad_shape){2, {ad_shape_size(s), 1}});
    r.axis = 1;
    return r;
  }
  r.axis = ad_onnx_axis(b, axis, s->rank);
  if (b->opset >= 13 || r.axis == s->rank - 1) return r;
  ad_shape flat = {2, {1, 1}};
  for (int i = 0; i < s->rank; i++) flat.dim[i >= r.axis] *= s->dim[i];
  r.x = ad_onnx_reshape(b, r.x, &flat);
  r.axis = 1;
  return r;
}

void ad_onnx_lower_softmax(ad_onnx_build *b, ad_onnx_call *c) {
  const rows r = rows_of(b, c);
  c->out[0] = ad_onnx_reshape(b, ad_onnx_along(b, AD_OP_SOFTMAX, r.x, r.axis), &r.shape);
}

void ad_onnx_lower_log_softmax(ad_onnx_build *b, ad_onnx_call *c) {
  const rows r = rows_of(b, c);
  ad_onnx_value sum = ad_onnx_reduce(b, AD_OP_LOGSUMEXP, r.x, 1u << r.axis, true);
  c->out[0] = ad_onnx_reshape(b, ad_onnx_binary(b, AD_OP_SUB, r.x, sum), &r.shape);
}

/* 1 at the first of the largest. */
void ad_onnx_lower_hardmax(ad_onnx_build *b, ad_onnx_call *c) {
  const rows r = rows_of(b, c);
  const int type = c->in[0].type;
  ad_onnx_value most = ad_onnx_reduce(b, AD_OP_REDUCE_MAX, r.x, 1u << r.axis, true);
  ad_onnx_value first = ad_onnx_first(b, ad_onnx_binary(b, AD_OP_EQUAL, r.x, most), r.axis, false);
  c->out[0] = ad_onnx_reshape(b, ad_onnx_cast(b, first, type), &r.shape);
}
