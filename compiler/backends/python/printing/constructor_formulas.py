"""Formulas over the constructor's arguments as numbers that can be compared, counted with and written.

In: code with `Argument`s and formulas over them. Out: the same code with a `Lit` of a traced integer for each of these:
`Argument("width")` becomes an integer whose formula is `width`. Always: the formula has the arguments' texts as symbols. Its value is the
formula's for large values of the symbols, drawn from their names: equal formulas have equal values and, but for a chance of one in a
million, different formulas have different values.
"""

from __future__ import annotations

from zlib import crc32

from netc.dsl.trees import rewrite_downward

from ....dims import Dim, SymDim, evaluate_dim, free_symbols, make_symbol
from ....types.traced_ints import TracedInt
from ..code.class_tree import Argument, SizeRef
from ..code.factored_formulas import factor_formula
from ..code.python_expressions import Code, ItemCode, Lit

_LEAST = 1_000_003


def trace_numbers(code: Code) -> Code:
    return rewrite_downward(code, _trace_part)


def _trace_part(part: Code) -> Code | None:
    match part:
        case ItemCode():
            return part  # an item of a tuple stays one
        case Argument(name, factor, offset):
            return _trace_formula(make_symbol(name, lower=None) * factor + offset)
        case SizeRef(formula=SymDim() as formula):
            return _trace_formula(formula)
    return None


def _trace_formula(formula: Dim) -> Code:
    # A hash of the name, not a random number, so that the same source is emitted each time.
    values = {name: _LEAST + crc32(name.encode()) % _LEAST for name in free_symbols(formula)}
    assert isinstance(formula, SymDim)
    return Lit(TracedInt(evaluate_dim(formula, values), formula))


def format_traced(number: TracedInt) -> str:
    """Return the formula of a traced integer as it is written."""
    return factor_formula(number.origin, {name: name for name in free_symbols(number.origin)})
