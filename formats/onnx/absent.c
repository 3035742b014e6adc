#include "error.h"
#include "onnx/onnx.h"

ad_status ad_onnx_read(ad_graph **g, const void *bytes, size_t size, const char *file, size_t count,
                       const ad_binding *bindings, const ad_limits *limits, ad_error *e) {
  (void)g, (void)bytes, (void)size, (void)file, (void)count, (void)bindings, (void)limits;
  return ad_fail(e, AD_EINPUT,
                 "this looks like an ONNX model, and this adtool was built without ONNX: install libprotobuf-c-dev, "
                 "protobuf-c-compiler and libonnx-dev, then configure and build it again");
}

bool ad_onnx_beside(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context) {
  (void)path, (void)bytes, (void)size, (void)visit, (void)context;
  return true;
}
