#include "exec/first.h"

#include "mem.h"

void ad_first_free(ad_first *f) {
  if (!f) return;
  ad_free(f->flags);
  ad_free(f->met);
  ad_free(f->zero);
  ad_free(f);
}

enum { SEEN = 64 }; /* of the flags */

/* A tensor that many operations read is gone through once. */
static void meet(ad_first *f, uint32_t first, uint32_t count) {
  if (!count || count <= f->met[first]) return;
  f->met[first] = count;
  for (uint32_t i = first; i < first + count; i++)
    f->flags[i] |= f->flags[i] & SEEN ? AD_FIRST_OTHERS : SEEN | AD_FIRST_OTHERS | AD_FIRST_ZERO;
}

static void meet_scalars(ad_first *f, const ad_program *p, const ad_block *b) {
  for (uint32_t j = b->count; j-- > 0;) {
    const ad_scalar s = ad_block_scalar(p, b, j);
    for (unsigned k = 0; k < s.nargs; k++) {
      if (!(s.active >> k & 1) || f->flags[s.arg[k]] & SEEN) continue;
      f->flags[s.arg[k]] |= SEEN;
      f->flags[s.out] |= (uint8_t)(1u << k);
    }
  }
}

static void meet_tensors(ad_first *f, const ad_program *p, const ad_block *b) {
  if (b->kind == AD_BLOCK_FUSED) {
    for (uint32_t j = b->count; j-- > 0;) {
      const ad_fused *m = &p->fused[b->first + j];
      for (unsigned k = 0; k < m->nargs; k++)
        meet(f, m->arg[k], m->access[k] == AD_ACCESS_RUN ? b->step : m->access[k] == AD_ACCESS_STRIP ? AD_STRIP : 1);
    }
    return;
  }
  const ad_step *s = &p->step[b->step];
  for (uint32_t k = 0; k < s->operand_count; k++)
    meet(f, p->operand[s->operand + k].offset, p->operand[s->operand + k].size);
}

static bool list_zeros(ad_first *f, uint32_t size) {
  for (uint32_t i = 0, n; i < size; i += n) {
    for (n = 0; i + n < size && (f->flags[i + n] & AD_FIRST_ZERO);) n++;
    if (!n) {
      n = 1;
      continue;
    }
    if (!ad_reserve(&f->zero, &f->zero_capacity, f->zero_count + 1, sizeof *f->zero)) return false;
    f->zero[f->zero_count++] = (ad_first_range){i, n};
  }
  return true;
}

ad_first *ad_first_new(const ad_program *p) {
  ad_first *f = ad_calloc(1, sizeof *f);
  if (!f || !(f->flags = ad_calloc((size_t)p->size + 1, 1)) ||
      !(f->met = ad_calloc((size_t)p->size + 1, sizeof *f->met))) {
    ad_first_free(f);
    return NULL;
  }
  for (size_t i = 0; i < p->output_count; i++)
    meet(f, p->offset[p->output[i]], (uint32_t)ad_shape_size(ad_graph_node_shape(p->graph, p->output[i])));
  for (size_t i = p->block_count; i-- > 0;) {
    const ad_block *b = &p->block[i];
    if (b->kind == AD_BLOCK_MIXED || b->kind == AD_BLOCK_SAME)
      meet_scalars(f, p, b);
    else
      meet_tensors(f, p, b);
  }
  for (uint32_t i = 0; i < p->size; i++)
    if (!(f->flags[i] & SEEN)) f->flags[i] |= AD_FIRST_ZERO;
  ad_free(f->met);
  f->met = NULL;
  if (list_zeros(f, p->size)) return f;
  ad_first_free(f);
  return NULL;
}
