/* What the engine in double does to be fast changes no result: scalars side by side, blocks of points, tails of
 * vectors, partials kept or computed. */
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "random_graph.h"
#include "suite.h"
#include "ulps.h"

static bool same_bits(double a, double b) {
  return !memcmp(&a, &b, sizeof a) || (isnan(a) && isnan(b));
}

static double at(ad_span s, size_t i) {
  ck_assert_uint_gt(s.count, i);
  return ad_span_double(&s, i);
}

static size_t elementwise_args(ad_op op) {
  const ad_op_info *info = ad_op_get(op);
  return info->cls == AD_CLASS_ELEMENT ? (size_t)info->max_args : 0;
}

/* ---- Scalars of one operation are a tensor's elements */

enum { COUNT = 37 };

/* Where scalar j finds argument k. */
static size_t source(int pattern, size_t k, size_t j) {
  switch ((pattern + (int)k) % 3) {
    case 0:
      return j; /* side by side */
    case 1:
      return (j * 11 + 5) % COUNT; /* scattered, each once */
    default:
      return 3; /* one for all */
  }
}

static void compare_with_tensor(ad_op op, int pattern, double low, double high) {
  const size_t nargs = elementwise_args(op);
  double value[3][COUNT], weight[COUNT];
  ulps_random random = {ulps_seed() + op};
  for (size_t k = 0; k < 3; k++)
    for (size_t j = 0; j < COUNT; j++) value[k][j] = ulps_random_uniform(&random, low, high);
  for (size_t j = 0; j < COUNT; j++) weight[j] = j % 5 ? ulps_random_uniform(&random, -2, 2) : 0;

  ad_graph *scalars = graphs_new(), *tensors = graphs_new();
  ad_node x[3][COUNT], z[COUNT], t[3];
  for (size_t k = 0; k < nargs; k++) {
    double moved[COUNT];
    for (size_t j = 0; j < COUNT; j++) {
      char name[32];
      snprintf(name, sizeof name, "x%zu_%zu", k, j);
      x[k][j] = graphs_input(scalars, name, SCALAR, &value[k][j], 1);
      moved[j] = value[k][source(pattern, k, j)];
    }
    char name[32];
    snprintf(name, sizeof name, "t%zu", k);
    t[k] = graphs_input(tensors, name, SHAPE(COUNT), moved, COUNT);
  }
  const char *name = ad_op_get(op)->name;
  for (size_t j = 0; j < COUNT; j++) {
    ad_node args[3];
    for (size_t k = 0; k < nargs; k++) args[k] = x[k][source(pattern, k, j)];
    z[j] = graphs_apply(scalars, name, nargs, args, 0, NULL);
  }
  must(ad_graph_output(scalars, "z", graphs_apply(scalars, "stack", COUNT, z, 0, NULL), &graphs_error));
  must(ad_graph_output(tensors, "z", graphs_apply(tensors, name, nargs, t, 0, NULL), &graphs_error));

  const ad_workspace_options options = {.reverse = true};
  graphs_run s = graphs_start(scalars, "tape", options), u = graphs_start(tensors, "tape", options);
  const ad_node sz = ad_graph_output_node(scalars, 0), uz = ad_graph_output_node(tensors, 0);
  for (size_t j = 0; j < COUNT; j++) {
    const double a = at(ad_workspace_value(s.w, sz), j), b = at(ad_workspace_value(u.w, uz), j);
    ck_assert_msg(same_bits(a, b), "%s, pattern %d, scalar %zu is %a, the tensor's element %a", name, pattern, j, a, b);
  }
  must(ad_workspace_run_gradient(s.w, &(ad_gradient_request){.output = sz, .seed_count = COUNT, .weight = weight},
                                 &graphs_error));
  must(ad_workspace_run_gradient(u.w, &(ad_gradient_request){.output = uz, .seed_count = COUNT, .weight = weight},
                                 &graphs_error));
  for (size_t k = 0; k < nargs; k++)
    for (size_t j = 0; j < COUNT; j++) {
      if ((pattern + (int)k) % 3 == 2) continue; /* summed up in another order */
      const double a = at(ad_workspace_gradient(s.w, x[k][source(pattern, k, j)]), 0);
      const double b = at(ad_workspace_gradient(u.w, t[k]), j);
      ck_assert_msg(same_bits(a, b) || (a == 0 && b == 0), "%s, pattern %d, derivative %zu of scalar %zu is %a, not %a",
                    name, pattern, k, j, a, b);
    }
  graphs_end(&s);
  graphs_end(&u);
  ad_graph_free(scalars);
  ad_graph_free(tensors);
}

START_TEST(scalars_side_by_side) {
  for (int k = 0; k < GRAPHS_SIMD; k++) {
    graphs_use_simd(graphs_simd[k]);
    for (ad_op op = 0; op < ad_op_count(); op++)
      for (int pattern = 0; elementwise_args(op) && pattern < 3; pattern++) {
        compare_with_tensor(op, pattern, 0.1, 0.9);
        compare_with_tensor(op, pattern, 1.1, 5);
        compare_with_tensor(op, pattern, -3, 0);
      }
  }
}
END_TEST

/* ---- Where an element lies in its run is nothing to it */

START_TEST(any_length) {
  enum { LONGEST = 40 };
  double v[LONGEST];
  ulps_random random = {ulps_seed()};
  for (size_t j = 0; j < LONGEST; j++) v[j] = ulps_random_uniform(&random, 0.1, 3);
  for (int k = 0; k < GRAPHS_SIMD; k++) {
    graphs_use_simd(graphs_simd[k]);
    for (ad_op op = 0; op < ad_op_count(); op++) {
      const size_t nargs = elementwise_args(op);
      double value[LONGEST], partial[LONGEST];
      for (int64_t n = nargs ? LONGEST : 0; n >= 4; n--) { /* shorter runs are scalar code's */
        ad_graph *g = graphs_new();
        const ad_node x = graphs_input(g, "x", SHAPE(n), v + LONGEST - n, (size_t)n);
        const ad_node args[3] = {x, x, x};
        const ad_node z = graphs_apply(g, ad_op_get(op)->name, nargs, args, 0, NULL);
        must(ad_graph_output(g, "z", z, &graphs_error));
        graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true});
        double ones[LONGEST];
        for (size_t j = 0; j < LONGEST; j++) ones[j] = 1;
        must(ad_workspace_run_gradient(
            r.w, &(ad_gradient_request){.output = z, .seed_count = (size_t)n, .weight = ones}, &graphs_error));
        for (int64_t j = 0; j < n; j++) {
          const size_t i = (size_t)(LONGEST - n + j);
          const double a = at(ad_workspace_value(r.w, z), (size_t)j), b = at(ad_workspace_gradient(r.w, x), (size_t)j);
          if (n == LONGEST) value[i] = a, partial[i] = b;
          ck_assert_msg(same_bits(a, value[i]) && same_bits(b, partial[i]),
                        "%s(%a) is %a with partial %a, but %a with %a as number %d of %d", ad_op_get(op)->name, v[i],
                        value[i], partial[i], a, b, (int)j, (int)n);
        }
        graphs_end(&r);
        ad_graph_free(g);
      }
    }
  }
}
END_TEST

/* ---- A large graph of integers, exact in every arithmetic */

/* Sums, differences and pieces that stay within +-BOUND: adjoints are counts of paths. */
static ad_graph *integers(size_t nodes, ulps_random *random) {
  enum { INPUTS = 200, BOUND = 1000, FAR = 4 };
  ad_graph *g = graphs_new();
  ad_node *n = malloc(nodes * sizeof *n);
  char name[32];
  for (size_t i = 0; i < INPUTS; i++) {
    snprintf(name, sizeof name, "x%zu", i);
    n[i] = graphs_input(g, name, SCALAR, &(double){floor(ulps_random_uniform(random, -50, 50))}, 1);
  }
  const ad_node low = graphs_constant(g, -BOUND), high = graphs_constant(g, BOUND);
  static const char *const ops[] = {"add", "sub", "max", "min", "neg", "abs", "clip", "relu", "where"};
  for (size_t i = INPUTS; i < nodes; i++) {
    /* Arguments from the first eighth of what is there: few levels, so that counts of paths stay small. */
    const size_t room = i / 8 > INPUTS ? i / 8 : INPUTS;
    const ad_node a = n[(size_t)ulps_random_uniform(random, 0, (double)room)];
    const ad_node b = n[(size_t)ulps_random_uniform(random, 0, (double)room)];
    const char *op = ops[(size_t)ulps_random_uniform(random, 0, sizeof ops / sizeof *ops)];
    if (!strcmp(op, "clip")) {
      n[i] = graphs_apply(g, op, NODES(graphs_binary(g, "add", a, b), low, high), 0, NULL);
    } else if (!strcmp(op, "where")) {
      n[i] = graphs_apply(g, op, NODES(graphs_binary(g, "less", a, b), b, a), 0, NULL);
    } else if (!strcmp(op, "neg") || !strcmp(op, "abs") || !strcmp(op, "relu")) {
      n[i] = graphs_unary(g, op, a);
    } else {
      n[i] = graphs_binary(g, op, a, b);
    }
  }
  ad_node sum = n[nodes - 1];
  for (size_t i = nodes / 2; i < nodes - 1; i++) sum = graphs_binary(g, i % 3 ? "add" : "sub", sum, n[i]);
  must(ad_graph_output(g, "f", sum, &graphs_error));
  free(n);
  return g;
}

START_TEST(many_windows) {
  ulps_random random = {ulps_seed()};
  ad_graph *g = integers(20000, &random);
  const ad_node f = ad_graph_output_node(g, 0);
  graphs_run exact = graphs_start(g, "mpfr", (ad_workspace_options){.precision = 200, .reverse = true});
  must(ad_workspace_run_gradient(exact.w, &(ad_gradient_request){.output = f}, &graphs_error));
  for (int k = 0; k < GRAPHS_SIMD; k++)
    for (uint32_t points = 1; points <= 9; points += 8) {
      graphs_use_simd(graphs_simd[k]);
      graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .points = points});
      must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = f}, &graphs_error));
      for (uint32_t b = 0; b < points; b++) {
        ck_assert_double_eq(at(ad_workspace_value(r.w, f), b), at(ad_workspace_value(exact.w, f), 0));
        for (ad_node n = 0; n < ad_graph_input_count(g); n++) {
          const double got = at(ad_workspace_gradient(r.w, n), b), want = at(ad_workspace_gradient(exact.w, n), 0);
          ck_assert_msg(got == want, "SIMD %s, point %u of %u, input %u: %.17g, not %.17g (seed %llu)", graphs_simd[k],
                        b, points, n, got, want, (unsigned long long)ulps_seed());
        }
      }
      graphs_end(&r);
    }
  graphs_end(&exact);
  ad_graph_free(g);
}
END_TEST

/* ---- A program of what the outputs need, where views are no work, gives what a program of all nodes gives */

START_TEST(views) {
  enum { BITS = 400, GRAPHS = 12, OPERATIONS = 150 };
  size_t *used = calloc(ad_op_count(), sizeof *used);
  mpfr_t d, e, scale;
  mpfr_inits2(BITS, d, e, scale, (mpfr_ptr)0);
  for (uint64_t seed = ulps_seed(), last = seed + (uint64_t)(GRAPHS * ulps_multiplier()); seed < last; seed++) {
    random_graph r = random_graph_new(seed, OPERATIONS, true, used);
    const ad_workspace_options options = {.precision = BITS, .reverse = true};
    const ad_gradient_request request = {.output = ad_graph_output_node(r.g, 0)};
    graphs_run all = graphs_start(r.g, "mpfr", options), few = {NULL, NULL};
    must(ad_program_new(&few.p, r.g, NULL, &graphs_error));
    must(ad_workspace_new(&few.w, few.p, ad_backend_find("mpfr"), &options, &graphs_error));
    must(ad_workspace_primal(few.w, &graphs_error));
    must(ad_workspace_run_gradient(all.w, &request, &graphs_error));
    must(ad_workspace_run_gradient(few.w, &request, &graphs_error));
    mpfr_set_zero(e, 1);
    mpfr_set_ui(scale, 1, MPFR_RNDN);
    for (ad_node n = 0; n < ad_graph_input_count(r.g); n++) {
      const ad_span a = ad_workspace_gradient(all.w, n), b = ad_workspace_gradient(few.w, n);
      for (size_t i = 0; i < a.count; i++) {
        mpfr_srcptr x = (const __mpfr_struct *)a.data + i, y = (const __mpfr_struct *)b.data + i;
        mpfr_abs(d, x, MPFR_RNDN);
        mpfr_max(scale, scale, d, MPFR_RNDN);
        mpfr_sub(d, x, y, MPFR_RNDN);
        mpfr_abs(d, d, MPFR_RNDN);
        mpfr_max(e, e, d, MPFR_RNDN);
      }
    }
    mpfr_div(e, e, scale, MPFR_RNDN);
    ck_assert_msg(mpfr_zero_p(e) || mpfr_get_exp(e) < -BITS / 2, "the gradients differ by 2^%ld, graph %llu",
                  (long)mpfr_get_exp(e), (unsigned long long)seed);
    graphs_end(&few);
    graphs_end(&all);
    random_graph_free(&r);
  }
  ck_assert(used[ad_op_find("slice")] && used[ad_op_find("reshape")]);
  mpfr_clears(d, e, scale, (mpfr_ptr)0);
  free(used);
}
END_TEST

/* ---- A zero that is one all around the point multiplies nothing */

enum { COPIES = 37 };

/* The gradient of the sum of `copies` terms, each of its own input x = at, which the function builds. */
static void expect_slope(ad_node (*term)(ad_graph *g, ad_node x), double x, double slope) {
  for (int k = 0; k < GRAPHS_SIMD; k++)
    for (size_t copies = 1; copies <= COPIES; copies += COPIES - 1)
      for (uint32_t points = 1; points <= 8; points += 7) {
        graphs_use_simd(graphs_simd[k]);
        ad_graph *g = graphs_new();
        ad_node in[COPIES], out[COPIES];
        for (size_t i = 0; i < copies; i++) {
          char name[32];
          snprintf(name, sizeof name, "x%zu", i);
          in[i] = graphs_input(g, name, SCALAR, &x, 1);
        }
        for (size_t i = 0; i < copies; i++) out[i] = term(g, in[(i * 7) % copies]);
        ad_node sum = out[0];
        for (size_t i = 1; i < copies; i++) sum = graphs_binary(g, "add", sum, out[i]);
        must(ad_graph_output(g, "f", sum, &graphs_error));
        graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .points = points});
        must(ad_workspace_run_gradient(r.w, &(ad_gradient_request){.output = sum}, &graphs_error));
        for (size_t i = 0; i < copies; i++)
          ck_assert_msg(at(ad_workspace_gradient(r.w, in[i]), 0) == slope, "SIMD %s, %zu copies, %u points: %g, not %g",
                        graphs_simd[k], copies, points, at(ad_workspace_gradient(r.w, in[i]), 0), slope);
        graphs_end(&r);
        ad_graph_free(g);
      }
}

/* where(0, log(x), 2 x) at x = 0: the partial of log is infinite, its adjoint 0 */
static ad_node untaken_log(ad_graph *g, ad_node x) {
  return graphs_apply(g, "where",
                      NODES(graphs_constant(g, 0), graphs_unary(g, "log", x), graphs_binary(g, "add", x, x)), 0, NULL);
}

/* sqrt(relu(x)) at x < 0: the adjoint is infinite, the partial of the untaken branch 0 */
static ad_node steep_relu(ad_graph *g, ad_node x) {
  return graphs_unary(g, "sqrt", graphs_unary(g, "relu", x));
}

START_TEST(zeros) {
  expect_slope(untaken_log, 0, 2);
  expect_slope(steep_relu, -1, 0);
}
END_TEST

/* ---- Chains of sums and products */

/* z = z op x_i or x_i op z in turn, long enough for a chain, in a window of its own or with others; every third x_i is
 * fixed and some are 0 or infinite.  By one point and by blocks of them. */
static void expect_chain(const char *op, double odd) {
  enum { LINKS = 50 };
  ad_graph *g = graphs_new();
  ad_node x[LINKS], z;
  for (int i = 0; i < LINKS; i++) {
    char name[16];
    snprintf(name, sizeof name, "x%d", i);
    const double v = i == 20 ? odd : 1 + 0.01 * i;
    ad_numbers *n = ad_numbers_new();
    must(ad_numbers_push_double(n, v, &graphs_error));
    must(ad_graph_input(g, &x[i], &(ad_input_spec){.name = name, .value = n, .fixed = i % 3 == 2}, &graphs_error));
    ad_numbers_free(n);
  }
  z = graphs_unary(g, "exp", x[0]);
  ad_node middle = z;
  for (int i = 1; i < LINKS; i++) {
    z = i % 2 ? graphs_binary(g, op, z, x[i]) : graphs_binary(g, op, x[i], z);
    if (i == 30) middle = z; /* is read by another one, too */
  }
  const ad_node f = graphs_binary(g, "add", graphs_unary(g, "tanh", middle), z);
  must(ad_graph_output(g, "f", f, &graphs_error));
  graphs_run one = graphs_start(g, "tape", (ad_workspace_options){.reverse = true});
  graphs_run many = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .points = 3});
  graphs_run exact = graphs_start(g, "mpfr", (ad_workspace_options){.reverse = true});
  graphs_run *runs[] = {&one, &many, &exact};
  for (int r = 0; r < 3; r++)
    must(ad_workspace_run_gradient(runs[r]->w, &(ad_gradient_request){.output = f}, &graphs_error));
  for (int i = 0; i < LINKS; i++) {
    const double a = at(ad_workspace_gradient(one.w, x[i]), 0), b = at(ad_workspace_gradient(many.w, x[i]), 0);
    const double want = at(ad_workspace_gradient(exact.w, x[i]), 0);
    ck_assert_msg(same_bits(a, b) || fabs(a - b) <= 0x1p-52 * fabs(a), "%s, %d: %a, in a block %a", op, i, a, b);
    ck_assert_msg(same_bits(a, want) || fabs(a - want) <= 4 * LINKS * 0x1p-53 * fabs(want), "%s, %d: %a, not %a", op, i,
                  a, want);
  }
  graphs_end(&one);
  graphs_end(&many);
  graphs_end(&exact);
  ad_graph_free(g);
}

START_TEST(chains) {
  static const double odd[] = {0.5, 0, -1, INFINITY};
  for (int i = 0; i < 4; i++) {
    expect_chain("mul", odd[i]);
    expect_chain("add", odd[i]);
  }
}
END_TEST

/* ---- All inputs at once */

/* f = a . b + c with a fixed: values and gradients of all inputs in one run of numbers, by each backend */
START_TEST(all_inputs) {
  static const double x[7] = {2, 3, 5, 7, 11, 13, 17};
  ad_graph *g = graphs_new();
  ad_node a;
  must(ad_graph_input(g, &a, &(ad_input_spec){.name = "a", .shape = SHAPE(3), .fixed = true}, &graphs_error));
  const ad_node b = graphs_input(g, "b", SHAPE(3), NULL, 0);
  const ad_node c = graphs_input(g, "c", SCALAR, NULL, 0);
  const ad_node f = graphs_binary(g, "add", graphs_binary(g, "dot", a, b), c);
  must(ad_graph_output(g, "f", f, &graphs_error));
  for (size_t i = 0; i < ad_backend_count(); i++) {
    const ad_backend *backend = ad_backend_get(i);
    const bool reverse = ad_backend_mode(backend) == AD_MODE_REVERSE;
    ad_program *p;
    ad_workspace *w;
    must(ad_program_new(&p, g, NULL, &graphs_error));
    must(ad_workspace_new(&w, p, backend, &(ad_workspace_options){.reverse = reverse, .directions = reverse ? 0 : 2},
                          &graphs_error));
    must_fail(AD_EINPUT, "'a' has no value", ad_workspace_primal(w, &graphs_error));
    must_fail(AD_EUSAGE, "7 elements, not 6", ad_workspace_set_inputs(w, x, 6, &graphs_error));
    must(ad_workspace_set_inputs(w, x, 7, &graphs_error));
    must(ad_workspace_primal(w, &graphs_error));
    ck_assert_double_eq(at(ad_workspace_value(w, f), 0), 2 * 7 + 3 * 11 + 5 * 13 + 17);
    must(ad_workspace_run_gradient(w, &(ad_gradient_request){.output = f}, &graphs_error));
    const double want[7] = {0, 0, 0, 2, 3, 5, 1};
    const ad_span got = ad_workspace_gradients(w);
    ck_assert_uint_eq(got.count, 7);
    for (size_t j = 0; j < 7; j++) ck_assert_double_eq(at(got, j), want[j]);
    ad_workspace_free(w);
    ad_program_free(p);
  }
  ad_graph_free(g);
}
END_TEST

/* ---- Seeds anywhere, at blocks of points that write most adjoints instead of adding to them */

/* f = y^2 + x y - 3, y = sin x, seeded by `f_seed`, and y by `y_seed` */
static void expect_adjoint(graphs_run *r, ad_node x, ad_node y, ad_node f, double f_seed, double y_seed,
                           uint32_t points) {
  ad_workspace_clear_seeds(r->w);
  must(ad_workspace_seed_adjoint(r->w, f, 0, f_seed, &graphs_error));
  if (y_seed != 0) must(ad_workspace_seed_adjoint(r->w, y, 0, y_seed, &graphs_error));
  must(ad_workspace_reverse(r->w, &graphs_error));
  for (uint32_t i = 0; i < points; i++) {
    const double v = at(ad_workspace_value(r->w, x), i), u = at(ad_workspace_value(r->w, y), i);
    const double want = (f_seed * (2 * u + v) + y_seed) * cos(v) + f_seed * u;
    ck_assert_double_eq_tol(at(ad_workspace_adjoint(r->w, x), i), want,
                            0x1p-48); /* a few roundings of numbers below 16 */
  }
}

START_TEST(seeds_anywhere) {
  enum { POINTS = 16 };
  ad_graph *g = graphs_new();
  const double one = 1;
  const ad_node x = graphs_input(g, "x", SCALAR, &one, 1), y = graphs_unary(g, "sin", x);
  const ad_node sum = graphs_binary(g, "add", graphs_unary(g, "sqr", y), graphs_binary(g, "mul", x, y));
  const ad_node f = graphs_binary(g, "sub", sum, graphs_constant(g, 3));
  must(ad_graph_output(g, "f", f, &graphs_error));
  for (int s = 0; s < GRAPHS_SIMD; s++)
    for (uint32_t points = 1; points <= POINTS; points++) {
      graphs_use_simd(graphs_simd[s]);
      graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.reverse = true, .points = points});
      double rows[POINTS];
      for (size_t i = 0; i < POINTS; i++) rows[i] = 0.1 * (double)i - 0.7;
      if (points > 1) must(ad_workspace_set_points(r.w, x, rows, 1, points, &graphs_error));
      must(ad_workspace_primal(r.w, &graphs_error));
      expect_adjoint(&r, x, y, f, 1, 0, points);
      expect_adjoint(&r, x, y, f, -2, 3, points);
      expect_adjoint(&r, x, y, f, 0, 1, points);
      expect_adjoint(&r, x, y, f, 0.5, 0, points);
      graphs_end(&r);
    }
  ad_graph_free(g);
}
END_TEST

/* ---- Sums of lines of any length at blocks of points have the tree of one point */

START_TEST(sums_at_points) {
  enum { LONGEST = 700, POINTS = 17 };
  static const int64_t lengths[] = {1, 9, 128, 129, 257, LONGEST};
  static double rows[POINTS][LONGEST];
  ulps_random r = {ulps_seed()};
  for (size_t b = 0; b < POINTS; b++)
    for (size_t i = 0; i < LONGEST; i++) rows[b][i] = ulps_random_uniform(&r, -1, 1);
  for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
    const size_t n = (size_t)lengths[l];
    ad_graph *g = graphs_new();
    const ad_node x = graphs_input(g, "x", SHAPE(lengths[l]), rows[0], n), z = graphs_unary(g, "sum", x);
    must(ad_graph_output(g, "z", z, &graphs_error));
    for (uint32_t points = 2; points <= POINTS; points++) {
      graphs_run one = graphs_start(g, "tape", (ad_workspace_options){0});
      graphs_run many = graphs_start(g, "tape", (ad_workspace_options){.points = points});
      must(ad_workspace_set_points(many.w, x, rows[0], LONGEST, points, &graphs_error));
      must(ad_workspace_primal(many.w, &graphs_error));
      for (uint32_t b = 0; b < points; b++) {
        must(ad_workspace_set_input(one.w, x, rows[b], n, &graphs_error));
        must(ad_workspace_primal(one.w, &graphs_error));
        const double got = at(ad_workspace_value(many.w, z), b), want = at(ad_workspace_value(one.w, z), 0);
        ck_assert_msg(same_bits(got, want), "sum of %zu at point %u of %u: %.17g, not %.17g (seed %llu)", n, b, points,
                      got, want, (unsigned long long)ulps_seed());
      }
      graphs_end(&one);
      graphs_end(&many);
    }
    ad_graph_free(g);
  }
}
END_TEST

static void count_notice(void *context, ad_node n, size_t element, unsigned flags) {
  (void)n, (void)element, (void)flags;
  ++*(int *)context;
}

START_TEST(notices_of_one_point) {
  const double outside[] = {-1, -1};
  ad_graph *g = graphs_new();
  must(ad_graph_output(g, "z", graphs_unary(g, "log", graphs_input(g, "x", SHAPE(2), outside, 2)), &graphs_error));
  for (uint32_t points = 1; points <= 9; points += 8) {
    graphs_run r = graphs_start(g, "tape", (ad_workspace_options){.points = points});
    int notices = 0;
    ad_workspace_diagnose(r.w, count_notice, &notices);
    ck_assert_int_eq(notices, points == 1 ? 2 : 0);
    graphs_end(&r);
  }
  ad_graph_free(g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("engine");
  TCase *t = tcase_create("the same numbers");
  printf("seed %llu (ADTOOL_TEST_SEED)\n", (unsigned long long)ulps_seed());
  fflush(stdout);
  tcase_set_timeout(t, 120);
  tcase_add_test(t, scalars_side_by_side);
  tcase_add_test(t, any_length);
  tcase_add_test(t, many_windows);
  tcase_add_test(t, views);
  tcase_add_test(t, zeros);
  tcase_add_test(t, chains);
  tcase_add_test(t, all_inputs);
  tcase_add_test(t, seeds_anywhere);
  tcase_add_test(t, sums_at_points);
  tcase_add_test(t, notices_of_one_point);
  suite_add_tcase(s, t);
  return suite_run(s);
}
