#include "verify/digits.h"

#include <float.h>
#include <math.h>

#include "error.h"
#include "exec/ball.h"
#include "mem.h"
#include "verify/enclose.h"

enum {
  ALL_DIGITS = 17,
  TRUTH_BITS = 64,         /* a ball is the truth when its midpoint is right to this */
  HOPELESS_PRECISION = 768 /* a ball that is not finite here stays so, as on edges */
};

void ad_digits_measure(double d, mpfr_srcptr x, double *ulps, double *digits) {
  *ulps = 0;
  *digits = ALL_DIGITS;
  if (!mpfr_number_p(x)) return;
  if (!isfinite(d)) {
    *ulps = INFINITY;
    *digits = 0;
    return;
  }
  mpfr_t gap;
  mpfr_init2(gap, mpfr_get_prec(x));
  mpfr_sub_d(gap, x, d, MPFR_RNDN);
  double nearest = fabs(mpfr_get_d(x, MPFR_RNDN));
  double ulp = nearest < DBL_MIN ? 0x1p-1074 : nextafter(nearest, INFINITY) - nearest;
  if (!isfinite(ulp)) ulp = ldexp(1, DBL_MAX_EXP - DBL_MANT_DIG);
  *ulps = fabs(mpfr_get_d(gap, MPFR_RNDN)) / ulp;
  if (!mpfr_zero_p(gap)) {
    mpfr_div(gap, gap, x, MPFR_RNDN);
    double relative = fabs(mpfr_get_d(gap, MPFR_RNDN));
    *digits = relative > 0 ? fmin(ALL_DIGITS, fmax(0, -log10(relative))) : ALL_DIGITS;
  }
  mpfr_clear(gap);
}

/* ---- One number, its truth and what double has for it */

typedef struct kept {
  double digits, ulps, error; /* digits nan: the truth is not finite */
} kept;

static kept judge(const double *d, size_t count, mpfr_srcptr x) {
  kept k = {NAN, NAN, 0};
  if (!mpfr_number_p(x)) return k;
  const bool zero = !mpfr_regular_p(x);
  k.digits = ALL_DIGITS;
  if (!zero) k.ulps = 0;
  for (size_t i = 0; i < count; i++) {
    double ulps, digits;
    ad_digits_measure(d[i], x, &ulps, &digits);
    if (!zero || !isfinite(d[i]))
      k.digits = fmin(k.digits, digits);
    else
      k.error = fmax(k.error, fabs(d[i]));
    if (!zero || !isfinite(d[i])) k.ulps = fmax(k.ulps, ulps);
  }
  return k;
}

typedef enum answer { OPEN, KNOWN, HOPELESS } answer;

/* Whether the ball tells the truth, which goes to x; what may be 0 and is less than a double shows is 0. */
static answer tells(mpfr_ptr x, arb_srcptr ball) {
  if (ad_enclosed_nothing(ball) && arb_contains_zero(ball))
    mpfr_set_zero(x, 1);
  else if (arb_is_finite(ball) && arb_rel_accuracy_bits(ball) >= TRUTH_BITS)
    arf_get_mpfr(x, arb_midref(ball), MPFR_RNDN);
  else
    return arb_is_finite(ball) || mpfr_get_prec(x) < HOPELESS_PRECISION ? OPEN : HOPELESS;
  return KNOWN;
}

/* ---- All of them.  Values and entries come one after the other, at each precision those that are still unknown. */

typedef struct tally {
  ad_check_report *report;
  const ad_comparison *c;
  const ad_workspace *tape; /* values in double */
  double *ulps, *digits;    /* of each entry */
  uint8_t *state;           /* of each row, then of each entry: answer */
} tally;

static void take(double *digits, double *error, kept k) {
  if (isnan(k.digits)) return;
  *digits = isnan(*digits) ? k.digits : fmin(*digits, k.digits);
  *error = fmax(*error, k.error);
}

static void take_value(tally *t, size_t row, mpfr_srcptr x) {
  size_t which, element;
  ad_compare_locate(t->c, false, row, &which, &element);
  ad_span v = ad_workspace_value(t->tape, t->c->output[which]);
  const double d = ad_span_double(&v, element);
  ad_check_output *o = &t->report->output[which];
  take(&o->value_digits, &o->value_error, judge(&d, 1, x));
  t->state[row] = KNOWN;
}

static void take_entry(tally *t, size_t k, mpfr_srcptr x) {
  const ad_comparison *c = t->c;
  const double d[2] = {c->dual[k], c->tape[k]};
  const kept got = judge(d, 2, x);
  t->ulps[k] = got.ulps;
  t->digits[k] = got.digits;
  t->state[c->rows + k] = KNOWN;
  if (c->cls[k] != AD_ENTRY_AGREES) return;
  t->report->min_digits = fmin(t->report->min_digits, isnan(got.digits) ? ALL_DIGITS : got.digits);
  const ad_vector *v = &c->weight[k % c->weight_count];
  if (v->count != 1) return;
  size_t which, element;
  ad_compare_locate(c, false, v->index[0], &which, &element);
  ad_check_output *o = &t->report->output[which];
  take(&o->derivative_digits, &o->derivative_error, got);
}

static size_t open_ones(const tally *t, size_t first, size_t end) {
  size_t n = 0;
  for (size_t i = first; i < end; i++) n += t->state[i] == OPEN;
  return n;
}

/* What the balls of one precision tell. */
static ad_status ask_balls(tally *t, uint32_t precision, bool *refused, ad_error *e) {
  ad_comparison c = *t->c;
  c.precision = precision;
  const bool entries = open_ones(t, c.rows, c.rows + c.entries) > 0, forward = c.direction_count < c.weight_count;
  arb_ptr ball = entries ? ad_balls_new(c.entries) : NULL;
  if (entries && !ball) return ad_fail_memory(e);
  ad_workspace *w = NULL;
  ad_status s = ad_enclose_open(&w, &c, entries && forward, entries && !forward, e);
  *refused = !w;
  mpfr_t x;
  mpfr_init2(x, precision);
  for (size_t i = 0; !s && w && i < c.rows; i++) {
    size_t which, element;
    if (t->state[i] != OPEN) continue;
    ad_compare_locate(&c, false, i, &which, &element);
    ad_span v = ad_workspace_value(w, c.output[which]);
    t->state[i] = (uint8_t)tells(x, ad_ball_at(&v, element));
    if (t->state[i] == KNOWN) take_value(t, i, x);
  }
  if (!s && w && entries) s = (forward ? ad_compare_forward : ad_compare_reverse)(&c, w, (ad_results){.ball = ball}, e);
  for (size_t k = 0; !s && w && entries && k < c.entries; k++) {
    uint8_t *state = &t->state[c.rows + k];
    if (*state != OPEN) continue;
    *state = (uint8_t)tells(x, ball + k);
    if (*state == KNOWN) take_entry(t, k, x);
  }
  mpfr_clear(x);
  ad_workspace_free(w);
  ad_balls_free(ball, c.entries);
  return s;
}

/* Where there are balls, what they leave open is unknown: MPFR at the highest precision may have lost it, as double
 * has. */
static void give_up(tally *t) {
  const ad_comparison *c = t->c;
  for (size_t i = 0; i < c->rows; i++) {
    if (t->state[i] != OPEN) continue;
    t->report->unknown_digits++;
    t->state[i] = KNOWN;
  }
  for (size_t k = 0; k < c->entries; k++) {
    if (t->state[c->rows + k] != OPEN && c->cls[k] != AD_ENTRY_UNDECIDED) continue;
    t->report->unknown_digits++;
    t->ulps[k] = t->digits[k] = NAN;
    t->state[c->rows + k] = KNOWN;
  }
}

/* The rest is what MPFR gave. */
static ad_status ask_mpfr(tally *t, ad_error *e) {
  const ad_comparison *c = t->c;
  for (size_t k = 0; k < c->entries; k++)
    if (t->state[c->rows + k] != KNOWN) take_entry(t, k, c->reverse + k);
  size_t rest = 0;
  for (size_t i = 0; i < c->rows; i++) rest += t->state[i] != KNOWN;
  if (!rest) return AD_OK;
  ad_workspace *w = NULL;
  ad_workspace_options o = {.precision = c->precision};
  ad_status s = ad_workspace_new(&w, c->program, ad_backend_find("mpfr"), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(w, c->point, e);
  if (!s) s = ad_workspace_primal(w, e);
  for (size_t i = 0; !s && i < c->rows; i++) {
    size_t which, element;
    if (t->state[i] == KNOWN) continue;
    ad_compare_locate(c, false, i, &which, &element);
    ad_span v = ad_workspace_value(w, c->output[which]);
    take_value(t, i, (const __mpfr_struct *)v.data + element);
  }
  ad_workspace_free(w);
  return s;
}

ad_status ad_digits_kept(ad_check_report *r, const ad_comparison *c, double *ulps, double *digits, ad_error *e) {
  ad_workspace *w = NULL;
  ad_workspace_options o = {0};
  const size_t all = c->rows + c->entries;
  tally t = {r, c, NULL, ulps, digits, ad_calloc(all, 1)};
  r->min_digits = ALL_DIGITS;
  r->output_count = c->output_count;
  r->output = ad_calloc(c->output_count, sizeof *r->output);
  ad_status s = t.state && r->output ? AD_OK : ad_fail_memory(e);
  for (size_t i = 0; !s && i < c->output_count; i++) r->output[i].value_digits = r->output[i].derivative_digits = NAN;
  if (!s) s = ad_workspace_new(&w, c->program, ad_backend_find("tape"), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(w, c->point, e);
  if (!s) s = ad_workspace_primal(w, e);
  t.tape = w;
  bool refused = false;
  for (size_t k = 0; !s && k < c->entries; k++) /* on kinks and edges enclosures say little */
    if (c->cls[k] != AD_ENTRY_AGREES) t.state[c->rows + k] = HOPELESS;
  for (uint32_t p = c->precision; !s && !refused && open_ones(&t, 0, all); p *= 2) {
    s = ask_balls(&t, p, &refused, e);
    if (p > c->top / 2) break;
  }
  if (!s && !refused) give_up(&t);
  if (!s) s = ask_mpfr(&t, e);
  for (size_t i = 0; !s && i < c->output_count; i++)
    if (!isnan(r->output[i].value_digits)) r->min_digits = fmin(r->min_digits, r->output[i].value_digits);
  ad_workspace_free(w);
  ad_free(t.state);
  return s;
}
