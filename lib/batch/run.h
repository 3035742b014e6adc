/* Rows in, rows out: chunks of rows on all threads, and in other processes if there are any, written in order. */
#ifndef AD_BATCH_RUN_H
#define AD_BATCH_RUN_H

#include "batch/output.h"
#include "batch/plan.h"
#include "batch/points.h"
#include "team.h"

/* Where results go. */
typedef struct ad_batch_sink {
  void *context;
  /* Sets the bytes of a chunk, whose rows p says: in `text`, or the rows themselves, which may be overwritten.  Any
   * number of threads. */
  ad_status (*render)(void *context, uint64_t first, double *rows, ad_piece *p, ad_buffer *text, ad_error *e);
  /* Chunk after chunk, in order, by one thread at a time. */
  ad_status (*write)(void *context, const ad_piece *p, ad_error *e);
  /* Whether what an earlier run has written of a chunk was made from the rows that p has, by their number and p->input;
   * else that and all behind it is to be forgotten.  In order, before anything is written, until one is not the same.
   */
  ad_status (*keep)(void *context, uint64_t chunk, const ad_piece *p, bool *same, ad_error *e);
} ad_batch_sink;

/* Other processes that work for this one, which deals chunks to them and writes what they send back. */
typedef struct ad_batch_line ad_batch_line;
typedef struct ad_batch_peers {
  void *context;
  size_t chunks; /* that all of them together have at a time, or more */
  /* Runs in a thread of its own until the last of them has been told that there is no more. */
  void (*serve)(void *context, ad_batch_line *l);
} ad_batch_peers;

/* For that thread: the next chunk. */
typedef enum ad_batch_dealt { AD_DEALT_CHUNK, AD_DEALT_LATER, AD_DEALT_NO_MORE } ad_batch_dealt;
ad_batch_dealt ad_batch_deal(ad_batch_line *l, uint64_t *chunk);
/* A place for a dealt chunk's bytes; then what has come of it.  A failure of no chunk has AD_BATCH_NO_CHUNK. */
#define AD_BATCH_NO_CHUNK UINT64_MAX
ad_buffer *ad_batch_text(ad_batch_line *l, uint64_t chunk);
void ad_batch_done(ad_batch_line *l, uint64_t chunk, const ad_piece *p, ad_status s, const ad_error *e);

/* The process that this one works for. */
typedef struct ad_batch_dealer {
  void *context;
  /* The next chunk; false when there is no more.  One thread at a time; chunks rise. */
  bool (*next)(void *context, uint64_t *chunk);
  /* What has come of it; any number of threads. */
  void (*done)(void *context, uint64_t chunk, const ad_piece *p, ad_status s, const ad_error *e);
} ad_batch_dealer;

typedef struct ad_batch_run {
  const ad_batch_plan *plan;
  const ad_points *points;
  ad_batch_sink sink;
  uint64_t first, end; /* rows, from a chunk's start; end may be AD_ROWS_UNKNOWN without peers */
  size_t chunk;        /* rows */
  ad_team *team;
  uint64_t there;                /* chunks that an earlier run has written; all of them are dealt, and asked for */
  bool rows_only;                /* nothing is computed: pieces have their rows' number and checksum, no bytes */
  const ad_batch_peers *peers;   /* NULL: none; they get chunks when it is known what is kept */
  const ad_batch_dealer *dealer; /* NULL: none; else nothing is written here */
  bool *undetermined;            /* NULL, or what ad_batch_undetermined says of any row that was computed here */
} ad_batch_run;

/* Rows of a chunk: a power of two, the same on every machine, for some milliseconds of work and for numbers that are
 * many pages of a file, which systems write faster than few, and stay in a cache. */
size_t ad_batch_chunk(const ad_batch_plan *p);

/* Does it.  What it takes of memory follows from the width of rows and the number of threads, not from the number of
 * rows.  Of several errors the one of the earliest chunk comes back, with every chunk before it written. */
ad_status ad_batch_do(const ad_batch_run *r, ad_error *e);

#endif
