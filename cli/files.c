/* Commands that turn graph files into others: convert, fmt, hash. */
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "error.h"
#include "file.h"
#include "ir/ops.h"
#include "yaml/yaml.h"

static int load(ad_graph **g, const options *o, const char *path) {
  ad_error e = {0};
  return load_graph(g, o, path, &e) ? report(o, &e) : 0;
}

/* The format that a graph is written in. */
static const ad_format_info *format_of(const options *o) {
  const char *dot = o->to ? o->to : strrchr(o->out, '.');
  for (size_t i = 0; dot && i < ad_format_count(); i++)
    if (!strcmp(dot, o->to ? ad_format_get(i)->name : ad_format_get(i)->extension)) return ad_format_get(i);
  return NULL;
}

bool follows_policy(ad_op op) {
  const ad_op_info *row = ad_op_get(op);
  for (size_t i = 0; i < 3; i++)
    if (row->partial[i] && (strstr(row->partial[i], "KINK_") || strstr(row->partial[i], "TIE_"))) return true;
  return op == AD_OP_REDUCE_MAX || op == AD_OP_REDUCE_MIN;
}

/* Formats that are not adtool's own say nothing about kinks: others take what they like there. */
static int note_kinks(const options *o, const ad_graph *g) {
  const ad_format_info *f = format_of(o);
  const ad_kinks kinks = ad_graph_kinks(g);
  size_t count[AD_OP_COUNT] = {0}, kinds = 0;
  const ad_node *args;
  if (!f || f->lossless || !f->can_read) return 0;
  bool *needed = ad_calloc(ad_graph_node_count(g) + 1, sizeof *needed);
  if (!needed) return out_of_memory(o);
  for (size_t i = 0; i < ad_graph_output_count(g); i++) needed[ad_graph_output_node(g, i)] = true;
  for (ad_node n = (ad_node)ad_graph_node_count(g); n-- > 0;) {
    if (!needed[n]) continue;
    const ad_op op = ad_graph_node_op(g, n);
    if (follows_policy(op) || (op == AD_OP_POW && kinks.pow00_nan)) kinds += !count[op]++;
    for (size_t k = ad_graph_node_args(g, n, &args); k-- > 0;) needed[args[k]] = true;
  }
  ad_free(needed);
  ad_buffer b = {0};
  for (ad_op op = 0; op < AD_OP_COUNT; op++)
    if (count[op])
      ad_buffer_printf(&b, "%s%s (%zu node%s)", b.size ? ", " : "", ad_op_get(op)->name, count[op],
                       count[op] > 1 ? "s" : "");
  if (kinds && !b.failed)
    note(o, "%s keeps no policy for kinks: the derivative at those of %s is up to who reads the file", f->name, b.data);
  const int status = b.failed ? out_of_memory(o) : 0;
  ad_buffer_clear(&b);
  return status;
}

int save_graph(const options *o, const ad_graph *g) {
  ad_error e = {0};
  const ad_write_options w = {o->to, o->explicit_nodes, o->stored, o->binary};
  return ad_graph_save(g, o->out ? o->out : "-", &w, &e) ? report(o, &e) : note_kinks(o, g);
}

static int run_convert(const options *o) {
  ad_graph *g;
  ad_error e = {0};
  if (!o->out && !o->to) return usage_error(o, "convert wants -o FILE, or --to FORMAT for standard output");
  int status = load(&g, o, o->file[0]);
  if (status) return status;
  if (o->optimize) {
    ad_graph *whole = g;
    status = ad_graph_optimize(&g, whole, NULL, &e) ? report(o, &e) : 0;
    ad_graph_free(whole);
    if (status) return status;
  }
  status = save_graph(o, g);
  ad_graph_free(g);
  return status;
}

static const option_id convert_takes[] = {OPT_OUT,      OPT_TO,       OPT_STORED, OPT_BINARY,
                                          OPT_EXPLICIT, OPT_OPTIMIZE, OPT_QUIET,  OPTIONS_OF_GRAPH};
const command command_convert = {
    "convert",
    "GRAPH",
    "to another format",
    "Reads a graph in any format and writes it in the one that the output's name or --to says.\n"
    "With --optimize it has fewer nodes: see `adtool info --after common`.",
    1,
    1,
    convert_takes,
    0,
    run_convert};

/* Whether -o names the file that is read. */
static bool writes_itself(const options *o, const char *path) {
  struct stat from, to;
  if (o->in_place) return true;
  return o->out && strcmp(o->out, "-") && strcmp(path, "-") && !stat(path, &from) && !stat(o->out, &to) &&
         from.st_dev == to.st_dev && from.st_ino == to.st_ino;
}

/* No file loses its comments unless that is asked for; what goes elsewhere has none. */
static ad_status check_comments(const options *o, const char *path, const void *text, size_t size, ad_error *e) {
  int64_t line;
  if (o->drop_comments || o->check || !ad_yaml_sniff(text, size)) return AD_OK;
  ad_status s = ad_yaml_find_comment(text, size, &line, e);
  if (s || !line) return s;
  if (!writes_itself(o, path)) {
    note(o, "%s:%lld: comments are left out", strcmp(path, "-") ? path : "standard input", (long long)line);
    return AD_OK;
  }
  s = ad_fail(e, AD_EUSAGE, "the first comment stands here; comments would be lost: --drop-comments rewrites the file");
  ad_error_place(e, path, line, 0);
  return s;
}

static int format_one(const options *o, const char *path) {
  void *old, *text = NULL;
  size_t old_size, size = 0;
  ad_graph *g = NULL;
  ad_error e = {0};
  ad_write_options w = {.format = "yaml", .explicit_nodes = o->explicit_nodes};
  if (o->in_place && !strcmp(path, "-")) return usage_error(o, "--in-place wants a file, not standard input");
  if (ad_file_read(&old, &old_size, path, o->limits.max_bytes, &e)) return report(o, &e);
  if (o->in_place && !ad_yaml_sniff(old, old_size)) {
    ad_free(old);
    return usage_error(o, "%s is no YAML file; --in-place would turn it into one: use convert", path);
  }
  ad_status s = ad_graph_read(&g, old, old_size, strcmp(path, "-") ? path : "standard input", &o->limits, &e);
  if (!s) s = ad_graph_write(g, &text, &size, &w, &e);
  if (!s) s = check_comments(o, path, old, old_size, &e);
  bool same = !s && size == old_size && !memcmp(text, old, size);
  int status = 0;
  if (!s && o->check) {
    if (!same) printf("%s\n", path), status = EXIT_CHECK_FAILED;
  } else if (!s && o->in_place) {
    if (!same) s = ad_file_write(path, text, size, &e);
  } else if (!s) {
    s = ad_file_write(o->out ? o->out : "-", text, size, &e);
  }
  ad_graph_free(g);
  ad_free(text);
  ad_free(old);
  return s ? report(o, &e) : status;
}

static int run_fmt(const options *o) {
  int first = 0;
  if (o->in_place + o->check + (o->out != NULL) > 1)
    return usage_error(o, "--in-place, --check and --out exclude each other");
  if (o->file_count > 1 && !o->in_place && !o->check)
    return usage_error(o, "fmt of several files wants --in-place or --check");
  for (size_t i = 0; i < o->file_count; i++) {
    int status = format_one(o, o->file[i]);
    if (status && !first) first = status;
  }
  return first;
}

static const option_id fmt_takes[] = {OPT_OUT,      OPT_IN_PLACE,  OPT_DROP_COMMENTS, OPT_CHECK,
                                      OPT_EXPLICIT, OPT_MAX_NODES, OPT_COUNT};
const command command_fmt = {"fmt",
                             "GRAPH...",
                             "rewrites a YAML graph canonically",
                             "Writes a graph as canonical YAML: definitions in an order in which each comes after what "
                             "it needs, numbers in their\n"
                             "shortest exact form, the same infix for the same operations.  Names that only repeat "
                             "another are lost, and comments are:\n"
                             "a file that has any is rewritten with --drop-comments only.",
                             1,
                             SIZE_MAX,
                             fmt_takes,
                             0,
                             run_fmt};

static int run_hash(const options *o) {
  int first = 0;
  for (size_t i = 0; i < o->file_count; i++) {
    ad_graph *g;
    ad_error e = {0};
    char hex[65];
    int status = load(&g, o, o->file[i]);
    if (!status) {
      if (ad_graph_hash(g, hex, &e))
        status = report(o, &e);
      else
        printf("%s  %s\n", hex, o->file[i]);
      ad_graph_free(g);
    }
    if (status && !first) first = status;
  }
  return first;
}

static const option_id hash_takes[] = {OPTIONS_OF_GRAPH};
const command command_hash = {
    "hash",
    "GRAPH...",
    "a digest of the graph's content",
    "Prints the SHA-256 of the graph's canonical .adg form: the same for the same graph in any format.",
    1,
    SIZE_MAX,
    hash_takes,
    0,
    run_hash};
