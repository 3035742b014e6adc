/* Discrete Fourier transforms, as products with their matrices. */
#include <math.h>

#include "onnx/operators.h"

/* The matrix [parts * rows, 2 * columns] of a transform of length n: parts 1 for real operands, 2 for complex ones. */
static ad_onnx_value matrix(ad_onnx_build *b, int type, int64_t parts, int64_t rows, int64_t columns, int64_t n,
                            bool inverse) {
  const double turn = 6.283185307179586477;
  ad_onnx_value m = ad_onnx_known(b, type, &(ad_shape){2, {parts * rows, 2 * columns}});
  if (!b->status) m.data->dtype = AD_F64;
  for (int64_t i = 0; i < rows && !b->status; i++)
    for (int64_t k = 0; k < columns && i < n; k++) {
      const double angle = (inverse ? turn : -turn) * (double)((i % n) * (k % n) % n) / (double)n;
      const double re = cos(angle) / (inverse ? (double)n : 1), im = sin(angle) / (inverse ? (double)n : 1);
      ad_onnx_element *row = m.data->v + i * 2 * columns;
      row[k].r = re;
      row[columns + k].r = im;
      if (parts == 1) continue;
      row += rows * 2 * columns;
      row[k].r = -im;
      row[columns + k].r = re;
    }
  return m;
}

/* The matrix [parts * rows, n] from the first half of a spectrum, whose other half mirrors it, to the n real numbers
 * that have it.  Frequencies 0 and n / 2 stand in it once; their imaginary parts mean nothing. */
static ad_onnx_value real_matrix(ad_onnx_build *b, int type, int64_t parts, int64_t rows, int64_t n) {
  const double turn = 6.283185307179586477;
  ad_onnx_value m = ad_onnx_known(b, type, &(ad_shape){2, {parts * rows, n}});
  if (!b->status) m.data->dtype = AD_F64;
  for (int64_t i = 0; i < rows && i <= n / 2 && !b->status; i++)
    for (int64_t k = 0; k < n; k++) {
      const bool once = i == 0 || 2 * i == n;
      const double angle = turn * (double)(i * k % n) / (double)n, weight = (once ? 1 : 2) / (double)n;
      m.data->v[i * n + k].r = weight * cos(angle);
      if (parts == 2 && !once) m.data->v[(rows + i) * n + k].r = -weight * sin(angle);
    }
  return m;
}

/* x is [..., parts, rows]; the result [..., columns, 2], or [..., n, 1] from half a spectrum to real numbers. */
static ad_onnx_value transform(ad_onnx_build *b, ad_onnx_value x, int64_t n, int64_t columns, bool inverse, bool real) {
  if (b->status) return x;
  const int rank = x.shape.rank;
  const int64_t parts = x.shape.dim[rank - 2], rows = x.shape.dim[rank - 1];
  ad_shape flat = ad_onnx_shape(rank - 1, x.shape.dim), shape = x.shape;
  int64_t perm[AD_MAX_RANK];
  flat.dim[rank - 2] = parts * rows;
  shape.dim[rank - 2] = real ? 1 : 2;
  shape.dim[rank - 1] = real ? n : columns;
  const ad_onnx_value m =
      real ? real_matrix(b, x.type, parts, rows, n) : matrix(b, x.type, parts, rows, columns, n, inverse);
  x = ad_onnx_reshape(b, ad_onnx_matmul(b, ad_onnx_reshape(b, x, &flat), m), &shape);
  for (int i = 0; i < rank; i++) perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
  return ad_onnx_transpose(b, x, perm);
}

void ad_onnx_lower_dft(ad_onnx_build *b, ad_onnx_call *c) {
  const int rank = c->in[0].shape.rank;
  ad_onnx_need_rank(b, c, 0, 2);
  const int64_t usual = b->opset < 20 ? 1 : -2; /* where an operand took the place of the attribute */
  const int axis = ad_onnx_axis(
      b, ad_onnx_given(c, 2) ? ad_onnx_operand_int(b, c, 2, "the axis") : ad_onnx_int(b, c, "axis", usual), rank);
  const bool inverse = ad_onnx_int(b, c, "inverse", 0) != 0, onesided = ad_onnx_int(b, c, "onesided", 0) != 0;
  if (b->status) return;
  const bool real = inverse && onesided;
  const int64_t parts = c->in[0].shape.dim[rank - 1], size = c->in[0].shape.dim[axis];
  const int64_t n = ad_onnx_given(c, 1) ? ad_onnx_operand_int(b, c, 1, "the length") : real ? 2 * (size - 1) : size;
  if (!b->status && (axis == rank - 1 || parts < 1 || parts > 2 || n < 1 || n > 1 << 30))
    ad_onnx_fail(b, "the axis, the length or the last axis is out of range");
  int64_t perm[AD_MAX_RANK], back[AD_MAX_RANK];
  int k = 0;
  for (int i = 0; i < rank - 1; i++)
    if (i != axis) perm[k++] = i;
  perm[rank - 2] = rank - 1; /* the parts, then the axis */
  perm[rank - 1] = axis;
  if (b->status) return;
  ad_onnx_value x = transform(b, ad_onnx_transpose(b, c->in[0], perm), n, onesided ? n / 2 + 1 : n, inverse, real);
  perm[rank - 2] = axis;
  perm[rank - 1] = rank - 1;
  for (int i = 0; i < rank; i++) back[perm[i]] = i;
  c->out[0] = ad_onnx_transpose(b, x, back);
}

/* Frames of a signal [batch, length, parts], each times a window and transformed: [batch, frames, bins, 2]. */
void ad_onnx_lower_stft(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t order[] = {0, 1, 3, 2};
  ad_onnx_value x = c->in[0], window = c->in[2];
  ad_onnx_need_rank(b, c, 0, 2);
  const int64_t hop = ad_onnx_operand_int(b, c, 1, "the step of the frames");
  int64_t n = window.type ? ad_shape_size(&window.shape) : 0;
  if (ad_onnx_given(c, 3)) n = ad_onnx_operand_int(b, c, 3, "the length of the frames");
  if (b->status) return;
  if (x.shape.rank == 2) {
    const ad_shape real = ad_onnx_shape_insert(&x.shape, 2, 1);
    x = ad_onnx_reshape(b, x, &real);
  }
  const int64_t length = x.shape.dim[1], parts = x.shape.rank == 3 ? x.shape.dim[2] : 0;
  if (parts < 1 || parts > 2 || hop < 1 || n < 1 || n > length || (window.type && ad_shape_size(&window.shape) != n)) {
    ad_onnx_fail(b, "the signal, the step, the length or the window is out of range");
    return;
  }
  const int64_t frames = (length - n) / hop + 1;
  int64_t *index = ad_onnx_room(b, (uint64_t)frames * (uint64_t)n + 1, sizeof *index);
  for (int64_t i = 0; index && i < frames * n; i++) index[i] = i / n * hop + i % n;
  if (!index) return;
  x = ad_onnx_gather(b, x, 1, &(ad_shape){2, {frames, n}}, index);
  if (window.type) x = ad_onnx_binary(b, AD_OP_MUL, x, ad_onnx_reshape(b, window, &(ad_shape){2, {n, 1}}));
  const bool onesided = ad_onnx_int(b, c, "onesided", 1) != 0;
  c->out[0] = transform(b, ad_onnx_transpose(b, x, order), n, onesided ? n / 2 + 1 : n, false, false);
}
