/* A workspace holds the numbers; an engine is one arithmetic's code for them. */
#ifndef AD_WORKSPACE_H
#define AD_WORKSPACE_H

#include <mpfr.h>

#include "adtool.h"
#include "exec/program.h"

/* Several tangents or adjoints of each element: lane k of element i is number i * element + k * lane. */
typedef struct ad_bundle {
  uint32_t width; /* lanes */
  size_t element, lane;
  void *number;        /* a plane for the engine's set, zero and copy */
  void *seed;          /* one of the outputs' elements, in the same order; owned, made by careful.c */
  uint32_t seed_width; /* the lanes that it has room for */
} ad_bundle;

/* Zeros that met infinities: how many made nan, and the offset of the first; and how many multiplied nothing. */
typedef struct ad_lost {
  size_t count, offset, spared;
} ad_lost;

/* The code of one arithmetic: the sweeps of exec/sweep.inc and access to single numbers.  Offsets are elements of the
 * program's buffer; tangent k lies at k * size.  With a block of points an element is `points` numbers side by side,
 * and set, set_doubles, zero, copy and add_scaled speak of all of them. */
typedef struct ad_engine ad_engine;
struct ad_engine {
  ad_kind kind;
  /* Bytes of a workspace, checked against the limit before open() allocates. */
  uint64_t (*bytes)(const ad_program *p, const ad_workspace_options *o);
  ad_status (*open)(ad_workspace *w, ad_error *e);
  void (*close)(ad_workspace *w);
  void (*set)(ad_workspace *w, void *plane, size_t at, double v, const char *text); /* text: NULL or exact */
  void (*set_doubles)(ad_workspace *w, void *plane, size_t first, const double *v, size_t count);
  const void *(*at)(const ad_workspace *w, const void *plane, size_t at);
  void (*zero)(ad_workspace *w, void *plane, size_t first, size_t count);
  void (*copy)(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, size_t count);
  void (*clear_adjoints)(ad_workspace *w);
  /* After that; adds, for one element may belong to several outputs.  text: as for set. */
  void (*seed_adjoint)(ad_workspace *w, size_t at, double seed, const char *text);
  void (*add_scaled)(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, double factor,
                     const char *text); /* as for set */
  /* Planes beside the workspace's own: what a number takes, `count` of them (NULL: no memory; freed with ad_free), and
   * dst[to + i] += src[from + i] factor[at] for i < count. */
  size_t (*number_bytes)(const ad_workspace *w);
  void *(*plane)(const ad_workspace *w, size_t count); /* zeros, freed with ad_free; NULL: no memory */
  void (*add_multiples)(ad_workspace *w, void *dst, size_t to, const void *src, size_t from, size_t count,
                        const void *factor, size_t at);
  void (*primal)(ad_workspace *w);
  void (*forward)(ad_workspace *w);
  void (*reverse)(ad_workspace *w);
  void (*taylor)(ad_workspace *w);
  void (*diagnose)(ad_workspace *w, ad_notice_fn *notice, void *context);
  /* Bundles, of workspaces with reverse mode and one point, after a primal run.  Forward: the inputs' lanes are seeds.
   * Reverse: what depends on an input holds seeds and is otherwise zero; afterwards only the inputs hold anything. */
  uint32_t (*bundle_width)(uint64_t wanted);                            /* the lanes that serve so many directions */
  ad_status (*bundle_open)(ad_workspace *w, ad_bundle *b, ad_error *e); /* of b->width lanes, all zero */
  void (*bundle_forward)(ad_workspace *w, ad_bundle *b);
  void (*bundle_reverse)(ad_workspace *w, ad_bundle *b);
  /* Whether one of `count` numbers of a plane is nan. */
  bool (*any_nan)(const ad_workspace *w, const void *plane, size_t first, size_t count);
  /* The same arithmetic on marked numbers, which has the sweeps and: number `at` of that plane of the unmarked engine
   * with a mark; back again, always or
   * where either is nan (other numbers of the fast code are right, to their last bit); and what was lost since the last
   * call. */
  const ad_engine *marked;
  void (*take)(ad_workspace *w, void *plane, size_t to, const void *from, size_t at, bool fixed);
  void (*give)(const ad_workspace *w, const void *plane, size_t from, void *to, size_t at, bool always);
  bool (*nothing)(const void *plane, size_t at); /* a fixed zero */
  ad_lost (*lost)(ad_workspace *w);
};

extern const ad_engine ad_engine_f64, ad_engine_mpfr, ad_engine_marked_f64, ad_engine_marked_mpfr;

struct ad_workspace {
  const ad_program *p;
  const ad_backend *backend;
  const ad_engine *engine;
  ad_workspace_options options;
  ad_kinks kinks;
  void *value, *tangent, *adjoint; /* planes of p->size elements; tangent has options.directions of them */
  void *series;                    /* Taylor coefficients 1, 2 ...: see ad_series_of */
  bool series_by_element;
  bool series_of_curves; /* of mixed.c: powers of t are names of variables, */
  bool series_unsettled; /* and what does not move on a curve met a slope that is not finite */
  void *kept;            /* partials for the reverse sweep; NULL: none */
  void *gradient;        /* p->input_size elements, where there are tangents */
  const void *result;    /* the last gradient: that, or the adjoints of the inputs */
  void *state;           /* the engine's own */
  bool *input_set;       /* of each input */
  size_t unset;          /* inputs without a value */
  bool primal_done;
  struct ad_careful *careful; /* NULL: no nan so far */
#ifdef ADTOOL_PLANT
  unsigned plant; /* test builds only: the operation whose partials are made wrong */
#endif
};

/* Where the coefficients of an element lie: coefficient j > 0 at first + (j - 1) * step. */
typedef struct ad_series_place {
  size_t first, step;
} ad_series_place;

/* In planes, one a coefficient, so that a tensor's are side by side.  In a program of scalars alone those of an element
 * are, but inputs keep planes of their own. */
static inline ad_series_place ad_series_of(const ad_workspace *w, size_t at) {
  if (!w->series_by_element) return (ad_series_place){at, w->p->size};
  if (at < w->p->input_size) return (ad_series_place){at, w->p->input_size};
  return (ad_series_place){at * w->options.order, 1};
}

static inline size_t ad_series_at(const ad_workspace *w, uint32_t j, size_t at) {
  const ad_series_place s = ad_series_of(w, at);
  return s.first + (j - 1) * s.step;
}

/* A workspace of the backend with another engine. */
ad_status ad_workspace_with_engine(ad_workspace **out, const ad_program *p, const ad_backend *b,
                                   const ad_engine *engine, const ad_workspace_options *o, ad_error *e);

/* Does the strips of a FUSED block that start in [first, end). */
typedef void ad_strips_fn(ad_workspace *w, const ad_block *b, size_t first, size_t end, unsigned thread);

/* The numbers of an input in place, to be moved by finite differences; the primal values are stale afterwards. */
void *ad_workspace_input_data(ad_workspace *w, ad_node input);

/* ad_workspace_set_points for inputs first .. end-1 together, which rows give side by side; in double, with a count
 * that fits. */
void ad_workspace_set_rows(ad_workspace *w, ad_node first, ad_node end, const double *rows, size_t pitch, size_t count);

/* The value of an input as a point holds it: one number for all elements or one for each. */
void ad_workspace_set_numbers(ad_workspace *w, ad_node input, const ad_numbers *value);

/* The same of a plane's elements from `at` on. */
void ad_workspace_put_numbers(ad_workspace *w, void *plane, size_t at, size_t size, const ad_numbers *value);

#ifdef ADTOOL_PLANT
/* Set by the test program that links this build; AD_NO_OP plants nothing. */
extern unsigned ad_planted_op;
#endif

#endif
