/* One thread's part of a batch: blocks of rows through a workspace, or rows one by one through ad_check. */
#include <string.h>

#include "batch/plan.h"
#include "error.h"
#include "exec/workspace.h"
#include "ir/point.h"

struct ad_batch_worker {
  const ad_batch_plan *p;
  ad_workspace *w;
  ad_point *point; /* of a check */
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

static ad_status open_workspace(ad_batch_worker *w, ad_error *e) {
  const ad_batch_plan *p = w->p;
  const ad_workspace_options o = ad_batch_workspace(p, p->points);
  ad_status s = ad_workspace_new(&w->w, p->program, p->o.backend, &o, e);
  for (ad_node n = 0; !s && n < ad_graph_input_count(p->graph); n++) {
    const ad_numbers *v = p->point ? p->point->value[n] : NULL;
    if (!p->given[n] && v) ad_workspace_set_numbers(w->w, n, v);
  }
  return s;
}

ad_status ad_batch_worker_new(ad_batch_worker **out, const ad_batch_plan *p, ad_error *e) {
  ad_batch_worker *w = ad_calloc(1, sizeof *w);
  if (!w) return ad_fail_memory(e);
  w->p = p;
  ad_status s = p->o.task == AD_BATCH_CHECK ? open_check(w, e) : open_workspace(w, e);
  if (s) {
    ad_batch_worker_free(w);
    return s;
  }
  *out = w;
  return AD_OK;
}

void ad_batch_worker_free(ad_batch_worker *w) {
  if (!w) return;
  ad_workspace_free(w->w);
  ad_point_free(w->point);
  ad_free(w);
}

/* Elements first .. first+count-1 of a span, at the first `rows` points of the block, to a column of rows. */
static void put_columns(double *out, size_t width, const ad_span *s, size_t first, size_t count, size_t points,
                        size_t rows) {
  enum { TILE = 8 }; /* rows whose lines of the cache are filled together */
  if (s->kind != AD_KIND_F64) {
    for (size_t j = 0; j < count; j++) out[j] = ad_span_double(s, first + j);
    return;
  }
  const double *v = (const double *)s->data + first * points;
  for (size_t b0 = 0; b0 < rows; b0 += TILE) {
    const size_t b1 = b0 + TILE < rows ? b0 + TILE : rows;
    for (size_t j = 0; j < count; j++)
      for (size_t b = b0; b < b1; b++) out[b * width + j] = v[j * points + b];
  }
}

static ad_status work_block(ad_batch_worker *w, const double *in, size_t count, double *out, ad_error *e) {
  const ad_batch_plan *p = w->p;
  const size_t inputs = ad_graph_input_count(p->graph);
  ad_status s = AD_OK;
  for (ad_node n = 0; !s && n < inputs; n++) {
    if (!p->given[n]) continue;
    s = ad_backend_kind(p->o.backend) == AD_KIND_F64
            ? ad_workspace_set_points(w->w, n, in + p->first[n], p->inputs, count, e)
            : ad_workspace_set_input(w->w, n, in + p->first[n], size_of(p, n), e);
  }
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
      r.weight = p->o.weight;
    } else if (element != SIZE_MAX) {
      r.seed_count = 1;
      r.element = &element;
    }
    s = ad_workspace_run_gradient(w->w, &r, e);
    for (size_t k = 0; !s && k < ad_program_wrt_count(p->program); k++) {
      const ad_node x = ad_program_wrt(p->program, k);
      const ad_span d = ad_workspace_gradient(w->w, x);
      put_columns(out, p->width, &d, 0, size_of(p, x), p->points, count);
      out += size_of(p, x);
    }
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
  out[AD_CHECK_DIGITS] = r.min_digits;
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
    s = p->o.task == AD_BATCH_CHECK ? check_row(w, in + b * p->inputs, out + b * p->width, e)
                                    : work_block(w, in + b * p->inputs, rows, out + b * p->width, e);
  }
  return s;
}
