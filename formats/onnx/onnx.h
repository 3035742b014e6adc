/* ONNX models: neural networks as frameworks save them (onnx.ai/onnx: IR and operators). */
#ifndef AD_ONNX_H
#define AD_ONNX_H

#include "beside.h"

bool ad_onnx_sniff(const void *bytes, size_t size);
/* What is an input, what a constant, and which operators there are: see the manual, ONNX.  file: where the bytes come
 * from, as weights may lie in files beside it; NULL: from nowhere, and such weights are an error. */
ad_status ad_onnx_read(ad_graph **g, const void *bytes, size_t size, const char *file, size_t count,
                       const ad_binding *bindings, const ad_limits *limits, ad_error *e);
bool ad_onnx_beside(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context);

#endif
