#include "batch/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "error.h"
#include "io.h"

enum { DEPTH = 64, FLUSH = 1 << 15, IDLE_DEATHS = 16 };
static const uint64_t flush_after = 20000000; /* nanoseconds */

/* What a worker is at, seen by its parent when it dies. */
typedef struct desk {
  _Atomic uint64_t item, since, note; /* item + 1, 0: none; nanoseconds */
} desk;

typedef struct worker {
  pid_t pid; /* 0: none */
  int in, out;
  uint64_t queue[DEPTH]; /* dealt and not answered, in order */
  size_t count;
  ad_buffer answers;
  bool late;
} worker;

typedef struct pool {
  const ad_pool *p;
  worker *w;
  desk *desks; /* shared */
  struct pollfd *fds;
  uint64_t next, end, written;
  size_t window;
  ad_buffer *record; /* of item i at i % window */
  bool *ready;
  uint64_t *again; /* items of dead workers, to be dealt once more */
  size_t again_count;
  unsigned idle_deaths;
} pool;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The items that wait in a pipe, at least one; 0 at its end.  They come whole: a pipe does not cut small writes. */
static size_t get_items(int fd, uint64_t *item) {
  for (;;) {
    ssize_t got = read(fd, item, DEPTH * sizeof *item);
    if (got >= 0 || errno != EINTR) return got > 0 ? (size_t)got / sizeof *item : 0;
  }
}

/* ---- A worker's life */

static void limit_memory(uint64_t more) {
#ifndef __SANITIZE_ADDRESS__ /* which takes all addresses that there are */
  unsigned long long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f) {
    if (fscanf(f, "%llu", &pages) != 1) pages = 0;
    fclose(f);
  }
  const uint64_t have = pages * (uint64_t)sysconf(_SC_PAGESIZE);
  struct rlimit r;
  if (!more || more > INT64_MAX - have || getrlimit(RLIMIT_AS, &r) || r.rlim_cur <= have + more) return;
  r.rlim_cur = have + more;
  setrlimit(RLIMIT_AS, &r);
#else
  (void)more;
#endif
}

static void live(const ad_pool *p, desk *d, int in, int out) {
  ad_buffer answers = {0};
  uint64_t item[DEPTH], flushed = now();
  if (p->begin) p->begin();
  limit_memory(p->memory);
  for (size_t n; (n = get_items(in, item));) {
    for (size_t i = 0; i < n; i++) {
      uint64_t head[2] = {item[i], 0};
      const size_t at = answers.size;
      const uint64_t start = now();
      ad_buffer_put(&answers, head, sizeof head);
      atomic_store(&d->since, start);
      atomic_store(&d->note, 0);
      atomic_store(&d->item, item[i] + 1);
      p->work(p->context, item[i], &d->note, &answers);
      if (answers.failed) _exit(AD_POOL_NO_MEMORY);
      head[1] = answers.size - at - sizeof head;
      memcpy(answers.data + at, head, sizeof head);
      atomic_store(&d->item, 0);
      if (i + 1 < n && answers.size < FLUSH && start - flushed < flush_after) continue;
      if (!ad_write_all(out, answers.data, answers.size)) _exit(0);
      answers.size = 0;
      flushed = start;
    }
  }
  _exit(0);
}

static ad_status hire(pool *q, unsigned i, ad_error *e) {
  int in[2], out[2];
  worker *w = &q->w[i];
  if (pipe(in)) return ad_fail_errno(e, "make a pipe for", "a worker");
  if (pipe(out)) {
    close(in[0]);
    close(in[1]);
    return ad_fail_errno(e, "make a pipe for", "a worker");
  }
  atomic_store(&q->desks[i].item, 0);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (!pid) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent) _exit(0);
    for (unsigned k = 0; k < q->p->workers; k++)
      if (q->w[k].pid) {
        close(q->w[k].in);
        close(q->w[k].out);
      }
    close(in[1]);
    close(out[0]);
    live(q->p, &q->desks[i], in[0], out[1]);
  }
  close(in[0]);
  close(out[1]);
  if (pid < 0) {
    close(in[1]);
    close(out[0]);
    return ad_fail(e, AD_ELIMIT, "can't start a worker process: %s; try fewer (--threads)", strerror(errno));
  }
  w->pid = pid;
  w->in = in[1];
  w->out = out[0];
  w->count = 0;
  w->answers.size = 0;
  w->late = false;
  return AD_OK;
}

/* ---- The parent */

static bool next_item(pool *q, uint64_t *item) {
  if (q->again_count) {
    *item = q->again[--q->again_count];
    return true;
  }
  if (q->next == q->end || q->next - q->written >= q->window) return false;
  *item = q->next++;
  return true;
}

/* A pipe holds all that a worker has in its queue, so this never waits; a dead worker is seen by its end of file.  Half
 * empty queues are filled, so that items go out in groups. */
static void deal(pool *q, worker *w) {
  uint64_t item;
  const size_t had = w->count;
  if (had > DEPTH / 2) return;
  while (w->count < DEPTH && next_item(q, &item)) w->queue[w->count++] = item;
  if (w->count > had) ad_write_all(w->in, w->queue + had, (w->count - had) * sizeof item);
}

static ad_status keep(pool *q, uint64_t item, const void *bytes, size_t size, ad_error *e) {
  ad_buffer *b = &q->record[item % q->window];
  b->size = 0;
  ad_buffer_put(b, bytes, size);
  if (b->failed) return ad_fail_memory(e);
  q->ready[item % q->window] = true;
  ad_status s = AD_OK;
  while (!s && q->written < q->next && q->ready[q->written % q->window]) {
    b = &q->record[q->written % q->window];
    q->ready[q->written % q->window] = false;
    s = q->p->write(q->p->context, q->written, b->data, b->size, e);
    q->written++;
  }
  return s;
}

static void strike(worker *w, uint64_t item) {
  for (size_t i = 0; i < w->count; i++)
    if (w->queue[i] == item) {
      memmove(w->queue + i, w->queue + i + 1, (--w->count - i) * sizeof *w->queue);
      return;
    }
}

static ad_status take_answers(pool *q, worker *w, ad_error *e) {
  size_t at = 0;
  ad_status s = AD_OK;
  uint64_t head[2];
  while (!s && w->answers.size - at >= sizeof head) {
    memcpy(head, w->answers.data + at, sizeof head);
    if (w->answers.size - at - sizeof head < head[1]) break;
    strike(w, head[0]);
    s = keep(q, head[0], w->answers.data + at + sizeof head, (size_t)head[1], e);
    at += sizeof head + (size_t)head[1];
  }
  if (at) {
    memmove(w->answers.data, w->answers.data + at, w->answers.size - at);
    w->answers.size -= at;
  }
  return s;
}

/* The item that it was at is lost; the others go to somebody else. */
static ad_status bury(pool *q, unsigned i, ad_error *e) {
  worker *w = &q->w[i];
  int status = 0;
  while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) continue;
  close(w->in);
  close(w->out);
  w->pid = 0;
  const uint64_t item = atomic_load(&q->desks[i].item);
  ad_status s = AD_OK;
  if (item) {
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0, code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    ad_buffer record = {0};
    strike(w, item - 1);
    q->p->lost(q->p->context, item - 1, atomic_load(&q->desks[i].note),
               w->late                     ? AD_POOL_TIMEOUT
               : code == AD_POOL_NO_MEMORY ? AD_POOL_MEMORY
                                           : AD_POOL_CRASHED,
               signal ? signal : code, &record);
    s = record.failed ? ad_fail_memory(e) : keep(q, item - 1, record.data, record.size, e);
    ad_buffer_clear(&record);
  } else if (++q->idle_deaths > IDLE_DEATHS) {
    s = ad_fail(e, AD_EIO, "worker processes die without having done anything");
  }
  while (w->count) q->again[q->again_count++] = w->queue[--w->count];
  return s ? s : hire(q, i, e);
}

static ad_status hear(pool *q, unsigned i, ad_error *e) {
  worker *w = &q->w[i];
  if (!ad_reserve(&w->answers.data, &w->answers.capacity, w->answers.size + 65536, 1)) return ad_fail_memory(e);
  ssize_t got = read(w->out, w->answers.data + w->answers.size, w->answers.capacity - w->answers.size);
  if (got < 0 && errno == EINTR) return AD_OK;
  if (got <= 0) return bury(q, i, e);
  w->answers.size += (size_t)got;
  return take_answers(q, w, e);
}

/* Ends those that are late; milliseconds until the next one is, -1: never. */
static int watch(pool *q) {
  if (!(q->p->timeout > 0)) return -1;
  const uint64_t t = now(), allowed = (uint64_t)(q->p->timeout * 1e9);
  uint64_t left = 100000000; /* somebody may start an item meanwhile */
  for (unsigned i = 0; i < q->p->workers; i++) {
    worker *w = &q->w[i];
    const uint64_t since = atomic_load(&q->desks[i].since);
    if (w->late || !atomic_load(&q->desks[i].item) || since > t) continue;
    if (t - since >= allowed) {
      w->late = true;
      kill(w->pid, SIGKILL);
    } else if (allowed - (t - since) < left) {
      left = allowed - (t - since);
    }
  }
  return (int)(left / 1000000) + 1;
}

static ad_status serve(pool *q, ad_error *e) {
  ad_status s = AD_OK;
  while (!s && q->written < q->end) {
    for (unsigned i = 0; i < q->p->workers; i++) {
      deal(q, &q->w[i]);
      q->fds[i] = (struct pollfd){.fd = q->w[i].out, .events = POLLIN};
    }
    if (poll(q->fds, q->p->workers, watch(q)) < 0 && errno != EINTR) s = ad_fail_errno(e, "wait for", "workers");
    for (unsigned i = 0; !s && i < q->p->workers; i++)
      if (q->fds[i].revents) s = hear(q, i, e);
  }
  return s;
}

static void dismiss(pool *q) {
  for (unsigned i = 0; q->w && i < q->p->workers; i++) {
    worker *w = &q->w[i];
    ad_buffer_clear(&w->answers);
    if (!w->pid) continue;
    if (q->written < q->end) kill(w->pid, SIGKILL);
    close(w->in);
    close(w->out);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
  for (size_t i = 0; q->record && i < q->window; i++) ad_buffer_clear(&q->record[i]);
  if (q->desks) munmap(q->desks, q->p->workers * sizeof *q->desks);
  ad_free(q->w);
  ad_free(q->fds);
  ad_free(q->record);
  ad_free(q->ready);
  ad_free(q->again);
}

ad_status ad_pool_run(const ad_pool *p, uint64_t first, uint64_t end, ad_error *e) {
  pool q = {.p = p, .next = first, .written = first, .end = end, .window = (size_t)p->workers * DEPTH * 4};
  if (first >= end) return AD_OK;
  q.w = ad_calloc(p->workers, sizeof *q.w);
  q.fds = ad_calloc(p->workers, sizeof *q.fds);
  q.record = ad_calloc(q.window, sizeof *q.record);
  q.ready = ad_calloc(q.window, sizeof *q.ready);
  q.again = ad_calloc(q.window, sizeof *q.again);
  void *shared = mmap(NULL, p->workers * sizeof *q.desks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  q.desks = shared == MAP_FAILED ? NULL : shared;
  ad_status s = q.w && q.fds && q.record && q.ready && q.again && q.desks ? AD_OK : ad_fail_memory(e);
  for (unsigned i = 0; !s && i < p->workers; i++) s = hire(&q, i, e);
  if (!s) s = serve(&q, e);
  dismiss(&q);
  return s;
}
