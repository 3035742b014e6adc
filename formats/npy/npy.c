#include "npy/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "file.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

void ad_npy_clear(ad_npy *a) {
  ad_free(a->value);
  a->value = NULL;
}

static ad_status bad(ad_error *e, const char *path, size_t offset, const char *message) {
  ad_status s = ad_fail(e, AD_EINPUT, "%s", message);
  if (e) {
    snprintf(e->file, sizeof e->file, "%s", path);
    e->offset = (int64_t)offset;
  }
  return s;
}

typedef struct header {
  char kind, order; /* f, i, u; < or > */
  unsigned width;
  bool fortran;
  ad_shape shape;
} header;

/* What stands behind a key of the header's dictionary, or NULL. */
static const char *value_of(const char *text, const char *key) {
  const char *p = strstr(text, key);
  if (!p) return NULL;
  p += strlen(key);
  while (*p == ' ' || *p == ':') p++;
  return p;
}

static const char *parse_header(header *h, const char *text) {
  const char *d = value_of(text, "'descr'"), *f = value_of(text, "'fortran_order'"), *s = value_of(text, "'shape'");
  if (!d || !f || !s) return "the header lacks descr, fortran_order or shape";
  if (*d != '\'' || !strchr("<>|=", d[1]) || !d[1]) return "structured arrays can't be read; save plain numbers";
  h->order = d[1];
  h->kind = d[2];
  if (h->kind == 'O') return "object arrays can't be read; save plain numbers";
  if (!strchr("fiu", h->kind) || !h->kind) return "only floats and integers can be read";
  h->width = (unsigned)strtoul(d + 3, NULL, 10);
  if (h->kind == 'f' ? h->width != 4 && h->width != 8
                     : h->width != 1 && h->width != 2 && h->width != 4 && h->width != 8)
    return "floats have 4 or 8 bytes, integers 1, 2, 4 or 8";
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

static double number_at(const header *h, const unsigned char *p) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < h->width; i++) bits |= (uint64_t)p[h->order == '>' ? h->width - 1 - i : i] << (8 * i);
  if (h->kind == 'f' && h->width == 8) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
  }
  if (h->kind == 'f') {
    uint32_t low = (uint32_t)bits;
    float v;
    memcpy(&v, &low, sizeof v);
    return v;
  }
  if (h->kind == 'u') return (double)bits;
  unsigned shift = 64 - 8 * h->width;
  return (double)((int64_t)(bits << shift) >> shift);
}

ad_status ad_npy_read(ad_npy *a, const void *bytes, size_t size, const char *path, ad_error *e) {
  const unsigned char *p = bytes;
  header h = {0};
  if (size < 10 || memcmp(p, magic, sizeof magic)) return bad(e, path, 0, "this is no .npy file");
  if (p[6] < 1 || p[6] > 3) return bad(e, path, 6, "only versions 1 to 3 of .npy can be read");
  size_t start = p[6] == 1 ? 10 : 12, length = (size_t)p[8] | (size_t)p[9] << 8;
  if (p[6] > 1) {
    if (size < 12) return bad(e, path, size, "the file ends inside its header");
    length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
  }
  if (length > size - start) return bad(e, path, size, "the file ends inside its header");
  char *text = ad_malloc(length + 1, 1);
  if (!text) return ad_fail_memory(e);
  memcpy(text, p + start, length);
  text[length] = '\0';
  const char *problem = parse_header(&h, text);
  ad_free(text);
  if (problem) return bad(e, path, start, problem);
  size_t n = (size_t)ad_shape_size(&h.shape), data = start + length;
  if ((size - data) / h.width < n) return bad(e, path, size, "the file ends before the last number");
  if ((size - data) != n * h.width) return bad(e, path, data + n * h.width, "there are bytes behind the last number");
  a->shape = h.shape;
  if (!(a->value = ad_malloc(n, sizeof *a->value))) return ad_fail_memory(e);
  int64_t index[AD_MAX_RANK] = {0};
  for (size_t i = 0; i < n; i++) { /* in the file's order */
    size_t at = i;
    if (h.fortran) {
      at = 0;
      for (int d = 0; d < h.shape.rank; d++) at = at * (size_t)h.shape.dim[d] + (size_t)index[d];
      for (int d = 0; d < h.shape.rank && ++index[d] == h.shape.dim[d]; d++) index[d] = 0;
    }
    a->value[at] = number_at(&h, p + data + i * h.width);
  }
  return AD_OK;
}

ad_status ad_npy_load(ad_npy *a, const char *path, ad_error *e) {
  void *bytes;
  size_t size;
  ad_status s = ad_file_read(&bytes, &size, path, e);
  if (s) return s;
  s = ad_npy_read(a, bytes, size, path, e);
  ad_free(bytes);
  return s;
}

void ad_npy_write(ad_buffer *b, const ad_shape *shape, const double *value) {
  char text[AD_SHAPE_TEXT + 128];
  int n = sprintf(text, "{'descr': '<f8', 'fortran_order': False, 'shape': (");
  for (int i = 0; i < shape->rank; i++) n += sprintf(text + n, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
  n += sprintf(text + n, shape->rank == 1 ? ",), }" : "), }");
  while ((10 + n + 1) % 64) text[n++] = ' ';
  text[n++] = '\n';
  ad_buffer_put(b, magic, sizeof magic);
  const unsigned char rest[4] = {1, 0, (unsigned char)(n & 0xFF), (unsigned char)(n >> 8)};
  ad_buffer_put(b, rest, sizeof rest);
  ad_buffer_put(b, text, (size_t)n);
  const size_t count = (size_t)ad_shape_size(shape);
  for (size_t i = 0; i < count; i++) {
    uint64_t bits;
    unsigned char out[8];
    memcpy(&bits, value + i, sizeof bits);
    for (int k = 0; k < 8; k++) out[k] = (unsigned char)(bits >> (8 * k));
    ad_buffer_put(b, out, sizeof out);
  }
}
