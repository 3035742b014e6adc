/* A checksum of bytes against torn and lost writes, at the speed of memory.  Not against malice. */
#ifndef AD_BATCH_CHECKSUM_H
#define AD_BATCH_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum { AD_CHECKSUM_LANES = 8 };

typedef struct ad_checksum {
  uint64_t lane[AD_CHECKSUM_LANES], size;
  unsigned char rest[8 * AD_CHECKSUM_LANES]; /* what is there of a line that waits for more */
} ad_checksum;

void ad_checksum_start(ad_checksum *c);
void ad_checksum_add(ad_checksum *c, const void *bytes, size_t size);
/* The same for the same bytes, however they were cut. */
uint64_t ad_checksum_end(const ad_checksum *c);
uint64_t ad_checksum_of(const void *bytes, size_t size);
/* Of something with a checksum at a place in a sequence: the sum of these tells one sequence from another, whatever
 * pieces it was added up from. */
uint64_t ad_checksum_at(uint64_t place, uint64_t checksum);

#endif
