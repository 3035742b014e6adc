/* Large tensors shared out among the threads of a workspace's team.  Into how many pieces, and which, follows from
 * sizes alone, and pieces are what one thread does one after the other, too: so no number depends on the number of
 * threads. */
#ifndef AD_EXEC_SHARE_H
#define AD_EXEC_SHARE_H

#include "exec/lanes.h"

/* Elements of a piece: a subtree of the sums' tree, whole strips, and a multiple of every SIMD width. */
enum { AD_SHARE = 16 * AD_STRIP };

static inline bool ad_shares(const f64_state *cx, size_t n) {
  return cx->team && n >= 2 * AD_SHARE;
}

/* As the functions of the same names in ad_lanes do it. */
void ad_share_primal(const f64_state *cx, const ad_lane_run *r, double *z);
void ad_share_tangent(const f64_state *cx, const ad_lane_run *r, size_t planes, size_t plane, double *zd);
void ad_share_adjoint(const f64_state *cx, ad_lane_run *r, const double *zbar);
/* room: one number for each piece. */
double ad_share_sum(const f64_state *cx, const double *x, size_t n, double *room);

#endif
