/* Constant folding: exact arithmetic and moves of constants.  What may be folded is said in fold_element.h. */
#include <math.h>
#include <string.h>

#include "error.h"
#include "mem.h"
#include "passes/fold_element.h"
#include "passes/passes.h"

enum {
  FEW = 16, /* so many numbers are always few enough, also as texts */
  MOST_ARGS = 3
};

typedef struct fold {
  const ad_graph *g;
  ad_node z;
  ad_op op;
  size_t nargs, size; /* size: numbers of the result */
  const ad_node *args;
  bool splat; /* all operands repeat one number, and so does the result */
  uint64_t room;
  int64_t *ends; /* concat: of each operand on the axis */
} fold;

static bool is_move(ad_op op) {
  return ad_op_rule_get(op)->kernel == AD_KERNEL_MOVE || op == AD_OP_GATHER || op == AD_OP_WHERE;
}

/* Whether there is something to fold, and not too much: a result may be as large as its operands together. */
static bool foldable(fold *f) {
  const ad_graph *g = f->g;
  uint64_t numbers = 0;
  f->op = g->op[f->z];
  if (f->op <= AD_OP_CONSTANT || (!ad_folds_element(f->op) && !is_move(f->op))) return false;
  f->nargs = ad_graph_node_args(g, f->z, &f->args);
  f->splat = f->op != AD_OP_STACK && f->op != AD_OP_CONCAT;
  for (size_t k = 0; k < f->nargs; k++) {
    if (g->op[f->args[k]] != AD_OP_CONSTANT) return false;
    const size_t count = ad_graph_node_values(g, f->args[k]).count;
    f->splat = f->splat && count == 1;
    numbers += count;
  }
  const size_t elements = (size_t)ad_shape_size(ad_graph_node_shape(g, f->z));
  f->size = f->splat ? 1 : elements;
  return elements && f->size <= (numbers > FEW ? numbers : FEW) && f->size <= f->room;
}

/* ---- Where an element of the result comes from */

static size_t position(const ad_shape *s, const int64_t *index) {
  int64_t at = 0;
  for (int i = 0; i < s->rank; i++) at = at * s->dim[i] + index[i];
  return (size_t)at;
}

/* Element `index` of `shape` of an operand that broadcasts to it. */
static size_t broadcast(const ad_shape *x, const ad_shape *shape, const int64_t *index) {
  int64_t own[AD_MAX_RANK];
  for (int i = 0; i < x->rank; i++) own[i] = x->dim[i] == 1 ? 0 : index[shape->rank - x->rank + i];
  return position(x, own);
}

static size_t sliced(const fold *f, const ad_shape *x, const int64_t *index) {
  const int64_t *start = ad_graph_node_attr(f->g, f->z, 0).value, *step = ad_graph_node_attr(f->g, f->z, 2).value;
  const ad_attr squeeze = ad_graph_node_attr(f->g, f->z, 3);
  int64_t own[AD_MAX_RANK];
  for (int i = 0, d = 0, j = 0; i < x->rank; i++) {
    const bool gone = j < squeeze.shape.dim[0] && squeeze.value[j] == i;
    own[i] = start[i] + (gone ? 0 : step[i] * index[d]);
    gone ? j++ : d++;
  }
  return position(x, own);
}

static size_t gathered(const fold *f, const ad_shape *x, const int64_t *index) {
  const ad_attr table = ad_graph_node_attr(f->g, f->z, 0);
  const int64_t axis = ad_graph_node_attr(f->g, f->z, 1).value[0];
  int64_t own[AD_MAX_RANK];
  for (int i = 0; i < x->rank; i++) {
    if (i != axis) {
      own[i] = index[i < axis ? i : i - 1 + table.shape.rank];
      continue;
    }
    const int64_t at = table.value[position(&table.shape, index + axis)];
    own[i] = at < 0 ? at + x->dim[i] : at;
  }
  return position(x, own);
}

/* The operand and its element that a move takes to `index`, the element number i, of the result. */
static size_t source(const fold *f, const int64_t *index, size_t i, size_t *element) {
  const ad_shape *z = ad_graph_node_shape(f->g, f->z), *x = ad_graph_node_shape(f->g, f->args[0]);
  int64_t own[AD_MAX_RANK];
  size_t k = 0;
  switch (f->op) {
    case AD_OP_TRANSPOSE: {
      const int64_t *perm = ad_graph_node_attr(f->g, f->z, 0).value;
      for (int d = 0; d < z->rank; d++) own[perm[d]] = index[d];
      *element = position(x, own);
      break;
    }
    case AD_OP_BROADCAST_TO:
      *element = broadcast(x, z, index);
      break;
    case AD_OP_SLICE:
      *element = sliced(f, x, index);
      break;
    case AD_OP_GATHER:
      *element = gathered(f, x, index);
      break;
    case AD_OP_CONCAT: {
      const int64_t axis = ad_graph_node_attr(f->g, f->z, 0).value[0];
      for (size_t end = f->nargs; k < end;) {
        const size_t mid = k + (end - k) / 2;
        if (f->ends[mid] <= index[axis])
          k = mid + 1;
        else
          end = mid;
      }
      memcpy(own, index, sizeof own);
      if (k) own[axis] -= f->ends[k - 1];
      *element = position(ad_graph_node_shape(f->g, f->args[k]), own);
      break;
    }
    case AD_OP_STACK: {
      const int64_t axis = ad_graph_node_attr(f->g, f->z, 0).value[0];
      for (int d = 0, j = 0; d < z->rank; d++)
        if (d != axis) own[j++] = index[d];
      k = (size_t)index[axis];
      *element = position(x, own);
      break;
    }
    default: /* reshape */
      *element = i;
  }
  return k;
}

static ad_operand_number number(const ad_graph *g, ad_node n, size_t i) {
  const ad_values v = ad_graph_node_values(g, n);
  const size_t at = v.count == 1 ? 0 : i;
  return (ad_operand_number){v.value[at], ad_values_text(&v, at)};
}

static ad_status push(ad_numbers *out, ad_operand_number v, ad_error *e) {
  return v.text ? ad_numbers_push_text(out, v.text, strlen(v.text), e) : ad_numbers_push_double(out, v.value, e);
}

/* ---- The numbers of the result */

static ad_status fold_one(const fold *f, ad_folding *room, const int64_t *index, size_t i, ad_numbers *out, bool *folds,
                          ad_error *e) {
  if (is_move(f->op) && f->op != AD_OP_WHERE) {
    size_t element, k = source(f, index, i, &element);
    return push(out, number(f->g, f->args[k], element), e);
  }
  ad_operand_number a[MOST_ARGS];
  for (size_t k = 0; k < f->nargs; k++)
    a[k] = number(f->g, f->args[k],
                  broadcast(ad_graph_node_shape(f->g, f->args[k]), ad_graph_node_shape(f->g, f->z), index));
  if (f->op != AD_OP_WHERE) return ad_fold_element(room, f->op, a, f->size <= FEW, out, folds, e);
  *folds = !a[0].text; /* a text may round to 0 */
  return *folds ? push(out, a[a[0].value != 0 ? 1 : 2], e) : AD_OK;
}

static ad_status find_ends(fold *f, ad_error *e) {
  const int64_t axis = ad_graph_node_attr(f->g, f->z, 0).value[0];
  int64_t end = 0;
  if (!(f->ends = ad_malloc(f->nargs, sizeof *f->ends))) return ad_fail_memory(e);
  for (size_t k = 0; k < f->nargs; k++) f->ends[k] = end += ad_graph_node_shape(f->g, f->args[k])->dim[axis];
  return AD_OK;
}

/* What numbers take, in numbers. */
static uint64_t taken(const ad_numbers *n) {
  return (uint64_t)n->count + n->text_size / sizeof(double);
}

static ad_status fold_all(fold *f, ad_numbers *out, bool *folds, ad_error *e) {
  const ad_shape *z = ad_graph_node_shape(f->g, f->z);
  int64_t index[AD_MAX_RANK] = {0};
  ad_folding room;
  ad_status s = f->op == AD_OP_CONCAT ? find_ends(f, e) : AD_OK;
  ad_folding_init(&room);
  for (size_t i = 0; !s && *folds && i < f->size; i++) {
    s = fold_one(f, &room, index, i, out, folds, e);
    *folds = *folds && taken(out) <= f->room;
    for (int d = z->rank - 1; d >= 0 && ++index[d] == z->dim[d]; d--) index[d] = 0;
  }
  ad_folding_clear(&room);
  ad_free(f->ends);
  return s;
}

/* A move keeps what its operands were rounded to, if that is the same for all. */
static ad_dtype dtype_of(const fold *f) {
  const ad_dtype first = ad_graph_node_dtype(f->g, f->args[0]);
  if (!is_move(f->op) || f->op == AD_OP_WHERE) return AD_EXACT;
  for (size_t k = 1; k < f->nargs; k++)
    if (ad_graph_node_dtype(f->g, f->args[k]) != first) return AD_EXACT;
  return first;
}

/* Exponents of a constant base are numbers of one kind: all integers, or pow is another function (ad_lowered_op). */
static bool all_integers(const ad_graph *g, ad_node n) {
  const ad_values v = ad_graph_node_values(g, n);
  for (size_t i = 0; i < v.count; i++)
    if (ad_values_text(&v, i) || v.value[i] != floor(v.value[i]) || fabs(v.value[i]) > INT32_MAX) return false;
  return true;
}

ad_status ad_fold_constants(ad_rewrite *r, ad_node *z, ad_error *e) {
  fold f = {.g = r->g, .z = *z, .room = r->room};
  if (r->last & AD_EXPONENT || !foldable(&f)) return AD_OK;
  if (f.op == AD_OP_POW && !all_integers(r->g, f.args[1])) return AD_OK;
  ad_numbers *out = ad_numbers_new();
  bool folds = true;
  if (!out) return ad_fail_memory(e);
  ad_status s = fold_all(&f, out, &folds, e);
  if (!s && folds) {
    r->room -= taken(out);
    s = ad_rewrite_constant(r, out, dtype_of(&f), e);
  }
  ad_numbers_free(out);
  return s;
}
