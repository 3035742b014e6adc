/* The schema: what stands where in a graph file. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "yaml/resolve.h"
#include "yaml/yaml.h"

bool ad_yaml_sniff(const void *bytes, size_t size) {
  const unsigned char *s = bytes;
  if (size >= 2 && ((s[0] == 0xFE && s[1] == 0xFF) || (s[0] == 0xFF && s[1] == 0xFE))) return true; /* UTF-16 */
  for (size_t i = 0; i < size && i < 512; i++)
    if (s[i] == 0 || (s[i] < 32 && !isspace(s[i])) || s[i] == 127) return false;
  return true;
}

static uint32_t value_of(const ad_yaml_tree *t, uint32_t key) {
  return ad_yaml_at(t, key)->next;
}

static uint32_t next_key(const ad_yaml_tree *t, uint32_t key) {
  return ad_yaml_at(t, value_of(t, key))->next;
}

static ad_status want(const ad_yaml_tree *t, uint32_t item, ad_yaml_kind kind, const char *message, ad_error *e) {
  return ad_yaml_at(t, item)->kind == kind ? AD_OK : ad_yaml_fail(t, item, 0, e, "%s", message);
}

static ad_status check_version(const ad_yaml_reader *r, ad_error *e) {
  uint32_t v = ad_yaml_get(&r->tree, 1, "adtool");
  if (!v)
    return ad_yaml_fail(&r->tree, 1, 0, e, "this is no graph: the key 'adtool: 1' (the schema's version) is missing");
  if (ad_yaml_at(&r->tree, v)->kind == AD_YAML_SCALAR && !strcmp(ad_yaml_text(&r->tree, v), "1")) return AD_OK;
  return ad_yaml_fail(&r->tree, v, 0, e, "this program reads version 1 of the schema: adtool: 1");
}

static ad_status read_dims(ad_yaml_reader *r, uint32_t map, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  ad_status s = want(t, map, AD_YAML_MAP, "dims is a mapping of names to sizes", e);
  for (uint32_t i = ad_yaml_at(t, map)->first; !s && i; i = next_key(t, i)) {
    int64_t v;
    s = ad_yaml_size(r, value_of(t, i), &v, e);
    if (!s && v < 0) s = ad_yaml_fail(t, value_of(t, i), 0, e, "a size is not negative");
    if (!s && (!ad_reserve(&r->size, &r->dim_capacity, r->dim_count + 1, sizeof *r->size) ||
               !ad_names_add(&r->dims, ad_yaml_text(t, i), (uint32_t)r->dim_count)))
      s = ad_fail_memory(e);
    if (!s) r->size[r->dim_count++] = v;
  }
  return s;
}

/* One of a few words or numbers. */
static ad_status choose(const ad_yaml_tree *t, uint32_t item, const char *key, const char *const *words, int *which,
                        ad_error *e) {
  const char *said = ad_yaml_at(t, item)->kind == AD_YAML_SCALAR ? ad_yaml_text(t, item) : "";
  char list[80] = "";
  for (*which = 0; words[*which]; ++*which) {
    if (!strcmp(words[*which], said)) return AD_OK;
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", *which ? ", " : "", words[*which]);
  }
  return ad_yaml_fail(t, item, 0, e, "kinks: %s is one of %s", key, list);
}

static ad_status read_kinks(ad_yaml_reader *r, uint32_t map, ad_error *e) {
  static const char *const keys[] = {"abs", "relu", "ties", "pow00", NULL};
  static const char *const abs_words[] = {"-1", "0", "1", NULL}, *const relu_words[] = {"0", "0.5", "1", NULL};
  static const char *const tie_words[] = {"share", "first", "last", NULL}, *const pow_words[] = {"1", "nan", NULL};
  const ad_yaml_tree *t = &r->tree;
  ad_kinks k = {0};
  int which = 0;
  uint32_t v;
  ad_status s = ad_yaml_known_keys(t, map, "kinks", keys, e);
  if (!s && (v = ad_yaml_get(t, map, "abs"))) s = choose(t, v, "abs", abs_words, &which, e), k.abs_at_zero = which - 1;
  if (!s && (v = ad_yaml_get(t, map, "relu")))
    s = choose(t, v, "relu", relu_words, &which, e), k.relu_at_zero = which / 2.0;
  if (!s && (v = ad_yaml_get(t, map, "ties"))) s = choose(t, v, "ties", tie_words, &which, e), k.ties = (ad_ties)which;
  if (!s && (v = ad_yaml_get(t, map, "pow00")))
    s = choose(t, v, "pow00", pow_words, &which, e), k.pow00_nan = which == 1;
  return s ? s : ad_graph_set_kinks(r->graph, &k, e);
}

static ad_status read_header(ad_yaml_reader *r, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  uint32_t v;
  ad_status s = check_version(r, e);
  if (!s && (v = ad_yaml_get(t, 1, "name"))) {
    s = want(t, v, AD_YAML_SCALAR, "the graph's name is a text", e);
    if (!s) s = ad_yaml_place(t, v, 0, ad_graph_set_name(r->graph, ad_yaml_text(t, v), e), e);
  }
  if (!s && (v = ad_yaml_get(t, 1, "dims"))) s = read_dims(r, v, e);
  if (!s && (v = ad_yaml_get(t, 1, "kinks"))) s = read_kinks(r, v, e);
  if (s || !(v = ad_yaml_get(t, 1, "meta"))) return s;
  s = want(t, v, AD_YAML_MAP, "meta is a mapping of keys to texts", e);
  for (uint32_t i = ad_yaml_at(t, v)->first; !s && i; i = next_key(t, i)) {
    s = want(t, value_of(t, i), AD_YAML_SCALAR, "a meta entry is a text", e);
    if (!s)
      s = ad_yaml_place(t, i, 0, ad_graph_set_meta(r->graph, ad_yaml_text(t, i), ad_yaml_text(t, value_of(t, i)), e),
                        e);
  }
  return s;
}

static ad_status add_def(ad_yaml_reader *r, const ad_def *d, ad_error *e) {
  if (d->key) {
    const char *name = ad_yaml_text(&r->tree, d->key);
    uint32_t other;
    if (ad_names_find(&r->names, name, &other))
      return ad_yaml_fail(&r->tree, d->key, 0, e, "'%.80s' is an input already, in line %u; names are unique", name,
                          ad_yaml_at(&r->tree, r->def[other].key)->line);
    if (!ad_names_add(&r->names, name, (uint32_t)r->def_count)) return ad_fail_memory(e);
  }
  if (!ad_reserve(&r->def, &r->def_capacity, r->def_count + 1, sizeof *r->def)) return ad_fail_memory(e);
  r->def[r->def_count++] = *d;
  return AD_OK;
}

static ad_status read_input(ad_yaml_reader *r, uint32_t key, ad_error *e) {
  static const char *const keys[] = {"shape", "value", "fill", "dtype", "diff", NULL};
  const ad_yaml_tree *t = &r->tree;
  uint32_t item = value_of(t, key), diff = 0;
  ad_input_spec spec = {.name = ad_yaml_text(t, key)};
  ad_numbers *n = ad_numbers_new();
  ad_status s = n ? AD_OK : ad_fail_memory(e);
  bool map = ad_yaml_at(t, item)->kind == AD_YAML_MAP;
  bool empty = ad_yaml_at(t, item)->kind == AD_YAML_SCALAR && !*ad_yaml_text(t, item); /* `x:` */
  if (!s && map) s = ad_yaml_known_keys(t, item, "an input", keys, e);
  if (!s && !empty) s = ad_yaml_literal(r, item, &spec.shape, n, &spec.dtype, e);
  if (!s && map && (diff = ad_yaml_get(t, item, "diff"))) {
    const char *said = ad_yaml_at(t, diff)->kind == AD_YAML_SCALAR ? ad_yaml_text(t, diff) : "";
    spec.fixed = !strcmp(said, "no") || !strcmp(said, "false");
    if (!spec.fixed && strcmp(said, "yes") && strcmp(said, "true"))
      s = ad_yaml_fail(t, diff, 0, e, "diff is yes or no");
  }
  spec.value = n && ad_numbers_count(n) ? n : NULL;
  ad_def d = {.kind = AD_DEF_DONE, .state = 2, .key = key, .item = item};
  if (!s) s = ad_yaml_place(t, key, 0, ad_graph_input(r->graph, &d.node, &spec, e), e);
  ad_numbers_free(n);
  return s ? s : add_def(r, &d, e);
}

/* The key of an operation's attribute must be one that the operation has; ad_graph_apply says so, but not where. */
static ad_status check_attrs(const ad_yaml_tree *t, uint32_t map, ad_op op, ad_error *e) {
  const ad_op_info *info = ad_op_get(op);
  const char *known[8] = {"op", "args"};
  for (int i = 0; i < info->attr_count; i++) known[2 + i] = info->attr[i].name;
  return ad_yaml_known_keys(t, map, info->name, known, e);
}

static ad_status read_operation(ad_yaml_reader *r, uint32_t key, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  uint32_t item = value_of(t, key), name = ad_yaml_get(t, item, "op"), args = ad_yaml_get(t, item, "args");
  if (!args) return ad_yaml_fail(t, item, 0, e, "an operation wants args: a list of names or expressions");
  ad_status s = want(t, name, AD_YAML_SCALAR, "op is the name of an operation", e);
  if (!s) s = want(t, args, AD_YAML_LIST, "args is a list of names or expressions", e);
  if (s) return s;
  ad_def d = {.kind = AD_DEF_OPERATION, .key = key, .item = item};
  d.op = ad_expr_function(ad_yaml_text(t, name), ad_yaml_at(t, args)->count, false);
  if (d.op == AD_NO_OP) {
    const char *said = ad_yaml_text(t, name), *near = ad_op_suggest(said);
    if (near) return ad_yaml_fail(t, name, 0, e, "unknown operation '%.80s' (did you mean '%s'?)", said, near);
    return ad_yaml_fail(t, name, 0, e, "unknown operation '%.80s'; `adtool ops` lists them all", said);
  }
  s = check_attrs(t, item, d.op, e);
  uint32_t last = 0;
  for (uint32_t i = ad_yaml_at(t, args)->first; !s && i; i = ad_yaml_at(t, i)->next) {
    uint32_t root = 0;
    s = want(t, i, AD_YAML_SCALAR, "an argument is a name or an expression", e);
    if (!s) s = ad_expr_parse(&r->exprs, i, &root, e);
    if (s) break;
    if (last)
      r->exprs.node[last].next = root;
    else
      d.expr = root;
    last = root;
  }
  return s ? s : add_def(r, &d, e);
}

static ad_status read_expression(ad_yaml_reader *r, uint32_t key, uint32_t item, ad_error *e) {
  ad_def d = {.kind = AD_DEF_EXPR, .key = key, .item = item};
  ad_status s = want(&r->tree, item, AD_YAML_SCALAR, "an expression is a text", e);
  /* a number by itself is a constant of its own, with a name of its own */
  const char *text = s ? "" : ad_yaml_text(&r->tree, item);
  if (!s && key && !isalpha((unsigned char)*text) && ad_number_valid(text, strlen(text)))
    d.kind = AD_DEF_CONSTANT;
  else if (!s)
    s = ad_expr_parse(&r->exprs, item, &d.expr, e);
  return s ? s : add_def(r, &d, e);
}

static ad_status read_node(ad_yaml_reader *r, uint32_t key, ad_error *e) {
  static const char *const constant_keys[] = {"value", "shape", "fill", "dtype", NULL}, *const expr_keys[] = {"expr",
                                                                                                              NULL};
  const ad_yaml_tree *t = &r->tree;
  uint32_t item = value_of(t, key);
  if (ad_yaml_at(t, item)->kind == AD_YAML_SCALAR) return read_expression(r, key, item, e);
  ad_def d = {.kind = AD_DEF_CONSTANT, .key = key, .item = item};
  if (ad_yaml_at(t, item)->kind == AD_YAML_LIST) return add_def(r, &d, e);
  if (ad_yaml_get(t, item, "op")) return read_operation(r, key, e);
  if (ad_yaml_get(t, item, "expr")) {
    ad_status s = ad_yaml_known_keys(t, item, "an expression", expr_keys, e);
    return s ? s : read_expression(r, key, ad_yaml_get(t, item, "expr"), e);
  }
  ad_status s = ad_yaml_known_keys(t, item, "a constant", constant_keys, e);
  if (!s && !ad_yaml_get(t, item, "value") && !ad_yaml_get(t, item, "fill"))
    s = ad_yaml_fail(t, item, 0, e,
                     "a node is an expression, {op: ..., args: [...]}, a number or list, or {value: ...}");
  return s ? s : add_def(r, &d, e);
}

/* Outputs are definitions without a name, behind all others; *first is the first of them. */
static ad_status read_outputs(ad_yaml_reader *r, uint32_t item, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  ad_status s = AD_OK;
  if (ad_yaml_at(t, item)->kind == AD_YAML_SCALAR)
    return ad_yaml_fail(t, item, 0, e, "outputs is a mapping of names to expressions, or a list of node names");
  bool map = ad_yaml_at(t, item)->kind == AD_YAML_MAP;
  for (uint32_t i = ad_yaml_at(t, item)->first; !s && i; i = map ? next_key(t, i) : ad_yaml_at(t, i)->next)
    s = read_expression(r, 0, map ? value_of(t, i) : i, e);
  return s;
}

static ad_status set_outputs(ad_yaml_reader *r, uint32_t item, size_t first, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  bool map = ad_yaml_at(t, item)->kind == AD_YAML_MAP;
  ad_status s = AD_OK;
  for (uint32_t i = ad_yaml_at(t, item)->first; !s && i; i = map ? next_key(t, i) : ad_yaml_at(t, i)->next, first++)
    s = ad_yaml_place(t, i, 0, ad_graph_output(r->graph, ad_yaml_text(t, i), r->def[first].node, e), e);
  return s;
}

static ad_status read_all(ad_yaml_reader *r, ad_error *e) {
  static const char *const keys[] = {"adtool", "name", "dims", "kinks", "meta", "inputs", "nodes", "outputs", NULL};
  const ad_yaml_tree *t = &r->tree;
  uint32_t v, outputs = 0;
  ad_status s = ad_yaml_known_keys(t, 1, "a graph file", keys, e);
  if (!s) s = read_header(r, e);
  if (!s && (v = ad_yaml_get(t, 1, "inputs"))) {
    s = want(t, v, AD_YAML_MAP, "inputs is a mapping of names to values", e);
    for (uint32_t i = s ? 0 : ad_yaml_at(t, v)->first; !s && i; i = next_key(t, i)) s = read_input(r, i, e);
  }
  if (!s && (v = ad_yaml_get(t, 1, "nodes"))) {
    s = want(t, v, AD_YAML_MAP, "nodes is a mapping of names to expressions", e);
    for (uint32_t i = s ? 0 : ad_yaml_at(t, v)->first; !s && i; i = next_key(t, i)) s = read_node(r, i, e);
  }
  size_t first = r->def_count;
  if (!s && (outputs = ad_yaml_get(t, 1, "outputs"))) s = read_outputs(r, outputs, e);
  if (!s) s = ad_yaml_resolve(r, e);
  if (!s && outputs) s = set_outputs(r, outputs, first, e);
  if (!s && !ad_graph_output_count(r->graph))
    s = ad_yaml_fail(t, outputs ? outputs : 1, 0, e, "the graph has no outputs; add `outputs: {name: expression}`");
  return s;
}

ad_status ad_yaml_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                       ad_error *e) {
  ad_yaml_reader r = {0};
  ad_status s = ad_yaml_parse(&r.tree, bytes, size, path, limits, e);
  if (s) return s;
  r.exprs.tree = &r.tree;
  s = ad_graph_new(&r.graph, limits, e);
  if (!s) s = read_all(&r, e);
  if (s)
    ad_graph_free(r.graph);
  else
    *g = r.graph;
  if (s && e && !e->file[0]) snprintf(e->file, sizeof e->file, "%s", path);
  ad_names_clear(&r.names);
  ad_names_clear(&r.dims);
  ad_names_clear(&r.literals);
  ad_free(r.def);
  ad_free(r.size);
  ad_exprs_clear(&r.exprs);
  ad_yaml_clear(&r.tree);
  return s;
}
