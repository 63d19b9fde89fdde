"""Inlines calls of graphs that use shared stages from outside, because a block of the language cannot take a shared stage.

In: a graph. Out: a copy in which the nodes of such calls are nodes of the graph itself, with the call's label before theirs: `enc.conv`.
Always: keys and results stay the same, and the original graph is not changed.

    >>> import netc
    >>> text = "shared s = dense 3; x = input 3; x -> (relu -> s) as enc -> s"
    >>> [node.label for node in inline_shared_calls(netc.compile(text).program.main).nodes]
    ['enc.0', 's', 's']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...ir.graph import CallNode, Graph, Node, OpNode, SharedModule
from ...ir.graph_values import Value
from ...ir.walk import join_labels
from ...ops.parameter_of import ParameterOf

Values = dict[int, Value]


def inline_shared_calls(main: Graph) -> Graph:
    """Return the graph without calls of graphs that have `modules`. Graphs without such calls are the same objects."""
    return _SharedInliner().inline_graph(main)


class _SharedInliner:
    def __init__(self) -> None:
        self.done: dict[int, Graph] = {}

    def inline_graph(self, graph: Graph) -> Graph:
        """Return the inlined graph, or the graph itself if nothing in it is inlined."""
        if id(graph) not in self.done:
            self.done[id(graph)] = self._copy_graph(graph) if self._has_shared_calls(graph) else graph
        return self.done[id(graph)]

    def _has_shared_calls(self, graph: Graph) -> bool:
        calls = [node for node in graph.nodes if isinstance(node, CallNode)]
        # A scan is written where it is called, so it sees the shared stages around it.
        return any((node.graph.modules and node.scan is None) or self.inline_graph(node.graph) is not node.graph for node in calls)

    def _copy_graph(self, graph: Graph) -> Graph:
        copied = Graph(graph.name, graph.kind, graph.span, graph.arguments)
        copied.inputs, copied.captures = graph.inputs, graph.captures
        copied.modules, copied.declares = graph.modules, [*graph.declares]
        values: Values = {}
        copied.nodes = list(self._iterate_nodes(graph, "", values, {}, copied.declares))
        copied.outputs = [values.get(id(value), value) for value in graph.outputs]
        if graph.training_outputs is not None:
            copied.training_outputs = [values.get(id(value), value) for value in graph.training_outputs]
        copied.output_names, copied.size, copied.iteration = graph.output_names, graph.size, graph.iteration
        return copied

    def _iterate_nodes(
        self, graph: Graph, prefix: str, values: Values, shared: Mapping[int, SharedModule], declares: list[SharedModule]
    ) -> Iterator[Node]:
        """Iterate over the nodes. `shared` maps shared stages of the graph to those outside. Declarations of inlined graphs go to
        `declares`."""
        for node in graph.nodes:
            inputs = tuple(values.get(id(value), value) for value in node.inputs)
            if isinstance(node, CallNode) and node.graph.modules and node.scan is None:
                inner = self.inline_graph(node.graph)
                within = {
                    id(module): shared.get(id(module_of_caller), module_of_caller)
                    for module, module_of_caller in zip(inner.modules, node.modules, strict=True)
                }
                path = join_labels(prefix, node.label)
                own_modules = {id(module): SharedModule(join_labels(path, module.label), module.span) for module in inner.declares}
                declares += own_modules.values()
                # The inputs of the inlined graph are the caller's tensors, and so are its results afterwards.
                inside: Values = dict(zip(map(id, inner.inputs), inputs, strict=True))
                yield from self._iterate_nodes(inner, path, inside, within | own_modules, declares)
                values.update((id(o), inside.get(id(r), r)) for o, r in zip(node.outputs, inner.outputs, strict=True))
                continue
            # A copy keeps the original graph unchanged, which callers that are not inlined still use.
            outputs = tuple(Value(value.type, value.span, value.name, value.spatial) for value in node.outputs)
            values.update((id(old), new) for old, new in zip(node.outputs, outputs, strict=True))
            of = None if node.shared is None else shared.get(id(node.shared), node.shared)
            label = join_labels(prefix, node.label) if of is None else of.label if of is not node.shared else node.label
            if isinstance(node, OpNode):
                # A path begins at the graph that has the node, so it moves with an inlined node.
                op = _move_path(node.op, prefix) if isinstance(node.op, ParameterOf) and of is None else node.op
                yield OpNode(op, inputs, outputs, label, node.span, node.specs, node.tie, of, frozen=node.frozen)
            else:
                yield CallNode(
                    self.inline_graph(node.graph),
                    inputs,
                    outputs,
                    label,
                    node.span,
                    node.modules,
                    of,
                    node.arguments,
                    scan=node.scan,
                    frozen=node.frozen,
                )


def _move_path(op: ParameterOf, prefix: str) -> ParameterOf:
    return ParameterOf(**{**op.args, "path": join_labels(prefix, op.path)})
