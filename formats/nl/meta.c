#include "nl/meta.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "ir/graph.h"
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
      ad_buffer_printf(&b, "complements:%" PRId64 ":%" PRId64, v[i].infinite, v[i].complement);
      continue;
    }
    put_real(&b, v[i].low);
    ad_buffer_put(&b, ":", 1);
    put_real(&b, v[i].high);
  }
  return keep(g, key, &b, e);
}

/* In place: lines end in \n alone, the last one without it.  How many there are. */
static size_t split_lines(char *text) {
  char *to = text;
  size_t lines = 1;
  for (const char *from = text; *from; from++) {
    if (*from == '\r' && from[1] == '\n') continue;
    *to++ = *from == '\r' ? '\n' : *from;
  }
  while (to > text && to[-1] == '\n') to--;
  *to = '\0';
  for (const char *p = text; *p; p++) lines += *p == '\n';
  return *text ? lines : 0;
}

/* The names of STUB.col and STUB.row, a line each: the variables; the constraints, then perhaps the objectives. */
static ad_status keep_lines(ad_graph *g, char *text, const char *path, bool rows, ad_error *e) {
  const size_t con = ad_graph_find_output(g, "con");
  const bool constrained = con != SIZE_MAX;
  const size_t constraints = constrained ? (size_t)ad_graph_node_shape(g, ad_graph_output_node(g, con))->dim[0] : 0;
  const size_t least = rows ? constraints : (size_t)ad_graph_node_shape(g, 0)->dim[0];
  const size_t most = rows ? constraints + ad_graph_output_count(g) - constrained : least;
  const size_t lines = split_lines(text);
  if (lines < least || lines > most)
    return ad_graph_add_note(g, e, "%s has %zu names where the model has %zu %s; they are left out", path, lines,
                             lines < least ? least : most, rows ? "rows" : "variables");
  char *rest = text;
  if (rows)
    for (size_t i = 0; i < constraints && rest; i++) rest = strchr(rest + (i > 0), '\n');
  if (rows && constraints && rest) *rest++ = '\0';
  ad_error own;
  ad_status s = AD_OK;
  if (least) s = ad_graph_set_meta(g, rows ? AD_NL_META_NAMES "con" : AD_NL_META_NAMES "x", text, &own);
  if (!s && rows && rest && *rest) s = ad_graph_set_meta(g, AD_NL_META_NAMES "obj", rest, &own);
  if (s == AD_EINPUT) return ad_graph_add_note(g, e, "%s is not UTF-8; its names are left out", path);
  return s ? ad_fail_memory(e) : AD_OK;
}

static ad_status keep_names(ad_graph *g, const char *stub, size_t length, const char *extension, ad_error *e) {
  char *path = ad_malloc(length + 5, 1);
  void *bytes;
  size_t size;
  if (!path) return ad_fail_memory(e);
  sprintf(path, "%.*s%s", (int)length, stub, extension);
  ad_status s = ad_file_read_companion(&bytes, &size, path, ad_graph_limits(g)->max_bytes, e);
  if (!s && bytes && memchr(bytes, 0, size))
    s = ad_graph_add_note(g, e, "%s is no text; its names are left out", path);
  else if (!s && bytes)
    s = keep_lines(g, bytes, path, extension[1] == 'r', e);
  ad_free(bytes);
  ad_free(path);
  return s;
}

ad_status ad_nl_names(ad_graph *g, const char *path, ad_error *e) {
  const size_t n = strlen(path);
  if (n < 3 || strcmp(path + n - 3, ".nl") != 0) return AD_OK;
  ad_status s = keep_names(g, path, n - 3, ".col", e);
  return s ? s : keep_names(g, path, n - 3, ".row", e);
}

bool ad_nl_beside(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context) {
  const size_t n = strlen(path);
  (void)bytes, (void)size;
  if (n < 3 || strcmp(path + n - 3, ".nl") != 0) return true;
  ad_buffer b = {0};
  for (int rows = 0; rows < 2; rows++) {
    b.size = 0;
    ad_buffer_put(&b, path, n - 3);
    ad_buffer_puts(&b, rows ? ".row" : ".col");
    if (!b.failed) visit(context, b.data);
  }
  const bool done = !b.failed;
  ad_buffer_clear(&b);
  return done;
}
