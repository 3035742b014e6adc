#define AD_LANES_AVX512
#include "exec/taylor_lanes.inc"
