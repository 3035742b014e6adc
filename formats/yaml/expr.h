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

#include "yaml/ints.h"
#include "yaml/token.h"
#include "yaml/tree.h"

typedef enum ad_expr_kind {
  AD_EXPR_NUMBER,  /* value: symbol */
  AD_EXPR_NAME,    /* value: symbol */
  AD_EXPR_CALL,    /* op; children: arguments, then keywords */
  AD_EXPR_KEYWORD, /* value: attribute */
  AD_EXPR_INDEX,   /* children: what is indexed, then one RANGE an axis */
  AD_EXPR_RANGE    /* value: range */
} ad_expr_kind;

typedef struct ad_expr_node {
  uint8_t kind;
  bool quoted; /* a name in backquotes, which is never pi, e, inf or nan */
  bool minus;  /* a name right behind a minus sign, or the number with it if the name is one */
  ad_op op;
  uint32_t first, next; /* first child, next sibling; 0: none */
  uint32_t position;    /* byte in the item's text */
  uint32_t item;        /* of the YAML tree */
  uint32_t value;
} ad_expr_node;

typedef struct ad_expr_range {
  int64_t part[3]; /* start, stop, step */
  bool given[3];
  bool single; /* x[start] */
} ad_expr_range;

typedef struct ad_expr_attr {
  uint32_t name; /* symbol */
  bool word;     /* yes or no */
  ad_shape shape;
  size_t first; /* in ints */
} ad_expr_attr;

typedef struct ad_yaml_dim {
  uint32_t symbol;
  int64_t size;
} ad_yaml_dim;

typedef struct ad_exprs {
  ad_yaml_tree *tree;     /* borrowed; names and numbers become its symbols */
  const ad_yaml_dim *dim; /* borrowed; by the symbols' dim */
  ad_expr_node *node;     /* node[0] is none */
  size_t count, capacity;
  ad_expr_range *range;
  size_t range_count, range_capacity;
  ad_expr_attr *attr;
  size_t attr_count, attr_capacity;
  ad_ints ints;
  ad_buffer scratch;
} ad_exprs;

/* Parses the text of a scalar item; *root is its tree. */
ad_status ad_expr_parse(ad_exprs *x, uint32_t item, uint32_t *root, ad_error *e);
void ad_exprs_reset(ad_exprs *x); /* forgets all trees */
void ad_exprs_clear(ad_exprs *x);

/* Which row `name` means with that many arguments: max and min of one argument or over an axis are reductions.  The
 * name is that of an item, `skip` bytes into it. */
ad_status ad_expr_operation(ad_exprs *x, const char *name, size_t length, size_t args, bool has_axis, ad_op *op,
                            uint32_t item, size_t skip, ad_error *e);

#endif
