/* Derivatives written as graphs. */
#include "cli.h"

/* What --output, --wrt and --seed say, as the library's request. */
static int derive(const session *s, ad_graph **out) {
  const options *o = s->o;
  ad_error e = {0};
  ad_derivative_request r = {
      .output_count = s->output_count, .output = s->output, .wrt_count = s->wrt_count, .wrt = s->wrt};
  const bool element = s->output_count == 1 && s->element[0] != SIZE_MAX;
  ad_status status;
  if (!s->output_count) return usage_error(o, "%s has no output to differentiate", s->path);
  if (o->mode) {
    if (element || o->seed)
      return usage_error(o, "--mode %s gives the whole output: leave out %s",
                         o->mode == AD_MODE_FORWARD ? "forward" : "reverse",
                         element ? "the index in --output" : "--seed");
    status = o->mode == AD_MODE_FORWARD ? ad_graph_jvp(out, s->graph, &r, &e) : ad_graph_vjp(out, s->graph, &r, &e);
    return status ? report(o, &e) : 0;
  }
  if (s->output_count > 1)
    return usage_error(o, "%s has %zu outputs; choose one with --output, or all with --mode forward or reverse",
                       s->path, s->output_count);
  if (s->seed_count) {
    r.seed_count = s->seed_count;
    r.exact = s->weight;
  } else if (element) {
    r.seed_count = 1;
    r.element = s->element;
  } else {
    status = session_scalar(s, 0);
    if (status) return status;
  }
  return ad_graph_gradient(out, s->graph, &r, &e) ? report(o, &e) : 0;
}

static int run(const options *o) {
  session s;
  ad_graph *d = NULL;
  if (!o->out && !o->to) return usage_error(o, "diff wants -o FILE, or --to FORMAT for standard output");
  int status = session_open(&s, o, o->file[0]);
  if (!status) status = derive(&s, &d);
  if (!status) status = save_graph(o, d);
  ad_graph_free(d);
  session_close(&s);
  return status;
}

static const option_id takes[] = {OPT_WRT,    OPT_OUTPUT, OPT_SEED,     OPT_MODE,  OPT_OUT,         OPT_TO,
                                  OPT_STORED, OPT_BINARY, OPT_EXPLICIT, OPT_QUIET, OPTIONS_OF_GRAPH};
const command command_diff = {
    "diff",
    "GRAPH",
    "a derivative as a graph",
    "Writes the graph of a derivative, which every command takes like any other: it can be evaluated, checked,\n"
    "converted, run in batch and differentiated again.  It has the outputs of GRAPH that --output chooses, and\n"
    "  grad.INPUT       the gradient of one scalar output, of one element (--output NAME[i,j]), or of a weighted\n"
    "                   sum (--output NAME --seed WEIGHTS)\n"
    "  adjoint.INPUT    with --mode reverse: the sum of the outputs' derivatives, weighed by the values of further\n"
    "                   inputs adjoint.OUTPUT\n"
    "  tangent.OUTPUT   with --mode forward: the outputs' derivatives in the direction of further inputs\n"
    "                   tangent.INPUT\n"
    "for the inputs that --wrt names.  In a graph that has names grad. already, the next are grad2., then grad3.",
    1,
    1,
    takes,
    0,
    run};
