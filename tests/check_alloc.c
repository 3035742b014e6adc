/* Memory that runs out while graphs are built, evaluated and differentiated: in the end nothing is left allocated, and
 * what comes out is what comes out when memory never fails.  And a second evaluation allocates nothing. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "derive/colour.h"
#include "exec/program.h"
#include "exec/workspace.h"
#include "failing.h"
#include "suite.h"
#include "team.h"

START_TEST(building) {
  ad_graph *g = failing_graph();
  ck_assert_uint_gt(heap.alive, 20); /* the count counts */
  static const char *const texts[] = {"1/3"};
  ad_numbers *n = failing_numbers(texts, 1);
  ck_assert_str_eq(ad_numbers_text(n, 0), "1/3");
  ad_numbers_free(n);
  ck_assert_str_eq(ad_graph_meta_text(g, 0), "somebody else");
  ck_assert_str_eq(ad_graph_node_name(g, ad_graph_find_node(g, "node 39")), "node 39");
  ck_assert_uint_eq(ad_graph_find_output(g, "output 39"), 41);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

static double number(ad_span s, size_t i) {
  ck_assert_uint_lt(i, s.count);
  return ad_span_double(&s, i);
}

START_TEST(evaluating) {
  ad_graph *g = failing_graph();
  const ad_node x = 0, s = 1, loss = ad_graph_output_node(g, 0);
  double gradient[3];
  for (size_t b = 0; b < ad_backend_count(); b++) {
    const ad_backend *backend = ad_backend_get(b);
    ad_point *point;
    ad_program *p;
    ad_workspace *w;
    INSIST(ad_point_new(&point, g, &err));
    INSIST(ad_point_set_double(point, s, (const double[]){0.3}, 1, &err));
    INSIST(ad_point_set_text(point, "s", "0.7", &err));
    INSIST(ad_program_new(&p, g, &(ad_program_options){.keep_all = true}, &err));
    INSIST(ad_workspace_new(&w, p, backend, &(ad_workspace_options){.directions = 2, .reverse = true}, &err));
    INSIST(ad_workspace_set_point(w, point, &err));
    INSIST(ad_workspace_primal(w, &err));
    INSIST(ad_workspace_run_gradient(w, &(ad_gradient_request){.output = loss}, &err));
    gradient[b] = number(ad_workspace_gradient(w, x), 4);
    ck_assert(isfinite(gradient[b]) && gradient[b] != 0);
    if (b) ck_assert_double_eq_tol(gradient[b], gradient[0], 1e-14 * fabs(gradient[0]));
    ad_workspace_free(w);
    if (ad_backend_kind(backend) == AD_KIND_F64) {
      INSIST(ad_workspace_new(&w, p, backend, &(ad_workspace_options){.reverse = true, .points = 3}, &err));
      INSIST(ad_workspace_set_point(w, point, &err));
      INSIST(ad_workspace_primal(w, &err));
      ad_workspace_free(w);
    }
    ad_program_free(p);
    ad_point_free(point);
  }
  ad_graph_free(g);
  nothing_left();
}
END_TEST

static ad_node some_input(ad_graph *g, const char *name, ad_shape shape) {
  ad_node n;
  ad_numbers *value = ad_numbers_new();
  ck_assert(value && ad_numbers_push_double(value, 0.7, &err) == AD_OK);
  ck_assert_int_eq(ad_graph_input(g, &n, &(ad_input_spec){.name = name, .shape = shape, .value = value}, &err), AD_OK);
  ad_numbers_free(value);
  return n;
}

static ad_node some_op(ad_graph *g, const char *op, ad_node x, ad_node y) {
  ad_node n;
  const ad_op id = ad_op_find(op);
  ck_assert_int_eq(ad_graph_apply(g, &n, id, (size_t)ad_op_get(id)->min_args, (const ad_node[]){x, y}, 0, NULL, &err),
                   AD_OK);
  return n;
}

/* Scalars side by side and one by one, tensors one by one and, where `large`, fused, and structured operations. */
static ad_graph *every_block(bool large) {
  ad_graph *g;
  ck_assert_int_eq(ad_graph_new(&g, NULL, &err), AD_OK);
  const ad_node s = some_input(g, "s", (ad_shape){0}), m = some_input(g, "m", (ad_shape){2, {3, 3}});
  const ad_node v = some_input(g, "v", (ad_shape){1, {large ? 20000 : 20}});
  ad_node f = s, t = v;
  for (int i = 0; i < 40; i++) f = some_op(g, "add", f, some_op(g, "sin", some_op(g, "mul", s, s), 0));
  for (int i = 0; i < 3; i++) t = some_op(g, "mul", some_op(g, "tanh", t, 0), v);
  f = some_op(g, "add", f, some_op(g, "sum", some_op(g, "softmax", some_op(g, "matmul", m, m), 0), 0));
  f = some_op(g, "add", f, some_op(g, "logsumexp", some_op(g, "exp", m, 0), 0));
  f = some_op(g, "mul", f, some_op(g, "sum", t, 0));
  ck_assert_int_eq(ad_graph_output(g, "f", f, &err), AD_OK);
  return g;
}

/* Everything that a workspace does again and again.  Without assertions, which allocate. */
static ad_status evaluate(ad_workspace *w, ad_node output) {
  static const double half = 0.5;
  ad_status s = ad_workspace_set_input(w, 0, &half, 1, &err);
  if (!s && ad_backend_kind(w->backend) == AD_KIND_F64) s = ad_workspace_set_points(w, 0, &half, 1, 1, &err);
  if (!s) s = ad_workspace_primal(w, &err);
  ad_workspace_clear_seeds(w);
  if (!s) s = ad_workspace_seed_tangent(w, 1, 0, 0, 1, &err);
  if (!s) s = ad_workspace_forward(w, &err);
  if (!s) s = ad_workspace_seed_adjoint(w, output, 0, 1, &err);
  if (!s) s = ad_workspace_reverse(w, &err);
  for (ad_mode mode = AD_MODE_DEFAULT; !s && mode <= AD_MODE_REVERSE; mode++)
    if (ad_backend_supports(w->backend, mode) && (mode != AD_MODE_FORWARD || w->p->input_size < 1000))
      s = ad_workspace_run_gradient(w, &(ad_gradient_request){.output = output, .mode = mode}, &err);
  return s;
}

START_TEST(second_evaluation) {
  bool seen[AD_BLOCK_KERNEL + 1] = {0};
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (int variant = 0; variant < 4; variant++) { /* one point, a block of them, fused, on two threads */
      const bool large = variant >= 2, real = ad_backend_kind(ad_backend_get(b)) == AD_KIND_F64;
      if ((!real && variant) || (large && ad_backend_mode(ad_backend_get(b)) != AD_MODE_REVERSE)) continue;
      ad_graph *g = every_block(large);
      ad_program *p;
      ad_workspace *w;
      const ad_workspace_options o = {
          .directions = 2, .reverse = true, .points = variant == 1 ? 8 : 1, .threads = variant == 3 ? 2 : 1};
      ck_assert_int_eq(ad_program_new(&p, g, NULL, &err), AD_OK);
      ck_assert_int_eq(ad_workspace_new(&w, p, ad_backend_get(b), &o, &err), AD_OK);
      for (size_t i = 0; i < p->block_count; i++) seen[p->block[i].kind] = true;
      const ad_status first = evaluate(w, ad_graph_output_node(g, 0));
      failing_before(0); /* none fails */
      const ad_status second = evaluate(w, ad_graph_output_node(g, 0));
      heap.counting = false;
      ck_assert_msg(!first && !second, "%s", err.message);
      ck_assert_msg(heap.calls == 0, "backend %zu, variant %d: %lu allocations", b, variant, heap.calls);
      const ad_span d = ad_workspace_gradient(w, 0);
      ck_assert(d.count && isfinite(ad_span_double(&d, 0)) && ad_span_double(&d, 0) != 0);
      ad_workspace_free(w);
      ad_program_free(p);
      ad_graph_free(g);
    }
  for (int k = 0; k <= AD_BLOCK_KERNEL; k++) ck_assert_msg(seen[k], "no block of kind %d", k);
}
END_TEST

/* Planned once, run as often as one likes: series and mixed derivatives allocate nothing then. */
START_TEST(series) {
  ad_graph *g = failing_graph();
  const ad_node loss = ad_graph_output_node(g, 0);
  static const char *const names[] = {"tape", "mpfr"};
  const ad_variable v[] = {{0, 0}, {0, 4}, {0, 4}, {0, 4}};
  for (size_t b = 0; b < 2; b++) {
    ad_point *direction;
    ad_program *p;
    ad_workspace *w;
    ad_mixed *m;
    double first[2] = {0};
    INSIST(ad_point_new(&direction, g, &err));
    INSIST(ad_point_set_double(direction, 0, (const double[]){0.5}, 1, &err));
    INSIST(ad_program_new(&p, g, NULL, &err));
    INSIST(ad_workspace_new(&w, p, ad_backend_find(names[b]), &(ad_workspace_options){.order = 5}, &err));
    INSIST(ad_workspace_set_input(w, 1, (const double[]){0.7}, 1, &err));
    INSIST(ad_mixed_new(&m, w, &(ad_mixed_request){.order = 2, .count = 2, .variable = v}, &err));
    for (int run = 0; run < 3; run++) {
      failing_before(1); /* the first allocation would fail */
      ad_status status = ad_workspace_primal(w, &err);
      if (!status) status = ad_mixed_run(m, &err);
      if (!status) status = ad_workspace_set_direction(w, direction, &err);
      if (!status) status = ad_workspace_taylor(w, &err);
      heap.counting = false;
      ck_assert_int_eq(status, AD_OK);
      ck_assert_uint_eq(heap.calls, 0);
      const double got[] = {number(ad_workspace_coefficient(w, 5, loss), 0), number(ad_mixed_derivative(m, 0, 0), 0)};
      for (int k = 0; k < 2; k++) {
        ck_assert(isfinite(got[k]) && got[k] != 0);
        if (run) ck_assert_double_eq(got[k], first[k]);
        first[k] = got[k];
      }
    }
    ad_mixed_free(m);
    ad_workspace_free(w);
    ad_program_free(p);
    ad_point_free(direction);
  }
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* Structures, colours and plans; a plan's second run allocates nothing. */
START_TEST(jacobians) {
  ad_graph *g = failing_graph();
  ad_program *p;
  ad_jacobian *j;
  ad_sparsity s;
  ad_colouring c;
  INSIST(ad_program_new(&p, g, NULL, &err));
  INSIST(ad_sparsity_jacobian(&s, p, &err));
  for (ad_colour_kind kind = AD_COLOUR_COLUMNS; kind <= AD_COLOUR_BOTH; kind++) {
    INSIST(ad_colour(&c, &s, kind, &err));
    ad_colouring_clear(&c);
  }
  ad_sparsity_clear(&s);
  INSIST(ad_sparsity_hessian(&s, p, &err));
  for (ad_colour_kind kind = AD_COLOUR_STAR; kind <= AD_COLOUR_ACYCLIC; kind++) {
    ad_recovery r;
    INSIST(ad_colour(&c, &s, kind, &err));
    INSIST(ad_recovery_new(&r, &s, &c, &err));
    ad_recovery_clear(&r);
    ad_colouring_clear(&c);
  }
  ad_sparsity_clear(&s);
  for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
    for (int kind = 0; kind < 4; kind++) {
      const ad_jacobian_options o = {.mode = mode, .sparse = kind & 1};
      INSIST(ad_jacobian_new(&j, p, kind & 2 ? ad_backend_find("mpfr") : NULL, &o, &err));
      const double at = 0.25;
      INSIST(ad_workspace_set_input(ad_jacobian_workspace(j), 1, &at, 1, &err));
      INSIST(ad_jacobian_run(j, &err));
      const double first = number(ad_jacobian_values(j), 0);
      failing_before(1);
      const ad_status again = ad_jacobian_run(j, &err);
      heap.counting = false;
      ck_assert_int_eq(again, AD_OK);
      ck_assert_uint_eq(heap.calls, 0);
      ck_assert_double_eq(number(ad_jacobian_values(j), 0), first);
      ad_jacobian_free(j);
    }
  ad_program_free(p);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

START_TEST(differentiating) {
  ad_graph *g = failing_graph(), *d, *dd;
  const size_t loss = 0, last = ad_graph_output_count(g) - 1;
  INSIST(ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &last}, &err));
  INSIST(ad_graph_vjp(&dd, d, NULL, &err));
  ad_graph_free(dd);
  ad_graph_free(d);
  INSIST(ad_graph_gradient(&d, g,
                           &(ad_derivative_request){.output_count = 1,
                                                    .output = &loss,
                                                    .wrt_count = 2,
                                                    .wrt = (ad_node[]){0, 1},
                                                    .seed_count = 1,
                                                    .weight = (double[]){2}},
                           &err));
  ad_graph_free(d);
  INSIST(ad_graph_jvp(&d, g, &(ad_derivative_request){.output_count = 1, .output = &loss}, &err));
  ad_graph_free(d);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* The second run of each kind allocates nothing, in double and in MPFR. */
START_TEST(hessians) {
  ad_graph *g = failing_graph();
  const size_t last = ad_graph_output_count(g) - 1;
  ad_point *point;
  INSIST(ad_point_new(&point, g, &err));
  INSIST(ad_point_set_double(point, 1, (const double[]){0.3}, 1, &err));
  for (size_t b = 0; b < ad_backend_count(); b++) {
    ad_hessian *h;
    const ad_hessian_options o = {
        .of = {.output_count = 1, .output = &last}, .sparse = b == 1, .columns = b == 1 ? 3 : 0};
    INSIST(ad_hessian_new(&h, g, ad_backend_get(b), &o, &err));
    const double seed[6] = {1, 2, 3};
    for (int k = 0; k < 2; k++) {
      failing_before(0);
      ad_status s = ad_hessian_set_point(h, point, &err);
      if (!s) s = ad_hessian_run(h, &err);
      if (!s) s = ad_hessian_products(h, seed, 1, &err);
      heap.counting = false;
      ck_assert_msg(!s, "%s", err.message);
      ck_assert_msg(!k || heap.calls == 0, "backend %zu: %lu allocations", b, heap.calls);
    }
    ck_assert_double_ne(number(ad_hessian_values(h), 0), 0);
    ad_hessian_free(h);
  }
  ad_point_free(point);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

START_TEST(checking) {
  ad_graph *g;
  ad_node x, y;
  static const char *const texts[] = {"0.7"};
  INSIST(ad_graph_new(&g, NULL, &err));
  ad_numbers *n = failing_numbers(texts, 1);
  INSIST(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = {1, {2}}, .value = n}, &err));
  ad_numbers_free(n);
  y = failing_apply(g, "sum", 1, (ad_node[]){failing_apply(g, "tanh", 1, &x, 0, NULL)}, 0, NULL);
  INSIST(ad_graph_output(g, "y", y, &err));
  ad_check_report r;
  INSIST(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_int_eq(r.verdict, AD_VERDICT_PASS);
  ad_check_clear(&r);
  INSIST(ad_check(&r, g, NULL, &(ad_check_options){.max_entries = 1, .probes = 2}, &err));
  ck_assert_int_eq(r.verdict, AD_VERDICT_PASS);
  ad_check_clear(&r);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

static void double_it(void *context, size_t task, unsigned thread) {
  (void)thread;
  ((size_t *)context)[task] = 2 * task;
}

START_TEST(threads) {
  ad_team *t;
  size_t twice[100] = {0};
  INSIST(ad_team_new(&t, 3, NULL, &err));
  failing_before(1); /* a run allocates nothing */
  ad_team_run(t, double_it, twice, 100);
  heap.counting = false;
  ck_assert_uint_eq(heap.calls, 0);
  for (size_t i = 0; i < 100; i++) ck_assert_uint_eq(twice[i], 2 * i);
  ad_team_free(t);
  nothing_left();
}
END_TEST

int main(void) {
  Suite *s = suite_create("memory");
  TCase *t = tcase_create("each allocation fails once");
  tcase_set_timeout(t, 300);
  tcase_add_test(t, building);
  tcase_add_test(t, evaluating);
  tcase_add_test(t, second_evaluation);
  tcase_add_test(t, series);
  tcase_add_test(t, jacobians);
  tcase_add_test(t, differentiating);
  tcase_add_test(t, hessians);
  tcase_add_test(t, checking);
  tcase_add_test(t, threads);
  suite_add_tcase(s, t);
  return suite_run(s);
}
