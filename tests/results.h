/* What a graph computes, against what another one does that was made from it: for formats that keep the values of a
 * graph, but not the graph. */
#ifndef AD_TESTS_RESULTS_H
#define AD_TESTS_RESULTS_H

#include <stdbool.h>

#include "adtool.h"

enum { RESULTS_BITS = 200 };

/* Fails the test unless the elements of all outputs, and their derivatives by the inputs that are not fixed, are the
 * same at 200 bits but for the `lost` last ones; with scalars_first, those of a that are scalars come before all
 * others.  at, bt: the inputs' elements, one behind the other; NULL: the graph's own values. */
void results_same(const ad_graph *a, const double *at, const ad_graph *b, const double *bt, long lost,
                  bool scalars_first, const char *what);

/* The values of the inputs, those that are fixed first; how many. */
size_t results_arrange(const ad_graph *g, double *out, size_t room);

#endif
