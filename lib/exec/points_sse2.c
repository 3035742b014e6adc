#define AD_LANES_SSE2
#include "exec/points.inc"
