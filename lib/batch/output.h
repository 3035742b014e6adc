/* A file that grows chunk by chunk, survives a kill, and appears under its name only when it is whole.
 *
 * PATH.part holds what is written so far and PATH.journal what of it is good: a header with the key of the run, then
 * for each chunk its rows, how many of them failed, its size and checksums.  A later run with the same key goes on
 * behind the last good chunk; with another key it starts anew.  At the end the file is synced to the disk and renamed,
 * and the journal goes. */
#ifndef AD_BATCH_OUTPUT_H
#define AD_BATCH_OUTPUT_H

#include "adtool.h"

typedef struct ad_output ad_output;

/* The result of a chunk of rows. */
typedef struct ad_piece {
  const void *bytes;
  size_t size;
  uint64_t checksum;     /* of the bytes */
  uint64_t rows, failed; /* failed: rows that the batch's exit status must tell of */
} ad_piece;

/* key: text that says all that the content follows from.  head: the file's first bytes.  A path "-" or one that is no
 * regular file is written to directly, without a journal.  AD_EIO when another run is at the same file. */
ad_status ad_output_open(ad_output **o, const char *path, const char *key, const void *head, size_t head_size,
                         ad_error *e);
/* What is written: at first what an earlier run has left, chunks and rows that need not be done again. */
uint64_t ad_output_chunks(const ad_output *o);
uint64_t ad_output_rows(const ad_output *o);
uint64_t ad_output_failed(const ad_output *o);
/* Whether the head can still be changed at the end. */
bool ad_output_can_patch(const ad_output *o);

ad_status ad_output_write(ad_output *o, const ad_piece *p, ad_error *e);
/* Reads back what is behind the head, from `at` on; a regular file only. */
ad_status ad_output_read(ad_output *o, uint64_t at, void *bytes, size_t size, ad_error *e);
/* Puts the file in its place, with another head of the same size if head is not NULL.  Closes in any case. */
ad_status ad_output_finish(ad_output *o, const void *head, uint64_t *size, uint64_t *checksum, ad_error *e);
/* Closes without finishing.  What is there is kept for a later run, or removed. */
void ad_output_leave(ad_output *o, bool keep);

/* Size and checksum of a file. */
ad_status ad_output_sum(const char *path, uint64_t *size, uint64_t *checksum, ad_error *e);

#endif
