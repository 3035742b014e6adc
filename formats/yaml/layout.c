/* The reader makes entries in file order, each from the leaves of its expression upwards, and a number that an
 * expression has met before is the node that it was then.  So the nodes between one entry and the next can be left
 * inside the latter's expression just when walking that expression as the reader does meets them in their order;
 * otherwise they all become entries, under labels. */
#include "yaml/layout.h"

#include <string.h>

#include "error.h"
#include "ir/ops.h"
#include "mem.h"

enum {
  LONGEST_EXPRESSION = 100, /* characters */
  MOST_ARGUMENTS = 16,      /* and integers in attributes, of an operation in infix */
  WIDEST = 255
};

const char *ad_yaml_constant_text(const ad_graph *g, ad_node n, char *buf) {
  ad_values v = ad_graph_node_values(g, n);
  const char *text = ad_values_text(&v, 0);
  if (text) return text;
  ad_number_exact_text(buf, v.value[0]);
  return buf;
}

void ad_yaml_layout_clear(ad_yaml_layout *l) {
  ad_free(l->entry);
  ad_free(l->width);
  ad_free(l->uses);
  ad_free(l->fresh);
  ad_symbols_clear(&l->symbols);
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

ad_attr ad_yaml_attr_of(const ad_graph *g, ad_node n, int k) {
  static const int64_t none = 0;
  ad_attr a = ad_graph_node_attr(g, n, k);
  if (!a.value && a.shape.rank) a.value = &none;
  return a;
}

static size_t attr_ints(const ad_graph *g, ad_node n) {
  const ad_op_info *info = ad_op_get(ad_graph_node_op(g, n));
  size_t ints = 0;
  for (int k = 0; k < info->attr_count; k++) {
    ad_attr a = ad_yaml_attr_of(g, n, k);
    if (a.value) ints += (size_t)ad_shape_size(&a.shape);
  }
  return ints;
}

bool ad_yaml_wants_mapping(const ad_graph *g, ad_node n) {
  const ad_node *args;
  if (ad_graph_node_args(g, n, &args) > MOST_ARGUMENTS) return true;
  const ad_op_info *info = ad_op_get(ad_graph_node_op(g, n));
  for (int k = 0; k < info->attr_count; k++) {
    ad_attr a = ad_yaml_attr_of(g, n, k);
    if (a.value && (ad_shape_size(&a.shape) > 4 * MOST_ARGUMENTS || (a.shape.rank > 1 && !ad_shape_size(&a.shape))))
      return true;
  }
  return false;
}

/* ---- Entries whatever their order */

static uint8_t cap(size_t width) {
  return (uint8_t)(width < WIDEST ? width : WIDEST);
}

bool ad_yaml_fits_inside(const ad_graph *g, ad_node n, const char **text, char *buf) {
  if (ad_graph_node_shape(g, n)->rank || ad_graph_node_dtype(g, n) != AD_EXACT) return false;
  *text = ad_yaml_constant_text(g, n, buf);
  const char *word = *text + (**text == '-');
  if (*word >= '0' && *word <= '9') return true;
  return ad_graph_find_node(g, word) == AD_NO_NODE;
}

static ad_status measure_constant(ad_yaml_layout *l, ad_node n, bool named, ad_error *e) {
  char buf[AD_NUMBER_TEXT];
  const char *text = "";
  l->entry[n] = named || !ad_yaml_fits_inside(l->graph, n, &text, buf);
  if (l->entry[n]) return AD_OK;
  size_t length = strlen(text);
  l->uses[n] = ad_symbols_intern(&l->symbols, text, length);
  l->width[n] = cap(length);
  return l->uses[n] ? AD_OK : ad_fail_memory(e);
}

/* Named, shared and unused operations, and long ones. */
static void measure_operation(ad_yaml_layout *l, ad_node n, bool named) {
  enum { CALL = 12, SEPARATOR = 3, INTEGER = 4 };
  const ad_node *args;
  size_t count = ad_graph_node_args(l->graph, n, &args);
  size_t width = (count > 2 ? CALL : SEPARATOR) + attr_ints(l->graph, n) * INTEGER;
  for (size_t i = 0; i < count; i++) width += l->width[args[i]] + (size_t)SEPARATOR;
  l->width[n] = cap(width);
  l->entry[n] =
      named || l->explicit_nodes || l->uses[n] != 1 || width > LONGEST_EXPRESSION || ad_yaml_wants_mapping(l->graph, n);
}

static ad_status measure(ad_yaml_layout *l, ad_error *e) {
  enum { LABEL = 9 };
  const ad_graph *g = l->graph;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) {
    const char *name = ad_graph_node_name(g, n);
    ad_status s = AD_OK;
    if (n < ad_graph_input_count(g))
      l->entry[n] = 1;
    else if (is_constant(g, n))
      s = measure_constant(l, n, name, e);
    else
      measure_operation(l, n, name);
    if (s) return s;
    if (l->entry[n]) l->width[n] = cap(name ? strlen(name) : LABEL);
  }
  return AD_OK;
}

/* ---- The reader's order */

/* A walk as the reader does it. */
typedef struct walk {
  ad_yaml_layout *l;
  ad_node root;      /* the entry, or AD_NO_NODE for the outputs */
  uint64_t expected; /* the id that the next new node gets */
  bool differs, out_of_memory;
} walk;

static void meet_constant(walk *w, ad_node n) {
  ad_yaml_layout *l = w->l;
  ad_symbol *symbol = &l->symbols.symbol[l->uses[n]];
  if (symbol->literal == AD_NO_NODE) {
    if (!ad_reserve(&l->fresh, &l->fresh_capacity, l->fresh_count + 1, sizeof *l->fresh)) {
      w->differs = w->out_of_memory = true;
      return;
    }
    l->fresh[l->fresh_count++] = l->uses[n];
    symbol->literal = (ad_node)w->expected++;
  }
  if (symbol->literal != n) w->differs = true;
}

/* As deep as the longest expression. */
static void meet(walk *w, ad_node n) {
  const ad_graph *g = w->l->graph;
  if (w->differs || (w->l->entry[n] && n != w->root)) return;
  if (is_constant(g, n)) {
    meet_constant(w, n);
    return;
  }
  const ad_node *args;
  size_t count = ad_graph_node_args(g, n, &args);
  for (size_t i = 0; i < count; i++) meet(w, args[i]);
  if (w->expected++ != n) w->differs = true;
}

/* Ends a walk that should have met the nodes [first, end) in order.  If it did not, they all get labels, and the reader
 * has not met their numbers. */
static ad_status finish(walk *w, ad_node first, ad_node end, ad_error *e) {
  ad_yaml_layout *l = w->l;
  if (w->differs || w->expected != end) {
    memset(l->entry + first, 1, end - first);
    while (l->fresh_count) l->symbols.symbol[l->fresh[--l->fresh_count]].literal = AD_NO_NODE;
  }
  l->fresh_count = 0;
  return w->out_of_memory ? ad_fail_memory(e) : AD_OK;
}

/* The nodes [first, entry] as one expression, or each by itself. */
static ad_status settle(ad_yaml_layout *l, ad_node first, ad_node entry, ad_error *e) {
  walk w = {.l = l, .root = entry, .expected = first};
  if (is_constant(l->graph, entry)) /* has no expression that could hold the others */
    w.expected += first == entry;
  else
    meet(&w, entry);
  return finish(&w, first, entry + 1, e);
}

/* What is left behind the last entry belongs to the outputs, walked in their order. */
static ad_status settle_tail(ad_yaml_layout *l, ad_node first, ad_error *e) {
  const ad_graph *g = l->graph;
  walk w = {.l = l, .root = AD_NO_NODE, .expected = first};
  for (size_t i = 0; i < ad_graph_output_count(g); i++) meet(&w, ad_graph_output_node(g, i));
  return finish(&w, first, (ad_node)ad_graph_node_count(g), e);
}

ad_status ad_yaml_lay_out(ad_yaml_layout *l, const ad_graph *g, bool explicit_nodes, ad_error *e) {
  const size_t n = ad_graph_node_count(g);
  *l = (ad_yaml_layout){.graph = g, .explicit_nodes = explicit_nodes};
  l->entry = ad_calloc(n, 1);
  l->width = ad_calloc(n, 1);
  l->uses = ad_calloc(n, sizeof *l->uses);
  if (!l->entry || !l->width || !l->uses) return ad_fail_memory(e);
  count_uses(l);
  ad_status s = measure(l, e);
  ad_node first = (ad_node)ad_graph_input_count(g);
  for (ad_node i = first; !s && i < n; i++) {
    if (!l->entry[i]) continue;
    s = settle(l, first, i, e);
    first = i + 1;
  }
  return s ? s : settle_tail(l, first, e);
}
