/* The YAML format: what expressions mean, where errors are, and that a graph that was written is read again as it was.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "mem.h"
#include "same_graph.h"
#include "yaml/yaml.h"
#include "suite.h"

#define ERR (&graphs_error)

static unsigned multiplier(void) {
  const char *s = getenv("ADTOOL_TEST_MULTIPLIER");
  unsigned n = s ? (unsigned)strtoul(s, NULL, 10) : 1;
  return n ? n : 1;
}

static ad_status read_text(ad_graph **g, const char *text, const ad_limits *l) {
  return ad_yaml_read(g, text, strlen(text), "t.yaml", l, ERR);
}

static ad_graph *reads(const char *text) {
  ad_graph *g = NULL;
  ad_status s = read_text(&g, text, NULL);
  ck_assert_msg(!s, "%d:%d: %s, in:\n%s", (int)graphs_error.line, (int)graphs_error.column, graphs_error.message, text);
  return g;
}

static void refused(const char *text, ad_status want, int64_t line, int64_t column, const char *part) {
  ad_graph *g = NULL;
  must_fail(want, part, read_text(&g, text, NULL));
  ck_assert_msg(graphs_error.line == line && graphs_error.column == column, "%s: at %d:%d, not %d:%d",
                graphs_error.message, (int)graphs_error.line, (int)graphs_error.column, (int)line, (int)column);
  ck_assert_ptr_null(g);
}

static ad_buffer write_graph(const ad_graph *g, bool explicit_nodes) {
  ad_buffer b = {0};
  must(ad_yaml_write(g, &b, &(ad_write_options){.explicit_nodes = explicit_nodes}, ERR));
  return b;
}

/* Writes, reads, compares; in both forms. */
static void round_trip(const ad_graph *g, const char *what) {
  for (int k = 0; k < 2; k++) {
    ad_buffer b = write_graph(g, k);
    ad_graph *back = NULL;
    ad_status s = ad_yaml_read(&back, b.data, b.size, "t.yaml", NULL, ERR);
    ck_assert_msg(!s, "%s: %d:%d: %s, in:\n%s", what, (int)graphs_error.line, (int)graphs_error.column,
                  graphs_error.message, b.data);
    char named[200];
    snprintf(named, sizeof named, "%s%s", what, k ? ", explicit" : "");
    same_graph(g, back, named);
    ad_graph_free(back);
    ad_buffer_clear(&b);
  }
}

/* ---- Expressions */

/* A node as calls of table operations. */
static void show(const ad_graph *g, ad_node n, ad_buffer *b) {
  const ad_op_info *info = ad_op_get(ad_graph_node_op(g, n));
  const ad_node *args;
  size_t count = ad_graph_node_args(g, n, &args);
  if (ad_graph_node_name(g, n)) {
    ad_buffer_puts(b, ad_graph_node_name(g, n));
  } else if (info->cls == AD_CLASS_LEAF) {
    const ad_values v = ad_graph_node_values(g, n);
    const char *text = ad_values_text(&v, 0);
    ad_buffer_printf(b, text ? "%s" : "%s%g", text ? text : "", v.value[0]);
  } else {
    ad_buffer_printf(b, "%s(", info->name);
    for (size_t i = 0; i < count; i++) {
      if (i) ad_buffer_puts(b, " ");
      show(g, args[i], b);
    }
    for (int k = 0; k < info->attr_count; k++) {
      const ad_attr a = ad_graph_node_attr(g, n, k);
      ad_buffer_printf(b, " %s", info->attr[k].name);
      for (int64_t i = 0; a.value && i < ad_shape_size(&a.shape); i++)
        ad_buffer_printf(b, "%c%lld", i ? ',' : '=', (long long)a.value[i]);
    }
    ad_buffer_puts(b, ")");
  }
}

static const char *const preamble =
    "adtool: 1\n"
    "dims: {n: 2, rows: 3}\n"
    "inputs: {x: 1, y: 2, z: 3, v: [1, 2, 3], W: [[1, 2], [3, 4], [5, 6]], a b: 4, \xC3\xA9: 5, x1: 0}\n";

static void means(const char *expression, const char *want) {
  char text[2000];
  snprintf(text, sizeof text, "%soutputs:\n  f: '%s'\n", preamble, expression);
  ad_graph *g = reads(text);
  ad_buffer b = {0};
  show(g, ad_graph_output_node(g, 0), &b);
  ck_assert_msg(!strcmp(b.data, want), "%s means %s, not %s", expression, b.data, want);
  round_trip(g, expression);
  ad_buffer_clear(&b);
  ad_graph_free(g);
}

START_TEST(precedence) {
  means("x + y*z", "add(x mul(y z))");
  means("(x + y)*z", "mul(add(x y) z)");
  means("x - y - z", "sub(sub(x y) z)");
  means("x - (y - z)", "sub(x sub(y z))");
  means("x/y/z", "div(div(x y) z)");
  means("x/(y*z)", "div(x mul(y z))");
  means("x*y/z", "div(mul(x y) z)");
  means("x^y^z", "pow(x pow(y z))");
  means("x**y", "pow(x y)");
  means("(x^y)^z", "pow(pow(x y) z)");
  means("-x^2", "neg(pow(x 2))");
  means("(-x)^2", "pow(neg(x) 2)");
  means("2^-1", "pow(2 -1)");
  means("2^-x", "pow(2 neg(x))");
  means("x^-y^z", "pow(x neg(pow(y z)))");
  means("-x*y", "mul(neg(x) y)");
  means("-(x*y)", "neg(mul(x y))");
  means("--x", "neg(neg(x))");
  means("x - -y", "sub(x neg(y))");
  means("+x", "x");
  means("x < y + z", "less(x add(y z))");
  means("(x < y) < z", "less(less(x y) z)");
  means("x <= y", "less_equal(x y)");
  means("x > y", "greater(x y)");
  means("x >= y", "greater_equal(x y)");
  means("x == y", "equal(x y)");
  means("x != y", "not_equal(x y)");
  means("v @ W", "matmul(v W)");
  means("2*v @ W", "matmul(mul(2 v) W)");
  means("sin(x)^2", "pow(sin(x) 2)");
  means(" x\t+ y ", "add(x y)");
}
END_TEST

START_TEST(numbers_in_expressions) {
  means("x + 0.1", "add(x 0.1)");
  means("1/3", "1/3");
  means("-1/3", "-1/3");
  means("1/3*x", "mul(1/3 x)");
  means("x*1/3", "div(mul(x 1) 3)");
  means("x*(1/3)", "mul(x 1/3)");
  means("1/3/2", "div(1/3 2)");
  means("1/3^2", "div(1 pow(3 2))");
  means("2^1/3", "div(pow(2 1) 3)");
  means("4/2", "2");
  means("div(1, 3)", "div(1 3)");
  means("1/0", "div(1 0)");
  means("1/-3", "div(1 -3)");
  means("1.0/3", "div(1 3)");
  means("-2", "-2");
  means("--2", "2");
  means("neg(2)", "neg(2)");
  means("-2^2", "neg(pow(2 2))");
  means("0x1.8p+1", "3");
  means("1e3", "1000");
  means(".5", "0.5");
  means("pi", "pi");
  means("-pi", "-pi");
  means("neg(pi)", "neg(pi)");
  means("-e*x", "mul(-e x)");
  means("-inf", "-inf");
  means("x + nan", "add(x nan)");
}
END_TEST

/* However a number is written, it is one node; a name of the file hides pi and e. */
START_TEST(equal_numbers_are_one_node) {
  ad_graph *g = reads("adtool: 1\ninputs: {x: 1}\noutputs: {f: 'x*2 + 2.0*x + x*(4/2) + 0x2*x + 1/3 + 2/6 + 1/3'}\n");
  size_t constants = 0;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) constants += ad_graph_node_op(g, n) == ad_op_find("constant");
  ck_assert_uint_eq(constants, 3); /* 2, 1/3, 2/6 */
  round_trip(g, "numbers");
  ad_graph_free(g);
  g = reads("adtool: 1\ninputs: {pi: 3}\nnodes: {a: -pi, b: '-`pi`', c: -e, e: 2}\noutputs: [a, b, c]\n");
  const ad_op neg = ad_op_find("neg");
  for (size_t i = 0; i < 3; i++) ck_assert_uint_eq(ad_graph_node_op(g, ad_graph_output_node(g, i)), neg);
  round_trip(g, "hidden names");
  ad_graph_free(g);
}
END_TEST

START_TEST(calls) {
  means("max(v)", "reduce_max(v axis=0 keepdims=0)");
  means("min(W, axis=1)", "reduce_min(W axis=1 keepdims=0)");
  means("max(x, y)", "max(x y)");
  means("max(x, y, z, 4)", "max(max(max(x y) z) 4)");
  means("min(x, y, z)", "min(min(x y) z)");
  means("sum(W)", "sum(W axis=0,1 keepdims=0)");
  means("sum(W, axis=-1, keepdims=yes)", "sum(W axis=1 keepdims=1)");
  means("sum(W, axis=[0, 1], keepdims=false)", "sum(W axis=0,1 keepdims=0)");
  means("sum(W, axis=[])", "sum(W axis keepdims=0)");
  means("reshape(W, shape=[n, rows])", "reshape(W shape=2,3)");
  means("reshape(W, shape=[-1])", "reshape(W shape=6)");
  means("transpose(W)", "transpose(W perm=1,0)");
  means("transpose(W, perm=[0, 1])", "transpose(W perm=0,1)");
  means("gather(v, indices=[[0, 2], [1, 1]])", "gather(v indices=0,2,1,1 axis=0)");
  means("gather(v, indices=n)", "gather(v indices=2 axis=0)");
  means("concat(v, v, axis=0)", "concat(v v axis=0)");
  means("leaky_relu(x)", "leaky_relu(x 0.01)");
  means("leaky_relu(x) + leaky_relu(y)", "add(leaky_relu(x 0.01) leaky_relu(y 0.01))");
  means("where(x < y, x, -inf)", "where(less(x y) x -inf)");
}
END_TEST

START_TEST(indices) {
  means("v[0]", "slice(v start=0 stop=1 step=1 squeeze=0)");
  means("v[-1]", "slice(v start=2 stop=3 step=1 squeeze=0)");
  means("v[::2]", "slice(v start=0 stop=3 step=2 squeeze)");
  means("v[::-1]", "slice(v start=2 stop=-4 step=-1 squeeze)");
  means("v[1:n]", "slice(v start=1 stop=2 step=1 squeeze)");
  means("v[-2:]", "slice(v start=1 stop=3 step=1 squeeze)");
  means("v[-9::-1]", "slice(v start=-4 stop=-4 step=-1 squeeze)");
  means("v[1:1]", "slice(v start=1 stop=1 step=1 squeeze)");
  means("W[1, :]", "slice(W start=1,0 stop=2,2 step=1,1 squeeze=0)");
  means("W[:, 0]", "slice(W start=0,0 stop=3,1 step=1,1 squeeze=1)");
  means("W[0][1]", "slice(slice(W start=0,0 stop=1,2 step=1,1 squeeze=0) start=1 stop=2 step=1 squeeze=0)");
  means("(v + 1)[n]", "slice(add(v 1) start=2 stop=3 step=1 squeeze=0)");
  means("-v[0]^2", "neg(pow(slice(v start=0 stop=1 step=1 squeeze=0) 2))");
}
END_TEST

START_TEST(names) {
  means("`a b`*\xC3\xA9", "mul(a b \xC3\xA9)");
  means("`x`", "x");
}
END_TEST

/* ---- The schema */

START_TEST(schema) {
  ad_graph *g = reads(
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
  round_trip(g, "schema");
  ad_graph_free(g);
}
END_TEST

/* In a file in order, entries become nodes in that order, and an expression's parts come before it, from the left. */
START_TEST(order_of_nodes) {
  static const char *const want[] = {"x", "y", "2", "mul(x 2)", "a", "sin(y)", "b", "1", "sub(a 1)", "mul(sub(a 1) 2)"};
  ad_graph *g = reads(
      "adtool: 1\ninputs: {x: 1, y: 2}\nnodes:\n  a: x*2 + y\n  b: sin(y)*x*2\n  alias: a\noutputs:\n  f: (alias - "
      "1)*2\n");
  ck_assert_uint_eq(ad_graph_node_count(g), 11);
  for (ad_node n = 0, k = 0; n < ad_graph_node_count(g); n++) {
    ad_buffer b = {0};
    if (n == 6) continue; /* sin(y)*x */
    show(g, n, &b);
    ck_assert_msg(!strcmp(b.data, want[k]), "node %u is %s, not %s", n, b.data, want[k]);
    ad_buffer_clear(&b);
    k++;
  }
  round_trip(g, "order");
  ad_graph_free(g);
}
END_TEST

/* The same definitions in any order are the same function, and a chain as long as the file needs no stack. */
START_TEST(long_chains) {
  const unsigned n = 100000 * multiplier();
  ad_buffer b = {0};
  ad_buffer_puts(&b, "adtool: 1\noutputs: {f: v0}\nnodes:\n");
  for (unsigned i = 0; i < n; i++) ad_buffer_printf(&b, "  v%u: v%u + 1\n", i, i + 1);
  ad_buffer_printf(&b, "  v%u: x\ninputs: {x: 1}\n", n);
  ad_graph *g = reads(b.data);
  ck_assert_uint_eq(ad_graph_node_count(g), n + 2);
  ck_assert_double_eq(graphs_value(g, "tape", ad_graph_output_node(g, 0), 0), n + 1);
  round_trip(g, "chain");
  ad_graph_free(g);
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\ninputs: {x: 1, W: [1]}\noutputs:\n  f: x");
  for (unsigned i = 0; i < 100000; i++) ad_buffer_puts(&b, " + x");
  ad_buffer_puts(&b, "\n");
  g = reads(b.data);
  ck_assert_double_eq(graphs_value(g, "dual", ad_graph_output_node(g, 0), 0), 100001);
  round_trip(g, "long sum");
  ad_graph_free(g);
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\ninputs: {W: [1]}\noutputs:\n  f: W");
  for (unsigned i = 0; i < 100000; i++) ad_buffer_puts(&b, "[:]");
  ad_buffer_puts(&b, "\n");
  g = reads(b.data);
  round_trip(g, "long index");
  ad_graph_free(g);
  ad_buffer_clear(&b);
}
END_TEST

/* A diamond of needs in reverse order, where a definition waits in several places: no cycle. */
START_TEST(shared_needs) {
  ad_graph *g = reads(
      "adtool: 1\ninputs: {x: 1}\nnodes:\n  a: b*c*d\n  b: c + d\n  c: d*2\n  d: x + 1\n  e: a*b*c*d\noutputs: [e]\n");
  ck_assert_double_eq(graphs_value(g, "tape", ad_graph_output_node(g, 0), 0), 2304);
  ad_graph_free(g);
  refused("adtool: 1\nnodes:\n  a: b + c\n  b: c + 1\n  c: d + 1\n  d: b\noutputs: [a]\n", AD_EINPUT, 6, 6,
          "'b' needs itself: b -> c -> d -> b");
}
END_TEST

/* ---- Errors */

/* Places inside quotes, over several lines, behind long lines and after other characters than ASCII. */
START_TEST(places) {
  refused("adtool: 1\noutputs: {f: \"1 + zz\"}\n", AD_EINPUT, 2, 19, "unknown name 'zz'");
  refused("adtool: 1\noutputs: {f: '1 + zz'}\n", AD_EINPUT, 2, 19, "unknown name 'zz'");
  refused("adtool: 1\noutputs:\n  f: 1 +\n     2 +\n       zz\n", AD_EINPUT, 5, 8, "unknown name 'zz'");
  refused("adtool: 1\noutputs:\n  f: |\n    1 +\n    zz\n", AD_EINPUT, 5, 5, "unknown name 'zz'");
  refused("adtool: 1\noutputs:\n  f: >-\n    1 +\n    zz\n", AD_EINPUT, 5, 5, "unknown name 'zz'");
  refused("adtool: 1\noutputs: {f: \"1\\x20+ zz\"}\n", AD_EINPUT, 2, 14, "unknown name 'zz'"); /* up to the escape */
  refused("adtool: 1\ninputs: {\xC3\xA9t\xC3\xA9: 1}\noutputs: {f: \xC3\xA9t\xC3\xA9*zz}\n", AD_EINPUT, 3, 18, "'zz'");
  refused(
      "\xEF\xBB\xBF"
      "adtool: 2\n",
      AD_EINPUT, 1, 9, "version 1");
  refused("adtool: 1\r\noutputs: {f: zz}\r\n", AD_EINPUT, 2, 14, "'zz'");
  ck_assert_str_eq(graphs_error.excerpt, "outputs: {f: zz}");
  char text[4000];
  snprintf(text, sizeof text, "adtool: 1\noutputs: {f: %1500d + zz + %1500d}\n", 1, 1);
  refused(text, AD_EINPUT, 2, 1517, "'zz'");
  ck_assert(!strncmp(graphs_error.excerpt + graphs_error.excerpt_column - 1, "zz", 2));
}
END_TEST

START_TEST(limits) {
  ad_graph *g = NULL;
  ad_buffer b = {0};
  ad_buffer_puts(&b, "adtool: 1\nmeta: ");
  for (int i = 0; i < 200000; i++) ad_buffer_puts(&b, "[");
  must_fail(AD_ELIMIT, "deeper than 64", read_text(&g, b.data, NULL));
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\nmeta:\n  ");
  for (int i = 0; i < 100000; i++) ad_buffer_puts(&b, "- ");
  must_fail(AD_ELIMIT, "deeper than 64", read_text(&g, b.data, NULL));
  b.size = 0;
  ad_buffer_puts(&b, "adtool: 1\nmeta: {a: ");
  for (int i = 0; i < 200; i++) ad_buffer_puts(&b, "x");
  ad_buffer_puts(&b, "}\n");
  must_fail(AD_ELIMIT, "above the limit of 100", read_text(&g, b.data, &(ad_limits){.max_scalar = 100}));
  static const char *const nests[] = {"(", "-", "2^", "sin(", "max(1,", "sum(1, axis=["};
  for (size_t k = 0; k < sizeof nests / sizeof nests[0]; k++) {
    b.size = 0;
    ad_buffer_puts(&b, "adtool: 1\noutputs:\n  f: '");
    for (int i = 0; i < 100000; i++) ad_buffer_puts(&b, k == 5 && i ? "[" : nests[k]);
    ad_buffer_puts(&b, "'\n");
    must_fail(AD_ELIMIT, "deeper than 256", read_text(&g, b.data, NULL));
    must_fail(AD_ELIMIT, "deeper than 2000", read_text(&g, b.data, &(ad_limits){.max_expr_depth = UINT32_MAX}));
  }
  must_fail(AD_ELIMIT, "more than 3 nodes",
            read_text(&g, "adtool: 1\ninputs: {x: 1}\noutputs: {f: x*x*x*x}\n", &(ad_limits){.max_nodes = 3}));
  must_fail(AD_ELIMIT, "more than 10 elements",
            read_text(&g, "adtool: 1\ninputs: {x: {shape: [11], fill: 0}}\noutputs: [x]\n",
                      &(ad_limits){.max_elements = 10}));
  /* libyaml compares each tag directive with all before it */
  b.size = 0;
  for (int i = 0; i < 100000; i++) ad_buffer_printf(&b, "%%TAG !%d! x\n", i);
  must_fail(AD_EINPUT, "directive", read_text(&g, b.data, NULL));
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
  for (uint64_t seed = first; seed < first + 60 * multiplier(); seed++) {
    ad_graph *g = graph_of_everything(seed);
    char what[40];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    round_trip(g, what);
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
  ad_graph *g = reads(text);
  ad_buffer b = write_graph(g, false);
  ad_graph_free(g);
  g = reads(b.data);
  ad_buffer again = write_graph(g, false);
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
  round_trip(g, "large operations");
  ad_graph_free(g);
  free(index);
  free(args);
}
END_TEST

START_TEST(texts_that_yaml_cannot_hold) {
  ad_graph *g = graphs_new();
  must(ad_graph_set_meta(g, "author", "Andr\xE9", ERR));
  ad_buffer b = {0};
  must_fail(AD_EINPUT, "not UTF-8", ad_yaml_write(g, &b, &(ad_write_options){0}, ERR));
  ck_assert_uint_eq(b.size, 0);
  ad_graph_free(g);
}
END_TEST

/* ---- Points */

START_TEST(points) {
  ad_graph *g = reads(
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
    round_trip(g, b->data);
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
  for (unsigned k = 0; k < 4000 * multiplier(); k++) {
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
  tcase_add_test(c, precedence);
  tcase_add_test(c, numbers_in_expressions);
  tcase_add_test(c, equal_numbers_are_one_node);
  tcase_add_test(c, calls);
  tcase_add_test(c, indices);
  tcase_add_test(c, names);
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
  tcase_add_test(c, texts_that_yaml_cannot_hold);
  tcase_add_test(c, points);
  tcase_add_loop_test(c, any_bytes, 0, 4);
  suite_add_tcase(s, c);
  return suite_run(s);
}
