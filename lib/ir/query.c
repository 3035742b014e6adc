/* Reading a graph. */
#include <stdio.h>
#include <string.h>

#include "ir/graph.h"

const ad_limits *ad_graph_limits(const ad_graph *g) {
  return g ? &g->limits : NULL;
}

const char *ad_graph_name(const ad_graph *g) {
  return g && g->name ? g->name : "";
}

ad_kinks ad_graph_kinks(const ad_graph *g) {
  return g ? g->kinks : (ad_kinks){0};
}

size_t ad_graph_meta_count(const ad_graph *g) {
  return g ? g->meta_keys.count : 0;
}

const char *ad_graph_meta_key(const ad_graph *g, size_t i) {
  return i < ad_graph_meta_count(g) ? ad_names_at(&g->meta_keys, i) : NULL;
}

const char *ad_graph_meta_text(const ad_graph *g, size_t i) {
  return i < ad_graph_meta_count(g) ? g->meta_text[i] : NULL;
}

size_t ad_graph_node_count(const ad_graph *g) {
  return g ? g->count : 0;
}

size_t ad_graph_input_count(const ad_graph *g) {
  return g ? g->input_count : 0;
}

size_t ad_graph_output_count(const ad_graph *g) {
  return g ? g->output_count : 0;
}

ad_node ad_graph_output_node(const ad_graph *g, size_t i) {
  return i < ad_graph_output_count(g) ? g->output_node[i] : AD_NO_NODE;
}

const char *ad_graph_output_name(const ad_graph *g, size_t i) {
  return i < ad_graph_output_count(g) ? ad_names_of(&g->output_names, (uint32_t)i) : NULL;
}

size_t ad_graph_find_output(const ad_graph *g, const char *name) {
  uint32_t i;
  return g && name && ad_names_find(&g->output_names, name, &i) ? i : SIZE_MAX;
}

ad_node ad_graph_find_node(const ad_graph *g, const char *name) {
  uint32_t n;
  return g && name && ad_names_find(&g->names, name, &n) ? n : AD_NO_NODE;
}

ad_op ad_graph_node_op(const ad_graph *g, ad_node n) {
  return n < ad_graph_node_count(g) ? g->op[n] : AD_NO_OP;
}

size_t ad_graph_node_args(const ad_graph *g, ad_node n, const ad_node **args) {
  return n < ad_graph_node_count(g) && args ? ad_graph_args(g, n, args) : 0;
}

const ad_shape *ad_graph_node_shape(const ad_graph *g, ad_node n) {
  return n < ad_graph_node_count(g) ? &g->shapes[g->shape[n]] : NULL;
}

const char *ad_graph_node_name(const ad_graph *g, ad_node n) {
  return n < ad_graph_node_count(g) ? ad_names_of(&g->names, n) : NULL;
}

const char *ad_graph_node_text(const ad_graph *g, ad_node n, char *buf) {
  const char *name = ad_graph_node_name(g, n);
  const ad_op_info *op = ad_op_get(ad_graph_node_op(g, n));
  if (!buf) return NULL;
  if (name)
    snprintf(buf, AD_NODE_TEXT, "'%s'", name);
  else
    snprintf(buf, AD_NODE_TEXT, "node %u (%s)", n, op ? op->name : "unknown");
  return buf;
}

static uint32_t payload(const ad_graph *g, ad_node n) {
  return g->arg[g->first_arg[n + 1] - 1];
}

ad_attr ad_graph_node_attr(const ad_graph *g, ad_node n, int i) {
  const ad_op_info *info = ad_op_get(ad_graph_node_op(g, n));
  if (!info || i < 0 || i >= info->attr_count) return (ad_attr){0};
  const ad_attr_slot *slot = &g->slot[payload(g, n) + (uint32_t)i];
  return (ad_attr){info->attr[i].name, g->shapes[slot->shape], slot->first == SIZE_MAX ? NULL : g->ints + slot->first};
}

/* NULL: neither an input nor a constant. */
static const ad_literal *literal_of(const ad_graph *g, ad_node n) {
  return ad_graph_node_op(g, n) <= AD_OP_CONSTANT ? &g->literal[payload(g, n)] : NULL;
}

bool ad_graph_input_fixed(const ad_graph *g, ad_node input) {
  const ad_literal *l = literal_of(g, input);
  return l && l->fixed;
}

ad_dtype ad_graph_node_dtype(const ad_graph *g, ad_node n) {
  const ad_literal *l = literal_of(g, n);
  return l ? l->dtype : AD_EXACT;
}

ad_values ad_graph_node_values(const ad_graph *g, ad_node n) {
  const ad_literal *l = literal_of(g, n);
  if (!l) return (ad_values){0};
  return (ad_values){l->count, l->count ? g->number + l->first : NULL, g, l->first};
}

const char *ad_values_text(const ad_values *v, size_t i) {
  if (!v || i >= v->count) return NULL;
  const ad_graph *g = v->owner;
  return ad_exact_find(g->exact, g->exact_count, g->text, v->first + i);
}
