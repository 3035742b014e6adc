#include "batch/plan.h"

#include <string.h>
#include <unistd.h>

#include "backends/backend.h"
#include "error.h"

const char *const ad_batch_tasks[] = {"eval", "grad", "jac", "hess", "check", NULL};

enum { DIRECTIONS = 8, MOST_POINTS = 4096, VECTOR = 8, CACHE = 1 << 20 };

static size_t size_of(const ad_graph *g, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(g, n));
}

size_t ad_batch_values(const ad_batch_plan *p, size_t i) {
  if (p->o.element[i] != SIZE_MAX) return 1;
  return size_of(p->graph, ad_graph_output_node(p->graph, p->o.output[i]));
}

size_t ad_batch_wrt(const ad_batch_plan *p) {
  return (size_t)ad_program_wrt_size(p->program);
}

ad_kind ad_batch_kind(const ad_batch_plan *p) {
  return p->o.backend ? ad_backend_kind(p->o.backend) : AD_KIND_F64;
}

/* The columns that output number i adds to a row; false when there are too many. */
static bool columns(const ad_batch_plan *p, size_t i, size_t *count) {
  const size_t values = ad_batch_values(p, i), n = ad_batch_wrt(p);
  size_t more = 0;
  bool overflow = false;
  if (p->o.task == AD_BATCH_CHECK) {
    *count = i ? 0 : AD_CHECK_COLUMNS;
    return true;
  }
  if (p->o.task == AD_BATCH_GRAD) more = n;
  if (p->o.task == AD_BATCH_JAC) overflow = __builtin_mul_overflow(values, n, &more);
  if (p->o.task == AD_BATCH_HESS)
    overflow = __builtin_mul_overflow(n, n, &more) || __builtin_add_overflow(more, n, &more);
  return !(overflow || __builtin_add_overflow(values, more, count));
}

ad_workspace_options ad_batch_workspace(const ad_batch_plan *p, uint32_t points) {
  const bool grad = p->o.task == AD_BATCH_GRAD, forward = p->o.mode == AD_MODE_FORWARD;
  return (ad_workspace_options){.precision = p->o.precision,
                                .directions = grad && forward ? DIRECTIONS : 0,
                                .reverse = grad && !forward,
                                .points = points};
}

/* A block's numbers and partials fill the second-level cache.  They are gone through in order, twice, so somewhat more
 * than fits costs nothing, while larger blocks spread each operation's own cost (measured: 1.5 is the best factor). */
static uint32_t choose_points(const ad_batch_plan *p) {
  if (p->o.task > AD_BATCH_GRAD || ad_batch_kind(p) != AD_KIND_F64) return 1;
  long cache = -1;
#ifdef _SC_LEVEL2_CACHE_SIZE
  cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  const uint64_t room = (uint64_t)(cache > 0 ? cache : CACHE) / 2 * 3;
  const ad_workspace_options o = ad_batch_workspace(p, VECTOR);
  const uint64_t eight = p->o.backend->engine->bytes(p->program, &o);
  uint64_t points = VECTOR;
  while (points < MOST_POINTS && eight * (2 * points / VECTOR) <= room) points *= 2;
  return (uint32_t)points;
}

static ad_status check_outputs(const ad_batch_plan *p, ad_error *e) {
  const bool scalar = p->o.task == AD_BATCH_GRAD || p->o.task == AD_BATCH_HESS;
  if (p->o.task == AD_BATCH_JAC && p->o.weight_count)
    return ad_fail(e, AD_EUSAGE, "weights (--seed) are for a gradient or a Hessian, not for a Jacobian");
  for (size_t i = 0; scalar && i < p->o.output_count; i++) {
    const ad_node n = ad_graph_output_node(p->graph, p->o.output[i]);
    if (p->o.weight_count || ad_batch_values(p, i) == 1) continue;
    char shape[AD_SHAPE_TEXT];
    ad_shape_text(shape, ad_graph_node_shape(p->graph, n));
    const char *name = ad_graph_output_name(p->graph, p->o.output[i]);
    return ad_fail(e, AD_EUSAGE,
                   "the output '%s' has shape %s; a %s wants one element of it (--output) or weights (--seed)", name,
                   shape, p->o.task == AD_BATCH_HESS ? "Hessian" : "gradient");
  }
  return AD_OK;
}

static ad_status lay_out(ad_batch_plan *p, const bool *given, ad_error *e) {
  const size_t inputs = ad_graph_input_count(p->graph);
  p->first = ad_calloc(inputs + 1, sizeof *p->first);
  p->given = ad_calloc(inputs + 1, sizeof *p->given);
  if (!p->first || !p->given) return ad_fail_memory(e);
  for (size_t i = 0; i < inputs; i++) {
    p->first[i] = p->inputs;
    p->given[i] = !given || given[i];
    if (__builtin_add_overflow(p->inputs, size_of(p->graph, (ad_node)i), &p->inputs))
      return ad_fail(e, AD_ELIMIT, "the inputs have too many elements for rows");
  }
  p->first[inputs] = p->inputs;
  for (size_t i = 0, count; i < p->o.output_count; i++)
    if (!columns(p, i, &count) || __builtin_add_overflow(p->width, count, &p->width) || p->width > SIZE_MAX / 16)
      return ad_fail(e, AD_ELIMIT, "the outputs have too many elements for rows");
  return AD_OK;
}

ad_status ad_batch_plan_new(ad_batch_plan **out, const ad_graph *g, const ad_point *point, const ad_batch_options *o,
                            const bool *given, ad_error *e) {
  ad_batch_plan *p = ad_calloc(1, sizeof *p);
  ad_node *nodes = p ? ad_calloc(o->output_count + 1, sizeof *nodes) : NULL;
  if (!nodes) {
    ad_free(p);
    return ad_fail_memory(e);
  }
  p->graph = g;
  p->point = point;
  p->o = *o;
  if (o->task != AD_BATCH_JAC && o->task != AD_BATCH_HESS) {
    if (!p->o.backend) p->o.backend = ad_backend_find(o->mode == AD_MODE_FORWARD ? "dual" : "tape");
    if (p->o.mode == AD_MODE_DEFAULT) p->o.mode = ad_backend_mode(p->o.backend);
  }
  for (size_t i = 0; i < o->output_count; i++) nodes[i] = ad_graph_output_node(g, o->output[i]);
  const ad_program_options program = {.output_count = o->output_count,
                                      .outputs = nodes,
                                      .wrt_count = o->wrt_count,
                                      .wrt = o->wrt,
                                      .outputs_only = true,
                                      .values_only = o->task == AD_BATCH_EVAL};
  ad_status s = check_outputs(p, e);
  if (!s) s = ad_program_new(&p->program, g, &program, e);
  ad_free(nodes);
  if (!s) s = lay_out(p, given, e);
  if (s) {
    ad_batch_plan_free(p);
    return s;
  }
  p->points = choose_points(p);
  *out = p;
  return AD_OK;
}

void ad_batch_plan_free(ad_batch_plan *p) {
  if (!p) return;
  ad_program_free(p->program);
  ad_free(p->first);
  ad_free(p->given);
  ad_free(p);
}

/* ---- Names of columns */

static void put_index(ad_buffer *b, const ad_shape *shape, size_t element) {
  if (!shape->rank) return;
  size_t index[AD_MAX_RANK];
  for (int d = shape->rank - 1; d >= 0; d--) {
    index[d] = element % (size_t)shape->dim[d];
    element /= (size_t)shape->dim[d];
  }
  for (int d = 0; d < shape->rank; d++) ad_buffer_printf(b, "%c%zu", d ? ',' : '[', index[d]);
  ad_buffer_puts(b, "]");
}

static void put_output(ad_buffer *b, const ad_batch_plan *p, size_t i, size_t element) {
  const ad_node n = ad_graph_output_node(p->graph, p->o.output[i]);
  ad_buffer_puts(b, ad_graph_output_name(p->graph, p->o.output[i]));
  if (element != SIZE_MAX) put_index(b, ad_graph_node_shape(p->graph, n), element);
}

void ad_batch_output_name(ad_buffer *b, const ad_batch_plan *p, size_t i) {
  put_output(b, p, i, p->o.element[i]);
}

/* Element `at` of the inputs. */
static void put_input(ad_buffer *b, const ad_batch_plan *p, size_t at) {
  size_t k = 0;
  for (; at >= size_of(p->graph, ad_program_wrt(p->program, k)); k++)
    at -= size_of(p->graph, ad_program_wrt(p->program, k));
  const ad_node x = ad_program_wrt(p->program, k);
  ad_buffer_printf(b, "d%s", ad_graph_node_name(p->graph, x));
  put_index(b, ad_graph_node_shape(p->graph, x), at);
}

/* Value number `at` of output number i. */
static void put_value(ad_buffer *b, const ad_batch_plan *p, size_t i, size_t at) {
  put_output(b, p, i, p->o.element[i] == SIZE_MAX ? at : p->o.element[i]);
}

/* The values of all outputs come first. */
static void put_jacobian_column(ad_buffer *b, const ad_batch_plan *p, size_t column) {
  size_t all = 0, i = 0;
  for (size_t k = 0; k < p->o.output_count; k++) all += ad_batch_values(p, k);
  const bool derivative = column >= all;
  size_t row = derivative ? (column - all) / ad_batch_wrt(p) : column;
  while (row >= ad_batch_values(p, i)) row -= ad_batch_values(p, i++);
  if (derivative) ad_buffer_puts(b, "d");
  put_value(b, p, i, row);
  if (!derivative) return;
  ad_buffer_puts(b, "/");
  put_input(b, p, (column - all) % ad_batch_wrt(p));
}

void ad_batch_column(ad_buffer *b, const ad_batch_plan *p, size_t column) {
  static const char *const check[AD_CHECK_COLUMNS] = {"verdict", "digits", "ulps", "entries", "agrees"};
  if (p->o.task == AD_BATCH_CHECK) {
    ad_buffer_puts(b, check[column]);
    return;
  }
  if (p->o.task == AD_BATCH_JAC) {
    put_jacobian_column(b, p, column);
    return;
  }
  const size_t n = ad_batch_wrt(p);
  size_t i = 0, count;
  for (; columns(p, i, &count) && column >= count; i++) column -= count;
  const size_t values = ad_batch_values(p, i);
  if (column < values) {
    put_value(b, p, i, column);
    return;
  }
  column -= values;
  const bool second = column >= n;
  ad_buffer_puts(b, second ? "d2" : "d");
  put_output(b, p, i, p->o.element[i]);
  ad_buffer_puts(b, "/");
  if (second) put_input(b, p, (column - n) / n);
  put_input(b, p, second ? (column - n) % n : column);
}
