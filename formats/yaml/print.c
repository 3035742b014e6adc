/* Texts, numbers and attributes as YAML. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "ir/number.h"
#include "yaml/write.h"

/* ---- Texts */

/* Decodes one character of UTF-8, which all texts of a graph are. */
static size_t decode(const char *s, uint32_t *c) {
  const unsigned char *u = (const unsigned char *)s;
  const size_t n = *u < 0x80 ? 1 : *u < 0xE0 ? 2 : *u < 0xF0 ? 3 : 4;
  *c = n < 2 ? *u : *u & (0x7Fu >> n);
  for (size_t i = 1; i < n; i++) *c = *c << 6 | (u[i] & 0x3Fu);
  return n;
}

/* What may stand in a YAML file as it is (YAML 1.1, 5.1), without what ends a line or turns the text's direction. */
static bool printable(uint32_t c) {
  const bool direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  return (c >= 0x20 && c < 0x7F) || (c >= 0xA0 && c < 0xD800 && c != 0x2028 && c != 0x2029 && !direction) ||
         (c >= 0xE000 && c < 0xFFFE && c != 0xFEFF) || c > 0xFFFF;
}

static bool plain(const char *s, bool flow) {
  if (!*s || strchr("?:,[]{}#&*!|>'\"%@`", *s) || *s == ' ' || !strcmp(s, "<<") ||
      (*s == '-' && (!s[1] || s[1] == ' ' || s[1] == '-')) || !strncmp(s, "...", 3))
    return false;
  uint32_t c;
  for (size_t n; *s; s += n) {
    n = decode(s, &c);
    if (!printable(c)) return false;
    if (c == ':' && (!s[1] || s[1] == ' ')) return false;
    if (c == ' ' && (!s[1] || s[1] == '#')) return false;
    if (flow && c < 0x80 && strchr(",[]{}:?", (int)c)) return false;
  }
  return true;
}

void ad_yaml_put_text(ad_buffer *b, const char *s, bool flow) {
  if (plain(s, flow)) {
    ad_buffer_puts(b, s);
    return;
  }
  ad_buffer_puts(b, "\"");
  uint32_t c;
  for (size_t n; *s; s += n) {
    n = decode(s, &c);
    if (c == '"' || c == '\\')
      ad_buffer_printf(b, "\\%c", (char)c);
    else if (c == '\n')
      ad_buffer_puts(b, "\\n");
    else if (printable(c))
      ad_buffer_put(b, s, n);
    else
      ad_buffer_printf(b, c < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)c);
  }
  ad_buffer_puts(b, "\"");
}

/* ---- Numbers */

/* The shortest decimal that reads back as the same float. */
static void short_float(char *buf, double v) {
  ad_number_short_text(buf, v);
  for (int digits = 1; digits <= 9 && strlen(buf) > 6; digits++) {
    char shorter[AD_NUMBER_TEXT];
    bool exact;
    snprintf(shorter, sizeof shorter, "%.*g", digits, v);
    for (char *s = shorter; *s; s++)
      if (*s == ',') *s = '.'; /* the locale's point */
    if (ad_number_round(shorter, AD_F32, &exact) != v) continue;
    memcpy(buf, shorter, sizeof shorter);
    return;
  }
}

/* Numbers that are rounded on their way in may as well be written short. */
static void put_number(ad_buffer *b, const ad_values *v, size_t i, ad_dtype dtype) {
  char buf[AD_NUMBER_TEXT];
  const char *text = ad_values_text(v, i);
  if (!text) {
    text = buf;
    if (dtype == AD_EXACT)
      ad_number_exact_text(buf, v->value[i]);
    else if (dtype == AD_F64)
      ad_number_short_text(buf, v->value[i]);
    else
      short_float(buf, v->value[i]);
  }
  ad_buffer_puts(b, text);
}

/* ---- Lists */

/* Writes a nested list entry by entry, in lines of readable length. */
typedef struct lister {
  ad_buffer *b;
  const ad_shape *shape;
  const ad_values *value; /* these, or */
  const int64_t *ints;    /* these */
  ad_dtype dtype;
  bool fold;
  size_t line; /* where the line starts in b */
} lister;

static void put_element(lister *l, size_t i) {
  if (l->value)
    put_number(l->b, l->value, i, l->dtype);
  else
    ad_buffer_printf(l->b, "%lld", (long long)l->ints[i]);
}

static void separate(lister *l) {
  enum { LINE = 100 };
  if (!l->fold || l->b->size - l->line < LINE) {
    ad_buffer_puts(l->b, ", ");
    return;
  }
  ad_buffer_puts(l->b, ",\n    ");
  l->line = l->b->size;
}

static size_t put_nested(lister *l, int axis, size_t at) {
  if (axis == l->shape->rank) {
    put_element(l, at);
    return at + 1;
  }
  ad_buffer_puts(l->b, "[");
  for (int64_t i = 0; i < l->shape->dim[axis] && !l->b->failed; i++) {
    if (i) separate(l);
    at = put_nested(l, axis + 1, at);
  }
  ad_buffer_puts(l->b, "]");
  return at;
}

void ad_yaml_put_attr(ad_buffer *b, const ad_attr *a, ad_attr_kind kind, bool fold) {
  lister l = {.b = b, .shape = &a->shape, .ints = a->value, .fold = fold, .line = b->size};
  char shape[AD_SHAPE_TEXT];
  if (kind == AD_ATTR_BOOL) {
    ad_buffer_puts(b, a->value[0] ? "yes" : "no");
  } else if (kind == AD_ATTR_INTS && a->shape.dim[0] == 1) {
    put_element(&l, 0);
  } else if (a->shape.rank > 1 && ad_shape_size(&a->shape) == 0) { /* a list would not say all sizes */
    ad_shape_text(shape, &a->shape);
    ad_buffer_printf(b, "{shape: %s, value: []}", shape);
  } else {
    put_nested(&l, 0, 0);
  }
}

/* ---- Literals */

void ad_yaml_put_literal(ad_yaml_writer *w, ad_node n) {
  static const char *const types[] = {"exact", "f64", "f32"};
  const ad_shape *s = ad_graph_node_shape(w->g, n);
  const ad_values v = ad_graph_node_values(w->g, n);
  const ad_dtype dtype = ad_graph_node_dtype(w->g, n);
  const bool input = n < ad_graph_input_count(w->g), fixed = input && ad_graph_input_fixed(w->g, n);
  const int64_t size = ad_shape_size(s);
  const bool fill = v.count == 1 && size != 1, empty = size == 0;
  if (!v.count && !s->rank && !fixed && dtype == AD_EXACT) return; /* `x:`, a scalar without a value */
  lister l = {.b = w->out, .shape = s, .value = &v, .dtype = dtype, .fold = true, .line = w->out->size};
  ad_buffer_puts(w->out, " ");
  bool own = true; /* `e: e` would speak of itself, and of a node called e elsewhere */
  if (!input && !s->rank && dtype == AD_EXACT)
    own = ad_yaml_fits_inside(w->g, n, &(const char *){NULL}, (char[AD_NUMBER_TEXT]){0});
  if (v.count && !fixed && dtype == AD_EXACT && !fill && !empty && own) {
    put_nested(&l, 0, 0);
    return;
  }
  const char *sep = "";
  ad_buffer_puts(w->out, "{");
  if (!v.count || fill || empty) {
    char shape[AD_SHAPE_TEXT];
    ad_shape_text(shape, s);
    ad_buffer_printf(w->out, "shape: %s", shape);
    sep = ", ";
  }
  if (fill) {
    ad_buffer_printf(w->out, "%sfill: ", sep);
    put_number(w->out, &v, 0, dtype);
    sep = ", ";
  } else if (v.count) {
    ad_buffer_printf(w->out, "%svalue: ", sep);
    put_nested(&l, 0, 0);
    sep = ", ";
  } else if (empty) {
    ad_buffer_printf(w->out, "%svalue: []", sep);
    sep = ", ";
  }
  if (dtype != AD_EXACT) ad_buffer_printf(w->out, "%sdtype: %s", sep, types[dtype]), sep = ", ";
  if (fixed) ad_buffer_printf(w->out, "%sdiff: no", sep);
  ad_buffer_puts(w->out, "}");
}
