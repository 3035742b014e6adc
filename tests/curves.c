#include "curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exec/workspace.h"
#include "suite.h"

mpfr_srcptr curves_coefficient(const ad_workspace *w, uint32_t j, ad_node n, size_t element) {
  const ad_span s = ad_workspace_coefficient(w, j, n);
  ck_assert_int_eq(s.kind, AD_KIND_MPFR);
  ck_assert_uint_lt(element, s.count);
  return (const __mpfr_struct *)s.data + element;
}

enum { DIFFERENCE_ORDER = 4, CURVE = 3, STEP_BITS = 150, DIFFERENCE_BITS = 1300, AGREE_BITS = 70 };

void curves_seed(ad_workspace *w, uint64_t seed) {
  const ad_graph *g = w->p->graph;
  ulps_random random = {seed};
  ad_workspace_clear_seeds(w);
  for (size_t k = 0; k < w->p->wrt_count; k++) {
    const size_t n = (size_t)ad_shape_size(ad_graph_node_shape(g, w->p->wrt[k]));
    for (size_t i = 0; i < n; i++)
      for (uint32_t j = 1; j <= CURVE && j <= w->options.order; j++)
        must(ad_workspace_seed_coefficient(w, j, w->p->wrt[k], i, ulps_random_uniform(&random, -1, 1), &graphs_error));
  }
}

/* Moves the inputs of a workspace without series from x(0) to x(step 2^-STEP_BITS). */
static void move_along(ad_workspace *w, uint64_t seed, unsigned step) {
  const ad_graph *g = w->p->graph;
  ulps_random random = {seed};
  mpfr_t t;
  mpfr_init2(t, DIFFERENCE_BITS);
  for (size_t k = 0; k < w->p->wrt_count; k++) {
    const size_t n = (size_t)ad_shape_size(ad_graph_node_shape(g, w->p->wrt[k]));
    __mpfr_struct *x = ad_workspace_input_data(w, w->p->wrt[k]);
    for (size_t i = 0; i < n; i++)
      for (int j = 1; j <= CURVE; j++) {
        mpfr_set_d(t, ulps_random_uniform(&random, -1, 1), MPFR_RNDN);
        mpfr_mul_2si(t, t, -STEP_BITS * j, MPFR_RNDN);
        for (int p = 0; p < j; p++) mpfr_mul_ui(t, t, step, MPFR_RNDN);
        mpfr_add(&x[i], &x[i], t, MPFR_RNDN);
      }
  }
  mpfr_clear(t);
}

static void count_unsure(void *context, ad_node n, size_t element, unsigned flags) {
  (void)n, (void)element;
  *(size_t *)context += (flags & (AD_AT_KINK | AD_AT_EDGE | AD_OUTSIDE | AD_MADE_NAN | AD_MADE_INF)) != 0;
}

void curves_check_differences(const ad_graph *g, ad_node z, uint64_t seed, const char *what) {
  const size_t n = (size_t)ad_shape_size(ad_graph_node_shape(g, z));
  graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.precision = 300, .order = DIFFERENCE_ORDER});
  size_t unsure = 0;
  ad_workspace_diagnose(r.w, count_unsure, &unsure);
  if (unsure) {
    graphs_end(&r);
    return;
  }
  curves_seed(r.w, seed);
  must(ad_workspace_taylor(r.w, &graphs_error));
  __mpfr_struct *f = malloc((DIFFERENCE_ORDER + 1) * n * sizeof *f);
  for (unsigned s = 0; s <= DIFFERENCE_ORDER; s++) {
    graphs_run at = graphs_start(g, "mpfr", (ad_workspace_options){.precision = DIFFERENCE_BITS});
    move_along(at.w, seed, s);
    must(ad_workspace_primal(at.w, &graphs_error));
    const ad_span v = ad_workspace_value(at.w, z);
    for (size_t i = 0; i < n; i++) {
      mpfr_init2(&f[s * n + i], DIFFERENCE_BITS);
      mpfr_set(&f[s * n + i], (const __mpfr_struct *)v.data + i, MPFR_RNDN);
    }
    graphs_end(&at);
  }
  for (unsigned j = 1; j <= DIFFERENCE_ORDER; j++) /* f[s] becomes f[t_(s-j) ... t_s] */
    for (unsigned s = DIFFERENCE_ORDER; s >= j; s--)
      for (size_t i = 0; i < n; i++) {
        mpfr_sub(&f[s * n + i], &f[s * n + i], &f[(s - 1) * n + i], MPFR_RNDN);
        mpfr_div_ui(&f[s * n + i], &f[s * n + i], j, MPFR_RNDN);
        mpfr_mul_2si(&f[s * n + i], &f[s * n + i], STEP_BITS, MPFR_RNDN);
      }
  for (size_t i = 0; i < n; i++) {
    const mpfr_exp_t size = mpfr_regular_p(&f[i]) ? mpfr_get_exp(&f[i]) : 0;
    mpfr_exp_t largest = mpfr_get_emin();
    for (unsigned j = 1; j <= DIFFERENCE_ORDER; j++)
      if (mpfr_regular_p(&f[j * n + i]) && mpfr_get_exp(&f[j * n + i]) > largest) largest = mpfr_get_exp(&f[j * n + i]);
    for (unsigned j = 0; j <= DIFFERENCE_ORDER; j++) {
      mpfr_srcptr got = curves_coefficient(r.w, j, z, i);
      mpfr_ptr gap = &f[j * n + i];
      const double want = mpfr_get_d(gap, MPFR_RNDN);
      const mpfr_exp_t rounding = size - DIFFERENCE_BITS + STEP_BITS * (mpfr_exp_t)j + 20;
      const mpfr_exp_t scale = (j ? largest : size) - AGREE_BITS, bound = scale > rounding ? scale : rounding;
      mpfr_sub(gap, gap, got, MPFR_RNDN);
      ck_assert_msg(mpfr_zero_p(gap) || (mpfr_number_p(gap) && mpfr_get_exp(gap) < bound),
                    "%s, element %zu, coefficient %u: %.17g, by differences %.17g (seed %llu)", what, i, j,
                    mpfr_get_d(got, MPFR_RNDN), want, (unsigned long long)seed);
    }
  }
  for (size_t i = 0; i < (DIFFERENCE_ORDER + 1) * n; i++) mpfr_clear(&f[i]);
  free(f);
  graphs_end(&r);
}

/* ---- Double */

enum { DOUBLE_ORDER = 6, LOWEST_BITS = 44, DOUBLE_BITS = 53, EXACT_BITS = 300 };

/* Rounding errors of words in double, in those of MPFR's, which are half an ulp; and luck. */
static const double SLACK = 64;

static graphs_run start_curve(const ad_graph *g, const char *backend, uint32_t bits, uint64_t seed) {
  graphs_run r = graphs_start(g, backend, (ad_workspace_options){.precision = bits, .order = DOUBLE_ORDER});
  curves_seed(r.w, seed);
  must(ad_workspace_taylor(r.w, &graphs_error));
  return r;
}

/* |got - want| in units of 2^-bits. */
static double gap_of(const ad_span *got, size_t i, mpfr_srcptr want, int bits) {
  mpfr_t gap;
  mpfr_init2(gap, EXACT_BITS);
  if (got->kind == AD_KIND_F64)
    mpfr_set_d(gap, ad_span_double(got, i), MPFR_RNDN);
  else
    mpfr_set(gap, (const __mpfr_struct *)got->data + i, MPFR_RNDN);
  mpfr_sub(gap, gap, want, MPFR_RNDN);
  mpfr_mul_2si(gap, gap, bits, MPFR_RNDN);
  const double d = fabs(mpfr_get_d(gap, MPFR_RNDA));
  mpfr_clear(gap);
  return d;
}

void curves_check_double(const ad_graph *g, ad_node z, uint64_t seed, const char *what) {
  const size_t n = (size_t)ad_shape_size(ad_graph_node_shape(g, z));
  graphs_run exact = start_curve(g, "mpfr", EXACT_BITS, seed), got = start_curve(g, "tape", 0, seed);
  double *unit = calloc((DOUBLE_ORDER + 1) * n + 1, sizeof *unit);
  for (uint32_t bits = LOWEST_BITS; bits <= DOUBLE_BITS; bits++) {
    graphs_run low = start_curve(g, "mpfr", bits, seed);
    for (uint32_t j = 0; j <= DOUBLE_ORDER; j++) {
      const ad_span c = ad_workspace_coefficient(low.w, j, z);
      for (size_t i = 0; i < n; i++)
        unit[j * n + i] = fmax(unit[j * n + i], gap_of(&c, i, curves_coefficient(exact.w, j, z, i), (int)bits));
    }
    graphs_end(&low);
  }
  for (uint32_t j = 0; j <= DOUBLE_ORDER; j++) {
    const ad_span c = ad_workspace_coefficient(got.w, j, z);
    for (size_t i = 0; i < n; i++) {
      mpfr_srcptr want = curves_coefficient(exact.w, j, z, i);
      const double d = ad_span_double(&c, i), w = mpfr_get_d(want, MPFR_RNDN), size = fabs(w);
      if (!isfinite(unit[j * n + i]) || !isfinite(w) || size > 0x1p1000 || size < 0x1p-1000) continue;
      const double off = gap_of(&c, i, want, DOUBLE_BITS), bound = SLACK * fmax(unit[j * n + i], size);
      ck_assert_msg(off <= bound, "%s, element %zu, coefficient %u in double: %.17g, not %.17g: %.3g units (seed %llu)",
                    what, i, j, d, w, off / fmax(unit[j * n + i], size), (unsigned long long)seed);
    }
  }
  free(unit);
  graphs_end(&got);
  graphs_end(&exact);
}
