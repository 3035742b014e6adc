/* Lowering: which nodes are needed, where their elements lie, which depend on the inputs of interest. */
#include "exec/fuse.h"
#include "exec/order.h"
#include "exec/pack.h"

#include <math.h>
#include <string.h>

#include "error.h"
#include "ir/graph.h"
#include "mem.h"

void ad_program_free(ad_program *p) {
  if (!p) return;
  void *parts[] = {p->block,  p->op,   p->dep,     p->arg,  p->offset, p->active, p->wrt,
                   p->output, p->step, p->operand, p->move, p->table,  p->fused};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  ad_free(p);
}

/* p->offset becomes 0 for nodes that are needed and AD_ABSENT for the others. */
static ad_status mark_live(ad_program *p, const ad_program_options *o, ad_error *e) {
  const ad_graph *g = p->graph;
  size_t n = ad_graph_node_count(g), inputs = ad_graph_input_count(g);
  memset(p->offset, o->keep_all ? 0 : 0xFF, n * sizeof *p->offset);
  memset(p->offset, 0, inputs * sizeof *p->offset);
  for (size_t i = 0; i < p->output_count; i++) {
    if (p->output[i] >= n) return ad_fail(e, AD_EUSAGE, "output %zu is node %u, which does not exist", i, p->output[i]);
    p->offset[p->output[i]] = 0;
  }
  for (size_t i = n; i-- > inputs;) {
    if (p->offset[i]) continue;
    const ad_node *args;
    size_t count = ad_graph_args(g, (ad_node)i, &args);
    for (size_t k = 0; k < count; k++) p->offset[args[k]] = 0;
  }
  return AD_OK;
}

static ad_status list_outputs(ad_program *p, const ad_program_options *o, ad_error *e) {
  p->output_count = o->output_count ? o->output_count : ad_graph_output_count(p->graph);
  if (!(p->output = ad_malloc(p->output_count, sizeof *p->output))) return ad_fail_memory(e);
  for (size_t i = 0; i < p->output_count; i++)
    p->output[i] = o->output_count ? o->outputs[i] : ad_graph_output_node(p->graph, i);
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
  if (!o->wrt_count && !o->values_only)
    for (ad_node i = 0; i < inputs; i++)
      if (!ad_graph_input_fixed(g, i)) p->active[i] = 1, p->wrt[p->wrt_count++] = i;
  return AD_OK;
}

/* pow with a constant integer exponent is another function: no edge at 0, no log. */
ad_op ad_lowered_op(const ad_graph *g, ad_node n) {
  const ad_op op = ad_graph_node_op(g, n);
  const ad_node *args;
  ad_graph_args(g, n, &args);
  if (op != AD_OP_POW || ad_graph_node_op(g, args[1]) != AD_OP_CONSTANT) return op;
  ad_values v = ad_graph_node_values(g, args[1]);
  for (size_t i = 0; i < v.count; i++)
    if (ad_values_text(&v, i) || v.value[i] != floor(v.value[i]) || fabs(v.value[i]) > INT32_MAX) return op;
  return AD_OP_POWI;
}

/* The bits of the arguments that depend on an input of wrt; marks the node if there is one. */
static uint8_t depends(ad_program *p, ad_node n, bool element) {
  const ad_node *args;
  const size_t count = ad_graph_args(p->graph, n, &args);
  unsigned bits = 0;
  for (size_t k = 0; k < count; k++)
    if (p->active[args[k]]) bits |= element ? 1u << k : 1u;
  p->active[n] = bits != 0;
  return (uint8_t)bits;
}

/* Gives a node its place in the buffer. */
static ad_status place(ad_program *p, ad_node n, ad_error *e) {
  const uint64_t end = p->size + (uint64_t)ad_shape_size(ad_graph_node_shape(p->graph, n));
  if (end + AD_WINDOW >= AD_WAITING)
    return ad_fail(e, AD_ELIMIT, "the graph's values have %u elements or more", (unsigned)AD_WAITING - AD_WINDOW);
  p->offset[n] = p->size;
  p->size = (uint32_t)end;
  return AD_OK;
}

#ifdef ADTOOL_PLANT
enum { VIEWS = false }; /* what does nothing can't be made wrong */
#else
enum { VIEWS = true };
#endif

/* A view of its argument's elements as they lie: the node's offset is enough, and nothing is to be done. */
static bool is_view(const ad_graph *g, ad_node n, uint64_t *from) {
  const ad_op op = ad_graph_node_op(g, n);
  const ad_node *args;
  ad_graph_args(g, n, &args);
  const ad_shape *x = ad_graph_node_shape(g, args[0]), *z = ad_graph_node_shape(g, n);
  *from = 0;
  if (op == AD_OP_RESHAPE || op == AD_OP_BROADCAST_TO) return ad_shape_size(x) == ad_shape_size(z);
  if (op != AD_OP_SLICE || !ad_shape_size(z)) return false;
  const int64_t *start = ad_graph_node_attr(g, n, 0).value, *stop = ad_graph_node_attr(g, n, 1).value,
                *step = ad_graph_node_attr(g, n, 2).value;
  int64_t stride = 1, at = 0;
  bool whole = true; /* all axes further in are taken whole */
  for (int i = x->rank - 1; i >= 0; i--) {
    if (step[i] < 0) return false;
    const int64_t taken = 1 + (stop[i] - start[i] - 1) / step[i];
    if (taken != 1 && (step[i] != 1 || !whole)) return false;
    whole = whole && taken == x->dim[i];
    at += start[i] * stride;
    stride *= x->dim[i];
  }
  *from = (uint64_t)at;
  return true;
}

static void note_work(ad_program *p, const ad_step *s) {
  uint64_t work = s->size;
  for (uint32_t k = 0; k < s->operand_count; k++)
    if (p->operand[s->operand + k].size > work) work = p->operand[s->operand + k].size;
  if (s->kernel == AD_KERNEL_MATMUL) work = (uint64_t)s->u.product.m * s->u.product.n / 64 * s->u.product.k;
  if (work > p->largest) p->largest = work;
}

static void find_flat(ad_block *b, const ad_step *s) {
  if (b->kind != AD_BLOCK_RUNS || s->u.loop.rank != 1) return;
  for (uint32_t k = 0; k < s->operand_count; k++) {
    if (s->u.loop.stride[k][0] > 1) return;
    b->access[k] = s->u.loop.stride[k][0] ? AD_ACCESS_RUN : AD_ACCESS_ONE;
  }
  b->flat = true;
  b->count = s->size;
  b->first = s->operand;
}

static ad_status add_step(ad_program *p, ad_node n, ad_op op, uint8_t active, ad_error *e) {
  const ad_graph *g = p->graph;
  const ad_node *args;
  const size_t count = ad_graph_args(g, n, &args);
  const ad_kernel kernel = ad_op_rule_get(op)->kernel;
  const uint32_t out = p->size;
  ad_status s = place(p, n, e);
  if (s) return s;
  if (!ad_reserve(&p->block, &p->block_capacity, p->block_count + 1, sizeof *p->block) ||
      !ad_reserve(&p->step, &p->step_capacity, p->step_count + 1, sizeof *p->step) ||
      !ad_reserve(&p->operand, &p->operand_capacity, p->operand_count + count, sizeof *p->operand))
    return ad_fail_memory(e);
  p->block[p->block_count++] = (ad_block){.kind = kernel == AD_KERNEL_ELEMENT ? AD_BLOCK_RUNS : AD_BLOCK_KERNEL,
                                          .op = (uint8_t)op,
                                          .nargs = ad_op_rule_get(op)->nargs,
                                          .active = active,
                                          .count = 1,
                                          .out = out,
                                          .step = (uint32_t)p->step_count};
  ad_step *step = &p->step[p->step_count++];
  *step = (ad_step){.node = n,
                    .kernel = kernel,
                    .size = (uint32_t)ad_shape_size(ad_graph_node_shape(g, n)),
                    .operand = p->operand_count,
                    .operand_count = (uint32_t)count};
  for (size_t k = 0; k < count; k++)
    p->operand[p->operand_count++] =
        (ad_operand){p->offset[args[k]], (uint32_t)ad_shape_size(ad_graph_node_shape(g, args[k])), p->active[args[k]]};
  s = ad_plan_step(p, step, n, e);
  if (s) return s;
  note_work(p, step);
  find_flat(&p->block[p->block_count - 1], step);
  return AD_OK;
}

static ad_status lower_node(ad_program *p, ad_order *order, ad_node n, bool views, ad_error *e) {
  const ad_graph *g = p->graph;
  const ad_node *args;
  const ad_op op = ad_lowered_op(g, n);
  uint64_t from;
  if (op == AD_OP_CONSTANT) return place(p, n, e);
  ad_graph_args(g, n, &args);
  const bool element = ad_op_rule_get(op)->kernel == AD_KERNEL_ELEMENT;
  const uint8_t active = depends(p, n, element);
  if (element && ad_graph_node_shape(g, n)->rank == 0) {
    ad_order_push(order, p, n, op, active);
    if (order->count < AD_WINDOW) return AD_OK;
    if ((uint64_t)p->size + 3 * AD_WINDOW >= AD_WAITING)
      return ad_fail(e, AD_ELIMIT, "the graph's values have %u elements or more", (unsigned)AD_WAITING - 3 * AD_WINDOW);
    return ad_order_flush(order, p, e);
  }
  ad_status s = ad_order_flush(order, p, e);
  if (s) return s;
  if (!views || !is_view(g, n, &from)) return add_step(p, n, op, active, e);
  p->offset[n] = p->offset[args[0]] + (uint32_t)from;
  return AD_OK;
}

void ad_program_count_kept(ad_program *p) {
  p->kept_one = p->kept_block = 0;
  for (size_t i = 0; i < p->block_count; i++) {
    const ad_block *b = &p->block[i];
    const unsigned each = (unsigned)__builtin_popcount(b->active);
    if (b->kind == AD_BLOCK_KERNEL || b->kind == AD_BLOCK_FUSED) continue;
    if (b->kind == AD_BLOCK_MIXED) {
      if (!ad_block_is_chain(b)) p->kept_one += 2 * (size_t)b->count;
      for (uint32_t j = 0; j < b->count; j++)
        p->kept_block += ad_scalar_keeps(p->op[b->first + j], p->dep[b->first + j]);
      continue;
    }
    const size_t elements = b->kind == AD_BLOCK_RUNS ? p->step[b->step].size : b->count;
    if (ad_block_keeps(b)) p->kept_one += each * elements;
    p->kept_block += ad_scalar_keeps(b->op, b->active) * elements;
  }
}

static ad_status add_spare_args(ad_program *p, ad_error *e) {
  if (!ad_reserve(&p->arg, &p->arg_capacity, p->arg_count + AD_SPARE_ARGS, sizeof *p->arg)) return ad_fail_memory(e);
  memset(p->arg + p->arg_count, 0, AD_SPARE_ARGS * sizeof *p->arg);
  p->arg_count += AD_SPARE_ARGS;
  return AD_OK;
}

/* Gives back what the columns have beyond their use, and unary operations of MIXED blocks a second argument that nobody
 * reads: the element behind the others. */
static ad_status finish(ad_program *p, ad_error *e) {
  for (size_t i = 0; i < p->block_count; i++) {
    const ad_block *b = &p->block[i];
    if (b->kind != AD_BLOCK_MIXED) continue;
    for (size_t k = 0; k < 2 * (size_t)b->count; k++)
      if (p->arg[b->arg + k] == AD_ABSENT) p->arg[b->arg + k] = p->size;
  }
  if (ad_order_chains(p, e)) return AD_ENOMEM;
  ad_program_count_kept(p);
  if (add_spare_args(p, e)) return AD_ENOMEM;
  return ad_shrink(&p->arg, p->arg_count, sizeof *p->arg) && ad_shrink(&p->op, p->mixed_count, sizeof *p->op) &&
                 ad_shrink(&p->dep, p->mixed_count, sizeof *p->dep) &&
                 ad_shrink(&p->block, p->block_count, sizeof *p->block)
             ? AD_OK
             : ad_fail_memory(e);
}

static bool is_product_of_derivatives(ad_op op) {
  return op == AD_OP_MUL_NO_NAN || op == AD_OP_MUL_OR_ZERO || op == AD_OP_MATMUL_NO_NAN;
}

/* Whether a value is a product of derivatives, and whether an operation may make a number of one that is nan. */
static ad_status look_for_derivatives(ad_program *p, ad_error *e) {
  const ad_graph *g = p->graph;
  const ad_node *args;
  const size_t n = ad_graph_node_count(g);
  for (ad_node i = 0; i < n && !p->of_derivatives; i++)
    p->of_derivatives = ad_program_runs(p, i) && is_product_of_derivatives(ad_graph_node_op(g, i));
  if (!p->of_derivatives) return AD_OK;
  bool *derived = ad_calloc(n, sizeof *derived);
  if (!derived) return ad_fail_memory(e);
  for (ad_node i = 0; i < n; i++) {
    if (!ad_program_runs(p, i)) continue;
    const ad_op op = ad_graph_node_op(g, i);
    const size_t count = ad_graph_args(g, i, &args);
    derived[i] = is_product_of_derivatives(op);
    for (size_t k = 0; k < count; k++) {
      if (!derived[args[k]]) continue;
      derived[i] = true;
      p->hides_nan = p->hides_nan || ad_op_rule_get(op)->smoothness == AD_STEP || op == AD_OP_POW ||
                     op == AD_OP_HYPOT || (op == AD_OP_WHERE && !k);
    }
  }
  ad_free(derived);
  return AD_OK;
}

ad_status ad_program_new(ad_program **out, const ad_graph *g, const ad_program_options *options, ad_error *e) {
  static const ad_program_options none = {0};
  const ad_program_options *o = options ? options : &none;
  AD_GIVEN(out && g && (o->outputs || !o->output_count) && (o->wrt || !o->wrt_count), e);
  const size_t n = ad_graph_node_count(g), inputs = ad_graph_input_count(g);
  ad_program *p = ad_calloc(1, sizeof *p);
  ad_order *order = ad_calloc(1, sizeof *order);
  ad_status s = p && order ? AD_OK : ad_fail_memory(e);
  if (!s) {
    p->graph = g;
    p->offset = ad_malloc(n, sizeof *p->offset);
    p->active = ad_calloc(n, 1);
    s = p->offset && p->active ? list_outputs(p, o, e) : ad_fail_memory(e);
  }
  if (!s) s = mark_live(p, o, e);
  if (!s) s = choose_wrt(p, o, e);
  if (!s) s = add_spare_args(p, e);
  for (ad_node i = 0; !s && i < inputs; i++) s = place(p, i, e);
  if (!s) p->input_size = p->size;
  for (size_t i = inputs; !s && i < n; i++)
    if (p->offset[i] != AD_ABSENT) s = lower_node(p, order, (ad_node)i, !o->keep_all && VIEWS, e);
  if (!s) s = ad_order_flush(order, p, e);
  if (!s && !o->keep_all && VIEWS) s = ad_fuse(p, e);
  if (!s) s = look_for_derivatives(p, e);
  if (!s) p->outputs_only = !o->keep_all && o->outputs_only;
  if (!s && p->outputs_only) s = ad_pack(p, e);
  if (!s) s = finish(p, e);
  ad_free(order);
  if (s) {
    ad_program_free(p);
    return s;
  }
  *out = p;
  return AD_OK;
}

const ad_graph *ad_program_graph(const ad_program *p) {
  return p ? p->graph : NULL;
}

size_t ad_program_wrt_count(const ad_program *p) {
  return p ? p->wrt_count : 0;
}

ad_node ad_program_wrt(const ad_program *p, size_t i) {
  return i < ad_program_wrt_count(p) ? p->wrt[i] : AD_NO_NODE;
}

unsigned ad_scalar_reads_back(ad_op op, uint8_t active) {
  static const struct {
    const char *partial[3];
  } table[AD_OP_COUNT] = {
#define UNARY(ID, name, VALUE, DX, ...) [AD_OP_##ID] = {{#DX}},
#define BINARY(ID, name, args, dflt, VALUE, DX, DY, ...) [AD_OP_##ID] = {{#DX, #DY}},
#define LOWERED BINARY
#define TERNARY(ID, name, args, VALUE, DX, DY, DW, ...) [AD_OP_##ID] = {{#DX, #DY, #DW}},
#include "ir/ops.def"
  };
  static const char names[] = "zxyw";
  unsigned reads = 0;
  if (ad_scalar_keeps(op, active)) return 0;
  for (unsigned k = 0; k < 3; k++)
    for (const char *c = table[op].partial[k]; c && (active >> k & 1) && *c; c++) {
      const char *which = strchr(names, *c);
      if (which) reads |= 1u << (which - names); /* words are in capitals */
    }
  return reads;
}

bool ad_program_runs(const ad_program *p, ad_node n) {
  return p->offset[n] != AD_ABSENT && ad_graph_node_op(p->graph, n) > AD_OP_CONSTANT;
}

size_t ad_program_output_count(const ad_program *p) {
  return p ? p->output_count : 0;
}

ad_node ad_program_output(const ad_program *p, size_t i) {
  return i < ad_program_output_count(p) ? p->output[i] : AD_NO_NODE;
}

static uint64_t size_of(const ad_program *p, const ad_node *node, size_t count) {
  uint64_t n = 0;
  for (size_t i = 0; i < count; i++) n += (uint64_t)ad_shape_size(ad_graph_node_shape(p->graph, node[i]));
  return n;
}

uint64_t ad_program_wrt_size(const ad_program *p) {
  return p ? size_of(p, p->wrt, p->wrt_count) : 0;
}

uint64_t ad_program_output_size(const ad_program *p) {
  return p ? size_of(p, p->output, p->output_count) : 0;
}
