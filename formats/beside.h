/* The files that belong to a graph's. */
#ifndef AD_BESIDE_H
#define AD_BESIDE_H

#include "adtool.h"

/* Visits each file that loading a graph from `path`, whose bytes are given, reads beside that one, or would if it were
 * there.  False where that can't be said. */
typedef void ad_beside_fn(void *context, const char *path);
bool ad_graph_beside(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context);

#endif
