/* Expressions: operators in front of their operands.  The operators whose operands are still being read lie in a list
 * of their own, so a deep expression takes memory in proportion to its text, and no stack. */
#include "error.h"
#include "mem.h"
#include "nl/build.h"
#include "nl/operators.h"

typedef struct ad_nl_frame {
  const ad_nl_operator *op;
  size_t want, base;      /* operands, and where the first lies */
  const char *token;      /* the operator's place */
  size_t number, numbers; /* PIECES: where its numbers lie, and how many */
} frame;

static ad_status push(ad_nl_build *b, ad_node n) {
  ad_nl_nodes *v = &b->operands;
  if (!ad_reserve(&v->v, &v->capacity, v->count + 1, sizeof *v->v)) return ad_fail_memory(b->scan.e);
  v->v[v->count++] = n;
  return AD_OK;
}

/* The numbers of a piecewise linear function go to b->piece. */
static ad_status read_pieces(ad_nl_build *b, frame *f) {
  size_t slopes;
  ad_nl_scan *s = &b->scan;
  ad_status status = ad_nl_count(s, 2, "the number of slopes", &slopes);
  if (!status && !slopes) status = ad_nl_fail(s, "a piecewise linear function has no slopes");
  if (status) return status;
  f->number = b->piece_count;
  f->numbers = 2 * slopes - 1;
  if (!ad_reserve(&b->piece, &b->piece_capacity, f->number + f->numbers, sizeof *b->piece)) return ad_fail_memory(s->e);
  double *v = b->piece + f->number;
  for (size_t i = 0; i < f->numbers; i++) {
    const int key = ad_nl_key(s);
    if (key != 'n' && key != 's' && key != 'l')
      return ad_nl_fail(s, "a number (n, s or l) of a piecewise linear function is expected here");
    if ((status = ad_nl_constant(s, key, &v[i]))) return status;
    if (v[i] - v[i] != 0) return ad_nl_fail(s, "a slope or breakpoint is not finite");
    if (i > 2 && i % 2 && v[i] < v[i - 2]) return ad_nl_fail(s, "the breakpoints don't rise");
  }
  b->piece_count += f->numbers;
  return AD_OK;
}

static ad_status open_operator(ad_nl_build *b) {
  int64_t code;
  ad_nl_scan *s = &b->scan;
  frame f = {.base = b->operands.count};
  ad_status status = ad_nl_integer(s, 0, INT32_MAX, "an operator", &code);
  if (status) return status;
  f.op = code < AD_NL_CODES ? &ad_nl_operators[code] : NULL;
  if (!f.op || f.op->form == AD_NL_NONE) return ad_nl_fail(s, "there is no operator o%lld", (long long)code);
  if (f.op->form == AD_NL_REFUSED)
    return ad_nl_fail(s, "the operator o%lld (%s) is not supported", (long long)code, f.op->name);
  f.token = s->token;
  f.want = (size_t)f.op->operands;
  if (f.op->operands == AD_NL_MANY) status = ad_nl_count(s, 2, "the number of operands", &f.want);
  if (!status && f.op->form == AD_NL_PIECES) status = read_pieces(b, &f);
  if (status) return status;
  if (!ad_reserve(&b->frame, &b->frame_capacity, b->frame_count + 1, sizeof *b->frame)) return ad_fail_memory(s->e);
  b->frame[b->frame_count++] = f;
  return AD_OK;
}

static ad_status close_operator(ad_nl_build *b) {
  const frame f = b->frame[--b->frame_count];
  const char *token = b->scan.token;
  ad_node *args = b->operands.v ? b->operands.v + f.base : NULL, n;
  ad_status s;
  b->scan.token = f.token;
  if (f.op->form == AD_NL_PIECES) {
    s = ad_nl_pieces(b, &n, args[0], b->piece + f.number, f.numbers);
    b->piece_count = f.number;
  } else {
    s = ad_nl_operate(b, &n, f.op, args, f.want);
  }
  if (s) return s;
  b->scan.token = token;
  b->operands.count = f.base;
  return push(b, n);
}

static ad_status read_operand(ad_nl_build *b, int key) {
  ad_nl_scan *s = &b->scan;
  ad_node n;
  int64_t i;
  double v;
  ad_status status;
  switch (key) {
    case 'v':
      status = ad_nl_integer(s, 0, b->head.variables + b->head.defined - 1, "a variable's index", &i);
      if (!status) status = ad_nl_variable(b, &n, (size_t)i);
      break;
    case 'n':
    case 's':
    case 'l':
      status = ad_nl_constant(s, key, &v);
      if (!status) status = ad_nl_number(b, &n, v);
      break;
    case 'f':
      return ad_nl_fail(s, "functions from outside (f) are not supported: their derivatives are unknown");
    case 'h':
      return ad_nl_fail(s, "texts (h) are not supported");
    case -1:
      return ad_nl_fail(s, "the file ends within an expression");
    default:
      return ad_nl_fail(s, "an expression is expected here: o, v, n, s or l");
  }
  return status ? status : push(b, n);
}

ad_status ad_nl_expression(ad_nl_build *b, ad_node *out) {
  ad_status s = AD_OK;
  b->operands.count = b->frame_count = b->piece_count = 0;
  do {
    const int key = ad_nl_key(&b->scan);
    s = key == 'o' ? open_operator(b) : read_operand(b, key);
    while (!s && b->frame_count) {
      const frame *f = &b->frame[b->frame_count - 1];
      if (b->operands.count - f->base < f->want) break;
      s = close_operator(b);
    }
  } while (!s && b->frame_count);
  if (!s) *out = b->operands.v[0];
  return s;
}
