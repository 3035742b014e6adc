/* Peers that configure has not found. */
#include "bench/peer.h"

#ifndef BENCH_ADOLC
bool bench_adolc_open(bench_peer **p, const code *c) {
  (void)p, (void)c;
  return false;
}

bool bench_adolc_matrix(bench_peer **p, const bench_matrix *m) {
  (void)p, (void)m;
  return false;
}

bool bench_adolc_series(bench_peer **p, const code *c, int order) {
  (void)p, (void)c, (void)order;
  return false;
}
#endif

#ifndef BENCH_ASL
bool bench_asl_open(bench_peer **p, const code *c) {
  (void)p, (void)c;
  return false;
}

bool bench_asl_matrix(bench_peer **p, const bench_matrix *m) {
  (void)p, (void)m;
  return false;
}

bool bench_asl_load(const char *path) {
  (void)path;
  return false;
}
#endif
