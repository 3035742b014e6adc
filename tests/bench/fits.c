/* Three sums over many rows, as in GradBench (gradbench.github.io): fitting a polynomial, a logarithm of a sum of
 * exponentials, and the Newton step of k-means. */
#include <math.h>
#include <string.h>

#include "bench/build.h"
#include "bench/hand.h"

static void add_rivals(bench_run *b, bench_tool *t, double units, size_t count, void (*hand)(void *), void *state,
                       const double *gradient) {
  bench_add(b, (bench_rival){"adtool", 0, units, bench_tool_gradient, t, bench_tool_gradients(t), count});
  bench_add(b, (bench_rival){"hand-written C", 1, units, hand, state, gradient, count});
}

/* ---- llsq: sum_i (sign(t_i) - sum_j x_j t_i^j)^2 / 2, t_i from -1 to 1.  The graph is given the powers as a matrix.
 */

enum { SAMPLES = 8196, TERMS = 128 };
enum { AT_POWERS = TERMS, AT_SIGN = AT_POWERS + SAMPLES * TERMS, LLSQ_NUMBERS = AT_SIGN + SAMPLES };

static double sample(int i) {
  return -1 + 2.0 * i / (SAMPLES - 1);
}

static ad_graph *llsq_graph(void) {
  ad_graph *g = build_graph();
  const ad_node x = build_input(g, "x", SHAPE(TERMS), false);
  const ad_node powers = build_input(g, "powers", SHAPE(SAMPLES, TERMS), true);
  const ad_node sign = build_input(g, "sign", SHAPE(SAMPLES), true);
  const ad_node off = build_binary(g, "sub", sign, build_binary(g, "matmul", powers, x));
  const ad_node f = build_binary(g, "mul", build_number(g, 0.5), build_unary(g, "sum", build_unary(g, "sqr", off)));
  bench_must(ad_graph_output(g, "f", f, &bench_error));
  return g;
}

typedef struct llsq {
  const double *x;
  double value, gradient[TERMS];
} llsq;

static void llsq_by_hand(void *state) {
  llsq *s = state;
  double value = 0, power[TERMS];
  memset(s->gradient, 0, sizeof s->gradient);
  for (int i = 0; i < SAMPLES; i++) {
    const double t = sample(i);
    double off = (t > 0) - (t < 0), p = 1;
    for (int j = 0; j < TERMS; j++, p *= t) {
      power[j] = p;
      off -= s->x[j] * p;
    }
    for (int j = 0; j < TERMS; j++) s->gradient[j] -= off * power[j];
    value += off * off;
  }
  s->value = 0.5 * value;
}

static void llsq_row(bench_run *b) {
  double *x = bench_alloc(LLSQ_NUMBERS, sizeof *x);
  build_random(x, TERMS, -1, 1, 1);
  for (int i = 0; i < SAMPLES; i++) {
    const double t = sample(i);
    double p = 1;
    for (int j = 0; j < TERMS; j++, p *= t) x[AT_POWERS + i * TERMS + j] = p;
    x[AT_SIGN + i] = (t > 0) - (t < 0);
  }
  llsq *s = bench_alloc(1, sizeof *s);
  s->x = x;
  add_rivals(b, build_tool(build_saved(llsq_graph()), x, LLSQ_NUMBERS, true), SAMPLES, TERMS, llsq_by_hand, s,
             s->gradient);
}

/* ---- lse: log sum exp x */

enum { EXPONENTS = 1280000 };

static ad_graph *lse_graph(void) {
  ad_graph *g = build_graph();
  const ad_node x = build_input(g, "x", SHAPE(EXPONENTS), false);
  bench_must(ad_graph_output(g, "f", build_unary(g, "logsumexp", x), &bench_error));
  return g;
}

typedef struct lse {
  const double *x;
  double value, *gradient;
} lse;

static void lse_by_hand(void *state) {
  lse *s = state;
  double largest = -INFINITY, sum = 0;
  for (int i = 0; i < EXPONENTS; i++) largest = s->x[i] > largest ? s->x[i] : largest;
  for (int i = 0; i < EXPONENTS; i++) sum += s->gradient[i] = exp(s->x[i] - largest);
  for (int i = 0; i < EXPONENTS; i++) s->gradient[i] /= sum;
  s->value = largest + log(sum);
}

static void lse_row(bench_run *b) {
  double *x = bench_alloc(EXPONENTS, sizeof *x);
  build_random(x, EXPONENTS, -5, 5, 1);
  lse *s = bench_alloc(1, sizeof *s);
  *s = (lse){.x = x, .gradient = bench_alloc(EXPONENTS, sizeof *x)};
  add_rivals(b, build_tool(build_saved(lse_graph()), x, EXPONENTS, true), EXPONENTS, EXPONENTS, lse_by_hand, s,
             s->gradient);
}

/* ---- kmeans: sum_i min_j |x_i - c_j|^2.  Its Hessian is diagonal, so that one product, with ones, has all of it; the
 * result is the gradient over the diagonal. */

enum { MEANS = 100, ROWS = 10000, AXES = 16, CENTRES = MEANS * AXES, AT_ROWS = CENTRES };
enum { KMEANS_NUMBERS = AT_ROWS + ROWS * AXES };

static ad_graph *kmeans_graph(void) {
  ad_graph *g = build_graph();
  const ad_node c = build_input(g, "c", SHAPE(MEANS, AXES), false);
  const ad_node x = build_input(g, "x", SHAPE(ROWS, AXES), true);
  const ad_node xx = WITH(g, "sum", build_unary(g, "sqr", x), "axis", 1);
  const ad_node cc = WITH(g, "sum", build_unary(g, "sqr", c), "axis", 1);
  const ad_node xc = build_binary(g, "matmul", x, build_unary(g, "transpose", c));
  const ad_node ends = build_binary(g, "add", WITH(g, "reshape", xx, "shape", ROWS, 1), cc);
  const ad_node squares = build_binary(g, "sub", ends, build_binary(g, "mul", build_number(g, 2), xc));
  bench_must(ad_graph_output(g, "f", build_unary(g, "sum", WITH(g, "reduce_min", squares, "axis", 1)), &bench_error));
  return g;
}

typedef struct kmeans {
  const double *x;
  ad_hessian *h;
  double value, gradient[CENTRES], diagonal[CENTRES], step[CENTRES], ones[CENTRES];
} kmeans;

static void kmeans_by_adtool(void *state) {
  kmeans *s = state;
  bench_must(ad_workspace_set_input(ad_hessian_workspace(s->h), 0, s->x, CENTRES, &bench_error));
  bench_must(ad_hessian_products(s->h, s->ones, 1, &bench_error));
  const double *gradient = ad_hessian_gradient(s->h, 0).data, *diagonal = ad_hessian_values(s->h).data;
  for (int i = 0; i < CENTRES; i++) s->step[i] = gradient[i] / diagonal[i];
}

static void kmeans_by_hand(void *state) {
  kmeans *s = state;
  memset(s->gradient, 0, sizeof s->gradient);
  memset(s->diagonal, 0, sizeof s->diagonal);
  s->value = 0;
  for (int i = 0; i < ROWS; i++) {
    const double *x = s->x + AT_ROWS + i * AXES;
    double least = INFINITY;
    int nearest = 0;
    for (int j = 0; j < MEANS; j++) {
      const double *c = s->x + j * AXES;
      double square = 0;
      for (int k = 0; k < AXES; k++) square += (x[k] - c[k]) * (x[k] - c[k]);
      if (square < least) least = square, nearest = j;
    }
    s->value += least;
    for (int k = 0; k < AXES; k++) {
      s->gradient[nearest * AXES + k] += 2 * (s->x[nearest * AXES + k] - x[k]);
      s->diagonal[nearest * AXES + k] += 2;
    }
  }
  for (int i = 0; i < CENTRES; i++) s->step[i] = s->gradient[i] / s->diagonal[i];
}

static void kmeans_row(bench_run *b) {
  double *x = bench_alloc(KMEANS_NUMBERS, sizeof *x);
  build_random(x + AT_ROWS, ROWS * AXES, -1, 1, 1);
  for (int j = 0; j < MEANS; j++) /* each is near a row */
    for (int k = 0; k < AXES; k++) x[j * AXES + k] = 0.99 * x[AT_ROWS + j * 97 * AXES + k];
  kmeans *s = bench_alloc(2, sizeof *s);
  s[0].x = s[1].x = x;
  for (int i = 0; i < CENTRES; i++) s[0].ones[i] = 1;
  bench_must(
      ad_hessian_new(&s[0].h, build_saved(kmeans_graph()), NULL, &(ad_hessian_options){.columns = 1}, &bench_error));
  bench_must(ad_workspace_set_inputs(ad_hessian_workspace(s[0].h), x, KMEANS_NUMBERS, &bench_error));
  bench_add(b, (bench_rival){"adtool", 0, ROWS, kmeans_by_adtool, &s[0], s[0].step, CENTRES});
  bench_add(b, (bench_rival){"hand-written C", 1, ROWS, kmeans_by_hand, &s[1], s[1].step, CENTRES});
}

const bench_workload bench_fits[] = {{"llsq", "sample", SAMPLES, llsq_row},
                                     {"lse", "element", EXPONENTS, lse_row},
                                     {"kmeans", "row", ROWS, kmeans_row},
                                     {0}};
