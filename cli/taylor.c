#include <string.h>

#include "cli.h"

static void put_csv_rows(ad_buffer *b, const char *output, const ad_span *v, unsigned digits, const char *what) {
  for (size_t k = 0; k < v->count; k++) {
    put_csv_name(b, output);
    ad_buffer_printf(b, ",%zu,", k);
    put_csv_name(b, what);
    ad_buffer_puts(b, ",");
    put_number(b, v, k, digits);
    ad_buffer_puts(b, "\n");
  }
}

/* ---- Series along a direction */

/* What moves is what is differentiated by, `diff: no` or not. */
static int add_wrt(session *s, ad_node input) {
  if (!s->wrt) s->wrt = ad_calloc(ad_graph_input_count(s->graph) + 1, sizeof *s->wrt);
  if (!s->wrt) return out_of_memory(s->o);
  for (size_t i = 0; i < s->wrt_count; i++)
    if (s->wrt[i] == input) return 0;
  s->wrt[s->wrt_count++] = input;
  return 0;
}

/* Without --direction the one scalar input that is not `diff: no` moves. */
static int default_direction(session *s, ad_point *d) {
  ad_error e = {0};
  ad_node x = AD_NO_NODE;
  uint64_t numbers = 0;
  for (ad_node n = 0; n < ad_graph_input_count(s->graph); n++)
    if (!ad_graph_input_fixed(s->graph, n)) x = n, numbers += (uint64_t)ad_shape_size(ad_graph_node_shape(s->graph, n));
  if (!ad_graph_input_count(s->graph)) return usage_error(s->o, "%s has no input that could move", s->path);
  if (x == AD_NO_NODE)
    return usage_error(s->o, "all inputs of %s are `diff: no`: say which one moves with --direction NAME=VALUE",
                       s->path);
  if (numbers != 1)
    return usage_error(s->o, "%s has %s number to move: say which way with --direction NAME=VALUE", s->path,
                       numbers ? "more than one" : "no");
  return ad_point_set_double(d, x, &(double){1}, 1, &e) ? report(s->o, &e) : add_wrt(s, x);
}

static int read_direction(session *s, ad_point **d) {
  ad_error e = {0};
  int status = ad_point_new(d, s->graph, &e) ? report(s->o, &e) : 0;
  if (!status && !s->o->direction_count) return s->o->order ? default_direction(s, *d) : 0;
  for (size_t i = 0; !status && i < s->o->direction_count; i++) {
    ad_node x;
    status = session_set(s, *d, "direction", &s->o->direction[i], &x);
    if (!status) status = add_wrt(s, x);
  }
  return status;
}

static int run_direction(const session *s, const ad_point *d) {
  ad_error e = {0};
  if (!s->order) return 0; /* the primal run has the value */
  if (!ad_workspace_set_direction(s->workspace, d, &e) && !ad_workspace_taylor(s->workspace, &e)) return 0;
  return report(s->o, &e);
}

static void put_series(ad_buffer *b, const session *s, size_t i, const char *name) {
  const output_format f = s->o->format;
  const ad_node n = ad_graph_output_node(s->graph, s->output[i]);
  const int width = snprintf(NULL, 0, "t^%u", s->order);
  ad_shape shape;
  if (f == FORMAT_TEXT) ad_buffer_printf(b, "%s\n", name);
  if (f == FORMAT_JSON) ad_buffer_puts(b, "[");
  for (uint32_t j = 0; j <= s->order; j++) {
    const ad_span c = session_part(s, i, ad_workspace_coefficient(s->workspace, j, n), &shape);
    char what[24];
    snprintf(what, sizeof what, f == FORMAT_CSV ? "%u" : "t^%u", j);
    if (f == FORMAT_CSV) {
      put_csv_rows(b, name, &c, s->o->digits, what);
    } else if (f == FORMAT_JSON) {
      if (j) ad_buffer_puts(b, ", ");
      put_json_tensor(b, &c, &shape, s->o->digits);
    } else {
      ad_buffer_printf(b, "  %-*s  ", width, what);
      put_text_tensor(b, &c, &shape, s->o->digits, width + 4);
      ad_buffer_puts(b, "\n");
    }
  }
  if (f == FORMAT_JSON) ad_buffer_puts(b, "]");
}

/* ---- Mixed derivatives */

typedef struct mixed_words {
  size_t count, order;
  ad_variable *variable;
} mixed_words;

static int read_mixed(mixed_words *m, session *s) {
  const options *o = s->o;
  size_t room = 0;
  for (size_t i = 0; i < o->mixed_count; i++) room += strlen(o->mixed[i]) + 1;
  m->count = o->mixed_count;
  m->variable = ad_calloc(room, sizeof *m->variable);
  if (!m->variable) return out_of_memory(o);
  size_t used = 0;
  for (size_t i = 0; i < o->mixed_count; i++) {
    const size_t before = used;
    for (const char *p = o->mixed[i];; p++) {
      int status = session_variable(s, "mixed", &p, &m->variable[used]);
      if (!status) status = add_wrt(s, m->variable[used++].input);
      if (status) return status;
      if (!*p) break;
    }
    if (i && used - before != m->order)
      return usage_error(o, "all --mixed derivatives are of one order; '%s' is not of order %zu", o->mixed[i],
                         m->order);
    m->order = used - before;
  }
  if (o->given[OPT_ORDER] && o->order != m->order)
    return usage_error(o, "--order %u is not that of --mixed: leave it out", o->order);
  return 0;
}

static void put_mixed(ad_buffer *b, const session *s, const ad_mixed *m, size_t i, const char *name) {
  const output_format f = s->o->format;
  ad_shape shape;
  if (f == FORMAT_TEXT) ad_buffer_printf(b, "%s\n", name);
  if (f == FORMAT_JSON) ad_buffer_puts(b, "{");
  for (size_t k = 0; k < s->o->mixed_count; k++) {
    const ad_span v = session_part(s, i, ad_mixed_derivative(m, k, i), &shape);
    const char *what = s->o->mixed[k];
    if (f == FORMAT_CSV) {
      put_csv_rows(b, name, &v, s->o->digits, what);
    } else if (f == FORMAT_JSON) {
      if (k) ad_buffer_puts(b, ", ");
      put_json_string(b, what);
      ad_buffer_puts(b, ": ");
      put_json_tensor(b, &v, &shape, s->o->digits);
    } else {
      ad_buffer_printf(b, "  d/d(%s) = ", what);
      put_text_tensor(b, &v, &shape, s->o->digits, text_width(what) + 10);
      ad_buffer_puts(b, "\n");
    }
  }
  if (f == FORMAT_JSON) ad_buffer_puts(b, "}");
}

static int plan_mixed(ad_mixed **out, const session *s, const mixed_words *m) {
  ad_error e = {0};
  ad_node *nodes = ad_calloc(s->output_count + 1, sizeof *nodes);
  if (!nodes) return out_of_memory(s->o);
  for (size_t i = 0; i < s->output_count; i++) nodes[i] = ad_graph_output_node(s->graph, s->output[i]);
  const ad_mixed_request r = {(uint32_t)m->order, m->count, m->variable, s->output_count, nodes};
  ad_status status = ad_mixed_new(out, s->workspace, &r, &e);
  if (!status) status = ad_mixed_run(*out, &e);
  ad_free(nodes);
  return status ? report(s->o, &e) : 0;
}

/* ---- Both */

static void put_results(ad_buffer *b, const session *s, const ad_mixed *m, size_t order) {
  const output_format f = s->o->format;
  if (f == FORMAT_JSON && m) ad_buffer_printf(b, "{\"order\": %zu, \"mixed\": {", order);
  if (f == FORMAT_JSON && !m) ad_buffer_printf(b, "{\"order\": %u, \"outputs\": {", s->order);
  if (f == FORMAT_CSV) ad_buffer_puts(b, m ? "output,element,by,derivative\n" : "output,element,power,coefficient\n");
  for (size_t i = 0; i < s->output_count; i++) {
    ad_buffer name = {0};
    put_output_name(&name, s, i);
    const char *text = ad_buffer_text(b, &name);
    if (f == FORMAT_JSON) {
      if (i) ad_buffer_puts(b, ", ");
      put_json_string(b, text);
      ad_buffer_puts(b, ": ");
    }
    if (m)
      put_mixed(b, s, m, i, text);
    else
      put_series(b, s, i, text);
    ad_buffer_clear(&name);
  }
  if (f == FORMAT_JSON) ad_buffer_puts(b, "}}\n");
}

static int run_one(const options *o, const char *path, ad_buffer *b) {
  session s;
  mixed_words words = {0};
  ad_point *direction = NULL;
  ad_mixed *m = NULL;
  if (o->mixed_count && o->direction_count)
    return usage_error(o, "--mixed has directions of its own: leave --direction out");
  if (!o->mixed_count && !o->given[OPT_ORDER]) return usage_error(o, "taylor wants --order K, or --mixed NAME,...");
  int status = session_open(&s, o, path);
  if (!status) status = o->mixed_count ? read_mixed(&words, &s) : read_direction(&s, &direction);
  s.order = o->mixed_count ? 0 : o->order;
  if (!status) status = session_plan(&s, false, 0, false);
  if (!status) status = o->mixed_count ? plan_mixed(&m, &s, &words) : run_direction(&s, direction);
  if (!status && o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  if (!status) put_results(b, &s, m, words.order);
  if (!status) status = session_notes(&s);
  ad_mixed_free(m);
  ad_point_free(direction);
  ad_free(words.variable);
  session_close(&s);
  return status;
}

static int run(const options *o) {
  return for_each_graph(o, run_one);
}

static const option_id takes[] = {OPT_ORDER,  OPT_DIRECTION,      OPT_MIXED,   OPTIONS_OF_POINT,
                                  OPT_OUTPUT, OPTIONS_OF_NUMBERS, OPT_THREADS, OPTIONS_OF_RESULT};
const command command_taylor = {
    "taylor",
    "GRAPH...",
    "Taylor series along a direction, and mixed derivatives",
    "With --order K the inputs move from the point by t times the direction, and each output is shown as the\n"
    "coefficients c_0 + c_1 t + ... + c_K t^K: c_j is its j-th derivative along the direction divided by j!.  An "
    "input\n"
    "without --direction stays where it is; a graph's only input, a scalar, moves with speed 1 if nothing is said.\n"
    "With --mixed x,x,y the derivative d^3/dx^2 dy of each output, and so on; its order is the number of names.\n"
    "With --format json the result is {\"order\": K, \"outputs\": {NAME: [C0, C1, ...]}}, tensors as nested arrays, "
    "or\n"
    "{\"order\": K, \"mixed\": {NAME: {\"x,x,y\": VALUE}}}.",
    1,
    SIZE_MAX,
    takes,
    FORMATS_WORDS | FORMAT_BIT(FORMAT_CSV),
    run};
