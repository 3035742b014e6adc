/* A file or a pipe read from its start on, with a look ahead. */
#ifndef AD_STREAM_H
#define AD_STREAM_H

#include "adtool.h"

typedef struct ad_stream {
  const char *path, *name; /* borrowed; name is for messages */
  int fd;
  bool regular;
  uint64_t size; /* of a regular file */
  unsigned char *data;
  size_t begin, end, capacity; /* what is ahead: data[begin .. end) */
  uint64_t at;                 /* where in the file `begin` is */
  bool ended;
} ad_stream;

/* "-" is standard input. */
ad_status ad_stream_open(ad_stream *s, const char *path, ad_error *e);
void ad_stream_close(ad_stream *s);
/* Looks ahead by `want` bytes at least, fewer only at the end. */
ad_status ad_stream_ahead(ad_stream *s, size_t want, ad_error *e);
/* Goes on by n bytes of those ahead. */
void ad_stream_pass(ad_stream *s, size_t n);
/* Reads up to n bytes (bytes NULL: passes over them); fewer only at the end. */
ad_status ad_stream_read(ad_stream *s, void *bytes, uint64_t n, uint64_t *got, ad_error *e);
/* Reads all n bytes at an offset of a regular file, whatever is ahead; any thread. */
ad_status ad_stream_read_at(const ad_stream *s, uint64_t at, void *bytes, size_t n, ad_error *e);
/* AD_EINPUT at an offset. */
ad_status ad_stream_bad(const ad_stream *s, uint64_t offset, ad_error *e, const char *format, ...) AD_PRINTF(4, 5);

#endif
