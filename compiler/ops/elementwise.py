"""Functions of each element of one tensor: arithmetic, exponentials and logarithms, rounding.

Those that leave the integers make float32 of them, as in PyTorch.
"""

from __future__ import annotations

from ..ir.types import BOOL, INT64, TensorType
from .base import OpInputs
from .pointwise import ANYTHING, NUMBERS, Pointwise


class Number(Pointwise):
    """Keeps integers as integers."""

    takes = NUMBERS


class Real(Pointwise):
    """Makes float32 of integers."""

    takes = ANYTHING
    promotes = True


class Neg(Number):
    """`-x`."""

    name = "neg"
    torch = "torch.neg"
    onnx = "Neg"
    prefix_symbol = "-"
    examples = ("x = input 3; -x", "input 3 -> neg")


class Abs(Number):
    """The absolute value."""

    name = "abs"
    torch = "torch.abs"
    onnx = "Abs"
    examples = ("input 3 -> abs",)


class Floor(Number):
    """The greatest integer that is not above."""

    name = "floor"
    torch = "torch.floor"
    onnx = "Floor"
    examples = ("input 3 -> floor",)


class Ceil(Number):
    """The least integer that is not below."""

    name = "ceil"
    torch = "torch.ceil"
    onnx = "Ceil"
    examples = ("input 3 -> ceil",)


class Round(Number):
    """The nearest integer; the even one of two."""

    name = "round"
    torch = "torch.round"
    onnx = "Round"
    examples = ("input 3 -> round",)


class Trunc(Number):
    """The integer part: towards 0."""

    name = "trunc"
    torch = "torch.trunc"
    onnx = "Abs, Floor and Sign"
    examples = ("input 3 -> trunc",)


class Sign(Number):
    """-1, 0 or 1."""

    name = "sign"
    torch = "torch.sign"
    onnx = "Sign"
    takes = ANYTHING
    examples = ("input 3 -> sign",)


class Square(Number):
    """`x * x`."""

    name = "square"
    torch = "torch.square"
    onnx = "Mul"
    takes = ANYTHING
    examples = ("input 3 -> square",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        return (x.with_dtype(INT64) if x.dtype == BOOL else x,)


class LogicalNot(Pointwise):
    """Whether it is false; numbers count as true unless they are 0."""

    name = "logical_not"
    torch = "torch.logical_not"
    onnx = "Not"
    takes = ANYTHING
    examples = ("x = input 3; x > 0 -> logical_not",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        return (given[0].with_dtype(BOOL),)


class Exp(Real):
    """`e ** x`."""

    name = "exp"
    torch = "torch.exp"
    onnx = "Exp"
    examples = ("input 3 -> exp",)


class Exp2(Real):
    """`2 ** x`."""

    name = "exp2"
    torch = "torch.exp2"
    onnx = "Pow"
    examples = ("input 3 -> exp2",)


class Expm1(Real):
    """`exp(x) - 1`, exact near 0."""

    name = "expm1"
    torch = "torch.expm1"
    onnx = "Tanh, Exp and arithmetic"
    examples = ("input 3 -> expm1",)


class Log(Real):
    """The natural logarithm."""

    name = "log"
    torch = "torch.log"
    onnx = "Log"
    examples = ("input 3 -> abs -> log",)


class Log2(Real):
    """The logarithm to the base 2."""

    name = "log2"
    torch = "torch.log2"
    onnx = "Log and Div"
    examples = ("input 3 -> abs -> log2",)


class Log10(Real):
    """The logarithm to the base 10."""

    name = "log10"
    torch = "torch.log10"
    onnx = "Log and Div"
    examples = ("input 3 -> abs -> log10",)


class Log1p(Real):
    """`log(1 + x)`, exact near 0."""

    name = "log1p"
    torch = "torch.log1p"
    onnx = "Log and arithmetic"
    examples = ("input 3 -> abs -> log1p",)


class Sqrt(Real):
    """The square root."""

    name = "sqrt"
    torch = "torch.sqrt"
    onnx = "Sqrt"
    examples = ("input 3 -> abs -> sqrt",)


class Rsqrt(Real):
    """`1 / sqrt(x)`."""

    name = "rsqrt"
    torch = "torch.rsqrt"
    onnx = "Sqrt and Reciprocal"
    examples = ("input 3 -> abs -> rsqrt",)


class Reciprocal(Real):
    """`1 / x`."""

    name = "reciprocal"
    torch = "torch.reciprocal"
    onnx = "Reciprocal"
    examples = ("input 3 -> reciprocal",)


class Erf(Real):
    """The error function."""

    name = "erf"
    torch = "torch.erf"
    onnx = "Erf"
    examples = ("input 3 -> erf",)
