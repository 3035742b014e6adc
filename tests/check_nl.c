/* The .nl reader on files made here: text and both binary forms give the same graph, every operator its value, and no
 * bytes whatever more than an error. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adtool.h"
#include "nl_bytes.h"
#include "suite.h"
#include "ulps.h"

static ad_error err;

static void ok(ad_status s, const char *what) {
  ck_assert_msg(s == AD_OK, "%s: %lld:%lld (byte %lld): %s", what, (long long)err.line, (long long)err.column,
                (long long)err.offset, err.message);
}

static ad_graph *read_form(nl_form form, const nl_header *h, const char *tokens) {
  ad_buffer b = {0};
  ad_graph *g;
  nl_bytes(&b, form, h, tokens);
  ok(ad_graph_read(&g, b.data, b.size, tokens, NULL, &err), tokens);
  ad_buffer_clear(&b);
  return g;
}

/* The graph, read from all three forms, which must agree. */
static ad_graph *read_all_forms(const nl_header *h, const char *tokens) {
  ad_graph *g = read_form(NL_TEXT, h, tokens);
  char want[65], got[65];
  ok(ad_graph_hash(g, want, &err), tokens);
  for (nl_form form = NL_LITTLE; form <= NL_BIG; form++) {
    ad_graph *other = read_form(form, h, tokens);
    ok(ad_graph_hash(other, got, &err), tokens);
    ck_assert_msg(!strcmp(want, got), "another graph from form %d of %s", form, tokens);
    ad_graph_free(other);
  }
  return g;
}

/* The first output at x. */
static void evaluate(const ad_graph *g, const double *x, size_t n, double *out, size_t count) {
  ad_program *p;
  ad_workspace *w;
  ok(ad_program_new(&p, g, NULL, &err), "program");
  ok(ad_workspace_new(&w, p, ad_backend_find("tape"), NULL, &err), "workspace");
  if (x) ok(ad_workspace_set_input(w, 0, x, n, &err), "input");
  ok(ad_workspace_primal(w, &err), "primal");
  const ad_span v = ad_workspace_value(w, ad_graph_output_node(g, 0));
  ck_assert_uint_eq(v.count, count);
  for (size_t i = 0; i < count; i++) out[i] = ad_span_double(&v, i);
  ad_workspace_free(w);
  ad_program_free(p);
}

/* ---- Operators */

#define LIST_OF_OPERATORS(X)                                                                                  \
  X("o #0 v #0 v #1", x + y)                                                                                  \
  X("o #1 v #0 v #1", x - y)                                                                                  \
  X("o #2 v #0 v #1", x *y)                                                                                   \
  X("o #3 v #0 v #1", x / y)                                                                                  \
  X("o #4 v #0 v #1", fmod(x, y))                                                                             \
  X("o #5 o #15 v #0 v #1", pow(fabs(x), y))                                                                  \
  X("o #5 v #0 n =2", x *x)                                                                                   \
  X("o #5 v #0 s ~3", pow(x, 3))                                                                              \
  X("o #6 v #0 v #1", x > y ? x - y : 0)                                                                      \
  X("o #11 #3 v #0 v #1 n =0.5", fmin(fmin(x, y), 0.5))                                                       \
  X("o #12 #3 v #0 v #1 n =0.5", fmax(fmax(x, y), 0.5))                                                       \
  X("o #11 #2 v #0 v #1", fmin(x, y))                                                                         \
  X("o #12 #1 v #0", x)                                                                                       \
  X("o #13 v #0", floor(x))                                                                                   \
  X("o #14 v #0", ceil(x))                                                                                    \
  X("o #15 v #0", fabs(x))                                                                                    \
  X("o #16 v #0", -x)                                                                                         \
  X("o #35 o #20 o #22 v #0 n =0 o #22 v #1 n =0 n =1 n =2", x < 0 || y < 0 ? 1 : 2)                          \
  X("o #35 o #21 o #22 v #0 n =0 o #22 v #1 n =0 n =1 n =2", x < 0 && y < 0 ? 1 : 2)                          \
  X("o #35 o #34 o #22 v #0 n =0 v #0 v #1", !(x < 0) ? x : y)                                                \
  X("o #35 o #22 v #0 v #1 v #0 v #1", x < y ? x : y)                                                         \
  X("o #35 o #23 v #0 v #1 n =1 n =2", x <= y ? 1 : 2)                                                        \
  X("o #35 o #24 v #0 v #1 n =1 n =2", x == y ? 1 : 2)                                                        \
  X("o #35 o #28 v #0 v #1 n =1 n =2", x >= y ? 1 : 2)                                                        \
  X("o #35 o #29 v #0 v #1 n =1 n =2", x > y ? 1 : 2)                                                         \
  X("o #35 o #30 v #0 v #1 n =1 n =2", x != y ? 1 : 2)                                                        \
  X("o #37 v #0", tanh(x))                                                                                    \
  X("o #38 v #0", tan(x))                                                                                     \
  X("o #39 o #15 v #0", sqrt(fabs(x)))                                                                        \
  X("o #40 v #0", sinh(x))                                                                                    \
  X("o #41 v #0", sin(x))                                                                                     \
  X("o #42 o #15 v #1", log10(fabs(y)))                                                                       \
  X("o #43 o #15 v #1", log(fabs(y)))                                                                         \
  X("o #44 v #0", exp(x))                                                                                     \
  X("o #45 v #0", cosh(x))                                                                                    \
  X("o #46 v #0", cos(x))                                                                                     \
  X("o #47 o #3 v #0 n =8", atanh(x / 8))                                                                     \
  X("o #48 v #0 v #1", atan2(x, y))                                                                           \
  X("o #49 v #0", atan(x))                                                                                    \
  X("o #50 v #0", asinh(x))                                                                                   \
  X("o #51 o #41 v #0", asin(sin(x)))                                                                         \
  X("o #52 o #45 v #0", acosh(cosh(x)))                                                                       \
  X("o #53 o #46 v #0", acos(cos(x)))                                                                         \
  X("o #54 #5 v #0 v #1 n =1 l #70000 v #0", (x + y) + (1 + 70000.0) + x)                                     \
  X("o #54 #0", 0)                                                                                            \
  X("o #55 v #0 v #1", trunc(x / y))                                                                          \
  X("o #56 v #0 n =2", x == 0 ? 0 : round_digits(x, 2))                                                       \
  X("o #57 v #0 n =0", nearbyint(x))                                                                          \
  X("o #57 v #0 n =1", nearbyint(x * 10) / 10)                                                                \
  X("o #58 v #0 n =1", trunc(x * 10) / 10)                                                                    \
  X("o #58 o #2 n =100 v #0 n =-1", trunc(100 * x / 10) * 10)                                                 \
  X("o #59 #3 o #22 v #0 n =0 o #22 v #1 n =0 v #0", (x < 0) + (y < 0) + (x != 0))                            \
  X("o #60 #4 v #0 v #1 n =0.25 v #0", (y == x) + (x == 0.25) + 1)                                            \
  X("o #35 o #62 n =1 o #59 #1 o #22 v #0 n =0 n =1 n =2", x < 0 ? 1 : 2)                                     \
  X("o #35 o #63 n =0 o #59 #1 o #22 v #0 n =0 n =1 n =2", x < 0 ? 2 : 1)                                     \
  X("o #35 o #66 n =1 o #59 #1 o #22 v #0 n =0 n =1 n =2", x < 0 ? 1 : 2)                                     \
  X("o #35 o #67 n =1 o #59 #1 o #22 v #0 n =0 n =1 n =2", x < 0 ? 2 : 1)                                     \
  X("o #35 o #68 n =0 o #59 #1 o #22 v #0 n =0 n =1 n =2", x < 0 ? 1 : 2)                                     \
  X("o #35 o #69 n =1 o #59 #1 o #22 v #0 n =0 n =1 n =2", x < 0 ? 2 : 1)                                     \
  X("o #64 #3 n =-1 n =-0.5 n =2 n =0.75 s ~5 v #0", pieces(x))                                               \
  X("o #64 #2 n =-1 n =0 n =1 v #0", fabs(x))                                                                 \
  X("o #64 #3 n =1 n =0.5 n =3 n =2 n =0 v #0", x < 0.5 ? x : x < 2 ? 0.5 + 3 * (x - 0.5) : 5)                \
  X("o #64 #3 n =1 n =-2 n =3 n =-0.5 n =0.5 v #0", x > -0.5 ? 0.5 * x                                        \
                                                    : x > -2 ? -0.25 + 3 * (x + 0.5)                          \
                                                             : -4.75 + (x + 2))                               \
  X("o #35 o #70 #3 o #22 v #0 n =1 o #22 v #1 n =1 v #0 n =1 n =2", x < 1 && y < 1 && x != 0 ? 1 : 2)        \
  X("o #35 o #71 #2 o #29 v #0 n =1 o #29 v #1 n =1 n =1 n =2", x > 1 || y > 1 ? 1 : 2)                       \
  X("o #35 o #72 o #22 v #0 n =0 o #22 v #1 n =0 o #29 v #1 n =1 n =1 n =2", (x < 0 ? y < 0 : y > 1) ? 1 : 2) \
  X("o #35 o #73 o #22 v #0 n =0 o #22 v #1 n =0 n =1 n =2", (x < 0) == (y < 0) ? 1 : 2)                      \
  X("o #76 o #15 v #0 n =1.5", pow(fabs(x), 1.5))                                                             \
  X("o #77 v #0", x *x)                                                                                       \
  X("o #78 n =2 v #0", exp2(x))

static double round_digits(double x, int digits) {
  char text[64];
  snprintf(text, sizeof text, "%.*e", digits - 1, x);
  return strtod(text, NULL);
}

/* Slopes -1, 2 and 5 with breakpoints -0.5 and 0.75. */
static double pieces(double x) {
  return x < -0.5 ? -1 - (x + 0.5) : x < 0.75 ? 2 * x : 1.5 + 5 * (x - 0.75);
}

static const double points[6][2] = {{0.25, 1.5}, {-1.75, 0.5}, {2.5, -0.75}, {-0.3, -0.3}, {3, 0.1}, {0.7, 3.7}};
enum { POINTS = 6 };

static double expected(size_t row, double x, double y) {
  size_t at = 0;
#define X(tokens, value) \
  if (row == at++) return value;
  LIST_OF_OPERATORS(X)
#undef X
  return NAN;
}

#define X(tokens, value) tokens,
static const char *const operators[] = {LIST_OF_OPERATORS(X)};
#undef X
enum { OPERATORS = sizeof operators / sizeof operators[0] };

START_TEST(operators_have_their_values) {
  char tokens[300];
  snprintf(tokens, sizeof tokens, "O #0 #0 %s x #2 #0 =0.3 #1 =-1.25 b '3 '3", operators[_i]);
  ad_graph *g = read_all_forms(&(nl_header){2, 0, 1, 2, 0, 0}, tokens);
  for (int k = 0; k < POINTS; k++) {
    double got;
    evaluate(g, points[k], 2, &got, 1);
    const double want = expected((size_t)_i, points[k][0], points[k][1]);
    ck_assert_msg(fabs(got - want) <= 4 * DBL_EPSILON * fabs(want), "%s at %g, %g is %.17g, not %.17g", operators[_i],
                  points[k][0], points[k][1], got, want);
  }
  ad_check_report r;
  ok(ad_check(&r, g, NULL, NULL, &err), tokens);
  ck_assert_msg(r.verdict != AD_VERDICT_FAIL, "%s: %s", operators[_i], r.reason);
  ad_check_clear(&r);
  ad_graph_free(g);
}
END_TEST

/* ---- Segments */

static const nl_header small = {3, 2, 2, 2, 5, 2};
static const char model[] =
    "S #0 #2 $priority #0 #5 #2 #-7 "
    "S #5 #1 $scale #1 =0.125 "
    "V #3 #2 #0 #0 =2 #2 =-1 o #5 v #1 n =2 " /* v3 = 2 x0 - x2 + x1^2 */
    "C #0 o #41 v #3 "                        /* sin(v3) - 3 x2 */
    "V #4 #1 #2 #3 =3 n =1 "                  /* v4 = 3 v3 + 1 */
    "C #1 n =0.1 "                            /* 0.1 + x0 + 4 x2 */
    "O #0 #1 o #2 v #3 v #4 "                 /* v3 v4 + x2 */
    "O #1 #0 n =0 "                           /* 0.3 x0 - x1 */
    "d #1 #1 =2.5 "
    "x #1 #1 =0.3 "
    "r '0 =-1 =1 '5 #1 #3 "
    "b '0 =2 =4 '3 '1 =-6 "
    "k #2 #1 #1 "
    "J #0 #3 #0 =0 #1 =0 #2 =-3 "
    "J #1 #2 #0 =1 #2 =4 "
    "G #0 #1 #2 =1 "
    "G #1 #2 #0 =0.3 #1 =-1";

static const char *meta(const ad_graph *g, const char *key) {
  for (size_t i = 0; i < ad_graph_meta_count(g); i++)
    if (!strcmp(ad_graph_meta_key(g, i), key)) return ad_graph_meta_text(g, i);
  return "none";
}

START_TEST(segments_make_a_graph) {
  ad_graph *g = read_all_forms(&small, model);
  ck_assert_str_eq(ad_graph_name(g), "small");
  const double x[3] = {0.5, -1.25, 0.75}, v3 = 2 * x[0] - x[2] + x[1] * x[1];
  double got[2];
  evaluate(g, x, 3, got, 1);
  ck_assert_double_eq(got[0], v3 * (3 * v3 + 1) + x[2]);
  ck_assert_str_eq(ad_graph_output_name(g, 0), "obj0");
  ck_assert_str_eq(ad_graph_output_name(g, 1), "obj1");
  ck_assert_str_eq(ad_graph_output_name(g, 2), "con");
  ck_assert_str_eq(meta(g, "nl.sense"), "maximize minimize");
  ck_assert_str_eq(meta(g, "nl.suffix.x.priority"), "0:5 2:-7");
  ck_assert_str_eq(meta(g, "nl.suffix.con.scale"), "1:0.125");
  ck_assert_str_eq(meta(g, "nl.dual"), "1:2.5");
  ck_assert_str_eq(meta(g, "nl.bounds.x"), "2:4 -inf:inf -inf:-6");
  ck_assert_str_eq(meta(g, "nl.bounds.con"), "-1:1 complements:1:3");
  /* The point: 0 moved into the bounds where x does not speak. */
  const ad_values v = ad_graph_node_values(g, 0);
  ck_assert_double_eq(v.value[0], 2);
  ck_assert_double_eq(v.value[1], 0.3);
  ck_assert_double_eq(v.value[2], -6);
  ck_assert_int_eq(ad_graph_node_dtype(g, 0), AD_F64);
  ad_graph_free(g);
}
END_TEST

/* The constraints and their derivatives, which the linear parts belong to. */
START_TEST(linear_parts_count) {
  ad_graph *g = read_all_forms(&small, model);
  ad_program *p;
  ad_workspace *w;
  const ad_node con = ad_graph_output_node(g, ad_graph_find_output(g, "con"));
  const double x[3] = {0.5, -1.25, 0.75}, v3 = 2 * x[0] - x[2] + x[1] * x[1], c = cos(v3);
  const double jacobian[2][3] = {{2 * c, 2 * x[1] * c, -c - 3}, {1, 0, 4}};
  const double values[2] = {sin(v3) - 3 * x[2], 0.1 + x[0] + 4 * x[2]};
  ok(ad_program_new(&p, g, NULL, &err), "program");
  ok(ad_workspace_new(&w, p, ad_backend_find("tape"), &(ad_workspace_options){.reverse = true}, &err), "workspace");
  ok(ad_workspace_set_input(w, 0, x, 3, &err), "input");
  ok(ad_workspace_primal(w, &err), "primal");
  const ad_span v = ad_workspace_value(w, con);
  for (size_t i = 0; i < 2; i++) {
    ck_assert_double_eq_tol(ad_span_double(&v, i), values[i], 2 * DBL_EPSILON);
    ok(ad_workspace_run_gradient(
           w, &(ad_gradient_request){.output = con, .seed_count = 1, .element = &i, .mode = AD_MODE_REVERSE}, &err),
       "gradient");
    const ad_span d = ad_workspace_gradient(w, 0);
    for (size_t j = 0; j < 3; j++) ck_assert_double_eq_tol(ad_span_double(&d, j), jacobian[i][j], 4 * DBL_EPSILON);
  }
  ad_workspace_free(w);
  ad_program_free(p);
  ad_graph_free(g);
}
END_TEST

/* A million levels of unary minus, and a sum as deep: memory, but no stack. */
START_TEST(depth_takes_no_stack) {
  enum { DEPTH = 1000000 };
  ad_buffer b = {0};
  ad_graph *g;
  nl_bytes(&b, NL_TEXT, &(nl_header){1, 0, 1, 1, 0, 0}, "O #0 #0");
  for (int i = 0; i < DEPTH; i++) ad_buffer_puts(&b, "o16\n");
  ad_buffer_puts(&b, "v0\nb\n3\n");
  ok(ad_graph_read(&g, b.data, b.size, "deep", NULL, &err), "deep");
  ck_assert_uint_gt(ad_graph_node_count(g), DEPTH);
  double got;
  evaluate(g, &(double){1.5}, 1, &got, 1);
  ck_assert_double_eq(got, 1.5);
  ad_graph_free(g);
  ad_buffer_clear(&b);
}
END_TEST

START_TEST(names_beside_the_file) {
  char folder[] = "/tmp/check_nl.XXXXXX", path[64];
  ck_assert_ptr_nonnull(mkdtemp(folder));
  const char *const files[][2] = {{"m.col", "width\nheight\r\ndepth\n"}, {"m.row", "area\nvolume\ncost\nprofit\n"}};
  ad_buffer b = {0};
  nl_bytes(&b, NL_TEXT, &small, model);
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, i < 2 ? files[i][0] : "m.nl");
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fputs(i < 2 ? files[i][1] : b.data, f);
    ck_assert_int_eq(fclose(f), 0);
  }
  ad_graph *g;
  ok(ad_graph_load(&g, path, NULL, &err), path);
  ck_assert_str_eq(meta(g, "nl.names.x"), "width\nheight\ndepth");
  ck_assert_str_eq(meta(g, "nl.names.con"), "area\nvolume");
  ck_assert_str_eq(meta(g, "nl.names.obj"), "cost\nprofit");
  ad_graph_free(g);
  ad_buffer_clear(&b);
  const char *const all[] = {"m.nl", "m.col", "m.row"};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, all[i]);
    unlink(path);
  }
  rmdir(folder);
}
END_TEST

/* Text numbers are the nearest doubles, however they are written. */
START_TEST(numbers_are_nearest) {
  ulps_random random = {ulps_seed()};
  for (int i = 0; i < 20000; i++) {
    double v;
    const uint64_t bits = ulps_random_bits(&random);
    memcpy(&v, &bits, sizeof v);
    if (i % 2) v = ulps_random_log(&random, 1e-20, 1e20);
    if (!isfinite(v)) continue;
    char tokens[80];
    snprintf(tokens, sizeof tokens, "O #0 #0 n =%.*g", i % 3 ? 16 : 12 + i % 10, v);
    ad_graph *g = read_form(NL_TEXT, &(nl_header){0, 0, 1, 0, 0, 0}, tokens);
    double got;
    evaluate(g, NULL, 0, &got, 1);
    ck_assert_msg(got == strtod(strchr(tokens, '=') + 1, NULL), "ADTOOL_TEST_SEED=%llu: %s is %.17g",
                  (unsigned long long)ulps_seed(), tokens, got);
    ad_graph_free(g);
  }
}
END_TEST

/* ---- Wrong bytes */

/* Whatever comes back, it is a graph that runs or an error with a place. */
static void survive(const void *bytes, size_t size, bool binary, const char *what) {
  ad_graph *g;
  const ad_limits limits = {.max_elements = 1 << 20};
  ad_status s = ad_graph_read(&g, bytes, size, "damaged", &limits, &err);
  if (s) {
    if (strstr(err.message, "no graph in any format")) return;
    ck_assert_msg(s == AD_EINPUT || s == AD_ELIMIT, "%s: status %d", what, s);
    ck_assert_msg(s != AD_EINPUT || err.line > 0 || (binary && err.offset >= 0), "%s: '%s' has no place", what,
                  err.message);
    return;
  }
  ad_program *p;
  if (!ad_program_new(&p, g, NULL, &err)) ad_program_free(p);
  ad_graph_free(g);
}

START_TEST(truncations_are_refused_or_read) {
  for (nl_form form = NL_TEXT; form <= NL_BIG; form++) {
    ad_buffer b = {0};
    nl_bytes(&b, form, &small, model);
    for (size_t n = 0; n < b.size; n++) {
      char *copy = malloc(n ? n : 1); /* so that a sanitizer sees each byte too far */
      ck_assert_ptr_nonnull(copy);
      memcpy(copy, b.data, n);
      survive(copy, n, form != NL_TEXT, "truncated");
      free(copy);
    }
    ad_buffer_clear(&b);
  }
}
END_TEST

START_TEST(damage_is_survived) {
  const uint64_t seed = ulps_seed();
  ulps_random random = {seed};
  char what[80];
  for (int i = 0; i < 20000 * ulps_multiplier(); i++) {
    const nl_form form = (nl_form)(i % 3);
    ad_buffer b = {0};
    nl_bytes(&b, form, &small,
             i % 2 ? model : "O #0 #0 o #64 #2 n =1 n =0 n =2 o #54 #3 v #0 n =0.1 o #11 #2 v #1 s ~3");
    const size_t changes = 1 + ulps_random_bits(&random) % 4;
    for (size_t k = 0; k < changes; k++) {
      const size_t at = ulps_random_bits(&random) % b.size;
      const uint64_t kind = ulps_random_bits(&random) % 3;
      if (kind == 0) b.data[at] = (char)ulps_random_bits(&random);
      if (kind == 1) b.data[at] = "0123456789-.eovnCVJGx#\n "[ulps_random_bits(&random) % 24];
      if (kind == 2) memmove(b.data + at, b.data + at + 1, --b.size - at);
    }
    snprintf(what, sizeof what, "ADTOOL_TEST_SEED=%llu, file %d", (unsigned long long)seed, i);
    survive(b.data, b.size, form != NL_TEXT, what);
    ad_buffer_clear(&b);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("nl");
  TCase *c = tcase_create("operators");
  tcase_add_loop_test(c, operators_have_their_values, 0, OPERATORS);
  suite_add_tcase(s, c);
  c = tcase_create("files");
  tcase_add_test(c, segments_make_a_graph);
  tcase_add_test(c, linear_parts_count);
  tcase_add_test(c, depth_takes_no_stack);
  tcase_add_test(c, names_beside_the_file);
  tcase_add_test(c, numbers_are_nearest);
  tcase_add_test(c, truncations_are_refused_or_read);
  tcase_add_test(c, damage_is_survived);
  tcase_set_timeout(c, 120);
  suite_add_tcase(s, c);
  return suite_run(s);
}
