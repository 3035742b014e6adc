#include "batch/run.h"

#include <pthread.h>
#include <string.h>

#include "error.h"
#include "exec/program.h"

/* One chunk between taking and writing. */
typedef struct slot {
  ad_points_block in;
  double *rows, *results;
  ad_buffer text;
  const void *bytes;
  size_t size, count;
  bool ready;
  ad_status status;
  ad_error error;
} slot;

typedef struct line {
  const ad_batch_run *r;
  ad_batch_worker **worker; /* of each thread */
  slot *slot;
  size_t slots;
  pthread_mutex_t taking; /* of next, ended and the source */
  uint64_t next;
  bool ended;
  pthread_mutex_t lock; /* of what follows, and of the slots' ready */
  pthread_cond_t moved;
  uint64_t written; /* chunks */
  bool writing, stop;
  ad_status status;
  ad_error error;
} line;

/* The sweeps over the graph that a row takes at most. */
static uint64_t sweeps(const ad_batch_plan *p) {
  const size_t n = ad_batch_wrt(p), m = p->width / (n + 1);
  return p->o.task == AD_BATCH_HESS ? n : p->o.task != AD_BATCH_JAC ? 1 : m < n ? m : n;
}

size_t ad_batch_chunk(const ad_batch_plan *p) {
  enum { NUMBERS = 1 << 16, WORK = 1 << 21, MOST = 1 << 15, CHECKS = 4 };
  const uint64_t numbers = (uint64_t)p->inputs + p->width, work = p->program->size * (sweeps(p) + 1) / 2;
  size_t rows = 1;
  const size_t most = p->o.task == AD_BATCH_CHECK ? CHECKS : MOST;
  while (rows < most && 2 * rows * numbers <= NUMBERS && 2 * rows * work <= WORK) rows *= 2;
  return rows;
}

/* Takes the next chunk into its slot; false at the end, or when something failed. */
static bool take(line *l, uint64_t *number) {
  const ad_batch_run *r = l->r;
  bool taken = false;
  pthread_mutex_lock(&l->taking);
  pthread_mutex_lock(&l->lock);
  while (!l->stop && l->next - l->written >= l->slots) pthread_cond_wait(&l->moved, &l->lock);
  const bool stop = l->stop;
  pthread_mutex_unlock(&l->lock);
  const uint64_t first = r->first + l->next * r->chunk;
  if (!stop && !l->ended && first < r->end) {
    slot *s = &l->slot[l->next % l->slots];
    s->in.first = first;
    s->in.count = r->end - first < r->chunk ? (size_t)(r->end - first) : r->chunk;
    s->status = r->points->take(r->points->self, &s->in, &s->error);
    s->count = s->in.count;
    *number = l->next;
    taken = s->status || s->count;
    l->next += taken;
    l->ended = s->status || s->count < r->chunk;
  }
  pthread_mutex_unlock(&l->taking);
  return taken;
}

/* Writes what is ready in order, unless somebody else is at it. */
static void hand_over(line *l, slot *done) {
  pthread_mutex_lock(&l->lock);
  done->ready = true;
  while (!l->writing && !l->stop && l->slot[l->written % l->slots].ready) {
    slot *s = &l->slot[l->written % l->slots];
    l->writing = true;
    pthread_mutex_unlock(&l->lock);
    if (!s->status) s->status = l->r->sink.write(l->r->sink.context, s->bytes, s->size, s->count, &s->error);
    pthread_mutex_lock(&l->lock);
    l->writing = false;
    s->ready = false;
    l->written++;
    if (s->status) {
      l->status = s->status;
      l->error = s->error;
      l->stop = true;
    }
    pthread_cond_broadcast(&l->moved);
  }
  pthread_mutex_unlock(&l->lock);
}

static void work(void *context, size_t task, unsigned thread) {
  line *l = context;
  const ad_batch_run *r = l->r;
  (void)task;
  for (uint64_t i; take(l, &i);) {
    slot *s = &l->slot[i % l->slots];
    if (!s->status) s->status = r->points->decode(r->points->self, &s->in, s->rows, &s->error);
    if (!s->status) s->status = ad_batch_work(l->worker[thread], s->rows, s->count, s->results, &s->error);
    if (!s->status)
      s->status =
          r->sink.render(r->sink.context, s->in.first, s->results, s->count, &s->text, &s->bytes, &s->size, &s->error);
    hand_over(l, s);
  }
}

static ad_status set_up(line *l, unsigned threads, ad_error *e) {
  const ad_batch_run *r = l->r;
  size_t in, out;
  if (__builtin_mul_overflow(r->chunk, r->plan->inputs, &in) || __builtin_mul_overflow(r->chunk, r->plan->width, &out))
    return ad_fail(e, AD_ELIMIT, "rows of %zu and %zu numbers are too wide", r->plan->inputs, r->plan->width);
  l->slots = threads == 1 ? 1 : 2 * (size_t)threads;
  l->slot = ad_calloc(l->slots, sizeof *l->slot);
  l->worker = ad_calloc(threads, sizeof(ad_batch_worker *));
  if (!l->slot || !l->worker) return ad_fail_memory(e);
  for (size_t i = 0; i < l->slots; i++) {
    l->slot[i].rows = ad_calloc(in, sizeof(double));
    l->slot[i].results = ad_calloc(out, sizeof(double));
    if (!l->slot[i].rows || !l->slot[i].results) return ad_fail_memory(e);
  }
  ad_status s = AD_OK;
  for (unsigned i = 0; !s && i < threads; i++) s = ad_batch_worker_new(&l->worker[i], r->plan, e);
  return s;
}

static void tear_down(line *l, unsigned threads) {
  for (size_t i = 0; l->slot && i < l->slots; i++) {
    ad_free(l->slot[i].rows);
    ad_free(l->slot[i].results);
    ad_buffer_clear(&l->slot[i].text);
    ad_buffer_clear(&l->slot[i].in.raw);
  }
  for (unsigned i = 0; l->worker && i < threads; i++) ad_batch_worker_free(l->worker[i]);
  ad_free(l->slot);
  ad_free(l->worker);
}

ad_status ad_batch_do(const ad_batch_run *r, ad_error *e) {
  const unsigned threads = ad_team_threads(r->team);
  line *l = ad_calloc(1, sizeof *l);
  if (!l) return ad_fail_memory(e);
  l->r = r;
  pthread_mutex_init(&l->taking, NULL); /* these don't fail without attributes */
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->moved, NULL);
  ad_status s = set_up(l, threads, e);
  if (!s) {
    ad_team_run(r->team, work, l, threads);
    s = l->status;
    if (s && e) *e = l->error;
  }
  tear_down(l, threads);
  pthread_cond_destroy(&l->moved);
  pthread_mutex_destroy(&l->lock);
  pthread_mutex_destroy(&l->taking);
  ad_free(l);
  return s;
}
