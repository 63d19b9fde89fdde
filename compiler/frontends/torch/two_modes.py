"""Merges the graphs of a module in training and in evaluation into one.

In: the graphs that torch.export gives of the module in both modes. Out: one graph for both. Always: an operator that is in both graphs is
there once, in the order that both share. If its inputs differ, an `if training` chooses between them. Operators that do nothing in
evaluation, such as dropout, need no `if training`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from ...ir.graph import CallNode, Graph, Node, OpNode, SharedModule, has_operator
from ...ir.graph_values import Value
from ...ops.mode import ByMode
from ...ops.regularization import Dropping
from ..imported_model import ImportFailed, Obstacle

_TRAINING_ONLY = "dropout"
"""The argument of an operator that evaluation ignores."""


def merge_modes(training: Graph, evaluation: Graph) -> Graph:
    """Merge the graph in training and the graph in evaluation. Raises `ImportFailed`."""
    merging = _ModeMerger(training, evaluation, {})
    for ours, theirs in zip(evaluation.inputs, training.inputs, strict=True):
        merging.add_input(theirs, ours)
    merging.merge_nodes()
    merging.merge_outputs()
    return merging.graph


class _ModeMerger:
    """Merges one graph with its counterpart of the other mode.

    `known` maps, for each mode, its values to values of the merged graph. `in_evaluation` maps the id of a merged value to the value it
    equals in evaluation. `modules` maps the ids of the shared modules of both modes to the merged ones."""

    def __init__(self, training: Graph, evaluation: Graph, modules: dict[int, SharedModule]) -> None:
        self.sources = training, evaluation
        self.graph = Graph(evaluation.name, evaluation.kind, evaluation.span, evaluation.arguments)
        self.graph.output_names = evaluation.output_names
        self.known: tuple[dict[int, Value], dict[int, Value]] = ({}, {})
        self.in_evaluation: dict[int, Value] = {}
        self.modules = modules
        self.graph.declares = self._unite_modules(training.declares, evaluation.declares)
        self.graph.modules = self._unite_modules(training.modules, evaluation.modules)

    def _unite_modules(self, *lists: Sequence[SharedModule]) -> list[SharedModule]:
        """Unite the shared modules of both modes by their labels."""
        united: dict[str, SharedModule] = {}
        for module in (module for modules in lists for module in modules):
            self.modules[id(module)] = united.setdefault(module.label, self.modules.get(id(module), module))
        return list(united.values())

    def add_input(self, training: Value | None, evaluation: Value | None) -> None:
        """Add an input, for one input of each mode or of one mode alone."""
        value = evaluation or training
        assert value is not None
        self.graph.inputs.append(value)
        for mode, mode_value in enumerate((training, evaluation)):
            if mode_value is not None:
                self.known[mode][id(mode_value)] = value

    def map_values(self, mode: int, values: Iterable[Value]) -> tuple[Value, ...]:
        return tuple(self.known[mode][id(value)] for value in values)

    def is_same(self, training: Value, evaluation: Value) -> bool:
        """Return whether both are one value in evaluation."""
        return self.in_evaluation.get(id(training), training) is self.in_evaluation.get(id(evaluation), evaluation)

    def choose_by_mode(self, training: Value, evaluation: Value) -> Value:
        """Return a value that is the first one in training and the second one in evaluation."""
        # Dropout does nothing in evaluation, so its result may stand for its input there.
        if self.is_same(training, evaluation):
            return training
        result = Value(evaluation.type, self.graph.span)
        self._append_node(OpNode(ByMode(), (training, evaluation), (result,), "", self.graph.span, ()))
        self.in_evaluation[id(result)] = self.in_evaluation.get(id(evaluation), evaluation)
        self.graph.has_modes = True
        return result

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def merge_nodes(self) -> None:
        for training, evaluation in _align_nodes(*(graph.nodes for graph in self.sources)):
            match training, evaluation:
                case OpNode(), OpNode():
                    self._merge_operators(training, evaluation)
                case CallNode(), CallNode():
                    self._merge_calls(training, evaluation)
                case _, None:
                    self._add_single_mode(training, 0)
                case _:
                    self._add_single_mode(evaluation, 1)
        labels = [node.label for node in self.graph.nodes if node.label and node.shared is None]
        # A layer that was not aligned is in the graph twice, once for each mode, and a label can be given once only.
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ImportFailed(
                tuple(Obstacle(f"`{label}`", "is called at another point in training than in evaluation", "") for label in twice)
            )

    def _append_node(self, node: Node) -> None:
        self.graph.nodes.append(node)
        self.graph.size += node.graph.size if isinstance(node, CallNode) else 1

    def _find_shared(self, *nodes: Node) -> SharedModule | None:
        return next((self.modules[id(node.shared)] for node in nodes if node.shared is not None), None)

    def _merge_operators(self, training: OpNode, evaluation: OpNode) -> None:
        merged_inputs = map(self.choose_by_mode, self.map_values(0, training.inputs), self.map_values(1, evaluation.inputs))
        training.inputs, training.shared = tuple(merged_inputs), self._find_shared(training, evaluation)
        self._append_node(training)
        for output, other in zip(training.outputs, evaluation.outputs, strict=True):
            self.known[0][id(output)] = self.known[1][id(other)] = output
        self._mark_dropping(training)

    def _mark_dropping(self, node: OpNode) -> None:
        if isinstance(node.op, Dropping):
            operand = node.inputs[0]
            self.in_evaluation[id(node.outputs[0])] = self.in_evaluation.get(id(operand), operand)

    def _add_single_mode(self, node: Node | None, mode: int) -> None:
        """Add a node that is computed in one mode only."""
        assert node is not None
        node.inputs = self.map_values(mode, node.inputs)
        # Dropout that only evaluation has does nothing at all.
        if mode == 1 and has_operator(node, Dropping):
            self.known[1][id(node.outputs[0])] = node.inputs[0]
            return
        node.shared = self._find_shared(node)
        self.known[mode].update((id(value), value) for value in node.outputs)
        self._append_node(node)
        if isinstance(node, OpNode):
            self._mark_dropping(node)
            return
        node.modules = tuple(self.modules[id(module)] for module in node.modules)
        for value, passed in zip(node.outputs, _find_passed_values(node), strict=True):
            if passed is not None:
                self.in_evaluation[id(value)] = self.in_evaluation.get(id(passed), passed)

    # --- calls ---------------------------------------------------------------------------------------------------------------

    def _merge_calls(self, training: CallNode, evaluation: CallNode) -> None:
        inner = _ModeMerger(training.graph, evaluation.graph, self.modules)
        merged_inputs = self._pass_inputs(inner, training, evaluation)
        inner.merge_nodes()
        positions = inner.merge_outputs()
        outputs = tuple(Value(value.type, self.graph.span) for value in inner.graph.outputs)
        for mode, node in enumerate((training, evaluation)):
            self.known[mode].update((id(value), outputs[position]) for value, position in zip(node.outputs, positions[mode], strict=True))
        call = CallNode(
            inner.graph,
            tuple(merged_inputs),
            outputs,
            evaluation.label,
            self.graph.span,
            self._map_passed_modules(inner, training, evaluation),
        )
        call.shared = self._find_shared(training, evaluation)
        self._append_node(call)
        places = {id(inner_value): value for inner_value, value in zip(inner.graph.inputs, merged_inputs, strict=True)}
        for inner_value, value in zip(inner.graph.outputs, outputs, strict=True):
            passed = places.get(id(inner.in_evaluation.get(id(inner_value), inner_value)))
            if passed is not None:
                self.in_evaluation[id(value)] = self.in_evaluation.get(id(passed), passed)

    def _pass_inputs(self, inner: _ModeMerger, training: CallNode, evaluation: CallNode) -> list[Value]:
        """Return the inputs of the merged graph, and declare them in it."""
        pairs = _pair_values(self.map_values(0, training.inputs), self.map_values(1, evaluation.inputs), self.is_same)
        merged_inputs: list[Value] = []
        for first, second in pairs:
            inner.add_input(
                *(None if position is None else node.graph.inputs[position] for position, node in ((first, training), (second, evaluation)))
            )
            mine = None if first is None else self.known[0][id(training.inputs[first])]
            other = None if second is None else self.known[1][id(evaluation.inputs[second])]
            either = mine or other
            assert either is not None
            merged_inputs.append(either if mine is None or other is None else self.choose_by_mode(mine, other))
        return merged_inputs

    def _map_passed_modules(self, inner: _ModeMerger, *calls: CallNode) -> tuple[SharedModule, ...]:
        outer = {
            id(self.modules[id(inner_module)]): self.modules[id(passed)]
            for call in calls
            for inner_module, passed in zip(call.graph.modules, call.modules, strict=True)
        }
        return tuple(outer[id(module)] for module in inner.graph.modules)

    # --- the end -------------------------------------------------------------------------------------------------------------

    def merge_outputs(self) -> tuple[list[int], list[int]]:
        """Merge the outputs. Returns the positions of each mode's outputs among the graph's outputs."""
        training, evaluation = (list(self.map_values(mode, self.sources[mode].outputs)) for mode in (0, 1))
        if self.graph.kind == "model":
            self._merge_results(training, evaluation)
            return [], []
        places: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for position, (first, second) in enumerate(_pair_values(training, evaluation, self.is_same)):
            mine, other = (None if i is None else values[i] for i, values in ((first, training), (second, evaluation)))
            either = mine or other
            assert either is not None
            self.graph.outputs.append(either if mine is None or other is None else self.choose_by_mode(mine, other))
            for mode, mode_position in enumerate((first, second)):
                if mode_position is not None:
                    places[mode][mode_position] = position
        return [places[0][position] for position in range(len(training))], [places[1][position] for position in range(len(evaluation))]

    def _merge_results(self, training: list[Value], evaluation: list[Value]) -> None:
        # Results of equal types are chosen by mode. Others, such as auxiliary outputs, need an `if training` around the outputs.
        if [value.type for value in training] == [value.type for value in evaluation]:
            self.graph.outputs = list(map(self.choose_by_mode, training, evaluation))
            return
        self.graph.outputs, self.graph.training_outputs = evaluation, training
        self.graph.has_modes = True


def _align_nodes(training: Sequence[Node], evaluation: Sequence[Node]) -> Iterator[tuple[Node | None, Node | None]]:
    """Align the nodes of both modes in order. Nodes that do the same are pairs."""
    # By default, SequenceMatcher ignores items that occur often, and the blocks of a deep network do.
    matcher = SequenceMatcher(
        None, [_make_node_key(node) for node in training], [_make_node_key(node) for node in evaluation], autojunk=False
    )
    first = second = 0
    for block in matcher.get_matching_blocks():
        yield from ((node, None) for node in training[first : block.a])
        yield from ((None, node) for node in evaluation[second : block.b])
        first, second = block.a + block.size, block.b + block.size
        yield from zip(training[block.a : first], evaluation[block.b : second], strict=True)


def _make_node_key(node: Node) -> Hashable:
    """Return a key that is equal for nodes that may be one. Calls with one label may be one, even if they compute differently."""
    if isinstance(node, CallNode):
        return node.label or (node.graph.name, *(value.type for value in node.outputs))
    cls, arguments = node.op.identity_key()
    kept = tuple(pair for pair in arguments if pair[0] != _TRAINING_ONLY)  # type: ignore[attr-defined]
    return cls, kept, node.label, node.frozen, tuple(value.type for value in (*node.inputs, *node.outputs))


def _pair_values(training: Sequence[Value], evaluation: Sequence[Value], same: object) -> list[tuple[int | None, int | None]]:
    """Pair the positions of values that are the same in evaluation, then of values of the same type, in order. Others stay alone."""
    unpaired = list(range(len(evaluation)))
    pairs: dict[int, int | None] = {}
    for alike in (same, lambda value_of_training, other: value_of_training.type == other.type):
        for position, value in enumerate(training):
            partner = None if position in pairs else next((i for i in unpaired if alike(value, evaluation[i])), None)  # type: ignore[operator]
            if partner is not None:
                pairs[position] = partner
                unpaired.remove(partner)
    return [*((position, pairs.get(position)) for position in range(len(training))), *((None, position) for position in unpaired)]


def _find_passed_values(node: CallNode) -> list[Value | None]:
    """Return, for each result of a call, the input that it equals in evaluation, or None."""
    quiet: dict[int, Value] = dict(zip(map(id, node.graph.inputs), node.inputs, strict=True))
    for inner in node.graph.nodes:
        if isinstance(inner, CallNode):
            continue
        operand = quiet.get(id(inner.inputs[0])) if isinstance(inner.op, Dropping) else None
        if operand is not None:
            quiet[id(inner.outputs[0])] = operand
    return [quiet.get(id(value)) for value in node.graph.outputs]
