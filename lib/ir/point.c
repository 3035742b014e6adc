#include "ir/point.h"

#include "error.h"
#include "ir/number.h"
#include "mem.h"

ad_status ad_point_new(ad_point **out, const ad_graph *g, ad_error *e) {
  AD_GIVEN(out && g, e);
  ad_point *p = ad_calloc(1, sizeof *p);
  if (p) p->value = ad_calloc(ad_graph_input_count(g), sizeof *p->value);
  if (!p || !p->value) {
    ad_free(p);
    return ad_fail_memory(e);
  }
  p->graph = g;
  *out = p;
  return AD_OK;
}

void ad_point_free(ad_point *p) {
  if (!p) return;
  for (size_t i = 0; i < ad_graph_input_count(p->graph); i++) ad_numbers_free(p->value[i]);
  ad_free(p->value);
  ad_free(p);
}

static ad_status check_count(const ad_point *p, ad_node input, size_t have, ad_error *e) {
  if (input >= ad_graph_input_count(p->graph)) return ad_fail(e, AD_EUSAGE, "node %u is not an input", input);
  const size_t want = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, input));
  if (have == want || have == 1) return AD_OK;
  char shape[AD_SHAPE_TEXT];
  ad_shape_text(shape, ad_graph_node_shape(p->graph, input));
  return ad_fail(e, AD_EINPUT, "the value for '%s' has %zu numbers, but its shape %s has %zu elements",
                 ad_graph_node_name(p->graph, input), have, shape, want);
}

/* Numbers marked f64 or f32 lose their exact texts here, as they do in the graph. */
ad_status ad_point_set(ad_point *p, ad_node input, const ad_numbers *value, ad_error *e) {
  AD_GIVEN(p && value, e);
  const size_t have = ad_numbers_count(value);
  ad_status s = check_count(p, input, have, e);
  if (s) return s;
  ad_dtype dtype = ad_graph_node_dtype(p->graph, input);
  ad_numbers *copy = ad_numbers_new();
  if (!copy) s = ad_fail_memory(e);
  for (size_t i = 0; !s && i < have; i++) {
    const char *text = ad_numbers_text(value, i);
    bool exact;
    if (dtype == AD_EXACT)
      s = ad_numbers_push_from(copy, value, i, e);
    else if (dtype == AD_F32)
      s = ad_numbers_push_double(
          copy, text ? ad_number_round(text, AD_F32, &exact) : (double)(float)ad_numbers_double(value, i), e);
    else
      s = ad_numbers_push_double(copy, ad_numbers_double(value, i), e);
  }
  if (s) {
    ad_numbers_free(copy);
    return s;
  }
  ad_numbers_free(p->value[input]);
  p->value[input] = copy;
  return AD_OK;
}

ad_status ad_point_set_double(ad_point *p, ad_node input, const double *value, size_t count, ad_error *e) {
  AD_GIVEN(p && (value || !count), e);
  ad_status s = check_count(p, input, count, e);
  if (s) return s;
  ad_numbers *n = ad_numbers_new();
  if (!n) s = ad_fail_memory(e);
  for (size_t i = 0; !s && i < count; i++) s = ad_numbers_push_double(n, value[i], e);
  if (!s) s = ad_point_set(p, input, n, e);
  ad_numbers_free(n);
  return s;
}
