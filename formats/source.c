#include "source.h"

#include <string.h>

#include "error.h"

static bool is_break(const char *s, const char *end) { /* as libyaml counts lines; not the CR of a CR LF */
  if (*s == '\n') return true;
  if (*s == '\r') return s + 1 == end || s[1] != '\n';
  if (end - s >= 2 && !memcmp(s, "\xC2\x85", 2)) return true;
  return end - s >= 3 && (!memcmp(s, "\xE2\x80\xA8", 3) || !memcmp(s, "\xE2\x80\xA9", 3));
}

void ad_cursor_step(ad_cursor *c) {
  bool over = is_break(c->s, c->end);
  do c->s++;
  while (c->s < c->end && ad_utf8_tail(*c->s));
  c->line += over;
  c->column = over ? 1 : c->column + 1;
}

static ad_cursor start(const ad_source *src) {
  return (ad_cursor){src->text, src->text + src->size, 1, 1};
}

ad_cursor ad_source_go(const ad_source *src, int64_t line, int64_t column) {
  ad_cursor c = start(src);
  while (c.s < c.end && c.line < line) ad_cursor_step(&c);
  while (c.s < c.end && c.line == line && c.column < column && *c.s != '\n' && *c.s != '\r') ad_cursor_step(&c);
  return c;
}

ad_cursor ad_source_go_to_byte(const ad_source *src, size_t offset) {
  ad_cursor c = start(src);
  while (c.s < c.end && c.s < src->text + offset) ad_cursor_step(&c);
  return c;
}

/* Copies the part of the source line around e->column. */
static void quote_line(const ad_source *src, ad_error *e) {
  enum { BEFORE = 60 };
  const char *dots = "";
  ad_cursor c = ad_source_go(src, e->line, 1);
  if (e->column > 2 * BEFORE) { /* a long line: from a little before the place */
    c = ad_source_go(src, e->line, e->column - BEFORE);
    dots = "...";
  }
  size_t n = strlen(dots);
  memcpy(e->excerpt, dots, n);
  e->excerpt_column = (int)n;
  while (c.s < c.end && c.line == e->line && *c.s != '\n' && *c.s != '\r') {
    const char *from = c.s;
    bool before = c.column <= e->column;
    ad_cursor_step(&c);
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

ad_status ad_source_place(const ad_source *src, int64_t line, int64_t column, ad_status s, ad_error *e) {
  if (!s || !e || e->line > 0) return s;
  ad_error_place(e, src->path, line, column);
  quote_line(src, e);
  return s;
}

ad_status ad_source_place_byte(const ad_source *src, size_t offset, ad_status s, ad_error *e) {
  const ad_cursor c = ad_source_go_to_byte(src, offset);
  return ad_source_place(src, c.line, c.column, s, e);
}
