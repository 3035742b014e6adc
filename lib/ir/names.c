#include "ir/names.h"

#include <string.h>

#include "hash.h"
#include "mem.h"

/* Eight bytes at a time. */
uint32_t ad_hash_text(uint64_t seed, const char *s, size_t n) {
  uint64_t h = ad_hash_add(seed, n), word = 0;
  for (; n >= 8; s += 8, n -= 8) {
    memcpy(&word, s, 8);
    h = ad_hash_add(h, word);
  }
  word = 0;
  for (size_t i = 0; i < n; i++) word = word << 8 | (unsigned char)s[i];
  return ad_hash_end(h ^ word);
}

void ad_names_clear(ad_names *n) {
  ad_free(n->pool);
  ad_free(n->entry);
  ad_free(n->by_name);
  ad_free(n->by_id);
  *n = (ad_names){0};
}

static void put_name(struct ad_name_slot *table, size_t slots, struct ad_name_slot slot) {
  size_t i = slot.hash & (slots - 1);
  while (table[i].entry) i = (i + 1) & (slots - 1);
  table[i] = slot;
}

static void put_id(uint32_t *table, size_t slots, uint32_t id, size_t entry) {
  size_t i = ad_hash_end(id) & (slots - 1);
  while (table[i]) i = (i + 1) & (slots - 1);
  table[i] = (uint32_t)entry + 1;
}

/* The table by id, of `slots`, of all entries so far. */
static bool index_ids(ad_names *n, size_t slots) {
  uint32_t *table = ad_calloc(slots, sizeof *table);
  if (!table) return false;
  for (size_t i = 0; i < n->count; i++) put_id(table, slots, n->entry[i].id, i);
  ad_free(n->by_id);
  n->by_id = table;
  return true;
}

static bool grow(ad_names *n) {
  const size_t slots = n->slots ? 2 * n->slots : 16;
  struct ad_name_slot *table = ad_calloc_lines(slots, sizeof *table);
  if (!table || (n->scattered && !index_ids(n, slots))) {
    ad_free(table);
    return false;
  }
  if (!n->seed) n->seed = ad_hash_seed(table);
  for (size_t i = 0; i < n->slots; i++)
    if (n->by_name[i].entry) put_name(table, slots, n->by_name[i]);
  ad_free(n->by_name);
  n->by_name = table;
  n->slots = slots;
  return true;
}

bool ad_names_add(ad_names *n, const char *name, uint32_t id) {
  const size_t length = strlen(name);
  if (n->pool_size + length >= UINT32_MAX) return false;
  if (4 * (n->count + 1) > 3 * n->slots && !grow(n)) return false;
  if (!n->scattered && n->count && id < n->entry[n->count - 1].id) {
    if (!index_ids(n, n->slots)) return false;
    n->scattered = true;
  }
  if (!ad_reserve(&n->pool, &n->pool_capacity, n->pool_size + length + 1, 1) ||
      !ad_reserve(&n->entry, &n->entry_capacity, n->count + 1, sizeof *n->entry))
    return false;
  memcpy(n->pool + n->pool_size, name, length + 1);
  n->entry[n->count] = (struct ad_name_entry){(uint32_t)n->pool_size, id};
  n->pool_size += length + 1;
  put_name(n->by_name, n->slots, (struct ad_name_slot){ad_hash_text(n->seed, name, length), (uint32_t)n->count + 1});
  if (n->scattered) put_id(n->by_id, n->slots, id, n->count);
  n->count++;
  return true;
}

bool ad_names_copy(ad_names *n, const ad_names *from) {
  ad_names c = *from;
  if (!from->count) return true;
  c.pool_capacity = c.pool_size;
  c.entry_capacity = c.count;
  c.pool = ad_malloc(c.pool_size, 1);
  c.entry = ad_malloc(c.count, sizeof *c.entry);
  c.by_name = ad_calloc_lines(c.slots, sizeof *c.by_name);
  c.by_id = c.scattered ? ad_malloc(c.slots, sizeof *c.by_id) : NULL;
  if (!c.pool || !c.entry || !c.by_name || (c.scattered && !c.by_id)) {
    ad_names_clear(&c);
    return false;
  }
  memcpy(c.pool, from->pool, c.pool_size);
  memcpy(c.entry, from->entry, c.count * sizeof *c.entry);
  memcpy(c.by_name, from->by_name, c.slots * sizeof *c.by_name);
  if (c.scattered) memcpy(c.by_id, from->by_id, c.slots * sizeof *c.by_id);
  *n = c;
  return true;
}

bool ad_names_find(const ad_names *n, const char *name, uint32_t *id) {
  if (!n->slots) return false;
  const uint32_t hash = ad_hash_text(n->seed, name, strlen(name));
  for (size_t i = hash & (n->slots - 1); n->by_name[i].entry; i = (i + 1) & (n->slots - 1)) {
    if (n->by_name[i].hash != hash) continue;
    const struct ad_name_entry *entry = &n->entry[n->by_name[i].entry - 1];
    if (!strcmp(n->pool + entry->text, name)) {
      *id = entry->id;
      return true;
    }
  }
  return false;
}

static const char *of_scattered(const ad_names *n, uint32_t id) {
  for (size_t i = ad_hash_end(id) & (n->slots - 1); n->by_id[i]; i = (i + 1) & (n->slots - 1)) {
    const struct ad_name_entry *entry = &n->entry[n->by_id[i] - 1];
    if (entry->id == id) return n->pool + entry->text;
  }
  return NULL;
}

/* Entry i has at least the first id plus i. */
const char *ad_names_of(const ad_names *n, uint32_t id) {
  if (n->scattered) return of_scattered(n, id);
  if (!n->count || id < n->entry[0].id || id > n->entry[n->count - 1].id) return NULL;
  size_t low = 0, high = (size_t)(id - n->entry[0].id) + 1; /* low <= i < high */
  if (high > n->count) high = n->count;
  if (n->entry[high - 1].id == id) return n->pool + n->entry[high - 1].text;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (n->entry[middle].id <= id)
      low = middle;
    else
      high = middle;
  }
  return n->entry[low].id == id ? n->pool + n->entry[low].text : NULL;
}

const char *ad_names_at(const ad_names *n, size_t i) {
  return i < n->count ? n->pool + n->entry[i].text : NULL;
}
