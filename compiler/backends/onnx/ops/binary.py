"""Emit functions of two numbers as ONNX nodes. Both are first cast to the element type in which PyTorch computes.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 3; y = input 3; (x, y) -> maximum").onnx().graph.node]
['Max']
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, pi

from ....ops.arithmetic import Pair
from ....ops.binary import Atan2, Fmod, Hypot, Lerp, Logaddexp
from ....ops.operator import Operator
from .. import integers
from ..onnx_emitters import Site, emits
from ..tensor_expressions import INT32, TensorExpr, compute_precisely, log1p


def _order_magnitudes(a: TensorExpr, b: TensorExpr) -> tuple[TensorExpr, TensorExpr, TensorExpr]:
    """Return the lesser absolute value, the greater one, and their quotient: 0 for two zeros, 1 for two infinities."""
    a, b = abs(a), abs(b)
    low, high = a.op("Min", b), a.op("Max", b)
    return low, high, high.equal(0.0).choose(low, low.equal(high).choose(low.like(1.0), low / high))


def _is_negative(x: TensorExpr) -> TensorExpr:
    """Whether the sign bit is set, for -0 too."""
    # -0 is not less than 0, but its reciprocal is -infinity.
    return x.less(0.0).op("Or", x.op("Reciprocal").less(0.0))


def compute_atan2(y: TensorExpr, x: TensorExpr) -> TensorExpr:
    """Compute the angle from the arc tangent of a quotient that is at most 1, then move it to its octant."""
    _, _, ratio = _order_magnitudes(y, x)
    angle = ratio.op("Atan")
    steep = abs(y).greater(abs(x)).choose(-angle + pi / 2, angle)
    turned = _is_negative(x).choose(-steep + pi, steep)
    return _is_negative(y).choose(-turned, turned)


def compute_hypot(x: TensorExpr, y: TensorExpr) -> TensorExpr:
    """Compute the greater magnitude times `sqrt(1 + ratio**2)`, which cannot overflow before the result does."""
    _, high, ratio = _order_magnitudes(x, y)
    # PyTorch gives infinity if one side is infinite, even if the other is NaN.
    infinite = abs(x).equal(inf).op("Or", abs(y).equal(inf))
    return infinite.choose(high.like(inf), high * (ratio * ratio + 1.0).op("Sqrt"))


def compute_logaddexp(x: TensorExpr, y: TensorExpr) -> TensorExpr:
    """Compute the greater number plus the logarithm of a number from 1 to 2, which cannot overflow."""
    apart = x.equal(y).choose(x.like(0.0), -abs(x - y))  # two equal infinities differ by NaN
    return x.op("Max", y) + log1p(apart.exp())


_FUNCTIONS: dict[type[Operator], Callable[[TensorExpr, TensorExpr], TensorExpr]] = {
    Atan2: compute_atan2,
    Hypot: compute_hypot,
    Logaddexp: compute_logaddexp,
}
_NAMES: dict[type[Operator], str] = {Atan2: "Div and Atan", Hypot: "Div and Sqrt", Logaddexp: "Exp, Log and arithmetic"}


@emits(*_FUNCTIONS, onnx=_NAMES)
def emit_binary_function(op: Pair, site: Site) -> str:
    dtype = site.results[0].dtype
    other = site.other.cast(dtype)

    def steps(x: TensorExpr) -> TensorExpr:
        return _FUNCTIONS[type(op)](x, other.cast(x.dtype))

    return compute_precisely(site.x.cast(dtype), steps).name


@emits(Fmod, onnx="Mod; of integers, Div, Mul and Sub")
def emit_fmod(op: Fmod, site: Site) -> str:
    dtype = site.results[0].dtype
    x = site.x.cast(dtype)
    if dtype.is_float:
        return compute_precisely(x, lambda y: y.op("Mod", _read_divisor(op, site, y), fmod=1)).name
    via = INT32 if dtype.size < 4 else dtype
    divisor = _read_divisor(op, site, x).cast(via)
    number = op.convert_number(x.dtype) if op.scalars else None
    known = number if isinstance(number, int) else None
    return x.within(via, lambda y: integers.remainder_towards_zero(y, divisor, known)).name


def _read_divisor(op: Fmod, site: Site, x: TensorExpr) -> TensorExpr:
    if not op.scalars:
        return site.other.cast(x.dtype)
    number = op.convert_number(x.dtype)
    return x.like(float(number) if x.dtype.is_float and isinstance(number, int) else number)


@emits(Lerp, onnx="Sub, Mul and Add")
def emit_lerp(op: Lerp, site: Site) -> str:
    def steps(x: TensorExpr) -> TensorExpr:
        # PyTorch interpolates from the nearer end, so that a weight of 1 gives `end` exactly.
        end = site.end.cast(x.dtype)
        away = end - x
        weight = site.weight.cast(x.dtype) if op.weight is None else x.like(op.weight)
        near = abs(weight).less(0.5)
        return near.choose(x + weight * away, end - away * (-weight + 1.0))

    return compute_precisely(site.x, steps).name
