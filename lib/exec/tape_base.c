#define TAPE(name) base_##name
#define TAPE_TABLE ad_tape_base
#include "exec/tape.inc"
