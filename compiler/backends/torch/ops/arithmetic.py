"""Arithmetic in PyTorch: `x + 1`, `torch.maximum(x, y)`."""

from __future__ import annotations

from ....ops.arithmetic import Add, BinaryOperator, Clamp, Div, FloorDiv, Maximum, Minimum, Mul, Pair, Pow, Remainder, Sub
from ....ops.base import Operator
from ...python.code.expressions import Code, Infix, call, lit, method
from ..table import TorchSite, function

_BINARY: dict[type[Operator], str] = {
    Add: "torch.add",
    Sub: "torch.sub",
    Mul: "torch.mul",
    Div: "torch.div",
    FloorDiv: "torch.floor_divide",
    Remainder: "torch.remainder",
    Pow: "torch.pow",
}


@function(*_BINARY, torch=_BINARY)
def binary(op: BinaryOperator, site: TorchSite) -> Code:
    if not op.scalars:
        return Infix(op.symbol, site.x, site.other)
    number = lit(op.other, "other")
    return Infix(op.symbol, number, site.x) if op.number_first else Infix(op.symbol, site.x, number)


@function(Maximum, Minimum, torch="torch.{}")
def pair(op: Pair, site: TorchSite) -> Code:
    return call(f"torch.{op.name}", site.x, site.other)


@function(Clamp, torch="torch.clamp")
def clamp(op: Clamp, site: TorchSite) -> Code:
    return method(site.x, "clamp", min=(op.min, None), max=(op.max, None))
