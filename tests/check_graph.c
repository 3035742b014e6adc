/* Building graphs: everything that can be wrong is refused with a message that says what, where and what to do, and a
 * refusal leaves the graph as it was; what was built can be read back, normalised. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "graphs.h"
#include "suite.h"

#define E (&graphs_error)
enum { UNTOUCHED = 12345 };

static ad_node named(ad_graph *g, const char *name, ad_shape shape) {
  return graphs_input(g, name, shape, (const double[]){1}, 1);
}

/* The operation is refused with this status and words, and nothing changes. */
#define refused(...) refused_at(__LINE__, __VA_ARGS__)
static void refused_at(int line, ad_graph *g, const char *op, size_t nargs, const ad_node *args, size_t nattrs,
                       const ad_attr *attrs, ad_status status, const char *part, const char *also) {
  ad_node out = UNTOUCHED;
  const size_t count = ad_graph_node_count(g);
  ad_status s = ad_graph_apply(g, &out, ad_op_find(op), nargs, args, nattrs, attrs, E);
  graphs_must_fail(__FILE__, line, op, status, part, s);
  ck_assert_msg(strstr(E->message, also), "line %d: '%s' does not say '%s'", line, E->message, also);
  ck_assert_msg(out == UNTOUCHED, "line %d: %s failed, but wrote its result", line, op);
  ck_assert_msg(ad_graph_node_count(g) == count, "line %d: %s failed, but left a node behind", line, op);
  ck_assert_int_eq(ad_graph_apply(g, &out, ad_op_find(op), nargs, args, nattrs, attrs, NULL), status);
}
#define NONE 0, NULL

/* ---- Names */

static void add_input(ad_graph *g, const char *name, ad_status want, const char *part) {
  ad_node out = UNTOUCHED;
  ad_status s = ad_graph_input(g, &out, &(ad_input_spec){.name = name}, E);
  if (want)
    must_fail(want, part, s);
  else
    must(s);
  ck_assert(want ? out == UNTOUCHED : out == ad_graph_find_node(g, name));
}

START_TEST(names) {
  ad_graph *g = graphs_new();
  char longest[AD_MAX_NAME + 2];
  memset(longest, 'x', sizeof longest);
  longest[AD_MAX_NAME + 1] = '\0';
  add_input(g, "", AD_EINPUT, "empty name");
  add_input(g, longest, AD_EINPUT, "256 bytes long; the limit is 255");
  longest[AD_MAX_NAME] = '\0';
  add_input(g, longest, AD_OK, NULL);
  add_input(g, "%a", AD_EINPUT, "'%a' starts with %");
  add_input(g, "a\tb", AD_EINPUT, "control character");
  add_input(g, "a\x7f", AD_EINPUT, "control character");
  add_input(g, "a`b", AD_EINPUT, "backquote at byte 1");
  static const char *const no_text[] = {"a\xE9",   "\xC3", "\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                        "\xC2\x85"};
  for (size_t i = 0; i < sizeof no_text / sizeof no_text[0]; i++) add_input(g, no_text[i], AD_EINPUT, "is not UTF-8");
  add_input(g, "\xF0\x9D\x9B\xBC", AD_OK, NULL);
  add_input(g, "w", AD_OK, NULL);
  add_input(g, "w", AD_EINPUT, "'w' is used twice");
  add_input(g,
            "gr\xc3\xb6\xc3\x9f"
            "e",
            AD_OK, NULL);
  add_input(g, "a b", AD_OK, NULL);
  ad_node c = graphs_constant(g, 2), d = graphs_constant(g, 3);
  must(ad_graph_set_node_name(g, c, "two", E));
  ck_assert_str_eq(ad_graph_node_name(g, c), "two");
  ck_assert_ptr_null(ad_graph_node_name(g, d));
  must_fail(AD_EINPUT, "'w' is used twice", ad_graph_set_node_name(g, d, "w", E));
  must_fail(AD_EUSAGE, "named 'two' already", ad_graph_set_node_name(g, c, "three", E));
  must_fail(AD_EUSAGE, "no node 99", ad_graph_set_node_name(g, 99, "late", E));
  must_fail(AD_EINPUT, "a node has an empty name", ad_graph_set_node_name(g, d, "", E));
  add_input(g, "late", AD_EUSAGE, "inputs come first");
  ck_assert_uint_eq(ad_graph_find_node(g, "late"), AD_NO_NODE);
  char text[AD_NODE_TEXT];
  ck_assert_str_eq(ad_graph_node_text(g, c, text), "'two'");
  ck_assert_str_eq(ad_graph_node_text(g, d, text), "node 6 (constant)");
  must(ad_graph_output(g, "w", c, E)); /* outputs have names of their own */
  must(ad_graph_output(g, "same", c, E));
  must_fail(AD_EINPUT, "'w' is given twice", ad_graph_output(g, "w", d, E));
  must_fail(AD_EUSAGE, "node 77, which does not exist", ad_graph_output(g, "far", 77, E));
  must_fail(AD_EINPUT, "an output has an empty name", ad_graph_output(g, "", d, E));
  ck_assert_uint_eq(ad_graph_output_count(g), 2);
  ck_assert_uint_eq(ad_graph_find_output(g, "same"), 1);
  ck_assert_uint_eq(ad_graph_find_output(g, "far"), SIZE_MAX);
  ck_assert_str_eq(ad_graph_output_name(g, 1), "same");
  ck_assert_uint_eq(ad_graph_output_node(g, 1), c);
  ad_graph_free(g);
}
END_TEST

/* Many names: the tables grow, and each is found. */
START_TEST(many_names) {
  ad_graph *g = graphs_new();
  char name[32];
  enum { MANY = 5000 };
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "input-%d", i);
    add_input(g, name, AD_OK, NULL);
    snprintf(name, sizeof name, "out-%d", i);
    must(ad_graph_output(g, name, (ad_node)i, E));
  }
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "input-%d", i);
    ck_assert_uint_eq(ad_graph_find_node(g, name), (ad_node)i);
    ck_assert_str_eq(ad_graph_node_name(g, (ad_node)i), name);
    snprintf(name, sizeof name, "out-%d", i);
    ck_assert_uint_eq(ad_graph_find_output(g, name), (size_t)i);
  }
  ad_graph_free(g);
}
END_TEST

START_TEST(graph_name_meta_and_kinks) {
  ad_graph *g = graphs_new();
  ck_assert_str_eq(ad_graph_name(g), "");
  must(ad_graph_set_name(g, "first", E));
  must(ad_graph_set_name(g, "second", E));
  must_fail(AD_EINPUT, "the graph's name has a control character", ad_graph_set_name(g, "a\nb", E));
  ck_assert_str_eq(ad_graph_name(g), "second");
  must(ad_graph_set_name(g, "", E));
  ck_assert_str_eq(ad_graph_name(g), "");
  must(ad_graph_set_meta(g, "author", "A", E));
  must(ad_graph_set_meta(g, "note", "several\nlines\tare fine", E));
  must(ad_graph_set_meta(g, "author", "B", E));
  must_fail(AD_EINPUT, "a meta entry has an empty name", ad_graph_set_meta(g, "", "x", E));
  ck_assert_uint_eq(ad_graph_meta_count(g), 2);
  ck_assert_str_eq(ad_graph_meta_key(g, 0), "author");
  ck_assert_str_eq(ad_graph_meta_text(g, 0), "B");
  ck_assert_str_eq(ad_graph_meta_text(g, 1), "several\nlines\tare fine");
  const ad_kinks good = {.abs_at_zero = -1, .relu_at_zero = 0.5, .ties = AD_TIES_LAST, .pow00_nan = true};
  must(ad_graph_set_kinks(g, &good, E));
  must_fail(AD_EINPUT, "abs is -1, 0 or 1, not 0.5", ad_graph_set_kinks(g, &(ad_kinks){.abs_at_zero = 0.5}, E));
  must_fail(AD_EINPUT, "abs is -1, 0 or 1", ad_graph_set_kinks(g, &(ad_kinks){.abs_at_zero = NAN}, E));
  must_fail(AD_EINPUT, "relu is 0, 0.5 or 1, not -1", ad_graph_set_kinks(g, &(ad_kinks){.relu_at_zero = -1}, E));
  must_fail(AD_EINPUT, "ties", ad_graph_set_kinks(g, &(ad_kinks){.ties = (ad_ties)7}, E));
  ad_kinks k = ad_graph_kinks(g);
  ck_assert(k.abs_at_zero == -1 && k.relu_at_zero == 0.5 && k.ties == AD_TIES_LAST && k.pow00_nan);
  ad_graph_free(g);
}
END_TEST

/* ---- Inputs, constants, limits */

START_TEST(values_and_shapes) {
  ad_graph *g = graphs_new();
  ad_node out = UNTOUCHED;
  ad_numbers *n = ad_numbers_new();
  for (int i = 0; i < 5; i++) must(ad_numbers_push_double(n, i, E));
  ad_input_spec spec = {.name = "m", .shape = SHAPE(2, 3), .value = n};
  must_fail(AD_EINPUT, "'m' has 5 numbers, but its shape [2, 3] has 6 elements", ad_graph_input(g, &out, &spec, E));
  spec.shape = SHAPE(2, -3);
  must_fail(AD_EINPUT, "'m' has a negative size: [2, -3]", ad_graph_input(g, &out, &spec, E));
  spec.shape.rank = 9;
  must_fail(AD_EINPUT, "'m' has rank 9; the limit is 8", ad_graph_input(g, &out, &spec, E));
  spec.shape.rank = -1;
  must_fail(AD_EINPUT, "rank -1", ad_graph_input(g, &out, &spec, E));
  spec.shape = SHAPE(1 << 30, 1 << 30, 1 << 30);
  must_fail(AD_ELIMIT, "more than 2147483648 elements, the limit (--max-elements)", ad_graph_input(g, &out, &spec, E));
  ck_assert_uint_eq(out, UNTOUCHED);
  ck_assert_uint_eq(ad_graph_input_count(g), 0);
  spec = (ad_input_spec){.name = "v", .shape = SHAPE(5), .value = n, .dtype = AD_F32, .fixed = true};
  must(ad_graph_input(g, &out, &spec, E));
  ad_numbers_clear(n); /* copied */
  ad_values v = ad_graph_node_values(g, out);
  ck_assert_uint_eq(v.count, 5);
  ck_assert(v.value[4] == 4);
  ck_assert(ad_graph_input_fixed(g, out));
  ck_assert_int_eq(ad_graph_node_dtype(g, out), AD_F32);
  const ad_shape two = SHAPE(2);
  must_fail(AD_EINPUT, "a constant has no numbers", ad_graph_constant(g, &out, &two, n, AD_EXACT, E));
  must(ad_numbers_push_double(n, 1, E));
  must(ad_numbers_push_double(n, 2, E));
  must(ad_numbers_push_double(n, 3, E));
  must_fail(AD_EINPUT, "a constant has 3 numbers, but its shape [2] has 2 elements",
            ad_graph_constant(g, &out, &two, n, AD_EXACT, E));
  must_fail(AD_EINPUT, "'0x' is not a number", ad_graph_constant_text(g, &out, "0x", E));
  ck_assert_uint_eq(ad_graph_node_count(g), 1);
  ad_numbers_free(n);
  ad_graph_free(g);
}
END_TEST

START_TEST(limits) {
  ad_graph *g;
  ad_node out = UNTOUCHED;
  must(ad_graph_new(&g, &(ad_limits){.max_nodes = 3, .max_elements = 10, .max_bytes = 5000, .max_precision = 400}, E));
  ck_assert_uint_eq(ad_graph_limits(g)->max_yaml_depth, 64); /* the others are the defaults */
  ad_node x = named(g, "x", SHAPE(10));
  must_fail(AD_ELIMIT, "input 'y' of shape [11] has more than 10 elements",
            ad_graph_input(g, &out, &(ad_input_spec){.name = "y", .shape = SHAPE(11)}, E));
  refused(g, "stack", 2, (ad_node[]){x, x}, NONE, AD_ELIMIT, "stack of shape [2, 10] has more than 10 elements",
          "--max-elements");
  ad_attr big = INTS_ATTR("shape", 1 << 30, 1 << 30, 1 << 30, 1 << 30, 10);
  refused(g, "broadcast_to", NODES(x), 1, &big, AD_EINPUT, "broadcast_to", "[10]");
  ad_node y = graphs_unary(g, "sin", x);
  /* One node is left: an operation whose default argument needs another changes nothing. */
  refused(g, "leaky_relu", NODES(y), NONE, AD_ELIMIT, "more than 3 nodes, the limit (--max-nodes)", "nodes");
  y = graphs_unary(g, "sin", y);
  refused(g, "sin", NODES(y), NONE, AD_ELIMIT, "more than 3 nodes", "nodes");
  must_fail(AD_ELIMIT, "more than 3 nodes", ad_graph_constant_double(g, &out, 1, E));
  ad_program *p;
  ad_workspace *w = NULL;
  must(ad_program_new(&p, g, NULL, E));
  must_fail(AD_EUSAGE, "at least 2 bits",
            ad_workspace_new(&w, p, ad_backend_find("mpfr"), &(ad_workspace_options){.precision = 1}, E));
  must_fail(AD_ELIMIT, "a precision of 401 bits is above the limit of 400 (--max-precision)",
            ad_workspace_new(&w, p, ad_backend_find("mpfr"), &(ad_workspace_options){.precision = 401}, E));
  must_fail(AD_ELIMIT, "--max-memory",
            ad_workspace_new(&w, p, ad_backend_find("mpfr"), &(ad_workspace_options){.precision = 400}, E));
  must_fail(AD_ELIMIT, "--max-memory",
            ad_workspace_new(&w, p, ad_backend_find("tape"), &(ad_workspace_options){.points = 4096}, E));
  must_fail(AD_EUSAGE, "at most 4096 points",
            ad_workspace_new(&w, p, ad_backend_find("tape"), &(ad_workspace_options){.points = 4097}, E));
  must_fail(AD_EUSAGE, "backends in double",
            ad_workspace_new(&w, p, ad_backend_find("mpfr"), &(ad_workspace_options){.points = 2}, E));
  ck_assert_ptr_null(w);
  ad_program_free(p);
  ad_graph_free(g);
  ad_limits d = ad_limits_resolve(NULL);
  ck_assert_uint_eq(d.max_nodes, 100000000);
  ck_assert_uint_eq(d.max_elements, (uint64_t)1 << 31);
  ck_assert_uint_eq(d.max_bytes, (uint64_t)16 << 30);
  ck_assert_uint_eq(d.max_precision, 10000000);
  ck_assert_uint_eq(d.max_expr_depth, 256);
  ck_assert_uint_eq(d.max_scalar, 1 << 20);
  ck_assert_int_eq(ad_exit_status(AD_ENOMEM), 6);
  ck_assert_int_eq(ad_exit_status(AD_EINPUT), 3);
}
END_TEST

/* ---- Operations */

START_TEST(operations_that_are_none) {
  ad_graph *g = graphs_new();
  ad_node x = named(g, "x", SCALAR), out = UNTOUCHED;
  must_fail(AD_EUSAGE, "unknown operation", ad_graph_apply(g, &out, AD_NO_OP, NODES(x), NONE, E));
  must_fail(AD_EUSAGE, "unknown operation", ad_graph_apply(g, &out, (ad_op)ad_op_count(), NODES(x), NONE, E));
  refused(g, "input", NODES(x), NONE, AD_EUSAGE, "input can't be applied", "");
  refused(g, "constant", 0, NULL, NONE, AD_EUSAGE, "constant can't be applied", "");
  refused(g, "powi", NODES(x, x), NONE, AD_EUSAGE, "powi can't be applied", "");
  refused(g, "mul", NODES(x), NONE, AD_EINPUT, "mul takes 2 arguments (x, y), not 1", "");
  refused(g, "sin", NODES(x, x), NONE, AD_EINPUT, "sin takes 1 argument (x), not 2", "");
  refused(g, "leaky_relu", NODES(x, x, x), NONE, AD_EINPUT, "leaky_relu takes", "not 3");
  refused(g, "where", 0, NULL, NONE, AD_EINPUT, "where takes 3 arguments (c, x, y), not 0", "");
  refused(g, "stack", 0, NULL, NONE, AD_EINPUT, "stack takes at least 1 argument", "");
  refused(g, "add", NODES(x, 1), NONE, AD_EUSAGE, "argument 2 is node 1, which does not exist", "add");
  refused(g, "add", NODES(AD_NO_NODE, x), NONE, AD_EUSAGE, "argument 1 is node", "add");
  ad_graph_free(g);
}
END_TEST

/* What is left out is the table's default, exactly. */
START_TEST(default_arguments) {
  ad_graph *g = graphs_new();
  ad_node x = named(g, "x", SCALAR), y = graphs_unary(g, "leaky_relu", x);
  const ad_node *args;
  ck_assert_uint_eq(ad_graph_node_args(g, y, &args), 2);
  ck_assert_int_eq(ad_graph_node_op(g, args[1]), ad_op_find("constant"));
  ad_values v = ad_graph_node_values(g, args[1]);
  ck_assert_str_eq(ad_values_text(&v, 0), "0.01");
  ad_attr no = INT_ATTR("axis", 0); /* refused: nothing is left behind */
  refused(g, "leaky_relu", NODES(x), 1, &no, AD_EINPUT, "leaky_relu has no attribute 'axis'", "");
  ad_graph_free(g);
}
END_TEST

START_TEST(shapes_that_do_not_fit) {
  ad_graph *g = graphs_new();
  ad_node s = named(g, "s", SCALAR), v3 = named(g, "v3", SHAPE(3)), v4 = named(g, "v4", SHAPE(4));
  ad_node m = named(g, "m", SHAPE(2, 3)), t = named(g, "t", SHAPE(5, 2, 3)), u = named(g, "u", SHAPE(4, 3, 2));
  ad_node deep = named(g, "deep", SHAPE(1, 1, 1, 1, 1, 1, 1, 2));
  refused(g, "add", NODES(v3, v4), NONE, AD_EINPUT, "add: shapes [3] and [4] don't broadcast", "'v3' [3], 'v4' [4]");
  refused(g, "where", NODES(s, m, v4), NONE, AD_EINPUT, "[2, 3] and [4]", "'v4' [4]");
  refused(g, "matmul", NODES(s, m), NONE, AD_EINPUT, "matmul: a scalar has no rows", "'s' []");
  refused(g, "matmul", NODES(m, m), NONE, AD_EINPUT, "[2, 3] and [2, 3] don't fit: the inner sizes 3 and 2 differ",
          "'m' [2, 3]");
  refused(g, "matmul", NODES(m, v4), NONE, AD_EINPUT, "inner sizes 3 and 4", "'v4'");
  refused(g, "matmul", NODES(t, u), NONE, AD_EINPUT, "leading axes", "[5] and [4]");
  refused(g, "dot", NODES(v3, v4), NONE, AD_EINPUT, "dot: shapes [3] and [4]", "'v3'");
  refused(g, "dot", NODES(m, m), NONE, AD_EINPUT, "not two vectors", "matmul");
  refused(g, "matmul_no_nan", NODES(v3, v3), ATTRS(INTS_ATTR("zeros", 2)), AD_EINPUT, "factors, 0 and 1, not 2",
          "zeros");
  refused(g, "concat", NODES(m, v3), NONE, AD_EINPUT, "argument 2 of shape [3] doesn't fit the first, of shape [2, 3]",
          "concat");
  refused(g, "concat", NODES(m, t), NONE, AD_EINPUT, "doesn't fit", "[5, 2, 3]");
  refused(g, "concat", NODES(s, s), NONE, AD_EINPUT, "scalars have no axis; use stack", "concat");
  refused(g, "stack", NODES(v3, v4), NONE, AD_EINPUT, "argument 2 of shape [4]", "stack");
  refused(g, "stack", NODES(deep), NONE, AD_EINPUT, "rank 9", "stack");
  refused(g, "softmax", NODES(s), NONE, AD_EINPUT, "softmax: a scalar has no axis", "'s' []");
  ad_attr index = INTS_ATTR("indices", 0, 1);
  refused(g, "gather", NODES(s), 1, &index, AD_EINPUT, "gather: a scalar has no axis", "'s' []");
  refused(g, "scatter_add", NODES(v3, v3), 1, &index, AD_EINPUT, "updates of shape [3], but the indices want [2]",
          "scatter_add");
  int64_t four[2] = {0, 0};
  ad_attr wide = {"indices", SHAPE(2, 1), four};
  refused(g, "gather", NODES(deep), 1, &wide, AD_EINPUT, "rank 9", "gather");
  ad_graph_free(g);
}
END_TEST

START_TEST(attributes_that_are_wrong) {
  ad_graph *g = graphs_new();
  ad_node x = named(g, "x", SHAPE(2, 3)), e = named(g, "e", SHAPE(0, 3));
#define REFUSED(op, part, also, ...) refused(g, op, NODES(x), ATTRS(__VA_ARGS__), AD_EINPUT, part, also)
  REFUSED("sum", "sum has no attribute 'axes'; it has axis, keepdims", "", INT_ATTR("axes", 0));
  REFUSED("sin", "sin has no attribute 'axis'", "", INT_ATTR("axis", 0));
  REFUSED("sum", "'axis' is given twice", "sum", INT_ATTR("axis", 0), INT_ATTR("axis", 0));
  REFUSED("sum", "axis 2 is out of range for rank 2", "'x' [2, 3]", INT_ATTR("axis", 2));
  REFUSED("sum", "axis -3 is out of range for rank 2", "sum", INTS_ATTR("axis", 0, -3));
  REFUSED("sum", "axis 1 is given twice", "sum", INTS_ATTR("axis", 1, -1));
  REFUSED("sum", "'keepdims' is yes or no", "sum", INT_ATTR("keepdims", 2));
  REFUSED("sum", "'axis' is a list of at most 8", "sum", INTS_ATTR("axis", 0, 0, 0, 0, 0, 0, 0, 0, 0));
  REFUSED("softmax", "'axis' is one integer", "softmax", INTS_ATTR("axis", 0, 1));
  REFUSED("cumsum", "axis 2 is out of range", "cumsum", INT_ATTR("axis", 2));
  REFUSED("transpose", "perm has 1 axes, the argument 2", "transpose", INTS_ATTR("perm", 0));
  REFUSED("transpose", "perm has axis 0 twice", "transpose", INTS_ATTR("perm", 0, -2));
  REFUSED("transpose", "axis 5 is out of range", "transpose", INTS_ATTR("perm", 0, 5));
  refused(g, "reshape", NODES(x), NONE, AD_EINPUT, "reshape wants the attribute 'shape'", "");
  refused(g, "gather", NODES(x), NONE, AD_EINPUT, "gather wants the attribute 'indices'", "");
  REFUSED("reshape", "[2, 3] has 6 elements and can't become [4]", "'x'", INTS_ATTR("shape", 4));
  REFUSED("reshape", "can't become [4, -1]", "'x'", INTS_ATTR("shape", 4, -1));
  REFUSED("reshape", "only one size may be -1", "'x'", INTS_ATTR("shape", -1, -1));
  REFUSED("reshape", "reshape", "[-2, -3]", INTS_ATTR("shape", -2, -3));
  refused(g, "reshape", NODES(e), ATTRS(INTS_ATTR("shape", 0, -1)), AD_EINPUT, "can't become [0, -1]", "[0, 3]");
  REFUSED("broadcast_to", "[3, 2] and [2, 3] don't broadcast", "'x'", INTS_ATTR("shape", 3, 2));
  REFUSED("broadcast_to", "[2, 3] can't become [3]", "'x'", INTS_ATTR("shape", 3));
  REFUSED("broadcast_to", "broadcast_to", "[-2, 3]", INTS_ATTR("shape", -2, 3));
  REFUSED("slice", "the step of axis 1 is 0", "slice", INTS_ATTR("step", 1, 0));
  REFUSED("slice", "'start' speaks of 3 axes, the argument has 2", "slice", INTS_ATTR("start", 0, 0, 0));
  REFUSED("slice", "index of axis 0 is out of range for shape [2, 3]", "slice", INTS_ATTR("start", 2),
          INTS_ATTR("squeeze", 0));
  REFUSED("slice", "axis 4 is out of range", "slice", INTS_ATTR("squeeze", 4));
  REFUSED("gather", "index 2 is out of range for axis 0 of size 2", "'x'", INTS_ATTR("indices", 0, 2));
  REFUSED("gather", "index -4 is out of range for axis 1 of size 3", "'x'", INTS_ATTR("indices", -4),
          INT_ATTR("axis", -1));
  int64_t extreme[] = {INT64_MIN, INT64_MAX};
  REFUSED("gather", "out of range", "gather", LIST_ATTR("indices", 1, extreme));
  REFUSED("sum", "out of range", "sum", LIST_ATTR("axis", 1, extreme));
  REFUSED("reshape", "reshape", "[2, 3]", LIST_ATTR("shape", 2, extreme));
  REFUSED("slice", "slice", "step", LIST_ATTR("step", 1, extreme));
  ad_graph_free(g);
}
END_TEST

/* Extremes that are allowed. */
START_TEST(extreme_slices) {
  ad_graph *g = graphs_new();
  ad_node x = named(g, "x", SHAPE(3)), y;
  int64_t low[] = {INT64_MIN}, high[] = {INT64_MAX}, back[] = {-INT64_MAX};
  y = graphs_apply(g, "slice", NODES(x), ATTRS(LIST_ATTR("start", 1, low), LIST_ATTR("stop", 1, high)));
  ck_assert_int_eq(ad_graph_node_shape(g, y)->dim[0], 3);
  y = graphs_apply(g, "slice", NODES(x), ATTRS(LIST_ATTR("step", 1, high)));
  ck_assert_int_eq(ad_graph_node_shape(g, y)->dim[0], 1);
  y = graphs_apply(g, "slice", NODES(x), ATTRS(LIST_ATTR("start", 1, high), LIST_ATTR("step", 1, back)));
  ck_assert_int_eq(ad_graph_node_shape(g, y)->dim[0], 1);
  ad_graph_free(g);
}
END_TEST

/* Attribute k of a node is this list, or one integer. */
static void expect_attr(const ad_graph *g, ad_node n, int k, const char *name, int32_t rank, size_t count,
                        const int64_t *want) {
  ad_attr a = ad_graph_node_attr(g, n, k);
  ck_assert_str_eq(a.name, name);
  ck_assert_int_eq(a.shape.rank, rank);
  ck_assert_msg(a.value, "%s is absent", name);
  ck_assert_uint_eq((size_t)ad_shape_size(&a.shape), count);
  for (size_t i = 0; i < count; i++) ck_assert_int_eq(a.value[i], want[i]);
}
#define INTS(...) sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), ((const int64_t[]){__VA_ARGS__})

/* A graph has one form: defaults filled in, lists sorted where order means nothing, axes from 0. */
START_TEST(attributes_are_normalised) {
  ad_graph *g = graphs_new();
  ad_node one = named(g, "one", SHAPE(1)), x = named(g, "x", SHAPE(2, 3, 4));
  static const int64_t nothing[1]; /* an empty list is not an absent one, also when it is the graph's first */
  ad_node n = graphs_apply(g, "reshape", NODES(one), ATTRS(LIST_ATTR("shape", 0, nothing)));
  expect_attr(g, n, 0, "shape", 1, 0, NULL);
  n = graphs_unary(g, "sum", x);
  expect_attr(g, n, 0, "axis", 1, INTS(0, 1, 2));
  expect_attr(g, n, 1, "keepdims", 0, INTS(0));
  n = graphs_apply(g, "sum", NODES(x), ATTRS(INT_ATTR("keepdims", 1), INTS_ATTR("axis", -1, 0)));
  expect_attr(g, n, 0, "axis", 1, INTS(0, 2));
  expect_attr(g, n, 1, "keepdims", 0, INTS(1));
  n = graphs_apply(g, "sum", NODES(x), ATTRS(INT_ATTR("axis", -2))); /* one integer is a list of one */
  expect_attr(g, n, 0, "axis", 1, INTS(1));
  n = graphs_apply(g, "sum", NODES(x), ATTRS(LIST_ATTR("axis", 0, nothing))); /* over nothing is not over all */
  expect_attr(g, n, 0, "axis", 1, 0, NULL);
  ck_assert_int_eq(ad_graph_node_shape(g, n)->rank, 3);
  n = graphs_unary(g, "transpose", x);
  expect_attr(g, n, 0, "perm", 1, INTS(2, 1, 0));
  n = graphs_apply(g, "reshape", NODES(x), ATTRS(INTS_ATTR("shape", -1, 4)));
  expect_attr(g, n, 0, "shape", 1, INTS(6, 4));
  n = graphs_unary(g, "softmax", x);
  expect_attr(g, n, 0, "axis", 0, INTS(2));
  n = graphs_unary(g, "cumsum", x);
  expect_attr(g, n, 0, "axis", 0, INTS(0));
  n = graphs_apply(g, "slice", NODES(x), ATTRS(INTS_ATTR("start", -1), INTS_ATTR("squeeze", -3)));
  expect_attr(g, n, 0, "start", 1, INTS(1, 0, 0));
  expect_attr(g, n, 1, "stop", 1, INTS(2, 3, 4));
  expect_attr(g, n, 2, "step", 1, INTS(1, 1, 1));
  expect_attr(g, n, 3, "squeeze", 1, INTS(0));
  int64_t table[] = {0, 1, -1, 0};
  n = graphs_apply(g, "gather", NODES(x), ATTRS(((ad_attr){"indices", SHAPE(2, 2), table}), INT_ATTR("axis", -2)));
  expect_attr(g, n, 1, "axis", 0, INTS(1));
  ck_assert_int_eq(ad_graph_node_attr(g, n, 0).shape.rank, 2);
  table[0] = 2; /* copied */
  ck_assert_int_eq(ad_graph_node_attr(g, n, 0).value[0], 0);
  ad_graph_free(g);
}
END_TEST

/* ---- The table */

START_TEST(table_is_sound) {
  for (ad_op op = 0; op < ad_op_count(); op++) {
    const ad_op_info *i = ad_op_get(op);
    ck_assert_int_eq(ad_op_find(i->name), op); /* names are unique */
    ck_assert_msg(*i->doc && *i->value, "%s is not documented", i->name);
    int args = *i->arg_names != '\0';
    for (const char *s = i->arg_names; *s; s++) args += *s == ',';
    ck_assert_msg(args == i->max_args || i->max_args == AD_VARIADIC, "%s: %s are not %d", i->name, i->arg_names,
                  i->max_args);
    ck_assert_int_le(i->min_args, i->max_args);
    if (i->default_arg) ck_assert(ad_number_valid(i->default_arg, strlen(i->default_arg)));
    ck_assert_msg(i->cls != AD_CLASS_ELEMENT || (i->value_ulps > 0 && i->partial_ulps > 0), "%s states no bound",
                  i->name);
    for (int k = 0; k < 3; k++)
      ck_assert_msg(
          (i->partial[k] != NULL) == (k < i->max_args && (i->cls == AD_CLASS_ELEMENT || i->cls == AD_CLASS_LOWERED)),
          "%s: partial %d", i->name, k);
    for (int k = 0; k < i->attr_count; k++) ck_assert(*i->attr[k].name && *i->attr[k].doc);
  }
  ck_assert_ptr_null(ad_op_get((ad_op)ad_op_count()));
  ck_assert_int_eq(ad_op_find("no such operation"), AD_NO_OP);
  ck_assert_int_eq(ad_op_find(""), AD_NO_OP);
}
END_TEST

/* What a message quotes can't reach a terminal as more than text. */
START_TEST(messages_are_text) {
  static const char *const numbers[] = {"1\033[31m", "2\x9b\x33\x31m", "3\xe2\x82", "4\xc2\x9b\x31m",
                                        "\xff\xfe\xc3\xa9"};
  static const char *const shown[] = {"'1?[31m'", "'231m'", "'3?'", "'4?1m'", "'??\xc3\xa9'"};
  ad_numbers *n = ad_numbers_new();
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    must_fail(AD_EINPUT, shown[i], ad_numbers_push_text(n, numbers[i], strlen(numbers[i]), E));
  ad_numbers_free(n);
}
END_TEST

START_TEST(suggestions) {
  static const char *const pairs[][2] = {{"tanhh", "tanh"},
                                         {"sigmod", "sigmoid"},
                                         {"matmull", "matmul"},
                                         {"logsumxp", "logsumexp"},
                                         {"reduce_maks", "reduce_max"},
                                         {"sofmax", "softmax"},
                                         {"expp", "exp"},
                                         {"boradcast_to", "broadcast_to"},
                                         {"ln", "log"},
                                         {"log_softmax", "logsumexp"},
                                         {"mod", "rem"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) ck_assert_str_eq(ad_op_suggest(pairs[i][0]), pairs[i][1]);
  ck_assert_ptr_null(ad_op_suggest("qwertyuiop"));
  ck_assert_ptr_null(ad_op_suggest("a name much longer than the name of any operation of the table could ever be"));
}
END_TEST

START_TEST(shapes_as_text) {
  char text[AD_SHAPE_TEXT];
  ad_shape s = SHAPE(3, 4);
  ad_shape_text(text, &s);
  ck_assert_str_eq(text, "[3, 4]");
  s = SCALAR;
  ad_shape_text(text, &s);
  ck_assert_str_eq(text, "[]");
  ck_assert_int_eq(ad_shape_size(&s), 1);
  s = SHAPE(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MIN);
  ad_shape_text(text, &s);
  ck_assert_int_eq(ad_shape_size(&s), -1);
  s = SHAPE((int64_t)1 << 32, (int64_t)1 << 31);
  ck_assert_int_eq(ad_shape_size(&s), -1);
  s = SHAPE(INT64_MAX, 2, 0);
  ck_assert_int_eq(ad_shape_size(&s), -1);
  s = SHAPE(0, 5);
  ck_assert_int_eq(ad_shape_size(&s), 0);
  ad_shape a = SHAPE(2, 3), b = SHAPE(2, 3, 1);
  ck_assert(ad_shape_equal(&a, &a) && !ad_shape_equal(&a, &b));
}
END_TEST

int main(void) {
  Suite *s = suite_create("graphs");
  TCase *t = tcase_create("builder");
  tcase_set_timeout(t, 60);
  tcase_add_test(t, names);
  tcase_add_test(t, many_names);
  tcase_add_test(t, graph_name_meta_and_kinks);
  tcase_add_test(t, values_and_shapes);
  tcase_add_test(t, limits);
  tcase_add_test(t, operations_that_are_none);
  tcase_add_test(t, default_arguments);
  tcase_add_test(t, shapes_that_do_not_fit);
  tcase_add_test(t, attributes_that_are_wrong);
  tcase_add_test(t, extreme_slices);
  tcase_add_test(t, attributes_are_normalised);
  tcase_add_test(t, table_is_sound);
  tcase_add_test(t, suggestions);
  tcase_add_test(t, messages_are_text);
  tcase_add_test(t, shapes_as_text);
  suite_add_tcase(s, t);
  return suite_run(s);
}
