/* AMPL's solver library: reads the code as a .nl file, then objval and objgrd, conval and jacval, or objval and
 * sphes. */
#include "bench/bench.h"

#ifdef BENCH_ASL
#include <asl_pfgh.h>
#include <math.h>
#include <string.h>

typedef struct asl_peer {
  bench_peer base;
  ASL *asl;
  const code *c;
  double *x, *gradient, *value;
  bool odd, hessian;
} asl_peer;

static ASL *load(const char *path, int kind) {
  char stub[256];
  snprintf(stub, sizeof stub, "%s", path);
  ASL *asl = ASL_alloc(kind);
  FILE *nl = jac0dim(stub, (fint)strlen(stub));
  X0 = NULL;
  want_xpi0 = 1;
  if (kind == ASL_read_pfgh ? pfgh_read(nl, 0) : fg_read(nl, 0)) bench_fail("ASL does not read %s", path);
  return asl;
}

static void move_point(asl_peer *p) {
  memcpy(p->x, p->c->x, p->c->inputs * sizeof *p->x);
  if ((p->odd = !p->odd)) p->x[0] = nextafter(p->x[0], HUGE_VAL); /* a point that it knows is not computed again */
}

static void run(bench_peer *peer) {
  asl_peer *p = (asl_peer *)peer;
  ASL *asl = p->asl;
  fint failed = 0;
  move_point(p);
  objval(0, p->x, &failed);
  objgrd(0, p->x, p->gradient, &failed);
  if (failed) bench_fail("ASL does not evaluate");
}

static asl_peer *open_peer(const code *c, void (*run)(bench_peer *), size_t results) {
  asl_peer *p = bench_alloc(1, sizeof *p);
  p->x = bench_alloc(c->inputs, sizeof *p->x);
  p->c = c;
  p->gradient = bench_alloc(results, sizeof *p->gradient);
  p->base = (struct bench_peer){.run = run, .result = p->gradient};
  return p;
}

bool bench_asl_open(bench_peer **out, const code *c) {
  const char *path = bench_temporary();
  bench_write_nl(c, NULL, path);
  asl_peer *p = open_peer(c, run, c->inputs);
  p->asl = load(path, ASL_read_fg);
  *out = &p->base;
  return true;
}

/* ---- Matrices */

static void run_jacobian(bench_peer *peer) {
  asl_peer *p = (asl_peer *)peer;
  ASL *asl = p->asl;
  fint failed = 0;
  move_point(p);
  conval(p->x, p->value, &failed);
  jacval(p->x, p->gradient, &failed);
  if (failed) bench_fail("ASL does not evaluate");
}

static void run_hessian(bench_peer *peer) {
  asl_peer *p = (asl_peer *)peer;
  ASL *asl = p->asl;
  fint failed = 0;
  move_point(p);
  objval(0, p->x, &failed);
  sphes(p->gradient, 0, NULL, NULL);
  if (failed) bench_fail("ASL does not evaluate");
}

/* Both triangles, in columns, which are the rows. */
static size_t set_up_hessian(ASL *asl) {
  return (size_t)sphsetup(0, 0, 0, 0);
}

/* The Jacobian's entries are to come row by row. */
static void set_up_jacobian(ASL *asl) {
  int at = 0;
  for (int i = 0; i < n_con; i++)
    for (cgrad *g = Cgrad[i]; g; g = g->next) g->goff = at++;
}

static void plan(bench_peer *peer) {
  const asl_peer *p = (const asl_peer *)peer;
  ASL *asl = load(bench_temporary(), p->hessian ? ASL_read_pfgh : ASL_read_fg);
  if (p->hessian) set_up_hessian(asl);
  ASL_free(&asl);
}

static void check_structure(const asl_peer *p, const bench_matrix *m) {
  ASL *asl = p->asl;
  size_t at = 0;
  for (int i = 0; !m->hessian && i < n_con; i++)
    for (const cgrad *g = Cgrad[i]; g; g = g->next, at++)
      if (at >= m->entries || m->column[at] != (uint32_t)g->varno) bench_fail("ASL has another order of entries");
  for (size_t k = 0; m->hessian && k < m->entries; k++)
    if (sputinfo->hrownos[k] != (fint)m->column[k]) bench_fail("ASL has another structure");
}

bool bench_asl_matrix(bench_peer **out, const bench_matrix *m) {
  const char *path = bench_temporary();
  bench_write_nl(m->c, m, path);
  asl_peer *p = open_peer(m->c, m->hessian ? run_hessian : run_jacobian, m->entries);
  ASL *asl = p->asl = load(path, m->hessian ? ASL_read_pfgh : ASL_read_fg);
  p->hessian = m->hessian;
  p->value = bench_alloc(m->rows, sizeof *p->value);
  if (!m->hessian)
    set_up_jacobian(asl);
  else if (set_up_hessian(asl) != m->entries)
    bench_fail("ASL has another number of entries");
  check_structure(p, m);
  p->base.plan = plan;
  *out = &p->base;
  return true;
}

bool bench_asl_load(const char *path) {
  ASL *asl = load(path, ASL_read_fg);
  ASL_free(&asl);
  return true;
}
#endif
