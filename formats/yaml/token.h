/* Tokens of infix expressions. */
#ifndef AD_YAML_TOKEN_H
#define AD_YAML_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* A token is a character, or one of these. */
enum {
  AD_TOKEN_END = 256,
  AD_TOKEN_NUMBER,
  AD_TOKEN_NAME,
  AD_TOKEN_POWER, /* ^ or ** */
  AD_TOKEN_LESS_EQUAL,
  AD_TOKEN_GREATER_EQUAL,
  AD_TOKEN_EQUAL,
  AD_TOKEN_NOT_EQUAL
};

typedef struct ad_tokens {
  const char *s;  /* the whole text */
  size_t at, end; /* the token is s[at .. end); all zero to begin with */
  int token;
} ad_tokens;

/* Goes to the next token.  NULL, or what is wrong, at *at. */
const char *ad_token_next(ad_tokens *t, size_t *at);

/* The name that the token is, without backquotes. */
void ad_token_name(const ad_tokens *t, const char **name, size_t *length);
/* Whether the token is this name. */
bool ad_token_is(const ad_tokens *t, const char *name);
/* Whether the token is a name with a single = behind it. */
bool ad_token_is_keyword(const ad_tokens *t);

/* Whether a name can stand in an expression without backquotes. */
/* The first thing at or behind s that looks like a name or a label, outside backquotes; NULL: none. */
const char *ad_token_find_name(const char *s, size_t *length);
bool ad_token_plain_name(const char *name);

#endif
