#include "onnx/operators.h"

#include <string.h>

#include "error.h"
#include "onnx/functions.h"

static const ad_onnx_operator operators[] = {
#define OPERATOR(name, min, max, outputs, constants, attributes, lower, op) \
  {name, min, max, outputs, constants, attributes, ad_onnx_lower_##lower, op},
#include "onnx/operators.def"
};

size_t ad_onnx_operator_count(void) {
  return sizeof operators / sizeof operators[0];
}

const ad_onnx_operator *ad_onnx_operator_get(size_t i) {
  return &operators[i];
}

const ad_onnx_operator *ad_onnx_operator_find(const char *name) {
  for (size_t i = 0; i < ad_onnx_operator_count(); i++)
    if (!strcmp(operators[i].name, name)) return &operators[i];
  return NULL;
}

/* ---- Operands */

bool ad_onnx_wanted(const ad_onnx_call *c, size_t i) {
  return i < c->outputs && c->node->output[i][0];
}

const int64_t *ad_onnx_operand_ints(ad_onnx_build *b, ad_onnx_call *c, size_t i, const char *what, int64_t *count) {
  static const int64_t nothing;
  *count = 0;
  if (!b->status && !ad_onnx_given(c, i)) ad_onnx_fail(b, "operand %zu, %s, is missing", i, what);
  ad_onnx_need_known(b, &c->in[i], what);
  if (!b->status && ad_onnx_is_real(c->in[i].type)) ad_onnx_fail(b, "%s must be integers", what);
  if (b->status) return NULL;
  *count = ad_shape_size(&c->in[i].shape);
  return *count ? &c->in[i].data->v[0].i : &nothing;
}

int64_t ad_onnx_operand_int(ad_onnx_build *b, ad_onnx_call *c, size_t i, const char *what) {
  int64_t count;
  const int64_t *v = ad_onnx_operand_ints(b, c, i, what, &count);
  if (v && count != 1) ad_onnx_fail(b, "%s must be one integer", what);
  return b->status ? 0 : v[0];
}

void ad_onnx_need_rank(ad_onnx_build *b, const ad_onnx_call *c, size_t i, int least) {
  if (!b->status && c->in[i].shape.rank < least)
    ad_onnx_fail(b, "operand %zu has rank %d, and must have %d at least", i, c->in[i].shape.rank, least);
}

/* ---- Attributes */

static const Onnx__AttributeProto *attribute(const ad_onnx_call *c, const char *name) {
  bool moved;
  return ad_onnx_attribute(c->scope->frame, c->node, name, &moved);
}

bool ad_onnx_has(const ad_onnx_call *c, const char *name) {
  return attribute(c, name) != NULL;
}

static void mistyped(ad_onnx_build *b, const char *name, const char *type) {
  ad_onnx_fail(b, "the attribute '%s' must be %s", name, type);
}

int64_t ad_onnx_int(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t missing) {
  const Onnx__AttributeProto *a = attribute(c, name);
  if (a && !a->has_i) mistyped(b, name, "an integer");
  return a && !b->status ? a->i : missing;
}

double ad_onnx_float(ad_onnx_build *b, const ad_onnx_call *c, const char *name, double missing) {
  const Onnx__AttributeProto *a = attribute(c, name);
  if (a && !a->has_f) mistyped(b, name, "a float");
  return a && !b->status ? (double)a->f : missing;
}

const int64_t *ad_onnx_ints(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t *count) {
  static const int64_t nothing;
  const Onnx__AttributeProto *a = attribute(c, name);
  *count = 0;
  if (a && (a->has_i || a->has_f || a->n_floats)) mistyped(b, name, "a list of integers");
  if (!a || b->status) return NULL;
  *count = (int64_t)a->n_ints;
  return a->n_ints ? a->ints : &nothing;
}

void ad_onnx_list(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t *to, int count, int64_t missing) {
  const int64_t most = INT64_C(1) << 30;
  int64_t have;
  const int64_t *v = ad_onnx_ints(b, c, name, &have);
  if (v && have != count) ad_onnx_fail(b, "the attribute '%s' has %lld numbers, not %d", name, (long long)have, count);
  for (int i = 0; i < count && !b->status; i++) {
    to[i] = v ? v[i] : missing;
    if (to[i] < missing || to[i] > most)
      ad_onnx_fail(b, "%lld in the attribute '%s' is out of range", (long long)to[i], name);
  }
}

const float *ad_onnx_floats(ad_onnx_build *b, const ad_onnx_call *c, const char *name, int64_t *count) {
  const Onnx__AttributeProto *a = attribute(c, name);
  *count = 0;
  if (a && (a->has_i || a->has_f || a->n_ints)) mistyped(b, name, "a list of floats");
  if (!a || b->status || !a->n_floats) return NULL;
  *count = (int64_t)a->n_floats;
  return a->floats;
}

static const char *word(ad_onnx_build *b, const ProtobufCBinaryData *s) {
  char *text = ad_onnx_room(b, s->len + 1, 1);
  if (text && s->len) memcpy(text, s->data, s->len);
  return text ? text : "";
}

const char *ad_onnx_word(ad_onnx_build *b, const ad_onnx_call *c, const char *name, const char *missing) {
  const Onnx__AttributeProto *a = attribute(c, name);
  if (a && !a->has_s) mistyped(b, name, "a text");
  return a && !b->status ? word(b, &a->s) : missing;
}

const char *ad_onnx_word_at(ad_onnx_build *b, const ad_onnx_call *c, const char *name, size_t i) {
  const Onnx__AttributeProto *a = attribute(c, name);
  return a && !b->status && i < a->n_strings ? word(b, &a->strings[i]) : NULL;
}

const Onnx__TensorProto *ad_onnx_tensor_of(ad_onnx_build *b, const ad_onnx_call *c, const char *name) {
  const Onnx__AttributeProto *a = attribute(c, name);
  if (a && !a->t) mistyped(b, name, "a tensor");
  return a ? a->t : NULL;
}

const Onnx__GraphProto *ad_onnx_graph_of(ad_onnx_build *b, const ad_onnx_call *c, const char *name) {
  bool moved;
  const Onnx__AttributeProto *a = ad_onnx_attribute(c->scope->frame, c->node, name, &moved);
  if (!a || !a->g) mistyped(b, name, "a graph");
  if (moved) ad_onnx_refuse(b, "a graph that is an attribute of a function"); /* its names are the caller's */
  return a ? a->g : NULL;
}

int ad_onnx_axis(ad_onnx_build *b, int64_t axis, int rank) {
  if (b->status) return 0;
  if (axis < -rank || axis >= rank) {
    ad_onnx_fail(b, "axis %lld is out of range for rank %d", (long long)axis, rank);
    return 0;
  }
  return (int)(axis < 0 ? axis + rank : axis);
}

unsigned ad_onnx_axes(ad_onnx_build *b, const int64_t *axes, int64_t count, int rank) {
  unsigned mask = 0;
  for (int64_t i = 0; i < count && !b->status; i++) {
    const unsigned bit = 1u << ad_onnx_axis(b, axes[i], rank);
    if (mask & bit) ad_onnx_fail(b, "axis %lld is given twice", (long long)axes[i]);
    mask |= bit;
  }
  return mask;
}

/* ---- Nodes */

/* Whether a word is in a list with blanks between. */
static bool listed(const char *list, const char *name) {
  const size_t n = strlen(name);
  for (const char *p = strstr(list, name); n && p; p = strstr(p + 1, name))
    if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' ')) return true;
  return false;
}

static const ad_onnx_operator *row_of(ad_onnx_build *b, const ad_onnx_scope *s, const Onnx__NodeProto *n) {
  const char *domain = n->domain ? n->domain : "", *type = n->op_type ? n->op_type : "";
  const bool own = !*domain || !strcmp(domain, "ai.onnx");
  const ad_onnx_operator *row = own ? ad_onnx_operator_find(type) : NULL;
  if (!row) {
    if (own)
      ad_onnx_refuse(b, "the operator %.60s", type);
    else
      ad_onnx_refuse(b, "the operator %.60s of the domain %.60s", type, domain);
    return NULL;
  }
  if (n->n_input < row->min || n->n_input > row->max || n->n_output < 1)
    ad_onnx_fail(b, "%zu operands and %zu results", n->n_input, n->n_output);
  else if (n->n_output > row->outputs)
    ad_onnx_refuse(b, "%zu results", n->n_output);
  for (size_t i = 0; i < n->n_attribute; i++) {
    const char *name = n->attribute[i]->name ? n->attribute[i]->name : "";
    if (!listed(row->attributes, name)) ad_onnx_refuse(b, "the attribute '%.60s'", name);
    if (!s->frame && n->attribute[i]->ref_attr_name && *n->attribute[i]->ref_attr_name)
      ad_onnx_fail(b, "the attribute '%.60s' refers to that of a function, but stands in none", name);
  }
  return row;
}

/* A result's name goes to its node where it is a good one and free; those in functions are left to the callers'. */
static void name_node(ad_onnx_build *b, const ad_onnx_scope *s, const char *name, const ad_onnx_value *v) {
  ad_error ignored;
  if (v->data || b->status || s->frame || ad_graph_node_name(b->g, v->node)) return;
  if (ad_graph_set_node_name(b->g, v->node, name, &ignored) == AD_ENOMEM) ad_onnx_check(b, ad_fail_memory(b->e));
}

static void lower_node(ad_onnx_build *b, ad_onnx_scope *s, const Onnx__NodeProto *n) {
  ad_onnx_value few[2 * AD_ONNX_OPERANDS] = {{0}}, *room = few;
  const ad_onnx_function *f = ad_onnx_function_of(b, n);
  const ad_onnx_operator *row = f || b->status ? NULL : row_of(b, s, n);
  const size_t least = row ? row->min : 0;
  if (b->status) return;
  const size_t in = n->n_input > AD_ONNX_OPERANDS ? n->n_input : AD_ONNX_OPERANDS;
  const size_t out = n->n_output > AD_ONNX_OPERANDS ? n->n_output : AD_ONNX_OPERANDS;
  if (in + out > 2 * AD_ONNX_OPERANDS) room = ad_onnx_room(b, in + out, sizeof *room);
  if (!room) return;
  ad_onnx_call c = {n, row, s, n->n_input, n->n_output, room, room + in};
  for (size_t i = 0; i < n->n_input; i++) {
    const ad_onnx_value *v = n->input[i][0] ? ad_onnx_find(s, n->input[i]) : NULL;
    if (v) c.in[i] = *v;
    if (!v && n->input[i][0])
      ad_onnx_fail(b, "there is no value '%.80s' before this node", n->input[i]);
    else if (!c.in[i].type && i < least)
      ad_onnx_fail(b, "operand %zu is missing", i);
  }
  if (f)
    ad_onnx_function_call(b, &c, f);
  else if (!b->status)
    row->lower(b, &c);
  for (size_t i = 0; i < n->n_output && !b->status; i++) {
    if (!n->output[i][0]) continue;
    if (!c.out[i].type)
      ad_onnx_refuse(b, "result %zu", i);
    else
      name_node(b, s, n->output[i], &c.out[i]);
    ad_onnx_define(b, s, n->output[i], &c.out[i]);
  }
}

void ad_onnx_run(ad_onnx_build *b, ad_onnx_scope *s, size_t count, Onnx__NodeProto *const *nodes) {
  const Onnx__NodeProto *outside = b->node;
  if (++b->nested > AD_ONNX_MOST_NESTED) ad_onnx_fail(b, "bodies and functions are nested too deeply");
  for (size_t i = 0; i < count && !b->status; i++) {
    b->node = nodes[i];
    if (b->steps-- == 0)
      ad_onnx_check(b, ad_fail(b->e, AD_ELIMIT, "loops and functions of the model run over more than %d nodes",
                               AD_ONNX_MOST_STEPS));
    else
      lower_node(b, s, nodes[i]);
  }
  b->nested--;
  if (!b->status) b->node = outside;
}
