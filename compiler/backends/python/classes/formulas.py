"""Formulas over symbols as code: `4 * width`, `depths[0]`, `x.shape[-1] // self.heads`.

In: a formula, and the code of each of its symbols. Out: code. Always: a symbol by itself is its code.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ....dims import Dim, SymDim, symbols, to_python
from ....dims.polynomial import Symbol
from ..code.expressions import Code, Lit
from ..code.tree import Argument, SizeRef
from .sizes import spaced


def formula_code(formula: Dim, code_of: Callable[[str], Code]) -> Code:
    """The formula, with the code that `code_of` gives for each symbol."""
    if not isinstance(formula, SymDim):
        return Lit(formula)
    line = _line(formula)
    if line is not None:
        name, factor, offset = line
        source = code_of(name)
        if (factor, offset) == (1, 0):
            return source
        if isinstance(source, Argument):
            return Argument(source.name, factor, offset)
    names = sorted(symbols(formula))
    text = to_python(formula, {name: f"S{i}" for i, name in enumerate(names)})
    return SizeRef(spaced(re.sub(r"\bS(\d+)\b", r"{\1}", text)), tuple(code_of(name) for name in names))


def _line(formula: SymDim) -> tuple[str, int, int] | None:
    """`(s, a, b)` of `a * s + b`."""
    terms = dict(formula.terms)
    offset = terms.pop((), 0)
    if len(terms) != 1:
        return None
    ((monomial, factor),) = terms.items()
    if len(monomial) != 1 or not isinstance(monomial[0], Symbol) or factor < 1:
        return None
    return monomial[0].name, factor, offset
