"""Emits special functions that ONNX lacks as series.

In: a tensor of float64. Out: another one. Always: NaN and infinities give PyTorch's results. The relative error is below 1e-6 for `erfc`
and `erfinv`, and below 1e-11 for the others.

    >>> import math
    >>> import netc
    >>> abs(float(netc.compile("input 1 float64 -> lgamma").session()([[4.5]])[0, 0]) - math.lgamma(4.5)) < 1e-9
    True
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, nan, pi

from .tensor_expressions import TensorExpr

_ERFC = (
    0.17087277,
    -0.82215223,
    1.48851587,
    -1.13520398,
    0.27886807,
    -0.18628806,
    0.09678418,
    0.37409196,
    1.00002368,
    -1.26551223,
)
"""Press et al., Numerical Recipes, section 6.2: a Chebyshev fit, highest power first."""
_ERFINV_NEAR = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
"""Giles, Approximating the erfinv function (2010)."""
_ERFINV_FAR = (
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
)
_STEPS = 8
"""The gamma function is reduced to arguments from this number on, where Stirling's series is exact."""
# B(2k) / (2k (2k - 1)) for k = 6 to 1, where B are the Bernoulli numbers. Below, for the derivative: -B(2k) / 2k.
_STIRLING = (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_DIGAMMA = (691 / 32760, -1 / 132, 1 / 240, -1 / 252, 1 / 120, -1 / 12)


def _evaluate_polynomial(x: TensorExpr, coefficients: Sequence[float]) -> TensorExpr:
    first, second, *rest = coefficients
    y = x * first + second
    for coefficient in rest:
        y = y * x + coefficient
    return y


def erfc(x: TensorExpr) -> TensorExpr:
    """Compute `1 - erf(x)`."""
    size = abs(x)
    t = (size * 0.5 + 1.0).op("Reciprocal")
    tail = t * (_evaluate_polynomial(t, _ERFC) - size * size).exp()
    return x.less(0.0).choose(-tail + 2.0, tail)


def erfinv(x: TensorExpr) -> TensorExpr:
    """Compute the inverse of erf."""
    # Not `1 - x * x`: near 1, rounding the square would lose the digits that the logarithm is about.
    w = -((-x + 1.0) * (x + 1.0)).log()
    near, far = _evaluate_polynomial(w - 2.5, _ERFINV_NEAR), _evaluate_polynomial(w.op("Sqrt") - 3.0, _ERFINV_FAR)
    factor = w.less(5.0).choose(near, far)
    # At -1 and 1, `w` is infinite, and the fits do not hold.
    return x * w.equal(inf).choose(x.like(inf), factor)


def _reflect_argument(x: TensorExpr) -> tuple[TensorExpr, TensorExpr, TensorExpr]:
    """Return whether the argument is below 1/2; the argument or else `1 - x`; and the distance of `x` from the nearest integer, which is
    exact even for -1e-20."""
    low = x.less(0.5)
    return low, low.choose(-x + 1.0, x), x - x.op("Round")


def lgamma(x: TensorExpr) -> TensorExpr:
    """Compute the logarithm of the absolute value of the gamma function."""
    low, z, part = _reflect_argument(x)
    product = z
    for step in range(1, _STEPS):
        product = product * (z + float(step))
    far = z + float(_STEPS)
    inverse = far.op("Reciprocal")
    series = _evaluate_polynomial(inverse * inverse, _STIRLING) * inverse
    above = (far - 0.5) * far.log() - far + (series + 0.5 * log(2 * pi)) - product.log()
    below = -abs((part * pi).op("Sin")).log() + log(pi) - above
    # At infinity, Stirling's series is infinity minus infinity.
    return abs(x).equal(inf).choose(x.like(inf), low.choose(below, above))


def digamma(x: TensorExpr) -> TensorExpr:
    """Compute the derivative of `lgamma`."""
    low, z, part = _reflect_argument(x)
    total = z.op("Reciprocal")
    for step in range(1, _STEPS):
        total = total + (z + float(step)).op("Reciprocal")
    far = z + float(_STEPS)
    inverse = far.op("Reciprocal")
    square = inverse * inverse
    above = far.log() - inverse * 0.5 + _evaluate_polynomial(square, _DIGAMMA) * square - total
    angle = part * pi
    pole = part.equal(0.0)
    below = pole.choose(x.like(nan), above - (angle.op("Cos") / angle.op("Sin")) * pi)
    # PyTorch gives -infinity at 0 and infinity at -0.0, and NaN at the other poles.
    return x.equal(0.0).choose(-x.op("Reciprocal"), low.choose(below, above))
