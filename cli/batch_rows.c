#include <inttypes.h>

#include "batch.h"

static ad_span part(const double *row, size_t count) {
  return (ad_span){AD_KIND_F64, count, row};
}

/* A tensor of the row by each input, in the shape of the input; returns what comes behind. */
static const double *put_by_inputs(ad_buffer *b, const ad_batch_plan *p, const double *row, unsigned digits) {
  ad_buffer_puts(b, "{");
  for (size_t k = 0; k < ad_program_wrt_count(p->program); k++) {
    const ad_node x = ad_program_wrt(p->program, k);
    const ad_shape *shape = ad_graph_node_shape(p->graph, x);
    const ad_span v = part(row, (size_t)ad_shape_size(shape));
    if (k) ad_buffer_puts(b, ", ");
    put_json_string(b, ad_graph_node_name(p->graph, x));
    ad_buffer_puts(b, ": ");
    put_json_tensor(b, &v, shape, digits);
    row += v.count;
  }
  ad_buffer_puts(b, "}");
  return row;
}

/* Rows first .. first+rows-1 of a matrix whose columns are the elements of all inputs: a block for each. */
static void put_blocks(ad_buffer *b, const ad_batch_plan *p, const double *matrix, size_t first, size_t rows,
                       unsigned digits) {
  const size_t n = ad_batch_wrt(p);
  size_t column = 0;
  ad_buffer_puts(b, "{");
  for (size_t k = 0; k < ad_program_wrt_count(p->program); k++) {
    const ad_node x = ad_program_wrt(p->program, k);
    const size_t columns = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, x));
    if (k) ad_buffer_puts(b, ", ");
    put_json_string(b, ad_graph_node_name(p->graph, x));
    ad_buffer_puts(b, ": [");
    for (size_t i = first; i < first + rows; i++) {
      const ad_span line = part(matrix + i * n + column, columns);
      if (i > first) ad_buffer_puts(b, ", ");
      put_json_tensor(b, &line, &(ad_shape){1, {(int64_t)columns}}, digits);
    }
    ad_buffer_puts(b, "]");
    column += columns;
  }
  ad_buffer_puts(b, "}");
}

/* Of a Hessian: for each input its lines by each input. */
static void put_hessian(ad_buffer *b, const ad_batch_plan *p, const double *matrix, unsigned digits) {
  size_t first = 0;
  ad_buffer_puts(b, "{");
  for (size_t k = 0; k < ad_program_wrt_count(p->program); k++) {
    const ad_node x = ad_program_wrt(p->program, k);
    const size_t lines = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, x));
    if (k) ad_buffer_puts(b, ", ");
    put_json_string(b, ad_graph_node_name(p->graph, x));
    ad_buffer_puts(b, ": ");
    put_blocks(b, p, matrix, first, lines, digits);
    first += lines;
  }
  ad_buffer_puts(b, "}");
}

void put_row_outputs(ad_buffer *b, const ad_batch_plan *p, const double *row, unsigned digits) {
  static const ad_shape scalar;
  const ad_batch_task task = p->o.task;
  const size_t n = ad_batch_wrt(p);
  const double *jacobian = row;
  for (size_t i = 0; i < p->o.output_count; i++) jacobian += ad_batch_values(p, i);
  ad_buffer_puts(b, "{");
  for (size_t i = 0; i < p->o.output_count; i++) {
    const ad_node node = ad_graph_output_node(p->graph, p->o.output[i]);
    const size_t values = ad_batch_values(p, i);
    ad_buffer name = {0};
    ad_batch_output_name(&name, p, i);
    if (i) ad_buffer_puts(b, ", ");
    put_json_string(b, ad_buffer_text(b, &name));
    ad_buffer_clear(&name);
    ad_buffer_puts(b, task == AD_BATCH_EVAL ? ": " : ": {\"value\": ");
    const ad_span v = part(row, values);
    put_json_tensor(b, &v, p->o.element[i] == SIZE_MAX ? ad_graph_node_shape(p->graph, node) : &scalar, digits);
    row += values;
    if (task == AD_BATCH_JAC) {
      ad_buffer_puts(b, ", \"jacobian\": ");
      put_blocks(b, p, jacobian, 0, values, digits);
      jacobian += values * n;
    } else if (task != AD_BATCH_EVAL) {
      ad_buffer_puts(b, ", \"gradient\": ");
      row = put_by_inputs(b, p, row, digits);
    }
    if (task == AD_BATCH_HESS) {
      ad_buffer_puts(b, ", \"hessian\": ");
      put_hessian(b, p, row, digits);
      row += n * n;
    }
    if (task != AD_BATCH_EVAL) ad_buffer_puts(b, "}");
  }
  ad_buffer_puts(b, "}");
}

static const char *verdict(double v) {
  return ad_verdict_name((ad_verdict)v);
}

void put_row_check(ad_buffer *b, const double *row) {
  ad_buffer_printf(b, "\"verdict\": \"%s\", \"digits\": ", verdict(row[AD_CHECK_VERDICT]));
  put_json_double(b, row[AD_CHECK_DIGITS]);
  ad_buffer_puts(b, ", \"ulps\": ");
  put_json_double(b, row[AD_CHECK_ULPS]);
  ad_buffer_printf(b, ", \"entries\": %.0f, \"agrees\": %.0f", row[AD_CHECK_ENTRIES], row[AD_CHECK_AGREES]);
}

void put_row(ad_buffer *b, const ad_batch_plan *p, const double *row, uint64_t number, const options *o,
             output_format format) {
  const bool check = p->o.task == AD_BATCH_CHECK && !o->reduce;
  if (format == FORMAT_CSV) {
    const ad_span v = part(row, p->width);
    for (size_t i = 0; i < p->width; i++) {
      if (i) ad_buffer_puts(b, ",");
      if (check && i == AD_CHECK_VERDICT)
        ad_buffer_puts(b, verdict(row[i]));
      else
        put_number(b, &v, i, o->digits);
    }
    ad_buffer_puts(b, "\n");
    return;
  }
  ad_buffer_puts(b, "{");
  if (!o->reduce) ad_buffer_printf(b, "\"row\": %" PRIu64 ", ", number);
  if (check) {
    put_row_check(b, row);
  } else {
    ad_buffer_puts(b, "\"outputs\": ");
    put_row_outputs(b, p, row, o->digits);
  }
  ad_buffer_puts(b, "}\n");
}

void put_columns(ad_buffer *b, const ad_batch_plan *p) {
  for (size_t i = 0; i < p->width; i++) {
    ad_buffer name = {0};
    ad_batch_column(&name, p, i);
    if (i) ad_buffer_puts(b, ",");
    put_csv_name(b, ad_buffer_text(b, &name));
    ad_buffer_clear(&name);
  }
  ad_buffer_puts(b, "\n");
}
