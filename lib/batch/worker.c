/* One thread's part of a batch: blocks of rows through a workspace, or rows one by one through a Jacobian,
 * Hessians or ad_check. */
#include <math.h>
#include <string.h>

#include "batch/plan.h"
#include "error.h"
#include "exec/transpose.h"
#include "exec/workspace.h"
#include "ir/point.h"

struct ad_batch_worker {
  const ad_batch_plan *p;
  ad_workspace *w; /* owned unless it is the Jacobian's */
  ad_jacobian *jacobian;
  ad_hessian **hessian; /* of each output */
  ad_point *point;      /* of a check */
  bool undetermined;    /* in a row */
};

static size_t size_of(const ad_batch_plan *p, ad_node input) {
  return p->first[input + 1] - p->first[input];
}

static ad_status open_check(ad_batch_worker *w, ad_error *e) {
  ad_status s = ad_point_new(&w->point, w->p->graph, e);
  for (ad_node n = 0; !s && w->p->point && n < ad_graph_input_count(w->p->graph); n++)
    if (w->p->point->value[n]) s = ad_point_set(w->point, n, w->p->point->value[n], e);
  return s;
}

static void take_undetermined(ad_batch_worker *w, const ad_workspace *from) {
  w->undetermined = w->undetermined || ad_workspace_undetermined(from, NULL, NULL);
}

bool ad_batch_undetermined(const ad_batch_worker *w) {
  return w && w->undetermined;
}

static void set_constants(const ad_batch_plan *p, ad_workspace *w) {
  for (ad_node n = 0; n < ad_graph_input_count(p->graph); n++) {
    const ad_numbers *v = p->point ? p->point->value[n] : NULL;
    if (!p->given[n] && v) ad_workspace_set_numbers(w, n, v);
  }
}

static ad_status open_workspace(ad_batch_worker *w, ad_error *e) {
  const ad_batch_plan *p = w->p;
  const ad_workspace_options o = ad_batch_workspace(p, p->points);
  ad_status s = ad_workspace_new(&w->w, p->program, p->o.backend, &o, e);
  if (!s) set_constants(p, w->w);
  return s;
}

static ad_status open_jacobian(ad_batch_worker *w, ad_error *e) {
  const ad_batch_plan *p = w->p;
  const ad_jacobian_options o = {.mode = p->o.mode, .precision = p->o.precision};
  ad_status s = ad_jacobian_new(&w->jacobian, p->program, p->o.backend, &o, e);
  if (!s) set_constants(p, ad_jacobian_workspace(w->jacobian));
  return s;
}

/* What is differentiated is output number i: an element of it, a weighted sum, or itself. */
static ad_status open_hessians(ad_batch_worker *w, ad_error *e) {
  const ad_batch_plan *p = w->p;
  ad_status s = AD_OK;
  w->hessian = ad_calloc(p->o.output_count + 1, sizeof(ad_hessian *));
  if (!w->hessian) return ad_fail_memory(e);
  for (size_t i = 0; !s && i < p->o.output_count; i++) {
    ad_hessian_options o = {.of = {.output_count = 1,
                                   .output = &p->o.output[i],
                                   .wrt_count = p->o.wrt_count,
                                   .wrt = p->o.wrt,
                                   .seed_count = p->o.weight_count,
                                   .exact = p->o.weight},
                            .mode = p->o.mode,
                            .precision = p->o.precision};
    if (!o.of.seed_count && p->o.element[i] != SIZE_MAX) {
      o.of.seed_count = 1;
      o.of.element = &p->o.element[i];
    }
    s = ad_hessian_new(&w->hessian[i], p->graph, p->o.backend, &o, e);
    if (!s) set_constants(p, ad_hessian_workspace(w->hessian[i]));
  }
  return s;
}

ad_status ad_batch_worker_new(ad_batch_worker **out, const ad_batch_plan *p, ad_error *e) {
  ad_batch_worker *w = ad_calloc(1, sizeof *w);
  if (!w) return ad_fail_memory(e);
  w->p = p;
  ad_status s = p->o.task == AD_BATCH_CHECK  ? open_check(w, e)
                : p->o.task == AD_BATCH_JAC  ? open_jacobian(w, e)
                : p->o.task == AD_BATCH_HESS ? open_hessians(w, e)
                                             : open_workspace(w, e);
  if (s) {
    ad_batch_worker_free(w);
    return s;
  }
  *out = w;
  return AD_OK;
}

void ad_batch_worker_free(ad_batch_worker *w) {
  if (!w) return;
  for (size_t i = 0; w->hessian && i < w->p->o.output_count; i++) ad_hessian_free(w->hessian[i]);
  ad_free(w->hessian);
  ad_jacobian_free(w->jacobian);
  ad_workspace_free(w->w);
  ad_point_free(w->point);
  ad_free(w);
}

/* Elements first .. first+count-1 of a span, at the first `rows` points of the block, to a column of rows. */
static void put_columns(double *out, size_t width, const ad_span *s, size_t first, size_t count, size_t points,
                        size_t rows) {
  if (s->kind == AD_KIND_F64)
    ad_transpose(out, width, (const double *)s->data + first * points, points, count, rows);
  else
    for (size_t j = 0; j < count; j++) out[j] = ad_span_double(s, first + j);
}

static ad_status set_row(const ad_batch_plan *p, ad_workspace *w, const double *in, ad_error *e) {
  ad_status s = AD_OK;
  for (ad_node n = 0; !s && n < ad_graph_input_count(p->graph); n++)
    if (p->given[n]) s = ad_workspace_set_input(w, n, in + p->first[n], size_of(p, n), e);
  return s;
}

static ad_status set_block(ad_batch_worker *w, const double *in, size_t count, ad_error *e) {
  const ad_batch_plan *p = w->p;
  const ad_node inputs = (ad_node)ad_graph_input_count(p->graph);
  if (ad_batch_kind(p) != AD_KIND_F64) return set_row(p, w->w, in, e);
  for (ad_node n = 0, end; n < inputs; n = end) {
    for (end = n; end < inputs && p->given[end] == p->given[n];) end++;
    if (p->given[n]) ad_workspace_set_rows(w->w, n, end, in + p->first[n], p->inputs, count);
  }
  return AD_OK;
}

/* Inputs that follow one another have gradients that do. */
static void put_gradient(ad_batch_worker *w, double *out, size_t count) {
  const ad_batch_plan *p = w->p;
  const ad_span d = ad_workspace_gradients(w->w);
  const size_t inputs = ad_program_wrt_count(p->program);
  for (size_t k = 0, end; k < inputs; k = end) {
    const ad_node x = ad_program_wrt(p->program, k);
    for (end = k + 1; end < inputs && ad_program_wrt(p->program, end) == x + (end - k);) end++;
    const size_t size = p->first[x + (end - k)] - p->first[x];
    put_columns(out, p->width, &d, p->first[x], size, p->points, count);
    out += size;
  }
}

static ad_status work_block(ad_batch_worker *w, const double *in, size_t count, double *out, ad_error *e) {
  const ad_batch_plan *p = w->p;
  ad_status s = set_block(w, in, count, e);
  if (!s) s = ad_workspace_primal(w->w, e);
  for (size_t i = 0; !s && i < p->o.output_count; i++) {
    const ad_node n = ad_graph_output_node(p->graph, p->o.output[i]);
    const size_t values = ad_batch_values(p, i), element = p->o.element[i];
    const ad_span v = ad_workspace_value(w->w, n);
    put_columns(out, p->width, &v, element == SIZE_MAX ? 0 : element, values, p->points, count);
    out += values;
    if (p->o.task != AD_BATCH_GRAD) continue;
    ad_gradient_request r = {.output = n, .mode = p->o.mode};
    if (p->o.weight_count) {
      r.seed_count = p->o.weight_count;
      r.exact = p->o.weight;
    } else if (element != SIZE_MAX) {
      r.seed_count = 1;
      r.element = &element;
    }
    s = ad_workspace_run_gradient(w->w, &r, e);
    if (!s) put_gradient(w, out, count);
    out += ad_batch_wrt(p);
  }
  take_undetermined(w, w->w);
  return s;
}

/* Elements first .. first+count-1 of a span to a row; returns what comes behind them. */
static double *put_numbers(double *out, const ad_span *s, size_t first, size_t count) {
  for (size_t j = 0; j < count; j++) *out++ = ad_span_double(s, first + j);
  return out;
}

static ad_status jacobian_row(ad_batch_worker *w, const double *in, double *out, ad_error *e) {
  const ad_batch_plan *p = w->p;
  ad_workspace *at = ad_jacobian_workspace(w->jacobian);
  ad_status s = set_row(p, at, in, e);
  if (!s) s = ad_jacobian_run(w->jacobian, e);
  if (s) return s;
  take_undetermined(w, at);
  for (size_t i = 0; i < p->o.output_count; i++) {
    const ad_span v = ad_workspace_value(at, ad_graph_output_node(p->graph, p->o.output[i]));
    out = put_numbers(out, &v, p->o.element[i] == SIZE_MAX ? 0 : p->o.element[i], ad_batch_values(p, i));
  }
  const ad_span m = ad_jacobian_values(w->jacobian); /* of all elements of the outputs */
  const size_t n = ad_batch_wrt(p);
  for (size_t i = 0, row = 0; i < p->o.output_count; i++) {
    const size_t element = p->o.element[i] == SIZE_MAX ? 0 : p->o.element[i];
    out = put_numbers(out, &m, (row + element) * n, ad_batch_values(p, i) * n);
    row += (size_t)ad_shape_size(ad_graph_node_shape(p->graph, ad_graph_output_node(p->graph, p->o.output[i])));
  }
  return AD_OK;
}

static ad_status hessian_row(ad_batch_worker *w, const double *in, double *out, ad_error *e) {
  const ad_batch_plan *p = w->p;
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < p->o.output_count; i++) {
    ad_hessian *h = w->hessian[i];
    s = set_row(p, ad_hessian_workspace(h), in, e);
    if (!s) s = ad_workspace_primal(ad_hessian_workspace(h), e);
    if (!s) s = ad_hessian_run(h, e);
    if (s) break;
    take_undetermined(w, ad_hessian_workspace(h));
    ad_span v = ad_hessian_output(h);
    out = put_numbers(out, &v, p->o.element[i] == SIZE_MAX ? 0 : p->o.element[i], ad_batch_values(p, i));
    for (size_t k = 0; k < ad_hessian_wrt_count(h); k++) {
      v = ad_hessian_gradient(h, k);
      out = put_numbers(out, &v, 0, size_of(p, ad_hessian_wrt(h, k)));
    }
    v = ad_hessian_values(h);
    out = put_numbers(out, &v, 0, v.count);
  }
  return s;
}

static ad_status check_row(ad_batch_worker *w, const double *in, double *out, ad_error *e) {
  const ad_batch_plan *p = w->p;
  ad_check_report r;
  ad_status s = AD_OK;
  for (ad_node n = 0; !s && n < ad_graph_input_count(p->graph); n++)
    if (p->given[n]) s = ad_point_set_double(w->point, n, in + p->first[n], size_of(p, n), e);
  if (!s) s = ad_check(&r, p->graph, w->point, p->o.check, e);
  if (s) return s;
  out[AD_CHECK_VERDICT] = r.verdict;
  out[AD_CHECK_DIGITS] = r.unknown_digits ? (double)NAN : r.min_digits;
  out[AD_CHECK_ULPS] = r.max_ulps;
  out[AD_CHECK_ENTRIES] = (double)r.entries;
  out[AD_CHECK_AGREES] = (double)r.by_class[AD_ENTRY_AGREES];
  ad_check_clear(&r);
  return AD_OK;
}

/* As ad_point_set does it. */
static void round_inputs(const ad_batch_plan *p, double *in, size_t count) {
  for (ad_node n = 0; n < ad_graph_input_count(p->graph); n++) {
    if (!p->given[n] || ad_graph_node_dtype(p->graph, n) != AD_F32) continue;
    for (size_t b = 0; b < count; b++)
      for (size_t j = p->first[n]; j < p->first[n + 1]; j++) in[b * p->inputs + j] = (float)in[b * p->inputs + j];
  }
}

ad_status ad_batch_work(ad_batch_worker *w, double *in, size_t count, double *out, ad_error *e) {
  const ad_batch_plan *p = w->p;
  ad_status s = AD_OK;
  round_inputs(p, in, count);
  for (size_t b = 0; !s && b < count; b += p->points) {
    const size_t rows = count - b < p->points ? count - b : p->points;
    const double *from = in + b * p->inputs;
    double *to = out + b * p->width;
    s = p->o.task == AD_BATCH_CHECK  ? check_row(w, from, to, e)
        : p->o.task == AD_BATCH_JAC  ? jacobian_row(w, from, to, e)
        : p->o.task == AD_BATCH_HESS ? hessian_row(w, from, to, e)
                                     : work_block(w, from, rows, to, e);
  }
  return s;
}
