/* Random reference graphs, and reference graphs as YAML. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reference_table.h"

/* ---- Random graphs */

typedef struct maker {
  ref_graph *g;
  ulps_random *random;
  bool regular;
  ref_values *at; /* the values at each point */
} maker;

static int pick(maker *m, int n) {
  return (int)(ulps_random_bits(m->random) % (uint64_t)n);
}

static double coordinate(maker *m) {
  static const double special[] = {-1, 0, 0, 0, 0.5, 1, 1, 2};
  return m->regular ? (pick(m, 2) ? 1 : -1) * (1 + pick(m, 511)) / 256.0 : special[pick(m, 8)];
}

static void make_inputs(maker *m) {
  ref_graph *g = m->g;
  g->nodes = g->inputs = 2 + pick(m, REF_INPUTS - 1);
  for (int n = 0; n < g->inputs; n++) {
    g->node[n] = (ref_node){.op = REF_INPUT, .size = pick(m, 5) < 3 ? 0 : 2 + pick(m, REF_SIZE - 1), .named = true};
    g->fixed[n] = pick(m, 4) == 0 && m->regular;
  }
  for (int p = 0; p < g->points; p++) {
    static const double still[REF_COLUMNS];
    for (int c = 0; c < ref_first(g, g->inputs); c++) g->point[p][c] = coordinate(m);
    ref_values_set_inputs(g, p, still, 0, &m->at[p]);
  }
}

/* An earlier node, more often a late one. */
static int earlier(maker *m) {
  const int span = pick(m, 2) ? 5 : m->g->nodes;
  return m->g->nodes - 1 - pick(m, span < m->g->nodes ? span : m->g->nodes);
}

static bool choose_condition(maker *m, ref_node *n) {
  for (int k = m->g->nodes - 1; n->op == ref_op_where() && m->g->node[n->args[0]].op != ref_op_less(); k--) {
    if (k < m->g->inputs) return false;
    n->args[0] = k;
  }
  return true;
}

/* The size of an elementwise result; -1: the arguments don't fit. */
static int joint_size(const ref_graph *g, const ref_node *n) {
  int size = 0;
  for (int a = 0; a < ref_arity(n); a++) {
    const int s = g->node[n->args[a]].size;
    if (s && size && s != size) return -1;
    if (s) size = s;
  }
  return size;
}

/* The same of other operations, with what they have besides arguments. */
static int structured_size(maker *m, ref_node *n) {
  const int x = m->g->node[n->args[0]].size, y = m->g->node[n->args[1]].size;
  if (n->op == REF_STACK) return x || y ? -1 : 2;
  if (!x) return -1;
  switch (n->op) {
    case REF_DOT:
      return x == y ? 0 : -1;
    case REF_CONCAT:
      return y && x + y <= REF_SIZE ? x + y : -1;
    case REF_ELEMENT:
      n->index[0] = pick(m, x);
      return 0;
    case REF_SLICE:
      n->index[0] = pick(m, x);
      n->index[1] = n->index[0] + 1 + pick(m, x - n->index[0]);
      return n->index[1] - n->index[0];
    case REF_GATHER: {
      const int count = 1 + pick(m, REF_SIZE);
      for (int i = 0; i < count; i++) n->index[i] = pick(m, x);
      return count;
    }
    default:
      return n->op <= REF_LOGSUMEXP ? 0 : x;
  }
}

static ref_node literal(maker *m) {
  ref_node n = {.op = REF_LITERAL};
  n.index[0] = m->regular ? (pick(m, 2) ? 1 : -1) * (1 + pick(m, 30)) : pick(m, 4) - 1;
  n.index[1] = m->regular ? 1 + pick(m, 15) : 1 + pick(m, 2);
  return n;
}

static bool propose(maker *m, ref_node *n) {
  const int elementwise = ref_op_count() - REF_ELEMENTWISE;
  if (pick(m, 20) == 0) {
    *n = literal(m);
    return true;
  }
  *n = (ref_node){
      .op = pick(m, 4) ? REF_ELEMENTWISE + pick(m, elementwise) : REF_SUM + pick(m, REF_ELEMENTWISE - REF_SUM),
      .named = pick(m, 2)};
  bool constant = true;
  for (int a = 0; a < REF_ARGS; a++) {
    n->args[a] = earlier(m);
    if (a < ref_arity(n)) constant &= m->g->node[n->args[a]].op == REF_LITERAL;
  }
  /* Special graphs have no x - x: see `known` in check_agreement.c. */
  if (constant || (!m->regular && n->args[0] == n->args[1] && ref_arity(n) == 2)) return false;
  if (!choose_condition(m, n)) return false;
  n->size = n->op >= REF_ELEMENTWISE ? joint_size(m->g, n) : structured_size(m, n);
  return n->size >= 0;
}

/* Whether a number is a small multiple of 2^-8, which every arithmetic has exactly if its terms are such. */
static bool dyadic(mpfr_srcptr v) {
  const double d = 256 * mpfr_get_d(v, MPFR_RNDN);
  return d == rint(d) && mpfr_cmp_d(v, d / 256) == 0;
}

static bool dyadic_arguments(const ref_graph *g, const ref_values *s, int node) {
  const ref_node *n = &g->node[node];
  for (int a = 0; a < ref_arity(n); a++)
    for (int i = 0; i < ref_elements(g, n->args[a]); i++) {
      mpfr_srcptr v = s->v[n->args[a]][i];
      if (mpfr_number_p(v) && !dyadic(v)) return false;
    }
  return true;
}

/* All arithmetics stand on the same kinks and edges of special graphs: on them by numbers that none of them rounds, or
 * far from them. */
static bool same_everywhere(const ref_graph *g, const ref_values *s, int node) {
  const double distance = ref_values_distance(g, s, node);
  if (ref_op_avoided(g->node[node].op) && (g->node[node].op == REF_SOFTMAX || !(distance > 0))) return false;
  return !(distance < 0x1p-9) || (!(distance > 0) && dyadic_arguments(g, s, node));
}

/* Whether the last node is far from kinks and edges at all points, or on them in special graphs, and not large.  Those
 * have few numbers that arithmetics round, and few that are none, which `where` may leave out. */
static bool acceptable(maker *m) {
  ref_graph *g = m->g;
  const int k = g->nodes;
  bool good = true;
  for (int p = 0; p < g->points; p++) {
    ref_values_evaluate(g, k, &m->at[p]);
    if (m->regular ? ref_values_distance(g, &m->at[p], k) < 0.05 : !same_everywhere(g, &m->at[p], k)) good = false;
    for (int i = 0; i < ref_elements(g, k); i++) {
      mpfr_srcptr v = m->at[p].v[k][i];
      if (mpfr_number_p(v) && fabs(mpfr_get_d(v, MPFR_RNDN)) > 20) good = false;
      if (!mpfr_number_p(v)) good = good && !m->regular && pick(m, 8) == 0;
      if (!m->regular && mpfr_number_p(v) && !dyadic(v)) good = good && pick(m, 4) == 0;
    }
  }
  return good;
}

static bool add(maker *m, ref_node n) {
  m->g->node[m->g->nodes] = n;
  if (!acceptable(m)) return false;
  m->g->nodes++;
  return true;
}

static bool all_numbers(maker *m, int node) {
  for (int p = 0; p < m->g->points; p++)
    for (int i = 0; i < ref_elements(m->g, node); i++)
      if (!mpfr_number_p(m->at[p].v[node][i])) return false;
  return true;
}

static int last_of(maker *m, bool vector) {
  int k = m->g->nodes - 1;
  while (k >= 0 && !(all_numbers(m, k) && (m->g->node[k].size || !vector))) k--;
  return k;
}

static bool used(const ref_graph *g, int node) {
  for (int k = node + 1; k < g->nodes; k++)
    for (int a = 0; a < ref_arity(&g->node[k]); a++)
      if (g->node[k].args[a] == node) return true;
  return false;
}

/* The sum of what nothing uses, and the last vector or else the last node. */
static void make_outputs(maker *m) {
  ref_graph *g = m->g;
  int sum = -1;
  g->output[1] = last_of(m, true) >= 0 ? last_of(m, true) : last_of(m, false);
  for (int k = g->nodes - 1; k >= 0; k--) {
    if (!all_numbers(m, k) || g->node[k].op == REF_LITERAL || used(g, k)) continue;
    int term = k;
    if (g->node[k].size) {
      if (!add(m, (ref_node){.op = REF_SUM, .args = {k}})) continue;
      term = g->nodes - 1;
    }
    if (sum >= 0 && !add(m, (ref_node){.op = ref_op_add(), .args = {sum, term}})) continue;
    sum = sum < 0 ? term : g->nodes - 1;
  }
  if (sum < 0 && g->node[0].size && add(m, (ref_node){.op = REF_SUM, .args = {0}})) sum = g->nodes - 1;
  g->output[0] = sum < 0 ? 0 : sum;
}

void ref_random(ref_graph *g, ulps_random *r, bool regular) {
  ref_values at[REF_POINTS];
  maker m = {g, r, regular, at};
  memset(g, 0, sizeof *g);
  g->points = regular ? REF_POINTS : 1;
  for (int p = 0; p < REF_POINTS; p++) ref_values_init(&at[p]);
  make_inputs(&m);
  const int nodes = g->nodes + (regular ? 5 + pick(&m, 14) : 2 + pick(&m, 5));
  for (int tries = 0; g->nodes < nodes && tries < 2000; tries++) {
    ref_node n;
    if (propose(&m, &n)) add(&m, n);
  }
  make_outputs(&m);
  for (int p = 0; p < REF_POINTS; p++) ref_values_clear(&at[p]);
}

/* ---- As YAML */

typedef struct text {
  char *at, *end;
} text;

static void put(text *t, const char *s) {
  while (*s && t->at < t->end - 1) *t->at++ = *s++;
  *t->at = 0;
}

static void put_list(text *t, const int *index, int count) {
  char number[20];
  for (int i = 0; i < count; i++) {
    snprintf(number, sizeof number, "%s%d", i ? ", " : "[", index[i]);
    put(t, number);
  }
  put(t, "]");
}

static void put_node(text *t, const ref_graph *g, int k, bool definition);

static void put_call(text *t, const ref_graph *g, const ref_node *n) {
  int a = 0;
  for (const char *s = ref_op_text(n->op); *s; s++)
    if (*s == '%')
      put_node(t, g, n->args[a++], false);
    else
      put(t, (char[]){*s, 0});
}

static void put_node(text *t, const ref_graph *g, int k, bool definition) {
  const ref_node *n = &g->node[k];
  char s[80];
  if (n->op == REF_INPUT || (n->named && !definition)) {
    snprintf(s, sizeof s, "%c%d", n->op == REF_INPUT ? 'x' : 'n', k);
    put(t, s);
  } else if (n->op == REF_LITERAL) {
    snprintf(s, sizeof s, "(%d/%d)", n->index[0], n->index[1]);
    put(t, s);
  } else if (n->op == REF_ELEMENT || n->op == REF_SLICE) {
    put_node(t, g, n->args[0], false);
    snprintf(s, sizeof s, n->op == REF_SLICE ? "[%d:%d]" : "[%d]", n->index[0], n->index[1]);
    put(t, s);
  } else if (n->op == REF_GATHER) {
    put(t, "gather(");
    put_node(t, g, n->args[0], false);
    put(t, ", indices=");
    put_list(t, n->index, n->size);
    put(t, ")");
  } else {
    put_call(t, g, n);
  }
}

static void put_input(text *t, const ref_graph *g, int n, const double *v) {
  char s[80];
  snprintf(s, sizeof s, "  x%d: {value: ", n);
  put(t, s);
  for (int i = 0; i < ref_elements(g, n); i++) {
    snprintf(s, sizeof s, "%s%.17g", !g->node[n].size ? "" : i ? ", " : "[", v[i]);
    put(t, s);
  }
  put(t, g->node[n].size ? "]" : "");
  put(t, g->fixed[n] ? ", diff: no}\n" : "}\n");
}

void ref_write(const ref_graph *g, int point, char out[REF_TEXT]) {
  text t = {out, out + REF_TEXT};
  put(&t, "adtool: 1\ninputs:\n");
  for (int n = 0; n < g->inputs; n++) put_input(&t, g, n, g->point[point] + ref_first(g, n));
  put(&t, "nodes:\n  unused: 0\n");
  for (int k = g->nodes - 1; k >= g->inputs; k--) { /* last first, for the order of entries does not matter */
    char s[20];
    if (!g->node[k].named) continue;
    snprintf(s, sizeof s, "  n%d: \"", k);
    put(&t, s);
    put_node(&t, g, k, true);
    put(&t, "\"\n");
  }
  put(&t, "outputs:\n  f: \"");
  put_node(&t, g, g->output[0], false);
  put(&t, "\"\n  g: \"");
  put_node(&t, g, g->output[1], false);
  put(&t, "\"\n");
}
