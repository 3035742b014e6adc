/* Passes on random graphs: tame ones of all operations, and wild ones, with NaN and infinities, of those that passes
 * know. Values and tangents keep their bits, adjoints all but their last places. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "graphs.h"
#include "optimized.h"
#include "random_graph.h"
#include "same_graph.h"
#include "suite.h"
#include "ulps.h"

#define ERR (&graphs_error)

static mpfr_srcptr number(const ad_span *s, size_t i) {
  return (const __mpfr_struct *)s->data + i;
}

/* Adjoints of both in MPFR: another order of the same sums. */
static void same_adjoints(const ad_graph *a, const ad_graph *b, const char *what) {
  enum { BITS = 1000, LOST = 300 };
  const ad_workspace_options o = {.precision = BITS, .reverse = true};
  const ad_graph *g[2] = {a, b};
  graphs_run r[2];
  mpfr_t scale, d;
  mpfr_inits2(BITS, scale, d, (mpfr_ptr)0);
  mpfr_set_ui(scale, 1, MPFR_RNDN);
  for (int k = 0; k < 2; k++) {
    r[k] = graphs_start(g[k], "mpfr", o);
    must(ad_workspace_run_gradient(r[k].w, &(ad_gradient_request){.output = ad_graph_output_node(g[k], 0)}, ERR));
  }
  for (int compare = 0; compare < 2; compare++)
    for (ad_node n = 0; n < ad_graph_input_count(a); n++) {
      const ad_span x = ad_workspace_gradient(r[0].w, n), y = ad_workspace_gradient(r[1].w, n);
      for (size_t i = 0; i < x.count; i++) {
        if (!compare) {
          if (mpfr_cmpabs(number(&x, i), scale) > 0) mpfr_abs(scale, number(&x, i), MPFR_RNDN);
          continue;
        }
        mpfr_sub(d, number(&x, i), number(&y, i), MPFR_RNDN);
        mpfr_div(d, d, scale, MPFR_RNDN);
        ck_assert_msg(mpfr_zero_p(d) || (mpfr_number_p(d) && mpfr_get_exp(d) < LOST - BITS),
                      "%s: adjoint %u[%zu]: off by %.3g", what, n, i, mpfr_get_d(d, MPFR_RNDN));
      }
    }
  mpfr_clears(scale, d, (mpfr_ptr)0);
  graphs_end(&r[0]);
  graphs_end(&r[1]);
}

static void check_tame(bool tensors) {
  static const struct {
    size_t operations;
    double count;
  } sizes[] = {{10, 40}, {100, 10}, {1000, 1}};
  size_t *used = calloc(ad_op_count(), sizeof *used), before = 0, after = 0;
  uint64_t seed = ulps_seed();
  for (size_t k = 0; k < 3; k++)
    for (double i = 0; i < sizes[k].count * ulps_multiplier(); i++) {
      char what[40];
      random_graph r = random_graph_new(++seed, sizes[k].operations, tensors, used);
      snprintf(what, sizeof what, "tame graph %llu", (unsigned long long)seed);
      ad_graph *g = check_optimized(r.g, what);
      same_adjoints(r.g, g, what);
      before += ad_graph_node_count(r.g), after += ad_graph_node_count(g);
      ad_graph_free(g);
      random_graph_free(&r);
    }
  ck_assert_uint_lt(after, before);
  free(used);
}

START_TEST(tame_scalars) {
  check_tame(false);
}
END_TEST

START_TEST(tame_tensors) {
  check_tame(true);
}
END_TEST

static const char *const known[] = {"neg",   "add",       "sub",     "mul",       "div",   "sqr",          "recip",
                                    "pow",   "abs",       "sign",    "floor",     "ceil",  "trunc",        "round",
                                    "max",   "min",       "clip",    "where",     "less",  "less_equal",   "greater",
                                    "equal", "not_equal", "reshape", "transpose", "slice", "broadcast_to", "concat",
                                    "stack", "gather",    "sum",     "mean",      "prod",  "cumsum",       "reduce_max",
                                    "sqrt",  "neg",       "add",     "mul",       "sub",   "where",        NULL};

/* Inputs without a value get one; every third node is an output. */
static void complete(ad_graph *g, uint64_t seed) {
  static const double some[] = {0, -0.0, 1, -1, 2, 0.5, 3, -2.5, 0x1p-1074, 1e300, INFINITY, -INFINITY, NAN};
  ulps_random random = {seed};
  ad_numbers *v = ad_numbers_new();
  for (ad_node n = 0; n < ad_graph_input_count(g); n++) {
    const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(g, n));
    ad_numbers_clear(v);
    for (size_t i = 0; i < size; i++)
      must(ad_numbers_push_double(v, some[ulps_random_bits(&random) % (sizeof some / sizeof some[0])], ERR));
    must(ad_graph_set_input_value(g, n, v, AD_EXACT, ERR));
  }
  ad_numbers_free(v);
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) {
    char name[24];
    snprintf(name, sizeof name, "output %u", n);
    if (ulps_random_bits(&random) % 3 == 0) must(ad_graph_output(g, name, n, ERR));
  }
}

START_TEST(wild) {
  size_t before = 0, after = 0;
  uint64_t seed = ulps_seed();
  for (double i = 0; i < 2000 * ulps_multiplier(); i++) {
    char what[40];
    ad_graph *g = graph_of_operations(++seed, known);
    complete(g, seed);
    snprintf(what, sizeof what, "wild graph %llu", (unsigned long long)seed);
    ad_graph *o = check_optimized(g, what);
    before += ad_graph_node_count(g), after += ad_graph_node_count(o);
    ad_graph_free(o);
    ad_graph_free(g);
  }
  ck_assert_msg(after < before * 0.95, "hardly anything was done: %zu nodes, then %zu", before, after);
}
END_TEST

/* Names, numbers and attributes of every kind; a graph and the one read back from a file become the same. */
START_TEST(everything) {
  uint64_t seed = ulps_seed();
  for (double i = 0; i < 1000 * ulps_multiplier(); i++) {
    ad_graph *g = graph_of_everything(++seed), *back;
    void *bytes;
    size_t size;
    ad_graph *a = optimized(g, ALL_PASSES), *b = optimized(a, ALL_PASSES);
    same_surroundings(g, a, "everything");
    same_hash(a, b, "twice");
    must(ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = "yaml"}, ERR));
    must(ad_graph_read(&back, bytes, size, "memory", NULL, ERR));
    ad_free(bytes);
    ad_graph *c = optimized(back, ALL_PASSES);
    char x[65], y[65];
    must(ad_graph_hash(g, x, ERR));
    must(ad_graph_hash(back, y, ERR));
    if (!strcmp(x, y)) same_hash(a, c, "read back");
    ad_graph_free(back);
    ad_graph_free(a);
    ad_graph_free(b);
    ad_graph_free(c);
    ad_graph_free(g);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("passes on random graphs");
  TCase *t = tcase_create("graph in, graph out");
  printf("seed %llu (ADTOOL_TEST_SEED), multiplier %g (ADTOOL_TEST_MULTIPLIER)\n", (unsigned long long)ulps_seed(),
         ulps_multiplier());
  fflush(stdout);
  tcase_set_timeout(t, 300 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, wild);
  tcase_add_test(t, everything);
  tcase_add_test(t, tame_scalars);
  tcase_add_test(t, tame_tensors);
  suite_add_tcase(s, t);
  return suite_run(s);
}
