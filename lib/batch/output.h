/* A file that grows chunk by chunk, survives a kill, and appears under its name only when it is whole.
 *
 * PATH.part holds what is written so far and PATH.journal what of it is good: a header with the key of the run, then
 * for each chunk its rows, how many of them failed, its size and checksums, that of what it was made from among them.
 * A later run with the same key finds what is good; it says itself up to where that was made from what it has, too.
 * With another key it starts anew.  At the end the file is synced to the disk and renamed, and the journal goes. */
#ifndef AD_BATCH_OUTPUT_H
#define AD_BATCH_OUTPUT_H

#include "adtool.h"

typedef struct ad_output ad_output;

/* The result of a chunk of rows. */
typedef struct ad_piece {
  const void *bytes;
  size_t size;
  uint64_t checksum;     /* of the bytes */
  uint64_t input;        /* of what the piece was made from, at its place (ad_checksum_at); 0: that is not known */
  uint64_t rows, failed; /* failed: rows that the batch's exit status must tell of */
} ad_piece;

/* What a finished file is: its size and checksum, and the sum of its pieces' inputs, 0 when one is not known. */
typedef struct ad_output_sums {
  uint64_t size, checksum, input;
} ad_output_sums;

/* key: text that says all that the content follows from beside the inputs of its pieces; NULL: nothing of an earlier
 * run is of use.  head: the file's first bytes.  What is no file to be replaced (ad_io_replaces) is written to
 * directly, without a journal.  AD_EIO when another run is at the same file, or PATH.part or PATH.journal is somebody
 * else's. */
ad_status ad_output_open(ad_output **o, const char *path, const char *key, const void *head, size_t head_size,
                         ad_error *e);
/* What is written: at first what an earlier run has left, chunks and rows that need not be done again. */
uint64_t ad_output_chunks(const ad_output *o);
uint64_t ad_output_rows(const ad_output *o);
uint64_t ad_output_failed(const ad_output *o);
/* Rows, failed and input of chunk i, whose bytes are good. */
ad_status ad_output_chunk(const ad_output *o, uint64_t i, ad_piece *p, ad_error *e);
/* Forgets all but the first chunks. */
ad_status ad_output_cut(ad_output *o, uint64_t chunks, ad_error *e);
/* Whether the head can still be changed at the end. */
bool ad_output_can_patch(const ad_output *o);

ad_status ad_output_write(ad_output *o, const ad_piece *p, ad_error *e);
/* Reads back what is behind the head, from `at` on; a regular file only. */
ad_status ad_output_read(ad_output *o, uint64_t at, void *bytes, size_t size, ad_error *e);
/* Puts the file in its place, with another head of the same size if head is not NULL.  sums may be NULL.  Closes in any
 * case. */
ad_status ad_output_finish(ad_output *o, const void *head, ad_output_sums *sums, ad_error *e);
/* Closes without finishing.  What is there is kept for a later run, or removed. */
void ad_output_leave(ad_output *o, bool keep);

/* Size and checksum of a file. */
ad_status ad_output_sum(const char *path, uint64_t *size, uint64_t *checksum, ad_error *e);

#endif
