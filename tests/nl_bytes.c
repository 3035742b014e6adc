#include "nl_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static void put_raw(ad_buffer *b, nl_form form, const void *v, size_t size) {
  unsigned char bytes[8];
  memcpy(bytes, v, size);
  const bool turn = (form == NL_BIG) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
  for (size_t i = 0; turn && i < size / 2; i++) {
    const unsigned char c = bytes[i];
    bytes[i] = bytes[size - 1 - i];
    bytes[size - 1 - i] = c;
  }
  ad_buffer_put(b, bytes, size);
}

static void put_binary(ad_buffer *b, nl_form form, const char *t, size_t n) {
  const double real = strtod(t + 1, NULL);
  const int32_t whole = (int32_t)real, length = (int32_t)n - 1;
  const int16_t small = (int16_t)whole;
  switch (*t) {
    case '#':
      put_raw(b, form, &whole, sizeof whole);
      break;
    case '=':
      put_raw(b, form, &real, sizeof real);
      break;
    case '~':
      put_raw(b, form, &small, sizeof small);
      break;
    case '$':
      put_raw(b, form, &length, sizeof length);
      ad_buffer_put(b, t + 1, n - 1);
      break;
    case '\'':
      ad_buffer_put(b, t + 1, 1);
      break;
    default:
      ad_buffer_put(b, t, 1);
  }
}

/* A key starts a line, and its first number stands right behind it. */
static void put_text(ad_buffer *b, const char *t, size_t n, bool behind_key) {
  const bool key = !strchr("#=~$'", *t);
  if (key || *t == '\'') ad_buffer_puts(b, "\n");
  if (!key && *t != '\'' && !behind_key) ad_buffer_puts(b, " ");
  ad_buffer_put(b, key ? t : t + 1, key ? n : n - 1);
}

/* How many terms the segments G have. */
static int gradient_terms(const char *tokens) {
  int sum = 0, count;
  for (const char *p = tokens; (p = strstr(p, "G #")); p++)
    if (sscanf(p, "G #%*d #%d", &count) == 1) sum += count;
  return sum;
}

void nl_bytes(ad_buffer *out, nl_form form, const nl_header *h, const char *tokens) {
  ad_buffer_printf(out,
                   "%c3 0 1 0\t# problem small\n %d %d %d 0 0\n %d %d\n 0 0\n %d %d %d\n 0 0 %d 1\n 0 0 0 0 0\n %d %d\n"
                   " 0 0\n %d 0 0 0 0",
                   form == NL_TEXT ? 'g' : 'b', h->variables, h->constraints, h->objectives, h->constraints,
                   h->objectives, h->nonlinear_variables, h->nonlinear_variables, h->nonlinear_variables,
                   form == NL_TEXT     ? 0
                   : form == NL_LITTLE ? 1
                                       : 2,
                   h->nonzeros, gradient_terms(tokens), h->defined);
  if (form != NL_TEXT) ad_buffer_puts(out, "\n");
  bool behind_key = false;
  for (const char *t = tokens + strspn(tokens, " "); *t;) {
    const size_t n = strcspn(t, " ");
    if (form == NL_TEXT)
      put_text(out, t, n, behind_key);
    else
      put_binary(out, form, t, n);
    behind_key = !strchr("#=~$'", *t);
    t += n + strspn(t + n, " ");
  }
  if (form == NL_TEXT) ad_buffer_puts(out, "\n");
  ck_assert(!out->failed);
}
