/* The words of ops.def as operations of a graph: a row's partial derivatives become nodes.  Included by
 * derive/symbolic_element.c only: the names are short.
 *
 * A condition is a node that is 0 or 1.  No constant is rounded: what is no double is an operation on doubles and pi.
 * The words that stand for one function here and another one there (POW_PARTIAL ...) are formulas that neither overflow
 * nor make a nan where the result is finite, and whose own derivatives are right at the points that they single out. */
#ifndef AD_TRACE_H
#define AD_TRACE_H

#include <math.h>

#include "arith/emit.h"

typedef ad_sym V;
#define CX ad_emit

#define NUM(n) ad_emit_num(cx, n)
#define ZERO NUM(0.0)
#define ONE NUM(1.0)
#define HALF NUM(0.5)
#define PI ad_emit_pi(cx)
#define LN2 LOG(NUM(2.0))
#define LN10 LOG(NUM(10.0))
#define TWO_OVER_SQRT_PI DIV(NUM(2.0), SQRT(PI))
#define NAN_VALUE NUM((double)NAN)
#define NONE NAN_VALUE
#define KINK_ABS NUM(cx->kinks.abs_at_zero)
#define KINK_RELU NUM(cx->kinks.relu_at_zero)
#define TIE_FIRST NUM(cx->kinks.ties == AD_TIES_SHARE ? 0.5 : cx->kinks.ties == AD_TIES_FIRST ? 1.0 : 0.0)

#define OP1(ID, a) ad_emit_1(cx, AD_OP_##ID, a)
#define OP2(ID, a, b) ad_emit_2(cx, AD_OP_##ID, a, b)
#define LT(a, b) OP2(LESS, a, b)
#define LE(a, b) OP2(LESS_EQUAL, a, b)
#define GT(a, b) OP2(GREATER, a, b)
#define GE(a, b) OP2(GREATER_EQUAL, a, b)
#define EQ(a, b) OP2(EQUAL, a, b)
#define NE(a, b) OP2(NOT_EQUAL, a, b)
#define AND(a, b) OP2(MUL, a, b)
#define OR(a, b) SELECT(a, ONE, b)
#define SELECT(c, a, b) ad_emit_3(cx, AD_OP_WHERE, c, a, b)

#define NEG(a) OP1(NEG, a)
#define ADD(a, b) OP2(ADD, a, b)
#define SUB(a, b) trace_sub(cx, a, b)
#define MUL(a, b) OP2(MUL, a, b)
#define MUL_NO_NAN(a, b) OP2(MUL_NO_NAN, a, b)
#define CORNER(a) SQRT(SQR(a)) /* whose slope at 0 is infinite */
#define DIV(a, b) OP2(DIV, a, b)
#define RECIP(a) OP1(RECIP, a)
#define SQR(a) OP1(SQR, a)
#define POW(a, b) OP2(POW, a, b)
#define POW_PARTIAL(a, b, z) trace_pow_partial(cx, a, b, z)
#define POWI_PARTIAL(a, b) trace_powi_partial(cx, a, b)
#define SQRT(a) OP1(SQRT, a)
#define CBRT(a) OP1(CBRT, a)
#define HYPOT(a, b) OP2(HYPOT, a, b)
#define HYPOT_PARTIAL(a, b, z) trace_hypot_partial(cx, a, b, z)
#define ABS(a) OP1(ABS, a)
#define SIGN(a) OP1(SIGN, a)
#define FLOOR(a) OP1(FLOOR, a)
#define CEIL(a) OP1(CEIL, a)
#define ROUND(a) OP1(ROUND, a)
#define TRUNC(a) OP1(TRUNC, a)
#define REM(a, b) OP2(REM, a, b)
#define MAX(a, b) OP2(MAX, a, b)
#define MIN(a, b) OP2(MIN, a, b)
#define EXP(a) OP1(EXP, a)
#define EXPM1(a) OP1(EXPM1, a)
#define EXP2(a) OP1(EXP2, a)
#define LOG(a) OP1(LOG, a)
#define LOG1P(a) OP1(LOG1P, a)
#define LOG2(a) OP1(LOG2, a)
#define LOG10(a) OP1(LOG10, a)
#define XLOGY(a, b) OP2(XLOGY, a, b)
#define SIN(a) OP1(SIN, a)
#define COS(a) OP1(COS, a)
#define TAN(a) OP1(TAN, a)
#define ASIN(a) OP1(ASIN, a)
#define ACOS(a) OP1(ACOS, a)
#define ATAN(a) OP1(ATAN, a)
#define ATAN2(a, b) OP2(ATAN2, a, b)
#define OVER_SQUARED_NORM(c, a, b) trace_over_squared_norm(cx, c, a, b)
#define SINH(a) OP1(SINH, a)
#define COSH(a) OP1(COSH, a)
#define TANH(a) OP1(TANH, a)
#define SECH(a) OP1(SECH, a)
#define SECH_SQUARED(a) SQR(SECH(a))
#define SECH_PARTIAL(a, z) NEG(MUL(z, TANH(a)))
#define ASINH(a) OP1(ASINH, a)
#define ACOSH(a) OP1(ACOSH, a)
#define ATANH(a) OP1(ATANH, a)
#define ERF(a) OP1(ERF, a)
#define ERFC(a) OP1(ERFC, a)
#define GAUSS(a) OP1(GAUSS, a)
#define LGAMMA(a) OP1(LGAMMA, a)
#define DIGAMMA(a) OP1(DIGAMMA, a)
#define POLYGAMMA(n, a) OP2(POLYGAMMA, n, a)
#define SIGMOID(a) OP1(SIGMOID, a)
#define SOFTPLUS(a) OP1(SOFTPLUS, a)
#define SILU(a) OP1(SILU, a)
#define SILU_PARTIAL(a) trace_silu_partial(cx, a)
#define GELU(a) OP1(GELU, a)
#define GELU_PARTIAL(a) trace_gelu_partial(cx, a)

/* Of two numbers a number: what the rows subtract of policies is exact. */
static inline V trace_sub(CX *cx, V a, V b) {
  double x, y;
  if (ad_emit_is_number(cx, a, &x) && ad_emit_is_number(cx, b, &y)) return NUM(x - y);
  return OP2(SUB, a, b);
}

/* An x other than 0 and infinities. */
static inline V trace_inside(CX *cx, V x) {
  return AND(NE(x, ZERO), LT(ABS(x), NUM((double)INFINITY)));
}

/* y z / x for |y| >= 2^53, where y - 1 may round to y and lose the parity.  Where z / x is 0/0 or inf/inf, z x has its
 * size and sign. */
static inline V trace_far_power_partial(CX *cx, V x, V y, V z) {
  const V yz = MUL(y, z);
  return SELECT(OR(trace_inside(cx, x), LT(y, ZERO)), DIV(yz, x), MUL(yz, x));
}

/* y x^(y-1).  y - 1 is exact from y = 1/2 to 2^53; beyond, y z / x is as good, and has the right sign.  Where z is nan,
 * by a negative base or by the policy for pow(0, 0), a rounded y - 1 does not hide it. */
static inline V trace_pow_partial(CX *cx, V x, V y, V z) {
  const ad_node node = ad_emit_node(cx, y);
  if (cx->status) return AD_SYM_NONE;
  const bool constant = ad_graph_node_op(cx->g, node) == AD_OP_CONSTANT && ad_graph_node_values(cx->g, node).count == 1;
  const double v = constant ? ad_graph_node_values(cx->g, node).value[0] : 0, size = fabs(v);
  if (constant && v >= 0.5 && v < 0x1p53) return MUL(y, POW(x, SUB(y, ONE)));
  /* Of other than integers y - 1 may round to an odd number, which sees the sign of -0; -0 + 0 is 0. */
  const V base = SELECT(EQ(FLOOR(y), y), x, ADD(x, ZERO));
  const V power = MUL(y, POW(base, SUB(y, ONE))), inside = trace_inside(cx, x), from_z = DIV(MUL(y, z), x);
  if (constant && size > 0 && size < 0.5) return SELECT(inside, from_z, power);
  const V near = SELECT(inside, from_z, SELECT(EQ(y, ZERO), ZERO, power)), far = trace_far_power_partial(cx, x, y, z);
  const V partial = SELECT(LT(ABS(y), HALF), near, SELECT(LT(ABS(y), NUM(0x1p53)), power, far));
  return SELECT(LE(ABS(z), NUM((double)INFINITY)), partial, z);
}

/* A constant like the node n, with f of each of its numbers. */
static inline V trace_map_constant(CX *cx, ad_node n, double f(double)) {
  const ad_values v = ad_graph_node_values(cx->g, n);
  const ad_shape shape = *ad_graph_node_shape(cx->g, n);
  if (v.count == 1 && !shape.rank) return NUM(f(v.value[0]));
  ad_numbers *numbers = ad_numbers_new();
  ad_node out = AD_NO_NODE;
  ad_status s = numbers ? AD_OK : AD_ENOMEM;
  for (size_t i = 0; !s && i < v.count; i++) s = ad_numbers_push_double(numbers, f(v.value[i]), cx->e);
  if (!s) s = ad_graph_constant(cx->g, &out, &shape, numbers, AD_EXACT, cx->e);
  ad_numbers_free(numbers);
  return ad_emit_fail(cx, s) ? AD_SYM_NONE : out;
}

static inline double trace_less_one(double n) {
  return n == 0 || n == 1 ? 1 : n - 1;
}

static inline double trace_is_low(double n) {
  return n == 0 || n == 1;
}

/* n x^(n-1) for a constant of integers: 0 for n = 0 and 1 for n = 1 whatever x is. */
static inline V trace_powi_partial(CX *cx, V x, V n) {
  const ad_node node = ad_emit_node(cx, n);
  if (cx->status) return AD_SYM_NONE;
  const ad_values v = ad_graph_node_values(cx->g, node);
  bool low = false, all_low = true, two = true;
  for (size_t i = 0; i < v.count; i++) {
    low = low || trace_is_low(v.value[i]);
    all_low = all_low && trace_is_low(v.value[i]);
    two = two && v.value[i] == 2;
  }
  if (v.count == 1 && all_low) return NUM(v.value[0]);
  if (all_low) return n;
  if (two) return ADD(x, x);
  const V power = MUL(n, POW(x, trace_map_constant(cx, node, trace_less_one)));
  return low ? SELECT(trace_map_constant(cx, node, trace_is_low), n, power) : power;
}

/* a / z; where z overflows in double, half of each. */
static inline V trace_hypot_partial(CX *cx, V a, V b, V z) {
  const V half = MUL(HALF, a), halves = DIV(half, HYPOT(half, MUL(HALF, b)));
  return SELECT(LT(z, NUM((double)INFINITY)), DIV(a, z), halves);
}

/* c / (a^2 + b^2), c one of them, by a hypotenuse that does not overflow. */
static inline V trace_over_squared_norm(CX *cx, V c, V a, V b) {
  V scale = SELECT(OR(GT(ABS(a), ONE), GT(ABS(b), ONE)), HALF, ONE), h = HYPOT(MUL(scale, a), MUL(scale, b));
  return MUL(scale, DIV(DIV(MUL(scale, c), h), h));
}

/* s(x) (1 + x s(-x)), s the sigmoid */
static inline V trace_silu_partial(CX *cx, V x) {
  return MUL_NO_NAN(ADD(ONE, MUL_NO_NAN(x, SIGMOID(NEG(x)))), SIGMOID(x));
}

/* Phi(x) + x exp(-x^2/2) / sqrt(2 pi); exp(-x^2/2) is exp(-(x/2)^2) squared, where x/2 is exact. */
static inline V trace_gelu_partial(CX *cx, V x) {
  V phi = DIV(SQR(GAUSS(MUL(HALF, x))), SQRT(MUL(NUM(2.0), PI)));
  return ADD(MUL(HALF, ERFC(NEG(DIV(x, SQRT(NUM(2.0)))))), MUL_NO_NAN(x, phi));
}

#endif
