"""Writes `rearrange` in PyTorch: axes are divided, reordered and joined, with as few methods as possible.

For example, `rearrange "n a (b c) -> n b (a c)" b=2` of `[4, 6]` becomes `x.unflatten(-1, (2, 3)).transpose(1, 2).flatten(2)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ops.rearrange import Group, Rearrange
from ....types.tensor_types import Shape
from ...python.code.python_expressions import Code, TupleCode, call_method
from ..torch_emitters import TorchSite, function
from .shape import emit_reordered, emit_reshaped, open_sizes


@function(Rearrange, target="reshape, permute, reshape; einops.rearrange")
def emit_rearrange(op: Rearrange, site: TorchSite) -> Code:
    plan = op.make_plan(site.given)
    code: Code = site.x
    shape = site.given.x.shape
    if plan.split is not None:
        hints = [_make_hint(name) for group in plan.left for name in group]
        code = _split_groups(code, plan.left, plan.split, hints) or emit_reshaped(code, shape, plan.split, hints)
        shape = plan.split
    if plan.order is not None:
        code = emit_reordered(code, plan.order)
        shape = tuple(shape[axis] for axis in plan.order)
    if plan.merge is not None:
        hints = [_make_hint(group[0]) if len(group) == 1 else "size" for group in plan.right]
        joined = _join_groups(code, plan.right, plan.merge, hints) if plan.order is not None else None
        code = joined or emit_reshaped(code, shape, plan.merge, hints)
    return code


# Where the pattern says which axes are divided or joined, it is written by that, not by sizes that happen to be 1: so all uses of a block
# are the same.


def _split_groups(code: Code, groups: Sequence[Group], sizes: Shape, hints: Sequence[str]) -> Code | None:
    """Divide the axes of `code` that the groups name. None if an axis of size 1 is added or removed."""
    divided = [axis for axis, group in enumerate(groups) if len(group) != 1]
    if not divided or any(not groups[axis] for axis in divided):
        return None
    if len(divided) > 1:
        return call_method(code, "reshape", *open_sizes(sizes, hints))
    (axis,) = divided
    end = axis + len(groups[axis])
    return call_method(code, "unflatten", axis if end < len(sizes) else -1, TupleCode(open_sizes(sizes[axis:end], hints[axis:end])))


def _join_groups(code: Code, groups: Sequence[Group], sizes: Shape, hints: Sequence[str]) -> Code | None:
    """Join the axes of `code` that are in one group. None if an axis of size 1 is added or removed."""
    joined = [axis for axis, group in enumerate(groups) if len(group) != 1]
    if not joined or any(not groups[axis] for axis in joined):
        return None
    if len(joined) > 1:
        return call_method(code, "reshape", *open_sizes(sizes, hints))
    (axis,) = joined
    last = axis == len(groups) - 1
    return call_method(code, "flatten", axis, *(() if last else (axis + len(groups[axis]) - 1,)))


def _make_hint(name: str) -> str:
    return name if name.isidentifier() else "size"
