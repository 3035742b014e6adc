#include "problems.h"

#include <stdlib.h>

#include "graphs.h"

double problems_x(size_t i) {
  return (double)((i * 37) % 64) / 16 - 1.75;
}

typedef struct problem {
  ad_graph *g;
  size_t n;
  ad_node *x; /* elements */
} problem;

static problem start(size_t n) {
  problem p = {graphs_new(), n, malloc((n + 1) * sizeof *p.x)};
  double *value = malloc((n + 1) * sizeof *value);
  for (size_t i = 0; i < n; i++) value[i] = problems_x(i);
  const ad_node x = graphs_input(p.g, "x", SHAPE((int64_t)n), value, n);
  free(value);
  for (int64_t i = 0; i < (int64_t)n; i++)
    p.x[i] = graphs_apply(
        p.g, "slice", NODES(x),
        ATTRS(INTS_ATTR("start", i), INTS_ATTR("stop", i + 1), INTS_ATTR("step", 1), INTS_ATTR("squeeze", 0)));
  return p;
}

static ad_graph *finish(problem *p, const ad_node *f, size_t count) {
  ad_node out = f[0];
  if (count > 1) out = graphs_apply(p->g, "stack", count, f, 0, NULL);
  must(ad_graph_output(p->g, "f", out, &graphs_error));
  free(p->x);
  return p->g;
}

#define OP2(op, a, b) graphs_binary(p.g, op, a, b)
#define NUM(v) graphs_constant(p.g, v)

ad_graph *problems_broyden(size_t n) {
  problem p = start(n);
  ad_node *f = malloc(n * sizeof *f);
  const ad_node one = NUM(1), two = NUM(2), three = NUM(3);
  for (size_t i = 0; i < n; i++) {
    ad_node z = OP2("mul", OP2("sub", three, OP2("mul", two, p.x[i])), p.x[i]);
    if (i) z = OP2("sub", z, p.x[i - 1]);
    if (i + 1 < n) z = OP2("sub", z, OP2("mul", two, p.x[i + 1]));
    f[i] = OP2("add", z, one);
  }
  ad_graph *g = finish(&p, f, n);
  free(f);
  return g;
}

ad_graph *problems_rosenbrock_residuals(size_t n) {
  problem p = start(n);
  ad_node *f = malloc(2 * n * sizeof *f);
  const ad_node one = NUM(1), ten = NUM(10);
  for (size_t i = 0; i + 1 < n; i++) {
    f[2 * i] = OP2("mul", ten, OP2("sub", p.x[i + 1], graphs_unary(p.g, "sqr", p.x[i])));
    f[2 * i + 1] = OP2("sub", one, p.x[i]);
  }
  ad_graph *g = finish(&p, f, 2 * (n - 1));
  free(f);
  return g;
}

ad_graph *problems_rosenbrock(size_t n) {
  problem p = start(n);
  const ad_node one = NUM(1), hundred = NUM(100);
  ad_node sum = NUM(0);
  for (size_t i = 0; i + 1 < n; i++) {
    const ad_node a = graphs_unary(p.g, "sqr", OP2("sub", p.x[i + 1], graphs_unary(p.g, "sqr", p.x[i])));
    const ad_node b = graphs_unary(p.g, "sqr", OP2("sub", one, p.x[i]));
    sum = OP2("add", sum, OP2("add", OP2("mul", hundred, a), b));
  }
  return finish(&p, &sum, 1);
}

ad_graph *problems_arrowhead(size_t n) {
  problem p = start(n);
  ad_node *f = malloc(n * sizeof *f), sum = graphs_unary(p.g, "sqr", p.x[0]);
  for (size_t i = 1; i < n; i++) {
    sum = OP2("add", sum, graphs_unary(p.g, "sqr", p.x[i]));
    f[i] = OP2("mul", p.x[i], p.x[0]);
  }
  f[0] = sum;
  ad_graph *g = finish(&p, f, n);
  free(f);
  return g;
}

ad_graph *problems_minimal_surface(size_t m) {
  problem p = start(m * m);
  const ad_node one = NUM(1), two = NUM(2);
  ad_node sum = NUM(0);
  for (size_t i = 0; i + 1 < m; i++)
    for (size_t j = 0; j + 1 < m; j++) {
      const ad_node *a = p.x + i * m + j;
      const ad_node u = graphs_unary(p.g, "sqr", OP2("sub", a[0], a[m + 1]));
      const ad_node v = graphs_unary(p.g, "sqr", OP2("sub", a[1], a[m]));
      const ad_node area = graphs_unary(p.g, "sqrt", OP2("add", one, OP2("mul", two, OP2("add", u, v))));
      sum = OP2("add", sum, area);
    }
  return finish(&p, &sum, 1);
}
