/* ONNX operators that read images at places which are computed, against their definitions as loops; values in every
 * backend, and every derivative by every method. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx_model.h"
#include "suite.h"

static Onnx__NodeProto *first(Onnx__ModelProto *m) {
  return m->graph->node[0];
}

static double keys(double d) { /* a = -3/4 */
  d = fabs(d);
  return d <= 1 ? (1.25 * d - 2.25) * d * d + 1 : d < 2 ? ((-0.75 * d + 3.75) * d - 6) * d + 3 : 0;
}

/* The weight of pixel k in what is read at g, from -1 to 1. */
static double weight(int64_t k, int64_t n, double g, const char *mode, const char *padding, bool corners) {
  double x = corners ? (g + 1) / 2 * (double)(n - 1) : ((g + 1) * (double)n - 1) / 2;
  const double lo = corners ? 0 : -0.5, hi = corners ? (double)(n - 1) : (double)n - 0.5;
  if (!strcmp(mode, "nearest")) x = rint(x);
  if (*padding == 'r')
    while (x < lo || x > hi) x = x < lo ? 2 * lo - x : 2 * hi - x;
  if (*padding != 'z') x = fmin(fmax(x, 0), (double)(n - 1));
  if (!strcmp(mode, "nearest")) return x == (double)k;
  return strstr(mode, "cubic") ? keys(x - (double)k) : fmax(1 - fabs(x - (double)k), 0);
}

static const char *const modes[] = {"linear", "nearest", "cubic"},
                         *const old_modes[] = {"bilinear", "nearest", "bicubic"},
                         *const paddings[] = {"zeros", "border", "reflection"};

START_TEST(grids_are_sampled) {
  const bool corners = _i & 1, volume = _i & 2;
  const int mode = _i / 4 % 3, padding = _i / 12, axes = volume ? 3 : 2;
  const int64_t size[] = {4, 3, 2};
  ad_shape image = {axes + 2, {2, 2}}, places = {axes + 2, {2, 1, 3, 1}};
  for (int i = 0; i < axes; i++) image.dim[i + 2] = size[i];
  if (!volume) places.dim[3] = 2;
  places.dim[axes + 1] = axes;
  const tensor x = onnx_some(image);
  tensor grid = tensor_zeros(places);
  for (size_t i = 0; i < grid.count; i++) /* in and outside; not where pieces meet */
    grid.v[i] = (double)(float)(2.9 * sin(1.7 * (double)i + 0.3 * _i));
  ad_shape shape = {axes + 2, {2, 2}};
  for (int i = 0; i < axes; i++) shape.dim[i + 2] = places.dim[i + 1];
  tensor want = tensor_zeros(shape);
  const size_t each = want.count / 4, pixels = x.count / 4;
  for (size_t o = 0; o < want.count; o++) {
    const double *g = grid.v + (o / (2 * each) * each + o % each) * (size_t)axes;
    const ad_shape inner = {axes, {size[0], size[1], size[2]}};
    for (size_t k = 0; k < pixels; k++) {
      int64_t at[8];
      double w = 1;
      tensor_unravel(&inner, k, at);
      for (int i = 0; i < axes; i++)
        w *= weight(at[i], size[i], g[axes - 1 - i], modes[mode], paddings[padding], corners);
      if (w != 0) want.v[o] += w * (double)(float)x.v[o / each * pixels + k];
    }
  }
  Onnx__ModelProto *m = onnx_single(20, "GridSample", "x grid", "y", &x);
  onnx_weight(m->graph, "grid", &grid);
  onnx_word(first(m), "mode", _i & 1 ? modes[mode] : old_modes[mode]);
  onnx_word(first(m), "padding_mode", paddings[padding]);
  onnx_int(first(m), "align_corners", corners);
  if (mode == 2 && padding)
    onnx_refuse(m, AD_EINPUT, "with the padding");
  else
    onnx_expect_close(onnx_load(m), &want, 1e-13);
}
END_TEST

/* At a pixel itself the derivative by the place is that on its right side, as frameworks have it. */
START_TEST(derivatives_at_pixels) {
  const tensor x = {.shape = {4, {1, 1, 1, 4}}, .count = 4, .v = {1, 4, 2, 8}};
  const double place[] = {-1 + 2.5 / 2, 0}; /* pixel 2 of 4 at corners false: ((g + 1) 4 - 1) / 2 = 2 */
  Onnx__ModelProto *m = onnx_single(16, "GridSample", "x grid", "y", &x);
  onnx_floats(m->graph, "grid", DIMS(1, 1, 1, 2), place);
  ad_graph *g = onnx_load(m);
  const ad_node y = onnx_output_node(g, "y");
  const ad_node grid = ad_graph_find_node(g, "grid");
  ck_assert(graphs_value(g, "tape", y, 0) == 2);
  ck_assert(graphs_derivative(g, "tape", y, 0, grid, 0) == (8 - 2) * 2);
  ad_graph_free(g);
}
END_TEST

START_TEST(regions_are_averaged) {
  enum { H = 5, W = 6, OH = 2, OW = 3, S = 2 };
  const bool half = _i & 1, known = _i & 2;
  const tensor x = onnx_some((ad_shape){4, {2, 2, H, W}});
  static const double rois[] = {1, 0.5, 8, 7, -4, 2.1, 3, 17, 3, 3, 3.5, 3.25};
  static const double image[] = {1, 0, 1};
  tensor want = tensor_zeros((ad_shape){4, {3, 2, OH, OW}});
  for (size_t o = 0; o < want.count; o++) {
    const size_t r = o / (2 * OH * OW), c = o / (OH * OW) % 2, i = o / OW % OH, j = o % OW;
    double at[4], sum = 0;
    for (int k = 0; k < 4; k++) at[k] = (double)(float)rois[4 * r + (size_t)k] * 0.5 - (half ? 0.5 : 0);
    const double w = half ? at[2] - at[0] : fmax(at[2] - at[0], 1), h = half ? at[3] - at[1] : fmax(at[3] - at[1], 1);
    for (int s = 0; s < S * S; s++) {
      double p = at[1] + h * ((double)i + (s / S + 0.5) / S) / OH, q = at[0] + w * ((double)j + (s % S + 0.5) / S) / OW;
      if (p < -1 || p > H || q < -1 || q > W) continue;
      p = fmin(fmax(p, 0), H - 1), q = fmin(fmax(q, 0), W - 1);
      for (int k = 0; k < H * W; k++)
        sum += fmax(1 - fabs(p - k / W), 0) * fmax(1 - fabs(q - k % W), 0) *
               (double)(float)x.v[((size_t)image[r] * 2 + c) * H * W + (size_t)k];
    }
    want.v[o] = sum / (S * S);
  }
  Onnx__ModelProto *m = onnx_single(16, "RoiAlign", "x rois image", "y", &x);
  onnx_floats(m->graph, "rois", DIMS(3, 4), rois);
  if (known) onnx_ints(m->graph, "image", DIMS(3), (int64_t[]){1, 0, 1});
  onnx_int(first(m), "output_height", OH);
  onnx_int(first(m), "output_width", OW);
  onnx_int(first(m), "sampling_ratio", S);
  onnx_float(first(m), "spatial_scale", 0.5);
  if (!half) onnx_word(first(m), "coordinate_transformation_mode", "output_half_pixel");
  if (!known) onnx_computed(m, "image", DIMS(3), image);
  onnx_expect_close(onnx_load(m), &want, 1e-13);
}
END_TEST

/* Windows of 2 x 2 with a stride of 2 and 1, their places moved; two groups of channels with offsets of their own. */
START_TEST(windows_are_bent) {
  enum { H = 4, W = 3, OH = 3, OW = 3, K = 4, P = OH * OW }; /* pads 1 in front, and 1 below */
  const bool whole = _i == 0;                                /* offsets of 0 and no factors: a convolution */
  const tensor x = onnx_some((ad_shape){4, {1, 4, H, W}}), f = onnx_eighths((ad_shape){4, {2, 2, 2, 2}});
  const tensor bias = onnx_eighths((ad_shape){1, {2}});
  tensor offset = tensor_zeros((ad_shape){4, {1, 2 * K * 2, OH, OW}});
  tensor factor = tensor_zeros((ad_shape){4, {1, 2 * K, OH, OW}}), want = tensor_zeros((ad_shape){4, {1, 2, OH, OW}});
  for (size_t i = 0; i < offset.count; i++) offset.v[i] = whole ? 0 : (double)(float)(1.3 * sin(2.3 * (double)i + 1));
  for (size_t i = 0; i < factor.count; i++) factor.v[i] = whole ? 1 : (double)(i % 5) / 4;
  for (int m = 0; m < 2; m++)
    for (int o = 0; o < P; o++) {
      want.v[m * P + o] = bias.v[m];
      for (int k = 0; k < 2 * K; k++) { /* channel m * 2 + k / K, of the group of offsets m */
        const int tap = k % K, channel = m * 2 + k / K, row = m * K + tap;
        const double p = o / OW * 2 + tap / 2 - 1 + offset.v[(2 * row) * P + o];
        const double q = o % OW + tap % 2 - 1 + offset.v[(2 * row + 1) * P + o];
        double v = 0;
        for (int i = 0; i < H * W; i++)
          v += fmax(1 - fabs(p - i / W), 0) * fmax(1 - fabs(q - i % W), 0) * (double)(float)x.v[channel * H * W + i];
        want.v[m * P + o] += v * factor.v[row * P + o] * f.v[m * 2 * K + k];
      }
    }
  Onnx__ModelProto *m = onnx_single(19, "DeformConv", whole ? "x f offset bias" : "x f offset bias factor", "y", &x);
  onnx_weight(m->graph, "f", &f);
  onnx_weight(m->graph, "offset", &offset);
  onnx_weight(m->graph, "bias", &bias);
  if (!whole) onnx_weight(m->graph, "factor", &factor);
  onnx_int(first(m), "group", 2);
  onnx_int(first(m), "offset_group", 2);
  onnx_list(first(m), "strides", 2, (int64_t[]){2, 1});
  onnx_list(first(m), "pads", 4, (int64_t[]){1, 1, 1, 0});
  ad_graph *g = onnx_load(m);
  const ad_node y = onnx_output_node(g, "y");
  for (size_t i = 0; i < want.count; i++) ck_assert(fabs(graphs_value(g, "tape", y, i) - want.v[i]) < 1e-13);
  if (!whole) graphs_check_derivatives(g, 64);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx_sampling");
  TCase *c = tcase_create("models");
  tcase_add_loop_test(c, grids_are_sampled, 0, 36);
  tcase_add_test(c, derivatives_at_pixels);
  tcase_add_loop_test(c, regions_are_averaged, 0, 4);
  tcase_add_loop_test(c, windows_are_bent, 0, 2);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  return suite_run(s);
}
