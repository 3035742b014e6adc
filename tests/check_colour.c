/* Colourings against their definitions, path by path, on random and structured matrices; numbers of colours against
 * known optima; and entries recovered from products against the matrix. */
#include <stdlib.h>
#include <string.h>

#include "derive/colour.h"
#include "exec/workspace.h"
#include "graphs.h"
#include "mem.h"
#include "suite.h"
#include "ulps.h"

/* A structure from a dense picture of it. */
typedef struct picture {
  size_t rows, columns;
  bool *at;
} picture;

static picture blank(size_t rows, size_t columns) {
  return (picture){rows, columns, calloc(rows * columns + 1, 1)};
}

static bool has(const picture *p, size_t i, size_t j) {
  return p->at[i * p->columns + j];
}

static picture random_picture(ulps_random *r, size_t rows, size_t columns, double density, bool symmetric) {
  picture p = blank(rows, columns);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      if (ulps_random_uniform(r, 0, 1) >= density) continue;
      p.at[i * columns + j] = true;
      if (symmetric) p.at[j * columns + i] = true;
    }
  return p;
}

static ad_sparsity structure_of(const picture *p) {
  ad_sparsity s = {p->rows, p->columns, calloc(p->rows + 1, sizeof *s.start),
                   calloc(p->rows * p->columns + 1, sizeof *s.column)};
  size_t n = 0;
  for (size_t i = 0; i < p->rows; i++) {
    for (size_t j = 0; j < p->columns; j++)
      if (has(p, i, j)) s.column[n++] = (uint32_t)j;
    s.start[i + 1] = n;
  }
  return s;
}

/* Every entry is alone among those of its colour in the product that it is read from. */
static void expect_direct(const picture *p, const ad_colouring *c) {
  for (size_t i = 0; i < p->rows; i++)
    for (size_t j = 0; j < p->columns; j++) {
      if (!has(p, i, j)) continue;
      const bool by_column = ad_colour_takes_column(c, i, (uint32_t)j);
      if (by_column) {
        ck_assert_uint_lt(c->column[j], c->column_colours);
        for (size_t k = 0; k < p->columns; k++)
          ck_assert_msg(k == j || !has(p, i, k) || c->column[k] != c->column[j], "columns %zu and %zu meet in row %zu",
                        j, k, i);
      } else {
        ck_assert_uint_lt(c->row[i], c->row_colours);
        for (size_t k = 0; k < p->rows; k++)
          ck_assert_msg(k == i || !has(p, k, j) || c->row[k] != c->row[i], "rows %zu and %zu meet in column %zu", i, k,
                        j);
      }
    }
}

/* No colour is left out. */
static void expect_used(const uint32_t *colour, size_t n, uint32_t colours) {
  bool *used = calloc(colours + 1, 1);
  for (size_t i = 0; i < n; i++) {
    if (colour[i] == AD_NO_COLOUR) continue;
    ck_assert_uint_lt(colour[i], colours);
    used[colour[i]] = true;
  }
  for (uint32_t c = 0; c < colours; c++) ck_assert_msg(used[c], "nothing has colour %u", c);
  free(used);
}

static bool edge(const picture *p, size_t a, size_t b) {
  return a != b && has(p, a, b);
}

static void expect_star(const picture *p, const uint32_t *c) {
  const size_t n = p->rows;
  for (size_t v = 0; v < n; v++)
    for (size_t w = 0; w < n; w++) {
      if (!edge(p, v, w)) continue;
      ck_assert_uint_ne(c[v], c[w]);
      for (size_t x = 0; x < n; x++) {
        if (x == v || !edge(p, w, x) || c[x] != c[v]) continue;
        for (size_t y = 0; y < n; y++)
          ck_assert_msg(y == w || y == v || !edge(p, x, y) || c[y] != c[w], "path %zu %zu %zu %zu has two colours", v,
                        w, x, y);
      }
    }
}

static size_t root(size_t *parent, size_t v) {
  while (parent[v] != v) v = parent[v];
  return v;
}

/* The edges between any two colours make a forest. */
static void expect_acyclic(const picture *p, const uint32_t *c, uint32_t colours) {
  const size_t n = p->rows;
  size_t *parent = calloc(n + 1, sizeof *parent);
  for (uint32_t a = 0; a < colours; a++)
    for (uint32_t b = a; b < colours; b++) {
      for (size_t v = 0; v < n; v++) parent[v] = v;
      for (size_t v = 0; v < n; v++)
        for (size_t w = 0; w < v; w++) {
          if (!edge(p, v, w) || !((c[v] == a && c[w] == b) || (c[v] == b && c[w] == a))) continue;
          ck_assert_msg(a != b, "neighbours %zu and %zu have one colour", v, w);
          ck_assert_msg(root(parent, v) != root(parent, w), "a cycle through %zu and %zu has two colours", v, w);
          parent[root(parent, v)] = root(parent, w);
        }
    }
  free(parent);
}

/* A matrix of distinct integers comes back from its products, in double and in MPFR. */
static void expect_recovered(const picture *p, const ad_sparsity *s, const ad_colouring *c) {
  static const char *const backends[] = {"tape", "mpfr"};
  ad_recovery r;
  const size_t n = p->rows;
  ad_graph *g = graphs_new();
  must(ad_graph_output(g, "f", graphs_constant(g, 1), &graphs_error));
  must(ad_recovery_new(&r, s, c, &graphs_error));
  ck_assert_uint_eq(r.colours, c->column_colours);
  double *sum = calloc(n * r.colours + 1, sizeof *sum);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      if (has(p, i, j)) sum[i * r.colours + c->column[j]] += (double)(1 + (i < j ? i * n + j : j * n + i));
  for (int b = 0; b < 2; b++) {
    graphs_run run = graphs_start(g, backends[b], (ad_workspace_options){0});
    void *product = run.w->engine->plane(run.w, n * r.colours);
    void *value = run.w->engine->plane(run.w, s->start[n]);
    for (size_t i = 0; i < n * r.colours; i++) run.w->engine->set(run.w, product, i, sum[i], NULL);
    ad_recovery_run(&r, run.w, value, product);
    const ad_span v = {run.w->engine->kind, s->start[n], value};
    for (size_t i = 0; i < n; i++)
      for (size_t k = s->start[i]; k < s->start[i + 1]; k++) {
        const size_t j = s->column[k];
        ck_assert_double_eq(ad_span_double(&v, k), (double)(1 + (i < j ? i * n + j : j * n + i)));
      }
    ad_free(product);
    ad_free(value);
    graphs_end(&run);
  }
  free(sum);
  ad_recovery_clear(&r);
  ad_graph_free(g);
}

static void check_picture(picture p, bool symmetric) {
  ad_sparsity s = structure_of(&p);
  ad_colouring c;
  for (ad_colour_kind kind = AD_COLOUR_COLUMNS; kind <= AD_COLOUR_BOTH; kind++) {
    must(ad_colour(&c, &s, kind, &graphs_error));
    ck_assert_int_eq(c.kind, kind);
    expect_direct(&p, &c);
    if (c.column) expect_used(c.column, p.columns, c.column_colours);
    if (c.row) expect_used(c.row, p.rows, c.row_colours);
    ad_colouring_clear(&c);
  }
  for (ad_colour_kind kind = AD_COLOUR_STAR; symmetric && kind <= AD_COLOUR_ACYCLIC; kind++) {
    must(ad_colour(&c, &s, kind, &graphs_error));
    expect_used(c.column, p.columns, c.column_colours);
    for (size_t i = 0; i < p.rows; i++) ck_assert((c.column[i] == AD_NO_COLOUR) == (s.start[i] == s.start[i + 1]));
    if (kind == AD_COLOUR_STAR) expect_star(&p, c.column);
    if (kind == AD_COLOUR_ACYCLIC) expect_acyclic(&p, c.column, c.column_colours);
    expect_recovered(&p, &s, &c);
    ad_colouring_clear(&c);
  }
  free(s.start);
  free(s.column);
  free(p.at);
}

START_TEST(random_matrices) {
  ulps_random r = {ulps_seed()};
  for (double i = 0; i < 200 * ulps_multiplier(); i++) {
    const size_t rows = ulps_random_bits(&r) % 30, columns = ulps_random_bits(&r) % 30;
    check_picture(random_picture(&r, rows, columns, ulps_random_log(&r, 0.01, 0.8), false), false);
    check_picture(random_picture(&r, columns, columns, ulps_random_log(&r, 0.01, 0.6), true), true);
  }
}
END_TEST

/* Few dense rows and columns among sparse ones. */
START_TEST(dense_lines) {
  ulps_random r = {ulps_seed() + 1};
  for (double i = 0; i < 30 * ulps_multiplier(); i++) {
    picture p = random_picture(&r, 40, 40, 0.03, true);
    for (size_t k = 0; k < 40; k++) p.at[k] = p.at[40 * k] = p.at[41 * k] = true;
    check_picture(p, true);
  }
}
END_TEST

/* ---- Known optima, at sizes where nobody looks at pictures */

enum { LARGE = 100000 };

/* The structure whose entries lie in a band, or in the first `dense` rows and columns. */
static ad_sparsity banded(size_t n, size_t below, size_t above, size_t dense) {
  ad_sparsity s = {n, n, calloc(n + 1, sizeof *s.start), malloc((n * (below + above + 1 + dense) + dense * n) * 4)};
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t first = i > below ? i - below : 0, last = i + above < n ? i + above : n - 1;
    if (i < dense) {
      for (size_t j = 0; j < n; j++) s.column[count++] = (uint32_t)j;
    } else {
      for (size_t j = 0; j < dense && j < first; j++) s.column[count++] = (uint32_t)j;
      for (size_t j = first; j <= last; j++) s.column[count++] = (uint32_t)j;
    }
    s.start[i + 1] = count;
  }
  return s;
}

static void expect_colours(size_t n, size_t below, size_t above, size_t dense, ad_colour_kind kind, uint32_t most) {
  ad_sparsity s = banded(n, below, above, dense);
  ad_colouring c;
  must(ad_colour(&c, &s, kind, &graphs_error));
  ck_assert_msg(c.row_colours + c.column_colours <= most, "%u + %u colours, not %u", c.row_colours, c.column_colours,
                most);
  if (kind >= AD_COLOUR_STAR) {
    ad_recovery r;
    must(ad_recovery_new(&r, &s, &c, &graphs_error)); /* which says when it can't be */
    ad_recovery_clear(&r);
  }
  ad_colouring_clear(&c);
  free(s.start);
  free(s.column);
}

/* A band of w wants w columns (a row has as many entries).  A symmetric one of half-width b is optimally coloured by
 * b + 1 colours so that no cycle has two, and 2 b + 1 so that no path of four has (Coleman and More, Estimation of
 * sparse Hessian matrices and graph coloring problems, Math. Prog. 28, 1984, for b = 1: 3). */
START_TEST(optima) {
  for (size_t n = 100; n <= LARGE; n *= 1000) {
    expect_colours(n, 1, 1, 0, AD_COLOUR_COLUMNS, 3);
    expect_colours(n, 1, 1, 0, AD_COLOUR_ROWS, 3);
    expect_colours(n, 2, 5, 0, AD_COLOUR_COLUMNS, 8);
    expect_colours(n, 0, 0, 0, AD_COLOUR_COLUMNS, 1);
    expect_colours(n, 0, 0, 1, AD_COLOUR_BOTH, 3);
    expect_colours(n, 0, 0, 1, AD_COLOUR_COLUMNS, (uint32_t)n);
    expect_colours(n, 1, 1, 2, AD_COLOUR_BOTH, 7);
    expect_colours(n, 0, 0, 1, AD_COLOUR_STAR, 2);
    expect_colours(n, 0, 0, 1, AD_COLOUR_ACYCLIC, 2);
    expect_colours(n, 1, 1, 0, AD_COLOUR_STAR, 3);
    expect_colours(n, 1, 1, 0, AD_COLOUR_ACYCLIC, 2);
    expect_colours(n, 3, 3, 0, AD_COLOUR_STAR, 7);
    expect_colours(n, 3, 3, 0, AD_COLOUR_ACYCLIC, 4);
  }
}
END_TEST

START_TEST(refusals) {
  ad_colouring c;
  size_t start[] = {0, 1, 1};
  uint32_t column[] = {1};
  const ad_sparsity lopsided = {2, 2, start, column}, flat = {2, 3, start, column};
  must_fail(AD_EUSAGE, "mirror image", ad_colour(&c, &lopsided, AD_COLOUR_STAR, &graphs_error));
  must_fail(AD_EUSAGE, "square", ad_colour(&c, &flat, AD_COLOUR_ACYCLIC, &graphs_error));
}
END_TEST

int main(void) {
  Suite *s = suite_create("colour");
  TCase *t = tcase_create("definitions and optima");
  tcase_set_timeout(t, 120);
  tcase_add_test(t, random_matrices);
  tcase_add_test(t, dense_lines);
  tcase_add_test(t, optima);
  tcase_add_test(t, refusals);
  suite_add_tcase(s, t);
  return suite_run(s);
}
