#include "ir/ops.h"

#include <string.h>

#include "error.h"

static const ad_attr_info attrs_perm[] = {
    {"perm", AD_ATTR_INTS, false, "the argument's axes in the result's order; default: reversed"}};
static const ad_attr_info attrs_shape[] = {{"shape", AD_ATTR_SHAPE, true, "the sizes of the result"}};
static const ad_attr_info attrs_slice[] = {
    {"start", AD_ATTR_INTS, false, "first index of each axis; negative counts from the end; default 0"},
    {"stop", AD_ATTR_INTS, false, "end of each axis (exclusive; -1 - size for before the first); default: the size"},
    {"step", AD_ATTR_INTS, false, "step of each axis, not 0; default 1"},
    {"squeeze", AD_ATTR_INTS, false, "axes of size 1 in the result that are dropped; default: none"}};
static const ad_attr_info attrs_axis0[] = {
    {"axis", AD_ATTR_INT, false, "the axis; negative counts from the end; default 0"}};
static const ad_attr_info attrs_axis_last[] = {
    {"axis", AD_ATTR_INT, false, "the axis; negative counts from the end; default -1"}};
static const ad_attr_info attrs_indices[] = {
    {"indices", AD_ATTR_TENSOR, true, "which elements of the axis; negative counts from the end"},
    {"axis", AD_ATTR_INT, false, "the axis; negative counts from the end; default 0"}};
static const ad_attr_info attrs_reduce[] = {
    {"axis", AD_ATTR_INTS, false, "one axis or a list; negative counts from the end; default: all"},
    {"keepdims", AD_ATTR_BOOL, false, "keep reduced axes with size 1; default no"}};

static const ad_attr_info attrs_zeros[] = {
    {"zeros", AD_ATTR_INTS, false, "the factors (0, 1) whose zeros make a product 0; default both"}};

#define LIST(a) (int)(sizeof(a) / sizeof((a)[0])), a
#define NO_ATTRS 0, NULL
#define ATTRS_PERM LIST(attrs_perm)
#define ATTRS_SHAPE LIST(attrs_shape)
#define ATTRS_SLICE LIST(attrs_slice)
#define ATTRS_AXIS0 LIST(attrs_axis0)
#define ATTRS_AXIS_LAST LIST(attrs_axis_last)
#define ATTRS_INDICES LIST(attrs_indices)
#define ATTRS_REDUCE LIST(attrs_reduce)
#define ATTRS_ZEROS LIST(attrs_zeros)

/* The rows' formulas are kept as text for documentation, so their macros must not expand: they are quoted here, where
 * no arithmetic is in scope. */
#define ULPS(v, p) v, p
static const ad_op_info infos[] = {
    {"input", AD_CLASS_LEAF, 0, 0, NULL, "", "a value from outside", {0}, "", 0, 0, "an input", 0, NULL},
    {"constant", AD_CLASS_LEAF, 0, 0, NULL, "", "a number or tensor", {0}, "", 0, 0, "a constant", 0, NULL},
#define UNARY(ID, name, v, dx, smooth, where, ulps, domain, doc) \
  {name, AD_CLASS_ELEMENT, 1, 1, NULL, "x", #v, {#dx, NULL, NULL}, domain, ulps, doc, 0, NULL},
#define BINARY(ID, name, args, dflt, v, dx, dy, smooth, where, ulps, domain, doc) \
  {name, AD_CLASS_ELEMENT, (dflt) ? 1 : 2, 2, dflt, args, #v, {#dx, #dy, NULL}, domain, ulps, doc, 0, NULL},
#define LOWERED(ID, name, args, dflt, v, dx, dy, smooth, where, ulps, domain, doc) \
  {name, AD_CLASS_LOWERED, 2, 2, dflt, args, #v, {#dx, #dy, NULL}, domain, ulps, doc, 0, NULL},
#define TERNARY(ID, name, args, v, dx, dy, dw, smooth, where, ulps, domain, doc) \
  {name, AD_CLASS_ELEMENT, 3, 3, NULL, args, #v, {#dx, #dy, #dw}, domain, ulps, doc, 0, NULL},
#define STRUCTURED(ID, name, lo, hi, args, attrs, infer, kernel, v, doc) \
  {name, AD_CLASS_STRUCTURED, lo, hi, NULL, args, v, {0}, "", 0, 0, doc, attrs},
#include "ops.def"
};

#define LINEAR AD_LINEAR
#define SMOOTH AD_SMOOTH
#define COSTLY AD_COSTLY
#define BRANCH AD_BRANCH
#define STEP AD_STEP
#define FIRST(a, ...) a
const ad_op_rule ad_op_rules[] = {
    {AD_SMOOTH, AD_KERNEL_NONE, 0, 0, NULL},
    {AD_SMOOTH, AD_KERNEL_NONE, 0, 0, NULL},
#define UNARY(ID, name, v, dx, smooth, ...) {smooth, AD_KERNEL_ELEMENT, 1, 0, NULL},
#define BINARY(ID, name, args, dflt, v, dx, dy, smooth, ...) {smooth, AD_KERNEL_ELEMENT, 2, 0, NULL},
#define LOWERED(ID, name, args, dflt, v, dx, dy, smooth, ...) {smooth, AD_KERNEL_ELEMENT, 2, 0, NULL},
#define TERNARY(ID, name, args, v, dx, dy, dw, smooth, ...) {smooth, AD_KERNEL_ELEMENT, 3, 0, NULL},
#define STRUCTURED(ID, name, lo, hi, args, attrs, infer, kernel, ...) \
  {AD_SMOOTH, AD_KERNEL_##kernel, 0, FIRST(attrs, ), infer},
#include "ops.def"
};

size_t ad_op_count(void) {
  return AD_OP_COUNT;
}

const ad_op_info *ad_op_get(ad_op op) {
  return op < AD_OP_COUNT ? &infos[op] : NULL;
}

ad_op ad_op_find(const char *name) {
  for (ad_op i = 0; name && i < AD_OP_COUNT; i++)
    if (!strcmp(infos[i].name, name)) return i;
  return AD_NO_OP;
}

static const char *next_name(const void *context, size_t i) {
  static const char none[] = "";
  (void)context;
  if (i + AD_OP_NEG >= AD_OP_COUNT) return NULL;
  return infos[i + AD_OP_NEG].cls == AD_CLASS_LOWERED ? none : infos[i + AD_OP_NEG].name;
}

/* What other systems call it. */
static const char *const elsewhere[][2] = {
    {"ln", "log"},
    {"square", "sqr"},
    {"reciprocal", "recip"},
    {"power", "pow"},
    {"arcsin", "asin"},
    {"arccos", "acos"},
    {"arctan", "atan"},
    {"arctan2", "atan2"},
    {"arcsinh", "asinh"},
    {"arccosh", "acosh"},
    {"arctanh", "atanh"},
    {"maximum", "max"},
    {"minimum", "min"},
    {"amax", "max"},
    {"amin", "min"},
    {"if", "where"},
    {"ifelse", "where"},
    {"select", "where"},
    {"mod", "rem"},
    {"fmod", "rem"},
    {"gammaln", "lgamma"},
    {"psi", "digamma"},
    {"expit", "sigmoid"},
    {"logistic", "sigmoid"},
    {"swish", "silu"},
    {"heaviside", "where"},
    {"product", "prod"},
    {"average", "mean"},
    {"mm", "matmul"},
    {"concatenate", "concat"},
    {"cat", "concat"},
    {"permute", "transpose"},
    {"take", "gather"},
    {"fabs", "abs"},
    {"log_softmax", "logsumexp"},
};

const char *ad_op_suggest(const char *name) {
  if (!name) return NULL;
  for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
    if (!strcmp(name, elsewhere[i][0])) return elsewhere[i][1];
  return ad_suggest(name, next_name, NULL);
}

unsigned ad_op_depends(ad_op op) {
  unsigned bits = 0;
  for (unsigned k = 0; k < 3; k++)
    if (infos[op].partial[k] && (*infos[op].partial[k] != 'Z' || strcmp(infos[op].partial[k], "ZERO"))) bits |= 1u << k;
  return bits;
}

unsigned ad_op_curvature(ad_op op) {
  const unsigned xx = AD_SECOND(0, 0), xy = AD_SECOND(0, 1), yy = AD_SECOND(1, 1);
  switch (op) { /* those that are linear in an argument, or curved between kinks */
    case AD_OP_MUL:
    case AD_OP_MUL_NO_NAN:
    case AD_OP_MUL_OR_ZERO:
    case AD_OP_LEAKY_RELU:
      return xy;
    case AD_OP_DIV:
    case AD_OP_XLOGY:
      return xy | yy;
    case AD_OP_HYPOT:
      return xx | xy | yy;
    default:
      break;
  }
  const ad_smoothness smooth = ad_op_rules[op].smoothness;
  if (smooth != AD_SMOOTH && smooth != AD_COSTLY) return 0;
  return ad_op_rules[op].nargs == 1 ? xx : xx | xy | yy;
}
