/* The benchmark: workloads, and on each the rivals that run beside adtool. */
#ifndef AD_BENCH_H
#define AD_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "adtool.h"
#include "bench/code.h"
#include "bench/peer.h"

/* support.c */
const char *bench_temporary(void); /* a path for this process; bench_fail removes it, too */
const char *bench_folder(void);    /* the same for a folder in $TMPDIR, or /tmp */
void bench_remove_temporary(void);
/* Ends the process with the library's message unless the call succeeds. */
#define bench_must(call) bench_must_at(__FILE__, __LINE__, call)
void bench_must_at(const char *file, int line, ad_status s);
extern ad_error bench_error;
void *bench_alloc(size_t count, size_t size); /* zeroed; ends the process when there is none */
_Noreturn void bench_fail(const char *format, ...) AD_PRINTF(1, 2);

/* bench.c */
typedef struct bench_rival {
  const char *name;
  double limit; /* the target: adtool takes at most this times the rival's time; 0: none */
  double units; /* nodes, points ... of one run */
  void (*run)(void *state);
  void *state;
  const double *result; /* after a run; compared with adtool's first `count` numbers; NULL: nothing to compare */
  size_t count;
} bench_rival;

enum { BENCH_RIVALS = 8 };

/* One workload at one size, built in a process of its own. */
typedef struct bench_run {
  size_t size, count;
  bench_rival rival[BENCH_RIVALS];          /* the first is adtool */
  void (*after[BENCH_RIVALS])(void *state); /* each run of it, and not timed; NULL: nothing */
  double seconds[BENCH_RIVALS];             /* of one run, the best of all rounds */
  double bytes;                             /* a node: see bytes_of, and 0 where not measured */
  const char *bytes_of;
  double bytes_limit;
} bench_run;

void bench_add(bench_run *b, bench_rival r);
void bench_add_peer(bench_run *b, const char *name, double limit, bench_peer *p, const code *c);

/* A row of a family's table. */
typedef struct bench_workload {
  const char *name, *unit;
  size_t size;
  void (*build)(bench_run *b);
} bench_workload;

/* Each ends with a row without a name. */
extern const bench_workload bench_scalar[], bench_designs[], bench_points[], bench_dense[], bench_mixture[],
    bench_bundle[], bench_lstm[], bench_fits[], bench_ode[], bench_det[], bench_load[], bench_matrices[], bench_batch[],
    bench_higher[];
#define BENCH_FAMILIES                                                                                         \
  bench_scalar, bench_designs, bench_points, bench_dense, bench_mixture, bench_bundle, bench_lstm, bench_fits, \
      bench_ode, bench_det, bench_load, bench_matrices, bench_batch, bench_higher

bench_workload bench_load_file(char *path); /* load.c: a file from elsewhere */

/* tool.c: adtool on one graph at one point. */
typedef struct bench_tool {
  ad_graph *g;
  ad_program *p;
  ad_workspace *w;
  ad_gradient_request request;
  const double *x; /* values of the inputs, set before each run; NULL: they stay */
  size_t x_count;
  const char *backend; /* NULL: tape */
  bool outputs_only;   /* nobody reads what lies between inputs and outputs */
} bench_tool;

void bench_tool_code(bench_tool *t, const code *c);                 /* the graph of a code, its last entry the output */
void bench_tool_open(bench_tool *t, const ad_workspace_options *o); /* program and workspace; the first output */
void bench_tool_primal(void *tool);
void bench_tool_gradient(void *tool);
const double *bench_tool_value(const bench_tool *t);
const double *bench_tool_gradients(const bench_tool *t);

/* points.c: its graph, random values of the inputs at so many points, and adtool's gradients there. */
enum { BENCH_POINTS_INPUTS = 10 };
void bench_points_code(code *c);
double *bench_points_rows(size_t count);
bench_rival bench_points_tool(const char *name, const double *x, size_t count, unsigned threads);

/* designs.c: a plain interpreter of the code. */
void bench_add_switch(bench_run *b, const code *c, double limit);

/* nl.c: a binary .nl file of a code: each operation a defined variable of the one objective; or, for a matrix, the
 * outputs as constraints or the objective, written as AMPL would. */
void bench_write_nl(const code *c, const bench_matrix *m, const char *path);

/* bench.c: bytes that the process took, at the most, since bench_memory_start. */
void bench_memory_start(void);
double bench_memory_peak(void);

/* report.c */
typedef enum bench_format { BENCH_TEXT, BENCH_MARKDOWN, BENCH_JSON } bench_format;
void bench_report_start(bench_format f);
void bench_report(bench_format f, const bench_workload *w, const bench_run *b);
void bench_report_end(bench_format f);
void bench_who(FILE *out);

#endif
