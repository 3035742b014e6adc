/* The parts of a batch put together. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch/checksum.h"
#include "batch/output.h"
#include "batch/shard.h"
#include "cli.h"
#include "error.h"
#include "npy/npy.h"
#include "stream.h"

enum { PIECE = 1 << 18 };

typedef struct part {
  const char *path;
  ad_shard_file f;
} part;

static bool is_description(const char *path) {
  const size_t n = strlen(path), m = strlen(AD_SHARD_SUFFIX);
  return n > m && !strcmp(path + n - m, AD_SHARD_SUFFIX);
}

static int by_number(const void *a, const void *b) {
  const uint32_t x = ((const part *)a)->f.shard.number, y = ((const part *)b)->f.shard.number;
  return (x > y) - (x < y);
}

/* The first line in which two keys differ, by its name. */
static void put_difference(char *text, size_t size, const char *a, const char *b) {
  const char *line = a;
  for (; *a && *a == *b; a++, b++)
    if (*a == '\n') line = a + 1;
  snprintf(text, size, "%.*s", (int)strcspn(line, " \n"), line);
}

/* All parts of one batch, each once. */
static ad_status check_parts(const part *p, size_t count, ad_error *e) {
  const ad_shard_file *first = &p[0].f;
  for (size_t i = 0; i < count; i++) {
    const ad_shard_file *f = &p[i].f;
    char what[40] = "another number of parts";
    const bool key = strcmp(f->key, first->key) != 0, inputs = strcmp(f->inputs, first->inputs) != 0;
    if (key || inputs || f->total != first->total || f->shard.of != first->shard.of) {
      if (key || inputs) put_difference(what, sizeof what, key ? first->key : first->inputs, key ? f->key : f->inputs);
      return ad_fail(e, AD_EINPUT, "'%s' and '%s' are parts of different batches (%s)", p[0].path, p[i].path, what);
    }
    if (i && f->shard.number == p[i - 1].f.shard.number)
      return ad_fail(e, AD_EINPUT, "part %u is there twice: '%s' and '%s'", f->shard.number, p[i - 1].path, p[i].path);
    if (f->shard.number != i + 1) return ad_fail(e, AD_EINPUT, "part %zu of %u is missing", i + 1, first->shard.of);
    if (f->first != (i ? p[i - 1].f.end : 0))
      return ad_fail(e, AD_EINPUT, "'%s' does not go on where part %zu ends", p[i].path, i);
  }
  if (count != first->shard.of) return ad_fail(e, AD_EINPUT, "part %zu of %u is missing", count + 1, first->shard.of);
  if (p[count - 1].f.end != first->total)
    return ad_fail(e, AD_EINPUT, "the parts end at %" PRIu64 " of %" PRIu64, p[count - 1].f.end, first->total);
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < count; i++) s = ad_shard_verify(&p[i].f, p[i].path, e);
  return s;
}

static bool key_is(const part *p, const char *name, const char *value) {
  size_t n;
  const char *v = ad_shard_key_line(p->f.key, name, &n);
  return v && n >= strlen(value) && !strncmp(v, value, strlen(value));
}

static ad_status copy_head(ad_buffer *head, const part *p, ad_error *e) {
  size_t n;
  const char *width = ad_shard_key_line(p->f.key, "width", &n);
  if (key_is(p, "format", "npy")) {
    char npy[AD_NPY_HEAD];
    ad_npy_head(npy, p->f.total, width ? strtoull(width, NULL, 10) : 0);
    ad_buffer_put(head, npy, sizeof npy);
  } else if (p->f.head) {
    ad_stream s;
    if (p->f.head > SIZE_MAX / 2 || !ad_reserve(&head->data, &head->capacity, (size_t)p->f.head + 1, 1))
      return ad_fail_memory(e);
    ad_status status = ad_stream_open(&s, p->path, e);
    if (!status) status = ad_stream_read_at(&s, 0, head->data, (size_t)p->f.head, e);
    head->size = (size_t)p->f.head;
    ad_stream_close(&s);
    return status;
  }
  return head->failed ? ad_fail_memory(e) : AD_OK;
}

typedef ad_status piece_fn(void *context, void *bytes, size_t size, ad_error *e);

/* What stands behind the head, piece by piece; pieces are whole rows of `unit` bytes. */
static ad_status each_piece(const part *p, size_t unit, piece_fn *fn, void *context, ad_error *e) {
  const size_t room = unit > PIECE ? unit : PIECE / unit * unit;
  char *bytes = ad_malloc(room, 1);
  ad_stream s = {.fd = -1};
  ad_status status = bytes ? ad_stream_open(&s, p->path, e) : ad_fail_memory(e);
  for (uint64_t at = p->f.head; !status && at < p->f.sums.size;) {
    const size_t n = p->f.sums.size - at < room ? (size_t)(p->f.sums.size - at) : room;
    status = ad_stream_read_at(&s, at, bytes, n, e);
    if (!status) status = fn(context, bytes, n, e);
    at += n;
  }
  ad_stream_close(&s);
  ad_free(bytes);
  return status;
}

static ad_status append(void *context, void *bytes, size_t size, ad_error *e) {
  return ad_output_write(context, &(ad_piece){bytes, size, ad_checksum_of(bytes, size), .rows = 1}, e);
}

static ad_status concatenate(const options *o, const part *p, size_t count, ad_error *e) {
  ad_buffer head = {0};
  ad_output *out = NULL;
  ad_status s = copy_head(&head, p, e);
  if (!s) s = ad_output_open(&out, o->out ? o->out : "-", NULL, head.size ? head.data : "", head.size, e);
  ad_buffer_clear(&head);
  if (s) return s;
  for (size_t i = 0; !s && i < count; i++) s = each_piece(&p[i], 1, append, out, e);
  if (!s) return ad_output_finish(out, NULL, NULL, e);
  ad_output_leave(out, false);
  return s;
}

static ad_status add_rows(void *context, void *bytes, size_t size, ad_error *e) {
  ad_fold *f = context;
  const size_t row = f->width * sizeof(double);
  ad_status s = size % row ? ad_fail(e, AD_EINPUT, "a part is no table of rows") : AD_OK;
  for (size_t i = 0; !s && i < size; i += row) {
    double *x = (double *)((char *)bytes + i);
    ad_npy_encode(x, f->width);
    s = ad_fold_add(f, x, e);
  }
  return s;
}

/* The parts hold a row a chunk; the tree above them is folded here. */
static int fold(const options *o, const part *p, size_t count, ad_fold_kind kind) {
  size_t n;
  ad_error e = {0};
  ad_buffer b = {0};
  const char *width = ad_shard_key_line(p->f.key, "width", &n);
  ad_fold f = {.kind = kind, .width = width ? (size_t)strtoull(width, NULL, 10) : 0};
  double *row = f.width && f.width < SIZE_MAX / sizeof *row ? ad_malloc(f.width, sizeof *row) : NULL;
  ad_status s = row ? AD_OK : ad_fail(&e, AD_EINPUT, "'%s' does not say how wide its rows are", p->path);
  for (size_t i = 0; !s && i < count; i++) s = each_piece(&p[i], f.width * sizeof *row, add_rows, &f, &e);
  if (!s) {
    char head[AD_NPY_HEAD];
    ad_fold_end(&f, p->f.total, row);
    ad_npy_head(head, f.width, 0);
    ad_npy_encode(row, f.width);
    ad_buffer_put(&b, head, sizeof head);
    ad_buffer_put(&b, row, f.width * sizeof *row);
  }
  ad_fold_clear(&f);
  ad_free(row);
  return s ? report(o, &e) : send(o, &b);
}

static int run(const options *o) {
  static const char *const folds[] = {"none", "sum", "mean", "min", "max"};
  ad_error e = {0};
  part *p = ad_calloc(o->file_count + 1, sizeof *p);
  size_t count = 0;
  ad_status s = p ? AD_OK : ad_fail_memory(&e);
  for (size_t i = 0; !s && i < o->file_count; i++) {
    if (is_description(o->file[i])) continue; /* a pattern of the shell that takes them in */
    p[count].path = o->file[i];
    s = ad_shard_load(&p[count].f, o->file[i], &e);
    if (!s) count++;
  }
  if (!s && !count) s = ad_fail(&e, AD_EUSAGE, "merge wants the parts themselves, not only their descriptions");
  if (!s) qsort(p, count, sizeof *p, by_number);
  if (!s) s = check_parts(p, count, &e);
  int kind = 0;
  for (int k = 1; !s && k <= AD_FOLD_MAX; k++)
    if (key_is(p, "reduce", folds[k])) kind = k;
  int status = 0;
  if (!s && kind)
    status = fold(o, p, count, (ad_fold_kind)kind);
  else if (!s)
    s = concatenate(o, p, count, &e);
  if (s) status = report(o, &e);
  for (size_t i = 0; i < count; i++) ad_shard_clear(&p[i].f);
  ad_free(p);
  return status;
}

static const option_id takes[] = {OPT_OUT, OPT_QUIET, OPT_COUNT};
const command command_merge = {
    "merge",
    "PART...",
    "the parts of a batch as one file",
    "Puts the parts that `adtool batch --shard` wrote together: the bytes are those that one run would have written.\n"
    "Each part needs its description beside it (PART.shard).  Refused: a part that is missing, there twice, damaged, "
    "or\n"
    "of another batch (another graph, other points, other options).",
    1,
    SIZE_MAX,
    takes,
    0,
    run};
