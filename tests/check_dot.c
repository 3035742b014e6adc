/* Pictures: boxes hold each node once, are no more than asked for, never form a cycle, and a cone has one way out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dot/group.h"
#include "random_graph.h"
#include "same_graph.h"
#include "suite.h"

static ad_error err;

/* Boxes in an order in which each comes after those that it uses, or there is a cycle (Kahn, CACM 5, 1962). */
static void expect_no_cycle(const ad_graph *g, const ad_dot_groups *s, const char *what) {
  const size_t nodes = ad_graph_node_count(g);
  bool *edge = calloc(s->count * s->count + 1, sizeof *edge), *done = calloc(s->count + 1, sizeof *done);
  ck_assert(edge && done);
  for (ad_node n = 0; n < nodes; n++) {
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, n, &args);
    for (size_t i = 0; i < count; i++)
      if (s->of[args[i]] != AD_DOT_HIDDEN && s->of[args[i]] != s->of[n])
        edge[s->of[args[i]] * s->count + s->of[n]] = true;
  }
  size_t left = s->count;
  for (bool moved = true; moved && left;) {
    moved = false;
    for (size_t i = 0; i < s->count; i++) {
      bool ready = !done[i];
      for (size_t k = 0; ready && k < s->count; k++) ready = done[k] || !edge[k * s->count + i];
      if (!ready) continue;
      done[i] = moved = true;
      left--;
    }
  }
  ck_assert_msg(!left, "%s: %zu boxes form a cycle", what, left);
  free(edge);
  free(done);
}

static void expect_groups(const ad_graph *g, size_t most, const char *what) {
  ad_dot_groups s;
  ck_assert_msg(!ad_dot_group_nodes(&s, g, most, &err), "%s: %s", what, err.message);
  const size_t nodes = ad_graph_node_count(g), inputs = ad_graph_input_count(g);
  size_t *members = calloc(s.count + 1, sizeof *members), hidden = 0;
  ck_assert_ptr_nonnull(members);
  ck_assert_msg(s.count <= most, "%s: %zu boxes of at most %zu", what, s.count, most);
  for (ad_node n = 0; n < nodes; n++) {
    if (s.of[n] == AD_DOT_HIDDEN) {
      ck_assert_str_eq(ad_op_get(ad_graph_node_op(g, n))->name, "constant");
      hidden++;
      continue;
    }
    ck_assert_uint_lt(s.of[n], s.count);
    members[s.of[n]]++;
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, n, &args);
    for (size_t i = 0; i < count; i++) {
      if (s.of[args[i]] == AD_DOT_HIDDEN || s.of[args[i]] == s.of[n]) continue;
      const ad_dot_group *from = &s.group[s.of[args[i]]];
      ck_assert_msg(from->kind != AD_DOT_MORE_OUTPUTS, "%s: something follows the last box", what);
      ck_assert_msg(from->kind != AD_DOT_CONE || from->root < inputs || from->root == args[i],
                    "%s: node %u leaves the box of node %u", what, args[i], from->root);
    }
  }
  for (size_t i = 0; i < s.count; i++) {
    ck_assert_uint_eq(members[i], s.group[i].nodes);
    hidden += members[i];
    if (s.group[i].kind == AD_DOT_CONE) ck_assert_uint_eq(s.of[s.group[i].root], i);
  }
  ck_assert_uint_eq(hidden, nodes);
  ck_assert_msg(nodes > most || s.cone, "%s: %zu nodes have room for a box each", what, nodes);
  expect_no_cycle(g, &s, what);
  free(members);
  ad_dot_groups_clear(&s);

  ad_buffer first = {0}, again = {0};
  const ad_dot_options o = {.max_shown = most, .shapes = true};
  ck_assert_int_eq(ad_dot_draw(g, &first, &o, &err), AD_OK);
  ck_assert_int_eq(ad_dot_draw(g, &again, &o, &err), AD_OK);
  ck_assert_msg(first.size == again.size && !memcmp(first.data, again.data, first.size), "%s: another picture", what);
  ad_buffer_clear(&first);
  ad_buffer_clear(&again);
}

START_TEST(boxes_are_few_and_ordered) {
  static const size_t most[] = {8, 9, 16, 50, 100, 1000};
  size_t *used = calloc(ad_op_count(), sizeof *used);
  ck_assert_ptr_nonnull(used);
  for (int i = 0; i < 20 * ulps_multiplier(); i++) {
    const uint64_t seed = ulps_seed() + (uint64_t)i;
    char what[60];
    snprintf(what, sizeof what, "ADTOOL_TEST_SEED=%llu", (unsigned long long)seed);
    random_graph r = random_graph_new(seed, 10 + seed % 7 * 40, i % 2, used);
    ad_graph *everything = graph_of_everything(seed);
    for (size_t k = 0; k < sizeof most / sizeof most[0]; k++) {
      expect_groups(r.g, most[k], what);
      expect_groups(everything, most[k], what);
    }
    ad_graph_free(everything);
    random_graph_free(&r);
  }
  free(used);
}
END_TEST

static ad_node apply(ad_graph *g, const char *op, size_t count, const ad_node *args) {
  ad_node n;
  ck_assert_int_eq(ad_graph_apply(g, &n, ad_op_find(op), count, args, 0, NULL, &err), AD_OK);
  return n;
}

/* Many inputs, many outputs, and many values that several use: nothing but bands is few enough. */
START_TEST(wide_graphs_are_cut) {
  enum { WIDE = 300, DEEP = 20 };
  ad_graph *g;
  ad_node row[WIDE], next[WIDE];
  char name[20];
  ck_assert_int_eq(ad_graph_new(&g, NULL, &err), AD_OK);
  for (int i = 0; i < WIDE; i++) {
    snprintf(name, sizeof name, "x%d", i);
    ck_assert_int_eq(ad_graph_input(g, &row[i], &(ad_input_spec){.name = name}, &err), AD_OK);
  }
  for (int level = 0; level < DEEP; level++) {
    for (int i = 0; i < WIDE; i++)
      next[i] = apply(g, i % 2 ? "mul" : "sub", 2, (ad_node[]){row[i], row[(i * 7 + level) % WIDE]});
    memcpy(row, next, sizeof row);
  }
  for (int i = 0; i < WIDE; i++) {
    snprintf(name, sizeof name, "y%d", i);
    ck_assert_int_eq(ad_graph_output(g, name, row[i], &err), AD_OK);
  }
  expect_groups(g, 8, "wide");
  expect_groups(g, 100, "wide");
  ad_dot_groups s;
  ck_assert_int_eq(ad_dot_group_nodes(&s, g, 100, &err), AD_OK);
  size_t kinds[4] = {0};
  for (size_t i = 0; i < s.count; i++) kinds[s.group[i].kind]++;
  ck_assert_uint_eq(kinds[AD_DOT_MORE_INPUTS], 1);
  ck_assert_uint_eq(kinds[AD_DOT_MORE_OUTPUTS], 1);
  ck_assert_uint_gt(kinds[AD_DOT_BAND], 4);
  ck_assert_uint_eq(kinds[AD_DOT_CONE], 24 + 24);
  ad_dot_groups_clear(&s);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("dot");
  TCase *c = tcase_create("boxes");
  tcase_add_test(c, boxes_are_few_and_ordered);
  tcase_add_test(c, wide_graphs_are_cut);
  tcase_set_timeout(c, 120);
  suite_add_tcase(s, c);
  return suite_run(s);
}
