/* What to compute at each point of a batch, as rows of doubles; and a worker that does it for a block of points. */
#ifndef AD_BATCH_PLAN_H
#define AD_BATCH_PLAN_H

#include "adtool.h"
#include "mem.h"

typedef enum ad_batch_task { AD_BATCH_EVAL, AD_BATCH_GRAD, AD_BATCH_JAC, AD_BATCH_HESS, AD_BATCH_CHECK } ad_batch_task;
extern const char *const ad_batch_tasks[]; /* their names; NULL at the end */

/* The columns of a row of AD_BATCH_CHECK. */
enum { AD_CHECK_VERDICT, AD_CHECK_DIGITS, AD_CHECK_ULPS, AD_CHECK_ENTRIES, AD_CHECK_AGREES, AD_CHECK_COLUMNS };

typedef struct ad_batch_options {
  ad_batch_task task;
  const ad_backend *backend; /* NULL: tape or dual, by the mode; AD_BATCH_JAC and AD_BATCH_HESS: as costs least */
  ad_mode mode;
  uint32_t precision; /* of an mpfr backend */
  size_t output_count;
  const size_t *output;  /* positions of the graph's outputs */
  const size_t *element; /* of each: one element, or SIZE_MAX for all */
  size_t weight_count;   /* weights of the one output's elements, for a gradient or Hessian; 0: none */
  const ad_numbers *weight;
  size_t wrt_count; /* inputs; 0: those that are not fixed */
  const ad_node *wrt;
  const ad_check_options *check;
} ad_batch_options;

/* All of it read-only once made, for any number of workers. */
typedef struct ad_batch_plan {
  const ad_graph *graph; /* borrowed, as are the point and the options' arrays */
  const ad_point *point; /* values of inputs that rows do not give; may be NULL */
  ad_batch_options o;
  ad_program *program;
  size_t inputs;   /* elements of all inputs, in the file's order: the numbers of a row that comes in */
  size_t *first;   /* where each input starts in such a row */
  bool *given;     /* which inputs the rows give; the others keep the point's value */
  size_t width;    /* the numbers of a row that goes out */
  uint32_t points; /* evaluated together: as many as a core's cache holds */
} ad_batch_plan;

/* given: for each input whether rows have it; NULL: all. */
ad_status ad_batch_plan_new(ad_batch_plan **b, const ad_graph *g, const ad_point *point, const ad_batch_options *o,
                            const bool *given, ad_error *e);
void ad_batch_plan_free(ad_batch_plan *b);
/* A row that goes out is: the outputs' elements; of each output its value and gradient; the outputs' elements and the
 * Jacobian, row-major; of each output its value, gradient and Hessian, row-major; the columns of a check. */
/* The name of column i: "f", "f[0,1]", "df/dx[2]", "d2f/dx[0]dy". */
void ad_batch_column(ad_buffer *b, const ad_batch_plan *p, size_t i);
/* Output number i of the options, with its element: "f", "f[0,1]". */
void ad_batch_output_name(ad_buffer *b, const ad_batch_plan *p, size_t i);
/* The elements of output number i of the options, and those of all inputs that it is differentiated by. */
size_t ad_batch_values(const ad_batch_plan *p, size_t i);
size_t ad_batch_wrt(const ad_batch_plan *p);
/* The kind of numbers that the plan computes with. */
ad_kind ad_batch_kind(const ad_batch_plan *p);

/* For the key of a run (lib/batch/output.h): a checksum of an input's value in the plan's point, and the instruction
 * set in use. */
void ad_batch_put_value(ad_buffer *b, const ad_batch_plan *p, ad_node input);
const char *ad_batch_simd(void);
/* A line about a file of points, by which processes that share its rows tell it from another one; which rows there are,
 * a run itself must look at. */
ad_status ad_batch_put_file(ad_buffer *b, const char *path, ad_error *e);

/* The workspace for blocks of so many points. */
ad_workspace_options ad_batch_workspace(const ad_batch_plan *p, uint32_t points);

/* The numbers of one thread. */
typedef struct ad_batch_worker ad_batch_worker;
ad_status ad_batch_worker_new(ad_batch_worker **w, const ad_batch_plan *p, ad_error *e);
void ad_batch_worker_free(ad_batch_worker *w);
/* count rows of p->inputs numbers to rows of p->width.  A row's result depends on that row alone, bit for bit.  Numbers
 * of inputs marked f32 are rounded in place. */
ad_status ad_batch_work(ad_batch_worker *w, double *in, size_t count, double *out, ad_error *e);
/* Whether in a row so far a derivative was zero times infinity (ad_workspace_undetermined). */
bool ad_batch_undetermined(const ad_batch_worker *w);

#endif
