/* Arguments for tests of elementwise operations: the same rules for every row of the table. */
#ifndef AD_TESTS_OP_POINTS_H
#define AD_TESTS_OP_POINTS_H

#include <stddef.h>

#include "adtool.h"

typedef struct op_points {
  size_t nargs, count, capacity;
  double *arg[3]; /* `count` values each */
} op_points;

/* Every combination of edge values (zeros, ones, powers of two and ten, the ends of double's range, subnormals,
 * infinities, nan, neighbours of poles and of zeros), as ulps_tries has them, and, scaled by ADTOOL_TEST_MULTIPLIER,
 * random arguments of many magnitudes; an argument that the row calls "n" is a small integer. */
op_points op_points_everywhere(const ad_op_info *info);
/* Random arguments of moderate magnitude, none of them 0. */
op_points op_points_ordinary(const ad_op_info *info, size_t count);
/* Every combination, as ulps_tries has them, of zeros, infinities, nan, and a few numbers that are tiny, ordinary and
 * huge, both signs. */
op_points op_points_special(const ad_op_info *info);
void op_points_free(op_points *p);

#endif
