/* Structures of Jacobians and Hessians: sets of inputs that each element depends on, handed forwards through the
 * program; for a Hessian only of those that lead to a nonlinear operation which an output depends on, and the pairs
 * that meet there. */
#include "derive/sparsity.h"

#include <string.h>

#include "derive/colour.h"
#include "derive/sets.h"
#include "derive/walk.h"
#include "error.h"
#include "hash.h"
#include "mem.h"

/* What joins a row of a Hessian.  Small sets wait beside it, so that no set is made that only the next one needs. */
enum { WAITING = 7, SMALL = 16 };
typedef struct row {
  uint32_t set[1 + WAITING]; /* the row's own, then those that wait; 0 behind the last */
} row;

typedef struct structure {
  const ad_program *p;
  ad_program *own; /* p lowered with a place for each element; NULL: p has that */
  ad_sets sets;
  uint32_t *set; /* of each element, and of the temporaries of one block */
  size_t set_capacity;
  ad_edges edges;
  /* of a Hessian */
  uint8_t *flags; /* of each element and temporary */
  size_t flags_capacity;
  row *row;
  uint32_t *member; /* room for those of one set */
  size_t member_capacity;
  size_t slots, pairs;
  uint64_t *pair; /* hash of pairs of sets that have met */
} structure;

void ad_sparsity_clear(ad_sparsity *s) {
  if (!s) return;
  ad_free(s->start);
  ad_free(s->column);
  *s = (ad_sparsity){0};
}

static void structure_close(structure *s) {
  ad_program_free(s->own);
  ad_sets_close(&s->sets);
  ad_free(s->set);
  ad_free(s->edges.edge);
  ad_free(s->flags);
  ad_free(s->member);
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
  if (!status && s->flags) status = ad_sets_reserve(&s->sets, &s->flags, &s->flags_capacity, need, 1, e);
  if (status) return status;
  memset(s->set + end, 0, s->edges.temporaries * sizeof *s->set);
  if (s->flags) memset(s->flags + end, 0, s->edges.temporaries);
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

/* Adds a row, the union of `count` sets. */
static ad_status add_row(rows *r, ad_sets *sets, const uint32_t *set, size_t count, ad_error *e) {
  const uint32_t *member;
  size_t n, before = r->s.start[r->s.rows];
  ad_status status =
      count == 1 ? ad_sets_members(sets, *set, &member, &n, e) : ad_sets_members_of(sets, set, count, &member, &n, e);
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
    for (size_t k = 0; !status && k < size; k++) status = add_row(&r, &s.sets, &s.set[s.p->offset[n] + k], 1, e);
  }
  structure_close(&s);
  return finish_rows(&r, status, out, e);
}

/* ---- Hessians.  Of an element: an output depends on it; a nonlinear operation that is LIVE does, and wants its set.
 */

enum { LIVE = 1, WANTED = 2 };

/* The arguments that have a second derivative, among those that are active. */
static unsigned curved(unsigned op, unsigned active) {
  const unsigned curvature = ad_op_curvature((ad_op)op);
  unsigned bits = 0;
  for (unsigned i = 0; curvature && i < 3; i++)
    for (unsigned k = i; k < 3; k++)
      if ((curvature & AD_SECOND(i, k)) && (active >> i & 1) && (active >> k & 1)) bits |= 1u << i | 1u << k;
  return bits;
}

static ad_status element_flags(void *context, unsigned op, unsigned active, uint32_t out, const uint32_t *arg,
                               ad_error *e) {
  structure *s = context;
  const uint8_t flags = s->flags[out];
  (void)e;
  if (!flags) return AD_OK;
  const unsigned wanted = flags & LIVE ? curved(op, active) : 0;
  for (unsigned k = 0; active >> k; k++)
    if (active >> k & 1) s->flags[arg[k]] |= flags | (wanted >> k & 1 ? WANTED : 0);
  return AD_OK;
}

static bool kernel_curves(const structure *s, const ad_block *b) {
  const ad_step *t = &s->p->step[b->step];
  const ad_operand *arg = &s->p->operand[t->operand];
  if (t->kernel == AD_KERNEL_MATMUL) return arg[0].active && arg[1].active;
  return b->op == AD_OP_PROD || b->op == AD_OP_LOGSUMEXP || b->op == AD_OP_SOFTMAX;
}

static ad_status kernel_flags(structure *s, const ad_block *b, ad_error *e) {
  const ad_step *t = &s->p->step[b->step];
  ad_status status = open_kernel(s, b, e);
  for (size_t k = s->edges.count; !status && k-- > 0;) s->flags[s->edges.edge[k].from] |= s->flags[s->edges.edge[k].to];
  for (uint32_t k = 0; !status && kernel_curves(s, b) && k < t->operand_count; k++) {
    const ad_operand *arg = &s->p->operand[t->operand + k];
    for (uint32_t i = 0; i < arg->size; i++) s->flags[arg->offset + i] |= WANTED;
  }
  return status;
}

/* By the highest bits: a table that grows is gone through from front to back. */
static size_t pair_place(uint64_t pair, size_t slots) {
  return (size_t)((uint64_t)ad_hash_end(pair) * slots >> 32);
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
      size_t at = pair_place(s->pair[i], slots);
      while (next[at]) at = (at + 1) & (slots - 1);
      next[at] = s->pair[i];
    }
    ad_free(s->pair);
    s->pair = next;
    s->slots = slots;
  }
  const uint64_t key = x < y ? (uint64_t)x << 32 | y : (uint64_t)y << 32 | x;
  size_t at = pair_place(key, s->slots);
  while (s->pair[at] && s->pair[at] != key) at = (at + 1) & (s->slots - 1);
  *before = s->pair[at] == key;
  if (!*before) s->pair[at] = key, s->pairs++;
  return AD_OK;
}

/* All that waits joins the row's set. */
static ad_status join_waiting(structure *s, row *r, ad_error *e) {
  ad_status status = AD_OK;
  for (int k = 1; !status && k <= WAITING && r->set[k]; k++) {
    status = ad_sets_unite(&s->sets, &r->set[0], r->set[0], r->set[k], e);
    r->set[k] = 0;
  }
  return status;
}

static ad_status join_row(structure *s, row *r, uint32_t y, ad_error *e) {
  int k = 1;
  if (s->sets.in_words || ad_sets_least(&s->sets, y) > SMALL)
    return ad_sets_unite(&s->sets, &r->set[0], r->set[0], y, e);
  for (; k <= WAITING && r->set[k]; k++) {
    if (r->set[k] == y) return AD_OK;
    if (!ad_sets_came_of(&s->sets, y, r->set[k])) continue;
    r->set[k] = y;
    return AD_OK;
  }
  if (k > WAITING) {
    ad_status status = join_waiting(s, r, e);
    if (status) return status;
    k = 1;
  }
  r->set[k] = y;
  return AD_OK;
}

/* All of y joins the rows of all of x.  The structure has as many entries as the two have pairs, at least. */
static ad_status join(structure *s, uint32_t x, uint32_t y, ad_error *e) {
  const uint32_t *found;
  size_t n;
  const size_t other = ad_sets_least(&s->sets, y);
  ad_status status = ad_sets_members(&s->sets, x, &found, &n, e);
  if (!status && other && n > s->sets.limit / sizeof *found / other)
    status = ad_fail(e, AD_ELIMIT,
                     "the sparsity structure has more entries than the limit of %llu MiB (--max-memory) lets in",
                     (unsigned long long)(s->sets.limit >> 20));
  if (!status) status = ad_sets_reserve(&s->sets, &s->member, &s->member_capacity, n, sizeof *s->member, e);
  if (!status && n) memcpy(s->member, found, n * sizeof *s->member); /* what was found goes with the next call */
  for (size_t i = 0; !status && i < n; i++) status = join_row(s, &s->row[s->member[i]], y, e);
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

/* Of an element that is WANTED the set, of one that is LIVE the pairs that meet in it. */
static ad_status element_of_hessian(void *context, unsigned op, unsigned active, uint32_t out, const uint32_t *arg,
                                    ad_error *e) {
  structure *s = context;
  const unsigned curvature = s->flags[out] & LIVE ? ad_op_curvature((ad_op)op) : 0;
  ad_status status = AD_OK;
  for (unsigned i = 0; !status && curvature && i < 3; i++)
    for (unsigned k = i; !status && k < 3; k++)
      if ((curvature & AD_SECOND(i, k)) && (active >> i & 1) && (active >> k & 1))
        status = interact(s, s->set[arg[i]], s->set[arg[k]], e);
  return status || !(s->flags[out] & WANTED) ? status : element_set(s, op, active, out, arg, e);
}

/* x (i, l) meets the elements y (l, j) of those j for which result (i, j) matters. */
static ad_status product_curves(structure *s, const ad_block *b, ad_error *e) {
  const ad_program *p = s->p;
  const ad_step *t = &p->step[b->step];
  const ad_operand *arg = &p->operand[t->operand];
  const size_t m = t->u.product.m, k = t->u.product.k, n = t->u.product.n;
  ad_status status = AD_OK;
  for (size_t c = 0; c < t->u.product.batch; c++) {
    const uint32_t *x = s->set + arg[0].offset + p->table[t->u.product.x + c];
    const uint32_t *y = s->set + arg[1].offset + p->table[t->u.product.y + c];
    for (size_t i = 0; i < m; i++) {
      const uint8_t *flags = s->flags + b->out + (c * m + i) * n;
      for (size_t l = 0; !status && l < k; l++) {
        uint32_t met_here = 0;
        for (size_t j = 0; !status && x[i * k + l] && j < n; j++)
          if (flags[j] & LIVE) status = ad_sets_unite(&s->sets, &met_here, met_here, y[l * n + j], e);
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
      live = live || s->flags[b->out + (t->kernel == AD_KERNEL_REDUCE ? o : at + within[r])] & LIVE;
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

static ad_status kernel_of_hessian(structure *s, const ad_block *b, ad_error *e) {
  const ad_step *t = &s->p->step[b->step];
  ad_status status = AD_OK;
  bool wanted = false;
  if (kernel_curves(s, b)) status = (t->kernel == AD_KERNEL_MATMUL ? product_curves : lines_curve)(s, b, e);
  for (uint32_t i = 0; !wanted && i < t->size; i++) wanted = s->flags[b->out + i] & WANTED;
  if (!status && wanted) status = open_kernel(s, b, e);
  return status || !wanted ? status : unite_edges(s, e);
}

static ad_status find_flags(structure *s, ad_error *e) {
  const ad_program *p = s->p;
  ad_status status = ad_sets_reserve(&s->sets, &s->flags, &s->flags_capacity, (size_t)p->size + 1, 1, e);
  if (status) return status;
  memset(s->flags, 0, (size_t)p->size + 1);
  for (size_t i = 0; i < p->output_count; i++)
    memset(s->flags + p->offset[p->output[i]], LIVE,
           (size_t)ad_shape_size(ad_graph_node_shape(p->graph, p->output[i])));
  for (size_t i = p->block_count; !status && i-- > 0;) {
    const ad_block *b = &p->block[i];
    if (b->kind != AD_BLOCK_KERNEL)
      status = ad_walk_elements(p, b, true, element_flags, s, e);
    else if (b->active)
      status = kernel_flags(s, b, e);
  }
  return status;
}

static ad_status find_rows(structure *s, ad_error *e) {
  ad_status status = AD_OK;
  for (size_t i = 0; !status && i < s->p->block_count; i++) {
    const ad_block *b = &s->p->block[i];
    if (b->kind != AD_BLOCK_KERNEL)
      status = ad_walk_elements(s->p, b, false, element_of_hessian, s, e);
    else if (b->active)
      status = kernel_of_hessian(s, b, e);
  }
  return status;
}

static size_t least_of_row(const ad_sets *sets, const row *r) {
  size_t least = ad_sets_least(sets, r->set[0]);
  for (int k = 1; k <= WAITING && r->set[k]; k++) {
    const size_t n = ad_sets_least(sets, r->set[k]);
    if (n > least) least = n;
  }
  return least;
}

static ad_status add_rows(structure *s, rows *r, size_t n, double entry_bytes, ad_error *e) {
  double entries = 0;
  for (size_t i = 0; i < n; i++) entries += (double)least_of_row(&s->sets, &s->row[i]);
  ad_status status = expect_entries(&s->sets, entries, entry_bytes, e);
  for (size_t i = 0; !status && i < n; i++) {
    const row *w = &s->row[i];
    size_t count = 1;
    while (count <= WAITING && w->set[count]) count++;
    status = add_row(r, &s->sets, w->set, count, e);
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
  if (!status) status = find_flags(&s, e);
  if (!status) status = find_rows(&s, e);
  if (!status && !(r.s.start = ad_calloc(n + 1, sizeof *r.s.start))) status = ad_fail_memory(e);
  if (!status) status = add_rows(&s, &r, n, entry_bytes, e);
  if (!status) status = make_symmetric(&r, &s.sets, entry_bytes, e);
  structure_close(&s);
  return finish_rows(&r, status, out, e);
}

ad_status ad_sparsity_jacobian(ad_sparsity *out, const ad_program *p, ad_error *e) {
  AD_GIVEN(out && p, e);
  return ad_sparsity_jacobian_for(out, p, 0, e);
}

ad_status ad_sparsity_hessian(ad_sparsity *out, const ad_program *p, ad_error *e) {
  AD_GIVEN(out && p, e);
  return ad_sparsity_hessian_for(out, p, 0, e);
}
