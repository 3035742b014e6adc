/* What versions 18 to 21 of ONNX's operators brought, for which Debian's package has no models: against their
 * definitions as loops and formulas; values in every backend, and every derivative by every method. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_model.h"
#include "suite.h"

enum { FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL };

static Onnx__NodeProto *first(Onnx__ModelProto *m) {
  return m->graph->node[0];
}

/* ---- Reductions: axes are an operand */

enum { L1, L2, LOG_SUM, LOG_SUM_EXP, MAX, MEAN, MIN, PROD, SUM, SUM_SQUARE, REDUCTIONS };
static const char *const reductions[] = {"L1",   "L2",  "LogSum", "LogSumExp", "Max",
                                         "Mean", "Min", "Prod",   "Sum",       "SumSquare"};

static double reduced(int how, const double *v, int n) {
  double sum = how == PROD ? 1 : how == MAX ? -INFINITY : how == MIN ? INFINITY : 0;
  for (int i = 0; i < n; i++) switch (how) {
      case L1:
        sum += fabs(v[i]);
        break;
      case L2:
      case SUM_SQUARE:
        sum += v[i] * v[i];
        break;
      case LOG_SUM_EXP:
        sum += exp(v[i]);
        break;
      case MAX:
        sum = fmax(sum, v[i]);
        break;
      case MIN:
        sum = fmin(sum, v[i]);
        break;
      case PROD:
        sum *= v[i];
        break;
      default:
        sum += v[i];
    }
  return how == L2 ? sqrt(sum) : how == LOG_SUM || how == LOG_SUM_EXP ? log(sum) : how == MEAN ? sum / n : sum;
}

START_TEST(reductions_take_axes) {
  char op[32];
  const tensor x = _i == LOG_SUM ? onnx_eighths((ad_shape){3, {2, 3, 2}}) : onnx_some((ad_shape){3, {2, 3, 2}});
  tensor p = x, want = tensor_zeros((ad_shape){2, {3, 1}});
  snprintf(op, sizeof op, "Reduce%s", reductions[_i]);
  for (size_t i = 0; i < p.count && _i == LOG_SUM; i++) p.v[i] = fabs(p.v[i]);
  for (int k = 0; k < 3; k++) {
    const double v[] = {p.v[2 * k], p.v[2 * k + 1], p.v[6 + 2 * k], p.v[6 + 2 * k + 1]};
    want.v[k] = reduced(_i, v, 4);
  }
  Onnx__ModelProto *m = onnx_single(18, op, "x axes", "y", &p);
  onnx_ints(m->graph, "axes", DIMS(2), (int64_t[]){-1, 0});
  onnx_int(first(m), "keepdims", 0);
  want.shape = (ad_shape){1, {3}};
  onnx_expect(onnx_load(m), "y", &want, 8);
}
END_TEST

/* Without axes all are reduced, or none where an attribute says so: each element is by itself then. */
START_TEST(reductions_without_axes) {
  char op[32];
  tensor x = onnx_some((ad_shape){2, {2, 2}});
  for (size_t i = 0; i < x.count && _i == LOG_SUM; i++) x.v[i] = fabs(x.v[i]);
  tensor want = x;
  for (size_t i = 0; i < x.count; i++) want.v[i] = reduced(_i, &x.v[i], 1);
  snprintf(op, sizeof op, "Reduce%s", reductions[_i]);
  Onnx__ModelProto *m = onnx_single(18, op, "x", "y", &x);
  onnx_int(first(m), "noop_with_empty_axes", 1);
  onnx_expect(onnx_load(m), "y", _i == LOG_SUM_EXP ? &x : &want, 4);
}
END_TEST

/* The sum of nothing is 0, its maximum -infinity and so on; the model has an input to be a graph with something in it.
 */
START_TEST(reductions_of_nothing) {
  char op[32];
  Onnx__ModelProto *m = onnx_model(20);
  snprintf(op, sizeof op, "Reduce%s", reductions[_i]);
  onnx_input(m->graph, "x", FLOAT, DIMS(2, 0));
  onnx_ints(m->graph, "axes", DIMS(1), (int64_t[]){1});
  onnx_node(m->graph, op, "x axes", "y");
  onnx_output(m->graph, "y");
  if (_i == MEAN) {
    onnx_refuse(m, AD_EINPUT, "the mean of no elements");
    return;
  }
  ad_graph *g = onnx_load(m);
  const ad_node y = onnx_output_node(g, "y");
  ck_assert(ad_shape_equal(ad_graph_node_shape(g, y), &(ad_shape){2, {2, 1}}));
  for (size_t i = 0; i < 2; i++) ck_assert(graphs_value(g, "tape", y, i) == reduced(_i, NULL, 0));
  ad_graph_free(g);
}
END_TEST

/* Of truth values, the largest is "any" and the smallest "all". */
START_TEST(reductions_of_truth) {
  const tensor x = {.shape = {2, {3, 2}}, .count = 6, .v = {1, 1, -1, 1, -1, -1}};
  Onnx__ModelProto *m = onnx_model(20);
  const tensor want = {.shape = {1, {3}}, .count = 3, .v = {1, _i ? 1 : 0, 0}};
  onnx_weight(m->graph, "x", &x);
  onnx_floats(m->graph, "zero", NO_DIMS, (double[]){0});
  onnx_ints(m->graph, "axes", DIMS(1), (int64_t[]){1});
  onnx_node(m->graph, "Greater", "x zero", "b");
  onnx_int(onnx_node(m->graph, _i ? "ReduceMax" : "ReduceMin", "b axes", "r"), "keepdims", 0);
  onnx_int(onnx_node(m->graph, "Cast", "r", "y"), "to", FLOAT);
  onnx_output(m->graph, "y");
  ad_graph *g = onnx_load(m);
  tensor_expect_near(g, onnx_output_node(g, "y"), &want, 0);
  ad_graph_free(g);
}
END_TEST

/* ---- Moves */

START_TEST(split_into_a_number) {
  static const struct {
    int64_t n, parts, size[4];
  } cases[] = {{6, 3, {2, 2, 2}}, {7, 3, {3, 3, 1}}, {9, 4, {3, 3, 3, 0}}, {3, 1, {3}}};
  const char *const outputs[] = {"a", "a b", "a b c", "a b c d"};
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const tensor x = onnx_some((ad_shape){2, {2, cases[k].n}});
    Onnx__ModelProto *m = onnx_model(18);
    onnx_weight(m->graph, "x", &x);
    Onnx__NodeProto *n = onnx_node(m->graph, "Split", "x", outputs[cases[k].parts - 1]);
    onnx_int(n, "axis", -1);
    onnx_int(n, "num_outputs", cases[k].parts);
    for (int i = 0; i < cases[k].parts; i++) onnx_output(m->graph, (char[]){(char)('a' + i), 0});
    ad_graph *g = onnx_load(m);
    for (int i = 0, at = 0; i < cases[k].parts; at += (int)cases[k].size[i++]) {
      tensor want = tensor_zeros((ad_shape){2, {2, cases[k].size[i]}});
      for (size_t o = 0; o < want.count; o++)
        want.v[o] = x.v[o / (size_t)cases[k].size[i] * (size_t)cases[k].n + (size_t)at + o % (size_t)cases[k].size[i]];
      tensor_expect_near(g, onnx_output_node(g, (char[]){(char)('a' + i), 0}), &want, 0);
    }
    ad_graph_free(g);
  }
  const tensor x = onnx_some((ad_shape){1, {5}});
  Onnx__ModelProto *m = onnx_model(18);
  onnx_weight(m->graph, "x", &x);
  onnx_int(onnx_node(m->graph, "Split", "x", "a b c d"), "num_outputs", 4); /* 2 + 2 + 2 are more than 5 */
  onnx_output(m->graph, "a");
  onnx_refuse(m, AD_EINPUT, "can't be split into 4 parts");
}
END_TEST

START_TEST(pad_takes_axes_and_wraps) {
  const tensor x = onnx_some((ad_shape){3, {3, 2, 4}});
  static const char *const modes[] = {"wrap", "constant", "edge", "reflect"};
  for (int k = 0; k < 4; k++) {
    tensor want = tensor_zeros((ad_shape){3, {6, 2, 4}}); /* 2 before and 2 behind the last axis cut, 3 in front */
    want.shape = (ad_shape){3, {6, 2, 7}};
    want.count = 84;
    Onnx__ModelProto *m = onnx_single(19, "Pad", "x pads - axes", "y", &x);
    onnx_ints(m->graph, "pads", DIMS(4), (int64_t[]){5, 1, -2, 2});
    onnx_ints(m->graph, "axes", DIMS(2), (int64_t[]){-1, 0});
    onnx_word(first(m), "mode", modes[k]);
    for (size_t o = 0; o < want.count; o++) {
      int64_t i[8];
      tensor_unravel(&want.shape, o, i);
      i[0] -= 1, i[2] -= 5;
      const bool out = i[0] < 0 || i[0] >= 3 || i[2] < 0;
      for (int d = 0; d < 3; d += 2) {
        const int64_t n = x.shape.dim[d];
        if (k == 0)
          while (i[d] < 0 || i[d] >= n) i[d] += i[d] < 0 ? n : -n;
        else if (k == 3)
          while (i[d] < 0 || i[d] >= n) i[d] = i[d] < 0 ? -i[d] : 2 * (n - 1) - i[d];
        else
          i[d] = i[d] < 0 ? 0 : i[d] >= n ? n - 1 : i[d];
      }
      want.v[o] = k == 1 && out ? 0 : x.v[tensor_position(&x.shape, i)];
    }
    onnx_expect(onnx_load(m), "y", &want, 0);
  }
}
END_TEST

START_TEST(crops_and_pads_are_central) {
  const tensor x = onnx_some((ad_shape){2, {5, 4}});
  tensor want = tensor_zeros((ad_shape){2, {2, 7}}); /* rows 1 and 2; columns from 1 on */
  for (int i = 0; i < 8; i++) want.v[i / 4 * 7 + 1 + i % 4] = x.v[(i / 4 + 1) * 4 + i % 4];
  Onnx__ModelProto *m = onnx_single(18, "CenterCropPad", "x shape", "y", &x);
  onnx_ints(m->graph, "shape", DIMS(2), (int64_t[]){2, 7});
  onnx_expect(onnx_load(m), "y", &want, 0);
  m = onnx_single(18, "CenterCropPad", "x shape", "y", &x);
  onnx_ints(m->graph, "shape", DIMS(2), (int64_t[]){7, 2});
  onnx_list(first(m), "axes", 2, (int64_t[]){-1, 0});
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* Each element of the image is the sum of what blocks have where they lie over it. */
START_TEST(blocks_add_up) {
  enum { H = 5, W = 4, KH = 2, KW = 3, OH = 3, OW = 3 }; /* stride 2 and 1, dilation 1 and 2, pads 1 and 2 0 */
  const tensor x = onnx_some((ad_shape){3, {1, 2 * KH * KW, OH * OW}});
  tensor want = tensor_zeros((ad_shape){4, {1, 2, H, W}});
  for (int c = 0; c < 2; c++)
    for (int k = 0; k < KH * KW; k++)
      for (int o = 0; o < OH * OW; o++) {
        const int i = o / OW * 2 + k / KW - 1, j = o % OW + k % KW * 2 - 2;
        if (i >= 0 && i < H && j >= 0 && j < W) want.v[(c * H + i) * W + j] += x.v[((c * KH * KW) + k) * OH * OW + o];
      }
  Onnx__ModelProto *m = onnx_single(18, "Col2Im", "x image block", "y", &x);
  onnx_ints(m->graph, "image", DIMS(2), (int64_t[]){H, W});
  onnx_ints(m->graph, "block", DIMS(2), (int64_t[]){KH, KW});
  onnx_list(first(m), "strides", 2, (int64_t[]){2, 1});
  onnx_list(first(m), "dilations", 2, (int64_t[]){1, 2});
  onnx_list(first(m), "pads", 4, (int64_t[]){1, 2, 0, 1});
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* ---- Scatter: what meets in one place is reduced, with what was there */

START_TEST(scatter_reduces) {
  static const char *const how[] = {"add", "mul", "max", "min"};
  const tensor x = onnx_some((ad_shape){2, {3, 2}});
  tensor u = onnx_some((ad_shape){2, {4, 2}}), want = x;
  static const int64_t index[] = {2, 0, 0, 0, -1, 2, 2, 1};
  for (size_t i = 0; i < u.count; i++) u.v[i] = u.v[i] / 2 + 0.7;
  for (int i = 0; i < 8; i++) {
    double *to = &want.v[(index[i] + 3) % 3 * 2 + i % 2];
    const double v = (double)(float)u.v[i];
    *to = _i == 0 ? *to + v : _i == 1 ? *to * v : _i == 2 ? fmax(*to, v) : fmin(*to, v);
  }
  Onnx__ModelProto *m = onnx_single(18, "ScatterElements", "x index u", "y", &x);
  onnx_weight(m->graph, "u", &u);
  onnx_ints(m->graph, "index", DIMS(4, 2), index);
  onnx_word(first(m), "reduction", how[_i]);
  onnx_expect(onnx_load(m), "y", &want, 4);
  /* the same by tuples: rows of the updates go to rows of the operand */
  want = x;
  for (int i = 0; i < 8; i++) {
    double *to = &want.v[(index[i / 2 * 2] + 3) % 3 * 2 + i % 2];
    const double v = (double)(float)u.v[i];
    *to = _i == 0 ? *to + v : _i == 1 ? *to * v : _i == 2 ? fmax(*to, v) : fmin(*to, v);
  }
  m = onnx_single(18, "ScatterND", "x rows u", "y", &x);
  onnx_weight(m->graph, "u", &u);
  onnx_ints(m->graph, "rows", DIMS(4, 1), (int64_t[]){index[0], index[2], index[4], index[6]});
  onnx_word(first(m), "reduction", how[_i]);
  onnx_expect(onnx_load(m), "y", &want, 4);
}
END_TEST

/* ---- Activations and normalisations */

START_TEST(activations_are_their_formulas) {
  const tensor x = onnx_some((ad_shape){1, {9}});
  static const char *const ops[] = {"Mish", "Gelu", "Gelu"};
  tensor want = x;
  for (size_t i = 0; i < x.count; i++) {
    const double v = (double)(float)x.v[i], cube = v + 0.044715 * v * v * v;
    want.v[i] = _i == 0   ? v * tanh(log1p(exp(v)))
                : _i == 1 ? 0.5 * v * erfc(-v / sqrt(2))
                          : 0.5 * v * (1 + tanh(sqrt(2 / acos(-1.0)) * cube));
  }
  Onnx__ModelProto *m = onnx_single(20, ops[_i], "x", "y", &x);
  if (_i == 2) onnx_word(first(m), "approximate", "tanh");
  onnx_expect(onnx_load(m), "y", &want, 64);
}
END_TEST

START_TEST(groups_are_normalised) {
  const int opset = _i ? 21 : 18;
  const tensor x = onnx_some((ad_shape){4, {2, 4, 2, 1}});
  tensor scale = onnx_eighths((ad_shape){1, {_i ? 4 : 2}}), shift = onnx_eighths(scale.shape), want = x;
  for (int n = 0; n < 2; n++)
    for (int g = 0; g < 2; g++) {
      const double *v = x.v + n * 8 + g * 4;
      double mean = 0, variance = 0;
      for (int i = 0; i < 4; i++) mean += (double)(float)v[i] / 4;
      for (int i = 0; i < 4; i++) variance += pow((double)(float)v[i] - mean, 2) / 4;
      for (int i = 0; i < 4; i++) {
        const int at = _i ? 2 * g + i / 2 : g;
        want.v[n * 8 + g * 4 + i] = ((double)(float)v[i] - mean) / sqrt(variance + 0.125) * scale.v[at] + shift.v[at];
      }
    }
  Onnx__ModelProto *m = onnx_single(opset, "GroupNormalization", "x scale shift", "y", &x);
  onnx_weight(m->graph, "scale", &scale);
  onnx_weight(m->graph, "shift", &shift);
  onnx_int(first(m), "num_groups", 2);
  onnx_float(first(m), "epsilon", 0.125);
  onnx_expect(onnx_load(m), "y", &want, 128);
}
END_TEST

/* ---- Resize */

static double cubic(double d) { /* Keys, with a = -1/2: the spline of Catmull and Rom */
  d = fabs(d);
  return d <= 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

/* One axis of size n to m: every element a mean of all, weighed by a filter that is wider where m is smaller; beyond
 * the ends there is what is at the ends. */
static void shrink(const double *x, int n, double *y, int m, bool linear, bool exclude) {
  const double scale = (double)m / n, narrow = fmin(scale, 1);
  for (int o = 0; o < m; o++) {
    const double p = (o + 0.5) / scale - 0.5;
    double sum = 0, all = 0;
    for (int k = -50; k < 50; k++) {
      const double d = (k - p) * narrow, w = linear ? fmax(1 - fabs(d), 0) : cubic(d);
      if (exclude && (k < 0 || k >= n)) continue;
      sum += w * x[k < 0 ? 0 : k >= n ? n - 1 : k];
      all += w;
    }
    y[o] = sum / all;
  }
}

START_TEST(resize_has_a_filter) {
  const bool linear = _i & 1, exclude = _i & 2;
  static const int sizes[] = {7, 5, 4, 3, 2, 1, 9};
  const tensor x = onnx_eighths((ad_shape){2, {2, 7}});
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    tensor want = tensor_zeros((ad_shape){2, {2, sizes[k]}});
    for (int r = 0; r < 2; r++) shrink(x.v + 7 * r, 7, want.v + sizes[k] * r, sizes[k], linear, exclude);
    Onnx__ModelProto *m = onnx_single(18, "Resize", "x - - sizes", "y", &x);
    onnx_ints(m->graph, "sizes", DIMS(1), (int64_t[]){sizes[k]});
    onnx_list(first(m), "axes", 1, (int64_t[]){-1});
    onnx_word(first(m), "mode", linear ? "linear" : "cubic");
    onnx_float(first(m), "cubic_coeff_a", -0.5);
    onnx_int(first(m), "antialias", 1);
    onnx_int(first(m), "exclude_outside", exclude && !linear ? 1 : exclude && sizes[k] < 7);
    if (linear && exclude && sizes[k] >= 7) /* without the filter the attribute is for cubic */
      onnx_free(m);
    else
      onnx_expect_close(onnx_load(m), &want, 1e-14);
  }
}
END_TEST

/* 4 x 6 into 6 x 12: by 3/2 and 2, so by 3/2 or 2 where the aspect is kept. */
START_TEST(resize_keeps_the_aspect) {
  static const char *const policy[] = {"stretch", "not_larger", "not_smaller"};
  static const int64_t height[] = {6, 6, 8}, width[] = {12, 9, 12};
  const tensor x = onnx_eighths((ad_shape){3, {1, 4, 6}});
  tensor want = tensor_zeros((ad_shape){3, {1, height[_i], width[_i]}});
  const double sy = _i == 0 ? 1.5 : _i == 1 ? 1.5 : 2, sx = _i == 0 ? 2 : sy;
  for (size_t o = 0; o < want.count; o++) {
    const int i = (int)((double)(o / (size_t)width[_i]) / sy), j = (int)((double)(o % (size_t)width[_i]) / sx);
    want.v[o] = x.v[i * 6 + j];
  }
  Onnx__ModelProto *m = onnx_single(18, "Resize", "x - - sizes", "y", &x);
  onnx_ints(m->graph, "sizes", DIMS(2), (int64_t[]){12, 6});
  onnx_list(first(m), "axes", 2, (int64_t[]){2, 1});
  onnx_word(first(m), "mode", "nearest");
  onnx_word(first(m), "coordinate_transformation_mode", "asymmetric");
  onnx_word(first(m), "nearest_mode", "floor");
  onnx_word(first(m), "keep_aspect_ratio_policy", policy[_i]);
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* 5 by a scale of 1/2 is 2.5, cut off to 2: the places lie symmetrically about the middle, 2, and a line stays one. */
START_TEST(resize_is_symmetric) {
  const tensor x = {.shape = {1, {5}}, .count = 5, .v = {0, 1, 2, 3, 4}};
  const tensor want = {.shape = {1, {2}}, .count = 2, .v = {1, 3}};
  Onnx__ModelProto *m = onnx_single(19, "Resize", "x - scale", "y", &x);
  onnx_floats(m->graph, "scale", DIMS(1), (double[]){0.5});
  onnx_word(first(m), "mode", "linear");
  onnx_word(first(m), "coordinate_transformation_mode", "half_pixel_symmetric");
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* ---- Others */

START_TEST(affine_grids_are_products) {
  const bool corners = _i & 1, solid = _i & 2;
  const int axes = solid ? 3 : 2;
  const int64_t size[] = {2, 1, 2, 4, 3};
  const tensor theta = onnx_eighths((ad_shape){3, {2, axes, axes + 1}});
  tensor want = tensor_zeros(solid ? (ad_shape){5, {2, 2, 4, 3, 3}} : (ad_shape){4, {2, 2, 4, 2}});
  for (size_t o = 0; o < want.count; o++) {
    int64_t at[8];
    tensor_unravel(&want.shape, o, at);
    const int row = (int)at[axes + 1];
    for (int k = 0; k <= axes; k++) {
      double p = 1;
      if (k < axes) { /* the last axis first */
        const double n = (double)size[1 + axes - k], i = (double)at[axes - k];
        p = corners ? -1 + 2 * i / (n - 1) : -1 + (2 * i + 1) / n;
      }
      want.v[o] += theta.v[(at[0] * axes + row) * (axes + 1) + k] * p;
    }
  }
  Onnx__ModelProto *m = onnx_single(20, "AffineGrid", "x size", "y", &theta);
  onnx_ints(m->graph, "size", DIMS(axes + 2), size);
  onnx_int(first(m), "align_corners", corners);
  onnx_expect_close(onnx_load(m), &want, 1e-14);
}
END_TEST

/* DFT-20: the axis is an operand, the last but one by default; the definition as a sum. */
START_TEST(transforms_take_an_axis) {
  const tensor x = onnx_eighths((ad_shape){3, {2, 4, 1}});
  const int axis = _i ? 0 : 1, n = _i ? 2 : 4;
  tensor want = tensor_zeros((ad_shape){3, {2, 4, 2}});
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 4; k++)
      for (int t = 0; t < n; t++) {
        const double v = x.v[axis ? i * 4 + t : t * 4 + k], angle = -2 * acos(-1.0) * t * (axis ? k : i) / n;
        want.v[(i * 4 + k) * 2] += v * cos(angle);
        want.v[(i * 4 + k) * 2 + 1] += v * sin(angle);
      }
  Onnx__ModelProto *m = onnx_single(20, "DFT", _i ? "x - axis" : "x", "y", &x);
  if (_i) onnx_ints(m->graph, "axis", NO_DIMS, (int64_t[]){-3});
  onnx_expect_close(onnx_load(m), &want, 1e-14);
}
END_TEST

/* A tensor is an optional value that is there. */
START_TEST(tensors_are_optional_values) {
  const tensor x = onnx_some((ad_shape){1, {2}});
  Onnx__ModelProto *m = onnx_model(18);
  onnx_weight(m->graph, "x", &x);
  onnx_node(m->graph, "OptionalGetElement", "x", "v");
  onnx_node(m->graph, "OptionalHasElement", "x", "has");
  onnx_node(m->graph, "OptionalHasElement", "-", "not");
  onnx_node(m->graph, "Neg", "v", "w");
  onnx_node(m->graph, "Where", "has v w", "p");
  onnx_node(m->graph, "Where", "not w p", "y");
  onnx_output(m->graph, "y");
  onnx_expect(onnx_load(m), "y", &x, 0);
}
END_TEST

START_TEST(versions_end) {
  const tensor x = onnx_some((ad_shape){1, {2}});
  onnx_refuse(onnx_single(26, "Neg", "x", "y", &x), AD_EINPUT, "version 26 of the operators; adtool knows 1 to 25");
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx_newer");
  TCase *c = tcase_create("models");
  tcase_add_loop_test(c, reductions_take_axes, 0, REDUCTIONS);
  tcase_add_loop_test(c, reductions_without_axes, 0, REDUCTIONS);
  tcase_add_loop_test(c, reductions_of_nothing, 0, REDUCTIONS);
  tcase_add_loop_test(c, reductions_of_truth, 0, 2);
  tcase_add_test(c, split_into_a_number);
  tcase_add_test(c, pad_takes_axes_and_wraps);
  tcase_add_test(c, crops_and_pads_are_central);
  tcase_add_test(c, blocks_add_up);
  tcase_add_loop_test(c, scatter_reduces, 0, 4);
  tcase_add_loop_test(c, activations_are_their_formulas, 0, 3);
  tcase_add_loop_test(c, groups_are_normalised, 0, 2);
  tcase_add_loop_test(c, resize_has_a_filter, 0, 4);
  tcase_add_loop_test(c, resize_keeps_the_aspect, 0, 3);
  tcase_add_test(c, resize_is_symmetric);
  tcase_add_loop_test(c, affine_grids_are_products, 0, 4);
  tcase_add_loop_test(c, transforms_take_an_axis, 0, 2);
  tcase_add_test(c, tensors_are_optional_values);
  tcase_add_test(c, versions_end);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  return suite_run(s);
}
