/* Grids of places in an image, and images read there. */
#include "onnx/operators.h"

/* Place i of n from -1 to 1: centres of pixels, or from the first to the last one's. */
static double spread(int64_t i, int64_t n, bool corners) {
  return corners ? (double)(2 * i - (n - 1)) / (double)(n - 1) : (double)(2 * i + 1 - n) / (double)n;
}

/* [N, size..., axes] from matrices [N, axes, axes + 1], whose rows are the axes from the last one on. */
void ad_onnx_lower_affine_grid(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t swap[] = {0, 2, 1};
  const ad_shape *m = &c->in[0].shape;
  const bool corners = ad_onnx_int(b, c, "align_corners", 0) != 0;
  int64_t count, index[AD_MAX_RANK];
  const int64_t *size = ad_onnx_operand_ints(b, c, 1, "the size", &count);
  if (!size) return;
  const int axes = count == 4 || count == 5 ? (int)count - 2 : 0;
  if (!axes || m->rank != 3 || m->dim[0] != size[0] || m->dim[1] != axes || m->dim[2] != axes + 1)
    ad_onnx_fail(b, "the matrices don't fit the size");
  const ad_shape image = ad_onnx_shape(axes, size + 2);
  if (!b->status && !ad_onnx_shape_fits(b, &image)) return;
  for (int i = 0; i < axes && !b->status; i++)
    if (corners && size[2 + i] == 1) ad_onnx_refuse(b, "align_corners with an axis of size 1");
  const int64_t places = b->status ? 0 : ad_shape_size(&image);
  ad_onnx_value base = ad_onnx_known(b, c->in[0].type, &(ad_shape){2, {places, axes + 1}});
  if (!b->status) base.data->dtype = AD_F64;
  for (int64_t o = 0; o < places && !b->status; o++) {
    ad_onnx_unravel(&image, o, index);
    for (int i = 0; i < axes; i++)
      base.data->v[o * (axes + 1) + i].r = spread(index[axes - 1 - i], image.dim[axes - 1 - i], corners);
    base.data->v[o * (axes + 1) + axes].r = 1;
  }
  ad_shape shape = {.rank = axes + 2, .dim = {m->dim[0]}};
  for (int i = 0; i < axes; i++) shape.dim[1 + i] = image.dim[i];
  shape.dim[axes + 1] = axes;
  c->out[0] = ad_onnx_reshape(b, ad_onnx_matmul(b, base, ad_onnx_transpose(b, c->in[0], swap)), &shape);
}
