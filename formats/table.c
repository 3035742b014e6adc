#include "table.h"

#include <stdio.h>
#include <string.h>

#include "error.h"

/* A row of the table is in memory whole. */
static ad_status check_row(const ad_graph *g, ad_error *e) {
  const uint64_t most = ad_graph_limits(g)->max_bytes;
  double bytes = 0;
  for (ad_node n = 0; n < ad_graph_input_count(g); n++) bytes += 8.0 * (double)ad_shape_size(ad_graph_node_shape(g, n));
  if (bytes <= (double)most) return AD_OK;
  return ad_fail(e, AD_ELIMIT, "a point needs %.0f MiB of memory, above the limit of %llu MiB (--max-memory)",
                 bytes / 0x1p20, (unsigned long long)(most >> 20));
}

ad_status ad_table_open(ad_points *p, const char *path, const ad_graph *g, ad_error *e) {
  ad_stream s;
  *p = (ad_points){.count = AD_ROWS_UNKNOWN};
  ad_status status = check_row(g, e);
  if (status) return status;
  status = ad_stream_open(&s, path, e);
  if (!status) status = ad_stream_ahead(&s, 4, e);
  if (status) {
    ad_stream_close(&s);
    return status;
  }
  const bool binary = s.end - s.begin >= 4;
  if (binary && !memcmp(s.data + s.begin, "\x93NUM", 4))
    status = ad_npy_points(p, &s, g, e);
  else if (binary && !memcmp(s.data + s.begin, "PK\3\4", 4))
    status = ad_npz_points(p, &s, g, e);
  else
    status = ad_csv_points(p, &s, g, e);
  if (status) ad_table_close(p);
  return status;
}

void ad_table_close(ad_points *p) {
  if (p->self) p->close(p->self);
  ad_free(p->given);
  *p = (ad_points){0};
}

ad_status ad_table_count(const ad_points *p, uint64_t *rows, ad_error *e) {
  if (p->count != AD_ROWS_UNKNOWN) {
    *rows = p->count;
    return AD_OK;
  }
  if (p->count_rows) return p->count_rows(p->self, rows, e);
  return ad_fail(e, AD_EUSAGE, "how many rows there are is only known at the end; give a file, not a pipe");
}

static const char *next_input(const void *context, size_t i) {
  const ad_graph *g = context;
  return i < ad_graph_input_count(g) ? ad_graph_node_name(g, (ad_node)i) : NULL;
}

ad_status ad_table_input(ad_node *n, const ad_graph *g, const char *name, const char *what, ad_error *e) {
  *n = ad_graph_find_node(g, name);
  if (*n < ad_graph_input_count(g)) return AD_OK;
  const char *near = ad_suggest(name, next_input, g);
  if (near)
    return ad_fail(e, AD_EINPUT, "%s '%.200s' is no input of the graph (did you mean '%.200s'?)", what, name, near);
  return ad_fail(e, AD_EINPUT, "%s '%.200s' is no input of the graph; `adtool info` lists them", what, name);
}
