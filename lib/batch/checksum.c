#include "batch/checksum.h"

#include <string.h>

static uint64_t word_at(const unsigned char *p) {
  uint64_t w;
  memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  w = __builtin_bswap64(w);
#endif
  return w;
}

/* One to one in h for every w and in w for every h: a single wrong word is always seen.  The constants are those of
 * splitmix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014). */
static uint64_t mix(uint64_t h, uint64_t w) {
  h = (h ^ w) * 0xbf58476d1ce4e5b9u;
  return h ^ (h >> 29);
}

/* As many lanes as it takes for a multiplication not to wait for the one before. */
static void add_lines(ad_checksum *c, const unsigned char *p, size_t lines) {
  uint64_t lane[AD_CHECKSUM_LANES];
  memcpy(lane, c->lane, sizeof lane);
  for (; lines; lines--, p += sizeof lane) {
    _Pragma("GCC unroll 8") for (int i = 0; i < AD_CHECKSUM_LANES; i++) lane[i] = mix(lane[i], word_at(p + 8 * i));
  }
  memcpy(c->lane, lane, sizeof lane);
}

void ad_checksum_start(ad_checksum *c) {
  memset(c, 0, sizeof *c);
  for (int i = 0; i < AD_CHECKSUM_LANES; i++) c->lane[i] = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u;
}

void ad_checksum_add(ad_checksum *c, const void *bytes, size_t size) {
  const unsigned char *p = bytes;
  const size_t have = c->size % sizeof c->rest;
  c->size += size;
  if (have) {
    const size_t want = sizeof c->rest - have, n = size < want ? size : want;
    memcpy(c->rest + have, p, n);
    p += n;
    size -= n;
    if (n < want) return;
    add_lines(c, c->rest, 1);
  }
  const size_t lines = size / sizeof c->rest;
  add_lines(c, p, lines);
  if (size % sizeof c->rest) memcpy(c->rest, p + lines * sizeof c->rest, size % sizeof c->rest);
}

uint64_t ad_checksum_end(const ad_checksum *c) {
  const size_t have = c->size % sizeof c->rest;
  ad_checksum last = *c;
  if (have) {
    memset(last.rest + have, 0, sizeof last.rest - have);
    add_lines(&last, last.rest, 1);
  }
  uint64_t h = c->size;
  for (int i = 0; i < AD_CHECKSUM_LANES; i++) h = mix(h, last.lane[i]);
  return mix(h, 0);
}

uint64_t ad_checksum_of(const void *bytes, size_t size) {
  ad_checksum c;
  ad_checksum_start(&c);
  ad_checksum_add(&c, bytes, size);
  return ad_checksum_end(&c);
}

uint64_t ad_checksum_at(uint64_t place, uint64_t checksum) {
  const uint64_t words[] = {place, checksum};
  return ad_checksum_of(words, sizeof words);
}
