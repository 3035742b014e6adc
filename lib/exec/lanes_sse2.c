#define AD_LANES_SSE2
#include "exec/lanes.inc"

static bool FN(supported)(void) {
  return true;
}

const ad_lanes ad_lanes_sse2 = {"sse2",      &ad_tape_base, FN(supported), FN(primal), FN(record),
                                FN(tangent), FN(adjoint),   FN(gather),    FN(scatter)};
