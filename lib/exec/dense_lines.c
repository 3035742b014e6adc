/* Reductions and what else goes along lines of numbers. */
#include "exec/dense.h"
#include "exec/share.h"

#include <math.h>
#include <string.h>

enum { SHORTEST_LINE = 8, STRIP = 128 };

/* out = op(x, y) for n elements; a stride is 0 or 1. */
static void map(const f64_state *cx, unsigned op, size_t n, double *out, const double *x, size_t sx, const double *y,
                size_t sy) {
  ad_lane_run l = {.kinks = &cx->kinks, .op = op, .n = n, .x = x, .y = y, .sx = sx, .sy = sy};
  cx->lanes->primal(&l, out);
}

static void add_to(const f64_state *cx, size_t n, double *sum, const double *x) {
  map(cx, AD_OP_ADD, n, sum, sum, 1, x, 1);
}

void ad_dense_add(const f64_state *cx, double *sum, const double *x, size_t n) {
  if (cx->lanes && n >= SHORTEST_LINE)
    add_to(cx, n, sum, x);
  else
    for (size_t i = 0; i < n; i++) sum[i] += x[i];
}

/* sum += share in all elements. */
static void add_share(const f64_state *cx, size_t n, double *sum, const double *share) {
  ad_lane_run l = {.kinks = &cx->kinks, .op = AD_OP_ADD, .n = n, .x = sum, .y = share, .sx = 1};
  if (ad_shares(cx, n))
    ad_share_primal(cx, &l, sum);
  else
    cx->lanes->primal(&l, sum);
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

/* Row r of up to STRIP neighbouring lines, or, where the lines' largest elements are given, exp(row - largest) in room.
 */
static const double *row_of(const f64_state *cx, const layout *l, size_t r, size_t n, const double *x,
                            const double *largest, double *room) {
  x += r * l->stride;
  if (!largest) return x;
  map(cx, AD_OP_SUB, n, room, x, 1, largest, 1);
  map(cx, AD_OP_EXP, n, room, room, 1, NULL, 0);
  return room;
}

/* Sums of up to STRIP neighbouring lines, in the tree of TREE_SUM. */
static void sum_columns(const f64_state *cx, const layout *l, size_t n, double *z, const double *x,
                        const double *largest) {
  enum { LEVELS = 28 };
  double way[AD_TREE_WAYS][STRIP], tree[LEVELS][STRIP], room[STRIP];
  size_t top = 0;
  for (size_t b = 0; b * AD_TREE_LEAF < l->length; b++) {
    const size_t start = b * AD_TREE_LEAF, end = l->length - start < AD_TREE_LEAF ? l->length : start + AD_TREE_LEAF;
    for (size_t r = start; r < end; r++) {
      const double *row = row_of(cx, l, r, n, x, largest, room);
      if (r < start + AD_TREE_WAYS)
        memcpy(way[r - start], row, n * sizeof *row);
      else
        add_to(cx, n, way[r % AD_TREE_WAYS], row);
    }
    for (size_t h = AD_TREE_WAYS / 2; h; h /= 2)
      for (size_t j = 0; j < h && start + j + h < end; j++) add_to(cx, n, way[j], way[j + h]);
    memcpy(tree[top++], way[0], n * sizeof *x);
    for (size_t c = b; c & 1; c >>= 1, top--) add_to(cx, n, tree[top - 2], tree[top - 1]);
  }
  for (; top > 1; top--) add_to(cx, n, tree[top - 2], tree[top - 1]);
  memcpy(z, tree[0], n * sizeof *z);
}

/* The largest elements of up to STRIP neighbouring lines. */
static void largest_columns(const f64_state *cx, const layout *l, size_t n, double *z, const double *x) {
  memcpy(z, x, n * sizeof *z);
  for (size_t r = 1; r < l->length; r++) map(cx, AD_OP_MAX, n, z, z, 1, x + r * l->stride, 1);
}

/* How many lines from number o on lie side by side, at most STRIP. */
static size_t abreast(const layout *l, size_t o) {
  const size_t n = l->across - o % l->across;
  return n < STRIP ? n : STRIP;
}

/* Whether one line starts where the one before it ends. */
static bool end_to_end(const layout *l) {
  return l->stride == 1 && l->across == 1 && l->line[l->lines - 1] == (l->lines - 1) * l->length;
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

static void mean_of_sums(const f64_state *cx, const layout *l, unsigned op, double *z) {
  const double count = (double)l->length;
  if (op == AD_OP_MEAN) map(cx, AD_OP_DIV, l->lines, z, z, 1, &count, 0);
}

/* Where a maximum is not finite the line goes by itself. */
static void logsumexp_columns(const f64_state *cx, const layout *l, double *z, const double *x) {
  double largest[STRIP], sum[STRIP];
  for (size_t o = 0, n; o < l->lines; o += n) {
    n = abreast(l, o);
    largest_columns(cx, l, n, largest, x + l->line[o]);
    sum_columns(cx, l, n, sum, x + l->line[o], largest);
    for (size_t j = 0; j < n; j++)
      z[o + j] = isfinite(largest[j])
                     ? largest[j] + log(sum[j])
                     : reduce_line(cx, AD_OP_LOGSUMEXP, straight(l, x + l->line[o + j], cx->scratch), l->length);
  }
}

bool ad_dense_reduce(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, double *z,
                     const double *x) {
  const layout l = layout_of(p, s);
  const bool sums = op == AD_OP_SUM || op == AD_OP_MEAN;
  if (!cx->lanes || !l.length || !l.lines || !l.stride || !(sums || op == AD_OP_REDUCE_MAX || op == AD_OP_LOGSUMEXP))
    return false;
  if (l.stride > 1 && l.across >= SHORTEST_LINE && op != AD_OP_REDUCE_MAX) {
    if (!sums) logsumexp_columns(cx, &l, z, x);
    for (size_t o = 0; sums && o < l.lines; o += abreast(&l, o))
      sum_columns(cx, &l, abreast(&l, o), z + o, x + l.line[o], NULL);
    mean_of_sums(cx, &l, op, z);
    return true;
  }
  if (sums && l.length <= STRIP && end_to_end(&l)) {
    cx->lanes->sums(z, x + l.line[0], l.lines, l.length);
    mean_of_sums(cx, &l, op, z);
    return true;
  }
  if (l.length < SHORTEST_LINE) return false;
  for (size_t o = 0; o < l.lines; o++) z[o] = reduce_line(cx, op, straight(&l, x + l.line[o], cx->scratch), l.length);
  return true;
}

/* exp(x - largest) / sum, times zbar, to each; the sum once more, for it is not kept. */
static void logsumexp_columns_adjoint(const f64_state *cx, const layout *l, const double *x, double *xbar,
                                      const double *zbar) {
  double largest[STRIP], sum[STRIP], w[STRIP];
  for (size_t o = 0, n; o < l->lines; o += n) {
    n = abreast(l, o);
    const double *from = x + l->line[o];
    largest_columns(cx, l, n, largest, from);
    sum_columns(cx, l, n, sum, from, largest);
    for (size_t r = 0; r < l->length; r++) {
      row_of(cx, l, r, n, from, largest, w);
      map(cx, AD_OP_DIV, n, w, w, 1, sum, 1);
      map(cx, AD_OP_MUL, n, w, w, 1, zbar + o, 1);
      add_to(cx, n, xbar + l->line[o] + r * l->stride, w);
    }
  }
}

bool ad_dense_reduce_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *x,
                             double *xbar, const double *zbar) {
  const layout l = layout_of(p, s);
  const bool sums = op == AD_OP_SUM || op == AD_OP_MEAN;
  const double part = op == AD_OP_MEAN ? 1 / (double)l.length : 1;
  if (!cx->lanes || !l.length || !l.lines || !l.stride || !(sums || op == AD_OP_LOGSUMEXP)) return false;
  if (l.stride > 1 && l.across >= SHORTEST_LINE) {
    double share[STRIP];
    if (!sums) logsumexp_columns_adjoint(cx, &l, x, xbar, zbar);
    for (size_t o = 0, n; sums && o < l.lines; o += n) {
      n = abreast(&l, o);
      map(cx, AD_OP_MUL, n, share, zbar + o, 1, &part, 0);
      for (size_t r = 0; r < l.length; r++) add_to(cx, n, xbar + l.line[o] + r * l.stride, share);
    }
    return true;
  }
  if (sums && l.length <= STRIP && end_to_end(&l)) {
    cx->lanes->spread(xbar + l.line[0], zbar, l.lines, l.length, part);
    return true;
  }
  if (l.stride != 1 || l.length < SHORTEST_LINE) return false;
  for (size_t o = 0; o < l.lines; o++) {
    if (sums) {
      const double share = zbar[o] * part;
      add_share(cx, l.length, xbar + l.line[o], &share);
      continue;
    }
    const double *line = x + l.line[o];
    double *w = cx->scratch;
    const double sum = exponentials(cx, w, line, l.length, cx->lanes->largest(line, l.length));
    map(cx, AD_OP_DIV, l.length, w, w, 1, &sum, 0);
    map(cx, AD_OP_MUL, l.length, w, w, 1, &zbar[o], 0);
    add_to(cx, l.length, xbar + l.line[o], w);
  }
  return true;
}

/* ---- Along an axis */

bool ad_dense_softmax(const f64_state *cx, const ad_program *p, const ad_step *s, double *z, const double *x) {
  const layout l = layout_of(p, s);
  if (!cx->lanes || l.stride != 1 || l.length < SHORTEST_LINE) return false;
  for (size_t o = 0; o < l.lines; o++) {
    const double *line = x + l.line[o];
    double *w = z + l.line[o];
    const double top = cx->lanes->largest(line, l.length);
    if (!isfinite(top)) return false;
    const double sum = exponentials(cx, w, line, l.length, top);
    map(cx, AD_OP_DIV, l.length, w, w, 1, &sum, 0);
  }
  return true;
}

/* See softmax_mean in kernels.inc.  All of z is finite or nothing is, so that a zero multiplies nothing wrong. */
bool ad_dense_softmax_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, const double *zbar,
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
    add_to(cx, l.length, xbar + l.line[o], w);
  }
  return true;
}
