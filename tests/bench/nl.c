/* A code as a .nl file, in binary. */
#include <stdint.h>
#include <stdio.h>

#include "bench/bench.h"

static const int operators[CODE_OP_COUNT] = {
#define O(ID, NAME, ARGS, VALUE, DX, DY, NUMBER) [CODE_##ID] = NUMBER,
    CODE_OPS(O)
#undef O
};

enum { POWER = 5, SUMLIST = 54 };

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

/* Inputs are variables.  Operations become defined variables, numbered behind them; where they are written as trees,
 * those that are used once stand where they are used, sums are lists and x x is x^2, as one would write them in AMPL.
 */
typedef struct writer {
  FILE *f;
  const code *c;
  int32_t *number; /* of a variable; -1: none */
  bool *inside, trees;
  uint32_t *term; /* a stack */
  size_t depth;
} writer;

static bool is_square(const writer *w, size_t i) {
  return w->trees && w->c->op[i] == CODE_MUL && w->c->a[i] == w->c->b[i];
}

static void put_operation(writer *w, uint32_t i);

static void put_operand(writer *w, uint32_t i) {
  if (w->c->op[i] == CODE_NUMBER)
    put_number(w->f, w->c->number[w->c->a[i]]);
  else if (w->inside[i])
    put_operation(w, i);
  else
    put(w->f, 'v', w->number[i]);
}

/* A sum whose terms are sums that stand inside it. */
static void put_sum(writer *w, uint32_t i) {
  const code *c = w->c;
  const size_t start = w->depth;
  for (; c->op[i] == CODE_ADD && (w->depth == start || w->inside[i]); i = c->a[i]) w->term[w->depth++] = c->b[i];
  w->term[w->depth++] = i;
  const size_t end = w->depth, count = end - start;
  put(w->f, 'o', count > 2 ? SUMLIST : 0);
  if (count > 2) put_more(w->f, (int32_t)count);
  for (size_t k = end; k-- > start;) put_operand(w, w->term[k]);
  w->depth = start;
}

static void put_operation(writer *w, uint32_t i) {
  const code *c = w->c;
  if (c->op[i] <= CODE_NUMBER) {
    put_operand(w, i);
  } else if (c->op[i] == CODE_ADD) {
    put_sum(w, i);
  } else if (is_square(w, i)) {
    put(w->f, 'o', POWER);
    put_operand(w, c->a[i]);
    put_number(w->f, 2);
  } else {
    put(w->f, 'o', operators[c->op[i]]);
    put_operand(w, c->a[i]);
    if (code_op_args(c->op[i]) == 2) put_operand(w, c->b[i]);
  }
}

/* Outputs are written where they belong; as trees so are operations that are used once.  Returns how many defined
 * variables there are. */
static int32_t number_all(writer *w) {
  const code *c = w->c;
  uint8_t *uses = bench_alloc(c->count, 1);
  int32_t next = (int32_t)c->inputs;
  for (size_t i = 0; i < c->count; i++)
    for (int k = is_square(w, i); k < code_op_args(c->op[i]); k++) {
      uint8_t *n = &uses[k ? c->b[i] : c->a[i]];
      if (*n < 2) ++*n;
    }
  for (size_t i = 0; i < code_outputs(c); i++) {
    uint8_t *n = &uses[code_output_entry(c, i)];
    if (*n) *n = 2;
  }
  for (size_t i = 0; i < c->count; i++) {
    const bool operation = c->op[i] > CODE_NUMBER;
    w->inside[i] = operation && (!uses[i] || (w->trees && uses[i] == 1));
    w->number[i] = c->op[i] == CODE_INPUT ? (int32_t)i : operation && !w->inside[i] ? next++ : -1;
  }
  free(uses);
  return next - (int32_t)c->inputs;
}

static void put_start(writer *w) {
  const code *c = w->c;
  put(w->f, 'x', (int32_t)c->inputs);
  for (size_t i = 0; i < c->inputs; i++) {
    put_more(w->f, (int32_t)i);
    fwrite(&c->x[i], sizeof c->x[i], 1, w->f);
  }
}

static void put_zeros(FILE *f, char key, int32_t number, size_t count, const uint32_t *variable) {
  const double zero = 0;
  put(f, key, number);
  put_more(f, (int32_t)count);
  for (size_t k = 0; k < count; k++) {
    put_more(f, (int32_t)(variable ? variable[k] : k));
    fwrite(&zero, sizeof zero, 1, f);
  }
}

/* How many entries the columns before each have; the first has none. */
static void put_columns(FILE *f, const code *c, const bench_matrix *m) {
  int32_t *count = bench_alloc(c->inputs, sizeof *count), sum = 0;
  for (size_t k = 0; k < m->entries; k++) count[m->column[k]]++;
  put(f, 'k', (int32_t)c->inputs - 1);
  for (size_t i = 0; i + 1 < c->inputs; i++) put_more(f, sum += count[i]);
  free(count);
}

void bench_write_nl(const code *c, const bench_matrix *m, const char *path) {
  const double zero = 0;
  writer w = {.f = fopen(path, "wb"), .c = c, .trees = m != NULL};
  if (!w.f) bench_fail("%s can't be written", path);
  w.number = bench_alloc(c->count, sizeof *w.number);
  w.inside = bench_alloc(c->count, sizeof *w.inside);
  w.term = bench_alloc(c->count, sizeof *w.term);
  const bool jacobian = m && !m->hessian;
  const int defined = number_all(&w), n = (int)c->inputs, rows = jacobian ? (int)m->rows : 0;
  fprintf(w.f, "b3 0 1 0\t# problem bench\n %d %d %d 0 %d\n %d %d\n 0 0\n", n, rows, !jacobian, rows, rows, !jacobian);
  fprintf(w.f, " %d %d 0\n 0 0 1 1\n 0 0 0 0 0\n %zu %d\n 0 0\n", rows ? n : 0, rows ? 0 : n, rows ? m->entries : 0,
          rows ? 0 : n);
  fprintf(w.f, jacobian ? " 0 %d 0 0 0\n" : " 0 0 0 0 %d\n", defined);
  for (uint32_t i = (uint32_t)n; i < c->count; i++) {
    if (w.number[i] < 0) continue;
    put(w.f, 'V', w.number[i]);
    put_more(w.f, 0);
    put_more(w.f, !jacobian);
    put_operation(&w, i);
  }
  for (size_t i = 0; i < code_outputs(c); i++) {
    put(w.f, jacobian ? 'C' : 'O', (int32_t)i);
    if (!jacobian) put_more(w.f, 0);
    put_operation(&w, code_output_entry(c, i));
  }
  put_start(&w);
  if (rows) putc('r', w.f);
  for (int i = 0; i < rows; i++) {
    putc('4', w.f);
    fwrite(&zero, sizeof zero, 1, w.f);
  }
  putc('b', w.f);
  for (int i = 0; i < n; i++) putc('3', w.f);
  if (rows) put_columns(w.f, c, m);
  for (int i = 0; i < rows; i++) put_zeros(w.f, 'J', i, m->start[i + 1] - m->start[i], m->column + m->start[i]);
  if (!rows) put_zeros(w.f, 'G', 0, c->inputs, NULL);
  free(w.number);
  free(w.inside);
  free(w.term);
  if (fclose(w.f)) bench_fail("%s can't be written", path);
}
