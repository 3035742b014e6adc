#include <stdio.h>
#include <string.h>

#include "adtool.h"

int64_t ad_shape_size(const ad_shape *s) {
  if (!s || s->rank < 0 || s->rank > AD_MAX_RANK) return -1;
  int64_t n = 1;
  bool empty = false;
  for (int i = 0; i < s->rank; i++) {
    if (s->dim[i] < 0) return -1;
    if (s->dim[i] == 0)
      empty = true;
    else if (__builtin_mul_overflow(n, s->dim[i], &n))
      return -1;
  }
  return empty ? 0 : n;
}

bool ad_shape_equal(const ad_shape *a, const ad_shape *b) {
  if (!a || !b || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank && i < AD_MAX_RANK; i++)
    if (a->dim[i] != b->dim[i]) return false;
  return true;
}

void ad_shape_text(char *buf, const ad_shape *s) {
  char *p = buf;
  if (!buf) return;
  *p++ = '[';
  for (int i = 0; s && i < s->rank && i < AD_MAX_RANK; i++)
    p += sprintf(p, i ? ", %lld" : "%lld", (long long)s->dim[i]);
  strcpy(p, "]");
}
