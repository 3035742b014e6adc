#include <string.h>

#include "cli.h"
#include "trace.h"

enum { DIRECTIONS = 8 };

static void put_json(ad_buffer *b, const session *s, size_t i) {
  ad_shape shape;
  ad_span v = session_value(s, i, &shape);
  ad_buffer name = {0};
  put_output_name(&name, s, i);
  if (i) ad_buffer_puts(b, ", ");
  put_json_string(b, ad_buffer_text(b, &name));
  ad_buffer_clear(&name);
  ad_buffer_puts(b, ": {\"value\": ");
  put_json_tensor(b, &v, &shape, s->o->digits);
  ad_buffer_puts(b, ", \"gradient\": {");
  for (size_t k = 0; k < ad_program_wrt_count(s->program); k++) {
    ad_node x = ad_program_wrt(s->program, k);
    ad_span d = ad_workspace_gradient(s->workspace, x);
    if (k) ad_buffer_puts(b, ", ");
    put_json_string(b, ad_graph_node_name(s->graph, x));
    ad_buffer_puts(b, ": ");
    put_json_tensor(b, &d, ad_graph_node_shape(s->graph, x), s->o->digits);
  }
  ad_buffer_puts(b, "}}");
}

static void put_text(ad_buffer *b, const session *s, size_t i) {
  ad_shape shape;
  ad_span v = session_value(s, i, &shape);
  int width = 0;
  const size_t before = b->size;
  put_output_name(b, s, i);
  ad_buffer_puts(b, " = ");
  put_text_tensor(b, &v, &shape, s->o->digits, b->failed ? 0 : text_width(b->data + before));
  ad_buffer_puts(b, "\n");
  for (size_t k = 0; k < ad_program_wrt_count(s->program); k++) {
    const int n = text_width(ad_graph_node_name(s->graph, ad_program_wrt(s->program, k)));
    if (n > width) width = n;
  }
  if (width > 24) width = 24;
  for (size_t k = 0; k < ad_program_wrt_count(s->program); k++) {
    ad_node x = ad_program_wrt(s->program, k);
    ad_span d = ad_workspace_gradient(s->workspace, x);
    const char *name = ad_graph_node_name(s->graph, x);
    const int gap = width - text_width(name);
    ad_buffer_printf(b, "  d/d%s%*s = ", name, gap > 0 ? gap : 0, "");
    put_text_tensor(b, &d, ad_graph_node_shape(s->graph, x), s->o->digits, (gap < 0 ? width - gap : width) + 8);
    ad_buffer_puts(b, "\n");
  }
}

static void put_csv(ad_buffer *b, const session *s, size_t i) {
  for (size_t k = 0; k < ad_program_wrt_count(s->program); k++) {
    ad_node x = ad_program_wrt(s->program, k);
    ad_span d = ad_workspace_gradient(s->workspace, x);
    ad_buffer name = {0};
    put_output_name(&name, s, i);
    for (size_t j = 0; j < d.count; j++) {
      put_csv_name(b, ad_buffer_text(b, &name));
      ad_buffer_puts(b, ",");
      put_csv_name(b, ad_graph_node_name(s->graph, x));
      ad_buffer_printf(b, ",%zu,", j);
      put_number(b, &d, j, s->o->digits);
      ad_buffer_puts(b, "\n");
    }
    ad_buffer_clear(&name);
  }
}

static void put_npy_gradient(ad_buffer *b, const session *s, ad_node x) {
  const ad_span d = ad_workspace_gradient(s->workspace, x);
  put_npy_span(b, &d, ad_graph_node_shape(s->graph, x));
}

static int put_results(ad_buffer *b, const session *s) {
  output_format f = s->o->format;
  if (f == FORMAT_NPY && (s->output_count != 1 || ad_program_wrt_count(s->program) != 1))
    return usage_error(s->o, "--format npy holds one array; choose one output and one input with --output and --wrt");
  if (f == FORMAT_JSON) ad_buffer_printf(b, "{\"backend\": \"%s\", \"outputs\": {", ad_backend_name(s->backend));
  if (f == FORMAT_CSV) ad_buffer_puts(b, "output,input,element,derivative\n");
  for (size_t i = 0; i < s->output_count; i++) {
    int status = session_gradient(s, i);
    if (status) return status;
    if (f == FORMAT_JSON)
      put_json(b, s, i);
    else if (f == FORMAT_CSV)
      put_csv(b, s, i);
    else if (f == FORMAT_NPY)
      put_npy_gradient(b, s, ad_program_wrt(s->program, 0));
    else
      put_text(b, s, i);
    if (s->o->trace) put_trace(b, s);
  }
  if (f == FORMAT_JSON) ad_buffer_puts(b, "}}\n");
  return 0;
}

static int run_one(const options *o, const char *path, ad_buffer *b) {
  session s;
  int status = 0;
  if (o->trace && o->format != FORMAT_TEXT) return usage_error(o, "--trace is a table for people: --format text");
  status = session_open(&s, o, path);
  bool forward = s.mode == AD_MODE_FORWARD;
  if (!status) status = session_plan(&s, o->trace, forward ? DIRECTIONS : 0, !forward);
  if (!status && o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  if (!status) status = put_results(b, &s);
  if (!status) session_note_wrt(&s);
  if (!status) status = session_notes(&s);
  session_close(&s);
  return status;
}

static int run(const options *o) {
  return for_each_graph(o, run_one);
}

static const option_id takes[] = {OPTIONS_OF_POINT,   OPT_WRT,   OPT_OUTPUT,  OPT_SEED,         OPT_MODE,
                                  OPTIONS_OF_NUMBERS, OPT_TRACE, OPT_THREADS, OPTIONS_OF_RESULT};
const command command_grad = {
    "grad",
    "GRAPH...",
    "value and gradient of the outputs",
    "Differentiates each scalar output by the inputs.  Of an output that is a tensor, one element is chosen with\n"
    "--output NAME[i,j], or a weighted sum of its elements with --output NAME --seed WEIGHTS.\n"
    "With --format json the result is\n"
    "  {\"backend\": NAME, \"outputs\": {NAME: {\"value\": V, \"gradient\": {INPUT: ...}}}}.\n"
    "--trace shows every node in order with its value and its adjoint (forward mode: its tangent by each input).",
    1,
    SIZE_MAX,
    takes,
    FORMATS_VALUES,
    run};
