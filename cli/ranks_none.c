/* Without MPI a process is alone. */
#include "batch/shard.h"
#include "ranks.h"

int ranks_join(ranks *r, const options *o) {
  *r = (ranks){.o = o};
  const unsigned long said = ad_shard_ranks();
  if (said < 2) return 0;
  return usage_error(
      o,
      "this adtool was built without MPI (./configure --with-mpi), but mpirun starts %lu of it; let each "
      "do a part of its own with --shard auto",
      said);
}

void ranks_leave(ranks *r) {
  (void)r;
}

bool ranks_wait(ranks *r) {
  (void)r;
  return true;
}

int ranks_begin(ranks *r, int status, const char *key, const char *inputs, bool *go) {
  (void)r, (void)key, (void)inputs;
  *go = !status;
  return status;
}

void ranks_share(ranks *r, unsigned threads, ad_batch_run *run) {
  (void)r, (void)threads, (void)run;
}

void ranks_done(ranks *r) {
  (void)r;
}
