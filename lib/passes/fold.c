/* Constant folding: exact arithmetic and moves of constants.  What may be folded is said in fold_element.h. */
#include <math.h>
#include <string.h>

#include "error.h"
#include "ir/move.h"
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
} fold;

static bool keeps_numbers(ad_op op) {
  return ad_is_move(op) || op == AD_OP_WHERE;
}

/* Whether there is something to fold, and not too much: a result may be as large as its operands together. */
static bool foldable(fold *f) {
  const ad_graph *g = f->g;
  uint64_t numbers = 0;
  f->op = g->op[f->z];
  if (f->op <= AD_OP_CONSTANT || (!ad_folds_element(f->op) && !keeps_numbers(f->op))) return false;
  f->nargs = ad_graph_args(g, f->z, &f->args);
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

static ad_operand_number number(const ad_graph *g, ad_node n, size_t i) {
  const ad_values v = ad_graph_node_values(g, n);
  const size_t at = v.count == 1 ? 0 : i;
  return (ad_operand_number){v.value[at], ad_values_text(&v, at)};
}

static ad_status push(ad_numbers *out, ad_operand_number v, ad_error *e) {
  return v.text ? ad_numbers_push_text(out, v.text, strlen(v.text), e) : ad_numbers_push_double(out, v.value, e);
}

/* ---- The numbers of the result */

static ad_status fold_one(const fold *f, const ad_move *move, ad_folding *room, const int64_t *index, size_t i,
                          ad_numbers *out, bool *folds, ad_error *e) {
  if (ad_is_move(f->op)) {
    size_t element, k = ad_move_source(move, index, i, &element);
    return push(out, number(f->g, f->args[k], element), e);
  }
  ad_operand_number a[MOST_ARGS];
  for (size_t k = 0; k < f->nargs; k++)
    a[k] = number(f->g, f->args[k],
                  ad_broadcast_element(ad_graph_node_shape(f->g, f->args[k]), ad_graph_node_shape(f->g, f->z), index));
  if (f->op != AD_OP_WHERE) return ad_fold_element(room, f->op, a, f->size <= FEW, out, folds, e);
  *folds = !a[0].text; /* a text may round to 0 */
  return *folds ? push(out, a[a[0].value != 0 ? 1 : 2], e) : AD_OK;
}

/* What numbers take, in numbers. */
static uint64_t taken(const ad_numbers *n) {
  return (uint64_t)n->count + n->text_size / sizeof(double);
}

static ad_status fold_all(fold *f, ad_numbers *out, bool *folds, ad_error *e) {
  const ad_shape *z = ad_graph_node_shape(f->g, f->z);
  int64_t index[AD_MAX_RANK] = {0};
  ad_folding room;
  ad_move move = {0};
  ad_status s = ad_is_move(f->op) ? ad_move_open(&move, f->g, f->z, e) : AD_OK;
  ad_folding_init(&room);
  for (size_t i = 0; !s && *folds && i < f->size; i++) {
    s = fold_one(f, &move, &room, index, i, out, folds, e);
    *folds = *folds && taken(out) <= f->room;
    ad_next_index(z, index);
  }
  ad_folding_clear(&room);
  ad_move_close(&move);
  return s;
}

/* A move keeps what its operands were rounded to, if that is the same for all. */
static ad_dtype dtype_of(const fold *f) {
  const ad_dtype first = ad_graph_node_dtype(f->g, f->args[0]);
  if (!ad_is_move(f->op)) return AD_EXACT;
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
