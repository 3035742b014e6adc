/* Products, moves and index tables. */
#include <string.h>

#include "derive/symbolic.h"
#include "error.h"
#include "mem.h"

/* ---- Products */

/* Where zeros of a factor make a product 0: those of the adjoint or tangent, factor `which`; in derivatives of products
 * with that rule those of both. */
static ad_sym product(const ad_rule *r, ad_sym x, ad_sym y, int64_t which) {
  static const int64_t both[] = {0, 1};
  const bool branch = r->op == AD_OP_MATMUL_NO_NAN;
  const ad_attr zeros = {"zeros", {1, {branch ? 2 : 1}}, branch ? both : &which};
  return ad_emit_apply(r->cx, AD_OP_MATMUL_NO_NAN, 2, (const ad_sym[]){x, y}, 1, &zeros);
}

/* The last two axes swapped. */
static ad_sym turned(ad_emit *cx, ad_sym s) {
  const int rank = ad_sym_shape(cx, s)->rank;
  int64_t perm[AD_MAX_RANK];
  if (rank < 2) return s; /* it could not be made */
  for (int i = 0; i < rank; i++) perm[i] = i;
  perm[rank - 2] = rank - 1, perm[rank - 1] = rank - 2;
  return ad_sym_transpose(cx, s, perm);
}

/* Sums away the axes in which `to` was broadcast to the value's shape, and gives it that shape. */
static ad_sym fold(ad_emit *cx, ad_sym s, const ad_shape *to) {
  const ad_shape have = *ad_sym_shape(cx, s);
  int64_t axes[AD_MAX_RANK];
  size_t count = 0;
  for (int i = 0; i < have.rank; i++) {
    const int k = i - (have.rank - to->rank);
    if (k < 0 || (to->dim[k] == 1 && have.dim[i] != 1)) axes[count++] = i;
  }
  return ad_sym_reshape(cx, ad_sym_sum(cx, s, count, axes), to);
}

void ad_matmul_adjoint(const ad_rule *r, ad_sym d) {
  ad_emit *cx = r->cx;
  const ad_shape *xs = ad_rule_shape(r, 0), *ys = ad_rule_shape(r, 1);
  if (xs->rank == 1 && ys->rank == 1) { /* one number times vectors */
    const bool branch = r->op == AD_OP_MATMUL_NO_NAN;
    for (size_t k = 0; k < 2; k++)
      if (ad_rule_active(r, k)) ad_rule_give(r, k, ad_times(cx, ad_rule_arg(r, 1 - k), d, branch));
    return;
  }
  /* As matrices: a vector is a row on the left and a column on the right. */
  ad_shape x = *xs, y = *ys, z = *r->shape;
  if (x.rank == 1) x = (ad_shape){2, {1, xs->dim[0]}};
  if (y.rank == 1) y = (ad_shape){2, {ys->dim[0], 1}};
  if (xs->rank == 1) {
    z.rank++;
    z.dim[z.rank - 1] = z.dim[z.rank - 2];
    z.dim[z.rank - 2] = 1;
  } else if (ys->rank == 1) {
    z.dim[z.rank++] = 1;
  }
  d = ad_sym_reshape(cx, ad_sym_tensor(cx, d, r->shape), &z);
  if (ad_rule_active(r, 0)) {
    const ad_sym other = turned(cx, ad_sym_reshape(cx, ad_rule_arg(r, 1), &y));
    ad_rule_give(r, 0, ad_sym_reshape(cx, fold(cx, product(r, d, other, 0), &x), xs));
  }
  if (ad_rule_active(r, 1)) {
    const ad_sym other = turned(cx, ad_sym_reshape(cx, ad_rule_arg(r, 0), &x));
    ad_rule_give(r, 1, ad_sym_reshape(cx, fold(cx, product(r, other, d, 1), &y), ys));
  }
}

ad_sym ad_matmul_tangent(const ad_rule *r) {
  const ad_sym xd = ad_rule_tangent(r, 0), yd = ad_rule_tangent(r, 1);
  const ad_sym a = xd == AD_SYM_NONE ? xd : product(r, xd, ad_rule_arg(r, 1), 0);
  const ad_sym b = yd == AD_SYM_NONE ? yd : product(r, ad_rule_arg(r, 0), yd, 1);
  return a == AD_SYM_NONE ? b : b == AD_SYM_NONE ? a : ad_emit_2(r->cx, AD_OP_ADD, a, b);
}

/* ---- Moves */

static ad_attr attr(const ad_rule *r, int i) {
  return ad_graph_node_attr(r->s->from, r->n, i);
}

/* A slice's result with the axes back that it dropped. */
static ad_shape unsqueezed(const ad_rule *r) {
  const ad_attr squeeze = attr(r, 3);
  ad_shape s = {.rank = ad_rule_shape(r, 0)->rank};
  for (int i = 0, j = 0, k = 0; i < s.rank; i++) {
    const bool gone = j < squeeze.shape.dim[0] && squeeze.value[j] == i;
    s.dim[i] = gone ? 1 : r->shape->dim[k];
    j += gone, k += !gone;
  }
  return s;
}

/* Puts elements 0 .. taken-1 of an axis at start, start + step, ... of one of `size`, zeros elsewhere. */
static ad_sym spread_axis(ad_emit *cx, ad_sym d, int axis, int64_t start, int64_t step, int64_t size) {
  ad_shape shape = *ad_sym_shape(cx, d);
  const int64_t taken = shape.dim[axis];
  if (step == 1 || taken == 1) { /* between two blocks of zeros */
    ad_sym parts[3];
    size_t count = 0;
    shape.dim[axis] = start;
    if (start) parts[count++] = ad_emit_fill(cx, &shape, 0);
    parts[count++] = d;
    shape.dim[axis] = size - start - taken;
    if (shape.dim[axis]) parts[count++] = ad_emit_fill(cx, &shape, 0);
    return ad_sym_join(cx, AD_OP_CONCAT, count, parts, axis);
  }
  int64_t *index = ad_malloc((size_t)taken, sizeof *index);
  if (!index) {
    ad_emit_fail(cx, ad_fail_memory(cx->e));
    return AD_SYM_NONE;
  }
  for (int64_t i = 0; i < taken; i++) index[i] = start + i * step;
  shape.dim[axis] = size;
  d = ad_sym_scatter(cx, ad_emit_fill(cx, &shape, 0), d, taken, index, axis);
  ad_free(index);
  return d;
}

ad_sym ad_move_spread(const ad_rule *r, ad_sym d) {
  ad_emit *cx = r->cx;
  const ad_shape *x = ad_rule_shape(r, 0);
  d = ad_sym_tensor(cx, d, r->shape);
  if (r->op == AD_OP_GATHER) {
    const ad_attr attrs[] = {attr(r, 0), attr(r, 1)};
    return ad_emit_apply(cx, AD_OP_SCATTER_ADD, 2, (const ad_sym[]){ad_emit_fill(cx, x, 0), d}, 2, attrs);
  }
  const ad_shape whole = unsqueezed(r);
  d = ad_sym_reshape(cx, d, &whole);
  for (int i = 0; !cx->status && i < x->rank; i++)
    if (attr(r, 2).value[i] != 1 || whole.dim[i] != x->dim[i])
      d = spread_axis(cx, d, i, attr(r, 0).value[i], attr(r, 2).value[i], x->dim[i]);
  return d;
}

void ad_move_elements(const ad_rule *r, int64_t *index) {
  const ad_shape *x = ad_rule_shape(r, 0);
  if (r->op == AD_OP_GATHER) {
    const ad_attr table = attr(r, 0);
    const int64_t axis = attr(r, 1).value[0], length = x->dim[axis], count = ad_shape_size(&table.shape);
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < axis; i++) outer *= x->dim[i];
    for (int i = (int)axis + 1; i < x->rank; i++) inner *= x->dim[i];
    for (int64_t o = 0; o < outer; o++)
      for (int64_t c = 0; c < count; c++) {
        const int64_t row = table.value[c] < 0 ? table.value[c] + length : table.value[c];
        for (int64_t j = 0; j < inner; j++) *index++ = (o * length + row) * inner + j;
      }
    return;
  }
  const ad_shape whole = unsqueezed(r);
  int64_t stride[AD_MAX_RANK], at[AD_MAX_RANK] = {0}, position = 0;
  for (int64_t i = x->rank - 1, s = 1; i >= 0; s *= x->dim[i], i--) {
    stride[i] = s * attr(r, 2).value[i];
    position += s * attr(r, 0).value[i];
  }
  for (int64_t left = ad_shape_size(&whole); left > 0; left--) {
    *index++ = position;
    for (int i = x->rank - 1; i >= 0; i--) {
      position += stride[i];
      if (++at[i] < whole.dim[i]) break;
      position -= whole.dim[i] * stride[i];
      at[i] = 0;
    }
  }
}

void ad_move_adjoint(const ad_rule *r, ad_sym d) {
  ad_emit *cx = r->cx;
  const ad_shape *x = ad_rule_shape(r, 0);
  double v;
  const bool number = ad_emit_is_number(cx, d, &v);
  switch (r->op) {
    case AD_OP_TRANSPOSE: {
      const ad_attr perm = attr(r, 0);
      int64_t back[AD_MAX_RANK];
      for (int i = 0; i < x->rank; i++) back[perm.value[i]] = i;
      ad_rule_give(r, 0, number ? d : ad_sym_transpose(cx, d, back));
      break;
    }
    case AD_OP_RESHAPE:
      ad_rule_give(r, 0, number ? d : ad_sym_reshape(cx, d, x));
      break;
    case AD_OP_BROADCAST_TO:
      ad_rule_give_broadcast(r, 0, d);
      break;
    case AD_OP_SLICE:
      ad_rule_give_part(r, d);
      break;
    default: { /* concat, stack */
      const int64_t axis = attr(r, 0).value[0];
      int64_t at = 0;
      for (size_t k = 0; k < r->nargs; k++) {
        const int64_t size = r->op == AD_OP_STACK ? 1 : ad_rule_shape(r, k)->dim[axis];
        if (ad_rule_active(r, k) && number)
          ad_rule_give(r, k, d);
        else if (ad_rule_active(r, k))
          ad_rule_give(r, k, ad_sym_reshape(cx, ad_sym_slice(cx, d, (int)axis, at, at + size, 1), ad_rule_shape(r, k)));
        at += size;
      }
    }
  }
}

ad_sym ad_move_tangent(const ad_rule *r) {
  ad_emit *cx = r->cx;
  ad_attr attrs[AD_MAX_ATTRS];
  const int count = ad_op_get(r->op)->attr_count;
  ad_sym few[8] = {0}, *d = few;
  if (r->nargs > 8 && !(d = ad_malloc(r->nargs, sizeof *d))) {
    ad_emit_fail(cx, ad_fail_memory(cx->e));
    return AD_SYM_NONE;
  }
  for (int i = 0; i < count; i++) attrs[i] = attr(r, i);
  for (size_t k = 0; k < r->nargs; k++) {
    d[k] = ad_rule_tangent(r, k);
    if (d[k] == AD_SYM_NONE) d[k] = ad_emit_fill(cx, ad_rule_shape(r, k), 0);
  }
  const ad_sym z = ad_emit_apply(cx, r->op, r->nargs, d, (size_t)count, attrs);
  if (d != few) ad_free(d);
  return z;
}

/* ---- Index tables */

void ad_gather_adjoint(const ad_rule *r, ad_sym d) {
  ad_rule_give_part(r, d);
}

ad_sym ad_gather_tangent(const ad_rule *r) {
  return ad_move_tangent(r);
}

void ad_scatter_add_adjoint(const ad_rule *r, ad_sym d) {
  double v;
  if (ad_rule_active(r, 0)) ad_rule_give(r, 0, d);
  if (!ad_rule_active(r, 1)) return;
  const ad_attr attrs[] = {attr(r, 0), attr(r, 1)};
  ad_rule_give(r, 1, ad_emit_is_number(r->cx, d, &v) ? d : ad_emit_apply(r->cx, AD_OP_GATHER, 1, &d, 2, attrs));
}

ad_sym ad_scatter_add_tangent(const ad_rule *r) {
  return ad_rule_tangent(r, 1) == AD_SYM_NONE ? ad_rule_tangent(r, 0) : ad_move_tangent(r);
}
