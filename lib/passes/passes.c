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
    ad_graph_args(g, n, &args);
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
  r->nodes = nodes;
  r->room = ROOM + nodes + from->number_count + from->text_size / sizeof(double);
  ad_status s = ad_graph_reserve(r->g, nodes, args, e);
  if (!s) s = ad_graph_copy_inputs(r->g, from, e);
  for (ad_node n = 0; n < from->input_count; n++) r->to[n] = n;
  for (ad_node n = (ad_node)from->input_count; !s && n < from->count; n++) {
    if (!(r->flags[n] & AD_NEEDED)) continue;
    s = ad_rewrite_copy(r, n, e);
    if (!s && !(r->last & AD_KEPT)) s = ask(r, mask, &r->to[n], e);
  }
  return s ? s : ad_graph_copy_outputs(r->g, from, r->to, e);
}

/* What was replaced needs its arguments no longer. */
static ad_status drop(ad_rewrite *r, const ad_optimize_options *o, ad_error *e) {
  ad_graph *g = r->g;
  const size_t count = g->count;
  ad_node *to = ad_malloc(count, sizeof *to);
  uint8_t *flags = ad_calloc(count, 1);
  ad_status s = to && flags ? AD_OK : ad_fail_memory(e);
  if (!s) {
    for (size_t i = 0; i < o->keep_count; i++) flags[r->to[o->keep[i]]] |= AD_KEPT;
    ad_mark_needed(g, flags);
    s = ad_graph_drop(g, to, flags, AD_NEEDED, e);
  }
  for (size_t n = 0; !s && n < r->from->count; n++)
    if (r->to[n] != AD_NO_NODE) r->to[n] = to[r->to[n]];
  ad_free(to);
  ad_free(flags);
  return s;
}

ad_status ad_graph_optimize(ad_graph **out, const ad_graph *g, const ad_optimize_options *options, ad_error *e) {
  static const ad_optimize_options none = {0};
  const ad_optimize_options *o = options ? options : &none;
  const uint32_t mask = o->passes ? o->passes : UINT32_MAX;
  AD_GIVEN(out && g && (o->keep || !o->keep_count), e);
  if (o->passes >> PASSES) return ad_fail(e, AD_EUSAGE, "there are %d passes, not more", PASSES);
  for (size_t i = 0; i < o->keep_count; i++)
    if (o->keep[i] >= g->count) return ad_fail(e, AD_EUSAGE, "there is no node %u to keep", o->keep[i]);
  ad_rewrite r;
  ad_status s = ad_rewrite_open(&r, g, e);
  if (!s) {
    for (size_t i = 0; i < o->keep_count; i++) r.flags[o->keep[i]] |= AD_KEPT;
    if (mask >> DEAD & 1)
      ad_mark_needed(g, r.flags);
    else
      for (size_t i = 0; i < g->count; i++) r.flags[i] |= AD_NEEDED;
    s = walk(&r, mask, e);
  }
  if (!s && mask >> DEAD & 1) s = drop(&r, o, e);
  if (!s) s = ad_rewrite_names(&r, e);
  if (!s) *out = r.g, r.g = NULL;
  ad_rewrite_close(&r);
  return s;
}
