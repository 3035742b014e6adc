/* Memory that runs out while graphs are read, written and simplified: in the end nothing is left allocated, no file
 * either, and what comes out is what comes out when memory never fails. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing.h"
#include "suite.h"

/* Every format that keeps all of a graph, to memory and back. */
START_TEST(formats) {
  ad_graph *g = failing_graph(), *back;
  ad_limits limits = {0};
  for (size_t i = 0; i < ad_format_count(); i++) {
    if (!ad_format_get(i)->lossless) continue;
    for (int plain = 0; plain < 2; plain++) {
      const char *name = ad_format_get(i)->name;
      const ad_write_options o = {
          .format = name, .explicit_nodes = plain && !strcmp(name, "yaml"), .stored = plain && !strcmp(name, "adg")};
      void *bytes;
      size_t size;
      INSIST(ad_graph_write(g, &bytes, &size, &o, &err));
      INSIST(ad_graph_read(&back, bytes, size, "memory", &limits, &err));
      expect_equal(g, back);
      ad_graph_free(back);
      ad_free(bytes);
    }
  }
  char hex[65], other[65];
  INSIST(ad_graph_hash(g, hex, &err));
  INSIST(ad_graph_hash(g, other, &err));
  ck_assert_str_eq(hex, other);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* Formats without tensors, from a graph that has some and back; and a picture. */
START_TEST(scalar_formats) {
  static const char text[] =
      "adtool: 1\ninputs: {x: [1, 2, 3], y: 1/3}\nnodes: {z: \"where(x[0] < y, max(x[1], 0.1), y^2)\"}\n"
      "outputs: {a: sum(x) + mean(x*y) + z, b: \"2*x[1:]\"}\n";
  ad_graph *g, *back, *second;
  void *bytes, *third;
  size_t size, third_size;
  INSIST(ad_graph_read(&g, text, sizeof text - 1, "memory.yaml", NULL, &err));
  static const char *const names[] = {"cppad", "nl"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const ad_write_options o = {.format = names[i]};
    INSIST(ad_graph_write(g, &bytes, &size, &o, &err));
    INSIST(ad_graph_read(&back, bytes, size, "memory", NULL, &err));
    ad_free(bytes);
    INSIST(ad_graph_write(back, &bytes, &size, &o, &err));
    INSIST(ad_graph_read(&second, bytes, size, "memory", NULL, &err));
    INSIST(ad_graph_write(second, &third, &third_size, &o, &err));
    ck_assert_uint_eq(size, third_size);
    ck_assert_mem_eq(bytes, third, size);
    ad_free(bytes);
    ad_free(third);
    ad_graph_free(back);
    ad_graph_free(second);
  }
  INSIST(ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = "dot"}, &err));
  ad_free(bytes);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* Infix of every kind. */
static const char infix[] =
    "adtool: 1\n"
    "name: all of it\n"
    "dims: {n: 3}\n"
    "inputs:\n"
    "  x: {shape: [n], value: [1, 0.1, 1/3]}\n"
    "  W: {shape: [2, n], fill: 0.5, diff: no}\n"
    "nodes:\n"
    "  h: tanh(W @ x - 0.1) ^ 2\n"
    "  s: {op: sum, args: [h], axis: [0], keepdims: yes}\n"
    "  t: where(x[0] < 2, -x[1:] * pi, x[:2] / 3)\n"
    "  u: max(x, 0x1p-3) + W[1, :]\n"
    "outputs:\n"
    "  a: sum(s) + logsumexp(t, axis=0)\n"
    "  b: u\n";

/* Nodes that wait for later ones, and names that need quotes. */
START_TEST(definitions_that_wait) {
  static const char text[] =
      "adtool: 1\nname: n\ndims: {n: 2}\nmeta: {a: b}\n"
      "inputs:\n  x: 1\n  W: {shape: [n, 2], value: [[1, 2], [3, 4]]}\n"
      "nodes:\n  s: q + t\n  q: sum(W @ W, axis=[0], keepdims=no)[0]*x - 0.5\n"
      "  t: {op: max, args: [q, \"max(x, 2)\"]}\n  c: [1, 2]\n  \"%30\": -x^2/4\n  u: '%30 + `t` < s'\n"
      "outputs:\n  f: u + t*%30\n  g: c[::-1]\n";
  ad_graph *g, *back;
  void *bytes;
  size_t size;
  INSIST(ad_graph_read(&g, text, sizeof text - 1, "memory.yaml", NULL, &err));
  INSIST(ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = "yaml"}, &err));
  INSIST(ad_graph_read(&back, bytes, size, "memory", NULL, &err));
  expect_equal(g, back);
  ad_free(bytes);
  ad_graph_free(back);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

START_TEST(infix_and_files) {
  ad_graph *g, *back;
  INSIST(ad_graph_read(&g, infix, sizeof infix - 1, "memory.yaml", NULL, &err));
  char folder[] = "/tmp/check_alloc.XXXXXX", path[80];
  ck_assert_ptr_nonnull(mkdtemp(folder));
  static const char *const names[] = {"g.yaml", "g.adg"};
  for (int k = 0; k < 2; k++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[k]);
    INSIST(ad_graph_save(g, path, NULL, &err));
    INSIST(ad_graph_load(&back, path, NULL, &err));
    expect_equal(g, back);
    ad_graph_free(back);
  }
  snprintf(path, sizeof path, "%s/p.yaml", folder);
  FILE *f = fopen(path, "w");
  fputs("x: [1, 2, 3]\nW: 4\n", f);
  fclose(f);
  ad_point *p;
  INSIST(ad_point_new(&p, g, &err));
  INSIST(ad_point_load(p, path, &err));
  INSIST(ad_point_set_text(p, "x", "[0.1, 1/3, pi]", &err));
  ad_point_free(p);
  ad_graph_free(g);
  /* No temporary file is left of all the failures. */
  DIR *d = opendir(folder);
  for (struct dirent *entry; (entry = readdir(d));) {
    if (entry->d_name[0] == '.' && strspn(entry->d_name, ".") == strlen(entry->d_name)) continue;
    ck_assert_msg(
        !strcmp(entry->d_name, names[0]) || !strcmp(entry->d_name, names[1]) || !strcmp(entry->d_name, "p.yaml"),
        "'%s' was left behind", entry->d_name);
    snprintf(path, sizeof path, "%s/%.40s", folder, entry->d_name);
    unlink(path);
  }
  closedir(d);
  rmdir(folder);
  nothing_left();
}
END_TEST

START_TEST(onnx) {
  ad_graph *g;
  char path[900];
  const char *root = getenv("ADTOOL_SRCDIR");
  snprintf(path, sizeof path, "%s/tests/examples/net.onnx", root ? root : ".");
  if (!ad_graph_load(&g, path, NULL, &err)) {
    ad_graph_free(g);
    INSIST(ad_graph_load(&g, path, NULL, &err));
    ad_graph_free(g);
  } else {
    ck_assert_msg(strstr(err.message, "built without ONNX") != NULL, "%s", err.message);
  }
  nothing_left();
}
END_TEST

/* Each pass has something to do. */
static const char optimizable[] =
    "adtool: 1\n"
    "inputs: {x: 1, v: {shape: [3], value: [0.1, 1/3, pi]}}\n"
    "nodes:\n"
    "  a: x*1 - (-x)\n"
    "  b: concat(stack(1, pi), stack(2)*3)*v\n"
    "  c: transpose(transpose(stack(v, v + div(1, 7))))\n"
    "  d: v + div(1, 7)\n"
    "  e1: stack(x) - pi\n"
    "  f: neg(1/3)*x\n"
    "  dead: sin(x)\n"
    "outputs: {p: a, q: b, r: c, s: d + d, t: e1, u: f, w: -(-x)}\n";

START_TEST(passes) {
  ad_graph *small, *g[2], *o, *want;
  INSIST(ad_graph_read(&small, optimizable, sizeof optimizable - 1, "memory.yaml", NULL, &err));
  g[0] = small;
  g[1] = failing_graph();
  for (int k = 0; k < 2; k++) {
    const ad_node keep[2] = {ad_graph_output_node(g[k], 0), 0};
    for (uint32_t mask = 0; mask < 1u << ad_pass_count(); mask++)
      for (size_t kept = 0; kept < 3; kept += 2) {
        const ad_optimize_options options = {.passes = mask, .keep_count = kept, .keep = keep};
        INSIST(ad_graph_optimize(&o, g[k], &options, &err));
        ck_assert_int_eq(ad_graph_optimize(&want, g[k], &options, &err), AD_OK);
        expect_equal(o, want);
        ad_graph_free(o);
        ad_graph_free(want);
      }
    ad_graph_free(g[k]);
  }
  nothing_left();
}
END_TEST

/* Wrong input while memory is short: one error or the other, never both, and nothing stays. */
START_TEST(wrong_input) {
  static const char *const wrong[] = {"adtool: 1\ninputs: {x: 1}\nnodes:\n  y: sin(x) + z\noutputs: [y]\n",
                                      "adtool: 1\ninputs: {x: 1}\nnodes: {a: b + x, b: sin(a)}\noutputs: [a]\n",
                                      "adtool: 1\ninputs: {x: [1, 2]}\nnodes: {a: x @ x @ x}\noutputs: [a]\n",
                                      "adtool: 1\ninputs: {x: 1, x: 2}\n", "\211ADG\r\n\032\n"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    for (unsigned long n = 1;; n++) {
      ad_graph *g = NULL;
      failing_before(n);
      ad_status s = ad_graph_read(&g, wrong[i], strlen(wrong[i]), "wrong", NULL, &err);
      heap.counting = false;
      ck_assert_ptr_null(g);
      ck_assert_int_eq(s, heap.failed ? AD_ENOMEM : AD_EINPUT);
      ck_assert_int_eq(err.code, s);
      ck_assert_uint_eq(heap.alive, 0);
      if (s == AD_EINPUT) break;
      heap.failures++;
    }
  nothing_left();
}
END_TEST

int main(void) {
  Suite *s = suite_create("memory of formats");
  TCase *t = tcase_create("each allocation fails once");
  tcase_set_timeout(t, 300);
  tcase_add_test(t, formats);
  tcase_add_test(t, scalar_formats);
  tcase_add_test(t, definitions_that_wait);
  tcase_add_test(t, infix_and_files);
  tcase_add_test(t, onnx);
  tcase_add_test(t, passes);
  tcase_add_test(t, wrong_input);
  suite_add_tcase(s, t);
  return suite_run(s);
}
