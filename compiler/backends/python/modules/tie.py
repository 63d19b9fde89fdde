"""Writes the access to parameters of other stages, and ties: parameters shared with another stage.

In: a node with a tie, in its graph. Out: the target and the source of the assignment, as code of that graph's class:
`self.head.weight = self.embed.weight`. Always: the path of a parameter is followed through the constructions of the graphs on the way, so
each step is written in the form that the construction needs.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.walk import find_route
from ..code.class_tree import MemberRef
from ..code.framework import Framework
from ..code.python_expressions import AttributeCode, Code, Lit, Subscript
from .containers import Constructions


class ParameterAccess:
    """Writes the access to parameters of other stages in the class of a graph. `own`: the code of its shared stages, by their ids."""

    def __init__(self, graph: Graph, constructions: Constructions, own_codes: Mapping[int, Code], framework: Framework) -> None:
        self.graph, self.constructions, self.own, self.framework = graph, constructions, own_codes, framework

    def access_stage(self, node: Node) -> Code:
        """Access a stage of the graph itself."""
        return self.own[id(node.shared)] if node.shared is not None else MemberRef(node.label)

    def access_parameter(self, path: str, name: str) -> Code:
        """Access the parameter `name` of the stage at `path`."""
        first, *rest = find_route(self.graph, path)
        access, called = self.access_stage(first), first
        for below in rest:
            assert isinstance(called, CallNode)
            access = self._access_member(access, called.graph, below.label if below.shared is None else below.shared.label)
            called = below
        return access_attribute(access, name)

    def _access_member(self, access: Code, called: Graph, label: str) -> Code:
        """Access the member `label` of a module that has the construction of `called`."""
        construction = self.constructions[id(called)]
        if "." in label:
            return self.framework.by_path(access, label)
        if construction.is_list:
            return Subscript(access, (Lit(int(label)),))
        if construction.is_keyed:
            return Subscript(access, (Lit(label),))
        if self.framework.is_attribute_name(label):
            return AttributeCode(access, label)
        # In a row, a member is found by its position, which a label such as `0` need not be.
        if construction.kind != "class" and label.isdigit():
            index = [n.label for n in called.nodes].index(label)
            return Subscript(access, (Lit(index),))
        return self.framework.registration.by_label(access, label, "module")


def make_tie(node: OpNode, ways: ParameterAccess) -> tuple[Code, Code]:
    """Return `(target, source)` of the assignment that ties the node's parameter."""
    tie = node.tie
    assert tie is not None
    return access_attribute(ways.access_stage(node), tie.name), ways.access_parameter(tie.path, tie.target_name)


def access_attribute(module: Code, name: str) -> Code:
    return AttributeCode(module, name) if name else module
