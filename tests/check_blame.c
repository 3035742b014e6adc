/* A wrong partial, planted in the library's test build (-DADTOOL_PLANT), must be found by ad_check and blamed on its
 * operation: for every row of the table, none missed; and no operation is blamed when nothing is planted. */
#include <stdio.h>
#include <string.h>

#include "adtool.h"
#include "suite.h"

extern unsigned ad_planted_op;

static ad_error err;

static void ok(ad_status s) {
  ck_assert_msg(s == AD_OK, "%s", err.message);
}

static ad_node input(ad_graph *g, const char *name, ad_shape shape, double first) {
  ad_numbers *v = ad_numbers_new();
  int64_t n = ad_shape_size(&shape);
  for (int64_t i = 0; i < n; i++) ok(ad_numbers_push_double(v, first + 0.137 * (double)(i * i % 11), &err));
  ad_node out;
  ok(ad_graph_input(g, &out, &(ad_input_spec){.name = name, .shape = shape, .value = v}, &err));
  ad_numbers_free(v);
  return out;
}

static ad_node apply(ad_graph *g, const char *op, size_t n, const ad_node *args, size_t attrs, const ad_attr *attr) {
  ad_node out;
  ok(ad_graph_apply(g, &out, ad_op_find(op), n, args, attrs, attr, &err));
  return out;
}

/* Arguments at which the operation is smooth, where the default ones would not do. */
static const struct {
  const char *op;
  double x[3];
} points[] = {{"acosh", {1.7, 0, 0}}, {"clip", {0.4, -1.2, 2.3}}, {"polygamma", {1, 2.3, 0}}, {"where", {1, 0.3, 0.9}}};

static ad_graph *elementwise(const char *name, const ad_op_info *info) {
  double x[3] = {0.37, 0.81, 1.3};
  for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
    if (!strcmp(points[i].op, name)) memcpy(x, points[i].x, sizeof x);
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  bool order = !strcmp(name, "polygamma"), power = !strcmp(name, "powi");
  ad_node args[3];
  for (int i = 0; i < info->max_args; i++) {
    char label[16];
    snprintf(label, sizeof label, "x%d", i);
    if (!(order && i == 0) && !(power && i == 1)) args[i] = input(g, label, (ad_shape){0}, x[i]);
  }
  if (order) ok(ad_graph_constant_text(g, &args[0], "1", &err));
  if (power) ok(ad_graph_constant_text(g, &args[1], "3", &err));
  ad_node z = apply(g, power ? "pow" : name, (size_t)info->max_args, args, 0, NULL);
  ad_node both[2] = {z, args[order ? 1 : 0]};
  z = apply(g, "add", 2, both, 0, NULL);
  ok(ad_graph_output(g, "z", apply(g, "sin", 1, &z, 0, NULL), &err));
  return g;
}

static ad_graph *structured(const char *name) {
  static const int64_t indices[] = {0, 1, 1, 2}, six[] = {6}, wide[] = {2, 3, 2}, step[] = {1, 2};
  ad_graph *g;
  ok(ad_graph_new(&g, NULL, &err));
  bool vectors = !strcmp(name, "dot"), table = !strcmp(name, "gather") || !strcmp(name, "scatter_add");
  ad_shape shape = vectors ? (ad_shape){1, {4}} : (ad_shape){2, {3, 2}};
  ad_node args[2];
  args[0] = input(g, "x", shape, 0.3);
  if (!strncmp(name, "matmul", 6)) shape = (ad_shape){2, {2, 3}};
  if (!strcmp(name, "scatter_add")) shape = (ad_shape){2, {4, 2}};
  args[1] = input(g, "y", shape, -0.4);
  ad_attr attr = {0};
  if (table) attr = (ad_attr){"indices", {1, {4}}, indices};
  if (!strcmp(name, "reshape")) attr = (ad_attr){"shape", {1, {1}}, six};
  if (!strcmp(name, "broadcast_to")) attr = (ad_attr){"shape", {1, {3}}, wide};
  if (!strcmp(name, "slice")) attr = (ad_attr){"step", {1, {2}}, step};
  const ad_op_info *info = ad_op_get(ad_op_find(name));
  ad_node z = apply(g, name, info->max_args == 1 ? 1 : 2, args, attr.name ? 1 : 0, &attr);
  ok(ad_graph_output(g, "z", apply(g, "cosh", 1, &z, 0, NULL), &err));
  return g;
}

static ad_graph *sample(ad_op op) {
  const ad_op_info *info = ad_op_get(op);
  return info->cls == AD_CLASS_STRUCTURED ? structured(info->name) : elementwise(info->name, info);
}

START_TEST(found_and_blamed) {
  ad_op op = (ad_op)_i;
  if (ad_op_get(op)->cls == AD_CLASS_LEAF) return;
  const char *name = ad_op_get(op)->name;
  ad_graph *g = sample(op);
  ad_check_report r;
  ad_planted_op = AD_NO_OP;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_msg(r.verdict == AD_VERDICT_PASS && !r.blame_count, "%s: %s without a planted error: %s", name,
                ad_verdict_name(r.verdict), r.reason);
  ad_check_clear(&r);
  ad_planted_op = op;
  ok(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_msg(r.verdict == AD_VERDICT_FAIL, "%s: a wrong partial went unseen: %s, %s", name,
                ad_verdict_name(r.verdict), r.reason);
  ck_assert_msg(r.blame_count > 0, "%s: nobody was blamed", name);
  for (size_t i = 0; i < r.blame_count; i++) {
    /* the lowered power is blamed under the name that the file has for it */
    const char *blamed = ad_op_get(r.blame[i].op)->name;
    ck_assert_msg(!strcmp(blamed, name) || (!strcmp(name, "powi") && !strcmp(blamed, "pow")), "%s: %s was blamed", name,
                  blamed);
  }
  ad_check_clear(&r);
  ad_planted_op = AD_NO_OP;
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("blame");
  TCase *c = tcase_create("every operation");
  tcase_set_timeout(c, 120);
  tcase_add_loop_test(c, found_and_blamed, 0, (int)ad_op_count());
  suite_add_tcase(s, c);
  return suite_run(s);
}
