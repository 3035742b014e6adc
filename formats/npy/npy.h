/* NumPy's .npy files (NEP 1): arrays of doubles in and out. */
#ifndef AD_NPY_H
#define AD_NPY_H

#include "adtool.h"
#include "mem.h"

typedef struct ad_npy {
  ad_shape shape;
  double *value; /* owned; row-major */
} ad_npy;

/* Reads versions 1 to 3, floats and integers of either byte order, C or Fortran order.  Refused: object arrays and
 * other types, and anything that is shorter or longer than its header says. */
ad_status ad_npy_load(ad_npy *a, const char *path, ad_error *e);
ad_status ad_npy_read(ad_npy *a, const void *bytes, size_t size, const char *path, ad_error *e);
void ad_npy_clear(ad_npy *a);

/* Writes a version 1 file of little-endian doubles. */
void ad_npy_write(ad_buffer *b, const ad_shape *shape, const double *value);

#endif
