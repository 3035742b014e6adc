/* Reprojection errors of bundle adjustment, as in ADBench (see mixture.c), over all observations at once: a camera has
 * a rotation r (angle times axis), a centre, a focal length, a principal point and two coefficients of radial
 * distortion. p = R(r) (X - centre), u = p_xy / p_z, s = |u|^2, error = w ((1 + k1 s + k2 s^2) u focal + principal -
 * feature), R(r) X = X cos t + (a x X) sin t + a (a . X)(1 - cos t) with t = |r|, a = r / t (Rodrigues).  Parameters
 * lie as columns, [11, cameras] and [3, points]. */
#include <math.h>
#include <string.h>

#include "bench/build.h"
#include "bench/hand.h"

enum { CAMERAS = 50, POINTS = 5000, SEEN = 30000, CAMERA = 11 };
enum { AT_CAMERA = 0, AT_POINT = AT_CAMERA + CAMERA * CAMERAS, AT_WEIGHT = AT_POINT + 3 * POINTS };
enum { PARAMETERS = AT_WEIGHT + SEEN, AT_FEATURE = PARAMETERS, NUMBERS = AT_FEATURE + 2 * SEEN };

static int64_t camera_of[SEEN], point_of[SEEN];

static double *numbers(void) {
  static const double low[CAMERA] = {0.1, 0.1, 0.1, -0.5, -0.5, -6, 400, -10, -10, -0.1, -0.01};
  static const double high[CAMERA] = {0.4, 0.4, 0.4, 0.5, 0.5, -4, 600, 10, 10, 0.1, 0.01};
  double *x = bench_alloc(NUMBERS, sizeof *x);
  for (int c = 0; c < CAMERA; c++) build_random(x + AT_CAMERA + c * CAMERAS, CAMERAS, low[c], high[c], (uint32_t)c);
  build_random(x + AT_POINT, 3 * POINTS, -1, 1, 20);
  build_random(x + AT_WEIGHT, SEEN, 0.5, 1, 21);
  build_random(x + AT_FEATURE, 2 * SEEN, -100, 100, 22);
  for (int i = 0; i < SEEN; i++) {
    camera_of[i] = (int64_t)i * 7919 % CAMERAS;
    point_of[i] = (int64_t)i * 104729 % POINTS;
  }
  return x;
}

/* ---- Graph */

static ad_graph *g;

static ad_node mul(ad_node x, ad_node y) {
  return build_binary(g, "mul", x, y);
}

static ad_node add(ad_node x, ad_node y) {
  return build_binary(g, "add", x, y);
}

static ad_node sub(ad_node x, ad_node y) {
  return build_binary(g, "sub", x, y);
}

static ad_node row(ad_node x, int64_t i) {
  return build_slice(g, x, i, i + 1, true);
}

static ad_node dot(const ad_node *x, const ad_node *y) {
  return add(add(mul(x[0], y[0]), mul(x[1], y[1])), mul(x[2], y[2]));
}

static ad_graph *graph(bool gradient) {
  g = build_graph();
  const ad_node cameras = build_input(g, "camera", SHAPE(CAMERA, CAMERAS), false);
  const ad_node points = build_input(g, "point", SHAPE(3, POINTS), false);
  const ad_node weight = build_input(g, "weight", SHAPE(SEEN), false);
  const ad_node feature = build_input(g, "feature", SHAPE(2, SEEN), true);
  const ad_node one = build_number(g, 1), half = build_number(g, 0.5);
  const ad_node camera = build_table(g, "gather", 1, &cameras, SHAPE(SEEN), camera_of, 1);
  const ad_node point = build_table(g, "gather", 1, &points, SHAPE(SEEN), point_of, 1);
  ad_node c[CAMERA], x[3], a[3], p[3], error[2];
  for (int i = 0; i < CAMERA; i++) c[i] = row(camera, i);
  for (int i = 0; i < 3; i++) x[i] = sub(row(point, i), c[3 + i]);
  const ad_node angle = build_unary(g, "sqrt", dot(c, c));
  const ad_node cosine = build_unary(g, "cos", angle), sine = build_unary(g, "sin", angle);
  for (int i = 0; i < 3; i++) a[i] = build_binary(g, "div", c[i], angle);
  const ad_node along = mul(dot(a, x), sub(one, cosine));
  for (int i = 0; i < 3; i++) {
    const int j = (i + 1) % 3, k = (i + 2) % 3;
    const ad_node cross = sub(mul(a[j], x[k]), mul(a[k], x[j]));
    p[i] = add(add(mul(x[i], cosine), mul(cross, sine)), mul(a[i], along));
  }
  const ad_node u[2] = {build_binary(g, "div", p[0], p[2]), build_binary(g, "div", p[1], p[2])};
  const ad_node s = add(mul(u[0], u[0]), mul(u[1], u[1]));
  const ad_node bend = add(one, mul(s, add(c[9], mul(c[10], s))));
  for (int i = 0; i < 2; i++) error[i] = mul(weight, sub(add(mul(mul(bend, u[i]), c[6]), c[7 + i]), row(feature, i)));
  if (gradient) {
    const ad_node squares = add(build_unary(g, "sqr", error[0]), build_unary(g, "sqr", error[1]));
    bench_must(ad_graph_output(g, "f", mul(half, build_unary(g, "sum", squares)), &bench_error));
  } else {
    ad_node all;
    bench_must(ad_graph_apply(g, &all, ad_op_find("concat"), 2, error, 0, NULL, &bench_error));
    bench_must(ad_graph_output(g, "error", all, &bench_error));
  }
  return g;
}

/* ---- By hand */

typedef struct bundle {
  const double *x;
  double error[2 * SEEN], gradient[PARAMETERS];
} bundle;

static void by_hand(bundle *s, bool gradient) {
  if (gradient) memset(s->gradient, 0, sizeof s->gradient);
  for (int i = 0; i < SEEN; i++) {
    const double *camera = s->x + AT_CAMERA + camera_of[i], *point = s->x + AT_POINT + point_of[i];
    double c[CAMERA], x[3], a[3], p[3], cross[3];
    for (int j = 0; j < CAMERA; j++) c[j] = camera[j * CAMERAS];
    for (int j = 0; j < 3; j++) x[j] = point[j * POINTS] - c[3 + j];
    const double angle = sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2]), cosine = cos(angle), sine = sin(angle);
    for (int j = 0; j < 3; j++) a[j] = c[j] / angle;
    const double ax = a[0] * x[0] + a[1] * x[1] + a[2] * x[2];
    for (int j = 0; j < 3; j++) {
      const int k = (j + 1) % 3, l = (j + 2) % 3;
      cross[j] = a[k] * x[l] - a[l] * x[k];
      p[j] = x[j] * cosine + cross[j] * sine + a[j] * ax * (1 - cosine);
    }
    const double u[2] = {p[0] / p[2], p[1] / p[2]}, r = u[0] * u[0] + u[1] * u[1];
    const double bend = 1 + r * (c[9] + c[10] * r), w = s->x[AT_WEIGHT + i];
    double off[2];
    for (int j = 0; j < 2; j++) {
      off[j] = bend * u[j] * c[6] + c[7 + j] - s->x[AT_FEATURE + j * SEEN + i];
      s->error[j * SEEN + i] = w * off[j];
    }
    if (!gradient) continue;

    double cb[CAMERA] = {0}, ub[2], pb[3], xb[3], ab[3], bendb = 0, cosb = 0, sinb = 0, axb = 0;
    s->gradient[AT_WEIGHT + i] = w * (off[0] * off[0] + off[1] * off[1]);
    for (int j = 0; j < 2; j++) {
      const double ob = w * w * off[j];
      cb[7 + j] = ob;
      cb[6] += ob * bend * u[j];
      bendb += ob * u[j] * c[6];
      ub[j] = ob * bend * c[6];
    }
    cb[9] = bendb * r;
    cb[10] = bendb * r * r;
    const double rb = bendb * (c[9] + 2 * c[10] * r);
    for (int j = 0; j < 2; j++) {
      ub[j] += 2 * rb * u[j];
      pb[j] = ub[j] / p[2];
    }
    pb[2] = -(pb[0] * u[0] + pb[1] * u[1]);
    for (int j = 0; j < 3; j++) {
      xb[j] = pb[j] * cosine;
      ab[j] = pb[j] * ax * (1 - cosine);
      cosb += pb[j] * (x[j] - a[j] * ax);
      sinb += pb[j] * cross[j];
      axb += pb[j] * a[j] * (1 - cosine);
    }
    for (int j = 0; j < 3; j++) {
      const int k = (j + 1) % 3, l = (j + 2) % 3;
      const double t = pb[j] * sine;
      ab[k] += t * x[l], xb[l] += t * a[k];
      ab[l] -= t * x[k], xb[k] -= t * a[l];
    }
    for (int j = 0; j < 3; j++) {
      ab[j] += axb * x[j];
      xb[j] += axb * a[j];
      cb[3 + j] = -xb[j];
    }
    double angleb = sinb * cosine - cosb * sine;
    for (int j = 0; j < 3; j++) angleb -= ab[j] * a[j] / angle;
    for (int j = 0; j < 3; j++) cb[j] = ab[j] / angle + angleb * a[j];
    for (int j = 0; j < CAMERA; j++) s->gradient[AT_CAMERA + j * CAMERAS + camera_of[i]] += cb[j];
    for (int j = 0; j < 3; j++) s->gradient[AT_POINT + j * POINTS + point_of[i]] += xb[j];
  }
}

static void value_by_hand(void *state) {
  by_hand(state, false);
}

static void gradient_by_hand(void *state) {
  by_hand(state, true);
}

static void build(bench_run *b, bool gradient) {
  const double *x = numbers();
  bench_tool *t = build_tool(build_saved(graph(gradient)), x, NUMBERS, gradient);
  const size_t count = gradient ? PARAMETERS : 2 * SEEN;
  bench_add(b, (bench_rival){"adtool", 0, SEEN, gradient ? bench_tool_gradient : bench_tool_primal, t,
                             gradient ? bench_tool_gradients(t) : bench_tool_value(t), count});
  bundle *s = bench_alloc(1, sizeof *s);
  s->x = x;
  bench_add(b, (bench_rival){"hand-written C", 1, SEEN, gradient ? gradient_by_hand : value_by_hand, s,
                             gradient ? s->gradient : s->error, count});
}

static void bundle_row(bench_run *b) {
  build(b, false);
}

static void bundle_gradient_row(bench_run *b) {
  build(b, true);
}

const bench_workload bench_bundle[] = {
    {"bundle-value", "observation", SEEN, bundle_row}, {"bundle", "observation", SEEN, bundle_gradient_row}, {0}};
