/* What results follow from, as text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "batch/checksum.h"
#include "batch/plan.h"
#include "error.h"
#include "exec/lanes.h"
#include "ir/point.h"

const char *ad_batch_simd(void) {
  const ad_lanes *l = ad_lanes_choose();
  return l ? l->name : "none";
}

void ad_batch_put_value(ad_buffer *b, const ad_batch_plan *p, ad_node input) {
  ad_checksum c;
  ad_checksum_start(&c);
  const ad_numbers *v = p->point ? p->point->value[input] : NULL;
  for (size_t i = 0; v && i < ad_numbers_count(v); i++) {
    const double x = ad_numbers_double(v, i);
    const char *text = ad_numbers_text(v, i);
    ad_checksum_add(&c, &x, sizeof x);
    if (text) ad_checksum_add(&c, text, strlen(text));
  }
  ad_buffer_printf(b, "%zu %016" PRIx64, v ? ad_numbers_count(v) : 0, ad_checksum_end(&c));
}

/* Size, and the bytes at both ends and in the middle: reading all would take as long as the batch. */
ad_status ad_batch_put_file(ad_buffer *b, const char *path, ad_error *e) {
  enum { PIECE = 1 << 16 };
  struct stat st;
  if (!strcmp(path, "-") || stat(path, &st) || !S_ISREG(st.st_mode)) {
    ad_buffer_puts(b, "points -");
    return AD_OK;
  }
  char *piece = ad_malloc(PIECE, 1);
  FILE *f = piece ? fopen(path, "rb") : NULL;
  ad_status s = !piece ? ad_fail_memory(e) : f ? AD_OK : ad_fail_errno(e, "open", path);
  ad_checksum c;
  ad_checksum_start(&c);
  const off_t size = st.st_size, places[] = {0, size / 2, size > PIECE ? size - PIECE : 0};
  for (int i = 0; !s && i < 3; i++) {
    if (fseeko(f, places[i], SEEK_SET)) s = ad_fail_errno(e, "read", path);
    const size_t got = s ? 0 : fread(piece, 1, PIECE, f);
    if (!s && ferror(f)) s = ad_fail_errno(e, "read", path);
    ad_checksum_add(&c, piece, got);
  }
  if (f) fclose(f);
  ad_free(piece);
  if (!s) ad_buffer_printf(b, "points %lld %016" PRIx64, (long long)size, ad_checksum_end(&c));
  return s;
}
