/* Which nodes of a graph become entries of a YAML file, and which stand inside the expression that uses them. */
#ifndef AD_YAML_LAYOUT_H
#define AD_YAML_LAYOUT_H

#include "yaml/symbols.h"

typedef struct ad_yaml_layout {
  const ad_graph *graph;
  bool explicit_nodes;
  uint8_t *entry;     /* of each node: stands by itself */
  uint8_t *width;     /* characters that its name or its expression takes where it is used, at most 255 */
  uint32_t *uses;     /* of an operation: as argument or output; of a constant that can stand inside: its symbol */
  ad_symbols symbols; /* texts of constants; literal: the node that the reader has for it by now */
  uint32_t *fresh;    /* symbols first met on this walk */
  size_t fresh_count, fresh_capacity;
} ad_yaml_layout;

/* The exact text of a scalar constant; buf holds AD_NUMBER_TEXT bytes, the text may be longer and then belongs to the
 * graph. */
const char *ad_yaml_constant_text(const ad_graph *g, ad_node n, char *buf);

/* Whether a constant's text, *text, says all about it: an exact scalar, and the text names nothing else. */
bool ad_yaml_fits_inside(const ad_graph *g, ad_node n, const char **text, char *buf);

/* An attribute: value is NULL only when it is absent, not for an empty list. */
ad_attr ad_yaml_attr_of(const ad_graph *g, ad_node n, int k);

/* Whether an operation is too large for infix, or has an attribute that a list can't say. */
bool ad_yaml_wants_mapping(const ad_graph *g, ad_node n);

ad_status ad_yaml_lay_out(ad_yaml_layout *l, const ad_graph *g, bool explicit_nodes, ad_error *e);
void ad_yaml_layout_clear(ad_yaml_layout *l);

#endif
