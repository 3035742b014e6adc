/* Operations on values: done at once where all operands are known and it can be done exactly, else nodes. */
#ifndef AD_ONNX_EMIT_H
#define AD_ONNX_EMIT_H

#include "onnx/build.h"

/* Elementwise, with broadcasting.  The result has the type of the first operand (of `where`, the second), comparisons
 * are truth values; an integer quotient is cut off. */
ad_onnx_value ad_onnx_elementwise(ad_onnx_build *b, ad_op op, size_t count, const ad_onnx_value *args);
ad_onnx_value ad_onnx_unary(ad_onnx_build *b, ad_op op, ad_onnx_value x);
ad_onnx_value ad_onnx_binary(ad_onnx_build *b, ad_op op, ad_onnx_value x, ad_onnx_value y);
ad_onnx_value ad_onnx_where(ad_onnx_build *b, ad_onnx_value c, ad_onnx_value x, ad_onnx_value y);
/* The same with a number on the right, which is of the type of x: `exact` in the formula, or a float in the file. */
ad_onnx_value ad_onnx_with(ad_onnx_build *b, ad_op op, ad_onnx_value x, double exact);
ad_onnx_value ad_onnx_with_float(ad_onnx_build *b, ad_op op, ad_onnx_value x, double from_file);
/* Conversion as ONNX's Cast has it. */
ad_onnx_value ad_onnx_cast(ad_onnx_build *b, ad_onnx_value x, int type);
/* Does the operation on known operands; false: that is left to the graph (fold.c). */
bool ad_onnx_fold(ad_onnx_build *b, ad_onnx_value *out, ad_op op, size_t count, const ad_onnx_value *args);

/* Moves. */
ad_onnx_value ad_onnx_reshape(ad_onnx_build *b, ad_onnx_value x, const ad_shape *shape);
ad_onnx_value ad_onnx_transpose(ad_onnx_build *b, ad_onnx_value x, const int64_t *perm);
/* count[i] elements of axis i from start[i] on, step[i] apart: all inside. */
ad_onnx_value ad_onnx_slice(ad_onnx_build *b, ad_onnx_value x, const int64_t *start, const int64_t *count,
                            const int64_t *step);
/* Elements start .. start + count - 1 of one axis. */
ad_onnx_value ad_onnx_part(ad_onnx_build *b, ad_onnx_value x, int axis, int64_t start, int64_t count);
ad_onnx_value ad_onnx_concat(ad_onnx_build *b, size_t count, const ad_onnx_value *args, int axis);
ad_onnx_value ad_onnx_broadcast(ad_onnx_build *b, ad_onnx_value x, const ad_shape *shape);
/* x[..., table, ...]: the table's elements count the axis from 0. */
ad_onnx_value ad_onnx_gather(ad_onnx_build *b, ad_onnx_value x, int axis, const ad_shape *table, const int64_t *index);
/* The elements of x at these row-major places, in a shape; -1 is `fill`, a scalar. */
ad_onnx_value ad_onnx_pick(ad_onnx_build *b, ad_onnx_value x, const ad_shape *shape, int64_t *from, ad_onnx_value fill);
ad_onnx_value ad_onnx_scatter_add(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value updates, int axis,
                                  const ad_shape *table, const int64_t *index);

/* Over the axes of a mask, bit i for axis i. */
ad_onnx_value ad_onnx_reduce(ad_onnx_build *b, ad_op op, ad_onnx_value x, unsigned axes, bool keep);
ad_onnx_value ad_onnx_along(ad_onnx_build *b, ad_op op, ad_onnx_value x, int axis);
ad_onnx_value ad_onnx_matmul(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value y);
/* The same with weights that are mostly 0 as factor `weights`, 0 or 1: a zero takes nothing, not even of infinity. */
ad_onnx_value ad_onnx_weigh(ad_onnx_build *b, ad_onnx_value x, ad_onnx_value y, int weights);

/* Shapes. */
ad_shape ad_onnx_shape(int rank, const int64_t *dim);
/* x with one axis of this size put before axis `axis`, or that axis taken out. */
ad_shape ad_onnx_shape_insert(const ad_shape *s, int axis, int64_t size);
ad_shape ad_onnx_shape_remove(const ad_shape *s, int axis);
/* Row-major distances between neighbours of each axis. */
void ad_onnx_strides(const ad_shape *s, int64_t *stride);
/* The index of a row-major place. */
void ad_onnx_unravel(const ad_shape *s, int64_t at, int64_t *index);

#endif
