/* Elementwise runs in SIMD, for the instruction set of the machine. */
#ifndef AD_EXEC_LANES_H
#define AD_EXEC_LANES_H

#include <stdbool.h>

#include "adtool.h"
#include "exec/points.h"
#include "exec/tape.h"

/* One run of n elements; strides are 0 (one element for all) or 1.  Whoever runs it uses it up: its pointers change. */
typedef struct ad_lane_run {
  const ad_kinks *kinks;
  unsigned op, active;
  size_t n;
  const double *z, *x, *y, *w;
  size_t sx, sy, sw;
  const double *xd, *yd, *wd; /* tangents */
  double *xb, *yb, *wb;       /* adjoints */
  double *xk, *yk, *wk;       /* partials kept for the reverse sweep; NULL: not */
} ad_lane_run;

enum { AD_POINTS = 8 }; /* doubles of the widest vector */

/* A block of scalars at many points. */
typedef struct ad_points {
  const ad_kinks *kinks;
  const ad_points_op *op;
  uint32_t count;
  size_t n;        /* points, a multiple of AD_POINTS */
  double *adjoint; /* NULL: rows are the code's; else every adjoint lies where the program has it, and is added to */
} ad_points;

/* Taylor series of AD_POINTS elements: rows of so many numbers, coefficient by coefficient. */
typedef struct ad_taylor {
  unsigned op, active;
  size_t order;
  double *z; /* row 0: the values */
  const double *x, *y;
  double *p, *q; /* room */
} ad_taylor;

enum { AD_FEW_COLUMNS = 16 };

/* z (m x n) = x (m x k) y (k x n), or added to z, for n of at most AD_FEW_COLUMNS; rows and columns of x and y lie so
 * far apart. */
typedef struct ad_small_product {
  double *z;
  const double *x, *y;
  size_t m, k, n, xrow, xcolumn, yrow, ycolumn;
  bool add;
} ad_small_product;

struct ad_lanes {
  const char *name;
  const ad_tape *tape;
  bool (*supported)(void);
  void (*primal)(ad_lane_run *r, double *z);
  void (*record)(ad_lane_run *r, double *z); /* primal, and the partials for which there is room */
  void (*tangent)(ad_lane_run *r, size_t planes, size_t plane, double *zd);
  void (*adjoint)(ad_lane_run *r, const double *zbar); /* partials: kept, or computed */
  void (*gather)(double *out, const double *plane, const uint32_t *at, size_t n);
  /* plane[at[i]] += partial[i * stride] * zbar[i], one after the other; nothing where zbar is 0, or where `branch` and
   * the partial is 0. */
  void (*scatter)(double *plane, const uint32_t *at, size_t n, const double *zbar, const double *partial, size_t stride,
                  bool branch);
  /* kept: where the partials of the block start, or, on the way back, end; returns the other end. */
  double *(*points_primal)(const ad_points *t, double *kept);
  double *(*points_adjoint)(const ad_points *t, double *kept);
  bool (*taylor)(const ad_taylor *t);       /* false: not of this operation; what is not finite may be wrong */
  double (*sum)(const double *x, size_t n); /* in a fixed tree */
  void (*sums)(double *out, const double *x, size_t lines, size_t n); /* of lines of n > 0, one behind the other */
  void (*product)(const ad_small_product *p);
  /* Adds zbar[o] * part to all of line o; nothing where zbar is 0. */
  void (*spread)(double *xbar, const double *zbar, size_t lines, size_t n, double part);
  double (*largest)(const double *x, size_t n); /* the first of them, or a NaN; n > 0 */
  bool (*all_finite)(const double *x, size_t n);
};

extern const ad_lanes ad_lanes_sse2, ad_lanes_avx2, ad_lanes_avx512;

/* The widest that this machine has, or the one that the environment variable ADTOOL_SIMD names (sse2, avx2, avx512);
 * NULL for "none", and where the library was built without. */
const ad_lanes *ad_lanes_choose(void);

#endif
