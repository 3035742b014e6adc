/* Star and acyclic colourings (Gebremedhin, Tarafdar, Manne and Pothen, New acyclic and star coloring algorithms with
 * application to computing Hessians, SIAM J. Sci. Comput. 29, 2007, algorithms 4.1 and 4.3), greedy in a given order.
 */
#include <string.h>

#include "derive/colour.h"
#include "error.h"
#include "mem.h"

#define NONE UINT32_MAX

/* A vertex that was seen last while `by` was coloured, and through which edge. */
typedef struct visit {
  uint32_t by, vertex;
  size_t edge;
} visit;

typedef struct symmetric {
  const ad_sparsity *s;
  size_t *mirror;
  uint32_t *colour;
  uint8_t *apart;      /* vertices with so many neighbours that each gets a colour of its own */
  uint32_t *forbidden; /* of each colour: the last vertex that can't have it */
  visit *first;        /* of each colour: the first neighbour of the vertex at hand that has it */
  uint32_t *treated;   /* of each vertex */
  uint32_t *class_of;  /* of each edge (both of its entries): its star; its tree as a union-find forest */
  uint32_t *hub;       /* of each star: its hub, or NONE for one edge; NULL: acyclic */
  visit *visited;      /* of each tree */
  uint32_t classes;
} symmetric;

/* For entries (v, w) of the vertex v, w coloured and not v. */
#define EACH_NEIGHBOUR(g, v, k, w)                                   \
  for (size_t k = (g)->s->start[v]; k < (g)->s->start[(v) + 1]; k++) \
    for (uint32_t w = (g)->s->column[k], once_##k = 1;               \
         once_##k && w != (v) && (g)->colour[w] != NONE && !(g)->apart[w]; once_##k = 0)

static uint32_t pick(symmetric *g, uint32_t v) {
  uint32_t c = 0;
  while (g->forbidden[c] == v) c++;
  return g->colour[v] = c;
}

/* ---- Stars */

/* No neighbour of w gives its colour to v. */
static void treat(symmetric *g, uint32_t v, uint32_t w) {
  EACH_NEIGHBOUR(g, w, l, x) if (x != v) g->forbidden[g->colour[x]] = v;
  g->treated[w] = v;
}

static void forbid_stars(symmetric *g, uint32_t v) {
  EACH_NEIGHBOUR(g, v, k, w) g->forbidden[g->colour[w]] = v;
  EACH_NEIGHBOUR(g, v, k, w) {
    visit *first = &g->first[g->colour[w]];
    if (first->by == v) { /* two neighbours of one colour: v would be a hub */
      if (g->treated[first->vertex] != v) treat(g, v, first->vertex);
      treat(g, v, w);
      continue;
    }
    *first = (visit){v, w, k};
    EACH_NEIGHBOUR(g, w, l, x)
    if (x != v && x == g->hub[g->class_of[l]]) g->forbidden[g->colour[x]] = v;
  }
}

static void set_class(symmetric *g, size_t k, uint32_t class) {
  g->class_of[k] = g->class_of[g->mirror[k]] = class;
}

static void update_stars(symmetric *g, uint32_t v) {
  EACH_NEIGHBOUR(g, v, k, w) {
    bool found = false;
    for (size_t l = g->s->start[w]; !found && l < g->s->start[w + 1]; l++) {
      const uint32_t x = g->s->column[l];
      if (x == v || x == w || g->apart[x] || g->colour[x] != g->colour[v]) continue;
      g->hub[g->class_of[l]] = w;
      set_class(g, k, g->class_of[l]);
      found = true;
    }
    if (found) continue;
    const visit *first = &g->first[g->colour[w]];
    if (first->by == v && first->vertex != w) {
      g->hub[g->class_of[first->edge]] = v;
      set_class(g, k, g->class_of[first->edge]);
    } else {
      g->hub[g->classes] = NONE;
      set_class(g, k, g->classes++);
    }
  }
}

/* ---- Trees.  class_of of an edge's first entry is its parent in the forest: entry numbers fit, or are refused. */

static uint32_t edge_of(const symmetric *g, size_t k) {
  return (uint32_t)(k < g->mirror[k] ? k : g->mirror[k]);
}

static uint32_t find(symmetric *g, uint32_t x) {
  while (g->class_of[x] != x) x = g->class_of[x] = g->class_of[g->class_of[x]];
  return x;
}

static void forbid_cycles(symmetric *g, uint32_t v) {
  EACH_NEIGHBOUR(g, v, k, w) g->forbidden[g->colour[w]] = v;
  EACH_NEIGHBOUR(g, v, k, w)
  EACH_NEIGHBOUR(g, w, l, x) {
    if (x == v || g->forbidden[g->colour[x]] == v) continue;
    visit *tree = &g->visited[find(g, edge_of(g, l))];
    if (tree->by != v)
      *tree = (visit){v, w, k};
    else if (tree->vertex != w)
      g->forbidden[g->colour[x]] = v; /* the tree reaches v from two sides */
  }
}

static void join(symmetric *g, size_t k, size_t l) {
  const uint32_t a = find(g, edge_of(g, k)), b = find(g, edge_of(g, l));
  if (a != b) g->class_of[b] = a;
}

static void update_trees(symmetric *g, uint32_t v) {
  EACH_NEIGHBOUR(g, v, k, w) {
    visit *first = &g->first[g->colour[w]];
    g->class_of[edge_of(g, k)] = edge_of(g, k);
    if (first->by != v)
      *first = (visit){v, w, k};
    else
      join(g, first->edge, k);
  }
  EACH_NEIGHBOUR(g, v, k, w)
  EACH_NEIGHBOUR(g, w, l, x)
  if (x != v && g->colour[x] == g->colour[v]) join(g, k, l);
}

/* ---- Both */

static void colour_all(symmetric *g, const uint32_t *order, size_t count) {
  const size_t n = g->s->rows;
  g->classes = 0;
  memset(g->colour, 0xFF, n * sizeof *g->colour);
  memset(g->forbidden, 0xFF, (n + 1) * sizeof *g->forbidden);
  memset(g->treated, 0xFF, n * sizeof *g->treated);
  for (size_t c = 0; c <= n; c++) g->first[c] = (visit){NONE, NONE, 0};
  for (size_t k = 0; g->visited && k < g->s->start[n]; k++) g->visited[k] = (visit){NONE, NONE, 0};
  for (size_t t = 0; t < count; t++) {
    const uint32_t v = order[t];
    g->hub ? forbid_stars(g, v) : forbid_cycles(g, v);
    pick(g, v);
    g->hub ? update_stars(g, v) : update_trees(g, v);
  }
}

static size_t degree_of(const ad_sparsity *s, size_t v) {
  return s->start[v + 1] - s->start[v];
}

/* Both algorithms look at the neighbours of neighbours.  The vertices with the most neighbours, without which that
 * would be about linear in the entries, get colours of their own; no path or cycle of two colours goes through them. */
static void set_apart(symmetric *g) {
  const ad_sparsity *s = g->s;
  enum { BITS = 64 };
  double work[BITS] = {0}, sum = 0;
  const double most = 1e6 + 256.0 * (double)s->start[s->rows];
  for (size_t v = 0; v < s->rows; v++) {
    const double d = (double)degree_of(s, v);
    work[63 - __builtin_clzll(degree_of(s, v) | 1)] += d * d;
  }
  int k = 0;
  while (k < BITS && sum + work[k] <= most) sum += work[k++];
  for (size_t v = 0; v < s->rows; v++) g->apart[v] = k < BITS && degree_of(s, v) >> k;
}

/* Vertices that are to be coloured, by number of neighbours: the most first, or smallest last. */
static size_t put_in_order(uint32_t *order, const symmetric *g, ad_order_kind kind, uint32_t *room) {
  const ad_sparsity *s = g->s;
  const size_t n = s->rows;
  size_t count = 0;
  for (size_t v = 0; v < n; v++)
    if (degree_of(s, v) && !g->apart[v]) order[count++] = (uint32_t)v;
  if (kind == AD_ORDER_NATURAL || !count) return count;
  /* a bucket queue on degrees; room: head of n + 1, then next, before and degree of n */
  uint32_t *head = room, *next = head + n + 1, *before = next + n, *degree = before + n;
  memset(head, 0xFF, (n + 1) * sizeof *head);
  for (size_t t = count; t-- > 0;) {
    const uint32_t v = order[t], d = (uint32_t)degree_of(s, v);
    degree[v] = d, next[v] = head[d], before[v] = NONE;
    if (head[d] != NONE) before[head[d]] = v;
    head[d] = v;
  }
  const bool last = kind == AD_ORDER_SMALLEST_LAST;
  if (!last) {
    size_t t = 0;
    for (size_t d = n + 1; d-- > 0;)
      for (uint32_t v = head[d]; v != NONE; v = next[v]) order[t++] = v;
    return count;
  }
  uint32_t at = 0;
  for (size_t t = count; t-- > 0;) {
    while (head[at] == NONE) at++;
    const uint32_t v = head[at];
    head[at] = next[v];
    if (next[v] != NONE) before[next[v]] = NONE;
    degree[v] = NONE;
    order[t] = v;
    for (size_t k = s->start[v]; k < s->start[v + 1]; k++) {
      const uint32_t w = s->column[k];
      if (w == v || g->apart[w] || degree[w] == NONE) continue;
      if (before[w] == NONE)
        head[degree[w]] = next[w];
      else
        next[before[w]] = next[w];
      if (next[w] != NONE) before[next[w]] = before[w];
      const uint32_t d = --degree[w];
      before[w] = NONE, next[w] = head[d];
      if (head[d] != NONE) before[head[d]] = w;
      head[d] = w;
      if (d < at) at = d;
    }
  }
  return count;
}

static void close_symmetric(symmetric *g) {
  void *parts[] = {g->mirror, g->colour, g->apart, g->forbidden, g->first, g->treated, g->class_of, g->hub, g->visited};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) ad_free(parts[i]);
}

static ad_status open_symmetric(symmetric *g, const ad_sparsity *s, ad_colour_kind kind, ad_error *e) {
  const size_t n = s->rows, entries = s->start[n];
  *g = (symmetric){.s = s};
  if (entries >= NONE) return ad_fail(e, AD_ELIMIT, "a structure of %zu entries is too large to colour", entries);
  ad_status status = ad_sparsity_mirror(&g->mirror, s, e);
  if (status) return status;
  g->colour = ad_malloc(n, sizeof *g->colour);
  g->apart = ad_calloc(n, 1);
  g->forbidden = ad_malloc(n + 1, sizeof *g->forbidden);
  g->first = ad_malloc(n + 1, sizeof *g->first);
  g->treated = ad_malloc(n, sizeof *g->treated);
  g->class_of = ad_malloc(entries, sizeof *g->class_of);
  if (kind == AD_COLOUR_STAR)
    g->hub = ad_malloc(entries, sizeof *g->hub);
  else
    g->visited = ad_malloc(entries, sizeof *g->visited);
  if (!g->colour || !g->apart || !g->forbidden || !g->first || !g->treated || !g->class_of || (!g->hub && !g->visited))
    return ad_fail_memory(e);
  set_apart(g);
  return AD_OK;
}

ad_status ad_colour_symmetric(ad_colouring *c, const ad_sparsity *s, ad_colour_kind kind, ad_error *e) {
  symmetric g;
  const size_t n = s->rows;
  ad_status status = open_symmetric(&g, s, kind, e);
  uint32_t *order = NULL, *room = NULL, least = NONE;
  if (!status) {
    order = ad_malloc(n, sizeof *order);
    room = ad_malloc(n + 1, 4 * sizeof *room);
    c->column = ad_malloc(n, sizeof *c->column);
    if (!order || !room || !c->column) status = ad_fail_memory(e);
  }
  static const ad_order_kind orders[] = {AD_ORDER_NATURAL, AD_ORDER_LARGEST, AD_ORDER_SMALLEST_LAST};
  for (size_t k = 0; !status && k < sizeof orders / sizeof orders[0]; k++) {
    colour_all(&g, order, put_in_order(order, &g, orders[k], room));
    uint32_t used = 0;
    for (size_t v = 0; v < n; v++)
      if (g.colour[v] != NONE && g.colour[v] >= used) used = g.colour[v] + 1;
    for (size_t v = 0; v < n; v++)
      if (g.apart[v]) g.colour[v] = used++;
    if (used >= least) continue;
    least = used;
    uint32_t *t = c->column;
    c->column = g.colour, g.colour = t;
  }
  if (!status) c->column_colours = least;
  ad_free(order);
  ad_free(room);
  close_symmetric(&g);
  return status;
}
