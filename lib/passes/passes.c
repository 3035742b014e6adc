/* The table of passes, and the walk that runs them. */
#include "passes/passes.h"

#include <string.h>

#include "error.h"
#include "mem.h"

/* In the order in which they are asked.  `dead` has no rule: it decides which nodes are walked. */
static const struct {
  ad_pass_info info;
  ad_rule *rule;
} passes[] = {
    {{"dead", "drops what no output needs"}, NULL},
    {{"fold", "computes operations on constants where that changes no bit"}, ad_fold_constants},
    {{"identities", "drops or simplifies x*1, -(-x), whole slices and the like, where that changes no bit"},
     ad_simplify},
    {{"common", "computes once what is written several times"}, ad_find_common},
};
/* What is folded takes no more than the graph did, and ROOM. */
enum { ROOM = 1 << 16 };
enum { DEAD, PASSES = sizeof passes / sizeof passes[0] };

size_t ad_pass_count(void) {
  return PASSES;
}

const ad_pass_info *ad_pass_get(size_t i) {
  return i < PASSES ? &passes[i].info : NULL;
}

/* Asks the rules about the last node of r->g; one that becomes another operation is asked about from the start. */
static ad_status ask(ad_rewrite *r, uint32_t mask, ad_node *z, ad_error *e) {
  const ad_node last = *z;
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < PASSES && *z == last; i++) {
    if (!(mask >> i & 1) || !passes[i].rule) continue;
    r->again = false;
    s = passes[i].rule(r, z, e);
    if (*z != last && r->last & AD_EXPONENT && r->g->op[*z] == AD_OP_CONSTANT) *z = last;
    if (r->again) i = 0;
  }
  if (*z != last) ad_graph_cut(r->g, &r->before);
  return s;
}

static void mark_exponents(const ad_graph *g, uint8_t *flags) {
  for (ad_node n = 0; n < g->count; n++) {
    const ad_node *args;
    if (g->op[n] != AD_OP_POW || !(flags[n] & AD_NEEDED)) continue;
    ad_graph_node_args(g, n, &args);
    if (g->op[args[1]] != AD_OP_CONSTANT) flags[args[1]] |= AD_EXPONENT;
  }
}

/* All needed nodes, with the rules asked; r->flags is set. */
static ad_status walk(ad_rewrite *r, uint32_t mask, ad_error *e) {
  const ad_graph *from = r->from;
  size_t nodes = 0, args = 0;
  for (size_t i = 0; i < from->count; i++) {
    if (!(r->flags[i] & AD_NEEDED)) continue;
    nodes++;
    args += from->first_arg[i + 1] - from->first_arg[i];
  }
  mark_exponents(from, r->flags);
  r->room = ROOM + nodes + from->number_count + from->text_size / sizeof(double);
  ad_status s = ad_graph_reserve(r->g, nodes, args, e);
  for (ad_node n = 0; !s && n < from->count; n++) {
    if (!(r->flags[n] & AD_NEEDED)) continue;
    s = ad_rewrite_copy(r, n, e);
    if (!s && n >= from->input_count && !(r->last & AD_KEPT)) s = ask(r, mask, &r->to[n], e);
  }
  return s ? s : ad_rewrite_finish(r, e);
}

static bool all_needed(const ad_rewrite *r) {
  for (size_t i = 0; i < r->from->count; i++)
    if (!(r->flags[i] & AD_NEEDED)) return false;
  return true;
}

ad_status ad_graph_optimize(ad_graph **out, const ad_graph *g, const ad_optimize_options *options, ad_error *e) {
  static const ad_optimize_options none = {0};
  const ad_optimize_options *o = options ? options : &none;
  const uint32_t mask = o->passes ? o->passes : UINT32_MAX;
  if (o->passes >> PASSES) return ad_fail(e, AD_EUSAGE, "there are %d passes, not more", PASSES);
  for (size_t i = 0; i < o->keep_count; i++)
    if (o->keep[i] >= g->count) return ad_fail(e, AD_EUSAGE, "there is no node %u to keep", o->keep[i]);
  ad_rewrite first, second = {0};
  ad_status s = ad_rewrite_open(&first, g, e);
  if (!s) {
    for (size_t i = 0; i < o->keep_count; i++) first.flags[o->keep[i]] |= AD_KEPT;
    if (mask >> DEAD & 1)
      ad_mark_needed(g, first.flags);
    else
      for (size_t i = 0; i < g->count; i++) first.flags[i] |= AD_NEEDED;
    s = walk(&first, mask, e);
  }
  ad_graph **result = &first.g;
  if (!s && mask >> DEAD & 1) { /* once more: what was replaced needs its arguments no longer */
    s = ad_rewrite_open(&second, first.g, e);
    if (!s) {
      for (size_t i = 0; i < o->keep_count; i++) second.flags[first.to[o->keep[i]]] |= AD_KEPT;
      ad_mark_needed(first.g, second.flags);
      if (!all_needed(&second)) {
        s = walk(&second, 0, e);
        result = &second.g;
      }
    }
  }
  if (!s) *out = *result, *result = NULL;
  ad_rewrite_close(&second);
  ad_rewrite_close(&first);
  return s;
}
