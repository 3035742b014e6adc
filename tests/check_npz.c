/* .npz files: what NumPy and other programs put into a zip file is read as points, damage is refused with a place, and
 * what is written is a whole zip file.  The files are made here, byte by byte (PKWARE APPNOTE 6.3.10). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "graphs.h"
#include "mem.h"
#include "npy/npy.h"
#include "suite.h"
#include "table.h"

#define ERR (&graphs_error)

static char folder[] = "/tmp/check_npz.XXXXXX", path[64];

/* ---- A zip file */

typedef struct part {
  const char *name, *descr;
  ad_shape shape;
  const void *numbers;
  size_t size;
} part;

typedef struct form {
  const char *what;
  bool deflated, local64, central64, end64, foreign, described, comment;
  unsigned flags, method;  /* added to what is right */
  uint32_t crc;            /* exclusive or */
  int64_t folder, entries; /* added to the folder's size and the number of its entries */
} form;

static void put(ad_buffer *b, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) ad_buffer_put(b, &(unsigned char){(unsigned char)(v >> 8 * i)}, 1);
}

static void put_deflated(ad_buffer *b, const ad_buffer *raw) {
  z_stream z = {.next_in = (unsigned char *)raw->data, .avail_in = (unsigned)raw->size};
  ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  unsigned char *out = malloc(raw->size + 100);
  ck_assert_ptr_nonnull(out);
  z.next_out = out;
  z.avail_out = (unsigned)raw->size + 100;
  ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
  ad_buffer_put(b, out, z.total_out);
  deflateEnd(&z);
  free(out);
}

/* Extra fields: those of another program, then sizes and the offset in 64 bits, each where it is wanted. */
static void put_extra(ad_buffer *b, bool foreign, bool large, uint64_t size, uint64_t packed, const uint64_t *offset) {
  if (foreign) {
    put(b, 0x5455, 2), put(b, 5, 2), put(b, 3, 1), put(b, 0x65000000, 4);             /* Info-ZIP's time */
    put(b, 0x9901, 2), put(b, 24, 2), put(b, 7, 8), put(b, 1 << 20, 8), put(b, 9, 8); /* as long as ours */
  }
  if (!large) return;
  put(b, 1, 2), put(b, offset ? 24 : 16, 2), put(b, size, 8), put(b, packed, 8);
  if (offset) put(b, *offset, 8);
}

static void put_sizes(ad_buffer *b, uint32_t crc, size_t packed, size_t size, bool elsewhere, bool large) {
  put(b, elsewhere ? 0 : crc, 4);
  put(b, large ? UINT32_MAX : elsewhere ? 0 : packed, 4);
  put(b, large ? UINT32_MAX : elsewhere ? 0 : size, 4);
}

static ad_buffer zip(const form *f, const part *p, size_t parts) {
  ad_buffer file = {0}, directory = {0};
  for (size_t i = 0; i < parts; i++) {
    ad_buffer raw = {0}, packed = {0}, extra = {0}, more = {0};
    ad_npy_put_head(&raw, p[i].descr, &p[i].shape);
    ad_buffer_put(&raw, p[i].numbers, p[i].size);
    const uint32_t crc = (uint32_t)crc32(0, (unsigned char *)raw.data, (unsigned)raw.size) ^ f->crc;
    const unsigned flags = f->flags | (f->described ? 8u : 0u), method = (f->deflated ? 8u : 0u) + f->method;
    if (f->deflated)
      put_deflated(&packed, &raw);
    else
      ad_buffer_put(&packed, raw.data, raw.size);
    const uint64_t at = file.size;
    put_extra(&extra, f->foreign, f->local64, raw.size, packed.size, NULL);
    put(&file, 0x04034b50, 4), put(&file, 20, 2), put(&file, flags, 2), put(&file, method, 2), put(&file, 0, 4);
    put_sizes(&file, crc, packed.size, raw.size, f->described, f->local64);
    put(&file, strlen(p[i].name), 2), put(&file, extra.size, 2);
    ad_buffer_puts(&file, p[i].name);
    ad_buffer_put(&file, extra.data, extra.size);
    ad_buffer_put(&file, packed.data, packed.size);
    if (f->described)
      put(&file, 0x08074b50, 4), put(&file, crc, 4), put(&file, packed.size, 4), put(&file, raw.size, 4);
    put_extra(&more, f->foreign, f->central64, raw.size, packed.size, &at);
    put(&directory, 0x02014b50, 4), put(&directory, 20, 2), put(&directory, 20, 2);
    put(&directory, flags, 2), put(&directory, method, 2), put(&directory, 0, 4);
    put_sizes(&directory, crc, packed.size, raw.size, false, f->central64);
    put(&directory, strlen(p[i].name), 2), put(&directory, more.size, 2), put(&directory, f->comment ? 3 : 0, 2);
    put(&directory, 0, 8), put(&directory, f->central64 ? UINT32_MAX : at, 4);
    ad_buffer_puts(&directory, p[i].name);
    ad_buffer_put(&directory, more.data, more.size);
    if (f->comment) ad_buffer_puts(&directory, "abc");
    ad_buffer_clear(&raw), ad_buffer_clear(&packed), ad_buffer_clear(&extra), ad_buffer_clear(&more);
  }
  const uint64_t start = file.size, size = directory.size + (uint64_t)f->folder, count = parts + (uint64_t)f->entries;
  ad_buffer_put(&file, directory.data, directory.size);
  if (f->end64) {
    const uint64_t at = file.size;
    put(&file, 0x06064b50, 4), put(&file, 44, 8), put(&file, 45, 2), put(&file, 45, 2), put(&file, 0, 8);
    put(&file, count, 8), put(&file, count, 8), put(&file, size, 8), put(&file, start, 8);
    put(&file, 0x07064b50, 4), put(&file, 0, 4), put(&file, at, 8), put(&file, 1, 4);
  }
  put(&file, 0x06054b50, 4), put(&file, 0, 4);
  put(&file, f->end64 ? UINT16_MAX : count, 2), put(&file, f->end64 ? UINT16_MAX : count, 2);
  put(&file, f->end64 ? UINT32_MAX : size, 4), put(&file, f->end64 ? UINT32_MAX : start, 4);
  put(&file, f->comment ? 7 : 0, 2);
  if (f->comment) ad_buffer_puts(&file, "made by");
  ad_buffer_clear(&directory);
  ck_assert(!file.failed);
  return file;
}

/* ---- Reading it */

enum { ROWS = 3, WIDTH = 5 };

static ad_graph *two_inputs(void) {
  ad_graph *g = graphs_new();
  graphs_input(g, "a", SCALAR, &(double){1}, 1);
  graphs_input(g, "b", SHAPE(2, 2), &(double){7}, 1);
  must(ad_graph_output(g, "f", graphs_apply(g, "sum", NODES(graphs_binary(g, "mul", 0, 1)), 0, NULL), ERR));
  return g;
}

static const float a[ROWS] = {0.5f, -1, 8};
static const int16_t b[ROWS * 4] = {1, 2, 3, 4, 5, 6, 7, 8, -9, 10, 11, 12};
#define A \
  { "a.npy", "<f4", {1, {ROWS}}, a, sizeof a }
#define B \
  { "b.npy", "<i2", {3, {ROWS, 2, 2}}, b, sizeof b }
static const part both[] = {B, A};

static void write_bytes(const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
  ck_assert_int_eq(fclose(f), 0);
}

/* All rows, taken one or more at a time; what rows do not give stays 7. */
static ad_status read_rows(double *to, size_t piece) {
  ad_graph *g = two_inputs();
  ad_points p;
  ad_points_block block = {0};
  ad_status s = ad_table_open(&p, path, g, ERR);
  if (!s) {
    ck_assert_uint_eq(p.count, ROWS);
    for (block.count = piece; !s && block.first < ROWS && block.count; block.first += block.count) {
      block.count = piece;
      s = p.take(p.self, &block, ERR);
      if (!s) s = p.decode(p.self, &block, to + block.first * WIDTH, ERR);
    }
    ad_table_close(&p);
  }
  ad_buffer_clear(&block.raw);
  ad_graph_free(g);
  return s;
}

static ad_status read_bytes(const ad_buffer *file, double *to, size_t piece) {
  for (int i = 0; i < ROWS * WIDTH; i++) to[i] = 7;
  write_bytes(file->data, file->size);
  return read_rows(to, piece);
}

static const form forms[] = {
    {.what = "as it is"},
    {.what = "deflated", .deflated = true},
    {.what = "as NumPy writes it", .local64 = true},
    {.what = "as NumPy writes it, deflated", .local64 = true, .deflated = true},
    {.what = "sizes behind the content", .described = true},
    {.what = "sizes behind the content, deflated", .described = true, .deflated = true},
    {.what = "sizes of 64 bits", .central64 = true},
    {.what = "all of 64 bits", .central64 = true, .local64 = true, .end64 = true, .deflated = true},
    {.what = "fields of other programs", .foreign = true},
    {.what = "fields of other programs before sizes of 64 bits", .foreign = true, .central64 = true, .local64 = true},
    {.what = "comments", .comment = true, .end64 = true},
};
enum { FORMS = sizeof forms / sizeof forms[0] };

START_TEST(whole_files) {
  ad_buffer file = zip(&forms[_i], both, 2);
  for (size_t piece = 1; piece <= ROWS; piece++) {
    double got[ROWS * WIDTH];
    must(read_bytes(&file, got, piece));
    for (int r = 0; r < ROWS; r++) {
      ck_assert_double_eq(got[r * WIDTH], (double)a[r]);
      for (int k = 0; k < 4; k++) ck_assert_double_eq(got[r * WIDTH + 1 + k], b[4 * r + k]);
    }
  }
  ad_buffer_clear(&file);
}
END_TEST

/* Inputs that have no array keep what they had; rows may be flat. */
START_TEST(some_inputs) {
  const part flat[] = {{"b.npy", "<i2", {2, {ROWS, 4}}, b, sizeof b}};
  ad_buffer file = zip(&forms[0], flat, 1);
  double got[ROWS * WIDTH];
  must(read_bytes(&file, got, 2));
  for (int r = 0; r < ROWS; r++) {
    ck_assert_double_eq(got[r * WIDTH], 7);
    for (int k = 0; k < 4; k++) ck_assert_double_eq(got[r * WIDTH + 1 + k], b[4 * r + k]);
  }
  ad_buffer_clear(&file);
}
END_TEST

START_TEST(halves) {
  static const uint16_t bits[ROWS * 4] = {0x0000, 0x8000, 0x3C00, 0xC000, 0x3555, 0x7BFF,
                                          0x0400, 0x0001, 0x03FF, 0x7C00, 0xFC00, 0x7E00};
  static const double want[ROWS * 4] = {0,       -0.0,    1,         -2,       0x1.554p-2, 65504,
                                        0x1p-14, 0x1p-24, 0x3FFp-24, INFINITY, -INFINITY,  NAN};
  unsigned char turned[sizeof bits];
  for (size_t i = 0; i < sizeof bits; i++) turned[i] = ((const unsigned char *)bits)[i ^ 1];
  for (int big = 0; big < 2; big++) {
    const part p[] = {
        {"b.npy", big ? ">f2" : "<f2", {3, {ROWS, 2, 2}}, big ? (const void *)turned : bits, sizeof bits}};
    ad_buffer file = zip(&forms[0], p, 1);
    double got[ROWS * WIDTH];
    must(read_bytes(&file, got, 2));
    for (int i = 0; i < ROWS * 4; i++) {
      const double v = got[i / 4 * WIDTH + 1 + i % 4];
      ck_assert_msg(isnan(want[i]) ? isnan(v) : v == want[i] && !signbit(v) == !signbit(want[i]), "half %d is %g", i,
                    v);
    }
    ad_buffer_clear(&file);
    ad_buffer npy = {0};
    ad_npy array;
    ad_npy_put_head(&npy, p[0].descr, &(ad_shape){1, {12}});
    ad_buffer_put(&npy, p[0].numbers, sizeof bits);
    must(ad_npy_read(&array, npy.data, npy.size, "half.npy", ERR));
    for (int i = 0; i < ROWS * 4; i++)
      ck_assert(array.value[i] == want[i] || (isnan(array.value[i]) && isnan(want[i])));
    ad_npy_clear(&array);
    ad_buffer_clear(&npy);
  }
}
END_TEST

/* ---- Damage */

static uint64_t little(const char *p, int bytes) {
  uint64_t v = 0;
  while (bytes--) v = v << 8 | (unsigned char)p[bytes];
  return v;
}

static void refuse(const ad_buffer *file, ad_status want, const char *part, const char *what) {
  double got[ROWS * WIDTH];
  const ad_status s = read_bytes(file, got, 2);
  ck_assert_msg(s == want && strstr(graphs_error.message, part), "%s: status %d, '%s'", what, s, graphs_error.message);
  ck_assert_msg(s != AD_EINPUT || graphs_error.offset >= 0 || graphs_error.line > 0, "%s: no place", what);
}

START_TEST(cut_off) {
  ad_buffer file = zip(&forms[_i], both, 2);
  const size_t whole = file.size - (forms[_i].comment ? strlen("made by") : 0);
  for (size_t n = 0; n < whole; n++) {
    ad_buffer cut = {.data = file.data, .size = n};
    refuse(&cut, AD_EINPUT, "", "a file cut off");
  }
  ad_buffer_clear(&file);
}
END_TEST

/* A bit that turns is an error where checksums reach, which is not the padding of what is deflated; elsewhere it is
 * survived. */
START_TEST(flipped_bits) {
  for (int k = 0; k < 2; k++) {
    ad_buffer file = zip(&forms[k], both, 2);
    const size_t data = 30 + strlen("b.npy"), end = data + little(file.data + 18, 4); /* of the first member */
    for (size_t i = 0; i < file.size; i++) {
      double got[ROWS * WIDTH];
      file.data[i] ^= 4;
      const ad_status s = read_bytes(&file, got, 2);
      ck_assert_msg(s != AD_OK || i < data || i + (size_t)forms[k].deflated >= end, "%s: byte %zu is not missed",
                    forms[k].what, i);
      file.data[i] ^= 4;
    }
    ad_buffer_clear(&file);
  }
}
END_TEST

START_TEST(wrong_files) {
  static const struct {
    form f;
    const char *part;
  } cases[] = {
      {{"a checksum", .crc = 1}, "checksum"},
      {{"a checksum, deflated", .crc = 1 << 31, .deflated = true}, "checksum"},
      {{"encrypted", .flags = 1}, "encrypted"},
      {{"method 12", .method = 12}, "method"},
      {{"a folder that ends behind the file", .folder = 100}, "outside the file"},
      {{"the same in 64 bits", .folder = 200, .end64 = true}, "outside the file"},
      {{"a folder's size of 2^63", .folder = INT64_MIN, .end64 = true}, "outside the file"},
      {{"a folder shorter than its entries", .folder = -10}, "damaged"},
      {{"more entries than there are", .entries = 1}, "outside the file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ad_buffer file = zip(&cases[i].f, both, 2);
    refuse(&file, AD_EINPUT, cases[i].part, cases[i].f.what);
    ad_buffer_clear(&file);
  }
  static const struct {
    part p[2];
    size_t count;
    const char *part;
  } parts[] = {
      {{A, A}, 2, "there twice"},
      {{{"c.npy", "<f4", {1, {ROWS}}, a, sizeof a}}, 1, "no input"},
      {{A}, 0, "no array"},
      {{A, {"b.npy", "<i2", {3, {2, 2, 2}}, b, 16}}, 2, "rows"},
      {{{"b.npy", "<i2", {3, {2, 2, 3}}, b, sizeof b}}, 1, "shape"},
      {{{"b.npy", "<i2", {3, {ROWS, 2, 2}}, b, sizeof b - 2}}, 1, "bytes of numbers"},
      {{{"a.npy", "|S4", {1, {ROWS}}, a, sizeof a}}, 1, "only floats"},
      {{{"a.npy", "<f3", {1, {4}}, a, sizeof a}}, 1, "2, 4 or 8 bytes"},
  };
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    ad_buffer file = zip(&forms[0], parts[i].p, parts[i].count);
    if (!parts[i].count) memcpy(file.data, "PK\3\4", 4);
    refuse(&file, AD_EINPUT, parts[i].count ? parts[i].part : "", parts[i].part);
    ad_buffer_clear(&file);
  }
  unlink(path);
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  ad_buffer file = zip(&forms[0], both, 2);
  if (!fork()) {
    FILE *f = fopen(path, "wb");
    _exit(!f || fwrite(file.data, 1, file.size, f) != file.size || fclose(f));
  }
  double got[ROWS * WIDTH];
  must_fail(AD_EUSAGE, "from a pipe", read_rows(got, 1));
  ad_buffer_clear(&file);
  unlink(path);
}
END_TEST

/* ---- What is written */

/* The end record, every entry of the directory, every local header, every checksum, and not a byte between them. */
START_TEST(written_files_are_whole) {
  static const char *const names[] = {"data.npy", "indices.npy", "indptr.npy", "shape.npy", "format.npy"};
  const uint64_t start[] = {0, 2, 3}, column[] = {0, 4, 1};
  const double value[] = {1.5, -2, 0.1};
  ad_buffer file = {0};
  must(ad_npz_write_csr(&file, &(ad_npz_csr){2, 5, 3, start, column, value}, ERR));
  const char *end = file.data + file.size - 22;
  ck_assert(file.size > 22 && !memcmp(end, "PK\5\6\0\0\0\0\5\0\5\0", 12) && little(end + 20, 2) == 0);
  const char *entry = file.data + little(end + 16, 4);
  size_t at = 0;
  ck_assert_ptr_eq(entry + little(end + 12, 4), end);
  for (int i = 0; i < 5; i++) {
    const size_t name = strlen(names[i]), size = little(entry + 24, 4);
    const char *local = file.data + little(entry + 42, 4);
    ck_assert(!memcmp(entry, "PK\1\2", 4) && little(entry + 10, 2) == 0 && little(entry + 20, 4) == size);
    ck_assert(little(entry + 28, 2) == name && !little(entry + 30, 4) && !memcmp(entry + 46, names[i], name));
    ck_assert_ptr_eq(local, file.data + at);
    ck_assert(!memcmp(local, "PK\3\4", 4) && !memcmp(local + 4, entry + 6, 26) && !memcmp(local + 30, names[i], name));
    ck_assert_uint_eq(crc32(0, (const unsigned char *)local + 30 + name, (unsigned)size), little(entry + 16, 4));
    if (i < 4) {
      ad_npy array;
      must(ad_npy_read(&array, local + 30 + name, size, names[i], ERR));
      for (int64_t k = 0; k < ad_shape_size(&array.shape); k++)
        ck_assert_double_eq(array.value[k], i == 0   ? value[k]
                                            : i == 1 ? (double)column[k]
                                            : i == 2 ? (double)start[k]
                                                     : 2 + 3 * (double)k);
      ck_assert_int_eq(ad_shape_size(&array.shape), i == 3 ? 2 : 3);
      ad_npy_clear(&array);
    } else {
      ck_assert(!memcmp(local + 30 + name + size - 3, "csr", 3));
    }
    at += 30 + name + size;
    entry += 46 + name;
  }
  ck_assert_ptr_eq(entry, end);
  ck_assert_ptr_eq(file.data + little(end + 16, 4), file.data + at);
  write_bytes(file.data, file.size);
  char command[200];
  snprintf(command, sizeof command, "python3 -c pass 2>/dev/null || exit 0; python3 -m zipfile -t %s >/dev/null", path);
  ck_assert_int_eq(system(command), 0);
  ad_buffer_clear(&file);
}
END_TEST

static void make_folder(void) {
  if (!mkdtemp(folder)) abort();
  snprintf(path, sizeof path, "%s/points.npz", folder);
}

static void remove_folder(void) {
  unlink(path);
  rmdir(folder);
}

int main(void) {
  Suite *s = suite_create("npz");
  TCase *c = tcase_create("files");
  tcase_add_unchecked_fixture(c, make_folder, remove_folder);
  tcase_add_loop_test(c, whole_files, 0, FORMS);
  tcase_add_test(c, some_inputs);
  tcase_add_test(c, halves);
  tcase_add_loop_test(c, cut_off, 0, FORMS);
  tcase_add_test(c, flipped_bits);
  tcase_add_test(c, wrong_files);
  tcase_add_test(c, written_files_are_whole);
  tcase_set_timeout(c, 60);
  suite_add_tcase(s, c);
  return suite_run(s);
}
