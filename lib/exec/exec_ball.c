/* The engine in balls.  Values, tangents and adjoints; no series. */
#include <math.h>
#include <mpfr.h>
#include <string.h>

#include "backends/backend.h"
#include "error.h"
#include "exec/ball.h"
#include "ir/number.h"
#include "mem.h"

enum { BL_KEPT = 4, BL_EXTREME = 3, WORD_LIMBS = 2 };

/* Exponents beyond this become infinite radii, or zeros with a radius: they grow with each product. */
static const slong MAX_EXPONENT = (slong)1 << 60;

typedef struct bl_state {
  ad_kinks kinks;
  slong precision;
  unsigned turn;
  bool partials;  /* a sweep of derivatives: a value does not depend on what is computed now */
  bool undecided; /* see ad_ball_undecided */
  arb_ptr ring, kept;
  ad_ball *scratch, *tree;
#ifdef ADTOOL_PLANT
  unsigned plant;
#endif
} bl_state;

#define CX bl_state
#define SCRATCH(cx) ((cx)->scratch)
#define TREE(cx) ((cx)->tree)
#define PLANTED bl_double(cx, 0x1p-10)
#include "arith/ball_words.h"

/* ---- Planes */

/* -1: below the least exponent, 1: above the largest. */
static int beyond(const fmpz *exponent) {
  return fmpz_cmp_si(exponent, -MAX_EXPONENT) < 0 ? -1 : fmpz_cmp_si(exponent, MAX_EXPONENT) > 0;
}

void ad_ball_store(ad_ball *cell, const arb_t x, slong precision) {
  const arf_struct *mid = arb_midref(x);
  const mag_struct *rad = arb_radref(x);
  const int wide = mag_is_special(rad) ? 0 : beyond(MAG_EXPREF(rad));
  const int far = arf_is_special(mid) ? 0 : beyond(ARF_EXPREF(mid));
  if (wide || far || arf_bits(mid) > precision) {
    arb_t t;
    arb_init(t);
    if (!far) arf_set(arb_midref(t), mid);
    if (!wide) mag_set(arb_radref(t), rad);
    if (wide > 0 || far > 0)
      arb_zero_pm_inf(t);
    else if (wide || far)
      arb_add_error_2exp_si(t, -MAX_EXPONENT + 1);
    arb_set_round(t, t, precision);
    ad_ball_store(cell, t, precision);
    arb_clear(t);
    return;
  }
  arf_struct *to = arb_midref(&cell->ball);
  const mp_size_t limbs = ARF_SIZE(mid);
  *to = *mid;
  if (limbs > WORD_LIMBS) {
    memcpy(cell->room, ARF_PTR_D(mid), (size_t)limbs * sizeof *cell->room);
    ARF_PTR_D(to) = cell->room;
  }
  *arb_radref(&cell->ball) = *rad;
}

static size_t limbs_of(slong precision) {
  return ((size_t)precision + FLINT_BITS - 1) / FLINT_BITS;
}

static uint64_t bl_plane_bytes(uint64_t count, slong precision) {
  uint64_t bytes;
  const uint64_t each = sizeof(ad_ball) + limbs_of(precision) * sizeof(mp_limb_t);
  return __builtin_mul_overflow(count, each, &bytes) ? UINT64_MAX : bytes;
}

/* `count` zeros; one allocation, the limbs behind the numbers. */
static ad_ball *bl_new_plane(size_t count, slong precision) {
  const size_t limbs = limbs_of(precision);
  ad_ball *x = ad_calloc(count, sizeof *x + limbs * sizeof(mp_limb_t));
  mp_limb_t *room = x ? (mp_limb_t *)(x + count) : NULL;
  for (size_t i = 0; x && i < count; i++) x[i].room = room + i * limbs;
  return x;
}

/* ---- Maxima of balls */

/* The enclosure of the largest or smallest; kept. */
static V bl_extreme(CX *cx, const T *x, const uint32_t *within, size_t n, bool largest) {
  V best = LD(x, within[0]);
  for (size_t r = 1; r < n; r++) best = largest ? MAX(best, LD(x, within[r])) : MIN(best, LD(x, within[r]));
  return KEEP(BL_EXTREME, best);
}

/* The partials of a maximum where several balls may hold it: between 0 and 1; false where one does, or exact numbers
 * say which do. */
static bool bl_open_ties(CX *cx, V z, const T *x, const uint32_t *within, size_t n, bool largest, T *w) {
  size_t candidates = 0;
  bool exact = true;
  V best = KEEP(BL_EXTREME, z);
  for (size_t r = 0; r < n; r++) {
    V v = LD(x, within[r]);
    const bool out = HOLDS(largest ? LT(v, best) : GT(v, best));
    ST(w, r, out ? ZERO : ONE);
    candidates += !out;
    exact = exact && arb_is_exact(v);
  }
  if (exact && !IS_NAN(best)) return false;
  V some = bl_hull(cx, ZERO, ONE);
  for (size_t r = 0; candidates > 1 && r < n; r++)
    if (!IS_ZERO(LD(w, r))) ST(w, r, IS_NAN(best) ? NAN_VALUE : some);
  return true;
}

#define OWN_EXTREME
#define OPEN_TIES bl_open_ties
/* An exact zero multiplies nothing.  Whether it is a structural one is the marked numbers' to say (exec/careful.c):
 * what they call nan is claimed by nobody. */
#define SKIPS(d) IS_ZERO(d)
#define LEAVES_OUT(d, finite) IS_ZERO(d)
#include "exec/element.inc"

#include "exec/plain.inc"
#include "exec/sweep.inc"

/* ---- The engine */

static uint64_t bl_bytes(const ad_program *p, const ad_workspace_options *o) {
  return bl_plane_bytes((uint64_t)p->size * (1u + o->directions + o->reverse) + (o->directions ? p->input_size : 0) +
                            p->scratch + AD_TREE_LEVELS + BL_RING + BL_KEPT,
                        o->precision);
}

arb_ptr ad_balls_new(size_t count) {
  arb_ptr x = ad_malloc(count, sizeof *x);
  for (size_t i = 0; x && i < count; i++) arb_init(x + i);
  return x;
}

void ad_balls_free(arb_ptr x, size_t count) {
  for (size_t i = 0; x && i < count; i++) arb_clear(x + i);
  ad_free(x);
}

static void bl_close(ad_workspace *w) {
  bl_state *s = w->state;
  if (s) {
    ad_balls_free(s->ring, BL_RING);
    ad_balls_free(s->kept, BL_KEPT);
    ad_free(s->scratch);
    ad_free(s->tree);
  }
  ad_free(s);
  ad_free(w->value);
  ad_free(w->tangent);
  ad_free(w->adjoint);
  ad_free(w->gradient);
}

static ad_status bl_open(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  const uint32_t directions = w->options.directions;
  bl_state *s = ad_calloc(1, sizeof *s);
  if (!s) return ad_fail_memory(e);
  w->state = s;
  s->kinks = w->kinks;
  s->precision = w->options.precision;
  s->ring = ad_balls_new(BL_RING);
  s->kept = ad_balls_new(BL_KEPT);
  s->tree = bl_new_plane(AD_TREE_LEVELS, s->precision);
  s->scratch = bl_new_plane(p->scratch, s->precision);
  w->value = bl_new_plane(p->size, s->precision);
  if (directions) w->gradient = bl_new_plane(p->input_size, s->precision);
  if (directions) w->tangent = bl_new_plane((size_t)p->size * directions, s->precision);
  if (w->options.reverse) w->adjoint = bl_new_plane(p->size, s->precision);
  if (!s->ring || !s->kept || !s->tree || !s->scratch || !w->value || (directions && (!w->tangent || !w->gradient)) ||
      (w->options.reverse && !w->adjoint))
    return ad_fail_memory(e);
#ifdef ADTOOL_PLANT
  s->plant = w->plant;
#endif
  return AD_OK;
}

/* A text rounded to nearest is off by less than one unit of its last bit. */
static void ball_of(arb_t r, double v, const char *text, slong precision) {
  if (!text) {
    arb_set_d(r, v);
    return;
  }
  mpfr_t near;
  mpfr_init2(near, precision);
  const bool inexact = ad_number_mpfr(near, text) != 0;
  arf_set_mpfr(arb_midref(r), near);
  mag_zero(arb_radref(r));
  if (inexact && mpfr_regular_p(near))
    arf_mag_set_ulp(arb_radref(r), arb_midref(r), precision);
  else if (inexact && mpfr_zero_p(near))
    arb_add_error_2exp_si(r, mpfr_get_emin());
  else if (inexact)
    arb_zero_pm_inf(r);
  mpfr_clear(near);
}

static void bl_set(ad_workspace *w, void *plane, size_t at, double v, const char *text) {
  bl_state *cx = w->state;
  arb_ptr r = bl_next(cx);
  ball_of(r, v, text, cx->precision);
  ST((ad_ball *)plane, at, r);
}

static void bl_seed_adjoint(ad_workspace *w, size_t at, double seed, const char *text) {
  bl_state *cx = w->state;
  arb_ptr r = bl_next(cx);
  ball_of(r, seed, text, cx->precision);
  ACC((ad_ball *)w->adjoint, at, r);
}

static void bl_primal(ad_workspace *w) {
  bl_state *s = w->state;
  s->undecided = s->partials = false;
  bl_sweep_primal(w);
  s->partials = true;
}

static V bl_number(bl_state *cx, double v, const char *text) {
  arb_ptr r = bl_next(cx);
  ball_of(r, v, text, cx->precision);
  return r;
}

#define NUMBER(v, text) bl_number(cx, v, text)
#include "exec/planes.inc"

bool ad_ball_undecided(const ad_workspace *w) {
  return ((const bl_state *)w->state)->undecided;
}

static const ad_engine engine = {
    .kind = AD_KIND_BALL,
    .bytes = bl_bytes,
    .open = bl_open,
    .close = bl_close,
    .set = bl_set,
    .set_doubles = bl_set_doubles,
    .clear_adjoints = bl_clear_adjoints,
    .seed_adjoint = bl_seed_adjoint,
    .at = bl_at,
    .zero = bl_zero,
    .copy = bl_copy,
    .add_scaled = bl_add_scaled,
    .number_bytes = bl_number_bytes,
    .plane = bl_plane,
    .add_multiples = bl_add_multiples,
    .primal = bl_primal,
    .forward = bl_sweep_forward,
    .reverse = bl_sweep_reverse,
    .diagnose = bl_sweep_diagnose,
    .bundle_width = bl_bundle_width,
    .bundle_open = bl_bundle_open,
    .bundle_forward = bl_bundle_forward,
    .bundle_reverse = bl_bundle_reverse,
};

const ad_backend ad_backend_ball = {"ball", &engine, AD_MODE_REVERSE, 1u << AD_MODE_FORWARD | 1u << AD_MODE_REVERSE,
                                    "either mode in balls that enclose the exact numbers"};
