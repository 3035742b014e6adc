#include <stdlib.h>
#include <string.h>

#include "dot/dot.h"
#include "dot/group.h"
#include "error.h"
#include "ir/ops.h"

typedef struct edge {
  uint32_t from, to;
} edge;

typedef struct writer {
  const ad_graph *g;
  const ad_dot_options *o;
  ad_buffer *out;
  ad_buffer label; /* of one box, lines behind '\n' */
  ad_dot_groups groups;
  uint32_t *named; /* the outputs by their nodes: see list_outputs */
  edge *edge;
  size_t edges, edge_capacity;
} writer;

/* ---- Texts */

/* A quoted string that shows the text: a backslash starts escapes, and an ampersand an entity of HTML; what is no UTF-8
 * becomes U+FFFD. */
static void put_quoted(ad_buffer *b, const char *s) {
  const char *end = s + strlen(s);
  ad_buffer_put(b, "\"", 1);
  while (s < end) {
    const size_t n = ad_character(s, end);
    if (*s == '\n')
      ad_buffer_puts(b, "\\n");
    else if (*s == '"' || *s == '\\')
      ad_buffer_printf(b, "\\%c", *s);
    else if (*s == '&')
      ad_buffer_puts(b, "&amp;");
    else if (n)
      ad_buffer_put(b, s, n);
    else
      ad_buffer_puts(b, "\xEF\xBF\xBD");
    s += n ? n : 1;
  }
  ad_buffer_put(b, "\"", 1);
}

/* 1,234 */
static void put_count(ad_buffer *b, size_t n) {
  if (n >= 1000) {
    put_count(b, n / 1000);
    ad_buffer_printf(b, ",%03zu", n % 1000);
  } else {
    ad_buffer_printf(b, "%zu", n);
  }
}

static void put_number(ad_buffer *b, const ad_values *v, size_t i) {
  enum { LONGEST = 24 };
  char buf[AD_NUMBER_TEXT];
  const char *text = ad_values_text(v, i);
  if (!text) {
    ad_number_short_text(buf, v->value[i]);
    text = buf;
  }
  ad_buffer_printf(b, "%.*s%s", LONGEST, text, strlen(text) > LONGEST ? "..." : "");
}

/* ---- Labels */

enum { FEW = 4 }; /* of a list that would be too long for a box */

static void put_ints(ad_buffer *b, const ad_attr *a) {
  const int64_t size = ad_shape_size(&a->shape);
  if (a->shape.rank) ad_buffer_puts(b, "[");
  for (int64_t i = 0; i < size && i < FEW; i++) ad_buffer_printf(b, "%s%lld", i ? ", " : "", (long long)a->value[i]);
  if (size > FEW) ad_buffer_puts(b, ", ...");
  if (a->shape.rank) ad_buffer_puts(b, "]");
}

/* "slice [2, 0:3]", as one would index. */
static void put_slice(writer *w, ad_node n) {
  const ad_node *args;
  const ad_attr start = ad_graph_node_attr(w->g, n, 0), stop = ad_graph_node_attr(w->g, n, 1),
                step = ad_graph_node_attr(w->g, n, 2), squeeze = ad_graph_node_attr(w->g, n, 3);
  ad_graph_node_args(w->g, n, &args);
  const ad_shape *shape = ad_graph_node_shape(w->g, args[0]);
  ad_buffer *b = &w->label;
  for (int d = 0; d < shape->rank; d++) {
    bool one = false;
    for (int64_t i = 0; squeeze.value && i < ad_shape_size(&squeeze.shape); i++) one = one || squeeze.value[i] == d;
    ad_buffer_puts(b, d ? ", " : "slice [");
    if (!one && !start.value[d] && stop.value[d] == shape->dim[d] && step.value[d] == 1) {
      ad_buffer_puts(b, ":");
      continue;
    }
    ad_buffer_printf(b, "%lld", (long long)start.value[d]);
    if (!one) ad_buffer_printf(b, ":%lld", (long long)stop.value[d]);
    if (!one && step.value[d] != 1) ad_buffer_printf(b, ":%lld", (long long)step.value[d]);
  }
  ad_buffer_puts(b, "]");
}

/* The operation, with constants in place, "pow(_, 2)", and attributes, "sum axis=[0]". */
static void put_operation(writer *w, ad_node n) {
  const ad_op_info *info = ad_op_get(ad_graph_node_op(w->g, n));
  ad_buffer *b = &w->label;
  const ad_node *args;
  const size_t count = ad_graph_node_args(w->g, n, &args);
  bool constants = false;
  if (ad_graph_node_op(w->g, n) == AD_OP_SLICE) {
    put_slice(w, n);
    return;
  }
  ad_buffer_puts(b, info->name);
  for (size_t i = 0; i < count && i < 2 * FEW; i++) constants = constants || w->groups.of[args[i]] == AD_DOT_HIDDEN;
  for (size_t i = 0; constants && i < count && i < 2 * FEW; i++) {
    ad_buffer_puts(b, i ? ", " : "(");
    if (w->groups.of[args[i]] != AD_DOT_HIDDEN) {
      ad_buffer_puts(b, "_");
      continue;
    }
    const ad_values v = ad_graph_node_values(w->g, args[i]);
    put_number(b, &v, 0);
  }
  if (constants) ad_buffer_puts(b, count > 2 * FEW ? ", ...)" : ")");
  for (int i = 0; i < info->attr_count; i++) {
    const ad_attr a = ad_graph_node_attr(w->g, n, i);
    const bool yes_no = info->attr[i].kind == AD_ATTR_BOOL;
    if (!a.value || (yes_no && !a.value[0])) continue;
    ad_buffer_printf(b, " %s", a.name);
    if (yes_no) continue;
    ad_buffer_puts(b, "=");
    put_ints(b, &a);
  }
}

static void put_leaf(writer *w, ad_node n) {
  const ad_values v = ad_graph_node_values(w->g, n);
  ad_buffer *b = &w->label;
  if (ad_graph_node_op(w->g, n) == AD_OP_INPUT) {
    ad_buffer_puts(b, ad_graph_input_fixed(w->g, n) ? "input, diff: no" : "input");
    return;
  }
  ad_buffer_puts(b, ad_graph_node_shape(w->g, n)->rank ? "[" : "");
  for (size_t i = 0; i < v.count && i < FEW; i++) {
    if (i) ad_buffer_puts(b, ", ");
    put_number(b, &v, i);
  }
  if (v.count > FEW || (v.count == 1 && ad_shape_size(ad_graph_node_shape(w->g, n)) > 1)) ad_buffer_puts(b, ", ...");
  if (ad_graph_node_shape(w->g, n)->rank) ad_buffer_puts(b, "]");
}

/* Chains the outputs of each node: named[node] is the first of its outputs + 1, named[nodes + output] the next + 1. */
static ad_status list_outputs(writer *w, ad_error *e) {
  const size_t nodes = ad_graph_node_count(w->g), outputs = ad_graph_output_count(w->g);
  w->named = ad_calloc(nodes + outputs, sizeof *w->named);
  if (!w->named) return ad_fail_memory(e);
  for (size_t i = outputs; i-- > 0;) {
    uint32_t *first = &w->named[ad_graph_output_node(w->g, i)];
    w->named[nodes + i] = *first;
    *first = (uint32_t)i + 1;
  }
  return AD_OK;
}

/* The node's name, and those under which it is an output where they are others. */
static void put_names(writer *w, ad_node n) {
  const char *name = ad_graph_node_name(w->g, n);
  size_t shown = 0;
  ad_buffer *b = &w->label;
  ad_buffer_puts(b, name ? name : "");
  for (uint32_t i = w->named[n]; i; i = w->named[ad_graph_node_count(w->g) + i - 1]) {
    const char *output = ad_graph_output_name(w->g, i - 1);
    if (name && !strcmp(name, output)) continue;
    if (++shown > FEW) {
      ad_buffer_puts(b, ", ...");
      break;
    }
    ad_buffer_printf(b, "%s%s", b->size ? ", " : "", output);
  }
  if (b->size) ad_buffer_puts(b, "\n");
}

static void put_shape(writer *w, ad_node n) {
  char text[AD_SHAPE_TEXT];
  if (!w->o->shapes || !ad_graph_node_shape(w->g, n)->rank) return;
  ad_shape_text(text, ad_graph_node_shape(w->g, n));
  ad_buffer_printf(&w->label, "\n%s", text);
}

typedef struct operation_count {
  ad_op op;
  size_t count;
} operation_count;

static int more_first(const void *a, const void *b) {
  const operation_count *x = a, *y = b;
  return x->count != y->count ? (x->count < y->count ? 1 : -1) : (int)x->op - (int)y->op;
}

/* "1,234 nodes" and the most frequent operations: counts has a row for each group. */
static void put_summary(writer *w, const ad_dot_group *group, const size_t *counts) {
  operation_count sorted[AD_OP_COUNT];
  size_t kinds = 0;
  ad_buffer *b = &w->label;
  for (int i = 0; i < AD_OP_COUNT; i++)
    if (counts[i]) sorted[kinds++] = (operation_count){(ad_op)i, counts[i]};
  qsort(sorted, kinds, sizeof *sorted, more_first);
  put_count(b, group->nodes);
  ad_buffer_puts(b, " nodes");
  if (group->kind == AD_DOT_BAND) {
    ad_buffer_puts(b, ", levels ");
    put_count(b, group->low);
    ad_buffer_puts(b, " to ");
    put_count(b, group->high);
  }
  for (size_t i = 0; i < kinds && i < FEW; i++) {
    ad_buffer_printf(b, i ? ", " : "\n");
    put_count(b, sorted[i].count);
    ad_buffer_printf(b, " %s", ad_op_get(sorted[i].op)->name);
  }
  size_t rest = 0;
  for (size_t i = FEW; i < kinds; i++) rest += sorted[i].count;
  if (!rest) return;
  ad_buffer_puts(b, ", ");
  put_count(b, rest);
  ad_buffer_puts(b, " more");
}

static void put_more(writer *w, const ad_dot_group *group, size_t outputs) {
  ad_buffer *b = &w->label;
  ad_buffer_puts(b, "... ");
  if (group->kind == AD_DOT_MORE_INPUTS) {
    put_count(b, group->nodes);
    ad_buffer_puts(b, " more inputs");
    return;
  }
  put_count(b, outputs ? outputs : group->nodes);
  ad_buffer_puts(b, outputs ? " more outputs" : " more");
  ad_buffer_puts(b, "\n");
}

/* ---- Boxes */

static void put_node(writer *w, size_t i, const size_t *counts, const size_t *outputs) {
  const ad_dot_group *group = &w->groups.group[i];
  const ad_node n = group->root;
  const char *style = "";
  w->label.size = 0;
  if (group->kind == AD_DOT_CONE) {
    put_names(w, n);
    if (n < ad_graph_input_count(w->g) || ad_graph_node_op(w->g, n) == AD_OP_CONSTANT)
      put_leaf(w, n);
    else if (group->nodes > 1)
      put_summary(w, group, counts);
    else
      put_operation(w, n);
    put_shape(w, n);
    if (w->o->lines) w->o->lines(w->o->context, n, &w->label);
    if (n < ad_graph_input_count(w->g))
      style = ", fillcolor=\"#dcebfa\"";
    else if (ad_graph_node_op(w->g, n) == AD_OP_CONSTANT)
      style = ", shape=plaintext, style=\"\"";
    else if (group->nodes > 1)
      style = ", fillcolor=\"#f4f4f4\"";
  } else {
    if (group->kind != AD_DOT_BAND) put_more(w, group, outputs[i]);
    if (group->kind != AD_DOT_MORE_INPUTS) put_summary(w, group, counts);
    style = ", style=\"rounded,filled,dashed\", fillcolor=\"#f4f4f4\"";
  }
  ad_buffer_printf(w->out, "n%zu [label=", i);
  put_quoted(w->out, w->label.data ? w->label.data : "");
  ad_buffer_printf(w->out, "%s%s];\n", style, n != AD_NO_NODE && w->groups.output[n] ? ", peripheries=2" : "");
}

/* Which operations are in boxes of several nodes, and how many outputs. */
static ad_status count_members(writer *w, size_t **counts, size_t **outputs, ad_error *e) {
  const ad_dot_groups *s = &w->groups;
  *counts = ad_calloc(s->count * AD_OP_COUNT, sizeof **counts);
  *outputs = ad_calloc(s->count, sizeof **outputs);
  if (!*counts || !*outputs) return ad_fail_memory(e);
  for (ad_node n = 0; n < ad_graph_node_count(w->g); n++) {
    if (s->of[n] == AD_DOT_HIDDEN) continue;
    (*counts)[s->of[n] * (size_t)AD_OP_COUNT + ad_graph_node_op(w->g, n)]++;
    (*outputs)[s->of[n]] += s->output[n] != 0;
  }
  return AD_OK;
}

/* A frame round the boxes of one definition where it has several; they need not be neighbours in the graph, so that
 * each frame is opened at its root. */
static void put_clusters(writer *w, const size_t *counts, const size_t *outputs, uint32_t *next) {
  const ad_dot_groups *s = &w->groups;
  const size_t nodes = ad_graph_node_count(w->g);
  uint32_t *first = next + nodes;
  for (uint32_t n = (uint32_t)nodes; n-- > 0;) {
    if (s->of[n] == AD_DOT_HIDDEN) continue;
    next[n] = first[s->cone[n]];
    first[s->cone[n]] = n + 1;
  }
  for (ad_node n = 0; n < nodes; n++) {
    if (s->of[n] == AD_DOT_HIDDEN || s->cone[n] != n) continue;
    w->label.size = 0;
    put_names(w, n);
    const bool several = next[first[n] - 1] && w->label.size;
    if (several) {
      w->label.data[w->label.size - 1] = '\0';
      ad_buffer_printf(w->out, "  subgraph cluster_%u {\n    label=", s->of[n]);
      put_quoted(w->out, w->label.data);
      ad_buffer_puts(w->out, ";\n");
    }
    for (uint32_t k = first[n]; k; k = next[k - 1]) {
      ad_buffer_puts(w->out, several ? "    " : "  ");
      put_node(w, s->of[k - 1], counts + s->of[k - 1] * (size_t)AD_OP_COUNT, outputs);
    }
    if (several) ad_buffer_puts(w->out, "  }\n");
  }
}

static ad_status put_nodes(writer *w, ad_error *e) {
  const ad_dot_groups *s = &w->groups;
  size_t *counts, *outputs;
  uint32_t *next = s->cone ? ad_calloc(2 * ad_graph_node_count(w->g), sizeof *next) : NULL;
  ad_status status = count_members(w, &counts, &outputs, e);
  if (!status && s->cone && !next) status = ad_fail_memory(e);
  if (!status && s->cone)
    put_clusters(w, counts, outputs, next);
  else
    for (size_t i = 0; !status && i < s->count; i++) {
      ad_buffer_puts(w->out, "  ");
      put_node(w, i, counts + i * AD_OP_COUNT, outputs);
    }
  ad_free(counts);
  ad_free(outputs);
  ad_free(next);
  return status;
}

/* ---- Edges */

static bool symmetric(ad_op op) {
  return op == AD_OP_ADD || op == AD_OP_MUL || op == AD_OP_MIN || op == AD_OP_MAX || op == AD_OP_EQUAL ||
         op == AD_OP_NOT_EQUAL;
}

/* Argument i by the name that the table gives it; by its number where the table names no more. */
static void put_argument(ad_buffer *b, const ad_op_info *info, size_t i) {
  const char *s = info->arg_names;
  for (size_t k = 0; k < i && s; k++) {
    s = strstr(s, ", ");
    if (s) s += 2;
  }
  if (info->max_args == AD_VARIADIC || !s)
    ad_buffer_printf(b, "%zu", i);
  else
    ad_buffer_printf(b, "%.*s", (int)strcspn(s, ","), s);
}

/* Where each node has its own box: an edge for each argument, marked where it matters which is which. */
static void put_plain_edges(writer *w) {
  const uint32_t *of = w->groups.of;
  for (ad_node n = 0; n < ad_graph_node_count(w->g); n++) {
    const ad_op op = ad_graph_node_op(w->g, n);
    const ad_node *args;
    const size_t count = ad_graph_node_args(w->g, n, &args);
    size_t drawn = 0;
    for (size_t i = 0; i < count; i++) drawn += of[args[i]] != AD_DOT_HIDDEN;
    for (size_t i = 0; i < count; i++) {
      if (of[args[i]] == AD_DOT_HIDDEN) continue;
      ad_buffer_printf(w->out, "  n%u -> n%u", of[args[i]], of[n]);
      if (drawn > 1 && !symmetric(op)) {
        ad_buffer_puts(w->out, " [label=\"");
        put_argument(w->out, ad_op_get(op), i);
        ad_buffer_puts(w->out, "\"]");
      }
      ad_buffer_puts(w->out, ";\n");
    }
  }
}

static int in_order(const void *a, const void *b) {
  const edge *x = a, *y = b;
  if (x->from != y->from) return x->from < y->from ? -1 : 1;
  return x->to == y->to ? 0 : x->to < y->to ? -1 : 1;
}

/* One edge for all that go the same way, with their number. */
static ad_status put_merged_edges(writer *w, ad_error *e) {
  const uint32_t *of = w->groups.of;
  for (ad_node n = 0; n < ad_graph_node_count(w->g); n++) {
    const ad_node *args;
    const size_t count = ad_graph_node_args(w->g, n, &args);
    for (size_t i = 0; i < count; i++) {
      if (of[args[i]] == AD_DOT_HIDDEN || of[args[i]] == of[n]) continue;
      if (!ad_reserve(&w->edge, &w->edge_capacity, w->edges + 1, sizeof *w->edge)) return ad_fail_memory(e);
      w->edge[w->edges++] = (edge){of[args[i]], of[n]};
    }
  }
  if (w->edges) qsort(w->edge, w->edges, sizeof *w->edge, in_order);
  for (size_t i = 0, k; i < w->edges; i = k) {
    for (k = i; k < w->edges && !in_order(&w->edge[i], &w->edge[k]);) k++;
    ad_buffer_printf(w->out, "  n%u -> n%u", w->edge[i].from, w->edge[i].to);
    if (k - i > 1) {
      ad_buffer_puts(w->out, " [label=\"");
      put_count(w->out, k - i);
      ad_buffer_puts(w->out, "\"]");
    }
    ad_buffer_puts(w->out, ";\n");
  }
  return AD_OK;
}

ad_status ad_dot_draw(const ad_graph *g, ad_buffer *out, const ad_dot_options *o, ad_error *e) {
  writer w = {.g = g, .o = o, .out = out};
  ad_status s = ad_dot_group_nodes(&w.groups, g, o->max_shown ? o->max_shown : AD_DOT_SHOWN, e);
  if (!s) s = list_outputs(&w, e);
  if (!s) {
    ad_buffer_puts(out, "digraph ");
    put_quoted(out, *ad_graph_name(g) ? ad_graph_name(g) : "graph");
    ad_buffer_puts(
        out,
        " {\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=Helvetica, fontsize=11];\n"
        "  edge [fontname=Helvetica, fontsize=9];\n  graph [fontname=Helvetica, fontsize=11];\n");
    s = put_nodes(&w, e);
  }
  if (!s && w.groups.cone)
    put_plain_edges(&w);
  else if (!s)
    s = put_merged_edges(&w, e);
  ad_buffer_puts(out, "}\n");
  if (!s && w.label.failed) s = ad_fail_memory(e);
  ad_buffer_clear(&w.label);
  ad_dot_groups_clear(&w.groups);
  ad_free(w.named);
  ad_free(w.edge);
  return s;
}

ad_status ad_dot_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e) {
  (void)o;
  return ad_dot_draw(g, out, &(ad_dot_options){0}, e);
}
