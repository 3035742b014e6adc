/* CSV (RFC 4180): a line of column names, then a line of numbers a point. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "ir/number.h"
#include "table.h"

enum { LONGEST_NUMBER = 1 << 12, LONGEST_HEADER = 1 << 26 };

typedef struct csv {
  ad_stream s;
  size_t width; /* of the rows */
  size_t columns, capacity;
  size_t *column;             /* where in a row each column goes */
  uint64_t line;              /* that comes next, from 1 */
  uint64_t row;               /* that comes next, from 0 */
  uint64_t start, start_line; /* of the rows, in the file */
} csv;

static void close_csv(void *self) {
  csv *c = self;
  if (!c) return;
  ad_stream_close(&c->s);
  ad_free(c->column);
  ad_free(c);
}

static ad_status bad(const csv *c, uint64_t line, size_t column, ad_error *e, const char *message) {
  ad_status s = ad_fail(e, AD_EINPUT, "%s", message);
  ad_error_place(e, c->s.name, (int64_t)line, (int64_t)column);
  return s;
}

/* ---- Lines */

/* Looks ahead to the end of the line: *size without its end, *whole with it; *whole is 0 at the end of the file. */
static ad_status find_line(csv *c, size_t longest, size_t *size, size_t *whole, ad_error *e) {
  for (size_t seen = 0;;) {
    const size_t have = c->s.end - c->s.begin;
    const unsigned char *p = c->s.data ? c->s.data + c->s.begin : NULL;
    const unsigned char *end = have > seen ? memchr(p + seen, '\n', have - seen) : NULL;
    if (end || c->s.ended) {
      *size = end ? (size_t)(end - p) : have;
      *whole = *size + (end != NULL);
      if (*size && p[*size - 1] == '\r') --*size;
      return AD_OK;
    }
    if (have > longest) return bad(c, c->line, 0, e, "this line is too long for its columns");
    seen = have;
    ad_status s = ad_stream_ahead(&c->s, have ? 2 * have : 1, e);
    if (s) return s;
  }
}

static bool blank(const unsigned char *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r') return false;
  return true;
}

static size_t longest_line(const csv *c) {
  return c->columns < SIZE_MAX / LONGEST_NUMBER ? c->columns * LONGEST_NUMBER : SIZE_MAX;
}

/* The next row's line; *whole is 0 at the end of the file.  Blank lines may only stand at the end. */
static ad_status next_row(csv *c, size_t *size, size_t *whole, ad_error *e) {
  uint64_t first = 0;
  for (;;) {
    ad_status s = find_line(c, longest_line(c), size, whole, e);
    if (s || !*whole) return s;
    if (!blank(c->s.data + c->s.begin, *size)) break;
    if (!first) first = c->line;
    ad_stream_pass(&c->s, *whole);
    c->line++;
  }
  return first ? bad(c, first, 1, e, "this line is empty; each line has a number for each column") : AD_OK;
}

static ad_status take(void *self, ad_points_block *b, ad_error *e) {
  csv *c = self;
  size_t taken = 0;
  b->raw.size = 0;
  for (; taken < b->count;) {
    size_t size, whole;
    ad_status s = next_row(c, &size, &whole, e);
    if (s) return s;
    if (!whole) break;
    if (c->row >= b->first) {
      if (!taken++) b->mark = c->line;
      ad_buffer_put(&b->raw, c->s.data + c->s.begin, size);
      ad_buffer_put(&b->raw, "\n", 1);
      if (b->raw.failed) return ad_fail_memory(e);
    }
    ad_stream_pass(&c->s, whole);
    c->line++;
    c->row++;
  }
  b->count = taken;
  return AD_OK;
}

static ad_status count_rows(void *self, uint64_t *rows, ad_error *e) {
  csv *c = self;
  if (!c->s.regular)
    return ad_fail(e, AD_EUSAGE, "how many rows there are is only known at the end; give a file, not a pipe");
  csv copy = {.width = c->width, .columns = c->columns};
  ad_status s = ad_stream_open(&copy.s, c->s.path, e);
  uint64_t got;
  if (!s) s = ad_stream_read(&copy.s, NULL, c->start, &got, e);
  copy.line = c->start_line;
  *rows = 0;
  for (size_t size, whole = 1; !s && whole;) {
    s = next_row(&copy, &size, &whole, e);
    if (s || !whole) break;
    ad_stream_pass(&copy.s, whole);
    copy.line++;
    ++*rows;
  }
  ad_stream_close(&copy.s);
  return s;
}

/* ---- Numbers */

static bool word_is(const char *s, const char *word) {
  for (; *s && *word; s++, word++)
    if ((*s | 32) != *word) return false;
  return !*s && !*word;
}

/* text is its own, with a zero at its end. */
static bool read_number(const char *text, size_t n, double *v) {
  bool exact;
  if (ad_number_valid(text, n)) {
    *v = ad_number_round(text, AD_F64, &exact);
    return true;
  }
  if (strlen(text) != n) return false;
  const bool sign = *text == '-' || *text == '+'; /* NaN, Infinity and the like of other programs */
  if (word_is(text + sign, "nan"))
    *v = NAN;
  else if (word_is(text + sign, "inf") || word_is(text + sign, "infinity"))
    *v = *text == '-' ? -INFINITY : INFINITY;
  else
    return false;
  return true;
}

static bool padding(char x) {
  return x == ' ' || x == '\t';
}

static ad_status decode_line(const csv *c, uint64_t line, char *text, char *end, double *row, ad_error *e) {
  const char *start = text;
  size_t k = 0;
  for (bool more = true; more; k++) {
    char *comma = memchr(text, ',', (size_t)(end - text));
    char *stop = comma ? comma : end, *from = text;
    more = comma != NULL;
    while (from < stop && padding(*from)) from++;
    while (stop > from && padding(stop[-1])) stop--;
    if (stop - from >= 2 && *from == '"' && stop[-1] == '"') from++, stop--;
    *stop = '\0';
    if (k < c->columns) {
      const size_t n = (size_t)(stop - from);
      if (!n || !read_number(from, n, &row[c->column[k]])) {
        char message[200];
        if (n)
          snprintf(message, sizeof message, "'%.60s' is not a number", from);
        else
          snprintf(message, sizeof message, "there is no number; write nan for a value that is missing");
        return bad(c, line, (size_t)(from - start) + 1, e, message);
      }
    }
    text = comma ? comma + 1 : end;
  }
  if (k == c->columns) return AD_OK;
  char message[120];
  snprintf(message, sizeof message, "this line has %zu columns, the first line %zu", k, c->columns);
  return bad(c, line, 1, e, message);
}

static ad_status decode(void *self, ad_points_block *b, double *rows, ad_error *e) {
  const csv *c = self;
  ad_status s = AD_OK;
  char *text = b->raw.data;
  for (size_t r = 0; !s && r < b->count; r++) {
    char *end = memchr(text, '\n', b->raw.size - (size_t)(text - b->raw.data));
    s = decode_line(c, b->mark + r, text, end, rows + r * c->width, e);
    text = end + 1;
  }
  return s;
}

/* ---- Names */

/* x or x[0,1]: the input, and which of its elements (SIZE_MAX: the name of all). */
static ad_status find_column(const ad_graph *g, char *name, ad_node *n, size_t *element, ad_error *e) {
  *element = SIZE_MAX;
  char *bracket = strrchr(name, '[');
  if (!bracket || ad_graph_find_node(g, name) < ad_graph_input_count(g))
    return ad_table_input(n, g, name, "the column", e);
  *bracket = '\0';
  ad_status s = ad_table_input(n, g, name, "the column", e);
  if (s) return s;
  const ad_shape *shape = ad_graph_node_shape(g, *n);
  const char *p = bracket + 1;
  size_t at = 0;
  for (int d = 0; d < shape->rank; d++) {
    int64_t v = 0;
    while (padding(*p)) p++;
    const char *digits = p;
    for (; *p >= '0' && *p <= '9' && v < shape->dim[d]; p++) v = 10 * v + (*p - '0');
    if (p == digits || v >= shape->dim[d]) break;
    at = at * (size_t)shape->dim[d] + (size_t)v;
    while (padding(*p)) p++;
    if (d + 1 < shape->rank && *p == ',') p++;
    if (d + 1 == shape->rank && !strcmp(p, "]")) *element = at;
  }
  if (*element != SIZE_MAX) return AD_OK;
  char text[AD_SHAPE_TEXT];
  ad_shape_text(text, shape);
  return ad_fail(e, AD_EINPUT, "the column '%.200s[%.60s' is no element of the input, whose shape is %s", name,
                 bracket + 1, text);
}

typedef struct header {
  csv *c;
  const ad_graph *g;
  const size_t *first; /* of each input in a row */
  bool *seen;          /* elements of the row */
  bool *given;
} header;

static ad_status add_column(header *h, char *name, ad_error *e) {
  csv *c = h->c;
  ad_node n;
  size_t element;
  ad_status s = find_column(h->g, name, &n, &element, e);
  if (s) return s;
  const size_t size = h->first[n + 1] - h->first[n];
  if (element == SIZE_MAX && ad_graph_node_shape(h->g, n)->rank)
    return ad_fail(e, AD_EINPUT, "the input '%s' has %zu elements; name a column for each: '%s[...]'",
                   ad_graph_node_name(h->g, n), size, ad_graph_node_name(h->g, n));
  const size_t at = h->first[n] + (element == SIZE_MAX ? 0 : element);
  if (h->seen[at]) return ad_fail(e, AD_EINPUT, "the column '%.200s' is there twice", name);
  if (!ad_reserve(&c->column, &c->capacity, c->columns + 1, sizeof *c->column)) return ad_fail_memory(e);
  c->column[c->columns++] = at;
  h->seen[at] = h->given[n] = true;
  return AD_OK;
}

/* Cuts a field, of which quotes are taken off, out of the line; what is behind its comma, or NULL. */
static char *cut_field(char *p, char **name) {
  while (padding(*p)) p++;
  *name = p;
  if (*p == '"') {
    char *to = *name = p;
    for (p++; *p; p++) {
      if (*p == '"' && *++p != '"') break;
      *to++ = *p;
    }
    while (padding(*p)) p++;
    const bool more = *p == ',';
    *to = '\0';
    return more ? p + 1 : NULL;
  }
  char *comma = strchr(p, ','), *end = comma ? comma : p + strlen(p);
  while (end > p && padding(end[-1])) end--;
  *end = '\0';
  return comma ? comma + 1 : NULL;
}

static ad_status read_names(header *h, char *line, ad_error *e) {
  char *p = line;
  if (!strncmp(p, "\xEF\xBB\xBF", 3)) p += 3; /* a byte order mark */
  while (p) {
    char *name;
    const size_t column = (size_t)(p - line) + 1;
    p = cut_field(p, &name);
    ad_status s = add_column(h, name, e);
    if (s) {
      if (s == AD_EINPUT) ad_error_place(e, h->c->s.name, 1, (int64_t)column);
      return s;
    }
  }
  for (ad_node n = 0; n < ad_graph_input_count(h->g); n++)
    for (size_t i = h->first[n]; h->given[n] && i < h->first[n + 1]; i++)
      if (!h->seen[i]) {
        char message[AD_MAX_NAME + 100];
        snprintf(message, sizeof message, "element %zu of '%s' has no column", i - h->first[n],
                 ad_graph_node_name(h->g, n));
        return bad(h->c, 1, 0, e, message);
      }
  return AD_OK;
}

static ad_status read_header(csv *c, ad_points *p, const ad_graph *g, ad_error *e) {
  const size_t inputs = ad_graph_input_count(g);
  size_t *first = ad_calloc(inputs + 1, sizeof *first), size, whole;
  p->given = ad_calloc(inputs, sizeof *p->given);
  bool *seen = NULL;
  char *line = NULL;
  ad_status s = first && p->given ? find_line(c, LONGEST_HEADER, &size, &whole, e) : ad_fail_memory(e);
  for (ad_node n = 0; !s && n < inputs; n++) first[n + 1] = first[n] + (size_t)ad_shape_size(ad_graph_node_shape(g, n));
  if (!s && (!whole || memchr(c->s.data + c->s.begin, '\0', size)))
    s = bad(c, 1, 0, e, "this is no table of points: neither .npy nor .npz, nor CSV with a line of column names");
  if (!s) {
    c->width = first[inputs];
    seen = ad_calloc(c->width, sizeof *seen);
    line = ad_malloc(size + 1, 1);
    if (!seen || !line) s = ad_fail_memory(e);
  }
  if (!s) {
    memcpy(line, c->s.data + c->s.begin, size);
    line[size] = '\0';
    ad_stream_pass(&c->s, whole);
    c->line = c->start_line = 2;
    c->start = c->s.at;
    s = read_names(&(header){c, g, first, seen, p->given}, line, e);
  }
  ad_free(first);
  ad_free(seen);
  ad_free(line);
  return s;
}

ad_status ad_csv_points(ad_points *p, ad_stream *s, const ad_graph *g, ad_error *e) {
  csv *c = ad_calloc(1, sizeof *c);
  if (!c) {
    ad_stream_close(s);
    return ad_fail_memory(e);
  }
  c->s = *s;
  c->line = 1;
  ad_status status = read_header(c, p, g, e);
  if (status) {
    close_csv(c);
    return status;
  }
  p->self = c;
  p->take = take;
  p->decode = decode;
  p->count_rows = count_rows;
  p->close = close_csv;
  return AD_OK;
}
