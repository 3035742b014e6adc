/* From items to lines and columns. */
#include <stdarg.h>
#include <stdio.h>

#include "error.h"
#include "yaml/tree.h"

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Follows a scalar's text through the source, where any white space of the text may be any other in the source: right
 * for plain, quoted and block scalars, up to the first escape. */
static void follow(const ad_yaml_tree *t, const ad_yaml_item *at, size_t skip, int64_t *line, int64_t *column) {
  ad_cursor c = ad_source_go(&t->source, at->line, at->column);
  const char *text = t->text + at->text;
  if (at->plain) {
    if (!skip) return;
  } else if (c.s < c.end && (*c.s == '"' || *c.s == '\'')) {
    ad_cursor_step(&c);
  } else {
    while (c.s < c.end && c.line == at->line) ad_cursor_step(&c); /* | or > */
    while (c.s < c.end && is_space(*c.s)) ad_cursor_step(&c);
  }
  for (size_t i = 0; i < skip; i++) {
    if (c.s == c.end) return;
    if (is_space(text[i])) {
      while (i + 1 < skip && is_space(text[i + 1])) i++;
      if (!is_space(*c.s)) return;
      while (c.s < c.end && is_space(*c.s)) ad_cursor_step(&c);
    } else if (*c.s != text[i]) {
      return;
    } else if (i + 1 == skip || !ad_utf8_tail(text[i + 1])) {
      ad_cursor_step(&c); /* a character's last byte */
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
  return ad_source_place(&t->source, line, column, s, e);
}

ad_status ad_yaml_fail(const ad_yaml_tree *t, uint32_t item, size_t skip, ad_error *e, const char *format, ...) {
  char message[sizeof e->message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  return ad_yaml_place(t, item, skip, ad_fail(e, AD_EINPUT, "%s", message), e);
}
