/* RNN, GRU and LSTM, one step after the other. */
#include <string.h>

#include "onnx/operators.h"

enum { RNN = 1, GRU = 3, LSTM = 4 }; /* by the number of gates */

typedef struct activation {
  const char *name;
  double alpha, beta;
} activation;

/* One direction of a layer. */
typedef struct layer {
  int gates;
  int64_t steps, batch, hidden;
  ad_onnx_value w, r, bias_w, bias_r, peephole; /* transposed to be factors on the right; biases of no type: none */
  ad_onnx_value h, c;
  activation f[3];
  double clip; /* 0: none */
  bool reverse, after_reset, coupled;
  const int64_t *length; /* NULL: all steps */
} layer;

/* ---- Activations */

static const struct {
  const char *name;
  double alpha, beta; /* by default */
  bool has_alpha, has_beta;
} known[] = {
    {"Relu", 0, 0, false, false},
    {"Tanh", 0, 0, false, false},
    {"Sigmoid", 0, 0, false, false},
    {"Affine", 1, 0, true, true},
    {"LeakyRelu", (double)0.01f, 0, true, false},
    {"ThresholdedRelu", 1, 0, true, false},
    {"ScaledTanh", 1, 1, true, true},
    {"HardSigmoid", (double)0.2f, 0.5, true, true},
    {"Elu", 1, 0, true, false},
    {"Softsign", 0, 0, false, false},
    {"Softplus", 0, 0, false, false},
};

static ad_onnx_value affine(ad_onnx_build *b, ad_onnx_value x, double alpha, double beta) {
  return ad_onnx_with_float(b, AD_OP_ADD, ad_onnx_with_float(b, AD_OP_MUL, x, alpha), beta);
}

static ad_onnx_value activate(ad_onnx_build *b, const layer *l, int i, ad_onnx_value x) {
  const activation *f = &l->f[i];
  if (b->status) return x;
  if (l->clip > 0)
    x = ad_onnx_elementwise(
        b, AD_OP_CLIP, 3,
        (ad_onnx_value[]){x, ad_onnx_float_number(b, x.type, -l->clip), ad_onnx_float_number(b, x.type, l->clip)});
  if (!strcmp(f->name, "Relu")) return ad_onnx_unary(b, AD_OP_RELU, x);
  if (!strcmp(f->name, "Tanh")) return ad_onnx_unary(b, AD_OP_TANH, x);
  if (!strcmp(f->name, "Sigmoid")) return ad_onnx_unary(b, AD_OP_SIGMOID, x);
  if (!strcmp(f->name, "Softplus")) return ad_onnx_unary(b, AD_OP_SOFTPLUS, x);
  if (!strcmp(f->name, "Affine")) return affine(b, x, f->alpha, f->beta);
  if (!strcmp(f->name, "LeakyRelu")) return ad_onnx_with_float(b, AD_OP_LEAKY_RELU, x, f->alpha);
  if (!strcmp(f->name, "ScaledTanh"))
    return ad_onnx_with_float(b, AD_OP_MUL, ad_onnx_unary(b, AD_OP_TANH, ad_onnx_with_float(b, AD_OP_MUL, x, f->beta)),
                              f->alpha);
  if (!strcmp(f->name, "Softsign"))
    return ad_onnx_binary(b, AD_OP_DIV, x, ad_onnx_with(b, AD_OP_ADD, ad_onnx_unary(b, AD_OP_ABS, x), 1));
  const ad_onnx_value zero = ad_onnx_number(b, x.type, 0);
  if (!strcmp(f->name, "HardSigmoid"))
    return ad_onnx_elementwise(b, AD_OP_CLIP, 3,
                               (ad_onnx_value[]){affine(b, x, f->alpha, f->beta), zero, ad_onnx_number(b, x.type, 1)});
  if (!strcmp(f->name, "ThresholdedRelu"))
    return ad_onnx_where(b, ad_onnx_with_float(b, AD_OP_GREATER, x, f->alpha), x, zero);
  ad_onnx_value below = ad_onnx_with_float(b, AD_OP_MUL, ad_onnx_unary(b, AD_OP_EXPM1, x), f->alpha); /* Elu */
  return ad_onnx_where(b, ad_onnx_binary(b, AD_OP_GREATER, x, zero), x, below);
}

/* Those of all directions; alphas and betas stand in lists for those that have any. */
static void read_activations(ad_onnx_build *b, const ad_onnx_call *c, activation *f, int directions, int each) {
  static const char *const usual[5][3] = {{0}, {"Tanh"}, {0}, {"Sigmoid", "Tanh"}, {"Sigmoid", "Tanh", "Tanh"}};
  int64_t alphas, betas, alpha_at = 0, beta_at = 0;
  const float *alpha = ad_onnx_floats(b, c, "activation_alpha", &alphas);
  const float *beta = ad_onnx_floats(b, c, "activation_beta", &betas);
  const int gates = each == 3 ? LSTM : each == 2 ? GRU : RNN;
  for (int i = 0; i < directions * each && !b->status; i++) {
    const char *name =
        ad_onnx_has(c, "activations") ? ad_onnx_word_at(b, c, "activations", (size_t)i) : usual[gates][i % each];
    size_t k = 0;
    while (name && k < sizeof known / sizeof known[0] && strcmp(known[k].name, name) != 0) k++;
    if (!name || k == sizeof known / sizeof known[0]) {
      ad_onnx_refuse(b, "the activation '%.40s'", name ? name : "");
      return;
    }
    f[i] = (activation){known[k].name, known[k].alpha, known[k].beta};
    if (known[k].has_alpha && alpha_at < alphas) f[i].alpha = (double)alpha[alpha_at++];
    if (known[k].has_beta && beta_at < betas) f[i].beta = (double)beta[beta_at++];
  }
}

/* ---- Steps */

/* Gate i of the `gates` beside each other in the last axis. */
static ad_onnx_value gate(ad_onnx_build *b, const layer *l, ad_onnx_value x, int i, int count) {
  return b->status ? x : ad_onnx_part(b, x, x.shape.rank - 1, i * l->hidden, count * l->hidden);
}

static ad_onnx_value add(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value y) {
  return !y.type ? x : !x.type ? y : ad_onnx_binary(b, AD_OP_ADD, x, y);
}

static ad_onnx_value times(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value y) {
  return ad_onnx_binary(b, AD_OP_MUL, x, y);
}

static ad_onnx_value one_minus(ad_onnx_build *b, ad_onnx_value x) {
  return ad_onnx_binary(b, AD_OP_SUB, ad_onnx_number(b, x.type, 1), x);
}

/* x: the step's inputs times their weights with biases, [batch, gates * hidden]. */
static ad_onnx_value lstm_step(ad_onnx_build *b, layer *l, ad_onnx_value x) {
  x = add(b, x, ad_onnx_matmul(b, l->h, l->r));
  ad_onnx_value i = gate(b, l, x, 0, 1), o = gate(b, l, x, 1, 1), f = gate(b, l, x, 2, 1), g = gate(b, l, x, 3, 1);
  const bool peeps = l->peephole.type != AD_ONNX_NONE;
  if (peeps) i = add(b, i, times(b, l->c, gate(b, l, l->peephole, 0, 1)));
  if (peeps) f = add(b, f, times(b, l->c, gate(b, l, l->peephole, 2, 1)));
  i = activate(b, l, 0, i);
  f = l->coupled ? one_minus(b, i) : activate(b, l, 0, f);
  ad_onnx_value state = add(b, times(b, f, l->c), times(b, i, activate(b, l, 1, g)));
  if (peeps) o = add(b, o, times(b, state, gate(b, l, l->peephole, 1, 1)));
  layer unclipped = *l;
  unclipped.clip = 0;
  l->c = state;
  return times(b, activate(b, l, 0, o), activate(b, &unclipped, 2, state));
}

static ad_onnx_value gru_step(ad_onnx_build *b, layer *l, ad_onnx_value x) {
  ad_onnx_value two = ad_onnx_matmul(b, l->h, gate(b, l, l->r, 0, 2));
  if (l->bias_r.type) two = add(b, two, gate(b, l, l->bias_r, 0, 2));
  two = activate(b, l, 0, add(b, gate(b, l, x, 0, 2), two));
  const ad_onnx_value z = gate(b, l, two, 0, 1), r = gate(b, l, two, 1, 1);
  ad_onnx_value h = l->after_reset ? l->h : times(b, r, l->h);
  h = ad_onnx_matmul(b, h, gate(b, l, l->r, 2, 1));
  if (l->bias_r.type) h = add(b, h, gate(b, l, l->bias_r, 2, 1));
  if (l->after_reset) h = times(b, r, h);
  h = activate(b, l, 1, add(b, gate(b, l, x, 2, 1), h));
  return add(b, times(b, one_minus(b, z), h), times(b, z, l->h));
}

static ad_onnx_value step(ad_onnx_build *b, layer *l, ad_onnx_value x) {
  if (l->gates == LSTM) return lstm_step(b, l, x);
  if (l->gates == GRU) return gru_step(b, l, x);
  return activate(b, l, 0, add(b, x, ad_onnx_matmul(b, l->h, l->r)));
}

/* Where step t is beyond a sequence's end the state stays, and the result is 0. */
static void hold(ad_onnx_build *b, layer *l, int64_t t, ad_onnx_value *y, ad_onnx_value old_h, ad_onnx_value old_c) {
  bool all = true;
  l->h = *y;
  for (int64_t i = 0; l->length && i < l->batch; i++) all = all && t < l->length[i];
  if (all || b->status) return;
  ad_onnx_value runs = ad_onnx_known(b, AD_ONNX_BOOL, &(ad_shape){2, {l->batch, 1}});
  for (int64_t i = 0; i < l->batch && !b->status; i++) runs.data->v[i].i = t < l->length[i];
  l->h = ad_onnx_where(b, runs, *y, old_h);
  if (l->gates == LSTM) l->c = ad_onnx_where(b, runs, l->c, old_c);
  *y = ad_onnx_where(b, runs, *y, ad_onnx_number(b, y->type, 0));
}

/* All steps; out[t] is [1, 1, batch, hidden]. */
static void run(ad_onnx_build *b, layer *l, ad_onnx_value x, ad_onnx_value *out) {
  ad_onnx_value wx = ad_onnx_matmul(b, x, l->w); /* all steps at once */
  ad_onnx_value bias = l->bias_w;
  if (l->gates != GRU) bias = add(b, bias, l->bias_r);
  wx = add(b, wx, bias);
  for (int64_t k = 0; k < l->steps && !b->status; k++) {
    const int64_t t = l->reverse ? l->steps - 1 - k : k;
    const ad_onnx_value h = l->h, c = l->c;
    ad_onnx_value now = ad_onnx_part(b, wx, 0, t, 1);
    now = ad_onnx_reshape(b, now, &(ad_shape){2, {l->batch, l->gates * l->hidden}});
    ad_onnx_value y = step(b, l, now);
    hold(b, l, t, &y, h, c);
    out[t] = ad_onnx_reshape(b, y, &(ad_shape){4, {1, 1, l->batch, l->hidden}});
  }
}

/* ---- Layers */

/* Direction d of an operand [directions, ...], without that axis. */
static ad_onnx_value direction(ad_onnx_build *b, ad_onnx_value x, int64_t d) {
  if (b->status || !x.type) return x;
  const ad_shape shape = ad_onnx_shape_remove(&x.shape, 0);
  return ad_onnx_reshape(b, ad_onnx_part(b, x, 0, d, 1), &shape);
}

static void need_shape(ad_onnx_build *b, const ad_onnx_call *c, size_t i, int rank, const int64_t *dim) {
  if (b->status || !ad_onnx_given(c, i)) return;
  const ad_shape want = ad_onnx_shape(rank, dim);
  char have[AD_SHAPE_TEXT], text[AD_SHAPE_TEXT];
  ad_shape_text(have, &c->in[i].shape);
  ad_shape_text(text, &want);
  if (!ad_shape_equal(&want, &c->in[i].shape))
    ad_onnx_fail(b, "operand %zu has shape %s, and should have %s", i, have, text);
}

static const int64_t *lengths_of(ad_onnx_build *b, ad_onnx_call *c, int64_t steps, int64_t batch) {
  int64_t count;
  if (!ad_onnx_given(c, 4)) return NULL;
  const int64_t *v = ad_onnx_operand_ints(b, c, 4, "the lengths of the sequences", &count);
  for (int64_t i = 0; v && i < count; i++)
    if (v[i] < 0 || v[i] > steps) ad_onnx_fail(b, "the length %lld is out of range", (long long)v[i]);
  if (v && count != batch) ad_onnx_fail(b, "%lld lengths for %lld sequences", (long long)count, (long long)batch);
  return v;
}

void ad_onnx_lower_recurrent(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t flip[] = {1, 0, 2}, swap[] = {1, 0}, to_front[] = {2, 0, 1, 3};
  const char *way = ad_onnx_word(b, c, "direction", "forward");
  const int gates = !strcmp(c->row->name, "LSTM") ? LSTM : !strcmp(c->row->name, "GRU") ? GRU : RNN;
  const int64_t directions = strcmp(way, "bidirectional") ? 1 : 2;
  const bool by_batch = ad_onnx_int(b, c, "layout", 0) != 0;
  const int each = gates == LSTM ? 3 : gates == GRU ? 2 : 1;
  activation f[6] = {{0}};
  for (size_t i = 0; i < 3; i++) ad_onnx_need_rank(b, c, i, 3);
  if (b->status) return;
  ad_onnx_value x = by_batch ? ad_onnx_transpose(b, c->in[0], flip) : c->in[0];
  const int64_t hidden = c->in[2].shape.dim[2];
  const int64_t steps = x.shape.dim[0], batch = x.shape.dim[1], n = gates * hidden;
  need_shape(b, c, 1, 3, (int64_t[]){directions, n, x.shape.dim[2]});
  need_shape(b, c, 2, 3, (int64_t[]){directions, n, hidden});
  need_shape(b, c, 3, 2, (int64_t[]){directions, 2 * n});
  for (size_t i = 5; i < (gates == LSTM ? 7u : 6u); i++)
    need_shape(b, c, i, 3, by_batch ? (int64_t[]){batch, directions, hidden} : (int64_t[]){directions, batch, hidden});
  if (gates == LSTM) need_shape(b, c, 7, 2, (int64_t[]){directions, 3 * hidden});
  if (ad_onnx_int(b, c, "hidden_size", hidden) != hidden) ad_onnx_fail(b, "hidden_size differs from the weights");
  read_activations(b, c, f, (int)directions, each);
  const int64_t *length = lengths_of(b, c, steps, batch);
  ad_onnx_value *y = b->status ? NULL : ad_onnx_room(b, (uint64_t)(steps * directions) * sizeof *y / 8 + 16, 8);
  ad_onnx_value last[2][2] = {{{0}}};
  for (int64_t d = 0; d < directions && !b->status; d++) {
    const ad_onnx_value zero = ad_onnx_full(b, x.type, &(ad_shape){2, {batch, hidden}}, 0);
    const ad_onnx_value h = by_batch && c->in[5].type ? ad_onnx_transpose(b, c->in[5], flip) : c->in[5];
    const ad_onnx_value s =
        by_batch && gates == LSTM && c->in[6].type ? ad_onnx_transpose(b, c->in[6], flip) : c->in[6];
    const ad_onnx_value bias = direction(b, c->in[3], d);
    layer l = {.gates = gates,
               .steps = steps,
               .batch = batch,
               .hidden = hidden,
               .length = length,
               .w = ad_onnx_transpose(b, direction(b, c->in[1], d), swap),
               .r = ad_onnx_transpose(b, direction(b, c->in[2], d), swap),
               .h = c->in[5].type ? direction(b, h, d) : zero,
               .c = gates == LSTM && c->in[6].type ? direction(b, s, d) : zero,
               .clip = ad_onnx_float(b, c, "clip", 0),
               .reverse = d == 1 || !strcmp(way, "reverse"),
               .after_reset = ad_onnx_int(b, c, "linear_before_reset", 0) != 0,
               .coupled = ad_onnx_int(b, c, "input_forget", 0) != 0};
    if (bias.type) l.bias_w = gate(b, &l, bias, 0, gates), l.bias_r = gate(b, &l, bias, gates, gates);
    if (gates == LSTM) l.peephole = direction(b, c->in[7], d);
    memcpy(l.f, f + d * each, (size_t)each * sizeof f[0]);
    run(b, &l, x, y + d * steps);
    last[0][d] = ad_onnx_reshape(b, l.h, &(ad_shape){3, {1, batch, hidden}});
    last[1][d] = ad_onnx_reshape(b, l.c, &(ad_shape){3, {1, batch, hidden}});
  }
  if (b->status) return;
  if (ad_onnx_wanted(c, 0)) {
    if (!steps) ad_onnx_refuse(b, "no steps");
    ad_onnx_value rows[2];
    for (int64_t d = 0; d < directions; d++) rows[d] = ad_onnx_concat(b, (size_t)steps, y + d * steps, 0);
    c->out[0] = ad_onnx_concat(b, (size_t)directions, rows, 1);
    if (by_batch) c->out[0] = ad_onnx_transpose(b, c->out[0], to_front);
  }
  for (size_t i = 1; i < 3; i++) {
    if (!ad_onnx_wanted(c, i)) continue;
    c->out[i] = ad_onnx_concat(b, (size_t)directions, last[i - 1], 0);
    if (by_batch) c->out[i] = ad_onnx_transpose(b, c->out[i], flip);
  }
}
