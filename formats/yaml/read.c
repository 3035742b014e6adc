/* The schema: what stands where in a graph file. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "yaml/resolve.h"
#include "yaml/yaml.h"

bool ad_yaml_sniff(const void *bytes, size_t size) {
  const unsigned char *s = bytes;
  if (size >= 2 && ((s[0] == 0xFE && s[1] == 0xFF) || (s[0] == 0xFF && s[1] == 0xFE)))
    return true; /* UTF-16: refused */
  for (size_t i = 0; i < size && i < 512; i++)
    if ((s[i] < 32 && s[i] != '\t' && s[i] != '\n' && s[i] != '\r') || s[i] == 127) return false;
  return true;
}

static ad_status want(const ad_yaml_tree *t, uint32_t item, ad_yaml_kind kind, const char *message, ad_error *e) {
  return ad_yaml_at(t, item)->kind == kind ? AD_OK : ad_yaml_fail(t, item, 0, e, "%s", message);
}

/* A section that is a mapping; `nodes:` with nothing behind it has no entries.  *first is its first key. */
static ad_status open_section(const ad_yaml_tree *t, const char *name, const char *message, uint32_t *first,
                              ad_error *e) {
  uint32_t map = ad_yaml_get(t, 1, name);
  const ad_yaml_item *at = ad_yaml_at(t, map);
  *first = 0;
  if (!map || (at->kind == AD_YAML_SCALAR && at->plain && !at->length)) return AD_OK;
  ad_status s = want(t, map, AD_YAML_MAP, message, e);
  if (!s) *first = at->first;
  return s;
}

/* ---- Header */

static ad_status check_version(const ad_yaml_tree *t, ad_error *e) {
  uint32_t v = ad_yaml_get(t, 1, "adtool");
  if (!v) return ad_yaml_fail(t, 1, 0, e, "this is no graph: the key 'adtool: 1' (the schema's version) is missing");
  if (!strcmp(ad_yaml_word(t, v), "1")) return AD_OK;
  return ad_yaml_fail(t, v, 0, e, "this program reads version 1 of the schema: adtool: 1");
}

static ad_status read_dims(ad_yaml_reader *r, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  uint32_t first;
  ad_status s = open_section(t, "dims", "dims is a mapping of names to sizes", &first, e);
  for (uint32_t i = first; !s && i; i = ad_yaml_next_key(t, i)) {
    const ad_yaml_item *v = ad_yaml_at(t, ad_yaml_value(t, i));
    ad_yaml_dim d = {.symbol = ad_yaml_at(t, i)->symbol};
    if (v->kind != AD_YAML_SCALAR || !ad_ints_parse(t->text + v->text, v->length, &d.size) || d.size < 0)
      return ad_yaml_fail(t, ad_yaml_value(t, i), 0, e, "a size is an integer that is not negative");
    if (!ad_reserve(&r->dim, &r->dim_capacity, r->dim_count + 1, sizeof *r->dim)) return ad_fail_memory(e);
    r->tree.symbols.symbol[d.symbol].dim = (uint32_t)r->dim_count;
    r->dim[r->dim_count++] = d;
  }
  r->exprs.dim = r->dim;
  return s;
}

/* One of a few words or numbers. */
static ad_status choose(const ad_yaml_tree *t, uint32_t item, const char *key, const char *const *words, int *which,
                        ad_error *e) {
  const char *said = ad_yaml_word(t, item);
  char list[80] = "";
  for (*which = 0; words[*which]; ++*which) {
    if (!strcmp(words[*which], said)) return AD_OK;
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", *which ? ", " : "", words[*which]);
  }
  return ad_yaml_fail(t, item, 0, e, "kinks: %s is one of %s", key, list);
}

static ad_status read_kinks(ad_yaml_reader *r, ad_error *e) {
  static const char *const keys[] = {"abs", "relu", "ties", "pow00", NULL};
  static const char *const words[4][4] = {
      {"-1", "0", "1", NULL}, {"0", "0.5", "1", NULL}, {"share", "first", "last", NULL}, {"1", "nan", NULL}};
  const ad_yaml_tree *t = &r->tree;
  uint32_t first, map = ad_yaml_get(t, 1, "kinks");
  int which[4] = {1, 0, 0, 0};
  ad_status s = open_section(t, "kinks", "kinks is a mapping of keys to values", &first, e);
  if (!s && first) s = ad_yaml_known_keys(t, map, "kinks", keys, e);
  for (int k = 0; !s && first && k < 4; k++) {
    uint32_t v = ad_yaml_get(t, map, keys[k]);
    if (v) s = choose(t, v, keys[k], words[k], &which[k], e);
  }
  ad_kinks kinks = {.abs_at_zero = which[0] - 1,
                    .relu_at_zero = which[1] / 2.0,
                    .ties = (ad_ties)which[2],
                    .pow00_nan = which[3] == 1};
  return s ? s : ad_graph_set_kinks(r->graph, &kinks, e);
}

static ad_status read_header(ad_yaml_reader *r, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  uint32_t v, first;
  ad_status s = check_version(t, e);
  if (!s && (v = ad_yaml_get(t, 1, "name"))) {
    s = want(t, v, AD_YAML_SCALAR, "the graph's name is a text", e);
    if (!s) s = ad_yaml_place(t, v, 0, ad_graph_set_name(r->graph, ad_yaml_text(t, v), e), e);
  }
  if (!s) s = read_dims(r, e);
  if (!s) s = read_kinks(r, e);
  if (!s) s = open_section(t, "meta", "meta is a mapping of keys to texts", &first, e);
  for (uint32_t i = s ? 0 : first; !s && i; i = ad_yaml_next_key(t, i)) {
    v = ad_yaml_value(t, i);
    s = want(t, v, AD_YAML_SCALAR, "a meta entry is a text", e);
    if (!s) s = ad_yaml_place(t, i, 0, ad_graph_set_meta(r->graph, ad_yaml_text(t, i), ad_yaml_text(t, v), e), e);
  }
  return s;
}

/* ---- Inputs */

static ad_status read_diff(const ad_yaml_tree *t, uint32_t item, bool *fixed, ad_error *e) {
  const char *said = ad_yaml_word(t, item);
  *fixed = !strcmp(said, "no") || !strcmp(said, "false");
  if (*fixed || !strcmp(said, "yes") || !strcmp(said, "true")) return AD_OK;
  return ad_yaml_fail(t, item, 0, e, "diff is yes or no");
}

static ad_status read_input(ad_yaml_reader *r, uint32_t key, ad_error *e) {
  static const char *const keys[] = {"shape", "value", "fill", "dtype", "diff", NULL};
  const ad_yaml_tree *t = &r->tree;
  uint32_t item = ad_yaml_value(t, key), diff = 0;
  const ad_yaml_item *at = ad_yaml_at(t, item);
  bool map = at->kind == AD_YAML_MAP, empty = at->kind == AD_YAML_SCALAR && at->plain && !at->length; /* `x:` */
  ad_input_spec spec = {.name = ad_yaml_text(t, key)};
  ad_def d = {.kind = AD_DEF_INPUT, .key = key, .item = item};
  ad_numbers *n = ad_numbers_new();
  ad_status s = n ? AD_OK : ad_fail_memory(e);
  if (!s && map) s = ad_yaml_known_keys(t, item, "an input", keys, e);
  if (!s && !empty) s = ad_yaml_literal(r, item, &spec.shape, n, &spec.dtype, e);
  if (!s && map && (diff = ad_yaml_get(t, item, "diff"))) s = read_diff(t, diff, &spec.fixed, e);
  bool given = !empty && (!map || ad_yaml_get(t, item, "value") || ad_yaml_get(t, item, "fill"));
  spec.value = given ? n : NULL;
  if (!s) s = ad_yaml_place(t, key, 0, ad_graph_input(r->graph, &d.node, &spec, e), e);
  ad_numbers_free(n);
  return s ? s : ad_yaml_define(r, &d, e);
}

/* ---- Nodes */

static ad_status read_operation(ad_yaml_reader *r, ad_def *d, uint32_t name, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  const uint32_t args = ad_yaml_get(t, d->item, "args");
  const char *known[3 + 8] = {"op", "args"};
  d->kind = AD_DEF_OPERATION;
  ad_status s = want(t, name, AD_YAML_SCALAR, "op is the name of an operation", e);
  if (!s && !args) s = ad_yaml_fail(t, d->item, 0, e, "an operation wants args: a list of names or expressions");
  if (!s) s = want(t, args, AD_YAML_LIST, "args is a list of names or expressions", e);
  if (!s)
    s = ad_expr_operation(&r->exprs, ad_yaml_text(t, name), ad_yaml_at(t, name)->length, ad_yaml_at(t, args)->count,
                          false, &d->op, name, 0, e);
  const ad_op_info *info = s ? NULL : ad_op_get(d->op);
  for (int i = 0; !s && i < info->attr_count; i++) known[2 + i] = info->attr[i].name;
  if (!s) s = ad_yaml_known_keys(t, d->item, info->name, known, e);
  uint32_t last = 0;
  for (uint32_t i = s ? 0 : ad_yaml_at(t, args)->first; !s && i; i = ad_yaml_at(t, i)->next) {
    uint32_t root = 0;
    s = want(t, i, AD_YAML_SCALAR, "an argument is a name or an expression", e);
    if (!s) s = ad_expr_parse(&r->exprs, i, &root, e);
    if (s) return s;
    if (last)
      r->exprs.node[last].next = root;
    else
      d->expr = root;
    last = root;
  }
  return s ? s : ad_yaml_define(r, d, e);
}

static ad_status read_expression(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  d->kind = AD_DEF_EXPR;
  ad_status s = want(&r->tree, d->item, AD_YAML_SCALAR, "an expression is a text", e);
  if (!s) s = ad_expr_parse(&r->exprs, d->item, &d->expr, e);
  return s ? s : ad_yaml_define(r, d, e);
}

static ad_status read_node(ad_yaml_reader *r, uint32_t key, ad_error *e) {
  static const char *const constant_keys[] = {"value", "shape", "fill", "dtype", NULL};
  static const char *const expr_keys[] = {"expr", NULL};
  const ad_yaml_tree *t = &r->tree;
  ad_def d = {.kind = AD_DEF_CONSTANT, .key = key, .item = ad_yaml_value(t, key), .from = (uint32_t)r->exprs.count};
  uint32_t v;
  if (ad_yaml_at(t, d.item)->kind == AD_YAML_SCALAR) return read_expression(r, &d, e);
  if (ad_yaml_at(t, d.item)->kind == AD_YAML_LIST) return ad_yaml_define(r, &d, e);
  if ((v = ad_yaml_get(t, d.item, "op"))) return read_operation(r, &d, v, e);
  if ((v = ad_yaml_get(t, d.item, "expr"))) {
    ad_status s = ad_yaml_known_keys(t, d.item, "an expression", expr_keys, e);
    d.item = v;
    return s ? s : read_expression(r, &d, e);
  }
  ad_status s = ad_yaml_known_keys(t, d.item, "a constant", constant_keys, e);
  if (!s && !ad_yaml_get(t, d.item, "value") && !ad_yaml_get(t, d.item, "fill"))
    s = ad_yaml_fail(t, d.item, 0, e,
                     "a node is an expression, {op: ..., args: [...]}, a number or list, or {value: ...}");
  return s ? s : ad_yaml_define(r, &d, e);
}

/* Calls `ask` for each name in a node's value. */
static void ask_for_names(const ad_yaml_reader *r, uint32_t key,
                          void (*ask)(const ad_symbols *t, const char *text, size_t length)) {
  const ad_yaml_tree *t = &r->tree;
  const uint32_t next = ad_yaml_next_key(t, key), end = next ? next : (uint32_t)t->count;
  for (uint32_t i = ad_yaml_value(t, key); i < end; i++) {
    if (ad_yaml_at(t, i)->kind != AD_YAML_SCALAR) continue;
    size_t length;
    for (const char *s = ad_yaml_text(t, i); (s = ad_token_find_name(s, &length)); s += length)
      ask(&t->symbols, s, length);
  }
}

/* In a file of many names, most symbols lie outside the caches: they are asked for while the nodes before are read. */
static ad_status read_nodes(ad_yaml_reader *r, uint32_t first, ad_error *e) {
  enum { MANY = 1 << 16, SLOTS_AHEAD = 6, SYMBOLS_AHEAD = 3 };
  const ad_yaml_tree *t = &r->tree;
  ad_status s = AD_OK;
  uint32_t slots = t->symbols.slots >= MANY ? first : 0, symbols = slots;
  for (int k = 0; slots && k < SLOTS_AHEAD; k++) slots = ad_yaml_next_key(t, slots);
  for (int k = 0; symbols && k < SYMBOLS_AHEAD; k++) symbols = ad_yaml_next_key(t, symbols);
  for (uint32_t i = first; !s && i; i = ad_yaml_next_key(t, i)) {
    if (slots) ask_for_names(r, slots, ad_symbols_ask_slot), slots = ad_yaml_next_key(t, slots);
    if (symbols) ask_for_names(r, symbols, ad_symbols_ask_symbol), symbols = ad_yaml_next_key(t, symbols);
    s = read_node(r, i, e);
  }
  return s;
}

/* ---- Outputs */

/* Outputs are definitions without a name, behind all others. */
static ad_status read_outputs(ad_yaml_reader *r, uint32_t item, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  ad_status s = AD_OK;
  if (ad_yaml_at(t, item)->kind == AD_YAML_SCALAR)
    return ad_yaml_fail(t, item, 0, e, "outputs is a mapping of names to expressions, or a list of names of nodes");
  const size_t first = r->def_count;
  bool map = ad_yaml_at(t, item)->kind == AD_YAML_MAP;
  for (uint32_t i = ad_yaml_at(t, item)->first; map && !s && i; i = ad_yaml_next_key(t, i)) {
    ad_def d = {.item = ad_yaml_value(t, i), .from = (uint32_t)r->exprs.count};
    s = read_expression(r, &d, e);
  }
  if (!s) s = ad_yaml_resolve(r, e);
  uint32_t def = (uint32_t)first;
  for (uint32_t i = ad_yaml_at(t, item)->first; !s && i; i = map ? ad_yaml_next_key(t, i) : ad_yaml_at(t, i)->next) {
    s = want(t, i, AD_YAML_SCALAR, "a list of outputs has names of nodes", e);
    if (!s && !map) s = ad_yaml_lookup(r, i, &def, e);
    if (!s) s = ad_yaml_place(t, i, 0, ad_graph_output(r->graph, ad_yaml_text(t, i), r->def[def].node, e), e);
    def++;
  }
  return s;
}

/* ---- The file */

static ad_status read_all(ad_yaml_reader *r, ad_error *e) {
  static const char *const keys[] = {"adtool", "name", "dims", "kinks", "meta", "inputs", "nodes", "outputs", NULL};
  const ad_yaml_tree *t = &r->tree;
  uint32_t first = 0, outputs;
  ad_status s = ad_yaml_known_keys(t, 1, "a graph file", keys, e);
  if (!s) s = read_header(r, e);
  if (!s) s = open_section(t, "inputs", "inputs is a mapping of names to values", &first, e);
  for (uint32_t i = first; !s && i; i = ad_yaml_next_key(t, i)) s = read_input(r, i, e);
  first = 0;
  if (!s) s = open_section(t, "nodes", "nodes is a mapping of names to expressions", &first, e);
  if (!s) s = read_nodes(r, first, e);
  if (s) return s;
  if (!(outputs = ad_yaml_get(t, 1, "outputs")))
    return ad_yaml_fail(t, 1, 0, e, "the graph has no outputs; add `outputs: {name: expression}`");
  return read_outputs(r, outputs, e);
}

ad_status ad_yaml_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                       ad_error *e) {
  ad_yaml_reader r = {0};
  ad_status s = ad_yaml_parse(&r.tree, bytes, size, path, limits, e);
  r.exprs.tree = &r.tree;
  if (!s) s = ad_graph_new(&r.graph, limits, e);
  if (!s) s = read_all(&r, e);
  if (s)
    ad_graph_free(r.graph);
  else
    *g = r.graph;
  if (s && e && !e->file[0]) snprintf(e->file, sizeof e->file, "%s", path);
  ad_numbers_free(r.number);
  ad_free(r.def);
  ad_free(r.dim);
  ad_free(r.spine.v);
  ad_exprs_clear(&r.exprs);
  ad_yaml_clear(&r.tree);
  return s;
}
