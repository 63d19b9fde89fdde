"""The graphs of a program as bodies of units: what a level shows as one box each.

Always: equal stages in a row of which each takes what the one before gives are one unit, and so are many side by side; a call of a graph
that is only one unit is that unit under the label of the call; a body of more than `MOST` units is a body of groups, so every body can be
read. Takes time in proportion to the nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby, pairwise

from netc.compiler.analysis.model_cost import is_same_stage
from netc.compiler.ir.graph import CallNode, Graph, Node
from netc.compiler.ir.graph_values import Value, ValueTuple

MOST = 40
"""The most units of a body."""
GROUP = 20
"""Units of a group, and groups of a group."""
MOST_ENDS = 12
"""The most inputs or outputs of a group that are shown one by one."""
SIDES = 6
"""The least equal stages side by side that are one unit."""
_AFTER = 1 << 60
"""The position of what takes the results of a graph."""


class Item:
    """A tensor, a tuple of them, or several that are shown as one; `ids` are the identities of the values."""

    __slots__ = ("count", "ids", "name", "type", "value")

    def __init__(self, given: Value | ValueTuple | Sequence[Value]) -> None:
        match given:
            case Value():
                self.value: Value | None = given
                values: Sequence[Value] = (given,)
                self.name = given.name
            case ValueTuple():
                self.value, values, self.name = None, given.values, given.name
            case _:
                self.value, values, self.name = None, given, ""
        self.ids = tuple(map(id, values))
        self.count = len(values)
        first = values[0].type if values else None
        self.type = first if all(v.type is first or v.type == first for v in values) else None
        """That of each of them, if it is the same."""


class Unit:
    """`nodes` are equal stages in a row, or side by side (`parallel`), of which the first has the label; or those of a group, which has
    `units`."""

    __slots__ = ("parallel", "nodes", "units")

    def __init__(self, nodes: Sequence[Node], units: Sequence[Unit] = (), parallel: bool = False) -> None:
        self.nodes = nodes
        self.units = units
        self.parallel = parallel

    @property
    def times(self) -> int:
        return 1 if self.units else len(self.nodes)

    @property
    def takes(self) -> Iterable[Value]:
        """What it is given, and what its stages give each other."""
        return (v for node in self.nodes for v in node.inputs)

    @property
    def makes(self) -> list[Item]:
        """What comes out of its stages; of equal ones in a row, out of the last; of those side by side, all as one."""
        if self.parallel:
            return [Item([v for node in self.nodes for v in node.outputs])]
        nodes = self.nodes if self.units else self.nodes[-1:]
        made = [Item(one) for node in nodes for one in (node.grouped_outputs if isinstance(node, CallNode) else node.outputs)]
        return [item for item in made if item.count]


class Body:
    """Units between inputs and outputs. `key` is equal for the same body. Names of inputs and outputs are those of the spec, or empty."""

    def __init__(
        self, key: tuple[int, ...], graph: Graph, units: Sequence[Unit], inputs: list[Item], outputs: list[tuple[str, Item]]
    ) -> None:
        self.key = key
        self.graph = graph
        self.units = units
        self.inputs = inputs
        self.outputs = outputs


class Bodies:
    """Bodies by graph, each made once."""

    def __init__(self) -> None:
        self._made: dict[int, Body] = {}
        self._last: dict[int, dict[int, int]] = {}
        self._groups: dict[int, Body] = {}
        """By unit, which lives as long as the bodies."""

    def of(self, graph: Graph) -> Body:
        """The body of a graph."""
        if id(graph) not in self._made:
            units = folded(graph)
            last = self._last[id(graph)] = _last_uses(graph, units)
            shown = _grouped(units, _crossing(units, graph, last)) if len(units) > MOST else units
            self._made[id(graph)] = Body((id(graph),), graph, shown, _inputs(graph, units), _outputs(graph))
        return self._made[id(graph)]

    def inside(self, unit: Unit, graph: Graph) -> Body | None:
        """What is inside of a unit of a graph; None if nothing is."""
        if unit.units:
            if id(unit) not in self._groups:
                self._groups[id(unit)] = self._group(unit, graph)
            return self._groups[id(unit)]
        first = unit.nodes[0]
        return self.of(first.graph) if isinstance(first, CallNode) else None

    def merged(self, unit: Unit) -> tuple[Unit, int, list[str]]:
        """The unit that is all of what is inside, how many of it there are in a row, and the labels that lead to it; the unit itself if
        more is inside."""
        times = unit.times
        labels: list[str] = []
        while not unit.units and isinstance(first := unit.nodes[0], CallNode) and first.scan is None:
            inner = self.of(first.graph)
            if len(inner.units) != 1 or inner.units[0].units or (times > 1 and inner.units[0].times > 1) or len(inner.outputs) > 1:
                break
            unit = inner.units[0]
            times *= unit.times
            labels.append(unit.nodes[0].label)
        return unit, times, labels

    def results(self, unit: Unit, graph: Graph) -> list[Item]:
        """What comes out of a unit, in the order of the outputs of its inside."""
        inside = self.inside(unit, graph) if unit.units else None
        return unit.makes if inside is None else [item for _, item in inside.outputs]

    def entries(self, unit: Unit, graph: Graph) -> dict[tuple[int, int], None]:
        """What a unit is given, by its identity, with the number of the input of its inside that it is: 0 where nothing is inside."""
        pairs = [(id(v), id(v)) for v in unit.takes]
        while not unit.units and isinstance(first := unit.nodes[0], CallNode):
            given: dict[int, list[int]] = {}
            for outer, here in pairs:
                given.setdefault(here, []).append(outer)
            calls = [(node.inputs, node.graph.inputs) for node in unit.nodes if isinstance(node, CallNode)]
            pairs = [
                (o, id(inner)) for inputs, inside in calls for v, inner in zip(inputs, inside, strict=True) for o in given.get(id(v), ())
            ]
            body = self.of(first.graph)
            if self.merged(unit)[0] is unit:
                return self._numbered(pairs, body)
            unit = body.units[0]
        inside_group = self.inside(unit, graph)
        return dict.fromkeys((o, 0) for o, _ in pairs) if inside_group is None else self._numbered(pairs, inside_group)

    def _numbered(self, pairs: list[tuple[int, int]], body: Body) -> dict[tuple[int, int], None]:
        numbers = {i: number for number, item in enumerate(body.inputs) for i in item.ids}
        return dict.fromkeys((outer, numbers[here]) for outer, here in pairs if here in numbers)

    def _group(self, unit: Unit, graph: Graph) -> Body:
        """The inputs of a group are what its stages take from outside, its outputs what is taken from it."""
        last = self._last[id(graph)]
        nodes = {id(node) for node in unit.nodes}
        items = [item for one in unit.units for item in one.makes]
        made = {i for item in items for i in item.ids}
        wanted = [v for one in unit.units for v in one.takes if id(v) not in made]
        inputs = [Item(v) for v in {id(v): v for v in wanted}.values()]
        end = max(last[-id(node)] for node in unit.nodes)
        outputs = [("", item) for item in items if any(last.get(i, -1) > end for i in item.ids)]
        if len(inputs) > MOST_ENDS:
            inputs = [Item(list({id(v): v for v in wanted}.values()))]
        if len(outputs) > MOST_ENDS:
            outputs = [("", _joined([item for _, item in outputs]))]
        return Body((id(graph), *sorted(nodes)[:1], len(nodes)), graph, unit.units, inputs, outputs)


def _joined(items: list[Item]) -> Item:
    one = Item(())
    one.ids = tuple(i for item in items for i in item.ids)
    one.count = len(one.ids)
    return one


def _inputs(graph: Graph, units: list[Unit]) -> list[Item]:
    """What the graph is given; nothing of a tuple without tensors. Many tensors in a row of one type, for one unit alone, are one."""
    unit_of = {id(node): id(unit) for unit in units for node in unit.nodes}
    takers = _only_takers(graph)
    found: list[Item] = []
    for _, run in groupby(filter(lambda item: item.count, map(Item, graph.grouped_inputs)), lambda item: _for_one(item, takers, unit_of)):
        same = [*run]
        found += [_in_a_row(same)] if len(same) >= SIDES else same
    return found


def _for_one(item: Item, takers: dict[int, int | None], unit_of: dict[int, int]) -> object:
    """Equal for tensors of one type that the same unit alone takes; one that is taken elsewhere equals no other."""
    taker = takers.get(item.ids[0]) if item.value is not None else None
    return id(item) if taker is None else (unit_of[taker], str(item.type))


def _in_a_row(same: list[Item]) -> Item:
    one = Item([item.value for item in same if item.value is not None])
    one.name = f"{same[0].name} … {same[-1].name}"
    return one


def _outputs(graph: Graph) -> list[tuple[str, Item]]:
    """The results with their names; those of training that are others are named so."""
    names = graph.output_names or [""] * len(graph.outputs)
    found = [(name, Item(value)) for name, value in zip(names, graph.single_outputs, strict=False)]
    for tail in graph.tails:
        values = [v for part in tail.parts for v in ((part,) if isinstance(part, Value) else part.values)]
        found += [("", Item(values))] if values else []
    known = {id(v) for v in graph.outputs}
    found += [(f"{v.name} in training".strip(), Item(v)) for v in graph.training_outputs or () if id(v) not in known]
    return found


def folded(graph: Graph) -> list[Unit]:
    """The units of a graph."""
    return _in_parallel(in_rows(graph), _only_takers(graph), {*map(id, graph.inputs)})


def in_rows(graph: Graph) -> list[Unit]:
    """Equal stages in a row, each taking what the one before gives to it alone, become one unit."""
    takers: dict[int, int] = {}
    for node in graph.nodes:
        for i in {id(v) for v in node.inputs}:
            takers[i] = takers.get(i, 0) + 1
    for v in (*graph.outputs, *(graph.training_outputs or ())):
        takers[id(v)] = takers.get(id(v), 0) + _AFTER
    units: list[list[Node]] = []
    for node in graph.nodes:
        if units and _continues(units[-1][-1], node, takers):
            units[-1].append(node)
        else:
            units.append([node])
    return [Unit(nodes) for nodes in units]


def _only_takers(graph: Graph) -> dict[int, int | None]:
    """The node that takes each value, by identities; None if several do, or the model gives it."""
    found: dict[int, int | None] = {}
    for node in graph.nodes:
        for i in {id(v) for v in node.inputs}:
            found[i] = None if i in found else id(node)
    return found | dict.fromkeys(map(id, (*graph.outputs, *(graph.training_outputs or ()))))


def _in_parallel(units: list[Unit], takers: dict[int, int | None], given: set[int]) -> list[Unit]:
    """Many equal stages that are given the same, or an input of the graph each, all for one other stage, become one unit."""
    found: list[Unit] = []
    for _, run in groupby(units, lambda unit: _place(unit, takers, given)):
        same = [*run]
        alike = len(same) >= SIDES and all(is_same_stage(same[0].nodes[0], unit.nodes[0]) for unit in same)
        found += [Unit([unit.nodes[0] for unit in same], parallel=True)] if alike else same
    return found


def _place(unit: Unit, takers: dict[int, int | None], given: set[int]) -> object:
    """Equal for units between the same stages; one that is anywhere else equals no other."""
    node = unit.nodes[0]
    taker = takers.get(id(node.outputs[0])) if len(unit.nodes) == 1 and len(node.outputs) == 1 else None
    own = tuple([0 if id(v) in given and takers.get(id(v)) is not None else id(v) for v in node.inputs])
    return id(unit) if taker is None else (taker, own)


def _continues(before: Node, node: Node, takers: dict[int, int]) -> bool:
    if not is_same_stage(before, node):
        return False
    given = {id(v) for v in node.inputs}
    made = [id(v) for v in before.outputs]
    return any(i in given for i in made) and all((takers.get(i, 0) == 1 and i in given) or takers.get(i, 0) == 0 for i in made)


def _grouped(units: list[Unit], crossing: list[int]) -> list[Unit]:
    """Groups of groups, until there are few."""
    while len(units) > MOST:
        size = max(GROUP, -(-len(units) // GROUP)) if len(units) <= GROUP * GROUP else GROUP
        cuts = _cuts(size, crossing)
        parts = [units[start:end] for start, end in pairwise(cuts)]
        units = [Unit([node for unit in part for node in unit.nodes], part) if len(part) > 1 else part[0] for part in parts]
        crossing = [crossing[cut] for cut in cuts]
    return units


def _cuts(size: int, crossing: list[int]) -> list[int]:
    """Where parts of about `size` units begin and end, of half as many to half as many more: between those that few values go between. So
    the steps of a loop that is written out stay whole."""
    cuts, end = [0], len(crossing) - 1
    while end - cuts[-1] > size + size // 2:
        wanted = cuts[-1] + size
        near = range(wanted - size // 2, wanted + size // 2 + 1)
        cuts.append(min(near, key=lambda at: (crossing[at], abs(at - wanted))))
    return [*cuts, end]


def _crossing(units: list[Unit], graph: Graph, last: dict[int, int]) -> list[int]:
    """For each position before, between and after the units, the values that are made before it, and taken there or later."""
    ends = len(units)
    changes = [0] * (ends + 1)
    made = [(-1, graph.inputs), *((position, node.outputs) for position, unit in enumerate(units) for node in unit.nodes)]
    for position, values in made:
        for v in values:
            end = last.get(id(v), -1)
            if end > position:
                changes[position + 1] += 1
                if end < ends:
                    changes[end + 1] -= 1
    return [*accumulate(changes)]


def _last_uses(graph: Graph, units: list[Unit]) -> dict[int, int]:
    """The position of the last unit that takes each value, by its identity; and that of each node, by its negated identity."""
    last: dict[int, int] = {}
    for position, unit in enumerate(units):
        last.update((-id(node), position) for node in unit.nodes)
        last.update((id(v), position) for v in unit.takes)
    last.update((id(v), _AFTER) for v in (*graph.outputs, *(graph.training_outputs or ())))
    return last
