#include "same_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "suite.h"

static bool same_text(const char *a, const char *b) {
  return a == b || (a && b && !strcmp(a, b));
}

static bool same_double(double a, double b) {
  return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

static void same_values(const ad_graph *a, const ad_graph *b, ad_node n, const char *what) {
  const ad_values x = ad_graph_node_values(a, n), y = ad_graph_node_values(b, n);
  ck_assert_msg(x.count == y.count, "%s: node %u has %zu numbers, then %zu", what, n, x.count, y.count);
  for (size_t i = 0; i < x.count; i++) {
    const char *s = ad_values_text(&x, i), *t = ad_values_text(&y, i);
    ck_assert_msg(same_double(x.value[i], y.value[i]) && same_text(s, t),
                  "%s: node %u: number %zu is %a %s, then %a %s", what, n, i, x.value[i], s ? s : "", y.value[i],
                  t ? t : "");
  }
  ck_assert_msg(ad_graph_node_dtype(a, n) == ad_graph_node_dtype(b, n), "%s: node %u: another dtype", what, n);
}

static void same_attrs(const ad_graph *a, const ad_graph *b, ad_node n, const char *what) {
  const ad_op_info *info = ad_op_get(ad_graph_node_op(a, n));
  for (int k = 0; k < info->attr_count; k++) {
    const ad_attr x = ad_graph_node_attr(a, n, k), y = ad_graph_node_attr(b, n, k);
    ck_assert_msg(!x.value == !y.value && ad_shape_equal(&x.shape, &y.shape), "%s: node %u (%s): another %s", what, n,
                  info->name, info->attr[k].name);
    for (int64_t i = 0; x.value && i < ad_shape_size(&x.shape); i++)
      ck_assert_msg(x.value[i] == y.value[i], "%s: node %u (%s): %s[%d] is %lld, then %lld", what, n, info->name,
                    info->attr[k].name, (int)i, (long long)x.value[i], (long long)y.value[i]);
  }
}

static void same_node(const ad_graph *a, const ad_graph *b, ad_node n, const char *what) {
  const ad_op_info *x = ad_op_get(ad_graph_node_op(a, n)), *y = ad_op_get(ad_graph_node_op(b, n));
  ck_assert_msg(x == y, "%s: node %u is %s, then %s", what, n, x->name, y->name);
  ck_assert_msg(same_text(ad_graph_node_name(a, n), ad_graph_node_name(b, n)), "%s: node %u has another name", what, n);
  ck_assert_msg(ad_shape_equal(ad_graph_node_shape(a, n), ad_graph_node_shape(b, n)), "%s: node %u has another shape",
                what, n);
  const ad_node *s, *t;
  size_t count = ad_graph_node_args(a, n, &s);
  ck_assert_msg(count == ad_graph_node_args(b, n, &t), "%s: node %u has another number of arguments", what, n);
  for (size_t i = 0; i < count; i++)
    ck_assert_msg(s[i] == t[i], "%s: argument %zu of node %u is %u, then %u", what, i, n, s[i], t[i]);
  if (x->cls == AD_CLASS_LEAF)
    same_values(a, b, n, what);
  else
    same_attrs(a, b, n, what);
  if (n < ad_graph_input_count(a))
    ck_assert_msg(ad_graph_input_fixed(a, n) == ad_graph_input_fixed(b, n), "%s: input %u: another diff", what, n);
}

void same_graph(const ad_graph *a, const ad_graph *b, const char *what) {
  const ad_kinks x = ad_graph_kinks(a), y = ad_graph_kinks(b);
  ck_assert_msg(same_text(ad_graph_name(a), ad_graph_name(b)), "%s: another name", what);
  ck_assert_msg(x.abs_at_zero == y.abs_at_zero && x.relu_at_zero == y.relu_at_zero && x.ties == y.ties &&
                    x.pow00_nan == y.pow00_nan,
                "%s: other kinks", what);
  ck_assert_msg(ad_graph_meta_count(a) == ad_graph_meta_count(b), "%s: other metadata", what);
  for (size_t i = 0; i < ad_graph_meta_count(a); i++)
    ck_assert_msg(same_text(ad_graph_meta_key(a, i), ad_graph_meta_key(b, i)) &&
                      same_text(ad_graph_meta_text(a, i), ad_graph_meta_text(b, i)),
                  "%s: meta entry %zu is '%s: %s', then '%s: %s'", what, i, ad_graph_meta_key(a, i),
                  ad_graph_meta_text(a, i), ad_graph_meta_key(b, i), ad_graph_meta_text(b, i));
  ck_assert_msg(ad_graph_input_count(a) == ad_graph_input_count(b), "%s: other inputs", what);
  size_t n = ad_graph_node_count(a), m = ad_graph_node_count(b);
  for (ad_node i = 0; i < n && i < m; i++) same_node(a, b, i, what);
  ck_assert_msg(n == m, "%s: %zu nodes, then %zu", what, n, m);
  ck_assert_msg(ad_graph_output_count(a) == ad_graph_output_count(b), "%s: other outputs", what);
  for (size_t i = 0; i < ad_graph_output_count(a); i++)
    ck_assert_msg(ad_graph_output_node(a, i) == ad_graph_output_node(b, i) &&
                      same_text(ad_graph_output_name(a, i), ad_graph_output_name(b, i)),
                  "%s: output %zu is '%s' at %u, then '%s' at %u", what, i, ad_graph_output_name(a, i),
                  ad_graph_output_node(a, i), ad_graph_output_name(b, i), ad_graph_output_node(b, i));
}

/* ---- Random graphs */

typedef struct maker {
  ad_graph *g;
  uint64_t state;
  unsigned names;
  const char *const *ops; /* ends with NULL; NULL: all */
} maker;

/* xorshift64* (Vigna 2016). */
static uint64_t draw(maker *m, uint64_t below) {
  m->state ^= m->state >> 12;
  m->state ^= m->state << 25;
  m->state ^= m->state >> 27;
  return (m->state * 0x2545F4914F6CDD1Du >> 33) % below;
}

static bool chance(maker *m, unsigned percent) {
  return draw(m, 100) < percent;
}

/* Names that a careless writer would get wrong. */
static const char *const odd_names[] = {
    "x",    "pi",  "e",   "inf", "nan", "max",  "a b", "a: b", "- a", "#a",  "a #b", "'q'",  "\"q\"", "\\n",
    "[a]",  "{a}", "a,b", "&a",  "*a",  "!a",   "|",   ">",    "?",   "<<",  "yes",  "null", "~",     "12",
    "-1.5", "1/3", "a.b", "_",   "op",  "args", "a ",  "...",  "---", "0x1", "a=b",  "(a)",  "a-b",   "@"};
static const char *const foreign_names[] = {"\xC3\xA9", "a\xC2\xA0z", "a\xE2\x80\xA8z", "\xEF\xBB\xBF_a",
                                            "\xF0\x9F\x98\x80"};
enum {
  ODD_NAMES = sizeof odd_names / sizeof odd_names[0],
  FOREIGN_NAMES = sizeof foreign_names / sizeof foreign_names[0]
};

/* One of them, made different by a number. */
static const char *name(maker *m, char *buf) {
  const char *stem = chance(m, 85) ? odd_names[draw(m, ODD_NAMES)] : foreign_names[draw(m, FOREIGN_NAMES)];
  if (ad_graph_find_node(m->g, stem) == AD_NO_NODE && chance(m, 70))
    snprintf(buf, AD_MAX_NAME, "%s", stem);
  else
    snprintf(buf, AD_MAX_NAME, "%s%u", stem, ++m->names);
  return buf;
}

static void push_number(maker *m, ad_numbers *n) {
  static const char *const texts[] = {"0",       "1",         "2",
                                      "-1",      "0.5",       "0.1",
                                      "1/3",     "-2/7",      "pi",
                                      "-pi",     "e",         "inf",
                                      "-inf",    "nan",       "-0",
                                      "1e-9",    "1e300",     "0.30000000000000004441",
                                      "1e400",   "0x1p-1074", "123456789012345678901234567890",
                                      "4/2",     "2.50",      "-e",
                                      "0x1.8p+0"};
  if (chance(m, 70)) {
    const char *t = texts[draw(m, sizeof texts / sizeof texts[0])];
    must(ad_numbers_push_text(n, t, strlen(t), &graphs_error));
  } else {
    uint64_t bits = draw(m, 1ull << 31) << 33 ^ draw(m, 1ull << 31) << 11 ^ draw(m, 4096);
    double v;
    memcpy(&v, &bits, sizeof v);
    must(ad_numbers_push_double(n, isnan(v) ? 0.1 : v, &graphs_error));
  }
}

static ad_shape shape(maker *m) {
  ad_shape s = {.rank = (int32_t)draw(m, chance(m, 60) ? 1 : 4)};
  for (int i = 0; i < s.rank; i++) s.dim[i] = chance(m, 5) ? 0 : 1 + (int64_t)draw(m, 4);
  return s;
}

static ad_numbers *numbers(maker *m, const ad_shape *s) {
  ad_numbers *n = ad_numbers_new();
  size_t count = chance(m, 30) ? 1 : (size_t)ad_shape_size(s);
  for (size_t i = 0; i < count; i++) push_number(m, n);
  return n;
}

static void add_input(maker *m) {
  char buf[AD_MAX_NAME + 1];
  ad_input_spec spec = {.shape = shape(m), .dtype = (ad_dtype)draw(m, 3), .fixed = chance(m, 20)};
  ad_numbers *n = numbers(m, &spec.shape);
  ad_node out;
  spec.name = name(m, buf);
  spec.value = chance(m, 80) ? n : NULL;
  must(ad_graph_input(m->g, &out, &spec, &graphs_error));
  ad_numbers_free(n);
}

static ad_node add_constant(maker *m) {
  const ad_shape s = chance(m, 70) ? (ad_shape){0} : shape(m);
  ad_numbers *n = numbers(m, &s);
  ad_node out;
  must(ad_graph_constant(m->g, &out, &s, n, chance(m, 70) ? AD_EXACT : (ad_dtype)draw(m, 3), &graphs_error));
  ad_numbers_free(n);
  return out;
}

/* The latest nodes are likelier, so that long expressions come about. */
static ad_node old_node(maker *m) {
  size_t n = ad_graph_node_count(m->g);
  return (ad_node)(chance(m, 70) && n > 3 ? n - 1 - draw(m, 3) : draw(m, n));
}

static ad_node argument(maker *m) {
  return chance(m, 15) ? add_constant(m) : old_node(m);
}

static void random_attrs(maker *m, const ad_op_info *info, const ad_shape *x, ad_attr *attr,
                         int64_t (*room)[AD_MAX_RANK], size_t *count) {
  *count = 0;
  for (int k = 0; k < info->attr_count; k++) {
    const ad_attr_info *a = &info->attr[k];
    if (!a->required && chance(m, 40)) continue;
    ad_attr *out = &attr[*count];
    int64_t *v = room[(*count)++];
    *out = (ad_attr){.name = a->name, .value = v};
    if (a->kind == AD_ATTR_BOOL) {
      v[0] = chance(m, 50);
      continue;
    }
    if (a->kind == AD_ATTR_TENSOR)
      out->shape = chance(m, 10) ? SHAPE(0, 3) : chance(m, 50) ? SHAPE(2, 2) : SHAPE(3);
    else if (a->kind != AD_ATTR_INT)
      out->shape = (ad_shape){1, {chance(m, 70) ? x->rank : (int64_t)draw(m, 4)}};
    for (int i = 0; i < AD_MAX_RANK; i++) v[i] = (int64_t)draw(m, 7) - 3;
    if (!strcmp(a->name, "perm"))
      for (int i = 0; i < x->rank; i++) v[i] = chance(m, 90) ? (i + 1) % x->rank : i;
    if (!strcmp(a->name, "shape") && chance(m, 70))
      for (int i = 0; i < x->rank; i++) v[i] = x->dim[i];
  }
}

static ad_op choose(maker *m) {
  static const char *const common[] = {"add", "mul", "div", "pow", "neg", "sub"};
  size_t count = 0;
  while (m->ops && m->ops[count]) count++;
  for (;;) {
    const ad_op op = count            ? ad_op_find(m->ops[draw(m, count)])
                     : !chance(m, 30) ? (ad_op)draw(m, ad_op_count())
                                      : ad_op_find(common[draw(m, 6)]);
    const ad_op_class cls = ad_op_get(op)->cls;
    if (cls == AD_CLASS_ELEMENT || cls == AD_CLASS_STRUCTURED) return op;
  }
}

/* Applies an operation, unless the shapes don't fit. */
static void add_operation(maker *m) {
  const ad_op op = choose(m);
  const ad_op_info *info = ad_op_get(op);
  size_t most = (size_t)info->max_args, count = most == AD_VARIADIC ? 1 + draw(m, chance(m, 5) ? 40 : 4) : most;
  if ((size_t)info->min_args < count && most != AD_VARIADIC) count -= draw(m, 2);
  ad_node args[48], out;
  for (size_t i = 0; i < count; i++) args[i] = argument(m);
  if (most == AD_VARIADIC)
    for (size_t i = 1; i < count; i++) args[i] = args[0];
  ad_attr attr[4];
  int64_t room[4][AD_MAX_RANK];
  size_t attrs;
  random_attrs(m, info, ad_graph_node_shape(m->g, args[0]), attr, room, &attrs);
  if (ad_graph_apply(m->g, &out, op, count, args, attrs, attr, &graphs_error)) return;
  if (ad_shape_size(ad_graph_node_shape(m->g, out)) > 4096) return;
  char buf[AD_MAX_NAME + 1];
  if (chance(m, 20)) must(ad_graph_set_node_name(m->g, out, name(m, buf), &graphs_error));
}

ad_graph *graph_of_everything(uint64_t seed) {
  return graph_of_operations(seed, NULL);
}

ad_graph *graph_of_operations(uint64_t seed, const char *const *ops) {
  maker m = {.g = graphs_new(), .state = seed * 0x9E3779B97F4A7C15u + 1, .ops = ops};
  char buf[AD_MAX_NAME + 1];
  if (chance(&m, 50)) must(ad_graph_set_name(m.g, name(&m, buf), &graphs_error));
  if (chance(&m, 50))
    must(ad_graph_set_kinks(
        m.g, &(ad_kinks){(double)draw(&m, 3) - 1, (double)draw(&m, 3) / 2, (ad_ties)draw(&m, 3), chance(&m, 50)},
        &graphs_error));
  for (size_t i = draw(&m, 3); i > 0; i--)
    must(ad_graph_set_meta(m.g, name(&m, buf), "several\nlines:\t\"quoted\" \\ \x01 # not a comment ", &graphs_error));
  for (size_t i = 1 + draw(&m, 3); i > 0; i--) add_input(&m);
  for (size_t i = draw(&m, 40); i > 0; i--) {
    add_operation(&m);
    if (chance(&m, 5)) {
      ad_node c = add_constant(&m);
      if (chance(&m, 50)) must(ad_graph_set_node_name(m.g, c, name(&m, buf), &graphs_error));
    }
  }
  for (size_t i = draw(&m, 4); i > 0; i--) {
    ad_status s = ad_graph_output(m.g, name(&m, buf), old_node(&m), &graphs_error);
    ck_assert(!s || strstr(graphs_error.message, "given twice"));
  }
  return m.g;
}
