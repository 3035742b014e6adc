#define AD_LANES_AVX512
#define LANES_NAME "avx512"
#define LANES_TABLE ad_lanes_avx512
#define LANES_TAPE ad_tape_fma
#define LANES_SUPPORTED (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
#include "exec/lanes.inc"
