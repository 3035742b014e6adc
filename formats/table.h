/* Tables of points in files: .npy, .npz, CSV, known by their content. */
#ifndef AD_TABLE_H
#define AD_TABLE_H

#include "batch/points.h"
#include "stream.h"

/* Opens a file ("-": standard input) whose rows give the inputs of a graph: an .npy array [points, elements of all
 * inputs in the graph's order]; an .npz with an array [points, shape ...] for each input by name; CSV with a line of
 * names, `x` or `x[0,1]`, then a line a point.  Borrows graph and path. */
ad_status ad_table_open(ad_points *p, const char *path, const ad_graph *g, ad_error *e);
/* The number of rows, counted if need be; AD_EUSAGE when only reading could tell. */
ad_status ad_table_count(const ad_points *p, uint64_t *rows, ad_error *e);
void ad_table_close(ad_points *p);

/* The formats.  They take over the stream, also when they fail. */
ad_status ad_npy_points(ad_points *p, ad_stream *s, const ad_graph *g, ad_error *e);
ad_status ad_npz_points(ad_points *p, ad_stream *s, const ad_graph *g, ad_error *e);
ad_status ad_csv_points(ad_points *p, ad_stream *s, const ad_graph *g, ad_error *e);

/* The input that a column is about; AD_EINPUT with a suggestion when there is none. */
ad_status ad_table_input(ad_node *n, const ad_graph *g, const char *name, const char *what, ad_error *e);

#endif
