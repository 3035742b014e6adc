/* Inputs to differentiate by in any order: Jacobians, gradients, Hessians and their products, derivatives as graphs and
 * rows of batches have the numbers that they have without one, in the order that is asked for, under the names that say
 * so. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/plan.h"
#include "graphs.h"
#include "mem.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

#define ERR (&graphs_error)
enum { OPERATIONS = 12, MOST_INPUTS = 8, GRAPHS = 40 };

/* A choice of inputs, and of each of their elements its number among those of all inputs. */
typedef struct choice {
  const ad_graph *g;
  size_t inputs, count, all; /* chosen, their elements, and those of all inputs */
  ad_node wrt[MOST_INPUTS];
  size_t *number;
} choice;

static size_t size_of(const ad_graph *g, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(g, n));
}

static choice choose(const ad_graph *g, ulps_random *random) {
  choice c = {.g = g};
  const size_t inputs = ad_graph_input_count(g);
  size_t first[MOST_INPUTS];
  ck_assert_uint_le(inputs, MOST_INPUTS);
  for (ad_node i = 0; i < inputs; i++) {
    first[i] = c.all;
    c.all += size_of(g, i);
    const size_t at = ulps_random_bits(random) % (c.inputs + 1);
    if (i && ulps_random_bits(random) % 4 == 0) continue;
    c.wrt[c.inputs++] = c.wrt[at];
    c.wrt[at] = i;
  }
  c.number = malloc((c.all + 1) * sizeof *c.number);
  for (size_t i = 0; i < c.inputs; i++)
    for (size_t k = 0; k < size_of(g, c.wrt[i]); k++) c.number[c.count++] = first[c.wrt[i]] + k;
  return c;
}

/* ---- Numbers */

static double *doubles(ad_span s) {
  double *v = malloc((s.count + 1) * sizeof *v);
  for (size_t i = 0; i < s.count; i++) v[i] = ad_span_double(&s, i);
  return v;
}

static double largest(const double *v, size_t n) {
  double m = 1;
  for (size_t i = 0; i < n; i++)
    if (fabs(v[i]) > m && isfinite(v[i])) m = fabs(v[i]);
  return m;
}

static void expect_near(const char *what, double got, double want, double scale) {
  ck_assert_msg(fabs(got - want) <= 1e-9 * scale || (isnan(got) && isnan(want)) || got == want, "%s: %.17g, not %.17g",
                what, got, want);
}

/* Spreads the entries of a structure over a matrix. */
static double *spread(const double *entry, const ad_sparsity *s) {
  double *v = calloc(s->rows * s->columns + 1, sizeof *v);
  for (size_t i = 0; i < s->rows; i++)
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++) v[i * s->columns + s->column[k]] = entry[k];
  return v;
}

/* ---- The derivatives without a choice */

typedef struct reference {
  double *jacobian, *hessian; /* of all outputs, of the first one */
  size_t rows;
} reference;

static double *jacobian_of(const ad_graph *g, size_t count, const ad_node *wrt, ad_mode mode, bool sparse,
                           size_t *rows) {
  ad_program *p;
  ad_jacobian *j;
  must(ad_program_new(&p, g, &(ad_program_options){.wrt_count = count, .wrt = wrt, .outputs_only = true}, ERR));
  for (size_t i = 0; i < count; i++) ck_assert_uint_eq(ad_program_wrt(p, i), wrt[i]);
  must(ad_jacobian_new(&j, p, NULL, &(ad_jacobian_options){.mode = mode, .sparse = sparse}, ERR));
  must(ad_jacobian_run(j, ERR));
  *rows = ad_jacobian_get_plan(j).rows;
  double *v = doubles(ad_jacobian_values(j));
  if (sparse) {
    double *all = spread(v, ad_jacobian_sparsity(j));
    free(v);
    v = all;
  }
  ad_jacobian_free(j);
  ad_program_free(p);
  return v;
}

static ad_hessian *hessian_of(const ad_graph *g, size_t count, const ad_node *wrt, ad_mode mode, bool sparse) {
  static const size_t first;
  ad_hessian *h;
  const ad_hessian_options o = {
      .of = {.output_count = 1, .output = &first, .wrt_count = count, .wrt = wrt}, .mode = mode, .sparse = sparse};
  must(ad_hessian_new(&h, g, NULL, &o, ERR));
  for (size_t i = 0; i < count; i++) ck_assert_uint_eq(ad_hessian_wrt(h, i), wrt[i]);
  must(ad_hessian_run(h, ERR));
  return h;
}

static reference derive(const ad_graph *g) {
  reference r;
  r.jacobian = jacobian_of(g, 0, NULL, AD_MODE_DEFAULT, false, &r.rows);
  ad_hessian *h = hessian_of(g, 0, NULL, AD_MODE_DEFAULT, false);
  r.hessian = doubles(ad_hessian_values(h));
  ad_hessian_free(h);
  return r;
}

/* ---- Against it */

static void check_jacobians(const choice *c, const reference *r) {
  const double scale = largest(r->jacobian, r->rows * c->all);
  for (int k = 0; k < 6; k++) {
    size_t rows;
    double *v = jacobian_of(c->g, c->inputs, c->wrt, (ad_mode)(k % 3), k / 3, &rows);
    ck_assert_uint_eq(rows, r->rows);
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < c->count; j++)
        expect_near("jacobian", v[i * c->count + j], r->jacobian[i * c->all + c->number[j]], scale);
    free(v);
  }
}

static void check_hessians(const choice *c, const reference *r, ulps_random *random) {
  const double scale = largest(r->hessian, c->all * c->all);
  double *seed = malloc((c->count + 1) * sizeof *seed);
  for (size_t i = 0; i < c->count; i++) seed[i] = (double)(ulps_random_bits(random) % 7) - 3;
  for (int k = 0; k < 4; k++) {
    ad_hessian *h = hessian_of(c->g, c->inputs, c->wrt, k % 2 ? AD_MODE_FORWARD : AD_MODE_REVERSE, k / 2);
    double *v = doubles(ad_hessian_values(h));
    ck_assert_uint_eq(ad_hessian_size(h), c->count);
    if (k / 2) {
      double *all = spread(v, ad_hessian_sparsity(h));
      free(v);
      v = all;
    }
    for (size_t i = 0; i < c->count; i++)
      for (size_t j = 0; j < c->count; j++)
        expect_near("hessian", v[i * c->count + j], r->hessian[c->number[i] * c->all + c->number[j]], scale);
    for (size_t i = 0, at = 0; i < c->inputs; i++) {
      const ad_span d = ad_hessian_gradient(h, i);
      ck_assert_uint_eq(d.count, size_of(c->g, c->wrt[i]));
      for (size_t j = 0; j < d.count; j++)
        expect_near("gradient", ad_span_double(&d, j), r->jacobian[c->number[at++]], largest(r->jacobian, c->all));
    }
    free(v);
    if (k / 2) {
      ad_hessian_free(h);
      continue;
    }
    must(ad_hessian_products(h, seed, 1, ERR));
    v = doubles(ad_hessian_values(h));
    for (size_t i = 0; i < c->count; i++) {
      double want = 0;
      for (size_t j = 0; j < c->count; j++) want += seed[j] * r->hessian[c->number[i] * c->all + c->number[j]];
      expect_near("product", v[i], want, scale * 3 * (double)c->count);
    }
    free(v);
    ad_hessian_free(h);
  }
  free(seed);
}

/* Values of an output of a derivative's graph. */
static double *output_of(const ad_graph *g, size_t i, const char *name) {
  ck_assert_str_eq(ad_graph_output_name(g, i), name);
  graphs_run run = graphs_start(g, "tape", (ad_workspace_options){0});
  double *v = doubles(ad_workspace_value(run.w, ad_graph_output_node(g, i)));
  graphs_end(&run);
  return v;
}

static void fill(ad_graph *g, ad_node input, const double *value) {
  ad_numbers *n = ad_numbers_new();
  for (size_t i = 0; i < size_of(g, input); i++) must(ad_numbers_push_double(n, value[i], ERR));
  must(ad_graph_set_input_value(g, input, n, AD_EXACT, ERR));
  ad_numbers_free(n);
}

static void check_graphs(const choice *c, const reference *r) {
  static const size_t first;
  const ad_derivative_request q = {.output_count = 1, .output = &first, .wrt_count = c->inputs, .wrt = c->wrt};
  const double one = 1, scale = largest(r->jacobian, r->rows * c->all);
  ad_graph *d[2], *jvp;
  must(ad_graph_gradient(&d[0], c->g, &q, ERR));
  must(ad_graph_vjp(&d[1], c->g, &q, ERR));
  fill(d[1], (ad_node)ad_graph_input_count(c->g), &one);
  for (int k = 0; k < 2; k++) {
    ck_assert_uint_eq(ad_graph_output_count(d[k]), 1 + c->inputs);
    for (size_t i = 0, at = 0; i < c->inputs; i++) {
      char name[64];
      snprintf(name, sizeof name, k ? "adjoint.%s" : "grad.%s", ad_graph_node_name(c->g, c->wrt[i]));
      double *v = output_of(d[k], 1 + i, name);
      for (size_t j = 0; j < size_of(c->g, c->wrt[i]); j++)
        expect_near(name, v[j], r->jacobian[c->number[at++]], scale);
      free(v);
    }
    ad_graph_free(d[k]);
  }
  must(ad_graph_jvp(&jvp, c->g, &q, ERR));
  double *direction = malloc((c->count + 1) * sizeof *direction), want = 0;
  for (size_t j = 0; j < c->count; j++) {
    direction[j] = (double)(j % 5) - 1;
    want += direction[j] * r->jacobian[c->number[j]];
  }
  for (size_t i = 0, at = 0; i < c->inputs; i++) {
    char name[64];
    const ad_node seed = (ad_node)(ad_graph_input_count(c->g) + i);
    snprintf(name, sizeof name, "tangent.%s", ad_graph_node_name(c->g, c->wrt[i]));
    ck_assert_str_eq(ad_graph_node_name(jvp, seed), name);
    fill(jvp, seed, direction + at);
    at += size_of(c->g, c->wrt[i]);
  }
  double *v = output_of(jvp, 1, "tangent.f");
  expect_near("tangent", v[0], want, scale * 3 * (double)c->count);
  free(v);
  free(direction);
  ad_graph_free(jvp);
}

/* One row at the graph's own values. */
static double *row_of(ad_batch_plan **p, const ad_graph *g, ad_batch_task task, size_t count, const ad_node *wrt) {
  static const size_t output[] = {0, 1, 2}, element[] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
  const ad_batch_options o = {.task = task,
                              .output_count = task == AD_BATCH_JAC ? 3 : 1,
                              .output = output,
                              .element = element,
                              .wrt_count = count,
                              .wrt = wrt};
  bool given[MOST_INPUTS] = {false};
  double none = 0;
  ad_batch_worker *w;
  must(ad_batch_plan_new(p, g, NULL, &o, given, ERR));
  must(ad_batch_worker_new(&w, *p, ERR));
  double *row = malloc(((*p)->width + 1) * (*p)->points * sizeof *row);
  must(ad_batch_work(w, &none, 1, row, ERR));
  ad_batch_worker_free(w);
  return row;
}

static char *column_name(const ad_batch_plan *p, size_t i) {
  ad_buffer b = {0};
  ad_batch_column(&b, p, i);
  ck_assert(!b.failed);
  return b.data;
}

static void check_rows(const choice *c) {
  static const ad_batch_task tasks[] = {AD_BATCH_GRAD, AD_BATCH_JAC, AD_BATCH_HESS};
  for (size_t t = 0; t < 3; t++) {
    ad_batch_plan *a, *b;
    double *want = row_of(&a, c->g, tasks[t], 0, NULL), *got = row_of(&b, c->g, tasks[t], c->inputs, c->wrt);
    const double scale = largest(want, a->width);
    char **names = malloc((a->width + 1) * sizeof *names);
    for (size_t i = 0; i < a->width; i++) names[i] = column_name(a, i);
    for (size_t i = 0, k = 0; i < b->width; i++) {
      char *name = column_name(b, i);
      size_t tried = 0;
      for (; strcmp(names[k], name); k = (k + 1) % a->width) ck_assert_uint_lt(tried++, a->width);
      expect_near(name, got[i], want[k], scale);
      ad_free(name);
    }
    for (size_t i = 0; i < a->width; i++) ad_free(names[i]);
    free(names);
    free(want);
    free(got);
    ad_batch_plan_free(a);
    ad_batch_plan_free(b);
  }
}

START_TEST(any_order) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  random_graph r = random_graph_new(ulps_seed() + 3000 + (uint64_t)_i, OPERATIONS, _i % 2, used);
  reference want = derive(r.g);
  choice c = choose(r.g, &r.random);
  check_jacobians(&c, &want);
  check_hessians(&c, &want, &r.random);
  check_graphs(&c, &want);
  check_rows(&c);
  free(c.number);
  free(want.jacobian);
  free(want.hessian);
  random_graph_free(&r);
  free(used);
}
END_TEST

/* f = x y^2 at (2, 3), by y, x. */
START_TEST(last_comes_first) {
  ad_graph *g = graphs_new();
  const ad_node x = graphs_input(g, "x", SCALAR, &(double){2}, 1), y = graphs_input(g, "y", SCALAR, &(double){3}, 1);
  must(ad_graph_output(g, "f", graphs_binary(g, "mul", x, graphs_unary(g, "sqr", y)), ERR));
  const ad_node order[] = {y, x}, twice[] = {y, x, y};
  static const double want[] = {18, 12, 9, 4, 6, 6, 0};
  static const char *const names[] = {"f", "df/dy", "df/dx", "d2f/dydy", "d2f/dydx", "d2f/dxdy", "d2f/dxdx"};
  ad_batch_plan *p;
  double *row = row_of(&p, g, AD_BATCH_HESS, 2, order);
  for (size_t i = 0; i < 7; i++) {
    char *name = column_name(p, i);
    ck_assert_str_eq(name, names[i]);
    ck_assert_double_eq(row[i], want[i]);
    ad_free(name);
  }
  free(row);
  ad_batch_plan_free(p);
  ad_hessian *h;
  ad_graph *d;
  ad_program *program;
  const ad_derivative_request q = {.wrt_count = 3, .wrt = twice};
  must_fail(AD_EUSAGE, "named twice", ad_hessian_new(&h, g, NULL, &(ad_hessian_options){.of = q}, ERR));
  must_fail(AD_EUSAGE, "named twice", ad_graph_gradient(&d, g, &q, ERR));
  must_fail(AD_EUSAGE, "named twice", ad_graph_vjp(&d, g, &q, ERR));
  must_fail(AD_EUSAGE, "named twice", ad_graph_jvp(&d, g, &q, ERR));
  must_fail(AD_EUSAGE, "named twice",
            ad_program_new(&program, g, &(ad_program_options){.wrt_count = 3, .wrt = twice}, ERR));
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("order of inputs");
  TCase *t = tcase_create("order");
  tcase_set_timeout(t, 600);
  tcase_add_test(t, last_comes_first);
  tcase_add_loop_test(t, any_order, 0, (int)(GRAPHS * (ulps_multiplier() < 1 ? 0.5 : 1)));
  suite_add_tcase(s, t);
  return suite_run(s);
}
