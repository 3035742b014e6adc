/* Rows of numbers to columns. */
#ifndef AD_TRANSPOSE_H
#define AD_TRANSPOSE_H

#include <stddef.h>

/* out[c * out_pitch + r] = in[r * in_pitch + c]: by squares of two, which read and write two neighbours at once. */
static inline void ad_transpose(double *out, size_t out_pitch, const double *in, size_t in_pitch, size_t rows,
                                size_t columns) {
  size_t c = 0;
  for (; c + 2 <= columns; c += 2) {
    double *a = out + c * out_pitch, *b = a + out_pitch;
    const double *x = in + c;
    size_t r = 0;
    for (; r + 2 <= rows; r += 2, x += 2 * in_pitch) {
      const double x0 = x[0], x1 = x[1], y0 = x[in_pitch], y1 = x[in_pitch + 1];
      a[r] = x0, a[r + 1] = y0;
      b[r] = x1, b[r + 1] = y1;
    }
    if (r < rows) a[r] = x[0], b[r] = x[1];
  }
  for (size_t r = 0; c < columns && r < rows; r++) out[c * out_pitch + r] = in[r * in_pitch + c];
}

#endif
