/* The words of ops.def in MPFR, at the context's precision, rounded to nearest.  Included by exec/exec_mpfr.c only,
 * once without and once with marks.
 * Each word writes into the next of a ring of temporaries: a number stays good for MP_RING - 1 further words, more than
 * any row of the table uses. */
#ifndef AD_MPFR_WORDS_H
#define AD_MPFR_WORDS_H

#include <mpfr.h>

#include "arith/mpfr_special.h"

typedef mpfr_srcptr V;

enum { MP_RING = 64 };

/* With MARKED each number carries the mark of arith/marked_f64.h: whether it is fixed.  A V is the address of its T. */
#ifdef MARKED
#define FN(name) mp_marked_##name
#define N(p) (&(p)->n)
#define FIXED(v) (((const T *)(v))->fixed)
#define MARK(v, is) ((void)(((T *)(v))->fixed = (is)))
#else
#define FN(name) mp_##name
#define N(p) (p)
#define FIXED(v) ((void)(v), true)
#define MARK(v, is) ((void)(is))
#endif
#define NOTHING(v) (FIXED(v) && mpfr_zero_p(v))

#define LD(p, i) ((V)N((p) + (i)))
#define ST(p, i, v) mp_put((p) + (i), v)
#define ACC(p, i, v) mp_add_to((p) + (i), v)
#define CLEAR(p, i) mpfr_set_zero((p) + (i), 1)
#define KEEP(k, v) mp_keep(cx, k, v)

static inline void mp_put(T *to, V v) {
  mpfr_set(N(to), v, MPFR_RNDN);
  MARK(N(to), FIXED(v));
}

static inline void mp_add_to(T *to, V v) {
  mpfr_add(N(to), N(to), v, MPFR_RNDN);
  MARK(N(to), FIXED(N(to)) && FIXED(v));
}

#define ZERO NUM(0)
#define ONE NUM(1)
#define HALF mp_double(cx, 0.5)
#define NUM(n) mp_integer(cx, (long)(n))
#define LN2 mp_ln2(cx)
#define LN10 LOG(NUM(10))
#define TWO_OVER_SQRT_PI mp_two_over_sqrt_pi(cx)
#define NAN_VALUE mp_double(cx, (double)NAN)
#define NONE NAN_VALUE
#define KINK_ABS mp_double(cx, cx->kinks.abs_at_zero)
#define KINK_RELU mp_double(cx, cx->kinks.relu_at_zero)
#define TIES(cx) ((cx)->kinks.ties)
#define TIE_FIRST mp_double(cx, cx->kinks.ties == AD_TIES_SHARE ? 0.5 : cx->kinks.ties == AD_TIES_FIRST ? 1.0 : 0.0)

#define LT(a, b) (mpfr_less_p(a, b) != 0)
#define LE(a, b) (mpfr_lessequal_p(a, b) != 0)
#define GT(a, b) (mpfr_greater_p(a, b) != 0)
#define GE(a, b) (mpfr_greaterequal_p(a, b) != 0)
#define EQ(a, b) (mpfr_equal_p(a, b) != 0)
#define NE(a, b) (!EQ(a, b))
#define IS_ZERO(a) (mpfr_zero_p(a) != 0)
#define IS_NAN(a) (mpfr_nan_p(a) != 0)
#define IS_FINITE(a) (mpfr_number_p(a) != 0)
#define IS_INTEGER(a) (mpfr_integer_p(a) != 0)
#define AND(a, b) ((a) && (b))
#define OR(a, b) ((a) || (b))
#define NOT(a) (!(a))
#define SELECT(c, a, b) ((c) ? (a) : (b))

static inline mpfr_ptr mp_next(CX *cx) {
  cx->turn = (cx->turn + 1) % MP_RING;
  MARK(N(&cx->ring[cx->turn]), true);
  return N(&cx->ring[cx->turn]);
}

static inline V mp_keep(CX *cx, int k, V v) {
  mp_put(&cx->kept[k], v);
  return N(&cx->kept[k]);
}

static inline V mp_integer(CX *cx, long n) {
  mpfr_ptr r = mp_next(cx);
  mpfr_set_si(r, n, MPFR_RNDN);
  return r;
}

static inline V mp_double(CX *cx, double d) {
  mpfr_ptr r = mp_next(cx);
  mpfr_set_d(r, d, MPFR_RNDN);
  return r;
}

static inline V mp_ln2(CX *cx) {
  mpfr_ptr r = mp_next(cx);
  mpfr_const_log2(r, MPFR_RNDN);
  return r;
}

static inline V mp_two_over_sqrt_pi(CX *cx) {
  mpfr_ptr r = mp_next(cx);
  mpfr_const_pi(r, MPFR_RNDN);
  mpfr_rec_sqrt(r, r, MPFR_RNDN);
  mpfr_mul_2ui(r, r, 1, MPFR_RNDN);
  return r;
}

#define MP_WORD_1(name, call)                \
  static inline V mp_w_##name(CX *cx, V a) { \
    mpfr_ptr r = mp_next(cx);                \
    call;                                    \
    MARK(r, FIXED(a));                       \
    return r;                                \
  }
#define MP_WORD_2(name, call)                     \
  static inline V mp_w_##name(CX *cx, V a, V b) { \
    mpfr_ptr r = mp_next(cx);                     \
    call;                                         \
    MARK(r, FIXED(a) && FIXED(b));                \
    return r;                                     \
  }

MP_WORD_1(neg, mpfr_neg(r, a, MPFR_RNDN))
MP_WORD_2(add, mpfr_add(r, a, b, MPFR_RNDN))
MP_WORD_2(sub, mpfr_sub(r, a, b, MPFR_RNDN))
/* A fixed zero stays one, whatever is multiplied by it. */
static inline V mp_w_mul(CX *cx, V a, V b) {
  mpfr_ptr r = mp_next(cx);
  mpfr_mul(r, a, b, MPFR_RNDN);
  MARK(r, (FIXED(a) && FIXED(b)) || NOTHING(a) || NOTHING(b));
  return r;
}

MP_WORD_2(div, mpfr_div(r, a, b, MPFR_RNDN))
MP_WORD_1(recip, mpfr_ui_div(r, 1, a, MPFR_RNDN))
MP_WORD_1(sqr, mpfr_sqr(r, a, MPFR_RNDN))
MP_WORD_1(sqrt, mpfr_sqrt(r, a, MPFR_RNDN))
MP_WORD_1(cbrt, mpfr_cbrt(r, a, MPFR_RNDN))
MP_WORD_2(hypot, mpfr_hypot(r, a, b, MPFR_RNDN))
MP_WORD_1(abs, mpfr_abs(r, a, MPFR_RNDN))
MP_WORD_1(floor, mpfr_rint_floor(r, a, MPFR_RNDN))
MP_WORD_1(ceil, mpfr_rint_ceil(r, a, MPFR_RNDN))
MP_WORD_1(round, mpfr_rint_roundeven(r, a, MPFR_RNDN))
MP_WORD_1(trunc, mpfr_rint_trunc(r, a, MPFR_RNDN))
MP_WORD_2(rem, mpfr_fmod(r, a, b, MPFR_RNDN))
MP_WORD_1(exp, mpfr_exp(r, a, MPFR_RNDN))
MP_WORD_1(expm1, mpfr_expm1(r, a, MPFR_RNDN))
MP_WORD_1(exp2, mpfr_exp2(r, a, MPFR_RNDN))
MP_WORD_1(log, mpfr_log(r, a, MPFR_RNDN))
MP_WORD_1(log1p, mpfr_log1p(r, a, MPFR_RNDN))
MP_WORD_1(log2, mpfr_log2(r, a, MPFR_RNDN))
MP_WORD_1(log10, mpfr_log10(r, a, MPFR_RNDN))
MP_WORD_1(sin, mpfr_sin(r, a, MPFR_RNDN))
MP_WORD_1(cos, mpfr_cos(r, a, MPFR_RNDN))
MP_WORD_1(tan, mpfr_tan(r, a, MPFR_RNDN))
MP_WORD_1(asin, mpfr_asin(r, a, MPFR_RNDN))
MP_WORD_1(acos, mpfr_acos(r, a, MPFR_RNDN))
MP_WORD_1(atan, mpfr_atan(r, a, MPFR_RNDN))
MP_WORD_2(atan2, mpfr_atan2(r, a, b, MPFR_RNDN))
MP_WORD_1(sinh, mpfr_sinh(r, a, MPFR_RNDN))
MP_WORD_1(cosh, mpfr_cosh(r, a, MPFR_RNDN))
MP_WORD_1(tanh, mpfr_tanh(r, a, MPFR_RNDN))
MP_WORD_1(sech, mpfr_sech(r, a, MPFR_RNDN))
MP_WORD_1(asinh, mpfr_asinh(r, a, MPFR_RNDN))
MP_WORD_1(acosh, mpfr_acosh(r, a, MPFR_RNDN))
MP_WORD_1(atanh, mpfr_atanh(r, a, MPFR_RNDN))
MP_WORD_1(erf, ad_mpfr_erf(r, a))
MP_WORD_1(erfc, ad_mpfr_erfc(r, a))
MP_WORD_1(gauss, ad_mpfr_gauss(r, a))
MP_WORD_1(normal, ad_mpfr_normal(r, a))
MP_WORD_1(lgamma, ad_mpfr_lgamma(r, a))
MP_WORD_1(digamma, ad_mpfr_digamma(r, a))
MP_WORD_1(sigmoid, ad_mpfr_sigmoid(r, a))
MP_WORD_1(softplus, ad_mpfr_softplus(r, a))
MP_WORD_1(silu, ad_mpfr_silu(r, a))
MP_WORD_1(silu_partial, ad_mpfr_silu_partial(r, a))
MP_WORD_1(gelu, ad_mpfr_gelu(r, a))
MP_WORD_1(gelu_partial, ad_mpfr_gelu_partial(r, a))

static inline V mp_w_pow(CX *cx, V a, V b) {
  mpfr_ptr r = mp_next(cx);
  mpfr_pow(r, a, b, MPFR_RNDN);
  MARK(r, FIXED(a) && FIXED(b));
  return cx->kinks.pow00_nan && mpfr_zero_p(a) && mpfr_zero_p(b) ? NAN_VALUE : r;
}

static inline V mp_w_powi(CX *cx, V a, V b) {
  mpfr_ptr r = mp_next(cx);
  mpfr_pow_si(r, a, mpfr_get_si(b, MPFR_RNDN), MPFR_RNDN);
  MARK(r, FIXED(a) && FIXED(b));
  return cx->kinks.pow00_nan && mpfr_zero_p(a) && mpfr_zero_p(b) ? NAN_VALUE : r;
}

/* y x^(y-1) for an integer y: y - 1 may need a bit more than y, and x^0 is 1 here whatever the policy. */
static inline V mp_w_powi_partial(CX *cx, V a, V b) {
  mpfr_ptr r = mp_next(cx);
  MARK(r, (FIXED(a) && FIXED(b)) || NOTHING(b));
  if (mpfr_zero_p(b)) {
    mpfr_set_zero(r, 1);
    return r;
  }
  mpfr_pow_si(r, a, mpfr_get_si(b, MPFR_RNDN) - 1, MPFR_RNDN);
  mpfr_mul(r, r, b, MPFR_RNDN);
  return r;
}

/* y x^(y-1).  Where y - 1 is not exact, y is an even integer, and the power has the sign of x, or small and no integer,
 * though y - 1 may have become one. */
static inline V mp_w_pow_partial(CX *cx, V a, V b) {
  if (mpfr_zero_p(b) && (NOTHING(b) || (cx->kinks.pow00_nan && mpfr_zero_p(a))))
    return cx->kinks.pow00_nan && mpfr_zero_p(a) ? NAN_VALUE : NUM(0);
  mpfr_ptr less = mp_next(cx), r = mp_next(cx);
  MARK(r, FIXED(a) && FIXED(b));
  if (mpfr_zero_p(b)) {
    mpfr_set_zero(r, 1);
    return r;
  }
  bool exact = mpfr_sub_ui(less, b, 1, MPFR_RNDN) == 0;
  mpfr_pow(r, a, less, MPFR_RNDN);
  if (!exact) mpfr_setsign(r, r, mpfr_integer_p(b) && mpfr_signbit(a), MPFR_RNDN);
  if (mpfr_sgn(a) < 0 && !mpfr_integer_p(b)) mpfr_set_nan(r);
  mpfr_mul(r, r, b, MPFR_RNDN);
  return r;
}

/* c / (a^2 + b^2) */
static inline V mp_w_over_squared_norm(CX *cx, V c, V a, V b) {
  mpfr_ptr r = mp_next(cx);
  mpfr_hypot(r, a, b, MPFR_RNDN);
  MARK(r, FIXED(a) && FIXED(b));
  return mp_w_div(cx, mp_w_div(cx, c, r), r);
}

static inline V mp_w_sign(CX *cx, V a) {
  if (mpfr_nan_p(a) || mpfr_zero_p(a)) return a;
  V r = mp_integer(cx, mpfr_sgn(a));
  MARK(r, FIXED(a));
  return r;
}

static inline V mp_w_max(V a, V b) {
  return mpfr_greater_p(a, b) || mpfr_nan_p(a) ? a : b;
}

static inline V mp_w_min(V a, V b) {
  return mpfr_less_p(a, b) || mpfr_nan_p(a) ? a : b;
}

static inline V mp_w_xlogy(CX *cx, V a, V b) {
  if (!mpfr_zero_p(a) || mpfr_nan_p(b)) return mp_w_mul(cx, a, mp_w_log(cx, b));
  V r = mp_integer(cx, 0);
  MARK(r, FIXED(a) && FIXED(b));
  return r;
}

/* polygamma(n + m, a): the sum may need more bits than n. */
static inline V mp_w_polygamma(CX *cx, V n, size_t m, V a) {
  mpfr_ptr r = mp_next(cx);
  if (mpfr_integer_p(n) && mpfr_sgn(n) >= 0 && mpfr_cmp_ui_2exp(n, 1, 53) < 0 &&
      mpfr_get_si(n, MPFR_RNDN) < (1L << 53) - (long)m)
    ad_mpfr_polygamma(r, mpfr_get_si(n, MPFR_RNDN) + (long)m, a);
  else
    mpfr_set_nan(r);
  MARK(r, FIXED(n) && FIXED(a));
  return r;
}

static inline V mp_w_polygamma_over_factorial(CX *cx, V n, size_t m, V a) {
  mpfr_ptr factorial = mp_next(cx);
  mpfr_fac_ui(factorial, m, MPFR_RNDN);
  return mp_w_div(cx, mp_w_polygamma(cx, n, m, a), factorial);
}

#define NEG(a) mp_w_neg(cx, a)
#define ADD(a, b) mp_w_add(cx, a, b)
#define SUB(a, b) mp_w_sub(cx, a, b)
#define MUL(a, b) mp_w_mul(cx, a, b)
#ifdef MARKED
/* 0, but not all around. */
static inline V mp_corner(CX *cx) {
  V r = mp_integer(cx, 0);
  MARK(r, false);
  return r;
}

#define CORNER(a) mp_corner(cx)
#define MUL_NO_NAN(a, b) (LEAVES_OUT(a, IS_FINITE(b)) || LEAVES_OUT(b, IS_FINITE(a)) ? ZERO : TIMES(a, b))
#define MUL_OR_ZERO(a, b) (IS_ZERO(a) ? ZERO : MUL_NO_NAN(a, b))
#else
#define CORNER(a) ZERO
#define MUL_NO_NAN(a, b) MUL(a, b)
#define MUL_OR_ZERO(a, b) SELECT(EQ(a, ZERO), ZERO, MUL(a, b))
#endif
#define DIV(a, b) mp_w_div(cx, a, b)
#define RECIP(a) mp_w_recip(cx, a)
#define SQR(a) mp_w_sqr(cx, a)
#define POW(a, b) mp_w_pow(cx, a, b)
#define POW_PARTIAL(a, b, z) mp_w_pow_partial(cx, a, b)
#define POWI(a, b) mp_w_powi(cx, a, b)
#define POWI_PARTIAL(a, b) mp_w_powi_partial(cx, a, b)
#define SQRT(a) mp_w_sqrt(cx, a)
#define CBRT(a) mp_w_cbrt(cx, a)
#define HYPOT(a, b) mp_w_hypot(cx, a, b)
#define HYPOT_PARTIAL(a, b, z) DIV(a, z)
#define ABS(a) mp_w_abs(cx, a)
#define SIGN(a) mp_w_sign(cx, a)
#define FLOOR(a) mp_w_floor(cx, a)
#define CEIL(a) mp_w_ceil(cx, a)
#define ROUND(a) mp_w_round(cx, a)
#define TRUNC(a) mp_w_trunc(cx, a)
#define REM(a, b) mp_w_rem(cx, a, b)
#define MAX(a, b) mp_w_max(a, b)
#define MIN(a, b) mp_w_min(a, b)
#define EXP(a) mp_w_exp(cx, a)
#define EXPM1(a) mp_w_expm1(cx, a)
#define EXP2(a) mp_w_exp2(cx, a)
#define LOG(a) mp_w_log(cx, a)
#define LOG1P(a) mp_w_log1p(cx, a)
#define LOG2(a) mp_w_log2(cx, a)
#define LOG10(a) mp_w_log10(cx, a)
#define XLOGY(a, b) mp_w_xlogy(cx, a, b)
#define SIN(a) mp_w_sin(cx, a)
#define COS(a) mp_w_cos(cx, a)
#define TAN(a) mp_w_tan(cx, a)
#define ASIN(a) mp_w_asin(cx, a)
#define ACOS(a) mp_w_acos(cx, a)
#define ATAN(a) mp_w_atan(cx, a)
#define ATAN2(a, b) mp_w_atan2(cx, a, b)
#define OVER_SQUARED_NORM(c, a, b) mp_w_over_squared_norm(cx, c, a, b)
#define SINH(a) mp_w_sinh(cx, a)
#define COSH(a) mp_w_cosh(cx, a)
#define TANH(a) mp_w_tanh(cx, a)
#define SECH(a) mp_w_sech(cx, a)
#define SECH_SQUARED(a) SQR(SECH(a))
#define SECH_PARTIAL(a, z) NEG(MUL(z, TANH(a)))
#define ASINH(a) mp_w_asinh(cx, a)
#define ACOSH(a) mp_w_acosh(cx, a)
#define ATANH(a) mp_w_atanh(cx, a)
#define ERF(a) mp_w_erf(cx, a)
#define ERFC(a) mp_w_erfc(cx, a)
#define GAUSS(a) mp_w_gauss(cx, a)
#define NORMAL(a) mp_w_normal(cx, a)
#define LGAMMA(a) mp_w_lgamma(cx, a)
#define DIGAMMA(a) mp_w_digamma(cx, a)
#define POLYGAMMA(n, a) mp_w_polygamma(cx, n, 0, a)
#define POLYGAMMA_OVER_FACTORIAL(n, m, a) mp_w_polygamma_over_factorial(cx, n, m, a)
#define SIGMOID(a) mp_w_sigmoid(cx, a)
#define SOFTPLUS(a) mp_w_softplus(cx, a)
#define SILU(a) mp_w_silu(cx, a)
#define SILU_PARTIAL(a) mp_w_silu_partial(cx, a)
#define GELU(a) mp_w_gelu(cx, a)
#define GELU_PARTIAL(a) mp_w_gelu_partial(cx, a)

#endif
