/* Places in the buffer for tensors that are not needed at the same time. */
#ifndef AD_PACK_H
#define AD_PACK_H

#include "exec/program.h"

/* Lets tensors that neither an output nor a partial of interest needs give their places to later ones, whose blocks
 * then have `shares` set where adjoints are clean only after them.  Afterwards those tensors are AD_ABSENT.  The blocks
 * are complete but for the second arguments of unary operations. */
ad_status ad_pack(ad_program *p, ad_error *e);

#endif
