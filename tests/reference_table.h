/* The operations of reference graphs, and their values node by node: for reference.c and reference_random.c. */
#ifndef AD_TESTS_REFERENCE_TABLE_H
#define AD_TESTS_REFERENCE_TABLE_H

#include "reference.h"

/* Operations that are not elementwise; the elementwise ones follow, numbered by their rows. */
enum {
  REF_INPUT,
  REF_LITERAL,
  REF_SUM,
  REF_MEAN,
  REF_PROD,
  REF_DOT,
  REF_REDUCE_MAX,
  REF_REDUCE_MIN,
  REF_LOGSUMEXP, /* the last one that makes a scalar of a vector */
  REF_ELEMENT,
  REF_SLICE,
  REF_GATHER,
  REF_STACK,
  REF_CONCAT,
  REF_CUMSUM,
  REF_SOFTMAX,
  REF_ELEMENTWISE
};

int ref_op_count(void);
const char *ref_op_text(int op); /* with % for each argument */
bool ref_op_avoided(int op);     /* by special graphs, at its edge */
int ref_op_less(void);           /* what conditions of `where` are made by */
int ref_op_where(void);
int ref_op_add(void);
int ref_arity(const ref_node *n);

typedef struct ref_values {
  mpfr_t v[REF_NODES][REF_SIZE], t;
} ref_values;
void ref_values_init(ref_values *s);
void ref_values_clear(ref_values *s);
void ref_values_set_inputs(const ref_graph *g, int point, const double *moved, long step, ref_values *s);
void ref_values_evaluate(const ref_graph *g, int node, ref_values *s);
/* How far a node's arguments are from the next kink, jump or edge; not positive: they are there, or outside. */
double ref_values_distance(const ref_graph *g, const ref_values *s, int node);

#endif
