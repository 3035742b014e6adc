/* The table of operators, for reading and for writing. */
#ifndef AD_CPPAD_OPERATORS_H
#define AD_CPPAD_OPERATORS_H

#include "ir/ops.h"

typedef enum ad_cppad_form {
  AD_CPPAD_DIRECT,
  AD_CPPAD_ABSORBING,
  AD_CPPAD_CHOICE,
  AD_CPPAD_TOTAL,
  AD_CPPAD_ASSERTION,
  AD_CPPAD_MESSAGE,
  AD_CPPAD_OUTSIDE
} ad_cppad_form;

enum { AD_CPPAD_MOST_ARGUMENTS = 4 }; /* where the table says how many */

typedef struct ad_cppad_operator {
  const char *name;
  uint8_t arguments;
  uint8_t form;
  uint8_t op;
} ad_cppad_operator;

extern const ad_cppad_operator ad_cppad_operators[];
extern const size_t ad_cppad_operator_count;

/* The row with this name, or with this form and operation; NULL: there is none. */
const ad_cppad_operator *ad_cppad_find(const char *name, size_t length);
const ad_cppad_operator *ad_cppad_find_op(ad_cppad_form form, ad_op op);

#endif
