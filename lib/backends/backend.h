/* A backend is a name for a pair of a mode and an arithmetic. */
#ifndef AD_BACKEND_H
#define AD_BACKEND_H

#include "exec/workspace.h"

struct ad_backend {
  const char *name;
  const ad_engine *engine;
  ad_mode mode;   /* the default */
  unsigned modes; /* bits 1 << ad_mode */
  const char *doc;
};

#endif
