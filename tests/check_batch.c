/* What carries batches: files of points are read rightly or refused with a place; folds have one tree; parts are
 * divided alike by everybody; workers die alone. */
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch/fold.h"
#include "batch/pool.h"
#include "batch/shard.h"
#include "error.h"
#include "graphs.h"
#include "mem.h"
#include "npy/npy.h"
#include "suite.h"
#include "table.h"
#include "ulps.h"

static char folder[] = "/tmp/check_batch.XXXXXX";

static const char *in_folder(const char *name) {
  static char path[4][200];
  static int next;
  next = (next + 1) % 4;
  snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
  return path[next];
}

static void write_file(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
  ck_assert_int_eq(fclose(f), 0);
}

/* ---- Files of points */

static ad_graph *three_inputs(void) {
  static const double one = 1;
  ad_graph *g = graphs_new();
  graphs_input(g, "a", SCALAR, &one, 1);
  graphs_input(g, "b", SHAPE(2, 2), &one, 1);
  const ad_node s = graphs_apply(g, "sum", NODES(graphs_binary(g, "mul", 0, 1)), 0, NULL);
  must(ad_graph_output(g, "f", s, &graphs_error));
  return g;
}

/* Reads all rows of a file in pieces of `piece`. */
static ad_status read_table(const char *path, size_t piece, double *to, size_t most, size_t *count) {
  ad_graph *g = three_inputs();
  ad_points p;
  ad_points_block b = {0};
  ad_status s = ad_table_open(&p, path, g, &graphs_error);
  *count = 0;
  while (!s) {
    b.first = *count;
    b.count = piece;
    s = p.take(p.self, &b, &graphs_error);
    if (s || !b.count) break;
    ck_assert_uint_le(*count + b.count, most);
    s = p.decode(p.self, &b, to + *count * 5, &graphs_error);
    *count += b.count;
  }
  ad_buffer_clear(&b.raw);
  ad_table_close(&p);
  ad_graph_free(g);
  return s;
}

static double expected(size_t row, size_t column) {
  return (double)row * 8 + (double)column - 3.5; /* exact in float, too */
}

static void expect_table(const char *path, size_t want) {
  static double got[100 * 5];
  for (size_t piece = 1; piece <= 64; piece *= 4) {
    size_t count;
    memset(got, 0, sizeof got);
    must(read_table(path, piece, got, 100, &count));
    ck_assert_uint_eq(count, want);
    for (size_t i = 0; i < want; i++)
      for (size_t j = 0; j < 5; j++) ck_assert_double_eq(got[i * 5 + j], expected(i, j));
  }
}

static void put_number(ad_buffer *b, double v, const char *type) {
  unsigned char bytes[8];
  const float f = (float)v;
  const size_t n = type[2] == '4' ? 4 : 8;
  memcpy(bytes, n == 4 ? (const void *)&f : (const void *)&v, n);
  for (size_t i = 0; i < n; i++) ad_buffer_put(b, &bytes[type[0] == '>' ? n - 1 - i : i], 1);
}

static void put_array(ad_buffer *b, const char *type, int version, bool fortran, size_t rows_, const char *shape) {
  char text[200];
  const int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", type,
                         fortran ? "True" : "False", shape);
  const unsigned char head[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0, (unsigned char)n, 0, 0, 0};
  b->size = 0;
  ad_buffer_put(b, head, version == 1 ? 10 : 12);
  ad_buffer_put(b, text, (size_t)n);
  for (size_t i = 0; i < rows_ * 5; i++)
    put_number(b, fortran ? expected(i % rows_, i / rows_) : expected(i / 5, i % 5), type);
}

static void refuse(const char *path, const char *part, int64_t line, int64_t offset) {
  static double got[100 * 5];
  size_t count;
  must_fail(AD_EINPUT, part, read_table(path, 16, got, 100, &count));
  ck_assert_msg(!strcmp(graphs_error.file, path), "'%s' is not the file", graphs_error.file);
  ck_assert_int_eq(graphs_error.line, line);
  if (!line) ck_assert_int_eq(graphs_error.offset, offset);
}

START_TEST(npy_files) {
  static const char *const types[] = {"<f8", ">f8", "<f4", ">f4"};
  const char *path = in_folder("points.npy");
  ad_buffer b = {0};
  for (int t = 0; t < 4; t++)
    for (int version = 1; version <= 3; version++)
      for (int fortran = 0; fortran < 2; fortran++) {
        put_array(&b, types[t], version, fortran, 70, "(70, 5)");
        write_file(path, b.data, b.size);
        expect_table(path, 70);
      }
  ad_buffer truth = {0}; /* NumPy's bool */
  put_array(&truth, "|b1", 1, false, 0, "(2, 5)");
  ad_buffer_put(&truth, "\1\0\0\1\1\0\1\0\0\1", 10);
  write_file(path, truth.data, truth.size);
  double bit[20];
  size_t points;
  must(read_table(path, 2, bit, 4, &points));
  ck_assert_uint_eq(points, 2);
  for (int i = 0; i < 10; i++) ck_assert_double_eq(bit[i], 0x269 >> (9 - i) & 1);
  ad_buffer_clear(&truth);

  put_array(&b, "<f8", 1, false, 0, "(0, 5)");
  write_file(path, b.data, b.size);
  expect_table(path, 0);

  put_array(&b, "<f8", 1, false, 70, "(70, 5)");
  for (size_t n = 0; n < b.size; n += n < 90 ? 1 : 397) { /* cut off */
    double got[500];
    size_t count;
    write_file(path, b.data, n);
    const ad_status s = read_table(path, 16, got, 100, &count);
    ck_assert_msg(s == AD_EINPUT && !strcmp(graphs_error.file, path), "%zu bytes: status %d", n, s);
    ck_assert_msg(graphs_error.offset >= 0 || graphs_error.line == 1, "%zu bytes: no place", n);
  }
  ad_buffer_puts(&b, "x");
  write_file(path, b.data, b.size);
  refuse(path, "behind the last number", 0, (int64_t)b.size - 1);
  put_array(&b, "<f8", 1, false, 70, "(70, 4)");
  write_file(path, b.data, b.size);
  refuse(path, "behind the last number", 0, (int64_t)b.size - 70 * 8);
  put_array(&b, "<f8", 1, false, 70, "(350,)");
  write_file(path, b.data, b.size);
  refuse(path, "points want [points, 5]", 0, 0);
  put_array(&b, "|O", 1, false, 70, "(70, 5)");
  write_file(path, b.data, b.size);
  refuse(path, "object arrays can't be read", 0, 10);
  put_array(&b, "<c8", 1, false, 70, "(70, 5)");
  write_file(path, b.data, b.size);
  refuse(path, "only floats, integers", 0, 10);
  put_array(&b, "<f8", 4, false, 70, "(70, 5)");
  write_file(path, b.data, b.size);
  refuse(path, "versions 1 to 3", 0, 6);
  put_array(&b, "<f8", 1, false, 70, "(4611686018427387904, 5)");
  write_file(path, b.data, b.size);
  refuse(path, "too large", 0, 10);
  ad_buffer_clear(&b);
}
END_TEST

static void expect_csv(const char *text, const char *part, int64_t line, int64_t column) {
  const char *path = in_folder("points.csv");
  write_file(path, text, strlen(text));
  if (!part) {
    expect_table(path, 2);
    return;
  }
  refuse(path, part, line, 0);
  ck_assert_int_eq(graphs_error.column, column);
}

#define HEADER "a,\"b[0,0]\",\"b[0,1]\",\"b[1,0]\",\"b[1,1]\"\n"

START_TEST(csv_files) {
  expect_csv(HEADER "-3.5,-2.5,-1.5,-0.5,0.5\n4.5,5.5,6.5,7.5,8.5\n", NULL, 0, 0);
  expect_csv(
      "\xEF\xBB\xBF\"a\", \"b[0, 0]\" ,\"b[0,1]\",\"b[1,0]\",\"b[1,1]\"\r\n-7/2, -2.5 ,\"-1.5\",-5e-1,0x1p-1\r\n"
      "4.5,5.5,6.5,7.5,8.5\r\n\r\n\n",
      NULL, 0, 0);
  expect_csv("\"b[1,1]\",\"b[0,0]\",a,\"b[0,1]\",\"b[1,0]\"\n.5,-2.5,-3.5,-1.5,-0.5\n8.5,5.5,4.5,6.5,7.5", NULL, 0, 0);
  expect_csv(HEADER "1,2,3,4\n", "this line has 4 columns, the first line 5", 2, 1);
  expect_csv(HEADER "1,2,3,4,5\n1,2,3,4,5,6\n", "this line has 6 columns", 3, 1);
  expect_csv(HEADER "1,2,3,4,5\n1,2,three,4,5\n", "'three' is not a number", 3, 5);
  expect_csv(HEADER "1,2,,4,5\n", "there is no number", 2, 5);
  expect_csv(HEADER "\n1,2,3,4,5\n", "this line is empty", 2, 1);
  expect_csv("a,b\n1,2\n", "name a column for each", 1, 3);
  expect_csv("a,c\n1,2\n", "'c' is no input of the graph", 1, 3);
  expect_csv("a,a\n1,2\n", "there twice", 1, 3);
  expect_csv("a,\"b[0,0]\"\n1,2\n", "element 1 of 'b' has no column", 1, 0);
  expect_csv("a,\"b[0,2]\"\n1,2\n", "no element of the input", 1, 3);
  expect_csv("a,\"b[0]\"\n1,2\n", "no element of the input", 1, 3);
  expect_csv("", "no table of points", 1, 0);

  const char *path = in_folder("nan.csv");
  double got[5 * 4];
  size_t count;
  write_file(path, "a\nnan\nNaN\n-inf\nInfinity\n", 24);
  must(read_table(path, 4, got, 4, &count));
  ck_assert_uint_eq(count, 4);
  ck_assert(isnan(got[0]) && isnan(got[5]) && got[10] == -INFINITY && got[15] == INFINITY);
}
END_TEST

/* ---- Folds */

START_TEST(folds_have_one_tree) {
  enum { WIDTH = 3, MOST = 200 };
  static double data[MOST * WIDTH], copy[MOST * WIDTH], want[WIDTH], got[WIDTH];
  ulps_random random = {ulps_seed()};
  for (size_t i = 0; i < MOST * WIDTH; i++) data[i] = ldexp(ulps_random_uniform(&random, -1, 1), (int)(i % 40));
  for (int kind = AD_FOLD_SUM; kind <= AD_FOLD_MAX; kind++)
    for (size_t n = 1; n <= MOST; n += n < 20 ? 1 : 23) {
      memcpy(copy, data, sizeof data);
      ad_fold_rows((ad_fold_kind)kind, copy, n, WIDTH);
      memcpy(want, copy, sizeof want);
      for (size_t chunk = 1; chunk <= 256; chunk *= 2) {
        ad_fold f = {.kind = (ad_fold_kind)kind, .width = WIDTH};
        memcpy(copy, data, sizeof data);
        for (size_t i = 0; i < n; i += chunk) {
          ad_fold_rows(f.kind, copy + i * WIDTH, n - i < chunk ? n - i : chunk, WIDTH);
          must(ad_fold_add(&f, copy + i * WIDTH, &graphs_error));
        }
        ad_fold_end(&f, n, got);
        for (int i = 0; i < WIDTH; i++)
          ck_assert_msg(got[i] == (kind == AD_FOLD_MEAN ? want[i] / (double)n : want[i]), "kind %d, %zu rows by %zu",
                        kind, n, chunk);
        ad_fold_clear(&f);
      }
    }
  /* integers: the sum itself; least and greatest by comparison, with nan and zeros of both signs */
  for (size_t i = 0; i < 100; i++) copy[i] = (double)i;
  ad_fold_rows(AD_FOLD_SUM, copy, 100, 1);
  ck_assert_double_eq(copy[0], 4950);
  double zeros[] = {0.0, -0.0, 0.0}, some[] = {2, NAN, 1};
  ad_fold_rows(AD_FOLD_MIN, zeros, 3, 1);
  ck_assert(signbit(zeros[0]));
  ad_fold_rows(AD_FOLD_MAX, some, 3, 1);
  ck_assert(isnan(some[0]));
}
END_TEST

/* ---- Shards */

START_TEST(shards_divide) {
  ad_shard s;
  for (uint32_t of = 1; of <= 9; of++)
    for (uint64_t items = 0; items < 60; items += 7)
      for (uint64_t unit = 1; unit <= 16; unit *= 4) {
        uint64_t next = 0, first, end;
        for (uint32_t k = 1; k <= of; k++) {
          ad_shard_range(&(ad_shard){k, of}, items, unit, &first, &end);
          ck_assert_uint_eq(first, next);
          ck_assert_uint_le(first, end);
          ck_assert(first % unit == 0 || first == items);
          next = end;
        }
        ck_assert_uint_eq(next, items);
      }
  must(ad_shard_read(&s, "2/8", &graphs_error));
  ck_assert(s.number == 2 && s.of == 8);
  static const char *const wrong[] = {"0/8", "9/8", "1", "/", "1/", "-1/8", "1/8x", "a/b", "", "1/0"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    must_fail(AD_EUSAGE, "shard", ad_shard_read(&s, wrong[i], &graphs_error));
  must_fail(AD_EUSAGE, "SLURM_ARRAY_TASK_ID", ad_shard_read(&s, "auto", &graphs_error));
  setenv("PMI_RANK", "0", 1);
  setenv("PMI_SIZE", "3", 1);
  must(ad_shard_read(&s, "auto", &graphs_error));
  ck_assert(s.number == 1 && s.of == 3);
  setenv("SLURM_ARRAY_TASK_ID", "14", 1);
  setenv("SLURM_ARRAY_TASK_COUNT", "4", 1);
  setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
  setenv("SLURM_ARRAY_TASK_STEP", "2", 1);
  must(ad_shard_read(&s, "auto", &graphs_error));
  ck_assert(s.number == 3 && s.of == 4);
  setenv("SLURM_ARRAY_TASK_ID", "13", 1);
  must_fail(AD_EUSAGE, "does not exist", ad_shard_read(&s, "auto", &graphs_error));
}
END_TEST

/* ---- Worker processes */

enum { ITEMS = 1000 };

typedef struct pool_record {
  uint64_t next;
  size_t lost[3];
} pool_record;

/* Some items crash, abort, loop, leave, or end their worker in other ways; the others answer. */
static void pool_work(void *context, uint64_t item, _Atomic uint64_t *note, ad_buffer *record) {
  (void)context;
  atomic_store(note, 3 * item);
  signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it */
  if (item % 97 == 13) raise(SIGSEGV);
  if (item % 101 == 17) abort();
  if (item == 55 || item == 999)
    for (;;) pause();
  if (item % 211 == 5) _exit(AD_POOL_NO_MEMORY);
  if (item % 307 == 6) _exit(0);
  if (item % 401 == 7) kill(getpid(), SIGKILL);
  ad_buffer_printf(record, "item %llu", (unsigned long long)item);
  if (item % 10 == 0)
    for (int i = 0; i < 10000; i++) ad_buffer_puts(record, " and more");
}

static bool dies(uint64_t item) {
  return item % 97 == 13 || item % 101 == 17 || item == 55 || item == 999 || item % 211 == 5 || item % 307 == 6 ||
         item % 401 == 7;
}

static void pool_lost(void *context, uint64_t item, uint64_t note, ad_pool_loss why, int detail, ad_buffer *record) {
  pool_record *r = context;
  ck_assert(dies(item));
  ck_assert_uint_eq(note, 3 * item);
  ck_assert_int_eq(why, item == 55 || item == 999 ? AD_POOL_TIMEOUT
                        : item % 211 == 5         ? AD_POOL_MEMORY
                                                  : AD_POOL_CRASHED);
  if (item % 97 == 13) ck_assert_int_eq(detail, SIGSEGV);
  r->lost[why]++;
  ad_buffer_puts(record, "lost");
}

static ad_status pool_write(void *context, uint64_t item, const void *record, size_t size, ad_error *e) {
  pool_record *r = context;
  char want[40];
  const int n = dies(item) ? sprintf(want, "lost") : sprintf(want, "item %llu", (unsigned long long)item);
  (void)e;
  ck_assert_uint_eq(item, r->next++);
  ck_assert_uint_eq(size, (size_t)n + (!dies(item) && item % 10 == 0 ? 90000 : 0));
  ck_assert(!memcmp(record, want, (size_t)n));
  return AD_OK;
}

static ad_status pool_full(void *context, uint64_t item, const void *record, size_t size, ad_error *e) {
  (void)context, (void)record, (void)size;
  return item < 100 ? AD_OK : ad_fail(e, AD_EIO, "the disk is full");
}

START_TEST(workers_die_alone) {
  pool_record r = {0};
  ad_pool p = {
      .context = &r, .workers = (unsigned)_i, .timeout = 2, .work = pool_work, .lost = pool_lost, .write = pool_write};
  must(ad_pool_run(&p, 0, ITEMS, &graphs_error));
  ck_assert_uint_eq(r.next, ITEMS);
  ck_assert_uint_eq(r.lost[AD_POOL_TIMEOUT], 2);
  ck_assert_uint_eq(r.lost[AD_POOL_MEMORY], 5);
  must(ad_pool_run(&p, 7, 7, &graphs_error));
  p.write = pool_full;
  must_fail(AD_EIO, "the disk is full", ad_pool_run(&p, 0, ITEMS, &graphs_error));
  ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}
END_TEST

/* A worker that is killed while it writes a long record: the part that has come is forgotten, the item done again. */
typedef struct middle {
  _Atomic int worker, done; /* its process; items that it has done */
  uint64_t next;
} middle;

enum { LONG_RECORD = 1 << 20 }; /* more than a pipe holds, so that its writer waits in the middle */

static void middle_work(void *context, uint64_t item, _Atomic uint64_t *note, ad_buffer *record) {
  middle *m = context;
  (void)note;
  atomic_store(&m->worker, (int)getpid());
  for (int i = 0; i < LONG_RECORD / 8; i++) ad_buffer_put(record, item % 2 ? "oddities" : "evenness", 8);
  atomic_fetch_add(&m->done, 1);
}

static void middle_lost(void *context, uint64_t item, uint64_t note, ad_pool_loss why, int detail, ad_buffer *record) {
  (void)context, (void)item, (void)note, (void)why, (void)detail, (void)record;
  ck_abort_msg("a worker was at no item");
}

static ad_status middle_write(void *context, uint64_t item, const void *record, size_t size, ad_error *e) {
  middle *m = context;
  (void)e;
  ck_assert_uint_eq(item, m->next++);
  ck_assert_uint_eq(size, LONG_RECORD);
  for (size_t i = 0; i < size; i += 8) ck_assert(!memcmp((const char *)record + i, item % 2 ? "odd" : "even", 3));
  if (item == 0) { /* nobody reads meanwhile */
    while (atomic_load(&m->done) < 2) usleep(1000);
    usleep(50000);
    kill(atomic_load(&m->worker), SIGKILL);
  }
  return AD_OK;
}

START_TEST(workers_killed_in_a_record) {
  middle *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert(m != MAP_FAILED);
  const ad_pool p = {.context = m, .workers = 1, .work = middle_work, .lost = middle_lost, .write = middle_write};
  must(ad_pool_run(&p, 0, 4, &graphs_error));
  ck_assert_uint_eq(m->next, 4);
  ck_assert_int_gt(m->done, 4);
  munmap(m, sizeof *m);
}
END_TEST

static void clean_up(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command)) perror(folder);
}

int main(void) {
  if (!mkdtemp(folder)) return EXIT_FAILURE;
  signal(SIGPIPE, SIG_IGN);
  printf("ADTOOL_TEST_SEED=%llu\n", (unsigned long long)ulps_seed());
  fflush(stdout);
  unsetenv("SLURM_ARRAY_TASK_ID");
  unsetenv("OMPI_COMM_WORLD_RANK");
  unsetenv("PMI_RANK");
  Suite *s = suite_create("batch");
  TCase *c = tcase_create("batch");
  tcase_set_timeout(c, 300);
  tcase_add_test(c, npy_files);
  tcase_add_test(c, csv_files);
  tcase_add_test(c, folds_have_one_tree);
  tcase_add_test(c, shards_divide);
  tcase_add_loop_test(c, workers_die_alone, 1, 4);
  tcase_add_test(c, workers_killed_in_a_record);
  suite_add_tcase(s, c);
  const int status = suite_run(s);
  clean_up();
  return status;
}
