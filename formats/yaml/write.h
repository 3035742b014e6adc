/* The parts of the writer. */
#ifndef AD_YAML_WRITE_H
#define AD_YAML_WRITE_H

#include "mem.h"
#include "yaml/layout.h"

typedef struct ad_yaml_writer {
  ad_yaml_layout layout;
  const ad_graph *g;
  ad_buffer *out;
  ad_buffer text; /* an expression, before it is known whether it wants quotes */
} ad_yaml_writer;

/* ---- Infix (infix.c): appended to w->text */

void ad_yaml_put_name(ad_yaml_writer *w, ad_node n);    /* a name or a label */
void ad_yaml_put_entry(ad_yaml_writer *w, ad_node n);   /* the operation that an entry is */
void ad_yaml_put_operand(ad_yaml_writer *w, ad_node n); /* a name, a label, a number or an expression */

/* ---- Values (print.c) */

/* A scalar of YAML, in quotes where it needs them; `flow`: inside {...} or [...]. */
void ad_yaml_put_text(ad_buffer *b, const char *s, bool flow);

/* The value of an input or a constant, as a mapping where a bare value would not say everything. */
void ad_yaml_put_literal(ad_yaml_writer *w, ad_node n);
/* An attribute's value; `fold`: in several lines if it is long. */
void ad_yaml_put_attr(ad_buffer *b, const ad_attr *a, ad_attr_kind kind, bool fold);

#endif
