/* Memory that runs out: each call is made with its first allocation failing, then its second, and so on until it
 * succeeds.  Every failure is AD_ENOMEM, leaves the objects usable (the next attempt is made on them) and, in the end,
 * nothing allocated; what comes out is what comes out when memory never fails.  And a second evaluation allocates
 * nothing.  Linked with --wrap for malloc, calloc, realloc, aligned_alloc and free: the library's own calls, not those
 * of the libraries that it uses. */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "derive/colour.h"
#include "exec/program.h"
#include "exec/workspace.h"
#include "suite.h"
#include "team.h"

/* ---- The allocator: counts while `counting`, fails the call number `fail_at`, and knows what is alive */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *p);

enum { MOST_ALIVE = 1 << 16 };
static struct {
  bool counting, failed;
  unsigned long calls, fail_at;
  size_t alive;
  void *block[MOST_ALIVE]; /* allocated while counting, not yet freed */
} heap;

static bool denied(void) {
  if (!heap.counting || ++heap.calls != heap.fail_at) return false;
  return heap.failed = true;
}

static void *born(void *p) {
  if (p && heap.counting && heap.alive < MOST_ALIVE) heap.block[heap.alive++] = p;
  return p;
}

static void died(const void *p) {
  for (size_t i = heap.alive; p && i-- > 0;)
    if (heap.block[i] == p) {
      heap.block[i] = heap.block[--heap.alive];
      return;
    }
}

void *__wrap_malloc(size_t size) {
  return denied() ? NULL : born(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
  return denied() ? NULL : born(__real_calloc(count, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  return denied() ? NULL : born(__real_aligned_alloc(alignment, size));
}

void *__wrap_realloc(void *p, size_t size) {
  if (denied()) return NULL;
  died(p);
  return born(__real_realloc(p, size));
}

void __wrap_free(void *p) {
  died(p);
  __real_free(p);
}

/* ---- Calls that insist */

static ad_error err;
static unsigned long failures; /* injected so far */

static void before(unsigned long n) {
  heap.calls = 0;
  heap.fail_at = n;
  heap.failed = false;
  heap.counting = true;
}

/* Whether to try again, with the next allocation failing. */
static bool again(const char *call, int line, ad_status got) {
  heap.counting = false;
  if (got == AD_OK) {
    ck_assert_msg(!heap.failed, "line %d: %s: an allocation failed, and nobody noticed", line, call);
    return false;
  }
  ck_assert_msg(got == AD_ENOMEM && err.code == AD_ENOMEM && heap.failed, "line %d: %s: status %d, error %d: %s", line,
                call, (int)got, (int)err.code, err.message);
  failures++;
  return true;
}

#define INSIST(call)                        \
  do {                                      \
    unsigned long n_ = 0;                   \
    ad_status got_;                         \
    do {                                    \
      before(++n_);                         \
      got_ = (call);                        \
    } while (again(#call, __LINE__, got_)); \
  } while (0)

/* The same for calls on a graph: a failure leaves its counts as they were. */
#define INSIST_GRAPH(g, call)                                                                     \
  do {                                                                                            \
    unsigned long n_ = 0;                                                                         \
    ad_status got_;                                                                               \
    const size_t nodes_ = ad_graph_node_count(g), outputs_ = ad_graph_output_count(g);            \
    const size_t inputs_ = ad_graph_input_count(g), meta_ = ad_graph_meta_count(g);               \
    do {                                                                                          \
      before(++n_);                                                                               \
      got_ = (call);                                                                              \
      if (got_)                                                                                   \
        ck_assert_msg(ad_graph_node_count(g) == nodes_ && ad_graph_output_count(g) == outputs_ && \
                          ad_graph_input_count(g) == inputs_ && ad_graph_meta_count(g) == meta_,  \
                      "line %d: %s failed and changed the graph", __LINE__, #call);               \
    } while (again(#call, __LINE__, got_));                                                       \
  } while (0)

static void nothing_left(void) {
  ck_assert_msg(heap.alive == 0, "%zu blocks are still allocated", heap.alive);
  ck_assert_msg(failures > 0, "no allocation was made to fail");
}

static ad_numbers *numbers(const char *const *text, size_t count) {
  ad_numbers *n;
  unsigned long at = 0;
  do {
    before(++at);
    n = ad_numbers_new();
    heap.counting = false;
  } while (!n);
  for (size_t i = 0; i < count; i++) INSIST(ad_numbers_push_text(n, text[i], strlen(text[i]), &err));
  INSIST(ad_numbers_push_double(n, 2.5, &err));
  return n;
}

static ad_node apply(ad_graph *g, const char *op, size_t nargs, const ad_node *args, size_t nattrs,
                     const ad_attr *attrs) {
  ad_node out;
  INSIST_GRAPH(g, ad_graph_apply(g, &out, ad_op_find(op), nargs, args, nattrs, attrs, &err));
  return out;
}

/* A graph with something of everything. */
static ad_graph *build(void) {
  static const char *const texts[] = {"0.1", "1/3", "-2.5", "0x1p-3", "pi"};
  ad_graph *g;
  ad_node x, s, c, pi, tenth, two, parts[20];
  INSIST(ad_graph_new(&g, NULL, &err));
  ad_numbers *n = numbers(texts, 5);
  INSIST_GRAPH(g, ad_graph_set_name(g, "everything", &err));
  INSIST_GRAPH(g, ad_graph_set_meta(g, "author", "somebody", &err));
  INSIST_GRAPH(g, ad_graph_set_meta(g, "author", "somebody else", &err));
  INSIST_GRAPH(g, ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = {2, {2, 3}}, .value = n}, &err));
  INSIST_GRAPH(g, ad_graph_input(g, &s, &(ad_input_spec){.name = "s", .dtype = AD_F32, .fixed = true}, &err));
  INSIST_GRAPH(g, ad_graph_constant(g, &c, &(ad_shape){1, {6}}, n, AD_F32, &err));
  INSIST_GRAPH(g, ad_graph_constant_text(g, &pi, "pi", &err));
  INSIST_GRAPH(g, ad_graph_constant_text(g, &tenth, "0.1", &err));
  INSIST_GRAPH(g, ad_graph_constant_double(g, &two, 2, &err));
  ad_node y = apply(g, "mul", 2, (ad_node[]){x, pi}, 0, NULL);
  INSIST_GRAPH(g, ad_graph_set_node_name(g, y, "y", &err));
  y = apply(g, "leaky_relu", 1, &y, 0, NULL);
  y = apply(g, "softmax", 1, &y, 1, &(ad_attr){"axis", {0}, (int64_t[]){-2}});
  y = apply(g, "add", 2, (ad_node[]){y, apply(g, "pow", 2, (ad_node[]){s, two}, 0, NULL)}, 0, NULL);
  ad_node flat = apply(g, "reshape", 1, &y, 1, &(ad_attr){"shape", {1, {1}}, (int64_t[]){-1}});
  flat = apply(g, "sub", 2, (ad_node[]){flat, c}, 0, NULL);
  for (int i = 0; i < 20; i++)
    parts[i] = apply(g, "gather", 1, &flat, 1, &(ad_attr){"indices", {1, {2}}, (int64_t[]){i % 6, -1}});
  ad_node all = apply(g, "concat", 20, parts, 0, NULL); /* more arguments than fit without allocating */
  all = apply(g, "mul", 2, (ad_node[]){all, tenth}, 0, NULL);
  ad_node product = apply(g, "matmul", 2, (ad_node[]){x, apply(g, "transpose", 1, &x, 0, NULL)}, 0, NULL);
  ad_node sums[2] = {apply(g, "logsumexp", 1, &all, 0, NULL), apply(g, "sum", 1, &product, 0, NULL)};
  ad_node loss = apply(g, "add", 2, sums, 0, NULL);
  INSIST_GRAPH(g, ad_graph_output(g, "loss", loss, &err));
  INSIST_GRAPH(g, ad_graph_output(g, "product", product, &err));
  for (int i = 0; i < 40; i++) { /* the tables of names grow */
    char name[24];
    snprintf(name, sizeof name, "output %d", i);
    INSIST_GRAPH(g, ad_graph_output(g, name, loss, &err));
    loss = apply(g, "sin", 1, &loss, 0, NULL);
    snprintf(name, sizeof name, "node %d", i);
    INSIST_GRAPH(g, ad_graph_set_node_name(g, loss, name, &err));
  }
  ad_numbers_free(n);
  return g;
}

/* The canonical bytes of a graph, without failures. */
static void *bytes_of(const ad_graph *g, size_t *size) {
  void *bytes = NULL;
  ck_assert_int_eq(ad_graph_write(g, &bytes, size, &(ad_write_options){.format = "adg", .stored = true}, &err), AD_OK);
  return bytes;
}

static void expect_equal(const ad_graph *a, const ad_graph *b) {
  size_t na, nb;
  void *pa = bytes_of(a, &na), *pb = bytes_of(b, &nb);
  ck_assert_msg(na == nb && !memcmp(pa, pb, na), "not the same graph");
  ad_free(pa);
  ad_free(pb);
}

START_TEST(building) {
  ad_graph *g = build();
  ck_assert_uint_gt(heap.alive, 20); /* the count counts */
  static const char *const texts[] = {"1/3"};
  ad_numbers *n = numbers(texts, 1);
  ck_assert_str_eq(ad_numbers_text(n, 0), "1/3");
  ad_numbers_free(n);
  ck_assert_str_eq(ad_graph_meta_text(g, 0), "somebody else");
  ck_assert_str_eq(ad_graph_node_name(g, ad_graph_find_node(g, "node 39")), "node 39");
  ck_assert_uint_eq(ad_graph_find_output(g, "output 39"), 41);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

static double number(ad_span s, size_t i) {
  ck_assert_uint_lt(i, s.count);
  return ad_span_double(&s, i);
}

START_TEST(evaluating) {
  ad_graph *g = build();
  const ad_node x = 0, s = 1, loss = ad_graph_output_node(g, 0);
  double gradient[3];
  for (size_t b = 0; b < ad_backend_count(); b++) {
    const ad_backend *backend = ad_backend_get(b);
    ad_point *point;
    ad_program *p;
    ad_workspace *w;
    INSIST(ad_point_new(&point, g, &err));
    INSIST(ad_point_set_double(point, s, (const double[]){0.3}, 1, &err));
    INSIST(ad_point_set_text(point, "s", "0.7", &err));
    INSIST(ad_program_new(&p, g, &(ad_program_options){.keep_all = true}, &err));
    INSIST(ad_workspace_new(&w, p, backend, &(ad_workspace_options){.directions = 2, .reverse = true}, &err));
    INSIST(ad_workspace_set_point(w, point, &err));
    INSIST(ad_workspace_primal(w, &err));
    INSIST(ad_workspace_run_gradient(w, &(ad_gradient_request){.output = loss}, &err));
    gradient[b] = number(ad_workspace_gradient(w, x), 4);
    ck_assert(isfinite(gradient[b]) && gradient[b] != 0);
    if (b) ck_assert_double_eq_tol(gradient[b], gradient[0], 1e-14 * fabs(gradient[0]));
    ad_workspace_free(w);
    if (ad_backend_kind(backend) == AD_KIND_F64) {
      INSIST(ad_workspace_new(&w, p, backend, &(ad_workspace_options){.reverse = true, .points = 3}, &err));
      INSIST(ad_workspace_set_point(w, point, &err));
      INSIST(ad_workspace_primal(w, &err));
      ad_workspace_free(w);
    }
    ad_program_free(p);
    ad_point_free(point);
  }
  ad_graph_free(g);
  nothing_left();
}
END_TEST

static ad_node some_input(ad_graph *g, const char *name, ad_shape shape) {
  ad_node n;
  ad_numbers *value = ad_numbers_new();
  ck_assert(value && ad_numbers_push_double(value, 0.7, &err) == AD_OK);
  ck_assert_int_eq(ad_graph_input(g, &n, &(ad_input_spec){.name = name, .shape = shape, .value = value}, &err), AD_OK);
  ad_numbers_free(value);
  return n;
}

static ad_node some_op(ad_graph *g, const char *op, ad_node x, ad_node y) {
  ad_node n;
  const ad_op id = ad_op_find(op);
  ck_assert_int_eq(ad_graph_apply(g, &n, id, (size_t)ad_op_get(id)->min_args, (const ad_node[]){x, y}, 0, NULL, &err),
                   AD_OK);
  return n;
}

/* Scalars side by side and one by one, tensors one by one and, where `large`, fused, and structured operations. */
static ad_graph *every_block(bool large) {
  ad_graph *g;
  ck_assert_int_eq(ad_graph_new(&g, NULL, &err), AD_OK);
  const ad_node s = some_input(g, "s", (ad_shape){0}), m = some_input(g, "m", (ad_shape){2, {3, 3}});
  const ad_node v = some_input(g, "v", (ad_shape){1, {large ? 20000 : 20}});
  ad_node f = s, t = v;
  for (int i = 0; i < 40; i++) f = some_op(g, "add", f, some_op(g, "sin", some_op(g, "mul", s, s), 0));
  for (int i = 0; i < 3; i++) t = some_op(g, "mul", some_op(g, "tanh", t, 0), v);
  f = some_op(g, "add", f, some_op(g, "sum", some_op(g, "softmax", some_op(g, "matmul", m, m), 0), 0));
  f = some_op(g, "add", f, some_op(g, "logsumexp", some_op(g, "exp", m, 0), 0));
  f = some_op(g, "mul", f, some_op(g, "sum", t, 0));
  ck_assert_int_eq(ad_graph_output(g, "f", f, &err), AD_OK);
  return g;
}

/* Everything that a workspace does again and again.  Without assertions, which allocate. */
static ad_status evaluate(ad_workspace *w, ad_node output) {
  static const double half = 0.5;
  ad_status s = ad_workspace_set_input(w, 0, &half, 1, &err);
  if (!s && ad_backend_kind(w->backend) == AD_KIND_F64) s = ad_workspace_set_points(w, 0, &half, 1, 1, &err);
  if (!s) s = ad_workspace_primal(w, &err);
  ad_workspace_clear_seeds(w);
  if (!s) s = ad_workspace_seed_tangent(w, 1, 0, 0, 1, &err);
  if (!s) s = ad_workspace_forward(w, &err);
  if (!s) s = ad_workspace_seed_adjoint(w, output, 0, 1, &err);
  if (!s) s = ad_workspace_reverse(w, &err);
  for (ad_mode mode = AD_MODE_DEFAULT; !s && mode <= AD_MODE_REVERSE; mode++)
    if (ad_backend_supports(w->backend, mode) && (mode != AD_MODE_FORWARD || w->p->input_size < 1000))
      s = ad_workspace_run_gradient(w, &(ad_gradient_request){.output = output, .mode = mode}, &err);
  return s;
}

START_TEST(second_evaluation) {
  bool seen[AD_BLOCK_KERNEL + 1] = {0};
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (int variant = 0; variant < 4; variant++) { /* one point, a block of them, fused, on two threads */
      const bool large = variant >= 2, real = ad_backend_kind(ad_backend_get(b)) == AD_KIND_F64;
      if ((!real && variant) || (large && ad_backend_mode(ad_backend_get(b)) != AD_MODE_REVERSE)) continue;
      ad_graph *g = every_block(large);
      ad_program *p;
      ad_workspace *w;
      const ad_workspace_options o = {
          .directions = 2, .reverse = true, .points = variant == 1 ? 8 : 1, .threads = variant == 3 ? 2 : 1};
      ck_assert_int_eq(ad_program_new(&p, g, NULL, &err), AD_OK);
      ck_assert_int_eq(ad_workspace_new(&w, p, ad_backend_get(b), &o, &err), AD_OK);
      for (size_t i = 0; i < p->block_count; i++) seen[p->block[i].kind] = true;
      const ad_status first = evaluate(w, ad_graph_output_node(g, 0));
      before(0); /* none fails */
      const ad_status second = evaluate(w, ad_graph_output_node(g, 0));
      heap.counting = false;
      ck_assert_msg(!first && !second, "%s", err.message);
      ck_assert_msg(heap.calls == 0, "backend %zu, variant %d: %lu allocations", b, variant, heap.calls);
      const ad_span d = ad_workspace_gradient(w, 0);
      ck_assert(d.count && isfinite(ad_span_double(&d, 0)) && ad_span_double(&d, 0) != 0);
      ad_workspace_free(w);
      ad_program_free(p);
      ad_graph_free(g);
    }
  for (int k = 0; k <= AD_BLOCK_KERNEL; k++) ck_assert_msg(seen[k], "no block of kind %d", k);
}
END_TEST

/* Planned once, run as often as one likes: series and mixed derivatives allocate nothing then. */
START_TEST(series) {
  ad_graph *g = build();
  const ad_node loss = ad_graph_output_node(g, 0);
  static const char *const names[] = {"tape", "mpfr"};
  const ad_variable v[] = {{0, 0}, {0, 4}, {0, 4}, {0, 4}};
  for (size_t b = 0; b < 2; b++) {
    ad_point *direction;
    ad_program *p;
    ad_workspace *w;
    ad_mixed *m;
    double first[2] = {0};
    INSIST(ad_point_new(&direction, g, &err));
    INSIST(ad_point_set_double(direction, 0, (const double[]){0.5}, 1, &err));
    INSIST(ad_program_new(&p, g, NULL, &err));
    INSIST(ad_workspace_new(&w, p, ad_backend_find(names[b]), &(ad_workspace_options){.order = 5}, &err));
    INSIST(ad_workspace_set_input(w, 1, (const double[]){0.7}, 1, &err));
    INSIST(ad_mixed_new(&m, w, &(ad_mixed_request){.order = 2, .count = 2, .variable = v}, &err));
    for (int run = 0; run < 3; run++) {
      before(1); /* the first allocation would fail */
      ad_status status = ad_workspace_primal(w, &err);
      if (!status) status = ad_mixed_run(m, &err);
      if (!status) status = ad_workspace_set_direction(w, direction, &err);
      if (!status) status = ad_workspace_taylor(w, &err);
      heap.counting = false;
      ck_assert_int_eq(status, AD_OK);
      ck_assert_uint_eq(heap.calls, 0);
      const double got[] = {number(ad_workspace_coefficient(w, 5, loss), 0), number(ad_mixed_derivative(m, 0, 0), 0)};
      for (int k = 0; k < 2; k++) {
        ck_assert(isfinite(got[k]) && got[k] != 0);
        if (run) ck_assert_double_eq(got[k], first[k]);
        first[k] = got[k];
      }
    }
    ad_mixed_free(m);
    ad_workspace_free(w);
    ad_program_free(p);
    ad_point_free(direction);
  }
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* Structures, colours and plans; a plan's second run allocates nothing. */
START_TEST(jacobians) {
  ad_graph *g = build();
  ad_program *p;
  ad_jacobian *j;
  ad_sparsity s;
  ad_colouring c;
  INSIST(ad_program_new(&p, g, NULL, &err));
  INSIST(ad_sparsity_jacobian(&s, p, &err));
  for (ad_colour_kind kind = AD_COLOUR_COLUMNS; kind <= AD_COLOUR_BOTH; kind++) {
    INSIST(ad_colour(&c, &s, kind, &err));
    ad_colouring_clear(&c);
  }
  ad_sparsity_clear(&s);
  INSIST(ad_sparsity_hessian(&s, p, &err));
  for (ad_colour_kind kind = AD_COLOUR_STAR; kind <= AD_COLOUR_ACYCLIC; kind++) {
    ad_recovery r;
    INSIST(ad_colour(&c, &s, kind, &err));
    INSIST(ad_recovery_new(&r, &s, &c, &err));
    ad_recovery_clear(&r);
    ad_colouring_clear(&c);
  }
  ad_sparsity_clear(&s);
  for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
    for (int kind = 0; kind < 4; kind++) {
      const ad_jacobian_options o = {.mode = mode, .sparse = kind & 1};
      INSIST(ad_jacobian_new(&j, p, kind & 2 ? ad_backend_find("mpfr") : NULL, &o, &err));
      const double at = 0.25;
      INSIST(ad_workspace_set_input(ad_jacobian_workspace(j), 1, &at, 1, &err));
      INSIST(ad_jacobian_run(j, &err));
      const double first = number(ad_jacobian_values(j), 0);
      before(1);
      const ad_status again = ad_jacobian_run(j, &err);
      heap.counting = false;
      ck_assert_int_eq(again, AD_OK);
      ck_assert_uint_eq(heap.calls, 0);
      ck_assert_double_eq(number(ad_jacobian_values(j), 0), first);
      ad_jacobian_free(j);
    }
  ad_program_free(p);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

START_TEST(differentiating) {
  ad_graph *g = build(), *d, *dd;
  const size_t loss = 0, last = ad_graph_output_count(g) - 1;
  INSIST(ad_graph_gradient(&d, g, &(ad_derivative_request){.output_count = 1, .output = &last}, &err));
  INSIST(ad_graph_vjp(&dd, d, NULL, &err));
  ad_graph_free(dd);
  ad_graph_free(d);
  INSIST(ad_graph_gradient(&d, g,
                           &(ad_derivative_request){.output_count = 1,
                                                    .output = &loss,
                                                    .wrt_count = 2,
                                                    .wrt = (ad_node[]){0, 1},
                                                    .seed_count = 1,
                                                    .weight = (double[]){2}},
                           &err));
  ad_graph_free(d);
  INSIST(ad_graph_jvp(&d, g, &(ad_derivative_request){.output_count = 1, .output = &loss}, &err));
  ad_graph_free(d);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* The second run of each kind allocates nothing, in double and in MPFR. */
START_TEST(hessians) {
  ad_graph *g = build();
  const size_t last = ad_graph_output_count(g) - 1;
  ad_point *point;
  INSIST(ad_point_new(&point, g, &err));
  INSIST(ad_point_set_double(point, 1, (const double[]){0.3}, 1, &err));
  for (size_t b = 0; b < ad_backend_count(); b++) {
    ad_hessian *h;
    const ad_hessian_options o = {
        .of = {.output_count = 1, .output = &last}, .sparse = b == 1, .columns = b == 1 ? 3 : 0};
    INSIST(ad_hessian_new(&h, g, ad_backend_get(b), &o, &err));
    const double seed[6] = {1, 2, 3};
    for (int k = 0; k < 2; k++) {
      before(0);
      ad_status s = ad_hessian_set_point(h, point, &err);
      if (!s) s = ad_hessian_run(h, &err);
      if (!s) s = ad_hessian_products(h, seed, 1, &err);
      heap.counting = false;
      ck_assert_msg(!s, "%s", err.message);
      ck_assert_msg(!k || heap.calls == 0, "backend %zu: %lu allocations", b, heap.calls);
    }
    ck_assert_double_ne(number(ad_hessian_values(h), 0), 0);
    ad_hessian_free(h);
  }
  ad_point_free(point);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

START_TEST(checking) {
  ad_graph *g;
  ad_node x, y;
  static const char *const texts[] = {"0.7"};
  INSIST(ad_graph_new(&g, NULL, &err));
  ad_numbers *n = numbers(texts, 1);
  INSIST(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = {1, {2}}, .value = n}, &err));
  ad_numbers_free(n);
  y = apply(g, "sum", 1, (ad_node[]){apply(g, "tanh", 1, &x, 0, NULL)}, 0, NULL);
  INSIST(ad_graph_output(g, "y", y, &err));
  ad_check_report r;
  INSIST(ad_check(&r, g, NULL, NULL, &err));
  ck_assert_int_eq(r.verdict, AD_VERDICT_PASS);
  ad_check_clear(&r);
  INSIST(ad_check(&r, g, NULL, &(ad_check_options){.max_entries = 1, .probes = 2}, &err));
  ck_assert_int_eq(r.verdict, AD_VERDICT_PASS);
  ad_check_clear(&r);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* Every format that keeps all of a graph, to memory and back. */
START_TEST(formats) {
  ad_graph *g = build(), *back;
  ad_limits limits = {0};
  for (size_t i = 0; i < ad_format_count(); i++) {
    if (!ad_format_get(i)->lossless) continue;
    for (int plain = 0; plain < 2; plain++) {
      const ad_write_options o = {.format = ad_format_get(i)->name, .explicit_nodes = plain, .stored = plain};
      void *bytes;
      size_t size;
      INSIST(ad_graph_write(g, &bytes, &size, &o, &err));
      INSIST(ad_graph_read(&back, bytes, size, "memory", &limits, &err));
      expect_equal(g, back);
      ad_graph_free(back);
      ad_free(bytes);
    }
  }
  char hex[65], other[65];
  INSIST(ad_graph_hash(g, hex, &err));
  INSIST(ad_graph_hash(g, other, &err));
  ck_assert_str_eq(hex, other);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* Formats without tensors, from a graph that has some and back; and a picture. */
START_TEST(scalar_formats) {
  static const char text[] =
      "adtool: 1\ninputs: {x: [1, 2, 3], y: 1/3}\nnodes: {z: \"where(x[0] < y, max(x[1], 0.1), y^2)\"}\n"
      "outputs: {a: sum(x) + mean(x*y) + z, b: \"2*x[1:]\"}\n";
  ad_graph *g, *back, *second;
  void *bytes, *third;
  size_t size, third_size;
  INSIST(ad_graph_read(&g, text, sizeof text - 1, "memory.yaml", NULL, &err));
  static const char *const names[] = {"cppad", "nl"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const ad_write_options o = {.format = names[i]};
    INSIST(ad_graph_write(g, &bytes, &size, &o, &err));
    INSIST(ad_graph_read(&back, bytes, size, "memory", NULL, &err));
    ad_free(bytes);
    INSIST(ad_graph_write(back, &bytes, &size, &o, &err));
    INSIST(ad_graph_read(&second, bytes, size, "memory", NULL, &err));
    INSIST(ad_graph_write(second, &third, &third_size, &o, &err));
    ck_assert_uint_eq(size, third_size);
    ck_assert_mem_eq(bytes, third, size);
    ad_free(bytes);
    ad_free(third);
    ad_graph_free(back);
    ad_graph_free(second);
  }
  INSIST(ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = "dot"}, &err));
  ad_free(bytes);
  ad_graph_free(g);
  nothing_left();
}
END_TEST

/* Infix of every kind. */
static const char yaml[] =
    "adtool: 1\n"
    "name: all of it\n"
    "dims: {n: 3}\n"
    "inputs:\n"
    "  x: {shape: [n], value: [1, 0.1, 1/3]}\n"
    "  W: {shape: [2, n], fill: 0.5, diff: no}\n"
    "nodes:\n"
    "  h: tanh(W @ x - 0.1) ^ 2\n"
    "  s: {op: sum, args: [h], axis: [0], keepdims: yes}\n"
    "  t: where(x[0] < 2, -x[1:] * pi, x[:2] / 3)\n"
    "  u: max(x, 0x1p-3) + W[1, :]\n"
    "outputs:\n"
    "  a: sum(s) + logsumexp(t, axis=0)\n"
    "  b: u\n";

START_TEST(infix_and_files) {
  ad_graph *g, *back;
  INSIST(ad_graph_read(&g, yaml, sizeof yaml - 1, "memory.yaml", NULL, &err));
  char folder[] = "/tmp/check_alloc.XXXXXX", path[80];
  ck_assert_ptr_nonnull(mkdtemp(folder));
  static const char *const names[] = {"g.yaml", "g.adg"};
  for (int k = 0; k < 2; k++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[k]);
    INSIST(ad_graph_save(g, path, NULL, &err));
    INSIST(ad_graph_load(&back, path, NULL, &err));
    expect_equal(g, back);
    ad_graph_free(back);
  }
  snprintf(path, sizeof path, "%s/p.yaml", folder);
  FILE *f = fopen(path, "w");
  fputs("x: [1, 2, 3]\nW: 4\n", f);
  fclose(f);
  ad_point *p;
  INSIST(ad_point_new(&p, g, &err));
  INSIST(ad_point_load(p, path, &err));
  INSIST(ad_point_set_text(p, "x", "[0.1, 1/3, pi]", &err));
  ad_point_free(p);
  ad_graph_free(g);
  /* No temporary file is left of all the failures. */
  DIR *d = opendir(folder);
  for (struct dirent *entry; (entry = readdir(d));) {
    if (entry->d_name[0] == '.' && strspn(entry->d_name, ".") == strlen(entry->d_name)) continue;
    ck_assert_msg(
        !strcmp(entry->d_name, names[0]) || !strcmp(entry->d_name, names[1]) || !strcmp(entry->d_name, "p.yaml"),
        "'%s' was left behind", entry->d_name);
    snprintf(path, sizeof path, "%s/%.40s", folder, entry->d_name);
    unlink(path);
  }
  closedir(d);
  rmdir(folder);
  nothing_left();
}
END_TEST

START_TEST(onnx) {
  ad_graph *g;
  char path[900];
  const char *root = getenv("ADTOOL_SRCDIR");
  snprintf(path, sizeof path, "%s/tests/examples/net.onnx", root ? root : ".");
  if (!ad_graph_load(&g, path, NULL, &err)) {
    ad_graph_free(g);
    INSIST(ad_graph_load(&g, path, NULL, &err));
    ad_graph_free(g);
  } else {
    ck_assert_msg(strstr(err.message, "built without ONNX") != NULL, "%s", err.message);
  }
  nothing_left();
}
END_TEST

/* Each pass has something to do. */
static const char optimizable[] =
    "adtool: 1\n"
    "inputs: {x: 1, v: {shape: [3], value: [0.1, 1/3, pi]}}\n"
    "nodes:\n"
    "  a: x*1 - (-x)\n"
    "  b: concat(stack(1, pi), stack(2)*3)*v\n"
    "  c: transpose(transpose(stack(v, v + div(1, 7))))\n"
    "  d: v + div(1, 7)\n"
    "  e1: stack(x) - pi\n"
    "  f: neg(1/3)*x\n"
    "  dead: sin(x)\n"
    "outputs: {p: a, q: b, r: c, s: d + d, t: e1, u: f, w: -(-x)}\n";

START_TEST(passes) {
  ad_graph *small, *g[2], *o, *want;
  INSIST(ad_graph_read(&small, optimizable, sizeof optimizable - 1, "memory.yaml", NULL, &err));
  g[0] = small;
  g[1] = build();
  for (int k = 0; k < 2; k++) {
    const ad_node keep[2] = {ad_graph_output_node(g[k], 0), 0};
    for (uint32_t mask = 0; mask < 1u << ad_pass_count(); mask++)
      for (size_t kept = 0; kept < 3; kept += 2) {
        const ad_optimize_options options = {.passes = mask, .keep_count = kept, .keep = keep};
        INSIST(ad_graph_optimize(&o, g[k], &options, &err));
        ck_assert_int_eq(ad_graph_optimize(&want, g[k], &options, &err), AD_OK);
        expect_equal(o, want);
        ad_graph_free(o);
        ad_graph_free(want);
      }
    ad_graph_free(g[k]);
  }
  nothing_left();
}
END_TEST

/* Wrong input while memory is short: one error or the other, never both, and nothing stays. */
START_TEST(wrong_input) {
  static const char *const wrong[] = {"adtool: 1\ninputs: {x: 1}\nnodes:\n  y: sin(x) + z\noutputs: [y]\n",
                                      "adtool: 1\ninputs: {x: 1}\nnodes: {a: b + x, b: sin(a)}\noutputs: [a]\n",
                                      "adtool: 1\ninputs: {x: [1, 2]}\nnodes: {a: x @ x @ x}\noutputs: [a]\n",
                                      "adtool: 1\ninputs: {x: 1, x: 2}\n", "\211ADG\r\n\032\n"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    for (unsigned long n = 1;; n++) {
      ad_graph *g = NULL;
      before(n);
      ad_status s = ad_graph_read(&g, wrong[i], strlen(wrong[i]), "wrong", NULL, &err);
      heap.counting = false;
      ck_assert_ptr_null(g);
      ck_assert_int_eq(s, heap.failed ? AD_ENOMEM : AD_EINPUT);
      ck_assert_int_eq(err.code, s);
      ck_assert_uint_eq(heap.alive, 0);
      if (s == AD_EINPUT) break;
      failures++;
    }
  nothing_left();
}
END_TEST

static void double_it(void *context, size_t task, unsigned thread) {
  (void)thread;
  ((size_t *)context)[task] = 2 * task;
}

START_TEST(threads) {
  ad_team *t;
  size_t twice[100] = {0};
  INSIST(ad_team_new(&t, 3, NULL, &err));
  before(1); /* a run allocates nothing */
  ad_team_run(t, double_it, twice, 100);
  heap.counting = false;
  ck_assert_uint_eq(heap.calls, 0);
  for (size_t i = 0; i < 100; i++) ck_assert_uint_eq(twice[i], 2 * i);
  ad_team_free(t);
  nothing_left();
}
END_TEST

int main(void) {
  Suite *s = suite_create("memory");
  TCase *t = tcase_create("each allocation fails once");
  tcase_set_timeout(t, 300);
  tcase_add_test(t, building);
  tcase_add_test(t, evaluating);
  tcase_add_test(t, second_evaluation);
  tcase_add_test(t, series);
  tcase_add_test(t, jacobians);
  tcase_add_test(t, differentiating);
  tcase_add_test(t, hessians);
  tcase_add_test(t, checking);
  tcase_add_test(t, formats);
  tcase_add_test(t, scalar_formats);
  tcase_add_test(t, infix_and_files);
  tcase_add_test(t, onnx);
  tcase_add_test(t, passes);
  tcase_add_test(t, wrong_input);
  tcase_add_test(t, threads);
  suite_add_tcase(s, t);
  return suite_run(s);
}
