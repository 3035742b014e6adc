#include "derive/sets.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hash.h"
#include "mem.h"

#define AD_NO_LIST UINT32_MAX
enum { SMALL = 64, FEW = 16, LOOKED_AT = 16, WORD = 64 };
/* Units of work: of a union that is looked up; of a member that is met in a search, sorted, merged, or kept or handed
 * out.  Lists of up to SMALL members are merged for the price of a union. */
enum { UNION_WORK = 32, MET_WORK = 1, SORTED_WORK = 128, MERGED_WORK = 8, KEPT_WORK = 48 };
/* The bound: so much for each element of the graph, and a unit for each byte of the memory limit. */
enum { ELEMENT_WORK = 256 };

static ad_status take(ad_sets *s, uint64_t more, ad_error *e) {
  if (s->bytes + more > s->limit)
    return ad_fail(e, AD_ELIMIT, "the sparsity structure needs more than the limit of %llu MiB (--max-memory)",
                   (unsigned long long)(s->limit >> 20));
  s->bytes += more;
  return AD_OK;
}

ad_status ad_sets_reserve(ad_sets *s, void *items_ptr, size_t *capacity, size_t need, size_t size, ad_error *e) {
  if (need <= *capacity) return AD_OK;
  size_t grown = *capacity + *capacity / 2 + 64;
  if (grown < need) grown = need;
  if (take(s, (uint64_t)(grown - *capacity) * size, e)) return AD_ELIMIT;
  void *old, *p;
  memcpy(&old, items_ptr, sizeof old);
  if (!(p = ad_realloc(old, grown, size))) return ad_fail_memory(e);
  memcpy(items_ptr, &p, sizeof p);
  *capacity = grown;
  return AD_OK;
}

/* Asked for before the work is done. */
static ad_status spend(ad_sets *s, uint64_t work, ad_error *e) {
  if (work > s->work)
    return ad_fail(
        e, AD_ELIMIT,
        "the sparsity structure takes too much work to find, as it does where most entries can be other than "
        "zero: leave out --sparse, choose fewer inputs or outputs (--wrt, --output), or raise the limit of "
        "%llu MiB (--max-memory)",
        (unsigned long long)(s->limit >> 20));
  s->work -= work;
  return AD_OK;
}

ad_status ad_sets_open(ad_sets *s, uint32_t bound, uint64_t elements, uint64_t limit, ad_error *e) {
  *s = (ad_sets){.bound = bound, .limit = limit, .in_words = bound <= WORD, .pair_slots = 1024, .list_slots = 1024};
  s->work = limit + ELEMENT_WORK * elements;
  s->pair = ad_calloc(3 * s->pair_slots, sizeof *s->pair);
  s->list = ad_calloc(s->list_slots, sizeof *s->list);
  s->stamp_of_index = ad_calloc((size_t)bound + 1, sizeof *s->stamp_of_index);
  s->seed = ad_hash_seed(s->list);
  if (s->pair && s->list && s->stamp_of_index) return AD_OK;
  ad_sets_close(s);
  return ad_fail_memory(e);
}

void ad_sets_close(ad_sets *s) {
  void *parts[] = {s->set, s->pool, s->word, s->pair, s->list, s->stamp_of_set, s->stamp_of_index, s->found, s->stack};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  *s = (ad_sets){0};
}

static bool single(const ad_sets *s, uint32_t x) {
  return x <= s->bound;
}

static const ad_set *entry(const ad_sets *s, uint32_t x) {
  return &s->set[x - s->bound - 1];
}

static bool is_list(const ad_sets *s, uint32_t x) {
  return single(s, x) || entry(s, x)->first != AD_NO_LIST;
}

static uint32_t weight(const ad_sets *s, uint32_t x) {
  return single(s, x) ? 1 : entry(s, x)->weight;
}

static uint32_t base(const ad_sets *s, uint32_t x) {
  return single(s, x) ? 1 : entry(s, x)->base;
}

/* The members of a list; one: room for a singleton's. */
static const uint32_t *members(const ad_sets *s, uint32_t x, uint32_t *one) {
  if (!single(s, x)) return s->pool + entry(s, x)->first;
  *one = x - 1;
  return one;
}

/* ---- Hashes */

static uint32_t hash_list(const ad_sets *s, const uint32_t *x, size_t n) {
  uint64_t h = ad_hash_add(s->seed, n);
  for (size_t i = 0; i < n; i++) h = ad_hash_add(h, x[i]);
  return ad_hash_end(h);
}

/* The place of a pair, or where it would go. */
static uint32_t *pair_slot(uint32_t *table, size_t slots, uint32_t a, uint32_t b) {
  size_t i = ad_hash_end((uint64_t)a << 32 | b) & (slots - 1);
  while (table[3 * i + 2] && (table[3 * i] != a || table[3 * i + 1] != b)) i = (i + 1) & (slots - 1);
  return table + 3 * i;
}

static ad_status room_for_pair(ad_sets *s, ad_error *e) {
  if (2 * s->pairs < s->pair_slots) return AD_OK;
  const size_t slots = 2 * s->pair_slots;
  if (take(s, slots / 2 * 3 * sizeof *s->pair, e)) return AD_ELIMIT;
  uint32_t *next = ad_calloc(slots * 3, sizeof *next);
  if (!next) return ad_fail_memory(e);
  for (const uint32_t *old = s->pair; old < s->pair + 3 * s->pair_slots; old += 3)
    if (old[2]) memcpy(pair_slot(next, slots, old[0], old[1]), old, 3 * sizeof *old);
  ad_free(s->pair);
  s->pair = next;
  s->pair_slots = slots;
  return AD_OK;
}

/* By the hash's highest bits, so that a table that grows is read and written from front to back. */
static size_t list_place(uint32_t hash, size_t slots) {
  return (size_t)((uint64_t)hash * slots >> 32);
}

static ad_status room_for_list(ad_sets *s, ad_error *e) {
  if (3 * s->list_slots > 4 * s->lists) return AD_OK;
  const size_t slots = 2 * s->list_slots;
  if (take(s, slots / 2 * sizeof *s->list, e)) return AD_ELIMIT;
  ad_list_slot *next = ad_calloc(slots, sizeof *next);
  if (!next) return ad_fail_memory(e);
  for (size_t i = 0; i < s->list_slots; i++) {
    if (!s->list[i].set) continue;
    size_t at = list_place(s->list[i].hash, slots);
    while (next[at].set) at = (at + 1) & (slots - 1);
    next[at] = s->list[i];
  }
  ad_free(s->list);
  s->list = next;
  s->list_slots = slots;
  return AD_OK;
}

static ad_status add_set(ad_sets *s, uint32_t *z, ad_set x, ad_error *e) {
  if (s->count >= UINT32_MAX - 2 - (size_t)s->bound)
    return ad_fail(e, AD_ELIMIT, "the sparsity structure is too large");
  ad_status status = ad_sets_reserve(s, &s->set, &s->capacity, s->count + 1, sizeof *s->set, e);
  if (status) return status;
  s->set[s->count] = x;
  *z = s->bound + 1 + (uint32_t)s->count++;
  return AD_OK;
}

static bool same_list(const ad_sets *s, uint32_t set, const uint32_t *x, size_t n) {
  const ad_set *l = entry(s, set);
  return l->weight == n && !memcmp(s->pool + l->first, x, n * sizeof *x);
}

/* The set with these members, more than one. */
static ad_status intern(ad_sets *s, uint32_t *z, const uint32_t *x, size_t n, const uint32_t *below, ad_error *e) {
  ad_status status = room_for_list(s, e);
  if (status) return status;
  const uint32_t hash = hash_list(s, x, n);
  size_t i = list_place(hash, s->list_slots);
  for (; s->list[i].set; i = (i + 1) & (s->list_slots - 1))
    if (s->list[i].hash == hash && same_list(s, s->list[i].set, x, n)) return *z = s->list[i].set, AD_OK;
  if (s->pool_count + n >= AD_NO_LIST) return ad_fail(e, AD_ELIMIT, "the sparsity structure is too large");
  status = ad_sets_reserve(s, &s->pool, &s->pool_capacity, s->pool_count + n, sizeof *s->pool, e);
  if (!status)
    status = add_set(s, z, (ad_set){(uint32_t)s->pool_count, {below[0], below[1]}, (uint32_t)n, (uint32_t)n}, e);
  if (status) return status;
  memcpy(s->pool + s->pool_count, x, n * sizeof *x);
  s->pool_count += n;
  s->list[i] = (ad_list_slot){hash, *z};
  s->lists++;
  return AD_OK;
}

/* ---- Sets of indices that fit a word: bits.  set[k] is word[k], and `list` has their hashes. */

static uint64_t word_of(const ad_sets *s, uint32_t x) {
  return !x ? 0 : single(s, x) ? UINT64_C(1) << (x - 1) : s->word[x - s->bound - 1];
}

static ad_status unite_words(ad_sets *s, uint32_t *z, uint32_t x, uint32_t y, ad_error *e) {
  const uint64_t a = word_of(s, x), b = word_of(s, y), both = a | b;
  if (both == a) return *z = x, AD_OK;
  if (both == b) return *z = y, AD_OK;
  ad_status status = room_for_list(s, e);
  if (status) return status;
  const uint32_t hash = ad_hash_end(ad_hash_add(s->seed, both));
  size_t i = list_place(hash, s->list_slots);
  for (; s->list[i].set; i = (i + 1) & (s->list_slots - 1))
    if (s->list[i].hash == hash && word_of(s, s->list[i].set) == both) return *z = s->list[i].set, AD_OK;
  if (s->count >= UINT32_MAX - 2 - (size_t)s->bound)
    return ad_fail(e, AD_ELIMIT, "the sparsity structure is too large");
  status = ad_sets_reserve(s, &s->word, &s->capacity, s->count + 1, sizeof *s->word, e);
  if (status) return status;
  s->word[s->count] = both;
  *z = s->bound + 1 + (uint32_t)s->count++;
  s->list[i] = (ad_list_slot){hash, *z};
  s->lists++;
  return AD_OK;
}

/* ---- Members */

static int by_size(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static ad_status sort_found(ad_sets *s, ad_error *e) {
  const bool by_stamps = s->found_count > s->bound / 16;
  ad_status status = spend(s, by_stamps ? s->bound : SORTED_WORK * (uint64_t)s->found_count, e);
  if (status) return status;
  if (by_stamps) {
    size_t n = 0;
    for (uint32_t i = 0; i < s->bound; i++)
      if (s->stamp_of_index[i] == s->stamp) s->found[n++] = i;
  } else if (s->found_count <= FEW) {
    for (size_t i = 1; i < s->found_count; i++) {
      const uint32_t x = s->found[i];
      size_t k = i;
      for (; k && s->found[k - 1] > x; k--) s->found[k] = s->found[k - 1];
      s->found[k] = x;
    }
  } else {
    qsort(s->found, s->found_count, sizeof *s->found, by_size);
  }
  return AD_OK;
}

static ad_status next_stamp(ad_sets *s, ad_error *e) {
  const size_t had = s->stamps;
  ad_status status = ad_sets_reserve(s, &s->stamp_of_set, &s->stamps, s->count, sizeof *s->stamp_of_set, e);
  if (status) return status;
  if (s->stamps > had) memset(s->stamp_of_set + had, 0, (s->stamps - had) * sizeof *s->stamp_of_set);
  if (++s->stamp == 0) {
    memset(s->stamp_of_set, 0, s->stamps * sizeof *s->stamp_of_set);
    memset(s->stamp_of_index, 0, s->bound * sizeof *s->stamp_of_index);
    s->stamp = 1;
  }
  return AD_OK;
}

static ad_status find_bits(ad_sets *s, uint64_t bits, ad_error *e) {
  ad_status status = ad_sets_reserve(s, &s->found, &s->found_capacity, WORD, sizeof *s->found, e);
  s->found_count = 0;
  for (; !status && bits; bits &= bits - 1) s->found[s->found_count++] = (uint32_t)__builtin_ctzll(bits);
  return status;
}

static ad_status find_members(ad_sets *s, const uint32_t *roots, size_t root_count, ad_error *e) {
  if (s->in_words) {
    uint64_t bits = 0;
    for (size_t i = 0; i < root_count; i++) bits |= word_of(s, roots[i]);
    return find_bits(s, bits, e);
  }
  ad_status status = next_stamp(s, e);
  size_t depth = 0;
  s->found_count = 0;
  if (!status) status = ad_sets_reserve(s, &s->stack, &s->stack_capacity, root_count + 2, sizeof *s->stack, e);
  for (size_t i = 0; !status && i < root_count; i++) s->stack[depth++] = roots[i];
  while (!status && depth) {
    const uint32_t x = s->stack[--depth];
    if (!x) continue;
    if (!single(s, x)) {
      uint32_t *seen = &s->stamp_of_set[x - s->bound - 1];
      if (*seen == s->stamp) continue;
      *seen = s->stamp;
    }
    if (!is_list(s, x)) {
      status = spend(s, UNION_WORK, e);
      if (!status) status = ad_sets_reserve(s, &s->stack, &s->stack_capacity, depth + 2, sizeof *s->stack, e);
      if (status) break;
      s->stack[depth++] = entry(s, x)->below[1];
      s->stack[depth++] = entry(s, x)->below[0];
      continue;
    }
    uint32_t one;
    const uint32_t *m = members(s, x, &one), n = weight(s, x);
    status = spend(s, (uint64_t)MET_WORK * n, e);
    if (!status) status = ad_sets_reserve(s, &s->found, &s->found_capacity, s->found_count + n, sizeof *s->found, e);
    for (uint32_t i = 0; !status && i < n; i++) {
      if (s->stamp_of_index[m[i]] == s->stamp) continue;
      s->stamp_of_index[m[i]] = s->stamp;
      s->found[s->found_count++] = m[i];
    }
  }
  return status ? status : sort_found(s, e);
}

ad_status ad_sets_members(ad_sets *s, uint32_t x, const uint32_t **member, size_t *count, ad_error *e) {
  if (!s->in_words && x && !single(s, x) && is_list(s, x)) {
    *member = s->pool + entry(s, x)->first;
    *count = entry(s, x)->weight;
    return spend(s, KEPT_WORK * (uint64_t)*count, e);
  }
  return ad_sets_members_of(s, &x, 1, member, count, e);
}

ad_status ad_sets_members_of(ad_sets *s, const uint32_t *x, size_t sets, const uint32_t **member, size_t *count,
                             ad_error *e) {
  ad_status status = find_members(s, x, sets, e);
  *member = s->found;
  *count = s->found_count;
  return status ? status : spend(s, KEPT_WORK * (uint64_t)*count, e);
}

size_t ad_sets_least(const ad_sets *s, uint32_t x) {
  return !x ? 0 : s->in_words ? (size_t)__builtin_popcountll(word_of(s, x)) : base(s, x);
}

size_t ad_sets_most(const ad_sets *s, uint32_t x) {
  return !x ? 0 : s->in_words ? (size_t)__builtin_popcountll(word_of(s, x)) : weight(s, x);
}

/* ---- Unions */

static bool has(const uint32_t *list, uint32_t n, uint32_t x) {
  uint32_t low = 0;
  while (n > 1) {
    const uint32_t half = n / 2;
    if (list[low + half] <= x) low += half;
    n -= half;
  }
  return n && list[low] == x;
}

static bool subset(const uint32_t *x, uint32_t nx, const uint32_t *y, uint32_t ny) {
  for (uint32_t i = 0; i < nx; i++)
    if (!has(y, ny, x[i])) return false;
  return true;
}

static size_t merge(uint32_t *out, const uint32_t *x, size_t nx, const uint32_t *y, size_t ny) {
  size_t n = 0, i = 0, k = 0;
  while (i < nx && k < ny) {
    const uint32_t least = x[i] < y[k] ? x[i] : y[k];
    i += x[i] == least;
    k += y[k] == least;
    out[n++] = least;
  }
  while (i < nx) out[n++] = x[i++];
  while (k < ny) out[n++] = y[k++];
  return n;
}

/* The members of two lists, where find_members leaves them. */
static ad_status merge_lists(ad_sets *s, uint32_t x, uint32_t y, ad_error *e) {
  uint32_t one[2];
  const size_t nx = weight(s, x), ny = weight(s, y);
  ad_status status = spend(s, MERGED_WORK * (uint64_t)(nx + ny), e);
  if (!status) status = ad_sets_reserve(s, &s->found, &s->found_capacity, nx + ny, sizeof *s->found, e);
  if (!status) s->found_count = merge(s->found, members(s, x, &one[0]), nx, members(s, y, &one[1]), ny);
  return status;
}

bool ad_sets_came_of(const ad_sets *s, uint32_t x, uint32_t y) {
  return !s->in_words && x && !single(s, x) && (entry(s, x)->below[0] == y || entry(s, x)->below[1] == y);
}

/* Whether y is seen to be a part of x, in the few unions last made on the way to x. */
static bool made_of(const ad_sets *s, uint32_t x, uint32_t y) {
  uint32_t stack[LOOKED_AT + 1] = {x};
  for (int depth = 1, seen = 0; depth && seen < LOOKED_AT; seen++) {
    const uint32_t at = stack[--depth];
    if (at == y) return true;
    if (single(s, at) || weight(s, at) < weight(s, y) || depth + 2 > LOOKED_AT) continue;
    stack[depth++] = entry(s, at)->below[1];
    stack[depth++] = entry(s, at)->below[0];
  }
  return false;
}

/* Two lists; *done unless there are too many members for that. */
static ad_status unite_few(ad_sets *s, uint32_t *z, uint32_t x, uint32_t y, bool *done, ad_error *e) {
  if (!is_list(s, x) || !is_list(s, y)) return AD_OK;
  const uint32_t nx = weight(s, x), ny = weight(s, y), two[2] = {x, y};
  uint32_t one[2], both[FEW];
  if ((uint64_t)nx + ny > FEW) return AD_OK;
  *done = true;
  const size_t n = merge(both, members(s, x, &one[0]), nx, members(s, y, &one[1]), ny);
  if (n == nx) return *z = x, AD_OK;
  if (n == ny) return *z = y, AD_OK;
  return intern(s, z, both, n, two, e);
}

static ad_status compute(ad_sets *s, uint32_t *z, uint32_t x, uint32_t y, ad_error *e) {
  if (weight(s, x) > weight(s, y)) {
    const uint32_t t = x;
    x = y, y = t;
  }
  const uint32_t two[2] = {x, y}, nx = weight(s, x), ny = weight(s, y);
  const uint32_t largest = base(s, x) > base(s, y) ? base(s, x) : base(s, y);
  const uint64_t sum = (uint64_t)nx + ny;
  if (is_list(s, x) && is_list(s, y) && nx <= SMALL) {
    uint32_t one[2], both[2 * SMALL];
    const uint32_t *mx = members(s, x, &one[0]), *my = members(s, y, &one[1]);
    if (subset(mx, nx, my, ny)) return *z = y, AD_OK;
    if (sum <= SMALL) return intern(s, z, both, merge(both, mx, nx, my, ny), two, e);
  }
  if (made_of(s, y, x)) return *z = y, AD_OK;
  if (made_of(s, x, y)) return *z = x, AD_OK;
  if (sum < 2 * (uint64_t)largest) return add_set(s, z, (ad_set){AD_NO_LIST, {x, y}, (uint32_t)sum, largest}, e);
  ad_status status = is_list(s, x) && is_list(s, y) ? merge_lists(s, x, y, e) : find_members(s, two, 2, e);
  if (!status) status = spend(s, KEPT_WORK * (uint64_t)s->found_count, e);
  return status ? status : intern(s, z, s->found, s->found_count, two, e);
}

ad_status ad_sets_unite(ad_sets *s, uint32_t *z, uint32_t x, uint32_t y, ad_error *e) {
  if (x == y || !y) return *z = x, AD_OK;
  if (!x) return *z = y, AD_OK;
  if (s->in_words) return unite_words(s, z, x, y, e);
  bool done = false;
  ad_status status = spend(s, UNION_WORK, e);
  if (!status) status = unite_few(s, z, x, y, &done, e);
  if (status || done) return status;
  if (x > y) {
    const uint32_t t = x;
    x = y, y = t;
  }
  status = room_for_pair(s, e);
  if (status) return status;
  uint32_t *slot = pair_slot(s->pair, s->pair_slots, x, y);
  if (slot[2]) return *z = slot[2], AD_OK;
  uint32_t result;
  status = compute(s, &result, x, y, e);
  if (status) return status;
  slot[0] = x, slot[1] = y, slot[2] = result;
  s->pairs++;
  return *z = result, AD_OK;
}
