"""Writes comparison, logic and choice in PyTorch: `x <= y`, `torch.where(mask, x, y)`."""

from __future__ import annotations

from ....ops.comparison import Eq, Ge, Gt, Isfinite, Isinf, Isnan, Le, LogicalAnd, LogicalOr, LogicalXor, Lt, Ne, Where
from ...python.code.python_expressions import Code, call_function, to_code
from ..torch_emitters import TorchSite, function
from .arithmetic import emit_binary, emit_pair
from .elementwise import emit_by_name

function(Eq, Ne, Lt, Le, Gt, Ge, target="torch.{}")(emit_binary)
function(LogicalAnd, LogicalOr, LogicalXor, target="torch.{}")(emit_pair)
function(Isfinite, Isinf, Isnan, target="torch.{}")(emit_by_name)


@function(Where, target="torch.where")
def emit_where(op: Where, site: TorchSite) -> Code:
    if not op.scalars:
        return call_function("torch.where", site.condition, site.x, site.other)
    number = to_code(op.other, "other")
    return (
        call_function("torch.where", site.condition, number, site.x)
        if op.number_first
        else call_function("torch.where", site.condition, site.x, number)
    )
