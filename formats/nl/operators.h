/* The table of operators, for reading and for writing. */
#ifndef AD_NL_OPERATORS_H
#define AD_NL_OPERATORS_H

#include "ir/ops.h"

typedef enum ad_nl_form {
  AD_NL_NONE, /* no operator */
  AD_NL_DIRECT,
  AD_NL_LOGICAL,
  AD_NL_COMPOSED,
  AD_NL_TRUTH,
  AD_NL_PIECES,
  AD_NL_REFUSED
} ad_nl_form;

enum { AD_NL_MANY = -1 };

typedef struct ad_nl_operator {
  const char *name;
  int8_t operands; /* AD_NL_MANY: a count follows */
  uint8_t form;
  uint8_t op;
} ad_nl_operator;

/* The codes that the program speaks of by name. */
enum {
  AD_NL_PLUS = 0,
  AD_NL_MINUS = 1,
  AD_NL_OVER = 3,
  AD_NL_POWER = 5,
  AD_NL_NEGATIVE = 16,
  AD_NL_OR = 20,
  AD_NL_AND = 21,
  AD_NL_LESS = 6,
  AD_NL_NOT = 34,
  AD_NL_IF = 35,
  AD_NL_SUM = 54,
  AD_NL_DIV = 55,
  AD_NL_PRECISION = 56,
  AD_NL_ROUND = 57,
  AD_NL_TRUNC = 58,
  AD_NL_COUNT = 59,
  AD_NL_NUMBEROF = 60,
  AD_NL_FORALL = 70,
  AD_NL_EXISTS = 71,
  AD_NL_IMPLIES = 72,
  AD_NL_IFF = 73,
  AD_NL_CODES = 79
};

extern const ad_nl_operator ad_nl_operators[AD_NL_CODES];

#endif
