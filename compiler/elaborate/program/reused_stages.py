"""Uses of the model's `shared` stages in a train section, which become part of the model's graph.

The parameters of a stage are in the model's module, and a wrapper for several processes sees only the parameters that the module's
`forward` uses. So the model computes these uses too: it gets further inputs from the section, and returns further outputs to it.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "x = input 3; shared f = dense 1; y = x -> f; train { t = input 3; loss = y + (2 * t -> f) -> mean; optimizer sgd }"
    >>> training = analyze_training(SourceFile("<text>", text), Choice()).training
    >>> [node.label for node in training.program.main.nodes], [node.label for node in training.model_call.graph.nodes]
    (['mul1', 'model', 'add1', 'mean1'], ['f', 'f'])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from netc.dsl.source import Span

from ...errors.training_errors import ModelOfItself, UnusedSharedStage
from ...ir.differentiated_values import has_gradients
from ...ir.graph import CallNode, Graph, Node, OpNode, SharedModule
from ...ir.graph_values import Value
from ...ir.replace_values import replace_inputs
from ...ir.substitute_symbols import symbolic_numbers
from ...ir.unique import make_unique_name
from ...ir.walk import collect_graphs, find_needed_nodes
from ...ops.differentiation import Gradient
from ...types.traced_ints import names_in
from ..elaboration_session import ElaborationSession
from ..scopes.body_tensors import copy_tensor
from ..scopes.scope import GraphFrame


def find_trained_stages(section: Graph, model: Graph) -> list[OpNode]:
    """Find the stages of a section that have parameters of their own. A `shared` stage of the model has the parameters of the model."""
    found: list[OpNode] = []
    stack, seen = [section], {id(section)}
    while stack:
        for node in stack.pop().nodes:
            if node.shared is not None and node.shared in model.declares:
                continue
            if isinstance(node, OpNode):
                found += [node] if any(spec.trainable for spec in node.specs) else []
            elif id(node.graph) not in seen:
                seen.add(id(node.graph))
                stack.append(node.graph)
    return found


def move_reused_stages(
    section: GraphFrame,
    model: GraphFrame,
    computed: dict[str, Value],
    outputs: dict[str, Value],
    places: Mapping[str, Span],
    session: ElaborationSession,
) -> None:
    """Move the uses of shared stages from a section into its model, with the nodes between them that depend on the model.

    `computed` are the values for inputs of the model that the section computes, bound at `places`. It gets the further inputs. In
    `outputs`, the results of the section, a moved value is replaced by the section's copy of it.
    """
    mover = _StageMover(section, model, list(computed.values()))
    if not mover.uses:
        return
    declared = {id(module) for node in model.graph.nodes for module in _list_modules(node)}
    for module in dict.fromkeys(module for node in mover.uses for module in _list_modules(node) if module in model.graph.declares):
        if id(module) not in declared:
            session.report_problem(UnusedSharedStage(module.label), module.span)
    for name, value in computed.items():
        early = [node for node in find_needed_nodes(section.graph.nodes, [value]) if node in mover.moved]
        if early:
            stage = next((module.label for node in early if node in mover.uses for module in _list_modules(node)), "")
            session.report_problem(ModelOfItself((name,), stage), places[name])
    if not session.has_failed:
        mover.move(computed, outputs)


def _list_modules(node: Node) -> Iterator[SharedModule]:
    """Yield the shared stages from outside that a node uses."""
    if node.shared is not None:
        yield node.shared
    if isinstance(node, CallNode):
        yield from node.modules


def _differentiates(node: Node) -> bool:
    return has_gradients(node.graph) if isinstance(node, CallNode) else isinstance(node.op, Gradient)


class _StageMover:
    def __init__(self, section: GraphFrame, model: GraphFrame, computed: list[Value]) -> None:
        self.section, self.model = section, model
        self.graph = section.graph
        self.uses = [node for node in self.graph.nodes if any(m in model.graph.declares for m in _list_modules(node))]
        self.moved = self._find_moved_nodes(find_needed_nodes(self.graph.nodes, computed))

    def _find_moved_nodes(self, early: list[Node]) -> list[Node]:
        """Find the uses and the nodes that they need, but for those that depend on data alone: the section computes these before it calls
        the model. A gradient in the model needs all nodes between its tensors."""
        uses = {id(node) for node in self.uses}
        needed = find_needed_nodes(self.graph.nodes, [v for node in self.uses for v in node.outputs])
        inputs = {id(value) for value in self.model.graph.inputs}
        dependent = {key for key, outer in self.section.outer.items() if id(outer) not in inputs}
        moved: list[Node] = []
        for node in needed:
            if id(node) in uses or any(id(v) in dependent for v in node.inputs):
                dependent.update(id(v) for v in node.outputs)
                moved.append(node)
        return [node for node in needed if node in moved or node not in early] if any(map(_differentiates, moved)) else moved

    def move(self, computed: dict[str, Value], outputs: dict[str, Value]) -> None:
        moved = {id(node) for node in self.moved}
        self.graph.nodes = [node for node in self.graph.nodes if id(node) not in moved]
        self.graph.modules = []
        self._pass_inputs(computed)
        for node in self.moved:
            self._adopt(node)
        # The section's parameters in their numbers are parameters of the model, too.
        graphs = {id(g): g for node in self.moved if isinstance(node, CallNode) for g in collect_graphs(node.graph)}
        used = {n for graph in (self.model.graph, *graphs.values()) for number in symbolic_numbers(graph) for n in names_in(number)}
        self.model.graph.origins |= {name: origin for name, origin in self.graph.origins.items() if name in used}
        self._return_outputs(computed, outputs)

    def _pass_inputs(self, computed: dict[str, Value]) -> None:
        """Give the moved nodes the model's own tensors, and make inputs of the model of the values that the section computes for them."""
        made = {id(v) for node in self.moved for v in node.outputs}
        used = {id(v): v for node in self.moved for v in node.inputs if id(v) not in made}
        names = {value.name for value in self.model.graph.inputs}
        own = self._find_own_inputs(computed)
        inside: dict[int, Value] = {}
        for key, value in used.items():
            if key in own:
                inside[key] = own[key]
                continue
            inner = inside[key] = copy_tensor(value)
            inner.name = make_unique_name(value.name or "input", names)
            self.model.graph.inputs.append(inner)
            computed[inner.name] = value
        for node in self.moved:
            replace_inputs(node, inside)

    def _find_own_inputs(self, computed: Mapping[str, Value]) -> dict[int, Value]:
        """Find the model's own tensor for each of the section's values that has exactly one: a gradient by a value that is several inputs
        is no gradient by one of them."""
        inputs = {value.name: value for value in self.model.graph.inputs}
        pairs = [*self.section.outer.items(), *((id(value), inputs[name]) for name, value in computed.items())]
        counts = Counter(key for key, _ in pairs)
        return {key: inner for key, inner in pairs if counts[key] == 1}

    def _adopt(self, node: Node) -> None:
        """Append a node to the model's graph, under a label that is free there."""
        if node.shared is None:
            node.label = self.model.labels.allocate_ordinal(node.label.rstrip("0123456789") or "stage", node.span)
        if isinstance(node, CallNode):
            for graph in collect_graphs(node.graph):
                graph.around = self.model.graph if graph.around is self.graph else graph.around
        size = node.graph.size if isinstance(node, CallNode) else 1
        self.model.graph.nodes.append(node)
        self.model.graph.size += size
        self.graph.size -= size

    def _return_outputs(self, computed: Mapping[str, Value], outputs: dict[str, Value]) -> None:
        """Give the section a copy of each moved value that it uses, as of a captured tensor."""
        remaining = {id(v) for node in self.graph.nodes for v in node.inputs} | {id(v) for v in (*computed.values(), *outputs.values())}
        copies: dict[int, Value] = {}
        for value in (v for node in self.moved for v in node.outputs if id(v) in remaining):
            copy = copies[id(value)] = copy_tensor(value)
            self.section.outer[id(copy)] = value
            self.graph.inputs.append(copy)
        for node in self.graph.nodes:
            replace_inputs(node, copies)
        for name, value in outputs.items():
            outputs[name] = copies.get(id(value), value)
        # The model need not return what only the moved nodes use.
        for key in [key for key in self.section.outer if key not in remaining and not _is_copy(key, copies)]:
            del self.section.outer[key]
            self.graph.inputs = [v for v in self.graph.inputs if id(v) != key]


def _is_copy(key: int, copies: Mapping[int, Value]) -> bool:
    return any(id(copy) == key for copy in copies.values())
