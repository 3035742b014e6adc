#include "yaml_text.h"

#include <stdio.h>
#include <string.h>

#include "graphs.h"
#include "same_graph.h"
#include "suite.h"
#include "yaml/yaml.h"

#define ERR (&graphs_error)

ad_status yaml_read_text(ad_graph **g, const char *text, const ad_limits *l) {
  return ad_yaml_read(g, text, strlen(text), "t.yaml", l, ERR);
}

ad_graph *yaml_reads(const char *text) {
  ad_graph *g = NULL;
  ad_status s = yaml_read_text(&g, text, NULL);
  ck_assert_msg(!s, "%d:%d: %s, in:\n%s", (int)graphs_error.line, (int)graphs_error.column, graphs_error.message, text);
  return g;
}

void yaml_refused(const char *text, ad_status want, int64_t line, int64_t column, const char *part) {
  ad_graph *g = NULL;
  must_fail(want, part, yaml_read_text(&g, text, NULL));
  ck_assert_msg(graphs_error.line == line && graphs_error.column == column, "%s: at %d:%d, not %d:%d",
                graphs_error.message, (int)graphs_error.line, (int)graphs_error.column, (int)line, (int)column);
  ck_assert_ptr_null(g);
}

ad_buffer yaml_written(const ad_graph *g, bool explicit_nodes) {
  ad_buffer b = {0};
  must(ad_yaml_write(g, &b, &(ad_write_options){.explicit_nodes = explicit_nodes}, ERR));
  return b;
}

/* Writes, reads, compares; in both forms. */
void yaml_round_trip(const ad_graph *g, const char *what) {
  for (int k = 0; k < 2; k++) {
    ad_buffer b = yaml_written(g, k);
    ad_graph *back = NULL;
    ad_status s = ad_yaml_read(&back, b.data, b.size, "t.yaml", NULL, ERR);
    ck_assert_msg(!s, "%s: %d:%d: %s, in:\n%s", what, (int)graphs_error.line, (int)graphs_error.column,
                  graphs_error.message, b.data);
    char named[200];
    snprintf(named, sizeof named, "%s%s", what, k ? ", explicit" : "");
    same_graph(g, back, named);
    ad_graph_free(back);
    ad_buffer_clear(&b);
  }
}

/* A node as calls of table operations. */
void yaml_show(const ad_graph *g, ad_node n, ad_buffer *b) {
  const ad_op_info *info = ad_op_get(ad_graph_node_op(g, n));
  const ad_node *args;
  size_t count = ad_graph_node_args(g, n, &args);
  if (ad_graph_node_name(g, n)) {
    ad_buffer_puts(b, ad_graph_node_name(g, n));
  } else if (info->cls == AD_CLASS_LEAF) {
    const ad_values v = ad_graph_node_values(g, n);
    const char *text = ad_values_text(&v, 0);
    ad_buffer_printf(b, text ? "%s" : "%s%g", text ? text : "", v.value[0]);
  } else {
    ad_buffer_printf(b, "%s(", info->name);
    for (size_t i = 0; i < count; i++) {
      if (i) ad_buffer_puts(b, " ");
      yaml_show(g, args[i], b);
    }
    for (int k = 0; k < info->attr_count; k++) {
      const ad_attr a = ad_graph_node_attr(g, n, k);
      ad_buffer_printf(b, " %s", info->attr[k].name);
      for (int64_t i = 0; a.value && i < ad_shape_size(&a.shape); i++)
        ad_buffer_printf(b, "%c%lld", i ? ',' : '=', (long long)a.value[i]);
    }
    ad_buffer_puts(b, ")");
  }
}
