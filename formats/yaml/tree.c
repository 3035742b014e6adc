#include "yaml/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "error.h"
#include "ir/names.h"

void ad_yaml_clear(ad_yaml_tree *t) {
  ad_free(t->item);
  ad_free(t->text);
  t->item = NULL;
  t->text = NULL;
}

/* ---- Places */

static bool is_tail(char c) { /* of a UTF-8 sequence */
  return ((unsigned char)c & 0xC0) == 0x80;
}

/* Copies the source line and finds the byte column of a character column in it. */
static void quote_line(const ad_yaml_tree *t, ad_error *e) {
  const char *s = t->source, *end = s + t->size;
  for (int64_t line = 1; line < e->line && s < end; s++) line += *s == '\n';
  size_t n = 0;
  int64_t column = 1;
  while (s + n < end && s[n] != '\n' && s[n] != '\r') n++;
  if (n >= sizeof e->excerpt) n = sizeof e->excerpt - 1;
  while (n > 0 && s + n < end && is_tail(s[n])) n--;
  for (size_t i = 0; i <= n && column <= e->column; i++) {
    if (column == e->column && (i == n || !is_tail(s[i]))) e->excerpt_column = (int)e->column;
    if (i < n && !is_tail(s[i])) column++;
  }
  memcpy(e->excerpt, s, n);
  e->excerpt[n] = '\0';
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)e->excerpt[i] < 32) e->excerpt[i] = ' ';
}

static void set_place(const ad_yaml_tree *t, int64_t line, int64_t column, ad_error *e) {
  if (!e) return;
  ad_error_place(e, t->path, line, column);
  if (e->line == line && !e->excerpt[0]) quote_line(t, e);
}

ad_status ad_yaml_place(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_status s, ad_error *e) {
  const ad_yaml_item *at = &t->item[item];
  if (!s || !e) return s;
  int64_t characters = 0;
  if (at->plain)
    for (size_t i = 0; i < skip; i++) characters += !is_tail(t->text[at->text + i]);
  set_place(t, at->line, at->column + characters, e);
  return s;
}

ad_status ad_yaml_fail(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_error *e, const char *format, ...) {
  char message[sizeof e->message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  return ad_yaml_place(t, item, skip, ad_fail(e, AD_EINPUT, "%s", message), e);
}

static ad_status fail_at(const ad_yaml_tree *t, const yaml_mark_t *m, ad_error *e, const char *message) {
  ad_status s = ad_fail(e, AD_EINPUT, "%s", message);
  set_place(t, (int64_t)m->line + 1, (int64_t)m->column + 1, e);
  return s;
}

/* ---- From events to the tree */

static ad_status add_item(ad_yaml_tree *t, const yaml_event_t *v, ad_yaml_kind kind, uint32_t *out, ad_error *e) {
  if (t->count >= UINT32_MAX || !ad_reserve(&t->item, &t->capacity, t->count + 1, sizeof *t->item))
    return ad_fail_memory(e);
  *out = (uint32_t)t->count++;
  t->item[*out] = (ad_yaml_item){
      .kind = (uint8_t)kind, .line = (uint32_t)v->start_mark.line + 1, .column = (uint32_t)v->start_mark.column + 1};
  return AD_OK;
}

static ad_status add_scalar(ad_yaml_tree *t, const yaml_event_t *v, uint32_t *out, ad_error *e) {
  size_t length = v->data.scalar.length;
  if (length > t->limits.max_scalar) {
    char message[120];
    snprintf(message, sizeof message, "a text of %zu bytes is above the limit of %u (--max-scalar)", length,
             t->limits.max_scalar);
    return fail_at(t, &v->start_mark, e, message);
  }
  if (memchr(v->data.scalar.value, 0, length)) return fail_at(t, &v->start_mark, e, "a text holds a zero byte");
  ad_status s = add_item(t, v, AD_YAML_SCALAR, out, e);
  if (s) return s;
  if (!ad_reserve(&t->text, &t->text_capacity, t->text_size + length + 1, 1)) return ad_fail_memory(e);
  memcpy(t->text + t->text_size, v->data.scalar.value, length);
  t->text[t->text_size + length] = '\0';
  ad_yaml_item *item = &t->item[*out];
  item->text = t->text_size;
  item->length = (uint32_t)length;
  item->plain = v->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && v->start_mark.line == v->end_mark.line;
  t->text_size += length + 1;
  return AD_OK;
}

static ad_status refuse_marks(const ad_yaml_tree *t, const yaml_event_t *v, ad_error *e) {
  const yaml_char_t *anchor = NULL, *tag = NULL;
  if (v->type == YAML_ALIAS_EVENT)
    return fail_at(t, &v->start_mark, e, "aliases (*name) have no meaning in a graph; write the value again");
  if (v->type == YAML_SCALAR_EVENT) anchor = v->data.scalar.anchor, tag = v->data.scalar.tag;
  if (v->type == YAML_SEQUENCE_START_EVENT) anchor = v->data.sequence_start.anchor, tag = v->data.sequence_start.tag;
  if (v->type == YAML_MAPPING_START_EVENT) anchor = v->data.mapping_start.anchor, tag = v->data.mapping_start.tag;
  if (anchor) return fail_at(t, &v->start_mark, e, "anchors (&name) have no meaning in a graph; remove it");
  if (tag) return fail_at(t, &v->start_mark, e, "tags (!name) have no meaning in a graph; remove it");
  return AD_OK;
}

typedef struct level {
  uint32_t item, last; /* the container and its last child */
  bool flow;
  ad_names keys; /* of a map with many keys; small ones are searched */
} level;

enum { MANY_KEYS = 16 };

/* A key must be a scalar, new in its map, and have a value. */
static ad_status check_key(ad_yaml_tree *t, level *l, uint32_t key, ad_error *e) {
  if (t->item[key].kind != AD_YAML_SCALAR)
    return ad_yaml_fail(t, key, 0, e, "a key is a name, not a list or a mapping");
  const char *text = ad_yaml_text(t, key);
  if (!strcmp(text, "<<")) return ad_yaml_fail(t, key, 0, e, "merge keys (<<) have no meaning in a graph");
  uint32_t count = t->item[l->item].count / 2, seen = 0; /* keys before this one */
  bool twice = false;
  if (count >= MANY_KEYS) {
    if (!l->keys.count)
      for (uint32_t i = t->item[l->item].first, k = 0; k < count; i = t->item[t->item[i].next].next, k++)
        if (!ad_names_add(&l->keys, ad_yaml_text(t, i), i)) return ad_fail_memory(e);
    twice = ad_names_find(&l->keys, text, &seen);
    if (!twice && !ad_names_add(&l->keys, text, key)) return ad_fail_memory(e);
  } else {
    for (uint32_t i = t->item[l->item].first, k = 0; k < count && !twice; i = t->item[t->item[i].next].next, k++)
      if (!strcmp(ad_yaml_text(t, i), text)) twice = true, seen = i;
  }
  if (twice)
    return ad_yaml_fail(t, key, 0, e, "the key '%.80s' is given twice, first in line %u", text, t->item[seen].line);
  return AD_OK;
}

static ad_status attach(ad_yaml_tree *t, level *l, uint32_t child, ad_error *e) {
  ad_yaml_item *parent = &t->item[l->item];
  t->item[child].flow = l->flow;
  if (parent->kind == AD_YAML_MAP && parent->count % 2 == 0) {
    ad_status s = check_key(t, l, child, e);
    if (s) return s;
  }
  if (l->last)
    t->item[l->last].next = child;
  else
    parent->first = child;
  l->last = child;
  parent->count++;
  return AD_OK;
}

/* `{r: max(a, b)}` is two keys to YAML: the comma ends the value. */
static ad_status check_split(const ad_yaml_tree *t, uint32_t value, ad_error *e) {
  const ad_yaml_item *v = &t->item[value];
  if (v->kind != AD_YAML_SCALAR || !v->flow || !v->plain) return AD_OK;
  int open = 0;
  for (const char *s = ad_yaml_text(t, value); *s; s++) open += (*s == '(') - (*s == ')');
  if (open <= 0) return AD_OK;
  return ad_yaml_fail(
      t, value, 0, e,
      "inside {...} and [...] a comma ends this text at '%.60s', before its closing parenthesis; put it "
      "in quotes: \"...\"",
      ad_yaml_text(t, value));
}

static ad_status step(ad_yaml_tree *t, const yaml_event_t *v, level *stack, size_t *depth, ad_error *e) {
  ad_status s = refuse_marks(t, v, e);
  if (s) return s;
  uint32_t item;
  switch (v->type) {
    case YAML_SCALAR_EVENT:
      s = add_scalar(t, v, &item, e);
      if (!s && *depth) s = attach(t, &stack[*depth - 1], item, e);
      if (!s && *depth) s = check_split(t, item, e);
      return s;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: {
      bool list = v->type == YAML_SEQUENCE_START_EVENT;
      if (*depth >= t->limits.max_yaml_depth) {
        char message[120];
        snprintf(message, sizeof message, "lists and mappings are nested deeper than %u (--max-yaml-depth)",
                 t->limits.max_yaml_depth);
        return fail_at(t, &v->start_mark, e, message);
      }
      s = add_item(t, v, list ? AD_YAML_LIST : AD_YAML_MAP, &item, e);
      if (!s && *depth) s = attach(t, &stack[*depth - 1], item, e);
      bool flow = list ? v->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                       : v->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
      if (!s) stack[(*depth)++] = (level){.item = item, .flow = flow};
      return s;
    }
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      ad_names_clear(&stack[--*depth].keys);
      return AD_OK;
    default:
      return AD_OK;
  }
}

static ad_status parser_error(const ad_yaml_tree *t, const yaml_parser_t *p, ad_error *e) {
  if (p->error == YAML_MEMORY_ERROR) return ad_fail_memory(e);
  ad_status s = ad_fail(e, AD_EINPUT, "%s%s%s", p->problem ? p->problem : "not YAML", p->context ? ", " : "",
                        p->context ? p->context : "");
  if (p->error == YAML_READER_ERROR) {
    int64_t line = 1, column = 1;
    for (size_t i = 0; i < p->problem_offset && i < t->size; i++) {
      column = t->source[i] == '\n' ? 1 : column + !is_tail(t->source[i]);
      line += t->source[i] == '\n';
    }
    set_place(t, line, column, e);
  } else {
    set_place(t, (int64_t)p->problem_mark.line + 1, (int64_t)p->problem_mark.column + 1, e);
  }
  return s;
}

ad_status ad_yaml_parse(ad_yaml_tree *t, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                        ad_error *e) {
  *t = (ad_yaml_tree){.path = path, .source = bytes, .size = size, .limits = ad_limits_resolve(limits), .count = 1};
  if (!ad_reserve(&t->item, &t->capacity, 2, sizeof *t->item)) return ad_fail_memory(e);
  t->item[0] = (ad_yaml_item){0};
  level *stack = ad_calloc(t->limits.max_yaml_depth, sizeof *stack);
  yaml_parser_t parser;
  if (!stack || !yaml_parser_initialize(&parser)) {
    ad_free(stack);
    ad_yaml_clear(t);
    return ad_fail_memory(e);
  }
  yaml_parser_set_input_string(&parser, bytes, size);
  ad_status s = AD_OK;
  size_t depth = 0, documents = 0;
  for (bool done = false; !s && !done;) {
    yaml_event_t v;
    if (!yaml_parser_parse(&parser, &v)) {
      s = parser_error(t, &parser, e);
      break;
    }
    done = v.type == YAML_STREAM_END_EVENT;
    if (v.type == YAML_DOCUMENT_START_EVENT && documents++)
      s = fail_at(t, &v.start_mark, e, "a second document starts here; a file holds one graph");
    if (!s) s = step(t, &v, stack, &depth, e);
    yaml_event_delete(&v);
  }
  yaml_parser_delete(&parser);
  while (depth) ad_names_clear(&stack[--depth].keys);
  ad_free(stack);
  if (!s && t->count < 2) {
    s = ad_fail(e, AD_EINPUT, "the file is empty");
    set_place(t, 1, 1, e);
  }
  if (s) ad_yaml_clear(t);
  return s;
}

/* ---- Reading the tree */

uint32_t ad_yaml_get(const ad_yaml_tree *t, uint32_t map, const char *key) {
  for (uint32_t i = t->item[map].first; i; i = t->item[t->item[i].next].next)
    if (!strcmp(ad_yaml_text(t, i), key)) return t->item[i].next;
  return 0;
}

static const char *next_known(const void *context, size_t i) {
  return ((const char *const *)context)[i];
}

ad_status ad_yaml_known_keys(const ad_yaml_tree *t, uint32_t map, const char *what, const char *const *known,
                             ad_error *e) {
  if (t->item[map].kind != AD_YAML_MAP) return ad_yaml_fail(t, map, 0, e, "%s is a mapping of keys to values", what);
  for (uint32_t i = t->item[map].first; i; i = t->item[t->item[i].next].next) {
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

ad_status ad_yaml_numbers(const ad_yaml_tree *t, uint32_t item, ad_numbers *out, ad_shape *shape, ad_error *e) {
  const ad_yaml_item *at = &t->item[item];
  *shape = (ad_shape){0};
  if (at->kind == AD_YAML_MAP) return ad_yaml_fail(t, item, 0, e, "a value is a number or a list, not a mapping");
  if (at->kind == AD_YAML_SCALAR)
    return ad_yaml_place(t, item, 0, ad_numbers_push_text(out, ad_yaml_text(t, item), at->length, e), e);
  ad_shape inner = {0};
  for (uint32_t i = at->first; i; i = t->item[i].next) {
    ad_shape s;
    ad_status status = ad_yaml_numbers(t, i, out, &s, e); /* as deep as the tree, which has a limit */
    if (status) return status;
    if (i == at->first) inner = s;
    if (!ad_shape_equal(&inner, &s)) {
      char first[AD_SHAPE_TEXT], other[AD_SHAPE_TEXT];
      ad_shape_text(first, &inner);
      ad_shape_text(other, &s);
      return ad_yaml_fail(t, i, 0, e, "a ragged list: this entry has shape %s, the first one %s", other, first);
    }
  }
  if (inner.rank + 1 > AD_MAX_RANK)
    return ad_yaml_fail(t, item, 0, e, "lists are nested deeper than rank %d", AD_MAX_RANK);
  shape->rank = inner.rank + 1;
  shape->dim[0] = at->count;
  memcpy(shape->dim + 1, inner.dim, (size_t)inner.rank * sizeof inner.dim[0]);
  return AD_OK;
}
