/* Every elementwise row in MPFR: against values and derivatives made by another program (op_vectors.txt), against
 * central differences, which use no partial, and against itself at twice the precision; forward equals reverse bit for
 * bit. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "exec/workspace.h"
#include "graphs.h"
#include "op_points.h"
#include "suite.h"
#include "ulps.h"

enum { BITS = 300, STEP_BITS = 300, DIFFERENCE_BITS = 1200, ORDINARY = 120 };

static const char *const names[] = {"x", "y", "w"};

static mpfr_srcptr number(ad_span s, size_t i) {
  return (const __mpfr_struct *)s.data + i;
}

/* z = op(x, y, w) on tensors that hold all points. */
static ad_graph *graph_of(const ad_op_info *info, const op_points *p, ad_node *z) {
  ad_graph *g = graphs_new();
  ad_node args[3];
  for (size_t k = 0; k < p->nargs; k++)
    args[k] = graphs_input(g, names[k], SHAPE((int64_t)p->count), p->arg[k], p->count);
  *z = graphs_apply(g, info->name, p->nargs, args, 0, NULL);
  return g;
}

/* A run with all partials: tangent k of z is the partial by argument k, and the adjoints of the inputs are them too. */
static graphs_run start(const ad_graph *g, ad_node z, size_t nargs, size_t count, uint32_t bits) {
  graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.precision = bits, .directions = 3, .reverse = true});
  for (size_t i = 0; i < count; i++) {
    for (uint32_t k = 0; k < nargs; k++) must(ad_workspace_seed_tangent(r.w, k, k, i, 1, &graphs_error));
    must(ad_workspace_seed_adjoint(r.w, z, i, 1, &graphs_error));
  }
  must(ad_workspace_forward(r.w, &graphs_error));
  must(ad_workspace_reverse(r.w, &graphs_error));
  return r;
}

/* |a - b| <= 2^-bits |b| + floor; nan agrees with nan, an infinity with itself. */
static bool near(mpfr_srcptr a, mpfr_srcptr b, double bits, mpfr_srcptr floor) {
  if (!mpfr_number_p(a) || !mpfr_number_p(b)) return (mpfr_nan_p(a) && mpfr_nan_p(b)) || mpfr_equal_p(a, b);
  mpfr_t gap, bound;
  mpfr_inits2(2 * DIFFERENCE_BITS, gap, bound, (mpfr_ptr)0);
  mpfr_sub(gap, a, b, MPFR_RNDN);
  mpfr_set_d(bound, -bits, MPFR_RNDN);
  mpfr_exp2(bound, bound, MPFR_RNDN);
  mpfr_mul(bound, bound, b, MPFR_RNDN);
  mpfr_abs(bound, bound, MPFR_RNDN);
  if (floor) mpfr_add(bound, bound, floor, MPFR_RNDN);
  const bool yes = mpfr_cmpabs(gap, bound) <= 0;
  mpfr_clears(gap, bound, (mpfr_ptr)0);
  return yes;
}

/* The arguments of point i, for messages. */
static const char *at(const op_points *p, size_t i) {
  static char text[200];
  const double y = p->nargs > 1 ? p->arg[1][i] : 0, w = p->nargs > 2 ? p->arg[2][i] : 0;
  snprintf(text, sizeof text, "(%a, %a, %a)", p->arg[0][i], y, w);
  return text;
}

/* ---- Against another program */

typedef struct vector {
  const ad_op_info *info;
  char *arg[3], *want[4]; /* value, partials */
} vector;

/* Splits "op a b = v ; p q" in place. */
static vector parse_vector(char *line) {
  vector v = {0};
  int k = 0;
  enum { ARGS, VALUE, PARTIALS } part = ARGS;
  v.info = ad_op_get(ad_op_find(strtok(line, " \n")));
  ck_assert_msg(v.info, "op_vectors.txt: unknown operation %s", line);
  for (char *word; (word = strtok(NULL, " \n"));) {
    if (!strcmp(word, "=")) {
      ck_assert_int_eq(k, v.info->max_args);
      part = VALUE;
    } else if (!strcmp(word, ";")) {
      part = PARTIALS;
      k = 0;
    } else if (part == ARGS) {
      v.arg[k++] = word;
    } else {
      v.want[part == VALUE ? 0 : ++k] = word;
    }
  }
  ck_assert_int_eq(k, v.info->max_args);
  return v;
}

/* To 58 of its 60 digits. */
static void expect_digits(const vector *v, const char *what, mpfr_srcptr got, const char *text) {
  mpfr_t want;
  mpfr_init2(want, BITS);
  mpfr_set_str(want, text, 10, MPFR_RNDN);
  ck_assert_msg(near(got, want, 58 * log2(10), NULL), "%s of %s(%s, %s): %.20g, not %s", what, v->info->name, v->arg[0],
                v->arg[1] ? v->arg[1] : "", mpfr_get_d(got, MPFR_RNDN), text);
  mpfr_clear(want);
}

static void check_vector(const vector *v) {
  ad_graph *g = graphs_new();
  ad_node args[3];
  const size_t n = (size_t)v->info->max_args;
  for (size_t k = 0; k < n; k++) args[k] = graphs_input_text(g, names[k], v->arg[k]);
  ad_node z = graphs_apply(g, v->info->name, n, args, 0, NULL);
  graphs_run r = start(g, z, n, 1, BITS);
  expect_digits(v, "value", number(ad_workspace_value(r.w, z), 0), v->want[0]);
  for (uint32_t k = 0; k < n; k++) {
    expect_digits(v, "forward partial", number(ad_workspace_tangent(r.w, k, z), 0), v->want[k + 1]);
    expect_digits(v, "reverse partial", number(ad_workspace_adjoint(r.w, k), 0), v->want[k + 1]);
  }
  graphs_end(&r);
  ad_graph_free(g);
}

START_TEST(as_another_program_says) {
  const char *folder = getenv("ADTOOL_SRCDIR");
  char path[4096], line[2000];
  snprintf(path, sizeof path, "%s/tests/op_vectors.txt", folder ? folder : ".");
  FILE *f = fopen(path, "r");
  ck_assert_msg(f, "no %s; say ADTOOL_SRCDIR", path);
  size_t *seen = calloc(ad_op_count(), sizeof *seen);
  while (fgets(line, sizeof line, f)) {
    if (line[0] == '#') continue;
    ck_assert_ptr_nonnull(strchr(line, '\n'));
    vector v = parse_vector(line);
    check_vector(&v);
    seen[ad_op_find(v.info->name)]++;
  }
  fclose(f);
  for (ad_op op = 0; op < ad_op_count(); op++)
    ck_assert_msg(seen[op] || ad_op_get(op)->cls != AD_CLASS_ELEMENT,
                  "%s has no vector: add a line to OPS in tests/op_vectors.py and run it", ad_op_get(op)->name);
  free(seen);
}
END_TEST

/* ---- Central differences */

static void note_kink(void *context, ad_node n, size_t element, unsigned flags) {
  bool *kink = context;
  (void)n;
  if (flags & (AD_AT_KINK | AD_AT_EDGE | AD_OUTSIDE)) kink[element] = true;
}

/* The step of element i: 2^-STEP_BITS of its magnitude, but not of more than 1. */
static void step_of(mpfr_ptr h, double x) {
  mpfr_set_d(h, fmin(fabs(x), 1), MPFR_RNDN);
  mpfr_mul_2si(h, h, -STEP_BITS, MPFR_RNDN);
}

/* Values of z with argument k moved by `side` steps. */
static void values_beside(__mpfr_struct *out, graphs_run *r, ad_node z, const op_points *p, uint32_t k, int side) {
  mpfr_t h;
  mpfr_init2(h, DIFFERENCE_BITS);
  mpfr_ptr x = ad_workspace_input_data(r->w, k);
  for (size_t i = 0; i < p->count; i++) {
    step_of(h, p->arg[k][i]);
    if (side < 0) mpfr_neg(h, h, MPFR_RNDN);
    mpfr_set_d(x + i, p->arg[k][i], MPFR_RNDN);
    if (side) mpfr_add(x + i, x + i, h, MPFR_RNDN);
  }
  must(ad_workspace_primal(r->w, &graphs_error));
  for (size_t i = 0; i < p->count; i++) mpfr_set(out + i, number(ad_workspace_value(r->w, z), i), MPFR_RNDN);
  mpfr_clear(h);
}

START_TEST(partials_are_slopes) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  op_points p = op_points_ordinary(info, (size_t)(ORDINARY * ulps_multiplier()));
  ad_node z;
  ad_graph *g = graph_of(info, &p, &z);
  graphs_run r = start(g, z, p.nargs, p.count, BITS);
  graphs_run d = graphs_start(g, "mpfr", (ad_workspace_options){.precision = DIFFERENCE_BITS});
  bool *kink = calloc(p.count, sizeof *kink);
  __mpfr_struct *above = malloc(p.count * sizeof *above), *below = malloc(p.count * sizeof *below);
  for (size_t i = 0; i < p.count; i++) mpfr_inits2(DIFFERENCE_BITS, above + i, below + i, (mpfr_ptr)0);
  mpfr_t h, floor;
  mpfr_inits2(DIFFERENCE_BITS, h, floor, (mpfr_ptr)0);
  ad_workspace_diagnose(r.w, note_kink, kink);
  size_t compared = 0;
  for (uint32_t k = 0; k < p.nargs; k++) {
    values_beside(above, &d, z, &p, k, 1);
    values_beside(below, &d, z, &p, k, -1);
    for (size_t i = 0; i < p.count; i++) {
      if (kink[i]) continue;
      step_of(h, p.arg[k][i]);
      mpfr_sub(above + i, above + i, below + i, MPFR_RNDN);
      mpfr_div(above + i, above + i, h, MPFR_RNDN);
      mpfr_div_2ui(above + i, above + i, 1, MPFR_RNDN);
      /* What truncation and rounding leave where the slope is 0 or nearly so. */
      mpfr_abs(floor, below + i, MPFR_RNDN);
      mpfr_add_ui(floor, floor, 1, MPFR_RNDN);
      mpfr_mul_2si(floor, floor, -(2 * STEP_BITS - 100), MPFR_RNDN);
      if (mpfr_nan_p(floor)) mpfr_set_zero(floor, 1);
      mpfr_srcptr partial = number(ad_workspace_tangent(r.w, k, z), i);
      ck_assert_msg(near(partial, above + i, BITS - 10, floor),
                    "partial %u of %s%s: %.20g, but the slope is %.20g, seed %llu", k, info->name, at(&p, i),
                    mpfr_get_d(partial, MPFR_RNDN), mpfr_get_d(above + i, MPFR_RNDN), (unsigned long long)ulps_seed());
      compared += mpfr_number_p(partial) != 0;
    }
    values_beside(below, &d, z, &p, k, 0);
  }
  ck_assert_msg(compared >= p.count / 8, "%s: only %zu of %zu points were in the domain", info->name, compared,
                p.count);
  mpfr_clears(h, floor, (mpfr_ptr)0);
  for (size_t i = 0; i < p.count; i++) mpfr_clears(above + i, below + i, (mpfr_ptr)0);
  free(above);
  free(below);
  free(kink);
  graphs_end(&d);
  graphs_end(&r);
  ad_graph_free(g);
  op_points_free(&p);
}
END_TEST

/* ---- Precisions and modes */

static void compare_precisions(const ad_op_info *info, uint32_t bits) {
  op_points p = op_points_ordinary(info, (size_t)(ORDINARY * ulps_multiplier()));
  ad_node z;
  ad_graph *g = graph_of(info, &p, &z);
  graphs_run once = start(g, z, p.nargs, p.count, bits), twice = start(g, z, p.nargs, p.count, 2 * bits);
  for (uint32_t k = 0; k <= p.nargs; k++) {
    ad_span a = k ? ad_workspace_tangent(once.w, k - 1, z) : ad_workspace_value(once.w, z);
    ad_span b = k ? ad_workspace_tangent(twice.w, k - 1, z) : ad_workspace_value(twice.w, z);
    ad_span back = k ? ad_workspace_adjoint(once.w, k - 1) : a;
    const double ulps = k ? info->partial_ulps : info->value_ulps;
    for (size_t i = 0; i < p.count; i++) {
      /* One ulp is at most 2^(1 - bits) of the number. */
      ck_assert_msg(near(number(a, i), number(b, i), bits - 1 - log2(ulps), NULL),
                    "%s of %s%s: %.20g at %u bits, but %.20g at %u", k ? "partial" : "value", info->name, at(&p, i),
                    mpfr_get_d(number(a, i), MPFR_RNDN), bits, mpfr_get_d(number(b, i), MPFR_RNDN), 2 * bits);
      ck_assert_msg(near(number(a, i), number(back, i), 1e6, NULL), "partial %u of %s%s: forward %.20g, reverse %.20g",
                    k, info->name, at(&p, i), mpfr_get_d(number(a, i), MPFR_RNDN),
                    mpfr_get_d(number(back, i), MPFR_RNDN));
    }
  }
  graphs_end(&once);
  graphs_end(&twice);
  ad_graph_free(g);
  op_points_free(&p);
}

START_TEST(precision_is_kept) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  compare_precisions(info, 53);
  compare_precisions(info, 211);
  compare_precisions(info, 1000);
}
END_TEST

/* Two bits are enough for every operation to come back with something: nothing hangs, nothing aborts. */
START_TEST(lowest_precision) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT) return;
  op_points p = op_points_everywhere(info);
  ad_node z;
  if (p.count > 2000) p.count = 2000;
  ad_graph *g = graph_of(info, &p, &z);
  graphs_run r = start(g, z, p.nargs, p.count, 2);
  ck_assert_int_eq(mpfr_get_prec(number(ad_workspace_value(r.w, z), 0)), 2);
  graphs_end(&r);
  ad_graph_free(g);
  op_points_free(&p);
}
END_TEST

/* MPFR 4.2.0's own erf aborts where the square of its argument rounds to 3, from about 1000 bits on. */
START_TEST(erf_where_mpfr_aborts) {
  static const char *const ops[] = {"erf", "erfc", "gelu"};
  ad_graph *g = graphs_new();
  ad_node root = graphs_unary(g, "sqrt", graphs_input_text(g, "x", "3")), z[3];
  for (int k = 0; k < 3; k++) z[k] = graphs_unary(g, ops[k], root);
  for (uint32_t bits = 1000; bits <= 2000; bits += 53) {
    graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.precision = bits});
    for (int k = 0; k < 3; k++) ck_assert(mpfr_sgn(number(ad_workspace_value(r.w, z[k]), 0)) > 0);
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("elementwise operations in MPFR");
  TCase *t = tcase_create("values and partials");
  const int rows = (int)ad_op_count();
  tcase_set_timeout(t, 600);
  tcase_add_test(t, as_another_program_says);
  tcase_add_loop_test(t, partials_are_slopes, 0, rows);
  tcase_add_loop_test(t, precision_is_kept, 0, rows);
  tcase_add_loop_test(t, lowest_precision, 0, rows);
  tcase_add_test(t, erf_where_mpfr_aborts);
  suite_add_tcase(s, t);
  return suite_run(s);
}
