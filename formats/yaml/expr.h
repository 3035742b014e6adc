/* Infix expressions as trees.  Grammar, loosest first:
 *   a < b   <= > >= == !=     one comparison, not a chain
 *   a + b   a - b             from the left
 *   a * b   a / b   a @ b     from the left; @ is matmul
 *   -a      +a
 *   a ^ b   a ** b            from the right, tighter than the minus on its left: -x^2 is -(x^2)
 *   f(a, b, axis=0)           any operation of the table, attributes by name
 *   x[0, 1:3, ::2]            indexing
 *   (a)   name   `any name`   %17 (label of an anonymous node)   0.1   1/3 (exact)
 */
#ifndef AD_YAML_EXPR_H
#define AD_YAML_EXPR_H

#include "ir/names.h"
#include "yaml/tree.h"

typedef enum ad_expr_kind {
  AD_EXPR_NUMBER,  /* text */
  AD_EXPR_NAME,    /* text */
  AD_EXPR_CALL,    /* op; children: arguments, then keywords */
  AD_EXPR_KEYWORD, /* text; one child: a value */
  AD_EXPR_LIST,    /* children: values */
  AD_EXPR_INDEX,   /* children: what is indexed, then one RANGE an axis */
  AD_EXPR_RANGE    /* range */
} ad_expr_kind;

typedef struct ad_expr_range {
  int64_t part[3]; /* start, stop, step */
  bool given[3];
  bool single; /* x[start] */
} ad_expr_range;

typedef struct ad_expr_node {
  uint8_t kind;
  ad_op op;
  uint32_t first, next; /* first child, next sibling; 0: none */
  uint32_t position;    /* byte in the item's text */
  uint32_t item;        /* of the YAML tree */
  size_t text;          /* offset in the pool; of a RANGE: index of the range */
} ad_expr_node;

typedef struct ad_exprs {
  const ad_yaml_tree *tree;
  ad_expr_node *node; /* node[0] is none */
  size_t count, capacity;
  char *text;
  size_t text_size, text_capacity;
  ad_expr_range *range;
  size_t range_count, range_capacity;
} ad_exprs;

/* Parses the text of a scalar item; *root is its tree. */
ad_status ad_expr_parse(ad_exprs *x, uint32_t item, uint32_t *root, ad_error *e);
void ad_exprs_clear(ad_exprs *x);

/* Whether a name can stand in an expression without backquotes. */
bool ad_expr_plain_name(const char *name);

/* Which row a call `name(...)` with that many arguments means: max and min of one argument are reductions. */
ad_op ad_expr_function(const char *name, size_t args, bool has_axis);

#endif
