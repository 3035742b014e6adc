#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "reference_table.h"

#define RN MPFR_RNDN

/* ---- Functions that MPFR does not have */

static int cube(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  return mpfr_pow_ui(z, x, 3, r);
}

static int fourth(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  return mpfr_pow_ui(z, x, 4, r);
}

static int recip(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  return mpfr_ui_div(z, 1, x, r);
}

static int whole(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  (void)r;
  return mpfr_floor(z, x);
}

static int sign(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  return mpfr_nan_p(x) ? mpfr_set(z, x, r) : mpfr_set_si(z, mpfr_sgn(x), r);
}

static int relu(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  return mpfr_cmp_ui(x, 0) < 0 ? mpfr_set_ui(z, 0, r) : mpfr_set(z, x, r);
}

static int sigmoid(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  mpfr_neg(z, x, r);
  mpfr_exp(z, z, r);
  mpfr_add_ui(z, z, 1, r);
  return mpfr_ui_div(z, 1, z, r);
}

static int softplus(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r) {
  mpfr_exp(z, x, r);
  return mpfr_log1p(z, z, r);
}

/* MPFR's own take the number beside a nan. */
static int larger(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_rnd_t r) {
  return mpfr_unordered_p(x, y) ? mpfr_add(z, x, y, r) : mpfr_max(z, x, y, r);
}

static int smaller(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_rnd_t r) {
  return mpfr_unordered_p(x, y) ? mpfr_add(z, x, y, r) : mpfr_min(z, x, y, r);
}

static int less(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_rnd_t r) {
  return mpfr_set_ui(z, mpfr_less_p(x, y) != 0, r);
}

static int xlogy(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_rnd_t r) {
  mpfr_log(z, y, r);
  return mpfr_zero_p(x) ? mpfr_set_ui(z, 0, r) : mpfr_mul(z, x, z, r);
}

static int where(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_srcptr w, mpfr_rnd_t r) {
  return mpfr_set(z, mpfr_zero_p(x) ? w : y, r);
}

static int clip(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_srcptr w, mpfr_rnd_t r) {
  larger(z, x, y, r);
  return smaller(z, z, w, r);
}

/* ---- The table */

/* Where an operation kinks, jumps or ends; those up to KINKS have derivatives there that are a policy. */
typedef enum edge {
  AT_ZERO,
  AT_INTEGERS,
  AT_EQUAL,
  AT_ENDS,
  AT_CORNER,
  AT_CUT,
  KINKS = AT_CUT,
  NOWHERE,
  VERTICAL,
  POSITIVE,
  ABOVE_MINUS_ONE,
  UNIT,
  POLE,
  DIVISOR,
  LOGARITHM
} edge;

/* How far it is from there; not positive: there, or outside. */
static double distance_from(edge e, double x, double y, double w) {
  switch (e) {
    case AT_ZERO:
    case VERTICAL:
      return fabs(x);
    case AT_INTEGERS:
      return fabs(x - round(x));
    case AT_EQUAL:
      return fabs(x - y);
    case AT_ENDS:
      return fmin(fmin(fabs(x - y), fabs(x - w)), w - y);
    case AT_CORNER:
      return hypot(x, y);
    case AT_CUT:
      return y < 0 ? fabs(x) : hypot(x, y);
    case POSITIVE:
      return x;
    case ABOVE_MINUS_ONE:
      return x + 1;
    case UNIT:
      return 1 - fabs(x);
    case POLE:
      return fabs(cos(x));
    case DIVISOR:
      return fabs(y);
    case LOGARITHM:
      return y;
    default:
      return 1;
  }
}

typedef struct ref_op {
  const char *text; /* with % for the next argument */
  edge edge;
  bool avoid; /* by special graphs, at the edge: methods are known to differ there, see check_agreement.c */
  int (*unary)(mpfr_ptr z, mpfr_srcptr x, mpfr_rnd_t r);
  int (*binary)(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_rnd_t r);
  int (*ternary)(mpfr_ptr z, mpfr_srcptr x, mpfr_srcptr y, mpfr_srcptr w, mpfr_rnd_t r);
} ref_op;

static const char *const structured_text[REF_ELEMENTWISE] = {
    [REF_SUM] = "sum(%)",         [REF_MEAN] = "mean(%)",
    [REF_PROD] = "prod(%)",       [REF_DOT] = "dot(%, %)",
    [REF_STACK] = "stack(%, %)",  [REF_CONCAT] = "concat(%, %)",
    [REF_CUMSUM] = "cumsum(%)",   [REF_REDUCE_MAX] = "max(%)",
    [REF_REDUCE_MIN] = "min(%)",  [REF_LOGSUMEXP] = "logsumexp(%)",
    [REF_SOFTMAX] = "softmax(%)",
};

enum { LESS, WHERE, ADD };
static const ref_op table[] = {
    [LESS] = {"(% < %)", AT_EQUAL, .binary = less},
    [WHERE] = {"where(%, %, %)", NOWHERE, .ternary = where},
    [ADD] = {"(% + %)", NOWHERE, .binary = mpfr_add},
    {"(% - %)", NOWHERE, .binary = mpfr_sub},
    {"(% * %)", NOWHERE, .binary = mpfr_mul},
    {"(% / %)", DIVISOR, .binary = mpfr_div},
    {"(% ^ %)", POSITIVE, true, .binary = mpfr_pow},
    {"max(%, %)", AT_EQUAL, .binary = larger},
    {"min(%, %)", AT_EQUAL, .binary = smaller},
    {"atan2(%, %)", AT_CUT, .binary = mpfr_atan2},
    {"hypot(%, %)", AT_CORNER, true, .binary = mpfr_hypot},
    {"xlogy(%, %)", LOGARITHM, true, .binary = xlogy},
    {"clip(%, %, %)", AT_ENDS, .ternary = clip},
    {"(%^2)", NOWHERE, .unary = mpfr_sqr},
    {"(-%)", NOWHERE, .unary = mpfr_neg},
    {"(%^3)", NOWHERE, .unary = cube},
    {"(%**4)", NOWHERE, .unary = fourth},
    {"(%^0.5)", POSITIVE, .unary = mpfr_sqrt},
    {"sqrt(%)", POSITIVE, .unary = mpfr_sqrt},
    {"cbrt(%)", VERTICAL, .unary = mpfr_cbrt},
    {"recip(%)", VERTICAL, .unary = recip},
    {"abs(%)", AT_ZERO, .unary = mpfr_abs},
    {"sign(%)", AT_ZERO, .unary = sign},
    {"floor(%)", AT_INTEGERS, .unary = whole},
    {"relu(%)", AT_ZERO, .unary = relu},
    {"exp(%)", NOWHERE, .unary = mpfr_exp},
    {"expm1(%)", NOWHERE, .unary = mpfr_expm1},
    {"log(%)", POSITIVE, .unary = mpfr_log},
    {"log1p(%)", ABOVE_MINUS_ONE, .unary = mpfr_log1p},
    {"sin(%)", NOWHERE, .unary = mpfr_sin},
    {"cos(%)", NOWHERE, .unary = mpfr_cos},
    {"tan(%)", POLE, .unary = mpfr_tan},
    {"asin(%)", UNIT, .unary = mpfr_asin},
    {"acos(%)", UNIT, .unary = mpfr_acos},
    {"atan(%)", NOWHERE, .unary = mpfr_atan},
    {"sinh(%)", NOWHERE, .unary = mpfr_sinh},
    {"cosh(%)", NOWHERE, .unary = mpfr_cosh},
    {"tanh(%)", NOWHERE, .unary = mpfr_tanh},
    {"asinh(%)", NOWHERE, .unary = mpfr_asinh},
    {"erf(%)", NOWHERE, .unary = mpfr_erf},
    {"sigmoid(%)", NOWHERE, .unary = sigmoid},
    {"softplus(%)", NOWHERE, .unary = softplus},
};
enum { ROWS = sizeof table / sizeof *table };

int ref_op_count(void) {
  return REF_ELEMENTWISE + ROWS;
}

const char *ref_op_text(int op) {
  return op >= REF_ELEMENTWISE ? table[op - REF_ELEMENTWISE].text : structured_text[op];
}

bool ref_op_avoided(int op) {
  return op >= REF_ELEMENTWISE ? table[op - REF_ELEMENTWISE].avoid : op == REF_SOFTMAX;
}

int ref_op_less(void) {
  return REF_ELEMENTWISE + LESS;
}

int ref_op_where(void) {
  return REF_ELEMENTWISE + WHERE;
}

int ref_op_add(void) {
  return REF_ELEMENTWISE + ADD;
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
  if (n->op < REF_ELEMENTWISE)
    return n->op == REF_DOT || n->op == REF_STACK || n->op == REF_CONCAT ? 2 : n->op > REF_LITERAL;
  const ref_op *o = &table[n->op - REF_ELEMENTWISE];
  return o->unary ? 1 : o->binary ? 2 : 3;
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
        larger(z, z, x[i], RN);
        break;
      case REF_REDUCE_MIN:
        smaller(z, z, x[i], RN);
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

static void evaluate_element(const ref_graph *g, const ref_node *n, int i, const ref_values *s, mpfr_ptr z) {
  const ref_op *o = &table[n->op - REF_ELEMENTWISE];
  mpfr_srcptr x = argument(g, s, n, 0, i), y = argument(g, s, n, 1, i), w = argument(g, s, n, 2, i);
  if (o->unary)
    o->unary(z, x, RN);
  else if (o->binary)
    o->binary(z, x, y, RN);
  else
    o->ternary(z, x, y, w, RN);
}

void ref_values_evaluate(const ref_graph *g, int k, ref_values *s) {
  const ref_node *n = &g->node[k];
  mpfr_t *z = s->v[k];
  if (n->op >= REF_ELEMENTWISE)
    for (int i = 0; i < ref_elements(g, k); i++) evaluate_element(g, n, i, s, z[i]);
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
    const double d = distance_from(table[n->op - REF_ELEMENTWISE].edge, x[0], x[1], x[2]);
    least = d < least ? d : least;
  }
  return least;
}

static bool has_kink(int op) {
  return op >= REF_ELEMENTWISE ? table[op - REF_ELEMENTWISE].edge <= KINKS
                               : op == REF_REDUCE_MAX || op == REF_REDUCE_MIN;
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
