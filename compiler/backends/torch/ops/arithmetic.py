"""Arithmetic in PyTorch: `x + 1`, `torch.maximum(x, y)`."""

from __future__ import annotations

from ....ops.arithmetic import Add, BinaryOperator, Clamp, Div, FloorDiv, Maximum, Minimum, Mul, Pair, Pow, Remainder, Sub
from ..code import Code, Infix, Ref, call, lit, method
from ..table import TorchSite, function


@function(Add, Sub, Mul, Div, FloorDiv, Remainder, Pow)
def binary(op: BinaryOperator, site: TorchSite) -> Code:
    if not op.scalars:
        return Infix(op.symbol, Ref(0), Ref(1))
    number = lit(op.other, "other")
    return Infix(op.symbol, number, Ref(0)) if op.reverse else Infix(op.symbol, Ref(0), number)


@function(Maximum, Minimum)
def pair(op: Pair, site: TorchSite) -> Code:
    return call(op.torch, Ref(0), Ref(1))


@function(Clamp)
def clamp(op: Clamp, site: TorchSite) -> Code:
    return method(Ref(0), "clamp", min=(op.min, None), max=(op.max, None))
