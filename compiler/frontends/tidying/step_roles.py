"""Decides whether repeating nodes are the steps of a loop over time, by the sources of their inputs.

In `h = cell(x[:, t], h)`, the inputs of step t are an `Element` of x and the `State` h of step t - 1.

In: the nodes of a graph, and a run in which they repeat. Out: a `TimeLoop`; None if the steps get tensors in other ways than a `scan` does.
Always: all steps have the same nodes with inputs from the same sources. Only the last step may lack nodes, if nothing would read their
results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from netc.dsl.record import Record

from ...ir.graph import Node, OpNode, has_operator
from ...ir.graph_values import Value
from ...ops.constants import TableOperator
from ...ops.joining import Split
from ...ops.operator import strict_key
from ...ops.parameter_of import ParameterOf
from ...ops.slicing import Select, Slice

LEAST = 3
"""The least number of steps. Two written out are as short as a loop."""
LEAST_NODES = 6
"""The least number of nodes in all steps together from which a loop without shared parameters is easier to read."""


class Position(Record):
    """One position of an axis of a tensor. `kept`: the axis stays, with size 1."""

    whole: Value
    axis: int
    index: int
    kept: bool


class SameStep(Record):
    """A role: the result of a node of the same step."""

    node: int
    output: int


class State(Record):
    """A role: the result of a node of the step before. The first step gets `start` instead."""

    node: int
    output: int
    start: Value


class Element(Record):
    """A role: one position of a tensor. The first step gets the position `first`, each further step the next one, or the previous one if
    `reverse`."""

    whole: Value
    axis: int
    first: int
    reverse: bool
    kept: bool


class Outer(Record):
    """A role: the same tensor for all steps."""

    value: Value


Role = SameStep | State | Element | Outer


class TimeLoop(Record):
    """A loop. `steps` has the nodes of each step, with None for a node that the last step lacks. `roles` has the role of each input of each
    node. The nodes in `selections` are no operators of the step: they only select the element."""

    steps: tuple[tuple[Node | None, ...], ...]
    roles: tuple[tuple[Role, ...], ...]
    selections: Mapping[int, Element]

    @property
    def count(self) -> int:
        return len(self.steps)

    @property
    def template(self) -> tuple[Node, ...]:
        """The nodes of the second step. The first one gets start values instead of states."""
        return self.steps[1]  # type: ignore[return-value]

    @property
    def is_last_partial(self) -> bool:
        """Whether the last step lacks nodes."""
        return None in self.steps[-1]

    @property
    def states(self) -> tuple[State, ...]:
        return tuple(dict.fromkeys(role for roles in self._list_used_roles() for role in roles if isinstance(role, State)))

    @property
    def elements(self) -> tuple[Element, ...]:
        scanned = [role for roles in self._list_used_roles() for role in roles if isinstance(role, Element)]
        return tuple(dict.fromkeys([*self.selections.values(), *scanned]))

    def _list_used_roles(self) -> list[tuple[Role, ...]]:
        return [roles for number, roles in enumerate(self.roles) if number not in self.selections]


def find_selected_position(node: Node | None) -> Position | None:
    """Return the position that a node selects from its input, or None for other nodes."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Select | Slice):
        return None
    x, args = node.inputs[0], node.op.args
    axis = args["axis"] % x.type.rank
    size = x.type.shape[axis]
    kept = isinstance(node.op, Slice)
    index = args["start"] if kept else args["index"]
    if not isinstance(index, int) or not isinstance(size, int):
        return None
    # A slice of an axis of size 1 takes all of it.
    if kept and (args["step"] != 1 or size == 1 or node.outputs[0].type.shape[axis] != 1):
        return None
    return Position(x, axis, int(index) % size, kept)


def match_loop(
    nodes: Sequence[Node], sequence: Sequence[Node], kinds: Sequence[int], start: int, period: int, complete_steps: int
) -> TimeLoop | None:
    """Return the loop with `complete_steps` complete steps from `start` of the sequence on, or None if they are no loop."""
    return _LoopMatcher(nodes, sequence, kinds, start, period, complete_steps).match_loop()


class _LoopMatcher:
    def __init__(
        self, nodes: Sequence[Node], sequence: Sequence[Node], kinds: Sequence[int], start: int, period: int, complete_steps: int
    ) -> None:
        self.makers = {id(value): node for node in nodes for value in node.outputs}
        self.period = period
        bounds = [start + period * number for number in range(complete_steps + 1)]
        self.steps: list[list[Node | None]] = [list(sequence[a:b]) for a, b in pairwise(bounds)]
        self.places = {
            id(value): (step, number, output)
            for step, nodes_of_step in enumerate(self.steps)
            for number, node in enumerate(nodes_of_step)
            for output, value in enumerate(node.outputs if node is not None else ())
        }
        rest = range(bounds[-1], min(len(sequence), bounds[-1] + period))
        self.rest = [(kinds[index], sequence[index]) for index in rest]
        self.kinds = kinds[start : start + period]

    def match_loop(self) -> TimeLoop | None:
        """Return the loop, or None if an input of a step has no role."""
        if len(self.steps) < 2 or any(self._find_roles(number, 3) is None for number in range(self.period)):
            return None  # most fail here, before all steps are compared
        self._add_partial_step()
        roles_of_nodes = [self._find_roles(number) for number in range(self.period)]
        roles = tuple(node_roles for node_roles in roles_of_nodes if node_roles is not None)
        if len(self.steps) < LEAST or len(roles) < self.period:
            return None
        selections = self._find_selections(roles)
        loop = None if selections is None else TimeLoop(tuple(map(tuple, self.steps)), roles, selections)
        return loop if loop is not None and self._is_loop(loop) else None

    def _is_loop(self, loop: TimeLoop) -> bool:
        """Return whether a person would write a loop: it goes through an axis in one direction, has a state, and is long enough."""
        starts: dict[tuple[int, int], Value] = {}
        if any(starts.setdefault((role.node, role.output), role.start) is not role.start for role in loop.states):
            return False
        computing = (self.period - len(loop.selections)) * loop.count
        is_long = computing >= LEAST_NODES or any(node.shared is not None for node in loop.template)
        if not all(_is_within_axis(role, loop.count) for role in loop.elements):
            return False  # a last step that lacks nodes would take a position after the end
        return len({role.reverse for role in loop.elements}) == 1 and bool(loop.states) and is_long

    # --- the last step ---------------------------------------------------------------------------------------------------

    def _add_partial_step(self) -> None:
        """Add an incomplete last step, if it gets the next position. torch.export drops nodes whose results nothing reads."""
        step: list[Node | None] = []
        rest = list(self.rest)
        for kind in self.kinds:
            node = rest.pop(0)[1] if rest and rest[0][0] == kind else None
            step.append(node)
        self.steps.append(step)
        number = len(self.steps) - 1
        added = {id(v): (number, k, o) for k, node in enumerate(step) if node is not None for o, v in enumerate(node.outputs)}
        self.places |= added
        roles = [self._find_roles(k) for k in range(self.period)]
        carries = any(isinstance(role, State) for k, node in enumerate(step) if node is not None for role in roles[k] or ())
        # A few nodes after the loop may look like the beginning of a step. Half a step that takes a state is no accident.
        if None in roles or not carries or sum(node is not None for node in step) * 2 < self.period:
            self.steps.pop()
            self.places = {key: place for key, place in self.places.items() if key not in added}

    # --- roles -----------------------------------------------------------------------------------------------------------

    def _find_roles(self, number: int, most: int | None = None) -> tuple[Role, ...] | None:
        """Return the roles of a node's inputs, or None if one has no role. `most` limits the number of steps that are compared."""
        nodes = [step[number] for step in self.steps[:most]]
        present = [node for node in nodes if node is not None]
        columns = zip(*(node.inputs for node in present), strict=True)
        roles = [self._find_role(column) for column in columns]
        return None if None in roles else tuple(role for role in roles if role is not None)

    def _find_role(self, values: Sequence[Value]) -> Role | None:
        """Return the role of an input, by its values in the steps from the first one on."""
        places = [self.places.get(id(value)) for value in values]
        first, second = places[:2] if len(places) > 1 else (places[0], None)
        if second is None:
            return self._find_outer_role(values) if not any(places) else None
        _, node, output = second
        if first is not None:
            return SameStep(node, output) if all(p == (step, node, output) for step, p in enumerate(places)) else None
        if all(p == (step, node, output) for step, p in enumerate(places[1:])):
            return State(node, output, values[0])
        return None

    def _find_outer_role(self, values: Sequence[Value]) -> Role | None:
        keys = [self._make_constant_key(value) for value in values]
        if all(key == keys[0] for key in keys):
            return Outer(values[0])
        selected = [self._find_position(value) for value in values]
        positions = [position for position in selected if position is not None]
        return _make_element(positions) if len(positions) == len(selected) else None

    def _make_constant_key(self, value: Value) -> object:
        """Return a key that is equal for the same tensor, and for equal tables: torch.export writes a new table for each step."""
        maker = self.makers.get(id(value))
        if has_operator(maker, TableOperator | ParameterOf) and maker.shared is None:
            return type(maker.op), repr({name: strict_key(argument) for name, argument in maker.op.args.items()})
        return id(value)

    def _find_position(self, value: Value) -> Position | None:
        """Return the position that a tensor from outside of the loop is, or None. A `split` gives all positions at once."""
        maker = self.makers.get(id(value))
        if not isinstance(maker, OpNode):
            return None
        if isinstance(maker.op, Split):
            axis = maker.op.args["axis"] % value.type.rank
            if any(output.type.shape[axis] != 1 for output in maker.outputs):
                return None
            return Position(maker.inputs[0], axis, next(index for index, output in enumerate(maker.outputs) if output is value), True)
        return find_selected_position(maker)

    def _find_selections(self, roles: Sequence[tuple[Role, ...]]) -> dict[int, Element] | None:
        """Map the nodes that select another position in each step to the element that they select. None if the positions are not in a
        row."""
        result: dict[int, Element] = {}
        for number in range(self.period):
            positions = [position for step in self.steps if (position := find_selected_position(step[number])) is not None]
            # The same position in all steps is a tensor from outside.
            if len({position.index for position in positions}) < 2:
                continue
            element = _make_element(positions) if isinstance(roles[number][0], Outer) else None
            if element is None:
                return None
            result[number] = element
        return result


def _make_element(positions: Sequence[Position]) -> Element | None:
    """Make an element of consecutive positions, ascending or descending. None for others."""
    first, second = positions[:2] if len(positions) > 1 else (positions[0], positions[0])
    step = second.index - first.index
    same = all((position.whole, position.axis, position.kept) == (first.whole, first.axis, first.kept) for position in positions)
    if not same or step not in (1, -1) or any(position.index != first.index + step * offset for offset, position in enumerate(positions)):
        return None
    return Element(first.whole, first.axis, first.index, step < 0, first.kept)


def _is_within_axis(element: Element, count: int) -> bool:
    """Return whether the axis has a position for each step."""
    size = element.whole.type.shape[element.axis]
    last = element.first + (1 - count if element.reverse else count - 1)
    return isinstance(size, int) and 0 <= last < size
