/* Times each workload in a process of its own: builds it, lets every rival run once and compares what comes out, then
 * runs them in turn, round after round, and keeps each one's best. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_CBLAS
#include <cblas.h>
#endif

void bench_add(bench_run *b, bench_rival r) {
  if (b->count == BENCH_RIVALS) bench_fail("too many rivals");
  b->rival[b->count++] = r;
}

static void run_peer(void *peer) {
  bench_peer *p = peer;
  p->run(p);
}

void bench_add_peer(bench_run *b, const char *name, double limit, bench_peer *p, const code *c) {
  bench_add(b, (bench_rival){name, limit, (double)c->count, run_peer, p, p->result, c->inputs});
}

/* ---- Memory of a workload's process */

static double kilobytes(const char *key) {
  char line[256];
  double value = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, key, strlen(key))) value = strtod(line + strlen(key), NULL);
  if (f) fclose(f);
  return value;
}

static double before;

/* Linux: 5 in clear_refs sets the high-water mark back (proc(5)). */
void bench_memory_start(void) {
  FILE *f = fopen("/proc/self/clear_refs", "w");
  if (f) {
    fputs("5", f);
    fclose(f);
  }
  before = kilobytes("VmRSS:");
}

double bench_memory_peak(void) {
  return (kilobytes("VmHWM:") - before) * 1024;
}

typedef struct options {
  const char *only[32];
  int only_count, rounds, failed;
  bool small, alone, list;
  bench_format format;
} options;

/* ---- One workload */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Numbers agree when they differ by no more than this part of the largest. */
static const double agreement = 1e-10;

static void compare(const bench_workload *w, const bench_run *b) {
  const bench_rival *tool = &b->rival[0];
  for (size_t i = 1; i < b->count; i++) {
    const bench_rival *r = &b->rival[i];
    double largest = 0;
    if (!r->result) continue;
    for (size_t k = 0; k < r->count; k++) largest = fmax(largest, fabs(r->result[k]));
    if (!(largest > 0 && largest < INFINITY)) bench_fail("%s %zu: %s has no result", w->name, w->size, r->name);
    for (size_t k = 0; k < r->count; k++)
      if (!(fabs(r->result[k] - tool->result[k]) <= agreement * largest))
        bench_fail("%s %zu: number %zu is %.17g by adtool and %.17g by %s", w->name, w->size, k, tool->result[k],
                   r->result[k], r->name);
  }
}

static double time_of(const bench_run *b, size_t rival, size_t runs) {
  const bench_rival *r = &b->rival[rival];
  double seconds = 0;
  for (size_t i = 0; i < runs; i++) {
    const double start = now();
    r->run(r->state);
    seconds += now() - start;
    if (b->after[rival]) b->after[rival](r->state);
  }
  return seconds / (double)runs;
}

static void measure(const bench_workload *w, bench_run *b, int rounds) {
  const double turn = 0.03; /* seconds that a rival runs before the next one does */
  size_t runs[BENCH_RIVALS];
  for (size_t i = 0; i < b->count; i++) time_of(b, i, 1);
  compare(w, b);
  for (size_t i = 0; i < b->count; i++) {
    const double once = time_of(b, i, 1);
    runs[i] = once < turn ? (size_t)(turn / once) + 1 : 1;
    b->seconds[i] = INFINITY;
  }
  for (int k = 0; k < rounds; k++)
    for (size_t i = 0; i < b->count; i++) b->seconds[i] = fmin(b->seconds[i], time_of(b, i, runs[i]));
}

/* In a process of its own, which sends the numbers back: no workload finds memory as another left it. */
static bool run_apart(const options *o, const bench_workload *w, bench_run *b) {
  int ends[2], status;
  if (pipe(ends)) bench_fail("no pipe");
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) bench_fail("no process");
  if (!child) {
    close(ends[0]);
    *b = (bench_run){.size = w->size};
    w->build(b);
    if (o->alone) b->count = 1;
    measure(w, b, o->rounds);
    bench_remove_temporary();
    _exit(write(ends[1], b, sizeof *b) == sizeof *b ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  close(ends[1]);
  const bool whole = read(ends[0], b, sizeof *b) == sizeof *b;
  close(ends[0]);
  waitpid(child, &status, 0);
  return whole && status == 0;
}

static void run(options *o, const bench_workload *w) {
  bench_run b;
  if (o->list)
    printf("%s/%zu\n", w->name, w->size);
  else if (run_apart(o, w, &b))
    bench_report(o->format, w, &b);
  else
    o->failed++;
}

static int usage(int status) {
  puts(
      "usage: bench [--only NAME[/SIZE]]... [--small] [--rounds N] [--markdown | --json] [--list] [--who] [FILE...]\n"
      "Times adtool on each workload beside hand-written code and other libraries; or, when there are files, how long "
      "it\n"
      "takes to load each of them, .nl beside AMPL's library.\n"
      "  --only NAME    workloads of this name (several: any of them), or only one size\n"
      "  --small        none of 10,000,000 nodes\n"
      "  --alone        only adtool, for a profiler\n"
      "  --rounds N     rounds, of which the best counts; 7\n"
      "  --markdown     a table for a page; --json: for a program\n"
      "  --list         the workloads\n"
      "  --who          the machine and the rivals found");
  return status;
}

static bool wanted(const options *o, const bench_workload *w) {
  if (o->small && w->size > 1000000 && !strcmp(w->unit, "node")) return false;
  for (int i = 0; i < o->only_count; i++) {
    const char *slash = strchr(o->only[i], '/');
    const size_t n = slash ? (size_t)(slash - o->only[i]) : strlen(o->only[i]);
    if (strlen(w->name) == n && !strncmp(w->name, o->only[i], n) &&
        (!slash || strtod(slash + 1, NULL) == (double)w->size))
      return true;
  }
  return !o->only_count;
}

int main(int argc, char **argv) {
  options o = {.rounds = 7};
  int files = 0;
  for (int i = 1; i < argc; i++) {
    const bool more = i + 1 < argc;
    if (!strcmp(argv[i], "--only") && more && o.only_count < 32)
      o.only[o.only_count++] = argv[++i];
    else if (!strcmp(argv[i], "--rounds") && more && atoi(argv[i + 1]) > 0)
      o.rounds = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--small"))
      o.small = true;
    else if (!strcmp(argv[i], "--alone"))
      o.alone = true;
    else if (!strcmp(argv[i], "--list"))
      o.list = true;
    else if (!strcmp(argv[i], "--markdown"))
      o.format = BENCH_MARKDOWN;
    else if (!strcmp(argv[i], "--json"))
      o.format = BENCH_JSON;
    else if (!strcmp(argv[i], "--who"))
      return bench_who(stdout), EXIT_SUCCESS;
    else if (!strcmp(argv[i], "--help"))
      return usage(EXIT_SUCCESS);
    else if (argv[i][0] != '-')
      argv[1 + files++] = argv[i];
    else
      return usage(2);
  }
#ifdef HAVE_CBLAS
  openblas_set_num_threads(1);
#endif
  static const bench_workload *const families[] = {BENCH_FAMILIES};
  if (!o.list) bench_report_start(o.format);
  for (int i = 0; i < files; i++) {
    const bench_workload w = bench_load_file(argv[1 + i]);
    run(&o, &w);
  }
  for (size_t f = 0; !files && f < sizeof families / sizeof families[0]; f++)
    for (const bench_workload *w = families[f]; w->name; w++)
      if (wanted(&o, w)) run(&o, w);
  if (!o.list) bench_report_end(o.format);
  if (o.failed) fprintf(stderr, "bench: %d workloads failed\n", o.failed);
  return o.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
