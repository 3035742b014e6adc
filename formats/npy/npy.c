/* Whole .npy arrays from memory. */
#include "npy/npy.h"

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "file.h"

void ad_npy_clear(ad_npy *a) {
  ad_free(a->value);
  a->value = NULL;
}

static ad_status bad(ad_error *e, const char *path, size_t offset, const char *message) {
  ad_status s = ad_fail(e, AD_EINPUT, "%s", message);
  if (e) {
    snprintf(e->file, sizeof e->file, "%s", path);
    e->offset = (int64_t)offset;
  }
  return s;
}

ad_status ad_npy_read(ad_npy *a, const void *bytes, size_t size, const char *path, ad_error *e) {
  const unsigned char *p = bytes;
  ad_npy_header h;
  size_t data, at;
  const char *problem = ad_npy_header_size(p, size, &data, &at);
  if (problem) return bad(e, path, at, problem);
  if (data > size) return bad(e, path, size, "the file ends inside its header");
  ad_status s = ad_npy_header_read(&h, p, data, &problem);
  if (s == AD_ENOMEM) return ad_fail_memory(e);
  if (s) return bad(e, path, p[6] == 1 ? 10 : AD_NPY_START, problem);
  const size_t n = (size_t)ad_shape_size(&h.shape);
  if ((size - data) / h.width < n) return bad(e, path, size, "the file ends before the last number");
  if ((size - data) != n * h.width) return bad(e, path, data + n * h.width, "there are bytes behind the last number");
  double *value = ad_malloc(n, sizeof *value);
  if (!value) return ad_fail_memory(e);
  int64_t index[AD_MAX_RANK] = {0};
  if (!h.fortran) ad_npy_decode(&h, p + data, n, value, 1);
  for (size_t i = 0; h.fortran && i < n; i++) { /* in the file's order */
    size_t to = 0;
    for (int d = 0; d < h.shape.rank; d++) to = to * (size_t)h.shape.dim[d] + (size_t)index[d];
    for (int d = 0; d < h.shape.rank && ++index[d] == h.shape.dim[d]; d++) index[d] = 0;
    ad_npy_decode(&h, p + data + i * h.width, 1, value + to, 1);
  }
  *a = (ad_npy){h.shape, value};
  return AD_OK;
}

ad_status ad_npy_load(ad_npy *a, const char *path, uint64_t most, ad_error *e) {
  void *bytes;
  size_t size;
  ad_status s = ad_file_read(&bytes, &size, path, most, e);
  if (s) return s;
  s = ad_npy_read(a, bytes, size, path, e);
  ad_free(bytes);
  return s;
}
