/* Colours for columns, rows, or both.  A greedy colouring keeps for each row a set of bits, the colours that its
 * columns have: the next column takes the first colour that none of its rows has.  Its time is the number of entries
 * times the words of such a set. */
#include "derive/colour.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mem.h"

void ad_colouring_clear(ad_colouring *c) {
  if (!c) return;
  ad_free(c->row);
  ad_free(c->column);
  *c = (ad_colouring){0};
}

ad_status ad_sparsity_transpose(ad_sparsity *out, const ad_sparsity *s, ad_error *e) {
  const size_t entries = s->start[s->rows];
  ad_sparsity t = {.rows = s->columns, .columns = s->rows};
  t.start = ad_calloc(t.rows + 2, sizeof *t.start);
  t.column = ad_malloc(entries, sizeof *t.column);
  if (!t.start || !t.column) {
    ad_sparsity_clear(&t);
    return ad_fail_memory(e);
  }
  for (size_t k = 0; k < entries; k++) t.start[s->column[k] + 2]++;
  for (size_t i = 0; i < t.rows; i++) t.start[i + 2] += t.start[i + 1];
  for (size_t i = 0; i < s->rows; i++)
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++) t.column[t.start[s->column[k] + 1]++] = (uint32_t)i;
  *out = t;
  return AD_OK;
}

ad_status ad_sparsity_mirror(size_t **out, const ad_sparsity *s, ad_error *e) {
  const size_t entries = s->start[s->rows];
  if (s->rows != s->columns) return ad_fail(e, AD_EUSAGE, "a symmetric structure is square");
  size_t *mirror = ad_malloc(entries, sizeof *mirror), *next = ad_malloc(s->rows, sizeof *next);
  ad_status status = mirror && next ? AD_OK : ad_fail_memory(e);
  if (!status && s->rows) memcpy(next, s->start, s->rows * sizeof *next);
  for (size_t i = 0; !status && i < s->rows; i++)
    for (size_t k = s->start[i]; !status && k < s->start[i + 1]; k++) {
      const uint32_t j = s->column[k];
      if (next[j] == s->start[j + 1] || s->column[next[j]] != i)
        status = ad_fail(e, AD_EUSAGE, "entry (%zu, %u) of a symmetric structure has no mirror image", i, j);
      else
        mirror[k] = next[j]++;
    }
  ad_free(next);
  if (status)
    ad_free(mirror);
  else
    *out = mirror;
  return status;
}

/* ---- Columns that meet in rows; `skip` (NULL: none) marks rows that don't count */

typedef struct bipartite {
  const ad_sparsity *rows;
  ad_sparsity columns; /* the transpose */
  const uint8_t *skip;
} bipartite;

/* Columns by the number of columns that they meet, counted once for each row; ties as they stand. */
static void largest_first(const bipartite *g, uint32_t *order, uint64_t *key) {
  const size_t n = g->rows->columns;
  for (size_t j = 0; j < n; j++) {
    uint64_t degree = 0;
    for (size_t k = g->columns.start[j]; k < g->columns.start[j + 1]; k++) {
      const uint32_t i = g->columns.column[k];
      if (!g->skip || !g->skip[i]) degree += g->rows->start[i + 1] - g->rows->start[i];
    }
    key[j] = degree > UINT32_MAX ? UINT32_MAX : degree;
  }
  /* a radix sort; the second half of key holds the other array of order */
  uint32_t *other = (uint32_t *)(key + n);
  enum { DIGIT = 11, DIGITS = 1 << DIGIT };
  size_t count[DIGITS];
  for (size_t j = 0; j < n; j++) order[j] = (uint32_t)j;
  for (int shift = 0; shift < 32; shift += DIGIT) {
    memset(count, 0, sizeof count);
    for (size_t j = 0; j < n; j++) count[DIGITS - 1 - (key[j] >> shift) % DIGITS]++;
    size_t sum = 0;
    for (size_t d = 0; d < DIGITS; d++) {
      const size_t c = count[d];
      count[d] = sum;
      sum += c;
    }
    for (size_t t = 0; t < n; t++) other[count[DIGITS - 1 - (key[order[t]] >> shift) % DIGITS]++] = order[t];
    memcpy(order, other, n * sizeof *order);
  }
}

/* Smallest last, or incidence degree from its end: a bucket queue on how many places of their rows are taken. */
static ad_status by_degree(const bipartite *g, uint32_t *order, bool smallest_last, ad_error *e) {
  const size_t n = g->rows->columns;
  uint64_t *degree = ad_calloc(n, sizeof *degree);
  uint32_t *next = NULL, *before = NULL, *head = NULL;
  size_t most = 0;
  ad_status status = degree ? AD_OK : ad_fail_memory(e);
  for (size_t j = 0; !status && j < n; j++) {
    for (size_t k = g->columns.start[j]; k < g->columns.start[j + 1]; k++) {
      const uint32_t i = g->columns.column[k];
      if (!g->skip || !g->skip[i]) degree[j] += g->rows->start[i + 1] - g->rows->start[i] - 1;
    }
    if (degree[j] > most) most = (size_t)degree[j];
  }
  if (!status) {
    next = ad_malloc(n, sizeof *next), before = ad_malloc(n, sizeof *before);
    head = ad_malloc(most + 1, sizeof *head);
    if (!next || !before || !head) status = ad_fail_memory(e);
  }
  if (!status) {
    memset(head, 0xFF, (most + 1) * sizeof *head);
    if (!smallest_last) memset(degree, 0, n * sizeof *degree);
#define PUT(j)                                        \
  do {                                                \
    const uint32_t h_ = head[degree[j]];              \
    next[j] = h_, before[j] = UINT32_MAX;             \
    if (h_ != UINT32_MAX) before[h_] = (uint32_t)(j); \
    head[degree[j]] = (uint32_t)(j);                  \
  } while (0)
#define TAKE(j)                                             \
  do {                                                      \
    if (before[j] == UINT32_MAX)                            \
      head[degree[j]] = next[j];                            \
    else                                                    \
      next[before[j]] = next[j];                            \
    if (next[j] != UINT32_MAX) before[next[j]] = before[j]; \
  } while (0)
    for (size_t j = n; j-- > 0;) PUT(j);
    size_t at = smallest_last ? 0 : most;
    for (size_t t = 0; t < n; t++) {
      while (head[at] == UINT32_MAX) at += smallest_last ? 1 : (size_t)-1;
      const uint32_t j = head[at];
      TAKE(j);
      degree[j] = UINT64_MAX; /* done */
      order[smallest_last ? n - 1 - t : t] = j;
      for (size_t k = g->columns.start[j]; k < g->columns.start[j + 1]; k++) {
        const uint32_t i = g->columns.column[k];
        if (g->skip && g->skip[i]) continue;
        for (size_t l = g->rows->start[i]; l < g->rows->start[i + 1]; l++) {
          const uint32_t c = g->rows->column[l];
          if (degree[c] == UINT64_MAX) continue;
          TAKE(c);
          degree[c] += smallest_last ? (uint64_t)-1 : 1;
          PUT(c);
          if (smallest_last ? degree[c] < at : degree[c] > at) at = (size_t)degree[c];
        }
      }
    }
#undef PUT
#undef TAKE
  }
  ad_free(degree);
  ad_free(next);
  ad_free(before);
  ad_free(head);
  return status;
}

/* Sets of bits, `words` for each row. */
typedef struct bits {
  size_t rows, words;
  uint64_t *bit;
} bits;

static ad_status widen(bits *b, ad_error *e) {
  enum { MOST = 1 << 24 };
  const size_t words = b->words ? 2 * b->words : 1;
  if (words > 1 && b->rows && words > MOST / b->rows)
    return ad_fail(e, AD_ELIMIT, "a colouring needs more than %zu colours for %zu rows", b->words * 64, b->rows);
  uint64_t *next = ad_calloc(b->rows, words * sizeof *next);
  if (!next) return ad_fail_memory(e);
  for (size_t i = 0; i < b->rows; i++)
    if (b->words) memcpy(next + i * words, b->bit + i * b->words, b->words * sizeof *next);
  ad_free(b->bit);
  b->bit = next;
  b->words = words;
  return AD_OK;
}

/* The first colour that no row of column j has. */
static ad_status first_free(uint32_t *colour, bits *b, const bipartite *g, size_t j, ad_error *e) {
  for (size_t w = 0;; w++) {
    if (w == b->words) {
      ad_status status = widen(b, e);
      if (status) return status;
    }
    uint64_t taken = 0;
    for (size_t k = g->columns.start[j]; k < g->columns.start[j + 1]; k++) {
      const uint32_t i = g->columns.column[k];
      if (!g->skip || !g->skip[i]) taken |= b->bit[i * b->words + w];
    }
    if (taken == UINT64_MAX) continue;
    *colour = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(~taken);
    return AD_OK;
  }
}

static ad_status greedy(uint32_t *colour, uint32_t *colours, const bipartite *g, const uint32_t *order, ad_error *e) {
  bits b = {.rows = g->rows->rows};
  ad_status status = AD_OK;
  *colours = 0;
  for (size_t t = 0; !status && t < g->rows->columns; t++) {
    const size_t j = order ? order[t] : t;
    bool met = false;
    for (size_t k = g->columns.start[j]; k < g->columns.start[j + 1]; k++)
      met = met || !g->skip || !g->skip[g->columns.column[k]];
    colour[j] = AD_NO_COLOUR;
    if (!met) continue;
    status = first_free(&colour[j], &b, g, j, e);
    if (status) break;
    if (colour[j] >= *colours) *colours = colour[j] + 1;
    for (size_t k = g->columns.start[j]; k < g->columns.start[j + 1]; k++) {
      const uint32_t i = g->columns.column[k];
      if (!g->skip || !g->skip[i]) b.bit[i * b.words + colour[j] / 64] |= (uint64_t)1 << (colour[j] % 64);
    }
  }
  ad_free(b.bit);
  return status;
}

/* The most columns that meet in one row: no colouring has fewer colours. */
static size_t least_colours(const bipartite *g) {
  size_t most = 0;
  for (size_t i = 0; i < g->rows->rows; i++)
    if ((!g->skip || !g->skip[i]) && g->rows->start[i + 1] - g->rows->start[i] > most)
      most = g->rows->start[i + 1] - g->rows->start[i];
  return most;
}

static bool orders_pay(const bipartite *g) {
  double pairs = 0;
  for (size_t i = 0; i < g->rows->rows; i++) {
    const double d = (double)(g->rows->start[i + 1] - g->rows->start[i]);
    if (!g->skip || !g->skip[i]) pairs += d * d;
  }
  return pairs <= 1e6 + 64.0 * (double)g->rows->start[g->rows->rows];
}

/* The best of the orders; stops where no better one can be. */
static ad_status colour_columns(uint32_t **best, uint32_t *colours, const bipartite *g, ad_error *e) {
  const size_t n = g->rows->columns, least = least_colours(g);
  uint32_t *next = ad_malloc(n, sizeof *next), *order = ad_malloc(n, sizeof *order);
  uint64_t *key = ad_malloc(n, 2 * sizeof *key);
  *best = ad_malloc(n, sizeof **best);
  ad_status status = next && order && key && *best ? AD_OK : ad_fail_memory(e);
  if (!status && least == n) { /* each its own, whatever the order */
    for (size_t j = 0; j < n; j++) (*best)[j] = (uint32_t)j;
    *colours = (uint32_t)n;
  } else {
    for (int k = AD_ORDER_NATURAL; !status && k < AD_ORDER_KINDS && (!k || *colours > least); k++) {
      if (k >= AD_ORDER_SMALLEST_LAST && !orders_pay(g)) break;
      if (k == AD_ORDER_LARGEST) largest_first(g, order, key);
      if (k >= AD_ORDER_SMALLEST_LAST) status = by_degree(g, order, k == AD_ORDER_SMALLEST_LAST, e);
      uint32_t used;
      if (!status) status = greedy(next, &used, g, k ? order : NULL, e);
      if (status || (k && used >= *colours)) continue;
      *colours = used;
      uint32_t *t = *best;
      *best = next, next = t;
    }
  }
  ad_free(next);
  ad_free(order);
  ad_free(key);
  if (status) {
    ad_free(*best);
    *best = NULL;
  }
  return status;
}

/* ---- Both: rows with more entries than some bound have colours of their own, and the others are read from columns */

static size_t longer_rows(const ad_sparsity *s, size_t bound) {
  size_t count = 0;
  for (size_t i = 0; i < s->rows; i++) count += s->start[i + 1] - s->start[i] > bound;
  return count;
}

/* Rows with more than `bound` entries by rows, those of the others by columns. */
static ad_status colour_split(ad_colouring *c, const ad_sparsity *s, const ad_sparsity *t, size_t bound, ad_error *e) {
  uint8_t *dense = ad_calloc(s->rows, 1);
  size_t count = 0;
  if (!dense) return ad_fail_memory(e);
  for (size_t i = 0; i < s->rows; i++) count += dense[i] = s->start[i + 1] - s->start[i] > bound;
  const bipartite g = {s, *t, dense};
  *c = (ad_colouring){.kind = AD_COLOUR_BOTH, .rows_first = true};
  ad_status status = colour_columns(&c->column, &c->column_colours, &g, e);
  /* the dense rows' own structure, as columns that meet in the columns */
  ad_sparsity few = {.rows = count, .columns = s->columns}, across = {0};
  few.start = ad_calloc(count + 1, sizeof *few.start);
  c->row = ad_malloc(s->rows, sizeof *c->row);
  if (!status && (!few.start || !c->row)) status = ad_fail_memory(e);
  if (!status) {
    size_t entries = 0, n = 0;
    for (size_t i = 0; i < s->rows; i++)
      if (dense[i]) entries += s->start[i + 1] - s->start[i], few.start[++n] = entries;
    if (!(few.column = ad_malloc(entries, sizeof *few.column))) status = ad_fail_memory(e);
    for (size_t i = 0, k = 0; !status && i < s->rows; i++)
      if (dense[i]) {
        memcpy(few.column + few.start[k], s->column + s->start[i], (s->start[i + 1] - s->start[i]) * sizeof *s->column);
        k++;
      }
  }
  uint32_t *colour = NULL;
  if (!status) status = ad_sparsity_transpose(&across, &few, e);
  if (!status) {
    const bipartite rows = {&across, few, NULL};
    status = colour_columns(&colour, &c->row_colours, &rows, e);
  }
  for (size_t i = 0, n = 0; !status && i < s->rows; i++) c->row[i] = dense[i] ? colour[n++] : AD_NO_COLOUR;
  ad_free(colour);
  ad_free(dense);
  ad_sparsity_clear(&few);
  ad_sparsity_clear(&across);
  if (status) ad_colouring_clear(c);
  return status;
}

static void exchange(ad_colouring *c) {
  uint32_t *t = c->row;
  const uint32_t n = c->row_colours;
  c->row = c->column, c->column = t;
  c->row_colours = c->column_colours, c->column_colours = n;
  c->rows_first = !c->rows_first;
}

/* Tries bounds in powers of two on rows, then on columns; keeps the fewest colours.  A bound that the same rows are
 * above as above the last one would give the same again. */
static ad_status colour_both(ad_colouring *c, const ad_sparsity *s, const ad_sparsity *t, ad_error *e) {
  uint64_t least = UINT64_MAX;
  ad_status status = AD_OK;
  for (int side = 0; !status && side < 2; side++) {
    const ad_sparsity *a = side ? t : s, *b = side ? s : t;
    const bipartite g = {a, *b, NULL};
    const size_t most = least_colours(&g);
    for (size_t bound = 1; !status && (bound == 1 || bound / 2 < most); bound *= 2) { /* the last: columns alone */
      if (bound / 2 >= least) break; /* a row with more than half the bound's entries is read from columns */
      if (bound > 1 && longer_rows(a, bound) == longer_rows(a, bound / 2)) continue;
      ad_colouring next;
      status = colour_split(&next, a, b, bound, e);
      if (status == AD_ELIMIT) {
        status = AD_OK;
        continue;
      }
      if (status) break;
      if ((uint64_t)next.row_colours + next.column_colours >= least) {
        ad_colouring_clear(&next);
        continue;
      }
      least = (uint64_t)next.row_colours + next.column_colours;
      if (side) exchange(&next);
      ad_colouring_clear(c);
      *c = next;
    }
  }
  if (status || least < UINT64_MAX) return status;
  return ad_fail(e, AD_ELIMIT, "no colouring of rows and columns has few colours");
}

/* Rows that follow each other, with columns that ascend. */
static bool is_structure(const ad_sparsity *s) {
  if (!s->start || s->start[0] || (s->start[s->rows] && !s->column)) return false;
  for (size_t i = 0; i < s->rows; i++) {
    if (s->start[i] > s->start[i + 1]) return false;
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++)
      if (s->column[k] >= s->columns || (k > s->start[i] && s->column[k] <= s->column[k - 1])) return false;
  }
  return true;
}

ad_status ad_colour(ad_colouring *out, const ad_sparsity *s, ad_colour_kind kind, ad_error *e) {
  AD_GIVEN(out && s && is_structure(s) && kind <= AD_COLOUR_ACYCLIC, e);
  ad_colouring c = {.kind = kind};
  ad_sparsity t = {0};
  ad_status status = AD_OK;
  if (kind == AD_COLOUR_STAR || kind == AD_COLOUR_ACYCLIC) {
    status = ad_colour_symmetric(&c, s, kind, e);
  } else {
    status = ad_sparsity_transpose(&t, s, e);
    const bipartite columns = {s, t, NULL}, rows = {&t, *s, NULL};
    if (!status && kind == AD_COLOUR_COLUMNS) status = colour_columns(&c.column, &c.column_colours, &columns, e);
    if (!status && kind == AD_COLOUR_ROWS) status = colour_columns(&c.row, &c.row_colours, &rows, e);
    if (!status && kind == AD_COLOUR_BOTH) status = colour_both(&c, s, &t, e);
    ad_sparsity_clear(&t);
  }
  if (status)
    ad_colouring_clear(&c);
  else
    *out = c;
  return status;
}
