/* The one allocation interface of the library: overflow is checked, failure is a status. */
#ifndef AD_MEM_H
#define AD_MEM_H

#include "adtool.h"

/* Allocates count * size bytes, zeroed; NULL on overflow or when memory runs out.  Freed with ad_free. */
void *ad_calloc(size_t count, size_t size);
/* The same on a cache line's boundary, for arrays that SIMD reads. */
void *ad_calloc_lines(size_t count, size_t size);
/* Without zeroing. */
void *ad_malloc(size_t count, size_t size);
/* Resizes; on failure p stays as it was and NULL comes back. */
void *ad_realloc(void *p, size_t count, size_t size);

/* Makes room for `need` items of `size` bytes in the growable array (*items, *capacity), at least half as much again
 * as it had, and some for an array of none, so that it is not NULL.  Returns false, and changes nothing, when memory
 * runs out. */
bool ad_reserve(void *items_ptr, size_t *capacity, size_t need, size_t size);
/* Gives back what a growable array has beyond `count` items; false, and nothing is changed, when that needs memory. */
bool ad_shrink(void *items_ptr, size_t count, size_t size);

/* A growable string of bytes, always with a final zero behind it.  `failed` sticks when memory ran out: check once. */
typedef struct ad_buffer {
  char *data;
  size_t size, capacity;
  bool failed;
} ad_buffer;
void ad_buffer_put(ad_buffer *b, const void *bytes, size_t n);
void ad_buffer_puts(ad_buffer *b, const char *s);
void ad_buffer_printf(ad_buffer *b, const char *format, ...) AD_PRINTF(2, 3);
void ad_buffer_clear(ad_buffer *b); /* frees */
/* The text of a buffer that was filled on behalf of another one, which fails when it did; "" when there is none. */
const char *ad_buffer_text(ad_buffer *to, const ad_buffer *text);

#endif
