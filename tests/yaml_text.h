/* Graphs from YAML in a string. */
#ifndef AD_TESTS_YAML_TEXT_H
#define AD_TESTS_YAML_TEXT_H

#include "adtool.h"
#include "mem.h"

ad_status yaml_read_text(ad_graph **g, const char *text, const ad_limits *l); /* the error is graphs_error */
ad_graph *yaml_reads(const char *text);                                       /* must succeed */
/* Must fail so, at that place, with a message that has the part. */
void yaml_refused(const char *text, ad_status want, int64_t line, int64_t column, const char *part);
ad_buffer yaml_written(const ad_graph *g, bool explicit_nodes);
/* Writes, reads, compares; in both forms. */
void yaml_round_trip(const ad_graph *g, const char *what);
/* A node as calls of table operations. */
void yaml_show(const ad_graph *g, ad_node n, ad_buffer *b);

#endif
