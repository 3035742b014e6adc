// ADOL-C: records a code once, then its gradient driver evaluates the tape.
#include <adolc/adolc.h>
#include <adolc/sparse/sparsedrivers.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "bench/peer.h"

namespace {

struct adolc_peer {
  bench_peer base;
  short tag;
  int inputs;
  const double *x;
  std::vector<double> result;
};

void run(bench_peer *peer) {
  adolc_peer *p = reinterpret_cast<adolc_peer *>(peer);
  gradient(p->tag, p->inputs, p->x, p->result.data());
}

// One tangent for each colour, or the Hessian times the seeds; ADOL-C's sparse_jac and sparse_hess do the same, with
// colours of their own, where it was built with ColPack.
struct adolc_matrix : adolc_peer {
  const bench_matrix *m;
  std::vector<double> seeds, numbers, value;
  std::vector<double *> seed, product;
};

void run_matrix(bench_peer *peer) {
  adolc_matrix *p = reinterpret_cast<adolc_matrix *>(peer);
  const bench_matrix *m = p->m;
  const int rows = static_cast<int>(m->rows), colours = static_cast<int>(m->colours);
  double *x = const_cast<double *>(p->x);
  if (m->dense) {
    jacobian(p->tag, rows, p->inputs, x, p->product.data());
    return;
  }
  if (m->hessian)
    hess_mat(p->tag, p->inputs, colours, x, p->seed.data(), p->product.data());
  else
    fov_forward(p->tag, rows, p->inputs, colours, x, p->seed.data(), p->value.data(), p->product.data());
  for (size_t k = 0; k < m->entries; k++) p->result[k] = p->product[m->line[k]][m->from[k]];
}

// The structure.
void plan_matrix(bench_peer *peer) {
  adolc_matrix *p = reinterpret_cast<adolc_matrix *>(peer);
  std::vector<unsigned *> row(p->m->rows);
  int options[3] = {0, 0, 0};
  if (p->m->hessian)
    hess_pat(p->tag, p->inputs, const_cast<double *>(p->x), row.data(), 0);
  else
    jac_pat(p->tag, static_cast<int>(p->m->rows), p->inputs, p->x, row.data(), options);
  for (unsigned *r : row) std::free(r);
}

// The univariate Taylor series along x + t (1, ..., 1).
struct adolc_series : adolc_peer {
  int order;
  std::vector<double> numbers;
  std::vector<double *> term;
};

void run_series(bench_peer *peer) {
  adolc_series *p = reinterpret_cast<adolc_series *>(peer);
  double *further = p->result.data() + 1;
  hos_forward(p->tag, 1, p->inputs, p->order, 0, p->x, p->term.data(), p->result.data(), &further);
}

std::vector<double *> lines(size_t rows, size_t columns, std::vector<double> &number) {
  number.assign(rows * columns, 0);
  std::vector<double *> row(rows);
  for (size_t i = 0; i < rows; i++) row[i] = number.data() + i * columns;
  return row;
}

void record(adolc_peer *p, const code *c) {
  static short tags = 0;
  p->tag = tags++;
  p->inputs = static_cast<int>(c->inputs);
  p->x = c->x;
  const unsigned room = static_cast<unsigned>(c->count + 1000);  // all of the tape in memory
  trace_on(p->tag, 0, 4 * room, 8 * room, 2 * room, 4 * room);
  {
    std::vector<adouble> v(c->count);
    for (size_t i = 0; i < c->count; i++) {
      const adouble &x = v[c->a[i]], &y = v[c->b[i]];
      switch (c->op[i]) {
        case CODE_INPUT:
          v[i] <<= c->x[i];
          break;
        case CODE_NUMBER:
          v[i] = c->number[c->a[i]];
          break;
#define O(ID, NAME, ARGS, VALUE, ...) \
  case CODE_##ID:                     \
    v[i] = VALUE;                     \
    break;
          CODE_OPS(O)
#undef O
      }
    }
    for (size_t i = 0; i < code_outputs(c); i++) {
      double value;
      v[code_output_entry(c, i)] >>= value;
    }
  }
  trace_off();
}

}  // namespace

extern "C" bool bench_adolc_open(bench_peer **out, const code *c) {
  adolc_peer *p = new adolc_peer;
  record(p, c);
  p->result.resize(c->inputs);
  p->base = bench_peer{run, p->result.data(), nullptr};
  *out = &p->base;
  return true;
}

extern "C" bool bench_adolc_matrix(bench_peer **out, const bench_matrix *m) {
  adolc_matrix *p = new adolc_matrix;
  record(p, m->c);
  p->m = m;
  p->result.resize(m->entries);
  p->base = bench_peer{run_matrix, p->result.data(), plan_matrix};
  if (m->dense) {
    p->product = lines(m->rows, m->c->inputs, p->result);
  } else {
    p->value.resize(m->rows);
    p->seed = lines(m->c->inputs, m->colours, p->seeds);
    for (size_t i = 0; i < m->c->inputs; i++) p->seed[i][m->colour[i]] = 1;
    p->product = lines(m->rows, m->colours, p->numbers);
  }
  *out = &p->base;
  return true;
}

extern "C" bool bench_adolc_series(bench_peer **out, const code *c, int order) {
  adolc_series *p = new adolc_series;
  record(p, c);
  p->order = order;
  p->term = lines(c->inputs, order, p->numbers);
  for (double *t : p->term) t[0] = 1;
  p->result.resize(order + 1);
  p->base = bench_peer{run_series, p->result.data(), nullptr};
  *out = &p->base;
  return true;
}
