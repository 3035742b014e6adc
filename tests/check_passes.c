/* Passes: each identity and each kind of folding, at special values; names and kept nodes; what stays although it looks
 * as if it might go; work and memory in proportion. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "optimized.h"
#include "suite.h"

#define ERR (&graphs_error)

/* ---- Identities, at special values */

static ad_graph *graph_of(const char *expression, const char *values) {
  char text[1000];
  ad_graph *g;
  const int n = snprintf(
      text, sizeof text,
      "adtool: 1\nkinks: {abs: -1, relu: 0.5}\ninputs:\n  x: %s\n  y: 2.5\n  v: {shape: [3], value: [%s, %s, %s]}\n"
      "  m: {shape: [2, 3], fill: %s}\n  n: {shape: [1, 3], fill: %s}\n  u: {shape: [3], value: [1, 2, 3]}\n"
      "outputs: {z: \"%s\"}\n",
      values, values, values, values, values, values, expression);
  ck_assert_int_lt(n, sizeof text);
  must(ad_graph_read(&g, text, (size_t)n, "row", NULL, ERR));
  return g;
}

/* Operations, and constants of one: what a person counts in the expression. */
static size_t operations(const ad_graph *g) {
  size_t count = 0;
  const ad_op constant = ad_op_find("constant");
  for (ad_node n = (ad_node)ad_graph_input_count(g); n < ad_graph_node_count(g); n++)
    count += ad_graph_node_op(g, n) != constant;
  return count;
}

static const struct {
  const char *expression;
  size_t before, after; /* operations */
} identities[] = {
    {"x*1", 1, 0},
    {"1*x", 1, 0},
    {"v*1", 1, 0},
    {"m*broadcast_to(1, shape=[2,3])", 2, 0},
    {"x*broadcast_to(1, shape=[3])", 2, 1}, /* it broadcasts */
    {"x/1", 1, 0},
    {"v/1", 1, 0},
    {"x*(-1)", 1, 1},
    {"x/(-1)", 1, 1},
    {"x - 0", 1, 0},
    {"x + (-0)", 1, 0},
    {"(-0) + x", 1, 0},
    {"x + 0", 1, 1}, /* -0 + 0 is 0 */
    {"0 - x", 1, 1},
    {"x - (-0)", 1, 1},
    {"(-0) - x", 1, 1},
    {"x*0", 1, 1},
    {"0*v", 1, 1},
    {"-(-x)", 2, 0},
    {"-(-(-x))", 3, 1},
    {"-(-(-(-v)))", 4, 0},
    {"x - (-y)", 2, 1},
    {"x + (-y)", 2, 1},
    {"(-x) + y", 2, 1},
    {"(-x) + (-y)", 3, 2},
    {"(-x)*(-y)", 3, 1},
    {"(-x)/(-y)", 3, 1},
    {"y/x*1", 2, 1},
    {"sqr(-x)", 2, 1},
    {"abs(-x)", 2, 2}, /* the policy at 0 */
    {"x^1", 1, 0},
    {"v^1", 1, 0},
    {"x^2", 1, 1},
    {"v^2", 1, 1},
    {"x^0", 1, 1},
    {"x^broadcast_to(2, shape=[3])", 2, 2}, /* not a constant either */
    {"x^(1 + 1)", 2, 2},                    /* a power with a constant exponent is another function */
    {"v^where(1, 2, 3)", 2, 2},
    {"x^(2*1)", 2, 2},
    {"max(x, x)", 1, 1}, /* its partials are NaN where x is */
    {"x*x", 1, 1},
    {"where(1, x, y)", 1, 0},
    {"where(0, x, y)", 1, 0},
    {"where(nan, x, y)", 1, 0},
    {"where(y, x, x)", 1, 0},
    {"where(1 < 2, v, v*y)", 3, 0},
    {"where(1, x, v)", 1, 1}, /* it broadcasts */
    {"reshape(v, shape=[3])", 1, 0},
    {"reshape(reshape(m, shape=[6]), shape=[3, 2])", 2, 1},
    {"reshape(reshape(m, shape=[6]), shape=[2, 3])", 2, 0},
    {"transpose(transpose(m))", 2, 0},
    {"transpose(m, perm=[0, 1])", 1, 0},
    {"transpose(v)", 1, 0},
    {"transpose(m)", 1, 1},
    {"broadcast_to(v, shape=[3])", 1, 0},
    {"broadcast_to(broadcast_to(x, shape=[3]), shape=[2, 3])", 2, 1},
    {"v[0:3]", 1, 0},
    {"m[:, :]", 1, 0},
    {"v[::-1]", 1, 1},
    {"v[0:2]", 1, 1},
    {"m[:, ::-1]", 1, 1},
    {"n[0]", 1, 1},
    {"gather(v, indices=[0, 1, 2])", 1, 0},
    {"gather(v, indices=[-3, 1, -1])", 1, 0},
    {"gather(m, indices=[0, 1, 2], axis=1)", 1, 0},
    {"gather(v, indices=[0, 2, 1])", 1, 1},
    {"concat(v)", 1, 0},
    {"stack(v)", 1, 1},
    {"stack(x)", 1, 1},
    {"sum(x)", 1, 0},
    {"mean(x)", 1, 0},
    {"prod(x)", 1, 0},
    {"sum(n, axis=0)", 1, 1},
    {"sum(n, axis=0, keepdims=yes)", 1, 0},
    {"mean(n, axis=0, keepdims=yes)", 1, 0},
    {"prod(n, axis=0, keepdims=yes)", 1, 0},
    {"sum(m, axis=[])", 1, 0},
    {"sum(m, axis=0)", 1, 1},
    {"reduce_max(x)", 1, 1},
    {"logsumexp(x)", 1, 1},
    {"softmax(stack(x))", 2, 2},
    {"cumsum(n)", 1, 0},
    {"cumsum(n, axis=1)", 1, 1},
    /* one thing makes another possible */
    {"where(1 < 2, 3, x) + 4", 3, 0},
    {"x*(0.5 + 0.5)", 2, 0},
    {"(x*1)*(v*1)", 3, 1},
    {"-(-(x*y)) + x*y", 5, 2},
    /* common subexpressions */
    {"x*y + y*x", 3, 2},
    {"(x + y)*(y + x)", 3, 2},
    {"(x - y)*(y - x)", 3, 3},
    {"max(x, y) + max(y, x)", 3, 3},
    {"sin(x*y)*sin(y*x)", 5, 3},
    {"v[0] + v[0]", 3, 2},
    {"v[0] + v[1]", 3, 3},
    {"sum(m, axis=0) + sum(m, axis=[0])", 3, 2},
    {"sum(m, axis=0) + sum(m, axis=0, keepdims=yes)", 3, 3},
    {"(x + 0.1)*(x + 0.1)", 3, 2},
    {"(x + 0.1)*(x + 0x1.999999999999ap-4)", 3, 3},
    {"(x*0)/(x*(-0))", 3, 3},
};

static const char *const special[] = {"1.5", "-3",        "0",   "-0",    "inf",    "-inf",
                                      "nan", "0x1p-1074", "1/3", "1e308", "-1e400", "1e-400"};
enum { SPECIAL = sizeof special / sizeof special[0] };

START_TEST(identity) {
  const char *expression = identities[_i].expression;
  for (int k = 0; k < SPECIAL; k++) {
    ad_graph *g = graph_of(expression, special[k]);
    char what[120];
    snprintf(what, sizeof what, "%s at %s", expression, special[k]);
    ad_graph *o = check_optimized(g, what);
    ck_assert_msg(operations(g) == identities[_i].before, "%s has %zu operations", what, operations(g));
    ck_assert_msg(operations(o) == identities[_i].after, "%s: %zu operations are left", what, operations(o));
    for (int simd = 0; simd < GRAPHS_SIMD && !strstr(expression, "sin"); simd++) {
      graphs_use_simd(graphs_simd[simd]);
      same_results_in(g, o, what, &arithmetics[0]);
    }
    ad_graph_free(o);
    ad_graph_free(g);
  }
}
END_TEST

/* The same in long tensors, which go through SIMD, strips and dense code. */
START_TEST(long_tensors) {
  static const char *const expressions[] = {"w*1",
                                            "w - 0",
                                            "-(-w)",
                                            "w + (-w)*1",
                                            "w^1",
                                            "w^2",
                                            "w*(-1)",
                                            "w/(-1)",
                                            "sum(reshape(w, shape=[1, 40000]), axis=0)",
                                            "prod(reshape(w, shape=[40000, 1]), axis=1)",
                                            "mean(w, axis=[])",
                                            "w[0:40000]",
                                            "(w*w + w)*(w + w*w)*1"};
  for (size_t k = 0; k < sizeof expressions / sizeof expressions[0]; k++) {
    ad_graph *g;
    char text[300];
    const int n = snprintf(text, sizeof text,
                           "adtool: 1\ninputs: {w: {shape: [40000], fill: 1}}\noutputs: {z: \"%s\"}\n", expressions[k]);
    must(ad_graph_read(&g, text, (size_t)n, "row", NULL, ERR));
    ad_numbers *v = ad_numbers_new();
    for (int i = 0; i < 40000; i++)
      must(ad_numbers_push_double(v,
                                  i % 7 == 0    ? -0.0
                                  : i % 11 == 0 ? INFINITY
                                  : i % 13 == 0 ? NAN
                                                : i - 20000.5,
                                  ERR));
    must(ad_graph_set_input_value(g, 0, v, AD_EXACT, ERR));
    ad_numbers_free(v);
    ad_graph *o = optimized(g, ALL_PASSES);
    ck_assert_uint_le(operations(o), operations(g));
    for (int simd = 0; simd < GRAPHS_SIMD; simd++) {
      graphs_use_simd(graphs_simd[simd]);
      same_results_in(g, o, expressions[k], &arithmetics[0]);
    }
    ad_graph_free(o);
    ad_graph_free(g);
  }
}
END_TEST

/* ---- Folding */

static const struct {
  const char *expression, *constant; /* NULL: it stays as it is */
} folding[] = {
    {"2 + 3", "5"},
    {"0.5*0.25", "0.125"},
    {"1/3", "1/3"},
    {"div(1, 3)", "1/3"},
    {"div(-2, 6)", "-1/3"},
    {"0.1 + 0.2", NULL},   /* two roundings more */
    {"div(1, 3)*3", NULL}, /* 1/3 is rounded before it is multiplied */
    {"recip(7)", "1/7"},
    {"recip(-0.125)", "-8"},
    {"sqr(1.5)", "2.25"},
    {"sqr(0x1.0000000000001p+0)", "0x100000000000020000000000001p-104"},
    {"1 + 0x1p-60", "0x1000000000000001p-60"},
    {"1e300*1e300", NULL},              /* an infinity in double */
    {"0x1p-600*0x1p-600", "0x1p-1200"}, /* 0 in double */
    {"-0x1p-600*0x1p-600", "-0x1p-1200"},
    {"2 - 2", "0"},
    {"-0 + 0", "0"},
    {"(-0)*3", "-0"},
    {"0*(-3)", "-0"},
    {"div(1, 0)", NULL},
    {"div(0, -5)", "-0"},
    {"inf + 1", NULL},
    {"nan*2", NULL},
    {"pi + 1", NULL},
    {"-pi", "-pi"},
    {"neg(-pi)", "pi"},
    {"neg(1/3)", "-1/3"},
    {"neg(inf)", "-inf"},
    {"abs(-2.5)", "2.5"},
    {"sign(-3)", "-1"},
    {"floor(-2.5)", "-3"},
    {"ceil(2.25)", "3"},
    {"ceil(-0.5)", NULL}, /* the sign of a zero */
    {"trunc(-2.5)", "-2"},
    {"round(2.5)", "2"},
    {"max(2, 3)", "3"},
    {"max(0, -0)", NULL},
    {"min(2, 3)", "2"},
    {"clip(7, 0, 5)", "5"},
    {"max(1/3, 2)", NULL},
    {"less(1, 2)", "1"},
    {"greater_equal(1, 2)", "0"},
    {"equal(1/3, 2/6)", NULL},
    {"equal(2, 2)", "1"},
    {"not_equal(2, 2)", "0"},
    {"where(1, pi, e)", "pi"},
    {"where(0, pi, 1/3)", "1/3"},
    {"where(less(2, 1), 2, 3)", "3"},
    {"2^10", "1024"},
    {"3^(-1)", NULL}, /* another rounding than 1/3 in double, perhaps */
    {"2^(-3)", "0.125"},
    {"0.1^2", NULL},
    {"0^3", NULL}, /* the policy at 0 */
    {"2^0.5", NULL},
    {"sqrt(4)", NULL},
    {"1e16 + 1", "0x2386f26fc10001p+0"},
    {"(1 + 2)*(3 + 4) - 20", "1"},
    {"sum(stack(1, 2))", NULL},
};

START_TEST(fold) {
  const char *expression = folding[_i].expression, *want = folding[_i].constant;
  ad_graph *g = graph_of(expression, "1.5"), *o = check_optimized(g, expression);
  const ad_node n = ad_graph_output_node(o, 0);
  if (!want) {
    ck_assert_msg(operations(o) > 0, "%s was folded", expression);
  } else {
    ck_assert_msg(operations(o) == 0, "%s was not folded", expression);
    ad_numbers *v = ad_numbers_new();
    must(ad_numbers_push_text(v, want, strlen(want), ERR));
    const ad_values got = ad_graph_node_values(o, n);
    const char *text = ad_values_text(&got, 0), *exact = ad_numbers_text(v, 0);
    const double d = ad_numbers_double(v, 0);
    ck_assert_msg(!memcmp(&got.value[0], &d, sizeof d) && !text == !exact && (!text || !strcmp(text, exact)),
                  "%s is %a %s, not %a %s", expression, got.value[0], text ? text : "", d, exact ? exact : "");
    ad_numbers_free(v);
  }
  ad_graph_free(o);
  ad_graph_free(g);
}
END_TEST

/* Tensors, made of and into others; `numbers` are those that the graph holds then. */
static const struct {
  const char *expression;
  size_t after, numbers;
} tensors[] = {
    {"broadcast_to(2, shape=[1000]) + 3", 0, 1},
    {"broadcast_to(stack(1, 2), shape=[100, 2])", 1, 2}, /* it would grow */
    {"broadcast_to(stack(1, 2), shape=[4, 2])", 0, 8},
    {"stack(1, pi, 1/3)*1", 0, 3},
    {"-stack(1, pi, 1/3)", 0, 3},
    {"stack(1, 2) + stack(0.5, 4)", 0, 2},
    {"reshape(stack(1, 2, 3), shape=[3, 1]) + stack(1, 2)", 0, 6},
    {"transpose(reshape(stack(1, 2, 3, 4, 5, 6), shape=[2, 3]))", 0, 6},
    {"transpose(reshape(stack(1, 2, 3, 4, 5, 6), shape=[2, 3]))[::-1, 1]", 0, 3},
    {"stack(1, 2, 3, 4)[::-2]", 0, 2},
    {"stack(1, 2, 3, 4)[1]", 0, 1},
    {"concat(stack(1, 2), stack(3), stack(4, 5))", 0, 5},
    {"concat(reshape(stack(1, 2), shape=[2, 1]), reshape(stack(3, 4, 5, 6), shape=[2, 2]), axis=1)", 0, 6},
    {"stack(stack(1, 2), stack(3, 4), axis=1)", 0, 4},
    {"gather(stack(1, 2, 3), indices=[[2, -3], [0, 1]])", 0, 4},
    {"gather(reshape(stack(1, 2, 3, 4, 5, 6), shape=[2, 3]), indices=[[2], [-3]], axis=1)", 0, 4},
    {"where(stack(1, 0, nan), stack(1, 2, pi), -1)", 0, 3},
    {"where(less(stack(1, 5), 3), x, y)", 1, 2},
    {"stack(1, 2, 3)/7", 0, 3},
    {"(stack(1, 2, 3)*x)*1", 1, 3},
    {"stack(2, 4)^3", 0, 2},
    {"stack(2, 4)^0.5", 1, 3},
    {"stack(2, 4)^stack(-1, 3)", 2, 4}, /* the exponent is no constant */
};

START_TEST(fold_tensors) {
  const char *expression = tensors[_i].expression;
  ad_graph *g = graph_of(expression, "1.5"), *o = check_optimized(g, expression);
  size_t numbers = 0;
  ck_assert_msg(operations(o) == tensors[_i].after, "%s: %zu operations are left", expression, operations(o));
  for (ad_node n = (ad_node)ad_graph_input_count(o); n < ad_graph_node_count(o); n++)
    if (ad_graph_node_op(o, n) == ad_op_find("constant")) numbers += ad_graph_node_values(o, n).count;
  ck_assert_msg(numbers == tensors[_i].numbers, "%s: %zu numbers", expression, numbers);
  ad_graph_free(o);
  ad_graph_free(g);
}
END_TEST

/* Numbers marked as rounded to a type are those doubles; moves keep the mark. */
START_TEST(marks) {
  ad_graph *g = graphs_new();
  ad_numbers *tenth = ad_numbers_new();
  ad_node x, f, h;
  must(ad_numbers_push_text(tenth, "0.1", 3, ERR));
  must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .value = tenth, .dtype = AD_F32}, ERR));
  must(ad_graph_constant(g, &f, &SCALAR, tenth, AD_F32, ERR));
  must(ad_graph_constant(g, &h, &SCALAR, tenth, AD_F64, ERR));
  must(ad_graph_output(g, "both", graphs_binary(g, "add", f, h), ERR));
  must(ad_graph_output(g, "part", graphs_apply(g, "div", NODES(f, h), 0, NULL), ERR));
  must(ad_graph_output(g, "two", graphs_apply(g, "stack", NODES(f, f), 0, NULL), ERR));
  must(ad_graph_output(g, "mixed", graphs_apply(g, "stack", NODES(f, h), 0, NULL), ERR));
  must(ad_graph_output(g, "x", x, ERR));
  ad_graph *o = check_optimized(g, "marks");
  ck_assert_uint_eq(operations(o), 0);
  ck_assert_int_eq(ad_graph_node_dtype(o, ad_graph_output_node(o, 2)), AD_F32);
  ck_assert_int_eq(ad_graph_node_dtype(o, ad_graph_output_node(o, 3)), AD_EXACT);
  ck_assert_uint_eq(ad_graph_output_node(o, 4), 0);
  ad_graph_free(o);
  ad_graph_free(g);
  ad_numbers_free(tenth);
}
END_TEST

/* ---- Names, kept nodes, inputs that nobody reads */

static const char names[] =
    "adtool: 1\n"
    "inputs: {x: 1, unused: {shape: [2], value: [1, 2], dtype: f32, diff: no}}\n"
    "nodes:\n"
    "  a: x*1\n" /* an input has a name already */
    "  b: sin(x)\n"
    "  c: b/1\n"        /* b has one */
    "  d: -(-exp(x))\n" /* exp(x) has none and takes it */
    "  five: 2 + 3\n"
    "  again: sin(x)\n"
    "  dead: cos(x)\n"
    "outputs: {p: a, q: c + again, r: d*five, s: x}\n";

START_TEST(naming) {
  ad_graph *g, *o, *k;
  must(ad_graph_read(&g, names, sizeof names - 1, "names", NULL, ERR));
  o = check_optimized(g, "names");
  ck_assert_uint_eq(ad_graph_input_count(o), 2);
  ck_assert_uint_eq(ad_graph_output_node(o, 0), 0);
  ck_assert_uint_eq(ad_graph_output_node(o, 3), 0);
  static const char *const gone[] = {"a", "c", "again", "dead"};
  for (int i = 0; i < 4; i++) ck_assert_msg(ad_graph_find_node(o, gone[i]) == AD_NO_NODE, "%s is there", gone[i]);
  ck_assert_str_eq(ad_op_get(ad_graph_node_op(o, ad_graph_find_node(o, "b")))->name, "sin");
  ck_assert_str_eq(ad_op_get(ad_graph_node_op(o, ad_graph_find_node(o, "d")))->name, "exp");
  ck_assert_double_eq(ad_graph_node_values(o, ad_graph_find_node(o, "five")).value[0], 5);
  ad_graph_free(o);

  const ad_node keep[] = {ad_graph_find_node(g, "a"), ad_graph_find_node(g, "again"), ad_graph_find_node(g, "five"),
                          ad_graph_find_node(g, "dead")};
  must(ad_graph_optimize(&k, g, &(ad_optimize_options){.keep_count = 4, .keep = keep}, ERR));
  static const char *const kept[][2] = {{"a", "mul"}, {"again", "sin"}, {"five", "add"}, {"dead", "cos"}};
  for (int i = 0; i < 4; i++) {
    const ad_node n = ad_graph_find_node(k, kept[i][0]);
    ck_assert_msg(n != AD_NO_NODE, "%s is gone", kept[i][0]);
    ck_assert_str_eq(ad_op_get(ad_graph_node_op(k, n))->name, kept[i][1]);
  }
  ck_assert_uint_eq(ad_graph_find_node(k, "c"), AD_NO_NODE);
  same_results(g, k, "kept");
  must_fail(AD_EUSAGE, "no node 99",
            ad_graph_optimize(&o, g, &(ad_optimize_options){.keep_count = 1, .keep = (ad_node[]){99}}, ERR));
  must_fail(
      AD_EUSAGE, "there is no node",
      ad_graph_optimize(
          &o, g, &(ad_optimize_options){.keep_count = 1, .keep = &(ad_node){(ad_node)ad_graph_node_count(g)}}, ERR));
  must_fail(AD_EUSAGE, "passes", ad_graph_optimize(&o, g, &(ad_optimize_options){.passes = 1u << 20}, ERR));
  ad_graph_free(k);
  ad_graph_free(g);
}
END_TEST

START_TEST(table) {
  ck_assert_uint_eq(ad_pass_count(), 4);
  static const char *const order[] = {"dead", "fold", "identities", "common"};
  for (size_t i = 0; i < 4; i++) ck_assert_str_eq(ad_pass_get(i)->name, order[i]);
  ck_assert_ptr_null(ad_pass_get(4));
}
END_TEST

/* ---- Large graphs: work and memory in proportion */

static ad_attr indices(const int64_t *list, int64_t count) {
  return (ad_attr){"indices", {1, {count}}, list};
}

START_TEST(bounded) {
  enum { MANY = 30000 };
  ad_graph *g = graphs_new(), *o;
  const double zero = 0;
  ad_node x = graphs_input(g, "x", SCALAR, &zero, 1), sum = x, *parts = malloc(MANY * sizeof *parts);
  /* Constants end to end: where one begins is found quickly. */
  for (int i = 0; i < MANY; i++) parts[i] = graphs_tensor(g, SHAPE(1), (const double[]){i}, 1);
  ad_node all = graphs_apply(g, "concat", MANY, parts, 0, NULL);
  must(ad_graph_output(g, "all", all, ERR));
  /* Copies of a tensor: no more numbers than the graph has. */
  for (int i = 0; i < 50; i++) {
    ad_node turned = graphs_apply(g, "slice", NODES(all), ATTRS(INTS_ATTR("start", i)));
    sum = graphs_binary(g, "add", sum, graphs_unary(g, "sum", graphs_unary(g, "neg", turned)));
  }
  /* A long text, many times. */
  char *digits = malloc(100002);
  memset(digits, '7', 100001);
  digits[1] = '.';
  digits[100001] = 0;
  ad_node seven;
  must(ad_graph_constant_text(g, &seven, digits, ERR));
  const int64_t same[16] = {0};
  for (int i = 0; i < 50; i++) {
    ad_node some = graphs_apply(g, "gather", NODES(graphs_apply(g, "stack", NODES(seven, seven), 0, NULL)),
                                ATTRS(indices(same, 16)));
    sum = graphs_binary(g, "add", sum, graphs_unary(g, "sum", some));
  }
  must(ad_graph_output(g, "sum", sum, ERR));
  o = optimized(g, ALL_PASSES);
  size_t numbers = 0, text = 0;
  for (ad_node n = 1; n < ad_graph_node_count(o); n++) {
    if (ad_graph_node_op(o, n) != ad_op_find("constant")) continue;
    const ad_values v = ad_graph_node_values(o, n);
    numbers += v.count;
    for (size_t i = 0; i < v.count; i++) text += ad_values_text(&v, i) ? strlen(ad_values_text(&v, i)) : 0;
  }
  ck_assert_uint_le(numbers, 2 * MANY + (1 << 16) + 2 * MANY);
  ck_assert_uint_le(text, 8 * (4 * MANY + (1 << 16)));
  ck_assert_str_eq(ad_op_get(ad_graph_node_op(o, ad_graph_output_node(o, 0)))->name, "constant");
  graphs_use_simd("none");
  same_results_in(g, o, "bounded", &arithmetics[0]);
  ad_graph_free(o);
  ad_graph_free(g);
  free(digits);
  free(parts);
}
END_TEST

/* A chain in which each node is replaced only when the one before was, and the same subexpression everywhere. */
START_TEST(chains) {
  enum { LONG = 200000 };
  ad_graph *g = graphs_new(), *o;
  const double start = 1.5;
  ad_node x = graphs_input(g, "x", SCALAR, &start, 1), y = x, c = graphs_constant(g, 1), n = graphs_constant(g, 0);
  for (int i = 0; i < LONG; i++) {
    n = graphs_binary(g, "mul", n, c);
    y = graphs_binary(g, "sub", graphs_apply(g, "where", NODES(graphs_binary(g, "less", n, c), y, x), 0, NULL), n);
  }
  must(ad_graph_output(g, "y", y, ERR));
  o = optimized(g, ALL_PASSES);
  ck_assert_uint_eq(ad_graph_node_count(o), 1);
  ad_graph_free(o);
  ad_node u = x, v = x;
  for (int i = 0; i < LONG; i++) u = graphs_unary(g, "sin", u), v = graphs_unary(g, "sin", v);
  must(ad_graph_output(g, "0", graphs_binary(g, "add", u, v), ERR));
  o = optimized(g, ALL_PASSES);
  ck_assert_uint_eq(ad_graph_node_count(o), LONG + 2);
  ad_graph_free(o);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("passes");
  TCase *t = tcase_create("graph in, graph out");
  tcase_set_timeout(t, 300);
  tcase_add_test(t, table);
  tcase_add_loop_test(t, identity, 0, sizeof identities / sizeof identities[0]);
  tcase_add_loop_test(t, fold, 0, sizeof folding / sizeof folding[0]);
  tcase_add_loop_test(t, fold_tensors, 0, sizeof tensors / sizeof tensors[0]);
  tcase_add_test(t, marks);
  tcase_add_test(t, naming);
  tcase_add_test(t, bounded);
  tcase_add_test(t, chains);
  tcase_add_test(t, long_tensors);
  suite_add_tcase(s, t);
  return suite_run(s);
}
