/* Straight-line code on scalars: what every competitor of a scalar workload is made from.  Entry i is node i of the
 * graph: inputs first, then operations on earlier entries. */
#ifndef AD_BENCH_CODE_H
#define AD_BENCH_CODE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name in adtool, value and partials by x, y and the value z, number in .nl */
#define CODE_OPS(O)                           \
  O(ADD, "add", 2, x + y, 1, 1, 0)            \
  O(SUB, "sub", 2, x - y, 1, -1, 1)           \
  O(MUL, "mul", 2, x *y, y, x, 2)             \
  O(DIV, "div", 2, x / y, 1 / y, -z / y, 3)   \
  O(SQRT, "sqrt", 1, sqrt(x), 0.5 / z, 0, 39) \
  O(EXP, "exp", 1, exp(x), z, 0, 44)          \
  O(LOG, "log", 1, log(x), 1 / x, 0, 43)      \
  O(SIN, "sin", 1, sin(x), cos(x), 0, 41)     \
  O(TANH, "tanh", 1, tanh(x), 1 - z * z, 0, 37)

enum {
  CODE_INPUT,
  CODE_NUMBER,
#define O(ID, ...) CODE_##ID,
  CODE_OPS(O)
#undef O
      CODE_OP_COUNT
};

enum { CODE_NUMBERS = 4 };

typedef struct code {
  size_t inputs, count, capacity;
  uint8_t *op;
  uint32_t *a, *b; /* NUMBER: a is its place in number */
  double *x;       /* values of the inputs */
  double number[CODE_NUMBERS];
  size_t numbers;
  size_t outputs; /* 0: the last entry alone */
  uint32_t *output;
} code;

/* Random mixed operations, 30 % of them sqrt, exp, log, sin and tanh, 1 % inputs, values and slopes kept moderate.
 * chain: each uses the last one and, where it has two, an input.  dag: any two earlier ones, and a sum of all that
 * nobody used. */
void code_chain(code *c, size_t count);
void code_dag(code *c, size_t count);
/* A dag from few inputs to few outputs. */
void code_dense(code *c, size_t count, size_t inputs, size_t outputs);
/* sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 */
void code_rosenbrock(code *c, size_t count);
/* Speelpenning's: x[0] x[1] ... x[n-1] */
void code_product(code *c, size_t count);
/* n residuals (3 - 2 x[i]) x[i] - x[i-1] - 2 x[i+1] + 1 (Broyden 1965) */
void code_broyden(code *c, size_t n);
/* 2 (n - 1) residuals 10 (x[i+1] - x[i]^2) and 1 - x[i] */
void code_residuals(code *c, size_t n);
/* sum over the cells of a grid of m x m points of sqrt(1 + 2 ((a - d)^2 + (b - c)^2)), a, b, c, d the corners */
void code_surface(code *c, size_t m);

void code_start(code *c, size_t capacity);
uint32_t code_input(code *c, double value);
uint32_t code_number(code *c, double value);
uint32_t code_op(code *c, int op, uint32_t a, uint32_t b);
void code_output(code *c, uint32_t entry);
size_t code_outputs(const code *c);
uint32_t code_output_entry(const code *c, size_t i);
void code_free(code *c);

double code_value(int op, double x, double y);
const char *code_op_name(int op); /* in adtool */
int code_op_args(int op);

#ifdef __cplusplus
}
#endif

#endif
