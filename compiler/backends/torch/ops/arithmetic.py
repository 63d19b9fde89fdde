"""Writes arithmetic in PyTorch: `x + 1`, `torch.maximum(x, y)`."""

from __future__ import annotations

from ....ops.arithmetic import Add, BinaryOperator, Clamp, Div, FloorDiv, Maximum, Minimum, Mul, Pair, Pow, Remainder, Sub
from ....ops.operator import Operator
from ....types.tensor_types import BOOL
from ...python.code.python_expressions import Code, Default, Freedom, Infix, call_function, call_method, to_code
from ..torch_emitters import TorchSite, function

_BINARY: dict[type[Operator], str] = {
    Add: "torch.add",
    Sub: "torch.sub",
    Mul: "torch.mul",
    Div: "torch.div",
    Remainder: "torch.remainder",
    Pow: "torch.pow",
}
FLOAT_NEUTRAL = ("*", "/", "**", "-")
"""The operations whose neutral number changes no float. `x + 0` makes 0.0 of -0.0, and `x // 1` is rounded."""


@function(*_BINARY, target=_BINARY)
def emit_binary(op: BinaryOperator, site: TorchSite) -> Code:
    if not op.scalars:
        # PyTorch refuses `-` between booleans, so `x + -y` must not become `x - y`.
        return Infix(op.symbol, site.x, site.other, "none" if BOOL in (site.given.x.dtype, site.given.other.dtype) else "signs")
    number, freedom = to_code(op.other, "other"), _choose_freedom(op, site)
    return Infix(op.symbol, number, site.x, freedom) if op.number_first else Infix(op.symbol, site.x, number, freedom)


@function(FloorDiv, target="torch.floor_divide")
def emit_floor_div(op: FloorDiv, site: TorchSite) -> Code:
    """Write `torch.div` for floats: `floor_divide` has no gradient, and the same function under this name has one."""
    if not site.results[0].dtype.is_float:
        return emit_binary(op, site)
    other = to_code(op.other, "other") if op.scalars else site.other
    sides = (other, site.x) if op.number_first else (site.x, other)
    return call_function("torch.div", *sides, rounding_mode="floor")


def _choose_freedom(op: BinaryOperator, site: TorchSite) -> Freedom:
    x = site.given.x.dtype
    if x == BOOL:
        return "none"
    return "neutral" if site.results[0].dtype == x and (x.is_integer or op.symbol in FLOAT_NEUTRAL) else "signs"


@function(Maximum, Minimum, target="torch.{}")
def emit_pair(op: Pair, site: TorchSite) -> Code:
    return call_function(f"torch.{op.name}", site.x, site.other)


@function(Clamp, target="torch.clamp")
def emit_clamp(op: Clamp, site: TorchSite) -> Code:
    return call_method(site.x, "clamp", min=Default(op.min, None), max=Default(op.max, None))
