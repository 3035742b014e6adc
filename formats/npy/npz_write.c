/* A sparse matrix as the .npz file that SciPy's load_npz reads: data, indices, indptr, shape and format as .npy files
 * in a zip file (PKWARE APPNOTE 6.3.10) without compression. */
#include <string.h>
#include <zlib.h>

#include "error.h"
#include "npy/npy.h"

enum {
  MEMBERS = 5,
  LOCAL = 0x04034b50,
  CENTRAL = 0x02014b50,
  END = 0x06054b50,
  NEEDS_VERSION = 20,
  JANUARY_1980 = 0x21
};

typedef struct member {
  const char *name;
  uint32_t at, size, crc;
} member;

static void put(ad_buffer *b, uint64_t v, unsigned bytes) {
  unsigned char le[8];
  for (unsigned i = 0; i < bytes; i++) le[i] = (unsigned char)(v >> 8 * i);
  ad_buffer_put(b, le, bytes);
}

/* What local and central headers share. */
static void put_fields(ad_buffer *b, const member *m) {
  put(b, NEEDS_VERSION, 2);
  put(b, 0, 2); /* flags */
  put(b, 0, 2); /* stored */
  put(b, 0, 2); /* time and date: the same file each time */
  put(b, JANUARY_1980, 2);
  put(b, m->crc, 4);
  put(b, m->size, 4);
  put(b, m->size, 4);
  put(b, strlen(m->name), 2);
  put(b, 0, 2);
}

static void put_member(ad_buffer *b, member *m, const ad_buffer *content) {
  m->at = (uint32_t)b->size;
  m->size = (uint32_t)content->size;
  m->crc = (uint32_t)crc32_z(0, (const unsigned char *)content->data, content->size);
  put(b, LOCAL, 4);
  put_fields(b, m);
  ad_buffer_puts(b, m->name);
  ad_buffer_put(b, content->data, content->size);
}

static void put_directory(ad_buffer *b, const member *m) {
  const size_t start = b->size;
  for (int i = 0; i < MEMBERS; i++) {
    put(b, CENTRAL, 4);
    put(b, NEEDS_VERSION, 2);
    put_fields(b, &m[i]);
    put(b, 0, 6); /* no comment, first disk, binary */
    put(b, 0, 4); /* attributes */
    put(b, m[i].at, 4);
    ad_buffer_puts(b, m[i].name);
  }
  const size_t size = b->size - start;
  put(b, END, 4);
  put(b, 0, 4);
  put(b, MEMBERS, 2);
  put(b, MEMBERS, 2);
  put(b, size, 4);
  put(b, start, 4);
  put(b, 0, 2);
}

static void put_integers(ad_buffer *b, const uint64_t *v, size_t n) {
  ad_npy_put_head(b, "<i8", &(ad_shape){1, {(int64_t)n}});
  for (size_t i = 0; i < n; i++) put(b, v[i], 8);
}

ad_status ad_npz_write_csr(ad_buffer *b, const ad_npz_csr *m, ad_error *e) {
  static const uint64_t most = UINT32_MAX - 65536; /* zip without its extension to 64 bits */
  if (m->entries > most / 40 || m->rows > most / 40)
    return ad_fail(e, AD_ELIMIT, "the matrix is too large for an .npz file; use --format mtx");
  static const char *const names[MEMBERS] = {"data.npy", "indices.npy", "indptr.npy", "shape.npy", "format.npy"};
  member member[MEMBERS] = {{0}};
  const uint64_t shape[] = {m->rows, m->columns};
  if (b->size) return ad_fail(e, AD_EUSAGE, "an .npz file holds one matrix");
  for (int i = 0; i < MEMBERS; i++) {
    ad_buffer content = {0};
    if (i == 0) ad_npy_write(&content, &(ad_shape){1, {(int64_t)m->entries}}, m->value);
    if (i == 1) put_integers(&content, m->column, m->entries);
    if (i == 2) put_integers(&content, m->start, m->rows + 1);
    if (i == 3) put_integers(&content, shape, 2);
    if (i == 4) {
      ad_npy_put_head(&content, "|S3", &(ad_shape){0});
      ad_buffer_puts(&content, "csr");
    }
    member[i].name = names[i];
    b->failed = b->failed || content.failed;
    if (!b->failed) put_member(b, &member[i], &content);
    ad_buffer_clear(&content);
  }
  put_directory(b, member);
  return AD_OK;
}
