/* From a graph to the columns of .adg. */
#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "adg/adg.h"
#include "adg/columns.h"
#include "adg/container.h"
#include "error.h"
#include "ir/graph.h"
#include "ir/ops.h"

typedef struct columns {
  const ad_graph *g;
  ad_buffer b[ADG_TAGS];
  ad_buffer doubles;              /* before they are split by byte */
  uint8_t place[AD_OP_COUNT + 1]; /* of each operation in OPTB */
  unsigned used;
} columns;

static void put_varint(ad_buffer *b, uint64_t v) {
  unsigned char text[10];
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) text[n++] = (unsigned char)(v | 0x80);
  text[n++] = (unsigned char)v;
  ad_buffer_put(b, text, n);
}

static void put_signed(ad_buffer *b, int64_t v) {
  put_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_string(ad_buffer *b, const char *s) {
  size_t n = strlen(s);
  put_varint(b, n);
  ad_buffer_put(b, s, n);
}

static void put_shape(ad_buffer *b, const ad_shape *s) {
  put_varint(b, (uint64_t)s->rank);
  for (int i = 0; i < s->rank; i++) put_varint(b, (uint64_t)s->dim[i]);
}

static void put_meta(columns *c) {
  ad_buffer *b = &c->b[ADG_META];
  ad_kinks k = ad_graph_kinks(c->g);
  size_t texts = 0;
  put_varint(b, ADG_OPERATION_SET);
  put_string(b, ad_graph_name(c->g));
  put_varint(b, (uint64_t)(k.abs_at_zero + 1));
  put_varint(b, (uint64_t)(2 * k.relu_at_zero));
  put_varint(b, (uint64_t)k.ties);
  put_varint(b, k.pow00_nan);
  for (size_t i = 0; i < ad_graph_meta_count(c->g); i++)
    texts += strncmp(ad_graph_meta_key(c->g, i), AD_META_SECTION, strlen(AD_META_SECTION)) != 0;
  put_varint(b, texts);
  for (size_t i = 0; i < ad_graph_meta_count(c->g); i++) {
    if (!strncmp(ad_graph_meta_key(c->g, i), AD_META_SECTION, strlen(AD_META_SECTION))) continue;
    put_string(b, ad_graph_meta_key(c->g, i));
    put_string(b, ad_graph_meta_text(c->g, i));
  }
}

/* A small integer by itself, anything else by where it stands. */
static void put_number(columns *c, double v, const char *text) {
  ad_buffer *b = &c->b[ADG_NUMB];
  if (text) {
    put_varint(b, ADG_NUMBER_TEXT);
    put_string(&c->b[ADG_TEXT], text);
  } else if (v == floor(v) && fabs(v) <= ADG_LARGEST_INTEGER && !(v == 0 && signbit(v))) {
    int64_t n = (int64_t)v;
    put_varint(b, ADG_NUMBER_INTEGER + ((uint64_t)n << 1 ^ (uint64_t)(n >> 63)));
  } else {
    if (isnan(v)) v = (double)NAN;
    put_varint(b, ADG_NUMBER_DOUBLE);
    ad_buffer_put(&c->doubles, &v, sizeof v);
  }
}

/* Type, shape and numbers of an input or a constant. */
static void put_literal(columns *c, ad_buffer *b, ad_node n, unsigned flags) {
  ad_values v = ad_graph_node_values(c->g, n);
  const ad_shape *s = ad_graph_node_shape(c->g, n);
  size_t size = (size_t)ad_shape_size(s);
  bool fill = v.count == 1 && size != 1;
  put_varint(b,
             (uint64_t)ad_graph_node_dtype(c->g, n) | (v.count ? ADG_HAS_VALUE : 0u) | (fill ? ADG_FILL : 0u) | flags);
  put_shape(b, s);
  for (size_t i = 0; i < v.count; i++) put_number(c, v.value[i], ad_values_text(&v, i));
}

static void put_attrs(columns *c, ad_node n, const ad_op_info *info) {
  ad_buffer *b = &c->b[ADG_ATTR];
  for (int i = 0; i < info->attr_count; i++) {
    ad_attr a = ad_graph_node_attr(c->g, n, i);
    put_varint(b, a.value != NULL);
    if (!a.value) continue;
    put_shape(b, &a.shape);
    int64_t size = ad_shape_size(&a.shape);
    for (int64_t k = 0; k < size; k++) put_signed(b, a.value[k]);
  }
}

static void put_nodes(columns *c) {
  const ad_graph *g = c->g;
  size_t count = ad_graph_node_count(g), inputs = ad_graph_input_count(g), named = 0;
  ad_node last = 0;
  put_varint(&c->b[ADG_NODE], count - inputs);
  for (ad_node n = (ad_node)inputs; n < count && !c->b[ADG_NODE].failed; n++) {
    ad_op op = ad_graph_node_op(g, n);
    const ad_op_info *info = ad_op_get(op);
    if (!c->place[op]) {
      c->place[op] = (uint8_t)++c->used;
      put_string(&c->b[ADG_OPTB], info->name);
    }
    const unsigned char code = (unsigned char)(c->place[op] - 1);
    ad_buffer_put(&c->b[ADG_NODE], &code, 1);
    if (op == AD_OP_CONSTANT) {
      put_literal(c, &c->b[ADG_CNST], n, 0);
      continue;
    }
    const ad_node *args;
    size_t nargs = ad_graph_node_args(g, n, &args);
    if (info->max_args == AD_VARIADIC) put_varint(&c->b[ADG_ATTR], nargs);
    for (size_t i = 0; i < nargs; i++) put_varint(&c->b[i ? ADG_ARGB : ADG_ARGA], n - args[i]);
    put_attrs(c, n, info);
  }
  for (ad_node n = (ad_node)inputs; n < count; n++) named += ad_graph_node_name(g, n) != NULL;
  put_varint(&c->b[ADG_NAME], named);
  for (ad_node n = (ad_node)inputs; n < count && named; n++) {
    const char *name = ad_graph_node_name(g, n);
    if (!name) continue;
    put_varint(&c->b[ADG_NAME], n - last);
    put_string(&c->b[ADG_NAME], name);
    last = n;
  }
}

static void put_ends(columns *c) {
  const ad_graph *g = c->g;
  put_varint(&c->b[ADG_INPT], ad_graph_input_count(g));
  for (ad_node n = 0; n < ad_graph_input_count(g); n++) {
    put_string(&c->b[ADG_INPT], ad_graph_node_name(g, n));
    put_literal(c, &c->b[ADG_INPT], n, ad_graph_input_fixed(g, n) ? ADG_FIXED : 0u);
  }
  put_varint(&c->b[ADG_OUTP], ad_graph_output_count(g));
  for (size_t i = 0; i < ad_graph_output_count(g); i++) {
    put_string(&c->b[ADG_OUTP], ad_graph_output_name(g, i));
    put_varint(&c->b[ADG_OUTP], ad_graph_output_node(g, i));
  }
}

/* All first bytes, then all second ones ...: like stands beside like. */
static void split_doubles(columns *c) {
  size_t n = c->doubles.size / 8;
  for (int k = 0; k < 8; k++)
    for (size_t i = 0; i < n; i++) {
      uint64_t bits;
      memcpy(&bits, c->doubles.data + 8 * i, sizeof bits);
      const unsigned char byte = (unsigned char)(bits >> (8 * k));
      ad_buffer_put(&c->b[ADG_DBLS], &byte, 1);
    }
}

/* Sections that another program wrote and this one keeps. */
static ad_status collect_extras(ad_adg_file *f, const ad_graph *g, ad_error *e) {
  size_t prefix = strlen(AD_META_SECTION), count = ad_graph_meta_count(g);
  f->extra = ad_calloc(count, sizeof *f->extra);
  if (!f->extra) return ad_fail_memory(e);
  for (size_t i = 0; i < count; i++) {
    const char *key = ad_graph_meta_key(g, i), *hex = ad_graph_meta_text(g, i);
    if (strncmp(key, AD_META_SECTION, prefix)) continue;
    const char *tag = key + prefix;
    ad_adg_extra *x = &f->extra[f->extra_count++];
    size_t n = strlen(hex) / 2;
    unsigned char *bytes = ad_malloc(n, 1);
    if (!bytes) return ad_fail_memory(e);
    memcpy(x->tag, tag, 4);
    for (size_t k = 0; k < n; k++) {
      unsigned v;
      sscanf(hex + 2 * k, "%2x", &v);
      bytes[k] = (unsigned char)v;
    }
    x->section = (ad_adg_section){.raw = bytes, .size = n, .owned = bytes};
  }
  return AD_OK;
}

ad_status ad_adg_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e) {
  columns *c = ad_calloc(1, sizeof *c);
  ad_adg_file f = {0};
  if (!c) return ad_fail_memory(e);
  c->g = g;
  put_meta(c);
  put_ends(c);
  put_nodes(c);
  split_doubles(c);
  ad_status s = c->doubles.failed ? ad_fail_memory(e) : AD_OK;
  for (int i = 0; i < ADG_TAGS; i++) {
    if (c->b[i].failed) s = ad_fail_memory(e);
    f.section[i] = (ad_adg_section){.raw = (const unsigned char *)c->b[i].data, .size = c->b[i].size};
  }
  if (!s) s = collect_extras(&f, g, e);
  if (!s) s = ad_adg_assemble(out, &f, o->stored, e);
  ad_adg_close(&f);
  for (int i = 0; i < ADG_TAGS; i++) ad_buffer_clear(&c->b[i]);
  ad_buffer_clear(&c->doubles);
  ad_free(c);
  return s;
}

ad_status ad_graph_hash(const ad_graph *g, char hex[65], ad_error *e) {
  AD_GIVEN(g && hex, e);
  ad_buffer b = {0};
  ad_status s = ad_adg_write(g, &b, &(ad_write_options){.stored = true}, e);
  if (!s) {
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&sha);
    sha256_update(&sha, b.size, (const uint8_t *)b.data);
    sha256_digest(&sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) sprintf(hex + 2 * i, "%02x", digest[i]);
  }
  ad_buffer_clear(&b);
  return s;
}
