/* Instruction sets against each other: AVX2 and AVX-512 give the same bits, all others are within twice an operation's
 * bounds.  What the machine lacks is not compared. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/lanes.h"
#include "graphs.h"
#include "op_points.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

enum { BLOCK = 512 };

static bool has(const char *simd) {
  graphs_use_simd(simd);
  const ad_lanes *lanes = ad_lanes_choose();
  return lanes && !strcmp(lanes->name, simd);
}

static bool same(double a, double b) {
  return (isnan(a) && isnan(b)) || !memcmp(&a, &b, sizeof a);
}

/* Numbers of one run, one behind the other. */
typedef struct numbers {
  size_t count, capacity;
  double *v;
} numbers;

static void append(numbers *n, ad_span s, size_t count) {
  ck_assert_uint_ge(s.count, count);
  if (n->count + count > n->capacity) {
    n->capacity = 2 * n->capacity + count;
    n->v = realloc(n->v, n->capacity * sizeof *n->v);
    ck_assert_ptr_nonnull(n->v);
  }
  for (size_t i = 0; i < count; i++) n->v[n->count++] = ad_span_double(&s, i);
}

static void expect_same(numbers *a, numbers *b, const char *what) {
  ck_assert_uint_eq(a->count, b->count);
  for (size_t i = 0; i < a->count; i++)
    ck_assert_msg(same(a->v[i], b->v[i]), "number %zu of %zu of %s: %a and %a", i, a->count, what, a->v[i], b->v[i]);
  free(a->v);
  free(b->v);
}

/* ---- Elementwise operations */

static ad_graph *graph_of(const ad_op_info *info, const op_points *p, size_t count, ad_node *z) {
  static const char *const names[] = {"x", "y", "w"};
  ad_graph *g = graphs_new();
  ad_node args[3];
  for (size_t k = 0; k < p->nargs; k++)
    args[k] = graphs_input(g, names[k], count ? SHAPE((int64_t)count) : SCALAR, p->arg[k], count ? count : 1);
  *z = graphs_apply(g, info->name, p->nargs, args, 0, NULL);
  must(ad_graph_output(g, "z", *z, &graphs_error));
  return g;
}

/* Values, then each argument's partials, of all points in one tensor. */
static numbers by_tensor(const ad_op_info *info, const op_points *p, const char *simd, bool forward) {
  ad_node z;
  graphs_use_simd(simd);
  ad_graph *g = graph_of(info, p, p->count, &z);
  graphs_run r = graphs_start(g, forward ? "dual" : "tape",
                              (ad_workspace_options){.directions = forward ? 3 : 0, .reverse = !forward});
  numbers out = {0};
  append(&out, ad_workspace_value(r.w, z), p->count);
  for (size_t i = 0; i < p->count; i++) {
    for (uint32_t k = 0; forward && k < p->nargs; k++) must(ad_workspace_seed_tangent(r.w, k, k, i, 1, &graphs_error));
    if (!forward) must(ad_workspace_seed_adjoint(r.w, z, i, 1, &graphs_error));
  }
  must(forward ? ad_workspace_forward(r.w, &graphs_error) : ad_workspace_reverse(r.w, &graphs_error));
  for (uint32_t k = 0; k < p->nargs; k++)
    append(&out, forward ? ad_workspace_tangent(r.w, k, z) : ad_workspace_adjoint(r.w, k), p->count);
  graphs_end(&r);
  ad_graph_free(g);
  return out;
}

/* The same by reverse mode of a scalar graph, in blocks of points. */
static numbers by_blocks(const ad_op_info *info, const op_points *p, const char *simd) {
  ad_node z;
  graphs_use_simd(simd);
  ad_graph *g = graph_of(info, p, 0, &z);
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .points = BLOCK});
  numbers out = {0};
  for (size_t at = 0; at < p->count; at += BLOCK) {
    const size_t n = p->count - at < BLOCK ? p->count - at : BLOCK;
    for (uint32_t k = 0; k < p->nargs; k++) must(ad_workspace_set_points(r.w, k, p->arg[k] + at, 1, n, &graphs_error));
    must(ad_workspace_primal(r.w, &graphs_error));
    append(&out, ad_workspace_value(r.w, z), n);
    ad_workspace_clear_seeds(r.w);
    must(ad_workspace_seed_adjoint(r.w, z, 0, 1, &graphs_error));
    must(ad_workspace_reverse(r.w, &graphs_error));
    for (uint32_t k = 0; k < p->nargs; k++) append(&out, ad_workspace_adjoint(r.w, k), n);
  }
  graphs_end(&r);
  ad_graph_free(g);
  return out;
}

START_TEST(elements_have_the_same_bits) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT || !has("avx2") || !has("avx512")) return;
  op_points p = op_points_everywhere(info);
  for (int forward = 0; forward < 2; forward++) {
    numbers a = by_tensor(info, &p, "avx2", forward), b = by_tensor(info, &p, "avx512", forward);
    expect_same(&a, &b, info->name);
  }
  numbers a = by_blocks(info, &p, "avx2"), b = by_blocks(info, &p, "avx512");
  expect_same(&a, &b, info->name);
  op_points_free(&p);
}
END_TEST

/* In ulps of the larger; infinities stand for 2^1024. */
static double apart(double a, double b) {
  if (same(a, b) || a == b) return 0;
  if (isnan(a) || isnan(b)) return INFINITY;
  int e;
  const double most = fmax(fabs(a), fabs(b));
  frexp(fmin(most, DBL_MAX), &e);
  const double ulp = ldexp(1, (e < DBL_MIN_EXP ? DBL_MIN_EXP : e) - DBL_MANT_DIG);
  const double x = isinf(a) ? copysign(DBL_MAX, a) : a, y = isinf(b) ? copysign(DBL_MAX, b) : b;
  return fabs(x - y) / ulp + (isinf(a) || isinf(b)); /* no more than two ulps overflow where both are huge */
}

static void note_unbounded(void *context, ad_node n, size_t element, unsigned flags) {
  (void)n;
  if (flags & (AD_OUTSIDE | AD_MADE_NAN)) ((bool *)context)[element] = false;
}

/* Where the bounds for partials are in ulps of the partial: inside the domain, nothing subnormal. */
static bool *bounded_points(const ad_op_info *info, const op_points *p) {
  ad_node z;
  ad_graph *g = graph_of(info, p, p->count, &z);
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){0});
  bool *bounded = malloc(p->count * sizeof *bounded);
  const ad_span value = ad_workspace_value(r.w, z);
  for (size_t i = 0; i < p->count; i++) {
    bounded[i] = !(fabs(ad_span_double(&value, i)) < DBL_MIN);
    for (size_t k = 0; k < p->nargs; k++)
      bounded[i] = bounded[i] && !(p->arg[k][i] != 0 && fabs(p->arg[k][i]) < DBL_MIN);
  }
  ad_workspace_diagnose(r.w, note_unbounded, bounded);
  graphs_end(&r);
  ad_graph_free(g);
  return bounded;
}

START_TEST(elements_within_twice_the_bounds) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT || !has("avx2")) return;
  static const char *const others[] = {"none", "sse2"};
  op_points p = op_points_everywhere(info);
  bool *bounded = bounded_points(info, &p);
  numbers best = by_tensor(info, &p, "avx2", true);
  for (size_t s = 0; s < 2; s++) {
    numbers other = by_tensor(info, &p, others[s], true);
    double worst[2] = {0};
    for (size_t i = 0; i < best.count; i++) {
      const bool partial = i >= p.count;
      if (partial && !bounded[i % p.count]) continue;
      const double off = apart(best.v[i], other.v[i]), bound = 2 * (partial ? info->partial_ulps : info->value_ulps);
      ck_assert_msg(off <= bound, "%s of %s(%a, %a): %a in avx2, %a in %s: %g ulps, the bound is %g",
                    partial ? "a partial" : "the value", info->name, p.arg[0][i % p.count],
                    p.nargs > 1 ? p.arg[1][i % p.count] : 0, best.v[i], other.v[i], others[s], off, bound);
      worst[partial] = fmax(worst[partial], off);
    }
    if (getenv("ADTOOL_TEST_VERBOSE"))
      printf("%s: avx2 and %s differ by at most %g ulps, partials by %g\n", info->name, others[s], worst[0], worst[1]);
    free(other.v);
  }
  free(best.v);
  free(bounded);
  op_points_free(&p);
}
END_TEST

/* ---- Structured operations: values, and the adjoints of all arguments for weights of their own */

static numbers structured(const char *op, const int64_t *shape, int rank, int64_t axis, size_t nargs, bool forward,
                          const char *simd) {
  graphs_use_simd(simd);
  ulps_random random = {ulps_seed()};
  ad_graph *g = graphs_new();
  ad_node args[2];
  for (size_t k = 0; k < nargs; k++) {
    int64_t dim[2] = {shape[0], shape[1]};
    if (k && rank == 2) dim[0] = shape[1], dim[1] = shape[0];
    const size_t count = (size_t)(dim[0] * (rank == 2 ? dim[1] : 1));
    double *v = malloc(count * sizeof *v);
    for (size_t i = 0; i < count; i++) v[i] = ulps_random_uniform(&random, -2, 2);
    args[k] = graphs_input(g, k ? "y" : "x", graphs_shape(rank, dim), v, count);
    free(v);
  }
  const bool along = !strcmp(op, "softmax") || !strcmp(op, "cumsum");
  ad_attr attr = along ? INT_ATTR("axis", axis) : INTS_ATTR("axis", axis);
  const ad_node z = graphs_apply(g, op, nargs, args, nargs == 1, &attr);
  must(ad_graph_output(g, "z", z, &graphs_error));
  const size_t count = (size_t)ad_shape_size(ad_graph_node_shape(g, z));
  graphs_run r =
      graphs_start(g, forward ? "dual" : "tape", (ad_workspace_options){.directions = forward, .reverse = !forward});
  numbers out = {0};
  append(&out, ad_workspace_value(r.w, z), count);
  if (forward) {
    for (ad_node k = 0; k < nargs; k++)
      for (size_t i = 0; i < (size_t)ad_shape_size(ad_graph_node_shape(g, k)); i++)
        must(ad_workspace_seed_tangent(r.w, 0, k, i, ulps_random_uniform(&random, -1, 1), &graphs_error));
    must(ad_workspace_forward(r.w, &graphs_error));
    append(&out, ad_workspace_tangent(r.w, 0, z), count);
  } else {
    for (size_t i = 0; i < count; i++)
      must(ad_workspace_seed_adjoint(r.w, z, i, ulps_random_uniform(&random, -1, 1), &graphs_error));
    must(ad_workspace_reverse(r.w, &graphs_error));
    for (ad_node k = 0; k < nargs; k++)
      append(&out, ad_workspace_adjoint(r.w, k), (size_t)ad_shape_size(ad_graph_node_shape(g, k)));
  }
  graphs_end(&r);
  ad_graph_free(g);
  return out;
}

static const struct {
  const char *op;
  size_t nargs;
} structured_ops[] = {{"sum", 1},       {"mean", 1},    {"prod", 1},   {"reduce_max", 1}, {"reduce_min", 1},
                      {"logsumexp", 1}, {"softmax", 1}, {"cumsum", 1}, {"matmul", 2},     {"dot", 2}};
enum { STRUCTURED = sizeof structured_ops / sizeof *structured_ops };

START_TEST(structured_have_the_same_bits) {
  if (!has("avx2") || !has("avx512")) return;
  static const int64_t sizes[] = {1, 2, 3, 5, 8, 13, 31, 64, 200, 1031};
  enum { SIZES = sizeof sizes / sizeof *sizes };
  const char *op = structured_ops[_i].op;
  const size_t nargs = structured_ops[_i].nargs;
  for (size_t a = 0; a < SIZES; a++)
    for (size_t b = 0; b < SIZES; b++)
      for (int forward = 0; forward < 2; forward++)
        for (int64_t axis = 0; axis < (nargs == 1 ? 2 : 1); axis++) {
          const int64_t shape[] = {sizes[a], sizes[b]};
          const int rank = !strcmp(op, "dot") ? 1 : 2;
          if (shape[0] * shape[1] > 20000 || (rank == 1 && b)) continue;
          numbers x = structured(op, shape, rank, axis, nargs, forward, "avx2");
          numbers y = structured(op, shape, rank, axis, nargs, forward, "avx512");
          char what[100];
          snprintf(what, sizeof what, "%s of %d x %d, axis %d, %s", op, (int)shape[0], (int)shape[1], (int)axis,
                   forward ? "dual" : "tape");
          expect_same(&x, &y, what);
        }
}
END_TEST

/* ---- Whole graphs, in blocks of points: values of all nodes and the gradient of the first output */

static numbers whole(const ad_graph *g, uint64_t seed, const char *simd, uint32_t points) {
  graphs_use_simd(simd);
  ulps_random random = {seed};
  graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .points = points});
  const ad_node inputs = (ad_node)ad_graph_input_count(g), nodes = (ad_node)ad_graph_node_count(g);
  for (ad_node n = 0; n < inputs; n++) {
    const ad_values v = ad_graph_node_values(g, n);
    const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(g, n));
    double *rows = malloc((size * points + 1) * sizeof *rows);
    for (size_t i = 0; i < size * points; i++)
      rows[i] = v.value[v.count == 1 ? 0 : i % size] * ulps_random_uniform(&random, 0.99, 1.01);
    must(ad_workspace_set_points(r.w, n, rows, size, points, &graphs_error));
    free(rows);
  }
  must(ad_workspace_primal(r.w, &graphs_error));
  numbers out = {0};
  for (ad_node n = 0; n < nodes; n++) {
    const ad_span s = ad_workspace_value(r.w, n);
    append(&out, s, s.count);
  }
  must(ad_workspace_seed_adjoint(r.w, ad_graph_output_node(g, 0), 0, 1, &graphs_error));
  must(ad_workspace_reverse(r.w, &graphs_error));
  for (ad_node n = 0; n < inputs; n++) {
    const ad_span s = ad_workspace_adjoint(r.w, n);
    append(&out, s, s.count);
  }
  graphs_end(&r);
  return out;
}

START_TEST(graphs_have_the_same_bits) {
  if (!has("avx2") || !has("avx512")) return;
  size_t *used = calloc(ad_op_count(), sizeof *used);
  const uint32_t points[] = {1, 7, 64, 200};
  for (uint64_t i = 0; i < (uint64_t)(6 * ulps_multiplier()); i++) {
    const uint64_t seed = ulps_seed() + 100 * i + (uint64_t)_i;
    random_graph r = random_graph_new(seed, i < 4 ? 60 : 400, _i, used);
    for (size_t k = 0; k < sizeof points / sizeof *points; k++) {
      numbers a = whole(r.g, seed, "avx2", points[k]), b = whole(r.g, seed, "avx512", points[k]);
      char what[100];
      snprintf(what, sizeof what, "graph %llu at %u points", (unsigned long long)seed, (unsigned)points[k]);
      expect_same(&a, &b, what);
    }
    random_graph_free(&r);
  }
  free(used);
}
END_TEST

int main(void) {
  if (!has("avx2") || !has("avx512")) puts("skipped: AVX2 beside AVX-512, which this machine or build lacks");
  Suite *s = suite_create("instruction sets");
  TCase *t = tcase_create("against each other");
  tcase_set_timeout(t, 600);
  tcase_add_loop_test(t, elements_have_the_same_bits, 0, (int)ad_op_count());
  tcase_add_loop_test(t, elements_within_twice_the_bounds, 0, (int)ad_op_count());
  tcase_add_loop_test(t, structured_have_the_same_bits, 0, STRUCTURED);
  tcase_add_loop_test(t, graphs_have_the_same_bits, 0, 2);
  suite_add_tcase(s, t);
  return suite_run(s);
}
