#include "batch.h"

static int run(const options *o) {
  if (!o->points && !o->file_count && !o->list)
    return usage_error(o, "batch wants a GRAPH with --points, or graphs, folders or a --list of them");
  if (o->points && o->file_count != 1)
    return usage_error(o, "batch with --points takes one GRAPH; see `adtool help batch`");
  static const option_id of_graphs[] = {OPT_LIST, OPT_TIMEOUT, OPT_NO_TIME, OPT_COUNT};
  static const option_id of_check[] = {OPT_MIN_DIGITS, OPT_PROBES, OPT_RANDOM_SEED, OPT_MAX_ENTRIES, OPT_COUNT};
  int wrong = o->points ? options_unless(o, of_graphs, "graphs without --points") : 0;
  if (!wrong && o->task != AD_BATCH_CHECK) wrong = options_unless(o, of_check, "--do check");
  if (wrong) return wrong;
  if (o->shard) return o->points ? batch_points(o, &(ranks){0}) : batch_graphs(o);
  ranks r;
  int status = ranks_join(&r, o);
  if (status) return status;
  if (o->points)
    status = batch_points(o, &r);
  else if (r.size < 2)
    status = batch_graphs(o);
  else if (!r.rank)
    status = usage_error(o, "MPI's ranks share the rows of --points; for many graphs use --shard auto");
  ranks_leave(&r);
  return status;
}

static const option_id takes[] = {OPT_POINTS,         OPT_LIST,        OPT_TIMEOUT, OPT_NO_TIME,     OPT_DO,
                                  OPTIONS_OF_POINT,   OPT_WRT,         OPT_OUTPUT,  OPT_SEED,        OPT_MODE,
                                  OPTIONS_OF_NUMBERS, OPT_REDUCE,      OPT_FORMAT,  OPT_OUT,         OPT_SHARD,
                                  OPT_THREADS,        OPT_MIN_DIGITS,  OPT_PROBES,  OPT_RANDOM_SEED, OPT_MAX_ENTRIES,
                                  OPT_QUIET,          OPTIONS_OF_GRAPH};
const command command_batch = {
    "batch",
    "GRAPH|FOLDER...",
    "a graph at every row of a table, or many graphs",
    "With --points evaluates or differentiates the graph at every row of a table of points, on all processors.  The "
    "table is an "
    ".npy\n"
    "array [points, elements of all inputs in the file's order]; an .npz with an array [points, shape ...] for each "
    "input\n"
    "by its name; or CSV with a line of names, `x` for a scalar and `x[0,1]` for an element, then a line a point.  "
    "Inputs\n"
    "that an .npz or CSV leaves out keep the graph's value, or that of --at and --point.\n"
    "A row of the result is the outputs' elements; with --do grad each output's value is followed by its gradient, "
    "with\n"
    "--do hess also by its Hessian; with --do jac the outputs' elements are followed by the Jacobian; with\n"
    "--do check it is the verdict (in .npy: 0 pass, 1 fail, 2 undecided), digits, ulps, entries and how many agree.\n"
    "Derivatives are by the inputs in the order of --wrt, or else of the file.\n"
    "The results are .npy, CSV or ndjson, by --format or the output's name, in the order of the points.  What a row\n"
    "becomes depends on that row alone: the bits are the same for any number of threads and of parts.\n"
    "A run that was killed goes on where it was when it is started again, as far as its input is still the same.  "
    "With\n"
    "--shard it writes one part of many, for `adtool merge`; a part that is finished is not done again unless its "
    "input\n"
    "has changed.\n"
    "\n"
    "Without --points runs every graph that is named, lies in a FOLDER or stands in the --list, each at its own point, "
    "and\n"
    "writes a line of JSON for each, in order: graph, status (ok, error, crashed, timeout, memory), outputs or "
    "verdict,\n"
    "seconds.  Worker processes do them, so that a graph that crashes, never ends or takes all memory costs itself "
    "only.\n"
    "The exit status is 1 when a graph has no result or fails the check.",
    0,
    SIZE_MAX,
    takes,
    FORMAT_BIT(FORMAT_CSV) | FORMAT_BIT(FORMAT_NPY) | FORMAT_BIT(FORMAT_NDJSON),
    run};
