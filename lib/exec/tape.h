/* The engine in double: its state, and what of it is compiled for more than one instruction set. */
#ifndef AD_TAPE_H
#define AD_TAPE_H

#include "exec/program.h"
#include "exec/series.h"
#include "team.h"

typedef struct ad_lanes ad_lanes;
typedef struct ad_first ad_first;
typedef struct ad_points_code ad_points_code;

typedef struct f64_state {
  ad_kinks kinks;
  const ad_lanes *lanes; /* NULL: scalar code only */
  ad_team *team;         /* NULL: one thread */
  size_t points;
  double *scratch, *tree;
  ad_first *first;      /* whole vectors of points only: who is the first to add to which adjoint, */
  ad_points_code *code; /* and the scalars */
  ad_series_state series;
#ifdef ADTOOL_PLANT
  unsigned plant;
#endif
} f64_state;

#define CX f64_state
#define PLANTED 0x1p-10

/* One argument of a run of elements: its partials, and where its tangents or adjoints are. */
typedef struct ad_share {
  const double *partial;
  size_t step;          /* of partial: 0 or 1 */
  const uint32_t *list; /* offsets; NULL: at, at + stride, ... */
  size_t at, stride;
} ad_share;

/* Tangents or adjoints by partials, `width` of them side by side for each element (exec/bundle.inc). */
typedef struct ad_bundle_code {
  uint32_t width;
  /* MIXED scalars, both partials of each in `kept`. */
  void (*mixed_forward)(const ad_program *p, const ad_block *b, const double *kept, double *number);
  void (*mixed_reverse)(const ad_program *p, const ad_block *b, const double *kept, double *number);
  /* n elements from `out` on; the adjoints of the results are zero afterwards. */
  void (*forward)(size_t n, size_t out, const ad_share *share, unsigned shares, double *number);
  void (*reverse)(size_t n, size_t out, const ad_share *share, unsigned shares, double *number);
} ad_bundle_code;

/* MIXED blocks: values; values and both partials of each scalar; adjoints from those. */
typedef struct ad_tape {
  void (*primal)(const f64_state *cx, const ad_program *p, const ad_block *b, double *value);
  void (*record)(const f64_state *cx, const ad_program *p, const ad_block *b, double *value, double *kept);
  void (*adjoint)(const ad_program *p, const ad_block *b, const double *kept, double *adjoint);
  const ad_bundle_code *bundle; /* of the widths 1, 4, 8 */
} ad_tape;

extern const ad_tape ad_tape_base, ad_tape_fma;

#endif
