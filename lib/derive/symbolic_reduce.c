/* Reductions and operations along an axis.  Where a rule wants the reduced elements side by side, they become the lines
 * of a matrix. */
#include <math.h>
#include <string.h>

#include "derive/symbolic.h"

enum { MAX_LEVELS = 64 };

#define OP1(ID, a) ad_emit_1(cx, AD_OP_##ID, a)
#define OP2(ID, a, b) ad_emit_2(cx, AD_OP_##ID, a, b)
#define WHERE(c, a, b) ad_emit_3(cx, AD_OP_WHERE, c, a, b)
#define NUM(v) ad_emit_num(cx, v)

/* The axes that a reduction takes together. */
typedef struct lines {
  bool over[AD_MAX_RANK];
  int64_t perm[AD_MAX_RANK];        /* kept axes, then reduced ones */
  ad_shape x, kept, turned, matrix; /* kept: x with 1 for each reduced axis */
  int64_t count, length;
} lines;

static lines lines_of(const ad_rule *r) {
  const ad_attr axes = ad_graph_node_attr(r->s->from, r->n, 0);
  lines l = {.x = *ad_rule_shape(r, 0), .count = 1, .length = 1};
  const int64_t given = ad_op_rule_get(r->op)->kernel == AD_KERNEL_ALONG ? 1 : axes.shape.dim[0];
  for (int64_t i = 0; i < given; i++) l.over[axes.value[i]] = true;
  l.kept = l.turned = l.x;
  int to = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < l.x.rank; i++) {
      if (l.over[i] != (pass == 1)) continue;
      if (pass) l.kept.dim[i] = 1;
      *(pass ? &l.length : &l.count) *= l.x.dim[i];
      l.perm[to] = i;
      l.turned.dim[to++] = l.x.dim[i];
    }
  l.matrix = (ad_shape){2, {l.count, l.length}};
  return l;
}

static ad_sym to_lines(ad_emit *cx, const lines *l, ad_sym x) {
  return ad_sym_reshape(cx, ad_sym_transpose(cx, x, l->perm), &l->matrix);
}

static ad_sym from_lines(ad_emit *cx, const lines *l, ad_sym m) {
  int64_t back[AD_MAX_RANK];
  for (int i = 0; i < l->x.rank; i++) back[l->perm[i]] = i;
  return ad_sym_transpose(cx, ad_sym_reshape(cx, m, &l->turned), back);
}

/* A value of the result, or of its adjoint, so that it broadcasts to the argument; of a sum over the argument's axes,
 * so that it has the result's shape. */
static ad_sym beside(ad_emit *cx, const lines *l, ad_sym s) {
  return ad_sym_reshape(cx, s, &l->kept);
}

static ad_sym sum_lines(ad_emit *cx, const lines *l, ad_sym s) {
  int64_t axes[AD_MAX_RANK];
  size_t count = 0;
  for (int i = 0; i < l->x.rank; i++)
    if (l->over[i]) axes[count++] = i;
  return ad_sym_sum(cx, s, count, axes);
}

/* ---- Partials of reductions, in the argument's shape */

/* The product of the other elements of each line, without quotients: up a tree of products of neighbours, and down
 * again, where each half takes what is above times the other half. */
static ad_sym others(ad_emit *cx, const lines *l, ad_sym x) {
  ad_sym level[MAX_LEVELS];
  int64_t width[MAX_LEVELS];
  int top = 0;
  level[0] = to_lines(cx, l, x);
  width[0] = l->length;
  for (; width[top] > 1 && !cx->status; top++) {
    if (width[top] % 2) {
      const ad_sym padded[] = {level[top], ad_emit_fill(cx, &(ad_shape){2, {l->count, 1}}, 1)};
      level[top] = ad_sym_join(cx, AD_OP_CONCAT, 2, padded, 1);
    }
    const int64_t even = width[top] + width[top] % 2;
    width[top + 1] = even / 2;
    if (even == 2) continue; /* nothing wants the product of all */
    level[top + 1] = OP2(MUL, ad_sym_slice(cx, level[top], 1, 0, even, 2), ad_sym_slice(cx, level[top], 1, 1, even, 2));
  }
  ad_sym above = NUM(1);
  while (top-- > 0 && !cx->status) {
    const int64_t half = (width[top] + 1) / 2;
    const ad_shape pairs = {3, {l->count, half, 2}}, single = {3, {l->count, half, 1}},
                   flat = {2, {l->count, 2 * half}};
    ad_sym swapped = ad_sym_slice(cx, ad_sym_reshape(cx, level[top], &pairs), 2, 1, -3, -1);
    double one;
    if (!ad_emit_is_number(cx, above, &one)) swapped = OP2(MUL, ad_sym_reshape(cx, above, &single), swapped);
    above = ad_sym_slice(cx, ad_sym_reshape(cx, swapped, &flat), 1, 0, width[top], 1);
  }
  double one;
  return ad_emit_is_number(cx, above, &one) ? above : from_lines(cx, l, above);
}

static ad_sym softmax_over(ad_emit *cx, const lines *l, ad_sym x) {
  return from_lines(cx, l, ad_sym_with_axis(cx, AD_OP_SOFTMAX, to_lines(cx, l, x), 1));
}

/* Which elements are an extreme that counts, and the part of the derivative that each gets (nan where the extreme is):
 * the policy for ties. */
typedef struct picks {
  ad_sym taken, part;
} picks;

static picks picks_of(const ad_rule *r, const lines *l) {
  ad_emit *cx = r->cx;
  const ad_ties ties = cx->kinks.ties;
  ad_sym equal = OP2(EQUAL, r->x, beside(cx, l, r->z)), many = beside(cx, l, sum_lines(cx, l, equal));
  const ad_sym part = WHERE(many, ties == AD_TIES_SHARE ? OP1(RECIP, many) : NUM(1), NUM((double)NAN));
  if (ties != AD_TIES_SHARE) {
    const ad_sym m = to_lines(cx, l, equal), running = ad_sym_with_axis(cx, AD_OP_CUMSUM, m, 1);
    const ad_sym which = ties == AD_TIES_FIRST ? NUM(1) : ad_sym_reshape(cx, many, &(ad_shape){2, {l->count, 1}});
    equal = from_lines(cx, l, OP2(MUL, m, OP2(EQUAL, running, which)));
  }
  return (picks){WHERE(many, equal, NUM(1)), part};
}

/* ---- Reductions */

void ad_reduce_adjoint(const ad_rule *r, ad_sym d) {
  ad_emit *cx = r->cx;
  const lines l = lines_of(r);
  double v;
  const bool number = ad_emit_is_number(cx, d, &v);
  if (!number) d = beside(cx, &l, d);
  switch (r->op) {
    case AD_OP_SUM:
      ad_rule_give(r, 0, number ? d : ad_sym_broadcast(cx, d, &l.x));
      break;
    case AD_OP_MEAN:
      d = OP2(DIV, d, NUM((double)l.length));
      ad_rule_give(r, 0, ad_sym_broadcast(cx, d, &l.x));
      break;
    case AD_OP_REDUCE_MAX:
    case AD_OP_REDUCE_MIN: {
      const picks p = picks_of(r, &l);
      ad_rule_give(r, 0, WHERE(p.taken, ad_times(cx, p.part, d, false), NUM(0)));
      break;
    }
    default: {
      const ad_sym partial = r->op == AD_OP_PROD ? others(cx, &l, r->x) : softmax_over(cx, &l, r->x);
      const ad_sym all = ad_times(cx, partial, d, false);
      ad_rule_give(r, 0, ad_emit_is_number(cx, all, &v) ? all : ad_sym_broadcast(cx, all, &l.x));
    }
  }
}

ad_sym ad_reduce_tangent(const ad_rule *r) {
  ad_emit *cx = r->cx;
  const lines l = lines_of(r);
  ad_sym d = ad_rule_tangent(r, 0);
  switch (r->op) {
    case AD_OP_SUM:
    case AD_OP_MEAN:
      return ad_move_tangent(r);
    case AD_OP_REDUCE_MAX:
    case AD_OP_REDUCE_MIN: {
      const picks p = picks_of(r, &l);
      d = WHERE(p.taken, ad_times(cx, p.part, d, false), NUM(0));
      break;
    }
    case AD_OP_PROD:
      d = ad_times(cx, others(cx, &l, r->x), d, false);
      break;
    default:
      d = ad_times(cx, softmax_over(cx, &l, r->x), d, false);
  }
  return ad_sym_reshape(cx, sum_lines(cx, &l, d), r->shape);
}

/* ---- Along an axis */

/* z (d - sum z d), of differences to the d of the largest z, so that nothing cancels where one z is nearly 1. */
static ad_sym softmax_derivative(const ad_rule *r, ad_sym d) {
  ad_emit *cx = r->cx;
  const lines l = lines_of(r);
  const int64_t axis = ad_graph_node_attr(r->s->from, r->n, 0).value[0];
  if (!ad_shape_size(r->shape)) return d;
  const ad_attr attrs[] = {{"axis", {1, {1}}, &axis}, {"keepdims", {0}, (const int64_t[]){1}}};
  const ad_sym z = r->z, top = ad_emit_apply(cx, AD_OP_REDUCE_MAX, 1, &z, 2, attrs), is_top = OP2(EQUAL, z, top);
  const ad_sym tops = beside(cx, &l, sum_lines(cx, &l, WHERE(is_top, d, NUM(0))));
  const ad_sym many = beside(cx, &l, sum_lines(cx, &l, is_top));
  const ad_sym u = OP2(SUB, d, OP2(MUL_NO_NAN, OP1(RECIP, many), tops));
  const ad_sym mean = beside(cx, &l, sum_lines(cx, &l, OP2(MUL_NO_NAN, z, u)));
  return OP2(MUL_NO_NAN, z, OP2(SUB, u, mean));
}

void ad_along_adjoint(const ad_rule *r, ad_sym d) {
  ad_emit *cx = r->cx;
  d = ad_sym_tensor(cx, d, r->shape);
  if (r->op == AD_OP_SOFTMAX) {
    ad_rule_give(r, 0, softmax_derivative(r, d));
    return;
  }
  const int64_t axis = ad_graph_node_attr(r->s->from, r->n, 0).value[0], n = r->shape->dim[axis];
  const ad_sym back = ad_sym_slice(cx, d, (int)axis, -1, -1 - n, -1);
  ad_rule_give(r, 0, ad_sym_slice(cx, ad_sym_with_axis(cx, AD_OP_CUMSUM, back, axis), (int)axis, -1, -1 - n, -1));
}

ad_sym ad_along_tangent(const ad_rule *r) {
  return r->op == AD_OP_SOFTMAX ? softmax_derivative(r, ad_rule_tangent(r, 0)) : ad_move_tangent(r);
}
