/* Reading a graph. */
#include <stdio.h>
#include <string.h>

#include "ir/graph.h"

const ad_limits *ad_graph_limits(const ad_graph *g) {
  return &g->limits;
}

const char *ad_graph_name(const ad_graph *g) {
  return g->name ? g->name : "";
}

ad_kinks ad_graph_kinks(const ad_graph *g) {
  return g->kinks;
}

size_t ad_graph_meta_count(const ad_graph *g) {
  return g->meta_keys.count;
}

const char *ad_graph_meta_key(const ad_graph *g, size_t i) {
  return ad_names_at(&g->meta_keys, i);
}

const char *ad_graph_meta_text(const ad_graph *g, size_t i) {
  return g->meta_text[i];
}

size_t ad_graph_node_count(const ad_graph *g) {
  return g->count;
}

size_t ad_graph_input_count(const ad_graph *g) {
  return g->input_count;
}

size_t ad_graph_output_count(const ad_graph *g) {
  return g->output_count;
}

ad_node ad_graph_output_node(const ad_graph *g, size_t i) {
  return g->output_node[i];
}

const char *ad_graph_output_name(const ad_graph *g, size_t i) {
  return ad_names_of(&g->output_names, (uint32_t)i);
}

size_t ad_graph_find_output(const ad_graph *g, const char *name) {
  uint32_t i;
  return ad_names_find(&g->output_names, name, &i) ? i : SIZE_MAX;
}

ad_node ad_graph_find_node(const ad_graph *g, const char *name) {
  uint32_t n;
  return ad_names_find(&g->names, name, &n) ? n : AD_NO_NODE;
}

ad_op ad_graph_node_op(const ad_graph *g, ad_node n) {
  return g->op[n];
}

size_t ad_graph_node_args(const ad_graph *g, ad_node n, const ad_node **args) {
  return ad_graph_args(g, n, args);
}

const ad_shape *ad_graph_node_shape(const ad_graph *g, ad_node n) {
  return &g->shapes[g->shape[n]];
}

const char *ad_graph_node_name(const ad_graph *g, ad_node n) {
  return ad_names_of(&g->names, n);
}

const char *ad_graph_node_text(const ad_graph *g, ad_node n, char *buf) {
  const char *name = ad_graph_node_name(g, n);
  if (name)
    snprintf(buf, AD_NODE_TEXT, "'%s'", name);
  else
    snprintf(buf, AD_NODE_TEXT, "node %u (%s)", n, ad_op_get(g->op[n])->name);
  return buf;
}

static uint32_t payload(const ad_graph *g, ad_node n) {
  return g->arg[g->first_arg[n + 1] - 1];
}

ad_attr ad_graph_node_attr(const ad_graph *g, ad_node n, int i) {
  const ad_op_info *info = ad_op_get(g->op[n]);
  const ad_attr_slot *slot = &g->slot[payload(g, n) + (uint32_t)i];
  return (ad_attr){info->attr[i].name, g->shapes[slot->shape], slot->first == SIZE_MAX ? NULL : g->ints + slot->first};
}

static const ad_literal *literal_of(const ad_graph *g, ad_node n) {
  return &g->literal[payload(g, n)];
}

bool ad_graph_input_fixed(const ad_graph *g, ad_node input) {
  return literal_of(g, input)->fixed;
}

ad_dtype ad_graph_node_dtype(const ad_graph *g, ad_node n) {
  return literal_of(g, n)->dtype;
}

ad_values ad_graph_node_values(const ad_graph *g, ad_node n) {
  const ad_literal *l = literal_of(g, n);
  return (ad_values){l->count, l->count ? g->number + l->first : NULL, g, l->first};
}

const char *ad_values_text(const ad_values *v, size_t i) {
  const ad_graph *g = v->owner;
  return ad_exact_find(g->exact, g->exact_count, g->text, v->first + i);
}
