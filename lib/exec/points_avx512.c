#define AD_LANES_AVX512
#include "exec/points.inc"
