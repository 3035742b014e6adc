/* Random graphs over every operation of the table, with values and slopes kept moderate and away from kinks by trying
 * each operation alone at the values at hand. */
#ifndef AD_TESTS_RANDOM_GRAPH_H
#define AD_TESTS_RANDOM_GRAPH_H

#include <stdbool.h>

#include "adtool.h"
#include "ulps.h"

typedef struct random_graph {
  ad_graph *g;
  ulps_random random;
  size_t *used; /* of each operation, how often; shared by all graphs of a suite */
} random_graph;

/* `operations` of them over scalars, or over tensors of up to rank 4 with broadcasting and structured operations; a sum
 * of the last values is the output "f", a few others are outputs too. */
random_graph random_graph_new(uint64_t seed, size_t operations, bool tensors, size_t *used);
void random_graph_free(random_graph *r);

/* A copy that has one more input in front, of so many elements, which nothing reads. */
ad_graph *random_graph_wider(const ad_graph *g, int64_t elements);

#endif
