"""Writes logic and shifts of bits in PyTorch: `x & 7`, `torch.bitwise_left_shift(x, 2)`."""

from __future__ import annotations

from ....ops.bitwise import BitwiseAnd, BitwiseLeftShift, BitwiseLogic, BitwiseNot, BitwiseOr, BitwiseRightShift, BitwiseXor, Shift
from ....ops.operator import Operator
from ...python.code.python_expressions import Code, Infix, Prefix, call_function, to_code
from ..torch_emitters import TorchSite, function

_SYMBOLS: dict[type[Operator], str] = {BitwiseAnd: "&", BitwiseOr: "|", BitwiseXor: "^"}


def _emit_sides(op: BitwiseLogic, site: TorchSite) -> tuple[Code, Code]:
    if not op.scalars:
        return site.x, site.other
    number = to_code(op.other, "other")
    return (number, site.x) if op.number_first else (site.x, number)


@function(*_SYMBOLS, target="torch.{}")
def emit_logic(op: BitwiseLogic, site: TorchSite) -> Code:
    left, right = _emit_sides(op, site)
    return Infix(_SYMBOLS[type(op)], left, right)


@function(BitwiseNot, target="torch.bitwise_not")
def emit_bitwise_not(op: BitwiseNot, site: TorchSite) -> Code:
    return Prefix("~", site.x)


@function(BitwiseLeftShift, BitwiseRightShift, target="torch.{}")
def emit_shift(op: Shift, site: TorchSite) -> Code:
    return call_function(f"torch.{op.name}", *_emit_sides(op, site))
