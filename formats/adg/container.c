#include "adg/container.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "error.h"
#include "ir/graph.h"

enum { MAJOR = 1, MINOR = 0, HEADER = 32, ENTRY = 40, BLOCK = 1 << 20 };
enum { MAX_SECTIONS = ADG_TAGS + AD_MAX_META_SECTIONS };
enum { CODEC_STORED, CODEC_ZLIB };

static const unsigned char magic[8] = {0x89, 'A', 'D', 'G', '\r', '\n', 0x1A, '\n'};
static const char tags[ADG_TAGS][5] = {"META", "OPTB", "INPT", "NODE", "ARGA", "ARGB", "ATTR",
                                       "CNST", "NUMB", "DBLS", "TEXT", "NAME", "OUTP"};

ad_status ad_adg_fail(ad_error *e, size_t offset, const char *format, ...) {
  char message[400];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  ad_status s = ad_fail(e, AD_EINPUT, "damaged .adg file: %s", message);
  if (e) e->offset = (int64_t)offset;
  return s;
}

static uint64_t get(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  for (int i = bytes; i-- > 0;) v = v << 8 | p[i];
  return v;
}

static void put(unsigned char *p, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static size_t aligned(size_t n) {
  return (n + 7) & ~(size_t)7;
}

/* zlib's own crc32 takes 32-bit lengths. */
static uint32_t checksum(uint32_t crc, const unsigned char *p, size_t n) {
  return (uint32_t)crc32_z(crc, p, n);
}

/* ---- Reading */

/* Blocks of at most 1 MiB: a 32-bit length and a zlib stream each. */
static ad_status inflate_section(ad_adg_section *s, const unsigned char *p, size_t stored, size_t raw, ad_error *e) {
  if (!(s->owned = ad_malloc(raw, 1))) return ad_fail_memory(e);
  unsigned char *out = s->owned;
  size_t at = 0, done = 0;
  while (done < raw) {
    size_t want = raw - done < BLOCK ? raw - done : BLOCK;
    if (stored - at < 4) return ad_adg_fail(e, s->offset + at, "a compressed block is cut off");
    size_t n = get(p + at, 4);
    at += 4;
    if (n > stored - at) return ad_adg_fail(e, s->offset + at, "a compressed block is longer than its section");
    uLongf got = want;
    uLong used = n;
    int z = uncompress2(out + done, &got, p + at, &used);
    if (z == Z_MEM_ERROR) return ad_fail_memory(e);
    if (z != Z_OK || got != want || used != n)
      return ad_adg_fail(e, s->offset + at, "a compressed block can't be inflated");
    at += n;
    done += want;
  }
  if (at != stored) return ad_adg_fail(e, s->offset + at, "bytes behind the last compressed block");
  s->raw = out;
  s->size = raw;
  return AD_OK;
}

/* No stream of zlib's gets larger. */
static uint64_t most_raw(uint64_t stored) {
  return 1032 * stored + 64;
}

static ad_status open_section(ad_adg_section *s, const unsigned char *file, const unsigned char *entry, size_t *end,
                              size_t size, ad_error *e) {
  size_t place = (size_t)(entry - file);
  uint64_t codec = entry[4], offset = get(entry + 8, 8), stored = get(entry + 16, 8), raw = get(entry + 24, 8);
  if (codec > CODEC_ZLIB || entry[5] || entry[6] || entry[7] || get(entry + 36, 4))
    return ad_adg_fail(e, place, "the section table has an unknown codec");
  if (offset != aligned(*end) || offset > size || stored > size - offset)
    return ad_adg_fail(e, place, "a section does not lie where the one before it ends");
  for (size_t i = *end; i < offset; i++)
    if (file[i]) return ad_adg_fail(e, i, "the padding is not zero");
  if (codec == CODEC_STORED ? raw != stored : raw == 0 || raw > most_raw(stored))
    return ad_adg_fail(e, place, "a section declares an impossible size");
  if (checksum(0, file + offset, stored) != get(entry + 32, 4))
    return ad_adg_fail(e, offset, "the checksum of section %.4s is wrong", (const char *)entry);
  *end = offset + stored;
  *s = (ad_adg_section){.raw = file + offset, .size = stored, .offset = offset};
  return codec == CODEC_ZLIB ? inflate_section(s, file + offset, stored, raw, e) : AD_OK;
}

/* What reading a byte of a section takes at most, beside the byte: in texts, columns, numbers, names. */
static const unsigned char takes[ADG_TAGS + 1] = {
    [ADG_META] = 3, [ADG_INPT] = 16, [ADG_NODE] = 10, [ADG_ARGA] = 5,
    [ADG_ARGB] = 9, [ADG_ATTR] = 17, [ADG_CNST] = 13, [ADG_NUMB] = 20,
    [ADG_TEXT] = 3, [ADG_NAME] = 16, [ADG_OUTP] = 16, [ADG_TAGS] = 4 /* kept, in hexadecimal */};

static ad_status check_memory(const unsigned char *table, size_t count, size_t size, uint64_t most, ad_error *e) {
  double bytes = (double)size;
  for (size_t i = 0; i < count; i++) {
    const unsigned char *entry = table + i * ENTRY;
    const uint64_t stored = get(entry + 16, 8), raw = get(entry + 24, 8);
    if (stored <= size && raw <= most_raw(stored)) /* else it is refused for that */
      bytes += (double)raw * (1 + takes[i < ADG_TAGS ? i : ADG_TAGS]);
  }
  if (bytes <= (double)most) return AD_OK;
  return ad_fail(e, AD_ELIMIT,
                 "reading this graph can take %.0f MiB of memory, above the limit of %llu MiB (--max-memory)",
                 bytes / 0x1p20, (unsigned long long)(most >> 20));
}

static bool is_tag(const unsigned char *p) {
  for (int i = 0; i < 4; i++)
    if (!((p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z') || (i && p[i] >= '0' && p[i] <= '9')))
      return false;
  return true;
}

void ad_adg_close(ad_adg_file *f) {
  for (int i = 0; i < ADG_TAGS; i++) ad_free(f->section[i].owned);
  for (size_t i = 0; i < f->extra_count; i++) ad_free(f->extra[i].section.owned);
  ad_free(f->extra);
  *f = (ad_adg_file){0};
}

static ad_status open_all(ad_adg_file *f, const unsigned char *p, size_t size, uint64_t most, ad_error *e) {
  if (size < HEADER) return ad_adg_fail(e, size, "it is shorter than its header");
  if (memcmp(p, magic, sizeof magic)) return ad_adg_fail(e, 0, "the magic number is wrong");
  if (get(p + 8, 2) > MAJOR || !get(p + 8, 2)) {
    ad_status s = ad_fail(e, AD_EINPUT, "this .adg file has version %u.%u; this program reads up to %d.x",
                          (unsigned)get(p + 8, 2), (unsigned)get(p + 10, 2), MAJOR);
    if (e) e->offset = 8;
    return s;
  }
  uint64_t count = get(p + 12, 4), length = get(p + 16, 8);
  if (length != size)
    return ad_adg_fail(e, size, "it has %zu bytes, but its header says %llu", size, (unsigned long long)length);
  if (count < ADG_TAGS || count > MAX_SECTIONS || (size - HEADER) / ENTRY < count)
    return ad_adg_fail(e, 12, "the section table does not fit");
  uint32_t crc = checksum(checksum(0, p, 24), p + HEADER, count * ENTRY);
  if (crc != get(p + 24, 4) || get(p + 28, 4)) return ad_adg_fail(e, 24, "the checksum of the header is wrong");
  ad_status status = check_memory(p + HEADER, count, size, most, e);
  if (status) return status;
  f->extra = ad_calloc(count - ADG_TAGS, sizeof *f->extra);
  if (!f->extra) return ad_fail_memory(e);
  size_t end = HEADER + count * ENTRY;
  for (size_t i = 0; i < count; i++) {
    const unsigned char *entry = p + HEADER + i * ENTRY;
    ad_adg_section *s;
    if (i < ADG_TAGS) {
      if (memcmp(entry, tags[i], 4))
        return ad_adg_fail(e, HEADER + i * ENTRY, "section %zu should be %s", i + 1, tags[i]);
      s = &f->section[i];
    } else {
      if (!is_tag(entry)) return ad_adg_fail(e, HEADER + i * ENTRY, "a section's tag is not four letters or digits");
      if (entry[0] < 'a')
        return ad_adg_fail(e, HEADER + i * ENTRY, "the section %.4s is needed to understand it, and unknown here",
                           (const char *)entry);
      ad_adg_extra *x = &f->extra[f->extra_count];
      memcpy(x->tag, entry, 4);
      s = &x->section;
      f->extra_count++;
    }
    status = open_section(s, p, entry, &end, size, e);
    if (status) return status;
  }
  return end == size ? AD_OK : ad_adg_fail(e, end, "there are bytes behind the last section");
}

ad_status ad_adg_open(ad_adg_file *f, const void *bytes, size_t size, uint64_t most, ad_error *e) {
  *f = (ad_adg_file){0};
  ad_status s = open_all(f, bytes, size, most, e);
  if (s) ad_adg_close(f);
  return s;
}

/* ---- Writing */

static ad_status deflate_section(ad_buffer *out, const ad_adg_section *s, ad_error *e) {
  size_t room = compressBound(BLOCK);
  unsigned char *block = ad_malloc(room, 1);
  if (!block) return ad_fail_memory(e);
  for (size_t at = 0; at < s->size; at += BLOCK) {
    size_t n = s->size - at < BLOCK ? s->size - at : BLOCK;
    uLongf got = room;
    if (compress2(block, &got, s->raw + at, n, 9) != Z_OK) {
      ad_free(block);
      return ad_fail_memory(e);
    }
    unsigned char length[4];
    put(length, got, 4);
    ad_buffer_put(out, length, sizeof length);
    ad_buffer_put(out, block, got);
  }
  ad_free(block);
  return out->failed ? ad_fail_memory(e) : AD_OK;
}

static ad_status add_section(ad_buffer *out, size_t start, size_t index, const char *tag, const ad_adg_section *s,
                             bool stored, ad_error *e) {
  static const unsigned char zeros[8] = {0};
  ad_buffer packed = {0};
  ad_status status = AD_OK;
  ad_buffer_put(out, zeros, aligned(out->size - start) - (out->size - start));
  size_t offset = out->size - start;
  if (!stored && s->size) status = deflate_section(&packed, s, e);
  bool zlib = !stored && s->size && packed.size < s->size;
  const void *bytes = zlib ? (const void *)packed.data : s->raw;
  size_t n = zlib ? packed.size : s->size;
  if (!status) ad_buffer_put(out, bytes, n);
  if (!status && out->failed) status = ad_fail_memory(e);
  if (!status) {
    unsigned char *entry = (unsigned char *)out->data + start + HEADER + index * ENTRY;
    memcpy(entry, tag, 4);
    entry[4] = zlib;
    put(entry + 8, offset, 8);
    put(entry + 16, n, 8);
    put(entry + 24, s->size, 8);
    put(entry + 32, checksum(0, n ? bytes : zeros, n), 4);
  }
  ad_buffer_clear(&packed);
  return status;
}

ad_status ad_adg_assemble(ad_buffer *out, const ad_adg_file *f, bool stored, ad_error *e) {
  size_t start = out->size, count = ADG_TAGS + f->extra_count;
  unsigned char *head = ad_calloc(HEADER + count * ENTRY, 1);
  if (!head) return ad_fail_memory(e);
  ad_buffer_put(out, head, HEADER + count * ENTRY);
  ad_free(head);
  ad_status s = out->failed ? ad_fail_memory(e) : AD_OK;
  for (size_t i = 0; !s && i < count; i++)
    s = i < ADG_TAGS
            ? add_section(out, start, i, tags[i], &f->section[i], stored, e)
            : add_section(out, start, i, f->extra[i - ADG_TAGS].tag, &f->extra[i - ADG_TAGS].section, stored, e);
  if (s) return s;
  head = (unsigned char *)out->data + start;
  memcpy(head, magic, sizeof magic);
  put(head + 8, MAJOR, 2);
  put(head + 10, MINOR, 2);
  put(head + 12, count, 4);
  put(head + 16, out->size - start, 8);
  put(head + 24, checksum(checksum(0, head, 24), head + HEADER, count * ENTRY), 4);
  return AD_OK;
}
