"""Hoists computations that are the same in every layer, so that they run once: rotary angles, masks and tables of sizes only.

In: the graphs of a program. Out: the same graphs, in which a graph that runs repeatedly takes such tensors as further inputs, as if the
spec had captured them from the nearest block around it that runs less often: the `forward` of a decoder computes `cos, sin` once and passes
them to each of its layers. Always: a long sequence passes the same tensors to all its members, so that it stays a loop. A constant with
one use stays where it is.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain

from netc.dsl.record import Record

from ....dims import Dim, SymDim
from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_labels import collect_labels
from ....ir.graph_values import Value
from ....ir.replace_values import replace_values
from ....ops.constants import TableOperator
from ....ops.formula import Const, iterate_parts
from ....ops.operator import Operator
from ....types.tensor_types import DType
from ....types.traced_ints import origin_key, substitute_values
from ..classes.forward_sizes import ForwardSizes
from ..classes.shared_modules import Sharing
from ..code.classes import ClassBody
from ..code.framework import Framework
from ..identifiers import make_unique
from .lowered_operators import CausalMask, OpenRotaryAngles, RotaryAngles, WindowMask

FEW = 8
"""The largest number of members that may be called one by one, in lines of their own, where only some of them take a constant."""


class HoistedConstant(Record):
    """One or several tensors that layers have in common: the result of `op` for run-time `sizes`. `like` is the element type of a tensor
    that must be at hand, and `sources` are the other inputs. `origin` tells constants apart whose numbers come from different formulas."""

    op: Operator
    like: DType | None
    sources: tuple[Value, ...]
    sizes: tuple[Dim, ...]
    origin: object

    @property
    def kind(self) -> Kind:
        return self.op, self.like, self.origin

    def translate_to_caller(self, graph: Graph, call: CallNode) -> HoistedConstant | None:
        """Return the constant in terms of a caller, or None if it is computed from a tensor that only the graph has."""
        outer_of = {id(inner): outer for inner, outer in zip(graph.inputs, call.inputs, strict=True)}
        if call.scan is not None:
            # In a scan, only captured inputs are the same in each step: states and slices change.
            outer_of = {id(v): outer_of[id(v)] for v in graph.inputs[call.scan.own_count :]}
        if any(id(v) not in outer_of for v in self.sources):
            return None
        op, sizes = self.op.substitute_values(call.arguments), substitute_values(self.sizes, call.arguments)
        return HoistedConstant(op, self.like, tuple(outer_of[id(v)] for v in self.sources), sizes, origin_key(op.numbers))


Kind = tuple[Operator, "DType | None", object]
"""The identity of a constant, without the tensors that it is computed from."""


def hoist_constants(order: list[Graph], framework: Framework) -> None:
    """Move constants to the callers, called graphs first. A program with a shared stage of several graphs stays: they must remain one
    class."""
    for graph in order:
        _merge_equal_constants(graph)
    if not Sharing(order).group_graphs_of_one_module(order):
        while _Hoisting(order, framework).run():  # what is computed from a constant can move after it has
            pass


class _Hoisting:
    def __init__(self, order: list[Graph], framework: Framework) -> None:
        self.order, self.framework = order, framework
        self.calls: dict[int, list[tuple[Graph, CallNode]]] = {id(g): [] for g in order}
        self.kinds: dict[int, dict[Kind, None]] = {}
        """By the id of a graph, the kinds of constants in it and in the graphs that it calls."""
        # `order` has called graphs first, so the kinds of a called graph are complete here.
        for graph in order:
            kinds = self.kinds[id(graph)] = {}
            for node in graph.nodes:
                if isinstance(node, CallNode):
                    self.calls[id(node.graph)].append((graph, node))
                    kinds.update(dict.fromkeys(self._list_needed_kinds(node)))
                elif (constant := _match_constant(node)) is not None:
                    kinds[constant.kind] = None
        self.given: dict[int, list[OpNode]] = {}
        """By the id of a call, the constants that were moved out of the called graph."""
        self.counts: dict[int, Counter[Kind]] = {}
        """By the id of a graph, how many of its members need a constant."""
        for graph in order:
            called = (n for n in graph.nodes if isinstance(n, CallNode))
            self.counts[id(graph)] = Counter(kind for call in called for kind in self._list_needed_kinds(call))
        self.passing = {id(g): self._find_passed_kinds(g) for g in order if not _is_home(g)}
        """By the id of a sequence, the constants that it can pass on: all its members need them, or it has only a few members."""
        self.often: set[int] = set()
        """The ids of graphs that run more than once in one call of the model."""
        for graph in reversed(order):
            callers = [id(caller) for caller, _ in self.calls[id(graph)]]
            if len(set(callers)) < len(callers) or graph.kind == "scan" or any(c in self.often for c in callers):
                self.often.add(id(graph))

    def run(self) -> bool:
        """Move the constants once. Return whether any has moved."""
        for graph in self.order:
            if self.kinds[id(graph)]:
                self._insert_constants(graph)
                for node in list(graph.nodes):
                    constant = _match_constant(node)
                    if constant is not None and self._is_repeated(graph, constant) and self._is_movable(graph, constant):
                        assert isinstance(node, OpNode)
                        self._move_constant(graph, node, constant)
        return bool(self.given)

    def _insert_constants(self, graph: Graph) -> None:
        """Insert the constants moved out of called graphs, each before the call that takes it."""
        labels = collect_labels(graph)
        constants = {id(node): self.given.get(id(node), []) for node in graph.nodes}
        graph.nodes = [inserted for node in graph.nodes for inserted in (*constants[id(node)], node)]
        _merge_equal_constants(graph)
        new = {id(constant) for several in constants.values() for constant in several}
        for node in graph.nodes:
            if isinstance(node, OpNode) and id(node) in new:
                node.label = make_unique(node.op.name, labels)
                labels.add(node.label)

    def _is_repeated(self, graph: Graph, constant: HoistedConstant) -> bool:
        """Whether it is computed more than once, or is on its way to a graph where it is not."""
        if id(graph) in self.often or not _is_home(graph):
            return True
        seen = ((caller, constant.translate_to_caller(graph, call)) for caller, call in self.calls[id(graph)])
        return any(place is not None and self.counts[id(caller)][place.kind] > 1 for caller, place in seen)

    def _is_movable(self, graph: Graph, constant: HoistedConstant) -> bool:
        """Whether every caller can compute the constant, or take it from its own callers."""
        calls = self.calls[id(graph)]
        return bool(calls) and all(self._can_move_to(graph, caller, call, constant) for caller, call in calls)

    def _can_move_to(self, graph: Graph, caller: Graph, call: CallNode, constant: HoistedConstant) -> bool:
        outside = constant.translate_to_caller(graph, call)
        # A shared stage keeps its inputs, since all of its graphs must remain one class.
        # A graph without inputs has no tensor that gives the device.
        if outside is None or call.shared is not None or not caller.inputs:
            return False
        if constant.like is not None and all(v.type.dtype != constant.like for v in call.inputs):
            return False
        if _is_home(caller):
            return _has_sizes(caller, outside.sizes, self.framework)
        return outside.kind in self.passing[id(caller)] and self._is_movable(caller, outside)

    def _list_needed_kinds(self, call: CallNode) -> list[Kind]:
        """List the constants that a call needs, in terms of the caller."""
        ops = [(op.substitute_values(call.arguments), like) for op, like, _ in self.kinds[id(call.graph)]]
        return [(op, like, origin_key(op.numbers)) for op, like in ops]

    def _find_passed_kinds(self, graph: Graph) -> set[Kind]:
        needed = [set(self._list_needed_kinds(n)) if isinstance(n, CallNode) else set() for n in graph.nodes]
        # A short sequence is written call by call, so members without the constant do not matter.
        needed = [kinds for kinds in needed if kinds] if len(needed) <= FEW else needed
        return set.intersection(*needed) if needed else set()

    def _move_constant(self, graph: Graph, node: OpNode, constant: HoistedConstant) -> None:
        for _, call in self.calls[id(graph)]:
            outside = constant.translate_to_caller(graph, call)
            assert outside is not None
            like = [next(v for v in call.inputs if v.type.dtype == constant.like)] if constant.like is not None else []
            outputs = tuple(Value(v.type.with_shape(substitute_values(v.type.shape, call.arguments)), v.span, v.name) for v in node.outputs)
            self.given.setdefault(id(call), []).append(OpNode(outside.op, (*like, *outside.sources), outputs, node.label, node.span, ()))
            call.inputs = (*call.inputs, *outputs)
        graph.nodes.remove(node)
        # A tensor that was passed only for the constant would stay as an unused argument of every layer.
        for source in constant.sources:
            self._drop_unused_input(graph, source)
        graph.inputs += node.outputs
        graph.captures += len(node.outputs)

    def _drop_unused_input(self, graph: Graph, source: Value) -> None:
        """Remove an input that only the constant was computed from."""
        if source in graph.inputs and not graph.tuples and source not in chain(graph.outputs, *(n.inputs for n in graph.nodes)):
            position = graph.inputs.index(source)
            # Captured inputs are the last ones, so the position tells whether the removed input was one of them.
            graph.captures -= position >= len(graph.inputs) - graph.captures
            del graph.inputs[position]
            for _, call in self.calls[id(graph)]:
                call.inputs = (*call.inputs[:position], *call.inputs[position + 1 :])


def _merge_equal_constants(graph: Graph) -> None:
    """Keep only the first of equal constants in a graph."""
    first: dict[HoistedConstant, Node] = {}
    instead: dict[int, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        constant = _match_constant(node)
        if constant is None or first.setdefault(constant, node) is node:
            nodes.append(node)
        else:
            instead.update((id(old), new) for old, new in zip(node.outputs, first[constant].outputs, strict=True))
    graph.nodes = nodes
    replace_values(graph, instead)


def _match_constant(node: Node) -> HoistedConstant | None:
    """Return the constant that the node computes, if layers may have it in common."""
    match node:
        case OpNode(op=RotaryAngles() as op, inputs=(like, *sources)):
            features = (op.dims,) if isinstance(op, OpenRotaryAngles) else ()
            sizes = features if sources else (op.length, *features)
            return HoistedConstant(op, like.type.dtype, tuple(sources), sizes, origin_key(op.numbers))
        case OpNode(op=CausalMask() as op, inputs=inputs):
            return HoistedConstant(
                op, inputs[0].type.dtype if inputs else None, (), (op.length, op.span, op.offset), origin_key(op.numbers)
            )
        case OpNode(op=WindowMask() as op):
            return HoistedConstant(op, None, (), (op.length, op.span, op.span - op.length), origin_key(op.numbers))
        # A static table is a buffer that the constructor computes: its cost is paid once already.
        case OpNode(op=TableOperator() as op) if not op.is_static:
            numbers = (p.value for p in iterate_parts(op.formula) if isinstance(p, Const))
            return HoistedConstant(op, None, (), (*op.shape, *(n for n in numbers if isinstance(n, SymDim))), origin_key(op.numbers))
    return None


def _has_sizes(graph: Graph, sizes: tuple[Dim, ...], framework: Framework) -> bool:
    """Whether all these sizes can be read off the inputs of the graph."""
    body = ClassBody(graph, framework)
    forward = ForwardSizes(body)
    for size in sizes:
        forward.resolve_sizes(size)
    return not body.passed


def _is_home(graph: Graph) -> bool:
    """Whether it is a block or model of the spec, rather than a sequence of stages."""
    return graph.kind in ("block", "model")
