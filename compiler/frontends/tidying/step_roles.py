"""Whether nodes that come again are the steps of a loop over time: where each of them takes its tensors from.

In: the nodes of a graph, and where they repeat themselves. Out: a `TimeLoop`, None if the steps take tensors in other ways than a `scan`
does. Always: what holds of one step holds of all of them; only the last one may lack nodes, whose results nothing would read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from netc.dsl.record import Record

from ...ir.graph import Node, OpNode
from ...ir.values import Value
from ...ops.base import strict_key
from ...ops.constants import TableOperator
from ...ops.joining import Split
from ...ops.parameter_of import ParameterOf
from ...ops.slicing import Select, Slice

LEAST = 3
"""Two steps are as long as a loop of them."""
LEAST_NODES = 6
"""The number of nodes without parameters, of all steps together, from which on a loop is easier to read."""


class Position(Record):
    """One position of an axis of a tensor. `kept`: as an axis of size 1."""

    whole: Value
    axis: int
    index: int
    kept: bool


class Own(Record):
    """What a node of the same step gives, by their numbers."""

    node: int
    output: int


class State(Record):
    """What a node of the step before gives, and what the first step has instead."""

    node: int
    output: int
    start: Value


class Element(Record):
    """A position of a tensor: `first` is that of the first step, and each step takes the next one, or the one before if `reverse`."""

    whole: Value
    axis: int
    first: int
    reverse: bool
    kept: bool


class Outer(Record):
    """The same tensor for all steps."""

    value: Value


Role = Own | State | Element | Outer


class TimeLoop(Record):
    """`steps` have their nodes, None where the last one lacks a node. `roles` are those of the inputs of each node. A node of `taken` is no
    operator of the step: it takes that element."""

    steps: tuple[tuple[Node | None, ...], ...]
    roles: tuple[tuple[Role, ...], ...]
    taken: Mapping[int, Element]

    @property
    def count(self) -> int:
        return len(self.steps)

    @property
    def template(self) -> tuple[Node, ...]:
        """The nodes of the second step, which takes everything as the later ones do."""
        return self.steps[1]  # type: ignore[return-value]

    @property
    def is_cut(self) -> bool:
        """Whether the last step lacks nodes."""
        return None in self.steps[-1]

    @property
    def states(self) -> tuple[State, ...]:
        return tuple(dict.fromkeys(role for roles in self._used() for role in roles if isinstance(role, State)))

    @property
    def elements(self) -> tuple[Element, ...]:
        found = [role for roles in self._used() for role in roles if isinstance(role, Element)]
        return tuple(dict.fromkeys([*self.taken.values(), *found]))

    def _used(self) -> list[tuple[Role, ...]]:
        return [roles for number, roles in enumerate(self.roles) if number not in self.taken]


def position_of(node: Node | None) -> Position | None:
    """The position that a node takes of its input; None if it does something else."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Select | Slice):
        return None
    x, args = node.inputs[0], node.op.args
    axis = args["axis"] % x.type.rank
    size = x.type.shape[axis]
    kept = isinstance(node.op, Slice)
    index = args["start"] if kept else args["index"]
    if not isinstance(index, int) or not isinstance(size, int):
        return None
    if kept and (args["step"] != 1 or size == 1 or node.outputs[0].type.shape[axis] != 1):
        return None
    return Position(x, axis, int(index) % size, kept)


def matched_loop(
    nodes: Sequence[Node], sequence: Sequence[Node], kinds: Sequence[int], start: int, period: int, full: int
) -> TimeLoop | None:
    """The loop whose steps begin at `start` of the sequence, `full` of them whole; None if it is none."""
    return _Matching(nodes, sequence, kinds, start, period, full).loop()


class _Matching:
    def __init__(self, nodes: Sequence[Node], sequence: Sequence[Node], kinds: Sequence[int], start: int, period: int, full: int) -> None:
        self.makers = {id(value): node for node in nodes for value in node.outputs}
        self.period = period
        bounds = [start + period * number for number in range(full + 1)]
        self.steps: list[list[Node | None]] = [list(sequence[a:b]) for a, b in pairwise(bounds)]
        self.places = {
            id(value): (step, number, output)
            for step, found in enumerate(self.steps)
            for number, node in enumerate(found)
            for output, value in enumerate(node.outputs if node is not None else ())
        }
        rest = range(bounds[-1], min(len(sequence), bounds[-1] + period))
        self.rest = [(kinds[at], sequence[at]) for at in rest]
        self.kinds = kinds[start : start + period]

    def loop(self) -> TimeLoop | None:
        """The loop, if all that the steps take has a role."""
        if len(self.steps) < 2 or any(self._roles(number, 3) is None for number in range(self.period)):
            return None  # most fail here, before all steps are compared
        self._add_cut_step()
        found = [self._roles(number) for number in range(self.period)]
        roles = tuple(one for one in found if one is not None)
        if len(self.steps) < LEAST or len(roles) < self.period:
            return None
        taken = self._taken(roles)
        loop = None if taken is None else TimeLoop(tuple(map(tuple, self.steps)), roles, taken)
        return loop if loop is not None and self._is_loop(loop) else None

    def _is_loop(self, loop: TimeLoop) -> bool:
        """Whether a person would write one: something is scanned, all in one direction, and something is carried."""
        starts: dict[tuple[int, int], Value] = {}
        if any(starts.setdefault((one.node, one.output), one.start) is not one.start for one in loop.states):
            return False
        computing = (self.period - len(loop.taken)) * loop.count
        is_long = computing >= LEAST_NODES or any(node.shared is not None for node in loop.template)
        return len({one.reverse for one in loop.elements}) == 1 and bool(loop.states) and is_long

    # --- the last step ---------------------------------------------------------------------------------------------------

    def _add_cut_step(self) -> None:
        """A last step of which only some nodes are there, if it takes the next position."""
        step: list[Node | None] = []
        rest = list(self.rest)
        for kind in self.kinds:
            node = rest.pop(0)[1] if rest and rest[0][0] == kind else None
            step.append(node)
        self.steps.append(step)
        number = len(self.steps) - 1
        added = {id(v): (number, k, o) for k, node in enumerate(step) if node is not None for o, v in enumerate(node.outputs)}
        self.places |= added
        roles = [self._roles(k) for k in range(self.period)]
        carries = any(isinstance(role, State) for k, node in enumerate(step) if node is not None for role in roles[k] or ())
        if None in roles or not carries or sum(node is not None for node in step) * 2 < self.period:
            self.steps.pop()
            self.places = {key: place for key, place in self.places.items() if key not in added}

    # --- roles -----------------------------------------------------------------------------------------------------------

    def _roles(self, number: int, most: int | None = None) -> tuple[Role, ...] | None:
        """The roles of the inputs of a node, None if one has none. `most`: of that many steps."""
        nodes = [step[number] for step in self.steps[:most]]
        present = [node for node in nodes if node is not None]
        columns = zip(*(node.inputs for node in present), strict=True)
        roles = [self._role(column) for column in columns]
        return None if None in roles else tuple(role for role in roles if role is not None)

    def _role(self, values: Sequence[Value]) -> Role | None:
        """What the steps take there, of the first ones on."""
        places = [self.places.get(id(value)) for value in values]
        first, second = places[:2] if len(places) > 1 else (places[0], None)
        if second is None:
            return self._from_around(values) if not any(places) else None
        _, node, output = second
        if first is not None:
            return Own(node, output) if all(p == (step, node, output) for step, p in enumerate(places)) else None
        if all(p == (step, node, output) for step, p in enumerate(places[1:])):
            return State(node, output, values[0])
        return None

    def _from_around(self, values: Sequence[Value]) -> Role | None:
        keys = [self._constant_key(value) for value in values]
        if all(key == keys[0] for key in keys):
            return Outer(values[0])
        found = [self._position(value) for value in values]
        positions = [one for one in found if one is not None]
        return _element(positions) if len(positions) == len(found) else None

    def _constant_key(self, value: Value) -> object:
        """Equal for the same tensor, and for tables of the same numbers, of which torch.export makes one for each step."""
        maker = self.makers.get(id(value))
        if isinstance(maker, OpNode) and isinstance(maker.op, TableOperator | ParameterOf) and maker.shared is None:
            return type(maker.op), repr({name: strict_key(one) for name, one in maker.op.args.items()})
        return id(value)

    def _position(self, value: Value) -> Position | None:
        """The position that a tensor from around is."""
        maker = self.makers.get(id(value))
        if not isinstance(maker, OpNode):
            return None
        if isinstance(maker.op, Split):
            axis = maker.op.args["axis"] % value.type.rank
            if any(one.type.shape[axis] != 1 for one in maker.outputs):
                return None
            return Position(maker.inputs[0], axis, next(at for at, one in enumerate(maker.outputs) if one is value), True)
        return position_of(maker)

    def _taken(self, roles: Sequence[tuple[Role, ...]]) -> dict[int, Element] | None:
        """The nodes that take a position which is another one in each step, and what they take; None if that is no element."""
        found: dict[int, Element] = {}
        for number in range(self.period):
            positions = [one for step in self.steps if (one := position_of(step[number])) is not None]
            if len({one.index for one in positions}) < 2:
                continue
            element = _element(positions) if isinstance(roles[number][0], Outer) else None
            if element is None:
                return None
            found[number] = element
        return found


def _element(positions: Sequence[Position]) -> Element | None:
    """Positions in a row, forwards or backwards, as an element."""
    first, second = positions[:2] if len(positions) > 1 else (positions[0], positions[0])
    step = second.index - first.index
    same = all((one.whole, one.axis, one.kept) == (first.whole, first.axis, first.kept) for one in positions)
    if not same or step not in (1, -1) or any(one.index != first.index + step * at for at, one in enumerate(positions)):
        return None
    return Element(first.whole, first.axis, first.index, step < 0, first.kept)
