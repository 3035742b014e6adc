/* Central finite differences: they use values only, no partial of the table. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "error.h"
#include "exec/workspace.h"
#include "mem.h"
#include "verify/compare.h"

/* Moves the inputs from `base` by h along the direction. */
static void move(const ad_comparison *c, ad_workspace *w, const ad_vector *d, __mpfr_struct *base, mpfr_srcptr h,
                 mpfr_ptr t) {
  for (size_t i = 0; i < d->count; i++) {
    size_t which, element;
    ad_compare_locate(c, true, d->index[i], &which, &element);
    __mpfr_struct *x = ad_workspace_input_data(w, ad_program_wrt(c->program, which));
    mpfr_mul_d(t, h, d->value[i], MPFR_RNDN);
    mpfr_add(x + element, base + i, t, MPFR_RNDN);
  }
}

void ad_compare_add_outputs(const ad_comparison *c, const ad_workspace *w, int sign, __mpfr_struct *result,
                            mpfr_ptr t) {
  for (size_t k = 0; k < c->weight_count; k++)
    for (size_t i = 0; i < c->weight[k].count; i++) {
      size_t which, element;
      ad_compare_locate(c, false, c->weight[k].index[i], &which, &element);
      ad_span z = ad_workspace_value(w, c->output[which]);
      mpfr_mul_d(t, (const __mpfr_struct *)z.data + element, sign * c->weight[k].value[i], MPFR_RNDN);
      mpfr_add(result + k, result + k, t, MPFR_RNDN);
    }
}

/* Both sides' differences become the central one, and the bend says how far they were apart. */
static void join_sides(ad_comparison *c, size_t entry, const __mpfr_struct *right, mpfr_srcptr h, mpfr_ptr t) {
  for (size_t k = 0; k < c->weight_count; k++) {
    mpfr_ptr left = c->difference + entry + k; /* f(x) - f(x - h) */
    mpfr_sub(t, right + k, left, MPFR_RNDN);
    mpfr_div(t, t, h, MPFR_RNDN);
    c->bend[entry + k] = mpfr_regular_p(t) ? (double)mpfr_get_exp(t) - 1 : -INFINITY;
    mpfr_add(left, right + k, left, MPFR_RNDN);
    mpfr_div(left, left, h, MPFR_RNDN);
    mpfr_div_2ui(left, left, 1, MPFR_RNDN);
  }
}

/* With step h the error of a central difference is O(h^2) from truncation and O(2^-p / h) from rounding, alike at
 * h = 2^(-p/3).  A unit direction carries the input's own scale in its step. */
ad_status ad_compare_difference(ad_comparison *c, ad_workspace *w, size_t direction, ad_error *e) {
  const mpfr_prec_t p = (mpfr_prec_t)c->precision;
  const ad_vector *d = &c->direction[direction];
  const size_t entry = direction * c->weight_count;
  __mpfr_struct *left = c->difference + entry, *right = ad_malloc(c->weight_count, sizeof *right);
  __mpfr_struct *base = ad_malloc(d->count, sizeof *base);
  if (!base || !right) {
    ad_free(base);
    ad_free(right);
    return ad_fail_memory(e);
  }
  mpfr_t h, minus, t;
  mpfr_inits2(p, h, minus, t, (mpfr_ptr)0);
  mpfr_set_ui_2exp(h, 1, -(mpfr_exp_t)(p / 3), MPFR_RNDN);
  for (size_t i = 0; i < d->count; i++) {
    size_t which, element;
    ad_compare_locate(c, true, d->index[i], &which, &element);
    __mpfr_struct *x = ad_workspace_input_data(w, ad_program_wrt(c->program, which));
    mpfr_init2(base + i, p);
    mpfr_set(base + i, x + element, MPFR_RNDN);
  }
  if (d->count == 1 && mpfr_regular_p(base)) mpfr_mul_2si(h, h, mpfr_get_exp(base), MPFR_RNDN);
  for (size_t k = 0; k < c->weight_count; k++) {
    mpfr_init2(right + k, p);
    mpfr_neg(right + k, c->middle + k, MPFR_RNDN);
    mpfr_set(left + k, c->middle + k, MPFR_RNDN);
  }
  move(c, w, d, base, h, t);
  ad_status s = ad_workspace_primal(w, e);
  if (!s) {
    ad_compare_add_outputs(c, w, 1, right, t);
    mpfr_neg(minus, h, MPFR_RNDN);
    move(c, w, d, base, minus, t);
    s = ad_workspace_primal(w, e);
  }
  if (!s) {
    ad_compare_add_outputs(c, w, -1, left, t);
    join_sides(c, entry, right, h, t);
  }
  mpfr_set_zero(h, 1);
  move(c, w, d, base, h, t); /* back */
  for (size_t i = 0; i < d->count; i++) mpfr_clear(base + i);
  for (size_t k = 0; k < c->weight_count; k++) mpfr_clear(right + k);
  mpfr_clears(h, minus, t, (mpfr_ptr)0);
  ad_free(base);
  ad_free(right);
  return s;
}

enum { LADDER = 24 };

/* Step 2^-k of the input's scale, k = 2 ... : truncation is bounded by the change from the step before (which shrinks
 * four times a rung while truncation rules), rounding by eps |f| / h with room for what the program itself rounds. */
ad_status ad_difference_double(double *result, double *bound, ad_workspace *w, ad_node output, ad_node input,
                               size_t element, ad_error *e) {
  AD_GIVEN(result && bound && w && input < ad_graph_input_count(w->p->graph), e);
  AD_GIVEN(element < (size_t)ad_shape_size(ad_graph_node_shape(w->p->graph, input)), e);
  ad_span out = ad_workspace_value(w, output);
  if (w->engine->kind != AD_KIND_F64 || !out.count)
    return ad_fail(e, AD_EUSAGE, "finite differences in double want a double workspace that holds the output");
  double *x = (double *)ad_workspace_input_data(w, input) + element, keep = *x;
  double *plus = ad_malloc(out.count, 2 * sizeof *plus);
  if (!plus) return ad_fail_memory(e);
  double *last = plus + out.count, scale = keep != 0 && isfinite(keep) ? fabs(keep) : 1;
  ad_status s = AD_OK;
  for (size_t i = 0; i < out.count; i++) result[i] = NAN, bound[i] = INFINITY, last[i] = NAN;
  for (int k = 2; !s && k < 2 + 2 * LADDER; k += 2) {
    double h = ldexp(scale, -k);
    volatile double up = keep + h, down = keep - h; /* the steps that are really taken */
    *x = up;
    s = ad_workspace_primal(w, e);
    if (s) break;
    memcpy(plus, out.data, out.count * sizeof *plus);
    *x = down;
    s = ad_workspace_primal(w, e);
    const double *minus = out.data;
    for (size_t i = 0; !s && i < out.count; i++) {
      double d = (plus[i] - minus[i]) / (up - down);
      double rounding = 8 * DBL_EPSILON * fmax(fabs(plus[i]), fabs(minus[i])) / h;
      double error = fabs(d - last[i]) + rounding;
      if (error < bound[i]) result[i] = d, bound[i] = error;
      last[i] = d;
    }
  }
  *x = keep;
  ad_free(plus);
  return s ? s : ad_workspace_primal(w, e);
}
