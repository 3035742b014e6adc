/* Small tensors with their own indexing, for definitions of operations as loops over indices: nothing here is shared
 * with the library. */
#ifndef AD_TESTS_TENSORS_H
#define AD_TESTS_TENSORS_H

#include <stdbool.h>

#include "graphs.h"
#include "ulps.h"

typedef struct tensor {
  ad_shape shape;
  size_t count;
  double v[512];
} tensor;

/* Between an index and a row-major position. */
size_t tensor_position(const ad_shape *s, const int64_t *index);
void tensor_unravel(const ad_shape *s, size_t at, int64_t *index);

tensor tensor_zeros(ad_shape shape);
/* Integers from -5 to 6 without 0, neighbours distinct: sums and products of them are exact.  Each call goes on in the
 * sequence. */
tensor tensor_integers(ad_shape shape);
/* Element o of x broadcast to `shape`. */
double tensor_broadcast_at(const tensor *x, const ad_shape *shape, size_t o);
/* A random shape of this rank with sizes from 1 to `largest`. */
ad_shape tensor_some_shape(ulps_random *random, int rank, int64_t largest);

ad_node tensor_input(ad_graph *g, const char *name, const tensor *t);

/* The node has these values, exactly or within `units` * 2^-53 relative, in every backend and in blocks of points. */
void tensor_expect_near(const ad_graph *g, ad_node n, const tensor *want, double units);
/* These values exactly, and all derivatives right (graphs_check_derivatives); frees the graph. */
void tensor_expect(ad_graph *g, ad_node n, const tensor *want);

#endif
