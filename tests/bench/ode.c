/* A chain of reactions, as in GradBench: y_0' = x_0, y_i' = x_i y_(i-1), from 0, by 100 steps of the classical method
 * of Runge and Kutta to time 2.  What reaches the last of 10,000 species in 400 stages is zero, so the output is the
 * sum of all. */
#include <math.h>
#include <string.h>

#include "bench/build.h"
#include "bench/hand.h"

enum { SPECIES = 10000, STEPS = 100, STAGES = 4 };
static const double step = 2.0 / STEPS;
/* Where a stage is evaluated, y + reach k of the stage before, and its weight in the step. */
static const double reach[STAGES] = {0, 0.5, 0.5, 1}, weight[STAGES] = {1 / 6.0, 1 / 3.0, 1 / 3.0, 1 / 6.0};

static ad_graph *graph(void) {
  ad_graph *g = build_graph();
  const ad_node x = build_input(g, "x", SHAPE(SPECIES), false);
  const ad_node one = WITH(g, "reshape", build_number(g, 1), "shape", 1);
  ad_node y = build_zeros(g, SHAPE(SPECIES));
  for (int s = 0; s < STEPS; s++) {
    ad_node k = 0, sum = y;
    for (int i = 0; i < STAGES; i++) {
      const ad_node at = i ? build_binary(g, "add", y, build_binary(g, "mul", build_number(g, step * reach[i]), k)) : y;
      const ad_node args[] = {one, build_slice(g, at, 0, SPECIES - 1, false)};
      ad_node before;
      bench_must(ad_graph_apply(g, &before, ad_op_find("concat"), 2, args, 0, NULL, &bench_error));
      k = build_binary(g, "mul", x, before);
      sum = build_binary(g, "add", sum, build_binary(g, "mul", build_number(g, step * weight[i]), k));
    }
    y = sum;
  }
  bench_must(ad_graph_output(g, "f", build_unary(g, "sum", y), &bench_error));
  return g;
}

typedef struct ode {
  const double *x;
  double value, gradient[SPECIES], y[STEPS + 1][SPECIES], at[STAGES][SPECIES], k[SPECIES];
  double yb[SPECIES], kb[SPECIES], next[SPECIES];
} ode;

/* The four points of a step where x y is taken, and the way to the next y. */
static void stages(ode *s, const double *y, double *sum) {
  const double *x = s->x;
  if (sum) memcpy(sum, y, sizeof s->k);
  for (int i = 0; i < STAGES; i++) {
    const double r = step * reach[i], w = step * weight[i];
    double *at = s->at[i], *k = s->k;
    for (int j = 0; j < SPECIES; j++) at[j] = i ? y[j] + r * k[j] : y[j];
    k[0] = x[0];
    for (int j = 1; j < SPECIES; j++) k[j] = x[j] * at[j - 1];
    for (int j = 0; sum && j < SPECIES; j++) sum[j] += w * k[j];
  }
}

static void by_hand(void *state) {
  ode *s = state;
  const double *x = s->x;
  double *g = s->gradient, *yb = s->yb, *kb = s->kb, *next = s->next;
  memset(g, 0, sizeof s->gradient);
  memset(s->y[0], 0, sizeof s->y[0]);
  for (int t = 0; t < STEPS; t++) stages(s, s->y[t], s->y[t + 1]);
  s->value = 0;
  for (int j = 0; j < SPECIES; j++) s->value += s->y[STEPS][j], yb[j] = 1;
  for (int t = STEPS; t-- > 0;) {
    stages(s, s->y[t], NULL);
    memcpy(next, yb, sizeof s->yb);
    for (int i = STAGES; i-- > 0;) { /* kb: the adjoint of k, then what its point hands on to the stage before */
      const double *at = s->at[i], w = step * weight[i], r = step * reach[i];
      for (int j = 0; j < SPECIES; j++) kb[j] = i < STAGES - 1 ? kb[j] + w * next[j] : w * next[j];
      g[0] += kb[0];
      for (int j = 1; j < SPECIES; j++) {
        g[j] += kb[j] * at[j - 1];
        kb[j - 1] = kb[j] * x[j];
        yb[j - 1] += kb[j - 1];
        kb[j - 1] *= r;
      }
      kb[SPECIES - 1] = 0;
    }
  }
}

static void build(bench_run *b) {
  double *x = bench_alloc(SPECIES, sizeof *x);
  build_random(x, SPECIES, 4, 6, 1);
  bench_tool *t = build_tool(build_saved(graph()), x, SPECIES, true);
  bench_add(b, (bench_rival){"adtool", 0, SPECIES, bench_tool_gradient, t, bench_tool_gradients(t), SPECIES});
  ode *s = bench_alloc(1, sizeof *s);
  s->x = x;
  bench_add(b, (bench_rival){"hand-written C", 1, SPECIES, by_hand, s, s->gradient, SPECIES});
}

const bench_workload bench_ode[] = {{"ode", "species", SPECIES, build}, {0}};
