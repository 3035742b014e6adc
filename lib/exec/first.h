/* Which scalar of a reverse sweep is the first to add to an adjoint: it may write it instead, so that at many points
 * adjoints need not be made 0 and fetched.  Adjoints that something else is the first to add to, or nothing, or that
 * outputs start with, are made 0 as ever. */
#ifndef AD_EXEC_FIRST_H
#define AD_EXEC_FIRST_H

#include "exec/program.h"

typedef struct ad_first_range {
  uint32_t first, count;
} ad_first_range;

typedef struct ad_first {
  uint8_t *flags; /* of each element: bit k: its scalar is the first to add to that of its argument k; AD_FIRST_ZERO */
  uint32_t *met;  /* while it is made: so many elements from here on have been met by one operand */
  ad_first_range *zero;
  size_t zero_count, zero_capacity;
  bool plain; /* the seeds of this sweep are elsewhere: everything is 0 and is added to */
} ad_first;

enum {
  AD_FIRST_OTHERS = 32, /* the element is an output's, or tensors read or write it */
  AD_FIRST_ZERO = 128   /* its adjoint is made 0 before a sweep */
};

ad_first *ad_first_new(const ad_program *p); /* NULL: out of memory */
void ad_first_free(ad_first *f);

#endif
