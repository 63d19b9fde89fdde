"""Decides which symbols of graphs may vary in the emitted classes, and which follow from others.

In: the graphs of a program, with the origins and decisions that the elaborator recorded. Out: for each graph the symbols that callers may
set, and the substitutions that its decisions demand (`in.channels == 4 * width`: one symbol is enough). Always: a symbol of the model is
no argument if anything but its value depends on it. It keeps the value that it was compiled for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netc.dsl.record import replace

from ....dims import Dim, SymDim, free_symbols, substitute_symbols
from ....dims.polynomial import Symbol, dim_from_terms
from ....ir.graph import CallNode, Graph
from ....types.traced_ints import (
    DIVIDES,
    IS,
    Decision,
    Origin,
    TracedInt,
    always_holds,
    formula_symbols,
    leaves_in,
    origin_of,
    substitute_decision,
)
from .channel_axes import ChannelAxes

Known = Mapping[str, Dim]
"""Symbols in terms of others."""


class ClassSymbols:
    def __init__(self, main: Graph, order: Sequence[Graph], pinned: Iterable[Graph] = (), fixed: Iterable[str] = ()) -> None:
        """`order`: all graphs, called ones before their callers. `pinned`: graphs whose number of iterations cannot vary. `fixed`: symbols
        of the model that cannot vary."""
        self._main = main
        self.channels = ChannelAxes(main)
        self._extra = _spread_count_decisions(order, pinned)
        self._free: dict[int, frozenset[str]] = {}
        self._known: dict[int, Known] = {}
        needed = [*main.decisions, *self._extra.get(id(main), ())]
        settled = _find_fixed_symbols(needed, list(main.origins)) | frozenset(fixed)
        # A list argument is passed as one: if one of its items is fixed, all of them are.
        lists = {origin.name for name, origin in main.origins.items() if name in settled and origin.index is not None}
        settled |= {name for name, origin in main.origins.items() if origin.name in lists}
        self._settled = {name: origin.value for name, origin in main.origins.items() if name in settled}
        self._free[id(main)] = frozenset(main.origins.keys() - settled)
        # Callers first: what is free in a graph depends on what is free where it is called.
        for caller in reversed(order):
            self._pass_free_symbols(caller)

    def _pass_free_symbols(self, caller: Graph) -> None:
        """Pass the free symbols of a graph on to the graphs that it calls. The parameters of a block are always free."""
        free_in_caller = self._free.get(id(caller), frozenset())
        for node in {id(n): n for n in caller.nodes if isinstance(n, CallNode)}.values():
            called = node.graph
            free_in_called = {name for name, origin in called.origins.items() if origin.input is None}
            free_in_called |= {
                name
                for name, argument in node.arguments.items()
                if any(free_symbols(leaf.origin) & free_in_caller for leaf in leaves_in(argument))
            }
            self._free[id(called)] = self._free.get(id(called), frozenset()) | free_in_caller | free_in_called

    def get_free_symbols(self, graph: Graph) -> frozenset[str]:
        """Return the symbols that may have other values than the compiled ones."""
        free = self._free.get(id(graph))
        if free is None:
            # A graph that only a loop or branch around it contains has the symbols of that graph.
            return self.get_free_symbols(graph.around) if graph.around is not None else frozenset()
        return free

    def get_known_symbols(self, graph: Graph) -> Known:
        """Return the symbols of a graph that follow from others, by its decisions."""
        if id(graph) not in self._known:
            settled: Known = self._settled if graph is self._main else {}
            settled = {**settled, **{n: o.value.origin for n, o in graph.origins.items() if isinstance(o.value, TracedInt)}}
            self._known[id(graph)] = _solve_equalities([*graph.decisions, *self._extra.get(id(graph), ())], settled, list(graph.origins))
        return self._known[id(graph)]

    def find_multiples(self, graph: Graph) -> frozenset[tuple[Dim, Dim]]:
        """Return the pairs of sizes of which one divides the other, by the decisions of a graph."""
        known = self.get_known_symbols(graph)
        return frozenset((substitute_known(d.left, known), substitute_known(d.right, known)) for d in graph.decisions if d.op == DIVIDES)

    def find_pinned_symbols(self, graph: Graph) -> frozenset[str]:
        """Return the symbols in equalities that cannot be solved, because a float was made from them, or because they are a label."""
        known = self.get_known_symbols(graph)
        equal = (substitute_known(decision.left - decision.right, known) for decision in graph.decisions if decision.op == "==")
        used = (decision.left for decision in graph.decisions if decision.op == IS)
        return frozenset().union(*map(formula_symbols, (*equal, *used)))


def find_origin(graph: Graph, name: str) -> Origin | None:
    """Return the origin of a symbol, in the graph or in the graphs around it."""
    current: Graph | None = graph
    while current is not None:
        if name in current.origins:
            return current.origins[name]
        current = current.around
    return None


def find_home_graph(graph: Graph, name: str) -> Graph:
    """Return the graph in which the symbol originates."""
    current = graph
    while name not in current.origins and current.around is not None:
        current = current.around
    return current


def substitute_known(formula: Dim, known: Known) -> Dim:
    """Substitute known formulas for symbols."""
    return substitute_symbols(formula, known) if known and free_symbols(formula) & known.keys() else formula


def intersect_known(several: Sequence[Known]) -> Known:
    """Return the symbols that have the same formula in all of these."""
    first, *others = several
    return {name: value for name, value in first.items() if all(name in k and k[name] == value for k in others)}


def _spread_count_decisions(order: Sequence[Graph], pinned: Iterable[Graph]) -> dict[int, list[Decision]]:
    """Make decisions that keep the counts of some graphs, in those graphs and in all graphs that call them."""
    decisions: dict[int, list[Decision]] = {}
    for graph in pinned:
        if graph.count is not None and isinstance(origin_of(graph.count), SymDim):
            decisions.setdefault(id(graph), []).append(Decision("==", origin_of(graph.count), int(graph.count)))
    if not decisions:
        return {}
    for caller in order:
        for node in caller.nodes:
            if isinstance(node, CallNode):
                for decision in decisions.get(id(node.graph), ()):
                    seen = substitute_decision(decision, node.arguments)
                    if seen is not None and seen not in decisions.setdefault(id(caller), []):
                        decisions[id(caller)].append(seen)
    return decisions


def _find_fixed_symbols(decisions: Sequence[Decision], order: list[str]) -> frozenset[str]:
    """Return the symbols on which the decisions depend. An equality that follows from others fixes nothing. Neither does a divisibility,
    which is checked again when the class is used."""
    known = _solve_equalities(decisions, {}, order)
    symbols = {n for name, value in known.items() for n in (name, *free_symbols(value))}
    for decision in (d for d in decisions if d.op != DIVIDES):
        remaining = replace(decision, left=substitute_known(decision.left, known), right=substitute_known(decision.right, known))
        if not always_holds(remaining):
            symbols |= formula_symbols(remaining.left) | formula_symbols(remaining.right)
    return frozenset(symbols)


def _solve_equalities(decisions: Iterable[Decision], settled: Known, order: list[str]) -> Known:
    """Solve each equality among the decisions for one symbol: preferably the size of an input, or the symbol declared last."""
    known: dict[str, Dim] = dict(settled)
    for decision in decisions:
        difference = substitute_known(decision.left - decision.right, known) if decision.op == "==" else 0
        if not isinstance(difference, SymDim):
            continue
        solution = _solve_for_symbol(difference, order)
        if solution is not None:
            name, value = solution
            # The formulas so far may contain the symbol: without the substitution, two symbols could define each other.
            known = {n: substitute_symbols(v, {name: value}) for n, v in known.items()} | {name: value}
    return known


def _solve_for_symbol(difference: SymDim, order: list[str]) -> tuple[str, Dim] | None:
    """Return `(name, value)` with which the difference is zero, or None."""
    linear = []
    for monomial, factor in difference.terms.items():
        # Only a factor of 1 or -1 can be solved for an integer without dividing.
        if len(monomial) == 1 and isinstance(monomial[0], Symbol) and factor in (1, -1):
            rest = dim_from_terms({m: c for m, c in difference.terms.items() if m != monomial})
            if monomial[0].name not in free_symbols(rest):
                linear.append((monomial[0].name, -rest * factor))

    def preference(pair: tuple[str, Dim]) -> tuple[object, ...]:
        name, value = pair
        return ("[" not in name, -len(free_symbols(value)), -order.index(name) if name in order else 0, name)

    # An item of a list is the last choice, then the simplest value: `width` of `4 * width`, rather than the reverse.
    return min(linear, key=preference, default=None)
