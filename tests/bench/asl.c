/* AMPL's solver library: reads the code as a .nl file, then objval and objgrd. */
#include "bench/bench.h"

#ifdef BENCH_ASL
#include <asl.h>
#include <math.h>
#include <string.h>

typedef struct asl_peer {
  bench_peer base;
  ASL *asl;
  const code *c;
  double *x, *gradient;
  bool odd;
} asl_peer;

static ASL *load(const char *path) {
  char stub[256];
  snprintf(stub, sizeof stub, "%s", path);
  ASL *asl = ASL_alloc(ASL_read_fg);
  FILE *nl = jac0dim(stub, (fint)strlen(stub));
  X0 = NULL;
  want_xpi0 = 1;
  if (fg_read(nl, 0)) bench_fail("ASL does not read %s", path);
  return asl;
}

static void run(bench_peer *peer) {
  asl_peer *p = (asl_peer *)peer;
  ASL *asl = p->asl;
  fint failed = 0;
  memcpy(p->x, p->c->x, p->c->inputs * sizeof *p->x);
  if ((p->odd = !p->odd)) p->x[0] = nextafter(p->x[0], HUGE_VAL); /* a point that it knows is not computed again */
  objval(0, p->x, &failed);
  objgrd(0, p->x, p->gradient, &failed);
  if (failed) bench_fail("ASL does not evaluate");
}

bool bench_asl_open(bench_peer **out, const code *c) {
  const char *path = bench_temporary();
  bench_write_nl(c, path);
  asl_peer *p = bench_alloc(1, sizeof *p);
  p->asl = load(path);
  p->x = bench_alloc(c->inputs, sizeof *p->x);
  p->c = c;
  p->gradient = bench_alloc(c->inputs, sizeof *p->gradient);
  p->base = (struct bench_peer){run, p->gradient};
  *out = &p->base;
  return true;
}

bool bench_asl_load(const char *path) {
  ASL *asl = load(path);
  ASL_free(&asl);
  return true;
}
#endif
