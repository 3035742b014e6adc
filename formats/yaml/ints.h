/* Integers of attributes: growable, with the shape of nested lists. */
#ifndef AD_YAML_INTS_H
#define AD_YAML_INTS_H

#include "adtool.h"
#include "mem.h"

typedef struct ad_ints {
  int64_t *v;
  size_t count, capacity;
} ad_ints;

static inline bool ad_ints_push(ad_ints *n, int64_t v) {
  if (!ad_reserve(&n->v, &n->capacity, n->count + 1, sizeof *n->v)) return false;
  n->v[n->count++] = v;
  return true;
}

/* Makes room in a list's shape for entry number `position`; false when the entries' shapes differ or go too deep. */
static inline bool ad_ints_wrap(ad_shape *list, const ad_shape *entry, size_t position) {
  ad_shape inner = {.rank = list->rank - 1};
  for (int i = 0; i < inner.rank; i++) inner.dim[i] = list->dim[i + 1];
  if (position == 0) {
    if (entry->rank + 1 > AD_MAX_RANK) return false;
    *list = (ad_shape){.rank = entry->rank + 1};
    for (int i = 0; i < entry->rank; i++) list->dim[i + 1] = entry->dim[i];
  } else if (!ad_shape_equal(&inner, entry)) {
    return false;
  }
  list->dim[0]++;
  return true;
}

/* Reads a decimal integer with an optional sign that fills the whole text. */
static inline bool ad_ints_parse(const char *s, size_t length, int64_t *v) {
  size_t i = length && (*s == '-' || *s == '+');
  bool negative = i && *s == '-';
  int64_t n = 0;
  if (i == length) return false;
  for (; i < length; i++) {
    int digit = s[i] - '0';
    if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
        __builtin_add_overflow(n, negative ? -digit : digit, &n))
      return false;
  }
  *v = n;
  return true;
}

#endif
