/* A code as AMPL would write it, in binary. */
#include <stdint.h>
#include <stdio.h>

#include "bench/bench.h"

static const int operators[CODE_OP_COUNT] = {
#define O(ID, NAME, ARGS, VALUE, DX, DY, NUMBER) [CODE_##ID] = NUMBER,
    CODE_OPS(O)
#undef O
};

static void put(FILE *f, char key, int32_t number) {
  putc(key, f);
  fwrite(&number, sizeof number, 1, f);
}

static void put_more(FILE *f, int32_t number) {
  fwrite(&number, sizeof number, 1, f);
}

static void put_number(FILE *f, double value) {
  putc('n', f);
  fwrite(&value, sizeof value, 1, f);
}

/* Inputs are variables, and operations but the last defined variables, numbered behind them. */
static void put_operand(FILE *f, const code *c, uint32_t a, const int32_t *number) {
  if (c->op[a] == CODE_NUMBER)
    put_number(f, c->number[c->a[a]]);
  else
    put(f, 'v', number[a]);
}

static void put_operation(FILE *f, const code *c, uint32_t i, const int32_t *number) {
  put(f, 'o', operators[c->op[i]]);
  put_operand(f, c, c->a[i], number);
  if (code_op_args(c->op[i]) == 2) put_operand(f, c, c->b[i], number);
}

void bench_write_nl(const code *c, const char *path) {
  FILE *f = fopen(path, "wb");
  if (!f) bench_fail("%s can't be written", path);
  int32_t *number = bench_alloc(c->count, sizeof *number), next = 0;
  for (size_t i = 0; i < c->count; i++) number[i] = c->op[i] == CODE_NUMBER ? -1 : next++;
  const int32_t n = (int32_t)c->inputs, last = (int32_t)c->count - 1;
  fprintf(f,
          "b3 0 1 0\t# problem bench\n %d 0 1 0 0\n 0 1\n 0 0\n 0 %d 0\n 0 0 1 1\n 0 0 0 0 0\n 0 %d\n 0 0\n"
          " 0 0 0 0 %d\n",
          n, n, n, next - n - 1);
  for (uint32_t i = (uint32_t)n; i < (uint32_t)last; i++) {
    if (c->op[i] == CODE_NUMBER) continue;
    put(f, 'V', number[i]);
    put_more(f, 0);
    put_more(f, 1);
    put_operation(f, c, i, number);
  }
  put(f, 'O', 0);
  put_more(f, 0);
  put_operation(f, c, (uint32_t)last, number);
  put(f, 'x', n);
  for (int32_t i = 0; i < n; i++) {
    put_more(f, i);
    fwrite(&c->x[i], sizeof c->x[i], 1, f);
  }
  putc('b', f);
  for (int32_t i = 0; i < n; i++) putc('3', f);
  put(f, 'G', 0);
  put_more(f, n);
  for (int32_t i = 0; i < n; i++) {
    const double zero = 0;
    put_more(f, i);
    fwrite(&zero, sizeof zero, 1, f);
  }
  free(number);
  if (fclose(f)) bench_fail("%s can't be written", path);
}
