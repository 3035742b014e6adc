#include "arith/emit.h"

#include <string.h>

#include "error.h"
#include "ir/graph.h"
#include "mem.h"

/* The two highest bits: 0x node, 10 number, 11 expression. */
#define NUMBER UINT32_C(0x80000000)
#define EXPR UINT32_C(0xC0000000)
enum { RECENT = 64 }; /* how far back an equal number is looked for */

static bool is_node(ad_sym s) {
  return s < NUMBER;
}

static bool is_expr(ad_sym s) {
  return s >= EXPR && s != AD_SYM_NONE;
}

void ad_emit_start(ad_emit *cx, ad_graph *g, ad_error *e) {
  *cx = (ad_emit){.g = g, .kinks = ad_graph_kinks(g), .e = e, .pi = AD_NO_NODE};
}

void ad_emit_clear(ad_emit *cx) {
  ad_free(cx->number);
  ad_free(cx->expr);
  *cx = (ad_emit){0};
}

void ad_emit_forget(ad_emit *cx) {
  cx->expr_count = 0;
}

ad_status ad_emit_fail(ad_emit *cx, ad_status s) {
  if (!cx->status) cx->status = s;
  return cx->status;
}

ad_sym ad_emit_num(ad_emit *cx, double v) {
  const size_t n = cx->number_count;
  if (cx->status) return AD_SYM_NONE;
  for (size_t i = n; i-- > 0 && n - i <= RECENT;)
    if (!memcmp(&cx->number[i].value, &v, sizeof v)) return NUMBER | (ad_sym)i;
  if (n >= EXPR - NUMBER || !ad_reserve(&cx->number, &cx->number_capacity, n + 1, sizeof *cx->number)) {
    ad_emit_fail(cx, ad_fail_memory(cx->e));
    return AD_SYM_NONE;
  }
  cx->number[cx->number_count++] = (ad_emit_number){v, AD_NO_NODE};
  return NUMBER | (ad_sym)n;
}

static ad_sym made(ad_emit *cx, ad_status s, ad_node n) {
  if (!s && n >= NUMBER) s = ad_fail(cx->e, AD_ELIMIT, "the derivative has more than 2^31 nodes");
  return ad_emit_fail(cx, s) ? AD_SYM_NONE : n;
}

ad_sym ad_emit_pi(ad_emit *cx) {
  if (cx->pi == AD_NO_NODE && !cx->status) ad_emit_fail(cx, ad_graph_constant_text(cx->g, &cx->pi, "pi", cx->e));
  return made(cx, cx->status, cx->pi);
}

static ad_sym push(ad_emit *cx, ad_emit_expr x) {
  const size_t n = cx->expr_count;
  if (cx->status) return AD_SYM_NONE;
  if (n >= AD_SYM_NONE - EXPR || !ad_reserve(&cx->expr, &cx->expr_capacity, n + 1, sizeof *cx->expr)) {
    ad_emit_fail(cx, ad_fail_memory(cx->e));
    return AD_SYM_NONE;
  }
  cx->expr[cx->expr_count++] = x;
  return EXPR | (ad_sym)n;
}

ad_sym ad_emit_1(ad_emit *cx, ad_op op, ad_sym x) {
  return push(cx, (ad_emit_expr){op, 1, {x}, AD_NO_NODE});
}

ad_sym ad_emit_2(ad_emit *cx, ad_op op, ad_sym x, ad_sym y) {
  return push(cx, (ad_emit_expr){op, 2, {x, y}, AD_NO_NODE});
}

ad_sym ad_emit_3(ad_emit *cx, ad_op op, ad_sym x, ad_sym y, ad_sym w) {
  return push(cx, (ad_emit_expr){op, 3, {x, y, w}, AD_NO_NODE});
}

ad_sym ad_emit_apply(ad_emit *cx, ad_op op, size_t nargs, const ad_sym *args, size_t nattrs, const ad_attr *attrs) {
  ad_node few[8] = {0}, *node = few, out = AD_NO_NODE;
  if (cx->status) return AD_SYM_NONE;
  if (nargs > 8 && !(node = ad_malloc(nargs, sizeof *node))) {
    ad_emit_fail(cx, ad_fail_memory(cx->e));
    return AD_SYM_NONE;
  }
  for (size_t i = 0; i < nargs; i++) node[i] = ad_emit_node(cx, args[i]);
  ad_status s = cx->status;
  if (!s && !nattrs && nargs <= 2 && ad_op_rule_get(op)->nargs == nargs &&
      ad_graph_apply_scalar(cx->g, op, nargs, node))
    return made(cx, s, (ad_node)cx->g->count - 1);
  if (!s) s = ad_graph_apply(cx->g, &out, op, nargs, node, nattrs, attrs, cx->e);
  if (node != few) ad_free(node);
  return made(cx, s, out);
}

ad_sym ad_emit_fill(ad_emit *cx, const ad_shape *shape, double v) {
  ad_node out = AD_NO_NODE;
  if (cx->status) return AD_SYM_NONE;
  ad_numbers *one = ad_numbers_new();
  ad_status s = one ? ad_numbers_push_double(one, v, cx->e) : ad_fail_memory(cx->e);
  if (!s) s = ad_graph_constant(cx->g, &out, shape, one, AD_EXACT, cx->e);
  ad_numbers_free(one);
  return made(cx, s, out);
}

ad_node ad_emit_node(ad_emit *cx, ad_sym s) {
  if (s == AD_SYM_NONE || cx->status) return AD_NO_NODE;
  if (is_node(s)) return s;
  ad_node *node = is_expr(s) ? &cx->expr[s - EXPR].node : &cx->number[s - NUMBER].node;
  if (*node != AD_NO_NODE) return *node;
  ad_sym out;
  if (is_expr(s)) {
    const ad_emit_expr x = cx->expr[s - EXPR];
    out = ad_emit_apply(cx, x.op, x.nargs, x.arg, 0, NULL);
  } else {
    out = ad_emit_fill(cx, &(ad_shape){0}, cx->number[s - NUMBER].value);
  }
  return cx->status ? AD_NO_NODE : (*node = out);
}

bool ad_emit_is_number(const ad_emit *cx, ad_sym s, double *v) {
  if (is_node(s) || s >= EXPR) return false;
  *v = cx->number[s - NUMBER].value;
  return true;
}

const ad_emit_expr *ad_emit_is(const ad_emit *cx, ad_sym s, ad_op op) {
  return is_expr(s) && cx->expr[s - EXPR].op == op ? &cx->expr[s - EXPR] : NULL;
}
