/* Zero times infinity on the way of a derivative: a zero that is one all around the point multiplies nothing, any other
 * gives nan, in every mode, backend, instruction set, block of points and in the graph of the derivative. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graphs.h"
#include "suite.h"

static ad_graph *read_graph(const char *yaml) {
  ad_graph *g;
  must(ad_graph_read(&g, yaml, strlen(yaml), "test.yaml", NULL, &graphs_error));
  return g;
}

static void expect(double got, double want, const char *how, const char *yaml, size_t at) {
  ck_assert_msg(got == want || (isnan(got) && isnan(want)), "%s: number %zu is %g, not %g, of\n%s", how, at, got, want,
                yaml);
}

/* The gradient of output 0, which is a scalar, by all inputs that are not fixed. */
typedef struct gradient {
  const char *yaml;
  double want[4];
} gradient;

static const gradient gradients[] = {
    /* Structural zeros. */
    {"adtool: 1\ninputs: {x: -1}\noutputs: {f: 'where(x > 0, sqrt(x), x*x)'}\n", {-2}},
    {"adtool: 1\ninputs: {c: -1, x: 0}\noutputs: {f: 'where(c > 0, log(x), 3)'}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: 0*sqrt(x)}\n", {0}},
    {"adtool: 1\ninputs: {x: 0, y: {value: 0, diff: no}}\noutputs: {f: y*sqrt(x)}\n", {0}},
    {"adtool: 1\ninputs: {x: 0.5, y: 0}\noutputs: {f: floor(x)*sqrt(y)}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: 2, y: 0}\noutputs: {f: (x < 1)*sqrt(y)}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: -1, y: 0}\noutputs: {f: relu(x)*sqrt(y)}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: -1, y: 0}\noutputs: {f: 'clip(x, 0, 1)*sqrt(y)'}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: 0, y: 4}\noutputs: {f: 'max(sqrt(x), y)'}\n", {0, 1}},
    {"adtool: 1\ninputs: {x: {shape: [2], value: [0, 4]}}\noutputs: {f: 'sum(where(x > 0, sqrt(x), 1))'}\n", {0, 0.25}},
    {"adtool: 1\ninputs: {x: {shape: [2], value: [0, 4]}}\nnodes: {w: {op: gather, args: [x], indices: [1]}}\n"
     "outputs: {f: 'sum(sqrt(w))'}\n",
     {0, 0.25}},
    {"adtool: 1\ninputs: {x: {shape: [2], value: [0, 4]}, m: {value: [0, 1], diff: no}}\n"
     "outputs: {f: 'dot(m, sqrt(x))'}\n",
     {0, 0.25}},
    {"adtool: 1\ninputs: {x: 0, y: 3}\noutputs: {f: 'reduce_max(stack(sqrt(x), y))'}\n", {0, 1}},
    /* Where the largest element is infinite. */
    {"adtool: 1\ninputs: {x: [inf, 1]}\noutputs: {f: logsumexp(x)}\n", {1, 0}},
    {"adtool: 1\ninputs: {x: [inf, 1, inf, -inf]}\noutputs: {f: logsumexp(x)}\n", {0.5, 0, 0.5, 0}},
    {"adtool: 1\ninputs: {x: [-inf, -inf]}\noutputs: {f: logsumexp(x)}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: [-inf, 1]}\noutputs: {f: logsumexp(x)}\n", {0, 1}},
    {"adtool: 1\ninputs: {x: [inf, 1]}\nnodes: {s: softmax(x)}\noutputs: {f: '3*s[0] + 5*s[1]'}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: [-inf, -inf]}\nnodes: {s: softmax(x)}\noutputs: {f: '3*s[0] + 5*s[1]'}\n", {0, 0}},
    /* Any other zero. */
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: exp(log(x))}\n", {NAN}},
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: sqrt(x^4)}\n", {NAN}},
    {"adtool: 1\ninputs: {x: 1}\noutputs: {f: acos(x)^2}\n", {NAN}},
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: cbrt(x)^3}\n", {NAN}},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: 'hypot(x, y)^2'}\n", {0, 0}},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: 'hypot(sqrt(x), y)'}\n", {NAN, 0}},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: y*sqrt(x)}\n", {NAN, 0}},
    {"adtool: 1\ninputs: {x: 1, y: 0}\noutputs: {f: (x < 1)*sqrt(y)}\n", {0, NAN}},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: relu(x)*sqrt(y)}\n", {0, NAN}},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: 'sign(x)*sqrt(y)'}\n", {0, NAN}},
    {"adtool: 1\ninputs: {x: [1, 2], y: [1, 2]}\nnodes: {d: sqrt(sum((x - y)^2))}\noutputs: {f: exp(-d*d)}\n",
     {NAN, NAN, NAN, NAN}},
    {"adtool: 1\ninputs: {x: [0, 3]}\nnodes: {r: sqrt(x)}\noutputs: {f: 'dot(r, r)'}\n", {NAN, 1}},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: 'prod(stack(sqrt(x), y))'}\n", {NAN, 0}},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: 'logsumexp(stack(log(x), y))'}\n", {NAN, 1}},
    /* An infinity that no partial is made of: the value overflows in double. */
    {"adtool: 1\ninputs: {x: 15, y: -8}\noutputs: {f: 'hypot(x*2^1020, y*2^1020)'}\n",
     {15.0 / 17 * 0x1p1020, -8.0 / 17 * 0x1p1020}},
};
enum { GRADIENTS = sizeof gradients / sizeof *gradients };

static void compare(const gradient *c, ad_workspace *w, const ad_program *p, uint32_t points, const char *how) {
  size_t at = 0;
  for (size_t k = 0; k < ad_program_wrt_count(p); k++) {
    const ad_span s = ad_workspace_gradient(w, ad_program_wrt(p, k));
    for (size_t i = 0; i < s.count; i++) expect(ad_span_double(&s, i), c->want[at + i / points], how, c->yaml, at);
    at += s.count / points;
  }
}

static void run_gradients(const gradient *c) {
  ad_graph *g = read_graph(c->yaml);
  const ad_node f = ad_graph_output_node(g, 0);
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (int simd = 0; simd < GRAPHS_SIMD; simd++)
      for (uint32_t points = 1; points <= 16; points += points == 1 ? 4 : 11)
        for (ad_mode mode = AD_MODE_FORWARD; mode <= AD_MODE_REVERSE; mode++)
          for (int lean = 0; lean < 2; lean++) {
            const ad_backend *backend = ad_backend_get(b);
            char how[100];
            if (!ad_backend_supports(backend, mode) || (ad_backend_kind(backend) != AD_KIND_F64 && points > 1))
              continue;
            graphs_use_simd(graphs_simd[simd]);
            snprintf(how, sizeof how, "%s, %s, mode %d, %u points, %s", ad_backend_name(backend), graphs_simd[simd],
                     mode, points, lean ? "outputs only" : "all values");
            ad_program *p;
            ad_workspace *w;
            must(ad_program_new(&p, g, &(ad_program_options){.outputs_only = lean}, &graphs_error));
            must(ad_workspace_new(&w, p, backend,
                                  &(ad_workspace_options){.directions = mode == AD_MODE_FORWARD ? 3 : 0,
                                                          .reverse = mode == AD_MODE_REVERSE,
                                                          .points = points},
                                  &graphs_error));
            for (int again = 0; again < 2; again++) {
              must(ad_workspace_primal(w, &graphs_error));
              must(ad_workspace_run_gradient(w, &(ad_gradient_request){.output = f, .mode = mode}, &graphs_error));
              compare(c, w, p, points, how);
            }
            ad_workspace_free(w);
            ad_program_free(p);
          }
  ad_graph_free(g);
}

START_TEST(gradients_of_all_backends) {
  run_gradients(&gradients[_i]);
}
END_TEST

START_TEST(gradients_as_graphs) {
  const gradient *c = &gradients[_i];
  ad_graph *g = read_graph(c->yaml), *d;
  const size_t first = 0;
  must(ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &first}, &graphs_error));
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (uint32_t points = 1; points <= 8; points += 7) {
      size_t at = 0;
      if (ad_backend_kind(ad_backend_get(b)) != AD_KIND_F64 && points > 1) continue;
      graphs_run r = graphs_start(d, ad_backend_name(ad_backend_get(b)), (ad_workspace_options){.points = points});
      for (size_t k = 1; k < ad_graph_output_count(d); k++) {
        const ad_span s = ad_workspace_value(r.w, ad_graph_output_node(d, k));
        for (size_t i = 0; i < s.count; i++)
          expect(ad_span_double(&s, i), c->want[at + i / points], "gradient's graph", c->yaml, at);
        at += s.count / points;
      }
      graphs_end(&r);
    }
  ad_graph_free(d);
  ad_graph_free(g);
}
END_TEST

static void run_jacobians(const gradient *c) {
  ad_graph *g = read_graph(c->yaml);
  ad_program *p;
  must(ad_program_new(&p, g, &(ad_program_options){.outputs_only = true}, &graphs_error));
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (ad_mode mode = AD_MODE_FORWARD; mode <= AD_MODE_REVERSE; mode++) {
      ad_jacobian *j;
      if (!ad_backend_supports(ad_backend_get(b), mode)) continue;
      must(ad_jacobian_new(&j, p, ad_backend_get(b), &(ad_jacobian_options){.mode = mode}, &graphs_error));
      for (int again = 0; again < 2; again++) {
        must(ad_jacobian_run(j, &graphs_error));
        const ad_span s = ad_jacobian_values(j);
        for (size_t i = 0; i < s.count; i++) expect(ad_span_double(&s, i), c->want[i], "Jacobian", c->yaml, i);
      }
      ad_jacobian_free(j);
    }
  ad_program_free(p);
  ad_graph_free(g);
}

START_TEST(jacobians) {
  run_jacobians(&gradients[_i]);
}
END_TEST

/* Many outputs, of which a sweep asks for one at a time: what was not asked for meets infinite partials as a seed of 0.
 */
START_TEST(zero_seeds_are_structural) {
  static const char yaml[] = "adtool: 1\ninputs: {x: [0, 4, 9, 0, 1, 4, 9, 16, 25]}\noutputs: {f: sqrt(x), g: x}\n";
  ad_graph *g = read_graph(yaml);
  ad_program *p;
  must(ad_program_new(&p, g, &(ad_program_options){.outputs_only = true}, &graphs_error));
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (ad_mode mode = AD_MODE_FORWARD; mode <= AD_MODE_REVERSE; mode++) {
      static const double x[] = {0, 4, 9, 0, 1, 4, 9, 16, 25};
      ad_jacobian *j;
      if (!ad_backend_supports(ad_backend_get(b), mode)) continue;
      must(ad_jacobian_new(&j, p, ad_backend_get(b), &(ad_jacobian_options){.mode = mode}, &graphs_error));
      must(ad_jacobian_run(j, &graphs_error));
      const ad_span s = ad_jacobian_values(j);
      for (size_t i = 0; i < 18; i++)
        for (size_t k = 0; k < 9; k++)
          expect(ad_span_double(&s, i * 9 + k),
                 i % 9 != k ? 0
                 : i < 9    ? 0.5 / sqrt(x[k])
                            : 1,
                 "Jacobian", yaml, i * 9 + k);
      ad_jacobian_free(j);
    }
  ad_program_free(p);
  ad_graph_free(g);
}
END_TEST

/* Hessians of one output by all inputs: `want` is each entry of the diagonal, `other` each of the others. */
static const struct {
  const char *yaml;
  double want, other;
} hessians[] = {
    {"adtool: 1\ninputs: {a: [0.3, 2], b: [0.3, 2]}\nnodes: {d: sqrt(sum((a - b)^2))}\noutputs: {f: exp(-d*d)}\n", NAN,
     NAN},
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: sqrt(x^4)}\n", NAN, 0},
    {"adtool: 1\ninputs: {x: 1}\noutputs: {f: acos(x)^2}\n", NAN, 0},
    {"adtool: 1\ninputs: {x: 0, y: 0}\noutputs: {f: 'hypot(x, y)^2'}\n", NAN, 0},
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: exp(log(x))}\n", NAN, 0},
    {"adtool: 1\ninputs: {x: -1}\noutputs: {f: 'where(x > 0, sqrt(x), x*x)'}\n", 2, 0},
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: 0*log(x) + x*x}\n", NAN, 0}, /* whose value is nan */
    {"adtool: 1\ninputs: {x: 0}\noutputs: {f: 0*sqrt(x) + x*x}\n", 2, 0},
};

START_TEST(second_derivatives) {
  ad_graph *g = read_graph(hessians[_i].yaml);
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (ad_mode mode = AD_MODE_FORWARD; mode <= AD_MODE_REVERSE; mode++)
      for (int sparse = 0; sparse < 2; sparse++) {
        ad_hessian *h;
        if (!ad_backend_supports(ad_backend_get(b), mode)) continue;
        must(ad_hessian_new(&h, g, ad_backend_get(b), &(ad_hessian_options){.mode = mode, .sparse = sparse},
                            &graphs_error));
        must(ad_workspace_primal(ad_hessian_workspace(h), &graphs_error));
        must(ad_hessian_run(h, &graphs_error));
        const ad_span s = ad_hessian_values(h);
        for (size_t i = 0; i < s.count; i++)
          expect(ad_span_double(&s, i), i % (ad_hessian_size(h) + 1) ? hessians[_i].other : hessians[_i].want,
                 sparse ? "sparse" : "dense", hessians[_i].yaml, i);
        ad_hessian_free(h);
      }
  ad_graph_free(g);
}
END_TEST

/* A comparison of derivatives would hide that one of them is nan in the fast code. */
START_TEST(comparisons_do_not_hide_nan) {
  static const char yaml[] =
      "adtool: 1\ninputs: {x: 0, c: -1}\nnodes: {d: 'mul_no_nan(1/x, where(c > 0, 1, 0))'}\n"
      "outputs: {f: 'where(d < 1, 5*c, 7*c)'}\n";
  ad_graph *g = read_graph(yaml);
  for (size_t b = 0; b < ad_backend_count(); b++)
    expect(graphs_value(g, ad_backend_name(ad_backend_get(b)), ad_graph_output_node(g, 0), 0), -5, "value", yaml, 0);
  ad_graph_free(g);
}
END_TEST

/* Outputs that are nan have no derivative by what they depend on, though a partial may be a number. */
static const gradient undefined[] = {
    {"adtool: 1\ninputs: {x: -1, y: 2}\noutputs: {f: log(x)}\n", {NAN, 0}},
    {"adtool: 1\ninputs: {x: -1, y: 2}\noutputs: {f: log(x) + y}\n", {NAN, NAN}},
    {"adtool: 1\ninputs: {x: nan}\noutputs: {f: floor(x)}\n", {NAN}},
    {"adtool: 1\ninputs: {x: nan}\noutputs: {f: 'clip(x, 0, 1)'}\n", {NAN}},
    {"adtool: 1\ninputs: {x: nan}\noutputs: {f: relu(x)}\n", {NAN}},
    {"adtool: 1\ninputs: {x: 2}\noutputs: {f: asin(x)}\n", {NAN}},
    {"adtool: 1\ninputs: {x: 2}\noutputs: {f: atanh(x)}\n", {NAN}},
    {"adtool: 1\ninputs: {x: -3, y: 1}\noutputs: {f: 'where(y > 0, y, log(x))'}\n", {0, 1}},
};
enum { UNDEFINED = sizeof undefined / sizeof *undefined };

START_TEST(undefined_gradients) {
  run_gradients(&undefined[_i]);
  run_jacobians(&undefined[_i]);
}
END_TEST

START_TEST(undefined_series) {
  const gradient *c = &undefined[_i];
  ad_graph *g = read_graph(c->yaml);
  for (size_t b = 0; b < ad_backend_count(); b++) {
    graphs_run r = graphs_start(g, ad_backend_name(ad_backend_get(b)), (ad_workspace_options){.order = 2});
    ad_workspace_clear_seeds(r.w);
    must(ad_workspace_seed_coefficient(r.w, 1, 0, 0, 1, &graphs_error));
    must(ad_workspace_taylor(r.w, &graphs_error));
    const ad_span s = ad_workspace_coefficient(r.w, 1, ad_graph_output_node(g, 0));
    expect(ad_span_double(&s, 0), c->want[0], "series", c->yaml, 1);
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

START_TEST(the_operation_is_named) {
  ad_graph *g = read_graph("adtool: 1\ninputs: {x: 0, y: 2}\nnodes: {r: sqrt(x*x)}\noutputs: {f: r + y, h: y*y}\n");
  for (size_t b = 0; b < ad_backend_count(); b++) {
    ad_node n;
    graphs_run r =
        graphs_start(g, ad_backend_name(ad_backend_get(b)), (ad_workspace_options){.directions = 1, .reverse = true});
    ck_assert(!ad_workspace_undetermined(r.w, NULL, NULL));
    must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = ad_graph_output_node(g, 1)}, &graphs_error));
    ck_assert(ad_backend_mode(ad_backend_get(b)) == AD_MODE_FORWARD || !ad_workspace_undetermined(r.w, NULL, NULL));
    must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = ad_graph_output_node(g, 0)}, &graphs_error));
    ck_assert(ad_workspace_undetermined(r.w, &n, NULL));
    /* x*x has a tangent 0 for sqrt, and its own partials are 0 for an infinite adjoint. */
    ck_assert_str_eq(ad_op_get(ad_graph_node_op(g, n))->name,
                     ad_backend_mode(ad_backend_get(b)) == AD_MODE_FORWARD ? "sqrt" : "mul");
    must(ad_workspace_primal(r.w, &graphs_error));
    ck_assert(!ad_workspace_undetermined(r.w, NULL, NULL));
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("zeros");
  TCase *t = tcase_create("zero times infinity");
  tcase_set_timeout(t, 60);
  tcase_add_loop_test(t, gradients_of_all_backends, 0, GRADIENTS);
  tcase_add_loop_test(t, gradients_as_graphs, 0, GRADIENTS);
  tcase_add_loop_test(t, jacobians, 0, GRADIENTS);
  tcase_add_test(t, zero_seeds_are_structural);
  tcase_add_loop_test(t, second_derivatives, 0, sizeof hessians / sizeof *hessians);
  tcase_add_loop_test(t, undefined_gradients, 0, UNDEFINED);
  tcase_add_loop_test(t, undefined_series, 0, UNDEFINED);
  tcase_add_test(t, comparisons_do_not_hide_nan);
  tcase_add_test(t, the_operation_is_named);
  suite_add_tcase(s, t);
  return suite_run(s);
}
