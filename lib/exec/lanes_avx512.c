#define AD_LANES_AVX512
#include "exec/lanes.inc"

static bool FN(supported)(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
}

const ad_lanes ad_lanes_avx512 = {
    .name = "avx512",
    .tape = &ad_tape_fma,
    .supported = FN(supported),
    .primal = FN(primal),
    .record = FN(record),
    .tangent = FN(tangent),
    .adjoint = FN(adjoint),
    .gather = FN(gather),
    .scatter = FN(scatter),
    .sum = FN(sum),
    .largest = FN(largest),
    .all_finite = FN(all_finite),
};
