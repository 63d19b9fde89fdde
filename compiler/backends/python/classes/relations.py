"""Finds the formulas of numbers in the bodies of one class.

In: bodies, the symbols that may vary, and the decisions of their graphs. Out: the one formula that a number has in all bodies, and the
names of its symbols in the spec and the framework: 64 in one body and 128 in the other is `2 * width`. Always: a formula is written in the
spec, or follows from it by decisions of every body. No relation is found by comparing numbers.

    >>> drop_direction("in_features", {"in_features"}), drop_direction("in_features", {"in_features", "out_features"})
    ('in_features', 'features')
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from typing import Any

from netc.dsl.trees import walk_tree

from ....dims import Dim, Facts, SymDim, cancel_exact_quotients, free_symbols, make_symbol
from ....dims.polynomial import Symbol
from ....ir.graph import Graph
from ....ir.graph_values import JoinedTuple, Value, ValueTuple
from ....ir.traced_floats import FloatSymbol
from ....types.traced_ints import Origin, is_integer, is_opaque, names_in, origin_of, strip_formulas
from ..code.class_tree import StrictLiteral
from ..code.classes import ClassBody
from ..code.python_expressions import Lit
from ..identifiers import singularize
from ..unsupported_python import UnknownSymbol
from .class_symbols import ClassSymbols, find_origin, intersect_known, substitute_known
from .forward_sizes import choose_axis_word, get_spec_axis_name

EXPLAINED = 3
"""The number of formulas over a fixed parameter, other than sums and multiples, that give it a name in the class."""
VAGUE = re.compile(r"(size|value)?\d*")
"""Names without meaning."""


class Relations:
    def __init__(self, bodies: list[ClassBody], program: ClassSymbols) -> None:
        self.bodies = bodies
        self.graph = bodies[0].graph
        self.fixed_symbols: set[str] = set()
        """The symbols that numbers depend on through formulas that nobody would write."""
        self._channels = program.channels
        self._free = frozenset().union(*(program.get_free_symbols(b.graph) for b in bodies))
        self._pinned = frozenset().union(*(program.find_pinned_symbols(b.graph) for b in bodies))
        self._known = [program.get_known_symbols(b.graph) for b in bodies]
        self._common = intersect_known(self._known)
        self._multiples = Facts(multiples=tuple(frozenset.intersection(*(program.find_multiples(b.graph) for b in bodies))))

    @property
    def is_pinned(self) -> bool:
        """Whether numbers in some bodies hold only for the bodies' values of the symbols."""
        return bool(self._pinned)

    # --- formulas ----------------------------------------------------------------------------------------------------------

    def find_formula(self, values: Sequence[Any], unused: Container[int] = ()) -> Dim | None:
        """Find the formula of the numbers in all bodies, except the `unused` ones. None if there is none."""
        formulas = [substitute_known(origin_of(v), known) for v, known in zip(values, self._known, strict=True)]
        candidates = (f for f in map(origin_of, values) if isinstance(f, SymDim))
        formula = next((f for f in candidates if self._fits_all(f, formulas, unused)), None)
        if formula is None:
            return None
        # An opaque formula cannot be written as Python, so the number must stay, and its symbols with it.
        if is_opaque(formula):
            self.fix_symbols(values)
            return None
        return self.substitute_fixed(formula)

    def fix_symbols(self, values: Sequence[Any]) -> None:
        """Fix the symbols of numbers that are written as literals: they can no longer vary."""
        self.fixed_symbols |= names_in(tuple(values)) & self._free

    def _fits_all(self, formula: Dim, sizes: Sequence[Dim], unused: Container[int]) -> bool:
        """Whether it is the formula of the numbers in all bodies, by the knowledge of each."""
        return all(
            i in unused or substitute_known(formula, known) == o for i, (o, known) in enumerate(zip(sizes, self._known, strict=True))
        )

    def substitute_fixed(self, formula: Dim) -> Dim:
        """Remove the symbols that follow from others, or cannot vary, from the formula."""
        # A symbol that the decisions of every body determine needs no argument.
        formula = substitute_known(formula, self._common)
        values = {name: self.find_fixed_value(name) for name in free_symbols(formula)}
        formula = substitute_known(formula, {name: value for name, value in values.items() if value is not None})
        # `heads * (features // heads)` is `features` where the spec demands that it divides.
        return cancel_exact_quotients(formula, self._multiples)

    def find_fixed_value(self, name: str) -> Any:
        """Return the value of a symbol that cannot vary and is the same in all bodies. None for others, and for one that explains
        numbers."""
        # It depends on the branch, so no one value is right.
        if self.find_joined_sizes(name):
            return None
        fixed = (name not in self._free or name in self._pinned) and name not in self.explaining_symbols
        return self.get_values(name)[0] if fixed and self._is_same(name) else None

    def find_joined_sizes(self, name: str) -> list[Origin | None]:
        """Return the sizes of a tuple that an `if` gives, in the bodies that have the `if`. Empty for the size of anything else."""
        origins = [b.graph.origins.get(name) for b in self.bodies]
        return origins if any(origin is not None and isinstance(origin.input, JoinedTuple) for origin in origins) else []

    def _is_same(self, name: str) -> bool:
        return len(set(self.get_values(name))) == 1

    @cached_property
    def explaining_symbols(self) -> set[str]:
        """The parameters of the block that cannot vary, but from which several of its numbers are computed. Nobody would recognize 49, 169
        and 2401 as results of a `window` of 7, so such parameters are constants with a name."""
        formulas_by_symbol: dict[str, set[Dim]] = {}
        for formula in self._iterate_formulas():
            for name in free_symbols(formula):
                formulas_by_symbol.setdefault(name, set()).add(formula)
        several = {name for name, formulas in formulas_by_symbol.items() if len(formulas) >= EXPLAINED and name in self.graph.origins}
        own_symbols = {name for name in several if self.graph.origins[name].name and self.graph.origins[name].index is None}
        return {name for name in own_symbols if (name not in self._free or name in self._pinned) and self._is_same(name)}

    def _iterate_formulas(self) -> Iterator[SymDim]:
        """Iterate over the formulas of the body's numbers, except multiples of a single symbol."""
        for code in (*self.bodies[0].list_constructor_code(), *(step.code for step in self.bodies[0].steps)):
            for part in walk_tree(code):
                formula = origin_of(part.value) if isinstance(part, Lit) and is_integer(part.value) else 0
                # A multiple of one symbol, such as `4 * dim`, is recognized without a name.
                if isinstance(formula, SymDim) and any(len(m) > 1 or not isinstance(m[0], Symbol) for m in formula.terms if m):
                    yield formula

    def strip_pinned(self, value: Any) -> Any:
        """Return the value, without its formula if it is a parameter that is also used as a fixed number."""
        return strip_formulas(value) if isinstance(value, FloatSymbol) and value.name in self._pinned else value

    def get_values(self, name: str) -> list[Any]:
        """Return the value of a symbol in each body, and 0 for a body without the tensor whose size it is. Raises `UnknownSymbol` if no
        body has a value: a made-up number would be a silent error in the emitted code."""
        if not self.is_known(name):
            raise UnknownSymbol(name, self.graph)
        return [0 if origin is None else origin.value for origin in self._find_origins(name)]

    def is_known(self, name: str) -> bool:
        """Whether a symbol has a value in each body."""
        origins = self._find_origins(name)
        return None not in origins or any(origin is not None and origin.input is not None for origin in origins)

    def _find_origins(self, name: str) -> list[Origin | None]:
        return [find_origin(b.graph, name) for b in self.bodies]

    def _has_origin_in_some_body(self, name: str) -> bool:
        """Whether some body has a value for the symbol. Sizes that are known only at run time have none."""
        return any(origin is not None for origin in self._find_origins(name))

    # --- names -------------------------------------------------------------------------------------------------------------

    @cached_property
    def named_formulas(self) -> dict[str, SymDim]:
        """The formulas that the spec names, in this graph and the graphs around it within the block, except sizes known only at run
        time."""
        sizes: dict[str, Dim] = {}
        graph: Graph | None = self.graph
        while graph is not None:
            sizes = {**graph.sizes, **sizes}
            # A sequence or a loop sees the sizes of the block around it; another block has its own.
            graph = graph.around if graph.kind not in ("block", "model") else None
        formulas = {n: self.substitute_fixed(s) for n, s in sizes.items() if all(map(self._has_origin_in_some_body, free_symbols(s)))}
        return {n: f for n, f in formulas.items() if isinstance(f, SymDim) and not is_symbol(f)}

    def choose_name(self, symbol_name: str, value: Value | ValueTuple, axis: int) -> str:
        """Choose the name for a symbol that is the size of an input's axis: the spec's, or else the framework's. For a tuple, a sum's
        name."""
        if isinstance(value, ValueTuple):
            return self._choose_tuple_name(symbol_name, value, axis)
        word = self._choose_axis_word(value, axis)
        return self.find_given_name(value, axis) or self._drop_direction(self._find_hint(symbol_name) or word, symbol_name, value, axis)

    def _choose_tuple_name(self, symbol_name: str, sequence: ValueTuple, axis: int) -> str:
        """Return `other_channels` for the sum of the channels of the tensors in `others`."""
        # A body without the tensor has no tuple, so any of the others tells what it is.
        several = (None if o is None else o.input for o in (find_origin(b.graph, symbol_name) for b in self.bodies))
        first = next(v for item in several if isinstance(item, ValueTuple) for v in item.values)
        return f"{singularize(sequence.name) or 'tuple'}_{self._choose_axis_word(first, axis).removeprefix('in_')}"

    def _choose_axis_word(self, value: Value, axis: int) -> str:
        """Return the framework's word for the size of an axis."""
        words = self.bodies[0].framework.widths
        last = words.in_features if axis == value.type.rank - 1 and not self.is_spatial(value) else ""
        return (words.in_channels if axis == 1 and self.is_spatial(value) else last) or choose_axis_word(value.type.shape, axis)

    def is_spatial(self, value: Value) -> bool:
        """Whether the channels of an input or output are its second axis."""
        return value.spatial or (value.type.rank > 2 and self._channels.get_channels(value) == "first")

    def find_output_word(self, values: Sequence[object], unused: Container[int]) -> str:
        """Return the framework's word for the axis of an output whose size the numbers are in all bodies; empty if there is none."""
        words = self.bodies[0].framework.widths
        for position, first in enumerate(
            self.graph.single_outputs if all(len(b.graph.single_outputs) == len(self.graph.single_outputs) for b in self.bodies) else ()
        ):
            axis, word = (1, words.out_channels) if self.is_spatial(first) else (first.type.rank - 1, words.out_features)
            shapes = [b.graph.single_outputs[position].type.shape for b in self.bodies]
            if axis > 0 and all(
                i in unused or (len(s) > axis and StrictLiteral(v) == StrictLiteral(s[axis]))
                for i, (v, s) in enumerate(zip(values, shapes, strict=True))
            ):
                return word
        return ""

    def _drop_direction(self, word: str, symbol_name: str, value: Value, axis: int) -> str:
        """Return `features` for `in_features` if an output has the same number of features."""
        # `features` may be another argument of the spec.
        own_names = {name for name, origin in self.graph.origins.items() if origin.name} | set(self.graph.arguments)
        same = any(
            v.type.rank == value.type.rank and origin_of(v.type.shape[axis]) == make_symbol(symbol_name, lower=None)
            for v in self.graph.single_outputs
        )
        width = word.removeprefix("in_")
        return width if same and width not in own_names else word

    def find_given_name(self, value: Value, axis: int) -> str:
        """Return the spec's name for the size of an input's axis, or nothing. A letter, as in `[N, T, D]`, is no name for an argument."""
        wanted = origin_of(value.type.shape[axis])
        names = (get_spec_axis_name(value, axis), *(name for name, size in self.graph.sizes.items() if size == wanted))
        return next((name for name in names if len(name) > 1), "")

    def _find_hint(self, name: str) -> str:
        """Return the framework's word where the symbol alone is an argument: `features` for both `in_features` and `out_features`."""
        hints = {h: None for h in self._symbol_hints.get(name, {}) if not VAGUE.fullmatch(h)}
        first = next(iter(hints), "")
        words = self.bodies[0].framework.widths
        inputs = (words.in_channels, words.in_features)
        if all(first != word.removeprefix("in_") for word in inputs):
            first = next((word for word in inputs if word in hints), first)  # clearer than what a normalization calls it
        return drop_direction(first, hints)

    @cached_property
    def _symbol_hints(self) -> dict[str, dict[str, None]]:
        hints: dict[str, dict[str, None]] = {}
        body = self.bodies[0]
        for code in (*body.list_constructor_code(), *(s.code for s in body.steps)):
            for part in walk_tree(code):
                formula = substitute_known(origin_of(part.value), self._common) if isinstance(part, Lit) and is_integer(part.value) else 0
                if isinstance(part, Lit) and part.hint and is_symbol(formula):
                    hints.setdefault(next(iter(free_symbols(formula))), {})[part.hint] = None
        return hints


def drop_direction(name: str, names: Container[str]) -> str:
    """Return `features` for `in_features` if the names include `out_features` as well."""
    direction, _, width = name.partition("_")
    return width if direction in ("in", "out") and f"in_{width}" in names and f"out_{width}" in names else name


def is_symbol(formula: Dim) -> bool:
    return len(free_symbols(formula)) == 1 and formula == make_symbol(next(iter(free_symbols(formula))), lower=None)
