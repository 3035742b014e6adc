/* Programs whose tensors share memory give the bits of those whose don't. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/share.h"
#include "exec/workspace.h"
#include "graphs.h"
#include "random_graph.h"
#include "suite.h"

typedef struct numbers {
  double *v;
  size_t count, capacity;
} numbers;

static void push(numbers *n, double v) {
  if (n->count == n->capacity) {
    n->capacity = 2 * n->capacity + 64;
    n->v = realloc(n->v, n->capacity * sizeof *n->v);
    ck_assert_ptr_nonnull(n->v);
  }
  n->v[n->count++] = v;
}

static void push_span(numbers *n, ad_span s) {
  for (size_t i = 0; i < s.count; i++) push(n, ad_span_double(&s, i));
}

static void notice(void *context, ad_node n, size_t element, unsigned flags) {
  push(context, n);
  push(context, (double)element);
  push(context, flags);
}

typedef struct way {
  const char *backend;
  ad_program_options program;
  ad_workspace_options workspace;
  bool reverse_first; /* a reverse sweep twice, then forward; else the other way round */
  bool jacobians;
} way;

static void gradients(numbers *out, ad_workspace *w, const ad_graph *g) {
  for (size_t i = 0; i < ad_graph_output_count(g); i++) {
    const ad_node f = ad_graph_output_node(g, i);
    const size_t n = (size_t)ad_shape_size(ad_graph_node_shape(g, f));
    must(ad_workspace_run_gradient(w, &(ad_gradient_request){.output = f, .seed_count = n, .mode = AD_MODE_REVERSE},
                                   &graphs_error));
    push_span(out, ad_workspace_gradients(w));
  }
}

static void tangents(numbers *out, ad_workspace *w, const ad_graph *g) {
  ad_workspace_clear_seeds(w);
  for (ad_node i = 0; i < ad_graph_input_count(g); i++)
    for (int64_t j = 0; !ad_graph_input_fixed(g, i) && j < ad_shape_size(ad_graph_node_shape(g, i)); j++)
      must(ad_workspace_seed_tangent(w, 0, i, (size_t)j, 1 + (double)j, &graphs_error));
  must(ad_workspace_forward(w, &graphs_error));
  for (size_t i = 0; i < ad_graph_output_count(g); i++)
    push_span(out, ad_workspace_tangent(w, 0, ad_graph_output_node(g, i)));
}

/* Every plan of the Jacobian. */
static void jacobians(numbers *out, const ad_program *p, const char *backend) {
  const ad_backend *b = strcmp(backend, "tape") ? ad_backend_find(backend) : NULL;
  for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
    for (int sparse = 0; sparse < 2; sparse++) {
      ad_jacobian *j;
      must(ad_jacobian_new(&j, p, b, &(ad_jacobian_options){.mode = mode, .sparse = sparse, .precision = 100},
                           &graphs_error));
      for (int again = 0; again < 2; again++) {
        must(ad_jacobian_run(j, &graphs_error));
        push_span(out, ad_jacobian_values(j));
      }
      ad_jacobian_free(j);
    }
}

/* Values, derivatives, notices and values again. */
static numbers run(const ad_graph *g, way how, uint32_t *size) {
  numbers out = {0};
  ad_program *p;
  ad_workspace *w;
  must(ad_program_new(&p, g, &how.program, &graphs_error));
  must(ad_workspace_new(&w, p, ad_backend_find(how.backend), &how.workspace, &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  for (size_t i = 0; i < ad_graph_output_count(g); i++)
    push_span(&out, ad_workspace_value(w, ad_graph_output_node(g, i)));
  if (how.workspace.reverse && how.reverse_first) gradients(&out, w, g);
  if (how.workspace.reverse) gradients(&out, w, g);
  for (int twice = 0; how.workspace.directions && twice < 2; twice++) tangents(&out, w, g);
  if (how.workspace.reverse && !how.reverse_first) gradients(&out, w, g);
  if (how.workspace.points <= 1) ad_workspace_diagnose(w, notice, &out);
  for (size_t i = 0; i < ad_graph_output_count(g); i++)
    push_span(&out, ad_workspace_value(w, ad_graph_output_node(g, i)));
  if (how.jacobians) jacobians(&out, p, how.backend);
  *size = p->size;
  ad_workspace_free(w);
  ad_program_free(p);
  return out;
}

static size_t packings; /* programs that became smaller */

static void compare(const ad_graph *g, way how, const char *what) {
  uint32_t apart, together;
  numbers want = run(g, how, &apart);
  how.program.outputs_only = true;
  numbers got = run(g, how, &together);
  ck_assert_uint_le(together, apart);
  packings += together < apart;
  ck_assert_msg(got.count == want.count, "%s: %zu numbers, not %zu", what, got.count, want.count);
  for (size_t i = 0; i < want.count; i++)
    ck_assert_msg(!memcmp(&got.v[i], &want.v[i], sizeof *got.v) || (got.v[i] != got.v[i] && want.v[i] != want.v[i]),
                  "%s: number %zu of %zu is %a, not %a", what, i, want.count, got.v[i], want.v[i]);
  free(want.v);
  free(got.v);
}

static void compare_all_ways(const ad_graph *g, const char *what, bool mpfr, bool jacobians) {
  const ad_workspace_options derivatives = {.reverse = true, .directions = 1, .precision = 100};
  const ad_program_options values = {.values_only = true};
  compare(g, (way){"tape", values, {0}, false, false}, what);
  compare(g, (way){"tape", {0}, derivatives, true, jacobians}, what);
  compare(g, (way){"tape", {0}, derivatives, false, false}, what);
  compare(g, (way){"tape", {0}, {.reverse = true, .directions = 1, .points = 3}, false, false}, what);
  compare(g, (way){"tape", {0}, {.reverse = true, .points = 16}, true, false}, what); /* scalars share, too */
  compare(g, (way){"tape", values, {.points = 8}, false, false}, what);
  compare(g, (way){"tape", {0}, {.reverse = true, .directions = 1, .threads = 2}, true, false}, what);
  if (!mpfr) return;
  compare(g, (way){"mpfr", values, {.precision = 100}, false, false}, what);
  compare(g, (way){"mpfr", {0}, derivatives, true, jacobians}, what);
}

START_TEST(random_graphs) {
  size_t *used = calloc(ad_op_count(), sizeof *used);
  ck_assert_ptr_nonnull(used);
  packings = 0;
  const int graphs = (int)(60 * ulps_multiplier()) + 1;
  for (int i = 0; i < graphs || (!packings && i < 60); i++) {
    const uint64_t seed = ulps_seed() + (uint64_t)i;
    random_graph r = random_graph_new(seed, 60, i % 4 != 3, used);
    char what[64];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    compare_all_ways(r.g, what, i % 8 == 0, true);
    random_graph_free(&r);
  }
  ck_assert_uint_ge(packings, 1);
  free(used);
}
END_TEST

/* What depends on no input of wrt lies where tangents and adjoints of others lie in other blocks. */
START_TEST(beside_constants) {
  static const char text[] =
      "adtool: 1\n"
      "inputs: {x: {shape: [40], value: 0.25}, y: {shape: [40], value: 0.5, diff: no}}\n"
      "nodes:\n"
      "  a: concat(sin(exp(sin(x) + x) + 1)*x, cos(exp(y) + 1))\n"
      "  b: concat(cos(y) + 1, x + 1) + concat(exp(x), cos(cos(y) + 2))\n"
      "outputs: {f: sum(a^2 + 1) + sum(b)}\n";
  ad_graph *g;
  packings = 0;
  must(ad_graph_read(&g, text, sizeof text - 1, "test", NULL, &graphs_error));
  compare_all_ways(g, "beside constants", true, true);
  ck_assert_uint_ge(packings, 1);
  ad_graph_free(g);
}
END_TEST

/* ---- Fused chains and what stands between them */

enum { N = 3 * AD_SHARE + 77 };

static ad_node column(ad_graph *g, const char *name, double first) {
  double *v = malloc(N * sizeof *v);
  ck_assert_ptr_nonnull(v);
  for (size_t i = 0; i < N; i++) v[i] = first + (double)(i % 97) / 128;
  const ad_node x = graphs_input(g, name, SHAPE(N), v, N);
  free(v);
  return x;
}

START_TEST(fused_chains) {
  ad_graph *g = graphs_new();
  const ad_node x = column(g, "x", 0.5), y = column(g, "y", -0.25);
  ad_node z = graphs_binary(g, "add", x, y);
  for (int i = 0; i < 4; i++) {
    z = graphs_binary(g, "mul", graphs_unary(g, "tanh", z), x);
    z = graphs_binary(g, "sub", z, graphs_unary(g, "abs", y));
    z = graphs_apply(g, "cumsum", NODES(z), 0, NULL); /* ends a chain */
    z = graphs_binary(g, "mul", z, graphs_constant(g, 1e-4));
  }
  must(ad_graph_output(g, "z", z, &graphs_error));
  must(ad_graph_output(g, "f", graphs_unary(g, "sum", z), &graphs_error));
  packings = 0;
  compare_all_ways(g, "chains", false, false);
  ck_assert_uint_ge(packings, 1);
  ad_graph_free(g);
}
END_TEST

/* ---- How much is saved, and what can't be read any more */

enum { DEPTH = 50, WIDTH = 100 };

START_TEST(memory) {
  ad_graph *g = graphs_new();
  double v[WIDTH];
  for (size_t i = 0; i < WIDTH; i++) v[i] = 0.01 * (double)i;
  ad_node x = graphs_input(g, "x", SHAPE(WIDTH), v, WIDTH), z = x, second = x;
  for (int i = 0; i < DEPTH; i++) {
    z = graphs_unary(g, i % 2 ? "sin" : "neg", z);
    if (i == 1) second = z;
  }
  must(ad_graph_output(g, "z", z, &graphs_error));
  uint32_t size;
  const way values = {"tape", {.values_only = true, .outputs_only = true}, {0}, false, false};
  free(run(g, values, &size).v);
  ck_assert_uint_le(size, 3 * WIDTH); /* two places in turn */

  const way derivatives = {"tape", {.outputs_only = true}, {.reverse = true}, false, false};
  free(run(g, derivatives, &size).v);
  ck_assert_uint_ge(size, (DEPTH + 1) * WIDTH); /* the argument and the value of each sine are read on the way back */

  ad_program *p;
  ad_workspace *w;
  must(ad_program_new(&p, g, &values.program, &graphs_error));
  must(ad_workspace_new(&w, p, ad_backend_find("tape"), NULL, &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  ck_assert_uint_eq(ad_workspace_value(w, second).count, 0);
  ck_assert_uint_eq(ad_workspace_value(w, x).count, WIDTH);
  ck_assert_uint_eq(ad_workspace_value(w, z).count, WIDTH);
  must_fail(AD_EUSAGE, "without reverse mode", ad_workspace_seed_adjoint(w, z, 0, 1, &graphs_error));
  ad_workspace_free(w);
  ad_program_free(p);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("shared memory");
  TCase *t = tcase_create("the same bits");
  printf("seed %llu (ADTOOL_TEST_SEED)\n", (unsigned long long)ulps_seed());
  fflush(stdout);
  tcase_set_timeout(t, 120);
  tcase_add_test(t, random_graphs);
  tcase_add_test(t, beside_constants);
  tcase_add_test(t, fused_chains);
  tcase_add_test(t, memory);
  suite_add_tcase(s, t);
  return suite_run(s);
}
