/* The bytes of a model before protobuf-c takes them apart. */
#ifndef AD_ONNX_SCAN_H
#define AD_ONNX_SCAN_H

#include "adtool.h"
#include "onnx.pb-c.h"

/* Whether the bytes are a message of this kind: every field inside its message, no deeper than AD_ONNX_DEPTH, and what
 * there may be one of is there once.  protobuf-c goes into messages by recursion and joins repeated ones by copying, so
 * bytes that were not looked at could take any stack and time.  The error has the byte's offset. */
enum { AD_ONNX_DEPTH = 64 };
ad_status ad_onnx_scan(const ProtobufCMessageDescriptor *kind, const void *bytes, size_t size, ad_error *e);
/* Visits each StringStringEntryProto that says where the data of a model's tensor is, as far as the bytes are a model.
 */
typedef void ad_onnx_scan_fn(void *context, const unsigned char *bytes, size_t size);
void ad_onnx_scan_external(const void *bytes, size_t size, ad_onnx_scan_fn *visit, void *context);

#endif
