/* Where the series words of an arithmetic are (arith/series.inc): part of an engine's state. */
#ifndef AD_SERIES_H
#define AD_SERIES_H

#include <stddef.h>
#include <stdint.h>

/* The words of one row, and its operands, need no more series than this. */
enum { AD_SERIES_SLOTS = 64 };

typedef struct ad_series_state {
  void *room;           /* AD_SERIES_SLOTS series of order + 1 coefficients */
  size_t order;         /* the highest coefficient */
  size_t pass;          /* the coefficient that the words compute now */
  size_t lead;          /* the first one beyond 0 that need not be zero */
  size_t used;          /* slots */
  uint8_t unknown[256]; /* of each operation: bit a: SIMD code lacks it with active operands a */
} ad_series_state;

/* Numbers in the room and in `order` planes of `size`. */
static inline uint64_t ad_series_count(uint32_t size, uint32_t order) {
  uint64_t room = order ? AD_SERIES_SLOTS * ((uint64_t)order + 1) : 0, all;
  return __builtin_add_overflow(room, (uint64_t)size * order, &all) ? UINT64_MAX : all;
}

#endif
