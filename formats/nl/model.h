/* A graph as an optimisation model: what its rows are made of, for writing. */
#ifndef AD_NL_MODEL_H
#define AD_NL_MODEL_H

#include "nl/put.h"
#include "passes/scalars.h"

/* One part of a row that is not linear: a node, or what is subtracted. */
typedef struct ad_nl_addend {
  ad_node node;
  bool minus;
} ad_nl_addend;

/* A constraint or an objective: the sum of some addends and some terms; there is a term for each variable on which the
 * row depends, 0 where that is by the addends only. */
typedef struct ad_nl_row {
  size_t output; /* in scalars.output */
  size_t addend, addends, term, terms;
  bool nonlinear;
} ad_nl_row;

typedef struct ad_nl_model_term {
  size_t column;
  double coefficient;
} ad_nl_model_term;

typedef struct ad_nl_model {
  ad_scalars scalars;
  const ad_graph *g;    /* that of the scalars */
  size_t columns;       /* elements of the inputs that are differentiated */
  size_t *first_column; /* of each input; SIZE_MAX: not differentiated, a number */
  size_t constraints, objectives;
  ad_nl_row *row; /* constraints, then objectives */
  size_t addends, addend_capacity, terms, term_capacity;
  ad_nl_addend *addend;
  ad_nl_model_term *term;
  uint8_t *nonlinear; /* of each column: where it is in addends */
  size_t definitions;
  uint32_t *defined; /* of each node: its number as a defined variable, from 1; 0: it is none */
} ad_nl_model;

enum { AD_NL_IN_CONSTRAINTS = 1, AD_NL_IN_OBJECTIVES = 2 }; /* of nonlinear */

/* Outputs that are scalars are objectives, the elements of all others constraints. */
ad_status ad_nl_model_make(ad_nl_model *m, const ad_graph *g, ad_error *e);
void ad_nl_model_clear(ad_nl_model *m);

/* What a node is where it is no operation. */
typedef enum ad_nl_leaf { AD_NL_NO_LEAF, AD_NL_COLUMN, AD_NL_VALUE } ad_nl_leaf;
ad_nl_leaf ad_nl_leaf_of(const ad_nl_model *m, ad_node n, size_t *column, double *value);

/* What an expression of node n is made of: its arguments, those of the stack that it reduces, or the two sides of a
 * difference that it takes the positive part of.  Returns how many; *list borrows from the graph (emit.c). */
size_t ad_nl_operands(const ad_graph *g, ad_node n, const ad_node **list);
/* How often each of them is written: more than once where .nl says in several operators what is one here. */
unsigned ad_nl_operand_uses(ad_op op);
/* Comparisons can't be defined variables: they are written where they are used. */
bool ad_nl_is_comparison(ad_op op);

/* Writes the sum of a row's addends, or the definition of a node (emit.c). */
ad_status ad_nl_put_row(ad_nl_put *o, const ad_nl_model *m, const ad_nl_row *row, ad_error *e);
ad_status ad_nl_put_definition(ad_nl_put *o, const ad_nl_model *m, ad_node n, ad_error *e);

#endif
