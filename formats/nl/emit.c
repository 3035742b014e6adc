/* Expressions on their way out, operators in front of their operands.  What is still to be written lies on a stack of
 * its own, as in reading. */
#include <math.h>

#include "error.h"
#include "nl/model.h"
#include "nl/operators.h"

typedef enum kind { NODE, CONDITION, OPERATOR, NUMBER } kind;

typedef struct item {
  kind kind;
  ad_node node;
  int code;
  size_t count; /* of operands, where the code takes any number */
  double value;
} item;

typedef struct emitter {
  ad_nl_put *o;
  const ad_nl_model *m;
  item *stack;
  size_t depth, capacity;
  ad_error *e;
} emitter;

static item node(ad_node n) {
  return (item){.kind = NODE, .node = n};
}

static item condition(ad_node n) {
  return (item){.kind = CONDITION, .node = n};
}

static item number(double v) {
  return (item){.kind = NUMBER, .value = v};
}

static item code(int c) {
  return (item){.kind = OPERATOR, .code = c};
}

static item list_code(int c, size_t count) {
  return (item){.kind = OPERATOR, .code = c, .count = count};
}

/* ---- What an expression is made of */

bool ad_nl_is_comparison(ad_op op) {
  return op >= AD_OP_LESS && op <= AD_OP_NOT_EQUAL;
}

size_t ad_nl_operands(const ad_graph *g, ad_node n, const ad_node **list) {
  const ad_op op = ad_graph_node_op(g, n);
  const size_t count = ad_graph_node_args(g, n, list);
  if (count != 1) return count;
  const ad_op inner = ad_graph_node_op(g, (*list)[0]);
  if (inner == AD_OP_STACK || (op == AD_OP_RELU && inner == AD_OP_SUB)) return ad_graph_node_args(g, (*list)[0], list);
  return count;
}

unsigned ad_nl_operand_uses(ad_op op) {
  return op == AD_OP_SIGN || op == AD_OP_SILU ? 2 : 1;
}

/* The first code that is the operation, or is made of it and has its meaning; -1: there is none. */
static int code_of(ad_op op) {
  for (int c = 0; c < AD_NL_CODES; c++) {
    const ad_nl_operator *row = &ad_nl_operators[c];
    if (row->op == op && (row->form == AD_NL_DIRECT || row->form == AD_NL_LOGICAL || row->form == AD_NL_COMPOSED))
      return c;
  }
  return -1;
}

static bool is_many(int c) {
  return ad_nl_operators[c].operands == AD_NL_MANY;
}

/* ---- The stack */

/* Items in the order in which they are to be written. */
static ad_status push(emitter *x, size_t count, const item *items) {
  if (!ad_reserve(&x->stack, &x->capacity, x->depth + count, sizeof *x->stack)) return ad_fail_memory(x->e);
  for (size_t i = count; i-- > 0;) x->stack[x->depth++] = items[i];
  return AD_OK;
}

#define PUSH(x, ...) push(x, sizeof((item[]){__VA_ARGS__}) / sizeof(item), (item[]){__VA_ARGS__})

static ad_status push_list(emitter *x, int c, size_t count, const ad_node *list) {
  if (!ad_reserve(&x->stack, &x->capacity, x->depth + count + 1, sizeof *x->stack)) return ad_fail_memory(x->e);
  for (size_t i = count; i-- > 0;) x->stack[x->depth++] = node(list[i]);
  x->stack[x->depth++] = list_code(c, count);
  return AD_OK;
}

/* ---- Operations */

/* What .nl says in several operators, or with a number beside. */
static ad_status open_composed(emitter *x, ad_op op, size_t count, const ad_node *list) {
  const int log = code_of(AD_OP_LOG), exp = code_of(AD_OP_EXP), less = code_of(AD_OP_LESS);
  const item a = node(list[0]), b = count > 1 ? node(list[1]) : number(0);
  switch (op) {
    case AD_OP_MUL_NO_NAN: /* the same but for a zero times what is no number */
    case AD_OP_MUL_OR_ZERO:
      return PUSH(x, code(code_of(AD_OP_MUL)), a, b);
    case AD_OP_SQR:
      return PUSH(x, code(AD_NL_POWER), a, number(2));
    case AD_OP_RECIP:
      return PUSH(x, code(AD_NL_OVER), number(1), a);
    case AD_OP_ROUND:
      return PUSH(x, code(AD_NL_ROUND), a, number(0));
    case AD_OP_TRUNC:
      return PUSH(x, code(AD_NL_TRUNC), a, number(0));
    case AD_OP_RELU:
      return PUSH(x, code(AD_NL_LESS), a, b);
    case AD_OP_SIGN:
      return PUSH(x, code(AD_NL_IF), code(less), number(0), a, number(1), code(AD_NL_IF), code(less), a, number(0),
                  number(-1), number(0));
    case AD_OP_CLIP:
      return PUSH(x, list_code(code_of(AD_OP_MIN), 2), list_code(code_of(AD_OP_MAX), 2), a, b, node(list[2]));
    case AD_OP_EXP2:
      return PUSH(x, code(AD_NL_POWER), number(2), a);
    case AD_OP_LOG2:
      return PUSH(x, code(AD_NL_OVER), code(log), a, number(0x1.62e42fefa39efp-1));
    case AD_OP_SIGMOID:
      return PUSH(x, code(AD_NL_OVER), number(1), code(AD_NL_PLUS), number(1), code(exp), code(AD_NL_NEGATIVE), a);
    case AD_OP_SILU:
      return PUSH(x, code(AD_NL_OVER), a, code(AD_NL_PLUS), number(1), code(exp), code(AD_NL_NEGATIVE), a);
    case AD_OP_SECH:
      return PUSH(x, code(AD_NL_OVER), number(1), code(code_of(AD_OP_COSH)), a);
    case AD_OP_SUM:
      return count == 2 ? PUSH(x, code(AD_NL_PLUS), a, b) : push_list(x, AD_NL_SUM, count, list);
    case AD_OP_REDUCE_MIN:
      return push_list(x, code_of(AD_OP_MIN), count, list);
    case AD_OP_REDUCE_MAX:
      return push_list(x, code_of(AD_OP_MAX), count, list);
    case AD_OP_WHERE:
      return PUSH(x, code(AD_NL_IF), condition(list[0]), b, node(list[2]));
    default:
      return ad_fail(x->e, AD_EINPUT, ".nl has no operator for %s", ad_op_get(op)->name);
  }
}

/* Whether an operation is written by its own code, with nothing beside. */
static bool is_plain(ad_op op) {
  const int c = code_of(op);
  return c >= 0 && op != AD_OP_SQR && op != AD_OP_ROUND && op != AD_OP_TRUNC && op != AD_OP_RELU && op != AD_OP_WHERE;
}

static ad_status open_operation(emitter *x, ad_node n) {
  const ad_op op = ad_graph_node_op(x->m->g, n);
  const ad_node *list;
  const size_t count = ad_nl_operands(x->m->g, n, &list);
  if (!is_plain(op)) return open_composed(x, op, count, list);
  return push_list(x, code_of(op), count, list);
}

static ad_status put_number(emitter *x, double v) {
  if (isnan(v)) return ad_fail(x->e, AD_EINPUT, "a constant is nan, which .nl cannot hold");
  ad_nl_put_constant(x->o, v);
  return AD_OK;
}

/* A number as a condition is true where it is not 0; a comparison as a number is 1 or 0. */
static ad_status put_node(emitter *x, ad_node n, bool is_condition, bool definition) {
  const ad_op op = ad_graph_node_op(x->m->g, n);
  size_t column;
  double value;
  const ad_nl_leaf leaf = ad_nl_leaf_of(x->m, n, &column, &value);
  const bool comparison = ad_nl_is_comparison(op);
  if (is_condition && !comparison) return PUSH(x, code(code_of(AD_OP_NOT_EQUAL)), node(n), number(0));
  if (!is_condition && comparison) return PUSH(x, code(AD_NL_IF), condition(n), number(1), number(0));
  if (leaf == AD_NL_VALUE) return put_number(x, value);
  if (leaf == AD_NL_COLUMN || (x->m->defined[n] && !definition)) {
    ad_nl_put_key(x->o, 'v');
    ad_nl_put_integer(x->o, (int64_t)(leaf ? column : x->m->columns + x->m->defined[n] - 1));
    ad_nl_put_line(x->o);
    return AD_OK;
  }
  return open_operation(x, n);
}

static void put_code(emitter *x, const item *i) {
  ad_nl_put_key(x->o, 'o');
  ad_nl_put_integer(x->o, i->code);
  ad_nl_put_line(x->o);
  if (!is_many(i->code)) return;
  ad_nl_put_integer(x->o, (int64_t)i->count);
  ad_nl_put_line(x->o);
}

static ad_status run(emitter *x) {
  ad_status s = AD_OK;
  while (!s && x->depth) {
    const item i = x->stack[--x->depth];
    if (i.kind == NUMBER)
      s = put_number(x, i.value);
    else if (i.kind == OPERATOR)
      put_code(x, &i);
    else
      s = put_node(x, i.node, i.kind == CONDITION, false);
  }
  ad_free(x->stack);
  return s;
}

ad_status ad_nl_put_definition(ad_nl_put *o, const ad_nl_model *m, ad_node n, ad_error *e) {
  emitter x = {.o = o, .m = m, .e = e};
  const ad_status s = put_node(&x, n, false, true);
  if (!s) return run(&x);
  ad_free(x.stack);
  return s;
}

ad_status ad_nl_put_row(ad_nl_put *o, const ad_nl_model *m, const ad_nl_row *row, ad_error *e) {
  emitter x = {.o = o, .m = m, .e = e};
  if (!row->addends) return put_number(&x, 0);
  const ad_nl_addend *a = m->addend + row->addend;
  ad_status s = AD_OK;
  for (size_t i = row->addends; !s && i-- > 0;) {
    const bool minus = a[i].minus && !(row->addends == 2 && i == 1);
    s = minus ? PUSH(&x, code(AD_NL_NEGATIVE), node(a[i].node)) : PUSH(&x, node(a[i].node));
  }
  if (!s && row->addends == 2) s = PUSH(&x, code(a[1].minus ? AD_NL_MINUS : AD_NL_PLUS));
  if (!s && row->addends > 2) s = PUSH(&x, list_code(AD_NL_SUM, row->addends));
  if (!s) return run(&x);
  ad_free(x.stack);
  return s;
}
