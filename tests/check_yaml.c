/* The YAML format: what stands where, where errors are, and that a graph that was written is read again as it was.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "mem.h"
#include "same_graph.h"
#include "suite.h"
#include "ulps.h"
#include "yaml/yaml.h"
#include "yaml_text.h"

#define ERR (&graphs_error)

/* ---- The schema */

START_TEST(schema) {
  ad_graph *g = yaml_reads(
      "# a comment\n"
      "outputs: [s, 'two words']\n"
      "nodes:\n"
      "  s: {op: sum, args: [\"W @ x\"], axis: [0]}\n"
      "  two words: {expr: 's*c[0]'}\n"
      "  c: [[0.1, 1/3], [pi, 2]]\n"
      "  'd': {shape: [rows], fill: 7, dtype: f32}\n"
      "  e2: {op: max, args: [x]}\n"
      "inputs:\n"
      "  W: {shape: [rows, 2], value: [1, 2, 3, 4, 5, 6], diff: no}\n"
      "  x: {shape: [2], dtype: f64}\n"
      "  q:\n"
      "kinks: {abs: -1, relu: 0.5, ties: last, pow00: nan}\n"
      "meta: {author: 'someone', empty: ''}\n"
      "dims: {rows: 3}\n"
      "name: all of it\n"
      "adtool: 1\n");
  ck_assert_str_eq(ad_graph_name(g), "all of it");
  const ad_kinks k = ad_graph_kinks(g);
  ck_assert(k.abs_at_zero == -1 && k.relu_at_zero == 0.5 && k.ties == AD_TIES_LAST && k.pow00_nan);
  ck_assert_uint_eq(ad_graph_meta_count(g), 2);
  ck_assert_str_eq(ad_graph_meta_text(g, 0), "someone");
  ck_assert_uint_eq(ad_graph_input_count(g), 3);
  ck_assert(ad_graph_input_fixed(g, 0) && !ad_graph_input_fixed(g, 1));
  ck_assert_uint_eq(ad_graph_node_values(g, 0).count, 6);
  ck_assert_uint_eq(ad_graph_node_values(g, 1).count, 0);
  ck_assert_int_eq(ad_graph_node_dtype(g, 1), AD_F64);
  ad_node d = ad_graph_find_node(g, "d");
  ck_assert_int_eq(ad_graph_node_dtype(g, d), AD_F32);
  ck_assert_uint_eq(ad_graph_node_values(g, d).count, 1);
  const ad_shape three = SHAPE(3);
  ck_assert(ad_shape_equal(ad_graph_node_shape(g, d), &three));
  ck_assert_str_eq(ad_op_get(ad_graph_node_op(g, ad_graph_find_node(g, "e2")))->name, "reduce_max");
  ck_assert_str_eq(ad_graph_output_name(g, 1), "two words");
  ck_assert_uint_eq(ad_graph_output_node(g, 1), ad_graph_find_node(g, "two words"));
  yaml_round_trip(g, "schema");
  ad_graph_free(g);
}
END_TEST

/* In a file in order, entries become nodes in that order, and an expression's parts come before it, from the left. */
START_TEST(order_of_nodes) {
  static const char *const want[] = {"x", "y", "2", "mul(x 2)", "a", "sin(y)", "b", "1", "sub(a 1)", "mul(sub(a 1) 2)"};
  ad_graph *g = yaml_reads(
      "adtool: 1\ninputs: {x: 1, y: 2}\nnodes:\n  a: x*2 + y\n  b: sin(y)*x*2\n  alias: a\noutputs:\n  f: (alias - "
      "1)*2\n");
  ck_assert_uint_eq(ad_graph_node_count(g), 11);
  for (ad_node n = 0, k = 0; n < ad_graph_node_count(g); n++) {
    ad_buffer b = {0};
    if (n == 6) continue; /* sin(y)*x */
    yaml_show(g, n, &b);
    ck_assert_msg(!strcmp(b.data, want[k]), "node %u is %s, not %s", n, b.data, want[k]);
    ad_buffer_clear(&b);
    k++;
  }
  yaml_round_trip(g, "order");
  ad_graph_free(g);
}
END_TEST

/* The same definitions in any order are the same function, and a chain as long as the file needs no stack. */
START_TEST(long_chains) {
  const unsigned n = (unsigned)(100000 * ulps_multiplier());
  ad_buffer b = {0};
  ad_buffer_puts(&b, "adtool: 1\noutputs: {f: v0}\nnodes:\n");
  for (unsigned i = 0; i < n; i++) ad_buffer_printf(&b, "  v%u: v%u + 1\n", i, i + 1);
  ad_buffer_printf(&b, "  v%u: x\ninputs: {x: 1}\n", n);
  ad_graph *g = yaml_reads(b.data);
  ck_assert_uint_eq(ad_graph_node_count(g), n + 2);
  ck_assert_double_eq(graphs_value(g, "tape", ad_graph_output_node(g, 0), 0), n + 1);
  yaml_round_trip(g, "chain");
  ad_graph_free(g);
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\ninputs: {x: 1, W: [1]}\noutputs:\n  f: x");
  for (unsigned i = 0; i < 100000; i++) ad_buffer_puts(&b, " + x");
  ad_buffer_puts(&b, "\n");
  g = yaml_reads(b.data);
  ck_assert_double_eq(graphs_value(g, "dual", ad_graph_output_node(g, 0), 0), 100001);
  yaml_round_trip(g, "long sum");
  ad_graph_free(g);
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\ninputs: {W: [1]}\noutputs:\n  f: W");
  for (unsigned i = 0; i < 100000; i++) ad_buffer_puts(&b, "[:]");
  ad_buffer_puts(&b, "\n");
  g = yaml_reads(b.data);
  yaml_round_trip(g, "long index");
  ad_graph_free(g);
  ad_buffer_clear(&b);
}
END_TEST

/* A diamond of needs in reverse order, where a definition waits in several places: no cycle. */
START_TEST(shared_needs) {
  ad_graph *g = yaml_reads(
      "adtool: 1\ninputs: {x: 1}\nnodes:\n  a: b*c*d\n  b: c + d\n  c: d*2\n  d: x + 1\n  e: a*b*c*d\noutputs: [e]\n");
  ck_assert_double_eq(graphs_value(g, "tape", ad_graph_output_node(g, 0), 0), 2304);
  ad_graph_free(g);
  yaml_refused("adtool: 1\nnodes:\n  a: b + c\n  b: c + 1\n  c: d + 1\n  d: b\noutputs: [a]\n", AD_EINPUT, 6, 6,
               "'b' needs itself: b -> c -> d -> b");
}
END_TEST

/* ---- Errors */

/* Places inside quotes, over several lines, behind long lines and after other characters than ASCII. */
START_TEST(places) {
  yaml_refused("adtool: 1\noutputs: {f: \"1 + zz\"}\n", AD_EINPUT, 2, 19, "unknown name 'zz'");
  yaml_refused("adtool: 1\noutputs: {f: '1 + zz'}\n", AD_EINPUT, 2, 19, "unknown name 'zz'");
  yaml_refused("adtool: 1\noutputs:\n  f: 1 +\n     2 +\n       zz\n", AD_EINPUT, 5, 8, "unknown name 'zz'");
  yaml_refused("adtool: 1\noutputs:\n  f: |\n    1 +\n    zz\n", AD_EINPUT, 5, 5, "unknown name 'zz'");
  yaml_refused("adtool: 1\noutputs:\n  f: >-\n    1 +\n    zz\n", AD_EINPUT, 5, 5, "unknown name 'zz'");
  yaml_refused("adtool: 1\noutputs: {f: \"1\\x20+ zz\"}\n", AD_EINPUT, 2, 14,
               "unknown name 'zz'"); /* up to the escape */
  yaml_refused("adtool: 1\ninputs: {\xC3\xA9t\xC3\xA9: 1}\noutputs: {f: \xC3\xA9t\xC3\xA9*zz}\n", AD_EINPUT, 3, 18,
               "'zz'");
  yaml_refused(
      "\xEF\xBB\xBF"
      "adtool: 2\n",
      AD_EINPUT, 1, 9, "version 1");
  yaml_refused("adtool: 1\r\noutputs: {f: zz}\r\n", AD_EINPUT, 2, 14, "'zz'");
  ck_assert_str_eq(graphs_error.excerpt, "outputs: {f: zz}");
  char text[4000];
  snprintf(text, sizeof text, "adtool: 1\noutputs: {f: %1500d + zz + %1500d}\n", 1, 1);
  yaml_refused(text, AD_EINPUT, 2, 1517, "'zz'");
  ck_assert(!strncmp(graphs_error.excerpt + graphs_error.excerpt_column - 1, "zz", 2));
}
END_TEST

START_TEST(limits) {
  ad_graph *g = NULL;
  ad_buffer b = {0};
  ad_buffer_puts(&b, "adtool: 1\nmeta: ");
  for (int i = 0; i < 200000; i++) ad_buffer_puts(&b, "[");
  must_fail(AD_ELIMIT, "deeper than 64", yaml_read_text(&g, b.data, NULL));
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\nmeta:\n  ");
  for (int i = 0; i < 100000; i++) ad_buffer_puts(&b, "- ");
  must_fail(AD_ELIMIT, "deeper than 64", yaml_read_text(&g, b.data, NULL));
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\nmeta: {a: ");
  for (int i = 0; i < 200; i++) ad_buffer_puts(&b, "x");
  ad_buffer_puts(&b, "}\n");
  must_fail(AD_ELIMIT, "above the limit of 100", yaml_read_text(&g, b.data, &(ad_limits){.max_scalar = 100}));
  static const char *const nests[] = {"(", "-", "2^", "sin(", "max(1,", "sum(1, axis=["};
  for (size_t k = 0; k < sizeof nests / sizeof nests[0]; k++) {
    b.size = 0;
    ad_buffer_puts(&b, "adtool: 1\noutputs:\n  f: '");
    for (int i = 0; i < 100000; i++) ad_buffer_puts(&b, k == 5 && i ? "[" : nests[k]);
    ad_buffer_puts(&b, "'\n");
    must_fail(AD_ELIMIT, "deeper than 256", yaml_read_text(&g, b.data, NULL));
    must_fail(AD_ELIMIT, "deeper than 2000", yaml_read_text(&g, b.data, &(ad_limits){.max_expr_depth = UINT32_MAX}));
  }
  must_fail(AD_ELIMIT, "more than 3 nodes",
            yaml_read_text(&g, "adtool: 1\ninputs: {x: 1}\noutputs: {f: x*x*x*x}\n", &(ad_limits){.max_nodes = 3}));
  must_fail(AD_ELIMIT, "more than 10 elements",
            yaml_read_text(&g, "adtool: 1\ninputs: {x: {shape: [11], fill: 0}}\noutputs: [x]\n",
                           &(ad_limits){.max_elements = 10}));
  /* libyaml compares each tag directive with all before it */
  b.size = 0;
  for (int i = 0; i < 100000; i++) ad_buffer_printf(&b, "%%TAG !%d! x\n", i);
  must_fail(AD_EINPUT, "directive", yaml_read_text(&g, b.data, NULL));
  ck_assert_ptr_null(g);
  ad_buffer_clear(&b);
}
END_TEST

START_TEST(sniffing) {
  ck_assert(ad_yaml_sniff("adtool: 1\n", 10));
  ck_assert(ad_yaml_sniff("", 0));
  ck_assert(
      ad_yaml_sniff("\xFF\xFE"
                    "a\0",
                    4));
  ck_assert(
      !ad_yaml_sniff("\x89"
                     "ADG\r\n\x1A\n",
                     8));
  ck_assert(!ad_yaml_sniff("a\0b", 3));
}
END_TEST

/* ---- Round trips */

START_TEST(random_graphs_read_back) {
  const uint64_t first = 1000 * (uint64_t)_i;
  for (uint64_t seed = first; seed < first + (uint64_t)(60 * ulps_multiplier()); seed++) {
    ad_graph *g = graph_of_everything(seed);
    char what[40];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    yaml_round_trip(g, what);
    ad_graph_free(g);
  }
}
END_TEST

/* What people wrote comes back in the form that they wrote. */
START_TEST(written_form) {
  static const char text[] =
      "adtool: 1\n"
      "name: squared-error\n"
      "inputs:\n"
      "  w: 1\n"
      "  x: {shape: [2], fill: 1/3}\n"
      "  y:\n"
      "nodes:\n"
      "  r: w*x - y\n"
      "  s: sum(r^2, axis=0)\n"
      "  m: max(r[::-1], 0.1)\n"
      "  \"%15\": exp(s)\n"
      "  t: -%15/2 + sqrt(%15*pi)\n"
      "outputs:\n"
      "  loss: s + t + max(m)/2\n";
  ad_graph *g = yaml_reads(text);
  ad_buffer b = yaml_written(g, false);
  ad_graph_free(g);
  g = yaml_reads(b.data);
  ad_buffer again = yaml_written(g, false);
  ck_assert_str_eq(b.data, again.data);
  ck_assert_msg(strstr(b.data, "  r: w*x - y\n") && strstr(b.data, "  x: {shape: [2], fill: 1/3}\n") &&
                    strstr(b.data, "  y:\n") && strstr(b.data, "  m: max(r[::-1], 0.1)\n") &&
                    strstr(b.data, "  loss: s + t + max(m)/2\n"),
                "%s", b.data);
  ad_graph_free(g);
  ad_buffer_clear(&b);
  ad_buffer_clear(&again);
}
END_TEST

/* Attributes and argument lists that would be too long for an expression. */
START_TEST(large_operations_read_back) {
  enum { MANY = 300000 };
  ad_graph *g = graphs_new();
  ad_node x = graphs_input(g, "x", SHAPE(10), NULL, 0), out;
  int64_t *index = calloc(MANY, sizeof *index);
  ad_node *args = calloc(MANY, sizeof *args);
  for (int i = 0; i < MANY; i++) index[i] = i % 10, args[i] = x;
  must(ad_graph_apply(g, &out, ad_op_find("gather"), 1, &x, 1, &(ad_attr){"indices", SHAPE(MANY / 3, 3), index}, ERR));
  must(ad_graph_apply(g, &out, ad_op_find("concat"), MANY, args, 0, NULL, ERR));
  must(ad_graph_apply(g, &out, ad_op_find("gather"), 1, &x, 1, &(ad_attr){"indices", SHAPE(0, 3), index}, ERR));
  must(ad_graph_output(g, "f", out, ERR));
  yaml_round_trip(g, "large operations");
  ad_graph_free(g);
  free(index);
  free(args);
}
END_TEST

/* What a graph keeps, every format can write: texts are UTF-8 with any control characters, and what stands for sections
 * of .adg is one. */
START_TEST(metadata_comes_back) {
  static const char *const texts[] = {"",
                                      "a\x1b[31m\x7f\x01\n\r\t b ",
                                      "\xC2\x85\xC2\x9B",
                                      "\xE2\x80\xAE\xE2\x81\xA6 \xE2\x80\xA8",
                                      "\xEF\xBB\xBF\xEF\xBF\xBE\xF4\x8F\xBF\xBF",
                                      "Andr\xC3\xA9"};
  static const char *const bad[] = {"Andr\xE9",         "\x80",        "\xC2", "\xE2\x80", "\xC0\x80", "\xED\xA0\x80",
                                    "\xF4\x90\x80\x80", "\xE2\x28\xA1"};
  ad_graph *g = graphs_new();
  ad_node x;
  char key[20];
  must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x"}, ERR));
  must(ad_graph_output(g, "f", x, ERR));
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    snprintf(key, sizeof key, "text%zu", i);
    must(ad_graph_set_meta(g, key, texts[i], ERR));
  }
  must(ad_graph_set_meta(g, "adg.section.aZ09", "00ff", ERR));
  yaml_round_trip(g, "metadata");
  ad_buffer b = yaml_written(g, false);
  static const char *const steering[] = {"\x1b",     "\x7f",     "\r",           "\t",
                                         "\xC2\x85", "\xC2\x9B", "\xE2\x80\xAE", "\xE2\x81\xA6"};
  for (size_t i = 0; i < sizeof steering / sizeof steering[0]; i++) ck_assert_ptr_null(strstr(b.data, steering[i]));
  ad_buffer_clear(&b);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    must_fail(AD_EINPUT, "not UTF-8", ad_graph_set_meta(g, "author", bad[i], ERR));
  static const char *const sections[][2] = {
      {"adg.section.foo", "00"}, {"adg.section.fooba", "00"}, {"adg.section.Foob", "00"}, {"adg.section.fo-b", "00"},
      {"adg.section.foob", "0"}, {"adg.section.foob", "0g"},  {"adg.section.foob", "0A"}, {"adg.section.", ""}};
  for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
    must_fail(AD_EINPUT, "no kept section", ad_graph_set_meta(g, sections[i][0], sections[i][1], ERR));
  ad_graph_free(g);
}
END_TEST

/* A number sign in a text is no comment; the line of the first one counts. */
START_TEST(comments_are_found) {
  static const struct {
    const char *text;
    int64_t line;
  } cases[] = {
      {"adtool: 1\n", 0},
      {"", 0},
      {"#\n", 1},
      {"a: 1\n# b", 2},
      {"a: 1 # b\n", 1},
      {"a: 1#b\n", 0},
      {"a: x#y # z\n", 1},
      {"a: \"# b\"\nc: '# d'\n", 0},
      {"a: \"x\n  # b\n  y\"\nc: 1 # d\n", 4},
      {"a: 'it''s # no' # yes\n", 1},
      {"a: \"\\\" # no\"\n", 0},
      {"a: |\n  # b\n  c # d\n", 0},
      {"a: |  # b\n  c\n", 1},
      {"a: >-\t# b\n  c\n", 1},
      {"a: |2\n   # b\n\n  c\n# d\n", 5},
      {"a: |\n  b\n # c\nd: 1\n", 3},
      {"a: |+\n  b\n\n", 0},
      {"a: >\n  b # c\nd: e # f\n", 3},
      {"{a: 1, # b\n c: [1, 2]}\n", 1},
      {"a:\n  - 1\n  # b\n  - 2\n", 3},
      {"a: b\n  c\n  # d\n", 3},
      {"a: b # c\n  \n", 1},
      {"\xEF\xBB\xBF"
       "a: 1\n#\n",
       2},
      {"\xC3\xA9: \"\xE2\x82\xAC # \xF0\x9F\x98\x80\"\r\nb: |\r\n  \xC3\xA9 # c\r\nd: 1 # e\r\n", 4},
      {"\"a # b\": 1\n? c\n: d # e\n", 3},
      {"--- # a\nb: 1\n", 1},
      {"a: 1\n... # b\n", 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t line = -1;
    ck_assert_msg(!ad_yaml_find_comment(cases[i].text, strlen(cases[i].text), &line, ERR), "%s in\n%s",
                  graphs_error.message, cases[i].text);
    ck_assert_msg(line == cases[i].line, "line %lld of\n%s", (long long)line, cases[i].text);
  }
}
END_TEST

/* Every spelling of YAML 1.1, and those of JSON as Python writes it, as values, constants and in expressions. */
START_TEST(infinities_and_nan) {
  static const char *const text[] = {".inf", ".Inf", ".INF", "inf", "Infinity"}, *const none[] = {".nan", ".NaN",
                                                                                                  ".NAN", "nan", "NaN"};
  for (int i = 0; i < 5; i++) {
    char file[400];
    snprintf(file, sizeof file,
             "adtool: 1\ninputs: {x: %s, y: [-%s, +%s], z: %s}\nnodes: {c: [%s], d: %s, e: {value: -%s}%s%s%s}\n"
             "outputs: {f: x}\n",
             text[i], text[i], text[i], none[i], text[i], i < 4 ? text[i] : "inf", text[i], i < 3 ? ", h: 2*-" : "",
             i < 3 ? text[i] : "", i < 3 ? " + 1" : "");
    ad_graph *g = yaml_reads(file);
    ck_assert_double_eq(ad_graph_node_values(g, 0).value[0], INFINITY);
    ck_assert_double_eq(ad_graph_node_values(g, 1).value[0], -INFINITY);
    ck_assert_double_eq(ad_graph_node_values(g, 1).value[1], INFINITY);
    ck_assert(isnan(ad_graph_node_values(g, 2).value[0]));
    ck_assert_double_eq(ad_graph_node_values(g, ad_graph_find_node(g, "d")).value[0], INFINITY);
    ck_assert_double_eq(ad_graph_node_values(g, ad_graph_find_node(g, "e")).value[0], -INFINITY);
    yaml_round_trip(g, text[i]);
    ad_graph_free(g);
  }
  yaml_refused("adtool: 1\noutputs: {f: 1 + .information}\n", AD_EINPUT, 2, 18, "no meaning");
}
END_TEST

/* ---- Points */

START_TEST(points) {
  ad_graph *g = yaml_reads(
      "adtool: 1\ninputs: {x: 1, W: {shape: [2, 2], fill: 0}, h: {shape: [2], dtype: f32}}\n"
      "outputs: {f: x + sum(W) + sum(h)}\n");
  ad_point *p;
  must(ad_point_new(&p, g, ERR));
  must(ad_point_set_text(p, "x", "0.1", ERR));
  must(ad_point_set_text(p, "W", "[[1, 2], [3, 4]]", ERR));
  must(ad_point_set_text(p, "W", "[1, 2, 3, 4]", ERR));
  must(ad_point_set_text(p, "h", "1/3", ERR));
  must_fail(AD_EINPUT, "no input 'hh' (did you mean 'h'?)", ad_point_set_text(p, "hh", "1", ERR));
  must_fail(AD_EINPUT, "has 3 numbers", ad_point_set_text(p, "W", "[1, 2, 3]", ERR));
  must_fail(AD_EINPUT, "has shape [1, 4], but 'W' has [2, 2]", ad_point_set_text(p, "W", "[[1, 2, 3, 4]]", ERR));
  must_fail(AD_EINPUT, "is not a number", ad_point_set_text(p, "x", "one", ERR));
  must_fail(AD_EINPUT, "not YAML", ad_point_set_text(p, "x", "[1", ERR));
  must_fail(AD_EINPUT, "empty", ad_point_set_text(p, "x", "", ERR));
  char path[] = "/tmp/adtool-point-XXXXXX";
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  FILE *f = fdopen(fd, "w");
  fputs("{\"x\": 5,\n\t\"W\": [[1, 2],\t[3, -4e0]], \"h\": 0.5}\n", f);
  fclose(f);
  must(ad_point_load(p, path, ERR));
  ad_program *program;
  ad_workspace *w;
  must(ad_program_new(&program, g, &(ad_program_options){0}, ERR));
  must(ad_workspace_new(&w, program, ad_backend_find("tape"), &(ad_workspace_options){0}, ERR));
  must(ad_workspace_set_point(w, p, ERR));
  must(ad_workspace_primal(w, ERR));
  ad_span v = ad_workspace_value(w, ad_graph_output_node(g, 0));
  ck_assert_double_eq(ad_span_double(&v, 0), 8);
  f = fopen(path, "w"); /* all or nothing */
  fputs("x: 7\nhh: 1\n", f);
  fclose(f);
  must_fail(AD_EINPUT, "no input 'hh'", ad_point_load(p, path, ERR));
  ck_assert_int_eq(graphs_error.line, 2);
  must(ad_workspace_set_point(w, p, ERR));
  must(ad_workspace_primal(w, ERR));
  ck_assert_double_eq(ad_span_double(&v, 0), 8);
  must_fail(AD_EIO, "can't open", ad_point_load(p, "/nowhere/at/all", ERR));
  remove(path);
  ad_workspace_free(w);
  ad_program_free(program);
  ad_point_free(p);
  ad_graph_free(g);
}
END_TEST

/* ---- Any bytes */

static uint64_t random_state;

static uint64_t draw(uint64_t below) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (random_state * 0x2545F4914F6CDD1Du >> 33) % below;
}

/* Replaces, removes, repeats and inserts at random. */
static void mutate(ad_buffer *b) {
  static const char *const parts[] = {
      "(",    ")",     "[",      "]",    "{",  "}",           ": ",  "- ", "\n",   "\n  ",
      "'",    "\"",    "`",      "%",    "&a", "*a",          "!t",  "|",  ">",    "#",
      ",",    "0",     "1e9",    "-",    "/",  "^",           "@",   "<<", "\xC3", "\xEF\xBB\xBF",
      "\t",   "x",     "x: ",    "args", "op", "...",         "---", "\r", "\\",   "?",
      "max(", "axis=", "[::-1]", "nan",  "pi", "{shape: [0]}"};
  for (uint64_t k = 1 + draw(4); k > 0; k--) {
    size_t at = draw(b->size + 1), n = draw(12);
    if (at + n > b->size) n = b->size - at;
    ad_buffer out = {0};
    ad_buffer_put(&out, b->data, at);
    switch (draw(5)) {
      case 0:
        ad_buffer_puts(&out, parts[draw(sizeof parts / sizeof parts[0])]);
        break;
      case 1:
        ad_buffer_put(&out, &(char){(char)draw(256)}, 1);
        break;
      case 2:
        ad_buffer_put(&out, b->data + at, n);
        ad_buffer_put(&out, b->data + at, n);
        break;
      case 3: {
        size_t from = draw(b->size + 1), m = draw(40);
        ad_buffer_put(&out, b->data + from, from + m > b->size ? b->size - from : m);
        break;
      }
      default:
        break;
    }
    ad_buffer_put(&out, b->data + at + n, b->size - at - n);
    ad_buffer_clear(b);
    *b = out;
  }
}

/* Either a graph that reads back, or one error with a place in the file. */
static void survive(const ad_buffer *b) {
  ad_graph *g = NULL;
  ad_limits l = {.max_nodes = 10000, .max_elements = 100000};
  if (!ad_yaml_read(&g, b->data, b->size, "t.yaml", &l, ERR)) {
    yaml_round_trip(g, b->data);
    ad_graph_free(g);
    return;
  }
  ck_assert_ptr_null(g);
  ck_assert_msg(*graphs_error.message && !strchr(graphs_error.message, '\n'), "no message for:\n%s", b->data);
  ck_assert_msg(graphs_error.line > 0 && graphs_error.column > 0, "no place for '%s' in:\n%s", graphs_error.message,
                b->data);
  ck_assert_msg(graphs_error.excerpt_column <= (int)strlen(graphs_error.excerpt) + 1,
                "a caret behind the line, in:\n%s", b->data);
}

START_TEST(any_bytes) {
  static const char *const seeds[] = {
      "adtool: 1\nname: n\ndims: {n: 2}\nkinks: {abs: 1}\nmeta: {a: b}\ninputs:\n  x: 1\n  W: {shape: [n, 2], value: "
      "[[1, "
      "2], [3, 4]]}\nnodes:\n  a: sum(W @ W, axis=[0], keepdims=no)[0]*x\n  b: {op: max, args: [a, \"max(x, 1/3)\"]}\n "
      " c: "
      "[1, pi]\n  \"%9\": -x^2\n  `q`: '%9 + `a` < b'\noutputs:\n  f: a + b*%9\n  g: c[::-1]\n",
      "{adtool: 1, inputs: {x: {shape: [], fill: 0x1p3, dtype: f32, diff: no}}, nodes: {y: \"leaky_relu(x)\", z: {op: "
      "gather, args: [v], indices: [[0]], axis: 0}, v: {value: [1, 2], dtype: f64}}, outputs: [y, z]}\n",
      "adtool: 1\noutputs:\n  f: |\n    1 +\n    2\n  g: >\n    3 *\n    4\nnodes:\n  a:\n    expr: b\n  b: 'c'\n  c: "
      "e\n"};
  random_state = 88172645463325252u + (uint64_t)_i;
  for (unsigned k = 0; k < 4000 * ulps_multiplier(); k++) {
    ad_buffer b = {0};
    ad_buffer_puts(&b, seeds[draw(3)]);
    mutate(&b);
    survive(&b);
    ad_buffer_clear(&b);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("yaml");
  TCase *c = tcase_create("yaml");
  tcase_set_timeout(c, 300);
  tcase_add_test(c, schema);
  tcase_add_test(c, order_of_nodes);
  tcase_add_test(c, long_chains);
  tcase_add_test(c, shared_needs);
  tcase_add_test(c, places);
  tcase_add_test(c, limits);
  tcase_add_test(c, sniffing);
  tcase_add_loop_test(c, random_graphs_read_back, 0, 8);
  tcase_add_test(c, written_form);
  tcase_add_test(c, large_operations_read_back);
  tcase_add_test(c, metadata_comes_back);
  tcase_add_test(c, comments_are_found);
  tcase_add_test(c, infinities_and_nan);
  tcase_add_test(c, points);
  tcase_add_loop_test(c, any_bytes, 0, 4);
  suite_add_tcase(s, c);
  return suite_run(s);
}
