/* Loss of a character model, as in ADBench (see mixture.c): an LSTM of 4 layers whose gates see one element each, over
 * 1,024 characters of 14 bits.  A layer has, for forget, in, out and change, a row of weights w and of biases b:
 * f, i, o, g = sigmoid(w x + b), sigmoid(w h + b), sigmoid(w x + b), tanh(w h + b) with x what comes from below and h
 * what the layer said before; c = c f + i g, h = o tanh(c).  x of the first layer is characters times `in`, y = h out +
 * bias of the last is the prediction, and the loss the mean of (log(2 + sum exp y) - y) times the next character. */
#include <math.h>
#include <string.h>

#include "bench/build.h"
#include "bench/hand.h"

enum { LAYERS = 4, CHARS = 1024, STEPS = CHARS - 1, BITS = 14, ROW = 4 * BITS };
enum { AT_MAIN = 0, AT_EXTRA = AT_MAIN + 2 * LAYERS * ROW, PARAMETERS = AT_EXTRA + 3 * BITS };
enum { AT_STATE = PARAMETERS, AT_TEXT = AT_STATE + 2 * LAYERS * BITS, NUMBERS = AT_TEXT + CHARS * BITS };

static double *numbers(void) {
  double *x = bench_alloc(NUMBERS, sizeof *x);
  build_random(x, AT_TEXT, -1, 1, 1);
  for (int t = 0; t < CHARS; t++)
    for (int bit = 0; bit < BITS; bit++) x[AT_TEXT + t * BITS + bit] = (t * 7919 + t * t * 31) >> bit & 1;
  return x;
}

/* ---- Graph: the four gates of a layer side by side, [4, BITS] */

static ad_graph *g;

static ad_node mul(ad_node x, ad_node y) {
  return build_binary(g, "mul", x, y);
}

static ad_node add(ad_node x, ad_node y) {
  return build_binary(g, "add", x, y);
}

/* x[i] */
static ad_node row(ad_node x, int64_t i) {
  return build_slice(g, x, i, i + 1, true);
}

static ad_node stack(int count, const ad_node *rows) {
  ad_node n;
  bench_must(ad_graph_apply(g, &n, ad_op_find("stack"), (size_t)count, rows, 0, NULL, &bench_error));
  return n;
}

static ad_graph *graph(void) {
  g = build_graph();
  const ad_node main = build_input(g, "main", SHAPE(2 * LAYERS, 4, BITS), false);
  const ad_node extra = build_input(g, "extra", SHAPE(3, BITS), false);
  const ad_node state = build_input(g, "state", SHAPE(2 * LAYERS, BITS), true);
  const ad_node text = build_input(g, "text", SHAPE(CHARS, BITS), true);
  ad_node weight[LAYERS], bias[LAYERS], hidden[LAYERS], cell[LAYERS], said[STEPS];
  for (int l = 0; l < LAYERS; l++) {
    weight[l] = row(main, 2 * l), bias[l] = row(main, 2 * l + 1);
    hidden[l] = row(state, 2 * l), cell[l] = row(state, 2 * l + 1);
  }
  const ad_node in = mul(text, row(extra, 0)); /* of all characters at once */
  for (int t = 0; t < STEPS; t++) {
    ad_node x = row(in, t);
    for (int l = 0; l < LAYERS; l++) {
      const ad_node z = add(mul(stack(4, (const ad_node[]){x, hidden[l], x, hidden[l]}), weight[l]), bias[l]);
      const ad_node gate = build_unary(g, "sigmoid", build_slice(g, z, 0, 3, false));
      const ad_node change = build_unary(g, "tanh", row(z, 3));
      cell[l] = add(mul(cell[l], row(gate, 0)), mul(row(gate, 1), change));
      x = hidden[l] = mul(row(gate, 2), build_unary(g, "tanh", cell[l]));
    }
    said[t] = x;
  }
  const ad_node y = add(mul(stack(STEPS, said), row(extra, 1)), row(extra, 2));
  const ad_node all = add(WITH(g, "sum", build_unary(g, "exp", y), "axis", 1), build_number(g, 2));
  const ad_node next = build_slice(g, text, 1, CHARS, false);
  const ad_node norm = WITH(g, "reshape", build_unary(g, "log", all), "shape", STEPS, 1);
  bench_must(
      ad_graph_output(g, "loss", build_unary(g, "mean", mul(next, build_binary(g, "sub", norm, y))), &bench_error));
  return g;
}

/* ---- By hand */

typedef struct memory {
  double x[BITS], h[BITS], c[BITS], f[BITS], i[BITS], o[BITS], g[BITS], t[BITS]; /* t = tanh(new c) */
} memory;

typedef struct lstm {
  const double *x;
  double loss, gradient[PARAMETERS];
  memory kept[STEPS][LAYERS];
  double said[STEPS][BITS], share[STEPS][BITS]; /* of y */
} lstm;

static double sigmoid(double x) {
  return 1 / (1 + exp(-x));
}

static void layer(memory *m, const double *w, const double *x, double *h, double *c) {
  const double *b = w + ROW;
  for (int j = 0; j < BITS; j++) {
    m->x[j] = x[j], m->h[j] = h[j], m->c[j] = c[j];
    m->f[j] = sigmoid(w[j] * x[j] + b[j]);
    m->i[j] = sigmoid(w[BITS + j] * h[j] + b[BITS + j]);
    m->o[j] = sigmoid(w[2 * BITS + j] * x[j] + b[2 * BITS + j]);
    m->g[j] = tanh(w[3 * BITS + j] * h[j] + b[3 * BITS + j]);
    c[j] = c[j] * m->f[j] + m->i[j] * m->g[j];
    m->t[j] = tanh(c[j]);
    h[j] = m->o[j] * m->t[j];
  }
}

/* xb: adjoint of what comes from above, becomes that of what goes in; hb, cb: of the state. */
static void layer_back(const memory *m, const double *w, double *dw, double *xb, double *hb, double *cb) {
  double *db = dw + ROW;
  for (int j = 0; j < BITS; j++) {
    const double h = hb[j] + xb[j], c = cb[j] + h * m->o[j] * (1 - m->t[j] * m->t[j]);
    const double f = c * m->c[j] * m->f[j] * (1 - m->f[j]), i = c * m->g[j] * m->i[j] * (1 - m->i[j]);
    const double o = h * m->t[j] * m->o[j] * (1 - m->o[j]), change = c * m->i[j] * (1 - m->g[j] * m->g[j]);
    cb[j] = c * m->f[j];
    xb[j] = f * w[j] + o * w[2 * BITS + j];
    hb[j] = i * w[BITS + j] + change * w[3 * BITS + j];
    dw[j] += f * m->x[j], db[j] += f;
    dw[BITS + j] += i * m->h[j], db[BITS + j] += i;
    dw[2 * BITS + j] += o * m->x[j], db[2 * BITS + j] += o;
    dw[3 * BITS + j] += change * m->h[j], db[3 * BITS + j] += change;
  }
}

static void by_hand(void *state) {
  lstm *s = state;
  const double *w = s->x + AT_MAIN, *extra = s->x + AT_EXTRA, *text = s->x + AT_TEXT;
  const double part = 1.0 / (STEPS * BITS);
  double *dw = s->gradient + AT_MAIN, *de = s->gradient + AT_EXTRA, h[LAYERS][BITS], c[LAYERS][BITS], loss = 0;
  memset(s->gradient, 0, sizeof s->gradient);
  for (int l = 0; l < LAYERS; l++) {
    memcpy(h[l], s->x + AT_STATE + 2 * l * BITS, sizeof h[l]);
    memcpy(c[l], s->x + AT_STATE + (2 * l + 1) * BITS, sizeof c[l]);
  }
  for (int t = 0; t < STEPS; t++) {
    const double *next = text + (t + 1) * BITS;
    double x[BITS], sum = 2, ones = 0;
    for (int j = 0; j < BITS; j++) x[j] = text[t * BITS + j] * extra[j];
    for (int l = 0; l < LAYERS; l++) layer(&s->kept[t][l], w + 2 * l * ROW, l ? h[l - 1] : x, h[l], c[l]);
    for (int j = 0; j < BITS; j++) {
      const double y = h[LAYERS - 1][j] * extra[BITS + j] + extra[2 * BITS + j];
      s->said[t][j] = h[LAYERS - 1][j];
      sum += s->share[t][j] = exp(y);
      ones += next[j];
      loss -= next[j] * y;
    }
    loss += ones * log(sum);
    for (int j = 0; j < BITS; j++) s->share[t][j] = part * (ones * s->share[t][j] / sum - next[j]);
  }
  s->loss = part * loss;
  double hb[LAYERS][BITS] = {{0}}, cb[LAYERS][BITS] = {{0}};
  for (int t = STEPS; t-- > 0;) {
    double xb[BITS];
    for (int j = 0; j < BITS; j++) {
      xb[j] = s->share[t][j] * extra[BITS + j];
      de[BITS + j] += s->share[t][j] * s->said[t][j];
      de[2 * BITS + j] += s->share[t][j];
    }
    for (int l = LAYERS; l-- > 0;) layer_back(&s->kept[t][l], w + 2 * l * ROW, dw + 2 * l * ROW, xb, hb[l], cb[l]);
    for (int j = 0; j < BITS; j++) de[j] += xb[j] * text[t * BITS + j];
  }
}

static void build(bench_run *b) {
  const double *x = numbers();
  bench_tool *t = build_tool(build_saved(graph()), x, NUMBERS, true);
  bench_add(b, (bench_rival){"adtool", 0, CHARS, bench_tool_gradient, t, bench_tool_gradients(t), PARAMETERS});
  lstm *s = bench_alloc(1, sizeof *s);
  s->x = x;
  bench_add(b, (bench_rival){"hand-written C", 1, CHARS, by_hand, s, s->gradient, PARAMETERS});
}

const bench_workload bench_lstm[] = {{"lstm", "character", CHARS, build}, {0}};
