/* ONNX models as they are found: nodes in any order, open sizes, names that graphs can't have, declared shapes, new
 * versions, and what is too much to load. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_model.h"
#include "suite.h"

enum {
  FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
  INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64
};

/* ---- Order */

START_TEST(nodes_come_in_any_order) {
  const tensor x = onnx_eighths((ad_shape){1, {3}});
  tensor want = x;
  Onnx__ModelProto *m = onnx_model(13);
  onnx_weight(m->graph, "x", &x);
  onnx_local(onnx_node(m->graph, "Twice", "c", "y"));
  onnx_node(m->graph, "Neg", "b", "c");
  onnx_ints(m->graph, "trips", NO_DIMS, (int64_t[]){2});
  Onnx__GraphProto *body = onnx_body(onnx_node(m->graph, "Loop", "trips - x", "b"), "body");
  onnx_input(body, "i", INT64, NO_DIMS);
  onnx_input(body, "go", BOOL, NO_DIMS);
  onnx_input(body, "p", FLOAT, DIMS(3));
  onnx_node(body, "Add", "q a", "r"); /* a is made behind the loop */
  onnx_node(body, "Neg", "p", "q");
  onnx_output(body, "go");
  onnx_output(body, "r");
  onnx_node(m->graph, "Abs", "x", "a");
  onnx_output(m->graph, "y");
  Onnx__FunctionProto *f = onnx_function(m, "Twice", 13, "u", "w");
  onnx_function_node(f, "Add", "v u", "w");
  onnx_function_node(f, "Identity", "u", "v");
  for (size_t i = 0; i < x.count; i++) want.v[i] = -2 * x.v[i]; /* -(|x| - (|x| - x)) twice */
  onnx_expect(onnx_load(m), "y", &want, 4);
}
END_TEST

START_TEST(cycles_are_named) {
  Onnx__ModelProto *m = onnx_model(13);
  onnx_input(m->graph, "x", FLOAT, DIMS(2));
  onnx_node(m->graph, "Add", "x c", "a");
  onnx_node(m->graph, "Neg", "a", "b");
  onnx_node(m->graph, "Abs", "b", "c");
  onnx_node(m->graph, "Abs", "c", "y");
  onnx_output(m->graph, "y");
  onnx_refuse(m, AD_EINPUT, "the nodes form a cycle: 'a' takes 'c' takes 'b' takes 'a'");
  m = onnx_model(13);
  onnx_input(m->graph, "x", FLOAT, DIMS(2));
  onnx_node(m->graph, "Add", "x y", "y");
  onnx_output(m->graph, "y");
  onnx_refuse(m, AD_EINPUT, "the nodes form a cycle: 'y' takes 'y'");
}
END_TEST

/* A chain as long as this one must not be walked by recursion. */
START_TEST(long_chains_are_turned_round) {
  enum { LENGTH = 20000 };
  Onnx__ModelProto *m = onnx_model(13);
  onnx_input(m->graph, "v0", FLOAT, NO_DIMS);
  for (int i = LENGTH; i > 0; i--) {
    char from[16], to[16];
    snprintf(from, sizeof from, "v%d", i - 1);
    snprintf(to, sizeof to, "v%d", i);
    onnx_node(m->graph, "Neg", from, to);
  }
  onnx_output(m->graph, "v20000");
  ad_graph *g = onnx_load(m);
  ck_assert_uint_eq(ad_graph_node_count(g), LENGTH + 1);
  ad_graph_free(g);
}
END_TEST

/* ---- Sizes */

/* Axis 0: with a name, without one, or -1. */
static Onnx__ModelProto *open_model(int how) {
  Onnx__ModelProto *m = onnx_model(13);
  onnx_input(m->graph, "x", FLOAT, DIMS(-1, 3));
  Onnx__TensorShapeProto__Dimension *d = m->graph->input[0]->type->tensor_type->shape->dim[0];
  if (how) {
    free(d->dim_param);
    d->value_case = how == 1 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET
                             : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    d->dim_value = how == 1 ? 0 : -1;
  }
  onnx_node(m->graph, "Neg", "x", "y");
  onnx_output(m->graph, "y");
  return m;
}

static void expect_rows(ad_graph *g, int64_t rows) {
  const ad_shape *s = ad_graph_node_shape(g, onnx_output_node(g, "y"));
  ck_assert_int_eq(s->rank, 2);
  ck_assert_int_eq(s->dim[0], rows);
  ck_assert_int_eq(s->dim[1], 3);
  ad_graph_free(g);
}

START_TEST(open_sizes_follow) {
  const ad_shape rows = {2, {5, 3}}, other = {3, {5, 3, 1}};
  ad_numbers *two = ad_numbers_new();
  must(ad_numbers_push_double(two, 2, &graphs_error));
  expect_rows(onnx_load(open_model(_i)), 1);
  expect_rows(onnx_load_bound(open_model(_i), 1, &(ad_binding){"x", NULL, &rows}), 5);
  expect_rows(onnx_load_bound(open_model(_i), 1, &(ad_binding){"x", NULL, &other}), 1);
  expect_rows(onnx_load_bound(open_model(_i), 1, &(ad_binding){"z", NULL, &rows}), 1);
  const ad_binding both[] = {{"x[0]", two, NULL}, {"x", NULL, &rows}};
  expect_rows(onnx_load_bound(open_model(_i), 2, both), 2);
  ad_numbers_free(two);
}
END_TEST

/* A size with a name is one size, and inputs without a shape have that of their array. */
START_TEST(sizes_are_shared) {
  const ad_shape rows = {2, {5, 3}}, fewer = {2, {4, 3}};
  for (int i = 0; i < 3; i++) {
    Onnx__ModelProto *m = open_model(0);
    onnx_input(m->graph, "z", FLOAT, DIMS(-1, 3));
    strcpy(m->graph->node[0]->op_type, "Add");
    m->graph->node[0]->input = realloc(m->graph->node[0]->input, 2 * sizeof(char *));
    m->graph->node[0]->input[m->graph->node[0]->n_input++] = strdup("z");
    if (i == 2) {
      onnx__tensor_shape_proto__free_unpacked(m->graph->input[1]->type->tensor_type->shape, NULL);
      m->graph->input[1]->type->tensor_type->shape = NULL;
    }
    const ad_binding both[] = {{"x", NULL, &rows}, {"z", NULL, i == 1 ? &fewer : &rows}};
    if (i != 1) {
      expect_rows(onnx_load_bound(m, i ? 2 : 1, both), 5);
      continue;
    }
    size_t size;
    ad_graph *g;
    void *bytes = onnx_pack(m, &size);
    must_fail(AD_EINPUT, "different sizes 'N': 5 and 4",
              ad_graph_read_bound(&g, bytes, size, "m", 2, both, NULL, &graphs_error));
    free(bytes);
    onnx_free(m);
  }
}
END_TEST

/* Declares the shape of the output. */
static Onnx__ModelProto *declared(Onnx__ModelProto *m, int rank, const int64_t *dim) {
  Onnx__GraphProto *g = m->graph;
  onnx_input(g, "y", FLOAT, rank, dim);
  onnx__value_info_proto__free_unpacked(g->output[0], NULL);
  g->output[0] = g->input[--g->n_input];
  return m;
}

START_TEST(declared_shapes_are_compared) {
  const tensor x = onnx_some((ad_shape){2, {2, 3}});
  ad_graph_free(onnx_load(declared(onnx_single(13, "Neg", "x", "y", &x), DIMS(2, 3))));
  ad_graph_free(onnx_load(declared(onnx_single(13, "Neg", "x", "y", &x), DIMS(-1, 3))));
  onnx_refuse(declared(onnx_single(13, "Neg", "x", "y", &x), DIMS(2, 4)), AD_EINPUT,
              "the output 'y' has the shape [2, 3], but the model declares [2, 4]");
  onnx_refuse(declared(onnx_single(13, "Neg", "x", "y", &x), DIMS(-1, 4)), AD_EINPUT, "declares [N, 4]");
  onnx_refuse(declared(onnx_single(13, "Neg", "x", "y", &x), DIMS(2, 3, 1)), AD_EINPUT, "declares [2, 3, 1]");
  ad_graph_free(onnx_load(declared(open_model(1), DIMS(7, 3)))); /* true of another size */
  onnx_refuse(declared(open_model(1), DIMS(3)), AD_EINPUT, "declares [3]");
}
END_TEST

/* ---- Names */

static Onnx__ModelProto *named(const char *in, const char *out) {
  Onnx__ModelProto *m = onnx_model(13);
  onnx_input(m->graph, in, FLOAT, NO_DIMS);
  onnx_output(m->graph, out);
  onnx_node(m->graph, "Neg", "x", "y");
  char **const slot[] = {&m->graph->node[0]->input[0], &m->graph->node[0]->output[0]};
  const char *const name[] = {in, out};
  for (int i = 0; i < 2; i++) {
    free(*slot[i]);
    *slot[i] = strdup(name[i]);
  }
  return m;
}

START_TEST(names_are_made_to_fit) {
  char a[400], b[400], line[2000];
  memset(a, 'a', sizeof a);
  a[399] = '\0';
  memcpy(b, a, sizeof a);
  b[398] = 'b';
  ad_graph *g = onnx_load(named(a, b));
  const char *in = ad_graph_node_name(g, 0), *out = ad_graph_output_name(g, 0);
  ck_assert_uint_le(strlen(in), AD_MAX_NAME);
  ck_assert(!strncmp(in, a, 200) && !strncmp(out, a, 200) && strcmp(in, out) != 0);
  ck_assert_uint_eq(ad_graph_meta_count(g), 1);
  ck_assert_str_eq(ad_graph_meta_key(g, 0), "onnx.names");
  snprintf(line, sizeof line, "%s %s\n%s %s\n", in, a, out, b);
  ck_assert_str_eq(ad_graph_meta_text(g, 0), line);
  ad_graph *again = onnx_load(named(a, b));
  ck_assert_str_eq(ad_graph_node_name(again, 0), in);
  ad_graph_free(again);
  ad_graph_free(g);
  g = onnx_load(named("%`1", "z\n"));
  ck_assert(!strncmp(ad_graph_node_name(g, 0), "__1~", 4) && !strncmp(ad_graph_output_name(g, 0), "z_~", 3));
  ad_graph_free(g);
}
END_TEST

/* ---- Versions */

START_TEST(newer_versions_are_read) {
  const tensor x = onnx_some((ad_shape){1, {4}});
  tensor want = x;
  for (size_t i = 0; i < x.count; i++) want.v[i] = -x.v[i];
  onnx_expect(onnx_load(onnx_single(_i, "Neg", "x", "y", &x)), "y", &want, 0);
  onnx_refuse(onnx_single(_i, "Swish", "x", "y", &x), AD_EINPUT, "not supported: the operator Swish");
  Onnx__ModelProto *m = onnx_single(_i, "QuantizeLinear", "x step", "q", &x);
  onnx_floats(m->graph, "step", NO_DIMS, (double[]){0.25});
  onnx_int(m->graph->node[0], "precision", FLOAT);
  onnx_int(onnx_node(m->graph, "DequantizeLinear", "q step", "d"), "output_dtype", FLOAT);
  Onnx__NodeProto *n = onnx_node(m->graph, "Cast", "d", "y");
  onnx_int(n, "to", FLOAT);
  onnx_word(n, "round_mode", "up");
  ad_graph_free(onnx_load(m));
}
END_TEST

/* ---- Limits */

static void exceeds(Onnx__ModelProto *m, uint64_t bytes_allowed, const char *part) {
  const ad_limits limits = {.max_bytes = bytes_allowed};
  size_t size;
  ad_graph *g;
  void *bytes = onnx_pack(m, &size);
  must_fail(AD_ELIMIT, part, ad_graph_read(&g, bytes, size, "model", &limits, &graphs_error));
  free(bytes);
  onnx_free(m);
}

/* What is tiled or expanded takes no memory before it is known that it may. */
START_TEST(loading_is_bounded) {
  Onnx__ModelProto *m = onnx_model(6);
  onnx_input(m->graph, "x", FLOAT, DIMS(1, 1, 1, 2));
  onnx_ints(m->graph, "repeats", DIMS(4), (int64_t[]){0x3000001, 2, 3, 4});
  onnx_node(m->graph, "Tile", "x repeats", "y");
  onnx_output(m->graph, "y");
  exceeds(m, 0, "more than 2147483648 elements");
  for (int i = 0; i < 3; i++) {
    static const char *const op[] = {"ConstantOfShape", "Expand", "Tile"};
    m = onnx_model(13);
    onnx_input(m->graph, "x", FLOAT, NO_DIMS);
    onnx_ints(m->graph, "size", DIMS(1), (int64_t[]){1 << 18});
    onnx_ints(m->graph, "one", DIMS(1), (int64_t[]){1});
    onnx_node(m->graph, op[i], i ? "one size" : "size", "y");
    onnx_output(m->graph, "y");
    exceeds(m, 1 << 20, "(--max-memory)");
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx_models");
  TCase *c = tcase_create("models");
  tcase_add_test(c, nodes_come_in_any_order);
  tcase_add_test(c, cycles_are_named);
  tcase_add_test(c, long_chains_are_turned_round);
  tcase_add_loop_test(c, open_sizes_follow, 0, 3);
  tcase_add_test(c, sizes_are_shared);
  tcase_add_test(c, declared_shapes_are_compared);
  tcase_add_test(c, names_are_made_to_fit);
  tcase_add_loop_test(c, newer_versions_are_read, 21, 26);
  tcase_add_test(c, loading_is_bounded);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  return suite_run(s);
}
