/* A dense network beside CBLAS, and a chain of elementwise operations beside one loop. */
#include <math.h>
#include <string.h>

#include "bench/build.h"
#include "bench/hand.h"

#ifdef HAVE_CBLAS
#include <cblas.h>
#endif

/* ---- Network: logits = relu(X W + b) U + c; the mean over the batch of logsumexp(logits) - logits[label] */

enum { BATCH = 64, IN = 784, HIDDEN = 512, OUT = 10 };

enum { AT_W = 0, AT_B = AT_W + IN * HIDDEN, AT_U = AT_B + HIDDEN, AT_C = AT_U + HIDDEN * OUT };
enum { PARAMETERS = AT_C + OUT, AT_X = PARAMETERS, AT_T = AT_X + BATCH * IN, NUMBERS = AT_T + BATCH * OUT };

static double *network_numbers(void) {
  double *x = bench_alloc(NUMBERS, sizeof *x);
  build_random(x, PARAMETERS, -0.1, 0.1, 1);
  build_random(x + AT_X, BATCH * IN, 0, 1, 2);
  for (int i = 0; i < BATCH; i++) x[AT_T + i * OUT + i * 7 % OUT] = 1;
  return x;
}

static ad_graph *network_graph(void) {
  ad_graph *g = build_graph();
  const ad_node w = build_input(g, "W", SHAPE(IN, HIDDEN), false), b = build_input(g, "b", SHAPE(HIDDEN), false);
  const ad_node u = build_input(g, "U", SHAPE(HIDDEN, OUT), false), c = build_input(g, "c", SHAPE(OUT), false);
  const ad_node x = build_input(g, "x", SHAPE(BATCH, IN), true), t = build_input(g, "label", SHAPE(BATCH, OUT), true);
  const ad_node h = build_unary(g, "relu", build_binary(g, "add", build_binary(g, "matmul", x, w), b));
  const ad_node o = build_binary(g, "add", build_binary(g, "matmul", h, u), c);
  const ad_node lse = WITH(g, "logsumexp", o, "axis", 1),
                right = WITH(g, "sum", build_binary(g, "mul", o, t), "axis", 1);
  bench_must(ad_graph_output(g, "loss", build_unary(g, "mean", build_binary(g, "sub", lse, right)), &bench_error));
  return g;
}

#ifdef HAVE_CBLAS
typedef struct network {
  const double *x;
  double hidden[BATCH * HIDDEN], logits[BATCH * OUT], loss;
  double dhidden[BATCH * HIDDEN], dlogits[BATCH * OUT], gradient[PARAMETERS];
} network;

static void product(bool left, bool right, int m, int n, int k, const double *a, const double *b, double *c) {
  cblas_dgemm(CblasRowMajor, left ? CblasTrans : CblasNoTrans, right ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
              left ? m : k, b, right ? k : n, 0, c, n);
}

static void network_value(void *state) {
  network *s = state;
  const double *x = s->x, *b = x + AT_B, *c = x + AT_C, *t = x + AT_T;
  product(false, false, BATCH, HIDDEN, IN, x + AT_X, x + AT_W, s->hidden);
  for (int i = 0; i < BATCH; i++)
    for (int j = 0; j < HIDDEN; j++) {
      const double h = s->hidden[i * HIDDEN + j] + b[j];
      s->hidden[i * HIDDEN + j] = h > 0 ? h : 0;
    }
  product(false, false, BATCH, OUT, HIDDEN, s->hidden, x + AT_U, s->logits);
  double loss = 0;
  for (int i = 0; i < BATCH; i++) {
    double *o = s->logits + i * OUT, *d = s->dlogits + i * OUT, largest = -INFINITY, sum = 0, right = 0;
    for (int j = 0; j < OUT; j++) largest = fmax(largest, o[j] += c[j]);
    for (int j = 0; j < OUT; j++) {
      sum += d[j] = exp(o[j] - largest);
      right += o[j] * t[i * OUT + j];
    }
    for (int j = 0; j < OUT; j++) d[j] = (d[j] / sum - t[i * OUT + j]) / BATCH;
    loss += largest + log(sum) - right;
  }
  s->loss = loss / BATCH;
}

static void network_gradient(void *state) {
  network *s = state;
  const double *x = s->x;
  double *g = s->gradient;
  network_value(s);
  memset(g + AT_B, 0, HIDDEN * sizeof *g);
  memset(g + AT_C, 0, OUT * sizeof *g);
  for (int i = 0; i < BATCH; i++)
    for (int j = 0; j < OUT; j++) g[AT_C + j] += s->dlogits[i * OUT + j];
  product(true, false, HIDDEN, OUT, BATCH, s->hidden, s->dlogits, g + AT_U);
  product(false, true, BATCH, HIDDEN, OUT, s->dlogits, x + AT_U, s->dhidden);
  for (int i = 0; i < BATCH; i++)
    for (int j = 0; j < HIDDEN; j++) {
      double *d = &s->dhidden[i * HIDDEN + j];
      *d = s->hidden[i * HIDDEN + j] > 0 ? *d : 0;
      g[AT_B + j] += *d;
    }
  product(true, false, IN, HIDDEN, BATCH, x + AT_X, s->dhidden, g + AT_W);
}
#endif

static void build_network(bench_run *b, bool gradient) {
  const double *x = network_numbers();
  bench_tool *t = build_tool(network_graph(), x, NUMBERS, gradient);
  const double *result = gradient ? bench_tool_gradients(t) : bench_tool_value(t);
  const size_t count = gradient ? PARAMETERS : 1;
  bench_add(b, (bench_rival){"adtool", 0, BATCH, gradient ? bench_tool_gradient : bench_tool_primal, t, result, count});
#ifdef HAVE_CBLAS
  network *s = bench_alloc(1, sizeof *s);
  s->x = x;
  bench_add(b, (bench_rival){"CBLAS by hand", 1.05, BATCH, gradient ? network_gradient : network_value, s,
                             gradient ? s->gradient : &s->loss, count});
#endif
  if (gradient)
    bench_add(b, (bench_rival){"adtool's own value", 3, BATCH, bench_tool_primal,
                               build_tool(network_graph(), x, NUMBERS, false), NULL, 0});
}

static void network_row(bench_run *b) {
  build_network(b, false);
}

static void network_gradient_row(bench_run *b) {
  build_network(b, true);
}

/* ---- Chain of ten: exp(tanh(sin(log(sqrt(x x + 1)) x) + x) sqrt(x x + 1)), its sum's gradient */

static ad_graph *elementwise_graph(size_t n, bool gradient) {
  ad_graph *g = build_graph();
  const ad_node x = build_input(g, "x", SHAPE((int64_t)n), false), one = build_number(g, 1);
  const ad_node root = build_unary(g, "sqrt", build_binary(g, "add", build_binary(g, "mul", x, x), one));
  const ad_node e = build_binary(g, "mul", build_unary(g, "log", root), x);
  const ad_node h = build_unary(g, "tanh", build_binary(g, "add", build_unary(g, "sin", e), x));
  const ad_node y = build_unary(g, "exp", build_binary(g, "mul", h, root));
  bench_must(ad_graph_output(g, "f", gradient ? build_unary(g, "sum", y) : y, &bench_error));
  return g;
}

#ifdef HAND_LANES
typedef struct elements {
  size_t n;
  const double *x;
  double *result;
  double sum;
} elements;

static void elementwise_value(void *state) {
  const elements *s = state;
  for (size_t i = 0; i < s->n; i += WIDTH) {
    const V x = LOAD(s->x + i), root = VSQRT(x * x + 1);
    STORE(s->result + i, VEXP(VTANH(VSIN(VLOG(root) * x) + x) * root));
  }
}

static void elementwise_gradient(void *state) {
  elements *s = state;
  V sum = ALL(0);
  for (size_t i = 0; i < s->n; i += WIDTH) {
    const V x = LOAD(s->x + i), root = VSQRT(x * x + 1), d = VLOG(root);
    const V2 f = VSINCOS(d * x);
    const V h = VTANH(f.x + x), y = VEXP(h * root);
    sum += y;
    const V gb = y * root * (1 - h * h), eb = gb * f.y;
    const V rb = y * h + eb * x / root;
    STORE(s->result + i, gb + eb * d + rb * x / root);
  }
  s->sum = 0;
  for (int l = 0; l < WIDTH; l++) s->sum += ((double *)&sum)[l];
}
#endif

static void build_elementwise(bench_run *b, bool gradient) {
  const size_t n = b->size;
  double *x = bench_alloc(n, sizeof *x);
  build_random(x, n, -1, 1, 3);
  bench_tool *t = build_tool(elementwise_graph(n, gradient), x, n, gradient);
  bench_add(b, (bench_rival){"adtool", 0, (double)n, gradient ? bench_tool_gradient : bench_tool_primal, t,
                             gradient ? bench_tool_gradients(t) : bench_tool_value(t), n});
#ifdef HAND_LANES
  elements *s = bench_alloc(1, sizeof *s);
  *s = (elements){.n = n, .x = x, .result = bench_alloc(n, sizeof(double))};
  bench_add(b, (bench_rival){"one loop with SLEEF", 1.15, (double)n,
                             gradient ? elementwise_gradient : elementwise_value, s, s->result, n});
#endif
}

static void elementwise_row(bench_run *b) {
  build_elementwise(b, false);
}

static void elementwise_gradient_row(bench_run *b) {
  build_elementwise(b, true);
}

const bench_workload bench_dense[] = {{"network-value", "sample", BATCH, network_row},
                                      {"network", "sample", BATCH, network_gradient_row},
                                      {"elements-value", "element", 10000000, elementwise_row},
                                      {"elements", "element", 10000000, elementwise_gradient_row},
                                      {0}};
