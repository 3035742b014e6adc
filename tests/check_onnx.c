/* The ONNX reader on models made here: operators against their definitions as loops and against identities, what
 * becomes an input and what a constant, messages, and no bytes whatever more than an error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/operators.h"
#include "onnx_model.h"
#include "suite.h"

enum {
  FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
  BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL
};

/* ---- What is an input */

START_TEST(weights_are_inputs) {
  Onnx__ModelProto *m = onnx_model(13);
  const double w[] = {0.1, 2, 3, 4};
  onnx_input(m->graph, "x", FLOAT, DIMS(-1, 2));
  onnx_input(m->graph, "mask", BOOL, DIMS(2));
  onnx_floats(m->graph, "w", DIMS(2, 2), w);
  onnx_floats(m->graph, "exponent", NO_DIMS, (double[]){3});
  onnx_ints(m->graph, "shape", DIMS(1), (int64_t[]){-1});
  onnx_node(m->graph, "MatMul", "x w", "product");
  onnx_node(m->graph, "Pow", "product exponent", "cube");
  onnx_node(m->graph, "Where", "mask cube product", "chosen");
  onnx_node(m->graph, "Reshape", "chosen shape", "y");
  onnx_output(m->graph, "y");
  ad_numbers *three = ad_numbers_new();
  must(ad_numbers_push_double(three, 3, &graphs_error));
  ad_graph *g = onnx_load_bound(m, 1, &(ad_binding){"N", three, NULL});
  ad_numbers_free(three);
  ck_assert_uint_eq(ad_graph_input_count(g), 3); /* the exponent and the shape are none */
  const ad_node x = ad_graph_find_node(g, "x"), mask = ad_graph_find_node(g, "mask"), n = ad_graph_find_node(g, "w");
  ck_assert(ad_shape_equal(ad_graph_node_shape(g, x), &(ad_shape){2, {3, 2}}));
  ck_assert_uint_eq(ad_graph_node_values(g, x).count, 0);
  ck_assert(!ad_graph_input_fixed(g, x) && !ad_graph_input_fixed(g, n) && ad_graph_input_fixed(g, mask));
  ck_assert_int_eq(ad_graph_node_dtype(g, n), AD_F32);
  const ad_values v = ad_graph_node_values(g, n);
  ck_assert_uint_eq(v.count, 4);
  ck_assert(v.value[0] == (double)0.1f && v.value[3] == 4);
  ck_assert_ptr_nonnull(ad_graph_node_name(g, ad_graph_find_node(g, "product")));
  ck_assert_int_eq(ad_graph_node_shape(g, onnx_output_node(g, "y"))->dim[0], 6);
  ad_graph_free(g);
}
END_TEST

/* Sizes are computed when the model is loaded: nothing of them is left. */
START_TEST(shape_arithmetic_is_folded) {
  Onnx__ModelProto *m = onnx_model(13);
  onnx_input(m->graph, "x", FLOAT, DIMS(2, 3, 4));
  onnx_ints(m->graph, "two", DIMS(1), (int64_t[]){2});
  onnx_ints(m->graph, "zero", NO_DIMS, (int64_t[]){0});
  onnx_ints(m->graph, "from", DIMS(1), (int64_t[]){1});
  onnx_ints(m->graph, "to", DIMS(1), (int64_t[]){INT64_MAX});
  onnx_node(m->graph, "Shape", "x", "s");
  onnx_node(m->graph, "Gather", "s zero", "first");
  onnx_node(m->graph, "Unsqueeze", "first zero1", "first1");
  onnx_ints(m->graph, "zero1", DIMS(1), (int64_t[]){0});
  onnx_node(m->graph, "Slice", "s from to", "rest");
  onnx_node(m->graph, "ReduceProd", "rest", "product");
  onnx_int(m->graph->node[m->graph->n_node - 1], "keepdims", 1);
  onnx_node(m->graph, "Div", "product two", "half");
  onnx_node(m->graph, "Concat", "first1 half two", "shape");
  onnx_int(m->graph->node[m->graph->n_node - 1], "axis", 0);
  onnx_node(m->graph, "Reshape", "x shape", "y");
  onnx_output(m->graph, "y");
  ad_graph *g = onnx_load(m);
  ck_assert_uint_eq(ad_graph_node_count(g), 2);
  ck_assert(ad_shape_equal(ad_graph_node_shape(g, 1), &(ad_shape){3, {2, 6, 2}}));
  ad_graph_free(g);
}
END_TEST

START_TEST(bindings_must_exist) {
  Onnx__ModelProto *m = onnx_model(13);
  size_t size;
  ad_graph *g = NULL;
  ad_numbers *v = ad_numbers_new();
  must(ad_numbers_push_double(v, 0.5, &graphs_error));
  onnx_input(m->graph, "x", FLOAT, DIMS(-1));
  onnx_node(m->graph, "Neg", "x", "y");
  onnx_output(m->graph, "y");
  void *bytes = onnx_pack(m, &size);
  must_fail(AD_EUSAGE, "no size and no input 'M'",
            ad_graph_read_bound(&g, bytes, size, "m", 1, &(ad_binding){"M", v, NULL}, NULL, &graphs_error));
  must_fail(AD_EINPUT, "one integer",
            ad_graph_read_bound(&g, bytes, size, "m", 1, &(ad_binding){"N", v, NULL}, NULL, &graphs_error));
  must_fail(AD_EUSAGE, "leaves nothing open",
            ad_graph_read_bound(&g, "adtool: 1\n", 10, "m", 1, &(ad_binding){"N", v, NULL}, NULL, &graphs_error));
  must(ad_graph_read_bound(&g, bytes, size, "m", 0, NULL, NULL, &graphs_error));
  ck_assert_int_eq(ad_graph_node_shape(g, 0)->dim[0], 1);
  ad_graph_free(g);
  ad_numbers_free(v);
  free(bytes);
  onnx_free(m);
}
END_TEST

/* All 16-bit patterns of both formats, by the definition of IEEE 754's binary16 and of bfloat16. */
START_TEST(half_precision_is_exact) {
  const int type = _i ? ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16 : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
  const int bits = _i ? 7 : 10, bias = _i ? 127 : 15;
  Onnx__ModelProto *m = onnx_model(13);
  Onnx__TensorProto *t = onnx_floats(m->graph, "w", DIMS(0), NULL);
  t->data_type = type;
  t->dims[0] = 65536;
  t->has_raw_data = true;
  t->raw_data.len = 2 * 65536;
  t->raw_data.data = malloc(t->raw_data.len);
  for (unsigned i = 0; i < 65536; i++)
    t->raw_data.data[2 * i] = i & 255, t->raw_data.data[2 * i + 1] = (uint8_t)(i >> 8);
  onnx_node(m->graph, "Identity", "w", "y");
  onnx_output(m->graph, "y");
  ad_graph *g = onnx_load(m);
  const double *v = ad_graph_node_values(g, 0).value;
  for (int i = 0; i < 65536; i++) {
    const int exponent = i >> bits & ((1 << (15 - bits)) - 1), mantissa = i & ((1 << bits) - 1);
    double want = exponent ? 1 : 0;
    for (int k = 0; k < bits; k++) want += mantissa >> (bits - 1 - k) & 1 ? ldexp(1, -1 - k) : 0;
    want *= ldexp(i >> 15 ? -1 : 1, (exponent ? exponent : 1) - bias);
    if (exponent == (1 << (15 - bits)) - 1) want = mantissa ? NAN : i >> 15 ? -INFINITY : INFINITY;
    ck_assert_msg(v[i] == want || (isnan(v[i]) && isnan(want)), "%#x is %g, not %g", i, v[i], want);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- Messages */

static Onnx__ModelProto *unary(const char *op) {
  Onnx__ModelProto *m = onnx_model(13);
  onnx_input(m->graph, "x", FLOAT, DIMS(2, 3));
  onnx_node(m->graph, op, "x", "y");
  onnx_output(m->graph, "y");
  return m;
}

START_TEST(messages_name_what_is_not_supported) {
  Onnx__ModelProto *m = unary("Unique");
  m->graph->node[0]->name = strdup("the node");
  onnx_refuse(m, AD_EINPUT, "node 'the node' (Unique): not supported: the operator Unique");
  m = unary("Neg");
  m->graph->node[0]->domain = strdup("com.example");
  onnx_refuse(m, AD_EINPUT, "of the domain com.example");
  m = unary("Neg");
  onnx_int(m->graph->node[0], "alpha", 1);
  onnx_refuse(m, AD_EINPUT, "not supported: the attribute 'alpha'");
  m = unary("Neg");
  m->opset_import[0]->version = 99;
  onnx_refuse(m, AD_EINPUT, "version 99 of the operators");
  m = unary("Neg");
  m->ir_version = 99;
  onnx_refuse(m, AD_EINPUT, "version 99 of the file format");
  m = unary("Neg");
  m->graph->input[0]->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
  onnx_refuse(m, AD_EINPUT, "the input 'x' of string");
  m = unary("NonZero");
  onnx_refuse(m, AD_EINPUT, "must be known when the model is loaded; give it by --bind 'x=...'");
  m = unary("Softmax");
  onnx_int(m->graph->node[0], "axis", 2);
  onnx_refuse(m, AD_EINPUT, "axis 2 is out of range for rank 2");
  m = unary("Neg");
  free(m->graph->node[0]->input[0]);
  m->graph->node[0]->input[0] = strdup("z");
  onnx_refuse(m, AD_EINPUT, "there is no value 'z' before this node");
  m = unary("Neg");
  onnx_node(m->graph, "Abs", "x", "y");
  onnx_refuse(m, AD_EINPUT, "the value 'y' is made twice");
  m = unary("Neg");
  onnx_floats(m->graph, "w", DIMS(2), (double[]){1, 2})->dims[0] = 3;
  onnx_refuse(m, AD_EINPUT, "the tensor 'w' of 3 elements has data for another number");
  m = unary("Neg");
  Onnx__TensorProto *t = onnx_floats(m->graph, "w", DIMS(2), (double[]){1, 2});
  t->has_data_location = true;
  t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  onnx_refuse(m, AD_EINPUT, "lies in another file, which it does not name");
  m = unary("Neg");
  onnx_ints(m->graph, "i", DIMS(2), (int64_t[]){INT64_MAX, 1});
  onnx_node(m->graph, "Add", "i i", "k");
  onnx_refuse(m, AD_EINPUT, "no result that int64 can hold");
  m = unary("Neg");
  onnx_ints(m->graph, "i", DIMS(3), (int64_t[]){1 << 20, 1 << 20, 4});
  onnx_node(m->graph, "ConstantOfShape", "i", "k");
  size_t size;
  ad_graph *g;
  void *bytes = onnx_pack(m, &size);
  must_fail(AD_ELIMIT, "too much", ad_graph_read(&g, bytes, size, "model", NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
}
END_TEST

static Onnx__ModelProto *whole_numbers(int opset, const char *op, const char *inputs, int rank, const int64_t *dim) {
  Onnx__ModelProto *m = onnx_model(opset);
  onnx_input(m->graph, "x", INT64, rank, dim);
  onnx_node(m->graph, op, inputs, "y");
  onnx_output(m->graph, "y");
  return m;
}

/* What weighs its operand by fractions is nothing for integers. */
START_TEST(integers_are_not_weighed) {
  Onnx__ModelProto *m = whole_numbers(13, "Det", "x", DIMS(2, 2));
  onnx_refuse(m, AD_EINPUT, "node 'y' (Det): not supported: an operand of int64");
  for (int smooth = 0; smooth < 2; smooth++) {
    m = whole_numbers(18, "Resize", "x - scales", DIMS(6));
    onnx_word(m->graph->node[0], "mode", "linear");
    onnx_int(m->graph->node[0], "antialias", smooth);
    onnx_floats(m->graph, "scales", DIMS(1), (double[]){0.5});
    onnx_refuse(m, AD_EINPUT, "an operand of int64");
  }
  m = whole_numbers(18, "Resize", "x - scales", DIMS(6)); /* nearest */
  onnx_floats(m->graph, "scales", DIMS(1), (double[]){0.5});
  ad_graph_free(onnx_load(m));
  m = whole_numbers(13, "NegativeLogLikelihoodLoss", "x t", DIMS(1, 2));
  onnx_ints(m->graph, "t", DIMS(1), (int64_t[]){1});
  onnx_refuse(m, AD_EINPUT, "an operand of int64");
}
END_TEST

static Onnx__ModelProto *unpool(const int64_t *dim, const int64_t *shape) {
  Onnx__ModelProto *m = onnx_model(11);
  int64_t at[4] = {0, 2, 8, 10};
  onnx_input(m->graph, "x", FLOAT, 4, dim);
  onnx_ints(m->graph, "at", 4, dim, at);
  onnx_ints(m->graph, "shape", DIMS(4), shape);
  Onnx__NodeProto *n = onnx_node(m->graph, "MaxUnpool", "x at shape", "y");
  onnx_list(n, "kernel_shape", 2, (int64_t[]){2, 2});
  onnx_list(n, "strides", 2, (int64_t[]){2, 2});
  onnx_output(m->graph, "y");
  return m;
}

/* Sizes whose sums, differences or products an int64 can't hold. */
START_TEST(sizes_do_not_wrap) {
  const int64_t small[] = {1, 1, 2, 2}, wide = INT64_C(1) << 47;
  onnx_refuse(unpool(small, (int64_t[]){1, 1, INT64_MIN, 4}), AD_EINPUT, "smaller than the windows");
  onnx_refuse(unpool(small, (int64_t[]){1, 1, INT64_MAX, 4}), AD_ELIMIT, "more than");
  Onnx__ModelProto *m = onnx_model(11);
  onnx_input(m->graph, "x", FLOAT, DIMS(0, 1, wide, 2));
  onnx_input(m->graph, "w", FLOAT, DIMS(1, 1, 2, 2));
  onnx_list(onnx_node(m->graph, "ConvTranspose", "x w", "y"), "strides", 2, (int64_t[]){1 << 30, 1 << 30});
  onnx_output(m->graph, "y");
  onnx_refuse(m, AD_ELIMIT, "too much: a tensor whose sizes");
  m = onnx_model(19);
  onnx_input(m->graph, "x", FLOAT, DIMS(1, 0, 3, 3));
  onnx_input(m->graph, "w", FLOAT, DIMS(1, 0, 2, 2));
  onnx_input(m->graph, "o", FLOAT, DIMS(1, 0, 2, 2));
  onnx_int(onnx_node(m->graph, "DeformConv", "x w o", "y"), "offset_group", INT64_C(1) << 62);
  onnx_output(m->graph, "y");
  onnx_refuse(m, AD_EINPUT, "don't fit the image");
}
END_TEST

/* A loop that never ends, and one whose body is large: neither takes long. */
START_TEST(loops_are_bounded) {
  Onnx__ModelProto *m = onnx_model(13);
  size_t size;
  ad_graph *g;
  onnx_ints(m->graph, "one", NO_DIMS, (int64_t[]){1});
  onnx_input(m->graph, "x", FLOAT, DIMS(1));
  Onnx__GraphProto *b = onnx_body(onnx_node(m->graph, "Loop", "- - one", "last"), "body");
  onnx_input(b, "i", INT64, NO_DIMS);
  onnx_input(b, "go", BOOL, NO_DIMS);
  onnx_input(b, "p", INT64, NO_DIMS);
  onnx_node(b, "Identity", "go", "again");
  onnx_node(b, "Identity", "p", "next");
  onnx_output(b, "again");
  onnx_output(b, "next");
  onnx_node(m->graph, "Neg", "x", "y");
  onnx_output(m->graph, "y");
  void *bytes = onnx_pack(m, &size);
  must_fail(AD_ELIMIT, "loops and functions of the model",
            ad_graph_read(&g, bytes, size, "model", NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
}
END_TEST

/* ---- Damage */

enum { SAMPLES = 7 };

static void *sample(int i, size_t *size) {
  Onnx__ModelProto *m = onnx_model(i < 4 ? 13 : 20);
  const tensor x = onnx_eighths((ad_shape){3, {2, 2, 3}}), image = onnx_eighths((ad_shape){4, {1, 2, 3, 3}});
  Onnx__NodeProto *n;
  onnx_weight(m->graph, i < 4 ? "x" : "image", i < 4 ? &x : &image);
  switch (i) {
    case 0:
      n = onnx_node(m->graph, "Conv", "x x", "c");
      onnx_list(n, "pads", 2, (int64_t[]){1, 2});
      onnx_node(m->graph, "MaxPool", "c", "y");
      onnx_list(m->graph->node[1], "kernel_shape", 1, (int64_t[]){2});
      break;
    case 1:
      onnx_floats(m->graph, "w", DIMS(1, 6, 3), (double[18]){0.5});
      onnx_floats(m->graph, "r", DIMS(1, 6, 2), (double[12]){0.5});
      onnx_int(onnx_node(m->graph, "GRU", "x w r", "y"), "hidden_size", 2);
      break;
    case 2: {
      onnx_ints(m->graph, "trips", NO_DIMS, (int64_t[]){3});
      Onnx__GraphProto *b = onnx_body(onnx_node(m->graph, "Loop", "trips - x", "y"), "body");
      onnx_input(b, "i", INT64, NO_DIMS);
      onnx_input(b, "go", BOOL, NO_DIMS);
      onnx_input(b, "p", FLOAT, DIMS(2, 2, 3));
      onnx_node(b, "Tanh", "p", "q");
      onnx_output(b, "go");
      onnx_output(b, "q");
      break;
    }
    case 4: {
      const tensor grid = onnx_eighths((ad_shape){4, {1, 2, 2, 2}}), theta = onnx_eighths((ad_shape){3, {1, 2, 3}});
      onnx_weight(m->graph, "grid", &grid);
      onnx_weight(m->graph, "theta", &theta);
      onnx_floats(m->graph, "rois", DIMS(1, 4), (double[]){0, 0, 2, 3});
      onnx_ints(m->graph, "which", DIMS(1), (int64_t[]){0});
      onnx_ints(m->graph, "size", DIMS(4), (int64_t[]){1, 2, 2, 2});
      onnx_node(m->graph, "AffineGrid", "theta size", "base");
      onnx_node(m->graph, "Add", "base grid", "places");
      n = onnx_node(m->graph, "GridSample", "image places", "g");
      onnx_word(n, "mode", "linear");
      onnx_word(n, "padding_mode", "reflection");
      n = onnx_node(m->graph, "RoiAlign", "image rois which", "r");
      onnx_int(n, "output_height", 2);
      onnx_int(n, "output_width", 2);
      onnx_int(n, "sampling_ratio", 1);
      onnx_node(m->graph, "Add", "g r", "s");
      onnx_node(m->graph, "Det", "s", "y");
      break;
    }
    case 5:
      onnx_ints(m->graph, "k", DIMS(1), (int64_t[]){2});
      onnx_ints(m->graph, "shape", DIMS(4), (int64_t[]){1, 2, 3, 3});
      n = onnx_node(m->graph, "MaxPool", "image", "v at");
      onnx_list(n, "kernel_shape", 2, (int64_t[]){2, 1});
      onnx_list(n, "strides", 2, (int64_t[]){2, 1});
      n = onnx_node(m->graph, "MaxUnpool", "v at shape", "u");
      onnx_list(n, "kernel_shape", 2, (int64_t[]){2, 1});
      onnx_list(n, "strides", 2, (int64_t[]){2, 1});
      onnx_int(onnx_node(m->graph, "TopK", "u k", "t places"), "axis", 2);
      onnx_int(onnx_node(m->graph, "GatherElements", "image places", "e"), "axis", 2);
      onnx_int(onnx_node(m->graph, "ArgMax", "e", "a"), "axis", 3);
      onnx_int(onnx_node(m->graph, "Gather", "t a", "y"), "axis", 3);
      break;
    case 6:
      onnx_floats(m->graph, "step", NO_DIMS, (double[]){0.25});
      onnx_ints(m->graph, "sizes", DIMS(2), (int64_t[]){2, 2});
      onnx_ints(m->graph, "axes", DIMS(2), (int64_t[]){3, 2});
      onnx_ints(m->graph, "pads", DIMS(4), (int64_t[]){1, 0, 0, 1});
      onnx_ints(m->graph, "index", DIMS(1, 1, 3, 3), (int64_t[]){0, 2, 0, 1, 1, 1, 2, 0, -1});
      n = onnx_node(m->graph, "Resize", "image - - sizes", "r");
      onnx_list(n, "axes", 2, (int64_t[]){2, 3});
      onnx_word(n, "mode", "linear");
      onnx_int(n, "antialias", 1);
      onnx_word(onnx_node(m->graph, "Pad", "r pads - axes", "p"), "mode", "wrap");
      onnx_int(onnx_node(m->graph, "Split", "p", "a b"), "num_outputs", 2);
      onnx_int(m->graph->node[m->graph->n_node - 1], "axis", 1);
      n = onnx_node(m->graph, "ScatterElements", "a index b", "s");
      onnx_int(n, "axis", 3);
      onnx_word(n, "reduction", "max");
      onnx_node(m->graph, "QuantizeLinear", "s step", "q");
      onnx_node(m->graph, "DequantizeLinear", "q step", "d");
      onnx_node(m->graph, "ReduceLogSumExp", "d axes", "y");
      break;
    default:
      onnx_ints(m->graph, "pads", DIMS(6), (int64_t[]){0, 1, 0, 0, 0, 2});
      onnx_ints(m->graph, "index", DIMS(2), (int64_t[]){1, 0});
      onnx_ints(m->graph, "from", DIMS(3), (int64_t[]){0, 0, 1});
      onnx_node(m->graph, "Pad", "x pads", "p");
      onnx_node(m->graph, "Gather", "p index", "g");
      onnx_node(m->graph, "Shape", "g", "s");
      onnx_node(m->graph, "Slice", "g from s", "t");
      onnx_list(onnx_node(m->graph, "Transpose", "t", "u"), "perm", 3, (int64_t[]){2, 0, 1});
      onnx_word(onnx_node(m->graph, "Einsum", "u u", "y"), "equation", "abc,abd->cd");
  }
  onnx_output(m->graph, "y");
  void *bytes = onnx_pack(m, size);
  onnx_free(m);
  return bytes;
}

/* Reads it within small limits, and evaluates what could be read. */
static void survive(const void *bytes, size_t size, bool must_not_load) {
  const ad_limits limits = {.max_nodes = 2000, .max_elements = 20000, .max_bytes = 1 << 26};
  ad_graph *g = NULL;
  ad_program *p;
  ad_workspace *w;
  void *exact = malloc(size + !size); /* so that a read beyond the end is seen */
  if (size) memcpy(exact, bytes, size);
  ad_status s = ad_graph_read(&g, exact, size, "damaged", &limits, &graphs_error);
  free(exact);
  ck_assert_msg(!must_not_load || s, "damaged bytes were taken");
  ck_assert(!s || graphs_error.message[0]);
  if (s) return;
  if (!ad_program_new(&p, g, NULL, &graphs_error)) {
    if (!ad_workspace_new(&w, p, ad_backend_find("tape"), NULL, &graphs_error)) {
      (void)!ad_workspace_primal(w, &graphs_error);
      ad_workspace_free(w);
    }
    ad_program_free(p);
  }
  ad_graph_free(g);
}

/* The last field of these models is the opset, in 4 bytes and more: what is cut off there is another model. */
START_TEST(truncations_are_errors) {
  size_t size;
  void *bytes = sample(_i, &size);
  for (size_t n = 0; n < size; n++) survive(bytes, n, n + 8 < size);
  ad_graph *g;
  must(ad_graph_read(&g, bytes, size, "whole", NULL, &graphs_error));
  ad_graph_free(g);
  survive(bytes, size, false);
  free(bytes);
}
END_TEST

START_TEST(random_damage_is_survived) {
  ulps_random r = {ulps_seed() + (uint64_t)_i};
  size_t size;
  uint8_t *bytes = sample(_i, &size), *copy = malloc(size);
  for (int k = 0; k < 2000 * ulps_multiplier(); k++) {
    memcpy(copy, bytes, size);
    for (uint64_t n = 1 + ulps_random_bits(&r) % 3; n-- > 0;) {
      const size_t at = ulps_random_bits(&r) % size;
      if (ulps_random_bits(&r) % 2)
        copy[at] ^= (uint8_t)(1u << ulps_random_bits(&r) % 8);
      else
        copy[at] = (uint8_t)ulps_random_bits(&r);
    }
    survive(copy, size, false);
  }
  free(copy);
  free(bytes);
}
END_TEST

/* Messages in messages, as deep as the file is long. */
START_TEST(nesting_is_bounded) {
  enum { LEVELS = 4000 };
  static uint8_t bytes[2 + 24 * LEVELS + 16];
  size_t at = sizeof bytes, length = 0;
  for (int i = 0; i < LEVELS; i++) /* from the inside: graph, node, attribute: g in a, a in n, n in g */
    for (int k = 0; k < 3; k++) {
      static const uint8_t tag[] = {6 << 3 | 2, 5 << 3 | 2, 1 << 3 | 2};
      uint8_t head[8] = {tag[k]};
      size_t n = 1;
      for (size_t v = length;; v >>= 7) {
        head[n++] = (uint8_t)(v & 127) | (v >> 7 ? 128 : 0);
        if (!(v >> 7)) break;
      }
      at -= n, length += n;
      memcpy(bytes + at, head, n);
    }
  uint8_t front[8] = {0x08, 0x08, 7 << 3 | 2};
  size_t n = 3;
  for (size_t v = length;; v >>= 7) {
    front[n++] = (uint8_t)(v & 127) | (v >> 7 ? 128 : 0);
    if (!(v >> 7)) break;
  }
  memcpy(bytes + at - n, front, n);
  ad_graph *g = NULL;
  must_fail(AD_EINPUT, "nested too deeply",
            ad_graph_read(&g, bytes + at - n, sizeof bytes - at + n, "deep", NULL, &graphs_error));
}
END_TEST

/* ---- The manual */

START_TEST(manual_lists_the_operators) {
  char list[8000] = "@c Made by make update-onnx.\n";
  const char *names[400];
  const size_t n = ad_onnx_operator_count();
  size_t used = strlen(list), column = 0;
  for (size_t i = 0; i < n; i++) { /* by the alphabet */
    size_t k = i;
    for (; k && strcmp(names[k - 1], ad_onnx_operator_get(i)->name) > 0; k--) names[k] = names[k - 1];
    names[k] = ad_onnx_operator_get(i)->name;
  }
  for (size_t i = 0; i < n; i++) {
    const size_t length = strlen(names[i]);
    if (column + length > 110) list[used - 1] = '\n', column = 0;
    column += length + 2;
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", names[i], i + 1 < n ? ", " : ".\n");
  }
  onnx_page("onnx-operators.texi", list);
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx");
  TCase *c = tcase_create("models");
  tcase_add_test(c, weights_are_inputs);
  tcase_add_test(c, shape_arithmetic_is_folded);
  tcase_add_test(c, bindings_must_exist);
  tcase_add_loop_test(c, half_precision_is_exact, 0, 2);
  tcase_add_test(c, messages_name_what_is_not_supported);
  tcase_add_test(c, integers_are_not_weighed);
  tcase_add_test(c, sizes_do_not_wrap);
  tcase_add_test(c, loops_are_bounded);
  tcase_add_loop_test(c, truncations_are_errors, 0, SAMPLES);
  tcase_add_loop_test(c, random_damage_is_survived, 0, SAMPLES);
  tcase_add_test(c, nesting_is_bounded);
  tcase_add_test(c, manual_lists_the_operators);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  printf("seed %llu\n", (unsigned long long)ulps_seed());
  return suite_run(s);
}
