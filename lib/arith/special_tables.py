#!/usr/bin/env python3
"""Writes special_tables.h, the polynomials of special_f64.c and gamma_f64.c, to standard output.  Needs mpmath.

Each polynomial interpolates its function at Chebyshev nodes with 60 digits, which is within a small factor of the
best one; degrees are the smallest whose error is below 2^-58 of the function.  Run by hand; the result is kept.
"""
from mpmath import mp, mpf, bernoulli, cos, erfc, exp, factorial, findroot, lambertw, pi, psi, sqrt, tanh

mp.dps = 60


def polynomial(f, lo, hi, center, degree):
    """Coefficients in (x - center), lowest first, of the interpolant of f on [lo, hi]."""
    lo, hi, center = mpf(lo), mpf(hi), mpf(center)
    n = degree + 1
    nodes = [(lo + hi) / 2 + (hi - lo) / 2 * cos(pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    divided = [f(x) for x in nodes]
    for j in range(1, n):
        for i in range(n - 1, j - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (nodes[i] - nodes[i - j])
    c = [mpf(0)]
    for i in range(n - 1, -1, -1):
        shift = center - nodes[i]
        c = [(c[k] * shift if k < len(c) else 0) + (c[k - 1] if k else 0) for k in range(len(c) + 1)]
        c[0] += divided[i]
    return c[:n]


def worst(f, c, lo, hi, center):
    """The largest relative error of c on [lo, hi], as a power of two."""
    bad = mpf(0)
    for k in range(200):
        x = mpf(lo) + (mpf(hi) - mpf(lo)) * (mpf(k) + mpf(1) / 3) / 200
        y = f(x)
        bad = max(bad, abs(sum(a * (x - center) ** i for i, a in enumerate(c)) / y - 1))
    return float(mp.log(bad, 2)) if bad else -999.0


def smallest(f, lo, hi, center, bits=58, start=3):
    degree = start
    while True:
        c = polynomial(f, lo, hi, center, degree)
        if worst(f, c, lo, hi, mpf(center)) < -bits:
            return c
        degree += 1


def hexa(x):
    return float(x).hex()


def two(x):
    hi = float(x)
    return hi, float(x - mpf(hi))


def table(comment, name, c):
    print("/* %s */" % comment)
    print("static const double %s[%d] = {" % (name, len(c)))
    for i in range(0, len(c), 4):
        print("    " + ", ".join(hexa(a) for a in c[i:i + 4]) + ",")
    print("};\n")


def pair(comment, name, value):
    hi, lo = two(value)
    print("/* %s */" % comment)
    print("static const dd %s = {%s, %s};\n" % (name, hexa(hi), hexa(lo)))


def erfcx(x):
    return exp(x * x) * erfc(x)


print("/* Written by special_tables.py. */\n#ifndef AD_SPECIAL_TABLES_H\n#define AD_SPECIAL_TABLES_H\n\n"
      '#include "arith/dd.h"\n')

# erfcx on the quarters of each binade from 2^-2 to 2^5, all of one degree
rows = []
degree = 0
cells = []
for e in range(-2, 5):
    for q in range(4):
        lo = mpf(2) ** e * (1 + mpf(q) / 4)
        cells.append((lo, lo + mpf(2) ** e / 4, lo + mpf(2) ** e / 8))
for lo, hi, mid in cells:
    degree = max(degree, len(smallest(erfcx, lo, hi, mid)) - 1)
print("enum { ERFCX_COEFFICIENTS = %d };\n" % (degree + 1))
print("/* exp(x^2) erfc(x) on the quarters of the binades from 1/4 to 32, in powers of x less the quarter's middle;\n"
      " * the last column is what the first one lost to rounding */")
print("static const double ERFCX[%d][%d] = {" % (len(cells), degree + 2))
for lo, hi, mid in cells:
    c = polynomial(erfcx, lo, hi, mid, degree)
    row = [hexa(a) for a in c] + [hexa(two(c[0])[1])]
    print("    {" + ", ".join(row) + "},")
print("};\n")

# gelu' = exp(-v^2/2) (v0 - v) Q(v), v = -x
gelu_bracket = lambda v: erfcx(v / sqrt(mpf(2))) / 2 - v / sqrt(2 * pi)
v0 = findroot(gelu_bracket, mpf("0.75"))
pair("-x where gelu'(x) = 0", "GELU_ROOT", v0)
table("(erfcx(v/sqrt 2)/2 - v/sqrt(2 pi)) / (root - v) on [0, 1.5], in powers of v - 0.75", "GELU_Q",
      smallest(lambda v: gelu_bracket(v) / (v0 - v), 0, 1.5, 0.75))

# silu' vanishes where 1 + x + e^x does
x0 = -1 - lambertw(exp(mpf(-1))).real
pair("where silu'(x) = 0: 1 + x + e^x = 0", "SILU_ROOT", x0)
pair("e^x there", "SILU_ROOT_EXP", exp(x0))

r = findroot(lambda x: psi(0, x), mpf("1.46"))
pair("the positive root of digamma", "DIGAMMA_ROOT", r)
table("digamma(x) / (x - root) on [1, 2], in powers of x - 1.5", "DIGAMMA_Q",
      smallest(lambda x: psi(0, x) / (x - r), 1, 2, 1.5))

table("(tanh(x)/x - 1)/x^2 on |x| < 0.375, in powers of x^2", "TANH_Q",
      smallest(lambda s: (tanh(sqrt(s)) / sqrt(s) - 1) / s, mpf(1) / 10 ** 12, mpf(9) / 64, 0, 54))

pair("log 2", "DD_LN2", mp.log(2))
pair("log(2 pi)/2", "HALF_LOG_2PI", mp.log(2 * pi) / 2)

print("/* B_2k / (2k)! for k = 1, 2, ... */\nstatic const dd BERNOULLI_OVER_FACTORIAL[16] = {")
for k in range(1, 17):
    print("    {%s, %s}," % tuple(map(hexa, two(bernoulli(2 * k) / factorial(2 * k)))))
print("};\n")

# exp(-s) that is a double to 2^-66: scales results near underflow with no error of its own
best = None
for k in range(64 * 64, 200 * 64):
    s = mpf(k) / 64
    hi, lo = two(exp(-s))
    if best is None or abs(lo / hi) < best[0]:
        best = (abs(lo / hi), s, hi)
print("/* exp(-TAIL_SHIFT) is TAIL_SCALE to within 2^%d of itself */" % int(mp.log(best[0], 2)))
print("static const double TAIL_SHIFT = %s, TAIL_SCALE = %s;\n" % (hexa(best[1]), hexa(best[2])))

print("#endif")
