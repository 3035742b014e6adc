/* Sets of indices below a bound, each kept once: equal small sets have equal numbers.  A union of large sets is only a
 * node over both until those below it have twice the members of the largest list among them; then it is a list, too. So
 * the members of a set are found in time linear in their number, and a chain of n unions takes memory linear in n.
 * Unions of a few members are merged at once; where the bound fits a word, sets are its bits.  All unions and searches
 * together have a bound of work, so that a structure that is nearly dense is given up soon. */
#ifndef AD_SETS_H
#define AD_SETS_H

#include "adtool.h"

typedef struct ad_set {
  uint32_t first;        /* of a list: from where in the pool; AD_NO_LIST: none */
  uint32_t below[2];     /* the two that it is the union of, for a list if it came of two */
  uint32_t weight, base; /* members at most, those below counted apart; members of the largest list below */
} ad_set;

typedef struct ad_list_slot {
  uint32_t hash, set; /* 0: free */
} ad_list_slot;

typedef struct ad_sets {
  uint32_t bound;
  uint64_t limit, bytes; /* that may be, and are, allocated */
  uint64_t work;         /* that is left, in quarters of a nanosecond or so */
  size_t count, capacity;
  ad_set *set; /* number 0 is empty, 1 + i is {i}, 1 + bound + k is set[k] */
  size_t pool_count, pool_capacity;
  uint32_t *pool;
  bool in_words; /* the bound is at most 64: instead of all that, sets are bits */
  uint64_t *word;
  size_t pair_slots, pairs, list_slots, lists; /* hashes: of pairs to unions, of members to lists */
  uint64_t seed;
  uint32_t *pair;
  ad_list_slot *list;
  uint32_t *stamp_of_set, *stamp_of_index; /* when last seen */
  size_t stamps;
  uint32_t stamp;
  size_t found_count, found_capacity, stack_capacity;
  uint32_t *found, *stack;
} ad_sets;

/* elements: of the graph, whose number the bound of work grows with. */
ad_status ad_sets_open(ad_sets *s, uint32_t bound, uint64_t elements, uint64_t limit, ad_error *e);
void ad_sets_close(ad_sets *s);
/* *z = *x united with y; z may be x. */
ad_status ad_sets_unite(ad_sets *s, uint32_t *z, uint32_t x, uint32_t y, ad_error *e);
/* The members, ascending; they are there until the next call. */
ad_status ad_sets_members(ad_sets *s, uint32_t x, const uint32_t **member, size_t *count, ad_error *e);
/* The same of a union that is not kept. */
ad_status ad_sets_members_of(ad_sets *s, const uint32_t *x, size_t sets, const uint32_t **member, size_t *count,
                             ad_error *e);

/* Whether x was first made as the union of y and something else. */
bool ad_sets_came_of(const ad_sets *s, uint32_t x, uint32_t y);

/* So many members at least, and at most; known without looking for them. */
size_t ad_sets_least(const ad_sets *s, uint32_t x);
size_t ad_sets_most(const ad_sets *s, uint32_t x);

/* realloc within the limit: room for `need` items. */
ad_status ad_sets_reserve(ad_sets *s, void *items_ptr, size_t *capacity, size_t need, size_t size, ad_error *e);

#endif
