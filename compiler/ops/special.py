"""Special functions of each element: the tails of the normal distribution, and the gamma function.

Integers are converted to float32, as in PyTorch. In ONNX, which has none of them, they are series, computed in float64: exact for float32,
while of float64 the last digits may differ, of `erfc` and `erfinv` all but the first six.
"""

from __future__ import annotations

from .elementwise import Real


class Erfc(Real):
    """`1 - erf(x)`, exact where that is small: the tail of the normal distribution."""

    name = "erfc"
    examples = ("input 3 -> erfc",)


class Erfinv(Real):
    """The inverse of the error function; NaN outside -1 to 1."""

    name = "erfinv"
    examples = ("input 3 -> tanh -> erfinv",)


class Lgamma(Real):
    """The logarithm of the absolute value of the gamma function."""

    name = "lgamma"
    examples = ("input 3 -> lgamma",)


class Digamma(Real):
    """The derivative of the logarithm of the gamma function; NaN for negative integers."""

    name = "digamma"
    examples = ("input 3 -> digamma",)
