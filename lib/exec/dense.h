/* Structured operations in double on tensors that lie as the fast ways want them: BLAS for products, SIMD for
 * reductions, rows and tiles for moves.  Each function says whether it did the step; where not, kernels.inc does it. */
#ifndef AD_DENSE_H
#define AD_DENSE_H

#include "exec/lanes.h"

bool ad_dense_primal(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *plane,
                     double *z);
/* Of one direction, whose plane of tangents is `tangent`. */
bool ad_dense_tangent(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *value,
                      const double *tangent, double *zd);
bool ad_dense_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *value,
                      double *adjoint, uint32_t out);

/* Reductions and softmax along lines (s->u.lines); sum += x in n elements. */
bool ad_dense_reduce(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, double *z,
                     const double *x);
bool ad_dense_reduce_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, unsigned op, const double *x,
                             double *xbar, const double *zbar);
bool ad_dense_softmax(const f64_state *cx, const ad_program *p, const ad_step *s, double *z, const double *x);
bool ad_dense_softmax_adjoint(const f64_state *cx, const ad_program *p, const ad_step *s, const double *zbar,
                              const double *z, double *xbar);
void ad_dense_add(const f64_state *cx, double *sum, const double *x, size_t n);

/* z (m x n) = x (m x k) y (k x n), or added to z, by BLAS and the team: false where that is not possible or not worth
 * the call, which depends on the product m k n only. */
typedef struct ad_matrix {
  const double *at;
  bool transposed; /* as it is stored */
} ad_matrix;
bool ad_dense_product(const f64_state *cx, double *z, ad_matrix x, ad_matrix y, size_t m, size_t k, size_t n, bool add);

/* Strided copies: z from x, or added to xbar from zbar. */
void ad_dense_move(const ad_move *m, double *z, const double *x);
void ad_dense_move_add(const ad_lanes *lanes, const ad_move *m, const double *zbar, double *xbar);

#endif
