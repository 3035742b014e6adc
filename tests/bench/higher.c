/* Beyond gradients in double: a gradient in MPFR, and Taylor series along a line. */
#include <math.h>
#include <mpfr.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/hand.h"

static code c;

/* ---- A gradient in MPFR, beside a switch that calls MPFR */

enum { BITS = 256 };

typedef struct many_digits {
  bench_tool tool;
  mpfr_t *value, *adjoint;
  double *gradient;
} many_digits;

static void tool_digits(void *state) {
  many_digits *t = state;
  bench_tool_gradient(&t->tool);
  const ad_span g = ad_workspace_gradients(t->tool.w);
  for (size_t i = 0; i < c.inputs; i++) t->gradient[i] = ad_span_double(&g, i);
}

static void digits_forward(const many_digits *t) {
  for (size_t i = 0; i < c.count; i++) {
    mpfr_ptr z = t->value[i];
    mpfr_srcptr x = t->value[c.a[i]], y = t->value[c.b[i]];
    switch (c.op[i]) {
      case CODE_INPUT:
        mpfr_set_d(z, c.x[i], MPFR_RNDN);
        break;
      case CODE_NUMBER:
        mpfr_set_d(z, c.number[c.a[i]], MPFR_RNDN);
        break;
      case CODE_ADD:
        mpfr_add(z, x, y, MPFR_RNDN);
        break;
      case CODE_SUB:
        mpfr_sub(z, x, y, MPFR_RNDN);
        break;
      case CODE_MUL:
        mpfr_mul(z, x, y, MPFR_RNDN);
        break;
      case CODE_DIV:
        mpfr_div(z, x, y, MPFR_RNDN);
        break;
      case CODE_SQRT:
        mpfr_sqrt(z, x, MPFR_RNDN);
        break;
      case CODE_EXP:
        mpfr_exp(z, x, MPFR_RNDN);
        break;
      case CODE_LOG:
        mpfr_log(z, x, MPFR_RNDN);
        break;
      case CODE_SIN:
        mpfr_sin(z, x, MPFR_RNDN);
        break;
      case CODE_TANH:
        mpfr_tanh(z, x, MPFR_RNDN);
        break;
    }
  }
}

/* Adds a share to an argument's adjoint. */
static void give(const many_digits *t, uint32_t to, mpfr_srcptr share) {
  mpfr_add(t->adjoint[to], t->adjoint[to], share, MPFR_RNDN);
}

static void digits_back(const many_digits *t) {
  mpfr_t s;
  mpfr_init2(s, BITS);
  for (size_t i = 0; i < c.count; i++) mpfr_set_zero(t->adjoint[i], 1);
  mpfr_set_ui(t->adjoint[c.count - 1], 1, MPFR_RNDN);
  for (size_t i = c.count; i-- > c.inputs;) {
    const uint32_t a = c.a[i], b = c.b[i];
    mpfr_srcptr x = t->value[a], y = t->value[b], z = t->value[i], w = t->adjoint[i];
    switch (c.op[i]) {
      case CODE_ADD:
        give(t, a, w);
        give(t, b, w);
        break;
      case CODE_SUB:
        give(t, a, w);
        mpfr_sub(t->adjoint[b], t->adjoint[b], w, MPFR_RNDN);
        break;
      case CODE_MUL:
        mpfr_mul(s, w, y, MPFR_RNDN);
        give(t, a, s);
        mpfr_mul(s, w, x, MPFR_RNDN);
        give(t, b, s);
        break;
      case CODE_DIV:
        mpfr_div(s, w, y, MPFR_RNDN);
        give(t, a, s);
        mpfr_mul(s, s, z, MPFR_RNDN);
        mpfr_sub(t->adjoint[b], t->adjoint[b], s, MPFR_RNDN);
        break;
      case CODE_SQRT:
        mpfr_div(s, w, z, MPFR_RNDN);
        mpfr_div_2ui(s, s, 1, MPFR_RNDN);
        give(t, a, s);
        break;
      case CODE_EXP:
        mpfr_mul(s, w, z, MPFR_RNDN);
        give(t, a, s);
        break;
      case CODE_LOG:
        mpfr_div(s, w, x, MPFR_RNDN);
        give(t, a, s);
        break;
      case CODE_SIN:
        mpfr_cos(s, x, MPFR_RNDN);
        mpfr_mul(s, w, s, MPFR_RNDN);
        give(t, a, s);
        break;
      case CODE_TANH:
        mpfr_sqr(s, z, MPFR_RNDN);
        mpfr_ui_sub(s, 1, s, MPFR_RNDN);
        mpfr_mul(s, w, s, MPFR_RNDN);
        give(t, a, s);
        break;
    }
  }
  mpfr_clear(s);
}

static void hand_digits(void *state) {
  many_digits *t = state;
  digits_forward(t);
  digits_back(t);
  for (size_t i = 0; i < c.inputs; i++) t->gradient[i] = mpfr_get_d(t->adjoint[i], MPFR_RNDN);
}

static mpfr_t *mpfr_numbers(size_t count) {
  mpfr_t *v = bench_alloc(count, sizeof *v);
  for (size_t i = 0; i < count; i++) mpfr_init2(v[i], BITS);
  return v;
}

static void digits(bench_run *b) {
  code_dag(&c, b->size);
  many_digits *t = bench_alloc(1, sizeof *t), *h = bench_alloc(1, sizeof *h);
  t->gradient = bench_alloc(c.inputs, sizeof *t->gradient);
  t->tool = (bench_tool){.backend = "mpfr", .x = c.x, .x_count = c.inputs};
  bench_tool_code(&t->tool, &c);
  bench_tool_open(&t->tool, &(ad_workspace_options){.reverse = true, .precision = BITS});
  *h = (many_digits){.value = mpfr_numbers(c.count),
                     .adjoint = mpfr_numbers(c.count),
                     .gradient = bench_alloc(c.inputs, sizeof *h->gradient)};
  const double units = (double)c.count;
  bench_add(b, (bench_rival){"adtool", 0, units, tool_digits, t, t->gradient, c.inputs});
  bench_add(b, (bench_rival){"switch with MPFR", 1, units, hand_digits, h, h->gradient, c.inputs});
}

/* ---- Taylor series along x + t (1, ..., 1), beside recurrences by hand (Griewank and Walther, section 13.2) */

enum { ORDER = 10, TERMS = ORDER + 1 };

typedef struct line {
  bench_tool tool;
  double (*term)[TERMS]; /* of every entry */
  double result[TERMS];
} line;

static void tool_line(void *state) {
  line *t = state;
  bench_must(ad_workspace_set_inputs(t->tool.w, c.x, c.inputs, &bench_error));
  bench_must(ad_workspace_primal(t->tool.w, &bench_error));
  bench_must(ad_workspace_taylor(t->tool.w, &bench_error));
  for (uint32_t j = 0; j < TERMS; j++) {
    const ad_span s = ad_workspace_coefficient(t->tool.w, j, t->tool.request.output);
    t->result[j] = ad_span_double(&s, 0);
  }
}

/* sum of x[j] y[k - j], j = from .. k */
static double convolve(const double *x, const double *y, int k, int from) {
  double s = 0;
  for (int j = from; j <= k; j++) s += x[j] * y[k - j];
  return s;
}

/* z' = p x', when p[0 .. k - 1] are there: coefficient k of z. */
static double integrate(const double *p, const double *x, int k) {
  double s = 0;
  for (int j = 1; j <= k; j++) s += j * x[j] * p[k - j];
  return s / k;
}

static void hand_entry(double *z, const double *x, const double *y, int op) {
  double p[TERMS], q[TERMS];
  switch (op) {
    case CODE_ADD:
      for (int k = 0; k < TERMS; k++) z[k] = x[k] + y[k];
      break;
    case CODE_SUB:
      for (int k = 0; k < TERMS; k++) z[k] = x[k] - y[k];
      break;
    case CODE_MUL:
      for (int k = 0; k < TERMS; k++) z[k] = convolve(x, y, k, 0);
      break;
    case CODE_DIV:
      for (int k = 0; k < TERMS; k++) z[k] = (x[k] - convolve(y, z, k, 1)) / y[0];
      break;
    case CODE_SQRT:
      z[0] = sqrt(x[0]);
      for (int k = 1; k < TERMS; k++) {
        double s = x[k];
        for (int j = 1; j < k; j++) s -= z[j] * z[k - j];
        z[k] = s / (2 * z[0]);
      }
      break;
    case CODE_EXP:
      z[0] = exp(x[0]);
      for (int k = 1; k < TERMS; k++) z[k] = integrate(z, x, k);
      break;
    case CODE_LOG:
      z[0] = log(x[0]);
      for (int k = 1; k < TERMS; k++) {
        double s = 0;
        for (int j = 1; j < k; j++) s += j * z[j] * x[k - j];
        z[k] = (x[k] - s / k) / x[0];
      }
      break;
    case CODE_SIN:
      z[0] = sin(x[0]), p[0] = cos(x[0]);
      for (int k = 1; k < TERMS; k++) z[k] = integrate(p, x, k), p[k] = -integrate(z, x, k);
      break;
    case CODE_TANH:
      z[0] = tanh(x[0]);
      q[0] = 1 - z[0] * z[0];
      for (int k = 1; k < TERMS; k++) z[k] = integrate(q, x, k), q[k] = -convolve(z, z, k, 0);
      break;
  }
}

static void hand_line(void *state) {
  line *h = state;
  for (size_t i = 0; i < c.count; i++) {
    if (c.op[i] == CODE_INPUT || c.op[i] == CODE_NUMBER) {
      memset(h->term[i], 0, sizeof h->term[i]);
      h->term[i][0] = c.op[i] == CODE_INPUT ? c.x[i] : c.number[c.a[i]];
      h->term[i][1] = c.op[i] == CODE_INPUT;
    } else {
      hand_entry(h->term[i], h->term[c.a[i]], h->term[c.b[i]], c.op[i]);
    }
  }
  memcpy(h->result, h->term[c.count - 1], sizeof h->result);
}

static void run_peer(void *peer) {
  ((bench_peer *)peer)->run(peer);
}

static void series(bench_run *b) {
  code_dag(&c, b->size);
  line *t = bench_alloc(1, sizeof *t), *h = bench_alloc(1, sizeof *h);
  bench_tool_code(&t->tool, &c);
  bench_tool_open(&t->tool, &(ad_workspace_options){.order = ORDER});
  for (ad_node i = 0; i < c.inputs; i++) bench_must(ad_workspace_seed_coefficient(t->tool.w, 1, i, 0, 1, &bench_error));
  h->term = bench_alloc(c.count, sizeof *h->term);
  const double units = (double)c.count;
  bench_peer *p;
  bench_add(b, (bench_rival){"adtool", 0, units, tool_line, t, t->result, TERMS});
  bench_add(b, (bench_rival){"hand-written C", 0, units, hand_line, h, h->result, TERMS});
  if (bench_adolc_series(&p, &c, ORDER))
    bench_add(b, (bench_rival){"ADOL-C", 0.7, units, run_peer, p, p->result, TERMS});
}

const bench_workload bench_higher[] = {
    {"mpfr", "node", 100000, digits}, {"taylor", "node", 1000, series}, {"taylor", "node", 100000, series}, {0}};
