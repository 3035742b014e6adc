#include "op_points.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "ulps.h"

enum { RANDOM_POINTS = 3000 };

static void push(op_points *p, double x, double y, double w) {
  const double v[3] = {x, y, w};
  if (p->count == p->capacity) {
    p->capacity = 2 * p->capacity + 1024;
    for (size_t k = 0; k < p->nargs; k++) {
      p->arg[k] = realloc(p->arg[k], p->capacity * sizeof *p->arg[k]);
      ck_assert_ptr_nonnull(p->arg[k]);
    }
  }
  for (size_t k = 0; k < p->nargs; k++) p->arg[k][p->count] = v[k];
  p->count++;
}

/* The positive half of the edge values; with their negatives, zeros and nan. */
static const double edges[] = {0x1p-1074,
                               0x1.8p-1060,
                               DBL_MIN *(1 - DBL_EPSILON),
                               DBL_MIN,
                               0x1p-1000,
                               1e-200,
                               1e-155,
                               1e-100,
                               0x1p-54,
                               1e-10,
                               1e-5,
                               0.01,
                               0.25,
                               0.5 - DBL_EPSILON / 4,
                               0.5,
                               0x1.5555555555555p-1,
                               1 - DBL_EPSILON / 2,
                               1,
                               1 + DBL_EPSILON,
                               0x1.7504f333f9de6p+0,
                               0x1.921fb54442d18p+0, /* pi/2 */
                               2 - DBL_EPSILON,
                               2,
                               2 + 2 * DBL_EPSILON,
                               2.5,
                               3,
                               0x1.921fb54442d18p+1,
                               7,
                               10.5,
                               19,
                               26.6,
                               36.75,
                               100,
                               170.7,
                               355, /* near 113 pi */
                               708.5,
                               0x1.62e42fefa39efp+9, /* where exp overflows */
                               745.2,
                               1000.5,
                               1e5,
                               1e8,
                               0x1p52 + 0.5,
                               0x1p53,
                               1e22,
                               1e100,
                               1e154,
                               1e155,
                               1e300,
                               DBL_MAX / 2,
                               DBL_MAX,
                               INFINITY};
enum { EDGES = sizeof edges / sizeof edges[0], ALL_EDGES = 2 * EDGES + 3 };

static double edge(size_t i) {
  if (i < 2 * EDGES) return i & 1 ? -edges[i / 2] : edges[i / 2];
  return i == 2 * EDGES ? 0.0 : i == 2 * EDGES + 1 ? -0.0 : NAN;
}

/* A few of them, for operations of three arguments. */
static const double few[] = {0.0, -0.0, 1,     -1,      0x1p-1074, -1e-200,   0.5, -0.5,
                             2,   -3,   1e200, DBL_MAX, INFINITY,  -INFINITY, NAN};
enum { FEW = sizeof few / sizeof few[0] };

static double magnitude(ulps_random *r, double lo, double hi) {
  double v = ulps_random_log(r, lo, hi);
  return ulps_random_bits(r) & 1 ? -v : v;
}

static double anywhere(ulps_random *r) {
  switch (ulps_random_bits(r) % 8) {
    case 0:
      return magnitude(r, 0x1p-1074, DBL_MAX);
    case 1:
      return magnitude(r, 0x1p-1074, 0x1p-960);
    case 2:
      return magnitude(r, 0x1p-60, 0x1p12);
    case 3:
      return ulps_random_uniform(r, -760, 760);
    case 4:
      return ulps_random_uniform(r, -40, 40);
    case 5:
      return ulps_random_uniform(r, -3, 3);
    case 6: { /* beside a small integer, where the poles and zeros are */
      double n = floor(ulps_random_uniform(r, -12, 12));
      return n + magnitude(r, 0x1p-56, 0x1p-2);
    }
    default:
      return floor(ulps_random_uniform(r, -30, 30)); /* exact integers: exponents, ties */
  }
}

static double moderate(ulps_random *r) {
  switch (ulps_random_bits(r) % 4) {
    case 0:
      return magnitude(r, 0x1p-40, 0x1p20);
    case 1:
      return ulps_random_uniform(r, -30, 30);
    case 2:
      return ulps_random_uniform(r, -1, 1);
    default:
      return ulps_random_uniform(r, 1, 5);
  }
}

static const int orders[] = {0, 1, 2, 3, 4, 5, 7, 10, 21, 100};

/* Replaces what an argument called "n" got. */
static double fit(const ad_op_info *info, size_t k, double v, ulps_random *r) {
  const bool order = k == 0 && !strncmp(info->arg_names, "n,", 2);
  return order ? orders[ulps_random_bits(r) % (sizeof orders / sizeof orders[0])] : v;
}

static void push_fitted(op_points *p, const ad_op_info *info, double x, double y, double w, ulps_random *r) {
  x = fit(info, 0, x, r);
  push(p, x, y, w);
}

op_points op_points_everywhere(const ad_op_info *info) {
  op_points p = {.nargs = (size_t)info->max_args};
  ulps_random r = {ulps_seed()};
  if (p.nargs == 1)
    for (size_t i = 0; i < ALL_EDGES; i++) push(&p, edge(i), 0, 0);
  if (p.nargs == 2) {
    for (size_t i = 0; i < ALL_EDGES; i++)
      for (size_t j = 0; j < ALL_EDGES; j++)
        if (ulps_tries(i * ALL_EDGES + j)) push(&p, edge(i), edge(j), 0);
    for (size_t j = 0; j < ALL_EDGES; j++) /* all orders of an argument "n"; harmless for the others */
      for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) push(&p, orders[i], edge(j), 0);
  }
  if (p.nargs == 3)
    for (size_t i = 0; i < FEW * FEW * FEW; i++)
      if (ulps_tries(i)) push(&p, few[i % FEW], few[i / FEW % FEW], few[i / FEW / FEW]);
  for (double i = 0; i < RANDOM_POINTS * ulps_multiplier(); i++) {
    double x = anywhere(&r), y = anywhere(&r), w = anywhere(&r);
    push_fitted(&p, info, x, y, w, &r);
  }
  for (double i = 0; i < RANDOM_POINTS * ulps_multiplier() / 2; i++) {
    double x = moderate(&r), y = moderate(&r), w = moderate(&r);
    push_fitted(&p, info, x, y, w, &r);
    if (i < RANDOM_POINTS / 20) push_fitted(&p, info, x, x, x, &r); /* ties */
  }
  return p;
}

op_points op_points_ordinary(const ad_op_info *info, size_t count) {
  op_points p = {.nargs = (size_t)info->max_args};
  ulps_random r = {ulps_seed() + 1};
  while (p.count < count) {
    double x = moderate(&r), y = moderate(&r), w = moderate(&r);
    push_fitted(&p, info, x, y, w, &r);
  }
  return p;
}

op_points op_points_special(const ad_op_info *info) {
  static const double values[] = {0,   0x1p-1074, 1e-310, 1e-300, 1e-20, 0.5,     1,       2,
                                  2.5, 3,         20,     1e20,   1e300, 1.5e308, DBL_MAX, INFINITY};
  enum { COUNT = 2 * sizeof values / sizeof *values + 1 };
  double v[COUNT];
  for (size_t i = 0; i + 1 < COUNT; i++) v[i] = i & 1 ? -values[i / 2] : values[i / 2];
  v[COUNT - 1] = NAN;
  op_points p = {.nargs = (size_t)info->max_args};
  const size_t y = p.nargs > 1 ? COUNT : 1, w = p.nargs > 2 ? COUNT : 1;
  for (size_t i = 0; i < COUNT * y * w; i++)
    if (y == 1 || ulps_tries(i)) push(&p, v[i / w / y], v[i / w % y], v[i % w]);
  return p;
}

void op_points_free(op_points *p) {
  for (size_t k = 0; k < p->nargs; k++) free(p->arg[k]);
  *p = (op_points){0};
}
