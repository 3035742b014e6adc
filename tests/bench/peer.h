/* What a peer's file fills in. */
#ifndef AD_BENCH_PEER_H
#define AD_BENCH_PEER_H

#include "bench/code.h"
#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_peer {
  void (*run)(struct bench_peer *p);
  const double *gradient;
} bench_peer;

/* Makes a code ready to be differentiated at its own inputs; false: configure has not found the peer. */
bool bench_adolc_open(bench_peer **p, const code *c);
bool bench_asl_open(bench_peer **p, const code *c);
/* Loads a .nl file and leaves it. */
bool bench_asl_load(const char *path);

#ifdef __cplusplus
}
#endif

#endif
