/* Elementwise operations: the partials of ops.def as nodes, times adjoints or tangents. */
#include "arith/trace.h"

#include "derive/symbolic.h"

/* The partial of a row by argument k. */
static V partial_of(CX *cx, ad_op op, const V *arg, V z, size_t k) {
  const V x = arg[0], y = arg[1], w = arg[2];
  (void)x, (void)y, (void)w, (void)z;
  switch (op) {
#define UNARY(ID, name, VALUE, DX, ...) \
  case AD_OP_##ID:                      \
    return DX;
#define BINARY(ID, name, args, dflt, VALUE, DX, DY, ...) \
  case AD_OP_##ID:                                       \
    return k == 0 ? (DX) : (DY);
#define LOWERED BINARY
#define TERNARY(ID, name, args, VALUE, DX, DY, DW, ...) \
  case AD_OP_##ID:                                      \
    return k == 0 ? (DX) : k == 1 ? (DY) : (DW);
#include "ir/ops.def"
  }
  return AD_SYM_NONE;
}

/* Whether a branch of a selection leaves nothing to multiply. */
static bool has_number(const ad_emit *cx, ad_sym s) {
  double v;
  const ad_emit_expr *x = ad_emit_is(cx, s, AD_OP_WHERE);
  return ad_emit_is_number(cx, s, &v) || (x && (has_number(cx, x->arg[1]) || has_number(cx, x->arg[2])));
}

ad_sym ad_times(ad_emit *cx, ad_sym p, ad_sym d, bool branch) {
  double v;
  const ad_emit_expr *select = ad_emit_is(cx, p, AD_OP_WHERE);
  if (p == AD_SYM_NONE || d == AD_SYM_NONE) return AD_SYM_NONE;
  if (ad_emit_is_number(cx, p, &v)) {
    double by;
    if (v == 0) return AD_SYM_NONE;
    if (ad_emit_is_number(cx, d, &by) && by == 1) return p;
    if (v == 1) return d;
    if (v == -1) return NEG(d);
    return isfinite(v) ? MUL(p, d) : MUL_NO_NAN(p, d);
  }
  if (select && (branch || has_number(cx, p))) {
    const V c = select->arg[0], taken = select->arg[1], other = select->arg[2];
    const V a = ad_times(cx, taken, d, branch), b = ad_times(cx, other, d, branch);
    if (a == AD_SYM_NONE && b == AD_SYM_NONE) return a;
    return SELECT(c, a == AD_SYM_NONE ? ZERO : a, b == AD_SYM_NONE ? ZERO : b);
  }
  if (ad_emit_is_number(cx, d, &v) && isfinite(v) && v != 0) return v == 1 ? p : v == -1 ? NEG(p) : MUL(d, p);
  return branch ? OP2(MUL_OR_ZERO, p, d) : MUL_NO_NAN(p, d);
}

static V share(const ad_rule *r, size_t k, ad_sym d) {
  V arg[3] = {AD_SYM_NONE, AD_SYM_NONE, AD_SYM_NONE};
  for (size_t i = 0; i < r->nargs; i++) arg[i] = ad_rule_arg(r, i);
  return ad_times(r->cx, partial_of(r->cx, r->op, arg, r->z, k), d, ad_op_rule_get(r->op)->smoothness == AD_BRANCH);
}

void ad_element_adjoint(const ad_rule *r, ad_sym d) {
  if (ad_op_rule_get(r->op)->smoothness == AD_STEP) return;
  for (size_t k = 0; k < r->nargs; k++)
    if (ad_rule_active(r, k)) ad_rule_give_broadcast(r, k, share(r, k, d));
}

ad_sym ad_element_tangent(const ad_rule *r) {
  ad_sym sum = AD_SYM_NONE;
  ad_emit *cx = r->cx;
  for (size_t k = 0; k < r->nargs; k++) {
    const ad_sym d = ad_rule_tangent(r, k);
    if (d == AD_SYM_NONE || ad_op_rule_get(r->op)->smoothness == AD_STEP) continue;
    const ad_sym one = share(r, k, d);
    if (one != AD_SYM_NONE) sum = sum == AD_SYM_NONE ? one : ADD(sum, one);
  }
  return sum == AD_SYM_NONE ? sum : ad_sym_broadcast(cx, sum, r->shape);
}
