#include "cli.h"

/* One output, or the element of it that is chosen. */
static void put_result(ad_buffer *b, const session *s, size_t i) {
  ad_shape shape;
  ad_buffer shown = {0};
  put_output_name(&shown, s, i);
  const char *name = ad_buffer_text(b, &shown);
  const ad_span v = session_value(s, i, &shape);
  switch (s->o->format) {
    case FORMAT_JSON:
      if (i) ad_buffer_puts(b, ", ");
      put_json_string(b, name);
      ad_buffer_puts(b, ": ");
      put_json_tensor(b, &v, &shape, s->o->digits);
      break;
    case FORMAT_CSV:
      for (size_t k = 0; k < v.count; k++) {
        put_csv_name(b, name);
        ad_buffer_printf(b, ",%zu,", k);
        put_number(b, &v, k, s->o->digits);
        ad_buffer_puts(b, "\n");
      }
      break;
    case FORMAT_NPY:
      put_npy_span(b, &v, &shape);
      break;
    default:
      ad_buffer_printf(b, "%s = ", name);
      put_text_tensor(b, &v, &shape, s->o->digits, text_width(name) + 3);
      ad_buffer_puts(b, "\n");
  }
  ad_buffer_clear(&shown);
}

static int put_results(ad_buffer *b, const session *s) {
  const output_format f = s->o->format;
  if (f == FORMAT_NPY && s->output_count != 1)
    return usage_error(s->o, "--format npy holds one array; choose the output with --output");
  if (f == FORMAT_JSON) ad_buffer_puts(b, "{\"outputs\": {");
  if (f == FORMAT_CSV) ad_buffer_puts(b, "output,element,value\n");
  for (size_t i = 0; i < s->output_count; i++) put_result(b, s, i);
  if (f == FORMAT_JSON) ad_buffer_puts(b, "}}\n");
  return 0;
}

static int run_one(const options *o, const char *path, ad_buffer *b) {
  session s;
  int status = session_open(&s, o, path);
  if (!status) status = session_plan(&s, false, 0, false);
  if (!status && o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  if (!status) status = put_results(b, &s);
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
