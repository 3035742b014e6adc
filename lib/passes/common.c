/* Common subexpressions: nodes by operation, arguments, attributes and shape, constants by their numbers.  A node is
 * looked for among those that use its youngest argument, which mostly lie near.  Of those that many nodes use, only the
 * first FEW are in this list; the others, and nodes without arguments that are computed, are in a hash table with open
 * addressing. */
#include <string.h>

#include "error.h"
#include "hash.h"
#include "mem.h"
#include "passes/passes.h"

/* Where the order of two arguments changes no bit: x + y, x y, and their partials. */
static bool commutes(ad_op op) {
  return op == AD_OP_ADD || op == AD_OP_MUL;
}

static uint64_t add_words(uint64_t h, const void *bytes, size_t words) {
  for (size_t i = 0; i < words; i++) {
    uint64_t v;
    memcpy(&v, (const char *)bytes + i * sizeof v, sizeof v);
    h = ad_hash_add(h, v);
  }
  return h;
}

static uint32_t hash_node(const ad_graph *g, ad_node n, uint64_t seed) {
  const ad_op op = g->op[n];
  uint64_t h = ad_hash_add(seed, (uint64_t)op << 32 | g->shape[n]);
  if (op == AD_OP_CONSTANT) {
    const ad_values v = ad_graph_node_values(g, n);
    return ad_hash_end(add_words(ad_hash_add(h, v.count), v.value, v.count));
  }
  const ad_node *args;
  const size_t nargs = ad_graph_args(g, n, &args);
  if (commutes(op))
    h = ad_hash_add(h, args[0] < args[1] ? (uint64_t)args[0] << 32 | args[1] : (uint64_t)args[1] << 32 | args[0]);
  else
    for (size_t k = 0; k < nargs; k++) h = ad_hash_add(h, args[k]);
  for (int k = 0; k < ad_op_rule_get(op)->attrs; k++) {
    const ad_attr a = ad_graph_node_attr(g, n, k);
    if (a.value) h = add_words(ad_hash_add(h, (uint64_t)k), a.value, (size_t)ad_shape_size(&a.shape));
  }
  return ad_hash_end(h);
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
  for (int k = 0; k < ad_op_rule_get(g->op[a])->attrs; k++) {
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
  const size_t nargs = ad_graph_args(g, a, &x);
  if (ad_graph_args(g, b, &y) != nargs) return false;
  if (!memcmp(x, y, nargs * sizeof *x)) return same_attrs(g, a, b);
  return commutes(g->op[a]) && x[0] == y[1] && x[1] == y[0];
}

static ad_status grow(ad_common *c, ad_error *e) {
  const size_t slots = c->slots ? 2 * c->slots : 64;
  struct ad_common_slot *slot = ad_calloc(slots, sizeof *slot);
  if (!slot) return ad_fail_memory(e);
  if (!c->slots) c->seed = ad_hash_seed(slot);
  for (size_t i = 0; i < c->slots; i++) {
    if (!c->slot[i].node) continue;
    size_t k = c->slot[i].hash & (slots - 1);
    while (slot[k].node) k = (k + 1) & (slots - 1);
    slot[k] = c->slot[i];
  }
  ad_free(c->slot);
  c->slot = slot, c->slots = slots;
  return AD_OK;
}

static ad_status find_by_hash(ad_common *c, const ad_graph *g, ad_node *z, ad_error *e) {
  if (4 * (c->found + 1) > 3 * c->slots) {
    ad_status s = grow(c, e);
    if (s) return s;
  }
  const uint32_t h = hash_node(g, *z, c->seed);
  size_t k = h & (c->slots - 1);
  for (; c->slot[k].node; k = (k + 1) & (c->slots - 1))
    if (c->slot[k].hash == h && same(g, c->slot[k].node - 1, *z)) {
      *z = c->slot[k].node - 1;
      return AD_OK;
    }
  c->slot[k] = (struct ad_common_slot){h, *z + 1};
  c->found++;
  return AD_OK;
}

/* The youngest argument that is no constant, for those are old and have many users. */
static ad_node youngest(const ad_graph *g, ad_node n) {
  const ad_node *args;
  ad_node found = AD_NO_NODE;
  if (g->op[n] == AD_OP_CONSTANT) return found;
  const size_t nargs = ad_graph_args(g, n, &args);
  for (size_t k = 0; k < nargs; k++)
    if (g->op[args[k]] != AD_OP_CONSTANT && (found == AD_NO_NODE || args[k] > found)) found = args[k];
  return found;
}

static ad_status open_lists(ad_common *c, size_t nodes, ad_error *e) {
  c->last = ad_calloc(nodes, sizeof *c->last);
  c->before = ad_malloc(nodes, sizeof *c->before);
  return c->last && c->before ? AD_OK : ad_fail_memory(e);
}

ad_status ad_find_common(ad_rewrite *r, ad_node *z, ad_error *e) {
  enum { FEW = 8 };
  ad_common *c = &r->common;
  const ad_node at = youngest(r->g, *z);
  ad_status s = c->last ? AD_OK : open_lists(c, r->nodes, e);
  if (s) return s;
  if (at == AD_NO_NODE) return find_by_hash(c, r->g, z, e);
  int seen = 0;
  for (uint32_t n = c->last[at]; n; n = c->before[n - 1], seen++)
    if (same(r->g, n - 1, *z)) return *z = n - 1, AD_OK;
  if (seen >= FEW) return find_by_hash(c, r->g, z, e);
  c->before[*z] = c->last[at];
  c->last[at] = *z + 1;
  return AD_OK;
}
