/* The engine in double. */
#include <string.h>

#include "error.h"
#include "exec/lanes.h"
#include "exec/workspace.h"
#include "mem.h"

enum { AD_TREE_LEVELS = 64 };

typedef struct f64_state {
  ad_kinks kinks;
  const ad_lanes *lanes; /* NULL: scalar code only */
  double *scratch;
  double tree[AD_TREE_LEVELS];
#ifdef ADTOOL_PLANT
  unsigned plant;
#endif
} f64_state;

#define CX f64_state
#define SCRATCH(cx) ((cx)->scratch)
#define TREE(cx) ((cx)->tree)
#define PLANTED 0x1p-10
#include "arith/f64.h"

static inline double f64_pow(const f64_state *cx, double a, double b) {
  return cx->kinks.pow00_nan && a == 0 && b == 0 ? NAN_VALUE : pow(a, b);
}

#include "exec/element.inc"

enum { SHORTEST_VECTOR_RUN = 4 };

/* Fills in a run for the SIMD code; false when its strides or its length are not for SIMD. */
static bool f64_lane_run(const f64_state *cx, unsigned op, size_t n, const f64_run *r, ad_lane_run *l) {
  if (!cx->lanes || n < SHORTEST_VECTOR_RUN || r->sx > 1 || r->sy > 1 || r->sw > 1) return false;
  *l = (ad_lane_run){.kinks = &cx->kinks,
                     .op = op,
                     .active = r->active,
                     .n = n,
                     .z = r->z,
                     .x = r->x,
                     .y = r->y,
                     .w = r->w,
                     .sx = r->sx,
                     .sy = r->sy,
                     .sw = r->sw,
                     .xd = r->xd,
                     .yd = r->yd,
                     .wd = r->wd,
                     .xb = r->xb,
                     .yb = r->yb,
                     .wb = r->wb};
#ifdef ADTOOL_PLANT
  l->plant = cx->plant;
#endif
  return true;
}

static bool f64_vector_primal(const f64_state *cx, unsigned op, size_t n, const f64_run *r, double *z) {
  ad_lane_run l;
  if (!f64_lane_run(cx, op, n, r, &l)) return false;
  cx->lanes->primal(&l, z);
  return true;
}

static bool f64_vector_tangent(const f64_state *cx, unsigned op, size_t n, size_t planes, size_t plane,
                               const f64_run *r, double *zd) {
  ad_lane_run l;
  if (!f64_lane_run(cx, op, n, r, &l)) return false;
  cx->lanes->tangent(&l, planes, plane, zd);
  return true;
}

static bool f64_vector_adjoint(const f64_state *cx, unsigned op, size_t n, const f64_run *r, const double *zbar) {
  ad_lane_run l;
  if (!f64_lane_run(cx, op, n, r, &l)) return false;
  cx->lanes->adjoint(&l, zbar);
  return true;
}

#include "exec/sweep.inc"

static uint64_t f64_bytes(const ad_program *p, const ad_workspace_options *o) {
  return (uint64_t)p->size * sizeof(double) * (1u + o->directions + o->reverse) + (uint64_t)p->scratch * sizeof(double);
}

static void f64_close(ad_workspace *w) {
  f64_state *s = w->state;
  if (s) ad_free(s->scratch);
  ad_free(s);
  ad_free(w->value);
  ad_free(w->tangent);
  ad_free(w->adjoint);
  ad_free(w->gradient);
}

static ad_status f64_open(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  f64_state *s = ad_calloc(1, sizeof *s);
  w->state = s;
  w->value = ad_calloc(p->size, sizeof(double));
  w->gradient = ad_calloc(p->input_size, sizeof(double));
  if (w->options.directions) w->tangent = ad_calloc((size_t)p->size * w->options.directions, sizeof(double));
  if (w->options.reverse) w->adjoint = ad_calloc(p->size, sizeof(double));
  if (s) s->scratch = ad_calloc(p->scratch, sizeof(double));
  if (!s || !s->scratch || !w->value || !w->gradient || (w->options.directions && !w->tangent) ||
      (w->options.reverse && !w->adjoint))
    return ad_fail_memory(e);
  s->kinks = w->kinks;
  s->lanes = ad_lanes_choose();
#ifdef ADTOOL_PLANT
  s->plant = w->plant;
#endif
  return AD_OK;
}

static void f64_set(ad_workspace *w, void *plane, size_t at, double v, const char *text) {
  (void)w, (void)text; /* v is the text's nearest double */
  ((double *)plane)[at] = v;
}

static const void *f64_at(const void *plane, size_t at) {
  return (const double *)plane + at;
}

static void f64_zero(ad_workspace *w, void *plane, size_t first, size_t count) {
  (void)w;
  memset((double *)plane + first, 0, count * sizeof(double));
}

static void f64_copy(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, size_t count) {
  (void)w;
  memcpy((double *)dst + to, (const double *)src + from, count * sizeof(double));
}

static void f64_add_scaled(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, double factor) {
  double v = ((const double *)src)[from];
  (void)w;
  if (v != 0) ((double *)dst)[to] += factor * v;
}

const ad_engine ad_engine_f64 = {
    .kind = AD_KIND_F64,
    .bytes = f64_bytes,
    .open = f64_open,
    .close = f64_close,
    .set = f64_set,
    .at = f64_at,
    .zero = f64_zero,
    .copy = f64_copy,
    .add_scaled = f64_add_scaled,
    .primal = f64_sweep_primal,
    .forward = f64_sweep_forward,
    .reverse = f64_sweep_reverse,
    .diagnose = f64_sweep_diagnose,
};
