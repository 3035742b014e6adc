/* Resize and Upsample: along one axis after the other, each element a sum of a few of the old ones by known weights. */
#include <math.h>
#include <string.h>

#include "onnx/operators.h"

typedef struct resize {
  const char *transform, *mode, *nearest;
  double cubic;
  bool exclude;
} resize;

typedef struct axis {
  int64_t size, out;
  double width; /* of the result before it is cut off to an integer: where it comes into formulas it is that */
  double scale, from, to; /* from, to: the region of interest */
} axis;

/* Where element i of the result lies in the operand. */
static double place(const resize *r, const axis *a, int64_t i) {
  const double x = (double)i, n = (double)a->size, m = a->width;
  if (!strcmp(r->transform, "align_corners")) return m == 1 ? 0 : x * (n - 1) / (m - 1);
  if (!strcmp(r->transform, "asymmetric")) return x / a->scale;
  if (!strcmp(r->transform, "tf_half_pixel_for_nn")) return (x + 0.5) / a->scale;
  if (!strcmp(r->transform, "pytorch_half_pixel") && a->out == 1) return 0;
  if (!strcmp(r->transform, "tf_crop_and_resize"))
    return m == 1 ? 0.5 * (a->from + a->to) * (n - 1) : a->from * (n - 1) + x * (a->to - a->from) * (n - 1) / (m - 1);
  return (x + 0.5) / a->scale - 0.5;
}

static double nearest(const resize *r, double x) {
  if (!strcmp(r->nearest, "floor")) return floor(x);
  if (!strcmp(r->nearest, "ceil")) return ceil(x);
  return !strcmp(r->nearest, "round_prefer_ceil") ? floor(x + 0.5) : ceil(x - 0.5);
}

/* Keys, Cubic convolution interpolation, IEEE Trans. ASSP 29, 1981. */
static double cubic(double a, double d) {
  d = fabs(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

enum { MOST_TAPS = 4 };

/* The old elements and their weights for one new element; returns how many. */
static int taps_of(const resize *r, const axis *a, int64_t i, int64_t *index, double *weight) {
  double x = place(r, a, i), sum = 0;
  const int taps = !strcmp(r->mode, "nearest") ? 1 : !strcmp(r->mode, "linear") ? 2 : 4;
  if (!(fabs(x) < 0x1p40)) x = 0;
  const double first = taps == 1 ? nearest(r, x) : floor(x) - (taps == 4);
  for (int t = 0; t < taps; t++) {
    const double at = first + t, d = x - at;
    const bool outside = at < 0 || at >= (double)a->size;
    index[t] = at < 0 ? 0 : at >= (double)a->size ? a->size - 1 : (int64_t)at;
    weight[t] = taps == 1 ? 1 : taps == 2 ? 1 - fabs(d) : cubic(r->cubic, d);
    if (r->exclude && taps == 4 && outside) weight[t] = 0;
    sum += weight[t];
  }
  for (int t = 0; t < taps && r->exclude && taps == 4; t++) weight[t] /= sum;
  return taps;
}

static ad_onnx_value resize_axis(ad_onnx_build *b, const resize *r, const axis *a, ad_onnx_value x, int at) {
  int64_t *index[MOST_TAPS], one[MOST_TAPS];
  double w[MOST_TAPS];
  ad_onnx_value weight[MOST_TAPS], y = {0};
  ad_shape shape = {.rank = x.shape.rank - at};
  if (b->status) return x;
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = i ? 1 : a->out;
  const int taps = taps_of(r, a, 0, one, w);
  for (int t = 0; t < taps; t++) {
    index[t] = ad_onnx_room(b, (uint64_t)a->out + 1, sizeof *index[t]);
    weight[t] = ad_onnx_known(b, x.type, &shape);
    if (!b->status) weight[t].data->dtype = AD_F64;
  }
  for (int64_t i = 0; i < a->out && !b->status; i++) {
    taps_of(r, a, i, one, w);
    for (int t = 0; t < taps; t++) index[t][i] = one[t], weight[t].data->v[i].r = w[t];
  }
  for (int t = 0; t < taps && !b->status; t++) {
    ad_onnx_value part = ad_onnx_gather(b, x, at, &(ad_shape){1, {a->out}}, index[t]);
    if (taps > 1) part = ad_onnx_binary(b, AD_OP_MUL, part, weight[t]);
    y = t ? ad_onnx_binary(b, AD_OP_ADD, y, part) : part;
  }
  return y;
}

/* Elements beyond the operand get a value of their own. */
static ad_onnx_value extrapolate(ad_onnx_build *b, const resize *r, const axis *a, ad_onnx_value x, int at,
                                 double value) {
  bool any = false;
  ad_shape shape = {.rank = x.shape.rank - at};
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = i ? 1 : a->out;
  ad_onnx_value inside = ad_onnx_known(b, AD_ONNX_BOOL, &shape);
  for (int64_t i = 0; i < a->out && !b->status; i++) {
    const double p = place(r, a, i);
    inside.data->v[i].i = p >= 0 && p <= (double)(a->size - 1);
    any = any || !inside.data->v[i].i;
  }
  return any ? ad_onnx_where(b, inside, x, ad_onnx_float_number(b, x.type, value)) : x;
}

/* The sizes of the result: by `sizes`, or by scales. */
static void sizes_of(ad_onnx_build *b, ad_onnx_call *c, axis *a, size_t scales, size_t sizes) {
  const ad_shape *x = &c->in[0].shape;
  const bool by_size = sizes && ad_onnx_given(c, sizes) && ad_shape_size(&c->in[sizes].shape) > 0;
  int64_t count = 0;
  const float *listed = scales ? NULL : ad_onnx_floats(b, c, "scales", &count);
  ad_onnx_value *v = &c->in[by_size ? sizes : scales];
  if (!listed && (scales || by_size)) {
    if (!v->type) ad_onnx_fail(b, "neither scales nor sizes are given");
    ad_onnx_need_known(b, v, by_size ? "the sizes" : "the scales");
    count = b->status ? 0 : ad_shape_size(&v->shape);
  }
  if (!b->status && count != x->rank) ad_onnx_fail(b, "%lld scales or sizes for %d axes", (long long)count, x->rank);
  for (int i = 0; i < x->rank && !b->status; i++) {
    const double s = listed ? (double)listed[i] : ad_onnx_element_double(v, i), n = (double)x->dim[i];
    const double out = by_size ? s : floor(n * s);
    if (!(s > 0 && out >= 0 && out < 0x1p40) || !x->dim[i]) {
      ad_onnx_fail(b, "the scale or size of axis %d is out of range", i);
      return;
    }
    a[i] = (axis){x->dim[i], (int64_t)out, by_size ? s : n * s, by_size ? s / n : s, 0, 1};
  }
}

static void one_of(ad_onnx_build *b, const char *word, const char *list) {
  const char *at = strstr(list, word);
  const size_t n = strlen(word);
  if (!b->status && !(at && n && (at == list || at[-1] == ' ') && (!at[n] || at[n] == ' ')))
    ad_onnx_refuse(b, "the mode '%.40s'", word);
}

static void read_region(ad_onnx_build *b, ad_onnx_call *c, axis *a, int rank) {
  if (!ad_onnx_given(c, 1)) ad_onnx_fail(b, "the region of interest is missing");
  ad_onnx_need_known(b, &c->in[1], "the region of interest");
  if (!b->status && ad_shape_size(&c->in[1].shape) != 2 * rank) ad_onnx_fail(b, "the region of interest doesn't fit");
  for (int i = 0; i < rank && !b->status; i++) {
    a[i].from = ad_onnx_element_double(&c->in[1], i);
    a[i].to = ad_onnx_element_double(&c->in[1], i + rank);
  }
}

void ad_onnx_lower_resize(ad_onnx_build *b, ad_onnx_call *c) {
  const bool upsample = !strcmp(c->row->name, "Upsample"), old = upsample || b->opset < 11;
  resize r = {.mode = ad_onnx_word(b, c, "mode", "nearest"),
              .transform = ad_onnx_word(b, c, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
              .nearest = ad_onnx_word(b, c, "nearest_mode", old ? "floor" : "round_prefer_floor"),
              .cubic = ad_onnx_float(b, c, "cubic_coeff_a", -0.75),
              .exclude = ad_onnx_int(b, c, "exclude_outside", 0) != 0};
  axis a[AD_MAX_RANK] = {{0}};
  ad_onnx_value x = c->in[0];
  const int rank = x.shape.rank;
  one_of(b, r.mode, "nearest linear cubic");
  one_of(b, r.nearest, "floor ceil round_prefer_floor round_prefer_ceil");
  one_of(b, r.transform,
         "half_pixel pytorch_half_pixel align_corners asymmetric tf_half_pixel_for_nn tf_crop_and_resize");
  sizes_of(b, c, a, old ? (c->inputs > 1 ? 1 : 0) : 2, old ? 0 : 3);
  const bool crop = !b->status && !strcmp(r.transform, "tf_crop_and_resize");
  if (crop) read_region(b, c, a, rank);
  for (int i = 0; i < rank && !b->status; i++)
    if (a[i].out != a[i].size || a[i].scale != 1 || crop) x = resize_axis(b, &r, &a[i], x, i);
  for (int i = 0; i < rank && crop && !b->status; i++)
    x = extrapolate(b, &r, &a[i], x, i, ad_onnx_float(b, c, "extrapolation_value", 0));
  c->out[0] = x;
}
