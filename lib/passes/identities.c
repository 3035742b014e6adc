/* Identities that change no bit: for every argument, NaN, infinities and both zeros included, the same value and the
 * same partials, in every arithmetic.  So x + 0 is none (-0 + 0 is 0), nor are max(x, x) and reduce_max over one
 * element (their partials are NaN where x is), abs(-x) (the policy at 0 would change its sign), x x as sqr(x) (another
 * rounding of the partial in the subnormals), recip for 1/x (another formula), logsumexp of one element (-0 gives 0).
 */
#include <string.h>

#include "passes/passes.h"

typedef struct site {
  ad_rewrite *r;
  const ad_graph *g;
  ad_node *z;
  size_t nargs;
  const ad_node *args;
  ad_error *e;
} site;

/* Whether the node is a constant, of numbers that `is` says yes to. */
static bool all_numbers(const ad_graph *g, ad_node n, bool (*is)(double v, double than), double than) {
  if (g->op[n] != AD_OP_CONSTANT) return false;
  const ad_values v = ad_graph_node_values(g, n);
  for (size_t i = 0; i < v.count; i++)
    if (!is(v.value[i], than) || ad_values_text(&v, i)) return false;
  return true;
}

static bool same_bits(double v, double than) {
  return !memcmp(&v, &than, sizeof v);
}

static bool differs(double v, double than) {
  return v != than;
}

static bool equals(double v, double than) {
  return v == than;
}

static bool is(const site *s, unsigned k, double v) {
  return all_numbers(s->g, s->args[k], same_bits, v);
}

static bool same_shape(const site *s, ad_node x) {
  return s->g->shape[x] == s->g->shape[*s->z];
}

/* The argument of argument k, if that is this operation. */
static bool under(const site *s, unsigned k, ad_op op, ad_node *x) {
  const ad_node *args;
  if (s->g->op[s->args[k]] != op) return false;
  ad_graph_args(s->g, s->args[k], &args);
  *x = args[0];
  return true;
}

/* z is x, if that has its shape; nothing broadcasts then. */
static ad_status drop(const site *s, ad_node x) {
  if (same_shape(s, x)) *s->z = x;
  return AD_OK;
}

static ad_status become(const site *s, ad_op op, ad_node x) {
  return same_shape(s, x) ? ad_rewrite_as(s->r, op, 1, &x, NULL, s->e) : AD_OK;
}

static ad_status become_two(const site *s, ad_op op, ad_node x, ad_node y) {
  const ad_node both[2] = {x, y};
  return ad_rewrite_as(s->r, op, 2, both, NULL, s->e);
}

/* A move whose only attribute is a list. */
static ad_status become_move(const site *s, ad_op op, ad_node x, int rank, const int64_t *list) {
  int64_t copy[AD_MAX_RANK] = {0}; /* the list may lie in the graph, which grows */
  if (rank) memcpy(copy, list, (size_t)rank * sizeof *copy);
  const ad_attr attr = {ad_op_get(op)->attr[0].name, {1, {rank}}, copy};
  return ad_rewrite_as(s->r, op, 1, &x, &attr, s->e);
}

static ad_status become_reshape(const site *s, ad_node x) {
  if (same_shape(s, x)) return drop(s, x);
  const ad_shape z = *ad_graph_node_shape(s->g, *s->z);
  return become_move(s, AD_OP_RESHAPE, x, z.rank, z.dim);
}

/* ---- Arithmetic */

static ad_status add(const site *s) {
  ad_node u;
  if (is(s, 1, -0.0)) return drop(s, s->args[0]);
  if (is(s, 0, -0.0)) return drop(s, s->args[1]);
  if (under(s, 1, AD_OP_NEG, &u)) return become_two(s, AD_OP_SUB, s->args[0], u);
  if (under(s, 0, AD_OP_NEG, &u)) return become_two(s, AD_OP_SUB, s->args[1], u);
  return AD_OK;
}

static ad_status sub(const site *s) {
  ad_node u;
  if (is(s, 1, 0)) return drop(s, s->args[0]);
  if (is(s, 0, -0.0)) return become(s, AD_OP_NEG, s->args[1]);
  if (under(s, 1, AD_OP_NEG, &u)) return become_two(s, AD_OP_ADD, s->args[0], u);
  return AD_OK;
}

/* mul and div of two that are negated. */
static ad_status both_signs(const site *s, ad_op op) {
  ad_node u, v;
  return under(s, 0, AD_OP_NEG, &u) && under(s, 1, AD_OP_NEG, &v) ? become_two(s, op, u, v) : AD_OK;
}

static ad_status mul(const site *s) {
  for (unsigned k = 0; k < 2; k++) {
    if (is(s, k, 1)) return drop(s, s->args[1 - k]);
    if (is(s, k, -1)) return become(s, AD_OP_NEG, s->args[1 - k]);
  }
  return both_signs(s, AD_OP_MUL);
}

static ad_status quotient(const site *s) {
  if (is(s, 1, 1)) return drop(s, s->args[0]);
  if (is(s, 1, -1)) return become(s, AD_OP_NEG, s->args[0]);
  return both_signs(s, AD_OP_DIV);
}

static ad_status power(const site *s) {
  if (is(s, 1, 1)) return drop(s, s->args[0]);
  return is(s, 1, 2) ? become(s, AD_OP_SQR, s->args[0]) : AD_OK;
}

static ad_status where(const site *s) {
  if (s->args[1] == s->args[2]) return drop(s, s->args[1]);
  if (all_numbers(s->g, s->args[0], differs, 0)) return drop(s, s->args[1]);
  return all_numbers(s->g, s->args[0], equals, 0) ? drop(s, s->args[2]) : AD_OK;
}

/* ---- Moves */

/* A move to a shape, of what was moved to another one by the same operation. */
static ad_status to_shape(const site *s, ad_op op) {
  ad_node u;
  if (same_shape(s, s->args[0])) return drop(s, s->args[0]);
  const ad_shape z = *ad_graph_node_shape(s->g, *s->z);
  return under(s, 0, op, &u) ? become_move(s, op, u, z.rank, z.dim) : AD_OK;
}

static ad_status transpose(const site *s) {
  const int rank = ad_graph_node_shape(s->g, *s->z)->rank;
  const int64_t *perm = ad_graph_node_attr(s->g, *s->z, 0).value;
  int64_t both[AD_MAX_RANK];
  ad_node u;
  bool identity = true;
  for (int i = 0; i < rank; i++) identity = identity && perm[i] == i;
  if (identity) return drop(s, s->args[0]);
  if (!under(s, 0, AD_OP_TRANSPOSE, &u)) return AD_OK;
  const int64_t *first = ad_graph_node_attr(s->g, s->args[0], 0).value;
  for (int i = 0; i < rank; i++) both[i] = first[perm[i]];
  return become_move(s, AD_OP_TRANSPOSE, u, rank, both);
}

static ad_status slice(const site *s) {
  const ad_shape *x = ad_graph_node_shape(s->g, s->args[0]);
  const int64_t *step = ad_graph_node_attr(s->g, *s->z, 2).value;
  for (int i = 0; i < x->rank; i++)
    if (step[i] != 1 && x->dim[i] > 1) return AD_OK;
  return drop(s, s->args[0]); /* an axis of the same size, in steps of 1, is whole */
}

static ad_status gather(const site *s) {
  const ad_attr table = ad_graph_node_attr(s->g, *s->z, 0);
  if (!same_shape(s, s->args[0]) || table.shape.rank != 1) return AD_OK;
  for (int64_t i = 0; i < table.shape.dim[0]; i++)
    if (table.value[i] != i && table.value[i] != i - table.shape.dim[0]) return AD_OK;
  return drop(s, s->args[0]);
}

static ad_status reduce(const site *s) {
  const ad_shape *x = ad_graph_node_shape(s->g, s->args[0]);
  const ad_attr axes = ad_graph_node_attr(s->g, *s->z, 0);
  for (int64_t i = 0; i < axes.shape.dim[0]; i++)
    if (x->dim[axes.value[i]] != 1) return AD_OK;
  return become_reshape(s, s->args[0]);
}

static ad_status cumsum(const site *s) {
  const ad_shape *x = ad_graph_node_shape(s->g, s->args[0]);
  return x->dim[ad_graph_node_attr(s->g, *s->z, 0).value[0]] <= 1 ? drop(s, s->args[0]) : AD_OK;
}

ad_status ad_simplify(ad_rewrite *r, ad_node *z, ad_error *e) {
  site s = {.r = r, .g = r->g, .z = z, .e = e};
  const ad_op op = r->g->op[*z];
  ad_node u;
  if (op <= AD_OP_CONSTANT) return AD_OK;
  s.nargs = ad_graph_args(r->g, *z, &s.args);
  switch (op) {
    case AD_OP_NEG:
      return under(&s, 0, AD_OP_NEG, &u) ? drop(&s, u) : AD_OK;
    case AD_OP_ADD:
      return add(&s);
    case AD_OP_SUB:
      return sub(&s);
    case AD_OP_MUL:
      return mul(&s);
    case AD_OP_DIV:
      return quotient(&s);
    case AD_OP_SQR:
      return under(&s, 0, AD_OP_NEG, &u) ? become(&s, AD_OP_SQR, u) : AD_OK;
    case AD_OP_POW:
      return power(&s);
    case AD_OP_WHERE:
      return where(&s);
    case AD_OP_RESHAPE:
    case AD_OP_BROADCAST_TO:
      return to_shape(&s, op);
    case AD_OP_TRANSPOSE:
      return transpose(&s);
    case AD_OP_SLICE:
      return slice(&s);
    case AD_OP_GATHER:
      return gather(&s);
    case AD_OP_CONCAT:
      return s.nargs == 1 ? drop(&s, s.args[0]) : AD_OK;
    case AD_OP_STACK:
      return s.nargs == 1 ? become_reshape(&s, s.args[0]) : AD_OK;
    case AD_OP_SUM:
    case AD_OP_MEAN:
    case AD_OP_PROD:
      return reduce(&s);
    case AD_OP_CUMSUM:
      return cumsum(&s);
    default:
      return AD_OK;
  }
}
