#define AD_LANES_SSE2
#define LANES_NAME "sse2"
#define LANES_TABLE ad_lanes_sse2
#define LANES_TAPE ad_tape_base
#define LANES_SUPPORTED true
#include "exec/lanes.inc"
