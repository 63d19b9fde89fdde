"""Inserts conversions, so that the emitted module works in any floating-point type that a user converts it to.

In: the graphs of a program. Out: the same graphs with conversions to the type of the model wherever a tensor that is float32 by itself, as
the cast of an integer, meets tensors of the model: `x + i.float()` becomes `x + i.to(x.dtype)`. Always: in float32 nothing changes. A
number keeps the precision of float32 until it meets a tensor of the model. Booleans, which are exact in every type, are converted at once.
The work is linear in the number of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl.source import Span

from ....ir.graph import Graph, Node, OpNode
from ....ir.graph_labels import collect_labels
from ....ir.graph_values import Value
from ....ir.replace_values import replace_inputs, replace_values
from ....ops.constants import TableOperator
from ....ops.indexing import OneHot
from ....ops.shape import Cast, Layout
from ....types.tensor_types import BOOL, INT64
from ..classes.shared_modules import Sharing
from ..identifiers import make_unique
from .element_type_sources import TypeSources
from .float32_tensors import CastDecisions, CastNeed, ElementTypes, is_float, list_float_inputs
from .lowered_operators import ConvertedTable, ExactTable, ToModelType


def insert_casts(order: list[Graph]) -> None:
    """Convert tensors that depend on no tensor of the model, if there are any."""
    if any(_makes_floats(node) for graph in order for node in graph.nodes):
        decisions = CastDecisions()
        # The graphs of one shared module become one class, so all of them must convert the same inputs.
        for graph in (g for several in Sharing(order).group_graphs_of_one_module(order) for g in several):
            decisions.converted.update((id(graph), i) for i in range(len(graph.inputs)))
        sources = TypeSources(order)
        types = _decide_types(order, decisions, sources)
        needs: dict[int, list[CastNeed]] = {}
        for need in types.iterate_needs():
            # Without a source, the graph has nothing of the model: the tensors stay float32 and their callers convert.
            if sources.find_source(need.graph, types, need) is not None:
                needs.setdefault(id(need.graph), []).append(need)
        for graph in order:
            _CastWriter(graph, sources, types).write_casts(needs.get(id(graph), []))


def _decide_types(order: list[Graph], decisions: CastDecisions, sources: TypeSources) -> ElementTypes:
    """Decide the element types, after moving each conversion to where its tensor is made, if that is possible."""
    flows = {id(graph): _GraphFlow(graph) for graph in order}
    types = ElementTypes(order, decisions)
    # Each decision may expose another one, in a graph that calls this one; decisions are only added, so this ends.
    before = -1
    while decisions.count_decisions() > before:
        before = decisions.count_decisions()
        decisions.exact.update(id(node) for node in types.iterate_precise_tables())
        types = ElementTypes(order, decisions)
        needs: dict[int, list[CastNeed]] = {}
        for need in types.iterate_needs():
            needs.setdefault(id(need.graph), []).append(need)
        for same_type in needs.values():
            flow = flows[id(same_type[0].graph)]
            convertible = sources.find_source(flow.graph, types) is not None
            flow.decide_conversions(same_type, decisions, convertible)
        types = ElementTypes(order, decisions)
    return types


class _GraphFlow:
    """The producer and the consumers of each tensor of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers = {id(v): node for node in graph.nodes for v in node.outputs}
        self.takers: dict[int, list[Node]] = {}
        for node in graph.nodes:
            for v in node.inputs:
                self.takers.setdefault(id(v), []).append(node)
        self.results = {id(v) for v in (*graph.outputs, *(graph.training_outputs or ()))}

    def decide_conversions(self, needs: Iterable[CastNeed], decisions: CastDecisions, convertible: bool) -> None:
        """Convert tensors at their origins where that loses no precision. `convertible`: the graph itself has a source for the type of the
        model."""
        needed = {(id(need.node), id(need.value)) for need in needs}
        numbers = {id(v): i for i, v in enumerate(self.graph.inputs)}
        for value in {id(need.value): need.value for need in needs}.values():
            origins = self._find_origins(value, needed)
            nodes = [node for node, _ in origins if node is not None]
            if convertible or not nodes:
                decisions.following.update(id(node) for node in nodes)
                decisions.converted.update((id(self.graph), numbers[id(v)]) for node, v in origins if node is None)

    def _find_origins(self, value: Value, needed: set[tuple[int, int]]) -> list[tuple[Node | None, Value]]:
        """Return the origins of a tensor: nodes, or None for an input of the graph. Empty if it must not be converted there."""
        origins: list[tuple[Node | None, Value]] = []
        stack = [(value, True)]
        seen: set[tuple[int, bool]] = set()
        while stack:
            # `moved`: only layout operators so far. A conversion before arithmetic would do the arithmetic in the lower precision.
            value, moved = stack.pop()
            if (id(value), moved) in seen:
                continue
            seen.add((id(value), moved))
            node = self.makers.get(id(value))
            if isinstance(node, OpNode) and list_float_inputs(node):
                stack += ((v, moved and isinstance(node.op, Layout)) for v in list_float_inputs(node))
            # Zeros and ones are exact in every type, so they may be converted even before arithmetic.
            elif (node is not None and _is_exact(node)) or (moved and _is_start(node) and self._is_needed(value, needed)):
                origins.append((node, value))
            else:
                return []
        return origins

    def _is_needed(self, value: Value, needed: set[tuple[int, int]]) -> bool:
        """Whether all consumers of a tensor need it in the type of the model, directly or after a change of layout."""
        stack = [value]
        while stack:
            value = stack.pop()
            if id(value) in self.results:
                return False
            for node in self.takers.get(id(value), ()):
                if (id(node), id(value)) in needed:
                    continue
                if not isinstance(node, OpNode) or not isinstance(node.op, Layout):
                    return False
                stack += node.outputs
        return True


class _CastWriter:
    """Applies the decisions to one graph."""

    def __init__(self, graph: Graph, sources: TypeSources, types: ElementTypes) -> None:
        self.graph, self.sources, self.types, self.decisions = graph, sources, types, types.decisions
        self.labels = collect_labels(graph)
        self.exact: dict[int, Value] = {}
        """By the ids of the tables, the tensors of the same names that keep their precision."""

    def write_casts(self, needs: list[CastNeed]) -> None:
        nodes: list[Node] = []
        converted: dict[int, Value] = {}
        needed: dict[int, list[CastNeed]] = {}
        for need in needs:
            needed.setdefault(id(need.node), []).append(need)
        for node in self.graph.nodes:
            wanted = needed.get(id(node), [])
            for need in wanted:
                if id(need.value) not in converted:
                    converted_value = converted[id(need.value)] = Value(need.value.type, need.value.span)
                    nodes.append(self._make_conversion((need.value,), converted_value, node.span, need))
            instead = {id(need.value): converted[id(need.value)] for need in wanted}
            replace_inputs(node, instead)
            nodes += self._rewrite_node(node) if isinstance(node, OpNode) else [node]
        self.graph.nodes = nodes
        replace_values(self.graph, self.exact)

    def _make_conversion(self, inputs: tuple[Value, ...], result: Value, span: Span, need: CastNeed | None = None) -> OpNode:
        source = self.sources.find_source(self.graph, self.types, need)
        assert source is not None
        like = () if source.like is None else (source.like,)
        converted = ToModelType(path=source.path, parameter=source.parameter)
        label = make_unique(converted.name, self.labels)
        self.labels.add(label)
        return OpNode(converted, (*inputs, *like), (result,), label, span, ())

    def _rewrite_node(self, node: OpNode) -> list[Node]:
        if id(node) in self.decisions.exact:
            table = node.outputs[0]
            exact_table = self.exact[id(table)] = Value(table.type, table.span, table.name)
            return [OpNode(ExactTable(**node.op.args), (), (exact_table,), node.label, node.span, ())]
        # The output keeps its float32 value object; `replace_values` below points its consumers to the exact one.
        if id(node) not in self.decisions.following:
            return [node]
        if isinstance(node.op, TableOperator):
            conversion = self._make_conversion((), node.outputs[0], node.span)
            converted = ConvertedTable(**node.op.args, **conversion.op.args)
            return [OpNode(converted, conversion.inputs, node.outputs, node.label, node.span, ())]
        # The framework's one-hot encoding has INT64, so one conversion to the type of the model is enough.
        if isinstance(node.op, OneHot):
            integers = Value(node.outputs[0].type.with_dtype(INT64), node.span)
            ones = OpNode(OneHot(**{**node.op.args, "dtype": INT64}), node.inputs, (integers,), node.label, node.span, ())
            return [ones, self._make_conversion((integers,), node.outputs[0], node.span)]
        return [self._make_conversion(node.inputs, node.outputs[0], node.span)]


def _makes_floats(node: Node) -> bool:
    """Whether it makes float32 of other types."""
    return isinstance(node, OpNode) and not node.specs and any(is_float(v) for v in node.outputs) and not list_float_inputs(node)


def _is_origin(node: Node) -> bool:
    """Whether it can give the type of the model instead of float32."""
    if not isinstance(node, OpNode) or not _makes_floats(node):
        return False
    return isinstance(node.op, (OneHot, TableOperator)) or (isinstance(node.op, Cast) and not node.inputs[0].type.dtype.is_float)


def _is_start(node: Node | None) -> bool:
    """Whether a conversion may start there: at an origin, or at an input of the graph, which its callers then convert."""
    return node is None or _is_origin(node)


def _is_exact(node: Node) -> bool:
    """Whether it makes float32 of booleans or indices: zeros and ones, which are exact in every type."""
    if not isinstance(node, OpNode) or not _is_origin(node):
        return False
    return isinstance(node.op, OneHot) or (isinstance(node.op, Cast) and node.inputs[0].type.dtype == BOOL)
