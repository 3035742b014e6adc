/* Matrix products by BLAS, or, where it would spend more time on its own order than on the product, in SIMD. */
#include <limits.h>
#include <string.h>

#include "exec/dense.h"

/* Below this many multiplications a call costs more than it saves. */
enum { SHORTEST_PRODUCT = 256 };

/* Few columns, and few rows of either x or y. */
enum { FEW_ROWS = 16, SHALLOW = 64 };

static bool is_small(size_t m, size_t k, size_t n) {
  return n > 1 && n <= AD_FEW_COLUMNS && (k <= SHALLOW || m <= FEW_ROWS) && m * k < 1 << 17;
}

static void multiply_small(const f64_state *cx, double *z, ad_matrix x, ad_matrix y, size_t m, size_t k, size_t n,
                           bool add) {
  ad_small_product p = {.z = z, .x = x.at, .y = y.at, .m = m, .k = k, .n = n, .add = add};
  p.xrow = x.transposed ? 1 : k, p.xcolumn = x.transposed ? m : 1;
  p.yrow = y.transposed ? 1 : n, p.ycolumn = y.transposed ? k : 1;
  cx->lanes->product(&p);
}

#ifdef HAVE_CBLAS
#include <cblas.h>

static bool fits(size_t n) {
  return n > 0 && n <= INT_MAX;
}

static CBLAS_TRANSPOSE transpose(bool yes) {
  return yes ? CblasTrans : CblasNoTrans;
}

/* A product of which pieces are rows or columns of z; ld is what lies between rows in memory. */
typedef struct product {
  double *z;
  ad_matrix x, y;
  size_t m, k, n, ldx, ldy, ldz;
  double beta;
} product;

static void multiply(const product *p) {
  cblas_dgemm(CblasRowMajor, transpose(p->x.transposed), transpose(p->y.transposed), (int)p->m, (int)p->n, (int)p->k, 1,
              p->x.at, (int)p->ldx, p->y.at, (int)p->ldy, p->beta, p->z, (int)p->ldz);
}

/* Rows or columns of a piece, and how many multiplications make it worth while.  The bits of a product may depend on
 * its shape, so one thread goes by pieces, too. */
enum { PIECE = 128, FEWEST_SHARED = 1 << 21 };

static void multiply_rows(void *context, size_t task, unsigned thread) {
  product p = *(const product *)context;
  const size_t first = task * PIECE;
  (void)thread;
  p.z += first * p.ldz;
  p.x.at += first * (p.x.transposed ? 1 : p.ldx);
  p.m = p.m - first < PIECE ? p.m - first : PIECE;
  multiply(&p);
}

static void multiply_columns(void *context, size_t task, unsigned thread) {
  product p = *(const product *)context;
  const size_t first = task * PIECE;
  (void)thread;
  p.z += first;
  p.y.at += first * (p.y.transposed ? p.ldy : 1);
  p.n = p.n - first < PIECE ? p.n - first : PIECE;
  multiply(&p);
}

static void multiply_in_pieces(const f64_state *cx, product *p) {
  const bool rows = p->m >= p->n;
  const size_t pieces = ((rows ? p->m : p->n) + PIECE - 1) / PIECE;
  ad_team_task *task = rows ? multiply_rows : multiply_columns;
  if (cx->team)
    ad_team_run(cx->team, task, p, pieces);
  else
    for (size_t i = 0; i < pieces; i++) task(p, i, 0);
}

bool ad_dense_product(const f64_state *cx, double *z, ad_matrix x, ad_matrix y, size_t m, size_t k, size_t n,
                      bool add) {
  if (!fits(m) || !fits(k) || !fits(n) || m * k * n < SHORTEST_PRODUCT) return false;
  if (cx->lanes && is_small(m, k, n)) {
    multiply_small(cx, z, x, y, m, k, n, add);
    return true;
  }
  product p = {.z = z, .x = x, .y = y, .m = m, .k = k, .n = n, .beta = add ? 1 : 0};
  p.ldx = x.transposed ? m : k, p.ldy = y.transposed ? k : n, p.ldz = n;
  const int ldx = (int)p.ldx, ldy = (int)p.ldy;
  if (!add && (m == 1 || n == 1)) memset(z, 0, m * n * sizeof *z); /* gemv may read what it is told to forget */
  if (n == 1)                                                      /* a column on the right: rows of x times it */
    cblas_dgemv(CblasRowMajor, transpose(x.transposed), (int)(x.transposed ? k : m), ldx, 1, x.at, ldx, y.at, 1, p.beta,
                z, 1);
  else if (m == 1)
    cblas_dgemv(CblasRowMajor, transpose(!y.transposed), (int)(y.transposed ? n : k), ldy, 1, y.at, ldy, x.at, 1,
                p.beta, z, 1);
  else if (m * n / 64 * k >= FEWEST_SHARED / 64)
    multiply_in_pieces(cx, &p);
  else
    multiply(&p);
  return true;
}

#else

bool ad_dense_product(const f64_state *cx, double *z, ad_matrix x, ad_matrix y, size_t m, size_t k, size_t n,
                      bool add) {
  if (!cx->lanes || m * k * n < SHORTEST_PRODUCT || !is_small(m, k, n)) return false;
  multiply_small(cx, z, x, y, m, k, n, add);
  return true;
}

#endif
