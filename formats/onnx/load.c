/* From bytes to a graph. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "ir/graph.h"
#include "ir/number.h"
#include "mem.h"
#include "onnx/external.h"
#include "onnx/functions.h"
#include "onnx/onnx.h"
#include "onnx/order.h"
#include "onnx/scan.h"

/* What the versions 22 to 25 of the operators changed in operators.def are types that are allowed, and attributes. */
enum { NEWEST_OPSET = 25, NEWEST_IR = 13 };

/* ---- protobuf-c's memory */

/* data: a bool that becomes true when memory runs out. */
static void *take(void *data, size_t size) {
  void *p = ad_malloc(size, 1);
  if (!p) *(bool *)data = true;
  return p;
}

static void give(void *data, void *p) {
  (void)data;
  ad_free(p);
}

/* ---- Names */

static uint64_t fingerprint(const char *s) { /* FNV-1a */
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
  return h;
}

/* A name as a graph can have it: the model's, or its start in characters that are allowed, and a hash of all of it. */
static const char *own_name_with(const char *name, char *room, uint64_t hash) {
  enum { START = 200 };
  ad_error ignored;
  if (!*name || !ad_graph_check_name("", name, &ignored)) return name;
  const char *end = name + strlen(name);
  size_t n = 0;
  for (const char *s = name; *s;) {
    const size_t length = ad_character(s, end);
    const bool plain = length > 1 || (length && *s >= ' ' && *s <= '~' && *s != '`' && !(s == name && *s == '%'));
    if (n + (plain ? length : 1) > START) break;
    if (plain)
      memcpy(room + n, s, length), n += length;
    else
      room[n++] = '_';
    s += length ? length : 1;
  }
  snprintf(room + n, AD_MAX_NAME + 1 - n, "~%016llx", (unsigned long long)hash);
  return room;
}

static const char *usual_name(const char *name, char *room) {
  return own_name_with(name, room, fingerprint(name));
}

/* One that is free in the graph; it and the model's are noted where they differ. */
static const char *own_name(ad_onnx_build *b, const char *name, char *room) {
  uint64_t hash = fingerprint(name);
  const char *own = own_name_with(name, room, hash), *end = name + strlen(name);
  if (own == name) return own;
  while (ad_graph_find_node(b->g, own) != AD_NO_NODE || ad_graph_find_output(b->g, own) != SIZE_MAX)
    own = own_name_with(name, room, ++hash);
  ad_buffer_printf(&b->names, "%s ", own);
  for (const char *s = name; *s;) {
    const size_t length = *s >= ' ' && *s <= '~' ? 1 : ad_character(s, end);
    ad_buffer_put(&b->names, length ? s : "?", length ? length : 1);
    s += length ? length : 1;
  }
  ad_buffer_puts(&b->names, "\n");
  return own;
}

/* ---- Bindings */

static const ad_numbers *binding_of(ad_onnx_build *b, const char *name) {
  for (size_t i = 0; i < b->bindings; i++)
    if (b->binding[i].value && !strcmp(b->binding[i].name, name)) {
      b->bound[i] = true;
      return b->binding[i].value;
    }
  return NULL;
}

static const ad_shape *shape_given(const ad_onnx_build *b, const char *input) {
  for (size_t i = 0; i < b->bindings; i++)
    if (!b->binding[i].value && !strcmp(b->binding[i].name, input)) return b->binding[i].shape;
  return NULL;
}

static int64_t integer_of(double v) {
  return v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

typedef Onnx__TensorShapeProto__Dimension dimension;

static bool is_open(const dimension *d) {
  return d->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE || d->dim_value < 0;
}

/* "": none. */
static const char *name_of_size(const dimension *d) {
  return d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && d->dim_param ? d->dim_param : "";
}

static const Onnx__TensorShapeProto *shape_declared(const Onnx__ValueInfoProto *v) {
  const Onnx__TypeProto *t = v->type;
  return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && t->tensor_type ? t->tensor_type->shape : NULL;
}

/* What the shapes that are given say of a size with this name; -1: nothing. */
static int64_t size_given(ad_onnx_build *b, const Onnx__GraphProto *g, const char *name) {
  int64_t found = -1;
  for (size_t i = 0; i < g->n_input && *name && !b->status; i++) {
    char own[AD_MAX_NAME + 1];
    const Onnx__TensorShapeProto *s = shape_declared(g->input[i]);
    const ad_shape *given = g->input[i]->name ? shape_given(b, usual_name(g->input[i]->name, own)) : NULL;
    for (size_t k = 0; given && s && s->n_dim == (size_t)given->rank && k < s->n_dim; k++) {
      if (strcmp(name_of_size(s->dim[k]), name) != 0) continue;
      if (found >= 0 && found != given->dim[k])
        ad_onnx_fail(b, "the inputs given have different sizes '%.80s': %lld and %lld", name, (long long)found,
                     (long long)given->dim[k]);
      found = given->dim[k];
    }
  }
  return found;
}

/* A size: a number; or where it is open what is bound, what the shape given has, or 1. */
static int64_t size_of(ad_onnx_build *b, const Onnx__GraphProto *g, const dimension *d, const char *input, int axis,
                       int rank) {
  char place[AD_MAX_NAME + 16];
  if (!is_open(d)) return d->dim_value;
  b->open = true;
  snprintf(place, sizeof place, "%s[%d]", input, axis);
  const char *name = name_of_size(d);
  const ad_numbers *v = *name ? binding_of(b, name) : NULL;
  if (!v) v = binding_of(b, place), name = *name ? name : place;
  if (v && (v->count != 1 || v->value[0] < 0 || v->value[0] != (double)integer_of(v->value[0])))
    ad_onnx_fail(b, "the size '%.80s' must be bound to one integer that is not negative", name);
  if (v) return b->status ? 1 : integer_of(v->value[0]);
  const ad_shape *given = shape_given(b, input);
  const int64_t shared = size_given(b, g, name_of_size(d));
  return shared >= 0 ? shared : given && given->rank == rank ? given->dim[axis] : 1;
}

static const Onnx__TypeProto__Tensor *tensor_type(ad_onnx_build *b, const Onnx__ValueInfoProto *v) {
  const Onnx__TypeProto *t = v->type;
  if (t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && t->tensor_type) return t->tensor_type;
  const bool other = t && t->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET;
  if (other)
    ad_onnx_refuse(b, "'%.80s', which is no tensor: a sequence, a map or an optional value", v->name ? v->name : "");
  else
    ad_onnx_fail(b, "the input '%.80s' has no type", v->name ? v->name : "");
  return NULL;
}

/* ---- Inputs and weights */

static const Onnx__TensorProto *initializer_of(const Onnx__GraphProto *g, const ad_names *initial, const char *name) {
  uint32_t id;
  return ad_names_find(initial, name, &id) ? g->initializer[id] : NULL;
}

/* An input whose value is bound becomes known. */
static ad_onnx_value bound_input(ad_onnx_build *b, const char *name, int type, ad_shape shape, const ad_numbers *v) {
  if (shape.rank == 1 && ad_shape_size(&shape) != (int64_t)v->count) shape.dim[0] = (int64_t)v->count;
  const int64_t n = ad_shape_size(&shape);
  if (n != (int64_t)v->count && v->count != 1) {
    char text[AD_SHAPE_TEXT];
    ad_shape_text(text, &shape);
    ad_onnx_fail(b, "'%.80s' of shape %s is bound to %zu numbers", name, text, v->count);
  }
  ad_onnx_value r = ad_onnx_known(b, type, &shape);
  int64_t lo, hi;
  ad_onnx_type_range(type, &lo, &hi);
  for (int64_t i = 0; r.data && i < n; i++) {
    const double x = v->value[v->count == 1 ? 0 : i];
    const int64_t k = integer_of(x);
    if (ad_onnx_is_real(type))
      r.data->v[i].r = type == AD_ONNX_DOUBLE ? x : (double)(float)x;
    else if (x == (double)k && k >= lo && k <= hi)
      r.data->v[i].i = k;
    else
      ad_onnx_fail(b, "'%.80s' is bound to %g, which %s can't hold", name, x, ad_onnx_type_name(type));
  }
  return r;
}

/* spec: but for its name. */
static void add_input(ad_onnx_build *b, ad_onnx_scope *s, const char *name, ad_input_spec spec, int type,
                      const Onnx__TensorProto *tensor) {
  char own[AD_MAX_NAME + 1];
  ad_node n = AD_NO_NODE;
  if (b->status) return;
  spec.name = own_name(b, name, own);
  ad_onnx_check(b, ad_graph_input(b->g, &n, &spec, b->e));
  ad_onnx_value v = ad_onnx_node_value(type, &spec.shape, n);
  v.tensor = tensor;
  ad_onnx_define(b, s, name, &v);
}

static ad_dtype dtype_of(int type) {
  return type == AD_ONNX_DOUBLE ? AD_F64 : ad_onnx_is_real(type) ? AD_F32 : AD_EXACT;
}

static void read_input(ad_onnx_build *b, ad_onnx_scope *s, const Onnx__GraphProto *g, const Onnx__ValueInfoProto *v) {
  char room[AD_MAX_NAME + 1];
  const char *name = v->name ? v->name : "", *own = usual_name(name, room);
  const Onnx__TypeProto__Tensor *t = tensor_type(b, v);
  if (!t) return;
  ad_shape shape = {.rank =
                        t->shape ? (int32_t)(t->shape->n_dim <= AD_MAX_RANK ? t->shape->n_dim : AD_MAX_RANK + 1) : 0};
  const ad_shape *given = t->shape ? NULL : shape_given(b, own);
  if (given && given->rank <= AD_MAX_RANK) shape = *given;
  b->open = b->open || !t->shape;
  if (shape.rank > AD_MAX_RANK)
    ad_onnx_refuse(b, "the input '%.80s' of rank %zu; the limit is %d", name, t->shape->n_dim, AD_MAX_RANK);
  for (int i = 0; t->shape && i < shape.rank && !b->status; i++)
    shape.dim[i] = size_of(b, g, t->shape->dim[i], own, i, shape.rank);
  const int type = t->elem_type;
  if (!ad_onnx_is_real(type) && !ad_onnx_is_integer(type) && type != AD_ONNX_BOOL)
    ad_onnx_refuse(b, "the input '%.80s' of %s", name, ad_onnx_type_name(type));
  if (!b->status) ad_onnx_shape_fits(b, &shape);
  const ad_numbers *value = b->status ? NULL : binding_of(b, name);
  if (!value && !b->status) value = binding_of(b, own);
  if (value) {
    const ad_onnx_value known = bound_input(b, name, type, shape, value);
    ad_onnx_define(b, s, name, &known);
    return;
  }
  const ad_input_spec spec = {.shape = shape, .dtype = dtype_of(type), .fixed = !ad_onnx_is_real(type)};
  add_input(b, s, name, spec, type, NULL);
}

/* Which initializers are used as numbers, not only as sizes and the like: bodies count, whose names may be others. */
static void mark_weights(ad_onnx_build *b, const Onnx__GraphProto *g, const ad_names *initial, bool *weight) {
  uint32_t id;
  for (size_t i = 0; i < g->n_node; i++) {
    const Onnx__NodeProto *n = g->node[i];
    const ad_onnx_operator *row = n->op_type && !ad_onnx_function_of(b, n) ? ad_onnx_operator_find(n->op_type) : NULL;
    for (size_t k = 0; k < n->n_input; k++)
      if (!(row && k < 32 && row->constants >> k & 1) && ad_names_find(initial, n->input[k], &id)) weight[id] = true;
    for (size_t k = 0; k < n->n_attribute; k++)
      if (n->attribute[k]->g) mark_weights(b, n->attribute[k]->g, initial, weight);
  }
  for (size_t i = 0; i < g->n_output; i++)
    if (g->output[i]->name && ad_names_find(initial, g->output[i]->name, &id)) weight[id] = true;
}

static void read_weight(ad_onnx_build *b, ad_onnx_scope *s, const Onnx__TensorProto *t) {
  const ad_onnx_value v = ad_onnx_tensor(b, t);
  if (b->status) return;
  const ad_numbers numbers = {.count = (size_t)ad_shape_size(&v.shape), .value = &v.data->v[0].r};
  const ad_input_spec spec = {.shape = v.shape, .value = &numbers, .dtype = dtype_of(v.type)};
  add_input(b, s, t->name, spec, v.type, t);
  ad_free(b->owned[--b->owned_count]); /* the graph has them now */
  b->budget += numbers.count;
  b->room += numbers.count;
}

static void read_inputs(ad_onnx_build *b, ad_onnx_scope *s, const Onnx__GraphProto *g) {
  ad_names initial = {0};
  bool *weight = ad_calloc(g->n_initializer + 1, sizeof *weight);
  if (!weight) ad_onnx_check(b, ad_fail_memory(b->e));
  for (size_t i = 0; i < g->n_initializer && !b->status; i++) {
    const char *name = g->initializer[i]->name;
    uint32_t id;
    if (!name || !*name || ad_names_find(&initial, name, &id))
      ad_onnx_fail(b, "initializer %zu has no name of its own", i);
    else if (!ad_names_add(&initial, name, (uint32_t)i))
      ad_onnx_check(b, ad_fail_memory(b->e));
  }
  if (!b->status) mark_weights(b, g, &initial, weight);
  for (size_t i = 0; i < g->n_initializer && !b->status; i++) /* without elements there is nothing to differentiate */
    for (size_t k = 0; k < g->initializer[i]->n_dims; k++) weight[i] = weight[i] && g->initializer[i]->dims[k];
  for (size_t i = 0; i < g->n_input && !b->status; i++)
    if (!g->input[i]->name || !initializer_of(g, &initial, g->input[i]->name)) read_input(b, s, g, g->input[i]);
  for (size_t i = 0; i < g->n_initializer && !b->status; i++)
    if (weight[i] && ad_onnx_is_real(g->initializer[i]->data_type)) read_weight(b, s, g->initializer[i]);
  for (size_t i = 0; i < g->n_initializer && !b->status; i++)
    if (!weight[i] || !ad_onnx_is_real(g->initializer[i]->data_type)) {
      const ad_onnx_value v = ad_onnx_tensor(b, g->initializer[i]);
      ad_onnx_define(b, s, g->initializer[i]->name, &v);
    }
  ad_names_clear(&initial);
  ad_free(weight);
}

/* ---- The model */

static void put_sizes(char *text, size_t room, const Onnx__TensorShapeProto *s) {
  size_t used = (size_t)snprintf(text, room, "[");
  for (size_t i = 0; i < s->n_dim && used < room; i++) {
    const char *name = name_of_size(s->dim[i]);
    used +=
        (size_t)(is_open(s->dim[i])
                     ? snprintf(text + used, room - used, "%s%.20s", i ? ", " : "", *name ? name : "?")
                     : snprintf(text + used, room - used, "%s%lld", i ? ", " : "", (long long)s->dim[i]->dim_value));
  }
  if (used < room) snprintf(text + used, room - used, "]");
}

/* Where sizes are open, numbers that are declared may be those of other sizes. */
static void compare_shape(ad_onnx_build *b, const Onnx__ValueInfoProto *v, const ad_shape *have) {
  const Onnx__TensorShapeProto *s = shape_declared(v);
  if (b->status || !s) return;
  bool same = s->n_dim == (size_t)have->rank;
  for (size_t i = 0; same && !b->open && i < s->n_dim; i++)
    same = is_open(s->dim[i]) || s->dim[i]->dim_value == have->dim[i];
  if (same) return;
  char declared[200], text[AD_SHAPE_TEXT];
  put_sizes(declared, sizeof declared, s);
  ad_shape_text(text, have);
  ad_onnx_fail(b, "the output '%.80s' has the shape %s, but the model declares %s", v->name, text, declared);
}

static void read_outputs(ad_onnx_build *b, const ad_onnx_scope *s, const Onnx__GraphProto *g) {
  for (size_t i = 0; i < g->n_output && !b->status; i++) {
    const char *name = g->output[i]->name ? g->output[i]->name : "";
    char own[AD_MAX_NAME + 1];
    const ad_onnx_value *v = ad_onnx_find(s, name);
    if (!v)
      ad_onnx_fail(b, "the output '%.80s' is never computed", name);
    else
      compare_shape(b, g->output[i], &v->shape);
    const ad_node n = b->status ? 0 : ad_onnx_node(b, v);
    if (!b->status) ad_onnx_check(b, ad_graph_output(b->g, own_name(b, name, own), n, b->e));
  }
  if (!g->n_output) ad_onnx_fail(b, "the model has no outputs");
}

void ad_onnx_versions(ad_onnx_build *b, size_t count, Onnx__OperatorSetIdProto *const *imports) {
  b->opset = 1; /* as it was before there were numbers */
  for (size_t i = 0; i < count; i++) {
    const Onnx__OperatorSetIdProto *o = imports[i];
    if (o->domain && *o->domain && strcmp(o->domain, "ai.onnx") != 0) continue;
    if (o->version < 1 || o->version > NEWEST_OPSET)
      ad_onnx_refuse(b, "version %lld of the operators; adtool knows 1 to %d", (long long)o->version, NEWEST_OPSET);
    else
      b->opset = (int)o->version;
  }
}

static void put_meta(ad_onnx_build *b, const char *key, const char *text) {
  const char *end = text ? text + strlen(text) : NULL;
  for (const char *s = text; s && *s; s++)
    if (!ad_character(s, end) && ((unsigned char)*s & 0xC0) != 0x80) return;
  if (text && *text && !b->status) ad_onnx_check(b, ad_graph_set_meta(b->g, key, text, b->e));
}

static void read_model(ad_onnx_build *b, const Onnx__ModelProto *m) {
  ad_onnx_scope scope = {0};
  if (m->ir_version < 1 || m->ir_version > NEWEST_IR)
    ad_onnx_refuse(b, "version %lld of the file format; adtool knows 1 to %d", (long long)m->ir_version, NEWEST_IR);
  ad_onnx_versions(b, m->n_opset_import, m->opset_import);
  ad_onnx_functions_read(b, m);
  if (!m->graph) ad_onnx_fail(b, "the model has no graph");
  if (!b->status && m->graph->n_sparse_initializer) ad_onnx_refuse(b, "sparse initializers");
  put_meta(b, "onnx.producer", m->producer_name);
  if (!b->status) ad_onnx_order(b, m->graph->n_node, m->graph->node);
  if (!b->status) read_inputs(b, &scope, m->graph);
  if (!b->status) ad_onnx_run(b, &scope, m->graph->n_node, m->graph->node);
  if (!b->status) read_outputs(b, &scope, m->graph);
  if (b->names.failed) ad_onnx_check(b, ad_fail_memory(b->e));
  if (b->names.size && !b->status) ad_onnx_check(b, ad_graph_set_meta(b->g, "onnx.names", b->names.data, b->e));
  for (size_t i = 0; i < b->bindings && !b->status; i++)
    if (!b->bound[i] && b->binding[i].value) {
      ad_onnx_fail(b, "the model has no size and no input '%.80s' to bind", b->binding[i].name);
      b->status = AD_EUSAGE;
      b->e->code = AD_EUSAGE;
    }
  ad_onnx_scope_clear(&scope);
}

ad_status ad_onnx_read(ad_graph **g, const void *bytes, size_t size, const char *file, size_t count,
                       const ad_binding *bindings, const ad_limits *limits, ad_error *e) {
  bool out_of_memory = false;
  ProtobufCAllocator a = {take, give, &out_of_memory};
  ad_error own;
  ad_onnx_build b = {.e = e ? e : &own, .bindings = count, .binding = bindings, .files = {.model = file}, .memory = &a};
  ad_status s = ad_onnx_scan(&onnx__model_proto__descriptor, bytes, size, b.e);
  if (s) return s;
  b.budget = (uint64_t)size + AD_ONNX_MOST_ELEMENTS;
  b.room = ad_limits_resolve(limits).max_bytes / sizeof(ad_onnx_element);
  b.steps = AD_ONNX_MOST_STEPS;
  Onnx__ModelProto *m = onnx__model_proto__unpack(&a, size, bytes);
  if (!m && out_of_memory) return ad_fail_memory(e);
  if (!m) return ad_fail(e, AD_EINPUT, "this is no ONNX model, or a damaged one: protobuf-c can't unpack it");
  b.bound = ad_calloc(count + 1, sizeof *b.bound);
  if (!b.bound) ad_onnx_check(&b, ad_fail_memory(b.e));
  ad_onnx_check(&b, ad_graph_new(&b.g, limits, b.e));
  if (!b.status) read_model(&b, m);
  ad_buffer_clear(&b.names);
  ad_onnx_external_close(&b);
  ad_names_clear(&b.files.seen);
  ad_onnx_functions_clear(&b);
  onnx__model_proto__free_unpacked(m, &a);
  for (size_t i = 0; i < b.owned_count; i++) ad_free(b.owned[i]);
  ad_free(b.owned);
  ad_free(b.bound);
  if (b.status)
    ad_graph_free(b.g);
  else
    *g = b.g;
  return b.status;
}
