"""Writes functions of each element in PyTorch: `torch.exp(x)`, `-x`."""

from __future__ import annotations

from ....ops.elementwise import (
    Abs,
    Ceil,
    Erf,
    Exp,
    Exp2,
    Expm1,
    Floor,
    Log,
    Log1p,
    Log2,
    Log10,
    LogicalNot,
    NanToNum,
    Neg,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sqrt,
    Square,
    Trunc,
)
from ....ops.operator import Operator
from ...python.code.python_expressions import Code, Default, Prefix, call_function
from ..torch_emitters import TorchSite, function


@function(Neg, target="torch.neg")
def emit_neg(op: Neg, site: TorchSite) -> Code:
    return Prefix(op.prefix_symbol, site.x)


@function(
    Abs,
    Ceil,
    Erf,
    Exp,
    Exp2,
    Expm1,
    Floor,
    Log,
    Log1p,
    Log2,
    Log10,
    LogicalNot,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sqrt,
    Square,
    Trunc,
    target="torch.{}",
)
def emit_by_name(op: Operator, site: TorchSite) -> Code:
    return call_function(f"torch.{op.name}", site.x)


@function(NanToNum, target="torch.nan_to_num")
def emit_nan_to_num(op: NanToNum, site: TorchSite) -> Code:
    return call_function(
        "torch.nan_to_num", site.x, nan=Default(op.nan, 0.0), posinf=Default(op.posinf, None), neginf=Default(op.neginf, None)
    )
