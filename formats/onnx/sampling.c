/* Grids of places in an image, and images read there. */
#include <math.h>
#include <string.h>

#include "onnx/operators.h"
#include "onnx/selection.h"

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
  ad_onnx_value base = ad_onnx_known_reals(b, c->in[0].type, &(ad_shape){2, {places, axes + 1}});
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

/* ---- Interpolation: of places [..., P], counted in pixels, [..., n, P] weights of the n pixels of one axis.  Between
 * two places of pixels they are polynomials; at such a place the derivative is that on its right side. */

/* [..., 1, P] */
static ad_onnx_value row(ad_onnx_build *b, ad_onnx_value x) {
  const ad_shape shape = ad_onnx_shape_insert(&x.shape, x.shape.rank - 1, 1);
  return ad_onnx_reshape(b, x, &shape);
}

/* `weight` for the pixel at first + shift, `other` for the rest. */
static ad_onnx_value at_offset(ad_onnx_build *b, ad_onnx_value first, double shift, int64_t n, ad_onnx_value weight,
                               ad_onnx_value other) {
  const ad_onnx_value pixels = ad_onnx_reshape(b, ad_onnx_iota(b, first.type, n), &(ad_shape){2, {n, 1}});
  const ad_onnx_value place = row(b, shift ? ad_onnx_with(b, AD_OP_ADD, first, shift) : first);
  const ad_onnx_value d = ad_onnx_binary(b, AD_OP_SUB, place, pixels);
  return ad_onnx_elementwise(b, AD_OP_WHERE, 3, (ad_onnx_value[]){d, other, weight});
}

static ad_onnx_value linear_weights(ad_onnx_build *b, ad_onnx_value x, int64_t n) {
  const ad_onnx_value first = ad_onnx_unary(b, AD_OP_FLOOR, x), f = ad_onnx_binary(b, AD_OP_SUB, x, first);
  const ad_onnx_value rest = ad_onnx_binary(b, AD_OP_SUB, ad_onnx_number(b, x.type, 1), f);
  ad_onnx_value w = at_offset(b, first, 1, n, row(b, f), ad_onnx_number(b, x.type, 0));
  return at_offset(b, first, 0, n, row(b, rest), w);
}

/* ((p3 d + p2) d + p1) d + p0 */
static ad_onnx_value cubic(ad_onnx_build *b, ad_onnx_value d, double p3, double p2, double p1, double p0) {
  ad_onnx_value y = ad_onnx_with(b, AD_OP_ADD, ad_onnx_with(b, AD_OP_MUL, d, p3), p2);
  y = ad_onnx_with(b, AD_OP_ADD, ad_onnx_binary(b, AD_OP_MUL, y, d), p1);
  return ad_onnx_with(b, AD_OP_ADD, ad_onnx_binary(b, AD_OP_MUL, y, d), p0);
}

/* Keys, Cubic convolution interpolation, IEEE Trans. ASSP 29, 1981, with a = -3/4. */
static ad_onnx_value cubic_weights(ad_onnx_build *b, ad_onnx_value x, int64_t n) {
  const double a = -0.75;
  const ad_onnx_value first = ad_onnx_unary(b, AD_OP_FLOOR, x), f = ad_onnx_binary(b, AD_OP_SUB, x, first);
  ad_onnx_value w = ad_onnx_number(b, x.type, 0);
  for (int k = -1; k <= 2 && !b->status; k++) {
    ad_onnx_value d = k < 1 ? f : ad_onnx_binary(b, AD_OP_SUB, ad_onnx_number(b, x.type, k), f);
    if (k == -1) d = ad_onnx_with(b, AD_OP_ADD, f, 1);
    d = k == -1 || k == 2 ? cubic(b, d, a, -5 * a, 8 * a, -4 * a) : cubic(b, d, a + 2, -(a + 3), 0, 1);
    w = at_offset(b, first, k, n, row(b, d), w);
  }
  return w;
}

static ad_onnx_value clip(ad_onnx_build *b, ad_onnx_value x, double lo, double hi) {
  return ad_onnx_elementwise(b, AD_OP_CLIP, 3,
                             (ad_onnx_value[]){x, ad_onnx_number(b, x.type, lo), ad_onnx_number(b, x.type, hi)});
}

/* Mirrored at both ends until it lies between them. */
static ad_onnx_value reflect(ad_onnx_build *b, ad_onnx_value x, double lo, double hi) {
  ad_onnx_value u = ad_onnx_unary(b, AD_OP_ABS, ad_onnx_with(b, AD_OP_SUB, x, lo));
  u = ad_onnx_with(b, AD_OP_SUB, ad_onnx_with(b, AD_OP_REM, u, 2 * (hi - lo)), hi - lo);
  return ad_onnx_binary(b, AD_OP_SUB, ad_onnx_number(b, x.type, hi), ad_onnx_unary(b, AD_OP_ABS, u));
}

typedef struct sampler {
  bool nearest, cubic, corners, border, reflect;
} sampler;

static void read_sampler(ad_onnx_build *b, const ad_onnx_call *c, sampler *s) {
  const char *mode = ad_onnx_word(b, c, "mode", "linear"), *padding = ad_onnx_word(b, c, "padding_mode", "zeros");
  *s = (sampler){.nearest = !strcmp(mode, "nearest"),
                 .cubic = !strcmp(mode, "cubic") || !strcmp(mode, "bicubic"),
                 .corners = ad_onnx_int(b, c, "align_corners", 0) != 0,
                 .border = !strcmp(padding, "border"),
                 .reflect = !strcmp(padding, "reflection")};
  if (!s->nearest && !s->cubic && strcmp(mode, "linear") != 0 && strcmp(mode, "bilinear") != 0)
    ad_onnx_refuse(b, "the mode '%.40s'", mode);
  if (!s->border && !s->reflect && strcmp(padding, "zeros") != 0) ad_onnx_refuse(b, "the padding '%.40s'", padding);
  if (s->cubic && (s->border || s->reflect)) /* whether places or pixels are moved, implementations don't agree */
    ad_onnx_refuse(b, "the mode '%.40s' with the padding '%.40s'", mode, padding);
}

/* The weights of places from -1 to 1. */
static ad_onnx_value weights_of(ad_onnx_build *b, const sampler *s, ad_onnx_value x, int64_t n) {
  const double last = (double)n - 1, edge = s->corners ? 0 : 0.5;
  x = ad_onnx_with(b, AD_OP_ADD, x, 1);
  x = ad_onnx_with(b, AD_OP_DIV, ad_onnx_with(b, AD_OP_MUL, x, s->corners ? last : (double)n), 2);
  if (!s->corners) x = ad_onnx_with(b, AD_OP_SUB, x, 0.5);
  if (s->nearest) x = ad_onnx_unary(b, AD_OP_ROUND, x); /* halves to even */
  if (s->reflect && last + edge > 0) x = reflect(b, x, -edge, last + edge);
  if (s->border || s->reflect) x = clip(b, x, 0, last);
  if (s->cubic) return cubic_weights(b, x, n);
  if (!s->nearest) return linear_weights(b, x, n);
  return at_offset(b, x, 0, n, ad_onnx_number(b, x.type, 1), ad_onnx_number(b, x.type, 0));
}

/* X [N, C, size...] at places [N, out..., axes], whose last axis names the image's last one first.  Weights of one axis
 * after the other are applied, the last one's by a product. */
void ad_onnx_lower_grid_sample(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *x = &c->in[0].shape, *grid = &c->in[1].shape;
  const int axes = x->rank - 2;
  sampler s;
  read_sampler(b, c, &s);
  ad_onnx_need_rank(b, c, 0, 3);
  if (!b->status && (grid->rank != x->rank || grid->dim[0] != x->dim[0] || grid->dim[axes + 1] != axes))
    ad_onnx_fail(b, "the grid doesn't fit the image");
  for (int i = 0; i < axes && !b->status; i++)
    if (x->dim[i + 2] < 1) ad_onnx_fail(b, "the image is empty");
  if (b->status) return;
  const int64_t n = x->dim[0];
  int64_t places = 1, rows = x->dim[1];
  ad_shape shape = {x->rank, {n, x->dim[1]}};
  for (int i = 1; i <= axes; i++) places *= grid->dim[i], shape.dim[i + 1] = grid->dim[i];
  for (int i = 2; i < x->rank - 1; i++) rows *= x->dim[i];
  const ad_onnx_value g = ad_onnx_reshape(b, c->in[1], &(ad_shape){3, {n, places, axes}});
  ad_onnx_value y = ad_onnx_reshape(b, c->in[0], &(ad_shape){3, {n, rows, x->dim[axes + 1]}});
  for (int i = axes; i-- > 0 && !b->status;) {
    const int64_t size = x->dim[i + 2];
    ad_onnx_value w = ad_onnx_reshape(b, ad_onnx_part(b, g, 2, axes - 1 - i, 1), &(ad_shape){2, {n, places}});
    w = weights_of(b, &s, w, size);
    if (i == axes - 1) {
      y = ad_onnx_weigh(b, y, w, 1);
      continue;
    }
    rows /= size;
    y = ad_onnx_reshape(b, y, &(ad_shape){4, {n, rows, size, places}});
    w = ad_onnx_reshape(b, w, &(ad_shape){4, {n, 1, size, places}});
    y = ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_binary(b, AD_OP_MUL_NO_NAN, y, w), 1u << 2, false);
  }
  y.type = c->in[0].type;
  c->out[0] = ad_onnx_reshape(b, y, &shape);
}

/* ---- Regions of interest */

/* [R, n, out]: means of the weights of `each` places in each of `out` parts of the regions from `start` to `end`. */
static ad_onnx_value region_weights(ad_onnx_build *b, ad_onnx_value start, ad_onnx_value end, int64_t out, int64_t each,
                                    int64_t n, bool at_least_one) {
  ad_onnx_value span = ad_onnx_binary(b, AD_OP_SUB, end, start);
  if (at_least_one) span = ad_onnx_with(b, AD_OP_MAX, span, 1);
  if (b->status || out * each > INT64_C(1) << 40) {
    ad_onnx_fail(b, "the regions are cut too finely");
    return span;
  }
  const int64_t regions = start.shape.dim[0];
  ad_onnx_value part = ad_onnx_known_reals(b, start.type, &(ad_shape){2, {1, out * each}});
  if (part.data) part.data->dtype = AD_F64;
  for (int64_t i = 0; part.data && i < out * each; i++)
    part.data->v[i].r = ((double)(i / each) + ((double)(i % each) + 0.5) / (double)each) / (double)out;
  ad_onnx_value x = ad_onnx_binary(b, AD_OP_ADD, ad_onnx_binary(b, AD_OP_MUL, span, part), start);
  ad_onnx_value inside = ad_onnx_binary(b, AD_OP_MUL, ad_onnx_with(b, AD_OP_GREATER_EQUAL, x, -1),
                                        ad_onnx_with(b, AD_OP_LESS_EQUAL, x, (double)n));
  ad_onnx_value w = linear_weights(b, clip(b, x, 0, (double)n - 1), n);
  w = ad_onnx_where(b, row(b, inside), w, ad_onnx_number(b, x.type, 0));
  w = ad_onnx_reshape(b, w, &(ad_shape){4, {regions, n, out, each}});
  return ad_onnx_reduce(b, AD_OP_MEAN, w, 1u << 3, false);
}

void ad_onnx_lower_roi_align(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t swap[] = {0, 2, 1};
  const char *mode = ad_onnx_word(b, c, "mode", "avg");
  const char *transform =
      ad_onnx_word(b, c, "coordinate_transformation_mode", b->opset < 16 ? "output_half_pixel" : "half_pixel");
  const bool half = !strcmp(transform, "half_pixel");
  const int64_t each = ad_onnx_int(b, c, "sampling_ratio", 0), height = ad_onnx_int(b, c, "output_height", 1),
                width = ad_onnx_int(b, c, "output_width", 1), most = 1 << 20;
  const ad_shape *x = &c->in[0].shape, *rois = &c->in[1].shape;
  if (!half && strcmp(transform, "output_half_pixel") != 0) ad_onnx_refuse(b, "the mode '%.40s'", transform);
  if (strcmp(mode, "avg") != 0) ad_onnx_refuse(b, "the mode '%.40s'", mode);
  if (each == 0) ad_onnx_refuse(b, "sampling_ratio = 0: as many places as the sizes of the regions ask for");
  if (!b->status && (x->rank != 4 || rois->rank != 2 || rois->dim[1] != 4 || c->in[2].shape.rank != 1 ||
                     c->in[2].shape.dim[0] != rois->dim[0]))
    ad_onnx_fail(b, "the regions don't fit the image");
  if (!b->status && (each < 0 || each > most || height < 1 || height > most || width < 1 || width > most ||
                     x->dim[2] < 1 || x->dim[3] < 1))
    ad_onnx_fail(b, "sampling_ratio, output_height or output_width is out of range");
  if (b->status) return;
  ad_onnx_value at[4], r = ad_onnx_with_float(b, AD_OP_MUL, c->in[1], ad_onnx_float(b, c, "spatial_scale", 1)), image;
  if (half) r = ad_onnx_with(b, AD_OP_SUB, r, 0.5);
  for (int i = 0; i < 4; i++) at[i] = ad_onnx_part(b, r, 1, i, 1);
  if (ad_onnx_is_computed(&c->in[2])) {
    image = ad_onnx_take(b, c->in[0], 0, c->in[2]);
  } else {
    int64_t count;
    const int64_t *index = ad_onnx_operand_ints(b, c, 2, "the numbers of the images", &count);
    if (!index) return;
    image = ad_onnx_gather(b, c->in[0], 0, &(ad_shape){1, {count}}, index);
  }
  const int64_t n = rois->dim[0], channels = x->dim[1];
  const ad_onnx_value wy = region_weights(b, at[1], at[3], height, each, x->dim[2], !half);
  const ad_onnx_value wx = region_weights(b, at[0], at[2], width, each, x->dim[3], !half);
  ad_onnx_value y = ad_onnx_reshape(b, image, &(ad_shape){3, {n, channels * x->dim[2], x->dim[3]}});
  y = ad_onnx_reshape(b, ad_onnx_weigh(b, y, wx, 1), &(ad_shape){4, {n, channels, x->dim[2], width}});
  c->out[0] = ad_onnx_weigh(
      b, ad_onnx_reshape(b, ad_onnx_transpose(b, wy, swap), &(ad_shape){4, {n, 1, height, x->dim[2]}}), y, 0);
  c->out[0].type = c->in[0].type;
}

/* ---- Convolutions whose windows are bent: each place of a window is moved by an offset of its own */

enum { PLANE = 2 };

/* X [N, C, H, W], filters [M, C / group, kernel...], offsets [N, groups * kernel * 2, out...], biases, and factors
 * [N, groups * kernel, out...]. */
void ad_onnx_lower_deform_conv(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *x = &c->in[0].shape, *f = &c->in[1].shape, *o = &c->in[2].shape;
  const int64_t g = ad_onnx_int(b, c, "group", 1), bent = ad_onnx_int(b, c, "offset_group", 1);
  int64_t stride[PLANE], dilation[PLANE], pads[2 * PLANE], kernel[PLANE];
  if (!b->status && x->rank != 4) ad_onnx_refuse(b, "an image of rank %d", x->rank);
  ad_onnx_list(b, c, "strides", stride, PLANE, 1);
  ad_onnx_list(b, c, "dilations", dilation, PLANE, 1);
  ad_onnx_list(b, c, "pads", pads, 2 * PLANE, 0);
  ad_onnx_list(b, c, "kernel_shape", kernel, PLANE, 1);
  bool fits = !b->status && f->rank == 4 && o->rank == 4 && g > 0 && bent > 0 && bent <= x->dim[1] &&
              x->dim[1] % bent == 0 && f->dim[0] % g == 0 && x->dim[1] % g == 0 && f->dim[1] == x->dim[1] / g &&
              o->dim[0] == x->dim[0];
  for (int i = 0; i < PLANE && fits; i++) {
    const int64_t room = x->dim[i + 2] + pads[i] + pads[i + PLANE] - dilation[i] * (f->dim[i + 2] - 1) - 1;
    fits = f->dim[i + 2] > 0 && x->dim[i + 2] > 0 && room >= 0 && o->dim[i + 2] == room / stride[i] + 1 &&
           (!ad_onnx_has(c, "kernel_shape") || kernel[i] == f->dim[i + 2]);
  }
  const int64_t window = fits ? f->dim[2] * f->dim[3] : 0, places = fits ? o->dim[2] * o->dim[3] : 0;
  if (!b->status && (!fits || o->dim[1] != bent * window * PLANE))
    ad_onnx_fail(b, "the filters, the offsets or the attributes don't fit the image");
  if (b->status) return;
  const int64_t n = x->dim[0], each = x->dim[1] / bent, spots = window * places;
  const ad_onnx_value offset = ad_onnx_reshape(b, c->in[2], &(ad_shape){5, {n, bent, window, PLANE, places}});
  ad_onnx_value w[PLANE];
  for (int i = 0; i < PLANE; i++) {
    ad_onnx_value base = ad_onnx_known_reals(b, c->in[0].type, &(ad_shape){1, {spots}});
    for (int64_t k = 0; base.data && k < spots; k++) {
      const int64_t tap = i ? k / places % f->dim[3] : k / places / f->dim[3];
      const int64_t at = i ? k % places % o->dim[3] : k % places / o->dim[3];
      base.data->v[k].r = (double)(at * stride[i] + tap * dilation[i] - pads[i]);
    }
    ad_onnx_value place = ad_onnx_reshape(b, ad_onnx_part(b, offset, 3, i, 1), &(ad_shape){3, {n, bent, spots}});
    w[i] = linear_weights(b, ad_onnx_binary(b, AD_OP_ADD, place, base), x->dim[i + 2]);
  }
  ad_onnx_value y = ad_onnx_reshape(b, c->in[0], &(ad_shape){4, {n, bent, each * x->dim[2], x->dim[3]}});
  y = ad_onnx_reshape(b, ad_onnx_weigh(b, y, w[1], 1), &(ad_shape){5, {n, bent, each, x->dim[2], spots}});
  w[0] = ad_onnx_reshape(b, w[0], &(ad_shape){5, {n, bent, 1, x->dim[2], spots}});
  y = ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_binary(b, AD_OP_MUL_NO_NAN, y, w[0]), 1u << 3, false);
  if (ad_onnx_given(c, 4))
    y = ad_onnx_binary(b, AD_OP_MUL, y, ad_onnx_reshape(b, c->in[4], &(ad_shape){4, {n, bent, 1, spots}}));
  y = ad_onnx_reshape(b, y, &(ad_shape){4, {n, g, f->dim[1] * window, places}});
  y = ad_onnx_matmul(b, ad_onnx_reshape(b, c->in[1], &(ad_shape){3, {g, f->dim[0] / g, f->dim[1] * window}}), y);
  y = ad_onnx_reshape(b, y, &(ad_shape){4, {n, f->dim[0], o->dim[2], o->dim[3]}});
  if (ad_onnx_given(c, 3))
    y = ad_onnx_binary(b, AD_OP_ADD, y, ad_onnx_reshape(b, c->in[3], &(ad_shape){3, {f->dim[0], 1, 1}}));
  y.type = c->in[0].type;
  c->out[0] = y;
}
