#define AD_LANES_SSE2
#include "exec/lanes.inc"

static bool FN(supported)(void) {
  return true;
}

const ad_lanes ad_lanes_sse2 = {
    .name = "sse2",
    .tape = &ad_tape_base,
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
