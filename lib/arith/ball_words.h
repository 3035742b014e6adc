/* The words of ops.def in balls (Arb), at the context's precision: each result encloses the word's value at every point
 * of its arguments' balls, or is indeterminate.  Included by exec/exec_ball.c only.  Temporaries are a ring, as in
 * mpfr_words.h.
 *
 * Conditions have three values and are a type of their own, so that none is taken for a truth value.  SELECT by an
 * unknown one is the hull of both sides; while values are computed, the context notes that they may jump (bl_jump). */
#ifndef AD_BALL_WORDS_H
#define AD_BALL_WORDS_H

#include "arith/ball.h"

typedef ad_ball T;
typedef arb_srcptr V;
#define FN(name) bl_##name

enum { BL_RING = 64 };

typedef struct bl_truth {
  enum { BL_NO, BL_YES, BL_UNKNOWN } is;
} bl_truth;

#define LD(p, i) ((V) & (p)[i].ball)
#define ST(p, i, v) ad_ball_store(&(p)[i], v, cx->precision)
#define ACC(p, i, v) bl_accumulate(cx, &(p)[i], v)
#define CLEAR(p, i) bl_clear_cell(&(p)[i])
#define KEEP(k, v) bl_keep(cx, k, v)

#define ZERO NUM(0)
#define ONE NUM(1)
#define HALF bl_double(cx, 0.5)
#define NUM(n) bl_integer(cx, (slong)(n))
#define LN2 bl_ln2(cx)
#define LN10 bl_ln10(cx)
#define TWO_OVER_SQRT_PI bl_two_over_sqrt_pi(cx)
#define NAN_VALUE bl_indeterminate(cx)
#define NONE NAN_VALUE
#define KINK_ABS bl_double(cx, cx->kinks.abs_at_zero)
#define KINK_RELU bl_double(cx, cx->kinks.relu_at_zero)
#define TIES(cx) ((cx)->kinks.ties)
#define TIE_FIRST bl_double(cx, cx->kinks.ties == AD_TIES_SHARE ? 0.5 : cx->kinks.ties == AD_TIES_FIRST ? 1.0 : 0.0)

#define LT(a, b) bl_less(a, b)
#define LE(a, b) NOT(bl_less(b, a))
#define GT(a, b) bl_less(b, a)
#define GE(a, b) NOT(bl_less(a, b))
#define EQ(a, b) bl_equal(a, b)
#define NE(a, b) NOT(EQ(a, b))
#define IS_INTEGER(a) bl_is_integer(a)
#define AND(a, b) bl_and(a, b)
#define OR(a, b) NOT(bl_and(NOT(a), NOT(b)))
#define NOT(a) bl_not(a)
#define HOLDS(c) ((c).is == BL_YES)
#define SELECT(c, a, b) ((c).is == BL_YES ? (a) : (c).is == BL_NO ? (b) : bl_hull(cx, a, b))
/* These are no conditions on numbers, but on what is known of them. */
#define IS_ZERO(a) (arb_is_zero(a) != 0)
#define IS_NAN(a) (arf_is_nan(arb_midref(a)) != 0)
#define IS_FINITE(a) (arb_is_finite(a) != 0)

static inline arb_ptr bl_next(CX *cx) {
  cx->turn = (cx->turn + 1) % BL_RING;
  return &cx->ring[cx->turn];
}

static inline void bl_clear_cell(T *cell) {
  cell->ball = (arb_struct){0};
}

static inline void bl_accumulate(CX *cx, T *cell, V v) {
  arb_ptr sum = bl_next(cx);
  arb_add(sum, &cell->ball, v, cx->precision);
  ad_ball_store(cell, sum, cx->precision);
}

static inline V bl_keep(CX *cx, int k, V v) {
  arb_set(&cx->kept[k], v);
  return &cx->kept[k];
}

static inline V bl_integer(CX *cx, slong n) {
  arb_ptr r = bl_next(cx);
  arb_set_si(r, n);
  return r;
}

static inline V bl_double(CX *cx, double d) {
  arb_ptr r = bl_next(cx);
  arb_set_d(r, d);
  return r;
}

static inline V bl_indeterminate(CX *cx) {
  arb_ptr r = bl_next(cx);
  arb_indeterminate(r);
  return r;
}

static inline V bl_ln2(CX *cx) {
  arb_ptr r = bl_next(cx);
  arb_const_log2(r, cx->precision);
  return r;
}

static inline V bl_ln10(CX *cx) {
  arb_ptr r = bl_next(cx);
  arb_const_log10(r, cx->precision);
  return r;
}

static inline V bl_two_over_sqrt_pi(CX *cx) {
  arb_ptr r = bl_next(cx);
  arb_const_sqrt_pi(r, cx->precision);
  arb_inv(r, r, cx->precision);
  arb_mul_2exp_si(r, r, 1);
  return r;
}

/* ---- Conditions */

/* While values are computed: one may be another on the other side of a condition. */
static inline void bl_jump(CX *cx) {
  cx->undecided = cx->undecided || !cx->partials;
}

static inline V bl_hull(CX *cx, V a, V b) {
  bl_jump(cx);
  arb_ptr r = bl_next(cx);
  arb_union(r, a, b, cx->precision);
  return r;
}

static inline bl_truth bl_known(bool yes, bool no) {
  return (bl_truth){yes ? BL_YES : no ? BL_NO : BL_UNKNOWN};
}

static inline bl_truth bl_less(V a, V b) {
  return bl_known(arb_lt(a, b), arb_ge(a, b));
}

static inline bl_truth bl_equal(V a, V b) {
  return bl_known(arb_eq(a, b), arb_ne(a, b));
}

static inline bl_truth bl_is_integer(V a) {
  return bl_known(arb_is_int(a), arb_is_finite(a) && !arb_contains_int(a));
}

static inline bl_truth bl_not(bl_truth a) {
  return bl_known(a.is == BL_NO, a.is == BL_YES);
}

static inline bl_truth bl_and(bl_truth a, bl_truth b) {
  return bl_known(a.is == BL_YES && b.is == BL_YES, a.is == BL_NO || b.is == BL_NO);
}

/* ---- Functions of Arb as they are */

/* Some take nan for a number. */
#define BL_WORD_1(name, call)                \
  static inline V bl_w_##name(CX *cx, V a) { \
    const slong p = cx->precision;           \
    arb_ptr r = bl_next(cx);                 \
    (void)p;                                 \
    if (IS_NAN(a))                           \
      arb_indeterminate(r);                  \
    else                                     \
      call;                                  \
    return r;                                \
  }
#define BL_WORD_2(name, call)                     \
  static inline V bl_w_##name(CX *cx, V a, V b) { \
    const slong p = cx->precision;                \
    arb_ptr r = bl_next(cx);                      \
    if (IS_NAN(a) || IS_NAN(b))                   \
      arb_indeterminate(r);                       \
    else                                          \
      call;                                       \
    return r;                                     \
  }

BL_WORD_1(neg, arb_neg(r, a))
BL_WORD_2(add, arb_add(r, a, b, p))
BL_WORD_2(sub, arb_sub(r, a, b, p))
BL_WORD_2(mul, arb_mul(r, a, b, p))
BL_WORD_2(div, arb_div(r, a, b, p))
BL_WORD_1(recip, arb_inv(r, a, p))
BL_WORD_1(sqr, arb_sqr(r, a, p))
BL_WORD_1(sqrt, arb_sqrt(r, a, p))
BL_WORD_1(abs, arb_abs(r, a))
BL_WORD_2(max, arb_max(r, a, b, p))
BL_WORD_2(min, arb_min(r, a, b, p))
BL_WORD_1(exp, arb_exp(r, a, p))
BL_WORD_1(expm1, arb_expm1(r, a, p))
BL_WORD_1(log, arb_log(r, a, p))
BL_WORD_1(log1p, arb_log1p(r, a, p))
BL_WORD_1(log2, arb_log_base_ui(r, a, 2, p))
BL_WORD_1(log10, arb_log_base_ui(r, a, 10, p))
BL_WORD_1(sin, arb_is_finite(a) ? arb_sin(r, a, p) : arb_indeterminate(r))
BL_WORD_1(cos, arb_is_finite(a) ? arb_cos(r, a, p) : arb_indeterminate(r))
BL_WORD_1(tan, arb_tan(r, a, p))
BL_WORD_1(asin, arb_asin(r, a, p))
BL_WORD_1(acos, arb_acos(r, a, p))
BL_WORD_1(atan, arb_atan(r, a, p))
BL_WORD_1(sinh, arb_sinh(r, a, p))
BL_WORD_1(cosh, arb_cosh(r, a, p))
BL_WORD_1(tanh, arb_tanh(r, a, p))
BL_WORD_1(sech, arb_sech(r, a, p))
BL_WORD_1(asinh, arb_asinh(r, a, p))
BL_WORD_1(acosh, arb_acosh(r, a, p))
BL_WORD_1(atanh, arb_atanh(r, a, p))
BL_WORD_1(erf, arb_hypgeom_erf(r, a, p))
BL_WORD_1(erfc, arb_hypgeom_erfc(r, a, p))

static inline V bl_w_gauss(CX *cx, V a) {
  arb_ptr r = bl_next(cx);
  arb_sqr(r, a, 2 * cx->precision);
  arb_neg(r, r);
  return bl_w_exp(cx, r);
}

/* ---- Roots and powers */

static inline V bl_w_hypot(CX *cx, V a, V b) {
  arb_ptr r = bl_next(cx), s = bl_next(cx);
  if (arb_is_zero(a) || arb_is_zero(b)) {
    arb_abs(r, arb_is_zero(a) ? b : a);
    return r;
  }
  arb_sqr(r, a, cx->precision + 10);
  arb_sqr(s, b, cx->precision + 10);
  arb_add(r, r, s, cx->precision + 10);
  arb_sqrtpos(r, r, cx->precision);
  return r;
}

/* Odd and rising: across 0, a ball of the largest |value|. */
static inline V bl_w_cbrt(CX *cx, V a) {
  arb_ptr r = bl_next(cx);
  if (arb_is_nonnegative(a) && (arb_is_exact(a) || arb_is_positive(a))) {
    arb_root_ui(r, a, 3, cx->precision);
  } else if (arb_is_negative(a)) {
    arb_neg(r, a);
    arb_root_ui(r, r, 3, cx->precision);
    arb_neg(r, r);
  } else if (arb_is_finite(a)) {
    mag_t most;
    mag_init(most);
    arb_get_mag(most, a);
    mag_root(most, most, 3);
    arb_zero(r);
    arb_add_error_mag(r, most);
    mag_clear(most);
  } else {
    arb_indeterminate(r);
  }
  return r;
}

/* Whether y is one integer that a word holds. */
static inline bool bl_integer_exponent(V y) {
  return arb_is_int(y) && arf_cmpabs_2exp_si(arb_midref(y), 62) < 0;
}

/* x^y with 0^0 = 1. */
static inline V bl_power(CX *cx, V x, V y) {
  arb_ptr r = bl_next(cx);
  if (bl_integer_exponent(y)) {
    fmpz_t n;
    fmpz_init_set_si(n, arf_get_si(arb_midref(y), ARF_RND_DOWN));
    arb_pow_fmpz(r, x, n, cx->precision);
    fmpz_clear(n);
  } else if (arb_is_positive(x)) {
    arb_pow(r, x, y, cx->precision);
  } else if (arb_is_zero(x) && arb_is_positive(y)) {
    arb_zero(r);
  } else {
    arb_indeterminate(r);
  }
  return r;
}

/* Whether 0^0 is nan and x^y may be one. */
static inline bool bl_no_power(CX *cx, V x, V y) {
  return cx->kinks.pow00_nan && arb_contains_zero(x) && arb_contains_zero(y);
}

static inline V bl_w_pow(CX *cx, V x, V y) {
  return bl_no_power(cx, x, y) ? NAN_VALUE : bl_power(cx, x, y);
}

static inline V bl_w_pow_partial(CX *cx, V x, V y) {
  if (arb_is_zero(y)) return bl_no_power(cx, x, y) ? NAN_VALUE : NUM(0);
  return bl_w_mul(cx, y, bl_power(cx, x, bl_w_sub(cx, y, NUM(1))));
}

static inline V bl_w_powi_partial(CX *cx, V x, V y) {
  return arb_is_zero(y) ? NUM(0) : bl_w_pow_partial(cx, x, y);
}

static inline V bl_w_exp2(CX *cx, V a) {
  arb_ptr r = bl_next(cx);
  if (bl_integer_exponent(a)) {
    arb_one(r);
    arb_mul_2exp_si(r, r, arf_get_si(arb_midref(a), ARF_RND_DOWN));
  } else {
    arb_const_log2(r, cx->precision + 64);
    arb_mul(r, r, a, cx->precision + 64);
    arb_exp(r, r, cx->precision);
  }
  return r;
}

static inline V bl_w_xlogy(CX *cx, V a, V b) {
  return arb_is_zero(a) && !IS_NAN(b) ? NUM(0) : bl_w_mul(cx, a, bl_w_log(cx, b));
}

/* ---- Steps */

/* The nearest integer, halves to even. */
static inline void bl_round(arf_t r, const arf_t x) {
  if (arf_cmpabs_2exp_si(x, -1) <= 0 || arf_is_int(x)) {
    if (arf_is_int(x))
      arf_set(r, x);
    else
      arf_zero(r);
    return;
  }
  arf_t half;
  arf_init(half);
  arf_set_d(half, 0.5);
  arf_add(r, x, half, ARF_PREC_EXACT, ARF_RND_DOWN);
  const bool tie = arf_is_int(r) != 0;
  arf_floor(r, r);
  if (tie && !arf_is_int_2exp_si(r, 1)) arf_sub_ui(r, r, 1, ARF_PREC_EXACT, ARF_RND_DOWN);
  arf_clear(half);
}

static inline void bl_trunc(arf_t r, const arf_t x) {
  if (arf_sgn(x) < 0)
    arf_ceil(r, x);
  else
    arf_floor(r, x);
}

/* A step function that rises: one integer where both ends of the ball have the same. */
static inline V bl_step(CX *cx, V a, void (*f)(arf_t, const arf_t)) {
  arb_ptr r = bl_next(cx), high = bl_next(cx);
  if (!arb_is_finite(a)) {
    arb_indeterminate(r);
    bl_jump(cx);
    return r;
  }
  arf_t low;
  arf_init(low);
  arb_get_lbound_arf(low, a, cx->precision + 32);
  arb_get_ubound_arf(arb_midref(high), a, cx->precision + 32);
  mag_zero(arb_radref(high));
  mag_zero(arb_radref(r));
  f(arb_midref(r), low);
  f(arb_midref(high), arb_midref(high));
  arf_clear(low);
  return arb_equal(r, high) ? r : bl_hull(cx, r, high);
}

static inline V bl_w_sign(CX *cx, V a) {
  if (arb_is_zero(a)) return NUM(0);
  if (arb_is_positive(a)) return NUM(1);
  if (arb_is_negative(a)) return NUM(-1);
  return IS_NAN(a) ? NAN_VALUE : bl_hull(cx, NUM(-1), NUM(1));
}

static inline V bl_w_rem(CX *cx, V a, V b) {
  V q = bl_step(cx, bl_w_div(cx, a, b), bl_trunc);
  return arb_is_zero(q) ? a : bl_w_sub(cx, a, bl_w_mul(cx, q, b));
}

/* The angle jumps on the negative x axis and at 0, where the signs of zeros, which balls don't have, decide. */
static inline V bl_w_atan2(CX *cx, V y, V x) {
  const bool jumps = arb_contains_zero(y) && !arb_is_positive(x);
  if (jumps) bl_jump(cx);
  if (!arb_is_finite(x) || !arb_is_finite(y)) return NAN_VALUE;
  arb_ptr r = bl_next(cx);
  if (jumps) {
    arb_const_pi(r, cx->precision);
    return bl_hull(cx, bl_w_neg(cx, r), r);
  }
  arb_atan2(r, y, x, cx->precision);
  return r;
}

/* c / (a^2 + b^2) */
static inline V bl_w_over_squared_norm(CX *cx, V c, V a, V b) {
  return bl_w_div(cx, c, bl_w_add(cx, bl_w_sqr(cx, a), bl_w_sqr(cx, b)));
}

/* ---- Activations: x occurs once in each formula where it can, so that wide balls stay as narrow as they are. */

/* 1/(1 + exp(-x)); far left, where that overflows, exp(x)/(1 + exp(x)). */
static inline V bl_w_sigmoid(CX *cx, V a) {
  arb_ptr r = bl_next(cx), e = bl_next(cx);
  arb_neg(r, a);
  arb_exp(r, r, cx->precision);
  arb_add_ui(r, r, 1, cx->precision);
  arb_inv(r, r, cx->precision);
  if (arb_is_finite(r) || IS_NAN(a)) return r;
  arb_exp(e, a, cx->precision);
  arb_add_ui(r, e, 1, cx->precision);
  arb_div(r, e, r, cx->precision);
  return r;
}

/* log(1 + exp(x)); far right x + log(1 + exp(-x)). */
static inline V bl_w_softplus(CX *cx, V a) {
  arb_ptr r = bl_next(cx);
  arb_exp(r, a, cx->precision);
  arb_log1p(r, r, cx->precision);
  if (arb_is_finite(r) || IS_NAN(a)) return r;
  arb_neg(r, a);
  arb_exp(r, r, cx->precision);
  arb_log1p(r, r, cx->precision);
  arb_add(r, r, a, cx->precision);
  return r;
}

static inline V bl_w_silu(CX *cx, V a) {
  return bl_w_mul(cx, a, bl_w_sigmoid(cx, a));
}

/* s(x) (1 + x s(-x)), s the sigmoid */
static inline V bl_w_silu_partial(CX *cx, V a) {
  V right = bl_w_mul(cx, a, bl_w_sigmoid(cx, bl_w_neg(cx, a)));
  return bl_w_mul(cx, bl_w_sigmoid(cx, a), bl_w_add(cx, NUM(1), right));
}

/* exp(-x^2/2) / sqrt(2 pi) */
static inline V bl_w_normal(CX *cx, V a) {
  arb_ptr r = bl_next(cx), root = bl_next(cx);
  arb_sqr(r, a, 2 * cx->precision);
  arb_mul_2exp_si(r, r, -1);
  arb_neg(r, r);
  arb_exp(r, r, cx->precision);
  arb_const_pi(root, cx->precision);
  arb_mul_2exp_si(root, root, 1);
  arb_sqrt(root, root, cx->precision);
  arb_div(r, r, root, cx->precision);
  return r;
}

/* erfc(-x/sqrt 2)/2 */
static inline V bl_w_phi(CX *cx, V a) {
  arb_ptr r = bl_next(cx);
  arb_sqrt_ui(r, 2, cx->precision);
  arb_div(r, a, r, cx->precision);
  arb_neg(r, r);
  arb_hypgeom_erfc(r, r, cx->precision);
  arb_mul_2exp_si(r, r, -1);
  return r;
}

static inline V bl_w_gelu(CX *cx, V a) {
  return bl_w_mul(cx, a, bl_w_phi(cx, a));
}

static inline V bl_w_gelu_partial(CX *cx, V a) {
  return bl_w_add(cx, bl_w_phi(cx, a), bl_w_mul(cx, a, bl_w_normal(cx, a)));
}

/* ---- The gamma function and its kin: right of 0, or between two integers left of it. */

static inline bool bl_off_poles(V a) {
  return arb_is_positive(a) || (arb_is_finite(a) && !arb_contains_int(a));
}

static inline V bl_w_lgamma(CX *cx, V a) {
  arb_ptr r = bl_next(cx);
  if (arb_equal_si(a, 1) || arb_equal_si(a, 2))
    arb_zero(r);
  else if (bl_off_poles(a))
    ad_ball_lgamma(r, a, cx->precision);
  else
    arb_indeterminate(r);
  return r;
}

static inline V bl_w_polygamma(CX *cx, V n, V a) {
  arb_ptr r = bl_next(cx);
  if (!bl_off_poles(a) || !arb_is_int(n) || !arb_is_nonnegative(n) || arf_cmpabs_2exp_si(arb_midref(n), 53) >= 0)
    arb_indeterminate(r);
  else
    ad_ball_polygamma(r, a, (ulong)arf_get_si(arb_midref(n), ARF_RND_DOWN), cx->precision);
  return r;
}

#define NEG(a) bl_w_neg(cx, a)
#define ADD(a, b) bl_w_add(cx, a, b)
#define SUB(a, b) bl_w_sub(cx, a, b)
#define MUL(a, b) bl_w_mul(cx, a, b)
#define CORNER(a) ZERO
#define MUL_NO_NAN(a, b) MUL(a, b)
#define MUL_OR_ZERO(a, b) SELECT(EQ(a, ZERO), ZERO, MUL(a, b))
#define DIV(a, b) bl_w_div(cx, a, b)
#define RECIP(a) bl_w_recip(cx, a)
#define SQR(a) bl_w_sqr(cx, a)
#define POW(a, b) bl_w_pow(cx, a, b)
#define POW_PARTIAL(a, b, z) bl_w_pow_partial(cx, a, b)
#define POWI(a, b) bl_w_pow(cx, a, b)
#define POWI_PARTIAL(a, b) bl_w_powi_partial(cx, a, b)
#define SQRT(a) bl_w_sqrt(cx, a)
#define CBRT(a) bl_w_cbrt(cx, a)
#define HYPOT(a, b) bl_w_hypot(cx, a, b)
#define HYPOT_PARTIAL(a, b, z) DIV(a, z)
#define ABS(a) bl_w_abs(cx, a)
#define SIGN(a) bl_w_sign(cx, a)
#define FLOOR(a) bl_step(cx, a, arf_floor)
#define CEIL(a) bl_step(cx, a, arf_ceil)
#define ROUND(a) bl_step(cx, a, bl_round)
#define TRUNC(a) bl_step(cx, a, bl_trunc)
#define REM(a, b) bl_w_rem(cx, a, b)
#undef MAX
#undef MIN
#define MAX(a, b) bl_w_max(cx, a, b)
#define MIN(a, b) bl_w_min(cx, a, b)
#define EXP(a) bl_w_exp(cx, a)
#define EXPM1(a) bl_w_expm1(cx, a)
#define EXP2(a) bl_w_exp2(cx, a)
#define LOG(a) bl_w_log(cx, a)
#define LOG1P(a) bl_w_log1p(cx, a)
#define LOG2(a) bl_w_log2(cx, a)
#define LOG10(a) bl_w_log10(cx, a)
#define XLOGY(a, b) bl_w_xlogy(cx, a, b)
#define SIN(a) bl_w_sin(cx, a)
#define COS(a) bl_w_cos(cx, a)
#define TAN(a) bl_w_tan(cx, a)
#define ASIN(a) bl_w_asin(cx, a)
#define ACOS(a) bl_w_acos(cx, a)
#define ATAN(a) bl_w_atan(cx, a)
#define ATAN2(a, b) bl_w_atan2(cx, a, b)
#define OVER_SQUARED_NORM(c, a, b) bl_w_over_squared_norm(cx, c, a, b)
#define SINH(a) bl_w_sinh(cx, a)
#define COSH(a) bl_w_cosh(cx, a)
#define TANH(a) bl_w_tanh(cx, a)
#define SECH(a) bl_w_sech(cx, a)
#define SECH_SQUARED(a) SQR(SECH(a))
#define SECH_PARTIAL(a, z) NEG(MUL(z, TANH(a)))
#define ASINH(a) bl_w_asinh(cx, a)
#define ACOSH(a) bl_w_acosh(cx, a)
#define ATANH(a) bl_w_atanh(cx, a)
#define ERF(a) bl_w_erf(cx, a)
#define ERFC(a) bl_w_erfc(cx, a)
#define GAUSS(a) bl_w_gauss(cx, a)
#define NORMAL(a) bl_w_normal(cx, a)
#define LGAMMA(a) bl_w_lgamma(cx, a)
#define DIGAMMA(a) bl_w_polygamma(cx, NUM(0), a)
#define POLYGAMMA(n, a) bl_w_polygamma(cx, n, a)
#define SIGMOID(a) bl_w_sigmoid(cx, a)
#define SOFTPLUS(a) bl_w_softplus(cx, a)
#define SILU(a) bl_w_silu(cx, a)
#define SILU_PARTIAL(a) bl_w_silu_partial(cx, a)
#define GELU(a) bl_w_gelu(cx, a)
#define GELU_PARTIAL(a) bl_w_gelu_partial(cx, a)

#endif
