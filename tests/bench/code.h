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
} code;

/* Random mixed operations, 30 % of them sqrt, exp, log, sin and tanh, 1 % inputs, values and slopes kept moderate.
 * chain: each uses the last one and, where it has two, an input.  dag: any two earlier ones, and a sum of all that
 * nobody used. */
void code_chain(code *c, size_t count);
void code_dag(code *c, size_t count);
/* sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 */
void code_rosenbrock(code *c, size_t count);
/* Speelpenning's: x[0] x[1] ... x[n-1] */
void code_product(code *c, size_t count);

void code_start(code *c, size_t capacity);
uint32_t code_input(code *c, double value);
uint32_t code_number(code *c, double value);
uint32_t code_op(code *c, int op, uint32_t a, uint32_t b);
void code_free(code *c);

double code_value(int op, double x, double y);
const char *code_op_name(int op); /* in adtool */
int code_op_args(int op);

#ifdef __cplusplus
}
#endif

#endif
