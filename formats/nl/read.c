/* From segments to a graph.
 *
 * The linear parts of all constraints together are one product, scatter_add(bodies, x[columns] * coefficients, rows):
 * four nodes however many terms there are, added in the file's order.  Objectives and defined variables have few terms
 * as a rule: those become scalars, or an inner product (ad_nl_add_terms). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "ir/graph.h"
#include "ir/number.h"
#include "nl/build.h"
#include "nl/meta.h"
#include "nl/nl.h"

typedef struct reader {
  ad_nl_build b;
  ad_node *body, *objective; /* of each constraint and objective; AD_NO_NODE: no segment yet */
  bool *row_seen, *gradient_seen;
  char *sense;
  ad_nl_bound *variable_bound, *constraint_bound;
  bool bounds_seen, ranges_seen, dual_seen, start_seen, columns_seen;
  int64_t row_terms, gradient_terms; /* in J and G, zeros as well */
  double *start;
  bool *started;             /* which variables the x segment speaks of */
  size_t count, capacity[3]; /* linear terms of constraints, as they come: */
  int64_t *row, *column;
  double *coefficient;
} reader;

static size_t variables(const reader *r) {
  return (size_t)r->b.head.variables;
}

static size_t constraints(const reader *r) {
  return (size_t)r->b.head.constraints;
}

static size_t objectives(const reader *r) {
  return (size_t)r->b.head.objectives;
}

static ad_status index_of(reader *r, size_t count, const char *what, int64_t *i) {
  return ad_nl_integer(&r->b.scan, 0, (int64_t)count - 1, what, i);
}

static ad_status twice(const reader *r, char segment) {
  return ad_nl_fail(&r->b.scan, "the segment %c is there twice", segment);
}

/* ---- Segments */

static ad_status read_constraint(reader *r) {
  int64_t i;
  ad_status s = index_of(r, constraints(r), "a constraint's index", &i);
  if (!s && r->body[i] != AD_NO_NODE) s = ad_nl_fail(&r->b.scan, "the constraint C%lld is there twice", (long long)i);
  return s ? s : ad_nl_expression(&r->b, &r->body[i]);
}

static ad_status read_objective(reader *r) {
  int64_t i, sense;
  ad_status s = index_of(r, objectives(r), "an objective's index", &i);
  if (!s && r->objective[i] != AD_NO_NODE)
    s = ad_nl_fail(&r->b.scan, "the objective O%lld is there twice", (long long)i);
  if (!s) s = ad_nl_integer(&r->b.scan, 0, 1, "an objective's sense (0: minimize, 1: maximize)", &sense);
  if (s) return s;
  r->sense[i] = (char)sense;
  return ad_nl_expression(&r->b, &r->objective[i]);
}

/* `count` terms into b->term. */
static ad_status read_terms(reader *r, size_t count, size_t columns) {
  ad_nl_build *b = &r->b;
  if (!ad_reserve(&b->term, &b->term_capacity, count, sizeof *b->term)) return ad_fail_memory(b->scan.e);
  ad_status s = AD_OK;
  for (size_t k = 0; !s && k < count; k++) {
    s = index_of(r, columns, "a variable's index", &b->term[k].column);
    if (!s) s = ad_nl_real(&b->scan, &b->term[k].coefficient);
  }
  return s;
}

static ad_status read_defined(reader *r) {
  ad_nl_build *b = &r->b;
  const int64_t first = b->head.variables;
  int64_t i, user;
  size_t count;
  ad_node n;
  if (!b->head.defined) return ad_nl_fail(&b->scan, "a V segment, but the header speaks of no common expressions");
  ad_status s = ad_nl_integer(&b->scan, first, first + b->head.defined - 1, "a defined variable's index", &i);
  if (!s && b->variable[i] != AD_NO_NODE)
    s = ad_nl_fail(&b->scan, "the defined variable V%lld is there twice", (long long)i);
  if (!s) s = ad_nl_count(&b->scan, 4, "the number of terms", &count);
  if (!s) /* 0: several; else the one constraint or objective that uses it, which is nothing that a graph needs to know
           */
    s = ad_nl_integer(&b->scan, 0, INT32_MAX, "the user of a defined variable", &user);
  if (!s) s = read_terms(r, count, (size_t)i);
  for (size_t k = 0; !s && k < count; k++)
    if (b->term[k].column >= first) s = ad_nl_variable(b, &n, (size_t)b->term[k].column); /* defined by now? */
  if (!s) s = ad_nl_expression(b, &n);
  return s ? s : ad_nl_add_terms(b, &b->variable[i], n, count);
}

static ad_status reserve_terms(reader *r, size_t count) {
  if (!ad_reserve(&r->row, &r->capacity[0], count, sizeof *r->row) ||
      !ad_reserve(&r->column, &r->capacity[1], count, sizeof *r->column) ||
      !ad_reserve(&r->coefficient, &r->capacity[2], count, sizeof *r->coefficient))
    return ad_fail_memory(r->b.scan.e);
  return AD_OK;
}

static ad_status read_row(reader *r) {
  int64_t i;
  size_t count;
  ad_nl_build *b = &r->b;
  ad_status s = index_of(r, constraints(r), "a constraint's index", &i);
  if (!s && r->row_seen[i]) s = ad_nl_fail(&b->scan, "the row J%lld is there twice", (long long)i);
  if (!s) s = ad_nl_count(&b->scan, 4, "the number of terms", &count);
  if (s) return s;
  r->row_seen[i] = true;
  r->row_terms += (int64_t)count;
  s = reserve_terms(r, r->count + count);
  for (size_t k = 0; !s && k < count; k++) {
    r->row[r->count] = i;
    s = index_of(r, variables(r), "a variable's index", &r->column[r->count]);
    if (!s) s = ad_nl_real(&b->scan, &r->coefficient[r->count]);
    if (!s) r->count += r->coefficient[r->count] != 0; /* 0: the variable stands in the nonlinear part only */
  }
  return s;
}

static ad_status read_gradient(reader *r) {
  int64_t i;
  size_t count;
  ad_nl_build *b = &r->b;
  ad_status s = index_of(r, objectives(r), "an objective's index", &i);
  if (!s && r->gradient_seen[i]) s = ad_nl_fail(&b->scan, "the gradient G%lld is there twice", (long long)i);
  if (!s) s = ad_nl_count(&b->scan, 4, "the number of terms", &count);
  if (s) return s;
  r->gradient_seen[i] = true;
  r->gradient_terms += (int64_t)count;
  s = read_terms(r, count, variables(r));
  return s ? s : ad_nl_add_terms(b, &r->objective[i], r->objective[i], count);
}

/* The lines of b and r. */
static ad_status read_bounds(reader *r, ad_nl_bound *v, size_t count, bool complements) {
  ad_nl_scan *s = &r->b.scan;
  ad_status status = AD_OK;
  for (size_t i = 0; !status && i < count; i++) {
    v[i] = (ad_nl_bound){.low = -INFINITY, .high = INFINITY};
    const int kind = ad_nl_key(s);
    switch (kind) {
      case '0':
        status = ad_nl_real(s, &v[i].low);
        if (!status) status = ad_nl_real(s, &v[i].high);
        break;
      case '1':
        status = ad_nl_real(s, &v[i].high);
        break;
      case '2':
        status = ad_nl_real(s, &v[i].low);
        break;
      case '3':
        break;
      case '4':
        status = ad_nl_real(s, &v[i].low);
        v[i].high = v[i].low;
        break;
      case '5':
        if (complements) {
          status = ad_nl_integer(s, INT32_MIN, INT32_MAX, "which bounds are infinite", &v[i].infinite);
          v[i].infinite &= AD_NL_BOTH_INFINITE; /* AMPL's library looks at no other bit; old Pyomo writes 4 */
          if (!status) status = ad_nl_integer(s, 1, (int64_t)variables(r), "a variable, from 1", &v[i].complement);
          break;
        } /* fall through */
      default:
        status = kind < 0 ? ad_nl_fail(s, "the file ends within bounds")
                          : ad_nl_fail(s, "a kind of bound is expected here: 0 to %d", complements ? 5 : 4);
    }
  }
  return status;
}

static ad_status read_start(reader *r) {
  size_t count;
  int64_t i;
  double v;
  if (r->start_seen) return twice(r, 'x');
  r->start_seen = true;
  ad_status s = ad_nl_count(&r->b.scan, 4, "the number of values", &count);
  for (size_t k = 0; !s && k < count; k++) {
    s = index_of(r, variables(r), "a variable's index", &i);
    if (!s) s = ad_nl_real(&r->b.scan, &v);
    if (s) return s;
    r->start[i] = v;
    r->started[i] = true;
  }
  return s;
}

static ad_status read_dual(reader *r) {
  size_t count;
  int64_t i;
  double v;
  ad_buffer text = {0};
  if (r->dual_seen) return twice(r, 'd');
  r->dual_seen = true;
  ad_status s = ad_nl_count(&r->b.scan, 4, "the number of values", &count);
  for (size_t k = 0; !s && k < count; k++) {
    s = index_of(r, constraints(r), "a constraint's index", &i);
    if (!s) s = ad_nl_real(&r->b.scan, &v);
    if (!s) ad_nl_put_entry(&text, i, v);
  }
  if (!s && text.failed) s = ad_fail_memory(r->b.scan.e);
  if (!s) s = ad_graph_set_meta(r->b.g, AD_NL_META_DUAL, text.data ? text.data : "", r->b.scan.e);
  ad_buffer_clear(&text);
  return s;
}

static ad_status read_suffix(reader *r) {
  ad_nl_scan *scan = &r->b.scan;
  const size_t sizes[] = {variables(r), constraints(r), objectives(r), 1};
  int64_t kind, i, whole;
  size_t count, length;
  const char *word;
  double v;
  char key[AD_MAX_NAME + 1];
  ad_status s = ad_nl_integer(scan, 0, AD_NL_SUFFIX_KIND | AD_NL_SUFFIX_REAL, "the kind of a suffix", &kind);
  if (!s) s = ad_nl_count(scan, 4, "the number of values", &count);
  if (!s) s = ad_nl_word(scan, &word, &length);
  if (s) return s;
  const char *of = ad_nl_suffix_of[kind & AD_NL_SUFFIX_KIND];
  if (length > sizeof key - sizeof AD_NL_META_SUFFIX - strlen(of) - 1)
    return ad_nl_fail(scan, "the suffix's name is %zu bytes long, which is too long to keep", length);
  snprintf(key, sizeof key, AD_NL_META_SUFFIX "%s.%.*s", of, (int)length, word);
  ad_buffer text = {0};
  for (size_t k = 0; !s && k < count; k++) {
    s = index_of(r, sizes[kind & AD_NL_SUFFIX_KIND], "an index", &i);
    if (!s && kind & AD_NL_SUFFIX_REAL) {
      s = ad_nl_real(scan, &v);
    } else if (!s) {
      s = ad_nl_integer(scan, INT32_MIN, INT32_MAX, "a value", &whole);
      v = (double)whole;
    }
    if (!s) ad_nl_put_entry(&text, i, v);
  }
  if (!s && text.failed) s = ad_fail_memory(scan->e);
  if (!s) s = ad_nl_place(scan, ad_graph_set_meta(r->b.g, key, text.data ? text.data : "", scan->e));
  ad_buffer_clear(&text);
  return s;
}

/* Column counts, which follow from J. */
static ad_status read_columns(reader *r, char segment) {
  size_t count;
  int64_t n;
  if (r->columns_seen) return twice(r, segment);
  r->columns_seen = true;
  ad_status s = ad_nl_count(&r->b.scan, 2, "the number of columns", &count);
  if (!s && count + 1 != variables(r) && (count || variables(r)))
    s = ad_nl_fail(&r->b.scan, "%c counts %zu columns, but %zu variables want one less", segment, count, variables(r));
  for (size_t k = 0; !s && k < count; k++) s = ad_nl_integer(&r->b.scan, 0, INT32_MAX, "a column's count", &n);
  return s;
}

static ad_status refuse_function(reader *r) {
  int64_t i, kind, args;
  const char *word;
  size_t length;
  ad_nl_scan *s = &r->b.scan;
  ad_status status = ad_nl_integer(s, 0, INT32_MAX, "a function", &i);
  if (!status) status = ad_nl_integer(s, 0, INT32_MAX, "a function's kind", &kind);
  if (!status) status = ad_nl_integer(s, INT32_MIN, INT32_MAX, "the number of arguments", &args);
  if (!status) status = ad_nl_word(s, &word, &length);
  if (status) return status;
  return ad_nl_fail(s, "the function '%.*s' from outside is not supported: its derivatives are unknown",
                    length > AD_MAX_NAME ? AD_MAX_NAME : (int)length, word);
}

static ad_status read_segment(reader *r, int key) {
  switch (key) {
    case 'C':
      return read_constraint(r);
    case 'O':
      return read_objective(r);
    case 'V':
      return read_defined(r);
    case 'J':
      return read_row(r);
    case 'G':
      return read_gradient(r);
    case 'x':
      return read_start(r);
    case 'd':
      return read_dual(r);
    case 'S':
      return read_suffix(r);
    case 'k':
    case 'K':
      return read_columns(r, (char)key);
    case 'b':
      if (r->bounds_seen) return twice(r, 'b');
      r->bounds_seen = true;
      return read_bounds(r, r->variable_bound, variables(r), false);
    case 'r':
      if (r->ranges_seen) return twice(r, 'r');
      r->ranges_seen = true;
      return read_bounds(r, r->constraint_bound, constraints(r), true);
    case 'F':
      return refuse_function(r);
    case 'L':
      return ad_nl_fail(&r->b.scan, "logical constraints (L) are not supported: they have no derivatives");
    default:
      return ad_nl_fail(&r->b.scan, "a segment starts with one of C L O V F S b r k K J G d x");
  }
}

/* ---- What the header promised */

static ad_status cut_off(reader *r, const char *what) {
  r->b.scan.token = r->b.scan.end;
  return ad_nl_fail(&r->b.scan, "%s; the file was cut off or is damaged", what);
}

/* A file that was cut off between two segments must not pass for a smaller model. */
static ad_status check_whole(reader *r) {
  const ad_nl_header *h = &r->b.head;
  char what[120];
  const char missing = constraints(r) && !r->ranges_seen                        ? 'r'
                       : variables(r) && !r->bounds_seen                        ? 'b'
                       : constraints(r) && variables(r) > 1 && !r->columns_seen ? 'k'
                                                                                : '\0';
  if (missing) {
    snprintf(what, sizeof what, "the segment %c is missing", missing);
    return cut_off(r, what);
  }
  if (h->jacobian_nonzeros >= 0 && r->row_terms != h->jacobian_nonzeros) {
    snprintf(what, sizeof what, "the header promises %lld nonzeros in the Jacobian, but the segments J have %lld",
             (long long)h->jacobian_nonzeros, (long long)r->row_terms);
    return cut_off(r, what);
  }
  if (h->gradient_nonzeros < 0 || r->gradient_terms == h->gradient_nonzeros) return AD_OK;
  snprintf(what, sizeof what, "the header promises %lld nonzeros in gradients, but the segments G have %lld",
           (long long)h->gradient_nonzeros, (long long)r->gradient_terms);
  for (size_t i = 0; i < objectives(r); i++)
    if (!r->gradient_seen[i] && r->gradient_terms < h->gradient_nonzeros) return cut_off(r, what);
  return ad_graph_add_note(r->b.g, r->b.scan.e, "%s", what); /* some programs leave nonlinear variables out */
}

/* ---- The graph */

static ad_status allocate(reader *r) {
  const size_t n = variables(r), m = constraints(r), k = objectives(r), d = (size_t)r->b.head.defined;
  ad_error *e = r->b.scan.e;
  r->body = ad_malloc(m, sizeof *r->body);
  r->objective = ad_malloc(k, sizeof *r->objective);
  r->b.variable = ad_malloc(n + d, sizeof *r->b.variable);
  r->row_seen = ad_calloc(m, sizeof *r->row_seen);
  r->gradient_seen = ad_calloc(k, sizeof *r->gradient_seen);
  r->sense = ad_calloc(k, sizeof *r->sense);
  r->variable_bound = ad_calloc(n, sizeof *r->variable_bound);
  r->constraint_bound = ad_calloc(m, sizeof *r->constraint_bound);
  r->start = ad_calloc(n, sizeof *r->start);
  r->started = ad_calloc(n, sizeof *r->started);
  if (!r->body || !r->objective || !r->b.variable || !r->row_seen || !r->gradient_seen || !r->sense ||
      !r->variable_bound || !r->constraint_bound || !r->start || !r->started)
    return ad_fail_memory(e);
  /* What the header says is believed as far as the file can hold it: 12 bytes a term in binary. */
  const uint64_t terms = (uint64_t)r->b.head.jacobian_nonzeros, most = ad_nl_left(&r->b.scan) / 12;
  ad_status s = reserve_terms(r, terms < most ? terms : most);
  if (s) return s;
  memset(r->body, 0xFF, m * sizeof *r->body);
  memset(r->objective, 0xFF, k * sizeof *r->objective);
  memset(r->b.variable, 0xFF, (n + d) * sizeof *r->b.variable);
  return AD_OK;
}

/* x, and its elements that nonlinear expressions use: these come first in the order of .nl, and all together here, so
 * that no scalar operation stands between them. */
static ad_status make_input(reader *r) {
  ad_nl_build *b = &r->b;
  const ad_nl_header *h = &b->head;
  const ad_input_spec spec = {.name = "x", .shape = {1, {h->variables}}, .dtype = AD_F64};
  enum { OPERATOR = 3, BINARY_OPERATOR = 5 }; /* the fewest bytes that make a node of two arguments */
  const size_t nodes = ad_nl_left(&b->scan) / (b->scan.binary ? BINARY_OPERATOR : OPERATOR);
  ad_status s = ad_graph_reserve(b->g, nodes, 2 * nodes, b->scan.e); /* what is not used is never touched */
  if (!s) s = ad_graph_input(b->g, &b->x, &spec, b->scan.e);
  int64_t nonlinear = h->variables_in_constraints > h->variables_in_objectives ? h->variables_in_constraints
                                                                               : h->variables_in_objectives;
  if (nonlinear > h->variables) nonlinear = h->variables;
  ad_node n;
  for (int64_t i = 0; !s && i < nonlinear; i++) s = ad_nl_variable(b, &n, (size_t)i);
  return s;
}

/* The start, or else zero moved into the bounds. */
static ad_status set_point(reader *r) {
  for (size_t i = 0; i < variables(r); i++) {
    const ad_nl_bound *bound = &r->variable_bound[i];
    if (r->started[i] || !r->bounds_seen) continue;
    r->start[i] = bound->low > 0 ? bound->low : bound->high < 0 ? bound->high : 0;
  }
  const ad_numbers v = {.count = variables(r), .value = r->start};
  return ad_graph_set_input_value(r->b.g, r->b.x, &v, AD_F64, r->b.scan.e);
}

/* The nonlinear parts of all constraints as a vector: numbers at its end, as linear constraints have, as one constant.
 */
static ad_status make_bodies(reader *r, ad_node *out) {
  ad_nl_build *b = &r->b;
  const size_t m = constraints(r);
  size_t first = m; /* of the numbers */
  double v;
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < m; i++)
    if (r->body[i] == AD_NO_NODE) s = ad_nl_number(b, &r->body[i], 0);
  while (!s && first && ad_nl_is_number(b, r->body[first - 1], &v)) first--;
  if (s || first == m) return s ? s : ad_nl_apply(b, out, AD_OP_STACK, m, r->body);
  double *tail = ad_malloc(m - first, sizeof *tail);
  if (!tail) return ad_fail_memory(b->scan.e);
  ad_node parts[2];
  for (size_t i = first; i < m; i++) ad_nl_is_number(b, r->body[i], &tail[i - first]);
  s = ad_nl_vector(b, &parts[1], tail, m - first);
  ad_free(tail);
  *out = parts[1];
  if (s || !first) return s;
  s = ad_nl_apply(b, &parts[0], AD_OP_STACK, first, r->body);
  return s ? s : ad_nl_apply(b, out, AD_OP_CONCAT, 2, parts);
}

static ad_status make_constraints(reader *r) {
  ad_nl_build *b = &r->b;
  ad_node con, terms, coefficients;
  ad_status s = make_bodies(r, &con);
  if (!s && r->count) {
    s = ad_nl_columns(b, &terms, r->column, r->count);
    if (!s) s = ad_nl_vector(b, &coefficients, r->coefficient, r->count);
    if (!s) s = ad_nl_apply_2(b, &terms, AD_OP_MUL, coefficients, terms);
    const ad_attr rows = {"indices", {1, {(int64_t)r->count}}, r->row};
    if (!s) s = ad_graph_apply(b->g, &con, AD_OP_SCATTER_ADD, 2, (ad_node[]){con, terms}, 1, &rows, b->scan.e);
  }
  return s ? s : ad_graph_output(b->g, "con", con, b->scan.e);
}

static ad_status make_outputs(reader *r) {
  ad_nl_build *b = &r->b;
  const size_t k = objectives(r);
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < k; i++) {
    char name[32] = "obj";
    if (k > 1) snprintf(name, sizeof name, "obj%zu", i);
    if (r->objective[i] == AD_NO_NODE) s = ad_nl_number(b, &r->objective[i], 0);
    if (!s) s = ad_graph_output(b->g, name, r->objective[i], b->scan.e);
  }
  return s || !constraints(r) ? s : make_constraints(r);
}

static ad_status keep_texts(reader *r) {
  ad_nl_build *b = &r->b;
  ad_status s = *b->head.problem ? ad_graph_set_name(b->g, b->head.problem, NULL) : AD_OK;
  if (s == AD_ENOMEM) return ad_fail_memory(b->scan.e); /* a name that can't be one is left out */
  s = ad_nl_keep_header(b->g, &b->head, b->scan.e);
  ad_buffer sense = {0};
  for (size_t i = 0; i < objectives(r); i++)
    ad_buffer_printf(&sense, "%s%s", i ? " " : "", r->sense[i] ? "maximize" : "minimize");
  if (!s && sense.failed) s = ad_fail_memory(b->scan.e);
  if (!s && sense.size) s = ad_graph_set_meta(b->g, AD_NL_META_SENSE, sense.data, b->scan.e);
  ad_buffer_clear(&sense);
  if (!s && r->bounds_seen)
    s = ad_nl_keep_bounds(b->g, AD_NL_META_VARIABLES, r->variable_bound, variables(r), b->scan.e);
  if (!s && r->ranges_seen)
    s = ad_nl_keep_bounds(b->g, AD_NL_META_CONSTRAINTS, r->constraint_bound, constraints(r), b->scan.e);
  return s;
}

static ad_status read_all(reader *r) {
  ad_nl_scan *scan = &r->b.scan;
  ad_status s = ad_nl_read_header(scan, &r->b.head);
  if (!s && !objectives(r) && !constraints(r)) s = ad_nl_fail(scan, "there is neither an objective nor a constraint");
  if (!s) s = allocate(r);
  if (!s) s = ad_nl_place(scan, make_input(r));
  for (int key = 0; !s && (key = ad_nl_key(scan)) >= 0;) s = read_segment(r, key);
  if (!s) s = check_whole(r);
  if (!s) s = ad_nl_place(scan, set_point(r));
  if (!s) s = ad_nl_place(scan, make_outputs(r));
  return s ? s : ad_nl_place(scan, keep_texts(r));
}

ad_status ad_nl_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                     ad_error *e) {
  ad_error own;
  const char *text = bytes;
  reader r = {
      .b.scan = {.source = {text, size, path}, .p = text, .end = text + size, .token = text, .e = e ? e : &own}};
  ad_status s = ad_graph_new(&r.b.g, limits, e);
  if (!s) s = read_all(&r);
  if (s)
    ad_graph_free(r.b.g);
  else
    *g = r.b.g;
  void *parts[] = {r.body,           r.objective,        r.row_seen, r.gradient_seen, r.sense,
                   r.variable_bound, r.constraint_bound, r.start,    r.started,       r.row,
                   r.column,         r.coefficient};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  ad_nl_build_clear(&r.b);
  return s;
}
