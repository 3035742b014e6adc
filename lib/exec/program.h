/* Programs: a graph made ready to run.  Each node's elements lie at an offset of one flat buffer (of values, tangents
 * or adjoints alike); the operations that are needed are a sequence of blocks in topological order. */
#ifndef AD_PROGRAM_H
#define AD_PROGRAM_H

#include "adtool.h"
#include "ir/ops.h"

typedef enum ad_block_kind {
  AD_BLOCK_MIXED, /* scalars, each its own operation */
  AD_BLOCK_SAME,  /* scalars, one operation, none an argument of another */
  AD_BLOCK_RUNS,  /* one elementwise operation on tensors */
  AD_BLOCK_FUSED, /* several, on tensors of one size: strip by strip */
  AD_BLOCK_KERNEL /* one structured operation */
} ad_block_kind;

/* The tree in which many numbers are added up, the same everywhere (TREE_SUM in kernels.inc): leaves of so many, each
 * added in so many ways side by side; and room for it. */
enum { AD_TREE_WAYS = 8, AD_TREE_LEAF = 128, AD_TREE_LEVELS = 64 };

/* How a matrix product is made (kernels.inc): whether one factor is a derivative, or may be one, and whose zeros
 * multiply nothing. */
enum { AD_OF_VALUES = 0, AD_OF_DERIVATIVES = 1, AD_SKIP_X = 2, AD_SKIP_Y = 4 };

/* How the scalars of a SAME block, or the elements of a FUSED one, find an argument. */
typedef enum ad_access {
  AD_ACCESS_LIST, /* SAME: at a list of offsets */
  AD_ACCESS_RUN,  /* one behind the other */
  AD_ACCESS_ONE,  /* all at one offset */
  AD_ACCESS_STRIP /* FUSED: in the strip at hand */
} ad_access;

typedef struct ad_block {
  uint8_t kind;
  uint8_t op, nargs; /* not MIXED, but for a chain: there op is ADD or MUL, and each scalar's first argument is the one
                      * before it; else 0 */
  uint8_t active;    /* bit i: argument i depends on an input of wrt; KERNEL, FUSED: 1; not MIXED */
  uint8_t access[3]; /* SAME, flat RUNS: of each argument */
  bool apart;        /* FUSED: strips add to adjoints of their own */
  bool flat;         /* RUNS: one loop, through which arguments go as the result does or stay */
  bool shares;       /* its results lie where earlier ones lay, whose adjoints are to be 0 before them */
  uint32_t count;    /* scalars; FUSED: operations; flat RUNS: elements; 1 for other tensors */
  uint32_t out;      /* offset of the first result; those of the other scalars follow */
  uint32_t step;     /* RUNS, KERNEL: its number; FUSED: elements */
  size_t arg;        /* its first word in the program's arg: MIXED has two a scalar; SAME has for each argument in turn
                      * `count` (LIST) or one */
  size_t first; /* MIXED: of its first scalar in the program's op and dep; FUSED: in the program's fused; flat RUNS: of
                 * its first operand in the program's operand */
} ad_block;

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

/* A strip has at most so many elements. */
enum { AD_STRIP = 1024 };

/* One operation of a FUSED block. */
typedef struct ad_fused {
  ad_node node;
  uint8_t op, nargs, active;
  uint8_t access[3];
  bool inside; /* its result is in a strip */
  bool again;  /* the way back computes it once more, if it keeps partials */
  uint32_t out, arg[3];
} ad_fused;

/* What an instruction on tensors needs to know; which part holds follows from its kernel. */
typedef struct ad_step {
  ad_node node;
  ad_kernel kernel;
  bool fused;     /* in a FUSED block */
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
      bool joined; /* no moves, but the operands, one behind the other, make the result */
    } moves;
    struct { /* GATHER, SCATTER_ADD: x is [outer, length, inner], the table has `count` entries */
      int64_t outer, length, inner, count;
      const int64_t *index; /* borrows from the graph */
    } table;
    struct { /* REDUCE, ALONG: element r of line o lies at offsets[line + o] + offsets[within + r] */
      size_t line, within;
      uint32_t lines, length;
      uint32_t stride; /* between elements of a line; 0: not the same between all */
      uint32_t across; /* so many neighbouring lines start side by side, from every multiple of it on */
    } lines;
    struct { /* MATMUL: `batch` products [m, k] x [k, n]; argument offsets of product b at offsets[x + b], [y + b] */
      uint32_t batch, m, k, n;
      size_t x, y;
    } product;
  } u;
} ad_step;

struct ad_program {
  const ad_graph *graph;
  size_t block_count, block_capacity;
  ad_block *block;
  size_t mixed_count, mixed_capacity[2];
  uint8_t *op, *dep; /* of each scalar in MIXED blocks: its operation, the arguments that depend on inputs of wrt */
  size_t arg_count, arg_capacity;
  uint32_t *arg;       /* offsets of scalars' arguments */
  size_t kept_one;     /* partials that a reverse sweep wants kept of one point, */
  size_t kept_block;   /* and of each point in a block of them */
  size_t kept_fused;   /* while a strip goes back */
  uint32_t *offset;    /* of each node; AD_ABSENT: not in the program, or only in strips */
  uint32_t size;       /* elements of the buffer; one more lies behind them, for what nobody reads */
  uint32_t input_size; /* inputs lie at its start */
  bool outputs_only;   /* nothing else is read afterwards, but inputs */
  bool of_derivatives; /* values are products of derivatives: the graph of a derivative, */
  bool hides_nan;      /* and a comparison or the like may hide that one of them is nan */
  bool packed;         /* some tensors lie where others lay before */
  uint32_t strips;     /* elements at the end of the buffer for the strips of one block */
  uint32_t scratch;    /* elements that the largest kernel needs */
  uint64_t largest;    /* work of the largest step in elements: 64 multiplications of a product count as one */
  uint8_t *active;     /* of each node */
  size_t wrt_count;
  ad_node *wrt;
  size_t output_count;
  ad_node *output;
  size_t step_count, step_capacity;
  ad_step *step;
  size_t operand_count, operand_capacity;
  ad_operand *operand;
  size_t move_count, move_capacity;
  ad_move *move;
  size_t table_count, table_capacity;
  uint32_t *table;
  size_t fused_count;
  ad_fused *fused;
};

#define AD_ABSENT UINT32_MAX
enum {
  AD_SPARE_ARGS = 32, /* words before and behind the program's arg, all 0 */
  AD_SPARE = 8        /* elements between the buffer and what an engine puts behind it */
};

/* One scalar of a MIXED or SAME block. */
typedef struct ad_scalar {
  uint8_t op, nargs, active;
  uint32_t out, arg[3];
} ad_scalar;

static inline ad_scalar ad_block_scalar(const ad_program *p, const ad_block *b, uint32_t j) {
  const uint32_t *arg = p->arg + b->arg;
  if (b->kind == AD_BLOCK_MIXED) {
    const uint8_t op = p->op[b->first + j];
    return (ad_scalar){op, ad_op_rule_get(op)->nargs, p->dep[b->first + j], b->out + j, {arg[2 * j], arg[2 * j + 1]}};
  }
  ad_scalar s = {b->op, b->nargs, b->active, b->out + j, {0}};
  for (unsigned k = 0; k < b->nargs; k++) {
    s.arg[k] = b->access[k] == AD_ACCESS_LIST ? arg[j] : b->access[k] == AD_ACCESS_RUN ? *arg + j : *arg;
    arg += b->access[k] == AD_ACCESS_LIST ? b->count : 1;
  }
  return s;
}

/* How many partials of a scalar a reverse sweep over a block of points wants kept. */
static inline size_t ad_scalar_keeps(ad_op op, uint8_t active) {
  return ad_op_rule_get(op)->smoothness == AD_COSTLY ? (active & 1u) + (active >> 1 & 1u) + (active >> 2 & 1u) : 0;
}

/* What those read that are computed on the way back, not kept: bit 0: the value, bit k: argument k - 1. */
unsigned ad_scalar_reads_back(ad_op op, uint8_t active);

/* Whether a MIXED block is a chain, which keeps nothing at one point. */
static inline bool ad_block_is_chain(const ad_block *b) {
#ifdef ADTOOL_PLANT
  (void)b; /* what is planted is planted in the tape */
  return false;
#else
  return b->kind == AD_BLOCK_MIXED && b->op;
#endif
}

static inline size_t ad_block_scalar_keeps(const ad_program *p, const ad_block *b, uint32_t j) {
  return b->kind == AD_BLOCK_MIXED ? ad_scalar_keeps(p->op[b->first + j], p->dep[b->first + j])
                                   : ad_scalar_keeps(b->op, b->active);
}

/* Whether a reverse sweep wants the partials of an operation kept from the primal one: always where they cost more than
 * to load them; in a SAME block also where they would have to be gathered. */
static inline bool ad_block_keeps(const ad_block *b) {
  const ad_smoothness smooth = ad_op_rule_get(b->op)->smoothness;
  if (smooth == AD_COSTLY) return true;
  if (b->kind != AD_BLOCK_SAME || smooth == AD_LINEAR) return false;
  for (unsigned k = 0; k < b->nargs; k++)
    if (b->access[k] == AD_ACCESS_LIST) return true;
  return false;
}

/* Fills the kernel's part of a step (plan.c). */
ad_status ad_plan_step(ad_program *p, ad_step *step, ad_node n, ad_error *e);

/* How many partials the reverse sweep finds kept: anew, where blocks became less active. */
void ad_program_count_kept(ad_program *p);

/* Of the derivatives by inputs of wrt only those of these nodes will be read: what leads to none of them, or has
 * nothing but zeros to give because of a comparison or another step, is no longer active (narrow.c). */
ad_status ad_program_narrow(ad_program *p, const ad_node *nodes, size_t count, ad_error *e);

/* Whether the node is an operation that the program carries out. */
bool ad_program_runs(const ad_program *p, ad_node n);
/* A node's operation as it is carried out. */
ad_op ad_lowered_op(const ad_graph *g, ad_node n);

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
