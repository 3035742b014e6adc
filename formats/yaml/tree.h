/* A YAML document as a tree, with the place of everything in it. */
#ifndef AD_YAML_TREE_H
#define AD_YAML_TREE_H

#include "adtool.h"
#include "mem.h"
#include "source.h"
#include "yaml/symbols.h"

typedef enum ad_yaml_kind { AD_YAML_SCALAR, AD_YAML_LIST, AD_YAML_MAP } ad_yaml_kind;

typedef struct ad_yaml_item {
  uint8_t kind;
  bool plain;            /* a scalar without quotes */
  uint32_t line, column; /* from 1, in characters */
  uint32_t next;         /* the next sibling; 0: none */
  union {
    uint32_t first; /* of a list or map: its first child, 0: none; a map's keys and values take turns */
    uint32_t text;  /* of a scalar: where it is in the tree's text; ends with a zero, and has no other */
  };
  union {
    uint32_t count;  /* children */
    uint32_t length; /* bytes */
  };
  uint32_t symbol; /* of a key of the root or of a map in the root; 0: none */
} ad_yaml_item;

typedef struct ad_yaml_tree {
  ad_source source; /* borrowed */
  ad_limits limits;
  ad_yaml_item *item; /* item[0] is no item; item[1] the root */
  size_t count, capacity;
  char *text;
  size_t text_size, text_capacity;
  ad_symbols symbols;
} ad_yaml_tree;

/* Reads one document.  Refused: directives, anchors, aliases, tags, merge keys, several documents, duplicate keys in a
 * map, keys that are not scalars, encodings other than UTF-8, and what is over a limit. */
ad_status ad_yaml_parse(ad_yaml_tree *t, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                        ad_error *e);
void ad_yaml_clear(ad_yaml_tree *t);

static inline const ad_yaml_item *ad_yaml_at(const ad_yaml_tree *t, uint32_t i) {
  return &t->item[i];
}
static inline const char *ad_yaml_text(const ad_yaml_tree *t, uint32_t i) {
  return t->text + t->item[i].text;
}
/* A map's entries: the value of a key, and the key after that. */
static inline uint32_t ad_yaml_value(const ad_yaml_tree *t, uint32_t key) {
  return t->item[key].next;
}
static inline uint32_t ad_yaml_next_key(const ad_yaml_tree *t, uint32_t key) {
  return t->item[t->item[key].next].next;
}
/* A scalar's text; "" for anything else. */
static inline const char *ad_yaml_word(const ad_yaml_tree *t, uint32_t i) {
  return t->item[i].kind == AD_YAML_SCALAR ? ad_yaml_text(t, i) : "";
}

/* Checks that a map has only keys of the list (ends with NULL), with a suggestion otherwise. */
ad_status ad_yaml_known_keys(const ad_yaml_tree *t, uint32_t map, const char *what, const char *const *known,
                             ad_error *e);
/* The value of a key, or 0. */
uint32_t ad_yaml_get(const ad_yaml_tree *t, uint32_t map, const char *key);

/* Appends the numbers of a number or a nested list; the list's own shape comes back. */
ad_status ad_yaml_numbers(const ad_yaml_tree *t, uint32_t item, ad_numbers *out, ad_shape *shape, ad_error *e);

/* ---- Places (place.c) */

/* An error at an item, `skip` bytes into its text, with the source line under it. */
ad_status ad_yaml_fail(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_error *e, const char *format, ...)
    AD_PRINTF(5, 6);
/* Gives an error from below that has no place yet the place of an item; returns s. */
ad_status ad_yaml_place(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_status s, ad_error *e);

#endif
