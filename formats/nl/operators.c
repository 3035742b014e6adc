/* Operators that no single operation does.  A condition is a number: true where it is not 0.  `and`, `or` and `not` are
 * choices by where(), which has no kink. */
#include "nl/operators.h"

#include <math.h>

#include "error.h"
#include "mem.h"
#include "nl/build.h"

const ad_nl_operator ad_nl_operators[AD_NL_CODES] = {
#define MANY AD_NL_MANY
#define OPERATOR(code, name, operands, form, op) [code] = {name, operands, AD_NL_##form, AD_OP_##op},
#include "nl/operators.def"
#undef MANY
};

static ad_status choose(ad_nl_build *b, ad_node *out, ad_node c, ad_node x, ad_node y) {
  return ad_nl_apply(b, out, AD_OP_WHERE, 3, (ad_node[]){c, x, y});
}

/* Comparisons say 0 or 1. */
static bool is_truth(const ad_nl_build *b, ad_node n) {
  double v;
  if (ad_nl_is_number(b, n, &v)) return v == 0 || v == 1;
  const ad_op op = ad_graph_node_op(b->g, n);
  return op >= AD_OP_LESS && op <= AD_OP_NOT_EQUAL;
}

static ad_status truth(ad_nl_build *b, ad_node *out, ad_node n) {
  ad_node zero, one;
  *out = n;
  if (is_truth(b, n)) return AD_OK;
  ad_status s = ad_nl_number(b, &zero, 0);
  if (!s) s = ad_nl_number(b, &one, 1);
  return s ? s : choose(b, out, n, one, zero);
}

static ad_status negate(ad_nl_build *b, ad_node *out, ad_node n) {
  ad_node zero, one;
  ad_status s = ad_nl_number(b, &zero, 0);
  if (!s) s = ad_nl_number(b, &one, 1);
  return s ? s : choose(b, out, n, zero, one);
}

/* Whether all of the list are true, or any is: the first that is not, or is, decides. */
static ad_status junction(ad_nl_build *b, ad_node *out, const ad_node *args, size_t count, bool all) {
  ad_node decided;
  ad_status s = ad_nl_number(b, &decided, !all);
  if (!s && !count) return ad_nl_number(b, out, all);
  if (!s) s = truth(b, out, args[count - 1]);
  for (size_t i = count - 1; !s && i-- > 0;)
    s = all ? choose(b, out, args[i], *out, decided) : choose(b, out, args[i], decided, *out);
  return s;
}

/* A list's smallest or largest: all ties share, as the policy says, so it is one reduction where there are three or
 * more. */
static ad_status extreme(ad_nl_build *b, ad_node *out, ad_op op, const ad_node *args, size_t count) {
  if (!count) return ad_nl_fail(&b->scan, "a list for %s is empty", ad_op_get(op)->name);
  *out = args[0];
  if (count == 1) return AD_OK;
  if (count == 2) return ad_nl_apply(b, out, op, 2, args);
  ad_status s = ad_nl_apply(b, out, AD_OP_STACK, count, args);
  return s ? s : ad_nl_apply_1(b, out, op == AD_OP_MIN ? AD_OP_REDUCE_MIN : AD_OP_REDUCE_MAX, *out);
}

/* Counts what is true, or what equals the first. */
static ad_status count_them(ad_nl_build *b, ad_node *out, ad_node *args, size_t count, bool equal) {
  ad_status s = AD_OK;
  if (equal && !count) return ad_nl_fail(&b->scan, "a list for numberof is empty");
  for (size_t i = equal; !s && i < count; i++)
    s = equal ? ad_nl_apply_2(b, &args[i], AD_OP_EQUAL, args[0], args[i]) : truth(b, &args[i], args[i]);
  return s ? s : ad_nl_sum(b, out, args + equal, count - equal);
}

/* x to n decimal places, by `op`; the places are a number. */
static ad_status places(ad_nl_build *b, ad_node *out, ad_op op, ad_node x, ad_node n) {
  enum { MOST = 22 }; /* 10^22 is the last power of ten that is a double */
  double d;
  ad_node scale;
  if (!ad_nl_is_number(b, n, &d) || d != floor(d) || fabs(d) > MOST)
    return ad_nl_fail(&b->scan, "the second operand of %s must be an integer from -%d to %d", ad_op_get(op)->name, MOST,
                      MOST);
  if (d == 0) return ad_nl_apply_1(b, out, op, x);
  double ten = 1;
  for (int i = 0; i < (int)fabs(d); i++) ten *= 10;
  ad_status s = ad_nl_number(b, &scale, ten);
  if (!s) s = ad_nl_apply_2(b, out, d > 0 ? AD_OP_MUL : AD_OP_DIV, x, scale);
  if (!s) s = ad_nl_apply_1(b, out, op, *out);
  return s ? s : ad_nl_apply_2(b, out, d > 0 ? AD_OP_DIV : AD_OP_MUL, *out, scale);
}

/* x to n significant digits: with the power of ten below it, round(x / p 10^(n-1)) p / 10^(n-1); and 0 for 0. */
static ad_status precision(ad_nl_build *b, ad_node *out, ad_node x, ad_node n) {
  ad_node one, ten, zero, size, scale, r;
  ad_status s = ad_nl_number(b, &one, 1);
  if (!s) s = ad_nl_number(b, &ten, 10);
  if (!s) s = ad_nl_number(b, &zero, 0);
  if (!s) s = ad_nl_apply_1(b, &size, AD_OP_ABS, x);
  if (!s) s = ad_nl_apply_1(b, &size, AD_OP_LOG10, size);
  if (!s) s = ad_nl_apply_1(b, &size, AD_OP_FLOOR, size);
  if (!s) s = ad_nl_apply_2(b, &scale, AD_OP_SUB, n, one);
  if (!s) s = ad_nl_apply_2(b, &scale, AD_OP_SUB, scale, size);
  if (!s) s = ad_nl_apply_2(b, &scale, AD_OP_POW, ten, scale);
  if (!s) s = ad_nl_apply_2(b, &r, AD_OP_MUL, x, scale);
  if (!s) s = ad_nl_apply_1(b, &r, AD_OP_ROUND, r);
  if (!s) s = ad_nl_apply_2(b, &r, AD_OP_DIV, r, scale);
  return s ? s : choose(b, out, x, r, zero);
}

static ad_status compose(ad_nl_build *b, ad_node *out, const ad_nl_operator *op, ad_node *args, size_t count) {
  ad_node a, t;
  ad_status s;
  double exponent;
  switch (op - ad_nl_operators) {
    case AD_NL_OR:
    case AD_NL_EXISTS:
      return junction(b, out, args, count, false);
    case AD_NL_AND:
    case AD_NL_FORALL:
      return junction(b, out, args, count, true);
    case AD_NL_NOT:
      return negate(b, out, args[0]);
    case AD_NL_IMPLIES:
      s = truth(b, &a, args[1]);
      if (!s) s = truth(b, &t, args[2]);
      return s ? s : choose(b, out, args[0], a, t);
    case AD_NL_IFF:
      s = truth(b, &a, args[1]);
      if (!s) s = negate(b, &t, args[1]);
      return s ? s : choose(b, out, args[0], a, t);
    case AD_NL_COUNT:
      return count_them(b, out, args, count, false);
    case AD_NL_NUMBEROF:
      return count_them(b, out, args, count, true);
    case AD_NL_SUM:
      return ad_nl_sum(b, out, args, count);
    case AD_NL_LESS: /* max(x - y, 0) */
      s = ad_nl_apply_2(b, out, AD_OP_SUB, args[0], args[1]);
      return s ? s : ad_nl_apply_1(b, out, AD_OP_RELU, *out);
    case AD_NL_DIV: /* the integer part of the quotient */
      s = ad_nl_apply_2(b, out, AD_OP_DIV, args[0], args[1]);
      return s ? s : ad_nl_apply_1(b, out, AD_OP_TRUNC, *out);
    case AD_NL_PRECISION:
      return precision(b, out, args[0], args[1]);
    default:
      break;
  }
  switch (op->op) {
    case AD_OP_POW:
      if (ad_nl_is_number(b, args[1], &exponent) && exponent == 2) return ad_nl_apply_1(b, out, AD_OP_SQR, args[0]);
      return ad_nl_apply(b, out, AD_OP_POW, 2, args);
    case AD_OP_MIN:
    case AD_OP_MAX:
      return extreme(b, out, op->op, args, count);
    default: /* round, trunc */
      return places(b, out, op->op, args[0], args[1]);
  }
}

ad_status ad_nl_operate(ad_nl_build *b, ad_node *out, const ad_nl_operator *op, ad_node *args, size_t count) {
  if (op->form == AD_NL_DIRECT || op->form == AD_NL_LOGICAL) return ad_nl_apply(b, out, op->op, count, args);
  return compose(b, out, op, args, count);
}

/* f(x) = f(near) + slope (x - near), where near is 0 or the end of the piece towards 0, and f(0) = 0.  The values at
 * the breakpoints are sums of nodes, so that each arithmetic rounds them for itself. */
typedef struct pieces {
  ad_nl_build *b;
  ad_node x;
  const double *number;
  size_t count; /* of pieces: slope i is number[2 i], the breakpoint behind it number[2 i + 1] */
} pieces;

static ad_status line(const pieces *p, ad_node *out, size_t i, double near, ad_node value, ad_node at) {
  ad_node slope, from;
  ad_status s = ad_nl_number(p->b, &slope, p->number[2 * i]);
  *out = at;
  if (!s && near != 0) {
    s = ad_nl_number(p->b, &from, near);
    if (!s) s = ad_nl_apply_2(p->b, out, AD_OP_SUB, at, from);
  }
  if (!s) s = ad_nl_apply_2(p->b, out, AD_OP_MUL, slope, *out);
  return s || near == 0 || value == AD_NO_NODE ? s : ad_nl_apply_2(p->b, out, AD_OP_ADD, value, *out);
}

/* Pieces from `home`, that of 0, upwards or downwards: each line goes into lines[i]. */
static ad_status walk(const pieces *p, ad_node *lines, size_t home, int step) {
  ad_node value = AD_NO_NODE, end;
  double near = 0;
  ad_status s = AD_OK;
  for (size_t i = home; !s; i = step > 0 ? i + 1 : i - 1) {
    if (i != home || step > 0) s = line(p, &lines[i], i, near, value, p->x);
    if (s || (step > 0 ? i + 1 == p->count : i == 0)) return s;
    const double next = step > 0 ? p->number[2 * i + 1] : p->number[2 * i - 1];
    s = ad_nl_number(p->b, &end, next);
    if (!s) s = line(p, &value, i, near, value, end);
    near = next;
    if (near == 0) value = AD_NO_NODE;
  }
  return s;
}

ad_status ad_nl_pieces(ad_nl_build *b, ad_node *out, ad_node x, const double *numbers, size_t count) {
  const pieces p = {b, x, numbers, (count + 1) / 2};
  ad_node *lines = ad_malloc(p.count, sizeof *lines);
  if (!lines) return ad_fail_memory(b->scan.e);
  size_t home = 0;
  while (home + 1 < p.count && numbers[2 * home + 1] <= 0) home++;
  ad_status s = walk(&p, lines, home, 1);
  if (!s) s = walk(&p, lines, home, -1);
  *out = s ? AD_NO_NODE : lines[p.count - 1];
  for (size_t i = p.count - 1; !s && i-- > 0;) {
    ad_node end, below;
    s = ad_nl_number(b, &end, numbers[2 * i + 1]);
    if (!s) s = ad_nl_apply_2(b, &below, AD_OP_LESS, x, end);
    if (!s) s = choose(b, out, below, lines[i], *out);
  }
  ad_free(lines);
  return s;
}
