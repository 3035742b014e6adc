/* Second derivatives: the whole Hessian, and its product with a direction. */
#include "cli.h"
#include "ir/number.h"
#include "ir/point.h"

/* What --output, --wrt and --seed say. */
static int plan(ad_hessian **h, const session *s, bool sparse, uint32_t columns) {
  ad_error e = {0};
  if (s->output_count != 1)
    return usage_error(s->o, "%s has %zu outputs; choose one with --output", s->path, s->output_count);
  ad_hessian_options o = {.of = {.output_count = 1, .output = s->output, .wrt_count = s->wrt_count, .wrt = s->wrt},
                          .mode = s->o->mode,
                          .precision = session_precision(s),
                          .sparse = sparse,
                          .columns = columns};
  if (s->seed_count) {
    o.of.seed_count = s->seed_count;
    o.of.exact = s->weight;
  } else if (s->element[0] != SIZE_MAX) {
    o.of.seed_count = 1;
    o.of.element = s->element;
  } else {
    const int status = session_scalar(s, 0);
    if (status) return status;
  }
  ad_status status = ad_hessian_new(h, s->graph, s->o->backend, &o, &e);
  if (!status) status = ad_hessian_set_point(*h, s->point, &e);
  if (!status) status = ad_workspace_primal(ad_hessian_workspace(*h), &e);
  return status ? session_report(s, &e) : 0;
}

/* Of the graph itself: its nodes are those that the file names. */
static int put_notes(session *s, ad_hessian *h) {
  int status = session_plan(s, false, 0, false);
  if (!status) session_note_wrt(s);
  if (!status) status = session_notes(s);
  return status ? status : session_note_undetermined(s, ad_hessian_workspace(h), NULL);
}

static int put_hessian(ad_buffer *b, const session *s, const ad_hessian *h) {
  const size_t parts = ad_hessian_wrt_count(h);
  ad_buffer name = {0};
  put_output_name(&name, s, 0);
  matrix m = {.o = s->o,
              .of = ad_buffer_text(b, &name),
              .value = ad_hessian_values(h),
              .sparsity = ad_hessian_sparsity(h),
              .columns = ad_hessian_size(h),
              .row_parts = parts,
              .column_parts = parts,
              .row = ad_calloc(parts, sizeof *m.row)};
  int status = 0;
  size_t first = 0;
  for (size_t i = 0; m.row && i < parts; i++) {
    const ad_node x = ad_hessian_wrt(h, i);
    m.row[i] = (matrix_part){.shape = *ad_graph_node_shape(s->graph, x), .first = first};
    snprintf(m.row[i].name, sizeof m.row[i].name, "%s", ad_graph_node_name(s->graph, x));
    m.row[i].size = (size_t)ad_shape_size(&m.row[i].shape);
    first += m.row[i].size;
  }
  m.column = m.row;
  if (m.row)
    status = put_matrix(b, &m);
  else
    b->failed = true;
  ad_free(m.row);
  ad_buffer_clear(&name);
  return status;
}

static int hess_one(const options *o, const char *path, ad_buffer *b) {
  session s = {0};
  ad_hessian *h = NULL;
  ad_error e = {0};
  int status = matrix_format_error(o);
  if (status) return status;
  status = session_open(&s, o, path);
  if (!status) status = plan(&h, &s, o->sparse, 0);
  if (!status && ad_hessian_run(h, &e)) status = session_report(&s, &e);
  if (!status && o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  if (!status) status = put_hessian(b, &s, h);
  if (!status) status = put_notes(&s, h);
  ad_hessian_free(h);
  session_close(&s);
  return status;
}

/* ---- hvp: the rows are those of --wrt, the direction may have parts in any input. */

typedef struct product {
  const session *s;
  const ad_hessian *h; /* by the inputs of the rows, then by the other ones that have a direction */
  size_t count;        /* of rows */
} product;

static bool is_row(const session *s, ad_node x) {
  if (!s->wrt_count) return !ad_graph_input_fixed(s->graph, x);
  for (size_t i = 0; i < s->wrt_count; i++)
    if (s->wrt[i] == x) return true;
  return false;
}

static int plan_product(product *r, ad_hessian **h, const session *s, const vector *v) {
  const size_t inputs = ad_graph_input_count(s->graph);
  session wide = *s;
  wide.wrt_count = 0;
  wide.wrt = ad_calloc(inputs + s->wrt_count, sizeof *wide.wrt);
  if (!wide.wrt) return out_of_memory(s->o);
  for (size_t i = 0; i < s->wrt_count; i++) wide.wrt[wide.wrt_count++] = s->wrt[i];
  for (ad_node x = 0; x < inputs && !s->wrt_count; x++)
    if (is_row(s, x)) wide.wrt[wide.wrt_count++] = x;
  r->count = wide.wrt_count;
  for (ad_node x = 0; x < inputs; x++)
    if (!is_row(s, x) && v->values.point->value[x]) wide.wrt[wide.wrt_count++] = x;
  const int status = plan(h, &wide, false, 1);
  ad_free(wide.wrt);
  r->s = s;
  r->h = *h;
  return status;
}

/* The direction's parts in the inputs of the plan, one behind the other; where none is given, zeros. */
static int gather(ad_numbers *n, const session *s, const vector *v, const ad_hessian *h) {
  ad_error e = {0};
  ad_status status = AD_OK;
  for (size_t i = 0; !status && i < ad_hessian_wrt_count(h); i++) {
    const ad_node x = ad_hessian_wrt(h, i);
    const ad_numbers *d = v->values.point->value[x];
    const size_t size = (size_t)ad_shape_size(ad_graph_node_shape(s->graph, x));
    for (size_t k = 0; !status && k < size; k++) {
      status = d ? ad_numbers_push_from(n, d, ad_numbers_count(d) > 1 ? k : 0, &e) : ad_numbers_push_double(n, 0, &e);
    }
  }
  return status ? report(s->o, &e) : 0;
}

static ad_span part_at(const void *context, size_t i, ad_buffer *name, ad_shape *shape) {
  const product *r = context;
  const ad_node x = ad_hessian_wrt(r->h, i);
  size_t first = 0;
  for (size_t k = 0; k < i; k++)
    first += (size_t)ad_shape_size(ad_graph_node_shape(r->s->graph, ad_hessian_wrt(r->h, k)));
  *shape = *ad_graph_node_shape(r->s->graph, x);
  ad_buffer_puts(name, ad_graph_node_name(r->s->graph, x));
  const ad_span all = ad_hessian_values(r->h);
  if (!ad_shape_size(shape)) return (ad_span){.kind = all.kind};
  ad_span v = span_element(&all, first);
  v.count = (size_t)ad_shape_size(shape);
  return v;
}

static int hvp_one(const options *o, const char *path, ad_buffer *b) {
  session s = {0};
  vector v = {0};
  ad_hessian *h = NULL;
  product r = {0};
  ad_error e = {0};
  ad_numbers *n = ad_numbers_new();
  int status = session_open(&s, o, path);
  if (!n && !status) status = out_of_memory(o);
  if (!status) status = vector_read(&v, &s, true);
  if (!status) status = plan_product(&r, &h, &s, &v);
  if (!status) status = gather(n, &s, &v, h);
  if (!status && ad_hessian_products_exact(h, n, 1, &e)) status = session_report(&s, &e);
  if (!status && o->file_count > 1 && o->format == FORMAT_TEXT) ad_buffer_printf(b, "# %s\n", path);
  if (!status) status = put_product(b, o, "hvp", false, r.count, part_at, &r);
  if (!status) status = put_notes(&s, h);
  ad_numbers_free(n);
  ad_hessian_free(h);
  vector_clear(&v);
  session_close(&s);
  return status;
}

static int run_hess(const options *o) {
  return for_each_graph(o, hess_one);
}

static int run_hvp(const options *o) {
  return for_each_graph(o, hvp_one);
}

static const option_id hess_takes[] = {OPTIONS_OF_POINT, OPT_WRT,  OPT_OUTPUT,         OPT_SEED,
                                       OPT_SPARSE,       OPT_MODE, OPTIONS_OF_NUMBERS, OPTIONS_OF_RESULT};
const command command_hess = {
    "hess",
    "GRAPH...",
    "Hessian: second derivatives of an output",
    "Computes all second derivatives of one scalar output, of one element (--output NAME[i,j]), or of a weighted sum\n"
    "(--output NAME --seed WEIGHTS), by sweeps over the graph of its gradient: forward (dual), or reverse (tape).\n"
    "With --sparse only the entries are computed and shown that can be other than zero by the graph's structure.\n"
    "With --format json the result is\n"
    "  {\"outputs\": {NAME: {INPUT: {INPUT: [[...]]}}}}, matrices of one input's elements by another's, or\n"
    "  {\"shape\": [n, n], \"row\": [...], \"col\": [...], \"value\": [...]} with --sparse,\n"
    "where rows and columns are the elements of all inputs in the order of --wrt, or else of the file.\n"
    "--format npz is read by SciPy's load_npz, mtx (Matrix Market) by its mmread; both want --sparse.",
    1,
    SIZE_MAX,
    hess_takes,
    FORMATS_MATRIX,
    run_hess};

static const option_id hvp_takes[] = {OPTIONS_OF_POINT, OPT_DIRECTION,      OPT_WRT,          OPT_OUTPUT, OPT_SEED,
                                      OPT_MODE,         OPTIONS_OF_NUMBERS, OPTIONS_OF_RESULT};
const command command_hvp = {
    "hvp",
    "GRAPH...",
    "Hessian times a direction, by one sweep",
    "Computes how the gradient of one scalar output moves when the inputs move in a direction: the Hessian times the\n"
    "vector whose parts are given with --direction, in any inputs; those that are not named stand still.  --wrt says "
    "of\n"
    "which inputs' gradients the movement is shown, so `--wrt x --direction y=1` is the mixed block d2 f/dx dy times "
    "1.\n"
    "See `adtool help hess` for --output and --seed.\n"
    "With --format json the result is {\"hvp\": {INPUT: VALUE}}, tensors as nested arrays.",
    1,
    SIZE_MAX,
    hvp_takes,
    FORMATS_VALUES,
    run_hvp};
