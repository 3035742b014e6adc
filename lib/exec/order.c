#include "exec/order.h"

#include <string.h>

#include "error.h"
#include "ir/graph.h"
#include "mem.h"

/* A SAME block of fewer scalars gains less than its start costs. */
enum { FEWEST_SAME = 32, DIGIT = 8, DIGITS = 1 << DIGIT };

static bool waits(uint32_t offset) {
  return offset >= AD_WAITING && offset != AD_ABSENT;
}

void ad_order_push(ad_order *o, ad_program *p, ad_node n, ad_op op, uint8_t active) {
  const ad_node *args;
  size_t count = ad_graph_args(p->graph, n, &args);
  unsigned level = 0;
  for (size_t k = 0; k < count; k++) {
    const uint32_t at = p->offset[args[k]];
    if (waits(at) && o->waiting[at - AD_WAITING].level >= level) level = o->waiting[at - AD_WAITING].level + 1u;
  }
  p->offset[n] = AD_WAITING + o->count;
  o->waiting[o->count++] = (ad_waiting){.node = n, .op = (uint8_t)op, .active = active, .level = (uint16_t)level};
}

/* What a block has in common. */
static uint32_t key_of(const ad_waiting *w) {
  return (uint32_t)w->level << 11 | (uint32_t)w->op << 3 | w->active;
}

/* Sorts by key, stably, digit by digit; returns the sorted positions. */
static const uint32_t *sort(ad_order *o) {
  uint32_t *from = o->sorted[0], *to = o->sorted[1];
  for (uint32_t i = 0; i < o->count; i++) from[i] = i;
  for (unsigned shift = 0; shift < 3 * DIGIT; shift += DIGIT) {
    uint32_t start[DIGITS + 1] = {0};
    for (uint32_t i = 0; i < o->count; i++) start[(key_of(&o->waiting[i]) >> shift & (DIGITS - 1)) + 1]++;
    bool one = false;
    for (unsigned d = 1; d <= DIGITS; d++) one = one || start[d] == o->count;
    if (one) continue; /* the digit is the same in all */
    for (unsigned d = 1; d < DIGITS; d++) start[d] += start[d - 1];
    for (uint32_t i = 0; i < o->count; i++) to[start[key_of(&o->waiting[from[i]]) >> shift & (DIGITS - 1)]++] = from[i];
    uint32_t *other = from;
    from = to;
    to = other;
  }
  return from;
}

static ad_status new_block(ad_program *p, ad_block_kind kind, ad_error *e) {
  if (!ad_reserve(&p->block, &p->block_capacity, p->block_count + 1, sizeof *p->block)) return ad_fail_memory(e);
  p->block[p->block_count++] =
      (ad_block){.kind = (uint8_t)kind, .out = p->size, .arg = p->arg_count, .first = p->mixed_count};
  return AD_OK;
}

static ad_status reserve_args(ad_program *p, size_t count, ad_error *e) {
  return ad_reserve(&p->arg, &p->arg_capacity, p->arg_count + count, sizeof *p->arg) ? AD_OK : ad_fail_memory(e);
}

/* Appends one scalar to the MIXED block at the end.  Until the size is known, a missing second argument is AD_ABSENT.
 */
static ad_status add_mixed(ad_program *p, const ad_waiting *w, ad_error *e) {
  const ad_block *last = p->block_count ? &p->block[p->block_count - 1] : NULL;
  ad_status s = AD_OK;
  if (!last || last->kind != AD_BLOCK_MIXED || last->out + last->count != p->size) s = new_block(p, AD_BLOCK_MIXED, e);
  if (!s) s = reserve_args(p, 2, e);
  if (s) return s;
  if (!ad_reserve(&p->op, &p->mixed_capacity[0], p->mixed_count + 1, sizeof *p->op) ||
      !ad_reserve(&p->dep, &p->mixed_capacity[1], p->mixed_count + 1, sizeof *p->dep))
    return ad_fail_memory(e);
  const ad_node *args;
  const size_t count = ad_graph_args(p->graph, w->node, &args);
  p->op[p->mixed_count] = w->op;
  p->dep[p->mixed_count++] = w->active;
  p->arg[p->arg_count++] = p->offset[args[0]];
  p->arg[p->arg_count++] = count > 1 ? p->offset[args[1]] : AD_ABSENT;
  p->block[p->block_count - 1].count++;
  p->offset[w->node] = p->size++;
  return AD_OK;
}

/* Writes argument k of every scalar, as shortly as it can be said. */
static void add_operands(ad_program *p, ad_block *b, const ad_order *o, const uint32_t *at, unsigned k) {
  uint32_t *list = p->arg + p->arg_count;
  bool run = true, one = true;
  for (uint32_t j = 0; j < b->count; j++) {
    const ad_node *args;
    ad_graph_args(p->graph, o->waiting[at[j]].node, &args);
    list[j] = p->offset[args[k]];
    run = run && list[j] == list[0] + j;
    one = one && list[j] == list[0];
  }
  b->access[k] = one ? AD_ACCESS_ONE : run ? AD_ACCESS_RUN : AD_ACCESS_LIST;
  p->arg_count += b->access[k] == AD_ACCESS_LIST ? b->count : 1;
}

static ad_status add_same(ad_program *p, const ad_order *o, const uint32_t *at, uint32_t count, ad_error *e) {
  const ad_waiting *w = &o->waiting[at[0]];
  const uint8_t nargs = ad_op_rule_get(w->op)->nargs;
  ad_status s = new_block(p, AD_BLOCK_SAME, e);
  if (!s) s = reserve_args(p, (size_t)nargs * count, e);
  if (s) return s;
  ad_block *b = &p->block[p->block_count - 1];
  b->op = w->op, b->active = w->active, b->nargs = nargs, b->count = count;
  for (unsigned k = 0; k < nargs; k++) add_operands(p, b, o, at, k);
  for (uint32_t j = 0; j < count; j++) p->offset[o->waiting[at[j]].node] = p->size++;
  return AD_OK;
}

ad_status ad_order_flush(ad_order *o, ad_program *p, ad_error *e) {
  const uint32_t *at = sort(o);
  ad_status s = AD_OK;
  for (uint32_t i = 0, n; !s && i < o->count; i += n) {
    const uint32_t key = key_of(&o->waiting[at[i]]);
    for (n = 1; i + n < o->count && key_of(&o->waiting[at[i + n]]) == key;) n++;
    if (n >= FEWEST_SAME || ad_op_rule_get(o->waiting[at[i]].op)->nargs > 2)
      s = add_same(p, o, at + i, n, e);
    else
      for (uint32_t j = 0; !s && j < n; j++) s = add_mixed(p, &o->waiting[at[i + j]], e);
  }
  o->count = 0;
  return s;
}

/* ---- Chains */

/* A chain of fewer scalars gains less than its start costs. */
enum { SHORTEST_CHAIN = 16 };

static bool links(const ad_program *p, const ad_block *b, uint32_t j) {
  const uint8_t op = p->op[b->first + j];
  const uint32_t *arg = p->arg + b->arg + 2 * (size_t)j, before = b->out + j - 1;
  return (op == AD_OP_ADD || op == AD_OP_MUL) && (arg[0] == before) != (arg[1] == before);
}

/* How many scalars from number j on are a chain; 1: that one is none. */
static uint32_t chain_from(const ad_program *p, const ad_block *b, uint32_t j) {
  const uint8_t *op = p->op + b->first;
  uint32_t n = 1;
  if (op[j] != AD_OP_ADD && op[j] != AD_OP_MUL) return 1;
  while (j + n < b->count && op[j + n] == op[j] && links(p, b, j + n)) n++;
  return n < SHORTEST_CHAIN ? 1 : n;
}

/* The element before comes first in every link. */
static void turn(ad_program *p, const ad_block *b) {
  for (uint32_t j = 1; j < b->count; j++) {
    uint32_t *arg = p->arg + b->arg + 2 * (size_t)j;
    uint8_t *dep = &p->dep[b->first + j];
    if (arg[0] == b->out + j - 1) continue;
    arg[1] = arg[0];
    arg[0] = b->out + j - 1;
    *dep = (uint8_t)((*dep & 1) << 1 | *dep >> 1);
  }
}

/* The parts of a MIXED block, chains and what lies between them, into out unless that is NULL.  Returns how many. */
static size_t parts_of(ad_program *p, const ad_block *b, ad_block *out) {
  size_t parts = 0;
  for (uint32_t j = 0, n; j < b->count; j += n, parts++) {
    const uint32_t chain = chain_from(p, b, j);
    n = chain;
    if (chain == 1)
      while (j + n < b->count && chain_from(p, b, j + n) == 1) n++;
    if (!out) continue;
    ad_block *part = out++;
    *part = *b;
    part->out += j, part->arg += 2 * (size_t)j, part->first += j, part->count = n;
    if (chain == 1) continue;
    part->op = p->op[part->first];
    turn(p, part);
  }
  return parts;
}

ad_status ad_order_chains(ad_program *p, ad_error *e) {
  size_t more = 0, parts;
  for (size_t i = 0; i < p->block_count; i++)
    if (p->block[i].kind == AD_BLOCK_MIXED) {
      parts = parts_of(p, &p->block[i], NULL);
      more += parts - 1 + (parts == 1 && chain_from(p, &p->block[i], 0) > 1);
    }
  if (!more) return AD_OK;
  ad_block *block = ad_malloc(p->block_count + more, sizeof *block);
  if (!block) return ad_fail_memory(e);
  size_t count = 0;
  for (size_t i = 0; i < p->block_count; i++)
    if (p->block[i].kind == AD_BLOCK_MIXED)
      count += parts_of(p, &p->block[i], &block[count]);
    else
      block[count++] = p->block[i];
  ad_free(p->block);
  p->block = block;
  p->block_count = p->block_capacity = count;
  return AD_OK;
}
