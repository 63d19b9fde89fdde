"""Writes shifts of bits in PyTorch: `torch.bitwise_left_shift(x, 2)`."""

from __future__ import annotations

from ....ops.bitwise import BitwiseLeftShift, BitwiseRightShift, Shift
from ...python.code.python_expressions import Code, call_function
from ...python.operator_forms import list_sides
from ..torch_emitters import TorchSite, function


@function(BitwiseLeftShift, BitwiseRightShift, target="torch.{}")
def emit_shift(op: Shift, site: TorchSite) -> Code:
    return call_function(f"torch.{op.name}", *list_sides(op, site))
