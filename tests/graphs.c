#include "graphs.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "exec/workspace.h"
#include "suite.h"

ad_error graphs_error;
#define ERR (&graphs_error)

void graphs_must(const char *file, int line, const char *call, ad_status got) {
  ck_assert_msg(got == AD_OK, "%s:%d: %s: status %d: %s", file, line, call, (int)got, graphs_error.message);
}

void graphs_must_fail(const char *file, int line, const char *call, ad_status want, const char *part, ad_status got) {
  ck_assert_msg(got == want, "%s:%d: %s: status %d, not %d: %s", file, line, call, (int)got, (int)want,
                got ? graphs_error.message : "no error");
  ck_assert_msg(graphs_error.code == want, "%s:%d: %s: the error says %d, the status %d", file, line, call,
                (int)graphs_error.code, (int)want);
  ck_assert_msg(strstr(graphs_error.message, part), "%s:%d: %s: '%s' does not say '%s'", file, line, call,
                graphs_error.message, part);
  ck_assert_msg(!strchr(graphs_error.message, '\n'), "%s:%d: %s: several lines", file, line, call);
}

ad_shape graphs_shape(int rank, const int64_t *dim) {
  ad_shape s = {.rank = rank};
  memcpy(s.dim, dim, (size_t)rank * sizeof s.dim[0]);
  return s;
}

ad_graph *graphs_new(void) {
  ad_graph *g;
  must(ad_graph_new(&g, NULL, ERR));
  return g;
}

static ad_numbers *numbers(const double *value, size_t count) {
  ad_numbers *n = ad_numbers_new();
  ck_assert_ptr_nonnull(n);
  for (size_t i = 0; i < count; i++) must(ad_numbers_push_double(n, value[i], ERR));
  return n;
}

ad_node graphs_input(ad_graph *g, const char *name, ad_shape shape, const double *value, size_t count) {
  ad_numbers *n = numbers(value, count);
  ad_node out;
  /* A tensor without elements has a value, the empty one. */
  const bool given = count || ad_shape_size(&shape) == 0;
  must(ad_graph_input(g, &out, &(ad_input_spec){.name = name, .shape = shape, .value = given ? n : NULL}, ERR));
  ad_numbers_free(n);
  return out;
}

ad_node graphs_input_text(ad_graph *g, const char *name, const char *text) {
  ad_numbers *n = numbers(NULL, 0);
  ad_node out;
  must(ad_numbers_push_text(n, text, strlen(text), ERR));
  must(ad_graph_input(g, &out, &(ad_input_spec){.name = name, .value = n}, ERR));
  ad_numbers_free(n);
  return out;
}

ad_node graphs_constant(ad_graph *g, double v) {
  ad_node out;
  must(ad_graph_constant_double(g, &out, v, ERR));
  return out;
}

ad_node graphs_tensor(ad_graph *g, ad_shape shape, const double *value, size_t count) {
  ad_numbers *n = numbers(value, count);
  ad_node out;
  must(ad_graph_constant(g, &out, &shape, n, AD_EXACT, ERR));
  ad_numbers_free(n);
  return out;
}

ad_node graphs_apply(ad_graph *g, const char *op, size_t nargs, const ad_node *args, size_t nattrs,
                     const ad_attr *attrs) {
  ad_node out;
  must(ad_graph_apply(g, &out, ad_op_find(op), nargs, args, nattrs, attrs, ERR));
  return out;
}

ad_node graphs_unary(ad_graph *g, const char *op, ad_node x) {
  return graphs_apply(g, op, 1, &x, 0, NULL);
}

ad_node graphs_binary(ad_graph *g, const char *op, ad_node x, ad_node y) {
  return graphs_apply(g, op, NODES(x, y), 0, NULL);
}

const char *const graphs_simd[] = {"none", "sse2", "avx2", "avx512"};

void graphs_use_simd(const char *name) {
  setenv("ADTOOL_SIMD", name, 1);
}

graphs_run graphs_start(const ad_graph *g, const char *backend, ad_workspace_options o) {
  graphs_run r;
  must(ad_program_new(&r.p, g, &(ad_program_options){.keep_all = true}, ERR));
  must(ad_workspace_new(&r.w, r.p, ad_backend_find(backend), &o, ERR));
  must(ad_workspace_primal(r.w, ERR));
  return r;
}

void graphs_end(graphs_run *r) {
  ad_workspace_free(r->w);
  ad_program_free(r->p);
}

double graphs_value(const ad_graph *g, const char *backend, ad_node n, size_t element) {
  graphs_run r = graphs_start(g, backend, (ad_workspace_options){0});
  ad_span s = ad_workspace_value(r.w, n);
  ck_assert_uint_lt(element, s.count);
  double v = ad_span_double(&s, element);
  graphs_end(&r);
  return v;
}

double graphs_derivative(const ad_graph *g, const char *backend, ad_node output, size_t element, ad_node input,
                         size_t of) {
  graphs_run r = graphs_start(g, backend, (ad_workspace_options){.directions = 1, .reverse = true});
  must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = output, .seed_count = 1, .element = &element},
                                 ERR));
  ad_span s = ad_workspace_gradient(r.w, input);
  ck_assert_uint_lt(of, s.count);
  double v = ad_span_double(&s, of);
  graphs_end(&r);
  return v;
}

/* ---- All derivatives of a small graph */

enum { BITS = 300, DIFFERENCE_BITS = 900, AGREE_BITS = 280, DIFFERENCE_AGREE_BITS = 240, POINTS = 3, GRAPH_UNITS = 4 };

/* Row i of the Jacobian is element i of the outputs, column j element j of the inputs of wrt. */
typedef struct jacobian {
  const ad_graph *g;
  size_t rows, columns;
  __mpfr_struct *entry,
      *largest; /* by MPFR in reverse mode; the largest magnitude of each row, at least 2^-10 of all */
} jacobian;

static size_t size_of(const ad_graph *g, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(g, n));
}

static __mpfr_struct *new_numbers(size_t count, mpfr_prec_t precision) {
  __mpfr_struct *x = calloc(count + 1, sizeof *x);
  for (size_t i = 0; i < count; i++) mpfr_init2(&x[i], precision), mpfr_set_zero(&x[i], 1);
  return x;
}

static void free_numbers(__mpfr_struct *x, size_t count) {
  for (size_t i = 0; i < count; i++) mpfr_clear(&x[i]);
  free(x);
}

/* The node and element behind row i or column j. */
static ad_node output_at(const ad_graph *g, size_t *element) {
  size_t k = 0;
  while (*element >= size_of(g, ad_graph_output_node(g, k))) *element -= size_of(g, ad_graph_output_node(g, k++));
  return ad_graph_output_node(g, k);
}

static ad_node input_at(const ad_program *p, size_t *element) {
  size_t k = 0;
  while (*element >= size_of(ad_program_graph(p), ad_program_wrt(p, k)))
    *element -= size_of(ad_program_graph(p), ad_program_wrt(p, k++));
  return ad_program_wrt(p, k);
}

static mpfr_srcptr number(ad_span s, size_t i) {
  return (const __mpfr_struct *)s.data + i;
}

static mpfr_srcptr entry(const jacobian *j, size_t row, size_t column) {
  return &j->entry[row * j->columns + column];
}

/* |a - b| <= |scale| * 2^-bits, where nan agrees with nan and an infinity with itself. */
static bool near(mpfr_srcptr a, mpfr_srcptr b, mpfr_srcptr scale, mpfr_exp_t bits) {
  if (!mpfr_number_p(a) || !mpfr_number_p(b)) return (mpfr_nan_p(a) && mpfr_nan_p(b)) || mpfr_equal_p(a, b);
  mpfr_t gap, bound;
  mpfr_inits2(DIFFERENCE_BITS, gap, bound, (mpfr_ptr)0);
  mpfr_sub(gap, a, b, MPFR_RNDN);
  mpfr_mul_2si(bound, scale, -bits, MPFR_RNDN);
  bool yes = mpfr_cmpabs(gap, bound) <= 0;
  mpfr_clears(gap, bound, (mpfr_ptr)0);
  return yes;
}

static void expect(const jacobian *j, const char *method, size_t row, size_t column, mpfr_srcptr got, mpfr_srcptr scale,
                   mpfr_exp_t bits) {
  char text[AD_NODE_TEXT];
  size_t element = row;
  ad_node n = output_at(j->g, &element);
  ck_assert_msg(near(got, entry(j, row, column), scale, bits),
                "%s: d (element %zu of %s, a %s) / d (column %zu) is %.20g, not %.20g", method, element,
                ad_graph_node_text(j->g, n, text), ad_op_get(ad_graph_node_op(j->g, n))->name, column,
                mpfr_get_d(got, MPFR_RNDN), mpfr_get_d(entry(j, row, column), MPFR_RNDN));
}

static jacobian reverse_jacobian(const ad_graph *g, graphs_run *r) {
  jacobian j = {.g = g, .columns = (size_t)ad_program_wrt_size(r->p)};
  for (size_t k = 0; k < ad_graph_output_count(g); k++) j.rows += size_of(g, ad_graph_output_node(g, k));
  j.entry = new_numbers(j.rows * j.columns, BITS);
  j.largest = new_numbers(j.rows, BITS);
  for (size_t i = 0; i < j.rows; i++) {
    size_t element = i;
    ad_node n = output_at(g, &element);
    ad_workspace_clear_seeds(r->w);
    must(ad_workspace_seed_adjoint(r->w, n, element, 1, ERR));
    must(ad_workspace_reverse(r->w, ERR));
    for (size_t c = 0; c < j.columns; c++) {
      size_t of = c;
      ad_node input = input_at(r->p, &of);
      mpfr_ptr e = &j.entry[i * j.columns + c];
      mpfr_set(e, number(ad_workspace_adjoint(r->w, input), of), MPFR_RNDN);
      if (mpfr_number_p(e) && mpfr_cmpabs(e, &j.largest[i]) > 0) mpfr_abs(&j.largest[i], e, MPFR_RNDN);
    }
  }
  /* A row whose derivatives cancel has their rounding errors left. */
  mpfr_t floor;
  mpfr_init2(floor, BITS);
  mpfr_set_zero(floor, 1);
  for (size_t i = 0; i < j.rows; i++) mpfr_max(floor, floor, &j.largest[i], MPFR_RNDN);
  mpfr_mul_2si(floor, floor, -10, MPFR_RNDN);
  for (size_t i = 0; i < j.rows; i++) mpfr_max(&j.largest[i], &j.largest[i], floor, MPFR_RNDN);
  mpfr_clear(floor);
  return j;
}

static void compare_forward(const jacobian *j, graphs_run *r) {
  for (size_t c = 0; c < j->columns; c++) {
    size_t of = c;
    ad_node input = input_at(r->p, &of);
    ad_workspace_clear_seeds(r->w);
    must(ad_workspace_seed_tangent(r->w, 0, input, of, 1, ERR));
    must(ad_workspace_forward(r->w, ERR));
    for (size_t i = 0; i < j->rows; i++) {
      size_t element = i;
      ad_node n = output_at(j->g, &element);
      expect(j, "mpfr forward", i, c, number(ad_workspace_tangent(r->w, 0, n), element), &j->largest[i], AGREE_BITS);
    }
  }
}

static void count_kinks(void *context, ad_node n, size_t element, unsigned flags) {
  (void)n, (void)element;
  if (flags & (AD_AT_KINK | AD_AT_EDGE | AD_OUTSIDE)) ++*(size_t *)context;
}

/* Reads all outputs into out. */
static void read_outputs(const ad_graph *g, const ad_workspace *w, __mpfr_struct *out) {
  for (size_t k = 0, i = 0; k < ad_graph_output_count(g); k++) {
    ad_span s = ad_workspace_value(w, ad_graph_output_node(g, k));
    for (size_t e = 0; e < s.count; e++) mpfr_set(&out[i++], number(s, e), MPFR_RNDN);
  }
}

static void compare_differences(const jacobian *j) {
  graphs_run r = graphs_start(j->g, "mpfr", (ad_workspace_options){.precision = DIFFERENCE_BITS});
  size_t kinks = 0;
  ad_workspace_diagnose(r.w, count_kinks, &kinks);
  __mpfr_struct *above = new_numbers(j->rows, DIFFERENCE_BITS), *below = new_numbers(j->rows, DIFFERENCE_BITS);
  mpfr_t x, scale;
  mpfr_inits2(DIFFERENCE_BITS, x, scale, (mpfr_ptr)0);
  for (size_t c = 0; !kinks && c < j->columns; c++) {
    size_t of = c;
    ad_node input = input_at(r.p, &of);
    mpfr_ptr at = (__mpfr_struct *)ad_workspace_input_data(r.w, input) + of;
    mpfr_set(x, at, MPFR_RNDN);
    /* A step relative to x would be lost beside the 1 of 1 + x; values here are moderate. */
    for (int side = 1; side >= -1; side -= 2) {
      mpfr_set_si_2exp(at, side, -BITS, MPFR_RNDN);
      mpfr_add(at, at, x, MPFR_RNDN);
      must(ad_workspace_primal(r.w, ERR));
      read_outputs(j->g, r.w, side > 0 ? above : below);
    }
    ad_workspace_input_data(r.w, input);
    mpfr_set(at, x, MPFR_RNDN);
    for (size_t i = 0; i < j->rows; i++) {
      mpfr_sub(&above[i], &above[i], &below[i], MPFR_RNDN);
      mpfr_mul_2si(&above[i], &above[i], BITS - 1, MPFR_RNDN);
      mpfr_set_ui(scale, 1, MPFR_RNDN);
      mpfr_add(scale, scale, &j->largest[i], MPFR_RNDN);
      expect(j, "finite difference", i, c, &above[i], scale, DIFFERENCE_AGREE_BITS);
    }
  }
  mpfr_clears(x, scale, (mpfr_ptr)0);
  free_numbers(above, j->rows);
  free_numbers(below, j->rows);
  graphs_end(&r);
}

/* A double against its entry. */
static void expect_double(const jacobian *j, const char *method, size_t row, size_t column, double got, double units) {
  mpfr_t v, scale;
  mpfr_inits2(BITS, v, scale, (mpfr_ptr)0);
  mpfr_set_d(v, got, MPFR_RNDN);
  mpfr_mul_d(scale, &j->largest[row], units, MPFR_RNDN);
  expect(j, method, row, column, v, scale, 53);
  mpfr_clears(v, scale, (mpfr_ptr)0);
}

static void compare_double(const jacobian *j, const char *backend, const char *simd, uint32_t points, double units) {
  const bool forward = ad_backend_mode(ad_backend_find(backend)) == AD_MODE_FORWARD;
  char method[64];
  snprintf(method, sizeof method, "%s, %s, %u points", backend, simd, points);
  graphs_use_simd(simd);
  graphs_run r =
      graphs_start(j->g, backend, (ad_workspace_options){.directions = forward, .reverse = !forward, .points = points});
  for (size_t k = 0; k < (forward ? j->columns : j->rows); k++) {
    size_t element = k;
    ad_workspace_clear_seeds(r.w);
    if (forward) {
      ad_node n = input_at(r.p, &element);
      must(ad_workspace_seed_tangent(r.w, 0, n, element, 1, ERR));
      must(ad_workspace_forward(r.w, ERR));
    } else {
      ad_node n = output_at(j->g, &element);
      must(ad_workspace_seed_adjoint(r.w, n, element, 1, ERR));
      must(ad_workspace_reverse(r.w, ERR));
    }
    for (size_t other = 0; other < (forward ? j->rows : j->columns); other++) {
      size_t of = other, row = forward ? other : k, column = forward ? k : other;
      ad_node n = forward ? output_at(j->g, &of) : input_at(r.p, &of);
      ad_span s = forward ? ad_workspace_tangent(r.w, 0, n) : ad_workspace_adjoint(r.w, n);
      for (size_t b = 0; b < points; b++)
        expect_double(j, method, row, column, ad_span_double(&s, of * points + b), units);
    }
  }
  graphs_end(&r);
}

/* One plan of the whole Jacobian.  What is not in a sparse one's structure is zero. */
static void compare_plan(const jacobian *j, const ad_backend *backend, const char *simd, ad_jacobian_options o,
                         double units) {
  static const char *const modes[] = {"default", "forward", "reverse"};
  char method[80];
  snprintf(method, sizeof method, "%s plan, %s, %s, %s", o.sparse ? "sparse" : "dense", modes[o.mode],
           backend ? ad_backend_name(backend) : "double", simd);
  ad_program *p;
  ad_jacobian *plan;
  must(ad_program_new(&p, j->g, NULL, ERR));
  must(ad_jacobian_new(&plan, p, backend, &o, ERR));
  __mpfr_struct *got = new_numbers(j->rows * j->columns, BITS);
  for (int again = 0; again < 2; again++) { /* the second run finds what the first one left */
    must(ad_jacobian_run(plan, ERR));
    const ad_span v = ad_jacobian_values(plan);
    const ad_sparsity *s = ad_jacobian_sparsity(plan);
    ck_assert(o.sparse == (s != NULL));
    if (s) ck_assert_uint_eq(s->rows, j->rows);
    if (s) ck_assert_uint_eq(s->columns, j->columns);
    ck_assert_uint_eq(v.count, s ? s->start[s->rows] : j->rows * j->columns);
    for (size_t row = 0, k = 0; row < j->rows; row++)
      for (size_t c = s ? s->start[row] : 0; c < (s ? s->start[row + 1] : j->columns); c++, k++) {
        mpfr_ptr to = &got[row * j->columns + (s ? s->column[c] : c)];
        if (v.kind == AD_KIND_F64)
          mpfr_set_d(to, ad_span_double(&v, k), MPFR_RNDN);
        else
          mpfr_set(to, number(v, k), MPFR_RNDN);
      }
  }
  mpfr_t scale;
  mpfr_init2(scale, BITS);
  for (size_t row = 0; row < j->rows; row++)
    for (size_t c = 0; c < j->columns; c++) {
      mpfr_mul_d(scale, &j->largest[row], backend ? 1 : units, MPFR_RNDN);
      expect(j, method, row, c, &got[row * j->columns + c], scale, backend ? AGREE_BITS : 53);
    }
  mpfr_clear(scale);
  free_numbers(got, j->rows * j->columns);
  ad_jacobian_free(plan);
  ad_program_free(p);
}

static void compare_plans(const jacobian *j, double units) {
  for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
    for (int sparse = 0; sparse < 2; sparse++) {
      const ad_jacobian_options o = {.mode = mode, .sparse = sparse, .precision = BITS};
      compare_plan(j, ad_backend_find("mpfr"), "", o, units);
      for (int k = 0; k < GRAPHS_SIMD; k++) {
        graphs_use_simd(graphs_simd[k]);
        compare_plan(j, NULL, graphs_simd[k], o, units);
      }
    }
}

/* The derivative as a graph, with the seeds' values: row or column k of the Jacobian, in `kind` reverse or forward. */
static void seed_graph(graphs_run *r, const ad_graph *d, size_t first_seed, size_t k) {
  for (ad_node n = (ad_node)first_seed; n < ad_graph_input_count(d); n++) {
    const size_t size = size_of(d, n);
    double *seed = calloc(size + 1, sizeof *seed);
    if (k < size) seed[k] = 1;
    k = k < size ? SIZE_MAX : k == SIZE_MAX ? k : k - size;
    must(ad_workspace_set_input(r->w, n, seed, size, ERR));
    free(seed);
  }
  must(ad_workspace_primal(r->w, ERR));
}

static ad_span element_of_outputs(const graphs_run *r, const ad_graph *d, size_t first, size_t *element) {
  size_t k = first;
  while (*element >= size_of(d, ad_graph_output_node(d, k))) *element -= size_of(d, ad_graph_output_node(d, k++));
  return ad_workspace_value(r->w, ad_graph_output_node(d, k));
}

static void start_derived(graphs_run *r, const ad_graph *d, const char *backend) {
  must(ad_program_new(&r->p, d, NULL, ERR));
  must(ad_workspace_new(&r->w, r->p, ad_backend_find(backend), &(ad_workspace_options){.precision = BITS}, ERR));
}

/* Rows by the vjp's graph, columns by the jvp's: in MPFR, and in double within `units`. */
static void compare_graphs(const jacobian *j, bool forward, const char *backend, double units) {
  const ad_graph *g = j->g;
  ad_graph *d;
  graphs_run r;
  const size_t outputs = ad_graph_output_count(g), inputs = ad_graph_input_count(g);
  const bool exact = ad_backend_kind(ad_backend_find(backend)) == AD_KIND_MPFR;
  const char *method = forward ? exact ? "jvp graph" : "jvp graph in double"
                       : exact ? "vjp graph"
                               : "vjp graph in double";
  must(forward ? ad_graph_jvp(&d, g, NULL, ERR) : ad_graph_vjp(&d, g, NULL, ERR));
  start_derived(&r, d, backend);
  for (size_t k = 0; k < (forward ? j->columns : j->rows); k++) {
    seed_graph(&r, d, inputs, k);
    for (size_t other = 0; other < (forward ? j->rows : j->columns); other++) {
      size_t row = forward ? other : k, column = forward ? k : other, element = other;
      ad_span s = element_of_outputs(&r, d, outputs, &element);
      if (exact)
        expect(j, method, row, column, number(s, element), &j->largest[row], AGREE_BITS);
      else
        expect_double(j, method, row, column, ad_span_double(&s, element), units);
    }
  }
  graphs_end(&r);
  ad_graph_free(d);
}

static void check_derivatives(const ad_graph *g, double units, int orders);

/* The gradient of a weighted sum of each output, itself differentiated by all methods but those in double, which lose
 * digits where terms cancel. */
static void check_next_order(const ad_graph *g, const jacobian *j, int orders) {
  enum { MOST_ENTRIES = 64 };
  if (!orders || j->columns * j->columns > MOST_ENTRIES) return;
  for (size_t k = 0; k < ad_graph_output_count(g); k++) {
    const size_t size = size_of(g, ad_graph_output_node(g, k));
    if (!size) continue;
    double *weight = calloc(size + 1, sizeof *weight);
    for (size_t i = 0; i < size; i++) weight[i] = 0.5 + (double)(i * 5 % 7);
    ad_graph *d;
    must(ad_graph_gradient(
        &d, g, &(ad_derivative_request){.output_count = 1, .output = &k, .seed_count = size, .weight = weight}, ERR));
    check_derivatives(d, 0, orders - 1);
    ad_graph_free(d);
    free(weight);
  }
}

void graphs_check_derivatives(const ad_graph *g, double units) {
  check_derivatives(g, units, 1);
}

static void check_derivatives(const ad_graph *g, double units, int orders) {
  graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.precision = BITS, .directions = 1, .reverse = true});
  jacobian j = reverse_jacobian(g, &r);
  compare_forward(&j, &r);
  graphs_end(&r);
  compare_differences(&j);
  for (int forward = 0; forward < 2; forward++) {
    compare_graphs(&j, forward, "mpfr", 0);
    if (units > 0) compare_graphs(&j, forward, "tape", GRAPH_UNITS * units);
  }
  check_next_order(g, &j, orders);
  for (int k = 0; k < GRAPHS_SIMD && units > 0; k++) {
    compare_double(&j, "dual", graphs_simd[k], 1, units);
    compare_double(&j, "tape", graphs_simd[k], 1, units);
    compare_double(&j, "dual", graphs_simd[k], POINTS, units);
    compare_double(&j, "tape", graphs_simd[k], POINTS, units);
  }
  if (units > 0) compare_plans(&j, units);
  free_numbers(j.entry, j.rows * j.columns);
  free_numbers(j.largest, j.rows);
}
