#define AD_LANES_AVX2
#include "exec/taylor_lanes.inc"
