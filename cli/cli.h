/* What the subcommands share: options, messages, results. */
#ifndef AD_CLI_H
#define AD_CLI_H

#include <stdio.h>

#include "adtool.h"
#include "batch/fold.h"
#include "batch/plan.h"
#include "mem.h"
#include "team.h"

enum { EXIT_CHECK_FAILED = 1 };

/* ---- Options (options.c).  Each has one row there; a command names those that it takes. */

typedef enum option_id {
  OPT_AT,
  OPT_POINT,
  OPT_WRT,
  OPT_OUTPUT,
  OPT_SEED,
  OPT_WEIGHT,
  OPT_SPARSE,
  OPT_BACKEND,
  OPT_MODE,
  OPT_ORDER,
  OPT_DIRECTION,
  OPT_MIXED,
  OPT_PRECISION,
  OPT_DIGITS,
  OPT_FORMAT,
  OPT_OUT,
  OPT_TO,
  OPT_STORED,
  OPT_EXPLICIT,
  OPT_OPTIMIZE,
  OPT_AFTER,
  OPT_BINARY,
  OPT_VALUES,
  OPT_ADJOINTS,
  OPT_SHAPES,
  OPT_MAX_SHOWN,
  OPT_IN_PLACE,
  OPT_DROP_COMMENTS,
  OPT_CHECK,
  OPT_TRACE,
  OPT_STRICT,
  OPT_MIN_DIGITS,
  OPT_PROBES,
  OPT_RANDOM_SEED,
  OPT_MAX_ENTRIES,
  OPT_POINTS,
  OPT_DO,
  OPT_REDUCE,
  OPT_SHARD,
  OPT_LIST,
  OPT_TIMEOUT,
  OPT_NO_TIME,
  OPT_THREADS,
  OPT_QUIET,
  OPT_BIND,
  OPT_MAX_NODES,
  OPT_MAX_ELEMENTS,
  OPT_MAX_MEMORY,
  OPT_MAX_PRECISION,
  OPT_MAX_YAML_DEPTH,
  OPT_MAX_EXPR_DEPTH,
  OPT_MAX_SCALAR,
  OPT_HELP,
  OPT_COUNT
} option_id;

/* What lists of options share; the last two end one. */
#define OPTIONS_OF_POINT OPT_AT, OPT_POINT
#define OPTIONS_OF_NUMBERS OPT_BACKEND, OPT_PRECISION, OPT_DIGITS
#define OPTIONS_OF_GRAPH OPT_BIND, OPT_MAX_NODES, OPT_COUNT
#define OPTIONS_OF_RESULT OPT_FORMAT, OPT_OUT, OPT_STRICT, OPT_QUIET, OPTIONS_OF_GRAPH

typedef enum output_format {
  FORMAT_TEXT,
  FORMAT_JSON,
  FORMAT_CSV,
  FORMAT_NPY,
  FORMAT_NDJSON,
  FORMAT_TEXINFO,
  FORMAT_MTX,
  FORMAT_NPZ
} output_format;

/* Sets of them, for the table of commands. */
#define FORMAT_BIT(f) (1u << (f))
#define FORMATS_WORDS (FORMAT_BIT(FORMAT_TEXT) | FORMAT_BIT(FORMAT_JSON))
#define FORMATS_VALUES (FORMATS_WORDS | FORMAT_BIT(FORMAT_CSV) | FORMAT_BIT(FORMAT_NPY))
#define FORMATS_MATRIX (FORMATS_VALUES | FORMAT_BIT(FORMAT_NPZ) | FORMAT_BIT(FORMAT_MTX))

/* NAME=VALUE */
typedef struct assignment {
  char name[AD_MAX_NAME + 1];
  const char *value;
} assignment;

struct session;

typedef struct options {
  bool given[OPT_COUNT];
  size_t at_count, bind_count, direction_count, weight_count;
  assignment *at, *bind, *direction, *weight; /* no name twice in one of them */
  size_t wrt_count, mixed_count;
  const char **wrt, **mixed; /* lists of names */
  uint32_t order;
  const char *point, *output, *seed, *out, *to, *points, *shard, *list;
  const ad_backend *backend; /* NULL: not said */
  ad_mode mode;
  const char *precision_text;
  uint32_t precision; /* bits; 0: not said */
  uint32_t bits;      /* of a run of proof_run; 0: as --digits wants */
  unsigned digits;
  output_format format;
  uint32_t passes; /* --after: these */
  bool sparse, stored, explicit_nodes, binary, values, adjoints, shapes, optimize, in_place, drop_comments, check,
      trace, strict, quiet, silent, no_time, help;
  const struct session *opened; /* whose graph and point are taken; NULL: they are read */
  double min_digits, timeout;
  size_t probes, max_entries, max_shown;
  uint64_t random_seed;
  ad_batch_task task;
  ad_fold_kind reduce;
  unsigned threads; /* 0: one for each processor */
  ad_limits limits;
  size_t file_count;
  const char **file; /* graphs, or other words */
} options;

struct command;

/* The form of messages, before anything is parsed: JSON if the words ask for it. */
void options_start(options *o, int argc, char **argv);
/* Parses what stands behind the command's name.  0, or an exit status after a message. */
int options_parse(options *o, const struct command *c, int argc, char **argv);
/* Refuses options that stand without what they need; ids ends with OPT_COUNT. */
int options_unless(const options *o, const option_id *ids, const char *need);
void options_clear(options *o);

/* ---- Names (names.c), plain or in backquotes; 0 or an exit status after a message */

/* A name up to one of the characters of `stop`; *text: what is behind it. */
int name_read(const options *o, const char *option, const char **text, const char *stop, char *name);
/* The next name of a list; *text: its comma, or "". */
int name_of_list(const options *o, const char *option, const char **text, char *name);
int assignment_read(const options *o, const char *option, const char *text, assignment *a);

/* NAME or NAME[i,j], where a plain name may end in brackets itself: which of the two it is, the graph decides. */
typedef struct element_text {
  char text[AD_MAX_NAME + 128]; /* as it stood there */
  char whole[AD_MAX_NAME + 1];  /* with the brackets; "" where backquotes say where the name ends */
  char name[AD_MAX_NAME + 1];
  const char *index; /* behind the bracket; NULL: none */
} element_text;
/* Takes one from *text: what is left begins with a comma (list) or is "". */
int element_read(const options *o, const char *option, const char **text, bool list, element_text *e);
/* A name as it can be given again. */
void put_name(ad_buffer *b, const char *name);
void put_word(ad_buffer *b, const char *name); /* with a shell's quotes where they are needed */

/* ---- Commands.  Each in a file of its own, all in the table of commands.c. */

typedef struct command {
  const char *name;
  const char *arguments; /* "GRAPH..." */
  const char *summary;   /* one line */
  const char *text;      /* some paragraphs for `help` */
  size_t min_files, max_files;
  const option_id *takes; /* ends with OPT_COUNT */
  unsigned formats;       /* bits of output_format, where it takes --format */
  int (*run)(const options *o);
} command;

extern const command *const commands[]; /* ends with NULL */
const command *command_find(const options *o, const char *name);

void help_overview(FILE *f);
void help_command(FILE *f, const command *c);
/* One option as help shows it: its name with its argument, and what it does. */
const char *option_usage(option_id id);
const char *option_text(const command *c, option_id id);

/* ---- Messages (messages.c), on standard error */

/* Prints an error of the library as text or, with --format json, as JSON; returns the exit status. */
int report(const options *o, const ad_error *e);
/* The object of an error in JSON. */
void put_json_error(ad_buffer *b, const ad_error *e);
/* The same of a command line that makes no sense, */
int usage_error(const options *o, const char *format, ...) AD_PRINTF(2, 3);
/* --digits for what holds doubles as they are is a usage error. */
int check_digits(const options *o, output_format format, bool doubles);
void note(const options *o, const char *format, ...) AD_PRINTF(2, 3);
/* What --quiet keeps: a result is not what it seems. */
void note_always(const char *format, ...) AD_PRINTF(1, 2);
/* Reports what the library found wrong with text behind an option, of the name or "": the command line is wrong, no
 * file. */
int report_option(const options *o, const char *option, const char *name, ad_error *e);
int out_of_memory(const options *o); /* and when memory ran out. */

/* ---- Memory (memory.c): where it runs out in GMP, MPFR or FLINT, that is a message and a status, too */

void memory_start(const options *o);
void memory_start_worker(int status); /* of a process that works for this one: leaves with this status, silently */

/* ---- Output (messages.c) */

/* Writes to standard output; finish_output reports a failure with its reason. */
void put_stdout(const void *bytes, size_t size);
/* Ends a run: writes out what is buffered for standard output; a failure there is an exit status of its own. */
int finish_output(const options *o, int status);

/* ---- Progress (progress.c): a line on standard error, where that is a terminal */

typedef struct progress {
  bool shown;
  const char *unit;      /* "rows" */
  uint64_t start, total; /* done before this run; total may be UINT64_MAX */
  double began, last;    /* seconds */
} progress;
void progress_start(progress *p, const options *o, const char *unit, uint64_t start, uint64_t total);
void progress_show(progress *p, uint64_t done);
void progress_end(progress *p);

/* ---- Values (values.c) */

/* How numbers are shown: significant digits, 0 for the shortest that reads back. */
void put_number(ad_buffer *b, const ad_span *s, size_t i, unsigned digits);
int text_width(const char *s); /* characters of UTF-8 */
void put_json_string(ad_buffer *b, const char *s);
/* At most so many bytes of a text from a file, for people: one line, without what would steer a terminal. */
void put_line(ad_buffer *b, const char *s, size_t most);
void put_json_double(ad_buffer *b, double v);
void put_json_number(ad_buffer *b, const ad_span *s, size_t i, unsigned digits);
/* A span as nested arrays of its shape; numbers beyond double, NaN and infinities as strings. */
void put_json_tensor(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits);
/* A tensor for people: a scalar on the line, a vector in brackets, a matrix on lines of its own. */
void put_text_tensor(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits, int indent);
/* As nested lists on one line, long tensors cut short. */
void put_short_tensor(ad_buffer *b, const ad_span *s, const ad_shape *shape, unsigned digits);
/* A name as a field of a CSV line. */
void put_csv_name(ad_buffer *b, const char *name);
/* NAME, or NAME[i,j] where an element (SIZE_MAX: none) of a tensor is meant. */
void put_element_name(ad_buffer *b, const char *name, const ad_shape *shape, size_t element);
ad_span span_element(const ad_span *s, size_t i);
/* Sends the buffer to -o FILE or standard output and clears it. */
int send(const options *o, ad_buffer *b);

/* ---- Graphs (load.c) */

/* Loads a graph within the limits and with the bindings of the options. */
ad_status load_graph(ad_graph **g, const options *o, const char *path, ad_error *e);
/* Whether the graph's policy for kinks decides about a derivative of an operation. */
bool follows_policy(ad_op op);
/* Writes one as -o and --to say, with a note of what the format does not keep (files.c); 0 or an exit status. */
int save_graph(const options *o, const ad_graph *g);

/* ---- A graph at a point (session.c) */

typedef struct session {
  const options *o;
  const char *path;
  ad_graph *graph;
  ad_point *point;
  bool borrowed; /* these two are another session's */
  ad_program *program;
  ad_workspace *workspace;
  const ad_backend *backend;
  ad_mode mode;
  uint32_t order; /* of Taylor series; 0: none */
  size_t wrt_count, output_count;
  ad_node *wrt;      /* from --wrt; none: the graph's */
  size_t *output;    /* positions of the outputs chosen */
  size_t *element;   /* SIZE_MAX: all of it */
  size_t seed_count; /* weights from --seed for the one output chosen */
  ad_numbers *weight;
} session;

/* Loads the graph, reads the point and the names in the options; 0 or an exit status after a message. */
int session_open(session *s, const options *o, const char *path);
/* Sets an input of the session's point, or of another point of its graph, from what stood behind an option; input:
 * which one it was, or NULL. */
int session_set(session *s, ad_point *p, const char *option, const assignment *a, ad_node *input);
/* Takes the next name of an input, or of one element of it, from a list; 0 or an exit status after a message. */
int session_variable(const session *s, const char *option, const char **list, ad_variable *v);
/* Says that there is no such output, and returns the exit status. */
int session_no_output(const session *s, const char *name);
/* Makes the program of the outputs and inputs chosen; the other options are as given. */
int session_program(session *s, ad_program_options p);
/* Reports an error of the library, at the graph's file where it is the input's. */
int session_report(const session *s, ad_error *e);
/* Whether the output chosen as i-th is a scalar, or has one element; else an exit status after a message. */
int session_scalar(const session *s, size_t i);
/* Plans and makes a workspace, with the point set and the primal run done. */
int session_plan(session *s, bool keep_all, uint32_t directions, bool reverse);
/* The gradient of one chosen output, or of its element or weighted sum, into the workspace; 0 or an exit status. */
int session_gradient(const session *s, size_t i);
/* The highest precision of ad_check; 0: its default. */
uint32_t check_precision(const options *o);
/* What --max-entries and the like say, for ad_check; outputs: a node for each of s->output. */
ad_check_options session_check_options(const session *s, const ad_node *outputs);
/* Notes on standard error where the run stood on kinks and edges or left a domain; with --strict an exit status. */
int session_notes(const session *s);
/* Notes on numbers that a double can't hold, though the graph and the point do; elsewhere: inputs that don't count, or
 * NULL.  session_notes has them, too. */
void session_note_overflow(const session *s, const bool *elsewhere);
/* The same of derivatives that a zero and an infinity made nan; g: whose nodes the workspace's are, NULL: not a file's.
 */
int session_note_undetermined(const session *s, const ad_workspace *w, const ad_graph *g);
/* Marks of the nodes that depend on an input of the program's: no adjoint of another was computed, and a zero there
 * would be a wrong number.  To be freed; NULL: out of memory. */
bool *session_active(const session *s);
/* A note where there is nothing to differentiate by, so that an empty result is no riddle. */
void session_note_wrt(const session *s);
void session_close(session *s);

/* The part of v, over the elements of the i-th chosen output, that --output names, and its shape. */
ad_span session_part(const session *s, size_t i, ad_span v, ad_shape *shape);
ad_span session_value(const session *s, size_t i, ad_shape *shape);
/* The index of an element, "[i,j]", and output i as chosen, "NAME" or "NAME[i,j]". */
void put_element(ad_buffer *b, const ad_shape *shape, size_t element);
void put_output_name(ad_buffer *b, const session *s, size_t i);
void put_npy_span(ad_buffer *b, const ad_span *v, const ad_shape *shape);

/* ---- Products with vectors (products.c) */

/* What a product is made with, by name: an input's part of the direction, or an output's weights. */
typedef struct vector {
  session values; /* of a graph whose inputs are the names, with the point that has what was given */
  const session *of;
  bool forward;
} vector;

/* From --direction (forward) or --weight, for the inputs or outputs of s; 0 or an exit status after a message. */
int vector_read(vector *v, const session *s, bool forward);
void vector_clear(vector *v);

/* Part i of a product: its value, name and shape. */
typedef ad_span product_part(const void *context, size_t i, ad_buffer *name, ad_shape *shape);
/* All parts, one an output or an input, in the form that --format says. */
int put_product(ad_buffer *b, const options *o, const char *product, bool outputs, size_t count, product_part *part,
                const void *context);

/* ---- Matrices (matrix.c) */

/* Lines that belong to one output or input: `size` of them from number `first` on. */
typedef struct matrix_part {
  char name[AD_MAX_NAME + 1];
  ad_shape shape;
  size_t first, size;
} matrix_part;

typedef struct matrix {
  const options *o;
  const char *of; /* Hessians: the output, rows and columns are inputs; else NULL */
  ad_span value;
  const ad_sparsity *sparsity; /* NULL: dense */
  size_t columns;              /* of the dense one */
  size_t row_parts, column_parts;
  matrix_part *row, *column; /* rows that no part has are not shown */
} matrix;
/* In the form that --format says, for one graph. */
int put_matrix(ad_buffer *b, const matrix *m);
/* Whether that form and --sparse go together. */
int matrix_format_error(const options *o);

typedef int graph_command(const options *o, const char *path, ad_buffer *b);
/* Runs each graph of the command line into one buffer and sends that; the first failure's status, the others still run.
 */
int for_each_graph(const options *o, graph_command *one);

/* ---- Printed digits (proof.c) */

/* Runs a command on one graph so that, with --digits and MPFR, the digits that it prints are proved, or a note says
 * which are not. */
int proof_run(const options *o, graph_command *one, const char *path, ad_buffer *b);
/* Takes number i of s, which the command prints next; false: it is printed as any other. */
bool proof_put(ad_buffer *b, const ad_span *s, size_t i);
/* An error of a run that is not shown; returns the exit status. */
int proof_report(const ad_error *e);
/* The precision that --precision or --digits asks for, in bits; 0: neither. */
uint32_t session_precision(const session *s);

#endif
