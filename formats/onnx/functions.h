/* Functions that a model defines for itself (ModelProto.functions): operators whose calls are lowered inline. */
#ifndef AD_ONNX_FUNCTIONS_H
#define AD_ONNX_FUNCTIONS_H

#include "onnx/operators.h"

/* Takes them up; they may stand in any order, and live until cleared. */
void ad_onnx_functions_read(ad_onnx_build *b, const Onnx__ModelProto *m);
void ad_onnx_functions_clear(ad_onnx_build *b);
/* The function that a node calls; NULL: none, an operator of ONNX. */
const ad_onnx_function *ad_onnx_function_of(ad_onnx_build *b, const Onnx__NodeProto *n);
void ad_onnx_function_call(ad_onnx_build *b, ad_onnx_call *c, const ad_onnx_function *f);
/* An attribute of a node in a function: where it refers to one of the function's, that of the call, or its default;
 * NULL: not given.  *moved: it is that of a call. */
const Onnx__AttributeProto *ad_onnx_attribute(const ad_onnx_frame *frame, const Onnx__NodeProto *n, const char *name,
                                              bool *moved);

#endif
