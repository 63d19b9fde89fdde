"""The compile-time functions that the language provides: `min`, `len`, `range`, `sqrt` and so on.

A function takes plain values and raises `_InvalidArgument` for wrong ones; `call_builtin` turns that into a `Failure` with the span of the
call, so that the functions themselves know nothing about texts.

    >>> BUILTINS["enumerate"].function((5, 6)), BUILTINS["ceil"].function(2.5)
    (((0, 5), (1, 6)), 3)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import Dim, SymDim, dim_max, dim_min
from ..errors.argument_errors import FewArguments, TooManyArguments, UnknownArgument
from ..errors.value_errors import FunctionTakes, NoValue
from ..ir.traced_floats import has_traced_float, trace_float
from ..types.traced_ints import has_origin, strip_formulas
from .decisions import Decisions
from .resource_limits import check_dimension, check_list
from .scopes.early_exits import Failure
from .scopes.value_text import format_value


class Builtin(Record):
    """A function, the least and greatest number of its arguments (None: no limit), and what they must be."""

    function: Callable[..., Any]
    min_arguments: int
    max_arguments: int | None
    expects: str


class _InvalidArgument(Exception):
    pass


_MAX_DIGITS = 2000


def _require_numbers(values: Sequence[Any]) -> list[Any]:
    items = list(values[0]) if len(values) == 1 and isinstance(values[0], tuple) else list(values)
    if not items or any(isinstance(v, bool) or not isinstance(v, (int, float, SymDim)) for v in items):
        raise _InvalidArgument
    return items


def _make_extreme(symbolic: Callable[..., Dim], plain: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    def function(*values: Any) -> Any:
        items = _require_numbers(values)
        if any(isinstance(v, SymDim) for v in items):
            # A dimension is an integer that is not known yet: a float among its bounds would make it neither.
            if any(isinstance(v, float) for v in items):
                raise _InvalidArgument
            return symbolic(*items)
        return plain(items)

    return function


def _sum_values(*values: Any) -> Any:
    if values == ((),):
        return 0
    items = _require_numbers(values)
    if any(isinstance(v, SymDim) for v in items) and any(isinstance(v, float) for v in items):
        raise _InvalidArgument
    total = items[0]
    for item in items[1:]:
        total = total + item
    return total


def _make_real_function(function: Callable[[float], float]) -> Callable[[Any], float]:
    def of(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _InvalidArgument
        return function(value)

    return of


def _make_rounding_function(function: Callable[[float], int]) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float, SymDim)):
            raise _InvalidArgument
        return function(value) if isinstance(value, float) else value

    return of


def _round_number(value: Any, *digits: Any) -> Any:
    """Round a number to an integer, or with a number of digits, which may be 0, to a number of the same type."""
    if any(isinstance(number, bool) for number in (value, *digits)) or not isinstance(value, (int, float)):
        raise _InvalidArgument
    if not all(isinstance(number, int) for number in digits):
        raise _InvalidArgument
    # No number has more digits than that, and Python would compute the power of ten
    return round(value, *(max(-_MAX_DIGITS, min(number, _MAX_DIGITS)) for number in digits))


def _absolute_value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, SymDim)):
        raise _InvalidArgument
    return dim_max(value, -value) if isinstance(value, SymDim) else abs(value)


def _list_length(value: Any) -> int:
    if not isinstance(value, (tuple, str)):
        raise _InvalidArgument
    return len(value)


def _make_range(*bounds: Any) -> tuple[int, ...]:
    if any(isinstance(b, bool) or not isinstance(b, int) for b in bounds) or (len(bounds) == 3 and bounds[2] == 0):
        raise _InvalidArgument
    values = range(*bounds)
    # `range` is cheap until its items are made, which is here.
    if len(values) > 1_000_000:
        raise OverflowError
    return tuple(values)


def _require_lists(*values: Any) -> list[tuple[Any, ...]]:
    if not all(isinstance(v, tuple) for v in values):
        raise _InvalidArgument
    return list(values)


def _enumerate_list(values: Any, start: Any = 0) -> tuple[Any, ...]:
    if isinstance(start, bool) or not isinstance(start, int):
        raise _InvalidArgument
    return tuple(enumerate(_require_lists(values)[0], start))


KEEPS_ORIGINS = ("sum", "len", "enumerate", "zip", "ceil", "floor", "int")
"""The functions that leave integers, and the items of lists, as they are."""
ROUNDS_FLOATS = ("sum", "ceil", "floor", "int")
"""The functions among `KEEPS_ORIGINS` that change floats."""
REAL_FUNCTIONS = ("sqrt", "exp", "log", "log2", "sin", "cos", "float")
"""The functions whose value is a float that knows what it is computed from."""
IS_GIVEN = "given"
HAS_PARAMETER, PARAMETER_SHAPE, PARAMETER_INIT = LAYER_FUNCTIONS = ("has_parameter", "parameter_shape", "parameter_init")
"""Functions about the parameters of a layer that is an argument: see interpreter/layer_parameters.py."""
TENSOR_FUNCTIONS = (IS_GIVEN, *LAYER_FUNCTIONS)
"""The functions that take the name of a tensor, which is therefore not evaluated as an argument, and whose values are no tensors."""
BUILTINS: dict[str, Builtin] = {
    "min": Builtin(_make_extreme(dim_min, min), 1, None, "numbers, or a list of them"),
    "max": Builtin(_make_extreme(dim_max, max), 1, None, "numbers, or a list of them"),
    "abs": Builtin(_absolute_value, 1, 1, "a number"),
    "sum": Builtin(_sum_values, 1, None, "numbers, or a list of them"),
    "len": Builtin(_list_length, 1, 1, "a list or a string"),
    "range": Builtin(_make_range, 1, 3, "integers, the step not 0"),
    "enumerate": Builtin(_enumerate_list, 1, 2, "a list, and the number of its first item"),
    "zip": Builtin(lambda *v: tuple(zip(*_require_lists(*v), strict=False)), 1, None, "lists"),
    "sqrt": Builtin(_make_real_function(math.sqrt), 1, 1, "a number that is known"),
    "exp": Builtin(_make_real_function(math.exp), 1, 1, "a number that is known"),
    "log": Builtin(_make_real_function(math.log), 1, 1, "a number that is known"),
    "log2": Builtin(_make_real_function(math.log2), 1, 1, "a number that is known"),
    "sin": Builtin(_make_real_function(math.sin), 1, 1, "a number that is known"),
    "cos": Builtin(_make_real_function(math.cos), 1, 1, "a number that is known"),
    "ceil": Builtin(_make_rounding_function(math.ceil), 1, 1, "a number"),
    "floor": Builtin(_make_rounding_function(math.floor), 1, 1, "a number"),
    "round": Builtin(_round_number, 1, 2, "a known number and a number of digits"),
    "int": Builtin(_make_rounding_function(int), 1, 1, "a number"),
    "float": Builtin(_make_real_function(float), 1, 1, "a number that is known"),
    IS_GIVEN: Builtin(_require_lists, 1, 1, "an optional tensor"),
}


CONSTANTS = {"pi": math.pi, "e": math.e}
"""Numbers with a name, unless the name is defined otherwise."""
NONFINITE_CONSTANTS = {"inf": math.inf, "nan": math.nan}
"""Numbers with a name in tables and in arithmetic with tensors only: compile-time arithmetic has finite numbers."""


def call_builtin(name: str, arguments: Sequence[Any], node: ast.Call, decisions: Decisions) -> Any:
    """The value of a builtin; its errors get the span of the call."""
    builtin = BUILTINS[name]
    check_count(name, builtin.min_arguments, builtin.max_arguments, node)
    value = _apply_builtin(name, builtin, arguments, node.span)
    # Floats keep the operation, so that an emitted constructor can compute `width ** -0.5` from its own argument.
    if name in REAL_FUNCTIONS:
        return trace_float(name, tuple(arguments), value)
    if name in ("min", "max") and isinstance(value, int):
        # The result is one of the arguments, so it keeps that one's formula. The graph holds only where the order is the same.
        for other in _require_numbers(arguments):
            decisions.record_comparison("<=" if name == "min" else ">=", value, other, True)
    # The value has no formula, so the graph depends on the numbers themselves.
    elif _loses_origin(name, value, tuple(arguments)):
        decisions.pin_value(tuple(arguments))
        value = strip_formulas(value)
    check_dimension(value, node.span)
    check_list(value, node.span)
    return value


def _loses_origin(name: str, value: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether the value of a function does not say what it is computed from."""
    return (
        name not in KEEPS_ORIGINS
        or (isinstance(value, SymDim) and has_origin(arguments))
        or (name in ROUNDS_FLOATS and has_traced_float(arguments))
    )


def unexpected_keyword(node: ast.Call) -> Failure:
    """The failure for a keyword where only positional arguments are accepted."""
    first = node.keywords[0]
    return Failure(UnknownArgument(node.function.name, first.name, hint="its arguments have no names"), first.name_span)


def check_count(name: str, min_arguments: int, max_arguments: int | None, node: ast.Call) -> None:
    """Rejects a call with too many or too few arguments, or with keywords."""
    if node.keywords:
        raise unexpected_keyword(node)
    if max_arguments is not None and len(node.arguments) > max_arguments:
        raise Failure(TooManyArguments(name, max_arguments, kind=""), node.arguments[max_arguments].span)
    if len(node.arguments) < min_arguments:
        raise Failure(FewArguments(name, min_arguments, len(node.arguments)), node.span)


def _apply_builtin(name: str, builtin: Builtin, arguments: Sequence[Any], span: Span) -> Any:
    try:
        return builtin.function(*arguments)
    except _InvalidArgument:
        description = " and ".join(format_value(a) for a in arguments)
        raise Failure(FunctionTakes(name, builtin.expects, description), span) from None
    except OverflowError:
        raise Failure(NoValue(name, "the result is too large"), span) from None
    except ValueError:
        raise Failure(NoValue(name, f"{format_value(arguments[0])} is outside its domain"), span) from None
