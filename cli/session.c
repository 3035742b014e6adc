/* A graph, its point, and what the options say about inputs and outputs. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "error.h"
#include "ir/number.h"
#include "ir/point.h"
#include "npy/npy.h"

enum { SHOWN_NOTES = 5 };

static const char *next_input(const void *context, size_t i) {
  const ad_graph *g = context;
  return i < ad_graph_input_count(g) ? ad_graph_node_name(g, (ad_node)i) : NULL;
}

static const char *next_output(const void *context, size_t i) {
  const ad_graph *g = context;
  return i < ad_graph_output_count(g) ? ad_graph_output_name(g, i) : NULL;
}

static int no_such(const session *s, const char *what, const char *name, ad_candidate_fn *next) {
  const char *near = ad_suggest(name, next, s->graph);
  if (near) return usage_error(s->o, "%s has no %s '%s' (did you mean '%s'?)", s->path, what, name, near);
  return usage_error(s->o, "%s has no %s '%s'; `adtool info` lists them", s->path, what, name);
}

int session_no_output(const session *s, const char *name) {
  return no_such(s, "output", name, next_output);
}

/* ---- The point */

static int set_from_npy(session *s, ad_point *point, ad_node n, const char *name, const char *path) {
  ad_error e = {0};
  ad_npy npy = {0};
  if (ad_npy_load(&npy, path, s->o->limits.max_bytes, &e)) return report(s->o, &e);
  ad_status status = AD_OK;
  const ad_shape *want = ad_graph_node_shape(s->graph, n);
  if (npy.shape.rank > 1 && !ad_shape_equal(&npy.shape, want)) {
    char have[AD_SHAPE_TEXT], text[AD_SHAPE_TEXT];
    ad_shape_text(have, &npy.shape);
    ad_shape_text(text, want);
    status = ad_fail(&e, AD_EINPUT, "the array in '%s' has shape %s, but '%s' has %s", path, have, name, text);
  }
  if (!status) status = ad_point_set_double(point, n, npy.value, (size_t)ad_shape_size(&npy.shape), &e);
  ad_npy_clear(&npy);
  return status ? report(s->o, &e) : 0;
}

int session_set(session *s, ad_point *p, const char *option, const assignment *a, ad_node *input) {
  const ad_node n = ad_graph_find_node(s->graph, a->name);
  if (n >= ad_graph_input_count(s->graph)) return no_such(s, "input", a->name, next_input);
  if (input) *input = n;
  if (a->value[0] == '@') return set_from_npy(s, p, n, a->name, a->value + 1);
  ad_error e = {0};
  if (!ad_point_set_text(p, a->name, a->value, &e)) return 0;
  return report_option(s->o, option, a->name, &e);
}

static int read_point(session *s) {
  ad_error e = {0};
  if (ad_point_new(&s->point, s->graph, &e)) return report(s->o, &e);
  if (s->o->point && ad_point_load(s->point, s->o->point, &e)) return report(s->o, &e);
  for (size_t i = 0; i < s->o->at_count; i++) {
    int status = session_set(s, s->point, "at", &s->o->at[i], NULL);
    if (status) return status;
  }
  return 0;
}

/* ---- --wrt, --output, --seed */

static int read_wrt(session *s) {
  if (!s->o->wrt_count) return 0;
  size_t most = 0;
  for (size_t i = 0; i < s->o->wrt_count; i++) most += strlen(s->o->wrt[i]) + 1;
  s->wrt = ad_calloc(most, sizeof *s->wrt);
  if (!s->wrt) return out_of_memory(s->o);
  for (size_t i = 0; i < s->o->wrt_count; i++) {
    for (const char *p = s->o->wrt[i];; p++) {
      char name[AD_MAX_NAME + 1];
      const int status = name_of_list(s->o, "wrt", &p, name);
      if (status) return status;
      const ad_node n = ad_graph_find_node(s->graph, name);
      if (n >= ad_graph_input_count(s->graph)) return no_such(s, "input", name, next_input);
      s->wrt[s->wrt_count++] = n;
      if (!*p) break;
    }
  }
  return 0;
}

/* Where in a tensor the index behind an opening bracket is: indices count from 0, negative ones from the end. */
static int read_index(const options *o, const char *option, const element_text *t, const ad_shape *shape,
                      size_t *element) {
  const char *p = t->index;
  size_t at = 0;
  for (int i = 0; i < shape->rank; i++) {
    char *end;
    long long v = strtoll(p, &end, 10);
    if (end == p) break;
    if (v < -shape->dim[i] || v >= shape->dim[i])
      return usage_error(o, "--%s %s: index %.*s is out of range for axis %d of size %lld", option, t->text,
                         (int)(end - p), p, i, (long long)shape->dim[i]);
    if (v < 0) v += shape->dim[i];
    at = at * (size_t)shape->dim[i] + (size_t)v;
    p = end;
    while (*p == ' ') p++;
    if (i + 1 == shape->rank) break;
    if (*p++ != ',') {
      p = "";
      break;
    }
  }
  if (!shape->rank) return usage_error(o, "--%s %s: '%s' is a scalar; leave the index out", option, t->text, t->name);
  if (*p != ']' || p[1 + strspn(p + 1, " ")]) {
    char shown[AD_SHAPE_TEXT];
    ad_shape_text(shown, shape);
    return usage_error(o, "--%s %s: '%s' has shape %s; give one index for each axis", option, t->text, t->name, shown);
  }
  *element = at;
  return 0;
}

/* The output or input that is meant, and which element of it; SIZE_MAX: none, it has all of them. */
static int find_element(const session *s, const char *option, const element_text *t, bool output, size_t *position,
                        size_t *element) {
  const ad_graph *g = s->graph;
  *element = SIZE_MAX;
  for (int k = 0; k < 2; k++) {
    const char *name = k ? t->name : t->whole;
    const ad_node n = output ? AD_NO_NODE : ad_graph_find_node(g, name);
    *position = output ? ad_graph_find_output(g, name) : n < ad_graph_input_count(g) ? n : SIZE_MAX;
    if (*position == SIZE_MAX) continue;
    if (!k || !t->index) return 0;
    return read_index(s->o, option, t, ad_graph_node_shape(g, output ? ad_graph_output_node(g, *position) : n),
                      element);
  }
  return no_such(s, output ? "output" : "input", t->name, output ? next_output : next_input);
}

/* NAME or NAME[i, j]. */
static int read_output(session *s) {
  size_t count = ad_graph_output_count(s->graph);
  s->output = ad_calloc(count + 1, sizeof *s->output);
  s->element = ad_calloc(count + 1, sizeof *s->element);
  if (!s->output || !s->element) return out_of_memory(s->o);
  if (!s->o->output) {
    for (size_t i = 0; i < count; i++) s->output[i] = i, s->element[i] = SIZE_MAX;
    s->output_count = count;
    return 0;
  }
  element_text t;
  const char *p = s->o->output;
  const int status = element_read(s->o, "output", &p, false, &t);
  s->output_count = 1;
  return status ? status : find_element(s, "output", &t, true, &s->output[0], &s->element[0]);
}

int session_variable(const session *s, const char *option, const char **list, ad_variable *v) {
  element_text t;
  size_t position, element;
  int status = element_read(s->o, option, list, true, &t);
  if (!status) status = find_element(s, option, &t, false, &position, &element);
  if (status) return status;
  *v = (ad_variable){(ad_node)position, element == SIZE_MAX ? 0 : element};
  const ad_shape *shape = ad_graph_node_shape(s->graph, v->input);
  if (element != SIZE_MAX || ad_shape_size(shape) == 1) return 0;
  char shown[AD_SHAPE_TEXT];
  ad_shape_text(shown, shape);
  return usage_error(s->o, "--%s %s: '%s' has shape %s; choose an element: %s[...]", option, t.text, t.name, shown,
                     t.name);
}

static int read_seed(session *s) {
  if (!s->o->seed) return 0;
  if (s->element[0] != SIZE_MAX)
    return usage_error(s->o, "--seed weighs all elements of an output; with it --output names no element");
  /* The weights have the output's shape, so they are read as the value of an input of that shape would be. */
  ad_error e = {0};
  ad_graph *g = NULL;
  ad_point *p = NULL;
  ad_node n;
  const ad_shape *shape = ad_graph_node_shape(s->graph, ad_graph_output_node(s->graph, s->output[0]));
  s->seed_count = (size_t)ad_shape_size(shape);
  s->weight = ad_numbers_new();
  if (!s->weight) return out_of_memory(s->o);
  ad_status status = ad_graph_new(&g, &s->o->limits, &e);
  if (!status) status = ad_graph_input(g, &n, &(ad_input_spec){.name = "seed", .shape = *shape}, &e);
  if (!status) status = ad_point_new(&p, g, &e);
  if (!status) status = ad_point_set_text(p, "seed", s->o->seed, &e);
  for (size_t i = 0; !status && i < s->seed_count; i++)
    status = ad_numbers_push_from(s->weight, p->value[n], ad_numbers_count(p->value[n]) > 1 ? i : 0, &e);
  ad_point_free(p);
  ad_graph_free(g);
  return status ? report_option(s->o, "seed", "", &e) : 0;
}

int session_scalar(const session *s, size_t i) {
  const ad_shape *shape = ad_graph_node_shape(s->graph, ad_graph_output_node(s->graph, s->output[i]));
  const int64_t size = ad_shape_size(shape);
  if (size == 1) return 0;
  ad_buffer b = {0};
  const char *name = ad_graph_output_name(s->graph, s->output[i]);
  char text[AD_SHAPE_TEXT];
  ad_shape_text(text, shape);
  ad_buffer_printf(&b, "the output '%s' has shape %s; ", name, text);
  if (size) {
    ad_buffer_puts(&b, "ask for one element (--output '");
    put_name(&b, name);
    put_element(&b, shape, 0);
    ad_buffer_puts(&b, "') or for a weighted sum (--output ");
    put_word(&b, name);
    ad_buffer_puts(&b, " --seed 1)");
  } else {
    ad_buffer_puts(&b, "it has no element to differentiate: choose another one with --output");
  }
  const int status = b.failed ? out_of_memory(s->o) : usage_error(s->o, "%s", b.data);
  ad_buffer_clear(&b);
  return status;
}

int session_open(session *s, const options *o, const char *path) {
  ad_error e = {0};
  *s = (session){.o = o, .path = strcmp(path, "-") ? path : "standard input"};
  s->backend = o->backend ? o->backend : ad_backend_find(o->mode == AD_MODE_FORWARD ? "dual" : "tape");
  s->mode = o->mode ? o->mode : ad_backend_mode(s->backend);
  s->borrowed = o->opened != NULL;
  if (s->borrowed)
    s->graph = o->opened->graph;
  else if (load_graph(&s->graph, o, path, &e))
    return report(o, &e);
  if (!ad_graph_output_count(s->graph)) {
    ad_fail(&e, AD_EINPUT, "the graph has no outputs, so there is nothing to compute");
    return session_report(s, &e);
  }
  if (s->borrowed) s->point = o->opened->point;
  int status = s->borrowed ? 0 : read_point(s);
  if (!status) status = read_wrt(s);
  if (!status) status = read_output(s);
  if (!status) status = read_seed(s);
  return status;
}

int session_report(const session *s, ad_error *e) {
  if (!e->file[0] && e->code == AD_EINPUT) snprintf(e->file, sizeof e->file, "%s", s->path);
  return report(s->o, e);
}

int session_program(session *s, ad_program_options p) {
  ad_error e = {0};
  ad_node *nodes = ad_calloc(s->output_count + 1, sizeof *nodes);
  if (!nodes) return out_of_memory(s->o);
  for (size_t i = 0; i < s->output_count; i++) nodes[i] = ad_graph_output_node(s->graph, s->output[i]);
  p.output_count = s->output_count;
  p.outputs = nodes;
  p.wrt_count = s->wrt_count;
  p.wrt = s->wrt;
  ad_status status = ad_program_new(&s->program, s->graph, &p, &e);
  ad_free(nodes);
  return status ? session_report(s, &e) : 0;
}

int session_plan(session *s, bool keep_all, uint32_t directions, bool reverse) {
  ad_error e = {0};
  int failed = session_program(
      s, (ad_program_options){.keep_all = keep_all, .outputs_only = !keep_all, .values_only = !directions && !reverse});
  if (failed) return failed;
  ad_workspace_options w = {.precision = session_precision(s),
                            .directions = directions,
                            .reverse = reverse,
                            .order = s->order,
                            .threads = s->o->threads ? s->o->threads : ad_team_processors()};
  ad_status status = ad_workspace_new(&s->workspace, s->program, s->backend, &w, &e);
  if (!status) status = ad_workspace_set_point(s->workspace, s->point, &e);
  if (!status) status = ad_workspace_primal(s->workspace, &e);
  return status ? session_report(s, &e) : 0;
}

int session_gradient(const session *s, size_t i) {
  ad_error e = {0};
  size_t element = s->element[i];
  ad_gradient_request r = {.output = ad_graph_output_node(s->graph, s->output[i]), .mode = s->mode};
  if (s->seed_count) {
    r.seed_count = s->seed_count;
    r.exact = s->weight;
  } else if (element != SIZE_MAX) {
    r.seed_count = 1;
    r.element = &element;
  } else {
    int status = session_scalar(s, i);
    if (status) return status;
  }
  return ad_workspace_run_gradient(s->workspace, &r, &e) ? report(s->o, &e) : 0;
}

uint32_t check_precision(const options *o) {
  return o->given[OPT_MAX_PRECISION] ? o->limits.max_precision : 0;
}

ad_check_options session_check_options(const session *s, const ad_node *outputs) {
  return (ad_check_options){.wrt_count = s->wrt_count,
                            .wrt = s->wrt,
                            .output_count = s->output_count,
                            .outputs = outputs,
                            .max_entries = s->o->max_entries,
                            .probes = s->o->probes,
                            .seed = s->o->random_seed,
                            .max_precision = check_precision(s->o),
                            .min_digits = s->o->min_digits};
}

/* ---- Names */

/* The element's index, as --output says it. */
void put_element(ad_buffer *b, const ad_shape *shape, size_t element) {
  size_t index[AD_MAX_RANK];
  for (int d = shape->rank - 1; d >= 0; d--) {
    index[d] = element % (size_t)shape->dim[d];
    element /= (size_t)shape->dim[d];
  }
  ad_buffer_puts(b, "[");
  for (int d = 0; d < shape->rank; d++) ad_buffer_printf(b, d ? ",%zu" : "%zu", index[d]);
  ad_buffer_puts(b, "]");
}

void put_output_name(ad_buffer *b, const session *s, size_t i) {
  ad_buffer_puts(b, ad_graph_output_name(s->graph, s->output[i]));
  if (s->element[i] != SIZE_MAX)
    put_element(b, ad_graph_node_shape(s->graph, ad_graph_output_node(s->graph, s->output[i])), s->element[i]);
}

ad_span session_part(const session *s, size_t i, ad_span v, ad_shape *shape) {
  *shape = *ad_graph_node_shape(s->graph, ad_graph_output_node(s->graph, s->output[i]));
  if (s->element[i] == SIZE_MAX) return v;
  *shape = (ad_shape){0};
  return span_element(&v, s->element[i]);
}

ad_span session_value(const session *s, size_t i, ad_shape *shape) {
  return session_part(s, i, ad_workspace_value(s->workspace, ad_graph_output_node(s->graph, s->output[i])), shape);
}

/* ---- Notes */

typedef struct seen {
  const session *s;
  size_t shown, kinks, edges, outside, nan, inf;
} seen;

static void notice(void *context, ad_node n, size_t element, unsigned flags) {
  seen *c = context;
  c->kinks += (flags & AD_AT_KINK) != 0;
  c->edges += (flags & AD_AT_EDGE) != 0;
  c->outside += (flags & AD_OUTSIDE) != 0;
  c->nan += (flags & AD_MADE_NAN) != 0;
  c->inf += (flags & AD_MADE_INF) != 0;
  if (c->shown++ >= SHOWN_NOTES) return;
  char node[AD_NODE_TEXT], where[32] = "";
  const ad_graph *g = c->s->graph;
  const ad_op op = ad_graph_node_op(g, n);
  ad_graph_node_text(g, n, node);
  if (ad_graph_node_shape(g, n)->rank) snprintf(where, sizeof where, ", element %zu", element);
  const char *what = flags & AD_OUTSIDE    ? "is outside the domain of"
                     : flags & AD_MADE_NAN ? "made the first nan, by"
                     : flags & AD_AT_EDGE  ? "is on the edge of the domain of"
                     : flags & AD_AT_KINK  ? "stands on a kink of"
                                           : "made an infinity, by";
  const char *taken = follows_policy(op) ? ": its derivative there is the graph's policy"
                                         : ": it has no derivative there, and `adtool ops` says what is taken";
  note(c->s->o, "%s: %s%s %s %s%s", c->s->path, node, where, what, ad_op_get(op)->name,
       flags & AD_AT_KINK && !(flags & ~(unsigned)AD_AT_KINK) ? taken : "");
}

bool *session_active(const session *s) {
  const ad_node *args;
  bool *active = ad_calloc(ad_graph_node_count(s->graph) + 1, sizeof *active);
  for (size_t i = 0; active && i < ad_program_wrt_count(s->program); i++) active[ad_program_wrt(s->program, i)] = true;
  for (ad_node n = 0; active && n < ad_graph_node_count(s->graph); n++)
    for (size_t k = ad_graph_node_args(s->graph, n, &args); k-- > 0;) active[n] = active[n] || active[args[k]];
  return active;
}

void session_note_wrt(const session *s) {
  const size_t inputs = ad_graph_input_count(s->graph);
  bool any = s->wrt_count;
  for (ad_node n = 0; !any && n < inputs; n++) any = !ad_graph_input_fixed(s->graph, n);
  if (!any)
    note(s->o,
         inputs ? "%s: all inputs are `diff: no`; name those to differentiate by with --wrt"
                : "%s: there is no input to differentiate by",
         s->path);
}

void session_note_overflow(const session *s, const bool *elsewhere) {
  const size_t inputs = ad_graph_input_count(s->graph);
  const ad_op constant = ad_op_find("constant");
  size_t found = 0;
  for (ad_node n = 0; n < ad_graph_node_count(s->graph); n++) {
    if (n < inputs ? elsewhere && elsewhere[n] : ad_graph_node_op(s->graph, n) != constant) continue;
    const ad_numbers *given = n < inputs ? s->point->value[n] : NULL;
    const ad_values own = ad_graph_node_values(s->graph, n);
    const size_t count = given ? given->count : own.count;
    for (size_t i = 0; i < count; i++) {
      if (isfinite(given ? given->value[i] : own.value[i])) continue;
      const char *text = given ? ad_numbers_text(given, i) : ad_values_text(&own, i);
      if (!text || found++ >= SHOWN_NOTES) continue;
      char node[AD_NODE_TEXT];
      ad_graph_node_text(s->graph, n, node);
      note(s->o, "%s: %s: %.40s is beyond double, which has %s for it; --backend mpfr keeps it", s->path, node, text,
           *text == '-' ? "-inf" : "inf");
    }
  }
  if (found > SHOWN_NOTES) note(s->o, "%s: in all %zu numbers are beyond double", s->path, found);
}

int session_note_undetermined(const session *s, const ad_workspace *w, const ad_graph *g) {
  ad_node n;
  size_t element;
  char node[AD_NODE_TEXT] = "a node", where[32] = "";
  if (s->o->silent || !ad_workspace_undetermined(w, &n, &element)) return 0;
  if (n != AD_NO_NODE && g) {
    ad_graph_node_text(g, n, node);
    if (ad_graph_node_shape(g, n)->rank) snprintf(where, sizeof where, ", element %zu", element);
  }
  note_always("%s: %s%s: zero times infinity on the way of a derivative, which can be any number: nan", s->path, node,
              where);
  if (!s->o->strict) return 0;
  ad_error e = {.code = AD_EDOMAIN, .offset = -1};
  snprintf(e.file, sizeof e.file, "%s", s->path);
  snprintf(e.message, sizeof e.message, "a derivative is zero times infinity (--strict)");
  return report(s->o, &e);
}

int session_notes(const session *s) {
  seen c = {.s = s};
  if (s->o->silent) return 0;
  if (ad_backend_kind(s->backend) == AD_KIND_F64) session_note_overflow(s, NULL);
  ad_workspace_diagnose(s->workspace, notice, &c);
  if (c.shown > SHOWN_NOTES)
    note(s->o, "%s: in all %zu on a kink, %zu on an edge, %zu outside a domain, %zu made nan, %zu made an infinity",
         s->path, c.kinks, c.edges, c.outside, c.nan, c.inf);
  const int undetermined = session_note_undetermined(s, s->workspace, s->graph);
  if (undetermined || !s->o->strict || !(c.outside || c.nan || c.inf)) return undetermined;
  ad_error e = {.code = AD_EDOMAIN, .offset = -1};
  snprintf(e.file, sizeof e.file, "%s", s->path);
  size_t left = c.outside > c.nan + c.inf ? c.outside : c.nan + c.inf;
  snprintf(e.message, sizeof e.message,
           left == 1 ? "a number left the domain of its operation (--strict)"
                     : "%zu numbers left the domain of their operation (--strict)",
           left);
  return report(s->o, &e);
}

void session_close(session *s) {
  ad_workspace_free(s->workspace);
  ad_program_free(s->program);
  if (!s->borrowed) {
    ad_point_free(s->point);
    ad_graph_free(s->graph);
  }
  ad_free(s->wrt);
  ad_free(s->output);
  ad_free(s->element);
  ad_numbers_free(s->weight);
}

int for_each_graph(const options *o, graph_command *one) {
  ad_buffer b = {0};
  int first = 0;
  for (size_t i = 0; i < o->file_count; i++) {
    size_t before = b.size;
    int status = proof_run(o, one, o->file[i], &b);
    if (status > EXIT_CHECK_FAILED) b.size = before, b.failed = false; /* half a result is none */
    if (!o->out) {
      const int sent = send(o, &b);
      if (sent && status <= EXIT_CHECK_FAILED) status = sent;
    }
    if (status && !first) first = status;
  }
  const int sent = o->out && first <= EXIT_CHECK_FAILED ? send(o, &b) : 0;
  ad_buffer_clear(&b);
  return sent ? sent : first;
}
