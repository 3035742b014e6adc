/* The engine of marked doubles (arith/marked_f64.h): one point, one direction, no SIMD.  careful.c runs it where the
 * engine in double gave a nan. */
#include "error.h"
#include "exec/careful.h"
#include "exec/workspace.h"
#include "ir/ops.h"
#include "mem.h"

typedef struct marked_state marked_state;
#define CX marked_state
struct marked_state {
  ad_kinks kinks;
  struct marked *scratch, *tree;
  size_t run; /* offset of the elements at hand */
  ad_lost lost;
#ifdef ADTOOL_PLANT
  unsigned plant;
#endif
};

#define SCRATCH(cx) ((cx)->scratch)
#define TREE(cx) ((cx)->tree)
#define PLANTED marked_of(0x1p-10, true)
#include "arith/marked_f64.h"

/* A partial times a derivative, which may be nan for a reason of its own. */
static inline V marked_times(CX *cx, size_t at, V p, V d) {
  if ((p.v == 0 && isinf(d.v)) || (d.v == 0 && !isfinite(p.v))) {
    if (!cx->lost.count++) cx->lost.offset = at;
  }
  return marked_mul(p, d);
}

/* On a kink, on an edge and outside the domain a row's value says nothing of what is around; elsewhere steps are fixed.
 */
static inline void marked_settle(T *z, const T *x, const T *y, const T *w, unsigned where, bool step) {
  if (where)
    z->fixed = x->fixed && (!y || y->fixed) && (!w || w->fixed);
  else if (step)
    z->fixed = true;
}

#define SKIPS(d) marked_nothing(d)
#define UNTAKEN(branch, p) marked_nothing(p)
#define LEAVES_OUT(d, finite) (marked_nothing(d) && ((finite) || ++cx->lost.spared))
#define TIMES(p, d) marked_times(cx, cx->run + (i), p, d)
#define SETTLE(smooth, where)                                                                 \
  marked_settle(&zp[i], &xp[i * sx], yp ? &yp[i * sy] : NULL, wp ? &wp[i * sw] : NULL, where, \
                ad_op_rule_get((ad_op)op)->smoothness == AD_STEP);
#define STEP_AT_NAN(ID, z, P) (ad_op_rule_get(AD_OP_##ID)->smoothness == AD_STEP && IS_NAN(z) ? NAN_VALUE : (P))
#include "exec/element.inc"
#undef TIMES
#define TIMES(p, d) marked_times(cx, cx->run, p, d)

#define ENTERS(w, offset) (((CX *)(w)->state)->run = (offset))
#include "exec/plain.inc"
#include "exec/sweep.inc"

static T *new_plane(size_t count) {
  T *x = ad_malloc(count, sizeof *x);
  for (size_t i = 0; x && i < count; i++) x[i] = marked_of(0, true);
  return x;
}

static uint64_t marked_bytes(const ad_program *p, const ad_workspace_options *o) {
  return ((uint64_t)p->size * (1u + o->directions + o->reverse) + p->scratch + AD_TREE_LEVELS) * sizeof(T);
}

static void marked_close(ad_workspace *w) {
  CX *s = w->state;
  if (s) {
    ad_free(s->scratch);
    ad_free(s->tree);
  }
  ad_free(s);
  ad_free(w->value);
  ad_free(w->tangent);
  ad_free(w->adjoint);
}

static ad_status marked_open(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  CX *s = ad_calloc(1, sizeof *s);
  if (!s) return ad_fail_memory(e);
  w->state = s;
  s->kinks = w->kinks;
#ifdef ADTOOL_PLANT
  s->plant = w->plant;
#endif
  s->scratch = new_plane(p->scratch);
  s->tree = new_plane(AD_TREE_LEVELS);
  w->value = new_plane(p->size);
  w->tangent = w->options.directions ? new_plane((size_t)p->size * w->options.directions) : NULL;
  w->adjoint = w->options.reverse ? new_plane(p->size) : NULL;
  return s->scratch && s->tree && w->value && (w->tangent || !w->options.directions) &&
                 (w->adjoint || !w->options.reverse)
             ? AD_OK
             : ad_fail_memory(e);
}

static void marked_set(ad_workspace *w, void *plane, size_t at, double v, const char *text) {
  (void)w, (void)text;
  ((T *)plane)[at] = marked_of(v, true);
}

static void marked_set_doubles(ad_workspace *w, void *plane, size_t first, const double *v, size_t count) {
  for (size_t i = 0; i < count; i++) marked_set(w, plane, first + i, v[i], NULL);
}

static void marked_zero(ad_workspace *w, void *plane, size_t first, size_t count) {
  (void)w;
  for (size_t i = 0; i < count; i++) ((T *)plane)[first + i] = marked_of(0, true);
}

static void marked_take(ad_workspace *w, void *plane, size_t to, const void *from, size_t at, bool fixed) {
  (void)w;
  ((T *)plane)[to] = marked_of(((const double *)from)[at], fixed);
}

static void marked_give(const ad_workspace *w, const void *plane, size_t from, void *to, size_t at, bool always) {
  (void)w;
  const double v = ((const T *)plane)[from].v;
  double *x = (double *)to + at;
  if (always || isnan(*x) || isnan(v)) *x = v;
}

static bool marked_is_nothing(const void *plane, size_t at) {
  return marked_nothing(((const T *)plane)[at]);
}

static bool marked_any_nan(const ad_workspace *w, const void *plane, size_t first, size_t count) {
  (void)w;
  for (size_t i = first; i < first + count; i++)
    if (isnan(((const T *)plane)[i].v)) return true;
  return false;
}

static ad_lost marked_lost(ad_workspace *w) {
  CX *s = w->state;
  const ad_lost lost = s->lost;
  s->lost = (ad_lost){0};
  return lost;
}

const ad_engine ad_engine_marked_f64 = {
    .kind = AD_KIND_F64,
    .bytes = marked_bytes,
    .open = marked_open,
    .close = marked_close,
    .set = marked_set,
    .set_doubles = marked_set_doubles,
    .zero = marked_zero,
    .take = marked_take,
    .give = marked_give,
    .any_nan = marked_any_nan,
    .nothing = marked_is_nothing,
    .lost = marked_lost,
    .primal = marked_sweep_primal,
    .forward = marked_sweep_forward,
    .reverse = marked_sweep_reverse,
    .diagnose = marked_sweep_diagnose,
};
