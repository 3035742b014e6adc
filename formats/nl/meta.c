#include "nl/meta.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "ir/number.h"
#include "nl/nl.h"

const char *const ad_nl_suffix_of[4] = {"x", "con", "obj", "problem"};

/* The double, in hexadecimal: exact, and quickly written. */
static size_t hexadecimal(char *text, double v) {
  enum { MANTISSA = 52, BIAS = 1023 };
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  const int field = (int)(bits >> MANTISSA & 0x7FF);
  char *p = text;
  if (bits >> 63) *p++ = '-';
  memcpy(p, field ? "0x1." : "0x0.", 4);
  p += 4;
  for (int shift = MANTISSA - 4; shift >= 0; shift -= 4) *p++ = "0123456789abcdef"[bits >> shift & 15];
  while (p[-1] == '0') p--;
  return (size_t)(p - text) + (size_t)sprintf(p, "p%+d", field ? field - BIAS : 1 - BIAS);
}

/* A decimal where a plain one is the same double. */
static void put_real(ad_buffer *b, double v) {
  char text[AD_NUMBER_TEXT];
  size_t n = ad_number_plain_text(text, v);
  if (!n) n = isfinite(v) ? hexadecimal(text, v) : ad_number_short_text(text, v);
  ad_buffer_put(b, text, n);
}

void ad_nl_put_entry(ad_buffer *b, int64_t index, double v) {
  ad_buffer_printf(b, "%s%" PRId64 ":", b->size ? " " : "", index);
  put_real(b, v);
}

static ad_status keep(ad_graph *g, const char *key, ad_buffer *b, ad_error *e) {
  ad_status s = b->failed ? ad_fail_memory(e) : ad_graph_set_meta(g, key, b->data ? b->data : "", e);
  ad_buffer_clear(b);
  return s;
}

ad_status ad_nl_keep_header(ad_graph *g, const ad_nl_header *h, ad_error *e) {
  ad_buffer b = {0};
  ad_status s = ad_graph_set_meta(g, AD_NL_META_OPTIONS, h->options, e);
  if (s) return s;
#define X(field, what) ad_buffer_printf(&b, "%s" #field ":%" PRId64, b.size ? " " : "", h->field);
  AD_NL_KEPT(X);
#undef X
  return keep(g, AD_NL_META_SIZES, &b, e);
}

ad_status ad_nl_keep_bounds(ad_graph *g, const char *key, const ad_nl_bound *v, size_t count, ad_error *e) {
  ad_buffer b = {0};
  for (size_t i = 0; i < count; i++) {
    if (i) ad_buffer_put(&b, " ", 1);
    if (v[i].complement) {
      ad_buffer_printf(&b, "complements:%" PRId64 ":%" PRId64, v[i].finite, v[i].complement);
      continue;
    }
    put_real(&b, v[i].low);
    ad_buffer_put(&b, ":", 1);
    put_real(&b, v[i].high);
  }
  return keep(g, key, &b, e);
}

/* The names of STUB.col and STUB.row, a line each: the variables; the constraints, then the objectives. */
static ad_status keep_names(ad_graph *g, const char *stub, size_t length, const char *extension, ad_error *e) {
  const bool rows = extension[1] == 'r';
  char *path = ad_malloc(length + 5, 1), *line;
  void *bytes;
  size_t size;
  if (!path) return ad_fail_memory(e);
  sprintf(path, "%.*s%s", (int)length, stub, extension);
  ad_error none;
  ad_status s = ad_file_read(&bytes, &size, path, ad_graph_limits(g)->max_bytes, &none);
  ad_free(path);
  if (s) return s == AD_ENOMEM ? ad_fail_memory(e) : AD_OK; /* nobody needs them */
  const size_t con = ad_graph_find_output(g, "con");
  size_t left = rows ? con == SIZE_MAX ? 0 : (size_t)ad_graph_node_shape(g, ad_graph_output_node(g, con))->dim[0]
                     : (size_t)ad_graph_node_shape(g, 0)->dim[0];
  const char *key = rows ? left ? AD_NL_META_NAMES "con" : AD_NL_META_NAMES "obj" : AD_NL_META_NAMES "x";
  ad_buffer b = {0};
  bool text = !memchr(bytes, 0, size);
  for (line = bytes; !s && text && *line;) {
    const size_t n = strcspn(line, "\r\n");
    if (b.size) ad_buffer_put(&b, "\n", 1);
    ad_buffer_put(&b, line, n);
    line += n + strspn(line + n, "\r");
    line += *line == '\n';
    if (left && --left == 0) {
      s = keep(g, key, &b, e);
      key = AD_NL_META_NAMES "obj";
      if (!rows) break;
    }
  }
  if (!s && b.size) s = keep(g, key, &b, e);
  ad_buffer_clear(&b);
  ad_free(bytes);
  return s;
}

ad_status ad_nl_names(ad_graph *g, const char *path, ad_error *e) {
  const size_t n = strlen(path);
  if (n < 3 || strcmp(path + n - 3, ".nl") != 0) return AD_OK;
  ad_status s = keep_names(g, path, n - 3, ".col", e);
  return s ? s : keep_names(g, path, n - 3, ".row", e);
}
