/* Formats: what is saved reads back as the same graph, in both directions; .adg is canonical, small, and refuses every
 * truncation, every flipped bit and every further byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adtool.h"
#include "suite.h"

static ad_error err;

static void ok(ad_status s) {
  ck_assert_msg(s == AD_OK, "%s:%lld: %s", err.file, (long long)err.line, err.message);
}

static const char *const examples[] = {"cancel",   "constants",  "logistic", "network",
                                       "pendulum", "rosenbrock", "ten",      "tutorial"};
enum { EXAMPLES = sizeof examples / sizeof examples[0] };

static ad_graph *load_example(int i) {
  char path[1024];
  const char *root = getenv("ADTOOL_SRCDIR");
  ad_graph *g;
  snprintf(path, sizeof path, "%s/tests/examples/%s.yaml", root ? root : ".", examples[i]);
  ok(ad_graph_load(&g, path, NULL, &err));
  return g;
}

typedef struct bytes {
  void *data;
  size_t size;
} bytes;

static bytes write_as(const ad_graph *g, const ad_write_options *o) {
  bytes b;
  ok(ad_graph_write(g, &b.data, &b.size, o, &err));
  return b;
}

static const ad_write_options canonical = {.format = "adg", .stored = true}, packed = {.format = "adg"},
                              yaml = {.format = "yaml"}, explicit_yaml = {.format = "yaml", .explicit_nodes = true};

/* Through a format and back; the canonical bytes must not change. */
static void round_trip(const ad_graph *g, const ad_write_options *o, const char *what) {
  bytes before = write_as(g, &canonical), saved = write_as(g, o);
  ad_graph *again;
  ad_status s = ad_graph_read(&again, saved.data, saved.size, what, NULL, &err);
  ck_assert_msg(!s, "%s: %s in\n%.2000s", what, err.message, strcmp(o->format, "yaml") ? "" : (char *)saved.data);
  bytes after = write_as(again, &canonical), twice = write_as(again, o);
  ck_assert_msg(before.size == after.size && !memcmp(before.data, after.data, before.size),
                "%s: another graph comes back", what);
  ck_assert_msg(saved.size == twice.size && !memcmp(saved.data, twice.data, saved.size),
                "%s: saving again gives other bytes", what);
  ad_graph_free(again);
  ad_free(before.data);
  ad_free(saved.data);
  ad_free(after.data);
  ad_free(twice.data);
}

static void round_trips(const ad_graph *g, const char *what) {
  round_trip(g, &canonical, what);
  round_trip(g, &packed, what);
  round_trip(g, &yaml, what);
  round_trip(g, &explicit_yaml, what);
}

START_TEST(examples_come_back) {
  ad_graph *g = load_example(_i);
  round_trips(g, examples[_i]);
  ad_graph_free(g);
}
END_TEST

static uint64_t state;

static unsigned draw(unsigned n) {
  state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
  return (unsigned)(state >> 33) % n;
}

static void add_input(ad_graph *g, const char *name, ad_shape shape, ad_dtype dtype, bool fixed, const char *text) {
  ad_numbers *v = ad_numbers_new();
  ad_node n;
  if (text) ok(ad_numbers_push_text(v, text, strlen(text), &err));
  ok(ad_graph_input(g, &n, &(ad_input_spec){name, shape, text ? v : NULL, dtype, fixed}, &err));
  ad_numbers_free(v);
}

/* Nodes in any order, shared and dead ones, equal constants twice, odd names, all kinds of numbers. */
static ad_graph *random_graph(size_t nodes) {
  static const char *const numbers[] = {"2", "0.1",   "1/3",      "-7", "-1/3",   "pi",
                                        "e", "1e300", "0x1.8p-3", "-0", "1e-400", "0.5"};
  static const char *const ops[] = {"add", "sub",  "mul", "div",   "pow",   "neg",
                                    "sin", "less", "max", "hypot", "where", "xlogy"};
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  ok(ad_graph_set_name(g, "odd: # name", &err));
  ok(ad_graph_set_meta(g, "author", "two\nlines \"quoted\"", &err));
  ok(ad_graph_set_kinks(g, &(ad_kinks){1, 0.5, AD_TIES_LAST, true}, &err));
  add_input(g, "x", (ad_shape){0}, AD_EXACT, false, "0.3");
  add_input(g, "e", (ad_shape){0}, AD_F64, false, "0.7");
  add_input(g, "no value", (ad_shape){0}, AD_EXACT, true, NULL);
  add_input(g, "m: n", (ad_shape){2, {2, 3}}, AD_F32, false, "0.1");
  while (ad_graph_node_count(g) < nodes) {
    ad_node n = (ad_node)ad_graph_node_count(g), args[3], out;
    if (draw(4) == 0) {
      ok(ad_graph_constant_text(g, &out, numbers[draw(12)], &err));
    } else {
      ad_op op = ad_op_find(ops[draw(12)]);
      for (int i = 0; i < 3; i++) args[i] = draw(3) ? n - 1 - draw(n < 8 ? n : 8) : draw(n);
      ok(ad_graph_apply(g, &out, op, (size_t)ad_op_get(op)->max_args, args, 0, NULL, &err));
    }
    char name[40];
    snprintf(name, sizeof name, draw(3) ? "n%u" : "odd name, %u", out);
    if (draw(9) == 0) ok(ad_graph_set_node_name(g, out, name, &err));
  }
  ok(ad_graph_output(g, "last", (ad_node)nodes - 1, &err));
  ok(ad_graph_output(g, "some: output", (ad_node)draw((unsigned)nodes), &err));
  ok(ad_graph_output(g, "x", 0, &err));
  return g;
}

START_TEST(random_graphs_come_back) {
  const char *seed = getenv("ADTOOL_TEST_SEED");
  state = (seed ? strtoull(seed, NULL, 10) : 20240229) + (uint64_t)_i;
  char what[60];
  snprintf(what, sizeof what, "ADTOOL_TEST_SEED=%llu", (unsigned long long)state);
  ad_graph *g = random_graph(5 + draw(60));
  round_trips(g, what);
  ad_graph_free(g);
}
END_TEST

static void refuse(const void *data, size_t size, const char *what, size_t place) {
  ad_graph *g;
  ad_status s = ad_graph_read(&g, data, size, "file", NULL, &err);
  ck_assert_msg(s == AD_EINPUT, "%s at %zu: status %d", what, place, s);
  ck_assert_msg(err.offset >= 0 || place < 8, "%s at %zu: no place in '%s'", what, place, err.message);
}

START_TEST(damage_is_refused) {
  ad_graph *g = load_example(_i);
  const ad_write_options *forms[] = {&canonical, &packed};
  for (int f = 0; f < 2; f++) {
    bytes b = write_as(g, forms[f]);
    unsigned char *copy = malloc(b.size + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, b.data, b.size);
    for (size_t i = 0; i < 8 * b.size; i++) {
      copy[i / 8] ^= (unsigned char)(1u << i % 8);
      if (i / 8 >= 4) refuse(copy, b.size, "a flipped bit", i / 8); /* before, it is no .adg file any more */
      copy[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    for (size_t i = 4; i < b.size; i++) refuse(b.data, i, "a file cut", i);
    copy[b.size] = 0;
    refuse(copy, b.size + 1, "a byte too many", b.size);
    free(copy);
    ad_free(b.data);
  }
  ad_graph_free(g);
}
END_TEST

/* Any bytes: an error or a graph, nothing else. */
START_TEST(garbage_is_survived) {
  state = 7 + (uint64_t)_i;
  ad_graph *g = load_example(_i % EXAMPLES), *h;
  bytes b = write_as(g, &yaml);
  char *text = b.data;
  for (int k = 0; k < 200; k++) {
    char *copy = malloc(b.size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, b.size);
    for (unsigned n = 1 + draw(4); n; n--) copy[draw((unsigned)b.size)] = " \n:-[]{}(),%'\"^*&!x1eE/\t\x80"[draw(25)];
    if (!ad_graph_read(&h, copy, b.size, "garbage", NULL, &err)) ad_graph_free(h);
    free(copy);
  }
  ad_free(b.data);
  ad_graph_free(g);
}
END_TEST

/* 10^6 scalar nodes whose arguments lie near: at most 4 bytes a node, and the same graph again. */
START_TEST(a_million_nodes_are_small) {
  static const char *const ops[] = {"add", "mul", "sub", "sin", "exp", "tanh", "sqrt"};
  enum { NODES = 1000000 };
  ad_graph *g, *h;
  state = 11;
  ok(ad_graph_new(&g, NULL, &err));
  add_input(g, "x", (ad_shape){0}, AD_EXACT, false, "0.3");
  while (ad_graph_node_count(g) < NODES) {
    ad_node n = (ad_node)ad_graph_node_count(g), args[2], out;
    ad_op op = ad_op_find(ops[draw(7)]);
    for (int i = 0; i < 2; i++) args[i] = n - 1 - draw(n < 100 ? n : 100);
    if (draw(10) == 0)
      ok(ad_graph_constant_double(g, &out, draw(100) / 8.0, &err));
    else
      ok(ad_graph_apply(g, &out, op, (size_t)ad_op_get(op)->max_args, args, 0, NULL, &err));
  }
  ok(ad_graph_output(g, "f", NODES - 1, &err));
  bytes b = write_as(g, &packed);
  ck_assert_msg(b.size <= 4 * (size_t)NODES, "%.2f bytes a node", (double)b.size / NODES);
  ok(ad_graph_read(&h, b.data, b.size, "large", NULL, &err));
  char first[65], second[65];
  ok(ad_graph_hash(g, first, &err));
  ok(ad_graph_hash(h, second, &err));
  ck_assert_str_eq(first, second);
  ad_free(b.data);
  ad_graph_free(g);
  ad_graph_free(h);
}
END_TEST

/* A definition may come before what it needs, a million deep; a sum may have many terms. */
START_TEST(depth_is_no_limit) {
  enum { CHAIN = 100000 };
  ad_graph *g;
  char *text = malloc(40 * CHAIN), *p = text;
  ck_assert_ptr_nonnull(text);
  p += sprintf(p, "adtool: 1\ninputs: {x: 1}\nnodes:\n");
  for (int i = CHAIN; i > 0; i--) p += sprintf(p, "  n%d: n%d + x\n", i, i - 1);
  p += sprintf(p, "  n0: x\noutputs: {f: n%d}\n", CHAIN);
  ok(ad_graph_read(&g, text, (size_t)(p - text), "chain", NULL, &err));
  ck_assert_uint_eq(ad_graph_node_count(g), CHAIN + 1);
  ad_graph_free(g);
  p = text + sprintf(text, "adtool: 1\ninputs: {x: 1}\noutputs:\n  f: x");
  for (int i = 1; i < CHAIN; i++) p += sprintf(p, " + x");
  p += sprintf(p, "\n");
  ok(ad_graph_read(&g, text, (size_t)(p - text), "sum", NULL, &err));
  ck_assert_uint_eq(ad_graph_node_count(g), CHAIN);
  ad_graph_free(g);
  free(text);
}
END_TEST

/* What another program adds under a lower-case tag stays in the file. */
START_TEST(unknown_sections_are_kept) {
  ad_graph *g = load_example(0), *h;
  ok(ad_graph_set_meta(g, "adg.section.note", "00ff10", &err));
  bytes b = write_as(g, &packed);
  ok(ad_graph_read(&h, b.data, b.size, "file", NULL, &err));
  ck_assert_uint_eq(ad_graph_meta_count(h), 1);
  ck_assert_str_eq(ad_graph_meta_key(h, 0), "adg.section.note");
  ck_assert_str_eq(ad_graph_meta_text(h, 0), "00ff10");
  ad_free(b.data);
  ad_graph_free(g);
  ad_graph_free(h);
}
END_TEST

/* Three million bytes are a few thousand when they are compressed. */
START_TEST(inflating_has_a_limit) {
  enum { LONG = 3000000 };
  ad_graph *g = load_example(0), *h = NULL;
  char *text = malloc(LONG + 1);
  ck_assert_ptr_nonnull(text);
  memset(text, 'a', LONG);
  text[LONG] = '\0';
  ok(ad_graph_set_meta(g, "long", text, &err));
  bytes b = write_as(g, &packed);
  ck_assert_uint_lt(b.size, 20000);
  ck_assert_int_eq(ad_graph_read(&h, b.data, b.size, "file", &(ad_limits){.max_bytes = 2 << 20}, &err), AD_ELIMIT);
  ck_assert_ptr_nonnull(strstr(err.message, "the limit of 2 MiB (--max-memory)"));
  ck_assert_ptr_null(h);
  ok(ad_graph_read(&h, b.data, b.size, "file", &(ad_limits){.max_bytes = 20 << 20}, &err));
  ck_assert_uint_eq(strlen(ad_graph_meta_text(h, 0)), LONG);
  ad_free(b.data);
  free(text);
  ad_graph_free(g);
  ad_graph_free(h);
}
END_TEST

int main(void) {
  Suite *s = suite_create("formats");
  TCase *c = tcase_create("round trips and damage");
  tcase_set_timeout(c, 240);
  tcase_add_loop_test(c, examples_come_back, 0, EXAMPLES);
  tcase_add_loop_test(c, random_graphs_come_back, 0, 200);
  tcase_add_loop_test(c, damage_is_refused, 0, 3);
  tcase_add_loop_test(c, garbage_is_survived, 0, EXAMPLES);
  tcase_add_test(c, a_million_nodes_are_small);
  tcase_add_test(c, depth_is_no_limit);
  tcase_add_test(c, unknown_sections_are_kept);
  tcase_add_test(c, inflating_has_a_limit);
  suite_add_tcase(s, c);
  return suite_run(s);
}
