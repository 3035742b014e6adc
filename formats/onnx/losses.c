/* Losses over classes, the second axis, with known targets. */
#include <string.h>

#include "onnx/operators.h"
#include "onnx/selection.h"

static ad_onnx_value collected(ad_onnx_build *b, ad_onnx_value loss, ad_onnx_value w, const char *how) {
  if (b->status || !strcmp(how, "none")) return loss;
  const unsigned all = (1u << loss.shape.rank) - 1;
  loss = ad_onnx_reduce(b, AD_OP_SUM, loss, all, false);
  if (!strcmp(how, "sum")) return loss;
  if (strcmp(how, "mean") != 0) ad_onnx_refuse(b, "the reduction '%.40s'", how);
  return ad_onnx_binary(b, AD_OP_DIV, loss, ad_onnx_reduce(b, AD_OP_SUM, w, all, false));
}

/* y, or 0 where the target is one to be ignored. */
static ad_onnx_value unless_ignored(ad_onnx_build *b, ad_onnx_value target, bool has_ignored, int64_t ignored,
                                    ad_onnx_value y) {
  const ad_onnx_value d = ad_onnx_with(b, AD_OP_SUB, target, (double)ignored);
  return has_ignored ? ad_onnx_where(b, d, y, ad_onnx_number(b, y.type, 0)) : y;
}

/* By targets that are inputs: weights of classes, 1 and 0.  What is no class makes nan. */
static ad_onnx_value computed_likelihood(ad_onnx_build *b, ad_onnx_call *c, ad_onnx_value x, const char *how,
                                         bool has_ignored, int64_t ignored) {
  const ad_shape shape = ad_onnx_shape_remove(&x.shape, 1);
  const ad_onnx_value t = ad_onnx_cast(b, c->in[1], x.type), zero = ad_onnx_number(b, x.type, 0);
  int64_t perm[AD_MAX_RANK];
  if (!b->status && !ad_shape_equal(&shape, &t.shape))
    ad_onnx_fail(b, "the shape of the target doesn't fit the scores");
  if (b->status) return x;
  const int64_t classes = x.shape.dim[1];
  ad_onnx_value d = ad_onnx_offsets(b, t, classes);
  for (int i = 0; i < x.shape.rank; i++) perm[i] = i == 0 ? 0 : i == 1 ? x.shape.rank - 1 : i - 1;
  d = ad_onnx_transpose(b, d, perm);
  const ad_onnx_value there =
      ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_where(b, d, zero, ad_onnx_number(b, x.type, 1)), 1u << 1, false);
  ad_onnx_value loss = ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_where(b, d, zero, x), 1u << 1, false);
  loss = ad_onnx_unary(b, AD_OP_NEG, ad_onnx_binary(b, AD_OP_DIV, loss, there));
  ad_onnx_value w = ad_onnx_broadcast(b, ad_onnx_number(b, x.type, 1), &shape);
  if (ad_onnx_given(c, 2)) {
    ad_shape column = {.rank = x.shape.rank - 1};
    for (int i = 0; i < column.rank; i++) column.dim[i] = i ? 1 : classes;
    w = ad_onnx_where(b, d, zero, ad_onnx_reshape(b, c->in[2], &column));
    w = ad_onnx_reduce(b, AD_OP_SUM, w, 1u << 1, false);
    loss = ad_onnx_binary(b, AD_OP_MUL, loss, w);
  }
  loss = unless_ignored(b, t, has_ignored, ignored, loss);
  return collected(b, loss, unless_ignored(b, t, has_ignored, ignored, w), how);
}

/* Of scores [N, C, ...]: minus the one at the target, times the target's weight; ignored targets count 0. */
static ad_onnx_value likelihood(ad_onnx_build *b, ad_onnx_call *c, ad_onnx_value x) {
  const char *how = ad_onnx_word(b, c, "reduction", "mean");
  const bool has_ignored = ad_onnx_has(c, "ignore_index");
  const int64_t ignored = ad_onnx_int(b, c, "ignore_index", 0);
  int64_t count;
  ad_onnx_need_rank(b, c, 0, 2);
  if (ad_onnx_is_computed(&c->in[1])) return computed_likelihood(b, c, x, how, has_ignored, ignored);
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
  ad_onnx_value ones = ad_onnx_known_reals(b, x.type, &shape);
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
  return collected(b, loss, w, how);
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
