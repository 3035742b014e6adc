#include "optimized.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "graphs.h"
#include "same_graph.h"
#include "suite.h"
#include "ulps.h"

#define ERR (&graphs_error)

ad_graph *optimized(const ad_graph *g, uint32_t passes) {
  ad_graph *out;
  must(ad_graph_optimize(&out, g, &(ad_optimize_options){.passes = passes}, ERR));
  return out;
}

/* ---- The same numbers */

const arithmetic arithmetics[] = {{"dual", 0}, {"mpfr", 53}, {"mpfr", 113}, {"mpfr", 500}};

static mpfr_srcptr number(const ad_span *s, size_t i) {
  return (const __mpfr_struct *)s->data + i;
}

/* NaN is NaN; the sign of a zero counts where `zeros` says so. */
static bool same_number(const ad_span *a, const ad_span *b, size_t i, bool zeros) {
  if (a->kind == AD_KIND_F64) {
    const double x = ad_span_double(a, i), y = ad_span_double(b, i);
    return (isnan(x) && isnan(y)) || (x == y && (!zeros || x != 0 || !signbit(x) == !signbit(y)));
  }
  mpfr_srcptr x = number(a, i), y = number(b, i);
  if (mpfr_nan_p(x) || mpfr_nan_p(y)) return mpfr_nan_p(x) && mpfr_nan_p(y);
  return mpfr_equal_p(x, y) && (!zeros || !mpfr_zero_p(x) || !mpfr_signbit(x) == !mpfr_signbit(y));
}

static void expect_same(const ad_span a, const ad_span b, bool zeros, const char *what, const char *of,
                        const arithmetic *arith) {
  char x[80], y[80];
  ck_assert_uint_eq(a.count, b.count);
  for (size_t i = 0; i < a.count; i++) {
    if (same_number(&a, &b, i, zeros)) continue;
    ad_span_text(x, sizeof x, &a, i, arith->bits ? 40 : 0);
    ad_span_text(y, sizeof y, &b, i, arith->bits ? 40 : 0);
    ck_abort_msg("%s: %s[%zu] is %s, not %s (%s %u)", what, of, i, y, x, arith->backend, arith->bits);
  }
}

/* A primal run and a forward one along a direction that is the same for the same inputs. */
static graphs_run run_forward(const ad_graph *g, const arithmetic *arith) {
  graphs_run r;
  ulps_random random = {1};
  must(ad_program_new(&r.p, g, NULL, ERR));
  must(ad_workspace_new(&r.w, r.p, ad_backend_find(arith->backend),
                        &(ad_workspace_options){.precision = arith->bits, .directions = 1}, ERR));
  must(ad_workspace_primal(r.w, ERR));
  for (ad_node n = 0; n < ad_graph_input_count(g); n++)
    for (size_t i = 0; i < (size_t)ad_shape_size(ad_graph_node_shape(g, n)); i++)
      if (!ad_graph_input_fixed(g, n))
        must(ad_workspace_seed_tangent(r.w, 0, n, i, ulps_random_uniform(&random, -1, 1), ERR));
  must(ad_workspace_forward(r.w, ERR));
  return r;
}

void same_results_in(const ad_graph *a, const ad_graph *b, const char *what, const arithmetic *arith) {
  graphs_run x = run_forward(a, arith), y = run_forward(b, arith);
  ck_assert_uint_eq(ad_graph_output_count(a), ad_graph_output_count(b));
  for (size_t i = 0; i < ad_graph_output_count(a); i++) {
    const char *name = ad_graph_output_name(a, i);
    ck_assert_str_eq(name, ad_graph_output_name(b, i));
    const ad_node m = ad_graph_output_node(a, i), n = ad_graph_output_node(b, i);
    expect_same(ad_workspace_value(x.w, m), ad_workspace_value(y.w, n), true, what, name, arith);
    expect_same(ad_workspace_tangent(x.w, 0, m), ad_workspace_tangent(y.w, 0, n), false, what, name, arith);
  }
  graphs_end(&x);
  graphs_end(&y);
}

/* Scalar code: which scalars SIMD takes depends on what is beside them. */
void same_results(const ad_graph *a, const ad_graph *b, const char *what) {
  graphs_use_simd("none");
  for (int k = 0; k < ARITHMETICS; k++) same_results_in(a, b, what, &arithmetics[k]);
}

/* All that a pass must leave alone. */
void same_surroundings(const ad_graph *a, const ad_graph *b, const char *what) {
  ck_assert_msg(ad_graph_node_count(b) <= ad_graph_node_count(a), "%s: more nodes", what);
  ck_assert_uint_eq(ad_graph_input_count(a), ad_graph_input_count(b));
  for (ad_node n = 0; n < ad_graph_input_count(a); n++) {
    const ad_values u = ad_graph_node_values(a, n), v = ad_graph_node_values(b, n);
    ck_assert_str_eq(ad_graph_node_name(a, n), ad_graph_node_name(b, n));
    ck_assert(ad_shape_equal(ad_graph_node_shape(a, n), ad_graph_node_shape(b, n)));
    ck_assert_int_eq(ad_graph_node_dtype(a, n), ad_graph_node_dtype(b, n));
    ck_assert_int_eq(ad_graph_input_fixed(a, n), ad_graph_input_fixed(b, n));
    ck_assert_uint_eq(u.count, v.count);
    for (size_t i = 0; i < u.count; i++) {
      const char *s = ad_values_text(&u, i), *t = ad_values_text(&v, i);
      ck_assert(!memcmp(&u.value[i], &v.value[i], sizeof(double)) && !s == !t && (!s || !strcmp(s, t)));
    }
  }
  const ad_kinks k = ad_graph_kinks(a), l = ad_graph_kinks(b);
  ck_assert(k.abs_at_zero == l.abs_at_zero && k.relu_at_zero == l.relu_at_zero && k.ties == l.ties &&
            k.pow00_nan == l.pow00_nan);
  ck_assert_str_eq(ad_graph_name(a), ad_graph_name(b));
  ck_assert_uint_eq(ad_graph_meta_count(a), ad_graph_meta_count(b));
  for (size_t i = 0; i < ad_graph_meta_count(a); i++) {
    ck_assert_str_eq(ad_graph_meta_key(a, i), ad_graph_meta_key(b, i));
    ck_assert_str_eq(ad_graph_meta_text(a, i), ad_graph_meta_text(b, i));
  }
  /* A name that is left is that of a node with the same value: where the node is an output it can be seen. */
  for (size_t i = 0; i < ad_graph_output_count(b); i++) {
    const char *name = ad_graph_node_name(b, ad_graph_output_node(b, i));
    if (name) ck_assert_uint_ne(ad_graph_find_node(a, name), AD_NO_NODE);
  }
}

void same_hash(const ad_graph *a, const ad_graph *b, const char *what) {
  char x[65], y[65];
  must(ad_graph_hash(a, x, ERR));
  must(ad_graph_hash(b, y, ERR));
  if (strcmp(x, y)) same_graph(a, b, what); /* says where */
  ck_assert_msg(!strcmp(x, y), "%s: another graph", what);
}

/* What all passes together and each alone do to a graph. */
ad_graph *check_optimized(const ad_graph *g, const char *what) {
  for (size_t i = 0; i <= ad_pass_count(); i++) {
    const uint32_t mask = i < ad_pass_count() ? 1u << i : ALL_PASSES;
    char name[120];
    snprintf(name, sizeof name, "%s, pass %s", what, i < ad_pass_count() ? ad_pass_get(i)->name : "all");
    ad_graph *once = optimized(g, mask), *twice = optimized(once, mask);
    same_surroundings(g, once, name);
    same_results(g, once, name);
    same_hash(once, twice, name);
    ad_graph_free(twice);
    if (i == ad_pass_count()) return once;
    ad_graph_free(once);
  }
  return NULL;
}
