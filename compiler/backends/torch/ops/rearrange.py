"""`rearrange` in PyTorch: reshape, permute, reshape, as few of them as do."""

from __future__ import annotations

from ....ops.rearrange import Rearrange
from ..code import Code, Ref
from ..table import Site, function
from .shape import reordered, reshaped


@function(Rearrange)
def rearrange(op: Rearrange, site: Site) -> Code:
    plan = op.plan(site.given)
    code: Code = Ref(0)
    shape = site.given[0].shape
    if plan.split is not None:
        code = reshaped(code, shape, plan.split, [_hint(name) for group in plan.left for name in group])
        shape = plan.split
    if plan.order is not None:
        code = reordered(code, plan.order)
        shape = tuple(shape[axis] for axis in plan.order)
    if plan.merge is not None:
        hints = [_hint(group[0]) if len(group) == 1 else "size" for group in plan.right]
        code = reshaped(code, shape, plan.merge, hints)
    return code


def _hint(name: str) -> str:
    return name if name.isidentifier() else "size"
