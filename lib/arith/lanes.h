/* The words of ops.def in SIMD: V holds LANES doubles, M one condition for each.  Included by exec/lanes_*.c only, once
 * for each instruction set, which the including file names by defining one of AD_LANES_SSE2, AD_LANES_AVX2 and
 * AD_LANES_AVX512 and is compiled for.  Vector functions are SLEEF's (Shibata and Petrogalli, IEEE TPDS 31, 2020) at
 * 1.0 ulp; what SLEEF lacks or does less well goes lane by lane to the words of f64.h. */
#ifndef AD_LANES_H
#define AD_LANES_H

#include <immintrin.h>
#include <math.h>
#include <sleef.h>
#include <stdint.h>
#include <string.h>

#include "adtool.h"
#include "arith/pow_f64.h"
#include "arith/special_f64.h"

#if defined AD_LANES_AVX512
enum { LANES = 8 };
#define SLEEF(name, ulps) Sleef_##name##d8_##ulps##avx512f
#define FN(name) avx512_##name
#define PAIR Sleef___m512d_2
#elif defined AD_LANES_AVX2
enum { LANES = 4 };
#define SLEEF(name, ulps) Sleef_##name##d4_##ulps##avx2
#define FN(name) avx2_##name
#define PAIR Sleef___m256d_2
#else
enum { LANES = 2 };
#define SLEEF(name, ulps) Sleef_##name##d2_##ulps##sse2
#define FN(name) sse2_##name
#define PAIR Sleef___m128d_2
#endif

typedef double V __attribute__((vector_size(8 * LANES)));
typedef int64_t I __attribute__((vector_size(8 * LANES)));

static inline V lanes_all(double a) {
  V v;
  for (int i = 0; i < LANES; i++) v[i] = a;
  return v;
}

/* Conditions: AVX-512 has registers for them, the others use all-ones lanes. */
#if defined AD_LANES_AVX512
typedef __mmask8 M;
#define LT(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ)
#define LE(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ)
#define GT(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ)
#define GE(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ)
#define EQ(a, b) _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ)
#define NE(a, b) _mm512_cmp_pd_mask(a, b, _CMP_NEQ_UQ)
#define NOT(a) ((M) ~(a))
#define SELECT(c, a, b) _mm512_mask_blend_pd(c, b, a)
#define PRODUCT_WHERE(c, a, b) _mm512_maskz_mul_pd(c, a, b)
#define ANY(c) ((c) != 0)
#elif defined AD_LANES_AVX2
typedef V M;
#define LT(a, b) _mm256_cmp_pd(a, b, _CMP_LT_OQ)
#define LE(a, b) _mm256_cmp_pd(a, b, _CMP_LE_OQ)
#define GT(a, b) _mm256_cmp_pd(a, b, _CMP_GT_OQ)
#define GE(a, b) _mm256_cmp_pd(a, b, _CMP_GE_OQ)
#define EQ(a, b) _mm256_cmp_pd(a, b, _CMP_EQ_OQ)
#define PRODUCT_WHERE(c, a, b) _mm256_and_pd(c, (a) * (b))
#define NE(a, b) _mm256_cmp_pd(a, b, _CMP_NEQ_UQ)
#define NOT(a) ((M) ~(I)(a))
#define SELECT(c, a, b) _mm256_blendv_pd(b, a, c)
#define ANY(c) (_mm256_movemask_pd(c) != 0)
#else
typedef V M;
#define LT(a, b) ((M)((a) < (b)))
#define LE(a, b) ((M)((a) <= (b)))
#define GT(a, b) ((M)((a) > (b)))
#define GE(a, b) ((M)((a) >= (b)))
#define EQ(a, b) ((M)((a) == (b)))
#define PRODUCT_WHERE(c, a, b) _mm_and_pd(c, (a) * (b))
#define NE(a, b) ((M)((a) != (b)))
#define NOT(a) ((M) ~(I)(a))
#define SELECT(c, a, b) ((V)(((I)(c) & (I)(a)) | (~(I)(c) & (I)(b))))
#define ANY(c) (_mm_movemask_pd(c) != 0)
#endif
#if defined AD_LANES_AVX512
#define AND(a, b) ((M)((a) & (b)))
#define OR(a, b) ((M)((a) | (b)))
#else
#define AND(a, b) ((M)((I)(a) & (I)(b)))
#define OR(a, b) ((M)((I)(a) | (I)(b)))
#endif
/* What holds of lane i. */
#if defined AD_LANES_AVX512
#define LANE(c, i) ((c) >> (i)&1)
#else
#define LANE(c, i) (((I)(c))[i] != 0)
#endif
#define IS_ZERO(a) EQ(a, ZERO)
#define IS_NAN(a) NE(a, a)
#define IS_INTEGER(a) EQ(FLOOR(a), a)

#define ZERO lanes_all(0.0)
#define ONE lanes_all(1.0)
#define HALF lanes_all(0.5)
#define NUM(n) lanes_all((double)(n))
#define LN2 lanes_all(0x1.62e42fefa39efp-1)
#define LN10 lanes_all(0x1.26bb1bbb55516p+1)
#define TWO_OVER_SQRT_PI lanes_all(0x1.20dd750429b6dp+0)
#define NAN_VALUE lanes_all((double)NAN)
#define NONE NAN_VALUE
#define KINK_ABS lanes_all(kinks->abs_at_zero)
#define KINK_RELU lanes_all(kinks->relu_at_zero)
#define TIE_FIRST lanes_all(kinks->ties == AD_TIES_SHARE ? 0.5 : kinks->ties == AD_TIES_FIRST ? 1.0 : 0.0)

static inline V lanes_abs(V a) {
  return (V)((I)a & INT64_MAX);
}

static inline V lanes_sqrt(V a) {
#if defined AD_LANES_AVX512
  return _mm512_sqrt_pd(a);
#elif defined AD_LANES_AVX2
  return _mm256_sqrt_pd(a);
#else
  return _mm_sqrt_pd(a);
#endif
}

/* The first n < LANES of p, and `fill` behind them; and v's first n to p.  In the same pieces, powers of two: what was
 * stored a moment ago is not loaded from memory but handed on, as long as one load lies in one store. */
#if defined AD_LANES_AVX512 || defined AD_LANES_AVX2
static inline __m256d lanes_some_of_four(const double *p, size_t n, double fill) {
  const __m256d all = _mm256_set1_pd(fill);
  const __m128d two = _mm256_castpd256_pd128(all);
  if (n == 1) return _mm256_insertf128_pd(all, _mm_loadl_pd(two, p), 0);
  if (n < 2) return all;
  const __m256d low = _mm256_insertf128_pd(all, _mm_loadu_pd(p), 0);
  return n == 2 ? low : _mm256_insertf128_pd(low, _mm_loadl_pd(two, p + 2), 1);
}

static inline void lanes_put_some_of_four(double *p, size_t n, __m256d v) {
  const __m128d low = _mm256_castpd256_pd128(v);
  if (n == 1) _mm_storel_pd(p, low);
  if (n >= 2) _mm_storeu_pd(p, low);
  if (n == 3) _mm_storel_pd(p + 2, _mm256_extractf128_pd(v, 1));
}
#endif

#if defined AD_LANES_AVX512
static inline V lanes_some(const double *p, size_t n, double fill) {
  const V all = lanes_all(fill);
  if (n < 4) return _mm512_insertf64x4(all, lanes_some_of_four(p, n, fill), 0);
  return _mm512_insertf64x4(_mm512_insertf64x4(all, _mm256_loadu_pd(p), 0), lanes_some_of_four(p + 4, n - 4, fill), 1);
}

static inline void lanes_put_some(double *p, size_t n, V v) {
  const __m256d low = _mm512_castpd512_pd256(v);
  if (n < 4) {
    lanes_put_some_of_four(p, n, low);
    return;
  }
  _mm256_storeu_pd(p, low);
  lanes_put_some_of_four(p + 4, n - 4, _mm512_extractf64x4_pd(v, 1));
}
#elif defined AD_LANES_AVX2
static inline V lanes_some(const double *p, size_t n, double fill) {
  return lanes_some_of_four(p, n, fill);
}

static inline void lanes_put_some(double *p, size_t n, V v) {
  lanes_put_some_of_four(p, n, v);
}
#else
static inline V lanes_some(const double *p, size_t n, double fill) {
  return n ? (V){*p, fill} : lanes_all(fill);
}

static inline void lanes_put_some(double *p, size_t n, V v) {
  if (n) *p = v[0];
}
#endif

/* Of eight numbers: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)). */
static inline double lanes_total(const V *s) {
#if defined AD_LANES_AVX512
  const __m256d four = _mm512_castpd512_pd256(s[0]) + _mm512_extractf64x4_pd(s[0], 1);
#elif defined AD_LANES_AVX2
  const __m256d four = s[0] + s[1];
#endif
#if defined AD_LANES_AVX512 || defined AD_LANES_AVX2
  const __m128d two = _mm256_castpd256_pd128(four) + _mm256_extractf128_pd(four, 1);
#else
  const __m128d two = (s[0] + s[2]) + (s[1] + s[3]);
#endif
  return two[0] + two[1];
}

#if defined AD_LANES_AVX512
/* Offsets are unsigned, gathers of 32-bit offsets are not: widened. */
static inline V lanes_gather(const double *p, const uint32_t *at) {
  __m256i i;
  memcpy(&i, at, sizeof i);
  return _mm512_i64gather_pd(_mm512_cvtepu32_epi64(i), p, 8);
}
#elif defined AD_LANES_AVX2
static inline V lanes_gather(const double *p, const uint32_t *at) {
  __m128i i;
  memcpy(&i, at, sizeof i);
  return _mm256_i64gather_pd(p, _mm256_cvtepu32_epi64(i), 8);
}
#else
static inline V lanes_gather(const double *p, const uint32_t *at) {
  return (V){p[at[0]], p[at[1]]};
}
#endif

/* One lane after the other. */
#define BY_LANE_1(name, call)                          \
  static inline V lanes_##name(V a) {                  \
    V r;                                               \
    for (int i = 0; i < LANES; i++) r[i] = call(a[i]); \
    return r;                                          \
  }
#define BY_LANE_2(name, call)                                \
  static inline V lanes_##name(V a, V b) {                   \
    V r;                                                     \
    for (int i = 0; i < LANES; i++) r[i] = call(a[i], b[i]); \
    return r;                                                \
  }
static inline double lane_polygamma(double n, double a) {
  return n < 0x1p53 ? ad_polygamma(n, a) : (double)NAN;
}
BY_LANE_1(cbrt, ad_cbrt)
BY_LANE_1(lgamma, ad_lgamma)
BY_LANE_1(digamma, ad_digamma)
BY_LANE_2(polygamma, lane_polygamma)
BY_LANE_1(sinh, sinh)
BY_LANE_1(cosh, cosh)
BY_LANE_1(asinh, asinh)
BY_LANE_1(acosh, ad_acosh)
BY_LANE_1(atanh, atanh)
BY_LANE_1(erf, erf)
BY_LANE_1(erfc, ad_erfc)
BY_LANE_1(gauss, ad_gauss)
BY_LANE_1(gelu, ad_gelu)
BY_LANE_1(gelu_partial, ad_gelu_partial)
BY_LANE_1(silu_partial, ad_silu_partial)
BY_LANE_2(atan2, atan2)
BY_LANE_2(rem, fmod)

#define NEG(a) (-(a))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define MUL_NO_NAN(a, b) MUL(a, b)
#define MUL_OR_ZERO(a, b) PRODUCT_WHERE(NE(a, ZERO), a, b)
#define CORNER(a) ZERO
#define DIV(a, b) ((a) / (b))
#define RECIP(a) (1.0 / (a))
#define SQR(a) lanes_sqr(a)
#define POW(a, b) lanes_pow(kinks, a, b)
#define POW_PARTIAL(a, b, z) lanes_pow_partial(kinks, a, b, z)
#define POWI(a, b) lanes_powi(kinks, a, b)
#define POWI_PARTIAL(a, b) lanes_powi_partial(a, b)
#define SQRT(a) lanes_sqrt(a)
#define CBRT(a) lanes_cbrt(a)
#define HYPOT(a, b) SLEEF(hypot, u05)(a, b)
#define HYPOT_PARTIAL(a, b, z) lanes_hypot_partial(a, b, z)
#define ABS(a) lanes_abs(a)
#define SIGN(a) SELECT(GT(a, ZERO), ONE, SELECT(LT(a, ZERO), -ONE, a))
#define FLOOR(a) SLEEF(floor, )(a)
#define CEIL(a) SLEEF(ceil, )(a)
#define ROUND(a) SLEEF(rint, )(a)
#define TRUNC(a) SLEEF(trunc, )(a)
#define REM(a, b) lanes_rem(a, b)
#define MAX(a, b) SELECT(OR(GT(a, b), IS_NAN(a)), a, b)
#define MIN(a, b) SELECT(OR(LT(a, b), IS_NAN(a)), a, b)
#define EXP(a) lanes_exp(a)
#define EXPM1(a) SLEEF(expm1, u10)(a)
#define EXP2(a) SLEEF(exp2, u10)(a)
#define LOG(a) SLEEF(log, u10)(a)
#define LOG1P(a) lanes_log1p(a)
#define LOG2(a) SLEEF(log2, u10)(a)
#define LOG10(a) SLEEF(log10, u10)(a)
#define XLOGY(a, b) SELECT(AND(EQ(a, ZERO), EQ(b, b)), ZERO, MUL(a, LOG(b)))
#define SIN(a) lanes_sin_cos(a).x
#define COS(a) lanes_sin_cos(a).y
#define TAN(a) lanes_tan(a)
#define ASIN(a) SLEEF(asin, u10)(a)
#define ACOS(a) SLEEF(acos, u10)(a)
#define ATAN(a) SLEEF(atan, u10)(a)
#define ATAN2(a, b) lanes_atan2(a, b)
#define OVER_SQUARED_NORM(c, a, b) lanes_over_squared_norm(c, a, b)
#define SINH(a) lanes_sinh(a)
#define COSH(a) lanes_cosh(a)
#define TANH(a) lanes_tanh(a)
#define SECH(a) lanes_sech(a)
#define SECH_SQUARED(a) lanes_sech_squared(a)
#define SECH_PARTIAL(a, z) (-(z)*SLEEF(tanh, u10)(a))
#define ASINH(a) lanes_asinh(a)
#define ACOSH(a) lanes_acosh(a)
#define ATANH(a) lanes_atanh(a)
#define ERF(a) lanes_erf(a)
#define ERFC(a) lanes_erfc(a)
#define GAUSS(a) lanes_gauss(a)
#define LGAMMA(a) lanes_lgamma(a)
#define DIGAMMA(a) lanes_digamma(a)
#define POLYGAMMA(n, a) lanes_polygamma(n, a)
#define SIGMOID(a) lanes_sigmoid(a)
#define SOFTPLUS(a) lanes_softplus(a)
#define SILU(a) lanes_silu(a)
#define SILU_PARTIAL(a) lanes_silu_partial(a)
#define GELU(a) lanes_gelu(a)
#define GELU_PARTIAL(a) lanes_gelu_partial(a)

/* SLEEF reduces arguments in one of three ways, which the largest lane chooses for all.  Here each range has a call of
 * its own, with zeros in the other lanes: no result depends on its neighbours or on how many there are. */
enum { RANGES = 3 };

static inline void lanes_ranges(V a, M range[RANGES]) {
  const M small = LT(lanes_abs(a), lanes_all(15.0)), below = LT(lanes_abs(a), lanes_all(1e14));
  range[0] = small, range[1] = AND(below, NOT(small)), range[2] = NOT(below);
}

static inline PAIR lanes_sin_cos(V a) {
  M range[RANGES];
  lanes_ranges(a, range);
  if (!ANY(OR(range[1], range[2]))) return SLEEF(sincos, u10)(a);
  PAIR r = {a, a};
  for (int k = 0; k < RANGES; k++) {
    if (!ANY(range[k])) continue;
    const PAIR part = SLEEF(sincos, u10)(SELECT(range[k], a, ZERO));
    r.x = SELECT(range[k], part.x, r.x), r.y = SELECT(range[k], part.y, r.y);
  }
  return r;
}

static inline V lanes_tan(V a) {
  M range[RANGES];
  lanes_ranges(a, range);
  if (!ANY(OR(range[1], range[2]))) return SLEEF(tan, u10)(a);
  V r = a;
  for (int k = 0; k < RANGES; k++)
    if (ANY(range[k])) r = SELECT(range[k], SLEEF(tan, u10)(SELECT(range[k], a, ZERO)), r);
  return r;
}

static inline V lanes_sqr(V a) {
  return a * a;
}

/* SLEEF keeps its bound in the normal range; lanes that leave it, and only those, go one by one: no result depends on
 * its neighbours. */
#define EACH_LANE(c)                \
  if (ANY(c))                       \
    for (int i = 0; i < LANES; i++) \
      if (LANE(c, i))
#define OUTSIDE_NORMAL(r) NOT(AND(GE(ABS(r), lanes_all(0x1p-1022)), LE(ABS(r), lanes_all(0x1.fffffffffffffp1023))))

static inline V lanes_exp(V a) {
  const M far = GT(ABS(a), lanes_all(707.0));
  V r = SLEEF(exp, u10)(a);
  EACH_LANE(far) r[i] = exp(a[i]);
  return r;
}

static inline V lanes_log1p(V a) {
  const M far = GT(a, lanes_all(0x1p1000));
  V r = SLEEF(log1p, u10)(a);
  EACH_LANE(far) r[i] = log1p(a[i]);
  return r;
}

static inline V lanes_pow(const ad_kinks *kinks, V a, V b) {
  V r = SLEEF(pow, u10)(a, b);
  const M special = kinks->pow00_nan ? EQ(b, ZERO) : LT(ONE, ZERO), odd = OR(OUTSIDE_NORMAL(r), special);
  EACH_LANE(odd) r[i] = ad_pow_by_policy(kinks, a[i], b[i]);
  return r;
}

static inline V lanes_pow_partial(const ad_kinks *kinks, V a, V b, V z) {
  V r = b * SLEEF(pow, u10)(a, b - 1.0);
  const M odd = OR(OUTSIDE_NORMAL(r), OR(LT(b, HALF), GT(b, lanes_all(0x1p53))));
  EACH_LANE(odd) r[i] = ad_pow_partial(kinks, a[i], b[i], z[i]);
  return r;
}

/* Exponents are most often one small constant. */
static inline V lanes_powi(const ad_kinks *kinks, V a, V b) {
  if (!ANY(NE(b, NUM(2)))) return a * a;
  if (!ANY(NE(b, ONE))) return a;
  V r;
  for (int i = 0; i < LANES; i++) r[i] = ad_powi_by_policy(kinks, a[i], b[i]);
  return r;
}

static inline V lanes_powi_partial(V a, V b) {
  if (!ANY(NE(b, NUM(2)))) return a + a;
  V r;
  for (int i = 0; i < LANES; i++) r[i] = ad_powi_partial(a[i], b[i]);
  return r;
}

static inline V lanes_hypot_partial(V a, V b, V z) {
  const M infinite = EQ(z, lanes_all((double)INFINITY));
  V r = a / z;
  EACH_LANE(infinite) r[i] = ad_hypot_partial(a[i], b[i], z[i]);
  return r;
}

static inline V lanes_over_squared_norm(V c, V a, V b) {
  V r;
  for (int i = 0; i < LANES; i++) r[i] = ad_over_squared_norm(c[i], a[i], b[i]);
  return r;
}

/* 1 / (1 + exp(-x)) for x >= 0, and exp(x) / (1 + exp(x)) below: no overflow, no cancellation. */
static inline V lanes_sigmoid(V a) {
  V t = EXP(-ABS(a)), above = SELECT(LT(a, ZERO), t, ONE);
  return above / (1.0 + t);
}

/* Where sigmoid is subnormal, the product would show it. */
static inline V lanes_silu(V a) {
  const M far = LT(a, lanes_all(-700.0));
  V r = a * SIGMOID(a);
  EACH_LANE(far) r[i] = ad_silu(a[i]);
  return r;
}

/* 2 exp(-|x|) / (1 + exp(-2|x|)): no overflow. */
static inline V lanes_sech(V a) {
  V t = EXP(-ABS(a));
  return (t + t) / (1.0 + t * t);
}

/* tanh |x| = (1 - u)/(1 + u) and sech^2 x = 4 u/(1 + u)^2 with u = exp(-2|x|), which cancels where |x| is small: there
 * the seventh convergent of Lambert's continued fraction x/(1 + x^2/(3 + x^2/(5 + ...))) is within 2^-60 of tanh, and
 * sech^2 is 1 - tanh^2. */
static inline __attribute__((always_inline)) void lanes_tanh_pair(V a, V *z, V *dx) {
  const M small = LT(ABS(a), lanes_all(0.35));
  const V s = a * a, u = EXP(-2.0 * ABS(a)), above = 1.0 + u;
  const V n = ABS(a) * (135135.0 + s * (17325.0 + s * (378.0 + s)));
  const V d = 135135.0 + s * (62370.0 + s * (3150.0 + s * 28.0));
  const V t = SELECT(small, n, 1.0 - u) / SELECT(small, d, above);
  *z = SELECT(LT(a, ZERO), -t, SELECT(IS_ZERO(a), a, t));
  *dx = SELECT(small, 1.0 - t * t, 4.0 * u / (above * above));
}

static inline V lanes_tanh(V a) {
  V z, dx;
  lanes_tanh_pair(a, &z, &dx);
  return z;
}

static inline V lanes_sech_squared(V a) {
  V z, dx;
  lanes_tanh_pair(a, &z, &dx);
  return dx;
}

static inline V lanes_softplus(V a) {
  return MAX(a, ZERO) + LOG1P(EXP(-ABS(a)));
}

static inline void lanes_softplus_pair(V a, V *z, V *dx) {
  const V t = EXP(-ABS(a));
  *z = MAX(a, ZERO) + LOG1P(t);
  *dx = SELECT(LT(a, ZERO), t, ONE) / (1.0 + t);
}

static inline void lanes_sigmoid_pair(V a, V *z, V *dx) {
  const V t = EXP(-ABS(a)), d = 1.0 + t;
  *z = SELECT(LT(a, ZERO), t, ONE) / d;
  *dx = *z * (SELECT(LT(a, ZERO), ONE, t) / d); /* as the table has it */
}

static inline void lanes_sin_pair(V a, V *z, V *dx) {
  const PAIR both = lanes_sin_cos(a);
  *z = both.x, *dx = both.y;
}

static inline void lanes_cos_pair(V a, V *z, V *dx) {
  const PAIR both = lanes_sin_cos(a);
  *z = both.y, *dx = -both.x;
}

/* Functions whose value and partial come out of one evaluation. */
#define LANES_PAIRS(P)           \
  P(SIN, lanes_sin_pair)         \
  P(COS, lanes_cos_pair)         \
  P(TANH, lanes_tanh_pair)       \
  P(SIGMOID, lanes_sigmoid_pair) \
  P(SOFTPLUS, lanes_softplus_pair)

#endif
