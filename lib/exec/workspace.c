#include "exec/workspace.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/backend.h"
#include "error.h"
#include "exec/ball.h"
#include "exec/careful.h"
#include "exec/series.h"
#include "exec/transpose.h"
#include "ir/number.h"
#include "ir/point.h"
#include "mem.h"

enum { DEFAULT_PRECISION = 256, MAX_POINTS = 4096 };

#ifdef ADTOOL_PLANT
unsigned ad_planted_op = AD_NO_OP;
#endif

static ad_status check_options(const ad_program *p, const ad_workspace *w, ad_error *e) {
  const ad_limits *l = ad_graph_limits(p->graph);
  if (w->engine->kind != AD_KIND_F64) {
    if (w->options.precision < 2) return ad_fail(e, AD_EUSAGE, "the precision is at least 2 bits");
    if (w->options.precision > l->max_precision)
      return ad_fail(e, AD_ELIMIT, "a precision of %u bits is above the limit of %u (--max-precision)",
                     w->options.precision, l->max_precision);
  }
  if (w->options.points > 1 && w->engine->kind != AD_KIND_F64)
    return ad_fail(e, AD_EUSAGE, "blocks of points are for the backends in double");
  if (w->options.points > MAX_POINTS)
    return ad_fail(e, AD_EUSAGE, "a block has at most %d points, not %u", MAX_POINTS, w->options.points);
  if (w->options.order && ad_series_count(p->size, w->options.order) > l->max_bytes / sizeof(double))
    return ad_fail(e, AD_ELIMIT, "series of order %u need more memory than the limit of %llu MiB (--max-memory)",
                   w->options.order, (unsigned long long)(l->max_bytes >> 20));
  if (w->options.order && !w->engine->taylor)
    return ad_fail(e, AD_EUSAGE, "Taylor series are not for the backend %s", w->backend->name);
  if (w->options.order && w->options.points > 1)
    return ad_fail(e, AD_EUSAGE, "Taylor series are for one point at a time");
  uint64_t bytes = w->engine->bytes(p, &w->options);
  if (bytes > l->max_bytes)
    return ad_fail(e, AD_ELIMIT, "this needs %llu MiB of memory, above the limit of %llu MiB (--max-memory)",
                   (unsigned long long)(bytes >> 20), (unsigned long long)(l->max_bytes >> 20));
  return AD_OK;
}

static void load(ad_workspace *w, void *plane, ad_node n, const double *value, size_t count, const ad_values *texts,
                 const ad_numbers *numbers) {
  size_t size = (size_t)ad_shape_size(ad_graph_node_shape(w->p->graph, n));
  const bool exact = texts || numbers; /* what a double rounds may have a text */
  if (count == size && (!exact || w->engine->kind == AD_KIND_F64)) {
    w->engine->set_doubles(w, plane, w->p->offset[n], value ? value : numbers->value, size);
    return;
  }
  for (size_t i = 0; i < size; i++) {
    size_t k = count == 1 ? 0 : i;
    const char *text = texts ? ad_values_text(texts, k) : numbers ? ad_numbers_text(numbers, k) : NULL;
    w->engine->set(w, plane, w->p->offset[n] + i, value ? value[k] : ad_numbers_double(numbers, k), text);
  }
}

static void mark_set(ad_workspace *w, ad_node input) {
  w->unset -= !w->input_set[input];
  w->input_set[input] = true;
}

static bool only_scalars(const ad_program *p) {
  for (size_t i = 0; i < p->block_count; i++)
    if (p->block[i].kind != AD_BLOCK_SAME && p->block[i].kind != AD_BLOCK_MIXED) return false;
  return true;
}

ad_status ad_workspace_new(ad_workspace **out, const ad_program *p, const ad_backend *b, const ad_workspace_options *o,
                           ad_error *e) {
  AD_GIVEN(out && p && b, e);
  return ad_workspace_with_engine(out, p, b, b->engine, o, e);
}

ad_status ad_workspace_with_engine(ad_workspace **out, const ad_program *p, const ad_backend *b,
                                   const ad_engine *engine, const ad_workspace_options *o, ad_error *e) {
  const ad_graph *g = p->graph;
  ad_workspace *w = ad_calloc(1, sizeof *w);
  if (!w) return ad_fail_memory(e);
  w->p = p;
  w->backend = b;
  w->engine = engine;
  w->kinks = ad_graph_kinks(g);
  if (o) w->options = *o;
  if (!w->options.precision) w->options.precision = DEFAULT_PRECISION;
  if (!w->options.points) w->options.points = 1;
  w->series_by_element = w->options.order && only_scalars(p);
#ifdef ADTOOL_PLANT
  w->plant = ad_planted_op;
#endif
  ad_status s = check_options(p, w, e);
  if (s) {
    ad_free(w);
    return s;
  }
  w->input_set = ad_calloc(ad_graph_input_count(g), sizeof *w->input_set);
  w->unset = ad_graph_input_count(g);
  s = w->input_set ? w->engine->open(w, e) : ad_fail_memory(e);
  if (s) {
    ad_workspace_free(w);
    return s;
  }
  w->result = w->adjoint ? w->adjoint : w->gradient;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) {
    if (p->offset[n] == UINT32_MAX || ad_graph_node_op(g, n) > AD_OP_CONSTANT) continue;
    ad_values v = ad_graph_node_values(g, n);
    if (n < ad_graph_input_count(g) && (v.count || !ad_shape_size(ad_graph_node_shape(g, n)))) mark_set(w, n);
    if (v.count) load(w, w->value, n, v.value, v.count, &v, NULL);
  }
  *out = w;
  return AD_OK;
}

void ad_workspace_free(ad_workspace *w) {
  if (!w) return;
  ad_careful_free(w);
  w->engine->close(w);
  ad_free(w->input_set);
  ad_free(w);
}

static ad_status no_value(const ad_workspace *w, ad_node input, ad_error *e) {
  const char *name = ad_graph_node_name(w->p->graph, input);
  return ad_fail(e, AD_EINPUT, "the input '%s' has no value; give one with --at %s=... or in the file", name, name);
}

ad_status ad_workspace_set_point(ad_workspace *w, const ad_point *p, ad_error *e) {
  AD_GIVEN(w && p, e);
  const ad_graph *g = w->p->graph;
  const size_t inputs = ad_graph_input_count(g);
  if (p->graph != g) return ad_fail(e, AD_EUSAGE, "the point belongs to another graph");
  for (ad_node n = 0; n < inputs; n++)
    if (!p->value[n] && !ad_graph_node_values(g, n).count && ad_shape_size(ad_graph_node_shape(g, n)))
      return no_value(w, n, e);
  w->primal_done = false;
  for (ad_node n = 0; n < inputs; n++) {
    const ad_values v = ad_graph_node_values(g, n);
    if (p->value[n])
      load(w, w->value, n, NULL, ad_numbers_count(p->value[n]), NULL, p->value[n]);
    else if (v.count)
      load(w, w->value, n, v.value, v.count, &v, NULL);
    mark_set(w, n);
  }
  return AD_OK;
}

ad_status ad_workspace_set_input(ad_workspace *w, ad_node input, const double *value, size_t count, ad_error *e) {
  AD_GIVEN(w && (value || !count), e);
  if (input >= ad_graph_input_count(w->p->graph)) return ad_fail(e, AD_EUSAGE, "node %u is not an input", input);
  size_t size = (size_t)ad_shape_size(ad_graph_node_shape(w->p->graph, input));
  if (count != size && count != 1)
    return ad_fail(e, AD_EUSAGE, "the input '%s' has %zu elements, not %zu", ad_graph_node_name(w->p->graph, input),
                   size, count);
  load(w, w->value, input, value, count, NULL, NULL);
  mark_set(w, input);
  w->primal_done = false;
  return AD_OK;
}

ad_status ad_workspace_set_inputs(ad_workspace *w, const double *value, size_t count, ad_error *e) {
  AD_GIVEN(w && (value || !count), e);
  if (count != w->p->input_size)
    return ad_fail(e, AD_EUSAGE, "the inputs have %u elements, not %zu", w->p->input_size, count);
  w->engine->set_doubles(w, w->value, 0, value, count);
  memset(w->input_set, true, ad_graph_input_count(w->p->graph));
  w->unset = 0;
  w->primal_done = false;
  return AD_OK;
}

void ad_workspace_set_numbers(ad_workspace *w, ad_node input, const ad_numbers *value) {
  load(w, w->value, input, NULL, ad_numbers_count(value), NULL, value);
  mark_set(w, input);
  w->primal_done = false;
}

void ad_workspace_set_rows(ad_workspace *w, ad_node first, ad_node end, const double *rows, size_t pitch,
                           size_t count) {
  const size_t points = w->options.points;
  double *x = ad_workspace_input_data(w, first);
  size_t size = 0;
  for (ad_node n = first; n < end; n++) {
    size += (size_t)ad_shape_size(ad_graph_node_shape(w->p->graph, n));
    mark_set(w, n);
  }
  ad_transpose(x, points, rows, pitch, count, size);
  for (size_t j = 0; count < points && j < size; j++)
    for (size_t b = count; b < points; b++) x[j * points + b] = x[j * points + count - 1];
}

ad_status ad_workspace_set_points(ad_workspace *w, ad_node input, const double *rows, size_t pitch, size_t count,
                                  ad_error *e) {
  AD_GIVEN(w && rows, e);
  if (input >= ad_graph_input_count(w->p->graph)) return ad_fail(e, AD_EUSAGE, "node %u is not an input", input);
  if (w->engine->kind != AD_KIND_F64 || !count || count > w->options.points)
    return ad_fail(e, AD_EUSAGE, "%zu points for a block of %zu", count, (size_t)w->options.points);
  ad_workspace_set_rows(w, input, input + 1, rows, pitch, count);
  return AD_OK;
}

void *ad_workspace_input_data(ad_workspace *w, ad_node input) {
  w->primal_done = false;
  return (void *)w->engine->at(w, w->value, w->p->offset[input]);
}

ad_status ad_workspace_primal(ad_workspace *w, ad_error *e) {
  AD_GIVEN(w, e);
  for (ad_node n = 0; w->unset && n < ad_graph_input_count(w->p->graph); n++)
    if (!w->input_set[n]) return no_value(w, n, e);
  w->engine->primal(w);
  w->primal_done = true;
  return ad_careful_primal(w, e);
}

static void clear_series(ad_workspace *w) {
  for (uint32_t j = 1; j <= w->options.order; j++)
    w->engine->zero(w, w->series, ad_series_at(w, j, 0), w->p->input_size);
}

void ad_workspace_clear_seeds(ad_workspace *w) {
  if (!w) return;
  for (uint32_t k = 0; k < w->options.directions; k++)
    w->engine->zero(w, w->tangent, (size_t)k * w->p->size, w->p->input_size);
  clear_series(w);
  if (w->adjoint) w->engine->clear_adjoints(w);
}

static size_t place(const ad_workspace *w, ad_node n) {
  return n < ad_graph_node_count(w->p->graph) ? w->p->offset[n] : UINT32_MAX;
}

static size_t elements(const ad_workspace *w, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(w->p->graph, n));
}

static ad_status check_input(const ad_workspace *w, ad_node input, ad_error *e) {
  if (input < ad_graph_input_count(w->p->graph) && w->p->active[input]) return AD_OK;
  return ad_fail(e, AD_EUSAGE, "node %u is not an input that the program differentiates by", input);
}

static ad_status check_direction(const ad_workspace *w, uint32_t direction, ad_error *e) {
  if (direction < w->options.directions) return AD_OK;
  return ad_fail(e, AD_EUSAGE, "direction %u of a workspace with %u", direction, w->options.directions);
}

static ad_status check_adjoint(const ad_workspace *w, ad_node node, ad_error *e) {
  if (!w->adjoint) return ad_fail(e, AD_EUSAGE, "the workspace was made without reverse mode");
  if (place(w, node) == UINT32_MAX) return ad_fail(e, AD_EUSAGE, "node %u is not in the program", node);
  return AD_OK;
}

static ad_status check_element(const ad_workspace *w, ad_node n, size_t element, ad_error *e) {
  if (element < elements(w, n)) return AD_OK;
  char node[AD_NODE_TEXT];
  return ad_fail(e, AD_EUSAGE, "%s has %zu elements, and no element %zu", ad_graph_node_text(w->p->graph, n, node),
                 elements(w, n), element);
}

ad_status ad_workspace_seed_tangent(ad_workspace *w, uint32_t direction, ad_node input, size_t element, double seed,
                                    ad_error *e) {
  AD_GIVEN(w, e);
  ad_status s = check_direction(w, direction, e);
  if (!s) s = check_input(w, input, e);
  if (!s) s = check_element(w, input, element, e);
  if (!s) w->engine->set(w, w->tangent, (size_t)direction * w->p->size + w->p->offset[input] + element, seed, NULL);
  return s;
}

ad_status ad_workspace_seed_coefficient(ad_workspace *w, uint32_t j, ad_node input, size_t element, double seed,
                                        ad_error *e) {
  AD_GIVEN(w, e);
  if (!j || j > w->options.order)
    return ad_fail(e, AD_EUSAGE, "coefficient %u of a workspace with series of order %u", j, w->options.order);
  ad_status s = check_input(w, input, e);
  if (!s) s = check_element(w, input, element, e);
  if (!s) w->engine->set(w, w->series, ad_series_at(w, j, w->p->offset[input]) + element, seed, NULL);
  return s;
}

ad_status ad_workspace_set_direction(ad_workspace *w, const ad_point *d, ad_error *e) {
  AD_GIVEN(w && d, e);
  const size_t inputs = ad_graph_input_count(w->p->graph);
  if (d->graph != w->p->graph) return ad_fail(e, AD_EUSAGE, "the direction belongs to another graph");
  if (!w->series) return ad_fail(e, AD_EUSAGE, "the workspace was made without series");
  for (ad_node n = 0; n < inputs; n++) {
    ad_status s = d->value[n] ? check_input(w, n, e) : AD_OK;
    if (s) return s;
  }
  clear_series(w);
  for (ad_node n = 0; n < inputs; n++) /* coefficient 1 of an input is where its value is in the other plane */
    if (d->value[n]) load(w, w->series, n, NULL, ad_numbers_count(d->value[n]), NULL, d->value[n]);
  return AD_OK;
}

void ad_workspace_put_numbers(ad_workspace *w, void *plane, size_t at, size_t size, const ad_numbers *value) {
  const bool one = ad_numbers_count(value) == 1;
  for (size_t i = 0; i < size; i++) {
    const size_t k = one ? 0 : i;
    w->engine->set(w, plane, at + i, ad_numbers_double(value, k), ad_numbers_text(value, k));
  }
}

static ad_status check_count(const ad_workspace *w, ad_node n, const ad_numbers *seed, ad_error *e) {
  const size_t size = elements(w, n), have = ad_numbers_count(seed);
  if (have == size || have == 1) return AD_OK;
  char node[AD_NODE_TEXT];
  return ad_fail(e, AD_EUSAGE, "%s has %zu elements, not %zu", ad_graph_node_text(w->p->graph, n, node), size, have);
}

ad_status ad_workspace_seed_tangents(ad_workspace *w, uint32_t direction, ad_node input, const ad_numbers *seed,
                                     ad_error *e) {
  AD_GIVEN(w && seed, e);
  ad_status s = check_direction(w, direction, e);
  if (!s) s = check_input(w, input, e);
  if (!s) s = check_count(w, input, seed, e);
  if (!s)
    ad_workspace_put_numbers(w, w->tangent, (size_t)direction * w->p->size + w->p->offset[input], elements(w, input),
                             seed);
  return s;
}

ad_status ad_workspace_seed_adjoints(ad_workspace *w, ad_node node, const ad_numbers *seed, ad_error *e) {
  AD_GIVEN(w && seed, e);
  ad_status s = check_adjoint(w, node, e);
  if (!s) s = check_count(w, node, seed, e);
  if (!s) s = ad_careful_seeds(w, node, e);
  const size_t size = s ? 0 : elements(w, node);
  const bool one = ad_numbers_count(seed) == 1;
  for (size_t i = 0; i < size; i++) {
    const size_t k = one ? 0 : i;
    w->engine->seed_adjoint(w, place(w, node) + i, ad_numbers_double(seed, k), ad_numbers_text(seed, k));
  }
  return s;
}

ad_status ad_workspace_seed_adjoint(ad_workspace *w, ad_node node, size_t element, double seed, ad_error *e) {
  AD_GIVEN(w, e);
  ad_status s = check_adjoint(w, node, e);
  if (!s) s = check_element(w, node, element, e);
  if (!s) s = ad_careful_seeds(w, node, e);
  if (!s) w->engine->seed_adjoint(w, place(w, node) + element, seed, NULL);
  return s;
}

static ad_status ready(const ad_workspace *w, const void *plane, const char *mode, ad_error *e) {
  if (!plane) return ad_fail(e, AD_EUSAGE, "the workspace was made without %s mode", mode);
  if (!w->primal_done) return ad_fail(e, AD_EUSAGE, "%s mode wants a primal run first", mode);
  return AD_OK;
}

ad_status ad_workspace_forward(ad_workspace *w, ad_error *e) {
  AD_GIVEN(w, e);
  ad_status s = ready(w, w->tangent, "forward", e);
  if (s) return s;
  w->engine->forward(w);
  return ad_careful_forward(w, e);
}

ad_status ad_workspace_reverse(ad_workspace *w, ad_error *e) {
  AD_GIVEN(w, e);
  ad_status s = ready(w, w->adjoint, "reverse", e);
  if (!s) s = ad_careful_keep_seeds(w, e);
  if (s) return s;
  w->engine->reverse(w);
  return ad_careful_reverse(w, e);
}

ad_status ad_workspace_taylor(ad_workspace *w, ad_error *e) {
  AD_GIVEN(w, e);
  ad_status s = ready(w, w->series, "taylor", e);
  if (s) return s;
  w->engine->taylor(w);
  return ad_careful_series(w, e);
}

/* Of a node's elements, from `at` in the planes on. */
static ad_span span_at(const ad_workspace *w, const void *planes, size_t at, ad_node n) {
  return (ad_span){w->engine->kind, elements(w, n) * w->options.points, w->engine->at(w, planes, at)};
}

static ad_span no_span(const ad_workspace *w) {
  return (ad_span){.kind = w ? w->engine->kind : AD_KIND_F64};
}

static ad_span span_of(const ad_workspace *w, const void *plane, size_t base, ad_node n) {
  size_t at = place(w, n);
  return plane && at != UINT32_MAX ? span_at(w, plane, base + at, n) : no_span(w);
}

ad_span ad_workspace_value(const ad_workspace *w, ad_node n) {
  return w ? span_of(w, w->value, 0, n) : no_span(w);
}

ad_span ad_workspace_tangent(const ad_workspace *w, uint32_t direction, ad_node n) {
  if (!w || direction >= w->options.directions) return no_span(w);
  return span_of(w, w->tangent, (size_t)direction * w->p->size, n);
}

ad_span ad_workspace_coefficient(const ad_workspace *w, uint32_t j, ad_node n) {
  if (!w || !j) return ad_workspace_value(w, n);
  const size_t at = place(w, n);
  if (j > w->options.order || at == UINT32_MAX) return no_span(w);
  return span_at(w, w->series, ad_series_at(w, j, at), n);
}

ad_span ad_workspace_adjoint(const ad_workspace *w, ad_node n) {
  return w ? span_of(w, w->adjoint, 0, n) : no_span(w);
}

ad_span ad_workspace_gradient(const ad_workspace *w, ad_node input) {
  if (!w || input >= ad_graph_input_count(w->p->graph)) return no_span(w);
  return span_of(w, w->result, 0, input);
}

ad_span ad_workspace_gradients(const ad_workspace *w) {
  if (!w) return no_span(w);
  return (ad_span){w->engine->kind, w->result ? (size_t)w->p->input_size * w->options.points : 0, w->result};
}

void ad_workspace_diagnose(ad_workspace *w, ad_notice_fn *notice, void *context) {
  if (!w || !notice || !w->primal_done || w->options.points > 1) return;
  w->engine->diagnose(w, notice, context);
  if (w->p->packed) ad_careful_restore(w);
}

bool ad_workspace_undetermined(const ad_workspace *w, ad_node *n, size_t *element) {
  size_t unwanted;
  ad_node node = AD_NO_NODE;
  const bool lost = w && ad_careful_lost(w, &node, element ? element : &unwanted);
  if (n) *n = node;
  return lost;
}

double ad_span_double(const ad_span *s, size_t i) {
  if (!s || i >= s->count) return NAN;
  if (s->kind == AD_KIND_BALL) return arf_get_d(arb_midref(ad_ball_at(s, i)), ARF_RND_NEAR);
  return s->kind == AD_KIND_F64 ? ((const double *)s->data)[i]
                                : mpfr_get_d((const __mpfr_struct *)s->data + i, MPFR_RNDN);
}

static size_t special_text(char *buf, size_t size, int nan, int negative, int zero) {
  return (size_t)snprintf(buf, size, "%s", nan ? "nan" : zero ? negative ? "-0" : "0" : negative ? "-inf" : "inf");
}

size_t ad_span_text(char *buf, size_t size, const ad_span *s, size_t i, unsigned digits) {
  if (!s || i >= s->count || (!buf && size)) {
    if (buf && size) *buf = '\0';
    return 0;
  }
  if (s->kind == AD_KIND_F64) {
    double v = ((const double *)s->data)[i];
    char text[AD_NUMBER_TEXT];
    if (digits && digits < 17 && isfinite(v)) return (size_t)snprintf(buf, size, "%.*g", (int)digits, v);
    ad_number_short_text(text, v);
    return (size_t)snprintf(buf, size, "%s", text);
  }
  mpfr_srcptr v = (const __mpfr_struct *)s->data + i;
  if (!mpfr_regular_p(v)) return special_text(buf, size, mpfr_nan_p(v), mpfr_signbit(v), mpfr_zero_p(v));
  if (!digits) { /* enough to read back at the same precision */
    digits = (unsigned)mpfr_get_str_ndigits(10, mpfr_get_prec(v));
  }
  int n = mpfr_snprintf(buf, size, "%.*Rg", (int)digits, v);
  return n < 0 ? 0 : (size_t)n;
}
