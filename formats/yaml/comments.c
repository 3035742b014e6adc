/* Comments, which neither libyaml's tokens nor a tree keep: they stand between tokens, where nothing else than white
 * space can, and behind the indicator of a block scalar. */
#include <string.h>
#include <yaml.h>

#include "error.h"
#include "source.h"
#include "yaml/yaml.h"

/* A walk by libyaml's marks, which count characters. */
typedef struct walk {
  ad_cursor at;
  size_t index;
} walk;

static void step(walk *w) {
  ad_cursor_step(&w->at);
  w->index++;
}

/* Goes on to a mark; true at a number sign before it, where only comments can have one. */
static bool find_sign(walk *w, size_t end) {
  for (; w->index < end && w->at.s < w->at.end; step(w))
    if (*w->at.s == '#') return true;
  return false;
}

/* The same in the first line of a block scalar. */
static bool find_in_header(walk *w, size_t end) {
  for (; w->index < end && w->at.s < w->at.end && *w->at.s != '\n' && *w->at.s != '\r'; step(w))
    if (*w->at.s == '#') return true;
  return false;
}

static bool is_block(const yaml_token_t *t) {
  return t->type == YAML_SCALAR_TOKEN &&
         (t->data.scalar.style == YAML_LITERAL_SCALAR_STYLE || t->data.scalar.style == YAML_FOLDED_SCALAR_STYLE);
}

static ad_status find(yaml_parser_t *parser, walk *w, bool *found, ad_error *e) {
  for (bool done = false; !done && !*found;) {
    yaml_token_t t;
    if (!yaml_parser_scan(parser, &t))
      return parser->error == YAML_MEMORY_ERROR ? ad_fail_memory(e) : ad_fail(e, AD_EINPUT, "not YAML");
    done = t.type == YAML_STREAM_END_TOKEN;
    *found = find_sign(w, t.start_mark.index) || (is_block(&t) && find_in_header(w, t.end_mark.index));
    while (!*found && w->index < t.end_mark.index && w->at.s < w->at.end) step(w);
    yaml_token_delete(&t);
  }
  return AD_OK;
}

ad_status ad_yaml_find_comment(const void *bytes, size_t size, int64_t *line, ad_error *e) {
  const char *text = bytes;
  const size_t mark = size >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3) ? 3 : 0; /* of the byte order */
  walk w = {.at = {text + mark, text + size, 1, 1}};
  bool found = false;
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser)) return ad_fail_memory(e);
  yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser, (const unsigned char *)text + mark, size - mark);
  ad_status s = find(&parser, &w, &found, e);
  yaml_parser_delete(&parser);
  *line = found ? w.at.line : 0;
  return s;
}
