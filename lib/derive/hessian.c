/* Hessians: the graph of the gradient, planned once, and sweeps over it.  In the sparse form columns of one colour
 * share a sweep. */
#include <math.h>
#include <string.h>

#include "backends/backend.h"
#include "derive/colour.h"
#include "derive/sparsity.h"
#include "error.h"
#include "exec/careful.h"
#include "exec/workspace.h"
#include "ir/point.h"
#include "mem.h"

struct ad_hessian {
  const ad_graph *from;
  ad_graph *g; /* the output, then its derivative by each input of wrt */
  ad_program *p;
  ad_workspace *w;
  bool forward;
  size_t size, wrt_count;
  ad_node *wrt;
  uint32_t *row, *column; /* offsets of the gradient's and of the inputs' elements; AD_ABSENT: its derivatives are 0 */
  size_t most, columns;   /* columns that fit, and those of the last run */
  ad_bundle bundle;
  void *seed;    /* a plane of one number */
  void *product; /* of `size` x `most` */
  bool sparse;
  ad_sparsity pattern;
  ad_colouring colours;
  ad_recovery recovery;
  void *entry;     /* a plane with the entries of the pattern */
  bool direct;     /* one sweep takes all colours, and the recovery reads its bundle: no product is made */
  bool seeded;     /* that sweep's seeds, which a forward one leaves where they are */
  bool is_product; /* the last run */
  size_t of_count; /* elements of the output that are summed, with weights */
  size_t *of;      /* NULL: the first ones */
  bool undefined;  /* one of them was nan in the last run */
  void *gradient;  /* which is this there: nan by all inputs that the output depends on, else 0; NULL: not made yet */
};

/* What columns are multiplied with: numbers as doubles, exact ones, the sums of the unit matrix's columns of each
 * colour, or, with none of them, those columns themselves. */
typedef struct seeds {
  const double *value;
  const ad_numbers *exact;
  const uint32_t *colour; /* of each row */
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
  if (!(h->wrt = ad_malloc(inputs, sizeof *h->wrt))) return ad_fail_memory(e);
  for (size_t i = 0; i < r->wrt_count; i++) h->wrt[h->wrt_count++] = r->wrt[i];
  for (ad_node i = 0; !r->wrt_count && i < inputs; i++)
    if (!ad_graph_input_fixed(h->from, i)) h->wrt[h->wrt_count++] = i;
  for (size_t i = 0; i < h->wrt_count; i++) h->size += elements(h->from, h->wrt[i]);
  return AD_OK;
}

static ad_status list_summed(ad_hessian *h, const ad_derivative_request *r, ad_error *e) {
  h->of_count = r->seed_count ? r->seed_count : 1;
  if (!r->seed_count || !r->element) return AD_OK;
  h->of = ad_malloc(r->seed_count, sizeof *h->of);
  if (!h->of) return ad_fail_memory(e);
  memcpy(h->of, r->element, r->seed_count * sizeof *h->of);
  return AD_OK;
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
  const ad_workspace_options w = {.precision = o->precision, .reverse = true};
  size_t count;
  ad_status s = ad_workspace_new(&h->w, h->p, b, &w, e);
  if (s) return s;
  h->bundle.width = b->engine->bundle_width(h->most);
  const double number = b->engine->kind == AD_KIND_F64 ? 8 : 32 + h->w->options.precision / 8.0;
  const double lanes = (double)h->p->size * h->bundle.width;
  if (__builtin_mul_overflow(h->size, h->most, &count) || number * ((double)count + lanes) > (double)l->max_bytes)
    return ad_fail(
        e, AD_ELIMIT,
        "a Hessian's product of %zu x %zu numbers needs more memory than the limit of %llu MiB (--max-memory)", h->size,
        h->most, (unsigned long long)(l->max_bytes >> 20));
  s = b->engine->bundle_open(h->w, &h->bundle, e);
  if (s) return s;
  h->product = b->engine->plane(h->w, count);
  h->seed = b->engine->plane(h->w, 1);
  if (h->sparse) h->entry = b->engine->plane(h->w, h->pattern.start[h->size]);
  return h->product && h->seed && (h->entry || !h->sparse) ? AD_OK : ad_fail_memory(e);
}

/* The structure, from the graph itself, and colours whose products give the entries as they are. */
static ad_status plan_structure(ad_hessian *h, const ad_derivative_request *r, ad_error *e) {
  const ad_node output = ad_graph_output_node(h->from, r->output_count ? r->output[0] : 0);
  const ad_program_options o = {.output_count = 1, .outputs = &output, .wrt_count = h->wrt_count, .wrt = h->wrt};
  ad_program *p = NULL;
  ad_status s = ad_program_new(&p, h->from, &o, e);
  if (!s) s = ad_sparsity_hessian_for(&h->pattern, p, sizeof(double) + AD_ENTRY_LISTS, e);
  if (!s) s = ad_colour(&h->colours, &h->pattern, AD_COLOUR_STAR, e);
  if (!s) s = ad_recovery_new(&h->recovery, &h->pattern, &h->colours, e);
  ad_program_free(p);
  if (!s && h->colours.column_colours > h->most) h->most = h->colours.column_colours;
  return s;
}

static size_t place(const ad_bundle *b, uint32_t offset, size_t lane) {
  return (size_t)offset * b->element + lane * b->lane;
}

/* Where the products would be read from the bundle.  Behind its last element is one that stays zero. */
static void plan_direct(ad_hessian *h) {
  const size_t colours = h->colours.column_colours;
  const uint32_t *at = h->forward ? h->row : h->column;
  h->direct = h->sparse && h->w->engine->kind == AD_KIND_F64 && colours <= h->bundle.width;
  for (size_t k = 0; h->direct && k < h->recovery.count; k++) {
    size_t *from = &h->recovery.from[k];
    const uint32_t offset = at[*from / colours];
    *from = offset == AD_ABSENT ? place(&h->bundle, h->p->size, 0) : place(&h->bundle, offset, *from % colours);
  }
}

static ad_status choose_mode(ad_hessian *h, const ad_backend **b, ad_mode mode, ad_error *e) {
  if (!*b) *b = ad_backend_find(mode == AD_MODE_REVERSE ? "tape" : "dual");
  h->forward = mode ? mode == AD_MODE_FORWARD : ad_backend_supports(*b, AD_MODE_FORWARD);
  if (ad_backend_supports(*b, mode)) return AD_OK;
  return ad_fail(e, AD_EUSAGE, "the backend '%s' has no %s mode", ad_backend_name(*b),
                 h->forward ? "forward" : "reverse");
}

/* Of the gradient's graph, only the gradient is differentiated. */
static ad_status ask_for_gradient(ad_hessian *h, ad_error *e) {
  ad_node *d = ad_malloc(h->wrt_count, sizeof *d);
  if (!d) return ad_fail_memory(e);
  for (size_t i = 0; i < h->wrt_count; i++) d[i] = ad_graph_output_node(h->g, i + 1);
  const ad_status s = ad_program_narrow(h->p, d, h->wrt_count, e);
  ad_free(d);
  return s;
}

ad_status ad_hessian_new(ad_hessian **out, const ad_graph *g, const ad_backend *b, const ad_hessian_options *o,
                         ad_error *e) {
  static const ad_hessian_options none = {0};
  if (!o) o = &none;
  AD_GIVEN(out && g, e);
  ad_hessian *h = ad_calloc(1, sizeof *h);
  if (!h) return ad_fail_memory(e);
  h->from = g;
  h->sparse = o->sparse;
  ad_status s = choose_mode(h, &b, o->mode, e);
  if (!s) s = ad_graph_gradient(&h->g, g, &o->of, e);
  if (!s) s = list_wrt(h, &o->of, e);
  if (!s) s = list_summed(h, &o->of, e);
  if (!s) {
    const ad_program_options p = {.wrt_count = h->wrt_count, .wrt = h->wrt, .outputs_only = true};
    h->most = o->columns || h->sparse ? o->columns : h->size;
    s = ad_program_new(&h->p, h->g, &p, e);
  }
  if (!s) s = ask_for_gradient(h, e);
  if (!s && h->sparse) s = plan_structure(h, &o->of, e);
  if (!s) s = make_workspace(h, b, o, e);
  if (!s) s = list_elements(h, e);
  if (!s) plan_direct(h);
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
  ad_free(h->bundle.number);
  ad_free(h->bundle.seed);
  ad_free(h->product);
  ad_free(h->seed);
  ad_free(h->entry);
  ad_free(h->of);
  ad_free(h->gradient);
  ad_sparsity_clear(&h->pattern);
  ad_colouring_clear(&h->colours);
  ad_recovery_clear(&h->recovery);
  ad_free(h);
}

size_t ad_hessian_size(const ad_hessian *h) {
  return h ? h->size : 0;
}

size_t ad_hessian_wrt_count(const ad_hessian *h) {
  return h ? h->wrt_count : 0;
}

ad_node ad_hessian_wrt(const ad_hessian *h, size_t i) {
  return i < ad_hessian_wrt_count(h) ? h->wrt[i] : AD_NO_NODE;
}

ad_workspace *ad_hessian_workspace(ad_hessian *h) {
  return h ? h->w : NULL;
}

ad_status ad_hessian_set_point(ad_hessian *h, const ad_point *p, ad_error *e) {
  AD_GIVEN(h && p, e);
  if (p->graph != h->from) return ad_fail(e, AD_EUSAGE, "the point belongs to another graph");
  const ad_point same = {.graph = h->g, .value = p->value}; /* the inputs are the same */
  return ad_workspace_set_point(h->w, &same, e);
}

/* ---- Running */

/* Elements may be one and the same: their seeds add up. */
static void put_seeds(ad_hessian *h, const seeds *s, size_t first, size_t count, bool whole) {
  const ad_engine *engine = h->w->engine;
  const uint32_t *at = h->forward ? h->column : h->row;
  if (s->colour) {
    engine->set(h->w, h->seed, 0, 1, NULL);
    for (size_t i = 0; i < h->size; i++)
      if (at[i] != AD_ABSENT && s->colour[i] >= first && s->colour[i] - first < count)
        engine->add_scaled(h->w, h->bundle.number, place(&h->bundle, at[i], s->colour[i] - first), h->seed, 0, 1, NULL);
    return;
  }
  for (size_t k = 0; k < count; k++)
    for (size_t i = whole ? first + k : 0; i < (whole ? first + k + 1 : h->size); i++) {
      const char *text;
      const double v = seed_at(s, i, first + k, &text);
      if (at[i] == AD_ABSENT || (v == 0 && !text)) continue;
      engine->set(h->w, h->seed, 0, v, text);
      engine->add_scaled(h->w, h->bundle.number, place(&h->bundle, at[i], k), h->seed, 0, 1, NULL);
    }
}

/* Of a whole Hessian the lower triangle, and its mirror image. */
static void take(ad_hessian *h, size_t first, size_t count, bool whole) {
  const ad_engine *engine = h->w->engine;
  const uint32_t *at = h->forward ? h->row : h->column;
  for (size_t i = whole ? first : 0; i < h->size; i++)
    for (size_t k = 0; k < count && (!whole || first + k <= i); k++) {
      const size_t to = i * h->columns + first + k;
      if (at[i] == AD_ABSENT)
        engine->zero(h->w, h->product, to, 1);
      else
        engine->copy(h->w, h->product, to, h->bundle.number, place(&h->bundle, at[i], k), 1);
      if (whole) engine->copy(h->w, h->product, (first + k) * h->columns + i, h->product, to, 1);
    }
}

static void zero_inputs(ad_hessian *h) {
  const ad_bundle *b = &h->bundle;
  if (b->lane == 1)
    h->w->engine->zero(h->w, b->number, 0, h->p->input_size * b->element);
  else
    for (size_t k = 0; k < b->width; k++) h->w->engine->zero(h->w, b->number, k * b->lane, h->p->input_size);
}

static ad_status sweep(ad_hessian *h, size_t count, ad_error *e) {
  ad_bundle used = h->bundle;
  if (used.lane > 1) used.width = (uint32_t)count; /* each lane is a plane of its own */
  ad_status s = ad_careful_bundle(h->w, &used, h->forward, e);
  h->bundle.seed = used.seed;
  h->bundle.seed_width = used.seed_width;
  return s;
}

static ad_status run(ad_hessian *h, const seeds *s, bool whole, ad_error *e) {
  if (s->columns > h->most)
    return ad_fail(e, AD_EUSAGE, "%zu columns of a Hessian that was planned for %zu", s->columns, h->most);
  ad_status status = h->w->primal_done ? AD_OK : ad_workspace_primal(h->w, e);
  if (status) return status;
  h->columns = s->columns;
  h->is_product = !whole;
  if (h->seeded) zero_inputs(h);
  h->seeded = false;
  for (size_t j = 0; j < s->columns; j += h->bundle.width) {
    const size_t left = s->columns - j, count = left < h->bundle.width ? left : h->bundle.width;
    put_seeds(h, s, j, count, whole);
    status = sweep(h, count, e);
    if (status) return status;
    take(h, j, count, whole);
    zero_inputs(h);
  }
  return AD_OK;
}

static ad_status run_direct(ad_hessian *h, const seeds *s, ad_error *e) {
  ad_status status = h->w->primal_done ? AD_OK : ad_workspace_primal(h->w, e);
  if (status) return status;
  if (!h->seeded) put_seeds(h, s, 0, s->columns, false);
  status = sweep(h, s->columns, e);
  if (status) return status;
  ad_recovery_run(&h->recovery, h->w, h->entry, h->bundle.number);
  h->seeded = h->forward;
  if (!h->seeded) zero_inputs(h);
  h->is_product = false;
  return AD_OK;
}

static bool is_undefined(const ad_hessian *h) {
  const ad_engine *engine = h->w->engine;
  const ad_span f = ad_hessian_output(h);
  for (size_t i = 0; engine->any_nan && i < h->of_count; i++)
    if (engine->any_nan(h->w, f.data, h->of ? h->of[i] : i, 1)) return true;
  return false;
}

static ad_status undefine_gradient(ad_hessian *h, ad_error *e) {
  const ad_node f = ad_graph_output_node(h->g, 0), *args;
  bool *needed = ad_calloc(ad_graph_node_count(h->g), sizeof *needed);
  if (!needed || (!h->gradient && !(h->gradient = h->w->engine->plane(h->w, h->size + 1)))) {
    ad_free(needed);
    return ad_fail_memory(e);
  }
  needed[f] = true;
  for (ad_node n = f + 1; n-- > 0;)
    for (size_t k = needed[n] ? ad_graph_node_args(h->g, n, &args) : 0; k-- > 0;) needed[args[k]] = true;
  h->w->engine->zero(h->w, h->gradient, 0, h->size);
  for (size_t i = 0, at = 0; i < h->wrt_count; i++)
    for (size_t k = elements(h->from, h->wrt[i]); k > 0; k--, at++)
      if (needed[h->wrt[i]]) h->w->engine->set(h->w, h->gradient, at, (double)NAN, NULL);
  ad_free(needed);
  return AD_OK;
}

/* Where the output is nan, so are its derivatives, though the gradient's graph may give numbers. */
static ad_status undefine(ad_hessian *h, ad_error *e) {
  const ad_span v = ad_hessian_values(h);
  void *values = h->sparse && !h->is_product ? h->entry : h->product;
  h->undefined = is_undefined(h);
  if (!h->undefined) return AD_OK;
  for (size_t i = 0; i < v.count; i++)
    if (values == h->entry || h->row[i / h->columns] != AD_ABSENT)
      h->w->engine->set(h->w, values, i, (double)NAN, NULL);
  return undefine_gradient(h, e);
}

static ad_status run_whole(ad_hessian *h, ad_error *e) {
  if (!h->sparse) return run(h, &(seeds){.columns = h->size}, true, e);
  const seeds colours = {.colour = h->colours.column, .columns = h->colours.column_colours};
  if (h->direct) return run_direct(h, &colours, e);
  ad_status s = run(h, &colours, false, e);
  if (s) return s;
  ad_recovery_run(&h->recovery, h->w, h->entry, h->product);
  h->is_product = false;
  return AD_OK;
}

ad_status ad_hessian_run(ad_hessian *h, ad_error *e) {
  AD_GIVEN(h, e);
  const ad_status s = run_whole(h, e);
  return s ? s : undefine(h, e);
}

ad_status ad_hessian_products(ad_hessian *h, const double *value, size_t columns, ad_error *e) {
  AD_GIVEN(h && value, e);
  const ad_status s = run(h, &(seeds){.value = value, .columns = columns}, false, e);
  return s ? s : undefine(h, e);
}

ad_status ad_hessian_products_exact(ad_hessian *h, const ad_numbers *exact, size_t columns, ad_error *e) {
  AD_GIVEN(h && exact, e);
  if (ad_numbers_count(exact) != h->size * columns)
    return ad_fail(e, AD_EUSAGE, "%zu seeds for %zu rows of %zu columns", ad_numbers_count(exact), h->size, columns);
  const ad_status s = run(h, &(seeds){.exact = exact, .columns = columns}, false, e);
  return s ? s : undefine(h, e);
}

/* ---- Results */

ad_span ad_hessian_values(const ad_hessian *h) {
  if (!h) return (ad_span){0};
  const bool entries = h->sparse && !h->is_product;
  return (ad_span){h->w->engine->kind, entries ? h->pattern.start[h->size] : h->size * h->columns,
                   entries ? h->entry : h->product};
}

const ad_sparsity *ad_hessian_sparsity(const ad_hessian *h) {
  return h && h->sparse ? &h->pattern : NULL;
}

size_t ad_hessian_colours(const ad_hessian *h) {
  return !h ? 0 : h->sparse ? h->colours.column_colours : h->size;
}

ad_span ad_hessian_output(const ad_hessian *h) {
  return h ? ad_workspace_value(h->w, ad_graph_output_node(h->g, 0)) : (ad_span){0};
}

ad_span ad_hessian_gradient(const ad_hessian *h, size_t i) {
  if (!h || i >= h->wrt_count) return (ad_span){0};
  if (!h->undefined) return ad_workspace_value(h->w, ad_graph_output_node(h->g, i + 1));
  size_t first = 0;
  for (size_t k = 0; k < i; k++) first += elements(h->from, h->wrt[k]);
  return (ad_span){h->w->engine->kind, elements(h->from, h->wrt[i]), h->w->engine->at(h->w, h->gradient, first)};
}
