/* Losses over classes, the second axis, with known targets. */
#include <string.h>

#include "onnx/operators.h"

/* Of scores [N, C, ...]: minus the one at the target, times the target's weight; ignored targets count 0. */
static ad_onnx_value likelihood(ad_onnx_build *b, ad_onnx_call *c, ad_onnx_value x) {
  const char *how = ad_onnx_word(b, c, "reduction", "mean");
  const bool has_ignored = ad_onnx_has(c, "ignore_index");
  const int64_t ignored = ad_onnx_int(b, c, "ignore_index", 0);
  int64_t count;
  ad_onnx_need_rank(b, c, 0, 2);
  const int64_t *target = ad_onnx_operand_ints(b, c, 1, "the target", &count);
  if (!target) return x;
  const ad_shape shape = ad_onnx_shape_remove(&x.shape, 1);
  const int64_t classes = x.shape.dim[1], n = x.shape.dim[0];
  if (!ad_shape_equal(&shape, &c->in[1].shape)) {
    ad_onnx_fail(b, "the shape of the target doesn't fit the scores");
    return x;
  }
  const int64_t pixels = n ? count / n : 0;
  int64_t *from = ad_onnx_room(b, (uint64_t)count + 1, sizeof *from),
          *class = ad_onnx_room(b, (uint64_t)count + 1, sizeof *class);
  ad_onnx_value ones = ad_onnx_known(b, x.type, &shape);
  for (int64_t i = 0; i < count && !b->status; i++) {
    const bool skip = has_ignored && target[i] == ignored;
    if (!skip && (target[i] < 0 || target[i] >= classes))
      ad_onnx_fail(b, "the target %lld is no class", (long long)target[i]);
    from[i] = skip ? -1 : (i / pixels * classes + target[i]) * pixels + i % pixels;
    class[i] = skip ? -1 : target[i];
    ones.data->v[i].r = !skip;
  }
  if (b->status) return x;
  const ad_onnx_value zero = ad_onnx_number(b, x.type, 0);
  ad_onnx_value w = ad_onnx_given(c, 2) ? ad_onnx_pick(b, c->in[2], &shape, class, zero) : ones;
  ad_onnx_value loss = ad_onnx_unary(b, AD_OP_NEG, ad_onnx_pick(b, x, &shape, from, zero));
  if (ad_onnx_given(c, 2)) loss = ad_onnx_binary(b, AD_OP_MUL, loss, w);
  if (!strcmp(how, "none")) return loss;
  const unsigned all = (1u << shape.rank) - 1;
  loss = ad_onnx_reduce(b, AD_OP_SUM, loss, all, false);
  if (!strcmp(how, "sum")) return loss;
  if (strcmp(how, "mean") != 0) ad_onnx_refuse(b, "the reduction '%.40s'", how);
  return ad_onnx_binary(b, AD_OP_DIV, loss, ad_onnx_reduce(b, AD_OP_SUM, w, all, false));
}

void ad_onnx_lower_negative_log_likelihood(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = likelihood(b, c, c->in[0]);
}

void ad_onnx_lower_softmax_cross_entropy(ad_onnx_build *b, ad_onnx_call *c) {
  ad_onnx_need_rank(b, c, 0, 2);
  ad_onnx_value sum = ad_onnx_reduce(b, AD_OP_LOGSUMEXP, c->in[0], 1u << 1, true);
  c->out[1] = ad_onnx_binary(b, AD_OP_SUB, c->in[0], sum);
  c->out[0] = likelihood(b, c, c->out[1]);
}
