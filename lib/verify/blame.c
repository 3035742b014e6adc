#include "verify/blame.h"

#include <stdio.h>

#include "error.h"
#include "exec/ball.h"
#include "ir/ops.h"
#include "mem.h"
#include "verify/enclose.h"

enum {
  MAX_NODES = 20000,   /* examined one by one; more would take minutes */
  MAX_EXAMINED = 1000, /* of one operation */
  MAX_BLAMED = 16,
  MAX_PER_OP = 3, /* a wrong row is wrong at every node */
  FIRST_PRECISION = 192,
  AGREE_BITS = 50,         /* a difference and a derivative are the same to this */
  NOTHING_PRECISION = 768, /* from here on, what is below 2^-NOTHING_BITS is 0 */
  NOTHING_BITS = 200
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

/* Whether difference and derivative agree to so many bits, or are both nothing beside what the node computes with: then
 * more precision would not tell more. */
static bool settled(arb_srcptr difference, arb_srcptr derivative, slong precision) {
  arb_t both;
  arb_init(both);
  arb_union(both, difference, derivative, MAG_BITS);
  const bool small = precision >= NOTHING_PRECISION && arb_is_finite(both) && arb_contains_zero(both) &&
                     mag_cmp_2exp_si(arb_radref(both), -NOTHING_BITS) < 0;
  const bool yes = small || arb_rel_accuracy_bits(both) >= AGREE_BITS;
  arb_clear(both);
  return yes;
}

static void accuse(ad_check_report *r, const ad_comparison *c, ad_node n, size_t argument, arb_srcptr partial,
                   arb_srcptr difference) {
  r->blame[r->blame_count++] =
      (ad_blame){n, ad_graph_node_op(c->graph, n), argument, arf_get_d(arb_midref(partial), ARF_RND_NEAR),
                 arf_get_d(arb_midref(difference), ARF_RND_NEAR)};
}

/* One direction at one precision: *guilty where the mean value theorem is broken, *open where more precision may tell.
 */
static ad_status examine_direction(ad_check_report *r, const ad_comparison *c, ad_node n, const size_t *argument_of,
                                   const ad_comparison *alone, ad_workspace *w, size_t d, ad_segment *x, bool *guilty,
                                   bool *open, ad_error *e) {
  ad_status s = ad_enclose_segment(x, alone, w, d, e);
  for (size_t j = 0; !s && j < alone->weight_count && !*guilty; j++) {
    arb_srcptr modes[2] = {x->reverse + j, x->forward + j}, difference = x->difference + j;
    for (int m = 0; m < 2 && !*guilty; m++) {
      const bool said = x->decided && arb_is_finite(difference) && arb_is_finite(modes[m]);
      if (!said || !settled(difference, modes[m], w->options.precision)) *open = true;
      if (!said || arb_overlaps(difference, modes[m])) continue;
      size_t which, element;
      ad_compare_locate(alone, true, alone->direction[d].index[0], &which, &element);
      accuse(r, c, n, argument_of[which], modes[m], difference);
      *guilty = true;
    }
  }
  return s;
}

/* At rising precision, that is with ever smaller steps, until all is settled or the highest precision is done. */
static ad_status examine_alone(ad_check_report *r, const ad_comparison *c, ad_node n, const size_t *argument_of,
                               const ad_comparison *alone, bool *guilty, ad_error *e) {
  ad_segment x = {ad_balls_new(alone->weight_count), ad_balls_new(alone->weight_count),
                  ad_balls_new(alone->weight_count), false};
  ad_status s = x.difference && x.forward && x.reverse ? AD_OK : ad_fail_memory(e);
  bool open = true;
  for (uint32_t p = FIRST_PRECISION; !s && open && !*guilty && p <= c->top; p *= 2) {
    ad_workspace *w = NULL;
    ad_workspace_options o = {.precision = p, .directions = 1, .reverse = true};
    open = false;
    s = ad_workspace_new(&w, alone->program, &ad_backend_ball, &o, e);
    for (size_t d = 0; !s && d < alone->direction_count && !*guilty; d++)
      s = examine_direction(r, c, n, argument_of, alone, w, d, &x, guilty, &open, e);
    ad_workspace_free(w);
    if (p > UINT32_MAX / 2) break;
  }
  ad_balls_free(x.difference, alone->weight_count);
  ad_balls_free(x.forward, alone->weight_count);
  ad_balls_free(x.reverse, alone->weight_count);
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
  ad_check_options o = {.max_entries = 256, .probes = 2};
  ad_status s = isolate(&mini, argument_of, c, w, n, e);
  if (!s) s = ad_compare_prepare(&alone, mini, NULL, &o, e);
  if (!s) s = examine_alone(r, c, n, argument_of, &alone, guilty, e);
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
