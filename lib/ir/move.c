#include "ir/move.h"

#include <string.h>

#include "error.h"
#include "mem.h"

size_t ad_broadcast_element(const ad_shape *x, const ad_shape *shape, const int64_t *index) {
  int64_t own[AD_MAX_RANK];
  for (int i = 0; i < x->rank; i++) own[i] = x->dim[i] == 1 ? 0 : index[shape->rank - x->rank + i];
  return ad_position(x, own);
}

ad_status ad_move_open(ad_move *m, const ad_graph *g, ad_node z, ad_error *e) {
  *m = (ad_move){.g = g, .z = z, .op = ad_graph_node_op(g, z)};
  m->nargs = ad_graph_node_args(g, z, &m->args);
  if (m->op != AD_OP_CONCAT) return AD_OK;
  const int64_t axis = ad_graph_node_attr(g, z, 0).value[0];
  int64_t end = 0;
  if (!(m->ends = ad_malloc(m->nargs, sizeof *m->ends))) return ad_fail_memory(e);
  for (size_t k = 0; k < m->nargs; k++) m->ends[k] = end += ad_graph_node_shape(g, m->args[k])->dim[axis];
  return AD_OK;
}

void ad_move_close(ad_move *m) {
  ad_free(m->ends);
  m->ends = NULL;
}

static size_t sliced(const ad_move *m, const ad_shape *x, const int64_t *index) {
  const int64_t *start = ad_graph_node_attr(m->g, m->z, 0).value, *step = ad_graph_node_attr(m->g, m->z, 2).value;
  const ad_attr squeeze = ad_graph_node_attr(m->g, m->z, 3);
  int64_t own[AD_MAX_RANK];
  for (int i = 0, d = 0, j = 0; i < x->rank; i++) {
    const bool gone = j < squeeze.shape.dim[0] && squeeze.value[j] == i;
    own[i] = start[i] + (gone ? 0 : step[i] * index[d]);
    gone ? j++ : d++;
  }
  return ad_position(x, own);
}

static size_t gathered(const ad_move *m, const ad_shape *x, const int64_t *index) {
  const ad_attr table = ad_graph_node_attr(m->g, m->z, 0);
  const int64_t axis = ad_graph_node_attr(m->g, m->z, 1).value[0];
  int64_t own[AD_MAX_RANK];
  for (int i = 0; i < x->rank; i++) {
    if (i != axis) {
      own[i] = index[i < axis ? i : i - 1 + table.shape.rank];
      continue;
    }
    const int64_t at = table.value[ad_position(&table.shape, index + axis)];
    own[i] = at < 0 ? at + x->dim[i] : at;
  }
  return ad_position(x, own);
}

size_t ad_move_source(const ad_move *m, const int64_t *index, size_t i, size_t *element) {
  const ad_shape *z = ad_graph_node_shape(m->g, m->z), *x = ad_graph_node_shape(m->g, m->args[0]);
  int64_t own[AD_MAX_RANK];
  size_t k = 0;
  switch (m->op) {
    case AD_OP_TRANSPOSE: {
      const int64_t *perm = ad_graph_node_attr(m->g, m->z, 0).value;
      for (int d = 0; d < z->rank; d++) own[perm[d]] = index[d];
      *element = ad_position(x, own);
      break;
    }
    case AD_OP_BROADCAST_TO:
      *element = ad_broadcast_element(x, z, index);
      break;
    case AD_OP_SLICE:
      *element = sliced(m, x, index);
      break;
    case AD_OP_GATHER:
      *element = gathered(m, x, index);
      break;
    case AD_OP_CONCAT: {
      const int64_t axis = ad_graph_node_attr(m->g, m->z, 0).value[0];
      for (size_t end = m->nargs; k < end;) {
        const size_t mid = k + (end - k) / 2;
        if (m->ends[mid] <= index[axis])
          k = mid + 1;
        else
          end = mid;
      }
      memcpy(own, index, sizeof own);
      if (k) own[axis] -= m->ends[k - 1];
      *element = ad_position(ad_graph_node_shape(m->g, m->args[k]), own);
      break;
    }
    case AD_OP_STACK: {
      const int64_t axis = ad_graph_node_attr(m->g, m->z, 0).value[0];
      for (int d = 0, j = 0; d < z->rank; d++)
        if (d != axis) own[j++] = index[d];
      k = (size_t)index[axis];
      *element = ad_position(x, own);
      break;
    }
    default: /* reshape */
      *element = i;
  }
  return k;
}
