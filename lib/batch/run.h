/* Rows in, rows out: chunks of rows on all threads, written in order. */
#ifndef AD_BATCH_RUN_H
#define AD_BATCH_RUN_H

#include "batch/plan.h"
#include "batch/points.h"
#include "team.h"

/* Where results go. */
typedef struct ad_batch_sink {
  void *context;
  /* The bytes of a chunk: in `text`, or the rows themselves, which may be overwritten.  Any number of threads. */
  ad_status (*render)(void *context, uint64_t first, double *rows, size_t count, ad_buffer *text, const void **bytes,
                      size_t *size, ad_error *e);
  /* Chunk after chunk, in order, by one thread at a time. */
  ad_status (*write)(void *context, const void *bytes, size_t size, size_t count, ad_error *e);
} ad_batch_sink;

typedef struct ad_batch_run {
  const ad_batch_plan *plan;
  const ad_points *points;
  ad_batch_sink sink;
  uint64_t first, end; /* rows, from a chunk's start; end may be AD_ROWS_UNKNOWN */
  size_t chunk;        /* rows */
  ad_team *team;
} ad_batch_run;

/* Rows of a chunk: a power of two, the same on every machine, for numbers that stay in a cache and some milliseconds
 * of work. */
size_t ad_batch_chunk(const ad_batch_plan *p);

/* Does it.  What it takes of memory follows from the width of rows and the number of threads, not from the number of
 * rows.  Of several errors the one of the earliest chunk comes back, with every chunk before it written. */
ad_status ad_batch_do(const ad_batch_run *r, ad_error *e);

#endif
