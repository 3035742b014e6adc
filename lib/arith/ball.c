#include "arith/ball.h"

enum { GUARD_BITS = 32, SPARE_BITS = 1024 };

slong ad_ball_most_bits(mpfr_srcptr r, mpfr_srcptr x, mpfr_srcptr y) {
  slong given = (slong)mpfr_get_prec(r) + (slong)mpfr_get_prec(x) + (y ? (slong)mpfr_get_prec(y) : 0);
  return 4 * given + SPARE_BITS;
}

void ad_ball_round(mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y, ulong n, ad_ball_function *f) {
  const slong target = (slong)mpfr_get_prec(r), most = ad_ball_most_bits(r, x, y);
  arb_t bx, by, z;
  arb_init(bx);
  arb_init(by);
  arb_init(z);
  arf_set_mpfr(arb_midref(bx), x);
  if (y) arf_set_mpfr(arb_midref(by), y);
  for (slong bits = target + GUARD_BITS;; bits = bits <= most / 2 ? 2 * bits : most) {
    f(z, bx, by, n, bits);
    if (bits == most || arb_is_exact(z) || arb_can_round_arf(z, target, ARF_RND_NEAR)) break;
  }
  arf_get_mpfr(r, arb_midref(z), MPFR_RNDN);
  arb_clear(z);
  arb_clear(by);
  arb_clear(bx);
}
