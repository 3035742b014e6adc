/* Norms, which several operators take. */
#ifndef AD_ONNX_REDUCTIONS_H
#define AD_ONNX_REDUCTIONS_H

#include "onnx/emit.h"

/* The p-th root of the sum of |x|^p over the axes of a mask. */
ad_onnx_value ad_onnx_norm(ad_onnx_build *b, ad_onnx_value x, int64_t p, unsigned axes, bool keep);
/* x divided by that, for p of 1 or 2; 0 where that is 0. */
ad_onnx_value ad_onnx_normalised(ad_onnx_build *b, ad_onnx_value x, int64_t p, unsigned axes);

#endif
