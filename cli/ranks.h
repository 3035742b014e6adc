/* The processes that mpirun starts: rank 0 deals chunks of rows to the others and writes the results. */
#ifndef AD_CLI_RANKS_H
#define AD_CLI_RANKS_H

#include <pthread.h>

#include "batch/run.h"
#include "cli.h"

typedef struct ranks {
  const options *o;
  int rank, size; /* size 0: this process is alone */
  unsigned threads;
  size_t *asked; /* rank 0: chunks that each rank waits for */
  size_t ahead;  /* the others: chunks asked for and not yet dealt */
  bool ended;
  pthread_mutex_t sending;
  ad_batch_peers peers;
  ad_batch_dealer dealer;
} ranks;

/* Joins the others, if the environment says that there are any. */
int ranks_join(ranks *r, const options *o);
void ranks_leave(ranks *r);

/* Rank 0 begins first, so that what is wrong is said once.  The others: whether it could. */
bool ranks_wait(ranks *r);
/* Whether all could begin, with the same key and inputs.  Each says why it could not; rank 0 returns the status of the
 * run, the others 0. */
int ranks_begin(ranks *r, int status, const char *key, const char *inputs, bool *go);

/* Tells ad_batch_do of the others; threads: of this process.  All of them call it, and behind the run: */
void ranks_share(ranks *r, unsigned threads, ad_batch_run *run);
void ranks_done(ranks *r);

#endif
