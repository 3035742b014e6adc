#include "dot/group.h"

#include <string.h>

#include "error.h"
#include "ir/ops.h"

enum { BANDS = 10 };
#define UNUSED (UINT32_MAX - 1) /* roots: of a node that nothing has used so far, */
#define SHARED (UINT32_MAX - 2) /* that several cones use, */
#define MORE_OUTPUTS (UINT32_MAX - 3)
#define MORE_INPUTS (UINT32_MAX - 4)

/* How nodes are gathered. */
typedef struct rule {
  bool names;             /* a name protects a node */
  size_t inputs, outputs; /* how many have boxes of their own; SIZE_MAX: all */
  uint32_t *distance;     /* of each node from the root of its cone; NULL: not known */
  uint32_t depth;         /* nodes up to this distance have boxes of their own, too */
} rule;

static bool hidden(const ad_graph *g, const ad_dot_groups *s, ad_node n) {
  return ad_graph_node_op(g, n) == AD_OP_CONSTANT && !ad_graph_node_shape(g, n)->rank && !ad_graph_node_name(g, n) &&
         !s->output[n];
}

/* Flags the nodes of the first outputs with 2, of all others with 1. */
static void flag_outputs(ad_dot_groups *s, const ad_graph *g, size_t first) {
  for (size_t i = ad_graph_output_count(g); i-- > 0;) s->output[ad_graph_output_node(g, i)] = i < first ? 2 : 1;
}

/* The cone of each node, as the number of its root: users come after their arguments, so they are decided before. */
static void find_cones(uint32_t *cone, const ad_dot_groups *s, const ad_graph *g, const rule *r) {
  const size_t nodes = ad_graph_node_count(g), inputs = ad_graph_input_count(g);
  for (size_t i = 0; i < nodes; i++) cone[i] = UNUSED;
  for (ad_node n = (ad_node)nodes; n-- > 0;) {
    if (hidden(g, s, n)) {
      cone[n] = AD_DOT_HIDDEN;
      continue;
    }
    if (n < inputs)
      cone[n] = n < r->inputs ? n : MORE_INPUTS;
    else if (s->output[n] == 2 || (r->names && ad_graph_node_name(g, n)) || cone[n] == SHARED ||
             (r->distance && r->distance[n] <= r->depth))
      cone[n] = n;
    else if (cone[n] == UNUSED)
      cone[n] = r->outputs == SIZE_MAX ? n : MORE_OUTPUTS;
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, n, &args);
    for (size_t i = 0; i < count; i++) {
      uint32_t *a = &cone[args[i]];
      *a = *a == UNUSED || *a == cone[n] ? cone[n] : SHARED;
    }
  }
}

/* Moves of an input's elements that several use go to the input. */
static void gather_moves(uint32_t *cone, const ad_dot_groups *s, const ad_graph *g, const rule *r) {
  const size_t inputs = ad_graph_input_count(g);
  for (ad_node n = (ad_node)inputs; n < ad_graph_node_count(g); n++) {
    const ad_op op = ad_graph_node_op(g, n);
    const ad_node *args;
    if (cone[n] != n || s->output[n] || (r->names && ad_graph_node_name(g, n))) continue;
    if (!(op == AD_OP_SLICE || op == AD_OP_GATHER || op == AD_OP_RESHAPE)) continue;
    ad_graph_node_args(g, n, &args);
    if (cone[args[0]] < inputs || cone[args[0]] == MORE_INPUTS) cone[n] = cone[args[0]];
  }
}

static uint32_t *find_levels(const ad_graph *g) {
  const size_t nodes = ad_graph_node_count(g);
  uint32_t *level = ad_calloc(nodes, sizeof *level);
  for (ad_node n = 0; level && n < nodes; n++) {
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, n, &args);
    for (size_t i = 0; i < count; i++)
      if (level[args[i]] >= level[n]) level[n] = level[args[i]] + 1;
  }
  return level;
}

/* Replaces the roots that are neither inputs nor outputs that nothing uses by bands, whose numbers follow `first`.  All
 * paths out of a cone leave by its root, so a root's level is above those of the cones that it uses. */
static ad_status find_bands(uint32_t *cone, const ad_dot_groups *s, const ad_graph *g, const uint32_t *level,
                            uint32_t first, size_t bands, ad_error *e) {
  const size_t nodes = ad_graph_node_count(g), inputs = ad_graph_input_count(g);
  size_t *before = ad_calloc(nodes + 2, sizeof *before), total = 0;
  uint8_t *used = ad_calloc(nodes, 1);
  ad_status status = before && used ? AD_OK : ad_fail_memory(e);
  for (ad_node n = 0; !status && n < nodes; n++) {
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, n, &args);
    for (size_t i = 0; i < count; i++) used[args[i]] = 1;
  }
#define BANDED(root) ((root) < nodes && (root) >= inputs && !(s->output[root] == 2 && !used[root]))
  for (ad_node n = 0; !status && n < nodes; n++)
    if (BANDED(cone[n])) before[level[cone[n]] + 1]++, total++;
  for (size_t i = 0; !status && i < nodes; i++) before[i + 1] += before[i];
  for (ad_node n = 0; !status && n < nodes; n++)
    if (BANDED(cone[n])) cone[n] = first + (uint32_t)(before[level[cone[n]]] * bands / total);
#undef BANDED
  ad_free(before);
  ad_free(used);
  return status;
}

/* Numbers the groups in the order of their first nodes. */
static ad_status number(ad_dot_groups *s, const ad_graph *g, const uint32_t *cone, const uint32_t *level, ad_error *e) {
  const size_t nodes = ad_graph_node_count(g), roots = nodes + BANDS;
  uint32_t *seen = ad_calloc(roots + 2, sizeof *seen); /* + 1 */
  size_t capacity = 0;
  ad_status status = seen ? AD_OK : ad_fail_memory(e);
  s->count = 0;
  for (ad_node n = 0; !status && n < nodes; n++) {
    s->of[n] = AD_DOT_HIDDEN;
    if (cone[n] == AD_DOT_HIDDEN) continue;
    const ad_dot_kind kind = cone[n] == MORE_INPUTS    ? AD_DOT_MORE_INPUTS
                             : cone[n] == MORE_OUTPUTS ? AD_DOT_MORE_OUTPUTS
                             : cone[n] >= nodes        ? AD_DOT_BAND
                                                       : AD_DOT_CONE;
    uint32_t *k = &seen[kind == AD_DOT_MORE_INPUTS ? roots : kind == AD_DOT_MORE_OUTPUTS ? roots + 1 : cone[n]];
    if (!*k) {
      if (!ad_reserve(&s->group, &capacity, s->count + 1, sizeof *s->group)) {
        status = ad_fail_memory(e);
        break;
      }
      s->group[s->count] =
          (ad_dot_group){.kind = kind, .root = kind == AD_DOT_CONE ? cone[n] : AD_NO_NODE, .low = level[n]};
      *k = (uint32_t)++s->count;
    }
    ad_dot_group *group = &s->group[*k - 1];
    s->of[n] = *k - 1;
    group->nodes++;
    if (level[n] < group->low) group->low = level[n];
    if (level[n] > group->high) group->high = level[n];
  }
  ad_free(seen);
  return status;
}

/* How many boxes the cones are. */
static size_t count_boxes(const uint32_t *cone, size_t nodes) {
  size_t boxes = 0;
  bool inputs = false, outputs = false;
  for (size_t i = 0; i < nodes; i++) {
    boxes += cone[i] == i;
    inputs = inputs || cone[i] == MORE_INPUTS;
    outputs = outputs || cone[i] == MORE_OUTPUTS;
  }
  return boxes + inputs + outputs;
}

static size_t boxes_at(uint32_t *cone, const ad_dot_groups *s, const ad_graph *g, rule *r, uint32_t depth) {
  r->depth = depth;
  find_cones(cone, s, g, r);
  gather_moves(cone, s, g, r);
  return count_boxes(cone, ad_graph_node_count(g));
}

/* Where there is room for more boxes, as many operations next to the roots as fit have their own. */
static ad_status open_cones(uint32_t *cone, const ad_dot_groups *s, const ad_graph *g, rule *r, size_t max,
                            ad_error *e) {
  const size_t nodes = ad_graph_node_count(g);
  uint32_t fits = 0, exceeds = 1;
  r->distance = ad_malloc(nodes, sizeof *r->distance);
  if (!r->distance) return ad_fail_memory(e);
  memset(r->distance, 0xFF, nodes * sizeof *r->distance);
  for (ad_node n = (ad_node)nodes; n-- > 0;) {
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, n, &args);
    if (cone[n] >= nodes) continue;
    if (cone[n] == n) r->distance[n] = 0;
    for (size_t i = 0; i < count; i++)
      if (cone[args[i]] == cone[n] && r->distance[args[i]] > r->distance[n] + 1)
        r->distance[args[i]] = r->distance[n] + 1;
  }
  while (exceeds < nodes && boxes_at(cone, s, g, r, exceeds) <= max) {
    fits = exceeds;
    exceeds *= 2;
  }
  while (exceeds - fits > 1) {
    const uint32_t middle = fits + (exceeds - fits) / 2;
    *(boxes_at(cone, s, g, r, middle) <= max ? &fits : &exceeds) = middle;
  }
  boxes_at(cone, s, g, r, fits);
  ad_free(r->distance);
  return AD_OK;
}

static ad_status choose(ad_dot_groups *s, const ad_graph *g, uint32_t *cone, const uint32_t *level, size_t max,
                        ad_error *e) {
  const size_t nodes = ad_graph_node_count(g), inputs = ad_graph_input_count(g), outputs = ad_graph_output_count(g),
               some = max / 4;
  size_t shown = 0;
  ad_status status = AD_OK;
  flag_outputs(s, g, SIZE_MAX);
  for (ad_node n = 0; n < nodes; n++) shown += !hidden(g, s, n);
  rule all = {.names = true, .inputs = SIZE_MAX, .outputs = SIZE_MAX};
  if (shown <= max) {
    find_cones(cone, s, g, &all);
    s->cone = ad_malloc(nodes, sizeof *s->cone);
    if (!s->cone) return ad_fail_memory(e);
    memcpy(s->cone, cone, nodes * sizeof *cone);
    for (uint32_t n = 0; n < nodes; n++)
      if (cone[n] != AD_DOT_HIDDEN) cone[n] = n;
  } else if (boxes_at(cone, s, g, &all, 0) <= max) {
    status = open_cones(cone, s, g, &all, max, e);
  } else {
    rule few = {.inputs = inputs > some ? some - 1 : SIZE_MAX, .outputs = outputs > some ? some - 1 : outputs};
    flag_outputs(s, g, few.outputs);
    if (boxes_at(cone, s, g, &few, 0) <= max)
      status = open_cones(cone, s, g, &few, max, e);
    else
      status = find_bands(cone, s, g, level, (uint32_t)nodes, max / 2 - 1 < BANDS ? max / 2 - 1 : BANDS, e);
  }
  return status ? status : number(s, g, cone, level, e);
}

ad_status ad_dot_group_nodes(ad_dot_groups *s, const ad_graph *g, size_t max_shown, ad_error *e) {
  const size_t nodes = ad_graph_node_count(g);
  *s = (ad_dot_groups){.of = ad_malloc(nodes, sizeof *s->of), .output = ad_calloc(nodes, 1)};
  uint32_t *cone = ad_malloc(nodes, sizeof *cone), *level = find_levels(g);
  ad_status status =
      !s->of || !s->output || !cone || !level ? ad_fail_memory(e)
      : nodes > UINT32_MAX - 64
          ? ad_fail(e, AD_ELIMIT, "a graph of %zu nodes is too large for a picture", nodes)
          : choose(s, g, cone, level, max_shown < AD_DOT_SHOWN_LEAST ? AD_DOT_SHOWN_LEAST : max_shown, e);
  ad_free(cone);
  ad_free(level);
  if (status) ad_dot_groups_clear(s);
  return status;
}

void ad_dot_groups_clear(ad_dot_groups *s) {
  ad_free(s->group);
  ad_free(s->of);
  ad_free(s->cone);
  ad_free(s->output);
  *s = (ad_dot_groups){0};
}
