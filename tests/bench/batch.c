/* The program `adtool batch`, from files to files. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "npy/npy.h"

enum { INPUTS = BENCH_POINTS_INPUTS, COLUMNS = INPUTS + 1 };

extern char **environ;

static char *text(const char *format, ...) AD_PRINTF(1, 2);
static char *text(const char *format, ...) {
  char buf[512];
  va_list ap;
  va_start(ap, format);
  vsnprintf(buf, sizeof buf, format, ap);
  va_end(ap);
  char *copy = strdup(buf);
  if (!copy) bench_fail("out of memory");
  return copy;
}

static void write_all(int fd, const void *bytes, size_t n) {
  for (const char *p = bytes; n;) {
    const ssize_t put = write(fd, p, n);
    if (put < 0) bench_fail("can't write: %s", strerror(errno));
    p += put, n -= (size_t)put;
  }
}

static void save(const code *c, const char *format, const char *path) {
  bench_tool t;
  bench_tool_code(&t, c);
  for (ad_node i = 0; i < c->inputs; i++) {
    ad_numbers *v = ad_numbers_new();
    bench_must(v ? ad_numbers_push_double(v, c->x[i], &bench_error) : AD_ENOMEM);
    bench_must(ad_graph_set_input_value(t.g, i, v, AD_F64, &bench_error));
    ad_numbers_free(v);
  }
  void *bytes;
  size_t size;
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  bench_must(ad_graph_write(t.g, &bytes, &size, &(ad_write_options){.format = format}, &bench_error));
  write_all(fd, bytes, size);
  close(fd);
  ad_free(bytes);
  ad_graph_free(t.g);
}

/* ---- The program */

static const char *program(void) {
  const char *named = getenv("ADTOOL");
  return named ? named : "./adtool";
}

static void run(const char *const *argv) {
  pid_t child;
  int status;
  if (posix_spawnp(&child, argv[0], NULL, NULL, (char *const *)argv, environ)) bench_fail("can't run %s", argv[0]);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (status) bench_fail("%s failed", argv[0]);
}

/* ---- A million points */

typedef struct table {
  size_t count;
  const char *graph, *points, *out, *copy, *threads;
  double *gradient; /* from the file, once */
  bool compared;
} table;

static void load_gradient(table *t) {
  FILE *f = fopen(t->out, "rb");
  double row[COLUMNS];
  if (!f || fseek(f, AD_NPY_HEAD, SEEK_SET)) bench_fail("no %s", t->out);
  for (size_t i = 0; i < t->count; i++) {
    if (fread(row, sizeof row, 1, f) != 1) bench_fail("%s ends at point %zu", t->out, i);
    memcpy(t->gradient + i * INPUTS, row + 1, INPUTS * sizeof *row);
  }
  fclose(f);
  t->compared = true;
}

static void batch(void *state) {
  table *t = state;
  run((const char *const[]){program(), "batch", t->graph, "--points", t->points, "--do", "grad", "--threads",
                            t->threads, "-o", t->out, NULL});
  if (!t->compared) load_gradient(t);
}

/* The same bytes through the same calls, without a number computed. */
static void copy(void *state) {
  const table *t = state;
  static char buf[1 << 18];
  const int from = open(t->points, O_RDONLY);
  const int to = open(t->copy, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (from < 0 || to < 0) bench_fail("can't copy %s", t->points);
  while (read(from, buf, sizeof buf / COLUMNS * INPUTS) > 0) write_all(to, buf, sizeof buf);
  if (fsync(to)) bench_fail("can't write %s", t->copy);
  close(from);
  close(to);
}

/* To put a file in the place of another means to take the other away, which is not what is compared. */
static void remove_out(void *state) {
  unlink(((const table *)state)->out);
}

static void remove_copy(void *state) {
  unlink(((const table *)state)->copy);
}

static void write_points(const table *t, const double *x) {
  char head[AD_NPY_HEAD];
  const int fd = open(t->points, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  ad_npy_head(head, t->count, INPUTS);
  write_all(fd, head, sizeof head);
  write_all(fd, x, t->count * INPUTS * sizeof *x);
  close(fd);
}

static void build_points(bench_run *b, unsigned threads) {
  code c;
  const char *in = bench_folder();
  const double *x = bench_points_rows(b->size);
  table *t = bench_alloc(1, sizeof *t);
  *t = (table){b->size,
               text("%s/graph.adg", in),
               text("%s/points.npy", in),
               text("%s/out.npy", in),
               text("%s/copy", in),
               text("%u", threads),
               bench_alloc(b->size * INPUTS, sizeof(double)),
               false};
  bench_points_code(&c);
  save(&c, "adg", t->graph);
  write_points(t, x);
  const double units = (double)b->size;
  bench_add(b, (bench_rival){"adtool", 0, units, batch, t, t->gradient, b->size * INPUTS});
  b->after[b->count - 1] = remove_out;
  bench_rival engine = bench_points_tool("its engine, no files", x, b->size, threads);
  engine.limit = 1 / 0.85;
  bench_add(b, engine);
  bench_add(b, (bench_rival){"copying the files", 0, units, copy, t, NULL, 0});
  b->after[b->count - 1] = remove_copy;
}

static void one_thread(bench_run *b) {
  build_points(b, 1);
}

static void two_threads(bench_run *b) {
  build_points(b, 2);
}

/* ---- Ten thousand small graphs */

typedef struct files {
  const char *folder, *out, *loop;
} files;

static void batch_files(void *state) {
  const files *f = state;
  run((const char *const[]){program(), "batch", f->folder, "--do", "grad", "--threads", "2", "-o", f->out, NULL});
}

static void shell_loop(void *state) {
  const files *f = state;
  run((const char *const[]){"/bin/sh", "-c", f->loop, NULL});
}

static void build_files(bench_run *b) {
  enum { NODES = 32 };
  files *f = bench_alloc(1, sizeof *f);
  const char *in = bench_folder();
  code c;
  *f = (files){text("%s/graphs", in), text("%s/out.ndjson", in),
               text("for f in %s/graphs/00*; do %s grad $f; done >%s/loop", in, program(), in)};
  if (mkdir(f->folder, 0777)) bench_fail("can't make %s", f->folder);
  code_rosenbrock(&c, NODES);
  for (size_t i = 0; i < b->size; i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/%04zu.yaml", f->folder, i);
    c.x[i % c.inputs] += 1 / (double)b->size;
    save(&c, "yaml", path);
  }
  bench_add(b, (bench_rival){"adtool", 0, (double)b->size, batch_files, f, NULL, 0});
  bench_add(b, (bench_rival){"shell loop of adtool grad", 0.02, 100, shell_loop, f, NULL, 0}); /* 0000 .. 0099 */
}

const bench_workload bench_batch[] = {{"batch", "point", 1000000, one_thread},
                                      {"batch-2", "point", 1000000, two_threads},
                                      {"batch-files", "file", 10000, build_files},
                                      {0}};
