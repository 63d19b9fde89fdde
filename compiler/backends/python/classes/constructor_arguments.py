"""Collects the arguments of a class's constructor while its bodies are merged.

In: symbols, and literals that differ between the bodies. Out: `ConstructorArgument`s, in the order of the signature. Always: one argument
for a symbol, and one for literals that are equal in every body: `conv(64)` and `dense(64)` in one body, with 32 in the other, share one.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, cast

from netc.dsl.record import replace

from ....dims import free_symbols
from ....ir.graph import Graph
from ....ir.graph_values import Value, ValueTuple
from ....ir.traced_floats import TracedFloat, has_traced_float, trace_argument
from ....types.traced_ints import Origin, has_origin, origin_key, origin_of, strip_formulas
from ..code.class_tree import StrictLiteral
from ..code.classes import ClassBody, ConstructorArgument
from ..code.python_expressions import KeywordCode, Lit, Literal
from ..identifiers import RESERVED, make_unique
from .class_symbols import find_home_graph, find_origin
from .relations import VAGUE, Relations, is_symbol


class ArgumentTable:
    def __init__(self, bodies: list[ClassBody], relations: Relations) -> None:
        self.bodies, self.relations = bodies, relations
        self.framework = bodies[0].framework
        self.given = _keep_varying([b.graph.arguments for b in bodies])
        """The parameters of the block that are no integers, and differ between the bodies."""
        self.stored: set[str] = set()
        """The names of the arguments that `forward` uses."""
        self.wide: set[str] = set()
        """The names of the arguments that are numbers of channels or features."""
        self._known: dict[object, ConstructorArgument] = {}

    # --- finding and adding ------------------------------------------------------------------------------------------------

    def get_or_add_symbol(self, name: str, origin: Origin) -> ConstructorArgument:
        """Return the argument for a symbol, or for the list that it is an item of."""
        key = name.rpartition(".")[0] if origin.index is not None else name
        if key not in self._known:
            graph: Graph = self.bodies[0].graph
            values = self._symbol_values(name, origin)
            wanted = origin.name or self.relations.choose_name(name, origin.input, origin.axis)
            # The model is made without arguments by default. A block's symbol has a default only if the spec gives one.
            default = (
                strip_formulas(values[0])
                if graph.kind == "model"
                else origin.default
                if origin.input is None
                else _default_size(origin, values)
            )
            optional = default is not None
            self._known[key] = ConstructorArgument(
                make_unique(self.framework.make_variable_name(wanted), self._list_used_names()),
                tuple(values),
                optional,
                optional,
                default,
                constant=name in self.relations.explaining_symbols,
            )
        return self._known[key]

    def _symbol_values(self, name: str, origin: Origin) -> list[Any]:
        if origin.index is not None:
            return [find_home_graph(b.graph, name).arguments[origin.name] for b in self.bodies]
        found_in = [find_origin(b.graph, name) is not None for b in self.bodies]
        # A body without the tensor of this size has a placeholder, which must not count as a value of the symbol.
        return [trace_argument(v, name) if known else v for v, known in zip(self.relations.get_values(name), found_in, strict=True)]

    def get_or_add_literals(
        self, values: Sequence[object], hint: str, keyword: KeywordCode | None, unused: Container[int], absent: Container[int]
    ) -> ConstructorArgument:
        """Return the argument with these values, except in bodies where they are `unused`. It is None in bodies where its user is
        `absent`."""
        known = next((p for p in self._known.values() if _are_equal(p.values, values, unused)), None)
        # Values with formulas may agree by chance, so only plain literals share an argument by value.
        if known is not None and not any(has_origin(v) for v in (*known.values, *values)):
            return known
        names = [n for n, arguments in self.given.items() if _are_equal(arguments, values, unused)]
        if names:
            name = hint if hint in names else names[0]
            arguments, flags = self.given[name], self.bodies[0].graph.flags
            if name in flags and all(isinstance(v, bool) for v in arguments):
                # A flag that `if`s made is left out of calls by default.
                keyword = KeywordCode(name, Lit(None), flags[name], True)
            return self.add_argument(
                # A float computed from parameters keeps its formula, which the block's own argument does not have.
                [v if has_traced_float(v) and i not in unused else g for i, (g, v) in enumerate(zip(arguments, values, strict=True))],
                name,
                keyword,
            )
        name = hint if not VAGUE.fullmatch(hint) else hint.rstrip("0123456789") or "value"
        if not absent:
            return self.add_argument(values, name, keyword)
        needed = [None if i in absent else v for i, v in enumerate(values)]
        return self.add_argument(needed, name, KeywordCode(name, Lit(None), None, True), unneeded=True)

    def has_values(self, values: Sequence[object], unused: Container[int]) -> bool:
        """Whether an argument, or a parameter of the block, has these values."""
        known = [p.values for p in self._known.values() if not any(has_origin(v) for v in p.values)]
        return any(_are_equal(arguments, values, unused) for arguments in (*known, *self.given.values()))

    def is_parameter(self, name: str, values: Sequence[object], unused: Container[int]) -> bool:
        """Whether the block's parameter of this name has the values, except in bodies where they are `unused`."""
        return name in self.given and _are_equal(self.given[name], values, unused)

    def add_argument(
        self, values: Sequence[object], name: str, keyword: KeywordCode | None = None, *, unneeded: bool = False
    ) -> ConstructorArgument:
        wanted = _make_key(values)
        if wanted not in self._known and not self._complete_argument(wanted, values, name, keyword):
            optional, default = _choose_default(keyword, values)
            literals = cast("tuple[Literal, ...]", tuple(values))
            self._known[wanted] = ConstructorArgument(
                make_unique(self.framework.make_variable_name(name), self._list_used_names()),
                literals,
                keyword is not None,
                optional,
                default,
                unneeded=unneeded,
            )
        return self._known[wanted]

    def _complete_argument(self, wanted: object, values: Sequence[object], name: str, keyword: KeywordCode | None) -> bool:
        """Give an argument of this name, known only where it was needed so far, these values everywhere. Return whether there was one."""
        known = next(((k, p) for k, p in self._known.items() if p.unneeded and p.name == self.framework.make_variable_name(name)), None)
        # It was None where it was not needed, so only the other values must agree.
        if (
            known is None
            or None in values
            or not _are_equal(known[1].values, values, {i for i, v in enumerate(known[1].values) if v is None})
        ):
            return False
        optional, default = _choose_default(keyword, values)
        completed = replace(known[1], values=tuple(values), optional=optional, default=default, unneeded=False)
        # Replaced in place, so that the order of the arguments stays.
        self._known = {wanted if k == known[0] else k: completed if k == known[0] else p for k, p in self._known.items()}
        return True

    def index_by_symbol(self) -> dict[str, ConstructorArgument]:
        """Return the arguments that are symbols, or lists of symbols, by their names in the graphs."""
        return {key: p for key, p in self._known.items() if isinstance(key, str)}

    def list_arguments(self) -> list[ConstructorArgument]:
        return list(self._known.values())

    def remove_argument(self, parameter: ConstructorArgument) -> None:
        self._known = {k: p for k, p in self._known.items() if p is not parameter}
        self._forget_name(parameter.name)

    def replace_argument(self, parameter: ConstructorArgument, replacement: ConstructorArgument) -> None:
        self._known = {k: replacement if p is parameter else p for k, p in self._known.items()}
        # `forward` may use the argument, so the replacement takes over what is known of its name.
        for names in (self.stored, self.wide):
            if parameter.name in names:
                self._forget_name(parameter.name)
                names.add(replacement.name)

    def _forget_name(self, name: str) -> None:
        self.stored.discard(name)
        self.wide.discard(name)

    def _list_used_names(self) -> set[str]:
        return {*RESERVED, *self.framework.imported, *(p.name for p in self._known.values())}

    def find_same_argument(self, values: Sequence[object]) -> str:
        """Return the name of the argument with these values by the same formulas. Empty if there is none."""
        argument = self._known.get(_make_key(values))
        return "" if argument is None else argument.name

    def find_argument_name(self, name: str) -> str:
        """Return the name of the argument for a symbol, or of the item of one. Empty if there is none."""
        if name in self._known:
            return self._known[name].name
        prefix, _, index = name.rpartition(".")
        return f"{self._known[prefix].name}[{index}]" if prefix in self._known else ""

    # --- the signature -----------------------------------------------------------------------------------------------------

    def make_signature(self) -> list[ConstructorArgument]:
        """Make the signature: sizes of the inputs, the block's parameters as the spec declares them, then others. Arguments with keywords
        and defaults come last."""
        self.wide |= self._find_features()
        graph = self.bodies[0].graph
        declared = list(graph.arguments)
        sizes = [p for key, p in self._known.items() if isinstance(key, str) and (o := find_origin(graph, key)) is not None and o.input]
        rest = [p for p in self._known.values() if p not in sizes]
        words = self.framework.widths.words
        self.wide |= {p.name for p in sizes if words.fullmatch(p.name) and len(set(map(StrictLiteral, p.values))) > 1}
        ordered = sizes + sorted(rest, key=lambda p: declared.index(p.name) if p.name in declared else len(declared))
        # `sorted` is stable: within required and optional arguments, the order above stays.
        return sorted(map(self._mark_keyword, ordered), key=lambda p: p.keyword + p.optional)

    def _mark_keyword(self, parameter: ConstructorArgument) -> ConstructorArgument:
        """Return the parameter as calls write it. Widths, and a single argument, need no keywords there."""
        explicit = len(self._known) == 1 or (parameter.name in self.wide and not parameter.optional)
        return replace(parameter, stored=parameter.name in self.stored, keyword=parameter.keyword or not explicit)

    def _find_features(self) -> set[str]:
        """Return the names of arguments that differ, and are the last axes of inputs or outputs."""
        graph = self.bodies[0].graph
        tensors = [v for v in (*graph.grouped_inputs, *graph.single_outputs) if isinstance(v, Value) and v.type.rank > 1]
        ends = (origin_of(v.type.shape[-1]) for v in tensors)
        names = {self.find_argument_name(name) for size in ends if is_symbol(size) for name in free_symbols(size)}
        return {p.name for p in self._known.values() if p.name in names and len(set(map(StrictLiteral, p.values))) > 1}


def _default_size(origin: Origin, values: Sequence[object]) -> int | None:
    """Return 0 for the size of a tuple that has no tensors in some body; None for other sizes."""
    return 0 if isinstance(origin.input, ValueTuple) and 0 in values else None


def _choose_default(keyword: KeywordCode | None, values: Sequence[object]) -> tuple[bool, Literal]:
    """Return whether an argument for these values may be left out, as in the function that it is passed to, and its default."""
    if keyword is None or not keyword.has_default:
        return False, None
    return StrictLiteral(keyword.default) in map(StrictLiteral, values), keyword.default


def _make_key(values: Sequence[object]) -> object:
    """Make a key that is equal for values that are equal in all bodies, with equal formulas."""
    return tuple((StrictLiteral(v), origin_key(v)) for v in values)


def _are_equal(arguments: Sequence[object], values: Sequence[object], unused: Container[int]) -> bool:
    """Whether the values are equal in all bodies where they are used."""
    return all(i in unused or StrictLiteral(g) == StrictLiteral(v) for i, (g, v) in enumerate(zip(arguments, values, strict=True)))


def _keep_varying(arguments: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the compile-time arguments that vary, with their values."""
    columns = {name: [a.get(name) for a in arguments] for name in arguments[0]}
    columns = {n: [strip_formulas(v) if isinstance(v, TracedFloat) else v for v in values] for n, values in columns.items()}
    return {n: values for n, values in columns.items() if all(_is_plain(v) for v in values) and len({StrictLiteral(v) for v in values}) > 1}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (int, float, str)) or (isinstance(value, tuple) and all(_is_plain(v) for v in value))
