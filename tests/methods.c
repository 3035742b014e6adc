#include "methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/plan.h"
#include "graphs.h"
#include "suite.h"

static const char *const mode_names[] = {"default", "forward", "reverse"};

static void see(methods *m, methods_what what, size_t i, const char *how, const ad_backend *b, ad_mode mode, ad_span s,
                size_t k) {
  char text[100];
  snprintf(text, sizeof text, "%s, %s, %s", how, b ? ad_backend_name(b) : "double", mode_names[mode]);
  ck_assert_uint_lt(k, s.count);
  m->see(m->context, what, i, text, &s, k);
}

static size_t size_of(const methods *m, ad_node n) {
  return (size_t)ad_shape_size(ad_graph_node_shape(m->g, n));
}

static size_t output_size(const methods *m, size_t k) {
  return size_of(m, ad_graph_output_node(m->g, k));
}

void methods_measure(methods *m) {
  m->rows = output_size(m, 0) + output_size(m, 1);
  m->columns = 0;
  for (size_t j = 0; j < m->wrt_count; j++)
    for (size_t i = 0; i < size_of(m, m->wrt[j]); i++) m->column[m->columns++] = (ad_variable){m->wrt[j], i};
}

/* ---- Sweeps in a workspace */

static void run_sweeps(methods *m, const ad_program *p, const ad_backend *b, ad_mode mode) {
  ad_workspace *w;
  const bool forward = mode == AD_MODE_FORWARD;
  must(ad_workspace_new(&w, p, b, &(ad_workspace_options){.directions = forward ? 2 : 0, .reverse = !forward},
                        &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  for (size_t k = 0, r = 0; k < 2; k++)
    for (size_t i = 0; i < output_size(m, k); i++, r++) {
      const ad_node f = ad_graph_output_node(m->g, k);
      see(m, METHODS_VALUE, r, "eval", b, mode, ad_workspace_value(w, f), i);
      must(ad_workspace_run_gradient(
          w, &(ad_gradient_request){.output = f, .seed_count = 1, .element = &i, .mode = mode}, &graphs_error));
      for (size_t c = 0; c < m->columns; c++)
        see(m, METHODS_JACOBIAN, r * m->columns + c, "grad", b, mode, ad_workspace_gradient(w, m->column[c].input),
            m->column[c].element);
    }
  ad_workspace_free(w);
}

static void run_jvp(methods *m, const ad_program *p, const ad_backend *b) {
  ad_workspace *w;
  must(ad_workspace_new(&w, p, b, &(ad_workspace_options){.directions = 1}, &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  ad_workspace_clear_seeds(w);
  for (size_t c = 0; c < m->columns; c++)
    must(ad_workspace_seed_tangent(w, 0, m->column[c].input, m->column[c].element, m->direction[c], &graphs_error));
  must(ad_workspace_forward(w, &graphs_error));
  for (size_t k = 0, r = 0; k < 2; k++)
    for (size_t i = 0; i < output_size(m, k); i++)
      see(m, METHODS_JVP, r++, "jvp", b, AD_MODE_FORWARD, ad_workspace_tangent(w, 0, ad_graph_output_node(m->g, k)), i);
  ad_workspace_free(w);
}

static void run_vjp(methods *m, const ad_program *p, const ad_backend *b) {
  ad_workspace *w;
  must(ad_workspace_new(&w, p, b, &(ad_workspace_options){.reverse = true}, &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  ad_workspace_clear_seeds(w);
  for (size_t k = 0, r = 0; k < 2; k++)
    for (size_t i = 0; i < output_size(m, k); i++)
      must(ad_workspace_seed_adjoint(w, ad_graph_output_node(m->g, k), i, m->weight[r++], &graphs_error));
  must(ad_workspace_reverse(w, &graphs_error));
  for (size_t c = 0; c < m->columns; c++)
    see(m, METHODS_VJP, c, "vjp", b, AD_MODE_REVERSE, ad_workspace_adjoint(w, m->column[c].input),
        m->column[c].element);
  ad_workspace_free(w);
}

static void run_series(methods *m, const ad_program *p, const ad_backend *b) {
  ad_workspace *w;
  must(ad_workspace_new(&w, p, b, &(ad_workspace_options){.order = METHODS_ORDER}, &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  ad_workspace_clear_seeds(w);
  for (size_t c = 0; c < m->columns; c++)
    must(ad_workspace_seed_coefficient(w, 1, m->column[c].input, m->column[c].element, m->direction[c], &graphs_error));
  must(ad_workspace_taylor(w, &graphs_error));
  for (uint32_t j = 0; j <= METHODS_ORDER; j++)
    for (size_t k = 0, r = 0; k < 2; k++)
      for (size_t i = 0; i < output_size(m, k); i++)
        see(m, METHODS_SERIES, j * m->rows + r++, "taylor", b, AD_MODE_DEFAULT,
            ad_workspace_coefficient(w, j, ad_graph_output_node(m->g, k)), i);
  ad_workspace_free(w);
}

static void run_mixed(methods *m, const ad_program *p, const ad_backend *b) {
  ad_workspace *w;
  ad_mixed *x;
  ad_variable second[2 * METHODS_COLUMNS * METHODS_COLUMNS];
  const ad_node f = ad_graph_output_node(m->g, 0);
  size_t count = 0;
  for (size_t i = 0; i < m->columns; i++)
    for (size_t j = 0; j < m->columns; j++) second[count++] = m->column[i], second[count++] = m->column[j];
  must(ad_workspace_new(&w, p, b, NULL, &graphs_error));
  must(ad_workspace_primal(w, &graphs_error));
  must(ad_mixed_new(
      &x, w, &(ad_mixed_request){.order = 2, .count = count / 2, .variable = second, .output_count = 1, .outputs = &f},
      &graphs_error));
  must(ad_mixed_run(x, &graphs_error));
  for (size_t i = 0; i < count / 2; i++)
    see(m, METHODS_MIXED, i, "mixed", b, AD_MODE_DEFAULT, ad_mixed_derivative(x, i, 0), 0);
  ad_mixed_free(x);
  const ad_variable third[] = {m->column[0], m->column[0], m->column[m->columns - 1]};
  must(ad_mixed_new(&x, w, &(ad_mixed_request){.order = 3, .count = 1, .variable = third}, &graphs_error));
  must(ad_mixed_run(x, &graphs_error));
  for (size_t k = 0, r = 0; k < 2; k++)
    for (size_t i = 0; i < output_size(m, k); i++)
      see(m, METHODS_THIRD, r++, "mixed of order 3", b, AD_MODE_DEFAULT, ad_mixed_derivative(x, 0, k), i);
  ad_mixed_free(x);
  ad_workspace_free(w);
}

/* ---- Plans of matrices */

static const double zero;

/* All places of a matrix, those outside the structure as 0. */
static void see_matrix(methods *m, methods_what what, size_t rows, const ad_backend *b, ad_mode mode, ad_span s,
                       const ad_sparsity *structure) {
  const char *how = structure ? "sparse" : "dense";
  size_t at = 0;
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < m->columns; c++) {
      const size_t i = r * m->columns + c;
      if (!structure)
        see(m, what, i, how, b, mode, s, i);
      else if (at < structure->start[r + 1] && structure->column[at] == c)
        see(m, what, i, how, b, mode, s, at++);
      else
        see(m, what, i, "outside the structure", b, mode, (ad_span){AD_KIND_F64, 1, &zero}, 0);
    }
}

static void run_jacobian(methods *m, const ad_program *p, const ad_backend *b, ad_mode mode, bool sparse) {
  ad_jacobian *j;
  must(ad_jacobian_new(&j, p, b, &(ad_jacobian_options){.mode = mode, .sparse = sparse}, &graphs_error));
  must(ad_jacobian_run(j, &graphs_error));
  see_matrix(m, METHODS_JACOBIAN, m->rows, b, mode, ad_jacobian_values(j), ad_jacobian_sparsity(j));
  ad_jacobian_free(j);
}

static void run_hessian(methods *m, const ad_backend *b, ad_mode mode, bool sparse, size_t output) {
  ad_hessian *h;
  ad_hessian_options o = {.of = {.output_count = 1, .output = &output, .wrt_count = m->wrt_count, .wrt = m->wrt},
                          .mode = mode,
                          .sparse = sparse,
                          .columns = sparse}; /* a sparse plan makes room for no products unless asked to */
  if (output) o.of.seed_count = output_size(m, 1), o.of.weight = m->weight + 1;
  must(ad_hessian_new(&h, m->g, b, &o, &graphs_error));
  must(ad_workspace_primal(ad_hessian_workspace(h), &graphs_error));
  must(ad_hessian_run(h, &graphs_error));
  see_matrix(m, output ? METHODS_WEIGHTED : METHODS_HESSIAN, m->columns, b, mode, ad_hessian_values(h),
             ad_hessian_sparsity(h));
  if (!output) {
    for (size_t j = 0, c = 0; j < m->wrt_count; j++)
      for (size_t i = 0; i < size_of(m, m->wrt[j]); i++)
        see(m, METHODS_JACOBIAN, c++, "gradient of hess", b, mode, ad_hessian_gradient(h, j), i);
    must(ad_hessian_products(h, m->direction, 1, &graphs_error));
    for (size_t c = 0; c < m->columns; c++) see(m, METHODS_HVP, c, "hvp", b, mode, ad_hessian_values(h), c);
  }
  ad_hessian_free(h);
}

/* ---- Graphs of derivatives */

/* Evaluates every output whose name starts with the prefix, in order. */
static void see_outputs(methods *m, methods_what what, size_t first, const ad_graph *d, const ad_workspace *w,
                        const char *prefix, const char *how, const ad_backend *b) {
  for (size_t k = 0; k < ad_graph_output_count(d); k++) {
    const ad_span s = ad_workspace_value(w, ad_graph_output_node(d, k));
    if (strncmp(ad_graph_output_name(d, k), prefix, strlen(prefix)) != 0) continue;
    for (size_t i = 0; i < s.count; i++) see(m, what, first++, how, b, AD_MODE_DEFAULT, s, i);
  }
}

static void run_gradient_graph(methods *m, const ad_graph *d, size_t row, const char *how, const ad_backend *b) {
  graphs_run r = graphs_start(d, ad_backend_name(b), (ad_workspace_options){0});
  see_outputs(m, METHODS_JACOBIAN, row * m->columns, d, r.w, "grad.", how, b);
  graphs_end(&r);
}

/* The gradient of each row, as it is and optimized. */
static void run_gradient_graphs(methods *m) {
  for (size_t k = 0, row = 0; k < 2; k++)
    for (size_t i = 0; i < output_size(m, k); i++, row++) {
      ad_graph *d, *o;
      must(ad_graph_gradient(&d, m->g,
                             &(ad_derivative_request){.output_count = 1,
                                                      .output = &k,
                                                      .seed_count = 1,
                                                      .element = &i,
                                                      .wrt_count = m->wrt_count,
                                                      .wrt = m->wrt},
                             &graphs_error));
      must(ad_graph_optimize(&o, d, NULL, &graphs_error));
      for (size_t b = 0; b < ad_backend_count(); b++) {
        run_gradient_graph(m, d, row, "diff", ad_backend_get(b));
        run_gradient_graph(m, o, row, "diff, optimized", ad_backend_get(b));
      }
      ad_graph_free(o);
      ad_graph_free(d);
    }
}

/* Sets the inputs of seeds in a product's graph: `of` is tangent or adjoint, the numbers are those of a node. */
static void set_seed(ad_workspace *w, const ad_graph *d, const char *of, const char *name, const double *v,
                     size_t count) {
  char text[100];
  snprintf(text, sizeof text, "%s.%s", of, name);
  must(ad_workspace_set_input(w, ad_graph_find_node(d, text), v, count, &graphs_error));
}

static void run_product_graph(methods *m, bool forward) {
  ad_graph *d;
  const ad_derivative_request request = {.wrt_count = m->wrt_count, .wrt = m->wrt};
  must((forward ? ad_graph_jvp : ad_graph_vjp)(&d, m->g, &request, &graphs_error));
  for (size_t b = 0; b < ad_backend_count(); b++) {
    ad_program *p;
    ad_workspace *w;
    size_t at = 0;
    must(ad_program_new(&p, d, NULL, &graphs_error));
    must(ad_workspace_new(&w, p, ad_backend_get(b), NULL, &graphs_error));
    for (size_t j = 0; forward && j < m->wrt_count; at += size_of(m, m->wrt[j++]))
      set_seed(w, d, "tangent", ad_graph_node_name(m->g, m->wrt[j]), m->direction + at, size_of(m, m->wrt[j]));
    for (size_t k = 0; !forward && k < 2; at += output_size(m, k++))
      set_seed(w, d, "adjoint", ad_graph_output_name(m->g, k), m->weight + at, output_size(m, k));
    must(ad_workspace_primal(w, &graphs_error));
    see_outputs(m, forward ? METHODS_JVP : METHODS_VJP, 0, d, w, forward ? "tangent." : "adjoint.",
                forward ? "diff to jvp" : "diff to vjp", ad_backend_get(b));
    ad_workspace_free(w);
    ad_program_free(p);
  }
  ad_graph_free(d);
}

void methods_run(methods *m) {
  ad_program *p;
  must(ad_program_new(&p, m->g, &(ad_program_options){.wrt_count = m->wrt_count, .wrt = m->wrt}, &graphs_error));
  for (size_t i = ad_backend_count(); i-- > 0;) { /* MPFR first */
    const ad_backend *b = ad_backend_get(i);
    run_series(m, p, b);
    run_mixed(m, p, b);
    for (ad_mode mode = AD_MODE_FORWARD; mode <= AD_MODE_REVERSE; mode++) {
      if (!ad_backend_supports(b, mode)) continue;
      run_sweeps(m, p, b, mode);
      (mode == AD_MODE_FORWARD ? run_jvp : run_vjp)(m, p, b);
    }
    for (ad_mode mode = AD_MODE_DEFAULT; mode <= AD_MODE_REVERSE; mode++)
      for (int sparse = 0; sparse < 2; sparse++) {
        const ad_backend *plan = i ? b : NULL; /* NULL: in double */
        if (plan && mode && !ad_backend_supports(b, mode)) continue;
        run_jacobian(m, p, plan, mode, sparse);
        for (size_t k = 0; k < 2; k++) run_hessian(m, plan, mode, sparse, k);
      }
  }
  run_gradient_graphs(m);
  run_product_graph(m, true);
  run_product_graph(m, false);
  ad_program_free(p);
}

/* ---- Batches */

static void see_row(methods *m, const ad_batch_options *o, const double *row, size_t width) {
  const ad_span s = {AD_KIND_F64, width, row};
  const bool second = o->task == AD_BATCH_HESS, gradient = second || o->task == AD_BATCH_GRAD;
  const size_t values = second ? 1 : gradient ? m->rows == 2 ? 2 : 1 : m->rows;
  size_t at = 0;
  if (!gradient) {
    for (; at < values; at++) see(m, METHODS_VALUE, at, "batch", o->backend, o->mode, s, at);
    for (size_t i = 0; o->task == AD_BATCH_JAC && i < m->rows * m->columns; i++)
      see(m, METHODS_JACOBIAN, i, "batch --do jac", o->backend, o->mode, s, at++);
  }
  for (size_t r = 0; gradient && r < values; r++) {
    see(m, METHODS_VALUE, r, "batch", o->backend, o->mode, s, at++);
    for (size_t c = 0; c < m->columns; c++)
      see(m, METHODS_JACOBIAN, r * m->columns + c, ad_batch_tasks[o->task], o->backend, o->mode, s, at++);
  }
  for (size_t i = 0; second && i < m->columns * m->columns; i++)
    see(m, METHODS_HESSIAN, i, "batch --do hess", o->backend, o->mode, s, at++);
  ck_assert_uint_eq(at, width);
}

static void run_task(methods *m, const ad_batch_options *o, const double *rows, size_t count, size_t size) {
  ad_batch_plan *p;
  ad_batch_worker *w;
  must(ad_batch_plan_new(&p, m->g, NULL, o, NULL, &graphs_error));
  must(ad_batch_worker_new(&w, p, &graphs_error));
  double *in = malloc(count * p->inputs * sizeof *in), *out = malloc(count * p->width * sizeof *out);
  memcpy(in, rows, count * p->inputs * sizeof *in);
  must(ad_batch_work(w, in, count, out, &graphs_error));
  char *const first = m->context;
  for (size_t r = 0; r < count; r++, m->context = (char *)m->context + size)
    see_row(m, o, out + r * p->width, p->width);
  m->context = first;
  free(in);
  free(out);
  ad_batch_worker_free(w);
  ad_batch_plan_free(p);
}

void methods_run_batch(methods *m, const double *rows, size_t count, size_t size) {
  static const size_t output[] = {0, 1}, element[] = {SIZE_MAX, SIZE_MAX};
  ad_batch_options o = {.output = output, .element = element, .wrt_count = m->wrt_count, .wrt = m->wrt};
  for (o.task = AD_BATCH_EVAL; o.task <= AD_BATCH_HESS; o.task++)
    for (size_t b = 0; b <= ad_backend_count(); b++)
      for (o.mode = AD_MODE_DEFAULT; o.mode <= AD_MODE_REVERSE; o.mode++) {
        o.backend = b ? ad_backend_get(b - 1) : NULL;
        o.output_count = o.task == AD_BATCH_HESS || (o.task == AD_BATCH_GRAD && m->rows > 2) ? 1 : 2;
        if (o.backend && o.mode && !ad_backend_supports(o.backend, o.mode)) continue;
        run_task(m, &o, rows, count, size);
      }
}
