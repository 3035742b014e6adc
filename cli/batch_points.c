/* One graph at every row of a table. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "batch.h"
#include "error.h"
#include "file.h"
#include "io.h"
#include "npy/npy.h"
#include "ranks.h"
#include "table.h"

typedef struct job {
  const options *o;
  ranks *ranks;
  output_format format;
  session s;
  ad_points points;
  ad_batch_plan *plan;
  ad_check_options check;
  ad_node *outputs;
  ad_team *team;
  batch_place place; /* where the results go */
  ad_fold fold;
  progress shown;
  uint64_t done; /* rows */
} job;

static const char *output_path(const job *j) {
  return j->o->out ? j->o->out : "-";
}

/* ---- What the result follows from */

/* The numbers of the inputs that rows do not give. */
static void put_constants(ad_buffer *b, const job *j) {
  for (ad_node n = 0; n < ad_graph_input_count(j->s.graph); n++)
    if (!j->plan->given[n]) {
      ad_buffer_printf(b, "input %u ", n);
      ad_batch_put_value(b, j->plan, n);
      ad_buffer_puts(b, "\n");
    }
}

static ad_status put_key(ad_buffer *b, job *j, ad_error *e) {
  const ad_batch_plan *p = j->plan;
  ad_status s = batch_put_key(b, j->o, j->format, ad_batch_tasks[p->o.task], e);
  char hex[65];
  if (!s) s = ad_graph_hash(j->s.graph, hex, e);
  if (s) return s;
  ad_buffer_printf(b, "graph %s\nbackend %s %d %u\nwidth %zu\nunit %zu\nsimd %s\n", hex,
                   p->o.backend ? ad_backend_name(p->o.backend) : "-", (int)p->o.mode, p->o.precision, p->width,
                   ad_batch_chunk(p), ad_batch_simd());
  for (size_t i = 0; i < p->o.output_count; i++)
    ad_buffer_printf(b, "output %zu %zu\n", p->o.output[i], p->o.element[i]);
  for (size_t i = 0; i < p->o.weight_count; i++) {
    const char *text = ad_numbers_text(p->o.weight, i);
    ad_buffer_printf(b, text ? "weight %a %s\n" : "weight %a\n", ad_numbers_double(p->o.weight, i), text);
  }
  for (size_t i = 0; i < ad_program_wrt_count(p->program); i++)
    ad_buffer_printf(b, "wrt %u\n", ad_program_wrt(p->program, i));
  if (p->o.task == AD_BATCH_CHECK)
    ad_buffer_printf(b, "check %zu %zu %" PRIu64 " %a\n", j->o->max_entries, j->o->probes, j->o->random_seed,
                     j->o->min_digits);
  put_constants(b, j);
  return b->failed ? ad_fail_memory(e) : AD_OK;
}

/* Whether the points are a file, which can be read more than once. */
static bool read_again(const char *path) {
  struct stat st;
  return strcmp(path, "-") && (stat(path, &st) || S_ISREG(st.st_mode));
}

static ad_status add_input(void *context, const ad_piece *p, ad_error *e) {
  uint64_t *sum = context;
  (void)e;
  *sum += p->input;
  return AD_OK;
}

static uint64_t sum_points(void *context) {
  job *j = context;
  ad_points points = {0};
  uint64_t sum = 0;
  const ad_batch_run r = {.plan = j->plan,
                          .points = &points,
                          .sink = {&sum, NULL, add_input, NULL},
                          .first = j->place.first,
                          .end = j->place.end,
                          .chunk = ad_batch_chunk(j->plan),
                          .team = j->team,
                          .rows_only = true};
  if (!read_again(j->o->points)) return 0;
  const bool read = !ad_table_open(&points, j->o->points, j->s.graph, NULL) && !ad_batch_do(&r, NULL);
  ad_table_close(&points);
  return read ? sum : 0;
}

/* ---- The sink */

static uint64_t count_failures(const double *rows, size_t count) {
  uint64_t failed = 0;
  for (size_t i = 0; i < count; i++) failed += rows[i * AD_CHECK_COLUMNS + AD_CHECK_VERDICT] == AD_VERDICT_FAIL;
  return failed;
}

static ad_status render(void *context, uint64_t first, double *rows, ad_piece *p, ad_buffer *text, ad_error *e) {
  job *j = context;
  const size_t width = j->plan->width, count = (size_t)p->rows;
  if (j->plan->o.task == AD_BATCH_CHECK) p->failed = count_failures(rows, count);
  if (j->o->reduce) ad_fold_rows(j->o->reduce, rows, count, width);
  if (j->o->reduce || j->format == FORMAT_NPY) {
    const size_t n = j->o->reduce ? width : count * width;
    if (!j->o->reduce || j->place.shard.of) ad_npy_encode(rows, n);
    p->bytes = rows;
    p->size = n * sizeof *rows;
    return AD_OK;
  }
  text->size = 0;
  for (size_t i = 0; i < count; i++) put_row(text, j->plan, rows + i * width, first + i, j->o, j->format);
  p->bytes = text->data;
  p->size = text->size;
  return text->failed ? ad_fail_memory(e) : AD_OK;
}

static ad_status write_chunk(void *context, const ad_piece *p, ad_error *e) {
  job *j = context;
  ad_status s = AD_OK;
  if (j->o->reduce && !j->place.shard.of) s = ad_fold_add(&j->fold, p->bytes, e);
  if (!s && j->place.out) s = ad_output_write(j->place.out, p, e);
  j->done += p->rows;
  progress_show(&j->shown, j->done);
  return s;
}

static ad_status keep_chunk(void *context, uint64_t chunk, const ad_piece *p, bool *same, ad_error *e) {
  job *j = context;
  ad_piece was;
  ad_status s = ad_output_chunk(j->place.out, chunk, &was, e);
  *same = !s && was.rows == p->rows && was.input == p->input;
  if (s || !*same) return s ? s : ad_output_cut(j->place.out, chunk, e);
  if (j->o->reduce && !j->place.shard.of) {
    const size_t size = j->plan->width * sizeof(double);
    double *row = ad_malloc(j->plan->width, sizeof *row);
    s = row ? ad_output_read(j->place.out, chunk * size, row, size, e) : ad_fail_memory(e);
    if (!s) s = ad_fold_add(&j->fold, row, e);
    ad_free(row);
  }
  j->done += p->rows;
  progress_start(&j->shown, j->o, "rows", j->done, j->shown.total);
  return s;
}

/* ---- The end */

static int send_fold(job *j) {
  ad_buffer b = {0};
  const size_t width = j->plan->width;
  double *row = ad_malloc(width, sizeof *row);
  if (row) {
    ad_fold_end(&j->fold, j->done, row);
    if (j->format == FORMAT_NPY) {
      char head[AD_NPY_HEAD];
      ad_npy_head(head, width, 0);
      ad_npy_encode(row, width);
      ad_buffer_put(&b, head, sizeof head);
      ad_buffer_put(&b, row, width * sizeof *row);
    } else {
      if (j->format == FORMAT_CSV) put_columns(&b, j->plan);
      put_row(&b, j->plan, row, 0, j->o, j->format);
    }
  }
  b.failed = b.failed || !row;
  ad_free(row);
  return send(j->o, &b);
}

static void put_head(ad_buffer *b, const job *j, uint64_t rows) {
  if (j->format == FORMAT_NPY && (!j->o->reduce || j->place.shard.of)) {
    char head[AD_NPY_HEAD];
    ad_npy_head(head, rows, j->plan->width);
    ad_buffer_put(b, head, sizeof head);
  } else if (j->format == FORMAT_CSV && !j->o->reduce) {
    put_columns(b, j->plan);
  }
}

/* The rows of the result: as many as there are points, or chunks. */
static uint64_t result_rows(const job *j, uint64_t points) {
  const size_t unit = ad_batch_chunk(j->plan);
  return j->o->reduce ? points / unit + (points % unit != 0) : points;
}

static int finish(job *j, uint64_t first) {
  if (j->o->reduce && !j->place.shard.of) {
    ad_output_leave(j->place.out, false);
    j->place.out = NULL;
    return send_fold(j);
  }
  ad_buffer head = {0};
  put_head(&head, j, result_rows(j, j->done - first));
  return batch_finish(&j->place, j->o, &head);
}

static int exit_status(const job *j) {
  if (!j->place.failed) return 0;
  note(j->o, "%s: %" PRIu64 " points failed the check", j->s.path, j->place.failed);
  return EXIT_CHECK_FAILED;
}

/* Rows of this process and of others. */
static ad_status run_rows(job *j, bool *undetermined, ad_error *e) {
  ad_batch_run r = {.plan = j->plan,
                    .points = &j->points,
                    .sink = {j, render, write_chunk, keep_chunk},
                    .first = j->place.first,
                    .end = j->place.end,
                    .chunk = ad_batch_chunk(j->plan),
                    .team = j->team,
                    .there = j->place.out ? ad_output_chunks(j->place.out) : 0,
                    .undetermined = undetermined};
  ranks_share(j->ranks, ad_team_threads(j->team), &r);
  const ad_status s = ad_batch_do(&r, e);
  ranks_done(j->ranks);
  return s;
}

static int run(job *j) {
  ad_error e = {0};
  const uint64_t total = j->place.total;
  j->done = j->place.first;
  progress_start(&j->shown, j->o, "rows", j->done, total == AD_ROWS_UNKNOWN ? total : j->place.end);
  bool undetermined = false;
  const ad_status s = run_rows(j, &undetermined, &e);
  progress_end(&j->shown);
  if (undetermined)
    note_always("%s: zero times infinity on the way of derivatives of some rows, which can be any number: nan",
                j->s.path);
  if (j->ranks->rank) return 0; /* rank 0 tells what has come of it */
  if (s) {
    ad_output_leave(j->place.out, s == AD_EIO || s == AD_ENOMEM || s == AD_ELIMIT);
    j->place.out = NULL;
    return report(j->o, &e);
  }
  const int status = finish(j, j->place.first);
  return status ? status : exit_status(j);
}

/* ---- The beginning */

static int choose_format(job *j) {
  j->format = batch_format(j->o, j->o->reduce ? FORMAT_NDJSON : FORMAT_CSV);
  if (j->o->reduce && j->o->task == AD_BATCH_CHECK) return usage_error(j->o, "--reduce is not for --do check");
  if (j->o->reduce && j->place.shard.of && j->format != FORMAT_NPY)
    return usage_error(j->o, "--reduce with --shard wants --format npy: merge folds the parts");
  return check_digits(j->o, j->format, true);
}

static ad_status make_plan(job *j, ad_error *e) {
  const options *o = j->o;
  const session *s = &j->s;
  const ad_batch_options b = {.task = o->task,
                              .backend = o->backend,
                              .mode = o->mode,
                              .precision = o->precision,
                              .output_count = s->output_count,
                              .output = s->output,
                              .element = s->element,
                              .weight_count = s->seed_count,
                              .weight = s->weight,
                              .wrt_count = s->wrt_count,
                              .wrt = s->wrt,
                              .check = &j->check};
  ad_status status = ad_batch_plan_new(&j->plan, s->graph, s->point, &b, j->points.given, e);
  if (!status) j->fold = (ad_fold){.kind = o->reduce, .width = j->plan->width};
  return status ? status : ad_team_new(&j->team, o->threads, ad_thread_cleanup, e);
}

/* Which rows, and what is there of them already; *ready when nothing is to do. */
static ad_status open_place(job *j, bool *ready, ad_error *e) {
  batch_place *p = &j->place;
  ad_buffer head = {0};
  const bool fold = j->o->reduce && !p->shard.of, replaces = ad_io_replaces(output_path(j), NULL);
  p->sum = sum_points;
  p->context = j;
  ad_status s = put_key(&p->key, j, e);
  if (!s) s = ad_batch_put_file(&p->inputs, j->o->points, e);
  p->total = j->points.count;
  if (!s && (p->shard.of || j->ranks->size > 1)) s = ad_table_count(&j->points, &p->total, e);
  if (!s) ad_shard_range(&p->shard, p->total, ad_batch_chunk(j->plan), &p->first, &p->end);
  const bool known = p->total != AD_ROWS_UNKNOWN;
  if (!s) put_head(&head, j, known ? result_rows(j, p->end - p->first) : 0);
  if (!s && (p->inputs.failed || head.failed)) s = ad_fail_memory(e);
  if (!s && !known && j->format == FORMAT_NPY && !fold && !replaces)
    s = ad_fail(e, AD_EUSAGE,
                "the header of an .npy file has the number of rows, which is not known yet; write to a "
                "file (-o), or choose --format csv");
  /* Other ranks than 0 write nothing, nor does a fold whose one row goes where it can't be added to. */
  if (!s && !j->ranks->rank && (replaces || !fold)) s = batch_open(p, j->o, &head, ready, e);
  ad_buffer_clear(&head);
  return s;
}

/* A value that the table would take the place of has no effect. */
static int check_at(const job *j) {
  for (size_t i = 0; i < j->o->at_count; i++) {
    const char *name = j->o->at[i].name;
    if (j->points.given[ad_graph_find_node(j->s.graph, name)])
      return usage_error(j->o, "--at %s: %s has this input in every row; leave one of the two out", name,
                         strcmp(j->o->points, "-") ? j->o->points : "standard input");
  }
  return 0;
}

static int set_up(job *j, bool *ready) {
  const options *o = j->o;
  ad_error e = {0};
  int status = 0;
  if (o->shard && ad_shard_read(&j->place.shard, o->shard, &e)) return report(o, &e);
  if (o->shard && !ad_io_replaces(output_path(j), NULL)) return usage_error(o, "--shard wants -o FILE");
  if (j->ranks->size > 1 && !read_again(o->points))
    return usage_error(o, "with MPI each rank reads --points by itself: give a file");
  status = choose_format(j);
  if (!status) status = session_open(&j->s, o, o->file[0]);
  if (status) return status;
  j->outputs = ad_calloc(j->s.output_count + 1, sizeof *j->outputs);
  for (size_t i = 0; j->outputs && i < j->s.output_count; i++)
    j->outputs[i] = ad_graph_output_node(j->s.graph, j->s.output[i]);
  j->check = session_check_options(&j->s, j->outputs);
  ad_status s = j->outputs ? ad_table_open(&j->points, o->points, j->s.graph, &e) : ad_fail_memory(&e);
  if (!s && (status = check_at(j))) return status;
  if (!s) s = make_plan(j, &e);
  if (!s) s = open_place(j, ready, &e);
  return s ? report(o, &e) : 0;
}

static int run_job(job *j) {
  bool ready = false, go;
  if (!ranks_wait(j->ranks)) return 0;
  int status = set_up(j, &ready);
  status = ranks_begin(j->ranks, status, j->place.key.data, j->place.inputs.data, &go);
  if (!go) return status;
  const ad_backend *backend = j->plan->o.backend;
  if (j->o->task != AD_BATCH_CHECK && (!backend || ad_backend_kind(backend) == AD_KIND_F64) && !j->ranks->rank)
    session_note_overflow(&j->s, j->plan->given);
  if (!ready) return run(j);
  note(j->o, "%s is there already", j->place.path.data);
  return exit_status(j);
}

int batch_points(const options *o, ranks *r) {
  job j = {.o = o, .ranks = r};
  int status = run_job(&j);
  ad_output_leave(j.place.out, true);
  batch_place_clear(&j.place);
  ad_fold_clear(&j.fold);
  ad_team_free(j.team);
  ad_batch_plan_free(j.plan);
  ad_table_close(&j.points);
  session_close(&j.s);
  ad_free(j.outputs);
  return status;
}
