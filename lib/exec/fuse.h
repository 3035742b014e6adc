#ifndef AD_FUSE_H
#define AD_FUSE_H

#include "exec/program.h"

/* Fuses what it can of a program whose blocks and offsets are complete. */
ad_status ad_fuse(ad_program *p, ad_error *e);

#endif
