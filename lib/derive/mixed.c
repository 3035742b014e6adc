/* Mixed derivatives as coefficients of Taylor series along curves on which each variable moves by a power of its own.
 * The derivative i_l times by variable l is read along x_l + t^(n_l) from the coefficient of t^T, T = sum of i_l n_l.
 * That is the sum of d^k f / k! over all k with sum of k_l n_l = T: when k = i is the only such one, nothing cancels,
 * and what can't depend on t^T is exactly 0.  Two choices of exponents are such; the smaller T is taken. n_l = M / p_l,
 * M the product of the p_l > i_l, which have no common factors: modulo p_l, T says what k_l is. n_l = N - b_l, b_l the
 * product of all i_q + 1 with q < l, N that of all i_q + 1.  Then T = d N - B, where B = N - 1 has the digits i_l, and
 * sum of k_l b_l = B + s N with s = sum of k_l - d.  That is negative for s < 0; else d + s numbers b_l and N are the
 * fewest that make it, in one way, with s times N: so s is 0, and k is i. */
#include <gmp.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "exec/workspace.h"
#include "mem.h"

typedef struct derivative {
  const ad_variable *variable; /* `order` of them, sorted */
  uint32_t *power;             /* of each: what it moves by */
  uint32_t order, top;         /* the coefficient that is the derivative, but for factorials */
  size_t number;               /* of the request */
} derivative;

struct ad_mixed {
  const ad_workspace *from;
  ad_workspace *w; /* with the series, at the same point */
  uint32_t order, top;
  size_t count, curves, elements; /* elements of all outputs together */
  ad_variable *variable;
  uint32_t *power;
  derivative *derivative; /* sorted by variables */
  size_t output_count;
  ad_node *output;
  size_t *first;            /* of each output's elements */
  void *factorial, *result; /* count, and count * elements numbers */
  ad_sparsity *structure;   /* of each output's Hessian; no rows: not asked for yet */
};

static int compare_variables(const void *a, const void *b) {
  const ad_variable *x = a, *y = b;
  if (x->input != y->input) return x->input < y->input ? -1 : 1;
  return x->element < y->element ? -1 : x->element > y->element;
}

static int compare_derivatives(const void *a, const void *b) {
  const derivative *x = a, *y = b;
  for (uint32_t k = 0; k < x->order; k++) {
    const int c = compare_variables(&x->variable[k], &y->variable[k]);
    if (c) return c;
  }
  return 0;
}

/* How often the variable at k stands in the list from there on. */
static uint32_t times(const derivative *d, uint32_t k) {
  uint32_t n = 1;
  while (k + n < d->order && !compare_variables(&d->variable[k], &d->variable[k + n])) n++;
  return n;
}

/* ---- Exponents */

static uint64_t product(uint64_t a, uint64_t b) {
  return __builtin_mul_overflow(a, b, &a) ? UINT64_MAX : a;
}

static uint64_t common_factor(uint64_t a, uint64_t b) {
  while (b) {
    const uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Each returns T and, where it is no more than `most`, sets the exponents. */
static uint64_t by_factors(derivative *d, uint64_t most) {
  uint64_t all = 1, top = 0;
  for (uint32_t k = 0, n; k < d->order; k += n) {
    n = times(d, k);
    uint64_t p = (uint64_t)n + 1;
    while (common_factor(all, p) > 1) p++;
    all = product(all, p);
    if (all > most) return UINT64_MAX;
    d->power[k] = (uint32_t)p;
  }
  for (uint32_t k = 0, n; k < d->order; k += n) {
    n = times(d, k);
    d->power[k] = (uint32_t)(all / d->power[k]);
    top += (uint64_t)n * d->power[k];
  }
  return top;
}

static uint64_t by_places(derivative *d, uint64_t most) {
  uint64_t all = 1, place = 1;
  for (uint32_t k = 0, n; k < d->order; k += n) all = product(all, (n = times(d, k)) + 1);
  const uint64_t top = product(d->order, all); /* and less by all - 1 */
  if (top >= most) return UINT64_MAX;
  for (uint32_t k = 0, n; k < d->order; k += n) {
    n = times(d, k);
    d->power[k] = (uint32_t)(all - place);
    place *= n + 1;
  }
  return top - all + 1;
}

static ad_status choose_exponents(derivative *d, ad_error *e) {
  const uint64_t most = UINT32_MAX - 1, factors = by_factors(d, most);
  uint64_t top = by_places(d, most);
  if (factors <= top) top = by_factors(d, most);
  if (top > most) return ad_fail(e, AD_ELIMIT, "a mixed derivative of order %u by so many variables", d->order);
  d->top = (uint32_t)top;
  return AD_OK;
}

/* ---- All of them */

static ad_status set_factorial(ad_mixed *m, const derivative *d, ad_error *e) {
  mpz_t all, one;
  mpz_inits(all, one, NULL);
  mpz_set_ui(all, 1);
  for (uint32_t k = 0, n; k < d->order; k += n) {
    mpz_fac_ui(one, n = times(d, k));
    mpz_mul(all, all, one);
  }
  char *text = ad_malloc(mpz_sizeinbase(all, 10) + 2, 1);
  if (text) m->w->engine->set(m->w, m->factorial, d->number, mpz_get_d(all), mpz_get_str(text, 10, all));
  ad_free(text);
  mpz_clears(all, one, NULL);
  return text ? AD_OK : ad_fail_memory(e);
}

static ad_status plan_variables(ad_mixed *m, const ad_mixed_request *r, ad_error *e) {
  const size_t all = r->count * r->order;
  const ad_graph *g = m->from->p->graph;
  for (size_t i = 0; i < all; i++) {
    const ad_variable *v = &r->variable[i];
    if (v->input >= ad_graph_input_count(g) || !m->from->p->active[v->input])
      return ad_fail(e, AD_EUSAGE, "node %u is not an input that the program differentiates by", v->input);
    if (v->element >= (size_t)ad_shape_size(ad_graph_node_shape(g, v->input)))
      return ad_fail(e, AD_EUSAGE, "the input '%s' has no element %zu", ad_graph_node_name(g, v->input), v->element);
  }
  m->variable = ad_malloc(all, sizeof *m->variable);
  m->power = ad_malloc(all, sizeof *m->power);
  m->derivative = ad_malloc(r->count, sizeof *m->derivative);
  if (!m->variable || !m->power || !m->derivative) return ad_fail_memory(e);
  memcpy(m->variable, r->variable, all * sizeof *m->variable);
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < r->count; i++) {
    ad_variable *v = m->variable + i * r->order;
    qsort(v, r->order, sizeof *v, compare_variables);
    m->derivative[i] = (derivative){v, m->power + i * r->order, r->order, 0, i};
    s = choose_exponents(&m->derivative[i], e);
    if (m->derivative[i].top > m->top) m->top = m->derivative[i].top;
  }
  qsort(m->derivative, m->count, sizeof *m->derivative, compare_derivatives);
  for (size_t i = 0; i < m->count; i++)
    m->curves += !i || compare_derivatives(&m->derivative[i - 1], &m->derivative[i]);
  return s;
}

static ad_status plan_outputs(ad_mixed *m, const ad_mixed_request *r, ad_error *e) {
  const ad_graph *g = m->from->p->graph;
  m->output_count = r->output_count ? r->output_count : ad_graph_output_count(g);
  m->output = ad_malloc(m->output_count, sizeof *m->output);
  m->first = ad_malloc(m->output_count, sizeof *m->first);
  m->structure = ad_calloc(m->output_count, sizeof *m->structure);
  if (!m->output || !m->first || !m->structure) return ad_fail_memory(e);
  for (size_t o = 0; o < m->output_count; o++) {
    m->output[o] = r->output_count ? r->outputs[o] : ad_graph_output_node(g, o);
    m->first[o] = m->elements;
    if (!ad_workspace_value(m->from, m->output[o]).data)
      return ad_fail(e, AD_EUSAGE, "node %u is not in the program", m->output[o]);
    m->elements += (size_t)ad_shape_size(ad_graph_node_shape(g, m->output[o]));
  }
  return AD_OK;
}

static ad_status make_workspace(ad_mixed *m, ad_error *e) {
  const ad_workspace *from = m->from;
  const uint64_t most = ad_graph_limits(from->p->graph)->max_bytes;
  const ad_workspace_options o = {
      .precision = from->options.precision, .threads = from->options.threads, .order = m->top};
  const size_t number = from->engine->number_bytes(from);
  if (m->elements && m->count > most / number / m->elements)
    return ad_fail(e, AD_ELIMIT, "these mixed derivatives need more memory than the limit of %llu MiB (--max-memory)",
                   (unsigned long long)(most >> 20));
  ad_status s = ad_workspace_new(&m->w, from->p, from->backend, &o, e);
  if (s) return s;
  m->w->series_of_curves = true;
  m->factorial = m->w->engine->plane(m->w, m->count);
  m->result = m->w->engine->plane(m->w, m->count * m->elements);
  if (!m->factorial || !m->result) return ad_fail_memory(e);
  for (size_t i = 0; !s && i < m->count; i++) s = set_factorial(m, &m->derivative[i], e);
  return s;
}

ad_status ad_mixed_new(ad_mixed **out, ad_workspace *w, const ad_mixed_request *r, ad_error *e) {
  AD_GIVEN(out && w && r && (r->variable || !r->count) && (r->outputs || !r->output_count), e);
  const uint64_t most = ad_graph_limits(w->p->graph)->max_bytes;
  if (!r->order || !r->count) return ad_fail(e, AD_EUSAGE, "no mixed derivative is asked for");
  if (w->options.points > 1) return ad_fail(e, AD_EUSAGE, "mixed derivatives are for one point at a time");
  if (r->count > most / (sizeof(ad_variable) + sizeof(uint32_t)) / r->order || r->count > most / sizeof(derivative))
    return ad_fail(e, AD_ELIMIT, "%zu mixed derivatives of order %u are too many", r->count, r->order);
  ad_mixed *m = ad_calloc(1, sizeof *m);
  if (!m) return ad_fail_memory(e);
  *m = (ad_mixed){.from = w, .order = r->order, .count = r->count};
  ad_status s = plan_outputs(m, r, e);
  if (!s) s = plan_variables(m, r, e);
  if (!s) s = make_workspace(m, e);
  if (s)
    ad_mixed_free(m);
  else
    *out = m;
  return s;
}

void ad_mixed_free(ad_mixed *m) {
  if (!m) return;
  for (size_t o = 0; m->structure && o < m->output_count; o++) ad_sparsity_clear(&m->structure[o]);
  ad_free(m->structure);
  ad_workspace_free(m->w);
  ad_free(m->variable);
  ad_free(m->power);
  ad_free(m->derivative);
  ad_free(m->output);
  ad_free(m->first);
  ad_free(m->factorial);
  ad_free(m->result);
  ad_free(m);
}

size_t ad_mixed_directions(const ad_mixed *m) {
  return m ? m->curves : 0;
}

/* ---- Running */

static ad_status copy_point(ad_mixed *m, ad_error *e) {
  const ad_program *p = m->from->p;
  if (!m->from->primal_done) return ad_fail(e, AD_EUSAGE, "mixed derivatives want a primal run first");
  m->w->engine->copy(m->w, m->w->value, 0, m->from->value, 0, p->input_size);
  memset(m->w->input_set, true, ad_graph_input_count(p->graph));
  m->w->unset = 0;
  return ad_workspace_primal(m->w, e);
}

/* Shorter series are carried in the room of the longest ones. */
static ad_status run_curve(ad_mixed *m, const derivative *d, ad_error *e) {
  ad_status s = AD_OK;
  m->w->options.order = d->top;
  ad_workspace_clear_seeds(m->w);
  for (uint32_t k = 0; !s && k < d->order; k += times(d, k))
    s = ad_workspace_seed_coefficient(m->w, d->power[k], d->variable[k].input, d->variable[k].element, 1, e);
  return s ? s : ad_workspace_taylor(m->w, e);
}

static size_t column_of(const ad_program *p, const ad_variable *v) {
  size_t column = v->element;
  for (size_t i = 0; ad_program_wrt(p, i) != v->input; i++)
    column += (size_t)ad_shape_size(ad_graph_node_shape(p->graph, ad_program_wrt(p, i)));
  return column;
}

static bool has_entry(const ad_sparsity *s, size_t row, size_t column) {
  for (size_t k = s->start[row]; k < s->start[row + 1]; k++)
    if (s->column[k] == column) return true;
  return false;
}

static ad_status find_structure(ad_mixed *m, size_t o, ad_error *e) {
  const ad_program *all = m->w->p;
  ad_program *p = NULL;
  ad_node *wrt = ad_malloc(ad_program_wrt_count(all) + 1, sizeof *wrt);
  if (!wrt) return ad_fail_memory(e);
  for (size_t i = 0; i < ad_program_wrt_count(all); i++) wrt[i] = ad_program_wrt(all, i);
  const ad_program_options of = {
      .output_count = 1, .outputs = &m->output[o], .wrt_count = ad_program_wrt_count(all), .wrt = wrt};
  ad_status s = ad_program_new(&p, all->graph, &of, e);
  if (!s) s = ad_sparsity_hessian(&m->structure[o], p, e);
  ad_program_free(p);
  ad_free(wrt);
  return s;
}

/* A derivative that came out as nan is 0 all the same where two of its variables never meet in the output. */
static ad_status settle(ad_mixed *m, const derivative *d, size_t o, ad_error *e) {
  const ad_engine *engine = m->w->engine;
  const ad_program *p = m->w->p;
  const size_t at = d->number * m->elements + m->first[o], offset = p->offset[m->output[o]],
               size = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, m->output[o]));
  if (!engine->any_nan || !engine->any_nan(m->w, m->result, at, size) ||
      engine->any_nan(m->w, m->w->value, offset, size))
    return AD_OK;
  const ad_status s = m->structure[o].rows ? AD_OK : find_structure(m, o, e);
  bool meet = true;
  for (uint32_t k = 0; !s && k < d->order; k++)
    for (uint32_t l = 0; l < k; l++)
      meet = meet && has_entry(&m->structure[o], column_of(p, &d->variable[k]), column_of(p, &d->variable[l]));
  if (!s && !meet) engine->zero(m->w, m->result, at, size);
  return s;
}

ad_status ad_mixed_run(ad_mixed *m, ad_error *e) {
  AD_GIVEN(m, e);
  const ad_engine *engine = m->w->engine;
  ad_status s = copy_point(m, e);
  engine->zero(m->w, m->result, 0, m->count * m->elements);
  for (size_t i = 0; !s && i < m->count; i++) {
    const derivative *d = &m->derivative[i];
    if (!i || compare_derivatives(d - 1, d)) s = run_curve(m, d, e);
    for (size_t o = 0; !s && o < m->output_count; o++)
      engine->add_multiples(m->w, m->result, d->number * m->elements + m->first[o], m->w->series,
                            ad_series_at(m->w, d->top, m->w->p->offset[m->output[o]]),
                            (size_t)ad_shape_size(ad_graph_node_shape(m->w->p->graph, m->output[o])), m->factorial,
                            d->number);
    for (size_t o = 0; !s && o < m->output_count; o++) s = settle(m, d, o, e);
  }
  return s;
}

ad_span ad_mixed_derivative(const ad_mixed *m, size_t i, size_t output) {
  if (!m) return (ad_span){0};
  if (i >= m->count || output >= m->output_count) return (ad_span){.kind = m->w->engine->kind};
  return (ad_span){m->w->engine->kind, (size_t)ad_shape_size(ad_graph_node_shape(m->w->p->graph, m->output[output])),
                   m->w->engine->at(m->w, m->result, i * m->elements + m->first[output])};
}
