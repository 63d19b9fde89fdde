"""Separates arguments of a module that are one tensor in some of its calls: in `h = c = zeros`, both states of a cell.

    h = c = x.new_zeros(n, 8)             the first call of the cell gets one tensor, and all others get two
    for t in range(x.shape[1]):
        h, c = self.cell(x[:, t], (h, c))

In: the calls of an exported graph. Out: the same graph, with an `alias` of the tensor for each further argument that it is. Always: only
calls of a module with the same operators are compared, and an alias is made only if another call has two tensors in the place of the one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import getitem
from typing import Any

import torch
from torch.fx import Node
from torch.fx.node import map_arg

from .added_calls import add_call
from .module_calls import CallTree, ModuleCall

_MARK = "netc_separate"


def is_separate(node: Node) -> bool:
    """Return whether a node is an alias that a module gets as an input of its own, although it gets the same tensor as another one."""
    return _MARK in node.meta


def separate_arguments(tree: CallTree) -> None:
    """Add aliases of tensors that a module gets in the place of several."""
    calls_by_path: dict[str, list[ModuleCall]] = {}
    for call in tree.root.nested_calls():
        calls_by_path.setdefault(call.path, []).append(call)
    for calls in calls_by_path.values():
        bodies = [list(call.all_nodes()) for call in calls]
        if len(calls) > 1 and len({tuple(str(node.target) for node in body) for body in bodies}) == 1:
            _separate_in_bodies(bodies)


def _separate_in_bodies(bodies: Sequence[list[Node]]) -> None:
    """Compare the places where the calls read tensors, which are the same in all of them."""
    reads = [_list_reads(body) for body in bodies]
    if len({len(nodes) for nodes in reads}) > 1:
        return
    inside = [set(body) for body in bodies]
    # The places of one argument: there, each call reads one tensor, which no call makes itself. What all calls read is no argument.
    arguments: dict[tuple[Node, ...], set[int]] = {}
    for place, column in enumerate(zip(*reads, strict=True)):
        if len(set(column)) > 1 and not any(_find_source(node) in body for node, body in zip(column, inside, strict=True)):
            arguments.setdefault(column, set()).add(place)
    for number, body in enumerate(bodies):
        taken: set[Node] = set()
        for column, places in arguments.items():
            if column[number] in taken:
                _replace_reads(body, places, _make_alias(column[number]))
            taken.add(column[number])


def _find_source(node: Node) -> Node:
    """Return the node that made the tuple from which a node takes an element, or the node itself."""
    return _find_source(node.args[0]) if node.target is getitem and isinstance(node.args[0], Node) else node


def _list_reads(body: Sequence[Node]) -> list[Node]:
    """List the tensors that nodes read, in order, with repetitions."""
    reads: list[Node] = []
    for node in body:
        map_arg((node.args, dict(node.kwargs)), reads.append)
    return reads


def _replace_reads(body: Sequence[Node], places: set[int], alias: Node) -> None:
    """Let the reads with these numbers read the alias."""
    number = -1

    def take_alias(node: Node) -> Node:
        nonlocal number
        number += 1
        return alias if number in places else node

    change: Callable[[Node], Any] = take_alias
    for node in body:
        node.args, node.kwargs = map_arg((node.args, dict(node.kwargs)), change)


def _make_alias(node: Node) -> Node:
    """Add an alias of a node where the node is, outside of the call."""
    anchor = node if node.op == "call_function" else next(other for other in node.graph.nodes if other.op == "call_function")
    with node.graph.inserting_after(anchor) if anchor is node else node.graph.inserting_before(anchor):
        alias = add_call(node.graph, node, torch.ops.aten.alias.default, node)
    alias.meta[_MARK] = True
    return alias
