/* Resize and Upsample: along one axis after the other, each element a sum of a few of the old ones by known weights. */
#include <math.h>
#include <string.h>

#include "onnx/operators.h"

typedef struct resize {
  const char *transform, *mode, *nearest;
  double cubic;
  bool exclude, antialias;
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
  const double shift = strcmp(r->transform, "half_pixel_symmetric") ? 0 : n / 2 * (1 - (double)a->out / m);
  return shift + (x + 0.5) / a->scale - 0.5;
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

/* Where the result is smaller, the weights reach as much further: then they are a matrix. */
static ad_onnx_value shrink_axis(ad_onnx_build *b, const resize *r, const axis *a, ad_onnx_value x, int at) {
  const bool linear = !strcmp(r->mode, "linear");
  const double reach = (linear ? 1 : 2) / a->scale;
  int64_t perm[AD_MAX_RANK];
  const int last = x.shape.rank - 1;
  ad_onnx_value m = ad_onnx_known_reals(b, x.type, &(ad_shape){2, {a->size, a->out}});
  ad_onnx_charge(b, (uint64_t)(fmin(2 * reach + 2, 0x1p40) * (double)a->out));
  if (b->status) return x;
  m.data->dtype = AD_F64;
  for (int64_t i = 0; i < a->out; i++) {
    const double p = place(r, a, i), start = floor(p - reach);
    double sum = 0;
    for (int pass = 0; pass < 2; pass++)
      for (double k = start; k <= p + reach; k++) {
        const double d = fabs(k - p) * a->scale, w = linear ? fmax(1 - d, 0) : cubic(r->cubic, d);
        const int64_t from = k < 0 ? 0 : k >= (double)a->size ? a->size - 1 : (int64_t)k;
        if (r->exclude && (k < 0 || k >= (double)a->size)) continue;
        if (pass)
          m.data->v[from * a->out + i].r += w / sum;
        else
          sum += w;
      }
  }
  for (int i = 0; i <= last; i++) perm[i] = i == at ? last : i == last ? at : i;
  return ad_onnx_transpose(b, ad_onnx_matmul(b, ad_onnx_transpose(b, x, perm), m), perm);
}

static ad_onnx_value resize_axis(ad_onnx_build *b, const resize *r, const axis *a, ad_onnx_value x, int at) {
  int64_t *index[MOST_TAPS], one[MOST_TAPS];
  double w[MOST_TAPS];
  ad_onnx_value weight[MOST_TAPS] = {{0}}, y = {0};
  ad_shape shape = {.rank = x.shape.rank - at};
  if (b->status) return x;
  if (r->antialias && a->scale < 1) return shrink_axis(b, r, a, x, at);
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = i ? 1 : a->out;
  const int taps = taps_of(r, a, 0, one, w);
  for (int t = 0; t < taps; t++) {
    index[t] = ad_onnx_room(b, (uint64_t)a->out + 1, sizeof *index[t]);
    if (taps == 1) break; /* nothing is weighed */
    weight[t] = ad_onnx_known_reals(b, x.type, &shape);
    if (!b->status) weight[t].data->dtype = AD_F64;
  }
  for (int64_t i = 0; i < a->out && !b->status; i++) {
    taps_of(r, a, i, one, w);
    for (int t = 0; t < taps; t++) {
      index[t][i] = one[t];
      if (taps > 1) weight[t].data->v[i].r = w[t];
    }
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

/* The axes that are resized; the others stay. */
static int axes_of(ad_onnx_build *b, const ad_onnx_call *c, int *which) {
  const int rank = c->in[0].shape.rank;
  int64_t count;
  const int64_t *axes = ad_onnx_ints(b, c, "axes", &count);
  if (axes) ad_onnx_axes(b, axes, count, rank);
  for (int i = 0; i < (axes ? count : rank) && !b->status; i++) which[i] = axes ? ad_onnx_axis(b, axes[i], rank) : i;
  return b->status ? 0 : axes ? (int)count : rank;
}

/* One scale for all axes, that of the smallest or largest. */
static void keep_aspect(ad_onnx_build *b, axis *a, int count, const int *which, const char *policy) {
  const bool larger = !strcmp(policy, "not_smaller");
  if (!strcmp(policy, "stretch") || b->status || !count) return;
  if (!larger && strcmp(policy, "not_larger") != 0) ad_onnx_refuse(b, "the policy '%.40s'", policy);
  double scale = a[which[0]].scale;
  for (int i = 1; i < count; i++) scale = larger ? fmax(scale, a[which[i]].scale) : fmin(scale, a[which[i]].scale);
  for (int i = 0; i < count && !b->status; i++) {
    axis *x = &a[which[i]];
    const double width = scale * (double)x->size;
    if (!(width + 0.5 < 0x1p40)) ad_onnx_fail(b, "the scale or size of axis %d is out of range", which[i]);
    *x = (axis){x->size, b->status ? 0 : (int64_t)floor(width + 0.5), width, scale, 0, 1};
  }
}

/* The sizes of the result: by `sizes`, or by scales. */
static void sizes_of(ad_onnx_build *b, ad_onnx_call *c, axis *a, size_t scales, size_t sizes, int some,
                     const int *which) {
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
  if (!b->status && count != some) ad_onnx_fail(b, "%lld scales or sizes for %d axes", (long long)count, some);
  for (int i = 0; i < x->rank; i++) a[i] = (axis){x->dim[i], x->dim[i], (double)x->dim[i], 1, 0, 1};
  for (int i = 0; i < some && !b->status; i++) {
    const double s = listed ? (double)listed[i] : ad_onnx_element_double(v, i), n = (double)x->dim[which[i]];
    const double out = by_size ? s : floor(n * s);
    if (!(s > 0 && out >= 0 && out < 0x1p40) || n < 1) {
      ad_onnx_fail(b, "the scale or size of axis %d is out of range", which[i]);
      return;
    }
    a[which[i]] = (axis){x->dim[which[i]], (int64_t)out, by_size ? s : n * s, by_size ? s / n : s, 0, 1};
  }
  if (by_size) keep_aspect(b, a, some, which, ad_onnx_word(b, c, "keep_aspect_ratio_policy", "stretch"));
}

static void one_of(ad_onnx_build *b, const char *word, const char *list) {
  const char *at = strstr(list, word);
  const size_t n = strlen(word);
  if (!b->status && !(at && n && (at == list || at[-1] == ' ') && (!at[n] || at[n] == ' ')))
    ad_onnx_refuse(b, "the mode '%.40s'", word);
}

static void read_region(ad_onnx_build *b, ad_onnx_call *c, axis *a, int some, const int *which) {
  if (!ad_onnx_given(c, 1)) ad_onnx_fail(b, "the region of interest is missing");
  ad_onnx_need_known(b, &c->in[1], "the region of interest");
  if (!b->status && ad_shape_size(&c->in[1].shape) != 2 * some) ad_onnx_fail(b, "the region of interest doesn't fit");
  for (int i = 0; i < some && !b->status; i++) {
    a[which[i]].from = ad_onnx_element_double(&c->in[1], i);
    a[which[i]].to = ad_onnx_element_double(&c->in[1], i + some);
  }
}

void ad_onnx_lower_resize(ad_onnx_build *b, ad_onnx_call *c) {
  const bool upsample = !strcmp(c->row->name, "Upsample"), old = upsample || b->opset < 11;
  resize r = {.mode = ad_onnx_word(b, c, "mode", "nearest"),
              .transform = ad_onnx_word(b, c, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
              .nearest = ad_onnx_word(b, c, "nearest_mode", old ? "floor" : "round_prefer_floor"),
              .cubic = ad_onnx_float(b, c, "cubic_coeff_a", -0.75),
              .exclude = ad_onnx_int(b, c, "exclude_outside", 0) != 0,
              .antialias = ad_onnx_int(b, c, "antialias", 0) != 0};
  int which[AD_MAX_RANK];
  axis a[AD_MAX_RANK] = {{0}};
  ad_onnx_value x = c->in[0];
  const int rank = x.shape.rank;
  one_of(b, r.mode, "nearest linear cubic");
  one_of(b, r.nearest, "floor ceil round_prefer_floor round_prefer_ceil");
  one_of(b, r.transform,
         "half_pixel half_pixel_symmetric pytorch_half_pixel align_corners asymmetric tf_half_pixel_for_nn "
         "tf_crop_and_resize");
  if (r.antialias && !strcmp(r.mode, "nearest")) ad_onnx_fail(b, "antialias has no meaning in the mode 'nearest'");
  const int some = axes_of(b, c, which);
  sizes_of(b, c, a, old ? (c->inputs > 1 ? 1 : 0) : 2, old ? 0 : 3, some, which);
  const bool crop = !b->status && !strcmp(r.transform, "tf_crop_and_resize");
  if (crop) read_region(b, c, a, some, which);
  for (int i = 0; i < rank && !b->status; i++)
    if (a[i].out != a[i].size || a[i].scale != 1 || crop) x = resize_axis(b, &r, &a[i], x, i);
  for (int i = 0; i < rank && crop && !b->status; i++)
    x = extrapolate(b, &r, &a[i], x, i, ad_onnx_float(b, c, "extrapolation_value", 0));
  c->out[0] = x;
}
