"""Functions of each element of one tensor: of angles, and hyperbolic ones, with their inverses.

Integers become float32, as in PyTorch.
"""

from __future__ import annotations

from .elementwise import Real


class Sin(Real):
    """The sine."""

    name = "sin"
    torch = "torch.sin"
    onnx = "Sin"
    examples = ("input 3 -> sin",)


class Cos(Real):
    """The cosine."""

    name = "cos"
    torch = "torch.cos"
    onnx = "Cos"
    examples = ("input 3 -> cos",)


class Tan(Real):
    """The tangent."""

    name = "tan"
    torch = "torch.tan"
    onnx = "Tan"
    examples = ("input 3 -> tan",)


class Asin(Real):
    """The angle whose sine it is; nan beyond -1 and 1."""

    name = "asin"
    torch = "torch.asin"
    onnx = "Asin"
    examples = ("input 3 -> tanh -> asin",)


class Acos(Real):
    """The angle whose cosine it is; nan beyond -1 and 1."""

    name = "acos"
    torch = "torch.acos"
    onnx = "Acos"
    examples = ("input 3 -> tanh -> acos",)


class Atan(Real):
    """The angle whose tangent it is."""

    name = "atan"
    torch = "torch.atan"
    onnx = "Atan"
    examples = ("input 3 -> atan",)


class Sinh(Real):
    """The hyperbolic sine."""

    name = "sinh"
    torch = "torch.sinh"
    onnx = "Sinh"
    examples = ("input 3 -> sinh",)


class Cosh(Real):
    """The hyperbolic cosine."""

    name = "cosh"
    torch = "torch.cosh"
    onnx = "Cosh"
    examples = ("input 3 -> cosh",)


class Asinh(Real):
    """The number whose hyperbolic sine it is."""

    name = "asinh"
    torch = "torch.asinh"
    onnx = "Asinh"
    examples = ("input 3 -> asinh",)


class Acosh(Real):
    """The number whose hyperbolic cosine it is; nan below 1."""

    name = "acosh"
    torch = "torch.acosh"
    onnx = "Acosh"
    examples = ("input 3 -> cosh -> acosh",)


class Atanh(Real):
    """The number whose hyperbolic tangent it is."""

    name = "atanh"
    torch = "torch.atanh"
    onnx = "Atanh"
    examples = ("input 3 -> tanh -> atanh",)
