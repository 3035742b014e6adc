/* Models as AMPL wrote them, against values and derivatives by AMPL's own library: ../shared/data/nl beside the source
 * tree; without that folder there is nothing to do.
 *
 * Equal is equal to 1e-12 relative.  Where that does not hold, rounding must explain it: both sides must lie as near to
 * the number's value in MPFR at 256 bits as rounding can take them.  Half a unit in the last place of every value,
 * carried to an output by the adjoints, bounds what happens to a value (Linnainmaa, BIT 16, 1976), and divided by the
 * variable what happens in the sum that is a derivative.  A derivative moves with the values, too: how far, MPFR shows
 * with the variables moved by a unit in the last place.  A file that is misread differs by more. */
#include <dirent.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "adtool.h"
#include "suite.h"
#include "ulps.h"

static ad_error err;
static char folder[900];
static char **names;
static int name_count;

static void ok(ad_status s, const char *what) {
  ck_assert_msg(s == AD_OK, "%s: %s:%lld:%lld (byte %lld): %s", what, err.file, (long long)err.line,
                (long long)err.column, (long long)err.offset, err.message);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The models' names, without .nl. */
static void find_models(void) {
  const char *root = getenv("ADTOOL_SRCDIR");
  snprintf(folder, sizeof folder, "%s/../shared/data/nl", root ? root : ".");
  DIR *d = opendir(folder);
  for (struct dirent *entry; d && (entry = readdir(d));) {
    const size_t n = strlen(entry->d_name);
    if (n < 4 || strcmp(entry->d_name + n - 3, ".nl") != 0) continue;
    names = realloc(names, ((size_t)name_count + 1) * sizeof *names);
    if (!names || !(names[name_count] = strdup(entry->d_name))) abort();
    names[name_count++][n - 3] = '\0';
  }
  if (d) closedir(d);
  if (name_count) qsort(names, (size_t)name_count, sizeof *names, by_name);
  const size_t all = (size_t)name_count;
  name_count = 0;
  for (size_t i = 0; i < all; i++)
    if (ulps_tries(i))
      names[name_count++] = names[i];
    else
      free(names[i]);
}

/* ---- References */

typedef struct entry {
  size_t row, column;
  double value;
} entry;

typedef struct reference {
  size_t n, m, objectives;
  double *x, *con;
  double obj;
  bool has_objective, failed; /* failed: the library could not evaluate there */
  entry *grad, *jac, *hess;   /* hess: the upper triangle of the objective's plus all constraints' */
  size_t grad_count, jac_count, hess_count;
} reference;

static char *next(char **p) {
  char *word = *p + strspn(*p, " \n");
  if (!*word) return NULL;
  *p = word + strcspn(word, " \n");
  if (**p) *(*p)++ = '\0';
  return word;
}

static double real(char **p) {
  char *word = next(p), *end;
  ck_assert_ptr_nonnull(word);
  const double v = strtod(word, &end);
  ck_assert_msg(!*end, "a reference has '%s'", word);
  return v;
}

static void *room(size_t count, size_t size) {
  void *p = calloc(count + 1, size);
  ck_assert_ptr_nonnull(p);
  return p;
}

static void add(entry **list, size_t *count, size_t row, const char *word) {
  if (!(*count & (*count - 1))) *list = realloc(*list, (2 * *count + 1) * sizeof **list);
  ck_assert_ptr_nonnull(*list);
  char *colon;
  (*list)[*count].row = row;
  (*list)[*count].column = strtoul(word, &colon, 10);
  ck_assert_int_eq(*colon, ':');
  (*list)[(*count)++].value = strtod(colon + 1, NULL);
}

static char *slurp(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  ck_assert_msg(f != NULL, "%s is missing", path);
  ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
  *size = (size_t)ftell(f);
  rewind(f);
  char *text = room(*size, 1);
  ck_assert_uint_eq(fread(text, 1, *size, f), *size);
  fclose(f);
  return text;
}

static reference read_reference(const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s.ref", folder, name);
  size_t size;
  char *text = slurp(path, &size);
  reference r = {0};
  char *line = strtok(text, "\n");
  for (; line; line = strtok(NULL, "\n")) {
    char *p = line, *word = next(&p);
    if (!strcmp(word, "dims")) {
      r.n = (size_t)real(&p), r.m = (size_t)real(&p), r.objectives = (size_t)real(&p);
      r.x = room(r.n, sizeof *r.x), r.con = room(r.m, sizeof *r.con);
    } else if (!strcmp(word, "x")) {
      for (size_t i = 0; i < r.n; i++) r.x[i] = real(&p);
    } else if (!strcmp(word, "obj")) {
      r.obj = real(&p);
      r.has_objective = true;
    } else if (!strcmp(word, "con")) {
      for (size_t i = 0; i < r.m; i++) r.con[i] = real(&p);
    } else if (!strcmp(word, "grad")) {
      while ((word = next(&p))) add(&r.grad, &r.grad_count, 0, word);
    } else if (!strcmp(word, "jac")) {
      const size_t row = (size_t)real(&p);
      while ((word = next(&p))) add(&r.jac, &r.jac_count, row, word);
    } else if (!strcmp(word, "hess")) {
      for (next(&p); (word = next(&p));) {
        char *comma;
        const size_t row = strtoul(word, &comma, 10);
        ck_assert_int_eq(*comma, ',');
        add(&r.hess, &r.hess_count, row, comma + 1);
      }
    } else if (!strcmp(word, "error")) {
      r.failed = true;
    }
  }
  free(text);
  return r;
}

static void free_reference(reference *r) {
  free(r->x);
  free(r->con);
  free(r->grad);
  free(r->jac);
  free(r->hess);
}

/* ---- Comparison */

typedef struct model {
  const char *name;
  ad_graph *graph;
  ad_program *program;
  ad_workspace *fast;
  const reference *r;
  size_t rounding; /* differences that were explained */
} model;

static ad_workspace *open_workspace(const model *m, const char *backend, uint32_t precision) {
  ad_workspace *w;
  const ad_workspace_options o = {.precision = precision, .reverse = true};
  ok(ad_workspace_new(&w, m->program, ad_backend_find(backend), &o, &err), m->name);
  ok(ad_workspace_set_input(w, 0, m->r->x, m->r->n, &err), m->name);
  ok(ad_workspace_primal(w, &err), m->name);
  return w;
}

static bool near(double a, double b) {
  return a == b || fabs(a - b) <= 1e-12 * fabs(b);
}

/* One number of the model: an element of an output, or of its derivative by a variable. */
typedef struct place {
  const char *what;
  ad_node node;
  size_t row, column; /* column: SIZE_MAX for a value */
} place;

static double number_at(const model *m, ad_workspace *w, const place *p) {
  const ad_gradient_request q = {.output = p->node, .seed_count = 1, .element = &p->row, .mode = AD_MODE_REVERSE};
  const ad_span value = ad_workspace_value(w, p->node);
  if (p->column == SIZE_MAX) return ad_span_double(&value, p->row);
  ok(ad_workspace_run_gradient(w, &q, &err), m->name);
  const ad_span g = ad_workspace_gradient(w, 0);
  return ad_span_double(&g, p->column);
}

/* The sum of |adjoint * value| over all nodes: times epsilon, what rounding each of them can move the output by. */
static double carried(const model *m, const ad_workspace *w) {
  double sum = 0;
  for (ad_node n = 0; n < ad_graph_node_count(m->graph); n++) {
    const ad_span v = ad_workspace_value(w, n), a = ad_workspace_adjoint(w, n);
    for (size_t i = 0; i < v.count && i < a.count; i++) {
      const double part = fabs(ad_span_double(&v, i) * ad_span_double(&a, i));
      if (isfinite(part)) sum += part;
    }
  }
  return sum;
}

/* How far a derivative moves with the variables. */
static double moved(const model *m, ad_workspace *w, const place *p, double from) {
  enum { SAMPLES = 16, INSIDE = 4 }; /* values inside are rounded more often than the variables */
  double most = 0, *x = room(m->r->n, sizeof *x);
  uint64_t state = 20240229;
  for (int i = 0; i < SAMPLES; i++) {
    for (size_t k = 0; k < m->r->n; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
      x[k] = nextafter(m->r->x[k], state >> 63 ? INFINITY : -INFINITY);
    }
    ok(ad_workspace_set_input(w, 0, x, m->r->n, &err), m->name);
    ok(ad_workspace_primal(w, &err), m->name);
    most = fmax(most, fabs(number_at(m, w, p) - from));
  }
  free(x);
  return INSIDE * most;
}

static void explain(model *m, const place *p, double got, double want) {
  ad_workspace *w = open_workspace(m, "mpfr", 256);
  const ad_gradient_request q = {.output = p->node, .seed_count = 1, .element = &p->row, .mode = AD_MODE_REVERSE};
  ok(ad_workspace_run_gradient(w, &q, &err), m->name);
  const double truth = number_at(m, w, p);
  double noise = DBL_EPSILON / 2 * carried(m, w);
  if (p->column != SIZE_MAX) noise = noise / fabs(m->r->x[p->column]) + moved(m, w, p, truth);
  ad_workspace_free(w);
  ck_assert_msg(fabs(got - truth) <= noise && fabs(want - truth) <= noise,
                "%s: %s %zu,%zd is %.17g, the reference has %.17g, MPFR %.17g; rounding moves it by %.3g", m->name,
                p->what, p->row, (ssize_t)p->column, got, want, truth, noise);
  m->rounding++;
}

static void compare_values(model *m, ad_node n, const double *want, size_t count, const char *what) {
  const ad_span v = ad_workspace_value(m->fast, n);
  ck_assert_uint_eq(v.count, count);
  for (size_t i = 0; i < count; i++) {
    const place p = {what, n, i, SIZE_MAX};
    if (!near(ad_span_double(&v, i), want[i])) explain(m, &p, ad_span_double(&v, i), want[i]);
  }
}

/* One row of derivatives; references list what may be nonzero, the rest is zero. */
static void compare_row(model *m, ad_node n, size_t row, const entry *want, size_t count, const char *what) {
  const ad_gradient_request q = {.output = n, .seed_count = 1, .element = &row, .mode = AD_MODE_REVERSE};
  double *dense = room(m->r->n, sizeof *dense);
  for (size_t k = 0; k < count; k++) dense[want[k].column] += want[k].value;
  ok(ad_workspace_run_gradient(m->fast, &q, &err), m->name);
  const ad_span g = ad_workspace_gradient(m->fast, 0);
  for (size_t j = 0; j < m->r->n; j++) {
    const place p = {what, n, row, j};
    if (!near(ad_span_double(&g, j), dense[j])) explain(m, &p, ad_span_double(&g, j), dense[j]);
  }
  free(dense);
}

static void compare(model *m) {
  const reference *r = m->r;
  const size_t obj = ad_graph_find_output(m->graph, r->objectives > 1 ? "obj0" : "obj"),
               con = ad_graph_find_output(m->graph, "con");
  if (r->has_objective && r->objectives) {
    const ad_node n = ad_graph_output_node(m->graph, obj);
    compare_values(m, n, &r->obj, 1, "obj");
    compare_row(m, n, 0, r->grad, r->grad_count, "grad");
  }
  if (!r->m) return;
  const ad_node n = ad_graph_output_node(m->graph, con);
  compare_values(m, n, r->con, r->m, "con");
  size_t k = 0;
  for (size_t row = 0; row < r->m; row++) {
    const size_t first = k;
    while (k < r->jac_count && r->jac[k].row == row) k++;
    compare_row(m, n, row, r->jac + first, k - first, "jac");
  }
  ck_assert_uint_eq(k, r->jac_count);
}

/* The Jacobian of the constraints in one sparse plan: within 1e-11 of the largest entry of each row, and only where the
 * file has an entry. */
static void compare_plan(const model *m, ad_jacobian_options o) {
  const reference *r = m->r;
  const ad_node con = ad_graph_output_node(m->graph, ad_graph_find_output(m->graph, "con"));
  ad_program *p;
  ad_jacobian *j;
  ok(ad_program_new(&p, m->graph, &(ad_program_options){.output_count = 1, .outputs = &con}, &err), m->name);
  ok(ad_jacobian_new(&j, p, NULL, &o, &err), m->name);
  ok(ad_workspace_set_input(ad_jacobian_workspace(j), 0, r->x, r->n, &err), m->name);
  ok(ad_jacobian_run(j, &err), m->name);
  const ad_sparsity *s = ad_jacobian_sparsity(j);
  const ad_span v = ad_jacobian_values(j);
  ck_assert_uint_eq(s->rows, r->m);
  ck_assert_uint_eq(s->columns, r->n);
  double *dense = room(r->n, sizeof *dense);
  bool *listed = room(r->n, sizeof *listed);
  for (size_t row = 0, k = 0; row < r->m; row++) {
    double largest = 0;
    const size_t first = k;
    for (; k < r->jac_count && r->jac[k].row == row; k++) {
      dense[r->jac[k].column] += r->jac[k].value;
      listed[r->jac[k].column] = true;
      largest = fmax(largest, fabs(r->jac[k].value));
    }
    for (size_t e = s->start[row]; e < s->start[row + 1]; e++) {
      const uint32_t c = s->column[e];
      ck_assert_msg(listed[c], "%s: the file has no entry (%zu, %u)", m->name, row, c);
      ck_assert_msg(fabs(ad_span_double(&v, e) - dense[c]) <= 1e-11 * largest,
                    "%s: entry (%zu, %u) is %.17g, not %.17g", m->name, row, c, ad_span_double(&v, e), dense[c]);
      dense[c] = 0;
    }
    for (size_t e = first; e < k; e++) {
      ck_assert_msg(fabs(dense[r->jac[e].column]) <= 1e-11 * largest, "%s: entry (%zu, %zu) is missing", m->name, row,
                    r->jac[e].column);
      dense[r->jac[e].column] = 0, listed[r->jac[e].column] = false;
    }
  }
  free(dense);
  free(listed);
  ad_jacobian_free(j);
  ad_program_free(p);
}

/* Whether something left its domain: then there is nothing to compare, and the library says "error", too. */
static void note_trouble(void *context, ad_node n, size_t element, unsigned flags) {
  (void)n, (void)element;
  if (flags & (AD_OUTSIDE | AD_MADE_NAN | AD_MADE_INF)) *(bool *)context = true;
}

static ad_graph *load(const char *name) {
  char path[1024];
  ad_graph *g;
  snprintf(path, sizeof path, "%s/%s.nl", folder, name);
  ok(ad_graph_load(&g, path, NULL, &err), name);
  return g;
}

static void compare_with_reference(model m) {
  reference r = read_reference(m.name);
  m.r = &r;
  ck_assert_int_eq(ad_graph_node_shape(m.graph, 0)->dim[0], (int64_t)r.n);
  ok(ad_program_new(&m.program, m.graph, NULL, &err), m.name);
  m.fast = open_workspace(&m, "tape", 0);
  if (r.failed) {
    bool trouble = false;
    ad_workspace_diagnose(m.fast, note_trouble, &trouble);
    ck_assert_msg(trouble, "%s: the library could not evaluate this, adtool sees nothing wrong", m.name);
  } else {
    compare(&m);
    for (ad_mode mode = AD_MODE_DEFAULT; r.m && mode <= AD_MODE_REVERSE; mode++)
      compare_plan(&m, (ad_jacobian_options){.mode = mode, .sparse = true});
  }
  if (m.rounding) printf("%s: %zu differences by rounding\n", m.name, m.rounding);
  ad_workspace_free(m.fast);
  ad_program_free(m.program);
  free_reference(&r);
}

START_TEST(equals_the_reference) {
  ad_graph *g = load(names[_i]);
  compare_with_reference((model){.name = names[_i], .graph = g});
  ad_graph_free(g);
}
END_TEST

static void same_texts(const ad_graph *a, const ad_graph *b, const char *name) {
  ck_assert_msg(ad_graph_meta_count(a) == ad_graph_meta_count(b), "%s: other metadata", name);
  for (size_t i = 0; i < ad_graph_meta_count(a); i++) {
    bool found = false;
    for (size_t k = 0; k < ad_graph_meta_count(b); k++)
      found = found || (!strcmp(ad_graph_meta_key(a, i), ad_graph_meta_key(b, k)) &&
                        !strcmp(ad_graph_meta_text(a, i), ad_graph_meta_text(b, k)));
    ck_assert_msg(found, "%s: the metadata %s is lost", name, ad_graph_meta_key(a, i));
  }
}

/* Text and binary, written by adtool: the same model, with the same references.  A second time gives the same bytes. */
START_TEST(is_written) {
  ad_graph *g = load(names[_i / 2]), *back;
  const ad_write_options o = {.format = "nl", .binary = _i % 2};
  void *bytes, *again;
  size_t size, size_again;
  ok(ad_graph_write(g, &bytes, &size, &o, &err), names[_i / 2]);
  ok(ad_graph_read(&back, bytes, size, "written", NULL, &err), names[_i / 2]);
  same_texts(g, back, names[_i / 2]);
  const ad_values x = ad_graph_node_values(g, 0), y = ad_graph_node_values(back, 0);
  ck_assert_uint_eq(x.count, y.count);
  ck_assert_mem_eq(x.value, y.value, x.count * sizeof *x.value);
  ok(ad_graph_write(back, &again, &size_again, &o, &err), names[_i / 2]);
  ck_assert_msg(size == size_again && !memcmp(bytes, again, size), "%s: other bytes", names[_i / 2]);
  compare_with_reference((model){.name = names[_i / 2], .graph = back});
  ad_free(bytes);
  ad_free(again);
  ad_graph_free(g);
  ad_graph_free(back);
}
END_TEST

/* ---- Second derivatives */

static int by_place(const void *a, const void *b) {
  const entry *x = a, *y = b;
  return x->row != y->row ? (x->row < y->row ? -1 : 1) : x->column < y->column ? -1 : x->column > y->column;
}

/* Adds the Hessian of an output's sum to `sum`, one number for each of the reference's entries; others go to *rest. */
static void add_hessian(const reference *r, const ad_graph *g, const char *output, const char *backend,
                        uint32_t precision, double *sum, double *rest) {
  const size_t k = ad_graph_find_output(g, output);
  if (k == SIZE_MAX) return;
  ad_hessian *h;
  const ad_hessian_options o = {
      .of = {.output_count = 1,
             .output = &k,
             .seed_count = (size_t)ad_shape_size(ad_graph_node_shape(g, ad_graph_output_node(g, k)))},
      .precision = precision,
      .sparse = true};
  if (!o.of.seed_count) return;
  ok(ad_hessian_new(&h, g, ad_backend_find(backend), &o, &err), output);
  ok(ad_workspace_set_input(ad_hessian_workspace(h), 0, r->x, r->n, &err), output);
  ok(ad_hessian_run(h, &err), output);
  const ad_sparsity *s = ad_hessian_sparsity(h);
  const ad_span v = ad_hessian_values(h);
  for (size_t i = 0; i < s->rows; i++)
    for (size_t e = s->start[i]; e < s->start[i + 1]; e++) {
      if (s->column[e] < i) continue;
      const entry key = {.row = i, .column = s->column[e]};
      const entry *known = r->hess_count ? bsearch(&key, r->hess, r->hess_count, sizeof key, by_place) : NULL;
      if (known)
        sum[known - r->hess] += ad_span_double(&v, e);
      else
        *rest = fmax(*rest, fabs(ad_span_double(&v, e)));
    }
  ad_hessian_free(h);
}

/* To 1e-11 of the largest entry of the row; where not, ours is nearer to MPFR's, or off by what rounding to 53 bits
 * does to the worst entry. */
START_TEST(hessian_equals_the_reference) {
  static const char *const ways[] = {"dual", "tape", "mpfr", "mpfr"};
  static const uint32_t precision[] = {0, 0, 256, 53};
  ad_graph *g = load(names[_i]);
  reference r = read_reference(names[_i]);
  double *sum[4], *largest = room(r.n, sizeof *largest), rest[4] = {0}, noise = 0;
  if (r.hess_count) qsort(r.hess, r.hess_count, sizeof *r.hess, by_place);
  for (int b = 0; b < 4 && !r.failed; b++) {
    sum[b] = room(r.hess_count, sizeof **sum);
    add_hessian(&r, g, "obj", ways[b], precision[b], sum[b], &rest[b]);
    add_hessian(&r, g, "con", ways[b], precision[b], sum[b], &rest[b]);
  }
  for (size_t k = 0; k < r.hess_count; k++) {
    const entry *e = &r.hess[k];
    largest[e->row] = fmax(largest[e->row], fabs(e->value));
    largest[e->column] = fmax(largest[e->column], fabs(e->value));
    noise = fmax(noise, fabs(sum[3][k] - sum[2][k]));
  }
  for (int b = 0; b < 3 && !r.failed; b++) {
    ck_assert_msg(rest[b] == 0, "%s, %s: %g where the reference has no entry", names[_i], ways[b], rest[b]);
    for (size_t k = 0; k < r.hess_count; k++) {
      const entry *e = &r.hess[k];
      const double off = fabs(sum[b][k] - e->value), exact = sum[2][k], ours = fabs(sum[b][k] - exact);
      ck_assert_msg(off <= 1e-11 * largest[e->row] || ours <= fabs(e->value - exact) || ours <= 4 * noise,
                    "%s, %s: entry %zu, %zu is %.17g, the library says %.17g, MPFR %.17g", names[_i], ways[b], e->row,
                    e->column, sum[b][k], e->value, exact);
    }
  }
  for (int b = 0; b < 4 && !r.failed; b++) free(sum[b]);
  free(largest);
  ad_graph_free(g);
  free_reference(&r);
}
END_TEST

/* All methods agree, at the file's own point; large models by probes. */
START_TEST(check_finds_no_failure) {
  ad_graph *g = load(names[_i]);
  ad_check_report report;
  const ad_check_options o = {.max_entries = 64};
  ok(ad_check(&report, g, NULL, &o, &err), names[_i]);
  ck_assert_msg(report.verdict != AD_VERDICT_FAIL, "%s: %s", names[_i], report.reason);
  ad_check_clear(&report);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  find_models();
  if (!name_count) {
    printf("skipped: there is no folder %s\n", folder);
    return 77;
  }
  Suite *s = suite_create("nl_data");
  TCase *c = tcase_create("references");
  tcase_add_loop_test(c, equals_the_reference, 0, name_count);
  tcase_add_loop_test(c, hessian_equals_the_reference, 0, name_count);
  tcase_add_loop_test(c, is_written, 0, 2 * name_count);
  tcase_add_loop_test(c, check_finds_no_failure, 0, name_count);
  tcase_set_timeout(c, 300);
  suite_add_tcase(s, c);
  const int status = suite_run(s);
  for (int i = 0; i < name_count; i++) free(names[i]);
  free(names);
  return status;
}
