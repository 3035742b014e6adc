#include "yaml/expr.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ir/ops.h"

typedef enum token { END, NUMBER, NAME, SIGN } token;

typedef struct parser {
  ad_exprs *x;
  uint32_t item;
  const char *s;  /* the whole text */
  size_t at, end; /* the token is s[at .. end) */
  token token;
  uint32_t depth;
  ad_error *e;
} parser;

void ad_exprs_clear(ad_exprs *x) {
  ad_free(x->node);
  ad_free(x->text);
  ad_free(x->range);
  *x = (ad_exprs){0};
}

static bool starts_name(char c) {
  return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool in_name(char c) {
  return starts_name(c) || isdigit((unsigned char)c) || c == '.';
}

bool ad_expr_plain_name(const char *name) {
  if (!starts_name(*name)) return false;
  while (in_name(*name)) name++;
  return !*name;
}

ad_op ad_expr_function(const char *name, size_t args, bool has_axis) {
  if (args == 1 || has_axis) {
    if (!strcmp(name, "max")) return AD_OP_REDUCE_MAX;
    if (!strcmp(name, "min")) return AD_OP_REDUCE_MIN;
  }
  ad_op op = ad_op_find(name);
  if (op == AD_NO_OP) return op;
  ad_op_class c = ad_op_get(op)->cls;
  return c == AD_CLASS_ELEMENT || c == AD_CLASS_STRUCTURED ? op : AD_NO_OP;
}

static ad_status fail(parser *p, size_t at, const char *message) {
  return ad_yaml_fail(p->x->tree, p->item, at, p->e, "%s", message);
}

/* ---- Tokens */

static size_t number_end(const char *s, size_t i) {
  bool hex = s[i] == '0' && (s[i + 1] == 'x' || s[i + 1] == 'X');
  if (hex) i += 2;
  while (hex ? isxdigit((unsigned char)s[i]) : isdigit((unsigned char)s[i])) i++;
  if (s[i] == '.') i++;
  while (hex ? isxdigit((unsigned char)s[i]) : isdigit((unsigned char)s[i])) i++;
  if (hex ? s[i] == 'p' || s[i] == 'P' : s[i] == 'e' || s[i] == 'E') {
    size_t k = i + 1;
    if (s[k] == '-' || s[k] == '+') k++;
    if (isdigit((unsigned char)s[k])) {
      i = k;
      while (isdigit((unsigned char)s[i])) i++;
    }
  }
  return i;
}

static ad_status advance(parser *p) {
  const char *s = p->s;
  size_t i = p->end;
  while (s[i] == ' ' || s[i] == '\t' || s[i] == '\n') i++;
  p->at = i;
  if (!s[i]) {
    p->token = END;
    p->end = i;
  } else if (isdigit((unsigned char)s[i]) || (s[i] == '.' && isdigit((unsigned char)s[i + 1]))) {
    p->token = NUMBER;
    p->end = number_end(s, i);
    if (in_name(s[p->end])) return fail(p, p->end, "a number runs into a name; write an operator between them");
  } else if (starts_name(s[i]) || (s[i] == '%' && isdigit((unsigned char)s[i + 1]))) {
    p->token = NAME;
    for (i++; in_name(s[i]); i++) continue;
    p->end = i;
  } else if (s[i] == '`') {
    const char *close = strchr(s + i + 1, '`');
    if (!close) return fail(p, i, "a backquote is not closed");
    p->token = NAME;
    p->end = (size_t)(close - s) + 1;
  } else {
    static const char *const two[] = {"**", "<=", ">=", "==", "!="};
    p->token = SIGN;
    p->end = i + 1;
    for (size_t k = 0; k < sizeof two / sizeof two[0]; k++)
      if (!strncmp(s + i, two[k], 2)) p->end = i + 2;
    if (p->end == i + 1 && !strchr("+-*/^@()[]<>,=:", s[i])) return fail(p, i, "this character has no meaning here");
  }
  return AD_OK;
}

static bool is_sign(const parser *p, const char *sign) {
  return p->token == SIGN && p->end - p->at == strlen(sign) && !strncmp(p->s + p->at, sign, p->end - p->at);
}

static ad_status expect(parser *p, const char *sign, const char *message) {
  return is_sign(p, sign) ? advance(p) : fail(p, p->at, message);
}

/* ---- Trees */

static ad_status new_node(parser *p, ad_expr_kind kind, size_t position, uint32_t *out) {
  ad_exprs *x = p->x;
  if (!x->count) x->count = 1;
  if (x->count >= UINT32_MAX || !ad_reserve(&x->node, &x->capacity, x->count + 1, sizeof *x->node))
    return ad_fail_memory(p->e);
  *out = (uint32_t)x->count++;
  x->node[*out] =
      (ad_expr_node){.kind = (uint8_t)kind, .position = (uint32_t)position, .item = p->item, .op = AD_NO_OP};
  return AD_OK;
}

static ad_status add_text(parser *p, uint32_t node, const char *s, size_t n) {
  ad_exprs *x = p->x;
  if (!ad_reserve(&x->text, &x->text_capacity, x->text_size + n + 1, 1)) return ad_fail_memory(p->e);
  memcpy(x->text + x->text_size, s, n);
  x->text[x->text_size + n] = '\0';
  x->node[node].text = x->text_size;
  x->text_size += n + 1;
  return AD_OK;
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
  if (++p->depth <= p->x->tree->limits.max_expr_depth) return AD_OK;
  char message[100];
  snprintf(message, sizeof message, "the expression is nested deeper than %u (--max-expr-depth)",
           p->x->tree->limits.max_expr_depth);
  return fail(p, p->at, message);
}

/* An integer with its sign, for attributes and indices. */
static ad_status integer(parser *p, int64_t *v) {
  bool negative = is_sign(p, "-");
  size_t at = p->at;
  ad_status s = negative ? advance(p) : AD_OK;
  if (s) return s;
  if (p->token != NUMBER) return fail(p, at, "an integer is expected here");
  uint64_t n = 0;
  for (size_t i = p->at; i < p->end; i++) {
    if (!isdigit((unsigned char)p->s[i])) return fail(p, at, "an integer is expected here");
    if (n > (uint64_t)INT64_MAX / 10 - 1) return fail(p, at, "the integer is too large");
    n = 10 * n + (uint64_t)(p->s[i] - '0');
  }
  *v = negative ? -(int64_t)n : (int64_t)n;
  return advance(p);
}

/* The value of an attribute: an integer, a name (yes, no, a dim) or a list of values. */
static ad_status value(parser *p, uint32_t *out) {
  size_t at = p->at;
  ad_status s = enter(p);
  if (s) return s;
  if (is_sign(p, "[")) {
    uint32_t last = 0, child;
    s = new_node(p, AD_EXPR_LIST, at, out);
    if (!s) s = advance(p);
    while (!s && !is_sign(p, "]")) {
      s = value(p, &child);
      if (!s) append(p->x, *out, &last, child);
      if (!s && !is_sign(p, "]")) s = expect(p, ",", "a list goes on with ',' or ends with ']'");
    }
    if (!s) s = advance(p);
  } else if (p->token == NAME) {
    s = new_node(p, AD_EXPR_NAME, at, out);
    if (!s) s = add_text(p, *out, p->s + p->at, p->end - p->at);
    if (!s) s = advance(p);
  } else {
    int64_t v;
    char text[24];
    s = integer(p, &v);
    if (!s) s = new_node(p, AD_EXPR_NUMBER, at, out);
    if (!s) s = add_text(p, *out, text, (size_t)sprintf(text, "%lld", (long long)v));
  }
  p->depth--;
  return s;
}

static ad_status call(parser *p, const char *name, size_t length, size_t at, uint32_t *out) {
  char word[AD_MAX_NAME + 1];
  snprintf(word, sizeof word, "%.*s", (int)(length < AD_MAX_NAME ? length : AD_MAX_NAME), name);
  uint32_t last = 0, child;
  size_t args = 0;
  bool axis = false, keywords = false;
  ad_status s = new_node(p, AD_EXPR_CALL, at, out);
  if (!s) s = advance(p); /* ( */
  while (!s && !is_sign(p, ")")) {
    const char *next = p->s + p->end;
    while (*next == ' ') next++;
    size_t start = p->at;
    if (p->token == NAME && next[0] == '=' && next[1] != '=') {
      keywords = true;
      s = new_node(p, AD_EXPR_KEYWORD, start, &child);
      if (!s) s = add_text(p, child, p->s + p->at, p->end - p->at);
      axis = axis || (p->end - p->at == 4 && !strncmp(p->s + p->at, "axis", 4));
      if (!s) s = advance(p);
      if (!s) s = advance(p);
      uint32_t v = 0;
      if (!s) s = value(p, &v);
      if (!s) p->x->node[child].first = v;
    } else {
      if (keywords) return fail(p, start, "arguments come before attributes");
      s = comparison(p, &child);
      args++;
    }
    if (!s) append(p->x, *out, &last, child);
    if (!s && !is_sign(p, ")")) s = expect(p, ",", "an argument list goes on with ',' or ends with ')'");
  }
  if (!s) s = advance(p);
  if (s) return s;
  ad_op op = ad_expr_function(word, args, axis);
  if (op == AD_NO_OP) {
    const char *near = ad_op_suggest(word);
    return ad_yaml_fail(
        p->x->tree, p->item, at, p->e,
        near ? "unknown operation '%s' (did you mean '%s'?)" : "unknown operation '%s'; `adtool ops` lists them all",
        word, near);
  }
  p->x->node[*out].op = op;
  if (op != AD_OP_MAX && op != AD_OP_MIN) return AD_OK;
  /* max(a, b, c) is max(max(a, b), c) */
  uint32_t left = p->x->node[*out].first, right = p->x->node[left].next;
  while (right && p->x->node[right].next) {
    uint32_t rest = p->x->node[right].next, both;
    p->x->node[right].next = 0;
    if ((s = new_call(p, op, at, left, right, &both))) return s;
    left = both;
    right = rest;
  }
  p->x->node[left].next = right;
  p->x->node[*out].first = left;
  return AD_OK;
}

static ad_status subscript(parser *p, uint32_t *out) {
  ad_expr_range r = {.single = true};
  ad_status s = new_node(p, AD_EXPR_RANGE, p->at, out);
  for (int k = 0; !s && k < 3; k++) {
    if (!is_sign(p, ":") && !is_sign(p, ",") && !is_sign(p, "]")) {
      s = integer(p, &r.part[k]);
      r.given[k] = true;
    }
    if (s || !is_sign(p, ":") || k == 2) break;
    r.single = false;
    s = advance(p);
  }
  if (!s && r.single && !r.given[0]) s = fail(p, p->at, "an index is an integer, or start:stop:step");
  ad_exprs *x = p->x;
  if (!s && !ad_reserve(&x->range, &x->range_capacity, x->range_count + 1, sizeof *x->range)) s = ad_fail_memory(p->e);
  if (s) return s;
  x->node[*out].text = x->range_count;
  x->range[x->range_count++] = r;
  return AD_OK;
}

static ad_status primary(parser *p, uint32_t *out) {
  size_t at = p->at, length = p->end - p->at;
  const char *text = p->s + at;
  ad_status s;
  if (p->token == NUMBER) {
    s = new_node(p, AD_EXPR_NUMBER, at, out);
    if (!s) s = add_text(p, *out, text, length);
    if (!s) s = advance(p);
  } else if (p->token == NAME) {
    s = advance(p);
    if (s) return s;
    if (*text != '`' && is_sign(p, "(")) {
      s = call(p, text, length, at, out);
    } else {
      s = new_node(p, AD_EXPR_NAME, at, out);
      if (!s) s = *text == '`' ? add_text(p, *out, text + 1, length - 2) : add_text(p, *out, text, length);
    }
  } else if (is_sign(p, "(")) {
    s = advance(p);
    if (!s) s = comparison(p, out);
    if (!s) s = expect(p, ")", "a parenthesis is not closed here");
  } else {
    return fail(p, at,
                p->token == END ? "the expression ends where a value is expected"
                                : "a value is expected here: a name, a number, a call or a parenthesis");
  }
  while (!s && is_sign(p, "[")) {
    uint32_t index, last = *out, child;
    s = new_node(p, AD_EXPR_INDEX, p->at, &index);
    if (s) return s;
    p->x->node[index].first = *out;
    do {
      s = advance(p);
      if (!s) s = subscript(p, &child);
      if (!s) append(p->x, index, &last, child);
    } while (!s && is_sign(p, ","));
    if (!s) s = expect(p, "]", "an index goes on with ',' or ends with ']'");
    *out = index;
  }
  return s;
}

static ad_status unary(parser *p, uint32_t *out);

static ad_status power(parser *p, uint32_t *out) {
  ad_status s = primary(p, out);
  if (s || !(is_sign(p, "^") || is_sign(p, "**"))) return s;
  size_t at = p->at;
  uint32_t base = *out, exponent = 0;
  s = advance(p);
  if (!s) s = unary(p, &exponent); /* from the right, and 2^-1 */
  return s ? s : new_call(p, AD_OP_POW, at, base, exponent, out);
}

static bool is_number(const parser *p, uint32_t n) {
  return p->x->node[n].kind == AD_EXPR_NUMBER;
}

/* The minus of a number is the number's own. */
static ad_status negate(parser *p, size_t at, uint32_t operand, uint32_t *out) {
  if (!is_number(p, operand)) return new_call(p, AD_OP_NEG, at, operand, 0, out);
  const char *old = p->x->text + p->x->node[operand].text;
  size_t n = strlen(old);
  char *text = ad_malloc(n + 2, 1);
  if (!text) return ad_fail_memory(p->e);
  bool negative = *old == '-';
  if (negative)
    memcpy(text, old + 1, n--);
  else
    text[0] = '-', memcpy(text + 1, old, ++n);
  *out = operand;
  ad_status s = add_text(p, operand, text, n);
  ad_free(text);
  return s;
}

static ad_status unary(parser *p, uint32_t *out) {
  bool minus = is_sign(p, "-");
  ad_status s = enter(p);
  if (!s && (minus || is_sign(p, "+"))) {
    size_t at = p->at;
    uint32_t operand = 0;
    s = advance(p);
    if (!s) s = unary(p, &operand);
    *out = operand;
    if (!s && minus) s = negate(p, at, operand, out);
  } else if (!s) {
    s = power(p, out);
  }
  p->depth--;
  return s;
}

static bool is_integer(const parser *p, uint32_t n) {
  if (!is_number(p, n)) return false;
  const char *s = p->x->text + p->x->node[n].text;
  if (*s == '-') s++;
  return s[strspn(s, "0123456789")] == '\0';
}

/* 1/3 is a number, one third. */
static ad_status divide(parser *p, size_t at, uint32_t a, uint32_t b, uint32_t *out) {
  const char *below = p->x->text + p->x->node[b].text;
  if (!is_integer(p, a) || !is_integer(p, b) || *below == '-' || below[strspn(below, "0")] == '\0')
    return new_call(p, AD_OP_DIV, at, a, b, out);
  const char *above = p->x->text + p->x->node[a].text;
  size_t n = strlen(above), m = strlen(below);
  char *text = ad_malloc(n + m + 2, 1);
  if (!text) return ad_fail_memory(p->e);
  sprintf(text, "%s/%s", above, below);
  *out = a;
  ad_status s = add_text(p, a, text, n + m + 1);
  ad_free(text);
  return s;
}

static ad_status product(parser *p, uint32_t *out) {
  ad_status s = unary(p, out);
  while (!s && (is_sign(p, "*") || is_sign(p, "/") || is_sign(p, "@"))) {
    size_t at = p->at;
    char sign = p->s[at];
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
  while (!s && (is_sign(p, "+") || is_sign(p, "-"))) {
    size_t at = p->at;
    bool plus = p->s[at] == '+';
    uint32_t left = *out, right = 0;
    s = advance(p);
    if (!s) s = product(p, &right);
    if (!s) s = new_call(p, plus ? AD_OP_ADD : AD_OP_SUB, at, left, right, out);
  }
  return s;
}

static ad_op comparison_op(const parser *p) {
  static const struct {
    const char *sign;
    ad_op op;
  } all[] = {{"<", AD_OP_LESS},           {"<=", AD_OP_LESS_EQUAL}, {">", AD_OP_GREATER},
             {">=", AD_OP_GREATER_EQUAL}, {"==", AD_OP_EQUAL},      {"!=", AD_OP_NOT_EQUAL}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (is_sign(p, all[i].sign)) return all[i].op;
  return AD_NO_OP;
}

static ad_status comparison(parser *p, uint32_t *out) {
  ad_status s = enter(p);
  if (!s) s = sum(p, out);
  ad_op op = s ? AD_NO_OP : comparison_op(p);
  if (op != AD_NO_OP) {
    size_t at = p->at;
    uint32_t left = *out, right = 0;
    s = advance(p);
    if (!s) s = sum(p, &right);
    if (!s) s = new_call(p, op, at, left, right, out);
    if (!s && comparison_op(p) != AD_NO_OP) s = fail(p, p->at, "comparisons don't chain; use parentheses or a product");
  }
  p->depth--;
  return s;
}

ad_status ad_expr_parse(ad_exprs *x, uint32_t item, uint32_t *root, ad_error *e) {
  parser p = {.x = x, .item = item, .s = ad_yaml_text(x->tree, item), .e = e};
  ad_status s = advance(&p);
  if (!s && p.token == END) return fail(&p, 0, "an expression is missing here");
  if (!s) s = comparison(&p, root);
  if (!s && p.token != END)
    s = fail(&p, p.at,
             is_sign(&p, "=") ? "'=' has no meaning here; a comparison is =="
                              : "the expression should end here or go on with an operator");
  return s;
}
