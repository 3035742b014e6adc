/* The verdict: are the derivatives right, and how many digits does double keep? */
#include <float.h>
#include <math.h>
#include <string.h>

#include "error.h"
#include "exec/workspace.h"
#include "mem.h"
#include "verify/blame.h"
#include "verify/digits.h"
#include "verify/enclose.h"

enum { MAX_LISTED = 100 };

const char *ad_verdict_name(ad_verdict v) {
  static const char *const names[] = {"pass", "fail", "undecided"};
  return v <= AD_VERDICT_UNDECIDED ? names[v] : NULL;
}

const char *ad_entry_class_name(ad_entry_class c) {
  static const char *const names[AD_ENTRY_CLASSES] = {"agrees", "kink", "edge", "nan", "undecided", "differs"};
  return c < AD_ENTRY_CLASSES ? names[c] : NULL;
}

void ad_check_clear(ad_check_report *r) {
  if (!r) return;
  ad_free(r->list);
  ad_free(r->blame);
  ad_free(r->output);
  *r = (ad_check_report){0};
}

/* ---- Kinks, edges, NaN */

typedef struct notices {
  ad_check_report *report;
  uint8_t *flags; /* of each node */
} notices;

static void notice(void *context, ad_node n, size_t element, unsigned flags) {
  notices *s = context;
  (void)element;
  s->flags[n] |= (uint8_t)flags;
  s->report->kinks += (flags & AD_AT_KINK) != 0;
  s->report->edges += (flags & AD_AT_EDGE) != 0;
  s->report->outside += (flags & AD_OUTSIDE) != 0;
  s->report->made_nan += (flags & AD_MADE_NAN) != 0;
  if (flags & AD_MADE_NAN && (s->report->first_nan == AD_NO_NODE || n < s->report->first_nan)) s->report->first_nan = n;
}

/* The flags of all nodes between an input and an output (any input, any output where AD_NO_NODE). */
static ad_status flags_between(unsigned *all, const ad_comparison *c, const uint8_t *flags, ad_node from, ad_node to,
                               ad_error *e) {
  const ad_program *p = c->program;
  enum { BELOW = 1, ABOVE = 2 };
  uint8_t *mark = ad_calloc(ad_graph_node_count(c->graph), 1);
  if (!mark) return ad_fail_memory(e);
  if (from != AD_NO_NODE) mark[from] = BELOW;
  if (to != AD_NO_NODE) mark[to] = ABOVE;
  const ad_node *args;
  for (ad_node n = 0; n < ad_graph_node_count(c->graph); n++) {
    if (!ad_program_runs(p, n)) continue;
    size_t count = ad_graph_node_args(c->graph, n, &args);
    if (from == AD_NO_NODE) mark[n] |= p->active[n] ? BELOW : 0;
    for (size_t k = 0; k < count; k++) mark[n] |= mark[args[k]] & BELOW;
  }
  *all = 0;
  for (ad_node n = (ad_node)ad_graph_node_count(c->graph); n-- > 0;) {
    if (!ad_program_runs(p, n)) continue;
    if (to == AD_NO_NODE) mark[n] |= ABOVE;
    if (!(mark[n] & ABOVE)) continue;
    if (mark[n] & BELOW) *all |= flags[n];
    size_t count = ad_graph_node_args(c->graph, n, &args);
    for (size_t k = 0; k < count; k++) mark[args[k]] |= ABOVE;
  }
  ad_free(mark);
  return AD_OK;
}

/* The policy decides both sweeps alike, so they must agree on a kink too. */
static bool sweeps_agree(const ad_comparison *c, size_t k) {
  mpfr_srcptr a = c->forward + k, b = c->reverse + k;
  if (!mpfr_number_p(a) || !mpfr_number_p(b)) return true; /* says nothing */
  mpfr_t d, bound;
  mpfr_inits2(mpfr_get_prec(a), d, bound, (mpfr_ptr)0);
  mpfr_sub(d, a, b, MPFR_RNDN);
  mpfr_mul_2si(bound, b, -(mpfr_exp_t)c->precision / 4, MPFR_RNDN);
  bool same = mpfr_cmpabs(d, bound) <= 0;
  mpfr_clears(d, bound, (mpfr_ptr)0);
  return same;
}

static bool is_unit(const ad_vector *v) {
  return v->count == 1;
}

static void locate_entry(const ad_comparison *c, size_t k, ad_check_entry *entry) {
  const ad_vector *d = &c->direction[k / c->weight_count], *w = &c->weight[k % c->weight_count];
  size_t which;
  entry->probe = !is_unit(d) || !is_unit(w);
  entry->input = AD_NO_NODE;
  entry->output = SIZE_MAX;
  if (is_unit(d)) {
    ad_compare_locate(c, true, d->index[0], &which, &entry->input_element);
    entry->input = ad_program_wrt(c->program, which);
  }
  if (is_unit(w)) ad_compare_locate(c, false, w->index[0], &entry->output, &entry->output_element);
}

static bool is_two_sided(const ad_comparison *c, size_t k) {
  return c->cls[k] == AD_ENTRY_AGREES && c->two_sided[k];
}

/* Tells kinks and edges apart from disagreement.  Without a finite difference the output itself is infinite or NaN near
 * the point, by whatever node, also one that the input does not reach. */
static ad_status classify(ad_comparison *c, const uint8_t *flags, ad_error *e) {
  ad_check_entry at = {0}, last = {.output = SIZE_MAX - 1};
  unsigned all = 0;
  ad_status s = AD_OK;
  for (size_t k = 0; !s && k < c->entries; k++) {
    if (c->cls[k] != AD_ENTRY_DISAGREES && c->cls[k] != AD_ENTRY_UNDECIDED && !is_two_sided(c, k)) continue;
    locate_entry(c, k, &at);
    if (at.input != last.input || at.output != last.output)
      s = flags_between(&all, c, flags, at.input, at.output == SIZE_MAX ? AD_NO_NODE : c->output[at.output], e);
    last = at;
    if (s || !sweeps_agree(c, k)) continue;
    if (all & (AD_AT_EDGE | AD_OUTSIDE | AD_MADE_NAN | AD_MADE_INF) || !mpfr_number_p(c->difference + k))
      c->cls[k] = AD_ENTRY_EDGE;
    else if (all & AD_AT_KINK)
      c->cls[k] = AD_ENTRY_KINK;
  }
  return s;
}

/* ---- Digits */

static void fill_entry(ad_check_entry *entry, const ad_comparison *c, size_t k, double ulps, double digits) {
  *entry = (ad_check_entry){.cls = c->cls[k],
                            .forward = mpfr_get_d(c->forward + k, MPFR_RNDN),
                            .reverse = mpfr_get_d(c->reverse + k, MPFR_RNDN),
                            .difference = mpfr_get_d(c->difference + k, MPFR_RNDN),
                            .dual = c->dual[k],
                            .tape = c->tape[k],
                            .difference_double = NAN,
                            .difference_bound = INFINITY,
                            .ulps = ulps,
                            .digits = digits};
  locate_entry(c, k, entry);
}

/* The list, the classes and the worst entry. */
static ad_status collect(ad_check_report *r, const ad_comparison *c, size_t *worst, ad_error *e) {
  r->list = ad_calloc(MAX_LISTED, sizeof *r->list);
  double *ulps = ad_calloc(c->entries, 2 * sizeof *ulps), *digits = ulps ? ulps + c->entries : NULL;
  if (!r->list || !ulps) {
    ad_free(ulps);
    return ad_fail_memory(e);
  }
  ad_status s = ad_digits_kept(r, c, ulps, digits, e);
  *worst = SIZE_MAX;
  for (size_t k = 0; !s && k < c->entries; k++) {
    ad_check_entry entry;
    fill_entry(&entry, c, k, ulps[k], digits[k]);
    r->entries++;
    r->by_class[entry.cls]++;
    if (entry.cls != AD_ENTRY_AGREES && r->listed < MAX_LISTED) r->list[r->listed++] = entry;
    if (entry.cls != AD_ENTRY_AGREES || isnan(digits[k]) || (isnan(ulps[k]) && digits[k] > 0)) continue;
    r->max_ulps = fmax(r->max_ulps, ulps[k]);
    if (*worst != SIZE_MAX &&
        (entry.digits > r->worst.digits || (entry.digits == r->worst.digits && !(entry.ulps > r->worst.ulps))))
      continue;
    r->worst = entry;
    *worst = k;
  }
  ad_free(ulps);
  return s;
}

/* ---- Why digits are lost */

/* How much entry k changes, relatively, for a relative change of all inputs: in MPFR, with changes of +-2^-40. */
static ad_status condition_of(double *condition, const ad_comparison *c, size_t k, ad_error *e) {
  const ad_vector *d = &c->direction[k / c->weight_count], *v = &c->weight[k % c->weight_count];
  ad_workspace *w = NULL;
  ad_workspace_options o = {.precision = c->precision, .reverse = true};
  ad_status s = ad_workspace_new(&w, c->program, ad_backend_find("mpfr"), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(w, c->point, e);
  for (size_t i = 0; !s && i < c->program->wrt_count; i++) {
    __mpfr_struct *x = ad_workspace_input_data(w, c->program->wrt[i]);
    size_t size = (size_t)ad_shape_size(ad_graph_node_shape(c->graph, c->program->wrt[i]));
    for (size_t j = 0; j < size; j++) mpfr_mul_d(x + j, x + j, (i + j) % 2 ? 1 - 0x1p-40 : 1 + 0x1p-40, MPFR_RNDN);
  }
  if (!s) s = ad_workspace_primal(w, e);
  if (!s) ad_workspace_clear_seeds(w);
  size_t which, element;
  for (size_t i = 0; !s && i < v->count; i++) {
    ad_compare_locate(c, false, v->index[i], &which, &element);
    s = ad_workspace_seed_adjoint(w, c->output[which], element, v->value[i], e);
  }
  if (!s) s = ad_workspace_reverse(w, e);
  if (!s) {
    mpfr_t sum, t;
    mpfr_inits2(c->precision, sum, t, (mpfr_ptr)0);
    mpfr_set_zero(sum, 1);
    for (size_t i = 0; i < d->count; i++) {
      ad_compare_locate(c, true, d->index[i], &which, &element);
      ad_span x = ad_workspace_adjoint(w, c->program->wrt[which]);
      mpfr_mul_d(t, (const __mpfr_struct *)x.data + element, d->value[i], MPFR_RNDN);
      mpfr_add(sum, sum, t, MPFR_RNDN);
    }
    mpfr_sub(sum, sum, c->reverse + k, MPFR_RNDN);
    mpfr_div(sum, sum, c->reverse + k, MPFR_RNDN);
    *condition = fabs(mpfr_get_d(sum, MPFR_RNDN)) * 0x1p40;
    mpfr_clears(sum, t, (mpfr_ptr)0);
  }
  ad_workspace_free(w);
  return s;
}

static double relative_error(const ad_span *small, const ad_span *big) {
  double worst = 0;
  for (size_t i = 0; i < small->count; i++) {
    double ulps, digits;
    ad_digits_measure(ad_span_double(small, i), (const __mpfr_struct *)big->data + i, &ulps, &digits);
    worst = fmax(worst, digits < 17 ? pow(10, -digits) : 0);
  }
  return worst;
}

/* The node whose value has lost the most digits beyond what its arguments had lost: where cancellation happens. */
static ad_status find_loss(ad_check_report *r, const ad_comparison *c, ad_error *e) {
  ad_workspace *small = NULL, *big = NULL;
  ad_workspace_options o = {.precision = c->precision};
  double *error = ad_calloc(ad_graph_node_count(c->graph), sizeof *error);
  ad_status s = error ? ad_workspace_new(&small, c->program, ad_backend_find("tape"), &o, e) : ad_fail_memory(e);
  if (!s) s = ad_workspace_new(&big, c->program, ad_backend_find("mpfr"), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(small, c->point, e);
  if (!s && c->point) s = ad_workspace_set_point(big, c->point, e);
  if (!s) s = ad_workspace_primal(small, e);
  if (!s) s = ad_workspace_primal(big, e);
  for (ad_node n = 0; !s && n < ad_graph_node_count(c->graph); n++) {
    if (!ad_program_runs(c->program, n)) continue;
    const ad_node *args;
    size_t count = ad_graph_node_args(c->graph, n, &args);
    ad_span a = ad_workspace_value(small, n), b = ad_workspace_value(big, n);
    double before = DBL_EPSILON / 2;
    for (size_t k = 0; k < count; k++) before = fmax(before, error[args[k]]);
    error[n] = relative_error(&a, &b);
    double lost = error[n] > 0 ? log10(error[n] / before) : 0;
    if (lost > 1 && lost > r->lost_digits) r->lost_digits = lost, r->lost_at = n;
  }
  ad_workspace_free(small);
  ad_workspace_free(big);
  ad_free(error);
  return s;
}

/* Finite differences in double for the entries that are shown. */
static ad_status add_double_differences(ad_check_report *r, const ad_comparison *c, ad_error *e) {
  ad_workspace *w = NULL;
  ad_workspace_options o = {0};
  ad_status s = ad_workspace_new(&w, c->program, ad_backend_find("tape"), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(w, c->point, e);
  if (!s) s = ad_workspace_primal(w, e);
  for (size_t i = 0; !s && i <= r->listed; i++) {
    ad_check_entry *entry = i < r->listed ? &r->list[i] : &r->worst;
    if (entry->probe || (i == r->listed && !r->entries)) continue;
    ad_node output = c->output[entry->output];
    size_t size = (size_t)ad_shape_size(ad_graph_node_shape(c->graph, output));
    double *d = ad_malloc(size, 2 * sizeof *d);
    if (!d) s = ad_fail_memory(e);
    if (!s) s = ad_difference_double(d, d + size, w, output, entry->input, entry->input_element, e);
    if (!s) {
      entry->difference_double = d[entry->output_element];
      entry->difference_bound = d[size + entry->output_element];
    }
    ad_free(d);
  }
  ad_workspace_free(w);
  return s;
}

static void decide(ad_check_report *r, const ad_check_options *o, bool contradiction, bool sweeps_differ) {
  static const struct {
    ad_verdict verdict;
    const char *reason;
  } says[] = {
      {AD_VERDICT_PASS, "all methods agree on every entry"},
      {AD_VERDICT_PASS, "all methods agree, but for entries on a kink, where the graph's policy decides"},
      {AD_VERDICT_PASS, "all methods agree on every probe"},
      {AD_VERDICT_PASS, "there is nothing to differentiate"},
      {AD_VERDICT_FAIL, "a node's partials are proved wrong by differences of that node alone"},
      {AD_VERDICT_FAIL,
       "forward and reverse mode are proved to differ, but no single node's partials are proved wrong"},
      {AD_VERDICT_FAIL, "double keeps fewer digits than asked for"},
      {AD_VERDICT_UNDECIDED, "entries are not numbers, or on the edge of a domain"},
      {AD_VERDICT_UNDECIDED, "the highest precision allowed could not tell"},
      {AD_VERDICT_UNDECIDED, "forward and reverse mode differ, but nothing is proved"},
      {AD_VERDICT_UNDECIDED, "finite differences differ from both modes, but nothing is proved"},
  };
  int i = 0;
  if (r->blame_count)
    i = 4;
  else if (contradiction)
    i = 5;
  else if (o->min_digits > 0 && r->min_digits < o->min_digits)
    i = 6;
  else if (r->by_class[AD_ENTRY_DISAGREES])
    i = sweeps_differ ? 9 : 10;
  else if (r->by_class[AD_ENTRY_UNDECIDED] || (o->min_digits > 0 && r->unknown_digits))
    i = 8;
  else if (r->by_class[AD_ENTRY_EDGE] || r->by_class[AD_ENTRY_NAN])
    i = 7;
  else if (!r->entries)
    i = 3;
  else if (r->by_class[AD_ENTRY_KINK])
    i = 1;
  else if (r->probed)
    i = 2;
  r->verdict = says[i].verdict;
  r->reason = says[i].reason;
}

static ad_status look_around(ad_check_report *r, const ad_comparison *c, uint8_t *flags, ad_error *e) {
  ad_workspace *w = NULL;
  ad_workspace_options o = {.precision = c->precision};
  notices context = {r, flags};
  memset(flags, 0, ad_graph_node_count(c->graph));
  r->kinks = r->edges = r->outside = r->made_nan = 0;
  r->first_nan = AD_NO_NODE;
  ad_status s = ad_workspace_new(&w, c->program, ad_backend_find("mpfr"), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(w, c->point, e);
  if (!s) s = ad_workspace_primal(w, e);
  if (!s) ad_workspace_diagnose(w, notice, &context);
  ad_workspace_free(w);
  return s;
}

/* Entries on which the methods disagree, off kinks and edges; *sweeps_differ: both modes on one of them. */
static size_t count_suspects(const ad_comparison *c, bool *sweeps_differ) {
  size_t suspects = 0;
  *sweeps_differ = false;
  for (size_t k = 0; k < c->entries; k++) {
    if (c->cls[k] != AD_ENTRY_DISAGREES) continue;
    suspects++;
    *sweeps_differ = *sweeps_differ || !sweeps_agree(c, k);
  }
  return suspects;
}

/* All methods at rising precision, until they agree or somebody is proved wrong. */
static ad_status compare_methods(ad_check_report *r, ad_comparison *c, uint8_t *flags, bool *contradiction,
                                 bool *sweeps_differ, ad_error *e) {
  *contradiction = false;
  for (bool blamed = false;; blamed = true) {
    ad_status s = ad_compare_settle(c, e);
    if (!s) s = look_around(r, c, flags, e);
    if (!s) s = classify(c, flags, e);
    if (s || !count_suspects(c, sweeps_differ)) return s;
    if (!blamed) s = ad_blame_nodes(r, c, flags, e);
    if (!s && !r->blame_count && *sweeps_differ) s = ad_enclose_contradiction(c, contradiction, e);
    if (s || r->blame_count || *contradiction || !ad_compare_can_rise(c)) return s;
  }
}

ad_status ad_check(ad_check_report *report, const ad_graph *g, const ad_point *p, const ad_check_options *options,
                   ad_error *e) {
  static const ad_check_options none = {0};
  const ad_check_options *o = options ? options : &none;
  AD_GIVEN(report && g && (o->outputs || !o->output_count) && (o->wrt || !o->wrt_count), e);
  ad_comparison c = {0};
  bool contradiction = false, sweeps_differ = false;
  size_t worst = SIZE_MAX;
  ad_check_report made = {.first_nan = AD_NO_NODE, .lost_at = AD_NO_NODE, .condition = NAN}, *r = &made;
  uint8_t *flags = ad_calloc(ad_graph_node_count(g), 1);
  ad_status s = flags ? ad_compare_prepare(&c, g, p, o, e) : ad_fail_memory(e);
  if (!s) s = compare_methods(r, &c, flags, &contradiction, &sweeps_differ, e);
  if (!s) s = ad_compare_double(&c, e);
  if (!s) s = collect(r, &c, &worst, e);
  if (!s && worst != SIZE_MAX) s = condition_of(&r->condition, &c, worst, e);
  if (!s) s = find_loss(r, &c, e);
  if (!s && r->entries) s = add_double_differences(r, &c, e);
  r->probed = c.probed;
  r->precision = c.precision;
  if (!s) decide(r, o, contradiction, sweeps_differ);
  ad_compare_clear(&c);
  ad_free(flags);
  if (s)
    ad_check_clear(r);
  else
    *report = made;
  return s;
}
