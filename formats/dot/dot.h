/* Pictures of graphs in the DOT language of Graphviz (E. R. Gansner and S. C. North, An open graph visualization
 * system, Software: Practice and Experience 30, 2000).  Only written. */
#ifndef AD_DOT_H
#define AD_DOT_H

#include "adtool.h"
#include "mem.h"

enum { AD_DOT_SHOWN = 100, AD_DOT_SHOWN_LEAST = 8 };

typedef struct ad_dot_options {
  size_t max_shown; /* boxes; 0: AD_DOT_SHOWN, and never below AD_DOT_SHOWN_LEAST */
  bool shapes;
  /* Appends further lines of a node's box to `out`, each behind a '\n'; may be NULL. */
  void (*lines)(void *context, ad_node n, ad_buffer *out);
  void *context;
} ad_dot_options;

/* A box for each node, an edge for each argument; scalar constants without a name stand inside the boxes that use them.
 * A graph of more nodes than max_shown is drawn in boxes that stand for several: see group.h. */
ad_status ad_dot_draw(const ad_graph *g, ad_buffer *out, const ad_dot_options *o, ad_error *e);
/* The same with the default options, for the registry. */
ad_status ad_dot_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e);

#endif
