/* Graphs of CppAD: each operator does what its documentation says, what is read is written back as the same graph, any
 * graph that can be written has the same values afterwards, and damaged files are refused or read, with a place. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cppad/cppad.h"
#include "cppad/operators.h"
#include "graphs.h"
#include "random_graph.h"
#include "results.h"
#include "suite.h"

#define ERR (&graphs_error)

static ad_graph *read_text(const char *text, const char *what) {
  ad_graph *g;
  ad_status s = ad_graph_read(&g, text, strlen(text), what, NULL, ERR);
  ck_assert_msg(!s, "%s: %lld:%lld: %s in\n%s", what, (long long)ERR->line, (long long)ERR->column, ERR->message, text);
  return g;
}

static void write_text(ad_buffer *b, const ad_graph *g) {
  must(ad_cppad_write(g, b, &(ad_write_options){0}, ERR));
}

static void same_graph_again(const ad_graph *g, const char *what) {
  ad_buffer first = {0}, second = {0};
  char hex[65], other[65];
  write_text(&first, g);
  ad_graph *again = read_text(first.data, what);
  write_text(&second, again);
  must(ad_graph_hash(g, hex, ERR));
  must(ad_graph_hash(again, other, ERR));
  ck_assert_msg(!strcmp(hex, other), "%s: another graph comes back from\n%s", what, first.data);
  ck_assert_str_eq(first.data, second.data);
  ad_graph_free(again);
  ad_buffer_clear(&first);
  ad_buffer_clear(&second);
}

/* ---- Operators: x is 0.4, y 1.5, z 0, w 3, as CppAD's documentation has their results */

static const struct {
  const char *name, *usage, *infix;
} operators[] = {{"abs", "1, 3", "abs(z - 1)"},
                 {"acos", "1, 1", "acos(x)"},
                 {"acosh", "1, 2", "acosh(y)"},
                 {"add", "1, 1, 2", "x + y"},
                 {"asin", "1, 1", "asin(x)"},
                 {"asinh", "1, 1", "asinh(x)"},
                 {"atan", "1, 1", "atan(x)"},
                 {"atanh", "1, 1", "atanh(x)"},
                 {"azmul", "1, 1, 2", "x*y"},
                 {"azmul", "1, 5, 2", "mul_no_nan(y, 0)"},
                 {"cexp_eq", "1, 1, 2, 3, 4", "w"},
                 {"cexp_eq", "1, 2, 2, 1, 4", "x"},
                 {"cexp_le", "1, 1, 2, 4, 3", "w"},
                 {"cexp_le", "1, 2, 2, 4, 3", "w"},
                 {"cexp_le", "1, 2, 1, 4, 3", "z - 1"},
                 {"cexp_lt", "1, 1, 2, 4, 3", "w"},
                 {"cexp_lt", "1, 2, 2, 4, 3", "z - 1"},
                 {"cos", "1, 1", "cos(x)"},
                 {"cosh", "1, 1", "cosh(x)"},
                 {"div", "1, 1, 2", "x/y"},
                 {"erf", "1, 1", "erf(x)"},
                 {"erfc", "1, 1", "erfc(x)"},
                 {"exp", "1, 1", "exp(x)"},
                 {"expm1", "1, 1", "expm1(x)"},
                 {"log", "1, 1", "log(x)"},
                 {"log1p", "1, 1", "log1p(x)"},
                 {"mul", "1, 1, 2", "x*y"},
                 {"neg", "1, 1", "-x"},
                 {"pow", "1, 1, 2", "x^y"},
                 {"sign", "1, 3", "sign(z - 1)"},
                 {"sin", "1, 1", "sin(x)"},
                 {"sinh", "1, 1", "sinh(x)"},
                 {"sqrt", "1, 1", "sqrt(x)"},
                 {"sub", "1, 1, 2", "x - y"},
                 {"sum", "1, 1, 4, [ 1, 2, 4, 1 ]", "2*x + y + w"},
                 {"tan", "1, 1", "tan(x)"},
                 {"tanh", "1, 1", "tanh(x)"}};
enum { OPERATORS = sizeof operators / sizeof operators[0] };

START_TEST(operators_have_their_values) {
  const double at[] = {0.4, 1.5, -1, 3}, shifted[] = {0.4, 1.5, 0, 3};
  const ad_cppad_operator *op = ad_cppad_find(operators[_i].name, strlen(operators[_i].name));
  char text[900], arguments[20] = "", infix[300];
  ck_assert_ptr_nonnull(op);
  if (op->arguments) snprintf(arguments, sizeof arguments, ", \"n_arg\":%d", op->arguments);
  snprintf(text, sizeof text,
           "{ \"function_name\":\"f\", \"op_define_vec\":[1,[{\"op_code\":1,\"name\":\"%s\"%s}]], \"n_dynamic_ind\":0,"
           "\"n_variable_ind\":4,\"constant_vec\":[1,[0]],\"op_usage_vec\":[1,[[%s]]],\"dependent_vec\":[1,[6]]}",
           operators[_i].name, arguments, operators[_i].usage);
  snprintf(infix, sizeof infix, "adtool: 1\ninputs: {x: 0, y: 0, z: 0, w: 0}\noutputs: {f: \"%s\"}\n",
           operators[_i].infix);
  ad_graph *g = read_text(text, operators[_i].name), *want = read_text(infix, operators[_i].infix);
  results_same(g, at, want, shifted, 4, false, operators[_i].name);
  same_graph_again(g, operators[_i].name);
  ad_graph_free(g);
  ad_graph_free(want);
}
END_TEST

/* The table is what the test above goes through, but for what has no result. */
START_TEST(all_operators_are_tested) {
  for (size_t i = 0; i < ad_cppad_operator_count; i++) {
    const ad_cppad_operator *op = &ad_cppad_operators[i];
    bool found = op->form == AD_CPPAD_ASSERTION || op->form == AD_CPPAD_MESSAGE || op->form == AD_CPPAD_OUTSIDE;
    for (int k = 0; k < OPERATORS; k++) found = found || !strcmp(operators[k].name, op->name);
    ck_assert_msg(found, "%s is not tested", op->name);
  }
}
END_TEST

/* ---- Files */

static unsigned draw(ulps_random *r, unsigned n) {
  return (unsigned)(ulps_random_bits(r) % n);
}

/* Any operators on any nodes before them. */
static void random_file(ad_buffer *b, ulps_random *r) {
  const unsigned parameters = draw(r, 3), variables = draw(r, 4) + !parameters, constants = draw(r, 5),
                 usages = draw(r, 30);
  unsigned nodes = parameters + variables + constants, codes = 0;
  ad_buffer_puts(b, "{\"function_name\":\"random\",\n\"op_define_vec\":[");
  for (size_t i = 0; i < ad_cppad_operator_count; i++) codes += ad_cppad_operators[i].form != AD_CPPAD_OUTSIDE;
  ad_buffer_printf(b, "%u,[", codes);
  const ad_cppad_operator *of[64];
  codes = 0;
  for (size_t i = 0; i < ad_cppad_operator_count; i++) {
    const ad_cppad_operator *op = &ad_cppad_operators[i];
    if (op->form == AD_CPPAD_OUTSIDE) continue;
    of[codes++] = op;
    ad_buffer_printf(b, "%s{\"op_code\":%u,\"name\":\"%s\"", codes > 1 ? ",\n" : "", codes, op->name);
    if (op->arguments) ad_buffer_printf(b, ",\"n_arg\":%d", op->arguments);
    ad_buffer_puts(b, "}");
  }
  ad_buffer_printf(b, "]],\"n_dynamic_ind\":%u,\"n_variable_ind\":%u,\"constant_vec\":[%u,[", parameters, variables,
                   constants);
  for (unsigned i = 0; i < constants; i++)
    ad_buffer_printf(b, "%s%.*g", i ? "," : "", 1 + (int)draw(r, 17), ulps_random_uniform(r, -3, 3));
  ad_buffer_printf(b, "]],\"op_usage_vec\":[%u,[", usages);
  for (unsigned i = 0; i < usages; i++) {
    const unsigned code = draw(r, codes);
    const ad_cppad_operator *op = of[code];
    ad_buffer_printf(b, "%s[%u", i ? ",\n" : "", code + 1);
    if (op->form == AD_CPPAD_MESSAGE) ad_buffer_puts(b, ",\"before\",\"after\"");
    const unsigned count = op->arguments ? op->arguments : op->form == AD_CPPAD_TOTAL ? 1 + draw(r, 5) : 2;
    if (!op->arguments) ad_buffer_printf(b, ",%d,%u,[", op->form == AD_CPPAD_TOTAL, count);
    for (unsigned k = 0; k < count; k++) ad_buffer_printf(b, "%s%u", k || op->arguments ? "," : "", 1 + draw(r, nodes));
    ad_buffer_puts(b, op->arguments ? "]" : "]]");
    nodes += op->arguments || op->form == AD_CPPAD_TOTAL;
  }
  const unsigned outputs = 1 + draw(r, 4);
  ad_buffer_printf(b, "]],\"dependent_vec\":[%u,[", outputs);
  for (unsigned i = 0; i < outputs; i++) ad_buffer_printf(b, "%s%u", i ? "," : "", 1 + draw(r, nodes));
  ad_buffer_puts(b, "]]}");
}

START_TEST(files_come_back) {
  ulps_random random = {ulps_seed()};
  for (int i = 0; i < 1000 * ulps_multiplier(); i++) {
    ad_buffer b = {0};
    char what[80];
    snprintf(what, sizeof what, "ADTOOL_TEST_SEED=%llu, file %d", (unsigned long long)ulps_seed(), i);
    random_file(&b, &random);
    ad_graph *g = read_text(b.data, what);
    same_graph_again(g, what);
    ad_graph_free(g);
    ad_buffer_clear(&b);
  }
}
END_TEST

START_TEST(any_graph_keeps_its_values) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  ck_assert_ptr_nonnull(used);
  int written = 0;
  for (int i = 0; i < 150 * ulps_multiplier(); i++) {
    const uint64_t seed = ulps_seed() + (uint64_t)i;
    char what[60];
    snprintf(what, sizeof what, "ADTOOL_TEST_SEED=%llu", (unsigned long long)seed);
    random_graph r = random_graph_new(seed, 1 + seed % 5, i % 2, used);
    ad_buffer b = {0};
    double at[1000];
    if (ad_cppad_write(r.g, &b, &(ad_write_options){0}, ERR)) {
      ck_assert_msg(strstr(ERR->message, "no operator for") || strstr(ERR->message, "scalar form"), "%s: %s", what,
                    ERR->message);
    } else {
      ad_graph *back = read_text(b.data, what);
      results_arrange(r.g, at, 1000);
      results_same(r.g, NULL, back, at, RESULTS_BITS - 40, false, what); /* constants became doubles, log(2) too */
      ad_graph_free(back);
      written++;
    }
    ad_buffer_clear(&b);
    random_graph_free(&r);
  }
  ck_assert_double_ge(written, 30 * ulps_multiplier());
  free(used);
}
END_TEST

START_TEST(other_operations_are_composed) {
  static const char *const infix[] = {
      "x^2 + sqr(y) + recip(y)",
      "max(x, y)*2 + min(x, y) + clip(x, 0.5, w) + relu(x) + relu(-y)",
      "exp2(x) + mul_no_nan(x, y) + mul_or_zero(x, w) + log2(y) + log10(w) + sigmoid(x - y)",
      "(x < y) + 2*(x <= y) + 4*(x > y) + 8*(x >= y) + 16*(x == y) + 32*(x != y)",
      "where(x, y, w) + where(0*x, y, w)*where(x >= w, x, 3*y)*where(x != w, x, 3*y)",
      "reduce_max(stack(x, y, w)) - reduce_min(stack(x, y, w)) + mean(stack(x, w))"};
  const double at[] = {0.4, 1.5, 3};
  for (size_t i = 0; i < sizeof infix / sizeof infix[0]; i++) {
    char text[300];
    ad_buffer b = {0};
    snprintf(text, sizeof text, "adtool: 1\ninputs: {x: 0.4, y: 1.5, w: 3}\noutputs: {f: \"%s\"}\n", infix[i]);
    ad_graph *g = read_text(text, infix[i]);
    write_text(&b, g);
    ad_graph *back = read_text(b.data, infix[i]);
    results_same(g, at, back, at, RESULTS_BITS - 46, false, infix[i]);
    same_graph_again(back, infix[i]);
    ad_buffer_clear(&b);
    ad_graph_free(back);
    ad_graph_free(g);
  }
}
END_TEST

START_TEST(what_cannot_be_written_is_refused) {
  static const struct {
    const char *inputs, *outputs, *message;
  } wrong[] = {{"{x: 1}", "{f: gelu(x)}", "no operator for gelu"},
               {"{x: [1, 2]}", "{f: softmax(x)}", "no scalar form of softmax"},
               {"{x: 1}", "{f: x*inf}", "not finite"}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char text[200];
    ad_buffer b = {0};
    snprintf(text, sizeof text, "adtool: 1\ninputs: %s\noutputs: %s\n", wrong[i].inputs, wrong[i].outputs);
    ad_graph *g = read_text(text, wrong[i].message);
    must_fail(AD_EINPUT, wrong[i].message, ad_cppad_write(g, &b, &(ad_write_options){0}, ERR));
    ad_buffer_clear(&b);
    ad_graph_free(g);
  }
}
END_TEST

/* ---- Wrong bytes */

static void survive(const char *bytes, size_t size, const char *what) {
  char *copy = malloc(size + 1); /* so that a sanitizer sees each byte too far */
  ck_assert_ptr_nonnull(copy);
  memcpy(copy, bytes, size);
  copy = realloc(copy, size ? size : 1);
  ad_graph *g;
  const ad_limits limits = {.max_elements = 1 << 20};
  const ad_status s = ad_cppad_read(&g, copy, size, "damaged", &limits, ERR);
  if (s) {
    ck_assert_msg(s == AD_EINPUT || s == AD_ELIMIT, "%s: status %d", what, s);
    ck_assert_msg(s != AD_EINPUT || ERR->line > 0, "%s: '%s' has no place", what, ERR->message);
  } else {
    ad_graph_free(g);
  }
  free(copy);
}

START_TEST(damage_is_survived) {
  ulps_random random = {ulps_seed()};
  char what[80];
  for (int i = 0; i < 10000 * ulps_multiplier(); i++) {
    ad_buffer b = {0};
    random_file(&b, &random);
    snprintf(what, sizeof what, "ADTOOL_TEST_SEED=%llu, file %d", (unsigned long long)ulps_seed(), i);
    if (i < 20)
      for (size_t n = 0; n < b.size; n++) survive(b.data, n, what);
    const unsigned changes = 1 + draw(&random, 4);
    for (unsigned k = 0; k < changes; k++) {
      const size_t at = draw(&random, (unsigned)b.size);
      const unsigned kind = draw(&random, 3);
      if (kind == 0) b.data[at] = (char)ulps_random_bits(&random);
      if (kind == 1) b.data[at] = "0123456789-.e[]{},:\"\n"[draw(&random, 21)];
      if (kind == 2) memmove(b.data + at, b.data + at + 1, --b.size - at);
    }
    survive(b.data, b.size, what);
    ad_buffer_clear(&b);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("cppad");
  TCase *c = tcase_create("operators");
  tcase_add_loop_test(c, operators_have_their_values, 0, OPERATORS);
  tcase_add_test(c, all_operators_are_tested);
  suite_add_tcase(s, c);
  c = tcase_create("files");
  tcase_add_test(c, files_come_back);
  tcase_add_test(c, any_graph_keeps_its_values);
  tcase_add_test(c, other_operations_are_composed);
  tcase_add_test(c, what_cannot_be_written_is_refused);
  tcase_add_test(c, damage_is_survived);
  tcase_set_timeout(c, 120);
  suite_add_tcase(s, c);
  return suite_run(s);
}
