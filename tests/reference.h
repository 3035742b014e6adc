/* A second opinion for tests: small expression graphs that are evaluated by calls of MPFR and differentiated by central
 * differences.  It uses nothing of the library, and hands it the same graph as YAML. */
#ifndef AD_TESTS_REFERENCE_H
#define AD_TESTS_REFERENCE_H

#include <mpfr.h>
#include <stdbool.h>

#include "ulps.h"

/* Central differences with step h of functions with moderate derivatives are off by a share h^2 = 2^-200, and rounding
 * adds 2^-BITS / h^k to a k-th derivative: 2^-240 for the fourth. */
enum { REF_BITS = 640, REF_STEP = -100 };
enum {
  REF_INPUTS = 4,
  REF_SIZE = 3,
  REF_COLUMNS = REF_INPUTS * REF_SIZE,
  REF_NODES = 48,
  REF_ARGS = 3,
  REF_POINTS = 3
};
enum { REF_OUTPUTS = 2, REF_ROWS = 1 + REF_SIZE, REF_TEXT = 20000 };

typedef struct ref_node {
  int op; /* a row of the table in reference.c */
  int args[REF_ARGS];
  int size;            /* elements of a vector; 0: a scalar */
  int index[REF_SIZE]; /* a table of indices; a literal's numerator and denominator; a slice's start and stop */
  bool named;          /* else its expression stands where it is used */
} ref_node;

/* Nodes 0 .. inputs-1 are the inputs. */
typedef struct ref_graph {
  ref_node node[REF_NODES];
  int nodes, inputs, points;
  bool fixed[REF_INPUTS];                /* diff: no */
  double point[REF_POINTS][REF_COLUMNS]; /* of each point the inputs' elements, one behind the other */
  int output[REF_OUTPUTS];               /* a scalar, and one of any size */
} ref_graph;

int ref_elements(const ref_graph *g, int node);
int ref_first(const ref_graph *g, int input); /* the place of its first element in a point */
int ref_rows(const ref_graph *g);             /* elements of all outputs */

/* `regular`: at points away from kinks, jumps and edges, with moderate numbers; else at points that are full of them.
 */
void ref_random(ref_graph *g, ulps_random *r, bool regular);
/* The graph as YAML, whose inputs have the values of a point. */
void ref_write(const ref_graph *g, int point, char text[REF_TEXT]);

/* Numbers at REF_BITS. */
typedef struct ref_numbers {
  int count;
  mpfr_t *v;
} ref_numbers;
ref_numbers ref_numbers_new(int count);
void ref_numbers_free(ref_numbers *n);

/* The elements of all outputs at point + moved * 2^step. */
void ref_evaluate(const ref_graph *g, int point, const double *moved, long step, ref_numbers *out);
/* Whether an operation that an output needs stands on a kink or at a jump. */
bool ref_kink(const ref_graph *g, int point);

/* The derivative of the elements of all outputs of some order from 0, once along each direction, by central differences
 * with steps of 2^step. */
void ref_derivative(const ref_graph *g, int point, int order, const double *const *direction, long step,
                    ref_numbers *out);

#endif
