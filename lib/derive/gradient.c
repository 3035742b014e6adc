/* Gradients: one reverse sweep, or forward sweeps for a few input elements at a time. */
#include "backends/backend.h"
#include "error.h"
#include "exec/workspace.h"

static size_t seed_element(const ad_gradient_request *r, size_t i) {
  return r->element ? r->element[i] : i;
}

static double seed_weight(const ad_gradient_request *r, size_t i, const char **text) {
  *text = r->exact ? ad_numbers_text(r->exact, i) : NULL;
  return r->exact ? ad_numbers_double(r->exact, i) : r->weight ? r->weight[i] : 1.0;
}

static ad_status check_request(const ad_workspace *w, const ad_gradient_request *r, ad_error *e) {
  if (ad_workspace_value(w, r->output).data == NULL)
    return ad_fail(e, AD_EUSAGE, "node %u is not in the program", r->output);
  const ad_shape *shape = ad_graph_node_shape(w->p->graph, r->output);
  size_t size = (size_t)ad_shape_size(shape);
  if (!r->seed_count && size != 1) {
    char text[AD_SHAPE_TEXT], node[AD_NODE_TEXT];
    ad_shape_text(text, shape);
    return ad_fail(e, AD_EUSAGE, "%s has shape %s; a gradient wants one element of it or weights",
                   ad_graph_node_text(w->p->graph, r->output, node), text);
  }
  if (r->exact && ad_numbers_count(r->exact) != r->seed_count)
    return ad_fail(e, AD_EUSAGE, "%zu weights for %zu elements", ad_numbers_count(r->exact), r->seed_count);
  for (size_t i = 0; i < r->seed_count; i++)
    if (seed_element(r, i) >= size)
      return ad_fail(e, AD_EUSAGE, "element %zu of an output with %zu", seed_element(r, i), size);
  return AD_OK;
}

static ad_status by_reverse(ad_workspace *w, const ad_gradient_request *r, ad_error *e) {
  ad_workspace_clear_seeds(w);
  ad_status s = AD_OK;
  if (!r->seed_count) s = ad_workspace_seed_adjoint(w, r->output, 0, 1.0, e);
  for (size_t i = 0; !s && i < r->seed_count; i++) {
    const char *text;
    const double v = seed_weight(r, i, &text);
    s = ad_workspace_seed_adjoint(w, r->output, seed_element(r, i), text ? 0 : v, e); /* checks, too */
    if (!s && text) w->engine->seed_adjoint(w, w->p->offset[r->output] + seed_element(r, i), v, text);
  }
  if (!s) s = ad_workspace_reverse(w, e);
  if (!s) w->result = w->adjoint;
  return s;
}

/* Adds the weighted tangents of the output in one direction to a gradient element. */
static void collect(ad_workspace *w, const ad_gradient_request *r, uint32_t direction, size_t to) {
  size_t plane = (size_t)direction * w->p->size + w->p->offset[r->output];
  if (!r->seed_count) {
    w->engine->copy(w, w->gradient, to, w->tangent, plane, 1);
    return;
  }
  w->engine->zero(w, w->gradient, to, 1);
  for (size_t i = 0; i < r->seed_count; i++) {
    const char *text;
    const double v = seed_weight(r, i, &text);
    w->engine->add_scaled(w, w->gradient, to, w->tangent, plane + seed_element(r, i), v, text);
  }
}

enum { MAX_LANES = 64 };

/* Runs the directions seeded so far and puts their results where they belong. */
static ad_status flush(ad_workspace *w, const ad_gradient_request *r, const size_t *target, uint32_t used,
                       ad_error *e) {
  ad_status s = used ? ad_workspace_forward(w, e) : AD_OK;
  for (uint32_t k = 0; !s && k < used; k++) collect(w, r, k, target[k]);
  return s;
}

static ad_status by_forward(ad_workspace *w, const ad_gradient_request *r, ad_error *e) {
  uint32_t lanes = w->options.directions, used = 0;
  size_t target[MAX_LANES];
  if (!lanes) return ad_fail(e, AD_EUSAGE, "the workspace was made without forward mode");
  w->result = w->gradient;
  if (lanes > MAX_LANES) lanes = MAX_LANES;
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < w->p->wrt_count; i++) {
    ad_node n = w->p->wrt[i];
    size_t size = (size_t)ad_shape_size(ad_graph_node_shape(w->p->graph, n));
    for (size_t j = 0; !s && j < size; j++) {
      if (!used) ad_workspace_clear_seeds(w);
      s = ad_workspace_seed_tangent(w, used, n, j, 1.0, e);
      target[used++] = w->p->offset[n] + j;
      if (s || used < lanes) continue;
      s = flush(w, r, target, used, e);
      used = 0;
    }
  }
  return s ? s : flush(w, r, target, used, e);
}

ad_status ad_workspace_run_gradient(ad_workspace *w, const ad_gradient_request *r, ad_error *e) {
  AD_GIVEN(w && r, e);
  ad_mode mode = r->mode == AD_MODE_DEFAULT ? w->backend->mode : r->mode;
  if (!ad_backend_supports(w->backend, mode))
    return ad_fail(e, AD_EUSAGE, "the backend '%s' has no %s mode", w->backend->name,
                   mode == AD_MODE_FORWARD ? "forward" : "reverse");
  ad_status s = check_request(w, r, e);
  if (s) return s;
  return mode == AD_MODE_FORWARD ? by_forward(w, r, e) : by_reverse(w, r, e);
}
