/* ONNX's operators against their definitions as loops and against identities, on models made here: values in every
 * backend, and every derivative by every method. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_model.h"
#include "suite.h"

enum {
  FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
  BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL
};

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
  const tensor x = onnx_eighths(image_shape(1 + (w.axes == 1), groups * each, w.axes, w.size));
  const tensor f = onnx_eighths(image_shape(groups * 2, each, w.axes, w.kernel)),
               bias = onnx_eighths((ad_shape){1, {groups * 2}});
  Onnx__ModelProto *m = onnx_model(11);
  onnx_weight(m->graph, "x", &x);
  onnx_weight(m->graph, "f", &f);
  onnx_weight(m->graph, "bias", &bias);
  Onnx__NodeProto *n = onnx_node(m->graph, "Conv", "x f bias", "y");
  put_window(n, &w);
  onnx_int(n, "group", groups);
  onnx_output(m->graph, "y");
  const tensor want = conv(&w, &x, &f, &bias, groups);
  onnx_expect(onnx_load(m), "y", &want, 0);
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
  const tensor y = onnx_eighths(image_shape(1, groups * 2, w.axes, w.out)),
               f = onnx_eighths(image_shape(groups * 2, 1, w.axes, w.kernel));
  tensor want = tensor_zeros(image_shape(1, groups, w.axes, w.size)), unit = want;
  for (size_t i = 0; i < want.count; i++) {
    memset(unit.v, 0, sizeof unit.v);
    unit.v[i] = 1;
    const tensor image_of = conv(&w, &unit, &f, NULL, groups);
    for (size_t k = 0; k < y.count; k++) want.v[i] += image_of.v[k] * y.v[k];
  }
  Onnx__ModelProto *m = onnx_model(11);
  onnx_weight(m->graph, "x", &y);
  onnx_weight(m->graph, "f", &f);
  Onnx__NodeProto *n = onnx_node(m->graph, "ConvTranspose", "x f", "y");
  put_window(n, &w);
  onnx_int(n, "group", groups);
  onnx_output(m->graph, "y");
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

START_TEST(pools_are_their_loops) {
  ulps_random r = {ulps_seed() + 2000 + (uint64_t)_i};
  image w = some_image(&r);
  const bool average = _i % 2, count_pads = _i % 4 == 3, old = average && _i % 8 < 4;
  for (int i = 0; i < w.axes && old; i++) { /* it has no dilations before version 19 */
    w.dilation[i] = 1;
    w.out[i] = (w.size[i] + w.before[i] + w.after[i] - w.kernel[i]) / w.stride[i] + 1;
  }
  tensor x = onnx_eighths(image_shape(1, 2, w.axes, w.size)), want = tensor_zeros(image_shape(1, 2, w.axes, w.out));
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
  Onnx__ModelProto *m = onnx_model(old ? 11 : 19);
  onnx_weight(m->graph, "x", &x);
  Onnx__NodeProto *n = onnx_node(m->graph, average ? "AveragePool" : "MaxPool", "x", "y");
  put_window(n, &w);
  if (old) { /* takes the attribute out again */
    protobuf_c_message_free_unpacked(&n->attribute[2]->base, NULL);
    n->attribute[2] = n->attribute[--n->n_attribute];
  }
  if (count_pads) onnx_int(n, "count_include_pad", 1);
  onnx_output(m->graph, "y");
  onnx_expect(onnx_load(m), "y", &want, 4);
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
    operand[terms] = onnx_eighths(shape);
    onnx_weight(m->graph, names[terms], &operand[terms]);
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
  onnx_expect(onnx_load(m), "y", &want, 0);
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
  const tensor x = onnx_eighths((ad_shape){3, {STEPS, BATCH, INPUTS}}),
               w = onnx_eighths((ad_shape){3, {2, gates * HIDDEN, INPUTS}});
  const tensor r = onnx_eighths((ad_shape){3, {2, gates * HIDDEN, HIDDEN}}),
               b = onnx_eighths((ad_shape){2, {2, 2 * gates * HIDDEN}});
  Onnx__ModelProto *m = onnx_model(14);
  onnx_weight(m->graph, "x", &x);
  onnx_weight(m->graph, "w", &w);
  onnx_weight(m->graph, "r", &r);
  onnx_weight(m->graph, "b", &b);
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
  onnx_expect(onnx_load(m), "y", &want, 64);
}
END_TEST

/* ---- Control flow */

/* x^5 by a loop whose body multiplies, with the running powers collected. */
START_TEST(loops_are_unrolled) {
  Onnx__ModelProto *m = onnx_model(13);
  tensor x = onnx_eighths((ad_shape){1, {3}}), want = tensor_zeros((ad_shape){2, {5, 3}});
  onnx_weight(m->graph, "x", &x);
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
  onnx_expect(onnx_load(m), "all", &want, 0);
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
    ad_graph *g = onnx_load(m);
    const ad_node y = onnx_output_node(g, "y");
    ck_assert(fabs(graphs_value(g, "tape", y, 0) - (positive ? log(2) : 4)) < 1e-15);
    ck_assert(graphs_derivative(g, "tape", y, 0, 0, 0) == (positive ? 0.5 : -4));
    ad_graph_free(g);
  }
}
END_TEST

/* Scan with a body that adds is CumSum. */
START_TEST(scan_adds_up) {
  Onnx__ModelProto *m = onnx_model(11);
  const tensor x = onnx_eighths((ad_shape){2, {4, 2}}), zero = tensor_zeros((ad_shape){1, {2}});
  tensor want = x;
  for (int i = 2; i < 8; i++) want.v[i] += want.v[i - 2];
  onnx_weight(m->graph, "x", &x);
  onnx_weight(m->graph, "zero", &zero);
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
  onnx_expect(onnx_load(m), "sums", &want, 0);
}
END_TEST

/* ---- Resize: linear interpolation keeps what is linear */

START_TEST(resize_keeps_lines) {
  Onnx__ModelProto *m = onnx_model(13);
  tensor x = tensor_zeros((ad_shape){2, {4, 5}}), want = tensor_zeros((ad_shape){2, {7, 9}});
  for (int i = 0; i < 20; i++) x.v[i] = 2 * (i / 5) - 3 * (i % 5);
  for (int i = 0; i < 63; i++) want.v[i] = 2 * (double)(i / 9) / 2 - 3 * (double)(i % 9) / 2;
  onnx_weight(m->graph, "x", &x);
  onnx_ints(m->graph, "sizes", DIMS(2), (int64_t[]){7, 9});
  Onnx__NodeProto *n = onnx_node(m->graph, "Resize", "x - - sizes", "y");
  onnx_word(n, "mode", "linear");
  onnx_word(n, "coordinate_transformation_mode", "align_corners");
  onnx_output(m->graph, "y");
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx_ops");
  TCase *c = tcase_create("models");
  tcase_add_loop_test(c, convolutions_are_their_loops, 0, (int)(20 * ulps_multiplier()) + 1);
  tcase_add_loop_test(c, transposed_convolutions_are_transposes, 0, (int)(20 * ulps_multiplier()) + 1);
  tcase_add_loop_test(c, pools_are_their_loops, 0, (int)(20 * ulps_multiplier()) + 1);
  tcase_add_loop_test(c, einsum_is_its_loops, 0, EQUATIONS);
  tcase_add_loop_test(c, recurrent_layers_are_their_recurrence, 0, 4);
  tcase_add_test(c, loops_are_unrolled);
  tcase_add_test(c, a_condition_chooses);
  tcase_add_test(c, scan_adds_up);
  tcase_add_test(c, resize_keeps_lines);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  printf("seed %llu\n", (unsigned long long)ulps_seed());
  return suite_run(s);
}
