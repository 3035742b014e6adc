#include "ranks.h"

#include <mpi.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch/checksum.h"
#include "batch/shard.h"
#include "error.h"

/* To rank 0: I want so many chunks; what has come of a chunk, then its bytes or its error; I am done.  From it: a
 * chunk. */
enum { TAG_ASK = 1, TAG_RESULT, TAG_BYTES, TAG_LEAVE, TAG_CHUNK };
enum { MOST_BYTES = 1 << 16 }; /* of a message */

typedef struct result {
  uint64_t chunk, size, checksum, input, rows, failed;
  int64_t status;
} result;

int ranks_join(ranks *r, const options *o) {
  *r = (ranks){.o = o};
  const unsigned long said = ad_shard_ranks();
  if (said == 1 || (!said && !getenv("PMIX_RANK"))) return 0;
  int have;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &have);
  MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &r->size);
  pthread_mutex_init(&r->sending, NULL);
  r->asked = ad_calloc((size_t)r->size, sizeof *r->asked);
  if (!r->asked) {
    out_of_memory(o);
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
  }
  if (r->size < 2 || have >= MPI_THREAD_MULTIPLE) return 0;
  ranks_leave(r);
  return usage_error(o, "this MPI lets no more than one thread at a time call it (MPI_THREAD_MULTIPLE)");
}

void ranks_leave(ranks *r) {
  if (!r->size) return;
  ad_free(r->asked);
  pthread_mutex_destroy(&r->sending);
  MPI_Finalize();
  *r = (ranks){0};
}

/* MPI itself waits at full speed; so whoever may have to wait for long looks now and then. */
static void pause_for(long *nanoseconds) {
  enum { SHORTEST = 5000, LONGEST = 500000 };
  if (*nanoseconds < SHORTEST) *nanoseconds = SHORTEST;
  nanosleep(&(struct timespec){.tv_nsec = *nanoseconds}, NULL);
  if (*nanoseconds < LONGEST) *nanoseconds *= 2;
}

static void wait_for(int rank, int tag) {
  int there = 0;
  for (long pause = 0;;) {
    MPI_Iprobe(rank, tag, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
    if (there) return;
    pause_for(&pause);
  }
}

/* ---- Beginning together */

bool ranks_wait(ranks *r) {
  int fine = 0;
  if (r->size < 2 || !r->rank) return true;
  MPI_Request request;
  MPI_Ibcast(&fine, 1, MPI_INT, 0, MPI_COMM_WORLD, &request);
  int done = 0;
  for (long pause = 0; !done; pause_for(&pause)) MPI_Test(&request, &done, MPI_STATUS_IGNORE);
  return fine;
}

int ranks_begin(ranks *r, int status, const char *key, const char *inputs, bool *go) {
  *go = !status;
  if (r->size < 2) return status;
  if (!r->rank) {
    int fine = !status;
    MPI_Request request;
    MPI_Ibcast(&fine, 1, MPI_INT, 0, MPI_COMM_WORLD, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (status) return status;
  }
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  const uint64_t mine =
      status ? 0 : ad_checksum_at(ad_checksum_of(key, strlen(key)), ad_checksum_of(inputs, strlen(inputs)));
  uint64_t theirs = mine;
  MPI_Bcast(&theirs, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
  if (!status && mine != theirs)
    status = usage_error(r->o, "another graph, other points, options or instructions than on rank 0; see ADTOOL_SIMD");
  if (status) fprintf(stderr, "adtool: that was rank %d of %d on %s\n", r->rank, r->size, host);
  int all;
  MPI_Allreduce(&status, &all, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  *go = !all;
  return r->rank ? 0 : all;
}

/* ---- Rank 0 */

static void receive(char *bytes, uint64_t size, int rank) {
  for (uint64_t at = 0; at < size; at += MOST_BYTES)
    MPI_Recv(bytes + at, (int)(size - at < MOST_BYTES ? size - at : MOST_BYTES), MPI_BYTE, rank, TAG_BYTES,
             MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* There is no memory for them. */
static void drop(uint64_t size, int rank) {
  char some[MOST_BYTES];
  for (uint64_t at = 0; at < size; at += MOST_BYTES)
    MPI_Recv(some, MOST_BYTES, MPI_BYTE, rank, TAG_BYTES, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void take_result(ad_batch_line *l, int rank) {
  result x;
  ad_error e = {0};
  MPI_Recv(&x, sizeof x, MPI_BYTE, rank, TAG_RESULT, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  ad_piece p = {.size = (size_t)x.size, .checksum = x.checksum, .input = x.input, .rows = x.rows, .failed = x.failed};
  ad_status s = (ad_status)x.status;
  if (s) {
    receive((char *)&e, sizeof e, rank);
  } else {
    ad_buffer *b = ad_batch_text(l, x.chunk);
    if (!ad_reserve(&b->data, &b->capacity, p.size + 1, 1)) {
      s = ad_fail_memory(&e);
      drop(x.size, rank);
    } else {
      receive(b->data, x.size, rank);
      p.bytes = b->data;
    }
  }
  ad_batch_done(l, x.chunk, &p, s, &e);
}

/* Deals to those that wait as much as there is. */
static bool deal(ranks *r, ad_batch_line *l) {
  bool dealt = false;
  for (int i = 1; i < r->size; i++)
    for (; r->asked[i]; r->asked[i]--) {
      uint64_t chunk;
      const ad_batch_dealt d = ad_batch_deal(l, &chunk);
      if (d == AD_DEALT_LATER) return dealt;
      if (d == AD_DEALT_NO_MORE) chunk = AD_BATCH_NO_CHUNK;
      MPI_Send(&chunk, 1, MPI_UINT64_T, i, TAG_CHUNK, MPI_COMM_WORLD);
      dealt = true;
    }
  return dealt;
}

static void serve(void *context, ad_batch_line *l) {
  ranks *r = context;
  int left = r->size - 1;
  for (long pause = 0; left;) {
    int there;
    MPI_Status st;
    uint64_t count;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &st);
    if (there && st.MPI_TAG == TAG_RESULT) {
      take_result(l, st.MPI_SOURCE);
    } else if (there) {
      MPI_Recv(&count, 1, MPI_UINT64_T, st.MPI_SOURCE, st.MPI_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      if (st.MPI_TAG == TAG_ASK)
        r->asked[st.MPI_SOURCE] += (size_t)count;
      else
        left--;
    }
    const bool dealt = deal(r, l);
    if (there || dealt)
      pause = 0;
    else
      pause_for(&pause);
  }
}

/* ---- The others */

/* Asks for twice as many as there are threads, so that nobody waits for the answer. */
static bool next(void *context, uint64_t *chunk) {
  ranks *r = context;
  if (r->ended) return false;
  uint64_t more = 2 * (uint64_t)r->threads - r->ahead;
  if (more) MPI_Send(&more, 1, MPI_UINT64_T, 0, TAG_ASK, MPI_COMM_WORLD);
  r->ahead += (size_t)more;
  do {
    wait_for(0, TAG_CHUNK);
    MPI_Recv(chunk, 1, MPI_UINT64_T, 0, TAG_CHUNK, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    r->ahead--;
    r->ended = *chunk == AD_BATCH_NO_CHUNK;
  } while (r->ended && r->ahead);
  return !r->ended;
}

static void done(void *context, uint64_t chunk, const ad_piece *p, ad_status s, const ad_error *e) {
  ranks *r = context;
  const result x = {.chunk = chunk,
                    .size = s ? sizeof *e : p->size,
                    .checksum = s ? 0 : p->checksum,
                    .input = s ? 0 : p->input,
                    .rows = s ? 0 : p->rows,
                    .failed = s ? 0 : p->failed,
                    .status = s};
  ad_error there;
  const char *bytes = s ? (const char *)&there : p->bytes;
  if (s) {
    there = *e;
    if (s != AD_EINPUT) { /* another rank might have managed */
      char host[64] = "";
      gethostname(host, sizeof host - 1);
      snprintf(there.message, sizeof there.message, "%.600s (rank %d of %d on %s)", e->message, r->rank, r->size, host);
    }
  }
  pthread_mutex_lock(&r->sending);
  MPI_Send(&x, sizeof x, MPI_BYTE, 0, TAG_RESULT, MPI_COMM_WORLD);
  for (uint64_t at = 0; at < x.size; at += MOST_BYTES)
    MPI_Send(bytes + at, (int)(x.size - at < MOST_BYTES ? x.size - at : MOST_BYTES), MPI_BYTE, 0, TAG_BYTES,
             MPI_COMM_WORLD);
  pthread_mutex_unlock(&r->sending);
}

/* ---- */

void ranks_share(ranks *r, unsigned threads, ad_batch_run *run) {
  if (r->size < 2) return;
  uint64_t mine = r->rank ? threads : 0, theirs = 0;
  MPI_Reduce(&mine, &theirs, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  r->threads = threads;
  if (r->rank) {
    r->dealer = (ad_batch_dealer){r, next, done};
    run->dealer = &r->dealer;
  } else {
    r->peers = (ad_batch_peers){r, 4 * (size_t)theirs, serve}; /* what they have asked for, and as much in writing */
    run->peers = &r->peers;
  }
}

void ranks_done(ranks *r) {
  const uint64_t none = 0;
  if (r->rank) MPI_Send(&none, 1, MPI_UINT64_T, 0, TAG_LEAVE, MPI_COMM_WORLD);
}
