/* Sums, least and greatest over rows by a fixed tree: neighbours 2k and 2k+1 of each level are combined, one without a
 * neighbour rises as it is.  So the result has the same bits however the rows were cut into aligned chunks of a power
 * of two, and a sum has an error that grows with the logarithm of their number (Higham, Accuracy and Stability, ch. 4).
 */
#ifndef AD_BATCH_FOLD_H
#define AD_BATCH_FOLD_H

#include "adtool.h"

typedef enum ad_fold_kind { AD_FOLD_NONE, AD_FOLD_SUM, AD_FOLD_MEAN, AD_FOLD_MIN, AD_FOLD_MAX } ad_fold_kind;

/* Folds count rows in place into the first.  The mean's division comes last, by ad_fold_end. */
void ad_fold_rows(ad_fold_kind kind, double *rows, size_t count, size_t width);

/* The same for rows that come one after the other. */
typedef struct ad_fold {
  ad_fold_kind kind;
  size_t width;
  uint64_t count;
  double *level[64]; /* a row for each bit of count */
} ad_fold;
ad_status ad_fold_add(ad_fold *f, const double *row, ad_error *e);
/* The result; for the mean, over so many rows.  NaN for each column when there is no row, and 0 for a sum. */
void ad_fold_end(const ad_fold *f, uint64_t rows, double *result);
void ad_fold_clear(ad_fold *f);

#endif
