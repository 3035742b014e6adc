#include "onnx/functions.h"

#include <string.h>

#include "error.h"
#include "onnx/order.h"
#include "onnx/scan.h"

/* ---- Fields that the definition of ONNX got after the one that adtool may be built with */

enum { NODE_OVERLOAD = 8, FUNCTION_DEFAULTS = 11, FUNCTION_OVERLOAD = 13 };

/* The content of an unknown field that has a length in front; 0 bytes for another. */
static const uint8_t *content(const ProtobufCMessageUnknownField *u, size_t *size) {
  size_t at = 0;
  *size = 0;
  if (u->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) return u->data;
  while (at < u->len && u->data[at] & 0x80) at++;
  if (at < u->len) *size = u->len - ++at;
  return u->data + at;
}

static const void *member(const ProtobufCMessage *m, unsigned offset) {
  return (const char *)m + offset;
}

static const char *later_text(ad_onnx_build *b, const ProtobufCMessage *m, unsigned field) {
  const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(m->descriptor, field);
  size_t size;
  if (f) {
    const char *text = *(char *const *)member(m, f->offset);
    return text ? text : "";
  }
  for (unsigned i = m->n_unknown_fields; i-- > 0;) {
    if (m->unknown_fields[i].tag != field) continue;
    const uint8_t *p = content(&m->unknown_fields[i], &size);
    char *text = ad_onnx_room(b, size + 1, 1);
    if (text && size) memcpy(text, p, size);
    return text ? text : "";
  }
  return "";
}

static void later_attributes(ad_onnx_build *b, ad_onnx_function *f) {
  const ProtobufCMessage *m = &f->proto->base;
  const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(m->descriptor, FUNCTION_DEFAULTS);
  if (known) {
    f->defaults = *(const size_t *)member(m, known->quantifier_offset);
    f->value = *(Onnx__AttributeProto *const *const *)member(m, known->offset);
    return;
  }
  f->value = f->unpacked = ad_onnx_room(b, m->n_unknown_fields + UINT64_C(1), sizeof *f->unpacked);
  for (unsigned i = 0; i < m->n_unknown_fields && !b->status; i++) {
    size_t size;
    if (m->unknown_fields[i].tag != FUNCTION_DEFAULTS) continue;
    const uint8_t *p = content(&m->unknown_fields[i], &size);
    ad_onnx_check(b, ad_onnx_scan(&onnx__attribute_proto__descriptor, p, size, b->e));
    Onnx__AttributeProto *a = b->status ? NULL : onnx__attribute_proto__unpack(b->memory, size, p);
    if (a)
      f->unpacked[f->defaults++] = a;
    else
      ad_onnx_fail(b, "a default attribute of the function '%.80s' is damaged", f->proto->name);
  }
}

/* ---- The table, by domain, name and overload */

static const char *key_of(ad_onnx_build *b, const char *domain, const char *name, const char *overload) {
  ad_buffer *k = &b->functions.key;
  k->size = 0;
  if (domain && strcmp(domain, "ai.onnx") != 0) ad_buffer_puts(k, domain);
  ad_buffer_puts(k, "\n");
  ad_buffer_puts(k, name ? name : "");
  ad_buffer_puts(k, "\n");
  ad_buffer_puts(k, overload);
  if (k->failed) ad_onnx_check(b, ad_fail_memory(b->e));
  return b->status ? "" : k->data;
}

void ad_onnx_functions_read(ad_onnx_build *b, const Onnx__ModelProto *m) {
  ad_onnx_functions *all = &b->functions;
  if (b->status || !m->n_functions) return;
  all->item = ad_onnx_room(b, m->n_functions, sizeof *all->item);
  for (size_t i = 0; i < m->n_functions && !b->status; i++) {
    const Onnx__FunctionProto *p = m->functions[i];
    ad_onnx_function *f = &all->item[all->count++];
    f->proto = p;
    ad_onnx_order(b, p->n_node, p->node);
    later_attributes(b, f);
    const char *key = key_of(b, p->domain, p->name, later_text(b, &p->base, FUNCTION_OVERLOAD));
    uint32_t id;
    if (b->status) return;
    if (!p->name || !*p->name || ad_names_find(&all->names, key, &id))
      ad_onnx_fail(b, "function %zu has no name of its own", i);
    else if (!ad_names_add(&all->names, key, (uint32_t)i))
      ad_onnx_check(b, ad_fail_memory(b->e));
  }
}

void ad_onnx_functions_clear(ad_onnx_build *b) {
  for (size_t i = 0; i < b->functions.count; i++) {
    ad_onnx_function *f = &b->functions.item[i];
    for (size_t k = 0; f->unpacked && k < f->defaults; k++)
      onnx__attribute_proto__free_unpacked(f->unpacked[k], b->memory);
  }
  ad_names_clear(&b->functions.names);
  ad_buffer_clear(&b->functions.key);
}

const ad_onnx_function *ad_onnx_function_of(ad_onnx_build *b, const Onnx__NodeProto *n) {
  uint32_t id;
  if (!b->functions.count || b->status) return NULL;
  const char *key = key_of(b, n->domain, n->op_type, later_text(b, &n->base, NODE_OVERLOAD));
  return !b->status && ad_names_find(&b->functions.names, key, &id) ? &b->functions.item[id] : NULL;
}

/* ---- Attributes */

static const Onnx__AttributeProto *find(size_t count, Onnx__AttributeProto *const *list, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (list[i]->name && !strcmp(list[i]->name, name)) return list[i];
  return NULL;
}

const Onnx__AttributeProto *ad_onnx_attribute(const ad_onnx_frame *frame, const Onnx__NodeProto *n, const char *name,
                                              bool *moved) {
  const Onnx__AttributeProto *a = find(n->n_attribute, n->attribute, name);
  *moved = false;
  for (; frame && a && a->ref_attr_name && *a->ref_attr_name; frame = frame->outer) {
    const char *wanted = a->ref_attr_name;
    *moved = true;
    a = find(frame->call->n_attribute, frame->call->attribute, wanted);
    if (!a) return find(frame->function->defaults, frame->function->value, wanted);
  }
  return a;
}

/* ---- Calls */

void ad_onnx_function_call(ad_onnx_build *b, ad_onnx_call *c, const ad_onnx_function *f) {
  const Onnx__FunctionProto *p = f->proto;
  const ad_onnx_frame frame = {c->scope->frame, c->node, f};
  ad_onnx_scope s = {.frame = &frame};
  const int opset = b->opset;
  const char *within = b->within;
  const Onnx__NodeProto *call = b->node;
  for (const ad_onnx_frame *o = c->scope->frame; o && !b->status; o = o->outer)
    if (o->function == f) ad_onnx_fail(b, "the function '%.80s' calls itself", p->name);
  if (c->inputs > p->n_input || c->outputs > p->n_output)
    ad_onnx_fail(b, "%zu operands and %zu results; the function has %zu and %zu", c->inputs, c->outputs, p->n_input,
                 p->n_output);
  for (size_t i = 0; i < p->n_input && !b->status; i++) {
    const ad_onnx_value none = {0};
    ad_onnx_define(b, &s, p->input[i], i < c->inputs ? &c->in[i] : &none);
  }
  if (p->n_opset_import) ad_onnx_versions(b, p->n_opset_import, p->opset_import);
  b->within = p->name;
  ad_onnx_run(b, &s, p->n_node, p->node);
  for (size_t i = 0; i < c->outputs && !b->status; i++) {
    const ad_onnx_value *v = ad_onnx_find(&s, p->output[i]);
    if (v)
      c->out[i] = *v;
    else if (ad_onnx_wanted(c, i))
      ad_onnx_fail(b, "the function's result '%.80s' is never computed", p->output[i]);
  }
  if (!b->status) b->node = call;
  b->within = within;
  b->opset = opset;
  ad_onnx_scope_clear(&s);
}
