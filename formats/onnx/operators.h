/* One node of a model: its operator's row, operands and attributes. */
#ifndef AD_ONNX_OPERATORS_H
#define AD_ONNX_OPERATORS_H

#include "onnx/emit.h"

struct ad_onnx_call;
typedef void ad_onnx_lower(ad_onnx_build *b, struct ad_onnx_call *c);

typedef struct ad_onnx_operator {
  const char *name;
  size_t min, max, outputs; /* operands, results at most */
  uint32_t constants;       /* bit i: operand i is a size or the like; a weight used in such places only is no input */
  const char *attributes;   /* those there are, with blanks between them */
  ad_onnx_lower *lower;
  ad_op op;
} ad_onnx_operator;

const ad_onnx_operator *ad_onnx_operator_find(const char *name); /* NULL: unknown */
size_t ad_onnx_operator_count(void);
const ad_onnx_operator *ad_onnx_operator_get(size_t i);

enum { AD_ONNX_OPERANDS = 16 }; /* in[] has at least so many; those not given have no type */
typedef struct ad_onnx_call {
  const Onnx__NodeProto *node;
  const ad_onnx_operator *row; /* NULL: a function's */
  ad_onnx_scope *scope;
  size_t inputs, outputs; /* as the node has them */
  ad_onnx_value *in, *out;
} ad_onnx_call;

/* Lowers the nodes of a graph or function into its scope. */
void ad_onnx_run(ad_onnx_build *b, ad_onnx_scope *s, size_t count, Onnx__NodeProto *const *nodes);

/* ---- Operands */

static inline bool ad_onnx_given(const ad_onnx_call *c, size_t i) {
  return i < c->inputs && c->in[i].type;
}
/* Whether result i has a name. */
bool ad_onnx_wanted(const ad_onnx_call *c, size_t i);
/* The elements of an operand of integers that must be known; NULL after a failure. */
const int64_t *ad_onnx_operand_ints(ad_onnx_build *b, ad_onnx_call *c, size_t i, const char *what, int64_t *count);
int64_t ad_onnx_operand_int(ad_onnx_build *b, ad_onnx_call *c, size_t i, const char *what);
/* Fails unless the operand has a rank of at least `least`. */
void ad_onnx_need_rank(ad_onnx_build *b, const ad_onnx_call *c, size_t i, int least);

/* ---- Attributes; a missing one is the default */

bool ad_onnx_has(const ad_onnx_call *c, const char *name);
int64_t ad_onnx_int(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t missing);
double ad_onnx_float(ad_onnx_build *b, const ad_onnx_call *c, const char *name, double missing);
const int64_t *ad_onnx_ints(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t *count);
/* Copies a list of `count` integers from the default to 2^30; a missing one is the default `count` times. */
void ad_onnx_list(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t *to, int count, int64_t missing);
const float *ad_onnx_floats(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t *count);
const char *ad_onnx_word(ad_onnx_build *b, const ad_onnx_call *c, const char *name, const char *missing);
/* Word i of a list, NULL when it is not that long. */
const char *ad_onnx_word_at(ad_onnx_build *b, const ad_onnx_call *c, const char *name, size_t i);
const Onnx__TensorProto *ad_onnx_tensor_of(ad_onnx_build *b, const ad_onnx_call *c, const char *name);
const Onnx__GraphProto *ad_onnx_graph_of(ad_onnx_build *b, const ad_onnx_call *c, const char *name);

/* An axis from 0, and a set of axes as a mask. */
int ad_onnx_axis(ad_onnx_build *b, int64_t axis, int rank);
unsigned ad_onnx_axes(ad_onnx_build *b, const int64_t *axes, int64_t count, int rank);

/* ---- Lowering functions, in the table operators.def, and where the operand is computed (selection.c) */

void ad_onnx_lower_gather_elements_computed(ad_onnx_build *b, ad_onnx_call *c);
void ad_onnx_lower_one_hot_computed(ad_onnx_build *b, ad_onnx_call *c, int axis, int64_t depth);
void ad_onnx_lower_arg_max_computed(ad_onnx_build *b, ad_onnx_call *c, int axis, bool last, bool keep);

#define OPERATOR(name, min, max, outputs, constants, attributes, lower, op) ad_onnx_lower ad_onnx_lower_##lower;
#include "onnx/operators.def"

#endif
