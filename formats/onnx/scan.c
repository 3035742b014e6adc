#include "onnx/scan.h"

#include <string.h>

#include "error.h"

/* Wire types: Protocol Buffers, Encoding. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

typedef struct frame {
  const ProtobufCMessageDescriptor *kind;
  size_t end;
  uint64_t seen; /* singular messages, by their place in the descriptor */
} frame;

typedef struct scan {
  const unsigned char *p;
  size_t at;
  frame frame[AD_ONNX_DEPTH];
  int depth;
  ad_onnx_scan_fn *visit; /* NULL: nobody asks for entries */
  void *context;
  ad_error *e;
} scan;

static ad_status fail(const scan *s, size_t at, const char *what) {
  const char *kind = s->frame[s->depth].kind->short_name;
  ad_status status = ad_fail(s->e, AD_EINPUT, "this is no ONNX model, or a damaged one: in a %s: %s", kind, what);
  if (s->e) s->e->offset = (int64_t)at;
  return status;
}

static bool read_varint(scan *s, size_t end, uint64_t *v) {
  *v = 0;
  for (int shift = 0; shift < 70 && s->at < end; shift += 7) {
    const unsigned char c = s->p[s->at++];
    if (shift < 64) *v |= (uint64_t)(c & 0x7F) << shift;
    if (!(c & 0x80)) return true;
  }
  return false;
}

static int wire_of(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
      return FIXED32;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
      return FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
      return BYTES;
    default:
      return VARINT;
  }
}

/* The inside of a field with a length. */
static ad_status scan_bytes(scan *s, const ProtobufCFieldDescriptor *f, size_t length) {
  frame *top = &s->frame[s->depth];
  const size_t start = s->at, end = start + length;
  uint64_t v;
  if (f && f->type == PROTOBUF_C_TYPE_MESSAGE) {
    const uint64_t bit = UINT64_C(1) << ((size_t)(f - top->kind->fields) & 63);
    if (f->label != PROTOBUF_C_LABEL_REPEATED && top->seen & bit) return fail(s, start, "a field is there twice");
    top->seen |= bit;
    if (s->depth + 1 == AD_ONNX_DEPTH) return fail(s, start, "messages are nested too deeply");
    if (s->visit && top->kind == &onnx__tensor_proto__descriptor &&
        f->descriptor == &onnx__string_string_entry_proto__descriptor)
      s->visit(s->context, s->p + start, length);
    s->frame[++s->depth] = (frame){f->descriptor, end, 0};
    return AD_OK;
  }
  if (f && f->type == PROTOBUF_C_TYPE_STRING && memchr(s->p + start, 0, length))
    return fail(s, start, "a text has a zero byte");
  const int wire = f ? wire_of(f->type) : BYTES;
  if (wire == FIXED32 && length % 4) return fail(s, start, "a list of 4-byte numbers is cut off");
  if (wire == FIXED64 && length % 8) return fail(s, start, "a list of 8-byte numbers is cut off");
  while (wire == VARINT && s->at < end)
    if (!read_varint(s, end, &v)) return fail(s, s->at, "a list of integers is cut off");
  s->at = end;
  return AD_OK;
}

static ad_status scan_field(scan *s) {
  const frame *top = &s->frame[s->depth];
  const size_t start = s->at;
  uint64_t tag, v;
  if (!read_varint(s, top->end, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
    return fail(s, start, "no valid field starts here");
  const int wire = (int)(tag & 7);
  const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(top->kind, (unsigned)(tag >> 3));
  const bool packed = f && wire == BYTES && f->label == PROTOBUF_C_LABEL_REPEATED;
  if (f && wire != wire_of(f->type) && !packed) return fail(s, start, "a field is of the wrong type");
  const size_t left = top->end - s->at;
  switch (wire) {
    case VARINT:
      return read_varint(s, top->end, &v) ? AD_OK : fail(s, start, "an integer is cut off");
    case FIXED64:
    case FIXED32:
      if (left < (wire == FIXED64 ? 8 : 4)) return fail(s, start, "a number is cut off");
      s->at += wire == FIXED64 ? 8 : 4;
      return AD_OK;
    case BYTES:
      if (!read_varint(s, top->end, &v) || v > top->end - s->at) return fail(s, start, "a field ends outside");
      return scan_bytes(s, f, (size_t)v);
    default:
      return fail(s, start, "no valid field starts here");
  }
}

static ad_status walk(scan *s) {
  while (s->depth >= 0) {
    while (s->at < s->frame[s->depth].end) {
      ad_status status = scan_field(s);
      if (status) return status;
    }
    s->depth--;
  }
  return AD_OK;
}

ad_status ad_onnx_scan(const ProtobufCMessageDescriptor *kind, const void *bytes, size_t size, ad_error *e) {
  scan s = {.p = bytes, .e = e};
  s.frame[0] = (frame){kind, size, 0};
  return walk(&s);
}

void ad_onnx_scan_external(const void *bytes, size_t size, ad_onnx_scan_fn *visit, void *context) {
  scan s = {.p = bytes, .visit = visit, .context = context};
  s.frame[0] = (frame){&onnx__model_proto__descriptor, size, 0};
  walk(&s);
}
