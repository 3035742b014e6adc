#include "yaml/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ir/ops.h"

enum { WAITING, OPEN, MADE };

static const char *next_name(const void *context, size_t i) {
  return ad_names_at(context, i);
}

/* ---- Integers: sizes and attributes */

static bool read_integer(const char *s, int64_t *v) {
  char *end;
  if (!*s || strspn(s, "+-0123456789") != strlen(s)) return false;
  errno = 0;
  *v = strtoll(s, &end, 10);
  return !*end && !errno;
}

static bool dim_of(const ad_yaml_reader *r, const char *name, int64_t *v) {
  uint32_t id;
  if (!ad_names_find(&r->dims, name, &id)) return false;
  *v = r->size[id];
  return true;
}

static bool word_of(const ad_yaml_reader *r, const char *s, int64_t *v) {
  static const char *const yes[] = {"yes", "true", "True"}, *const no[] = {"no", "false", "False"};
  if (read_integer(s, v) || dim_of(r, s, v)) return true;
  for (size_t i = 0; i < 3; i++) {
    if (!strcmp(s, yes[i])) return *v = 1, true;
    if (!strcmp(s, no[i])) return *v = 0, true;
  }
  return false;
}

ad_status ad_yaml_size(const ad_yaml_reader *r, uint32_t item, int64_t *size, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  if (ad_yaml_at(t, item)->kind != AD_YAML_SCALAR) return ad_yaml_fail(t, item, 0, e, "a size is an integer or a dim");
  const char *s = ad_yaml_text(t, item);
  if (read_integer(s, size) || dim_of(r, s, size)) return AD_OK;
  const char *near = ad_suggest(s, next_name, &r->dims);
  if (near) return ad_yaml_fail(t, item, 0, e, "unknown size '%.80s' (did you mean '%s'?)", s, near);
  return ad_yaml_fail(t, item, 0, e, "'%.80s' is neither an integer nor a name from dims", s);
}

/* A growable tensor of integers. */
typedef struct integers {
  int64_t *v;
  size_t count, capacity;
  ad_shape shape;
} integers;

static ad_status push(integers *n, int64_t v, ad_error *e) {
  if (!ad_reserve(&n->v, &n->capacity, n->count + 1, sizeof *n->v)) return ad_fail_memory(e);
  n->v[n->count++] = v;
  return AD_OK;
}

/* Wraps the shapes of a list's entries; false when they differ. */
static bool wrap(ad_shape *list, const ad_shape *entry, size_t position) {
  if (position == 0) {
    if (entry->rank + 1 > AD_MAX_RANK) return false;
    *list = (ad_shape){.rank = entry->rank + 1};
    memcpy(list->dim + 1, entry->dim, (size_t)entry->rank * sizeof entry->dim[0]);
  } else if (entry->rank + 1 != list->rank ||
             memcmp(list->dim + 1, entry->dim, (size_t)entry->rank * sizeof *entry->dim)) {
    return false;
  }
  list->dim[0]++;
  return true;
}

static ad_status attr_from_yaml(const ad_yaml_reader *r, uint32_t item, integers *n, ad_shape *shape, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  const ad_yaml_item *at = ad_yaml_at(t, item);
  *shape = (ad_shape){0};
  if (at->kind == AD_YAML_SCALAR) {
    int64_t v;
    if (!word_of(r, ad_yaml_text(t, item), &v))
      return ad_yaml_fail(t, item, 0, e, "an attribute is an integer, yes, no, a dim, or a list of these, not '%.60s'",
                          ad_yaml_text(t, item));
    return push(n, v, e);
  }
  if (at->kind == AD_YAML_MAP) return ad_yaml_fail(t, item, 0, e, "an attribute is an integer or a list");
  *shape = (ad_shape){1, {0}};
  size_t k = 0;
  for (uint32_t i = at->first; i; i = ad_yaml_at(t, i)->next, k++) {
    ad_shape entry;
    ad_status s = attr_from_yaml(r, i, n, &entry, e);
    if (s) return s;
    if (!wrap(shape, &entry, k)) return ad_yaml_fail(t, i, 0, e, "a ragged list: its entries have different shapes");
  }
  return AD_OK;
}

static ad_status fail_expr(const ad_yaml_reader *r, uint32_t node, ad_error *e, const char *message, const char *what) {
  const ad_expr_node *x = &r->exprs.node[node];
  return ad_yaml_fail(&r->tree, x->item, x->position, e, message, what);
}

static ad_status attr_from_expr(const ad_yaml_reader *r, uint32_t node, integers *n, ad_shape *shape, ad_error *e) {
  const ad_expr_node *x = &r->exprs.node[node];
  *shape = (ad_shape){0};
  if (x->kind != AD_EXPR_LIST) {
    int64_t v;
    const char *s = r->exprs.text + x->text;
    if (!word_of(r, s, &v))
      return ad_yaml_fail(&r->tree, x->item, x->position, e, "'%.60s' is no integer, yes, no or dim", s);
    return push(n, v, e);
  }
  *shape = (ad_shape){1, {0}};
  size_t k = 0;
  for (uint32_t i = x->first; i; i = r->exprs.node[i].next, k++) {
    ad_shape entry;
    ad_status s = attr_from_expr(r, i, n, &entry, e);
    if (s) return s;
    if (!wrap(shape, &entry, k)) return fail_expr(r, i, e, "a ragged list: its entries have different %s", "shapes");
  }
  return AD_OK;
}

/* ---- Literals */

static ad_status read_dtype(const ad_yaml_tree *t, uint32_t item, ad_dtype *dtype, ad_error *e) {
  static const char *const names[] = {"exact", "f64", "f32"};
  const char *s = ad_yaml_at(t, item)->kind == AD_YAML_SCALAR ? ad_yaml_text(t, item) : "";
  for (int i = 0; i < 3; i++)
    if (!strcmp(s, names[i])) return *dtype = (ad_dtype)i, AD_OK;
  return ad_yaml_fail(t, item, 0, e, "dtype is exact, f64 or f32, not '%.40s'", s);
}

static ad_status read_shape(const ad_yaml_reader *r, uint32_t item, ad_shape *shape, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  const ad_yaml_item *at = ad_yaml_at(t, item);
  *shape = (ad_shape){0};
  if (at->kind != AD_YAML_LIST)
    return ad_yaml_fail(t, item, 0, e, "a shape is a list of sizes: [3, 4], or [] for a scalar");
  if (at->count > AD_MAX_RANK)
    return ad_yaml_fail(t, item, 0, e, "the shape has rank %u; the limit is %d", at->count, AD_MAX_RANK);
  for (uint32_t i = at->first; i; i = ad_yaml_at(t, i)->next) {
    ad_status s = ad_yaml_size(r, i, &shape->dim[shape->rank++], e);
    if (s) return s;
    if (shape->dim[shape->rank - 1] < 0) return ad_yaml_fail(t, i, 0, e, "a size is not negative");
  }
  return AD_OK;
}

ad_status ad_yaml_literal(const ad_yaml_reader *r, uint32_t item, ad_shape *shape, ad_numbers *value, ad_dtype *dtype,
                          ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  *dtype = AD_EXACT;
  *shape = (ad_shape){0};
  if (ad_yaml_at(t, item)->kind != AD_YAML_MAP) return ad_yaml_numbers(t, item, value, shape, e);
  uint32_t v = ad_yaml_get(t, item, "value"), fill = ad_yaml_get(t, item, "fill"), said = ad_yaml_get(t, item, "shape");
  uint32_t type = ad_yaml_get(t, item, "dtype");
  ad_shape own = {0};
  ad_status s = AD_OK;
  if (v && fill) return ad_yaml_fail(t, fill, 0, e, "value and fill exclude each other");
  if (fill && ad_yaml_at(t, fill)->kind != AD_YAML_SCALAR) return ad_yaml_fail(t, fill, 0, e, "fill is one number");
  if (v || fill) s = ad_yaml_numbers(t, v ? v : fill, value, &own, e);
  if (!s && type) s = read_dtype(t, type, dtype, e);
  if (s) return s;
  *shape = own;
  if (!said) return AD_OK;
  s = read_shape(r, said, shape, e);
  if (s || !v || own.rank == 0 || ad_shape_equal(&own, shape)) return s;
  if (own.rank == 1 && own.dim[0] == ad_shape_size(shape)) return AD_OK; /* a flat list fills any shape */
  char have[AD_SHAPE_TEXT], want[AD_SHAPE_TEXT];
  ad_shape_text(have, &own);
  ad_shape_text(want, shape);
  return ad_yaml_fail(t, v, 0, e, "the value has shape %s, but shape says %s", have, want);
}

/* ---- Nodes from expressions */

static ad_status unknown(const ad_yaml_reader *r, uint32_t node, ad_error *e) {
  const char *name = r->exprs.text + r->exprs.node[node].text, *near = ad_suggest(name, next_name, &r->names);
  const ad_expr_node *x = &r->exprs.node[node];
  if (near)
    return ad_yaml_fail(&r->tree, x->item, x->position, e, "unknown name '%.80s' (did you mean '%s'?)", name, near);
  return ad_yaml_fail(&r->tree, x->item, x->position, e, "unknown name '%.80s'; it is no input and no node", name);
}

static ad_status literal_node(ad_yaml_reader *r, const char *text, ad_node *out, ad_error *e) {
  if (ad_names_find(&r->literals, text, out)) return AD_OK;
  ad_status s = ad_graph_constant_text(r->graph, out, text, e);
  if (s) return s;
  return ad_names_add(&r->literals, text, *out) ? AD_OK : ad_fail_memory(e);
}

static ad_status emit(ad_yaml_reader *r, uint32_t node, ad_node *out, ad_error *e);

static ad_status emit_index(ad_yaml_reader *r, uint32_t node, ad_node *out, ad_error *e) {
  const ad_exprs *x = &r->exprs;
  ad_node base;
  ad_status s = emit(r, x->node[node].first, &base, e);
  if (s) return s;
  const ad_shape shape = *ad_graph_node_shape(r->graph, base);
  int64_t part[3][AD_MAX_RANK], drop[AD_MAX_RANK];
  int32_t axes = 0, drops = 0;
  for (uint32_t i = x->node[x->node[node].first].next; i; i = x->node[i].next, axes++) {
    if (axes >= shape.rank) {
      char text[AD_SHAPE_TEXT];
      ad_shape_text(text, &shape);
      return fail_expr(r, i, e, "there are more indices than axes in shape %s", text);
    }
    const ad_expr_range *range = &x->range[x->node[i].text];
    int64_t n = shape.dim[axes];
    bool back = range->given[2] && range->part[2] < 0;
    part[0][axes] = range->given[0] ? range->part[0] : back ? n - 1 : 0;
    part[1][axes] = range->given[1] ? range->part[1] : back ? -1 - n : n;
    part[2][axes] = range->given[2] ? range->part[2] : 1;
    if (!range->single) continue;
    if (range->part[0] < -n || range->part[0] >= n) {
      char text[AD_SHAPE_TEXT];
      ad_shape_text(text, &shape);
      return fail_expr(r, i, e, "the index is out of range for shape %s", text);
    }
    if (part[0][axes] < 0) part[0][axes] += n;
    part[1][axes] = part[0][axes] + 1;
    drop[drops++] = axes;
  }
  ad_attr attr[] = {{"start", {1, {axes}}, part[0]},
                    {"stop", {1, {axes}}, part[1]},
                    {"step", {1, {axes}}, part[2]},
                    {"squeeze", {1, {drops}}, drop}};
  s = ad_graph_apply(r->graph, out, AD_OP_SLICE, 1, &base, 4, attr, e);
  return ad_yaml_place(&r->tree, x->node[node].item, x->node[node].position, s, e);
}

/* One call; *first, unless NULL, is the node of its first argument. */
static ad_status apply_call(ad_yaml_reader *r, uint32_t node, const ad_node *first, ad_node *out, ad_error *e) {
  const ad_exprs *x = &r->exprs;
  size_t args = 0, attrs = 0;
  for (uint32_t i = x->node[node].first; i; i = x->node[i].next) {
    args += x->node[i].kind != AD_EXPR_KEYWORD;
    attrs += x->node[i].kind == AD_EXPR_KEYWORD;
  }
  ad_node few[4], *arg = args <= 4 ? few : ad_malloc(args, sizeof *arg);
  ad_attr *attr = attrs ? ad_calloc(attrs, sizeof *attr) : NULL;
  integers *value = attrs ? ad_calloc(attrs, sizeof *value) : NULL;
  ad_status s = !arg || (attrs && (!attr || !value)) ? ad_fail_memory(e) : AD_OK;
  size_t a = 0, k = 0;
  for (uint32_t i = x->node[node].first; !s && i; i = x->node[i].next) {
    if (x->node[i].kind != AD_EXPR_KEYWORD) {
      if (!a && first)
        arg[0] = *first;
      else
        s = emit(r, i, &arg[a], e);
      a++;
      continue;
    }
    s = attr_from_expr(r, x->node[i].first, &value[k], &value[k].shape, e);
    attr[k] = (ad_attr){x->text + x->node[i].text, value[k].shape, value[k].v ? value[k].v : (int64_t[1]){0}};
    k++;
  }
  if (!s) {
    s = ad_graph_apply(r->graph, out, x->node[node].op, args, arg, attrs, attr, e);
    s = ad_yaml_place(&r->tree, x->node[node].item, x->node[node].position, s, e);
  }
  for (size_t i = 0; value && i < attrs; i++) ad_free(value[i].v);
  ad_free(value);
  ad_free(attr);
  if (arg != few) ad_free(arg);
  return s;
}

/* A sum of many terms is a tree that leans to the left: that side is walked, not recursed into. */
static ad_status emit_call(ad_yaml_reader *r, uint32_t node, ad_node *out, ad_error *e) {
  const ad_expr_node *x = r->exprs.node;
  size_t count = 1;
  for (uint32_t i = x[node].first; i && x[i].kind == AD_EXPR_CALL; i = x[i].first) count++;
  uint32_t *spine = ad_malloc(count, sizeof *spine);
  if (!spine) return ad_fail_memory(e);
  for (size_t k = 0; k < count; k++, node = x[node].first) spine[k] = node;
  ad_status s = AD_OK;
  for (size_t k = count; !s && k-- > 0;) s = apply_call(r, spine[k], k + 1 < count ? out : NULL, out, e);
  ad_free(spine);
  return s;
}

/* The node of an expression whose names have their nodes; as deep as the expression, which has a limit. */
static ad_status emit(ad_yaml_reader *r, uint32_t node, ad_node *out, ad_error *e) {
  const ad_expr_node *x = &r->exprs.node[node];
  const char *text = r->exprs.text + x->text;
  uint32_t id;
  ad_status s;
  switch (x->kind) {
    case AD_EXPR_NUMBER:
      s = literal_node(r, text, out, e);
      break;
    case AD_EXPR_NAME:
      if (ad_names_find(&r->names, text, &id)) {
        *out = r->def[id].node;
        return AD_OK;
      }
      if (!ad_number_valid(text, strlen(text))) return unknown(r, node, e);
      s = literal_node(r, text, out, e); /* pi, e, inf, nan */
      break;
    case AD_EXPR_INDEX:
      return emit_index(r, node, out, e);
    case AD_EXPR_CALL:
      return emit_call(r, node, out, e);
    default:
      return fail_expr(r, node, e, "a value is expected here%s", "");
  }
  return ad_yaml_place(&r->tree, x->item, x->position, s, e);
}

static ad_status make_constant(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  ad_numbers *n = ad_numbers_new();
  ad_shape shape;
  ad_dtype dtype;
  ad_status s = n ? ad_yaml_literal(r, d->item, &shape, n, &dtype, e) : ad_fail_memory(e);
  if (!s) s = ad_yaml_place(&r->tree, d->item, 0, ad_graph_constant(r->graph, &d->node, &shape, n, dtype, e), e);
  ad_numbers_free(n);
  return s;
}

static ad_status make_operation(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  size_t args = 0, attrs = 0, a = 0, k = 0;
  for (uint32_t i = d->expr; i; i = r->exprs.node[i].next) args++;
  for (uint32_t i = ad_yaml_at(t, d->item)->first; i; i = ad_yaml_at(t, ad_yaml_at(t, i)->next)->next)
    attrs += strcmp(ad_yaml_text(t, i), "op") && strcmp(ad_yaml_text(t, i), "args");
  ad_node *arg = ad_malloc(args, sizeof *arg);
  ad_attr *attr = ad_calloc(attrs, sizeof *attr);
  integers *value = ad_calloc(attrs, sizeof *value);
  ad_status s = arg && attr && value ? AD_OK : ad_fail_memory(e);
  for (uint32_t i = d->expr; !s && i; i = r->exprs.node[i].next) s = emit(r, i, &arg[a++], e);
  for (uint32_t i = ad_yaml_at(t, d->item)->first; !s && i; i = ad_yaml_at(t, ad_yaml_at(t, i)->next)->next) {
    const char *key = ad_yaml_text(t, i);
    if (!strcmp(key, "op") || !strcmp(key, "args")) continue;
    s = attr_from_yaml(r, ad_yaml_at(t, i)->next, &value[k], &value[k].shape, e);
    attr[k] = (ad_attr){key, value[k].shape, value[k].v ? value[k].v : (int64_t[1]){0}};
    k++;
  }
  if (!s) s = ad_yaml_place(t, d->item, 0, ad_graph_apply(r->graph, &d->node, d->op, args, arg, attrs, attr, e), e);
  for (size_t i = 0; value && i < attrs; i++) ad_free(value[i].v);
  ad_free(value);
  ad_free(attr);
  ad_free(arg);
  return s;
}

static ad_status make(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  const ad_expr_node *root = d->kind == AD_DEF_EXPR ? &r->exprs.node[d->expr] : NULL;
  const char *only = root && root->kind == AD_EXPR_NAME ? r->exprs.text + root->text : NULL;
  /* a definition that is nothing but another name stands for that node, which keeps its own name */
  bool alias = only && ad_names_find(&r->names, only, &(uint32_t){0});
  ad_status s;
  if (d->kind == AD_DEF_CONSTANT)
    s = make_constant(r, d, e);
  else if (d->kind == AD_DEF_OPERATION)
    s = make_operation(r, d, e);
  else if (only && !alias && d->key && ad_number_valid(only, strlen(only))) /* p: pi */
    s = ad_yaml_place(&r->tree, d->item, 0, ad_graph_constant_text(r->graph, &d->node, only, e), e);
  else
    s = emit(r, d->expr, &d->node, e);
  d->state = MADE;
  if (s || !d->key || alias) return s;
  const char *name = ad_yaml_text(&r->tree, d->key);
  if (name[0] == '%') return AD_OK;
  return ad_yaml_place(&r->tree, d->key, 0, ad_graph_set_node_name(r->graph, d->node, name, e), e);
}

/* ---- Order */

typedef struct stack {
  uint32_t *v;
  size_t count, capacity;
} stack;

static ad_status push_id(stack *s, uint32_t v, ad_error *e) {
  if (!ad_reserve(&s->v, &s->capacity, s->count + 1, sizeof *s->v)) return ad_fail_memory(e);
  s->v[s->count++] = v;
  return AD_OK;
}

static const char *def_name(const ad_yaml_reader *r, uint32_t d) {
  return r->def[d].key ? ad_yaml_text(&r->tree, r->def[d].key) : "an output";
}

/* The open definitions on the stack are the path that led here. */
static ad_status cycle(const ad_yaml_reader *r, const stack *path, uint32_t back, uint32_t at, ad_error *e) {
  char text[400] = "";
  size_t i = path->count;
  while (i > 0 && !(path->v[i - 1] == back && r->def[back].state == OPEN)) i--;
  for (i = i ? i - 1 : 0; i < path->count; i++) {
    if (r->def[path->v[i]].state != OPEN) continue;
    size_t used = strlen(text);
    if (used > 300) {
      snprintf(text + used, sizeof text - used, "... -> ");
      break;
    }
    snprintf(text + used, sizeof text - used, "%.60s -> ", def_name(r, path->v[i]));
  }
  const ad_expr_node *x = &r->exprs.node[at];
  return ad_yaml_fail(&r->tree, x->item, x->position, e, "the definitions go in a circle: %s%.60s", text,
                      def_name(r, back));
}

/* Pushes the definitions that an open one needs and that are not made yet, the first one on top. */
static ad_status push_needed(ad_yaml_reader *r, uint32_t id, stack *todo, stack *walk, ad_error *e) {
  const ad_def *d = &r->def[id];
  const size_t base = todo->count;
  ad_status s = AD_OK;
  if (d->kind == AD_DEF_CONSTANT) return AD_OK;
  for (uint32_t root = d->expr; !s && root; root = d->kind == AD_DEF_OPERATION ? r->exprs.node[root].next : 0) {
    walk->count = 0;
    s = push_id(walk, root, e);
    while (!s && walk->count) {
      uint32_t n = walk->v[--walk->count], needed;
      const ad_expr_node *x = &r->exprs.node[n];
      if (n != root && x->next) s = push_id(walk, x->next, e);
      if (x->kind == AD_EXPR_KEYWORD) continue;
      if (!s && x->first) s = push_id(walk, x->first, e);
      if (s || x->kind != AD_EXPR_NAME || !ad_names_find(&r->names, r->exprs.text + x->text, &needed)) continue;
      if (r->def[needed].state == OPEN) return cycle(r, todo, needed, n, e);
      if (r->def[needed].state == WAITING) s = push_id(todo, needed, e);
    }
  }
  for (size_t i = base, j = todo->count; !s && i + 1 < j; i++, j--) {
    uint32_t t = todo->v[i];
    todo->v[i] = todo->v[j - 1];
    todo->v[j - 1] = t;
  }
  return s;
}

ad_status ad_yaml_resolve(ad_yaml_reader *r, ad_error *e) {
  stack todo = {0}, walk = {0};
  ad_status s = AD_OK;
  for (uint32_t first = 0; !s && first < r->def_count; first++) {
    if (r->def[first].state == MADE) continue;
    s = push_id(&todo, first, e);
    while (!s && todo.count) {
      uint32_t id = todo.v[todo.count - 1];
      if (r->def[id].state == WAITING) {
        r->def[id].state = OPEN;
        s = push_needed(r, id, &todo, &walk, e);
        if (s || todo.v[todo.count - 1] != id) continue;
      }
      if (r->def[id].state == OPEN) s = make(r, &r->def[id], e);
      todo.count--;
    }
  }
  ad_free(todo.v);
  ad_free(walk.v);
  return s;
}
