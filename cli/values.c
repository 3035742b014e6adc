#include <math.h>
#include <mpfr.h>
#include <string.h>

#include "cli.h"
#include "error.h"
#include "exec/ball.h"
#include "file.h"
#include "npy/npy.h"

void put_number(ad_buffer *b, const ad_span *s, size_t i, unsigned digits) {
  if (proof_put(b, s, i)) return;
  char small[128];
  size_t n = ad_span_text(small, sizeof small, s, i, digits);
  if (n < sizeof small) {
    ad_buffer_puts(b, small);
    return;
  }
  char *large = ad_malloc(n + 1, 1);
  if (!large) {
    b->failed = true;
    return;
  }
  ad_span_text(large, n + 1, s, i, digits);
  ad_buffer_puts(b, large);
  ad_free(large);
}

int text_width(const char *s) {
  int n = 0;
  for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
  return n;
}

/* The number of a control character that ad_character refuses; U+FFFD for what is no UTF-8.  *n: its bytes. */
static unsigned refused(const char *s, size_t *n) {
  const unsigned char *u = (const unsigned char *)s;
  *n = 1;
  if (*u < 0x80) return *u;
  if (*u == 0xC2 && u[1] >= 0x80 && u[1] < 0xA0) return *n = 2, u[1];
  if (*u == 0xE2 && (u[1] == 0x80 || u[1] == 0x81) && (u[2] & 0xC0) == 0x80)
    return *n = 3, 0x2000u | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu);
  return 0xFFFD;
}

void put_json_string(ad_buffer *b, const char *s) {
  const char *end = s + strlen(s);
  ad_buffer_puts(b, "\"");
  for (size_t n; s < end; s += n) {
    n = ad_character(s, end);
    if (!n)
      ad_buffer_printf(b, "\\u%04x", refused(s, &n));
    else if (*s == '"' || *s == '\\')
      ad_buffer_printf(b, "\\%c", *s);
    else
      ad_buffer_put(b, s, n);
  }
  ad_buffer_puts(b, "\"");
}

void put_line(ad_buffer *b, const char *s, size_t most) {
  const char *end = s + strlen(s);
  for (size_t n, left = most; s < end && left; s += n) {
    n = ad_character(s, end);
    if (n > left) return;
    if (n)
      ad_buffer_put(b, s, n);
    else
      ad_buffer_puts(b, refused(s, &n) == '\n' || *s == '\t' ? " " : "?");
    left -= n < left ? n : left;
  }
}

void put_json_double(ad_buffer *b, double v) {
  char text[AD_NUMBER_TEXT];
  ad_number_short_text(text, v);
  ad_buffer_printf(b, isfinite(v) ? "%s" : "\"%s\"", text);
}

void put_json_number(ad_buffer *b, const ad_span *s, size_t i, unsigned digits) {
  if (s->kind == AD_KIND_F64 && !digits) {
    put_json_double(b, ad_span_double(s, i));
    return;
  }
  bool quoted = s->kind != AD_KIND_F64 || !isfinite(ad_span_double(s, i));
  if (quoted) ad_buffer_puts(b, "\"");
  put_number(b, s, i, digits);
  if (quoted) ad_buffer_puts(b, "\"");
}

static size_t put_json_axis(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits, int axis,
                            size_t at) {
  if (axis == shape->rank) {
    put_json_number(b, s, at, digits);
    return at + 1;
  }
  ad_buffer_puts(b, "[");
  for (int64_t i = 0; i < shape->dim[axis]; i++) {
    if (i) ad_buffer_puts(b, ", ");
    at = put_json_axis(b, s, shape, digits, axis + 1, at);
  }
  ad_buffer_puts(b, "]");
  return at;
}

void put_json_tensor(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits) {
  put_json_axis(b, s, shape, digits, 0, 0);
}

static size_t put_text_axis(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits, int indent,
                            int axis, size_t at) {
  if (axis == shape->rank) {
    put_number(b, s, at, digits);
    return at + 1;
  }
  bool lines = axis + 1 < shape->rank;
  ad_buffer_puts(b, "[");
  for (int64_t i = 0; i < shape->dim[axis]; i++) {
    if (i && lines)
      ad_buffer_printf(b, ",\n%*s", indent + axis + 1, "");
    else if (i)
      ad_buffer_puts(b, ", ");
    at = put_text_axis(b, s, shape, digits, indent, axis + 1, at);
  }
  ad_buffer_puts(b, "]");
  return at;
}

void put_text_tensor(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits, int indent) {
  put_text_axis(b, s, shape, digits, indent, 0, 0);
}

enum { SHOWN = 6 }; /* elements on one line */

static size_t put_short_axis(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits, int axis,
                             size_t at, bool *cut) {
  if (axis == shape->rank) {
    put_number(b, s, at, digits);
    return at + 1;
  }
  ad_buffer_puts(b, "[");
  int64_t i = 0;
  for (; i < shape->dim[axis] && i < SHOWN && at < SHOWN; i++) {
    if (i) ad_buffer_puts(b, ", ");
    at = put_short_axis(b, s, shape, digits, axis + 1, at, cut);
  }
  if (i < shape->dim[axis] && !*cut) {
    ad_buffer_printf(b, ", ... %zu in all", s->count);
    *cut = true;
  }
  ad_buffer_puts(b, "]");
  return at;
}

void put_short_tensor(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits) {
  bool cut = false;
  put_short_axis(b, s, shape, digits, 0, 0, &cut);
}

void put_csv_name(ad_buffer *b, const char *name) {
  if (!strpbrk(name, ",\"\n\r")) {
    ad_buffer_puts(b, name);
    return;
  }
  ad_buffer_puts(b, "\"");
  for (; *name; name++) {
    if (*name == '"') ad_buffer_puts(b, "\"");
    ad_buffer_put(b, name, 1);
  }
  ad_buffer_puts(b, "\"");
}

ad_span span_element(const ad_span *s, size_t i) {
  if (s->kind == AD_KIND_F64) return (ad_span){s->kind, 1, (const double *)s->data + i};
  if (s->kind == AD_KIND_BALL) return (ad_span){s->kind, 1, (const ad_ball *)s->data + i};
  return (ad_span){s->kind, 1, (const __mpfr_struct *)s->data + i};
}

void put_npy_span(ad_buffer *b, const ad_span *v, const ad_shape *shape) {
  double *numbers = ad_malloc(v->count, sizeof *numbers);
  if (!numbers) {
    b->failed = true;
    return;
  }
  for (size_t i = 0; i < v->count; i++) numbers[i] = ad_span_double(v, i);
  ad_npy_write(b, shape, numbers);
  ad_free(numbers);
}

void put_element_name(ad_buffer *b, const char *name, const ad_shape *shape, size_t element) {
  ad_buffer_puts(b, name);
  if (element != SIZE_MAX && shape->rank) put_element(b, shape, element);
}

int send(const options *o, ad_buffer *b) {
  ad_error e = {0};
  int status = 0;
  if (b->failed) {
    status = out_of_memory(o);
  } else if (o->out && strcmp(o->out, "-")) {
    if (ad_file_write(o->out, b->data, b->size, &e)) status = report(o, &e);
  } else if (b->size) {
    put_stdout(b->data, b->size);
  }
  ad_buffer_clear(b);
  return status;
}
