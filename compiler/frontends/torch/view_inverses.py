"""Writes a changed view back into the tensor of which it is a view.

In: a view, such as `transpose(x, 1, 2)`, the tensor `x`, and the new value of the view. Out: a node with the new value of `x`, here
`permute(value, [0, 2, 1])`. Raises `NotInvertible` for views of which one element has several places in `x`, and for unknown ones.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import add, getitem
from typing import Any

import torch
from torch.fx import Graph, Node

from .node_targets import bind_arguments, is_operator, operator_name
from .views import DROPOUTS, is_in_place

Writer = Callable[[Graph, Node, Node, Node], Node]
"""Makes the node with the new value of a tensor: from the graph, the view, the tensor, and the new value of the view."""

_PERMUTING = ("permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "matrix_H", "adjoint", "movedim", "moveaxis")
_RESHAPING = ("view", "_unsafe_view", "reshape", "flatten", "unflatten", "ravel", "squeeze", "view_as", "reshape_as", "expand", "expand_as")
_RETURNING = ("alias", "detach", "contiguous", "to", "type_as", "positive", "real", "resolve_conj", "resolve_neg", *DROPOUTS)
"""Operators that give a view only if they return their input itself."""
_IN_ORDER = {*_RESHAPING, *_RETURNING, "slice", "narrow"}
"""Operators that keep the order of the elements."""
_SPLITTING = ("split", "split_with_sizes", "chunk", "tensor_split", "unbind")
aten: Any = torch.ops.aten


class NotInvertible(Exception):
    """The view cannot be written back into its tensor."""


def is_whole_view(view: Node) -> bool:
    """Return whether a view has all elements of its tensor at the same places, as `x[:]`, `x.detach()` or the result of `x.add_(1)`."""
    if is_in_place(view):
        return True
    if not is_operator(view) or operator_name(view) not in _IN_ORDER:
        return False
    source, result = view.all_input_nodes[0].meta["val"], view.meta["val"]
    # As strings, because a comparison of symbolic sizes may add a condition on them.
    return source.dtype == result.dtype and list(map(str, source.shape)) == list(map(str, result.shape))


def write_part(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    """Add the node with the new value of a tensor, if `part` is the new value of a view of it.

    `source` has the value without the change: the tensor, or the tuple of its parts if the view is an element of a tuple.
    """
    if is_whole_view(view):
        return part
    if view.target is getitem:
        return _join_parts(graph, source, view.args[1], part)
    writer = _WRITERS.get(operator_name(view)) if is_operator(view) else None
    if writer is None or view.meta["val"].dtype != source.meta["val"].dtype:
        raise NotInvertible
    return writer(graph, view, source, part)


def _join_parts(graph: Graph, source: Node, index: Any, part: Node) -> Node:
    """Join the parts into which a tensor was split, one of which is new."""
    name, fakes = operator_name(source), source.meta["val"]
    if name not in _SPLITTING:
        raise NotInvertible
    parts = [part if number == index else graph.call_function(getitem, (source, number)) for number in range(len(fakes))]
    for new, fake in zip(parts, fakes, strict=True):
        new.meta.setdefault("val", fake)
    join = aten.stack.default if name == "unbind" else aten.cat.default
    return graph.call_function(join, (parts, bind_arguments(source)["dim"]))


def _write_selected(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    arguments = bind_arguments(view)
    return graph.call_function(aten.select_scatter.default, (source, part, arguments["dim"], arguments["index"]))


def _write_slice(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    arguments = bind_arguments(view)
    bounds = tuple(arguments[name] for name in ("dim", "start", "end", "step"))
    return graph.call_function(aten.slice_scatter.default, (source, part, *bounds))


def _write_narrow(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    arguments = bind_arguments(view)
    start, length = arguments["start"], arguments["length"]
    if isinstance(start, int) and isinstance(length, int):
        end: Any = start + length if start >= 0 or start + length < 0 else None
    else:
        end = graph.call_function(add, (start, length))
        end.meta["val"] = sum(value.meta["val"] if isinstance(value, Node) else value for value in (start, length))
    return graph.call_function(aten.slice_scatter.default, (source, part, arguments["dim"], start, end))


def _write_permuted(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    # A tensor whose sizes all differ shows where each axis goes.
    sizes = range(2, 2 + source.meta["val"].dim())
    target: Any = view.target
    moved = target(torch.empty(tuple(sizes), device="meta"), *view.args[1:], **view.kwargs).shape
    return graph.call_function(aten.permute.default, (part, [moved.index(size) for size in sizes]))


def _write_reshaped(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    # An expanded axis has one element in several places.
    elements = [sorted(str(size) for size in node.meta["val"].shape if size != 1) for node in (view, source)]
    if operator_name(view).startswith("expand") and elements[0] != elements[1]:
        raise NotInvertible
    return graph.call_function(aten.view_as.default, (part, source))


def _write_unsqueezed(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    return graph.call_function(aten.squeeze.dim, (part, bind_arguments(view)["dim"]))


def _write_squeezed(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    axis = bind_arguments(view).get("dim")
    if not isinstance(axis, int):  # all axes of size 1, or several
        return _write_reshaped(graph, view, source, part)
    return graph.call_function(aten.unsqueeze.default, (part, axis))


def _write_diagonal(graph: Graph, view: Node, source: Node, part: Node) -> Node:
    return graph.call_function(aten.diagonal_scatter.default, (source, part, *view.args[1:]), dict(view.kwargs))


_WRITERS: dict[str, Writer] = {
    "select": _write_selected,
    "slice": _write_slice,
    "narrow": _write_narrow,
    "unsqueeze": _write_unsqueezed,
    "diagonal": _write_diagonal,
    **dict.fromkeys(_PERMUTING, _write_permuted),
    **dict.fromkeys(_RESHAPING, _write_reshaped),
    "squeeze": _write_squeezed,
}
