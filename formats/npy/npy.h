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
 * other types, and anything that is shorter or longer than its header says.  A file of more than `most` bytes is
 * AD_ELIMIT. */
ad_status ad_npy_load(ad_npy *a, const char *path, uint64_t most, ad_error *e);
ad_status ad_npy_read(ad_npy *a, const void *bytes, size_t size, const char *path, ad_error *e);
void ad_npy_clear(ad_npy *a);

/* Writes a version 1 file of little-endian doubles. */
void ad_npy_write(ad_buffer *b, const ad_shape *shape, const double *value);

/* Writes a sparse matrix in compressed rows as SciPy's load_npz reads it. */
typedef struct ad_npz_csr {
  size_t rows, columns, entries;
  const uint64_t *start, *column;
  const double *value;
} ad_npz_csr;
ad_status ad_npz_write_csr(ad_buffer *b, const ad_npz_csr *m, ad_error *e);

/* ---- The parts */

/* The start of a version 1 file of numbers that `descr` describes. */
void ad_npy_put_head(ad_buffer *b, const char *descr, const ad_shape *shape);

typedef struct ad_npy_header {
  char kind, order; /* f, i, u; < or > */
  unsigned width;   /* bytes of a number */
  bool fortran;
  ad_shape shape;
  size_t data; /* bytes before the first number */
} ad_npy_header;

enum { AD_NPY_START = 12 }; /* bytes that say how long the header is */

/* The length of the header, from the first AD_NPY_START bytes, or NULL and what is wrong with byte *at. */
const char *ad_npy_header_size(const unsigned char *bytes, size_t size, size_t *length, size_t *at);
/* The header, from all its bytes; AD_EINPUT with what is wrong with it, or AD_ENOMEM. */
ad_status ad_npy_header_read(ad_npy_header *h, const unsigned char *bytes, size_t length, const char **problem);

/* Number after number, to out[0], out[stride] ... */
void ad_npy_decode(const ad_npy_header *h, const unsigned char *bytes, size_t count, double *out, size_t stride);
/* Whether the bytes are the numbers of this machine as they are. */
bool ad_npy_native(const ad_npy_header *h);
/* Doubles to the bytes of a file, in place where nothing is to do. */
void ad_npy_encode(double *value, size_t count);

/* The header of an array [rows, width] (width 0: [rows]), always of the same size, so that it can be written before the
 * number of rows is known. */
enum { AD_NPY_HEAD = 128 };
void ad_npy_head(char head[AD_NPY_HEAD], uint64_t rows, uint64_t width);

#endif
