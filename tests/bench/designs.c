/* Designs of a tape for scalars, each as plainly as it can be written: what adtool's is chosen from
 * (doc/performance.md). */
#include <math.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/hand.h"

typedef struct interpreter {
  const code *c;
  double *value, *adjoint;
  double *kept; /* both partials of each */
} interpreter;

static void start_values(const interpreter *t) {
  memcpy(t->value, t->c->x, t->c->inputs * sizeof *t->value);
}

static void start_adjoints(const interpreter *t) {
  memset(t->adjoint, 0, t->c->count * sizeof *t->adjoint);
  t->adjoint[t->c->count - 1] = 1;
}

/* ---- A switch at each operation, forwards and backwards; partials from the values */

static void by_switch(void *state) {
  const interpreter *t = state;
  const code *c = t->c;
  double *value = t->value, *adjoint = t->adjoint;
  start_values(t);
  for (size_t i = c->inputs; i < c->count; i++) switch (c->op[i]) {
      case CODE_NUMBER:
        value[i] = c->number[c->a[i]];
        break;
#define O(ID, NAME, ARGS, VALUE, ...)                    \
  case CODE_##ID: {                                      \
    const double x = value[c->a[i]], y = value[c->b[i]]; \
    (void)y;                                             \
    value[i] = VALUE;                                    \
    break;                                               \
  }
        CODE_OPS(O)
#undef O
    }
  start_adjoints(t);
  for (size_t i = c->count; i-- > c->inputs;) switch (c->op[i]) {
#define O(ID, NAME, ARGS, VALUE, DX, DY, ...)                          \
  case CODE_##ID: {                                                    \
    const double x = value[c->a[i]], y = value[c->b[i]], z = value[i]; \
    (void)x, (void)y, (void)z;                                         \
    adjoint[c->a[i]] += adjoint[i] * (DX);                             \
    if (ARGS == 2) adjoint[c->b[i]] += adjoint[i] * (DY);              \
    break;                                                             \
  }
      CODE_OPS(O)
#undef O
    }
}

/* ---- Threaded: each operation jumps to the next one's code by itself, so that each has its own branch to predict
 * (Bell, Threaded code, CACM 16, 1973) */

static void by_threads(void *state) {
  const interpreter *t = state;
  const code *c = t->c;
  double *value = t->value, *adjoint = t->adjoint;
  static void *const forward[] = {[CODE_NUMBER] = &&forward_NUMBER,
#define O(ID, ...) [CODE_##ID] = &&forward_##ID,
                                  CODE_OPS(O)
#undef O
  };
  static void *const back[] = {[CODE_INPUT] = &&done,
                               [CODE_NUMBER] = &&back_NUMBER,
#define O(ID, ...) [CODE_##ID] = &&back_##ID,
                               CODE_OPS(O)
#undef O
  };
  start_values(t);
  size_t i = c->inputs;
#define NEXT                      \
  if (++i == c->count) goto turn; \
  goto *forward[c->op[i]]
  goto *forward[c->op[i]];
forward_NUMBER:
  value[i] = c->number[c->a[i]];
  NEXT;
#define O(ID, NAME, ARGS, VALUE, ...)                    \
  forward_##ID : {                                       \
    const double x = value[c->a[i]], y = value[c->b[i]]; \
    (void)y;                                             \
    value[i] = VALUE;                                    \
    NEXT;                                                \
  }
  CODE_OPS(O)
#undef O
#undef NEXT
turn:
  start_adjoints(t);
#define NEXT goto *back[c->op[--i]]
  NEXT;
back_NUMBER:
  NEXT;
#define O(ID, NAME, ARGS, VALUE, DX, DY, ...)                          \
  back_##ID : {                                                        \
    const double x = value[c->a[i]], y = value[c->b[i]], z = value[i]; \
    (void)x, (void)y, (void)z;                                         \
    adjoint[c->a[i]] += adjoint[i] * (DX);                             \
    if (ARGS == 2) adjoint[c->b[i]] += adjoint[i] * (DY);              \
    NEXT;                                                              \
  }
  CODE_OPS(O)
#undef O
#undef NEXT
done:;
}

/* ---- Partials kept: a switch on the way forwards, and no branch on the way back */

static void by_kept(void *state) {
  const interpreter *t = state;
  const code *c = t->c;
  double *value = t->value, *adjoint = t->adjoint, *kept = t->kept;
  start_values(t);
  for (size_t i = c->inputs; i < c->count; i++) switch (c->op[i]) {
      case CODE_NUMBER:
        value[i] = c->number[c->a[i]];
        break;
#define O(ID, NAME, ARGS, VALUE, DX, DY, ...)            \
  case CODE_##ID: {                                      \
    const double x = value[c->a[i]], y = value[c->b[i]]; \
    (void)y;                                             \
    const double z = value[i] = VALUE;                   \
    (void)z;                                             \
    kept[2 * i] = DX;                                    \
    kept[2 * i + 1] = DY;                                \
    break;                                               \
  }
        CODE_OPS(O)
#undef O
    }
  start_adjoints(t);
  for (size_t i = c->count; i-- > c->inputs;) {
    adjoint[c->a[i]] += adjoint[i] * kept[2 * i];
    adjoint[c->b[i]] += adjoint[i] * kept[2 * i + 1];
  }
}

static void add(bench_run *b, const char *name, double limit, const code *c, void (*run)(void *)) {
  interpreter *t = bench_alloc(1, sizeof *t);
  *t = (interpreter){c, bench_alloc(c->count, sizeof(double)), bench_alloc(c->count, sizeof(double)),
                     run == by_kept ? bench_alloc(c->count, 2 * sizeof(double)) : NULL};
  bench_add(b, (bench_rival){name, limit, (double)c->count, run, t, t->adjoint, c->inputs});
}

void bench_add_switch(bench_run *b, const code *c, double limit) {
  add(b, "switch interpreter", limit, c, by_switch);
}

/* ---- Rows */

static code c;

static void add_tool(bench_run *b, const char *name) {
  bench_tool *t = bench_alloc(1, sizeof *t);
  bench_tool_code(t, &c);
  bench_tool_open(t, &(ad_workspace_options){.reverse = true});
  t->x = c.x;
  t->x_count = c.inputs;
  bench_add(b, (bench_rival){name, 0, (double)c.count, bench_tool_gradient, t, bench_tool_gradients(t), c.inputs});
}

static void build(bench_run *b) {
  add_tool(b, "adtool");
  setenv("ADTOOL_SIMD", "none", 1);
  add_tool(b, "adtool without SIMD");
  add(b, "switch", 0, &c, by_switch);
  add(b, "threaded", 0, &c, by_threads);
  add(b, "kept partials", 0, &c, by_kept);
}

static void build_chain(bench_run *b) {
  code_chain(&c, b->size);
  build(b);
}

static void build_dag(bench_run *b) {
  code_dag(&c, b->size);
  build(b);
}

const bench_workload bench_designs[] = {{"tape-chain", "node", 100000, build_chain},
                                        {"tape-chain", "node", 10000000, build_chain},
                                        {"tape-dag", "node", 100000, build_dag},
                                        {"tape-dag", "node", 10000000, build_dag},
                                        {0}};
