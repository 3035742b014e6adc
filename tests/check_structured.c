/* Structured operations against their definitions on small tensors: values by naive loops over indices, derivatives by
 * all methods against each other and finite differences (graphs_check_derivatives). */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "ulps.h"

/* A tensor with its own indexing: nothing here is shared with the library. */
typedef struct tensor {
  ad_shape shape;
  size_t count;
  double v[512];
} tensor;

static size_t position(const ad_shape *s, const int64_t *index) {
  size_t at = 0;
  for (int i = 0; i < s->rank; i++) at = at * (size_t)s->dim[i] + (size_t)index[i];
  return at;
}

static void unravel(const ad_shape *s, size_t at, int64_t *index) {
  for (int i = s->rank - 1; i >= 0; i--) {
    index[i] = (int64_t)(at % (size_t)s->dim[i]);
    at /= (size_t)s->dim[i];
  }
}

static tensor zeros(ad_shape shape) {
  tensor t = {.shape = shape, .count = 1};
  for (int i = 0; i < shape.rank; i++) t.count *= (size_t)shape.dim[i];
  ck_assert_uint_le(t.count, sizeof t.v / sizeof t.v[0]);
  return t;
}

static uint64_t turn;

/* Integers from -4 to 4 without 0 and mostly distinct neighbours: sums and products of them are exact. */
static tensor integers(ad_shape shape) {
  static const double values[] = {3, -2, 1, 4, -1, -4, 2, -3, 5, -5, 6};
  tensor t = zeros(shape);
  for (size_t i = 0; i < t.count; i++) t.v[i] = values[(i + turn) % 11];
  turn += 5;
  return t;
}

/* A random shape of this rank. */
static ad_shape some_shape(ulps_random *random, int rank, int64_t largest) {
  ad_shape s = {.rank = rank};
  for (int i = 0; i < rank; i++) s.dim[i] = 1 + (int64_t)(ulps_random_bits(random) % (uint64_t)largest);
  return s;
}

static ad_node put(ad_graph *g, const char *name, const tensor *t) {
  return graphs_input(g, name, t->shape, t->v, t->count);
}

/* The node has exactly these values, or within `units` ulps, in every backend. */
static void expect_near(const ad_graph *g, ad_node n, const tensor *want, double units) {
  char have[AD_SHAPE_TEXT], text[AD_SHAPE_TEXT];
  ad_shape_text(have, ad_graph_node_shape(g, n));
  ad_shape_text(text, &want->shape);
  const char *op = ad_op_get(ad_graph_node_op(g, n))->name;
  ck_assert_msg(!strcmp(have, text), "%s: shape %s, not %s", op, have, text);
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (uint32_t points = 1; points < 4; points += 2) {
      const ad_backend *backend = ad_backend_get(b);
      if (ad_backend_kind(backend) != AD_KIND_F64 && points > 1) continue;
      graphs_run r = graphs_start(g, ad_backend_name(backend), (ad_workspace_options){.points = points});
      ad_span s = ad_workspace_value(r.w, n);
      ck_assert_uint_eq(s.count, want->count * points);
      for (size_t i = 0; i < s.count; i++) {
        double got = ad_span_double(&s, i), v = want->v[i / points];
        ck_assert_msg(got == v || (isnan(got) && isnan(v)) || fabs(got - v) <= units * 0x1p-53 * fabs(v),
                      "%s, %s: element %zu of %s is %.17g, not %.17g", op, ad_backend_name(backend), i, have, got, v);
      }
      graphs_end(&r);
    }
}

/* The node's values exactly and all its derivatives; frees the graph. */
static void expect(ad_graph *g, ad_node n, const tensor *want) {
  expect_near(g, n, want, 0);
  must(ad_graph_output(g, "out", n, &graphs_error));
  graphs_check_derivatives(g, 4);
  ad_graph_free(g);
}

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
  tensor z = zeros(shape);
  for (size_t o = 0; o < z.count; o++) {
    double line[512];
    size_t n = 0;
    for (size_t i = 0; i < x->count; i++) {
      int64_t index[AD_MAX_RANK];
      unravel(&x->shape, i, index);
      for (int d = 0; d < x->shape.rank; d++)
        if (over >> d & 1) index[d] = 0;
      if (position(&kept, index) == o) line[n++] = x->v[i];
    }
    z.v[o] = r->f(line, n);
  }
  return z;
}

/* way 0: no axis attribute (all); 1: axes from 0; 2: negative, in falling order. */
static void check_reduction(const struct reduction *r, const tensor *x, unsigned over, bool keep, int way) {
  ad_graph *g = graphs_new();
  ad_node in = put(g, "x", x), out;
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
  expect_near(g, out, &want, r->units);
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
        tensor x = integers(some_shape(&random, rank, 3));
        check_reduction(r, &x, over, keep, 1);
        check_reduction(r, &x, over, keep, 2);
        if (over == (1u << rank) - 1) check_reduction(r, &x, over, keep, 0);
      }
  /* Rank 8: a handful of subsets; and lines longer than a block of the summation tree. */
  static const unsigned subsets[] = {0, 1, 0x80, 0x55, 0xAA, 0xFF, 0x3C};
  for (size_t k = 0; k < sizeof subsets / sizeof subsets[0]; k++) {
    tensor x = integers(some_shape(&random, 8, 2));
    check_reduction(r, &x, subsets[k], k & 1, 1);
  }
  for (int64_t n = 1; n <= 40; n++) {
    tensor x = integers(SHAPE(n));
    for (size_t i = 0; i < x.count; i++) x.v[i] = i % 5 ? 1 - 2.0 * (double)(i % 2) : x.v[i];
    check_reduction(r, &x, 1, false, 0);
  }
}
END_TEST

/* Sums of nothing are 0, products of nothing 1, the rest says so. */
START_TEST(reductions_of_nothing) {
  for (int k = 0; k < REDUCTIONS; k++) {
    ad_graph *g = graphs_new();
    tensor x = zeros(SHAPE(2, 0));
    ad_node in = put(g, "x", &x), out;
    ad_attr axis = INTS_ATTR("axis", 1);
    ad_op op = ad_op_find(reductions[k].op);
    if (reductions[k].f == sum_of || reductions[k].f == product_of) {
      tensor want = zeros(SHAPE(2));
      want.v[0] = want.v[1] = reductions[k].f == product_of;
      expect(g, graphs_apply(g, reductions[k].op, 1, &in, 1, &axis), &want);
      continue;
    }
    must_fail(AD_EINPUT, "nothing to reduce", ad_graph_apply(g, &out, op, 1, &in, 1, &axis, &graphs_error));
    must_fail(AD_EINPUT, "[2, 0]", ad_graph_apply(g, &out, op, 1, &in, 1, &axis, &graphs_error));
    axis.value = (int64_t[]){0}; /* no element, but nothing is reduced that is not there */
    tensor want = zeros(SHAPE(0));
    expect(g, graphs_apply(g, reductions[k].op, 1, &in, 1, &axis), &want);
  }
}
END_TEST

/* ---- Products */

static void check_matmul(ad_shape sx, ad_shape sy, ad_shape sz) {
  tensor x = integers(sx), y = integers(sy), z = zeros(sz);
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
    unravel(&mz, o, iz);
    for (int d = 0; d < mx.rank - 2; d++) ix[d] = mx.dim[d] == 1 ? 0 : iz[mz.rank - mx.rank + d];
    for (int d = 0; d < my.rank - 2; d++) iy[d] = my.dim[d] == 1 ? 0 : iz[mz.rank - my.rank + d];
    ix[mx.rank - 2] = iz[mz.rank - 2];
    iy[my.rank - 1] = iz[mz.rank - 1];
    for (int64_t k = 0; k < inner; k++) {
      ix[mx.rank - 1] = iy[my.rank - 2] = k;
      z.v[o] += x.v[position(&mx, ix)] * y.v[position(&my, iy)];
    }
  }
  ad_graph *g = graphs_new();
  ad_node a = put(g, "x", &x), b = put(g, "y", &y);
  expect(g, graphs_binary(g, "matmul", a, b), &z);
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
    tensor x = integers(SHAPE(n)), y = integers(SHAPE(n)), z = zeros(SCALAR);
    for (size_t i = 0; i < x.count; i++) z.v[0] += x.v[i] * y.v[i];
    ad_graph *g = graphs_new();
    ad_node a = put(g, "x", &x), b = put(g, "y", &y);
    expect(g, graphs_binary(g, "dot", a, b), &z);
  }
  tensor x = integers(SHAPE(3)), z = zeros(SCALAR); /* the same node twice */
  ad_graph *g = graphs_new();
  ad_node a = put(g, "x", &x);
  for (size_t i = 0; i < x.count; i++) z.v[0] += x.v[i] * x.v[i];
  expect(g, graphs_binary(g, "dot", a, a), &z);
}
END_TEST

/* ---- Moves */

static void check_transpose(ad_shape shape, const int64_t *perm, bool said, bool negative) {
  tensor x = integers(shape);
  ad_shape turned = {.rank = shape.rank};
  int64_t told[AD_MAX_RANK];
  for (int i = 0; i < shape.rank; i++) {
    turned.dim[i] = shape.dim[perm[i]];
    told[i] = negative ? perm[i] - shape.rank : perm[i];
  }
  tensor z = zeros(turned);
  for (size_t o = 0; o < z.count; o++) {
    int64_t iz[AD_MAX_RANK], ix[AD_MAX_RANK];
    unravel(&z.shape, o, iz);
    for (int i = 0; i < shape.rank; i++) ix[perm[i]] = iz[i];
    z.v[o] = x.v[position(&x.shape, ix)];
  }
  ad_graph *g = graphs_new();
  ad_node in = put(g, "x", &x);
  ad_attr attr = LIST_ATTR("perm", shape.rank, told);
  expect(g, graphs_apply(g, "transpose", 1, &in, said, &attr), &z);
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
  tensor x = integers(from), z = zeros(to);
  memcpy(z.v, x.v, sizeof z.v);
  ad_graph *g = graphs_new();
  ad_node in = put(g, "x", &x);
  ad_attr attr = LIST_ATTR("shape", told.rank, told.dim);
  expect(g, graphs_apply(g, "reshape", 1, &in, 1, &attr), &z);
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

/* Element o of a broadcast of x to `shape`. */
static double broadcast_at(const tensor *x, const ad_shape *shape, size_t o) {
  int64_t iz[AD_MAX_RANK], ix[AD_MAX_RANK];
  unravel(shape, o, iz);
  for (int d = 0; d < x->shape.rank; d++) ix[d] = x->shape.dim[d] == 1 ? 0 : iz[shape->rank - x->shape.rank + d];
  return x->v[position(&x->shape, ix)];
}

static void check_broadcast_to(ad_shape from, ad_shape to) {
  tensor x = integers(from), z = zeros(to);
  for (size_t o = 0; o < z.count; o++) z.v[o] = broadcast_at(&x, &z.shape, o);
  ad_graph *g = graphs_new();
  ad_node in = put(g, "x", &x);
  ad_attr attr = LIST_ATTR("shape", to.rank, to.dim);
  expect(g, graphs_apply(g, "broadcast_to", 1, &in, 1, &attr), &z);
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

/* Elementwise operations broadcast: every pair of shapes made from these, of three arguments. */
static void check_elementwise(ad_shape sc, ad_shape sx, ad_shape sy) {
  tensor c = integers(sc), x = integers(sx), y = integers(sy);
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
  tensor product = zeros(z), chosen = zeros(z);
  for (size_t o = 0; o < product.count; o++) {
    double cv = broadcast_at(&c, &z, o), xv = broadcast_at(&x, &z, o), yv = broadcast_at(&y, &z, o);
    product.v[o] = (cv - xv) * yv;
    chosen.v[o] = cv > 0 ? xv : yv;
  }
  ad_graph *g = graphs_new();
  ad_node nc = put(g, "c", &c), nx = put(g, "x", &x), ny = put(g, "y", &y);
  ad_node p = graphs_binary(g, "mul", graphs_binary(g, "sub", nc, nx), ny);
  ad_node w = graphs_apply(g, "where", NODES(graphs_binary(g, "greater", nc, graphs_constant(g, 0)), nx, ny), 0, NULL);
  expect_near(g, p, &product, 0);
  expect_near(g, w, &chosen, 0);
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
  tensor x = integers(SHAPE(N));
  for (int64_t start = -6; start <= 6; start++)
    for (int64_t stop = -6; stop <= 6; stop++)
      for (int64_t step = -5; step <= 5; step++) {
        int64_t picked[N];
        if (!step) continue;
        tensor z = zeros(SHAPE(python_slice(N, start, stop, step, picked)));
        for (size_t i = 0; i < z.count; i++) z.v[i] = x.v[picked[i]];
        ad_graph *g = graphs_new();
        ad_node in = put(g, "x", &x);
        ad_node out = graphs_apply(
            g, "slice", 1, &in, ATTRS(INTS_ATTR("start", start), INTS_ATTR("step", step), INTS_ATTR("stop", stop)));
        expect_near(g, out, &z, 0);
        /* The normalised attributes mean the same when they are read again. */
        ad_attr again[4];
        for (int k = 0; k < 4; k++) again[k] = ad_graph_node_attr(g, out, k);
        int64_t room[3][1] = {{again[0].value[0]}, {again[1].value[0]}, {again[2].value[0]}};
        for (int k = 0; k < 3; k++) again[k].value = room[k];
        expect_near(g, graphs_apply(g, "slice", 1, &in, 3, again), &z, 0);
        ad_graph_free(g);
      }
}
END_TEST

START_TEST(slice_of_several_axes) {
  tensor x = integers(SHAPE(3, 4, 2));
  for (int64_t step = -2; step <= 2; step++) {
    int64_t rows[4], count;
    if (!step) continue;
    count = step > 0 ? python_slice(4, 0, 4, step, rows) : python_slice(4, 3, -5, step, rows);
    ad_graph *g = graphs_new(); /* x[1, ::step, -1:] */
    ad_node in = put(g, "x", &x);
    tensor z = zeros(SHAPE(count, 1));
    for (size_t i = 0; i < z.count; i++) z.v[i] = x.v[position(&x.shape, (int64_t[]){1, rows[i], 1})];
    const int64_t first = step > 0 ? 0 : 3, end = step > 0 ? 4 : -5;
    expect(g,
           graphs_apply(g, "slice", 1, &in,
                        ATTRS(INTS_ATTR("start", 1, first, -1), INTS_ATTR("stop", 2, end, 2),
                              INTS_ATTR("step", 1, step, 1), INTS_ATTR("squeeze", -3))),
           &z);
  }
  ad_graph *g = graphs_new(); /* nothing said: all of it; all squeezed: a scalar */
  ad_node in = put(g, "x", &x);
  expect(g, graphs_apply(g, "slice", 1, &in, 0, NULL), &x);
  g = graphs_new();
  in = put(g, "x", &x);
  tensor one = zeros(SCALAR);
  one.v[0] = x.v[position(&x.shape, (int64_t[]){2, 3, 0})];
  expect(g,
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
  tensor z = zeros(sz);
  int64_t before = 0;
  for (size_t k = 0; k < count; k++) {
    char name[8];
    ad_shape part = shape;
    if (!stacks) part.dim[at] = sizes[k];
    x[k] = integers(part);
    snprintf(name, sizeof name, "x%zu", k);
    args[k] = put(g, name, &x[k]);
    for (size_t i = 0; i < x[k].count; i++) {
      int64_t ix[AD_MAX_RANK], iz[AD_MAX_RANK];
      unravel(&part, i, ix);
      for (int d = 0; d < sz.rank; d++) iz[d] = stacks ? d < at ? ix[d] : d == at ? (int64_t)k : ix[d - 1] : ix[d];
      if (!stacks) iz[at] += before;
      z.v[position(&sz, iz)] = x[k].v[i];
    }
    if (!stacks) before += sizes[k];
  }
  ad_attr attr = INT_ATTR("axis", axis);
  expect(g, graphs_apply(g, op, count, args, 1, &attr), &z);
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
  tensor x = integers(shape), t = zeros(table);
  ad_shape sz = {0};
  for (int i = 0; i < at; i++) sz.dim[sz.rank++] = shape.dim[i];
  for (int i = 0; i < table.rank; i++) sz.dim[sz.rank++] = table.dim[i];
  for (int i = (int)at + 1; i < shape.rank; i++) sz.dim[sz.rank++] = shape.dim[i];
  tensor picked = zeros(sz), updates = integers(sz), added = x;
  for (size_t o = 0; o < picked.count; o++) {
    int64_t iz[AD_MAX_RANK], ix[AD_MAX_RANK], it[AD_MAX_RANK];
    unravel(&sz, o, iz);
    for (int d = 0; d < at; d++) ix[d] = iz[d];
    for (int d = 0; d < table.rank; d++) it[d] = iz[at + d];
    for (int d = (int)at + 1; d < shape.rank; d++) ix[d] = iz[d - 1 + table.rank];
    int64_t i = index[position(&t.shape, it)];
    ix[at] = i < 0 ? i + shape.dim[at] : i;
    picked.v[o] = x.v[position(&shape, ix)];
    added.v[position(&shape, ix)] += updates.v[o];
  }
  ad_attr attrs[] = {{"indices", table, index}, INT_ATTR("axis", axis)};
  ad_graph *g = graphs_new();
  ad_node in = put(g, "x", &x);
  expect(g, graphs_apply(g, "gather", 1, &in, 2, attrs), &picked);
  g = graphs_new();
  in = put(g, "x", &x);
  ad_node more = put(g, "updates", &updates);
  expect(g, graphs_apply(g, "scatter_add", NODES(in, more), 2, attrs), &added);
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

/* ---- Along an axis */

static void check_along(const char *op, ad_shape shape, int64_t axis) {
  const int64_t at = axis < 0 ? axis + shape.rank : axis, n = shape.dim[at];
  tensor x = integers(shape), z = zeros(shape);
  for (size_t o = 0; o < x.count; o++) {
    int64_t index[AD_MAX_RANK];
    unravel(&shape, o, index);
    const int64_t here = index[at];
    long double sum = 0, all = 0, own = 0;
    for (int64_t i = 0; i < n; i++) {
      index[at] = i;
      double v = x.v[position(&shape, index)];
      all += expl(v);
      if (i == here) own = expl(v);
      if (i <= here) sum += v;
    }
    z.v[o] = (double)(strcmp(op, "cumsum") ? own / all : sum);
  }
  ad_graph *g = graphs_new();
  ad_node in = put(g, "x", &x);
  ad_attr attr = INT_ATTR("axis", axis);
  ad_node out = graphs_apply(g, op, 1, &in, 1, &attr);
  expect_near(g, out, &z, strcmp(op, "cumsum") ? 8 : 0);
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

int main(void) {
  Suite *s = suite_create("structured operations");
  TCase *t = tcase_create("values and derivatives");
  tcase_set_timeout(t, 600);
  tcase_add_loop_test(t, reductions_over_all_axes, 0, REDUCTIONS);
  tcase_add_test(t, reductions_of_nothing);
  tcase_add_test(t, matmul_as_numpy);
  tcase_add_test(t, dot_of_vectors);
  tcase_add_test(t, transpose_permutes);
  tcase_add_test(t, reshape_keeps_the_order);
  tcase_add_test(t, broadcast_to_repeats);
  tcase_add_test(t, elementwise_broadcasts);
  tcase_add_test(t, slice_as_python);
  tcase_add_test(t, slice_of_several_axes);
  tcase_add_test(t, concat_and_stack_join);
  tcase_add_test(t, gather_and_scatter_add);
  tcase_add_test(t, cumsum_and_softmax_along_an_axis);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
