#include "dot/dot.h"

#include "cli.h"

enum { DIGITS = 6 }; /* in a picture, unless --digits says more */

typedef struct picture {
  const session *s;
  bool *active; /* with --adjoints */
} picture;

/* The node's value and adjoint, a line each. */
static void lines(void *context, ad_node n, ad_buffer *out) {
  const picture *p = context;
  const session *s = p->s;
  const unsigned digits = s->o->digits ? s->o->digits : DIGITS;
  if (s->o->values) {
    const ad_span v = ad_workspace_value(s->workspace, n);
    ad_buffer_puts(out, "\n= ");
    put_short_tensor(out, &v, ad_graph_node_shape(s->graph, n), digits);
  }
  if (p->active && p->active[n]) {
    const ad_span d = ad_workspace_adjoint(s->workspace, n);
    ad_buffer_puts(out, "\nadjoint ");
    put_short_tensor(out, &d, ad_graph_node_shape(s->graph, n), digits);
  }
}

static int draw(const options *o, const ad_graph *g, session *s, ad_buffer *b) {
  ad_error e = {0};
  picture p = {s, NULL};
  if (s && o->adjoints && !(p.active = session_active(s))) return out_of_memory(o);
  const ad_dot_options d = {o->max_shown, o->shapes, s ? lines : NULL, &p};
  const ad_status status = ad_dot_draw(g, b, &d, &e);
  ad_free(p.active);
  return status ? report(o, &e) : 0;
}

/* By all inputs, also those that are not differentiated otherwise. */
static int differentiate_all(session *s) {
  const size_t inputs = ad_graph_input_count(s->graph);
  if (s->o->wrt_count) return 0;
  s->wrt = ad_calloc(inputs + 1, sizeof *s->wrt);
  if (!s->wrt) return out_of_memory(s->o);
  for (size_t i = 0; i < inputs; i++) s->wrt[s->wrt_count++] = (ad_node)i;
  return 0;
}

static int draw_at_point(const options *o, ad_buffer *b) {
  session s;
  int status = session_open(&s, o, o->file[0]);
  s.mode = AD_MODE_REVERSE;
  if (!status && o->adjoints && !ad_backend_supports(s.backend, s.mode))
    status = usage_error(o, "the backend '%s' has no adjoints; use tape or mpfr", ad_backend_name(s.backend));
  if (!status && o->adjoints && s.output_count != 1)
    status = usage_error(o, "%s has %zu outputs; choose with --output the one whose adjoints are shown", s.path,
                         s.output_count);
  if (!status && o->adjoints) status = differentiate_all(&s);
  if (!status) status = session_plan(&s, true, 0, o->adjoints);
  if (!status && o->adjoints) status = session_gradient(&s, 0);
  if (!status) status = draw(o, s.graph, &s, b);
  if (!status) status = session_notes(&s);
  session_close(&s);
  return status;
}

static int run(const options *o) {
  ad_buffer b = {0};
  ad_error e = {0};
  ad_graph *g = NULL;
  static const option_id at_point[] = {OPTIONS_OF_POINT, OPT_OUTPUT, OPTIONS_OF_NUMBERS, OPT_STRICT, OPT_COUNT};
  static const option_id adjoints[] = {OPT_WRT, OPT_SEED, OPT_COUNT};
  int status = o->values || o->adjoints ? 0 : options_unless(o, at_point, "--values or --adjoints");
  if (!status && !o->adjoints) status = options_unless(o, adjoints, "--adjoints");
  if (status) return status;
  if (o->values || o->adjoints)
    status = draw_at_point(o, &b);
  else if (load_graph(&g, o, o->file[0], &e))
    status = report(o, &e);
  else
    status = draw(o, g, NULL, &b);
  ad_graph_free(g);
  if (!status) return send(o, &b);
  ad_buffer_clear(&b);
  return status;
}

static const option_id takes[] = {OPT_VALUES, OPT_ADJOINTS, OPT_SHAPES, OPT_MAX_SHOWN,      OPTIONS_OF_POINT,
                                  OPT_WRT,    OPT_OUTPUT,   OPT_SEED,   OPTIONS_OF_NUMBERS, OPT_THREADS,
                                  OPT_OUT,    OPT_STRICT,   OPT_QUIET,  OPTIONS_OF_GRAPH};
const command command_dot = {
    "dot",
    "GRAPH",
    "a picture of a graph, for Graphviz",
    "Writes a graph in the DOT language: `adtool dot graph.yaml | dot -Tsvg >graph.svg` makes a picture.\n"
    "Outputs have a double border, and definitions of several operations a frame.  With --values and --adjoints the\n"
    "graph is evaluated at its point, or at the one given with --at and --point.\n\n"
    "A graph of more than --max-shown nodes is drawn in fewer boxes: one for each definition, with what it is made of; "
    "else\n"
    "one for each value that several others use; else one for each stretch of the way from inputs to outputs.",
    1,
    1,
    takes,
    0,
    run};
