/* A batch in parts: which part is whose, and what stands beside a finished part so that `merge` can trust it. */
#ifndef AD_BATCH_SHARD_H
#define AD_BATCH_SHARD_H

#include "batch/output.h"
#include "mem.h"

typedef struct ad_shard {
  uint32_t number, of; /* number from 1; of 0: not in parts */
} ad_shard;

/* "2/8"; or "auto": the number that a scheduler has put into the environment (SLURM_ARRAY_TASK_ID of
 * SLURM_ARRAY_TASK_COUNT, OMPI_COMM_WORLD_RANK of SIZE, PMI_RANK of PMI_SIZE). */
ad_status ad_shard_read(ad_shard *s, const char *text, ad_error *e);
/* How many processes mpirun or its like has started, by the same variables; 0: the environment says nothing. */
unsigned long ad_shard_ranks(void);
/* The shard's share of `items`, in whole units; the same split for everybody. */
void ad_shard_range(const ad_shard *s, uint64_t items, uint64_t unit, uint64_t *first, uint64_t *end);
/* PATH.2-of-8 */
void ad_shard_path(ad_buffer *b, const char *path, const ad_shard *s);

/* What PATH.2-of-8.shard says. */
typedef struct ad_shard_file {
  ad_shard shard;
  uint64_t first, end, total; /* items */
  uint64_t failed;            /* items that the exit status tells of */
  uint64_t head;              /* bytes before the items */
  ad_output_sums sums;
  char inputs[96]; /* a line: what the inputs of the whole batch look like, by which merge tells two of them apart */
  char *key;       /* owned; what all parts of a batch have in common beside their inputs */
} ad_shard_file;

#define AD_SHARD_SUFFIX ".shard"

void ad_shard_put(ad_buffer *b, const ad_shard_file *f);
/* data: the path of the part itself.  AD_EIO when there is none, AD_EINPUT when it is damaged. */
ad_status ad_shard_load(ad_shard_file *f, const char *data, ad_error *e);
void ad_shard_clear(ad_shard_file *f);
/* Whether the part is there with the size and the checksum that its description says. */
ad_status ad_shard_verify(const ad_shard_file *f, const char *data, ad_error *e);

/* A line "NAME VALUE" of a key: VALUE, with its length; NULL when there is none. */
const char *ad_shard_key_line(const char *key, const char *name, size_t *length);

#endif
