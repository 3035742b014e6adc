#include "verify/enclose.h"

#include "error.h"
#include "exec/ball.h"
#include "mem.h"

enum { LANES = 4 }; /* so that balls take no more memory than the run in MPFR did */

bool ad_enclosed_nothing(arb_srcptr x) {
  mag_t most;
  mag_init(most);
  arb_get_mag(most, x);
  const bool nothing = mag_cmp_2exp_si(most, AD_UNSEEN_EXPONENT) < 0;
  mag_clear(most);
  return nothing;
}

static void forget(arb_ptr x, size_t count) {
  for (size_t k = 0; x && k < count; k++) arb_indeterminate(x + k);
}

ad_status ad_enclose_open(ad_workspace **w, const ad_comparison *c, bool forward, bool reverse, ad_error *e) {
  ad_error why;
  ad_workspace_options o = {.precision = c->precision, .reverse = reverse};
  if (forward) o.directions = c->direction_count < LANES ? (uint32_t)c->direction_count : LANES;
  *w = NULL;
  ad_status s = ad_workspace_new(w, c->program, &ad_backend_ball, &o, &why);
  if (s == AD_ELIMIT) return AD_OK;
  if (s) *e = why;
  if (!s && c->point) s = ad_workspace_set_point(*w, c->point, e);
  return s ? s : ad_workspace_primal(*w, e);
}

ad_status ad_enclose(const ad_comparison *c, arb_ptr forward, arb_ptr reverse, ad_error *e) {
  ad_workspace *w;
  ad_status s = ad_enclose_open(&w, c, forward != NULL, reverse != NULL, e);
  if (!s && !w) {
    forget(forward, c->entries);
    forget(reverse, c->entries);
  }
  if (!s && w && forward) s = ad_compare_forward(c, w, (ad_results){.ball = forward}, e);
  if (!s && w && reverse) s = ad_compare_reverse(c, w, (ad_results){.ball = reverse}, e);
  ad_workspace_free(w);
  return s;
}

static bool apart(arb_srcptr a, arb_srcptr b) {
  return arb_is_finite(a) && arb_is_finite(b) && !arb_overlaps(a, b);
}

ad_status ad_enclose_contradiction(const ad_comparison *c, bool *proved, ad_error *e) {
  arb_ptr forward = ad_balls_new(c->entries), reverse = ad_balls_new(c->entries);
  ad_status s = forward && reverse ? ad_enclose(c, forward, reverse, e) : ad_fail_memory(e);
  *proved = false;
  for (size_t k = 0; !s && k < c->entries; k++) *proved = *proved || apart(forward + k, reverse + k);
  ad_balls_free(forward, c->entries);
  ad_balls_free(reverse, c->entries);
  return s;
}

/* ---- Segments */

static ad_ball *cell_of(const ad_comparison *c, ad_workspace *w, size_t index) {
  size_t which, element;
  ad_compare_locate(c, true, index, &which, &element);
  return (ad_ball *)ad_workspace_input_data(w, ad_program_wrt(c->program, which)) + element;
}

/* Puts the inputs of the direction at base + side h v (side 1 or -1), at base (0), or all over the segment (2). Returns
 * whether the ends are exact. */
static bool put(const ad_comparison *c, ad_workspace *w, const ad_vector *v, arb_srcptr base, slong h, int side) {
  const slong precision = w->options.precision;
  bool exact = true;
  arb_t x, step;
  arb_init(x);
  arb_init(step);
  for (size_t i = 0; i < v->count; i++) {
    arb_set_d(step, v->value[i]);
    arb_mul_2exp_si(step, step, h);
    arb_set(x, base + i);
    if (side == 2)
      arb_add_error(x, step);
    else if (side)
      side > 0 ? arb_add(x, x, step, precision) : arb_sub(x, x, step, precision);
    exact = exact && arb_is_exact(x);
    ad_ball_store(cell_of(c, w, v->index[i]), x, precision);
  }
  arb_clear(step);
  arb_clear(x);
  return exact;
}

/* Adds or subtracts the outputs, contracted with every weight. */
static void add_outputs(const ad_comparison *c, const ad_workspace *w, int sign, arb_ptr sum) {
  arb_t u;
  arb_init(u);
  for (size_t j = 0; j < c->weight_count; j++)
    for (size_t i = 0; i < c->weight[j].count; i++) {
      size_t which, element;
      ad_compare_locate(c, false, c->weight[j].index[i], &which, &element);
      ad_span z = ad_workspace_value(w, c->output[which]);
      arb_set_d(u, sign * c->weight[j].value[i]);
      arb_addmul(sum + j, ad_ball_at(&z, element), u, w->options.precision);
    }
  arb_clear(u);
}

ad_status ad_enclose_segment(ad_segment *out, const ad_comparison *c, ad_workspace *w, size_t direction, ad_error *e) {
  const ad_vector *v = &c->direction[direction];
  ad_comparison one = *c;
  one.direction = &c->direction[direction];
  one.direction_count = 1;
  arb_ptr base = ad_balls_new(v->count);
  if (!base) return ad_fail_memory(e);
  for (size_t i = 0; i < v->count; i++) arb_set(base + i, &cell_of(c, w, v->index[i])->ball);
  /* As in ad_compare_difference: the step is 2^(-p/3), on a unit direction of the input's own scale. */
  slong h = -(slong)w->options.precision / 3;
  if (v->count == 1 && arf_is_normal(arb_midref(base))) h += arf_abs_bound_lt_2exp_si(arb_midref(base));
  for (size_t j = 0; j < c->weight_count; j++) arb_zero(out->difference + j);
  out->decided = true;
  ad_status s = AD_OK;
  for (int side = 1; !s && side >= -1; side -= 2) {
    out->decided = put(c, w, v, base, h, side) && out->decided;
    s = ad_workspace_primal(w, e);
    if (!s) add_outputs(c, w, side, out->difference);
  }
  for (size_t j = 0; j < c->weight_count; j++) arb_mul_2exp_si(out->difference + j, out->difference + j, -h - 1);
  put(c, w, v, base, h, 2);
  if (!s) s = ad_workspace_primal(w, e);
  out->decided = out->decided && !ad_ball_undecided(w);
  if (!s) s = ad_compare_forward(&one, w, (ad_results){.ball = out->forward}, e);
  if (!s) s = ad_compare_reverse(&one, w, (ad_results){.ball = out->reverse}, e);
  put(c, w, v, base, h, 0);
  ad_balls_free(base, v->count);
  return s;
}
