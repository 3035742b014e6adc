/* Small ONNX models, made by protobuf-c. */
#ifndef AD_TESTS_ONNX_MODEL_H
#define AD_TESTS_ONNX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "onnx.pb-c.h"
#include "tensors.h"

Onnx__ModelProto *onnx_model(int opset); /* with a graph, and none of what follows */
void onnx_free(Onnx__ModelProto *m);
void *onnx_pack(const Onnx__ModelProto *m, size_t *size); /* freed with free */

#define DIMS(...)                                                          \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) { \
    __VA_ARGS__                                                            \
  }
#define NO_DIMS 0, NULL
/* A size below 0 has the name N. */
void onnx_input(Onnx__GraphProto *g, const char *name, int type, int rank, const int64_t *dim);
void onnx_output(Onnx__GraphProto *g, const char *name);
Onnx__TensorProto *onnx_floats(Onnx__GraphProto *g, const char *name, int rank, const int64_t *dim, const double *v);
Onnx__TensorProto *onnx_ints(Onnx__GraphProto *g, const char *name, int rank, const int64_t *dim, const int64_t *v);

/* Names with blanks between them; - is one that is not given. */
Onnx__NodeProto *onnx_node(Onnx__GraphProto *g, const char *op, const char *inputs, const char *outputs);
void onnx_int(Onnx__NodeProto *n, const char *name, int64_t v);
void onnx_float(Onnx__NodeProto *n, const char *name, double v);
void onnx_word(Onnx__NodeProto *n, const char *name, const char *v);
void onnx_list(Onnx__NodeProto *n, const char *name, int count, const int64_t *v);
Onnx__GraphProto *onnx_body(Onnx__NodeProto *n, const char *name);

/* A function of the domain "local"; its nodes; and how its calls are marked: onnx_local(onnx_node(...)). */
Onnx__FunctionProto *onnx_function(Onnx__ModelProto *m, const char *name, int opset, const char *inputs,
                                   const char *outputs);
Onnx__NodeProto *onnx_function_node(Onnx__FunctionProto *f, const char *op, const char *inputs, const char *outputs);
Onnx__NodeProto *onnx_local(Onnx__NodeProto *n);
void onnx_refer(Onnx__NodeProto *n, const char *name, const char *to); /* to a float attribute of the function */
/* One of the words on where a tensor's data lies. */
void onnx_external(Onnx__TensorProto *t, const char *key, const char *value);

/* The graph of a model that is freed; both must succeed. */
ad_graph *onnx_load(Onnx__ModelProto *m);
ad_graph *onnx_load_bound(Onnx__ModelProto *m, size_t count, const ad_binding *b);
ad_node onnx_output_node(const ad_graph *g, const char *name);

/* Small multiples of 1/8, so that floats and short sums of them are exact. */
tensor onnx_eighths(ad_shape shape);
void onnx_weight(Onnx__GraphProto *g, const char *name, const tensor *t);
/* The output is `want` to so many units of 2^-53 in every backend, and every derivative right; frees the graph. */
void onnx_expect(ad_graph *g, const char *name, const tensor *want, double units);

/* One node over a weight "x", with an output "y". */
Onnx__ModelProto *onnx_single(int opset, const char *op, const char *inputs, const char *outputs, const tensor *x);
/* Reading the model, which is freed, fails with this code and a message that has this part. */
void onnx_refuse(Onnx__ModelProto *m, ad_status code, const char *part);
/* Distinct floats of both signs, none 0. */
tensor onnx_some(ad_shape shape);
/* The output "y" is `want` but for an absolute error, as of sums in which numbers cancel, and every derivative right;
 * frees the graph. */
void onnx_expect_close(ad_graph *g, const tensor *want, double bound);
/* An int64 tensor that is computed from a weight, so that it is not known when the model is loaded. */
void onnx_computed(Onnx__ModelProto *m, const char *name, int rank, const int64_t *dim, const double *v);

/* A page of the manual, doc/NAME, is this text; with ADTOOL_UPDATE_DOCS in the environment it becomes so. */
void onnx_page(const char *name, const char *text);

#endif
