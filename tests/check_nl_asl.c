/* AMPL's own solver library reads what adtool writes, and finds there what it finds in the file that adtool read:
 * sizes, bounds, and values and derivatives at the start, but for the rounding of sums that were written in another
 * order.  Models in ../shared/data/nl; without that folder there is nothing to do. */
#include <dirent.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adtool.h"
#include "suite.h"

#include <asl.h> /* last: it is full of macros */

static ad_error err;
static char folder[900];
static char **names;
static int name_count;

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_models(void) {
  const char *root = getenv("ADTOOL_SRCDIR");
  snprintf(folder, sizeof folder, "%s/../shared/data/nl", root ? root : ".");
  DIR *d = opendir(folder);
  for (struct dirent *entry; d && (entry = readdir(d));) {
    const size_t n = strlen(entry->d_name);
    if (n < 4 || strcmp(entry->d_name + n - 3, ".nl") != 0) continue;
    names = realloc(names, ((size_t)name_count + 1) * sizeof *names);
    if (!names || !(names[name_count++] = strdup(entry->d_name))) abort();
  }
  if (d) closedir(d);
  if (name_count) qsort(names, (size_t)name_count, sizeof *names, by_name);
}

static ASL *load(const char *path) {
  char stub[1024];
  snprintf(stub, sizeof stub, "%s", path);
  ASL *asl = ASL_alloc(ASL_read_fg);
  FILE *nl = jac0dim(stub, (fint)strlen(stub));
  X0 = NULL;
  want_xpi0 = 3;
  ck_assert_msg(!fg_read(nl, ASL_return_read_err), "the library does not read %s", path);
  return asl;
}

/* The same number, or as far from it as rounding can take it: some roundings of numbers up to `scale`, the largest of
 * its kind, and what moving the variables by a unit in their last place does. */
static void expect_near(double a, double b, double scale, double moved, const char *what, const char *name) {
  enum { ROUNDINGS = 64, INSIDE = 4 }; /* values inside are rounded more often than the variables */
  if (a == b || (isnan(a) && isnan(b))) return;
  ck_assert_msg(fabs(a - b) <= ROUNDINGS * DBL_EPSILON * fmax(fabs(b), scale) + INSIDE * moved,
                "%s: %s is %.17g, and was %.17g", name, what, a, b);
}

static double largest(const double *v, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; i++)
    if (isfinite(v[i])) most = fmax(most, fabs(v[i]));
  return most;
}

typedef struct numbers {
  fint failed;
  double obj;
  double *con, *gradient, *jacobian; /* jacobian: dense, one row after the other where that is not too large */
} numbers;

static void *room(size_t count) {
  void *p = calloc(count + 1, sizeof(double));
  ck_assert_ptr_nonnull(p);
  return p;
}

static numbers evaluate(ASL *asl, const double *x) {
  numbers r = {.con = room((size_t)n_con), .gradient = room((size_t)n_var)};
  double *point = room((size_t)n_var), *jac = room((size_t)nzc);
  memcpy(point, x, (size_t)n_var * sizeof *x);
  if (n_obj) r.obj = objval(0, point, &r.failed);
  if (n_con && !r.failed) conval(point, r.con, &r.failed);
  if (n_obj && !r.failed) objgrd(0, point, r.gradient, &r.failed);
  if (n_con && !r.failed) jacval(point, jac, &r.failed);
  r.jacobian = room((size_t)n_con * (size_t)n_var);
  for (int i = 0; i < n_con; i++)
    for (cgrad *c = Cgrad[i]; c; c = c->next) r.jacobian[(size_t)i * (size_t)n_var + (size_t)c->varno] = jac[c->goff];
  free(point);
  free(jac);
  return r;
}

static void clear_numbers(numbers *r) {
  free(r->con);
  free(r->gradient);
  free(r->jacobian);
}

/* The largest differences to what is at points near by. */
static numbers find_moved(ASL *asl, const double *x, const numbers *at) {
  enum { SAMPLES = 8 };
  const size_t n = (size_t)n_var, m = (size_t)n_con;
  numbers most = {.con = room(m), .gradient = room(n), .jacobian = room(m * n)};
  double *near = room(n);
  uint64_t state = 20240229;
  for (int i = 0; i < SAMPLES; i++) {
    for (size_t k = 0; k < n; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
      near[k] = nextafter(x[k], state >> 63 ? INFINITY : -INFINITY);
    }
    numbers there = evaluate(asl, near);
    most.obj = fmax(most.obj, fabs(there.obj - at->obj));
    for (size_t k = 0; k < m; k++) most.con[k] = fmax(most.con[k], fabs(there.con[k] - at->con[k]));
    for (size_t k = 0; k < n; k++) most.gradient[k] = fmax(most.gradient[k], fabs(there.gradient[k] - at->gradient[k]));
    for (size_t k = 0; k < m * n; k++)
      most.jacobian[k] = fmax(most.jacobian[k], fabs(there.jacobian[k] - at->jacobian[k]));
    clear_numbers(&there);
  }
  free(near);
  return most;
}

static void compare(ASL *was, ASL *is, const double *x, const char *name) {
  ASL *asl = was;
  const size_t n = (size_t)n_var, m = (size_t)n_con;
  numbers a = evaluate(was, x), b = evaluate(is, x);
  ck_assert_msg(!a.failed == !b.failed, "%s: evaluated in one file, not in the other", name);
  if (!a.failed) {
    numbers moved = find_moved(was, x, &a);
    expect_near(b.obj, a.obj, largest(a.gradient, n), moved.obj, "the objective", name);
    for (size_t i = 0; i < m; i++)
      expect_near(b.con[i], a.con[i], largest(a.con, m), moved.con[i], "a constraint", name);
    for (size_t i = 0; i < n; i++)
      expect_near(b.gradient[i], a.gradient[i], largest(a.gradient, n), moved.gradient[i],
                  "a derivative of the objective", name);
    for (size_t i = 0; i < m; i++)
      for (size_t k = 0; k < n; k++)
        expect_near(b.jacobian[i * n + k], a.jacobian[i * n + k], 0, moved.jacobian[i * n + k],
                    "a derivative of a constraint", name);
    clear_numbers(&moved);
  }
  clear_numbers(&a);
  clear_numbers(&b);
}

static void same_bounds(const double *a, const double *b, size_t count, const char *what, const char *name) {
  ck_assert_msg(!a == !b, "%s: %s", name, what);
  for (size_t i = 0; a && i < 2 * count; i++)
    ck_assert_msg(a[i] == b[i], "%s: %s %zu is %.17g, and was %.17g", name, what, i / 2, b[i], a[i]);
}

START_TEST(the_library_reads_it) {
  const char *name = names[_i / 2];
  char path[1024], written[] = "/tmp/check_nl_asl.XXXXXX.nl";
  ad_graph *g;
  const int fd = mkstemps(written, 3);
  ck_assert_int_ge(fd, 0);
  close(fd);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  ck_assert_msg(!ad_graph_load(&g, path, NULL, &err), "%s: %s", name, err.message);
  ck_assert_msg(!ad_graph_save(g, written, &(ad_write_options){.format = "nl", .binary = _i % 2}, &err), "%s: %s", name,
                err.message);
  ASL *was = load(path), *is = load(written);
  unlink(written);
#define SAME(field)                                                                                      \
  ck_assert_msg(was->i.field == is->i.field, "%s: " #field " is %d, and was %d", name, (int)is->i.field, \
                (int)was->i.field)
  SAME(n_var_);
  SAME(n_con_);
  SAME(n_obj_);
  SAME(nlc_);
  SAME(nlo_);
  SAME(nlvc_);
  SAME(nlvo_);
  SAME(nlvb_);
  SAME(nranges_);
  SAME(nbv_);
  SAME(niv_);
  SAME(nlvbi_);
  SAME(nlvci_);
  SAME(nlvoi_);
  SAME(nlnc_);
  SAME(lnc_);
  SAME(nzc_);
  SAME(nzo_);
  SAME(n_cc_);
  same_bounds(was->i.LUv_, is->i.LUv_, (size_t)was->i.n_var_, "bounds of variable", name);
  same_bounds(was->i.LUrhs_, is->i.LUrhs_, (size_t)was->i.n_con_, "bounds of constraint", name);
  for (int i = 0; i < was->i.n_obj_; i++) ck_assert_int_eq(was->i.objtype_[i], is->i.objtype_[i]);
  compare(was, is, ad_graph_node_values(g, 0).value, name);
  ASL_free(&was);
  ASL_free(&is);
  ad_graph_free(g);
}
END_TEST

int main(void) {
  find_models();
  if (!name_count) {
    printf("skipped: there is no folder %s\n", folder);
    return 77;
  }
  Suite *s = suite_create("nl_asl");
  TCase *c = tcase_create("files");
  tcase_add_loop_test(c, the_library_reads_it, 0, 2 * name_count);
  tcase_set_timeout(c, 120);
  suite_add_tcase(s, c);
  const int status = suite_run(s);
  for (int i = 0; i < name_count; i++) free(names[i]);
  free(names);
  return status;
}
