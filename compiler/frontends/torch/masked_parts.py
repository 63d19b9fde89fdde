"""Rewrites elements that a mask selects, and that are added up or written back by the same mask, as a choice between whole tensors.

    y[mask] = self.mlp(x[mask])            y.copy_(where(mask, self.mlp(x), y))
    loss[mask].mean()                      where(mask, loss, 0).sum() / mask.sum()

In: the graph of an exported program. The number of selected elements depends on data, so a spec has no tensor of them. Out: the same graph,
in which such values have the shape of the tensor. Always: only operators that treat each selected element, or each vector of a selected
position, by itself are rewritten. Any other use of selected elements stays as it is. A function such as `log`, whose gradient may be
infinite, gets a harmless number in the places that are not selected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from .added_calls import add_call, find_functional
from .node_targets import bind_arguments, is_operator, operator_name
from .views import is_in_place

_NAMES = (
    "abs add clamp clamp_max clamp_min clone cos detach elu gelu leaky_relu maximum minimum mul neg relu sigmoid silu sin softplus square "
    "sub tanh to"
)
_NAMES_IN_PARTS = "div exp expm1 log log10 log1p log2 pow reciprocal rsqrt sqrt"
_EVERYWHERE, _IN_PARTS = frozenset(_NAMES.split()), frozenset(_NAMES_IN_PARTS.split())
"""Functions of each element with finite results and gradients for all numbers, and for some."""
_OF_VECTORS = frozenset(("linear", "layer_norm"))
_HARMLESS = 0.5
"""A number at which all the functions, and their gradients, are finite."""
_OF_SIZES = ("sym_size", "_assert_scalar", "sym_constrain_range_for_size")
_SUMS = (torch.ops.aten.sum.default, torch.ops.aten.mean.default)


def rewrite_masked_parts(module: GraphModule) -> None:
    """Rewrite the writes and the sums of a graph, in place."""
    for node in list(module.graph.nodes):
        if not is_operator(node):
            continue
        if operator_name(node) == "index_put":
            values, mask = node.args[2], _find_mask(node)
            if mask is not None and _is_part(values) and not bind_arguments(node)["accumulate"]:
                _rewrite_use(module.graph, node, values, mask)
        elif node.target in _SUMS and _is_part(node.args[0]) and not node.kwargs:
            _rewrite_use(module.graph, node, node.args[0], None)


def _rewrite_use(graph: Graph, use: Node, values: Any, mask: Node | None) -> None:
    """Rewrite a write or a sum of values, if they are computed from elements that one mask selects: the mask of the write."""
    part = _find_part(graph, values, mask)
    if part is None:
        return
    whole = _compute_part(graph, part)
    with graph.inserting_before(use):
        selecting = next(found for node in part if operator_name(node) == "index" and (found := _find_mask(node)) is not None)
        result = _add_up(graph, use, selecting, whole) if mask is None else _write_whole(graph, use, mask, whole)
    use.replace_all_uses_with(result)
    graph.erase_node(use)
    erase_unread(graph, part)


def _find_mask(node: Node) -> Node | None:
    """Return the mask of a selection or a write along the first axes. None for anything else."""
    indices: Any = node.args[1]
    mask = indices[0] if len(indices) == 1 else None
    return mask if isinstance(mask, Node) and mask.meta["val"].dtype == torch.bool else None


def _is_part(value: Any) -> bool:
    """Return whether a tensor has as many rows as a mask selects."""
    fake = value.meta.get("val") if isinstance(value, Node) else None
    return isinstance(fake, torch.Tensor) and fake.dim() > 0 and bool(free_unbacked_symbols(fake.shape[0]))


def _find_part(graph: Graph, values: Node, mask: Node | None) -> list[Node] | None:
    """Return the nodes that compute values from elements that the mask, or any one mask, selects, in order. None if it needs others."""
    order = {node: number for number, node in enumerate(graph.nodes)}
    found: set[Node] = set()
    waiting = [values]
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.add(node)
        if not is_operator(node):
            return None
        if operator_name(node) == "index":
            selecting = _find_mask(node)
            mask = mask or selecting
            if selecting is None or not _are_same(selecting, mask, order):
                return None
        elif _keeps_rows(node):
            waiting += filter(_is_part, node.all_input_nodes)
        else:
            return None
    return sorted(found, key=order.__getitem__)


def _keeps_rows(node: Node) -> bool:
    """Return whether an operator computes each row of its result from the same row of its inputs."""
    name = operator_name(node)
    if is_in_place(node) and any(_reads_elements(user) for user in node.all_input_nodes[0].users if user is not node):
        return False
    parts = [operand for operand in node.all_input_nodes if _is_part(operand)]
    if name in _OF_VECTORS:
        return parts == [node.args[0]] and parts[0].meta["val"].dim() > 1
    if name == "unsqueeze":
        return _find_last_axis(node) is not None
    rank = node.meta["val"].dim()
    others = [operand.meta["val"] for operand in node.all_input_nodes if operand not in parts]
    is_apart = all(part.meta["val"].dim() == rank for part in parts) and all(_is_in_row(other, rank) for other in others)
    return name in _EVERYWHERE | _IN_PARTS and bool(parts) and is_apart


def _find_last_axis(node: Node) -> int | None:
    """Return the new axis of `unsqueeze`, counted from the end. None if it comes before the rows."""
    axis, rank = bind_arguments(node)["dim"], node.meta["val"].dim()
    return axis % rank - rank if axis % rank else None


def _is_in_row(fake: Any, rank: int) -> bool:
    """Return whether a tensor is broadcast along the axis of the rows, the first one of a tensor with a number of axes."""
    if not isinstance(fake, torch.Tensor) or fake.dim() < rank:
        return True
    return fake.dim() == rank and isinstance(fake.shape[0], int) and fake.shape[0] == 1


def _reads_elements(node: Node) -> bool:
    return not is_operator(node) or operator_name(node) not in _OF_SIZES


def _are_same(one: Any, other: Any, order: dict[Node, int]) -> bool:
    """Return whether two nodes have the same value: `x[~mask] = y[~mask]` computes `~mask` twice."""
    if not isinstance(one, Node) or not isinstance(other, Node) or one is other:
        return bool(one is other if isinstance(one, Node) else type(one) is type(other) and one == other)
    first, last = sorted((order[one], order[other]))
    between = [node for node, number in order.items() if first < number < last]
    # What is changed between the two may be what they compute from.
    if any(is_in_place(node) and not _is_part(node) for node in between) or one.target != other.target or not is_operator(one):
        return False
    arguments = bind_arguments(one), bind_arguments(other)
    return all(_are_same(arguments[0][name], arguments[1][name], order) for name in arguments[0])


def _compute_part(graph: Graph, part: list[Node]) -> Node:
    """Compute the values for all rows."""
    in_parts = any(operator_name(node) in _IN_PARTS for node in part)
    whole: dict[Node, Node] = {}
    for node in part:
        with graph.inserting_before(node):
            whole[node] = _compute_whole(graph, node, whole, in_parts)
    return whole[part[-1]]


def _write_whole(graph: Graph, write: Node, mask: Node, whole: Node) -> Node:
    """Choose the values of the rows that the mask selects."""
    target: Any = write.args[0]
    condition = _spread_mask(graph, write, mask, target.meta["val"].dim())
    other = target if is_in_place(write) else _find_narrow(target)
    chosen = add_call(graph, write, torch.ops.aten.where.self, condition, whole, other)
    return add_call(graph, write, torch.ops.aten.copy_.default, target, chosen) if is_in_place(write) else chosen


def _find_narrow(tensor: Node) -> Node:
    """Return what `expand` repeats along axes of size 1, or a single number that it repeats. Any other tensor is itself."""
    if not is_operator(tensor) or operator_name(tensor) != "expand":
        return tensor
    source: Any = tensor.args[0]
    return source if source.meta["val"].dim() in (0, tensor.meta["val"].dim()) else tensor


def _add_up(graph: Graph, use: Node, mask: Node, whole: Node) -> Node:
    """Add up the rows that the mask selects, and divide by the number of their elements for a mean."""
    rank = whole.meta["val"].dim()
    chosen = add_call(graph, use, torch.ops.aten.where.ScalarOther, _spread_mask(graph, use, mask, rank), whole, 0)
    total = add_call(graph, use, torch.ops.aten.sum.default, chosen)
    if use.target != torch.ops.aten.mean.default:
        return total
    count = add_call(graph, use, torch.ops.aten.sum.default, mask)
    for size in whole.meta["val"].shape[mask.meta["val"].dim() :]:
        count = add_call(graph, use, torch.ops.aten.mul.Scalar, count, size)
    return add_call(graph, use, torch.ops.aten.div.Tensor, total, count)


def _compute_whole(graph: Graph, node: Node, whole: dict[Node, Node], in_parts: bool) -> Node:
    """Compute for all rows what a node computes for the selected ones."""
    if operator_name(node) == "unsqueeze":
        # The axis counts from the end, because a mask of several axes selects rows of one axis.
        operand: Any = node.args[0]
        return add_call(graph, node, torch.ops.aten.unsqueeze.default, whole[operand], _find_last_axis(node))
    if operator_name(node) != "index":
        args, kwargs = torch.fx.node.map_arg((node.args, dict(node.kwargs)), lambda operand: whole.get(operand, operand))
        return add_call(graph, node, find_functional(node), *args, **kwargs)
    # The tensor may change between the selection and its use.
    source: Any = node.args[0]
    # Rows that are equal along some axes of the mask are computed once.
    rows = add_call(graph, node, torch.ops.aten.clone.default, _find_narrow(source))
    mask = _find_mask(node)
    if not in_parts or mask is None or not source.meta["val"].dtype.is_floating_point:
        return rows
    return add_call(graph, node, torch.ops.aten.where.ScalarOther, _spread_mask(graph, node, mask, rows.meta["val"].dim()), rows, _HARMLESS)


def _spread_mask(graph: Graph, like: Node, mask: Node, rank: int) -> Node:
    """Give a mask of the first axes axes of size 1 for the others."""
    for _ in range(rank - mask.meta["val"].dim()):
        mask = add_call(graph, like, torch.ops.aten.unsqueeze.default, mask, -1)
    return mask


def erase_unread(graph: Graph, part: Iterable[Node]) -> None:
    """Erase those of some nodes in order that nothing reads, and the checks of their numbers of rows."""
    for node in reversed(list(part)):
        for check in list(_find_checks(node)):
            if not check.users:
                graph.erase_node(check)
        if not node.users:
            graph.erase_node(node)


def _find_checks(node: Node) -> Iterator[Node]:
    """Yield the nodes that only check the number of rows of a tensor, each after its users."""
    for user in list(node.users):
        if not isinstance(user.meta.get("val"), torch.Tensor) and user.op == "call_function":
            yield from _find_checks(user)
            yield user
