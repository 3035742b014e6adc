/* The parts of `adtool batch`. */
#ifndef AD_CLI_BATCH_H
#define AD_CLI_BATCH_H

#include "batch/output.h"
#include "batch/run.h"
#include "batch/shard.h"
#include "cli.h"
#include "ranks.h"

int batch_points(const options *o, ranks *r);
int batch_graphs(const options *o);

/* ---- What the record of a graph is made from (batch_inputs.c) */

/* A checksum of it as it is now, of every file that is read for it; 0: it can't be read again. */
uint64_t batch_sum_inputs(const options *o, const char *path);

/* ---- Rows as text (batch_rows.c) */

/* The outputs of a row, as eval and grad have them with --format json: {"loss": {"value": 1, "gradient": {...}}};
 * with the blocks of jac and hess under "jacobian" and "hessian". */
void put_row_outputs(ad_buffer *b, const ad_batch_plan *p, const double *row, unsigned digits);
/* The fields of a check: "verdict": "pass", ... */
void put_row_check(ad_buffer *b, const double *row);
/* A row as a line. */
void put_row(ad_buffer *b, const ad_batch_plan *p, const double *row, uint64_t number, const options *o,
             output_format format);
/* The first line of a CSV file. */
void put_columns(ad_buffer *b, const ad_batch_plan *p);

/* ---- Where results go (batch_place.c) */

typedef struct batch_place {
  ad_shard shard;
  uint64_t first, end, total; /* items of this run and of all; rows or graphs */
  ad_output *out;
  ad_buffer path, key, inputs; /* key and inputs: see ad_shard_file */
  size_t head;
  uint64_t failed; /* of all items of this part, by this run or an earlier one */
  /* The sum over this part's inputs as they are now (ad_output_sums); 0: they can't be read twice. */
  uint64_t (*sum)(void *context);
  void *context;
} batch_place;

/* npy, csv or ndjson: as said, or by the output's name. */
output_format batch_format(const options *o, output_format otherwise);
/* The lines of a key that all batches have. */
ad_status batch_put_key(ad_buffer *b, const options *o, output_format format, const char *task, ad_error *e);
/* Opens the output, or finds that this part was finished from the same inputs, and how many of its items failed.  The
 * shard, the items, the key, the inputs and their sum are set. */
ad_status batch_open(batch_place *p, const options *o, const ad_buffer *head, bool *ready, ad_error *e);
/* Puts it in its place, with its head as it is known now; clears the head. */
int batch_finish(batch_place *p, const options *o, ad_buffer *head);
void batch_place_clear(batch_place *p);

#endif
