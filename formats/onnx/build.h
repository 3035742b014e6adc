/* What operators are lowered with: values, which are known when the model is loaded or nodes of the graph.
 *
 * Sizes, axes and indices of an ONNX model are tensors like any other.  Here a value that no input takes part in is
 * known: its elements are there, integers exact, and operations on it are done at once (fold.c).  All others are nodes.
 *
 * The first failure stays in ad_onnx_build.status; after it every function does nothing and returns a value without a
 * type, whose shape is that of a scalar. */
#ifndef AD_ONNX_BUILD_H
#define AD_ONNX_BUILD_H

#include "adtool.h"
#include "ir/names.h"
#include "ir/ops.h"
#include "mem.h"
#include "onnx.pb-c.h"

/* TensorProto.DataType, short. */
enum {
  AD_ONNX_NONE = ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED,
  AD_ONNX_FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  AD_ONNX_DOUBLE = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
  AD_ONNX_HALF = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
  AD_ONNX_BFLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16,
  AD_ONNX_INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
  AD_ONNX_BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL
};

/* Elements: `i` of integers and truth values, `r` of the rest. */
typedef union ad_onnx_element {
  int64_t i;
  double r;
} ad_onnx_element;

typedef struct ad_onnx_data {
  ad_node node;   /* the constant made of it; AD_NO_NODE: none yet */
  ad_dtype dtype; /* of that constant */
  ad_onnx_element v[];
} ad_onnx_data;

typedef struct ad_onnx_value {
  int type; /* AD_ONNX_NONE: not given */
  ad_shape shape;
  const Onnx__TensorProto *tensor; /* a weight: its value by default, for who needs to know it */
  ad_onnx_data *data;              /* known; NULL: a node */
  const void *choice;              /* indices: what MaxPool has to say of them (windows.c); NULL: nothing */
  ad_node node;
} ad_onnx_value;

/* A function of the model, and the defaults of its attributes (functions.c). */
typedef struct ad_onnx_function {
  const Onnx__FunctionProto *proto;
  size_t defaults;
  Onnx__AttributeProto *const *value;
  Onnx__AttributeProto **unpacked; /* NULL: they are the message's own */
} ad_onnx_function;

typedef struct ad_onnx_functions {
  ad_onnx_function *item;
  size_t count;
  ad_names names; /* ids are positions in item */
  ad_buffer key;
} ad_onnx_functions;

/* The call of a function whose nodes are being lowered. */
typedef struct ad_onnx_frame {
  const struct ad_onnx_frame *outer; /* the one that the call stands in */
  const Onnx__NodeProto *call;
  const ad_onnx_function *function;
} ad_onnx_frame;

/* The names of a graph; those of a body see the ones outside. */
typedef struct ad_onnx_scope {
  const struct ad_onnx_scope *outer;
  const ad_onnx_frame *frame; /* NULL: in no function */
  ad_names names;             /* ids are positions in value */
  ad_onnx_value *value;
  size_t count, capacity;
} ad_onnx_scope;

/* What may be done when a model is loaded: elements of known values and index tables, besides as many as the file
 * and those beside it have bytes, and nodes that are lowered, each time that a loop or call comes to them. */
enum { AD_ONNX_MOST_ELEMENTS = 1 << 26, AD_ONNX_MOST_STEPS = 1 << 22 };
enum { AD_ONNX_MOST_NESTED = 100 }; /* bodies and functions in each other */

/* Files beside the model (external.c).  One is open at a time. */
typedef struct ad_onnx_files {
  const char *model; /* its path; NULL: it was read from memory, and has no folder */
  ad_names seen;     /* whose sizes are in the budget */
  bool open;
  int fd;
  const char *place; /* as the model names it */
  uint64_t size;
} ad_onnx_files;

typedef struct ad_onnx_build {
  ad_graph *g;
  ad_error *e;
  ad_status status;
  int opset;
  const Onnx__NodeProto *node; /* at hand, for messages; NULL: none */
  const char *within;          /* the function that it stands in; NULL: none */
  int nested;
  ad_onnx_functions functions;
  ProtobufCAllocator *memory;
  size_t bindings;
  const ad_binding *binding;
  bool *bound;     /* which were used */
  bool open;       /* an input has a size that the model leaves open */
  ad_buffer names; /* for each name that a graph can't have: the one instead, a blank, the model's, a newline */
  uint64_t budget; /* elements that may still be made */
  uint64_t room;   /* elements that the limit on memory still lets in */
  uint64_t steps;  /* ONNX nodes that may still be lowered */
  ad_onnx_files files;
  void **owned; /* freed at the end */
  size_t owned_count, owned_capacity;
} ad_onnx_build;

/* ---- Errors: each sets the status, with the node at hand in front */

void ad_onnx_fail(ad_onnx_build *b, const char *format, ...) AD_PRINTF(2, 3);
/* "... : not supported: ..." */
void ad_onnx_refuse(ad_onnx_build *b, const char *format, ...) AD_PRINTF(2, 3);
/* Takes up a status from below, whose message is in b->e. */
void ad_onnx_check(ad_onnx_build *b, ad_status s);

/* ---- Memory that lives as long as the build; counts against the budget; NULL after a failure */

void *ad_onnx_room(ad_onnx_build *b, uint64_t count, size_t size);

/* Takes so many elements of work from the budget. */
void ad_onnx_charge(ad_onnx_build *b, uint64_t count);

/* ---- Types */

const char *ad_onnx_type_name(int type);
bool ad_onnx_is_real(int type);
bool ad_onnx_is_integer(int type); /* truth values are none */
/* The smallest and the largest integer of a type. */
void ad_onnx_type_range(int type, int64_t *lo, int64_t *hi);

/* ---- Values */

/* Fails unless products of any of the sizes, and multiples up to 2^30 of them, fit an int64_t: a tensor without
 * elements may have axes of any size. */
bool ad_onnx_shape_fits(ad_onnx_build *b, const ad_shape *shape);
/* Known elements, zero at first. */
ad_onnx_value ad_onnx_known(ad_onnx_build *b, int type, const ad_shape *shape);
/* The same for elements that only reals can have: integers are refused. */
ad_onnx_value ad_onnx_known_reals(ad_onnx_build *b, int type, const ad_shape *shape);
/* An exact number, or an integer; a scalar. */
ad_onnx_value ad_onnx_number(ad_onnx_build *b, int type, double v);
/* A number that the file has as a float. */
ad_onnx_value ad_onnx_float_number(ad_onnx_build *b, int type, double v);
ad_onnx_value ad_onnx_integers(ad_onnx_build *b, const int64_t *v, int64_t count); /* a vector of int64 */
/* A node whose elements are all one exact number, in no more memory than that: not known. */
ad_onnx_value ad_onnx_full(ad_onnx_build *b, int type, const ad_shape *shape, double v);
ad_onnx_value ad_onnx_node_value(int type, const ad_shape *shape, ad_node n);
/* The node of a value; a known one becomes a constant. */
ad_node ad_onnx_node(ad_onnx_build *b, const ad_onnx_value *v);
/* Sets or reads element i of a known value. */
void ad_onnx_set(ad_onnx_value *v, int64_t i, double x);
double ad_onnx_element_double(const ad_onnx_value *v, int64_t i);
/* Makes a value known that is a weight or is already; fails otherwise: `what` is for the message. */
void ad_onnx_need_known(ad_onnx_build *b, ad_onnx_value *v, const char *what);

/* A tensor of the file. */
bool ad_onnx_tensor_shape(ad_onnx_build *b, const Onnx__TensorProto *t, ad_shape *shape);
ad_onnx_value ad_onnx_tensor(ad_onnx_build *b, const Onnx__TensorProto *t);

/* ---- Names */

void ad_onnx_define(ad_onnx_build *b, ad_onnx_scope *s, const char *name, const ad_onnx_value *v);
const ad_onnx_value *ad_onnx_find(const ad_onnx_scope *s, const char *name); /* NULL: unknown */
void ad_onnx_scope_clear(ad_onnx_scope *s);

/* Takes the version of the operators from what a model or function imports. */
void ad_onnx_versions(ad_onnx_build *b, size_t count, Onnx__OperatorSetIdProto *const *imports);

#endif
