/* Fusion: elementwise operations on tensors of one size that stand one after the other become one block, which runs
 * strip by strip, so that what they hand on to each other stays in the cache; values that nobody else reads have no
 * place of their own, and the reverse sweep computes them once more. */
#include "exec/fuse.h"

#include <string.h>

#include "error.h"
#include "mem.h"

/* Tensors of fewer elements stay in the cache anyhow. */
enum { FEWEST_ELEMENTS = 16 * AD_STRIP };

typedef struct fusion {
  uint32_t *group;  /* of each node: the group of consecutive operations that it is in, from 1; 0: none */
  uint8_t *outside; /* of each node: somebody outside its group reads it */
  size_t gone;      /* places that were given up: their offsets, ascending, and their sizes */
  uint32_t *at, *size;
  uint8_t *wanted; /* room for one a member */
} fusion;

/* The elements of an operation that can be fused; 0: it can't. */
static uint32_t fusible(const ad_program *p, const ad_block *b) {
  if (b->kind != AD_BLOCK_RUNS) return 0;
  const ad_step *s = &p->step[b->step];
  if (s->size < FEWEST_ELEMENTS || s->u.loop.rank != 1) return 0;
  for (uint32_t k = 0; k < s->operand_count; k++)
    if (s->u.loop.stride[k][0] != 0 && s->u.loop.stride[k][0] != 1) return 0;
  return s->size;
}

/* How many blocks from number i on make one group. */
static size_t group_from(const ad_program *p, size_t i) {
  const uint32_t size = fusible(p, &p->block[i]);
  size_t n = 1;
  while (size && i + n < p->block_count && fusible(p, &p->block[i + n]) == size) n++;
  return n;
}

/* Numbers the groups; returns how many operations are in them. */
static size_t find_groups(const ad_program *p, fusion *f) {
  size_t members = 0;
  uint32_t group = 0;
  for (size_t i = 0, n; i < p->block_count; i += n) {
    n = group_from(p, i);
    if (n < 2) continue;
    group++;
    members += n;
    for (size_t k = 0; f && k < n; k++) f->group[p->step[p->block[i + k].step].node] = group;
  }
  return members;
}

static void find_readers(const ad_program *p, fusion *f) {
  const ad_graph *g = p->graph;
  for (size_t n = 0; n < ad_graph_node_count(g); n++) {
    if (p->offset[n] == AD_ABSENT) continue;
    const ad_node *args;
    const size_t count = ad_graph_node_args(g, (ad_node)n, &args);
    for (size_t k = 0; k < count; k++)
      if (f->group[args[k]] != f->group[n]) f->outside[args[k]] = 1;
  }
  for (size_t i = 0; i < p->output_count; i++) f->outside[p->output[i]] = 1;
}

/* ---- Offsets once places are given up */

static uint32_t moved(const fusion *f, uint32_t offset, const uint32_t *before) {
  size_t low = 0, high = f->gone; /* the number of places given up in front of the offset */
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (f->at[middle] < offset)
      low = middle + 1;
    else
      high = middle;
  }
  return offset - before[low];
}

/* Moves everything together; `before` has the sizes given up in front of each. */
static void close_gaps(ad_program *p, const fusion *f, const uint32_t *before) {
  for (size_t n = 0; n < ad_graph_node_count(p->graph); n++)
    if (p->offset[n] != AD_ABSENT) p->offset[n] = moved(f, p->offset[n], before);
  for (size_t i = 0; i < p->arg_count; i++)
    if (p->arg[i] != AD_ABSENT) p->arg[i] = moved(f, p->arg[i], before);
  for (size_t i = 0; i < p->operand_count; i++) p->operand[i].offset = moved(f, p->operand[i].offset, before);
  for (size_t i = 0; i < p->block_count; i++) p->block[i].out = moved(f, p->block[i].out, before);
  p->size -= before[f->gone];
}

static ad_status close_all_gaps(ad_program *p, const fusion *f, ad_error *e) {
  uint32_t *before = ad_calloc(f->gone + 1, sizeof *before);
  if (!before) return ad_fail_memory(e);
  for (size_t i = 0; i < f->gone; i++) before[i + 1] = before[i] + f->size[i];
  close_gaps(p, f, before);
  ad_free(before);
  return AD_OK;
}

/* ---- Blocks */

/* The operation as a member of its group; values inside the group are in strips of their own, from the end of the
 * others' places on. */
static ad_fused member_of(const ad_program *p, const fusion *f, const ad_block *b, const uint32_t *strip) {
  const ad_step *s = &p->step[b->step];
  const ad_node *args;
  ad_graph_node_args(p->graph, s->node, &args);
  ad_fused m = {.node = s->node, .op = b->op, .nargs = b->nargs, .active = b->active};
  for (uint32_t k = 0; k < s->operand_count; k++) {
    const bool inside = f->group[args[k]] == f->group[s->node] && !f->outside[args[k]];
    m.access[k] = inside ? AD_ACCESS_STRIP : s->u.loop.stride[k][0] ? AD_ACCESS_RUN : AD_ACCESS_ONE;
    m.arg[k] = inside ? strip[args[k]] : p->operand[s->operand + k].offset;
  }
  m.inside = !f->outside[s->node];
  m.out = m.inside ? strip[s->node] : b->out;
  return m;
}

/* Whether different strips add to different adjoints: no argument of interest is the same for all, and where two
 * overlap they are the same. */
static bool are_apart(const ad_fused *f, uint32_t count, uint32_t size) {
  enum { MOST = 64 };
  uint32_t at[MOST], n = 0;
  for (uint32_t j = 0; j < count; j++)
    for (unsigned k = 0; k < f[j].nargs; k++) {
      if (!(f[j].active >> k & 1) || f[j].access[k] == AD_ACCESS_STRIP) continue;
      if (f[j].access[k] == AD_ACCESS_ONE || n == MOST) return false;
      for (uint32_t i = 0; i < n; i++)
        if (at[i] != f[j].arg[k] && at[i] < f[j].arg[k] + (uint64_t)size && f[j].arg[k] < at[i] + (uint64_t)size)
          return false;
      at[n++] = f[j].arg[k];
    }
  return true;
}

/* The way back computes once more what keeps partials, and those values in strips that are read then.  wanted: of each
 * strip from `base` on, none yet. */
static void find_again(ad_fused *f, uint32_t count, uint32_t base, uint8_t *wanted) {
  for (uint32_t j = count; j-- > 0;) {
    const unsigned reads = ad_scalar_reads_back((ad_op)f[j].op, f[j].active);
    f[j].again = ad_scalar_keeps((ad_op)f[j].op, f[j].active) || (f[j].inside && (reads & 1u));
    if (f[j].inside && wanted[(f[j].out - base) / AD_STRIP]) f[j].again = true;
    for (unsigned k = 0; k < f[j].nargs; k++)
      if (f[j].access[k] == AD_ACCESS_STRIP && (f[j].again || reads >> (k + 1) & 1))
        wanted[(f[j].arg[k] - base) / AD_STRIP] = 1;
  }
}

/* Makes the groups' blocks one each.  strip: room for a number a node. */
static void fuse_blocks(ad_program *p, const fusion *f, uint32_t *strip) {
  size_t kept = 0;
  for (size_t i = 0, n; i < p->block_count; i += n) {
    n = group_from(p, i);
    if (n < 2) {
      p->block[kept++] = p->block[i];
      continue;
    }
    ad_block fused = {
        .kind = AD_BLOCK_FUSED, .count = (uint32_t)n, .step = p->step[p->block[i].step].size, .first = p->fused_count};
    uint32_t room = 0, partials = 0;
    for (size_t k = 0; k < n; k++) {
      const ad_block *b = &p->block[i + k];
      const ad_node node = p->step[b->step].node;
      if (!f->outside[node]) strip[node] = p->size + room, room += AD_STRIP;
      p->fused[p->fused_count++] = member_of(p, f, b, strip);
      p->step[b->step].fused = true;
      partials += (uint32_t)ad_scalar_keeps(b->op, b->active) * AD_STRIP;
      fused.active |= b->active != 0;
    }
    if (room > p->strips) p->strips = room;
    if (partials > p->kept_fused) p->kept_fused = partials;
    memset(f->wanted, 0, n);
    find_again(p->fused + fused.first, fused.count, p->size, f->wanted);
    fused.apart = are_apart(p->fused + fused.first, fused.count, fused.step);
    p->block[kept++] = fused;
  }
  p->block_count = kept;
}

static ad_status fuse(ad_program *p, fusion *f, uint32_t *strip, ad_error *e) {
  find_groups(p, f);
  find_readers(p, f);
  for (size_t i = 0; i < p->block_count; i++) {
    const ad_block *b = &p->block[i];
    if (b->kind != AD_BLOCK_RUNS) continue;
    const ad_step *s = &p->step[b->step];
    if (!f->group[s->node] || f->outside[s->node]) continue;
    f->at[f->gone] = b->out;
    f->size[f->gone++] = s->size;
    p->offset[s->node] = AD_ABSENT;
  }
  ad_status s = close_all_gaps(p, f, e);
  if (s) return s;
  fuse_blocks(p, f, strip);
  const uint64_t size = (uint64_t)p->size + p->strips;
  if (size >= AD_ABSENT - 1) return ad_fail(e, AD_ELIMIT, "the graph's values have %u elements or more", AD_ABSENT - 1);
  p->size = (uint32_t)size;
  return AD_OK;
}

ad_status ad_fuse(ad_program *p, ad_error *e) {
  const size_t members = find_groups(p, NULL), nodes = ad_graph_node_count(p->graph);
  if (!members) return AD_OK;
  fusion f = {.group = ad_calloc(nodes, sizeof *f.group),
              .outside = ad_calloc(nodes, 1),
              .at = ad_calloc(members, sizeof *f.at),
              .size = ad_calloc(members, sizeof *f.size),
              .wanted = ad_calloc(members, 1)};
  uint32_t *strip = ad_calloc(nodes, sizeof *strip);
  p->fused = ad_calloc(members, sizeof *p->fused);
  ad_status s = AD_OK;
  if (!f.group || !f.outside || !f.at || !f.size || !f.wanted || !strip || !p->fused) s = ad_fail_memory(e);
  if (!s) s = fuse(p, &f, strip, e);
  ad_free(f.group);
  ad_free(f.outside);
  ad_free(f.at);
  ad_free(f.size);
  ad_free(f.wanted);
  ad_free(strip);
  return s;
}
