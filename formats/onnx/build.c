#include "onnx/build.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "ir/number.h"
#include "mem.h"

/* ---- Errors */

static void prefix(const ad_onnx_build *b, char *out, size_t size) {
  const Onnx__NodeProto *n = b->node;
  const char *name = n && n->name && *n->name ? n->name : n && n->n_output ? n->output[0] : "";
  out[0] = '\0';
  if (n && b->within)
    snprintf(out, size, "node '%.80s' (%.60s) in the function '%.80s': ", name, n->op_type ? n->op_type : "?",
             b->within);
  else if (n)
    snprintf(out, size, "node '%.80s' (%.60s): ", name, n->op_type ? n->op_type : "?");
}

static void fail_with(ad_onnx_build *b, const char *between, const char *format, va_list list) {
  char front[300], text[500];
  if (b->status) return;
  prefix(b, front, sizeof front);
  vsnprintf(text, sizeof text, format, list);
  b->status = ad_fail(b->e, AD_EINPUT, "%s%s%s", front, between, text);
}

void ad_onnx_fail(ad_onnx_build *b, const char *format, ...) {
  va_list list;
  va_start(list, format);
  fail_with(b, "", format, list);
  va_end(list);
}

void ad_onnx_refuse(ad_onnx_build *b, const char *format, ...) {
  va_list list;
  va_start(list, format);
  fail_with(b, "not supported: ", format, list);
  va_end(list);
}

void ad_onnx_check(ad_onnx_build *b, ad_status s) {
  char front[300], text[sizeof b->e->message];
  if (b->status || !s) return;
  b->status = s;
  prefix(b, front, sizeof front);
  snprintf(text, sizeof text, "%s", b->e->message);
  snprintf(b->e->message, sizeof b->e->message, "%s%.490s", front, text);
  ad_clean(b->e->message);
}

/* ---- Memory */

void ad_onnx_charge(ad_onnx_build *b, uint64_t count) {
  if (!b->status && count > b->budget)
    ad_onnx_check(b, ad_fail(b->e, AD_ELIMIT,
                             "too much would have to be computed when the model is loaded: tables and constant tensors "
                             "of more elements than the file has bytes, and %d",
                             AD_ONNX_MOST_ELEMENTS));
  if (!b->status) b->budget -= count;
}

void *ad_onnx_room(ad_onnx_build *b, uint64_t count, size_t size) {
  enum { OVERHEAD = 4 }; /* of each allocation, in elements */
  uint64_t elements;
  if (__builtin_mul_overflow(count, (size + 7) / 8, &elements) || elements > UINT64_MAX - OVERHEAD)
    elements = UINT64_MAX - OVERHEAD;
  ad_onnx_charge(b, elements + OVERHEAD);
  if (!b->status && elements + OVERHEAD > b->room)
    ad_onnx_check(b, ad_fail(b->e, AD_ELIMIT,
                             "what is computed when the model is loaded needs more memory than the limit of %llu MiB "
                             "(--max-memory)",
                             (unsigned long long)(ad_graph_limits(b->g)->max_bytes >> 20)));
  if (b->status) return NULL;
  b->room -= elements + OVERHEAD;
  void *p = ad_reserve(&b->owned, &b->owned_capacity, b->owned_count + 1, sizeof *b->owned)
                ? ad_calloc((size_t)count, size)
                : NULL;
  if (p)
    b->owned[b->owned_count++] = p;
  else
    ad_onnx_check(b, ad_fail_memory(b->e));
  return p;
}

/* ---- Types */

typedef struct type_row {
  const char *name;
  bool real, integer;
  int bits; /* of an integer; negative: signed */
} type_row;

static const type_row types[] = {
    {"undefined", false, false, 0},      {"float", true, false, 0},       {"uint8", false, true, 8},
    {"int8", false, true, -8},           {"uint16", false, true, 16},     {"int16", false, true, -16},
    {"int32", false, true, -32},         {"int64", false, true, -64},     {"string", false, false, 0},
    {"bool", false, false, 1},           {"float16", true, false, 0},     {"double", true, false, 0},
    {"uint32", false, true, 32},         {"uint64", false, true, 64},     {"complex64", false, false, 0},
    {"complex128", false, false, 0},     {"bfloat16", true, false, 0},    {"float8e4m3fn", false, false, 0},
    {"float8e4m3fnuz", false, false, 0}, {"float8e5m2", false, false, 0}, {"float8e5m2fnuz", false, false, 0},
    {"uint4", false, false, 0},          {"int4", false, false, 0},       {"float4e2m1", false, false, 0},
    {"float8e8m0", false, false, 0},     {"uint2", false, false, 0},      {"int2", false, false, 0},
};

static const type_row *row_of(int type) {
  return type >= 0 && type < (int)(sizeof types / sizeof types[0]) ? &types[type] : &types[0];
}

const char *ad_onnx_type_name(int type) {
  return row_of(type)->name;
}

bool ad_onnx_is_real(int type) {
  return row_of(type)->real;
}

bool ad_onnx_is_integer(int type) {
  return row_of(type)->integer;
}

void ad_onnx_type_range(int type, int64_t *lo, int64_t *hi) {
  const int bits = row_of(type)->bits;
  *lo = bits < 0 ? -1 - (int64_t)(UINT64_MAX >> (65 + bits)) : 0;
  *hi =
      bits < 0 ? (int64_t)(UINT64_MAX >> (65 + bits)) : (int64_t)((UINT64_MAX >> (64 - (bits ? bits : 1))) & INT64_MAX);
}

/* ---- Values */

static bool is_type(int type) {
  return ad_onnx_is_real(type) || ad_onnx_is_integer(type) || type == AD_ONNX_BOOL;
}

bool ad_onnx_shape_fits(ad_onnx_build *b, const ad_shape *shape) {
  const int64_t most = INT64_C(1) << 32;
  int64_t n = 1;
  if (shape->rank > AD_MAX_RANK) ad_onnx_refuse(b, "a tensor of rank %d; the limit is %d", shape->rank, AD_MAX_RANK);
  for (int i = 0; i < shape->rank && !b->status; i++) {
    const int64_t size = shape->dim[i];
    if (size < 0)
      ad_onnx_fail(b, "a tensor has a negative size");
    else if (__builtin_mul_overflow(n, size ? size : 1, &n) || n > most)
      ad_onnx_check(b, ad_fail(b->e, AD_ELIMIT, "too much: a tensor whose sizes have a product of more than %lld",
                               (long long)most));
  }
  return !b->status;
}

ad_onnx_value ad_onnx_known(ad_onnx_build *b, int type, const ad_shape *shape) {
  ad_onnx_value none = {0};
  if (b->status) return none;
  if (!is_type(type)) ad_onnx_refuse(b, "tensors of %s", ad_onnx_type_name(type));
  if (!ad_onnx_shape_fits(b, shape)) return none;
  const int64_t n = ad_shape_size(shape);
  ad_onnx_data *d = ad_onnx_room(b, (uint64_t)n + sizeof *d / sizeof d->v[0] + 1, sizeof d->v[0]);
  if (!d) return none;
  d->node = AD_NO_NODE;
  d->dtype = type == AD_ONNX_DOUBLE ? AD_F64 : ad_onnx_is_real(type) ? AD_F32 : AD_EXACT;
  return (ad_onnx_value){.type = type, .shape = *shape, .data = d, .node = AD_NO_NODE};
}

ad_onnx_value ad_onnx_known_reals(ad_onnx_build *b, int type, const ad_shape *shape) {
  if (!ad_onnx_is_real(type)) ad_onnx_refuse(b, "an operand of %s", ad_onnx_type_name(type));
  return ad_onnx_known(b, type, shape);
}

ad_onnx_value ad_onnx_float_number(ad_onnx_build *b, int type, double v) {
  ad_onnx_value r = ad_onnx_known(b, type, &(ad_shape){0});
  if (r.data) ad_onnx_set(&r, 0, v);
  return r;
}

ad_onnx_value ad_onnx_number(ad_onnx_build *b, int type, double v) {
  ad_onnx_value r = ad_onnx_float_number(b, type, v);
  if (r.data) r.data->dtype = AD_EXACT;
  return r;
}

ad_onnx_value ad_onnx_integers(ad_onnx_build *b, const int64_t *v, int64_t count) {
  ad_onnx_value r = ad_onnx_known(b, AD_ONNX_INT64, &(ad_shape){1, {count}});
  for (int64_t i = 0; r.data && i < count; i++) r.data->v[i].i = v[i];
  return r;
}

ad_onnx_value ad_onnx_full(ad_onnx_build *b, int type, const ad_shape *shape, double v) {
  const ad_numbers one = {.count = 1, .value = &v};
  ad_node n = AD_NO_NODE;
  if (!b->status) ad_onnx_check(b, ad_graph_constant(b->g, &n, shape, &one, AD_EXACT, b->e));
  return b->status ? (ad_onnx_value){0} : ad_onnx_node_value(type, shape, n);
}

ad_onnx_value ad_onnx_node_value(int type, const ad_shape *shape, ad_node n) {
  return (ad_onnx_value){.type = type, .shape = *shape, .node = n};
}

void ad_onnx_set(ad_onnx_value *v, int64_t i, double x) {
  if (ad_onnx_is_real(v->type))
    v->data->v[i].r = x;
  else
    v->data->v[i].i = (int64_t)x;
}

double ad_onnx_element_double(const ad_onnx_value *v, int64_t i) {
  return ad_onnx_is_real(v->type) ? v->data->v[i].r : (double)v->data->v[i].i;
}

ad_node ad_onnx_node(ad_onnx_build *b, const ad_onnx_value *v) {
  if (b->status) return 0;
  if (!v->data) return v->node;
  if (v->data->node != AD_NO_NODE) return v->data->node;
  const int64_t n = ad_shape_size(&v->shape);
  double *value = ad_malloc((size_t)n + 1, sizeof *value);
  if (!value) {
    ad_onnx_check(b, ad_fail_memory(b->e));
    return 0;
  }
  bool same = n > 0;
  for (int64_t i = 0; i < n; i++) {
    value[i] = ad_onnx_element_double(v, i);
    same = same && !memcmp(&value[i], &value[0], sizeof *value);
  }
  const ad_numbers numbers = {.count = same ? 1 : (size_t)n, .value = value};
  ad_onnx_check(b, ad_graph_constant(b->g, &v->data->node, &v->shape, &numbers, v->data->dtype, b->e));
  ad_free(value);
  return v->data->node;
}

void ad_onnx_need_known(ad_onnx_build *b, ad_onnx_value *v, const char *what) {
  if (b->status || v->data) return;
  if (v->tensor) {
    *v = ad_onnx_tensor(b, v->tensor);
    return;
  }
  const ad_node n = v->node;
  if (n < ad_graph_input_count(b->g))
    ad_onnx_refuse(b, "%s must be known when the model is loaded; give it by --bind '%s=...'", what,
                   ad_graph_node_name(b->g, n));
  else
    ad_onnx_refuse(b, "%s must be known when the model is loaded, but is computed from inputs", what);
}

/* ---- Names */

void ad_onnx_define(ad_onnx_build *b, ad_onnx_scope *s, const char *name, const ad_onnx_value *v) {
  uint32_t id;
  if (b->status || !*name) return;
  if (ad_names_find(&s->names, name, &id)) {
    ad_onnx_fail(b, "the value '%.80s' is made twice", name);
    return;
  }
  if (!ad_reserve(&s->value, &s->capacity, s->count + 1, sizeof *s->value) ||
      !ad_names_add(&s->names, name, (uint32_t)s->count)) {
    ad_onnx_check(b, ad_fail_memory(b->e));
    return;
  }
  s->value[s->count++] = *v;
}

const ad_onnx_value *ad_onnx_find(const ad_onnx_scope *s, const char *name) {
  uint32_t id;
  for (; s; s = s->outer)
    if (ad_names_find(&s->names, name, &id)) return &s->value[id];
  return NULL;
}

void ad_onnx_scope_clear(ad_onnx_scope *s) {
  ad_names_clear(&s->names);
  ad_free(s->value);
  *s = (ad_onnx_scope){0};
}
