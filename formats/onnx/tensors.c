/* Tensors of the file: in fields of their type, or as little-endian bytes. */
#include <math.h>
#include <string.h>

#include "error.h"
#include "onnx/external.h"

bool ad_onnx_tensor_shape(ad_onnx_build *b, const Onnx__TensorProto *t, ad_shape *shape) {
  const char *name = t->name ? t->name : "";
  if (b->status) return false;
  if (t->n_dims > AD_MAX_RANK) {
    ad_onnx_refuse(b, "the tensor '%.80s' has rank %zu; the limit is %d", name, t->n_dims, AD_MAX_RANK);
    return false;
  }
  *shape = (ad_shape){.rank = (int32_t)t->n_dims};
  for (size_t i = 0; i < t->n_dims; i++) shape->dim[i] = t->dims[i];
  if (!ad_onnx_shape_fits(b, shape)) return false;
  return true;
}

static double half(uint32_t h) {
  const int exponent = h >> 10 & 31;
  const double mantissa = h & 1023, sign = h >> 15 & 1 ? -1 : 1;
  if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
  return sign * (exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24));
}

static double float_of(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return (double)f;
}

static uint64_t little(const uint8_t *p, int bytes) {
  uint64_t v = 0;
  for (int i = bytes; i-- > 0;) v = v << 8 | p[i];
  return v;
}

/* The element with these bits. */
static ad_onnx_element element_of(int type, uint64_t bits) {
  double r;
  switch (type) {
    case AD_ONNX_FLOAT:
      return (ad_onnx_element){.r = float_of((uint32_t)bits)};
    case AD_ONNX_BFLOAT:
      return (ad_onnx_element){.r = float_of((uint32_t)bits << 16)};
    case AD_ONNX_HALF:
      return (ad_onnx_element){.r = half((uint32_t)bits & 0xFFFF)};
    case AD_ONNX_DOUBLE:
      memcpy(&r, &bits, sizeof r);
      return (ad_onnx_element){.r = r};
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
      return (ad_onnx_element){.i = (int8_t)bits};
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
      return (ad_onnx_element){.i = (int16_t)bits};
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
      return (ad_onnx_element){.i = (int32_t)bits};
    case AD_ONNX_BOOL:
      return (ad_onnx_element){.i = bits != 0};
    default:
      return (ad_onnx_element){.i = (int64_t)bits};
  }
}

static int bytes_of(int type) {
  switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case AD_ONNX_BOOL:
      return 1;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
    case AD_ONNX_HALF:
    case AD_ONNX_BFLOAT:
      return 2;
    case AD_ONNX_FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
      return 4;
    default:
      return 8;
  }
}

static size_t field_count(const Onnx__TensorProto *t) {
  switch (t->data_type) {
    case AD_ONNX_FLOAT:
      return t->n_float_data;
    case AD_ONNX_DOUBLE:
      return t->n_double_data;
    case AD_ONNX_INT64:
      return t->n_int64_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
      return t->n_uint64_data;
    default:
      return t->n_int32_data;
  }
}

static ad_onnx_element field_element(const Onnx__TensorProto *t, size_t i) {
  switch (t->data_type) {
    case AD_ONNX_FLOAT:
      return (ad_onnx_element){.r = (double)t->float_data[i]};
    case AD_ONNX_DOUBLE:
      return (ad_onnx_element){.r = t->double_data[i]};
    case AD_ONNX_INT64:
      return (ad_onnx_element){.i = t->int64_data[i]};
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
      return element_of(t->data_type, t->uint64_data[i]);
    default:
      return element_of(t->data_type, (uint32_t)t->int32_data[i]);
  }
}

static void set_bytes(ad_onnx_value *v, uint64_t from, uint64_t count, const uint8_t *p, int bytes) {
  for (uint64_t i = 0; i < count; i++, p += bytes) v->data->v[from + i] = element_of(v->type, little(p, bytes));
}

static void read_external(ad_onnx_build *b, const Onnx__TensorProto *t, ad_onnx_value *v, uint64_t count, int bytes,
                          uint64_t offset) {
  uint8_t piece[1 << 14];
  for (uint64_t done = 0; done < count && !b->status;) {
    const uint64_t left = count - done, n = left < sizeof piece / 8 ? left : sizeof piece / 8;
    if (ad_onnx_external_read(b, t, offset + done * (uint64_t)bytes, piece, (size_t)n * (size_t)bytes))
      set_bytes(v, done, n, piece, bytes);
    done += n;
  }
}

ad_onnx_value ad_onnx_tensor(ad_onnx_build *b, const Onnx__TensorProto *t) {
  const char *name = t->name ? t->name : "";
  const int bytes = bytes_of(t->data_type);
  const bool external = ad_onnx_is_external(t);
  ad_shape shape;
  ad_onnx_value r = {0};
  uint64_t offset = 0;
  if (!ad_onnx_tensor_shape(b, t, &shape)) return r;
  const uint64_t n = (uint64_t)ad_shape_size(&shape);
  if (!ad_onnx_is_real(t->data_type) && !ad_onnx_is_integer(t->data_type) && t->data_type != AD_ONNX_BOOL)
    ad_onnx_refuse(b, "the tensor '%.80s' of %s", name, ad_onnx_type_name(t->data_type));
  else if (t->segment)
    ad_onnx_refuse(b, "the tensor '%.80s' comes in segments", name);
  else if (external)
    ad_onnx_external_open(b, t, n * (uint64_t)bytes, &offset);
  else if (t->has_raw_data ? t->raw_data.len % (size_t)bytes || t->raw_data.len / (size_t)bytes != n
                           : field_count(t) != n)
    ad_onnx_fail(b, "the tensor '%.80s' of %llu elements has data for another number of them", name,
                 (unsigned long long)n);
  r = ad_onnx_known(b, t->data_type, &shape);
  if (r.data && external) read_external(b, t, &r, n, bytes, offset);
  if (r.data && !external && t->has_raw_data) set_bytes(&r, 0, n, t->raw_data.data, bytes);
  for (size_t i = 0; r.data && i < n; i++) {
    if (!external && !t->has_raw_data) r.data->v[i] = field_element(t, i);
    if (t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT64 && r.data->v[i].i < 0)
      ad_onnx_refuse(b, "the tensor '%.80s' has an integer above 2^63", name);
  }
  return b->status ? (ad_onnx_value){0} : r;
}
