/* ONNX operators where values are easily lost: norms of huge, tiny and zero tensors, tails, halves, half spectra,
 * implicit results, integers that are narrowed; against definitions as loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_model.h"
#include "suite.h"

enum {
  FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  DOUBLE = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
  INT8 = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
  UINT8 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
  INT32 = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
  INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64
};

static Onnx__NodeProto *first(Onnx__ModelProto *m) {
  return m->graph->node[0];
}

/* A model of one node over a weight of doubles. */
static Onnx__ModelProto *of_doubles(int opset, const char *op, const tensor *x) {
  Onnx__ModelProto *m = onnx_model(opset);
  Onnx__TensorProto *t = onnx_floats(m->graph, "x", x->shape.rank, x->shape.dim, x->v);
  t->data_type = DOUBLE;
  t->n_float_data = 0;
  t->double_data = malloc((x->count + 1) * sizeof *t->double_data);
  if (!t->double_data) abort();
  memcpy(t->double_data, x->v, x->count * sizeof *t->double_data);
  t->n_double_data = x->count;
  onnx_node(m->graph, op, "x", "y");
  onnx_output(m->graph, "y");
  return m;
}

/* ---- Norms */

static const double scales[] = {1, 1e200, 1e-200, 1e307, 4e-310};
enum { SCALES = sizeof scales / sizeof scales[0] };

START_TEST(norms_keep_their_range) {
  const double s = scales[_i];
  tensor x = tensor_zeros((ad_shape){2, {1, 2}}), want = tensor_zeros((ad_shape){2, {1, 1}});
  x.v[0] = 3 * s;
  x.v[1] = -4 * s;
  want.v[0] = 5 * s;
  Onnx__ModelProto *m = of_doubles(13, "ReduceL2", &x);
  onnx_list(first(m), "axes", 1, (int64_t[]){1});
  ad_graph *g = onnx_load(m);
  const ad_node y = onnx_output_node(g, "y");
  if (_i < 4) tensor_expect_near(g, y, &want, 4);
  ck_assert_double_eq_tol(graphs_value(g, "tape", y, 0) / want.v[0], 1, 1e-12);
  for (size_t i = 0; i < 2; i++) {
    ck_assert_double_eq_tol(graphs_derivative(g, "tape", y, 0, 0, i), i ? -0.8 : 0.6, 1e-12);
    ck_assert_double_eq_tol(graphs_derivative(g, "dual", y, 0, 0, i), i ? -0.8 : 0.6, 1e-12);
  }
  ad_graph_free(g);
  for (int p = 1; p <= 2; p++) {
    m = of_doubles(13, "LpNormalization", &x);
    onnx_int(first(m), "p", p);
    g = onnx_load(m);
    for (size_t i = 0; i < 2; i++)
      ck_assert_double_eq_tol(graphs_value(g, "tape", onnx_output_node(g, "y"), i), (i ? -4.0 : 3.0) / (p == 1 ? 7 : 5),
                              1e-12);
    ad_graph_free(g);
  }
}
END_TEST

/* A norm of 0 is 0, with a derivative of 0; what is divided by it is 0, too. */
START_TEST(norms_of_zero) {
  static const char *const op[] = {"ReduceL2", "LpNormalization", "LpNormalization", "GlobalLpPool", "GlobalLpPool"};
  static const int p[] = {0, 1, 2, 2, 3};
  const tensor x = tensor_zeros((ad_shape){3, {1, 1, 2}});
  Onnx__ModelProto *m = of_doubles(13, op[_i], &x);
  if (p[_i]) onnx_int(first(m), "p", p[_i]);
  ad_graph *g = onnx_load(m);
  const ad_node y = onnx_output_node(g, "y");
  for (size_t k = 0; k < 2; k++) {
    ck_assert_double_eq(graphs_value(g, "tape", y, 0), 0);
    ck_assert_double_eq(graphs_derivative(g, "tape", y, 0, 0, k), 0);
    ck_assert_double_eq(graphs_derivative(g, "dual", y, 0, 0, k), 0);
  }
  ad_graph_free(g);
}
END_TEST

static double norm(const double *v, int n, int p) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += pow(fabs(v[i]), p);
  return pow(sum, 1.0 / p);
}

START_TEST(pools_take_norms) {
  const int p = _i + 1;
  const tensor x = onnx_some((ad_shape){4, {1, 2, 2, 5}});
  tensor want = tensor_zeros((ad_shape){4, {1, 2, 1, 3}});
  for (int c = 0; c < 2; c++)
    for (int o = 0; o < 3; o++) { /* windows of 2 x 3, 2 apart, 1 before and 1 behind */
      double v[6] = {0};
      for (int k = 0; k < 6; k++) {
        const int column = 2 * o + k % 3 - 1;
        if (column >= 0 && column < 5) v[k] = x.v[c * 10 + k / 3 * 5 + column];
      }
      want.v[c * 3 + o] = norm(v, 6, p);
    }
  Onnx__ModelProto *m = onnx_single(18, "LpPool", "x", "y", &x);
  onnx_list(first(m), "kernel_shape", 2, (int64_t[]){2, 3});
  onnx_list(first(m), "strides", 2, (int64_t[]){1, 2});
  onnx_list(first(m), "pads", 4, (int64_t[]){0, 1, 0, 1});
  onnx_int(first(m), "p", p);
  ad_graph *g = onnx_load(m);
  tensor_expect_near(g, onnx_output_node(g, "y"), &want, 16);
  if (p % 2 == 0) graphs_check_derivatives(g, 64); /* |0| of the padding is a kink */
  ad_graph_free(g);
  want = tensor_zeros((ad_shape){4, {1, 2, 1, 1}});
  for (int c = 0; c < 2; c++) want.v[c] = norm(x.v + (size_t)c * 10, 10, p);
  m = onnx_single(13, "GlobalLpPool", "x", "y", &x);
  onnx_int(first(m), "p", p);
  onnx_expect(onnx_load(m), "y", &want, 16);
}
END_TEST

/* ---- Others */

/* x (1 + tanh(u)) / 2, whose second factor cancels for x far below 0, is x / (1 + exp(-2u)). */
START_TEST(gelu_keeps_its_tail) {
  tensor x = tensor_zeros((ad_shape){1, {8}}), want = x;
  for (size_t i = 0; i < x.count; i++) {
    x.v[i] = 3 - 2 * (double)i;
    const long double v = x.v[i], u = 0.797884560802865355879892119869L * (v + (long double)0.044715 * v * v * v);
    want.v[i] = (double)(v / (1 + expl(-2 * u)));
  }
  Onnx__ModelProto *m = onnx_single(20, "Gelu", "x", "y", &x);
  onnx_word(first(m), "approximate", "tanh");
  onnx_expect(onnx_load(m), "y", &want, 2048);
}
END_TEST

/* Without an arrow the result has the letters that stand once. */
START_TEST(implicit_results) {
  const tensor x = onnx_eighths((ad_shape){3, {3, 3, 2}}), w = onnx_eighths((ad_shape){2, {2, 4}});
  tensor want = tensor_zeros((ad_shape){1, {4}});
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 2; j++)
      for (int k = 0; k < 4; k++) want.v[k] += x.v[(i * 3 + i) * 2 + j] * w.v[j * 4 + k];
  Onnx__ModelProto *m = onnx_single(12, "Einsum", "x w", "y", &x);
  onnx_weight(m->graph, "w", &w);
  onnx_word(first(m), "equation", "iij,jk");
  onnx_expect(onnx_load(m), "y", &want, 8);
  const tensor square = onnx_eighths((ad_shape){2, {3, 3}});
  tensor trace = tensor_zeros((ad_shape){0});
  for (int i = 0; i < 3; i++) trace.v[0] += square.v[i * 4];
  m = onnx_single(12, "Einsum", "x", "y", &square);
  onnx_word(first(m), "equation", "ii");
  onnx_expect(onnx_load(m), "y", &trace, 4);
}
END_TEST

/* Half a spectrum to real numbers, with zeros or cut off to the length; and whole ones back. */
START_TEST(spectra_are_inverted) {
  const int half = _i < 3, n = _i == 0 ? 4 : _i == 1 ? 5 : _i == 2 ? 8 : 3;
  const tensor x = onnx_eighths((ad_shape){3, {1, 3, 2}});
  tensor want = tensor_zeros((ad_shape){3, {1, n, half ? 1 : 2}});
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++) {
      const int mirrored = half && 2 * j > n, at = mirrored ? n - j : j;
      if (at >= 3) continue;
      const bool real = half && (at == 0 || 2 * at == n);
      const double re = x.v[at * 2],
                   im = real       ? 0
                        : mirrored ? -x.v[at * 2 + 1]
                                   : x.v[at * 2 + 1],
                   angle = 2 * acos(-1.0) * j * k / n;
      want.v[half ? k : 2 * k] += (re * cos(angle) - im * sin(angle)) / n;
      if (!half) want.v[2 * k + 1] += (re * sin(angle) + im * cos(angle)) / n;
    }
  Onnx__ModelProto *m = onnx_single(17, "DFT", half && _i ? "x n" : "x", "y", &x);
  if (half && _i) onnx_ints(m->graph, "n", NO_DIMS, (int64_t[]){n});
  onnx_int(first(m), "inverse", 1);
  onnx_int(first(m), "onesided", half);
  onnx_expect_close(onnx_load(m), &want, 1e-14);
}
END_TEST

/* The lowest bits stay, whether the integers are known when the model is loaded or not. */
START_TEST(integers_are_narrowed) {
  static const int types[] = {INT8, UINT8, INT32, INT64};
  static const double v[] = {0, 1, -1, 127, 128, 200, 255, 256, 300, -300, 2147483648, -5000000000},
                      want[4][12] = {{0, 1, -1, 127, -128, -56, -1, 0, 44, -44, 0, 0},
                                     {0, 1, 255, 127, 128, 200, 255, 0, 44, 212, 0, 0},
                                     {0, 1, -1, 127, 128, 200, 255, 256, 300, -300, -2147483648, -705032704},
                                     {0, 1, -1, 127, 128, 200, 255, 256, 300, -300, 2147483648, -5000000000}};
  enum { COUNT = 12 };
  for (int known = 0; known < 2; known++) {
    Onnx__ModelProto *m = onnx_model(13);
    int64_t integers[COUNT];
    for (int i = 0; i < COUNT; i++) integers[i] = (int64_t)v[i];
    onnx_floats(m->graph, "w", NO_DIMS, (double[]){1});
    onnx_node(m->graph, "Neg", "w", "unused");
    onnx_int(onnx_node(m->graph, "Cast", "i", "j"), "to", types[_i]);
    onnx_int(onnx_node(m->graph, "Cast", "j", "y"), "to", DOUBLE);
    onnx_output(m->graph, "y");
    if (known)
      onnx_ints(m->graph, "i", DIMS(COUNT), integers);
    else
      onnx_computed(m, "i", DIMS(COUNT), v);
    ad_graph *g = onnx_load(m);
    for (size_t i = 0; i < COUNT; i++) {
      const double got = graphs_value(g, "tape", onnx_output_node(g, "y"), i), right = want[_i][i];
      const bool rounded = !known && fabs(v[i]) > 1e9; /* a weight is a float */
      if (!rounded) ck_assert_msg(got == right, "%g becomes %g, not %g", v[i], got, right);
    }
    ad_graph_free(g);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx_values");
  TCase *c = tcase_create("models");
  tcase_add_loop_test(c, norms_keep_their_range, 0, SCALES);
  tcase_add_loop_test(c, norms_of_zero, 0, 5);
  tcase_add_loop_test(c, pools_take_norms, 0, 4);
  tcase_add_test(c, gelu_keeps_its_tail);
  tcase_add_test(c, implicit_results);
  tcase_add_loop_test(c, spectra_are_inverted, 0, 4);
  tcase_add_loop_test(c, integers_are_narrowed, 0, 4);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  return suite_run(s);
}
