"""Symbolic dimensions: the whole of what the rest of the compiler uses of them.

In: names, integers, and the conditions of `where`. Out: `Dim`s (plain ints where the value is known), and `Facts` that answer whether two
of them are equal, which is greater, what divides what. Always: two dimensions with the same normal form are equal as Python objects;
what is answered True or False holds for every allowed value of the symbols, and None means that neither could be proved.
"""

from __future__ import annotations

from .comparisons import COMPARISONS, OPPOSITE, Condition, OneOf
from .dim_algebra import fold
from .dim_bounds import bounds
from .dim_text import invert, show, to_python
from .division import maximum, minimum, ratio, substitute
from .effort import Effort, EffortSpent, limit_effort
from .evaluation import evaluate
from .exact_quotients import exact_products
from .facts import Facts
from .polynomial import Dim, SymDim, size, symbol, symbols
from .where import Declared, declare
from .where_advice import advice, advice_divides
from .where_conditions import Stated, is_met, stated_symbols

__all__ = [
    "COMPARISONS",
    "OPPOSITE",
    "Condition",
    "Declared",
    "Dim",
    "Effort",
    "EffortSpent",
    "Facts",
    "OneOf",
    "Stated",
    "SymDim",
    "advice",
    "advice_divides",
    "bounds",
    "declare",
    "evaluate",
    "exact_products",
    "fold",
    "invert",
    "is_met",
    "limit_effort",
    "maximum",
    "minimum",
    "ratio",
    "show",
    "size",
    "stated_symbols",
    "substitute",
    "symbol",
    "symbols",
    "to_python",
]
