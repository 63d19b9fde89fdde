"""Bodies that are alike are one block, and what differs between them are its parameters.

In: the main graph of a program. Out: the `Family` of each graph that is called, with what it is given at each call. Always: a relation
between literals is one that holds at every use, where at least two differ; numbers that are the same everywhere are written as numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...dims import Dim, SymDim
from ...ir.graph import CallNode, Graph, Value, graphs
from ...ops.argument import REQUIRED
from ...ops.base import strict_key
from .bodies import GraphBody
from .inlining import opened
from .stages import label_of
from .tree import Binary, Body, Chain, Group, Hole, Literal, Loop, Ref, Stage, Tree, changed, literals, without_literals

SIZES = ("channels", "units", "groups", "dim", "shape")
"""The arguments that are sizes of tensors: only between these is a relation that holds more than a coincidence."""
MULTIPLES = range(2, 17)
"""The factors that are looked for between two parameters."""


class Parameter(Tree):
    """The value of a parameter of the block."""

    number: int


class SizeOfInput(Tree):
    """The size of an axis of an input."""

    input: int
    axis: int
    rank: int


class Family:
    """A block: its body, with `Parameter`s in the place of the literals that differ. `members` are the graphs."""

    def __init__(self, members: Sequence[Graph], bodies: Sequence[GraphBody], made: Sequence[Body]) -> None:
        self.members = members
        self.values = bodies[0].values
        self.name = ""
        self.parameters: list[str] = []
        self.defaults: dict[str, Any] = {}
        """What a parameter is if a use does not say it."""
        self.given: dict[int, list[Literal]] = {id(graph): [] for graph in members}
        """For each member what its parameters are."""
        columns = [list(column) for column in zip(*(list(literals(body)) for body in made), strict=True)]
        parts = _Columns(columns, members, self).parts()
        holes = without_literals(made[0])
        self.body = changed(holes, lambda part: parts[part.number] if isinstance(part, Hole) else None)

    def stage(self, graph: Graph, label: str | None) -> Stage:
        """The use of a member."""
        return Stage(self, tuple(zip(self.parameters, self.given[id(graph)], strict=True)), label=label)


class _Columns:
    """The literals of a body at all its uses, and what is written for each of them."""

    def __init__(self, columns: list[list[Literal]], members: Sequence[Graph], family: Family) -> None:
        self.columns = columns
        self.members = members
        self.family = family
        self.keys = [tuple(strict_key(literal.value) for literal in column) for column in columns]
        self.varying = list(dict.fromkeys(k for k in self.keys if len(set(k)) > 1))

    def parts(self) -> list[Any]:
        """What is written for each literal."""
        known: dict[Any, Any] = {}
        bases = [key for key in self.varying if self._size(key) is None and self._multiple(key) is None]
        for key, column in zip(self.keys, self.columns, strict=True):
            if key in bases and key not in known:
                known[key] = self._parameter(column)
        for key in self.varying:
            if key not in known:
                known[key] = self._related(key, known)
        return [known.get(key, column[0]) for key, column in zip(self.keys, self.columns, strict=True)]

    def _parameter(self, column: list[Literal]) -> Parameter:
        family = self.family
        name = wanted = column[0].name or "value"
        while name in family.parameters:
            name = f"{wanted}{int(name.removeprefix(wanted) or 1) + 1}"
        family.parameters.append(name)
        default = column[0].default
        if default is not REQUIRED and any(strict_key(literal.value) == strict_key(default) for literal in column):
            family.defaults[name] = default
        for graph, literal in zip(self.members, column, strict=True):
            family.given[id(graph)].append(Literal(literal.value, name, family.defaults.get(name, REQUIRED)))
        return Parameter(len(family.parameters) - 1)

    def _related(self, key: Any, known: dict[Any, Any]) -> Any:
        size = self._size(key)
        if size is not None:
            return size
        found = self._multiple(key)
        assert found is not None
        other, factor = found
        return Binary("*", Literal(factor), known[other] if other in known else self._related(other, known))

    def _size(self, key: Any) -> SizeOfInput | None:
        """The axis of an input whose size it is at every use."""
        column = next(c for k, c in zip(self.keys, self.columns, strict=True) if k == key)
        if not all(_is_size(literal.value) and literal.name in SIZES for literal in column):
            return None
        for number, inputs in enumerate(zip(*(graph.inputs for graph in self.members), strict=True)):
            found = _axis(inputs, [literal.value for literal in column])
            if found is not None:
                return SizeOfInput(number, found, inputs[0].type.rank)
        return None

    def _multiple(self, key: Any) -> tuple[Any, int] | None:
        """Another column of integers, and the number that it is multiplied by."""
        values = self._integers(key)
        if values is None:
            return None
        for other in self.varying:
            found = self._integers(other) if other != key else None
            if found is None or not all(found):
                continue
            factor = values[0] // found[0]
            if factor in MULTIPLES and all(v == factor * f for v, f in zip(values, found, strict=True)):
                return other, factor
        return None

    def _integers(self, key: Any) -> list[int] | None:
        column = next(c for k, c in zip(self.keys, self.columns, strict=True) if k == key)
        if any(literal.name not in SIZES for literal in column):
            return None
        values = [literal.value for literal in column]
        return values if all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in values) else None


def _is_size(value: object) -> bool:
    return isinstance(value, SymDim) or (isinstance(value, int) and not isinstance(value, bool) and value > 1)


def _axis(inputs: Sequence[Value], sizes: Sequence[Dim]) -> int | None:
    ranks = {value.type.rank for value in inputs}
    if len(ranks) > 1:
        return None
    order = sorted(range(1, ranks.pop()), key=lambda axis: axis != 1)
    return next((axis for axis in order if all(v.type.shape[axis] == s for v, s in zip(inputs, sizes, strict=True))), None)


class Families:
    """Those of a program, the called ones first."""

    def __init__(self, main: Graph, has_conditions: bool = False) -> None:
        self.found: list[Family] = []
        self.of: dict[int, Family] = {}
        self.chains: dict[int, tuple[Any, ...]] = {}
        main = opened(main)
        for level in _levels(main):
            self._level([graph for graph in level if graph is not main])
        self.main = GraphBody(main, self.callee, has_conditions)
        self.body = self.main.make()

    def _level(self, level: Sequence[Graph]) -> None:
        alike: dict[Any, list[tuple[Graph, GraphBody, Body]]] = {}
        for graph in level:
            making = GraphBody(graph, self.callee)
            body = making.make()
            chain = _chain(body) if graph.kind == "sequence" else None
            if chain is not None:
                self.chains[id(graph)] = chain
            else:
                alike.setdefault(without_literals(body), []).append((graph, making, body))
        for members in alike.values():
            family = Family(*(list(column) for column in zip(*members, strict=True)))  # type: ignore[arg-type]
            self.found.append(family)
            self.of.update((id(graph), family) for graph in family.members)

    def callee(self, node: CallNode) -> Any:
        """What the call is: a use of a block, or a group."""
        graph, label = node.graph, label_of(node)
        if id(graph) in self.chains:
            return Group(self.chains[id(graph)], label or "")
        return self.of[id(graph)].stage(graph, label)


def _chain(body: Body) -> tuple[Any, ...] | None:
    """The stages of a body that is one pipeline from its input to its result."""
    match body:
        case Body(1, (), (Chain(Ref(0), stages),)):
            return stages
    return None


def _levels(main: Graph) -> Iterator[list[Graph]]:
    """All graphs, those first that call none, then those that call these, and so on."""
    height: dict[int, int] = {}
    found: dict[int, list[Graph]] = {}
    for graph in graphs(main):
        calls = [height[id(node.graph)] for node in graph.nodes if isinstance(node, CallNode)]
        height[id(graph)] = max(calls, default=-1) + 1
        found.setdefault(height[id(graph)], []).append(graph)
    for level in sorted(found):
        yield found[level]


def uses_input_inside(tree: Any, inside: bool = False) -> bool:
    """Whether the block's first input is used in a group or a loop, where `in` is another tensor."""
    match tree:
        case Ref(0) | SizeOfInput(0):
            return inside
        case Group(stages):
            return uses_input_inside(stages, True)
        case Loop():
            return uses_input_inside(tree.over, inside) or uses_input_inside(tree.body, True)
        case tuple():
            return any(uses_input_inside(item, inside) for item in tree)
        case Tree():
            return any(uses_input_inside(getattr(tree, f), inside) for f in tree.__match_args__)
    return False
