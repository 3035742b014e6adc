/* Whether two graphs are the same: nodes, shapes, attributes, numbers, names, outputs, policy and metadata. */
#ifndef AD_TESTS_SAME_GRAPH_H
#define AD_TESTS_SAME_GRAPH_H

#include "adtool.h"

/* Fails the test, with `what` and the first difference, unless they are. */
void same_graph(const ad_graph *a, const ad_graph *b, const char *what);

/* A graph with every kind of node, attribute, number and name, at random. */
ad_graph *graph_of_everything(uint64_t seed);
/* The same of these operations only; the list ends with NULL. */
ad_graph *graph_of_operations(uint64_t seed, const char *const *ops);

#endif
