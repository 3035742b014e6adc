#include "exec/careful.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mem.h"

struct ad_careful {
  ad_workspace *w;  /* in marked numbers, one point and one direction; NULL: not made yet */
  bool *fixed;      /* of each element of the inputs */
  size_t point;     /* whose values it has; SIZE_MAX: none */
  ad_lost lost;     /* since the last primal run */
  ad_node *output;  /* sorted; NULL: not asked for yet */
  void *seed;       /* of the outputs' elements one behind the other, at all points, */
  void *every_seed; /* or of all elements where others were seeded, too */
  bool others;
  bool undefined; /* an output is nan at a point, */
  bool inside;    /* or some value that may be read */
  bool *hidden;   /* of each point: values differ from those of the fast code, by what hides_nan speaks of */
  bool hides;     /* at a point */
};

/* One point and direction of a plane: element i is number first + i * step. */
typedef struct lane {
  void *plane;
  size_t first, step;
} lane;

static size_t size_of(const ad_program *p, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(p->graph, n));
}

static size_t output_size(const ad_program *p) {
  size_t size = 0;
  for (size_t i = 0; i < p->output_count; i++) size += size_of(p, p->output[i]);
  return size;
}

void ad_careful_free(ad_workspace *w) {
  struct ad_careful *c = w->careful;
  if (!c) return;
  ad_workspace_free(c->w);
  ad_free(c->fixed);
  ad_free(c->hidden);
  ad_free(c->output);
  ad_free(c->seed);
  ad_free(c->every_seed);
  ad_free(c);
}

static ad_status make(ad_workspace *w, ad_error *e) {
  if (w->careful) return AD_OK;
  struct ad_careful *c = ad_calloc(1, sizeof *c);
  if (!c || !(c->hidden = ad_calloc((size_t)w->options.points, sizeof *c->hidden))) {
    ad_free(c);
    return ad_fail_memory(e);
  }
  c->point = SIZE_MAX;
  w->careful = c;
  return AD_OK;
}

static ad_status make_marked(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  ad_status s = make(w, e);
  if (s || w->careful->w) return s;
  bool *fixed = ad_calloc((size_t)p->input_size + 1, sizeof *fixed);
  if (!fixed) return ad_fail_memory(e);
  /* A program for values only does not say by what its graph's derivatives are. */
  bool differentiates = false;
  for (ad_node n = 0; n < ad_graph_input_count(p->graph); n++) differentiates = differentiates || p->active[n];
  for (ad_node n = 0; n < ad_graph_input_count(p->graph); n++)
    for (size_t i = 0; p->offset[n] != AD_ABSENT && i < size_of(p, n); i++)
      fixed[p->offset[n] + i] = differentiates ? !p->active[n] : ad_graph_input_fixed(p->graph, n);
  ad_free(w->careful->fixed);
  w->careful->fixed = fixed;
  const ad_workspace_options o = {.precision = w->options.precision, .directions = 1, .reverse = true};
  return ad_workspace_with_engine(&w->careful->w, p, w->backend, w->engine->marked, &o, e);
}

/* ---- Values */

static lane value_lane(const ad_workspace *w, size_t point) {
  return (lane){w->value, point, w->options.points};
}

/* Returns how many zeros multiplied nothing where the fast code has nan. */
static size_t note_lost(struct ad_careful *c) {
  const ad_lost lost = c->w->engine->lost(c->w);
  if (!c->lost.count) c->lost.offset = lost.offset;
  c->lost.count += lost.count;
  return lost.spared;
}

static void run_primal(ad_workspace *w, size_t point) {
  struct ad_careful *c = w->careful;
  const lane from = value_lane(w, point);
  if (c->point == point) return;
  for (size_t i = 0; i < w->p->input_size; i++)
    c->w->engine->take(c->w, c->w->value, i, from.plane, from.first + i * from.step, c->fixed[i]);
  c->w->engine->primal(c->w);
  c->point = point;
}

static void give(ad_workspace *w, const void *plane, size_t first, size_t count, lane to) {
  const ad_workspace *marked = w->careful->w;
  for (size_t i = first; i < first + count; i++)
    marked->engine->give(marked, plane, i, to.plane, to.first + i * to.step, w->careful->hidden[w->careful->point]);
}

/* What may be read of a run: number i of these nodes, AD_NO_NODE where it is nothing. */
static size_t read_count(const ad_workspace *w) {
  return w->p->outputs_only ? w->p->output_count : ad_graph_node_count(w->p->graph);
}

static ad_node read_node(const ad_workspace *w, size_t i) {
  const ad_program *p = w->p;
  if (p->outputs_only) return p->output[i];
  return p->offset[i] == AD_ABSENT ? AD_NO_NODE : (ad_node)i;
}

/* Of each element of the outputs, or of all that the program keeps. */
static void give_outputs(ad_workspace *w, const void *plane, lane to, bool all) {
  const ad_program *p = w->p;
  if (all) give(w, plane, 0, p->size, to);
  for (size_t i = 0; !all && i < p->output_count; i++)
    give(w, plane, p->offset[p->output[i]], size_of(p, p->output[i]), to);
}

static bool lane_has_nan(const ad_workspace *w, lane l, size_t first, size_t count) {
  for (size_t i = first; l.step > 1 && i < first + count; i++)
    if (w->engine->any_nan(w, l.plane, l.first + i * l.step, 1)) return true;
  return l.step == 1 && w->engine->any_nan(w, l.plane, l.first + first, count);
}

static bool results_have_nan(const ad_workspace *w, lane l) {
  const ad_program *p = w->p;
  if (!p->outputs_only) return lane_has_nan(w, l, 0, p->size);
  for (size_t i = 0; i < p->output_count; i++)
    if (lane_has_nan(w, l, p->offset[p->output[i]], size_of(p, p->output[i]))) return true;
  return false;
}

/* The same of one of `count` numbers of each element. */
static bool any_result_nan(const ad_workspace *w, const void *plane, size_t count) {
  const ad_program *p = w->p;
  if (!p->outputs_only) return w->engine->any_nan(w, plane, 0, p->size * count);
  for (size_t i = 0; i < p->output_count; i++)
    if (w->engine->any_nan(w, plane, p->offset[p->output[i]] * count, size_of(p, p->output[i]) * count)) return true;
  return false;
}

static bool any_output_nan(const ad_workspace *w) {
  const ad_program *p = w->p;
  const size_t points = w->options.points;
  for (size_t i = 0; i < p->output_count; i++)
    if (w->engine->any_nan(w, w->value, p->offset[p->output[i]] * points, size_of(p, p->output[i]) * points))
      return true;
  return false;
}

/* Only the graph of a derivative has values that are products of derivatives. */
ad_status ad_careful_primal(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  struct ad_careful *c = w->careful;
  if (!w->engine->marked) return AD_OK;
  const bool nan = any_result_nan(w, w->value, w->options.points);
  if (c) {
    c->point = SIZE_MAX;
    c->lost = (ad_lost){0};
    c->undefined = c->inside = c->hides = false;
    for (size_t b = 0; b < w->options.points; b++) c->hidden[b] = false;
  }
  if (!nan && !p->hides_nan) return AD_OK;
  ad_status s = p->of_derivatives ? make_marked(w, e) : make(w, e);
  if (s) return s;
  c = w->careful;
  for (size_t b = 0; p->of_derivatives && b < w->options.points; b++) {
    const bool found = results_have_nan(w, value_lane(w, b));
    if (!found && !p->hides_nan) continue;
    run_primal(w, b);
    if (note_lost(c) && p->hides_nan) c->hidden[b] = c->hides = true;
    if (found || c->hidden[b]) give_outputs(w, c->w->value, value_lane(w, b), !p->outputs_only);
  }
  c->undefined = any_output_nan(w);
  c->inside = any_result_nan(w, w->value, w->options.points);
  return AD_OK;
}

void ad_careful_restore(ad_workspace *w) {
  struct ad_careful *c = w->careful;
  if (!c || !c->w || !w->p->of_derivatives) return;
  const ad_lost lost = c->lost;
  ad_careful_primal(w, NULL); /* all that it needs is there */
  c->lost = lost;
}

/* ---- Where a value is nan, so are its derivatives by all inputs that it depends on */

static bool is_nan(const ad_workspace *w, lane l, size_t i) {
  return w->engine->any_nan(w, l.plane, l.first + i * l.step, 1);
}

static void set_nan(const ad_workspace *w, lane l, size_t i) {
  if (w->engine->kind == AD_KIND_F64)
    ((double *)l.plane)[l.first + i * l.step] = (double)NAN;
  else
    mpfr_set_nan((__mpfr_struct *)l.plane + l.first + i * l.step);
}

/* Whether no result of the fast code can be trusted: read: a value that may be read, not only an output, was nan. */
static bool trusts_none(const ad_workspace *w, bool read) {
  const struct ad_careful *c = w->careful;
  return c && (c->hides || c->undefined || (read && c->inside));
}

/* ---- Derivatives */

/* Whether element i is nan and depends on an input that moves in the marked tangents. */
static bool loses_tangent(const ad_workspace *w, size_t point, size_t i) {
  const ad_workspace *marked = w->careful->w;
  return is_nan(w, value_lane(w, point), i) && !marked->engine->nothing(marked->tangent, i);
}

/* One sweep forwards; the inputs of `l` are its seeds. */
static void forward(ad_workspace *w, size_t point, lane l, bool all) {
  struct ad_careful *c = w->careful;
  run_primal(w, point);
  c->w->engine->zero(c->w, c->w->tangent, 0, w->p->size);
  for (size_t i = 0; i < w->p->input_size; i++)
    c->w->engine->take(c->w, c->w->tangent, i, l.plane, l.first + i * l.step, true);
  c->w->engine->forward(c->w);
  note_lost(c);
  give_outputs(w, c->w->tangent, l, all);
  for (size_t i = 0; c->inside && i < read_count(w); i++) {
    const ad_node n = read_node(w, i);
    for (size_t j = 0; n != AD_NO_NODE && j < size_of(w->p, n); j++)
      if (loses_tangent(w, point, w->p->offset[n] + j)) set_nan(w, l, w->p->offset[n] + j);
  }
}

ad_status ad_careful_forward(ad_workspace *w, ad_error *e) {
  const size_t points = w->options.points, plane = (size_t)w->p->size * points;
  ad_status s = AD_OK;
  if (!w->engine->marked) return s;
  for (size_t k = 0; !s && k < w->options.directions; k++)
    for (size_t b = 0; !s && b < points; b++) {
      const lane l = {w->tangent, k * plane + b, points};
      if (!trusts_none(w, true) && !results_have_nan(w, l)) continue;
      s = make_marked(w, e);
      if (!s) forward(w, b, l, !w->p->outputs_only);
    }
  return s;
}

/* Number `at` of the seeds for an element; nan where the element is, unless it is zero. */
static void take_seed(ad_workspace *w, size_t point, size_t element, lane seed, size_t at) {
  ad_workspace *marked = w->careful->w;
  marked->engine->take(marked, marked->adjoint, element, seed.plane, seed.first + at * seed.step, true);
  if (w->careful->inside && !marked->engine->nothing(marked->adjoint, element) &&
      is_nan(w, value_lane(w, point), element))
    marked->engine->set(marked, marked->adjoint, element, (double)NAN, NULL);
}

/* One sweep backwards, with the seeds of the outputs, or of all elements. */
static void reverse(ad_workspace *w, size_t point, lane seed, bool every, lane to, bool all) {
  struct ad_careful *c = w->careful;
  const ad_program *p = w->p;
  run_primal(w, point);
  c->w->engine->zero(c->w, c->w->adjoint, 0, p->size);
  for (size_t i = 0; every && i < p->size; i++) take_seed(w, point, i, seed, i);
  for (size_t i = 0, at = 0; !every && i < p->output_count; i++)
    for (size_t j = 0; j < size_of(p, p->output[i]); j++, at++)
      take_seed(w, point, p->offset[p->output[i]] + j, seed, at);
  c->w->engine->reverse(c->w);
  note_lost(c);
  give(w, c->w->adjoint, 0, all ? p->size : p->input_size, to);
}

static int by_node(const void *a, const void *b) {
  const ad_node x = *(const ad_node *)a, y = *(const ad_node *)b;
  return (x > y) - (x < y);
}

ad_status ad_careful_seeds(ad_workspace *w, ad_node node, ad_error *e) {
  const ad_program *p = w->p;
  if (!w->engine->marked) return AD_OK;
  ad_status s = make(w, e);
  if (s) return s;
  struct ad_careful *c = w->careful;
  if (!c->output) {
    c->output = ad_malloc(p->output_count + 1, sizeof *c->output);
    if (!c->output) return ad_fail_memory(e);
    for (size_t i = 0; i < p->output_count; i++) c->output[i] = p->output[i];
    qsort(c->output, p->output_count, sizeof *c->output, by_node);
  }
  if (bsearch(&node, c->output, p->output_count, sizeof node, by_node)) return AD_OK;
  if (!c->every_seed && !(c->every_seed = w->engine->plane(w, p->size))) return ad_fail_memory(e);
  c->others = true;
  return AD_OK;
}

ad_status ad_careful_keep_seeds(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  if (!w->engine->marked) return AD_OK;
  ad_status s = make(w, e);
  if (s) return s;
  struct ad_careful *c = w->careful;
  if (c->others) {
    w->engine->copy(w, c->every_seed, 0, w->adjoint, 0, p->size);
    return AD_OK;
  }
  if (!c->seed && !(c->seed = w->engine->plane(w, output_size(p) + 1))) return ad_fail_memory(e);
  for (size_t i = 0, at = 0; i < p->output_count; at += size_of(p, p->output[i++]))
    w->engine->copy(w, c->seed, at, w->adjoint, p->offset[p->output[i]], size_of(p, p->output[i]));
  return AD_OK;
}

ad_status ad_careful_reverse(ad_workspace *w, ad_error *e) {
  const size_t points = w->options.points, inputs = w->p->input_size;
  ad_status s = AD_OK;
  if (!w->engine->marked) return s;
  struct ad_careful *c = w->careful;
  const bool every = c->others;
  c->others = false;
  const bool all = trusts_none(w, every), keeps_all = !w->p->outputs_only && points == 1;
  if (!all && !w->engine->any_nan(w, w->adjoint, 0, inputs * points)) return s;
  for (size_t b = 0; !s && b < points; b++) {
    const lane l = {w->adjoint, b, points}, seed = {every ? c->every_seed : c->seed, b, points};
    if (!all && !lane_has_nan(w, l, 0, inputs)) continue;
    s = make_marked(w, e);
    if (!s) reverse(w, b, seed, every, l, keeps_all);
  }
  return s;
}

/* ---- Series */

/* Number k of the series of element i. */
static bool is_series_nan(const ad_workspace *w, uint32_t k, size_t i) {
  return is_nan(w, (lane){w->series, 0, 1}, ad_series_at(w, k, i));
}

static bool any_series_nan(const ad_workspace *w) {
  const ad_program *p = w->p;
  for (size_t i = 0; i < read_count(w); i++) {
    const ad_node n = read_node(w, i);
    for (size_t j = 0; n != AD_NO_NODE && j < size_of(p, n); j++)
      for (uint32_t k = 1; k <= w->options.order; k++)
        if (is_series_nan(w, k, p->offset[n] + j)) return true;
  }
  return false;
}

static bool is_series_number(const ad_workspace *w, uint32_t k, size_t i) {
  const size_t at = ad_series_at(w, k, i);
  return w->engine->kind == AD_KIND_F64 ? isfinite(((const double *)w->series)[at])
                                        : mpfr_number_p((const __mpfr_struct *)w->series + at) != 0;
}

/* What forward mode says of an element's series.  curved: an input moves, but not by t, so its tangent is no
 * coefficient; and where a slope is not finite there, so are none below the first. */
static void settle_series(ad_workspace *w, size_t i, bool curved) {
  ad_workspace *marked = w->careful->w;
  const bool still = marked->engine->nothing(marked->tangent, i);
  bool lost = loses_tangent(w, 0, i) || marked->engine->any_nan(marked, marked->tangent, i, 1), nan = false;
  const bool below = curved && w->series_unsettled && !w->series_of_curves;
  for (uint32_t k = 1; below && k <= w->options.order; k++) lost = lost || !is_series_number(w, k, i);
  if (!still && !lost && !curved && is_series_nan(w, 1, i))
    marked->engine->give(marked, marked->tangent, i, w->series, ad_series_at(w, 1, i), true);
  for (uint32_t k = 1; k <= w->options.order; k++) {
    nan = (nan && !w->series_of_curves) || lost || is_series_nan(w, k, i);
    if (still)
      w->engine->zero(w, w->series, ad_series_at(w, k, i), 1);
    else if (nan)
      set_nan(w, (lane){w->series, 0, 1}, ad_series_at(w, k, i));
  }
}

/* Coefficients beyond 0 of what is nan, where it depends on an input whose series moves; and what was lost. */
ad_status ad_careful_series(ad_workspace *w, ad_error *e) {
  const ad_program *p = w->p;
  bool curved = w->series_of_curves;
  if (!w->engine->marked || !(w->series_unsettled || (w->careful && w->careful->inside) || any_series_nan(w)))
    return AD_OK;
  ad_status s = make_marked(w, e);
  if (s) return s;
  ad_workspace *marked = w->careful->w;
  run_primal(w, 0);
  marked->engine->zero(marked, marked->tangent, 0, p->size);
  for (size_t i = 0; i < p->input_size; i++)
    for (uint32_t k = 1; k <= w->options.order && marked->engine->nothing(marked->tangent, i); k++) {
      marked->engine->take(marked, marked->tangent, i, w->series, ad_series_at(w, k, i), true);
      curved = curved || (k > 1 && !marked->engine->nothing(marked->tangent, i));
    }
  marked->engine->forward(marked);
  note_lost(w->careful);
  for (size_t i = 0; i < read_count(w); i++) {
    const ad_node n = read_node(w, i);
    for (size_t j = 0; n != AD_NO_NODE && j < size_of(p, n); j++) settle_series(w, p->offset[n] + j, curved);
  }
  return AD_OK;
}

/* ---- Bundles */

/* Element i of lane k of the seeds is number i * element + k * lane. */
static ad_status keep_bundle_seeds(ad_workspace *w, ad_bundle *b, size_t size, ad_error *e) {
  const ad_program *p = w->p;
  const bool beside = b->lane == 1;
  size_t n;
  if (b->seed_width < b->width) {
    void *seed = __builtin_mul_overflow(size + 1, (size_t)b->width, &n) ? NULL : w->engine->plane(w, n);
    if (!seed) return ad_fail_memory(e);
    ad_free(b->seed);
    b->seed = seed;
    b->seed_width = b->width;
  }
  for (size_t i = 0, at = 0; i < p->output_count; at += size_of(p, p->output[i++])) {
    const size_t from = p->offset[p->output[i]], count = size_of(p, p->output[i]);
    if (beside) w->engine->copy(w, b->seed, at * b->width, b->number, from * b->width, count * b->width);
    for (size_t k = 0; !beside && k < b->width; k++)
      w->engine->copy(w, b->seed, k * size + at, b->number, k * b->lane + from, count);
  }
  return AD_OK;
}

ad_status ad_careful_bundle(ad_workspace *w, ad_bundle *b, bool is_forward, ad_error *e) {
  const size_t outputs = output_size(w->p);
  ad_status s = is_forward || !w->engine->marked ? AD_OK : keep_bundle_seeds(w, b, outputs, e);
  if (s) return s;
  (is_forward ? w->engine->bundle_forward : w->engine->bundle_reverse)(w, b);
  if (!w->engine->marked) return AD_OK;
  const bool all = trusts_none(w, false);
  if (!all && b->lane == 1 &&
      !(is_forward ? any_result_nan(w, b->number, b->width)
                   : w->engine->any_nan(w, b->number, 0, w->p->input_size * b->element)))
    return AD_OK;
  for (size_t k = 0; !s && k < b->width; k++) {
    const lane l = {b->number, k * b->lane, b->element};
    const lane seed = b->lane == 1 ? (lane){b->seed, k, b->width} : (lane){b->seed, k * outputs, 1};
    if (!all && !(is_forward ? results_have_nan(w, l) : lane_has_nan(w, l, 0, w->p->input_size))) continue;
    s = make_marked(w, e);
    if (s) break;
    if (is_forward)
      forward(w, 0, l, false);
    else
      reverse(w, 0, seed, false, l, false);
  }
  return s;
}

/* ---- What happened */

bool ad_careful_lost(const ad_workspace *w, ad_node *n, size_t *element) {
  const struct ad_careful *c = w->careful;
  const ad_program *p = w->p;
  *n = AD_NO_NODE;
  *element = 0;
  if (!c || !c->lost.count) return false;
  for (ad_node i = 0; i < ad_graph_node_count(p->graph) && *n == AD_NO_NODE; i++) {
    if (!ad_program_runs(p, i) || p->offset[i] == AD_ABSENT) continue;
    if (c->lost.offset < p->offset[i] || c->lost.offset - p->offset[i] >= size_of(p, i)) continue;
    *element = c->lost.offset - p->offset[i];
    *n = i;
  }
  return true;
}
