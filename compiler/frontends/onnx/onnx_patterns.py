"""Operators that are written out as several: found again in the typed graph.

In: a graph without calls. Out: the same graph, where what is exactly one operator of netc is that operator. Always: the values are the
same but for rounding; an operator in between that something else takes stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ir.graph import Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ops import Operator
from ...ops.kinds import InvalidArgument
from ...ops.operand import NAMED
from ...ops.operator import OperatorError
from ..composites import recognize
from .emitter import Emitter


class Found:
    """What a node is in one operator: its name, inputs and arguments. An input may be what is to be made before it."""

    __slots__ = ("arguments", "inputs", "name")

    def __init__(self, name: str, *inputs: Value | Found, **arguments: Any) -> None:
        self.name, self.inputs, self.arguments = name, inputs, arguments


class View:
    """A graph as patterns look at it."""

    def __init__(self, graph: Graph) -> None:
        self.makers = {id(v): n for n in graph.nodes if isinstance(n, OpNode) for v in n.outputs}

    def maker(self, value: Value, *names: str) -> OpNode | None:
        """The operator that makes a value, if it is one of these."""
        node = self.makers.get(id(value))
        return node if node is not None and node.op.name in names and value is node.outputs[0] else None

    def number(self, value: Value, name: str) -> tuple[Value, float] | None:
        """`x` and `c`, if the value is the operator applied to a tensor and a number, in this order, or in any if that does not matter."""
        node = self.maker(value, name)
        if node is None or len(node.inputs) != 1:
            return None
        other = node.op.args.get("other")
        if not isinstance(other, int | float) or isinstance(other, bool) or (node.op.args.get("reverse") and name not in ("add", "mul")):
            return None
        return node.inputs[0], float(other)

    def factors(self, value: Value) -> tuple[float, list[Value]]:
        """The number and the tensors whose product it is; quotients by a number count."""
        scale, found, stack = 1.0, list[Value](), [value]
        while stack:
            at = stack.pop()
            times, by = self.number(at, "mul"), self.number(at, "div")
            node = self.maker(at, "mul")
            if times is not None:
                scale *= times[1]
                stack.append(times[0])
            elif by is not None and by[1] != 0:
                scale /= by[1]
                stack.append(by[0])
            elif node is not None and len(node.inputs) == 2 and at.type == value.type:
                stack += node.inputs
            else:
                found.append(at)
            if len(found) + len(stack) > _MOST:
                return 1.0, [value]
        return scale, found


_MOST = 6
Pattern = Callable[[View, OpNode], Found | None]


def fold_patterns(emit: Emitter, patterns: tuple[Pattern, ...]) -> None:
    """Replaces what the patterns find, in place."""
    graph = emit.builder.graph
    view = View(graph)
    nodes: list[Node] = []
    taken = {id(v) for v in (*graph.outputs, *(v for node in graph.nodes for v in node.inputs))}
    for node in graph.nodes:
        if isinstance(node, OpNode) and not node.specs and not any(id(extra) in taken for extra in node.outputs[1:]):
            for pattern in patterns:
                found = pattern(view, node)
                made = None if found is None else _made(emit, node, found)
                if made is not None:
                    nodes += made
                    view.makers[id(node.outputs[0])] = node
                    break
        nodes.append(node)
    graph.nodes = nodes
    drop_identities(graph)


def _made(emit: Emitter, node: OpNode, found: Found) -> list[OpNode] | None:
    """Makes a node the operator that was found, if that gives the same type; the operators that are needed before it."""
    before: list[OpNode] = []
    built = _built(emit, node, found, before)
    if built is None or built.outputs[0].type != node.outputs[0].type:
        return None
    node.op, node.inputs, node.outputs = built.op, built.inputs, (node.outputs[0], *built.outputs[1:])
    for one in before:
        emit.scopes[id(one)] = emit.scopes.get(id(node), ())
    return before


def _built(emit: Emitter, node: OpNode, found: Found, before: list[OpNode]) -> OpNode | None:
    inputs: list[Value] = []
    for given in found.inputs:
        if isinstance(given, Found):
            inner = _built(emit, node, given, before)
            if inner is None:
                return None
            before.append(inner)
            inputs.append(inner.outputs[0])
        else:
            inputs.append(given)
    cls = Operator.registry[found.name]
    try:
        op = cls(**{name: value if name == NAMED else cls.signature[name].kind.convert(value) for name, value in found.arguments.items()})
        bound = op.bind(tuple(v.type for v in inputs), emit.facts)
        results = op.infer(bound)
    except (OperatorError, InvalidArgument):
        return None
    return None if op.parameters(bound) else OpNode(op, tuple(inputs), tuple(Value(t, node.span) for t in results), "", node.span, ())


def drop_identities(graph: Graph) -> None:
    """Takes the input of an identity for its result, but where both are the model's."""
    instead: dict[int, Value] = {}
    own = {id(v) for v in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        node.inputs = tuple(instead.get(id(v), v) for v in node.inputs)
        if isinstance(node, OpNode) and node.op.name == "identity" and not (id(node.outputs[0]) in own and id(node.inputs[0]) in own):
            instead[id(node.outputs[0])] = node.inputs[0]
            own.add(id(node.inputs[0]) if id(node.outputs[0]) in own else 0)
    graph.outputs = [instead.get(id(v), v) for v in graph.outputs]


# --- the patterns ----------------------------------------------------------------------------------------------------------


def composite(view: View, node: OpNode) -> Found | None:
    """What the operator's definition says: `gelu`, `layer_norm` and others."""
    found = recognize(lambda value: view.makers.get(id(value)), node)
    return None if found is None else Found(found.op.name, *found.inputs, **found.op.args)


def permutation(view: View, node: OpNode) -> Found | None:
    """Two orders of the axes, one after the other, as one."""
    second = order_of(node)
    first = view.maker(node.inputs[0], "permute", "transpose") if second else None
    before = order_of(first) if first is not None else None
    if first is None or second is None or before is None:
        return None
    order = [before[axis] for axis in second]
    moved = [axis for axis, old in enumerate(order) if axis != old]
    if not moved:
        return Found("identity", first.inputs[0])
    if len(moved) == 2:
        return Found("transpose", first.inputs[0], a=moved[0], b=moved[1])
    return Found("permute", first.inputs[0], axes=tuple(order))


def passed_on(view: View, node: OpNode) -> Found | None:
    """The largest or least element, or `logsumexp`, where NaN had been put in its place if there is one: it is NaN then anyway."""
    other = node.op.args.get("other")
    if node.op.name != "where" or len(node.inputs) != 2 or not isinstance(other, float) or other == other:
        return None
    seen, value = view.maker(node.inputs[0], "any"), view.maker(node.inputs[1], "max", "min", "amax", "amin", "logsumexp")
    isnan = view.maker(seen.inputs[0], "isnan") if seen is not None else None
    if value is None or isnan is None or isnan.inputs[0] is not value.inputs[0] or not node.op.args.get("reverse"):
        return None
    return Found("identity", value.outputs[0])


def order_of(node: OpNode) -> list[int] | None:
    rank = node.inputs[0].type.rank if node.inputs else 0
    if node.op.name == "permute":
        return [a % rank for a in node.op.args["axes"]]
    if node.op.name != "transpose":
        return None
    order = list(range(rank))
    a, b = node.op.args["a"] % rank, node.op.args["b"] % rank
    order[a], order[b] = order[b], order[a]
    return order


ACTIVATIONS: tuple[Pattern, ...] = (composite, permutation, passed_on)
