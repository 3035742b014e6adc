/* Jacobians: a plan of seeds, sweeps and places to read entries from, made once; a run is the values and those sweeps.
 * Compressed, columns of one colour share a tangent and rows of one colour an adjoint (Griewank and Walther, Evaluating
 * Derivatives, 2nd ed., chapter 8). */
#include <string.h>

#include "backends/backend.h"
#include "derive/colour.h"
#include "derive/sparsity.h"
#include "error.h"
#include "exec/careful.h"
#include "exec/workspace.h"
#include "mem.h"

/* The sweeps of one mode.  A line is a column (forward) or a row (reverse), a cross line the other. */
typedef struct pass {
  size_t colours;   /* tangents or adjoints; 0: the mode is not used */
  ad_bundle bundle; /* so many of them at once */
  size_t groups;    /* sweeps */
  bool seeded;      /* has run before */
  size_t *seed_of;  /* groups + 1: where each sweep's seeds start */
  size_t *seed;     /* numbers of the bundle to be 1 */
  size_t *entry_of; /* groups + 1: where the entries that each sweep gives start; NULL: all lines of the sweep whole */
  size_t *from, *to;
} pass;

struct ad_jacobian {
  const ad_program *p;
  ad_workspace *w;
  size_t rows, columns;
  uint32_t *row_at, *column_at; /* offsets in the program's buffer; AD_ABSENT: a row that depends on nothing */
  bool sparse, compressed;
  bool seeded;         /* the only sweep, a forward one, finds its seeds where the last run left them */
  ad_sparsity pattern; /* where compressed or sparse */
  pass forward, reverse;
  void *value; /* a plane */
  size_t value_count;
};

/* ---- What sweeps cost, in operations of the program */

typedef struct cost_count {
  double scalars; /* elementwise operations, counted by elements, */
  double kernels; /* and the work of the others */
} cost_count;

static cost_count count_cost(const ad_program *p) {
  cost_count c = {0, 0};
  for (size_t i = 0; i < p->block_count; i++) {
    const ad_block *b = &p->block[i];
    if (b->kind == AD_BLOCK_FUSED) {
      c.scalars += (double)b->count * b->step;
    } else if (b->kind == AD_BLOCK_RUNS) {
      c.scalars += p->step[b->step].size;
    } else if (b->kind == AD_BLOCK_KERNEL) {
      const ad_step *s = &p->step[b->step];
      c.kernels += s->size;
      for (uint32_t k = 0; k < s->operand_count; k++) c.kernels += p->operand[s->operand + k].size;
      if (s->kernel == AD_KERNEL_MATMUL)
        c.kernels += (double)s->u.product.batch * s->u.product.m * s->u.product.k * s->u.product.n;
    } else {
      c.scalars += b->count;
    }
  }
  return c;
}

/* A sweep reads each partial once and adds to one (forward) or both (reverse) arguments' lanes; in MPFR a partial is
 * computed once a sweep, and a sweep backwards has one lane.  Structured operations see one lane at a time. */
static double sweep_cost(const ad_jacobian *j, cost_count c, size_t colours, bool forward) {
  if (!colours) return 0;
  const ad_engine *engine = j->w->engine;
  const double width = engine->bundle_width(colours), sweeps = (double)((colours + (size_t)width - 1) / (size_t)width);
  const bool f64 = engine->kind == AD_KIND_F64;
  const double shared = f64       ? forward ? 1 : 1.5
                        : forward ? 2
                                  : 0,
               each = f64       ? forward ? 0.125 : 0.25
                      : forward ? 1
                                : 3;
  return sweeps * (c.scalars * (shared + each * width) + c.kernels * width * (forward ? 1 : 2));
}

/* ---- Planning */

static ad_status list_elements(uint32_t **at, size_t *count, const ad_program *p, const ad_node *node, size_t nodes,
                               uint64_t size, ad_error *e) {
  if (size > UINT32_MAX) return ad_fail(e, AD_ELIMIT, "a Jacobian has %u rows or columns at most", UINT32_MAX);
  *count = (size_t)size;
  if (!(*at = ad_malloc(*count, sizeof **at))) return ad_fail_memory(e);
  size_t n = 0;
  for (size_t i = 0; i < nodes; i++) {
    const size_t elements = (size_t)ad_shape_size(ad_graph_node_shape(p->graph, node[i]));
    for (size_t k = 0; k < elements; k++)
      (*at)[n++] = p->active[node[i]] ? p->offset[node[i]] + (uint32_t)k : AD_ABSENT;
  }
  return AD_OK;
}

/* The seeds of a pass: line i has colour[i], or its own number where colour is NULL. */
static ad_status plan_seeds(pass *s, const uint32_t *at, size_t lines, const uint32_t *colour, ad_error *e) {
  const ad_bundle *b = &s->bundle;
  s->groups = (s->colours + b->width - 1) / b->width;
  s->seed_of = ad_calloc(s->groups + 2, sizeof *s->seed_of);
  s->seed = ad_malloc(lines, sizeof *s->seed);
  if (!s->seed_of || !s->seed) return ad_fail_memory(e);
  for (int round = 0; round < 2; round++) { /* count, then fill: seed_of[g + 1] runs through group g's places */
    for (size_t i = 0; i < lines; i++) {
      const size_t c = colour ? colour[i] : i;
      if (c == AD_NO_COLOUR || at[i] == AD_ABSENT) continue;
      const size_t g = c / b->width;
      if (!round)
        s->seed_of[g + 2]++;
      else
        s->seed[s->seed_of[g + 1]++] = (size_t)at[i] * b->element + (c % b->width) * b->lane;
    }
    for (size_t g = 0; !round && g < s->groups; g++) s->seed_of[g + 2] += s->seed_of[g + 1];
  }
  return AD_OK;
}

static void free_pass(pass *s) {
  ad_free(s->bundle.number);
  ad_free(s->bundle.seed);
  ad_free(s->seed_of);
  ad_free(s->seed);
  ad_free(s->entry_of);
  ad_free(s->from);
  ad_free(s->to);
}

/* Which pass gives an entry, by which colour, and where it is read. */
static pass *source_of(ad_jacobian *j, const ad_colouring *c, size_t row, uint32_t column, size_t *colour,
                       uint32_t *at) {
  const bool by_column = ad_colour_takes_column(c, row, column);
  *colour = by_column ? c->column[column] : c->row[row];
  *at = by_column ? j->row_at[row] : j->column_at[column];
  return by_column ? &j->forward : &j->reverse;
}

/* Where each entry of the structure comes from, for each sweep in turn. */
static ad_status plan_entries(ad_jacobian *j, const ad_colouring *c, ad_error *e) {
  const ad_sparsity *s = &j->pattern;
  pass *const both[2] = {&j->forward, &j->reverse};
  for (int k = 0; k < 2; k++)
    if (!(both[k]->entry_of = ad_calloc(both[k]->groups + 2, sizeof(size_t)))) return ad_fail_memory(e);
  size_t colour;
  uint32_t at;
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < s->rows; i++)
      for (size_t k = s->start[i]; k < s->start[i + 1]; k++) {
        pass *from = source_of(j, c, i, s->column[k], &colour, &at);
        const ad_bundle *b = &from->bundle;
        const size_t g = colour / b->width;
        if (!round) {
          from->entry_of[g + 2]++;
          continue;
        }
        const size_t n = from->entry_of[g + 1]++;
        from->from[n] = (size_t)at * b->element + (colour % b->width) * b->lane;
        from->to[n] = j->sparse ? k : i * j->columns + s->column[k];
      }
    for (int k = 0; !round && k < 2; k++) {
      pass *q = both[k];
      for (size_t g = 0; g < q->groups; g++) q->entry_of[g + 2] += q->entry_of[g + 1];
      const size_t n = q->entry_of[q->groups + 1];
      q->from = ad_malloc(n, sizeof *q->from);
      q->to = ad_malloc(n, sizeof *q->to);
      if (!q->from || !q->to) return ad_fail_memory(e);
    }
  }
  return AD_OK;
}

/* The fewest colours that columns alone, or rows alone, can do with. */
static size_t least_colours(const ad_sparsity *s, ad_colour_kind kind, size_t *room) {
  size_t most = 0;
  if (kind == AD_COLOUR_BOTH) return 0;
  if (kind == AD_COLOUR_ROWS) memset(room, 0, s->columns * sizeof *room);
  for (size_t i = 0; i < s->rows; i++) {
    if (kind == AD_COLOUR_COLUMNS && s->start[i + 1] - s->start[i] > most) most = s->start[i + 1] - s->start[i];
    for (size_t k = s->start[i]; kind == AD_COLOUR_ROWS && k < s->start[i + 1]; k++)
      if (++room[s->column[k]] > most) most = room[s->column[k]];
  }
  return most;
}

/* One kind of colouring, kept in *best where it costs less than *least. */
static ad_status try_kind(ad_jacobian *j, ad_colouring *best, double *least, cost_count c, ad_colour_kind kind,
                          ad_error *e) {
  size_t *room = ad_malloc(j->columns, sizeof *room);
  if (!room) return ad_fail_memory(e);
  const size_t fewest = least_colours(&j->pattern, kind, room);
  ad_free(room);
  if (sweep_cost(j, c, fewest, kind == AD_COLOUR_COLUMNS) >= *least && fewest) return AD_OK;
  ad_colouring next = {0};
  ad_status s = ad_colour(&next, &j->pattern, kind, e);
  if (s) return s;
  const double cost = sweep_cost(j, c, next.column_colours, true) + sweep_cost(j, c, next.row_colours, false);
  if (cost >= *least) {
    ad_colouring_clear(&next);
    return AD_OK;
  }
  *least = cost;
  ad_colouring_clear(best);
  *best = next;
  j->compressed = true;
  j->forward.colours = next.column_colours;
  j->reverse.colours = next.row_colours;
  return AD_OK;
}

/* Lines of one mode, one by one: a colouring with a colour each. */
static ad_status colour_singly(ad_jacobian *j, ad_colouring *c, bool columns, ad_error *e) {
  const size_t n = columns ? j->columns : j->rows;
  uint32_t *colour = ad_malloc(n, sizeof *colour);
  if (!colour) return ad_fail_memory(e);
  for (size_t i = 0; i < n; i++) colour[i] = (uint32_t)i;
  if (columns)
    *c = (ad_colouring){.kind = AD_COLOUR_COLUMNS, .column_colours = (uint32_t)n, .column = colour};
  else
    *c = (ad_colouring){.kind = AD_COLOUR_ROWS, .row_colours = (uint32_t)n, .row = colour};
  return AD_OK;
}

static double number_bytes(const ad_jacobian *j) {
  return j->w->engine->kind == AD_KIND_F64 ? 8 : 32 + j->w->options.precision / 8.0;
}

/* The cheapest that the mode allows: lines one by one, or a colouring.  Where one sweep takes all lines, the structure
 * is not asked for; nor is it needed where the result is dense and it would be too large. */
static ad_status choose(ad_jacobian *j, ad_colouring *best, ad_mode mode, ad_error *e) {
  const cost_count c = count_cost(j->p);
  const double forward = sweep_cost(j, c, j->columns, true), reverse = sweep_cost(j, c, j->rows, false);
  const bool columns = (mode == AD_MODE_FORWARD || forward <= reverse) && mode != AD_MODE_REVERSE;
  const size_t lines = columns ? j->columns : j->rows;
  double least = columns ? forward : reverse;
  j->forward.colours = columns ? lines : 0;
  j->reverse.colours = columns ? 0 : lines;
  if (!j->sparse && lines <= j->w->engine->bundle_width(lines)) return AD_OK;
  ad_status s = ad_sparsity_jacobian_for(&j->pattern, j->p, number_bytes(j) + AD_ENTRY_LISTS, e);
  if (s == AD_ELIMIT && !j->sparse) return AD_OK;
  static const ad_colour_kind kinds[] = {AD_COLOUR_BOTH, AD_COLOUR_COLUMNS, AD_COLOUR_ROWS};
  for (size_t k = 0; !s && k < sizeof kinds / sizeof kinds[0]; k++) {
    if (mode == AD_MODE_FORWARD && kinds[k] != AD_COLOUR_COLUMNS) continue;
    if (mode == AD_MODE_REVERSE && kinds[k] != AD_COLOUR_ROWS) continue;
    s = try_kind(j, best, &least, c, kinds[k], e);
    if (s == AD_ELIMIT) s = AD_OK; /* too many colours to be of use */
  }
  if (s || j->compressed) return s;
  if (j->sparse) return colour_singly(j, best, columns, e);
  ad_sparsity_clear(&j->pattern);
  return AD_OK;
}

/* Values, and bundles where their widths are known. */
static ad_status check_size(const ad_jacobian *j, ad_error *e) {
  const ad_limits *l = ad_graph_limits(j->p->graph);
  const double lanes = (double)j->forward.bundle.width + j->reverse.bundle.width;
  const double bytes = number_bytes(j) * ((double)j->value_count + (double)j->p->size * lanes);
  if (bytes <= (double)l->max_bytes) return AD_OK;
  return ad_fail(e, AD_ELIMIT, "this Jacobian needs %.0f MiB of memory, above the limit of %llu MiB (--max-memory)",
                 bytes / 0x1p20, (unsigned long long)(l->max_bytes >> 20));
}

static ad_status open_pass(const ad_jacobian *j, pass *s, ad_error *e) {
  return s->bundle.width ? j->w->engine->bundle_open(j->w, &s->bundle, e) : AD_OK;
}

static ad_status plan(ad_jacobian *j, ad_mode mode, ad_error *e) {
  const ad_program *p = j->p;
  const ad_engine *engine = j->w->engine;
  ad_colouring c = {0};
  ad_status s = list_elements(&j->row_at, &j->rows, p, p->output, p->output_count, ad_program_output_size(p), e);
  if (!s) s = list_elements(&j->column_at, &j->columns, p, p->wrt, p->wrt_count, ad_program_wrt_size(p), e);
  if (!j->sparse) j->value_count = j->rows * j->columns;
  if (!s) s = check_size(j, e); /* what is hopeless is refused before a structure is looked for */
  if (!s) s = choose(j, &c, mode, e);
  if (!s) {
    if (j->forward.colours) j->forward.bundle.width = engine->bundle_width(j->forward.colours);
    if (j->reverse.colours) j->reverse.bundle.width = engine->bundle_width(j->reverse.colours);
    if (j->sparse) j->value_count = j->pattern.start[j->rows];
    s = check_size(j, e);
  }
  if (!s) s = open_pass(j, &j->forward, e);
  if (!s) s = open_pass(j, &j->reverse, e);
  if (!s && !(j->value = engine->plane(j->w, j->value_count))) s = ad_fail_memory(e);
  if (!s && j->forward.colours) s = plan_seeds(&j->forward, j->column_at, j->columns, c.column, e);
  if (!s && j->reverse.colours) s = plan_seeds(&j->reverse, j->row_at, j->rows, c.row, e);
  if (!s && (j->compressed || j->sparse)) s = plan_entries(j, &c, e);
  ad_colouring_clear(&c);
  return s;
}

ad_status ad_jacobian_new(ad_jacobian **out, const ad_program *p, const ad_backend *b, const ad_jacobian_options *o,
                          ad_error *e) {
  static const ad_jacobian_options none = {0};
  if (!o) o = &none;
  AD_GIVEN(out && p && o->mode <= AD_MODE_REVERSE, e);
  if (b && !ad_backend_supports(b, o->mode))
    return ad_fail(e, AD_EUSAGE, "the backend '%s' has no %s mode", b->name,
                   o->mode == AD_MODE_FORWARD ? "forward" : "reverse");
  ad_jacobian *j = ad_calloc(1, sizeof *j);
  if (!j) return ad_fail_memory(e);
  j->p = p;
  j->sparse = o->sparse;
  const ad_workspace_options w = {.precision = o->precision, .reverse = true};
  ad_status s = ad_workspace_new(&j->w, p, b ? b : ad_backend_find("tape"), &w, e);
  if (!s) s = plan(j, o->mode, e);
  if (s) {
    ad_jacobian_free(j);
    return s;
  }
  *out = j;
  return AD_OK;
}

void ad_jacobian_free(ad_jacobian *j) {
  if (!j) return;
  ad_workspace_free(j->w);
  ad_free(j->row_at);
  ad_free(j->column_at);
  ad_sparsity_clear(&j->pattern);
  free_pass(&j->forward);
  free_pass(&j->reverse);
  ad_free(j->value);
  ad_free(j);
}

/* ---- Running */

/* Number from[i] of the bundle to number to[i] of the result. */
static void move_numbers(ad_jacobian *j, const pass *s, const size_t *to, const size_t *from, size_t count) {
  if (j->w->engine->kind == AD_KIND_F64) {
    const double *number = s->bundle.number;
    double *value = j->value;
    for (size_t i = 0; i < count; i++) value[to[i]] = number[from[i]];
    return;
  }
  for (size_t i = 0; i < count; i++) j->w->engine->copy(j->w, j->value, to[i], s->bundle.number, from[i], 1);
}

/* All lines of sweep g whole: entry (line, cross) is where the cross line's element is in the line's lane. */
static void take_lines(ad_jacobian *j, const pass *s, size_t g, bool forward) {
  enum { PIECE = 128 };
  size_t to[PIECE], from[PIECE], n = 0;
  const ad_bundle *b = &s->bundle;
  const size_t first = g * b->width, last = first + b->width < s->colours ? first + b->width : s->colours;
  const size_t cross_lines = forward ? j->rows : j->columns;
  const uint32_t *at = forward ? j->row_at : j->column_at;
  for (size_t i = 0; i < cross_lines; i++) {
    if (at[i] == AD_ABSENT) continue; /* zero for good */
    for (size_t line = first; line < last; line++) {
      to[n] = forward ? i * j->columns + line : line * j->columns + i;
      from[n++] = at[i] * b->element + (line - first) * b->lane;
      if (n < PIECE) continue;
      move_numbers(j, s, to, from, n);
      n = 0;
    }
  }
  move_numbers(j, s, to, from, n);
}

static void set_seeds(const ad_jacobian *j, const pass *s, size_t g) {
  for (size_t i = s->seed_of[g]; i < s->seed_of[g + 1]; i++)
    j->w->engine->set(j->w, s->bundle.number, s->seed[i], 1, NULL);
}

static void zero_inputs(const ad_jacobian *j, const pass *s) {
  const ad_bundle *b = &s->bundle;
  if (b->lane == 1)
    j->w->engine->zero(j->w, b->number, 0, j->p->input_size * b->element);
  else
    for (size_t k = 0; k < b->width; k++) j->w->engine->zero(j->w, b->number, k * b->lane, j->p->input_size);
}

/* The seeds of one forward sweep alone stay where they are. */
static ad_status run_pass(ad_jacobian *j, pass *s, bool forward, ad_error *e) {
  const bool stays = forward && s->groups == 1;
  for (size_t g = 0; g < s->groups; g++) {
    if (!stays || !s->seeded) set_seeds(j, s, g);
    s->seeded = true;
    ad_status status = ad_careful_bundle(j->w, &s->bundle, forward, e);
    if (status) return status;
    if (s->entry_of)
      move_numbers(j, s, s->to + s->entry_of[g], s->from + s->entry_of[g], s->entry_of[g + 1] - s->entry_of[g]);
    else
      take_lines(j, s, g, forward);
    if (!stays) zero_inputs(j, s);
  }
  return AD_OK;
}

ad_status ad_jacobian_run(ad_jacobian *j, ad_error *e) {
  AD_GIVEN(j, e);
  ad_status s = ad_workspace_primal(j->w, e);
  if (!s) s = run_pass(j, &j->forward, true, e);
  if (!s) s = run_pass(j, &j->reverse, false, e);
  return s;
}

/* ---- Results */

ad_workspace *ad_jacobian_workspace(ad_jacobian *j) {
  return j ? j->w : NULL;
}

ad_span ad_jacobian_values(const ad_jacobian *j) {
  return j ? (ad_span){j->w->engine->kind, j->value_count, j->value} : (ad_span){0};
}

const ad_sparsity *ad_jacobian_sparsity(const ad_jacobian *j) {
  return j && j->sparse ? &j->pattern : NULL;
}

ad_jacobian_plan ad_jacobian_get_plan(const ad_jacobian *j) {
  if (!j) return (ad_jacobian_plan){0};
  return (ad_jacobian_plan){.rows = j->rows,
                            .columns = j->columns,
                            .compressed = j->compressed,
                            .tangents = j->forward.colours,
                            .adjoints = j->reverse.colours,
                            .tangents_at_once = j->forward.bundle.width,
                            .adjoints_at_once = j->reverse.bundle.width};
}
