/* From items to lines and columns, and the line of an error as an excerpt. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "yaml/tree.h"

/* A walk through the source, character by character. */
typedef struct cursor {
  const char *s, *end;
  int64_t line, column;
} cursor;

static bool is_tail(char c) { /* of a UTF-8 sequence */
  return ((unsigned char)c & 0xC0) == 0x80;
}

static bool is_break(const char *s, const char *end) { /* as libyaml counts lines; not the CR of a CR LF */
  if (*s == '\n') return true;
  if (*s == '\r') return s + 1 == end || s[1] != '\n';
  if (end - s >= 2 && !memcmp(s, "\xC2\x85", 2)) return true;
  return end - s >= 3 && (!memcmp(s, "\xE2\x80\xA8", 3) || !memcmp(s, "\xE2\x80\xA9", 3));
}

static void step(cursor *c) {
  bool over = is_break(c->s, c->end);
  do c->s++;
  while (c->s < c->end && is_tail(*c->s));
  c->line += over;
  c->column = over ? 1 : c->column + 1;
}

static cursor start(const ad_yaml_tree *t) {
  return (cursor){t->source, t->source + t->size, 1, 1};
}

static cursor go_to(const ad_yaml_tree *t, int64_t line, int64_t column) {
  cursor c = start(t);
  while (c.s < c.end && c.line < line) step(&c);
  while (c.s < c.end && c.line == line && c.column < column && *c.s != '\n' && *c.s != '\r') step(&c);
  return c;
}

char ad_yaml_source_at(const ad_yaml_tree *t, int64_t line, int64_t column) {
  cursor c = go_to(t, line, column);
  return c.s < c.end && c.line == line && c.column == column ? *c.s : '\0';
}

void ad_yaml_locate_byte(const ad_yaml_tree *t, size_t offset, int64_t *line, int64_t *column) {
  cursor c = start(t);
  while (c.s < c.end && c.s < t->source + offset) step(&c);
  *line = c.line;
  *column = c.column;
}

/* Copies the part of the source line around e->column. */
static void quote_line(const ad_yaml_tree *t, ad_error *e) {
  enum { BEFORE = 60 };
  const char *dots = "";
  cursor c = go_to(t, e->line, 1);
  if (e->column > 2 * BEFORE) { /* a long line: from a little before the place */
    c = go_to(t, e->line, e->column - BEFORE);
    dots = "...";
  }
  size_t n = strlen(dots);
  memcpy(e->excerpt, dots, n);
  e->excerpt_column = (int)n;
  while (c.s < c.end && c.line == e->line && *c.s != '\n' && *c.s != '\r') {
    const char *from = c.s;
    bool before = c.column <= e->column;
    step(&c);
    size_t bytes = (size_t)(c.s - from);
    if (n + bytes >= sizeof e->excerpt || is_break(from, c.end)) break;
    if (ad_character(from, c.s) == bytes) {
      memcpy(e->excerpt + n, from, bytes);
      n += bytes;
    } else { /* what a terminal should not see, in its one column */
      e->excerpt[n++] = (unsigned char)*from < 32 ? ' ' : '?';
    }
    e->excerpt_column += before;
  }
  e->excerpt[n] = '\0';
  if (c.column <= e->column) e->excerpt_column++; /* behind the end of the line */
}

ad_status ad_yaml_place_at(const ad_yaml_tree *t, int64_t line, int64_t column, ad_status s, ad_error *e) {
  if (!s || !e || e->line > 0) return s;
  ad_error_place(e, t->path, line, column);
  quote_line(t, e);
  return s;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Follows a scalar's text through the source, where any white space of the text may be any other in the source: right
 * for plain, quoted and block scalars, up to the first escape. */
static void follow(const ad_yaml_tree *t, const ad_yaml_item *at, size_t skip, int64_t *line, int64_t *column) {
  cursor c = go_to(t, at->line, at->column);
  const char *text = t->text + at->text;
  if (at->plain) {
    if (!skip) return;
  } else if (c.s < c.end && (*c.s == '"' || *c.s == '\'')) {
    step(&c);
  } else {
    while (c.s < c.end && c.line == at->line) step(&c); /* | or > */
    while (c.s < c.end && is_space(*c.s)) step(&c);
  }
  for (size_t i = 0; i < skip; i++) {
    if (c.s == c.end) return;
    if (is_space(text[i])) {
      while (i + 1 < skip && is_space(text[i + 1])) i++;
      if (!is_space(*c.s)) return;
      while (c.s < c.end && is_space(*c.s)) step(&c);
    } else if (*c.s != text[i]) {
      return;
    } else if (i + 1 == skip || !is_tail(text[i + 1])) {
      step(&c); /* a character's last byte */
    } else {
      c.s++;
    }
  }
  *line = c.line;
  *column = c.column;
}

ad_status ad_yaml_place(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_status s, ad_error *e) {
  if (!s || !e || e->line > 0) return s;
  int64_t line = t->item[item].line, column = t->item[item].column;
  if (t->item[item].kind == AD_YAML_SCALAR) follow(t, &t->item[item], skip, &line, &column);
  return ad_yaml_place_at(t, line, column, s, e);
}

ad_status ad_yaml_fail(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_error *e, const char *format, ...) {
  char message[sizeof e->message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  return ad_yaml_place(t, item, skip, ad_fail(e, AD_EINPUT, "%s", message), e);
}
