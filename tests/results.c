#include "results.h"

#include <math.h>
#include <stdlib.h>

#include <mpfr.h>

#include "graphs.h"
#include "suite.h"

#define ERR (&graphs_error)

/* Values of the elements of all outputs, and their derivatives. */
typedef struct results {
  size_t count, derivatives;
  mpfr_t *value, *derivative;
} results;

static void take(mpfr_t **list, size_t *count, const ad_span *s) {
  *list = realloc(*list, (*count + s->count + 1) * sizeof **list);
  ck_assert_ptr_nonnull(*list);
  for (size_t i = 0; i < s->count; i++) {
    mpfr_init2((*list)[*count], RESULTS_BITS);
    mpfr_set((*list)[(*count)++], (const __mpfr_struct *)s->data + i, MPFR_RNDN);
  }
}

static void take_output(results *r, const ad_graph *g, ad_workspace *w, ad_node n) {
  const ad_span v = ad_workspace_value(w, n);
  take(&r->value, &r->count, &v);
  for (size_t k = 0; k < v.count; k++) {
    must(ad_workspace_run_gradient(w, &(ad_gradient_request){.output = n, .seed_count = 1, .element = &k}, ERR));
    for (ad_node x = 0; x < ad_graph_input_count(g); x++) {
      if (ad_graph_input_fixed(g, x)) continue;
      const ad_span d = ad_workspace_gradient(w, x);
      take(&r->derivative, &r->derivatives, &d);
    }
  }
}

static results evaluate(const ad_graph *g, const double *values, bool scalars_first) {
  results r = {0};
  ad_program *p;
  ad_workspace *w;
  const ad_workspace_options o = {.precision = RESULTS_BITS, .reverse = true};
  must(ad_program_new(&p, g, NULL, ERR));
  must(ad_workspace_new(&w, p, ad_backend_find("mpfr"), &o, ERR));
  ad_point *point;
  must(ad_point_new(&point, g, ERR));
  for (ad_node n = 0; values && n < ad_graph_input_count(g); n++) {
    const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(g, n));
    must(ad_point_set_double(point, n, values, size, ERR));
    values += size;
  }
  must(ad_workspace_set_point(w, point, ERR));
  must(ad_workspace_primal(w, ERR));
  for (int scalars = 1; scalars >= (scalars_first ? 0 : 1); scalars--)
    for (size_t i = 0; i < ad_graph_output_count(g); i++) {
      const ad_node n = ad_graph_output_node(g, i);
      if (!scalars_first || (ad_graph_node_shape(g, n)->rank == 0) == scalars) take_output(&r, g, w, n);
    }
  ad_point_free(point);
  ad_workspace_free(w);
  ad_program_free(p);
  return r;
}

static void clear_results(results *r) {
  for (size_t i = 0; i < r->count; i++) mpfr_clear(r->value[i]);
  for (size_t i = 0; i < r->derivatives; i++) mpfr_clear(r->derivative[i]);
  free(r->value);
  free(r->derivative);
}

static void expect_near(mpfr_srcptr a, mpfr_srcptr b, long lost, const char *what) {
  mpfr_t d;
  mpfr_init2(d, RESULTS_BITS);
  if (mpfr_equal_p(a, b) || (mpfr_nan_p(a) && mpfr_nan_p(b))) {
    mpfr_clear(d);
    return;
  }
  mpfr_sub(d, a, b, MPFR_RNDN);
  const mpfr_exp_t scale = mpfr_regular_p(a) && mpfr_get_exp(a) > 0 ? mpfr_get_exp(a) : 0;
  ck_assert_msg(mpfr_regular_p(d) && mpfr_get_exp(d) - scale < lost - RESULTS_BITS, "%s: %.17g is %.17g", what,
                mpfr_get_d(a, MPFR_RNDN), mpfr_get_d(b, MPFR_RNDN));
  mpfr_clear(d);
}

void results_same(const ad_graph *a, const double *at, const ad_graph *b, const double *bt, long lost,
                  bool scalars_first, const char *what) {
  results x = evaluate(a, at, scalars_first), y = evaluate(b, bt, false);
  ck_assert_msg(x.count == y.count && x.derivatives == y.derivatives, "%s: %zu by %zu, and %zu by %zu", what, x.count,
                x.derivatives, y.count, y.derivatives);
  for (size_t i = 0; i < x.count; i++) expect_near(x.value[i], y.value[i], lost, what);
  for (size_t i = 0; i < x.derivatives; i++) expect_near(x.derivative[i], y.derivative[i], lost, what);
  clear_results(&x);
  clear_results(&y);
}

size_t results_arrange(const ad_graph *g, double *out, size_t room) {
  size_t count = 0;
  for (int variables = 0; variables < 2; variables++)
    for (ad_node n = 0; n < ad_graph_input_count(g); n++) {
      const ad_values v = ad_graph_node_values(g, n);
      const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(g, n));
      if (ad_graph_input_fixed(g, n) == variables) continue;
      for (size_t i = 0; i < size; i++) {
        ck_assert_uint_lt(count, room);
        out[count++] = v.value[v.count == 1 ? 0 : i];
      }
    }
  return count;
}
