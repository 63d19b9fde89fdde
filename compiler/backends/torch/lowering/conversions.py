"""The emitted module works in any floating-point type that PyTorch converts it to: what is float32 by itself, as the cast of an integer, is
converted to the type of the model where it meets its tensors.

In: the graphs of a program. Out: the same with conversions. Always: in float32 nothing changes; a number keeps the precision of float32
until it meets a tensor of the model; booleans, which are exact in every type, are converted at once.
"""

from __future__ import annotations

from ....ir.graph import CallNode, Graph, Node, OpNode, Value
from ....ir.types import BOOL, FLOAT32, INT64
from ....ops.constants import TableOperator
from ....ops.indexing import OneHot
from ....ops.shape import Cast, Layout
from ...python.classes.shared import Sharing
from ...python.naming import CONTAINER_ATTRIBUTES, plain
from .element_types import Decisions, ElementTypes, Need, floats, is_float
from .graphs import labels, substitute
from .operators import ConvertedTable, ExactTable, ToModelType

Source = tuple[tuple[Value, ...], str, str]
"""What has the type of the model: a tensor, or the path and the name of a parameter."""


def convert(order: list[Graph]) -> None:
    """Converts what no tensor of the model is part of, if there is such a thing."""
    if any(_makes_floats(node) for graph in order for node in graph.nodes):
        _Converter(order).run()


class _Converter:
    def __init__(self, order: list[Graph]) -> None:
        self.order = order
        self.decisions = Decisions()
        for graph in (g for several in Sharing(order).united(order) for g in several):  # what is one module converts the same
            self.decisions.converted.update((id(graph), i) for i in range(len(graph.inputs)))
        self.parametric: set[int] = set()
        """The ids of graphs with parameters."""
        for graph in order:
            if any(self._has_parameters(n) for n in graph.nodes):
                self.parametric.add(id(graph))

    def run(self) -> None:
        types = ElementTypes(self.order, self.decisions)
        before = -1
        while self.decisions.size() > before:
            before = self.decisions.size()
            self.decisions.exact.update(id(node) for node in types.precise())
            types = ElementTypes(self.order, self.decisions)
            needs = list(types.needs())
            for need in needs:
                self._decide(need, needs, types)
            types = ElementTypes(self.order, self.decisions)
        needs = [need for need in types.needs() if self.source(need.graph, types, need) is not None]
        for graph in self.order:
            _Writer(graph, self, types).write([need for need in needs if need.graph is graph])

    def _has_parameters(self, node: Node) -> bool:
        return id(node.graph) in self.parametric if isinstance(node, CallNode) else _parameter(node) is not None

    def source(self, graph: Graph, types: ElementTypes, need: Need | None = None) -> Source | None:
        """What has the type of the model: a tensor that a layer takes, a parameter, any tensor that is given, or one that `need` meets."""
        given = [v for v in graph.inputs if is_float(v) and id(v) not in types.fixed]
        taken = {id(v) for n in graph.nodes if self._has_parameters(n) for v in n.inputs}
        first = next((v for v in given if id(v) in taken), None)
        if first is not None:
            return (first,), "", ""
        layers = [need.node] if need is not None else []
        for node in (*layers, *graph.nodes):
            name = _parameter(node) if isinstance(node, OpNode) else None
            if name is not None:
                return (), _label(node), name
        met = [v for v in floats(need.node) if id(v) not in types.fixed] if need is not None else []
        if given or met:
            return ((*given, *met)[0],), "", ""
        return next((self._inside(n) for n in (*layers, *graph.nodes) if self._has_parameters(n)), None)

    def _inside(self, node: Node) -> Source:
        """The first parameter of a stage."""
        path: list[str] = []
        while isinstance(node, CallNode):
            path.append(_label(node))
            node = next(n for n in node.graph.nodes if self._has_parameters(n))
        return (), ".".join([*path, _label(node)]), _parameter(node) or ""

    # --- where ---------------------------------------------------------------------------------------------------------------

    def _decide(self, need: Need, needs: list[Need], types: ElementTypes) -> None:
        """Converts where the tensor, or what it is made of, comes from, if nothing is lost by that."""
        found = self._origins(need, needs, types)
        nodes = [node for node, _ in found if node is not None]
        if nodes and self.source(need.graph, types) is None:
            return
        self.decisions.following.update(id(node) for node in nodes)
        inputs = {id(v): i for i, v in enumerate(need.graph.inputs)}
        self.decisions.converted.update((id(need.graph), inputs[id(value)]) for node, value in found if node is None)

    def _origins(self, need: Need, needs: list[Need], types: ElementTypes) -> list[tuple[Node | None, Value]]:
        """Where the tensor comes from: nodes, or None for an input of the graph; nothing if it is not to be converted there."""
        makers = {id(v): node for node in need.graph.nodes for v in node.outputs}
        found: list[tuple[Node | None, Value]] = []
        stack = [(need.value, True)]
        seen: set[tuple[int, bool]] = set()
        while stack:
            value, moved = stack.pop()
            if (id(value), moved) in seen:
                continue
            seen.add((id(value), moved))
            node = makers.get(id(value))
            if isinstance(node, OpNode) and floats(node):
                stack += ((v, moved and isinstance(node.op, Layout)) for v in floats(node))
            elif (node is not None and _is_exact(node)) or (moved and _is_start(node) and _is_needed(need.graph, value, needs)):
                found.append((node, value))
            else:
                return []
        return found


class _Writer:
    """Changes one graph as it was decided."""

    def __init__(self, graph: Graph, converter: _Converter, types: ElementTypes) -> None:
        self.graph, self.converter, self.types = graph, converter, types
        self.decisions = converter.decisions
        self.exact: dict[int, Value] = {}
        """By the ids of the tables, what keeps their precision: its member has the name."""

    def write(self, needs: list[Need]) -> None:
        nodes: list[Node] = []
        instead: dict[int, Value] = {}
        needed = {id(need.node): [n for n in needs if n.node is need.node] for need in needs}
        for node in self.graph.nodes:
            for need in needed.get(id(node), ()):
                if id(need.value) not in instead:
                    instead[id(need.value)] = self._converted(need.value, nodes, need)
            if id(node) in needed:
                node.inputs = tuple(instead[id(v)] if any(v is n.value for n in needed[id(node)]) else v for v in node.inputs)
            nodes += self._rewritten(node) if isinstance(node, OpNode) else [node]
        self.graph.nodes = nodes
        substitute(self.graph, self.exact)

    def _converted(self, value: Value, nodes: list[Node], need: Need) -> Value:
        made = Value(value.type, value.span)
        nodes.append(self._conversion((value,), made, need.node, need))
        return made

    def _conversion(self, inputs: tuple[Value, ...], result: Value, at: Node, need: Need | None = None) -> OpNode:
        source = self.converter.source(self.graph, self.types, need)
        assert source is not None
        like, path, parameter = source
        return OpNode(ToModelType(path=path, parameter=parameter), (*inputs, *like), (result,), at.label, at.span, ())

    def _rewritten(self, node: OpNode) -> list[Node]:
        if id(node) in self.decisions.exact:
            table = node.outputs[0]
            free = plain(table.name) and table.name not in CONTAINER_ATTRIBUTES | labels(self.graph)
            made = self.exact[id(table)] = Value(table.type, table.span)
            return [OpNode(ExactTable(table=node.op), (), (made,), table.name if free else node.label, node.span, ())]
        if id(node) not in self.decisions.following:
            return [node]
        if isinstance(node.op, TableOperator):
            conversion = self._conversion((), node.outputs[0], node)
            converted = ConvertedTable(table=node.op, **conversion.op.args)
            return [OpNode(converted, conversion.inputs, node.outputs, node.label, node.span, ())]
        if isinstance(node.op, OneHot):
            whole = Value(node.outputs[0].type.with_dtype(INT64), node.span)
            ones = OpNode(OneHot(**{**node.op.args, "dtype": INT64}), node.inputs, (whole,), node.label, node.span, ())
            return [ones, self._conversion((whole,), node.outputs[0], node)]
        return [self._conversion(node.inputs, node.outputs[0], node)]


def _is_needed(graph: Graph, value: Value, needs: list[Need]) -> bool:
    """Whether all that is done with a tensor needs it in the type of the model, if perhaps in another layout."""
    if any(value is v for v in graph.outputs):
        return False
    for node in graph.nodes:
        if any(value is v for v in node.inputs) and not any(n.node is node and n.value is value for n in needs):
            moved = isinstance(node, OpNode) and isinstance(node.op, Layout)
            if not moved or not all(_is_needed(graph, v, needs) for v in node.outputs):
                return False
    return True


def _makes_floats(node: Node) -> bool:
    """Whether it makes float32 of something else."""
    return isinstance(node, OpNode) and not node.specs and any(is_float(v) for v in node.outputs) and not floats(node)


def _is_origin(node: Node) -> bool:
    """Whether it may make the type of the model instead."""
    if not isinstance(node, OpNode) or not _makes_floats(node):
        return False
    return isinstance(node.op, (OneHot, TableOperator)) or (isinstance(node.op, Cast) and not node.inputs[0].type.dtype.is_float)


def _is_start(node: Node | None) -> bool:
    """Whether a conversion may be there: at an origin, or at an input of the graph, which its callers then convert."""
    return node is None or _is_origin(node)


def _is_exact(node: Node) -> bool:
    """Whether it makes float32 of booleans or indices: zeros and ones, which are exact in every type."""
    if not isinstance(node, OpNode) or not _is_origin(node):
        return False
    return isinstance(node.op, OneHot) or (isinstance(node.op, Cast) and node.inputs[0].type.dtype == BOOL)


def _parameter(node: Node) -> str | None:
    """The name of a parameter, or of a buffer of the state dict, that has the type of the model."""
    specs = node.specs if isinstance(node, OpNode) else ()
    return next((spec.name for spec in specs if spec.dtype == FLOAT32 and spec.persistent), None)


def _label(node: Node) -> str:
    return node.label if node.shared is None else node.shared.label
