/* Blocks of scalars at a block of points, made ready: what to do for each scalar in one word, and where its numbers and
 * adjoints lie.  Where only outputs are read, scalars that are needed at different times share rows of numbers, so that
 * more points fit into a cache. */
#ifndef AD_EXEC_POINTS_H
#define AD_EXEC_POINTS_H

#include "exec/first.h"
#include "exec/program.h"

/* Rows of numbers, one a point: [0] is that of the result, then those of the arguments. */
typedef struct ad_points_op {
  uint16_t primal, back; /* AD_POINTS_VALUE ..., AD_POINTS_BACK ... */
  uint8_t keeps;         /* partials */
  uint32_t element[4];   /* where the program has them */
  double *value[4], *adjoint[4];
  const double *before[4]; /* what an argument's share is added to: its adjoint, or zeros if nothing was added yet */
} ad_points_op;

#define AD_POINTS_VALUE(op) (op)
#define AD_POINTS_RECORD(op) (256u + (op)) /* the value and the partials that the way back wants kept */
#define AD_POINTS_BACK(op, active) ((op)*8u + (active))
#define AD_POINTS_KEPT(active) AD_POINTS_BACK(AD_OP_COUNT, active) /* by partials that were kept */

typedef struct ad_points_code {
  ad_points_op *op;
  size_t *start; /* of each block of the program: its first one */
  double *zeros;
} ad_points_code;

typedef struct ad_points_planes {
  size_t points;
  double *value, *adjoint; /* NULL: no way back */
  bool share;              /* nothing but outputs is read, and no tangents are wanted */
} ad_points_planes;

ad_points_code *ad_points_code_new(const ad_program *p, const ad_first *first,
                                   ad_points_planes planes); /* NULL: out of memory */
void ad_points_code_free(ad_points_code *c);
uint64_t ad_points_code_bytes(const ad_program *p);

#endif
