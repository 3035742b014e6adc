/* A two-way table of names and 32-bit ids, both unique.  Ids without a name cost nothing. */
#ifndef AD_NAMES_H
#define AD_NAMES_H

#include "adtool.h"

typedef struct ad_names {
  char *pool;
  size_t pool_size, pool_capacity;
  struct ad_name_entry {
    uint32_t text, id;
  } * entry;
  size_t count, entry_capacity;
  struct ad_name_slot {
    uint32_t hash, entry; /* entry + 1; 0: free */
  } * by_name;
  size_t slots; /* a power of two */
  uint64_t seed;
  bool scattered;  /* ids did not come in rising order, so that */
  uint32_t *by_id; /* they need a table, of as many slots: entry + 1, 0 is free */
} ad_names;

void ad_names_clear(ad_names *n);
bool ad_names_add(ad_names *n, const char *name, uint32_t id); /* neither may be in it; false: out of memory, or of
                                                                * the 4 GiB that names may take */
bool ad_names_copy(ad_names *n, const ad_names *from);         /* n is empty; false: out of memory */
bool ad_names_find(const ad_names *n, const char *name, uint32_t *id);
const char *ad_names_of(const ad_names *n, uint32_t id); /* NULL: none */
const char *ad_names_at(const ad_names *n, size_t i);    /* in order of addition; NULL past the end */

uint32_t ad_hash_text(uint64_t seed, const char *s, size_t n);

#endif
