/* Operations that move elements against their definitions on small tensors: transpose, reshape, broadcast_to, slice,
 * concat, stack, gather, scatter_add. */
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "tensors.h"

/* ---- Moves */

static void check_transpose(ad_shape shape, const int64_t *perm, bool said, bool negative) {
  tensor x = tensor_integers(shape);
  ad_shape turned = {.rank = shape.rank};
  int64_t told[AD_MAX_RANK];
  for (int i = 0; i < shape.rank; i++) {
    turned.dim[i] = shape.dim[perm[i]];
    told[i] = negative ? perm[i] - shape.rank : perm[i];
  }
  tensor z = tensor_zeros(turned);
  for (size_t o = 0; o < z.count; o++) {
    int64_t iz[AD_MAX_RANK], ix[AD_MAX_RANK];
    tensor_unravel(&z.shape, o, iz);
    for (int i = 0; i < shape.rank; i++) ix[perm[i]] = iz[i];
    z.v[o] = x.v[tensor_position(&x.shape, ix)];
  }
  ad_graph *g = graphs_new();
  ad_node in = tensor_input(g, "x", &x);
  ad_attr attr = LIST_ATTR("perm", shape.rank, told);
  tensor_expect(g, graphs_apply(g, "transpose", 1, &in, said, &attr), &z);
}

START_TEST(transpose_permutes) {
  check_transpose(SCALAR, NULL, false, false);
  check_transpose(SHAPE(3), (int64_t[]){0}, false, false);
  check_transpose(SHAPE(2, 3), (int64_t[]){1, 0}, false, false);
  static const int64_t perms[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int k = 0; k < 6; k++) check_transpose(SHAPE(2, 3, 2), perms[k], true, k & 1);
  check_transpose(SHAPE(2, 3, 2), perms[5], false, false);
  check_transpose(SHAPE(1, 2, 1, 2, 1, 2, 1, 2), (int64_t[]){7, 0, 6, 1, 5, 2, 4, 3}, true, false);
  check_transpose(SHAPE(2, 0), (int64_t[]){1, 0}, true, false);
}
END_TEST

static void check_reshape(ad_shape from, ad_shape to, ad_shape told) {
  tensor x = tensor_integers(from), z = tensor_zeros(to);
  memcpy(z.v, x.v, sizeof z.v);
  ad_graph *g = graphs_new();
  ad_node in = tensor_input(g, "x", &x);
  ad_attr attr = LIST_ATTR("shape", told.rank, told.dim);
  tensor_expect(g, graphs_apply(g, "reshape", 1, &in, 1, &attr), &z);
}

START_TEST(reshape_keeps_the_order) {
  check_reshape(SHAPE(6), SHAPE(2, 3), SHAPE(2, 3));
  check_reshape(SHAPE(2, 3), SHAPE(3, 2), SHAPE(3, -1));
  check_reshape(SHAPE(2, 3), SHAPE(6), SHAPE(-1));
  check_reshape(SHAPE(1), SCALAR, SCALAR);
  check_reshape(SCALAR, SHAPE(1, 1), SHAPE(1, -1));
  check_reshape(SHAPE(2, 2, 2), SHAPE(1, 2, 1, 2, 1, 2, 1, 1), SHAPE(1, 2, 1, 2, 1, 2, 1, 1));
  check_reshape(SHAPE(0, 3), SHAPE(2, 0), SHAPE(2, 0));
  check_reshape(SHAPE(0, 3), SHAPE(0, 3), SHAPE(-1, 3));
}
END_TEST

static void check_broadcast_to(ad_shape from, ad_shape to) {
  tensor x = tensor_integers(from), z = tensor_zeros(to);
  for (size_t o = 0; o < z.count; o++) z.v[o] = tensor_broadcast_at(&x, &z.shape, o);
  ad_graph *g = graphs_new();
  ad_node in = tensor_input(g, "x", &x);
  ad_attr attr = LIST_ATTR("shape", to.rank, to.dim);
  tensor_expect(g, graphs_apply(g, "broadcast_to", 1, &in, 1, &attr), &z);
}

START_TEST(broadcast_to_repeats) {
  check_broadcast_to(SCALAR, SCALAR);
  check_broadcast_to(SCALAR, SHAPE(2, 3));
  check_broadcast_to(SHAPE(3), SHAPE(2, 3));
  check_broadcast_to(SHAPE(2, 1), SHAPE(2, 3));
  check_broadcast_to(SHAPE(1, 3, 1), SHAPE(2, 3, 2));
  check_broadcast_to(SHAPE(1), SHAPE(0));
  check_broadcast_to(SHAPE(2, 1, 2), SHAPE(1, 2, 1, 1, 1, 2, 2, 2));
}
END_TEST

/* Python's rule for one axis, word for word from its reference: which indices start:stop:step gives. */
static int64_t python_slice(int64_t n, int64_t start, int64_t stop, int64_t step, int64_t *picked) {
  if (start < 0) start += n;
  if (start < 0) start = step < 0 ? -1 : 0;
  if (start >= n) start = step < 0 ? n - 1 : n;
  if (stop < 0) stop += n;
  if (stop < 0) stop = step < 0 ? -1 : 0;
  if (stop >= n) stop = step < 0 ? n - 1 : n;
  int64_t count = 0;
  for (int64_t i = start; step < 0 ? i > stop : i < stop; i += step) picked[count++] = i;
  return count;
}

START_TEST(slice_as_python) {
  enum { N = 4 };
  tensor x = tensor_integers(SHAPE(N));
  for (int64_t start = -6; start <= 6; start++)
    for (int64_t stop = -6; stop <= 6; stop++)
      for (int64_t step = -5; step <= 5; step++) {
        int64_t picked[N];
        if (!step) continue;
        tensor z = tensor_zeros(SHAPE(python_slice(N, start, stop, step, picked)));
        for (size_t i = 0; i < z.count; i++) z.v[i] = x.v[picked[i]];
        ad_graph *g = graphs_new();
        ad_node in = tensor_input(g, "x", &x);
        ad_node out = graphs_apply(g, "slice", 1, &in,
                                   ATTRS(INTS_ATTR("start", start), INTS_ATTR("step", step), INTS_ATTR("stop", stop)));
        tensor_expect_near(g, out, &z, 0);
        /* The normalised attributes mean the same when they are read again. */
        ad_attr again[4];
        for (int k = 0; k < 4; k++) again[k] = ad_graph_node_attr(g, out, k);
        int64_t room[3][1] = {{again[0].value[0]}, {again[1].value[0]}, {again[2].value[0]}};
        for (int k = 0; k < 3; k++) again[k].value = room[k];
        tensor_expect_near(g, graphs_apply(g, "slice", 1, &in, 3, again), &z, 0);
        ad_graph_free(g);
      }
}
END_TEST

START_TEST(slice_of_several_axes) {
  tensor x = tensor_integers(SHAPE(3, 4, 2));
  for (int64_t step = -2; step <= 2; step++) {
    int64_t rows[4], count;
    if (!step) continue;
    count = step > 0 ? python_slice(4, 0, 4, step, rows) : python_slice(4, 3, -5, step, rows);
    ad_graph *g = graphs_new(); /* x[1, ::step, -1:] */
    ad_node in = tensor_input(g, "x", &x);
    tensor z = tensor_zeros(SHAPE(count, 1));
    for (size_t i = 0; i < z.count; i++) z.v[i] = x.v[tensor_position(&x.shape, (int64_t[]){1, rows[i], 1})];
    const int64_t first = step > 0 ? 0 : 3, end = step > 0 ? 4 : -5;
    tensor_expect(g,
                  graphs_apply(g, "slice", 1, &in,
                               ATTRS(INTS_ATTR("start", 1, first, -1), INTS_ATTR("stop", 2, end, 2),
                                     INTS_ATTR("step", 1, step, 1), INTS_ATTR("squeeze", -3))),
                  &z);
  }
  ad_graph *g = graphs_new(); /* nothing said: all of it; all squeezed: a scalar */
  ad_node in = tensor_input(g, "x", &x);
  tensor_expect(g, graphs_apply(g, "slice", 1, &in, 0, NULL), &x);
  g = graphs_new();
  in = tensor_input(g, "x", &x);
  tensor one = tensor_zeros(SCALAR);
  one.v[0] = x.v[tensor_position(&x.shape, (int64_t[]){2, 3, 0})];
  tensor_expect(
      g,
      graphs_apply(g, "slice", 1, &in,
                   ATTRS(INTS_ATTR("start", -1, 3, 0), INTS_ATTR("stop", 3, 4, 1), INTS_ATTR("squeeze", 0, 1, 2))),
      &one);
}
END_TEST

/* Joins along an axis; `new_axis` stacks. */
static void check_join(const char *op, ad_shape shape, int64_t axis, const int64_t *sizes, size_t count) {
  const bool stacks = !strcmp(op, "stack");
  const int64_t at = axis < 0 ? axis + shape.rank + stacks : axis;
  ad_graph *g = graphs_new();
  tensor x[4];
  ad_node args[4];
  ad_shape sz = shape;
  if (stacks) {
    for (int i = shape.rank; i > at; i--) sz.dim[i] = sz.dim[i - 1];
    sz.dim[at] = (int64_t)count;
    sz.rank++;
  } else {
    sz.dim[at] = 0;
    for (size_t k = 0; k < count; k++) sz.dim[at] += sizes[k];
  }
  tensor z = tensor_zeros(sz);
  int64_t before = 0;
  for (size_t k = 0; k < count; k++) {
    char name[24];
    ad_shape part = shape;
    if (!stacks) part.dim[at] = sizes[k];
    x[k] = tensor_integers(part);
    snprintf(name, sizeof name, "x%zu", k);
    args[k] = tensor_input(g, name, &x[k]);
    for (size_t i = 0; i < x[k].count; i++) {
      int64_t ix[AD_MAX_RANK], iz[AD_MAX_RANK];
      tensor_unravel(&part, i, ix);
      for (int d = 0; d < sz.rank; d++) iz[d] = stacks ? d < at ? ix[d] : d == at ? (int64_t)k : ix[d - 1] : ix[d];
      if (!stacks) iz[at] += before;
      z.v[tensor_position(&sz, iz)] = x[k].v[i];
    }
    if (!stacks) before += sizes[k];
  }
  ad_attr attr = INT_ATTR("axis", axis);
  tensor_expect(g, graphs_apply(g, op, count, args, 1, &attr), &z);
}

START_TEST(concat_and_stack_join) {
  static const int64_t sizes[] = {2, 1, 3, 0};
  for (int rank = 1; rank <= 3; rank++)
    for (int64_t axis = -rank; axis < rank; axis++)
      for (size_t count = 1; count <= 4; count++) {
        ad_shape s = {rank, {2, 1, 2}};
        check_join("concat", s, axis, sizes, count);
      }
  for (int rank = 0; rank <= 2; rank++)
    for (int64_t axis = -rank - 1; axis <= rank; axis++)
      for (size_t count = 1; count <= 3; count++) {
        ad_shape s = {rank, {2, 3}};
        check_join("stack", s, axis, NULL, count);
      }
  check_join("concat", SHAPE(1, 1, 1, 1, 2, 1, 1, 2), 5, sizes, 3);
  check_join("stack", SHAPE(1, 1, 1, 2, 1, 1, 2), -1, NULL, 2);
}
END_TEST

/* ---- Index tables */

static void check_table(ad_shape shape, int64_t axis, ad_shape table, const int64_t *index) {
  const int64_t at = axis < 0 ? axis + shape.rank : axis;
  tensor x = tensor_integers(shape), t = tensor_zeros(table);
  ad_shape sz = {0};
  for (int i = 0; i < at; i++) sz.dim[sz.rank++] = shape.dim[i];
  for (int i = 0; i < table.rank; i++) sz.dim[sz.rank++] = table.dim[i];
  for (int i = (int)at + 1; i < shape.rank; i++) sz.dim[sz.rank++] = shape.dim[i];
  tensor picked = tensor_zeros(sz), updates = tensor_integers(sz), added = x;
  for (size_t o = 0; o < picked.count; o++) {
    int64_t iz[AD_MAX_RANK], ix[AD_MAX_RANK], it[AD_MAX_RANK];
    tensor_unravel(&sz, o, iz);
    for (int d = 0; d < at; d++) ix[d] = iz[d];
    for (int d = 0; d < table.rank; d++) it[d] = iz[at + d];
    for (int d = (int)at + 1; d < shape.rank; d++) ix[d] = iz[d - 1 + table.rank];
    int64_t i = index[tensor_position(&t.shape, it)];
    ix[at] = i < 0 ? i + shape.dim[at] : i;
    picked.v[o] = x.v[tensor_position(&shape, ix)];
    added.v[tensor_position(&shape, ix)] += updates.v[o];
  }
  ad_attr attrs[] = {{"indices", table, index}, INT_ATTR("axis", axis)};
  ad_graph *g = graphs_new();
  ad_node in = tensor_input(g, "x", &x);
  tensor_expect(g, graphs_apply(g, "gather", 1, &in, 2, attrs), &picked);
  g = graphs_new();
  in = tensor_input(g, "x", &x);
  ad_node more = tensor_input(g, "updates", &updates);
  tensor_expect(g, graphs_apply(g, "scatter_add", NODES(in, more), 2, attrs), &added);
}

START_TEST(gather_and_scatter_add) {
  static const int64_t index[] = {1, 0, -1, 1, 1, -2};
  for (int64_t axis = -2; axis < 2; axis++) {
    check_table(SHAPE(2, 3), axis, SCALAR, index);
    check_table(SHAPE(2, 3), axis, SHAPE(4), index);
    check_table(SHAPE(2, 3), axis, SHAPE(2, 3), index);
    check_table(SHAPE(2, 3), axis, SHAPE(0), index);
  }
  check_table(SHAPE(3), 0, SHAPE(1, 2, 1, 1, 1, 1, 1, 3), index);
  check_table(SHAPE(2, 3, 2), 1, SHAPE(2, 2), index);
  check_table(SHAPE(1, 2, 1, 1, 2, 1, 1, 2), 4, SHAPE(3), index);
}
END_TEST

int main(void) {
  Suite *s = suite_create("moves");
  TCase *t = tcase_create("values and derivatives");
  tcase_set_timeout(t, 600);
  tcase_add_test(t, transpose_permutes);
  tcase_add_test(t, reshape_keeps_the_order);
  tcase_add_test(t, broadcast_to_repeats);
  tcase_add_test(t, slice_as_python);
  tcase_add_test(t, slice_of_several_axes);
  tcase_add_test(t, concat_and_stack_join);
  tcase_add_test(t, gather_and_scatter_add);
  suite_add_tcase(s, t);
  return suite_run(s);
}
