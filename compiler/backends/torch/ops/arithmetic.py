"""Arithmetic, comparison and logic in PyTorch: `x + 1`, `x <= y`, `torch.where(mask, x, y)`."""

from __future__ import annotations

from ....ops.arithmetic import (
    Add,
    Binary,
    Clamp,
    Div,
    Eq,
    FloorDiv,
    Ge,
    Gt,
    Le,
    LogicalAnd,
    LogicalOr,
    LogicalXor,
    Lt,
    Maximum,
    Minimum,
    Mul,
    Ne,
    Pair,
    Pow,
    Remainder,
    Sub,
    Where,
)
from ..code import Code, Infix, Ref, call, lit, method
from ..table import Site, function


@function(Add, Sub, Mul, Div, FloorDiv, Remainder, Pow, Eq, Ne, Lt, Le, Gt, Ge)
def binary(op: Binary, site: Site) -> Code:
    if not op.scalars:
        return Infix(op.symbol, Ref(0), Ref(1))
    number = lit(op.other, "other")
    return Infix(op.symbol, number, Ref(0)) if op.reverse else Infix(op.symbol, Ref(0), number)


@function(Maximum, Minimum, LogicalAnd, LogicalOr, LogicalXor)
def pair(op: Pair, site: Site) -> Code:
    return call(op.torch, Ref(0), Ref(1))


@function(Where)
def where(op: Where, site: Site) -> Code:
    if not op.scalars:
        return call("torch.where", Ref(0), Ref(1), Ref(2))
    number = lit(op.other, "other")
    return call("torch.where", Ref(0), number, Ref(1)) if op.reverse else call("torch.where", Ref(0), Ref(1), number)


@function(Clamp)
def clamp(op: Clamp, site: Site) -> Code:
    return method(Ref(0), "clamp", min=(op.min, None), max=(op.max, None))
