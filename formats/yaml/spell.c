/* One node at a time, for tables of nodes. */
#include "ir/ops.h"
#include "yaml/write.h"
#include "yaml/yaml.h"

#include "error.h"

struct ad_yaml_speller {
  ad_yaml_writer w;
};

ad_status ad_yaml_speller_new(ad_yaml_speller **out, const ad_graph *g, ad_error *e) {
  ad_yaml_speller *s = ad_calloc(1, sizeof *s);
  if (s) s->w.layout.entry = ad_calloc(ad_graph_node_count(g), 1);
  if (!s || !s->w.layout.entry) {
    ad_free(s);
    return ad_fail_memory(e);
  }
  s->w.g = s->w.layout.graph = g;
  for (ad_node n = 0; n < ad_graph_node_count(g); n++) {
    bool number = ad_graph_node_op(g, n) == AD_OP_CONSTANT && !ad_graph_node_name(g, n);
    s->w.layout.entry[n] = !number || !ad_yaml_fits_inside(g, n, &(const char *){NULL}, (char[AD_NUMBER_TEXT]){0});
  }
  *out = s;
  return AD_OK;
}

void ad_yaml_speller_free(ad_yaml_speller *s) {
  if (!s) return;
  ad_yaml_layout_clear(&s->w.layout);
  ad_buffer_clear(&s->w.text);
  ad_free(s);
}

void ad_yaml_spell_name(ad_yaml_speller *s, ad_node n, ad_buffer *out) {
  s->w.text.size = 0;
  ad_yaml_put_name(&s->w, n);
  if (s->w.text.failed) out->failed = true;
  ad_buffer_put(out, s->w.text.data, s->w.text.size);
}

void ad_yaml_spell(ad_yaml_speller *s, ad_node n, ad_buffer *out) {
  s->w.text.size = 0;
  if (ad_graph_node_op(s->w.g, n) == AD_OP_INPUT)
    ad_buffer_puts(&s->w.text, "input");
  else if (ad_graph_node_op(s->w.g, n) != AD_OP_CONSTANT)
    ad_yaml_put_entry(&s->w, n);
  else if (ad_graph_node_shape(s->w.g, n)->rank)
    ad_buffer_puts(&s->w.text, "constant");
  else
    ad_buffer_puts(&s->w.text, ad_yaml_constant_text(s->w.g, n, (char[AD_NUMBER_TEXT]){0}));
  if (s->w.text.failed) out->failed = true;
  ad_buffer_put(out, s->w.text.data, s->w.text.size);
}
