#define AD_LANES_AVX2
#include "exec/lanes.inc"

static bool FN(supported)(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const ad_lanes ad_lanes_avx2 = {"avx2",      &ad_tape_fma, FN(supported), FN(primal), FN(record),
                                FN(tangent), FN(adjoint),  FN(gather),    FN(scatter)};
