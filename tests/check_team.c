/* Teams of threads: every task of a run once, on a thread of the team, with its results there when the run returns. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "graphs.h"
#include "suite.h"
#include "team.h"

enum { MOST_TASKS = 3000, MOST_THREADS = 9 };

typedef struct record {
  _Atomic unsigned done[MOST_TASKS];
  _Atomic unsigned busy[MOST_THREADS];
  size_t result[MOST_TASKS];
  unsigned threads;
  _Atomic unsigned errors;
} record;

static void note_task(void *context, size_t task, unsigned thread) {
  record *r = context;
  if (thread >= r->threads || task >= MOST_TASKS || atomic_fetch_add(&r->busy[thread], 1)) {
    atomic_fetch_add(&r->errors, 1);
    return;
  }
  atomic_fetch_add(&r->done[task], 1);
  r->result[task] = task * task + 1;
  atomic_fetch_sub(&r->busy[thread], 1);
}

static void run_once(ad_team *t, record *r, size_t count) {
  *r = (record){.threads = ad_team_threads(t)};
  ad_team_run(t, note_task, r, count);
  ck_assert_uint_eq(r->errors, 0);
  for (size_t i = 0; i < MOST_TASKS; i++) {
    ck_assert_uint_eq(r->done[i], i < count);
    ck_assert_uint_eq(r->result[i], i < count ? i * i + 1 : 0);
  }
}

START_TEST(every_task_once) {
  static record r;
  ad_team *t;
  must(ad_team_new(&t, (unsigned)_i, NULL, &graphs_error));
  ck_assert_uint_eq(ad_team_threads(t), (unsigned)_i);
  for (int round = 0; round < 3; round++)
    for (size_t count = 0; count <= MOST_TASKS; count = count * 3 + 1) run_once(t, &r, count);
  ad_team_free(t);
}
END_TEST

static void add_up(void *context, size_t task, unsigned thread) {
  (void)thread;
  atomic_fetch_add((_Atomic size_t *)context, task + 1);
}

/* Runs in quick succession: late wakers must not take tasks of another run. */
START_TEST(many_short_runs) {
  ad_team *t;
  must(ad_team_new(&t, 4, NULL, &graphs_error));
  for (size_t i = 0; i < 3000; i++) {
    const size_t count = i % 7;
    _Atomic size_t sum = 0;
    ad_team_run(t, add_up, &sum, count);
    ck_assert_uint_eq(sum, count * (count + 1) / 2);
  }
  ad_team_free(t);
}
END_TEST

static _Atomic int left;

static void count_leaver(void) {
  atomic_fetch_add(&left, 1);
}

START_TEST(threads_clean_up) {
  ad_team *t;
  must(ad_team_new(&t, 5, count_leaver, &graphs_error));
  ad_team_free(t);
  ck_assert_int_eq(left, 4);
  ad_team_free(NULL);
}
END_TEST

/* Two tasks that wait for each other end only if two threads do them. */
static void meet(void *context, size_t task, unsigned thread) {
  (void)task, (void)thread;
  pthread_barrier_wait(context);
}

START_TEST(threads_run_together) {
  ad_team *t;
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, 3);
  must(ad_team_new(&t, 3, NULL, &graphs_error));
  for (int i = 0; i < 50; i++) ad_team_run(t, meet, &barrier, 3);
  ad_team_free(t);
  pthread_barrier_destroy(&barrier);
}
END_TEST

static pthread_t handler_thread;
static _Atomic int handled;

static void on_signal(int number) {
  (void)number;
  handler_thread = pthread_self();
  handled = 1;
}

static void raise_it(void *context, size_t task, unsigned thread) {
  (void)context, (void)task, (void)thread;
  kill(getpid(), SIGUSR1);
}

START_TEST(signals_go_to_the_caller) {
  ad_team *t;
  must(ad_team_new(&t, 3, NULL, &graphs_error));
  signal(SIGUSR1, on_signal);
  for (int i = 0; i < 30; i++) {
    handled = 0;
    ad_team_run(t, raise_it, NULL, 2);
    while (!handled) {
    }
    ck_assert(pthread_equal(handler_thread, pthread_self()));
  }
  ad_team_free(t);
}
END_TEST

START_TEST(sizes) {
  ad_team *t;
  must_fail(AD_EUSAGE, "4097", ad_team_new(&t, AD_TEAM_MOST + 1, NULL, &graphs_error));
  must(ad_team_new(&t, 0, NULL, &graphs_error));
  ck_assert_uint_eq(ad_team_threads(t), ad_team_processors());
  ad_team_free(t);
}
END_TEST

int main(void) {
  Suite *s = suite_create("team");
  TCase *c = tcase_create("team");
  tcase_set_timeout(c, 60);
  tcase_add_loop_test(c, every_task_once, 1, MOST_THREADS);
  tcase_add_test(c, many_short_runs);
  tcase_add_test(c, threads_clean_up);
  tcase_add_test(c, threads_run_together);
  tcase_add_test(c, signals_go_to_the_caller);
  tcase_add_test(c, sizes);
  suite_add_tcase(s, c);
  return suite_run(s);
}
