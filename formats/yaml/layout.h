/* Which nodes of a graph become entries of a YAML file, and which stand inside the expression that uses them. */
#ifndef AD_YAML_LAYOUT_H
#define AD_YAML_LAYOUT_H

#include "ir/names.h"
#include "mem.h"

typedef struct ad_yaml_layout {
  const ad_graph *graph;
  bool explicit_nodes;
  uint8_t *entry;    /* of each node: stands by itself */
  uint8_t *size;     /* operations of the expression below a node, at most the limit */
  uint32_t *uses;    /* as argument or output */
  ad_names literals; /* texts that the reader has met by now: to node */
} ad_yaml_layout;

/* The exact text of a scalar constant; buf holds AD_NUMBER_TEXT bytes, the text may be longer and then belongs to the
 * graph. */
const char *ad_yaml_constant_text(const ad_graph *g, ad_node n, char *buf);

/* Whether a constant can stand in an expression at all: an exact scalar that no name hides. */
bool ad_yaml_inline_constant(const ad_graph *g, ad_node n);

ad_status ad_yaml_lay_out(ad_yaml_layout *l, const ad_graph *g, bool explicit_nodes, ad_error *e);
void ad_yaml_layout_clear(ad_yaml_layout *l);

#endif
