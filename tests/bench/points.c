/* One graph of 200 operations, its gradient at each of a million points. */
#include <math.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/hand.h"
#include "team.h"

enum { INPUTS = BENCH_POINTS_INPUTS, OPERATIONS = 200, ENTRIES = INPUTS + OPERATIONS, LAST = ENTRIES - 1 };

/* Rows of inputs, rows of gradients. */
typedef struct points {
  size_t count;
  const double *x;
  double *gradient;
} points;

static points points_of(const double *x, size_t count) {
  return (points){count, x, bench_alloc(count * INPUTS, sizeof(double))};
}

double *bench_points_rows(size_t count) {
  double *x = bench_alloc(count * INPUTS, sizeof *x);
  uint32_t s = 1;
  for (size_t i = 0; i < count * INPUTS; i++) {
    s = s * 1664525u + 1013904223u;
    x[i] = 0.6 + 0.8 * s * 0x1p-32;
  }
  return x;
}

/* ---- Hand-written: the values, then the adjoints from the last operation to the first */

#define ADD(T, I, A, B) const T v##I = v##A + v##B;
#define SUB(T, I, A, B) const T v##I = v##A - v##B;
#define MUL(T, I, A, B) const T v##I = v##A * v##B;
#define DIV(T, I, A, B) const T v##I = v##A / v##B;

#define BACK_ADD(I, A, B) b##A += b##I, b##B += b##I;
#define BACK_SUB(I, A, B) b##A += b##I, b##B -= b##I;
#define BACK_MUL(I, A, B) b##A += b##I * v##B, b##B += b##I * v##A;
#define BACK_DIV(I, A, B) b##I /= v##B, b##A += b##I, b##B -= b##I * v##I;
#define BACK_SQRT(I, A, B) b##A += b##I * 0.5 / v##I;
#define BACK_EXP(I, A, B) b##A += b##I * v##I;
#define BACK_LOG(I, A, B) b##A += b##I / v##A;
#define BACK_SIN(I, A, B) b##A += b##I * c##I;
#define BACK_TANH(I, A, B) b##A += b##I * (1 - v##I * v##I);

#define EACH_INPUT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9)

#define SQRT(T, I, A, B) const T v##I = sqrt(v##A);
#define EXP(T, I, A, B) const T v##I = exp(v##A);
#define LOG(T, I, A, B) const T v##I = log(v##A);
#define SIN(T, I, A, B) const T v##I = sin(v##A), c##I = cos(v##A);
#define TANH(T, I, A, B) const T v##I = tanh(v##A);
#define IN(J)               \
  const double v##J = x[J]; \
  double b##J = 0;
#define OUT(J) g[J] = b##J;

static void one_point(const double *x, double *g) {
  EACH_INPUT(IN)
#define R(I, OP, A, B) OP(double, I, A, B)
#include "bench/points.def"
#undef R
  (void)v209;
#define R(I, OP, A, B) double b##I = I == LAST;
#include "bench/points.def"
#undef R
#define R(I, OP, A, B) BACK_##OP(I, A, B)
#include "bench/points_back.def"
#undef R
  EACH_INPUT(OUT)
}

static void scalar_points(void *state) {
  const points *p = state;
  for (size_t i = 0; i < p->count; i++) one_point(p->x + i * INPUTS, p->gradient + i * INPUTS);
}

#ifdef HAND_LANES
#undef SQRT
#undef EXP
#undef LOG
#undef SIN
#undef TANH
#undef IN
#undef OUT
#define SQRT(T, I, A, B) const T v##I = VSQRT(v##A);
#define EXP(T, I, A, B) const T v##I = VEXP(v##A);
#define LOG(T, I, A, B) const T v##I = VLOG(v##A);
#define SIN(T, I, A, B)          \
  const V2 t##I = VSINCOS(v##A); \
  const T v##I = t##I.x, c##I = t##I.y;
#define TANH(T, I, A, B) const T v##I = VTANH(v##A);
#define IN(J)                         \
  const V v##J = LOAD(x + J * WIDTH); \
  V b##J = ALL(0);
#define OUT(J) STORE(g + J * WIDTH, b##J);

static void one_vector(const double *x, double *g) {
  EACH_INPUT(IN)
#define R(I, OP, A, B) OP(V, I, A, B)
#include "bench/points.def"
#undef R
  (void)v209;
#define R(I, OP, A, B) V b##I = ALL(I == LAST);
#include "bench/points.def"
#undef R
#define R(I, OP, A, B) BACK_##OP(I, A, B)
#include "bench/points_back.def"
#undef R
  EACH_INPUT(OUT)
}

static void lane_points(void *state) {
  const points *p = state;
  double x[INPUTS * WIDTH], g[INPUTS * WIDTH];
  for (size_t i = 0; i < p->count; i += WIDTH) {
    for (int j = 0; j < INPUTS; j++)
      for (int l = 0; l < WIDTH; l++) x[j * WIDTH + l] = p->x[(i + l) * INPUTS + j];
    one_vector(x, g);
    for (int j = 0; j < INPUTS; j++)
      for (int l = 0; l < WIDTH; l++) p->gradient[(i + l) * INPUTS + j] = g[j * WIDTH + l];
  }
}
#endif

/* ---- adtool, a block of points after the other */

enum { BLOCK = 128 };

typedef struct blocks {
  points p;
  unsigned threads;
  bench_tool *tool; /* of each */
  ad_team *team;
} blocks;

static void tool_block(void *state, size_t number, unsigned thread) {
  const blocks *b = state;
  const bench_tool *t = &b->tool[thread];
  const size_t first = number * BLOCK, n = b->p.count - first < BLOCK ? b->p.count - first : BLOCK;
  for (ad_node j = 0; j < INPUTS; j++)
    bench_must(ad_workspace_set_points(t->w, j, b->p.x + first * INPUTS + j, INPUTS, n, &bench_error));
  bench_must(ad_workspace_primal(t->w, &bench_error));
  bench_must(ad_workspace_run_gradient(t->w, &t->request, &bench_error));
  const double *g = bench_tool_gradients(t);
  for (size_t i = 0; i < n; i++)
    for (int j = 0; j < INPUTS; j++) b->p.gradient[(first + i) * INPUTS + j] = g[j * BLOCK + i];
}

static void tool_points(void *state) {
  const blocks *b = state;
  ad_team_run(b->team, tool_block, state, (b->p.count + BLOCK - 1) / BLOCK);
}

bench_rival bench_points_tool(const char *name, const double *x, size_t count, unsigned threads) {
  code c;
  bench_points_code(&c);
  blocks *t = bench_alloc(1, sizeof *t);
  t->p = points_of(x, count);
  t->tool = bench_alloc(threads, sizeof *t->tool);
  for (unsigned i = 0; i < threads; i++) {
    bench_tool_code(&t->tool[i], &c);
    t->tool[i].outputs_only = true;
    bench_tool_open(&t->tool[i], &(ad_workspace_options){.reverse = true, .points = BLOCK});
  }
  bench_must(ad_team_new(&t->team, threads, NULL, &bench_error));
  return (bench_rival){name, 0, (double)count, tool_points, t, t->p.gradient, count * INPUTS};
}

/* ---- Peers, a point after the other */

typedef struct peer_points {
  points p;
  code c;
  bench_peer *peer;
} peer_points;

static void run_peer_points(void *state) {
  const peer_points *s = state;
  for (size_t i = 0; i < s->p.count; i++) {
    memcpy(s->c.x, s->p.x + i * INPUTS, INPUTS * sizeof *s->c.x);
    s->peer->run(s->peer);
    memcpy(s->p.gradient + i * INPUTS, s->peer->result, INPUTS * sizeof(double));
  }
}

void bench_points_code(code *c) {
  code_start(c, ENTRIES);
  for (int i = 0; i < INPUTS; i++) code_input(c, 1);
#define R(I, OP, A, B) code_op(c, CODE_##OP, A, B);
#include "bench/points.def"
#undef R
}

static void add_peer(bench_run *b, const char *name, bool (*open)(bench_peer **, const code *), const double *x) {
  const size_t count = b->size / 50; /* they are slow */
  peer_points *s = bench_alloc(1, sizeof *s);
  bench_points_code(&s->c);
  if (!open(&s->peer, &s->c)) return;
  s->p = points_of(x, count);
  bench_add(b, (bench_rival){name, 0.2, (double)count, run_peer_points, s, s->p.gradient, count * INPUTS});
}

static void build(bench_run *b) {
  const double *x = bench_points_rows(b->size);
  const double units = (double)b->size;
  bench_add(b, bench_points_tool("adtool", x, b->size, 1));
#ifdef HAND_LANES
  points *lanes = bench_alloc(1, sizeof *lanes);
  *lanes = points_of(x, b->size);
  bench_add(b, (bench_rival){"hand-written lanes", 1.15, units, lane_points, lanes, lanes->gradient, b->size * INPUTS});
#endif
  points *scalar = bench_alloc(1, sizeof *scalar);
  *scalar = points_of(x, b->size / 10);
  bench_add(b, (bench_rival){"hand-written C", 0, (double)scalar->count, scalar_points, scalar, scalar->gradient,
                             scalar->count * INPUTS});
  add_peer(b, "ADOL-C", bench_adolc_open, x);
  add_peer(b, "ASL", bench_asl_open, x);
}

const bench_workload bench_points[] = {{"points", "point", 1000000, build}, {0}};
