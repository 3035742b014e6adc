#include "yaml/symbols.h"

#include <string.h>

#include "hash.h"
#include "ir/names.h"
#include "mem.h"

void ad_symbols_clear(ad_symbols *t) {
  ad_free(t->symbol);
  ad_free(t->text);
  ad_free(t->slot);
  *t = (ad_symbols){0};
}

static bool grow(ad_symbols *t) {
  size_t slots = t->slots ? 2 * t->slots : 64;
  struct ad_symbol_slot *slot = ad_calloc_lines(slots, sizeof *slot);
  if (!slot) return false;
  if (!t->seed) t->seed = ad_hash_seed(slot);
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

static struct ad_symbol_slot *home(const ad_symbols *t, const char *text, size_t length) {
  return &t->slot[ad_hash_text(t->seed, text, length) & (t->slots - 1)];
}

void ad_symbols_ask_slot(const ad_symbols *t, const char *text, size_t length) {
  __builtin_prefetch(home(t, text, length));
}

void ad_symbols_ask_symbol(const ad_symbols *t, const char *text, size_t length) {
  const ad_symbol *s = &t->symbol[home(t, text, length)->id]; /* most often in its first slot */
  __builtin_prefetch(s);
  __builtin_prefetch((const char *)(s + 1) - 1);
}

uint32_t ad_symbols_intern(ad_symbols *t, const char *text, size_t length) {
  if (2 * (t->count + 1) > t->slots && !grow(t)) return 0;
  uint32_t hash = ad_hash_text(t->seed, text, length);
  size_t k = hash & (t->slots - 1);
  for (; t->slot[k].id; k = (k + 1) & (t->slots - 1))
    if (t->slot[k].hash == hash && t->symbol[t->slot[k].id].length == length &&
        !memcmp(ad_symbol_text(t, t->slot[k].id), text, length))
      return t->slot[k].id;
  const bool here = length < AD_SHORT_TEXT;
  if (!t->count) t->count = 1;
  if (t->count >= AD_NOTHING || t->text_size + length >= UINT32_MAX ||
      !ad_reserve(&t->symbol, &t->capacity, t->count + 1, sizeof *t->symbol) ||
      (!here && !ad_reserve(&t->text, &t->text_capacity, t->text_size + length + 1, 1)))
    return 0;
  ad_symbol *s = &t->symbol[t->count];
  *s = (ad_symbol){
      .length = (uint32_t)length, .def = AD_NOTHING, .dim = AD_NOTHING, .node = AD_NO_NODE, .literal = AD_NO_NODE};
  if (!here) s->text.there = (uint32_t)t->text_size, t->text_size += length + 1;
  char *to = here ? s->text.here : t->text + s->text.there;
  memcpy(to, text, length);
  to[length] = '\0';
  t->slot[k] = (struct ad_symbol_slot){hash, (uint32_t)t->count};
  return (uint32_t)t->count++;
}
