/* The words of ops.def as arith/series.inc has them: what the partials need.  Behind this header the arithmetic's own
 * are gone; AND, OR, NOT and SELECT choose by coefficient 0 as they are. */
#undef ZERO
#undef ONE
#undef HALF
#undef NUM
#undef LN2
#undef LN10
#undef TWO_OVER_SQRT_PI
#undef NAN_VALUE
#undef NONE
#undef KINK_ABS
#undef KINK_RELU
#undef TIE_FIRST
#undef LT
#undef LE
#undef GT
#undef GE
#undef EQ
#undef NE
#undef NEG
#undef ADD
#undef SUB
#undef MUL
#undef DIV
#undef RECIP
#undef SQR
#undef SQRT
#undef ABS
#undef SIGN
#undef ROUND
#undef EXP
#undef LOG
#undef SIN
#undef COS
#undef SINH
#undef COSH
#undef SECH_SQUARED
#undef SECH_PARTIAL
#undef GAUSS
#undef CORNER
#undef HYPOT
#undef HYPOT_PARTIAL
#undef OVER_SQUARED_NORM
#undef POW_PARTIAL
#undef SIGMOID
#undef SILU_PARTIAL
#undef GELU_PARTIAL
#undef POLYGAMMA
#undef DIGAMMA
#undef POWI_PARTIAL

#define ZERO FN(series_zero)(cx)
#define ONE FN(series_num)(cx, 1)
#define HALF FN(series_half)(cx)
#define NUM(n) FN(series_num)(cx, n)
#define LN2 FN(series_ln2)(cx)
#define LN10 FN(series_ln10)(cx)
#define TWO_OVER_SQRT_PI FN(series_two_over_sqrt_pi)(cx)
#define NAN_VALUE FN(series_nan)(cx)
#define NONE FN(series_nan)(cx)
#define KINK_ABS FN(series_kink_abs)(cx)
#define KINK_RELU FN(series_kink_relu)(cx)
#define TIE_FIRST FN(series_tie_first)(cx)

#define LT(a, b) FN(series_lt)(cx, a, b)
#define LE(a, b) FN(series_le)(cx, a, b)
#define GT(a, b) FN(series_gt)(cx, a, b)
#define GE(a, b) FN(series_ge)(cx, a, b)
#define EQ(a, b) FN(series_eq)(cx, a, b)
#define NE(a, b) FN(series_ne)(cx, a, b)

#define NEG(a) FN(series_neg)(cx, a)
#define ADD(a, b) FN(series_add)(cx, a, b)
#define SUB(a, b) FN(series_sub)(cx, a, b)
#define MUL(a, b) FN(series_mul)(cx, a, b)
#define DIV(a, b) FN(series_div)(cx, a, b)
#define RECIP(a) FN(series_recip)(cx, a)
#define SQR(a) FN(series_sqr)(cx, a)
#define SQRT(a) FN(series_sqrt)(cx, a)
#define ABS(a) FN(series_abs)(cx, a)
#define SIGN(a) FN(series_sign)(cx, a)
#define ROUND(a) FN(series_round)(cx, a)
#define EXP(a) FN(series_exp)(cx, a)
#define LOG(a) FN(series_log)(cx, a)
#define SIN(a) FN(series_sin)(cx, a)
#define COS(a) FN(series_cos)(cx, a)
#define SINH(a) FN(series_sinh)(cx, a)
#define COSH(a) FN(series_cosh)(cx, a)
#define SECH_SQUARED(a) FN(series_sech_squared)(cx, a)
#define SECH_PARTIAL(a, z) FN(series_sech_partial)(cx, a, z)
#define GAUSS(a) FN(series_gauss)(cx, a)
#define CORNER(a) FN(series_corner)(cx, a)
#define HYPOT(a, b) FN(series_hypot)(cx, a, b)
#define HYPOT_PARTIAL(a, b, z) FN(series_hypot_partial)(cx, a, b, z)
#define OVER_SQUARED_NORM(c, a, b) FN(series_over_squared_norm)(cx, c, a, b)
#define POW_PARTIAL(a, b, z) FN(series_pow_partial)(cx, a, b, z)
#define SIGMOID(a) FN(series_sigmoid)(cx, a)
#define SILU_PARTIAL(a) FN(series_silu_partial)(cx, a)
#define GELU_PARTIAL(a) FN(series_gelu_partial)(cx, a)
#define POLYGAMMA(n, a) FN(series_polygamma)(cx, n, a)
#define DIGAMMA(a) POLYGAMMA(ZERO, a)
#define POWI_PARTIAL(a, b) POW_PARTIAL(a, b, z) /* z: the row's value */
