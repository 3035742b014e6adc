#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "mem.h"

/* A run that follows the last one at once finds the threads awake: some 20 microseconds, what a sleeper takes to wake.
 */
enum { ROUNDS_AWAKE = 500 };

typedef struct member {
  ad_team *team;
  unsigned number;
  pthread_t thread;
} member;

struct ad_team {
  _Alignas(64) _Atomic size_t next;       /* the first task that nobody has taken */
  _Alignas(64) _Atomic unsigned long run; /* counts runs */
  size_t count;
  ad_team_task *task;
  void *context;
  void (*leave)(void);
  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t work, done;
  bool open, quit; /* a member that wakes when the run is closed already goes back to sleep */
  unsigned inside, asleep;
  unsigned threads, started; /* the caller included */
  member *member;
};

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

unsigned ad_team_processors(void) {
#ifdef CPU_COUNT
  cpu_set_t set;
  if (!sched_getaffinity(0, sizeof set, &set)) return (unsigned)CPU_COUNT(&set);
#endif
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n < AD_TEAM_MOST ? (unsigned)n : AD_TEAM_MOST;
}

static void take_tasks(ad_team *t, unsigned thread) {
  for (;;) {
    size_t i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
    if (i >= t->count) return;
    t->task(t->context, i, thread);
  }
}

/* Holds the lock before and after. */
static void wait_for_run(ad_team *t, unsigned long seen) {
  if (t->quit || (t->open && t->run != seen)) return;
  pthread_mutex_unlock(&t->lock);
  for (int i = 0; i < ROUNDS_AWAKE && atomic_load_explicit(&t->run, memory_order_relaxed) == seen; i++) relax();
  pthread_mutex_lock(&t->lock);
  t->asleep++;
  while (!t->quit && !(t->open && t->run != seen)) pthread_cond_wait(&t->work, &t->lock);
  t->asleep--;
}

static void *live(void *argument) {
  member *m = argument;
  ad_team *t = m->team;
  unsigned long seen = 0;
  pthread_mutex_lock(&t->lock);
  for (;;) {
    wait_for_run(t, seen);
    if (t->quit) break;
    seen = t->run;
    t->inside++;
    pthread_mutex_unlock(&t->lock);
    take_tasks(t, m->number);
    pthread_mutex_lock(&t->lock);
    if (!--t->inside) pthread_cond_signal(&t->done);
  }
  pthread_mutex_unlock(&t->lock);
  if (t->leave) t->leave();
  return NULL;
}

void ad_team_run(ad_team *t, ad_team_task *task, void *context, size_t count) {
  if (t->threads == 1 || count < 2) {
    for (size_t i = 0; i < count; i++) task(context, i, 0);
    return;
  }
  pthread_mutex_lock(&t->lock);
  t->task = task;
  t->context = context;
  t->count = count;
  atomic_store_explicit(&t->next, 0, memory_order_relaxed);
  t->open = true;
  t->run++;
  if (count > t->asleep)
    pthread_cond_broadcast(&t->work);
  else
    for (size_t i = 1; i < count; i++) pthread_cond_signal(&t->work);
  pthread_mutex_unlock(&t->lock);
  take_tasks(t, 0);
  pthread_mutex_lock(&t->lock);
  t->open = false;
  while (t->inside) pthread_cond_wait(&t->done, &t->lock);
  pthread_mutex_unlock(&t->lock);
}

void ad_team_free(ad_team *t) {
  if (!t) return;
  pthread_mutex_lock(&t->lock);
  t->quit = true;
  pthread_cond_broadcast(&t->work);
  pthread_mutex_unlock(&t->lock);
  for (unsigned i = 1; i < t->started; i++) pthread_join(t->member[i].thread, NULL);
  pthread_cond_destroy(&t->done);
  pthread_cond_destroy(&t->work);
  pthread_mutex_destroy(&t->lock);
  ad_free(t->member);
  ad_free(t);
}

/* Signals are the caller's: its threads take none. */
static ad_status start(ad_team *t, ad_error *e) {
  sigset_t all, old;
  int problem = 0;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  for (; t->started < t->threads; t->started++) {
    member *m = &t->member[t->started];
    *m = (member){.team = t, .number = t->started};
    problem = pthread_create(&m->thread, NULL, live, m);
    if (problem) break;
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (!problem) return AD_OK;
  return ad_fail(e, AD_ELIMIT, "can't start thread %u of %u: %s; try fewer (--threads)", t->started + 1, t->threads,
                 strerror(problem));
}

ad_status ad_team_new(ad_team **out, unsigned threads, void (*leave)(void), ad_error *e) {
  if (!threads) threads = ad_team_processors();
  if (threads > AD_TEAM_MOST)
    return ad_fail(e, AD_EUSAGE, "a team has at most %d threads, not %u", AD_TEAM_MOST, threads);
  ad_team *t = ad_calloc_lines(1, sizeof *t);
  member *m = t ? ad_calloc(threads, sizeof *m) : NULL;
  if (!m || pthread_mutex_init(&t->lock, NULL)) {
    ad_free(m);
    ad_free(t);
    return ad_fail_memory(e);
  }
  pthread_cond_init(&t->work, NULL); /* can't fail without attributes on any system with futexes */
  pthread_cond_init(&t->done, NULL);
  t->member = m;
  t->threads = threads;
  t->started = 1;
  t->leave = leave;
  ad_status s = start(t, e);
  if (s) {
    ad_team_free(t);
    return s;
  }
  *out = t;
  return AD_OK;
}

unsigned ad_team_threads(const ad_team *t) {
  return t->threads;
}
