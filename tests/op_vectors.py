#!/usr/bin/env python3
"""Writes op_vectors.txt: values and partials of every elementwise operation at a few points, by mpmath.

Values are the definitions below; partials are mpmath's numerical derivatives of those definitions, so nothing here is
shared with the library.  A new operation of the table needs a line in OPS.
Run: python3 op_vectors.py >op_vectors.txt
"""
from mpmath import mp, mpf, diff, floor, ceil, nint, sign, sqrt, cbrt, exp, log, pi, inf
from mpmath import sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, sech, asinh, acosh, atanh
from mpmath import erf, erfc, loggamma, psi, hypot, expm1, log1p, ncdf, re

DIGITS = 60
UNARY = ["-2.3", "0.1", "1/3", "0.9", "7.25"]
POSITIVE = ["1e-5", "0.1", "1/3", "2", "123.4"]
INSIDE = ["-0.99", "-1/3", "1e-10", "0.5"]
GAMMA = ["-2.7", "-0.5", "0.001", "0.3", "1.5", "4.25", "1000.1"]
PAIRS = ["0.3 1.7", "-2.5 0.7", "1.1 -3.25", "-0.2 -0.4", "7 5/3"]
POWERS = ["0.3 1.7", "2.5 -0.7", "1/3 2/3", "10 3.5", "1.0000001 1e6"]
TRIPLES = ["0.5 -1 2", "-1.5 -1 2", "2.5 -1 2", "0.25 0.5 0.125"]



OPS = {
    "neg": (lambda x: -x, UNARY),
    "add": (lambda x, y: x + y, PAIRS),
    "sub": (lambda x, y: x - y, PAIRS),
    "mul": (lambda x, y: x * y, PAIRS),
    "div": (lambda x, y: x / y, PAIRS),
    "pow": (lambda x, y: exp(y * log(x)), POWERS),
    "sqr": (lambda x: x * x, UNARY),
    "recip": (lambda x: 1 / x, UNARY),
    "sqrt": (lambda x: exp(log(x) / 2), POSITIVE),
    "cbrt": (lambda x: sign(x) * exp(log(abs(x)) / 3), UNARY),
    "hypot": (lambda x, y: sqrt(x * x + y * y), PAIRS),
    "mul_no_nan": (lambda x, y: x * y, PAIRS),
    "mul_or_zero": (lambda x, y: x * y, PAIRS),
    "abs": (lambda x: x if x > 0 else -x, UNARY),
    "sign": (lambda x: mpf(1) if x > 0 else mpf(-1), UNARY),
    "floor": (lambda x: floor(x), UNARY),
    "ceil": (lambda x: ceil(x), UNARY),
    "round": (lambda x: nint(x), UNARY),
    "trunc": (lambda x: floor(x) if x > 0 else ceil(x), UNARY),
    "rem": (lambda x, y: x - y * (floor(x / y) if x / y > 0 else ceil(x / y)), PAIRS),
    "max": (lambda x, y: x if x > y else y, PAIRS),
    "min": (lambda x, y: x if x < y else y, PAIRS),
    "clip": (lambda x, lo, hi: min(max(x, lo), hi), TRIPLES),
    "where": (lambda c, x, y: x if c != 0 else y, TRIPLES),
    "less": (lambda x, y: mpf(x < y), PAIRS),
    "less_equal": (lambda x, y: mpf(x <= y), PAIRS),
    "greater": (lambda x, y: mpf(x > y), PAIRS),
    "greater_equal": (lambda x, y: mpf(x >= y), PAIRS),
    "equal": (lambda x, y: mpf(x == y), PAIRS),
    "not_equal": (lambda x, y: mpf(x != y), PAIRS),
    "exp": (lambda x: mp.e ** x, UNARY),
    "expm1": (lambda x: exp(x) - 1, UNARY),
    "exp2": (lambda x: exp(x * log(2)), UNARY),
    "log": (lambda x: log(x), POSITIVE),
    "log1p": (lambda x: log(1 + x), ["-0.9", "1e-10", "1/3", "50"]),
    "log2": (lambda x: log(x) / log(2), POSITIVE),
    "log10": (lambda x: log(x) / log(10), POSITIVE),
    "xlogy": (lambda x, y: x * log(y), ["-2.5 0.7", "0.3 1.7", "1e-5 123.4", "1/3 2/3"]),
    "sin": (lambda x: sin(x), UNARY),
    "cos": (lambda x: cos(x), UNARY),
    "tan": (lambda x: sin(x) / cos(x), UNARY),
    "asin": (lambda x: asin(x), INSIDE),
    "acos": (lambda x: pi / 2 - asin(x), INSIDE),
    "atan": (lambda x: atan(x), UNARY),
    "atan2": (lambda y, x: atan2(y, x), PAIRS),
    "sinh": (lambda x: (exp(x) - exp(-x)) / 2, UNARY),
    "cosh": (lambda x: (exp(x) + exp(-x)) / 2, UNARY),
    "tanh": (lambda x: (exp(2 * x) - 1) / (exp(2 * x) + 1), UNARY),
    "sech": (lambda x: 2 / (exp(x) + exp(-x)), UNARY),
    "asinh": (lambda x: log(x + sqrt(x * x + 1)), UNARY),
    "acosh": (lambda x: log(x + sqrt(x * x - 1)), ["1.0001", "4/3", "20.5"]),
    "atanh": (lambda x: log((1 + x) / (1 - x)) / 2, INSIDE),
    "erf": (lambda x: erf(x), UNARY),
    "erfc": (lambda x: erfc(x), UNARY),
    "gauss": (lambda x: exp(-x * x), UNARY),
    "lgamma": (lambda x: re(loggamma(x)), GAMMA),
    "digamma": (lambda x: psi(0, x), GAMMA),
    "polygamma": (lambda n, x: psi(int(n), x), ["0 -2.7", "1 0.3", "1 -0.5", "2 1.5", "3 4.25", "7 -3.3", "20 11.5"]),
    "sigmoid": (lambda x: 1 / (1 + exp(-x)), UNARY),
    "softplus": (lambda x: log(1 + exp(x)), UNARY),
    "relu": (lambda x: x if x > 0 else mpf(0), UNARY),
    "leaky_relu": (lambda x, a: x if x > 0 else a * x, PAIRS),
    "silu": (lambda x: x / (1 + exp(-x)), UNARY),
    "gelu": (lambda x: x * erfc(-x / sqrt(mpf(2))) / 2, UNARY),
}


def number(text):
    return mpf(text.split("/")[0]) / mpf(text.split("/")[1]) if "/" in text else mpf(text)


def show(v):
    return "nan" if v is None else mp.nstr(v, DIGITS, strip_zeros=True)


def main():
    mp.dps = 4 * DIGITS
    print("# Operation, arguments = value ; partials.  Made by op_vectors.py; %d digits." % DIGITS)
    for name, (f, points) in OPS.items():
        for point in points:
            texts = point.split()
            args = [number(t) for t in texts]
            partials = []
            for k in range(len(args)):
                if name == "polygamma" and k == 0:
                    partials.append(None)  # orders are integers
                    continue
                order = tuple(int(i == k) for i in range(len(args)))
                partials.append(diff(f, tuple(args), order, h=mpf(10) ** (-DIGITS - 20)))
            print(name, point, "=", show(f(*args)), ";", " ".join(show(p) for p in partials))


main()
