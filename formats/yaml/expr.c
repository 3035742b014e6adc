#include "yaml/expr.h"

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "ir/ops.h"

/* Recursion stays within this, whatever the limit asked for: about a kilobyte of stack each. */
enum { DEEPEST = 2000 };

typedef struct parser {
  ad_exprs *x;
  uint32_t item;
  ad_tokens t;
  uint32_t depth;
  ad_error *e;
} parser;

void ad_exprs_reset(ad_exprs *x) {
  x->count = x->node != NULL; /* node[0] stays */
  x->range_count = x->attr_count = x->ints.count = 0;
}

void ad_exprs_clear(ad_exprs *x) {
  ad_free(x->node);
  ad_free(x->range);
  ad_free(x->attr);
  ad_free(x->ints.v);
  ad_buffer_clear(&x->scratch);
  *x = (ad_exprs){0};
}

static ad_status fail(parser *p, size_t at, const char *message) {
  return ad_yaml_fail(p->x->tree, p->item, at, p->e, "%s", message);
}

static ad_status advance(parser *p) {
  size_t at;
  const char *problem = ad_token_next(&p->t, &at);
  return problem ? fail(p, at, problem) : AD_OK;
}

static ad_status expect(parser *p, int token, const char *message) {
  return p->t.token == token ? advance(p) : fail(p, p->t.at, message);
}

/* ---- Trees */

static ad_status new_node(parser *p, ad_expr_kind kind, size_t position, uint32_t *out) {
  ad_exprs *x = p->x;
  if (x->count >= UINT32_MAX || !ad_reserve(&x->node, &x->capacity, x->count + 1, sizeof *x->node))
    return ad_fail_memory(p->e);
  *out = (uint32_t)x->count++;
  x->node[*out] =
      (ad_expr_node){.kind = (uint8_t)kind, .position = (uint32_t)position, .item = p->item, .op = AD_NO_OP};
  return AD_OK;
}

static ad_status new_text(parser *p, ad_expr_kind kind, size_t position, const char *text, size_t length,
                          uint32_t *out) {
  ad_status s = new_node(p, kind, position, out);
  if (s) return s;
  uint32_t symbol = ad_symbols_intern(&p->x->tree->symbols, text, length);
  p->x->node[*out].value = symbol;
  return symbol ? AD_OK : ad_fail_memory(p->e);
}

static const char *number_text(const parser *p, uint32_t node) {
  return ad_symbol_text(&p->x->tree->symbols, p->x->node[node].value);
}

static void append(ad_exprs *x, uint32_t parent, uint32_t *last, uint32_t child) {
  if (*last)
    x->node[*last].next = child;
  else
    x->node[parent].first = child;
  *last = child;
}

static ad_status new_call(parser *p, ad_op op, size_t position, uint32_t a, uint32_t b, uint32_t *out) {
  ad_status s = new_node(p, AD_EXPR_CALL, position, out);
  if (s) return s;
  p->x->node[*out].op = op;
  p->x->node[*out].first = a;
  if (b) p->x->node[a].next = b;
  return AD_OK;
}

static ad_status comparison(parser *p, uint32_t *out);

static ad_status enter(parser *p) {
  uint32_t limit = p->x->tree->limits.max_expr_depth;
  if (limit > DEEPEST) limit = DEEPEST;
  if (++p->depth <= limit) return AD_OK;
  ad_status s = ad_fail(p->e, AD_ELIMIT, "the expression is nested deeper than %u (--max-expr-depth)", limit);
  return ad_yaml_place(p->x->tree, p->item, p->t.at, s, p->e);
}

/* ---- Attributes and indices */

static bool dim_of(const parser *p, int64_t *v) {
  const char *text;
  size_t length;
  ad_token_name(&p->t, &text, &length);
  uint32_t symbol = ad_symbols_intern(&p->x->tree->symbols, text, length);
  uint32_t dim = symbol ? p->x->tree->symbols.symbol[symbol].dim : AD_NOTHING;
  if (dim == AD_NOTHING) return false;
  *v = p->x->dim[dim].size;
  return true;
}

/* An integer or a dim, with its sign. */
static ad_status integer(parser *p, int64_t *v) {
  static const char message[] = "an integer or a name from dims is expected here";
  bool negative = p->t.token == '-';
  size_t at = p->t.at;
  ad_status s = negative ? advance(p) : AD_OK;
  if (s) return s;
  if (p->t.token == AD_TOKEN_NAME
          ? !dim_of(p, v)
          : p->t.token != AD_TOKEN_NUMBER || !ad_ints_parse(p->t.s + p->t.at, p->t.end - p->t.at, v))
    return fail(p, at, message);
  if (negative) *v = -*v;
  return advance(p);
}

/* yes and no are not read as integers, so that the row can say whether it wants them. */
static bool yes_or_no(const parser *p, int64_t *v) {
  *v = ad_token_is(&p->t, "yes") || ad_token_is(&p->t, "true");
  return *v || ad_token_is(&p->t, "no") || ad_token_is(&p->t, "false");
}

/* Appends an integer or a list of values to ints. */
static ad_status value(parser *p, ad_shape *shape) {
  ad_status s = enter(p);
  *shape = (ad_shape){0};
  if (!s && p->t.token != '[') {
    int64_t v = 0;
    s = integer(p, &v);
    if (!s && !ad_ints_push(&p->x->ints, v)) s = ad_fail_memory(p->e);
  } else if (!s) {
    *shape = (ad_shape){.rank = 1};
    s = advance(p);
    for (size_t k = 0; !s && p->t.token != ']'; k++) {
      ad_shape entry;
      size_t at = p->t.at;
      s = value(p, &entry);
      if (!s && !ad_ints_wrap(shape, &entry, k))
        s = fail(p, at, "a ragged list: its entries have different shapes, or more than 8 axes");
      if (!s && p->t.token != ']') s = expect(p, ',', "a list goes on with ',' or ends with ']'");
    }
    if (!s) s = advance(p);
  }
  p->depth--;
  return s;
}

/* name=value, with the token at the name. */
static ad_status keyword(parser *p, uint32_t *out) {
  ad_exprs *x = p->x;
  ad_expr_attr a = {.first = x->ints.count};
  ad_status s = new_text(p, AD_EXPR_KEYWORD, p->t.at, p->t.s + p->t.at, p->t.end - p->t.at, out);
  if (s) return s;
  a.name = x->node[*out].value;
  s = advance(p);
  if (!s) s = advance(p); /* = */
  int64_t v;
  if (!s && yes_or_no(p, &v)) {
    a.word = true;
    s = ad_ints_push(&x->ints, v) ? advance(p) : ad_fail_memory(p->e);
  } else if (!s) {
    s = value(p, &a.shape);
  }
  if (!s && !ad_reserve(&x->attr, &x->attr_capacity, x->attr_count + 1, sizeof *x->attr)) s = ad_fail_memory(p->e);
  if (s) return s;
  x->node[*out].value = (uint32_t)x->attr_count;
  x->attr[x->attr_count++] = a;
  return AD_OK;
}

static const char *next_attr(const void *context, size_t i) {
  const ad_op_info *info = context;
  return i < (size_t)info->attr_count ? info->attr[i].name : NULL;
}

/* An attribute must be one of the operation's, given once. */
static ad_status check_keyword(parser *p, const ad_op_info *info, uint32_t node, unsigned *seen) {
  const ad_exprs *x = p->x;
  const ad_expr_attr *a = &x->attr[x->node[node].value];
  const char *name = ad_symbol_text(&x->tree->symbols, a->name);
  size_t at = x->node[node].position;
  int k = 0;
  while (k < info->attr_count && strcmp(info->attr[k].name, name)) k++;
  if (k == info->attr_count) {
    const char *near = ad_suggest(name, next_attr, info);
    if (near)
      return ad_yaml_fail(x->tree, p->item, at, p->e, "%s has no attribute '%.60s' (did you mean '%s'?)", info->name,
                          name, near);
    char known[200] = "";
    for (k = 0; k < info->attr_count; k++) {
      size_t used = strlen(known);
      snprintf(known + used, sizeof known - used, "%s%s", k ? ", " : "; it has ", info->attr[k].name);
    }
    return ad_yaml_fail(x->tree, p->item, at, p->e, "%s has no attribute '%.60s'%s", info->name, name, known);
  }
  if (*seen & 1u << k) return ad_yaml_fail(x->tree, p->item, at, p->e, "the attribute '%s' is given twice", name);
  *seen |= 1u << k;
  if (a->word && info->attr[k].kind != AD_ATTR_BOOL)
    return ad_yaml_fail(x->tree, p->item, at, p->e, "the attribute '%s' is an integer or a list, not yes or no", name);
  return AD_OK;
}

/* ---- Calls */

ad_status ad_expr_operation(ad_exprs *x, const char *name, size_t length, size_t args, bool has_axis, ad_op *op,
                            uint32_t item, size_t skip, ad_error *e) {
  uint32_t id = ad_symbols_intern(&x->tree->symbols, name, length);
  if (!id) return ad_fail_memory(e);
  ad_symbol *symbol = &x->tree->symbols.symbol[id];
  const char *text = ad_symbol_text(&x->tree->symbols, id);
  if (!symbol->op) {
    symbol->op = ad_op_find(text);
    ad_op_class c = symbol->op == AD_NO_OP ? AD_CLASS_LEAF : ad_op_get(symbol->op)->cls;
    if (c != AD_CLASS_ELEMENT && c != AD_CLASS_STRUCTURED) symbol->op = AD_NO_OP;
  }
  *op = symbol->op;
  bool reduces = args == 1 || has_axis;
  if (*op == AD_OP_MAX && reduces) *op = AD_OP_REDUCE_MAX;
  if (*op == AD_OP_MIN && reduces) *op = AD_OP_REDUCE_MIN;
  if (*op != AD_NO_OP) return AD_OK;
  const char *near = ad_op_suggest(text);
  if (near) return ad_yaml_fail(x->tree, item, skip, e, "unknown operation '%.60s' (did you mean '%s'?)", text, near);
  return ad_yaml_fail(x->tree, item, skip, e, "unknown operation '%.60s'; `adtool ops` lists them all", text);
}

/* max(a, b, c) is max(max(a, b), c). */
static ad_status fold_left(parser *p, uint32_t call) {
  ad_expr_node *node = p->x->node;
  const ad_op op = node[call].op;
  const size_t at = node[call].position;
  uint32_t left = node[call].first, right = node[left].next;
  while (node[right].next) {
    uint32_t rest = node[right].next, both;
    node[right].next = 0;
    ad_status s = new_call(p, op, at, left, right, &both);
    if (s) return s;
    node = p->x->node;
    left = both;
    right = rest;
  }
  node[left].next = right;
  node[call].first = left;
  return AD_OK;
}

/* Refuses `name=` where that is an argument of the operation. */
static ad_status check_argument_name(parser *p, const char *name, size_t length) {
  char text[32];
  if (length >= sizeof text) return AD_OK;
  memcpy(text, name, length);
  text[length] = '\0';
  const ad_op op = ad_op_find(text);
  const ad_op_info *info = op == AD_NO_OP ? NULL : ad_op_get(op);
  for (int k = 0; info && k < info->attr_count; k++)
    if (ad_token_is(&p->t, info->attr[k].name)) return AD_OK;
  const char *a = info && info->arg_names ? info->arg_names : "";
  for (size_t n; *a; a += n + strspn(a + n, ", ")) {
    n = strcspn(a, ", ");
    if (p->t.end - p->t.at == n && !memcmp(p->t.s + p->t.at, a, n))
      return ad_yaml_fail(p->x->tree, p->item, p->t.at, p->e, "'%.*s' is an argument, which goes by its place: %s(%s)",
                          (int)n, a, info->name, info->arg_names);
  }
  return AD_OK;
}

/* The token is the parenthesis. */
static ad_status call(parser *p, const char *name, size_t length, size_t at, uint32_t *out) {
  uint32_t last = 0, child = 0, keywords = 0;
  size_t args = 0;
  bool axis = false;
  ad_status s = new_node(p, AD_EXPR_CALL, at, out);
  if (!s) s = advance(p);
  while (!s && p->t.token != ')') {
    if (ad_token_is_keyword(&p->t)) {
      axis = axis || ad_token_is(&p->t, "axis");
      s = check_argument_name(p, name, length);
      if (!s) s = keyword(p, &child);
      if (!keywords) keywords = child;
    } else {
      if (keywords) return fail(p, p->t.at, "arguments come before attributes");
      s = comparison(p, &child);
      args++;
    }
    if (!s) append(p->x, *out, &last, child);
    if (!s && p->t.token != ')') s = expect(p, ',', "an argument list goes on with ',' or ends with ')'");
  }
  if (!s) s = advance(p);
  ad_op op = AD_NO_OP;
  if (!s) s = ad_expr_operation(p->x, name, length, args, axis, &op, p->item, at, p->e);
  if (s) return s;
  p->x->node[*out].op = op;
  unsigned seen = 0;
  for (uint32_t i = keywords; !s && i; i = p->x->node[i].next) s = check_keyword(p, ad_op_get(op), i, &seen);
  return !s && (op == AD_OP_MAX || op == AD_OP_MIN) && args > 2 ? fold_left(p, *out) : s;
}

static ad_status subscript(parser *p, uint32_t *out) {
  ad_exprs *x = p->x;
  ad_expr_range r = {.single = true};
  ad_status s = new_node(p, AD_EXPR_RANGE, p->t.at, out);
  for (int k = 0; !s && k < 3; k++) {
    if (p->t.token != ':' && p->t.token != ',' && p->t.token != ']') {
      s = integer(p, &r.part[k]);
      r.given[k] = true;
    }
    if (s || p->t.token != ':' || k == 2) break;
    r.single = false;
    s = advance(p);
  }
  if (!s && r.single && !r.given[0]) s = fail(p, p->t.at, "an index is an integer, or start:stop:step");
  if (!s && !ad_reserve(&x->range, &x->range_capacity, x->range_count + 1, sizeof *x->range)) s = ad_fail_memory(p->e);
  if (s) return s;
  x->node[*out].value = (uint32_t)x->range_count;
  x->range[x->range_count++] = r;
  return AD_OK;
}

/* The token is the bracket; *out is what is indexed. */
static ad_status index_of(parser *p, uint32_t *out) {
  uint32_t index, last = *out, child;
  ad_status s = new_node(p, AD_EXPR_INDEX, p->t.at, &index);
  if (s) return s;
  p->x->node[index].first = *out;
  do {
    s = advance(p);
    if (!s) s = subscript(p, &child);
    if (!s) append(p->x, index, &last, child);
  } while (!s && p->t.token == ',');
  *out = index;
  return s ? s : expect(p, ']', "an index goes on with ',' or ends with ']'");
}

/* ---- From the tightest to the loosest */

static ad_status primary(parser *p, uint32_t *out) {
  const size_t at = p->t.at;
  const char *text;
  size_t length;
  ad_status s;
  ad_token_name(&p->t, &text, &length);
  if (p->t.token == AD_TOKEN_NUMBER) {
    s = new_text(p, AD_EXPR_NUMBER, at, text, length, out);
    if (!s) s = advance(p);
  } else if (p->t.token == AD_TOKEN_NAME) {
    bool quoted = p->t.s[at] == '`';
    s = advance(p);
    if (!s && !quoted && p->t.token == '(') {
      s = call(p, text, length, at, out);
    } else if (!s) {
      s = new_text(p, AD_EXPR_NAME, at, text, length, out);
      if (!s) p->x->node[*out].quoted = quoted;
    }
  } else if (p->t.token == '(') {
    s = advance(p);
    if (!s) s = comparison(p, out);
    if (!s) s = expect(p, ')', "a parenthesis is not closed here");
  } else {
    return fail(p, at,
                p->t.token == AD_TOKEN_END ? "the expression ends where a value is expected"
                : p->t.token == '['
                    ? "a list can't stand here: give it a name under nodes, or is it an attribute, shape=[2, 3]?"
                    : "a value is expected here: a name, a number, a call or a parenthesis");
  }
  while (!s && p->t.token == '[') s = index_of(p, out);
  return s;
}

static ad_status unary(parser *p, uint32_t *out);

static ad_status power(parser *p, uint32_t *out) {
  ad_status s = primary(p, out);
  if (s || p->t.token != AD_TOKEN_POWER) return s;
  size_t at = p->t.at;
  uint32_t base = *out, exponent = 0;
  s = advance(p);
  if (!s) s = unary(p, &exponent); /* from the right, and 2^-1 */
  return s ? s : new_call(p, AD_OP_POW, at, base, exponent, out);
}

/* Makes a node a number of another text. */
static ad_status renumber(parser *p, uint32_t node) {
  ad_buffer *b = &p->x->scratch;
  uint32_t symbol = b->failed ? 0 : ad_symbols_intern(&p->x->tree->symbols, b->data, b->size);
  b->size = 0;
  b->failed = false;
  p->x->node[node].value = symbol;
  return symbol ? AD_OK : ad_fail_memory(p->e);
}

/* The minus of a number is the number's own. */
static ad_status negate(parser *p, size_t at, uint32_t operand, uint32_t *out) {
  ad_expr_node *n = &p->x->node[operand];
  if (n->kind != AD_EXPR_NUMBER) {
    if (n->kind == AD_EXPR_NAME) n->minus = !n->quoted;
    return new_call(p, AD_OP_NEG, at, operand, 0, out);
  }
  const char *text = number_text(p, operand);
  *out = operand;
  n->position = (uint32_t)at;
  if (*text != '-') ad_buffer_puts(&p->x->scratch, "-");
  ad_buffer_puts(&p->x->scratch, text + (*text == '-'));
  return renumber(p, operand);
}

static ad_status unary(parser *p, uint32_t *out) {
  ad_status s = enter(p);
  if (!s && (p->t.token == '-' || p->t.token == '+')) {
    bool minus = p->t.token == '-';
    size_t at = p->t.at;
    s = advance(p);
    if (!s) s = unary(p, out);
    if (!s && minus) s = negate(p, at, *out, out);
  } else if (!s) {
    s = power(p, out);
  }
  p->depth--;
  return s;
}

static bool is_integer(const parser *p, uint32_t n) {
  if (p->x->node[n].kind != AD_EXPR_NUMBER) return false;
  const char *s = number_text(p, n);
  if (*s == '-') s++;
  return s[strspn(s, "0123456789")] == '\0';
}

/* 1/3 is a number, one third. */
static ad_status divide(parser *p, size_t at, uint32_t a, uint32_t b, uint32_t *out) {
  if (!is_integer(p, a) || !is_integer(p, b)) return new_call(p, AD_OP_DIV, at, a, b, out);
  const char *below = number_text(p, b);
  if (*below == '-' || below[strspn(below, "0")] == '\0') return new_call(p, AD_OP_DIV, at, a, b, out);
  ad_buffer_puts(&p->x->scratch, number_text(p, a));
  ad_buffer_puts(&p->x->scratch, "/");
  ad_buffer_puts(&p->x->scratch, below);
  *out = a;
  return renumber(p, a);
}

static ad_status product(parser *p, uint32_t *out) {
  ad_status s = unary(p, out);
  while (!s && (p->t.token == '*' || p->t.token == '/' || p->t.token == '@')) {
    size_t at = p->t.at;
    int sign = p->t.token;
    uint32_t left = *out, right = 0;
    s = advance(p);
    if (!s) s = unary(p, &right);
    if (s) return s;
    if (sign == '/')
      s = divide(p, at, left, right, out);
    else
      s = new_call(p, sign == '*' ? AD_OP_MUL : AD_OP_MATMUL, at, left, right, out);
  }
  return s;
}

static ad_status sum(parser *p, uint32_t *out) {
  ad_status s = product(p, out);
  while (!s && (p->t.token == '+' || p->t.token == '-')) {
    size_t at = p->t.at;
    bool plus = p->t.token == '+';
    uint32_t left = *out, right = 0;
    s = advance(p);
    if (!s) s = product(p, &right);
    if (!s) s = new_call(p, plus ? AD_OP_ADD : AD_OP_SUB, at, left, right, out);
  }
  return s;
}

static ad_op comparison_op(const parser *p) {
  switch (p->t.token) {
    case '<':
      return AD_OP_LESS;
    case AD_TOKEN_LESS_EQUAL:
      return AD_OP_LESS_EQUAL;
    case '>':
      return AD_OP_GREATER;
    case AD_TOKEN_GREATER_EQUAL:
      return AD_OP_GREATER_EQUAL;
    case AD_TOKEN_EQUAL:
      return AD_OP_EQUAL;
    case AD_TOKEN_NOT_EQUAL:
      return AD_OP_NOT_EQUAL;
    default:
      return AD_NO_OP;
  }
}

static ad_status comparison(parser *p, uint32_t *out) {
  ad_status s = enter(p);
  if (!s) s = sum(p, out);
  ad_op op = s ? AD_NO_OP : comparison_op(p);
  if (op != AD_NO_OP) {
    size_t at = p->t.at;
    uint32_t left = *out, right = 0;
    s = advance(p);
    if (!s) s = sum(p, &right);
    if (!s) s = new_call(p, op, at, left, right, out);
    if (!s && comparison_op(p) != AD_NO_OP)
      s = fail(p, p->t.at, "comparisons don't chain; use parentheses or a product");
  }
  p->depth--;
  return s;
}

ad_status ad_expr_parse(ad_exprs *x, uint32_t item, uint32_t *root, ad_error *e) {
  parser p = {.x = x, .item = item, .t.s = ad_yaml_text(x->tree, item), .e = e};
  if (!x->node) {
    if (!ad_reserve(&x->node, &x->capacity, 1, sizeof *x->node)) return ad_fail_memory(e);
    x->node[0] = (ad_expr_node){0};
    x->count = 1;
  }
  ad_status s = advance(&p);
  if (!s && p.t.token == AD_TOKEN_END) return fail(&p, 0, "an expression is missing here");
  if (!s) s = comparison(&p, root);
  if (!s && p.t.token != AD_TOKEN_END)
    s = fail(&p, p.t.at,
             p.t.token == '=' ? "'=' has no meaning here; a comparison is =="
                              : "the expression should end here or go on with an operator");
  return s;
}
