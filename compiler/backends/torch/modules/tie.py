"""Parameters of other stages, and ties: parameters shared with another stage.

In: a node with a tie, in its graph. Out: what is assigned, and what is assigned to it, as code of that graph's class. Always: the path of
a parameter is followed through the constructions of the graphs on the way, so that each step is written as that construction is reached.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....ir.graph import CallNode, Graph, OpNode, route
from ...python.code.expressions import AttributeCode, Code, Lit, Method, Subscript
from ...python.code.tree import MemberRef
from ...python.naming import plain
from .containers import Constructions


def tied(node: OpNode, graph: Graph, constructions: Constructions, own: Mapping[int, Code]) -> tuple[Code, Code]:
    """`(target, source)` of the assignment that ties the node's parameter."""
    tie = node.tie
    assert tie is not None
    base = own[id(node.shared)] if node.shared is not None else MemberRef(node.label)
    return _parameter(base, tie.name), parameter_at(graph, tie.path, tie.target_name, constructions, own)


def parameter_at(graph: Graph, path: str, name: str, constructions: Constructions, own: Mapping[int, Code]) -> Code:
    """The parameter `name` of the stage at `path`."""
    first, *rest = route(graph, path)
    at: Code = own[id(first.shared)] if first.shared is not None else MemberRef(first.label)
    called = first
    for below in rest:
        assert isinstance(called, CallNode)
        at = _reached(at, called.graph, below.label if below.shared is None else below.shared.label, constructions)
        called = below
    return _parameter(at, name)


def _reached(at: Code, called: Graph, label: str, constructions: Constructions) -> Code:
    """The member `label` of a module that has the construction of `called`."""
    construction = constructions[id(called)]
    if "." in label:
        return Method(at, "get_submodule", (Lit(label),))
    if construction.listed:
        return Subscript(at, (Lit(int(label)),))
    if construction.keyed:
        return Subscript(at, (Lit(label),))
    if plain(label):
        return AttributeCode(at, label)
    if construction.kind != "class" and label.isdigit():
        index = [n.label for n in called.nodes].index(label)
        return Subscript(at, (Lit(index),))
    return Subscript(AttributeCode(at, "_modules"), (Lit(label),))


def _parameter(module: Code, name: str) -> Code:
    return AttributeCode(module, name) if name else module
