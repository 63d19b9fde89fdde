"""Blocks that contain themselves: one class, whose constructor makes itself with other arguments.

In: the graphs of a program, and the arguments that their classes turned out to take. Out: for the graphs of a block that calls itself, the
call of its own class. Always: a class must be known before code that uses it is written, so a call of the class itself is written with
assumed arguments. If the class takes others, these are assumed instead, and everything is written again. A block whose levels do not
become one class has a class for each level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl.record import replace

from ....ir.graph import CallNode, Graph
from ....ir.traced_floats import trace_argument
from ..classes.passed_on import make_passed_keywords
from ..classes.shared_modules import get_source_key
from ..classes.unify import Unifier
from ..code.classes import ClassDef, ClassRef
from ..code.python_expressions import CallCode, Code, KeywordCode, Lit
from .containers import Construction


class WrongAssumption(Exception):
    """Calls were written with other arguments than the class takes."""


class RecursiveClasses:
    def __init__(self) -> None:
        self._assumed: dict[object, frozenset[str]] = {}
        """By block, the parameters and sizes of inputs that its class takes."""
        self._apart: set[object] = set()
        """The blocks that have a class for each level."""

    def find_outermost(self, order: Sequence[Graph]) -> list[Graph]:
        """Return a graph for each block that becomes one class that makes itself. `order`: all graphs, called ones before their
        callers."""
        direct = {
            get_source_key(g)
            for g in order
            if g.kind == "block" and any(get_source_key(c) == get_source_key(g) for c in _list_called_graphs(g))
        } - self._apart
        reached: dict[int, frozenset[object]] = {}
        for graph in order if direct else ():
            key = get_source_key(graph)
            inside = [reached[id(c)] - ({key} if get_source_key(c) == key else set()) for c in _list_called_graphs(graph)]
            below = frozenset().union(*inside)
            direct -= below & {key}  # recursion by way of another graph: its class would have to come before and after this one
            reached[id(graph)] = below | (frozenset({key}) & direct)
        passing = {get_source_key(g) for g in order if g.modules or g.declares}
        return list({get_source_key(g): g for g in order if get_source_key(g) in direct - passing}.values())

    def make_call(self, graph: Graph, cls: ClassDef) -> Construction:
        """Make the module of the graph by its own class, which is not known yet: `cls` is its placeholder."""
        keys = sorted(self._assumed.get(get_source_key(graph), ()))
        keywords = tuple(KeywordCode(key, Lit(_get_argument(graph, key))) for key in keys if key in graph.origins or key in graph.arguments)
        return Construction("class", CallCode(ClassRef(cls), (), keywords))

    def split_levels(self, block: object) -> None:
        """Give the levels of the block classes of their own, because they do not become one class."""
        # Remembered across builds: the next one gives each level a class of its own.
        self._apart.add(block)
        raise WrongAssumption

    def close_recursion(self, unifier: Unifier, stand_in: ClassDef) -> None:
        """Write the calls of the class within it, once its arguments are known."""
        cls, block = unifier.cls, get_source_key(unifier.cls.graphs[0])
        keys = {p.name: key for key, p in unifier.arguments.index_by_symbol().items()}
        keys |= {p.name: p.name for p in cls.parameters if p.name not in keys and p.name in cls.graphs[0].arguments}
        if unifier.passed or any(p.name not in keys for p in cls.parameters):
            self.split_levels(block)
        needed = frozenset(keys[p.name] for p in cls.parameters)
        # Assumptions only grow, so the writer starts again at most once for each argument.
        if not needed <= self._assumed.get(block, frozenset()):
            self._assumed[block] = needed | self._assumed.get(block, frozenset())
            raise WrongAssumption

        def change(part: Code) -> Code | None:
            match part:
                case CallCode(ClassRef(called), (), kwargs) if called is stand_in:
                    values = {k.name: k.value for k in kwargs}
                    positional = tuple(values[keys[p.name]] for p in cls.parameters if not p.keyword)
                    keywords = tuple(KeywordCode(p.name, values[keys[p.name]], p.default, p.optional) for p in cls.parameters if p.keyword)
                    return replace(part, function=ClassRef(cls), args=positional, kwargs=(*keywords, *make_passed_keywords(cls.body)))
            return None

        cls.body.rewrite_code(change)


def _list_called_graphs(graph: Graph) -> list[Graph]:
    return [n.graph for n in graph.nodes if isinstance(n, CallNode)]


def _get_argument(graph: Graph, key: str) -> Any:
    """Return the value of a symbol or a parameter in the graph."""
    if key not in graph.origins:
        return graph.arguments[key]
    return trace_argument(graph.origins[key].value, key)
