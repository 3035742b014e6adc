#define AD_LANES_AVX2
#include "exec/points.inc"
