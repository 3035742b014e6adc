#include "onnx/onnx.h"

/* A model starts with its field 1, ir_version, as serialisers write fields in order: a byte that no text has. */
bool ad_onnx_sniff(const void *bytes, size_t size) {
  const unsigned char *p = bytes;
  return size >= 2 && p[0] == 0x08 && p[1] < 0x80;
}
