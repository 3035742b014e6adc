/* Rows of points, whatever file they come from. */
#ifndef AD_BATCH_POINTS_H
#define AD_BATCH_POINTS_H

#include "adtool.h"
#include "mem.h"

#define AD_ROWS_UNKNOWN UINT64_MAX

/* Rows on their way from a file to numbers. */
typedef struct ad_points_block {
  uint64_t first;
  size_t count;
  ad_buffer raw; /* the source's own */
  uint64_t mark;
} ad_points_block;

/* A source of rows of doubles, one for each element of the graph's inputs in the file's order.  Two steps, so that only
 * the first one waits for the rows before: */
typedef struct ad_points {
  void *self;
  uint64_t count; /* of rows; AD_ROWS_UNKNOWN until the end */
  bool *given;    /* of each input whether rows have it; owned by the source */
  /* Takes the next b->count rows or fewer, b->first says from where on; b->count is 0 at the end.  In rising order, by
   * one thread at a time; rows in between may be left out. */
  ad_status (*take)(void *self, ad_points_block *b, ad_error *e);
  /* Turns a taken block into numbers; any number of threads at a time.  Numbers that rows don't give are left alone. */
  ad_status (*decode)(void *self, ad_points_block *b, double *rows, ad_error *e);
  /* Counts the rows of a file that can be read twice. */
  ad_status (*count_rows)(void *self, uint64_t *rows, ad_error *e);
  void (*close)(void *self);
} ad_points;

#endif
