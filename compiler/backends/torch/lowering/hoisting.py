"""What is the same in every layer is computed once: the angles of rotary embeddings, masks and tables that depend on sizes only.

In: the graphs of a program. Out: the same, in which a graph that runs repeatedly takes such tensors as further inputs, as if the spec had
captured them, from the nearest block around that runs less often. Always: a long sequence passes the same
tensors to all its members, so that it stays a loop; what is used once stays where it is.
"""

from __future__ import annotations

from itertools import chain

from netc.dsl.record import Record, replace

from ....dims import Dim, SymDim
from ....ir.graph import CallNode, Graph, Node, OpNode, Value
from ....ir.types import DType
from ....ops.base import Operator
from ....ops.constants import TableOperator
from ....ops.formula import Const, parts
from ...python.classes.shared import Sharing
from ...python.classes.sizes import ForwardSizes
from ...python.code.classes import ClassBody
from ...python.naming import unique
from .graphs import labels, substitute
from .operators import CausalMask, OpenRotaryAngles, RotaryAngles, WindowMask

FEW = 8
"""The number of members of a sequence that may be called one by one, in lines of their own, where only some take a constant."""


class Constant(Record):
    """A tensor, or several, that layers have in common: what `op` makes of run-time `sizes`. `like` is the element type of a tensor that
    must be at hand; `sources` are the other tensors that it is computed from."""

    op: Operator
    like: DType | None = None
    sources: tuple[Value, ...] = ()
    sizes: tuple[Dim, ...] = ()


Kind = tuple[Operator, "DType | None"]
"""Of a constant: what it is, whatever it is computed from."""


def hoist(order: list[Graph]) -> None:
    """Moves constants to the callers, called graphs first. Not where a shared stage has several graphs: they must remain one class."""
    for graph in order:
        _merge(graph)
    if not Sharing(order).united(order):
        _Hoisting(order).run()


class _Hoisting:
    def __init__(self, order: list[Graph]) -> None:
        self.order = order
        self.calls: dict[int, list[tuple[Graph, CallNode]]] = {id(g): [] for g in order}
        self.kinds: dict[int, dict[Kind, None]] = {}
        """By the id of a graph, the kinds of constants in it and in the graphs that it calls."""
        for graph in order:
            kinds = self.kinds[id(graph)] = {}
            for node in graph.nodes:
                if isinstance(node, CallNode):
                    self.calls[id(node.graph)].append((graph, node))
                    kinds.update(self.kinds[id(node.graph)])
                elif (constant := _constant(node)) is not None:
                    kinds[constant.op, constant.like] = None
        self.given: dict[int, list[OpNode]] = {}
        """By the id of a call, the constants that it takes."""
        self.uniform = {id(g) for g in order if self._is_uniform(g)}
        """The ids of graphs that can pass constants to their members: those remain a loop, or are few."""
        self.often: set[int] = set()
        """The ids of graphs that run more than once, or that only pass on what they are given."""
        for graph in reversed(order):
            callers = [id(caller) for caller, _ in self.calls[id(graph)]]
            if not _is_home(graph) or len(set(callers)) < len(callers) or any(c in self.often for c in callers):
                self.often.add(id(graph))

    def run(self) -> None:
        for graph in self.order:
            if self.kinds[id(graph)]:
                self._insert(graph)
                for node in list(graph.nodes):
                    constant = _constant(node)
                    if constant is not None and id(graph) in self.often and self._is_movable(graph, constant):
                        assert isinstance(node, OpNode)
                        self._move(graph, node, constant)

    def _insert(self, graph: Graph) -> None:
        """The constants that the graphs it calls have given to it, each before the call."""
        taken = labels(graph)
        given = {id(node): self.given.get(id(node), []) for node in graph.nodes}
        graph.nodes = [one for node in graph.nodes for one in (*given[id(node)], node)]
        _merge(graph)
        new = {id(own) for several in given.values() for own in several}
        for node in graph.nodes:
            if id(node) in new:
                node.label = unique(node.label, taken)
                taken.add(node.label)

    def _is_movable(self, graph: Graph, constant: Constant) -> bool:
        """Whether every caller can compute the constant, or take it from its own callers."""
        calls = self.calls[id(graph)]
        return bool(calls) and all(self._fits(graph, caller, call, constant) for caller, call in calls)

    def _fits(self, graph: Graph, caller: Graph, call: CallNode, constant: Constant) -> bool:
        outside = _outside(graph, call, constant.sources)
        if outside is None or call.shared is not None or not caller.inputs:
            return False
        if constant.like is not None and all(v.type.dtype != constant.like for v in call.inputs):
            return False
        if not _has_sizes(caller, constant.sizes):
            return False
        return _is_home(caller) or (id(caller) in self.uniform and self._is_movable(caller, replace(constant, sources=outside)))

    def _is_uniform(self, graph: Graph) -> bool:
        kinds = [tuple(self.kinds[id(n.graph)]) if isinstance(n, CallNode) else () for n in graph.nodes]
        needed = set(kinds) - {()} if len(kinds) <= FEW else set(kinds)
        return len(needed) == 1

    def _move(self, graph: Graph, node: OpNode, constant: Constant) -> None:
        for _, call in self.calls[id(graph)]:
            sources = _outside(graph, call, constant.sources) or ()
            like = [next(v for v in call.inputs if v.type.dtype == constant.like)] if constant.like is not None else []
            made = tuple(Value(v.type, v.span, v.name) for v in node.outputs)
            self.given.setdefault(id(call), []).append(OpNode(node.op, (*like, *sources), made, node.label, node.span, ()))
            call.inputs = (*call.inputs, *made)
        graph.nodes.remove(node)
        for source in constant.sources:
            self._drop(graph, source)
        graph.inputs += node.outputs
        graph.captures += len(node.outputs)

    def _drop(self, graph: Graph, source: Value) -> None:
        """What the constant alone was computed from is no input any more."""
        if source in graph.inputs and source not in chain(graph.outputs, *(n.inputs for n in graph.nodes)):
            at = graph.inputs.index(source)
            graph.captures -= at >= len(graph.inputs) - graph.captures
            del graph.inputs[at]
            for _, call in self.calls[id(graph)]:
                call.inputs = (*call.inputs[:at], *call.inputs[at + 1 :])


def _outside(graph: Graph, call: CallNode, sources: tuple[Value, ...]) -> tuple[Value, ...] | None:
    """The caller's tensors that these are in the graph; None if one is made there."""
    given = {id(inner): outer for inner, outer in zip(graph.inputs, call.inputs, strict=True)}
    return tuple(given[id(v)] for v in sources) if all(id(v) in given for v in sources) else None


def _merge(graph: Graph) -> None:
    """Of equal constants in a graph only the first is left."""
    first: dict[Constant, Node] = {}
    instead: dict[int, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        constant = _constant(node)
        if constant is None or first.setdefault(constant, node) is node:
            nodes.append(node)
        else:
            instead.update((id(old), new) for old, new in zip(node.outputs, first[constant].outputs, strict=True))
    graph.nodes = nodes
    substitute(graph, instead)


def _constant(node: Node) -> Constant | None:
    """What the node computes, if layers may have that in common."""
    match node:
        case OpNode(op=RotaryAngles() as op, inputs=(like, *sources)):
            feature_count = (op.dims,) if isinstance(op, OpenRotaryAngles) else ()
            return Constant(op, like.type.dtype, tuple(sources), feature_count if sources else (op.length, *feature_count))
        case OpNode(op=CausalMask() as op):
            return Constant(op, node.inputs[0].type.dtype if node.inputs else None, sizes=(op.length, op.span))
        case OpNode(op=WindowMask() as op):
            return Constant(op, sizes=(op.length,))
        case OpNode(op=TableOperator() as op) if not op.static:
            numbers = (p.value for p in parts(op.formula) if isinstance(p, Const))
            return Constant(op, sizes=(*op.shape, *(n for n in numbers if isinstance(n, SymDim))))
    return None


def _has_sizes(graph: Graph, sizes: tuple[Dim, ...]) -> bool:
    """Whether the inputs of the graph have the sizes."""
    body = ClassBody(graph)
    forward = ForwardSizes(body)
    for size in sizes:
        forward.resolve(size)
    return not body.passed


def _is_home(graph: Graph) -> bool:
    """Whether it is a body that a reader of the spec knows, rather than a row of others."""
    return graph.kind in ("block", "model")
