"""Gives the symbols of a block that contains itself the same names at all levels, so that the levels become one class.

In: copies of graphs. Out: the same graphs; the symbols of a recursive block, and of the graphs in it, have one name at all levels: `n` of
`tree`, not `n` of the tree and `n2` of the tree in it. Always: a symbol keeps its meaning, in its graphs and in their callers. A block
stays unchanged if it takes shared stages, or uses numbers of another level other than through parameters and sizes, as a stage that it
passes on can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ....ir.graph import CallNode, Graph
from ....ir.substitute_symbols import SymbolValues, substitute_symbols, symbolic_numbers
from ....ir.traced_floats import trace_argument
from ....ir.walk import find_enclosing_block
from ....types.traced_ints import names_in
from ..classes.shared_modules import get_source_key

_OWNER = re.compile(r"[^.\[]*")
"""The beginning of a symbol, which its graph gives it."""


def unify_level_symbols(order: list[Graph]) -> None:
    """Rename the symbols. `order` has all graphs, called ones before their callers."""
    blocks = {get_source_key(g) for g in order if any(get_source_key(c) == get_source_key(g) for c in _list_called_graphs(g))}
    levels: dict[object, dict[int, list[Graph]]] = {}
    for graph in order if blocks else ():
        block = find_enclosing_block(graph)
        if get_source_key(block) in blocks:
            levels.setdefault(get_source_key(block), {}).setdefault(id(block), []).append(graph)
    for several in levels.values():
        _unify_levels(order, list(several.values()))


def _unify_levels(order: list[Graph], levels: list[list[Graph]]) -> None:
    """Rename the symbols of one block, given its levels, each with the graphs in it."""
    owners: dict[object, str] = {}
    places: list[dict[str, Any]] = []
    for graphs in levels:
        places.append({})
        for graph in graphs:
            for name, origin in graph.origins.items():
                owner = _OWNER.match(name).group()  # type: ignore[union-attr]
                known = owners.setdefault(get_source_key(graph), owner) + name[len(owner) :]
                places[-1][name] = trace_argument(origin.value, known)
    # A graph that uses numbers of another level would change its meaning with renamed symbols.
    if any(
        _must_keep_names(graph, symbol_values, places) for graphs, symbol_values in zip(levels, places, strict=True) for graph in graphs
    ):
        return
    renamed = {id(graph): symbol_values for graphs, symbol_values in zip(levels, places, strict=True) for graph in graphs}
    # Calls first: they need the old names, which the loop below replaces in the graphs themselves.
    for graph in order:
        _rename_calls(graph, renamed)
    for graphs, symbol_values in zip(levels, places, strict=True):
        for graph in graphs:
            _rename_symbols(graph, symbol_values)


def _must_keep_names(graph: Graph, symbol_values: SymbolValues, places: Iterable[SymbolValues]) -> bool:
    """Whether its symbols must keep their names."""
    if graph.modules or graph.declares:
        return True
    others = {name for place in places for name in place} - symbol_values.keys()
    return any(names_in(value) & others for value in symbolic_numbers(graph))


def _rename_calls(graph: Graph, renamed: Mapping[int, SymbolValues]) -> None:
    for node in graph.nodes:
        if isinstance(node, CallNode) and id(node.graph) in renamed:
            names = {old: next(iter(names_in(new))) for old, new in renamed[id(node.graph)].items()}
            node.arguments = {names.get(name, name): value for name, value in node.arguments.items()}


def _rename_symbols(graph: Graph, places: SymbolValues) -> None:
    substitute_symbols(graph, places)
    names = {old: next(iter(names_in(new))) for old, new in places.items()}
    graph.origins = {names[name]: origin for name, origin in graph.origins.items()}


def _list_called_graphs(graph: Graph) -> list[Graph]:
    return [n.graph for n in graph.nodes if isinstance(n, CallNode)]
