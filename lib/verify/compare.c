#include "verify/compare.h"

#include <math.h>
#include <string.h>

#include "error.h"
#include "exec/ball.h"
#include "mem.h"
#include "verify/enclose.h"

enum {
  FIRST_PRECISION = 192,
  MAX_PRECISION = 8192,
  AGREE_BITS = 50, /* two methods agree to this, relatively ... */
  PROBES = 4,
  MAX_ENTRIES = 4096,
  MAX_WORK = 20000000,    /* MPFR operations of an entry-by-entry check */
  LANES = 8,              /* tangents carried at once */
  UNSEEN_PRECISION = 1536 /* ... and differences at this precision would show what a double does */
};

void ad_compare_locate(const ad_comparison *c, bool input, size_t k, size_t *which, size_t *element) {
  const size_t *start = input ? c->column_start : c->row_start;
  size_t lo = 0, hi = input ? ad_program_wrt_count(c->program) : c->output_count;
  while (hi - lo > 1) { /* start[lo] <= k < start[hi]; empty tensors are stepped over from the right */
    size_t mid = lo + (hi - lo) / 2;
    if (start[mid] <= k)
      lo = mid;
    else
      hi = mid;
  }
  *which = lo;
  *element = k - start[lo];
}

/* Where each of `count` nodes starts when their elements are laid end to end. */
static size_t *lay_out(const ad_graph *g, size_t count, const ad_node *node, size_t *total) {
  size_t *start = ad_malloc(count + 1, sizeof *start);
  *total = 0;
  for (size_t i = 0; start && i <= count; i++) {
    start[i] = *total;
    if (i < count) *total += (size_t)ad_shape_size(ad_graph_node_shape(g, node[i]));
  }
  return start;
}

static void free_vectors(ad_vector *v, size_t count) {
  for (size_t i = 0; v && i < count; i++) {
    ad_free(v[i].index);
    ad_free(v[i].value);
  }
  ad_free(v);
}

static void free_numbers(__mpfr_struct *x, size_t count) {
  for (size_t i = 0; x && i < count; i++) mpfr_clear(x + i);
  ad_free(x);
}

static __mpfr_struct *new_numbers(size_t count, mpfr_prec_t precision) {
  __mpfr_struct *x = ad_malloc(count, sizeof *x);
  for (size_t i = 0; x && i < count; i++) {
    mpfr_init2(x + i, precision);
    mpfr_set_zero(x + i, 1);
  }
  return x;
}

static void free_results(ad_comparison *c) {
  free_numbers(c->forward, c->entries);
  free_numbers(c->reverse, c->entries);
  free_numbers(c->difference, c->entries);
  free_numbers(c->middle, c->weight_count);
  c->forward = c->reverse = c->difference = c->middle = NULL;
}

void ad_compare_clear(ad_comparison *c) {
  free_results(c);
  free_vectors(c->weight, c->weight_count);
  free_vectors(c->direction, c->direction_count);
  ad_program_free(c->program);
  ad_free(c->output);
  ad_free(c->row_start);
  ad_free(c->column_start);
  ad_free(c->cls);
  ad_free(c->bend);
  ad_free(c->gaps);
  ad_free(c->zero);
  ad_free(c->two_sided);
  ad_free(c->dual);
  *c = (ad_comparison){0};
}

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

/* In +-[1/2, 1), 20 bits: no entry of the Jacobian is hidden, and products are exact in any precision we use. */
static double random_weight(uint64_t *state) {
  uint64_t r = next_random(state);
  double v = 0.5 + (double)(r >> 45) * 0x1p-20;
  return r & 1 ? -v : v;
}

/* Unit vectors, or random ones scaled by `scale` where it is given. */
static ad_status make_vectors(ad_vector **out, size_t count, size_t size, bool unit, const double *scale,
                              uint64_t *state, ad_error *e) {
  ad_vector *v = ad_calloc(count, sizeof *v);
  if (!v) return ad_fail_memory(e);
  *out = v;
  for (size_t i = 0; i < count; i++) {
    v[i].count = unit ? 1 : size;
    v[i].index = ad_malloc(v[i].count, sizeof *v[i].index);
    v[i].value = ad_malloc(v[i].count, sizeof *v[i].value);
    if (!v[i].index || !v[i].value) return ad_fail_memory(e);
    for (size_t k = 0; k < v[i].count; k++) {
      v[i].index[k] = unit ? i : k;
      v[i].value[k] = unit ? 1 : random_weight(state) * (scale ? scale[k] : 1);
    }
  }
  return AD_OK;
}

/* Powers of two near the inputs' sizes, so that a probe moves every input by a like share of itself. */
static double *input_scales(const ad_comparison *c, const ad_workspace *w) {
  double *scale = ad_malloc(c->columns, sizeof *scale);
  for (size_t i = 0, k = 0; scale && i < ad_program_wrt_count(c->program); i++) {
    ad_span x = ad_workspace_value(w, ad_program_wrt(c->program, i));
    for (size_t j = 0; j < x.count; j++) {
      double v = ad_span_double(&x, j);
      int exponent = 0;
      if (v != 0 && isfinite(v)) frexp(v, &exponent);
      scale[k++] = ldexp(1, exponent);
    }
  }
  return scale;
}

static ad_status open_workspace(ad_workspace **w, const ad_comparison *c, const char *backend, uint32_t directions,
                                bool reverse, ad_error *e) {
  ad_workspace_options o = {.precision = c->precision, .directions = directions, .reverse = reverse};
  ad_status s = ad_workspace_new(w, c->program, ad_backend_find(backend), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(*w, c->point, e);
  if (!s) s = ad_workspace_primal(*w, e);
  return s;
}

static ad_status choose_vectors(ad_comparison *c, const ad_check_options *o, ad_error *e) {
  size_t limit = o->max_entries ? o->max_entries : MAX_ENTRIES, probes = o->probes ? o->probes : PROBES;
  uint64_t state = o->seed ? o->seed : 1, work = c->program->size;
  size_t sweeps = c->rows + 3 * c->columns, entries;
  c->probed =
      __builtin_mul_overflow(c->rows, c->columns, &entries) || entries > limit || sweeps > MAX_WORK / (work + 1);
  c->weight_count = c->probed && probes < c->rows ? probes : c->rows;
  c->direction_count = c->probed && probes < c->columns ? probes : c->columns;
  double *scale = NULL;
  bool unit_weights = c->weight_count == c->rows, unit_directions = c->direction_count == c->columns;
  if (!unit_directions) {
    ad_workspace *w = NULL;
    ad_status s = open_workspace(&w, c, "tape", 0, false, e);
    if (!s && !(scale = input_scales(c, w))) s = ad_fail_memory(e);
    ad_workspace_free(w);
    if (s) return s;
  }
  ad_status s = make_vectors(&c->weight, c->weight_count, c->rows, unit_weights, NULL, &state, e);
  if (!s) s = make_vectors(&c->direction, c->direction_count, c->columns, unit_directions, scale, &state, e);
  ad_free(scale);
  c->entries = c->weight_count * c->direction_count;
  return s;
}

static ad_status seed_direction(const ad_comparison *c, ad_workspace *w, uint32_t lane, const ad_vector *d,
                                ad_error *e) {
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < d->count; i++) {
    size_t which, element;
    ad_compare_locate(c, true, d->index[i], &which, &element);
    s = ad_workspace_seed_tangent(w, lane, ad_program_wrt(c->program, which), element, d->value[i], e);
  }
  return s;
}

static ad_status seed_weights(const ad_comparison *c, ad_workspace *w, const ad_vector *v, ad_error *e) {
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < v->count; i++) {
    size_t which, element;
    ad_compare_locate(c, false, v->index[i], &which, &element);
    s = ad_workspace_seed_adjoint(w, c->output[which], element, v->value[i], e);
  }
  return s;
}

/* sum_i v_i * x(i) into entry k, as the kind of number that the workspace holds. */
static void contract(const ad_comparison *c, const ad_workspace *w, bool input, uint32_t lane, const ad_vector *v,
                     ad_results r, size_t k) {
  mpfr_t t;
  arb_t b;
  mpfr_init2(t, r.big ? mpfr_get_prec(r.big + k) : MPFR_PREC_MIN);
  arb_init(b);
  if (r.big) mpfr_set_zero(r.big + k, 1);
  if (r.ball) arb_zero(r.ball + k);
  if (r.small) r.small[k] = 0;
  for (size_t i = 0; i < v->count; i++) {
    size_t which, element;
    ad_compare_locate(c, input, v->index[i], &which, &element);
    ad_span x = input ? ad_workspace_adjoint(w, ad_program_wrt(c->program, which))
                      : ad_workspace_tangent(w, lane, c->output[which]);
    if (r.big) {
      mpfr_mul_d(t, (const __mpfr_struct *)x.data + element, v->value[i], MPFR_RNDN);
      mpfr_add(r.big + k, r.big + k, t, MPFR_RNDN);
    } else if (r.ball) {
      arb_set_d(b, v->value[i]);
      arb_addmul(r.ball + k, ad_ball_at(&x, element), b, w->options.precision);
    } else {
      r.small[k] += v->value[i] * ad_span_double(&x, element);
    }
  }
  arb_clear(b);
  mpfr_clear(t);
}

ad_status ad_compare_forward(const ad_comparison *c, ad_workspace *w, ad_results r, ad_error *e) {
  const size_t lanes = w->options.directions;
  ad_status s = AD_OK;
  for (size_t first = 0; !s && first < c->direction_count; first += lanes) {
    size_t used = c->direction_count - first < lanes ? c->direction_count - first : lanes;
    ad_workspace_clear_seeds(w);
    for (size_t k = 0; !s && k < used; k++) s = seed_direction(c, w, (uint32_t)k, &c->direction[first + k], e);
    if (!s) s = ad_workspace_forward(w, e);
    for (size_t k = 0; !s && k < used; k++)
      for (size_t j = 0; j < c->weight_count; j++)
        contract(c, w, false, (uint32_t)k, &c->weight[j], r, (first + k) * c->weight_count + j);
  }
  return s;
}

ad_status ad_compare_reverse(const ad_comparison *c, ad_workspace *w, ad_results r, ad_error *e) {
  ad_status s = AD_OK;
  for (size_t j = 0; !s && j < c->weight_count; j++) {
    ad_workspace_clear_seeds(w);
    s = seed_weights(c, w, &c->weight[j], e);
    if (!s) s = ad_workspace_reverse(w, e);
    for (size_t k = 0; !s && k < c->direction_count; k++)
      contract(c, w, true, 0, &c->direction[k], r, k * c->weight_count + j);
  }
  return s;
}

static void notice_kinks(void *context, ad_node n, size_t element, unsigned flags) {
  ad_comparison *c = context;
  (void)n, (void)element;
  c->on_kink = c->on_kink || (flags & (AD_AT_KINK | AD_AT_EDGE));
}

/* What differences start from: the outputs, and whether they stand on kinks. */
static void look_at_middle(ad_comparison *c, ad_workspace *w) {
  mpfr_t t;
  mpfr_init2(t, c->precision);
  ad_compare_add_outputs(c, w, 1, c->middle, t);
  mpfr_clear(t);
  c->on_kink = false;
  ad_workspace_diagnose(w, notice_kinks, c);
}

/* All three methods in MPFR at c->precision. */
static ad_status run_methods(ad_comparison *c, ad_error *e) {
  free_results(c);
  c->forward = new_numbers(c->entries, c->precision);
  c->reverse = new_numbers(c->entries, c->precision);
  c->difference = new_numbers(c->entries, c->precision);
  c->middle = new_numbers(c->weight_count, c->precision);
  if (!c->forward || !c->reverse || !c->difference || !c->middle) return ad_fail_memory(e);
  ad_workspace *w = NULL;
  uint32_t lanes = c->direction_count < LANES ? (uint32_t)c->direction_count : LANES;
  ad_status s = open_workspace(&w, c, "mpfr", lanes, true, e);
  if (!s) look_at_middle(c, w);
  if (!s) s = ad_compare_forward(c, w, (ad_results){.big = c->forward}, e);
  if (!s) s = ad_compare_reverse(c, w, (ad_results){.big = c->reverse}, e);
  for (size_t k = 0; !s && k < c->direction_count; k++) s = ad_compare_difference(c, w, k, e);
  ad_workspace_free(w);
  return s;
}

/* log2 of |a - b| relative to the larger of them; -inf when equal. */
static double gap(mpfr_srcptr a, mpfr_srcptr b, double *absolute) {
  *absolute = -INFINITY;
  if (mpfr_equal_p(a, b)) return -INFINITY;
  mpfr_t d;
  mpfr_init2(d, mpfr_get_prec(a));
  mpfr_sub(d, a, b, MPFR_RNDN);
  double size = -INFINITY, result = INFINITY;
  if (mpfr_regular_p(d)) {
    mpfr_srcptr larger = mpfr_cmpabs(a, b) > 0 ? a : b;
    *absolute = (double)mpfr_get_exp(d);
    size = (double)mpfr_get_exp(larger);
    result = *absolute - size;
  } else {
    *absolute = INFINITY;
  }
  mpfr_clear(d);
  return result;
}

/* A wrong derivative differs by the same amount at any precision; rounding and truncation shrink with it.  So two
 * methods agree when they are close, or when doubling the precision p has shrunk their gap by 2^(-p/6) at least.  A
 * difference that is blind says nothing before the last precision, as that of tanh at 1000 or of (1e200 + x) - 1e200,
 * and neither does one that is bent, as that of relu(x - 1) at 1 + 1e-50, unless something stands on a kink anyhow. */
static ad_entry_class judge(const ad_comparison *c, size_t k, const ad_gaps *now, const ad_gaps *before, uint32_t step,
                            bool last) {
  mpfr_srcptr x[3] = {c->reverse + k, c->forward + k, c->difference + k};
  if (mpfr_nan_p(x[0]) && mpfr_nan_p(x[1]) && mpfr_nan_p(x[2])) return AD_ENTRY_NAN;
  for (int i = 0; i < 3; i++)
    if (!mpfr_number_p(x[i])) return AD_ENTRY_DISAGREES;
  bool moving = false;
  for (int i = 0; i < 2; i++) {
    if (now->relative[i] <= -AGREE_BITS) continue;
    if (i == 1 && now->blind) {
      if (c->precision >= UNSEEN_PRECISION && now->absolute[i] < AD_UNSEEN_EXPONENT) continue;
      return last ? AD_ENTRY_DISAGREES : AD_ENTRY_UNDECIDED;
    }
    if (!before || (i == 1 && before->blind)) return AD_ENTRY_UNDECIDED;
    if (before->absolute[i] == -INFINITY) { /* by accident: what differs now is noise, if it shrinks from here on */
      if (!last) return AD_ENTRY_UNDECIDED;
      continue;
    }
    bool shrinks = now->absolute[i] <= before->absolute[i] - step / 6.0;
    if (shrinks) continue;
    if (i == 1 && now->bent && !c->on_kink && !last) return AD_ENTRY_UNDECIDED;
    if (now->absolute[i] < before->absolute[i] - 2) moving = true;
    return moving ? AD_ENTRY_UNDECIDED : AD_ENTRY_DISAGREES;
  }
  return AD_ENTRY_AGREES;
}

/* On kinks a central difference agrees by symmetry with slopes that have their mean by policy, as of abs(x) at 0.
 * Where there is a derivative the slopes on the two sides approach each other as the step shrinks. */
static ad_entry_class look_at_sides(ad_comparison *c, size_t k, const ad_gaps *now, const ad_gaps *before) {
  c->two_sided[k] = false;
  const bool small = mpfr_regular_p(c->reverse + k) && now->bend <= (double)mpfr_get_exp(c->reverse + k) - AGREE_BITS;
  if (!c->on_kink || now->bend == -INFINITY || small) return AD_ENTRY_AGREES;
  if (!before) return AD_ENTRY_UNDECIDED;
  c->two_sided[k] = now->bend > before->bend - 2;
  return AD_ENTRY_AGREES;
}

ad_status ad_compare_prepare(ad_comparison *c, const ad_graph *g, const ad_point *p, const ad_check_options *o,
                             ad_error *e) {
  *c = (ad_comparison){.graph = g, .point = p, .top = o->max_precision ? o->max_precision : MAX_PRECISION};
  c->output_count = o->output_count ? o->output_count : ad_graph_output_count(g);
  c->output = ad_malloc(c->output_count, sizeof *c->output);
  if (!c->output) return ad_fail_memory(e);
  for (size_t i = 0; i < c->output_count; i++)
    c->output[i] = o->output_count ? o->outputs[i] : ad_graph_output_node(g, i);
  ad_program_options po = {
      .output_count = c->output_count, .outputs = c->output, .wrt_count = o->wrt_count, .wrt = o->wrt};
  ad_status s = ad_program_new(&c->program, g, &po, e);
  if (!s) {
    c->row_start = lay_out(g, c->output_count, c->output, &c->rows);
    c->column_start = lay_out(g, c->program->wrt_count, c->program->wrt, &c->columns);
    if (!c->row_start || !c->column_start) s = ad_fail_memory(e);
  }
  if (!s) s = choose_vectors(c, o, e);
  if (s) return s;
  c->cls = ad_malloc(c->entries, 1);
  c->zero = ad_calloc(c->entries, 1);
  c->two_sided = ad_calloc(c->entries, 1);
  c->bend = ad_calloc(c->entries, sizeof *c->bend);
  c->gaps = ad_calloc(c->entries, sizeof *c->gaps);
  return c->cls && c->zero && c->two_sided && c->bend && c->gaps ? AD_OK : ad_fail_memory(e);
}

static bool common_zero(const ad_comparison *c, size_t k) {
  return c->cls[k] == AD_ENTRY_AGREES && mpfr_zero_p(c->reverse + k) && mpfr_zero_p(c->forward + k);
}

/* That all methods give 0 is no agreement where all may have lost the derivative to rounding: a zero is believed when
 * its enclosure is 0 or too small for a double, or, where there is no enclosure, when it stays. */
static ad_status doubt_zeros(ad_comparison *c, ad_error *e) {
  size_t doubtful = 0;
  for (size_t k = 0; k < c->entries; k++) doubtful += common_zero(c, k) && !c->zero[k];
  if (!doubtful) return AD_OK;
  arb_ptr ball = ad_balls_new(c->entries);
  const bool forward = c->direction_count < c->weight_count;
  ad_status s = ball ? ad_enclose(c, forward ? ball : NULL, forward ? NULL : ball, e) : ad_fail_memory(e);
  for (size_t k = 0; !s && k < c->entries; k++) {
    if (!common_zero(c, k) || c->zero[k]) continue;
    c->zero[k] = arb_is_finite(ball + k) ? ad_enclosed_nothing(ball + k) : c->precision >= UNSEEN_PRECISION;
    if (!c->zero[k]) c->cls[k] = AD_ENTRY_UNDECIDED;
  }
  ad_balls_free(ball, c->entries);
  return s;
}

ad_status ad_compare_settle(ad_comparison *c, ad_error *e) {
  for (;;) {
    const uint32_t step = c->precision;
    c->precision = step ? 2 * step : FIRST_PRECISION;
    ad_status s = run_methods(c, e);
    if (s) return s;
    const bool last = !ad_compare_can_rise(c);
    for (size_t k = 0; k < c->entries; k++) {
      ad_gaps now;
      now.relative[0] = gap(c->reverse + k, c->forward + k, &now.absolute[0]);
      now.relative[1] = gap(c->reverse + k, c->difference + k, &now.absolute[1]);
      now.blind = mpfr_zero_p(c->difference + k) && !mpfr_zero_p(c->reverse + k);
      now.bend = c->bend[k];
      now.bent = now.bend >= now.absolute[1] - 4;
      const ad_gaps *before = step ? &c->gaps[k] : NULL;
      c->cls[k] = (uint8_t)judge(c, k, &now, before, step, last);
      if (c->cls[k] == AD_ENTRY_AGREES) c->cls[k] = (uint8_t)look_at_sides(c, k, &now, before);
      c->gaps[k] = now;
    }
    s = doubt_zeros(c, e);
    size_t open = 0;
    for (size_t k = 0; k < c->entries; k++)
      open += c->cls[k] == AD_ENTRY_UNDECIDED || (!step && c->cls[k] == AD_ENTRY_DISAGREES);
    if (s || !open || last) return s;
  }
}

ad_status ad_compare_double(ad_comparison *c, ad_error *e) {
  ad_workspace *w = NULL;
  c->dual = ad_calloc(c->entries, 2 * sizeof *c->dual);
  if (!c->dual) return ad_fail_memory(e);
  c->tape = c->dual + c->entries;
  uint32_t lanes = c->direction_count < LANES ? (uint32_t)c->direction_count : LANES;
  ad_status s = open_workspace(&w, c, "dual", lanes, false, e);
  if (!s) s = ad_compare_forward(c, w, (ad_results){.small = c->dual}, e);
  ad_workspace_free(w);
  w = NULL;
  if (!s) s = open_workspace(&w, c, "tape", 0, true, e);
  if (!s) s = ad_compare_reverse(c, w, (ad_results){.small = c->tape}, e);
  ad_workspace_free(w);
  return s;
}
