/* From one definition to nodes: arguments from left to right, then the node. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "ir/ops.h"
#include "yaml/resolve.h"

static const ad_expr_node *at(const ad_yaml_reader *r, uint32_t n) {
  return &r->exprs.node[n];
}

static ad_status place(const ad_yaml_reader *r, uint32_t n, ad_status s, ad_error *e) {
  return s ? ad_yaml_place(&r->tree, at(r, n)->item, at(r, n)->position, s, e) : AD_OK;
}

/* ---- Leaves */

uint32_t ad_yaml_def_of(const ad_yaml_reader *r, uint32_t expr) {
  const ad_expr_node *x = at(r, expr);
  return x->kind == AD_EXPR_NAME ? r->tree.symbols.symbol[x->value].def : AD_NOTHING;
}

static const char *next_name(const void *context, size_t i) {
  const ad_yaml_reader *r = context; /* outputs have no key and stand behind the others */
  return i < r->def_count && r->def[i].key ? ad_yaml_text(&r->tree, r->def[i].key) : NULL;
}

static ad_status unknown(const ad_yaml_reader *r, uint32_t item, size_t skip, const char *name, ad_error *e) {
  const char *near = ad_suggest(name, next_name, r);
  if (near) return ad_yaml_fail(&r->tree, item, skip, e, "unknown name '%.80s' (did you mean '%s'?)", name, near);
  return ad_yaml_fail(&r->tree, item, skip, e, "unknown name '%.80s'; it is no input and no node", name);
}

ad_status ad_yaml_lookup(ad_yaml_reader *r, uint32_t item, uint32_t *def, ad_error *e) {
  const ad_yaml_item *i = ad_yaml_at(&r->tree, item);
  uint32_t symbol = ad_symbols_intern(&r->tree.symbols, ad_yaml_text(&r->tree, item), i->length);
  if (!symbol) return ad_fail_memory(e);
  *def = r->tree.symbols.symbol[symbol].def;
  return *def == AD_NOTHING ? unknown(r, item, 0, ad_yaml_text(&r->tree, item), e) : AD_OK;
}

/* The symbol of the number that an expression is: 2, -2, 1/3, and pi, -pi, e, inf, nan where they name nothing else;
 * 0: it is no number. */
static ad_status number_of(ad_yaml_reader *r, uint32_t n, uint32_t *symbol, ad_error *e) {
  const ad_expr_node *x = at(r, n);
  *symbol = 0;
  if (x->kind == AD_EXPR_NUMBER) *symbol = x->value;
  bool minus = x->kind == AD_EXPR_CALL && x->op == AD_OP_NEG && x->first && at(r, x->first)->minus;
  if (minus) x = at(r, x->first);
  if (x->kind != AD_EXPR_NAME || x->quoted) return AD_OK;
  const ad_symbol *name = &r->tree.symbols.symbol[x->value];
  const char *text = ad_symbol_text(&r->tree.symbols, x->value);
  if (name->def != AD_NOTHING || !ad_number_valid(text, name->length)) return AD_OK;
  *symbol = x->value;
  if (!minus) return AD_OK;
  char negative[1 + AD_SHORT_TEXT]; /* the longest of these names has three letters */
  const int length = snprintf(negative, sizeof negative, "-%s", text);
  *symbol = ad_symbols_intern(&r->tree.symbols, negative, (size_t)length);
  return *symbol ? AD_OK : ad_fail_memory(e);
}

static ad_status read_number(ad_yaml_reader *r, const char *text, ad_error *e) {
  if (!r->number && !(r->number = ad_numbers_new())) return ad_fail_memory(e);
  ad_numbers_clear(r->number);
  return ad_numbers_push_text(r->number, text, strlen(text), e);
}

/* The one constant of the file for a number inside expressions, however it is written: 2, 2.0 and 4/2 are the same. */
static ad_status shared_constant(ad_yaml_reader *r, uint32_t symbol, ad_node *out, ad_error *e) {
  ad_symbols *t = &r->tree.symbols;
  *out = t->symbol[symbol].literal;
  if (*out != AD_NO_NODE) return AD_OK;
  ad_status s = read_number(r, ad_symbol_text(t, symbol), e);
  if (s) return s;
  uint32_t same = symbol;
  if (!ad_numbers_text(r->number, 0)) {
    char text[AD_NUMBER_TEXT];
    size_t n = ad_number_exact_text(text, ad_numbers_double(r->number, 0));
    if (!(same = ad_symbols_intern(t, text, n))) return ad_fail_memory(e);
  }
  *out = t->symbol[same].literal;
  if (*out == AD_NO_NODE) s = ad_graph_constant(r->graph, out, &(ad_shape){0}, r->number, AD_EXACT, e);
  if (!s) t->symbol[same].literal = t->symbol[symbol].literal = *out;
  return s;
}

/* ---- Operations */

/* An attribute's integers; of an empty list, too, it has an address. */
static const int64_t *ints_at(const ad_ints *ints, size_t first) {
  static const int64_t none = 0;
  return ints->v ? ints->v + first : &none;
}

/* A trailing argument that is left out is a number like any other. */
static ad_status apply(ad_yaml_reader *r, ad_node *out, ad_op op, size_t nargs, const ad_node *args, size_t nattrs,
                       const ad_attr *attrs, ad_error *e) {
  const ad_op_info *info = ad_op_get(op);
  if (!info->default_arg || nargs != 1) return ad_graph_apply(r->graph, out, op, nargs, args, nattrs, attrs, e);
  ad_node both[2] = {args[0], AD_NO_NODE};
  uint32_t symbol = ad_symbols_intern(&r->tree.symbols, info->default_arg, strlen(info->default_arg));
  ad_status s = symbol ? shared_constant(r, symbol, &both[1], e) : ad_fail_memory(e);
  return s ? s : ad_graph_apply(r->graph, out, op, 2, both, nattrs, attrs, e);
}

static ad_status refuse_index(const ad_yaml_reader *r, uint32_t range, const ad_shape *shape, const char *what,
                              ad_error *e) {
  char text[AD_SHAPE_TEXT];
  ad_shape_text(text, shape);
  return ad_yaml_fail(&r->tree, at(r, range)->item, at(r, range)->position, e, "%s shape %s", what, text);
}

static ad_status apply_index(ad_yaml_reader *r, uint32_t n, ad_node base, ad_node *out, ad_error *e) {
  const ad_shape shape = *ad_graph_node_shape(r->graph, base);
  int64_t part[3][AD_MAX_RANK], drop[AD_MAX_RANK];
  int32_t axes = 0, drops = 0;
  for (uint32_t i = at(r, at(r, n)->first)->next; i; i = at(r, i)->next, axes++) {
    if (axes >= shape.rank) return refuse_index(r, i, &shape, "there are more indices than axes in", e);
    const ad_expr_range *range = &r->exprs.range[at(r, i)->value];
    int64_t size = shape.dim[axes];
    bool back = range->given[2] && range->part[2] < 0;
    part[0][axes] = range->given[0] ? range->part[0] : back ? size - 1 : 0;
    part[1][axes] = range->given[1] ? range->part[1] : back ? -1 - size : size;
    part[2][axes] = range->given[2] ? range->part[2] : 1;
    if (!range->single) continue;
    if (range->part[0] < -size || range->part[0] >= size)
      return refuse_index(r, i, &shape, "the index is out of range for", e);
    if (part[0][axes] < 0) part[0][axes] += size;
    part[1][axes] = part[0][axes] + 1;
    drop[drops++] = axes;
  }
  const ad_attr attr[] = {{"start", {1, {axes}}, part[0]},
                          {"stop", {1, {axes}}, part[1]},
                          {"step", {1, {axes}}, part[2]},
                          {"squeeze", {1, {drops}}, drop}};
  return ad_graph_apply(r->graph, out, AD_OP_SLICE, 1, &base, 4, attr, e);
}

static ad_status emit(ad_yaml_reader *r, uint32_t n, ad_node *out, ad_error *e);

/* `first` is the node of the first argument, if there is one. */
static ad_status apply_call(ad_yaml_reader *r, uint32_t n, ad_node first, ad_node *out, ad_error *e) {
  size_t nargs = 0, nattrs = 0;
  for (uint32_t i = at(r, n)->first; i && at(r, i)->kind != AD_EXPR_KEYWORD; i = at(r, i)->next) nargs++;
  ad_node few[4] = {first}, *arg = nargs <= 4 ? few : ad_malloc(nargs, sizeof *arg);
  if (!arg) return ad_fail_memory(e);
  arg[0] = first;
  ad_attr attr[AD_MAX_ATTRS];
  ad_status s = AD_OK;
  uint32_t i = at(r, n)->first;
  for (size_t k = 0; !s && k < nargs; k++, i = at(r, i)->next)
    if (k) s = emit(r, i, &arg[k], e);
  for (; !s && i; i = at(r, i)->next) {
    const ad_expr_attr *a = &r->exprs.attr[at(r, i)->value];
    attr[nattrs++] = (ad_attr){ad_symbol_text(&r->tree.symbols, a->name), a->shape, ints_at(&r->exprs.ints, a->first)};
  }
  if (!s) s = apply(r, out, at(r, n)->op, nargs, arg, nattrs, attr, e);
  if (arg != few) ad_free(arg);
  return s;
}

/* Makes a leaf of an expression. */
static ad_status emit_leaf(ad_yaml_reader *r, uint32_t n, uint32_t symbol, ad_node *out, ad_error *e) {
  if (symbol) return shared_constant(r, symbol, out, e);
  *out = r->tree.symbols.symbol[at(r, n)->value].node;
  if (*out != AD_NO_NODE) return AD_OK;
  return unknown(r, at(r, n)->item, at(r, n)->position, ad_symbol_text(&r->tree.symbols, at(r, n)->value), e);
}

/* The node of an expression whose names have their nodes.  Trees lean to the left, a sum of many terms, an index of an
 * index: that side is walked; what is left to recursion is as deep as the parser let it be. */
static ad_status emit(ad_yaml_reader *r, uint32_t n, ad_node *out, ad_error *e) {
  const size_t base = r->spine.count;
  uint32_t symbol = 0;
  ad_status s;
  *out = AD_NO_NODE;
  for (;;) {
    s = number_of(r, n, &symbol, e);
    const ad_expr_node *x = at(r, n);
    if (s || symbol || x->kind == AD_EXPR_NAME) break;
    if (!ad_reserve(&r->spine.v, &r->spine.capacity, r->spine.count + 1, sizeof *r->spine.v)) return ad_fail_memory(e);
    r->spine.v[r->spine.count++] = n;
    n = x->first;
    if (!n || at(r, n)->kind == AD_EXPR_KEYWORD) break; /* a call without arguments */
  }
  if (!s && n && (symbol || at(r, n)->kind == AD_EXPR_NAME)) s = place(r, n, emit_leaf(r, n, symbol, out, e), e);
  while (!s && r->spine.count > base) {
    uint32_t up = r->spine.v[--r->spine.count];
    s = at(r, up)->kind == AD_EXPR_INDEX ? apply_index(r, up, *out, out, e) : apply_call(r, up, *out, out, e);
    s = place(r, up, s, e);
  }
  r->spine.count = base;
  return s;
}

/* ---- Definitions */

static ad_status make_constant(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  ad_numbers *n = ad_numbers_new();
  ad_shape shape;
  ad_dtype dtype;
  ad_status s = n ? ad_yaml_literal(r, d->item, &shape, n, &dtype, e) : ad_fail_memory(e);
  if (!s) s = ad_yaml_place(&r->tree, d->item, 0, ad_graph_constant(r->graph, &d->node, &shape, n, dtype, e), e);
  ad_numbers_free(n);
  return s;
}

static ad_status read_attrs(ad_yaml_reader *r, const ad_def *d, ad_ints *ints, ad_attr *attr, size_t *count,
                            ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  const ad_op_info *info = ad_op_get(d->op);
  size_t first[AD_MAX_ATTRS];
  for (uint32_t i = ad_yaml_at(t, d->item)->first; i; i = ad_yaml_next_key(t, i)) {
    const char *key = ad_yaml_text(t, i);
    int k = 0;
    while (k < info->attr_count && strcmp(info->attr[k].name, key)) k++;
    if (k == info->attr_count) continue; /* op, args */
    ad_attr *a = &attr[*count];
    a->name = info->attr[k].name;
    first[*count] = ints->count;
    ad_status s = ad_yaml_attr(r, ad_yaml_value(t, i), info->attr[k].kind, ints, &a->shape, e);
    if (s) return s;
    ++*count;
  }
  for (size_t k = 0; k < *count; k++) attr[k].value = ints_at(ints, first[k]);
  return AD_OK;
}

static ad_status make_operation(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  size_t nargs = 0, nattrs = 0, k = 0;
  for (uint32_t i = d->expr; i; i = at(r, i)->next) nargs++;
  ad_node few[4], *arg = nargs <= 4 ? few : ad_malloc(nargs, sizeof *arg);
  if (!arg) return ad_fail_memory(e);
  ad_attr attr[AD_MAX_ATTRS];
  ad_ints ints = {0};
  ad_status s = AD_OK;
  for (uint32_t i = d->expr; !s && i; i = at(r, i)->next) s = emit(r, i, &arg[k++], e);
  if (!s) s = read_attrs(r, d, &ints, attr, &nattrs, e);
  if (!s) s = ad_yaml_place(&r->tree, d->item, 0, apply(r, &d->node, d->op, nargs, arg, nattrs, attr, e), e);
  ad_free(ints.v);
  if (arg != few) ad_free(arg);
  return s;
}

/* A definition that is only a number is a constant of its own, with a name of its own; one that is only another name
 * stands for that node, which keeps its name. */
static ad_status make_expression(ad_yaml_reader *r, ad_def *d, bool *alias, ad_error *e) {
  uint32_t symbol = 0;
  *alias = ad_yaml_def_of(r, d->expr) != AD_NOTHING;
  ad_status s = d->key ? number_of(r, d->expr, &symbol, e) : AD_OK;
  if (s) return s;
  if (!symbol) return emit(r, d->expr, &d->node, e);
  s = read_number(r, ad_symbol_text(&r->tree.symbols, symbol), e);
  if (!s) s = ad_graph_constant(r->graph, &d->node, &(ad_shape){0}, r->number, AD_EXACT, e);
  return place(r, d->expr, s, e);
}

/* %17 is the label of a node without a name. */
static bool is_label(const char *name) {
  return name[0] == '%' && name[1] && name[1 + strspn(name + 1, "0123456789")] == '\0';
}

ad_status ad_yaml_make(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  bool alias = false;
  ad_status s = AD_OK;
  switch (d->kind) {
    case AD_DEF_CONSTANT:
      s = make_constant(r, d, e);
      break;
    case AD_DEF_OPERATION:
      s = make_operation(r, d, e);
      break;
    case AD_DEF_EXPR:
      s = make_expression(r, d, &alias, e);
      break;
    default:
      break;
  }
  d->state = AD_DEF_MADE;
  if (d->key) r->tree.symbols.symbol[ad_yaml_at(&r->tree, d->key)->symbol].node = d->node;
  if (s || !d->key || alias || d->kind == AD_DEF_INPUT) return s;
  const char *name = ad_yaml_text(&r->tree, d->key);
  if (is_label(name)) return AD_OK;
  return ad_yaml_place(&r->tree, d->key, 0, ad_graph_set_node_name(r->graph, d->node, name, e), e);
}
