#include "batch/fold.h"

#include <math.h>
#include <string.h>

#include "error.h"
#include "mem.h"

/* NaN wins, and -0 is less than 0. */
static double less(double a, double b) {
  if (isnan(a) || isnan(b)) return NAN;
  return a < b || (a == b && signbit(a)) ? a : b;
}

static double greater(double a, double b) {
  if (isnan(a) || isnan(b)) return NAN;
  return a > b || (a == b && !signbit(a)) ? a : b;
}

/* b comes after a. */
static void combine(ad_fold_kind kind, double *restrict a, const double *restrict b, size_t width) {
  if (kind == AD_FOLD_MIN)
    for (size_t i = 0; i < width; i++) a[i] = less(a[i], b[i]);
  else if (kind == AD_FOLD_MAX)
    for (size_t i = 0; i < width; i++) a[i] = greater(a[i], b[i]);
  else
    for (size_t i = 0; i < width; i++) a[i] += b[i];
}

void ad_fold_rows(ad_fold_kind kind, double *rows, size_t count, size_t width) {
  for (size_t step = 1; step < count; step *= 2)
    for (size_t i = 0; i + step < count; i += 2 * step)
      combine(kind, rows + i * width, rows + (i + step) * width, width);
}

ad_status ad_fold_add(ad_fold *f, const double *row, ad_error *e) {
  int k = 0;
  while (f->count >> k & 1) k++;
  if (!f->level[k] && !(f->level[k] = ad_malloc(f->width, sizeof(double)))) return ad_fail_memory(e);
  double *carry = f->level[k];
  if (f->width) memcpy(carry, row, f->width * sizeof *row);
  for (int i = 0; i < k; i++) { /* the row below is the earlier one */
    combine(f->kind, f->level[i], carry, f->width);
    memcpy(carry, f->level[i], f->width * sizeof *row);
  }
  f->count++;
  return AD_OK;
}

void ad_fold_end(const ad_fold *f, uint64_t rows, double *result) {
  const bool sum = f->kind == AD_FOLD_SUM;
  for (size_t i = 0; i < f->width; i++) result[i] = sum ? 0 : NAN;
  bool empty = true;
  for (int k = 0; k < 64; k++) { /* the smallest part is the last one */
    if (!(f->count >> k & 1)) continue;
    double *part = f->level[k];
    if (empty) {
      memcpy(result, part, f->width * sizeof *part);
      empty = false;
      continue;
    }
    /* part is the earlier one; the sum must not change it, so that more rows may follow */
    for (size_t i = 0; i < f->width; i++) {
      double a = part[i];
      combine(f->kind, &a, result + i, 1);
      result[i] = a;
    }
  }
  for (size_t i = 0; f->kind == AD_FOLD_MEAN && i < f->width; i++) result[i] /= (double)rows;
}

void ad_fold_clear(ad_fold *f) {
  for (int k = 0; k < 64; k++) ad_free(f->level[k]);
  *f = (ad_fold){0};
}
