/* From definitions by name to nodes in order. */
#ifndef AD_YAML_RESOLVE_H
#define AD_YAML_RESOLVE_H

#include "yaml/expr.h"

typedef enum ad_def_kind {
  AD_DEF_DONE,      /* has a node: an input */
  AD_DEF_EXPR,      /* an expression */
  AD_DEF_OPERATION, /* {op: ..., args: [...], attributes} */
  AD_DEF_CONSTANT   /* numbers */
} ad_def_kind;

typedef struct ad_def {
  uint8_t kind;
  uint8_t state; /* while resolving */
  uint32_t key;  /* item of its name; 0: an output's expression */
  uint32_t item; /* item of its value */
  uint32_t expr; /* root of an expression; of an operation: its first argument, the others are next */
  ad_op op;
  ad_node node;
} ad_def;

typedef struct ad_yaml_reader {
  ad_yaml_tree tree;
  ad_exprs exprs;
  ad_graph *graph;
  ad_names names; /* of definitions: ids are positions in def */
  ad_def *def;
  size_t def_count, def_capacity;
  ad_names dims; /* ids are positions in size */
  int64_t *size;
  size_t dim_count, dim_capacity;
  ad_names literals; /* scalar constants inside expressions: text to node */
} ad_yaml_reader;

/* Makes the nodes of all definitions, in the file's order where that is possible. */
ad_status ad_yaml_resolve(ad_yaml_reader *r, ad_error *e);

/* Reads a size: an integer or the name of a dim. */
ad_status ad_yaml_size(const ad_yaml_reader *r, uint32_t item, int64_t *size, ad_error *e);
/* Reads {shape, value or fill, dtype} of an input or a constant. */
ad_status ad_yaml_literal(const ad_yaml_reader *r, uint32_t item, ad_shape *shape, ad_numbers *value, ad_dtype *dtype,
                          ad_error *e);

#endif
