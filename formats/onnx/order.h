/* Nodes in an order in which they can be lowered. */
#ifndef AD_ONNX_ORDER_H
#define AD_ONNX_ORDER_H

#include "onnx/build.h"

/* Puts each node behind those whose results it takes, and leaves the order as it is otherwise; bodies, too.  Fails
 * where nodes take each other's results. */
void ad_onnx_order(ad_onnx_build *b, size_t count, Onnx__NodeProto **nodes);

#endif
