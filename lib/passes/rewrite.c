#include "passes/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mem.h"

ad_status ad_rewrite_open(ad_rewrite *r, const ad_graph *from, ad_error *e) {
  *r = (ad_rewrite){.from = from};
  r->to = ad_malloc(from->count, sizeof *r->to);
  r->flags = ad_calloc(from->count, 1);
  if (!r->to || !r->flags) return ad_fail_memory(e);
  memset(r->to, 0xFF, from->count * sizeof *r->to);
  return ad_graph_new_like(&r->g, from, e);
}

void ad_rewrite_close(ad_rewrite *r) {
  ad_graph_free(r->g);
  ad_free(r->to);
  ad_free(r->flags);
  ad_free(r->arg);
  ad_free(r->common.slot);
  ad_free(r->common.last);
  ad_free(r->common.before);
}

static ad_status reserve_args(ad_rewrite *r, size_t nargs, ad_error *e) {
  return ad_reserve(&r->arg, &r->arg_capacity, nargs, sizeof *r->arg) ? AD_OK : ad_fail_memory(e);
}

ad_status ad_rewrite_copy(ad_rewrite *r, ad_node n, ad_error *e) {
  const ad_graph *from = r->from;
  const ad_op op = from->op[n];
  r->before = ad_graph_mark_end(r->g);
  r->last = r->flags[n];
  if (op <= AD_OP_CONSTANT) return ad_graph_copy_leaf(r->g, &r->to[n], from, n, e);
  const ad_node *args;
  const size_t nargs = ad_graph_args(from, n, &args);
  ad_status s = reserve_args(r, nargs, e);
  if (s) return s;
  for (size_t k = 0; k < nargs; k++) r->arg[k] = r->to[args[k]];
  ad_attr attr[AD_MAX_ATTRS];
  for (int k = 0; k < ad_op_rule_get(op)->attrs; k++) attr[k] = ad_graph_node_attr(from, n, k);
  return ad_graph_put(r->g, &r->to[n], op, from->shape[n], nargs, r->arg, attr, e);
}

ad_status ad_rewrite_as(ad_rewrite *r, ad_op op, size_t nargs, const ad_node *args, const ad_attr *attr, ad_error *e) {
  const uint32_t shape = r->g->shape[r->g->count - 1];
  ad_node z;
  ad_status s = reserve_args(r, nargs, e);
  if (s) return s;
  for (size_t k = 0; k < nargs; k++) r->arg[k] = args[k];
  ad_graph_cut(r->g, &r->before);
  r->again = true;
  return ad_graph_put(r->g, &z, op, shape, nargs, r->arg, attr, e);
}

ad_status ad_rewrite_constant(ad_rewrite *r, const ad_numbers *value, ad_dtype dtype, ad_error *e) {
  const ad_shape shape = *ad_graph_node_shape(r->g, (ad_node)(r->g->count - 1));
  ad_node z;
  ad_graph_cut(r->g, &r->before);
  return ad_graph_constant(r->g, &z, &shape, value, dtype, e);
}

typedef struct named {
  ad_node node;
  const char *name;
} named;

static int by_node(const void *a, const void *b) {
  const named *x = a, *y = b;
  return x->node < y->node ? -1 : x->node > y->node;
}

/* In the order of nodes, so that the order in which a file gave the names says nothing. */
ad_status ad_rewrite_names(ad_rewrite *r, ad_error *e) {
  const ad_names *names = &r->from->names;
  if (names->count == r->from->input_count) return AD_OK;
  named *list = ad_malloc(names->count, sizeof *list);
  size_t count = 0;
  ad_status s = AD_OK;
  if (!list) return ad_fail_memory(e);
  for (size_t i = 0; i < names->count; i++) {
    const ad_node n = names->entry[i].id;
    if (n >= r->from->input_count && r->to[n] != AD_NO_NODE) list[count++] = (named){n, ad_names_at(names, i)};
  }
  if (count) qsort(list, count, sizeof *list, by_node);
  for (size_t i = 0; !s && i < count; i++) {
    const ad_node n = r->to[list[i].node];
    if (n >= r->g->input_count && !ad_graph_node_name(r->g, n)) s = ad_graph_set_node_name(r->g, n, list[i].name, e);
  }
  ad_free(list);
  return s;
}
