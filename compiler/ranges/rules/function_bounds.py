"""Bounds of functions of single elements: activations, arithmetic, comparisons.

A function that never falls is bounded by its values at both ends. `gelu` and its relatives fall a little below 0, by a known amount.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...ops import activation, elementwise
from ...ops.arithmetic import Add, Clamp, Div, FloorDiv, Maximum, Minimum, Mul, Pow, Remainder, Sub
from ...ops.binary import Atan2
from ...ops.comparison import Comparison, Logic, Predicate, Where
from ...ops.operator import Operator
from ...ops.regularization import Dropping, PassingOn, Rrelu
from ...ops.special import Erfc
from ...ops.trigonometry import Asinh, Atan, Cos, Sin, Sinh
from ...types.numpy_types import Array
from ..bound_table import FUNCTION_FACTOR, BoundSite, bound_rule
from ..tensor_bounds import Ball, TensorBound, close_ends, divide_bounds, invert_bound, scalar_bound, square_bound, unknown_bound

Bounds = Sequence[TensorBound]
ArrayFunction = Callable[[Any, Array], Array]


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _elu(x: Array, alpha: float = 1.0) -> Array:
    return np.asarray(np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


_RISING: dict[type[Operator], ArrayFunction] = {
    activation.Relu: lambda _, x: np.maximum(x, 0),
    activation.Relu6: lambda _, x: np.clip(x, 0, 6),
    activation.Hardtanh: lambda op, x: np.clip(x, op.min_val, op.max_val),
    activation.Hardsigmoid: lambda _, x: np.clip(x / 6 + 0.5, 0, 1),
    activation.Sigmoid: lambda _, x: 1 / (1 + np.exp(-x)),
    activation.Tanh: lambda _, x: np.tanh(x),
    activation.Softsign: lambda _, x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))),
    activation.Logsigmoid: lambda _, x: -np.logaddexp(0, -x),
    activation.Selu: lambda _, x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    elementwise.Floor: lambda _, x: np.floor(x),
    elementwise.Ceil: lambda _, x: np.ceil(x),
    elementwise.Round: lambda _, x: np.round(x),
    elementwise.Trunc: lambda _, x: np.trunc(x),
    elementwise.Sign: lambda _, x: np.sign(x),
    elementwise.Exp: lambda _, x: np.exp(x),
    elementwise.Exp2: lambda _, x: np.exp2(x),
    elementwise.Expm1: lambda _, x: np.expm1(x),
    elementwise.Sqrt: lambda _, x: np.sqrt(np.maximum(x, 0)),
    Asinh: lambda _, x: np.arcsinh(x),
    Atan: lambda _, x: np.arctan(x),
    Sinh: lambda _, x: np.sinh(x),
}
"""Functions that never fall."""
_SHRINKING: dict[type[Operator], ArrayFunction] = {
    activation.Softshrink: lambda lambd, x: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
    activation.Hardshrink: lambda lambd, x: np.where(np.abs(x) > lambd, x, 0),
}
"""Functions of `lambd` and a tensor that never fall."""
_DIPS: dict[type[Operator], float] = {
    activation.Gelu: 0.1701,
    activation.Silu: 0.2785,
    activation.Mish: 0.3089,
    activation.Hardswish: 0.3751,
}
"""By how much functions between `min(x, 0)` and `max(x, 0)` fall below 0 at most: the minimum of each, rounded up."""
_FIXED: dict[type[Operator], tuple[float, float]] = {
    elementwise.Erf: (-1, 1),
    Erfc: (0, 2),
    elementwise.LogicalNot: (0, 1),
    Comparison: (0, 1),
    Logic: (0, 1),
    Predicate: (0, 1),
    Sin: (-1, 1),
    Cos: (-1, 1),
    Atan2: (-np.pi, np.pi),
}
"""Functions whose results are within the same interval for all inputs."""


@bound_rule(*_RISING)
def bound_rising(site: BoundSite) -> Bounds:
    function = next(_RISING[cls] for cls in type(site.op).__mro__ if cls in _RISING)
    return (apply_rising(lambda x: function(site.op, x), site.x),)


def apply_rising(function: Callable[[Array], Array], x: TensorBound) -> TensorBound:
    """Apply a function that never falls to both ends."""
    with np.errstate(all="ignore"):
        return close_ends(function(x.low), function(x.high))


@bound_rule(*_DIPS)
def bound_dip(site: BoundSite) -> Bounds:
    least = next(_DIPS[cls] for cls in type(site.op).__mro__ if cls in _DIPS)
    x = site.x
    return (TensorBound(np.where(x.low < 0, np.maximum(-least, x.low), 0.0), np.maximum(x.high, 0)),)


@bound_rule(*_FIXED)
def bound_fixed(site: BoundSite) -> Bounds:
    low, high = next(_FIXED[cls] for cls in type(site.op).__mro__ if cls in _FIXED)
    return (scalar_bound(low, high, site.results[0].rank),)


@bound_rule(activation.LeakyRelu, Rrelu)
def bound_leaky(site: BoundSite) -> Bounds:
    slope = (site.op.lower + site.op.upper) / 2 if isinstance(site.op, Rrelu) else site.op.negative_slope  # type: ignore[attr-defined]
    ends = [np.where(end > 0, end, slope * end) for end in (site.x.low, site.x.high)]
    bound = TensorBound(np.minimum(*ends), np.maximum(*ends))
    # A negative slope turns the left half upwards, so that 0 may be the least value.
    return (bound | scalar_bound(0, 0, bound.rank) if slope < 0 else bound,)


@bound_rule(activation.Elu, activation.Celu)
def bound_elu(site: BoundSite) -> Bounds:
    alpha = site.op.args["alpha"]
    if alpha <= 0:
        return site.unknown()
    inner = alpha if isinstance(site.op, activation.Celu) else 1.0
    return (apply_rising(lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / inner)), site.x),)


@bound_rule(activation.Tanhshrink)
def bound_tanhshrink(site: BoundSite) -> Bounds:
    """The difference of a small number and its `tanh` is mostly rounding, so the room for it is a share of the number."""
    bound = apply_rising(lambda x: x - np.tanh(x), site.x)
    return (bound.widen(0.0, FUNCTION_FACTOR * site.unit * site.x.magnitude),)


@bound_rule(activation.Softshrink, activation.Hardshrink)
def bound_shrinking(site: BoundSite) -> Bounds:
    """A kernel rounds `lambd` to the type of the tensor, which decides for a number next to it."""
    lambd = site.op.args["lambd"]
    ends = [apply_rising(partial(_SHRINKING[type(site.op)], lambd * (1 + error)), site.x) for error in (-2 * site.unit, 2 * site.unit)]
    return (ends[0] | ends[1],)


@bound_rule(activation.Softplus)
def bound_softplus(site: BoundSite) -> Bounds:
    """Above its threshold, PyTorch's function is the identity, which is less: there it falls to the threshold once."""
    beta, threshold = site.op.args["beta"], site.op.args["threshold"]
    if beta <= 0:
        return site.unknown()
    smooth = apply_rising(lambda x: np.logaddexp(0, beta * x) / beta, site.x)
    least = threshold - FUNCTION_FACTOR * site.unit * abs(threshold)
    passes = site.x.high * beta > least
    after_fall = np.maximum(site.x.low, least / beta)
    return (TensorBound(np.where(passes, np.minimum(smooth.low, after_fall), smooth.low), smooth.high),)


@bound_rule(activation.Threshold)
def bound_threshold(site: BoundSite) -> Bounds:
    return (site.x | site.bound_fill(site.op.args["value"]),)


@bound_rule(elementwise.Neg)
def bound_negation(site: BoundSite) -> Bounds:
    return (-site.x,)


@bound_rule(elementwise.Abs)
def bound_absolute(site: BoundSite) -> Bounds:
    x = site.x
    return (TensorBound(np.maximum(np.maximum(x.low, -x.high), 0), x.magnitude),)


@bound_rule(elementwise.Square)
def bound_square(site: BoundSite) -> Bounds:
    return (square_bound(site.x),)


@bound_rule(elementwise.Log, elementwise.Log2, elementwise.Log10, elementwise.Log1p)
def bound_logarithm(site: BoundSite) -> Bounds:
    functions = {elementwise.Log: np.log, elementwise.Log2: np.log2, elementwise.Log10: np.log10, elementwise.Log1p: np.log1p}
    function = functions[type(site.op)]  # type: ignore[index]
    least = -1.0 if function is np.log1p else 0.0
    return (apply_rising(lambda x: function(np.maximum(x, least)), site.x),)


@bound_rule(elementwise.Reciprocal)
def bound_reciprocal(site: BoundSite) -> Bounds:
    return (invert_bound(site.x),)


@bound_rule(elementwise.Rsqrt)
def bound_inverse_root(site: BoundSite) -> Bounds:
    with np.errstate(divide="ignore"):
        low, high = (1 / np.sqrt(np.maximum(end, 0)) for end in (site.x.high, site.x.low))
    return (TensorBound(low, high),)


@bound_rule(elementwise.NanToNum)
def bound_replacement(site: BoundSite) -> Bounds:
    replacements = site.op.find_replacements(site.results[0].dtype)  # type: ignore[attr-defined]
    return (site.x | scalar_bound(min(replacements), max(replacements), site.x.rank),)


@bound_rule(PassingOn, Dropping)
def bound_identity(site: BoundSite) -> Bounds:
    return (site.x,)


@bound_rule(Add)
def bound_sum(site: BoundSite) -> Bounds:
    a, b = site.list_operands()
    total = a + b
    return (_with_ball(site, total, lambda ball, c: Ball(ball.center + c, ball.scale)),)


@bound_rule(Sub)
def bound_difference(site: BoundSite) -> Bounds:
    a, b = site.list_operands()
    if _is_same_tensor(site):
        return (scalar_bound(0, 0, site.results[0].rank),)
    return (a - b,)


@bound_rule(Mul)
def bound_product(site: BoundSite) -> Bounds:
    a, b = site.list_operands()
    if _is_same_tensor(site):
        return (square_bound(a),)
    return (_with_ball(site, a * b, lambda ball, c: Ball(ball.center * c, ball.scale * c)),)


def _is_same_tensor(site: BoundSite) -> bool:
    """Whether both operands are one tensor, as in `x * x`."""
    return len(site.item.inputs) == 2 and site.item.inputs[0] == site.item.inputs[1]


def _with_ball(site: BoundSite, result: TensorBound, change: Callable[[Ball, Array], Ball]) -> TensorBound:
    """Keep the ball of one operand where the other operand is known, and the same for all rows, and the rows keep their size."""
    a, b = site.list_operands()
    for one, other in ((a, b), (b, a)):
        if one.ball is None or not other.is_constant or any(size > 1 for size in other.low.shape[:-1]) or result.rank != one.rank:
            continue
        if site.results[0].shape[-1] != one.ball.center.size:  # a row of one number that is repeated is longer than this number
            continue
        return TensorBound(result.low, result.high, change(one.ball, other.low.reshape(-1) if other.low.ndim else other.low))
    return result


@bound_rule(Div)
def bound_quotient(site: BoundSite) -> Bounds:
    a, b = site.list_operands()
    return (divide_bounds(a, b),)


@bound_rule(FloorDiv)
def bound_floored_quotient(site: BoundSite) -> Bounds:
    a, b = site.list_operands()
    quotient = divide_bounds(a, b)
    # A quotient next to an integer may be rounded to it. Two integers below 2**52 have no quotient that is so near.
    is_exact = not site.results[0].dtype.is_float and max(a.limit, b.limit) < 2.0**52
    result = apply_rising(np.floor, quotient)
    return (result if is_exact else result.widen(0.0, 1.0),)


@bound_rule(Remainder)
def bound_remainder(site: BoundSite) -> Bounds:
    """The remainder is between 0 and the divisor, with the sign of the divisor."""
    _, divisor = site.list_operands()
    rank = site.results[0].rank
    both = divisor.merge_all(rank)
    return (TensorBound(np.minimum(both.low, 0), np.maximum(both.high, 0)),)


@bound_rule(Pow)
def bound_power(site: BoundSite) -> Bounds:
    base, exponent = site.list_operands()
    if (base.low <= 0).any() and exponent.is_constant and exponent.low.size == 1:
        return (_spread_ranks(_bound_constant_power(base, float(exponent.low.item())), site),)
    if (base.low <= 0).any():
        return site.unknown()
    with np.errstate(all="ignore"):  # a positive base: the logarithm of the result is a product
        logarithms = TensorBound(np.log(base.low), np.log(base.high)) * exponent
        return (close_ends(np.exp(logarithms.low), np.exp(logarithms.high)).widen(2.0**-40),)


def _bound_constant_power(base: TensorBound, exponent: float) -> TensorBound:
    """Bound a power with a known exponent, of a base that may be negative or 0."""
    if exponent < 0:
        return unknown_bound(base.rank)
    if exponent == 0:
        return scalar_bound(1, 1, base.rank)
    if exponent % 2 == 1:
        return apply_rising(lambda x: x**exponent, base)
    # Another exponent than an integer gives NaN for a negative base, and a power of the base's size for any other.
    with np.errstate(over="ignore"):
        return TensorBound(np.zeros_like(base.low), base.magnitude**exponent)


@bound_rule(Maximum)
def bound_maximum(site: BoundSite) -> Bounds:
    a, b = site.inputs
    return (TensorBound(np.maximum(a.low, b.low), np.maximum(a.high, b.high)),)


@bound_rule(Minimum)
def bound_minimum(site: BoundSite) -> Bounds:
    a, b = site.inputs
    return (TensorBound(np.minimum(a.low, b.low), np.minimum(a.high, b.high)),)


@bound_rule(Clamp)
def bound_clamp(site: BoundSite) -> Bounds:
    low, high = (None if end is None else site.bound_number(end) for end in (site.op.args["min"], site.op.args["max"]))
    x = site.x
    if low is not None:
        x = TensorBound(np.maximum(x.low, low.low), np.maximum(x.high, low.high))
    # PyTorch applies the upper bound last, so it wins if the bounds are in the wrong order.
    return (x if high is None else TensorBound(np.minimum(x.low, high.low), np.minimum(x.high, high.high)),)


@bound_rule(Where)
def bound_choice(site: BoundSite) -> Bounds:
    chosen = [bound for bound, name in zip(site.inputs, site.given.names, strict=True) if name != "condition"]
    numbers = [site.bound_number(number) for number in site.op.scalars]
    first, *others = [*chosen, *numbers]
    for other in others:
        first = first | other
    return (_spread_ranks(first, site),)


def _spread_ranks(bound: TensorBound, site: BoundSite) -> TensorBound:
    """Give a bound the rank of the result, which a condition or an exponent may have alone."""
    missing = site.results[0].rank - bound.rank
    if missing <= 0:
        return bound
    return bound.map_ends(lambda end: end.reshape((1,) * missing + end.shape))
