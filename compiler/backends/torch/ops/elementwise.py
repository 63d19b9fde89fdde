"""Writes functions of each element in PyTorch: `torch.exp(x)`."""

from __future__ import annotations

from ....ops.elementwise import NanToNum
from ....ops.operator import Operator
from ...python.code.python_expressions import Code, Default, call_function
from ...python.operator_forms import ELEMENTWISE
from ..torch_emitters import TorchSite, function


@function(*ELEMENTWISE, target="torch.{}")
def emit_by_name(op: Operator, site: TorchSite) -> Code:
    return call_function(f"torch.{op.name}", site.x)


@function(NanToNum, target="torch.nan_to_num")
def emit_nan_to_num(op: NanToNum, site: TorchSite) -> Code:
    return call_function(
        "torch.nan_to_num", site.x, nan=Default(op.nan, 0.0), posinf=Default(op.posinf, None), neginf=Default(op.neginf, None)
    )
