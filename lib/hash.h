/* Hashes of words, for tables with open addressing.  Keys such as round numbers or multiples of a power of two differ
 * in a few high bits only: the finaliser of splitmix64 takes each bit of a key to all bits of its hash. */
#ifndef AD_HASH_H
#define AD_HASH_H

#include <stdint.h>

/* Adds a word; for one h, no two words give the same. */
static inline uint64_t ad_hash_add(uint64_t h, uint64_t word) {
  h = (h ^ word) * 0x9E3779B97F4A7C15u; /* Fibonacci hashing, Knuth vol. 3, 6.4 */
  return h ^ h >> 32;
}

/* The hash of what was added, or of a word. */
static inline uint32_t ad_hash_end(uint64_t h) {
  h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9u;
  h = (h ^ h >> 27) * 0x94D049BB133111EBu;
  return (uint32_t)(h >> 32);
}

/* What a table's hashes start from.  It differs from run to run, so that a file can't be made whose keys all meet in
 * one place. */
static inline uint64_t ad_hash_seed(const void *fresh) { /* memory that has just been allocated */
  return (uint64_t)(uintptr_t)fresh * 0xD6E8FEB86659FD93u | 1;
}

#endif
