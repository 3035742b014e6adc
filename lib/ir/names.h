/* A two-way table of names and 32-bit ids, both unique.  Ids without a name cost nothing. */
#ifndef AD_NAMES_H
#define AD_NAMES_H

#include "adtool.h"

typedef struct ad_names {
  char *pool;
  size_t pool_size, pool_capacity;
  struct ad_name_entry {
    size_t text;
    uint32_t id;
  } * entry;
  size_t count, entry_capacity;
  uint32_t *by_name, *by_id; /* open addressing: entry + 1, 0 is empty */
  size_t slots;              /* of each; a power of two */
} ad_names;

void ad_names_clear(ad_names *n);
bool ad_names_add(ad_names *n, const char *name, uint32_t id); /* neither may be in it; false: out of memory */
bool ad_names_find(const ad_names *n, const char *name, uint32_t *id);
const char *ad_names_of(const ad_names *n, uint32_t id); /* NULL: none */
const char *ad_names_at(const ad_names *n, size_t i);    /* in order of addition; NULL past the end */

#endif
