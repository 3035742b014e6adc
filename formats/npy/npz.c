/* .npz: .npy files in a zip file (PKWARE APPNOTE 6.3.10), stored or deflated, one for each input. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "error.h"
#include "npy/arrays.h"

/* ---- A compressed member */

struct ad_inflate {
  const ad_stream *s;
  uint64_t at, left;  /* compressed bytes */
  uint64_t size, out; /* of the content, and how much of it was given */
  uint32_t crc, want;
  z_stream z;
  unsigned char in[1 << 16];
};

ad_status ad_inflate_new(ad_inflate **out, const ad_stream *s, uint64_t at, uint64_t packed, uint64_t size,
                         uint32_t crc, ad_error *e) {
  ad_inflate *z = ad_calloc(1, sizeof *z);
  if (!z) return ad_fail_memory(e);
  z->s = s;
  z->at = at;
  z->left = packed;
  z->size = size;
  z->want = crc;
  if (inflateInit2(&z->z, -MAX_WBITS) != Z_OK) {
    ad_free(z);
    return ad_fail_memory(e);
  }
  *out = z;
  return AD_OK;
}

void ad_inflate_free(ad_inflate *z) {
  if (!z) return;
  inflateEnd(&z->z);
  ad_free(z);
}

static ad_status feed(ad_inflate *z, ad_error *e) {
  const size_t n = z->left < sizeof z->in ? (size_t)z->left : sizeof z->in;
  if (!n) return ad_stream_bad(z->s, z->at, e, "the compressed data ends too early");
  ad_status s = ad_stream_read_at(z->s, z->at, z->in, n, e);
  z->at += n;
  z->left -= n;
  z->z.next_in = z->in;
  z->z.avail_in = (unsigned)n;
  return s;
}

ad_status ad_inflate_read(ad_inflate *z, void *bytes, uint64_t n, ad_error *e) {
  unsigned char drop[4096], *to = bytes;
  while (n) {
    const size_t part = bytes ? n < 1 << 30 ? (size_t)n : 1 << 30 : n < sizeof drop ? (size_t)n : sizeof drop;
    z->z.next_out = bytes ? to : drop;
    z->z.avail_out = (unsigned)part;
    if (!z->z.avail_in && z->left) {
      ad_status s = feed(z, e);
      if (s) return s;
    }
    const unsigned char *start = z->z.next_out;
    const int r = inflate(&z->z, Z_NO_FLUSH);
    if (r == Z_MEM_ERROR) return ad_fail_memory(e);
    const size_t got = part - z->z.avail_out;
    if ((r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) || (!got && (r == Z_STREAM_END || !z->left)))
      return ad_stream_bad(z->s, z->at - z->z.avail_in, e, "the compressed data is damaged or ends too early");
    z->crc = (uint32_t)crc32_z(z->crc, start, got);
    z->out += got;
    n -= got;
    if (bytes) to += got;
  }
  if (z->out == z->size && z->crc != z->want)
    return ad_stream_bad(z->s, z->at, e, "the checksum of the compressed data is wrong");
  return AD_OK;
}

/* ---- The zip file's folder */

static uint64_t little(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  for (int i = bytes - 1; i >= 0; i--) v = v << 8 | p[i];
  return v;
}

enum { END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56, ENTRY_SIZE = 46, LOCAL_SIZE = 30, MOST_COMMENT = 65535 };

typedef struct folder {
  uint64_t at, size, entries;
} folder;

static ad_status find_folder(folder *f, const ad_stream *s, ad_error *e) {
  static const char none[] = "this zip file has no folder at its end: it was cut off";
  const size_t n =
      s->size < END_SIZE + MOST_COMMENT + LOCATOR_SIZE ? (size_t)s->size : END_SIZE + MOST_COMMENT + LOCATOR_SIZE;
  unsigned char *tail = ad_malloc(n, 1);
  if (!tail) return ad_fail_memory(e);
  ad_status status = ad_stream_read_at(s, s->size - n, tail, n, e);
  size_t i = n < END_SIZE ? 0 : n - END_SIZE + 1;
  while (!status && i > 0 && memcmp(tail + i - 1, "PK\5\6", 4)) i--;
  if (!status && !i) status = ad_stream_bad(s, s->size, e, none);
  if (!status) {
    const unsigned char *end = tail + i - 1;
    *f = (folder){little(end + 16, 4), little(end + 12, 4), little(end + 10, 2)};
    if (i - 1 >= LOCATOR_SIZE && !memcmp(end - LOCATOR_SIZE, "PK\6\7", 4)) { /* the fields of 64 bits */
      unsigned char big[END64_SIZE];
      const uint64_t at = little(end - LOCATOR_SIZE + 8, 8);
      if (s->size < END64_SIZE || at > s->size - END64_SIZE)
        status = ad_stream_bad(s, s->size, e, none);
      else
        status = ad_stream_read_at(s, at, big, sizeof big, e);
      if (!status && memcmp(big, "PK\6\6", 4)) status = ad_stream_bad(s, at, e, none);
      if (!status) *f = (folder){little(big + 48, 8), little(big + 40, 8), little(big + 32, 8)};
    }
  }
  ad_free(tail);
  if (!status &&
      (f->at > s->size || f->size > s->size - f->at || f->size > 1 << 26 || f->entries > f->size / ENTRY_SIZE))
    status = ad_stream_bad(s, s->size, e, "the zip file's folder lies outside the file");
  return status;
}

typedef struct member {
  uint64_t packed, size, local;
  uint32_t crc;
  unsigned flags, method;
} member;

/* Sizes that do not fit 32 bits stand in an extra field. */
static void read_extra(member *m, const unsigned char *p, size_t n) {
  while (n >= 4) {
    const size_t size = (size_t)little(p + 2, 2);
    if (size > n - 4) return;
    if (little(p, 2) == 1) {
      const unsigned char *q = p + 4, *end = q + size;
      uint64_t *const field[] = {&m->size, &m->packed, &m->local};
      for (int i = 0; i < 3; i++)
        if (*field[i] == UINT32_MAX && end - q >= 8) *field[i] = little(q, 8), q += 8;
    }
    p += 4 + size;
    n -= 4 + size;
  }
}

/* Reads n bytes of a member's content from its start. */
static ad_status read_start(ad_npy_array *x, const ad_stream *s, uint64_t at, void *bytes, size_t n, ad_error *e) {
  return x->packed ? ad_inflate_read(x->packed, bytes, n, e) : ad_stream_read_at(s, x->data + at, bytes, n, e);
}

static ad_status read_header(ad_npy_array *x, const ad_stream *s, const member *m, ad_error *e) {
  unsigned char start[AD_NPY_START];
  size_t length, at;
  if (m->size < sizeof start) return ad_stream_bad(s, x->data, e, "this member is no .npy file");
  ad_status status = read_start(x, s, 0, start, sizeof start, e);
  if (status) return status;
  const char *problem = ad_npy_header_size(start, sizeof start, &length, &at);
  if (problem) return ad_stream_bad(s, x->data, e, "%s", problem);
  if (length > m->size || length < sizeof start) return ad_stream_bad(s, x->data, e, "the file ends inside its header");
  unsigned char *all = ad_malloc(length, 1);
  if (!all) return ad_fail_memory(e);
  memcpy(all, start, sizeof start);
  status = read_start(x, s, sizeof start, all + sizeof start, length - sizeof start, e);
  if (!status) status = ad_npy_header_read(&x->h, all, length, &problem);
  ad_free(all);
  if (status == AD_ENOMEM) return ad_fail_memory(e);
  if (status == AD_EINPUT && problem) return ad_stream_bad(s, x->data, e, "%s", problem);
  if (status) return status;
  const uint64_t have = m->size - length, numbers = (uint64_t)ad_shape_size(&x->h.shape);
  if (have / x->h.width != numbers || have % x->h.width)
    return ad_stream_bad(s, x->data, e, "the array has %llu bytes of numbers, but its header says %llu numbers",
                         (unsigned long long)have, (unsigned long long)numbers);
  x->data += length;
  return AD_OK;
}

/* A compressed member's checksum is compared at its end; rows of any other are read in any order, so it goes first. */
static ad_status check_stored(const ad_npy_array *x, const ad_stream *s, const member *m, ad_error *e) {
  enum { PIECE = 1 << 18 };
  unsigned char *piece = ad_malloc(PIECE, 1);
  uint32_t crc = 0;
  ad_status status = piece ? AD_OK : ad_fail_memory(e);
  for (uint64_t done = 0; !status && done < m->size;) {
    const size_t n = m->size - done < PIECE ? (size_t)(m->size - done) : PIECE;
    status = ad_stream_read_at(s, x->data + done, piece, n, e);
    if (!status) crc = (uint32_t)crc32_z(crc, piece, n);
    done += n;
  }
  ad_free(piece);
  if (!status && crc != m->crc) status = ad_stream_bad(s, x->data, e, "the checksum of this member is wrong");
  return status;
}

static ad_status open_member(ad_npy_array *x, const ad_stream *s, const member *m, ad_error *e) {
  unsigned char local[LOCAL_SIZE];
  if (m->flags & 1) return ad_stream_bad(s, m->local, e, "encrypted members can't be read");
  if (m->method != 0 && m->method != Z_DEFLATED)
    return ad_stream_bad(s, m->local, e, "this member is compressed by a method that can't be read; use numpy.savez");
  if (s->size < LOCAL_SIZE || m->local > s->size - LOCAL_SIZE)
    return ad_stream_bad(s, m->local, e, "a member lies outside the file");
  ad_status status = ad_stream_read_at(s, m->local, local, sizeof local, e);
  if (status) return status;
  x->data = m->local + LOCAL_SIZE + little(local + 26, 2) + little(local + 28, 2);
  if (memcmp(local, "PK\3\4", 4) || x->data > s->size || m->packed > s->size - x->data ||
      (!m->method && m->packed != m->size))
    return ad_stream_bad(s, m->local, e, "a member lies outside the file");
  status = m->method ? ad_inflate_new(&x->packed, s, x->data, m->packed, m->size, m->crc, e) : check_stored(x, s, m, e);
  return status ? status : read_header(x, s, m, e);
}

/* One entry of the folder: the array of the input that it is named after. */
static ad_status add_member(ad_npy_arrays *a, ad_points *p, const ad_graph *g, const size_t *first,
                            const unsigned char *entry, size_t name_size, size_t extra, uint64_t at, ad_error *e) {
  char name[AD_MAX_NAME + 8];
  member m = {.packed = little(entry + 20, 4),
              .size = little(entry + 24, 4),
              .local = little(entry + 42, 4),
              .crc = (uint32_t)little(entry + 16, 4),
              .flags = (unsigned)little(entry + 8, 2),
              .method = (unsigned)little(entry + 10, 2)};
  read_extra(&m, entry + ENTRY_SIZE + name_size, extra);
  snprintf(name, sizeof name, "%.*s", (int)(name_size < sizeof name ? name_size : sizeof name - 1),
           (const char *)entry + ENTRY_SIZE);
  char *dot = strrchr(name, '.');
  if (dot && !strcmp(dot, ".npy")) *dot = '\0';
  ad_node n;
  ad_npy_array x = {0};
  ad_status s = ad_table_input(&n, g, name, "the array", e);
  if (s) {
    if (e) snprintf(e->file, sizeof e->file, "%s", a->s.name), e->offset = (int64_t)at;
    return s;
  }
  if (p->given[n]) return ad_stream_bad(&a->s, at, e, "the array '%s' is there twice", name);
  x.first = first[n];
  s = open_member(&x, &a->s, &m, e);
  if (!s) s = ad_npy_arrays_add(a, x, g, n, e);
  if (s) {
    ad_inflate_free(x.packed);
    return s;
  }
  p->given[n] = true;
  return AD_OK;
}

static ad_status read_folder(ad_npy_arrays *a, ad_points *p, const ad_graph *g, const size_t *first, ad_error *e) {
  folder f = {0};
  ad_status s = find_folder(&f, &a->s, e);
  unsigned char *bytes = s ? NULL : ad_malloc((size_t)f.size, 1);
  if (!s && !bytes) return ad_fail_memory(e);
  if (!s) s = ad_stream_read_at(&a->s, f.at, bytes, (size_t)f.size, e);
  size_t at = 0;
  for (uint64_t i = 0; !s && i < f.entries; i++) {
    const unsigned char *entry = bytes + at;
    const size_t left = (size_t)f.size - at;
    size_t n = ENTRY_SIZE;
    if (left >= ENTRY_SIZE) n += (size_t)(little(entry + 28, 2) + little(entry + 30, 2) + little(entry + 32, 2));
    if (left < n || memcmp(entry, "PK\1\2", 4))
      s = ad_stream_bad(&a->s, f.at + at, e, "the zip file's folder is damaged");
    else
      s = add_member(a, p, g, first, entry, (size_t)little(entry + 28, 2), (size_t)little(entry + 30, 2), f.at + at, e);
    at += n;
  }
  ad_free(bytes);
  if (!s && !a->count) s = ad_stream_bad(&a->s, 0, e, "there is no array in this file");
  return s;
}

ad_status ad_npz_points(ad_points *p, ad_stream *s, const ad_graph *g, ad_error *e) {
  const size_t inputs = ad_graph_input_count(g);
  ad_npy_arrays *a = ad_npy_arrays_new(s, g);
  size_t *first = ad_calloc(inputs + 1, sizeof *first);
  p->given = ad_calloc(inputs, sizeof *p->given);
  ad_status status = a && first && p->given ? AD_OK : ad_fail_memory(e);
  for (ad_node n = 0; !status && n < inputs; n++)
    first[n + 1] = first[n] + (size_t)ad_shape_size(ad_graph_node_shape(g, n));
  if (!status && !a->s.regular) status = ad_fail(e, AD_EUSAGE, "an .npz file can't be read from a pipe; give its name");
  if (!status) status = read_folder(a, p, g, first, e);
  ad_free(first);
  if (status) {
    ad_npy_arrays_close(a);
    return status;
  }
  ad_npy_arrays_use(a, p);
  return AD_OK;
}
