/* From definitions by name to nodes in order. */
#ifndef AD_YAML_RESOLVE_H
#define AD_YAML_RESOLVE_H

#include "yaml/expr.h"

typedef enum ad_def_kind {
  AD_DEF_INPUT,     /* has its node already */
  AD_DEF_EXPR,      /* an expression */
  AD_DEF_OPERATION, /* {op: ..., args: [...], attributes} */
  AD_DEF_CONSTANT   /* numbers */
} ad_def_kind;

typedef enum ad_def_state { AD_DEF_WAITING, AD_DEF_OPEN, AD_DEF_MADE } ad_def_state;

typedef struct ad_def {
  uint8_t kind, state;
  ad_op op;
  uint32_t key;      /* item of its name; 0: an output's expression */
  uint32_t item;     /* item of its value */
  uint32_t expr;     /* root of an expression; of an operation: its first argument, the others are next */
  uint32_t from, to; /* the expression nodes that belong to it */
  ad_node node;
} ad_def;

typedef struct ad_ids {
  uint32_t *v;
  size_t count, capacity;
} ad_ids;

typedef struct ad_yaml_reader {
  ad_yaml_tree tree;
  ad_exprs exprs;
  ad_graph *graph;
  ad_def *def;
  size_t def_count, def_capacity;
  size_t made;  /* the first definitions, which have their nodes */
  bool waiting; /* one has not, so those behind it wait, too */
  ad_yaml_dim *dim;
  size_t dim_count, dim_capacity;
  ad_numbers *number; /* for one literal at a time */
  ad_ids spine;       /* expressions on their way to nodes */
} ad_yaml_reader;

/* Adds a definition, whose expressions have been parsed since the one before.  Its nodes are made at once if nothing is
 * missing for that: a file in order needs no second pass. */
ad_status ad_yaml_define(ad_yaml_reader *r, ad_def *d, ad_error *e);

/* Makes the nodes of all definitions that wait, in the file's order where that is possible. */
ad_status ad_yaml_resolve(ad_yaml_reader *r, ad_error *e);

/* The definition of a scalar's name. */
ad_status ad_yaml_lookup(ad_yaml_reader *r, uint32_t item, uint32_t *def, ad_error *e);

/* ---- Nodes of one definition (emit.c) */

/* The definition that a name in an expression means; AD_NOTHING: none. */
uint32_t ad_yaml_def_of(const ad_yaml_reader *r, uint32_t expr);

/* Makes the nodes of a definition whose names have theirs. */
ad_status ad_yaml_make(ad_yaml_reader *r, ad_def *d, ad_error *e);

/* ---- Values (values.c) */

/* Reads a size: an integer that is not negative, or the name of a dim. */
ad_status ad_yaml_size(ad_yaml_reader *r, uint32_t item, int64_t *size, ad_error *e);
/* Reads a number, a list or {shape, value or fill, dtype} of an input or a constant. */
ad_status ad_yaml_literal(ad_yaml_reader *r, uint32_t item, ad_shape *shape, ad_numbers *value, ad_dtype *dtype,
                          ad_error *e);
/* Reads an attribute of an operation: yes or no, an integer, nested lists, or {shape, value}. */
ad_status ad_yaml_attr(ad_yaml_reader *r, uint32_t item, ad_attr_kind kind, ad_ints *out, ad_shape *shape, ad_error *e);

#endif
