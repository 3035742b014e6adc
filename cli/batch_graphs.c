/* Many graphs, each at its own point, a record each. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "batch/checksum.h"
#include "batch/pool.h"
#include "error.h"
#include "file.h"
#include "io.h"

enum { DEEPEST = 64, FLUSH = 1 << 16 };

typedef struct collection {
  const options *o;
  size_t count, capacity;
  char **path;
  batch_place place;
  ad_buffer records;     /* that wait to be written together */
  uint64_t waiting, bad; /* how many, and those of them without a result or that failed a check */
  uint64_t input;        /* the sum over what they were made from */
  bool unknown;          /* one of them can't be read again */
  double written;        /* when */
  progress shown;
} collection;

/* ---- Which graphs */

static ad_status add_path(collection *c, const char *path, ad_error *e) {
  const size_t n = strlen(path) + 1;
  char *copy = ad_malloc(n, 1);
  if (!copy || !ad_reserve(&c->path, &c->capacity, c->count + 1, sizeof *c->path)) {
    ad_free(copy);
    return ad_fail_memory(e);
  }
  c->path[c->count++] = memcpy(copy, path, n);
  return AD_OK;
}

static bool is_graph(const char *name) {
  const char *dot = strrchr(name, '.');
  for (size_t i = 0; dot && i < ad_format_count(); i++)
    if (ad_format_get(i)->can_read && !strcmp(dot, ad_format_get(i)->extension)) return true;
  return dot && !strcmp(dot, ".yml");
}

static int visible(const struct dirent *d) {
  return d->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* All graphs below a folder, in the order of their names. */
static ad_status add_folder(collection *c, const char *path, int depth, ad_error *e) {
  struct dirent **entry;
  if (depth > DEEPEST) return ad_fail(e, AD_ELIMIT, "'%s' lies more than %d folders deep", path, DEEPEST);
  int n = scandir(path, &entry, visible, by_name);
  if (n < 0) return ad_fail_errno(e, "read", path);
  ad_status s = AD_OK;
  for (int i = 0; i < n; i++) {
    ad_buffer full = {0};
    struct stat st;
    ad_buffer_printf(&full, "%s/%s", path, entry[i]->d_name);
    if (!s && full.failed) s = ad_fail_memory(e);
    if (!s && !lstat(full.data, &st)) {
      if (S_ISDIR(st.st_mode))
        s = add_folder(c, full.data, depth + 1, e);
      else if (is_graph(entry[i]->d_name) && !stat(full.data, &st) && !S_ISREG(st.st_mode))
        note(c->o, "%s is left out: it is no regular file, and reading it might never end", full.data);
      else if (is_graph(entry[i]->d_name))
        s = add_path(c, full.data, e);
    }
    ad_buffer_clear(&full);
    free(entry[i]);
  }
  free(entry);
  return s;
}

static ad_status add_list(collection *c, const char *path, uint64_t most, ad_error *e) {
  void *bytes;
  size_t size;
  ad_status s = ad_file_read(&bytes, &size, path, most, e);
  if (s) return s;
  for (char *p = bytes; !s && *p;) {
    char *end = p + strcspn(p, "\n");
    const bool more = *end;
    *end = '\0';
    if (end > p && end[-1] == '\r') end[-1] = '\0';
    if (*p) s = add_path(c, p, e);
    p = end + more;
  }
  ad_free(bytes);
  return s;
}

static ad_status find_graphs(collection *c, ad_error *e) {
  ad_status s = c->o->list ? add_list(c, c->o->list, c->o->limits.max_bytes, e) : AD_OK;
  for (size_t i = 0; !s && i < c->o->file_count; i++) {
    struct stat st;
    const char *path = c->o->file[i];
    s = !stat(path, &st) && S_ISDIR(st.st_mode) ? add_folder(c, path, 0, e) : add_path(c, path, e);
  }
  return s;
}

/* ---- One graph, in a worker */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ad_status run_plan(ad_buffer *b, ad_batch_plan *p, unsigned digits, uint64_t *bad, ad_error *e) {
  double none = 0, *row = ad_calloc(p->width, sizeof *row);
  ad_batch_worker *w = NULL;
  p->points = 1;
  ad_status s = row ? ad_batch_worker_new(&w, p, e) : ad_fail_memory(e);
  if (!s) s = ad_batch_work(w, &none, 1, row, e);
  if (!s) {
    ad_buffer_puts(b, ", \"status\": \"ok\", ");
    if (p->o.task == AD_BATCH_CHECK) {
      *bad = row[AD_CHECK_VERDICT] == AD_VERDICT_FAIL;
      put_row_check(b, row);
    } else {
      ad_buffer_puts(b, "\"outputs\": ");
      put_row_outputs(b, p, row, digits);
      if (ad_batch_undetermined(w)) ad_buffer_puts(b, ", \"undetermined\": true");
    }
  }
  ad_batch_worker_free(w);
  ad_free(row);
  return s;
}

static ad_status run_graph(ad_buffer *b, const options *o, const char *path, uint64_t *bad, ad_error *e) {
  ad_graph *g = NULL;
  ad_batch_plan *p = NULL;
  ad_status s = load_graph(&g, o, path, e);
  if (s) return s;
  const size_t outputs = ad_graph_output_count(g);
  size_t *output = ad_calloc(outputs, sizeof *output), *element = ad_calloc(outputs, sizeof *element);
  bool *given = ad_calloc(ad_graph_input_count(g), sizeof *given);
  const ad_check_options check = {.max_entries = o->max_entries,
                                  .probes = o->probes,
                                  .seed = o->random_seed,
                                  .max_precision = check_precision(o),
                                  .min_digits = o->min_digits};
  if (!output || !element || !given) s = ad_fail_memory(e);
  for (size_t i = 0; !s && i < outputs; i++) output[i] = i, element[i] = SIZE_MAX;
  const ad_batch_options batch = {.task = o->task,
                                  .backend = o->backend,
                                  .mode = o->mode,
                                  .precision = o->precision,
                                  .output_count = outputs,
                                  .output = output,
                                  .element = element,
                                  .check = &check};
  if (!s) s = ad_batch_plan_new(&p, g, NULL, &batch, given, e);
  if (!s) s = run_plan(b, p, o->digits, bad, e);
  if (s && e->code != AD_ENOMEM && !e->file[0]) snprintf(e->file, sizeof e->file, "%s", path);
  ad_batch_plan_free(p);
  ad_graph_free(g);
  ad_free(output);
  ad_free(element);
  ad_free(given);
  return s;
}

/* What stands before the line of a record on its way to the parent. */
typedef struct about {
  uint64_t input, bad;
} about;

static void begin_record(ad_buffer *b, const collection *c, uint64_t item, about a) {
  ad_buffer_put(b, &a, sizeof a);
  ad_buffer_puts(b, "{\"graph\": ");
  put_json_string(b, c->path[item]);
}

/* The files are looked at first: when one changes meanwhile, it is the older state that a later run finds changed. */
static void work(void *context, uint64_t item, _Atomic uint64_t *note, ad_buffer *b) {
  const collection *c = context;
  ad_error e = {0};
  const double start = seconds();
  about a = {.input = batch_sum_inputs(c->o, c->path[item])};
  const size_t first = b->size;
  atomic_store(note, a.input);
  begin_record(b, c, item, a);
  const size_t before = b->size;
  if (run_graph(b, c->o, c->path[item], &a.bad, &e)) {
    a.bad = 1;
    b->size = before;
    ad_buffer_printf(b, ", \"status\": \"%s\", \"error\": ", e.code == AD_ENOMEM ? "memory" : "error");
    put_json_error(b, &e);
  }
  if (!c->o->no_time) ad_buffer_printf(b, ", \"seconds\": %.6f", seconds() - start);
  ad_buffer_puts(b, "}\n");
  if (!b->failed) memcpy(b->data + first, &a, sizeof a);
}

static void begin(void) {
  memory_start_worker(AD_POOL_NO_MEMORY);
}

/* ---- The records, in the parent */

static void lost(void *context, uint64_t item, uint64_t note, ad_pool_loss why, int detail, ad_buffer *b) {
  const collection *c = context;
  begin_record(b, c, item, (about){note, 1});
  if (why == AD_POOL_TIMEOUT)
    ad_buffer_printf(b, ", \"status\": \"timeout\", \"error\": {\"message\": \"not done after %g s (--timeout)\"}",
                     c->o->timeout);
  else if (why == AD_POOL_MEMORY)
    ad_buffer_puts(b, ", \"status\": \"memory\", \"error\": {\"message\": \"out of memory (--max-memory)\"}");
  else
    ad_buffer_printf(b, ", \"status\": \"crashed\", \"error\": {\"message\": \"the worker died: %s %d\"}",
                     detail > 0 && detail < 65 ? "signal" : "exit status", detail);
  ad_buffer_puts(b, "}\n");
}

static ad_status flush(collection *c, ad_error *e) {
  ad_status s = c->records.failed ? ad_fail_memory(e) : AD_OK;
  const ad_piece p = {.bytes = c->records.data,
                      .size = c->records.size,
                      .checksum = ad_checksum_of(c->records.data, c->records.size),
                      .input = c->unknown ? 0 : c->input,
                      .rows = c->waiting,
                      .failed = c->bad};
  if (!s && c->waiting) s = ad_output_write(c->place.out, &p, e);
  c->records.size = 0;
  c->waiting = c->bad = c->input = 0;
  c->unknown = false;
  c->written = seconds();
  return s;
}

static ad_status write_record(void *context, uint64_t item, const void *record, size_t size, ad_error *e) {
  collection *c = context;
  about a;
  memcpy(&a, record, sizeof a);
  c->bad += a.bad;
  c->input += ad_checksum_at(item, a.input);
  c->unknown = c->unknown || !a.input;
  progress_show(&c->shown, item + 1);
  ad_buffer_put(&c->records, (const char *)record + sizeof a, size - sizeof a);
  c->waiting++;
  return c->records.size < FLUSH && seconds() - c->written < 0.1 ? AD_OK : flush(c, e);
}

/* ---- What the records follow from */

static ad_status put_key(ad_buffer *key, const collection *c, ad_error *e) {
  const options *o = c->o;
  const ad_limits *l = &o->limits;
  ad_checksum sum;
  ad_checksum_start(&sum);
  for (size_t i = 0; i < c->count; i++) ad_checksum_add(&sum, c->path[i], strlen(c->path[i]) + 1);
  ad_status s = batch_put_key(key, o, FORMAT_NDJSON, ad_batch_tasks[o->task], e);
  ad_buffer_printf(key, "graphs %zu %016" PRIx64 "\nbackend %s %d %u\nsimd %s\ntime %d\ntimeout %a\n", c->count,
                   ad_checksum_end(&sum), o->backend ? ad_backend_name(o->backend) : "-", (int)o->mode, o->precision,
                   ad_batch_simd(), !o->no_time, o->timeout);
  ad_buffer_printf(key, "check %zu %zu %" PRIu64 " %a\n", o->max_entries, o->probes, o->random_seed, o->min_digits);
  ad_buffer_printf(key, "limits %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u %u %u\n", l->max_nodes, l->max_elements,
                   l->max_bytes, l->max_precision, l->max_yaml_depth, l->max_expr_depth, l->max_scalar);
  return s ? s : key->failed ? ad_fail_memory(e) : AD_OK;
}

/* What each file was when the run began: cheap, for merge. */
static ad_status put_inputs(ad_buffer *b, const collection *c, ad_error *e) {
  ad_checksum sum;
  ad_checksum_start(&sum);
  for (size_t i = 0; i < c->count; i++) {
    struct stat st;
    int64_t about[3] = {0};
    if (!stat(c->path[i], &st)) {
      about[0] = st.st_size;
      about[1] = st.st_mtim.tv_sec;
      about[2] = st.st_mtim.tv_nsec;
    }
    ad_checksum_add(&sum, about, sizeof about);
  }
  ad_buffer_printf(b, "files %016" PRIx64, ad_checksum_end(&sum));
  return b->failed ? ad_fail_memory(e) : AD_OK;
}

/* The sum over the files of items as they are now; 0: they can't all be read again. */
static uint64_t sum_items(const collection *c, uint64_t first, uint64_t end) {
  uint64_t sum = 0;
  for (; first < end; first++) {
    const uint64_t input = batch_sum_inputs(c->o, c->path[first]);
    if (!input) return 0;
    sum += ad_checksum_at(first, input);
  }
  return sum;
}

static uint64_t sum_part(void *context) {
  const collection *c = context;
  return sum_items(c, c->place.first, c->place.end);
}

/* Of the records of an earlier run those stay whose files are the same, up to the first that are not. */
static ad_status keep_records(collection *c, ad_error *e) {
  ad_output *out = c->place.out;
  ad_status s = AD_OK;
  for (uint64_t i = 0, at = c->place.first; !s && i < ad_output_chunks(out); i++) {
    ad_piece was;
    s = ad_output_chunk(out, i, &was, e);
    if (s) break;
    const bool same = was.rows <= c->place.end - at && was.input && was.input == sum_items(c, at, at + was.rows);
    if (!same) s = ad_output_cut(out, i, e);
    at += was.rows;
  }
  return s;
}

static int exit_status(const collection *c) {
  if (!c->place.failed) return 0;
  note(c->o, "%" PRIu64 " of %" PRIu64 " graphs have no result or failed the check", c->place.failed,
       c->place.end - c->place.first);
  return EXIT_CHECK_FAILED;
}

static int run_all(collection *c) {
  ad_error e = {0};
  bool ready = false;
  ad_buffer head = {0};
  const options *o = c->o;
  c->place.sum = sum_part;
  c->place.context = c;
  ad_status s = o->shard ? ad_shard_read(&c->place.shard, o->shard, &e) : AD_OK;
  if (!s) s = find_graphs(c, &e);
  if (!s && !c->count) s = ad_fail(&e, AD_EINPUT, "there is no graph in %s", o->list ? o->list : o->file[0]);
  if (!s) s = put_key(&c->place.key, c, &e);
  if (!s) s = put_inputs(&c->place.inputs, c, &e);
  c->place.total = c->count;
  ad_shard_range(&c->place.shard, c->count, 1, &c->place.first, &c->place.end);
  if (!s) s = batch_open(&c->place, o, &head, &ready, &e);
  if (!s && !ready) s = keep_records(c, &e);
  if (s) return report(o, &e);
  if (ready) {
    note(o, "%s is there already", c->place.path.data);
    return exit_status(c);
  }
  const uint64_t first = c->place.first + ad_output_rows(c->place.out);
  const ad_pool pool = {.context = c,
                        .workers = o->threads ? o->threads : ad_team_processors(),
                        .timeout = o->timeout,
                        .memory = o->limits.max_bytes,
                        .begin = begin,
                        .work = work,
                        .lost = lost,
                        .write = write_record};
  progress_start(&c->shown, o, "graphs", first, c->place.end);
  s = ad_pool_run(&pool, first, c->place.end, &e);
  if (!s) s = flush(c, &e);
  progress_end(&c->shown);
  if (s) return report(o, &e);
  const int status = batch_finish(&c->place, o, &head);
  return status ? status : exit_status(c);
}

int batch_graphs(const options *o) {
  if (o->at_count || o->point || o->wrt_count || o->output || o->seed || o->reduce)
    return usage_error(o, "--at, --point, --wrt, --output, --seed and --reduce are for one graph with --points");
  if (batch_format(o, FORMAT_NDJSON) != FORMAT_NDJSON) return usage_error(o, "records of graphs are ndjson");
  if (o->shard && !ad_io_replaces(o->out ? o->out : "-", NULL)) return usage_error(o, "--shard wants -o FILE");
  collection c = {.o = o};
  int status = run_all(&c);
  ad_output_leave(c.place.out, true);
  batch_place_clear(&c.place);
  ad_buffer_clear(&c.records);
  for (size_t i = 0; i < c.count; i++) ad_free(c.path[i]);
  ad_free(c.path);
  return status;
}
