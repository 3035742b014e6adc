#include "nl/header.h"

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "nl/nl.h"

typedef struct field {
  int64_t *value;
  const char *what;
} field;

/* The first line: g or b, a number of options, those options; white space and a comment. */
static const char *options_end(const char *p, const char *end) {
  if (end - p < 3 || (p[0] != 'g' && p[0] != 'b') || p[1] < '0' || p[1] > '9') return NULL;
  const char *last = p;
  for (p++; p < end && ((*p >= '0' && *p <= '9') || strchr(" .eE+-", *p)) && *p; p++)
    if (*p != ' ') last = p + 1;
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
  return p < end && (*p == '\n' || *p == '#') ? last : NULL;
}

bool ad_nl_sniff(const void *bytes, size_t size) {
  const char *p = bytes, *end = p + size;
  p = options_end(p, end);
  if (p) p = memchr(p, '\n', (size_t)(end - p));
  return p && p + 1 < end && (p[1] == ' ' || (p[1] >= '0' && p[1] <= '9')); /* a line of counts follows */
}

static void first_line(ad_nl_scan *s, ad_nl_header *h) {
  static const char mark[] = "problem ";
  const char *p = s->p, *line = memchr(p, '\n', ad_nl_left(s)), *last = options_end(p, s->end);
  const size_t n = (size_t)(last - p) - 1;
  snprintf(h->options, sizeof h->options, "%.*s", (int)(n < sizeof h->options ? n : sizeof h->options - 1), p + 1);
  const char *comment = memchr(last, '#', (size_t)(line - last));
  while (comment && ++comment < line && *comment == ' ') continue;
  if (comment && (size_t)(line - comment) > sizeof mark - 1 && !memcmp(comment, mark, sizeof mark - 1)) {
    const char *name = comment + sizeof mark - 1;
    size_t length = 0;
    while (name + length < line && (unsigned char)name[length] > ' ' && length < AD_MAX_NAME) length++;
    memcpy(h->problem, name, length);
  }
  s->p = line + 1;
}

/* The numbers of one line; those behind `least` may be missing, and what is more is left unread. */
static ad_status counts(ad_nl_scan *s, const field *f, size_t count, size_t least) {
  const char *line = memchr(s->p, '\n', ad_nl_left(s)), *end = s->end;
  if (!line) {
    s->token = s->end;
    return ad_nl_fail(s, "the header has ten lines; the file ends too soon");
  }
  ad_status status = AD_OK;
  s->end = line;
  for (size_t i = 0; !status && i < count; i++) {
    int64_t lo = 0;
    const char *before = s->p;
    if (i >= least) {
      if (ad_nl_key(s) < 0) break;
      s->p = before;
    }
    status = ad_nl_integer(s, lo, INT32_MAX, f[i].what, f[i].value);
  }
  s->end = end;
  s->p = line + 1;
  return status;
}

/* Each takes bytes of its own further on: a name in C and r, a line of b, an O. */
static ad_status believable(ad_nl_scan *s, const ad_nl_header *h) {
  const uint64_t need[] = {(uint64_t)h->variables, (uint64_t)h->constraints, (uint64_t)h->objectives,
                           (uint64_t)h->defined};
  static const char *const what[] = {"variables", "constraints", "objectives", "defined variables"};
  for (size_t i = 0; i < sizeof need / sizeof need[0]; i++)
    if (need[i] > ad_nl_left(s)) {
      s->token = s->p;
      return ad_nl_fail(s, "the header speaks of %llu %s, more than the rest of the file can hold",
                        (unsigned long long)need[i], what[i]);
    }
  return AD_OK;
}

ad_status ad_nl_read_header(ad_nl_scan *s, ad_nl_header *h) {
  *h = (ad_nl_header){.jacobian_nonzeros = AD_NL_NOT_SAID, .gradient_nonzeros = AD_NL_NOT_SAID};
  const bool binary = *s->p == 'b';
  s->binary = false;
  first_line(s, h);
#define X(field, what) {&h->field, what},
  const field lines[][6] = {{AD_NL_SIZES(X)},     {AD_NL_NONLINEAR(X)}, {AD_NL_NETWORK(X)},
                            {AD_NL_VARIABLES(X)}, {AD_NL_OTHER(X)},     {AD_NL_DISCRETE(X)},
                            {AD_NL_NONZEROS(X)},  {AD_NL_NAMES(X)},     {AD_NL_COMMON(X)}};
#undef X
  static const size_t least[] = {3, 2, 0, 2, 2, 0, 0, 0, 0};
  ad_status status = AD_OK;
  for (size_t i = 0; !status && i < sizeof lines / sizeof lines[0]; i++) {
    size_t n = 0;
    while (n < 6 && lines[i][n].value) n++;
    status = counts(s, lines[i], n, least[i]);
  }
  h->defined = h->common_both + h->common_constraints + h->common_objectives + h->common_one_constraint +
               h->common_one_objective;
  if (!status) status = believable(s, h);
  if (!status && binary && h->arithmetic > AD_NL_BIG_ENDIAN) {
    s->token = s->source.text;
    status = ad_nl_fail(s, "arithmetic %lld is not IEEE's: only 1 (little-endian) and 2 (big-endian) can be read",
                        (long long)h->arithmetic);
  }
  s->binary = binary;
  s->swap = binary && (h->arithmetic == AD_NL_BIG_ENDIAN) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
  return status;
}
