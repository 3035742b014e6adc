/* Prints the gradient of the first output of a graph file by its inputs. */
#include <adtool.h>
#include <stdio.h>

static int failed(const ad_error *e) {
  fprintf(stderr, "%s:%lld: %s\n", e->file, (long long)e->line, e->message);
  return ad_exit_status(e->code);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: example GRAPH\n");
    return AD_EUSAGE;
  }
  ad_error e = {0};
  ad_graph *g = NULL;
  ad_point *point = NULL;
  ad_program *program = NULL;
  ad_workspace *w = NULL;
  int status = 0;
  if (ad_graph_load(&g, argv[1], NULL, &e)) return failed(&e);

  const ad_backend *tape = ad_backend_find("tape");
  const ad_gradient_request request = {.output = ad_graph_output_node(g, 0)};
  if (ad_point_new(&point, g, &e) || ad_program_new(&program, g, NULL, &e) ||
      ad_workspace_new(&w, program, tape, &(ad_workspace_options){.reverse = true}, &e) ||
      ad_workspace_set_point(w, point, &e) || ad_workspace_primal(w, &e) ||
      ad_workspace_run_gradient(w, &request, &e)) {
    status = failed(&e);
  } else {
    char text[AD_NUMBER_TEXT];
    ad_span value = ad_workspace_value(w, request.output);
    ad_number_short_text(text, ad_span_double(&value, 0));
    printf("%s = %s\n", ad_graph_output_name(g, 0), text);
    for (size_t i = 0; i < ad_program_wrt_count(program); i++) {
      ad_node input = ad_program_wrt(program, i);
      ad_span d = ad_workspace_gradient(w, input);
      for (size_t k = 0; k < d.count; k++) {
        ad_number_short_text(text, ad_span_double(&d, k));
        printf("d/d%s[%zu] = %s\n", ad_graph_node_name(g, input), k, text);
      }
    }
  }
  ad_workspace_free(w);
  ad_program_free(program);
  ad_point_free(point);
  ad_graph_free(g);
  return status;
}
