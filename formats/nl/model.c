#include "nl/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ir/ops.h"

typedef struct builder {
  ad_nl_model *m;
  const ad_graph *g;
  uint32_t *used;  /* of each node: by others and as an output; later: how often its expression is written */
  uint8_t *linear; /* of each node: whether it is a term, or a sum of which a part is */
  uint64_t *seen;  /* of each node: the last row + 1 that was found to depend on it */
  uint64_t *row;   /* of each column: the last row + 1 that has a term for it, and */
  size_t *term;    /* where that is */
  ad_nl_addend *stack;
  size_t stack_capacity;
  ad_node *visit;
  size_t visit_capacity;
  ad_error *e;
} builder;

/* ---- Leaves */

ad_nl_leaf ad_nl_leaf_of(const ad_nl_model *m, ad_node n, size_t *column, double *value) {
  const ad_graph *g = m->g;
  const ad_op op = ad_graph_node_op(g, n);
  const ad_node *args;
  ad_node input = n;
  size_t at = 0;
  if (op == AD_OP_CONSTANT) {
    *value = ad_graph_node_values(g, n).value[0];
    return AD_NL_VALUE;
  }
  if (op == AD_OP_SLICE) {
    ad_graph_node_args(g, n, &args);
    input = args[0];
    const ad_shape *shape = ad_graph_node_shape(g, input);
    const int64_t *start = ad_graph_node_attr(g, n, 0).value;
    for (int d = 0; d < shape->rank; d++) at = at * (size_t)shape->dim[d] + (size_t)start[d];
  } else if (op != AD_OP_INPUT) {
    return AD_NL_NO_LEAF;
  }
  if (m->first_column[input] != SIZE_MAX) {
    *column = m->first_column[input] + at;
    return AD_NL_COLUMN;
  }
  const ad_values v = ad_graph_node_values(g, input);
  *value = v.value[v.count == 1 ? 0 : at];
  return AD_NL_VALUE;
}

static ad_status place_columns(ad_nl_model *m, ad_error *e) {
  const size_t inputs = ad_graph_input_count(m->g);
  m->first_column = ad_malloc(inputs, sizeof *m->first_column);
  if (!m->first_column) return ad_fail_memory(e);
  for (ad_node n = 0; n < inputs; n++) {
    m->first_column[n] = SIZE_MAX;
    if (!ad_graph_input_fixed(m->g, n)) {
      m->first_column[n] = m->columns;
      m->columns += (size_t)ad_shape_size(ad_graph_node_shape(m->g, n));
    } else if (!ad_graph_node_values(m->g, n).count) {
      return ad_fail(e, AD_EINPUT, "the input '%s' is not differentiated and has no value, but in .nl it is a number",
                     ad_graph_node_name(m->g, n));
    }
  }
  return AD_OK;
}

/* ---- Linear terms */

/* x, -x, c x or x c */
static bool is_term(const builder *b, ad_node n, size_t *column, double *coefficient) {
  const ad_op op = ad_graph_node_op(b->g, n);
  const ad_node *args;
  double value;
  size_t none;
  *coefficient = 1;
  if (ad_nl_leaf_of(b->m, n, column, &value) == AD_NL_COLUMN) return true;
  if (op != AD_OP_NEG && op != AD_OP_MUL) return false;
  ad_graph_node_args(b->g, n, &args);
  *coefficient = -1;
  if (op == AD_OP_NEG) return ad_nl_leaf_of(b->m, args[0], column, &value) == AD_NL_COLUMN;
  const ad_nl_leaf x = ad_nl_leaf_of(b->m, args[0], column, coefficient),
                   y = ad_nl_leaf_of(b->m, args[1], x == AD_NL_COLUMN ? &none : column, coefficient);
  return ((x == AD_NL_COLUMN && y == AD_NL_VALUE) || (x == AD_NL_VALUE && y == AD_NL_COLUMN)) && isfinite(*coefficient);
}

static bool is_sum(ad_op op) {
  return op == AD_OP_ADD || op == AD_OP_SUB || op == AD_OP_NEG || op == AD_OP_SUM;
}

/* Whether a sum is taken apart where it is an addend of another: nothing else needs it. */
static bool is_open(const builder *b, ad_node n) {
  size_t column;
  double coefficient;
  return b->linear[n] && (b->used[n] == 1 || is_term(b, n, &column, &coefficient));
}

static void find_linear(builder *b) {
  size_t column;
  double coefficient;
  for (ad_node n = 0; n < ad_graph_node_count(b->g); n++) {
    const ad_node *list;
    b->linear[n] = is_term(b, n, &column, &coefficient);
    if (b->linear[n] || !is_sum(ad_graph_node_op(b->g, n))) continue;
    const size_t count = ad_nl_operands(b->g, n, &list);
    for (size_t i = 0; i < count && !b->linear[n]; i++) b->linear[n] = is_open(b, list[i]);
  }
}

static ad_status add_term(builder *b, size_t row, size_t column, double coefficient) {
  ad_nl_model *m = b->m;
  if (b->row[column] == row + 1) {
    m->term[b->term[column]].coefficient += coefficient;
    return AD_OK;
  }
  if (!ad_reserve(&m->term, &m->term_capacity, m->terms + 1, sizeof *m->term)) return ad_fail_memory(b->e);
  b->row[column] = row + 1;
  b->term[column] = m->terms;
  m->term[m->terms++] = (ad_nl_model_term){column, coefficient};
  return AD_OK;
}

static ad_status add_addend(builder *b, ad_nl_addend a) {
  ad_nl_model *m = b->m;
  if (!ad_reserve(&m->addend, &m->addend_capacity, m->addends + 1, sizeof *m->addend)) return ad_fail_memory(b->e);
  m->addend[m->addends++] = a;
  return AD_OK;
}

/* Takes the sum that a row is apart, from left to right, as far as there are linear terms in it. */
static ad_status split_row(builder *b, size_t row) {
  size_t depth = 0, column;
  double coefficient;
  ad_status s = AD_OK;
  if (!ad_reserve(&b->stack, &b->stack_capacity, 1, sizeof *b->stack)) return ad_fail_memory(b->e);
  b->stack[depth++] = (ad_nl_addend){b->m->scalars.output[b->m->row[row].output], false};
  for (bool root = true; !s && depth; root = false) {
    const ad_nl_addend a = b->stack[--depth];
    const ad_node *list;
    if (is_term(b, a.node, &column, &coefficient)) {
      s = add_term(b, row, column, a.minus ? -coefficient : coefficient);
    } else if (!b->linear[a.node] || (!root && b->used[a.node] > 1)) {
      s = add_addend(b, a);
    } else {
      const ad_op op = ad_graph_node_op(b->g, a.node);
      const size_t count = ad_nl_operands(b->g, a.node, &list);
      if (!ad_reserve(&b->stack, &b->stack_capacity, depth + count, sizeof *b->stack)) return ad_fail_memory(b->e);
      for (size_t i = count; i-- > 0;)
        b->stack[depth++] = (ad_nl_addend){list[i], a.minus != (op == AD_OP_NEG || (op == AD_OP_SUB && i == 1))};
    }
  }
  return s;
}

/* ---- What a row depends on */

static int by_column(const void *a, const void *b) {
  const ad_nl_model_term *x = a, *y = b;
  return x->column < y->column ? -1 : x->column > y->column;
}

static ad_status visit(builder *b, size_t row, ad_node n, size_t *depth) {
  if (b->seen[n] == row + 1) return AD_OK;
  b->seen[n] = row + 1;
  if (!ad_reserve(&b->visit, &b->visit_capacity, *depth + 1, sizeof *b->visit)) return ad_fail_memory(b->e);
  b->visit[(*depth)++] = n;
  return AD_OK;
}

/* Terms of 0 for the variables that are only in addends, by rising column. */
static ad_status add_dependences(builder *b, size_t row) {
  ad_nl_model *m = b->m;
  ad_nl_row *r = &m->row[row];
  const size_t first = m->terms;
  size_t depth = 0, column;
  double value;
  ad_status s = AD_OK;
  for (size_t i = 0; !s && i < r->addends; i++) s = visit(b, row, m->addend[r->addend + i].node, &depth);
  while (!s && depth) {
    const ad_node n = b->visit[--depth], *list;
    const ad_nl_leaf leaf = ad_nl_leaf_of(m, n, &column, &value);
    if (leaf == AD_NL_COLUMN) {
      m->nonlinear[column] |= row < m->constraints ? AD_NL_IN_CONSTRAINTS : AD_NL_IN_OBJECTIVES;
      r->nonlinear = true;
      s = add_term(b, row, column, 0);
    }
    const size_t count = leaf ? 0 : ad_nl_operands(b->g, n, &list);
    for (size_t i = 0; !s && i < count; i++) s = visit(b, row, list[i], &depth);
  }
  if (!s && m->terms > first) qsort(m->term + first, m->terms - first, sizeof *m->term, by_column);
  return s;
}

/* Terms that cancelled each other out. */
static void drop_zeros(builder *b, size_t first) {
  ad_nl_model *m = b->m;
  size_t kept = first;
  for (size_t i = first; i < m->terms; i++) {
    const ad_nl_model_term t = m->term[i];
    b->term[t.column] = kept;
    if (t.coefficient == 0)
      b->row[t.column] = 0;
    else
      m->term[kept++] = t;
  }
  m->terms = kept;
}

static ad_status make_row(builder *b, size_t row) {
  ad_nl_row *r = &b->m->row[row];
  r->addend = b->m->addends;
  r->term = b->m->terms;
  ad_status s = split_row(b, row);
  r->addends = b->m->addends - r->addend;
  drop_zeros(b, r->term);
  if (!s) s = add_dependences(b, row);
  r->terms = b->m->terms - r->term;
  return s;
}

/* ---- Defined variables */

static void count_users(builder *b) {
  for (size_t i = 0; i < b->m->scalars.count; i++) b->used[b->m->scalars.output[i]]++;
  for (ad_node n = (ad_node)ad_graph_node_count(b->g); n-- > 0;) {
    const ad_node *list;
    if (!b->used[n]) continue;
    const size_t count = ad_nl_operands(b->g, n, &list);
    for (size_t i = 0; i < count; i++) b->used[list[i]]++;
  }
}

/* Expressions that would be written more than once are defined once. */
static void find_definitions(builder *b) {
  ad_nl_model *m = b->m;
  const size_t nodes = ad_graph_node_count(b->g);
  size_t column;
  double value;
  memset(b->used, 0, nodes * sizeof *b->used);
  for (size_t i = 0; i < m->addends; i++) b->used[m->addend[i].node]++;
  for (ad_node n = (ad_node)nodes; n-- > 0;) {
    const ad_op op = ad_graph_node_op(b->g, n);
    const ad_node *list;
    if (!b->used[n] || ad_nl_leaf_of(m, n, &column, &value)) continue;
    const bool inline_ = ad_nl_is_comparison(op);
    const uint32_t times = ad_nl_operand_uses(op) * (inline_ ? b->used[n] : 1);
    const size_t count = ad_nl_operands(b->g, n, &list);
    m->defined[n] = b->used[n] > 1 && !inline_;
    for (size_t i = 0; i < count; i++) /* more than one is all that counts */
      b->used[list[i]] += times < UINT16_MAX ? times : UINT16_MAX;
    for (size_t i = 0; i < count; i++)
      if (b->used[list[i]] > UINT16_MAX) b->used[list[i]] = UINT16_MAX;
  }
  for (ad_node n = 0; n < nodes; n++)
    if (m->defined[n]) m->defined[n] = (uint32_t)++m->definitions;
}

/* ---- The whole */

static ad_status list_rows(ad_nl_model *m, const ad_graph *from, ad_error *e) {
  m->row = ad_calloc(m->scalars.count, sizeof *m->row);
  if (!m->row) return ad_fail_memory(e);
  for (int objectives = 0; objectives < 2; objectives++) {
    size_t at = 0;
    for (size_t i = 0; i < ad_graph_output_count(from); i++) {
      const ad_shape *shape = ad_graph_node_shape(from, ad_graph_output_node(from, i));
      const size_t size = (size_t)ad_shape_size(shape);
      for (size_t k = 0; k < size && objectives == !shape->rank; k++) {
        m->row[m->constraints + m->objectives].output = at + k;
        ++*(objectives ? &m->objectives : &m->constraints);
      }
      at += size;
    }
  }
  return AD_OK;
}

static ad_status allocate(builder *b) {
  ad_nl_model *m = b->m;
  const size_t nodes = ad_graph_node_count(b->g);
  m->nonlinear = ad_calloc(m->columns, sizeof *m->nonlinear);
  m->defined = ad_calloc(nodes, sizeof *m->defined);
  b->used = ad_calloc(nodes, sizeof *b->used);
  b->linear = ad_calloc(nodes, sizeof *b->linear);
  b->seen = ad_calloc(nodes, sizeof *b->seen);
  b->row = ad_calloc(m->columns, sizeof *b->row);
  b->term = ad_calloc(m->columns, sizeof *b->term);
  return m->nonlinear && m->defined && b->used && b->linear && b->seen && b->row && b->term ? AD_OK
                                                                                            : ad_fail_memory(b->e);
}

ad_status ad_nl_model_make(ad_nl_model *m, const ad_graph *g, ad_error *e) {
  builder b = {.m = m, .e = e};
  *m = (ad_nl_model){0};
  ad_status s = ad_scalars_make(&m->scalars, g, e);
  if (s) return s;
  b.g = m->g = m->scalars.g;
  if (!m->scalars.count)
    s = ad_fail(e, AD_EINPUT, "the graph has no outputs, which would be objectives or constraints");
  if (!s) s = place_columns(m, e);
  if (!s) s = list_rows(m, g, e);
  if (!s) s = allocate(&b);
  if (!s) {
    count_users(&b);
    find_linear(&b);
  }
  for (size_t i = 0; !s && i < m->scalars.count; i++) s = make_row(&b, i);
  if (!s) find_definitions(&b);
  void *parts[] = {b.used, b.linear, b.seen, b.row, b.term, b.stack, b.visit};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  if (s) ad_nl_model_clear(m);
  return s;
}

void ad_nl_model_clear(ad_nl_model *m) {
  void *parts[] = {m->first_column, m->row, m->addend, m->term, m->nonlinear, m->defined};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
  ad_scalars_clear(&m->scalars);
  *m = (ad_nl_model){0};
}
