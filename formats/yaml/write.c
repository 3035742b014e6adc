/* A graph as a file. */
#include "yaml/write.h"

#include <string.h>

#include "error.h"
#include "ir/ops.h"
#include "yaml/yaml.h"

/* What was collected in w->text, as a YAML text. */
static void put_collected(ad_yaml_writer *w, bool flow) {
  if (w->text.failed) return;
  ad_yaml_put_text(w->out, w->text.data, flow);
  w->text.size = 0;
}

static void put_key(ad_yaml_writer *w, ad_node n) {
  const char *name = ad_graph_node_name(w->g, n);
  ad_buffer_puts(w->out, "  ");
  if (name)
    ad_yaml_put_text(w->out, name, false);
  else
    ad_buffer_printf(w->out, "\"%%%u\"", n);
  ad_buffer_puts(w->out, ":");
}

static void put_mapping(ad_yaml_writer *w, ad_node n) {
  const ad_node *args;
  size_t count = ad_graph_node_args(w->g, n, &args);
  const ad_op_info *info = ad_op_get(ad_graph_node_op(w->g, n));
  ad_buffer_printf(w->out, " {op: %s, args: [", info->name);
  for (size_t i = 0; i < count; i++) {
    if (i) ad_buffer_puts(w->out, i % 8 ? ", " : ",\n    ");
    ad_yaml_put_operand(w, args[i]);
    put_collected(w, true);
  }
  ad_buffer_puts(w->out, "]");
  for (int k = 0; k < info->attr_count; k++) {
    ad_attr a = ad_yaml_attr_of(w->g, n, k);
    if (!a.value) continue;
    ad_buffer_printf(w->out, ", %s: ", info->attr[k].name);
    ad_yaml_put_attr(w->out, &a, info->attr[k].kind, true);
  }
  ad_buffer_puts(w->out, "}");
}

static void put_header(ad_yaml_writer *w) {
  const ad_kinks k = ad_graph_kinks(w->g);
  ad_buffer_puts(w->out, "adtool: 1\n");
  if (*ad_graph_name(w->g)) {
    ad_buffer_puts(w->out, "name: ");
    ad_yaml_put_text(w->out, ad_graph_name(w->g), false);
    ad_buffer_puts(w->out, "\n");
  }
  if (k.abs_at_zero != 0 || k.relu_at_zero != 0 || k.ties != AD_TIES_SHARE || k.pow00_nan) {
    static const char *const ties[] = {"share", "first", "last"};
    char slope[AD_NUMBER_TEXT], share[AD_NUMBER_TEXT];
    ad_number_short_text(slope, k.abs_at_zero);
    ad_number_short_text(share, k.relu_at_zero);
    ad_buffer_printf(w->out, "kinks: {abs: %s, relu: %s, ties: %s, pow00: %s}\n", slope, share, ties[k.ties],
                     k.pow00_nan ? "nan" : "1");
  }
  if (ad_graph_meta_count(w->g)) ad_buffer_puts(w->out, "meta:\n");
  for (size_t i = 0; i < ad_graph_meta_count(w->g); i++) {
    ad_buffer_puts(w->out, "  ");
    ad_yaml_put_text(w->out, ad_graph_meta_key(w->g, i), false);
    ad_buffer_puts(w->out, ": ");
    ad_yaml_put_text(w->out, ad_graph_meta_text(w->g, i), false);
    ad_buffer_puts(w->out, "\n");
  }
}

static void put_entries(ad_yaml_writer *w, ad_node first, ad_node end, const char *section) {
  for (ad_node n = first; n < end && !w->out->failed; n++) {
    if (!w->layout.entry[n]) continue;
    ad_buffer_puts(w->out, section);
    section = "";
    put_key(w, n);
    if (ad_graph_node_op(w->g, n) <= AD_OP_CONSTANT) {
      ad_yaml_put_literal(w, n);
    } else if (w->layout.explicit_nodes || ad_yaml_wants_mapping(w->g, n)) {
      put_mapping(w, n);
    } else {
      ad_buffer_puts(w->out, " ");
      ad_yaml_put_entry(w, n);
      put_collected(w, false);
    }
    ad_buffer_puts(w->out, "\n");
  }
}

static void put_outputs(ad_yaml_writer *w) {
  const size_t count = ad_graph_output_count(w->g);
  ad_buffer_puts(w->out, count ? "outputs:\n" : "outputs: {}\n");
  for (size_t i = 0; i < count; i++) {
    ad_buffer_puts(w->out, "  ");
    ad_yaml_put_text(w->out, ad_graph_output_name(w->g, i), false);
    ad_buffer_puts(w->out, ": ");
    ad_yaml_put_operand(w, ad_graph_output_node(w->g, i));
    put_collected(w, false);
    ad_buffer_puts(w->out, "\n");
  }
}

ad_status ad_yaml_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e) {
  ad_yaml_writer w = {.g = g, .out = out};
  const ad_node inputs = (ad_node)ad_graph_input_count(g);
  ad_status s = ad_yaml_lay_out(&w.layout, g, o->explicit_nodes, e);
  if (!s) {
    put_header(&w);
    put_entries(&w, 0, inputs, "inputs:\n");
    put_entries(&w, inputs, (ad_node)ad_graph_node_count(g), "nodes:\n");
    put_outputs(&w);
    if (w.text.failed || out->failed) s = ad_fail_memory(e);
  }
  ad_yaml_layout_clear(&w.layout);
  ad_buffer_clear(&w.text);
  return s;
}
