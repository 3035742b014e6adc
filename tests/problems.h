/* Problems of any size whose derivatives, structures and numbers of colours are known in closed form.  Each has one
 * vector input "x" of n elements, whose values are small dyadic fractions, so that sums and products of them are exact.
 */
#ifndef AD_TESTS_PROBLEMS_H
#define AD_TESTS_PROBLEMS_H

#include "adtool.h"

double problems_x(size_t i); /* element i of x */

/* f[i] = (3 - 2 x[i]) x[i] - x[i-1] - 2 x[i+1] + 1, tridiagonal (Broyden 1965). */
ad_graph *problems_broyden(size_t n);
/* f[2i] = 10 (x[i+1] - x[i]^2), f[2i+1] = 1 - x[i], i < n - 1. */
ad_graph *problems_rosenbrock_residuals(size_t n);
/* sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: its Hessian is tridiagonal. */
ad_graph *problems_rosenbrock(size_t n);
/* f[0] = sum of x[j]^2, f[i] = x[i] x[0]: the first row, the first column and the diagonal. */
ad_graph *problems_arrowhead(size_t n);
/* sum over the cells of a grid of m x m points of sqrt(1 + 2 ((a - d)^2 + (b - c)^2)), a, b, c, d the corners: in the
 * Hessian, all corners of a cell meet. */
ad_graph *problems_minimal_surface(size_t m);

#endif
