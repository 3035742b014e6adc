/* Structures of Jacobians and Hessians: sets of inputs that each element depends on, handed forwards through the
 * program; for a Hessian also the pairs that meet in a nonlinear operation which an output depends on. */
#include "derive/sparsity.h"

#include <string.h>

#include "derive/colour.h"
#include "derive/sets.h"
#include "derive/walk.h"
#include "error.h"
#include "mem.h"

typedef struct structure {
  const ad_program *p;
  ad_program *own; /* p lowered with a place for each element; NULL: p has that */
  ad_sets sets;
  uint32_t *set; /* of each element, and of the temporaries of one block */
  size_t set_capacity;
  ad_edges edges;
  /* of a Hessian */
  uint8_t *live; /* of each element and temporary: an output depends on it */
  size_t live_capacity;
  uint32_t *row; /* the set of each row */
  size_t slots, pairs;
  uint64_t *pair; /* hash of pairs of sets that have met */
} structure;

void ad_sparsity_clear(ad_sparsity *s) {
  ad_free(s->start);
  ad_free(s->column);
  *s = (ad_sparsity){0};
}

static void structure_close(structure *s) {
  ad_program_free(s->own);
  ad_sets_close(&s->sets);
  ad_free(s->set);
  ad_free(s->edges.edge);
  ad_free(s->live);
  ad_free(s->row);
  ad_free(s->pair);
}

/* In a fused block, and in a packed program, elements share places. */
static ad_status structure_open(structure *s, const ad_program *p, ad_error *e) {
  *s = (structure){.p = p};
  ad_status status = AD_OK;
  if (p->fused_count || p->packed) {
    const ad_program_options o = {.output_count = p->output_count,
                                  .outputs = p->output,
                                  .wrt_count = p->wrt_count,
                                  .wrt = p->wrt,
                                  .values_only = !p->wrt_count,
                                  .keep_all = true};
    status = ad_program_new(&s->own, p->graph, &o, e);
    s->p = s->own;
  }
  const uint64_t columns = ad_program_wrt_size(p), rows = ad_program_output_size(p);
  if (!status && (columns >= UINT32_MAX || rows >= UINT32_MAX))
    status = ad_fail(e, AD_ELIMIT, "the sparsity structure is too large");
  if (!status) status = ad_sets_open(&s->sets, (uint32_t)columns, s->p->size, ad_graph_limits(p->graph)->max_bytes, e);
  if (!status) status = ad_sets_reserve(&s->sets, &s->set, &s->set_capacity, (size_t)s->p->size + 1, sizeof *s->set, e);
  if (status) {
    structure_close(s);
    return status;
  }
  memset(s->set, 0, ((size_t)s->p->size + 1) * sizeof *s->set);
  uint32_t column = 0;
  for (size_t i = 0; i < s->p->wrt_count; i++) {
    const size_t n = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, s->p->wrt[i]));
    for (size_t k = 0; k < n; k++) s->set[s->p->offset[s->p->wrt[i]] + k] = ++column;
  }
  return AD_OK;
}

static ad_status element_set(void *context, unsigned op, unsigned active, uint32_t out, const uint32_t *arg,
                             ad_error *e) {
  structure *s = context;
  (void)op;
  uint32_t z = 0;
  for (unsigned k = 0; active >> k; k++)
    if (active >> k & 1) {
      ad_status status = ad_sets_unite(&s->sets, &z, z, s->set[arg[k]], e);
      if (status) return status;
    }
  s->set[out] = z;
  return AD_OK;
}

/* The edges of a block, and temporaries that are empty. */
static ad_status open_kernel(structure *s, const ad_block *b, ad_error *e) {
  ad_status status = ad_walk_kernel(&s->edges, s->p, b, e);
  const size_t end = (size_t)s->p->size + 1, need = end + s->edges.temporaries;
  if (!status) status = ad_sets_reserve(&s->sets, &s->set, &s->set_capacity, need, sizeof *s->set, e);
  if (!status && s->live) status = ad_sets_reserve(&s->sets, &s->live, &s->live_capacity, need, sizeof *s->live, e);
  if (status) return status;
  memset(s->set + end, 0, s->edges.temporaries * sizeof *s->set);
  if (s->live) memset(s->live + end, 0, s->edges.temporaries * sizeof *s->live);
  return AD_OK;
}

static ad_status unite_edges(structure *s, ad_error *e) {
  for (size_t i = 0; i < s->edges.count; i++) {
    const ad_edge x = s->edges.edge[i];
    ad_status status = ad_sets_unite(&s->sets, &s->set[x.to], s->set[x.to], s->set[x.from], e);
    if (status) return status;
  }
  return AD_OK;
}

static ad_status propagate(structure *s, ad_error *e) {
  ad_status status = AD_OK;
  for (size_t i = 0; !status && i < s->p->block_count; i++) {
    const ad_block *b = &s->p->block[i];
    if (b->kind != AD_BLOCK_KERNEL) {
      status = ad_walk_elements(s->p, b, false, element_set, s, e);
      continue;
    }
    if (!b->active) continue;
    status = open_kernel(s, b, e);
    if (!status) status = unite_edges(s, e);
  }
  return status;
}

/* ---- Rows of sets as a structure */

typedef struct rows {
  ad_sparsity s;
  size_t capacity;
} rows;

/* Refuses rows that are too many for memory before any of them is written out. */
static ad_status expect_entries(const ad_sets *sets, double entries, double entry_bytes, ad_error *e) {
  if (entries * (entry_bytes + sizeof(uint32_t)) <= (double)sets->limit) return AD_OK;
  return ad_fail(e, AD_ELIMIT,
                 "%.2g entries that can be other than zero are too many for the limit of %llu MiB (--max-memory)",
                 entries, (unsigned long long)(sets->limit >> 20));
}

/* Adds a row; columns below `first` are left out. */
static ad_status add_row(rows *r, ad_sets *sets, uint32_t set, ad_error *e) {
  const uint32_t *member;
  size_t n, before = r->s.start[r->s.rows];
  ad_status status = ad_sets_members(sets, set, &member, &n, e);
  if (!status) status = ad_sets_reserve(sets, &r->s.column, &r->capacity, before + n, sizeof *member, e);
  if (status) return status;
  if (n) memcpy(r->s.column + before, member, n * sizeof *member);
  r->s.start[++r->s.rows] = before + n;
  return AD_OK;
}

static ad_status finish_rows(rows *r, ad_status status, ad_sparsity *out, ad_error *e) {
  if (!status && !r->s.column && !(r->s.column = ad_malloc(1, sizeof *r->s.column))) status = ad_fail_memory(e);
  if (status)
    ad_sparsity_clear(&r->s);
  else
    *out = r->s;
  return status;
}

ad_status ad_sparsity_jacobian_for(ad_sparsity *out, const ad_program *p, double entry_bytes, ad_error *e) {
  structure s;
  ad_status status = structure_open(&s, p, e);
  if (status) return status;
  rows r = {.s = {.columns = (size_t)ad_program_wrt_size(p)}};
  status = propagate(&s, e);
  if (!status && !(r.s.start = ad_calloc((size_t)ad_program_output_size(p) + 1, sizeof *r.s.start)))
    status = ad_fail_memory(e);
  double entries = 0;
  for (size_t i = 0; !status && i < s.p->output_count; i++) {
    const ad_node n = s.p->output[i];
    const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, n));
    for (size_t k = 0; k < size; k++) entries += (double)ad_sets_least(&s.sets, s.set[s.p->offset[n] + k]);
  }
  if (!status) status = expect_entries(&s.sets, entries, entry_bytes, e);
  for (size_t i = 0; !status && i < s.p->output_count; i++) {
    const ad_node n = s.p->output[i];
    const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, n));
    for (size_t k = 0; !status && k < size; k++) status = add_row(&r, &s.sets, s.set[s.p->offset[n] + k], e);
  }
  structure_close(&s);
  return finish_rows(&r, status, out, e);
}

/* ---- Hessians */

static ad_status element_live(void *context, unsigned op, unsigned active, uint32_t out, const uint32_t *arg,
                              ad_error *e) {
  structure *s = context;
  (void)op, (void)e;
  for (unsigned k = 0; s->live[out] && active >> k; k++)
    if (active >> k & 1) s->live[arg[k]] = 1;
  return AD_OK;
}

/* Whether two sets have met before; remembers that they have. */
static ad_status met(structure *s, uint32_t x, uint32_t y, bool *before, ad_error *e) {
  if (2 * (s->pairs + 1) > s->slots) {
    const size_t slots = s->slots ? 2 * s->slots : 1024;
    uint64_t *next = NULL;
    size_t none = 0;
    ad_status status = ad_sets_reserve(&s->sets, &next, &none, slots, sizeof *next, e);
    if (status) return status;
    memset(next, 0, slots * sizeof *next);
    for (size_t i = 0; i < s->slots; i++) {
      if (!s->pair[i]) continue;
      size_t at = (size_t)((s->pair[i] * 0x9E3779B97F4A7C15u) >> 20) & (slots - 1);
      while (next[at]) at = (at + 1) & (slots - 1);
      next[at] = s->pair[i];
    }
    ad_free(s->pair);
    s->pair = next;
    s->slots = slots;
  }
  const uint64_t key = x < y ? (uint64_t)x << 32 | y : (uint64_t)y << 32 | x;
  size_t at = (size_t)((key * 0x9E3779B97F4A7C15u) >> 20) & (s->slots - 1);
  while (s->pair[at] && s->pair[at] != key) at = (at + 1) & (s->slots - 1);
  *before = s->pair[at] == key;
  if (!*before) s->pair[at] = key, s->pairs++;
  return AD_OK;
}

/* All of y joins the rows of all of x.  The structure has as many entries as the two have pairs, at least. */
static ad_status join(structure *s, uint32_t x, uint32_t y, ad_error *e) {
  const uint32_t *found;
  size_t n, capacity = 0;
  const size_t other = ad_sets_least(&s->sets, y);
  ad_status status = ad_sets_members(&s->sets, x, &found, &n, e);
  if (!status && other && n > s->sets.limit / sizeof *found / other)
    status = ad_fail(e, AD_ELIMIT,
                     "the sparsity structure has more entries than the limit of %llu MiB (--max-memory) lets in",
                     (unsigned long long)(s->sets.limit >> 20));
  uint32_t *member = NULL; /* what was found goes with the next call */
  if (!status) status = ad_sets_reserve(&s->sets, &member, &capacity, n, sizeof *member, e);
  if (!status && n) memcpy(member, found, n * sizeof *member);
  for (size_t i = 0; !status && i < n; i++)
    status = ad_sets_unite(&s->sets, &s->row[member[i]], s->row[member[i]], y, e);
  ad_free(member);
  s->sets.bytes -= capacity * sizeof *member;
  return status;
}

/* A second derivative by something in x and something in y.  The rows of the one that has fewer members say so; those
 * of the other follow by symmetry, in the end. */
static ad_status interact(structure *s, uint32_t x, uint32_t y, ad_error *e) {
  bool before = true;
  if (!x || !y) return AD_OK;
  ad_status status = met(s, x, y, &before, e);
  if (status || before) return status;
  const bool swap = ad_sets_most(&s->sets, x) > ad_sets_most(&s->sets, y);
  return join(s, swap ? y : x, swap ? x : y, e);
}

static ad_status element_curves(void *context, unsigned op, unsigned active, uint32_t out, const uint32_t *arg,
                                ad_error *e) {
  structure *s = context;
  const unsigned curvature = s->live[out] ? ad_op_curvature((ad_op)op) : 0;
  ad_status status = AD_OK;
  for (unsigned i = 0; !status && curvature && i < 3; i++)
    for (unsigned k = i; !status && k < 3; k++)
      if ((curvature & AD_SECOND(i, k)) && (active >> i & 1) && (active >> k & 1))
        status = interact(s, s->set[arg[i]], s->set[arg[k]], e);
  return status;
}

/* x (i, l) meets the elements y (l, j) of those j for which result (i, j) matters. */
static ad_status product_curves(structure *s, const ad_block *b, ad_error *e) {
  const ad_program *p = s->p;
  const ad_step *t = &p->step[b->step];
  const ad_operand *arg = &p->operand[t->operand];
  const size_t m = t->u.product.m, k = t->u.product.k, n = t->u.product.n;
  ad_status status = AD_OK;
  if (!arg[0].active || !arg[1].active) return AD_OK;
  for (size_t c = 0; c < t->u.product.batch; c++) {
    const uint32_t *x = s->set + arg[0].offset + p->table[t->u.product.x + c];
    const uint32_t *y = s->set + arg[1].offset + p->table[t->u.product.y + c];
    for (size_t i = 0; i < m; i++) {
      const uint8_t *live = s->live + b->out + (c * m + i) * n;
      for (size_t l = 0; !status && l < k; l++) {
        uint32_t met_here = 0;
        for (size_t j = 0; !status && x[i * k + l] && j < n; j++)
          if (live[j]) status = ad_sets_unite(&s->sets, &met_here, met_here, y[l * n + j], e);
        if (!status) status = interact(s, x[i * k + l], met_here, e);
      }
    }
  }
  return status;
}

static ad_status lines_curve(structure *s, const ad_block *b, ad_error *e) {
  const ad_program *p = s->p;
  const ad_step *t = &p->step[b->step];
  const uint32_t *within = p->table + t->u.lines.within, *x = s->set + p->operand[t->operand].offset;
  ad_status status = AD_OK;
  for (size_t o = 0; !status && o < t->u.lines.lines; o++) {
    const size_t at = p->table[t->u.lines.line + o];
    bool live = false;
    for (size_t r = 0; r < t->u.lines.length; r++)
      live = live || s->live[b->out + (t->kernel == AD_KERNEL_REDUCE ? o : at + within[r])];
    uint32_t all = 0;
    for (size_t r = 0; !status && live && r < t->u.lines.length; r++) {
      const uint32_t next = x[at + within[r]];
      if (b->op == AD_OP_PROD) status = interact(s, all, next, e); /* linear in each factor */
      if (!status) status = ad_sets_unite(&s->sets, &all, all, next, e);
    }
    if (!status && live && b->op != AD_OP_PROD) status = interact(s, all, all, e);
  }
  return status;
}

static ad_status kernel_curves(structure *s, const ad_block *b, ad_error *e) {
  if (s->p->step[b->step].kernel == AD_KERNEL_MATMUL) return product_curves(s, b, e);
  if (b->op == AD_OP_PROD || b->op == AD_OP_LOGSUMEXP || b->op == AD_OP_SOFTMAX) return lines_curve(s, b, e);
  return AD_OK;
}

static ad_status mark_live(structure *s, ad_error *e) {
  const ad_program *p = s->p;
  ad_status status = ad_sets_reserve(&s->sets, &s->live, &s->live_capacity, (size_t)p->size + 1, sizeof *s->live, e);
  if (status) return status;
  memset(s->live, 0, (size_t)p->size + 1);
  for (size_t i = 0; i < p->output_count; i++)
    memset(s->live + p->offset[p->output[i]], 1, (size_t)ad_shape_size(ad_graph_node_shape(p->graph, p->output[i])));
  for (size_t i = p->block_count; !status && i-- > 0;) {
    const ad_block *b = &p->block[i];
    if (b->kind != AD_BLOCK_KERNEL) {
      status = ad_walk_elements(p, b, true, element_live, s, e);
      continue;
    }
    if (!b->active) continue;
    status = open_kernel(s, b, e);
    for (size_t k = s->edges.count; !status && k-- > 0;)
      if (s->live[s->edges.edge[k].to]) s->live[s->edges.edge[k].from] = 1;
  }
  return status;
}

/* Entry (i, j) where (i, j) or (j, i) was. */
static ad_status make_symmetric(rows *r, const ad_sets *sets, double entry_bytes, ad_error *e) {
  ad_sparsity t = {0}, both = {.rows = r->s.rows, .columns = r->s.columns};
  const ad_sparsity *s = &r->s;
  ad_status status = ad_sparsity_transpose(&t, s, e);
  if (!status && !(both.start = ad_calloc(s->rows + 1, sizeof *both.start))) status = ad_fail_memory(e);
  for (int round = 0; !status && round < 2; round++) { /* count, then fill */
    size_t n = 0;
    for (size_t i = 0; i < s->rows; i++) {
      size_t a = s->start[i], b = t.start[i];
      while (a < s->start[i + 1] || b < t.start[i + 1]) {
        const uint32_t x = a < s->start[i + 1] ? s->column[a] : UINT32_MAX;
        const uint32_t y = b < t.start[i + 1] ? t.column[b] : UINT32_MAX;
        a += x <= y, b += y <= x;
        if (round) both.column[n] = x < y ? x : y;
        n++;
      }
      both.start[i + 1] = n;
    }
    if (!round) status = expect_entries(sets, (double)n, entry_bytes, e);
    if (!round && !status && !(both.column = ad_malloc(n + 1, sizeof *both.column))) status = ad_fail_memory(e);
  }
  ad_sparsity_clear(&t);
  if (status) {
    ad_sparsity_clear(&both);
    return status;
  }
  ad_sparsity_clear(&r->s);
  r->s = both;
  return AD_OK;
}

ad_status ad_sparsity_hessian_for(ad_sparsity *out, const ad_program *p, double entry_bytes, ad_error *e) {
  structure s;
  ad_status status = structure_open(&s, p, e);
  if (status) return status;
  const size_t n = (size_t)ad_program_wrt_size(p);
  size_t rows_capacity = 0;
  rows r = {.s = {.columns = n}};
  status = ad_sets_reserve(&s.sets, &s.row, &rows_capacity, n, sizeof *s.row, e);
  if (!status && n) memset(s.row, 0, n * sizeof *s.row);
  if (!status) status = propagate(&s, e);
  if (!status) status = mark_live(&s, e);
  for (size_t i = 0; !status && i < s.p->block_count; i++) {
    const ad_block *b = &s.p->block[i];
    if (b->kind != AD_BLOCK_KERNEL)
      status = ad_walk_elements(s.p, b, false, element_curves, &s, e);
    else if (b->active)
      status = kernel_curves(&s, b, e);
  }
  if (!status && !(r.s.start = ad_calloc(n + 1, sizeof *r.s.start))) status = ad_fail_memory(e);
  double entries = 0;
  for (size_t i = 0; !status && i < n; i++) entries += (double)ad_sets_least(&s.sets, s.row[i]);
  if (!status) status = expect_entries(&s.sets, entries, entry_bytes, e);
  for (size_t i = 0; !status && i < n; i++) status = add_row(&r, &s.sets, s.row[i], e);
  if (!status) status = make_symmetric(&r, &s.sets, entry_bytes, e);
  structure_close(&s);
  return finish_rows(&r, status, out, e);
}

ad_status ad_sparsity_jacobian(ad_sparsity *out, const ad_program *p, ad_error *e) {
  return ad_sparsity_jacobian_for(out, p, 0, e);
}

ad_status ad_sparsity_hessian(ad_sparsity *out, const ad_program *p, ad_error *e) {
  return ad_sparsity_hessian_for(out, p, 0, e);
}
