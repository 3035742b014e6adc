// ADOL-C: records a code once, then its gradient driver evaluates the tape.
#include <adolc/adolc.h>

#include <cmath>
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

}  // namespace

extern "C" bool bench_adolc_open(bench_peer **out, const code *c) {
  static short tags = 0;
  adolc_peer *p = new adolc_peer;
  p->tag = tags++;
  p->inputs = static_cast<int>(c->inputs);
  p->x = c->x;
  p->result.resize(c->inputs);
  p->base = bench_peer{run, p->result.data()};
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
    double value;
    v[c->count - 1] >>= value;
  }
  trace_off();
  *out = &p->base;
  return true;
}
