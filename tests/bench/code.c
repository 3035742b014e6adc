#include "bench/code.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
  const char *name;
  int args;
} ops[CODE_OP_COUNT] = {
#define O(ID, NAME, ARGS, ...) [CODE_##ID] = {NAME, ARGS},
    CODE_OPS(O)
#undef O
};

const char *code_op_name(int op) {
  return ops[op].name;
}

int code_op_args(int op) {
  return ops[op].args;
}

double code_value(int op, double x, double y) {
  switch (op) {
#define O(ID, NAME, ARGS, VALUE, ...) \
  case CODE_##ID:                     \
    return VALUE;
    CODE_OPS(O)
#undef O
    default:
      return NAN;
  }
}

static double first_partial(int op, double x, double y, double z) {
  (void)x, (void)y, (void)z;
  switch (op) {
#define O(ID, NAME, ARGS, VALUE, DX, ...) \
  case CODE_##ID:                         \
    return DX;
    CODE_OPS(O)
#undef O
    default:
      return NAN;
  }
}

static double second_partial(int op, double x, double y, double z) {
  (void)x, (void)y, (void)z;
  switch (op) {
#define O(ID, NAME, ARGS, VALUE, DX, DY, ...) \
  case CODE_##ID:                             \
    return DY;
    CODE_OPS(O)
#undef O
    default:
      return NAN;
  }
}

/* ---- Building */

static void *need(void *p) {
  if (p) return p;
  fputs("out of memory\n", stderr);
  exit(6);
}

void code_start(code *c, size_t capacity) {
  *c = (code){.capacity = capacity};
  c->op = need(malloc(capacity));
  c->a = need(malloc(capacity * sizeof *c->a));
  c->b = need(malloc(capacity * sizeof *c->b));
  c->x = need(malloc(capacity * sizeof *c->x));
}

void code_free(code *c) {
  free(c->op);
  free(c->a);
  free(c->b);
  free(c->x);
  free(c->output);
  *c = (code){0};
}

uint32_t code_op(code *c, int op, uint32_t a, uint32_t b) {
  if (c->count == c->capacity) need(NULL);
  c->op[c->count] = (uint8_t)op;
  c->a[c->count] = a;
  c->b[c->count] = b;
  return (uint32_t)c->count++;
}

uint32_t code_input(code *c, double value) {
  c->x[c->inputs++] = value;
  return code_op(c, CODE_INPUT, 0, 0);
}

uint32_t code_number(code *c, double value) {
  c->number[c->numbers] = value;
  return code_op(c, CODE_NUMBER, (uint32_t)c->numbers++, 0);
}

void code_output(code *c, uint32_t entry) {
  if (!c->output) c->output = need(malloc(c->capacity * sizeof *c->output));
  c->output[c->outputs++] = entry;
}

size_t code_outputs(const code *c) {
  return c->outputs ? c->outputs : 1;
}

uint32_t code_output_entry(const code *c, size_t i) {
  return c->outputs ? c->output[i] : (uint32_t)c->count - 1;
}

/* ---- Workloads */

/* Marsaglia, Xorshift RNGs, J. Stat. Softw. 8 (2003), with a multiplier. */
static uint64_t next(uint64_t *s) {
  *s ^= *s >> 12;
  *s ^= *s << 25;
  *s ^= *s >> 27;
  return *s * 0x2545F4914F6CDD1D;
}

static uint32_t below(uint64_t *s, size_t n) {
  return (uint32_t)(((next(s) >> 32) * n) >> 32);
}

static double uniform(uint64_t *s, double low, double high) {
  return low + (high - low) * (double)(next(s) >> 11) * 0x1p-53;
}

static int some_op(uint64_t *s) {
  static const uint8_t functions[] = {CODE_SQRT, CODE_EXP, CODE_LOG, CODE_SIN, CODE_TANH};
  static const uint8_t arithmetic[] = {CODE_ADD, CODE_SUB, CODE_MUL, CODE_ADD, CODE_MUL, CODE_SUB, CODE_DIV};
  return below(s, 100) < 30 ? functions[below(s, sizeof functions)] : arithmetic[below(s, sizeof arithmetic)];
}

static int moderate(double v) {
  return fabs(v) > 0.2 && fabs(v) < 3;
}

static void inputs_of(code *c, uint64_t *s, size_t count) {
  for (size_t i = 0; i < count; i++) code_input(c, uniform(s, 0.5, 1.5));
}

/* Rounding errors grow along a chain of ten millions until no two programs agree to ten digits: it is cut into chains
 * of this length, whose ends are added up. */
enum { CHAIN = 100000 };

void code_chain(code *c, size_t count) {
  uint64_t s = 1;
  code_start(c, count + 1);
  inputs_of(c, &s, count / 100);
  uint32_t sum = 0, last = 0;
  while (c->count < count) {
    double value = c->x[last = below(&s, c->inputs)], slope = 0; /* the slope's logarithm, from here to the last one */
    for (const size_t end = c->count + CHAIN; c->count < end && c->count + (sum > 0) < count;) {
      const int op = some_op(&s);
      const uint32_t other = below(&s, c->inputs);
      const int flip = ops[op].args == 2 && below(&s, 2);
      const double x = flip ? c->x[other] : value, y = flip ? value : c->x[other], z = code_value(op, x, y);
      const double step = log(fabs(flip ? second_partial(op, x, y, z) : first_partial(op, x, y, z)));
      if (!moderate(z) || fabs(step) > 4 || (fabs(slope + step) > 4 && fabs(slope + step) > fabs(slope))) continue;
      last = code_op(c, op, flip ? other : last, flip ? last : ops[op].args == 2 ? other : 0);
      value = z, slope += step;
    }
    sum = sum ? code_op(c, CODE_ADD, sum, last) : last;
  }
}

/* Of what nobody used, sums of two until `ends` are left. */
static void dag(code *c, size_t count, size_t inputs, size_t ends) {
  uint64_t s = 2;
  code_start(c, count + 2);
  double *value = need(malloc(count * sizeof *value));
  uint8_t *used = need(calloc(count, 1));
  size_t unused = inputs;
  inputs_of(c, &s, unused);
  for (size_t i = 0; i < c->inputs; i++) value[i] = c->x[i];
  while (c->count + unused < count + ends) {
    const int op = some_op(&s);
    for (;;) {
      const uint32_t a = below(&s, c->count), b = ops[op].args == 2 ? below(&s, c->count) : 0;
      const double z = code_value(op, value[a], value[b]);
      if (!moderate(z)) continue;
      unused += 1 - !used[a];
      used[a] = 1;
      if (ops[op].args == 2) {
        unused -= !used[b];
        used[b] = 1;
      }
      value[code_op(c, op, a, b)] = z;
      break;
    }
  }
  uint32_t *loose = need(malloc(2 * unused * sizeof *loose)); /* a queue: two leave it, their sum joins */
  size_t from = 0, to = 0;
  for (uint32_t i = 0; i < c->count; i++)
    if (!used[i]) loose[to++] = i;
  for (; to - from > ends; from += 2) loose[to++] = code_op(c, CODE_ADD, loose[from], loose[from + 1]);
  for (; ends > 1 && from < to; from++) code_output(c, loose[from]);
  free(loose);
  free(value);
  free(used);
}

void code_dag(code *c, size_t count) {
  dag(c, count, count / 100, 1);
}

void code_dense(code *c, size_t count, size_t inputs, size_t outputs) {
  dag(c, count, inputs, outputs);
}

void code_rosenbrock(code *c, size_t count) {
  uint64_t s = 3;
  enum { TERM = 8 };
  const size_t n = (count - 2) / (TERM + 1);
  code_start(c, count + 2 * TERM);
  inputs_of(c, &s, n);
  const uint32_t one = code_number(c, 1), hundred = code_number(c, 100);
  uint32_t sum = 0;
  for (uint32_t i = 0; i + 1 < n; i++) {
    const uint32_t d = code_op(c, CODE_SUB, i + 1, code_op(c, CODE_MUL, i, i));
    const uint32_t valley = code_op(c, CODE_MUL, hundred, code_op(c, CODE_MUL, d, d));
    const uint32_t e = code_op(c, CODE_SUB, one, i);
    const uint32_t term = code_op(c, CODE_ADD, valley, code_op(c, CODE_MUL, e, e));
    sum = i ? code_op(c, CODE_ADD, sum, term) : term;
  }
}

void code_product(code *c, size_t count) {
  uint64_t s = 4;
  const size_t n = (count + 1) / 2;
  code_start(c, count + 1);
  double product = 1;
  for (size_t i = 0; i < n; i++) { /* so that no part of it overflows */
    const double f = uniform(&s, 1, 1.5), x = product > 1 ? 1 / f : f;
    product *= x;
    code_input(c, x);
  }
  uint32_t p = 0;
  for (uint32_t i = 1; i < n; i++) p = code_op(c, CODE_MUL, p, i);
}

void code_broyden(code *c, size_t n) {
  uint64_t s = 5;
  code_start(c, 9 * n + CODE_NUMBERS);
  inputs_of(c, &s, n);
  const uint32_t one = code_number(c, 1), two = code_number(c, 2), three = code_number(c, 3);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t f = code_op(c, CODE_MUL, code_op(c, CODE_SUB, three, code_op(c, CODE_MUL, two, i)), i);
    if (i) f = code_op(c, CODE_SUB, f, i - 1);
    if (i + 1 < n) f = code_op(c, CODE_SUB, f, code_op(c, CODE_MUL, two, i + 1));
    code_output(c, code_op(c, CODE_ADD, f, one));
  }
}

void code_residuals(code *c, size_t n) {
  uint64_t s = 6;
  code_start(c, 5 * n + CODE_NUMBERS);
  inputs_of(c, &s, n);
  const uint32_t one = code_number(c, 1), ten = code_number(c, 10);
  for (uint32_t i = 0; i + 1 < n; i++) {
    const uint32_t valley = code_op(c, CODE_SUB, i + 1, code_op(c, CODE_MUL, i, i));
    code_output(c, code_op(c, CODE_MUL, ten, valley));
    code_output(c, code_op(c, CODE_SUB, one, i));
  }
}

void code_surface(code *c, size_t m) {
  uint64_t s = 7;
  code_start(c, 10 * m * m + CODE_NUMBERS);
  inputs_of(c, &s, m * m);
  const uint32_t one = code_number(c, 1), two = code_number(c, 2);
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < m; i++)
    for (size_t j = 0; j + 1 < m; j++) {
      const uint32_t a = (uint32_t)(i * m + j), b = a + 1, d = b + (uint32_t)m;
      const uint32_t u = code_op(c, CODE_SUB, a, d), v = code_op(c, CODE_SUB, b, d - 1);
      const uint32_t squares = code_op(c, CODE_ADD, code_op(c, CODE_MUL, u, u), code_op(c, CODE_MUL, v, v));
      const uint32_t area = code_op(c, CODE_SQRT, code_op(c, CODE_ADD, one, code_op(c, CODE_MUL, two, squares)), 0);
      sum = sum ? code_op(c, CODE_ADD, sum, area) : area;
    }
}
