"""Bodies of one block as one class: the block's parameters, and what differs between them, become arguments of the constructor.

In: bodies with equal keys, so that they differ in literals only. Out: a `ClassDef` whose body has a formula over its arguments wherever a
number depends on the block's parameters or on sizes of its inputs, as the spec says it does, and an `Argument` wherever other literals
differ; and for each body the call that makes it. Always: literals that are the same everywhere, and depend on nothing that may vary,
stay; a relation between two numbers is written only if the spec has it, never because the numbers agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

from netc.dsl.record import replace

from ....dims import Dim, SymDim, show, substitute, symbol, symbols
from ....ir.graph import Graph, Value
from ....ir.origins import TracedInt, free_symbols, has_origin, is_integer, is_lost, origin_of, plain
from ..code.classes import ClassBody, ClassDef, ClassRef, ConstructorArgument, Member, SizeSymbol, Step
from ..code.expressions import CallCode, Code, KeywordCode, Lit, Literal, Subscript, TupleCode
from ..code.tree import Argument, RepeatStar, SizeArg, SizeRef, StrictLiteral, SymbolRef, has_symbol, parts, zipped
from ..errors import MissingEmitter
from ..naming import IMPORTED, local, unique
from .formulas import formula_code
from .literal_hints import VAGUE, WIDTH, Hints
from .sizes import axis_word, spec_name
from .symbols import Symbols, common, home, origin, reduced

COUNT = "depth"
"""The argument for a number of repeats, if the spec has no name for it."""


class Unifier:
    """Merges the bodies of one class."""

    def __init__(self, base: str, bodies: list[ClassBody], same: list[int], known_symbols: Symbols) -> None:
        """`same`: equal numbers for bodies that are one shared module, whose constructor can only be called once."""
        self.bodies, self.same = bodies, same
        self.cls = ClassDef(base, bodies)
        self.known: dict[object, ConstructorArgument] = {}
        self.passed: list[list[Code]] = [list(codes) for codes in zip(*([code for _, code in b.passed] for b in bodies), strict=True)]
        """What `forward` is called with in addition to tensors, each with its value in every body."""
        self.given = _common([b.graph.arguments for b in bodies])
        self.hints = Hints(bodies if len(bodies) > 1 else [])
        self.free = frozenset().union(*(known_symbols.free(b.graph) for b in bodies))
        self.pinned = frozenset().union(*(known_symbols.pinned(b.graph) for b in bodies))
        self.facts = [known_symbols.known(b.graph) for b in bodies]
        self.shared_facts = common(self.facts)
        self.in_forward = False
        self.stored: set[str] = set()
        self.wide: set[str] = set()
        """The arguments that are numbers of channels or features."""
        self.wide_places: set[int] = set()
        """The literals that are passed as such to other classes, by identity."""
        self.symbols: list[SizeSymbol] = []
        self.lost: set[str] = set()
        """The symbols on which numbers depend in ways that nobody would write."""
        self.unused: set[int] = set()
        """The bodies in which the code that is being merged has no effect, whatever its literals are."""

    def run(self) -> ClassDef:
        self._merge_bodies()
        self.cls.parameters.sort(key=lambda p: p.keyword + p.optional)  # the order is otherwise that of `_ordered`
        return self.cls

    def _merge_bodies(self) -> None:
        first = self.bodies[0]
        body = ClassBody(first.graph)
        body.keyed = first.keyed
        body.names, body.roles, body.outputs = first.names, first.roles, first.outputs
        body.shared_labels, body.ties = first.shared_labels, first.ties
        body.symbols, body.passed = [self._renamed(s) for s in first.symbols], list(first.passed)
        self.symbols = body.symbols
        chains = [b.chain for b in self.bodies if b.chain is not None]
        if chains:
            body.chain = self._merge_calls(chains)
        for i, member in enumerate(first.members):
            code = self._merge([b.members[i].code for b in self.bodies])
            body.members.append(Member(member.label, member.how, code))
        self.in_forward = True
        for i, step in enumerate(first.steps):
            code = self._merge([b.steps[i].code for b in self.bodies])
            body.steps.append(Step(code, step.outputs, step.traits, step.loop))
        body.passed += [(getattr(code, "hint", "") or "size", code) for code, *_ in self.passed[len(first.passed) :]]
        self.cls.body = body
        self.cls.formula = self._shown
        self.cls.parameters = [self._as_called(p) for p in self._ordered()]
        self.cls.widths = {p.name for p in self.known.values() if self._is_width(p)}

    @cached_property
    def _inputs(self) -> list[list[Value]]:
        """For each input its tensor in all bodies; none for a tuple."""
        return [[v for v in values if isinstance(v, Value)] for values in zip(*(b.graph.takes for b in self.bodies), strict=True)]

    def _as_called(self, parameter: ConstructorArgument) -> ConstructorArgument:
        """The parameter as calls write it: widths, and a single argument, need no keywords there."""
        explicit = len(self.known) == 1 or (self._is_width(parameter) and not parameter.optional)
        return replace(parameter, stored=parameter.name in self.stored, keyword=parameter.keyword or not explicit)

    def _is_width(self, parameter: ConstructorArgument) -> bool:
        return parameter.name in self.wide or self.hints.is_width(parameter.values)

    def _ordered(self) -> list[ConstructorArgument]:
        """The arguments: sizes of the inputs, then the block's parameters as the spec declares them, then others."""
        graph = self.bodies[0].graph
        declared = list(graph.arguments)
        sizes = [p for key, p in self.known.items() if isinstance(key, str) and (o := origin(graph, key)) is not None and o.input]
        rest = [p for p in self.known.values() if p not in sizes]
        return sizes + sorted(rest, key=lambda p: declared.index(p.name) if p.name in declared else len(declared))

    def _renamed(self, symbol: SizeSymbol) -> SizeSymbol:
        """The symbol with a name that is right in all bodies."""
        shapes = [v.type.shape for v in self._inputs[symbol.input]]
        same = all(s[symbol.axis] == shapes[0][symbol.axis] for s in shapes)
        return symbol if same or symbol.given else replace(symbol, name=axis_word(shapes[0], symbol.axis))

    # --- anti-unification ------------------------------------------------------------------------------------------------

    def _merge(self, codes: list[Code], keyword: KeywordCode | None = None) -> Code:
        first = codes[0]
        if isinstance(first, Lit):
            return self._merge_literals([c for c in codes if isinstance(c, Lit)], keyword)
        if isinstance(first, RepeatStar):
            return self._merge_repeats([c for c in codes if isinstance(c, RepeatStar)])
        match first:
            case CallCode(ClassRef(cls), args):
                positional = (p for p in cls.parameters if not p.keyword)
                self.wide_places |= {id(a) for a, p in zip(args, positional, strict=True) if p.name in cls.widths}
        return zipped(codes, self._merge)

    def _merge_calls(self, codes: list[CallCode]) -> CallCode:
        merged = self._merge(list(codes))
        assert isinstance(merged, CallCode)
        return merged

    def _merge_literals(self, lits: list[Lit], keyword: KeywordCode | None) -> Code:
        values = [lit.value for lit in lits]
        hint = lits[0].hint or (keyword.name if keyword else "")
        used = [v for i, v in enumerate(values) if i not in self.unused] or values
        if any(has_origin(v) for v in used):
            found = self._formula(values, hint, keyword)
            if found is not None:
                if id(lits[0]) in self.wide_places or WIDTH.fullmatch(hint):
                    names = {p.name for p in parts(found) if isinstance(p, Argument)}
                    self.wide |= names if len(names) == 1 else set()
                return found
            if self.bodies[0].graph.kind == "model":
                return Lit(plain(used[0]), lits[0].hint) if not isinstance(used[0], tuple) else self._split(values, lits[0].hint)
        elif len({StrictLiteral(v) for v in used}) == 1 and not has_symbol(values[0]):
            return Lit(used[0], lits[0].hint)
        if self.in_forward and (self._conflicts(values) or any(has_symbol(v) for v in values)):
            return self._as_input_size(lits) or self._as_forward_argument(lits)
        argument = self._as_constructor_argument(values, hint, keyword)
        return argument if argument is not None else self._split(values, lits[0].hint)

    def _split(self, values: Sequence[Any], hint: str) -> Code:
        """Tuples, item by item."""
        assert len({len(v) if isinstance(v, tuple) else -1 for v in values}) == 1
        items = tuple(self._merge_literals([Lit(v, hint) for v in column], None) for column in zip(*values, strict=True))
        if all(isinstance(i, Lit) for i in items):
            return Lit(tuple(i.value for i in items if isinstance(i, Lit)), hint)
        return TupleCode(items)

    def _merge_repeats(self, codes: list[RepeatStar]) -> Code:
        counts: list[Any] = [c.count.value if isinstance(c.count, Lit) else None for c in codes]
        idle = {i for i, count in enumerate(counts) if count == 0}
        before = self.unused
        self.unused = before | idle if len(idle) < len(codes) else before
        item = self._merge([c.item for c in codes])
        self.unused = before
        if any(has_origin(c) for c in counts):
            found = self._formula(counts, COUNT, None)
            if found is not None:
                return RepeatStar(item, found)
        if len(set(counts)) == 1:
            return RepeatStar(item, Lit(plain(counts[0])))
        return RepeatStar(item, Argument(self._parameter([c + 1 for c in counts], COUNT).name, 1, -1))

    def _conflicts(self, values: Sequence[object]) -> bool:
        """Whether a shared module would need two of the values."""
        found: dict[int, StrictLiteral] = {}
        return any(found.setdefault(same, StrictLiteral(v)) != StrictLiteral(v) for same, v in zip(self.same, values, strict=True))

    def _as_input_size(self, lits: list[Lit]) -> Code | None:
        """The size of an axis of an input, if the values are equal to it in all bodies."""
        for index, inputs in enumerate(self._inputs):
            for axis in range(inputs[0].type.rank if inputs else 0):
                sizes = [v.type.shape[axis] for v in inputs]
                if all(StrictLiteral(lit.value) == StrictLiteral(size) for lit, size in zip(lits, sizes, strict=True)):
                    return SizeRef("{0}", (self._read(index, axis),))
        return None

    def _read(self, index: int, axis: int) -> SymbolRef:
        """The size of an axis of an input, read in `forward`."""
        value = self._inputs[index][0]
        given, word = spec_name(value, axis) or self._given_name(value, axis), axis_word(value.type.shape, axis)
        if axis == value.type.rank - 1 and axis > 0 and not value.spatial:
            word = "features"
        found = SizeSymbol(given or word, index, axis, given=bool(given))
        if found not in self.symbols:
            self.symbols.append(found)
        return SymbolRef(self.symbols.index(found))

    def _as_forward_argument(self, lits: list[Lit]) -> Code:
        values: list[Code] = [*lits]
        if values not in self.passed:
            self.passed.append(values)
        return SizeArg(self.passed.index(values))

    @cached_property
    def _named(self) -> dict[str, SymDim]:
        """The formulas that the spec gives names to, in all bodies, those in the graphs around them included."""
        found: dict[str, Dim] = {}
        at: Graph | None = self.bodies[0].graph
        while at is not None:
            found = {**at.sizes, **found}
            at = at.around if at.kind not in ("block", "model") else None
        formulas = {n: self._settled(reduced(s, self.shared_facts)) for n, s in found.items()}
        return {n: f for n, f in formulas.items() if isinstance(f, SymDim) and not _is_symbol(f)}

    # --- numbers that depend on parameters and sizes ---------------------------------------------------------------------

    def _formula(self, values: Sequence[Any], hint: str, keyword: KeywordCode | None) -> Code | None:
        """The numbers by the one formula that they have in all bodies; None if they have none, or are in lists."""
        if not all(is_integer(v) or i in self.unused for i, v in enumerate(values)):
            return None
        own = [reduced(origin_of(v), known) for v, known in zip(values, self.facts, strict=True)]
        fitting = (f for f in map(origin_of, values) if isinstance(f, SymDim) and self._fits(f, own))
        found = next(fitting, None)
        if found is None:
            return None
        if is_lost(found):
            self.lost |= free_symbols(found) & self.free
            return None
        formula = self._settled(reduced(found, self.shared_facts))
        if self.in_forward and self._conflicts(values):
            return None
        alone = hint if _is_symbol(formula) else ""
        return formula_code(formula, lambda name: self._symbol(name, alone, keyword), self._named)

    def _shown(self, values: Sequence[object]) -> str:
        """A size as a docstring has it, by the arguments that there are."""
        if not all(is_integer(v) for v in values) or not any(has_origin(v) for v in values):
            return ""
        own = [reduced(origin_of(v), known) for v, known in zip(values, self.facts, strict=True)]
        found = next((f for f in map(origin_of, values) if isinstance(f, SymDim) and self._fits(f, own)), None)
        formula = 0 if found is None else self._settled(reduced(found, self.shared_facts))
        names = {name: self._argument_name(name) for name in symbols(formula)}
        if not isinstance(formula, SymDim) or not all(names.values()):
            return ""
        return show(substitute(formula, {name: symbol(argument) for name, argument in names.items()}))

    def _argument_name(self, name: str) -> str:
        """The argument that a symbol is, or the item of one; empty if it is none."""
        if name in self.known:
            return self.known[name].name
        whole, _, index = name.rpartition(".")
        return f"{self.known[whole].name}[{index}]" if whole in self.known else ""

    def _fits(self, formula: Dim, own: Sequence[Dim]) -> bool:
        """Whether it is the formula of the numbers in all bodies, by what each knows."""
        return all(i in self.unused or reduced(formula, known) == o for i, (o, known) in enumerate(zip(own, self.facts, strict=True)))

    def _settled(self, formula: Dim) -> Dim:
        """The formula without the symbols that cannot vary."""
        values = {name: set(self._values(name)) for name in symbols(formula)}
        return reduced(formula, {n: v.pop() for n, v in values.items() if len(v) == 1 and (n not in self.free or n in self.pinned)})

    def _values(self, name: str) -> list[int]:
        """The value of a symbol in each body."""
        found = [origin(b.graph, name) for b in self.bodies]
        return [0 if f is None else f.value for f in found]

    def _symbol(self, name: str, hint: str, keyword: KeywordCode | None) -> Code:
        """The code of a symbol: an argument, an item of one, or in `forward` the size of an input's axis."""
        graph = self.bodies[0].graph
        found = origin(graph, name)
        assert found is not None
        if self.in_forward and found.input is not None:
            index = next((i for i, values in enumerate(self._inputs) if values and values[0] is found.input), None)
            if index is not None:
                return self._read(index, found.axis)
        if found.index is None:
            values: list[Any] = [TracedInt(v, symbol(name, lower=None)) for v in self._values(name)]  # type: ignore[arg-type]
        else:
            values = [home(b.graph, name).arguments[found.name] for b in self.bodies]
        key = name.rpartition(".")[0] if found.index is not None else name
        if key not in self.known:
            given = found.name or (self._given_name(found.input, found.axis) if found.input is not None else "")
            wanted = given or self._hinted(name) or self._size_name(found.input, found.axis)
            default = plain(values[0]) if graph.kind == "model" else found.default
            named = found.input is None
            self.known[key] = ConstructorArgument(
                unique(local(wanted), self._taken()), tuple(values), named and default is not None, named and default is not None, default
            )
        argument = self._use(self.known[key])
        return argument if found.index is None else Subscript(argument, (Lit(found.index),))

    def _hinted(self, name: str) -> str:
        """What PyTorch calls the places where the symbol is by itself: `features` for what is both `in_features` and `out_features`."""
        hints = {h: None for h in self._places.get(name, {}) if not VAGUE.fullmatch(h)}
        first = next(iter(hints), "")
        direction, _, width = first.partition("_")
        return width if direction in ("in", "out") and {f"in_{width}", f"out_{width}"} <= hints.keys() else first

    @cached_property
    def _places(self) -> dict[str, dict[str, None]]:
        found: dict[str, dict[str, None]] = {}
        body = self.bodies[0]
        for code in (*body.made(), *(s.code for s in body.steps)):
            for part in parts(code):
                formula = reduced(origin_of(part.value), self.shared_facts) if isinstance(part, Lit) and is_integer(part.value) else 0
                if isinstance(part, Lit) and part.hint and _is_symbol(formula):
                    found.setdefault(next(iter(symbols(formula))), {})[part.hint] = None
        return found

    def _given_name(self, value: Value, axis: int) -> str:
        """What the spec calls the size of an axis of an input, or nothing."""
        if value.axes and value.axes[axis]:
            return value.axes[axis]
        graph = self.bodies[0].graph
        wanted = origin_of(value.type.shape[axis])
        return next((name for name, size in graph.sizes.items() if size == wanted), "")

    def _size_name(self, value: Any, axis: int) -> str:
        rank = value.type.rank
        return "in_features" if axis == rank - 1 else "in_channels" if axis == 1 and rank > 2 else axis_word(value.type.shape, axis)

    def _taken(self) -> set[str]:
        return {p.name for p in self.known.values()} | IMPORTED

    # --- other arguments -------------------------------------------------------------------------------------------------

    def _as_constructor_argument(self, values: Sequence[object], hint: str, keyword: KeywordCode | None) -> Code | None:
        """An argument with these values. None for tuples that are better split."""
        if not self.in_forward and self._conflicts(values):
            raise MissingEmitter(self.cls.base, "a shared stage of it would need two different modules")
        known = next((p for p in self.known.values() if self._equal_where_used(p.values, values)), None)
        if known is not None and not any(has_origin(v) for v in (*known.values, *values)):
            return self._use(known)
        named = [n for n, given in self.given.items() if self._equal_where_used(given, values)]
        if named:
            name = hint if hint in named else named[0]
            return self._use(self._parameter(self.given[name], name, keyword))
        if all(isinstance(v, tuple) and v for v in values) and len({len(v) for v in values if isinstance(v, tuple)}) == 1:
            return None
        return self._use(self._parameter(values, self.hints.best(values, hint, {p.name for p in self.known.values()}), keyword))

    def _equal_where_used(self, given: Sequence[object], values: Sequence[object]) -> bool:
        """Whether the values are equal in all bodies where they are used."""
        pairs = zip(given, values, strict=True)
        return all(StrictLiteral(g) == StrictLiteral(v) for i, (g, v) in enumerate(pairs) if i not in self.unused)

    def _parameter(self, values: Sequence[object], name: str, keyword: KeywordCode | None = None) -> ConstructorArgument:
        wanted = tuple((StrictLiteral(v), origin_of(v)) for v in values)
        if wanted not in self.known:
            default = keyword.default if keyword is not None and keyword.has_default else None
            optional = keyword is not None and keyword.has_default and StrictLiteral(default) in [w for w, _ in wanted]
            literals = cast("tuple[Literal, ...]", tuple(values))
            self.known[wanted] = ConstructorArgument(unique(local(name), self._taken()), literals, keyword is not None, optional, default)
        return self.known[wanted]

    def _use(self, parameter: ConstructorArgument) -> Argument:
        if self.in_forward:
            self.stored.add(parameter.name)
        return Argument(parameter.name)


def _is_symbol(formula: Dim) -> bool:
    return len(symbols(formula)) == 1 and formula == symbol(next(iter(symbols(formula))), lower=None)


def _common(arguments: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The compile-time arguments that vary, with their values."""
    found = {name: [a.get(name) for a in arguments] for name in arguments[0]}
    return {
        name: values for name, values in found.items() if all(_is_plain(v) for v in values) and len({StrictLiteral(v) for v in values}) > 1
    }


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (int, float, str)) or (isinstance(value, tuple) and all(_is_plain(v) for v in value))


# --- making instances ------------------------------------------------------------------------------------------------------


def instance(cls: ClassDef, index: int) -> Code:
    """The call that makes the module of the class's graph number `index`."""
    positional = tuple(_value(p, index) for p in cls.parameters if not p.keyword)
    keywords = tuple(KeywordCode(p.name, _value(p, index), p.default, p.optional) for p in cls.parameters if p.keyword)
    return CallCode(ClassRef(cls), positional, keywords)


def _value(parameter: ConstructorArgument, index: int) -> Code:
    return Lit(parameter.values[index], parameter.name)
