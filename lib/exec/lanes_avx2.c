#define AD_LANES_AVX2
#define LANES_NAME "avx2"
#define LANES_TABLE ad_lanes_avx2
#define LANES_TAPE ad_tape_fma
#define LANES_SUPPORTED (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#include "exec/lanes.inc"
