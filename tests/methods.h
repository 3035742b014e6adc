/* Every derivative of a graph that has a scalar output 0 and an output 1 by every method of the library. */
#ifndef AD_TESTS_METHODS_H
#define AD_TESTS_METHODS_H

#include "adtool.h"

/* Rows are the elements of both outputs, columns those of the inputs of wrt, in its order. */
typedef enum methods_what {
  METHODS_VALUE,    /* of row i */
  METHODS_JACOBIAN, /* row i / columns by column i % columns */
  METHODS_JVP,      /* row i, along the direction */
  METHODS_VJP,      /* column i, of the weighted rows */
  METHODS_HESSIAN,  /* of output 0: i / columns by i % columns */
  METHODS_WEIGHTED, /* the same of output 1, weighted */
  METHODS_HVP,      /* column i, of the Hessian and the direction */
  METHODS_SERIES,   /* coefficient i / rows of row i % rows, along the direction */
  METHODS_MIXED,    /* second derivatives as above, of output 0 */
  METHODS_THIRD,    /* by the columns 0, 0 and the last: row i */
  METHODS_KINDS
} methods_what;

enum { METHODS_COLUMNS = 16, METHODS_ROWS = 8, METHODS_ORDER = 4, METHODS_BITS = 256 };

/* Number k of a span is what stands at place i. */
typedef void methods_see(void *context, methods_what what, size_t i, const char *how, const ad_span *s, size_t k);

typedef struct methods {
  const ad_graph *g; /* at its own values */
  size_t wrt_count;
  ad_node wrt[METHODS_COLUMNS];
  double direction[METHODS_COLUMNS], weight[METHODS_ROWS]; /* of columns and rows */
  size_t rows, columns;                                    /* set by methods_new */
  ad_variable column[METHODS_COLUMNS];
  methods_see *see;
  void *context;
} methods;

void methods_measure(methods *m); /* sets rows, columns and column */
void methods_run(methods *m);
/* Rows of a batch, whose numbers are the elements of all inputs in the graph's order: the results of row p are seen
 * with the context that is `size` bytes behind that of row p-1. */
void methods_run_batch(methods *m, const double *rows, size_t count, size_t size);

#endif
