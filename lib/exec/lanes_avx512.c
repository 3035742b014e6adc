#define AD_LANES_AVX512
#include "exec/lanes.inc"

static bool FN(supported)(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
}

const ad_lanes ad_lanes_avx512 = {"avx512",    &ad_tape_fma, FN(supported), FN(primal), FN(record),
                                  FN(tangent), FN(adjoint),  FN(gather),    FN(scatter)};
