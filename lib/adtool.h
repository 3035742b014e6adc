/* adtool: derivatives of saved computational graphs that can be trusted.
 *
 * The one public header.  Conventions:
 *   - A function that can fail returns an ad_status and, when `e` is not NULL, fills *e; it never prints, exits or
 *     aborts.  After a failure the outputs are untouched and the objects passed in are as they were.
 *   - A pointer may be NULL where that is said; `e`, limits, options and what is freed or cleared always may.  Any
 * other NULL, and an index, a count or an enumerator out of range, is AD_EUSAGE; a function that returns no status does
 *     nothing then, and returns what stands for nothing in its type: NULL ("" where a text is always there), false, 0
 *     or what the function says of the unknown, NaN, an empty span.  How much memory is behind a pointer can't be
 *     checked.
 *   - What a workspace, a plan or a file takes is compared with the limits before it is allocated; AD_ENOMEM says that
 *     memory ran out all the same.  GMP, MPFR and FLINT don't return from that: where the library computes in them
 *     (MPFR backends, ad_check, mixed derivatives, numbers that are kept as texts) the process is aborted unless it
 *     gave them functions of its own (mp_set_memory_functions, __flint_set_memory_functions).
 *   - The output parameter comes first after the object it is taken from; inputs are const.  "owns" means that the
 *     named object frees it, "borrows" that the caller keeps it alive for as long as the object lives.
 *   - Tensors are dense, real, row-major, of rank 0 (a scalar) to AD_MAX_RANK.
 *   - An ad_graph may be read from several threads at once; an ad_workspace belongs to one thread at a time.
 */
#ifndef ADTOOL_H
#define ADTOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AD_API __attribute__((visibility("default")))
#define AD_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define AD_API
#define AD_PRINTF(f, a)
#endif

/* ---- Status and errors ------------------------------------------------------------------------------------------ */

/* The values are the exit statuses of the command line; 1 (a check failed) is a verdict, not an error. */
typedef enum ad_status {
  AD_OK = 0,
  AD_EUSAGE = 2,  /* the caller asked for something that does not exist or makes no sense */
  AD_EINPUT = 3,  /* a file or a graph is wrong */
  AD_EDOMAIN = 4, /* a number left an operation's domain, and the caller asked to be strict */
  AD_EIO = 5,     /* the operating system could not read or write */
  AD_ELIMIT = 6,  /* a limit of ad_limits was reached */
  AD_ENOMEM = 7   /* memory ran out; ad_exit_status() maps it to 6 */
} ad_status;

typedef struct ad_error {
  ad_status code;
  char message[800];  /* one sentence: what is wrong and what to do; no newline at the end */
  char file[256];     /* empty when no file is meant */
  int64_t line;       /* from 1; 0: unknown */
  int64_t column;     /* from 1, in characters; 0: unknown */
  int64_t offset;     /* bytes from the start of a binary file; -1: unknown */
  char excerpt[256];  /* the source line, for a caret under `column`; empty when unknown */
  int excerpt_column; /* where the caret goes in the excerpt, from 1; 0: nowhere */
} ad_error;

/* The process exit status for a library status. */
AD_API int ad_exit_status(ad_status s);

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

/* Checked before anything is allocated.  Zero-initialised fields mean the default. */
typedef struct ad_limits {
  uint64_t max_nodes;      /* default 100,000,000 */
  uint64_t max_elements;   /* elements of one tensor, default 2^31 */
  uint64_t max_bytes;      /* memory that one workspace, plan or file may take, default 16 GiB */
  uint32_t max_precision;  /* bits, default 10,000,000 */
  uint32_t max_yaml_depth; /* default 64 */
  uint32_t max_expr_depth; /* default 256 */
  uint32_t max_scalar;     /* bytes of one text scalar of a file, default 1 MiB */
} ad_limits;

/* The defaults with every zero field of *l filled in; l may be NULL. */
AD_API ad_limits ad_limits_resolve(const ad_limits *l);

#define AD_MAX_RANK 8
#define AD_MAX_NAME 255 /* bytes */

/* ---- Exact numbers ---------------------------------------------------------------------------------------------- */

/* A list of exact real numbers.  Each is a double, or a text that every arithmetic rounds once for itself:
 *   decimal 0.1 -2.5e-3, hexadecimal 0x1.8p+0, rational 1/3 (integers over integers), pi, e, inf, nan.
 * A text whose value a double holds exactly is kept as that double. */
typedef struct ad_numbers ad_numbers;

AD_API ad_numbers *ad_numbers_new(void); /* NULL when memory runs out */
AD_API void ad_numbers_free(ad_numbers *n);
AD_API void ad_numbers_clear(ad_numbers *n);
AD_API ad_status ad_numbers_push_double(ad_numbers *n, double v, ad_error *e);
AD_API ad_status ad_numbers_push_text(ad_numbers *n, const char *text, size_t length, ad_error *e);
AD_API size_t ad_numbers_count(const ad_numbers *n);
AD_API double ad_numbers_double(const ad_numbers *n, size_t i);    /* the nearest double */
AD_API const char *ad_numbers_text(const ad_numbers *n, size_t i); /* NULL: the double is exact; else owned by n */

/* Whether `text` is a number in the grammar above (names included). */
AD_API bool ad_number_valid(const char *text, size_t length);

/* Writes the exact text of a double in the grammar above: the shortest decimal when that decimal equals the double,
 * else hexadecimal.  buf holds at least AD_NUMBER_TEXT bytes.  Returns the length. */
#define AD_NUMBER_TEXT 40
AD_API size_t ad_number_exact_text(char *buf, double v);
/* Writes the shortest decimal that reads back as the same double ("nan", "inf", "-inf" otherwise). */
AD_API size_t ad_number_short_text(char *buf, double v);

/* What a file says a number was before it was written: rounded to this type before anything else happens. */
typedef enum ad_dtype { AD_EXACT, AD_F64, AD_F32 } ad_dtype;

/* ---- Shapes, attributes, operations ----------------------------------------------------------------------------- */

typedef struct ad_shape {
  int32_t rank;
  int64_t dim[AD_MAX_RANK];
} ad_shape;

AD_API int64_t ad_shape_size(const ad_shape *s); /* number of elements; -1 when it overflows or s is invalid */
AD_API bool ad_shape_equal(const ad_shape *a, const ad_shape *b);
/* Writes "[3, 4]" ("[]" for a scalar); buf holds at least AD_SHAPE_TEXT bytes. */
#define AD_SHAPE_TEXT 192
AD_API void ad_shape_text(char *buf, const ad_shape *s);

/* An attribute is a tensor of integers: an axis, a list of axes, an index table, a yes or no. */
typedef struct ad_attr {
  const char *name;
  ad_shape shape;       /* rank 0: one integer */
  const int64_t *value; /* NULL: absent */
} ad_attr;

typedef enum ad_attr_kind {
  AD_ATTR_INT,    /* one integer */
  AD_ATTR_BOOL,   /* 0 or 1 */
  AD_ATTR_INTS,   /* a list; one integer is read as a list of one */
  AD_ATTR_TENSOR, /* integers of any shape */
  AD_ATTR_SHAPE   /* a list of sizes */
} ad_attr_kind;

typedef struct ad_attr_info {
  const char *name;
  ad_attr_kind kind;
  bool required;
  const char *doc;
} ad_attr_info;

#define AD_VARIADIC 1000000000 /* max_args of an operation that takes any number of arguments */

typedef uint16_t ad_op;
#define AD_NO_OP UINT16_MAX

typedef enum ad_op_class {
  AD_CLASS_LEAF,       /* input, constant */
  AD_CLASS_ELEMENT,    /* elementwise, with NumPy broadcasting */
  AD_CLASS_STRUCTURED, /* moves, reductions, products */
  AD_CLASS_LOWERED     /* made by lowering only; can't stand in a file */
} ad_op_class;

/* One row of the operation table (lib/ir/ops.def). */
typedef struct ad_op_info {
  const char *name;
  ad_op_class cls;
  int min_args, max_args;       /* trailing arguments that a caller leaves out get `default_arg` */
  const char *default_arg;      /* number text, or NULL */
  const char *arg_names;        /* "x, y" */
  const char *value;            /* the formula as the table has it */
  const char *partial[3];       /* elementwise: partials by argument, as the table has them; else NULL */
  const char *domain;           /* where it is defined and where it has kinks, in words; "" when everywhere smooth */
  int value_ulps, partial_ulps; /* documented bounds of the double arithmetic against MPFR; 0: see the manual */
  const char *doc;
  int attr_count;
  const ad_attr_info *attr;
} ad_op_info;

AD_API ad_op ad_op_find(const char *name); /* AD_NO_OP when unknown */
AD_API size_t ad_op_count(void);
AD_API const ad_op_info *ad_op_get(ad_op op);
/* The nearest known operation name for a message, or NULL. */
AD_API const char *ad_op_suggest(const char *name);

/* ---- Graphs ----------------------------------------------------------------------------------------------------- */

/* A graph is a list of nodes in topological order: inputs first (nodes 0 .. inputs-1), then constants and operations,
 * each after its arguments.  Every graph that these functions build is valid; there is no other way to make one. */
typedef struct ad_graph ad_graph;
typedef uint32_t ad_node;
#define AD_NO_NODE UINT32_MAX

/* What to take where a derivative does not exist. */
typedef enum ad_ties { AD_TIES_SHARE, AD_TIES_FIRST, AD_TIES_LAST } ad_ties;
typedef struct ad_kinks {
  double abs_at_zero;  /* abs'(0): -1, 0 (default) or 1 */
  double relu_at_zero; /* relu'(0), leaky_relu and clip at an end: share of the upper slope: 0 (default), 0.5 or 1 */
  ad_ties ties;        /* max, min, reduce_max, reduce_min: who gets a tie's derivative; default all in equal parts */
  bool pow00_nan;      /* pow(0, 0) is nan; default 1 */
} ad_kinks;

AD_API ad_status ad_graph_new(ad_graph **g, const ad_limits *limits, ad_error *e);
AD_API void ad_graph_free(ad_graph *g);
AD_API const ad_limits *ad_graph_limits(const ad_graph *g);

AD_API ad_status ad_graph_set_name(ad_graph *g, const char *name, ad_error *e); /* the graph's own; "" removes it */
AD_API const char *ad_graph_name(const ad_graph *g);                            /* "" when it has none */
AD_API ad_status ad_graph_set_kinks(ad_graph *g, const ad_kinks *k, ad_error *e);
AD_API ad_kinks ad_graph_kinks(const ad_graph *g);

/* Room for so many more nodes with so many arguments: a reader that can guess saves the copying of growing arrays. */
AD_API ad_status ad_graph_reserve(ad_graph *g, size_t nodes, size_t args, ad_error *e);

/* Free text about the graph that survives load and save: key "author", "nl.suffixes" ...  Order is kept. */
AD_API ad_status ad_graph_set_meta(ad_graph *g, const char *key, const char *text, ad_error *e);
AD_API size_t ad_graph_meta_count(const ad_graph *g);
AD_API const char *ad_graph_meta_key(const ad_graph *g, size_t i);
AD_API const char *ad_graph_meta_text(const ad_graph *g, size_t i);

/* An input.  All inputs come before any other node.  value: one number for each element, or one number for all of
 * them, or NULL (then a point must give it); copied. */
typedef struct ad_input_spec {
  const char *name; /* required */
  ad_shape shape;
  const ad_numbers *value;
  ad_dtype dtype;
  bool fixed; /* not differentiated unless asked for by name (`diff: no`) */
} ad_input_spec;
AD_API ad_status ad_graph_input(ad_graph *g, ad_node *out, const ad_input_spec *spec, ad_error *e);
/* Gives an input another value of its own (NULL: none), for readers of files where values stand behind the nodes;
 * copied. */
AD_API ad_status ad_graph_set_input_value(ad_graph *g, ad_node input, const ad_numbers *value, ad_dtype dtype,
                                          ad_error *e);

/* A constant.  value: as for inputs, required. */
AD_API ad_status ad_graph_constant(ad_graph *g, ad_node *out, const ad_shape *shape, const ad_numbers *value,
                                   ad_dtype dtype, ad_error *e);
AD_API ad_status ad_graph_constant_double(ad_graph *g, ad_node *out, double v, ad_error *e);
AD_API ad_status ad_graph_constant_text(ad_graph *g, ad_node *out, const char *text, ad_error *e);

/* An operation.  Attributes in any order; absent optional ones take their defaults, absent trailing arguments the
 * table's default constant.  The message of an error names the operation, its arguments and both shapes. */
AD_API ad_status ad_graph_apply(ad_graph *g, ad_node *out, ad_op op, size_t nargs, const ad_node *args, size_t nattrs,
                                const ad_attr *attrs, ad_error *e);

AD_API ad_status ad_graph_set_node_name(ad_graph *g, ad_node n, const char *name, ad_error *e);
AD_API ad_status ad_graph_output(ad_graph *g, const char *name, ad_node n, ad_error *e);

AD_API size_t ad_graph_node_count(const ad_graph *g);
AD_API size_t ad_graph_input_count(const ad_graph *g);
AD_API size_t ad_graph_output_count(const ad_graph *g);
AD_API ad_node ad_graph_output_node(const ad_graph *g, size_t i);
AD_API const char *ad_graph_output_name(const ad_graph *g, size_t i);
AD_API size_t ad_graph_find_output(const ad_graph *g, const char *name); /* SIZE_MAX when unknown */
AD_API ad_node ad_graph_find_node(const ad_graph *g, const char *name);  /* inputs and named nodes; AD_NO_NODE */

AD_API ad_op ad_graph_node_op(const ad_graph *g, ad_node n);
AD_API size_t ad_graph_node_args(const ad_graph *g, ad_node n, const ad_node **args); /* the count; borrows */
AD_API const ad_shape *ad_graph_node_shape(const ad_graph *g, ad_node n);
AD_API const char *ad_graph_node_name(const ad_graph *g, ad_node n); /* NULL when anonymous */
/* Writes how a person would call the node: its name, or "node 17 (mul)".  buf holds AD_NODE_TEXT bytes; returns it. */
#define AD_NODE_TEXT 320
AD_API const char *ad_graph_node_text(const ad_graph *g, ad_node n, char *buf);
/* Attribute i in the order of ad_op_info.attr, normalised (defaults filled in, axes from 0).  value is NULL when the
 * attribute is absent and has no default. */
AD_API ad_attr ad_graph_node_attr(const ad_graph *g, ad_node n, int i);

AD_API bool ad_graph_input_fixed(const ad_graph *g, ad_node input);
AD_API ad_dtype ad_graph_node_dtype(const ad_graph *g, ad_node n); /* of an input or a constant */

/* The numbers of an input (its default value) or a constant: one for each element, or one for all. */
typedef struct ad_values {
  size_t count;        /* 0: an input without a value; 1 or the number of elements */
  const double *value; /* the nearest doubles; borrows from the graph, until the graph grows */
  const void *owner;
  size_t first;
} ad_values;
AD_API ad_values ad_graph_node_values(const ad_graph *g, ad_node n);
AD_API const char *ad_values_text(const ad_values *v, size_t i); /* NULL: the double is exact */

/* ---- Passes ------------------------------------------------------------------------------------------------------ */

/* What can be done to a graph so that it does less (lib/passes), in order. */
typedef struct ad_pass_info {
  const char *name; /* "fold" */
  const char *doc;
} ad_pass_info;
AD_API size_t ad_pass_count(void);
AD_API const ad_pass_info *ad_pass_get(size_t i);

typedef struct ad_optimize_options {
  uint32_t passes; /* bit i: ad_pass_get(i); 0: all */
  size_t keep_count;
  const ad_node *keep; /* nodes that stay as they are, with their names, also where no output needs them */
} ad_optimize_options;
/* A new graph with the same inputs, outputs, metadata, policy and limits, never with more nodes.  o: NULL for all
 * passes. A name stays where its node does, or goes to what replaces it, unless that is an input or has a name.
 *
 * Each operation that stays gives the same bits as before: in MPFR from 53 bits on (below, constants are rounded before
 * they are used; one that was folded only once), and in double as long as the same code does it, for scalar and SIMD
 * code may differ in functions like exp, and which of them a scalar goes through depends on what is beside it.
 * Tangents, too, but for the sign of a zero.  Adjoints are sums over the uses of a node, in another order when some of
 * them are gone, so that last places may differ. */
AD_API ad_status ad_graph_optimize(ad_graph **out, const ad_graph *g, const ad_optimize_options *o, ad_error *e);

/* ---- Files ------------------------------------------------------------------------------------------------------ */

typedef struct ad_format_info {
  const char *name;      /* "yaml", "adg" */
  const char *extension; /* ".yaml" */
  bool can_read, can_write;
  bool lossless; /* any graph that is written reads back as the same graph */
  const char *doc;
} ad_format_info;
AD_API size_t ad_format_count(void);
AD_API const ad_format_info *ad_format_get(size_t i);

/* Reads a graph from a file ("-": standard input); the format is known by its content. */
AD_API ad_status ad_graph_load(ad_graph **g, const char *path, const ad_limits *limits, ad_error *e);
/* The same from memory; `path` is for messages only. */
AD_API ad_status ad_graph_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                               ad_error *e);

/* What a file leaves open and must be known to make a graph of it: a size that has a name, or none, which is that of
 * axis i of an input X as "X[i]", or an input that sizes or indices are computed from.  Formats: onnx.  Borrows all. */
typedef struct ad_binding {
  const char *name;
  const ad_numbers *value; /* one number for a size; one for each element of an input, row-major */
  const ad_shape *shape;   /* where there is no value: what the open sizes of the input `name` are, if it has some */
} ad_binding;
/* The same with bindings; each with a value must be one that the file has. */
AD_API ad_status ad_graph_load_bound(ad_graph **g, const char *path, size_t count, const ad_binding *bindings,
                                     const ad_limits *limits, ad_error *e);
AD_API ad_status ad_graph_read_bound(ad_graph **g, const void *bytes, size_t size, const char *path, size_t count,
                                     const ad_binding *bindings, const ad_limits *limits, ad_error *e);

typedef struct ad_write_options {
  const char *format;  /* a name of the registry; NULL: by the path's extension */
  bool explicit_nodes; /* YAML: one operation a node, no infix */
  bool stored;         /* .adg: codec 0 everywhere, the canonical form */
  bool binary;         /* .nl: in binary, little-endian */
} ad_write_options;    /* what the format does not have is AD_EUSAGE */
/* Replaces the file atomically (temporary, fsync, rename); path "-" writes to standard output. */
AD_API ad_status ad_graph_save(const ad_graph *g, const char *path, const ad_write_options *o, ad_error *e);
/* The same to memory, in the format that o names: *bytes is to be freed with ad_free. */
AD_API ad_status ad_graph_write(const ad_graph *g, void **bytes, size_t *size, const ad_write_options *o, ad_error *e);
AD_API void ad_free(void *p);

/* SHA-256 of the canonical .adg bytes, as 64 hexadecimal digits and a zero. */
AD_API ad_status ad_graph_hash(const ad_graph *g, char hex[65], ad_error *e);

/* ---- Points ----------------------------------------------------------------------------------------------------- */

/* Values of the inputs: the graph's own, and what has been set over them. */
typedef struct ad_point ad_point;
AD_API ad_status ad_point_new(ad_point **p, const ad_graph *g, ad_error *e); /* borrows g */
AD_API void ad_point_free(ad_point *p);
/* value: one number for all elements or one for each; copied. */
AD_API ad_status ad_point_set(ad_point *p, ad_node input, const ad_numbers *value, ad_error *e);
AD_API ad_status ad_point_set_double(ad_point *p, ad_node input, const double *value, size_t count, ad_error *e);
/* Reads names to values (YAML or JSON: `w: 1`, `x: [1, 2]`) and sets them. */
AD_API ad_status ad_point_load(ad_point *p, const char *path, ad_error *e);
/* Sets an input from text: a number or a nested list. */
AD_API ad_status ad_point_set_text(ad_point *p, const char *name, const char *text, ad_error *e);

/* ---- Backends, programs, workspaces ----------------------------------------------------------------------------- */

typedef enum ad_mode { AD_MODE_DEFAULT, AD_MODE_FORWARD, AD_MODE_REVERSE } ad_mode;
typedef enum ad_kind { AD_KIND_F64, AD_KIND_MPFR, AD_KIND_BALL } ad_kind; /* the last: of the library's own */

typedef struct ad_backend ad_backend;
AD_API size_t ad_backend_count(void);
AD_API const ad_backend *ad_backend_get(size_t i);
AD_API const ad_backend *ad_backend_find(const char *name); /* NULL when unknown */
AD_API const char *ad_backend_name(const ad_backend *b);
AD_API const char *ad_backend_doc(const ad_backend *b);
AD_API ad_kind ad_backend_kind(const ad_backend *b);
AD_API ad_mode ad_backend_mode(const ad_backend *b); /* the default one */
AD_API bool ad_backend_supports(const ad_backend *b, ad_mode m);

/* MPFR and FLINT cache constants for each thread.  This frees the calling thread's: at the end of a thread that used an
 * mpfr backend or ad_check, or of the program, for a clean report by a leak checker. */
AD_API void ad_thread_cleanup(void);

/* A program is a graph made ready to run: what the outputs need, in order, with a place for each value. */
typedef struct ad_program ad_program;
typedef struct ad_program_options {
  size_t output_count; /* nodes whose values are wanted; 0: the graph's outputs */
  const ad_node *outputs;
  size_t wrt_count; /* inputs to differentiate by, none twice, whose order is that of Jacobians' columns; 0: those that
                     * are not fixed */
  const ad_node *wrt;
  bool keep_all;     /* every node of the graph, also those that no output needs */
  bool outputs_only; /* only values and adjoints of outputs and inputs will be read: tensors that are needed at
                      * different times share memory, and in blocks of points scalars, too */
  bool values_only;  /* no derivatives: wrt is not used */
} ad_program_options;
AD_API ad_status ad_program_new(ad_program **p, const ad_graph *g, const ad_program_options *o,
                                ad_error *e); /* borrows g */
AD_API void ad_program_free(ad_program *p);
AD_API const ad_graph *ad_program_graph(const ad_program *p);
AD_API size_t ad_program_wrt_count(const ad_program *p);
AD_API ad_node ad_program_wrt(const ad_program *p, size_t i);
AD_API uint64_t ad_program_wrt_size(const ad_program *p); /* elements of all of them */
AD_API size_t ad_program_output_count(const ad_program *p);
AD_API ad_node ad_program_output(const ad_program *p, size_t i);
AD_API uint64_t ad_program_output_size(const ad_program *p); /* elements of all of them */

typedef struct ad_workspace_options {
  uint32_t precision;  /* bits, for MPFR backends; 0: 256 */
  uint32_t directions; /* tangents carried at once in forward mode; 0: none */
  bool reverse;        /* will run adjoints */
  uint32_t points;     /* evaluate a block of this many points at once (double only); 0: 1, at most 4096 */
  uint32_t threads;    /* for large tensors at one point in double, started only where there are such; 0: 1.  Results
                        * are the same, bit for bit, for any number */
  uint32_t order;      /* Taylor coefficients carried beside the value; 0: none.  With one point only */
} ad_workspace_options;

/* All state of an evaluation.  borrows p and b. */
typedef struct ad_workspace ad_workspace;
AD_API ad_status ad_workspace_new(ad_workspace **w, const ad_program *p, const ad_backend *b,
                                  const ad_workspace_options *o, ad_error *e);
AD_API void ad_workspace_free(ad_workspace *w);

/* A borrowed run of numbers: doubles, or mpfr_t where kind says so. */
typedef struct ad_span {
  ad_kind kind;
  size_t count; /* 0: the program does not hold it: no output needs it, or it is computed in passing */
  const void *data;
} ad_span;
AD_API double ad_span_double(const ad_span *s, size_t i);
/* Writes number i: the shortest decimal that reads back (doubles, digits 0), or `digits` significant digits.  At most
 * size bytes with the final zero; returns the length it wanted, like snprintf. */
AD_API size_t ad_span_text(char *buf, size_t size, const ad_span *s, size_t i, unsigned digits);

/* The inputs of the workspace: all from a point, one from doubles, or all from doubles: the elements of every input in
 * the graph's order one behind the other. */
AD_API ad_status ad_workspace_set_point(ad_workspace *w, const ad_point *p, ad_error *e);
AD_API ad_status ad_workspace_set_input(ad_workspace *w, ad_node input, const double *value, size_t count, ad_error *e);
AD_API ad_status ad_workspace_set_inputs(ad_workspace *w, const double *value, size_t count, ad_error *e);

/* The values of an input at the first `count` points of a block: row b, `pitch` numbers behind row b-1, holds its
 * elements at point b.  Points beyond count repeat the last one.  Spans of a block hold `points` numbers for each
 * element: element j at point b is number j * points + b; seeds hold at every point. */
AD_API ad_status ad_workspace_set_points(ad_workspace *w, ad_node input, const double *rows, size_t pitch, size_t count,
                                         ad_error *e);

/* Values.  After a primal run, tangents by forward, adjoints by reverse (Griewank and Walther, Evaluating Derivatives,
 * 2nd ed., SIAM 2008, chapter 3).  A tangent or adjoint
 * that is zero all around the point (an untaken branch, a step, a constant factor 0, no seed) multiplies nothing; the
 * product of any other zero and a partial that is not finite is NaN: ad_workspace_undetermined. */
AD_API ad_status ad_workspace_primal(ad_workspace *w, ad_error *e);
AD_API void ad_workspace_clear_seeds(ad_workspace *w);
/* Seeds of tangents are set; those of adjoints are added to what is there, for outputs may share elements. */
AD_API ad_status ad_workspace_seed_tangent(ad_workspace *w, uint32_t direction, ad_node input, size_t element,
                                           double seed, ad_error *e);
AD_API ad_status ad_workspace_seed_adjoint(ad_workspace *w, ad_node node, size_t element, double seed, ad_error *e);
/* A whole direction or all weights: one number for all elements or one for each. */
AD_API ad_status ad_workspace_seed_tangents(ad_workspace *w, uint32_t direction, ad_node input, const ad_numbers *seed,
                                            ad_error *e);
AD_API ad_status ad_workspace_seed_adjoints(ad_workspace *w, ad_node node, const ad_numbers *seed, ad_error *e);
AD_API ad_status ad_workspace_forward(ad_workspace *w, ad_error *e);
AD_API ad_status ad_workspace_reverse(ad_workspace *w, ad_error *e);
AD_API ad_span ad_workspace_value(const ad_workspace *w, ad_node n);
AD_API ad_span ad_workspace_tangent(const ad_workspace *w, uint32_t direction, ad_node n);
AD_API ad_span ad_workspace_adjoint(const ad_workspace *w, ad_node n);

/* Univariate Taylor series (Griewank and Walther, chapter 13).  The inputs move along a curve
 *   x(t) = x + x_1 t + x_2 t^2 + ... + x_k t^k,   k = options.order,
 * whose coefficients are seeded (those that are not are 0), and after a primal run ad_workspace_taylor gives those of
 * every value along it: coefficient j is the j-th derivative divided by j!, coefficient 0 the value itself.  With x_1 =
 * d alone they are the derivatives along d.  Coefficient 1 is the tangent of forward mode; at a kink the series follows
 * the branch that the policy chose for it, and beyond the edge of a domain coefficients are infinite or nan.  A zero
 * coefficient never multiplies anything.  ad_workspace_clear_seeds clears these seeds, too. */
AD_API ad_status ad_workspace_seed_coefficient(ad_workspace *w, uint32_t j, ad_node input, size_t element, double seed,
                                               ad_error *e); /* j = 1 .. order */
/* The line x + t d alone: coefficient 1 of the inputs that the point sets (not those whose value is the graph's own),
 * exact in MPFR; all other seeds of series are cleared. */
AD_API ad_status ad_workspace_set_direction(ad_workspace *w, const ad_point *d, ad_error *e);
AD_API ad_status ad_workspace_taylor(ad_workspace *w, ad_error *e);
AD_API ad_span ad_workspace_coefficient(const ad_workspace *w, uint32_t j, ad_node n); /* j = 0: the value */

/* What happened at the nodes of the last primal run, of one point: of a block of points nothing is said. */
enum {
  AD_AT_KINK = 1,  /* the derivative there is the policy's choice */
  AD_AT_EDGE = 2,  /* on the edge of the domain: the derivative is infinite or one-sided */
  AD_OUTSIDE = 4,  /* an argument outside the domain */
  AD_MADE_NAN = 8, /* NaN out of arguments that are not */
  AD_MADE_INF = 16 /* an infinity out of finite arguments */
};
typedef void ad_notice_fn(void *context, ad_node n, size_t element, unsigned flags);
AD_API void ad_workspace_diagnose(ad_workspace *w, ad_notice_fn *notice, void *context);

/* Whether a derivative since the last primal run is NaN because a zero met an infinity on its way; the first operation
 * whose partial it was goes to *n and *element (NULL: not wanted), AD_NO_NODE where it has no place of its own. */
AD_API bool ad_workspace_undetermined(const ad_workspace *w, ad_node *n, size_t *element);

/* ---- Gradients -------------------------------------------------------------------------------------------------- */

/* The derivative of sum_i weight_i * element_i of one output by every element of every input of the program's wrt. */
typedef struct ad_gradient_request {
  ad_node output;
  size_t seed_count;       /* 0: the output is a scalar and its weight is 1 */
  const size_t *element;   /* which elements; NULL: 0 .. seed_count-1 */
  const double *weight;    /* NULL: all 1 */
  const ad_numbers *exact; /* the weights as exact numbers, one for each; NULL: those above */
  ad_mode mode;            /* AD_MODE_DEFAULT: the backend's */
} ad_gradient_request;

/* After a primal run.  Results are read with ad_workspace_gradient; in forward mode the workspace's directions are
 * used several inputs at a time.  In reverse mode they are the adjoints of the inputs, until the next sweep. */
AD_API ad_status ad_workspace_run_gradient(ad_workspace *w, const ad_gradient_request *r, ad_error *e);
AD_API ad_span ad_workspace_gradient(const ad_workspace *w, ad_node input);
/* That of all inputs one behind the other, in the graph's order; 0 for inputs that are not in the program's wrt. */
AD_API ad_span ad_workspace_gradients(const ad_workspace *w);

/* ---- Sparsity --------------------------------------------------------------------------------------------------- */

/* The places of a matrix that can be other than zero, row by row: columns column[start[i]] .. column[start[i+1]-1],
 * ascending, of row i. */
typedef struct ad_sparsity {
  size_t rows, columns;
  size_t *start;    /* rows + 1; owned */
  uint32_t *column; /* start[rows]; owned */
} ad_sparsity;
AD_API void ad_sparsity_clear(ad_sparsity *s);

/* The structure of a program's Jacobian: which element of the outputs depends on which element of wrt, by propagation
 * of index sets through the graph (Griewank and Walther, Evaluating Derivatives, 2nd ed., section 7.1).  An argument by
 * which an operation's derivative is zero everywhere (a step, a condition) is no dependence; a branch not taken is one.
 * AD_ELIMIT when it would take more memory than the limit. */
AD_API ad_status ad_sparsity_jacobian(ad_sparsity *s, const ad_program *p, ad_error *e);
/* The structure of the Hessian of a weighted sum of all of the program's outputs, both triangles, from the nonlinear
 * interactions of operations (Walther, Computing sparse Hessians with automatic differentiation, ACM TOMS 34, 2008). */
AD_API ad_status ad_sparsity_hessian(ad_sparsity *s, const ad_program *p, ad_error *e);

/* Colours let columns or rows share a sweep (Gebremedhin, Manne and Pothen, What color is your Jacobian?, SIAM Review
 * 47, 2005). */
typedef enum ad_colour_kind {
  AD_COLOUR_COLUMNS, /* no two columns of one colour meet in a row: distance 2 in the bipartite graph */
  AD_COLOUR_ROWS,    /* the same of rows */
  AD_COLOUR_BOTH,    /* star bicolouring: each entry can be read from its column's or its row's sweep */
  AD_COLOUR_STAR,    /* symmetric: no path of four vertices has two colours */
  AD_COLOUR_ACYCLIC  /* symmetric: no cycle has two colours */
} ad_colour_kind;
#define AD_NO_COLOUR UINT32_MAX

typedef struct ad_colouring {
  ad_colour_kind kind;
  uint32_t row_colours, column_colours; /* symmetric: column_colours */
  uint32_t *row, *column; /* the colour of each, from 0; AD_NO_COLOUR: needs no sweep; NULL: the kind has none; owned */
  bool rows_first;        /* BOTH: an entry whose row and column have colours is read from the row's sweep */
} ad_colouring;
/* Greedy, in the best of several orders (natural, largest first, smallest last, incidence degree); the same input gives
 * the same colours.  The symmetric kinds want a square structure with both triangles; diagonals count. */
AD_API ad_status ad_colour(ad_colouring *c, const ad_sparsity *s, ad_colour_kind kind, ad_error *e);
AD_API void ad_colouring_clear(ad_colouring *c);

/* ---- Jacobians -------------------------------------------------------------------------------------------------- */

/* The matrix of the derivatives of all elements of a program's outputs (rows) by all elements of its wrt (columns),
 * both in order, row-major.  A plan is made once, for one structure, and run at many points. */
typedef struct ad_jacobian ad_jacobian;
typedef struct ad_jacobian_options {
  ad_mode mode;       /* AD_MODE_DEFAULT: forward, reverse or both, whichever costs less, with any backend */
  bool sparse;        /* only the entries of the structure, in its order */
  uint32_t precision; /* bits, for MPFR backends; 0: 256 */
} ad_jacobian_options;
/* borrows p and b, owns a workspace of its own.  b says how numbers are computed, NULL: in double; only a mode that it
 * does not have can't be asked for. */
AD_API ad_status ad_jacobian_new(ad_jacobian **j, const ad_program *p, const ad_backend *b,
                                 const ad_jacobian_options *o, ad_error *e);
AD_API void ad_jacobian_free(ad_jacobian *j);
/* The workspace whose inputs say where; borrows from j. */
AD_API ad_workspace *ad_jacobian_workspace(ad_jacobian *j);
/* Runs the values and all sweeps; allocates nothing. */
AD_API ad_status ad_jacobian_run(ad_jacobian *j, ad_error *e);
/* Dense: [rows, columns].  Sparse: one number for each entry of the structure. */
AD_API ad_span ad_jacobian_values(const ad_jacobian *j);
AD_API const ad_sparsity *ad_jacobian_sparsity(const ad_jacobian *j); /* NULL: a dense plan */

/* What the plan does. */
typedef struct ad_jacobian_plan {
  size_t rows, columns;
  bool compressed;                             /* columns or rows share tangents or adjoints by colours */
  size_t tangents, adjoints;                   /* that a run computes, */
  uint32_t tangents_at_once, adjoints_at_once; /* so many in one sweep */
} ad_jacobian_plan;
AD_API ad_jacobian_plan ad_jacobian_get_plan(const ad_jacobian *j);

/* ---- Derivatives as graphs -------------------------------------------------------------------------------------- */

/* A derivative of outputs by inputs, as a graph with the same inputs and policies, which can be saved, checked and
 * differentiated like any other (source transformation: Griewank and Walther, Evaluating Derivatives, 2nd ed., SIAM
 * 2008, chapters 3 and 6).  The chosen outputs stay outputs, under their names; the derivative's follow, each in the
 * shape of what it is named after:
 *   gradient  grad.INPUT      of one output that is a scalar, or of a weighted sum of its elements
 *   vjp       adjoint.INPUT   where inputs adjoint.OUTPUT, behind the others, hold the outputs' adjoints (seeds)
 *   jvp       tangent.OUTPUT  where inputs tangent.INPUT, behind the others, hold the inputs' tangents (seeds)
 * Seeds are `fixed` and have no value.  In a graph that has names grad. already, the next are grad2., then grad3.
 * At kinks the graph's policy becomes part of the result.  Values, nans and infinities are those of reverse and forward
 * mode, and so are those of further derivatives, but where the value of the output is nan.  Inputs of wrt are not
 * `fixed` in the new graph.
 * Adjoints are summed in falling order of the nodes that they come from, of one node in order of its arguments; parts
 * of a tensor (from slices and gathers) are added to the sum of the others, in the same order.
 * Time and size are linear in the nodes that lie between those inputs and outputs. */
typedef struct ad_derivative_request {
  size_t output_count; /* outputs, by position; 0: all.  A gradient takes one */
  const size_t *output;
  size_t wrt_count; /* inputs, none twice, whose order is that of the results; 0: those that are not fixed */
  const ad_node *wrt;
  size_t seed_count;       /* of a gradient.  0: the output is a scalar and its weight is 1 */
  const size_t *element;   /* which elements; NULL: 0 .. seed_count-1 */
  const double *weight;    /* NULL: all 1 */
  const ad_numbers *exact; /* the weights as exact numbers, one for each, which become exact constants; NULL: those
                            * above */
} ad_derivative_request;

/* r may be NULL.  The new graph is the caller's. */
AD_API ad_status ad_graph_gradient(ad_graph **out, const ad_graph *g, const ad_derivative_request *r, ad_error *e);
AD_API ad_status ad_graph_vjp(ad_graph **out, const ad_graph *g, const ad_derivative_request *r, ad_error *e);
AD_API ad_status ad_graph_jvp(ad_graph **out, const ad_graph *g, const ad_derivative_request *r, ad_error *e);

/* ---- Mixed derivatives ------------------------------------------------------------------------------------------ */

/* Derivatives of one order by several elements of inputs, each from one Taylor series along a curve on which the
 * variables move by powers of t that no other derivative's combine to: nothing cancels, and what is 0 by structure is
 * 0. Series of order T cost T^2: T is the order for one variable, about 2 i j + i + j for i times x and j times y, and
 * at most (n - 1) 2^n + 1 for n different ones (Griewank and Walther, Evaluating Derivatives, 2nd ed., chapter 13). */
typedef struct ad_variable {
  ad_node input; /* of the program's wrt */
  size_t element;
} ad_variable;

typedef struct ad_mixed_request {
  uint32_t order;              /* from 1 */
  size_t count;                /* how many derivatives */
  const ad_variable *variable; /* `order` for each; x, x, y stands for d^3 / dx^2 dy.  Their order plays no role */
  size_t output_count;         /* nodes whose derivatives are wanted; 0: the graph's outputs */
  const ad_node *outputs;
} ad_mixed_request;

/* Plans the series, each once however often a derivative is wanted, and has room for them and the results; borrows w.
 * Running it is at the point of w, which is to have had a primal run, and changes nothing in w. */
typedef struct ad_mixed ad_mixed;
AD_API ad_status ad_mixed_new(ad_mixed **m, ad_workspace *w, const ad_mixed_request *r, ad_error *e);
AD_API void ad_mixed_free(ad_mixed *m);
AD_API size_t ad_mixed_directions(const ad_mixed *m); /* series that a run computes */
AD_API ad_status ad_mixed_run(ad_mixed *m, ad_error *e);
/* Derivative i of every element of output number `output` of the request; the factorials are in. */
AD_API ad_span ad_mixed_derivative(const ad_mixed *m, size_t i, size_t output);

/* ---- Hessians --------------------------------------------------------------------------------------------------- */

/* The second derivatives of one output, or of a weighted sum of its elements, by all elements of n inputs: rows and
 * columns are the inputs' elements, inputs in the order of the request's wrt (none there: of the graph), row-major.
 * Planned once, for the graph of the gradient, and run at many points.  Sweeps over that graph give products with the
 * Hessian: its tangents are forward over reverse mode, its adjoints the same, as a Hessian is symmetric (Griewank and
 * Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, section 5.4). */
typedef struct ad_hessian ad_hessian;
typedef struct ad_hessian_options {
  ad_derivative_request of; /* as for ad_graph_gradient */
  ad_mode mode;             /* of the sweeps; AD_MODE_DEFAULT: forward where the backend has it */
  uint32_t precision;       /* bits, for MPFR backends; 0: 256 */
  bool sparse;              /* only the entries of the structure, in its order, by a star colouring */
  uint32_t columns;         /* the most that a product will have; 0: n, which a whole dense Hessian takes */
} ad_hessian_options;
/* borrows g and b (NULL: tape or dual, by the mode); owns the gradient's graph and a workspace for it. */
AD_API ad_status ad_hessian_new(ad_hessian **h, const ad_graph *g, const ad_backend *b, const ad_hessian_options *o,
                                ad_error *e);
AD_API void ad_hessian_free(ad_hessian *h);
AD_API size_t ad_hessian_size(const ad_hessian *h);      /* n */
AD_API size_t ad_hessian_wrt_count(const ad_hessian *h); /* inputs */
AD_API ad_node ad_hessian_wrt(const ad_hessian *h, size_t i);
/* Where: the values of a point of g, or those that are set in the workspace, whose inputs have the numbers that they
 * have in g; borrows from h. */
AD_API ad_status ad_hessian_set_point(ad_hessian *h, const ad_point *p, ad_error *e);
AD_API ad_workspace *ad_hessian_workspace(ad_hessian *h);
/* The whole Hessian, symmetric to the last bit. */
AD_API ad_status ad_hessian_run(ad_hessian *h, ad_error *e);
/* H S for n x columns seeds, row-major, as doubles or as exact numbers.  After the first run of one kind, neither
 * allocates. */
AD_API ad_status ad_hessian_products(ad_hessian *h, const double *seeds, size_t columns, ad_error *e);
AD_API ad_status ad_hessian_products_exact(ad_hessian *h, const ad_numbers *seeds, size_t columns, ad_error *e);
/* Of the last run: H or H S, row-major, or one number for each entry of the structure; the output; its derivative by
 * input i of wrt. */
AD_API ad_span ad_hessian_values(const ad_hessian *h);
AD_API const ad_sparsity *ad_hessian_sparsity(const ad_hessian *h); /* NULL: dense */
AD_API size_t ad_hessian_colours(const ad_hessian *h);              /* columns that a run computes */
AD_API ad_span ad_hessian_output(const ad_hessian *h);
AD_API ad_span ad_hessian_gradient(const ad_hessian *h, size_t i);

/* ---- Verification ----------------------------------------------------------------------------------------------- */

/* One derivative by all methods: weights' * Jacobian * direction, where both are unit vectors when the graph is small
 * enough to check every entry, and random otherwise. */
typedef enum ad_entry_class {
  AD_ENTRY_AGREES,
  AD_ENTRY_KINK,      /* methods differ, or the slopes on both sides, and an operation stands on a kink: the derivative
                       * is the policy's choice */
  AD_ENTRY_EDGE,      /* the same where an operation stands on the edge of its domain or outside, or the output is
                       * infinite or NaN, so that differences say nothing */
  AD_ENTRY_NAN,       /* not a number by every method */
  AD_ENTRY_UNDECIDED, /* the highest precision allowed could not tell */
  AD_ENTRY_DISAGREES
} ad_entry_class;
#define AD_ENTRY_CLASSES 6

typedef struct ad_check_entry {
  ad_entry_class cls;
  bool probe; /* random direction and weights: the next four fields say nothing */
  size_t output, output_element;
  ad_node input;
  size_t input_element;
  double forward, reverse, difference;        /* in MPFR, rounded to double for show */
  double dual, tape;                          /* in double */
  double difference_double, difference_bound; /* finite difference in double and the bound of its error */
  double ulps;   /* the worse of dual and tape against the truth, in units of the last place */
  double digits; /* significant decimal digits that agree, 0 to 17 */
} ad_check_entry;

typedef enum ad_verdict { AD_VERDICT_PASS, AD_VERDICT_FAIL, AD_VERDICT_UNDECIDED } ad_verdict;
AD_API const char *ad_verdict_name(ad_verdict v);
AD_API const char *ad_entry_class_name(ad_entry_class c);

/* A node whose partials are proved wrong: its difference is not in their enclosure. */
typedef struct ad_blame {
  ad_node node;
  ad_op op;
  size_t argument; /* from 0 */
  double partial, difference;
} ad_blame;

typedef struct ad_check_options {
  size_t wrt_count; /* inputs; 0: those that are not fixed */
  const ad_node *wrt;
  size_t output_count; /* outputs (nodes); 0: the graph's */
  const ad_node *outputs;
  size_t max_entries;     /* above this, or when the graph is large, random probes; 0: 4096 */
  size_t probes;          /* directions and weights; 0: 4 of each */
  uint64_t seed;          /* of the probes; 0: 1 */
  uint32_t max_precision; /* bits; 0: 8192 */
  double min_digits;      /* fewer digits in double are a failure; 0: only reported */
} ad_check_options;

/* What double keeps of an output: digits of its value and of its derivatives, each the least over its elements, 0 to
 * 17, every number judged by its own size.  Where the truth is 0, or at least none that a double holds, there are no
 * digits to count: the error is the largest |double| there.  nan or infinity in double against a finite truth keeps 0
 * digits. */
typedef struct ad_check_output {
  double value_digits, derivative_digits; /* nan: nothing to judge, as where probes join outputs */
  double value_error, derivative_error;
} ad_check_output;

typedef struct ad_check_report {
  ad_verdict verdict;
  const char *reason; /* one sentence, static */
  size_t entries, by_class[AD_ENTRY_CLASSES];
  bool probed;          /* by random probes, not entry by entry */
  uint32_t precision;   /* the highest that was needed, in bits */
  size_t listed;        /* entries worth a look: all that do not agree, and the worst in digits */
  ad_check_entry *list; /* owned */
  size_t blame_count;
  ad_blame *blame;                        /* owned */
  size_t kinks, edges, outside, made_nan; /* nodes' elements by ad_workspace_diagnose */
  ad_node first_nan;                      /* AD_NO_NODE: none */
  double min_digits;                      /* of values and derivatives that are finite: the least that is known */
  size_t unknown_digits;                  /* of how many of them the highest precision could not tell it */
  double max_ulps;                        /* of derivatives that are finite and not 0 */
  size_t output_count;
  ad_check_output *output; /* owned; of each output, in order */
  ad_check_entry worst;    /* the derivative with the fewest digits */
  double condition;        /* of the worst entry: relative change for a relative change of the inputs; nan: unknown */
  ad_node lost_at;         /* where double loses most digits of a value; AD_NO_NODE when it loses none to speak of */
  double lost_digits;
} ad_check_report;

/* Sets forward and reverse mode in MPFR and finite differences (central, in MPFR, with step 2^(-p/3); Squire and Trapp,
 * SIAM Review 40, 1998, and Higham, Accuracy and Stability, ch. 1, on steps) against each other at rising precision,
 * looks in balls (Arb) for a node that is proved wrong where they differ, and counts the digits that double keeps.  p:
 * NULL for the graph's own values.  The report is to be cleared with ad_check_clear. */
AD_API ad_status ad_check(ad_check_report *r, const ad_graph *g, const ad_point *p, const ad_check_options *o,
                          ad_error *e);
AD_API void ad_check_clear(ad_check_report *r);

/* Central differences in double along one input element over a ladder of steps; the step with the smallest bound of
 * truncation and rounding error wins.  result and bound have one entry for each element of the output.  w: a primal
 * workspace in double, whose input is moved and put back. */
AD_API ad_status ad_difference_double(double *result, double *bound, ad_workspace *w, ad_node output, ad_node input,
                                      size_t element, ad_error *e);

#ifdef __cplusplus
}
#endif
#endif
