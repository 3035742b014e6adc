/* adtool through its public API. */
#include <stdio.h>

#include "bench/bench.h"

void bench_tool_code(bench_tool *t, const code *c) {
  bench_must(ad_graph_new(&t->g, NULL, &bench_error));
  bench_must(ad_graph_reserve(t->g, c->count, 2 * c->count, &bench_error));
  ad_op op[CODE_OP_COUNT];
  for (int i = CODE_NUMBER + 1; i < CODE_OP_COUNT; i++) op[i] = ad_op_find(code_op_name(i));
  for (size_t i = 0; i < c->count; i++) {
    ad_node n;
    char name[24];
    switch (c->op[i]) {
      case CODE_INPUT:
        snprintf(name, sizeof name, "x%zu", i);
        bench_must(ad_graph_input(t->g, &n, &(ad_input_spec){.name = name}, &bench_error));
        break;
      case CODE_NUMBER:
        bench_must(ad_graph_constant_double(t->g, &n, c->number[c->a[i]], &bench_error));
        break;
      default:
        bench_must(ad_graph_apply(t->g, &n, op[c->op[i]], (size_t)code_op_args(c->op[i]),
                                  (const ad_node[]){c->a[i], c->b[i]}, 0, NULL, &bench_error));
    }
    if (n != i) bench_fail("node %u is entry %zu of the code", n, i);
  }
  for (size_t i = 0; i < code_outputs(c); i++) {
    char name[24] = "f";
    if (c->outputs) snprintf(name, sizeof name, "f%zu", i);
    bench_must(ad_graph_output(t->g, name, code_output_entry(c, i), &bench_error));
  }
}

void bench_tool_open(bench_tool *t, const ad_workspace_options *o) {
  bench_must(ad_program_new(&t->p, t->g, &(ad_program_options){.outputs_only = t->outputs_only}, &bench_error));
  bench_must(ad_workspace_new(&t->w, t->p, ad_backend_find(t->backend ? t->backend : "tape"), o, &bench_error));
  t->request.output = ad_graph_output_node(t->g, 0);
}

void bench_tool_primal(void *tool) {
  bench_tool *t = tool;
  if (t->x) bench_must(ad_workspace_set_inputs(t->w, t->x, t->x_count, &bench_error));
  bench_must(ad_workspace_primal(t->w, &bench_error));
}

void bench_tool_gradient(void *tool) {
  bench_tool *t = tool;
  bench_tool_primal(t);
  bench_must(ad_workspace_run_gradient(t->w, &t->request, &bench_error));
}

const double *bench_tool_value(const bench_tool *t) {
  return ad_workspace_value(t->w, t->request.output).data;
}

const double *bench_tool_gradients(const bench_tool *t) {
  return ad_workspace_gradients(t->w).data;
}
