/* Matrix products by BLAS. */
#include <limits.h>
#include <string.h>

#include "exec/dense.h"

#ifdef HAVE_CBLAS
#include <cblas.h>

/* Below this many multiplications a call costs more than it saves. */
enum { SHORTEST_PRODUCT = 256 };

static bool fits(size_t n) {
  return n > 0 && n <= INT_MAX;
}

static CBLAS_TRANSPOSE transpose(bool yes) {
  return yes ? CblasTrans : CblasNoTrans;
}

bool ad_dense_product(double *z, ad_matrix x, ad_matrix y, size_t m, size_t k, size_t n, bool add) {
  if (!fits(m) || !fits(k) || !fits(n) || m * k * n < SHORTEST_PRODUCT) return false;
  const double beta = add ? 1 : 0;
  const int mi = (int)m, ki = (int)k, ni = (int)n;
  if (!add && (m == 1 || n == 1)) memset(z, 0, m * n * sizeof *z); /* gemv may read what it is told to forget */
  if (n == 1)                                                      /* a column on the right: rows of x times it */
    cblas_dgemv(CblasRowMajor, transpose(x.transposed), x.transposed ? ki : mi, x.transposed ? mi : ki, 1, x.at,
                x.transposed ? mi : ki, y.at, 1, beta, z, 1);
  else if (m == 1)
    cblas_dgemv(CblasRowMajor, transpose(!y.transposed), y.transposed ? ni : ki, y.transposed ? ki : ni, 1, y.at,
                y.transposed ? ki : ni, x.at, 1, beta, z, 1);
  else
    cblas_dgemm(CblasRowMajor, transpose(x.transposed), transpose(y.transposed), mi, ni, ki, 1, x.at,
                x.transposed ? mi : ki, y.at, y.transposed ? ki : ni, beta, z, ni);
  return true;
}

#else

bool ad_dense_product(double *z, ad_matrix x, ad_matrix y, size_t m, size_t k, size_t n, bool add) {
  (void)z, (void)x, (void)y, (void)m, (void)k, (void)n, (void)add;
  return false;
}

#endif
