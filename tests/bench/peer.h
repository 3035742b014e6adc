/* What a peer's file fills in. */
#ifndef AD_BENCH_PEER_H
#define AD_BENCH_PEER_H

#include "bench/code.h"
#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_peer {
  void (*run)(struct bench_peer *p);
  const double *result;               /* gradient, or entries of a matrix */
  void (*plan)(struct bench_peer *p); /* of a matrix: does once more what comes before the first run */
} bench_peer;

/* The Jacobian of a code's outputs, or the Hessian of its one output, by all inputs: its entries row by row, and how
 * they follow from few columns.  Column j of the seeds is the sum of the unit columns that have colour j, and entry k
 * is number (line[k], from[k]) of the matrix times these seeds. */
typedef struct bench_matrix {
  const code *c;
  bool hessian, dense;
  size_t rows, entries;
  const size_t *start; /* rows + 1 */
  const uint32_t *column;
  size_t colours;
  const uint32_t *colour, *line, *from;
} bench_matrix;

/* Makes a code ready to be differentiated at its own inputs; false: configure has not found the peer. */
bool bench_adolc_open(bench_peer **p, const code *c);
bool bench_asl_open(bench_peer **p, const code *c);
/* The same for a matrix.  The result has its entries in order. */
bool bench_adolc_matrix(bench_peer **p, const bench_matrix *m);
bool bench_asl_matrix(bench_peer **p, const bench_matrix *m);
/* The Taylor coefficients 0 .. order of the last entry along x + t (1, ..., 1). */
bool bench_adolc_series(bench_peer **p, const code *c, int order);
/* Loads a .nl file and leaves it. */
bool bench_asl_load(const char *path);

#ifdef __cplusplus
}
#endif

#endif
