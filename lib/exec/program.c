/* Lowering: which nodes are needed, where their elements lie, which depend on the inputs of interest. */
#include "exec/program.h"

#include <math.h>
#include <string.h>

#include "error.h"
#include "mem.h"

void ad_program_free(ad_program *p) {
  if (!p) return;
  void *parts[] = {p->instr, p->node_of, p->offset, p->active, p->wrt, p->step, p->operand, p->move, p->table};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  ad_free(p);
}

/* p->offset becomes 0 for nodes that are needed and UINT32_MAX for the others. */
static ad_status mark_live(ad_program *p, const ad_program_options *o, ad_error *e) {
  const ad_graph *g = p->graph;
  size_t n = ad_graph_node_count(g), inputs = ad_graph_input_count(g);
  memset(p->offset, o->keep_all ? 0 : 0xFF, n * sizeof *p->offset);
  memset(p->offset, 0, inputs * sizeof *p->offset);
  for (size_t i = 0; i < o->output_count; i++) {
    if (o->outputs[i] >= n)
      return ad_fail(e, AD_EUSAGE, "output %zu is node %u, which does not exist", i, o->outputs[i]);
    p->offset[o->outputs[i]] = 0;
  }
  if (!o->output_count)
    for (size_t i = 0; i < ad_graph_output_count(g); i++) p->offset[ad_graph_output_node(g, i)] = 0;
  for (size_t i = n; i-- > inputs;) {
    if (p->offset[i]) continue;
    const ad_node *args;
    size_t count = ad_graph_node_args(g, (ad_node)i, &args);
    for (size_t k = 0; k < count; k++) p->offset[args[k]] = 0;
  }
  return AD_OK;
}

static ad_status choose_wrt(ad_program *p, const ad_program_options *o, ad_error *e) {
  const ad_graph *g = p->graph;
  size_t inputs = ad_graph_input_count(g);
  if (!(p->wrt = ad_malloc(o->wrt_count ? o->wrt_count : inputs, sizeof *p->wrt))) return ad_fail_memory(e);
  for (size_t i = 0; i < o->wrt_count; i++) {
    if (o->wrt[i] >= inputs) return ad_fail(e, AD_EUSAGE, "node %u is not an input", o->wrt[i]);
    if (p->active[o->wrt[i]])
      return ad_fail(e, AD_EUSAGE, "the input '%s' is named twice", ad_graph_node_name(g, o->wrt[i]));
    p->active[o->wrt[i]] = 1;
    p->wrt[p->wrt_count++] = o->wrt[i];
  }
  if (!o->wrt_count)
    for (ad_node i = 0; i < inputs; i++)
      if (!ad_graph_input_fixed(g, i)) p->active[i] = 1, p->wrt[p->wrt_count++] = i;
  return AD_OK;
}

static ad_status place_nodes(ad_program *p, ad_error *e) {
  size_t n = ad_graph_node_count(p->graph), inputs = ad_graph_input_count(p->graph);
  uint64_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (i == inputs) p->input_size = (uint32_t)at;
    if (p->offset[i]) continue;
    p->offset[i] = (uint32_t)at;
    at += (uint64_t)ad_shape_size(ad_graph_node_shape(p->graph, (ad_node)i));
    if (at >= UINT32_MAX) return ad_fail(e, AD_ELIMIT, "the graph's values have 2^32 elements or more");
    p->instr_count += i >= inputs && ad_graph_node_op(p->graph, (ad_node)i) != AD_OP_CONSTANT;
  }
  if (n == inputs) p->input_size = (uint32_t)at;
  p->size = (uint32_t)at;
  return AD_OK;
}

/* pow with a constant integer exponent is another function: no edge at 0, no log. */
static ad_op specialise(const ad_graph *g, ad_op op, const ad_node *args) {
  if (op != AD_OP_POW || ad_graph_node_op(g, args[1]) != AD_OP_CONSTANT) return op;
  ad_values v = ad_graph_node_values(g, args[1]);
  for (size_t i = 0; i < v.count; i++)
    if (ad_values_text(&v, i) || v.value[i] != floor(v.value[i]) || fabs(v.value[i]) > INT32_MAX) return op;
  return AD_OP_POWI;
}

static ad_status add_instr(ad_program *p, ad_instr *in, ad_node n, ad_error *e) {
  const ad_graph *g = p->graph;
  const ad_node *args;
  size_t count = ad_graph_node_args(g, n, &args);
  ad_op op = ad_graph_node_op(g, n);
  *in = (ad_instr){.op = (uint8_t)op, .out = p->offset[n]};
  bool element = ad_op_rule_get(op)->kernel == AD_KERNEL_ELEMENT;
  bool scalar = element && ad_graph_node_shape(g, n)->rank == 0;
  for (size_t k = 0; k < count; k++)
    if (p->active[args[k]]) {
      p->active[n] = 1;
      if (element) in->active |= (uint8_t)(1 << k);
    }
  if (element) in->nargs = (uint8_t)count, in->op = (uint8_t)specialise(g, op, args);
  if (scalar) {
    for (size_t k = 0; k < count; k++) in->arg[k] = p->offset[args[k]];
    return AD_OK;
  }
  if (!ad_reserve(&p->step, &p->step_capacity, p->step_count + 1, sizeof *p->step) ||
      !ad_reserve(&p->operand, &p->operand_capacity, p->operand_count + count, sizeof *p->operand))
    return ad_fail_memory(e);
  in->form = element ? AD_FORM_RUNS : AD_FORM_KERNEL;
  in->arg[0] = (uint32_t)p->step_count;
  if (!element) in->active = p->active[n];
  ad_step *step = &p->step[p->step_count++];
  *step = (ad_step){.node = n,
                    .kernel = ad_op_rule_get(op)->kernel,
                    .size = (uint32_t)ad_shape_size(ad_graph_node_shape(g, n)),
                    .operand = p->operand_count,
                    .operand_count = (uint32_t)count};
  for (size_t k = 0; k < count; k++)
    p->operand[p->operand_count++] =
        (ad_operand){p->offset[args[k]], (uint32_t)ad_shape_size(ad_graph_node_shape(g, args[k])), p->active[args[k]]};
  return ad_plan_step(p, step, n, e);
}

ad_status ad_program_new(ad_program **out, const ad_graph *g, const ad_program_options *options, ad_error *e) {
  static const ad_program_options none = {0};
  const ad_program_options *o = options ? options : &none;
  size_t n = ad_graph_node_count(g);
  ad_program *p = ad_calloc(1, sizeof *p);
  if (!p) return ad_fail_memory(e);
  p->graph = g;
  p->offset = ad_malloc(n, sizeof *p->offset);
  p->active = ad_calloc(n, 1);
  ad_status s = p->offset && p->active ? mark_live(p, o, e) : ad_fail_memory(e);
  if (!s) s = choose_wrt(p, o, e);
  if (!s) s = place_nodes(p, e);
  if (!s) {
    p->instr = ad_malloc(p->instr_count, sizeof *p->instr);
    p->node_of = ad_malloc(p->instr_count, sizeof *p->node_of);
    if (!p->instr || !p->node_of) s = ad_fail_memory(e);
  }
  size_t k = 0;
  for (size_t i = ad_graph_input_count(g); !s && i < n; i++) {
    if (p->offset[i] == UINT32_MAX || ad_graph_node_op(g, (ad_node)i) == AD_OP_CONSTANT) continue;
    p->node_of[k] = (ad_node)i;
    s = add_instr(p, &p->instr[k++], (ad_node)i, e);
  }
  if (s) {
    ad_program_free(p);
    return s;
  }
  *out = p;
  return AD_OK;
}

const ad_graph *ad_program_graph(const ad_program *p) {
  return p->graph;
}

size_t ad_program_wrt_count(const ad_program *p) {
  return p->wrt_count;
}

ad_node ad_program_wrt(const ad_program *p, size_t i) {
  return p->wrt[i];
}

uint64_t ad_program_wrt_size(const ad_program *p) {
  uint64_t n = 0;
  for (size_t i = 0; i < p->wrt_count; i++) n += (uint64_t)ad_shape_size(ad_graph_node_shape(p->graph, p->wrt[i]));
  return n;
}
