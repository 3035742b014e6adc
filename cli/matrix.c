/* Jacobians and the like in every form: for people, as JSON, as tables, for NumPy, SciPy and whoever reads Matrix
 * Market files. */
#include <string.h>

#include "cli.h"
#include "npy/npy.h"

int matrix_format_error(const options *o) {
  if ((o->format == FORMAT_MTX || o->format == FORMAT_NPZ) && !o->sparse)
    return usage_error(o, "--format %s holds a sparse matrix: --sparse", o->format == FORMAT_MTX ? "mtx" : "npz");
  if (o->format == FORMAT_NPY && o->sparse)
    return usage_error(o, "--format npy holds a dense matrix; for --sparse there are npz and mtx");
  return 0;
}

static size_t shown(const matrix_part *part, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += part[i].size;
  return n;
}

/* The entries of a row, in the order of columns. */
typedef struct row_entries {
  size_t first, count;
  const uint32_t *column; /* NULL: all, in order */
} row_entries;

static row_entries entries_of(const matrix *m, size_t row) {
  if (!m->sparsity) return (row_entries){row * m->columns, m->columns, NULL};
  const size_t first = m->sparsity->start[row];
  return (row_entries){first, m->sparsity->start[row + 1] - first, m->sparsity->column + first};
}

#define EACH_ROW(m, p, row)                                                 \
  for (const matrix_part *p = (m)->row; p < (m)->row + (m)->row_parts; p++) \
    for (size_t row = p->first; row < p->first + p->size; row++)

/* ---- For people */

static void put_line_name(ad_buffer *b, const matrix_part *p, size_t line) {
  put_element_name(b, p->name, &p->shape, line - p->first);
}

static const matrix_part *column_part(const matrix *m, size_t column) {
  const matrix_part *c = m->column;
  while (column >= c->first + c->size) c++;
  return c;
}

/* One block of a dense matrix as nested lists. */
static void put_block(ad_buffer *b, const matrix *m, const matrix_part *r, const matrix_part *c, const char *between,
                      void (*put_entry)(ad_buffer *, const ad_span *, size_t, unsigned)) {
  ad_buffer_puts(b, "[");
  for (size_t i = r->first; i < r->first + r->size; i++) {
    if (i > r->first) ad_buffer_puts(b, between);
    ad_buffer_puts(b, "[");
    for (size_t j = c->first; j < c->first + c->size; j++) {
      if (j > c->first) ad_buffer_puts(b, ", ");
      put_entry(b, &m->value, i * m->columns + j, m->o->digits);
    }
    ad_buffer_puts(b, "]");
  }
  ad_buffer_puts(b, "]");
}

static void put_text_dense(ad_buffer *b, const matrix *m) {
  for (size_t i = 0; i < m->row_parts; i++)
    for (size_t k = 0; k < m->column_parts; k++) {
      char between[2 * AD_MAX_NAME + 24];
      const size_t before = b->size;
      if (m->of)
        ad_buffer_printf(b, "d2 %s/d %s d %s = ", m->of, m->row[i].name, m->column[k].name);
      else
        ad_buffer_printf(b, "d %s/d %s = ", m->row[i].name, m->column[k].name);
      snprintf(between, sizeof between, ",\n%*s", b->failed ? 0 : text_width(b->data + before) + 1, "");
      put_block(b, m, &m->row[i], &m->column[k], between, put_number);
      ad_buffer_puts(b, "\n");
    }
}

static void put_text_sparse(ad_buffer *b, const matrix *m) {
  EACH_ROW(m, r, row) {
    const row_entries x = entries_of(m, row);
    for (size_t k = 0; k < x.count; k++) {
      if (m->of)
        ad_buffer_printf(b, "d2 %s/d ", m->of);
      else
        ad_buffer_puts(b, "d ");
      put_line_name(b, r, row);
      ad_buffer_puts(b, m->of ? " d " : "/d ");
      put_line_name(b, column_part(m, x.column[k]), x.column[k]);
      ad_buffer_puts(b, " = ");
      put_number(b, &m->value, x.first + k, m->o->digits);
      ad_buffer_puts(b, "\n");
    }
  }
}

/* ---- JSON and CSV */

static void put_json_dense(ad_buffer *b, const matrix *m) {
  ad_buffer_puts(b, "{\"outputs\": {");
  if (m->of) {
    put_json_string(b, m->of);
    ad_buffer_puts(b, ": {");
  }
  for (size_t i = 0; i < m->row_parts; i++) {
    if (i) ad_buffer_puts(b, ", ");
    put_json_string(b, m->row[i].name);
    ad_buffer_puts(b, ": {");
    for (size_t k = 0; k < m->column_parts; k++) {
      if (k) ad_buffer_puts(b, ", ");
      put_json_string(b, m->column[k].name);
      ad_buffer_puts(b, ": ");
      put_block(b, m, &m->row[i], &m->column[k], ", ", put_json_number);
    }
    ad_buffer_puts(b, "}");
  }
  ad_buffer_puts(b, m->of ? "}}}\n" : "}}\n");
}

/* One of the three lists of a sparse matrix. */
static void put_json_list(ad_buffer *b, const matrix *m, char which) {
  size_t n = 0, line = 0;
  EACH_ROW(m, r, row) {
    const row_entries x = entries_of(m, row);
    for (size_t k = 0; k < x.count; k++) {
      if (n++) ad_buffer_puts(b, ", ");
      if (which == 'v')
        put_json_number(b, &m->value, x.first + k, m->o->digits);
      else
        ad_buffer_printf(b, "%zu", which == 'r' ? line : (size_t)x.column[k]);
    }
    line++;
  }
}

static void put_json_sparse(ad_buffer *b, const matrix *m) {
  ad_buffer_printf(b, "{\"shape\": [%zu, %zu], \"row\": [", shown(m->row, m->row_parts), m->columns);
  put_json_list(b, m, 'r');
  ad_buffer_puts(b, "], \"col\": [");
  put_json_list(b, m, 'c');
  ad_buffer_puts(b, "], \"value\": [");
  put_json_list(b, m, 'v');
  ad_buffer_puts(b, "]}\n");
}

static void put_csv(ad_buffer *b, const matrix *m) {
  ad_buffer_puts(b, m->of ? "output,row_input,row_element,column_input,column_element,derivative\n"
                          : "output,output_element,input,input_element,derivative\n");
  EACH_ROW(m, r, row) {
    const row_entries x = entries_of(m, row);
    for (size_t k = 0; k < x.count; k++) {
      const size_t column = x.column ? x.column[k] : k;
      const matrix_part *c = column_part(m, column);
      if (m->of) {
        put_csv_name(b, m->of);
        ad_buffer_puts(b, ",");
      }
      put_csv_name(b, r->name);
      ad_buffer_printf(b, ",%zu,", row - r->first);
      put_csv_name(b, c->name);
      ad_buffer_printf(b, ",%zu,", column - c->first);
      put_number(b, &m->value, x.first + k, m->o->digits);
      ad_buffer_puts(b, "\n");
    }
  }
}

/* ---- Other people's programs */

static void put_mtx(ad_buffer *b, const matrix *m) {
  size_t entries = 0, line = 0;
  EACH_ROW(m, r, row) entries += entries_of(m, row).count;
  ad_buffer_printf(b, "%%%%MatrixMarket matrix coordinate real general\n%zu %zu %zu\n", shown(m->row, m->row_parts),
                   m->columns, entries);
  EACH_ROW(m, r, row) {
    const row_entries x = entries_of(m, row);
    line++;
    for (size_t k = 0; k < x.count; k++) {
      ad_buffer_printf(b, "%zu %zu ", line, (size_t)x.column[k] + 1);
      put_number(b, &m->value, x.first + k, m->o->digits);
      ad_buffer_puts(b, "\n");
    }
  }
}

/* The numbers of the rows shown, as doubles; NULL when memory runs out. */
static double *doubles(const matrix *m, size_t *count) {
  *count = 0;
  EACH_ROW(m, r, row) *count += entries_of(m, row).count;
  double *v = ad_malloc(*count, sizeof *v);
  size_t n = 0;
  if (!v) return NULL;
  EACH_ROW(m, r, row) {
    const row_entries x = entries_of(m, row);
    for (size_t k = 0; k < x.count; k++) v[n++] = ad_span_double(&m->value, x.first + k);
  }
  return v;
}

static void put_npy_dense(ad_buffer *b, const matrix *m) {
  size_t count;
  double *v = doubles(m, &count);
  if (v)
    ad_npy_write(b, &(ad_shape){2, {(int64_t)shown(m->row, m->row_parts), (int64_t)m->columns}}, v);
  else
    b->failed = true;
  ad_free(v);
}

static int put_npz(ad_buffer *b, const matrix *m) {
  ad_npz_csr x = {.rows = shown(m->row, m->row_parts), .columns = m->columns};
  double *v = doubles(m, &x.entries);
  uint64_t *start = ad_calloc(x.rows + 1, sizeof *start), *column = ad_malloc(x.entries, sizeof *column);
  int status = 0;
  if (v && start && column) {
    size_t line = 0, n = 0;
    EACH_ROW(m, r, row) {
      const row_entries e = entries_of(m, row);
      for (size_t k = 0; k < e.count; k++) column[n++] = e.column[k];
      start[++line] = n;
    }
    x.value = v, x.start = start, x.column = column;
    ad_error e = {0};
    if (ad_npz_write_csr(b, &x, &e)) status = report(m->o, &e);
  } else {
    b->failed = true;
  }
  ad_free(v);
  ad_free(start);
  ad_free(column);
  return status;
}

int put_matrix(ad_buffer *b, const matrix *m) {
  const bool sparse = m->sparsity != NULL;
  switch (m->o->format) {
    case FORMAT_JSON:
      (sparse ? put_json_sparse : put_json_dense)(b, m);
      break;
    case FORMAT_CSV:
      put_csv(b, m);
      break;
    case FORMAT_NPY:
      put_npy_dense(b, m);
      break;
    case FORMAT_NPZ:
      return put_npz(b, m);
    case FORMAT_MTX:
      put_mtx(b, m);
      break;
    default:
      (sparse ? put_text_sparse : put_text_dense)(b, m);
  }
  return 0;
}
