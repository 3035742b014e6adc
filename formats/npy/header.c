/* What stands before the numbers of an .npy file, and the bytes of a number. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy/npy.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

const char *ad_npy_header_size(const unsigned char *p, size_t size, size_t *length, size_t *at) {
  *at = 0;
  if (size < sizeof magic || memcmp(p, magic, sizeof magic)) return "this is no .npy file";
  *at = size;
  if (size < 10) return "the file ends inside its header";
  *at = 6;
  if (p[6] < 1 || p[6] > 3) return "only versions 1 to 3 of .npy can be read";
  *length = 10 + ((size_t)p[8] | (size_t)p[9] << 8);
  if (p[6] == 1) return NULL;
  *at = size;
  if (size < AD_NPY_START) return "the file ends inside its header";
  *length = AD_NPY_START + ((size_t)p[8] | (size_t)p[9] << 8 | (size_t)p[10] << 16 | (size_t)p[11] << 24);
  *at = 8;
  return *length > 1 << 20 ? "a header of more than 1 MiB can't be read" : NULL;
}

/* What stands behind a key of the header's dictionary, or NULL. */
static const char *value_of(const char *text, const char *key) {
  const char *p = strstr(text, key);
  if (!p) return NULL;
  p += strlen(key);
  while (*p == ' ' || *p == ':') p++;
  return p;
}

static const char *parse(ad_npy_header *h, const char *text) {
  const char *d = value_of(text, "'descr'"), *f = value_of(text, "'fortran_order'"), *s = value_of(text, "'shape'");
  if (!d || !f || !s) return "the header lacks descr, fortran_order or shape";
  if (*d != '\'' || !d[1] || !strchr("<>|=", d[1])) return "structured arrays can't be read; save plain numbers";
  h->order = d[1];
  h->kind = d[2];
  if (h->kind == 'O') return "object arrays can't be read; save plain numbers";
  if (!h->kind || !strchr("fiub", h->kind)) return "only floats, integers and truth values can be read";
  h->width = (unsigned)strtoul(d + 3, NULL, 10);
  if (h->kind == 'f'   ? h->width != 2 && h->width != 4 && h->width != 8
      : h->kind == 'b' ? h->width != 1
                       : h->width != 1 && h->width != 2 && h->width != 4 && h->width != 8)
    return "floats have 2, 4 or 8 bytes, integers 1, 2, 4 or 8";
  if (!strncmp(f, "True", 4))
    h->fortran = true;
  else if (strncmp(f, "False", 5))
    return "fortran_order is True or False";
  if (*s++ != '(') return "the shape is not a tuple";
  h->shape = (ad_shape){0};
  for (;;) {
    while (*s == ' ' || *s == ',') s++;
    if (*s == ')') break;
    char *end;
    long long n = strtoll(s, &end, 10);
    if (end == s || n < 0) return "the shape is not a tuple of sizes";
    if (h->shape.rank == AD_MAX_RANK) return "the array has more than 8 axes";
    h->shape.dim[h->shape.rank++] = n;
    s = end;
  }
  return ad_shape_size(&h->shape) < 0 ? "the array is too large" : NULL;
}

ad_status ad_npy_header_read(ad_npy_header *h, const unsigned char *bytes, size_t length, const char **problem) {
  const size_t start = bytes[6] == 1 ? 10 : AD_NPY_START;
  char *text = ad_malloc(length - start + 1, 1);
  if (!text) return AD_ENOMEM;
  memcpy(text, bytes + start, length - start);
  text[length - start] = '\0';
  *h = (ad_npy_header){.data = length};
  *problem = parse(h, text);
  ad_free(text);
  return *problem ? AD_EINPUT : AD_OK;
}

/* binary16 of IEEE 754: a sign, 5 bits of exponent with bias 15, 10 of the significand. */
static double half(unsigned bits) {
  enum { MANTISSA = 10, SPECIAL = 31, BIAS = 15 };
  const int exponent = bits >> MANTISSA & SPECIAL;
  const double mantissa = bits & ((1u << MANTISSA) - 1), sign = bits >> 15 ? -1 : 1;
  if (exponent == SPECIAL) return mantissa ? NAN : sign * INFINITY;
  if (!exponent) return sign * ldexp(mantissa, 1 - BIAS - MANTISSA);
  return sign * ldexp(mantissa + (1 << MANTISSA), exponent - BIAS - MANTISSA);
}

static double number_at(const ad_npy_header *h, const unsigned char *p) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < h->width; i++) bits |= (uint64_t)p[h->order == '>' ? h->width - 1 - i : i] << (8 * i);
  if (h->kind == 'f' && h->width == 8) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
  }
  if (h->kind == 'f' && h->width == 4) {
    uint32_t low = (uint32_t)bits;
    float v;
    memcpy(&v, &low, sizeof v);
    return v;
  }
  if (h->kind == 'f') return half((unsigned)bits);
  if (h->kind == 'u') return (double)bits;
  if (h->kind == 'b') return bits != 0;
  unsigned shift = 64 - 8 * h->width;
  return (double)((int64_t)(bits << shift) >> shift);
}

bool ad_npy_native(const ad_npy_header *h) {
  return h->kind == 'f' && h->width == 8 && h->order == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? '>' : '<');
}

void ad_npy_decode(const ad_npy_header *h, const unsigned char *bytes, size_t count, double *out, size_t stride) {
  if (ad_npy_native(h) && stride == 1) {
    if (count) memcpy(out, bytes, count * sizeof *out);
    return;
  }
  for (size_t i = 0; i < count; i++) out[i * stride] = number_at(h, bytes + i * h->width);
}

void ad_npy_encode(double *value, size_t count) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (size_t i = 0; i < count; i++) {
    uint64_t bits;
    memcpy(&bits, value + i, sizeof bits);
    bits = __builtin_bswap64(bits);
    memcpy(value + i, &bits, sizeof bits);
  }
#else
  (void)value, (void)count;
#endif
}

/* Of a version 1 file of little-endian doubles: text holds the sizes already; the length is filled up. */
static size_t finish_head(char *head, size_t n, size_t unit) {
  while ((n + 1) % unit) head[n++] = ' ';
  head[n++] = '\n';
  memcpy(head, magic, sizeof magic);
  head[6] = 1;
  head[7] = 0;
  head[8] = (char)((n - 10) & 0xFF);
  head[9] = (char)((n - 10) >> 8);
  return n;
}

static const char opening[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (";

void ad_npy_head(char head[AD_NPY_HEAD], uint64_t rows, uint64_t width) {
  char text[AD_NPY_HEAD];
  int n = width ? snprintf(text, sizeof text, "%s%llu, %llu), }", opening, (unsigned long long)rows,
                           (unsigned long long)width)
                : snprintf(text, sizeof text, "%s%llu,), }", opening, (unsigned long long)rows);
  memcpy(head + 10, text, (size_t)n);
  finish_head(head, 10 + (size_t)n, AD_NPY_HEAD);
}

void ad_npy_put_head(ad_buffer *b, const char *descr, const ad_shape *shape) {
  char head[AD_SHAPE_TEXT + 192];
  int n = 10 + sprintf(head + 10, "{'descr': '%.8s', 'fortran_order': False, 'shape': (", descr);
  for (int i = 0; i < shape->rank; i++) n += sprintf(head + n, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
  n += sprintf(head + n, shape->rank == 1 ? ",), }" : "), }");
  ad_buffer_put(b, head, finish_head(head, (size_t)n, 64));
}

void ad_npy_write(ad_buffer *b, const ad_shape *shape, const double *value) {
  ad_npy_put_head(b, "<f8", shape);
  const size_t count = (size_t)ad_shape_size(shape);
  for (size_t i = 0; i < count; i++) {
    double v = value[i];
    ad_npy_encode(&v, 1);
    ad_buffer_put(b, &v, sizeof v);
  }
}
