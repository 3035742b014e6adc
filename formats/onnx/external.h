/* Tensors whose bytes lie in files beside the model (TensorProto.external_data). */
#ifndef AD_ONNX_EXTERNAL_H
#define AD_ONNX_EXTERNAL_H

#include "onnx/build.h"

bool ad_onnx_is_external(const Onnx__TensorProto *t);
/* Opens the tensor's file, which must lie in the model's folder or below, and checks that so many bytes of it are the
 * tensor's.  *offset: where they start.  False after a failure. */
bool ad_onnx_external_open(ad_onnx_build *b, const Onnx__TensorProto *t, uint64_t bytes, uint64_t *offset);
/* Reads from the file that was opened last; false after a failure. */
bool ad_onnx_external_read(ad_onnx_build *b, const Onnx__TensorProto *t, uint64_t offset, void *to, size_t bytes);
void ad_onnx_external_close(ad_onnx_build *b);

#endif
