/* A YAML document as a tree, with the place of everything in it. */
#ifndef AD_YAML_TREE_H
#define AD_YAML_TREE_H

#include "adtool.h"
#include "mem.h"

typedef enum ad_yaml_kind { AD_YAML_SCALAR, AD_YAML_LIST, AD_YAML_MAP } ad_yaml_kind;

typedef struct ad_yaml_item {
  uint8_t kind;
  bool plain;            /* a scalar without quotes, on one line: a position in it is a position in the file */
  bool flow;             /* inside or itself a [...] or {...} */
  uint32_t line, column; /* from 1 */
  uint32_t next;         /* the next sibling; 0: none */
  uint32_t first;        /* first child of a list or map (keys and values take turns); 0: none */
  uint32_t count;        /* children */
  size_t text;           /* of a scalar: offset in the tree's text, ends with a zero */
  uint32_t length;
} ad_yaml_item;

typedef struct ad_yaml_tree {
  const char *path, *source; /* borrowed */
  size_t size;
  ad_limits limits;
  ad_yaml_item *item; /* item[0] is no item; item[1] the root */
  size_t count, capacity;
  char *text;
  size_t text_size, text_capacity;
} ad_yaml_tree;

/* Reads one document.  Refused: anchors, aliases, tags, merge keys, several documents, duplicate keys in a map, keys
 * that are not scalars, and what is over a limit. */
ad_status ad_yaml_parse(ad_yaml_tree *t, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                        ad_error *e);
void ad_yaml_clear(ad_yaml_tree *t);

static inline const ad_yaml_item *ad_yaml_at(const ad_yaml_tree *t, uint32_t i) {
  return &t->item[i];
}
static inline const char *ad_yaml_text(const ad_yaml_tree *t, uint32_t i) {
  return t->text + t->item[i].text;
}

/* An error at an item, `skip` bytes into it, with the source line under it. */
ad_status ad_yaml_fail(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_error *e, const char *format, ...)
    AD_PRINTF(5, 6);
/* Gives an error from below the place of an item. */
ad_status ad_yaml_place(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_status s, ad_error *e);

/* Checks that a map has only keys of the list (ends with NULL), with a suggestion otherwise. */
ad_status ad_yaml_known_keys(const ad_yaml_tree *t, uint32_t map, const char *what, const char *const *known,
                             ad_error *e);
/* The value of a key, or 0. */
uint32_t ad_yaml_get(const ad_yaml_tree *t, uint32_t map, const char *key);

/* Appends the numbers of a number or a nested list; the list's own shape comes back. */
ad_status ad_yaml_numbers(const ad_yaml_tree *t, uint32_t item, ad_numbers *out, ad_shape *shape, ad_error *e);

#endif
