#define TAPE(name) fma_##name
#define TAPE_TABLE ad_tape_fma
#define FUSED
#include "exec/tape.inc"
