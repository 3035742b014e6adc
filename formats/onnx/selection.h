/* Indices that are computed, or inputs: elements are chosen by weights 1 and 0. */
#ifndef AD_ONNX_SELECTION_H
#define AD_ONNX_SELECTION_H

#include "onnx/emit.h"

/* Neither known nor a weight. */
static inline bool ad_onnx_is_computed(const ad_onnx_value *v) {
  return v->type && !v->data && !v->tensor;
}

/* 0, 1 ... n - 1. */
ad_onnx_value ad_onnx_iota(ad_onnx_build *b, int type, int64_t n);
/* x - k for k = 0 ... n - 1, along a new last axis: 0 where x is k. */
ad_onnx_value ad_onnx_offsets(ad_onnx_build *b, ad_onnx_value x, int64_t n);
/* 1 where the condition, 1 or 0 in each element, holds for the first or last time along an axis; of a real type. */
ad_onnx_value ad_onnx_first(ad_onnx_build *b, ad_onnx_value condition, int axis, bool last);
/* x[..., index, ...] by computed indices; what is out of range becomes nan. */
ad_onnx_value ad_onnx_take(ad_onnx_build *b, ad_onnx_value x, int axis, ad_onnx_value index);

#endif
