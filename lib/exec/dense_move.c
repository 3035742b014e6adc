/* Strided copies by rows where rows lie together, by tiles where a transposition tears them apart. */
#include <string.h>

#include "exec/dense.h"

enum { TILE = 16 };

/* A loop nest over a destination and a source; dimension 0 is the outermost. */
typedef struct nest {
  int rank;
  int64_t dim[AD_MAX_RANK];
  int64_t stride[2][AD_MAX_RANK]; /* of the destination, of the source */
} nest;

/* Without axes of one element, and with axes joined that both sides walk as one; false when nothing is to be moved. */
static bool make_nest(nest *t, const ad_move *m, const int64_t *to, const int64_t *from) {
  t->rank = 0;
  for (int i = 0; i < m->rank; i++) {
    if (!m->dim[i]) return false;
    if (m->dim[i] == 1) continue;
    const int last = t->rank - 1;
    if (last >= 0 && t->stride[0][last] == to[i] * m->dim[i] && t->stride[1][last] == from[i] * m->dim[i]) {
      t->dim[last] *= m->dim[i];
    } else {
      t->dim[t->rank++] = m->dim[i];
    }
    t->stride[0][t->rank - 1] = to[i];
    t->stride[1][t->rank - 1] = from[i];
  }
  if (!t->rank) {
    t->dim[0] = 1;
    t->stride[0][0] = t->stride[1][0] = 1;
    t->rank = 1;
  }
  return true;
}

typedef void row_fn(double *to, int64_t by, const double *from, int64_t from_by, size_t n);

static void copy_row(double *to, int64_t by, const double *from, int64_t from_by, size_t n) {
  if (by == 1 && from_by == 1) {
    memcpy(to, from, n * sizeof *to);
    return;
  }
  for (size_t i = 0; i < n; i++, to += by, from += from_by) *to = *from;
}

static void add_row(double *to, int64_t by, const double *from, int64_t from_by, size_t n) {
  if (by == 1 && from_by == 1) {
    for (size_t i = 0; i < n; i++) to[i] += from[i];
    return;
  }
  for (size_t i = 0; i < n; i++, to += by, from += from_by) *to += *from;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* Walks the nest row by row along its last axis; where a side lies better along another one, both in tiles. */
static void walk(const nest *t, double *to, const double *from, row_fn *row) {
  const int last = t->rank - 1;
  int other = -1;
  for (int i = 0; i < last && t->stride[0][last] != 0 && t->stride[1][last] != 0; i++)
    if ((t->stride[1][i] == 1 && t->stride[1][last] != 1) || (t->stride[0][i] == 1 && t->stride[0][last] != 1))
      other = i;
  int64_t dim[AD_MAX_RANK], position[2] = {0, 0}, stride[2][AD_MAX_RANK];
  ad_odometer o = {0};
  for (int i = 0; i < last; i++) {
    if (i == other) continue;
    dim[o.rank] = t->dim[i];
    for (int k = 0; k < 2; k++) stride[k][o.rank] = t->stride[k][i];
    o.rank++;
  }
  const int64_t n = t->dim[last], by = t->stride[0][last], from_by = t->stride[1][last];
  do {
    double *z = to + position[0];
    const double *x = from + position[1];
    if (other < 0) {
      row(z, by, x, from_by, (size_t)n);
      continue;
    }
    for (int64_t r = 0; r < t->dim[other]; r += TILE)
      for (int64_t c = 0; c < n; c += TILE)
        for (int64_t i = r; i < least(r + TILE, t->dim[other]); i++)
          row(z + i * t->stride[0][other] + c * by, by, x + i * t->stride[1][other] + c * from_by, from_by,
              (size_t)least(TILE, n - c));
  } while (ad_odometer_next(&o, dim, 2, position, (const int64_t(*)[AD_MAX_RANK])stride));
}

void ad_dense_move(const ad_move *m, double *z, const double *x) {
  nest t;
  if (make_nest(&t, m, m->out, m->in)) walk(&t, z + m->out0, x + m->in0, copy_row);
}

/* What was repeated is summed up. */
static void sum_row(const ad_lanes *lanes, const nest *t, double *to, const double *from) {
  nest outer = *t;
  const int last = --outer.rank;
  int64_t position[2] = {0, 0};
  ad_odometer o = {.rank = last};
  do to[position[0]] += lanes->sum(from + position[1], (size_t)t->dim[last]);
  while (ad_odometer_next(&o, outer.dim, 2, position, (const int64_t(*)[AD_MAX_RANK])outer.stride));
}

void ad_dense_move_add(const ad_lanes *lanes, const ad_move *m, const double *zbar, double *xbar) {
  nest t;
  if (!make_nest(&t, m, m->in, m->out)) return;
  const int last = t.rank - 1;
  if (lanes && t.stride[0][last] == 0 && t.stride[1][last] == 1)
    sum_row(lanes, &t, xbar + m->in0, zbar + m->out0);
  else
    walk(&t, xbar + m->in0, zbar + m->out0, add_row);
}
