/* Common subexpressions: nodes by operation, arguments, attributes and shape, constants by their numbers, in a hash
 * table with open addressing. */
#include <string.h>

#include "error.h"
#include "mem.h"
#include "passes/passes.h"

/* Where the order of two arguments changes no bit: x + y, x y, and their partials. */
static bool commutes(ad_op op) {
  return op == AD_OP_ADD || op == AD_OP_MUL;
}

static uint64_t mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9E3779B97F4A7C15u;
  return h ^ h >> 32;
}

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t words) {
  for (size_t i = 0; i < words; i++) {
    uint64_t v;
    memcpy(&v, (const char *)bytes + i * sizeof v, sizeof v);
    h = mix(h, v);
  }
  return h;
}

static uint32_t hash_node(const ad_graph *g, ad_node n, uint64_t seed) {
  const ad_op op = g->op[n];
  uint64_t h = mix(mix(seed, op), g->shape[n]);
  if (op == AD_OP_CONSTANT) {
    const ad_values v = ad_graph_node_values(g, n);
    h = hash_bytes(mix(h, v.count), v.value, v.count);
    return (uint32_t)(h ^ h >> 32);
  }
  const ad_node *args;
  const size_t nargs = ad_graph_node_args(g, n, &args);
  if (commutes(op))
    h = mix(mix(h, args[0] < args[1] ? args[0] : args[1]), args[0] < args[1] ? args[1] : args[0]);
  else
    for (size_t k = 0; k < nargs; k++) h = mix(h, args[k]);
  for (int k = 0; k < ad_op_get(op)->attr_count; k++) {
    const ad_attr a = ad_graph_node_attr(g, n, k);
    if (a.value) h = hash_bytes(mix(h, (uint64_t)k), a.value, (size_t)ad_shape_size(&a.shape));
  }
  return (uint32_t)(h ^ h >> 32);
}

static bool same_text(const char *a, const char *b) {
  return a == b || (a && b && !strcmp(a, b));
}

static bool same_numbers(const ad_graph *g, ad_node a, ad_node b) {
  const ad_values x = ad_graph_node_values(g, a), y = ad_graph_node_values(g, b);
  if (x.count != y.count || ad_graph_node_dtype(g, a) != ad_graph_node_dtype(g, b) ||
      (x.count && memcmp(x.value, y.value, x.count * sizeof *x.value)))
    return false;
  for (size_t i = 0; g->exact_count && i < x.count; i++)
    if (!same_text(ad_values_text(&x, i), ad_values_text(&y, i))) return false;
  return true;
}

static bool same_attrs(const ad_graph *g, ad_node a, ad_node b) {
  for (int k = 0; k < ad_op_get(g->op[a])->attr_count; k++) {
    const ad_attr x = ad_graph_node_attr(g, a, k), y = ad_graph_node_attr(g, b, k);
    if (!x.value != !y.value || !ad_shape_equal(&x.shape, &y.shape)) return false;
    const size_t size = x.value ? (size_t)ad_shape_size(&x.shape) : 0;
    if (size && memcmp(x.value, y.value, size * sizeof *x.value)) return false;
  }
  return true;
}

static bool same(const ad_graph *g, ad_node a, ad_node b) {
  if (g->op[a] != g->op[b] || g->shape[a] != g->shape[b]) return false;
  if (g->op[a] == AD_OP_CONSTANT) return same_numbers(g, a, b);
  const ad_node *x, *y;
  const size_t nargs = ad_graph_node_args(g, a, &x);
  if (ad_graph_node_args(g, b, &y) != nargs) return false;
  if (!memcmp(x, y, nargs * sizeof *x)) return same_attrs(g, a, b);
  return commutes(g->op[a]) && x[0] == y[1] && x[1] == y[0];
}

static ad_status grow(ad_rewrite *r, ad_error *e) {
  const size_t slots = r->slots ? 2 * r->slots : 64;
  uint32_t *slot = ad_calloc(slots, sizeof *slot), *hash = ad_malloc(slots, sizeof *hash);
  if (!slot || !hash) {
    ad_free(slot);
    ad_free(hash);
    return ad_fail_memory(e);
  }
  if (!r->slots) r->seed = ad_hash_seed(slot);
  for (size_t i = 0; i < r->slots; i++) {
    if (!r->slot[i]) continue;
    size_t k = r->hash[i] & (slots - 1);
    while (slot[k]) k = (k + 1) & (slots - 1);
    slot[k] = r->slot[i], hash[k] = r->hash[i];
  }
  ad_free(r->slot);
  ad_free(r->hash);
  r->slot = slot, r->hash = hash, r->slots = slots;
  return AD_OK;
}

ad_status ad_find_common(ad_rewrite *r, ad_node *z, ad_error *e) {
  if (4 * (r->found + 1) > 3 * r->slots) {
    ad_status s = grow(r, e);
    if (s) return s;
  }
  const uint32_t h = hash_node(r->g, *z, r->seed);
  size_t k = h & (r->slots - 1);
  for (; r->slot[k]; k = (k + 1) & (r->slots - 1))
    if (r->hash[k] == h && same(r->g, r->slot[k] - 1, *z)) {
      *z = r->slot[k] - 1;
      return AD_OK;
    }
  r->slot[k] = *z + 1, r->hash[k] = h;
  r->found++;
  return AD_OK;
}
