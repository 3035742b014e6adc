/* Graphs for tests: builders that must succeed, and every derivative of a small graph by every method. */
#ifndef AD_TESTS_GRAPHS_H
#define AD_TESTS_GRAPHS_H

#include "adtool.h"

/* Fails the test with the library's message unless the call succeeds; or unless it fails with this status and a message
 * that contains `part`. */
#define must(call) graphs_must(__FILE__, __LINE__, #call, call)
#define must_fail(want, part, call) graphs_must_fail(__FILE__, __LINE__, #call, want, part, call)
void graphs_must(const char *file, int line, const char *call, ad_status got);
void graphs_must_fail(const char *file, int line, const char *call, ad_status want, const char *part, ad_status got);
extern ad_error graphs_error; /* what the calls under test write */

#define SHAPE(...) graphs_shape((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define SCALAR ((ad_shape){0})
ad_shape graphs_shape(int rank, const int64_t *dim);

ad_graph *graphs_new(void);
/* count: 0 no value, 1 for all elements, or one for each. */
ad_node graphs_input(ad_graph *g, const char *name, ad_shape shape, const double *value, size_t count);
ad_node graphs_input_text(ad_graph *g, const char *name, const char *text); /* a scalar, exact */
ad_node graphs_constant(ad_graph *g, double v);
ad_node graphs_tensor(ad_graph *g, ad_shape shape, const double *value, size_t count);

ad_node graphs_apply(ad_graph *g, const char *op, size_t nargs, const ad_node *args, size_t nattrs,
                     const ad_attr *attrs);
#define NODES(...)                                                    \
  (sizeof((ad_node[]){__VA_ARGS__}) / sizeof(ad_node)), (ad_node[]) { \
    __VA_ARGS__                                                       \
  }
#define ATTRS(...)                                                    \
  (sizeof((ad_attr[]){__VA_ARGS__}) / sizeof(ad_attr)), (ad_attr[]) { \
    __VA_ARGS__                                                       \
  }
ad_node graphs_unary(ad_graph *g, const char *op, ad_node x);
ad_node graphs_binary(ad_graph *g, const char *op, ad_node x, ad_node y);
#define INT_ATTR(NAME, V) ((ad_attr){NAME, {0}, (int64_t[]){V}})
#define LIST_ATTR(NAME, COUNT, VALUES) ((ad_attr){NAME, {1, {COUNT}}, VALUES})
#define INTS_ATTR(NAME, ...) \
  LIST_ATTR(NAME, (int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), ((int64_t[]){__VA_ARGS__}))

/* The instruction sets that elementwise code is tested in; "none" is scalar code. */
extern const char *const graphs_simd[];
enum { GRAPHS_SIMD = 4 };
void graphs_use_simd(const char *name); /* for the workspaces made from here on */

/* A program and a workspace at the graph's own values, after a primal run. */
typedef struct graphs_run {
  ad_program *p;
  ad_workspace *w;
} graphs_run;
graphs_run graphs_start(const ad_graph *g, const char *backend, ad_workspace_options o);
void graphs_end(graphs_run *r);

/* The value of one element of a scalar or tensor node in double, run through `backend`. */
double graphs_value(const ad_graph *g, const char *backend, ad_node n, size_t element);
/* d output[element] / d input[of], by `backend` in its default mode. */
double graphs_derivative(const ad_graph *g, const char *backend, ad_node output, size_t element, ad_node input,
                         size_t of);

/* All derivatives of all outputs by all inputs that are not fixed, at the graph's own values: MPFR forward equals MPFR
 * reverse to 280 of 300 bits, central differences in MPFR with a step of 2^-300 confirm them to 240 bits wherever no
 * operation stands on a kink or an edge; dense and sparse plans of the Jacobian and the graphs of vjp and jvp in MPFR
 * agree to 280 bits, too; and dual, tape, blocks of points and those plans in double, in every instruction set, agree
 * with them to `units` * 2^-53 of the largest derivative of that output element, those graphs to four times as much.
 * Then the same, in MPFR, of the gradients' graphs, if they are small. */
void graphs_check_derivatives(const ad_graph *g, double units);

#endif
