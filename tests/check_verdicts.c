/* What ad_check may not say: that right derivatives are wrong, that a zero which all methods lost is one, that double
 * keeps what it loses. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "adtool.h"
#include "graphs.h"
#include "suite.h"
#include "yaml_text.h"

static ad_check_report report_of(const char *inputs, const char *outputs, const ad_check_options *o) {
  char text[512];
  snprintf(text, sizeof text, "adtool: 1\ninputs: {%s}\noutputs:\n%s", inputs, outputs);
  ad_graph *g = yaml_reads(text);
  ad_check_report r;
  must(ad_check(&r, g, NULL, o, &graphs_error));
  ad_graph_free(g);
  return r;
}

/* Points at which finite differences are wrong by themselves: steps that are far too long, outputs that drown. */
static const struct {
  const char *inputs, *outputs;
  bool decided; /* the highest precision sees it */
} hard[] = {
    {"x: 1e60", "  r: sin(x)\n", true},
    {"x: 1e40", "  r: sin(x)\n", true},
    {"x: 1e-40", "  r: sin(1/x)\n", true},
    {"x: 1", "  r: tanh(1e40*(x - 1))\n", true},
    {"v: [0, 0, 0]", "  r: v/sqrt(sum(v*v) + 1e-300)\n", true},
    {"x: 1e-140", "  r: (x - cos(x)) - x\n", true},
    {"x: 1", "  r: ((1e300 + x) - 1e300) + 1\n", true},
    {"x: 1", "  r: (1e3000 + x) - 1e3000\n", false},
    {"x: 1e300", "  r: cos(x)*x\n", true},
    {"x: 1e-200", "  r: exp(-1/x)*sin(1/x)\n", false},
};

START_TEST(right_derivatives_are_not_accused) {
  ad_check_report r = report_of(hard[_i].inputs, hard[_i].outputs, NULL);
  ck_assert_msg(!r.blame_count && r.verdict != AD_VERDICT_FAIL, "%s: %s", hard[_i].outputs, r.reason);
  if (hard[_i].decided) ck_assert_msg(r.verdict == AD_VERDICT_PASS, "%s: %s", hard[_i].outputs, r.reason);
  ad_check_clear(&r);
}
END_TEST

/* The derivative of x - sin(x) at 1e-30 is 5e-61, and 0 at 192 bits by every method. */
START_TEST(zeros_that_all_methods_lose) {
  ad_check_report r = report_of("x: 1e-30", "  f: x - sin(x)\n", NULL);
  ck_assert_msg(r.verdict == AD_VERDICT_PASS && r.precision > 192, "%s at %u bits", r.reason, r.precision);
  ck_assert_msg(fabs(r.worst.reverse / 5e-61 - 1) < 1e-10, "%g", r.worst.reverse);
  ad_check_clear(&r);
  r = report_of("x: 1e-30", "  f: x - sin(x)\n", &(ad_check_options){.max_precision = 192});
  ck_assert_msg(r.verdict == AD_VERDICT_UNDECIDED, "%s", r.reason);
  ck_assert_uint_eq(r.unknown_digits, 2); /* nor does that precision know what double has lost */
  ck_assert(isnan(r.output[0].value_digits) && isnan(r.output[0].derivative_digits));
  ad_check_clear(&r);
}
END_TEST

/* Finite differences agree by symmetry with the policy's slope in the middle of a kink; the slopes on its sides don't.
 */
static const struct {
  const char *inputs, *f;
  ad_entry_class x;
} sides[] = {
    {"x: 0", "abs(x)", AD_ENTRY_KINK},
    {"x: 0", "max(x, -x)", AD_ENTRY_KINK},
    {"x: 0", "hypot(x, x)", AD_ENTRY_KINK},
    {"x: 0", "2*relu(x) - x", AD_ENTRY_KINK},
    {"x: 0", "sqrt(abs(x))", AD_ENTRY_EDGE},
    {"x: 0", "abs(cbrt(x))", AD_ENTRY_EDGE},
    {"x: 0", "x*abs(x)", AD_ENTRY_AGREES},
    {"x: 0", "abs(x)^3 + sin(x)", AD_ENTRY_AGREES},
    {"x: 0", "x + abs(0)", AD_ENTRY_AGREES},
    {"x: 0.5, y: {value: 0, diff: no}", "x*abs(y) + exp(x)", AD_ENTRY_AGREES},
    {"x: 1000, y: {value: 0, diff: no}", "exp(x) + abs(y)", AD_ENTRY_AGREES},
};

START_TEST(slopes_on_both_sides) {
  char f[100];
  snprintf(f, sizeof f, "  f: %s\n", sides[_i].f);
  ad_check_report r = report_of(sides[_i].inputs, f, NULL);
  ck_assert_msg(r.by_class[sides[_i].x] == 1 && r.entries == 1, "%s: %s", sides[_i].f,
                r.listed ? ad_entry_class_name(r.list[0].cls) : "agrees");
  ad_check_clear(&r);
}
END_TEST

START_TEST(zeros_that_are) {
  static const char *const zero[][2] = {{"x: 0", "  f: x^2\n"},
                                        {"x: 0.3", "  f: sin(x)^2 + cos(x)^2\n"},
                                        {"x: 0.3", "  f: exp(x)/exp(x)\n"},
                                        {"x: 0.3, y: 0", "  f: x*y\n"},
                                        {"x: 0", "  f: cos(x)\n"},
                                        {"x: 0.3", "  f: floor(x)\n"}};
  for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) {
    ad_check_report r = report_of(zero[i][0], zero[i][1], NULL);
    ck_assert_msg(r.verdict == AD_VERDICT_PASS, "%s: %s", zero[i][1], r.reason);
    ad_check_clear(&r);
  }
}
END_TEST

/* Digits of value and derivatives; -1: any. */
static const struct {
  const char *inputs, *outputs;
  double value, derivative;        /* at most ... */
  double value_least, deriv_least; /* and at least so many */
} kept[] = {
    {"x: 1000", "  f: exp(x)/exp(x)\n", 0, 0, 0, 0},
    {"x: 800", "  f: exp(x)\n", 0, 0, 0, 0},
    {"x: 0.5", "  f: (x + 1e16) - 1e16\n", 0.5, 17, 0, 17},
    {"x: 1.0e-5", "  f: (1 - cos(x))/x^2\n", 9, 2, 4, 0},
    {"x: 0.5", "  f: x*x\n", 17, 17, 17, 17},
    {"x: 1e-30", "  f: x - sin(x)\n", 0, 0, 0, 0},
};

START_TEST(digits_of_value_and_derivative) {
  ad_check_report r = report_of(kept[_i].inputs, kept[_i].outputs, NULL);
  ck_assert_uint_eq(r.output_count, 1);
  const ad_check_output *o = r.output;
  ck_assert_msg(o->value_digits <= kept[_i].value && o->value_digits >= kept[_i].value_least,
                "%s: %g digits of the value", kept[_i].outputs, o->value_digits);
  ck_assert_msg(o->derivative_digits <= kept[_i].derivative && o->derivative_digits >= kept[_i].deriv_least,
                "%s: %g digits of the derivative", kept[_i].outputs, o->derivative_digits);
  ck_assert(r.min_digits == fmin(o->value_digits, o->derivative_digits));
  const bool enough = r.min_digits >= 10;
  ad_check_clear(&r);
  r = report_of(kept[_i].inputs, kept[_i].outputs, &(ad_check_options){.min_digits = 10});
  ck_assert_int_eq(r.verdict, enough ? AD_VERDICT_PASS : AD_VERDICT_FAIL);
  ad_check_clear(&r);
}
END_TEST

/* A large neighbour hides no loss. */
START_TEST(each_output_by_its_own_size) {
  ad_check_report r =
      report_of("x: 1.0e-5, m: 9.11e-31", "  naive: (1 - cos(x))/x^2\n  speed: sqrt(2*1e-19/m)\n", NULL);
  ck_assert_uint_eq(r.output_count, 2);
  ck_assert(r.output[0].derivative_digits < 2 && r.output[1].derivative_digits > 15);
  ck_assert(r.min_digits < 2 && r.output[1].value_digits > 15);
  ad_check_clear(&r);
}
END_TEST

/* 0.1 + 0.2 - 0.3 is 0: there are no digits to lose, but double is off. */
START_TEST(errors_where_the_truth_is_zero) {
  ad_check_report r = report_of("x: 0.2", "  f: (0.1 + x) - 0.3\n", &(ad_check_options){.min_digits = 10});
  ck_assert_msg(r.verdict == AD_VERDICT_PASS, "%s", r.reason);
  ck_assert(r.output[0].value_digits == 17 && r.output[0].derivative_digits == 17);
  ck_assert(r.output[0].value_error == 0x1p-54 && r.output[0].derivative_error == 0);
  ad_check_clear(&r);
}
END_TEST

int main(void) {
  Suite *s = suite_create("verdicts");
  TCase *c = tcase_create("verdicts");
  tcase_set_timeout(c, 120);
  tcase_add_loop_test(c, right_derivatives_are_not_accused, 0, (int)(sizeof hard / sizeof hard[0]));
  tcase_add_test(c, zeros_that_all_methods_lose);
  tcase_add_loop_test(c, slopes_on_both_sides, 0, (int)(sizeof sides / sizeof sides[0]));
  tcase_add_test(c, zeros_that_are);
  tcase_add_loop_test(c, digits_of_value_and_derivative, 0, (int)(sizeof kept / sizeof kept[0]));
  tcase_add_test(c, each_output_by_its_own_size);
  tcase_add_test(c, errors_where_the_truth_is_zero);
  suite_add_tcase(s, c);
  return suite_run(s);
}
