"""Converts the sizes of torch.export, which are SymPy expressions, to dimensions.

`FloorDiv(s0 + 1, 2)` is `(H + 1) // 2`, if the user called the axis with the symbol s0 H.

In: the symbols that torch.export made, with the names that the user gave to axes. Out: a `Dim` for each expression. Always: an expression
without a counterpart raises `ImportRefused`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from math import ceil, floor
from typing import Any

from netc.dsl.record import Record

from ...dims import Condition, Dim, declare_dims, dim_max, dim_min, make_symbol
from ..graph_builder import ImportRefused

LEAST = 2
"""torch.export specializes on sizes of 0 and 1 (pytorch/pytorch#151582), so a lower bound up to 2 says nothing about the model."""


def _multiply_dims(*factors: Dim) -> Dim:
    return reduce(lambda a, b: a * b, factors)


def _floor_divide(top: Dim, bottom: Dim) -> Dim:
    return top // bottom


def _raise_power(base: Dim, exponent: Dim) -> Dim:
    if not isinstance(exponent, int) or exponent < 0:
        raise ImportRefused("a size is a power with an exponent that is not an integer of at least 0")
    return _multiply_dims(1, *[base] * exponent)


_FUNCTIONS: Mapping[str, Callable[..., Dim]] = {
    "Add": lambda *terms: sum(terms),
    "Mul": _multiply_dims,
    "Pow": _raise_power,
    "PowByNatural": _raise_power,
    "FloorDiv": _floor_divide,
    "CleanDiv": _floor_divide,
    "Mod": lambda a, b: a % b,
    "PythonMod": lambda a, b: a % b,
    "Max": lambda *sizes: reduce(dim_max, sizes),
    "Min": lambda *sizes: reduce(dim_min, sizes),
}


_MOST_TRIED = 1024
"""The sizes below it are tried in a comparison that no condition can state."""
_FEW = 16
"""How many sizes a spec may exclude one by one."""
_FINEST = 2**10
"""The greatest denominator of a factor of sizes, such as `scale_factor=1.5`."""
_TRIED = 2**12
"""How many sizes a factor and a quotient must agree on."""


class SymbolAxis(Record):
    """The meaning of a symbol s of torch.export: the size `name` is `step * s + offset`."""

    name: str
    step: int = 1
    offset: int = 0


class SizeConverter:
    """Converts sizes. `axes` maps the symbols of torch.export to axes, `known` maps the names of axes to their dimensions."""

    def __init__(self, axes: Mapping[str, SymbolAxis], known: Mapping[str, Dim]) -> None:
        self.axes = axes
        self.known = known

    def to_dim(self, size: Any) -> Dim:
        """Convert an int, a `torch.SymInt` or an expression to a dimension."""
        # A bool is an int in Python.
        if isinstance(size, bool):
            raise ImportRefused("a size is a boolean")
        if isinstance(size, int):
            return size
        return self._convert_expression(size.node.expr if hasattr(size, "node") else size)

    def _convert_expression(self, expression: Any) -> Dim:
        if expression.is_Integer:
            return int(expression)
        if expression.is_Symbol:
            axis = self.axes.get(expression.name)
            if axis is None:
                raise ImportRefused("a size is known only when the values of tensors are")
            # torch.export writes an axis of size `2 * s` with the symbol s, so s is the size divided by 2.
            return (self.known[axis.name] - axis.offset) // axis.step
        kind = type(expression).__name__
        if kind in ("FloorToInt", "CeilToInt", "TruncToInt"):
            return _round_quotient(kind, *self._split_quotient(expression.args[0]))
        function = _FUNCTIONS.get(kind)
        if function is None:
            raise ImportRefused(f"a size is computed by {kind}, which sizes do not have")
        return function(*(self._convert_expression(argument) for argument in expression.args))

    def _split_quotient(self, expression: Any) -> tuple[Dim, Dim]:
        """Split a number that is rounded into its dividend and divisor."""
        match type(expression).__name__:
            case "IntTrueDiv":
                top, bottom = expression.args
                return self._convert_expression(top), self._convert_expression(bottom)
            case "Mul":
                quotients = [self._split_quotient(factor) for factor in expression.args]
                return _multiply_dims(*(top for top, _ in quotients)), _multiply_dims(*(bottom for _, bottom in quotients))
            case "Add":
                return _add_quotients(expression, [self._split_quotient(term) for term in expression.args])
            case "ToFloat":
                return self._split_quotient(expression.args[0])
            case "Float":
                return _find_quotient(float(expression))
        return self._convert_expression(expression), 1


def _round_quotient(kind: str, top: Dim, bottom: Dim) -> Dim:
    match kind:
        case "FloorToInt":
            return top // bottom
        case "CeilToInt":
            return -(-top // bottom)
    # `int` rounds to 0: -1.5 becomes -1.
    return dim_max(top, 0) // bottom - dim_max(-top, 0) // bottom


def _add_quotients(expression: Any, quotients: Sequence[tuple[Dim, Dim]]) -> tuple[Dim, Dim]:
    """Add quotients. Raises `ImportRefused` if the rounding of floats may move the sum across an integer, as `0.1 * T + 0.9`.

    One quotient may be rounded: if its sum with dyadic numbers is an integer, the quotient is exact.
    """
    exact = all(Fraction(float(number)).denominator <= _FINEST for number in expression.atoms() if number.is_Float)
    rounded = [bottom for _, bottom in quotients if not isinstance(bottom, int) or bottom.bit_count() > 1]
    if not exact or len(rounded) > 1:
        raise ImportRefused("a size is a sum of numbers that floats round, which may be on either side of an integer")
    common = _multiply_dims(*(bottom for _, bottom in quotients))
    return sum(
        _multiply_dims(top, *(other for j, (_, other) in enumerate(quotients) if j != i)) for i, (top, _) in enumerate(quotients)
    ), common


def _find_quotient(factor: float) -> tuple[int, int]:
    """Find small integers whose quotient gives the sizes that a factor such as 0.4 gives. Raises `ImportRefused`."""
    quotient = Fraction(factor).limit_denominator(_FINEST)
    # 0.29 * 100 is rounded to less than 29
    if any(_round_both(factor * size) != _round_both(quotient * size) for size in range(_TRIED)):
        raise ImportRefused(f"a size is {factor} times another, rounded as floats are, which no quotient of small integers gives")
    return quotient.numerator, quotient.denominator


def _round_both(number: float | Fraction) -> tuple[int, int]:
    return floor(number), ceil(number)


_COMPARISONS = {
    "Equality": "==",
    "Unequality": "!=",
    "StrictLessThan": "<",
    "LessThan": "<=",
    "StrictGreaterThan": ">",
    "GreaterThan": ">=",
}


def collect_asserted_conditions(expressions: Iterable[Any], axes: Mapping[str, SymbolAxis], ranges: Sequence[Condition]) -> list[Condition]:
    """Collect the conditions that an exported program asserts about sizes, without those that hold for all sizes in its `ranges`.

    Assertions about the values of tensors are left out: they have symbols that are no axes. Raises `ImportRefused` for an assertion about
    sizes that is no comparison of two of them.
    """
    names = tuple(dict.fromkeys(axis.name for axis in axes.values()))
    declared = declare_dims(names, ranges, {})
    known, raw = SizeConverter(axes, declared.dims), SizeConverter(axes, {name: make_symbol(name) for name in names})

    def holds(expression: Any) -> bool:
        """Return whether an assertion is known to hold."""
        match type(expression).__name__:
            case "BooleanTrue":
                return True
            # Such a disjunction is no condition of a spec, but one that always holds may be left out.
            case "Or":
                return any(map(holds, expression.args))
            case "And":
                return all(map(holds, expression.args))
            case kind if kind in _COMPARISONS:
                return declared.facts.compare(_COMPARISONS[kind], *map(known.to_dim, expression.args)) is True
        return False

    about_sizes = [assertion for assertion in expressions if all(free.name in axes for free in assertion.free_symbols)]
    unproved = [part for assertion in about_sizes for part in _split_conjuncts(assertion) if not holds(part)]
    for assertion in unproved:
        if type(assertion).__name__ not in _COMPARISONS:
            raise ImportRefused(f"needs sizes with `{assertion}`, which is no condition that a spec can state")
    return [Condition(_COMPARISONS[type(assertion).__name__], *map(raw.to_dim, assertion.args)) for assertion in unproved]


def collect_compared_conditions(expressions: Iterable[Any], axes: Mapping[str, SymbolAxis], ranges: Sequence[Condition]) -> list[Condition]:
    """Collect the conditions under which the code takes the traced branches, without those that hold for all sizes in `ranges`.

    A comparison that no condition can state, such as one of square roots, becomes the range of sizes in which it holds, or all sizes but a
    few. It is left out if it is neither.
    """
    result: list[Condition] = []
    for expression in dict.fromkeys(expressions):
        try:
            result += collect_asserted_conditions([expression], axes, [*ranges, *result])
        except ImportRefused:
            result += _bound_sizes(expression, axes)
    return result


def _bound_sizes(expression: Any, axes: Mapping[str, SymbolAxis]) -> list[Condition]:
    """Return conditions on the only size of a comparison: `sqrt(T) <= 10` is `T <= 100`, and `round(T / 3) != 4` is `T != 11`, ..."""
    if len(expression.free_symbols) != 1:
        return []
    (symbol,) = expression.free_symbols
    axis = axes[symbol.name]
    tried = range(LEAST, _MOST_TRIED)
    holding = [size for size in tried if expression.subs(symbol, size) == True]  # noqa: E712  # SymPy's own `true`
    missing = sorted(set(tried) - set(holding))
    stated: list[tuple[str, int]] = []
    if len(missing) <= _FEW:
        stated = [("!=", size) for size in missing]
    elif holding and len(holding) == holding[-1] - holding[0] + 1:
        stated = [(op, size) for op, size in ((">=", holding[0]), ("<=", holding[-1])) if size not in (tried[0], tried[-1])]
    return [Condition(op, make_symbol(axis.name), size * axis.step + axis.offset) for op, size in stated]


def _split_conjuncts(expression: Any) -> Sequence[Any]:
    return expression.args if type(expression).__name__ == "And" else (expression,)


def collect_range_conditions(ranges: Mapping[Any, Any], axes: Mapping[str, SymbolAxis]) -> list[Condition]:
    """Collect the conditions on sizes that torch.export found."""
    result = [Condition("==", make_symbol(axis.name) % axis.step, axis.offset % axis.step) for axis in axes.values() if axis.step > 1]
    for key, allowed in ranges.items():
        matched = match_axis(key, with_offset=True)
        axis = None if matched is None else axes.get(matched[0])
        if matched is None or axis is None:
            continue
        # The range of `2*s + 1` is the size's own. The range of s is the size's after the same steps.
        step, offset = (axis.step, axis.offset) if key.is_Symbol else (1, 0)
        if not key.is_Symbol and matched[1:] != (axis.step, axis.offset):
            continue
        if allowed.lower.is_Integer and int(allowed.lower) > LEAST:
            result.append(Condition(">=", make_symbol(axis.name), int(allowed.lower) * step + offset))
        # Without an upper bound, torch.export has infinity here.
        if allowed.upper.is_Integer:
            result.append(Condition("<=", make_symbol(axis.name), int(allowed.upper) * step + offset))
    return list({str(condition): condition for condition in result}.values())


def match_axis(expression: Any, *, with_offset: bool = False) -> tuple[str, int, int] | None:
    """Return the symbol, the factor and the offset of a size such as `s`, `2*s` or, `with_offset`, `2*s + 1`. None for another size."""
    if expression.is_Symbol:
        return expression.name, 1, 0
    kind = type(expression).__name__
    if kind == "Mul" and len(expression.args) == 2:
        factor, inner = expression.args
        if factor.is_Integer and factor > 0 and inner.is_Symbol:
            return inner.name, int(factor), 0
    if with_offset and kind == "Add" and len(expression.args) == 2:
        offset, multiple = expression.args
        inner_axis = match_axis(multiple) if offset.is_Integer else None
        return None if inner_axis is None else (inner_axis[0], inner_axis[1], int(offset))
    return None
