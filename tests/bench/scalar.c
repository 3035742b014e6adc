/* One scalar graph at one point, gradient: chain, dag, Rosenbrock, Speelpenning's product. */
#include "bench/bench.h"
#include "bench/hand.h"

/* ---- Closed forms */

typedef struct closed {
  const code *c;
  double *gradient, *before;
} closed;

static void rosenbrock(void *state) {
  const closed *h = state;
  const size_t n = h->c->inputs;
  const double *x = h->c->x;
  double *g = h->gradient;
  g[0] = 0;
  for (size_t i = 0; i + 1 < n; i++) {
    const double d = x[i + 1] - x[i] * x[i];
    g[i] += -400 * d * x[i] - 2 * (1 - x[i]);
    g[i + 1] = 200 * d;
  }
}

static void product(void *state) {
  const closed *h = state;
  const size_t n = h->c->inputs;
  const double *x = h->c->x;
  double *g = h->gradient, p = 1;
  for (size_t i = 0; i < n; i++) {
    g[i] = p;
    p *= x[i];
  }
  p = 1;
  for (size_t i = n; i-- > 0;) {
    g[i] *= p;
    p *= x[i];
  }
}

/* ---- Rows */

static code c;

static void build(bench_run *b, void (*hand)(void *)) {
  const double limit = 0.7; /* of the best peer's time */
  bench_tool *t = bench_alloc(1, sizeof *t);
  const double units = (double)c.count;
  bench_memory_start();
  bench_tool_code(t, &c);
  bench_tool_open(t, &(ad_workspace_options){.reverse = true});
  t->x = c.x;
  t->x_count = c.inputs;
  bench_tool_gradient(t);
  if (b->size > 1000) b->bytes = bench_memory_peak() / units, b->bytes_of = "bytes of memory", b->bytes_limit = 40;
  bench_add(b, (bench_rival){"adtool", 0, units, bench_tool_gradient, t, bench_tool_gradients(t), c.inputs});
  if (hand) {
    closed *h = bench_alloc(1, sizeof *h);
    *h = (closed){.c = &c, .gradient = bench_alloc(c.inputs, sizeof *h->gradient)};
    bench_add(b, (bench_rival){"hand-written C", 0, units, hand, h, h->gradient, c.inputs});
  }
  bench_add_switch(b, &c, limit);
  bench_peer *p;
  if (bench_adolc_open(&p, &c)) bench_add_peer(b, "ADOL-C", limit, p, &c);
  if (bench_asl_open(&p, &c)) bench_add_peer(b, "ASL", limit, p, &c);
}

static void build_chain(bench_run *b) {
  code_chain(&c, b->size);
  build(b, NULL);
}

static void build_dag(bench_run *b) {
  code_dag(&c, b->size);
  build(b, NULL);
}

static void build_rosenbrock(bench_run *b) {
  code_rosenbrock(&c, b->size);
  build(b, rosenbrock);
}

static void build_product(bench_run *b) {
  code_product(&c, b->size);
  build(b, product);
}

#define SIZES(NAME, BUILD)                                      \
  {NAME, "node", 1000, BUILD}, {NAME, "node", 100000, BUILD}, { \
    NAME, "node", 10000000, BUILD                               \
  }

const bench_workload bench_scalar[] = {SIZES("chain", build_chain),
                                       SIZES("dag", build_dag),
                                       SIZES("rosenbrock", build_rosenbrock),
                                       SIZES("product", build_product),
                                       {0}};
