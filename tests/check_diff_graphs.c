/* Derivatives as graphs, as a user meets them: names, requests, files, size, and derivatives of derivatives, which stay
 * right where a factor happens to be 0 and where a branch is not taken. */
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "random_graph.h"
#include "same_graph.h"
#include "suite.h"
#include "ulps.h"

#define ERR (&graphs_error)

/* A graph from the text of a YAML file. */
static ad_graph *graph(const char *inputs, const char *outputs) {
  char text[1000];
  ad_graph *g;
  int n = snprintf(text, sizeof text, "adtool: 1\ninputs: {%s}\noutputs:\n%s\n", inputs, outputs);
  ck_assert_int_lt(n, (int)sizeof text);
  must(ad_graph_read(&g, text, (size_t)n, "test", NULL, ERR));
  return g;
}

static ad_graph *gradient_of(const ad_graph *g, const char *output) {
  ad_graph *d;
  const size_t k = ad_graph_find_output(g, output);
  ck_assert_msg(k != SIZE_MAX, "no output %s", output);
  must(ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &k}, ERR));
  return d;
}

static double value_of(const ad_graph *g, const char *output, size_t element, const char *backend) {
  const size_t k = ad_graph_find_output(g, output);
  ck_assert_msg(k != SIZE_MAX, "no output %s", output);
  return graphs_value(g, backend, ad_graph_output_node(g, k), element);
}

/* ---- Names and requests */

static void expect_names(const ad_graph *g, const char *inputs, const char *outputs) {
  char have[400] = "";
  for (ad_node n = 0; n < ad_graph_input_count(g); n++) strcat(strcat(have, " "), ad_graph_node_name(g, n));
  ck_assert_str_eq(have, inputs);
  *have = '\0';
  for (size_t k = 0; k < ad_graph_output_count(g); k++) strcat(strcat(have, " "), ad_graph_output_name(g, k));
  ck_assert_str_eq(have, outputs);
}

START_TEST(names) {
  ad_graph *g = graph("w: 1, x: [2, 3], c: {value: 4, diff: no}", "  f: c*w*sum(x)\n  v: x*w"), *d, *dd;
  d = gradient_of(g, "f");
  expect_names(d, " w x c", " f grad.w grad.x");
  dd = gradient_of(d, "grad.w");
  expect_names(dd, " w x c", " grad.w grad2.w grad2.x");
  ad_graph_free(dd);
  must(ad_graph_vjp(&dd, d, NULL, ERR));
  expect_names(dd, " w x c adjoint.f adjoint.grad.w adjoint.grad.x", " f grad.w grad.x adjoint.w adjoint.x");
  ck_assert(ad_graph_input_fixed(dd, 3));
  ad_graph_free(dd);
  ad_graph_free(d);
  must(ad_graph_jvp(&d, g, NULL, ERR));
  expect_names(d, " w x c tangent.w tangent.x", " f v tangent.f tangent.v");
  must(ad_graph_jvp(&dd, d, NULL, ERR));
  expect_names(dd, " w x c tangent.w tangent.x tangent2.w tangent2.x",
               " f v tangent.f tangent.v tangent2.f tangent2.v tangent2.tangent.f tangent2.tangent.v");
  ad_graph_free(dd);
  ad_graph_free(d);
  /* Asked for by name, a fixed input is differentiated by; results stand in the order of the graph. */
  must(ad_graph_gradient(
      &d, g,
      &(ad_derivative_request){.output_count = 1, .output = &(size_t){0}, .wrt_count = 2, .wrt = (ad_node[]){2, 0}},
      ERR));
  expect_names(d, " w x c", " f grad.c grad.w");
  ck_assert_double_eq(value_of(d, "grad.c", 0, "tape"), 5);
  ad_graph_free(d);
  ad_graph_free(g);
}
END_TEST

START_TEST(requests_that_fail) {
  ad_graph *g = graph("w: 1, x: [2, 3]", "  f: w*sum(x)\n  v: x*w"), *d = NULL;
  const size_t f = 0, v = 1, far = 2, twice[] = {0, 0};
  must_fail(AD_EUSAGE, "choose one", ad_graph_gradient(&d, g, NULL, ERR));
  must_fail(AD_EUSAGE, "[2]", ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &v}, ERR));
  must_fail(AD_EUSAGE, "output 2 of a graph with 2",
            ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &far}, ERR));
  must_fail(
      AD_EUSAGE, "element 2 of an output with 2",
      ad_graph_gradient(
          &d, g, &(ad_derivative_request){.output_count = 1, .output = &v, .seed_count = 1, .element = &far}, ERR));
  must_fail(AD_EUSAGE, "'f' is named twice",
            ad_graph_vjp(&d, g, &(ad_derivative_request){.output_count = 2, .output = twice}, ERR));
  must_fail(AD_EUSAGE, "'x' is named twice",
            ad_graph_jvp(&d, g, &(ad_derivative_request){.wrt_count = 2, .wrt = (ad_node[]){1, 1}}, ERR));
  must_fail(AD_EUSAGE, "node 2 is not an input",
            ad_graph_gradient(
                &d, g, &(ad_derivative_request){.output_count = 1, .output = &f, .wrt_count = 1, .wrt = (ad_node[]){2}},
                ERR));
  ad_graph_free(g);
  char name[AD_MAX_NAME + 1];
  memset(name, 'n', AD_MAX_NAME);
  name[AD_MAX_NAME] = '\0';
  g = graphs_new();
  graphs_input(g, name, SCALAR, &(double){1}, 1);
  must(ad_graph_output(g, "f", 0, ERR));
  must_fail(AD_EINPUT, "longer than 255 bytes", ad_graph_gradient(&d, g, NULL, ERR));
  ad_graph_free(g);
  /* The limits of the graph hold for its derivative. */
  must(ad_graph_new(&g, &(ad_limits){.max_nodes = 6}, ERR));
  graphs_input(g, "x", SCALAR, &(double){1}, 1);
  must(ad_graph_output(g, "f", graphs_unary(g, "gelu", graphs_unary(g, "tanh", 0)), ERR));
  must_fail(AD_ELIMIT, "6 nodes", ad_graph_gradient(&d, g, NULL, ERR));
  ck_assert_ptr_null(d);
  ad_graph_free(g);
}
END_TEST

/* Elements and weights: the gradient's graph gives what the tape gives. */
START_TEST(elements_and_weights) {
  ad_graph *g = graph("A: [[1, 2, 3], [4, 5, 6]], x: [0.5, -1, 2], u: 3, c: 1", "  y: tanh(A @ x) * A[1, 0]"), *d;
  const double weight[] = {0.25, -3};
  const size_t element[] = {1, 0, 1};
  const ad_derivative_request requests[] = {{.seed_count = 2},
                                            {.seed_count = 2, .weight = weight},
                                            {.seed_count = 1, .element = element},
                                            {.seed_count = 1, .element = element, .weight = weight},
                                            {.seed_count = 3, .element = element}};
  for (size_t k = 0; k < sizeof requests / sizeof *requests; k++) {
    must(ad_graph_gradient(&d, g, &requests[k], ERR));
    graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.reverse = true});
    ad_gradient_request q = {.output = ad_graph_output_node(g, 0),
                             .seed_count = requests[k].seed_count,
                             .element = requests[k].element,
                             .weight = requests[k].weight};
    double sum[2] = {0, 0}; /* the tape's seeds don't add up */
    for (size_t i = 0; i < q.seed_count; i++) sum[q.element ? q.element[i] : i] += q.weight ? q.weight[i] : 1;
    q = (ad_gradient_request){.output = q.output, .seed_count = 2, .weight = sum};
    must(ad_workspace_run_gradient(r.w, &q, ERR));
    for (ad_node n = 0; n < ad_graph_input_count(g); n++) {
      ad_span s = ad_workspace_gradient(r.w, n);
      for (size_t i = 0; i < s.count; i++) {
        char name[40];
        snprintf(name, sizeof name, "grad.%s", ad_graph_node_name(g, n));
        ck_assert_double_eq(value_of(d, name, i, "mpfr"), ad_span_double(&s, i));
      }
    }
    ck_assert_double_eq(value_of(d, "grad.u", 0, "tape"), 0); /* not on any path */
    graphs_end(&r);
    ad_graph_free(d);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- Derivatives of derivatives */

/* The derivatives of f(x) of orders 1, 2 ... are `want`, by the graph of each order and by each backend's derivative of
 * the graph of the order below. */
static void expect_derivatives(const char *inputs, const char *f, const double *want, int orders) {
  ad_graph *g = graph(inputs, f);
  char output[AD_MAX_NAME] = "f";
  for (int k = 0; k < orders; k++) {
    const ad_node n = ad_graph_output_node(g, ad_graph_find_output(g, output));
    for (size_t b = 0; b < ad_backend_count(); b++) {
      const double got = graphs_derivative(g, ad_backend_name(ad_backend_get(b)), n, 0, 0, 0);
      ck_assert_msg(fabs(got - want[k]) <= 0x1p-48 * fabs(want[k]), "%s at %s: derivative %d by %s is %.17g, not %.17g",
                    f, inputs, k + 1, ad_backend_name(ad_backend_get(b)), got, want[k]);
    }
    ad_graph *d = gradient_of(g, output);
    ad_graph_free(g);
    g = d;
    snprintf(output, sizeof output, k ? "grad%d.x" : "grad.x", k + 1);
    for (size_t b = 0; b < ad_backend_count(); b++) {
      const double got = value_of(g, output, 0, ad_backend_name(ad_backend_get(b)));
      ck_assert_msg(fabs(got - want[k]) <= 0x1p-48 * fabs(want[k]), "%s at %s: %s by %s is %.17g, not %.17g", f, inputs,
                    output, ad_backend_name(ad_backend_get(b)), got, want[k]);
    }
  }
  ad_graph_free(g);
}
#define WANT(...) ((const double[]){__VA_ARGS__}), (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double))

/* x^3 where x > 1, else something whose value or derivatives are nan or infinite there. */
START_TEST(untaken_branches) {
  static const char *const untaken[] = {
      "log(x)",        "sqrt(x)",         "log(sqrt(x))",    "1/x",         "x^-1.5",           "(0*x)^(0.5*x)",
      "exp(1/x)",      "sqrt(sqrt(x)*x)", "acosh(x)*log(x)", "lgamma(x)",   "x/(x - x)",        "log(x)*exp(800 + x)",
      "tan(1/x)",      "digamma(x)/x",    "hypot(x, 1/x)",   "rem(1/x, x)", "max(1/x, x)",      "atan2(1/x, 1/x)",
      "xlogy(1/x, x)", "log(x)^x",        "silu(1/x)",       "gelu(-1/x)",  "sigmoid(log(x)/x)"};
  for (size_t k = 0; k < sizeof untaken / sizeof *untaken; k++) {
    char f[200];
    snprintf(f, sizeof f, "  f: where(x > 1, %s, x^3 + 2*x)", untaken[k]);
    expect_derivatives("x: 0", f, WANT(2, 0, 6, 0));
    snprintf(f, sizeof f, "  f: where(x > 1, %s, x*x*x) + 2*where(x < 1, x, %s)", untaken[k], untaken[k]);
    expect_derivatives("x: 0", f, WANT(2, 0, 6, 0));
  }
}
END_TEST

/* The same in tensors: products, reductions and moves of what is not finite. */
START_TEST(untaken_tensors) {
  static const char *const untaken[] = {"A @ (log(x) * v)",
                                        "(v * log(x)) @ A",
                                        "(A @ (A / x))[0]",
                                        "prod(v / x) * v",
                                        "logsumexp(v / x) * v",
                                        "softmax(v / x)",
                                        "softmax(log(x) * v)",
                                        "cumsum(log(x) * v)",
                                        "reduce_max(v / x) * v",
                                        "mean(sqrt(x) * A, axis=0)",
                                        "transpose(A * log(x))[0]",
                                        "gather(v / x, indices=[1, 1])",
                                        "scatter_add(v, v / x, indices=[1, 0])",
                                        "dot(v / x, v * log(x)) * v",
                                        "concat(sqrt(v * x)[:1], (v / x)[1:])"};
  for (size_t k = 0; k < sizeof untaken / sizeof *untaken; k++) {
    char f[200];
    snprintf(f, sizeof f, "  f: sum(where(x > 1, %s, x^3 * v))", untaken[k]);
    expect_derivatives("x: 0, A: [[1, 2], [3, -4]], v: [2, -1]", f, WANT(0, 0, 6, 0));
  }
}
END_TEST

/* Factors that are 0 by accident hide no derivative. */
START_TEST(accidental_zeros) {
  static const double root_2_pi = 2.5066282746310005024;
  expect_derivatives("x: 0", "  f: x*x", WANT(0, 2, 0));
  expect_derivatives("x: 0", "  f: x*x*x", WANT(0, 0, 6, 0));
  expect_derivatives("x: 0", "  f: x*sin(x)*exp(x)", WANT(0, 2, 6));
  expect_derivatives("x: 0", "  f: x^3 + x^2 + x^1 + x^0", WANT(1, 2, 6, 0));
  expect_derivatives("x: 0", "  f: xlogy(x, 2 + x)", WANT(log(2), 1));
  expect_derivatives("x: 0", "  f: pow(2 + x, x)", WANT(log(2), log(2) * log(2) + 1));
  expect_derivatives("x: 0", "  f: gelu(x)", WANT(0.5, 2 / root_2_pi, 0, -4 / root_2_pi));
  expect_derivatives("x: 0", "  f: silu(x)", WANT(0.5, 0.5, 0, -0.5));
  expect_derivatives("x: 0", "  f: tanh(x)", WANT(1, 0, -2, 0));
  expect_derivatives("x: 0", "  f: sum(where(1 < 2, x*sin(x), 0))", WANT(0, 2, 0));
  expect_derivatives("x: 0, v: [1, 0, 3], c: [0, 1, 2]", "  f: prod(x*v + c)", WANT(2, 6, 0));
  expect_derivatives("x: 0, v: [1, 2, 3]", "  f: prod(x*v)", WANT(0, 0, 36));
  expect_derivatives("x: 0, A: [[1, 2], [3, 4]]", "  f: sum((x*A) @ (x*A))", WANT(0, 2 * 54, 0));
  expect_derivatives("x: 0, A: [[1, 2], [3, 4]]", "  f: sum((x*A) @ (x*A) @ (x*A))", WANT(0, 0, 6 * 290));
  expect_derivatives("x: 0, v: [1, 2]", "  f: dot(x*v, x*v)", WANT(0, 10, 0));
  expect_derivatives("x: 0, y: 3", "  f: mul_no_nan(x, y*x)", WANT(0, 6, 0));
  expect_derivatives("x: 0, y: 3", "  f: mul_or_zero(x, y*x)*x", WANT(0, 0, 18));
}
END_TEST

/* ---- Files */

START_TEST(round_trips) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  for (uint64_t seed = ulps_seed(); seed < ulps_seed() + 10; seed++) {
    random_graph r = random_graph_new(seed, 40, seed % 2, used);
    for (int k = 0; k < 3; k++) {
      ad_graph *d, *back;
      must(k == 0 ? ad_graph_gradient(&d, r.g, &(ad_derivative_request){.output_count = 1, .output = &(size_t){0}}, ERR)
           : k == 1 ? ad_graph_vjp(&d, r.g, NULL, ERR)
                    : ad_graph_jvp(&d, r.g, NULL, ERR));
      for (size_t f = 0; f < ad_format_count(); f++) {
        const ad_write_options o = {.format = ad_format_get(f)->name};
        void *bytes;
        size_t size;
        if (!ad_format_get(f)->lossless) continue;
        must(ad_graph_write(d, &bytes, &size, &o, ERR));
        must(ad_graph_read(&back, bytes, size, "memory", NULL, ERR));
        char hash[2][65];
        must(ad_graph_hash(d, hash[0], ERR));
        must(ad_graph_hash(back, hash[1], ERR));
        if (!strcmp(o.format, "adg")) same_graph(d, back, o.format);
        for (size_t n = 0; n < ad_graph_output_count(d); n++)
          if (k == 0 && ad_shape_size(ad_graph_node_shape(d, ad_graph_output_node(d, n))))
            ck_assert_double_eq(value_of(d, ad_graph_output_name(d, n), 0, "tape"),
                                value_of(back, ad_graph_output_name(d, n), 0, "tape"));
        ad_free(bytes);
        ad_graph_free(back);
      }
      ad_graph_free(d);
    }
    random_graph_free(&r);
  }
  free(used);
}
END_TEST

/* The gradient of each scalar output of each example passes `adtool check`. */
START_TEST(examples_pass_check) {
  const char *folder = getenv("ADTOOL_SRCDIR");
  char path[1000];
  snprintf(path, sizeof path, "%s/tests/examples", folder ? folder : ".");
  DIR *dir = opendir(path);
  ck_assert_ptr_nonnull(dir);
  size_t checked = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    ad_graph *g, *d;
    snprintf(path, sizeof path, "%s/tests/examples/%s", folder ? folder : ".", entry->d_name);
    if (!strstr(entry->d_name, ".yaml") || ad_graph_load(&g, path, NULL, ERR)) continue;
    for (size_t k = 0; k < ad_graph_output_count(g); k++) {
      ad_check_report r;
      if (ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &k}, ERR)) continue;
      if (!ad_check(&r, d, NULL, NULL, ERR)) {
        ck_assert_msg(r.verdict == AD_VERDICT_PASS, "%s: %s", path, r.reason);
        ad_check_clear(&r);
        checked++;
      }
      ad_graph_free(d);
    }
    ad_graph_free(g);
  }
  closedir(dir);
  ck_assert_uint_ge(checked, 3);
}
END_TEST

/* ---- Size */

static uint64_t elements(const ad_graph *g) {
  uint64_t n = 0;
  for (ad_node k = 0; k < ad_graph_node_count(g); k++) n += (uint64_t)ad_shape_size(ad_graph_node_shape(g, k));
  return n;
}

/* sum_i x[i] x[i+1] x[i] by scalars out of one tensor, and sums of long slices. */
static ad_graph *chain(int64_t n) {
  ad_graph *g = graphs_new();
  const double one = 1;
  ad_node x = graphs_input(g, "x", SHAPE(n), &one, 1), sum = AD_NO_NODE, last = AD_NO_NODE;
  for (int64_t i = 0; i < n; i++) {
    ad_node e = graphs_apply(g, "slice", NODES(x),
                             ATTRS(INTS_ATTR("start", i), INTS_ATTR("stop", i + 1), INTS_ATTR("squeeze", 0)));
    if (i) {
      ad_node p = graphs_binary(g, "mul", graphs_binary(g, "mul", last, e), last);
      sum = i > 1 ? graphs_binary(g, "add", sum, p) : p;
    }
    last = e;
  }
  ad_node ahead = graphs_apply(g, "slice", NODES(x), ATTRS(INTS_ATTR("start", 1)));
  ad_node odd = graphs_apply(g, "slice", NODES(x),
                             ATTRS(INTS_ATTR("start", n - 1), INTS_ATTR("stop", -1 - n), INTS_ATTR("step", -2)));
  sum = graphs_binary(g, "add", sum, graphs_unary(g, "sum", graphs_unary(g, "sqr", ahead)));
  sum = graphs_binary(g, "add", sum, graphs_unary(g, "sum", graphs_unary(g, "exp", odd)));
  must(ad_graph_output(g, "f", sum, ERR));
  return g;
}

START_TEST(size_is_linear) {
  uint64_t nodes[2], all[2];
  for (int k = 0; k < 2; k++) {
    ad_graph *g = chain(500 << k), *d = gradient_of(g, "f");
    nodes[k] = ad_graph_node_count(d);
    all[k] = elements(d);
    ck_assert_uint_le(nodes[k], 5 * ad_graph_node_count(g));
    ck_assert_uint_le(all[k], 8 * elements(g));
    ck_assert_double_eq(value_of(d, "grad.x", 1, "tape"), 2 + 1 + 2 + exp(1)); /* x[0] x[1] x[0] + x[1] x[2] x[1] ... */
    ad_graph_free(d);
    ad_graph_free(g);
  }
  ck_assert_uint_le(nodes[1], 2 * nodes[0]);
  ck_assert_uint_le(all[1], 2 * all[0] + 100);
}
END_TEST

int main(void) {
  Suite *s = suite_create("derivatives as graphs");
  TCase *t = tcase_create("in use");
  tcase_set_timeout(t, 120 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, names);
  tcase_add_test(t, requests_that_fail);
  tcase_add_test(t, elements_and_weights);
  tcase_add_test(t, untaken_branches);
  tcase_add_test(t, untaken_tensors);
  tcase_add_test(t, accidental_zeros);
  tcase_add_test(t, round_trips);
  tcase_add_test(t, examples_pass_check);
  tcase_add_test(t, size_is_linear);
  suite_add_tcase(s, t);
  return suite_run(s);
}
