"""Finds the tensors that an in-place operator changes: its first argument, and the tensors that share memory with it.

In: nodes of an exported graph. Out: the tensor that a node changes, and the tensor of which its result is a view. Always: for any other
in-place operator, the operator without the underscore computes the same under a new name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from operator import getitem
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch.fx import Node
from torch.utils._pytree import tree_leaves

DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
"""Operators that return their input itself in evaluation, which torch.export records as a copy."""
# These end in an underscore, but change no elements.
_HARMLESS = ("detach_", "requires_grad_")


def is_in_place(node: Node) -> bool:
    """Return whether the node changes its first argument."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    name = node.target._schema.name.partition("::")[2]
    return name.endswith("_") and not name.startswith("__") and name not in _HARMLESS


def find_viewed_tensor(node: Node) -> Node | None:
    """Return the tensor of which the node's result is a view: it shares its memory. None if the result has memory of its own.

    An element of a tuple of views is a view of the tuple. The result of an in-place operator is a view of the tensor that it changes.
    """
    if node.target is getitem:
        source = node.args[0]
        assert isinstance(source, Node)
        return source if find_viewed_tensor(source) is not None else None
    if not isinstance(node.target, torch._ops.OpOverload) or not node.all_input_nodes:
        return None
    first = node.all_input_nodes[0]
    if node.target._schema.name.partition("::")[2] in DROPOUTS:
        rate, is_training = node.args[1:3]
        return None if is_training and rate else first
    # An operator that is composed of others, such as `reshape` or `type_as`, may give a view, whatever its schema says.
    if node.target._can_decompose() and not is_in_place(node):
        return _find_shared_input(node, node.meta.get("val")) or _find_returned_input(node)
    gives_view = any(result.alias_info is not None for result in node.target._schema.returns)
    return first if gives_view else None


def walk_aliases(node: Node) -> Iterator[Node]:
    """Yield the tensor that an in-place operator changes, and the tensors of which it is a view."""
    target = find_viewed_tensor(node) if is_in_place(node) else None
    while target is not None:
        yield target
        target = find_viewed_tensor(target)


def _find_shared_input(node: Node, result: Any) -> Node | None:
    """Return the input whose memory the result has. The elements of a tuple must all be in the memory of one input."""
    leaves = tree_leaves(result)
    return next(
        (operand for operand in node.all_input_nodes if leaves and all(_share_memory(operand.meta.get("val"), leaf) for leaf in leaves)),
        None,
    )


def _find_returned_input(node: Node) -> Node | None:
    """Run an operator on its recorded inputs, and return the input whose memory the result has.

    A program that is loaded from a file has recorded results, but has lost which of them share memory.
    """
    mode = detect_fake_mode([operand.meta.get("val") for operand in node.all_input_nodes])
    if mode is None:
        return None
    args, kwargs = torch.fx.node.map_arg((node.args, dict(node.kwargs)), lambda operand: operand.meta.get("val"))
    # an operator that compares a symbolic size would fix it in the whole program
    unguarded = nullcontext() if mode.shape_env is None else mode.shape_env.suppress_guards()
    try:
        with mode, unguarded, torch.no_grad():
            result = node.target(*args, **kwargs)  # type: ignore[operator]
    except Exception:  # an operator on sizes that depend on data raises whatever it does
        return None
    return _find_shared_input(node, result)


def _share_memory(one: Any, other: Any) -> bool:
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor) or one.is_sparse or other.is_sparse:
        return False
    return bool(one.untyped_storage()._cdata == other.untyped_storage()._cdata)
