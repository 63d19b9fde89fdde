"""Ties: a parameter that is another stage's.

In: a node with a tie, in its graph. Out: what is assigned, and what is assigned to it, as code of that graph's class. Always: the path of
the tie is followed through the forms of the graphs on the way, so that each step is written as that form is reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from ...graph import CallNode, Graph, OpNode
from .code import Attribute, Code, Lit, Subscript
from .containers import Forms
from .naming import plain
from .operators import Unsupported
from .tree import MemberRef


def tied(node: OpNode, graph: Graph, forms: Forms, own: Mapping[int, Code]) -> tuple[Code, Code]:
    """`(target, source)` of the assignment that ties the node's parameter."""
    tie = node.tie
    assert tie is not None
    base = own[id(node.shared)] if node.shared is not None else MemberRef(node.label)
    labels = tie.path.split(".")
    shared = {m.label: m for m in graph.declares}
    at: Code = own[id(shared[labels[0]])] if labels[0] in shared else MemberRef(labels[0])
    inside = graph
    for label, below in pairwise(labels):
        called = _called(inside, label)
        if called is None:
            raise Unsupported(node.op, f"its tie leads to {tie.path}, where nothing is")
        at = _reached(at, called, below, forms)
        inside = called
    return _parameter(base, tie.name), _parameter(at, tie.target_name)


def _called(graph: Graph, label: str) -> Graph | None:
    """The graph of the stage `label`."""
    for node in graph.nodes:
        found = node.shared.label if node.shared is not None else node.label
        if found == label and isinstance(node, CallNode):
            return node.graph
    return None


def _reached(at: Code, called: Graph, label: str, forms: Forms) -> Code:
    """The member `label` of a module that has the form of `called`."""
    form = forms[id(called)]
    if form.keyed:
        return Subscript(at, (Lit(label),))
    if plain(label):
        return Attribute(at, label)
    if form.kind != "class" and label.isdigit():
        index = [n.label for n in called.nodes].index(label)
        return Subscript(at, (Lit(index),))
    return Subscript(Attribute(at, "_modules"), (Lit(label),))


def _parameter(module: Code, name: str) -> Code:
    return Attribute(module, name) if name else module
