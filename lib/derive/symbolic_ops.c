/* Operations with attributes, as the rules want them. */
#include <string.h>

#include "derive/symbolic.h"
#include "error.h"
#include "mem.h"

static const ad_shape scalar = {0};

const ad_shape *ad_sym_shape(ad_emit *cx, ad_sym s) {
  const ad_node n = ad_emit_node(cx, s);
  return n == AD_NO_NODE ? &scalar : ad_graph_node_shape(cx->g, n);
}

static ad_attr one(const char *name, const int64_t *value) {
  return (ad_attr){name, {0}, value};
}

static ad_attr list(const char *name, int64_t count, const int64_t *value) {
  return (ad_attr){name, {1, {count}}, value};
}

static ad_sym apply_1(ad_emit *cx, ad_op op, ad_sym s, size_t nattrs, const ad_attr *attrs) {
  return ad_emit_apply(cx, op, 1, &s, nattrs, attrs);
}

ad_sym ad_sym_tensor(ad_emit *cx, ad_sym s, const ad_shape *shape) {
  double v;
  if (s != AD_SYM_NONE && !ad_emit_is_number(cx, s, &v)) return s;
  return ad_emit_fill(cx, shape, s == AD_SYM_NONE ? 0 : v);
}

static bool has_shape(ad_emit *cx, ad_sym s, const ad_shape *shape) {
  return ad_shape_equal(ad_sym_shape(cx, s), shape);
}

ad_sym ad_sym_reshape(ad_emit *cx, ad_sym s, const ad_shape *to) {
  const ad_attr shape = list("shape", to->rank, to->dim);
  return has_shape(cx, s, to) ? s : apply_1(cx, AD_OP_RESHAPE, s, 1, &shape);
}

ad_sym ad_sym_broadcast(ad_emit *cx, ad_sym s, const ad_shape *to) {
  const ad_attr shape = list("shape", to->rank, to->dim);
  return has_shape(cx, s, to) ? s : apply_1(cx, AD_OP_BROADCAST_TO, s, 1, &shape);
}

ad_sym ad_sym_transpose(ad_emit *cx, ad_sym s, const int64_t *perm) {
  const int rank = ad_sym_shape(cx, s)->rank;
  const ad_attr attr = list("perm", rank, perm);
  for (int i = 0; i < rank; i++)
    if (perm[i] != i) return apply_1(cx, AD_OP_TRANSPOSE, s, 1, &attr);
  return s;
}

ad_sym ad_sym_sum(ad_emit *cx, ad_sym s, size_t count, const int64_t *axes) {
  const ad_attr axis = list("axis", (int64_t)count, axes);
  return count ? apply_1(cx, AD_OP_SUM, s, 1, &axis) : s;
}

ad_sym ad_sym_slice(ad_emit *cx, ad_sym s, int axis, int64_t start, int64_t stop, int64_t step) {
  const ad_shape *x = ad_sym_shape(cx, s);
  int64_t starts[AD_MAX_RANK], stops[AD_MAX_RANK], steps[AD_MAX_RANK];
  for (int i = 0; i < x->rank; i++) {
    starts[i] = i == axis ? start : 0;
    stops[i] = i == axis ? stop : x->dim[i];
    steps[i] = i == axis ? step : 1;
  }
  if (step == 1 && start == 0 && stop == x->dim[axis]) return s;
  const ad_attr attrs[] = {list("start", x->rank, starts), list("stop", x->rank, stops), list("step", x->rank, steps)};
  return apply_1(cx, AD_OP_SLICE, s, 3, attrs);
}

ad_sym ad_sym_join(ad_emit *cx, ad_op op, size_t count, const ad_sym *s, int64_t axis) {
  const ad_attr attr = one("axis", &axis);
  return op == AD_OP_CONCAT && count == 1 ? *s : ad_emit_apply(cx, op, count, s, 1, &attr);
}

ad_sym ad_sym_with_axis(ad_emit *cx, ad_op op, ad_sym s, int64_t axis) {
  const ad_attr attr = one("axis", &axis);
  return apply_1(cx, op, s, 1, &attr);
}

ad_sym ad_sym_scatter(ad_emit *cx, ad_sym base, ad_sym updates, int64_t count, const int64_t *index, int64_t axis) {
  const ad_attr attrs[] = {list("indices", count, index), one("axis", &axis)};
  return ad_emit_apply(cx, AD_OP_SCATTER_ADD, 2, (const ad_sym[]){base, updates}, 2, attrs);
}
