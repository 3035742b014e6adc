/* Reductions, products, operations along an axis and broadcasting against their definitions on small tensors: values by
 * naive loops over indices, derivatives by all methods against each other and finite differences. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "tensors.h"

/* ---- Reductions */

typedef double reduce_fn(const double *v, size_t n);

static double sum_of(const double *v, size_t n) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += v[i];
  return s;
}

static double mean_of(const double *v, size_t n) {
  return sum_of(v, n) / (double)n;
}

static double product_of(const double *v, size_t n) {
  double p = 1;
  for (size_t i = 0; i < n; i++) p *= v[i];
  return p;
}

static double largest_of(const double *v, size_t n) {
  double m = v[0];
  for (size_t i = 1; i < n; i++) m = v[i] > m ? v[i] : m;
  return m;
}

static double smallest_of(const double *v, size_t n) {
  double m = v[0];
  for (size_t i = 1; i < n; i++) m = v[i] < m ? v[i] : m;
  return m;
}

static double logsumexp_of(const double *v, size_t n) {
  long double s = 0, m = largest_of(v, n);
  for (size_t i = 0; i < n; i++) s += expl(v[i] - m);
  return (double)(m + logl(s));
}

static const struct reduction {
  const char *op;
  reduce_fn *f;
  double units;
} reductions[] = {{"sum", sum_of, 0},
                  {"mean", mean_of, 0},
                  {"prod", product_of, 0},
                  {"reduce_max", largest_of, 0},
                  {"reduce_min", smallest_of, 0},
                  {"logsumexp", logsumexp_of, 4}};
enum { REDUCTIONS = sizeof reductions / sizeof reductions[0] };

/* Collects the elements of x that share the result's index, for each result. */
static tensor reduce(const struct reduction *r, const tensor *x, unsigned over, bool keep) {
  ad_shape kept = {.rank = x->shape.rank}, shape = {0};
  for (int i = 0; i < x->shape.rank; i++) {
    const bool gone = over >> i & 1;
    kept.dim[i] = gone ? 1 : x->shape.dim[i];
    if (!gone || keep) shape.dim[shape.rank++] = kept.dim[i];
  }
  tensor z = tensor_zeros(shape);
  for (size_t o = 0; o < z.count; o++) {
    double line[512];
    size_t n = 0;
    for (size_t i = 0; i < x->count; i++) {
      int64_t index[AD_MAX_RANK];
      tensor_unravel(&x->shape, i, index);
      for (int d = 0; d < x->shape.rank; d++)
        if (over >> d & 1) index[d] = 0;
      if (tensor_position(&kept, index) == o) line[n++] = x->v[i];
    }
    z.v[o] = r->f(line, n);
  }
  return z;
}

/* way 0: no axis attribute (all); 1: axes from 0; 2: negative, in falling order. */
static void check_reduction(const struct reduction *r, const tensor *x, unsigned over, bool keep, int way) {
  ad_graph *g = graphs_new();
  ad_node in = tensor_input(g, "x", x), out;
  int64_t axes[AD_MAX_RANK], count = 0;
  for (int i = 0; i < x->shape.rank; i++)
    if (over >> i & 1) axes[count++] = i;
  if (way == 2)
    for (int64_t i = 0; i < count; i++) axes[i] -= x->shape.rank;
  if (way == 2 && count > 1) {
    int64_t first = axes[0];
    axes[0] = axes[count - 1];
    axes[count - 1] = first;
  }
  ad_attr attrs[2] = {INT_ATTR("keepdims", keep), LIST_ATTR("axis", count, axes)};
  out = graphs_apply(g, r->op, 1, &in, way ? 2 : 1, attrs);
  tensor want = reduce(r, x, over, keep);
  tensor_expect_near(g, out, &want, r->units);
  must(ad_graph_output(g, "out", out, &graphs_error));
  if (x->count <= 24) graphs_check_derivatives(g, 16);
  ad_graph_free(g);
}

START_TEST(reductions_over_all_axes) {
  const struct reduction *r = &reductions[_i];
  ulps_random random = {ulps_seed() + (uint64_t)_i};
  for (int rank = 0; rank <= 3; rank++)
    for (unsigned over = 0; over < 1u << rank; over++)
      for (int keep = 0; keep < 2; keep++) {
        tensor x = tensor_integers(tensor_some_shape(&random, rank, 3));
        check_reduction(r, &x, over, keep, 1);
        check_reduction(r, &x, over, keep, 2);
        if (over == (1u << rank) - 1) check_reduction(r, &x, over, keep, 0);
      }
  /* Rank 8: a handful of subsets; and lines longer than a block of the summation tree. */
  static const unsigned subsets[] = {0, 1, 0x80, 0x55, 0xAA, 0xFF, 0x3C};
  for (size_t k = 0; k < sizeof subsets / sizeof subsets[0]; k++) {
    tensor x = tensor_integers(tensor_some_shape(&random, 8, 2));
    check_reduction(r, &x, subsets[k], k & 1, 1);
  }
  for (int64_t n = 1; n <= 40; n++) {
    tensor x = tensor_integers(SHAPE(n));
    for (size_t i = 0; i < x.count; i++) x.v[i] = i % 5 ? 1 - 2.0 * (double)(i % 2) : x.v[i];
    check_reduction(r, &x, 1, false, 0);
  }
}
END_TEST

/* Sums of nothing are 0, products of nothing 1, the rest says so. */
START_TEST(reductions_of_nothing) {
  for (int k = 0; k < REDUCTIONS; k++) {
    ad_graph *g = graphs_new();
    tensor x = tensor_zeros(SHAPE(2, 0));
    ad_node in = tensor_input(g, "x", &x), out;
    ad_attr axis = INTS_ATTR("axis", 1);
    ad_op op = ad_op_find(reductions[k].op);
    if (reductions[k].f == sum_of || reductions[k].f == product_of) {
      tensor want = tensor_zeros(SHAPE(2));
      want.v[0] = want.v[1] = reductions[k].f == product_of;
      tensor_expect(g, graphs_apply(g, reductions[k].op, 1, &in, 1, &axis), &want);
      continue;
    }
    must_fail(AD_EINPUT, "nothing to reduce", ad_graph_apply(g, &out, op, 1, &in, 1, &axis, &graphs_error));
    must_fail(AD_EINPUT, "[2, 0]", ad_graph_apply(g, &out, op, 1, &in, 1, &axis, &graphs_error));
    axis.value = (int64_t[]){0}; /* no element, but nothing is reduced that is not there */
    tensor want = tensor_zeros(SHAPE(0));
    tensor_expect(g, graphs_apply(g, reductions[k].op, 1, &in, 1, &axis), &want);
  }
}
END_TEST

/* ---- Products */

static void check_product(const char *op, ad_shape sx, ad_shape sy, ad_shape sz) {
  tensor x = tensor_integers(sx), y = tensor_integers(sy), z = tensor_zeros(sz);
  /* Vectors become a row and a column; leading axes are read as broadcast. */
  ad_shape mx = sx, my = sy, mz = sz;
  if (sx.rank == 1) mx = SHAPE(1, sx.dim[0]);
  if (sy.rank == 1) my = SHAPE(sy.dim[0], 1);
  if (sx.rank == 1 && sy.rank == 1) mz = SHAPE(1, 1);
  if (sx.rank == 1 && sy.rank > 1) { /* [..., n] is [..., 1, n] */
    mz.dim[mz.rank] = mz.dim[mz.rank - 1];
    mz.dim[mz.rank++ - 1] = 1;
  }
  if (sx.rank > 1 && sy.rank == 1) mz.dim[mz.rank++] = 1;
  const int64_t inner = mx.dim[mx.rank - 1];
  for (size_t o = 0; o < z.count; o++) {
    int64_t iz[AD_MAX_RANK + 1], ix[AD_MAX_RANK + 1], iy[AD_MAX_RANK + 1];
    tensor_unravel(&mz, o, iz);
    for (int d = 0; d < mx.rank - 2; d++) ix[d] = mx.dim[d] == 1 ? 0 : iz[mz.rank - mx.rank + d];
    for (int d = 0; d < my.rank - 2; d++) iy[d] = my.dim[d] == 1 ? 0 : iz[mz.rank - my.rank + d];
    ix[mx.rank - 2] = iz[mz.rank - 2];
    iy[my.rank - 1] = iz[mz.rank - 1];
    for (int64_t k = 0; k < inner; k++) {
      ix[mx.rank - 1] = iy[my.rank - 2] = k;
      z.v[o] += x.v[tensor_position(&mx, ix)] * y.v[tensor_position(&my, iy)];
    }
  }
  ad_graph *g = graphs_new();
  ad_node a = tensor_input(g, "x", &x), b = tensor_input(g, "y", &y);
  tensor_expect(g, graphs_binary(g, op, a, b), &z);
}

/* No factor is 0, so these are the same. */
static void check_matmul(ad_shape sx, ad_shape sy, ad_shape sz) {
  check_product("matmul", sx, sy, sz);
  check_product("matmul_no_nan", sx, sy, sz);
}

START_TEST(matmul_as_numpy) {
  check_matmul(SHAPE(3), SHAPE(3), SCALAR);
  check_matmul(SHAPE(3), SHAPE(3, 2), SHAPE(2));
  check_matmul(SHAPE(2, 3), SHAPE(3), SHAPE(2));
  check_matmul(SHAPE(2, 3), SHAPE(3, 4), SHAPE(2, 4));
  check_matmul(SHAPE(1, 1), SHAPE(1, 1), SHAPE(1, 1));
  check_matmul(SHAPE(2, 2, 3), SHAPE(3, 2), SHAPE(2, 2, 2));
  check_matmul(SHAPE(2, 3), SHAPE(2, 3, 2), SHAPE(2, 2, 2));
  check_matmul(SHAPE(2, 1, 2, 1), SHAPE(3, 1, 2), SHAPE(2, 3, 2, 2));
  check_matmul(SHAPE(3), SHAPE(2, 3, 2), SHAPE(2, 2));
  check_matmul(SHAPE(2, 2, 3), SHAPE(3), SHAPE(2, 2));
  check_matmul(SHAPE(1, 2, 1, 1, 1, 1, 2, 2), SHAPE(2, 1), SHAPE(1, 2, 1, 1, 1, 1, 2, 1));
  check_matmul(SHAPE(2, 0), SHAPE(0, 3), SHAPE(2, 3)); /* sums of nothing */
  check_matmul(SHAPE(0, 2), SHAPE(2, 3), SHAPE(0, 3));
  check_matmul(SHAPE(0, 2, 2), SHAPE(2, 2), SHAPE(0, 2, 2));
}
END_TEST

START_TEST(dot_of_vectors) {
  for (int64_t n = 0; n < 4; n++) {
    tensor x = tensor_integers(SHAPE(n)), y = tensor_integers(SHAPE(n)), z = tensor_zeros(SCALAR);
    for (size_t i = 0; i < x.count; i++) z.v[0] += x.v[i] * y.v[i];
    ad_graph *g = graphs_new();
    ad_node a = tensor_input(g, "x", &x), b = tensor_input(g, "y", &y);
    tensor_expect(g, graphs_binary(g, "dot", a, b), &z);
  }
  tensor x = tensor_integers(SHAPE(3)), z = tensor_zeros(SCALAR); /* the same node twice */
  ad_graph *g = graphs_new();
  ad_node a = tensor_input(g, "x", &x);
  for (size_t i = 0; i < x.count; i++) z.v[0] += x.v[i] * x.v[i];
  tensor_expect(g, graphs_binary(g, "dot", a, a), &z);
}
END_TEST

/* ---- Along an axis */

static void check_along(const char *op, ad_shape shape, int64_t axis) {
  const int64_t at = axis < 0 ? axis + shape.rank : axis, n = shape.dim[at];
  tensor x = tensor_integers(shape), z = tensor_zeros(shape);
  for (size_t o = 0; o < x.count; o++) {
    int64_t index[AD_MAX_RANK];
    tensor_unravel(&shape, o, index);
    const int64_t here = index[at];
    long double sum = 0, all = 0, own = 0;
    for (int64_t i = 0; i < n; i++) {
      index[at] = i;
      double v = x.v[tensor_position(&shape, index)];
      all += expl(v);
      if (i == here) own = expl(v);
      if (i <= here) sum += v;
    }
    z.v[o] = (double)(strcmp(op, "cumsum") ? own / all : sum);
  }
  ad_graph *g = graphs_new();
  ad_node in = tensor_input(g, "x", &x);
  ad_attr attr = INT_ATTR("axis", axis);
  ad_node out = graphs_apply(g, op, 1, &in, 1, &attr);
  tensor_expect_near(g, out, &z, strcmp(op, "cumsum") ? 8 : 0);
  must(ad_graph_output(g, "out", out, &graphs_error));
  graphs_check_derivatives(g, 32);
  ad_graph_free(g);
}

START_TEST(cumsum_and_softmax_along_an_axis) {
  static const char *const ops[] = {"cumsum", "softmax"};
  for (int k = 0; k < 2; k++) {
    check_along(ops[k], SHAPE(1), 0);
    check_along(ops[k], SHAPE(5), -1);
    check_along(ops[k], SHAPE(0), 0);
    check_along(ops[k], SHAPE(2, 0), 1);
    check_along(ops[k], SHAPE(17), 0);
    for (int64_t axis = -3; axis < 3; axis++) check_along(ops[k], SHAPE(2, 3, 2), axis);
    check_along(ops[k], SHAPE(1, 2, 1, 1, 3, 1, 1, 2), 4);
  }
}
END_TEST

/* ---- Broadcasting */

/* Elementwise operations broadcast: every pair of shapes made from these, of three arguments. */
static void check_elementwise(ad_shape sc, ad_shape sx, ad_shape sy) {
  tensor c = tensor_integers(sc), x = tensor_integers(sx), y = tensor_integers(sy);
  ad_shape z = {0};
  const ad_shape *all[3] = {&sc, &sx, &sy};
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < all[k]->rank; i++) {
      if (all[k]->rank > z.rank) { /* make room in front */
        int more = all[k]->rank - z.rank;
        memmove(z.dim + more, z.dim, (size_t)z.rank * sizeof z.dim[0]);
        for (int d = 0; d < more; d++) z.dim[d] = 1;
        z.rank = all[k]->rank;
      }
      int64_t *d = &z.dim[z.rank - all[k]->rank + i];
      if (*d == 1) *d = all[k]->dim[i];
    }
  tensor product = tensor_zeros(z), chosen = tensor_zeros(z);
  for (size_t o = 0; o < product.count; o++) {
    double cv = tensor_broadcast_at(&c, &z, o), xv = tensor_broadcast_at(&x, &z, o),
           yv = tensor_broadcast_at(&y, &z, o);
    product.v[o] = (cv - xv) * yv;
    chosen.v[o] = cv > 0 ? xv : yv;
  }
  ad_graph *g = graphs_new();
  ad_node nc = tensor_input(g, "c", &c), nx = tensor_input(g, "x", &x), ny = tensor_input(g, "y", &y);
  ad_node p = graphs_binary(g, "mul", graphs_binary(g, "sub", nc, nx), ny);
  ad_node w = graphs_apply(g, "where", NODES(graphs_binary(g, "greater", nc, graphs_constant(g, 0)), nx, ny), 0, NULL);
  tensor_expect_near(g, p, &product, 0);
  tensor_expect_near(g, w, &chosen, 0);
  must(ad_graph_output(g, "p", p, &graphs_error));
  must(ad_graph_output(g, "w", w, &graphs_error));
  if (product.count <= 24) graphs_check_derivatives(g, 16);
  ad_graph_free(g);
}

START_TEST(elementwise_broadcasts) {
  const ad_shape shapes[] = {SCALAR,         SHAPE(1),       SHAPE(3),          SHAPE(2, 1),
                             SHAPE(2, 3),    SHAPE(1, 3),    SHAPE(2, 2, 1),    SHAPE(2, 1, 3),
                             SHAPE(1, 1, 1), SHAPE(2, 2, 3), SHAPE(2, 1, 2, 3), SHAPE(1, 2, 1, 1, 1, 1, 2, 3)};
  enum { COUNT = sizeof shapes / sizeof shapes[0] };
  for (int a = 0; a < COUNT; a++)
    for (int b = 0; b < COUNT; b++) check_elementwise(shapes[a], shapes[b], shapes[(a * 5 + b * 7) % COUNT]);
  check_elementwise(SHAPE(0), SHAPE(1), SCALAR);
  check_elementwise(SHAPE(2, 0), SHAPE(0), SHAPE(1, 1));
  check_elementwise(SHAPE(40), SCALAR, SHAPE(40)); /* longer than a vector, with a tail */
  check_elementwise(SHAPE(5, 9), SHAPE(9), SHAPE(5, 1));
}
END_TEST

int main(void) {
  Suite *s = suite_create("structured operations");
  TCase *t = tcase_create("values and derivatives");
  tcase_set_timeout(t, 600);
  tcase_add_loop_test(t, reductions_over_all_axes, 0, REDUCTIONS);
  tcase_add_test(t, reductions_of_nothing);
  tcase_add_test(t, matmul_as_numpy);
  tcase_add_test(t, dot_of_vectors);
  tcase_add_test(t, elementwise_broadcasts);
  tcase_add_test(t, cumsum_and_softmax_along_an_axis);
  suite_add_tcase(s, t);
  return suite_run(s);
}
