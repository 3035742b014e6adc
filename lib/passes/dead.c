/* Dead code: what no output and no kept node needs.  Inputs stay. */
#include "passes/passes.h"

void ad_mark_needed(const ad_graph *g, uint8_t *flags) {
  for (size_t i = 0; i < g->input_count; i++) flags[i] |= AD_NEEDED;
  for (size_t i = 0; i < g->output_count; i++) flags[g->output_node[i]] |= AD_NEEDED;
  for (size_t i = g->count; i-- > 0;) {
    if (flags[i] & AD_KEPT) flags[i] |= AD_NEEDED;
    if (!(flags[i] & AD_NEEDED)) continue;
    const ad_node *args;
    const size_t nargs = ad_graph_args(g, (ad_node)i, &args);
    for (size_t k = 0; k < nargs; k++) flags[args[k]] |= AD_NEEDED;
  }
}
