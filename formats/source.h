/* Text that is read: places in it, and the line of an error as an excerpt. */
#ifndef AD_SOURCE_H
#define AD_SOURCE_H

#include "adtool.h"

typedef struct ad_source {
  const char *text;
  size_t size;
  const char *path; /* for messages */
} ad_source;

/* A walk through the text, character by character. */
typedef struct ad_cursor {
  const char *s, *end;
  int64_t line, column;
} ad_cursor;

static inline bool ad_utf8_tail(char c) {
  return ((unsigned char)c & 0xC0) == 0x80;
}

void ad_cursor_step(ad_cursor *c);
ad_cursor ad_source_go(const ad_source *src, int64_t line, int64_t column);
ad_cursor ad_source_go_to_byte(const ad_source *src, size_t offset);

/* Gives an error from below that has no place yet this one, with the source line under it; returns s. */
ad_status ad_source_place(const ad_source *src, int64_t line, int64_t column, ad_status s, ad_error *e);
ad_status ad_source_place_byte(const ad_source *src, size_t offset, ad_status s, ad_error *e);

#endif
