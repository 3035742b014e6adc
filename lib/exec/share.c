#include "exec/share.h"

#include "team.h"

typedef struct shared {
  const f64_state *cx;
  const ad_lane_run *run;
  size_t planes, plane;
  double *z;          /* values or tangents of the result, */
  const double *zbar; /* or its adjoints */
  ad_mode mode;
} shared;

/* The run from element `first` on; pointers that are NULL stay so. */
static ad_lane_run piece_of(const ad_lane_run *r, size_t first) {
  ad_lane_run l = *r;
  const size_t stride[3] = {r->sx, r->sy, r->sw};
  const double **in[3][2] = {{&l.x, &l.xd}, {&l.y, &l.yd}, {&l.w, &l.wd}};
  double **out[3] = {&l.xb, &l.yb, &l.wb}, **kept[3] = {&l.xk, &l.yk, &l.wk};
  if (l.z) l.z += first;
  for (int k = 0; k < 3; k++) {
    for (int i = 0; i < 2; i++)
      if (*in[k][i]) *in[k][i] += first * stride[k];
    if (*out[k]) *out[k] += first * stride[k];
    if (*kept[k]) *kept[k] += first;
  }
  l.n = r->n - first < AD_SHARE ? r->n - first : AD_SHARE;
  return l;
}

static void run_piece(void *context, size_t task, unsigned thread) {
  const shared *s = context;
  const ad_lanes *lanes = s->cx->lanes;
  const size_t first = task * AD_SHARE;
  ad_lane_run l = piece_of(s->run, first);
  (void)thread;
  if (s->mode == AD_MODE_REVERSE)
    lanes->adjoint(&l, s->zbar + first);
  else if (s->mode == AD_MODE_FORWARD)
    lanes->tangent(&l, s->planes, s->plane, s->z + first);
  else if (l.xk || l.yk || l.wk)
    lanes->record(&l, s->z + first);
  else
    lanes->primal(&l, s->z + first);
}

static void run_all(shared *s) {
  ad_team_run(s->cx->team, run_piece, s, (s->run->n + AD_SHARE - 1) / AD_SHARE);
}

void ad_share_primal(const f64_state *cx, const ad_lane_run *r, double *z) {
  run_all(&(shared){.cx = cx, .run = r, .z = z});
}

void ad_share_tangent(const f64_state *cx, const ad_lane_run *r, size_t planes, size_t plane, double *zd) {
  run_all(&(shared){.cx = cx, .run = r, .planes = planes, .plane = plane, .z = zd, .mode = AD_MODE_FORWARD});
}

/* Whether pieces add to elements of their own: none is every piece's, and where two arguments overlap they are the
 * same. */
static bool apart(const ad_lane_run *r) {
  const double *const bar[3] = {r->xb, r->yb, r->wb};
  const size_t stride[3] = {r->sx, r->sy, r->sw};
  for (int k = 0; k < 3; k++) {
    if (!(r->active >> k & 1)) continue;
    if (!stride[k]) return false;
    for (int i = 0; i < k; i++)
      if ((r->active >> i & 1) && bar[i] != bar[k] && bar[i] < bar[k] + r->n && bar[k] < bar[i] + r->n) return false;
  }
  return true;
}

void ad_share_adjoint(const f64_state *cx, ad_lane_run *r, const double *zbar) {
  if (apart(r))
    run_all(&(shared){.cx = cx, .run = r, .zbar = zbar, .mode = AD_MODE_REVERSE});
  else
    cx->lanes->adjoint(r, zbar);
}

/* ---- Sums */

typedef struct summed {
  const ad_lanes *lanes;
  const double *x;
  size_t n;
  double *sum;
} summed;

static void sum_piece(void *context, size_t task, unsigned thread) {
  const summed *s = context;
  const size_t first = task * AD_SHARE;
  (void)thread;
  s->sum[task] = s->lanes->sum(s->x + first, s->n - first < AD_SHARE ? s->n - first : AD_SHARE);
}

/* Pieces are added as TREE_SUM adds its leaves: as soon as two of the same size stand side by side. */
double ad_share_sum(const f64_state *cx, const double *x, size_t n, double *room) {
  const size_t pieces = (n + AD_SHARE - 1) / AD_SHARE;
  summed s = {cx->lanes, x, n, room};
  size_t top = 0;
  ad_team_run(cx->team, sum_piece, &s, pieces);
  for (size_t b = 0; b < pieces; b++) {
    room[top++] = room[b];
    for (size_t c = b; c & 1; c >>= 1, top--) room[top - 2] += room[top - 1];
  }
  for (; top > 1; top--) room[top - 2] += room[top - 1];
  return room[0];
}
