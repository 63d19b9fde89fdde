"""Bound a mask, scores or weights where the key comes after its query: an abstract interpretation of the operators in between.

In: an operator and the bounds of its inputs there. Out: the bound of its result, or None. Always: a boolean and the number 0 are exact.
Another number is an upper bound, and only a bound of at most `HIDDEN` is of use: a score whose weight is 0 in float32.

>>> bound_result(Softmax(axis=-1), [-1e9])
0.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, TypeGuard

from ..ops.activation import Relu, Sigmoid, Softmax
from ..ops.arithmetic import Add, Div, Mul, Sub
from ..ops.comparison import LogicalAnd, LogicalOr, Where
from ..ops.elementwise import Exp, LogicalNot
from ..ops.indexing import MaskedFill
from ..ops.operator import Operator
from ..ops.regularization import Dropping, PassingOn
from ..ops.shape import Cast
from .causal_masks import HIDDEN
from .items import Number

Known = Number | None


def is_hidden(score: Known) -> TypeGuard[float]:
    """Whether a score is so low that its weight is 0 next to any other score."""
    return score is not None and not isinstance(score, bool) and score <= HIDDEN


def hides_nothing(later: Known, first: Known) -> bool:
    """Whether the first query's own key is hidden about as much as the later keys, which then have a weight. Next to -inf, none have one.

    >>> hides_nothing(-1e9, -1e9), hides_nothing(-1e9, -5e4), hides_nothing(-inf, -1e4)
    (True, False, False)
    """
    # Next to 1e38, a float does not change by 1e4.
    return is_hidden(later) and is_hidden(first) and -inf < later and (later >= first or later > first + HIDDEN)


def is_zero(x: Known) -> bool:
    """Whether a bound is the number 0."""
    # False == 0 in Python, and a mask that is False is no score.
    return x is not None and not isinstance(x, bool) and x == 0


def bound_result(op: Operator, inputs: Sequence[Known]) -> Known:
    """Return the bound of the result, or None."""
    rule = next((RULES[cls] for cls in type(op).__mro__ if cls in RULES), None)
    return None if rule is None else rule(op, inputs)


def _bound_add(op: Any, inputs: Sequence[Known]) -> Known:
    # A hidden score stays hidden, whatever is added to it.
    return min((x for x in inputs if is_hidden(x)), default=None)


def _bound_sub(op: Any, inputs: Sequence[Known]) -> Known:
    return None if op.number_first else _bound_add(op, inputs[:1])


def _bound_mul(op: Any, inputs: Sequence[Known]) -> Known:
    return 0.0 if any(is_zero(x) for x in inputs) else _bound_scaled_result(op, inputs)


def _bound_div(op: Any, inputs: Sequence[Known]) -> Known:
    return 0.0 if is_zero(inputs[0]) and not op.number_first else _bound_scaled_result(op, inputs)


def _bound_scaled_result(op: Any, inputs: Sequence[Known]) -> Known:
    x = inputs[0]
    number = op.scalars[0] if op.scalars else None
    # A negative factor would turn an upper bound into a lower one.
    if isinstance(x, bool) or x is None or not isinstance(number, int | float) or number <= 0 or op.number_first:
        return None
    return x * number if isinstance(op, Mul) else x / number


def _bound_and(op: Any, inputs: Sequence[Known]) -> Known:
    return False if any(x is False for x in inputs) else None


def _bound_or(op: Any, inputs: Sequence[Known]) -> Known:
    return True if any(x is True for x in inputs) else None


def _bound_not(op: Any, inputs: Sequence[Known]) -> Known:
    return not inputs[0] if isinstance(inputs[0], bool) else None


def _bound_where(op: Any, inputs: Sequence[Known]) -> Known:
    condition, *choices = inputs
    if not isinstance(condition, bool):
        return None
    if op.scalars:
        number = op.scalars[0] if isinstance(op.scalars[0], int | float) else None
        choices = [number, *choices] if op.number_first else [*choices, number]
    return choices[0 if condition else 1]


def _bound_masked_fill(op: Any, inputs: Sequence[Known]) -> Known:
    x, mask = inputs
    value: Number = op.value
    return value if mask is True else x if mask is False else None


def _bound_softmax(op: Any, inputs: Sequence[Known]) -> Known:
    # The exponential of a hidden score underflows to an exact 0.
    return 0.0 if is_hidden(inputs[0]) else None


def _bound_relu(op: Any, inputs: Sequence[Known]) -> Known:
    # relu turns 0 and every negative number into 0.
    return 0.0 if is_hidden(inputs[0]) or is_zero(inputs[0]) else None


def _bound_cast(op: Any, inputs: Sequence[Known]) -> Known:
    (x,) = inputs
    # Float16 rounds a hidden score to -inf or by a small part, so its weight stays 0.
    return 0.0 if x is False else x if is_zero(x) or (is_hidden(x) and op.dtype.is_float) else None


def _bound_identity(op: Any, inputs: Sequence[Known]) -> Known:
    return inputs[0]


RULES: dict[type[Operator], Callable[[Any, Sequence[Known]], Known]] = {
    Add: _bound_add,
    Sub: _bound_sub,
    Mul: _bound_mul,
    Div: _bound_div,
    LogicalAnd: _bound_and,
    LogicalOr: _bound_or,
    LogicalNot: _bound_not,
    Where: _bound_where,
    MaskedFill: _bound_masked_fill,
    Softmax: _bound_softmax,
    Exp: _bound_softmax,
    Sigmoid: _bound_softmax,
    Relu: _bound_relu,
    Cast: _bound_cast,
    PassingOn: _bound_identity,
    Dropping: _bound_identity,
}
