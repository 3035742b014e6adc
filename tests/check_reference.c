/* Every command's derivatives against a second opinion: random graphs at several points, evaluated by MPFR alone and
 * differentiated by central differences, with the inputs in any order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphs.h"
#include "methods.h"
#include "reference.h"
#include "suite.h"

/* What is right at one point. */
typedef struct truth {
  ref_numbers want[METHODS_KINDS];
  double largest[METHODS_KINDS];
  const char *yaml;
} truth;

typedef struct problem {
  ref_graph g;
  char yaml[REF_TEXT];
  methods m;
  int place[METHODS_COLUMNS]; /* where a column is in a point */
  truth at[REF_POINTS];
  ad_graph *graph;
} problem;

static size_t seen;

/* ---- The inputs, in any order */

static void shuffle(problem *p, ulps_random *r) {
  methods *m = &p->m;
  const size_t inputs = (size_t)p->g.inputs;
  for (size_t i = 0; i < inputs; i++) { /* insertion at random places */
    const size_t j = ulps_random_bits(r) % (i + 1);
    m->wrt[i] = m->wrt[j];
    m->wrt[j] = (ad_node)i;
  }
  m->wrt_count = ulps_random_bits(r) % 2 ? inputs : 1 + ulps_random_bits(r) % inputs;
  methods_measure(m);
  for (size_t c = 0; c < m->columns; c++) {
    const ad_node n = m->column[c].input;
    p->place[c] = ref_first(&p->g, (int)n) + (int)m->column[c].element;
    m->direction[c] = 0.125 * (double)(1 + ulps_random_bits(r) % 12) * (ulps_random_bits(r) % 2 ? 1 : -1);
  }
  for (size_t i = 0; i < m->rows; i++) m->weight[i] = 0.25 * (double)(1 + ulps_random_bits(r) % 8);
}

/* ---- The truth */

/* Derivatives of all rows, each along one of the directions: column c is number c, the direction number -1. */
static ref_numbers along(const problem *p, int point, int order, const int *which) {
  double move[METHODS_ORDER][REF_COLUMNS] = {{0}};
  const double *direction[METHODS_ORDER];
  ref_numbers out = ref_numbers_new((int)p->m.rows);
  for (int k = 0; k < order; k++) {
    direction[k] = move[k];
    for (size_t c = 0; c < p->m.columns; c++)
      move[k][p->place[c]] = which[k] < 0 ? p->m.direction[c] : which[k] == (int)c;
  }
  ref_derivative(&p->g, point, order, direction, REF_STEP, &out);
  return out;
}

static void add_product(mpfr_ptr sum, mpfr_srcptr x, double factor) {
  mpfr_t t;
  mpfr_init2(t, REF_BITS);
  mpfr_mul_d(t, x, factor, MPFR_RNDN);
  mpfr_add(sum, sum, t, MPFR_RNDN);
  mpfr_clear(t);
}

static void find_first(const problem *p, int point, truth *t) {
  const size_t rows = p->m.rows, columns = p->m.columns;
  for (size_t c = 0; c < columns; c++) {
    ref_numbers d = along(p, point, 1, (int[]){(int)c});
    for (size_t r = 0; r < rows; r++) {
      mpfr_set(t->want[METHODS_JACOBIAN].v[r * columns + c], d.v[r], MPFR_RNDN);
      add_product(t->want[METHODS_VJP].v[c], d.v[r], p->m.weight[r]);
    }
    ref_numbers_free(&d);
  }
}

static void find_second(const problem *p, int point, truth *t) {
  const size_t columns = p->m.columns;
  for (size_t i = 0; i < columns; i++)
    for (size_t j = 0; j <= i; j++) {
      ref_numbers d = along(p, point, 2, (int[]){(int)i, (int)j});
      for (int other = 0; other < 2; other++) {
        const size_t at = other ? j * columns + i : i * columns + j;
        mpfr_set(t->want[METHODS_HESSIAN].v[at], d.v[0], MPFR_RNDN);
        mpfr_set(t->want[METHODS_MIXED].v[at], d.v[0], MPFR_RNDN);
        mpfr_set_zero(t->want[METHODS_WEIGHTED].v[at], 1);
        for (size_t r = 1; r < p->m.rows; r++) add_product(t->want[METHODS_WEIGHTED].v[at], d.v[r], p->m.weight[r]);
      }
      ref_numbers_free(&d);
    }
}

/* By differences along the direction itself, not by sums of partial derivatives. */
static void find_directional(const problem *p, int point, truth *t) {
  const size_t rows = p->m.rows, columns = p->m.columns;
  for (int j = 0; j <= METHODS_ORDER; j++) {
    ref_numbers d = along(p, point, j, (int[]){-1, -1, -1, -1});
    for (size_t r = 0; r < rows; r++) {
      if (j == 1) mpfr_set(t->want[METHODS_JVP].v[r], d.v[r], MPFR_RNDN);
      mpfr_div_d(t->want[METHODS_SERIES].v[(size_t)j * rows + r], d.v[r], tgamma(j + 1), MPFR_RNDN);
    }
    ref_numbers_free(&d);
  }
  for (size_t c = 0; c < columns; c++) {
    ref_numbers d = along(p, point, 2, (int[]){-1, (int)c});
    mpfr_set(t->want[METHODS_HVP].v[c], d.v[0], MPFR_RNDN);
    ref_numbers_free(&d);
  }
  ref_numbers_free(&t->want[METHODS_THIRD]);
  t->want[METHODS_THIRD] = along(p, point, 3, (int[]){0, 0, (int)columns - 1});
}

/* At the first point all kinds, at others those of batches. */
static void find_truth(problem *p, int point) {
  const int rows = (int)p->m.rows, columns = (int)p->m.columns;
  const int counts[METHODS_KINDS] = {
      [METHODS_VALUE] = rows,  [METHODS_JACOBIAN] = rows * columns,           [METHODS_JVP] = rows,
      [METHODS_VJP] = columns, [METHODS_HESSIAN] = columns * columns,         [METHODS_WEIGHTED] = columns * columns,
      [METHODS_HVP] = columns, [METHODS_SERIES] = rows * (METHODS_ORDER + 1), [METHODS_MIXED] = columns * columns,
      [METHODS_THIRD] = rows};
  static const double still[REF_COLUMNS];
  truth *t = &p->at[point];
  t->yaml = p->yaml;
  for (int k = 0; k < METHODS_KINDS; k++) t->want[k] = ref_numbers_new(counts[k]);
  ref_evaluate(&p->g, point, still, 0, &t->want[METHODS_VALUE]);
  find_first(p, point, t);
  find_second(p, point, t);
  if (!point) find_directional(p, point, t);
  for (int k = 0; k < METHODS_KINDS; k++) {
    t->largest[k] = 1;
    for (int i = 0; i < counts[k]; i++)
      t->largest[k] = fmax(t->largest[k], fabs(mpfr_get_d(t->want[k].v[i], MPFR_RNDN)));
  }
}

/* ---- The comparison */

/* MPFR has 256 bits, and differences more than 190 of any number that is not tiny: 28 digits leave room.  Nodes of
 * these graphs are at most 20 and 1/20 from any edge, so double loses few bits, but no simple bound says how few where
 * large terms cancel: it is held to 2^-30 of the largest number of the kind.  Graphs in which that is above 2^20 are
 * not used. */
static double bound(const truth *t, methods_what what, mpfr_srcptr want, ad_kind kind) {
  if (kind == AD_KIND_F64) return 0x1p-30 * t->largest[what];
  return 0x1p-93 * fmax(fabs(mpfr_get_d(want, MPFR_RNDN)), 0x1p-20);
}

static const char *const kinds[METHODS_KINDS] = {
    "value",           "Jacobian", "jvp", "vjp", "Hessian", "weighted Hessian", "hvp", "series", "mixed derivative",
    "third derivative"};

static void compare(void *context, methods_what what, size_t i, const char *how, const ad_span *s, size_t k) {
  const truth *t = context;
  ck_assert_int_lt((int)i, t->want[what].count);
  mpfr_srcptr want = t->want[what].v[i];
  mpfr_t off;
  mpfr_init2(off, REF_BITS);
  if (s->kind == AD_KIND_F64)
    mpfr_sub_d(off, want, ad_span_double(s, k), MPFR_RNDN);
  else
    mpfr_sub(off, want, (const __mpfr_struct *)s->data + k, MPFR_RNDN);
  const double error = fabs(mpfr_get_d(off, MPFR_RNDN));
  mpfr_clear(off);
  seen++;
  ck_assert_msg(error <= bound(t, what, want, s->kind), "%s, %s: number %zu is %.17g, not %.17g, off by %g, of\n%s",
                kinds[what], how, i, ad_span_double(s, k), mpfr_get_d(want, MPFR_RNDN), error, t->yaml);
}

static bool moderate(const problem *p) {
  for (int point = 0; point < p->g.points; point++)
    for (int k = 0; k < METHODS_KINDS; k++)
      if (!(p->at[point].largest[k] < 0x1p20)) return false;
  return true;
}

/* ---- One graph */

static void open_problem(problem *p, uint64_t seed) {
  ulps_random r = {seed};
  memset(p, 0, sizeof *p);
  ref_random(&p->g, &r, true);
  ref_write(&p->g, 0, p->yaml);
  must(ad_graph_read(&p->graph, p->yaml, strlen(p->yaml), "random.yaml", NULL, &graphs_error));
  p->m.g = p->graph;
  p->m.see = compare;
  p->m.context = p->at;
  shuffle(p, &r);
  for (int point = 0; point < p->g.points; point++) find_truth(p, point);
}

static void close_problem(problem *p) {
  for (int point = 0; point < p->g.points; point++)
    for (int k = 0; k < METHODS_KINDS; k++) ref_numbers_free(&p->at[point].want[k]);
  ad_graph_free(p->graph);
}

static void run_batches(problem *p) {
  double rows[REF_POINTS * REF_COLUMNS];
  const size_t width = (size_t)ref_first(&p->g, p->g.inputs);
  for (int point = 0; point < p->g.points; point++)
    memcpy(rows + (size_t)point * width, p->g.point[point], width * sizeof *rows);
  methods_run_batch(&p->m, rows, (size_t)p->g.points, sizeof *p->at);
}

START_TEST(all_methods_give_what_the_reference_gives) {
  const int graphs = (int)ceil(40 * ulps_multiplier());
  static problem p;
  int used = 0;
  for (int i = 0; i < graphs; i++) {
    open_problem(&p, ulps_seed() + (uint64_t)i);
    if (getenv("ADTOOL_TEST_VERBOSE")) printf("graph %d:\n%s\n", i, p.yaml);
    if (moderate(&p)) {
      used++;
      methods_run(&p.m);
      run_batches(&p);
    }
    close_problem(&p);
  }
  printf("%zu numbers of %d graphs\n", seen, used);
  ck_assert_int_gt(2 * used, graphs);
}
END_TEST

int main(void) {
  Suite *s = suite_create("reference");
  TCase *t = tcase_create("random graphs");
  printf("seed %llu (ADTOOL_TEST_SEED), multiplier %g (ADTOOL_TEST_MULTIPLIER)\n", (unsigned long long)ulps_seed(),
         ulps_multiplier());
  fflush(stdout);
  tcase_set_timeout(t, 120 * fmax(1, ulps_multiplier()));
  tcase_add_test(t, all_methods_give_what_the_reference_gives);
  suite_add_tcase(s, t);
  return suite_run(s);
}
