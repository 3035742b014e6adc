/* Derivatives as graphs: copying what is needed, one sweep over it that makes nodes, and the names of what comes out.
 */
#include "derive/symbolic.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ir/graph.h"
#include "mem.h"

typedef enum kind { GRADIENT, VJP, JVP } kind;
static const char *const prefixes[] = {"grad", "adjoint", "tangent"};

/* A request with its defaults filled in. */
typedef struct chosen {
  size_t output_count, wrt_count;
  size_t *output;
  ad_node *wrt;
  bool *named;
} chosen;

/* ---- The copy */

/* Marks what the outputs need in s->map: 0, others AD_NO_NODE. */
static void mark_needed(ad_symbolic *s, const chosen *c) {
  const size_t count = ad_graph_node_count(s->from), inputs = ad_graph_input_count(s->from);
  memset(s->map, 0xFF, count * sizeof *s->map);
  for (size_t i = 0; i < inputs; i++) s->map[i] = 0;
  for (size_t i = 0; i < c->output_count; i++) s->map[ad_graph_output_node(s->from, c->output[i])] = 0;
  for (size_t n = count; n-- > inputs;) {
    const ad_node *args;
    if (s->map[n]) continue;
    const size_t nargs = ad_graph_args(s->from, (ad_node)n, &args);
    for (size_t k = 0; k < nargs; k++) s->map[args[k]] = 0;
  }
}

/* Steps have no derivative, nor has the condition of `where`. */
static void mark_active(ad_symbolic *s, const chosen *c) {
  for (size_t i = 0; i < c->wrt_count; i++) s->active[c->wrt[i]] = 1;
  for (size_t n = ad_graph_input_count(s->from); n < ad_graph_node_count(s->from); n++) {
    const ad_op op = ad_graph_node_op(s->from, (ad_node)n);
    const ad_node *args;
    if (s->map[n] || ad_op_rule_get(op)->smoothness == AD_STEP) continue;
    const size_t nargs = ad_graph_args(s->from, (ad_node)n, &args);
    for (size_t k = op == AD_OP_WHERE; k < nargs; k++) s->active[n] |= s->active[args[k]];
  }
}

static ad_status copy_node(ad_symbolic *s, ad_node n, ad_error *e) {
  const ad_graph *g = s->from;
  const ad_op op = g->op[n];
  if (op <= AD_OP_CONSTANT) return ad_graph_copy_leaf(s->to, &s->map[n], g, n, e);
  const ad_node *args;
  const size_t nargs = ad_graph_args(g, n, &args);
  ad_node few[8] = {0}, *own = few;
  ad_attr attrs[AD_MAX_ATTRS];
  if (nargs > 8 && !(own = ad_malloc(nargs, sizeof *own))) return ad_fail_memory(e);
  for (size_t k = 0; k < nargs; k++) own[k] = s->map[args[k]];
  for (int i = 0; i < ad_op_rule_get(op)->attrs; i++) attrs[i] = ad_graph_node_attr(g, n, i);
  ad_status status = ad_graph_put(s->to, &s->map[n], op, g->shape[n], nargs, own, attrs, e);
  if (own != few) ad_free(own);
  const char *name = g->names.count > g->input_count ? ad_graph_node_name(g, n) : NULL;
  if (!status && name) status = ad_graph_set_node_name(s->to, s->map[n], name, e);
  return status;
}

/* ---- Names */

static ad_status put_name(char *name, kind k, unsigned number, const char *of, ad_error *e) {
  char digits[16] = "";
  if (number > 1) snprintf(digits, sizeof digits, "%u", number);
  if (snprintf(name, AD_MAX_NAME + 1, "%s%s.%s", prefixes[k], digits, of) <= AD_MAX_NAME) return AD_OK;
  return ad_fail(e, AD_EINPUT, "the name of the derivative, %s%s.%.40s..., would be longer than %d bytes", prefixes[k],
                 digits, of, AD_MAX_NAME);
}

/* The number of a derivative's name, PREFIX[NUMBER].REST; 0: it is none. */
static unsigned number_of(const char *name, kind k) {
  const size_t length = strlen(prefixes[k]);
  unsigned long n = 1;
  if (strncmp(name, prefixes[k], length)) return 0;
  char *end = (char *)name + length;
  if (*end >= '1' && *end <= '9') n = strtoul(end, &end, 10);
  return *end == '.' && n < UINT_MAX ? (unsigned)n : 0;
}

/* One more than the highest number of derivatives of this kind that the graph already has among its inputs, nodes and
 * outputs. */
static unsigned next_number(const ad_graph *g, kind k) {
  unsigned highest = 0;
  for (size_t i = 0; i < ad_graph_output_count(g); i++) {
    const unsigned n = number_of(ad_graph_output_name(g, i), k);
    if (n > highest) highest = n;
  }
  for (size_t i = 0; i < g->names.count; i++) {
    const unsigned n = number_of(ad_names_at(&g->names, i), k);
    if (n > highest) highest = n;
  }
  return highest + 1;
}

static ad_status add_seed(ad_symbolic *s, ad_node *seed, kind k, unsigned number, const char *of, ad_node like,
                          ad_error *e) {
  char name[AD_MAX_NAME + 1];
  ad_input_spec spec = {.name = name, .shape = *ad_graph_node_shape(s->from, like), .fixed = true};
  ad_status status = put_name(name, k, number, of, e);
  return status ? status : ad_graph_input(s->to, seed, &spec, e);
}

static ad_status add_output(ad_symbolic *s, kind k, unsigned number, const char *of, ad_node like, ad_error *e) {
  char name[AD_MAX_NAME + 1];
  ad_status status = put_name(name, k, number, of, e);
  if (status) return status;
  const ad_node n = ad_emit_node(&s->emit, ad_sym_tensor(&s->emit, s->d[like], ad_graph_node_shape(s->from, like)));
  return s->emit.status ? s->emit.status : ad_graph_output(s->to, name, n, e);
}

/* ---- The request */

static ad_status choose(chosen *c, const ad_graph *g, const ad_derivative_request *r, kind k, ad_error *e) {
  const size_t outputs = ad_graph_output_count(g), inputs = ad_graph_input_count(g);
  c->output_count = r->output_count ? r->output_count : outputs;
  c->output = ad_calloc(c->output_count + 1, sizeof *c->output);
  c->wrt = ad_calloc(inputs + 1, sizeof *c->wrt);
  c->named = ad_calloc(inputs + 1, sizeof *c->named);
  if (!c->output || !c->wrt || !c->named) return ad_fail_memory(e);
  for (size_t i = 0; i < c->output_count; i++) {
    c->output[i] = r->output_count ? r->output[i] : i;
    if (c->output[i] >= outputs) return ad_fail(e, AD_EUSAGE, "output %zu of a graph with %zu", c->output[i], outputs);
    for (size_t j = 0; j < i && r->output_count; j++)
      if (c->output[j] == c->output[i])
        return ad_fail(e, AD_EUSAGE, "the output '%s' is named twice", ad_graph_output_name(g, c->output[i]));
  }
  for (size_t j = 0; j < r->wrt_count; j++) {
    if (r->wrt[j] >= inputs) return ad_fail(e, AD_EUSAGE, "node %u is not an input", r->wrt[j]);
    if (c->named[r->wrt[j]])
      return ad_fail(e, AD_EUSAGE, "the input '%s' is named twice", ad_graph_node_name(g, r->wrt[j]));
    c->named[r->wrt[j]] = true;
    c->wrt[c->wrt_count++] = r->wrt[j];
  }
  for (ad_node i = 0; !r->wrt_count && i < inputs; i++)
    if (!ad_graph_input_fixed(g, i)) c->wrt[c->wrt_count++] = i;
  if (k == GRADIENT && c->output_count != 1)
    return ad_fail(e, AD_EUSAGE, "a gradient is of one output, and the graph has %zu; choose one", c->output_count);
  return AD_OK;
}

/* Weight i of a gradient: an exact constant where no double is it. */
static ad_sym seed_weight(ad_symbolic *s, const ad_derivative_request *r, size_t i) {
  const char *text = r->exact ? ad_numbers_text(r->exact, i) : NULL;
  ad_node n = AD_NO_NODE;
  if (!text) return ad_emit_num(&s->emit, r->exact ? ad_numbers_double(r->exact, i) : r->weight ? r->weight[i] : 1);
  return ad_emit_fail(&s->emit, ad_graph_constant_text(s->to, &n, text, s->emit.e)) ? AD_SYM_NONE : n;
}

static ad_status seed_whole(ad_symbolic *s, const ad_derivative_request *r, ad_node output, ad_error *e) {
  ad_numbers *v = r->exact ? NULL : ad_numbers_new();
  ad_node n = AD_NO_NODE;
  ad_status status = v || r->exact ? AD_OK : ad_fail_memory(e);
  for (size_t i = 0; !status && v && i < r->seed_count; i++) status = ad_numbers_push_double(v, r->weight[i], e);
  if (!status)
    status = ad_graph_constant(s->to, &n, ad_graph_node_shape(s->from, output), v ? v : r->exact, AD_EXACT, e);
  ad_numbers_free(v);
  s->d[output] = status ? AD_SYM_NONE : n;
  return ad_emit_fail(&s->emit, status);
}

static ad_status seed_gradient(ad_symbolic *s, const chosen *c, const ad_derivative_request *r, ad_error *e) {
  const ad_node output = ad_graph_output_node(s->from, c->output[0]);
  const ad_shape *shape = ad_graph_node_shape(s->from, output);
  const size_t size = (size_t)ad_shape_size(shape);
  if (!r->seed_count && size != 1) {
    char text[AD_SHAPE_TEXT];
    ad_shape_text(text, shape);
    return ad_fail(e, AD_EUSAGE, "the output '%s' has shape %s; a gradient wants one element of it or weights",
                   ad_graph_output_name(s->from, c->output[0]), text);
  }
  if (r->exact && ad_numbers_count(r->exact) != r->seed_count)
    return ad_fail(e, AD_EUSAGE, "%zu weights for %zu elements", ad_numbers_count(r->exact), r->seed_count);
  for (size_t i = 0; i < r->seed_count; i++)
    if ((r->element ? r->element[i] : i) >= size)
      return ad_fail(e, AD_EUSAGE, "element %zu of an output with %zu", r->element ? r->element[i] : i, size);
  if (!s->active[output]) return AD_OK;
  const bool weighed = r->weight || r->exact;
  if (!r->seed_count || (size == 1 && r->seed_count == 1 && (!r->exact || !shape->rank))) {
    s->d[output] = r->seed_count ? seed_weight(s, r, 0) : ad_emit_num(&s->emit, 1);
  } else if (!r->element && r->seed_count == size && weighed) {
    return seed_whole(s, r, output, e);
  } else if (!r->element && r->seed_count == size) {
    s->d[output] = ad_emit_num(&s->emit, 1);
  } else {
    for (size_t i = 0; i < r->seed_count; i++)
      ad_symbolic_add_part(
          s, output,
          (ad_part){.consumer = AD_NO_NODE, .element = r->element ? r->element[i] : i, .value = seed_weight(s, r, i)});
  }
  return s->emit.status;
}

/* Inputs, seeds, then what the outputs need. */
static ad_status copy(ad_symbolic *s, const chosen *c, kind k, unsigned number, ad_node *seed, ad_error *e) {
  const ad_graph *g = s->from;
  const size_t inputs = ad_graph_input_count(g);
  ad_status status = AD_OK;
  status = ad_graph_copy_inputs(s->to, g, e);
  for (size_t i = 0; !status && i < c->wrt_count; i++) /* --wrt may name one that is `diff: no` */
    s->to->literal[s->to->arg[s->to->first_arg[c->wrt[i]]]].fixed = false;
  for (ad_node n = 0; n < inputs; n++) s->map[n] = n;
  for (size_t i = 0; !status && k == VJP && i < c->output_count; i++)
    status = add_seed(s, &seed[i], k, number, ad_graph_output_name(g, c->output[i]),
                      ad_graph_output_node(g, c->output[i]), e);
  for (size_t i = 0; !status && k == JVP && i < c->wrt_count; i++)
    status = add_seed(s, &seed[i], k, number, ad_graph_node_name(g, c->wrt[i]), c->wrt[i], e);
  for (ad_node n = (ad_node)inputs; !status && n < ad_graph_node_count(g); n++)
    if (s->map[n] != AD_NO_NODE) status = copy_node(s, n, e);
  for (size_t i = 0; !status && i < c->output_count; i++)
    status =
        ad_graph_output(s->to, ad_graph_output_name(g, c->output[i]), s->map[ad_graph_output_node(g, c->output[i])], e);
  return status;
}

static ad_status derive(ad_symbolic *s, const chosen *c, kind k, const ad_derivative_request *r, ad_error *e) {
  const ad_graph *g = s->from;
  const unsigned number = next_number(g, k);
  ad_node *seed = ad_calloc(c->output_count + c->wrt_count + 1, sizeof *seed);
  ad_status status = seed ? AD_OK : ad_fail_memory(e);
  if (!status) {
    mark_needed(s, c);
    mark_active(s, c);
    status = copy(s, c, k, number, seed, e);
  }
  ad_emit_start(&s->emit, s->to, e);
  if (!status && k == GRADIENT) status = seed_gradient(s, c, r, e);
  for (size_t i = 0; !status && k == VJP && i < c->output_count; i++)
    if (s->active[ad_graph_output_node(g, c->output[i])])
      ad_symbolic_add(s, ad_graph_output_node(g, c->output[i]), seed[i]);
  for (size_t i = 0; !status && k == JVP && i < c->wrt_count; i++) s->d[c->wrt[i]] = seed[i];
  if (!status) {
    (k == JVP ? ad_symbolic_forward : ad_symbolic_back)(s);
    status = s->emit.status;
  }
  for (size_t i = 0; !status && k != JVP && i < c->wrt_count; i++)
    status = add_output(s, k, number, ad_graph_node_name(g, c->wrt[i]), c->wrt[i], e);
  for (size_t i = 0; !status && k == JVP && i < c->output_count; i++)
    status = add_output(s, k, number, ad_graph_output_name(g, c->output[i]), ad_graph_output_node(g, c->output[i]), e);
  ad_emit_clear(&s->emit);
  ad_free(seed);
  return status;
}

static ad_status make(ad_graph **out, const ad_graph *g, const ad_derivative_request *request, kind k, ad_error *e) {
  static const ad_derivative_request none = {0};
  const ad_derivative_request *r = request ? request : &none;
  const size_t count = ad_graph_node_count(g);
  AD_GIVEN(out && g && (r->output || !r->output_count) && (r->wrt || !r->wrt_count), e);
  ad_symbolic s = {.from = g};
  chosen c = {0};
  ad_status status = choose(&c, g, r, k, e);
  if (!status) {
    s.map = ad_malloc(count, sizeof *s.map);
    s.active = ad_calloc(count, 1);
    s.d = ad_malloc(count, sizeof *s.d);
    s.parts = k == JVP ? NULL : ad_malloc(count, sizeof *s.parts);
    status = s.map && s.active && s.d && (s.parts || k == JVP) ? ad_graph_new_like(&s.to, g, e) : ad_fail_memory(e);
  }
  if (!status) {
    memset(s.d, 0xFF, count * sizeof *s.d);
    if (s.parts) memset(s.parts, 0xFF, count * sizeof *s.parts);
    status = derive(&s, &c, k, r, e);
  }
  void *parts[] = {s.map, s.active, s.d, s.parts, s.part, c.output, c.wrt, c.named};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  if (!status) status = ad_graph_optimize(out, s.to, NULL, e);
  ad_graph_free(s.to);
  return status;
}

ad_status ad_graph_gradient(ad_graph **out, const ad_graph *g, const ad_derivative_request *r, ad_error *e) {
  return make(out, g, r, GRADIENT, e);
}

ad_status ad_graph_vjp(ad_graph **out, const ad_graph *g, const ad_derivative_request *r, ad_error *e) {
  return make(out, g, r, VJP, e);
}

ad_status ad_graph_jvp(ad_graph **out, const ad_graph *g, const ad_derivative_request *r, ad_error *e) {
  return make(out, g, r, JVP, e);
}
