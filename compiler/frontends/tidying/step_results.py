"""The results of a loop over time that are read outside of it: the last states, and the results of all steps, which are stacked.

In: the nodes of a graph, and a loop among them. Out: the results that are read, and the nodes that compute from the stacked results the
tensors that were read. Always: a `stack` or `concat` of the results of all steps becomes a rearrangement of the stacked results. Every
other reader gets one position of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl.record import Record

from ...dims import Facts
from ...ir.graph import Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ops.joining import Concat, Stack
from ..graph_builder import GraphBuilder
from .step_roles import State, TimeLoop

Place = tuple[int, int]
"""The place of a tensor in a step: the number of its node, and of the node's result."""


class _Collection(Record):
    """A `stack` or `concat` of one result of all steps. `flipped`: the last step comes first. `before` and `after` are its other inputs."""

    node: OpNode
    axis: int
    flipped: bool
    before: tuple[Value, ...]
    after: tuple[Value, ...]


class StepResults:
    """The results of one loop. `steps` has the ids of its nodes, and `stacked` the places of the results that are stacked."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], loop: TimeLoop) -> None:
        self.graph, self.loop = graph, loop
        inside = [
            (step, number, node)
            for step, found in enumerate(loop.steps)
            for number, node in enumerate(found)
            if node is not None and number not in loop.taken
        ]
        self.steps = {id(node) for _, _, node in inside}
        self.places = {id(value): (step, (k, o)) for step, k, node in inside for o, value in enumerate(node.outputs)}
        self.users = self._outer_users(nodes)
        self.used = self._used_places()
        self.stacked = [place for place in self.used if self._is_stacked(place)]
        self.collections = {place: self._find_collections(place) for place in self.stacked}
        self.reverse = loop.elements[0].reverse

    def wanted_axes(self) -> list[int]:
        """The axes along which results are collected."""
        return [one.axis for found in self.collections.values() for one in found]

    def last_state(self, state: State, value: Value) -> Value:
        """The value that outside nodes read as the state after the last step; `value` if they read none."""
        place = (state.node, state.output)
        return self._values_at(place)[-1] if place in self.used and place not in self.stacked else value

    def find_as_stacked(self, place: Place, axis: int) -> Value | None:
        """The tensor that equals the stacked results without a rearrangement; None if there is none."""
        return next((one.node.outputs[0] for one in self.collections[place] if self._is_as_stacked(one, axis)), None)

    def give_positions(self, place: Place, stacked: Value, axis: int, builder: GraphBuilder) -> None:
        """Adds a `select` for each result of a single step that is read on its own."""
        collecting = {id(one.node) for one in self.collections[place]}
        for step, value in enumerate(self._values_at(place)):
            if any(id(node) not in collecting for node in self.users.get(id(value), ())):
                at = self.loop.count - 1 - step if self.reverse else step
                builder.apply_op("select", stacked, axis=axis, index=-1 if at == self.loop.count - 1 else at)
                builder.graph.nodes[-1].outputs = (value,)

    def collected_nodes(self, place: Place, stacked: Value, axis: int, facts: Facts) -> dict[int, list[Node]]:
        """The nodes that replace each node that collects the results, by the id of that node."""
        return {id(one.node): self._rearrange_results(one, stacked, axis, facts) for one in self.collections[place]}

    # --- results that are read --------------------------------------------------------------------------------------------------

    def _outer_users(self, nodes: Sequence[Node]) -> dict[int, list[Node | None]]:
        """For each result of a step, by id, the nodes outside of the loop that read it; None stands for the graph's results."""
        result: dict[int, list[Node | None]] = {}
        for node in nodes:
            for value in node.inputs if id(node) not in self.steps else ():
                if id(value) in self.places:
                    result.setdefault(id(value), []).append(node)
        for value in (*self.graph.outputs, *(self.graph.training_outputs or ())):
            if id(value) in self.places:
                result.setdefault(id(value), []).append(None)
        return result

    def _used_places(self) -> dict[Place, set[int]]:
        """The places of the results that are read outside, and the numbers of the steps of which they are read."""
        found: dict[Place, set[int]] = {}
        for key, (step, place) in sorted(self.places.items(), key=lambda item: (item[1][1], item[1][0])):
            if key in self.users:
                found.setdefault(place, set()).add(step)
        return found

    def _is_stacked(self, place: Place) -> bool:
        """Whether a result is read of other steps than the last, or is no state."""
        is_state = any((one.node, one.output) == place for one in self.loop.states)
        return not is_state or self.used[place] != {self.loop.count - 1}

    def _values_at(self, place: Place) -> list[Value]:
        """The results of all steps, in their order."""
        number, output = place
        return [node.outputs[output] for step in self.loop.steps if (node := step[number]) is not None]

    def _find_collections(self, place: Place) -> list[_Collection]:
        """The nodes that collect the result of all steps."""
        values = self._values_at(place)
        users = {id(node): node for node in self.users.get(id(values[0]), ()) if isinstance(node, OpNode)}
        found = [self._as_collection(node, values) for node in users.values() if isinstance(node.op, Stack | Concat)]
        return [one for one in found if one is not None] if len(values) == self.loop.count else []

    def _as_collection(self, node: OpNode, values: Sequence[Value]) -> _Collection | None:
        """The node as a collection of these values; None if it has them in another order, or other results of the loop too."""
        axis = node.op.args["axis"] % node.outputs[0].type.rank
        if isinstance(node.op, Concat) and not isinstance(values[0].type.shape[axis], int):
            return None
        forwards, order = list(map(id, values)), list(map(id, node.inputs))
        at = next((at for at, key in enumerate(order) if key in forwards), 0)
        end = at + len(forwards)
        rest = (*node.inputs[:at], *node.inputs[end:])
        if order[at:end] not in (forwards, forwards[::-1]) or any(id(value) in self.places for value in rest):
            return None
        return _Collection(node, axis, order[at:end] != forwards, node.inputs[:at], node.inputs[end:])

    # --- new nodes -------------------------------------------------------------------------------------------------------------

    def _is_as_stacked(self, one: _Collection, axis: int) -> bool:
        is_all = isinstance(one.node.op, Stack) and not one.before and not one.after
        return is_all and one.axis == axis and one.flipped == self.reverse

    def _rearrange_results(self, one: _Collection, stacked: Value, axis: int, facts: Facts) -> list[Node]:
        """The nodes that compute the result of a collecting node from the stacked results."""
        if stacked is one.node.outputs[0]:
            return []
        builder = GraphBuilder(self.graph.name, "block", facts, self.graph.span)
        value, wanted = stacked, one.axis
        if one.flipped != self.reverse:
            value = builder.apply_op("flip", value, axis=(axis,))
        if abs(wanted - axis) == 1:
            value = builder.apply_op("transpose", value, a=min(wanted, axis), b=max(wanted, axis))
        elif wanted != axis:
            order = [at for at in range(value.type.rank) if at != axis]
            order.insert(wanted, axis)
            value = builder.apply_op("permute", value, axes=tuple(order))
        is_stack = isinstance(one.node.op, Stack)
        if not is_stack:
            is_single = value.type.shape[wanted + 1] == 1
            arguments: dict[str, Any] = {"axis": (wanted + 1,)} if is_single else {"start": wanted, "end": wanted + 1}
            value = builder.apply_op("squeeze" if is_single else "flatten", value, **arguments)
        if one.before or one.after:
            before, after = ([_with_axis(builder, v, wanted) if is_stack else v for v in part] for part in (one.before, one.after))
            value = builder.apply_op("concat", *before, value, *after, axis=wanted)
        if value is stacked:
            builder.apply_op("identity", value)
        builder.graph.nodes[-1].outputs = one.node.outputs
        return builder.graph.nodes


def _with_axis(builder: GraphBuilder, value: Value, axis: int) -> Value:
    return builder.apply_op("unsqueeze", value, axis=axis)
