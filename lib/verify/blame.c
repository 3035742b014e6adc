#include "verify/blame.h"

#include <stdio.h>

#include "error.h"
#include "exec/workspace.h"
#include "ir/ops.h"
#include "mem.h"

enum {
  MAX_NODES = 20000,   /* examined one by one; more would take minutes */
  MAX_EXAMINED = 1000, /* of one operation */
  MAX_BLAMED = 16,
  MAX_PER_OP = 3 /* a wrong row is wrong at every node */
};

/* An input or a constant with the values that argument has now. */
static ad_status add_argument(ad_graph *mini, ad_node *out, const ad_comparison *c, const ad_workspace *w, ad_node arg,
                              size_t position, bool as_input, ad_error *e) {
  char name[32];
  snprintf(name, sizeof name, "argument%zu", position);
  ad_span v = ad_workspace_value(w, arg);
  ad_numbers *n = ad_numbers_new();
  ad_status s = n ? AD_OK : ad_fail_memory(e);
  for (size_t i = 0; !s && i < v.count; i++) s = ad_numbers_push_double(n, ad_span_double(&v, i), e);
  const ad_shape *shape = ad_graph_node_shape(c->graph, arg);
  if (!s && as_input)
    s = ad_graph_input(mini, out, &(ad_input_spec){.name = name, .shape = *shape, .value = n}, e);
  else if (!s)
    s = ad_graph_constant(mini, out, shape, n, AD_F64, e);
  ad_numbers_free(n);
  return s;
}

/* The graph of node n alone: inputs for the arguments that its derivative goes to, constants for the others. */
static ad_status isolate(ad_graph **out, size_t *argument_of, const ad_comparison *c, const ad_workspace *w, ad_node n,
                         ad_error *e) {
  const ad_node *args;
  size_t count = ad_graph_node_args(c->graph, n, &args), inputs = 0;
  ad_node *mine = ad_malloc(count, sizeof *mine), result;
  ad_graph *mini = NULL;
  ad_status s = mine ? ad_graph_new(&mini, ad_graph_limits(c->graph), e) : ad_fail_memory(e);
  ad_kinks kinks = ad_graph_kinks(c->graph);
  if (!s) s = ad_graph_set_kinks(mini, &kinks, e);
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; !s && i < count; i++) {
      bool as_input = c->program->active[args[i]];
      if (as_input != (pass == 0)) continue;
      if (as_input) argument_of[inputs++] = i;
      s = add_argument(mini, &mine[i], c, w, args[i], i, as_input, e);
    }
  ad_op op = ad_graph_node_op(c->graph, n);
  ad_attr attr[AD_MAX_ATTRS];
  size_t attrs = 0;
  for (int i = 0; i < ad_op_get(op)->attr_count; i++) {
    attr[attrs] = ad_graph_node_attr(c->graph, n, i);
    attrs += attr[attrs].value != NULL;
  }
  if (!s) s = ad_graph_apply(mini, &result, op, count, mine, attrs, attr, e);
  if (!s) s = ad_graph_output(mini, "result", result, e);
  ad_free(mine);
  if (s)
    ad_graph_free(mini);
  else
    *out = mini;
  return s;
}

static ad_status examine(ad_check_report *r, const ad_comparison *c, const ad_workspace *w, ad_node n, bool *guilty,
                         ad_error *e) {
  const ad_node *args;
  size_t count = ad_graph_node_args(c->graph, n, &args);
  size_t *argument_of = ad_malloc(count, sizeof *argument_of);
  if (!argument_of) return ad_fail_memory(e);
  ad_graph *mini = NULL;
  ad_comparison alone = {0};
  ad_check_options o = {.max_entries = 256, .probes = 2, .max_precision = 1536};
  ad_status s = isolate(&mini, argument_of, c, w, n, e);
  if (!s) s = ad_compare(&alone, mini, NULL, &o, e);
  for (size_t k = 0; !s && k < alone.entries && !*guilty; k++) {
    if (alone.cls[k] != AD_ENTRY_DISAGREES || !ad_compare_has_difference(&alone, k)) continue;
    size_t which, element;
    ad_compare_locate(&alone, true, alone.direction[k / alone.weight_count].index[0], &which, &element);
    r->blame[r->blame_count++] =
        (ad_blame){n, ad_graph_node_op(c->graph, n), argument_of[which], mpfr_get_d(alone.reverse + k, MPFR_RNDN),
                   mpfr_get_d(alone.difference + k, MPFR_RNDN)};
    *guilty = true;
  }
  ad_compare_clear(&alone);
  ad_graph_free(mini);
  ad_free(argument_of);
  return s;
}

ad_status ad_blame_nodes(ad_check_report *r, const ad_comparison *c, const uint8_t *flags, ad_error *e) {
  ad_workspace *w = NULL;
  size_t guilty_of[AD_OP_COUNT] = {0}, examined[AD_OP_COUNT] = {0}, total = 0;
  r->blame = ad_calloc(MAX_BLAMED, sizeof *r->blame);
  if (!r->blame) return ad_fail_memory(e);
  ad_workspace_options o = {0};
  ad_status s = ad_workspace_new(&w, c->program, ad_backend_find("tape"), &o, e);
  if (!s && c->point) s = ad_workspace_set_point(w, c->point, e);
  if (!s) s = ad_workspace_primal(w, e);
  for (ad_node n = 0; !s && n < ad_graph_node_count(c->graph) && total < MAX_NODES && r->blame_count < MAX_BLAMED;
       n++) {
    ad_op op = ad_graph_node_op(c->graph, n);
    bool guilty = false;
    if (!ad_program_runs(c->program, n) || !c->program->active[n] || flags[n] || guilty_of[op] >= MAX_PER_OP ||
        examined[op]++ >= MAX_EXAMINED)
      continue;
    total++;
    s = examine(r, c, w, n, &guilty, e);
    guilty_of[op] += guilty;
  }
  ad_workspace_free(w);
  return s;
}
