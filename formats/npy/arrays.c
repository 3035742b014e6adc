#include "npy/arrays.h"

#include <string.h>

#include "error.h"

ad_npy_arrays *ad_npy_arrays_new(ad_stream *s, const ad_graph *g) {
  ad_npy_arrays *a = ad_calloc(1, sizeof *a);
  if (!a) {
    ad_stream_close(s);
    return NULL;
  }
  a->s = *s;
  a->rows = AD_ROWS_UNKNOWN;
  for (ad_node n = 0; n < ad_graph_input_count(g); n++) a->width += (size_t)ad_shape_size(ad_graph_node_shape(g, n));
  return a;
}

void ad_npy_arrays_close(void *self) {
  ad_npy_arrays *a = self;
  if (!a) return;
  for (size_t i = 0; i < a->count; i++) ad_inflate_free(a->array[i].packed);
  ad_free(a->array);
  ad_stream_close(&a->s);
  ad_free(a);
}

/* [points, shape ...], or all elements on one axis, or [points] alone for one element. */
static bool fits(const ad_shape *have, const ad_shape *want, size_t columns) {
  if (have->rank < 1) return false;
  if (have->rank == 1) return columns == 1;
  if (have->rank == 2 && have->dim[1] == (int64_t)columns) return true;
  if (!want || have->rank != want->rank + 1) return false;
  for (int d = 0; d < want->rank; d++)
    if (have->dim[d + 1] != want->dim[d]) return false;
  return true;
}

ad_status ad_npy_arrays_add(ad_npy_arrays *a, ad_npy_array x, const ad_graph *g, ad_node n, ad_error *e) {
  const ad_shape *want =
      n == AD_NO_NODE ? ad_graph_input_count(g) == 1 ? ad_graph_node_shape(g, 0) : NULL : ad_graph_node_shape(g, n);
  x.columns = n == AD_NO_NODE ? a->width : (size_t)ad_shape_size(want);
  if (!fits(&x.h.shape, want, x.columns)) {
    char text[AD_SHAPE_TEXT];
    ad_shape_text(text, &x.h.shape);
    if (n == AD_NO_NODE)
      return ad_stream_bad(&a->s, 0, e,
                           "the array has shape %s; points want [points, %zu]: a column for each element of "
                           "the graph's inputs, in their order",
                           text, x.columns);
    return ad_stream_bad(&a->s, x.data, e, "the array of '%s' has shape %s; points want [points, %zu]",
                         ad_graph_node_name(g, n), text, x.columns);
  }
  const uint64_t rows = (uint64_t)x.h.shape.dim[0];
  if (a->rows != AD_ROWS_UNKNOWN && rows != a->rows)
    return ad_stream_bad(&a->s, x.data, e, "the array of '%s' has %llu rows, the one before %llu",
                         n == AD_NO_NODE ? "" : ad_graph_node_name(g, n), (unsigned long long)rows,
                         (unsigned long long)a->rows);
  if (x.h.shape.rank == 1) x.h.fortran = false;
  if (x.h.fortran && (x.packed || !a->s.regular))
    return ad_stream_bad(&a->s, x.data, e, "an array in Fortran order wants a plain file; save it in C order");
  if (!ad_reserve(&a->array, &a->capacity, a->count + 1, sizeof *a->array)) return ad_fail_memory(e);
  a->rows = rows;
  a->array[a->count++] = x;
  return AD_OK;
}

static bool in_order(const ad_npy_arrays *a, const ad_npy_array *x) {
  return x->packed || !a->s.regular;
}

static ad_status read_in_order(ad_npy_arrays *a, ad_npy_array *x, void *bytes, uint64_t n, ad_error *e) {
  if (x->packed) return ad_inflate_read(x->packed, bytes, n, e);
  uint64_t got;
  ad_status s = ad_stream_read(&a->s, bytes, n, &got, e);
  return s || got == n ? s : ad_stream_bad(&a->s, a->s.at, e, "the file ends before the last number");
}

/* A pipe ends where the array does. */
static ad_status expect_end(ad_npy_arrays *a, ad_error *e) {
  if (a->s.regular) return AD_OK;
  ad_status s = ad_stream_ahead(&a->s, 1, e);
  return s || a->s.begin == a->s.end ? s : ad_stream_bad(&a->s, a->s.at, e, "there are bytes behind the last number");
}

static ad_status take(void *self, ad_points_block *b, ad_error *e) {
  ad_npy_arrays *a = self;
  if (b->first >= a->rows) b->count = 0;
  if (a->rows - b->first < b->count) b->count = (size_t)(a->rows - b->first);
  size_t need = 0;
  for (size_t i = 0; i < a->count; i++)
    if (in_order(a, &a->array[i]) &&
        (__builtin_mul_overflow(b->count, a->array[i].columns * a->array[i].h.width, &need) || need > SIZE_MAX / 2))
      return ad_fail_memory(e);
  b->raw.size = 0;
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < a->count; i++) {
    ad_npy_array *x = &a->array[i];
    if (!in_order(a, x)) continue;
    const size_t row = x->columns * x->h.width, size = b->count * row;
    if (!ad_reserve(&b->raw.data, &b->raw.capacity, b->raw.size + size + 1, 1)) return ad_fail_memory(e);
    if (b->first > x->next) s = read_in_order(a, x, NULL, (b->first - x->next) * row, e);
    if (!s) s = read_in_order(a, x, b->raw.data + b->raw.size, size, e);
    b->raw.size += size;
    x->next = b->first + b->count;
    if (!s && x->next == a->rows) s = expect_end(a, e);
  }
  return s;
}

/* Where in a Fortran array the column is that C order counts as number c. */
static uint64_t fortran_column(const ad_shape *s, size_t c) {
  uint64_t at = 0, stride = 1;
  int64_t index[AD_MAX_RANK];
  for (int d = s->rank - 1; d >= 1; d--) {
    index[d] = (int64_t)c % s->dim[d];
    c /= (size_t)s->dim[d];
  }
  for (int d = 1; d < s->rank; d++) {
    at += (uint64_t)index[d] * stride;
    stride *= (uint64_t)s->dim[d];
  }
  return at;
}

static ad_status decode_fortran(const ad_npy_arrays *a, const ad_npy_array *x, ad_points_block *b, double *rows,
                                ad_error *e) {
  const size_t size = b->count * x->h.width;
  if (!ad_reserve(&b->raw.data, &b->raw.capacity, size + 1, 1)) return ad_fail_memory(e);
  ad_status s = AD_OK;
  for (size_t c = 0; !s && c < x->columns; c++) {
    const uint64_t at = fortran_column(&x->h.shape, c) * a->rows + b->first;
    s = ad_stream_read_at(&a->s, x->data + at * x->h.width, b->raw.data, size, e);
    if (!s) ad_npy_decode(&x->h, (unsigned char *)b->raw.data, b->count, rows + x->first + c, a->width);
  }
  return s;
}

static ad_status decode_rows(const ad_npy_arrays *a, const ad_npy_array *x, ad_points_block *b, double *rows,
                             ad_error *e) {
  const size_t row = x->columns * x->h.width, size = b->count * row;
  const uint64_t at = x->data + b->first * row;
  if (x->columns == a->width && ad_npy_native(&x->h)) return ad_stream_read_at(&a->s, at, rows, size, e);
  if (!ad_reserve(&b->raw.data, &b->raw.capacity, size + 1, 1)) return ad_fail_memory(e);
  ad_status s = ad_stream_read_at(&a->s, at, b->raw.data, size, e);
  for (size_t r = 0; !s && r < b->count; r++)
    ad_npy_decode(&x->h, (unsigned char *)b->raw.data + r * row, x->columns, rows + r * a->width + x->first, 1);
  return s;
}

static ad_status decode(void *self, ad_points_block *b, double *rows, ad_error *e) {
  const ad_npy_arrays *a = self;
  ad_status s = AD_OK;
  size_t at = 0;
  for (size_t i = 0; i < a->count; i++) {
    const ad_npy_array *x = &a->array[i];
    const size_t row = x->columns * x->h.width;
    if (!in_order(a, x)) continue;
    for (size_t r = 0; r < b->count; r++, at += row)
      ad_npy_decode(&x->h, (unsigned char *)b->raw.data + at, x->columns, rows + r * a->width + x->first, 1);
  }
  for (size_t i = 0; !s && i < a->count; i++) {
    const ad_npy_array *x = &a->array[i];
    if (in_order(a, x)) continue;
    s = x->h.fortran ? decode_fortran(a, x, b, rows, e) : decode_rows(a, x, b, rows, e);
  }
  return s;
}

void ad_npy_arrays_use(ad_npy_arrays *a, ad_points *p) {
  p->self = a;
  p->count = a->rows;
  p->take = take;
  p->decode = decode;
  p->close = ad_npy_arrays_close;
}

/* ---- One .npy file: all inputs */

static ad_status open_npy(ad_npy_arrays *a, ad_npy_array *x, ad_error *e) {
  ad_stream *f = &a->s;
  size_t length, at;
  ad_status s = ad_stream_ahead(f, AD_NPY_START, e);
  if (s) return s;
  const char *problem = ad_npy_header_size(f->data + f->begin, f->end - f->begin, &length, &at);
  if (problem) return ad_stream_bad(f, at, e, "%s", problem);
  s = ad_stream_ahead(f, length, e);
  if (s) return s;
  if (f->end - f->begin < length) return ad_stream_bad(f, f->end - f->begin, e, "the file ends inside its header");
  s = ad_npy_header_read(&x->h, f->data + f->begin, length, &problem);
  if (s == AD_ENOMEM) return ad_fail_memory(e);
  if (s) return ad_stream_bad(f, 10, e, "%s", problem);
  ad_stream_pass(f, length);
  x->data = length;
  if (!f->regular) return AD_OK;
  const uint64_t numbers = (uint64_t)ad_shape_size(&x->h.shape), have = f->size - length;
  if (have / x->h.width < numbers)
    return ad_stream_bad(f, f->size, e, "the file ends before the last number: it has %llu of %llu",
                         (unsigned long long)(have / x->h.width), (unsigned long long)numbers);
  if (have != numbers * x->h.width)
    return ad_stream_bad(f, length + numbers * x->h.width, e, "there are bytes behind the last number");
  return AD_OK;
}

ad_status ad_npy_points(ad_points *p, ad_stream *s, const ad_graph *g, ad_error *e) {
  const size_t inputs = ad_graph_input_count(g);
  ad_npy_arrays *a = ad_npy_arrays_new(s, g);
  ad_npy_array x = {0};
  p->given = ad_calloc(inputs, sizeof *p->given);
  ad_status status = a && p->given ? open_npy(a, &x, e) : ad_fail_memory(e);
  if (!status) status = ad_npy_arrays_add(a, x, g, AD_NO_NODE, e);
  if (status) {
    ad_npy_arrays_close(a);
    return status;
  }
  for (size_t i = 0; i < inputs; i++) p->given[i] = true;
  ad_npy_arrays_use(a, p);
  return AD_OK;
}
