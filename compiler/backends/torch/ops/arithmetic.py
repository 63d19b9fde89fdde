"""Writes arithmetic in PyTorch: `x + 1`, `torch.maximum(x, y)`."""

from __future__ import annotations

from ....ops.arithmetic import Clamp, FloorDiv, Pair
from ...python.code.python_expressions import Code, Default, call_function, call_method, to_code
from ...python.operator_forms import PAIRS, add_syntax, emit_binary
from ..torch_emitters import EMITTERS, TorchSite, function

add_syntax(EMITTERS, "torch.{}")


@function(*PAIRS, target="torch.{}")
def emit_pair(op: Pair, site: TorchSite) -> Code:
    return call_function(f"torch.{op.name}", site.x, site.other)


@function(FloorDiv, target="torch.floor_divide")
def emit_floor_div(op: FloorDiv, site: TorchSite) -> Code:
    """Write `torch.div` for floats: `floor_divide` has no gradient, and the same function under this name has one."""
    if not site.results[0].dtype.is_float:
        return emit_binary(op, site)
    other = to_code(op.other, "other") if op.scalars else site.other
    sides = (other, site.x) if op.number_first else (site.x, other)
    return call_function("torch.div", *sides, rounding_mode="floor")


@function(Clamp, target="torch.clamp")
def emit_clamp(op: Clamp, site: TorchSite) -> Code:
    return call_method(site.x, "clamp", min=Default(op.min, None), max=Default(op.max, None))
