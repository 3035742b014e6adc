/* The engine in balls: every operation's value and partials enclose those of MPFR at four times the precision, at
 * points everywhere and all over balls; two precisions overlap; differences meet the slopes between (mean value
 * theorem); whole graphs likewise.  ADTOOL_TEST_SEED and ADTOOL_TEST_MULTIPLIER as in ulps.h. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/ball.h"
#include "graphs.h"
#include "op_points.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

enum { BITS = 80, TIMES = 4, ARGS = 3, BOXES = 60, INSIDE = 4 };

static size_t used[256];

static const ad_backend *backend_of(bool balls) {
  return balls ? &ad_backend_ball : ad_backend_find("mpfr");
}

static graphs_run start(const ad_graph *g, bool balls, uint32_t bits, uint32_t directions) {
  graphs_run r;
  must(ad_program_new(&r.p, g, NULL, &graphs_error));
  ad_workspace_options o = {.precision = bits, .directions = directions, .reverse = true};
  must(ad_workspace_new(&r.w, r.p, backend_of(balls), &o, &graphs_error));
  must(ad_workspace_primal(r.w, &graphs_error));
  return r;
}

/* ---- One number */

/* x as a ball with the error that MPFR's own rounding may have, at `bits`. */
static void ball_of(arb_t r, mpfr_srcptr x, uint32_t bits) {
  arf_set_mpfr(arb_midref(r), x);
  mag_zero(arb_radref(r));
  if (mpfr_regular_p(x)) arb_add_error_2exp_si(r, mpfr_get_exp(x) - (slong)bits + 12);
  arb_add_error_2exp_si(r, mpfr_get_emin());
}

static void expect_inside(const char *what, ad_span balls, ad_span mpfr, size_t i, uint32_t bits, const char *where) {
  mpfr_srcptr x = (const __mpfr_struct *)mpfr.data + i;
  arb_srcptr b = ad_ball_at(&balls, i);
  bool fine;
  if (mpfr_nan_p(x)) {
    fine = !arb_is_finite(b);
  } else if (mpfr_inf_p(x)) { /* MPFR overflows where balls do not */
    fine = !arb_is_finite(b) || arf_cmpabs_2exp_si(arb_midref(b), mpfr_get_emax() / 2) > 0;
  } else {
    arb_t exact;
    arb_init(exact);
    ball_of(exact, x, bits);
    fine = arb_overlaps(b, exact) != 0;
    arb_clear(exact);
  }
  if (fine) return;
  char text[1024], *ball = arb_get_str(b, 40, 0);
  mpfr_snprintf(text, sizeof text, "%s is %.40Rg, outside %s, at %s", what, x, ball, where);
  flint_free(ball);
  ck_abort_msg("%s", text);
}

/* A derivative that is nan in MPFR says nothing: the value is, or a zero met an infinity. */
static void expect_derivative_inside(const char *what, ad_span balls, ad_span mpfr, size_t i, uint32_t bits,
                                     const char *where) {
  if (!mpfr_nan_p((const __mpfr_struct *)mpfr.data + i)) expect_inside(what, balls, mpfr, i, bits, where);
}

static void expect_overlap(const char *what, ad_span a, ad_span b, size_t i, const char *where) {
  if (arb_overlaps(ad_ball_at(&a, i), ad_ball_at(&b, i))) return;
  char *x = arb_get_str(ad_ball_at(&a, i), 40, 0), *y = arb_get_str(ad_ball_at(&b, i), 40, 0);
  ck_abort_msg("%s: %s and %s don't meet, at %s", what, x, y, where);
}

/* ---- Operations */

typedef struct subject {
  const ad_op_info *info;
  const char *name;
  const double *exponent; /* NULL: the row itself; else the integer of a lowered power */
  size_t nargs;
} subject;

static subject subject_of(int i) {
  static const double exponents[] = {3, -2};
  const ad_op_info *info = ad_op_get((ad_op)i);
  if (info->cls == AD_CLASS_LOWERED) return (subject){ad_op_get(ad_op_find("sqr")), "pow", &exponents[i % 2], 1};
  return (subject){info, info->name, NULL, (size_t)info->max_args};
}

static ad_graph *graph_of(subject t, double *const *arg, size_t count, ad_node *z) {
  static const char *const names[] = {"x", "y", "w"};
  ad_graph *g = graphs_new();
  ad_node args[ARGS];
  for (size_t k = 0; k < t.nargs; k++)
    args[k] = graphs_input(g, names[k], count ? SHAPE((int64_t)count) : SCALAR, arg[k], count ? count : 1);
  *z = t.exponent ? graphs_binary(g, "pow", args[0], graphs_constant(g, *t.exponent))
                  : graphs_apply(g, t.name, t.nargs, args, 0, NULL);
  must(ad_graph_output(g, "z", *z, &graphs_error));
  return g;
}

/* All partials by both modes; argument k is direction k. */
static void differentiate(ad_workspace *w, ad_node z, size_t nargs, size_t elements) {
  ad_workspace_clear_seeds(w);
  for (size_t i = 0; i < elements; i++) {
    for (uint32_t k = 0; k < nargs; k++) must(ad_workspace_seed_tangent(w, k, k, i, 1, &graphs_error));
    must(ad_workspace_seed_adjoint(w, z, i, 1, &graphs_error));
  }
  must(ad_workspace_forward(w, &graphs_error));
  must(ad_workspace_reverse(w, &graphs_error));
}

static void check_points(subject t, op_points *p) {
  ad_node z;
  ad_graph *g = graph_of(t, p->arg, p->count, &z);
  graphs_run low = start(g, true, BITS, ARGS), high = start(g, true, 2 * BITS, ARGS);
  graphs_run exact = start(g, false, TIMES * BITS, ARGS);
  differentiate(low.w, z, t.nargs, p->count);
  differentiate(high.w, z, t.nargs, p->count);
  differentiate(exact.w, z, t.nargs, p->count);
  for (size_t i = 0; i < p->count; i++) {
    char where[200], what[64];
    snprintf(where, sizeof where, "%a, %a, %a", p->arg[0][i], t.nargs > 1 ? p->arg[1][i] : 0,
             t.nargs > 2 ? p->arg[2][i] : 0);
    expect_inside(t.name, ad_workspace_value(low.w, z), ad_workspace_value(exact.w, z), i, TIMES * BITS, where);
    expect_overlap(t.name, ad_workspace_value(low.w, z), ad_workspace_value(high.w, z), i, where);
    for (uint32_t k = 0; k < t.nargs; k++) {
      snprintf(what, sizeof what, "partial %u of %s", k, t.name);
      expect_derivative_inside(what, ad_workspace_tangent(low.w, k, z), ad_workspace_tangent(exact.w, k, z), i,
                               TIMES * BITS, where);
      expect_derivative_inside(what, ad_workspace_adjoint(low.w, k), ad_workspace_adjoint(exact.w, k), i, TIMES * BITS,
                               where);
      expect_overlap(what, ad_workspace_adjoint(low.w, k), ad_workspace_adjoint(high.w, k), i, where);
      expect_overlap(what, ad_workspace_adjoint(low.w, k), ad_workspace_tangent(high.w, k, z), i, where);
    }
  }
  graphs_end(&low);
  graphs_end(&high);
  graphs_end(&exact);
  ad_graph_free(g);
}

START_TEST(points_everywhere) {
  if (ad_op_get((ad_op)_i)->cls == AD_CLASS_LEAF || ad_op_get((ad_op)_i)->cls == AD_CLASS_STRUCTURED) return;
  const subject t = subject_of(_i);
  op_points p = op_points_everywhere(t.info);
  if (p.count > 6000) { /* the edge values of three arguments are many: every so many */
    const size_t step = p.count / 6000 + 1;
    size_t n = 0;
    for (size_t i = 0; i < p.count; i += step, n++)
      for (size_t k = 0; k < p.nargs; k++) p.arg[k][n] = p.arg[k][i];
    p.count = n;
  }
  check_points(t, &p);
  op_points_free(&p);
}
END_TEST

START_TEST(special_points) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls != AD_CLASS_ELEMENT || info->max_args > 2) return;
  op_points p = op_points_special(info);
  check_points(subject_of(_i), &p);
  op_points_free(&p);
}
END_TEST

/* ---- Boxes */

typedef struct box {
  double mid[ARGS], radius[ARGS];
} box;

static box random_box(subject t, const op_points *p, size_t i, ulps_random *random) {
  box b = {{0}, {0}};
  for (size_t k = 0; k < t.nargs; k++) {
    b.mid[k] = p->arg[k][i];
    const uint64_t choice = ulps_random_bits(random) % 8;
    const bool order = !strcmp(t.name, "polygamma") && k == 0;
    if (choice == 0 && !order) b.mid[k] = (double)((int)(ulps_random_bits(random) % 7) - 3);
    if (choice == 1 || order) continue;
    b.radius[k] = ulps_random_log(random, 0x1p-60, choice == 2 ? 8 : 0x1p-2) * (b.mid[k] != 0 ? fabs(b.mid[k]) : 1);
  }
  return b;
}

static void put_ball(ad_workspace *w, ad_node input, double mid, double radius) {
  arb_t x;
  arb_init(x);
  arb_set_d(x, mid);
  mag_set_d(arb_radref(x), radius);
  ad_ball_store(ad_workspace_input_data(w, input), x, w->options.precision);
  arb_clear(x);
}

/* Moves the inputs to a point of the box; argument `at` to its end on that side where sides are given. */
static void put_point(ad_workspace *w, const box *b, size_t nargs, ulps_random *random) {
  for (ad_node k = 0; k < nargs; k++) {
    __mpfr_struct *x = ad_workspace_input_data(w, k);
    const double share = ulps_random_bits(random) % 3 ? ulps_random_uniform(random, -1, 1)
                                                      : (double)((int)(ulps_random_bits(random) % 3) - 1);
    mpfr_set_d(x, b->radius[k], MPFR_RNDN);
    mpfr_mul_d(x, x, share, MPFR_RNDN);
    mpfr_add_d(x, x, b->mid[k], MPFR_RNDN);
  }
}

/* (f(x + h) - f(x - h)) / 2 h along argument k, at the middle of the others; false: a condition was undecided. */
static bool difference(arb_t d, ad_workspace *w, ad_node z, const box *b, size_t nargs, size_t k) {
  arb_t side, x;
  arb_init(side);
  arb_init(x);
  bool fine = true;
  for (int s = 1; s >= -1; s -= 2) {
    for (size_t j = 0; j < nargs; j++) put_ball(w, (ad_node)j, b->mid[j], 0);
    arb_set_d(x, s * b->radius[k]);
    arb_set_d(side, b->mid[k]);
    arb_add(x, x, side, 600);
    ad_ball_store(ad_workspace_input_data(w, (ad_node)k), x, w->options.precision);
    must(ad_workspace_primal(w, &graphs_error));
    fine = fine && !ad_ball_undecided(w);
    ad_span v = ad_workspace_value(w, z);
    if (s > 0)
      arb_set(d, ad_ball_at(&v, 0));
    else
      arb_sub(d, d, ad_ball_at(&v, 0), 600);
  }
  arb_set_d(x, 2 * b->radius[k]);
  arb_div(d, d, x, 600);
  arb_clear(side);
  arb_clear(x);
  return fine && arb_is_finite(d);
}

/* The slopes along argument k over the segment meet the difference. */
static size_t check_mean_value(subject t, ad_workspace *balls, ad_workspace *wide, ad_node z, const box *b, size_t k,
                               const char *where) {
  if (!b->radius[k]) return 0;
  for (size_t j = 0; j < t.nargs; j++) put_ball(balls, (ad_node)j, b->mid[j], j == k ? b->radius[k] : 0);
  must(ad_workspace_primal(balls, &graphs_error));
  if (ad_ball_undecided(balls)) return 0;
  differentiate(balls, z, t.nargs, 1);
  ad_span slope = ad_workspace_adjoint(balls, (ad_node)k);
  arb_t d;
  arb_init(d);
  size_t done = 0;
  if (difference(d, wide, z, b, t.nargs, k)) {
    if (!arb_overlaps(d, ad_ball_at(&slope, 0))) {
      char *x = arb_get_str(d, 30, 0), *y = arb_get_str(ad_ball_at(&slope, 0), 30, 0);
      ck_abort_msg("%s by argument %zu: difference %s, slopes %s, at %s", t.name, k, x, y, where);
    }
    done = arb_is_finite(ad_ball_at(&slope, 0)) != 0;
  }
  arb_clear(d);
  return done;
}

START_TEST(boxes) {
  const ad_op_info *info = ad_op_get((ad_op)_i);
  if (info->cls == AD_CLASS_LEAF || info->cls == AD_CLASS_STRUCTURED) return;
  const subject t = subject_of(_i);
  ulps_random random = {ulps_seed() + (uint64_t)_i};
  op_points p = op_points_ordinary(t.info, (size_t)(BOXES * ulps_multiplier()));
  ad_node z;
  ad_graph *g = graph_of(t, p.arg, 0, &z);
  graphs_run balls = start(g, true, BITS, ARGS), wide = start(g, true, 600, 0);
  graphs_run exact = start(g, false, TIMES * BITS, ARGS);
  size_t means = 0;
  for (size_t i = 0; i < p.count; i++) {
    const box b = random_box(t, &p, i, &random);
    char where[200], what[64];
    snprintf(where, sizeof where, "%a +- %a, %a +- %a, %a +- %a, seed %llu", b.mid[0], b.radius[0], b.mid[1],
             b.radius[1], b.mid[2], b.radius[2], (unsigned long long)ulps_seed());
    for (size_t k = 0; k < t.nargs; k++) put_ball(balls.w, (ad_node)k, b.mid[k], b.radius[k]);
    must(ad_workspace_primal(balls.w, &graphs_error));
    differentiate(balls.w, z, t.nargs, 1);
    for (int n = 0; n < INSIDE; n++) {
      put_point(exact.w, &b, t.nargs, &random);
      must(ad_workspace_primal(exact.w, &graphs_error));
      differentiate(exact.w, z, t.nargs, 1);
      expect_inside(t.name, ad_workspace_value(balls.w, z), ad_workspace_value(exact.w, z), 0, TIMES * BITS, where);
      for (uint32_t k = 0; k < t.nargs; k++) {
        snprintf(what, sizeof what, "partial %u of %s", k, t.name);
        expect_derivative_inside(what, ad_workspace_adjoint(balls.w, k), ad_workspace_adjoint(exact.w, k), 0,
                                 TIMES * BITS, where);
        expect_derivative_inside(what, ad_workspace_tangent(balls.w, k, z), ad_workspace_tangent(exact.w, k, z), 0,
                                 TIMES * BITS, where);
      }
    }
    for (size_t k = 0; k < t.nargs; k++) means += check_mean_value(t, balls.w, wide.w, z, &b, k, where);
  }
  ck_assert_msg(means > 0, "%s: no box said anything", t.name);
  graphs_end(&balls);
  graphs_end(&wide);
  graphs_end(&exact);
  ad_graph_free(g);
  op_points_free(&p);
}
END_TEST

/* ---- Graphs */

static void check_graph(uint64_t seed, bool tensors) {
  random_graph r = random_graph_new(seed, 40, tensors, used);
  const ad_node f = ad_graph_output_node(r.g, 0), inputs = (ad_node)ad_graph_input_count(r.g);
  graphs_run balls = start(r.g, true, 3 * BITS, 1), exact = start(r.g, false, 4 * TIMES * BITS, 1);
  graphs_run *both[2] = {&balls, &exact};
  char where[64];
  snprintf(where, sizeof where, "graph %llu", (unsigned long long)seed);
  for (int k = 0; k < 2; k++) {
    ad_workspace_clear_seeds(both[k]->w);
    must(ad_workspace_seed_adjoint(both[k]->w, f, 0, 1, &graphs_error));
    must(ad_workspace_reverse(both[k]->w, &graphs_error));
  }
  size_t finite = 0, all = 0;
  for (ad_node n = 0; n < ad_graph_node_count(r.g); n++) {
    ad_span v = ad_workspace_value(balls.w, n), x = ad_workspace_value(exact.w, n);
    for (size_t i = 0; i < v.count; i++) expect_inside("a value", v, x, i, 3 * TIMES * BITS, where);
  }
  for (ad_node n = 0; n < inputs; n++) {
    ad_span v = ad_workspace_adjoint(balls.w, n), x = ad_workspace_adjoint(exact.w, n);
    for (size_t i = 0; i < v.count; i++) {
      expect_derivative_inside("an adjoint", v, x, i, 3 * TIMES * BITS, where);
      finite += arb_is_finite(ad_ball_at(&v, i)) != 0;
      all++;
      arb_t reverse;
      arb_init(reverse);
      arb_set(reverse, ad_ball_at(&v, i));
      ad_workspace_clear_seeds(balls.w);
      must(ad_workspace_seed_tangent(balls.w, 0, n, i, 1, &graphs_error));
      must(ad_workspace_forward(balls.w, &graphs_error));
      ad_span t = ad_workspace_tangent(balls.w, 0, f);
      ad_workspace_clear_seeds(balls.w);
      must(ad_workspace_seed_adjoint(balls.w, f, 0, 1, &graphs_error));
      must(ad_workspace_reverse(balls.w, &graphs_error));
      ck_assert_msg(arb_overlaps(reverse, ad_ball_at(&t, 0)), "forward and reverse don't meet, %s", where);
      arb_clear(reverse);
    }
  }
  ck_assert_msg(finite == all, "%zu of %zu adjoints are enclosed, %s", finite, all, where);
  graphs_end(&balls);
  graphs_end(&exact);
  random_graph_free(&r);
}

START_TEST(graphs) {
  check_graph(ulps_seed() + (uint64_t)_i, _i % 2);
}
END_TEST

/* ---- What balls can't decide, and exponents without end */

START_TEST(undecided_conditions) {
  ad_graph *g = graphs_new();
  ad_node x = graphs_input(g, "x", SCALAR, (double[]){2}, 1), z = graphs_unary(g, "floor", x);
  must(ad_graph_output(g, "z", z, &graphs_error));
  graphs_run r = start(g, true, BITS, 0);
  ck_assert(!ad_ball_undecided(r.w));
  put_ball(r.w, x, 2, 0x1p-30);
  must(ad_workspace_primal(r.w, &graphs_error));
  ck_assert(ad_ball_undecided(r.w));
  put_ball(r.w, x, 2.5, 0x1p-30);
  must(ad_workspace_primal(r.w, &graphs_error));
  ck_assert(!ad_ball_undecided(r.w));
  ad_span v = ad_workspace_value(r.w, z);
  ck_assert(arb_equal_si(ad_ball_at(&v, 0), 2));
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

/* Inputs are what their texts say, not what they round to. */
START_TEST(exact_inputs) {
  ad_graph *g = graphs_new();
  ad_node x = graphs_input_text(g, "x", "1/3"), y = graphs_unary(g, "exp", x);
  must(ad_graph_output(g, "y", y, &graphs_error));
  graphs_run r = start(g, true, BITS, 0);
  ad_span v = ad_workspace_value(r.w, x);
  arb_t third;
  arb_init(third);
  arb_set_ui(third, 1);
  arb_div_ui(third, third, 3, 1000);
  ck_assert(arb_contains(ad_ball_at(&v, 0), third));
  ck_assert(arb_rel_accuracy_bits(ad_ball_at(&v, 0)) >= BITS - 2);
  arb_clear(third);
  graphs_end(&r);
  ad_graph_free(g);
}
END_TEST

START_TEST(exponents_without_end) {
  static const double starts[] = {3, 0.3};
  for (int k = 0; k < 2; k++) {
    ad_graph *g = graphs_new();
    ad_node x = graphs_input(g, "x", SCALAR, &starts[k], 1), z = x;
    for (int i = 0; i < 2000; i++) z = graphs_unary(g, "sqr", z);
    must(ad_graph_output(g, "z", z, &graphs_error));
    graphs_run r = start(g, true, BITS, 0);
    ad_span v = ad_workspace_value(r.w, z);
    ck_assert(k ? arb_contains_zero(ad_ball_at(&v, 0)) && arb_is_finite(ad_ball_at(&v, 0))
                : !arb_is_finite(ad_ball_at(&v, 0)));
    graphs_end(&r);
    ad_graph_free(g);
  }
}
END_TEST

int main(void) {
  printf("seed %llu\n", (unsigned long long)ulps_seed());
  Suite *s = suite_create("ball");
  TCase *c = tcase_create("balls");
  tcase_set_timeout(c, 300);
  tcase_add_loop_test(c, points_everywhere, 0, (int)ad_op_count());
  tcase_add_loop_test(c, special_points, 0, (int)ad_op_count());
  tcase_add_loop_test(c, boxes, 0, (int)ad_op_count());
  tcase_add_loop_test(c, graphs, 0, (int)(20 * ulps_multiplier()));
  tcase_add_test(c, undecided_conditions);
  tcase_add_test(c, exact_inputs);
  tcase_add_test(c, exponents_without_end);
  suite_add_tcase(s, c);
  return suite_run(s);
}
