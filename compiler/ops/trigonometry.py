"""Functions of each element of one tensor: of angles, and hyperbolic ones, with their inverses.

Integers become float32, as in PyTorch.
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
    """The angle whose sine it is; nan beyond -1 and 1."""

    name = "asin"
    examples = ("input 3 -> tanh -> asin",)


class Acos(Real):
    """The angle whose cosine it is; nan beyond -1 and 1."""

    name = "acos"
    examples = ("input 3 -> tanh -> acos",)


class Atan(Real):
    """The angle whose tangent it is."""

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
    """The number whose hyperbolic sine it is."""

    name = "asinh"
    examples = ("input 3 -> asinh",)


class Acosh(Real):
    """The number whose hyperbolic cosine it is; nan below 1."""

    name = "acosh"
    examples = ("input 3 -> cosh -> acosh",)


class Atanh(Real):
    """The number whose hyperbolic tangent it is."""

    name = "atanh"
    examples = ("input 3 -> tanh -> atanh",)
