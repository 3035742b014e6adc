/* What expressions in YAML mean. */
#include <stdio.h>
#include <string.h>

#include "graphs.h"
#include "suite.h"
#include "yaml_text.h"

static const char *const preamble =
    "adtool: 1\n"
    "dims: {n: 2, rows: 3}\n"
    "inputs: {x: 1, y: 2, z: 3, v: [1, 2, 3], W: [[1, 2], [3, 4], [5, 6]], a b: 4, \xC3\xA9: 5, x1: 0}\n";

static void means(const char *expression, const char *want) {
  char text[2000];
  snprintf(text, sizeof text, "%soutputs:\n  f: '%s'\n", preamble, expression);
  ad_graph *g = yaml_reads(text);
  ad_buffer b = {0};
  yaml_show(g, ad_graph_output_node(g, 0), &b);
  ck_assert_msg(!strcmp(b.data, want), "%s means %s, not %s", expression, b.data, want);
  yaml_round_trip(g, expression);
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
  ad_graph *g =
      yaml_reads("adtool: 1\ninputs: {x: 1}\noutputs: {f: 'x*2 + 2.0*x + x*(4/2) + 0x2*x + 1/3 + 2/6 + 1/3'}\n");
  size_t constants = 0;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) constants += ad_graph_node_op(g, n) == ad_op_find("constant");
  ck_assert_uint_eq(constants, 3); /* 2, 1/3, 2/6 */
  yaml_round_trip(g, "numbers");
  ad_graph_free(g);
  g = yaml_reads("adtool: 1\ninputs: {pi: 3}\nnodes: {a: -pi, b: '-`pi`', c: -e, e: 2}\noutputs: [a, b, c]\n");
  const ad_op neg = ad_op_find("neg");
  for (size_t i = 0; i < 3; i++) ck_assert_uint_eq(ad_graph_node_op(g, ad_graph_output_node(g, i)), neg);
  yaml_round_trip(g, "hidden names");
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

int main(void) {
  Suite *s = suite_create("expressions");
  TCase *c = tcase_create("expressions");
  tcase_set_timeout(c, 300);
  tcase_add_test(c, precedence);
  tcase_add_test(c, numbers_in_expressions);
  tcase_add_test(c, equal_numbers_are_one_node);
  tcase_add_test(c, calls);
  tcase_add_test(c, indices);
  tcase_add_test(c, names);
  suite_add_tcase(s, c);
  return suite_run(s);
}
