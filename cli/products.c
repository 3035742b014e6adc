/* jvp and vjp: the Jacobian times a direction, and weights times the Jacobian, each by one sweep. */
#include <string.h>

#include "cli.h"
#include "ir/point.h"

static const char *option_of(bool forward) {
  return forward ? "direction" : "weight";
}

/* The names are read as the values of inputs would be, but exactly, whatever type a file marks an input with. */
int vector_read(vector *v, const session *s, bool forward) {
  ad_error e = {0};
  session *t = &v->values;
  *v = (vector){.values = {.o = s->o, .path = s->path}, .of = s, .forward = forward};
  const size_t count = forward ? ad_graph_input_count(s->graph) : ad_graph_output_count(s->graph);
  ad_status status = ad_graph_new(&t->graph, &s->o->limits, &e);
  for (size_t i = 0; !status && i < count; i++) {
    const ad_node n = forward ? (ad_node)i : ad_graph_output_node(s->graph, i);
    const ad_input_spec spec = {.name = forward ? ad_graph_node_name(s->graph, n) : ad_graph_output_name(s->graph, i),
                                .shape = *ad_graph_node_shape(s->graph, n)};
    ad_node made;
    status = ad_graph_input(t->graph, &made, &spec, &e);
  }
  if (!status) status = ad_point_new(&t->point, t->graph, &e);
  if (status) return report(s->o, &e);
  const size_t given = forward ? s->o->direction_count : s->o->weight_count;
  for (size_t i = 0; i < given; i++) {
    const assignment *a = &(forward ? s->o->direction : s->o->weight)[i];
    if (!forward && ad_graph_find_output(s->graph, a->name) == SIZE_MAX) return session_no_output(s, a->name);
    const int failed = session_set(t, t->point, option_of(forward), a, NULL);
    if (failed) return failed;
  }
  return given ? 0 : usage_error(s->o, "a product wants a vector: --%s NAME=VALUE", option_of(forward));
}

void vector_clear(vector *v) {
  ad_point_free(v->values.point);
  ad_graph_free(v->values.graph);
}

/* Only inputs with a direction, or outputs with weights, matter. */
static int choose(session *s, const vector *v) {
  const size_t count = ad_graph_input_count(v->values.graph);
  if (v->forward) {
    s->wrt = ad_calloc(count + 1, sizeof *s->wrt);
    if (!s->wrt) return out_of_memory(s->o);
  }
  if (!v->forward) s->output_count = 0;
  for (size_t i = 0; i < count; i++) {
    if (!v->values.point->value[i]) continue;
    if (v->forward)
      s->wrt[s->wrt_count++] = (ad_node)i;
    else
      s->output[s->output_count++] = i;
  }
  return 0;
}

static ad_status sweep(session *s, const vector *v, ad_error *e) {
  ad_status status = AD_OK;
  ad_workspace_clear_seeds(s->workspace);
  for (size_t i = 0; !status && v->forward && i < s->wrt_count; i++)
    status = ad_workspace_seed_tangents(s->workspace, 0, s->wrt[i], v->values.point->value[s->wrt[i]], e);
  for (size_t i = 0; !status && !v->forward && i < s->output_count; i++)
    status = ad_workspace_seed_adjoints(s->workspace, ad_graph_output_node(s->graph, s->output[i]),
                                        v->values.point->value[s->output[i]], e);
  return status ? status : (v->forward ? ad_workspace_forward : ad_workspace_reverse)(s->workspace, e);
}

/* Result number i: an output's tangent or an input's adjoint. */
static ad_span result_at(const void *context, size_t i, ad_buffer *name, ad_shape *shape) {
  const vector *v = context;
  const session *s = v->of;
  const ad_node n = v->forward ? ad_graph_output_node(s->graph, s->output[i]) : ad_program_wrt(s->program, i);
  *shape = *ad_graph_node_shape(s->graph, n);
  if (!v->forward) {
    ad_buffer_puts(name, ad_graph_node_name(s->graph, n));
    return ad_workspace_adjoint(s->workspace, n);
  }
  put_output_name(name, s, i);
  return session_part(s, i, ad_workspace_tangent(s->workspace, 0, n), shape);
}

int put_product(ad_buffer *b, const options *o, const char *product, bool outputs, size_t count, product_part *part,
                const void *context) {
  const output_format f = o->format;
  if (f == FORMAT_NPY && count != 1)
    return usage_error(o, "--format npy holds one array; choose one %s",
                       outputs ? "output with --output" : "input with --wrt");
  if (f == FORMAT_JSON) ad_buffer_printf(b, "{\"%s\": {", product);
  if (f == FORMAT_CSV) ad_buffer_printf(b, "%s,element,derivative\n", outputs ? "output" : "input");
  for (size_t i = 0; i < count; i++) {
    ad_shape shape;
    ad_buffer shown = {0};
    const ad_span v = part(context, i, &shown, &shape);
    const char *name = ad_buffer_text(b, &shown);
    if (f == FORMAT_JSON) {
      if (i) ad_buffer_puts(b, ", ");
      put_json_string(b, name);
      ad_buffer_puts(b, ": ");
      put_json_tensor(b, &v, &shape, o->digits);
    } else if (f == FORMAT_CSV) {
      for (size_t k = 0; k < v.count; k++) {
        put_csv_name(b, name);
        ad_buffer_printf(b, ",%zu,", k);
        put_number(b, &v, k, o->digits);
        ad_buffer_puts(b, "\n");
      }
    } else if (f == FORMAT_NPY) {
      put_npy_span(b, &v, &shape);
    } else {
      ad_buffer_printf(b, "%s = ", name);
      put_text_tensor(b, &v, &shape, o->digits, text_width(name) + 3);
      ad_buffer_puts(b, "\n");
    }
    ad_buffer_clear(&shown);
  }
  if (f == FORMAT_JSON) ad_buffer_puts(b, "}}\n");
  return 0;
}

static int run_one(const options *o, const char *path, ad_buffer *b, bool forward) {
  session s = {0};
  vector v = {0};
  ad_error e = {0};
  const ad_backend *backend = o->backend ? o->backend : ad_backend_find(forward ? "dual" : "tape");
  if (!ad_backend_supports(backend, forward ? AD_MODE_FORWARD : AD_MODE_REVERSE))
    return usage_error(o, "the backend '%s' has no %s mode", ad_backend_name(backend), forward ? "forward" : "reverse");
  int status = session_open(&s, o, path);
  s.backend = backend;
  if (!status) status = vector_read(&v, &s, forward);
  if (!status) status = choose(&s, &v);
  if (!status) status = session_plan(&s, false, forward, !forward);
  if (!status && sweep(&s, &v, &e)) status = session_report(&s, &e);
  if (!status && o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  if (!status)
    status = put_product(b, o, forward ? "jvp" : "vjp", forward,
                         forward ? s.output_count : ad_program_wrt_count(s.program), result_at, &v);
  if (!status && !forward) session_note_wrt(&s);
  if (!status) status = session_notes(&s);
  vector_clear(&v);
  session_close(&s);
  return status;
}

static int run_one_jvp(const options *o, const char *path, ad_buffer *b) {
  return run_one(o, path, b, true);
}

static int run_one_vjp(const options *o, const char *path, ad_buffer *b) {
  return run_one(o, path, b, false);
}

static int run_jvp(const options *o) {
  return for_each_graph(o, run_one_jvp);
}

static int run_vjp(const options *o) {
  return for_each_graph(o, run_one_vjp);
}

static const option_id jvp_takes[] = {OPTIONS_OF_POINT,   OPT_DIRECTION, OPT_OUTPUT,
                                      OPTIONS_OF_NUMBERS, OPT_THREADS,   OPTIONS_OF_RESULT};
const command command_jvp = {
    "jvp",
    "GRAPH...",
    "Jacobian times a direction, by one forward sweep",
    "Computes how the outputs move when the inputs move in a direction: the Jacobian times the vector whose parts\n"
    "are given with --direction; inputs that are not named stand still.\n"
    "With --format json the result is {\"jvp\": {OUTPUT: VALUE}}, tensors as nested arrays.",
    1,
    SIZE_MAX,
    jvp_takes,
    FORMATS_VALUES,
    run_jvp};

static const option_id vjp_takes[] = {OPTIONS_OF_POINT,   OPT_WEIGHT,  OPT_WRT,
                                      OPTIONS_OF_NUMBERS, OPT_THREADS, OPTIONS_OF_RESULT};
const command command_vjp = {
    "vjp",
    "GRAPH...",
    "weights times the Jacobian, by one reverse sweep",
    "Computes the gradient of a weighted sum of the outputs' elements: the vector whose parts are given with --weight\n"
    "times the Jacobian; outputs that are not named have weight 0.\n"
    "With --format json the result is {\"vjp\": {INPUT: VALUE}}, tensors as nested arrays.",
    1,
    SIZE_MAX,
    vjp_takes,
    FORMATS_VALUES,
    run_vjp};
