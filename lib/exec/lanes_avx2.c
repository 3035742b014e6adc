#define AD_LANES_AVX2
#include "exec/lanes.inc"

static bool FN(supported)(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const ad_lanes ad_lanes_avx2 = {
    .name = "avx2",
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
