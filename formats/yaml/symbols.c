#include "yaml/symbols.h"

#include <string.h>

#include "mem.h"

void ad_symbols_clear(ad_symbols *t) {
  ad_free(t->symbol);
  ad_free(t->text);
  ad_free(t->slot);
  *t = (ad_symbols){0};
}

/* Multiplies and folds eight bytes at a time.  The seed differs from run to run, so that a file can't be made whose
 * names all meet in one place. */
static uint32_t hash_text(uint64_t seed, const char *s, size_t n) {
  const uint64_t odd = 0x9E3779B97F4A7C15u;
  uint64_t h = seed ^ n * odd, word = 0;
  for (; n >= 8; s += 8, n -= 8) {
    memcpy(&word, s, 8);
    h = (h ^ word) * odd;
    h ^= h >> 32;
  }
  word = 0;
  for (size_t i = 0; i < n; i++) word = word << 8 | (unsigned char)s[i];
  h = (h ^ word) * odd;
  h = (h ^ h >> 29) * odd;
  return (uint32_t)(h >> 32);
}

static bool grow(ad_symbols *t) {
  size_t slots = t->slots ? 2 * t->slots : 64;
  struct ad_symbol_slot *slot = ad_calloc(slots, sizeof *slot);
  if (!slot) return false;
  if (!t->seed) t->seed = (uint64_t)(uintptr_t)slot * 0xD6E8FEB86659FD93u | 1;
  for (size_t i = 0; i < t->slots; i++) {
    if (!t->slot[i].id) continue;
    size_t k = t->slot[i].hash & (slots - 1);
    while (slot[k].id) k = (k + 1) & (slots - 1);
    slot[k] = t->slot[i];
  }
  ad_free(t->slot);
  t->slot = slot;
  t->slots = slots;
  return true;
}

uint32_t ad_symbols_intern(ad_symbols *t, const char *text, size_t length) {
  if (2 * (t->count + 1) > t->slots && !grow(t)) return 0;
  uint32_t hash = hash_text(t->seed, text, length);
  size_t k = hash & (t->slots - 1);
  for (; t->slot[k].id; k = (k + 1) & (t->slots - 1)) {
    const ad_symbol *s = &t->symbol[t->slot[k].id];
    if (t->slot[k].hash == hash && s->length == length && !memcmp(t->text + s->text, text, length))
      return t->slot[k].id;
  }
  if (!t->count) t->count = 1;
  if (t->count >= AD_NOTHING || t->text_size + length >= UINT32_MAX ||
      !ad_reserve(&t->symbol, &t->capacity, t->count + 1, sizeof *t->symbol) ||
      !ad_reserve(&t->text, &t->text_capacity, t->text_size + length + 1, 1))
    return 0;
  memcpy(t->text + t->text_size, text, length);
  t->text[t->text_size + length] = '\0';
  t->symbol[t->count] = (ad_symbol){.text = (uint32_t)t->text_size,
                                    .length = (uint32_t)length,
                                    .def = AD_NOTHING,
                                    .dim = AD_NOTHING,
                                    .literal = AD_NO_NODE};
  t->text_size += length + 1;
  t->slot[k] = (struct ad_symbol_slot){hash, (uint32_t)t->count};
  return (uint32_t)t->count++;
}
