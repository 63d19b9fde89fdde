"""Writes formulas over symbols as code: `4 * width`, `depths[0]`, `x.shape[-1] // self.heads`.

In: a formula, the code of each of its symbols, and the formulas that the spec names. Out: code. Always: a symbol by itself is its code. A
formula that the spec names is written with the name. So is one that follows from a named formula by a factor, a divisor or a summand, or
has a named formula as a factor.

    >>> from ....dims import make_symbol
    >>> from ..printing.python_printer import print_code
    >>> width = make_symbol("width")
    >>> print_code(dim_to_code(8 * width, Argument, {}))
    '8 * width'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from netc.dsl.record import replace

from ....dims import Dim, SymDim, free_symbols, make_symbol, substitute_symbols
from ....dims.division import replace_atoms
from ....dims.polynomial import Atom, FloorQuotient, Monomial, Symbol, atoms_of, dim_from_atom
from ..code.class_tree import Argument, SizeRef
from ..code.factored_formulas import factor_formula, has_common_factor
from ..code.python_expressions import Code, Lit, Subscript

_NAMED = "@"
"""The beginning of the symbol for a named formula."""
CodeOf = Callable[[str], Code]


def dim_to_code(formula: Dim, code_of: CodeOf, named: Mapping[str, SymDim]) -> Code:
    """Convert the formula to code, with the code that `code_of` gives for each symbol."""
    if not isinstance(formula, SymDim):
        return Lit(formula)
    for name, value in named.items():
        if value == formula:
            # A formula is not written in terms of its own name.
            others = {n: v for n, v in named.items() if n != name}
            code = _symbolic_to_code(formula, code_of, others, whole=True)
            return replace(code, name=name) if isinstance(code, SizeRef) else code
    return _symbolic_to_code(formula, code_of, named)


def _symbolic_to_code(formula: SymDim, code_of: CodeOf, named: Mapping[str, SymDim], *, whole: bool = False) -> Code:
    """Convert a formula with symbols. `whole`: to a `SizeRef`, even if another form would do."""
    line = _match_linear(formula)
    if line is not None:
        name, factor, offset = line
        source = code_of(name)
        if (factor, offset) == (1, 0):
            return source
        if isinstance(source, Argument) and not whole:
            return Argument(source.name, factor, offset)
    whole_formula = formula
    formula, used = _substitute_named(formula, named)
    # A common factor reads better than a name: `heads * (ratio + 2)`.
    if len(formula.terms) > 1 and has_common_factor(whole_formula):
        formula, used = whole_formula, set()
    names = sorted(free_symbols(formula))
    text = factor_formula(formula, {name: f"{{{i}}}" for i, name in enumerate(names)})
    sources = tuple(dim_to_code(named[n[1:]], code_of, named) if n in used else code_of(n) for n in names)
    texts = {n: _get_argument_text(code_of(n)) for n in free_symbols(whole_formula)}
    shown = substitute_symbols(whole_formula, {n: make_symbol(t, lower=None) for n, t in texts.items()}) if all(texts.values()) else None
    return SizeRef(text, sources, formula=shown)


def _get_argument_text(code: Code) -> str:
    """Write an argument of the constructor, or an item of one. Empty for other code."""
    match code:
        case Argument(name, 1, 0):
            return name
        case Subscript(Argument(name, 1, 0), (Lit(int() as index),)):
            return f"{name}[{index}]"
    return ""


def _substitute_named(formula: SymDim, named: Mapping[str, SymDim]) -> tuple[SymDim, set[str]]:
    """Replace named formulas within the formula by symbols, and return these."""
    used: set[str] = set()
    # First the formula as one step from a name, then names inside it: `hidden // 2` before `hidden` within a sum.
    for way in (_derive_from, _replace_within):
        for name, value in named.items():
            for substituted in way(formula, value, make_symbol(_NAMED + name, lower=None)):
                if isinstance(substituted, SymDim) and substituted != formula:
                    formula = substituted
                    used.add(_NAMED + name)
                    break
    return formula, used & free_symbols(formula)


def _derive_from(formula: SymDim, value: SymDim, name: Dim) -> Iterator[Dim]:
    """Yield the formula in terms of a name for `value`, if it follows from `value` by a simple operation."""
    difference = formula - value
    if isinstance(difference, int):
        yield name + difference
    for number in _collect_numbers(formula):
        if formula == value * number:
            yield name * number
        if formula == value // number:
            yield name // number
    if formula == value * value:
        yield name * name


def _replace_within(formula: SymDim, value: SymDim, name: Dim) -> Iterator[Dim]:
    """Yield the formula in terms of a name for `value`, if `value` is a part or a factor of it."""
    atom, offset = _split_atom(value)
    if atom is not None and any(atom in monomial for monomial in formula.terms):
        yield replace_atoms(formula, {atom: name - offset})
    if len(value.terms) == 1:
        yield _replace_product(formula, *next(iter(value.terms.items())), name)


def _split_atom(value: SymDim) -> tuple[Atom | None, int]:
    """Return `(a, b)` for a formula `a + b` whose atom `a` is no symbol."""
    terms = dict(value.terms)
    offset = terms.pop((), 0)
    if len(terms) != 1:
        return None, 0
    ((monomial, factor),) = terms.items()
    return (monomial[0], offset) if factor == 1 and len(monomial) == 1 and not isinstance(monomial[0], Symbol) else (None, 0)


def _replace_product(formula: SymDim, divisor: Monomial, factor: int, name: Dim) -> Dim:
    """Write a name for a product of several symbols, as often as the product is in each term."""
    if len(divisor) < 2 or factor != 1:
        return formula
    total: Dim = 0
    for monomial, number in formula.terms.items():
        rest, part = Counter(monomial), number + (0 * name)
        # As long as the rest has every factor of the divisor.
        while not Counter(divisor) - rest:
            rest -= Counter(divisor)
            part = part * name
        for atom in rest.elements():
            part = part * dim_from_atom(atom)
        total = total + part
    return total


def _collect_numbers(formula: SymDim) -> set[int]:
    """Collect the factors and divisors in a formula."""
    numbers = {abs(c) for c in formula.terms.values()}
    numbers |= {a.bottom for a in atoms_of(formula) if isinstance(a, FloorQuotient) and isinstance(a.bottom, int)}
    return {n for n in numbers if n > 1}


def _match_linear(formula: SymDim) -> tuple[str, int, int] | None:
    """Return `(s, a, b)` for `a * s + b`."""
    terms = dict(formula.terms)
    offset = terms.pop((), 0)
    if len(terms) != 1:
        return None
    ((monomial, factor),) = terms.items()
    if len(monomial) != 1 or not isinstance(monomial[0], Symbol) or factor < 1:
        return None
    return monomial[0].name, factor, offset
