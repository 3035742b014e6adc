/* Log-likelihood of a Gaussian mixture, as in ADBench (Srajer, Kukelova, Fitzgibbon, A benchmark of selected
 * algorithmic differentiation tools on some problems in computer vision and machine learning, Optim. Methods Softw. 33,
 * 2018), with gamma = 1 and m = 0 and without the terms that depend on no parameter: sum_i logsumexp_k(alpha_k + sum_j
 * q_kj - |L_k (x_i - mu_k)|^2 / 2) - n logsumexp(alpha)
 *   + (|exp q|^2 + |l|^2) / 2,    L_k lower triangular with diagonal exp q_k and l_k below. */
#include <math.h>
#include <string.h>

#include "bench/build.h"
#include "bench/hand.h"

/* d: 10 or 32, known to the compiler in each rival. */
enum { K = 25, N = 1000, MOST = 32 };
#define LOWER(d) ((d) * ((d)-1) / 2)

/* Where the parameters start in the numbers, and the observations behind them. */
typedef struct places {
  int alpha, mu, q, l, x, all;
} places;

static inline places places_of(int d) {
  const int mu = K, q = mu + K * d, l = q + K * d, x = l + K * LOWER(d);
  return (places){0, mu, q, l, x, x + N * d};
}

static double *numbers(int d) {
  const places at = places_of(d);
  double *x = bench_alloc((size_t)at.all, sizeof *x);
  const double spread = d > 10 ? 0.1 : 0.5;
  build_random(x, (size_t)at.q, -1, 1, 1);
  build_random(x + at.q, (size_t)(at.x - at.q), -spread, spread, 2);
  build_random(x + at.x, (size_t)(N * d), -1, 1, 3);
  return x;
}

static ad_graph *graph(int d) {
  int64_t diagonal[MOST], below[LOWER(MOST)], *next = below;
  for (int i = 0; i < d; i++) {
    diagonal[i] = i * d + i;
    for (int j = 0; j < i; j++) *next++ = i * d + j;
  }
  ad_graph *g = build_graph();
  const ad_node alpha = build_input(g, "alpha", SHAPE(K), false), mu = build_input(g, "mu", SHAPE(K, d), false);
  const ad_node q = build_input(g, "q", SHAPE(K, d), false), l = build_input(g, "l", SHAPE(K, LOWER(d)), false);
  const ad_node x = build_input(g, "x", SHAPE(N, d), true);
  const ad_node half = build_number(g, 0.5), n = build_number(g, N), zeros = build_zeros(g, SHAPE(K, d * d));
  const ad_node scale = build_unary(g, "exp", q);
  ad_node root = build_table(g, "scatter_add", 2, (const ad_node[]){zeros, scale}, SHAPE(d), diagonal, 1);
  root = build_table(g, "scatter_add", 2, (const ad_node[]){root, l}, SHAPE(LOWER(d)), below, 1);
  root = WITH(g, "transpose", WITH(g, "reshape", root, "shape", K, d, d), "perm", 0, 2, 1);
  const ad_node centred = build_binary(g, "sub", x, WITH(g, "reshape", mu, "shape", K, 1, d)); /* [K, N, d] */
  const ad_node y = build_unary(g, "sqr", build_binary(g, "matmul", centred, root));
  const ad_node far = build_binary(g, "mul", half, WITH(g, "sum", y, "axis", 2)); /* [K, N] */
  const ad_node weight = build_binary(g, "add", alpha, WITH(g, "sum", q, "axis", 1));
  const ad_node terms = build_binary(g, "sub", WITH(g, "reshape", weight, "shape", K, 1), far);
  const ad_node fit = build_unary(g, "sum", WITH(g, "logsumexp", terms, "axis", 0));
  const ad_node norm = build_binary(g, "mul", n, build_unary(g, "logsumexp", alpha));
  const ad_node prior = build_binary(g, "add", build_unary(g, "sum", build_unary(g, "sqr", scale)),
                                     build_unary(g, "sum", build_unary(g, "sqr", l)));
  const ad_node f = build_binary(g, "add", build_binary(g, "sub", fit, norm), build_binary(g, "mul", half, prior));
  bench_must(ad_graph_output(g, "f", f, &bench_error));
  return g;
}

typedef struct mixture {
  const double *x;
  double value, gradient[2 * K * MOST + K * LOWER(MOST) + K];
} mixture;

/* One pass over the observations; the exponentials of logsumexp are the weights of the way back. */
static inline __attribute__((always_inline)) void by_hand(mixture *s, const int d) {
  const places at = places_of(d);
  const double *x = s->x, *alpha = x + at.alpha, *mu = x + at.mu, *q = x + at.q, *l = x + at.l;
  double *g = s->gradient, scale[K * MOST], weight[K], centred[K][MOST], y[K][MOST], term[K];
  double value = 0, largest = -INFINITY, sum = 0;
  memset(g, 0, (size_t)at.x * sizeof *g);
  for (int k = 0; k < K; k++) {
    weight[k] = alpha[k];
    for (int j = 0; j < d; j++) {
      scale[k * d + j] = exp(q[k * d + j]);
      weight[k] += q[k * d + j];
    }
  }
  for (int i = 0; i < N; i++) {
    double most = -INFINITY, all = 0;
    for (int k = 0; k < K; k++) {
      const double *row = l + k * LOWER(d);
      double far = 0;
      for (int j = 0; j < d; j++) centred[k][j] = x[at.x + i * d + j] - mu[k * d + j];
      for (int j = 0; j < d; row += j++) {
        double t = scale[k * d + j] * centred[k][j];
        for (int r = 0; r < j; r++) t += row[r] * centred[k][r];
        y[k][j] = t;
        far += t * t;
      }
      term[k] = weight[k] - 0.5 * far;
      most = fmax(most, term[k]);
    }
    for (int k = 0; k < K; k++) all += term[k] = exp(term[k] - most);
    value += most + log(all);
    for (int k = 0; k < K; k++) {
      const double share = term[k] / all, *row = l + k * LOWER(d);
      double *drow = g + at.l + k * LOWER(d), back[MOST];
      for (int j = 0; j < d; j++) back[j] = 0;
      g[at.alpha + k] += share;
      for (int j = 0; j < d; row += j, drow += j, j++) {
        const double t = -share * y[k][j];
        g[at.q + k * d + j] += share + t * centred[k][j] * scale[k * d + j];
        back[j] += t * scale[k * d + j];
        for (int r = 0; r < j; r++) {
          drow[r] += t * centred[k][r];
          back[r] += t * row[r];
        }
      }
      for (int j = 0; j < d; j++) g[at.mu + k * d + j] -= back[j];
    }
  }
  for (int k = 0; k < K; k++) largest = fmax(largest, alpha[k]);
  for (int k = 0; k < K; k++) sum += exp(alpha[k] - largest);
  for (int k = 0; k < K; k++) g[at.alpha + k] -= N * exp(alpha[k] - largest) / sum;
  value -= N * (largest + log(sum));
  for (int j = 0; j < K * d; j++) {
    value += 0.5 * scale[j] * scale[j];
    g[at.q + j] += scale[j] * scale[j];
  }
  for (int j = 0; j < K * LOWER(d); j++) {
    value += 0.5 * l[j] * l[j];
    g[at.l + j] += l[j];
  }
  s->value = value;
}

static void by_hand_10(void *state) {
  by_hand(state, 10);
}

static void by_hand_32(void *state) {
  by_hand(state, 32);
}

static void build(bench_run *b, int d, void (*hand)(void *)) {
  const places at = places_of(d);
  const double *x = numbers(d);
  const size_t parameters = (size_t)at.x;
  bench_tool *t = build_tool(build_saved(graph(d)), x, (size_t)at.all, true);
  bench_add(b, (bench_rival){"adtool", 0, N, bench_tool_gradient, t, bench_tool_gradients(t), parameters});
  mixture *s = bench_alloc(1, sizeof *s);
  s->x = x;
  bench_add(b, (bench_rival){"hand-written C", 1, N, hand, s, s->gradient, parameters});
}

static void row_10(bench_run *b) {
  build(b, 10, by_hand_10);
}

static void row_32(bench_run *b) {
  build(b, 32, by_hand_32);
}

const bench_workload bench_mixture[] = {
    {"mixture", "observation", N, row_10}, {"mixture-32", "observation", N, row_32}, {0}};
