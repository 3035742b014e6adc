#include "exec/lanes.h"

#include <stdlib.h>
#include <string.h>

const ad_lanes *ad_lanes_choose(void) {
#ifdef HAVE_LANES
  static const ad_lanes *const all[] = {&ad_lanes_avx512, &ad_lanes_avx2, &ad_lanes_sse2};
  const char *wanted = getenv("ADTOOL_SIMD");
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i]->supported() && (!wanted || !*wanted || !strcmp(wanted, all[i]->name))) return all[i];
#endif
  return NULL;
}
