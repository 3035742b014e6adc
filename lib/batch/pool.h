/* Items done by worker processes: a crash, an abort or an endless loop costs the item that it happened in, no other. */
#ifndef AD_BATCH_POOL_H
#define AD_BATCH_POOL_H

#include "adtool.h"
#include "mem.h"

typedef enum ad_pool_loss { AD_POOL_CRASHED, AD_POOL_TIMEOUT, AD_POOL_MEMORY } ad_pool_loss;

/* The exit status of a worker that has run out of memory where no error can be returned. */
enum { AD_POOL_NO_MEMORY = 77 };

typedef struct ad_pool {
  void *context;
  unsigned workers;
  double timeout;      /* seconds an item; 0: none */
  uint64_t memory;     /* bytes that a worker may take beyond what it starts with; 0: no limit */
  void (*begin)(void); /* first in each worker; NULL: nothing */
  /* In a worker: the record of an item.  What it puts into *note, 0 at first, is there when the worker is lost. */
  void (*work)(void *context, uint64_t item, _Atomic uint64_t *note, ad_buffer *record);
  /* In the calling process: the record of an item that its worker was lost with; detail: the signal, or the exit
   * status where there was none. */
  void (*lost)(void *context, uint64_t item, uint64_t note, ad_pool_loss why, int detail, ad_buffer *record);
  /* In the calling process, in order. */
  ad_status (*write)(void *context, uint64_t item, const void *record, size_t size, ad_error *e);
} ad_pool;

/* Does items first .. end-1.  The process has one thread only, and ignores SIGPIPE. */
ad_status ad_pool_run(const ad_pool *p, uint64_t first, uint64_t end, ad_error *e);

#endif
