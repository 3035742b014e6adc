/* For tests/instructions.sh: evaluates the gradient of a random graph of 100,000 nodes as often as told.
 *   instructions COUNT   does it
 *   instructions nodes   the number of nodes
 *   instructions build   what the count of instructions depends on besides the program */
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { NODES = 100000 };

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  if (!strcmp(argv[1], "build")) {
#ifdef __clang__
    printf("clang %d", __clang_major__);
#else
    printf("gcc %d", __GNUC__);
#endif
#ifndef HAVE_LANES
    printf(" no SIMD");
#endif
#ifdef __SANITIZE_ADDRESS__
    printf(" sanitizers");
#endif
    printf(" %s glibc %s\n", BUILD_CFLAGS, gnu_get_libc_version());
    return 0;
  }
  code c;
  code_dag(&c, NODES);
  if (!strcmp(argv[1], "nodes")) {
    printf("%zu\n", c.count);
    return 0;
  }
  bench_tool t = {.x = c.x, .x_count = c.inputs};
  bench_tool_code(&t, &c);
  bench_tool_open(&t, &(ad_workspace_options){.reverse = true});
  for (int i = atoi(argv[1]); i > 0; i--) bench_tool_gradient(&t);
  return 0;
}
