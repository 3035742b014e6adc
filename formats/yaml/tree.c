/* From libyaml's events to the tree. */
#include "yaml/tree.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "error.h"
#include "ir/names.h"

void ad_yaml_clear(ad_yaml_tree *t) {
  ad_free(t->item);
  ad_free(t->text);
  ad_symbols_clear(&t->symbols);
  t->item = NULL;
  t->text = NULL;
}

/* An open list or map. */
typedef struct level {
  uint32_t item, last; /* and its last child */
  bool flow;
  ad_names keys; /* of a map with many keys, below those that symbols know; small ones are searched */
} level;

typedef struct builder {
  ad_yaml_tree *t;
  level *level;
  size_t depth, capacity;
  ad_error *e;
} builder;

static ad_status fail_at(const builder *b, const yaml_mark_t *m, const char *message) {
  ad_status s = ad_fail(b->e, AD_EINPUT, "%s", message);
  return ad_source_place(&b->t->source, (int64_t)m->line + 1, (int64_t)m->column + 1, s, b->e);
}

static ad_status fail_limit(const builder *b, const yaml_mark_t *m, ad_status s) {
  return ad_source_place(&b->t->source, (int64_t)m->line + 1, (int64_t)m->column + 1, s, b->e);
}

static ad_status add_item(builder *b, const yaml_event_t *v, ad_yaml_kind kind, uint32_t *out) {
  ad_yaml_tree *t = b->t;
  if (t->count >= UINT32_MAX)
    return fail_limit(b, &v->start_mark, ad_fail(b->e, AD_ELIMIT, "the file has more than 2^32 entries"));
  if (!ad_reserve(&t->item, &t->capacity, t->count + 1, sizeof *t->item)) return ad_fail_memory(b->e);
  *out = (uint32_t)t->count++;
  t->item[*out] = (ad_yaml_item){
      .kind = (uint8_t)kind, .line = (uint32_t)v->start_mark.line + 1, .column = (uint32_t)v->start_mark.column + 1};
  return AD_OK;
}

static ad_status add_scalar(builder *b, const yaml_event_t *v, uint32_t *out) {
  ad_yaml_tree *t = b->t;
  size_t length = v->data.scalar.length;
  if (length > t->limits.max_scalar)
    return fail_limit(b, &v->start_mark,
                      ad_fail(b->e, AD_ELIMIT, "a text of %zu bytes is above the limit of %u (--max-scalar)", length,
                              t->limits.max_scalar));
  if (memchr(v->data.scalar.value, 0, length)) return fail_at(b, &v->start_mark, "a text holds a zero byte");
  ad_status s = add_item(b, v, AD_YAML_SCALAR, out);
  if (s) return s;
  if (t->text_size + length >= UINT32_MAX)
    return fail_limit(b, &v->start_mark, ad_fail(b->e, AD_ELIMIT, "the file's texts have more than 4 GiB"));
  if (!ad_reserve(&t->text, &t->text_capacity, t->text_size + length + 1, 1)) return ad_fail_memory(b->e);
  memcpy(t->text + t->text_size, v->data.scalar.value, length);
  t->text[t->text_size + length] = '\0';
  ad_yaml_item *item = &t->item[*out];
  item->text = (uint32_t)t->text_size;
  item->length = (uint32_t)length;
  item->plain = v->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  t->text_size += length + 1;
  return AD_OK;
}

static ad_status refuse_marks(const builder *b, const yaml_event_t *v) {
  const yaml_char_t *anchor = NULL, *tag = NULL;
  if (v->type == YAML_ALIAS_EVENT)
    return fail_at(b, &v->start_mark,
                   "this is an alias (*name) to YAML, which has no meaning in a graph; write the value again");
  if (v->type == YAML_SCALAR_EVENT) anchor = v->data.scalar.anchor, tag = v->data.scalar.tag;
  if (v->type == YAML_SEQUENCE_START_EVENT) anchor = v->data.sequence_start.anchor, tag = v->data.sequence_start.tag;
  if (v->type == YAML_MAPPING_START_EVENT) anchor = v->data.mapping_start.anchor, tag = v->data.mapping_start.tag;
  if (anchor)
    return fail_at(b, &v->start_mark, "this is an anchor (&name) to YAML, which has no meaning in a graph; remove it");
  if (tag)
    return fail_at(b, &v->start_mark, "this is a tag (!name) to YAML, which has no meaning in a graph; remove it");
  return AD_OK;
}

/* ---- Keys */

/* Whether a map has a key already; *seen is the item of the first one. */
static ad_status find_twin(builder *b, level *l, uint32_t key, bool *twice, uint32_t *seen) {
  enum { MANY = 16 };
  ad_yaml_tree *t = b->t;
  const char *text = ad_yaml_text(t, key);
  uint32_t count = t->item[l->item].count / 2; /* keys before this one */
  if (b->depth <= 2) {
    uint32_t symbol = ad_symbols_intern(&t->symbols, text, t->item[key].length);
    if (!symbol) return ad_fail_memory(b->e);
    t->item[key].symbol = symbol;
    uint32_t *map = &t->symbols.symbol[symbol].key_of[b->depth - 1];
    *twice = *map == l->item;
    *map = l->item;
    if (!*twice) return AD_OK;
  } else if (count >= MANY) {
    if (!l->keys.count)
      for (uint32_t i = t->item[l->item].first, k = 0; k < count; i = ad_yaml_next_key(t, i), k++)
        if (!ad_names_add(&l->keys, ad_yaml_text(t, i), i)) return ad_fail_memory(b->e);
    *twice = ad_names_find(&l->keys, text, seen);
    return *twice || ad_names_add(&l->keys, text, key) ? AD_OK : ad_fail_memory(b->e);
  }
  *twice = false;
  for (uint32_t i = t->item[l->item].first, k = 0; k < count && !*twice; i = ad_yaml_next_key(t, i), k++)
    if (!strcmp(ad_yaml_text(t, i), text)) *twice = true, *seen = i;
  return AD_OK;
}

/* A key must be a scalar, new in its map. */
static ad_status check_key(builder *b, level *l, uint32_t key) {
  const ad_yaml_tree *t = b->t;
  bool twice = false;
  uint32_t seen = 0;
  if (t->item[key].kind != AD_YAML_SCALAR)
    return ad_yaml_fail(t, key, 0, b->e, "a key is a name, not a list or a mapping");
  if (t->item[key].plain && !strcmp(ad_yaml_text(t, key), "<<"))
    return ad_yaml_fail(t, key, 0, b->e, "merge keys (<<) have no meaning in a graph; write the entries");
  ad_status s = find_twin(b, l, key, &twice, &seen);
  if (s || !twice) return s;
  return ad_yaml_fail(t, key, 0, b->e, "the key '%.80s' is given twice, first in line %u", ad_yaml_text(t, key),
                      t->item[seen].line);
}

/* `{r: max(a, b)}` is two keys to YAML: the comma ends the value. */
static ad_status check_split(const builder *b, uint32_t value) {
  const ad_yaml_item *v = &b->t->item[value];
  if (v->kind != AD_YAML_SCALAR || !v->plain) return AD_OK;
  int open = 0;
  for (const char *s = ad_yaml_text(b->t, value); *s; s++) open += (*s == '(') - (*s == ')');
  if (open <= 0) return AD_OK;
  return ad_yaml_fail(b->t, value, 0, b->e,
                      "'%.60s' misses its closing parenthesis: inside {...} and [...] a comma ends a text, so an "
                      "expression with commas stands in quotes: \"max(a, b)\"",
                      ad_yaml_text(b->t, value));
}

static ad_status attach(builder *b, uint32_t child) {
  if (!b->depth) return AD_OK;
  ad_yaml_tree *t = b->t;
  level *l = &b->level[b->depth - 1];
  ad_yaml_item *parent = &t->item[l->item];
  ad_status s = AD_OK;
  if (parent->kind == AD_YAML_MAP && parent->count % 2 == 0) s = check_key(b, l, child);
  if (!s && l->flow) s = check_split(b, child);
  if (s) return s;
  if (l->last)
    t->item[l->last].next = child;
  else
    parent->first = child;
  l->last = child;
  parent->count++;
  return AD_OK;
}

/* ---- Events */

static ad_status open_level(builder *b, const yaml_event_t *v) {
  ad_yaml_tree *t = b->t;
  bool list = v->type == YAML_SEQUENCE_START_EVENT;
  bool flow = list ? v->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                   : v->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
  if (b->depth >= t->limits.max_yaml_depth)
    return fail_limit(b, &v->start_mark,
                      ad_fail(b->e, AD_ELIMIT, "lists and mappings are nested deeper than %u (--max-yaml-depth)",
                              t->limits.max_yaml_depth));
  uint32_t item;
  ad_status s = add_item(b, v, list ? AD_YAML_LIST : AD_YAML_MAP, &item);
  if (!s) s = attach(b, item);
  if (!s && !ad_reserve(&b->level, &b->capacity, b->depth + 1, sizeof *b->level)) s = ad_fail_memory(b->e);
  if (!s) b->level[b->depth++] = (level){.item = item, .flow = flow};
  return s;
}

static ad_status take(builder *b, const yaml_event_t *v) {
  ad_status s = refuse_marks(b, v);
  if (s) return s;
  uint32_t item;
  switch (v->type) {
    case YAML_SCALAR_EVENT:
      s = add_scalar(b, v, &item);
      return s ? s : attach(b, item);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
      return open_level(b, v);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      ad_names_clear(&b->level[--b->depth].keys);
      return AD_OK;
    default:
      return AD_OK;
  }
}

/* What people usually meant when libyaml says this. */
static const char *hint_for(const char *problem, char at) {
  static const struct {
    const char *part, *hint;
  } hints[] = {
      {"did not find expected ',' or",
       "inside {...} and [...] a text with brackets or braces stands in quotes: \"x[0]\""},
      {"block sequence entries are not allowed", "a text that starts with '- ' stands in quotes"},
      {"mapping values are not allowed", "the keys of a mapping stand in one column, and a text with ': ' in quotes"},
      {"did not find expected key", "the keys of a mapping stand in one column"},
      {"could not find expected ':'", "a mapping has lines of the form `key: value`"},
  };
  if (strstr(problem, "cannot start any token"))
    return at == '\t' ? "indent with spaces, not with tabs"
                      : "a text that starts with such a character stands in quotes";
  for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
    if (strstr(problem, hints[i].part)) return hints[i].hint;
  return NULL;
}

static ad_status parser_error(const builder *b, const yaml_parser_t *p) {
  if (p->error == YAML_MEMORY_ERROR) return ad_fail_memory(b->e);
  const ad_source *src = &b->t->source;
  const ad_cursor at = p->error == YAML_READER_ERROR
                           ? ad_source_go_to_byte(src, p->problem_offset)
                           : ad_source_go(src, (int64_t)p->problem_mark.line + 1, (int64_t)p->problem_mark.column + 1);
  const char *problem = p->problem ? p->problem : "this is not YAML", *context = p->context ? p->context : "";
  const char *hint = hint_for(problem, at.s < at.end ? *at.s : '\0');
  ad_status s = ad_fail(b->e, AD_EINPUT, "not YAML: %s%s%s%s%s", context, *context ? ": " : "", problem,
                        hint ? "; " : "", hint ? hint : "");
  return ad_source_place(src, at.line, at.column, s, b->e);
}

static ad_status read_events(builder *b, yaml_parser_t *parser) {
  size_t documents = 0;
  for (bool done = false; !done;) {
    yaml_event_t v;
    if (!yaml_parser_parse(parser, &v)) return parser_error(b, parser);
    ad_status s = AD_OK;
    done = v.type == YAML_STREAM_END_EVENT;
    if (v.type == YAML_DOCUMENT_START_EVENT && documents++)
      s = fail_at(b, &v.start_mark, "a second document starts here; a file holds one graph");
    if (!s) s = take(b, &v);
    yaml_event_delete(&v);
    if (s) return s;
  }
  if (b->t->count >= 2) return AD_OK;
  return ad_source_place(&b->t->source, 1, 1, ad_fail(b->e, AD_EINPUT, "the file is empty"), b->e);
}

/* libyaml compares each %TAG directive with all before it. */
static ad_status refuse_directives(const builder *b) {
  const char *s = b->t->source.text, *end = s + b->t->source.size;
  while (s < end && *s != '%') {
    const char *next = memchr(s, '\n', (size_t)(end - s));
    if (!next) return AD_OK;
    s = next + 1;
  }
  if (s >= end) return AD_OK;
  return ad_source_place_byte(&b->t->source, (size_t)(s - b->t->source.text),
                              ad_fail(b->e, AD_EINPUT,
                                      "a line that starts with '%%' is a directive to YAML, which has no "
                                      "meaning in a graph; remove or indent it"),
                              b->e);
}

/* Skips UTF-8's byte order mark; any other encoding is refused. */
static ad_status check_encoding(builder *b) {
  ad_yaml_tree *t = b->t;
  const unsigned char *s = (const unsigned char *)t->source.text;
  if (t->source.size >= 2 && ((s[0] == 0xFE && s[1] == 0xFF) || (s[0] == 0xFF && s[1] == 0xFE)))
    return ad_source_place(&t->source, 1, 1, ad_fail(b->e, AD_EINPUT, "the file is UTF-16; save it as UTF-8"), b->e);
  if (t->source.size >= 3 && !memcmp(s, "\xEF\xBB\xBF", 3)) t->source.text += 3, t->source.size -= 3;
  return AD_OK;
}

ad_status ad_yaml_parse(ad_yaml_tree *t, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                        ad_error *e) {
  *t = (ad_yaml_tree){.source = {bytes, size, path}, .limits = ad_limits_resolve(limits), .count = 1};
  builder b = {.t = t, .e = e};
  ad_status s = ad_reserve(&t->item, &t->capacity, 2, sizeof *t->item) ? AD_OK : ad_fail_memory(e);
  if (!s) t->item[0] = (ad_yaml_item){0};
  if (!s) s = check_encoding(&b);
  if (!s) s = refuse_directives(&b);
  yaml_parser_t parser;
  if (!s && !yaml_parser_initialize(&parser)) {
    s = ad_fail_memory(e);
  } else if (!s) {
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)t->source.text, t->source.size);
    s = read_events(&b, &parser);
    yaml_parser_delete(&parser);
  }
  while (b.depth) ad_names_clear(&b.level[--b.depth].keys);
  ad_free(b.level);
  if (s) ad_yaml_clear(t);
  return s;
}

/* ---- Reading the tree */

uint32_t ad_yaml_get(const ad_yaml_tree *t, uint32_t map, const char *key) {
  for (uint32_t i = t->item[map].first; i; i = ad_yaml_next_key(t, i))
    if (!strcmp(ad_yaml_text(t, i), key)) return ad_yaml_value(t, i);
  return 0;
}

static const char *next_known(const void *context, size_t i) {
  return ((const char *const *)context)[i];
}

ad_status ad_yaml_known_keys(const ad_yaml_tree *t, uint32_t map, const char *what, const char *const *known,
                             ad_error *e) {
  if (t->item[map].kind != AD_YAML_MAP) return ad_yaml_fail(t, map, 0, e, "%s is a mapping of keys to values", what);
  for (uint32_t i = t->item[map].first; i; i = ad_yaml_next_key(t, i)) {
    const char *key = ad_yaml_text(t, i);
    size_t k = 0;
    while (known[k] && strcmp(known[k], key)) k++;
    if (known[k]) continue;
    const char *near = ad_suggest(key, next_known, known);
    char list[300] = "";
    for (k = 0; !near && known[k]; k++) {
      size_t used = strlen(list);
      snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "", known[k]);
    }
    if (near) return ad_yaml_fail(t, i, 0, e, "unknown key '%.80s' in %s (did you mean '%s'?)", key, what, near);
    return ad_yaml_fail(t, i, 0, e, "unknown key '%.80s' in %s; it has %s", key, what, list);
  }
  return AD_OK;
}

/* `depth` lists are around the item. */
static ad_status read_numbers(const ad_yaml_tree *t, uint32_t item, int depth, ad_numbers *out, ad_shape *shape,
                              ad_error *e) {
  const ad_yaml_item *at = &t->item[item];
  *shape = (ad_shape){0};
  if (at->kind == AD_YAML_MAP) return ad_yaml_fail(t, item, 0, e, "a value is a number or a list, not a mapping");
  if (at->kind == AD_YAML_SCALAR)
    return ad_yaml_place(t, item, 0, ad_numbers_push_text(out, ad_yaml_text(t, item), at->length, e), e);
  if (depth == AD_MAX_RANK) return ad_yaml_fail(t, item, 0, e, "lists are nested deeper than rank %d", AD_MAX_RANK);
  ad_shape inner = {0};
  for (uint32_t i = at->first; i; i = t->item[i].next) {
    ad_shape s;
    ad_status status = read_numbers(t, i, depth + 1, out, &s, e);
    if (status) return status;
    if (i == at->first) inner = s;
    if (!ad_shape_equal(&inner, &s)) {
      char first[AD_SHAPE_TEXT], other[AD_SHAPE_TEXT];
      ad_shape_text(first, &inner);
      ad_shape_text(other, &s);
      return ad_yaml_fail(t, i, 0, e, "a ragged list: this entry has shape %s, the first one %s", other, first);
    }
  }
  shape->rank = inner.rank + 1;
  shape->dim[0] = at->count;
  memcpy(shape->dim + 1, inner.dim, (size_t)inner.rank * sizeof inner.dim[0]);
  return AD_OK;
}

ad_status ad_yaml_numbers(const ad_yaml_tree *t, uint32_t item, ad_numbers *out, ad_shape *shape, ad_error *e) {
  return read_numbers(t, item, 0, out, shape, e);
}
