/* A model (model.h) and what was kept of an earlier file, segment by segment. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "nl/meta.h"
#include "nl/model.h"
#include "nl/nl.h"

typedef struct writer {
  const ad_graph *g;
  ad_nl_model m;
  ad_nl_header head;
  ad_nl_put o;
  ad_nl_bound *variable_bound, *constraint_bound;
  bool *maximize;
  size_t *column_count;
  ad_error *e;
} writer;

/* ---- The header */

/* How a variable may be nonlinear, by where it stands: first those of both, then of constraints, then of objectives. */
static bool fits(const writer *w, size_t column) {
  const ad_nl_header *h = &w->head;
  const int64_t i = (int64_t)column;
  const bool constraints = i < h->variables_in_constraints,
             objectives =
                 i < h->variables_in_both || (i >= h->variables_in_constraints && i < h->variables_in_objectives);
  return (!(w->m.nonlinear[column] & AD_NL_IN_CONSTRAINTS) || constraints) &&
         (!(w->m.nonlinear[column] & AD_NL_IN_OBJECTIVES) || objectives);
}

/* The last row that is not linear, + 1. */
static int64_t nonlinear_rows(const writer *w, size_t first, size_t count) {
  while (count && !w->m.row[first + count - 1].nonlinear) count--;
  return (int64_t)count;
}

static bool sizes_fit(const writer *w) {
  const ad_nl_header *h = &w->head;
  bool fit = h->nonlinear_constraints >= nonlinear_rows(w, 0, w->m.constraints) &&
             h->nonlinear_constraints <= h->constraints && h->nonlinear_objectives <= h->objectives &&
             h->nonlinear_objectives >= nonlinear_rows(w, w->m.constraints, w->m.objectives) &&
             h->variables_in_constraints <= h->variables && h->variables_in_objectives <= h->variables &&
             h->variables_in_both <= h->variables;
  for (size_t i = 0; fit && i < w->m.columns; i++) fit = fits(w, i);
  return fit;
}

/* What is linear in truth may stand among what is not: so rows and variables keep their order. */
static void count_nonlinear(writer *w) {
  ad_nl_header *h = &w->head;
  int64_t end[4] = {0}; /* of each kind, and of both together */
  for (size_t i = 0; i < w->m.columns; i++)
    for (int kind = 1; kind < 4; kind++)
      if (w->m.nonlinear[i] & kind) end[kind] = (int64_t)i + 1;
  const bool both = end[AD_NL_IN_CONSTRAINTS] && end[AD_NL_IN_OBJECTIVES];
  h->nonlinear_constraints = nonlinear_rows(w, 0, w->m.constraints);
  h->nonlinear_objectives = nonlinear_rows(w, w->m.constraints, w->m.objectives);
  h->variables_in_both = both ? end[3] : 0;
  h->variables_in_constraints = both ? end[3] : end[AD_NL_IN_CONSTRAINTS];
  h->variables_in_objectives = both ? end[3] : end[AD_NL_IN_OBJECTIVES];
}

static int64_t longest_name(const writer *w, const char *const *keys) {
  size_t most = 0;
  for (; *keys; keys++)
    for (const char *s = ad_nl_meta(w->g, *keys); s && *s;) {
      const size_t n = strcspn(s, "\n");
      if (n > most) most = n;
      s += n + (s[n] == '\n');
    }
  return (int64_t)most;
}

static ad_status fill_header(writer *w) {
  static const char *const rows[] = {AD_NL_META_NAMES "con", AD_NL_META_NAMES "obj", NULL};
  static const char *const columns[] = {AD_NL_META_NAMES "x", NULL};
  ad_nl_header *h = &w->head;
  bool there;
  ad_status s = ad_nl_take_sizes(w->g, h, &there, w->e);
  if (s) return s;
  if (w->m.columns > INT32_MAX || w->m.scalars.count > INT32_MAX || w->m.terms > INT32_MAX)
    return ad_fail(w->e, AD_ELIMIT, "the graph is too large for .nl, whose counts have 32 bits");
  h->variables = (int64_t)w->m.columns;
  h->constraints = (int64_t)w->m.constraints;
  h->objectives = (int64_t)w->m.objectives;
  if (there && !sizes_fit(w)) {
    if (h->binary_variables || h->integer_variables || h->integer_in_both || h->integer_in_constraints ||
        h->integer_in_objectives || h->nonlinear_network || h->linear_network || h->network_variables)
      return ad_fail(w->e, AD_EINPUT,
                     "the metadata '" AD_NL_META_SIZES
                     "' does not fit the graph, in which something is nonlinear that "
                     "was linear; correct or remove it");
    there = false;
  }
  if (!there) count_nonlinear(w);
  for (size_t i = 0; w->constraint_bound && i < w->m.constraints; i++) {
    const ad_nl_bound *b = &w->constraint_bound[i];
    h->equations += !b->complement && b->low == b->high;
    h->ranges += !b->complement && b->low < b->high && isfinite(b->low) && isfinite(b->high);
  }
  for (size_t i = 0; i < w->m.constraints; i++) h->jacobian_nonzeros += (int64_t)w->m.row[i].terms;
  h->gradient_nonzeros = (int64_t)w->m.terms - h->jacobian_nonzeros;
  h->arithmetic = w->o.binary ? AD_NL_LITTLE_ENDIAN : 0;
  h->flags = 1; /* solvers may return suffixes */
  h->row_name = longest_name(w, rows);
  h->column_name = longest_name(w, columns);
  h->common_both = (int64_t)w->m.definitions;
  return AD_OK;
}

/* How many constraints complement a variable, linear and nonlinear. */
static void put_complements(writer *w) {
  int64_t count[2] = {0};
  for (size_t i = 0; w->constraint_bound && i < w->m.constraints; i++)
    if (w->constraint_bound[i].complement) count[(int64_t)i < w->head.nonlinear_constraints]++;
  if (count[0] + count[1]) ad_buffer_printf(w->o.b, " %lld %lld 0 0", (long long)count[0], (long long)count[1]);
}

static ad_status put_header(writer *w) {
  ad_buffer *b = w->o.b;
  const ad_nl_header *h = &w->head;
  const char *options = ad_nl_meta(w->g, AD_NL_META_OPTIONS), *name = ad_graph_name(w->g);
  if (!options || !*options) options = "3 1 1 0";
  if (options[strspn(options, "0123456789 .eE+-")] || *options < '0' || *options > '9')
    return ad_fail(w->e, AD_EINPUT, "the metadata '" AD_NL_META_OPTIONS "' is no list of numbers: '%s'", options);
  ad_buffer_printf(b, "%c%s\t# problem %s\n", w->o.binary ? 'b' : 'g', options,
                   *name && !strpbrk(name, " \t") ? name : "unknown");
#define X(field, what) ad_buffer_printf(b, " %lld", (long long)h->field);
  AD_NL_SIZES(X) ad_buffer_puts(b, "\n");
  AD_NL_NONLINEAR(X) put_complements(w);
  ad_buffer_puts(b, "\n");
  AD_NL_NETWORK(X) ad_buffer_puts(b, "\n");
  AD_NL_VARIABLES(X) ad_buffer_puts(b, "\n");
  AD_NL_OTHER(X) ad_buffer_puts(b, "\n");
  AD_NL_DISCRETE(X) ad_buffer_puts(b, "\n");
  AD_NL_NONZEROS(X) ad_buffer_puts(b, "\n");
  AD_NL_NAMES(X) ad_buffer_puts(b, "\n");
  AD_NL_COMMON(X) ad_buffer_puts(b, "\n");
#undef X
  return AD_OK;
}

/* ---- Segments */

/* A key with its numbers, on a line. */
static void put_segment(writer *w, char key, size_t count, const int64_t *numbers) {
  ad_nl_put_key(&w->o, key);
  for (size_t i = 0; i < count; i++) ad_nl_put_integer(&w->o, numbers[i]);
  ad_nl_put_line(&w->o);
}

static void put_pair(writer *w, int64_t index, double v) {
  ad_nl_put_integer(&w->o, index);
  ad_nl_put_real(&w->o, v);
  ad_nl_put_line(&w->o);
}

static ad_status put_suffix(writer *w, const char *key, const char *text) {
  const char *of = key + sizeof AD_NL_META_SUFFIX - 1, *name = strchr(of, '.');
  const size_t sizes[] = {w->m.columns, w->m.constraints, w->m.objectives, 1};
  int64_t kind = 0;
  bool whole = true;
  size_t count;
  ad_nl_entry *list;
  while (kind < 4 && !(name && strlen(ad_nl_suffix_of[kind]) == (size_t)(name - of) &&
                       !memcmp(ad_nl_suffix_of[kind], of, (size_t)(name - of))))
    kind++;
  if (kind == 4 || !name[1] || strpbrk(name, " \t\n"))
    return ad_fail(w->e, AD_EINPUT,
                   "the metadata '%s' is for no suffix: nl.suffix., x, con, obj or problem, and a name", key);
  ad_status s = ad_nl_take_entries(key, text, &list, &count, sizes[kind], w->e);
  if (s) return s;
  for (size_t i = 0; i < count; i++)
    whole = whole && fabs(list[i].value) <= INT32_MAX && list[i].value == floor(list[i].value);
  ad_nl_put_key(&w->o, 'S');
  ad_nl_put_integer(&w->o, kind | (whole ? 0 : AD_NL_SUFFIX_REAL));
  ad_nl_put_integer(&w->o, (int64_t)count);
  ad_nl_put_word(&w->o, name + 1, strlen(name + 1));
  ad_nl_put_line(&w->o);
  for (size_t i = 0; i < count; i++) {
    ad_nl_put_integer(&w->o, list[i].index);
    if (whole)
      ad_nl_put_integer(&w->o, (int64_t)list[i].value);
    else
      ad_nl_put_real(&w->o, list[i].value);
    ad_nl_put_line(&w->o);
  }
  ad_free(list);
  return AD_OK;
}

static ad_status put_suffixes(writer *w) {
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < ad_graph_meta_count(w->g); i++) {
    const char *key = ad_graph_meta_key(w->g, i);
    if (!strncmp(key, AD_NL_META_SUFFIX, sizeof AD_NL_META_SUFFIX - 1))
      s = put_suffix(w, key, ad_graph_meta_text(w->g, i));
  }
  return s;
}

static ad_status put_definitions(writer *w) {
  ad_status s = AD_OK;
  for (ad_node n = 0; !s && n < ad_graph_node_count(w->m.g); n++) {
    if (!w->m.defined[n]) continue;
    put_segment(w, 'V', 3, (int64_t[]){(int64_t)(w->m.columns + w->m.defined[n] - 1), 0, 0});
    s = ad_nl_put_definition(&w->o, &w->m, n, w->e);
  }
  return s;
}

static ad_status put_rows(writer *w) {
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < w->m.scalars.count; i++) {
    const int64_t k = (int64_t)(i - w->m.constraints);
    if (i < w->m.constraints)
      put_segment(w, 'C', 1, (int64_t[]){(int64_t)i});
    else
      put_segment(w, 'O', 2, (int64_t[]){k, w->maximize[k]});
    s = ad_nl_put_row(&w->o, &w->m, &w->m.row[i], w->e);
  }
  return s;
}

static ad_status put_dual(writer *w) {
  const char *text = ad_nl_meta(w->g, AD_NL_META_DUAL);
  ad_nl_entry *list;
  size_t count;
  if (!text) return AD_OK;
  ad_status s = ad_nl_take_entries(AD_NL_META_DUAL, text, &list, &count, w->m.constraints, w->e);
  if (s) return s;
  put_segment(w, 'd', 1, (int64_t[]){(int64_t)count});
  for (size_t i = 0; i < count; i++) put_pair(w, list[i].index, list[i].value);
  ad_free(list);
  return AD_OK;
}

static ad_status put_start(writer *w) {
  size_t count = 0;
  for (int pass = 0; pass < 2; pass++) {
    if (pass && count) put_segment(w, 'x', 1, (int64_t[]){(int64_t)count});
    for (ad_node n = 0; n < ad_graph_input_count(w->m.g); n++) {
      const ad_values v = ad_graph_node_values(w->m.g, n);
      const size_t first = w->m.first_column[n], size = (size_t)ad_shape_size(ad_graph_node_shape(w->m.g, n));
      if (first == SIZE_MAX || !v.count) continue;
      if (!pass) count += size;
      for (size_t i = 0; !pass && i < v.count; i++)
        if (isnan(v.value[i]))
          return ad_fail(w->e, AD_EINPUT, "the value of input '%s' has a nan, which .nl cannot hold",
                         ad_graph_node_name(w->m.g, n));
      for (size_t i = 0; pass && i < size; i++) put_pair(w, (int64_t)(first + i), v.value[v.count == 1 ? 0 : i]);
    }
  }
  return AD_OK;
}

static void put_bounds(writer *w, char key, const ad_nl_bound *v, size_t count) {
  static const ad_nl_bound free_ = {.low = -INFINITY, .high = INFINITY};
  put_segment(w, key, 0, NULL);
  for (size_t i = 0; i < count; i++) {
    const ad_nl_bound *b = v ? &v[i] : &free_;
    const bool low = b->low != -INFINITY, high = b->high != INFINITY;
    const char kind = b->complement ? '5' : b->low == b->high ? '4' : low && high ? '0' : high ? '1' : low ? '2' : '3';
    ad_nl_put_key(&w->o, kind);
    w->o.behind = true;
    if (kind == '5') {
      ad_nl_put_integer(&w->o, b->infinite);
      ad_nl_put_integer(&w->o, b->complement);
    } else {
      if (low) ad_nl_put_real(&w->o, b->low);
      if (high && kind != '4') ad_nl_put_real(&w->o, b->high);
    }
    ad_nl_put_line(&w->o);
  }
}

/* How many terms are in the columns up to each but the last, then the terms. */
static void put_linear(writer *w) {
  const size_t columns = w->m.columns;
  int64_t sum = 0;
  for (size_t i = 0; i < w->m.constraints; i++)
    for (size_t k = 0; k < w->m.row[i].terms; k++) w->column_count[w->m.term[w->m.row[i].term + k].column]++;
  if (w->m.constraints && columns) {
    put_segment(w, 'k', 1, (int64_t[]){(int64_t)columns - 1});
    for (size_t i = 0; i + 1 < columns; i++) {
      ad_nl_put_integer(&w->o, sum += (int64_t)w->column_count[i]);
      ad_nl_put_line(&w->o);
    }
  }
  for (size_t i = 0; i < w->m.scalars.count; i++) {
    const ad_nl_row *r = &w->m.row[i];
    const bool constraint = i < w->m.constraints;
    if (!r->terms) continue;
    put_segment(w, constraint ? 'J' : 'G', 2,
                (int64_t[]){(int64_t)(constraint ? i : i - w->m.constraints), (int64_t)r->terms});
    for (size_t k = 0; k < r->terms; k++)
      put_pair(w, (int64_t)w->m.term[r->term + k].column, w->m.term[r->term + k].coefficient);
  }
}

static ad_status write_all(writer *w) {
  w->maximize = ad_calloc(w->m.objectives, sizeof *w->maximize);
  w->column_count = ad_calloc(w->m.columns, sizeof *w->column_count);
  if (!w->maximize || !w->column_count) return ad_fail_memory(w->e);
  ad_status s = ad_nl_take_bounds(w->g, AD_NL_META_VARIABLES, &w->variable_bound, w->m.columns, w->e);
  if (!s) s = ad_nl_take_bounds(w->g, AD_NL_META_CONSTRAINTS, &w->constraint_bound, w->m.constraints, w->e);
  if (!s) s = ad_nl_take_senses(w->g, w->maximize, w->m.objectives, w->e);
  if (!s) s = fill_header(w);
  if (!s) s = put_header(w);
  if (!s) s = put_suffixes(w);
  if (!s) s = put_definitions(w);
  if (!s) s = put_rows(w);
  if (!s) s = put_dual(w);
  if (!s) s = put_start(w);
  if (s) return s;
  if (w->m.constraints) put_bounds(w, 'r', w->constraint_bound, w->m.constraints);
  put_bounds(w, 'b', w->variable_bound, w->m.columns);
  put_linear(w);
  return AD_OK;
}

ad_status ad_nl_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e) {
  writer w = {.g = g, .o = {.b = out, .binary = o->binary}, .e = e};
  ad_status s = ad_nl_model_make(&w.m, g, e);
  if (s) return s;
  s = write_all(&w);
  void *parts[] = {w.variable_bound, w.constraint_bound, w.maximize, w.column_count};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  ad_nl_model_clear(&w.m);
  return s;
}

/* ---- Names beside the file */

/* Whether there are constraints: outputs that are no scalars. */
static bool constrained(const ad_graph *g) {
  for (size_t i = 0; i < ad_graph_output_count(g); i++)
    if (ad_graph_node_shape(g, ad_graph_output_node(g, i))->rank) return true;
  return false;
}

static void put_names(ad_buffer *b, const char *names) {
  if (!names || !*names) return;
  ad_buffer_puts(b, names);
  ad_buffer_puts(b, "\n");
}

/* A file of names that is there already would name what it does not belong to: it is replaced or removed. */
static ad_status save_names(const ad_graph *g, const char *stub, size_t length, const char *extension, ad_error *e) {
  const bool rows = extension[1] == 'r';
  const char *names = ad_nl_meta(g, rows ? AD_NL_META_NAMES "con" : AD_NL_META_NAMES "x");
  ad_buffer text = {0};
  put_names(&text, names);
  if (rows && (names || !constrained(g))) put_names(&text, ad_nl_meta(g, AD_NL_META_NAMES "obj"));
  char *path = ad_malloc(length + 5, 1);
  ad_status s = text.failed || !path ? ad_fail_memory(e) : AD_OK;
  if (!s) {
    sprintf(path, "%.*s%s", (int)length, stub, extension);
    s = ad_file_write_companion(path, text.data, text.size, e);
  }
  ad_free(path);
  ad_buffer_clear(&text);
  return s;
}

ad_status ad_nl_save_names(const ad_graph *g, const char *path, ad_error *e) {
  const size_t n = strlen(path);
  if (n < 3 || strcmp(path + n - 3, ".nl") != 0) return AD_OK;
  ad_status s = save_names(g, path, n - 3, ".col", e);
  return s ? s : save_names(g, path, n - 3, ".row", e);
}
