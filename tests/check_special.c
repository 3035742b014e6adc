/* The special functions in double, and those of libm that ops.def uses, against MPFR within their bounds.
 * ADTOOL_TEST_SEED and ADTOOL_TEST_MULTIPLIER vary and lengthen the random part; ADTOOL_TEST_VERBOSE prints the worst
 * error seen of each function. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "arith/mpfr_special.h"
#include "arith/special_f64.h"
#include "special_reference.h"
#include "suite.h"
#include "ulps.h"

/* -- double */

#define LIBM(name)                                          \
  static void reference_##name(mpfr_ptr r, mpfr_srcptr x) { \
    mpfr_##name(r, x, MPFR_RNDN);                           \
  }                                                         \
  static void reference_##name(mpfr_ptr r, mpfr_srcptr x)
/* clang-format off */
LIBM(exp); LIBM(expm1); LIBM(exp2); LIBM(log); LIBM(log1p); LIBM(log2); LIBM(log10); LIBM(sin); LIBM(cos); LIBM(tan);
LIBM(asin); LIBM(acos); LIBM(atan); LIBM(sinh); LIBM(cosh); LIBM(tanh); LIBM(asinh); LIBM(acosh); LIBM(atanh);
LIBM(erf); LIBM(erfc); LIBM(cbrt); LIBM(sqrt);
/* clang-format on */

#define POLYGAMMA(n)                                               \
  static double polygamma_##n(double x) {                          \
    return ad_polygamma(n, x);                                     \
  }                                                                \
  static void reference_polygamma_##n(mpfr_ptr r, mpfr_srcptr x) { \
    ad_mpfr_polygamma(r, n, x);                                    \
  }                                                                \
  static void reference_polygamma_##n(mpfr_ptr r, mpfr_srcptr x)
/* clang-format off */
POLYGAMMA(1); POLYGAMMA(2); POLYGAMMA(3); POLYGAMMA(4); POLYGAMMA(5); POLYGAMMA(20); POLYGAMMA(21); POLYGAMMA(100);
POLYGAMMA(1000); POLYGAMMA(1000000);
/* clang-format on */

#define POWI(n)                                               \
  static double powi_##n(double x) {                          \
    return ad_powi(x, n);                                     \
  }                                                           \
  static void reference_powi_##n(mpfr_ptr r, mpfr_srcptr x) { \
    mpfr_pow_si(r, x, n, MPFR_RNDN);                          \
  }                                                           \
  static void reference_powi_##n(mpfr_ptr r, mpfr_srcptr x)
static const long MINUS_2 = -2, MINUS_77 = -77, HUGE_EVEN = LONG_MAX / 2 - 1, HUGE_ODD = LONG_MAX / 8 * 5;
/* clang-format off */
POWI(2); POWI(3); POWI(4); POWI(5); POWI(100); POWI(1001); POWI(MINUS_2); POWI(MINUS_77); POWI(HUGE_EVEN);
POWI(HUGE_ODD); POWI(LONG_MAX); POWI(LONG_MIN);
/* clang-format on */

typedef enum spread { END, UNIFORM, LOG, LOG_BOTH } spread; /* LOG_BOTH: magnitudes in the range, both signs */
typedef struct range {
  spread spread;
  double lo, hi;
} range;

#define RANGES(name, ...) static const range name[] = {__VA_ARGS__, {END, 0, 0}}
RANGES(REAL, {LOG_BOTH, 0x1p-1074, DBL_MAX}, {LOG_BOTH, 0x1p-60, 0x1p14}, {UNIFORM, -760, 760}, {UNIFORM, -40, 40},
       {UNIFORM, -3, 3});
RANGES(POSITIVE, {LOG, 0x1p-1074, DBL_MAX}, {UNIFORM, 0, 3}, {UNIFORM, 0.999, 1.001});
RANGES(EXP2, {UNIFORM, -1075, 1024}, {UNIFORM, -3, 3});
RANGES(UNIT, {UNIFORM, -1, 1}, {LOG_BOTH, 0x1p-1074, 1});
RANGES(ABOVE_1, {UNIFORM, 1, 3}, {LOG, 1, DBL_MAX}, {UNIFORM, 1, 1 + 1e-10});
RANGES(ABOVE_MINUS_1, {UNIFORM, -1, 3}, {LOG, 0x1p-1074, DBL_MAX});
RANGES(ERFC, {UNIFORM, -6, 28}, {UNIFORM, 0.2, 6}, {UNIFORM, 26, 27.3}, {LOG_BOTH, 0x1p-1074, DBL_MAX});
RANGES(SILU, {LOG_BOTH, 0x1p-1074, DBL_MAX}, {UNIFORM, -760, 760}, {UNIFORM, -720, -690}, {UNIFORM, -40, 40},
       {UNIFORM, -3, 3}, {UNIFORM, -1.27847, -1.27846}, {UNIFORM, -1.2784645427610739, -1.2784645427610737});
RANGES(GELU, {LOG_BOTH, 0x1p-1074, DBL_MAX}, {UNIFORM, -40, 40}, {UNIFORM, -39, -36}, {UNIFORM, -3, 3},
       {UNIFORM, -0.75180, -0.75179}, {UNIFORM, -0.7517915246935646, -0.7517915246935643});
RANGES(GAMMA, {LOG_BOTH, 0x1p-1074, DBL_MAX}, {LOG_BOTH, 0x1p-30, 0x1p20}, {UNIFORM, -60, 60}, {UNIFORM, -4, 4},
       {UNIFORM, 0.999, 1.001}, {UNIFORM, 1.999, 2.001}, {UNIFORM, 1.4616321449683, 1.4616321449684},
       {UNIFORM, -2.4570247382208, -2.4570247382209}, {UNIFORM, -2.7476826467274, -2.7476826467275});
RANGES(ABOUT_375, {UNIFORM, 300, 450});
RANGES(ABOUT_367880, {UNIFORM, 367000, 368800});
RANGES(NEAR_1, {UNIFORM, 1 - 0x1p-50, 1 + 0x1p-50}, {UNIFORM, -1 - 0x1p-50, -1 + 0x1p-50});

typedef struct row {
  const char *name;
  double (*f)(double);
  reference_function *reference;
  const range *ranges;
  double bound;
} row;

/* libm as ops.def uses it: what its own bounds rest on. */
static const row LIBM_ROWS[] = {
    {"exp", exp, reference_exp, REAL, 1},
    {"expm1", expm1, reference_expm1, REAL, 1},
    {"exp2", exp2, reference_exp2, EXP2, 1},
    {"log", log, reference_log, POSITIVE, 1},
    {"log1p", log1p, reference_log1p, ABOVE_MINUS_1, 1},
    {"log2", log2, reference_log2, POSITIVE, 1},
    {"log10", log10, reference_log10, POSITIVE, 2},
    {"sqrt", sqrt, reference_sqrt, POSITIVE, 0.5},
    {"sin", sin, reference_sin, REAL, 1},
    {"cos", cos, reference_cos, REAL, 1},
    {"tan", tan, reference_tan, REAL, 1},
    {"asin", asin, reference_asin, UNIT, 1},
    {"acos", acos, reference_acos, UNIT, 1},
    {"atan", atan, reference_atan, REAL, 1},
    {"sinh", sinh, reference_sinh, REAL, 2},
    {"cosh", cosh, reference_cosh, REAL, 2},
    {"asinh", asinh, reference_asinh, REAL, 2},
    {"atanh", atanh, reference_atanh, UNIT, 2},
    {"erf", erf, reference_erf, REAL, 2},
};

static const row OWN_ROWS[] = {
    {"cbrt", ad_cbrt, reference_cbrt, REAL, 1},
    {"sech", ad_sech, reference_sech, REAL, 2},
    {"tanh", ad_tanh, reference_tanh, REAL, 2},
    {"acosh", ad_acosh, reference_acosh, ABOVE_1, 2},
    {"acosh'", ad_acosh_partial, reference_acosh_partial, ABOVE_1, 3},
    {"gauss", ad_gauss, reference_gauss, REAL, 2},
    {"gauss in the tail", ad_gauss, reference_gauss, ERFC, 2},
    {"erfc", ad_erfc, reference_erfc, ERFC, 2},
    {"sigmoid", ad_sigmoid, reference_sigmoid, REAL, 2},
    {"softplus", ad_softplus, reference_softplus, REAL, 2},
    {"silu", ad_silu, reference_silu, SILU, 3},
    {"silu'", ad_silu_partial, reference_silu_partial, SILU, 4},
    {"normal", ad_normal, reference_normal, GELU, 2},
    {"gelu", ad_gelu, reference_gelu, GELU, 3},
    {"gelu'", ad_gelu_partial, reference_gelu_partial, GELU, 4},
    {"lgamma", ad_lgamma, reference_lgamma, GAMMA, 16},
    {"digamma", ad_digamma, reference_digamma, GAMMA, 5},
    {"polygamma 1", polygamma_1, reference_polygamma_1, GAMMA, 4},
    {"polygamma 2", polygamma_2, reference_polygamma_2, GAMMA, 4},
    {"polygamma 3", polygamma_3, reference_polygamma_3, GAMMA, 4},
    {"polygamma 4", polygamma_4, reference_polygamma_4, GAMMA, 16},
    {"polygamma 5", polygamma_5, reference_polygamma_5, GAMMA, 16},
    {"polygamma 20", polygamma_20, reference_polygamma_20, GAMMA, 16},
    {"polygamma 21", polygamma_21, reference_polygamma_21, GAMMA, 16},
    {"polygamma 100", polygamma_100, reference_polygamma_100, GAMMA, 16},
    {"polygamma 1000", polygamma_1000, reference_polygamma_1000, ABOUT_375, 16},
    {"polygamma 10^6", polygamma_1000000, reference_polygamma_1000000, ABOUT_367880, 16},
    {"powi 2", powi_2, reference_powi_2, REAL, 2},
    {"powi 3", powi_3, reference_powi_3, REAL, 2},
    {"powi 4", powi_4, reference_powi_4, REAL, 2},
    {"powi 5", powi_5, reference_powi_5, REAL, 2},
    {"powi 100", powi_100, reference_powi_100, REAL, 2},
    {"powi 1001", powi_1001, reference_powi_1001, REAL, 2},
    {"powi -2", powi_MINUS_2, reference_powi_MINUS_2, REAL, 2},
    {"powi -77", powi_MINUS_77, reference_powi_MINUS_77, REAL, 2},
    {"powi 2^62 - 2", powi_HUGE_EVEN, reference_powi_HUGE_EVEN, NEAR_1, 2},
    {"powi 5 2^60 - 5", powi_HUGE_ODD, reference_powi_HUGE_ODD, NEAR_1, 2},
    {"powi 2^63 - 1", powi_LONG_MAX, reference_powi_LONG_MAX, NEAR_1, 2},
    {"powi -2^63", powi_LONG_MIN, reference_powi_LONG_MIN, NEAR_1, 2},
};
enum {
  LIBM_COUNT = sizeof LIBM_ROWS / sizeof *LIBM_ROWS,
  OWN_COUNT = sizeof OWN_ROWS / sizeof *OWN_ROWS,
  REFERENCE_BITS = 140,
  POINTS = 200
};

typedef struct meter {
  const row *row;
  mpfr_t x, want;
  double worst, at;
} meter;

static void measure(meter *m, double x) {
  mpfr_set_d(m->x, x, MPFR_RNDN);
  m->row->reference(m->want, m->x);
  double got = m->row->f(x), off = ulps(got, m->want);
  if (off > m->worst) m->worst = off, m->at = x;
  ck_assert_msg(off <= m->row->bound, "%s(%a = %.17g) = %.17g is %.3g ulps from %.17g, seed %llu", m->row->name, x, x,
                got, off, mpfr_get_d(m->want, MPFR_RNDN), (unsigned long long)ulps_seed());
}

static double random_in(ulps_random *random, const range *r) {
  if (r->spread == UNIFORM) return ulps_random_uniform(random, fmin(r->lo, r->hi), fmax(r->lo, r->hi));
  double x = ulps_random_log(random, r->lo, r->hi);
  return r->spread == LOG_BOTH && (ulps_random_bits(random) & 1) ? -x : x;
}

static void check_row(const row *row) {
  meter m = {.row = row, .worst = 0, .at = 0};
  mpfr_init2(m.x, 53);
  mpfr_init2(m.want, REFERENCE_BITS);
  ulps_random random = {ulps_seed()};
  const double points = POINTS * ulps_multiplier();
  for (const range *r = row->ranges; r->spread != END; r++) {
    measure(&m, nextafter(r->lo, r->hi));
    measure(&m, nextafter(r->hi, r->lo));
    for (double k = 0; k < points; k++) measure(&m, random_in(&random, r));
  }
  if (getenv("ADTOOL_TEST_VERBOSE"))
    printf("%-18s worst %.3f ulps at %a (%.17g), bound %g\n", row->name, m.worst, m.at, m.at, row->bound);
  mpfr_clear(m.want);
  mpfr_clear(m.x);
  ad_mpfr_free_caches();
}

START_TEST(libm_is_as_good_as_ops_def_needs) {
  check_row(&LIBM_ROWS[_i]);
}
END_TEST

START_TEST(double_within_bounds) {
  check_row(&OWN_ROWS[_i]);
}
END_TEST

/* At the doubles around the zero between the poles -k - 1 and -k, where only digits beyond double tell the result. */
START_TEST(negative_zeros_of_polygamma) {
  static const row rows[] = {{"digamma", ad_digamma, reference_digamma, NULL, 16},
                             {"polygamma 2", polygamma_2, reference_polygamma_2, NULL, 16},
                             {"polygamma 4", polygamma_4, reference_polygamma_4, NULL, 16},
                             {"polygamma 20", polygamma_20, reference_polygamma_20, NULL, 64}};
  static const double intervals[] = {0, 1, 2, 3, 10, 49, 50, 1000, 1e6};
  meter m = {.row = &rows[_i], .worst = 0, .at = 0};
  mpfr_init2(m.x, 53);
  mpfr_init2(m.want, REFERENCE_BITS);
  for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
    double above = -intervals[i], below = above - 1;
    /* rising from -inf to inf, or falling */
    bool rising = m.row->f(above - 0x1p-20) > 0;
    for (;;) {
      double middle = below + (above - below) / 2;
      if (middle == below || middle == above) break;
      *((m.row->f(middle) > 0) == rising ? &above : &below) = middle;
    }
    for (int k = 0; k < 40; k++, above = nextafter(above, 0), below = nextafter(below, -INFINITY)) {
      measure(&m, above);
      measure(&m, below);
    }
  }
  if (getenv("ADTOOL_TEST_VERBOSE"))
    printf("%-18s worst %.3f ulps at %a (%.17g), at a negative zero\n", m.row->name, m.worst, m.at, m.at);
  mpfr_clear(m.want);
  mpfr_clear(m.x);
  ad_mpfr_free_caches();
}
END_TEST

/* Functions of two that ops.def takes from libm. */
START_TEST(libm_of_two) {
  static const struct {
    const char *name;
    double (*f)(double, double);
    int (*reference)(mpfr_ptr, mpfr_srcptr, mpfr_srcptr, mpfr_rnd_t);
    double bound;
  } rows[] = {{"pow", pow, mpfr_pow, 1}, {"hypot", hypot, mpfr_hypot, 1}, {"atan2", atan2, mpfr_atan2, 1}};
  static const range spreads[] = {{LOG_BOTH, 0x1p-1074, DBL_MAX}, {LOG_BOTH, 0x1p-10, 0x1p10}, {UNIFORM, -3, 3}};
  ulps_random random = {ulps_seed()};
  mpfr_t x, y, want;
  mpfr_inits2(53, x, y, (mpfr_ptr)0);
  mpfr_init2(want, REFERENCE_BITS);
  double worst = 0;
  for (size_t s = 0; s < 3; s++)
    for (double k = 0; k < 4 * POINTS * ulps_multiplier(); k++) {
      double a = random_in(&random, &spreads[s]), b = random_in(&random, &spreads[s]);
      if (_i == 0) a = fabs(a);
      mpfr_set_d(x, a, MPFR_RNDN);
      mpfr_set_d(y, b, MPFR_RNDN);
      rows[_i].reference(want, x, y, MPFR_RNDN);
      double off = ulps(rows[_i].f(a, b), want);
      ck_assert_msg(off <= rows[_i].bound, "%s(%a, %a) is %g ulps off", rows[_i].name, a, b, off);
      if (off > worst) worst = off;
    }
  if (getenv("ADTOOL_TEST_VERBOSE")) printf("%-18s worst %.3f ulps\n", rows[_i].name, worst);
  mpfr_clears(x, y, want, (mpfr_ptr)0);
}
END_TEST

/* Bit for bit, a nan for a nan. */
static void same(const char *what, double x, double got, double want) {
  bool equal = isnan(want) ? isnan(got) : got == want && signbit(got) == signbit(want);
  ck_assert_msg(equal, "%s(%.17g) is %.17g, not %.17g", what, x, got, want);
}

/* What both arithmetics give at infinities, zeros and poles. */
static const struct special {
  const char *name;
  double (*f)(double);
  void (*mpfr)(mpfr_ptr, mpfr_srcptr);
  double x, want;
} SPECIAL[] = {
    {"gauss", ad_gauss, ad_mpfr_gauss, INFINITY, 0},
    {"gauss", ad_gauss, ad_mpfr_gauss, -INFINITY, 0},
    {"gauss", ad_gauss, ad_mpfr_gauss, -0.0, 1},
    {"gauss", ad_gauss, ad_mpfr_gauss, NAN, NAN},
    {"sigmoid", ad_sigmoid, ad_mpfr_sigmoid, INFINITY, 1},
    {"sigmoid", ad_sigmoid, ad_mpfr_sigmoid, -INFINITY, 0},
    {"sigmoid", ad_sigmoid, ad_mpfr_sigmoid, -0.0, 0.5},
    {"sigmoid", ad_sigmoid, ad_mpfr_sigmoid, NAN, NAN},
    {"softplus", ad_softplus, ad_mpfr_softplus, INFINITY, INFINITY},
    {"softplus", ad_softplus, ad_mpfr_softplus, -INFINITY, 0},
    {"softplus", ad_softplus, ad_mpfr_softplus, 0, 0x1.62e42fefa39efp-1},
    {"softplus", ad_softplus, ad_mpfr_softplus, NAN, NAN},
    {"silu", ad_silu, ad_mpfr_silu, INFINITY, INFINITY},
    {"silu", ad_silu, ad_mpfr_silu, -INFINITY, -0.0},
    {"silu", ad_silu, ad_mpfr_silu, 0, 0},
    {"silu", ad_silu, ad_mpfr_silu, -0.0, -0.0},
    {"silu", ad_silu, ad_mpfr_silu, NAN, NAN},
    {"silu'", ad_silu_partial, ad_mpfr_silu_partial, INFINITY, 1},
    {"silu'", ad_silu_partial, ad_mpfr_silu_partial, -INFINITY, -0.0},
    {"silu'", ad_silu_partial, ad_mpfr_silu_partial, 0, 0.5},
    {"silu'", ad_silu_partial, ad_mpfr_silu_partial, -0.0, 0.5},
    {"silu'", ad_silu_partial, ad_mpfr_silu_partial, NAN, NAN},
    {"normal", ad_normal, ad_mpfr_normal, INFINITY, 0},
    {"normal", ad_normal, ad_mpfr_normal, -INFINITY, 0},
    {"normal", ad_normal, ad_mpfr_normal, NAN, NAN},
    {"gelu", ad_gelu, ad_mpfr_gelu, INFINITY, INFINITY},
    {"gelu", ad_gelu, ad_mpfr_gelu, -INFINITY, -0.0},
    {"gelu", ad_gelu, ad_mpfr_gelu, 0, 0},
    {"gelu", ad_gelu, ad_mpfr_gelu, -0.0, -0.0},
    {"gelu", ad_gelu, ad_mpfr_gelu, NAN, NAN},
    {"gelu'", ad_gelu_partial, ad_mpfr_gelu_partial, INFINITY, 1},
    {"gelu'", ad_gelu_partial, ad_mpfr_gelu_partial, -INFINITY, -0.0},
    {"gelu'", ad_gelu_partial, ad_mpfr_gelu_partial, -0.0, 0.5},
    {"gelu'", ad_gelu_partial, ad_mpfr_gelu_partial, NAN, NAN},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, INFINITY, INFINITY},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, -INFINITY, INFINITY},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, 0, INFINITY},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, -0.0, INFINITY},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, -3, INFINITY},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, -0x1p60, INFINITY},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, 1, 0},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, 2, 0},
    {"lgamma", ad_lgamma, ad_mpfr_lgamma, NAN, NAN},
    {"digamma", ad_digamma, ad_mpfr_digamma, INFINITY, INFINITY},
    {"digamma", ad_digamma, ad_mpfr_digamma, -INFINITY, NAN},
    {"digamma", ad_digamma, ad_mpfr_digamma, 0, -INFINITY},
    {"digamma", ad_digamma, ad_mpfr_digamma, -0.0, INFINITY},
    {"digamma", ad_digamma, ad_mpfr_digamma, -1, NAN},
    {"digamma", ad_digamma, ad_mpfr_digamma, -0x1p60, NAN},
    {"digamma", ad_digamma, ad_mpfr_digamma, 0x1p-1074, -INFINITY},
    {"digamma", ad_digamma, ad_mpfr_digamma, NAN, NAN},
    {"trigamma", polygamma_1, reference_polygamma_1, INFINITY, 0},
    {"trigamma", polygamma_1, reference_polygamma_1, -INFINITY, NAN},
    {"trigamma", polygamma_1, reference_polygamma_1, 0, INFINITY},
    {"trigamma", polygamma_1, reference_polygamma_1, -0.0, INFINITY},
    {"trigamma", polygamma_1, reference_polygamma_1, -7, NAN},
    {"trigamma", polygamma_1, reference_polygamma_1, NAN, NAN},
    {"tetragamma", polygamma_2, reference_polygamma_2, INFINITY, -0.0},
    {"tetragamma", polygamma_2, reference_polygamma_2, -INFINITY, NAN},
    {"tetragamma", polygamma_2, reference_polygamma_2, 0, -INFINITY},
    {"tetragamma", polygamma_2, reference_polygamma_2, -0.0, INFINITY},
    {"tetragamma", polygamma_2, reference_polygamma_2, -7, NAN},
    {"tetragamma", polygamma_2, reference_polygamma_2, 0x1p-1074, -INFINITY},
    {"tetragamma", polygamma_2, reference_polygamma_2, DBL_MAX, -0.0},
};

START_TEST(special_values) {
  const struct special *s = &SPECIAL[_i];
  same(s->name, s->x, s->f(s->x), s->want);
  mpfr_t r;
  mpfr_init2(r, 53);
  mpfr_set_d(r, s->x, MPFR_RNDN);
  s->mpfr(r, r);
  same(s->name, s->x, mpfr_get_d(r, MPFR_RNDN), s->want);
  mpfr_clear(r);
}
END_TEST

START_TEST(special_values_of_double_alone) {
  same("sech", INFINITY, ad_sech(INFINITY), 0);
  same("sech", -0.0, ad_sech(-0.0), 1);
  same("tanh", -0.0, ad_tanh(-0.0), -0.0);
  same("tanh", -INFINITY, ad_tanh(-INFINITY), -1);
  same("acosh", 1, ad_acosh(1), 0);
  same("acosh", 0.5, ad_acosh(0.5), NAN);
  same("acosh'", 1, ad_acosh_partial(1), INFINITY);
  same("acosh'", 0.5, ad_acosh_partial(0.5), NAN);
  same("acosh'", INFINITY, ad_acosh_partial(INFINITY), 0);
  same("erfc", INFINITY, ad_erfc(INFINITY), 0);
  same("erfc", -INFINITY, ad_erfc(-INFINITY), 2);
  same("cbrt", -0.0, ad_cbrt(-0.0), -0.0);
  same("cbrt", -INFINITY, ad_cbrt(-INFINITY), -INFINITY);
  same("cbrt", -27, ad_cbrt(-27), -3);
  static double (*const unary[])(double) = {ad_sech, ad_tanh, ad_acosh, ad_acosh_partial, ad_erfc, ad_cbrt};
  for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) same("nan", NAN, unary[i](NAN), NAN);
  same("polygamma(-1, .)", 1, ad_polygamma(-1, 1), NAN);
  same("polygamma(0.5, .)", 1, ad_polygamma(0.5, 1), NAN);
  same("polygamma(inf, .)", 1, ad_polygamma(INFINITY, 1), NAN);
  same("polygamma(nan, .)", 1, ad_polygamma(NAN, 1), NAN);
  same("polygamma(0, .)", 3, ad_polygamma(0, 3), ad_digamma(3));
  same("polygamma(2^60, .)", 1, ad_polygamma(0x1p60, 1), -INFINITY);
  same("polygamma(2^60, .)", 0x1p60, ad_polygamma(0x1p60, 0x1p60), -0.0);
  same("polygamma(max, .)", 2, ad_polygamma(DBL_MAX, 2), -INFINITY);
  same("polygamma(max, .)", DBL_MAX, ad_polygamma(DBL_MAX, DBL_MAX), -0.0);
  same("powi(., 0)", NAN, ad_powi(NAN, 0), 1);
  same("powi(., -3)", -0.0, ad_powi(-0.0, -3), -INFINITY);
  same("powi(., -2)", -0.0, ad_powi(-0.0, -2), INFINITY);
  same("powi(., 2^63 - 1)", -0.0, ad_powi(-0.0, LONG_MAX), -0.0);
  same("powi(., 2^63 - 1)", -INFINITY, ad_powi(-INFINITY, LONG_MAX), -INFINITY);
  same("powi(., 2^63 - 1)", -1, ad_powi(-1, LONG_MAX), -1);
  same("powi(., 2^63 - 1)", -2, ad_powi(-2, LONG_MAX), -INFINITY);
  same("powi(., -2^63)", -1, ad_powi(-1, LONG_MIN), 1);
  same("powi(., -2^63)", 0, ad_powi(0, LONG_MIN), INFINITY);
  same("powi(., -2^63)", -0.5, ad_powi(-0.5, LONG_MIN), INFINITY);
}
END_TEST

/* signgam belongs to the caller. */
START_TEST(lgamma_leaves_signgam) {
  signgam = 7;
  ck_assert_double_lt(ad_lgamma(-0.5), 2);
  ck_assert_int_eq(signgam, 7);
}
END_TEST

/* The measure itself: known distances, on both sides of the edges of double. */
START_TEST(ulps_measures) {
  static const struct {
    double got;
    const char *want;
    double distance;
  } cases[] = {
      {1, "1", 0},
      {1 + DBL_EPSILON, "1", 1},
      {1, "0x1.00000000000008p0", 0.5},
      {1, "0x0.ffffffffffffep0", 4},
      {0, "0x1p-1074", 1},
      {-0.0, "0", 0},
      {0x3p-1074, "0x1.8p-1074", 1.5},
      {0, "0x1p-1076", 0.25},
      {DBL_MAX, "0x1p1024", 1},
      {INFINITY, "0x1.fffffffffffffp1023", 1},
      {INFINITY, "1e400", 0},
      {-INFINITY, "1e400", INFINITY},
      {1, "inf", INFINITY},
      {-INFINITY, "-inf", 0},
      {NAN, "nan", 0},
      {NAN, "1", INFINITY},
      {1, "nan", INFINITY},
  };
  mpfr_t want;
  mpfr_init2(want, 100);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    mpfr_set_str(want, cases[i].want, 0, MPFR_RNDN);
    double d = ulps(cases[i].got, want);
    ck_assert_msg(d == cases[i].distance, "case %zu: %g", i, d);
  }
  mpfr_clear(want);
}
END_TEST

int main(void) {
  printf("seed %llu\n", (unsigned long long)ulps_seed());
  fflush(stdout);
  Suite *s = suite_create("special");
  TCase *c = tcase_create("double");
  tcase_set_timeout(c, 60 * fmax(1, ulps_multiplier()));
  tcase_add_test(c, ulps_measures);
  tcase_add_loop_test(c, libm_is_as_good_as_ops_def_needs, 0, LIBM_COUNT);
  tcase_add_loop_test(c, libm_of_two, 0, 3);
  tcase_add_loop_test(c, double_within_bounds, 0, OWN_COUNT);
  tcase_add_loop_test(c, negative_zeros_of_polygamma, 0, 4);
  tcase_add_loop_test(c, special_values, 0, sizeof SPECIAL / sizeof *SPECIAL);
  tcase_add_test(c, special_values_of_double_alone);
  tcase_add_test(c, lgamma_leaves_signgam);
  suite_add_tcase(s, c);
  return suite_run(s);
}
