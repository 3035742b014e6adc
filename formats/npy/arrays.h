/* Arrays of numbers, side by side, as rows. */
#ifndef AD_NPY_ARRAYS_H
#define AD_NPY_ARRAYS_H

#include "npy/npy.h"
#include "table.h"

typedef struct ad_inflate ad_inflate;

typedef struct ad_npy_array {
  ad_npy_header h;
  uint64_t data;         /* offset of the first number in the file, where it is not compressed */
  size_t first, columns; /* of the rows */
  ad_inflate *packed;    /* NULL: not compressed */
  uint64_t next;         /* the row that a compressed array or a pipe gives next */
} ad_npy_array;

typedef struct ad_npy_arrays {
  ad_stream s;
  size_t width; /* of the rows */
  uint64_t rows;
  size_t count, capacity;
  ad_npy_array *array;
} ad_npy_arrays;

ad_npy_arrays *ad_npy_arrays_new(ad_stream *s, const ad_graph *g);
/* Adds an array that gives rows' columns from `first` on; n: the one input whose elements they are, or AD_NO_NODE for
 * all inputs. */
ad_status ad_npy_arrays_add(ad_npy_arrays *a, ad_npy_array x, const ad_graph *g, ad_node n, ad_error *e);
/* Makes them a source; the given inputs are p's already. */
void ad_npy_arrays_use(ad_npy_arrays *a, ad_points *p);
void ad_npy_arrays_close(void *self);

/* A compressed member of a zip file, read from its start on. */
ad_status ad_inflate_new(ad_inflate **z, const ad_stream *s, uint64_t at, uint64_t packed, uint64_t size, uint32_t crc,
                         ad_error *e);
void ad_inflate_free(ad_inflate *z);
/* The next n bytes, all of them; AD_EINPUT when the data is damaged or ends. */
ad_status ad_inflate_read(ad_inflate *z, void *bytes, uint64_t n, ad_error *e);

#endif
