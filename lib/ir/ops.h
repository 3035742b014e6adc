/* The operation table as the library sees it. */
#ifndef AD_OPS_H
#define AD_OPS_H

#include "adtool.h"

/* The internal numbers of the operations: the leaves, then the rows of ops.def in order. */
enum {
  AD_OP_INPUT,
  AD_OP_CONSTANT,
#define UNARY(ID, ...) AD_OP_##ID,
#define BINARY(ID, ...) AD_OP_##ID,
#define TERNARY(ID, ...) AD_OP_##ID,
#define LOWERED(ID, ...) AD_OP_##ID,
#define STRUCTURED(ID, ...) AD_OP_##ID,
#include "ops.def"
  AD_OP_COUNT
};

enum { AD_MAX_ATTRS = 4 };

typedef enum ad_smoothness { AD_LINEAR, AD_SMOOTH, AD_COSTLY, AD_BRANCH, AD_STEP } ad_smoothness;
typedef enum ad_kernel {
  AD_KERNEL_NONE,
  AD_KERNEL_ELEMENT,
  AD_KERNEL_MATMUL,
  AD_KERNEL_MOVE,
  AD_KERNEL_GATHER,
  AD_KERNEL_SCATTER_ADD,
  AD_KERNEL_REDUCE,
  AD_KERNEL_ALONG
} ad_kernel;

/* A shape rule's view of one application; it normalises the attributes and sets the shape. */
typedef struct ad_infer {
  ad_op op;
  size_t nargs;
  const ad_shape *const *arg;                  /* shapes of the arguments */
  ad_attr attr[AD_MAX_ATTRS];                  /* in the row's order; value NULL: absent */
  int64_t room[AD_MAX_ATTRS][2 * AD_MAX_RANK]; /* for normalised values */
  ad_shape shape;                              /* out */
} ad_infer;
typedef ad_status ad_infer_fn(ad_infer *in, ad_error *e);

/* What the public row leaves out. */
typedef struct ad_op_rule {
  ad_smoothness smoothness;
  ad_kernel kernel;
  uint8_t nargs; /* elementwise */
  uint8_t attrs;
  ad_infer_fn *infer; /* NULL: elementwise */
} ad_op_rule;
extern const ad_op_rule ad_op_rules[];
static inline const ad_op_rule *ad_op_rule_get(ad_op op) {
  return &ad_op_rules[op];
}

/* The structure of an elementwise operation's derivatives: bit k says that the partial by argument k is other than zero
 * somewhere; bit AD_SECOND(i, k), i <= k, the same of a second partial off kinks. */
unsigned ad_op_depends(ad_op op);
#define AD_SECOND(i, k) (1u << (3 * (i) + (k)))
unsigned ad_op_curvature(ad_op op);

/* The shape rules (infer.c). */
ad_status ad_infer_broadcast_shapes(ad_shape *out, const ad_shape *const *arg, size_t nargs, const char *op,
                                    ad_error *e);
ad_infer_fn ad_infer_matmul, ad_infer_matmul_no_nan, ad_infer_dot, ad_infer_transpose, ad_infer_reshape,
    ad_infer_broadcast, ad_infer_slice, ad_infer_concat, ad_infer_stack, ad_infer_gather, ad_infer_scatter_add,
    ad_infer_reduce, ad_infer_along;

#endif
