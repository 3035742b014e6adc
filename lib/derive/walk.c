#include "derive/walk.h"

#include "error.h"
#include "mem.h"

static ad_status walk_runs(const ad_program *p, const ad_block *b, unsigned active, ad_element_fn *f, void *context,
                           ad_error *e) {
  const ad_step *s = &p->step[b->step];
  ad_odometer o = {.rank = s->u.loop.rank};
  int64_t position[3] = {0, 0, 0};
  if (!s->size) return AD_OK;
  uint32_t out = b->out, arg[3] = {0, 0, 0};
  do {
    for (uint32_t k = 0; k < s->operand_count; k++) arg[k] = p->operand[s->operand + k].offset + (uint32_t)position[k];
    ad_status status = f(context, b->op, active, out++, arg, e);
    if (status) return status;
  } while (ad_odometer_next(&o, s->u.loop.dim, 3, position, s->u.loop.stride));
  return AD_OK;
}

ad_status ad_walk_elements(const ad_program *p, const ad_block *b, bool backwards, ad_element_fn *f, void *context,
                           ad_error *e) {
  if (b->kind == AD_BLOCK_RUNS) {
    const unsigned active = b->active & ad_op_depends(b->op);
    return active ? walk_runs(p, b, active, f, context, e) : AD_OK;
  }
  for (uint32_t i = 0; i < b->count; i++) {
    const ad_scalar s = ad_block_scalar(p, b, backwards ? b->count - 1 - i : i);
    const unsigned active = s.active & ad_op_depends(s.op);
    if (!active) continue;
    ad_status status = f(context, s.op, active, s.out, s.arg, e);
    if (status) return status;
  }
  return AD_OK;
}

static ad_status add(ad_edges *x, size_t to, size_t from, ad_error *e) {
  if (!ad_reserve(&x->edge, &x->capacity, x->count + 1, sizeof *x->edge)) return ad_fail_memory(e);
  x->edge[x->count++] = (ad_edge){(uint32_t)to, (uint32_t)from};
  return AD_OK;
}

static ad_status walk_moves(ad_edges *x, const ad_program *p, const ad_block *b, const ad_step *s, ad_error *e) {
  const ad_operand *all = &p->operand[s->operand];
  for (uint32_t k = 0, i = 0; s->u.moves.joined && k < s->operand_count; i += all[k++].size)
    for (uint32_t j = 0; all[k].active && j < all[k].size; j++)
      if (add(x, b->out + (size_t)i + j, all[k].offset + (size_t)j, e)) return AD_ENOMEM;
  for (size_t i = 0; i < s->u.moves.count; i++) {
    const ad_move *m = &p->move[s->u.moves.first + i];
    const ad_operand *arg = &p->operand[s->operand + m->arg];
    int64_t position[2] = {m->out0, m->in0}, stride[2][AD_MAX_RANK], size = 1;
    for (int d = 0; d < m->rank; d++) size *= m->dim[d], stride[0][d] = m->out[d], stride[1][d] = m->in[d];
    if (!arg->active || !size) continue;
    ad_odometer o = {.rank = m->rank};
    do {
      if (add(x, (size_t)(b->out + position[0]), (size_t)(arg->offset + position[1]), e)) return AD_ENOMEM;
    } while (ad_odometer_next(&o, m->dim, 2, position, (const int64_t(*)[AD_MAX_RANK])stride));
  }
  return AD_OK;
}

/* Row `r` of the table's side and the element of the other side that meet. */
static ad_status walk_table(ad_edges *x, const ad_program *p, const ad_block *b, const ad_step *s, ad_error *e) {
  const ad_operand *arg = &p->operand[s->operand];
  const bool gather = s->kernel == AD_KERNEL_GATHER;
  for (uint32_t i = 0; !gather && arg->active && i < s->size; i++)
    if (add(x, b->out + (size_t)i, arg->offset + (size_t)i, e)) return AD_ENOMEM;
  const ad_operand *other = gather ? arg : arg + 1;
  if (!other->active) return AD_OK;
  for (int64_t o = 0, i = 0; o < s->u.table.outer; o++)
    for (int64_t c = 0; c < s->u.table.count; c++) {
      int64_t row = s->u.table.index[c];
      if (row < 0) row += s->u.table.length;
      row = (o * s->u.table.length + row) * s->u.table.inner;
      for (int64_t k = 0; k < s->u.table.inner; k++, i++, row++)
        if (add(x, (size_t)(b->out + (gather ? i : row)), (size_t)(other->offset + (gather ? row : i)), e))
          return AD_ENOMEM;
    }
  return AD_OK;
}

/* Rows of x and columns of y stand between: result (i, j) depends on all of row i and column j. */
static ad_status walk_product(ad_edges *x, const ad_program *p, const ad_block *b, const ad_step *s, ad_error *e) {
  const size_t m = s->u.product.m, k = s->u.product.k, n = s->u.product.n, row = (size_t)p->size + 1, column = row + m;
  const ad_operand *arg = &p->operand[s->operand];
  const size_t batches = s->u.product.batch;
  if ((uint64_t)p->size + 1 + (uint64_t)batches * (m + n) >= AD_ABSENT)
    return ad_fail(e, AD_ELIMIT, "the sparsity structure is too large");
  for (size_t c = 0; c < batches; c++) {
    const size_t ax = arg[0].offset + p->table[s->u.product.x + c], ay = arg[1].offset + p->table[s->u.product.y + c];
    const size_t skip = c * (m + n);
    for (size_t i = 0; arg[0].active && i < m; i++)
      for (size_t l = 0; l < k; l++)
        if (add(x, skip + row + i, ax + i * k + l, e)) return AD_ENOMEM;
    for (size_t j = 0; arg[1].active && j < n; j++)
      for (size_t l = 0; l < k; l++)
        if (add(x, skip + column + j, ay + l * n + j, e)) return AD_ENOMEM;
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++) {
        const size_t z = b->out + (c * m + i) * n + j;
        if (arg[0].active && add(x, z, skip + row + i, e)) return AD_ENOMEM;
        if (arg[1].active && add(x, z, skip + column + j, e)) return AD_ENOMEM;
      }
  }
  x->temporaries = (uint32_t)(batches * (m + n));
  return AD_OK;
}

static ad_status walk_lines(ad_edges *x, const ad_program *p, const ad_block *b, const ad_step *s, ad_error *e) {
  const uint32_t *within = p->table + s->u.lines.within;
  const size_t in = p->operand[s->operand].offset, lines = s->u.lines.lines, temporary = (size_t)p->size + 1;
  for (size_t o = 0; o < lines; o++) {
    const size_t at = p->table[s->u.lines.line + o];
    const bool reduce = s->kernel == AD_KERNEL_REDUCE, running = b->op == AD_OP_CUMSUM;
    for (size_t r = 0; r < s->u.lines.length; r++) {
      const size_t to = reduce ? b->out + o : running ? b->out + at + within[r] : temporary + o;
      if (running && r && add(x, to, b->out + at + within[r - 1], e)) return AD_ENOMEM;
      if (add(x, to, in + at + within[r], e)) return AD_ENOMEM;
    }
    for (size_t r = 0; !reduce && !running && r < s->u.lines.length; r++)
      if (add(x, b->out + at + within[r], temporary + o, e)) return AD_ENOMEM;
  }
  x->temporaries = (uint32_t)lines;
  return AD_OK;
}

ad_status ad_walk_kernel(ad_edges *x, const ad_program *p, const ad_block *b, ad_error *e) {
  const ad_step *s = &p->step[b->step];
  x->count = 0;
  x->temporaries = 0;
  switch (s->kernel) {
    case AD_KERNEL_MOVE:
      return walk_moves(x, p, b, s, e);
    case AD_KERNEL_GATHER:
    case AD_KERNEL_SCATTER_ADD:
      return walk_table(x, p, b, s, e);
    case AD_KERNEL_MATMUL:
      return walk_product(x, p, b, s, e);
    case AD_KERNEL_REDUCE:
    case AD_KERNEL_ALONG:
      return walk_lines(x, p, b, s, e);
    case AD_KERNEL_ELEMENT:
    case AD_KERNEL_NONE:
      break;
  }
  return AD_OK;
}
