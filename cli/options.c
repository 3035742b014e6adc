#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dot/dot.h"
#include "error.h"

typedef struct option_row {
  option_id id;
  const char *name, *letter, *argument; /* argument NULL: none */
  const char *text;
} option_row;

static const option_row rows[] = {
    {OPT_AT, "at", NULL, "NAME=VALUE", "give an input a value: a number, a nested list, or @FILE.npy"},
    {OPT_POINT, "point", NULL, "FILE", "read input values from a YAML or JSON file of names and values"},
    {OPT_WRT, "wrt", NULL, "NAME,...",
     "differentiate by these inputs, in this order (default: all that are not `diff: no`)"},
    {OPT_OUTPUT, "output", NULL, "NAME", "only this output, or one element of it: NAME[i,j]"},
    {OPT_SEED, "seed", NULL, "LIST", "weights of a non-scalar output's elements: a nested list, or one number for all"},
    {OPT_WEIGHT, "weight", NULL, "NAME=VALUE", "weights of an output's elements, as --at has values"},
    {OPT_SPARSE, "sparse", NULL, NULL, "only the entries that can be other than zero"},
    {OPT_BACKEND, "backend", NULL, "NAME", "compute with this backend (see `adtool backends`; default tape)"},
    {OPT_MODE, "mode", NULL, "forward|reverse", "the mode, where the backend has both"},
    {OPT_ORDER, "order", NULL, "K", "highest Taylor coefficient; 0 is the value alone"},
    {OPT_DIRECTION, "direction", NULL, "NAME=VALUE", "how an input moves (taylor: with t), as --at has values"},
    {OPT_MIXED, "mixed", NULL, "NAME,...", "the mixed derivative by these inputs or elements, NAME or NAME[i,j]"},
    {OPT_PRECISION, "precision", NULL, "BITS", "precision of the mpfr backend, from 2 (default 256)"},
    {OPT_DIGITS, "digits", NULL, "N",
     "show N significant digits; of mpfr's each is proved, or a note counts those that are not"},
    {OPT_FORMAT, "format", NULL, "FORMAT", "the form of the result: "}, /* and which ones the command has */
    {OPT_OUT, "out", "o", "FILE", "write to a file, replaced in one step, instead of standard output"},
    {OPT_TO, "to", NULL, "FORMAT", "the format to write: yaml, adg, nl, cppad or dot (default: by the file's name)"},
    {OPT_STORED, "stored", NULL, NULL, ".adg without compression: the canonical form"},
    {OPT_EXPLICIT, "explicit", NULL, NULL, "YAML with one operation a node, no infix"},
    {OPT_OPTIMIZE, "optimize", NULL, NULL, "run all passes first: fewer nodes, the same values"},
    {OPT_AFTER, "after", NULL, "PASS", "the graph after the passes up to this one: dead, fold, identities or common"},
    {OPT_BINARY, "binary", NULL, NULL, ".nl in binary"},
    {OPT_VALUES, "values", NULL, NULL, "show the value of each node"},
    {OPT_ADJOINTS, "adjoints", NULL, NULL, "show the derivative of the output by each node"},
    {OPT_SHAPES, "shapes", NULL, NULL, "show the shapes of tensors"},
    {OPT_MAX_SHOWN, "max-shown", NULL, "N", "draw at most N boxes, 8 to 10000 (default 100)"},
    {OPT_IN_PLACE, "in-place", "i", NULL, "rewrite the file itself"},
    {OPT_DROP_COMMENTS, "drop-comments", NULL, NULL, "rewrite a file that has comments, which are lost"},
    {OPT_CHECK, "check", NULL, NULL, "write nothing; exit 1 if the file is not in this form"},
    {OPT_TRACE, "trace", NULL, NULL, "show every node with its expression, value and derivative"},
    {OPT_STRICT, "strict", NULL, NULL, "exit 4 when a number leaves an operation's domain"},
    {OPT_MIN_DIGITS, "min-digits", NULL, "N", "fail when double keeps fewer significant digits"},
    {OPT_PROBES, "probes", NULL, "N", "random directions and weights for large graphs (default 4)"},
    {OPT_RANDOM_SEED, "random-seed", NULL, "N", "seed of the probes (default 1)"},
    {OPT_MAX_ENTRIES, "max-entries", NULL, "N", "check entry by entry up to so many derivatives (default 4096)"},
    {OPT_POINTS, "points", NULL, "FILE", "a table with a point a row: .npy, .npz or CSV"},
    {OPT_DO, "do", NULL, "eval|grad|jac|hess|check", "what to compute (default grad)"},
    {OPT_REDUCE, "reduce", NULL, "sum|mean|min|max", "one row over all points, column by column"},
    {OPT_SHARD, "shard", NULL, "K/N|auto",
     "only part K of N, to FILE.K-of-N; auto: as the scheduler's environment says"},
    {OPT_LIST, "list", NULL, "FILE", "read the names of graphs from a file, one a line"},
    {OPT_TIMEOUT, "timeout", NULL, "SECONDS", "give up on a graph after so long"},
    {OPT_NO_TIME, "no-time", NULL, NULL, "records without seconds: the same bytes each time"},
    {OPT_THREADS, "threads", NULL, "N", "use N threads (default: one for each processor)"},
    {OPT_QUIET, "quiet", "q", NULL, "no notes"},
    {OPT_BIND, "bind", NULL, "NAME=VALUE",
     "fix a size that an ONNX model leaves open, or an input that sizes come from"},
    {OPT_MAX_NODES, "max-nodes", NULL, "N", "limit on nodes (default 100000000)"},
    {OPT_MAX_ELEMENTS, "max-elements", NULL, "N", "limit on a tensor's elements (default 2147483648)"},
    {OPT_MAX_MEMORY, "max-memory", NULL, "MIB", "limit on memory for numbers, in MiB (default 16384)"},
    {OPT_MAX_PRECISION, "max-precision", NULL, "BITS", "limit on precision (default 10000000, of check 8192)"},
    {OPT_MAX_YAML_DEPTH, "max-yaml-depth", NULL, "N", "limit on nested lists and mappings (default 64)"},
    {OPT_MAX_EXPR_DEPTH, "max-expr-depth", NULL, "N", "limit on nested expressions (default 256)"},
    {OPT_MAX_SCALAR, "max-scalar", NULL, "BYTES", "limit on one text of a file (default 1048576)"},
    {OPT_HELP, "help", "h", NULL, "show this help"},
};
_Static_assert(sizeof rows / sizeof rows[0] == OPT_COUNT, "one row an option, in the order of option_id");

/* Every command that reads graphs takes these. */
static const option_id limit_options[] = {OPT_MAX_NODES,      OPT_MAX_ELEMENTS,   OPT_MAX_MEMORY, OPT_MAX_PRECISION,
                                          OPT_MAX_YAML_DEPTH, OPT_MAX_EXPR_DEPTH, OPT_MAX_SCALAR};

/* Of all others with a value a second one is an error: which was meant? */
static bool repeats(option_id id) {
  static const option_id all[] = {OPT_AT, OPT_WRT, OPT_WEIGHT, OPT_DIRECTION, OPT_MIXED, OPT_BIND};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i] == id) return true;
  return !rows[id].argument;
}

const char *option_usage(option_id id) {
  static char text[OPT_COUNT][64];
  const option_row *r = &rows[id];
  snprintf(text[id], sizeof text[id], "%s%s%s--%s%s%s", r->letter ? "-" : "", r->letter ? r->letter : "",
           r->letter ? ", " : "", r->name, r->argument ? " " : "", r->argument ? r->argument : "");
  return text[id];
}

int options_unless(const options *o, const option_id *ids, const char *need) {
  for (; *ids != OPT_COUNT; ids++)
    if (o->given[*ids]) return usage_error(o, "--%s would do nothing here: it wants %s", rows[*ids].name, need);
  return 0;
}

/* In the order of output_format. */
static const char *const formats[] = {"text", "json", "csv", "npy", "ndjson", "texinfo", "mtx", "npz", NULL};

/* "a, b or c" of those that a command has. */
static void list_formats(char *text, size_t size, const command *c) {
  size_t used = 0;
  for (unsigned i = 0, left = c->formats; left; i++) {
    if (!(left >> i & 1)) continue;
    left &= ~FORMAT_BIT(i);
    const char *behind = !left ? "" : left & (left - 1) ? ", " : " or ";
    used += (size_t)snprintf(text + used, size - used, "%s%s", formats[i], behind);
  }
}

const char *option_text(const command *c, option_id id) {
  static char text[200];
  char list[80] = "";
  if (id == OPT_FORMAT) list_formats(list, sizeof list, c);
  snprintf(text, sizeof text, "%s%s%s", rows[id].text, list, rows[id].argument && repeats(id) ? "; repeatable" : "");
  return text;
}

static bool takes(const command *c, option_id id) {
  if (id == OPT_HELP) return true;
  bool limits = false;
  for (const option_id *t = c->takes; *t != OPT_COUNT; t++) {
    if (*t == id) return true;
    limits = limits || *t == OPT_MAX_NODES;
  }
  for (size_t i = 0; limits && i < sizeof limit_options / sizeof limit_options[0]; i++)
    if (limit_options[i] == id) return true;
  return false;
}

static const char *next_option(const void *context, size_t i) {
  static const char none[] = "";
  const command *c = context;
  if (i >= OPT_COUNT) return NULL;
  return takes(c, rows[i].id) ? rows[i].name : none;
}

static int unknown(const options *o, const command *c, const char *word) {
  for (size_t i = 0; i < OPT_COUNT; i++)
    if (!strcmp(rows[i].name, word))
      return usage_error(o, "%s has no option --%s; see `adtool help %s`", c->name, word, c->name);
  const char *near = ad_suggest(word, next_option, c);
  if (near && *near) return usage_error(o, "unknown option --%s (did you mean --%s?)", word, near);
  return usage_error(o, "unknown option --%s; see `adtool help %s`", word, c->name);
}

/* limit: " (--OPTION)" that hi follows from, or "". */
static int read_limited(const options *o, const option_row *r, const char *s, uint64_t lo, uint64_t hi,
                        const char *limit, uint64_t *v) {
  char *end;
  errno = 0;
  *v = strtoull(s, &end, 10);
  if (*s >= '0' && *s <= '9' && !*end && !errno && *v >= lo && *v <= hi) return 0;
  return usage_error(o, "--%s wants a whole number from %llu to %llu%s, not '%s'", r->name, (unsigned long long)lo,
                     (unsigned long long)hi, limit, s);
}

static int read_count(const options *o, const option_row *r, const char *s, uint64_t lo, uint64_t hi, uint64_t *v) {
  return read_limited(o, r, s, lo, hi, "", v);
}

/* The position of a word in a list that ends with NULL. */
static int read_word(const options *o, const option_row *r, const char *s, const char *const *words, int *v) {
  for (*v = 0; words[*v]; ++*v)
    if (!strcmp(words[*v], s)) return 0;
  char list[80] = "";
  for (int i = 0; words[i]; i++) {
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
  }
  return usage_error(o, "--%s is one of %s, not '%s'", r->name, list, s);
}

/* A name has one value. */
static int add_assignment(const options *o, const option_row *r, assignment *list, size_t *count, const char *s) {
  assignment *a = &list[*count];
  const int status = assignment_read(o, r->name, s, a);
  if (status) return status;
  for (size_t i = 0; i < *count; i++)
    if (!strcmp(list[i].name, a->name)) return usage_error(o, "--%s gives '%s' two values", r->name, a->name);
  ++*count;
  return 0;
}

static int set_format(options *o, const command *c, const char *s) {
  for (unsigned i = 0; formats[i]; i++) {
    if (strcmp(formats[i], s) || !(c->formats >> i & 1)) continue;
    o->format = (output_format)i;
    return 0;
  }
  char list[80];
  list_formats(list, sizeof list, c);
  return usage_error(o, "--format of %s is %s, not '%s'", c->name, list, s);
}

static int set_backend(options *o, const char *s) {
  o->backend = ad_backend_find(s);
  if (o->backend) return 0;
  char list[120] = "";
  for (size_t i = 0; i < ad_backend_count(); i++) {
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", ad_backend_name(ad_backend_get(i)));
  }
  return usage_error(o, "unknown backend '%s'; there are %s", s, list);
}

static int set_passes(options *o, const char *s) {
  char list[120] = "";
  for (size_t i = 0; i < ad_pass_count(); i++) {
    const char *name = ad_pass_get(i)->name;
    const size_t used = strlen(list);
    if (!strcmp(name, s)) {
      o->passes = (2u << i) - 1;
      return 0;
    }
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", name);
  }
  return usage_error(o, "--after is one of %s, not '%s'", list, s);
}

static int set(options *o, const command *c, const option_row *r, const char *s) {
  static const char *const modes[] = {"forward", "reverse", NULL};
  static const char *const folds[] = {"sum", "mean", "min", "max", NULL};
  uint64_t n = 0;
  int status = 0, word = 0;
  switch (r->id) {
    case OPT_AT:
      return add_assignment(o, r, o->at, &o->at_count, s);
    case OPT_BIND:
      return add_assignment(o, r, o->bind, &o->bind_count, s);
    case OPT_POINT:
      o->point = s;
      break;
    case OPT_WRT:
      o->wrt[o->wrt_count++] = s;
      break;
    case OPT_OUTPUT:
      o->output = s;
      break;
    case OPT_SEED:
      o->seed = s;
      break;
    case OPT_WEIGHT:
      return add_assignment(o, r, o->weight, &o->weight_count, s);
    case OPT_SPARSE:
      o->sparse = true;
      break;
    case OPT_BACKEND:
      return set_backend(o, s);
    case OPT_MODE:
      status = read_word(o, r, s, modes, &word);
      o->mode = word ? AD_MODE_REVERSE : AD_MODE_FORWARD;
      break;
    case OPT_ORDER:
      status = read_count(o, r, s, 0, UINT32_MAX - 1, &n);
      o->order = (uint32_t)n;
      break;
    case OPT_DIRECTION:
      return add_assignment(o, r, o->direction, &o->direction_count, s);
    case OPT_MIXED:
      o->mixed[o->mixed_count++] = s;
      break;
    case OPT_PRECISION:
      o->precision_text = s; /* for check_together, when --max-precision is known */
      break;
    case OPT_DIGITS:
      status = read_count(o, r, s, 1, 1000000000, &n);
      o->digits = (unsigned)n;
      break;
    case OPT_FORMAT:
      return set_format(o, c, s);
    case OPT_OUT:
      o->out = s;
      break;
    case OPT_TO:
      o->to = s;
      break;
    case OPT_STORED:
      o->stored = true;
      break;
    case OPT_EXPLICIT:
      o->explicit_nodes = true;
      break;
    case OPT_OPTIMIZE:
      o->optimize = true;
      break;
    case OPT_AFTER:
      return set_passes(o, s);
    case OPT_BINARY:
      o->binary = true;
      break;
    case OPT_VALUES:
      o->values = true;
      break;
    case OPT_ADJOINTS:
      o->adjoints = true;
      break;
    case OPT_SHAPES:
      o->shapes = true;
      break;
    case OPT_MAX_SHOWN:
      status = read_count(o, r, s, AD_DOT_SHOWN_LEAST, 10000, &n);
      o->max_shown = (size_t)n;
      break;
    case OPT_IN_PLACE:
      o->in_place = true;
      break;
    case OPT_DROP_COMMENTS:
      o->drop_comments = true;
      break;
    case OPT_CHECK:
      o->check = true;
      break;
    case OPT_TRACE:
      o->trace = true;
      break;
    case OPT_STRICT:
      o->strict = true;
      break;
    case OPT_MIN_DIGITS: {
      char *end;
      o->min_digits = strtod(s, &end);
      if (*end || end == s || !(o->min_digits >= 0 && o->min_digits <= 17))
        status = usage_error(o, "--min-digits wants a number from 0 to 17, not '%s'", s);
      break;
    }
    case OPT_PROBES:
      status = read_count(o, r, s, 1, 100000, &n);
      o->probes = (size_t)n;
      break;
    case OPT_RANDOM_SEED:
      status = read_count(o, r, s, 1, UINT64_MAX, &o->random_seed);
      break;
    case OPT_MAX_ENTRIES:
      status = read_count(o, r, s, 1, 1000000000, &n);
      o->max_entries = (size_t)n;
      break;
    case OPT_POINTS:
      o->points = s;
      break;
    case OPT_DO:
      status = read_word(o, r, s, ad_batch_tasks, &word);
      o->task = (ad_batch_task)word;
      break;
    case OPT_REDUCE:
      status = read_word(o, r, s, folds, &word);
      o->reduce = (ad_fold_kind)(AD_FOLD_SUM + word);
      break;
    case OPT_SHARD:
      o->shard = s;
      break;
    case OPT_LIST:
      o->list = s;
      break;
    case OPT_TIMEOUT: {
      char *end;
      o->timeout = strtod(s, &end);
      if (*end || end == s || !(o->timeout > 0 && o->timeout < 1e9))
        status = usage_error(o, "--timeout wants a number of seconds, not '%s'", s);
      break;
    }
    case OPT_NO_TIME:
      o->no_time = true;
      break;
    case OPT_THREADS:
      status = read_count(o, r, s, 1, AD_TEAM_MOST, &n);
      o->threads = (unsigned)n;
      break;
    case OPT_QUIET:
      o->quiet = true;
      break;
    case OPT_MAX_NODES:
      status = read_count(o, r, s, 1, UINT32_MAX - 1, &o->limits.max_nodes);
      break;
    case OPT_MAX_ELEMENTS:
      status = read_count(o, r, s, 1, UINT32_MAX - 1, &o->limits.max_elements);
      break;
    case OPT_MAX_MEMORY:
      status = read_count(o, r, s, 1, UINT64_MAX >> 20, &n);
      o->limits.max_bytes = n << 20;
      break;
    case OPT_MAX_PRECISION:
      status = read_count(o, r, s, 2, 1000000000, &n);
      o->limits.max_precision = (uint32_t)n;
      break;
    case OPT_MAX_YAML_DEPTH:
      status = read_count(o, r, s, 1, 10000, &n);
      o->limits.max_yaml_depth = (uint32_t)n;
      break;
    case OPT_MAX_EXPR_DEPTH:
      status = read_count(o, r, s, 1, 10000, &n);
      o->limits.max_expr_depth = (uint32_t)n;
      break;
    case OPT_MAX_SCALAR:
      status = read_count(o, r, s, 1, UINT32_MAX - 1, &n);
      o->limits.max_scalar = (uint32_t)n;
      break;
    case OPT_HELP:
      o->help = true;
      break;
    case OPT_COUNT:
      break;
  }
  return status;
}

/* One word that starts with a dash; *used says how many words it took. */
static int parse_option(options *o, const command *c, char **argv, int left, int *used) {
  const char *word = argv[0] + 1 + (argv[0][1] == '-'), *equals = strchr(word, '=');
  size_t length = equals && argv[0][1] == '-' ? (size_t)(equals - word) : strlen(word);
  const option_row *r = NULL;
  for (size_t i = 0; i < OPT_COUNT && !r; i++) {
    const char *name = argv[0][1] == '-' ? rows[i].name : rows[i].letter;
    if (name && strlen(name) == length && !strncmp(name, word, length)) r = &rows[i];
  }
  char known[64];
  snprintf(known, sizeof known, "%.*s", (int)(length < 60 ? length : 60), word);
  if (!r || !takes(c, r->id))
    return argv[0][1] == '-' ? unknown(o, c, known) : usage_error(o, "unknown option -%s", known);
  *used = 1;
  const char *value = equals && argv[0][1] == '-' ? equals + 1 : NULL;
  if (!r->argument && value) return usage_error(o, "--%s takes no value", r->name);
  if (r->argument && !value) {
    if (left < 2) return usage_error(o, "--%s wants a value: %s", r->name, option_usage(r->id));
    value = argv[1];
    *used = 2;
  }
  if (o->given[r->id] && !repeats(r->id)) return usage_error(o, "--%s stands twice; it takes one value", r->name);
  o->given[r->id] = true;
  return set(o, c, r, value);
}

void options_clear(options *o) {
  ad_free(o->at);
  ad_free(o->bind);
  ad_free(o->direction);
  ad_free(o->mixed);
  ad_free(o->weight);
  ad_free(o->wrt);
  ad_free(o->file);
}

/* Within the limit, which may stand behind it. */
static int read_precision(options *o) {
  uint64_t n;
  if (!o->precision_text) return 0;
  const int status =
      read_limited(o, &rows[OPT_PRECISION], o->precision_text, 2, o->limits.max_precision, " (--max-precision)", &n);
  o->precision = (uint32_t)n;
  return status;
}

int check_digits(const options *o, output_format format, bool doubles) {
  if (!o->digits || !doubles || (format != FORMAT_NPY && format != FORMAT_NPZ)) return 0;
  return usage_error(o, "--digits would do nothing here: --format %s holds doubles as they are", formats[format]);
}

/* Contradictions and gaps that one option alone does not show. */
static int check_together(options *o, const command *c) {
  bool mpfr = o->backend && ad_backend_kind(o->backend) == AD_KIND_MPFR;
  if (o->help) return 0;
  int status = read_precision(o);
  if (status) return status;
  if (o->precision && o->digits) return usage_error(o, "--precision and --digits exclude each other");
  if (o->precision && !mpfr) return usage_error(o, "--precision is for --backend mpfr; double has 53 bits");
  if (o->digits > 17 && (c->formats & FORMAT_BIT(FORMAT_NDJSON)))
    return usage_error(o, "%s gives doubles, which have 17 digits at most; --precision computes with more bits",
                       c->name);
  if ((status = check_digits(o, o->format, !mpfr || (c->formats & FORMAT_BIT(FORMAT_NDJSON))))) return status;
  if (o->digits > 17 && !mpfr) return usage_error(o, "double has 17 digits at most; use --backend mpfr for more");
  if (o->backend && !o->mode && !mpfr) o->mode = ad_backend_mode(o->backend); /* the only one that it has */
  if (o->backend && !ad_backend_supports(o->backend, o->mode))
    return usage_error(o, "the backend '%s' has no %s mode", ad_backend_name(o->backend),
                       o->mode == AD_MODE_FORWARD ? "forward" : "reverse");
  if (o->format != FORMAT_TEXT && o->format != FORMAT_JSON && o->file_count > 1 &&
      !(c->formats & FORMAT_BIT(FORMAT_NDJSON)))
    return usage_error(o, "--format %s holds the result of one graph: give them one by one", formats[o->format]);
  if (o->seed && !o->output) return usage_error(o, "--seed wants --output NAME: the output whose elements it weighs");
  if (o->file_count < c->min_files)
    return usage_error(o, "%s wants %s; see `adtool help %s`", c->name, c->arguments, c->name);
  if (o->file_count > c->max_files)
    return usage_error(o, "%s takes %s, not '%s'", c->name, c->arguments, o->file[c->max_files]);
  return 0;
}

void options_start(options *o, int argc, char **argv) {
  *o = (options){.limits = ad_limits_resolve(NULL), .task = AD_BATCH_GRAD};
  for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
    const bool apart = !strcmp(argv[i], "--format") && i + 1 < argc;
    const char *word = apart ? argv[i + 1] : !strncmp(argv[i], "--format=", 9) ? argv[i] + 9 : "";
    if (!strcmp(word, "json") || !strcmp(word, "ndjson")) o->format = FORMAT_JSON;
  }
}

int options_parse(options *o, const command *c, int argc, char **argv) {
  o->at = ad_calloc((size_t)argc + 1, sizeof *o->at);
  o->bind = ad_calloc((size_t)argc + 1, sizeof *o->bind);
  o->direction = ad_calloc((size_t)argc + 1, sizeof *o->direction);
  o->weight = ad_calloc((size_t)argc + 1, sizeof *o->weight);
  o->wrt = ad_calloc((size_t)argc + 1, sizeof *o->wrt);
  o->mixed = ad_calloc((size_t)argc + 1, sizeof *o->mixed);
  o->file = ad_calloc((size_t)argc + 1, sizeof *o->file);
  if (!o->at || !o->bind || !o->direction || !o->weight || !o->wrt || !o->mixed || !o->file) return out_of_memory(o);
  bool only_files = false;
  int status = 0, used = 1;
  for (int i = 0; !status && i < argc; i += used) {
    used = 1;
    if (only_files || argv[i][0] != '-' || !argv[i][1])
      o->file[o->file_count++] = argv[i];
    else if (!strcmp(argv[i], "--"))
      only_files = true;
    else
      status = parse_option(o, c, argv + i, argc - i, &used);
  }
  if (!o->given[OPT_FORMAT]) o->format = FORMAT_TEXT; /* what options_start saw was another option's value */
  return status ? status : check_together(o, c);
}
