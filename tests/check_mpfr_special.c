/* The special functions in MPFR: rounded to nearest at every precision, by plain formulas at a higher one; identities;
 * extreme precisions and arguments; aliasing.  ADTOOL_TEST_SEED and ADTOOL_TEST_MULTIPLIER as in ulps.h. */
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "arith/mpfr_special.h"
#include "special_reference.h"
#include "suite.h"
#include "ulps.h"

enum { POINTS = 60, MOST_BITS = 500 };

static const struct {
  const char *name;
  void (*f)(mpfr_ptr, mpfr_srcptr);
  reference_function *reference;
  double least, most; /* magnitudes */
} UNARY[] = {
    {"gauss", ad_mpfr_gauss, reference_gauss, 0x1p-40, 1e4},
    {"sigmoid", ad_mpfr_sigmoid, reference_sigmoid, 0x1p-40, 1e6},
    {"softplus", ad_mpfr_softplus, reference_softplus, 0x1p-40, 1e6},
    {"silu", ad_mpfr_silu, reference_silu, 0x1p-40, 1e6},
    {"silu'", ad_mpfr_silu_partial, reference_silu_partial, 0x1p-40, 1e6},
    {"normal", ad_mpfr_normal, reference_normal, 0x1p-40, 1e4},
    {"gelu", ad_mpfr_gelu, reference_gelu, 0x1p-40, 100},
    {"gelu'", ad_mpfr_gelu_partial, reference_gelu_partial, 0x1p-40, 100},
    {"lgamma", ad_mpfr_lgamma, reference_lgamma, 0x1p-40, 1e10},
    {"digamma", ad_mpfr_digamma, reference_digamma, 0x1p-40, 1e10},
};
enum { UNARY_COUNT = sizeof UNARY / sizeof *UNARY };

static mpfr_prec_t random_bits(ulps_random *random) {
  return (mpfr_prec_t)ulps_random_log(random, 1, MOST_BITS);
}

/* A random number of bits, log-uniform in magnitude, of either sign. */
static void random_argument(mpfr_ptr x, ulps_random *random, double least, double most) {
  mpfr_set_prec(x, random_bits(random));
  mpfr_set_d(x, ulps_random_log(random, least, most), MPFR_RNDN);
  mpfr_t tail;
  mpfr_init2(tail, 53);
  for (int shift = -52; shift > -MOST_BITS; shift -= 52) {
    mpfr_set_d(tail, ulps_random_uniform(random, -1, 1), MPFR_RNDN);
    mpfr_mul_2si(tail, tail, mpfr_get_exp(x) + shift, MPFR_RNDN);
    mpfr_add(x, x, tail, MPFR_RNDN);
  }
  mpfr_clear(tail);
  if (ulps_random_bits(random) & 1) mpfr_neg(x, x, MPFR_RNDN);
}

static void same(const char *name, mpfr_srcptr x, mpfr_srcptr got, mpfr_srcptr want) {
  char text[512];
  mpfr_snprintf(text, sizeof text, "%s(%.30Re) is %.30Re, not %.30Re to %ld bits, seed %lu", name, x, got, want,
                (long)mpfr_get_prec(got), (unsigned long)ulps_seed());
  ck_assert_msg(mpfr_equal_p(got, want) || (mpfr_nan_p(got) && mpfr_nan_p(want)), "%s", text);
}

/* got is the nearest to some number within an ulp of `want`, which has more bits: where it is a tie to all of them, as
 * gelu(24) is to one bit, either neighbour will do. */
static void nearest(const char *name, mpfr_srcptr x, mpfr_srcptr got, mpfr_srcptr want) {
  if (!mpfr_regular_p(want)) {
    same(name, x, got, want);
    return;
  }
  mpfr_t side, rounded;
  mpfr_init2(side, mpfr_get_prec(want));
  mpfr_init2(rounded, mpfr_get_prec(got));
  mpfr_set(side, want, MPFR_RNDN);
  mpfr_nextbelow(side);
  mpfr_set(rounded, side, MPFR_RNDN);
  if (!mpfr_equal_p(got, rounded)) {
    mpfr_set(side, want, MPFR_RNDN);
    mpfr_nextabove(side);
    mpfr_set(rounded, side, MPFR_RNDN);
    same(name, x, got, rounded);
  }
  mpfr_clears(side, rounded, (mpfr_ptr)0);
}

START_TEST(rounded_to_nearest) {
  ulps_random random = {ulps_seed() + (uint64_t)_i};
  mpfr_t x, got, want;
  mpfr_inits(x, got, want, (mpfr_ptr)0);
  for (double k = 0; k < POINTS * ulps_multiplier(); k++) {
    random_argument(x, &random, UNARY[_i].least, UNARY[_i].most);
    const mpfr_prec_t bits = random_bits(&random);
    mpfr_set_prec(got, bits);
    mpfr_set_prec(want, bits + 200);
    UNARY[_i].f(got, x);
    UNARY[_i].reference(want, x);
    nearest(UNARY[_i].name, x, got, want);
  }
  mpfr_clears(x, got, want, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

START_TEST(in_place) {
  mpfr_t x, r;
  mpfr_inits2(90, x, r, (mpfr_ptr)0);
  mpfr_set_d(x, -1.7, MPFR_RNDN);
  UNARY[_i].f(r, x);
  UNARY[_i].f(x, x);
  same(UNARY[_i].name, r, x, r);
  mpfr_clears(x, r, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

/* The reference is a plain Euler-Maclaurin sum. */
START_TEST(polygamma_rounded_to_nearest) {
  ulps_random random = {ulps_seed()};
  mpfr_t x, got, want;
  mpfr_inits(x, got, want, (mpfr_ptr)0);
  for (double k = 0; k < POINTS * ulps_multiplier(); k++) {
    random_argument(x, &random, 0x1p-20, 1e7);
    mpfr_prec_round(x, 80, MPFR_RNDN);
    if (mpfr_integer_p(x) && mpfr_sgn(x) < 0) continue;
    const mpfr_prec_t bits = random_bits(&random);
    const long n = (long)ulps_random_log(&random, 1, 60);
    mpfr_set_prec(got, bits);
    mpfr_set_prec(want, bits + 200);
    ad_mpfr_polygamma(got, n, x);
    reference_polygamma(want, n, x);
    nearest("polygamma", x, got, want);
  }
  mpfr_clears(x, got, want, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

/* |a - b| <= 2^-bits |b| */
static void near(const char *identity, mpfr_srcptr a, mpfr_srcptr b, long bits) {
  mpfr_t d;
  mpfr_init2(d, 64);
  mpfr_sub(d, a, b, MPFR_RNDU);
  mpfr_exp_t scale = mpfr_regular_p(b) ? mpfr_get_exp(b) : 0;
  char text[256];
  mpfr_snprintf(text, sizeof text, "%s: %.30Re and %.30Re", identity, a, b);
  ck_assert_msg(mpfr_number_p(d) && (mpfr_zero_p(d) || mpfr_get_exp(d) < scale - bits), "%s", text);
  mpfr_clear(d);
}

/* psi_1(1) = pi^2/6, psi_1(1/2) = pi^2/2, psi_n(1) = (-1)^(n+1) n! zeta(n+1), psi(1) = -gamma, psi(1/4) = -gamma - pi/2
 * - 3 log 2 */
START_TEST(known_constants) {
  const mpfr_prec_t p = 1000;
  mpfr_t x, r, want, t;
  mpfr_inits2(p, x, r, want, t, (mpfr_ptr)0);
  mpfr_const_pi(want, MPFR_RNDN);
  mpfr_sqr(want, want, MPFR_RNDN);
  mpfr_div_ui(want, want, 6, MPFR_RNDN);
  mpfr_set_ui(x, 1, MPFR_RNDN);
  ad_mpfr_polygamma(r, 1, x);
  near("psi_1(1)", r, want, p - 4);
  mpfr_mul_ui(want, want, 3, MPFR_RNDN);
  mpfr_set_d(x, 0.5, MPFR_RNDN);
  ad_mpfr_polygamma(r, 1, x);
  near("psi_1(1/2)", r, want, p - 4);
  mpfr_set_ui(x, 1, MPFR_RNDN);
  for (unsigned long n = 1; n < 200; n += 1 + n / 3) {
    mpfr_zeta_ui(want, n + 1, MPFR_RNDN);
    mpfr_fac_ui(t, n, MPFR_RNDN);
    mpfr_mul(want, want, t, MPFR_RNDN);
    if (n % 2 == 0) mpfr_neg(want, want, MPFR_RNDN);
    ad_mpfr_polygamma(r, (long)n, x);
    near("psi_n(1)", r, want, p - 4);
  }
  mpfr_const_euler(want, MPFR_RNDN);
  mpfr_neg(want, want, MPFR_RNDN);
  ad_mpfr_digamma(r, x);
  near("psi(1)", r, want, p - 2);
  mpfr_const_pi(t, MPFR_RNDN);
  mpfr_div_2ui(t, t, 1, MPFR_RNDN);
  mpfr_sub(want, want, t, MPFR_RNDN);
  mpfr_const_log2(t, MPFR_RNDN);
  mpfr_mul_ui(t, t, 3, MPFR_RNDN);
  mpfr_sub(want, want, t, MPFR_RNDN);
  mpfr_set_d(x, 0.25, MPFR_RNDN);
  ad_mpfr_digamma(r, x);
  near("psi(1/4)", r, want, p - 4);
  mpfr_clears(x, r, want, t, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

/* psi_n(x + 1) = psi_n(x) + (-1)^n n!/x^(n+1), and psi_n(x) + psi_n(x + 1/2) = 2^(n+1) psi_n(2x), at n up to 10^18,
 * where only ball arithmetic can still tell. */
START_TEST(recurrence_and_duplication) {
  static const long orders[] = {1, 2, 3, 10, 51, 1000, 100000, 1000000000000000000};
  const mpfr_prec_t p = 400;
  ulps_random random = {ulps_seed()};
  mpfr_t x, y, a, b, t;
  mpfr_inits2(p, x, y, a, b, t, (mpfr_ptr)0);
  const long n = orders[_i];
  for (double k = 0; k < 10 * ulps_multiplier(); k++) {
    mpfr_set_d(x, ulps_random_log(&random, 0x1p-30, n > 100000 ? 0x1p30 : 0x1p10), MPFR_RNDN);
    if (n <= 100000 && (ulps_random_bits(&random) & 1)) mpfr_neg(x, x, MPFR_RNDN);
    mpfr_add_ui(y, x, 1, MPFR_RNDN); /* exact */
    ad_mpfr_polygamma(a, n, x);
    ad_mpfr_polygamma(b, n, y);
    mpfr_sub(b, b, a, MPFR_RNDN);
    mpfr_set_si(t, n, MPFR_RNDN);
    mpfr_add_ui(t, t, 1, MPFR_RNDN);
    mpfr_gamma(t, t, MPFR_RNDN);
    mpfr_pow_si(y, x, -(n + 1), MPFR_RNDN);
    mpfr_mul(t, t, y, MPFR_RNDN);
    if (n % 2) mpfr_neg(t, t, MPFR_RNDN);
    if (mpfr_number_p(a) && mpfr_number_p(t)) {
      mpfr_exp_t lost = mpfr_get_exp(a) - mpfr_get_exp(t);
      near("recurrence", b, t, p - 90 - (lost > 0 ? lost : 0));
    } else {
      ck_assert(mpfr_equal_p(a, t) || mpfr_cmpabs(a, t) == 0);
    }
    if (n > 100000 || mpfr_sgn(x) < 0) continue;
    mpfr_mul_2ui(y, x, 1, MPFR_RNDN);
    ad_mpfr_polygamma(b, n, y);
    mpfr_mul_2ui(b, b, (unsigned long)n + 1, MPFR_RNDN);
    mpfr_add_d(y, x, 0.5, MPFR_RNDN);
    ad_mpfr_polygamma(t, n, y);
    mpfr_add(a, a, t, MPFR_RNDN);
    near("duplication", a, b, p - 4);
  }
  mpfr_clears(x, y, a, b, t, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

/* One bit and 100,000 bits; the longer result rounds to the shorter one. */
START_TEST(extreme_precisions) {
  static const mpfr_prec_t bits[] = {MPFR_PREC_MIN, 2, 3, 24, 20000};
  static const double points[] = {-2.7, -0.3, 1e-9, 0.6, 3.3, 20};
  mpfr_t x, r, full, rounded;
  mpfr_init2(x, 53);
  mpfr_init2(full, UNARY[_i].f == ad_mpfr_digamma ? 20064 : 100000);
  mpfr_inits(r, rounded, (mpfr_ptr)0);
  for (size_t k = 0; k < sizeof points / sizeof *points; k++) {
    mpfr_set_d(x, points[k], MPFR_RNDN);
    UNARY[_i].f(full, x);
    ck_assert(mpfr_regular_p(full));
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
      mpfr_set_prec(r, bits[i]);
      mpfr_set_prec(rounded, bits[i]);
      UNARY[_i].f(r, x);
      mpfr_set(rounded, full, MPFR_RNDN);
      same(UNARY[_i].name, x, r, rounded);
    }
  }
  mpfr_clears(x, r, full, rounded, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

/* Exponents that no double has end soon and right. */
START_TEST(extreme_arguments) {
  static const char *const points[] = {"1p1000000000000000", "-1p1000000000000000", "1p-1000000000000000",
                                       "-1p-1000000000000000"};
  static const char *const limits[][4] = {
      {"0", "0", "1", "1"},
      {"1", "0", "0.5", "0.5"},
      {"x", "0", "0.693147180559945309417232121458176568", ""},
      {"x", "0", "x/2", "x/2"},
      {"1", "0", "0.5", "0.5"},
      {"0", "0", "0.398942280401432677939946059934381868476", ""},
      {"x", "0", "x/2", "x/2"},
      {"1", "0", "0.5", "0.5"},
      {"xlogx", "inf", "log", "log"},
      {"log", "nan", "-1/x", "-1/x"},
  };
  mpfr_t x, r, want;
  mpfr_inits2(53, x, r, want, (mpfr_ptr)0);
  for (int k = 0; k < 4; k++) {
    const char *limit = *limits[_i][k] ? limits[_i][k] : limits[_i][k - 1];
    mpfr_set_str(x, points[k], 2, MPFR_RNDN);
    UNARY[_i].f(r, x);
    if (limit[0] == 'x' && limit[1] == '\0') {
      mpfr_set(want, x, MPFR_RNDN);
    } else if (limit[0] == 'x' && limit[1] == '/') {
      mpfr_div_2ui(want, x, 1, MPFR_RNDN);
    } else if (limit[0] == 'x' || limit[0] == 'l') { /* x log x - x, or |log|x|| */
      mpfr_abs(want, x, MPFR_RNDN);
      mpfr_log(want, want, MPFR_RNDN);
      if (limit[0] == 'x') {
        mpfr_sub_ui(want, want, 1, MPFR_RNDN);
        mpfr_mul(want, want, x, MPFR_RNDN);
      } else {
        mpfr_abs(want, want, MPFR_RNDN);
      }
    } else if (limit[0] == '-') {
      mpfr_si_div(want, -1, x, MPFR_RNDN);
    } else {
      mpfr_set_str(want, limit, 10, MPFR_RNDN);
    }
    if (mpfr_nan_p(want) || mpfr_inf_p(want) || mpfr_zero_p(want))
      same(UNARY[_i].name, x, r, want);
    else
      near(UNARY[_i].name, r, want, 50);
  }
  mpfr_clears(x, r, want, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

/* One more bit than double holds tells -2^53 - 1/2 from an integer. */
START_TEST(far_half_integers) {
  mpfr_t x, r, y, s;
  mpfr_inits2(120, x, r, y, s, (mpfr_ptr)0);
  mpfr_set_d(x, -0x1p53, MPFR_RNDN);
  mpfr_sub_d(x, x, 0.5, MPFR_RNDN);
  mpfr_ui_sub(y, 1, x, MPFR_RNDN);
  ad_mpfr_polygamma(r, 1000, x);
  ad_mpfr_polygamma(s, 1000, y);
  same("polygamma 1000", x, r, s);
  ck_assert(mpfr_regular_p(r));
  ad_mpfr_polygamma(r, 3, x); /* psi_3(x) + psi_3(1 - x) = 2 pi^4 at half-integers */
  mpfr_const_pi(s, MPFR_RNDN);
  mpfr_pow_ui(s, s, 4, MPFR_RNDN);
  mpfr_mul_2ui(s, s, 1, MPFR_RNDN);
  ad_mpfr_polygamma(y, 3, y);
  mpfr_sub(s, s, y, MPFR_RNDN);
  near("polygamma 3", r, s, 116);
  mpfr_clears(x, r, y, s, (mpfr_ptr)0);
  ad_mpfr_free_caches();
}
END_TEST

static void two(void (*f)(mpfr_ptr, mpfr_srcptr, mpfr_srcptr), const char *x, const char *y, const char *want) {
  mpfr_t a, b, r, w;
  mpfr_inits2(100, a, b, r, w, (mpfr_ptr)0);
  mpfr_set_str(a, x, 10, MPFR_RNDN);
  mpfr_set_str(b, y, 10, MPFR_RNDN);
  mpfr_set_str(w, want, 10, MPFR_RNDN);
  f(r, a, b);
  char text[128];
  mpfr_snprintf(text, sizeof text, "(%s, %s) is %.20Re, not %s", x, y, r, want);
  if (mpfr_regular_p(w))
    near(text, r, w, 96);
  else
    ck_assert_msg((mpfr_nan_p(r) && mpfr_nan_p(w)) || (mpfr_equal_p(r, w) && !mpfr_signbit(r) == !mpfr_signbit(w)),
                  "%s", text);
  mpfr_clears(a, b, r, w, (mpfr_ptr)0);
}

START_TEST(functions_of_two) {
  two(ad_mpfr_xlogy, "0", "0", "0");
  two(ad_mpfr_xlogy, "-0", "inf", "0");
  two(ad_mpfr_xlogy, "0", "-1", "0");
  two(ad_mpfr_xlogy, "0", "nan", "nan");
  two(ad_mpfr_xlogy, "2", "0", "-inf");
  two(ad_mpfr_xlogy, "-2", "0", "inf");
  two(ad_mpfr_xlogy, "2", "-1", "nan");
  two(ad_mpfr_xlogy, "-2", "1", "-0");
  two(ad_mpfr_xlogy, "inf", "1", "nan");
  two(ad_mpfr_xlogy, "inf", "0.5", "-inf");
  two(ad_mpfr_xlogy, "3", "2", "2.07944154167983592825169636437452970422650040308077");
  two(ad_mpfr_logaddexp, "0", "0", "0.693147180559945309417232121458176568075500134360255");
  two(ad_mpfr_logaddexp, "-1e300", "1e300", "1e300");
  two(ad_mpfr_logaddexp, "5", "-1e300", "5");
  two(ad_mpfr_logaddexp, "1e300000", "1e-300000", "1e300000");
  two(ad_mpfr_logaddexp, "inf", "-inf", "inf");
  two(ad_mpfr_logaddexp, "-inf", "-inf", "-inf");
  two(ad_mpfr_logaddexp, "-inf", "3", "3");
  two(ad_mpfr_logaddexp, "nan", "inf", "nan");
  two(ad_mpfr_logaddexp, "1", "-1", "1.12692801104297249644372680635830443143433306280835");
  two(ad_mpfr_logaddexp, "-1", "1", "1.12692801104297249644372680635830443143433306280835");
  ad_mpfr_free_caches();
}
END_TEST

START_TEST(polygamma_special_values) {
  static const struct {
    long n;
    double x, want;
  } cases[] = {
      {-1, 1, NAN},
      {LONG_MIN, 1, NAN},
      {1, NAN, NAN},
      {1, INFINITY, 0},
      {2, INFINITY, -0.0},
      {1, -INFINITY, NAN},
      {1, 0, INFINITY},
      {1, -0.0, INFINITY},
      {2, 0, -INFINITY},
      {2, -0.0, INFINITY},
      {3, -4, NAN},
      {LONG_MAX, 1, INFINITY},
      {LONG_MAX - 1, 1, -INFINITY},
      {0, 0, -INFINITY},
      {0, -0.0, INFINITY},
      {LONG_MAX, 1e300, 0},
      {LONG_MAX - 1, 1e300, -0.0},
  };
  mpfr_t x;
  mpfr_init2(x, 60);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    mpfr_set_d(x, cases[i].x, MPFR_RNDN);
    ad_mpfr_polygamma(x, cases[i].n, x);
    double got = mpfr_get_d(x, MPFR_RNDN), want = cases[i].want;
    ck_assert_msg(isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want), "polygamma(%ld, %g) is %g",
                  cases[i].n, cases[i].x, got);
  }
  mpfr_clear(x);
  ad_mpfr_free_caches();
}
END_TEST

int main(void) {
  printf("seed %llu\n", (unsigned long long)ulps_seed());
  fflush(stdout);
  Suite *s = suite_create("mpfr_special");
  TCase *c = tcase_create("mpfr");
  tcase_set_timeout(c, 120 * fmax(1, ulps_multiplier()));
  tcase_add_loop_test(c, rounded_to_nearest, 0, UNARY_COUNT);
  tcase_add_loop_test(c, in_place, 0, UNARY_COUNT);
  tcase_add_test(c, polygamma_rounded_to_nearest);
  tcase_add_test(c, known_constants);
  tcase_add_loop_test(c, recurrence_and_duplication, 0, 8);
  tcase_add_loop_test(c, extreme_precisions, 0, UNARY_COUNT);
  tcase_add_loop_test(c, extreme_arguments, 0, UNARY_COUNT);
  tcase_add_test(c, far_half_integers);
  tcase_add_test(c, functions_of_two);
  tcase_add_test(c, polygamma_special_values);
  suite_add_tcase(s, c);
  return suite_run(s);
}
