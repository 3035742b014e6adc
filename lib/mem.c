#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *ad_calloc(size_t count, size_t size) {
  return calloc(count ? count : 1, size);
}

void *ad_calloc_lines(size_t count, size_t size) {
  enum { LINE = 64, HUGE = 2 << 20 };
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - HUGE) return NULL;
  const size_t align = bytes < 2 * HUGE ? LINE : HUGE;
  bytes = (bytes + align) & ~(align - 1);
  void *p = aligned_alloc(align, bytes);
#ifdef MADV_HUGEPAGE
  if (p && align == HUGE)
    madvise(p, bytes, MADV_HUGEPAGE); /* random access to many small pages waits for their addresses */
#endif
  if (p) memset(p, 0, bytes);
  return p;
}

void *ad_malloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  return malloc(bytes ? bytes : 1);
}

void *ad_realloc(void *p, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  return realloc(p, bytes ? bytes : 1);
}

void ad_free(void *p) {
  free(p);
}

bool ad_reserve(void *items_ptr, size_t *capacity, size_t need, size_t size) {
  if (*capacity && need <= *capacity) return true;
  size_t grown = *capacity + *capacity / 2 + 8;
  if (grown < need) grown = need;
  void *old;
  memcpy(&old, items_ptr, sizeof old);
  void *p = ad_realloc(old, grown, size);
  if (!p) return false;
  memcpy(items_ptr, &p, sizeof p);
  *capacity = grown;
  return true;
}

bool ad_shrink(void *items_ptr, size_t count, size_t size) {
  void *items;
  memcpy(&items, items_ptr, sizeof items);
  if (!items) return true;
  if (!(items = ad_realloc(items, count, size))) return false;
  memcpy(items_ptr, &items, sizeof items);
  return true;
}

void ad_buffer_put(ad_buffer *b, const void *bytes, size_t n) {
  size_t need;
  if (b->failed) return;
  if (__builtin_add_overflow(b->size, n, &need) || __builtin_add_overflow(need, 1, &need) ||
      !ad_reserve(&b->data, &b->capacity, need, 1)) {
    b->failed = true;
    return;
  }
  if (n) memcpy(b->data + b->size, bytes, n);
  b->size += n;
  b->data[b->size] = '\0';
}

void ad_buffer_puts(ad_buffer *b, const char *s) {
  ad_buffer_put(b, s, strlen(s));
}

void ad_buffer_printf(ad_buffer *b, const char *format, ...) {
  char small[256];
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(small, sizeof small, format, ap);
  va_end(ap);
  if (n < 0) {
    b->failed = true;
    return;
  }
  if ((size_t)n < sizeof small) {
    ad_buffer_put(b, small, (size_t)n);
    return;
  }
  if (b->failed || !ad_reserve(&b->data, &b->capacity, b->size + (size_t)n + 1, 1)) {
    b->failed = true;
    return;
  }
  va_start(ap, format);
  vsnprintf(b->data + b->size, (size_t)n + 1, format, ap);
  va_end(ap);
  b->size += (size_t)n;
}

const char *ad_buffer_text(ad_buffer *to, const ad_buffer *text) {
  to->failed = to->failed || text->failed;
  return text->data ? text->data : "";
}

void ad_buffer_clear(ad_buffer *b) {
  free(b->data);
  *b = (ad_buffer){0};
}
