/* Operators whose result is known when the model is loaded. */
#include <math.h>

#include "onnx/operators.h"

void ad_onnx_lower_constant(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  if (ad_onnx_has(c, "value")) {
    const Onnx__TensorProto *t = ad_onnx_tensor_of(b, c, "value");
    if (t) c->out[0] = ad_onnx_tensor(b, t);
  } else if (ad_onnx_has(c, "value_float")) {
    c->out[0] = ad_onnx_float_number(b, AD_ONNX_FLOAT, ad_onnx_float(b, c, "value_float", 0));
  } else if (ad_onnx_has(c, "value_floats")) {
    const float *v = ad_onnx_floats(b, c, "value_floats", &count);
    c->out[0] = ad_onnx_known(b, AD_ONNX_FLOAT, &(ad_shape){1, {count}});
    for (int64_t i = 0; i < count && !b->status; i++) c->out[0].data->v[i].r = (double)v[i];
  } else if (ad_onnx_has(c, "value_int")) {
    c->out[0] = ad_onnx_known(b, AD_ONNX_INT64, &(ad_shape){0});
    if (!b->status) c->out[0].data->v[0].i = ad_onnx_int(b, c, "value_int", 0);
  } else {
    const int64_t *v = ad_onnx_ints(b, c, "value_ints", &count);
    if (!v) ad_onnx_fail(b, "no value");
    if (v) c->out[0] = ad_onnx_integers(b, v, count);
  }
}

void ad_onnx_lower_constant_of_shape(ad_onnx_build *b, ad_onnx_call *c) {
  int64_t count;
  const int64_t *size = ad_onnx_operand_ints(b, c, 0, "the shape", &count);
  if (!size) return;
  if (count > AD_MAX_RANK) ad_onnx_refuse(b, "a tensor of rank %lld", (long long)count);
  const ad_shape shape = ad_onnx_shape((int)count, size);
  const Onnx__TensorProto *t = ad_onnx_tensor_of(b, c, "value");
  ad_onnx_value v = t ? ad_onnx_tensor(b, t) : ad_onnx_number(b, AD_ONNX_FLOAT, 0);
  if (!b->status && ad_shape_size(&v.shape) != 1) ad_onnx_fail(b, "the value must have one element");
  c->out[0] = ad_onnx_known(b, v.type, &shape);
  for (int64_t i = 0, n = b->status ? 0 : ad_shape_size(&shape); i < n; i++) c->out[0].data->v[i] = v.data->v[0];
}

void ad_onnx_lower_eye_like(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *s = &c->in[0].shape;
  const int64_t k = ad_onnx_int(b, c, "k", 0);
  if (s->rank != 2) ad_onnx_fail(b, "the operand must be a matrix");
  c->out[0] = ad_onnx_known(b, (int)ad_onnx_int(b, c, "dtype", c->in[0].type), s);
  for (int64_t i = 0; !b->status && i < s->dim[0]; i++)
    if (k > -s->dim[0] && k < s->dim[1] && i + k >= 0 && i + k < s->dim[1])
      ad_onnx_set(&c->out[0], i * s->dim[1] + i + k, 1);
}

void ad_onnx_lower_range(ad_onnx_build *b, ad_onnx_call *c) {
  const int type = c->in[0].type;
  static const char *const what[] = {"the start", "the limit", "the step"};
  double v[3];
  for (int i = 0; i < 3; i++) {
    ad_onnx_need_known(b, &c->in[i], what[i]);
    if (!b->status && (ad_shape_size(&c->in[i].shape) != 1 || c->in[i].type != type))
      ad_onnx_fail(b, "%s must be one number of the type of the others", what[i]);
    v[i] = b->status ? 0 : ad_onnx_element_double(&c->in[i], 0);
  }
  if (!b->status && v[2] == 0) ad_onnx_fail(b, "the step is 0");
  if (b->status) return;
  double n = ceil((v[1] - v[0]) / v[2]);
  if (!(n > 0)) n = 0;
  c->out[0] = ad_onnx_known(b, type, &(ad_shape){1, {n < 0x1p62 ? (int64_t)n : INT64_MAX}});
  for (int64_t i = 0; !b->status && i < (int64_t)n; i++)
    if (ad_onnx_is_real(type)) {
      const double x = v[0] + (double)i * v[2];
      c->out[0].data->v[i].r = type == AD_ONNX_DOUBLE ? x : (double)(float)x;
    } else {
      c->out[0].data->v[i].i = c->in[0].data->v[0].i + i * c->in[2].data->v[0].i;
    }
}

void ad_onnx_lower_shape(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *s = &c->in[0].shape;
  int64_t from = ad_onnx_int(b, c, "start", 0), to = ad_onnx_int(b, c, "end", s->rank);
  if (from < 0) from += s->rank;
  if (to < 0) to += s->rank;
  from = from < 0 ? 0 : from > s->rank ? s->rank : from;
  to = to < from ? from : to > s->rank ? s->rank : to;
  c->out[0] = ad_onnx_integers(b, s->dim + from, to - from);
}

void ad_onnx_lower_size(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_known(b, AD_ONNX_INT64, &(ad_shape){0});
  if (!b->status) c->out[0].data->v[0].i = ad_shape_size(&c->in[0].shape);
}

/* Triangles over the bins of a spectrum, whose corners are equally spaced on the mel scale. */
void ad_onnx_lower_mel_weight_matrix(ad_onnx_build *b, ad_onnx_call *c) {
  static const char *const what[] = {"the number of bands", "the length", "the rate", "the lower edge",
                                     "the upper edge"};
  double v[5], mel[2];
  for (int i = 0; i < 5; i++) {
    ad_onnx_need_known(b, &c->in[i], what[i]);
    if (!b->status && ad_shape_size(&c->in[i].shape) != 1) ad_onnx_fail(b, "%s must be one number", what[i]);
    v[i] = b->status ? 1 : ad_onnx_element_double(&c->in[i], 0);
    if (i > 2) mel[i - 3] = 2595 * log10(1 + v[i] / 700);
  }
  if (!(v[0] >= 1 && v[0] < 0x1p24 && v[1] >= 1 && v[1] < 0x1p32 && v[2] > 0 && isfinite(mel[0]) && isfinite(mel[1])))
    ad_onnx_fail(b, "the numbers of the matrix are out of range");
  const int64_t bands = b->status ? 0 : (int64_t)v[0], bins = b->status ? 0 : (int64_t)v[1] / 2 + 1;
  c->out[0] = ad_onnx_known(b, (int)ad_onnx_int(b, c, "output_datatype", AD_ONNX_FLOAT), &(ad_shape){2, {bins, bands}});
  for (int64_t i = 0; i < bands && !b->status; i++) {
    double corner[3];
    for (int k = 0; k < 3; k++) {
      const double m = mel[0] + (double)(i + k) * (mel[1] - mel[0]) / (double)(bands + 2);
      corner[k] = floor((v[1] + 1) * 700 * (pow(10, m / 2595) - 1) / v[2]);
    }
    if (!(corner[0] >= 0 && corner[0] <= corner[1] && corner[1] <= corner[2] && corner[1] < (double)bins &&
          corner[2] <= (double)bins)) {
      ad_onnx_fail(b, "the bands reach beyond the spectrum");
      return;
    }
    for (int64_t j = (int64_t)corner[0]; j < (int64_t)corner[2]; j++)
      ad_onnx_set(&c->out[0], j * bands + i,
                  (double)j < corner[1] ? ((double)j - corner[0]) / (corner[1] - corner[0])
                                        : (corner[2] - (double)j) / (corner[2] - corner[1]));
    ad_onnx_set(&c->out[0], (int64_t)corner[1] * bands + i, 1);
  }
}

/* a[0] + a[1] cos(2 pi i / n) + a[2] cos(4 pi i / n) */
static void window(ad_onnx_build *b, ad_onnx_call *c, double a0, double a1, double a2) {
  const int64_t size = ad_onnx_operand_int(b, c, 0, "the size");
  const bool periodic = ad_onnx_int(b, c, "periodic", 1) != 0;
  const double turn = 6.283185307179586477, n = (double)size - !periodic;
  c->out[0] = ad_onnx_known(b, (int)ad_onnx_int(b, c, "output_datatype", AD_ONNX_FLOAT), &(ad_shape){1, {size}});
  if (!b->status) c->out[0].data->dtype = AD_F64;
  for (int64_t i = 0; !b->status && i < size; i++) {
    const double x = turn * (double)i / n;
    ad_onnx_set(&c->out[0], i, a0 + a1 * cos(x) + a2 * cos(2 * x));
  }
}

void ad_onnx_lower_hann_window(ad_onnx_build *b, ad_onnx_call *c) {
  window(b, c, 0.5, -0.5, 0);
}

void ad_onnx_lower_hamming_window(ad_onnx_build *b, ad_onnx_call *c) {
  window(b, c, 25.0 / 46, -21.0 / 46, 0);
}

void ad_onnx_lower_blackman_window(ad_onnx_build *b, ad_onnx_call *c) {
  window(b, c, 0.42, -0.5, 0.08);
}
