/* Numbers of the engine in balls: each is a midpoint and a radius (Johansson, Arb, IEEE Trans. Comp. 66, 2017). */
#ifndef AD_EXEC_BALL_H
#define AD_EXEC_BALL_H

#include "arith/ball.h"
#include "exec/workspace.h"

/* A number of a plane.  The limbs of its midpoint lie in `room`, so planes are one allocation each and Arb allocates
 * for temporaries only. */
typedef struct ad_ball {
  arb_struct ball;
  mp_limb_t *room;
} ad_ball;

/* The smallest representable ball around x; read with ad_ball_at. */
void ad_ball_store(ad_ball *cell, const arb_t x, slong precision);
static inline arb_srcptr ad_ball_at(const ad_span *s, size_t i) {
  return &((const ad_ball *)s->data + i)->ball;
}

/* Numbers outside planes, all 0; NULL: no memory. */
arb_ptr ad_balls_new(size_t count);
void ad_balls_free(arb_ptr x, size_t count);

/* The workspaces of balls.  Whatever the inputs' balls are, the results enclose what the graph gives, kinks by its
 * policy, at each of their points. */
extern const ad_backend ad_backend_ball;

/* Whether the last primal run met a condition that the balls could not decide: a value may jump between points of the
 * inputs' balls.  Otherwise values are absolutely continuous there, and the mean value theorem holds with the enclosed
 * derivatives. */
bool ad_ball_undecided(const ad_workspace *w);

#endif
