"""Bodies of one block as one class: what differs between them becomes arguments of the constructor.

In: bodies with equal keys, so that they differ in literals only. Out: a `ClassDef` whose body has an `Argument` wherever literals differ
(the anti-unification of the bodies), and for each body the call that makes it. Always: literals that are the same everywhere stay;
literals that vary in the same way share one argument; one that varies as a compile-time argument of the block does, or as a multiple of
it, is named after that; else after what PyTorch calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from netc.dsl.record import replace

from ....dims import Dim
from ..code.classes import ClassBody, ClassDef, ClassRef, ConstructorArgument, Member, SizeSymbol, Step
from ..code.expressions import CallCode, Code, KeywordCode, Lit, Literal, TupleCode
from ..code.tree import Argument, RepeatStar, SizeArg, SizeRef, StrictLiteral, SymbolRef, has_symbol, zipped
from ..errors import MissingEmitter
from ..naming import IMPORTED, local, unique
from .literal_hints import Hints
from .sizes import axis_word

LARGEST_FACTOR = 8
"""The largest factor between two sizes that is taken for intended."""
COUNT = "depth"
"""The argument for a number of repeats, if the spec has no name for it."""


class Unifier:
    """Merges the bodies of one class."""

    def __init__(self, base: str, bodies: list[ClassBody], same: list[int]) -> None:
        """`same`: equal numbers for bodies that are one shared module, whose constructor can only be called once."""
        self.bodies, self.same = bodies, same
        self.cls = ClassDef(base, bodies)
        self.known: dict[tuple[object, ...], ConstructorArgument] = {}
        self.passed: list[list[Code]] = [list(codes) for codes in zip(*([code for _, code in b.passed] for b in bodies), strict=True)]
        """The sizes that `forward` is called with, each with its value in every body."""
        self.given = _common([b.graph.arguments for b in bodies])
        self.hints = Hints(bodies if len(bodies) > 1 else [])
        self.in_forward = False
        self.stored: set[str] = set()
        self.symbols: list[SizeSymbol] = []
        self.unused: set[int] = set()
        """The bodies in which the code that is being merged has no effect, whatever its literals are."""

    def run(self) -> ClassDef:
        if len(self.bodies) > 1:
            self._merge_bodies()
        self.cls.parameters.sort(key=lambda p: p.keyword + p.optional)
        return self.cls

    def _merge_bodies(self) -> None:
        first = self.bodies[0]
        body = ClassBody(first.graph)
        body.keyed = first.keyed
        body.names, body.outputs, body.shared_labels, body.ties = first.names, first.outputs, first.shared_labels, first.ties
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
        self.cls.parameters = [self._as_called(p) for p in self.known.values()]
        self.cls.widths = {p.name for p in self.known.values() if self.hints.is_width(p.values)}

    def _as_called(self, parameter: ConstructorArgument) -> ConstructorArgument:
        """The parameter as calls write it: widths, and a single argument, need no keywords there."""
        explicit = len(self.known) == 1 or self.hints.is_width(parameter.values)
        return replace(parameter, stored=parameter.name in self.stored, keyword=parameter.keyword or not explicit)

    def _renamed(self, symbol: SizeSymbol) -> SizeSymbol:
        """The symbol with a name that is right in all bodies."""
        shapes = [b.graph.inputs[symbol.input].type.shape for b in self.bodies]
        same = all(s[symbol.axis] == shapes[0][symbol.axis] for s in shapes)
        return symbol if same else replace(symbol, name=axis_word(shapes[0], symbol.axis))

    # --- anti-unification ------------------------------------------------------------------------------------------------

    def _merge(self, codes: list[Code], keyword: KeywordCode | None = None) -> Code:
        first = codes[0]
        if all(c is first for c in codes) and not isinstance(first, Lit):
            return first
        if isinstance(first, Lit):
            return self._merge_literals([c for c in codes if isinstance(c, Lit)], keyword)
        if isinstance(first, RepeatStar):
            return self._merge_repeats([c for c in codes if isinstance(c, RepeatStar)])
        return zipped(codes, self._merge)

    def _merge_calls(self, codes: list[CallCode]) -> CallCode:
        merged = self._merge(list(codes))
        assert isinstance(merged, CallCode)
        return merged

    def _merge_literals(self, lits: list[Lit], keyword: KeywordCode | None) -> Code:
        values = [lit.value for lit in lits]
        found = {StrictLiteral(v): lit for i, (v, lit) in enumerate(zip(values, lits, strict=True)) if i not in self.unused}
        if len(found) == 1 and not has_symbol(lits[0].value):
            return next(iter(found.values()))
        if self.in_forward and (self._conflicts(values) or any(has_symbol(v) for v in values)):
            return self._as_input_size(lits) or self._as_forward_argument(lits)
        argument = self._as_constructor_argument(values, lits[0].hint or (keyword.name if keyword else ""), keyword)
        if argument is not None:
            return argument
        sizes = {len(v) if isinstance(v, tuple) else -1 for v in values}
        assert len(sizes) == 1
        return TupleCode(tuple(self._merge_literals([Lit(v, lits[0].hint) for v in column], None) for column in zip(*values, strict=True)))

    def _merge_repeats(self, codes: list[RepeatStar]) -> Code:
        counts: list[Any] = [c.count.value if isinstance(c.count, Lit) else None for c in codes]
        idle = {i for i, count in enumerate(counts) if count == 0}
        before = self.unused
        self.unused = before | idle if len(idle) < len(codes) else before
        item = self._merge([c.item for c in codes])
        self.unused = before
        if len(set(counts)) == 1:
            return RepeatStar(item, codes[0].count)
        for name, values in self.given.items():
            offsets = {_difference(count, v) for count, v in zip(counts, values, strict=True)}
            offset = offsets.pop()
            if not offsets and offset is not None and -3 <= offset <= 1:
                return RepeatStar(item, Argument(self._parameter(values, name).name, 1, offset))
        return RepeatStar(item, Argument(self._parameter([c + 1 for c in counts], COUNT).name, 1, -1))

    def _conflicts(self, values: Sequence[object]) -> bool:
        """Whether a shared module would need two of the values."""
        found: dict[int, StrictLiteral] = {}
        return any(found.setdefault(same, StrictLiteral(v)) != StrictLiteral(v) for same, v in zip(self.same, values, strict=True))

    def _as_input_size(self, lits: list[Lit]) -> Code | None:
        """The size of an axis of an input, if the values are equal to it in all bodies, or a multiple of it."""
        for index, value in enumerate(self.bodies[0].graph.inputs):
            for axis in range(value.type.rank):
                sizes = [b.graph.inputs[index].type.shape[axis] for b in self.bodies]
                factor = _times([lit.value for lit in lits], sizes)
                if factor:
                    symbol = SizeSymbol(axis_word(value.type.shape, axis), index, axis)
                    if symbol not in self.symbols:
                        self.symbols.append(symbol)
                    text = "{0}" if factor == 1 else f"{factor} * {{0}}"
                    return SizeRef(text, (SymbolRef(self.symbols.index(symbol)),))
        return None

    def _as_forward_argument(self, lits: list[Lit]) -> Code:
        values: list[Code] = [*lits]
        if values not in self.passed:
            self.passed.append(values)
        return SizeArg(self.passed.index(values))

    # --- arguments -------------------------------------------------------------------------------------------------------

    def _as_constructor_argument(self, values: Sequence[object], hint: str, keyword: KeywordCode | None) -> Code | None:
        """An argument with these values. None for tuples that are better split."""
        if not self.in_forward and self._conflicts(values):
            raise MissingEmitter(self.cls.base, "a shared stage of it would need two different modules")
        known = next((p for p in self.known.values() if self._equal_where_used(p.values, values)), None)
        if known is not None:
            return self._use(known)
        named = [n for n, given in self.given.items() if self._equal_where_used(given, values)]
        if named:
            name = hint if hint in named else named[0]
            return self._use(self._parameter(self.given[name], name, keyword))
        multiple = self._as_multiple(values)
        if multiple is not None:
            return multiple
        if all(isinstance(v, tuple) and v for v in values) and len({len(v) for v in values if isinstance(v, tuple)}) == 1:
            return None
        return self._use(self._parameter(values, self.hints.best(values, hint, {p.name for p in self.known.values()}), keyword))

    def _equal_where_used(self, given: Sequence[object], values: Sequence[object]) -> bool:
        """Whether the values are equal in all bodies where they are used."""
        pairs = zip(given, values, strict=True)
        return all(StrictLiteral(g) == StrictLiteral(v) for i, (g, v) in enumerate(pairs) if i not in self.unused)

    def _as_multiple(self, values: Sequence[object]) -> Code | None:
        """A multiple of an existing argument, or of an argument of the block; in a constructor, of one width by another."""
        if not self.in_forward and not self.hints.is_width(values):
            return None
        for parameter in self.known.values():
            factor = self._times(values, parameter.values)
            if factor:
                return self._use(parameter, factor)
        given = [*self.given.items(), *((self.hints.best(t, ""), t) for t in self.hints.taken)]
        for name, of in given:
            factor = self._times(values, of)
            if factor:
                return self._use(self._parameter(of, name), factor)
        return None

    def _times(self, values: Sequence[object], of: Sequence[object]) -> int | None:
        """The factor between them, if it is small enough to be intended."""
        factor = _factor(values, of) if self.in_forward or self.hints.is_width(of) else None
        return factor if factor and factor <= LARGEST_FACTOR else None

    def _parameter(self, values: Sequence[object], name: str, keyword: KeywordCode | None = None) -> ConstructorArgument:
        wanted = tuple(StrictLiteral(v) for v in values)
        if wanted not in self.known:
            taken = {p.name for p in self.known.values()} | IMPORTED
            default = keyword.default if keyword is not None and keyword.has_default else None
            optional = keyword is not None and keyword.has_default and StrictLiteral(default) in wanted
            literals = cast("tuple[Literal, ...]", tuple(values))
            self.known[wanted] = ConstructorArgument(unique(local(name), taken), literals, keyword is not None, optional, default)
        return self.known[wanted]

    def _use(self, parameter: ConstructorArgument, factor: int = 1) -> Argument:
        if self.in_forward:
            self.stored.add(parameter.name)
        return Argument(parameter.name, factor)


def _common(arguments: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The compile-time arguments that vary, with their values."""
    found = {name: [a.get(name) for a in arguments] for name in arguments[0]}
    return {
        name: values for name, values in found.items() if all(_is_plain(v) for v in values) and len({StrictLiteral(v) for v in values}) > 1
    }


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (int, float, str)) or (isinstance(value, tuple) and all(_is_plain(v) for v in value))


def _factor(values: Sequence[object], of: Sequence[object]) -> int | None:
    """The k >= 2 with which all `values` are `k * of`."""
    if not all(type(v) is int and type(o) is int and o > 0 for v, o in zip(values, of, strict=True)):
        return None
    pairs = [(v, o) for v, o in zip(values, of, strict=True) if isinstance(v, int) and isinstance(o, int)]
    first, base = pairs[0]
    factor, rest = divmod(first, base)
    return factor if rest == 0 and factor >= 2 and all(v == factor * o for v, o in pairs) else None


def _times(values: Sequence[object], sizes: Sequence[Dim]) -> int | None:
    """The k with which all `values` are `k * sizes`."""
    first, base = values[0], sizes[0]
    plain = type(first) is int and type(base) is int and base > 0 and first % base == 0
    factors = [first // base] if plain else [1] if not isinstance(first, int) else []  # type: ignore[operator]
    return next(
        (k for k in factors if k and all(StrictLiteral(v) == StrictLiteral(k * s) for v, s in zip(values, sizes, strict=True))), None
    )


def _difference(a: object, b: object) -> int | None:
    return a - b if type(a) is int and type(b) is int else None


# --- making instances ------------------------------------------------------------------------------------------------------


def instance(cls: ClassDef, index: int) -> Code:
    """The call that makes the module of the class's graph number `index`."""
    positional = tuple(_value(p, index) for p in cls.parameters if not p.keyword)
    keywords = tuple(KeywordCode(p.name, _value(p, index), p.default, p.optional) for p in cls.parameters if p.keyword)
    return CallCode(ClassRef(cls), positional, keywords)


def _value(parameter: ConstructorArgument, index: int) -> Code:
    return Lit(parameter.values[index], parameter.name)
