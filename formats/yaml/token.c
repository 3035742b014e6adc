/* Without <ctype.h>, which follows the locale. */
#include "yaml/token.h"

#include <string.h>

#include "adtool.h"

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* A name, or the label of a node without one, like %17. */
static bool name_at(const char *s) {
  return starts_name(*s) || (*s == '%' && is_digit(s[1]));
}

static bool in_name(char c) {
  return starts_name(c) || is_digit(c) || c == '.';
}

bool ad_token_plain_name(const char *name) {
  if (!starts_name(*name)) return false;
  while (in_name(*name)) name++;
  return !*name;
}

static size_t digits(const char *s, size_t i, bool hex) {
  while (hex ? is_hex(s[i]) : is_digit(s[i])) i++;
  return i;
}

static size_t number_end(const char *s, size_t i) {
  bool hex = s[i] == '0' && (s[i + 1] == 'x' || s[i + 1] == 'X');
  i = digits(s, hex ? i + 2 : i, hex);
  if (s[i] == '.') i = digits(s, i + 1, hex);
  if (hex ? s[i] == 'p' || s[i] == 'P' : s[i] == 'e' || s[i] == 'E') {
    size_t exponent = i + 1 + (s[i + 1] == '-' || s[i + 1] == '+');
    if (is_digit(s[exponent])) i = digits(s, exponent, false);
  }
  return i;
}

enum { SPECIAL = 4 }; /* bytes of: */

/* YAML's own spellings of infinity and nan: .inf and the like. */
static bool special_at(const char *s) {
  return *s == '.' && strnlen(s, SPECIAL) == SPECIAL && !is_digit(s[1]) && ad_number_valid(s, SPECIAL) &&
         !in_name(s[SPECIAL]);
}

const char *ad_token_find_name(const char *s, size_t *length) {
  while (*s && !name_at(s)) s += is_digit(*s) ? number_end(s, 0) : 1;
  if (!*s) return NULL;
  for (*length = 1; in_name(s[*length]);) ++*length;
  return s;
}

/* The token of one or two characters at s; 0: none. */
static int sign(const char *s) {
  const bool equals = s[1] == '=';
  switch (*s) {
    case '*':
      return s[1] == '*' ? AD_TOKEN_POWER : '*';
    case '^':
      return AD_TOKEN_POWER;
    case '<':
      return equals ? AD_TOKEN_LESS_EQUAL : '<';
    case '>':
      return equals ? AD_TOKEN_GREATER_EQUAL : '>';
    case '=':
      return equals ? AD_TOKEN_EQUAL : '=';
    case '!':
      return equals ? AD_TOKEN_NOT_EQUAL : 0;
    default:
      return strchr("+-/@()[],:", *s) ? *s : 0;
  }
}

static const char *quoted_name(ad_tokens *t, size_t *at) {
  const char *open = t->s + t->at, *close = strchr(open + 1, '`');
  *at = t->at;
  if (!close) return "a backquote is not closed";
  if (close == open + 1) return "there is no name between the backquotes";
  t->token = AD_TOKEN_NAME;
  t->end = (size_t)(close - t->s) + 1;
  return NULL;
}

const char *ad_token_next(ad_tokens *t, size_t *at) {
  const char *s = t->s;
  size_t i = t->end;
  while (s[i] == ' ' || s[i] == '\t' || s[i] == '\n') i++;
  t->at = i;
  if (name_at(s + i)) {
    t->token = AD_TOKEN_NAME;
    for (i++; in_name(s[i]); i++) continue;
    t->end = i;
  } else if (is_digit(s[i]) || (s[i] == '.' && is_digit(s[i + 1])) || special_at(s + i)) {
    t->token = AD_TOKEN_NUMBER;
    *at = t->end = special_at(s + i) ? i + SPECIAL : number_end(s, i);
    if (in_name(s[t->end])) return "a number runs into a name; write an operator between them";
  } else if (!s[i]) {
    t->token = AD_TOKEN_END;
    t->end = i;
  } else if (s[i] == '`') {
    return quoted_name(t, at);
  } else {
    *at = i;
    t->token = sign(s + i);
    if (!t->token) return "this character has no meaning here";
    t->end = i + 1 + (t->token > AD_TOKEN_END && s[i] != '^');
  }
  return NULL;
}

void ad_token_name(const ad_tokens *t, const char **name, size_t *length) {
  bool quoted = t->s[t->at] == '`';
  *name = t->s + t->at + quoted;
  *length = t->end - t->at - 2 * (size_t)quoted;
}

bool ad_token_is(const ad_tokens *t, const char *name) {
  size_t n = strlen(name);
  return t->token == AD_TOKEN_NAME && t->end - t->at == n && !memcmp(t->s + t->at, name, n);
}

bool ad_token_is_keyword(const ad_tokens *t) {
  const char *next = t->s + t->end;
  while (*next == ' ') next++;
  return t->token == AD_TOKEN_NAME && next[0] == '=' && next[1] != '=';
}
