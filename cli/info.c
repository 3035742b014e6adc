#include <string.h>

#include "cli.h"

typedef struct facts {
  size_t nodes, inputs, outputs, constants, named, depth;
  uint64_t input_elements, elements;
  size_t *by_op;
} facts;

static int gather(facts *f, const options *o, const ad_graph *g) {
  *f = (facts){.nodes = ad_graph_node_count(g), .inputs = ad_graph_input_count(g), .outputs = ad_graph_output_count(g)};
  f->by_op = ad_calloc(ad_op_count(), sizeof *f->by_op);
  uint32_t *depth = ad_calloc(f->nodes, sizeof *depth);
  if (!f->by_op || !depth) {
    ad_free(depth);
    return out_of_memory(o);
  }
  ad_op constant = ad_op_find("constant");
  for (ad_node n = 0; n < f->nodes; n++) {
    const ad_node *args;
    size_t count = ad_graph_node_args(g, n, &args);
    uint64_t size = (uint64_t)ad_shape_size(ad_graph_node_shape(g, n));
    f->by_op[ad_graph_node_op(g, n)]++;
    f->constants += ad_graph_node_op(g, n) == constant;
    f->named += ad_graph_node_name(g, n) != NULL;
    f->elements += size;
    if (n < f->inputs) f->input_elements += size;
    for (size_t i = 0; i < count; i++)
      if (depth[args[i]] + 1 > depth[n]) depth[n] = depth[args[i]] + 1;
    if (depth[n] > f->depth) f->depth = depth[n];
  }
  ad_free(depth);
  return 0;
}

static void put_place(ad_buffer *b, const ad_graph *g, ad_node n, const char *name, bool json, bool first) {
  char shape[AD_SHAPE_TEXT];
  ad_shape_text(shape, ad_graph_node_shape(g, n));
  if (json) {
    if (!first) ad_buffer_puts(b, ", ");
    put_json_string(b, name);
    ad_buffer_printf(b, ": %s", shape);
    return;
  }
  ad_buffer_printf(b, "  %s%s%s%s\n", name, ad_graph_node_shape(g, n)->rank ? " " : "",
                   ad_graph_node_shape(g, n)->rank ? shape : "",
                   n < ad_graph_input_count(g) && ad_graph_input_fixed(g, n) ? "  (diff: no)" : "");
}

/* passes: what goes before the rest. */
static void put_json(ad_buffer *b, const ad_graph *g, const facts *f, const ad_buffer *passes) {
  ad_buffer_puts(b, "{");
  ad_buffer_puts(b, ad_buffer_text(b, passes));
  ad_buffer_puts(b, "\"name\": ");
  put_json_string(b, ad_graph_name(g));
  ad_buffer_printf(
      b, ", \"nodes\": %zu, \"constants\": %zu, \"named\": %zu, \"depth\": %zu, \"elements\": %llu, \"inputs\": {",
      f->nodes, f->constants, f->named, f->depth, (unsigned long long)f->elements);
  for (ad_node n = 0; n < f->inputs; n++) put_place(b, g, n, ad_graph_node_name(g, n), true, n == 0);
  ad_buffer_puts(b, "}, \"outputs\": {");
  for (size_t i = 0; i < f->outputs; i++)
    put_place(b, g, ad_graph_output_node(g, i), ad_graph_output_name(g, i), true, i == 0);
  ad_buffer_puts(b, "}, \"operations\": {");
  bool first = true;
  for (size_t i = 2; i < ad_op_count(); i++) {
    if (!f->by_op[i]) continue;
    ad_buffer_printf(b, "%s\"%s\": %zu", first ? "" : ", ", ad_op_get((ad_op)i)->name, f->by_op[i]);
    first = false;
  }
  ad_buffer_puts(b, "}}\n");
}

static void put_meta(ad_buffer *b, const char *key, const char *text) {
  enum { SHOWN = 60 };
  ad_buffer_printf(b, "meta        %s: ", key);
  put_line(b, text, SHOWN);
  ad_buffer_puts(b, "\n");
}

static void put_text(ad_buffer *b, const ad_graph *g, const facts *f, const ad_buffer *passes) {
  ad_buffer_puts(b, ad_buffer_text(b, passes));
  if (*ad_graph_name(g)) ad_buffer_printf(b, "name        %s\n", ad_graph_name(g));
  ad_buffer_printf(b, "nodes       %zu (%zu inputs, %zu constants, %zu operations), depth %zu\n", f->nodes, f->inputs,
                   f->constants, f->nodes - f->inputs - f->constants, f->depth);
  ad_buffer_printf(b, "elements    %llu, of inputs %llu\n", (unsigned long long)f->elements,
                   (unsigned long long)f->input_elements);
  for (size_t i = 0; i < ad_graph_meta_count(g); i++) put_meta(b, ad_graph_meta_key(g, i), ad_graph_meta_text(g, i));
  ad_buffer_puts(b, "inputs\n");
  for (ad_node n = 0; n < f->inputs; n++) put_place(b, g, n, ad_graph_node_name(g, n), false, false);
  ad_buffer_puts(b, "outputs\n");
  for (size_t i = 0; i < f->outputs; i++)
    put_place(b, g, ad_graph_output_node(g, i), ad_graph_output_name(g, i), false, false);
  ad_buffer_puts(b, "operations\n");
  for (size_t i = 2; i < ad_op_count(); i++)
    if (f->by_op[i]) ad_buffer_printf(b, "  %-14s %zu\n", ad_op_get((ad_op)i)->name, f->by_op[i]);
}

static int show(const options *o, const ad_graph *g, const ad_buffer *passes, ad_buffer *b) {
  facts f = {0};
  int status = gather(&f, o, g);
  if (!status) (o->format == FORMAT_JSON ? put_json : put_text)(b, g, &f, passes);
  ad_free(f.by_op);
  return status;
}

/* How many nodes each pass leaves, then the graph after the last. */
static int show_passes(const options *o, const ad_graph *g, ad_buffer *b) {
  ad_error e = {0};
  size_t before = ad_graph_node_count(g);
  ad_buffer passes = {0};
  int status = 0;
  for (size_t i = 0; !status && i < ad_pass_count() && o->passes >> i & 1; i++) {
    ad_graph *after;
    if (ad_graph_optimize(&after, g, &(ad_optimize_options){.passes = (2u << i) - 1}, &e)) {
      status = report(o, &e);
      break;
    }
    const size_t nodes = ad_graph_node_count(after);
    const bool last = !(o->passes >> (i + 1) & 1);
    if (o->format == FORMAT_TEXT)
      ad_buffer_printf(&passes, "pass        %-11s%zu nodes, %zu before: %s\n", ad_pass_get(i)->name, nodes, before,
                       ad_pass_get(i)->doc);
    else
      ad_buffer_printf(&passes, "%s{\"name\": \"%s\", \"nodes\": %zu, \"before\": %zu}%s", i ? ", " : "\"passes\": [",
                       ad_pass_get(i)->name, nodes, before, last ? "], " : "");
    before = nodes;
    if (last) status = show(o, after, &passes, b);
    ad_graph_free(after);
  }
  ad_buffer_clear(&passes);
  return status;
}

static int run_one(const options *o, const char *path, ad_buffer *b) {
  ad_error e = {0};
  ad_graph *g;
  if (load_graph(&g, o, path, &e)) return report(o, &e);
  if (o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  int status = o->passes ? show_passes(o, g, b) : show(o, g, &(ad_buffer){0}, b);
  ad_graph_free(g);
  return status;
}

static int run(const options *o) {
  return for_each_graph(o, run_one);
}

static const option_id takes[] = {OPT_AFTER, OPT_FORMAT, OPT_OUT, OPTIONS_OF_GRAPH};
const command command_info = {"info",
                              "GRAPH...",
                              "what is in a graph",
                              "Counts nodes, operations and elements, and lists inputs and outputs with their shapes.\n"
                              "With --after PASS it shows what the passes up to that one do to the graph.",
                              1,
                              SIZE_MAX,
                              takes,
                              FORMATS_WORDS,
                              run};
