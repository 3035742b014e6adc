#define AD_LANES_SSE2
#include "exec/taylor_lanes.inc"
