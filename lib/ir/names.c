#include "ir/names.h"

#include <string.h>

#include "mem.h"

void ad_names_clear(ad_names *n) {
  ad_free(n->pool);
  ad_free(n->entry);
  ad_free(n->by_name);
  ad_free(n->by_id);
  *n = (ad_names){0};
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t hash_text(const char *s) {
  uint64_t h = 14695981039346656037u;
  for (; *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
  return h ^ h >> 32;
}

static uint64_t hash_id(uint32_t id) {
  uint64_t h = id * 0x9E3779B97F4A7C15u; /* Fibonacci hashing, Knuth vol. 3, 6.4 */
  return h >> 32 ^ h;
}

static void put(uint32_t *table, size_t slots, uint64_t hash, uint32_t item) {
  size_t i = hash & (slots - 1);
  while (table[i]) i = (i + 1) & (slots - 1);
  table[i] = item + 1;
}

static bool grow(ad_names *n) {
  size_t slots = n->slots ? 2 * n->slots : 16;
  uint32_t *by_name = ad_calloc(slots, sizeof *by_name), *by_id = ad_calloc(slots, sizeof *by_id);
  if (!by_name || !by_id) {
    ad_free(by_name);
    ad_free(by_id);
    return false;
  }
  for (size_t i = 0; i < n->count; i++) {
    put(by_name, slots, hash_text(n->pool + n->entry[i].text), (uint32_t)i);
    put(by_id, slots, hash_id(n->entry[i].id), (uint32_t)i);
  }
  ad_free(n->by_name);
  ad_free(n->by_id);
  n->by_name = by_name;
  n->by_id = by_id;
  n->slots = slots;
  return true;
}

bool ad_names_add(ad_names *n, const char *name, uint32_t id) {
  size_t length = strlen(name) + 1;
  if (2 * (n->count + 1) > n->slots && !grow(n)) return false;
  if (!ad_reserve(&n->pool, &n->pool_capacity, n->pool_size + length, 1) ||
      !ad_reserve(&n->entry, &n->entry_capacity, n->count + 1, sizeof *n->entry))
    return false;
  memcpy(n->pool + n->pool_size, name, length);
  n->entry[n->count] = (struct ad_name_entry){n->pool_size, id};
  n->pool_size += length;
  put(n->by_name, n->slots, hash_text(name), (uint32_t)n->count);
  put(n->by_id, n->slots, hash_id(id), (uint32_t)n->count);
  n->count++;
  return true;
}

bool ad_names_find(const ad_names *n, const char *name, uint32_t *id) {
  if (!n->slots) return false;
  for (size_t i = hash_text(name) & (n->slots - 1); n->by_name[i]; i = (i + 1) & (n->slots - 1)) {
    const struct ad_name_entry *entry = &n->entry[n->by_name[i] - 1];
    if (!strcmp(n->pool + entry->text, name)) {
      *id = entry->id;
      return true;
    }
  }
  return false;
}

const char *ad_names_of(const ad_names *n, uint32_t id) {
  if (!n->slots) return NULL;
  for (size_t i = hash_id(id) & (n->slots - 1); n->by_id[i]; i = (i + 1) & (n->slots - 1)) {
    const struct ad_name_entry *entry = &n->entry[n->by_id[i] - 1];
    if (entry->id == id) return n->pool + entry->text;
  }
  return NULL;
}

const char *ad_names_at(const ad_names *n, size_t i) {
  return i < n->count ? n->pool + n->entry[i].text : NULL;
}
