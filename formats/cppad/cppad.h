/* CppAD's graphs in JSON (B. M. Bell, CppAD: a package for C++ algorithmic differentiation, section "Json
 * Representation of an AD Graph").  Keys stand in a fixed order, strings have no escapes, so that the file is read
 * token by token. */
#ifndef AD_CPPAD_H
#define AD_CPPAD_H

#include "adtool.h"
#include "mem.h"

/* Whether this starts as such a graph does. */
bool ad_cppad_sniff(const void *bytes, size_t size);

/* Inputs p (the independent dynamic parameters, not differentiated) and x (the independent variables), vectors without
 * values where they are not empty; the output y, a vector.  What no dependent variable needs is left out. */
ad_status ad_cppad_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                        ad_error *e);

/* Reading what was written of a graph that was read gives the same graph.  Of any other, inputs and outputs become one
 * vector each, constants doubles, names, values, metadata and policy are lost. */
ad_status ad_cppad_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e);

#endif
