/* Names on the command line.  One that has a character in it that would end it stands in backquotes, as in an
 * expression; no name has a backquote itself. */
#include <string.h>

#include "cli.h"

static int copy_name(const options *o, const char *option, char *name, const char *first, size_t n) {
  if (n > AD_MAX_NAME)
    return usage_error(o, "--%s: a name has at most %d bytes, not %zu: '%.40s...'", option, AD_MAX_NAME, n, first);
  memcpy(name, first, n);
  name[n] = '\0';
  return 0;
}

int name_read(const options *o, const char *option, const char **text, const char *stop, char *name) {
  const char *first = *text + strspn(*text, " "), *end = first, *p;
  if (*first == '`') {
    first++;
    end = strchr(first, '`');
    if (!end) return usage_error(o, "--%s: the backquote in '%s' has no second one", option, *text);
    p = end + 1 + strspn(end + 1, " ");
  } else {
    p = end = first + strcspn(first, stop);
    while (end > first && end[-1] == ' ') end--;
  }
  if (end == first)
    return usage_error(o, *first ? "--%s: a name is missing before '%s'" : "--%s: a name is missing", option, first);
  *text = p;
  return copy_name(o, option, name, first, (size_t)(end - first));
}

int name_of_list(const options *o, const char *option, const char **text, char *name) {
  const int status = name_read(o, option, text, ",", name);
  if (status || !**text || **text == ',') return status;
  return usage_error(o, "--%s: '%s' stands behind the name '%s' where a comma would", option, *text, name);
}

int assignment_read(const options *o, const char *option, const char *text, assignment *a) {
  const char *p = text;
  const int status = name_read(o, option, &p, "=", a->name);
  if (status) return status;
  if (*p != '=') return usage_error(o, "--%s wants NAME=VALUE, not '%s'", option, text);
  a->value = p + 1;
  if (!a->value[strspn(a->value, " ")]) return usage_error(o, "--%s %s has no value after the =", option, text);
  return 0;
}

/* How much of a list is one NAME or NAME[i,j]: a comma between brackets is part of it. */
static size_t element_length(const char *p) {
  size_t n = 0;
  for (bool inside = false; p[n] && (inside || p[n] != ','); n++) inside = p[n] == '[' || (inside && p[n] != ']');
  return n;
}

int element_read(const options *o, const char *option, const char **text, bool list, element_text *e) {
  const char *p = *text;
  char name[AD_MAX_NAME + 1];
  int status = name_read(o, option, &p, list ? ",[" : "[", name); /* at least; a plain one may have brackets in it */
  if (status) return status;
  const bool quoted = (*text)[strspn(*text, " ")] == '`';
  const size_t behind = list ? element_length(p) : strlen(p), n = (size_t)(p - *text) + behind;
  if (n >= sizeof e->text) return usage_error(o, "--%s: '%.40s...' is too long for a name and an index", option, *text);
  memcpy(e->text, *text, n);
  e->text[n] = '\0';
  *text += n;
  if (quoted) {
    if (*p && *p != '[' && behind)
      return usage_error(o, "--%s %s: behind the name in backquotes only an index may stand", option, e->text);
    e->whole[0] = '\0';
    strcpy(e->name, name);
    e->index = behind ? e->text + n - behind + 1 : NULL;
    return 0;
  }
  const char *first = e->text + strspn(e->text, " "), *bracket = strrchr(first, '[');
  size_t length = strlen(first);
  while (length && first[length - 1] == ' ') length--;
  status = copy_name(o, option, e->whole, first, length);
  if (status) return status;
  e->index = bracket ? bracket + 1 : NULL;
  return copy_name(o, option, e->name, first, bracket ? (size_t)(bracket - first) : length);
}

void put_word(ad_buffer *b, const char *name) {
  const bool plain = !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/:%+")];
  if (!plain) ad_buffer_puts(b, "'");
  put_name(b, name);
  if (!plain) ad_buffer_puts(b, "'");
}

void put_name(ad_buffer *b, const char *name) {
  const size_t n = strlen(name);
  const bool quoted = strpbrk(name, "=,[") || *name == ' ' || (n && name[n - 1] == ' ');
  ad_buffer_printf(b, quoted ? "`%s`" : "%s", name);
}
