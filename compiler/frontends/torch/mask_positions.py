"""Rewrites reads and writes at the positions where a mask is true as reads and writes by the mask itself, as in mixtures of experts.

    rows, places = torch.where(chosen == 3)       mask = chosen == 3
    y[rows] += self.mlp(x[rows])                  part = zeros.index_put([mask], self.mlp(x.unsqueeze(1).expand(...)[mask]))
                                                  y += part.sum(1)

In: the graph of an exported program. The number of positions depends on data, so a spec has no tensor of them. Out: the same graph with
masks, which `masked_parts` rewrites as choices between whole tensors. Always: rows that the mask may select twice are written only if
they are added up, or if the mask compares the indices of `topk`, which differ. Any other use of positions stays as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch._guards import detect_fake_mode
from torch.fx import Graph, GraphModule, Node

from .added_calls import OF_MODULE, add_call
from .masked_parts import erase_unread
from .node_targets import bind_arguments, is_operator, operator_name
from .views import is_in_place

aten = torch.ops.aten


class Positions(NamedTuple):
    """The positions along one axis of a mask, which is computed where they are found."""

    mask: Node
    axis: int


class Places(NamedTuple):
    """The axes of a mask by which an operator selects the first axes of a tensor, after a number of axes of size 1."""

    mask: Node
    axes: tuple[int, ...]
    before: int = 0

    @property
    def missing(self) -> tuple[int, ...]:
        """The axes of the mask that do not select."""
        return tuple(axis for axis in range(_rank(self.mask)) if axis not in self.axes)


def rewrite_mask_positions(module: GraphModule) -> None:
    """Rewrite the uses of positions, in place."""
    graph = module.graph
    known: dict[Node, Positions] = {}
    for node in list(graph.nodes):
        if is_operator(node):
            known |= _find_positions(graph, node)
    nodes = [node for node in graph.nodes if is_operator(node) and any(operand in known for operand in node.all_input_nodes)]
    # A write may look at the reads that it needs, so writes come first.
    for rewrite in (_rewrite_write, _rewrite_read):
        for node in nodes:
            if node.users or is_in_place(node):
                rewrite(graph, node, known)
    erase_unread(graph, [source for node in known for source in (node.all_input_nodes[0], node)])


def _find_positions(graph: Graph, node: Node) -> dict[Node, Positions]:
    """Find the tensors of positions that an operator makes: one for each axis of its mask."""
    name = operator_name(node)
    if name not in ("where", "nonzero_numpy") or len(node.all_input_nodes) != 1:
        return {}
    (condition,) = node.all_input_nodes
    found = {user: user.args[1] for user in node.users if user.target is operator.getitem}
    with graph.inserting_after(node):
        # The mask may change later. Numbers count where they are not 0.
        is_mask = condition.meta["val"].dtype == torch.bool
        mask = add_call(graph, node, aten.clone.default, condition) if is_mask else add_call(graph, node, aten.ne.Scalar, condition, 0)
    return {user: Positions(mask, axis) for user, axis in found.items() if isinstance(axis, int)}


def _find_places(node: Node, known: dict[Node, Positions]) -> Places | None:
    """Find the axes of a mask by which an operator selects. None if it selects in another way."""
    arguments = bind_arguments(node)
    if operator_name(node) in ("index_select", "index_add", "index_copy"):
        indices = [arguments["index"]] if arguments["dim"] == 0 else []
    elif operator_name(node) in ("index", "index_put"):
        indices = list(arguments["indices"])
    else:
        return None
    before = next((number for number, index in enumerate(indices) if index is not None), 0)
    positions = [known.get(index) for index in indices[before:]]
    masks = {place.mask for place in positions if place is not None}
    axes = tuple(place.axis for place in positions if place is not None)
    if len(masks) != 1 or len({*axes}) != len(positions):
        return None
    return Places(masks.pop(), axes, before)


def _rewrite_read(graph: Graph, node: Node, known: dict[Node, Positions]) -> None:
    """Read the rows by the mask, from a tensor that is spread along the axes of the mask that do not select."""
    source: Any = node.args[0]
    places = _find_places(node, known)
    if places is None or operator_name(node) not in ("index", "index_select") or any(size != 1 for size in _shape(source)[: places.before]):
        return
    fake = node.meta["val"]
    with graph.inserting_before(node):
        for _ in range(places.before):
            is_added = operator_name(source) == "unsqueeze" and source.args[1] == 0
            source = source.args[0] if is_added else add_call(graph, node, aten.select.int, source, 0, 0)
        source = _spread(graph, node, source, places)
        rows = graph.call_function(aten.index.Tensor, (source, [places.mask]))
        result = rows
    mode = detect_fake_mode([fake])
    assert mode is not None
    with mode:
        for _ in range(places.before):
            fake = fake.select(0, 0)
    rows.meta = {key: node.meta[key] for key in OF_MODULE if key in node.meta} | {"val": fake}
    if places.before:
        _replace_flattened(node, rows)
        with graph.inserting_before(node):
            for _ in range(places.before):
                result = add_call(graph, node, aten.unsqueeze.default, result, 0)
    node.replace_all_uses_with(result)
    graph.erase_node(node)


def _replace_flattened(node: Node, rows: Node) -> None:
    """Replace the reshapes that only remove the first axes of a tensor by its rows."""
    for user in list(node.users):
        if is_operator(user) and operator_name(user) in ("reshape", "view", "squeeze", "flatten") and _shape(user) == _shape(rows):
            user.replace_all_uses_with(rows)


def _spread(graph: Graph, like: Node, source: Node, places: Places) -> Node:
    """Give a tensor all axes of the mask in their order, before its other axes."""
    count = len(places.axes)
    order = sorted(range(count), key=lambda number: places.axes[number])
    if order != list(range(count)):
        source = add_call(graph, like, aten.permute.default, source, [*order, *range(count, _rank(source))])
    for axis in places.missing:
        source = add_call(graph, like, aten.unsqueeze.default, source, axis)
    sizes = _list_sizes(graph, like, places.mask)
    return add_call(graph, like, aten.expand.default, source, [*sizes, *[-1] * (_rank(source) - len(sizes))]) if places.missing else source


def _rewrite_write(graph: Graph, node: Node, known: dict[Node, Positions]) -> None:
    """Write rows by the mask, or add them up along the axes of the mask that do not select."""
    places = _find_places(node, known)
    name = operator_name(node)
    if places is None or places.before or places.axes != tuple(sorted(places.axes)) or name not in ("index_put", "index_add", "index_copy"):
        return
    arguments = bind_arguments(node)
    values = arguments["source" if name != "index_put" else "values"]
    adds = name == "index_add" or arguments.get("accumulate", False)
    if arguments.get("alpha", 1) != 1 or not (adds or not places.missing or _selects_once(places)):
        return
    added = None if adds else _find_added(graph, node, values, known)
    with graph.inserting_before(node):
        if not adds and added is None and not places.missing:
            target = aten.index_put_.default if is_in_place(node) else aten.index_put.default
            result = graph.call_function(target, (node.args[0], [places.mask], values))
            result.meta = dict(node.meta)
        else:
            result = _write_sums(graph, node, places, values if added is None else added, adds or added is not None)
    node.replace_all_uses_with(result)
    graph.erase_node(node)
    if added is not None:
        erase_unread(graph, [values.args[0], values])


def _write_sums(graph: Graph, node: Node, places: Places, values: Node, adds: bool) -> Node:
    """Add up the values of each row along the axes of the mask that do not select, and add them to the target or write them."""
    target: Any = node.args[0]
    dtype, mask = target.meta["val"].dtype, places.mask
    rest = [_get_size(graph, node, target, axis) for axis in range(len(places.axes), _rank(target))]
    zero = add_call(graph, node, aten.zeros.default, [], dtype=dtype)
    zeros = add_call(graph, node, aten.expand.default, zero, [*_list_sizes(graph, node, mask), *rest])
    result = graph.call_function(aten.index_put.default, (zeros, [mask], values))
    result.meta = dict(zeros.meta)
    if places.missing:
        result = add_call(graph, node, aten.sum.dim_IntList, result, list(places.missing), dtype=dtype)
    if adds:
        return add_call(graph, node, aten.add_.Tensor if is_in_place(node) else aten.add.Tensor, target, result)
    chosen = add_call(graph, node, aten.any.dims, mask, list(places.missing))
    for _ in rest:
        chosen = add_call(graph, node, aten.unsqueeze.default, chosen, -1)
    written = add_call(graph, node, aten.where.self, chosen, result, target)
    return add_call(graph, node, aten.copy_.default, target, written) if is_in_place(node) else written


def _selects_once(places: Places) -> bool:
    """Return whether the mask selects each row at most once, because it compares the indices of `topk`, which differ, with a number."""
    compared: Any = places.mask.args[0]
    if not is_operator(compared) or operator_name(compared) != "eq" or isinstance(compared.args[1], Node):
        return False
    indices: Any = compared.args[0]
    if indices.target is not operator.getitem or indices.args[1] != 1 or operator_name(indices.args[0]) != "topk":
        return False
    return places.missing == (bind_arguments(indices.args[0])["dim"] % _rank(indices),)


def _find_added(graph: Graph, write: Node, values: Any, known: dict[Node, Positions]) -> Node | None:
    """Return what `y[rows] += values` adds: the write has a sum of the rows that it replaces. None if it writes anything else."""
    if not isinstance(values, Node) or not is_operator(values) or operator_name(values) != "add" or len(values.users) != 1:
        return None
    arguments = bind_arguments(values)
    read, added = arguments["self"], arguments["other"]
    if not all(isinstance(operand, Node) for operand in (read, added)) or operator_name(read) != "index" or arguments["alpha"] != 1:
        return None
    order = list(graph.nodes)
    between = order[order.index(read) + 1 : order.index(write)]
    # Any change between may be one of the target.
    is_kept = all(node is values or not is_operator(node) or not is_in_place(node) for node in between)
    same = read.args[0] is write.args[0] and _find_places(read, known) == _find_places(write, known)
    return added if is_kept and same and len(read.users) == 1 and added.meta["val"].dtype == values.meta["val"].dtype else None


def _list_sizes(graph: Graph, like: Node, tensor: Node) -> list[Any]:
    return [_get_size(graph, like, tensor, axis) for axis in range(_rank(tensor))]


def _get_size(graph: Graph, like: Node, tensor: Node, axis: int) -> Any:
    """Return a size as a number, or as a node that reads it."""
    size = _shape(tensor)[axis]
    return size if isinstance(size, int) else add_call(graph, like, aten.sym_size.int, tensor, axis)


def _shape(node: Node) -> Sequence[Any]:
    shape: Sequence[Any] = node.meta["val"].shape
    return shape


def _rank(node: Node) -> int:
    return len(_shape(node))
