/* Rows of batches: each is, bit for bit, what it is alone, in each instruction set and for any number of threads, and
 * in scalar code what a single evaluation gives; Jacobians and Hessians have the closed forms' numbers in the places
 * that the names of their columns say; of an earlier run's rows none is kept that was made from others. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/run.h"
#include "error.h"
#include "graphs.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

/* ---- Rows depend on nothing but themselves */

typedef struct rows {
  double *in, *out;
  size_t count, inputs, width;
} rows;

static ad_status take_row(void *self, ad_points_block *b, ad_error *e) {
  const rows *r = self;
  (void)e;
  if (b->first + b->count > r->count) b->count = b->first < r->count ? r->count - (size_t)b->first : 0;
  return AD_OK;
}

static ad_status decode_row(void *self, ad_points_block *b, double *to, ad_error *e) {
  const rows *r = self;
  (void)e;
  memcpy(to, r->in + b->first * r->inputs, b->count * r->inputs * sizeof *to);
  return AD_OK;
}

static ad_status render_row(void *self, uint64_t first, double *from, ad_piece *p, ad_buffer *text, ad_error *e) {
  (void)self, (void)first, (void)text, (void)e;
  p->bytes = from;
  p->size = p->rows;
  return AD_OK;
}

static ad_status write_row(void *self, const ad_piece *p, ad_error *e) {
  rows *r = self;
  const size_t count = (size_t)p->rows;
  (void)e;
  memcpy(r->out, p->bytes, count * r->width * sizeof *r->out);
  r->out += count * r->width;
  return AD_OK;
}

static ad_batch_options all_outputs(const ad_graph *g, ad_batch_task task, size_t *output, size_t *element) {
  const size_t n = ad_graph_output_count(g);
  size_t used = 0;
  for (size_t i = 0; i < n; i++)
    if (task == AD_BATCH_EVAL || task == AD_BATCH_JAC ||
        ad_shape_size(ad_graph_node_shape(g, ad_graph_output_node(g, i))) == 1) {
      output[used] = i;
      element[used++] = SIZE_MAX;
    }
  return (ad_batch_options){.task = task, .output_count = used, .output = output, .element = element};
}

static void run_rows(rows *r, const ad_batch_plan *p, size_t chunk, unsigned threads) {
  ad_team *team;
  double *start = r->out;
  const ad_points points = {.self = r, .count = r->count, .take = take_row, .decode = decode_row};
  must(ad_team_new(&team, threads, ad_thread_cleanup, &graphs_error));
  const ad_batch_run run = {.plan = p,
                            .points = &points,
                            .sink = {r, render_row, write_row, NULL},
                            .end = r->count,
                            .chunk = chunk,
                            .team = team};
  must(ad_batch_do(&run, &graphs_error));
  ck_assert_ptr_eq(r->out, start + r->count * r->width);
  r->out = start;
  ad_team_free(team);
}

/* One row, with a workspace of a single point. */
static void single(const ad_batch_plan *p, const double *in, double *out) {
  ad_workspace *w;
  must(ad_workspace_new(&w, p->program, p->o.backend,
                        &(ad_workspace_options){.reverse = p->o.mode == AD_MODE_REVERSE,
                                                .directions = p->o.mode == AD_MODE_FORWARD ? 8 : 0},
                        &graphs_error));
  for (ad_node n = 0; n < ad_graph_input_count(p->graph); n++)
    must(ad_workspace_set_input(w, n, in + p->first[n], p->first[n + 1] - p->first[n], &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  for (size_t i = 0; i < p->o.output_count; i++) {
    const ad_node f = ad_graph_output_node(p->graph, p->o.output[i]);
    ad_span v = ad_workspace_value(w, f);
    for (size_t j = 0; j < v.count; j++) *out++ = ad_span_double(&v, j);
    if (p->o.task != AD_BATCH_GRAD) continue;
    must(ad_workspace_run_gradient(w, &(ad_gradient_request){.output = f, .mode = p->o.mode}, &graphs_error));
    for (size_t k = 0; k < ad_program_wrt_count(p->program); k++) {
      v = ad_workspace_gradient(w, ad_program_wrt(p->program, k));
      for (size_t j = 0; j < v.count; j++) *out++ = ad_span_double(&v, j);
    }
  }
  ad_workspace_free(w);
}

static bool same_bits(const double *a, const double *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (isnan(a[i]) && isnan(b[i])) continue;
    if (memcmp(a + i, b + i, sizeof *a) != 0) return false;
  }
  return true;
}

/* Every row alone in its block. */
static void each_alone(const ad_batch_plan *p, const rows *r, double *out) {
  ad_batch_worker *w;
  must(ad_batch_worker_new(&w, p, &graphs_error));
  for (size_t i = 0; i < r->count; i++)
    must(ad_batch_work(w, r->in + i * r->inputs, 1, out + i * r->width, &graphs_error));
  ad_batch_worker_free(w);
}

static void expect_rows(const ad_graph *g, const char *backend, ad_batch_task task, bool scalar, ulps_random *random) {
  size_t output[64], element[64];
  ad_batch_options o = all_outputs(g, task, output, element);
  if (!o.output_count) return;
  o.backend = backend ? ad_backend_find(backend) : NULL;
  ad_batch_plan *p;
  must(ad_batch_plan_new(&p, g, NULL, &o, NULL, &graphs_error));
  rows r = {.count = 75, .inputs = p->inputs, .width = p->width};
  double *want = calloc(r.count * r.width + 1, sizeof *want);
  r.in = calloc(r.count * r.inputs + 1, sizeof *r.in);
  r.out = calloc(r.count * r.width + 1, sizeof *r.out);
  for (size_t i = 0; i < r.count * r.inputs; i++)
    r.in[i] = i % 97 == 5 ? 1e300 : i % 89 == 3 ? 0 : ulps_random_uniform(random, -3, 3);
  if (!scalar) each_alone(p, &r, want);
  for (size_t i = 0; scalar && i < r.count; i++) single(p, r.in + i * r.inputs, want + i * r.width);
  for (unsigned threads = 1; threads <= 3; threads++) {
    run_rows(&r, p, threads == 3 ? 512 : 16, threads);
    for (size_t i = 0; i < r.count; i++)
      ck_assert_msg(same_bits(want + i * r.width, r.out + i * r.width, r.width),
                    "%s, %u threads: row %zu is not what it is alone", ad_batch_tasks[task], threads, i);
  }
  free(want);
  free(r.in);
  free(r.out);
  ad_batch_plan_free(p);
}

START_TEST(rows_are_what_they_are_alone) {
  graphs_use_simd(graphs_simd[_i % GRAPHS_SIMD]);
  const bool tensors = _i / GRAPHS_SIMD, scalar = !strcmp(graphs_simd[_i % GRAPHS_SIMD], "none");
  static size_t used[1000];
  const double graphs = 3 * ulps_multiplier();
  for (uint64_t k = 0; k == 0 || (double)k < graphs; k++) {
    random_graph r = random_graph_new(ulps_seed() + k, 60, tensors, used);
    expect_rows(r.g, "tape", AD_BATCH_EVAL, scalar, &r.random);
    expect_rows(r.g, "tape", AD_BATCH_GRAD, scalar, &r.random);
    expect_rows(r.g, "dual", AD_BATCH_GRAD, scalar, &r.random);
    expect_rows(r.g, NULL, AD_BATCH_JAC, false, &r.random);
    expect_rows(r.g, NULL, AD_BATCH_HESS, false, &r.random);
    random_graph_free(&r);
  }
}
END_TEST

/* ---- What an earlier run has written is kept as far as it was made from the same rows */

enum { KEPT_ROWS = 50, KEPT_CHUNK = 4 };

typedef struct earlier {
  rows r;
  uint64_t input[KEPT_ROWS]; /* of each chunk that the earlier run has written */
  uint64_t kept, written, next, sum;
  bool asked_on; /* after one was not the same */
} earlier;

static ad_status render_rest(void *self, uint64_t first, double *from, ad_piece *p, ad_buffer *text, ad_error *e) {
  earlier *x = self;
  return render_row(&x->r, first, from, p, text, e);
}

static ad_status write_rest(void *self, const ad_piece *p, ad_error *e) {
  earlier *x = self;
  (void)e;
  x->sum += p->input;
  if (p->bytes) memcpy(x->r.out + x->next * KEPT_CHUNK, p->bytes, (size_t)p->rows * sizeof(double));
  x->input[x->next++] = p->input;
  x->written++;
  return AD_OK;
}

static ad_status keep_rest(void *self, uint64_t chunk, const ad_piece *p, bool *same, ad_error *e) {
  earlier *x = self;
  (void)e;
  ck_assert(!x->asked_on && !x->written);
  ck_assert_uint_eq(chunk, x->next);
  *same = p->rows && p->input == x->input[chunk];
  x->asked_on = !*same;
  x->next += *same;
  x->kept += *same;
  return AD_OK;
}

static void run_earlier(earlier *x, const ad_batch_plan *p, unsigned threads, uint64_t there, bool rows_only,
                        uint64_t end) {
  const ad_points points = {.self = &x->r, .count = x->r.count, .take = take_row, .decode = decode_row};
  ad_team *team;
  must(ad_team_new(&team, threads, ad_thread_cleanup, &graphs_error));
  const ad_batch_run run = {.plan = p,
                            .points = &points,
                            .sink = {x, render_rest, write_rest, keep_rest},
                            .end = end,
                            .chunk = KEPT_CHUNK,
                            .team = team,
                            .there = there,
                            .rows_only = rows_only};
  x->kept = x->written = x->next = x->sum = 0;
  x->asked_on = false;
  must(ad_batch_do(&run, &graphs_error));
  ad_team_free(team);
}

/* One row changes, anywhere; or the table becomes shorter: what is not kept is done, and all is as it must be. */
START_TEST(chunks_are_kept_up_to_a_change) {
  static double in[KEPT_ROWS], out[KEPT_ROWS];
  ad_graph *g = graphs_new();
  size_t output[1], element[1];
  static const double one = 1;
  graphs_input(g, "x", SCALAR, &one, 1);
  must(ad_graph_output(g, "f", graphs_binary(g, "mul", 0, 0), &graphs_error));
  ad_batch_options o = all_outputs(g, AD_BATCH_EVAL, output, element);
  ad_batch_plan *p;
  must(ad_batch_plan_new(&p, g, NULL, &o, NULL, &graphs_error));
  const unsigned threads = (unsigned)_i;
  const uint64_t all = (KEPT_ROWS + KEPT_CHUNK - 1) / KEPT_CHUNK;
  earlier x = {.r = {in, out, KEPT_ROWS, 1, 1}};
  for (size_t i = 0; i < KEPT_ROWS; i++) in[i] = (double)i + 1;
  for (uint64_t there = 0; there <= all; there += 3)
    for (size_t change = 0; change <= KEPT_ROWS; change += 5) {
      run_earlier(&x, p, threads, 0, false, KEPT_ROWS);
      const uint64_t sum = x.sum;
      ck_assert_uint_eq(x.written, all);
      if (change < KEPT_ROWS) in[change] = -in[change];
      run_earlier(&x, p, threads, there, false, change % 2 ? KEPT_ROWS : AD_ROWS_UNKNOWN);
      const uint64_t same = change / KEPT_CHUNK < there ? change / KEPT_CHUNK : there;
      ck_assert_uint_eq(x.kept, same);
      ck_assert_uint_eq(x.written, all - same);
      for (size_t i = 0; i < KEPT_ROWS; i++) ck_assert_double_eq(out[i], in[i] * in[i]);
      run_earlier(&x, p, threads, 0, true, KEPT_ROWS); /* only what the rows are */
      ck_assert((x.sum == sum) == (change == KEPT_ROWS));
      if (change < KEPT_ROWS) in[change] = -in[change];
    }
  for (x.r.count = 0; x.r.count < KEPT_ROWS; x.r.count++) { /* a shorter table, whose end only reading tells */
    const size_t count = x.r.count;
    x.r.count = KEPT_ROWS;
    run_earlier(&x, p, threads, 0, false, AD_ROWS_UNKNOWN);
    x.r.count = count;
    run_earlier(&x, p, threads, all, false, AD_ROWS_UNKNOWN);
    ck_assert_uint_eq(x.kept, count / KEPT_CHUNK);
    ck_assert(x.asked_on);
    ck_assert_uint_eq(x.written, count % KEPT_CHUNK != 0);
  }
  x.r.count = KEPT_ROWS; /* the same rows in another order are others */
  run_earlier(&x, p, threads, 0, true, KEPT_ROWS);
  const uint64_t sum = x.sum;
  for (int i = 0; i < KEPT_CHUNK; i++) {
    const double swap = in[i];
    in[i] = in[i + KEPT_CHUNK];
    in[i + KEPT_CHUNK] = swap;
  }
  run_earlier(&x, p, threads, 0, true, KEPT_ROWS);
  ck_assert_uint_ne(x.sum, sum);
  ad_batch_plan_free(p);
  ad_graph_free(g);
}
END_TEST

/* f = x x y and s = sum(x x x) y at integers, where double makes no error. */
typedef struct cubes {
  ad_graph *g;
  double in[4], f[3], s;
  double df[3][4], ds[4], d2s[4][4];
} cubes;

static cubes cubes_new(ulps_random *random) {
  static const double one[3] = {1, 1, 1};
  cubes c = {.g = graphs_new()};
  graphs_input(c.g, "x", SHAPE(3), one, 3);
  graphs_input(c.g, "y", SCALAR, one, 1);
  const ad_node xx = graphs_binary(c.g, "mul", 0, 0), f = graphs_binary(c.g, "mul", xx, 1);
  const ad_node sum = graphs_apply(c.g, "sum", NODES(graphs_binary(c.g, "mul", xx, 0)), 0, NULL);
  must(ad_graph_output(c.g, "f", f, &graphs_error));
  must(ad_graph_output(c.g, "s", graphs_binary(c.g, "mul", sum, 1), &graphs_error));
  for (int i = 0; i < 4; i++) c.in[i] = floor(ulps_random_uniform(random, -9, 9));
  const double y = c.in[3];
  for (int i = 0; i < 3; i++) {
    const double x = c.in[i];
    c.f[i] = x * x * y;
    c.s += x * x * x * y;
    c.df[i][i] = 2 * x * y;
    c.df[i][3] = x * x;
    c.ds[i] = 3 * x * x * y;
    c.ds[3] += x * x * x;
    c.d2s[i][i] = 6 * x * y;
    c.d2s[i][3] = c.d2s[3][i] = 3 * x * x;
  }
  return c;
}

static void expect_row(const ad_batch_options *o, const cubes *c, const double *want, size_t width,
                       const char *const *names) {
  ad_batch_plan *p;
  ad_batch_worker *w;
  double in[4], out[40];
  must(ad_batch_plan_new(&p, c->g, NULL, o, NULL, &graphs_error));
  must(ad_batch_worker_new(&w, p, &graphs_error));
  ck_assert_uint_eq(p->width, width);
  for (int twice = 0; twice < 2; twice++) {
    memcpy(in, c->in, sizeof in);
    must(ad_batch_work(w, in, 1, out, &graphs_error));
    for (size_t i = 0; i < width; i++) {
      ad_buffer name = {0};
      ad_batch_column(&name, p, i);
      ck_assert_msg(out[i] == want[i], "%s is %a, not %a", name.data, out[i], want[i]);
      ck_assert_str_eq(name.data, names[i]);
      ad_buffer_clear(&name);
    }
  }
  ad_batch_worker_free(w);
  ad_batch_plan_free(p);
}

START_TEST(rows_of_matrices) {
  static const char *const jac[] = {"f[0]",        "f[1]",        "f[2]",        "s",           "df[0]/dx[0]",
                                    "df[0]/dx[1]", "df[0]/dx[2]", "df[0]/dy",    "df[1]/dx[0]", "df[1]/dx[1]",
                                    "df[1]/dx[2]", "df[1]/dy",    "df[2]/dx[0]", "df[2]/dx[1]", "df[2]/dx[2]",
                                    "df[2]/dy",    "ds/dx[0]",    "ds/dx[1]",    "ds/dx[2]",    "ds/dy"};
  static const char *const one[] = {"f[1]",     "s",        "df[1]/dx[0]", "df[1]/dx[1]", "df[1]/dx[2]",
                                    "df[1]/dy", "ds/dx[0]", "ds/dx[1]",    "ds/dx[2]",    "ds/dy"};
  static const char *const hess[] = {"s",           "ds/dx[0]",       "ds/dx[1]",       "ds/dx[2]",
                                     "ds/dy",       "d2s/dx[0]dx[0]", "d2s/dx[0]dx[1]", "d2s/dx[0]dx[2]",
                                     "d2s/dx[0]dy", "d2s/dx[1]dx[0]", "d2s/dx[1]dx[1]", "d2s/dx[1]dx[2]",
                                     "d2s/dx[1]dy", "d2s/dx[2]dx[0]", "d2s/dx[2]dx[1]", "d2s/dx[2]dx[2]",
                                     "d2s/dx[2]dy", "d2s/dydx[0]",    "d2s/dydx[1]",    "d2s/dydx[2]",
                                     "d2s/dydy"};
  ulps_random random = {ulps_seed()};
  static const char *const backends[] = {NULL, "tape", "dual", "mpfr"};
  const ad_backend *b = backends[_i] ? ad_backend_find(backends[_i]) : NULL;
  const cubes c = cubes_new(&random);
  double want[40];
  memcpy(want, c.f, sizeof c.f);
  want[3] = c.s;
  memcpy(want + 4, c.df, sizeof c.df);
  memcpy(want + 16, c.ds, sizeof c.ds);
  ad_batch_options o = {.task = AD_BATCH_JAC,
                        .backend = b,
                        .output_count = 2,
                        .output = (size_t[]){0, 1},
                        .element = (size_t[]){SIZE_MAX, SIZE_MAX}};
  expect_row(&o, &c, want, 20, jac);
  want[0] = c.f[1];
  want[1] = c.s;
  memcpy(want + 2, c.df[1], sizeof c.df[1]);
  memcpy(want + 6, c.ds, sizeof c.ds);
  o.element = (size_t[]){1, SIZE_MAX};
  expect_row(&o, &c, want, 10, one);
  want[0] = c.s;
  memcpy(want + 1, c.ds, sizeof c.ds);
  memcpy(want + 5, c.d2s, sizeof c.d2s);
  o = (ad_batch_options){
      .task = AD_BATCH_HESS, .backend = b, .output_count = 1, .output = (size_t[]){1}, .element = (size_t[]){SIZE_MAX}};
  expect_row(&o, &c, want, 21, hess);
  o.output = (size_t[]){0};
  ad_batch_plan *p;
  must_fail(AD_EUSAGE, "a Hessian wants one element", ad_batch_plan_new(&p, c.g, NULL, &o, NULL, &graphs_error));
  ad_graph_free(c.g);
}
END_TEST

int main(void) {
  printf("ADTOOL_TEST_SEED=%llu\n", (unsigned long long)ulps_seed());
  fflush(stdout);
  Suite *s = suite_create("batch_rows");
  TCase *c = tcase_create("batch_rows");
  tcase_set_timeout(c, 300);
  tcase_add_loop_test(c, rows_are_what_they_are_alone, 0, 2 * GRAPHS_SIMD);
  tcase_add_loop_test(c, rows_of_matrices, 0, 4);
  tcase_add_loop_test(c, chunks_are_kept_up_to_a_change, 1, 5);
  suite_add_tcase(s, c);
  return suite_run(s);
}
