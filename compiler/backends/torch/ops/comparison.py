"""Comparison, logic and choice in PyTorch: `x <= y`, `torch.where(mask, x, y)`."""

from __future__ import annotations

from ....ops.comparison import Eq, Ge, Gt, Isfinite, Isinf, Isnan, Le, LogicalAnd, LogicalOr, LogicalXor, Lt, Ne, Where
from ..code import Code, Ref, call, lit
from ..table import TorchSite, function
from .arithmetic import binary, pair
from .elementwise import call_by_name

function(Eq, Ne, Lt, Le, Gt, Ge)(binary)
function(LogicalAnd, LogicalOr, LogicalXor)(pair)
function(Isfinite, Isinf, Isnan)(call_by_name)


@function(Where)
def where(op: Where, site: TorchSite) -> Code:
    if not op.scalars:
        return call("torch.where", Ref(0), Ref(1), Ref(2))
    number = lit(op.other, "other")
    return call("torch.where", Ref(0), number, Ref(1)) if op.reverse else call("torch.where", Ref(0), Ref(1), number)
