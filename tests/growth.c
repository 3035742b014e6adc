/* For tests/growth.sh: graphs of n, 2n and 4n parts are made, written, read, planned and run, and callgrind writes down
 * the instructions of each step by itself, as "FAMILY STEP SIZE".
 *   growth              all families
 *   growth FAMILY [N]   one, from N parts on
 *   growth can          fails where callgrind can't count */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "mem.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
enum { HEADER = true };
#else
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(label) (void)(label)
enum { HEADER = false };
#endif

#ifdef __has_feature
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(memory_sanitizer))
#elif defined __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum { PARTS = 72, SIZES = 3, MANY = 1 << 13, WIDE = 18 };

/* ---- Graphs of n parts */

typedef struct maker {
  ad_graph *g;
  ad_node x, part[MANY + 1];
} maker;
static maker m;

static ad_node apply(const char *op, size_t nargs, const ad_node *args, size_t nattrs, const ad_attr *attrs) {
  ad_node z;
  bench_must(ad_graph_apply(m.g, &z, ad_op_find(op), nargs, args, nattrs, attrs, &bench_error));
  return z;
}

static ad_node op1(const char *op, ad_node x) {
  return apply(op, 1, &x, 0, NULL);
}

static ad_node op2(const char *op, ad_node x, ad_node y) {
  return apply(op, 2, (ad_node[]){x, y}, 0, NULL);
}

static ad_node num(double v) {
  ad_node z;
  bench_must(ad_graph_constant_double(m.g, &z, v, &bench_error));
  return z;
}

static ad_attr list(const char *name, size_t count, const int64_t *value) {
  return (ad_attr){name, {1, {(int64_t)count}}, value};
}

/* Elements from i to before end of a vector; of one element, a scalar. */
static ad_node slice(ad_node x, size_t i, size_t end) {
  const int64_t start = (int64_t)i, stop = (int64_t)end, axis = 0;
  const ad_attr attrs[] = {list("start", 1, &start), list("stop", 1, &stop), list("squeeze", 1, &axis)};
  return apply("slice", 1, &x, end == i + 1 ? 3 : 2, attrs);
}

static ad_node element(ad_node x, size_t i) {
  return slice(x, i, i + 1);
}

/* Numbers without a pattern that sums would meet. */
static ad_numbers *some_numbers(size_t n) {
  ad_numbers *v = ad_numbers_new();
  if (!v) bench_fail("out of memory");
  for (size_t i = 0; i < n; i++) bench_must(ad_numbers_push_double(v, (double)((i * 37) % 64) / 64 + 1, &bench_error));
  return v;
}

static ad_node constants(size_t n) {
  ad_node z;
  ad_numbers *v = some_numbers(n);
  bench_must(ad_graph_constant(m.g, &z, &(ad_shape){1, {(int64_t)n}}, v, AD_EXACT, &bench_error));
  ad_numbers_free(v);
  return z;
}

static ad_node input(const char *name, ad_shape shape) {
  ad_node z;
  ad_numbers *v = some_numbers((size_t)ad_shape_size(&shape));
  bench_must(ad_graph_input(m.g, &z, &(ad_input_spec){.name = name, .shape = shape, .value = v}, &bench_error));
  ad_numbers_free(v);
  return z;
}

/* All have one digit count, so that texts grow with n alone. */
static const char *name_of(const char *kind, size_t i) {
  static char name[32];
  snprintf(name, sizeof name, "%s%05zu", kind, i);
  return name;
}

static void begin(void) {
  bench_must(ad_graph_new(&m.g, NULL, &bench_error));
}

static void start(size_t n) {
  begin();
  m.x = input("x", (ad_shape){1, {(int64_t)n}});
}

static ad_node stack(size_t n) {
  return apply("stack", n, m.part, 0, NULL);
}

static ad_graph *finish(ad_node z) {
  bench_must(ad_graph_output(m.g, "f", z, &bench_error));
  return m.g;
}

static ad_node balanced(size_t n) {
  for (; n > 1; n = (n + 1) / 2) {
    for (size_t i = 0; i < n / 2; i++) m.part[i] = op2("add", m.part[2 * i], m.part[2 * i + 1]);
    if (n & 1) m.part[n / 2] = m.part[n - 1];
  }
  return m.part[0];
}

/* sum of c_i (x_i + x_(i+1))^2, each c_i another integer. */
static ad_graph *distinct_constants(size_t n) {
  start(n);
  for (size_t i = 0; i < n; i++) m.part[i] = element(m.x, i);
  for (size_t i = 0; i + 1 < n; i++)
    m.part[i] = op2("mul", num(1000 + (double)i), op1("sqr", op2("add", m.part[i], m.part[i + 1])));
  return finish(balanced(n - 1));
}

/* Pieces of a computed vector. */
static ad_graph *slices(size_t n) {
  start(n + 2);
  const ad_node y = op1("sin", m.x);
  for (size_t i = 0; i < n; i++) m.part[i] = op1("sum", op1("sqr", op1("sum", slice(y, i, i + 3))));
  return finish(op1("sum", stack(n)));
}

/* The same from a table of constants. */
static ad_graph *slices_of_constants(size_t n) {
  start(n);
  const ad_node c = constants(n);
  for (size_t i = 0; i < n; i++) m.part[i] = op2("mul", element(c, i), op1("exp", element(m.x, i)));
  return finish(op1("sum", stack(n)));
}

/* (w . some elements)^2, at every fourth place. */
static ad_graph *gathers(size_t n) {
  int64_t index[WIDE];
  start(n);
  const ad_node weights = constants(WIDE);
  for (size_t i = 0; i < n / 4; i++) {
    for (size_t k = 0; k < WIDE; k++) index[k] = (int64_t)((4 * i + k) % n);
    const ad_attr table = list("indices", WIDE, index);
    m.part[i] = op1("sqr", op2("dot", weights, apply("gather", 1, &m.x, 1, &table)));
  }
  return finish(op1("sum", stack(n / 4)));
}

/* f_0 = x . x, f_i = x_i x_0. */
static ad_graph *long_row(size_t n) {
  start(n);
  const ad_node first = element(m.x, 0);
  m.part[0] = op2("dot", m.x, m.x);
  for (size_t i = 1; i < n; i++) m.part[i] = op2("mul", element(m.x, i), first);
  return finish(stack(n));
}

/* Each output, with a name, takes two inputs with names. */
static ad_graph *names(size_t n) {
  begin();
  for (size_t i = 0; i <= n; i++) m.part[i] = input(name_of("input", i), (ad_shape){0});
  for (size_t i = 0; i < n; i++) {
    m.part[i] = op2("add", op1("sin", m.part[i]), op2("mul", m.part[i], m.part[i + 1]));
    bench_must(ad_graph_set_node_name(m.g, m.part[i], name_of("node", i), &bench_error));
  }
  for (size_t i = 0; i < n; i++) bench_must(ad_graph_output(m.g, name_of("output", i), m.part[i], &bench_error));
  return m.g;
}

static ad_graph *metadata(size_t n) {
  start(1);
  for (size_t i = 0; i < n; i++) bench_must(ad_graph_set_meta(m.g, name_of("key", i), "text", &bench_error));
  return finish(op1("sum", m.x));
}

static ad_graph *outputs(size_t n) {
  start(n);
  for (size_t i = 0; i < n; i++)
    bench_must(ad_graph_output(m.g, name_of("output", i), op1("cos", element(m.x, i)), &bench_error));
  return m.g;
}

static ad_graph *chain(size_t n) {
  start(1);
  ad_node z = element(m.x, 0);
  for (size_t i = 0; i < n; i++) z = op1("sin", op2("add", z, num(0.5)));
  return finish(z);
}

/* s <- s + x_i x_(i+1), a sum from left to right. */
static ad_graph *chain_of_sums(size_t n) {
  start(n + 1);
  ad_node last = element(m.x, 0), sum = last;
  for (size_t i = 1; i <= n; i++) {
    const ad_node x = element(m.x, i);
    sum = op2("add", sum, op2("mul", last, x));
    last = x;
  }
  return finish(sum);
}

static ad_graph *huge_sum(size_t n) {
  start(n);
  for (size_t i = 0; i < n; i++) m.part[i] = op1("exp", element(m.x, i));
  return finish(op1("sum", stack(n)));
}

/* One node that all others use. */
static ad_graph *many_uses(size_t n) {
  start(1);
  const ad_node y = op1("sin", element(m.x, 0));
  for (size_t i = 0; i < n; i++) m.part[i] = op2("pow", y, num(2 + (double)i / 1024));
  return finish(balanced(n));
}

static ad_graph *tensors(size_t n) {
  start(n);
  ad_node y = op1("exp", m.x);
  for (int i = 0; i < 4; i++) y = op2("mul", op1("tanh", y), m.x);
  return finish(op1("sum", y));
}

/* Tensors that are there at once; from behind, every second one is read for the last time, then the others are. */
static ad_graph *lifetimes(size_t n) {
  start(n + 7);
  for (size_t i = 0; i < n; i++) m.part[i] = op1("exp", slice(m.x, i, i + 8));
  for (size_t i = n; i-- > 0;)
    if (i & 1) m.part[i] = op1("sum", m.part[i]);
  for (size_t i = 0; i < n; i += 2) m.part[i] = op1("sum", m.part[i]);
  return finish(balanced(n));
}

/* Different shapes of 16 elements: the axes of four factors 2, in rising order, count up. */
static ad_graph *shapes(size_t n) {
  enum { TWOS = 4 };
  int axis[TWOS] = {0};
  start(1);
  const ad_node y = op1("sin", m.x);
  for (size_t i = 0; i < n; i++) {
    int64_t dim[AD_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (int k = 0; k < TWOS; k++) dim[axis[k]] *= 2;
    const ad_attr shape = list("shape", AD_MAX_RANK, dim);
    m.part[i] = op1("sum", apply("broadcast_to", 1, &y, 1, &shape));
    int last = TWOS - 1;
    while (last > 0 && axis[last] == AD_MAX_RANK - 1) last--;
    for (int k = last, to = axis[last] + 1; k < TWOS; k++) axis[k] = to;
  }
  return finish(balanced(n));
}

/* ---- As AMPL writes sums of linear forms of defined variables */

static ad_buffer defined_variables(size_t n) {
  ad_buffer b = {0};
  const size_t defined = n / 4;
  ad_buffer_printf(&b,
                   "g3 1 1 0\n %zu 0 1 0 0\n 0 1\n 0 0\n 0 %zu 0\n 0 0 0 1\n 0 0 0 0 0\n 0 %zu\n 0 0\n 0 0 0 %zu 0\n",
                   n, n, n, defined);
  for (size_t i = 0; i < defined; i++) {
    ad_buffer_printf(&b, "V%zu %d 0\n", n + i, WIDE);
    for (size_t k = 0; k < WIDE; k++) ad_buffer_printf(&b, "%zu %zu\n", (4 * i + k) % n, 1 + k);
    ad_buffer_printf(&b, "n0\n");
  }
  ad_buffer_printf(&b, "O0 0\no54\n%zu\n", defined);
  for (size_t i = 0; i < defined; i++) ad_buffer_printf(&b, "o5\nv%zu\nn2\n", n + i);
  ad_buffer_printf(&b, "x%zu\n", n);
  for (size_t i = 0; i < n; i++) ad_buffer_printf(&b, "%zu 0.5\n", i);
  ad_buffer_printf(&b, "b\n");
  for (size_t i = 0; i < n; i++) ad_buffer_printf(&b, "3\n");
  ad_buffer_printf(&b, "k%zu\n", n - 1);
  for (size_t i = 0; i + 1 < n; i++) ad_buffer_printf(&b, "0\n");
  ad_buffer_printf(&b, "G0 %zu\n", n);
  for (size_t i = 0; i < n; i++) ad_buffer_printf(&b, "%zu 0\n", i);
  return b;
}

/* ---- Steps */

enum {
  ADG = 1,
  YAML = 2,
  NL = 4,
  CPPAD = 8,
  FILES = ADG | YAML | NL | CPPAD,
  HESSIAN = 16, /* the output is a scalar */
  REVERSE = 32
};

typedef struct family {
  const char *name;
  unsigned steps;
  ad_graph *(*make)(size_t n);
  ad_buffer (*text)(size_t n); /* instead */
} family;

static const family families[] = {
    {"distinct constants", FILES | HESSIAN, distinct_constants, NULL},
    {"slices", FILES | HESSIAN, slices, NULL},
    {"slices of constants", FILES | HESSIAN, slices_of_constants, NULL},
    {"gathers", FILES | HESSIAN | REVERSE, gathers, NULL},
    {"defined variables", HESSIAN, NULL, defined_variables},
    {"long row", FILES, long_row, NULL},
    {"names", FILES, names, NULL},
    {"metadata", ADG | YAML, metadata, NULL},
    {"outputs", FILES, outputs, NULL},
    {"chain", FILES | HESSIAN, chain, NULL},
    {"chain of sums", FILES | HESSIAN, chain_of_sums, NULL},
    {"huge sum", FILES | HESSIAN, huge_sum, NULL},
    {"many uses", FILES | HESSIAN, many_uses, NULL},
    {"tensors", ADG | YAML | HESSIAN, tensors, NULL},
    {"lifetimes", 0, lifetimes, NULL},
    {"shapes", ADG | YAML | HESSIAN, shapes, NULL},
};

static struct {
  const char *family;
  size_t n;
  bool points;
} at;

static void dump(const char *step) {
  char label[100];
  snprintf(label, sizeof label, "%s: %s%s %zu", at.family, step, at.points ? " at points" : "", at.n);
  CALLGRIND_DUMP_STATS_AT(label);
}

/* What follows is counted. */
#define COUNT(step, call)     \
  do {                        \
    CALLGRIND_TOGGLE_COLLECT; \
    bench_must(call);         \
    CALLGRIND_TOGGLE_COLLECT; \
    dump(step);               \
  } while (0)

static void through_file(const ad_graph *g, const char *format) {
  char step[40];
  void *bytes;
  size_t size;
  ad_graph *back;
  snprintf(step, sizeof step, "write %s", format);
  COUNT(step, ad_graph_write(g, &bytes, &size, &(ad_write_options){.format = format, .stored = !strcmp(format, "adg")},
                             &bench_error));
  snprintf(step, sizeof step, "read %s", format);
  COUNT(step, ad_graph_read(&back, bytes, size, "memory", NULL, &bench_error));
  ad_graph_free(back);
  ad_free(bytes);
}

static void as_graphs(const ad_graph *g, bool scalar) {
  ad_graph *made;
  COUNT("optimize", ad_graph_optimize(&made, g, NULL, &bench_error));
  ad_graph_free(made);
  if (scalar) {
    COUNT("gradient graph", ad_graph_gradient(&made, g, NULL, &bench_error));
    ad_graph_free(made);
  }
  COUNT("vjp graph", ad_graph_vjp(&made, g, NULL, &bench_error));
  ad_graph_free(made);
  COUNT("jvp graph", ad_graph_jvp(&made, g, NULL, &bench_error));
  ad_graph_free(made);
}

static void notice(void *context, ad_node n, size_t element, unsigned what) {
  (void)context, (void)n, (void)element, (void)what;
}

static void sweeps(const ad_program *p, const char *backend, ad_workspace_options o) {
  char step[60];
  ad_workspace *w;
  snprintf(step, sizeof step, "open %s", backend);
  COUNT(step, ad_workspace_new(&w, p, ad_backend_find(backend), &o, &bench_error));
  snprintf(step, sizeof step, "values by %s", backend);
  COUNT(step, ad_workspace_primal(w, &bench_error));
  if (o.directions) {
    bench_must(ad_workspace_seed_tangent(w, 0, 0, 0, 1, &bench_error));
    COUNT("tangents", ad_workspace_forward(w, &bench_error));
  }
  if (o.reverse) {
    const ad_node z = ad_program_output(p, 0);
    snprintf(step, sizeof step, "gradient by %s", backend);
    COUNT(step, ad_workspace_run_gradient(
                    w, &(ad_gradient_request){.output = z, .seed_count = 1, .mode = AD_MODE_REVERSE}, &bench_error));
  }
  if (o.order) {
    bench_must(ad_workspace_seed_coefficient(w, 1, 0, 0, 1, &bench_error));
    COUNT("series", ad_workspace_taylor(w, &bench_error));
  }
  if (o.points < 2) {
    CALLGRIND_TOGGLE_COLLECT;
    ad_workspace_diagnose(w, notice, NULL);
    CALLGRIND_TOGGLE_COLLECT;
    snprintf(step, sizeof step, "notices by %s", backend);
    dump(step);
  }
  ad_workspace_free(w);
}

static void matrices(const family *f, const ad_graph *g, const ad_program *p) {
  ad_jacobian *j;
  ad_hessian *h;
  COUNT("plan a Jacobian", ad_jacobian_new(&j, p, NULL, &(ad_jacobian_options){.sparse = true}, &bench_error));
  COUNT("run a Jacobian", ad_jacobian_run(j, &bench_error));
  ad_jacobian_free(j);
  COUNT("plan a Jacobian in MPFR",
        ad_jacobian_new(&j, p, ad_backend_find("mpfr"), &(ad_jacobian_options){.sparse = true, .precision = 64},
                        &bench_error));
  COUNT("run a Jacobian in MPFR", ad_jacobian_run(j, &bench_error));
  ad_jacobian_free(j);
  if (!(f->steps & HESSIAN)) return;
  COUNT("plan a Hessian", ad_hessian_new(&h, g, NULL, &(ad_hessian_options){.sparse = true}, &bench_error));
  COUNT("run a Hessian", ad_hessian_run(h, &bench_error));
  ad_hessian_free(h);
  if (!(f->steps & REVERSE)) return;
  const ad_hessian_options backwards = {.sparse = true, .mode = AD_MODE_REVERSE};
  bench_must(ad_hessian_new(&h, g, NULL, &backwards, &bench_error));
  COUNT("run a Hessian in reverse", ad_hessian_run(h, &bench_error));
  ad_hessian_free(h);
}

static void grow(const family *f, size_t n) {
  ad_graph *g;
  ad_program *p;
  const bool scalar = f->steps & HESSIAN;
  at.family = f->name, at.n = n, at.points = false;
  if (f->text) {
    ad_buffer b = f->text(n);
    COUNT("read", ad_graph_read(&g, b.data, b.size, "memory", NULL, &bench_error));
    ad_buffer_clear(&b);
  } else {
    CALLGRIND_TOGGLE_COLLECT;
    g = f->make(n);
    CALLGRIND_TOGGLE_COLLECT;
    dump("make");
  }
  static const char *const format[] = {"adg", "yaml", "nl", "cppad"};
  for (unsigned i = 0; i < 4; i++)
    if (f->steps >> i & 1) through_file(g, format[i]);
  as_graphs(g, scalar);
  COUNT("program", ad_program_new(&p, g, NULL, &bench_error));
  sweeps(p, "tape", (ad_workspace_options){.reverse = true, .directions = 1, .order = 3});
  sweeps(p, "mpfr", (ad_workspace_options){.reverse = true, .precision = 64});
  matrices(f, g, p);
  ad_program_free(p);
  const ad_program_options values = {.outputs_only = true, .values_only = true};
  COUNT("program of values", ad_program_new(&p, g, &values, &bench_error));
  ad_program_free(p);
  at.points = true;
  COUNT("program", ad_program_new(&p, g, &(ad_program_options){.outputs_only = true}, &bench_error));
  sweeps(p, "tape", (ad_workspace_options){.reverse = true, .points = 16});
  ad_program_free(p);
  ad_graph_free(g);
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "can")) return HEADER && !SANITIZED ? 0 : 1;
  const size_t first = argc > 2 ? (size_t)atoi(argv[2]) : PARTS;
  if (first < WIDE || first > MANY >> (SIZES - 1)) bench_fail("%zu parts are too few or too many", first);
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
    for (size_t k = 0; k < SIZES; k++)
      if (argc < 2 || !strcmp(argv[1], families[i].name)) grow(&families[i], first << k);
  return 0;
}
