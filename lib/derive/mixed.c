/* Mixed derivatives of order d as linear combinations of d-th Taylor coefficients along directions (Griewank, Utke and
 * Walther, Math. Comp. 69, 2000; Griewank and Walther, Evaluating Derivatives, 2nd ed., proposition 13.3).  With i the
 * multi-index of a derivative over its distinct variables and S their unit vectors
 *   d^i f = sum over |j| = d of gamma(i, j) f_d(x + t S j),
 *   gamma(i, j) = sum over 0 < k <= i of (-1)^|i-k| C(i, k) C(d k / |k|, j) (|k| / d)^d
 *               = sum of (-1)^|i-k| C(i, k) prod_l prod_(t < j_l) (d k_l - t |k|) / (d^d prod_l j_l!).
 * Derivatives of the same variables have the same directions, so a tensor shares them.  Directions are scaled by 2^-e
 * with d <= 2^e, so that f_d does not overflow where the derivative itself would not. */
#include <gmp.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "exec/workspace.h"
#include "mem.h"

/* One direction of one derivative. */
typedef struct term {
  uint32_t order;
  uint32_t *variable; /* `order` numbers in rising order: the direction is the sum of their unit vectors */
  size_t derivative, weight;
} term;

struct ad_mixed {
  ad_workspace *w;
  uint32_t order;
  size_t count, variable_count, term_count, direction_count;
  ad_variable *variable;         /* distinct and sorted: terms have their numbers */
  term *term;                    /* sorted by direction */
  uint32_t *room;                /* of the terms' variables */
  size_t output_count, elements; /* of all outputs together */
  ad_node *output;
  size_t *first;         /* of each output's elements */
  void *weight, *result; /* term_count, and count * elements numbers */
};

static int compare_variables(const void *a, const void *b) {
  const ad_variable *x = a, *y = b;
  if (x->input != y->input) return x->input < y->input ? -1 : 1;
  return x->element < y->element ? -1 : x->element > y->element;
}

static int compare_numbers(const void *a, const void *b) {
  const uint32_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static int compare_terms(const void *a, const void *b) {
  const term *x = a, *y = b;
  for (uint32_t k = 0; k < x->order; k++)
    if (x->variable[k] != y->variable[k]) return x->variable[k] < y->variable[k] ? -1 : 1;
  return x->weight < y->weight ? -1 : x->weight > y->weight; /* so that the order of summation is one */
}

static bool same_direction(const term *x, const term *y) {
  return !memcmp(x->variable, y->variable, x->order * sizeof *x->variable);
}

/* ---- One derivative: its multi-index, the directions, their weights */

typedef struct multi_index {
  size_t parts;
  uint32_t order;
  uint32_t *number, *i, *j; /* of each part: the variable, its power, the direction's */
} multi_index;

/* The number of directions, C(parts + order - 1, order), at most `most`. */
static uint64_t directions_of(size_t parts, uint32_t order, uint64_t most) {
  double n = 1;
  for (size_t t = 1; t < parts && n <= (double)most; t++) n = n * ((double)order + (double)t) / (double)t;
  return n < (double)most ? (uint64_t)(n + 0.5) : most;
}

/* Reads a sorted list of `order` numbers. */
static void start_index(multi_index *m, const uint32_t *list) {
  m->parts = 0;
  for (uint32_t t = 0; t < m->order; t++) {
    if (!t || list[t] != list[t - 1]) {
      m->number[m->parts] = list[t];
      m->i[m->parts++] = 0;
    }
    m->i[m->parts - 1]++;
  }
}

/* The next way to write `order` as a sum of `parts` numbers, from (order, 0 ...) to (0 ... order). */
static bool next_direction(multi_index *m) {
  size_t l = m->parts - 1;
  const uint32_t last = m->j[l];
  m->j[l] = 0;
  while (l-- > 0)
    if (m->j[l]) {
      m->j[l]--;
      m->j[l + 1] = last + 1;
      return true;
    }
  return false;
}

/* factor[k] = C(i_l, k) prod_(t < j_l) (d k - t s) for k <= i_l */
static void factors_of(const multi_index *m, size_t l, uint32_t s, mpz_t *factor) {
  for (uint32_t k = 0; k <= m->i[l]; k++) {
    mpz_bin_uiui(factor[k], m->i[l], k);
    for (uint32_t t = 0; t < m->j[l]; t++)
      mpz_mul_si(factor[k], factor[k], (long)((int64_t)m->order * k - (int64_t)t * s));
  }
}

/* The terms of gamma with |k| = s are the coefficient of u^s in the product of the factors' polynomials in u. */
static void gamma_of(mpq_t gamma, const multi_index *m, mpz_t *factor, mpz_t *product) {
  const uint32_t d = m->order;
  mpz_ptr sum = mpq_numref(gamma);
  mpz_set_ui(sum, 0);
  if (m->parts == 1) mpz_fac_ui(sum, d), mpz_mul(sum, sum, sum); /* f_d(d e) = d^d f^(d) / d!, without the sum */
  for (uint32_t s = 1; s <= d && m->parts > 1; s++) {
    for (uint32_t u = 0; u <= s; u++) mpz_set_ui(product[u], u == 0);
    for (size_t l = 0; l < m->parts; l++) {
      factors_of(m, l, s, factor);
      for (uint32_t u = s + 1; u-- > 0;) {
        mpz_mul(product[u], product[u], factor[0]);
        for (uint32_t k = 1; k <= m->i[l] && k <= u; k++) mpz_addmul(product[u], product[u - k], factor[k]);
      }
    }
    if ((d - s) % 2)
      mpz_sub(sum, sum, product[s]);
    else
      mpz_add(sum, sum, product[s]);
  }
  mpz_ui_pow_ui(mpq_denref(gamma), d, d);
  for (size_t l = 0; l < m->parts; l++)
    for (uint32_t t = 2; t <= m->j[l]; t++) mpz_mul_ui(mpq_denref(gamma), mpq_denref(gamma), t);
  mpq_canonicalize(gamma);
}

/* Sets a weight exactly, or to the nearest number. */
static ad_status set_weight(ad_mixed *m, size_t at, const mpq_t gamma, ad_error *e) {
  const size_t length = mpz_sizeinbase(mpq_numref(gamma), 10) + mpz_sizeinbase(mpq_denref(gamma), 10) + 3;
  char *text = ad_malloc(length, 1);
  mpfr_t nearest;
  if (!text) return ad_fail_memory(e);
  mpq_get_str(text, 10, gamma);
  mpfr_init2(nearest, 53);
  mpfr_set_q(nearest, gamma, MPFR_RNDN);
  m->w->engine->set(m->w, m->weight, at, mpfr_get_d(nearest, MPFR_RNDN), text);
  mpfr_clear(nearest);
  ad_free(text);
  return AD_OK;
}

static unsigned scale_of(uint32_t order) {
  unsigned e = 0;
  while (order > 1u << e) e++;
  return e;
}

/* The terms of derivative number i. */
static ad_status add_terms(ad_mixed *m, multi_index *index, size_t i, ad_error *e) {
  mpz_t *number = ad_malloc((size_t)m->order + 1, 2 * sizeof *number);
  mpq_t gamma;
  ad_status s = AD_OK;
  if (!number) return ad_fail_memory(e);
  mpq_init(gamma);
  for (size_t k = 0; k < 2 * ((size_t)m->order + 1); k++) mpz_init(number[k]);
  memset(index->j, 0, index->parts * sizeof *index->j);
  index->j[0] = m->order;
  do {
    gamma_of(gamma, index, number, number + m->order + 1);
    if (!mpq_sgn(gamma)) continue;
    mpq_mul_2exp(gamma, gamma, (mp_bitcnt_t)scale_of(m->order) * m->order);
    const size_t at = m->term_count++;
    term *t = &m->term[at];
    *t = (term){m->order, m->room + at * m->order, i, at};
    uint32_t *v = t->variable;
    for (size_t l = 0; l < index->parts; l++)
      for (uint32_t c = 0; c < index->j[l]; c++) *v++ = index->number[l];
    s = set_weight(m, at, gamma, e);
  } while (next_direction(index) && !s);
  for (size_t k = 0; k < 2 * ((size_t)m->order + 1); k++) mpz_clear(number[k]);
  mpq_clear(gamma);
  ad_free(number);
  return s;
}

/* ---- All of them */

/* `list` has the variables' numbers, sorted within each derivative. */
static ad_status plan_terms(ad_mixed *m, multi_index *index, const uint32_t *list, ad_error *e) {
  const uint64_t most = ad_graph_limits(m->w->p->graph)->max_bytes;
  const size_t number = m->w->engine->number_bytes(m->w), each = sizeof(term) + m->order * sizeof(uint32_t) + number;
  uint64_t terms = 0;
  for (size_t i = 0; i < m->count; i++) {
    start_index(index, list + i * m->order);
    terms += directions_of(index->parts, m->order, most);
    if (terms > most / each) break;
  }
  if (terms > most / each || (m->elements && m->count > (most - terms * each) / number / m->elements))
    return ad_fail(e, AD_ELIMIT, "these mixed derivatives need more memory than the limit of %llu MiB (--max-memory)",
                   (unsigned long long)(most >> 20));
  m->term = ad_malloc(terms, sizeof *m->term);
  m->room = ad_malloc(terms, m->order * sizeof *m->room);
  m->weight = m->w->engine->plane(m->w, terms);
  m->result = m->w->engine->plane(m->w, m->count * m->elements);
  if (!m->term || !m->room || !m->weight || !m->result) return ad_fail_memory(e);
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < m->count; i++) {
    start_index(index, list + i * m->order);
    s = add_terms(m, index, i, e);
  }
  if (m->term_count) qsort(m->term, m->term_count, sizeof *m->term, compare_terms);
  for (size_t i = 0; i < m->term_count; i++) m->direction_count += !i || !same_direction(&m->term[i - 1], &m->term[i]);
  return s;
}

static ad_status plan_variables(ad_mixed *m, const ad_mixed_request *r, ad_error *e) {
  const size_t all = r->count * r->order;
  const ad_graph *g = m->w->p->graph;
  for (size_t i = 0; i < all; i++) {
    const ad_variable *v = &r->variable[i];
    if (v->input >= ad_graph_input_count(g) || !m->w->p->active[v->input])
      return ad_fail(e, AD_EUSAGE, "node %u is not an input that the program differentiates by", v->input);
    if ((int64_t)v->element >= ad_shape_size(ad_graph_node_shape(g, v->input)))
      return ad_fail(e, AD_EUSAGE, "the input '%s' has no element %zu", ad_graph_node_name(g, v->input), v->element);
  }
  m->variable = ad_malloc(all, sizeof *m->variable);
  uint32_t *list = ad_malloc(all, sizeof *list), *parts = ad_malloc(m->order, 3 * sizeof *parts);
  ad_status s = m->variable && list && parts ? AD_OK : ad_fail_memory(e);
  if (!s) {
    memcpy(m->variable, r->variable, all * sizeof *m->variable);
    qsort(m->variable, all, sizeof *m->variable, compare_variables);
    for (size_t i = 0; i < all; i++)
      if (!i || compare_variables(&m->variable[m->variable_count - 1], &m->variable[i]))
        m->variable[m->variable_count++] = m->variable[i];
    for (size_t i = 0; i < all; i++)
      list[i] = (uint32_t)((ad_variable *)bsearch(&r->variable[i], m->variable, m->variable_count, sizeof *m->variable,
                                                  compare_variables) -
                           m->variable);
    for (size_t i = 0; i < r->count; i++) qsort(list + i * r->order, r->order, sizeof *list, compare_numbers);
    multi_index index = {.order = m->order, .number = parts, .i = parts + m->order, .j = parts + 2 * (size_t)m->order};
    s = plan_terms(m, &index, list, e);
  }
  ad_free(parts);
  ad_free(list);
  return s;
}

static ad_status plan_outputs(ad_mixed *m, const ad_mixed_request *r, ad_error *e) {
  const ad_graph *g = m->w->p->graph;
  m->output_count = r->output_count ? r->output_count : ad_graph_output_count(g);
  m->output = ad_malloc(m->output_count, sizeof *m->output);
  m->first = ad_malloc(m->output_count, sizeof *m->first);
  if (!m->output || !m->first) return ad_fail_memory(e);
  for (size_t o = 0; o < m->output_count; o++) {
    m->output[o] = r->output_count ? r->outputs[o] : ad_graph_output_node(g, o);
    m->first[o] = m->elements;
    if (!ad_workspace_value(m->w, m->output[o]).data)
      return ad_fail(e, AD_EUSAGE, "node %u is not in the program", m->output[o]);
    m->elements += (size_t)ad_shape_size(ad_graph_node_shape(g, m->output[o]));
  }
  return AD_OK;
}

ad_status ad_mixed_new(ad_mixed **out, ad_workspace *w, const ad_mixed_request *r, ad_error *e) {
  const uint64_t most = ad_graph_limits(w->p->graph)->max_bytes;
  if (!r->order || r->order > w->options.order)
    return ad_fail(e, AD_EUSAGE, "mixed derivatives of order %u in a workspace with series of order %u", r->order,
                   w->options.order);
  if (!r->count) return ad_fail(e, AD_EUSAGE, "no mixed derivative is asked for");
  if (r->count > most / sizeof(ad_variable) / r->order || r->count * r->order > UINT32_MAX)
    return ad_fail(e, AD_ELIMIT, "%zu mixed derivatives of order %u are too many", r->count, r->order);
  ad_mixed *m = ad_calloc(1, sizeof *m);
  if (!m) return ad_fail_memory(e);
  *m = (ad_mixed){.w = w, .order = r->order, .count = r->count};
  ad_status s = plan_outputs(m, r, e);
  if (!s) s = plan_variables(m, r, e);
  if (s)
    ad_mixed_free(m);
  else
    *out = m;
  return s;
}

void ad_mixed_free(ad_mixed *m) {
  if (!m) return;
  ad_free(m->variable);
  ad_free(m->term);
  ad_free(m->room);
  ad_free(m->output);
  ad_free(m->first);
  ad_free(m->weight);
  ad_free(m->result);
  ad_free(m);
}

size_t ad_mixed_directions(const ad_mixed *m) {
  return m->direction_count;
}

static ad_status run_direction(ad_mixed *m, const term *t, ad_error *e) {
  ad_status s = AD_OK;
  double unit = 1;
  for (unsigned i = scale_of(m->order); i > 0; i--) unit /= 2;
  ad_workspace_clear_seeds(m->w);
  for (uint32_t k = 0, next; !s && k < m->order; k = next) {
    const ad_variable *v = &m->variable[t->variable[k]];
    for (next = k; next < m->order && t->variable[next] == t->variable[k];) next++;
    s = ad_workspace_seed_coefficient(m->w, 1, v->input, v->element, (next - k) * unit, e);
  }
  return s ? s : ad_workspace_taylor(m->w, e);
}

ad_status ad_mixed_run(ad_mixed *m, ad_error *e) {
  const ad_engine *engine = m->w->engine;
  engine->zero(m->w, m->result, 0, m->count * m->elements);
  for (size_t i = 0; i < m->term_count; i++) {
    const term *t = &m->term[i];
    ad_status s = !i || !same_direction(t - 1, t) ? run_direction(m, t, e) : AD_OK;
    if (s) return s;
    for (size_t o = 0; o < m->output_count; o++)
      engine->add_multiples(m->w, m->result, t->derivative * m->elements + m->first[o], m->w->series,
                            ad_series_at(m->w, m->order, m->w->p->offset[m->output[o]]),
                            (size_t)ad_shape_size(ad_graph_node_shape(m->w->p->graph, m->output[o])), m->weight,
                            t->weight);
  }
  return AD_OK;
}

ad_span ad_mixed_derivative(const ad_mixed *m, size_t i, size_t output) {
  if (i >= m->count || output >= m->output_count) return (ad_span){.kind = m->w->engine->kind};
  return (ad_span){m->w->engine->kind, (size_t)ad_shape_size(ad_graph_node_shape(m->w->p->graph, m->output[output])),
                   m->w->engine->at(m->w, m->result, i * m->elements + m->first[output])};
}
