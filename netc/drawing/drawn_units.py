"""Fold the graphs of a program into bodies of units, each of which is one box in a picture.

In: a graph. Out: a `DrawnBody`. Always: equal stages in a row, each of which takes the previous one's result, are one unit, and so are
many equal stages side by side. A call of a graph with a single unit is that unit, under the label of the call. A body of more than
`MAX_UNITS` units is a body of groups, so that you can read every body. The time is proportional to the number of nodes.

For example, `input 8 -> repeat 12 { dense 8 }` has one unit of twelve stages, which a picture shows as one box, `repeat1 × 12`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby, pairwise

from netc.compiler.analysis.model_cost import is_same_stage
from netc.compiler.ir.graph import CallNode, Graph, Node
from netc.compiler.ir.graph_values import Value, ValueTuple

MAX_UNITS = 40
"""The most units of a body."""
GROUP_SIZE = 20
"""Units of a group, and groups of a group."""
MAX_GROUP_ENDS = 12
"""The most inputs or outputs of a group that are drawn one by one."""
MIN_PARALLEL = 6
"""The least number of equal stages side by side that are folded into one unit."""
_AFTER = 1 << 60
"""A position after all units: it stands for the users of the graph's results."""


class DrawnValue:
    """A tensor, a tuple, or several tensors that are drawn as one. `ids` are the identities of the values."""

    __slots__ = ("count", "ids", "name", "type", "value")

    def __init__(self, source: Value | ValueTuple | Sequence[Value]) -> None:
        match source:
            case Value():
                self.value: Value | None = source
                values: Sequence[Value] = (source,)
                self.name = source.name
            case ValueTuple():
                self.value, values, self.name = None, source.values, source.name
            case _:
                self.value, values, self.name = None, source, ""
        self.ids = tuple(map(id, values))
        self.count = len(values)
        first = values[0].type if values else None
        self.type = first if all(v.type is first or v.type == first for v in values) else None
        """The type of each tensor, or None if they differ."""


class DrawnUnit:
    """Stages that are one box. `nodes` are equal stages in a row, or side by side if `parallel`, and the first one has the label. A group
    has `units` too, and all of their nodes."""

    __slots__ = ("parallel", "nodes", "units")

    def __init__(self, nodes: Sequence[Node], units: Sequence[DrawnUnit] = (), parallel: bool = False) -> None:
        self.nodes = nodes
        self.units = units
        self.parallel = parallel

    @property
    def times(self) -> int:
        return 1 if self.units else len(self.nodes)

    @property
    def inputs(self) -> Iterable[Value]:
        """The inputs of all its stages, including values that they pass to each other."""
        return (v for node in self.nodes for v in node.inputs)

    @property
    def outputs(self) -> list[DrawnValue]:
        """The results of its stages: of stages in a row, the last one's; of stages side by side, all of them as one value."""
        if self.parallel:
            return [DrawnValue([v for node in self.nodes for v in node.outputs])]
        nodes = self.nodes if self.units else self.nodes[-1:]
        values = [DrawnValue(value) for node in nodes for value in (node.grouped_outputs if isinstance(node, CallNode) else node.outputs)]
        # an empty tuple has no type to show, and no wire
        return [item for item in values if item.count]


class DrawnBody:
    """Units between inputs and outputs. Equal keys mean the same body. The names of inputs and outputs are the spec's, or empty."""

    def __init__(
        self,
        key: tuple[int, ...],
        graph: Graph,
        units: Sequence[DrawnUnit],
        inputs: list[DrawnValue],
        outputs: list[tuple[str, DrawnValue]],
    ) -> None:
        self.key = key
        self.graph = graph
        self.units = units
        self.inputs = inputs
        self.outputs = outputs


class DrawnBodies:
    """The bodies of graphs, each of which is made once."""

    def __init__(self) -> None:
        self._made: dict[int, DrawnBody] = {}
        self._last: dict[int, dict[int, int]] = {}
        self._groups: dict[int, DrawnBody] = {}
        """By the identity of the unit, which is not reused because the units live as long as the bodies."""

    def get_body(self, graph: Graph) -> DrawnBody:
        """Return the body of a graph."""
        if id(graph) not in self._made:
            units = fold_units(graph)
            last = self._last[id(graph)] = _find_last_uses(graph, units)
            grouped = _group_units(units, _count_crossing_values(units, graph, last)) if len(units) > MAX_UNITS else units
            self._made[id(graph)] = DrawnBody((id(graph),), graph, grouped, _list_inputs(graph, units), _list_outputs(graph))
        return self._made[id(graph)]

    def get_inner_body(self, unit: DrawnUnit, graph: Graph) -> DrawnBody | None:
        """Return the body inside of a unit of a graph, or None if there is none."""
        if unit.units:
            if id(unit) not in self._groups:
                self._groups[id(unit)] = self._make_group_body(unit, graph)
            return self._groups[id(unit)]
        first = unit.nodes[0]
        return self.get_body(first.graph) if isinstance(first, CallNode) else None

    def unwrap_unit(self, unit: DrawnUnit) -> tuple[DrawnUnit, int, list[str]]:
        """Return the unit inside calls that contain nothing else, how often it occurs in a row, and the labels that lead to it. If a call
        contains more, return the unit itself."""
        times = unit.times
        labels: list[str] = []
        # a scan keeps its own box, because its body runs once for each position
        while not unit.units and isinstance(first := unit.nodes[0], CallNode) and first.scan is None:
            inner = self.get_body(first.graph)
            if len(inner.units) != 1 or inner.units[0].units or (times > 1 and inner.units[0].times > 1) or len(inner.outputs) > 1:
                break
            unit = inner.units[0]
            times *= unit.times
            labels.append(unit.nodes[0].label)
        return unit, times, labels

    def list_results(self, unit: DrawnUnit, graph: Graph) -> list[DrawnValue]:
        """Return the results of a unit, in the order of the outputs of its inside."""
        inside = self.get_inner_body(unit, graph) if unit.units else None
        return unit.outputs if inside is None else [item for _, item in inside.outputs]

    def find_entries(self, unit: DrawnUnit, graph: Graph) -> dict[tuple[int, int], None]:
        """Return the inputs of a unit by identity, each with the number of the input of its inside, or 0 if there is no inside. The result
        is a dict in place of an ordered set."""
        # each value outside, and the value that stands for it inside the calls that are unwrapped so far
        pairs = [(id(v), id(v)) for v in unit.inputs]
        while not unit.units and isinstance(first := unit.nodes[0], CallNode):
            outer_values: dict[int, list[int]] = {}
            for outer, here in pairs:
                outer_values.setdefault(here, []).append(outer)
            calls = [(node.inputs, node.graph.inputs) for node in unit.nodes if isinstance(node, CallNode)]
            pairs = [
                (o, id(inner))
                for inputs, inside in calls
                for v, inner in zip(inputs, inside, strict=True)
                for o in outer_values.get(id(v), ())
            ]
            body = self.get_body(first.graph)
            if self.unwrap_unit(unit)[0] is unit:
                return self._number_entries(pairs, body)  # the call is the box, and its inputs are the ports inside
            unit = body.units[0]
        inside_group = self.get_inner_body(unit, graph)
        return dict.fromkeys((o, 0) for o, _ in pairs) if inside_group is None else self._number_entries(pairs, inside_group)

    def _number_entries(self, pairs: list[tuple[int, int]], body: DrawnBody) -> dict[tuple[int, int], None]:
        numbers = {i: number for number, item in enumerate(body.inputs) for i in item.ids}
        return dict.fromkeys((outer, numbers[here]) for outer, here in pairs if here in numbers)

    def _make_group_body(self, unit: DrawnUnit, graph: Graph) -> DrawnBody:
        """Return the body of a group. Its inputs are the values from outside that its stages use, its outputs the values used outside."""
        last = self._last[id(graph)]
        nodes = {id(node) for node in unit.nodes}
        items = [item for inner_unit in unit.units for item in inner_unit.outputs]
        internal = {i for item in items for i in item.ids}
        external = [v for inner_unit in unit.units for v in inner_unit.inputs if id(v) not in internal]
        inputs = [DrawnValue(v) for v in {id(v): v for v in external}.values()]
        # nodes are in the order of computation, so a use after the group's last unit is a use outside
        end = max(last[-id(node)] for node in unit.nodes)
        outputs = [("", item) for item in items if any(last.get(i, -1) > end for i in item.ids)]
        if len(inputs) > MAX_GROUP_ENDS:
            inputs = [DrawnValue(list({id(v): v for v in external}.values()))]
        if len(outputs) > MAX_GROUP_ENDS:
            outputs = [("", _join_values([item for _, item in outputs]))]
        # two groups of a graph are disjoint or one contains the other, so one node and their number are enough for a key
        return DrawnBody((id(graph), *sorted(nodes)[:1], len(nodes)), graph, unit.units, inputs, outputs)


def _join_values(items: list[DrawnValue]) -> DrawnValue:
    joined = DrawnValue(())
    joined.ids = tuple(i for item in items for i in item.ids)
    joined.count = len(joined.ids)
    return joined


def _list_inputs(graph: Graph, units: list[DrawnUnit]) -> list[DrawnValue]:
    """Return the inputs of a graph, without empty tuples. Many tensors in a row of one type, for one unit alone, are one input."""
    unit_of = {id(node): id(unit) for unit in units for node in unit.nodes}
    users = _find_only_users(graph)
    inputs: list[DrawnValue] = []
    for _, run in groupby(
        filter(lambda item: item.count, map(DrawnValue, graph.grouped_inputs)), lambda item: _get_input_group(item, users, unit_of)
    ):
        same = [*run]
        inputs += [_join_inputs(same)] if len(same) >= MIN_PARALLEL else same
    return inputs


def _get_input_group(item: DrawnValue, users: dict[int, int | None], unit_of: dict[int, int]) -> object:
    """Return a key that is equal for tensors of one type that the same unit alone uses. Another tensor has a key of its own."""
    user = users.get(item.ids[0]) if item.value is not None else None
    return id(item) if user is None else (unit_of[user], str(item.type))


def _join_inputs(same: list[DrawnValue]) -> DrawnValue:
    joined = DrawnValue([item.value for item in same if item.value is not None])
    joined.name = f"{same[0].name} … {same[-1].name}"
    return joined


def _list_outputs(graph: Graph) -> list[tuple[str, DrawnValue]]:
    """Return the results with their names. A result that only training has is named so."""
    names = graph.output_names or [""] * len(graph.outputs)
    # `single_outputs` ends before the tuples, which have no names: hence `strict=False`
    outputs = [(name, DrawnValue(value)) for name, value in zip(names, graph.single_outputs, strict=False)]
    for tail in graph.tails:
        values = [v for part in tail.parts for v in ((part,) if isinstance(part, Value) else part.values)]
        outputs += [("", DrawnValue(values))] if values else []
    known = {id(v) for v in graph.outputs}
    outputs += [(f"{v.name} in training".strip(), DrawnValue(v)) for v in graph.training_outputs or () if id(v) not in known]
    return outputs


def fold_units(graph: Graph) -> list[DrawnUnit]:
    """Return the units of a graph."""
    return _fold_parallel(fold_rows(graph), _find_only_users(graph), {*map(id, graph.inputs)})


def fold_rows(graph: Graph) -> list[DrawnUnit]:
    """Fold equal stages in a row into units: each must be the only user of the previous one's results."""
    uses: dict[int, int] = {}
    for node in graph.nodes:
        for i in {id(v) for v in node.inputs}:  # a set, because a node that takes a value twice is one user
            uses[i] = uses.get(i, 0) + 1
    for v in (*graph.outputs, *(graph.training_outputs or ())):
        uses[id(v)] = uses.get(id(v), 0) + _AFTER  # more than one use, so no row continues after a result of the graph
    units: list[list[Node]] = []
    for node in graph.nodes:
        if units and _continues_row(units[-1][-1], node, uses):
            units[-1].append(node)
        else:
            units.append([node])
    return [DrawnUnit(nodes) for nodes in units]


def _find_only_users(graph: Graph) -> dict[int, int | None]:
    """Return the only node that uses each value, by identities, or None if several do or the value is a result of the graph."""
    users: dict[int, int | None] = {}
    for node in graph.nodes:
        for i in {id(v) for v in node.inputs}:
            users[i] = None if i in users else id(node)
    return users | dict.fromkeys(map(id, (*graph.outputs, *(graph.training_outputs or ()))))


def _fold_parallel(units: list[DrawnUnit], users: dict[int, int | None], graph_inputs: set[int]) -> list[DrawnUnit]:
    """Fold many equal stages side by side into a unit: they use the same values, or an input of the graph each, and the same stage uses all
    of their results."""
    folded: list[DrawnUnit] = []
    for _, run in groupby(units, lambda unit: _get_position(unit, users, graph_inputs)):
        same = [*run]
        alike = len(same) >= MIN_PARALLEL and all(is_same_stage(same[0].nodes[0], unit.nodes[0]) for unit in same)
        folded += [DrawnUnit([unit.nodes[0] for unit in same], parallel=True)] if alike else same
    return folded


def _get_position(unit: DrawnUnit, users: dict[int, int | None], graph_inputs: set[int]) -> object:
    """Return a key that is equal for units between the same stages. Another unit has a key of its own."""
    node = unit.nodes[0]
    user = users.get(id(node.outputs[0])) if len(unit.nodes) == 1 and len(node.outputs) == 1 else None
    # 0 stands for any input of the graph that this stage alone uses
    inputs = tuple([0 if id(v) in graph_inputs and users.get(id(v)) is not None else id(v) for v in node.inputs])
    return id(unit) if user is None else (user, inputs)


def _continues_row(before: Node, node: Node, uses: dict[int, int]) -> bool:
    if not is_same_stage(before, node):
        return False
    inputs = {id(v) for v in node.inputs}
    outputs = [id(v) for v in before.outputs]
    # a result that nothing uses does not end the row: no wire begins there
    return any(i in inputs for i in outputs) and all((uses.get(i, 0) == 1 and i in inputs) or uses.get(i, 0) == 0 for i in outputs)


def _group_units(units: list[DrawnUnit], crossing: list[int]) -> list[DrawnUnit]:
    """Group units, and groups, until there are at most `MAX_UNITS`."""
    while len(units) > MAX_UNITS:
        cuts = _choose_cuts(GROUP_SIZE, crossing)
        parts = [units[start:end] for start, end in pairwise(cuts)]
        units = [DrawnUnit([node for unit in part for node in unit.nodes], part) if len(part) > 1 else part[0] for part in parts]
        # a group hides the positions within it, so only those between groups are left for the next round
        crossing = [crossing[cut] for cut in cuts]
    return units


def _choose_cuts(size: int, crossing: list[int]) -> list[int]:
    """Return the bounds of parts of about `size` units, between half and one and a half times as many. A cut is where few values cross, so
    that the steps of an unrolled loop stay together."""
    cuts, end = [0], len(crossing) - 1
    while end - cuts[-1] > size + size // 2:
        target = cuts[-1] + size
        near = range(target - size // 2, target + size // 2 + 1)
        cuts.append(min(near, key=lambda position: (crossing[position], abs(position - target))))
    return [*cuts, end]


def _count_crossing_values(units: list[DrawnUnit], graph: Graph, last: dict[int, int]) -> list[int]:
    """Return for each position before, between and after the units the number of values that are made before it and used after it."""
    ends = len(units)
    changes = [0] * (ends + 1)
    definitions = [(-1, graph.inputs), *((position, node.outputs) for position, unit in enumerate(units) for node in unit.nodes)]
    for position, values in definitions:
        for v in values:
            end = last.get(id(v), -1)
            if end > position:
                # only the changes at both ends of a value's life are noted, and summed up below, so the time is linear
                changes[position + 1] += 1
                if end < ends:  # a result of the graph is used after all units, so it never ends
                    changes[end + 1] -= 1
    return [*accumulate(changes)]


def _find_last_uses(graph: Graph, units: list[DrawnUnit]) -> dict[int, int]:
    """Return the position of the last unit that uses each value, by the value's identity, and the position of each node, by its negated
    identity."""
    last: dict[int, int] = {}
    for position, unit in enumerate(units):
        last.update((-id(node), position) for node in unit.nodes)
        last.update((id(v), position) for v in unit.inputs)
    last.update((id(v), _AFTER) for v in (*graph.outputs, *(graph.training_outputs or ())))
    return last
