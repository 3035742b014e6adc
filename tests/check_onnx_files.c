/* ONNX models whose parts stand elsewhere: weights in files beside the model, nodes in functions of the model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beside.h"
#include "onnx_model.h"
#include "suite.h"

enum { FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT };

/* ---- A folder for each test */

static char folder[64];

static const char *in_folder(const char *name) {
  static char path[4][200];
  static int at;
  at = (at + 1) % 4;
  snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
  return path[at];
}

static void open_folder(void) {
  strcpy(folder, "/tmp/check_onnx_files.XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void close_folder(void) {
  static const char *const names[] = {"m.onnx", "w.bin", "link", "inner/w.bin", "inner/up"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unlink(in_folder(names[i]));
  rmdir(in_folder("inner"));
  ck_assert_int_eq(rmdir(folder), 0);
}

static void put(const char *name, const void *bytes, size_t size) {
  FILE *f = fopen(in_folder(name), "wb");
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
  ck_assert_int_eq(fclose(f), 0);
}

/* ---- Weights beside the model */

static const float weights[] = {-9, 0.5F, 2, -3};

/* y = x * w with w in w.bin from byte 4 on. */
static Onnx__ModelProto *scaled(Onnx__TensorProto **w) {
  Onnx__ModelProto *m = onnx_model(13);
  onnx_input(m->graph, "x", FLOAT, DIMS(3));
  *w = onnx_floats(m->graph, "w", DIMS(0), NULL);
  (*w)->dims[0] = 3;
  onnx_node(m->graph, "Mul", "x w", "y");
  onnx_output(m->graph, "y");
  return m;
}

static void save(Onnx__ModelProto *m) {
  size_t size;
  void *bytes = onnx_pack(m, &size);
  put("m.onnx", bytes, size);
  free(bytes);
  onnx_free(m);
}

static void expect_weights(void) {
  ad_graph *g;
  must(ad_graph_load(&g, in_folder("m.onnx"), NULL, &graphs_error));
  const ad_values v = ad_graph_node_values(g, ad_graph_find_node(g, "w"));
  ck_assert_uint_eq(v.count, 3);
  for (int i = 0; i < 3; i++) ck_assert(v.value[i] == (double)weights[i + 1]);
  ad_graph_free(g);
}

START_TEST(weights_lie_beside_the_model) {
  static const char *const places[] = {"w.bin", "./w.bin", "inner/w.bin", "inner//./w.bin", "link", "inner/up"};
  ck_assert_int_eq(mkdir(in_folder("inner"), 0777), 0);
  put("w.bin", weights, sizeof weights);
  put("inner/w.bin", weights, sizeof weights);
  ck_assert_int_eq(symlink("inner/w.bin", in_folder("link")), 0);
  ck_assert_int_eq(symlink("../w.bin", in_folder("inner/up")), 0);
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    Onnx__TensorProto *w;
    Onnx__ModelProto *m = scaled(&w);
    onnx_external(w, "location", places[i]);
    onnx_external(w, "offset", "4");
    if (i % 2) onnx_external(w, "length", "12");
    save(m);
    expect_weights();
  }
}
END_TEST

typedef struct visits {
  size_t count;
  char path[10][200];
} visits;

static void visit(void *context, const char *path) {
  visits *v = context;
  ck_assert_uint_lt(v->count, 10);
  snprintf(v->path[v->count++], sizeof v->path[0], "%s", path);
}

/* Of initializers, attributes, bodies and functions; not those that would not be read. */
START_TEST(files_beside_the_model_are_listed) {
  Onnx__TensorProto *w;
  Onnx__ModelProto *m = scaled(&w);
  onnx_external(w, "offset", "4");
  onnx_external(w, "location", "w.bin");
  onnx_external(onnx_floats(m->graph, "again", DIMS(0), NULL), "location", "w.bin");
  onnx_external(onnx_floats(m->graph, "out", DIMS(0), NULL), "location", "../outside");
  Onnx__GraphProto *body = onnx_body(onnx_node(m->graph, "If", "x", "z"), "then_branch");
  onnx_external(onnx_floats(body, "deep", DIMS(0), NULL), "location", "inner/v.bin");
  size_t size;
  visits v = {0};
  void *bytes = onnx_pack(m, &size);
  ck_assert(ad_graph_beside("some/m.onnx", bytes, size, visit, &v));
  ck_assert_uint_eq(v.count, 2);
  ck_assert_str_eq(v.path[0], "some/inner/v.bin"); /* nodes come first in the file */
  ck_assert_str_eq(v.path[1], "some/w.bin");
  for (size_t n = 0; n < size; n++) { /* damaged models have no others */
    v.count = 0;
    ck_assert(ad_graph_beside("m.onnx", bytes, n, visit, &v));
    ck_assert_uint_le(v.count, 2);
  }
  free(bytes);
  onnx_free(m);
}
END_TEST

/* More elements than are read at a time, in a type whose bytes are not those of the result. */
START_TEST(large_weights_are_whole) {
  enum { COUNT = 5000 };
  Onnx__TensorProto *w;
  Onnx__ModelProto *m = scaled(&w);
  static uint16_t half[COUNT];
  ad_graph *g;
  for (int i = 0; i < COUNT; i++) half[i] = (uint16_t)(0x3C00 + i % 1024); /* 1 + k / 1024 */
  put("w.bin", half, sizeof half);
  m->graph->input[0]->type->tensor_type->shape->dim[0]->dim_value = COUNT;
  w->dims[0] = COUNT;
  w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
  onnx_external(w, "location", "w.bin");
  save(m);
  must(ad_graph_load(&g, in_folder("m.onnx"), NULL, &graphs_error));
  const ad_values v = ad_graph_node_values(g, ad_graph_find_node(g, "w"));
  ck_assert_uint_eq(v.count, COUNT);
  for (int i = 0; i < COUNT; i++) ck_assert(v.value[i] == 1 + (double)(i % 1024) / 1024);
  ad_graph_free(g);
}
END_TEST

static const struct {
  const char *location, *offset, *length, *message;
} wrong[] = {
    {"none.bin", NULL, NULL, "the data of the tensor 'w' in 'none.bin': No such file"},
    {"w.bin", "8", NULL,
     "the data of the tensor 'w' in 'w.bin': the file ends at byte 16; the tensor's 12 bytes start"},
    {"w.bin", "18446744073709551615", NULL, "the file ends at byte 16"},
    {"w.bin", "99999999999999999999", NULL, "its offset or length is no number"},
    {"w.bin", "-4", NULL, "its offset or length is no number"},
    {"w.bin", NULL, "", "its offset or length is no number"},
    {"w.bin", NULL, "16", "the length given is 16 bytes, and the tensor's elements take 12"},
    {"/etc/passwd", NULL, NULL, "must be a path in the model's folder"},
    {"../w.bin", NULL, NULL, "must be a path in the model's folder"},
    {"inner/../w.bin", NULL, NULL, "must be a path in the model's folder"},
    {"inner/..", NULL, NULL, "must be a path in the model's folder"},
    {"link", NULL, NULL, "a link leads out of the model's folder"},
    {"inner", NULL, NULL, "this is no regular file"},
    {"", NULL, NULL, "lies in another file, which it does not name"},
};
enum { WRONGS = sizeof wrong / sizeof wrong[0] };

START_TEST(bad_places_are_errors) {
  Onnx__TensorProto *w;
  Onnx__ModelProto *m = scaled(&w);
  ad_graph *g;
  ck_assert_int_eq(mkdir(in_folder("inner"), 0777), 0);
  put("w.bin", weights, sizeof weights);
  ck_assert_int_eq(symlink("/etc/passwd", in_folder("link")), 0);
  onnx_external(w, "location", wrong[_i].location);
  if (wrong[_i].offset) onnx_external(w, "offset", wrong[_i].offset);
  if (wrong[_i].length) onnx_external(w, "length", wrong[_i].length);
  save(m);
  ck_assert_int_ne(ad_graph_load(&g, in_folder("m.onnx"), NULL, &graphs_error), AD_OK);
  ck_assert_msg(strstr(graphs_error.message, wrong[_i].message) != NULL, "%s", graphs_error.message);
}
END_TEST

START_TEST(bytes_in_memory_have_no_folder) {
  Onnx__TensorProto *w;
  Onnx__ModelProto *m = scaled(&w);
  size_t size;
  ad_graph *g;
  onnx_external(w, "location", "w.bin");
  void *bytes = onnx_pack(m, &size);
  must_fail(AD_EINPUT, "this one was not read from a file",
            ad_graph_read(&g, bytes, size, in_folder("m.onnx"), NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
}
END_TEST

/* ---- Functions */

/* Leaky(x; slope) = LeakyRelu(x; alpha = slope), Twice(x, y; a) = Leaky(Leaky(x; slope = a) + y; slope = a). */
static Onnx__ModelProto *with_functions(void) {
  Onnx__ModelProto *m = onnx_model(13);
  Onnx__FunctionProto *twice = onnx_function(m, "Twice", 13, "x y", "r"),
                      *leaky = onnx_function(m, "Leaky", 13, "x", "y");
  onnx_refer(onnx_local(onnx_function_node(twice, "Leaky", "x", "p")), "slope", "a");
  onnx_function_node(twice, "Add", "p y", "q");
  onnx_refer(onnx_local(onnx_function_node(twice, "Leaky", "q", "r")), "slope", "a");
  onnx_refer(onnx_function_node(leaky, "LeakyRelu", "x", "y"), "alpha", "slope");
  return m;
}

static double leaky(double x, double slope) {
  return x < 0 ? slope * x : x;
}

START_TEST(functions_are_their_nodes) {
  Onnx__ModelProto *m = with_functions();
  tensor p = onnx_eighths((ad_shape){1, {4}}), q = onnx_eighths((ad_shape){1, {4}}), want = p;
  for (size_t i = 0; i < 4; i++) { /* all signs, no kinks */
    p.v[i] = i & 1 ? -2 : 3, q.v[i] = i & 2 ? 1.5 : -4;
    const double once = leaky(leaky(p.v[i], 0.25) + q.v[i], 0.25);
    want.v[i] = leaky(leaky(once, 0.5) + p.v[i], 0.5);
  }
  onnx_weight(m->graph, "p", &p);
  onnx_weight(m->graph, "q", &q);
  onnx_float(onnx_local(onnx_node(m->graph, "Twice", "p q", "r")), "a", 0.25);
  onnx_float(onnx_local(onnx_node(m->graph, "Twice", "r p", "y")), "a", 0.5);
  onnx_output(m->graph, "y");
  ad_graph *g = onnx_load(m);
  ck_assert_uint_lt(ad_graph_find_node(g, "r"), ad_graph_node_count(g)); /* the model's r, not a function's */
  ck_assert_uint_eq(ad_graph_find_node(g, "x"), AD_NO_NODE);
  onnx_expect(g, "y", &want, 0);
}
END_TEST

/* Softmax is over all axes from the first on before version 13, and over the last one since. */
START_TEST(functions_have_their_own_version) {
  for (int opset = 12; opset <= 13; opset++) {
    Onnx__ModelProto *m = onnx_model(25 - opset);
    const tensor x = tensor_zeros((ad_shape){3, {2, 2, 2}});
    tensor want = x;
    Onnx__FunctionProto *f = onnx_function(m, "Shares", opset, "x", "y");
    onnx_function_node(f, "Softmax", "x", "y");
    onnx_weight(m->graph, "x", &x);
    onnx_local(onnx_node(m->graph, "Shares", "x", "p"));
    onnx_node(m->graph, "Softmax", "x", "q");
    onnx_node(m->graph, "Sub", "p q", "y");
    onnx_output(m->graph, "y");
    for (size_t i = 0; i < want.count; i++) want.v[i] = opset == 12 ? 0.25 - 0.5 : 0.5 - 0.25;
    onnx_expect(onnx_load(m), "y", &want, 0);
  }
}
END_TEST

/* Operands and attributes that a call leaves out. */
START_TEST(functions_have_optional_operands) {
  for (int given = 0; given < 2; given++) {
    Onnx__ModelProto *m = onnx_model(13);
    Onnx__FunctionProto *f = onnx_function(m, "Bounded", 13, "x lo hi", "y");
    tensor x = onnx_eighths((ad_shape){1, {3}});
    x.v[0] = -5, x.v[1] = 0.5, x.v[2] = 7;
    tensor want = x;
    onnx_function_node(f, "Clip", "x lo hi", "c");
    onnx_refer(onnx_function_node(f, "Elu", "c", "y"), "alpha", "a"); /* not given: Elu's own, 1 */
    onnx_weight(m->graph, "x", &x);
    onnx_floats(m->graph, "two", NO_DIMS, (double[]){2});
    onnx_local(onnx_node(m->graph, "Bounded", given ? "x - two" : "x", "y"));
    onnx_output(m->graph, "y");
    want.v[0] = expm1(-5);
    if (given) want.v[2] = 2;
    onnx_expect(onnx_load(m), "y", &want, 2);
  }
}
END_TEST

/* A default, field 11 of a function, which the definition of ONNX did not always have. */
START_TEST(functions_have_default_attributes) {
  Onnx__ModelProto *m = with_functions();
  Onnx__FunctionProto *old = m->functions[1], *f;
  Onnx__NodeProto holder = ONNX__NODE_PROTO__INIT;
  const tensor x = {.shape = {1, {2}}, .count = 2, .v = {-8, 3}}, want = {.shape = {1, {2}}, .count = 2, .v = {-1, 3}};
  uint8_t bytes[1000];
  onnx_float(&holder, "slope", 0.125);
  size_t size = onnx__function_proto__pack(old, bytes);
  bytes[size++] = 11 << 3 | 2;
  bytes[size] = (uint8_t)onnx__attribute_proto__get_packed_size(holder.attribute[0]);
  size += 1 + onnx__attribute_proto__pack(holder.attribute[0], bytes + size + 1);
  onnx__attribute_proto__free_unpacked(holder.attribute[0], NULL);
  free(holder.attribute);
  f = onnx__function_proto__unpack(NULL, size, bytes);
  ck_assert_ptr_nonnull(f);
  onnx__function_proto__free_unpacked(old, NULL);
  m->functions[1] = f;
  onnx_weight(m->graph, "x", &x);
  onnx_local(onnx_node(m->graph, "Leaky", "x", "y"));
  onnx_output(m->graph, "y");
  onnx_expect(onnx_load(m), "y", &want, 0);
}
END_TEST

/* A chain of functions: number i calls number i + 1 so many times; the last one calls the first or negates. */
static Onnx__ModelProto *chain(int length, int calls, bool closed) {
  Onnx__ModelProto *m = onnx_model(13);
  char name[16], next[16], from[16], to[16];
  for (int i = 0; i < length; i++) {
    snprintf(name, sizeof name, "F%d", i);
    snprintf(next, sizeof next, "F%d", i + 1 < length ? i + 1 : 0);
    Onnx__FunctionProto *f = onnx_function(m, name, 13, "v0", "v1");
    for (int k = 0; k < calls; k++) {
      snprintf(from, sizeof from, "v%d", k ? k + 1 : 0);
      snprintf(to, sizeof to, "v%d", k + 1 < calls ? k + 2 : 1);
      if (i + 1 < length || closed)
        onnx_local(onnx_function_node(f, next, from, to));
      else
        onnx_function_node(f, "Neg", from, to);
    }
  }
  onnx_input(m->graph, "x", FLOAT, DIMS(1));
  onnx_local(onnx_node(m->graph, "F0", "x", "y"));
  onnx_output(m->graph, "y");
  return m;
}

START_TEST(calls_are_bounded) {
  onnx_refuse(chain(1, 1, true), AD_EINPUT, "the function 'F0' calls itself");
  onnx_refuse(chain(3, 2, true), AD_EINPUT, "node 'v2' (F0) in the function 'F2': the function 'F0' calls itself");
  onnx_refuse(chain(200, 1, false), AD_EINPUT, "nested too deeply");
  onnx_refuse(chain(40, 3, false), AD_ELIMIT, "loops and functions of the model");
  ad_graph *g = onnx_load(chain(90, 1, false));
  ck_assert_uint_eq(ad_graph_node_count(g), 2);
  ad_graph_free(g);
}
END_TEST

START_TEST(wrong_functions_are_errors) {
  Onnx__ModelProto *m = with_functions();
  onnx_function(m, "Leaky", 13, "x", "y");
  onnx_refuse(m, AD_EINPUT, "function 2 has no name of its own");
  m = with_functions();
  onnx_input(m->graph, "x", FLOAT, DIMS(1));
  onnx_local(onnx_node(m->graph, "Leaky", "x x", "y"));
  onnx_refuse(m, AD_EINPUT, "2 operands and 1 results; the function has 1 and 1");
  m = with_functions();
  onnx_input(m->graph, "x", FLOAT, DIMS(1));
  onnx_local(onnx_node(m->graph, "Twice", "x", "y"));
  onnx_refuse(m, AD_EINPUT, "node 'q' (Add) in the function 'Twice': operand 1 is missing");
  m = with_functions();
  onnx_input(m->graph, "x", FLOAT, DIMS(1));
  onnx_refer(onnx_node(m->graph, "LeakyRelu", "x", "y"), "alpha", "slope");
  onnx_refuse(m, AD_EINPUT, "'alpha' refers to that of a function, but stands in none");
  m = with_functions();
  onnx_input(m->graph, "x", FLOAT, DIMS(1));
  m->functions[1]->opset_import[0]->version = 99;
  onnx_local(onnx_node(m->graph, "Leaky", "x", "y"));
  onnx_refuse(m, AD_EINPUT, "version 99 of the operators");
}
END_TEST

/* ---- Damage */

START_TEST(random_damage_is_survived) {
  ulps_random r = {ulps_seed()};
  Onnx__ModelProto *m = with_functions();
  Onnx__TensorProto *w = onnx_floats(m->graph, "w", DIMS(0), NULL);
  size_t size;
  const ad_limits limits = {.max_nodes = 2000, .max_elements = 20000, .max_bytes = 1 << 26};
  put("w.bin", weights, sizeof weights);
  onnx_input(m->graph, "x", FLOAT, DIMS(4));
  w->dims[0] = 4;
  onnx_external(w, "location", "w.bin");
  onnx_external(w, "offset", "0");
  onnx_external(w, "length", "16");
  onnx_float(onnx_local(onnx_node(m->graph, "Twice", "x w", "y")), "a", 0.25);
  onnx_output(m->graph, "y");
  uint8_t *bytes = onnx_pack(m, &size), *copy = malloc(size);
  onnx_free(m);
  for (int k = 0; k < 3000 * ulps_multiplier(); k++) {
    ad_graph *g = NULL;
    memcpy(copy, bytes, size);
    for (uint64_t n = ulps_random_bits(&r) % 4; n-- > 0;) {
      const size_t at = ulps_random_bits(&r) % size;
      copy[at] ^= (uint8_t)(ulps_random_bits(&r) % 2 ? 1u << ulps_random_bits(&r) % 8 : ulps_random_bits(&r));
    }
    put("m.onnx", copy, size);
    const ad_status s = ad_graph_load(&g, in_folder("m.onnx"), &limits, &graphs_error);
    ck_assert(!s || graphs_error.message[0]);
    if (!s) ad_graph_free(g);
  }
  free(copy);
  free(bytes);
}
END_TEST

int main(void) {
  Suite *s = suite_create("onnx_files");
  TCase *c = tcase_create("files"), *f = tcase_create("functions");
  tcase_add_checked_fixture(c, open_folder, close_folder);
  tcase_add_test(c, weights_lie_beside_the_model);
  tcase_add_test(c, files_beside_the_model_are_listed);
  tcase_add_test(c, large_weights_are_whole);
  tcase_add_loop_test(c, bad_places_are_errors, 0, WRONGS);
  tcase_add_test(c, bytes_in_memory_have_no_folder);
  tcase_add_test(c, random_damage_is_survived);
  tcase_add_test(f, functions_are_their_nodes);
  tcase_add_test(f, functions_have_their_own_version);
  tcase_add_test(f, functions_have_optional_operands);
  tcase_add_test(f, functions_have_default_attributes);
  tcase_add_test(f, calls_are_bounded);
  tcase_add_test(f, wrong_functions_are_errors);
  tcase_set_timeout(c, 300);
  tcase_set_timeout(f, 300);
  suite_add_tcase(s, c);
  suite_add_tcase(s, f);
  printf("seed %llu\n", (unsigned long long)ulps_seed());
  return suite_run(s);
}
