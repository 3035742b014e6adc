/* Which derivatives will be asked for, more closely than by the inputs they depend on. */
#include "error.h"
#include "ir/graph.h"
#include "exec/program.h"
#include "mem.h"

enum { LEADS = 1, STAYS = 2 }; /* of a node: leads to one of those asked for; leads to a scalar that does */

static bool is_scalar(const ad_graph *g, ad_node n) {
  return ad_op_rule_get(ad_graph_node_op(g, n))->kernel == AD_KERNEL_ELEMENT && !ad_graph_node_shape(g, n)->rank;
}

static bool is_step(const ad_graph *g, ad_node n) {
  const ad_op_rule *rule = ad_op_rule_get(ad_lowered_op(g, n));
  return rule->kernel == AD_KERNEL_ELEMENT && rule->smoothness == AD_STEP;
}

static void mark(const ad_program *p, uint8_t *flags) {
  const ad_graph *g = p->graph;
  for (size_t n = ad_graph_node_count(g); n-- > ad_graph_input_count(g);) {
    const ad_node *args;
    if (!p->active[n]) continue;
    if (flags[n] && is_scalar(g, (ad_node)n)) flags[n] |= STAYS; /* scalars are not told what became constant */
    if (!(flags[n] & STAYS) && is_step(g, (ad_node)n)) continue;
    const size_t count = ad_graph_args(g, (ad_node)n, &args);
    for (size_t k = 0; k < count; k++) flags[args[k]] |= flags[n];
  }
}

static void settle(ad_program *p, const uint8_t *flags) {
  const ad_graph *g = p->graph;
  for (size_t n = ad_graph_input_count(g); n < ad_graph_node_count(g); n++) {
    const ad_node *args;
    if (!p->active[n] || flags[n] & STAYS || is_scalar(g, (ad_node)n)) continue;
    const size_t count = ad_graph_args(g, (ad_node)n, &args);
    bool any = false;
    for (size_t k = 0; k < count; k++) any = any || p->active[args[k]];
    p->active[n] = any && (flags[n] & LEADS) && !is_step(g, (ad_node)n);
  }
}

static uint8_t active_args(const ad_program *p, ad_node n, uint8_t active) {
  const ad_node *args;
  const size_t count = ad_graph_args(p->graph, n, &args);
  if (!p->active[n]) return 0;
  for (size_t k = 0; k < count; k++)
    if (!p->active[args[k]]) active &= (uint8_t) ~(1u << k);
  return active;
}

ad_status ad_program_narrow(ad_program *p, const ad_node *nodes, size_t count, ad_error *e) {
  uint8_t *flags = ad_calloc(ad_graph_node_count(p->graph), 1);
  if (!flags) return ad_fail_memory(e);
  for (size_t i = 0; i < count; i++) flags[nodes[i]] = LEADS;
  mark(p, flags);
  settle(p, flags);
  ad_free(flags);
  for (size_t i = 0; i < p->block_count; i++) {
    ad_block *b = &p->block[i];
    if (b->kind == AD_BLOCK_KERNEL || b->kind == AD_BLOCK_RUNS) {
      const ad_step *s = &p->step[b->step];
      const ad_node *args;
      ad_graph_args(p->graph, s->node, &args);
      for (uint32_t k = 0; k < s->operand_count; k++) p->operand[s->operand + k].active = p->active[args[k]];
      b->active = b->kind == AD_BLOCK_RUNS ? active_args(p, s->node, b->active) : b->active && p->active[s->node];
    } else if (b->kind == AD_BLOCK_FUSED) {
      b->active = 0;
      for (ad_fused *f = p->fused + b->first; f < p->fused + b->first + b->count; f++) {
        f->active = active_args(p, f->node, f->active);
        b->active |= f->active != 0;
      }
    }
  }
  ad_program_count_kept(p);
  return AD_OK;
}
