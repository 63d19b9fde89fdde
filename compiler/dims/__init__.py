"""Symbolic dimensions: the interface that the rest of the compiler uses.

In: names, integers, and the conditions of `where`. Out: `Dim`s (plain ints where the value is known), and `Facts` that answer whether two
of them are equal, which is greater, what divides what. Always: two dimensions with the same normal form are equal as Python objects;
what is answered True or False holds for every allowed value of the symbols, and None means that neither could be proved.

    >>> T = make_symbol("T")
    >>> Facts(multiples=((4, T),)).divides(2, 3 * T), (4 * T + 2) // 2
    (True, 2*T + 1)
"""

from __future__ import annotations

from .comparisons import COMPARISONS, OPPOSITE, Condition, OneOf
from .dim_algebra import fold_dim
from .dim_bounds import bounds
from .dim_text import dim_to_python, format_dim, invert_linear
from .division import constant_ratio, dim_max, dim_min, substitute_symbols
from .effort import Effort, EffortSpent, limit_effort
from .evaluation import evaluate_dim
from .exact_quotients import cancel_exact_quotients
from .facts import Facts
from .polynomial import Dim, SymDim, free_symbols, make_symbol, text_size
from .where import Declared, declare_dims
from .where_advice import suggest_divisibility, suggest_equality
from .where_conditions import WhereCondition, condition_holds, condition_symbols

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
    "WhereCondition",
    "SymDim",
    "suggest_equality",
    "suggest_divisibility",
    "bounds",
    "declare_dims",
    "evaluate_dim",
    "cancel_exact_quotients",
    "fold_dim",
    "invert_linear",
    "condition_holds",
    "limit_effort",
    "dim_max",
    "dim_min",
    "constant_ratio",
    "format_dim",
    "text_size",
    "condition_symbols",
    "substitute_symbols",
    "make_symbol",
    "free_symbols",
    "dim_to_python",
]
