"""One graph of a module that does something else in training than in evaluation.

In: the graphs that torch.export gives of the module in both modes. Out: a graph that is the one in training and the other in evaluation.
Always: operators that are in both are there once, in the order that they have in both; what they are given in one mode only is chosen by an
`if training`. An operator that does nothing in evaluation needs none.
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


def both_modes(training: Graph, evaluation: Graph) -> Graph:
    """The graph of a model that is `training` in training, and `evaluation` in evaluation. Raises `ImportFailed`."""
    merging = _Merging(training, evaluation, {})
    for ours, theirs in zip(evaluation.inputs, training.inputs, strict=True):
        merging.take(theirs, ours)
    merging.run()
    merging.finish()
    return merging.made


class _Merging:
    """One graph. `known` has, for each mode, what its values are in the graph that is made; `quiet`, by the id of a value of that graph,
    which value it is in evaluation; `modules` the shared modules, by the ids of those of either mode."""

    def __init__(self, training: Graph, evaluation: Graph, modules: dict[int, SharedModule]) -> None:
        self.sources = training, evaluation
        self.made = Graph(evaluation.name, evaluation.kind, evaluation.span, evaluation.arguments)
        self.made.output_names = evaluation.output_names
        self.known: tuple[dict[int, Value], dict[int, Value]] = ({}, {})
        self.quiet: dict[int, Value] = {}
        self.modules = modules
        self.made.declares = self._united(training.declares, evaluation.declares)
        self.made.modules = self._united(training.modules, evaluation.modules)

    def _united(self, *lists: Sequence[SharedModule]) -> list[SharedModule]:
        """The shared modules of both, those of one label as one."""
        found: dict[str, SharedModule] = {}
        for module in (module for one in lists for module in one):
            self.modules[id(module)] = found.setdefault(module.label, self.modules.get(id(module), module))
        return list(found.values())

    def take(self, training: Value | None, evaluation: Value | None) -> None:
        """A further input, which is one of each mode, or of one of them alone."""
        value = evaluation or training
        assert value is not None
        self.made.inputs.append(value)
        for mode, own in enumerate((training, evaluation)):
            if own is not None:
                self.known[mode][id(own)] = value

    def of(self, mode: int, values: Iterable[Value]) -> tuple[Value, ...]:
        return tuple(self.known[mode][id(value)] for value in values)

    def same(self, training: Value, evaluation: Value) -> bool:
        """Whether they are one value in evaluation."""
        return self.quiet.get(id(training), training) is self.quiet.get(id(evaluation), evaluation)

    def either(self, training: Value, evaluation: Value) -> Value:
        """The first in training, the second in evaluation."""
        if self.same(training, evaluation):
            return training
        made = Value(evaluation.type, self.made.span)
        self._append(OpNode(ByMode(), (training, evaluation), (made,), "", self.made.span, ()))
        self.quiet[id(made)] = self.quiet.get(id(evaluation), evaluation)
        self.made.has_modes = True
        return made

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        for training, evaluation in _aligned(*(graph.nodes for graph in self.sources)):
            match training, evaluation:
                case OpNode(), OpNode():
                    self._operator(training, evaluation)
                case CallNode(), CallNode():
                    self._call(training, evaluation)
                case _, None:
                    self._alone(training, 0)
                case _:
                    self._alone(evaluation, 1)
        labels = [node.label for node in self.made.nodes if node.label and node.shared is None]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ImportFailed(
                tuple(Obstacle(f"`{label}`", "is called at another point in training than in evaluation", "") for label in twice)
            )

    def _append(self, node: Node) -> None:
        self.made.nodes.append(node)
        self.made.size += node.graph.size if isinstance(node, CallNode) else 1

    def _shared(self, *nodes: Node) -> SharedModule | None:
        return next((self.modules[id(node.shared)] for node in nodes if node.shared is not None), None)

    def _operator(self, training: OpNode, evaluation: OpNode) -> None:
        given = map(self.either, self.of(0, training.inputs), self.of(1, evaluation.inputs))
        training.inputs, training.shared = tuple(given), self._shared(training, evaluation)
        self._append(training)
        for own, other in zip(training.outputs, evaluation.outputs, strict=True):
            self.known[0][id(own)] = self.known[1][id(other)] = own
        self._silence(training)

    def _silence(self, node: OpNode) -> None:
        if isinstance(node.op, Dropping):
            given = node.inputs[0]
            self.quiet[id(node.outputs[0])] = self.quiet.get(id(given), given)

    def _alone(self, node: Node | None, mode: int) -> None:
        """What is computed in one mode."""
        assert node is not None
        node.inputs = self.of(mode, node.inputs)
        if mode == 1 and has_operator(node, Dropping):
            self.known[1][id(node.outputs[0])] = node.inputs[0]
            return
        node.shared = self._shared(node)
        self.known[mode].update((id(value), value) for value in node.outputs)
        self._append(node)
        if isinstance(node, OpNode):
            self._silence(node)
            return
        node.modules = tuple(self.modules[id(module)] for module in node.modules)
        for value, passed in zip(node.outputs, _passed(node), strict=True):
            if passed is not None:
                self.quiet[id(value)] = self.quiet.get(id(passed), passed)

    # --- calls ---------------------------------------------------------------------------------------------------------------

    def _call(self, training: CallNode, evaluation: CallNode) -> None:
        inner = _Merging(training.graph, evaluation.graph, self.modules)
        given = self._pass(inner, training, evaluation)
        inner.run()
        positions = inner.finish()
        outputs = tuple(Value(value.type, self.made.span) for value in inner.made.outputs)
        for mode, node in enumerate((training, evaluation)):
            self.known[mode].update((id(value), outputs[at]) for value, at in zip(node.outputs, positions[mode], strict=True))
        call = CallNode(
            inner.made, tuple(given), outputs, evaluation.label, self.made.span, self._passed_modules(inner, training, evaluation)
        )
        call.shared = self._shared(training, evaluation)
        self._append(call)
        places = {id(own): value for own, value in zip(inner.made.inputs, given, strict=True)}
        for own, value in zip(inner.made.outputs, outputs, strict=True):
            passed = places.get(id(inner.quiet.get(id(own), own)))
            if passed is not None:
                self.quiet[id(value)] = self.quiet.get(id(passed), passed)

    def _pass(self, inner: _Merging, training: CallNode, evaluation: CallNode) -> list[Value]:
        """What the graph of both is given."""
        pairs = _paired(self.of(0, training.inputs), self.of(1, evaluation.inputs), self.same)
        given: list[Value] = []
        for first, second in pairs:
            inner.take(*(None if at is None else node.graph.inputs[at] for at, node in ((first, training), (second, evaluation))))
            mine = None if first is None else self.known[0][id(training.inputs[first])]
            other = None if second is None else self.known[1][id(evaluation.inputs[second])]
            one = mine or other
            assert one is not None
            given.append(one if mine is None or other is None else self.either(mine, other))
        return given

    def _passed_modules(self, inner: _Merging, *calls: CallNode) -> tuple[SharedModule, ...]:
        outer = {
            id(self.modules[id(own)]): self.modules[id(passed)]
            for call in calls
            for own, passed in zip(call.graph.modules, call.modules, strict=True)
        }
        return tuple(outer[id(module)] for module in inner.made.modules)

    # --- the end -------------------------------------------------------------------------------------------------------------

    def finish(self) -> tuple[list[int], list[int]]:
        """The outputs: for each mode, where its own are among those of the graph."""
        training, evaluation = (list(self.of(mode, self.sources[mode].outputs)) for mode in (0, 1))
        if self.made.kind == "model":
            self._results(training, evaluation)
            return [], []
        places: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for at, (first, second) in enumerate(_paired(training, evaluation, self.same)):
            mine, other = (None if i is None else values[i] for i, values in ((first, training), (second, evaluation)))
            one = mine or other
            assert one is not None
            self.made.outputs.append(one if mine is None or other is None else self.either(mine, other))
            for mode, own in enumerate((first, second)):
                if own is not None:
                    places[mode][own] = at
        return [places[0][at] for at in range(len(training))], [places[1][at] for at in range(len(evaluation))]

    def _results(self, training: list[Value], evaluation: list[Value]) -> None:
        if [value.type for value in training] == [value.type for value in evaluation]:
            self.made.outputs = list(map(self.either, training, evaluation))
            return
        self.made.outputs, self.made.training_outputs = evaluation, training
        self.made.has_modes = True


def _aligned(training: Sequence[Node], evaluation: Sequence[Node]) -> Iterator[tuple[Node | None, Node | None]]:
    """The nodes of both in order, those that do the same as pairs."""
    matcher = SequenceMatcher(None, [_kind(node) for node in training], [_kind(node) for node in evaluation], autojunk=False)
    first = second = 0
    for block in matcher.get_matching_blocks():
        yield from ((node, None) for node in training[first : block.a])
        yield from ((None, node) for node in evaluation[second : block.b])
        first, second = block.a + block.size, block.b + block.size
        yield from zip(training[block.a : first], evaluation[block.b : second], strict=True)


def _kind(node: Node) -> Hashable:
    """Equal for nodes that may be one. Calls of a label are; what they compute may differ."""
    if isinstance(node, CallNode):
        return node.label or (node.graph.name, *(value.type for value in node.outputs))
    cls, arguments = node.op.identity_key()
    kept = tuple(pair for pair in arguments if pair[0] != _TRAINING_ONLY)  # type: ignore[attr-defined]
    return cls, kept, node.label, node.frozen, tuple(value.type for value in (*node.inputs, *node.outputs))


def _paired(training: Sequence[Value], evaluation: Sequence[Value], same: object) -> list[tuple[int | None, int | None]]:
    """The positions of values that are one: those that are the same in evaluation, then those of the same type, in order; others alone."""
    left = list(range(len(evaluation)))
    pairs: dict[int, int | None] = {}
    for alike in (same, lambda one, other: one.type == other.type):
        for at, value in enumerate(training):
            found = None if at in pairs else next((i for i in left if alike(value, evaluation[i])), None)  # type: ignore[operator]
            if found is not None:
                pairs[at] = found
                left.remove(found)
    return [*((at, pairs.get(at)) for at in range(len(training))), *((None, at) for at in left)]


def _passed(node: CallNode) -> list[Value | None]:
    """For each result of a call, the value that it is in evaluation if the call then does nothing to it."""
    quiet: dict[int, Value] = dict(zip(map(id, node.graph.inputs), node.inputs, strict=True))
    for inner in node.graph.nodes:
        if isinstance(inner, CallNode):
            continue
        given = quiet.get(id(inner.inputs[0])) if isinstance(inner.op, Dropping) else None
        if given is not None:
            quiet[id(inner.outputs[0])] = given
    return [quiet.get(id(value)) for value in node.graph.outputs]
