/* Points as YAML or JSON: names to numbers or nested lists. */
#include "ir/point.h"

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "yaml/tree.h"

static const char *next_input(const void *context, size_t i) {
  const ad_graph *g = context;
  return i < ad_graph_input_count(g) ? ad_graph_node_name(g, (ad_node)i) : NULL;
}

static ad_status find_input(const ad_point *p, const char *name, ad_node *n, ad_error *e) {
  *n = ad_graph_find_node(p->graph, name);
  if (*n < ad_graph_input_count(p->graph)) return AD_OK;
  const char *near = ad_suggest(name, next_input, p->graph);
  if (near) return ad_fail(e, AD_EINPUT, "the graph has no input '%.80s' (did you mean '%s'?)", name, near);
  return ad_fail(e, AD_EINPUT, "the graph has no input '%.80s'; `adtool info` lists them", name);
}

/* Sets an input from an item: a list in the input's shape, a flat one, or a single number for all elements. */
static ad_status set_from(ad_point *p, ad_node n, const ad_yaml_tree *t, uint32_t item, ad_error *e) {
  const ad_shape *want = ad_graph_node_shape(p->graph, n);
  ad_numbers *v = ad_numbers_new();
  ad_shape shape;
  ad_status s = v ? ad_yaml_numbers(t, item, v, &shape, e) : ad_fail_memory(e);
  if (!s && shape.rank > 1 && !ad_shape_equal(&shape, want)) {
    char have[AD_SHAPE_TEXT], text[AD_SHAPE_TEXT];
    ad_shape_text(have, &shape);
    ad_shape_text(text, want);
    s = ad_yaml_fail(t, item, 0, e, "the value has shape %s, but '%s' has %s", have, ad_graph_node_name(p->graph, n),
                     text);
  }
  if (!s) s = ad_yaml_place(t, item, 0, ad_point_set(p, n, v, e), e);
  ad_numbers_free(v);
  return s;
}

ad_status ad_point_set_text(ad_point *p, const char *name, const char *text, ad_error *e) {
  char place[AD_MAX_NAME + 16];
  ad_node n;
  ad_yaml_tree t;
  AD_GIVEN(p && name && text, e);
  snprintf(place, sizeof place, "value of %s", name);
  ad_status s = find_input(p, name, &n, e);
  if (!s) s = ad_yaml_parse(&t, text, strlen(text), place, ad_graph_limits(p->graph), e);
  if (s) return s;
  s = set_from(p, n, &t, 1, e);
  ad_yaml_clear(&t);
  return s;
}

static ad_status set_all(ad_point *p, const ad_yaml_tree *t, ad_error *e) {
  if (ad_yaml_at(t, 1)->kind != AD_YAML_MAP)
    return ad_yaml_fail(t, 1, 0, e, "a point is a mapping of names of inputs to values");
  ad_status s = AD_OK;
  for (uint32_t i = ad_yaml_at(t, 1)->first; !s && i; i = ad_yaml_next_key(t, i)) {
    ad_node n;
    s = ad_yaml_place(t, i, 0, find_input(p, ad_yaml_text(t, i), &n, e), e);
    if (!s) s = set_from(p, n, t, ad_yaml_value(t, i), e);
  }
  return s;
}

/* All values or none. */
static ad_status load(ad_point *p, const ad_yaml_tree *t, ad_error *e) {
  ad_point *fresh;
  ad_status s = ad_point_new(&fresh, p->graph, e);
  if (s) return s;
  s = set_all(fresh, t, e);
  for (size_t i = 0; !s && i < ad_graph_input_count(p->graph); i++) {
    if (!fresh->value[i]) continue;
    ad_numbers *old = p->value[i];
    p->value[i] = fresh->value[i];
    fresh->value[i] = old;
  }
  ad_point_free(fresh);
  return s;
}

ad_status ad_point_load(ad_point *p, const char *path, ad_error *e) {
  AD_GIVEN(p && path, e);
  void *bytes;
  size_t size;
  ad_yaml_tree t;
  ad_status s = ad_file_read(&bytes, &size, path, ad_graph_limits(p->graph)->max_bytes, e);
  if (s) return s;
  s = ad_yaml_parse(&t, bytes, size, strcmp(path, "-") ? path : "standard input", ad_graph_limits(p->graph), e);
  if (!s) {
    s = load(p, &t, e);
    ad_yaml_clear(&t);
  }
  ad_free(bytes);
  return s;
}
