/* If, Loop and Scan: bodies are lowered as often as they run. */
#include <string.h>

#include "error.h"
#include "mem.h"
#include "onnx/operators.h"

/* Lowers a body with these operands, and finds its results. */
static void run_body(ad_onnx_build *b, const ad_onnx_scope *outer, const Onnx__GraphProto *g, size_t inputs,
                     const ad_onnx_value *in, size_t outputs, ad_onnx_value *out) {
  ad_onnx_scope s = {.outer = outer, .frame = outer->frame};
  if (b->status) return;
  if (g->n_input != inputs || g->n_output != outputs || g->n_sparse_initializer)
    ad_onnx_fail(b, "the body has %zu operands and %zu results, and should have %zu and %zu", g->n_input, g->n_output,
                 inputs, outputs);
  for (size_t i = 0; i < inputs && !b->status; i++)
    if (in[i].type) ad_onnx_define(b, &s, g->input[i]->name ? g->input[i]->name : "", &in[i]);
  for (size_t i = 0; i < g->n_initializer && !b->status; i++) {
    const ad_onnx_value v = ad_onnx_tensor(b, g->initializer[i]);
    ad_onnx_define(b, &s, g->initializer[i]->name ? g->initializer[i]->name : "", &v);
  }
  ad_onnx_run(b, &s, g->n_node, g->node);
  for (size_t i = 0; i < outputs && !b->status; i++) {
    const char *name = g->output[i]->name ? g->output[i]->name : "";
    const ad_onnx_value *v = ad_onnx_find(&s, name);
    if (v)
      out[i] = *v;
    else
      ad_onnx_fail(b, "the body's result '%.80s' is never computed", name);
  }
  ad_onnx_scope_clear(&s);
}

static ad_onnx_value *values(ad_onnx_build *b, size_t count) {
  return ad_onnx_room(b, (uint64_t)count * (sizeof(ad_onnx_value) / 8) + 1, 8);
}

/* A condition that is computed from inputs chooses between the results of both branches. */
void ad_onnx_lower_if(ad_onnx_build *b, ad_onnx_call *c) {
  const Onnx__GraphProto *then = ad_onnx_graph_of(b, c, "then_branch"),
                         *otherwise = ad_onnx_graph_of(b, c, "else_branch");
  ad_onnx_value condition = ad_onnx_reshape(b, c->in[0], &(ad_shape){0});
  if (b->status) return;
  if (condition.data) {
    run_body(b, c->scope, condition.data->v[0].i ? then : otherwise, 0, NULL, c->outputs, c->out);
    return;
  }
  ad_onnx_value *other = values(b, c->outputs);
  run_body(b, c->scope, then, 0, NULL, c->outputs, c->out);
  if (other) run_body(b, c->scope, otherwise, 0, NULL, c->outputs, other);
  for (size_t i = 0; i < c->outputs && !b->status; i++) {
    if (!ad_shape_equal(&c->out[i].shape, &other[i].shape) || c->out[i].type != other[i].type)
      ad_onnx_refuse(b, "branches with results of different shapes, and a condition that is computed from inputs");
    c->out[i] = ad_onnx_where(b, condition, c->out[i], other[i]);
  }
}

/* ---- Results that are collected, one a run */

typedef struct column {
  ad_onnx_value *v;
  size_t count, capacity;
} column;

static void collect(ad_onnx_build *b, column *k, ad_onnx_value v, int axis) {
  if (b->status) return;
  if (!ad_reserve(&k->v, &k->capacity, k->count + 1, sizeof *k->v)) {
    ad_onnx_check(b, ad_fail_memory(b->e));
    return;
  }
  const ad_shape shape = ad_onnx_shape_insert(&v.shape, axis < 0 ? axis + v.shape.rank + 1 : axis, 1);
  k->v[k->count++] = ad_onnx_reshape(b, v, &shape);
}

static ad_onnx_value joined(ad_onnx_build *b, column *k, int axis, bool backwards) {
  if (!b->status && !k->count) ad_onnx_refuse(b, "a loop that never runs and collects results");
  if (b->status) return (ad_onnx_value){0};
  for (size_t i = 0; backwards && i < k->count / 2; i++) {
    const ad_onnx_value v = k->v[i];
    k->v[i] = k->v[k->count - 1 - i];
    k->v[k->count - 1 - i] = v;
  }
  return ad_onnx_concat(b, k->count, k->v, axis < 0 ? axis + k->v[0].shape.rank : axis);
}

static bool holds(ad_onnx_build *b, ad_onnx_value *v) {
  if (!v->type) return true;
  ad_onnx_need_known(b, v, "the condition of the loop");
  if (!b->status && (ad_shape_size(&v->shape) != 1 || ad_onnx_is_real(v->type)))
    ad_onnx_fail(b, "the condition of the loop must be one truth value");
  return !b->status && v->data->v[0].i;
}

void ad_onnx_lower_loop(ad_onnx_build *b, ad_onnx_call *c) {
  const Onnx__GraphProto *body = ad_onnx_graph_of(b, c, "body");
  const size_t carried = c->inputs < 2 ? 0 : c->inputs - 2, scans = c->outputs - carried;
  int64_t trips = INT64_MAX;
  if (c->inputs < 2 || c->outputs < carried) ad_onnx_fail(b, "%zu operands and %zu results", c->inputs, c->outputs);
  if (ad_onnx_given(c, 0)) trips = ad_onnx_operand_int(b, c, 0, "the number of runs");
  ad_onnx_value *in = values(b, carried + 2), *out = values(b, carried + scans + 1);
  column *columns = ad_onnx_room(b, (uint64_t)scans * sizeof *columns + 1, 1);
  if (b->status) return;
  memcpy(in + 1, c->in + 1, (carried + 1) * sizeof *in);
  for (int64_t i = 0; i < trips && holds(b, &in[1]) && !b->status; i++) {
    in[0] = ad_onnx_known(b, AD_ONNX_INT64, &(ad_shape){0});
    if (!b->status) in[0].data->v[0].i = i;
    if (!in[1].type) in[1] = ad_onnx_number(b, AD_ONNX_BOOL, 1);
    run_body(b, c->scope, body, carried + 2, in, carried + scans + 1, out);
    if (b->steps-- == 0) ad_onnx_fail(b, "the loop runs too often");
    memcpy(in + 1, out, (carried + 1) * sizeof *in);
    for (size_t k = 0; k < scans; k++) collect(b, &columns[k], out[carried + 1 + k], 0);
  }
  for (size_t k = 0; k < carried; k++) c->out[k] = in[k + 2];
  for (size_t k = 0; k < scans; k++) {
    if (ad_onnx_wanted(c, carried + k)) c->out[carried + k] = joined(b, &columns[k], 0, false);
    ad_free(columns[k].v);
  }
}

/* Part `at` of an axis, without the axis. */
static ad_onnx_value element(ad_onnx_build *b, ad_onnx_value x, int axis, int64_t at) {
  const ad_shape shape = ad_onnx_shape_remove(&x.shape, axis);
  return ad_onnx_reshape(b, ad_onnx_part(b, x, axis, at, 1), &shape);
}

/* Entry i of a list attribute. */
static int64_t listed(ad_onnx_build *b, const ad_onnx_call *c, const char *name, size_t i) {
  int64_t count;
  const int64_t *v = ad_onnx_ints(b, c, name, &count);
  return v && (int64_t)i < count ? v[i] : 0;
}

/* Before version 9: for each element of a batch, the first axis of all operands, along the second axis. */
static void scan_batch(ad_onnx_build *b, ad_onnx_call *c) {
  const Onnx__GraphProto *body = ad_onnx_graph_of(b, c, "body");
  const int64_t n = ad_onnx_int(b, c, "num_scan_inputs", 0);
  if (ad_onnx_given(c, 0)) ad_onnx_refuse(b, "lengths of sequences");
  if (c->inputs < 2 || n < 1 || n > (int64_t)c->inputs - 1 || c->inputs - 1 - (size_t)n > c->outputs)
    ad_onnx_fail(b, "num_scan_inputs is out of range");
  for (size_t i = 1; i < c->inputs; i++) ad_onnx_need_rank(b, c, i, i < c->inputs - (size_t)n ? 1 : 2);
  if (b->status) return;
  const size_t operands = c->inputs - 1, carried = operands - (size_t)n;
  const int64_t batch = c->in[operands].shape.dim[0], trips = c->in[operands].shape.dim[1];
  ad_onnx_value *in = values(b, operands), *out = values(b, c->outputs);
  column *columns = ad_onnx_room(b, (uint64_t)c->outputs * sizeof *columns, 1);
  column *whole = ad_onnx_room(b, (uint64_t)c->outputs * sizeof *whole, 1);
  for (size_t k = 0; k < operands && !b->status; k++)
    if (c->in[k + 1].shape.dim[0] != batch || (k >= carried && c->in[k + 1].shape.dim[1] != trips))
      ad_onnx_fail(b, "the operands differ in the size of the batch or in their number of runs");
  for (int64_t e = 0; e < batch && !b->status; e++) {
    for (size_t k = 0; k < carried; k++) in[k] = element(b, c->in[k + 1], 0, e);
    for (int64_t i = 0; i < trips && !b->status; i++) {
      for (size_t k = carried; k < operands; k++) {
        const int64_t at = listed(b, c, "directions", k - carried) ? trips - 1 - i : i;
        in[k] = element(b, element(b, c->in[k + 1], 0, e), 0, at);
      }
      run_body(b, c->scope, body, operands, in, c->outputs, out);
      memcpy(in, out, carried * sizeof *in);
      for (size_t k = carried; k < c->outputs; k++) collect(b, &columns[k], out[k], 0);
    }
    for (size_t k = 0; k < c->outputs && !b->status; k++) {
      collect(b, &whole[k], k < carried ? in[k] : joined(b, &columns[k], 0, false), 0);
      columns[k].count = 0;
    }
  }
  for (size_t k = 0; whole && k < c->outputs; k++) {
    if (ad_onnx_wanted(c, k)) c->out[k] = joined(b, &whole[k], 0, false);
    ad_free(columns[k].v);
    ad_free(whole[k].v);
  }
}

void ad_onnx_lower_scan(ad_onnx_build *b, ad_onnx_call *c) {
  const Onnx__GraphProto *body = ad_onnx_graph_of(b, c, "body");
  const int64_t n = ad_onnx_int(b, c, "num_scan_inputs", 0);
  if (b->opset < 9) {
    scan_batch(b, c);
    return;
  }
  if (n < 1 || n > (int64_t)c->inputs || c->inputs - (size_t)n > c->outputs)
    ad_onnx_fail(b, "num_scan_inputs is out of range");
  if (b->status) return;
  const size_t scanned = (size_t)n, carried = c->inputs - scanned, scans = c->outputs - carried;
  ad_onnx_value *in = values(b, c->inputs), *out = values(b, c->outputs);
  column *columns = ad_onnx_room(b, (uint64_t)scans * sizeof *columns + 1, 1);
  if (b->status) return;
  int64_t trips = -1;
  for (size_t k = 0; k < scanned && !b->status; k++) {
    const ad_shape *s = &c->in[carried + k].shape;
    const int axis = ad_onnx_axis(b, listed(b, c, "scan_input_axes", k), s->rank);
    if (trips >= 0 && s->dim[axis] != trips) ad_onnx_fail(b, "the operands differ in their number of runs");
    trips = s->dim[axis];
  }
  memcpy(in, c->in, carried * sizeof *in);
  for (int64_t i = 0; i < trips && !b->status; i++) {
    for (size_t k = 0; k < scanned; k++) {
      const ad_onnx_value x = c->in[carried + k];
      const int axis = ad_onnx_axis(b, listed(b, c, "scan_input_axes", k), x.shape.rank);
      in[carried + k] = element(b, x, axis, listed(b, c, "scan_input_directions", k) ? trips - 1 - i : i);
    }
    run_body(b, c->scope, body, c->inputs, in, c->outputs, out);
    memcpy(in, out, carried * sizeof *in);
    for (size_t k = 0; k < scans && !b->status; k++) {
      const int axis = ad_onnx_axis(b, listed(b, c, "scan_output_axes", k), out[carried + k].shape.rank + 1);
      collect(b, &columns[k], out[carried + k], axis);
    }
  }
  for (size_t k = 0; k < carried; k++) c->out[k] = in[k];
  for (size_t k = 0; k < scans; k++) {
    const int axis = (int)listed(b, c, "scan_output_axes", k);
    if (ad_onnx_wanted(c, carried + k))
      c->out[carried + k] = joined(b, &columns[k], axis, listed(b, c, "scan_output_directions", k) != 0);
    ad_free(columns[k].v);
  }
}
