/* Random graphs of up to a thousand operations: values and gradients in double against MPFR, forward against reverse,
 * and both against differences.  How far a double may be off follows from the graph: MPFR at 53 bits and a few less
 * shows what rounding alone does to it. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "exec/workspace.h"
#include "graphs.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

enum { BITS = 600, LOWEST = 44, DOUBLE_BITS = 53, DIFFERENCE_BITS = 1500, STEP_BITS = 500, LARGEST_FACTOR = 40 };

/* Rounding errors of double operations, in those of MPFR, which are at most half an ulp; and luck. */
static const double SLACK = 64;

static mpfr_srcptr number(ad_span s, size_t i) {
  return (const __mpfr_struct *)s.data + i;
}

/* Numbers of one kind for the whole graph: values of all nodes, or the gradient of f by all inputs. */
typedef struct numbers {
  size_t count;
  __mpfr_struct *v;
} numbers;

static numbers new_numbers(size_t count) {
  numbers n = {count, malloc((count + 1) * sizeof *n.v)};
  for (size_t i = 0; i < count; i++) mpfr_init2(n.v + i, BITS), mpfr_set_zero(n.v + i, 1);
  return n;
}

static void free_numbers(numbers *n) {
  for (size_t i = 0; i < n->count; i++) mpfr_clear(n->v + i);
  free(n->v);
}

static void append(numbers *n, size_t *at, ad_span s) {
  for (size_t i = 0; i < s.count; i++, ++*at) {
    ck_assert_uint_lt(*at, n->count);
    if (s.kind == AD_KIND_F64)
      mpfr_set_d(n->v + *at, ad_span_double(&s, i), MPFR_RNDN);
    else
      mpfr_set(n->v + *at, number(s, i), MPFR_RNDN);
  }
}

static size_t elements(const ad_graph *g, ad_node first, ad_node end) {
  size_t n = 0;
  for (ad_node k = first; k < end; k++) n += (size_t)ad_shape_size(ad_graph_node_shape(g, k));
  return n;
}

typedef struct outcome {
  numbers value, gradient;
} outcome;

static outcome run(const ad_graph *g, const char *backend, ad_mode mode, uint32_t bits) {
  const ad_node nodes = (ad_node)ad_graph_node_count(g), inputs = (ad_node)ad_graph_input_count(g);
  graphs_run r = graphs_start(
      g, backend,
      (ad_workspace_options){
          .precision = bits, .directions = mode == AD_MODE_FORWARD ? 4 : 0, .reverse = mode == AD_MODE_REVERSE});
  must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = ad_graph_output_node(g, 0), .mode = mode},
                                 &graphs_error));
  outcome o = {new_numbers(elements(g, 0, nodes)), new_numbers(elements(g, 0, inputs))};
  size_t at = 0;
  for (ad_node n = 0; n < nodes; n++) append(&o.value, &at, ad_workspace_value(r.w, n));
  at = 0;
  for (ad_node n = 0; n < inputs; n++) append(&o.gradient, &at, ad_workspace_gradient(r.w, n));
  graphs_end(&r);
  return o;
}

/* The gradient alone, by its graph. */
static outcome run_graph(const ad_graph *d, const char *backend, uint32_t bits) {
  graphs_run r = graphs_start(d, backend, (ad_workspace_options){.precision = bits});
  outcome o = {new_numbers(0), new_numbers(elements(d, 0, (ad_node)ad_graph_input_count(d)))};
  size_t at = 0;
  for (size_t k = 1; k < ad_graph_output_count(d); k++)
    append(&o.gradient, &at, ad_workspace_value(r.w, ad_graph_output_node(d, k)));
  graphs_end(&r);
  return o;
}

static void free_outcome(outcome *o) {
  free_numbers(&o->value);
  free_numbers(&o->gradient);
}

/* ---- What rounding does */

/* The errors of runs with LOWEST to 53 bits, brought to 53 bits; at least half an ulp of the number itself, which in
 * the subnormals is absolute. */
static void add_noise(numbers *noise, const numbers *got, const numbers *exact, int bits) {
  mpfr_t e;
  mpfr_init2(e, BITS);
  for (size_t i = 0; i < exact->count; i++) {
    mpfr_sub(e, got->v + i, exact->v + i, MPFR_RNDN);
    mpfr_abs(e, e, MPFR_RNDN);
    mpfr_mul_2si(e, e, bits - DOUBLE_BITS, MPFR_RNDN);
    mpfr_max(noise->v + i, noise->v + i, e, MPFR_RNDN);
    mpfr_abs(e, exact->v + i, MPFR_RNDN);
    mpfr_mul_2si(e, e, -DOUBLE_BITS, MPFR_RNDN);
    mpfr_max(noise->v + i, noise->v + i, e, MPFR_RNDN);
    mpfr_set_ui_2exp(e, 1, -1075, MPFR_RNDN);
    mpfr_max(noise->v + i, noise->v + i, e, MPFR_RNDN);
  }
  mpfr_clear(e);
}

/* |got - exact| <= SLACK 2^-lift noise, and the largest ratio. */
static double expect_near(const char *what, const numbers *got, const numbers *exact, const numbers *noise, long lift,
                          uint64_t seed) {
  double worst = 0;
  mpfr_t e;
  mpfr_init2(e, BITS);
  ck_assert_uint_eq(got->count, exact->count);
  for (size_t i = 0; i < exact->count; i++) {
    mpfr_sub(e, got->v + i, exact->v + i, MPFR_RNDN);
    mpfr_abs(e, e, MPFR_RNDN);
    if (mpfr_zero_p(e)) continue;
    mpfr_div(e, e, noise->v + i, MPFR_RNDN);
    mpfr_mul_2si(e, e, lift, MPFR_RNDN);
    const double ratio = mpfr_get_d(e, MPFR_RNDU);
    ck_assert_msg(ratio <= SLACK, "%s, number %zu: %.17g, not %.17g: off by %.3g times what rounding does, graph %llu",
                  what, i, mpfr_get_d(got->v + i, MPFR_RNDN), mpfr_get_d(exact->v + i, MPFR_RNDN), ratio,
                  (unsigned long long)seed);
    worst = fmax(worst, ratio);
  }
  mpfr_clear(e);
  return worst;
}

static double expect_outcome(const char *what, outcome o, const outcome *exact, const outcome *noise, long lift,
                             uint64_t seed) {
  char text[64];
  snprintf(text, sizeof text, "values, %s", what);
  double a = expect_near(text, &o.value, &exact->value, &noise->value, lift, seed);
  snprintf(text, sizeof text, "gradient, %s", what);
  double b = expect_near(text, &o.gradient, &exact->gradient, &noise->gradient, lift, seed);
  free_outcome(&o);
  return fmax(a, b);
}

/* How many bits of the gradient double can keep at all; most graphs keep most. */
static double bits_kept(const outcome *exact, const outcome *noise) {
  double kept = 0;
  size_t count = 0;
  mpfr_t e;
  mpfr_init2(e, BITS);
  for (size_t i = 0; i < exact->gradient.count; i++) {
    if (mpfr_zero_p(exact->gradient.v + i)) continue;
    mpfr_div(e, noise->gradient.v + i, exact->gradient.v + i, MPFR_RNDN);
    kept += -log2(fabs(mpfr_get_d(e, MPFR_RNDN)));
    count++;
  }
  mpfr_clear(e);
  return count ? kept / (double)count : DOUBLE_BITS;
}

/* ---- Differences and the adjoint identity */

/* y' J x for random x and y over all outputs: by forward, by reverse, and by central differences. */
static void check_products(random_graph *r, uint64_t seed) {
  const ad_graph *g = r->g;
  graphs_run w =
      graphs_start(g, "mpfr", (ad_workspace_options){.precision = DIFFERENCE_BITS, .directions = 1, .reverse = true});
  mpfr_t forward, reverse, difference, scale, t;
  mpfr_inits2(DIFFERENCE_BITS, forward, reverse, difference, scale, t, (mpfr_ptr)0);
  mpfr_set_zero(forward, 1);
  mpfr_set_zero(reverse, 1);
  mpfr_set_zero(difference, 1);
  mpfr_set_ui(scale, 1, MPFR_RNDN);
  const size_t inputs = ad_graph_input_count(g), columns = elements(g, 0, (ad_node)inputs);
  double *x = malloc((columns + 1) * sizeof *x), y[8 * 32];
  size_t at = 0;
  for (ad_node n = 0; n < inputs; n++)
    for (size_t i = 0; i < elements(g, n, n + 1); i++) {
      x[at] = ulps_random_uniform(&r->random, -1, 1);
      must(ad_workspace_seed_tangent(w.w, 0, n, i, x[at++], &graphs_error));
    }
  must(ad_workspace_forward(w.w, &graphs_error));
  at = 0;
  for (size_t k = 0; k < ad_graph_output_count(g); k++) {
    const ad_node n = ad_graph_output_node(g, k);
    for (size_t i = 0; i < elements(g, n, n + 1); i++) {
      y[at] = ulps_random_uniform(&r->random, -1, 1);
      must(ad_workspace_seed_adjoint(w.w, n, i, y[at], &graphs_error));
      mpfr_mul_d(t, number(ad_workspace_tangent(w.w, 0, n), i), y[at++], MPFR_RNDN);
      mpfr_add(forward, forward, t, MPFR_RNDN);
      mpfr_abs(t, t, MPFR_RNDN);
      mpfr_max(scale, scale, t, MPFR_RNDN);
    }
  }
  must(ad_workspace_reverse(w.w, &graphs_error));
  at = 0;
  for (ad_node n = 0; n < inputs; n++)
    for (size_t i = 0; i < elements(g, n, n + 1); i++) {
      mpfr_mul_d(t, number(ad_workspace_adjoint(w.w, n), i), x[at++], MPFR_RNDN);
      mpfr_add(reverse, reverse, t, MPFR_RNDN);
      mpfr_abs(t, t, MPFR_RNDN);
      mpfr_max(scale, scale, t, MPFR_RNDN);
    }
  for (int side = 1; side >= -2; side -= side > 0 ? 2 : 1) { /* up by one step, then down by two */
    if (side < -1) break;
    at = 0;
    for (ad_node n = 0; n < inputs; n++) {
      mpfr_ptr v = ad_workspace_input_data(w.w, n);
      for (size_t i = 0; i < elements(g, n, n + 1); i++) {
        mpfr_set_d(t, x[at++], MPFR_RNDN);
        mpfr_mul_2si(t, t, -STEP_BITS, MPFR_RNDN);
        mpfr_mul_si(t, t, side > 0 ? 1 : -2, MPFR_RNDN);
        mpfr_add(v + i, v + i, t, MPFR_RNDN);
      }
    }
    must(ad_workspace_primal(w.w, &graphs_error));
    at = 0;
    for (size_t k = 0; k < ad_graph_output_count(g); k++) {
      const ad_node n = ad_graph_output_node(g, k);
      for (size_t i = 0; i < elements(g, n, n + 1); i++) {
        mpfr_mul_d(t, number(ad_workspace_value(w.w, n), i), side * y[at++], MPFR_RNDN);
        mpfr_add(difference, difference, t, MPFR_RNDN);
      }
    }
  }
  mpfr_mul_2si(difference, difference, STEP_BITS - 1, MPFR_RNDN);
  mpfr_sub(reverse, reverse, forward, MPFR_RNDN);
  mpfr_div(reverse, reverse, scale, MPFR_RNDN);
  ck_assert_msg(mpfr_zero_p(reverse) || mpfr_get_exp(reverse) < -DIFFERENCE_BITS + 300,
                "forward and reverse differ by %.3g of their size, graph %llu", mpfr_get_d(reverse, MPFR_RNDN),
                (unsigned long long)seed);
  mpfr_sub(difference, difference, forward, MPFR_RNDN);
  mpfr_div(difference, difference, scale, MPFR_RNDN);
  ck_assert_msg(mpfr_zero_p(difference) || mpfr_get_exp(difference) < -STEP_BITS / 2,
                "differences are off by %.3g of the derivative, graph %llu", mpfr_get_d(difference, MPFR_RNDN),
                (unsigned long long)seed);
  mpfr_clears(forward, reverse, difference, scale, t, (mpfr_ptr)0);
  free(x);
  graphs_end(&w);
}

/* ---- One graph */

static double check_graph(random_graph *r, uint64_t seed) {
  const ad_graph *g = r->g;
  outcome exact = run(g, "mpfr", AD_MODE_REVERSE, BITS);
  outcome noise = {new_numbers(exact.value.count), new_numbers(exact.gradient.count)};
  for (int bits = LOWEST; bits <= DOUBLE_BITS; bits++) {
    outcome rough = run(g, "mpfr", bits % 2 ? AD_MODE_FORWARD : AD_MODE_REVERSE, (uint32_t)bits);
    add_noise(&noise.value, &rough.value, &exact.value, bits);
    add_noise(&noise.gradient, &rough.gradient, &exact.gradient, bits);
    free_outcome(&rough);
  }
  double worst = 0;
  for (int k = 0; k < GRAPHS_SIMD; k++) {
    graphs_use_simd(graphs_simd[k]);
    worst = fmax(worst, expect_outcome("dual", run(g, "dual", AD_MODE_FORWARD, 0), &exact, &noise, 0, seed));
    worst = fmax(worst, expect_outcome("tape", run(g, "tape", AD_MODE_REVERSE, 0), &exact, &noise, 0, seed));
  }
  /* Forward and reverse at the full precision differ by no more than that precision's share. */
  expect_outcome("mpfr forward", run(g, "mpfr", AD_MODE_FORWARD, BITS), &exact, &noise, BITS - DOUBLE_BITS - 1, seed);
  check_products(r, seed);
  ad_graph *d;
  must(ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &(size_t){0}}, &graphs_error));
  ck_assert_uint_le(ad_graph_node_count(d), LARGEST_FACTOR * ad_graph_node_count(g));
  outcome graph = run_graph(d, "mpfr", BITS), doubles = run_graph(d, "tape", 0);
  expect_near("gradient, graph in mpfr", &graph.gradient, &exact.gradient, &noise.gradient, BITS - DOUBLE_BITS - 8,
              seed);
  const double rough =
      expect_near("gradient, graph in double", &doubles.gradient, &exact.gradient, &noise.gradient, 0, seed);
  free_outcome(&graph);
  free_outcome(&doubles);
  random_graph next = {d, r->random, r->used};
  check_products(&next, seed); /* second derivatives */
  ad_graph_free(d);
  const double kept = bits_kept(&exact, &noise);
  if (getenv("ADTOOL_TEST_VERBOSE"))
    printf("graph %llu: %zu nodes, %.1f bits kept, at most %.1f times the rounding, as a graph %.1f times\n",
           (unsigned long long)seed, ad_graph_node_count(g), kept, worst, rough);
  free_outcome(&exact);
  free_outcome(&noise);
  return kept;
}

/* `count` graphs of each size; every operation occurs. */
static void check_graphs(bool tensors) {
  static const struct {
    size_t operations;
    double count;
  } sizes[] = {{10, 60}, {100, 15}, {1000, 3}};
  size_t *used = calloc(ad_op_count(), sizeof *used);
  uint64_t seed = ulps_seed();
  double kept = 0, graphs = 0;
  for (size_t k = 0; k < 3; k++)
    for (double i = 0; i < sizes[k].count * ulps_multiplier(); i++) {
      random_graph r = random_graph_new(++seed, sizes[k].operations, tensors, used);
      kept += check_graph(&r, seed);
      graphs++;
      random_graph_free(&r);
    }
  for (ad_op op = 0; op < ad_op_count(); op++) {
    const ad_op_class cls = ad_op_get(op)->cls;
    const bool occurs = cls == AD_CLASS_ELEMENT || (tensors && cls == AD_CLASS_STRUCTURED);
    ck_assert_msg(!occurs || used[op], "%s never occurred", ad_op_get(op)->name);
  }
  /* The bounds say something only where double keeps something. */
  ck_assert_msg(kept / graphs > 35, "on average double keeps only %.1f bits of these gradients", kept / graphs);
  free(used);
}

START_TEST(scalars) {
  check_graphs(false);
}
END_TEST

START_TEST(tensors) {
  check_graphs(true);
}
END_TEST

int main(void) {
  Suite *s = suite_create("random graphs");
  TCase *t = tcase_create("all methods agree");
  printf("seed %llu (ADTOOL_TEST_SEED), multiplier %g (ADTOOL_TEST_MULTIPLIER)\n", (unsigned long long)ulps_seed(),
         ulps_multiplier());
  fflush(stdout);
  tcase_set_timeout(t, 600 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, scalars);
  tcase_add_test(t, tensors);
  suite_add_tcase(s, t);
  return suite_run(s);
}
