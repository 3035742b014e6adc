#include "cli.h"

static void put_json(ad_buffer *b, const session *s) {
  ad_buffer_puts(b, "{\"outputs\": {");
  for (size_t i = 0; i < s->output_count; i++) {
    ad_node n = ad_graph_output_node(s->graph, s->output[i]);
    ad_span v = ad_workspace_value(s->workspace, n);
    if (i) ad_buffer_puts(b, ", ");
    put_json_string(b, ad_graph_output_name(s->graph, s->output[i]));
    ad_buffer_puts(b, ": ");
    put_json_tensor(b, &v, ad_graph_node_shape(s->graph, n), s->o->digits);
  }
  ad_buffer_puts(b, "}}\n");
}

static void put_rows(ad_buffer *b, const session *s) {
  bool csv = s->o->format == FORMAT_CSV;
  if (csv) ad_buffer_puts(b, "output,element,value\n");
  for (size_t i = 0; i < s->output_count; i++) {
    ad_node n = ad_graph_output_node(s->graph, s->output[i]);
    const char *name = ad_graph_output_name(s->graph, s->output[i]);
    ad_span v = ad_workspace_value(s->workspace, n);
    if (!csv) {
      ad_buffer_printf(b, "%s = ", name);
      put_text_tensor(b, &v, ad_graph_node_shape(s->graph, n), s->o->digits, 0);
      ad_buffer_puts(b, "\n");
    }
    for (size_t k = 0; csv && k < v.count; k++) {
      put_csv_name(b, name);
      ad_buffer_printf(b, ",%zu,", k);
      put_number(b, &v, k, s->o->digits);
      ad_buffer_puts(b, "\n");
    }
  }
}

static int run_one(const options *o, const char *path, ad_buffer *b) {
  session s;
  int status = session_open(&s, o, path);
  if (!status) status = session_plan(&s, false, 0, false);
  if (!status && o->format == FORMAT_NPY) {
    if (s.output_count == 1)
      put_npy(b, &s, ad_graph_output_node(s.graph, s.output[0]), NULL);
    else
      status = usage_error(o, "--format npy holds one array; choose the output with --output");
  } else if (!status && o->format == FORMAT_JSON) {
    put_json(b, &s);
  } else if (!status) {
    if (o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
    put_rows(b, &s);
  }
  if (!status) status = session_notes(&s);
  session_close(&s);
  return status;
}

static int run(const options *o) {
  return for_each_graph(o, run_one);
}

static const option_id takes[] = {OPTIONS_OF_POINT, OPT_OUTPUT, OPTIONS_OF_NUMBERS, OPT_THREADS, OPTIONS_OF_RESULT};
const command command_eval = {
    "eval",
    "GRAPH...",
    "values of the outputs",
    "Evaluates the outputs of a graph at its own point or at one given with --at and --point.\n"
    "With --format json the result is {\"outputs\": {NAME: VALUE}}, tensors as nested arrays.",
    1,
    SIZE_MAX,
    takes,
    FORMATS_VALUES,
    run};
