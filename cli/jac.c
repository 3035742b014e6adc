#include <string.h>

#include "cli.h"

static matrix_part part_of(const session *s, ad_node n, const char *name, size_t *first) {
  matrix_part p = {.shape = *ad_graph_node_shape(s->graph, n), .first = *first};
  snprintf(p.name, sizeof p.name, "%s", name);
  p.size = (size_t)ad_shape_size(&p.shape);
  *first += p.size;
  return p;
}

/* One element of an output, chosen with --output NAME[i,j], is a row by its name. */
static void narrow(matrix_part *p, const session *s, size_t i, ad_buffer *b) {
  if (s->element[i] == SIZE_MAX) return;
  ad_buffer name = {0};
  put_output_name(&name, s, i);
  snprintf(p->name, sizeof p->name, "%s", ad_buffer_text(b, &name));
  ad_buffer_clear(&name);
  p->shape = (ad_shape){0};
  p->first += s->element[i];
  p->size = 1;
}

static int put_result(ad_buffer *b, const session *s, ad_jacobian *j) {
  const size_t columns = ad_program_wrt_count(s->program);
  matrix m = {.o = s->o,
              .value = ad_jacobian_values(j),
              .sparsity = ad_jacobian_sparsity(j),
              .columns = ad_jacobian_get_plan(j).columns,
              .row_parts = s->output_count,
              .column_parts = columns,
              .row = ad_calloc(s->output_count, sizeof *m.row),
              .column = ad_calloc(columns, sizeof *m.column)};
  int status = 0;
  if (m.row && m.column) {
    size_t first = 0;
    for (size_t i = 0; i < s->output_count; i++) {
      m.row[i] = part_of(s, ad_graph_output_node(s->graph, s->output[i]), ad_graph_output_name(s->graph, s->output[i]),
                         &first);
      narrow(&m.row[i], s, i, b);
    }
    first = 0;
    for (size_t k = 0; k < columns; k++) {
      const ad_node x = ad_program_wrt(s->program, k);
      m.column[k] = part_of(s, x, ad_graph_node_name(s->graph, x), &first);
    }
    status = put_matrix(b, &m);
  } else {
    b->failed = true;
  }
  ad_free(m.row);
  ad_free(m.column);
  return status;
}

static int run_one(const options *o, const char *path, ad_buffer *b) {
  session s = {0};
  ad_jacobian *j = NULL;
  ad_error e = {0};
  int status = matrix_format_error(o);
  if (status) return status;
  status = session_open(&s, o, path);
  if (!status) status = session_program(&s, (ad_program_options){.outputs_only = true});
  if (!status) {
    const ad_jacobian_options jo = {.mode = o->mode, .sparse = o->sparse, .precision = session_precision(&s)};
    ad_status failed = ad_jacobian_new(&j, s.program, o->backend, &jo, &e);
    if (!failed) failed = ad_workspace_set_point(ad_jacobian_workspace(j), s.point, &e);
    if (!failed) failed = ad_jacobian_run(j, &e);
    if (failed) status = session_report(&s, &e);
  }
  if (!status && o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  if (!status) status = put_result(b, &s, j);
  if (!status) {
    s.workspace = ad_jacobian_workspace(j);
    session_note_wrt(&s);
    status = session_notes(&s);
    s.workspace = NULL; /* the plan's */
  }
  ad_jacobian_free(j);
  session_close(&s);
  return status;
}

static int run(const options *o) {
  return for_each_graph(o, run_one);
}

static const option_id takes[] = {OPTIONS_OF_POINT,   OPT_WRT,          OPT_OUTPUT, OPT_SPARSE, OPT_MODE,
                                  OPTIONS_OF_NUMBERS, OPTIONS_OF_RESULT};
const command command_jac = {
    "jac",
    "GRAPH...",
    "Jacobian: every output by every input",
    "Computes the derivative of each element of the outputs by each element of the inputs.  In double without\n"
    "--backend, tangents and adjoints are used as costs least; --backend and --mode force one of them.\n"
    "With --sparse only the entries are computed and shown that can be other than zero by the graph's structure;\n"
    "columns and rows that don't meet share a sweep.\n"
    "With --format json the result is\n"
    "  {\"outputs\": {NAME: {INPUT: [[...]]}}}, a matrix of the output's elements by the input's, or\n"
    "  {\"shape\": [m, n], \"row\": [...], \"col\": [...], \"value\": [...]} with --sparse,\n"
    "where rows are the elements of all outputs, in the order of the file, and columns those of all inputs, in the "
    "order\n"
    "of --wrt, or else of the file.\n"
    "--format npz is read by SciPy's load_npz, mtx (Matrix Market) by its mmread; both want --sparse.",
    1,
    SIZE_MAX,
    takes,
    FORMATS_MATRIX,
    run};
