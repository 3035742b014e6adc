/* Log-likelihood of a Gaussian mixture, as in ADBench (Srajer, Kukelova, Fitzgibbon, A benchmark of selected
 * algorithmic differentiation tools on some problems in computer vision and machine learning, Optim. Methods Softw. 33,
 * 2018), with gamma = 1 and m = 0 and without the terms that depend on no parameter: sum_i logsumexp_k(alpha_k + sum_j
 * q_kj - |L_k (x_i - mu_k)|^2 / 2) - n logsumexp(alpha)
 *   + (|exp q|^2 + |l|^2) / 2,    L_k lower triangular with diagonal exp q_k and l_k below. */
#include <math.h>
#include <string.h>

#include "bench/build.h"
#include "bench/hand.h"

enum { D = 10, K = 25, N = 1000, LOWER = D * (D - 1) / 2 };
enum { AT_ALPHA = 0, AT_MU = AT_ALPHA + K, AT_Q = AT_MU + K * D, AT_L = AT_Q + K * D };
enum { PARAMETERS = AT_L + K * LOWER, AT_X = PARAMETERS, NUMBERS = AT_X + N * D };

static double *numbers(void) {
  double *x = bench_alloc(NUMBERS, sizeof *x);
  build_random(x, AT_Q, -1, 1, 1);
  build_random(x + AT_Q, PARAMETERS - AT_Q, -0.5, 0.5, 2);
  build_random(x + AT_X, N * D, -1, 1, 3);
  return x;
}

static ad_graph *graph(void) {
  int64_t diagonal[D], below[LOWER], *next = below;
  for (int i = 0; i < D; i++) {
    diagonal[i] = i * D + i;
    for (int j = 0; j < i; j++) *next++ = i * D + j;
  }
  ad_graph *g = build_graph();
  const ad_node alpha = build_input(g, "alpha", SHAPE(K), false), mu = build_input(g, "mu", SHAPE(K, D), false);
  const ad_node q = build_input(g, "q", SHAPE(K, D), false), l = build_input(g, "l", SHAPE(K, LOWER), false);
  const ad_node x = build_input(g, "x", SHAPE(N, D), true);
  const ad_node half = build_number(g, 0.5), n = build_number(g, N), zeros = build_zeros(g, SHAPE(K, D * D));
  const ad_node scale = build_unary(g, "exp", q);
  ad_node root = build_table(g, "scatter_add", 2, (const ad_node[]){zeros, scale}, SHAPE(D), diagonal, 1);
  root = build_table(g, "scatter_add", 2, (const ad_node[]){root, l}, SHAPE(LOWER), below, 1);
  root = WITH(g, "transpose", WITH(g, "reshape", root, "shape", K, D, D), "perm", 0, 2, 1);
  const ad_node centred = build_binary(g, "sub", x, WITH(g, "reshape", mu, "shape", K, 1, D)); /* [K, N, D] */
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
  double value, gradient[PARAMETERS];
} mixture;

/* One pass over the observations; the exponentials of logsumexp are the weights of the way back. */
static void by_hand(void *state) {
  mixture *s = state;
  const double *x = s->x, *alpha = x + AT_ALPHA, *mu = x + AT_MU, *q = x + AT_Q, *l = x + AT_L;
  double *g = s->gradient, scale[K * D], weight[K], centred[K][D], y[K][D], term[K];
  double value = 0, largest = -INFINITY, sum = 0;
  memset(g, 0, PARAMETERS * sizeof *g);
  for (int k = 0; k < K; k++) {
    weight[k] = alpha[k];
    for (int j = 0; j < D; j++) {
      scale[k * D + j] = exp(q[k * D + j]);
      weight[k] += q[k * D + j];
    }
  }
  for (int i = 0; i < N; i++) {
    double most = -INFINITY, all = 0;
    for (int k = 0; k < K; k++) {
      const double *row = l + k * LOWER;
      double far = 0;
      for (int j = 0; j < D; j++) centred[k][j] = x[AT_X + i * D + j] - mu[k * D + j];
      for (int j = 0; j < D; row += j++) {
        double t = scale[k * D + j] * centred[k][j];
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
      const double share = term[k] / all, *row = l + k * LOWER;
      double *drow = g + AT_L + k * LOWER, back[D] = {0};
      g[AT_ALPHA + k] += share;
      for (int j = 0; j < D; row += j, drow += j, j++) {
        const double t = -share * y[k][j];
        g[AT_Q + k * D + j] += share + t * centred[k][j] * scale[k * D + j];
        back[j] += t * scale[k * D + j];
        for (int r = 0; r < j; r++) {
          drow[r] += t * centred[k][r];
          back[r] += t * row[r];
        }
      }
      for (int j = 0; j < D; j++) g[AT_MU + k * D + j] -= back[j];
    }
  }
  for (int k = 0; k < K; k++) largest = fmax(largest, alpha[k]);
  for (int k = 0; k < K; k++) sum += exp(alpha[k] - largest);
  for (int k = 0; k < K; k++) g[AT_ALPHA + k] -= N * exp(alpha[k] - largest) / sum;
  value -= N * (largest + log(sum));
  for (int j = 0; j < K * D; j++) {
    value += 0.5 * scale[j] * scale[j];
    g[AT_Q + j] += scale[j] * scale[j];
  }
  for (int j = 0; j < K * LOWER; j++) {
    value += 0.5 * l[j] * l[j];
    g[AT_L + j] += l[j];
  }
  s->value = value;
}

static void build(bench_run *b) {
  const double *x = numbers();
  bench_tool *t = build_tool(graph(), x, NUMBERS, true);
  bench_add(b, (bench_rival){"adtool", 0, N, bench_tool_gradient, t, bench_tool_gradients(t), PARAMETERS});
  mixture *s = bench_alloc(1, sizeof *s);
  s->x = x;
  bench_add(b, (bench_rival){"hand-written C", 1, N, by_hand, s, s->gradient, PARAMETERS});
}

const bench_workload bench_mixture[] = {{"mixture", "observation", N, build}, {0}};
