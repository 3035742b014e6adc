/* The .nl writer: a model that was read and written is the same model, any graph that can be written keeps its values,
 * and what others put in the place of an earlier file's texts is refused where it makes no sense. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graphs.h"
#include "nl/nl.h"
#include "nl/operators.h"
#include "nl_bytes.h"
#include "random_graph.h"
#include "results.h"
#include "same_graph.h"
#include "suite.h"

#define ERR (&graphs_error)

static ad_graph *read_text(const char *text, const char *what) {
  ad_graph *g;
  ad_status s = ad_graph_read(&g, text, strlen(text), what, NULL, ERR);
  ck_assert_msg(!s, "%s: %lld:%lld: %s in\n%.4000s", what, (long long)ERR->line, (long long)ERR->column, ERR->message,
                text);
  return g;
}

static ad_graph *read_back(const ad_buffer *b, bool binary, const char *what) {
  ad_graph *g;
  ad_status s = ad_nl_read(&g, b->data, b->size, what, NULL, ERR);
  ck_assert_msg(!s, "%s: %lld:%lld, byte %lld: %s in\n%.4000s", what, (long long)ERR->line, (long long)ERR->column,
                (long long)ERR->offset, ERR->message, binary ? "" : b->data);
  return g;
}

/* The graph after it was written and read; writing that again gives the same bytes. */
static ad_graph *rewritten(const ad_graph *g, bool binary, const char *what) {
  ad_buffer b = {0}, again = {0};
  const ad_write_options o = {.binary = binary};
  must(ad_nl_write(g, &b, &o, ERR));
  ad_graph *back = read_back(&b, binary, what);
  must(ad_nl_write(back, &again, &o, ERR));
  ck_assert_msg(b.size == again.size && !memcmp(b.data, again.data, b.size), "%s: other bytes:\n%.4000s\n%.4000s", what,
                binary ? "" : b.data, binary ? "" : again.data);
  ad_buffer_clear(&b);
  ad_buffer_clear(&again);
  return back;
}

/* ---- Operators */

/* Every operator that can be read, on variables x = 0.4 and y = 1.5 inside its domain. */
static const char *const operators[] = {"o #0 v #0 v #1",
                                        "o #1 v #0 v #1",
                                        "o #2 v #0 v #1",
                                        "o #3 v #0 v #1",
                                        "o #4 v #1 v #0",
                                        "o #5 v #0 v #1",
                                        "o #5 v #0 n =2",
                                        "o #5 v #0 s ~3",
                                        "o #6 v #1 v #0",
                                        "o #6 v #0 v #1",
                                        "o #11 #3 v #0 v #1 n =0.5",
                                        "o #12 #3 v #0 v #1 n =0.5",
                                        "o #11 #2 v #0 v #1",
                                        "o #12 #2 v #0 v #1",
                                        "o #13 v #1",
                                        "o #14 v #1",
                                        "o #15 o #16 v #0",
                                        "o #16 v #0",
                                        "o #35 o #20 o #22 v #0 n =0 o #22 v #1 n =0 n =1 v #1",
                                        "o #35 o #21 o #22 v #0 n =1 o #22 v #1 n =2 v #0 n =2",
                                        "o #35 o #34 o #22 v #0 n =0 v #0 v #1",
                                        "o #35 o #22 v #0 v #1 v #0 v #1",
                                        "o #35 o #23 v #0 v #1 v #0 n =2",
                                        "o #35 o #24 v #0 v #1 n =1 v #1",
                                        "o #35 o #28 v #0 v #1 n =1 v #1",
                                        "o #35 o #29 v #0 v #1 n =1 v #1",
                                        "o #35 o #30 v #0 v #1 v #0 n =2",
                                        "o #35 v #0 v #0 v #1",
                                        "o #37 v #0",
                                        "o #38 v #0",
                                        "o #39 v #0",
                                        "o #40 v #0",
                                        "o #41 v #0",
                                        "o #42 v #0",
                                        "o #43 v #0",
                                        "o #44 v #0",
                                        "o #45 v #0",
                                        "o #46 v #0",
                                        "o #47 v #0",
                                        "o #48 v #0 v #1",
                                        "o #49 v #0",
                                        "o #50 v #0",
                                        "o #51 v #0",
                                        "o #52 v #1",
                                        "o #53 v #0",
                                        "o #54 #5 v #0 v #1 n =1 o #2 v #0 v #1 v #0",
                                        "o #55 v #1 v #0",
                                        "o #56 v #1 n =2",
                                        "o #57 v #0 n =0",
                                        "o #57 v #0 n =1",
                                        "o #58 v #1 n =0",
                                        "o #58 v #1 n =1",
                                        "o #59 #3 o #22 v #0 n =0 o #29 v #1 n =0 v #0",
                                        "o #60 #4 v #0 v #1 n =0.25 v #0",
                                        "o #35 o #62 n =1 o #59 #1 o #22 v #0 n =1 v #0 n =2",
                                        "o #35 o #63 n =0 o #59 #1 o #22 v #0 n =0 v #0 n =2",
                                        "o #64 #3 n =-1 n =-0.5 n =2 n =0.75 s ~5 v #0",
                                        "o #35 o #66 n =1 o #59 #1 o #22 v #0 n =1 v #0 n =2",
                                        "o #35 o #67 n =1 o #59 #1 o #22 v #0 n =1 v #0 v #1",
                                        "o #35 o #68 n =0 o #59 #1 o #22 v #0 n =1 v #0 v #1",
                                        "o #35 o #69 n =1 o #59 #1 o #22 v #0 n =1 v #0 v #1",
                                        "o #35 o #70 #3 o #22 v #0 n =1 o #22 v #1 n =2 v #0 v #0 n =2",
                                        "o #35 o #71 #2 o #29 v #0 n =1 o #29 v #1 n =1 v #0 n =2",
                                        "o #35 o #72 o #22 v #0 n =1 o #22 v #1 n =2 o #29 v #1 n =1 v #0 n =2",
                                        "o #35 o #73 o #22 v #0 n =0 o #22 v #1 n =0 v #0 n =2",
                                        "o #76 v #0 n =1.5",
                                        "o #77 v #0",
                                        "o #78 n =2 v #0"};
enum { OPERATORS = sizeof operators / sizeof operators[0] };

START_TEST(operators_come_back) {
  char tokens[300];
  ad_buffer b = {0};
  ad_graph *g;
  snprintf(tokens, sizeof tokens, "O #0 #0 %s x #2 #0 =0.4 #1 =1.5 b '3 '3", operators[_i]);
  nl_bytes(&b, NL_TEXT, &(nl_header){2, 0, 1, 2, 0, 0}, tokens);
  must(ad_nl_read(&g, b.data, b.size, tokens, NULL, ERR));
  for (int binary = 0; binary < 2; binary++) {
    ad_graph *back = rewritten(g, binary, tokens);
    results_same(g, NULL, back, NULL, 4, true, tokens);
    ad_graph_free(back);
  }
  ad_graph_free(g);
  ad_buffer_clear(&b);
}
END_TEST

START_TEST(all_operators_are_tested) {
  for (int c = 0; c < AD_NL_CODES; c++) {
    const ad_nl_operator *op = &ad_nl_operators[c];
    char code[16];
    bool found = op->form == AD_NL_NONE || op->form == AD_NL_REFUSED;
    snprintf(code, sizeof code, "o #%d ", c);
    for (int i = 0; i < OPERATORS; i++) found = found || strstr(operators[i], code);
    ck_assert_msg(found, "o%d is not tested", c);
  }
}
END_TEST

/* ---- Models */

static const char *meta(const ad_graph *g, const char *key) {
  for (size_t i = 0; i < ad_graph_meta_count(g); i++)
    if (!strcmp(ad_graph_meta_key(g, i), key)) return ad_graph_meta_text(g, i);
  return "none";
}

static const nl_header small = {3, 2, 2, 2, 5, 2};
static const char model[] =
    "S #0 #2 $priority #0 #5 #2 #-7 "
    "S #5 #1 $scale #1 =0.125 "
    "V #3 #2 #0 #0 =2 #2 =-1 o #5 v #1 n =2 "
    "C #0 o #41 v #3 "
    "V #4 #1 #2 #3 =3 n =1 "
    "C #1 n =0.1 "
    "O #0 #1 o #2 v #3 v #4 "
    "O #1 #0 n =0 "
    "d #1 #1 =2.5 "
    "x #1 #1 =0.3 "
    "r '0 =-1 =1 '5 #1 #3 "
    "b '0 =2 =4 '3 '1 =-6 "
    "k #2 #1 #1 "
    "J #0 #3 #0 =0 #1 =0 #2 =-3 "
    "J #1 #2 #0 =1 #2 =4 "
    "G #0 #1 #2 =1 "
    "G #1 #2 #0 =0.3 #1 =-1";

static ad_graph *read_model(void) {
  ad_buffer b = {0};
  ad_graph *g;
  nl_bytes(&b, NL_BIG, &small, model);
  must(ad_nl_read(&g, b.data, b.size, "model", NULL, ERR));
  ad_buffer_clear(&b);
  return g;
}

START_TEST(models_come_back) {
  ad_graph *g = read_model();
  for (int binary = 0; binary < 2; binary++) {
    ad_graph *back = rewritten(g, binary, "model");
    results_same(g, NULL, back, NULL, 4, true, "model");
    ck_assert_uint_eq(ad_graph_meta_count(g), ad_graph_meta_count(back));
    for (size_t i = 0; i < ad_graph_meta_count(g); i++) {
      const char *key = ad_graph_meta_key(g, i);
      if (strcmp(key, "nl.sizes") != 0) ck_assert_str_eq(meta(back, key), ad_graph_meta_text(g, i));
    }
    ck_assert_str_eq(ad_graph_name(back), "small");
    ad_graph_free(back);
  }
  ad_graph_free(g);
}
END_TEST

START_TEST(names_go_beside_the_file) {
  char folder[] = "/tmp/check_nl_write.XXXXXX", path[80];
  static const char *const files[] = {"m.nl", "m.col", "m.row"};
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ad_graph *g = read_model(), *back;
  must(ad_graph_set_meta(g, "nl.names.x", "width\nheight\ndepth", ERR));
  must(ad_graph_set_meta(g, "nl.names.con", "area\nvolume", ERR));
  must(ad_graph_set_meta(g, "nl.names.obj", "cost\nprofit", ERR));
  snprintf(path, sizeof path, "%s/%s", folder, files[0]);
  must(ad_graph_save(g, path, NULL, ERR));
  must(ad_graph_load(&back, path, NULL, ERR));
  ck_assert_str_eq(meta(back, "nl.names.x"), "width\nheight\ndepth");
  ck_assert_str_eq(meta(back, "nl.names.con"), "area\nvolume");
  ck_assert_str_eq(meta(back, "nl.names.obj"), "cost\nprofit");
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, files[i]);
    ck_assert_int_eq(unlink(path), 0);
  }
  rmdir(folder);
  ad_graph_free(back);
  ad_graph_free(g);
}
END_TEST

/* What is linear stands in J and G, what is used twice in V, and what is not differentiated is a number. */
START_TEST(parts_are_taken_apart) {
  ad_graph *g = read_text(
      "adtool: 1\ninputs: {x: [1, 2, 3], a: {value: 4, diff: no}, y: 5}\n"
      "nodes: {s: \"sin(x[0])\"}\n"
      "outputs:\n  cost: s*s + a*y - x[2] + x[2]*0.5\n  limits: stack(x[1] - 7 - (y + x[1]), s + 2*y, x[0]*x[1] - "
      "3*x[0])\n",
      "parts");
  ad_buffer b = {0};
  must(ad_nl_write(g, &b, &(ad_write_options){0}, ERR));
  static const char want[] =
      "g3 1 1 0\t# problem unknown\n 4 3 1 0 0 0\n 3 1\n 0 0\n 2 2 2\n 0 0 0 1\n 0 0 0 0 0\n 5 3\n 0 0\n 1 0 0 0 0\n"
      "V4 0 0\no41\nv0\n"
      "C0\no16\nn7\nC1\nv4\nC2\no2\nv0\nv1\n"
      "O0 0\no2\nv4\nv4\n"
      "x4\n0 1\n1 2\n2 3\n3 5\nr\n3\n3\n3\nb\n3\n3\n3\n3\n"
      "k3\n2\n3\n3\n"
      "J0 1\n3 -1\nJ1 2\n3 2\n0 0\nJ2 2\n0 -3\n1 0\n"
      "G0 3\n3 4\n2 -0.5\n0 0\n";
  ck_assert_str_eq(b.data, want);
  ad_buffer_clear(&b);
  ad_graph *back = rewritten(g, false, "parts");
  const double at[] = {1, 2, 3, 5};
  results_same(g, NULL, back, at, 4, true, "parts");
  ad_graph_free(back);
  ad_graph_free(g);
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
    if (ad_nl_write(r.g, &b, &(ad_write_options){.binary = i % 3 == 0}, ERR)) {
      ck_assert_msg(strstr(ERR->message, "no operator for") || strstr(ERR->message, "scalar form"), "%s: %s", what,
                    ERR->message);
    } else {
      ad_graph *back = read_back(&b, i % 3 == 0, what);
      results_same(r.g, NULL, back, NULL, RESULTS_BITS - 40, true, what); /* constants became doubles */
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
      "max(x, y)*2 + min(x, y) + clip(x, 0.5, w) + relu(x) + relu(-y) + relu(y - x)",
      "exp2(x) + mul_no_nan(x, y) + mul_or_zero(x, w) + log2(y) + log10(w) + sigmoid(x - y) + silu(x) + sech(y)",
      "sign(x)*y + sign(-x)*w + sign(0*x) + trunc(w) + round(w)",
      "(x < y)*x + 2*(x <= y) + 4*(x > y)*w + 8*(x >= y) + 16*(x == y) + 32*(x != y)",
      "where(x, y, w) + where(0*x, y, w)*where(x >= w, x, 3*y)*where(x != w, x, 3*y)",
      "where(x < y, x*x, y) + where(x < y, y*y, x)",
      "reduce_max(stack(x, y, w)) - reduce_min(stack(x, y, w)) + mean(stack(x, w))"};
  const double at[] = {0.4, 1.5, 3};
  for (size_t i = 0; i < sizeof infix / sizeof infix[0]; i++) {
    char text[300];
    snprintf(text, sizeof text, "adtool: 1\ninputs: {x: 0.4, y: 1.5, w: 3}\noutputs: {f: \"%s\"}\n", infix[i]);
    ad_graph *g = read_text(text, infix[i]), *back = rewritten(g, i % 2, infix[i]);
    results_same(g, at, back, at, RESULTS_BITS - 46, true, infix[i]);
    ad_graph_free(back);
    ad_graph_free(g);
  }
}
END_TEST

START_TEST(deep_expressions_take_no_stack) {
  enum { DEPTH = 200000 };
  ad_graph *g = graphs_new(), *back;
  const double start = 0.5;
  ad_node n = graphs_input(g, "x", SCALAR, &start, 1);
  for (int i = 0; i < DEPTH; i++) n = graphs_unary(g, i % 2 ? "sin" : "cos", n);
  must(ad_graph_output(g, "f", n, ERR));
  back = rewritten(g, true, "deep");
  ck_assert_double_eq(graphs_value(g, "tape", n, 0), graphs_value(back, "tape", ad_graph_output_node(back, 0), 0));
  ad_graph_free(back);
  ad_graph_free(g);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused) {
  static const struct {
    const char *inputs, *outputs, *meta, *message;
  } wrong[] = {{"{x: 1}", "{f: gelu(x)}", "{}", "no operator for gelu"},
               {"{x: [1, 2]}", "{f: softmax(x)}", "{}", "no scalar form of softmax"},
               {"{x: 1}", "{f: sin(x)*nan}", "{}", "nan"},
               {"{x: [1, nan]}", "{f: sum(x)}", "{}", "input 'x' has a nan"},
               {"{x: 1, a: {shape: [], diff: no}}", "{f: x*a}", "{}", "'a' is not differentiated and has no value"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.bounds.x: \"0:1\"}", "has 1 entries, but the graph wants 2"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.bounds.x: \"0:1 0:1 0:1\"}", "more than 2"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.bounds.x: \"0:1 0;1\"}", "'0;1'; low:high is wanted"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.sense: \"min\"}", "minimize or maximize"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.dual: \"0:1\"}", "index:value"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.suffix.x.a: \"2:1\"}", "index:value"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.suffix.y.a: \"0:1\"}", "for no suffix"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.options: \"a b\"}", "no list of numbers"},
               {"{x: [1, 2]}", "{f: sum(x)}", "{nl.sizes: \"colour:3\"}", "'colour'"},
               {"{x: [1, 2]}", "{f: \"sin(x[1])\"}", "{nl.sizes: \"binary_variables:1\"}", "does not fit the graph"}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char text[300];
    ad_buffer b = {0};
    snprintf(text, sizeof text, "adtool: 1\nmeta: %s\ninputs: %s\noutputs: %s\n", wrong[i].meta, wrong[i].inputs,
             wrong[i].outputs);
    ad_graph *g = read_text(text, wrong[i].message);
    must_fail(AD_EINPUT, wrong[i].message, ad_nl_write(g, &b, &(ad_write_options){0}, ERR));
    ad_buffer_clear(&b);
    ad_graph_free(g);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("nl_write");
  TCase *c = tcase_create("operators");
  tcase_add_loop_test(c, operators_come_back, 0, OPERATORS);
  tcase_add_test(c, all_operators_are_tested);
  suite_add_tcase(s, c);
  c = tcase_create("models");
  tcase_add_test(c, models_come_back);
  tcase_add_test(c, names_go_beside_the_file);
  tcase_add_test(c, parts_are_taken_apart);
  tcase_add_test(c, any_graph_keeps_its_values);
  tcase_add_test(c, other_operations_are_composed);
  tcase_add_test(c, deep_expressions_take_no_stack);
  tcase_add_test(c, what_cannot_be_written_is_refused);
  tcase_set_timeout(c, 120);
  suite_add_tcase(s, c);
  return suite_run(s);
}
