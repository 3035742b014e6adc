#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "reference_table.h"

#define RN MPFR_RNDN

/* ---- The table: elementwise operations of up to three arguments, then those on vectors */

typedef void element_fn(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_srcptr w);
typedef struct ref_op {
  const char *text; /* with % for the next argument */
  int arity;
  element_fn *value;
  double (*distance)(double x, double y, double w); /* from the next kink, jump or edge; not positive: there, outside */
  bool kink;                                        /* a kink or a jump, where derivatives are a policy */
} ref_op;

#define VALUE(NAME, ...)                                                              \
  static void NAME##_value(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_srcptr w) { \
    (void)x, (void)y, (void)w;                                                        \
    __VA_ARGS__;                                                                      \
  }
#define DISTANCE(NAME, ...)                                     \
  static double NAME##_distance(double x, double y, double w) { \
    (void)x, (void)y, (void)w;                                  \
    return __VA_ARGS__;                                         \
  }
#define CALL(NAME) VALUE(NAME, mpfr_##NAME(z, x, RN))
#define CALL2(NAME) VALUE(NAME, mpfr_##NAME(z, x, y, RN))

CALL(neg)
CALL(sqr) CALL(sqrt) CALL(cbrt) CALL(abs) CALL(exp) CALL(expm1) CALL(log) CALL(log1p) CALL(sin) CALL(cos) CALL(tan)
    CALL(asin) CALL(acos) CALL(atan) CALL(sinh) CALL(cosh) CALL(tanh) CALL(asinh) CALL(erf) CALL2(add) CALL2(sub)
        CALL2(mul) CALL2(div) CALL2(pow) CALL2(atan2) CALL2(hypot) VALUE(max, mpfr_max(z, x, y, RN);
                                                                         if (mpfr_unordered_p(x, y)) mpfr_set_nan(z))
            VALUE(min, mpfr_min(z, x, y, RN); if (mpfr_unordered_p(x, y))
                      mpfr_set_nan(z)) VALUE(cube, mpfr_pow_ui(z, x, 3, RN)) VALUE(recip, mpfr_ui_div(z, 1, x, RN))
                VALUE(fourth, mpfr_pow_ui(z, x, 4, RN)) VALUE(half, mpfr_sqrt(z, x, RN); if (mpfr_nan_p(x))
                                                                  mpfr_set_nan(z)) VALUE(floor, mpfr_floor(z, x))
                    VALUE(sign, mpfr_set_si(z, mpfr_nan_p(x) ? 0 : mpfr_sgn(x), RN); if (mpfr_nan_p(x)) mpfr_set_nan(z))
                        VALUE(relu, if (mpfr_sgn(x) < 0) mpfr_set_zero(z, 1); else mpfr_set(z, x, RN))
                            VALUE(sigmoid, mpfr_neg(z, x, RN); mpfr_exp(z, z, RN); mpfr_add_ui(z, z, 1, RN);
                                  mpfr_ui_div(z, 1, z, RN)) VALUE(softplus, mpfr_exp(z, x, RN); mpfr_log1p(z, z, RN))
                                VALUE(less, mpfr_set_ui(z, mpfr_less_p(x, y) != 0,
                                                        RN)) VALUE(where, mpfr_set(z, mpfr_zero_p(x) ? w : y, RN))
                                    VALUE(clip, mpfr_max(z, x, y, RN); mpfr_min(z, z, w, RN); if (mpfr_nan_p(x))
                                              mpfr_set_nan(z)) VALUE(xlogy, mpfr_log(z, y, RN);
                                                                     if (mpfr_zero_p(x)) mpfr_set_zero(z, 1);
                                                                     else mpfr_mul(z, x, z, RN))

                                        DISTANCE(smooth, 1) DISTANCE(zero, fabs(x)) DISTANCE(positive, x)
                                            DISTANCE(above_minus_one, x + 1) DISTANCE(divisor, fabs(y))
                                                DISTANCE(difference, fabs(x - y)) DISTANCE(integer, fabs(x - round(x)))
                                                    DISTANCE(unit, 1 - fabs(x)) DISTANCE(pole, fabs(cos(x)))
                                                        DISTANCE(ends, fmin(fmin(fabs(x - y), fabs(x - w)), w - y))
                                                            DISTANCE(corner, hypot(x, y))
                                                                DISTANCE(cut, y < 0 ? fabs(x) : hypot(x, y))
                                                                    DISTANCE(logarithm, y)

#define ROW(TEXT, ARITY, NAME, EDGE) \
  { TEXT, ARITY, NAME##_value, EDGE##_distance, false }
#define KINK(TEXT, ARITY, NAME, WHERE) \
  { TEXT, ARITY, NAME##_value, WHERE##_distance, true }
                                                                        static const
    char *const structured_text[REF_ELEMENTWISE] = {[REF_SUM] = "sum(%)",        [REF_MEAN] = "mean(%)",
                                                    [REF_PROD] = "prod(%)",      [REF_DOT] = "dot(%, %)",
                                                    [REF_STACK] = "stack(%, %)", [REF_CONCAT] = "concat(%, %)",
                                                    [REF_CUMSUM] = "cumsum(%)",  [REF_REDUCE_MAX] = "max(%)",
                                                    [REF_REDUCE_MIN] = "min(%)", [REF_LOGSUMEXP] = "logsumexp(%)",
                                                    [REF_SOFTMAX] = "softmax(%)"};
static const ref_op table[] = {
    ROW("(%^2)", 1, sqr, smooth), /* those before `add` have one argument */
    ROW("(-%)", 1, neg, smooth),
    ROW("(%^3)", 1, cube, smooth),
    ROW("(%**4)", 1, fourth, smooth),
    ROW("(%^0.5)", 1, half, positive),
    ROW("sqrt(%)", 1, sqrt, positive),
    ROW("cbrt(%)", 1, cbrt, zero),
    ROW("recip(%)", 1, recip, zero),
    KINK("abs(%)", 1, abs, zero),
    KINK("sign(%)", 1, sign, zero),
    KINK("floor(%)", 1, floor, integer),
    KINK("relu(%)", 1, relu, zero),
    ROW("exp(%)", 1, exp, smooth),
    ROW("expm1(%)", 1, expm1, smooth),
    ROW("log(%)", 1, log, positive),
    ROW("log1p(%)", 1, log1p, above_minus_one),
    ROW("sin(%)", 1, sin, smooth),
    ROW("cos(%)", 1, cos, smooth),
    ROW("tan(%)", 1, tan, pole),
    ROW("asin(%)", 1, asin, unit),
    ROW("acos(%)", 1, acos, unit),
    ROW("atan(%)", 1, atan, smooth),
    ROW("sinh(%)", 1, sinh, smooth),
    ROW("cosh(%)", 1, cosh, smooth),
    ROW("tanh(%)", 1, tanh, smooth),
    ROW("asinh(%)", 1, asinh, smooth),
    ROW("erf(%)", 1, erf, smooth),
    ROW("sigmoid(%)", 1, sigmoid, smooth),
    ROW("softplus(%)", 1, softplus, smooth),
    ROW("(% + %)", 2, add, smooth),
    ROW("(% - %)", 2, sub, smooth),
    ROW("(% * %)", 2, mul, smooth),
    ROW("(% * %)", 2, mul, smooth),
    ROW("(% / %)", 2, div, divisor),
    ROW("(% ^ %)", 2, pow, positive),
    KINK("max(%, %)", 2, max, difference),
    KINK("min(%, %)", 2, min, difference),
    KINK("atan2(%, %)", 2, atan2, cut),
    KINK("hypot(%, %)", 2, hypot, corner),
    ROW("xlogy(%, %)", 2, xlogy, logarithm),
    ROW("where(%, %, %)", 3, where, smooth),
    KINK("clip(%, %, %)", 3, clip, ends),
    KINK("(% < %)", 2, less, difference),
};
enum { ROWS = sizeof table / sizeof *table };

int ref_op_count(void) {
  return REF_ELEMENTWISE + ROWS;
}

const char *ref_op_text(int op) {
  return op >= REF_ELEMENTWISE ? table[op - REF_ELEMENTWISE].text : structured_text[op];
}

static int find(element_fn *f) {
  int i = 0;
  while (table[i].value != f) i++;
  return REF_ELEMENTWISE + i;
}

int ref_op_less(void) {
  return find(less_value);
}

int ref_op_where(void) {
  return find(where_value);
}

int ref_op_add(void) {
  return find(add_value);
}

/* ---- Graphs */

int ref_elements(const ref_graph *g, int node) {
  return g->node[node].size ? g->node[node].size : 1;
}

int ref_first(const ref_graph *g, int input) {
  int first = 0;
  for (int n = 0; n < input; n++) first += ref_elements(g, n);
  return first;
}

int ref_rows(const ref_graph *g) {
  return ref_elements(g, g->output[0]) + ref_elements(g, g->output[1]);
}

int ref_arity(const ref_node *n) {
  return n->op >= REF_ELEMENTWISE                                        ? table[n->op - REF_ELEMENTWISE].arity
         : n->op == REF_DOT || n->op == REF_STACK || n->op == REF_CONCAT ? 2
                                                                         : n->op > REF_LITERAL;
}

/* ---- Numbers and values */

ref_numbers ref_numbers_new(int count) {
  ref_numbers n = {count, malloc(sizeof *n.v * (size_t)(count + 1))};
  for (int i = 0; i < count; i++) mpfr_init2(n.v[i], REF_BITS), mpfr_set_zero(n.v[i], 1);
  return n;
}

void ref_numbers_free(ref_numbers *n) {
  for (int i = 0; i < n->count; i++) mpfr_clear(n->v[i]);
  free(n->v);
}

void ref_values_init(ref_values *s) {
  for (int n = 0; n < REF_NODES; n++)
    for (int i = 0; i < REF_SIZE; i++) mpfr_init2(s->v[n][i], REF_BITS);
  mpfr_init2(s->t, REF_BITS);
}

void ref_values_clear(ref_values *s) {
  for (int n = 0; n < REF_NODES; n++)
    for (int i = 0; i < REF_SIZE; i++) mpfr_clear(s->v[n][i]);
  mpfr_clear(s->t);
}

/* Element i of an argument: a scalar is there for every element. */
static mpfr_srcptr argument(const ref_graph *g, const ref_values *s, const ref_node *n, int k, int i) {
  return k < ref_arity(n) ? s->v[n->args[k]][g->node[n->args[k]].size ? i : 0] : NULL;
}

static void sum_exponentials(mpfr_t *x, int count, mpfr_ptr z, mpfr_ptr t) {
  mpfr_set_zero(z, 1);
  for (int i = 0; i < count; i++) mpfr_exp(t, x[i], RN), mpfr_add(z, z, t, RN);
}

static void reduce(int op, mpfr_t *x, mpfr_t *y, int count, mpfr_ptr z, mpfr_ptr t) {
  if (op == REF_LOGSUMEXP) {
    sum_exponentials(x, count, z, t);
    mpfr_log(z, z, RN);
    return;
  }
  if (op == REF_DOT)
    mpfr_mul(z, x[0], y[0], RN);
  else
    mpfr_set(z, x[0], RN);
  for (int i = 1; i < count; i++) switch (op) {
      case REF_PROD:
        mpfr_mul(z, z, x[i], RN);
        break;
      case REF_REDUCE_MAX:
        mpfr_max(z, z, x[i], RN);
        break;
      case REF_REDUCE_MIN:
        mpfr_min(z, z, x[i], RN);
        break;
      case REF_DOT:
        mpfr_mul(t, x[i], y[i], RN), mpfr_add(z, z, t, RN);
        break;
      default:
        mpfr_add(z, z, x[i], RN);
    }
  if (op == REF_MEAN) mpfr_div_si(z, z, count, RN);
}

static void move(const ref_graph *g, const ref_node *n, ref_values *s, mpfr_t *z) {
  const int a = n->args[0], length = ref_elements(g, a);
  for (int i = 0; i < (n->size ? n->size : 1); i++) switch (n->op) {
      case REF_GATHER:
        mpfr_set(z[i], s->v[a][n->index[i]], RN);
        break;
      case REF_CUMSUM:
        mpfr_set(z[i], s->v[a][i], RN);
        if (i) mpfr_add(z[i], z[i], z[i - 1], RN);
        break;
      case REF_SOFTMAX:
        sum_exponentials(s->v[a], length, s->t, z[i]);
        mpfr_exp(z[i], s->v[a][i], RN);
        mpfr_div(z[i], z[i], s->t, RN);
        break;
      case REF_STACK:
      case REF_CONCAT:
        mpfr_set(z[i], i < length ? s->v[a][i] : s->v[n->args[1]][i - length], RN);
        break;
      default:
        mpfr_set(z[i], s->v[a][n->index[0] + i], RN); /* REF_SLICE, REF_ELEMENT */
    }
}

void ref_values_evaluate(const ref_graph *g, int k, ref_values *s) {
  const ref_node *n = &g->node[k];
  mpfr_t *z = s->v[k];
  if (n->op >= REF_ELEMENTWISE)
    for (int i = 0; i < ref_elements(g, k); i++)
      table[n->op - REF_ELEMENTWISE].value(z[i], argument(g, s, n, 0, i), argument(g, s, n, 1, i),
                                           argument(g, s, n, 2, i));
  else if (n->op == REF_LITERAL)
    mpfr_set_si(z[0], n->index[0], RN), mpfr_div_si(z[0], z[0], n->index[1], RN);
  else if (n->op != REF_INPUT && !n->size && n->op != REF_ELEMENT)
    reduce(n->op, s->v[n->args[0]], s->v[n->args[1]], ref_elements(g, n->args[0]), z[0], s->t);
  else if (n->op != REF_INPUT)
    move(g, n, s, z);
}

void ref_values_set_inputs(const ref_graph *g, int point, const double *moved, long step, ref_values *s) {
  for (int n = 0, c = 0; n < g->inputs; n++)
    for (int i = 0; i < ref_elements(g, n); i++, c++) {
      mpfr_set_d(s->v[n][i], moved[c], RN);
      mpfr_mul_2si(s->v[n][i], s->v[n][i], step, RN);
      mpfr_add_d(s->v[n][i], s->v[n][i], g->point[point][c], RN);
    }
}

static void evaluate(const ref_graph *g, int point, const double *moved, long step, ref_values *s) {
  ref_values_set_inputs(g, point, moved, step, s);
  for (int n = g->inputs; n < g->nodes; n++) ref_values_evaluate(g, n, s);
}

void ref_evaluate(const ref_graph *g, int point, const double *moved, long step, ref_numbers *out) {
  ref_values s;
  ref_values_init(&s);
  evaluate(g, point, moved, step, &s);
  for (int k = 0, r = 0; k < REF_OUTPUTS; k++)
    for (int i = 0; i < ref_elements(g, g->output[k]); i++) mpfr_set(out->v[r++], s.v[g->output[k]][i], RN);
  ref_values_clear(&s);
}

void ref_derivative(const ref_graph *g, int point, int order, const double *const *direction, long step,
                    ref_numbers *out) {
  ref_numbers one = ref_numbers_new(out->count);
  for (int r = 0; r < out->count; r++) mpfr_set_zero(out->v[r], 1);
  for (unsigned signs = 0; signs < 1u << order; signs++) { /* sum of +-f(x +- h d +- h e ...) */
    double moved[REF_COLUMNS] = {0};
    bool odd = false;
    for (int k = 0; k < order; k++) {
      const bool below = signs >> k & 1;
      for (int c = 0; c < REF_COLUMNS; c++) moved[c] += below ? -direction[k][c] : direction[k][c];
      odd ^= below;
    }
    ref_evaluate(g, point, moved, step, &one);
    for (int r = 0; r < out->count; r++) (odd ? mpfr_sub : mpfr_add)(out->v[r], out->v[r], one.v[r], RN);
  }
  for (int r = 0; r < out->count; r++) mpfr_mul_2si(out->v[r], out->v[r], -order * (step + 1), RN);
  ref_numbers_free(&one);
}

/* ---- Kinks and edges */

/* How far the largest or the smallest element is from the next one. */
static double gap(const ref_values *s, int a, int count, int sign) {
  double best = -INFINITY, next = -INFINITY;
  for (int i = 0; i < count; i++) {
    const double v = sign * mpfr_get_d(s->v[a][i], RN);
    next = fmax(next, fmin(best, v));
    best = fmax(best, v);
  }
  return count > 1 ? best - next : 1;
}

double ref_values_distance(const ref_graph *g, const ref_values *s, int k) {
  const ref_node *n = &g->node[k];
  if (n->op == REF_REDUCE_MAX || n->op == REF_REDUCE_MIN)
    return gap(s, n->args[0], ref_elements(g, n->args[0]), n->op == REF_REDUCE_MAX ? 1 : -1);
  double least = 1;
  for (int i = 0; n->op >= REF_ELEMENTWISE && i < ref_elements(g, k); i++) {
    double x[REF_ARGS] = {0};
    for (int a = 0; a < ref_arity(n); a++) x[a] = mpfr_get_d(argument(g, s, n, a, i), RN);
    const double d = table[n->op - REF_ELEMENTWISE].distance(x[0], x[1], x[2]);
    least = d < least ? d : least;
  }
  return least;
}

static bool has_kink(int op) {
  return op >= REF_ELEMENTWISE ? table[op - REF_ELEMENTWISE].kink : op == REF_REDUCE_MAX || op == REF_REDUCE_MIN;
}

bool ref_kink(const ref_graph *g, int point) {
  static const double still[REF_COLUMNS];
  bool needed[REF_NODES] = {false}, kink = false;
  ref_values s;
  ref_values_init(&s);
  evaluate(g, point, still, 0, &s);
  for (int k = 0; k < REF_OUTPUTS; k++) needed[g->output[k]] = true;
  for (int k = g->nodes - 1; k >= g->inputs; k--) {
    if (!needed[k]) continue;
    for (int a = 0; a < ref_arity(&g->node[k]); a++) needed[g->node[k].args[a]] = true;
    kink |= has_kink(g->node[k].op) && !(ref_values_distance(g, &s, k) > 0);
  }
  ref_values_clear(&s);
  return kink;
}
