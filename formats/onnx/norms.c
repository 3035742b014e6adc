/* Normalisations. */
#include "onnx/operators.h"
#include "onnx/reductions.h"

static ad_onnx_value mean(ad_onnx_build *b, ad_onnx_value x, unsigned axes) {
  return ad_onnx_reduce(b, AD_OP_MEAN, x, axes, true);
}

/* A vector of channels, to broadcast to a tensor of this rank. */
static ad_onnx_value channels(ad_onnx_build *b, ad_onnx_value v, int rank) {
  ad_shape shape = {.rank = rank > 1 ? rank - 1 : 1};
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = i || rank < 2 ? 1 : ad_shape_size(&v.shape);
  if (rank < 2) shape.dim[0] = ad_shape_size(&v.shape);
  return ad_onnx_reshape(b, v, &shape);
}

typedef struct moments {
  ad_onnx_value mean, centred, variance;
} moments;

static moments moments_of(ad_onnx_build *b, ad_onnx_value x, unsigned axes) {
  moments m = {.mean = mean(b, x, axes)};
  m.centred = ad_onnx_binary(b, AD_OP_SUB, x, m.mean);
  m.variance = mean(b, ad_onnx_binary(b, AD_OP_MUL, m.centred, m.centred), axes);
  return m;
}

/* centred / sqrt(variance + epsilon) */
static ad_onnx_value deviation(ad_onnx_build *b, ad_onnx_value variance, double epsilon) {
  return ad_onnx_unary(b, AD_OP_SQRT, ad_onnx_with_float(b, AD_OP_ADD, variance, epsilon));
}

static ad_onnx_value scaled(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value scale, ad_onnx_value shift) {
  x = ad_onnx_binary(b, AD_OP_MUL, x, scale);
  return shift.type ? ad_onnx_binary(b, AD_OP_ADD, x, shift) : x;
}

/* momentum * old + (1 - momentum) * new */
static ad_onnx_value running(ad_onnx_build *b, ad_onnx_value old, ad_onnx_value new, double momentum) {
  ad_onnx_value x = ad_onnx_with_float(b, AD_OP_MUL, old, momentum);
  new = ad_onnx_reshape(b, new, &old.shape);
  return ad_onnx_binary(b, AD_OP_ADD, x, ad_onnx_with_float(b, AD_OP_MUL, new, 1 - momentum));
}

void ad_onnx_lower_batch_normalization(ad_onnx_build *b, ad_onnx_call *c) {
  const double epsilon = ad_onnx_float(b, c, "epsilon", (double)1e-5f);
  const double momentum = ad_onnx_float(b, c, "momentum", (double)0.9f);
  const int rank = c->in[0].shape.rank;
  if (!ad_onnx_int(b, c, "spatial", 1)) ad_onnx_refuse(b, "spatial = 0");
  moments m = {.mean = channels(b, c->in[3], rank), .variance = channels(b, c->in[4], rank)};
  if (ad_onnx_int(b, c, "training_mode", 0)) {
    m = moments_of(b, c->in[0], ((1u << rank) - 1) & ~2u);
    c->out[1] = running(b, c->in[3], m.mean, momentum);
    c->out[2] = running(b, c->in[4], m.variance, momentum);
  } else {
    m.centred = ad_onnx_binary(b, AD_OP_SUB, c->in[0], m.mean);
  }
  ad_onnx_value y = ad_onnx_binary(b, AD_OP_DIV, m.centred, deviation(b, m.variance, epsilon));
  c->out[0] = scaled(b, y, channels(b, c->in[1], rank), channels(b, c->in[2], rank));
}

void ad_onnx_lower_instance_normalization(ad_onnx_build *b, ad_onnx_call *c) {
  const int rank = c->in[0].shape.rank;
  ad_onnx_need_rank(b, c, 0, 3);
  const moments m = moments_of(b, c->in[0], ((1u << rank) - 1) & ~3u);
  const double epsilon = ad_onnx_float(b, c, "epsilon", (double)1e-5f);
  ad_onnx_value y = ad_onnx_binary(b, AD_OP_DIV, m.centred, deviation(b, m.variance, epsilon));
  c->out[0] = scaled(b, y, channels(b, c->in[1], rank), channels(b, c->in[2], rank));
}

/* Scale and shift belonged to groups in version 18, and to channels since 21. */
void ad_onnx_lower_group_normalization(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape shape = c->in[0].shape;
  const int64_t groups = ad_onnx_int(b, c, "num_groups", 0);
  ad_onnx_need_rank(b, c, 0, 2);
  if (!b->status && (groups < 1 || shape.dim[1] % groups)) ad_onnx_fail(b, "%lld groups don't fit", (long long)groups);
  const bool by_group = b->opset < 21;
  for (size_t i = 1; i < 3 && !b->status; i++)
    if (ad_shape_size(&c->in[i].shape) != (by_group ? groups : shape.dim[1]))
      ad_onnx_fail(b, "operand %zu must have one element for each %s", i, by_group ? "group" : "channel");
  if (b->status) return;
  ad_shape grouped = {3, {shape.dim[0], groups, shape.dim[1] / groups}};
  for (int i = 2; i < shape.rank; i++) grouped.dim[2] *= shape.dim[i];
  const moments m = moments_of(b, ad_onnx_reshape(b, c->in[0], &grouped), 1u << 2);
  const double epsilon = ad_onnx_float(b, c, "epsilon", (double)1e-5f);
  ad_onnx_value y = ad_onnx_binary(b, AD_OP_DIV, m.centred, deviation(b, m.variance, epsilon));
  if (!by_group) y = ad_onnx_reshape(b, y, &shape);
  const int rank = y.shape.rank;
  c->out[0] = ad_onnx_reshape(b, scaled(b, y, channels(b, c->in[1], rank), channels(b, c->in[2], rank)), &shape);
}

void ad_onnx_lower_layer_normalization(ad_onnx_build *b, ad_onnx_call *c) {
  const int rank = c->in[0].shape.rank, axis = ad_onnx_axis(b, ad_onnx_int(b, c, "axis", -1), rank);
  const moments m = moments_of(b, c->in[0], ((1u << rank) - 1) & ~((1u << axis) - 1));
  ad_onnx_value d = deviation(b, m.variance, ad_onnx_float(b, c, "epsilon", (double)1e-5f));
  c->out[0] = scaled(b, ad_onnx_binary(b, AD_OP_DIV, m.centred, d), c->in[1], c->in[2]);
  c->out[1] = m.mean;
  if (ad_onnx_wanted(c, 2)) c->out[2] = ad_onnx_unary(b, AD_OP_RECIP, d);
}

void ad_onnx_lower_mean_variance_normalization(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t usual[] = {0, 2, 3};
  int64_t count;
  const int64_t *axes = ad_onnx_ints(b, c, "axes", &count);
  const unsigned mask = ad_onnx_axes(b, axes ? axes : usual, axes ? count : 3, c->in[0].shape.rank);
  const moments m = moments_of(b, c->in[0], mask);
  ad_onnx_value d = ad_onnx_with_float(b, AD_OP_ADD, ad_onnx_unary(b, AD_OP_SQRT, m.variance), (double)1e-9f);
  c->out[0] = ad_onnx_binary(b, AD_OP_DIV, m.centred, d);
}

void ad_onnx_lower_lp_normalization(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_onnx_value x = c->in[0];
  const int64_t p = ad_onnx_int(b, c, "p", 2);
  const unsigned axis = 1u << ad_onnx_axis(b, ad_onnx_int(b, c, "axis", -1), x.shape.rank);
  if (p != 1 && p != 2) ad_onnx_fail(b, "p must be 1 or 2");
  c->out[0] = ad_onnx_normalised(b, x, p, axis);
}

/* Divides by a power of the sum of squares over neighbouring channels. */
void ad_onnx_lower_lrn(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_onnx_value x = c->in[0];
  const int64_t size = ad_onnx_int(b, c, "size", 0), n = x.shape.rank > 1 ? x.shape.dim[1] : 0;
  const double alpha = ad_onnx_float(b, c, "alpha", (double)1e-4f), beta = ad_onnx_float(b, c, "beta", 0.75);
  ad_onnx_need_rank(b, c, 0, 3);
  if (x.shape.rank == AD_MAX_RANK) ad_onnx_refuse(b, "an operand of rank %d", AD_MAX_RANK);
  if (size < 1 || size > 1 << 20) ad_onnx_fail(b, "the size %lld is out of range", (long long)size);
  int64_t *t = b->status ? NULL : ad_onnx_room(b, (uint64_t)size * (uint64_t)n + 1, sizeof *t);
  for (int64_t k = 0; t && k < size; k++)
    for (int64_t i = 0; i < n; i++) {
      const int64_t j = i + k - (size - 1) / 2;
      t[k * n + i] = j < 0 || j >= n ? n : j;
    }
  if (!t) return;
  ad_shape one = x.shape;
  one.dim[1] = 1;
  const ad_onnx_value parts[] = {ad_onnx_binary(b, AD_OP_MUL, x, x), ad_onnx_full(b, x.type, &one, 0)};
  ad_onnx_value s = ad_onnx_gather(b, ad_onnx_concat(b, 2, parts, 1), 1, &(ad_shape){2, {size, n}}, t);
  s = ad_onnx_with_float(b, AD_OP_MUL, ad_onnx_reduce(b, AD_OP_SUM, s, 1u << 1, false), alpha);
  s = ad_onnx_with(b, AD_OP_DIV, s, (double)size);
  s = ad_onnx_with_float(b, AD_OP_ADD, s, ad_onnx_float(b, c, "bias", 1));
  c->out[0] = ad_onnx_binary(b, AD_OP_DIV, x, ad_onnx_with_float(b, AD_OP_POW, s, beta));
}
