"""Recognizes index tensors that count along an axis, such as `arange(n)[:, None]`.

Such an index selects all elements in order. So `x[arange(n)[:, None], arange(m)]` is `x`, and needs no gather.

In: a node of an exported graph that is an index. Out: the axis along which it counts from 0 in steps of 1, `NO_AXIS` if it is a single 0,
or None for anything else.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from .constant_folding import ConstantFolder
from .node_targets import operator_name

NO_AXIS = -1
_SAME = ("to", "alias", "clone", "contiguous", "expand", "detach", "lift_fresh_copy", "expand_as")
_COUNTS = ("arange", "argmax", "argmin", "argsort")
_MOVES = (*_SAME, "unsqueeze", "slice", "view", "reshape", "repeat", "flatten", "squeeze", "permute", "transpose")


def find_counted_axis(node: Node, constants: ConstantFolder) -> int | None:
    """Return the axis along which the index counts."""
    value = constants.values.get(node)
    if isinstance(value, torch.Tensor):
        return _counted_axis_of_values(value)
    if not isinstance(node.target, torch._ops.OpOverload):
        return None
    name = operator_name(node)
    if name == "arange":
        return 0 if len(node.args) == 1 or (node.args[0] == 0 and _is_default(node, 2, 1)) else None
    source: Any = node.args[0] if node.args else None
    if not isinstance(source, Node):
        return None
    axis = find_counted_axis(source, constants)
    if axis is None or axis == NO_AXIS:
        return axis if name in (*_SAME, "unsqueeze") else None
    return _follow_axis(node, source, name, axis)


def _follow_axis(node: Node, source: Node, name: str, axis: int) -> int | None:
    rank: int = node.meta["val"].dim()
    if name in _SAME:
        before: int = source.meta["val"].dim()
        return axis + rank - before
    if name in ("add", "sub") and node.args[1] == 0:
        return axis
    if name == "slice" and _is_default(node, 2, 0) and _is_default(node, 4, 1) and node.meta["val"].shape == source.meta["val"].shape:
        return axis
    if name == "unsqueeze":
        new: Any = node.args[1]
        return axis + 1 if new % rank <= axis else axis
    if name in ("view", "reshape"):
        longer = [at for at, size in enumerate(node.meta["val"].shape) if not (isinstance(size, int) and size == 1)]
        alone = all(isinstance(size, int) and size == 1 for at, size in enumerate(source.meta["val"].shape) if at != axis)
        return longer[0] if len(longer) == 1 and alone else None
    return None


def _is_default(node: Node, position: int, default: int) -> bool:
    return len(node.args) <= position or node.args[position] in (default, None)


def _counted_axis_of_values(value: torch.Tensor) -> int | None:
    if not bool(value.any()):
        return NO_AXIS if value.numel() == 1 else None
    longer = [axis for axis, size in enumerate(value.shape) if size > 1]
    if len(longer) != 1:
        return None
    return longer[0] if bool((value.flatten() == torch.arange(value.numel())).all()) else None


def is_nonnegative(node: Node, constants: ConstantFolder) -> bool:
    """Return whether an index is known not to count from the end."""
    value = constants.values.get(node)
    if isinstance(value, torch.Tensor):
        return bool((value >= 0).all())
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    name = operator_name(node)
    if name in _COUNTS:
        return True
    source = node.args[0] if node.args else None
    return name in _MOVES and isinstance(source, Node) and is_nonnegative(source, constants)
