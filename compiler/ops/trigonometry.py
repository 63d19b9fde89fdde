"""Trigonometric and hyperbolic functions of each element, with their inverses.

Integers are converted to float32, as in PyTorch.
"""

from __future__ import annotations

from .elementwise import Real


class Sin(Real):
    """The sine."""

    name = "sin"
    examples = ("input 3 -> sin",)


class Cos(Real):
    """The cosine."""

    name = "cos"
    examples = ("input 3 -> cos",)


class Tan(Real):
    """The tangent."""

    name = "tan"
    examples = ("input 3 -> tan",)


class Asin(Real):
    """The inverse sine; NaN outside -1 to 1."""

    name = "asin"
    examples = ("input 3 -> tanh -> asin",)


class Acos(Real):
    """The inverse cosine; NaN outside -1 to 1."""

    name = "acos"
    examples = ("input 3 -> tanh -> acos",)


class Atan(Real):
    """The inverse tangent."""

    name = "atan"
    examples = ("input 3 -> atan",)


class Sinh(Real):
    """The hyperbolic sine."""

    name = "sinh"
    examples = ("input 3 -> sinh",)


class Cosh(Real):
    """The hyperbolic cosine."""

    name = "cosh"
    examples = ("input 3 -> cosh",)


class Asinh(Real):
    """The inverse hyperbolic sine."""

    name = "asinh"
    examples = ("input 3 -> asinh",)


class Acosh(Real):
    """The inverse hyperbolic cosine; NaN below 1."""

    name = "acosh"
    examples = ("input 3 -> cosh -> acosh",)


class Atanh(Real):
    """The inverse hyperbolic tangent."""

    name = "atanh"
    examples = ("input 3 -> tanh -> atanh",)
