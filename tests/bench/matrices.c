/* Sparse and dense Jacobians and sparse Hessians: of one point, planned before, and the planning. */
#include <string.h>

#include "bench/bench.h"

static code c;

/* ---- adtool */

typedef struct tool {
  bench_tool t;
  bool hessian, dense;
  ad_jacobian *j;
  ad_hessian *h;
} tool;

static void plan(tool *t) {
  if (t->hessian) {
    bench_must(ad_hessian_new(&t->h, t->t.g, NULL, &(ad_hessian_options){.sparse = true}, &bench_error));
    return;
  }
  bench_must(ad_program_new(&t->t.p, t->t.g, &(ad_program_options){.outputs_only = true}, &bench_error));
  bench_must(ad_jacobian_new(&t->j, t->t.p, NULL, &(ad_jacobian_options){.sparse = !t->dense}, &bench_error));
}

static void plan_again(void *state) {
  tool t = *(const tool *)state;
  plan(&t);
  ad_jacobian_free(t.j);
  ad_hessian_free(t.h);
  if (!t.hessian) ad_program_free(t.t.p);
}

static void run(void *state) {
  tool *t = state;
  ad_workspace *w = t->hessian ? ad_hessian_workspace(t->h) : ad_jacobian_workspace(t->j);
  bench_must(ad_workspace_set_inputs(w, c.x, c.inputs, &bench_error));
  bench_must(t->hessian ? ad_hessian_run(t->h, &bench_error) : ad_jacobian_run(t->j, &bench_error));
}

/* ---- The matrix, for the others */

static void list_all(bench_matrix *m) {
  size_t *start = bench_alloc(m->rows + 1, sizeof *start);
  uint32_t *column = bench_alloc(m->entries, sizeof *column);
  for (size_t i = 0; i <= m->rows; i++) start[i] = i * c.inputs;
  for (size_t k = 0; k < m->entries; k++) column[k] = (uint32_t)(k % c.inputs);
  m->start = start, m->column = column;
}

/* An entry is read in its own row where its column's colour is there once; else, of a Hessian, in its mirror image's.
 */
static void list_sparse(bench_matrix *m, const ad_sparsity *s) {
  ad_colouring colours;
  bench_must(ad_colour(&colours, s, m->hessian ? AD_COLOUR_STAR : AD_COLOUR_COLUMNS, &bench_error));
  uint32_t *line = bench_alloc(m->entries, sizeof *line), *from = bench_alloc(m->entries, sizeof *from);
  uint32_t *seen = bench_alloc(colours.column_colours, sizeof *seen);
  m->start = s->start, m->column = s->column;
  m->colours = colours.column_colours, m->colour = colours.column;
  for (size_t i = 0; i < m->rows; i++) {
    const size_t first = s->start[i], end = s->start[i + 1];
    for (size_t k = first; k < end; k++) seen[m->colour[s->column[k]]]++;
    for (size_t k = first; k < end; k++) {
      const bool own = seen[m->colour[s->column[k]]] == 1;
      line[k] = own ? (uint32_t)i : s->column[k];
      from[k] = m->colour[own ? s->column[k] : i];
    }
    for (size_t k = first; k < end; k++) seen[m->colour[s->column[k]]] = 0;
  }
  free(seen);
  m->line = line, m->from = from;
}

static const bench_matrix *matrix_of(const tool *t) {
  bench_matrix *m = bench_alloc(1, sizeof *m);
  *m = (bench_matrix){.c = &c, .hessian = t->hessian, .dense = t->dense};
  m->rows = t->hessian ? c.inputs : code_outputs(&c);
  m->entries = t->hessian ? ad_hessian_values(t->h).count : ad_jacobian_values(t->j).count;
  if (m->dense)
    list_all(m);
  else
    list_sparse(m, t->hessian ? ad_hessian_sparsity(t->h) : ad_jacobian_sparsity(t->j));
  return m;
}

/* ---- Rows */

static void run_peer(void *peer) {
  bench_peer *p = peer;
  p->run(p);
}

static void plan_peer(void *peer) {
  bench_peer *p = peer;
  p->plan(p);
}

typedef enum what { RUN, PLAN } what;

static void add_peer(bench_run *b, what w, const char *name, bench_peer *p, const bench_matrix *m) {
  const double units = (double)m->entries;
  if (w == RUN)
    bench_add(b, (bench_rival){name, 0.5, units, run_peer, p, p->result, m->entries});
  else
    bench_add(b, (bench_rival){name, 0, units, plan_peer, p, NULL, 0});
}

static void build(bench_run *b, what w, bool hessian, bool dense) {
  tool *t = bench_alloc(1, sizeof *t);
  *t = (tool){.hessian = hessian, .dense = dense};
  bench_tool_code(&t->t, &c);
  plan(t);
  const bench_matrix *m = matrix_of(t);
  const double *values = hessian ? ad_hessian_values(t->h).data : ad_jacobian_values(t->j).data;
  bench_add(b, w == RUN ? (bench_rival){"adtool", 0, (double)m->entries, run, t, values, m->entries}
                        : (bench_rival){"adtool", 0, (double)m->entries, plan_again, t, NULL, 0});
  bench_peer *p;
  const char *const adolc = w == PLAN ? "ADOL-C, structure alone"
                            : dense   ? "ADOL-C"
                            : hessian ? "ADOL-C, hess_mat" /* with adtool's colours */
                                      : "ADOL-C, fov_forward";
  if (bench_adolc_matrix(&p, m)) add_peer(b, w, adolc, p, m);
  if (bench_asl_matrix(&p, m)) add_peer(b, w, "ASL", p, m);
}

static size_t side(size_t size) {
  size_t m = 1;
  while ((m + 1) * (m + 1) <= size) m++;
  return m;
}

#define BUILD(NAME, CODE, HESSIAN, DENSE) \
  static void NAME(bench_run *b) {        \
    CODE;                                 \
    build(b, RUN, HESSIAN, DENSE);        \
  }                                       \
  static void NAME##_plan(bench_run *b) { \
    CODE;                                 \
    build(b, PLAN, HESSIAN, DENSE);       \
  }
BUILD(broyden, code_broyden(&c, b->size), false, false)
BUILD(residuals, code_residuals(&c, b->size), false, false)
BUILD(rosenbrock, code_rosenbrock(&c, 9 * b->size + 2), true, false)
BUILD(surface, code_surface(&c, side(b->size)), true, false)
BUILD(dense, code_dense(&c, b->size, 64, 64), false, true)

#define ROWS(NAME, SIZE, BUILD)               \
  {NAME, "entry", SIZE, BUILD}, {             \
    NAME "-plan", "entry", SIZE, BUILD##_plan \
  }
const bench_workload bench_matrices[] = {
    ROWS("jac-broyden", 100000, broyden),     ROWS("jac-rosenbrock", 100000, residuals),
    ROWS("jac-dense", 100000, dense),         ROWS("hess-rosenbrock", 100000, rosenbrock),
    ROWS("hess-surface", 316 * 316, surface), {0}};
