#include "onnx_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "suite.h"

static void *room(size_t size) {
  void *p = calloc(1, size);
  if (!p) abort();
  return p;
}

static char *text(const char *s) {
  return strcpy(room(strlen(s) + 1), s);
}

/* Appends an item to a list that protobuf-c frees. */
#define APPEND(list, count, item)                             \
  do {                                                        \
    (list) = realloc((list), ((count) + 1) * sizeof *(list)); \
    if (!(list)) abort();                                     \
    (list)[(count)++] = (item);                               \
  } while (0)
#define MAKE(type, name, INIT)     \
  type *name = room(sizeof *name); \
  *name = (type)INIT

Onnx__ModelProto *onnx_model(int opset) {
  MAKE(Onnx__ModelProto, m, ONNX__MODEL_PROTO__INIT);
  MAKE(Onnx__OperatorSetIdProto, o, ONNX__OPERATOR_SET_ID_PROTO__INIT);
  MAKE(Onnx__GraphProto, g, ONNX__GRAPH_PROTO__INIT);
  m->has_ir_version = true;
  m->ir_version = 8;
  o->has_version = true;
  o->version = opset;
  APPEND(m->opset_import, m->n_opset_import, o);
  m->graph = g;
  return m;
}

void onnx_free(Onnx__ModelProto *m) {
  onnx__model_proto__free_unpacked(m, NULL);
}

void *onnx_pack(const Onnx__ModelProto *m, size_t *size) {
  *size = onnx__model_proto__get_packed_size(m);
  uint8_t *bytes = room(*size + 1);
  onnx__model_proto__pack(m, bytes);
  return bytes;
}

static Onnx__ValueInfoProto *value(const char *name) {
  MAKE(Onnx__ValueInfoProto, v, ONNX__VALUE_INFO_PROTO__INIT);
  v->name = text(name);
  return v;
}

void onnx_input(Onnx__GraphProto *g, const char *name, int type, int rank, const int64_t *dim) {
  Onnx__ValueInfoProto *v = value(name);
  MAKE(Onnx__TypeProto, t, ONNX__TYPE_PROTO__INIT);
  MAKE(Onnx__TypeProto__Tensor, tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
  MAKE(Onnx__TensorShapeProto, shape, ONNX__TENSOR_SHAPE_PROTO__INIT);
  for (int i = 0; i < rank; i++) {
    MAKE(Onnx__TensorShapeProto__Dimension, d, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
    if (dim[i] < 0) {
      d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      d->dim_param = text("N");
    } else {
      d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      d->dim_value = dim[i];
    }
    APPEND(shape->dim, shape->n_dim, d);
  }
  tensor->has_elem_type = true;
  tensor->elem_type = type;
  tensor->shape = shape;
  t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  t->tensor_type = tensor;
  v->type = t;
  APPEND(g->input, g->n_input, v);
}

void onnx_output(Onnx__GraphProto *g, const char *name) {
  Onnx__ValueInfoProto *v = value(name);
  APPEND(g->output, g->n_output, v);
}

static Onnx__TensorProto *initializer(Onnx__GraphProto *g, const char *name, int type, int rank, const int64_t *dim) {
  MAKE(Onnx__TensorProto, t, ONNX__TENSOR_PROTO__INIT);
  t->name = text(name);
  t->has_data_type = true;
  t->data_type = type;
  for (int i = 0; i < rank; i++) APPEND(t->dims, t->n_dims, dim[i]);
  APPEND(g->initializer, g->n_initializer, t);
  return t;
}

static size_t count_of(int rank, const int64_t *dim) {
  size_t n = 1;
  for (int i = 0; i < rank; i++) n *= (size_t)dim[i];
  return n;
}

Onnx__TensorProto *onnx_floats(Onnx__GraphProto *g, const char *name, int rank, const int64_t *dim, const double *v) {
  Onnx__TensorProto *t = initializer(g, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, dim);
  for (size_t i = 0; i < count_of(rank, dim); i++) APPEND(t->float_data, t->n_float_data, (float)v[i]);
  return t;
}

Onnx__TensorProto *onnx_ints(Onnx__GraphProto *g, const char *name, int rank, const int64_t *dim, const int64_t *v) {
  Onnx__TensorProto *t = initializer(g, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, rank, dim);
  for (size_t i = 0; i < count_of(rank, dim); i++) APPEND(t->int64_data, t->n_int64_data, v[i]);
  return t;
}

/* Appends the words of a line to a list; - is an empty one. */
static void words(const char *line, char ***list, size_t *count) {
  char *copy = text(line), *rest = NULL;
  for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest))
    APPEND(*list, *count, text(strcmp(s, "-") ? s : ""));
  free(copy);
}

static Onnx__NodeProto *node(const char *op, const char *inputs, const char *outputs) {
  MAKE(Onnx__NodeProto, n, ONNX__NODE_PROTO__INIT);
  n->op_type = text(op);
  words(inputs, &n->input, &n->n_input);
  words(outputs, &n->output, &n->n_output);
  return n;
}

Onnx__NodeProto *onnx_node(Onnx__GraphProto *g, const char *op, const char *inputs, const char *outputs) {
  Onnx__NodeProto *n = node(op, inputs, outputs);
  APPEND(g->node, g->n_node, n);
  return n;
}

Onnx__FunctionProto *onnx_function(Onnx__ModelProto *m, const char *name, int opset, const char *inputs,
                                   const char *outputs) {
  MAKE(Onnx__FunctionProto, f, ONNX__FUNCTION_PROTO__INIT);
  MAKE(Onnx__OperatorSetIdProto, o, ONNX__OPERATOR_SET_ID_PROTO__INIT);
  f->name = text(name);
  f->domain = text("local");
  words(inputs, &f->input, &f->n_input);
  words(outputs, &f->output, &f->n_output);
  o->has_version = true;
  o->version = opset;
  APPEND(f->opset_import, f->n_opset_import, o);
  APPEND(m->functions, m->n_functions, f);
  return f;
}

Onnx__NodeProto *onnx_function_node(Onnx__FunctionProto *f, const char *op, const char *inputs, const char *outputs) {
  Onnx__NodeProto *n = node(op, inputs, outputs);
  APPEND(f->node, f->n_node, n);
  return n;
}

Onnx__NodeProto *onnx_local(Onnx__NodeProto *n) {
  n->domain = text("local");
  return n;
}

static Onnx__AttributeProto *attribute(Onnx__NodeProto *n, const char *name, Onnx__AttributeProto__AttributeType type) {
  MAKE(Onnx__AttributeProto, a, ONNX__ATTRIBUTE_PROTO__INIT);
  a->name = text(name);
  a->has_type = true;
  a->type = type;
  APPEND(n->attribute, n->n_attribute, a);
  return a;
}

void onnx_int(Onnx__NodeProto *n, const char *name, int64_t v) {
  Onnx__AttributeProto *a = attribute(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
  a->has_i = true;
  a->i = v;
}

void onnx_float(Onnx__NodeProto *n, const char *name, double v) {
  Onnx__AttributeProto *a = attribute(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
  a->has_f = true;
  a->f = (float)v;
}

void onnx_word(Onnx__NodeProto *n, const char *name, const char *v) {
  Onnx__AttributeProto *a = attribute(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
  a->has_s = true;
  a->s.len = strlen(v);
  a->s.data = (uint8_t *)text(v);
}

void onnx_list(Onnx__NodeProto *n, const char *name, int count, const int64_t *v) {
  Onnx__AttributeProto *a = attribute(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
  for (int i = 0; i < count; i++) APPEND(a->ints, a->n_ints, v[i]);
}

void onnx_refer(Onnx__NodeProto *n, const char *name, const char *to) {
  attribute(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT)->ref_attr_name = text(to);
}

void onnx_external(Onnx__TensorProto *t, const char *key, const char *value) {
  MAKE(Onnx__StringStringEntryProto, e, ONNX__STRING_STRING_ENTRY_PROTO__INIT);
  e->key = text(key);
  e->value = text(value);
  t->has_data_location = true;
  t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  APPEND(t->external_data, t->n_external_data, e);
}

Onnx__GraphProto *onnx_body(Onnx__NodeProto *n, const char *name) {
  MAKE(Onnx__GraphProto, g, ONNX__GRAPH_PROTO__INIT);
  attribute(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g = g;
  return g;
}

void onnx_page(const char *name, const char *want) {
  char path[1000];
  const char *source = getenv("ADTOOL_SRCDIR");
  snprintf(path, sizeof path, "%s/doc/%s", source ? source : ".", name);
  const bool update = getenv("ADTOOL_UPDATE_DOCS") != NULL;
  FILE *f = fopen(path, update ? "w" : "r");
  ck_assert_msg(f != NULL, "%s can't be opened", path);
  if (update) {
    ck_assert_int_ge(fputs(want, f), 0);
  } else {
    char *have = room(strlen(want) + 2);
    have[fread(have, 1, strlen(want) + 1, f)] = '\0';
    ck_assert_msg(!strcmp(have, want), "%s is behind; make update-onnx renews it", path);
    free(have);
  }
  ck_assert_int_eq(fclose(f), 0);
}

/* ---- Graphs of models */

ad_graph *onnx_load_bound(Onnx__ModelProto *m, size_t count, const ad_binding *b) {
  size_t size;
  ad_graph *g = NULL;
  void *bytes = onnx_pack(m, &size);
  must(ad_graph_read_bound(&g, bytes, size, "model", count, b, NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
  return g;
}

ad_graph *onnx_load(Onnx__ModelProto *m) {
  return onnx_load_bound(m, 0, NULL);
}

ad_node onnx_output_node(const ad_graph *g, const char *name) {
  const size_t i = ad_graph_find_output(g, name);
  ck_assert_uint_ne(i, SIZE_MAX);
  return ad_graph_output_node(g, i);
}

tensor onnx_eighths(ad_shape shape) {
  tensor t = tensor_integers(shape);
  for (size_t i = 0; i < t.count; i++) t.v[i] /= 8;
  return t;
}

void onnx_weight(Onnx__GraphProto *g, const char *name, const tensor *t) {
  onnx_floats(g, name, t->shape.rank, t->shape.dim, t->v);
}

void onnx_expect(ad_graph *g, const char *name, const tensor *want, double units) {
  tensor_expect_near(g, onnx_output_node(g, name), want, units);
  graphs_check_derivatives(g, 64);
  ad_graph_free(g);
}

Onnx__ModelProto *onnx_single(int opset, const char *op, const char *inputs, const char *outputs, const tensor *x) {
  Onnx__ModelProto *m = onnx_model(opset);
  onnx_weight(m->graph, "x", x);
  onnx_node(m->graph, op, inputs, outputs);
  onnx_output(m->graph, "y");
  return m;
}

void onnx_refuse(Onnx__ModelProto *m, ad_status code, const char *part) {
  size_t size;
  ad_graph *g = NULL;
  void *bytes = onnx_pack(m, &size);
  must_fail(code, part, ad_graph_read(&g, bytes, size, "model", NULL, &graphs_error));
  free(bytes);
  onnx_free(m);
}

tensor onnx_some(ad_shape shape) {
  tensor t = tensor_zeros(shape);
  for (size_t i = 0; i < t.count; i++) t.v[i] = (double)(int)((i * 7 + 3) % 31) / 8 - 1.9375 + (double)i * 0x1p-9;
  return t;
}

void onnx_expect_close(ad_graph *g, const tensor *want, double bound) {
  const ad_node y = onnx_output_node(g, "y");
  ck_assert(ad_shape_equal(ad_graph_node_shape(g, y), &want->shape));
  for (size_t o = 0; o < want->count; o++) {
    const double got = graphs_value(g, "tape", y, o);
    ck_assert_msg(fabs(got - want->v[o]) <= bound, "element %zu is %.17g, not %.17g", o, got, want->v[o]);
  }
  graphs_check_derivatives(g, 64);
  ad_graph_free(g);
}

void onnx_computed(Onnx__ModelProto *m, const char *name, int rank, const int64_t *dim, const double *v) {
  char source[32];
  snprintf(source, sizeof source, "%s_real", name);
  onnx_floats(m->graph, source, rank, dim, v);
  Onnx__NodeProto *made = onnx_node(m->graph, "Cast", source, name);
  onnx_int(made, "to", ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
  memmove(m->graph->node + 1, m->graph->node, (m->graph->n_node - 1) * sizeof(void *)); /* before who uses it */
  m->graph->node[0] = made;
}
