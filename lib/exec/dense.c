#include "exec/dense.h"
#include "exec/share.h"

#include <math.h>
#include <string.h>

enum { SHORTEST_LINE = 8, STRIP = 128 };

static const double *operand(const ad_program *p, const ad_step *s, unsigned k, const double *plane) {
  return plane + p->operand[s->operand + k].offset;
}

/* out = op(x, y) for n elements; a stride is 0 or 1. */
static void map(const f64_state *cx, unsigned op, size_t n, double *out, const double *x, size_t sx, const double *y,
                size_t sy) {
  const ad_lane_run l = {.kinks = &cx->kinks, .op = op, .n = n, .x = x, .y = y, .sx = sx, .sy = sy};
  cx->lanes->primal(&l, out);
}

static void add_to(const f64_state *cx, size_t n, double *sum, const double *x, size_t stride) {
  map(cx, AD_OP_ADD, n, sum, sum, 1, x, stride);
}

/* sum += share in all elements. */
static void add_share(const f64_state *cx, size_t n, double *sum, const double *share) {
  const ad_lane_run l = {.kinks = &cx->kinks, .op = AD_OP_ADD, .n = n, .x = sum, .y = share, .sx = 1};
  if (ad_shares(cx, n))
    ad_share_primal(cx, &l, sum);
  else
    cx->lanes->primal(&l, sum);
}

/* ---- Rows by an index table */

static void take_rows(const ad_step *s, double *z, const double *x) {
  const int64_t inner = s->u.table.inner, count = s->u.table.count, length = s->u.table.length;
  const int64_t *index = s->u.table.index;
  for (int64_t o = 0; o < s->u.table.outer; o++, x += length * inner)
    for (int64_t c = 0; c < count; c++, z += inner) {
      const double *row = x + (index[c] < 0 ? index[c] + length : index[c]) * inner;
      if (inner == 1)
        *z = *row;
      else
        memcpy(z, row, (size_t)inner * sizeof *z);
    }
}

static void add_rows(const ad_step *s, double *z, const double *updates) {
  const int64_t inner = s->u.table.inner, count = s->u.table.count, length = s->u.table.length;
  const int64_t *index = s->u.table.index;
  for (int64_t o = 0; o < s->u.table.outer; o++, z += length * inner)
    for (int64_t c = 0; c < count; c++, updates += inner) {
      double *row = z + (index[c] < 0 ? index[c] + length : index[c]) * inner;
      for (int64_t j = 0; j < inner; j++) row[j] += updates[j];
    }
}

/* ---- Products */

static bool product(const f64_state *cx, const ad_program *p, const ad_step *s, double *z, const double *x, const double *y, bool add) {
  const size_t m = s->u.product.m, k = s->u.product.k, n = s->u.product.n;
  for (uint32_t b = 0; b < s->u.product.batch; b++)
    if (!ad_dense_product(cx, z + b * m * n, (ad_matrix){x + p->table[s->u.product.x + b], false},
                          (ad_matrix){y + p->table[s->u.product.y + b], false}, m, k, n, add))
      return false;
  return true;
}

/* A zero tangent or adjoint multiplies nothing; BLAS multiplies all, which is the same where all factors are finite. */
static bool finite_operand(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned k,
                           const double *value) {
  return cx->lanes && cx->lanes->all_finite(operand(p, s, k, value), p->operand[s->operand + k].size);
}

static bool product_tangent(const f64_state *cx, const ad_program *p, const ad_step *s, const double *value,
                            const double *tangent, double *zd) {
  const ad_operand *o = &p->operand[s->operand];
  if ((o[0].active && !finite_operand(cx, p, s, 1, value)) || (o[1].active && !finite_operand(cx, p, s, 0, value)))
    return false;
  if (s->u.product.branch && ((o[0].active && !finite_operand(cx, p, s, 0, tangent)) ||
                              (o[1].active && !finite_operand(cx, p, s, 1, tangent))))
    return false;
  if (o[0].active && !product(cx, p, s, zd, operand(p, s, 0, tangent), operand(p, s, 1, value), false)) return false;
  return !o[1].active || product(cx, p, s, zd, operand(p, s, 0, value), operand(p, s, 1, tangent), o[0].active);
}

static bool product_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, const double *value,
                            double *adjoint, const double *zbar) {
  const ad_operand *o = &p->operand[s->operand];
  const size_t m = s->u.product.m, k = s->u.product.k, n = s->u.product.n;
  if ((o[0].active && !finite_operand(cx, p, s, 1, value)) || (o[1].active && !finite_operand(cx, p, s, 0, value)))
    return false;
  if (s->u.product.branch && !(cx->lanes && cx->lanes->all_finite(zbar, s->size))) return false;
  for (uint32_t b = 0; b < s->u.product.batch; b++) {
    const size_t ox = o[0].offset + (size_t)p->table[s->u.product.x + b];
    const size_t oy = o[1].offset + (size_t)p->table[s->u.product.y + b];
    const ad_matrix zb = {zbar + b * m * n, false};
    if (o[0].active && !ad_dense_product(cx, adjoint + ox, zb, (ad_matrix){value + oy, true}, m, n, k, true)) return false;
    if (o[1].active && !ad_dense_product(cx, adjoint + oy, (ad_matrix){value + ox, true}, zb, k, m, n, true)) return false;
  }
  return true;
}

/* ---- Reductions */

/* Element r of a line lies `stride` behind element r-1, and `across` neighbouring lines start side by side. */
typedef struct layout {
  const uint32_t *line;
  size_t lines, length, stride, across;
} layout;

static layout layout_of(const ad_program *p, const ad_step *s) {
  return (layout){p->table + s->u.lines.line, s->u.lines.lines, s->u.lines.length, s->u.lines.stride,
                  s->u.lines.across};
}

/* Sums of up to STRIP neighbouring lines, in the tree of TREE_SUM. */
static void sum_columns(const f64_state *cx, const layout *l, size_t n, double *z, const double *x) {
  enum { WAYS = 8, LEAF = 128, LEVELS = 28 };
  double way[WAYS][STRIP], tree[LEVELS][STRIP];
  size_t top = 0;
  for (size_t b = 0; b * LEAF < l->length; b++) {
    const size_t start = b * LEAF, end = l->length - start < LEAF ? l->length : start + LEAF;
    for (size_t r = start; r < end; r++)
      if (r < start + WAYS)
        memcpy(way[r - start], x + r * l->stride, n * sizeof *x);
      else
        add_to(cx, n, way[r % WAYS], x + r * l->stride, 1);
    for (size_t h = WAYS / 2; h; h /= 2)
      for (size_t j = 0; j < h && start + j + h < end; j++) add_to(cx, n, way[j], way[j + h], 1);
    memcpy(tree[top++], way[0], n * sizeof *x);
    for (size_t c = b; c & 1; c >>= 1, top--) add_to(cx, n, tree[top - 2], tree[top - 1], 1);
  }
  for (; top > 1; top--) add_to(cx, n, tree[top - 2], tree[top - 1], 1);
  memcpy(z, tree[0], n * sizeof *z);
}

/* A line's elements one behind the other: where they lie, or copied into room. */
static const double *straight(const layout *l, const double *x, double *room) {
  if (l->stride == 1) return x;
  for (size_t r = 0; r < l->length; r++) room[r] = x[r * l->stride];
  return room;
}

/* exp(x - m) into w; returns their sum. */
static double exponentials(const f64_state *cx, double *w, const double *x, size_t n, double m) {
  map(cx, AD_OP_SUB, n, w, x, 1, &m, 0);
  map(cx, AD_OP_EXP, n, w, w, 1, NULL, 0);
  return cx->lanes->sum(w, n);
}

static double sum_line(const f64_state *cx, const double *x, size_t n) {
  return ad_shares(cx, n) && x != cx->scratch ? ad_share_sum(cx, x, n, cx->scratch) : cx->lanes->sum(x, n);
}

static double reduce_line(const f64_state *cx, unsigned op, const double *x, size_t n) {
  if (op == AD_OP_SUM) return sum_line(cx, x, n);
  if (op == AD_OP_MEAN) return sum_line(cx, x, n) / (double)n;
  if (op == AD_OP_REDUCE_MAX) return cx->lanes->largest(x, n);
  const double m = cx->lanes->largest(x, n);
  return isfinite(m) ? m + log(exponentials(cx, cx->scratch, x, n, m)) : m;
}

static bool reduce(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, double *z,
                   const double *x) {
  const layout l = layout_of(p, s);
  const bool sums = op == AD_OP_SUM || op == AD_OP_MEAN;
  if (!cx->lanes || !l.length || !l.stride || !(sums || op == AD_OP_REDUCE_MAX || op == AD_OP_LOGSUMEXP)) return false;
  if (sums && l.stride > 1 && l.across >= SHORTEST_LINE) {
    for (size_t o = 0, n; o < l.lines; o += n) {
      n = l.across - o % l.across;
      if (n > STRIP) n = STRIP;
      sum_columns(cx, &l, n, z + o, x + l.line[o]);
    }
    const double count = (double)l.length;
    if (op == AD_OP_MEAN) map(cx, AD_OP_DIV, l.lines, z, z, 1, &count, 0);
    return true;
  }
  if (l.length < SHORTEST_LINE) return false;
  for (size_t o = 0; o < l.lines; o++) z[o] = reduce_line(cx, op, straight(&l, x + l.line[o], cx->scratch), l.length);
  return true;
}

static bool reduce_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *x,
                           double *xbar, const double *zbar) {
  const layout l = layout_of(p, s);
  if (!cx->lanes || !l.length || !l.stride) return false;
  if ((op == AD_OP_SUM || op == AD_OP_MEAN) && l.stride > 1 && l.across >= SHORTEST_LINE) {
    double share[STRIP];
    const double part = op == AD_OP_MEAN ? 1 / (double)l.length : 1;
    for (size_t o = 0, n; o < l.lines; o += n) {
      n = l.across - o % l.across;
      if (n > STRIP) n = STRIP;
      map(cx, AD_OP_MUL, n, share, zbar + o, 1, &part, 0);
      for (size_t r = 0; r < l.length; r++) add_to(cx, n, xbar + l.line[o] + r * l.stride, share, 1);
    }
    return true;
  }
  if (l.stride != 1 || l.length < SHORTEST_LINE) return false;
  if (op == AD_OP_SUM || op == AD_OP_MEAN) {
    for (size_t o = 0; o < l.lines; o++) {
      const double share = op == AD_OP_MEAN ? zbar[o] * (1 / (double)l.length) : zbar[o];
      if (zbar[o] != 0) add_share(cx, l.length, xbar + l.line[o], &share);
    }
    return true;
  }
  if (op != AD_OP_LOGSUMEXP) return false;
  for (size_t o = 0; o < l.lines; o++) {
    if (zbar[o] == 0) continue;
    const double *line = x + l.line[o];
    double *w = cx->scratch;
    const double sum = exponentials(cx, w, line, l.length, cx->lanes->largest(line, l.length));
    map(cx, AD_OP_DIV, l.length, w, w, 1, &sum, 0);
    map(cx, AD_OP_MUL, l.length, w, w, 1, &zbar[o], 0);
    add_to(cx, l.length, xbar + l.line[o], w, 1);
  }
  return true;
}

/* ---- Along an axis */

static bool softmax(const f64_state *cx, const ad_program *p, const ad_step *s, double *z, const double *x) {
  const layout l = layout_of(p, s);
  if (!cx->lanes || l.stride != 1 || l.length < SHORTEST_LINE) return false;
  for (size_t o = 0; o < l.lines; o++) {
    const double *line = x + l.line[o];
    double *w = z + l.line[o];
    const double sum = exponentials(cx, w, line, l.length, cx->lanes->largest(line, l.length));
    map(cx, AD_OP_DIV, l.length, w, w, 1, &sum, 0);
  }
  return true;
}

/* See softmax_mean in kernels.inc.  All of z is finite or nothing is, so that a zero multiplies nothing wrong. */
static bool softmax_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, const double *zbar,
                            const double *z, double *xbar) {
  const layout l = layout_of(p, s);
  if (!cx->lanes || l.stride != 1 || l.length < SHORTEST_LINE || !cx->lanes->all_finite(z, s->size)) return false;
  for (size_t o = 0; o < l.lines; o++) {
    const double *d = zbar + l.line[o], *zo = z + l.line[o];
    double *w = cx->scratch;
    size_t largest = 0;
    for (const double top = cx->lanes->largest(zo, l.length); zo[largest] != top;) largest++;
    map(cx, AD_OP_SUB, l.length, w, d, 1, &d[largest], 0);
    map(cx, AD_OP_MUL, l.length, w, w, 1, zo, 1);
    const double mean = cx->lanes->sum(w, l.length);
    map(cx, AD_OP_SUB, l.length, w, d, 1, &d[largest], 0);
    map(cx, AD_OP_SUB, l.length, w, w, 1, &mean, 0);
    map(cx, AD_OP_MUL, l.length, w, w, 1, zo, 1);
    add_to(cx, l.length, xbar + l.line[o], w, 1);
  }
  return true;
}

/* ---- One step */

static void moves(const ad_program *p, const ad_step *s, double *z, const double *plane) {
  for (uint32_t i = 0; s->u.moves.single && i < s->size; i++) z[i] = plane[p->operand[s->operand + i].offset];
  for (size_t i = 0; i < s->u.moves.count; i++) {
    const ad_move *m = &p->move[s->u.moves.first + i];
    ad_dense_move(m, z, operand(p, s, m->arg, plane));
  }
}

bool ad_dense_primal(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *plane,
                     double *z) {
  const double *x = operand(p, s, 0, plane);
  switch (s->kernel) {
    case AD_KERNEL_MOVE:
      moves(p, s, z, plane);
      return true;
    case AD_KERNEL_GATHER:
      take_rows(s, z, x);
      return true;
    case AD_KERNEL_SCATTER_ADD:
      memcpy(z, x, s->size * sizeof *z);
      add_rows(s, z, operand(p, s, 1, plane));
      return true;
    case AD_KERNEL_MATMUL:
      if (s->u.product.branch && !(finite_operand(cx, p, s, 0, plane) && finite_operand(cx, p, s, 1, plane)))
        return false;
      return product(cx, p, s, z, x, operand(p, s, 1, plane), false);
    case AD_KERNEL_REDUCE:
      return reduce(cx, p, s, op, z, x);
    case AD_KERNEL_ALONG:
      return op == AD_OP_SOFTMAX && softmax(cx, p, s, z, x);
    case AD_KERNEL_ELEMENT:
    case AD_KERNEL_NONE:
      break;
  }
  return false;
}

bool ad_dense_tangent(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *value,
                      const double *tangent, double *zd) {
  switch (s->kernel) {
    case AD_KERNEL_MOVE:
    case AD_KERNEL_GATHER:
    case AD_KERNEL_SCATTER_ADD:
      return ad_dense_primal(cx, p, s, op, tangent, zd);
    case AD_KERNEL_MATMUL:
      return product_tangent(cx, p, s, value, tangent, zd);
    case AD_KERNEL_REDUCE:
      return (op == AD_OP_SUM || op == AD_OP_MEAN) && reduce(cx, p, s, op, zd, operand(p, s, 0, tangent));
    case AD_KERNEL_ALONG:
    case AD_KERNEL_ELEMENT:
    case AD_KERNEL_NONE:
      break;
  }
  return false;
}

bool ad_dense_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *value,
                      double *adjoint, uint32_t out) {
  const ad_operand *o = &p->operand[s->operand];
  const double *zbar = adjoint + out;
  double *xbar = adjoint + o->offset;
  switch (s->kernel) {
    case AD_KERNEL_MOVE:
      for (uint32_t i = 0; s->u.moves.single && i < s->size; i++)
        if (o[i].active) adjoint[o[i].offset] += zbar[i];
      for (size_t i = 0; i < s->u.moves.count; i++) {
        const ad_move *m = &p->move[s->u.moves.first + i];
        if (o[m->arg].active) ad_dense_move_add(cx->lanes, m, zbar, adjoint + o[m->arg].offset);
      }
      return true;
    case AD_KERNEL_GATHER:
      add_rows(s, xbar, zbar);
      return true;
    case AD_KERNEL_MATMUL:
      return product_adjoint(cx, p, s, value, adjoint, zbar);
    case AD_KERNEL_REDUCE:
      return reduce_adjoint(cx, p, s, op, value + o->offset, xbar, zbar);
    case AD_KERNEL_ALONG:
      return op == AD_OP_SOFTMAX && softmax_adjoint(cx, p, s, zbar, value + out, xbar);
    case AD_KERNEL_SCATTER_ADD:
    case AD_KERNEL_ELEMENT:
    case AD_KERNEL_NONE:
      break;
  }
  return false;
}
