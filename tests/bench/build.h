/* Tensor graphs in few words. */
#ifndef AD_BENCH_BUILD_H
#define AD_BENCH_BUILD_H

#include "bench/bench.h"

ad_graph *build_graph(void);
/* Values are set later; fixed ones are not differentiated. */
ad_node build_input(ad_graph *g, const char *name, ad_shape shape, bool fixed);
ad_node build_number(ad_graph *g, double v);
ad_node build_zeros(ad_graph *g, ad_shape shape);
ad_node build_unary(ad_graph *g, const char *op, ad_node x);
ad_node build_binary(ad_graph *g, const char *op, ad_node x, ad_node y);
/* With a list of integers as attribute. */
ad_node build_with(ad_graph *g, const char *op, ad_node x, const char *attr, int count, const int64_t *values);
ad_node build_table(ad_graph *g, const char *op, int nargs, const ad_node *args, ad_shape shape, const int64_t *indices,
                    int64_t axis); /* gather, scatter_add */

/* x[start:stop], or, where a single row is squeezed, x[start] */
ad_node build_slice(ad_graph *g, ad_node x, int64_t start, int64_t stop, bool squeeze);

#define SHAPE(...) ((ad_shape){(int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define WITH(G, OP, X, NAME, ...) \
  build_with(G, OP, X, NAME, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})

/* Numbers from low to high, the same ones each time for one seed. */
void build_random(double *x, size_t n, double low, double high, uint32_t seed);

/* The graph as it comes from a file (.adg); frees g. */
ad_graph *build_saved(ad_graph *g);

/* adtool on a graph, its inputs set to x. */
bench_tool *build_tool(ad_graph *g, const double *x, size_t count, bool gradient);

#endif
