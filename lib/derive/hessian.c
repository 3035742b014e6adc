/* Hessians: the graph of the gradient, planned once, and sweeps over it. */
#include "backends/backend.h"
#include "error.h"
#include "exec/workspace.h"
#include "ir/point.h"
#include "mem.h"

enum { LANES = 8 }; /* tangents at once */

struct ad_hessian {
  const ad_graph *from;
  ad_graph *g; /* the output, then its derivative by each input of wrt */
  ad_program *p;
  ad_workspace *w;
  ad_mode mode;
  size_t size, wrt_count;
  ad_node *wrt;
  uint32_t *row, *column; /* offsets of the gradient's and of the inputs' elements; AD_ABSENT: its derivatives are 0 */
  size_t most, columns;   /* columns that fit, and those of the last run */
  void *value, *seed;     /* planes: `size` x `most` numbers, and one */
};

/* What columns are multiplied with: numbers as doubles, exact ones, or, with neither, those of the unit matrix. */
typedef struct seeds {
  const double *value;
  const ad_numbers *exact;
  size_t columns;
} seeds;

static double seed_at(const seeds *s, size_t i, size_t j, const char **text) {
  const size_t at = i * s->columns + j;
  *text = s->exact ? ad_numbers_text(s->exact, at) : NULL;
  return s->exact ? ad_numbers_double(s->exact, at) : s->value ? s->value[at] : i == j;
}

/* ---- Planning */

static size_t elements(const ad_graph *g, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(g, n));
}

static ad_status list_wrt(ad_hessian *h, const ad_derivative_request *r, ad_error *e) {
  const size_t inputs = ad_graph_input_count(h->from);
  bool *named = ad_calloc(inputs + 1, sizeof *named);
  h->wrt = ad_calloc(inputs + 1, sizeof *h->wrt);
  for (size_t i = 0; named && i < r->wrt_count; i++) named[r->wrt[i]] = true;
  for (ad_node i = 0; named && h->wrt && i < inputs; i++)
    if (r->wrt_count ? named[i] : !ad_graph_input_fixed(h->from, i)) h->wrt[h->wrt_count++] = i;
  for (size_t i = 0; i < h->wrt_count; i++) h->size += elements(h->from, h->wrt[i]);
  ad_free(named);
  return named && h->wrt ? AD_OK : ad_fail_memory(e);
}

static ad_status list_elements(ad_hessian *h, ad_error *e) {
  h->row = ad_malloc(h->size, sizeof *h->row);
  h->column = ad_malloc(h->size, sizeof *h->column);
  if (!h->row || !h->column) return ad_fail_memory(e);
  for (size_t i = 0, at = 0; i < h->wrt_count; i++) {
    const ad_node d = ad_graph_output_node(h->g, i + 1);
    for (size_t k = 0; k < elements(h->g, d); k++, at++) {
      h->row[at] = h->p->active[d] ? h->p->offset[d] + (uint32_t)k : AD_ABSENT;
      h->column[at] = h->p->offset[h->wrt[i]] + (uint32_t)k;
    }
  }
  return AD_OK;
}

static ad_status make_workspace(ad_hessian *h, const ad_backend *b, const ad_hessian_options *o, ad_error *e) {
  const ad_limits *l = ad_graph_limits(h->from);
  size_t count, lanes = h->most < LANES ? h->most : LANES;
  const bool forward = h->mode == AD_MODE_FORWARD;
  const ad_workspace_options w = {
      .precision = o->precision, .directions = forward ? (uint32_t)(lanes ? lanes : 1) : 0, .reverse = !forward};
  ad_status s = ad_workspace_new(&h->w, h->p, b, &w, e);
  if (s) return s;
  const double number = b->engine->kind == AD_KIND_F64 ? 8 : 32 + h->w->options.precision / 8.0;
  if (__builtin_mul_overflow(h->size, h->most, &count) || number * (double)count > (double)l->max_bytes)
    return ad_fail(e, AD_ELIMIT,
                   "a Hessian of %zu x %zu numbers needs more memory than the limit of %llu MiB (--max-memory)",
                   h->size, h->most, (unsigned long long)(l->max_bytes >> 20));
  h->value = b->engine->new_plane(h->w, count);
  h->seed = b->engine->new_plane(h->w, 1);
  return h->value && h->seed ? AD_OK : ad_fail_memory(e);
}

/* A sweep for tangents shares partials between several, one for adjoints costs less alone. */
static ad_mode cheaper(size_t columns) {
  enum { FEW = 3 };
  return columns <= FEW ? AD_MODE_REVERSE : AD_MODE_FORWARD;
}

static ad_status choose(ad_hessian *h, const ad_backend **b, ad_mode mode, ad_error *e) {
  h->mode = mode ? mode : cheaper(h->most);
  if (!*b) *b = ad_backend_find(h->mode == AD_MODE_FORWARD ? "dual" : "tape");
  if (!mode && !ad_backend_supports(*b, h->mode)) h->mode = ad_backend_mode(*b);
  if (ad_backend_supports(*b, h->mode)) return AD_OK;
  return ad_fail(e, AD_EUSAGE, "the backend '%s' has no %s mode", ad_backend_name(*b),
                 h->mode == AD_MODE_FORWARD ? "forward" : "reverse");
}

ad_status ad_hessian_new(ad_hessian **out, const ad_graph *g, const ad_backend *b, const ad_hessian_options *o,
                         ad_error *e) {
  static const ad_hessian_options none = {0};
  if (!o) o = &none;
  ad_hessian *h = ad_calloc(1, sizeof *h);
  if (!h) return ad_fail_memory(e);
  h->from = g;
  ad_status s = ad_graph_gradient(&h->g, g, &o->of, e);
  if (!s) s = list_wrt(h, &o->of, e);
  if (!s) {
    h->most = o->columns ? o->columns : h->size;
    s = choose(h, &b, o->mode, e);
  }
  if (!s) {
    const ad_program_options p = {.wrt_count = h->wrt_count, .wrt = h->wrt, .outputs_only = true};
    s = ad_program_new(&h->p, h->g, &p, e);
  }
  if (!s) s = list_elements(h, e);
  if (!s) s = make_workspace(h, b, o, e);
  if (s) {
    ad_hessian_free(h);
    return s;
  }
  *out = h;
  return AD_OK;
}

void ad_hessian_free(ad_hessian *h) {
  if (!h) return;
  ad_workspace_free(h->w);
  ad_program_free(h->p);
  ad_graph_free(h->g);
  ad_free(h->wrt);
  ad_free(h->row);
  ad_free(h->column);
  ad_free(h->value);
  ad_free(h->seed);
  ad_free(h);
}

size_t ad_hessian_size(const ad_hessian *h) {
  return h->size;
}

size_t ad_hessian_wrt_count(const ad_hessian *h) {
  return h->wrt_count;
}

ad_node ad_hessian_wrt(const ad_hessian *h, size_t i) {
  return h->wrt[i];
}

ad_workspace *ad_hessian_workspace(ad_hessian *h) {
  return h->w;
}

ad_status ad_hessian_set_point(ad_hessian *h, const ad_point *p, ad_error *e) {
  if (p->graph != h->from) return ad_fail(e, AD_EUSAGE, "the point belongs to another graph");
  const ad_point same = {.graph = h->g, .value = p->value}; /* the inputs are the same */
  return ad_workspace_set_point(h->w, &same, e);
}

/* ---- Running */

/* Number (i, j) of the result from number `from` of a plane; of a whole Hessian, its mirror image too. */
static void take(ad_hessian *h, size_t i, size_t j, const void *plane, size_t from, bool whole) {
  const ad_engine *engine = h->w->engine;
  if (from == SIZE_MAX)
    engine->zero(h->w, h->value, i * h->columns + j, 1);
  else
    engine->copy(h->w, h->value, i * h->columns + j, plane, from, 1);
  if (whole && i != j) engine->copy(h->w, h->value, j * h->columns + i, h->value, i * h->columns + j, 1);
}

/* Columns j to j + count - 1 as tangents of the gradient. */
static ad_status by_tangents(ad_hessian *h, const seeds *s, size_t j, size_t count, bool whole, ad_error *e) {
  const size_t plane = h->p->size;
  ad_workspace *w = h->w;
  ad_workspace_clear_seeds(w);
  for (size_t k = 0; k < count; k++)
    for (size_t i = whole ? j + k : 0; i < (whole ? j + k + 1 : h->size); i++) {
      const char *text;
      const double v = seed_at(s, i, j + k, &text);
      if (v != 0 || text) w->engine->set(w, w->tangent, k * plane + h->column[i], v, text);
    }
  ad_status status = ad_workspace_forward(w, e);
  for (size_t k = 0; !status && k < count; k++)
    for (size_t i = whole ? j + k : 0; i < h->size; i++)
      take(h, i, j + k, w->tangent, h->row[i] == AD_ABSENT ? SIZE_MAX : k * plane + h->row[i], whole);
  return status;
}

/* Column j as adjoints of the inputs.  Elements of the gradient may be one and the same: their seeds add up. */
static ad_status by_adjoints(ad_hessian *h, const seeds *s, size_t j, bool whole, ad_error *e) {
  ad_workspace *w = h->w;
  ad_workspace_clear_seeds(w);
  for (size_t i = whole ? j : 0; i < (whole ? j + 1 : h->size); i++) {
    const char *text;
    const double v = seed_at(s, i, j, &text);
    if (h->row[i] == AD_ABSENT || (v == 0 && !text)) continue;
    w->engine->set(w, h->seed, 0, v, text);
    w->engine->add_scaled(w, w->adjoint, h->row[i], h->seed, 0, 1);
  }
  ad_status status = ad_workspace_reverse(w, e);
  for (size_t i = whole ? j : 0; !status && i < h->size; i++) take(h, i, j, w->adjoint, h->column[i], whole);
  return status;
}

static ad_status run(ad_hessian *h, const seeds *s, bool whole, ad_error *e) {
  if (s->columns > h->most)
    return ad_fail(e, AD_EUSAGE, "%zu columns of a Hessian that was planned for %zu", s->columns, h->most);
  ad_status status = h->w->primal_done ? AD_OK : ad_workspace_primal(h->w, e);
  const size_t step = h->mode == AD_MODE_FORWARD ? h->w->options.directions : 1;
  h->columns = s->columns;
  for (size_t j = 0; !status && j < s->columns; j += step) {
    const size_t left = s->columns - j;
    status = h->mode == AD_MODE_FORWARD ? by_tangents(h, s, j, left < step ? left : step, whole, e)
                                        : by_adjoints(h, s, j, whole, e);
  }
  return status;
}

ad_status ad_hessian_run(ad_hessian *h, ad_error *e) {
  return run(h, &(seeds){.columns = h->size}, true, e);
}

ad_status ad_hessian_products(ad_hessian *h, const double *value, size_t columns, ad_error *e) {
  return run(h, &(seeds){.value = value, .columns = columns}, false, e);
}

ad_status ad_hessian_products_exact(ad_hessian *h, const ad_numbers *exact, size_t columns, ad_error *e) {
  if (ad_numbers_count(exact) / (columns ? columns : 1) != h->size)
    return ad_fail(e, AD_EUSAGE, "%zu seeds for %zu rows of %zu columns", ad_numbers_count(exact), h->size, columns);
  return run(h, &(seeds){.exact = exact, .columns = columns}, false, e);
}

ad_span ad_hessian_values(const ad_hessian *h) {
  return (ad_span){h->w->engine->kind, h->size * h->columns, h->w->engine->at(h->w, h->value, 0)};
}

ad_span ad_hessian_output(const ad_hessian *h) {
  return ad_workspace_value(h->w, ad_graph_output_node(h->g, 0));
}

ad_span ad_hessian_gradient(const ad_hessian *h, size_t i) {
  return ad_workspace_value(h->w, ad_graph_output_node(h->g, i + 1));
}
