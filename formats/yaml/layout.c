/* The reader makes entries in file order, each from the leaves of its expression upwards, and a number that an
 * expression has met before is the node that it was then.  So the nodes between one entry and the next can be left
 * inside the latter's expression just when walking that expression as the reader does meets them in their order;
 * otherwise they all become entries, under labels. */
#include "yaml/layout.h"

#include <ctype.h>
#include <string.h>

#include "error.h"
#include "ir/ops.h"

enum { LARGEST_EXPRESSION = 64 };

const char *ad_yaml_constant_text(const ad_graph *g, ad_node n, char *buf) {
  ad_values v = ad_graph_node_values(g, n);
  const char *text = ad_values_text(&v, 0);
  if (text) return text;
  ad_number_exact_text(buf, v.value[0]);
  return buf;
}

bool ad_yaml_inline_constant(const ad_graph *g, ad_node n) {
  if (ad_graph_node_shape(g, n)->rank || ad_graph_node_dtype(g, n) != AD_EXACT || ad_graph_node_name(g, n))
    return false;
  char buf[AD_NUMBER_TEXT];
  const char *text = ad_yaml_constant_text(g, n, buf);
  if (*text == '-') text++;
  return !isalpha((unsigned char)*text) || ad_graph_find_node(g, text) == AD_NO_NODE;
}

void ad_yaml_layout_clear(ad_yaml_layout *l) {
  ad_free(l->entry);
  ad_free(l->size);
  ad_free(l->uses);
  ad_names_clear(&l->literals);
  *l = (ad_yaml_layout){0};
}

static bool is_constant(const ad_graph *g, ad_node n) {
  return ad_graph_node_op(g, n) == AD_OP_CONSTANT;
}

static void count_uses(ad_yaml_layout *l) {
  const ad_graph *g = l->graph;
  const ad_node *args;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) {
    size_t count = ad_graph_node_args(g, n, &args);
    for (size_t i = 0; i < count; i++) l->uses[args[i]]++;
  }
  for (size_t i = 0; i < ad_graph_output_count(g); i++) l->uses[ad_graph_output_node(g, i)]++;
}

/* Entries whatever their order: named, shared or unused operations, tensors, marked constants, and long expressions. */
static void mark_entries(ad_yaml_layout *l) {
  const ad_graph *g = l->graph;
  const ad_node *args;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) {
    if (n < ad_graph_input_count(g) || l->explicit_nodes || ad_graph_node_name(g, n)) {
      l->entry[n] = 1;
    } else if (is_constant(g, n)) {
      l->entry[n] = !ad_yaml_inline_constant(g, n);
    } else {
      size_t count = ad_graph_node_args(g, n, &args), size = 1;
      for (size_t i = 0; i < count; i++)
        if (!l->entry[args[i]]) size += l->size[args[i]];
      l->entry[n] = l->uses[n] != 1 || size > LARGEST_EXPRESSION;
      l->size[n] = (uint8_t)(size > LARGEST_EXPRESSION ? LARGEST_EXPRESSION : size);
    }
  }
}

/* A walk as the reader does it. */
typedef struct walk {
  ad_yaml_layout *l;
  uint64_t expected; /* the id that the next new node gets */
  ad_names fresh;    /* literals first met on this walk */
  bool failed, out_of_memory;
} walk;

static void meet(walk *w, ad_node n, ad_node root) {
  const ad_graph *g = w->l->graph;
  if (w->failed || (w->l->entry[n] && n != root)) return;
  if (is_constant(g, n) && n != root) {
    char buf[AD_NUMBER_TEXT];
    const char *text = ad_yaml_constant_text(g, n, buf);
    uint32_t known;
    if (ad_names_find(&w->l->literals, text, &known) || ad_names_find(&w->fresh, text, &known)) {
      w->failed = known != n;
      return;
    }
    w->failed = w->expected++ != n;
    if (!w->failed && !ad_names_add(&w->fresh, text, n)) w->failed = w->out_of_memory = true;
    return;
  }
  const ad_node *args;
  size_t count = ad_graph_node_args(g, n, &args);
  for (size_t i = 0; i < count; i++) meet(w, args[i], root); /* as deep as the largest expression */
  if (w->expected++ != n) w->failed = true;
}

/* Ends a walk of the nodes [first, end): its literals are known from now on, or the nodes all get labels. */
static ad_status finish(walk *w, bool good, ad_node first, ad_node end, ad_error *e) {
  bool memory = !w->out_of_memory;
  if (good)
    for (size_t i = 0; memory && i < w->fresh.count; i++)
      memory = ad_names_add(&w->l->literals, ad_names_at(&w->fresh, i), w->fresh.entry[i].id);
  else
    memset(w->l->entry + first, 1, end - first);
  ad_names_clear(&w->fresh);
  return memory ? AD_OK : ad_fail_memory(e);
}

/* The nodes [first, entry] as one expression, or each by itself. */
static ad_status settle(ad_yaml_layout *l, ad_node first, ad_node entry, ad_error *e) {
  walk w = {.l = l, .expected = first};
  if (is_constant(l->graph, entry)) { /* has no expression that could hold the others */
    w.failed = first != entry;
    w.expected = (uint64_t)entry + 1;
  } else {
    meet(&w, entry, entry);
  }
  return finish(&w, !w.failed && w.expected == (uint64_t)entry + 1, first, entry, e);
}

/* What is left behind the last entry belongs to the outputs, walked in their order. */
static ad_status settle_tail(ad_yaml_layout *l, ad_node first, ad_error *e) {
  const ad_graph *g = l->graph;
  ad_node end = (ad_node)ad_graph_node_count(g);
  walk w = {.l = l, .expected = first};
  for (size_t i = 0; i < ad_graph_output_count(g) && !w.failed; i++) {
    ad_node n = ad_graph_output_node(g, i);
    if (!l->entry[n] && n < first && !is_constant(g, n)) w.failed = true;
    if (!w.failed) meet(&w, n, AD_NO_NODE);
  }
  return finish(&w, !w.failed && w.expected == end, first, end, e);
}

ad_status ad_yaml_lay_out(ad_yaml_layout *l, const ad_graph *g, bool explicit_nodes, ad_error *e) {
  size_t n = ad_graph_node_count(g);
  *l = (ad_yaml_layout){.graph = g, .explicit_nodes = explicit_nodes};
  l->entry = ad_calloc(n, 1);
  l->size = ad_calloc(n, 1);
  l->uses = ad_calloc(n, sizeof *l->uses);
  if (!l->entry || !l->size || !l->uses) return ad_fail_memory(e);
  count_uses(l);
  mark_entries(l);
  ad_node first = (ad_node)ad_graph_input_count(g);
  ad_status s = AD_OK;
  for (ad_node i = first; !s && i < n; i++) {
    if (!l->entry[i]) continue;
    s = settle(l, first, i, e);
    first = i + 1;
  }
  return s ? s : settle_tail(l, first, e);
}
