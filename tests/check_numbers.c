/* Exact numbers: the grammar, correct rounding to double and float, texts that read back, and constants that every
 * arithmetic rounds once for itself. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "graphs.h"
#include "suite.h"
#include "ulps.h"

static bool valid(const char *s) {
  return ad_number_valid(s, strlen(s));
}

START_TEST(grammar) {
  static const char *const good[] = {
      "0",    "1",     "-1",       "+1",      "0.5",  ".5",         "5.",   "-.5e-3",   "1e5",      "1E+5",    "1e-5",
      "007",  "0x1p0", "0x1.8p+0", "0X.8P-1", "0xaB", "-0x1p-1074", "1/3",  "-22/7",    "0/5",      "10/010",  "pi",
      "-pi",  "+pi",   "e",        "-e",      "inf",  "-inf",       "+inf", "nan",      "0e0",      "1e99999", ".inf",
      ".Inf", "-.INF", "+.inf",    ".nan",    ".NaN", ".NAN",       "NaN",  "Infinity", "-Infinity"};
  static const char *const bad[] = {
      "",      " 1",    "1 ",   "+",    "-",        ".",    "e5",       "1e",        "1e+",   "--1",  "1..2",  "1.2.3",
      "0x",    "0x.",   "0xp1", "0x1p", "0x1g",     "1/0",  "1/",       "/2",        "1/2/3", "1/-2", "1.5/2", "1e2/3",
      "0x1/3", "1/000", "PI",   "Inf",  "infinity", ".iNf", "inf.",     ".infinity", "-NAN",  "Nan",  ".Nan",  "nan(1)",
      "1_000", "1,5",   "1f",   "0b1",  "pie",      "ee",   "\xc2\xbd", "1\n",       "e1"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) ck_assert_msg(valid(good[i]), "'%s' is a number", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) ck_assert_msg(!valid(bad[i]), "'%s' is no number", bad[i]);
  ck_assert(ad_number_valid("1.5x", 3)); /* the length counts, not a final zero */
  ck_assert(!ad_number_valid("1\0 2", 4));
  ad_numbers *n = ad_numbers_new();
  must_fail(AD_EINPUT, "'1/0' is not a number", ad_numbers_push_text(n, "1/0", 3, &graphs_error));
  must_fail(AD_EINPUT, "1/3", ad_numbers_push_text(n, "x", 1, &graphs_error)); /* says what to write */
  ck_assert_uint_eq(ad_numbers_count(n), 0);
  ad_numbers_free(n);
}
END_TEST

/* The nearest double of a text as the library has it, and whether it says that this is exact. */
static double read_double(const char *text, bool *exact) {
  ad_numbers *n = ad_numbers_new();
  must(ad_numbers_push_text(n, text, strlen(text), &graphs_error));
  const double v = ad_numbers_double(n, 0);
  const char *kept = ad_numbers_text(n, 0);
  *exact = !kept;
  if (kept) ck_assert_str_eq(kept, text + (*text == '+'));
  ad_numbers_free(n);
  return v;
}

/* The same text as a constant of this dtype. */
static double read_dtype(const char *text, ad_dtype dtype) {
  ad_graph *g = graphs_new();
  ad_numbers *n = ad_numbers_new();
  ad_node c;
  must(ad_numbers_push_text(n, text, strlen(text), &graphs_error));
  must(ad_graph_constant(g, &c, &SCALAR, n, dtype, &graphs_error));
  ad_values v = ad_graph_node_values(g, c);
  const double got = v.value[0];
  if (dtype != AD_EXACT) ck_assert_ptr_null(ad_values_text(&v, 0)); /* rounded for good */
  ad_numbers_free(n);
  ad_graph_free(g);
  return got;
}

static void expect_double(const char *text) {
  bool exact;
  const double want = strtod(text, NULL), got = read_double(text, &exact), marked = read_dtype(text, AD_F64);
  ck_assert_msg(got == want && signbit(got) == signbit(want), "'%.60s' reads as %a, not %a", text, got, want);
  ck_assert_msg(marked == want, "'%.60s' as f64 reads as %a, not %a", text, marked, want);
  const float narrow = strtof(text, NULL);
  const double single = read_dtype(text, AD_F32);
  ck_assert_msg(single == (double)narrow, "'%.60s' as f32 reads as %a, not %a", text, single, (double)narrow);
  /* Exact means that the decimal of this double is the text's number. */
  mpfr_t said, have;
  mpfr_inits2(20000, said, have, (mpfr_ptr)0);
  const bool equal = mpfr_strtofr(said, text, NULL, 0, MPFR_RNDN) == 0 && isfinite(want) &&
                     mpfr_set_d(have, want, MPFR_RNDN) == 0 && mpfr_equal_p(said, have);
  ck_assert_msg(equal == exact, "'%.60s' is %s to a double, but counts as %s", text, equal ? "equal" : "not equal",
                exact ? "exact" : "inexact");
  mpfr_clears(said, have, (mpfr_ptr)0);
}

/* The exact decimal or hexadecimal of m 2^e, m of any size. */
static void expect_ratio(uint64_t m, long e, const char *tail) {
  char text[3000];
  mpfr_t v;
  mpfr_init2(v, 200);
  mpfr_set_uj_2exp(v, m, e, MPFR_RNDN);
  mpfr_snprintf(text, sizeof text, "%.*Re", 1200, v);
  char *exponent = strchr(text, 'e'), rest[32];
  snprintf(rest, sizeof rest, "%s", exponent);
  snprintf(exponent, sizeof text - (size_t)(exponent - text), "%s%s", tail, rest);
  expect_double(text);
  mpfr_clear(v);
}

/* Halfway between neighbours, exactly, a hair above and a hair below: of doubles and floats, normal and subnormal. */
START_TEST(ties_round_to_even) {
  static const struct { int bits, lowest, highest; } types[] = {{53, -1074, 970}, {24, -149, 103}};
  ulps_random r = {ulps_seed()};
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < 60; i++) {
      const int bits = i % 3 ? types[k].bits : 1 + (int)(ulps_random_bits(&r) % (uint64_t)types[k].bits);
      const long e =
          bits < types[k].bits
              ? types[k].lowest
              : types[k].lowest + (long)(ulps_random_bits(&r) % (uint64_t)(types[k].highest - types[k].lowest));
      const uint64_t m = (ulps_random_bits(&r) >> (64 - bits)) | (uint64_t)1 << (bits - 1);
      expect_ratio(2 * m + 1, e - 1, "");
      expect_ratio(2 * m + 1, e - 1, "00001");
      expect_ratio(4 * m + 1, e - 2, "99999");
    }
  expect_ratio(1, -1075, ""); /* half the smallest double */
  expect_ratio(1, -1075, "0001");
  expect_ratio(1, -1076, "99");
  expect_ratio(3, -1075, "");
  expect_ratio(((uint64_t)1 << 54) - 1, 970, ""); /* halfway from the largest double to 2^1024 */
  expect_ratio(((uint64_t)1 << 55) - 3, 969, "");
  expect_ratio(1, -150, ""); /* and of floats */
  expect_ratio(1, -150, "01");
  expect_ratio(((uint64_t)1 << 25) - 1, 103, "");
}
END_TEST

START_TEST(rounding_as_strtod) {
  static const char *const texts[] = {"0",
                                      "-0",
                                      "0.0",
                                      "-0.0e5",
                                      "1",
                                      "0.1",
                                      "0.3",
                                      "-2.5e-3",
                                      "1e22",
                                      "1e23",
                                      "9007199254740993",
                                      "123456789012345678",
                                      "0.000000000000000000000000000000000001",
                                      "1e308",
                                      "1.7976931348623157e308",
                                      "1.7976931348623159e308",
                                      "1e309",
                                      "-1e400",
                                      "1e-400",
                                      "-1e-400",
                                      "4.9e-324",
                                      "2.4703282292062327e-324",
                                      "2.4703282292062328e-324",
                                      "2.2250738585072011e-308",
                                      "2.2250738585072014e-308",
                                      "6.631236846766476e-316",
                                      "3.2378839133029012895e-319",
                                      "0x1p-1074",
                                      "0x1p-1075",
                                      "0x1.8p-1075",
                                      "0x1.0000000000000800p0",
                                      "0x1.00000000000008001p0",
                                      "0x1.fffffffffffff8p1023",
                                      "0x1.fffffffffffff7p1023",
                                      "0x.0000000000001p-1022",
                                      "0xABC.DEFp-3",
                                      "-0x0p0",
                                      "3.4028235e38",
                                      "3.4028236e38",
                                      "1.1754942e-38",
                                      "1.4e-45",
                                      "7e-46",
                                      "7.1e-46",
                                      "16777217",
                                      "0.5",
                                      "8388608.5"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) expect_double(texts[i]);
  ulps_random r = {ulps_seed()};
  for (double i = 0; i < 20000 * ulps_multiplier(); i++) {
    char text[64];
    const int digits = 1 + (int)(ulps_random_bits(&r) % 22);
    const int exponent = (int)(ulps_random_bits(&r) % (i < 10000 ? 60 : 700)) - (i < 10000 ? 30 : 350);
    char *s = text;
    if (ulps_random_bits(&r) & 1) *s++ = '-';
    for (int d = 0; d < digits; d++) {
      if (d == digits / 2) *s++ = '.';
      *s++ = (char)('0' + ulps_random_bits(&r) % 10);
    }
    snprintf(s, 16, "e%d", exponent);
    expect_double(text);
  }
}
END_TEST

/* v is the double nearest to p/q, ties to even: |v - p/q| is at most the distance of v's neighbours. */
static void expect_nearest(const char *text, long p, long q) {
  bool exact;
  const double v = read_double(text, &exact);
  mpfr_t here, side;
  mpfr_inits2(300, here, side, (mpfr_ptr)0);
  for (int k = 0; k < 2; k++) { /* q v - p is exact in 300 bits */
    mpfr_set_d(here, v, MPFR_RNDN);
    mpfr_set_d(side, nextafter(v, k ? INFINITY : -INFINITY), MPFR_RNDN);
    mpfr_mul_si(here, here, q, MPFR_RNDN);
    mpfr_mul_si(side, side, q, MPFR_RNDN);
    mpfr_sub_si(here, here, p, MPFR_RNDN);
    mpfr_sub_si(side, side, p, MPFR_RNDN);
    ck_assert_msg(mpfr_cmpabs(here, side) <= 0, "%s reads as %a, but a neighbour is nearer", text, v);
    ck_assert_msg(exact == (mpfr_zero_p(here) != 0), "%s counts as %s", text, exact ? "exact" : "inexact");
  }
  mpfr_clears(here, side, (mpfr_ptr)0);
}

START_TEST(rationals) {
  ulps_random r = {ulps_seed()};
  for (int i = 0; i < 2000; i++) {
    char text[64];
    const long p = (long)(ulps_random_bits(&r) >> (1 + ulps_random_bits(&r) % 62));
    const long q = 1 + (long)(ulps_random_bits(&r) >> (2 + ulps_random_bits(&r) % 61));
    const bool negative = ulps_random_bits(&r) & 1;
    snprintf(text, sizeof text, "%s%ld/%ld", negative ? "-" : "", p, q);
    expect_nearest(text, negative ? -p : p, q);
  }
  expect_nearest("9007199254740993/1", 9007199254740993, 1); /* a tie: to even */
  expect_nearest("9007199254740995/1", 9007199254740995, 1);
  expect_nearest("6/4", 3, 2);
  bool exact;
  ck_assert(read_double("9007199254740993/1", &exact) == 0x1p53);
  ck_assert(read_double("-0/3", &exact) == 0);
}
END_TEST

/* Numbers far out come back at once, as infinity or zero. */
START_TEST(huge_exponents_and_long_texts) {
  bool exact;
  ck_assert(read_double("1e999999999999999999999", &exact) == INFINITY && !exact);
  ck_assert(read_double("-1e999999999999", &exact) == -INFINITY && !exact);
  ck_assert(read_double("1e-999999999999999999999", &exact) == 0 && !exact);
  ck_assert(read_double("0x1p999999999999999999999", &exact) == INFINITY && !exact);
  ck_assert(read_double("0x1p-999999999999999999999", &exact) == 0 && !exact);
  ck_assert(read_double("0e999999999999999999999", &exact) == 0 && exact);
  enum { LONG = 100000 };
  char *text = malloc(LONG + 8);
  memset(text, '3', LONG);
  text[1] = '.';
  strcpy(text + LONG, "e-2");
  expect_double(text);
  memset(text, '7', LONG);
  text[LONG / 2] = '/';
  text[LONG] = '\0';
  read_double(text, &exact);
  ck_assert(!exact);
  free(text);
}
END_TEST

/* ---- Writing */

static int significant_digits(const char *text) {
  int count = 0, zeros = 0;
  for (const char *s = text; *s && *s != 'e'; s++) {
    if (*s < '0' || *s > '9' || (!count && *s == '0')) continue;
    count++;
    zeros = *s == '0' ? zeros + 1 : 0;
  }
  return count - zeros;
}

static void expect_texts(double v) {
  char text[AD_NUMBER_TEXT], fewer[64];
  ck_assert_uint_eq(ad_number_short_text(text, v), strlen(text));
  ck_assert_uint_lt(strlen(text), AD_NUMBER_TEXT);
  const double back = strtod(text, NULL);
  ck_assert_msg(isnan(v) ? isnan(back) : back == v && signbit(back) == signbit(v), "%a is written as %s", v, text);
  ck_assert_msg(valid(text), "%a is written as '%s'", v, text);
  const int digits = significant_digits(text);
  if (isfinite(v) && digits > 1) {
    snprintf(fewer, sizeof fewer, "%.*e", digits - 2, v);
    ck_assert_msg(strtod(fewer, NULL) != v, "%a is written as %s, but %s would do", v, text, fewer);
  }
  ck_assert_uint_eq(ad_number_exact_text(text, v), strlen(text));
  ck_assert_uint_lt(strlen(text), AD_NUMBER_TEXT);
  bool exact;
  const double again = read_double(text, &exact);
  ck_assert_msg(isnan(v) ? isnan(again) : again == v && signbit(again) == signbit(v) && exact,
                "the exact text of %a is %s", v, text);
}

START_TEST(texts_read_back) {
  static const double values[] = {
      0.0,  -0.0,      1,           -1,     0.1,       0.5,       1e15,    999999999999999, 1e16,     1e22,
      1e23, 123456.75, 1e-5,        1e-7,   0x1p-1074, 0x1p-1022, DBL_MAX, -DBL_MAX,        INFINITY, -INFINITY,
      NAN,  1.0 / 3,   0x1.8p-1073, 5e-324, 0x1p53,    0x1p60,    1e100,   0x1p-44,         9.5e-322};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) expect_texts(values[i]);
  ulps_random r = {ulps_seed()};
  for (double i = 0; i < 20000 * ulps_multiplier(); i++) {
    const uint64_t bits = ulps_random_bits(&r) >> (i < 5000 ? 12 : 0); /* subnormals first */
    double v;
    memcpy(&v, &bits, sizeof v);
    expect_texts(v);
    expect_texts(nearbyint(ulps_random_uniform(&r, -1e6, 1e6)) / 1000);
  }
}
END_TEST

/* ---- Each arithmetic rounds once for itself */

/* The constant, through a graph, in MPFR at this precision. */
static void read_mpfr(mpfr_ptr out, const char *text, ad_dtype dtype) {
  ad_graph *g = graphs_new();
  ad_numbers *n = ad_numbers_new();
  ad_node c;
  must(ad_numbers_push_text(n, text, strlen(text), &graphs_error));
  must(ad_graph_constant(g, &c, &SCALAR, n, dtype, &graphs_error));
  must(ad_graph_output(g, "c", c, &graphs_error));
  graphs_run r = graphs_start(g, "mpfr", (ad_workspace_options){.precision = (uint32_t)mpfr_get_prec(out)});
  ad_span s = ad_workspace_value(r.w, c);
  mpfr_set(out, s.data, MPFR_RNDN);
  graphs_end(&r);
  ad_numbers_free(n);
  ad_graph_free(g);
}

START_TEST(constants_are_exact) {
  mpfr_t got, want;
  mpfr_inits2(500, got, want, (mpfr_ptr)0);
  mpfr_set_ui(want, 1, MPFR_RNDN);
  mpfr_div_ui(want, want, 10, MPFR_RNDN); /* correctly rounded: one tenth to 500 bits */
  read_mpfr(got, "0.1", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  read_mpfr(got, "+1/10", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_neg(want, want, MPFR_RNDN);
  read_mpfr(got, "-1e-1", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_set_ui(want, 1, MPFR_RNDN);
  mpfr_div_ui(want, want, 3, MPFR_RNDN);
  read_mpfr(got, "1/3", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_const_pi(want, MPFR_RNDN);
  read_mpfr(got, "pi", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_neg(want, want, MPFR_RNDN);
  read_mpfr(got, "-pi", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_set_ui(want, 1, MPFR_RNDN);
  mpfr_exp(want, want, MPFR_RNDN);
  read_mpfr(got, "e", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_set_d(want, 1.5, MPFR_RNDN);
  read_mpfr(got, "0x1.8p+0", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_set_d(want, 0.1, MPFR_RNDN); /* marked: what the file's double said */
  read_mpfr(got, "0.1", AD_F64);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_set_d(want, (double)0.1f, MPFR_RNDN);
  read_mpfr(got, "0.1", AD_F32);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_set_str(want, "1e-400", 10, MPFR_RNDN); /* beyond double, not beyond MPFR */
  read_mpfr(got, "1e-400", AD_EXACT);
  ck_assert(mpfr_equal_p(got, want));
  mpfr_set_prec(got, 2);
  read_mpfr(got, "0.1", AD_EXACT);
  ck_assert(mpfr_cmp_d(got, 0.09375) == 0);
  mpfr_clears(got, want, (mpfr_ptr)0);
}
END_TEST

/* Points are as exact as constants, and obey the input's dtype. */
START_TEST(points_are_exact) {
  static const ad_dtype dtypes[] = {AD_EXACT, AD_F64, AD_F32};
  for (int k = 0; k < 3; k++) {
    ad_graph *g = graphs_new();
    ad_node x;
    ad_point *p;
    must(ad_graph_input(g, &x, &(ad_input_spec){.name = "x", .shape = SHAPE(2), .dtype = dtypes[k]}, &graphs_error));
    ad_numbers *n = ad_numbers_new();
    must(ad_numbers_push_text(n, "0.1", 3, &graphs_error));
    must(
        ad_numbers_push_text(n, "16777217.0000000001", 19, &graphs_error)); /* a tie of floats but for the last digit */
    must(ad_point_new(&p, g, &graphs_error));
    must(ad_point_set(p, x, n, &graphs_error));
    ad_numbers_clear(n); /* copied */
    ad_program *prog;
    ad_workspace *w;
    must(ad_program_new(&prog, g, NULL, &graphs_error));
    must(ad_workspace_new(&w, prog, ad_backend_find("mpfr"), &(ad_workspace_options){.precision = 200}, &graphs_error));
    must_fail(AD_EINPUT, "'x' has no value", ad_workspace_primal(w, &graphs_error));
    must(ad_workspace_set_point(w, p, &graphs_error));
    must(ad_workspace_primal(w, &graphs_error));
    ad_span s = ad_workspace_value(w, x);
    mpfr_t want[2];
    mpfr_inits2(200, want[0], want[1], (mpfr_ptr)0);
    mpfr_set_str(want[0], "0.1", 10, MPFR_RNDN);
    mpfr_set_str(want[1], "16777217.0000000001", 10, MPFR_RNDN);
    if (dtypes[k] == AD_F64) mpfr_set_d(want[0], 0.1, MPFR_RNDN), mpfr_set_d(want[1], 16777217.0000000001, MPFR_RNDN);
    if (dtypes[k] == AD_F32) mpfr_set_d(want[0], (double)0.1f, MPFR_RNDN), mpfr_set_d(want[1], 16777218, MPFR_RNDN);
    for (int i = 0; i < 2; i++) ck_assert(mpfr_equal_p((const __mpfr_struct *)s.data + i, want[i]));
    mpfr_clears(want[0], want[1], (mpfr_ptr)0);
    ad_workspace_free(w);
    ad_program_free(prog);
    ad_point_free(p);
    ad_numbers_free(n);
    ad_graph_free(g);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("numbers");
  TCase *t = tcase_create("exact numbers");
  tcase_set_timeout(t, 120);
  tcase_add_test(t, grammar);
  tcase_add_test(t, ties_round_to_even);
  tcase_add_test(t, rounding_as_strtod);
  tcase_add_test(t, rationals);
  tcase_add_test(t, huge_exponents_and_long_texts);
  tcase_add_test(t, texts_read_back);
  tcase_add_test(t, constants_are_exact);
  tcase_add_test(t, points_are_exact);
  suite_add_tcase(s, t);
  return suite_run(s);
}
