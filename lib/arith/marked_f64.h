/* The words of ops.def on doubles that carry a mark: whether the number is *fixed*, which is to say does not change
 * with the inputs of interest near the point.  A fixed zero is a structural one (an untaken branch, a step, a factor
 * that is constant, a seed that was not given): as a derivative it multiplies nothing, whatever the other factor is.
 * The product of any other zero and a number that is not finite is nan, as IEEE 754 has it.  Included by
 * exec/exec_marked.c only. */
#ifndef AD_MARKED_F64_H
#define AD_MARKED_F64_H

#define T f64_T
#define V f64_V
#include "arith/f64.h"
#undef T
#undef V
#undef FN
#undef LD
#undef ST
#undef ACC
#undef KEEP

typedef struct marked {
  double v;
  bool fixed;
} marked;
typedef marked T;
typedef marked V;
#define FN(name) marked_##name

#define LD(p, i) ((p)[i])
#define ST(p, i, a) ((p)[i] = (a))
#define ACC(p, i, a) ((p)[i] = marked_add((p)[i], a))
#define KEEP(k, v) (v)

static inline V marked_of(double v, bool fixed) {
  return (V){v, fixed};
}

static inline bool marked_nothing(V a) {
  return a.fixed && a.v == 0;
}

static inline V marked_add(V a, V b) {
  return marked_of(a.v + b.v, a.fixed && b.fixed);
}

/* A fixed zero stays one, whatever is multiplied by it. */
static inline V marked_mul(V a, V b) {
  return marked_of(a.v * b.v, (a.fixed && b.fixed) || marked_nothing(a) || marked_nothing(b));
}

/* y x^(y-1), which is 0 for all x where y is a fixed 0. */
static inline V marked_powi_partial(V a, V b) {
  return marked_of(ad_powi_partial(a.v, b.v), (a.fixed && b.fixed) || marked_nothing(b));
}

/* The words of f64.h on the numbers alone. */
#define WORD_1(W)                                      \
  static inline V marked_word_##W(const CX *cx, V a) { \
    (void)cx;                                          \
    return marked_of(W(a.v), a.fixed);                 \
  }
#define WORD_2(W)                                           \
  static inline V marked_word_##W(const CX *cx, V a, V b) { \
    (void)cx;                                               \
    return marked_of(W(a.v, b.v), a.fixed && b.fixed);      \
  }
#define CONDITION(W)                           \
  static inline bool marked_is_##W(V a, V b) { \
    return W(a.v, b.v);                        \
  }
/* clang-format off */
WORD_1(RECIP) WORD_1(SQR) WORD_1(SQRT) WORD_1(CBRT) WORD_1(ABS) WORD_1(SIGN) WORD_1(FLOOR) WORD_1(CEIL) WORD_1(ROUND)
WORD_1(TRUNC) WORD_1(EXP) WORD_1(EXPM1) WORD_1(EXP2) WORD_1(LOG) WORD_1(LOG1P) WORD_1(LOG2) WORD_1(LOG10) WORD_1(SIN)
WORD_1(COS) WORD_1(TAN) WORD_1(ASIN) WORD_1(ACOS) WORD_1(ATAN) WORD_1(SINH) WORD_1(COSH) WORD_1(TANH) WORD_1(SECH)
WORD_1(SECH_SQUARED) WORD_1(ASINH) WORD_1(ACOSH) WORD_1(ATANH) WORD_1(ERF) WORD_1(ERFC) WORD_1(GAUSS) WORD_1(NORMAL)
WORD_1(LGAMMA) WORD_1(DIGAMMA) WORD_1(SIGMOID) WORD_1(SOFTPLUS) WORD_1(SILU) WORD_1(SILU_PARTIAL) WORD_1(GELU)
WORD_1(GELU_PARTIAL)
WORD_2(POLYGAMMA) WORD_2(DIV) WORD_2(HYPOT) WORD_2(REM) WORD_2(XLOGY) WORD_2(ATAN2) WORD_2(POW) WORD_2(POWI)
CONDITION(LT) CONDITION(LE) CONDITION(GT) CONDITION(GE) CONDITION(EQ) CONDITION(NE)
    /* clang-format on */

    static inline V marked_word_POW_PARTIAL(const CX *cx, V a, V b, V z) {
  return marked_of(POW_PARTIAL(a.v, b.v, z.v), (a.fixed && b.fixed) || marked_nothing(b));
}

static inline V marked_word_OVER_SQUARED_NORM(V c, V a, V b) {
  return marked_of(OVER_SQUARED_NORM(c.v, a.v, b.v), a.fixed && b.fixed && c.fixed);
}

static inline V marked_word_HYPOT_PARTIAL(V a, V b, V z) {
  return marked_of(HYPOT_PARTIAL(a.v, b.v, z.v), a.fixed && z.fixed);
}

static inline V marked_word_SECH_PARTIAL(V a, V z) {
  return marked_of(SECH_PARTIAL(a.v, z.v), a.fixed);
}

#undef LN2
#define LN2 marked_of(0x1.62e42fefa39efp-1, true)
#undef LN10
#define LN10 marked_of(0x1.26bb1bbb55516p+1, true)
#undef TWO_OVER_SQRT_PI
#define TWO_OVER_SQRT_PI marked_of(0x1.20dd750429b6dp+0, true)
#undef ZERO
#define ZERO marked_of(0, true)
#undef ONE
#define ONE marked_of(1, true)
#undef HALF
#define HALF marked_of(0.5, true)
#undef NUM
#define NUM(n) marked_of((double)(n), true)
#undef NAN_VALUE
#define NAN_VALUE marked_of((double)NAN, true)
#undef KINK_ABS
#define KINK_ABS marked_of(cx->kinks.abs_at_zero, true)
#undef KINK_RELU
#define KINK_RELU marked_of(cx->kinks.relu_at_zero, true)
#undef TIE_FIRST
#define TIE_FIRST marked_of(cx->kinks.ties == AD_TIES_SHARE ? 0.5 : cx->kinks.ties == AD_TIES_FIRST ? 1.0 : 0.0, true)

#undef IS_ZERO
#define IS_ZERO(a) ((a).v == 0)
#undef IS_NAN
#define IS_NAN(a) isnan((a).v)
#undef IS_FINITE
#define IS_FINITE(a) isfinite((a).v)
#undef IS_INTEGER
#define IS_INTEGER(a) ((a).v == floor((a).v) && isfinite((a).v))
#undef LT
#define LT(a, b) marked_is_LT(a, b)
#undef LE
#define LE(a, b) marked_is_LE(a, b)
#undef GT
#define GT(a, b) marked_is_GT(a, b)
#undef GE
#define GE(a, b) marked_is_GE(a, b)
#undef EQ
#define EQ(a, b) marked_is_EQ(a, b)
#undef NE
#define NE(a, b) marked_is_NE(a, b)
#undef RECIP
#define RECIP(a) marked_word_RECIP(cx, a)
#undef SQR
#define SQR(a) marked_word_SQR(cx, a)
#undef SQRT
#define SQRT(a) marked_word_SQRT(cx, a)
#undef CBRT
#define CBRT(a) marked_word_CBRT(cx, a)
#undef ABS
#define ABS(a) marked_word_ABS(cx, a)
#undef SIGN
#define SIGN(a) marked_word_SIGN(cx, a)
#undef FLOOR
#define FLOOR(a) marked_word_FLOOR(cx, a)
#undef CEIL
#define CEIL(a) marked_word_CEIL(cx, a)
#undef ROUND
#define ROUND(a) marked_word_ROUND(cx, a)
#undef TRUNC
#define TRUNC(a) marked_word_TRUNC(cx, a)
#undef EXP
#define EXP(a) marked_word_EXP(cx, a)
#undef EXPM1
#define EXPM1(a) marked_word_EXPM1(cx, a)
#undef EXP2
#define EXP2(a) marked_word_EXP2(cx, a)
#undef LOG
#define LOG(a) marked_word_LOG(cx, a)
#undef LOG1P
#define LOG1P(a) marked_word_LOG1P(cx, a)
#undef LOG2
#define LOG2(a) marked_word_LOG2(cx, a)
#undef LOG10
#define LOG10(a) marked_word_LOG10(cx, a)
#undef SIN
#define SIN(a) marked_word_SIN(cx, a)
#undef COS
#define COS(a) marked_word_COS(cx, a)
#undef TAN
#define TAN(a) marked_word_TAN(cx, a)
#undef ASIN
#define ASIN(a) marked_word_ASIN(cx, a)
#undef ACOS
#define ACOS(a) marked_word_ACOS(cx, a)
#undef ATAN
#define ATAN(a) marked_word_ATAN(cx, a)
#undef SINH
#define SINH(a) marked_word_SINH(cx, a)
#undef COSH
#define COSH(a) marked_word_COSH(cx, a)
#undef TANH
#define TANH(a) marked_word_TANH(cx, a)
#undef SECH
#define SECH(a) marked_word_SECH(cx, a)
#undef SECH_SQUARED
#define SECH_SQUARED(a) marked_word_SECH_SQUARED(cx, a)
#undef ASINH
#define ASINH(a) marked_word_ASINH(cx, a)
#undef ACOSH
#define ACOSH(a) marked_word_ACOSH(cx, a)
#undef ATANH
#define ATANH(a) marked_word_ATANH(cx, a)
#undef ERF
#define ERF(a) marked_word_ERF(cx, a)
#undef ERFC
#define ERFC(a) marked_word_ERFC(cx, a)
#undef GAUSS
#define GAUSS(a) marked_word_GAUSS(cx, a)
#undef NORMAL
#define NORMAL(a) marked_word_NORMAL(cx, a)
#undef LGAMMA
#define LGAMMA(a) marked_word_LGAMMA(cx, a)
#undef DIGAMMA
#define DIGAMMA(a) marked_word_DIGAMMA(cx, a)
#undef SIGMOID
#define SIGMOID(a) marked_word_SIGMOID(cx, a)
#undef SOFTPLUS
#define SOFTPLUS(a) marked_word_SOFTPLUS(cx, a)
#undef SILU
#define SILU(a) marked_word_SILU(cx, a)
#undef SILU_PARTIAL
#define SILU_PARTIAL(a) marked_word_SILU_PARTIAL(cx, a)
#undef GELU
#define GELU(a) marked_word_GELU(cx, a)
#undef GELU_PARTIAL
#define GELU_PARTIAL(a) marked_word_GELU_PARTIAL(cx, a)
#undef DIV
#define DIV(a, b) marked_word_DIV(cx, a, b)
#undef HYPOT
#define HYPOT(a, b) marked_word_HYPOT(cx, a, b)
#undef REM
#define REM(a, b) marked_word_REM(cx, a, b)
#undef XLOGY
#define XLOGY(a, b) marked_word_XLOGY(cx, a, b)
#undef ATAN2
#define ATAN2(a, b) marked_word_ATAN2(cx, a, b)
#undef POW
#define POW(a, b) marked_word_POW(cx, a, b)
#undef POWI
#define POWI(a, b) marked_word_POWI(cx, a, b)
#undef CORNER
#define CORNER(a) marked_of(0, false)
#undef POLYGAMMA
#define POLYGAMMA(n, a) marked_word_POLYGAMMA(cx, n, a)
#undef NEG
#define NEG(a) marked_of(-(a).v, (a).fixed)
#undef ADD
#define ADD(a, b) marked_add(a, b)
#undef SUB
#define SUB(a, b) marked_add(a, NEG(b))
#undef MUL
#define MUL(a, b) marked_mul(a, b)
#undef MAX
#define MAX(a, b) (GT(a, b) || IS_NAN(a) ? (a) : (b))
#undef MIN
#define MIN(a, b) (LT(a, b) || IS_NAN(a) ? (a) : (b))
#undef MUL_NO_NAN
#define MUL_NO_NAN(a, b) (LEAVES_OUT(a, IS_FINITE(b)) || LEAVES_OUT(b, IS_FINITE(a)) ? ZERO : TIMES(a, b))
#undef MUL_OR_ZERO
#define MUL_OR_ZERO(a, b) (IS_ZERO(a) ? ZERO : MUL_NO_NAN(a, b))
#undef POWI_PARTIAL
#define POWI_PARTIAL(a, b) marked_powi_partial(a, b)
#undef POW_PARTIAL
#define POW_PARTIAL(a, b, z) marked_word_POW_PARTIAL(cx, a, b, z)
#undef OVER_SQUARED_NORM
#define OVER_SQUARED_NORM(c, a, b) marked_word_OVER_SQUARED_NORM(c, a, b)
#undef HYPOT_PARTIAL
#define HYPOT_PARTIAL(a, b, z) marked_word_HYPOT_PARTIAL(a, b, z)
#undef SECH_PARTIAL
#define SECH_PARTIAL(a, z) marked_word_SECH_PARTIAL(a, z)

#endif
