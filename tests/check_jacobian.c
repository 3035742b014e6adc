/* Jacobians by every plan: against closed forms, at 10^5 variables with the number of colours that is known to be
 * least, and where zeros must not multiply infinities.  tests/graphs.c compares all plans wherever another suite
 * differentiates a small graph; random graphs are here. */
#include <math.h>
#include <stdlib.h>

#include "graphs.h"
#include "problems.h"
#include "random_graph.h"
#include "suite.h"

enum { LARGE = 100000 };

typedef struct run {
  ad_program *p;
  ad_jacobian *j;
  ad_jacobian_plan plan;
  ad_span v;
  const ad_sparsity *s;
} run;

static run start(const ad_graph *g, ad_jacobian_options o) {
  run r;
  must(ad_program_new(&r.p, g, NULL, &graphs_error));
  must(ad_jacobian_new(&r.j, r.p, NULL, &o, &graphs_error));
  must(ad_jacobian_run(r.j, &graphs_error));
  r.plan = ad_jacobian_get_plan(r.j);
  r.v = ad_jacobian_values(r.j);
  r.s = ad_jacobian_sparsity(r.j);
  return r;
}

static void end(run *r) {
  ad_jacobian_free(r->j);
  ad_program_free(r->p);
}

/* The entry, 0 where the structure has none. */
static double at(const run *r, size_t row, size_t column) {
  if (!r->s) return ad_span_double(&r->v, row * r->plan.columns + column);
  for (size_t k = r->s->start[row]; k < r->s->start[row + 1]; k++)
    if (r->s->column[k] == column) return ad_span_double(&r->v, k);
  return 0;
}

static void check_broyden(size_t n, ad_jacobian_options o) {
  ad_graph *g = problems_broyden(n);
  run r = start(g, o);
  ck_assert_uint_eq(r.plan.rows, n);
  ck_assert_uint_eq(r.plan.columns, n);
  if (r.s) ck_assert_uint_eq(r.v.count, n == 1 ? 1 : 3 * n - 2);
  for (size_t i = 0; i < n; i++) {
    ck_assert_double_eq(at(&r, i, i), 3 - 4 * problems_x(i));
    if (i) ck_assert_double_eq(at(&r, i, i - 1), -1);
    if (i + 1 < n) ck_assert_double_eq(at(&r, i, i + 1), -2);
    if (i + 2 < n) ck_assert_double_eq(at(&r, i, i + 2), 0);
  }
  if (n >= 3 && r.plan.compressed) ck_assert_uint_eq(r.plan.tangents + r.plan.adjoints, 3);
  if (n == LARGE) ck_assert(r.plan.compressed);
  end(&r);
  ad_graph_free(g);
}

START_TEST(broyden) {
  static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 40, LARGE};
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
    for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
      for (int sparse = 0; sparse < 2; sparse++)
        if (sparse || sizes[k] < 1000) check_broyden(sizes[k], (ad_jacobian_options){.mode = mode, .sparse = sparse});
}
END_TEST

START_TEST(rosenbrock) {
  ad_graph *g = problems_rosenbrock_residuals(LARGE);
  run r = start(g, (ad_jacobian_options){.sparse = true});
  ck_assert_uint_eq(r.plan.tangents, 2);
  ck_assert_uint_eq(r.plan.adjoints, 0);
  ck_assert_uint_eq(r.v.count, 3 * (LARGE - 1));
  for (size_t i = 0; i + 1 < LARGE; i++) {
    ck_assert_double_eq(at(&r, 2 * i, i), -20 * problems_x(i));
    ck_assert_double_eq(at(&r, 2 * i, i + 1), 10);
    ck_assert_double_eq(at(&r, 2 * i + 1, i), -1);
  }
  end(&r);
  ad_graph_free(g);
}
END_TEST

/* A dense row and a dense column want both modes: one adjoint for the row, two tangents for the rest. */
START_TEST(arrowhead) {
  static const size_t sizes[] = {50, LARGE};
  for (size_t k = 0; k < 2; k++) {
    const size_t n = sizes[k];
    ad_graph *g = problems_arrowhead(n);
    run r = start(g, (ad_jacobian_options){.sparse = true});
    ck_assert_uint_eq(r.plan.adjoints + r.plan.tangents, 3);
    ck_assert_uint_gt(r.plan.adjoints, 0);
    ck_assert_uint_eq(r.v.count, 3 * n - 2);
    for (size_t i = 0; i < n; i++) {
      ck_assert_double_eq(ad_span_double(&r.v, i), 2 * problems_x(i));
      if (!i) continue;
      ck_assert_double_eq(at(&r, i, 0), problems_x(i));
      ck_assert_double_eq(at(&r, i, i), problems_x(0));
    }
    end(&r);
    ad_graph_free(g);
  }
}
END_TEST

/* A backend says how to compute, not in which mode: four columns and 50 rows are four tangents, sparse or not. */
START_TEST(backends_leave_the_mode) {
  ad_graph *g = graphs_new();
  ad_jacobian *j;
  ad_program *p;
  ad_node x[4], f[50];
  for (size_t i = 0; i < 4; i++)
    x[i] = graphs_input(g, (const char[2]){(char)('a' + i)}, SCALAR, (const double[]){0.5 + (double)i}, 1);
  for (size_t i = 0; i < 50; i++) f[i] = graphs_binary(g, "mul", x[i % 4], x[(i / 4) % 4]);
  must(ad_graph_output(g, "f", graphs_apply(g, "stack", 50, f, 0, NULL), &graphs_error));
  must(ad_program_new(&p, g, NULL, &graphs_error));
  for (size_t b = 0; b <= ad_backend_count(); b++)
    for (int sparse = 0; sparse < 2; sparse++) {
      const ad_jacobian_options o = {.sparse = sparse};
      must(ad_jacobian_new(&j, p, ad_backend_get(b), &o, &graphs_error)); /* the last is none */
      ck_assert_uint_eq(ad_jacobian_get_plan(j).tangents, 4);
      ck_assert_uint_eq(ad_jacobian_get_plan(j).adjoints, 0);
      ad_jacobian_free(j);
    }
  const ad_jacobian_options o = {.mode = AD_MODE_REVERSE};
  must(ad_jacobian_new(&j, p, ad_backend_find("tape"), &o, &graphs_error));
  ck_assert_uint_eq(ad_jacobian_get_plan(j).tangents, 0);
  ck_assert_uint_gt(ad_jacobian_get_plan(j).adjoints, 4);
  ad_jacobian_free(j);
  must_fail(AD_EUSAGE, "no reverse mode", ad_jacobian_new(&j, p, ad_backend_find("dual"), &o, &graphs_error));
  ad_program_free(p);
  ad_graph_free(g);
}
END_TEST

/* One row of four times as many columns as it has: adjoints are cheaper than tangents, and the other way round. */
START_TEST(cheaper_mode) {
  ad_graph *g = problems_minimal_surface(8);
  run r = start(g, (ad_jacobian_options){0});
  ck_assert_uint_eq(r.plan.adjoints, 1);
  ck_assert_uint_eq(r.plan.tangents, 0);
  end(&r);
  must_fail(AD_EUSAGE, "no forward mode",
            ad_jacobian_new(&r.j, r.p, ad_backend_find("tape"), &(ad_jacobian_options){.mode = AD_MODE_FORWARD},
                            &graphs_error));
  ad_graph_free(g);
  g = graphs_new();
  const ad_node x = graphs_input(g, "x", SCALAR, (const double[]){0.5}, 1);
  ad_node f[40];
  for (size_t i = 0; i < 40; i++) f[i] = graphs_binary(g, "mul", graphs_constant(g, (double)i), x);
  must(ad_graph_output(g, "f", graphs_apply(g, "stack", 40, f, 0, NULL), &graphs_error));
  r = start(g, (ad_jacobian_options){0});
  ck_assert_uint_eq(r.plan.adjoints, 0);
  ck_assert_uint_eq(r.plan.tangents, 1);
  for (size_t i = 0; i < 40; i++) ck_assert_double_eq(at(&r, i, 0), (double)i);
  end(&r);
  ad_graph_free(g);
}
END_TEST

/* sqrt'(0) is infinite and goes into its own columns only; a branch not taken is 0 whatever it holds. */
START_TEST(infinities) {
  ad_graph *g = graphs_new();
  const ad_node x = graphs_input(g, "x", SHAPE(3), (const double[]){0, 2, 3}, 3);
  ad_node e[3];
  for (int64_t i = 0; i < 3; i++)
    e[i] = graphs_apply(
        g, "slice", NODES(x),
        ATTRS(INTS_ATTR("start", i), INTS_ATTR("stop", i + 1), INTS_ATTR("step", 1), INTS_ATTR("squeeze", 0)));
  const ad_node root = graphs_unary(g, "sqrt", e[0]);
  const ad_node branch = graphs_apply(g, "where", NODES(e[1], e[2], root), 0, NULL);
  const ad_node f[] = {graphs_binary(g, "add", root, graphs_binary(g, "mul", e[1], e[2])), branch,
                       graphs_binary(g, "max", graphs_binary(g, "mul", e[1], e[1]), root)};
  must(ad_graph_output(g, "f", graphs_apply(g, "stack", 3, f, 0, NULL), &graphs_error));
  must(ad_graph_output(g, "t", graphs_unary(g, "sqrt", x), &graphs_error));
  static const double want[6][3] = {
      {INFINITY, 3, 2},           {0, 0, 1}, {0, 4, 0}, {INFINITY, 0, 0}, {0, 0.35355339059327373, 0},
      {0, 0, 0.28867513459481287}};
  for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
    for (int sparse = 0; sparse < 2; sparse++) {
      run r = start(g, (ad_jacobian_options){.mode = mode, .sparse = sparse});
      for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 3; k++)
          ck_assert_msg(fabs(at(&r, i, k) - want[i][k]) <= 1e-16 || at(&r, i, k) == want[i][k],
                        "mode %d, sparse %d: entry (%zu, %zu) is %g", (int)mode, sparse, i, k, at(&r, i, k));
      end(&r);
    }
  graphs_check_derivatives(g, 4);
  ad_graph_free(g);
}
END_TEST

/* Outputs that are inputs, constants, one another; none at all. */
START_TEST(odd_outputs) {
  ad_graph *g = graphs_new();
  const ad_node x = graphs_input(g, "x", SHAPE(2), (const double[]){1, 2}, 2), c = graphs_constant(g, 5);
  must(ad_graph_output(g, "x", x, &graphs_error));
  must(ad_graph_output(g, "c", c, &graphs_error));
  must(ad_graph_output(g, "again", x, &graphs_error));
  must(ad_graph_output(g, "step", graphs_unary(g, "floor", x), &graphs_error));
  for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
    for (int sparse = 0; sparse < 2; sparse++) {
      run r = start(g, (ad_jacobian_options){.mode = mode, .sparse = sparse});
      ck_assert_uint_eq(r.plan.rows, 7);
      if (sparse) ck_assert_uint_eq(r.v.count, 4);
      for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 2; k++)
          ck_assert_double_eq(at(&r, i, k), (i < 2 && i == k) || (i > 2 && i < 5 && i - 3 == k));
      end(&r);
    }
  ad_graph_free(g);
  g = graphs_new();
  must(ad_graph_output(g, "c", graphs_constant(g, 5), &graphs_error));
  run r = start(g, (ad_jacobian_options){.sparse = true});
  ck_assert_uint_eq(r.plan.columns, 0);
  ck_assert_uint_eq(r.v.count, 0);
  end(&r);
  ad_graph_free(g);
}
END_TEST

START_TEST(limits) {
  ad_graph *g;
  ad_node x;
  const ad_limits few = {.max_bytes = 1 << 20};
  must(ad_graph_new(&g, &few, &graphs_error));
  must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = SHAPE(2000)}, &graphs_error));
  must(ad_graph_output(g, "f", graphs_apply(g, "cumsum", NODES(x), 0, NULL), &graphs_error));
  ad_program *p;
  ad_jacobian *j;
  must(ad_program_new(&p, g, NULL, &graphs_error));
  must_fail(AD_ELIMIT, "MiB", ad_jacobian_new(&j, p, NULL, NULL, &graphs_error));
  must_fail(AD_ELIMIT, "--max-memory",
            ad_jacobian_new(&j, p, NULL, &(ad_jacobian_options){.sparse = true}, &graphs_error));
  ad_program_free(p);
  ad_graph_free(g);
}
END_TEST

/* All plans agree where rounding is no matter: in MPFR to 280 bits; in double as far as the graph keeps digits, which
 * tests/check_random.c measures, and here only the plans are compared. */
static void check_random(bool tensors) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  uint64_t seed = ulps_seed() + 77;
  for (double i = 0; i < 40 * ulps_multiplier(); i++) {
    random_graph r = random_graph_new(++seed, i < 30 ? 12 : 60, tensors, used);
    graphs_check_derivatives(r.g, 1e6);
    random_graph_free(&r);
  }
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

int main(void) {
  Suite *s = suite_create("jacobian");
  TCase *t = tcase_create("plans");
  tcase_set_timeout(t, 300 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, broyden);
  tcase_add_test(t, rosenbrock);
  tcase_add_test(t, arrowhead);
  tcase_add_test(t, cheaper_mode);
  tcase_add_test(t, backends_leave_the_mode);
  tcase_add_test(t, infinities);
  tcase_add_test(t, odd_outputs);
  tcase_add_test(t, limits);
  tcase_add_test(t, random_scalars);
  tcase_add_test(t, random_tensors);
  suite_add_tcase(s, t);
  return suite_run(s);
}
