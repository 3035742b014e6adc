/* The engine in double. */
#include <string.h>

#include "error.h"
#include "exec/dense.h"
#include "exec/first.h"
#include "exec/share.h"
#include "exec/tape.h"
#include "exec/workspace.h"
#include "mem.h"

#define SCRATCH(cx) ((cx)->scratch)
#define TREE(cx) ((cx)->tree)
#include "arith/f64.h"

#define RUN ad_lane_run
#include "exec/element.inc"
#undef RUN
#include "exec/tape_f64.inc"

enum { SHORTEST_VECTOR_RUN = 4 };

/* Fills in a run for the SIMD code; false when its strides or its length are not for SIMD. */
static bool f64_in_lanes(const f64_state *cx, unsigned op, size_t n, f64_run *r) {
  if (!cx->lanes || n < SHORTEST_VECTOR_RUN || r->sx > 1 || r->sy > 1 || r->sw > 1) return false;
  r->kinks = &cx->kinks, r->op = op, r->n = n;
  return true;
}

static bool f64_vector_primal(const f64_state *cx, unsigned op, size_t n, f64_run *r, double *z) {
  if (!f64_in_lanes(cx, op, n, r)) return false;
  if (ad_shares(cx, n))
    ad_share_primal(cx, r, z);
  else if (r->xk || r->yk || r->wk)
    cx->lanes->record(r, z);
  else
    cx->lanes->primal(r, z);
  return true;
}

static bool f64_vector_tangent(const f64_state *cx, unsigned op, size_t n, size_t planes, size_t plane, f64_run *r,
                               double *zd) {
  if (!f64_in_lanes(cx, op, n, r)) return false;
  if (ad_shares(cx, n))
    ad_share_tangent(cx, r, planes, plane, zd);
  else
    cx->lanes->tangent(r, planes, plane, zd);
  return true;
}

static bool f64_vector_adjoint(const f64_state *cx, unsigned op, size_t n, f64_run *r, const double *zbar) {
  if (!f64_in_lanes(cx, op, n, r)) return false;
  if (ad_shares(cx, n))
    ad_share_adjoint(cx, r, zbar);
  else
    cx->lanes->adjoint(r, zbar);
  return true;
}

#include "exec/tiles_f64.inc"

/* The kernels once more for one point of a block, where an element's numbers lie `points` apart. */
#undef LD
#undef ST
#undef ACC
#define LD(p, i) ((p)[(i)*cx->points])
#define ST(p, i, v) ((p)[(i)*cx->points] = (v))
#define ACC(p, i, v) ((p)[(i)*cx->points] += (v))
#define KN(name) f64_block_##name
#define P(p, i) ((p) + (i)*cx->points)
#include "exec/kernels.inc"
#undef LD
#undef ST
#undef ACC
#undef KN
#undef P
#define LD(p, i) ((p)[i])
#define ST(p, i, v) ((p)[i] = (v))
#define ACC(p, i, v) ((p)[i] += (v))

/* Structured kernels see one point of a block at a time. */
static void f64_kernel_of_points(ad_workspace *w, const ad_block *in, ad_mode mode) {
  f64_state *cx = w->state;
  const ad_program *p = w->p;
  const ad_step *s = &p->step[in->step];
  double *value = w->value, *tangent = w->tangent, *adjoint = w->adjoint;
  for (size_t b = 0; b < cx->points; b++) {
    if (mode == AD_MODE_DEFAULT)
      f64_block_kernel_primal(cx, p, s, in->op, value + b, value + b + in->out * cx->points);
    else if (mode == AD_MODE_FORWARD)
      f64_block_kernel_tangent(cx, p, s, in->op, value + b, tangent + b, w->options.directions, p->size * cx->points,
                               in->out);
    else
      f64_block_kernel_adjoint(cx, p, s, in->op, value + b, adjoint + b, in->out);
  }
}

/* Done for one direction, done for all. */
static bool f64_kernel_tangents(ad_workspace *w, const ad_block *b, double *tangent, size_t planes) {
  const ad_program *p = w->p;
  for (size_t k = 0; k < planes; k++)
    if (!ad_dense_tangent(w->state, p, &p->step[b->step], b->op, w->value, tangent + k * p->size,
                          tangent + k * p->size + b->out))
      return false;
  return true;
}

/* Whether something else than the kernel for one point did the operation. */
static bool f64_kernel(ad_workspace *w, const ad_block *b, ad_mode mode) {
  const f64_state *cx = w->state;
  const ad_program *p = w->p;
  const ad_step *s = &p->step[b->step];
  double *value = w->value, *adjoint = w->adjoint;
  if (cx->points > 1) {
    f64_kernel_of_points(w, b, mode);
    return true;
  }
  if (mode == AD_MODE_DEFAULT) return ad_dense_primal(cx, p, s, b->op, value, value + b->out);
  if (mode == AD_MODE_REVERSE) return ad_dense_adjoint(cx, p, s, b->op, value, adjoint, b->out);
  return f64_kernel_tangents(w, b, w->tangent, w->options.directions);
}

#define POINTS(w) ((size_t)(w)->options.points)
#define KERNEL_PRIMAL(w, b) f64_kernel(w, b, AD_MODE_DEFAULT)
#define KERNEL_TANGENT(w, b) f64_kernel(w, b, AD_MODE_FORWARD)
#define KERNEL_ADJOINT(w, b) f64_kernel(w, b, AD_MODE_REVERSE)

static uint64_t kept_count(const ad_program *p, const ad_workspace_options *o) {
  if (!o->reverse) return 0;
  return o->points == 1 ? p->kept_one : p->kept_block;
}

#define KEPT_SIZE(w) (kept_count((w)->p, &(w)->options) * POINTS(w))
#define FUSED_ROOM(w) ((double *)(w)->kept + KEPT_SIZE(w)) /* p->kept_fused elements a thread */

/* Each thread but the first has its strips behind the others' elements. */
static size_t strips_of(const ad_program *p, unsigned thread) {
  return thread ? AD_SPARE + (size_t)thread * p->strips : 0;
}

typedef struct f64_strips {
  ad_workspace *w;
  const ad_block *b;
  ad_strips_fn *f;
} f64_strips;

static void f64_run_strips(void *context, size_t task, unsigned thread) {
  const f64_strips *s = context;
  const size_t first = task * AD_SHARE, size = s->b->step;
  s->f(s->w, s->b, first, size - first < AD_SHARE ? size : first + AD_SHARE, thread);
}

static void f64_share_strips(ad_workspace *w, const ad_block *b, ad_strips_fn *f) {
  ad_team *team = ((const f64_state *)w->state)->team;
  f64_strips s = {w, b, f};
  ad_team_run(team, f64_run_strips, &s, (b->step + (size_t)AD_SHARE - 1) / AD_SHARE);
}

#define TILED_PRIMAL f64_tiled_primal
#define TILED_ADJOINT f64_tiled_adjoint
#define STRIPS_OF(w, thread) strips_of((w)->p, thread)
#define SHARE_STRIPS(w, b, f) \
  (ad_shares((const f64_state *)(w)->state, (b)->step) ? f64_share_strips(w, b, f) : f((w), (b), 0, (b)->step, 0))
static bool f64_scalars_tangent(ad_workspace *w, const ad_block *b, double **kept);
#define SCALARS_TANGENT(w, b, kept) f64_scalars_tangent(w, b, kept)
#define SCALARS_PRIMAL(w, b, kept) f64_scalars_primal(w, b, kept)
#define SCALARS_ADJOINT(w, b, kept) f64_scalars_adjoint(w, b, kept)
#include "exec/sweep.inc"

#include "exec/bundle_f64.inc"

static bool f64_scalars_tangent(ad_workspace *w, const ad_block *b, double **kept) {
  const f64_state *cx = w->state;
  if (cx->points > 1) return false;
  f64_scalars_bundle(w, b, kept, bundle_code(cx, 1), w->tangent, w->options.directions, w->p->size, true);
  return true;
}

/* Threads are for one point, and tensors that are worth it. */
static unsigned threads_of(const ad_program *p, const ad_workspace_options *o) {
  return o->points == 1 && p->largest >= 2 * (uint64_t)AD_SHARE && o->threads ? o->threads : 1;
}

/* Whole vectors of points have code of their own. */
static bool has_code(const ad_workspace_options *o) {
  return o->points > 1 && o->points % AD_POINTS == 0;
}

static uint64_t f64_bytes(const ad_program *p, const ad_workspace_options *o) {
  return (((uint64_t)p->size + AD_SPARE) * (1u + o->directions + o->reverse) + (o->directions ? p->input_size : 0) +
          p->scratch + kept_count(p, o) + (o->reverse ? p->kept_fused * (uint64_t)threads_of(p, o) : 0) +
          (threads_of(p, o) - 1) * (uint64_t)p->strips * (1u + o->reverse) + ad_series_count(p->size, o->order)) *
             o->points * sizeof(double) +
         (has_code(o) ? ad_points_code_bytes(p) : 0);
}

static void f64_close(ad_workspace *w) {
  f64_state *s = w->state;
  if (s) {
    ad_team_free(s->team);
    ad_first_free(s->first);
    ad_points_code_free(s->code);
    ad_free(s->scratch);
    ad_free(s->tree);
    ad_free(s->series.room);
  }
  ad_free(s);
  ad_free(w->value);
  ad_free(w->tangent);
  ad_free(w->series);
  ad_free(w->adjoint);
  ad_free(w->kept);
  ad_free(w->gradient);
}

static double *new_plane(size_t count, size_t points) {
  size_t n;
  return __builtin_mul_overflow(count, points, &n) ? NULL : ad_calloc_lines(n, sizeof(double));
}

static ad_status f64_open(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  const size_t points = w->options.points;
  f64_state *s = ad_calloc(1, sizeof *s);
  if (!s) return ad_fail_memory(e);
  w->state = s;
  s->points = points;
  s->kinks = w->kinks;
  s->lanes = ad_lanes_choose();
#ifdef ADTOOL_PLANT
  s->plant = w->plant;
#endif
  const unsigned threads = threads_of(p, &w->options);
  if (threads > 1) {
    const ad_status status = ad_team_new(&s->team, threads, NULL, e);
    if (status) return status;
  }
  const size_t size = p->size + (size_t)AD_SPARE + (threads - 1) * (size_t)p->strips;
  s->scratch = new_plane(p->scratch, points);
  s->tree = new_plane(AD_TREE_LEVELS, points);
  w->value = new_plane(size, points);
  if (w->options.directions) w->gradient = new_plane(p->input_size, points);
  if (w->options.directions) w->tangent = new_plane((size_t)p->size * w->options.directions, points);
  if (w->options.order) {
    s->series.order = w->options.order;
    s->series.room = new_plane(ad_series_count(0, w->options.order), points);
    w->series = new_plane((size_t)p->size * w->options.order, points);
  }
  if (w->options.reverse) {
    w->adjoint = new_plane(size, points);
    w->kept = new_plane(kept_count(p, &w->options) + p->kept_fused * threads, points);
  }
  if (!s->scratch || !s->tree || !w->value || (w->options.directions && (!w->tangent || !w->gradient)) ||
      (w->options.order && (!s->series.room || !w->series)) || (w->options.reverse && (!w->adjoint || !w->kept)))
    return ad_fail_memory(e);
  if (has_code(&w->options) && s->lanes) {
    const bool share = p->outputs_only && !w->options.directions && !w->options.order;
    if (!(s->first = ad_first_new(p)) ||
        !(s->code = ad_points_code_new(p, s->first, (ad_points_planes){points, w->value, w->adjoint, share})))
      return ad_fail_memory(e);
  }
  return AD_OK;
}

/* Element `at` of a plane, at all points of the block. */
static double *f64_element(const ad_workspace *w, const void *plane, size_t at) {
  return (double *)plane + at * w->options.points;
}

static void f64_set(ad_workspace *w, void *plane, size_t at, double v, const char *text) {
  (void)text; /* v is the text's nearest double */
  for (size_t i = 0; i < w->options.points; i++) f64_element(w, plane, at)[i] = v;
}

static void f64_set_doubles(ad_workspace *w, void *plane, size_t first, const double *v, size_t count) {
  const size_t points = w->options.points;
  double *to = f64_element(w, plane, first);
  if (points == 1 && count) memcpy(to, v, count * sizeof *v);
  for (size_t i = 0; points > 1 && i < count; i++)
    for (size_t b = 0; b < points; b++) *to++ = v[i];
}

static const void *f64_at(const ad_workspace *w, const void *plane, size_t at) {
  return f64_element(w, plane, at);
}

static void f64_zero(ad_workspace *w, void *plane, size_t first, size_t count) {
  memset(f64_element(w, plane, first), 0, count * w->options.points * sizeof(double));
}

static void f64_copy(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, size_t count) {
  memcpy(f64_element(w, dst, to), f64_element(w, src, from), count * w->options.points * sizeof(double));
}

static void f64_add_scaled(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, double factor,
                           const char *text) {
  (void)text;
  const double *v = f64_element(w, src, from);
  double *sum = f64_element(w, dst, to);
  for (size_t i = 0; i < w->options.points; i++)
    if (v[i] != 0) sum[i] += factor * v[i];
}

static void f64_clear_adjoints(ad_workspace *w) {
  ad_first *f = ((f64_state *)w->state)->first;
  if (!f) {
    f64_zero(w, w->adjoint, 0, w->p->size);
    return;
  }
  for (size_t i = 0; i < f->zero_count; i++) f64_zero(w, w->adjoint, f->zero[i].first, f->zero[i].count);
  f->plain = false;
}

static void f64_seed_adjoint(ad_workspace *w, size_t at, double seed, const char *text) {
  ad_first *f = ((f64_state *)w->state)->first;
  if (f && !f->plain && !(f->flags[at] & AD_FIRST_ZERO)) {
    for (uint32_t i = 0; i < w->p->size; i++)
      if (!(f->flags[i] & AD_FIRST_ZERO)) f64_zero(w, w->adjoint, i, 1);
    f->plain = true;
  }
  f64_set(w, w->adjoint, at, *f64_element(w, w->adjoint, at) + seed, text);
}

static size_t f64_number_bytes(const ad_workspace *w) {
  return sizeof(double) * w->options.points;
}

static void *f64_plane(const ad_workspace *w, size_t count) {
  return new_plane(count, w->options.points);
}

static void f64_add_multiples(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, size_t count,
                              const void *factor, size_t at) {
  const double f = *f64_element(w, factor, at), *x = f64_element(w, src, from);
  double *sum = f64_element(w, dst, to);
  for (size_t i = 0; i < count * w->options.points; i++)
    if (x[i] != 0) sum[i] += f * x[i];
}

static bool f64_any_nan(const ad_workspace *w, const void *plane, size_t first, size_t count) {
  const f64_state *s = w->state;
  const double *x = (const double *)plane + first;
  if (s->lanes && s->lanes->all_finite(x, count)) return false;
  for (size_t i = 0; i < count; i++)
    if (isnan(x[i])) return true;
  return false;
}

#include "exec/taylor_f64.inc"

const ad_engine ad_engine_f64 = {
    .kind = AD_KIND_F64,
    .bytes = f64_bytes,
    .open = f64_open,
    .close = f64_close,
    .set = f64_set,
    .set_doubles = f64_set_doubles,
    .clear_adjoints = f64_clear_adjoints,
    .seed_adjoint = f64_seed_adjoint,
    .at = f64_at,
    .zero = f64_zero,
    .copy = f64_copy,
    .add_scaled = f64_add_scaled,
    .number_bytes = f64_number_bytes,
    .plane = f64_plane,
    .add_multiples = f64_add_multiples,
    .primal = f64_sweep_primal,
    .forward = f64_sweep_forward,
    .reverse = f64_sweep_reverse,
    .taylor = f64_sweep_taylor,
    .diagnose = f64_sweep_diagnose,
    .bundle_width = f64_bundle_width,
    .bundle_open = f64_bundle_open,
    .bundle_forward = f64_bundle_forward,
    .bundle_reverse = f64_bundle_reverse,
    .any_nan = f64_any_nan,
    .marked = &ad_engine_marked_f64,
};
