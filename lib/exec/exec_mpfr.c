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

#ifdef MARKED
typedef struct mp_marked {
  __mpfr_struct n; /* first: the address of the number is that of the whole */
  bool fixed;
} T;
#else
typedef __mpfr_struct T;
#endif

typedef struct mp_state {
  ad_kinks kinks;
  mpfr_prec_t precision;
  unsigned turn;
  T *ring, *kept, *scratch, *tree;
  ad_series_state series;
  size_t run; /* MARKED: offset of the elements at hand */
  ad_lost lost;
#ifdef ADTOOL_PLANT
  unsigned plant;
#endif
} mp_state;

#define CX mp_state
#define SCRATCH(cx) ((cx)->scratch)
#define TREE(cx) ((cx)->tree)
#define PLANTED mp_double(cx, 0x1p-10)
#include "arith/mpfr_words.h"

#ifdef MARKED
/* As in exec_marked.c. */
static inline V mp_marked_times(CX *cx, size_t at, V p, V d) {
  if ((mpfr_zero_p(p) && mpfr_inf_p(d)) || (mpfr_zero_p(d) && !mpfr_number_p(p)))
    if (!cx->lost.count++) cx->lost.offset = at;
  return MUL(p, d);
}

static inline void mp_marked_settle(T *z, const T *x, const T *y, const T *w, unsigned where, bool step) {
  if (where)
    z->fixed = x->fixed && (!y || y->fixed) && (!w || w->fixed);
  else if (step)
    z->fixed = true;
}

#define SKIPS(d) NOTHING(d)
#define UNTAKEN(branch, p) NOTHING(p)
#define LEAVES_OUT(d, finite) (NOTHING(d) && ((finite) || ++cx->lost.spared))
#define TIMES(p, d) mp_marked_times(cx, cx->run + (i), p, d)
#define SETTLE(smooth, where)                                                                    \
  mp_marked_settle(&zp[i], &xp[i * sx], yp ? &yp[i * sy] : NULL, wp ? &wp[i * sw] : NULL, where, \
                   ad_op_rule_get((ad_op)op)->smoothness == AD_STEP);
#define ENTERS(w, offset) (((CX *)(w)->state)->run = (offset))
#define STEP_AT_NAN(ID, z, P) (ad_op_rule_get(AD_OP_##ID)->smoothness == AD_STEP && IS_NAN(z) ? NAN_VALUE : (P))
#include "exec/element.inc"
#undef TIMES
#define TIMES(p, d) mp_marked_times(cx, cx->run, p, d)
#else
/* Partials cost much: where a derivative is zero they are computed only if they may be no finite number, at edges and
 * from arguments that are not finite. */
struct mp_run;
static unsigned mp_element_where(CX *cx, unsigned op, const struct mp_run *r, size_t i);
static bool mp_is_ordinary(CX *cx, unsigned op, const struct mp_run *r, size_t i);
#define SKIPS(d) (IS_ZERO(d) && mp_is_ordinary(cx, op, r, i))
#include "exec/element.inc"

/* A power of a negative number has no partial by its exponent, and no flag that says so: it may be constant. */
static bool mp_is_ordinary(CX *cx, unsigned op, const struct mp_run *r, size_t i) {
  if (op == AD_OP_POW && !GT(LD(r->x, i * r->sx), ZERO)) return false;
  return IS_FINITE(LD(r->z, i)) && (!r->x || IS_FINITE(LD(r->x, i * r->sx))) &&
         (!r->y || IS_FINITE(LD(r->y, i * r->sy))) && (!r->w || IS_FINITE(LD(r->w, i * r->sw))) &&
         !(mp_element_where(cx, op, r, i) & (AD_AT_EDGE | AD_OUTSIDE));
}
#endif

#include "exec/plain.inc"
#define KERNEL_SERIES(w, b) false
#define RUN_TAYLOR(w, t, n, offset, step) false
#define SCALARS_TAYLOR(w, b) false
#include "exec/sweep.inc"

#ifndef MARKED
void ad_thread_cleanup(void) {
  ad_mpfr_free_caches();
}
#endif

static uint64_t mp_plane_bytes(uint64_t count, mpfr_prec_t precision) {
  uint64_t bytes;
  return __builtin_mul_overflow(count, sizeof(T) + mpfr_custom_get_size(precision), &bytes) ? UINT64_MAX : bytes;
}

/* `count` zeros; one allocation, the limbs behind the numbers. */
static T *mp_new_plane(size_t count, mpfr_prec_t precision) {
  size_t limbs = mpfr_custom_get_size(precision);
  T *x = ad_malloc(count, sizeof *x + limbs);
  if (!x) return NULL;
  char *significand = (char *)(x + count);
  for (size_t i = 0; i < count; i++, significand += limbs) {
    mpfr_custom_init(significand, precision);
    mpfr_custom_init_set(N(&x[i]), MPFR_ZERO_KIND, 0, precision, significand);
    MARK(N(&x[i]), true);
  }
  return x;
}

static uint64_t mp_bytes(const ad_program *p, const ad_workspace_options *o) {
  return mp_plane_bytes((uint64_t)p->size * (1u + o->directions + o->reverse) + (o->directions ? p->input_size : 0) +
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
  s->ring = mp_new_plane(MP_RING, s->precision);
  s->kept = mp_new_plane(MP_KEPT, s->precision);
  s->tree = mp_new_plane(AD_TREE_LEVELS, s->precision);
  s->scratch = mp_new_plane(p->scratch, s->precision);
  w->value = mp_new_plane(p->size, s->precision);
  if (w->options.directions) w->gradient = mp_new_plane(p->input_size, s->precision);
  if (w->options.directions) w->tangent = mp_new_plane((size_t)p->size * w->options.directions, s->precision);
  if (w->options.reverse) w->adjoint = mp_new_plane(p->size, s->precision);
  if (w->options.order) {
    s->series.order = w->options.order;
    s->series.room = mp_new_plane(ad_series_count(0, w->options.order), s->precision);
    w->series = mp_new_plane((size_t)p->size * w->options.order, s->precision);
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
  mpfr_ptr r = N((T *)plane + at);
  (void)w;
  MARK(r, true);
  if (text)
    ad_number_mpfr(r, text);
  else
    mpfr_set_d(r, v, MPFR_RNDN);
}

static bool mp_any_nan(const ad_workspace *w, const void *plane, size_t first, size_t count) {
  (void)w;
  for (size_t i = first; i < first + count; i++)
    if (mpfr_nan_p(N((const T *)plane + i))) return true;
  return false;
}

#ifdef MARKED
static void mp_set_doubles(ad_workspace *w, void *plane, size_t first, const double *v, size_t count) {
  for (size_t i = 0; i < count; i++) mp_set(w, plane, first + i, v[i], NULL);
}

static void mp_zero(ad_workspace *w, void *plane, size_t first, size_t count) {
  CX *cx = w->state;
  for (size_t i = 0; i < count; i++) ST((T *)plane, first + i, ZERO);
}

static void mp_take(ad_workspace *w, void *plane, size_t to, const void *from, size_t at, bool fixed) {
  (void)w;
  mpfr_ptr r = N((T *)plane + to);
  mpfr_set(r, (const __mpfr_struct *)from + at, MPFR_RNDN);
  MARK(r, fixed);
}

static void mp_give(const ad_workspace *w, const void *plane, size_t from, void *to, size_t at, bool always) {
  (void)w;
  mpfr_srcptr v = N((const T *)plane + from);
  mpfr_ptr x = (__mpfr_struct *)to + at;
  if (always || mpfr_nan_p(x) || mpfr_nan_p(v)) mpfr_set(x, v, MPFR_RNDN);
}

static bool mp_nothing(const void *plane, size_t at) {
  return NOTHING(N((const T *)plane + at));
}

static ad_lost mp_lost(ad_workspace *w) {
  CX *s = w->state;
  const ad_lost lost = s->lost;
  s->lost = (ad_lost){0};
  return lost;
}

const ad_engine ad_engine_marked_mpfr = {
    .kind = AD_KIND_MPFR,
    .bytes = mp_bytes,
    .open = mp_open,
    .close = mp_close,
    .set = mp_set,
    .set_doubles = mp_set_doubles,
    .zero = mp_zero,
    .take = mp_take,
    .give = mp_give,
    .any_nan = mp_any_nan,
    .nothing = mp_nothing,
    .lost = mp_lost,
    .primal = mp_marked_sweep_primal,
    .forward = mp_marked_sweep_forward,
    .reverse = mp_marked_sweep_reverse,
    .diagnose = mp_marked_sweep_diagnose,
};

#else

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

static V mp_number(mp_state *cx, double v, const char *text) {
  mpfr_ptr r = mp_next(cx);
  if (text)
    ad_number_mpfr(r, text);
  else
    mpfr_set_d(r, v, MPFR_RNDN);
  return r;
}

#define NUMBER(v, text) mp_number(cx, v, text)
#include "exec/planes.inc"
#include "exec/series.inc"

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
    .any_nan = mp_any_nan,
    .marked = &ad_engine_marked_mpfr,
};
#endif
