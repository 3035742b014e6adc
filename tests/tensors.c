#include "tensors.h"

#include <math.h>
#include <string.h>

#include "suite.h"

size_t tensor_position(const ad_shape *s, const int64_t *index) {
  size_t at = 0;
  for (int i = 0; i < s->rank; i++) at = at * (size_t)s->dim[i] + (size_t)index[i];
  return at;
}

void tensor_unravel(const ad_shape *s, size_t at, int64_t *index) {
  for (int i = s->rank - 1; i >= 0; i--) {
    index[i] = (int64_t)(at % (size_t)s->dim[i]);
    at /= (size_t)s->dim[i];
  }
}

tensor tensor_zeros(ad_shape shape) {
  tensor t = {.shape = shape, .count = 1};
  for (int i = 0; i < shape.rank; i++) t.count *= (size_t)shape.dim[i];
  ck_assert_uint_le(t.count, sizeof t.v / sizeof t.v[0]);
  return t;
}

static uint64_t turn;

tensor tensor_integers(ad_shape shape) {
  static const double values[] = {3, -2, 1, 4, -1, -4, 2, -3, 5, -5, 6};
  tensor t = tensor_zeros(shape);
  for (size_t i = 0; i < t.count; i++) t.v[i] = values[(i + turn) % 11];
  turn += 5;
  return t;
}

ad_shape tensor_some_shape(ulps_random *random, int rank, int64_t largest) {
  ad_shape s = {.rank = rank};
  for (int i = 0; i < rank; i++) s.dim[i] = 1 + (int64_t)(ulps_random_bits(random) % (uint64_t)largest);
  return s;
}

ad_node tensor_input(ad_graph *g, const char *name, const tensor *t) {
  return graphs_input(g, name, t->shape, t->v, t->count);
}

void tensor_expect_near(const ad_graph *g, ad_node n, const tensor *want, double units) {
  char have[AD_SHAPE_TEXT], text[AD_SHAPE_TEXT];
  ad_shape_text(have, ad_graph_node_shape(g, n));
  ad_shape_text(text, &want->shape);
  const char *op = ad_op_get(ad_graph_node_op(g, n))->name;
  ck_assert_msg(!strcmp(have, text), "%s: shape %s, not %s", op, have, text);
  for (size_t b = 0; b < ad_backend_count(); b++)
    for (uint32_t points = 1; points < 4; points += 2) {
      const ad_backend *backend = ad_backend_get(b);
      if (ad_backend_kind(backend) != AD_KIND_F64 && points > 1) continue;
      graphs_run r = graphs_start(g, ad_backend_name(backend), (ad_workspace_options){.points = points});
      ad_span s = ad_workspace_value(r.w, n);
      ck_assert_uint_eq(s.count, want->count * points);
      for (size_t i = 0; i < s.count; i++) {
        double got = ad_span_double(&s, i), v = want->v[i / points];
        ck_assert_msg(got == v || (isnan(got) && isnan(v)) || fabs(got - v) <= units * 0x1p-53 * fabs(v),
                      "%s, %s: element %zu of %s is %.17g, not %.17g", op, ad_backend_name(backend), i, have, got, v);
      }
      graphs_end(&r);
    }
}

void tensor_expect(ad_graph *g, ad_node n, const tensor *want) {
  tensor_expect_near(g, n, want, 0);
  must(ad_graph_output(g, "out", n, &graphs_error));
  graphs_check_derivatives(g, 4);
  ad_graph_free(g);
}

double tensor_broadcast_at(const tensor *x, const ad_shape *shape, size_t o) {
  int64_t iz[AD_MAX_RANK], ix[AD_MAX_RANK];
  tensor_unravel(shape, o, iz);
  for (int d = 0; d < x->shape.rank; d++) ix[d] = x->shape.dim[d] == 1 ? 0 : iz[shape->rank - x->shape.rank + d];
  return x->v[tensor_position(&x->shape, ix)];
}
