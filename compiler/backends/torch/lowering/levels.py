"""The levels of a block that is within itself call their symbols alike, so that they can be one class.

In: copies of graphs. Out: the same graphs; the symbols of a block that calls itself, and of the graphs in it, have one name at all levels.
Always: a symbol means the same as before, in the graphs that have it and in those that call them. Blocks stay as they are that use numbers
of another level other than through parameters and sizes (by a stage that they pass on), or that take shared stages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any

from netc.dsl.record import replace

from ....dims import SymDim
from ....ir.graph import CallNode, Graph, OpNode
from ....ir.origins import moved, moved_decision, names_in, substituted
from ....ir.reals import named
from ....ir.tests import Choice, Comparison, Junction, Negation, Test
from ....ir.values import JoinedTuple, Parts, Value, ValueTuple
from ....ir.walk import around
from ...python.classes.shared import family

Places = Mapping[str, Any]
_OWNER = re.compile(r"[^.\[]*")
"""The beginning of a symbol, which its graph gives it."""


def name_alike(order: list[Graph]) -> None:
    """`order`: all graphs, called ones before their callers."""
    blocks = {family(g) for g in order if any(family(c) == family(g) for c in _called(g))}
    levels: dict[object, dict[int, list[Graph]]] = {}
    for graph in order if blocks else ():
        block = around(graph)
        if family(block) in blocks:
            levels.setdefault(family(block), {}).setdefault(id(block), []).append(graph)
    for several in levels.values():
        _name(order, list(several.values()))


def _name(order: list[Graph], levels: list[list[Graph]]) -> None:
    """The levels of one block, each with the graphs in it."""
    owners: dict[object, str] = {}
    places: list[dict[str, Any]] = []
    for graphs in levels:
        places.append({})
        for graph in graphs:
            for name, origin in graph.origins.items():
                owner = _OWNER.match(name).group()  # type: ignore[union-attr]
                known = owners.setdefault(family(graph), owner) + name[len(owner) :]
                places[-1][name] = named(origin.value, known)
    if any(_is_mixed(graph, own, places) for graphs, own in zip(levels, places, strict=True) for graph in graphs):
        return
    renamed = {id(graph): own for graphs, own in zip(levels, places, strict=True) for graph in graphs}
    for graph in order:
        _rename_calls(graph, renamed)
    for graphs, own in zip(levels, places, strict=True):
        for graph in graphs:
            _rename(graph, own)


def _is_mixed(graph: Graph, own: Places, places: Iterable[Places]) -> bool:
    """Whether something in it keeps the graph as it is."""
    if graph.modules or graph.declares:
        return True
    others = {name for place in places for name in place} - own.keys()
    return any(names_in(value) & others for value in _numbers(graph))


def _numbers(graph: Graph) -> Iterator[Any]:
    """All in which there may be symbols."""
    for node in graph.nodes:
        yield from node.op.numbers if isinstance(node, OpNode) else node.arguments.values()
        yield from (v.type.shape for v in node.outputs)
    yield from (v.type.shape for v in graph.inputs)


def _rename_calls(graph: Graph, renamed: Mapping[int, Places]) -> None:
    for node in graph.nodes:
        if isinstance(node, CallNode) and id(node.graph) in renamed:
            names = {old: next(iter(names_in(new))) for old, new in renamed[id(node.graph)].items()}
            node.arguments = {names.get(name, name): value for name, value in node.arguments.items()}


def _rename(graph: Graph, places: Places) -> None:
    twins = _Twins(graph, places)
    for node in graph.nodes:
        if isinstance(node, OpNode):
            node.op = node.op.moved(places)
            node.specs = tuple(replace(s, shape=moved(s.shape, places), init=s.init.moved(places)) for s in node.specs)
            node.parts = twins.parts(node.parts)
        else:
            node.arguments = {name: moved(value, places) for name, value in node.arguments.items()}
            node.tuples, node.tails = tuple(map(twins.parts, node.tuples)), tuple(map(twins.whole, node.tails))
        node.inputs, node.outputs = tuple(map(twins.one, node.inputs)), tuple(map(twins.one, node.outputs))
    graph.inputs, graph.outputs = list(map(twins.one, graph.inputs)), list(map(twins.one, graph.outputs))
    graph.tuples = list(map(twins.whole, graph.tuples))
    graph.tails = tuple(replace(tail, parts=twins.parts(tail.parts)) for tail in graph.tails)
    graph.arguments = {name: moved(value, places) for name, value in graph.arguments.items()}
    renamed = {name: substituted(size, places) for name, size in graph.sizes.items()}
    graph.sizes = {name: size for name, size in renamed.items() if isinstance(size, SymDim)}
    graph.decisions = dict.fromkeys(seen for d in graph.decisions if (seen := moved_decision(d, places)) is not None)
    graph.choices = [_renamed_choice(choice, places, twins) for choice in graph.choices]
    graph.count = moved(graph.count, places)
    names = {old: next(iter(names_in(new))) for old, new in places.items()}
    graph.origins = {names[n]: replace(o, value=moved(o.value, places), input=twins.taken(o.input)) for n, o in graph.origins.items()}


class _Twins:
    """The values of a graph as they are with the names: the graph that it is a copy of has the values themselves."""

    def __init__(self, graph: Graph, places: Places) -> None:
        made = [*graph.inputs, *(v for node in graph.nodes for v in node.outputs)]
        self._values = {id(v): _renamed_value(v, places) for v in made}
        self._tuples: dict[int, ValueTuple] = {}

    def one(self, value: Value) -> Value:
        return self._values.get(id(value), value)  # of an `if`, one may be gone

    def whole(self, several: ValueTuple) -> ValueTuple:
        if id(several) not in self._tuples:
            twin = self._tuples[id(several)] = copy(several)
            twin.values = tuple(map(self.one, several.values))
            if isinstance(twin, JoinedTuple) and isinstance(several, JoinedTuple):
                twin.parts = self.parts(several.parts)
        return self._tuples[id(several)]

    def parts(self, parts: Parts) -> Parts:
        return tuple(self.one(part) if isinstance(part, Value) else replace(part, of=self.whole(part.of)) for part in parts)

    def taken(self, value: Value | ValueTuple | None) -> Value | ValueTuple | None:
        return self.whole(value) if isinstance(value, ValueTuple) else value and self.one(value)


def _renamed_value(value: Value, places: Places) -> Value:
    twin = copy(value)
    twin.type = replace(value.type, shape=moved(value.type.shape, places))
    return twin


def _renamed_choice(choice: Choice, places: Places, twins: _Twins) -> Choice:
    inner = tuple(_renamed_choice(one, places, twins) for one in choice.inner)
    given, results = twins.parts(choice.given), twins.parts(choice.results)
    return replace(choice, test=_renamed_test(choice.test, places), inner=inner, given=given, results=results)


def _renamed_test(test: Test, places: Places) -> Test:
    match test:
        case Comparison(op, left, right):
            return Comparison(op, moved(left, places), moved(right, places))
        case Junction(op, left, right):
            return Junction(op, _renamed_test(left, places), _renamed_test(right, places))
        case Negation(operand):
            return Negation(_renamed_test(operand, places))
    return test


def _called(graph: Graph) -> list[Graph]:
    return [n.graph for n in graph.nodes if isinstance(n, CallNode)]
