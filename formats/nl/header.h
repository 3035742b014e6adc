/* The ten lines of text that open every .nl file. */
#ifndef AD_NL_HEADER_H
#define AD_NL_HEADER_H

#include "nl/scan.h"

/* What the header counts: line by line.  X(field, what) */
#define AD_NL_SIZES(X)                        \
  X(variables, "the number of variables")     \
  X(constraints, "the number of constraints") \
  X(objectives, "the number of objectives")   \
  X(ranges, "the number of ranges")           \
  X(equations, "the number of equations")     \
  X(logical, "the number of logical constraints")
#define AD_NL_NONLINEAR(X)                                        \
  X(nonlinear_constraints, "the number of nonlinear constraints") \
  X(nonlinear_objectives, "the number of nonlinear objectives")
#define AD_NL_NETWORK(X)                                              \
  X(nonlinear_network, "the number of nonlinear network constraints") \
  X(linear_network, "the number of linear network constraints")
#define AD_NL_VARIABLES(X)                                                        \
  X(variables_in_constraints, "the number of variables in nonlinear constraints") \
  X(variables_in_objectives, "the number of variables in nonlinear objectives")   \
  X(variables_in_both, "the number of variables in both")
#define AD_NL_OTHER(X)                                    \
  X(network_variables, "the number of network variables") \
  X(functions, "the number of functions")                 \
  X(arithmetic, "the kind of arithmetic")                 \
  X(flags, "the flags")
#define AD_NL_DISCRETE(X)                                                     \
  X(binary_variables, "the number of binary variables")                       \
  X(integer_variables, "the number of integer variables")                     \
  X(integer_in_both, "the number of integer variables in both")               \
  X(integer_in_constraints, "the number of integer variables in constraints") \
  X(integer_in_objectives, "the number of integer variables in objectives")
#define AD_NL_NONZEROS(X)                                        \
  X(jacobian_nonzeros, "the number of nonzeros in the Jacobian") \
  X(gradient_nonzeros, "the number of nonzeros in gradients")
#define AD_NL_NAMES(X)                                       \
  X(row_name, "the length of the longest constraint's name") \
  X(column_name, "the length of the longest variable's name")
#define AD_NL_COMMON(X)                                                         \
  X(common_both, "the number of defined variables in both")                     \
  X(common_constraints, "the number of defined variables in constraints")       \
  X(common_objectives, "the number of defined variables in objectives")         \
  X(common_one_constraint, "the number of defined variables in one constraint") \
  X(common_one_objective, "the number of defined variables in one objective")

/* Those that a graph keeps in its metadata. */
#define AD_NL_KEPT(X)      \
  AD_NL_NONLINEAR(X)       \
  AD_NL_NETWORK(X)         \
  AD_NL_VARIABLES(X)       \
  X(network_variables, "") \
  AD_NL_DISCRETE(X)

/* clang-format off */
typedef struct ad_nl_header {
#define X(field, what) int64_t field;
  AD_NL_SIZES(X)
  AD_NL_NONLINEAR(X)
  AD_NL_NETWORK(X)
  AD_NL_VARIABLES(X)
  AD_NL_OTHER(X)
  AD_NL_DISCRETE(X)
  AD_NL_NONZEROS(X)
  AD_NL_NAMES(X)
  AD_NL_COMMON(X)
#undef X
  int64_t defined;   /* variables, all kinds together */
  char options[80];  /* of the first line: "3 0 1 0" */
  char problem[256]; /* its name, from the comment there; "" when there is none */
} ad_nl_header;
/* clang-format on */

enum { AD_NL_LITTLE_ENDIAN = 1, AD_NL_BIG_ENDIAN = 2 };
enum { AD_NL_NOT_SAID = -1 }; /* the counts of nonzeros, where their line ends before them */

/* Reads it, and sets the scan to the form that it speaks of. */
ad_status ad_nl_read_header(ad_nl_scan *s, ad_nl_header *h);

#endif
