"""Writes choices in PyTorch: `torch.where(mask, x, y)`."""

from __future__ import annotations

from ....ops.comparison import Where
from ...python.code.python_expressions import Code, call_function, to_code
from ..torch_emitters import TorchSite, function


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
