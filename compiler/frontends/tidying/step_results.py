"""Finds the results of a loop over time that are read outside of it: the last states, and the stacked results of all steps.

In: the nodes of a graph, and a loop among them. Out: the results that are read, and nodes that compute them from the stacked results.
Always: a `stack` or `concat` of the results of all steps becomes a rearrangement of the stacked results. Every
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
    """The results of one loop. `steps` are the ids of its nodes, `stacked` the places of the results that are stacked."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], loop: TimeLoop) -> None:
        self.graph, self.loop = graph, loop
        inside = [
            (step, number, node)
            for step, nodes_of_step in enumerate(loop.steps)
            for number, node in enumerate(nodes_of_step)
            if node is not None and number not in loop.selections
        ]
        self.steps = {id(node) for _, _, node in inside}
        self.places = {id(value): (step, (k, o)) for step, k, node in inside for o, value in enumerate(node.outputs)}
        self.users = self._find_outer_users(nodes)
        self.used = self._find_used_places()
        self.stacked = [place for place in self.used if self._is_stacked(place)]
        self.collections = {place: self._find_collections(place) for place in self.stacked}
        self.reverse = loop.elements[0].reverse

    def list_collected_axes(self) -> list[int]:
        """List the axes along which results are collected."""
        return [collection.axis for collections in self.collections.values() for collection in collections]

    def find_last_state(self, state: State, value: Value) -> Value:
        """Return the value that outside nodes read as the state after the last step, or `value` if they read none."""
        place = (state.node, state.output)
        return self._list_step_values(place)[-1] if place in self.used and place not in self.stacked else value

    def find_stacked_output(self, place: Place, axis: int) -> Value | None:
        """Return the tensor of the original graph that equals the stacked results as they are, or None."""
        return next((collection.node.outputs[0] for collection in self.collections[place] if self._equals_stacked(collection, axis)), None)

    def select_positions(self, place: Place, stacked: Value, axis: int, builder: GraphBuilder) -> None:
        """Add a `select` for each result of a single step that is read on its own."""
        collecting = {id(collection.node) for collection in self.collections[place]}
        for step, value in enumerate(self._list_step_values(place)):
            if any(id(node) not in collecting for node in self.users.get(id(value), ())):
                # A reverse scan stacks its results in the order of the positions, not of the steps.
                position = self.loop.count - 1 - step if self.reverse else step
                builder.apply_op("select", stacked, axis=axis, index=-1 if position == self.loop.count - 1 else position)
                builder.graph.nodes[-1].outputs = (value,)

    def rearrange_collections(self, place: Place, stacked: Value, axis: int, facts: Facts) -> dict[int, list[Node]]:
        """Return the nodes that replace each collecting node, by its id."""
        return {id(collection.node): self._rearrange_results(collection, stacked, axis, facts) for collection in self.collections[place]}

    # --- results that are read --------------------------------------------------------------------------------------------------

    def _find_outer_users(self, nodes: Sequence[Node]) -> dict[int, list[Node | None]]:
        """Map each result of a step, by id, to the outside nodes that read it. None stands for the results of the graph."""
        result: dict[int, list[Node | None]] = {}
        for node in nodes:
            for value in node.inputs if id(node) not in self.steps else ():
                if id(value) in self.places:
                    result.setdefault(id(value), []).append(node)
        for value in (*self.graph.outputs, *(self.graph.training_outputs or ())):
            if id(value) in self.places:
                result.setdefault(id(value), []).append(None)
        return result

    def _find_used_places(self) -> dict[Place, set[int]]:
        """Map the places of results that are read outside to the numbers of the steps whose results are read."""
        used: dict[Place, set[int]] = {}
        for key, (step, place) in sorted(self.places.items(), key=lambda item: (item[1][1], item[1][0])):
            if key in self.users:
                used.setdefault(place, set()).add(step)
        return used

    def _is_stacked(self, place: Place) -> bool:
        """Return whether a result must be stacked: it is not a state, or steps other than the last are read."""
        is_state = any((state.node, state.output) == place for state in self.loop.states)
        return not is_state or self.used[place] != {self.loop.count - 1}

    def _list_step_values(self, place: Place) -> list[Value]:
        """List the results of all steps at one place, in the order of the steps."""
        number, output = place
        return [node.outputs[output] for step in self.loop.steps if (node := step[number]) is not None]

    def _find_collections(self, place: Place) -> list[_Collection]:
        """Find the nodes that collect the results of all steps."""
        values = self._list_step_values(place)
        users = {id(node): node for node in self.users.get(id(values[0]), ()) if isinstance(node, OpNode)}
        collections = [self._match_collection(node, values) for node in users.values() if isinstance(node.op, Stack | Concat)]
        return [collection for collection in collections if collection is not None] if len(values) == self.loop.count else []

    def _match_collection(self, node: OpNode, values: Sequence[Value]) -> _Collection | None:
        """Match a node that collects these values. None if it has them in another order, or other results of the loop too."""
        axis = node.op.args["axis"] % node.outputs[0].type.rank
        # The rearrangement flattens the stacked axis into this one, and `flatten` needs the size.
        if isinstance(node.op, Concat) and not isinstance(values[0].type.shape[axis], int):
            return None
        step_ids, input_ids = list(map(id, values)), list(map(id, node.inputs))
        first = next((first for first, key in enumerate(input_ids) if key in step_ids), 0)
        end = first + len(step_ids)
        rest = (*node.inputs[:first], *node.inputs[end:])
        if input_ids[first:end] not in (step_ids, step_ids[::-1]) or any(id(value) in self.places for value in rest):
            return None
        return _Collection(node, axis, input_ids[first:end] != step_ids, node.inputs[:first], node.inputs[end:])

    # --- new nodes -------------------------------------------------------------------------------------------------------------

    def _equals_stacked(self, collection: _Collection, axis: int) -> bool:
        is_all = isinstance(collection.node.op, Stack) and not collection.before and not collection.after
        return is_all and collection.axis == axis and collection.flipped == self.reverse

    def _rearrange_results(self, collection: _Collection, stacked: Value, axis: int, facts: Facts) -> list[Node]:
        """Compute the result of a collecting node from the stacked results. Returns the new nodes."""
        if stacked is collection.node.outputs[0]:
            return []
        builder = GraphBuilder(self.graph.name, "block", facts, self.graph.span)
        value, target_axis = stacked, collection.axis
        if collection.flipped != self.reverse:
            value = builder.apply_op("flip", value, axis=(axis,))
        if abs(target_axis - axis) == 1:
            value = builder.apply_op("transpose", value, a=min(target_axis, axis), b=max(target_axis, axis))
        elif target_axis != axis:
            order = [other_axis for other_axis in range(value.type.rank) if other_axis != axis]
            order.insert(target_axis, axis)
            value = builder.apply_op("permute", value, axes=tuple(order))
        is_stack = isinstance(collection.node.op, Stack)
        if not is_stack:
            is_single = value.type.shape[target_axis + 1] == 1
            arguments: dict[str, Any] = {"axis": (target_axis + 1,)} if is_single else {"start": target_axis, "end": target_axis + 1}
            value = builder.apply_op("squeeze" if is_single else "flatten", value, **arguments)
        if collection.before or collection.after:
            before, after = (
                [_unsqueeze_value(builder, v, target_axis) if is_stack else v for v in part]
                for part in (collection.before, collection.after)
            )
            value = builder.apply_op("concat", *before, value, *after, axis=target_axis)
        # The collecting node's own result must be made by some node, because its readers keep that `Value`.
        if value is stacked:
            builder.apply_op("identity", value)
        builder.graph.nodes[-1].outputs = collection.node.outputs
        return builder.graph.nodes


def _unsqueeze_value(builder: GraphBuilder, value: Value, axis: int) -> Value:
    return builder.apply_op("unsqueeze", value, axis=axis)
