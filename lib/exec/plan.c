/* From a structured operation to the loops of its kernel. */
#include <string.h>

#include "error.h"
#include "exec/program.h"
#include "mem.h"

static void row_major(int64_t *stride, const ad_shape *s) {
  int64_t step = 1;
  for (int i = s->rank - 1; i >= 0; i--) {
    stride[i] = step;
    step *= s->dim[i];
  }
}

/* Tables are the program's, and beside them at least the inputs will be in memory. */
static ad_status add_table(ad_program *p, size_t count, size_t *first, ad_error *e) {
  const uint64_t most = ad_graph_limits(p->graph)->max_bytes;
  const double bytes = ((double)p->table_count + (double)count) * sizeof *p->table + p->input_size * 8.0;
  if (bytes > (double)most)
    return ad_fail(e, AD_ELIMIT,
                   "this graph needs more than %.0f MiB of memory, above the limit of %llu MiB (--max-memory)",
                   bytes / 0x1p20, (unsigned long long)(most >> 20));
  if (!ad_reserve(&p->table, &p->table_capacity, p->table_count + count, sizeof *p->table)) return ad_fail_memory(e);
  *first = p->table_count;
  p->table_count += count;
  return AD_OK;
}

/* The offsets of every index of the axes chosen, row-major. */
static ad_status axis_offsets(ad_program *p, const int64_t *dim, const int64_t *stride, int rank, size_t *first,
                              uint32_t *count, ad_error *e) {
  int64_t n = 1, position[1] = {0};
  int64_t strides[1][AD_MAX_RANK];
  for (int i = 0; i < rank; i++) n *= dim[i], strides[0][i] = stride[i];
  ad_status s = add_table(p, (size_t)n, first, e);
  if (s) return s;
  *count = (uint32_t)n;
  ad_odometer o = {.rank = rank};
  for (int64_t i = 0; i < n; i++) {
    p->table[*first + (size_t)i] = (uint32_t)position[0];
    ad_odometer_next(&o, dim, 1, position, (const int64_t(*)[AD_MAX_RANK])strides);
  }
  return AD_OK;
}

static uint32_t even_stride(const uint32_t *offset, uint32_t n) {
  const uint32_t stride = n > 1 ? offset[1] - offset[0] : 1;
  for (uint32_t i = 2; i < n; i++)
    if (offset[i] - offset[i - 1] != stride) return 0;
  return stride;
}

/* Splits the axes of the argument into lines (over[axis]) and the rest. */
static ad_status plan_lines(ad_program *p, ad_step *step, const ad_shape *x, const bool *over, ad_error *e) {
  int64_t stride[AD_MAX_RANK], dim[2][AD_MAX_RANK], by[2][AD_MAX_RANK];
  int rank[2] = {0, 0};
  row_major(stride, x);
  for (int i = 0; i < x->rank; i++) {
    int side = over[i];
    dim[side][rank[side]] = x->dim[i];
    by[side][rank[side]++] = stride[i];
  }
  ad_status s = axis_offsets(p, dim[0], by[0], rank[0], &step->u.lines.line, &step->u.lines.lines, e);
  if (!s) s = axis_offsets(p, dim[1], by[1], rank[1], &step->u.lines.within, &step->u.lines.length, e);
  if (s) return s;
  if (step->u.lines.length > p->scratch) p->scratch = step->u.lines.length;
  step->u.lines.stride = even_stride(p->table + step->u.lines.within, step->u.lines.length);
  step->u.lines.across = 1;
  for (int i = x->rank - 1; i >= 0 && !over[i]; i--) step->u.lines.across *= (uint32_t)x->dim[i];
  return AD_OK;
}

/* The offsets of each product's matrix in an argument whose leading axes broadcast to `batch`. */
static ad_status plan_batch(ad_program *p, const ad_shape *x, const ad_shape *batch, size_t *first, ad_error *e) {
  int64_t stride[AD_MAX_RANK], by[AD_MAX_RANK] = {0};
  uint32_t count;
  row_major(stride, x);
  for (int i = 0; i < batch->rank; i++) {
    int axis = x->rank - 2 - batch->rank + i;
    by[i] = axis >= 0 && x->dim[axis] != 1 ? stride[axis] : 0;
  }
  return axis_offsets(p, batch->dim, by, batch->rank, first, &count, e);
}

static ad_status plan_matmul(ad_program *p, ad_step *step, const ad_shape *x, const ad_shape *y, const ad_shape *z,
                             ad_error *e) {
  ad_shape batch = *z;
  batch.rank -= (x->rank > 1) + (y->rank > 1);
  step->u.product.m = x->rank > 1 ? (uint32_t)x->dim[x->rank - 2] : 1;
  step->u.product.k = (uint32_t)x->dim[x->rank - 1];
  step->u.product.n = y->rank > 1 ? (uint32_t)y->dim[y->rank - 1] : 1;
  step->u.product.batch = (uint32_t)ad_shape_size(&batch);
  ad_status s = plan_batch(p, x, &batch, &step->u.product.x, e);
  return s ? s : plan_batch(p, y, &batch, &step->u.product.y, e);
}

/* Scalars or rows put together: less work than a move each. */
static bool is_joined(const ad_graph *g, ad_node n, ad_op op) {
  if (op != AD_OP_CONCAT && op != AD_OP_STACK) return false;
  const ad_shape *z = ad_graph_node_shape(g, n);
  for (int64_t i = ad_graph_node_attr(g, n, 0).value[0]; i-- > 0;)
    if (z->dim[i] != 1) return false;
  return true;
}

static ad_status plan_moves(ad_program *p, ad_step *step, ad_node n, ad_error *e) {
  const ad_graph *g = p->graph;
  const ad_node *args;
  size_t count = ad_graph_node_args(g, n, &args);
  ad_op op = ad_graph_node_op(g, n);
  step->u.moves.joined = is_joined(g, n, op);
  if (step->u.moves.joined) return AD_OK;
  const ad_shape *z = ad_graph_node_shape(g, n);
  const int64_t *attr[AD_MAX_ATTRS] = {0};
  for (int i = 0; i < ad_op_get(op)->attr_count; i++) attr[i] = ad_graph_node_attr(g, n, i).value;
  if (!ad_reserve(&p->move, &p->move_capacity, p->move_count + count, sizeof *p->move)) return ad_fail_memory(e);
  step->u.moves.first = p->move_count;
  step->u.moves.count = count;
  int64_t at = 0, zstride[AD_MAX_RANK];
  row_major(zstride, z);
  for (size_t k = 0; k < count; k++) {
    const ad_shape *x = ad_graph_node_shape(g, args[k]);
    ad_move m = {.arg = (uint32_t)k, .rank = z->rank};
    int64_t xstride[AD_MAX_RANK];
    row_major(xstride, x);
    memcpy(m.dim, z->dim, sizeof m.dim);
    memcpy(m.out, zstride, sizeof m.out);
    switch (op) {
      case AD_OP_TRANSPOSE:
        for (int i = 0; i < z->rank; i++) m.in[i] = xstride[attr[0][i]];
        break;
      case AD_OP_RESHAPE:
        memcpy(m.in, zstride, sizeof m.in);
        break;
      case AD_OP_BROADCAST_TO:
        for (int i = 0; i < x->rank; i++) m.in[z->rank - x->rank + i] = x->dim[i] == 1 ? 0 : xstride[i];
        break;
      case AD_OP_SLICE: {
        int d = 0, drops = (int)ad_graph_node_attr(g, n, 3).shape.dim[0];
        for (int i = 0, j = 0; i < x->rank; i++) {
          m.in0 += attr[0][i] * xstride[i];
          if (j < drops && attr[3][j] == i)
            j++;
          else
            m.in[d++] = attr[2][i] * xstride[i];
        }
        break;
      }
      case AD_OP_CONCAT: {
        int64_t axis = attr[0][0];
        memcpy(m.dim, x->dim, sizeof m.dim);
        memcpy(m.in, xstride, sizeof m.in);
        m.out0 = at * zstride[axis];
        at += x->dim[axis];
        break;
      }
      default: { /* stack */
        int64_t axis = attr[0][0];
        m.rank = x->rank;
        memcpy(m.dim, x->dim, sizeof m.dim);
        memcpy(m.in, xstride, sizeof m.in);
        for (int i = 0; i < x->rank; i++) m.out[i] = zstride[i < axis ? i : i + 1];
        m.out0 = (int64_t)k * zstride[axis];
      }
    }
    p->move[p->move_count++] = m;
  }
  return AD_OK;
}

static void plan_table(ad_step *step, const ad_graph *g, ad_node n, const ad_shape *x) {
  ad_attr index = ad_graph_node_attr(g, n, 0);
  int64_t axis = ad_graph_node_attr(g, n, 1).value[0];
  step->u.table.outer = step->u.table.inner = 1;
  for (int i = 0; i < axis; i++) step->u.table.outer *= x->dim[i];
  for (int i = (int)axis + 1; i < x->rank; i++) step->u.table.inner *= x->dim[i];
  step->u.table.length = x->dim[axis];
  step->u.table.count = ad_shape_size(&index.shape);
  step->u.table.index = index.value;
}

/* Loops over the result's axes with the arguments' strides (0 where an argument repeats); axes that every argument
 * walks alike become one. */
static void plan_loop(ad_program *p, ad_step *step, ad_node n) {
  const ad_node *args;
  size_t count = ad_graph_node_args(p->graph, n, &args);
  const ad_shape *z = ad_graph_node_shape(p->graph, n);
  int64_t stride[3][AD_MAX_RANK] = {{0}};
  for (size_t k = 0; k < count; k++) {
    const ad_shape *x = ad_graph_node_shape(p->graph, args[k]);
    int64_t own[AD_MAX_RANK];
    row_major(own, x);
    for (int i = 0; i < x->rank; i++)
      if (x->dim[i] != 1) stride[k][z->rank - x->rank + i] = own[i];
  }
  int rank = 0;
  for (int i = 0; i < z->rank; i++) {
    if (z->dim[i] == 1) continue;
    bool joins = rank > 0;
    for (size_t k = 0; joins && k < count; k++) joins = step->u.loop.stride[k][rank - 1] == stride[k][i] * z->dim[i];
    if (!joins) step->u.loop.dim[rank++] = 1;
    step->u.loop.dim[rank - 1] *= z->dim[i];
    for (size_t k = 0; k < count; k++) step->u.loop.stride[k][rank - 1] = stride[k][i];
  }
  if (!rank) step->u.loop.dim[rank++] = 1;
  step->u.loop.rank = rank;
}

ad_status ad_plan_step(ad_program *p, ad_step *step, ad_node n, ad_error *e) {
  const ad_graph *g = p->graph;
  const ad_node *args;
  ad_graph_node_args(g, n, &args);
  const ad_shape *x = ad_graph_node_shape(g, args[0]);
  bool over[AD_MAX_RANK] = {false};
  switch (step->kernel) {
    case AD_KERNEL_ELEMENT:
      plan_loop(p, step, n);
      return AD_OK;
    case AD_KERNEL_MATMUL:
      return plan_matmul(p, step, x, ad_graph_node_shape(g, args[1]), ad_graph_node_shape(g, n), e);
    case AD_KERNEL_MOVE:
      return plan_moves(p, step, n, e);
    case AD_KERNEL_GATHER:
    case AD_KERNEL_SCATTER_ADD:
      plan_table(step, g, n, x);
      return AD_OK;
    case AD_KERNEL_REDUCE: {
      ad_attr axes = ad_graph_node_attr(g, n, 0);
      for (int64_t i = 0; i < axes.shape.dim[0]; i++) over[axes.value[i]] = true;
      return plan_lines(p, step, x, over, e);
    }
    case AD_KERNEL_ALONG:
      over[ad_graph_node_attr(g, n, 0).value[0]] = true;
      return plan_lines(p, step, x, over, e);
    case AD_KERNEL_NONE:
      break;
  }
  return AD_OK;
}
