#include "exec/dense.h"

#include <string.h>

static const double *operand(const ad_program *p, const ad_step *s, unsigned k, const double *plane) {
  return plane + p->operand[s->operand + k].offset;
}

/* ---- Rows by an index table */

/* Negative indices count from the end. */
static int64_t from_start(int64_t index, int64_t length) {
  return index < 0 ? index + length : index;
}

static void take_rows(const ad_step *s, double *z, const double *x) {
  const int64_t inner = s->u.table.inner, count = s->u.table.count, length = s->u.table.length;
  const int64_t *index = s->u.table.index;
  for (int64_t o = 0; o < s->u.table.outer; o++, x += length * inner, z += count * inner)
    if (inner == 1)
      for (int64_t c = 0; c < count; c++) z[c] = x[from_start(index[c], length)];
    else
      for (int64_t c = 0; c < count; c++)
        memcpy(z + c * inner, x + from_start(index[c], length) * inner, (size_t)inner * sizeof *z);
}

static void add_rows(const ad_step *s, double *z, const double *updates) {
  const int64_t inner = s->u.table.inner, count = s->u.table.count, length = s->u.table.length;
  const int64_t *index = s->u.table.index;
  for (int64_t o = 0; o < s->u.table.outer; o++, z += length * inner, updates += count * inner)
    if (inner == 1)
      for (int64_t c = 0; c < count; c++) z[from_start(index[c], length)] += updates[c];
    else
      for (int64_t c = 0; c < count; c++) {
        double *row = z + from_start(index[c], length) * inner;
        for (int64_t j = 0; j < inner; j++) row[j] += updates[c * inner + j];
      }
}

/* ---- Products */

static bool product(const f64_state *cx, const ad_program *p, const ad_step *s, double *z, const double *x,
                    const double *y, bool add) {
  const size_t m = s->u.product.m, k = s->u.product.k, n = s->u.product.n;
  for (uint32_t b = 0; b < s->u.product.batch; b++)
    if (!ad_dense_product(cx, z + b * m * n, (ad_matrix){x + p->table[s->u.product.x + b], false},
                          (ad_matrix){y + p->table[s->u.product.y + b], false}, m, k, n, add))
      return false;
  return true;
}

/* BLAS may leave out what it multiplies by zero: it takes products whose factors are finite. */
static bool finite_operand(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned k,
                           const double *value) {
  return cx->lanes && cx->lanes->all_finite(operand(p, s, k, value), p->operand[s->operand + k].size);
}

static bool product_tangent(const f64_state *cx, const ad_program *p, const ad_step *s, const double *value,
                            const double *tangent, double *zd) {
  const ad_operand *o = &p->operand[s->operand];
  if ((o[0].active && !finite_operand(cx, p, s, 1, value)) || (o[1].active && !finite_operand(cx, p, s, 0, value)))
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
  for (uint32_t b = 0; b < s->u.product.batch; b++) {
    const size_t ox = o[0].offset + (size_t)p->table[s->u.product.x + b];
    const size_t oy = o[1].offset + (size_t)p->table[s->u.product.y + b];
    const ad_matrix zb = {zbar + b * m * n, false};
    if (o[0].active && !ad_dense_product(cx, adjoint + ox, zb, (ad_matrix){value + oy, true}, m, n, k, true))
      return false;
    if (o[1].active && !ad_dense_product(cx, adjoint + oy, (ad_matrix){value + ox, true}, zb, k, m, n, true))
      return false;
  }
  return true;
}

/* ---- One step */

static void moves(const ad_program *p, const ad_step *s, double *z, const double *plane) {
  for (uint32_t k = 0; s->u.moves.joined && k < s->operand_count; k++) {
    const ad_operand *x = &p->operand[s->operand + k];
    if (x->size == 1)
      *z = plane[x->offset];
    else
      memcpy(z, plane + x->offset, x->size * sizeof *z);
    z += x->size;
  }
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
      return product(cx, p, s, z, x, operand(p, s, 1, plane), false);
    case AD_KERNEL_REDUCE:
      return ad_dense_reduce(cx, p, s, op, z, x);
    case AD_KERNEL_ALONG:
      return op == AD_OP_SOFTMAX && ad_dense_softmax(cx, p, s, z, x);
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
      return (op == AD_OP_SUM || op == AD_OP_MEAN) && ad_dense_reduce(cx, p, s, op, zd, operand(p, s, 0, tangent));
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
      for (uint32_t k = 0; s->u.moves.joined && k < s->operand_count; zbar += o[k++].size)
        if (o[k].active) ad_dense_add(cx, adjoint + o[k].offset, zbar, o[k].size);
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
      return ad_dense_reduce_adjoint(cx, p, s, op, value + o->offset, xbar, zbar);
    case AD_KERNEL_ALONG:
      return op == AD_OP_SOFTMAX && ad_dense_softmax_adjoint(cx, p, s, zbar, value + out, xbar);
    case AD_KERNEL_SCATTER_ADD:
    case AD_KERNEL_ELEMENT:
    case AD_KERNEL_NONE:
      break;
  }
  return false;
}
