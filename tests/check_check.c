/* ad_check's verdicts: right derivatives pass, kinks, edges and NaN are told apart, lost digits are measured and
 * located, and finite differences in double stay within their own bound. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "adtool.h"
#include "suite.h"

static ad_error err;

static void ok(ad_status s) {
  ck_assert_msg(s == AD_OK, "%s", err.message);
}

static ad_node input(ad_graph *g, const char *name, ad_shape shape, const char *text) {
  ad_numbers *v = ad_numbers_new();
  ad_node out;
  ok(ad_numbers_push_text(v, text, strlen(text), &err));
  ok(ad_graph_input(g, &out, &(ad_input_spec){.name = name, .shape = shape, .value = v}, &err));
  ad_numbers_free(v);
  return out;
}

static ad_node apply(ad_graph *g, const char *op, ad_node a, ad_node b) {
  ad_node args[2] = {a, b}, out;
  ok(ad_graph_apply(g, &out, ad_op_find(op), b == AD_NO_NODE ? 1 : 2, args, 0, NULL, &err));
  return out;
}

/* The graph f(x) for one unary operation. */
static ad_graph *unary(const char *op, const char *x) {
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  ad_node n = input(g, "x", (ad_shape){0}, x);
  ok(ad_graph_output(g, "f", apply(g, op, n, AD_NO_NODE), &err));
  return g;
}

static void expect(const char *op, const char *x, ad_verdict verdict, ad_entry_class cls) {
  ad_graph *g = unary(op, x);
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_msg(r.verdict == verdict && r.by_class[cls] == 1, "%s(%s): %s: %s", op, x, ad_verdict_name(r.verdict),
                r.reason);
  ad_check_clear(&r);
  ad_graph_free(g);
}

START_TEST(smooth_points_pass) {
  expect("exp", "0.1", AD_VERDICT_PASS, AD_ENTRY_AGREES);
  expect("tanh", "1/3", AD_VERDICT_PASS, AD_ENTRY_AGREES);
  expect("floor", "2.5", AD_VERDICT_PASS, AD_ENTRY_AGREES);
  expect("sqrt", "1e-300", AD_VERDICT_PASS, AD_ENTRY_AGREES);
}
END_TEST

START_TEST(kinks_pass_by_policy) {
  /* relu'(0) = 0 is no central difference, which is 1/2; abs'(0) = 0 is one, but the sides' slopes differ */
  expect("relu", "0", AD_VERDICT_PASS, AD_ENTRY_KINK);
  expect("abs", "0", AD_VERDICT_PASS, AD_ENTRY_KINK);
  expect("floor", "2", AD_VERDICT_PASS, AD_ENTRY_KINK);
}
END_TEST

START_TEST(edges_are_undecided) {
  expect("sqrt", "0", AD_VERDICT_UNDECIDED, AD_ENTRY_EDGE);
  expect("log", "0", AD_VERDICT_UNDECIDED, AD_ENTRY_EDGE);
  expect("asin", "1", AD_VERDICT_UNDECIDED, AD_ENTRY_EDGE);
}
END_TEST

/* Where an output is infinite or NaN, differences say nothing about any derivative, also not about one that is 0
 * because the output does not depend on that input, or that stands in a branch not taken. */
START_TEST(infinite_outputs_are_no_disagreement) {
  static const char *const wild[] = {"log", "recip"};
  for (size_t i = 0; i < 2; i++) {
    ad_graph *g;
    ok(ad_graph_new(&g, NULL, &err));
    ad_node x = input(g, "x", (ad_shape){0}, "0"), y = input(g, "y", (ad_shape){0}, "2");
    ad_node z = apply(g, wild[i], x, AD_NO_NODE);
    ok(ad_graph_output(g, "f", z, &err));
    ad_node args[3] = {apply(g, "greater", x, y), z, y}, chosen;
    ok(ad_graph_apply(g, &chosen, ad_op_find("where"), 3, args, 0, NULL, &err));
    ok(ad_graph_output(g, "h", chosen, &err));
    ad_check_report r;
    ok(ad_check(&r, g, NULL, NULL, &err));
    ck_assert_msg(r.verdict == AD_VERDICT_UNDECIDED, "%s: %s", wild[i], r.reason);
    ck_assert_uint_eq(r.blame_count, 0);
    ck_assert_uint_eq(r.by_class[AD_ENTRY_DISAGREES], 0);
    ad_check_clear(&r);
    ad_graph_free(g);
  }
}
END_TEST

/* d/dy x^y at (0, 0) is -inf by every method: an edge. */
START_TEST(power_of_zeros_is_an_edge) {
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  ad_node x = input(g, "x", (ad_shape){0}, "0"), y = input(g, "y", (ad_shape){0}, "0");
  ok(ad_graph_output(g, "f", apply(g, "pow", x, y), &err));
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_msg(r.verdict == AD_VERDICT_UNDECIDED && r.blame_count == 0, "%s", r.reason);
  ck_assert_uint_eq(r.edges, 1);
  ad_check_clear(&r);
  ad_graph_free(g);
}
END_TEST

/* tanh is 1 to 2885 bits at 1000, and (1e200 + x) - 1e200 loses x in the first precisions. */
START_TEST(drowned_derivatives_are_no_disagreement) {
  expect("tanh", "1000", AD_VERDICT_PASS, AD_ENTRY_AGREES);
  expect("tanh", "20000", AD_VERDICT_PASS, AD_ENTRY_AGREES);
  expect("sigmoid", "300", AD_VERDICT_PASS, AD_ENTRY_AGREES);
  expect("erf", "50", AD_VERDICT_PASS, AD_ENTRY_AGREES);
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  ad_node x = input(g, "x", (ad_shape){0}, "0.5"), c;
  ok(ad_graph_constant_text(g, &c, "1e200", &err));
  ok(ad_graph_output(g, "f", apply(g, "sub", apply(g, "add", x, c), c), &err));
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_msg(r.verdict == AD_VERDICT_PASS && r.by_class[AD_ENTRY_AGREES] == 1, "%s", r.reason);
  ad_check_clear(&r);
  ad_graph_free(g);
}
END_TEST

/* f = op(x - at) with x right beside the kink or jump: steps over it say nothing, smaller ones do. */
static void expect_near(const char *op, const char *at, const char *x, ad_entry_class class) {
  ad_graph *g;
  ad_node n = AD_NO_NODE, c;
  ok(ad_graph_new(&g, NULL, &err));
  n = input(g, "x", (ad_shape){0}, x);
  ok(ad_graph_constant_text(g, &c, at, &err));
  ad_node f = apply(g, "sub", n, c);
  ok(ad_graph_apply(g, &f, ad_op_find(op), 1, &f, 0, NULL, &err));
  ok(ad_graph_output(g, "f", f, &err));
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_msg(r.verdict == AD_VERDICT_PASS && r.by_class[class] == 1, "%s near %s: %s", op, at, r.reason);
  ad_check_clear(&r);
  ad_graph_free(g);
}

START_TEST(kinks_near_by_are_no_disagreement) {
  static const char above[] = "1.00000000000000000000000000000000000000000000000001"; /* 1 + 1e-50 */
  static const char below[] = "0.99999999999999999999999999999999999999999999999999";
  expect_near("relu", "1", above, AD_ENTRY_AGREES);
  expect_near("relu", "1", below, AD_ENTRY_AGREES);
  expect_near("abs", "1", below, AD_ENTRY_AGREES);
  expect_near("floor", "1", above, AD_ENTRY_AGREES);
  expect_near("sign", "1", below, AD_ENTRY_AGREES);
  expect_near("relu", "1", "1", AD_ENTRY_KINK);
}
END_TEST

/* softmax(a + s) does not depend on s: rounding, different in each method and at each precision, is all there is. */
START_TEST(noise_is_no_disagreement) {
  static const char *const at[] = {"1.5", "0.1", "-2.3", "7"};
  for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
    ad_graph *g;
    ok(ad_graph_new(&g, NULL, &err));
    ad_node s = input(g, "s", (ad_shape){0}, at[i]), a[3], f;
    static const char *const value[] = {"0.1", "1/3", "-0.7"};
    for (int k = 0; k < 3; k++) {
      ok(ad_graph_constant_text(g, &a[k], value[k], &err));
      a[k] = apply(g, "add", a[k], s);
    }
    ok(ad_graph_apply(g, &f, ad_op_find("stack"), 3, a, 0, NULL, &err));
    ok(ad_graph_apply(g, &f, ad_op_find("softmax"), 1, &f, 0, NULL, &err));
    ok(ad_graph_output(g, "f", f, &err));
    ad_check_report r;
    ok(ad_check(&r, g, NULL, NULL, &err));
    ck_assert_msg(r.verdict == AD_VERDICT_PASS && r.by_class[AD_ENTRY_AGREES] == 3, "s = %s: %s", at[i], r.reason);
    ad_check_clear(&r);
    ad_graph_free(g);
  }
}
END_TEST

START_TEST(nan_is_named) {
  ad_graph *g = unary("sqrt", "-1");
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_int_eq(r.verdict, AD_VERDICT_UNDECIDED);
  ck_assert_uint_eq(r.outside, 1);
  ck_assert_uint_eq(r.made_nan, 1);
  ck_assert_uint_eq(r.first_nan, 1);
  ad_check_clear(&r);
  ad_graph_free(g);
}
END_TEST

/* (x + 1e10) - 1e10 at x = 0.1 keeps about six digits, and they go in the subtraction; its derivative keeps all.
 * Squared, the derivative 2 ((x + 1e10) - 1e10) keeps six. */
START_TEST(lost_digits_are_found) {
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  ad_node x = input(g, "x", (ad_shape){0}, "0.1"), c;
  ok(ad_graph_constant_text(g, &c, "1e10", &err));
  ad_node far = apply(g, "add", x, c), back = apply(g, "sub", far, c);
  ok(ad_graph_output(g, "f", apply(g, "sqr", back, AD_NO_NODE), &err));
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_int_eq(r.verdict, AD_VERDICT_PASS);
  ck_assert_msg(r.min_digits > 5 && r.min_digits < 9, "%g digits", r.min_digits);
  ck_assert_uint_eq(r.lost_at, back);
  ck_assert_msg(fabs(r.condition - 1) < 1e-6, "2x has condition 1, not %g", r.condition);
  ad_check_clear(&r);
  ok(ad_check(&r, g, NULL, &(ad_check_options){.min_digits = 12}, &err));
  ck_assert_int_eq(r.verdict, AD_VERDICT_FAIL);
  ad_check_clear(&r);
  ad_graph_free(g);
}
END_TEST

START_TEST(large_graphs_are_probed) {
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  ad_node x = input(g, "x", (ad_shape){1, {300}}, "0.3");
  ok(ad_graph_output(g, "f", apply(g, "tanh", apply(g, "cumsum", x, AD_NO_NODE), AD_NO_NODE), &err));
  ad_check_report r;
  ok(ad_check(&r, g, NULL, &(ad_check_options){.max_entries = 1000}, &err));
  ck_assert(r.probed);
  ck_assert_uint_eq(r.entries, 16);
  ck_assert_int_eq(r.verdict, AD_VERDICT_PASS);
  ad_check_clear(&r);
  ad_graph_free(g);
}
END_TEST

/* One node as two outputs, and one as input and output: weights must add up. */
START_TEST(shared_outputs) {
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  ad_node x = input(g, "x", (ad_shape){0}, "0.7"), s = apply(g, "sin", x, AD_NO_NODE);
  ok(ad_graph_output(g, "a", s, &err));
  ok(ad_graph_output(g, "b", s, &err));
  ok(ad_graph_output(g, "c", x, &err));
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_uint_eq(r.entries, 3);
  ck_assert_uint_eq(r.by_class[AD_ENTRY_AGREES], 3);
  ad_check_clear(&r);
  ad_graph_free(g);
}
END_TEST

START_TEST(double_differences_know_their_error) {
  static const struct {
    const char *op;
    double x, derivative;
  } cases[] = {{"exp", 1, M_E},
               {"sin", 1e-3, 0.99999950000004167},
               {"log", 1e-8, 1e8},
               {"sqr", 1e6, 2e6},
               {"recip", 3, -1.0 / 9},
               {"tanh", 5, 1.8158323094380687e-4},
               {"exp", -20, 2.061153622438558e-9}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ad_graph *g = unary(cases[i].op, "1");
    ad_program *p;
    ad_workspace *w;
    ok(ad_program_new(&p, g, NULL, &err));
    ok(ad_workspace_new(&w, p, ad_backend_find("tape"), NULL, &err));
    ok(ad_workspace_set_input(w, 0, &cases[i].x, 1, &err));
    ok(ad_workspace_primal(w, &err));
    double d, bound;
    ok(ad_difference_double(&d, &bound, w, ad_graph_output_node(g, 0), 0, 0, &err));
    ck_assert_msg(fabs(d - cases[i].derivative) <= bound, "%s'(%g): %.17g +- %g, but it is %.17g", cases[i].op,
                  cases[i].x, d, bound, cases[i].derivative);
    ck_assert_msg(bound <= 1e-6 * fabs(d), "%s'(%g): the bound %g says nothing", cases[i].op, cases[i].x, bound);
    ad_workspace_free(w);
    ad_program_free(p);
    ad_graph_free(g);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("check");
  TCase *c = tcase_create("verdicts");
  tcase_set_timeout(c, 60);
  tcase_add_test(c, smooth_points_pass);
  tcase_add_test(c, kinks_pass_by_policy);
  tcase_add_test(c, edges_are_undecided);
  tcase_add_test(c, infinite_outputs_are_no_disagreement);
  tcase_add_test(c, power_of_zeros_is_an_edge);
  tcase_add_test(c, drowned_derivatives_are_no_disagreement);
  tcase_add_test(c, kinks_near_by_are_no_disagreement);
  tcase_add_test(c, noise_is_no_disagreement);
  tcase_add_test(c, nan_is_named);
  tcase_add_test(c, lost_digits_are_found);
  tcase_add_test(c, large_graphs_are_probed);
  tcase_add_test(c, shared_outputs);
  tcase_add_test(c, double_differences_know_their_error);
  suite_add_tcase(s, c);
  return suite_run(s);
}
