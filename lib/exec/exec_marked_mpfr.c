/* The engine of marked numbers in MPFR: see exec_marked.c. */
#define MARKED
#include "exec/exec_mpfr.c"
