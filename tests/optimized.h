/* Graphs before and after passes: the same bits in values and tangents, in double and in MPFR. */
#ifndef AD_TESTS_OPTIMIZED_H
#define AD_TESTS_OPTIMIZED_H

#include "adtool.h"

enum { ALL_PASSES = 0 };
ad_graph *optimized(const ad_graph *g, uint32_t passes);

typedef struct arithmetic {
  const char *backend;
  uint32_t bits;
} arithmetic;
enum { ARITHMETICS = 4 };
extern const arithmetic arithmetics[ARITHMETICS]; /* the first is double */

/* The outputs have the same bits, and tangents but for the sign of a zero: in one arithmetic, or in scalar code in all.
 */
void same_results_in(const ad_graph *a, const ad_graph *b, const char *what, const arithmetic *arith);
void same_results(const ad_graph *a, const ad_graph *b, const char *what);
/* Inputs, outputs, metadata and policy are the same, and b has no more nodes. */
void same_surroundings(const ad_graph *a, const ad_graph *b, const char *what);
void same_hash(const ad_graph *a, const ad_graph *b, const char *what);

/* All of it for each pass alone and for all of them, each of which finds nothing in its own result; returns the graph
 * after all. */
ad_graph *check_optimized(const ad_graph *g, const char *what);

#endif
