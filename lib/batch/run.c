#include "batch/run.h"

#include <pthread.h>
#include <string.h>

#include "batch/checksum.h"
#include "error.h"
#include "exec/program.h"

/* One chunk between dealing and writing. */
typedef struct slot {
  ad_points_block in;
  double *results;
  ad_buffer text;
  ad_piece piece;
  bool kept; /* an earlier run has written it */
  bool ready;
  ad_status status;
  ad_error error;
} slot;

struct ad_batch_line {
  const ad_batch_run *r;
  ad_batch_worker **worker; /* of each thread, */
  double **rows;            /* and the rows that it is at */
  slot *slot;               /* of chunk i: i % slots, or with a dealer that of the thread */
  size_t slots;
  pthread_mutex_t taking; /* of the source */
  pthread_mutex_t lock;   /* of what follows, and of the slots' ready */
  pthread_cond_t moved;
  uint64_t next, written, kept; /* chunks */
  bool ended, writing, differs, stop;
  ad_status status;
  ad_error error;
};

/* The sweeps over the graph that a row takes at most. */
static uint64_t sweeps(const ad_batch_plan *p) {
  const size_t n = ad_batch_wrt(p), m = p->width / (n + 1);
  return p->o.task == AD_BATCH_HESS ? n : p->o.task != AD_BATCH_JAC ? 1 : m < n ? m : n;
}

size_t ad_batch_chunk(const ad_batch_plan *p) {
  enum { NUMBERS = 1 << 17, WORK = 1 << 21, MOST = 1 << 15, CHECKS = 4 };
  const uint64_t numbers = (uint64_t)p->inputs + p->width, work = p->program->size * (sweeps(p) + 1) / 2;
  size_t rows = 1;
  const size_t most = p->o.task == AD_BATCH_CHECK ? CHECKS : MOST;
  while (rows < most && 2 * rows * numbers <= NUMBERS && 2 * rows * work <= WORK) rows *= 2;
  return rows;
}

/* ---- Dealing */

/* With l->lock held: whether it is not known yet how much of an earlier run is kept. */
static bool comparing(const ad_batch_line *l) {
  return l->kept < l->r->there && !l->differs && !l->stop;
}

/* With l->lock held. */
static ad_batch_dealt deal(ad_batch_line *l, bool peer, uint64_t *chunk) {
  if (l->stop || l->ended || l->r->first + l->next * l->r->chunk >= l->r->end) return AD_DEALT_NO_MORE;
  if (l->next - l->written >= l->slots || (peer && comparing(l))) return AD_DEALT_LATER;
  *chunk = l->next++;
  return AD_DEALT_CHUNK;
}

ad_batch_dealt ad_batch_deal(ad_batch_line *l, uint64_t *chunk) {
  pthread_mutex_lock(&l->lock);
  const ad_batch_dealt d = deal(l, true, chunk);
  pthread_mutex_unlock(&l->lock);
  return d;
}

static bool wait_for_chunk(ad_batch_line *l, uint64_t *chunk) {
  ad_batch_dealt d;
  if (l->r->dealer) return l->r->dealer->next(l->r->dealer->context, chunk);
  pthread_mutex_lock(&l->lock);
  while ((d = deal(l, false, chunk)) == AD_DEALT_LATER) pthread_cond_wait(&l->moved, &l->lock);
  pthread_mutex_unlock(&l->lock);
  return d == AD_DEALT_CHUNK;
}

/* The next chunk of the source; NULL at the end, or when something failed. */
static slot *take(ad_batch_line *l, uint64_t *chunk, unsigned thread) {
  const ad_batch_run *r = l->r;
  slot *s = NULL;
  pthread_mutex_lock(&l->taking);
  if (wait_for_chunk(l, chunk)) {
    s = &l->slot[r->dealer ? thread : *chunk % l->slots];
    s->in.first = r->first + *chunk * r->chunk;
    s->in.count = r->end - s->in.first < r->chunk ? (size_t)(r->end - s->in.first) : r->chunk;
    s->status = r->points->take(r->points->self, &s->in, &s->error);
    s->piece = (ad_piece){.rows = s->in.count};
    if (s->status || s->in.count < r->chunk) {
      pthread_mutex_lock(&l->lock);
      l->ended = true;
      pthread_mutex_unlock(&l->lock);
    }
  }
  pthread_mutex_unlock(&l->taking);
  return s;
}

/* ---- Writing */

static void fail(ad_batch_line *l, ad_status s, const ad_error *e) {
  if (!l->stop) {
    l->status = s;
    l->error = *e;
  }
  l->stop = true;
}

/* Writes what is ready in order, unless somebody else is at it.  Behind the end of the source a chunk may be empty. */
static void hand_over(ad_batch_line *l, slot *done) {
  pthread_mutex_lock(&l->lock);
  done->ready = true;
  while (!l->writing && !l->stop && l->slot[l->written % l->slots].ready) {
    slot *s = &l->slot[l->written % l->slots];
    l->writing = true;
    pthread_mutex_unlock(&l->lock);
    if (!s->status && s->piece.rows && !s->kept) s->status = l->r->sink.write(l->r->sink.context, &s->piece, &s->error);
    pthread_mutex_lock(&l->lock);
    l->writing = false;
    s->ready = false;
    l->written++;
    if (s->status) fail(l, s->status, &s->error);
    pthread_cond_broadcast(&l->moved);
  }
  pthread_mutex_unlock(&l->lock);
}

ad_buffer *ad_batch_text(ad_batch_line *l, uint64_t chunk) {
  return &l->slot[chunk % l->slots].text;
}

void ad_batch_done(ad_batch_line *l, uint64_t chunk, const ad_piece *p, ad_status status, const ad_error *e) {
  if (chunk == AD_BATCH_NO_CHUNK) {
    pthread_mutex_lock(&l->lock);
    fail(l, status, e);
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
    return;
  }
  slot *s = &l->slot[chunk % l->slots];
  s->piece = *p;
  s->kept = false;
  s->status = status;
  if (status) s->error = *e;
  hand_over(l, s);
}

/* ---- Threads */

static ad_status decode(ad_batch_line *l, slot *s, unsigned thread) {
  const ad_batch_run *r = l->r;
  const ad_status status = r->points->decode(r->points->self, &s->in, l->rows[thread], &s->error);
  if (!status)
    s->piece.input =
        ad_checksum_at(s->in.first, ad_checksum_of(l->rows[thread], s->in.count * r->plan->inputs * sizeof(double)));
  return status;
}

/* Whether an earlier run has written the chunk, from the same rows.  Each thread waits until that is known of the
 * chunks before its own, which others have decoded meanwhile; a pipe is read only once, so what differs is computed at
 * once. */
static bool keep(ad_batch_line *l, uint64_t chunk, slot *s) {
  bool same = false;
  if (chunk >= l->r->there) return false;
  pthread_mutex_lock(&l->lock);
  while (l->kept < chunk && comparing(l)) pthread_cond_wait(&l->moved, &l->lock);
  if (comparing(l)) {
    if (!s->status) s->status = l->r->sink.keep(l->r->sink.context, chunk, &s->piece, &same, &s->error);
    l->kept += same;
    l->differs = !same;
    pthread_cond_broadcast(&l->moved);
  }
  pthread_mutex_unlock(&l->lock);
  return same;
}

static ad_status compute(ad_batch_line *l, slot *s, unsigned thread) {
  const ad_batch_run *r = l->r;
  if (!s->results) s->results = ad_calloc(r->chunk * r->plan->width, sizeof(double));
  if (!s->results) return ad_fail_memory(&s->error);
  ad_status status = ad_batch_work(l->worker[thread], l->rows[thread], s->in.count, s->results, &s->error);
  if (!status) status = r->sink.render(r->sink.context, s->in.first, s->results, &s->piece, &s->text, &s->error);
  if (!status) s->piece.checksum = ad_checksum_of(s->piece.bytes, s->piece.size);
  return status;
}

static void work(void *context, size_t task, unsigned thread) {
  ad_batch_line *l = context;
  const ad_batch_dealer *dealer = l->r->dealer;
  (void)task;
  uint64_t chunk;
  for (slot *s; (s = take(l, &chunk, thread));) {
    if (!s->status && s->piece.rows) s->status = decode(l, s, thread);
    s->kept = keep(l, chunk, s);
    if (!s->status && s->piece.rows && !s->kept && !l->r->rows_only) s->status = compute(l, s, thread);
    if (dealer)
      dealer->done(dealer->context, chunk, &s->piece, s->status, &s->error);
    else
      hand_over(l, s);
  }
}

static void *serve(void *context) {
  ad_batch_line *l = context;
  l->r->peers->serve(l->r->peers->context, l);
  return NULL;
}

/* Peers are served whatever happens here: they wait for somebody to tell them that there is no more. */
static void run_with_peers(ad_batch_line *l, unsigned threads) {
  pthread_t server;
  ad_error e;
  const bool served = !l->stop && !pthread_create(&server, NULL, serve, l);
  if (served) {
    ad_team_run(l->r->team, work, l, threads);
    pthread_join(server, NULL);
    return;
  }
  if (!l->stop) fail(l, ad_fail(&e, AD_ELIMIT, "can't start a thread"), &e);
  serve(l);
}

/* ---- */

static ad_status set_up(ad_batch_line *l, unsigned threads, ad_error *e) {
  const ad_batch_run *r = l->r;
  size_t in, out;
  l->slots = r->dealer || threads == 1 ? threads : 2 * (size_t)threads;
  if (r->peers) l->slots += r->peers->chunks;
  if (__builtin_mul_overflow(r->chunk, r->plan->inputs, &in) || __builtin_mul_overflow(r->chunk, r->plan->width, &out))
    return ad_fail(e, AD_ELIMIT, "rows of %zu and %zu numbers are too wide", r->plan->inputs, r->plan->width);
  l->slot = ad_calloc(l->slots, sizeof *l->slot);
  l->worker = ad_calloc(threads, sizeof(ad_batch_worker *));
  l->rows = ad_calloc(threads, sizeof(double *));
  if (!l->slot || !l->worker || !l->rows) return ad_fail_memory(e);
  ad_status s = AD_OK;
  for (unsigned i = 0; !s && i < threads; i++) {
    l->rows[i] = ad_calloc(in, sizeof(double));
    if (!l->rows[i]) s = ad_fail_memory(e);
    if (!s && !r->rows_only) s = ad_batch_worker_new(&l->worker[i], r->plan, e);
  }
  return s;
}

static void tear_down(ad_batch_line *l, unsigned threads) {
  for (size_t i = 0; l->slot && i < l->slots; i++) {
    ad_free(l->slot[i].results);
    ad_buffer_clear(&l->slot[i].text);
    ad_buffer_clear(&l->slot[i].in.raw);
  }
  for (unsigned i = 0; i < threads; i++) {
    if (l->worker) ad_batch_worker_free(l->worker[i]);
    if (l->rows) ad_free(l->rows[i]);
  }
  ad_free(l->slot);
  ad_free(l->worker);
  ad_free(l->rows);
}

ad_status ad_batch_do(const ad_batch_run *r, ad_error *e) {
  const unsigned threads = ad_team_threads(r->team);
  ad_batch_line l = {.r = r};
  ad_error error;
  pthread_mutex_init(&l.taking, NULL); /* these don't fail without attributes */
  pthread_mutex_init(&l.lock, NULL);
  pthread_cond_init(&l.moved, NULL);
  const ad_status s = set_up(&l, threads, &error);
  if (s) fail(&l, s, &error);
  if (s && r->dealer) r->dealer->done(r->dealer->context, AD_BATCH_NO_CHUNK, NULL, s, &error);
  if (r->peers)
    run_with_peers(&l, threads);
  else if (!s)
    ad_team_run(r->team, work, &l, threads);
  if (l.status && e) *e = l.error;
  for (unsigned i = 0; l.worker && r->undetermined && i < threads; i++)
    *r->undetermined = *r->undetermined || ad_batch_undetermined(l.worker[i]);
  tear_down(&l, threads);
  pthread_cond_destroy(&l.moved);
  pthread_mutex_destroy(&l.lock);
  pthread_mutex_destroy(&l.taking);
  return l.status;
}
