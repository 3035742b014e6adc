/* The engine in double: its state, and what of it is compiled for more than one instruction set. */
#ifndef AD_TAPE_H
#define AD_TAPE_H

#include "exec/program.h"
#include "exec/series.h"
#include "team.h"

typedef struct ad_lanes ad_lanes;
typedef struct ad_first ad_first;

typedef struct f64_state {
  ad_kinks kinks;
  const ad_lanes *lanes; /* NULL: scalar code only */
  ad_team *team;         /* NULL: one thread */
  size_t points;
  double *scratch, *tree;
  ad_first *first; /* blocks of points in SIMD only: who is the first to add to which adjoint */
  ad_series_state series;
#ifdef ADTOOL_PLANT
  unsigned plant;
#endif
} f64_state;

#define CX f64_state
#define PLANTED 0x1p-10

/* MIXED blocks: values; values and both partials of each scalar; adjoints from those. */
typedef struct ad_tape {
  void (*primal)(const f64_state *cx, const ad_program *p, const ad_block *b, double *value);
  void (*record)(const f64_state *cx, const ad_program *p, const ad_block *b, double *value, double *kept);
  void (*adjoint)(const ad_program *p, const ad_block *b, const double *kept, double *adjoint);
} ad_tape;

extern const ad_tape ad_tape_base, ad_tape_fma;

#endif
