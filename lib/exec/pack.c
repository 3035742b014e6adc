/* Register allocation for tensors: lifetimes over the sequence of blocks, and a list of holes.  Inputs, constants and
 * scalars keep places of their own, in front of all tensors.  No result is written over an argument of its own
 * operation: an evaluation can say of each operation what it did to what. */
#include "exec/pack.h"

#include <string.h>

#include "error.h"
#include "mem.h"

#define STAYS UINT32_MAX

/* Smaller results are not worth a lifetime. */
enum { FEWEST_ELEMENTS = 8 };

typedef struct place {
  uint32_t start, size; /* before */
  uint32_t to;          /* afterwards */
  uint32_t death;       /* the last block that reads it; STAYS: to be read at the end, or by partials */
  uint32_t next;        /* place that dies with it + 1 */
} place;

typedef struct hole {
  uint32_t start, size;
} hole;

typedef struct packing {
  ad_program *p;
  place *place; /* by start; the last one is that of the strips, if there are any */
  uint32_t count;
  uint32_t *before; /* of each place: elements of places in front of it */
  uint32_t *dying;  /* of each block: the first place that dies with it + 1 */
  hole *hole;       /* by start */
  size_t hole_count, hole_capacity;
  uint32_t end; /* of what has been given out */
} packing;

/* The last place that starts at or before an offset, if the offset is inside; else `count`.  *behind: how many places
 * start at or before it. */
static uint32_t find(const packing *k, uint32_t offset, uint32_t *behind) {
  uint32_t low = 0, high = k->count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (k->place[middle].start <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  *behind = low;
  return low && offset - k->place[low - 1].start < k->place[low - 1].size ? low - 1 : k->count;
}

/* ---- Lifetimes */

static void read_at(packing *k, uint32_t offset, uint32_t block, bool stays) {
  uint32_t behind;
  const uint32_t i = offset == AD_ABSENT ? k->count : find(k, offset, &behind);
  if (i == k->count) return;
  if (stays)
    k->place[i].death = STAYS;
  else if (k->place[i].death != STAYS)
    k->place[i].death = block;
}

/* Whether a partial of the operation is computed from its arguments. */
static bool reads_arguments(ad_op op) {
  const ad_op_rule *rule = ad_op_rule_get(op);
  switch (rule->kernel) {
    case AD_KERNEL_ELEMENT:
      return rule->smoothness != AD_LINEAR;
    case AD_KERNEL_REDUCE:
      return op != AD_OP_SUM && op != AD_OP_MEAN;
    case AD_KERNEL_ALONG:
      return op != AD_OP_CUMSUM;
    case AD_KERNEL_MATMUL:
      return true;
    case AD_KERNEL_MOVE:
    case AD_KERNEL_GATHER:
    case AD_KERNEL_SCATTER_ADD:
    case AD_KERNEL_NONE:
      break;
  }
  return false;
}

static bool reads_result(ad_op op) {
  return reads_arguments(op) && ad_op_rule_get(op)->kernel != AD_KERNEL_MATMUL;
}

/* What scalars read element by element stays. */
static void read_scalars(packing *k, const ad_block *b, uint32_t i) {
  for (uint32_t j = 0; j < b->count; j++) {
    const ad_scalar s = ad_block_scalar(k->p, b, j);
    for (unsigned a = 0; a < s.nargs; a++) read_at(k, s.arg[a], i, true);
  }
}

static void read_tensors(packing *k, const ad_block *b, uint32_t i) {
  const ad_program *p = k->p;
  const ad_step *s = &p->step[b->step];
  for (uint32_t a = 0; a < s->operand_count; a++)
    if (p->operand[s->operand + a].size)
      read_at(k, p->operand[s->operand + a].offset, i, b->active && reads_arguments((ad_op)b->op));
  if (s->size && b->active && reads_result((ad_op)b->op)) read_at(k, b->out, i, true);
}

/* The way back computes a fused block once more. */
static void read_fused(packing *k, const ad_block *b, uint32_t i) {
  const ad_fused *f = k->p->fused + b->first;
  for (uint32_t j = 0; j < b->count; j++) {
    for (unsigned a = 0; a < f[j].nargs; a++)
      if (f[j].access[a] != AD_ACCESS_STRIP) read_at(k, f[j].arg[a], i, b->active);
    if (!f[j].inside && b->active) read_at(k, f[j].out, i, true);
  }
}

static void find_lifetimes(packing *k) {
  const ad_program *p = k->p;
  for (uint32_t i = 0; i < p->block_count; i++) {
    const ad_block *b = &p->block[i];
    if (b->kind == AD_BLOCK_FUSED)
      read_fused(k, b, i);
    else if (b->kind == AD_BLOCK_RUNS || b->kind == AD_BLOCK_KERNEL)
      read_tensors(k, b, i);
    else
      read_scalars(k, b, i);
  }
  for (size_t i = 0; i < p->output_count; i++) read_at(k, p->offset[p->output[i]], 0, true);
}

/* ---- Holes */

/* The last hole of a long list is forgotten: a list is gone through for each that is given back. */
static ad_status give_back(packing *k, uint32_t start, uint32_t size, ad_error *e) {
  enum { MOST = 1024 };
  if (k->hole_count == MOST) k->hole_count--;
  size_t i = k->hole_count;
  while (i && k->hole[i - 1].start > start) i--;
  if (i && k->hole[i - 1].start + k->hole[i - 1].size == start) { /* grows the one in front */
    k->hole[--i].size += size;
  } else {
    if (!ad_reserve(&k->hole, &k->hole_capacity, k->hole_count + 1, sizeof *k->hole)) return ad_fail_memory(e);
    memmove(&k->hole[i + 1], &k->hole[i], (k->hole_count++ - i) * sizeof *k->hole);
    k->hole[i] = (hole){start, size};
  }
  if (i + 1 == k->hole_count || k->hole[i].start + k->hole[i].size != k->hole[i + 1].start) return AD_OK;
  k->hole[i].size += k->hole[i + 1].size;
  memmove(&k->hole[i + 1], &k->hole[i + 2], (--k->hole_count - i - 1) * sizeof *k->hole);
  return AD_OK;
}

/* The smallest hole that is large enough, of the first so many; else behind all. */
static bool take(packing *k, place *a) {
  enum { LOOKED_AT = 256 };
  size_t best = k->hole_count;
  for (size_t i = 0; i < k->hole_count && i < LOOKED_AT; i++)
    if (k->hole[i].size >= a->size && (best == k->hole_count || k->hole[i].size < k->hole[best].size)) best = i;
  if (best == k->hole_count) {
    a->to = k->end;
    k->end += a->size;
    return false;
  }
  hole *h = &k->hole[best];
  a->to = h->start;
  h->start += a->size;
  h->size -= a->size;
  if (!h->size) memmove(h, h + 1, (--k->hole_count - best) * sizeof *h);
  return true;
}

/* Places for the results of a block; *n is the next one without. */
static ad_status give_out(packing *k, uint32_t i, uint32_t *n, ad_error *e) {
  ad_block *b = &k->p->block[i];
  const bool fused = b->kind == AD_BLOCK_FUSED;
  if (!fused && b->kind != AD_BLOCK_RUNS && b->kind != AD_BLOCK_KERNEL) return AD_OK;
  const ad_fused *f = fused ? k->p->fused + b->first : NULL;
  for (uint32_t j = 0; j < (fused ? b->count : 1); j++) {
    if (fused ? f[j].inside : k->p->step[b->step].size < FEWEST_ELEMENTS) continue;
    b->shares = take(k, &k->place[(*n)++]) || b->shares;
  }
  for (uint32_t d = k->dying[i]; d; d = k->place[d - 1].next) {
    ad_status s = give_back(k, k->place[d - 1].to, k->place[d - 1].size, e);
    if (s) return s;
  }
  return AD_OK;
}

/* ---- Offsets afterwards */

static uint32_t moved(const packing *k, uint32_t offset) {
  uint32_t behind;
  if (offset == AD_ABSENT) return offset;
  const uint32_t i = find(k, offset, &behind);
  return i < k->count ? k->place[i].to + (offset - k->place[i].start) : offset - k->before[behind];
}

static void move_all(packing *k) {
  ad_program *p = k->p;
  for (size_t n = 0; n < ad_graph_node_count(p->graph); n++) {
    if (p->offset[n] == AD_ABSENT) continue;
    uint32_t behind;
    const uint32_t i = find(k, p->offset[n], &behind);
    const bool gone =
        i < k->count && k->place[i].death != STAYS && ad_shape_size(ad_graph_node_shape(p->graph, (ad_node)n));
    p->offset[n] = gone ? AD_ABSENT : moved(k, p->offset[n]);
  }
  for (size_t i = 0; i < p->arg_count; i++) p->arg[i] = moved(k, p->arg[i]);
  for (size_t i = 0; i < p->operand_count; i++) p->operand[i].offset = moved(k, p->operand[i].offset);
  for (size_t i = 0; i < p->block_count; i++) p->block[i].out = moved(k, p->block[i].out);
  for (size_t i = 0; i < p->fused_count; i++) {
    ad_fused *f = &p->fused[i];
    f->out = moved(k, f->out);
    for (unsigned a = 0; a < f->nargs; a++) f->arg[a] = moved(k, f->arg[a]);
  }
}

/* ---- All of it */

/* The results of steps, as lowering laid them out one behind the other; NULL: only counts. */
static uint32_t list_places(const ad_program *p, place *list) {
  uint32_t n = 0;
  for (size_t i = 0; i < p->block_count; i++) {
    const ad_block *b = &p->block[i];
    if (b->kind == AD_BLOCK_FUSED) {
      for (uint32_t j = 0; j < b->count; j++) {
        const ad_fused *f = &p->fused[b->first + j];
        if (f->inside) continue; /* others have at least FEWEST_ELEMENTS */
        if (list) list[n] = (place){.start = f->out, .size = b->step, .death = (uint32_t)i};
        n++;
      }
    } else if ((b->kind == AD_BLOCK_RUNS || b->kind == AD_BLOCK_KERNEL) && p->step[b->step].size >= FEWEST_ELEMENTS) {
      if (list) list[n] = (place){.start = b->out, .size = p->step[b->step].size, .death = (uint32_t)i};
      n++;
    }
  }
  return n;
}

/* Whether the elements that a SAME block takes one behind the other will lie so. */
static bool stay_together(const packing *k, const ad_block *b) {
  const uint32_t *arg = k->p->arg + b->arg;
  for (unsigned a = 0; b->kind == AD_BLOCK_SAME && a < b->nargs; a++) {
    uint32_t behind[2];
    if (b->access[a] == AD_ACCESS_RUN &&
        (find(k, *arg, &behind[0]) != find(k, *arg + b->count - 1, &behind[1]) || behind[0] != behind[1]))
      return false;
    arg += b->access[a] == AD_ACCESS_LIST ? b->count : 1;
  }
  return true;
}

static ad_status pack(packing *k, ad_error *e) {
  ad_program *p = k->p;
  const uint32_t tensors = list_places(p, k->place);
  if (p->strips) k->place[tensors] = (place){.start = p->size - p->strips, .size = p->strips, .death = STAYS};
  k->count = tensors + (p->strips > 0);
  for (size_t i = 0; i < p->block_count; i++)
    if (!stay_together(k, &p->block[i])) return AD_OK;
  find_lifetimes(k);
  for (uint32_t i = 0; i < k->count; i++) {
    place *a = &k->place[i];
    k->before[i + 1] = k->before[i] + a->size;
    if (a->death == STAYS) continue;
    a->next = k->dying[a->death];
    k->dying[a->death] = i + 1;
  }
  k->end = p->size - k->before[k->count];
  ad_status s = AD_OK;
  for (uint32_t i = 0, n = 0; !s && i < p->block_count; i++) s = give_out(k, i, &n, e);
  if (s) return s;
  if (p->strips) k->place[tensors].to = k->end, k->end += p->strips; /* stay behind all others */
  move_all(k);
  p->size = k->end;
  p->packed = true;
  return AD_OK;
}

ad_status ad_pack(ad_program *p, ad_error *e) {
  packing k = {.p = p};
  const size_t most = (size_t)list_places(p, NULL) + 1;
  if (most == 1 || p->block_count >= STAYS - 1) return AD_OK;
  k.place = ad_calloc(most, sizeof *k.place);
  k.before = ad_calloc(most + 1, sizeof *k.before);
  k.dying = ad_calloc(p->block_count, sizeof *k.dying);
  ad_status s = k.place && k.before && k.dying ? pack(&k, e) : ad_fail_memory(e);
  ad_free(k.place);
  ad_free(k.before);
  ad_free(k.dying);
  ad_free(k.hole);
  return s;
}
