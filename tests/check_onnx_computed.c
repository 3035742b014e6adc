/* ONNX operators that choose by what is computed: indices, orders, steps; and determinants.  Against their definitions
 * as loops; values in every backend, and every derivative by every method. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_model.h"
#include "suite.h"

enum {
  FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  UINT8 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
  INT8 = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
  INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64
};

static Onnx__NodeProto *first(Onnx__ModelProto *m) {
  return m->graph->node[0];
}

/* ---- Indices */

START_TEST(gather_by_computed_indices) {
  const tensor x = onnx_some((ad_shape){3, {2, 4, 3}});
  const double index[] = {3, 0, -1, 1.5, -4, 2}; /* 1.5 is cut off */
  for (int axis = 0; axis < 3; axis++) {
    const int64_t n = x.shape.dim[axis];
    ad_shape shape = {4, {0}};
    for (int i = 0; i < axis; i++) shape.dim[i] = x.shape.dim[i];
    shape.dim[axis] = 3, shape.dim[axis + 1] = 2;
    for (int i = axis + 1; i < 3; i++) shape.dim[i + 1] = x.shape.dim[i];
    tensor want = tensor_zeros(shape);
    double some_index[6];
    for (int i = 0; i < 6; i++) some_index[i] = fmod(index[i], (double)n);
    for (size_t o = 0; o < want.count; o++) {
      int64_t at[8], from[8];
      tensor_unravel(&shape, o, at);
      for (int i = 0; i < axis; i++) from[i] = at[i];
      from[axis] = ((int64_t)some_index[at[axis] * 2 + at[axis + 1]] + n) % n;
      for (int i = axis + 1; i < 3; i++) from[i] = at[i + 1];
      want.v[o] = x.v[tensor_position(&x.shape, from)];
    }
    Onnx__ModelProto *m = onnx_single(13, "Gather", "x index", "y", &x);
    onnx_int(first(m), "axis", axis);
    onnx_computed(m, "index", DIMS(3, 2), some_index);
    onnx_expect(onnx_load(m), "y", &want, 0);
  }
}
END_TEST

/* Rows of a table by numbers that are an input, as of words: what is no row becomes nan. */
START_TEST(numbers_of_rows_are_an_input) {
  const tensor x = {.shape = {2, {3, 2}}, .count = 6, .v = {1, 2, -INFINITY, 4, 5, 6}};
  Onnx__ModelProto *m = onnx_single(13, "Gather", "x index", "y", &x);
  onnx_input(m->graph, "index", INT64, DIMS(3));
  ad_graph *g = onnx_load(m);
  const double index[] = {2, 1, 3}, want[] = {5, 6, -INFINITY, 4, NAN, NAN};
  ad_point *p;
  ad_program *program;
  ad_workspace *w;
  must(ad_point_new(&p, g, &graphs_error));
  must(ad_point_set_double(p, ad_graph_find_node(g, "index"), index, 3, &graphs_error));
  must(ad_program_new(&program, g, NULL, &graphs_error));
  must(ad_workspace_new(&w, program, ad_backend_find("tape"), NULL, &graphs_error));
  must(ad_workspace_set_point(w, p, &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  const ad_span v = ad_workspace_value(w, onnx_output_node(g, "y"));
  for (size_t i = 0; i < 6; i++)
    ck_assert(ad_span_double(&v, i) == want[i] || (isnan(want[i]) && isnan(ad_span_double(&v, i))));
  ck_assert(ad_graph_input_fixed(g, ad_graph_find_node(g, "index")));
  ad_workspace_free(w);
  ad_program_free(program);
  ad_point_free(p);
  ad_graph_free(g);
}
END_TEST

START_TEST(gather_elements_by_computed_indices) {
  const tensor x = onnx_some((ad_shape){3, {2, 4, 3}});
  for (int axis = 0; axis < 3; axis++) {
    const int64_t n = x.shape.dim[axis];
    const ad_shape shape = {3, {2, 3, 2}};
    double index[12];
    tensor want = tensor_zeros(shape);
    for (size_t o = 0; o < 12; o++) {
      int64_t at[8];
      tensor_unravel(&shape, o, at);
      index[o] = (double)((int64_t)(o * 5 % 7) % n - (o % 3 ? 0 : n));
      at[axis] = ((int64_t)index[o] + n) % n;
      want.v[o] = x.v[tensor_position(&x.shape, at)];
    }
    Onnx__ModelProto *m = onnx_single(13, "GatherElements", "x index", "y", &x);
    onnx_int(first(m), "axis", axis);
    onnx_computed(m, "index", DIMS(2, 3, 2), index);
    onnx_expect(onnx_load(m), "y", &want, 0);
  }
}
END_TEST

START_TEST(one_hot_of_computed_indices) {
  const tensor values = {.shape = {1, {2}}, .count = 2, .v = {-3, 0.5}};
  const double index[] = {2, -1, 0, 5};
  tensor want = tensor_zeros((ad_shape){3, {2, 3, 2}});
  for (size_t o = 0; o < 12; o++) {
    const int64_t i = (int64_t)index[o / 6 * 2 + o % 2], k = (int64_t)(o / 2 % 3);
    want.v[o] = values.v[i == k || i + 3 == k];
  }
  Onnx__ModelProto *m = onnx_single(11, "OneHot", "index depth x", "y", &values);
  onnx_int(first(m), "axis", 1);
  onnx_ints(m->graph, "depth", NO_DIMS, (int64_t[]){3});
  onnx_computed(m, "index", DIMS(2, 2), index);
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* ---- Orders */

START_TEST(places_of_extremes) {
  const tensor x = {.shape = {2, {2, 4}}, .count = 8, .v = {1, 3, 3, -2, 0, -5, 4, -5}};
  static const double want[2][2][2] = {{{1, 2}, {2, 2}}, {{3, 1}, {3, 3}}}; /* by operator, by which of equals */
  for (int k = 0; k < 4; k++) {
    Onnx__ModelProto *m = onnx_single(13, k / 2 ? "ArgMin" : "ArgMax", "x", "y", &x);
    onnx_int(first(m), "axis", 1);
    onnx_int(first(m), "keepdims", 0);
    onnx_int(first(m), "select_last_index", k % 2);
    onnx_floats(m->graph, "zero", NO_DIMS, (double[]){0}); /* x + 0 is no weight, whose places would be known */
    free(m->graph->node[0]->input[0]);
    m->graph->node[0]->input[0] = strdup("sum");
    onnx_node(m->graph, "Add", "x zero", "sum");
    Onnx__NodeProto *swap = m->graph->node[0];
    m->graph->node[0] = m->graph->node[1], m->graph->node[1] = swap;
    ad_graph *g = onnx_load(m);
    const ad_node y = onnx_output_node(g, "y");
    for (size_t i = 0; i < 2; i++) ck_assert(graphs_value(g, "tape", y, i) == want[k / 2][k % 2][i]);
    ad_graph_free(g);
  }
}
END_TEST

/* Sorted, with the places they had: equal ones in the order they had, infinite ones like others. */
START_TEST(largest_and_smallest) {
  const tensor x = {.shape = {3, {2, 5, 1}}, .count = 10, .v = {3, -1, 3, -INFINITY, 2, 0, 7, INFINITY, -4, 7}};
  static const int order[2][2][5] = {{{0, 2, 4, 1, 3}, {2, 1, 4, 0, 3}}, {{3, 1, 4, 0, 2}, {3, 0, 1, 4, 2}}};
  for (int smallest = 0; smallest < 2; smallest++)
    for (int64_t k = 1; k <= 5; k++) {
      Onnx__ModelProto *m = onnx_single(11, "TopK", "x k", "y at", &x);
      onnx_ints(m->graph, "k", DIMS(1), &k);
      onnx_int(first(m), "axis", -2);
      onnx_int(first(m), "largest", !smallest);
      onnx_output(m->graph, "at");
      ad_graph *g = onnx_load(m);
      const ad_node y = onnx_output_node(g, "y"), at = onnx_output_node(g, "at");
      ck_assert(ad_shape_equal(ad_graph_node_shape(g, y), &(ad_shape){3, {2, k, 1}}));
      for (size_t r = 0; r < 2; r++)
        for (size_t i = 0; i < (size_t)k; i++) {
          const int from = order[smallest][r][i];
          const size_t o = r * (size_t)k + i;
          ck_assert(graphs_value(g, "tape", y, o) == x.v[r * 5 + (size_t)from]);
          ck_assert(graphs_value(g, "tape", at, o) == from);
          for (size_t j = 0; j < 10; j++) /* the value is that element */
            ck_assert(graphs_derivative(g, "tape", y, o, 0, j) == (j == r * 5 + (size_t)from));
        }
      ad_graph_free(g);
    }
}
END_TEST

START_TEST(sorted_values_have_derivatives) {
  const tensor x = onnx_some((ad_shape){2, {2, 6}});
  tensor want = tensor_zeros((ad_shape){2, {2, 6}});
  memcpy(want.v, x.v, sizeof want.v);
  for (int r = 0; r < 2; r++) /* by insertion */
    for (int i = 1; i < 6; i++)
      for (int k = i; k > 0 && want.v[r * 6 + k] > want.v[r * 6 + k - 1]; k--) {
        const double v = want.v[r * 6 + k];
        want.v[r * 6 + k] = want.v[r * 6 + k - 1], want.v[r * 6 + k - 1] = v;
      }
  Onnx__ModelProto *m = onnx_single(11, "TopK", "x k", "y", &x);
  onnx_ints(m->graph, "k", DIMS(1), (int64_t[]){6});
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* ---- MaxPool's indices, and back */

START_TEST(pooled_places) {
  const bool by_columns = _i & 1;
  enum { H = 5, W = 4, OH = 3, OW = 2 }; /* 3 x 2 windows, strides 2, one row of padding above and below */
  const tensor x = onnx_some((ad_shape){4, {1, 2, H, W}});
  Onnx__ModelProto *m = onnx_single(12, "MaxPool", "x", "v y", &x);
  onnx_list(first(m), "kernel_shape", 2, (int64_t[]){3, 2});
  onnx_list(first(m), "strides", 2, (int64_t[]){2, 2});
  onnx_list(first(m), "pads", 4, (int64_t[]){1, 0, 1, 0});
  onnx_int(first(m), "storage_order", by_columns);
  ad_graph *g = onnx_load(m);
  const ad_node y = onnx_output_node(g, "y");
  for (int c = 0; c < 2; c++)
    for (int o = 0; o < OH * OW; o++) {
      double most = -INFINITY, at = 0;
      for (int k = 0; k < 6; k++) {
        const int i = o / OW * 2 + k / 2 - 1, j = o % OW * 2 + k % 2;
        if (i < 0 || i >= H || x.v[(c * H + i) * W + j] <= most) continue;
        most = x.v[(c * H + i) * W + j];
        at = c * H * W + (by_columns ? j * H + i : i * W + j);
      }
      ck_assert(graphs_value(g, "tape", y, (size_t)(c * OH * OW + o)) == at);
    }
  ad_graph_free(g);
}
END_TEST

/* What was largest stays, the rest becomes 0: of any shape, and with a factor between. */
START_TEST(pooled_and_put_back) {
  const tensor x = onnx_some((ad_shape){4, {2, 1, 5, 4}});
  tensor want = tensor_zeros(x.shape);
  for (int n = 0; n < 2; n++)
    for (int o = 0; o < 4; o++) {
      int best = -1;
      for (int k = 0; k < 4; k++) {
        const int at = n * 20 + (o / 2 * 2 + k / 2) * 4 + o % 2 * 2 + k % 2;
        if (best < 0 || x.v[at] > x.v[best]) best = at;
      }
      want.v[best] = x.v[best] * x.v[best];
    }
  Onnx__ModelProto *m = onnx_single(12, "MaxPool", "x", "v at", &x);
  onnx_list(first(m), "kernel_shape", 2, (int64_t[]){2, 2});
  onnx_list(first(m), "strides", 2, (int64_t[]){2, 2});
  onnx_node(m->graph, "Mul", "v v", "s");
  Onnx__NodeProto *n = onnx_node(m->graph, "MaxUnpool", "s at shape", "y");
  onnx_list(n, "kernel_shape", 2, (int64_t[]){2, 2});
  onnx_list(n, "strides", 2, (int64_t[]){2, 2});
  onnx_ints(m->graph, "shape", DIMS(4), x.shape.dim);
  onnx_expect(onnx_load(m), "y", &want, 1);
  m = onnx_single(12, "MaxPool", "x", "v at", &x); /* windows that overlap */
  onnx_list(first(m), "kernel_shape", 2, (int64_t[]){2, 2});
  onnx_list(onnx_node(m->graph, "MaxUnpool", "v at", "y"), "kernel_shape", 2, (int64_t[]){2, 2});
  onnx_refuse(m, AD_EINPUT, "windows overlap");
}
END_TEST

/* ---- Determinants: by permutations; of singular matrices, too; and products */

static double permanent(const double *a, int n, int row, unsigned used, int sign) {
  double sum = 0;
  if (row == n) return sign;
  for (int j = 0; j < n; j++) {
    if (used >> j & 1) continue;
    const int beyond = __builtin_popcount(used >> j); /* inversions with rows above */
    sum += a[row * n + j] * permanent(a, n, row + 1, used | 1u << j, beyond % 2 ? -sign : sign);
  }
  return sum;
}

START_TEST(determinants_are_sums_over_permutations) {
  const int n = _i;
  const tensor x = tensor_integers((ad_shape){4, {2, 1, n, n}});
  tensor want = tensor_zeros((ad_shape){2, {2, 1}});
  for (int k = 0; k < 2; k++) want.v[k] = permanent(x.v + k * n * n, n, 0, 0, 1);
  onnx_expect(onnx_load(onnx_single(11, "Det", "x", "y", &x)), "y", &want, 0);
}
END_TEST

START_TEST(determinants_of_many_rows) {
  tensor x = tensor_zeros((ad_shape){2, {16, 16}}), want = tensor_zeros((ad_shape){0});
  want.v[0] = 1; /* a product of triangles of integers with ones and twos on the diagonal */
  double lower[16][16] = {{0}}, upper[16][16] = {{0}};
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 16; j++) {
      lower[i][j] = i == j ? 1 : i > j && (i + j) % 5 == 0 ? 1 : 0;
      upper[i][j] = i == j ? 1 + i % 2 : i < j && (i * j) % 7 == 3 ? -1 : 0;
    }
  for (int i = 0; i < 16; i++) want.v[0] *= 1 + i % 2;
  for (int i = 0; i < 256; i++)
    for (int k = 0; k < 16; k++) x.v[i] += lower[i / 16][k] * upper[k][i % 16];
  ad_graph *g = onnx_load(onnx_single(11, "Det", "x", "y", &x));
  ck_assert(graphs_value(g, "tape", onnx_output_node(g, "y"), 0) == want.v[0]);
  ad_graph_free(g);
  const tensor large = tensor_zeros((ad_shape){2, {17, 17}});
  onnx_refuse(onnx_single(11, "Det", "x", "y", &large), AD_EINPUT,
              "the determinant of a matrix of 17 rows; the limit is 16");
}
END_TEST

/* ---- Quantisation */

START_TEST(quantised_and_back) {
  const tensor x = {.shape = {2, {2, 3}}, .count = 6, .v = {1.3, -0.3, 40, 2.5, -3.5, -300}};
  const double step[] = {0.5, 1};
  tensor want = x;
  for (size_t i = 0; i < 6; i++) {
    const double s = step[i / 3];
    want.v[i] = (fmin(fmax(rint((double)(float)x.v[i] / s) + 3, -128), 127) - 3) * s;
  }
  Onnx__ModelProto *m = onnx_single(13, "QuantizeLinear", "x step zero", "q", &x);
  onnx_int(first(m), "axis", 0);
  onnx_int(onnx_node(m->graph, "DequantizeLinear", "q step zero", "y"), "axis", -2);
  onnx_floats(m->graph, "step", DIMS(2), step);
  onnx_ints(m->graph, "zero", DIMS(2), (int64_t[]){3, 3});
  Onnx__TensorProto *zero = m->graph->initializer[m->graph->n_initializer - 1];
  zero->data_type = INT8;
  free(zero->int64_data);
  zero->int64_data = NULL, zero->n_int64_data = 0;
  zero->has_raw_data = true;
  zero->raw_data.len = 2;
  zero->raw_data.data = memset(malloc(2), 3, 2);
  ad_graph *g = onnx_load(m);
  tensor_expect_near(g, onnx_output_node(g, "y"), &want, 0);
  for (size_t i = 0; i < 6; i++) ck_assert(graphs_derivative(g, "tape", onnx_output_node(g, "y"), i, 0, i) == 0);
  ad_graph_free(g);
}
END_TEST

/* Blocks of two along the axis have a scale each; the scale has a derivative. */
START_TEST(blocks_have_scales) {
  const tensor scale = {.shape = {2, {2, 2}}, .count = 4, .v = {0.5, 1, 2, 0.25}};
  const tensor want = {.shape = {2, {2, 3}}, .count = 6, .v = {0.5, -1, 3, 8, 10, -1.5}};
  Onnx__ModelProto *m = onnx_single(21, "DequantizeLinear", "q x", "y", &scale);
  onnx_int(first(m), "axis", 1);
  onnx_int(first(m), "block_size", 2);
  onnx_ints(m->graph, "q", DIMS(2, 3), (int64_t[]){1, -2, 3, 4, 5, -6});
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* ---- Losses whose targets are inputs are those whose targets are known */

START_TEST(targets_may_be_inputs) {
  const tensor x = onnx_some((ad_shape){3, {2, 3, 2}});
  const double target[] = {2, 0, 1, 2};
  static const char *const how[] = {"none", "sum", "mean"};
  for (int known = 0; known < 2; known++) {
    double value[2][4];
    for (int k = 0; k < 2; k++) {
      Onnx__ModelProto *m =
          onnx_single(13, _i < 3 ? "SoftmaxCrossEntropyLoss" : "NegativeLogLikelihoodLoss", "x t w", "y", &x);
      onnx_word(first(m), "reduction", how[_i % 3]);
      if (known) onnx_int(first(m), "ignore_index", 1);
      onnx_floats(m->graph, "w", DIMS(3), (double[]){0.5, 2, 3});
      if (k)
        onnx_computed(m, "t", DIMS(2, 2), target);
      else
        onnx_ints(m->graph, "t", DIMS(2, 2), (int64_t[]){2, 0, 1, 2});
      ad_graph *g = onnx_load(m);
      const ad_node y = onnx_output_node(g, "y");
      const size_t count = (size_t)ad_shape_size(ad_graph_node_shape(g, y));
      ck_assert_uint_eq(count, _i % 3 ? 1 : 4);
      for (size_t i = 0; i < count; i++) value[k][i] = graphs_value(g, "tape", y, i);
      for (size_t i = 0; k && i < count; i++) ck_assert(fabs(value[0][i] - value[1][i]) <= 1e-15);
      graphs_check_derivatives(g, 64);
      ad_graph_free(g);
    }
  }
}
END_TEST

/* ---- Others */

/* Before version 9 Scan had a batch in front; backwards it adds from the end. */
START_TEST(scan_has_a_batch) {
  const tensor x = onnx_eighths((ad_shape){3, {2, 3, 2}}), zero = tensor_zeros((ad_shape){2, {2, 2}});
  tensor want = x;
  for (int n = 0; n < 2; n++)
    for (int t = 1; t < 3; t++)
      for (int i = 0; i < 2; i++) { /* results stay in the order of the runs */
        const double before = t == 1 ? x.v[n * 6 + 4 + i] : want.v[n * 6 + 2 + i];
        want.v[n * 6 + t * 2 + i] = before + x.v[n * 6 + (2 - t) * 2 + i];
        if (t == 1) want.v[n * 6 + i] = x.v[n * 6 + 4 + i];
      }
  Onnx__ModelProto *m = onnx_single(8, "Scan", "- zero x", "last y", &x);
  onnx_weight(m->graph, "zero", &zero);
  onnx_int(first(m), "num_scan_inputs", 1);
  onnx_list(first(m), "directions", 1, (int64_t[]){1});
  Onnx__GraphProto *b = onnx_body(first(m), "body");
  onnx_input(b, "s", FLOAT, DIMS(2));
  onnx_input(b, "e", FLOAT, DIMS(2));
  onnx_node(b, "Add", "s e", "t");
  onnx_node(b, "Identity", "t", "u");
  onnx_output(b, "t");
  onnx_output(b, "u");
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

START_TEST(powers_of_integers) {
  const double base[] = {5, -3, 7, 2}, exponent[] = {3, 2, 0.5, -1}, want[] = {125, 9, 2, 0};
  Onnx__ModelProto *m = onnx_model(13);
  onnx_node(m->graph, "Pow", "i p", "y");
  onnx_floats(m->graph, "p", DIMS(4), exponent);
  onnx_computed(m, "i", DIMS(4), base);
  onnx_output(m->graph, "y");
  ad_graph *g = onnx_load(m);
  for (size_t k = 0; k < 4; k++) ck_assert(graphs_value(g, "tape", onnx_output_node(g, "y"), k) == want[k]);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx_computed");
  TCase *c = tcase_create("models");
  tcase_add_test(c, gather_by_computed_indices);
  tcase_add_test(c, numbers_of_rows_are_an_input);
  tcase_add_test(c, gather_elements_by_computed_indices);
  tcase_add_test(c, one_hot_of_computed_indices);
  tcase_add_test(c, places_of_extremes);
  tcase_add_test(c, largest_and_smallest);
  tcase_add_test(c, sorted_values_have_derivatives);
  tcase_add_loop_test(c, pooled_places, 0, 2);
  tcase_add_test(c, pooled_and_put_back);
  tcase_add_loop_test(c, determinants_are_sums_over_permutations, 1, 6);
  tcase_add_test(c, determinants_of_many_rows);
  tcase_add_test(c, quantised_and_back);
  tcase_add_test(c, blocks_have_scales);
  tcase_add_loop_test(c, targets_may_be_inputs, 0, 6);
  tcase_add_test(c, scan_has_a_batch);
  tcase_add_test(c, powers_of_integers);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  return suite_run(s);
}
