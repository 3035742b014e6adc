/* Programs: a graph made ready to run.  One instruction for each operation that is needed, in topological order; each
 * node's elements lie at an offset of one flat buffer (of values, tangents or adjoints alike). */
#ifndef AD_PROGRAM_H
#define AD_PROGRAM_H

#include "adtool.h"
#include "ir/ops.h"

/* How an instruction finds its operands. */
typedef enum ad_form {
  AD_FORM_SCALAR, /* elementwise on scalars: arg[] are offsets */
  AD_FORM_RUNS,   /* elementwise on tensors: step[arg[0]] */
  AD_FORM_KERNEL  /* structured: step[arg[0]] */
} ad_form;

typedef struct ad_instr {
  uint8_t op;
  uint8_t form;
  uint8_t active; /* bit i: argument i depends on an input of wrt (elementwise) */
  uint8_t nargs;  /* elementwise */
  uint32_t out;
  uint32_t arg[3];
} ad_instr;

/* A strided copy: out[out0 + sum i_d out_d] from in[in0 + sum i_d in_d] for every index i below dim. */
typedef struct ad_move {
  uint32_t arg; /* which argument */
  int rank;
  int64_t dim[AD_MAX_RANK];
  int64_t in0, in[AD_MAX_RANK];
  int64_t out0, out[AD_MAX_RANK];
} ad_move;

typedef struct ad_operand {
  uint32_t offset;
  uint32_t size;
  bool active;
} ad_operand;

/* What an instruction on tensors needs to know; which part holds follows from its kernel. */
typedef struct ad_step {
  ad_node node;
  ad_kernel kernel;
  uint32_t size;  /* elements of the result */
  size_t operand; /* first of its operands */
  uint32_t operand_count;
  union {
    struct { /* ELEMENT: loops from outside inwards; the last is the run */
      int rank;
      int64_t dim[AD_MAX_RANK];
      int64_t stride[3][AD_MAX_RANK]; /* of the arguments */
    } loop;
    struct { /* MOVE */
      size_t first, count;
    } moves;
    struct { /* GATHER, SCATTER_ADD: x is [outer, length, inner], the table has `count` entries */
      int64_t outer, length, inner, count;
      const int64_t *index; /* borrows from the graph */
    } table;
    struct { /* REDUCE, ALONG: element r of line o lies at offsets[line + o] + offsets[within + r] */
      size_t line, within;
      uint32_t lines, length;
    } lines;
    struct { /* MATMUL: `batch` products [m, k] x [k, n]; argument offsets of product b at offsets[x + b], [y + b] */
      uint32_t batch, m, k, n;
      size_t x, y;
    } product;
  } u;
} ad_step;

struct ad_program {
  const ad_graph *graph;
  size_t instr_count;
  ad_instr *instr;
  ad_node *node_of;    /* of each instruction */
  uint32_t *offset;    /* of each node; UINT32_MAX: not in the program */
  uint32_t size;       /* elements of the buffer */
  uint32_t input_size; /* inputs lie at its start */
  uint32_t scratch;    /* elements that the largest kernel needs */
  uint8_t *active;     /* of each node */
  size_t wrt_count;
  ad_node *wrt;
  size_t step_count, step_capacity;
  ad_step *step;
  size_t operand_count, operand_capacity;
  ad_operand *operand;
  size_t move_count, move_capacity;
  ad_move *move;
  size_t table_count, table_capacity;
  uint32_t *table;
};

/* Fills the kernel's part of a step (plan.c). */
ad_status ad_plan_step(ad_program *p, ad_step *step, ad_node n, ad_error *e);

/* Walks index space row by row: position[k] follows stride[k] of each of `count` operands. */
typedef struct ad_odometer {
  int rank;
  int64_t index[AD_MAX_RANK];
} ad_odometer;

static inline bool ad_odometer_next(ad_odometer *o, const int64_t *dim, int count, int64_t *position,
                                    const int64_t (*stride)[AD_MAX_RANK]) {
  for (int d = o->rank - 1; d >= 0; d--) {
    for (int k = 0; k < count; k++) position[k] += stride[k][d];
    if (++o->index[d] < dim[d]) return true;
    for (int k = 0; k < count; k++) position[k] -= dim[d] * stride[k][d];
    o->index[d] = 0;
  }
  return false;
}

#endif
