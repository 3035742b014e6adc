#include "nl/build.h"

#include <math.h>
#include <string.h>

#include "decimal.h"
#include "error.h"
#include "hash.h"
#include "ir/number.h"
#include "mem.h"

void ad_nl_build_clear(ad_nl_build *b) {
  void *parts[] = {b->variable, b->constant, b->key, b->operands.v, b->frame, b->piece, b->term};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
}

ad_status ad_nl_apply(ad_nl_build *b, ad_node *out, ad_op op, size_t nargs, const ad_node *args) {
  return ad_nl_place(&b->scan, ad_graph_apply(b->g, out, op, nargs, args, 0, NULL, b->scan.e));
}

ad_status ad_nl_apply_1(ad_nl_build *b, ad_node *out, ad_op op, ad_node x) {
  return ad_nl_apply(b, out, op, 1, &x);
}

ad_status ad_nl_apply_2(ad_nl_build *b, ad_node *out, ad_op op, ad_node x, ad_node y) {
  return ad_nl_apply(b, out, op, 2, (ad_node[]){x, y});
}

/* ---- Constants */

static size_t slot_of(const ad_nl_build *b, double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits); /* -0 and 0 are two */
  size_t i = ad_hash_end(ad_hash_add(ad_hash_seed(b->constant), bits)) & (b->slots - 1);
  while (b->constant[i] && memcmp(&b->key[i], &v, sizeof v) != 0) i = (i + 1) & (b->slots - 1);
  return i;
}

static ad_status grow_constants(ad_nl_build *b) {
  ad_nl_build old = *b;
  b->slots = old.slots ? 2 * old.slots : 64;
  b->constant = ad_calloc(b->slots, sizeof *b->constant);
  b->key = ad_malloc(b->slots, sizeof *b->key);
  if (!b->constant || !b->key) {
    ad_free(b->constant);
    ad_free(b->key);
    b->slots = old.slots, b->constant = old.constant, b->key = old.key;
    return ad_fail_memory(b->scan.e);
  }
  for (size_t i = 0; i < old.slots; i++) {
    if (!old.constant[i]) continue;
    const size_t k = slot_of(b, old.key[i]);
    b->constant[k] = old.constant[i];
    b->key[k] = old.key[i];
  }
  ad_free(old.constant);
  ad_free(old.key);
  return AD_OK;
}

ad_status ad_nl_number(ad_nl_build *b, ad_node *out, double v) {
  ad_status s = 2 * (b->constants + 1) > b->slots ? grow_constants(b) : AD_OK;
  if (s) return s;
  const size_t i = slot_of(b, v);
  if (b->constant[i]) {
    *out = b->constant[i] - 1;
    return AD_OK;
  }
  const ad_numbers n = {.count = 1, .value = &v};
  s = ad_graph_constant(b->g, out, &(ad_shape){0}, &n, ad_decimal_dtype(v), b->scan.e);
  if (s) return ad_nl_place(&b->scan, s);
  b->constant[i] = *out + 1;
  b->key[i] = v;
  b->constants++;
  return AD_OK;
}

bool ad_nl_is_number(const ad_nl_build *b, ad_node n, double *v) {
  if (ad_graph_node_op(b->g, n) != AD_OP_CONSTANT) return false;
  *v = ad_graph_node_values(b->g, n).value[0];
  return true;
}

ad_status ad_nl_vector(ad_nl_build *b, ad_node *out, double *v, size_t count) {
  const ad_numbers n = {.count = count, .value = v};
  const ad_shape shape = {1, {(int64_t)count}};
  ad_dtype dtype = AD_EXACT;
  for (size_t i = 0; i < count; i++)
    if (ad_decimal_dtype(v[i]) == AD_F64) dtype = AD_F64;
  return ad_nl_place(&b->scan, ad_graph_constant(b->g, out, &shape, &n, dtype, b->scan.e));
}

/* ---- Variables */

ad_status ad_nl_variable(ad_nl_build *b, ad_node *out, size_t i) {
  const size_t n = (size_t)b->head.variables;
  if (b->variable[i] == AD_NO_NODE && i >= n)
    return ad_nl_fail(&b->scan, "the defined variable v%zu is used before its definition (V%zu)", i, i);
  if (b->variable[i] == AD_NO_NODE) {
    const int64_t start = (int64_t)i, stop = start + 1, axis = 0;
    const ad_shape one = {1, {1}};
    const ad_attr attrs[] = {{"start", one, &start}, {"stop", one, &stop}, {"squeeze", one, &axis}};
    ad_status s = ad_graph_apply(b->g, &b->variable[i], AD_OP_SLICE, 1, &b->x, 3, attrs, b->scan.e);
    if (s) return ad_nl_place(&b->scan, s);
  }
  *out = b->variable[i];
  return AD_OK;
}

ad_status ad_nl_columns(ad_nl_build *b, ad_node *out, const int64_t *column, size_t count) {
  bool all = count == (size_t)b->head.variables;
  for (size_t i = 0; i < count && all; i++) all = column[i] == (int64_t)i;
  *out = b->x;
  const ad_attr indices = {"indices", {1, {(int64_t)count}}, column};
  if (all) return AD_OK;
  return ad_nl_place(&b->scan, ad_graph_apply(b->g, out, AD_OP_GATHER, 1, &b->x, 1, &indices, b->scan.e));
}

/* ---- Sums */

ad_status ad_nl_sum(ad_nl_build *b, ad_node *out, ad_node *list, size_t count) {
  if (!count) return ad_nl_number(b, out, 0);
  for (; count > 1; count = (count + 1) / 2) {
    for (size_t i = 0; i < count / 2; i++) {
      ad_status s = ad_nl_apply_2(b, &list[i], AD_OP_ADD, list[2 * i], list[2 * i + 1]);
      if (s) return s;
    }
    if (count & 1) list[count / 2] = list[count - 1];
  }
  *out = list[0];
  return AD_OK;
}

/* sum + coefficient * v */
static ad_status add_term(ad_nl_build *b, ad_node *sum, const ad_nl_term *t) {
  ad_node v, c;
  ad_status s = ad_nl_variable(b, &v, (size_t)t->column);
  if (!s && *sum != AD_NO_NODE && t->coefficient == -1) return ad_nl_apply_2(b, sum, AD_OP_SUB, *sum, v);
  if (!s && t->coefficient == -1) s = ad_nl_apply_1(b, &v, AD_OP_NEG, v);
  if (!s && fabs(t->coefficient) != 1) {
    s = ad_nl_number(b, &c, t->coefficient);
    if (!s) s = ad_nl_apply_2(b, &v, AD_OP_MUL, c, v);
  }
  if (s) return s;
  if (*sum != AD_NO_NODE) return ad_nl_apply_2(b, sum, AD_OP_ADD, *sum, v);
  *sum = v;
  return AD_OK;
}

/* The sum of many terms, as an inner product. */
static ad_status inner_product(ad_nl_build *b, ad_node *out, size_t count) {
  double *c = ad_malloc(count, sizeof *c);
  int64_t *column = ad_malloc(count, sizeof *column);
  ad_node v, w;
  bool ones = true;
  ad_status s = c && column ? AD_OK : ad_fail_memory(b->scan.e);
  for (size_t i = 0; !s && i < count; i++) {
    c[i] = b->term[i].coefficient;
    column[i] = b->term[i].column;
    ones = ones && c[i] == 1;
  }
  if (!s) s = ad_nl_columns(b, &v, column, count);
  if (!s && !ones) s = ad_nl_vector(b, &w, c, count);
  if (!s) s = ones ? ad_nl_apply_1(b, out, AD_OP_SUM, v) : ad_nl_apply_2(b, out, AD_OP_DOT, w, v);
  ad_free(c);
  ad_free(column);
  return s;
}

ad_status ad_nl_add_terms(ad_nl_build *b, ad_node *out, ad_node base, size_t count) {
  enum { FEW = 16 }; /* below it, scalars run faster than the start of two kernels */
  size_t kept = 0;
  bool plain = true; /* no defined variables */
  for (size_t i = 0; i < count; i++) {
    if (b->term[i].coefficient == 0) continue;
    plain = plain && b->term[i].column < b->head.variables;
    b->term[kept++] = b->term[i];
  }
  ad_status s = AD_OK;
  double zero = NAN;
  if (base != AD_NO_NODE && kept && ad_nl_is_number(b, base, &zero) && zero == 0) base = AD_NO_NODE;
  *out = base;
  if (plain && kept > FEW) {
    s = inner_product(b, out, kept);
    return s || base == AD_NO_NODE ? s : ad_nl_apply_2(b, out, AD_OP_ADD, base, *out);
  }
  for (size_t i = 0; !s && i < kept; i++) s = add_term(b, out, &b->term[i]);
  return s || *out != AD_NO_NODE ? s : ad_nl_number(b, out, 0);
}
