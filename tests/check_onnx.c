/* The ONNX reader on models made here: operators against their definitions as loops and against identities, what
 * becomes an input and what a constant, messages, and no bytes whatever more than an error. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "onnx/operators.h"
#include "onnx_model.h"
#include "tensors.h"

enum {
  FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
  BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL
};

static ad_graph *load_bound(Onnx__ModelProto *m, size_t count, const ad_binding *b) {
  size_t size;
  ad_graph *g = NULL;
  void *bytes = onnx_pack(m, &size);
  must(ad_graph_read_bound(&g, bytes, size, "model", count, b, NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
  return g;
}

static ad_graph *load(Onnx__ModelProto *m) {
  return load_bound(m, 0, NULL);
}

static void refuse(Onnx__ModelProto *m, const char *part) {
  size_t size;
  ad_graph *g = NULL;
  void *bytes = onnx_pack(m, &size);
  must_fail(AD_EINPUT, part, ad_graph_read(&g, bytes, size, "model", NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
}

/* Small multiples of 1/8, so that floats and short sums of them are exact. */
static tensor eighths(ad_shape shape) {
  tensor t = tensor_integers(shape);
  for (size_t i = 0; i < t.count; i++) t.v[i] /= 8;
  return t;
}

static void weight(Onnx__GraphProto *g, const char *name, const tensor *t) {
  onnx_floats(g, name, t->shape.rank, t->shape.dim, t->v);
}

static ad_node output(const ad_graph *g, const char *name) {
  const size_t i = ad_graph_find_output(g, name);
  ck_assert_uint_ne(i, SIZE_MAX);
  return ad_graph_output_node(g, i);
}

/* The output is `want` to so many units of 2^-53 in every backend, and every derivative right; frees the graph. */
static void expect(ad_graph *g, const char *name, const tensor *want, double units) {
  tensor_expect_near(g, output(g, name), want, units);
  graphs_check_derivatives(g, 64);
  ad_graph_free(g);
}

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
  ad_graph *g = load_bound(m, 1, &(ad_binding){"N", three});
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
  ck_assert_int_eq(ad_graph_node_shape(g, output(g, "y"))->dim[0], 6);
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
  ad_graph *g = load(m);
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
            ad_graph_read_bound(&g, bytes, size, "m", 1, &(ad_binding){"M", v}, NULL, &graphs_error));
  must_fail(AD_EINPUT, "one integer",
            ad_graph_read_bound(&g, bytes, size, "m", 1, &(ad_binding){"N", v}, NULL, &graphs_error));
  must_fail(AD_EUSAGE, "leaves nothing open",
            ad_graph_read_bound(&g, "adtool: 1\n", 10, "m", 1, &(ad_binding){"N", v}, NULL, &graphs_error));
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
  ad_graph *g = load(m);
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

/* ---- Convolutions and pooling against loops, at random sizes */

typedef struct image {
  int axes;
  int64_t size[3], kernel[3], stride[3], dilation[3], before[3], after[3], out[3];
} image;

static image some_image(ulps_random *r) {
  image w = {.axes = 1 + (int)(ulps_random_bits(r) % 3)};
  for (int i = 0; i < w.axes; i++) {
    w.kernel[i] = 1 + (int64_t)(ulps_random_bits(r) % 3);
    w.stride[i] = 1 + (int64_t)(ulps_random_bits(r) % 2);
    w.dilation[i] = 1 + (int64_t)(ulps_random_bits(r) % 2);
    const int64_t extent = w.dilation[i] * (w.kernel[i] - 1) + 1;
    w.before[i] = (int64_t)(ulps_random_bits(r) % (uint64_t)w.kernel[i]);
    w.after[i] = (int64_t)(ulps_random_bits(r) % (uint64_t)w.kernel[i]);
    w.size[i] = extent + (int64_t)(ulps_random_bits(r) % 3);
    w.out[i] = (w.size[i] + w.before[i] + w.after[i] - extent) / w.stride[i] + 1;
  }
  return w;
}

static void put_window(Onnx__NodeProto *n, const image *w) {
  int64_t pads[6];
  for (int i = 0; i < w->axes; i++) pads[i] = w->before[i], pads[w->axes + i] = w->after[i];
  onnx_list(n, "kernel_shape", w->axes, w->kernel);
  onnx_list(n, "strides", w->axes, w->stride);
  onnx_list(n, "dilations", w->axes, w->dilation);
  onnx_list(n, "pads", 2 * w->axes, pads);
}

static ad_shape image_shape(int64_t n, int64_t channels, int axes, const int64_t *size) {
  ad_shape s = {axes + 2, {n, channels}};
  for (int i = 0; i < axes; i++) s.dim[i + 2] = size[i];
  return s;
}

/* The index in the image of kernel place k at result place o; false: outside. */
static bool inside(const image *w, const int64_t *k, const int64_t *o, int64_t *at) {
  bool in = true;
  for (int i = 0; i < w->axes; i++) {
    at[i] = o[i] * w->stride[i] + k[i] * w->dilation[i] - w->before[i];
    in = in && at[i] >= 0 && at[i] < w->size[i];
  }
  return in;
}

static tensor conv(const image *w, const tensor *x, const tensor *f, const tensor *bias, int64_t groups) {
  const int64_t out = f->shape.dim[0], each = f->shape.dim[1];
  tensor y = tensor_zeros(image_shape(x->shape.dim[0], out, w->axes, w->out));
  for (size_t o = 0; o < y.count; o++) {
    int64_t yi[8], fi[8], xi[8];
    tensor_unravel(&y.shape, o, yi);
    y.v[o] = bias ? bias->v[yi[1]] : 0;
    for (size_t k = 0; k < f->count; k++) {
      tensor_unravel(&f->shape, k, fi);
      if (fi[0] != yi[1] || !inside(w, fi + 2, yi + 2, xi + 2)) continue;
      xi[0] = yi[0];
      xi[1] = yi[1] / (out / groups) * each + fi[1];
      y.v[o] += f->v[k] * x->v[tensor_position(&x->shape, xi)];
    }
  }
  return y;
}

START_TEST(convolutions_are_their_loops) {
  ulps_random r = {ulps_seed() + (uint64_t)_i};
  const image w = some_image(&r);
  const int64_t groups = 1 + (int64_t)(ulps_random_bits(&r) % 2),
                each = w.axes == 3 ? 1 : 1 + (int64_t)(ulps_random_bits(&r) % 2);
  const tensor x = eighths(image_shape(1 + (w.axes == 1), groups * each, w.axes, w.size));
  const tensor f = eighths(image_shape(groups * 2, each, w.axes, w.kernel)),
               bias = eighths((ad_shape){1, {groups * 2}});
  Onnx__ModelProto *m = onnx_model(11);
  weight(m->graph, "x", &x);
  weight(m->graph, "f", &f);
  weight(m->graph, "bias", &bias);
  Onnx__NodeProto *n = onnx_node(m->graph, "Conv", "x f bias", "y");
  put_window(n, &w);
  onnx_int(n, "group", groups);
  onnx_output(m->graph, "y");
  const tensor want = conv(&w, &x, &f, &bias, groups);
  expect(load(m), "y", &want, 0);
}
END_TEST

/* The transpose: <conv(x), y> = <x, transposed(y)>, so each element of it is a sum over the same loops. */
START_TEST(transposed_convolutions_are_transposes) {
  ulps_random r = {ulps_seed() + 1000 + (uint64_t)_i};
  image w = some_image(&r);
  for (int i = 0; i < w.axes; i++) { /* the largest image with this result minus what output_padding gives back */
    w.size[i] = (w.out[i] - 1) * w.stride[i] + w.dilation[i] * (w.kernel[i] - 1) + 1 - w.before[i] - w.after[i];
    if (w.size[i] < 1) w.out[i]++, w.size[i] += w.stride[i];
    if (w.size[i] < 1) return;
  }
  const int64_t groups = 1 + (int64_t)(ulps_random_bits(&r) % 2);
  const tensor y = eighths(image_shape(1, groups * 2, w.axes, w.out)),
               f = eighths(image_shape(groups * 2, 1, w.axes, w.kernel));
  tensor want = tensor_zeros(image_shape(1, groups, w.axes, w.size)), unit = want;
  for (size_t i = 0; i < want.count; i++) {
    memset(unit.v, 0, sizeof unit.v);
    unit.v[i] = 1;
    const tensor image_of = conv(&w, &unit, &f, NULL, groups);
    for (size_t k = 0; k < y.count; k++) want.v[i] += image_of.v[k] * y.v[k];
  }
  Onnx__ModelProto *m = onnx_model(11);
  weight(m->graph, "x", &y);
  weight(m->graph, "f", &f);
  Onnx__NodeProto *n = onnx_node(m->graph, "ConvTranspose", "x f", "y");
  put_window(n, &w);
  onnx_int(n, "group", groups);
  onnx_output(m->graph, "y");
  expect(load(m), "y", &want, 0);
}
END_TEST

START_TEST(pools_are_their_loops) {
  ulps_random r = {ulps_seed() + 2000 + (uint64_t)_i};
  image w = some_image(&r);
  const bool average = _i % 2, count_pads = _i % 4 == 3;
  for (int i = 0; i < w.axes && average; i++) { /* it has no dilations */
    w.dilation[i] = 1;
    w.out[i] = (w.size[i] + w.before[i] + w.after[i] - w.kernel[i]) / w.stride[i] + 1;
  }
  tensor x = eighths(image_shape(1, 2, w.axes, w.size)), want = tensor_zeros(image_shape(1, 2, w.axes, w.out));
  for (size_t i = 0; i < x.count; i++) x.v[i] += (double)i * 0x1p-10; /* no ties */
  const ad_shape kernel = {w.axes, {w.kernel[0], w.kernel[1], w.kernel[2]}};
  int64_t places = 1;
  for (int i = 0; i < w.axes; i++) places *= w.kernel[i];
  for (size_t o = 0; o < want.count; o++) {
    int64_t yi[8], k[8], xi[8];
    double most = -INFINITY, sum = 0, count = 0;
    tensor_unravel(&want.shape, o, yi);
    for (int64_t i = 0; i < places; i++) {
      tensor_unravel(&kernel, (size_t)i, k);
      count += count_pads;
      if (!inside(&w, k, yi + 2, xi + 2)) continue;
      xi[0] = 0, xi[1] = yi[1];
      const double v = x.v[tensor_position(&x.shape, xi)];
      most = fmax(most, v), sum += v, count += !count_pads;
    }
    if (most == -INFINITY) return; /* a window in the padding */
    want.v[o] = average ? sum / count : most;
  }
  Onnx__ModelProto *m = onnx_model(11);
  weight(m->graph, "x", &x);
  Onnx__NodeProto *n = onnx_node(m->graph, average ? "AveragePool" : "MaxPool", "x", "y");
  put_window(n, &w);
  if (average) { /* takes the attribute out again */
    protobuf_c_message_free_unpacked(&n->attribute[2]->base, NULL);
    n->attribute[2] = n->attribute[--n->n_attribute];
  }
  if (count_pads) onnx_int(n, "count_include_pad", 1);
  onnx_output(m->graph, "y");
  expect(load(m), "y", &want, 4);
}
END_TEST

/* ---- Einsum against loops over all letters */

static const char *const equations[] = {"ij,jk->ik", "bij,bjk->bik", "ij->ji",          "ii->i",     "ii->",
                                        "i,j->ij",   "ijk->j",       "ij,ij->",         "ij,kj->ki", "i,ij,j->",
                                        "ij,jk",     "...ij->...ji", "b...j,kj->b...k", "iij,j->i",  "abc,cb->a",
                                        "i,i->i",    "ab,bc,cd->ad"};
enum { EQUATIONS = sizeof equations / sizeof equations[0] };

START_TEST(einsum_is_its_loops) {
  const char *s = equations[_i];
  char plain[64] = "", right[16] = "";
  Onnx__ModelProto *m = onnx_model(12);
  tensor operand[3];
  char term[3][16];
  int terms = 0;
  for (const char *p = s; *p; p++) /* dots are one letter, z */
    if (!strncmp(p, "...", 3))
      strcat(plain, "z"), p += 2;
    else
      strncat(plain, p, 1);
  char *arrow = strstr(plain, "->"), *rest = NULL;
  if (arrow)
    strcpy(right, arrow + 2), *arrow = '\0';
  else
    strcpy(right, "ik");
  const char *const names[] = {"p", "q", "r"};
  char inputs[16] = "";
  for (char *t = strtok_r(plain, ",", &rest); t; t = strtok_r(NULL, ",", &rest), terms++) {
    ad_shape shape = {.rank = (int)strlen(t)};
    for (int i = 0; t[i]; i++) shape.dim[i] = 2 + t[i] % 2;
    strcpy(term[terms], t);
    operand[terms] = eighths(shape);
    weight(m->graph, names[terms], &operand[terms]);
    strcat(strcat(inputs, " "), names[terms]);
  }
  onnx_word(onnx_node(m->graph, "Einsum", inputs, "y"), "equation", s);
  onnx_output(m->graph, "y");
  ad_shape shape = {.rank = (int)strlen(right)}, all = {0};
  char letters[16] = "";
  for (int i = 0; right[i]; i++) shape.dim[i] = 2 + right[i] % 2;
  for (int t = 0; t < terms; t++)
    for (int i = 0; term[t][i]; i++)
      if (!strchr(letters, term[t][i])) all.dim[all.rank++] = 2 + term[t][i] % 2, strncat(letters, &term[t][i], 1);
  tensor want = tensor_zeros(shape);
  for (int64_t at = 0; at < ad_shape_size(&all); at++) {
    int64_t index[8], part[8];
    double product = 1;
    tensor_unravel(&all, (size_t)at, index);
    for (int t = 0; t < terms; t++) {
      for (int i = 0; term[t][i]; i++) part[i] = index[strchr(letters, term[t][i]) - letters];
      product *= operand[t].v[tensor_position(&operand[t].shape, part)];
    }
    for (int i = 0; right[i]; i++) part[i] = index[strchr(letters, right[i]) - letters];
    want.v[tensor_position(&want.shape, part)] += product;
  }
  expect(load(m), "y", &want, 0);
}
END_TEST

/* ---- Recurrent layers against the recurrence */

static double sigmoid(double x) {
  return 1 / (1 + exp(-x));
}

enum { STEPS = 3, BATCH = 2, INPUTS = 2, HIDDEN = 2 };

/* One direction over the steps in `order`; y: [step, batch, hidden]. */
static void recur(int gates, const double *x, const double *w, const double *r, const double *b, const int64_t *length,
                  bool reverse, bool after, double *y) {
  for (int n = 0; n < BATCH; n++) {
    double h[HIDDEN] = {0}, c[HIDDEN] = {0};
    for (int k = 0; k < STEPS; k++) {
      const int t = reverse ? STEPS - 1 - k : k;
      double a[4 * HIDDEN], u[4 * HIDDEN], next[HIDDEN];
      for (int j = 0; j < HIDDEN; j++) y[(t * BATCH + n) * HIDDEN + j] = 0;
      if (t >= length[n]) continue;
      for (int g = 0; g < gates * HIDDEN; g++) {
        a[g] = b[g], u[g] = b[gates * HIDDEN + g];
        for (int i = 0; i < INPUTS; i++) a[g] += w[g * INPUTS + i] * x[(t * BATCH + n) * INPUTS + i];
        for (int i = 0; i < HIDDEN; i++) u[g] += r[g * HIDDEN + i] * h[i];
      }
      for (int j = 0; j < HIDDEN; j++) {
        if (gates == 1) {
          next[j] = tanh(a[j] + u[j]);
        } else if (gates == 4) { /* i o f c */
          c[j] = sigmoid(a[2 * HIDDEN + j] + u[2 * HIDDEN + j]) * c[j] +
                 sigmoid(a[j] + u[j]) * tanh(a[3 * HIDDEN + j] + u[3 * HIDDEN + j]);
          next[j] = sigmoid(a[HIDDEN + j] + u[HIDDEN + j]) * tanh(c[j]);
        } else { /* z r h */
          double inner = u[2 * HIDDEN + j];
          if (!after) {
            inner = b[3 * HIDDEN + 2 * HIDDEN + j];
            for (int i = 0; i < HIDDEN; i++)
              inner += r[(2 * HIDDEN + j) * HIDDEN + i] * sigmoid(a[HIDDEN + i] + u[HIDDEN + i]) * h[i];
          } else {
            inner *= sigmoid(a[HIDDEN + j] + u[HIDDEN + j]);
          }
          const double z = sigmoid(a[j] + u[j]);
          next[j] = (1 - z) * tanh(a[2 * HIDDEN + j] + inner) + z * h[j];
        }
      }
      for (int j = 0; j < HIDDEN; j++) h[j] = next[j], y[(t * BATCH + n) * HIDDEN + j] = next[j];
    }
  }
}

START_TEST(recurrent_layers_are_their_recurrence) {
  static const char *const names[] = {"RNN", "LSTM", "GRU", "GRU"};
  static const int gates_of[] = {1, 4, 3, 3};
  const int gates = gates_of[_i];
  const int64_t length[] = {STEPS, 2};
  const tensor x = eighths((ad_shape){3, {STEPS, BATCH, INPUTS}}),
               w = eighths((ad_shape){3, {2, gates * HIDDEN, INPUTS}});
  const tensor r = eighths((ad_shape){3, {2, gates * HIDDEN, HIDDEN}}),
               b = eighths((ad_shape){2, {2, 2 * gates * HIDDEN}});
  Onnx__ModelProto *m = onnx_model(14);
  weight(m->graph, "x", &x);
  weight(m->graph, "w", &w);
  weight(m->graph, "r", &r);
  weight(m->graph, "b", &b);
  onnx_ints(m->graph, "length", DIMS(BATCH), length);
  Onnx__NodeProto *n = onnx_node(m->graph, names[_i], "x w r b length", "y");
  onnx_word(n, "direction", "bidirectional");
  onnx_int(n, "hidden_size", HIDDEN);
  if (_i == 3) onnx_int(n, "linear_before_reset", 1);
  onnx_output(m->graph, "y");
  tensor want = tensor_zeros((ad_shape){4, {STEPS, 2, BATCH, HIDDEN}});
  for (int d = 0; d < 2; d++) {
    double y[STEPS * BATCH * HIDDEN];
    recur(gates, x.v, w.v + d * gates * HIDDEN * INPUTS, r.v + d * gates * HIDDEN * HIDDEN,
          b.v + d * 2 * gates * HIDDEN, length, d, _i == 3, y);
    for (int t = 0; t < STEPS; t++)
      memcpy(want.v + (t * 2 + d) * BATCH * HIDDEN, y + t * BATCH * HIDDEN, sizeof(double) * BATCH * HIDDEN);
  }
  expect(load(m), "y", &want, 64);
}
END_TEST

/* ---- Control flow */

/* x^5 by a loop whose body multiplies, with the running powers collected. */
START_TEST(loops_are_unrolled) {
  Onnx__ModelProto *m = onnx_model(13);
  tensor x = eighths((ad_shape){1, {3}}), want = tensor_zeros((ad_shape){2, {5, 3}});
  weight(m->graph, "x", &x);
  onnx_ints(m->graph, "trips", NO_DIMS, (int64_t[]){5});
  onnx_floats(m->graph, "one", DIMS(3), (double[]){1, 1, 1});
  Onnx__GraphProto *b = onnx_body(onnx_node(m->graph, "Loop", "trips - one", "last all"), "body");
  onnx_input(b, "i", INT64, NO_DIMS);
  onnx_input(b, "go", BOOL, NO_DIMS);
  onnx_input(b, "p", FLOAT, DIMS(3));
  onnx_node(b, "Mul", "p x", "next");
  onnx_node(b, "Identity", "go", "again");
  onnx_node(b, "Identity", "next", "kept");
  onnx_output(b, "again");
  onnx_output(b, "next");
  onnx_output(b, "kept");
  onnx_output(m->graph, "all");
  for (int i = 0; i < 15; i++) want.v[i] = i < 3 ? x.v[i] : want.v[i - 3] * x.v[i % 3];
  expect(load(m), "all", &want, 0);
}
END_TEST

/* A condition that inputs decide: both branches are there, and the one that is not taken may be infinite. */
START_TEST(a_condition_chooses) {
  for (int positive = 0; positive < 2; positive++) {
    Onnx__ModelProto *m = onnx_model(13);
    const double x = positive ? 2 : -2;
    onnx_floats(m->graph, "x", NO_DIMS, &x);
    onnx_floats(m->graph, "zero", NO_DIMS, (double[]){0});
    onnx_node(m->graph, "Greater", "x zero", "c");
    Onnx__NodeProto *n = onnx_node(m->graph, "If", "c", "y");
    Onnx__GraphProto *then = onnx_body(n, "then_branch"), *otherwise = onnx_body(n, "else_branch");
    onnx_node(then, "Log", "x", "l");
    onnx_output(then, "l");
    onnx_node(otherwise, "Mul", "x x", "s");
    onnx_output(otherwise, "s");
    onnx_output(m->graph, "y");
    ad_graph *g = load(m);
    const ad_node y = output(g, "y");
    ck_assert(fabs(graphs_value(g, "tape", y, 0) - (positive ? log(2) : 4)) < 1e-15);
    ck_assert(graphs_derivative(g, "tape", y, 0, 0, 0) == (positive ? 0.5 : -4));
    ad_graph_free(g);
  }
}
END_TEST

/* Scan with a body that adds is CumSum. */
START_TEST(scan_adds_up) {
  Onnx__ModelProto *m = onnx_model(11);
  const tensor x = eighths((ad_shape){2, {4, 2}}), zero = tensor_zeros((ad_shape){1, {2}});
  tensor want = x;
  for (int i = 2; i < 8; i++) want.v[i] += want.v[i - 2];
  weight(m->graph, "x", &x);
  weight(m->graph, "zero", &zero);
  Onnx__NodeProto *n = onnx_node(m->graph, "Scan", "zero x", "last sums");
  onnx_int(n, "num_scan_inputs", 1);
  Onnx__GraphProto *b = onnx_body(n, "body");
  onnx_input(b, "s", FLOAT, DIMS(2));
  onnx_input(b, "e", FLOAT, DIMS(2));
  onnx_node(b, "Add", "s e", "t");
  onnx_node(b, "Identity", "t", "u");
  onnx_output(b, "t");
  onnx_output(b, "u");
  onnx_output(m->graph, "sums");
  expect(load(m), "sums", &want, 0);
}
END_TEST

/* ---- Resize: linear interpolation keeps what is linear */

START_TEST(resize_keeps_lines) {
  Onnx__ModelProto *m = onnx_model(13);
  tensor x = tensor_zeros((ad_shape){2, {4, 5}}), want = tensor_zeros((ad_shape){2, {7, 9}});
  for (int i = 0; i < 20; i++) x.v[i] = 2 * (i / 5) - 3 * (i % 5);
  for (int i = 0; i < 63; i++) want.v[i] = 2 * (double)(i / 9) / 2 - 3 * (double)(i % 9) / 2;
  weight(m->graph, "x", &x);
  onnx_ints(m->graph, "sizes", DIMS(2), (int64_t[]){7, 9});
  Onnx__NodeProto *n = onnx_node(m->graph, "Resize", "x - - sizes", "y");
  onnx_word(n, "mode", "linear");
  onnx_word(n, "coordinate_transformation_mode", "align_corners");
  onnx_output(m->graph, "y");
  expect(load(m), "y", &want, 0);
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
  refuse(m, "node 'the node' (Unique): not supported: the operator Unique");
  m = unary("Neg");
  m->graph->node[0]->domain = strdup("com.example");
  refuse(m, "of the domain com.example");
  m = unary("Neg");
  onnx_int(m->graph->node[0], "alpha", 1);
  refuse(m, "not supported: the attribute 'alpha'");
  m = unary("Neg");
  m->opset_import[0]->version = 99;
  refuse(m, "version 99 of the operators");
  m = unary("Neg");
  m->ir_version = 99;
  refuse(m, "version 99 of the file format");
  m = unary("Neg");
  m->graph->input[0]->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
  refuse(m, "the input 'x' of string");
  m = unary("ArgMax");
  refuse(m, "must be known when the model is loaded; give it by --bind 'x=...'");
  m = unary("Softmax");
  onnx_int(m->graph->node[0], "axis", 2);
  refuse(m, "axis 2 is out of range for rank 2");
  m = unary("Neg");
  free(m->graph->node[0]->input[0]);
  m->graph->node[0]->input[0] = strdup("z");
  refuse(m, "there is no value 'z' before this node");
  m = unary("Neg");
  onnx_node(m->graph, "Abs", "x", "y");
  refuse(m, "the value 'y' is made twice");
  m = unary("Neg");
  onnx_floats(m->graph, "w", DIMS(2), (double[]){1, 2})->dims[0] = 3;
  refuse(m, "the tensor 'w' of 3 elements has data for another number");
  m = unary("Neg");
  Onnx__TensorProto *t = onnx_floats(m->graph, "w", DIMS(2), (double[]){1, 2});
  t->has_data_location = true;
  t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  refuse(m, "lies in another file");
  m = unary("Neg");
  onnx_ints(m->graph, "i", DIMS(2), (int64_t[]){INT64_MAX, 1});
  onnx_node(m->graph, "Add", "i i", "k");
  refuse(m, "no result that int64 can hold");
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
  must_fail(AD_ELIMIT, "loops of the model", ad_graph_read(&g, bytes, size, "model", NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
}
END_TEST

/* ---- Damage */

enum { SAMPLES = 4 };

static void *sample(int i, size_t *size) {
  Onnx__ModelProto *m = onnx_model(13);
  const tensor x = eighths((ad_shape){3, {2, 2, 3}});
  Onnx__NodeProto *n;
  weight(m->graph, "x", &x);
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
    default:
      onnx_ints(m->graph, "pads", DIMS(6), (int64_t[]){0, 1, 0, 0, 0, 2});
      onnx_ints(m->graph, "index", DIMS(2), (int64_t[]){1, 0});
      onnx_ints(m->graph, "one", DIMS(1), (int64_t[]){1});
      onnx_node(m->graph, "Pad", "x pads", "p");
      onnx_node(m->graph, "Gather", "p index", "g");
      onnx_node(m->graph, "Shape", "g", "s");
      onnx_node(m->graph, "Slice", "g one s", "t");
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
  tcase_add_loop_test(c, convolutions_are_their_loops, 0, (int)(20 * ulps_multiplier()) + 1);
  tcase_add_loop_test(c, transposed_convolutions_are_transposes, 0, (int)(20 * ulps_multiplier()) + 1);
  tcase_add_loop_test(c, pools_are_their_loops, 0, (int)(20 * ulps_multiplier()) + 1);
  tcase_add_loop_test(c, einsum_is_its_loops, 0, EQUATIONS);
  tcase_add_loop_test(c, recurrent_layers_are_their_recurrence, 0, 4);
  tcase_add_test(c, loops_are_unrolled);
  tcase_add_test(c, a_condition_chooses);
  tcase_add_test(c, scan_adds_up);
  tcase_add_test(c, resize_keeps_lines);
  tcase_add_test(c, messages_name_what_is_not_supported);
  tcase_add_test(c, loops_are_bounded);
  tcase_add_loop_test(c, truncations_are_errors, 0, SAMPLES);
  tcase_add_loop_test(c, random_damage_is_survived, 0, SAMPLES);
  tcase_add_test(c, nesting_is_bounded);
  tcase_add_test(c, manual_lists_the_operators);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  printf("seed %llu\n", (unsigned long long)ulps_seed());
  srunner_run_all(r, CK_NORMAL);
  const int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
