#include <math.h>
#include <string.h>

#include "cli.h"
#include "error.h"

static void put_where(ad_buffer *b, const session *s, const ad_check_entry *c) {
  if (c->probe) {
    ad_buffer_puts(b, "a probe");
    return;
  }
  ad_node out = ad_graph_output_node(s->graph, s->output[c->output]);
  ad_buffer_puts(b, "d ");
  put_element_name(b, ad_graph_output_name(s->graph, s->output[c->output]), ad_graph_node_shape(s->graph, out),
                   c->output_element);
  ad_buffer_puts(b, " / d ");
  put_element_name(b, ad_graph_node_name(s->graph, c->input), ad_graph_node_shape(s->graph, c->input),
                   c->input_element);
}

/* With its operation, which the text of a node without a name has already. */
static void put_node(ad_buffer *b, const session *s, ad_node n) {
  char node[AD_NODE_TEXT];
  ad_buffer_puts(b, ad_graph_node_text(s->graph, n, node));
  if (ad_graph_node_name(s->graph, n)) ad_buffer_printf(b, " (%s)", ad_op_get(ad_graph_node_op(s->graph, n))->name);
}

static void put_double(ad_buffer *b, double v) {
  char text[AD_NUMBER_TEXT];
  ad_number_short_text(text, v);
  ad_buffer_puts(b, text);
}

static void put_entry_text(ad_buffer *b, const session *s, const ad_check_entry *c) {
  const struct {
    const char *name;
    double value;
  } methods[] = {{"forward, mpfr", c->forward},
                 {"reverse, mpfr", c->reverse},
                 {"differences, mpfr", c->difference},
                 {"dual", c->dual},
                 {"tape", c->tape}};
  ad_buffer_puts(b, "  ");
  put_where(b, s, c);
  ad_buffer_printf(b, ": %s\n", ad_entry_class_name(c->cls));
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    ad_buffer_printf(b, "    %-20s ", methods[i].name);
    put_double(b, methods[i].value);
    ad_buffer_puts(b, "\n");
  }
  if (!isnan(c->difference_double))
    ad_buffer_printf(b, "    %-20s %.10g +- %.2g\n", "differences, double", c->difference_double, c->difference_bound);
}

static bool keeps_all(double digits, double error) {
  return !(digits < 17) && !(error > 0);
}

static void put_kept(ad_buffer *b, const char *what, double digits, double error) {
  if (keeps_all(digits, error)) {
    ad_buffer_printf(b, "every digit of the %s", what);
    return;
  }
  if (digits < 17)
    ad_buffer_printf(b, "%.1f digits of the %s", digits, what);
  else
    ad_buffer_printf(b, "every digit of the %s", what);
  if (error > 0) ad_buffer_printf(b, ", which is off by up to %.2g where it is 0", error);
}

enum { SHOWN_OUTPUTS = 10 };

/* What double keeps: in all, and of each output that loses something. */
static void put_digits(ad_buffer *b, const session *s, const ad_check_report *r) {
  size_t losing = 0, known = 0;
  for (size_t i = 0; i < r->output_count; i++) {
    const ad_check_output *x = &r->output[i];
    known += !isnan(x->value_digits) || !isnan(x->derivative_digits);
    losing += !keeps_all(x->value_digits, x->value_error) || !keeps_all(x->derivative_digits, x->derivative_error);
  }
  if (r->unknown_digits)
    ad_buffer_printf(b, "  how many digits double keeps is not known of %zu number%s\n", r->unknown_digits,
                     r->unknown_digits == 1 ? "" : "s");
  if (!losing && r->max_ulps == 0 && r->min_digits >= 17) {
    if (known || !r->unknown_digits)
      ad_buffer_printf(b, "  double keeps every digit%s\n", r->unknown_digits ? " of the others" : "");
    return;
  }
  if (r->min_digits >= 17)
    ad_buffer_puts(b, "  double keeps every digit of what is not 0");
  else
    ad_buffer_printf(b, "  double keeps at least %.1f digits", r->min_digits);
  if (r->max_ulps > 0) {
    ad_buffer_printf(b, "; of derivatives %.1f (worst %.3g ulp) at ", r->worst.digits, r->max_ulps);
    put_where(b, s, &r->worst);
    if (isfinite(r->condition)) ad_buffer_printf(b, ", condition %.3g", r->condition);
  }
  ad_buffer_puts(b, "\n");
  for (size_t i = 0, shown = 0; i < r->output_count && shown <= SHOWN_OUTPUTS; i++) {
    const ad_check_output *x = &r->output[i];
    if (keeps_all(x->value_digits, x->value_error) && keeps_all(x->derivative_digits, x->derivative_error)) continue;
    if (shown++ == SHOWN_OUTPUTS) {
      ad_buffer_puts(b, "    ... and more; --format json has all\n");
      break;
    }
    ad_buffer_printf(b, "    %s: ", ad_graph_output_name(s->graph, s->output[i]));
    const bool value = !isnan(x->value_digits);
    if (value) put_kept(b, "value", x->value_digits, x->value_error);
    if (!isnan(x->derivative_digits)) {
      if (value) ad_buffer_puts(b, "; ");
      put_kept(b, "derivatives", x->derivative_digits, x->derivative_error);
    }
    ad_buffer_puts(b, "\n");
  }
}

static void put_text(ad_buffer *b, const session *s, const ad_check_report *r) {
  ad_buffer_printf(b, "%s: %s: %s\n", s->path, ad_verdict_name(r->verdict), r->reason);
  ad_buffer_printf(b, "  %zu %s%s", r->entries,
                   r->probed         ? "probes"
                   : r->entries == 1 ? "derivative"
                                     : "derivatives",
                   r->entries ? ":" : "");
  for (int i = 0; i < AD_ENTRY_CLASSES; i++)
    if (r->by_class[i]) ad_buffer_printf(b, " %zu %s", r->by_class[i], ad_entry_class_name((ad_entry_class)i));
  ad_buffer_printf(b, ", at up to %u bits\n", r->precision);
  for (size_t i = 0; i < r->blame_count; i++) {
    char node[AD_NODE_TEXT];
    const ad_blame *x = &r->blame[i];
    ad_buffer_printf(b, "  wrong: the partial of %s, operation %s, by argument %zu is ",
                     ad_graph_node_text(s->graph, x->node, node), ad_op_get(x->op)->name, x->argument + 1);
    put_double(b, x->partial);
    ad_buffer_puts(b, ", finite differences of the node alone give ");
    put_double(b, x->difference);
    ad_buffer_puts(b, "\n");
  }
  for (size_t i = 0; i < r->listed && i < 10; i++) put_entry_text(b, s, &r->list[i]);
  if (r->listed > 10) ad_buffer_printf(b, "  ... and more; --format json lists up to 100\n");
  if (r->first_nan != AD_NO_NODE) {
    ad_buffer_puts(b, "  the first nan is made by ");
    put_node(b, s, r->first_nan);
    ad_buffer_puts(b, "\n");
  }
  put_digits(b, s, r);
  if (r->lost_at != AD_NO_NODE) {
    ad_buffer_printf(b, "  %.1f digits of the value are lost at ", r->lost_digits);
    put_node(b, s, r->lost_at);
    ad_buffer_puts(b, "\n");
  }
}

static void put_field(ad_buffer *b, const char *name, double v) {
  ad_buffer_printf(b, ", \"%s\": ", name);
  put_json_double(b, v);
}

static void put_entry_json(ad_buffer *b, const session *s, const ad_check_entry *c) {
  ad_buffer_printf(b, "{\"class\": \"%s\"", ad_entry_class_name(c->cls));
  if (!c->probe) {
    ad_buffer_puts(b, ", \"output\": ");
    put_json_string(b, ad_graph_output_name(s->graph, s->output[c->output]));
    ad_buffer_printf(b, ", \"output_element\": %zu, \"input\": ", c->output_element);
    put_json_string(b, ad_graph_node_name(s->graph, c->input));
    ad_buffer_printf(b, ", \"input_element\": %zu", c->input_element);
  }
  put_field(b, "forward", c->forward);
  put_field(b, "reverse", c->reverse);
  put_field(b, "difference", c->difference);
  put_field(b, "dual", c->dual);
  put_field(b, "tape", c->tape);
  put_field(b, "difference_double", c->difference_double);
  put_field(b, "difference_bound", c->difference_bound);
  put_field(b, "ulps", c->ulps);
  put_field(b, "digits", c->digits);
  ad_buffer_puts(b, "}");
}

static void put_node_json(ad_buffer *b, const session *s, ad_node n) {
  ad_buffer_printf(b, "{\"id\": %u, \"name\": ", n);
  const char *name = ad_graph_node_name(s->graph, n);
  if (name)
    put_json_string(b, name);
  else
    ad_buffer_puts(b, "null");
  ad_buffer_printf(b, ", \"op\": \"%s\"}", ad_op_get(ad_graph_node_op(s->graph, n))->name);
}

static void put_json(ad_buffer *b, const session *s, const ad_check_report *r) {
  ad_buffer_printf(b, "{\"verdict\": \"%s\", \"reason\": \"%s\", \"graph\": ", ad_verdict_name(r->verdict), r->reason);
  put_json_string(b, s->path);
  ad_buffer_printf(b, ", \"entries\": %zu, \"probed\": %s, \"precision\": %u, \"classes\": {", r->entries,
                   r->probed ? "true" : "false", r->precision);
  for (int i = 0; i < AD_ENTRY_CLASSES; i++)
    ad_buffer_printf(b, "%s\"%s\": %zu", i ? ", " : "", ad_entry_class_name((ad_entry_class)i), r->by_class[i]);
  ad_buffer_printf(b, "}, \"kinks\": %zu, \"edges\": %zu, \"outside\": %zu, \"made_nan\": %zu, \"blame\": [", r->kinks,
                   r->edges, r->outside, r->made_nan);
  for (size_t i = 0; i < r->blame_count; i++) {
    ad_buffer_puts(b, i ? ", {\"node\": " : "{\"node\": ");
    put_node_json(b, s, r->blame[i].node);
    ad_buffer_printf(b, ", \"argument\": %zu", r->blame[i].argument);
    put_field(b, "partial", r->blame[i].partial);
    put_field(b, "difference", r->blame[i].difference);
    ad_buffer_puts(b, "}");
  }
  ad_buffer_puts(b, "], \"list\": [");
  for (size_t i = 0; i < r->listed; i++) {
    if (i) ad_buffer_puts(b, ", ");
    put_entry_json(b, s, &r->list[i]);
  }
  ad_buffer_puts(b, "]");
  ad_buffer_puts(b, ", \"outputs\": [");
  for (size_t i = 0; i < r->output_count; i++) {
    const ad_check_output *x = &r->output[i];
    ad_buffer_puts(b, i ? ", {\"output\": " : "{\"output\": ");
    put_json_string(b, ad_graph_output_name(s->graph, s->output[i]));
    put_field(b, "value_digits", x->value_digits);
    put_field(b, "derivative_digits", x->derivative_digits);
    put_field(b, "value_error", x->value_error);
    put_field(b, "derivative_error", x->derivative_error);
    ad_buffer_puts(b, "}");
  }
  ad_buffer_puts(b, "]");
  put_field(b, "digits", r->unknown_digits ? (double)NAN : r->min_digits);
  ad_buffer_printf(b, ", \"unknown_digits\": %zu", r->unknown_digits);
  put_field(b, "ulps", r->max_ulps);
  put_field(b, "condition", r->condition);
  if (r->lost_at != AD_NO_NODE) {
    ad_buffer_puts(b, ", \"lost_at\": ");
    put_node_json(b, s, r->lost_at);
    put_field(b, "lost_digits", r->lost_digits);
  }
  ad_buffer_puts(b, "}\n");
}

static int run_one(const options *o, const char *path, ad_buffer *b) {
  session s;
  ad_error e = {0};
  ad_check_report r = {0};
  ad_node *outputs = NULL;
  int status = session_open(&s, o, path);
  if (!status && s.element[0] != SIZE_MAX)
    status = usage_error(o, "check looks at whole outputs; name '%s' without an element",
                         ad_graph_output_name(s.graph, s.output[0]));
  if (!status) {
    outputs = ad_calloc(s.output_count + 1, sizeof *outputs);
    for (size_t i = 0; outputs && i < s.output_count; i++) outputs[i] = ad_graph_output_node(s.graph, s.output[i]);
    const ad_check_options c = session_check_options(&s, outputs);
    ad_status done = outputs ? ad_check(&r, s.graph, s.point, &c, &e) : ad_fail_memory(&e);
    if (done == AD_EINPUT && !e.file[0]) snprintf(e.file, sizeof e.file, "%s", path);
    if (done) status = report(o, &e);
  }
  if (!status) {
    if (o->format == FORMAT_JSON)
      put_json(b, &s, &r);
    else
      put_text(b, &s, &r);
    if (r.verdict == AD_VERDICT_FAIL) status = EXIT_CHECK_FAILED;
  }
  ad_check_clear(&r);
  ad_free(outputs);
  session_close(&s);
  return status;
}

static int run(const options *o) {
  return for_each_graph(o, run_one);
}

static const option_id takes[] = {OPTIONS_OF_POINT, OPT_WRT,         OPT_OUTPUT,      OPT_MIN_DIGITS,
                                  OPT_PROBES,       OPT_RANDOM_SEED, OPT_MAX_ENTRIES, OPT_FORMAT,
                                  OPT_OUT,          OPT_QUIET,       OPTIONS_OF_GRAPH};
const command command_check = {
    "check",
    "GRAPH...",
    "all methods against each other: one verdict",
    "Is the derivative right?  Forward and reverse mode in double and in MPFR, and finite differences in MPFR, are "
    "set\n"
    "against each other for every output and input (by random probes where the graph is large), at rising precision "
    "until\n"
    "they agree or --max-precision is reached.  Where they disagree, each node is looked at alone, in balls, and named "
    "where\n"
    "its partials are proved wrong: what is not proved is undecided.  Entries on a kink, on a domain's edge or NaN "
    "are\n"
    "classified as such.\n"
    "How many digits does double keep?  Of the value and of the derivative of each output, every number judged by its "
    "own\n"
    "size, with the node where most are lost.  --output takes whole outputs.\n"
    "The verdict is pass, fail (exit 1) or undecided.",
    1,
    SIZE_MAX,
    takes,
    FORMATS_WORDS,
    run};
