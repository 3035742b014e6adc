#include "batch/plan.h"

#include <string.h>
#include <unistd.h>

#include "backends/backend.h"
#include "error.h"

enum { DIRECTIONS = 8, MOST_POINTS = 4096, VECTOR = 8, CACHE = 1 << 20 };

static size_t size_of(const ad_graph *g, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(g, n));
}

size_t ad_batch_values(const ad_batch_plan *p, size_t i) {
  if (p->o.element[i] != SIZE_MAX) return 1;
  return size_of(p->graph, ad_graph_output_node(p->graph, p->o.output[i]));
}

size_t ad_batch_columns(const ad_batch_plan *p, size_t i) {
  if (p->o.task == AD_BATCH_CHECK) return i ? 0 : AD_CHECK_COLUMNS;
  return ad_batch_values(p, i) + (p->o.task == AD_BATCH_GRAD ? (size_t)ad_program_wrt_size(p->program) : 0);
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
  if (p->o.task == AD_BATCH_CHECK || ad_backend_kind(p->o.backend) != AD_KIND_F64) return 1;
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
  for (size_t i = 0; p->o.task == AD_BATCH_GRAD && i < p->o.output_count; i++) {
    const ad_node n = ad_graph_output_node(p->graph, p->o.output[i]);
    if (p->o.weight_count || ad_batch_values(p, i) == 1) continue;
    char shape[AD_SHAPE_TEXT];
    ad_shape_text(shape, ad_graph_node_shape(p->graph, n));
    const char *name = ad_graph_output_name(p->graph, p->o.output[i]);
    return ad_fail(e, AD_EUSAGE,
                   "the output '%s' has shape %s; a gradient wants one element of it (--output) or weights (--seed)",
                   name, shape);
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
  for (size_t i = 0; i < p->o.output_count; i++)
    if (__builtin_add_overflow(p->width, ad_batch_columns(p, i), &p->width))
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
  if (!p->o.backend) p->o.backend = ad_backend_find(o->mode == AD_MODE_FORWARD ? "dual" : "tape");
  if (p->o.mode == AD_MODE_DEFAULT) p->o.mode = ad_backend_mode(p->o.backend);
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

void ad_batch_column(ad_buffer *b, const ad_batch_plan *p, size_t column) {
  static const char *const check[AD_CHECK_COLUMNS] = {"verdict", "digits", "ulps", "entries", "agrees"};
  if (p->o.task == AD_BATCH_CHECK) {
    ad_buffer_puts(b, check[column]);
    return;
  }
  size_t i = 0;
  while (column >= ad_batch_columns(p, i)) column -= ad_batch_columns(p, i++);
  const size_t values = ad_batch_values(p, i), element = p->o.element[i];
  if (column < values) {
    put_output(b, p, i, element == SIZE_MAX ? column : element);
    return;
  }
  column -= values;
  size_t k = 0;
  for (;; k++) {
    const size_t size = size_of(p->graph, ad_program_wrt(p->program, k));
    if (column < size) break;
    column -= size;
  }
  const ad_node x = ad_program_wrt(p->program, k);
  ad_buffer_puts(b, "d");
  put_output(b, p, i, element);
  ad_buffer_printf(b, "/d%s", ad_graph_node_name(p->graph, x));
  put_index(b, ad_graph_node_shape(p->graph, x), column);
}
