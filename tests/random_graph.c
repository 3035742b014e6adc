#include "random_graph.h"

#include "ir/graph.h"
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"

enum { INPUTS = 6, MOST_ELEMENTS = 32, MOST_RANK = 4, MOST_ARGS = 3, TRIES = 400 };
static const double LARGEST_VALUE = 50, LARGEST_SLOPE = 20, SMALLEST = 1e-6;

/* A graph while it grows: the values of its nodes, by a backend that the tests of single operations trust. */
typedef struct growth {
  ad_graph *g;
  ulps_random *random;
  double *(*value);
  size_t count, capacity;
} growth;

static uint64_t below(ulps_random *r, uint64_t n) {
  return ulps_random_bits(r) % n;
}

static size_t size_of(const ad_graph *g, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(g, n));
}

/* Remembers the values of the node that was added last. */
static void remember(growth *b, const double *value, size_t count) {
  if (b->count == b->capacity) {
    b->capacity = 2 * b->capacity + 64;
    b->value = realloc(b->value, b->capacity * sizeof *b->value);
  }
  b->value[b->count] = malloc((count + 1) * sizeof **b->value);
  memcpy(b->value[b->count++], value, count * sizeof *value);
}

/* ---- Attributes */

typedef struct attrs {
  size_t count;
  ad_attr attr[4];
  int64_t room[4][MOST_ELEMENTS];
} attrs;

static void push_list(attrs *a, const char *name, ad_shape shape, size_t count, const int64_t *value) {
  memcpy(a->room[a->count], value, count * sizeof *value);
  a->attr[a->count] = (ad_attr){name, shape, a->room[a->count]};
  a->count++;
}

static void push_int(attrs *a, const char *name, int64_t value) {
  push_list(a, name, SCALAR, 1, &value);
}

static void push_ints(attrs *a, const char *name, size_t count, const int64_t *value) {
  push_list(a, name, (ad_shape){1, {(int64_t)count}}, count, value);
}

/* A shape of `size` elements. */
static size_t some_factors(ulps_random *r, size_t size, int64_t *dim) {
  size_t rank = 0;
  while (size > 1 && rank < MOST_RANK - 1) {
    size_t factor = 1 + below(r, size);
    while (size % factor) factor--;
    dim[rank++] = (int64_t)factor;
    size /= factor;
  }
  dim[rank++] = (int64_t)size;
  return rank;
}

static void some_indices(attrs *a, ulps_random *r, int64_t length) {
  ad_shape shape = {.rank = (int32_t)below(r, 3)};
  int64_t table[MOST_ELEMENTS], count = 1;
  for (int i = 0; i < shape.rank; i++) count *= shape.dim[i] = 1 + (int64_t)below(r, 3);
  for (int64_t i = 0; i < count; i++) table[i] = (int64_t)below(r, 2 * (uint64_t)length) - length;
  push_list(a, "indices", shape, (size_t)count, table);
}

static void some_slice(attrs *a, ulps_random *r, const ad_shape *x) {
  int64_t start[MOST_RANK], stop[MOST_RANK], step[MOST_RANK];
  for (int i = 0; i < x->rank; i++) {
    const int64_t n = x->dim[i];
    step[i] = below(r, 3) ? 1 + (int64_t)below(r, 2) : -1 - (int64_t)below(r, 2);
    start[i] = step[i] > 0 ? (int64_t)below(r, (uint64_t)n) : n - 1;
    stop[i] = step[i] > 0 ? n : -n - 1;
  }
  push_ints(a, "start", (size_t)x->rank, start);
  push_ints(a, "stop", (size_t)x->rank, stop);
  push_ints(a, "step", (size_t)x->rank, step);
}

/* Attributes by their names; one that is not known here is left out, which is right where it has a default. */
static void some_attrs(attrs *a, const ad_op_info *info, ulps_random *r, const ad_shape *x) {
  a->count = 0;
  const int64_t rank = x->rank, axis = rank ? (int64_t)below(r, 2 * (uint64_t)rank) - rank : 0;
  int64_t list[2 * MOST_RANK];
  for (int k = 0; k < info->attr_count; k++) {
    const ad_attr_info *want = &info->attr[k];
    if (!strcmp(want->name, "axis") && want->kind == AD_ATTR_INT) {
      push_int(a, "axis", axis);
    } else if (!strcmp(want->name, "axis") && below(r, 3)) {
      size_t count = 0;
      for (int64_t i = 0; i < rank; i++)
        if (below(r, 2)) list[count++] = below(r, 2) ? i : i - rank;
      push_ints(a, "axis", count, list);
    } else if (!strcmp(want->name, "keepdims")) {
      push_int(a, "keepdims", (int64_t)below(r, 2));
    } else if (!strcmp(want->name, "perm") && below(r, 4)) {
      for (int64_t i = 0; i < rank; i++) list[i] = i;
      for (int64_t i = rank - 1; i > 0; i--) {
        int64_t j = (int64_t)below(r, (uint64_t)i + 1), t = list[i];
        list[i] = list[j], list[j] = t;
      }
      push_ints(a, "perm", (size_t)rank, list);
    } else if (!strcmp(info->name, "reshape")) {
      size_t count = some_factors(r, (size_t)ad_shape_size(x), list);
      push_ints(a, "shape", count, list);
    } else if (!strcmp(info->name, "broadcast_to")) {
      size_t more = rank < MOST_RANK ? below(r, 2) : 0;
      if (more) list[0] = 1 + (int64_t)below(r, 3);
      for (int64_t i = 0; i < rank; i++)
        list[(int64_t)more + i] = x->dim[i] == 1 ? 1 + (int64_t)below(r, 3) : x->dim[i];
      push_ints(a, "shape", (size_t)rank + more, list);
    } else if (!strcmp(want->name, "indices")) {
      const int64_t along = axis < 0 ? axis + rank : axis;
      some_indices(a, r, rank ? x->dim[along] : 1);
    } else if (!strcmp(info->name, "slice") && k == 0) {
      some_slice(a, r, x);
    }
  }
}

/* ---- One operation alone */

/* The result of one operation and the sums of its columns of slopes, one for each element of each argument that varies.
 */
typedef struct trial {
  bool good;
  ad_shape shape;
  size_t count, slopes;
  double value[MOST_ELEMENTS], slope[MOST_ARGS * MOST_ELEMENTS];
} trial;

static void note(void *context, ad_node n, size_t element, unsigned flags) {
  (void)n, (void)element, (void)flags;
  *(bool *)context = true;
}

static size_t read_span(double *to, ad_span s) {
  for (size_t i = 0; i < s.count; i++) to[i] = ad_span_double(&s, i);
  return s.count;
}

/* At the values at hand, moved by a part `shift` of themselves, up and down in turn. */
static trial try_at(const growth *b, ad_op op, size_t nargs, const ad_node *args, const attrs *a, double shift) {
  static const char *const names[MOST_ARGS] = {"x", "y", "w"};
  trial t = {0};
  ad_graph *g = graphs_new();
  ad_node own[MOST_ARGS], z;
  for (int inputs = 1; inputs >= 0; inputs--) /* inputs first */
    for (size_t k = 0; k < nargs; k++) {
      const bool input = strcmp(ad_op_get(ad_graph_node_op(b->g, args[k]))->name, "constant") != 0;
      const ad_shape shape = *ad_graph_node_shape(b->g, args[k]);
      const size_t n = size_of(b->g, args[k]);
      double v[MOST_ELEMENTS];
      if (input != inputs) continue;
      for (size_t i = 0; i < n; i++) v[i] = b->value[args[k]][i] * (input ? 1 + ((i + k) % 2 ? -shift : shift) : 1);
      own[k] = input ? graphs_input(g, names[k], shape, v, n) : graphs_tensor(g, shape, v, n);
    }
  t.good = ad_graph_apply(g, &z, op, nargs, own, a->count, a->attr, NULL) == AD_OK && size_of(g, z) > 0 &&
           size_of(g, z) <= MOST_ELEMENTS && ad_graph_node_shape(g, z)->rank <= MOST_RANK;
  if (t.good) {
    bool noticed = false;
    graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true});
    ad_workspace_diagnose(r.w, note, &noticed);
    for (size_t i = 0; i < size_of(g, z); i++) must(ad_workspace_seed_adjoint(r.w, z, i, 1, &graphs_error));
    must(ad_workspace_reverse(r.w, &graphs_error));
    t.good = !noticed;
    t.shape = *ad_graph_node_shape(g, z);
    t.count = read_span(t.value, ad_workspace_value(r.w, z));
    for (ad_node n = 0; n < ad_graph_input_count(g); n++)
      t.slopes += read_span(t.slope + t.slopes, ad_workspace_adjoint(r.w, n));
    graphs_end(&r);
  }
  ad_graph_free(g);
  return t;
}

static bool moderate(const double *v, size_t count, double largest) {
  for (size_t i = 0; i < count; i++)
    if (!(fabs(v[i]) <= largest) || (v[i] != 0 && fabs(v[i]) < SMALLEST)) return false;
  return true;
}

static bool close_to(const double *a, const double *b, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!(fabs(a[i] - b[i]) <= 1e-3 * (1 + fabs(b[i])))) return false;
  return true;
}

/* Whether the operation is defined, smooth and moderate here, and does not jump nearby; *t gets its result. */
static bool behaves(growth *b, ad_op op, size_t nargs, const ad_node *args, const attrs *a, trial *t) {
  *t = try_at(b, op, nargs, args, a, 0);
  if (!t->good || !moderate(t->value, t->count, LARGEST_VALUE) || !moderate(t->slope, t->slopes, LARGEST_SLOPE))
    return false;
  for (int side = -1; side <= 1; side += 2) {
    trial beside = try_at(b, op, nargs, args, a, side * 1e-7);
    if (!beside.good || !close_to(beside.value, t->value, t->count) || !close_to(beside.slope, t->slope, t->slopes))
      return false;
  }
  return true;
}

/* ---- Growth */

static double some_number(ulps_random *r) {
  static const double shifts[] = {0, 0, 1.5, 3};
  return shifts[below(r, 4)] + ulps_random_uniform(r, -1, 1);
}

static ad_node add_constant(growth *b, double v) {
  ad_node c = graphs_constant(b->g, v);
  remember(b, &v, 1);
  return c;
}

static ad_shape some_shape(ulps_random *r) {
  ad_shape s = {.rank = (int32_t)below(r, MOST_RANK)};
  for (int i = 0; i < s.rank; i++) s.dim[i] = 1 + (int64_t)below(r, 3);
  return s;
}

/* Mostly a recent node, so that the graph is deep. */
static ad_node some_node(growth *b) {
  const uint64_t recent = b->count < 12 ? b->count : 12;
  return (ad_node)(below(b->random, 3) ? b->count - 1 - below(b->random, recent) : below(b->random, b->count));
}

/* Adds one operation; false when these arguments won't do. */
static bool grow(growth *b, ad_op op) {
  const ad_op_info *info = ad_op_get(op);
  size_t nargs = (size_t)info->max_args;
  ad_node args[MOST_ARGS], out;
  trial t;
  if (info->max_args == AD_VARIADIC) nargs = 1 + below(b->random, MOST_ARGS);
  for (size_t k = 0; k < nargs; k++) args[k] = some_node(b);
  /* An order is a small integer, and an exponent is one now and then: constants. */
  if (!strncmp(info->arg_names, "n,", 2)) args[0] = add_constant(b, (double)below(b->random, 4));
  if (!strcmp(info->name, "pow") && below(b->random, 2)) args[1] = add_constant(b, (double)below(b->random, 5) - 1);
  attrs a;
  some_attrs(&a, info, b->random, ad_graph_node_shape(b->g, args[0]));
  if (!behaves(b, op, nargs, args, &a, &t)) return false;
  must(ad_graph_apply(b->g, &out, op, nargs, args, a.count, a.attr, &graphs_error));
  ck_assert_uint_eq(out, b->count);
  char have[AD_SHAPE_TEXT], want[AD_SHAPE_TEXT];
  ad_shape_text(have, ad_graph_node_shape(b->g, out));
  ad_shape_text(want, &t.shape);
  ck_assert_msg(!strcmp(have, want), "%s: shape %s alone, %s in the graph", info->name, want, have);
  remember(b, t.value, t.count);
  return true;
}

static bool wanted(const ad_op_info *info, bool tensors) {
  return info->cls == AD_CLASS_ELEMENT || (tensors && info->cls == AD_CLASS_STRUCTURED);
}

/* The least used operation of a few, so that all occur. */
static ad_op choose(ulps_random *r, bool tensors, const size_t *used) {
  ad_op best = AD_NO_OP;
  for (int k = 0; k < 3;) {
    ad_op op = (ad_op)below(r, ad_op_count());
    if (!wanted(ad_op_get(op), tensors)) continue;
    if (best == AD_NO_OP || used[op] < used[best]) best = op;
    k++;
  }
  return best;
}

static void add_input(growth *b, size_t i, bool tensors) {
  char name[16];
  double v[MOST_ELEMENTS];
  ad_shape s = tensors && i ? some_shape(b->random) : SCALAR;
  const size_t n = (size_t)ad_shape_size(&s);
  for (size_t k = 0; k < n; k++) v[k] = some_number(b->random);
  snprintf(name, sizeof name, "x%zu", i);
  graphs_input(b->g, name, s, v, n);
  remember(b, v, n);
}

/* The sum of the elements of a few late nodes and of some others. */
static void add_outputs(growth *b, bool tensors) {
  const size_t last = b->count;
  ad_node total = AD_NO_NODE;
  for (size_t k = 0; k < 24; k++) {
    ad_node n = (ad_node)(k < 8 ? last - 1 - k * 3 % last : below(b->random, last)),
            s = tensors ? graphs_unary(b->g, "sum", n) : n;
    total = total == AD_NO_NODE ? s : graphs_binary(b->g, "add", total, s);
  }
  must(ad_graph_output(b->g, "f", total, &graphs_error));
  must(ad_graph_output(b->g, "last", (ad_node)(last - 1), &graphs_error));
  must(ad_graph_output(b->g, "middle", (ad_node)(last / 2), &graphs_error));
}

random_graph random_graph_new(uint64_t seed, size_t operations, bool tensors, size_t *used) {
  random_graph r = {.g = graphs_new(), .random = {seed}, .used = used};
  growth b = {.g = r.g, .random = &r.random};
  for (size_t i = 0; i < INPUTS; i++) add_input(&b, i, tensors);
  for (int i = 0; i < 4; i++) add_constant(&b, some_number(b.random));
  for (size_t done = 0, failed = 0; done < operations;) {
    ad_op op = choose(b.random, tensors, used);
    bool grown = false;
    for (int k = 0; k < 20 && !grown; k++) grown = grow(&b, op);
    if (grown)
      used[op]++, done++;
    else
      ck_assert_uint_lt(++failed, operations * TRIES);
  }
  add_outputs(&b, tensors);
  for (size_t i = 0; i < b.count; i++) free(b.value[i]);
  free(b.value);
  return r;
}

void random_graph_free(random_graph *r) {
  ad_graph_free(r->g);
}

ad_graph *random_graph_wider(const ad_graph *g, int64_t elements) {
  ad_graph *w;
  ad_node n, *arg = calloc(ad_graph_node_count(g) + 1, sizeof *arg);
  must(ad_graph_new_like(&w, g, &graphs_error));
  must(ad_graph_input(w, &n, &(ad_input_spec){.name = "unread", .shape = SHAPE(elements)}, &graphs_error));
  for (ad_node i = 0; i < ad_graph_node_count(g); i++) {
    const ad_op op = ad_graph_node_op(g, i);
    if (op <= AD_OP_CONSTANT) {
      must(ad_graph_copy_leaf(w, &n, g, i, &graphs_error));
      continue;
    }
    const ad_node *args;
    ad_attr attr[AD_MAX_ATTRS];
    const size_t nargs = ad_graph_node_args(g, i, &args);
    for (size_t k = 0; k < nargs; k++) arg[k] = args[k] + 1;
    for (int k = 0; k < ad_op_get(op)->attr_count; k++) attr[k] = ad_graph_node_attr(g, i, k);
    must(ad_graph_put(w, &n, op, g->shape[i], nargs, arg, attr, &graphs_error));
  }
  for (size_t i = 0; i < ad_graph_output_count(g); i++)
    must(ad_graph_output(w, ad_graph_output_name(g, i), ad_graph_output_node(g, i) + 1, &graphs_error));
  free(arg);
  return w;
}
