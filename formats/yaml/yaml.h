/* The YAML format: graphs that people write, and points. */
#ifndef AD_YAML_H
#define AD_YAML_H

#include "adtool.h"
#include "mem.h"

/* Whether this may be YAML: text, that is, no zero byte and no control character but white space at its start. */
bool ad_yaml_sniff(const void *bytes, size_t size);

/* The line of the first comment of a file that is YAML; 0: it has none. */
ad_status ad_yaml_find_comment(const void *bytes, size_t size, int64_t *line, ad_error *e);

ad_status ad_yaml_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                       ad_error *e);

/* Reading what was written gives the same graph: nodes in the same order, with the same names and constants.  A node
 * without a name is written inside the expression that uses it where a reader would make it there, and under the label
 * %N otherwise. */
ad_status ad_yaml_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e);

/* Spells single operations in infix, their arguments by name ("l1 - y"), for tables of nodes. */
typedef struct ad_yaml_speller ad_yaml_speller;
ad_status ad_yaml_speller_new(ad_yaml_speller **s, const ad_graph *g, ad_error *e); /* borrows g */
void ad_yaml_speller_free(ad_yaml_speller *s);
/* The name of a node, or its label %N. */
void ad_yaml_spell_name(ad_yaml_speller *s, ad_node n, ad_buffer *out);
/* The operation itself; "input" for inputs, the number for scalar constants. */
void ad_yaml_spell(ad_yaml_speller *s, ad_node n, ad_buffer *out);

#endif
