/* The engine in MPFR.  Numbers of a plane share one block of limbs (mpfr_custom_init), so a plane is two allocations
 * and GMP's own allocator, which aborts when memory runs out, is used for MPFR's temporaries only. */
#include <math.h>
#include <mpfr.h>
#include <string.h>

#include "error.h"
#include "exec/series.h"
#include "exec/workspace.h"
#include "ir/number.h"
#include "mem.h"

enum { MP_KEPT = 3 };

typedef struct mp_state {
  ad_kinks kinks;
  mpfr_prec_t precision;
  unsigned turn;
  __mpfr_struct *ring, *kept, *scratch, *tree;
  ad_series_state series;
#ifdef ADTOOL_PLANT
  unsigned plant;
#endif
} mp_state;

#define CX mp_state
#define SCRATCH(cx) ((cx)->scratch)
#define TREE(cx) ((cx)->tree)
#define PLANTED mp_double(cx, 0x1p-10)
#include "arith/mpfr_words.h"
#include "exec/element.inc"

#define mp_vector_primal(...) false
#define mp_vector_tangent(...) false
#define mp_vector_adjoint(...) false
#define POINTS(w) ((size_t)1)
#define KEPT_SIZE(w) ((size_t)0)
#define FUSED_ROOM(w) NULL
#define SCALARS_PRIMAL(w, b, kept) false
#define SCALARS_TANGENT(w, b, kept) false
#define SCALARS_ADJOINT(w, b, kept) false
#define KERNEL_PRIMAL(w, b) false
#define KERNEL_TANGENT(w, b) false
#define KERNEL_ADJOINT(w, b) false
#define TILED_PRIMAL(w, s, op, active, out, kept) false
#define TILED_ADJOINT(w, s, op, active, out, kept) false
#define STRIPS_OF(w, thread) ((void)(thread), (size_t)0)
#define SHARE_STRIPS(w, b, f) f((w), (b), 0, (b)->step, 0)
#define KERNEL_SERIES(w, b) false
#define RUN_TAYLOR(w, t, n, offset, step) false
#define SCALARS_TAYLOR(w, b) false
#include "exec/sweep.inc"

void ad_thread_cleanup(void) {
  ad_mpfr_free_caches();
}

static uint64_t plane_bytes(uint64_t count, mpfr_prec_t precision) {
  uint64_t bytes;
  return __builtin_mul_overflow(count, sizeof(__mpfr_struct) + mpfr_custom_get_size(precision), &bytes) ? UINT64_MAX
                                                                                                        : bytes;
}

/* `count` zeros; one allocation, the limbs behind the numbers. */
static __mpfr_struct *new_plane(size_t count, mpfr_prec_t precision) {
  size_t limbs = mpfr_custom_get_size(precision);
  __mpfr_struct *x = ad_malloc(count, sizeof *x + limbs);
  if (!x) return NULL;
  char *significand = (char *)(x + count);
  for (size_t i = 0; i < count; i++, significand += limbs) {
    mpfr_custom_init(significand, precision);
    mpfr_custom_init_set(&x[i], MPFR_ZERO_KIND, 0, precision, significand);
  }
  return x;
}

static uint64_t mp_bytes(const ad_program *p, const ad_workspace_options *o) {
  return plane_bytes((uint64_t)p->size * (1u + o->directions + o->reverse) + (o->directions ? p->input_size : 0) +
                         p->scratch + MP_RING + MP_KEPT + AD_TREE_LEVELS + ad_series_count(p->size, o->order),
                     o->precision);
}

static void mp_close(ad_workspace *w) {
  mp_state *s = w->state;
  if (s) {
    ad_free(s->ring);
    ad_free(s->kept);
    ad_free(s->scratch);
    ad_free(s->tree);
    ad_free(s->series.room);
  }
  ad_free(s);
  ad_free(w->value);
  ad_free(w->tangent);
  ad_free(w->series);
  ad_free(w->adjoint);
  ad_free(w->gradient);
}

static ad_status mp_open(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  mp_state *s = ad_calloc(1, sizeof *s);
  if (!s) return ad_fail_memory(e);
  w->state = s;
  s->kinks = w->kinks;
  s->precision = w->options.precision;
  s->ring = new_plane(MP_RING, s->precision);
  s->kept = new_plane(MP_KEPT, s->precision);
  s->tree = new_plane(AD_TREE_LEVELS, s->precision);
  s->scratch = new_plane(p->scratch, s->precision);
  w->value = new_plane(p->size, s->precision);
  if (w->options.directions) w->gradient = new_plane(p->input_size, s->precision);
  if (w->options.directions) w->tangent = new_plane((size_t)p->size * w->options.directions, s->precision);
  if (w->options.reverse) w->adjoint = new_plane(p->size, s->precision);
  if (w->options.order) {
    s->series.order = w->options.order;
    s->series.room = new_plane(ad_series_count(0, w->options.order), s->precision);
    w->series = new_plane((size_t)p->size * w->options.order, s->precision);
  }
  if (!s->ring || !s->kept || !s->tree || !s->scratch || !w->value ||
      (w->options.directions && (!w->tangent || !w->gradient)) ||
      (w->options.order && (!s->series.room || !w->series)) || (w->options.reverse && !w->adjoint))
    return ad_fail_memory(e);
#ifdef ADTOOL_PLANT
  s->plant = w->plant;
#endif
  return AD_OK;
}

static void mp_set(ad_workspace *w, void *plane, size_t at, double v, const char *text) {
  mpfr_ptr r = (__mpfr_struct *)plane + at;
  (void)w;
  if (text)
    ad_number_mpfr(r, text);
  else
    mpfr_set_d(r, v, MPFR_RNDN);
}

static void mp_set_doubles(ad_workspace *w, void *plane, size_t first, const double *v, size_t count) {
  for (size_t i = 0; i < count; i++) mp_set(w, plane, first + i, v[i], NULL);
}

static const void *mp_at(const ad_workspace *w, const void *plane, size_t at) {
  (void)w;
  return (const __mpfr_struct *)plane + at;
}

static void mp_zero(ad_workspace *w, void *plane, size_t first, size_t count) {
  (void)w;
  for (size_t i = 0; i < count; i++) mpfr_set_zero((__mpfr_struct *)plane + first + i, 1);
}

static void mp_copy(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, size_t count) {
  (void)w;
  for (size_t i = 0; i < count; i++)
    mpfr_set((__mpfr_struct *)dst + to + i, (const __mpfr_struct *)src + from + i, MPFR_RNDN);
}

static void mp_add_scaled(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, double factor,
                          const char *text) {
  mp_state *cx = w->state;
  V v = (const __mpfr_struct *)src + from;
  if (IS_ZERO(v)) return;
  mpfr_ptr f = mp_next(cx);
  mp_set(w, f, 0, factor, text);
  ACC((__mpfr_struct *)dst, to, MUL(f, v));
}

static void mp_clear_adjoints(ad_workspace *w) {
  mp_zero(w, w->adjoint, 0, w->p->size);
}

static void mp_seed_adjoint(ad_workspace *w, size_t at, double seed, const char *text) {
  mpfr_ptr sum = (__mpfr_struct *)w->adjoint + at;
  if (mpfr_zero_p(sum) || !text) {
    if (mpfr_zero_p(sum))
      mp_set(w, w->adjoint, at, seed, text);
    else
      mpfr_add_d(sum, sum, seed, MPFR_RNDN);
    return;
  }
  mpfr_t exact;
  mpfr_init2(exact, mpfr_get_prec(sum));
  ad_number_mpfr(exact, text);
  mpfr_add(sum, sum, exact, MPFR_RNDN);
  mpfr_clear(exact);
}

static size_t mp_number_bytes(const ad_workspace *w) {
  return (size_t)plane_bytes(1, w->options.precision);
}

static void *mp_plane(const ad_workspace *w, size_t count) {
  return new_plane(count, w->options.precision);
}

static void mp_add_multiples(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, size_t count,
                             const void *factor, size_t at) {
  mp_state *cx = w->state;
  V f = (const __mpfr_struct *)factor + at;
  for (size_t i = 0; i < count; i++) {
    V x = LD((const __mpfr_struct *)src, from + i);
    if (!IS_ZERO(x)) ACC((__mpfr_struct *)dst, to + i, MUL(x, f));
  }
}

#include "exec/series.inc"

/* Lanes are planes; a sweep forwards computes a partial once for all of them. */
static uint32_t mp_bundle_width(uint64_t wanted) {
  return wanted < 1 ? 1 : wanted > 8 ? 8 : (uint32_t)wanted;
}

static ad_status mp_bundle_open(ad_workspace *w, ad_bundle *b, ad_error *e) {
  size_t n;
  b->element = 1;
  b->lane = w->p->size;
  if (__builtin_mul_overflow((size_t)w->p->size, (size_t)b->width, &n) || !(b->number = mp_plane(w, n)))
    return ad_fail_memory(e);
  return AD_OK;
}

static void mp_bundle_forward(ad_workspace *w, ad_bundle *b) {
  void *const tangent = w->tangent;
  const uint32_t directions = w->options.directions;
  w->tangent = b->number;
  w->options.directions = b->width;
  mp_sweep_forward(w);
  w->tangent = tangent;
  w->options.directions = directions;
}

static void mp_bundle_reverse(ad_workspace *w, ad_bundle *b) {
  void *const adjoint = w->adjoint;
  for (uint32_t k = 0; k < b->width; k++) {
    w->adjoint = (__mpfr_struct *)b->number + k * b->lane;
    mp_sweep_reverse(w);
    mp_zero(w, w->adjoint, w->p->input_size, w->p->size - w->p->input_size);
  }
  w->adjoint = adjoint;
}

const ad_engine ad_engine_mpfr = {
    .kind = AD_KIND_MPFR,
    .bytes = mp_bytes,
    .open = mp_open,
    .close = mp_close,
    .set = mp_set,
    .set_doubles = mp_set_doubles,
    .clear_adjoints = mp_clear_adjoints,
    .seed_adjoint = mp_seed_adjoint,
    .at = mp_at,
    .zero = mp_zero,
    .copy = mp_copy,
    .add_scaled = mp_add_scaled,
    .number_bytes = mp_number_bytes,
    .plane = mp_plane,
    .add_multiples = mp_add_multiples,
    .primal = mp_sweep_primal,
    .forward = mp_sweep_forward,
    .reverse = mp_sweep_reverse,
    .taylor = mp_sweep_taylor,
    .diagnose = mp_sweep_diagnose,
    .bundle_width = mp_bundle_width,
    .bundle_open = mp_bundle_open,
    .bundle_forward = mp_bundle_forward,
    .bundle_reverse = mp_bundle_reverse,
};
