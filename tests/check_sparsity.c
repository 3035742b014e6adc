/* Structures against what numbers do: where an input is NaN, exactly the outputs that depend on it are; where a second
 * difference in MPFR is not zero, two inputs have met.  Every operation alone, random graphs, and closed forms at 10^5
 * variables in little memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "derive/sets.h"
#include "exec/workspace.h"
#include "graphs.h"
#include "op_points.h"
#include "problems.h"
#include "random_graph.h"
#include "suite.h"

enum { LARGE = 100000 };

static bool has(const ad_sparsity *s, size_t row, size_t column) {
  for (size_t k = s->start[row]; k < s->start[row + 1]; k++)
    if (s->column[k] == column) return true;
  return false;
}

static void expect_sorted(const ad_sparsity *s) {
  for (size_t i = 0; i < s->rows; i++)
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++) {
      ck_assert_uint_lt(s->column[k], s->columns);
      if (k > s->start[i]) ck_assert_uint_lt(s->column[k - 1], s->column[k]);
    }
}

typedef struct structures {
  ad_program *p;
  ad_sparsity jacobian, hessian;
} structures;

static structures start(const ad_graph *g) {
  structures s;
  must(ad_program_new(&s.p, g, NULL, &graphs_error));
  must(ad_sparsity_jacobian(&s.jacobian, s.p, &graphs_error));
  must(ad_sparsity_hessian(&s.hessian, s.p, &graphs_error));
  expect_sorted(&s.jacobian);
  expect_sorted(&s.hessian);
  for (size_t i = 0; i < s.hessian.rows; i++)
    for (size_t k = s.hessian.start[i]; k < s.hessian.start[i + 1]; k++)
      ck_assert(has(&s.hessian, s.hessian.column[k], i));
  return s;
}

static void end(structures *s) {
  ad_program_free(s->p);
  ad_sparsity_clear(&s->jacobian);
  ad_sparsity_clear(&s->hessian);
}

static size_t size_of(const ad_graph *g, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(g, n));
}

/* ---- Sets */

static void check_sets(uint32_t bound) {
  enum { BOUND = 200, SETS = 3000 };
  ulps_random r = {ulps_seed()};
  ad_sets s;
  must(ad_sets_open(&s, bound, 1 << 17, 1 << 24, &graphs_error));
  uint32_t *set = calloc(SETS, sizeof *set);
  bool(*member)[BOUND] = calloc(SETS, sizeof *member);
  for (uint32_t i = 1; i <= bound; i++) set[i] = i, member[i][i - 1] = true;
  for (size_t i = bound + 1; i < SETS; i++) {
    const size_t recent = i < 20 ? i : 20;
    const size_t a = ulps_random_bits(&r) % 4 ? i - 1 - ulps_random_bits(&r) % recent : ulps_random_bits(&r) % i,
                 b = ulps_random_bits(&r) % (ulps_random_bits(&r) % 2 ? i : bound);
    must(ad_sets_unite(&s, &set[i], set[a], set[b], &graphs_error));
    for (size_t k = 0; k < bound; k++) member[i][k] = member[a][k] || member[b][k];
  }
  for (size_t i = 0; i < SETS; i++) {
    const uint32_t *m;
    size_t n, at = 0;
    must(ad_sets_members(&s, set[i], &m, &n, &graphs_error));
    for (uint32_t k = 0; k < bound; k++)
      if (member[i][k]) {
        ck_assert_uint_lt(at, n);
        ck_assert_uint_eq(m[at++], k);
      }
    ck_assert_uint_eq(at, n);
  }
  free(set);
  free(member);
  ad_sets_close(&s);
}

START_TEST(sets) {
  check_sets(200);
  check_sets(64); /* words */
}
END_TEST

/* ---- Numbers: which outputs a NaN reaches, and second differences */

enum { BITS = 900, STEP = 300, ZERO = 200 };

/* d^2 (sum of weighted outputs) in MPFR: entry (i, j) of `hessian` is whether it is more than 2^-ZERO. */
static void second_differences(const ad_graph *g, const ad_program *p, bool *hessian) {
  ad_workspace *w;
  const size_t n = (size_t)ad_program_wrt_size(p);
  must(ad_workspace_new(&w, p, ad_backend_find("mpfr"), &(ad_workspace_options){.precision = BITS, .reverse = true},
                        &graphs_error));
  __mpfr_struct *above = malloc((n + 1) * sizeof *above);
  for (size_t i = 0; i < n; i++) mpfr_init2(&above[i], BITS);
  mpfr_t x, d;
  mpfr_inits2(BITS, x, d, (mpfr_ptr)0);
  size_t column = 0;
  for (size_t k = 0; k < ad_program_wrt_count(p); k++)
    for (size_t e = 0; e < size_of(g, ad_program_wrt(p, k)); e++, column++) {
      for (int side = 1; side >= -1; side -= 2) {
        mpfr_ptr at = (__mpfr_struct *)ad_workspace_input_data(w, ad_program_wrt(p, k)) + e;
        if (side > 0) mpfr_set(x, at, MPFR_RNDN);
        mpfr_set_si_2exp(at, side, -STEP, MPFR_RNDN);
        mpfr_add(at, at, x, MPFR_RNDN);
        must(ad_workspace_primal(w, &graphs_error));
        ad_workspace_clear_seeds(w);
        double weight = 1;
        for (size_t o = 0; o < ad_program_output_count(p); o++)
          for (size_t i = 0; i < size_of(g, ad_program_output(p, o)); i++, weight = weight * 1.25 - (weight > 4) * 4.5)
            must(ad_workspace_seed_adjoint(w, ad_program_output(p, o), i, weight, &graphs_error));
        must(ad_workspace_reverse(w, &graphs_error));
        for (size_t l = 0, row = 0; l < ad_program_wrt_count(p); l++) {
          const ad_span a = ad_workspace_adjoint(w, ad_program_wrt(p, l));
          for (size_t i = 0; i < a.count; i++, row++) {
            if (side > 0) {
              mpfr_set(&above[row], (const __mpfr_struct *)a.data + i, MPFR_RNDN);
              continue;
            }
            mpfr_sub(d, &above[row], (const __mpfr_struct *)a.data + i, MPFR_RNDN);
            mpfr_mul_2si(d, d, STEP - 1, MPFR_RNDN);
            hessian[row * n + column] = mpfr_number_p(d) && !mpfr_zero_p(d) && mpfr_get_exp(d) > -ZERO;
          }
        }
        mpfr_set(at, x, MPFR_RNDN);
      }
    }
  mpfr_clears(x, d, (mpfr_ptr)0);
  for (size_t i = 0; i < n; i++) mpfr_clear(&above[i]);
  free(above);
  ad_workspace_free(w);
}

static void expect_nan_probes(const ad_graph *g, const structures *s, uint64_t seed) {
  ad_workspace *w;
  ad_point *point;
  must(ad_workspace_new(&w, s->p, ad_backend_find("tape"), NULL, &graphs_error));
  must(ad_point_new(&point, g, &graphs_error));
  size_t column = 0;
  for (size_t k = 0; k < ad_program_wrt_count(s->p); k++) {
    const ad_node x = ad_program_wrt(s->p, k);
    for (size_t e = 0; e < size_of(g, x); e++, column++) {
      must(ad_workspace_set_point(w, point, &graphs_error));
      ((double *)ad_workspace_input_data(w, x))[e] = NAN;
      must(ad_workspace_primal(w, &graphs_error));
      for (size_t o = 0, row = 0; o < ad_program_output_count(s->p); o++) {
        const ad_span v = ad_workspace_value(w, ad_program_output(s->p, o));
        for (size_t i = 0; i < v.count; i++, row++)
          ck_assert_msg(isnan(ad_span_double(&v, i)) == has(&s->jacobian, row, column),
                        "row %zu %s column %zu, but not so in the structure, graph %llu", row,
                        isnan(ad_span_double(&v, i)) ? "depends on" : "does not depend on", column,
                        (unsigned long long)seed);
      }
    }
  }
  ad_point_free(point);
  ad_workspace_free(w);
}

/* exactly: in both directions; else numbers may be zero where the structure is not. */
static void expect_differences(const ad_graph *g, const structures *s, bool exactly, const char *what) {
  const size_t n = s->hessian.rows;
  bool *h = calloc(n * n + 1, 1);
  second_differences(g, s->p, h);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      ck_assert_msg(!h[i * n + j] || has(&s->hessian, i, j), "%s: (%zu, %zu) is missing in the Hessian", what, i, j);
      if (exactly) ck_assert_msg(h[i * n + j] || !has(&s->hessian, i, j), "%s: (%zu, %zu) is always zero", what, i, j);
    }
  free(h);
}

/* ---- Operations alone */

/* Each elementwise operation: an entry for just those arguments by which the derivative, or the second one, is not zero
 * at one of many points. */
START_TEST(elementwise) {
  for (ad_op op = 0; op < ad_op_count(); op++) {
    const ad_op_info *info = ad_op_get(op);
    if (info->cls != AD_CLASS_ELEMENT) continue;
    op_points points = op_points_ordinary(info, 20);
    const size_t n = points.nargs, shift = !strncmp(info->arg_names, "n,", 2); /* no derivative by an order */
    bool first[3] = {false}, second[9] = {false};
    for (size_t i = 0; i < points.count; i++) {
      ad_graph *g = graphs_new();
      ad_node args[3], z;
      if (!strcmp(info->name, "where") && i % 2) points.arg[0][i] = 0; /* which no ordinary number is */
      static const char *const names[] = {"x", "y", "w"};
      for (size_t k = shift; k < n; k++) args[k] = graphs_input(g, names[k], SCALAR, &points.arg[k][i], 1);
      if (shift) args[0] = graphs_constant(g, points.arg[0][i]);
      z = graphs_apply(g, info->name, n, args, 0, NULL);
      must(ad_graph_output(g, "z", z, &graphs_error));
      structures s = start(g);
      const size_t m = n - shift;
      bool h[9];
      second_differences(g, s.p, h);
      for (size_t k = 0; k < m * m; k++) second[k] = second[k] || h[k];
      for (size_t k = 0; k < m; k++) {
        const double d = graphs_derivative(g, "mpfr", z, 0, args[k + shift], 0);
        first[k] = first[k] || (isfinite(d) && d != 0);
      }
      for (size_t a = 0; i + 1 == points.count && a < m; a++) {
        ck_assert_msg(first[a] == has(&s.jacobian, 0, a), "%s: argument %zu", info->name, a);
        for (size_t b = 0; b < m; b++)
          ck_assert_msg(second[a * m + b] == has(&s.hessian, a, b), "%s: second derivative by %zu and %zu is %szero",
                        info->name, a, b, second[a * m + b] ? "not " : "");
      }
      end(&s);
      ad_graph_free(g);
    }
    op_points_free(&points);
  }
}
END_TEST

static void expect_structures(ad_graph *g, ad_node z, const char *what) {
  must(ad_graph_output(g, "z", z, &graphs_error));
  structures s = start(g);
  expect_nan_probes(g, &s, 0);
  expect_differences(g, &s, true, what);
  end(&s);
  ad_graph_free(g);
}

static ad_node elements(ad_graph *g, const char *name, ad_shape shape) {
  double v[64];
  const size_t n = (size_t)ad_shape_size(&shape);
  for (size_t i = 0; i < n; i++) v[i] = 0.5 + (double)((i * 29) % 17) / 8;
  return graphs_input(g, name, shape, v, n);
}

/* The structured operations that are not linear, and linear ones on products, so that something meets. */
START_TEST(structured) {
  static const char *const along[] = {"logsumexp", "softmax", "prod"};
  for (size_t k = 0; k < 3; k++)
    for (int64_t axis = 0; axis < 2; axis++) {
      ad_graph *g = graphs_new();
      const ad_node x = elements(g, "x", SHAPE(3, 4));
      const ad_attr a = k == 1 ? INT_ATTR("axis", axis) : LIST_ATTR("axis", 1, &axis);
      expect_structures(g, graphs_apply(g, along[k], NODES(x), 1, &a), along[k]);
    }
  ad_graph *g = graphs_new();
  ad_node x = elements(g, "x", SHAPE(2, 3)), y = elements(g, "y", SHAPE(3, 2));
  expect_structures(g, graphs_binary(g, "matmul", x, y), "matmul");
  g = graphs_new();
  x = elements(g, "x", SHAPE(2, 2));
  expect_structures(g, graphs_binary(g, "matmul", x, x), "matmul of one matrix with itself");
  g = graphs_new(); /* one element of a product: only what it is made of */
  x = elements(g, "x", SHAPE(2, 3)), y = elements(g, "y", SHAPE(3, 2));
  ad_node z = graphs_binary(g, "matmul", x, y);
  z = graphs_apply(g, "slice", NODES(z),
                   ATTRS(INTS_ATTR("start", 0, 1), INTS_ATTR("stop", 1, 2), INTS_ATTR("step", 1, 1)));
  expect_structures(g, z, "one element of matmul");
  g = graphs_new(); /* moves of what has met */
  x = elements(g, "x", SHAPE(2, 3));
  z = graphs_apply(g, "transpose", NODES(graphs_unary(g, "sqr", x)), 0, NULL);
  z = graphs_apply(g, "gather", NODES(z), ATTRS(INTS_ATTR("indices", 2, 0, 0)));
  z = graphs_binary(g, "mul", z, graphs_apply(g, "reshape", NODES(x), ATTRS(INTS_ATTR("shape", 3, 2))));
  z = graphs_apply(g, "cumsum", NODES(z), ATTRS(INT_ATTR("axis", 0)));
  expect_structures(g, z, "moves");
  g = graphs_new(); /* dead ends: what no output depends on, or by a step only, meets nothing */
  x = elements(g, "x", SHAPE(3));
  const ad_node product = graphs_apply(g, "prod", NODES(x), 0, NULL);
  z = graphs_apply(g, "where", NODES(graphs_unary(g, "floor", product), x, graphs_unary(g, "sqr", x)), 0, NULL);
  must(ad_graph_output(g, "z", z, &graphs_error));
  structures s = start(g);
  ck_assert_uint_eq(s.jacobian.start[3], 3);
  ck_assert_uint_eq(s.hessian.start[3], 3);
  end(&s);
  ad_graph_free(g);
}
END_TEST

/* ---- Random graphs */

/* Operations that a NaN passes though no derivative does, or that may swallow it. */
static bool fits_probes(const ad_graph *g) {
  static const char *const out[] = {
      "sign",  "floor",     "ceil",  "trunc",      "round", "less",  "less_equal", "greater",     "greater_equal",
      "equal", "not_equal", "where", "leaky_relu", "pow",   "xlogy", "mul_no_nan", "mul_or_zero", "matmul_no_nan"};
  for (ad_node n = 0; n < ad_graph_node_count(g); n++)
    for (size_t k = 0; k < sizeof out / sizeof out[0]; k++)
      if (!strcmp(ad_op_get(ad_graph_node_op(g, n))->name, out[k])) return false;
  return true;
}

static void expect_shifted(const ad_sparsity *s, const ad_sparsity *wide, size_t rows, size_t columns) {
  ck_assert_uint_eq(wide->rows, s->rows + rows);
  ck_assert_uint_eq(wide->start[rows], 0);
  for (size_t i = 0; i <= s->rows; i++) ck_assert_uint_eq(wide->start[rows + i], s->start[i]);
  for (size_t k = 0; k < s->start[s->rows]; k++) ck_assert_uint_eq(wide->column[k], s->column[k] + columns);
}

/* More than 64 inputs, whose sets are no words, say the same. */
static void expect_the_same_wider(const ad_graph *g, const structures *s) {
  enum { MORE = 65 };
  ad_graph *w = random_graph_wider(g, MORE);
  structures wide = start(w);
  expect_shifted(&s->jacobian, &wide.jacobian, 0, MORE);
  expect_shifted(&s->hessian, &wide.hessian, MORE, MORE);
  end(&wide);
  ad_graph_free(w);
}

static void check_random(bool tensors) {
  size_t *used = calloc(ad_op_count(), sizeof *used), probed = 0;
  uint64_t seed = ulps_seed() + 500;
  const double graphs = 150 * ulps_multiplier(), least = 5 * ulps_multiplier();
  for (double i = 0; i < graphs || ((double)probed <= least && i < 150); i++) {
    random_graph r = random_graph_new(++seed, 4 + (size_t)i % 12, tensors, used);
    structures s = start(r.g);
    char what[40];
    snprintf(what, sizeof what, "graph %llu", (unsigned long long)seed);
    if (fits_probes(r.g)) {
      expect_nan_probes(r.g, &s, seed);
      probed++;
    }
    if (i < 40) expect_differences(r.g, &s, false, what);
    expect_the_same_wider(r.g, &s);
    end(&s);
    random_graph_free(&r);
  }
  ck_assert_double_gt((double)probed, least);
  free(used);
}

START_TEST(random_scalars) {
  check_random(false);
}
END_TEST

START_TEST(random_tensors) {
  check_random(true);
}
END_TEST

/* A chain of large elementwise operations runs fused, in strips; its structure is a diagonal. */
START_TEST(fused) {
  enum { N = 20000 };
  ad_graph *g = graphs_new();
  ad_node x = graphs_input(g, "x", SHAPE(N), (const double[]){0.5}, 1), z = x;
  for (int i = 0; i < 5; i++) z = graphs_unary(g, "tanh", graphs_binary(g, "mul", z, z));
  must(ad_graph_output(g, "z", z, &graphs_error));
  structures s = start(g);
  ck_assert_uint_eq(s.jacobian.start[N], N);
  ck_assert_uint_eq(s.hessian.start[N], N);
  for (size_t i = 0; i < N; i++) ck_assert(has(&s.jacobian, i, i) && has(&s.hessian, i, i));
  ad_jacobian *j;
  for (ad_mode mode = AD_MODE_FORWARD; mode <= AD_MODE_REVERSE; mode++) {
    must(ad_jacobian_new(&j, s.p, NULL, &(ad_jacobian_options){.mode = mode, .sparse = true}, &graphs_error));
    must(ad_jacobian_run(j, &graphs_error));
    ck_assert_uint_eq(ad_jacobian_get_plan(j).tangents + ad_jacobian_get_plan(j).adjoints, 1);
    const ad_span v = ad_jacobian_values(j);
    double want = 1, at = 0.5;
    for (int i = 0; i < 5; i++) want *= 2 * at / pow(cosh(at * at), 2), at = tanh(at * at);
    for (size_t i = 0; i < N; i++) ck_assert_double_eq_tol(ad_span_double(&v, i), want, 1e-14 * want);
    ad_jacobian_free(j);
  }
  end(&s);
  ad_graph_free(g);
}
END_TEST

/* ---- Closed forms */

static void expect_tridiagonal(const ad_sparsity *s) {
  for (size_t i = 0; i < s->rows; i++) {
    const size_t first = i ? i - 1 : 0, last = i + 1 < s->rows ? i + 1 : i;
    ck_assert_uint_eq(s->start[i + 1] - s->start[i], last - first + 1);
    ck_assert_uint_eq(s->column[s->start[i]], first);
  }
}

static void expect_symmetric_colours(const ad_sparsity *s, uint32_t star, uint32_t acyclic) {
  ad_colouring c;
  must(ad_colour(&c, s, AD_COLOUR_STAR, &graphs_error));
  ck_assert_uint_eq(c.column_colours, star);
  ad_colouring_clear(&c);
  must(ad_colour(&c, s, AD_COLOUR_ACYCLIC, &graphs_error));
  ck_assert_uint_eq(c.column_colours, acyclic);
  ad_colouring_clear(&c);
}

START_TEST(closed_forms) {
  ad_graph *g = problems_rosenbrock(LARGE);
  structures s = start(g);
  expect_tridiagonal(&s.hessian);
  expect_symmetric_colours(&s.hessian, 3, 2);
  ck_assert_uint_eq(s.jacobian.start[1], LARGE);
  end(&s);
  ad_graph_free(g);

  g = problems_broyden(LARGE); /* each output bends in one variable only */
  s = start(g);
  expect_tridiagonal(&s.jacobian);
  ck_assert_uint_eq(s.hessian.start[LARGE], LARGE);
  end(&s);
  ad_graph_free(g);

  g = problems_arrowhead(LARGE);
  s = start(g);
  ck_assert_uint_eq(s.jacobian.start[LARGE], 3 * LARGE - 2);
  ck_assert_uint_eq(s.hessian.start[LARGE], 3 * LARGE - 2);
  ck_assert_uint_eq(s.hessian.start[1], LARGE);
  expect_symmetric_colours(&s.hessian, 2, 2);
  end(&s);
  ad_graph_free(g);

  enum { SIDE = 200 };
  g = problems_minimal_surface(SIDE); /* all neighbours of a point, diagonal ones too */
  s = start(g);
  for (size_t i = 0; i < SIDE * SIDE; i++) {
    const size_t across = (i % SIDE > 0) + (i % SIDE + 1 < SIDE) + 1,
                 along = (i / SIDE > 0) + (i / SIDE + 1 < SIDE) + 1;
    ck_assert_uint_eq(s.hessian.start[i + 1] - s.hessian.start[i], across * along);
  }
  end(&s);
  ad_graph_free(g);
}
END_TEST

static ad_graph *limited(uint64_t bytes) {
  ad_graph *g;
  must(ad_graph_new(&g, &(ad_limits){.max_bytes = bytes}, &graphs_error));
  return g;
}

/* x[t+1] = tanh(x[t] + u[t]) and the sum of all x[t]^2: the sets grow to n, one by one, in memory linear in n. */
START_TEST(chains) {
  ad_graph *g = limited(64 << 20);
  ad_node u;
  must(ad_graph_input(g, &u, &(ad_input_spec){.name = "u", .shape = SHAPE(LARGE)}, &graphs_error));
  ad_node x = graphs_constant(g, 0), sum = x;
  for (int64_t t = 0; t < LARGE; t++) {
    const ad_node ut = graphs_apply(
        g, "slice", NODES(u),
        ATTRS(INTS_ATTR("start", t), INTS_ATTR("stop", t + 1), INTS_ATTR("step", 1), INTS_ATTR("squeeze", 0)));
    x = graphs_unary(g, "tanh", graphs_binary(g, "add", x, ut));
    sum = graphs_binary(g, "add", sum, graphs_unary(g, "sqr", x));
  }
  must(ad_graph_output(g, "f", sum, &graphs_error));
  ad_program *p;
  ad_sparsity s;
  must(ad_program_new(&p, g, NULL, &graphs_error));
  must(ad_sparsity_jacobian(&s, p, &graphs_error));
  ck_assert_uint_eq(s.start[1], LARGE);
  for (size_t i = 0; i < LARGE; i++) ck_assert_uint_eq(s.column[i], i);
  ad_sparsity_clear(&s);
  must_fail(AD_ELIMIT, "sparsity structure", ad_sparsity_hessian(&s, p, &graphs_error)); /* dense: 10^10 */
  ad_program_free(p);
  ad_graph_free(g);
}
END_TEST

static ad_program *program_of(const ad_graph *g) {
  ad_program *p;
  must(ad_program_new(&p, g, NULL, &graphs_error));
  return p;
}

/* Each element of sin(x) * sum(x) meets all: a full matrix. */
static ad_graph *meeting(int64_t n, uint64_t bytes) {
  ad_graph *g = limited(bytes);
  ad_node x;
  must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = SHAPE(n)}, &graphs_error));
  const ad_node all = graphs_unary(g, "sum", x);
  const ad_node z = graphs_binary(g, "mul", graphs_unary(g, "sin", x), all);
  must(ad_graph_output(g, "f", graphs_unary(g, "sum", z), &graphs_error));
  return g;
}

/* Where nearly all entries count, that is said before as many of them were looked at. */
START_TEST(dense) {
  ad_graph *g = meeting(70, 64 << 20);
  structures s = start(g);
  ck_assert_uint_eq(s.hessian.start[70], 70 * 70);
  end(&s);
  ad_graph_free(g);

  ad_sparsity full, none; /* the sum of x^3 for a matrix x: one row, by way of many large sets */
  ad_node x;
  g = limited((uint64_t)16 << 30);
  must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = SHAPE(60, 60)}, &graphs_error));
  const ad_node cube = graphs_binary(g, "matmul", graphs_binary(g, "matmul", x, x), x);
  must(ad_graph_output(g, "y", graphs_unary(g, "sum", cube), &graphs_error));
  ad_program *p = program_of(g);
  must(ad_sparsity_jacobian(&full, p, &graphs_error));
  ck_assert_uint_eq(full.start[1], 60 * 60);
  ad_sparsity_clear(&full);
  ad_program_free(p);
  ad_graph_free(g);

  g = meeting(60000, (uint64_t)1 << 30);
  p = program_of(g);
  must_fail(AD_ELIMIT, "--max-memory", ad_sparsity_hessian(&none, p, &graphs_error));
  ad_program_free(p);
  ad_graph_free(g);

  g = limited(64 << 20); /* a matrix by itself: 128^2 rows of 255 entries, which memory has room for */
  must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = SHAPE(128, 128)}, &graphs_error));
  must(ad_graph_output(g, "y", graphs_binary(g, "matmul", x, x), &graphs_error));
  p = program_of(g);
  must_fail(AD_ELIMIT, "too much work", ad_sparsity_jacobian(&none, p, &graphs_error));
  ad_program_free(p);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("sparsity");
  TCase *t = tcase_create("structures");
  tcase_set_timeout(t, 300 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, sets);
  tcase_add_test(t, elementwise);
  tcase_add_test(t, structured);
  tcase_add_test(t, random_scalars);
  tcase_add_test(t, random_tensors);
  tcase_add_test(t, fused);
  tcase_add_test(t, closed_forms);
  tcase_add_test(t, chains);
  tcase_add_test(t, dense);
  suite_add_tcase(s, t);
  return suite_run(s);
}
