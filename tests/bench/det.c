/* The determinant of a matrix by minors of its first row, their minors and so on, as in GradBench: `det` is the graph
 * that writing down the recursion gives, 9.9 million nodes for a matrix of 10 x 10; `det-common` the same after
 * ad_graph_optimize, which finds that equal minors occur often. */
#include "bench/build.h"
#include "bench/hand.h"

enum { SIDE = 10 };

static double *numbers(void) {
  double *x = bench_alloc(SIDE * SIDE, sizeof *x);
  build_random(x, SIDE * SIDE, -1, 1, 1);
  return x;
}

/* Of the last rows, from number `row` on, and the columns that are not `gone`. */
static ad_node minor(ad_graph *g, const ad_node *x, int row, unsigned gone) {
  static const char *const op[] = {"add", "sub"};
  ad_node sum = 0;
  for (int j = 0, sign = 0; j < SIDE; j++) {
    if (gone >> j & 1) continue;
    const ad_node a = x[row * SIDE + j];
    if (row == SIDE - 1) return a;
    const ad_node term = build_binary(g, "mul", a, minor(g, x, row + 1, gone | 1u << j));
    sum = sign ? build_binary(g, op[sign & 1], sum, term) : term;
    sign++;
  }
  return sum;
}

static ad_graph *graph(void) {
  ad_graph *g = build_graph();
  ad_node x[SIDE * SIDE];
  for (int i = 0; i < SIDE * SIDE; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d_%d", i / SIDE, i % SIDE);
    x[i] = build_input(g, name, (ad_shape){0}, false);
  }
  bench_must(ad_graph_output(g, "det", minor(g, x, 0, 0), &bench_error));
  return g;
}

typedef struct det {
  const double *x;
  double value, gradient[SIDE * SIDE];
} det;

/* What each minor counts for is known on the way in, so that one walk has values and adjoints. */
static double walk(det *s, int row, unsigned gone, double bar) {
  const double *a = s->x + row * SIDE;
  double *ab = s->gradient + row * SIDE, sum = 0, sign = 1;
  for (int j = 0; j < SIDE; j++) {
    if (gone >> j & 1) continue;
    if (row == SIDE - 1) {
      ab[j] += bar;
      return a[j];
    }
    const double m = walk(s, row + 1, gone | 1u << j, sign * bar * a[j]);
    ab[j] += sign * bar * m;
    sum += sign * a[j] * m;
    sign = -sign;
  }
  return sum;
}

static void by_hand(void *state) {
  det *s = state;
  for (int i = 0; i < SIDE * SIDE; i++) s->gradient[i] = 0;
  s->value = walk(s, 0, 0, 1);
}

static void build(bench_run *b, bool optimize) {
  const double *x = numbers();
  ad_graph *g = build_saved(graph());
  if (optimize) {
    ad_graph *less;
    bench_must(ad_graph_optimize(&less, g, NULL, &bench_error));
    ad_graph_free(g);
    g = less;
  }
  bench_tool *t = build_tool(g, x, SIDE * SIDE, true);
  bench_add(b, (bench_rival){"adtool", 0, 1, bench_tool_gradient, t, bench_tool_gradients(t), SIDE * SIDE});
  det *s = bench_alloc(1, sizeof *s);
  s->x = x;
  bench_add(b, (bench_rival){"hand-written C", 1, 1, by_hand, s, s->gradient, SIDE * SIDE});
}

static void whole(bench_run *b) {
  build(b, false);
}

static void common(bench_run *b) {
  build(b, true);
}

const bench_workload bench_det[] = {{"det", "matrix", SIDE, whole}, {"det-common", "matrix", SIDE, common}, {0}};
