/* The texts of meta.h on their way into a file. */
#include <math.h>
#include <string.h>

#include "error.h"
#include "ir/number.h"
#include "nl/meta.h"

/* A word of a list: between blanks, or up to a colon. */
typedef struct word {
  const char *s;
  size_t n;
} word;

const char *ad_nl_meta(const ad_graph *g, const char *key) {
  for (size_t i = 0; i < ad_graph_meta_count(g); i++)
    if (!strcmp(ad_graph_meta_key(g, i), key)) return ad_graph_meta_text(g, i);
  return NULL;
}

static bool next(const char **text, word *w) {
  *text += strspn(*text, " ");
  *w = (word){*text, strcspn(*text, " ")};
  *text += w->n;
  return w->n > 0;
}

/* Takes what stands before a colon off; false when there is none. */
static bool split(word *rest, word *first) {
  const char *colon = memchr(rest->s, ':', rest->n);
  if (!colon) return false;
  *first = (word){rest->s, (size_t)(colon - rest->s)};
  *rest = (word){colon + 1, rest->n - first->n - 1};
  return true;
}

static bool is(word w, const char *text) {
  return strlen(text) == w.n && !memcmp(w.s, text, w.n);
}

static bool integer(word w, int64_t lo, int64_t hi, int64_t *v) {
  enum { LONGEST = 18 };
  const bool minus = w.n && *w.s == '-';
  if (w.n == (size_t)minus || w.n > LONGEST) return false;
  *v = 0;
  for (size_t i = minus; i < w.n; i++) {
    if (w.s[i] < '0' || w.s[i] > '9') return false;
    *v = 10 * *v + (w.s[i] - '0');
  }
  if (minus) *v = -*v;
  return *v >= lo && *v <= hi;
}

static bool real(word w, double *v) {
  char text[64];
  bool exact;
  if (w.n >= sizeof text || !ad_number_valid(w.s, w.n)) return false;
  memcpy(text, w.s, w.n);
  text[w.n] = '\0';
  *v = ad_number_round(text, AD_F64, &exact);
  return !isnan(*v);
}

static ad_status wrong(const char *key, word w, const char *want, ad_error *e) {
  return ad_fail(e, AD_EINPUT, "the metadata '%s' has '%.*s'; %s is wanted there", key, (int)(w.n < 60 ? w.n : 60), w.s,
                 want);
}

static ad_status wrong_count(const char *key, size_t have, size_t want, ad_error *e) {
  return ad_fail(e, AD_EINPUT, "the metadata '%s' has %s%zu entries, but the graph wants %zu; correct or remove it",
                 key, have > want ? "more than " : "", have > want ? want : have, want);
}

ad_status ad_nl_take_sizes(const ad_graph *g, ad_nl_header *h, bool *there, ad_error *e) {
  const char *text = ad_nl_meta(g, AD_NL_META_SIZES);
  word w, key;
  int64_t v;
  *there = text != NULL;
  while (text && next(&text, &w)) {
    if (!split(&w, &key) || !integer(w, 0, INT32_MAX, &v)) return wrong(AD_NL_META_SIZES, w, "name:count", e);
#define X(field, what)   \
  if (is(key, #field)) { \
    h->field = v;        \
    continue;            \
  }
    AD_NL_KEPT(X)
#undef X
    return wrong(AD_NL_META_SIZES, key, "the name of a count", e);
  }
  return AD_OK;
}

static bool bound(word w, ad_nl_bound *v) {
  word first;
  *v = (ad_nl_bound){0};
  if (!split(&w, &first)) return false;
  if (!is(first, "complements")) return real(first, &v->low) && real(w, &v->high);
  return split(&w, &first) && integer(first, 0, AD_NL_BOTH_INFINITE, &v->infinite) &&
         integer(w, 1, INT32_MAX, &v->complement);
}

ad_status ad_nl_take_bounds(const ad_graph *g, const char *key, ad_nl_bound **v, size_t count, ad_error *e) {
  const char *text = ad_nl_meta(g, key);
  size_t have = 0;
  word w;
  *v = NULL;
  if (!text) return AD_OK;
  ad_nl_bound *list = ad_malloc(count, sizeof *list);
  if (!list) return ad_fail_memory(e);
  ad_status s = AD_OK;
  for (; !s && next(&text, &w) && have++ < count;)
    if (!bound(w, &list[have - 1])) s = wrong(key, w, "low:high", e);
  if (!s && have != count) s = wrong_count(key, have, count, e);
  if (s)
    ad_free(list);
  else
    *v = list;
  return s;
}

ad_status ad_nl_take_entries(const char *key, const char *text, ad_nl_entry **v, size_t *count, size_t limit,
                             ad_error *e) {
  ad_nl_entry *list = NULL;
  size_t capacity = 0, n = 0;
  word w, index;
  ad_status s = AD_OK;
  while (!s && next(&text, &w)) {
    const word whole = w;
    if (!ad_reserve(&list, &capacity, n + 1, sizeof *list))
      s = ad_fail_memory(e);
    else if (!split(&w, &index) || !integer(index, 0, (int64_t)limit - 1, &list[n].index) || !real(w, &list[n].value))
      s = wrong(key, whole, "index:value, with an index that the graph has,", e);
    n++;
  }
  if (s)
    ad_free(list);
  else
    *v = list, *count = n;
  return s;
}

ad_status ad_nl_take_senses(const ad_graph *g, bool *maximize, size_t count, ad_error *e) {
  const char *text = ad_nl_meta(g, AD_NL_META_SENSE);
  size_t have = 0;
  word w;
  if (!text) return AD_OK;
  for (; next(&text, &w) && have++ < count;) {
    maximize[have - 1] = is(w, "maximize");
    if (!maximize[have - 1] && !is(w, "minimize")) return wrong(AD_NL_META_SENSE, w, "minimize or maximize", e);
  }
  return have == count ? AD_OK : wrong_count(AD_NL_META_SENSE, have, count, e);
}
